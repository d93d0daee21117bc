/* operators/voxel_aggregate.c — voxel.aggregate: points into a sparse grid of voxels.
 * Design: rows are read first, all of a batch: position, signals, block, key. Then each goes into
 * the cells of its voxel (operators/voxel_store.h), after what its own watermark makes due, so that
 * nothing depends on how records are cut into batches. What a point changes besides is the total of
 * its key and the statistics of its layer: those of the last point's are kept in hand as copies and
 * put back when another layer comes, when something is due, and at the end of a call, so that
 * points of one layer pay no lookup for them. Changes: a block keeps a bit per voxel that changed
 * since it was last told; at the end of the interval its voxels leave as rows of main, and boxes
 * that cover just them as rows of `changed` (voxel_tell.c). Changes of a second interval, which
 * begins before the first is told, are held beside the block. Layers: one closes when a higher one
 * of the same key has begun and the watermark has passed that by `lateness`, or when it has had no
 * point for `layer_timeout`. A point that comes later opens it again, and it is told once more,
 * whole. Control records forget a box, a layer or all (voxel_reset.c). */
#include "operators/voxel_aggregate.h"

#include "base/assert.h"
#include "base/hash.h"
#include "operators/estimate.h"
#include "operators/registry.h"
#include "operators/window_time.h"

/* ---- Opening ---- */

static enum mr_status voxels_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct mr_voxels *voxels = self;
    const struct mr_options *options = &open->node->options;
    const struct mr_option_value *position = mr_options_get(options, "position");
    const struct mr_option_value *signals = mr_options_get(options, "signals");
    const char *option;
    mr_arena_init(&voxels->scratch, 64 << 10);
    mr_voxel_hand_init(&voxels->hand, &voxels->store, mr_options_integer(options, "lateness"),
                       mr_options_integer(options, "layer_timeout"),
                       mr_options_integer(options, "every"));
    voxels->node = open->node;
    voxels->reading = (struct mr_voxel_reading){.position_texts = position->texts,
                                                .position_slots = position->slots,
                                                .names = signals->texts,
                                                .signal_slots = signals->slots,
                                                .signals_count = signals->count};
    voxels->every_ms = mr_options_integer(options, "every");
    voxels->now_ms = INT64_MIN;
    voxels->next_ms = INT64_MIN;
    mr_voxel_rows_open(&voxels->rows, open);
    enum mr_status status = mr_voxel_grid_read(&voxels->reading.grid, options, &option, error);
    if (status == MR_OK)
        status = mr_voxel_store_open(&voxels->store, open, signals->count, error);
    return status;
}

static void voxels_close(void *self)
{
    struct mr_voxels *voxels = self;
    mr_voxel_hand_deinit(&voxels->hand);
    mr_arena_deinit(&voxels->scratch);
}

/* ---- Points ---- */

/* The end of the interval that the point falls in, or of the one that is open now. */
static int64_t interval_end(const struct mr_voxels *voxels, const struct mr_voxel_point *point)
{
    int64_t time_ms = point->event_time_ms > point->now_ms ? point->event_time_ms : point->now_ms;
    return (mr_window_divide(mr_window_clamp(time_ms), voxels->every_ms) + 1) * voxels->every_ms;
}

