/* operators/voxel_points.c — see voxel_points.h. */
#include "operators/voxel_points.h"

#include "base/hash.h"

/* What is stored before and behind it is part of a stored key. */
enum { KEY_BYTES_MAX = MR_LIMIT_KEY_BYTES - MR_VOXEL_KEY_BYTES - MR_VOXEL_DUE_KEY_BYTES };

/* False: reported. */
static bool read_number(struct mr_operator_context *context, struct mr_batch *batch, uint32_t row,
                        uint32_t slot, const char *text, double *number)
{
    struct mr_value cell = mr_batch_column(batch, slot)[row];
    if (cell.kind == MR_KIND_ERROR) {
        mr_operator_row_error(context, batch, row, "field %.200s: %.*s", text, (int)cell.size,
                              (const char *)cell.text);
        return false;
    }
    if (!mr_value_as_double(cell, number)) {
        mr_operator_row_error(context, batch, row, "field %.200s is %s, not a number", text,
                              mr_kind_name((enum mr_kind)cell.kind));
        return false;
    }
    if (!(fabs(*number) <= MR_VOXEL_NUMBER_MAX)) {
        mr_operator_row_error(context, batch, row,
                              "field %.200s is %g; numbers from -1e140 to 1e140 are possible", text,
                              *number);
        return false;
    }
    return true;
}

static bool read_position(const struct mr_voxel_reading *reading,
                          struct mr_operator_context *context, struct mr_batch *batch, uint32_t row,
                          double *position)
{
    for (uint32_t axis = 0; axis < MR_VOXEL_AXES; axis++)
        if (!read_number(context, batch, row, reading->position_slots[axis],
                         reading->position_texts[axis], &position[axis]))
            return false;
    return true;
}

static bool read_signals(const struct mr_voxel_reading *reading,
                         struct mr_operator_context *context, struct mr_batch *batch, uint32_t row,
                         double *numbers)
{
    uint32_t count = 0;
    for (uint32_t signal = 0; signal < reading->signals_count; signal++) {
        uint32_t slot = reading->signal_slots[signal];
        uint8_t kind = mr_batch_column(batch, slot)[row].kind;
        numbers[signal] = (double)NAN;
        if (kind == MR_KIND_ABSENT || kind == MR_KIND_NULL)
            continue;
        if (!read_number(context, batch, row, slot, reading->names[signal], &numbers[signal]))
            return false;
        count++;
    }
    if (count == 0)
        mr_operator_row_error(context, batch, row, "the point has none of the `signals`");
    return count > 0;
}

/* A point, if it is one; false: it is outside. */
static bool read_row(const struct mr_voxel_reading *reading, struct mr_operator_context *context,
                     struct mr_batch *batch, uint32_t row, struct mr_slice key,
                     struct mr_voxel_points *points)
{
    double position[MR_VOXEL_AXES];
    struct mr_voxel_index index;
    struct mr_voxel_point *point = &points->items[points->count];
    if (!read_position(reading, context, batch, row, position))
        return true;
    if (!mr_voxel_grid_find(&reading->grid, position, &index))
        return false;
    if (key.size > KEY_BYTES_MAX) {
        mr_operator_row_error(context, batch, row, "the key has %zu bytes, at most %d are allowed",
                              key.size, (int)KEY_BYTES_MAX);
        return true;
    }
    size_t numbers_bytes = reading->signals_count * sizeof(*point->numbers);
    *point = (struct mr_voxel_point){.row = row,
                                     .index = index,
                                     .voxel = mr_voxel_number(&index),
                                     .layer = index.axis[2],
                                     .key = key,
                                     .event_time_ms = batch->event_times_ms[row],
                                     .numbers = mr_arena_take(context->arena, numbers_bytes)};
    if (!read_signals(reading, context, batch, row, point->numbers))
        return true;
    uint8_t *bytes = mr_arena_take(context->arena, key.size + MR_VOXEL_KEY_BYTES);
    point->block_key = mr_voxel_block_key(bytes, key, &index);
    point->hash = mr_hash64(point->block_key);
    points->hashes[points->count++] = point->hash;
    return true;
}

void mr_voxel_points_read(const struct mr_voxel_reading *reading,
                          struct mr_operator_context *context, struct mr_view view,
                          const struct mr_slice *keys, struct mr_voxel_points *points)
{
    size_t most = view.rows_count + 1u;
    *points = (struct mr_voxel_points){
        .items = mr_arena_take(context->arena, most * sizeof(*points->items)),
        .hashes = mr_arena_take(context->arena, most * sizeof(*points->hashes)),
    };
    uint16_t *outside = mr_arena_take(context->arena, most * sizeof(*outside));
    uint32_t outside_count = 0;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint16_t row = view.rows[index];
        if (!read_row(reading, context, view.batch, row, keys[row], points))
            outside[outside_count++] = row;
    }
    points->outside = (struct mr_view){view.batch, outside, outside_count};
}
