/* operators/voxel_rows.h — rows that a voxel grid makes in one call: voxels, changed regions,
 * layers.
 * Model: each of the three outputs has a batch that is being filled; a full one, and what is left
 * at the end of the call, is emitted. A row has the key's fields, then those of the output. Of an
 * output that nobody reads rows are counted, without their fields. Emission runs the operators
 * behind, which use the same state: what was got from it before is not valid any more after
 * mr_voxel_rows_room and _end.
 * Memory: batches' arenas. Internal to voxel_aggregate.c. */
#ifndef MR_OPERATORS_VOXEL_ROWS_H
#define MR_OPERATORS_VOXEL_ROWS_H

#include "operators/operator.h"
#include "operators/voxel_cell.h"

enum mr_voxel_output {
    MR_VOXEL_OUTPUT_MAIN,
    MR_VOXEL_OUTPUT_CHANGED,
    MR_VOXEL_OUTPUT_LAYERS,
    MR_VOXEL_OUTPUT_OUTSIDE, /* rows of the input */
    MR_VOXEL_OWN_OUTPUTS = MR_VOXEL_OUTPUT_OUTSIDE
};

enum { MR_VOXEL_SIGNALS_MAX = 16, MR_VOXEL_KEY_FIELDS_MAX = 32, MR_VOXEL_FIELDS_MAX = 16 };

struct mr_voxel_output_rows {
    const uint32_t *slots; /* of the key's fields, then the output's */
    uint32_t fields_count; /* without the key's */
    bool is_read;
    uint32_t rows_next;     /* capacity of the next batch of this call */
    struct mr_batch *batch; /* being filled; NULL: none */
};

struct mr_voxel_rows {
    const struct mr_plan_node *node;
    int32_t partition;
    uint32_t key_count;
    enum mr_type_code key_types[MR_VOXEL_KEY_FIELDS_MAX];
    struct mr_voxel_output_rows outputs[MR_VOXEL_OWN_OUTPUTS];
};

void mr_voxel_rows_open(struct mr_voxel_rows *rows, const struct mr_operator_open *open);
/* Room for the next row of an output: its arena is where the row's values live. NULL: nobody reads
 * the output, and values are not wanted. */
struct mr_arena *mr_voxel_rows_room(struct mr_voxel_rows *rows, struct mr_operator_context *context,
                                    enum mr_voxel_output output);
/* Add the row that there is room for. fields: one per field of the output, without the key's; NULL
 * where nobody reads it. key is borrowed during the call. */
void mr_voxel_rows_add(struct mr_voxel_rows *rows, enum mr_voxel_output output, struct mr_slice key,
                       int64_t event_time_ms, const struct mr_value *fields);
/* Emit what is left: at the end of each call of the operator. */
void mr_voxel_rows_end(struct mr_voxel_rows *rows, struct mr_operator_context *context);

/* The statistics of each signal by its name, which is borrowed: numbers are null where there are
 * too few for them. */
struct mr_value mr_voxel_signals_value(struct mr_arena *arena, const char *const *names,
                                       const struct mr_voxel_cell *cells, uint32_t signals_count);

#endif