/* Voxels of the point's block are told at due_ms, though the block holds those of another time. */
static enum mr_status hold_change(struct mr_voxels *voxels, struct mr_operator_context *context,
                                  const struct mr_voxel_point *point, int64_t due_ms,
                                  uint64_t changed, struct mr_error *error)
{
    void *object;
    bool created;
    uint8_t *bytes = mr_arena_take(context->arena, MR_VOXEL_DUE_KEY_BYTES + point->block_key.size);
    struct mr_slice key = mr_voxel_due_key(bytes, point->block_key, due_ms);
    enum mr_status status =
        mr_table_get(voxels->store.held, key, mr_hash64(key), due_ms, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct mr_voxel_held *held = object;
    if ((changed & ~held->changed) != 0) {
        held->changed |= changed;
        mr_table_dirty(voxels->store.held, held);
    }
    return mr_voxels_note(voxels, context->arena, point->key, &point->index, due_ms, true, error);
}

/* The point's voxel is to be told. block is the last object handed out. A block holds the changes
 * of the last interval that it has points of. */
static enum mr_status mark_change(struct mr_voxels *voxels, struct mr_operator_context *context,
                                  const struct mr_voxel_point *point, struct mr_voxel_block *block,
                                  struct mr_error *error)
{
    int64_t due_ms = interval_end(voxels, point);
    uint64_t bit = UINT64_C(1) << point->voxel;
    uint64_t others = block->changed;
    int64_t others_ms = block->due_ms;
    if (others != 0 && others_ms == due_ms) {
        block->changed |= bit;
        return MR_OK;
    }
    if (others != 0 && others_ms > due_ms)
        return hold_change(voxels, context, point, due_ms, bit, error);
    block->changed = bit;
    block->due_ms = due_ms;
    enum mr_status status = MR_OK;
    if (others != 0)
        status = hold_change(voxels, context, point, others_ms, others, error);
    if (status != MR_OK)
        return status;
    return mr_voxels_note(voxels, context->arena, point->key, &point->index, due_ms, false, error);
}

/* *filled: the voxel was empty. Pre: the point's layer is in hand. */
static enum mr_status add_to_block(struct mr_voxels *voxels, struct mr_operator_context *context,
                                   const struct mr_voxel_point *point, bool *filled,
                                   struct mr_error *error)
{
    void *object;
    bool created;
    enum mr_status status = mr_table_get(voxels->store.blocks, point->block_key, point->hash,
                                         point->event_time_ms, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct mr_voxel_block *block = object;
    struct mr_voxel_cell *cells = NULL;
    if (created || block->epoch != voxels->hand.layer.epoch)
        mr_voxel_block_begin(block, voxels->hand.layer.epoch);
    status = mr_voxel_store_change(&voxels->store, block, point->voxel, &cells, filled, error);
    if (status != MR_OK)
        return status;
    for (uint32_t signal = 0; signal < voxels->reading.signals_count; signal++)
        if (!isnan(point->numbers[signal]))
            mr_voxel_cell_add(&cells[signal], point->numbers[signal], point->event_time_ms);
    return mark_change(voxels, context, point, block, error);
}

static enum mr_status take_points(struct mr_voxels *voxels, struct mr_operator_context *context,
                                  const struct mr_batch *batch,
                                  const struct mr_voxel_points *points, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < points->count && status == MR_OK; index++) {
        struct mr_voxel_point *point = &points->items[index];
        bool filled = false;
        status =
            mr_voxels_move_on(voxels, context, mr_operator_row_watermark(batch, point->row), error);
        point->now_ms = voxels->now_ms;
        mr_table_prefetch(voxels->store.blocks, points->hashes, points->count, index);
        if (status == MR_OK)
            status = mr_voxel_hand_take(&voxels->hand, point, error);
        if (status == MR_OK)
            status = add_to_block(voxels, context, point, &filled, error);
        if (status == MR_OK)
            mr_voxel_hand_add(&voxels->hand, point, filled);
    }
    return status == MR_OK ? mr_voxel_hand_put(&voxels->hand, error) : status;
}

static enum mr_status voxels_watermark(void *self, struct mr_operator_context *context,
                                       struct mr_error *error)
{
    struct mr_voxels *voxels = self;
    voxels->may_stop = true;
    enum mr_status status = mr_voxels_move_on(voxels, context, context->watermark_ms, error);
    voxels->may_stop = false;
    mr_voxel_rows_end(&voxels->rows, context);
    if (status == MR_OK)
        status = mr_voxels_sweep(voxels, error);
    if (status == MR_OK)
        status = mr_table_expire(voxels->store.blocks, context->watermark_ms, error);
    return status == MR_OK ? mr_table_expire(voxels->store.grids, context->watermark_ms, error)
                           : status;
}

static struct mr_operator_reach voxels_reach(const struct mr_plan_node *node)
{
    int64_t every_ms = mr_options_integer(&node->options, "every");
    /* A layer that is opened again closes at the end of an interval. */
    int64_t open_ms = mr_options_integer(&node->options, "lateness") + 1 + every_ms;
    int64_t timeout_ms = mr_options_integer(&node->options, "layer_timeout") + 1;
    return (struct mr_operator_reach){.open_ms = open_ms > timeout_ms ? open_ms : timeout_ms};
}

static enum mr_status voxels_process(void *self, struct mr_operator_context *context, uint32_t port,
                                     struct mr_view view, struct mr_error *error)
{
    struct mr_voxels *voxels = self;
    if (port != 0)
        return mr_voxels_control(voxels, context, view, error);
    struct mr_view keyed;
    struct mr_voxel_points points;
    const struct mr_slice *keys = mr_operator_keys(context, voxels->node, view, &keyed);
    mr_voxel_points_read(&voxels->reading, context, keyed, keys, &points);
    enum mr_status status = take_points(voxels, context, view.batch, &points, error);
    if (status != MR_OK)
        return status;
    mr_voxel_rows_end(&voxels->rows, context);
    mr_operator_emit(context, MR_VOXEL_OUTPUT_OUTSIDE, points.outside);
    return MR_OK;
}

/* ---- The type ---- */

static void voxels_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    /* A point may write its block, one slot, the changes that its block held and the regions of
     * both, its layer with a slot, the layer before it and the total. */
    enum { WRITES = 9, REGIONS = 2, LAYERS = 2 };
    uint32_t signals_count = mr_options_get(options, "signals")->count;
    uint32_t cells_bytes = signals_count * (uint32_t)sizeof(struct mr_voxel_cell);
    mr_estimate_slots(mr_voxel_object_bytes(signals_count), MR_VOXEL_BLOCK_BYTES + cells_bytes,
                      mr_voxel_slot_bytes(signals_count), mr_voxel_slots_max(signals_count),
                      estimate);
    estimate->changelog_bytes_per_record +=
        WRITES * (MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES + MR_VOXEL_KEY_BYTES) +
        MR_VOXEL_BLOCK_BYTES + cells_bytes + MR_VOXEL_HELD_BYTES + REGIONS * MR_VOXEL_REGION_BYTES +
        (REGIONS + 1) * MR_VOXEL_DUE_KEY_BYTES + LAYERS * MR_VOXEL_LAYER_BYTES +
        MR_VOXEL_TOTALS_BYTES + cells_bytes;
}

