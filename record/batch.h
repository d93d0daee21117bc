/* record/batch.h — up to 4096 records as columns beside their payloads.
 * Why: operators run over columns of the fields that the topology reads, and the payload itself
 * is never copied; the encoder splices added fields into it (record/layout.h).
 * Model: a batch belongs to one *domain*: a source, or an operator that makes new rows (flat_map,
 * merge, alerts, windows). The planner numbers the domain's slots (columns), spans (tracked
 * top-level members) and keys; every operator on the way adds its columns to the same batch. A
 * view selects rows: a filter narrows the view, the batch stays.
 * Owner: rows and columns live in the batch's arena and are valid until the batch is released;
 * operators never keep pointers into it.
 * Threads: a batch stays on one task thread. */
#ifndef MR_RECORD_BATCH_H
#define MR_RECORD_BATCH_H

#include "base/arena.h"
#include "base/limits.h"
#include "record/layout.h"
#include "record/value.h"

/* A top-level member's place in the payload. size 0: not there. */
struct mr_span {
    uint32_t name_offset;  /* of the opening quote of the name */
    uint32_t value_offset; /* of the first byte of the value */
    uint32_t value_size;
};

struct mr_header {
    const char *name;
    struct mr_slice value;
};

struct mr_headers {
    const struct mr_header *items;
    uint32_t count;
};

/* Where a record came from: for dead letters, alerts and meta.*. */
struct mr_origin {
    const char *topic; /* or the source's name where there is no topic */
    int32_t partition;
};

struct mr_batch {
    uint32_t rows_count;
    uint32_t rows_capacity;
    uint32_t slots_count;
    uint32_t spans_count;
    uint32_t keys_count;
    uint32_t source_index;   /* of the plan, for a source's domain */
    uint64_t sequence_first; /* the task's sequence of row 0: seeds replayable randomness and ids */
    struct mr_origin origin;
    struct mr_arena *arena;
    /* One element per row. */
    int64_t *offsets;       /* source offsets; -1 where there is none */
    int64_t *timestamps_ms; /* of the message */
    int64_t *event_times_ms;
    /* The task's watermark just before the row, rows taken in input order: whether a row is late
     * then does not depend on how records are cut into batches. Never falls from row to row of an
     * input. NULL where no operator that the rows reach asks for it (MR_TYPE_ROW_WATERMARKS, rows
     * that wait). Operators read it by mr_operator_row_watermark. */
    int64_t *watermarks_ms;
    struct mr_slice *message_keys; /* data NULL and size 0 with key_null set: no key */
    struct mr_slice *payloads;     /* the record's bytes; for JSON-made rows "{}" */
    bool *payload_nulls;           /* tombstones */
    bool *key_nulls;
    struct mr_headers *headers; /* NULL: nobody reads headers */
    /* slots_count columns of rows_capacity cells; NULL until somebody writes it. */
    struct mr_value **columns;
    struct mr_span **spans;       /* spans_count arrays */
    struct mr_slice **group_keys; /* keys_count arrays: key bytes of operators, made on first use */
};

/* A selection of rows, ascending. */
struct mr_view {
    struct mr_batch *batch;
    const uint16_t *rows;
    uint32_t rows_count;
};

struct mr_batch_shape {
    uint32_t slots_count;
    uint32_t spans_count;
    uint32_t keys_count;
};

/* Prepare an empty batch with room for rows_capacity (<= MR_LIMIT_BATCH_ROWS) rows. All arrays come
 * from arena; columns are taken on first use. */
void mr_batch_init(struct mr_batch *batch, struct mr_arena *arena, struct mr_batch_shape shape,
                   uint32_t rows_capacity);

/* The column of a slot, taken and set to ABSENT on first use. */
struct mr_value *mr_batch_column(struct mr_batch *batch, uint32_t slot);
struct mr_span *mr_batch_span(struct mr_batch *batch, uint32_t span);

/* The rows' watermarks, taken on first use; the caller fills them. */
int64_t *mr_batch_watermarks(struct mr_batch *batch);

/* A view of all rows. */
struct mr_view mr_batch_view(struct mr_batch *batch);

/* Key bytes (DESIGN 2.1 rule 5) of the cells of `slots` at row: one string is its UTF-8, otherwise
 * a compact JSON array. MR_INVALID when a cell is ABSENT, NULL or an error; bytes live in the arena
 * or are borrowed from the cell. */
enum mr_status mr_batch_key(struct mr_batch *batch, const uint32_t *slots, uint32_t slots_count,
                            uint32_t row, struct mr_slice *key) MR_NODISCARD;

#endif
