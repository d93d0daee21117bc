/* formats/format.h — formats: payload bytes to columns and back.
 * Model: a decoder is opened once per (task, source) with the fields that the topology reads and
 * the top-level members whose place must be tracked; it fills a batch's columns in one pass per
 * record. An encoder is opened once per (task, sink) with the sink's layout; it writes a record's
 * bytes. A format that is not JSON leaves fields only (no payload to splice): the planner gives
 * its domain a layout that does not start from the payload.
 * Threads: an instance belongs to one task thread.
 * Record path: no heap allocation after the first batches. */
#ifndef MR_FORMATS_FORMAT_H
#define MR_FORMATS_FORMAT_H

#include "base/buffer.h"
#include "base/options.h"
#include "record/batch.h"
#include "record/field.h"

struct mr_decoder_open {
    const struct mr_options *options; /* of the format, may be NULL when it has none */
    const struct mr_field_read *fields;
    uint32_t fields_count;
    const char *const *tracked_names; /* one per span, in span order */
    uint32_t tracked_count;
};

/* Why a row cannot be decoded; row text lives in the batch's arena. */
struct mr_row_error {
    uint32_t row;
    struct mr_slice message; /* a sentence with the byte offset: 'expected "," or "}" at byte 17' */
};

struct mr_encoder_open {
    const struct mr_options *options;
    const struct mr_layout *layout;
    uint32_t
        value_slot; /* formats string and bytes: the slot of the field `value`, or MR_SLOT_NONE */
};

struct mr_format_type {
    const char *name;
    const char *help;
    const struct mr_option_spec *options; /* ended by a NULL name */
    /* The payload is a JSON object that layouts can splice. */
    bool payload_is_json;
    /* The only field is `value`. */
    bool single_value;
    size_t decoder_size;
    enum mr_status (*decoder_open)(void *self, const struct mr_decoder_open *open,
                                   struct mr_error *error);
    /* Decode all rows of batch: columns and spans. A row that cannot be decoded is written to
     * errors[*errors_count] (room for rows_count) and its cells stay ABSENT. A declared type that
     * the text contradicts is an ERROR cell, not a row error. */
    void (*decode)(void *self, struct mr_batch *batch, struct mr_row_error *errors,
                   uint32_t *errors_count);
    void (*decoder_close)(void *self);
    size_t encoder_size;
    enum mr_status (*encoder_open)(void *self, const struct mr_encoder_open *open,
                                   struct mr_error *error);
    /* Encode one row. Owner: *payload is in arena, or a part of the row's own payload (nothing was
     * copied); its data is NULL for a tombstone only. MR_INVALID with a sentence for a value that
     * the format cannot hold (NaN in JSON). */
    enum mr_status (*encode)(void *self, const struct mr_batch *batch, uint32_t row,
                             struct mr_arena *arena, struct mr_slice *payload,
                             struct mr_error *error);
    void (*encoder_close)(void *self);
};

/* The registered format, or NULL. */
const struct mr_format_type *mr_format_find(const char *name);
const struct mr_format_type *const *mr_formats(uint32_t *count);

#endif