static enum mr_status voxels_check(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    static const char *const lists[] = {"position", "origin", "bounds", "resolution"};
    struct mr_voxel_grid grid;
    for (size_t index = 0; index < MR_ARRAY_COUNT(lists); index++) {
        const struct mr_option_value *list = mr_options_get(options, lists[index]);
        if (!list->present || list->count == MR_VOXEL_AXES)
            continue;
        *option = lists[index];
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`%s` has %u elements, it needs one for each of the three axes",
                       lists[index], list->count);
    }
    return mr_voxel_grid_read(&grid, options, option, error);
}

static const struct mr_option_spec voxel_options[] = {
    {.name = "position",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_NUMERIC | MR_OPTION_STATE_BOUND,
     .help = "The three fields of a point's place, as in [x, 'y', z]; layers lie along the last "
             "one. A field that is missing or no number follows `on_error`."},
    {.name = "signals",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_NUMERIC | MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = MR_VOXEL_SIGNALS_MAX,
     .help = "The numbers that are summed up in each voxel. One that is missing or null is not "
             "counted; a record without any of them, or with something else in one, follows "
             "`on_error`."},
    {.name = "origin",
     .type = MR_OPTION_NUMBERS,
     .flags = MR_OPTION_STATE_BOUND,
     .help = "The lower corner of the grid, in the unit of the fields; not given: 0 on each axis."},
    {.name = "bounds",
     .type = MR_OPTION_NUMBERS,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .help = "The upper corner: a point at it or beyond on any axis is outside."},
    {.name = "resolution",
     .type = MR_OPTION_NUMBERS,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .help = "The sides of a voxel, in the unit of the fields; at most 1048576 voxels fit on an "
             "axis."},
    {.name = "every",
     .type = MR_OPTION_DURATION,
     .default_text = "10s",
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "How often voxels that changed are told: at whole multiples of it, as the watermark "
             "passes them."},
    {.name = "lateness",
     .type = MR_OPTION_DURATION,
     .default_text = "0s",
     .minimum = 0,
     .maximum = 366.0 * 86400e3,
     .help = "How far the watermark must be behind the first point of a higher layer, until the "
             "layers below it are closed."},
    {.name = "layer_timeout",
     .type = MR_OPTION_DURATION,
     .default_text = "10m",
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "How far the watermark must be behind the last point of a layer, until it is closed "
             "though no higher one has begun."},
    {.name = NULL},
};

