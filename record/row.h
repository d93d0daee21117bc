/* record/row.h — one row of a batch as bytes, and back: what joins and `sort` keep of it; and one
 * cell. Why: a row that waits for others outlives its batch. The planner knows which of its cells
 * are read later, so only those are kept, by position; names are not stored. Model: a shape lists
 * what is kept. Writer and reader may number the same cells differently (the input's domain, the
 * output's domain): each has its own shape, with the same counts, `whole`, `message` and
 * fingerprint. The fingerprint is a hash of the names of cells and spans: bytes that another set of
 * them was written with are refused, never read as something else. Layout, integers little-endian,
 * sizes and spans LEB128, signed ones zigzag:
 *
 *   0       0x10 + flags: 1 the payload is null, 2 there is no message key
 *   1..4    fingerprint
 *   5..12   event time in ms
 *   message 8 timestamp in ms; offset; key: size and bytes (nothing with flag 2)
 *   whole   payload: size and bytes; per span: name offset, value offset, value size
 *   cells   per slot a tag (the kind; 0x80: an undeclared number), then by kind: nothing, 1 byte,
 *           an integer, 8 bytes, or size and bytes; of lists and maps the size and their cells
 *
 * The high half of byte 0 is the layout's version, today 1. Kinds are stored by their number in
 * record/value.h: new ones are added behind.
 * Not kept: headers, the origin, group keys. Limits: MR_LIMIT_ROW_BYTES, MR_ROW_DEPTH_MAX.
 * Threads: no state. */
#ifndef MR_RECORD_ROW_H
#define MR_RECORD_ROW_H

#include "base/error.h"
#include "record/batch.h"

enum {
    MR_ROW_VERSION = 1,
    /* Nesting of a cell's lists and maps: a record's own (MR_LIMIT_JSON_DEPTH) inside what an
     * expression can build around it (MR_LIMIT_EXPRESSION_DEPTH). */
    MR_ROW_DEPTH_MAX = 400
};

struct mr_row_shape {
    const uint32_t *slots; /* of the batch at hand; MR_SLOT_NONE: ABSENT to write, not read back */
    uint32_t slots_count;
    const uint32_t *spans; /* with `whole`; MR_SLOT_NONE as above; NULL: none is read back */
    uint32_t spans_count;
    bool whole;   /* the payload with its spans: rows whose records are written later */
    bool message; /* key, offset and timestamp of the message: rows that pass on as they came */
    uint32_t fingerprint;
};

/* The fingerprint of a shape whose slots have these names. */
uint32_t mr_row_fingerprint(const char *const *names, uint32_t names_count, bool whole,
                            bool message);
/* The same with the members whose spans are kept, in the order of `spans`; count 0: unchanged. */
uint32_t mr_row_fingerprint_spans(uint32_t fingerprint, const char *const *names,
                                  uint32_t names_count);

/* Bytes that mr_row_write writes of this row. Errors: MR_LIMIT, recovery NONE: the row is too large
 * or nested too deep; error is then a sentence for the row, with what to do about it. */
enum mr_status mr_row_size(const struct mr_row_shape *shape, const struct mr_batch *batch,
                           uint32_t row, size_t *size, struct mr_error *error) MR_NODISCARD;
/* Write the row at output, which has room for mr_row_size. */
void mr_row_write(const struct mr_row_shape *shape, const struct mr_batch *batch, uint32_t row,
                  uint8_t *output);

/* The event time of written bytes. Pre: size >= 13. */
int64_t mr_row_event_time(struct mr_slice bytes);
/* Read bytes into a row of batch, which lies within its capacity (rows_count is left alone). Only
 * what the shape names is written, and the event time. Owner: texts and the payload are borrowed
 * from bytes, which live as long as the batch; lists and maps come from its arena. Errors:
 * MR_VERSION for another layout or other cells, MR_CORRUPT; the row is then undefined. */
enum mr_status mr_row_read(const struct mr_row_shape *shape, struct mr_slice bytes,
                           struct mr_batch *batch, uint32_t row,
                           struct mr_error *error) MR_NODISCARD;

/* ---- Single cells, as they lie in a row: for what keeps values and not rows ---- */

/* Bytes that mr_row_cell_write writes; SIZE_MAX: lists and maps nest deeper than MR_ROW_DEPTH_MAX.
 */
size_t mr_row_cell_size(const struct mr_value *cell);
void mr_row_cell_write(const struct mr_value *cell, uint8_t *output);
/* The cell that these bytes are, all of them. Owner: texts are borrowed from bytes, lists and maps
 * come from arena. Errors: MR_CORRUPT. */
enum mr_status mr_row_cell_read(struct mr_slice bytes, struct mr_arena *arena,
                                struct mr_value *cell, struct mr_error *error) MR_NODISCARD;

#endif