static const struct mr_output_field main_fields[] = {
    {"ix", MR_TYPE_INT, "The voxel's index on the first axis, from 0."},
    {"iy", MR_TYPE_INT, "On the second axis."},
    {"layer", MR_TYPE_INT, "On the third."},
    {"x", MR_TYPE_DOUBLE, "Its centre on the first axis."},
    {"y", MR_TYPE_DOUBLE, "On the second axis."},
    {"z", MR_TYPE_DOUBLE, "On the third."},
    {"interval_end", MR_TYPE_INT, "The end of the interval, ms since the epoch."},
    {"signals", MR_TYPE_OBJECT,
     "An object per signal, by its path: n, sum, mean, variance (of the sample; null for fewer "
     "than two numbers), min, max, last (of the latest event time), first_time and last_time, of "
     "all its numbers in the voxel so far."},
};

static const struct mr_output_field changed_fields[] = {
    {"ix_first", MR_TYPE_INT, "The first index of the box on the first axis."},
    {"ix_last", MR_TYPE_INT, "The last one, inclusive."},
    {"iy_first", MR_TYPE_INT, "The first index on the second axis."},
    {"iy_last", MR_TYPE_INT, "The last one, inclusive."},
    {"layer", MR_TYPE_INT, "Its layer."},
    {"voxels", MR_TYPE_INT, "Voxels of the box: each of them has changed."},
    {"from", MR_TYPE_LIST, "The box's lower corner, in the unit of the fields."},
    {"to", MR_TYPE_LIST, "Its upper corner."},
    {"interval_end", MR_TYPE_INT, "The end of the interval, ms since the epoch."},
};

static const struct mr_output_field layer_fields[] = {
    {"layer", MR_TYPE_INT, "The layer's index, from 0."},
    {"z", MR_TYPE_DOUBLE, "Its centre on the third axis."},
    {"points", MR_TYPE_INT, "Points in it so far."},
    {"filled", MR_TYPE_INT, "Voxels of it that have points."},
    {"total", MR_TYPE_INT, "Voxels that it has."},
    {"fill_ratio", MR_TYPE_DOUBLE, "filled / total."},
    {"grid_filled", MR_TYPE_INT, "Voxels of the whole grid that have points."},
    {"grid_total", MR_TYPE_INT, "Voxels that the grid has."},
    {"grid_fill_ratio", MR_TYPE_DOUBLE, "grid_filled / grid_total."},
    {"first_time", MR_TYPE_INT, "The earliest event time of its points, ms since the epoch."},
    {"last_time", MR_TYPE_INT, "The latest one."},
    {"closing", MR_TYPE_INT,
     "1 for the first time that it is told, 2 after points that came when it was closed, and so "
     "on: the highest one counts."},
    {"signals", MR_TYPE_OBJECT,
     "An object per signal, by its path, as of voxels, of all its numbers in the layer so far."},
};

static const struct mr_output_spec voxel_outputs[] = {
    {.name = "main",
     .help = "One record per voxel that changed in an interval: the key's fields and those below. "
             "Its event time is interval_end - 1 ms.",
     .fields = main_fields,
     .fields_count = MR_ARRAY_COUNT(main_fields)},
    {.name = "changed",
     .help = "Where that was: boxes of voxels of one layer, with the key's fields. All boxes of an "
             "interval together cover each voxel that changed once, and no other.",
     .fields = changed_fields,
     .fields_count = MR_ARRAY_COUNT(changed_fields),
     .has_key = true},
    {.name = "layers",
     .help = "One record per layer that is closed: the key's fields and those below. Its event "
             "time is that at which it closed, less 1 ms.",
     .fields = layer_fields,
     .fields_count = MR_ARRAY_COUNT(layer_fields),
     .has_key = true},
    {.name = "outside", .help = "Records of points outside of the grid, unchanged."},
};

const struct mr_operator_type mr_operator_voxel_aggregate = {
    .spec =
        {
            .name = "voxel.aggregate",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ROW_WATERMARKS | MR_TYPE_CONTROLLED |
                     MR_TYPE_PLACES,
            .summary = "Sums up points in the voxels of a grid, and tells what changed.",
            .description =
                "Each point of a key goes into the voxel of its grid that it lies in: index = "
                "floor((place - origin) / resolution) on each axis, as numpy computes it. There is "
                "one grid per key, as large as `bounds` say and empty where no point has been: a "
                "grid of 10^9 voxels costs what its points fill. Points outside go to the output "
                "`outside`; they are not moved into the grid.\n\n"
                "Sums are exact, rounded once (as math.fsum is); mean and variance follow from "
                "exact sums of the numbers and of squared differences from the first. The order of "
                "points changes nothing "
                "but `last` where event times are the same. Records count as often as they come: "
                "take `deduplicate` before where a source sends some again. Numbers beyond 1e140 "
                "follow `on_error`; the variance of numbers that differ by less than 1e-145 is "
                "lost.\n\n"
                "At the end of each interval (`every`) voxels that have points of it leave as "
                "records, with all that is known of them then, and as boxes (`changed`). A point "
                "with an event time in an interval that is told "
                "already counts in the one that is open. A layer is all voxels of one index on the "
                "last axis; it leaves when a higher one has begun, or none of its own points has "
                "come for `layer_timeout`, and again, at the end of an interval, when points came "
                "afterwards.\n\n"
                "A control record {key, action: reset} forgets a key's grid; with `layer` one "
                "layer, with `from` and `to` the voxels of a box, with all three those of one "
                "layer of it. What is forgotten is told no more, nor is it a change. A box that "
                "covers layers as a whole resets them; in others only the voxels are forgotten, "
                "and what the layer says of its points stays. At most 65,536 blocks can be reset "
                "in part by one record. Queries show a layer, a box, and voxels that had points "
                "lately (`millrace query --layer`, `--from`, `--to`, `--since`).\n\n"
                "State: blocks of 8 x 8 voxels of a layer. A block has some 200 bytes and the "
                "cells of its first voxel, 88 bytes for each signal; the others lie in pieces of "
                "352 bytes: four voxels of one signal, two of two, in the order in which they were "
                "first met. A record logs its block and one piece, a transaction each of them "
                "once. All that is bounded by the grid of each key; `state: {max_keys}` bounds the "
                "blocks of a task: with on_full: evict_oldest those that were changed longest ago "
                "are forgotten, and counts of filled voxels go on counting them.",
            .options = voxel_options,
            .outputs = voxel_outputs,
            .outputs_count = MR_ARRAY_COUNT(voxel_outputs),
            .state_version = MR_VOXEL_VERSION,
            .estimate = voxels_estimate,
            .check = voxels_check,
        },
    .instance_size = sizeof(struct mr_voxels),
    .open = voxels_open,
    .process = voxels_process,
    .on_watermark = voxels_watermark,
    .horizon = mr_voxels_horizon,
    .reach = voxels_reach,
    .close = voxels_close,
    .state_table = mr_voxel_grids_table,
    .describe_state = mr_voxels_describe,
};
