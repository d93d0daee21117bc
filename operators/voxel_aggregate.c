/* operators/voxel_aggregate.c — voxel.aggregate: points into a sparse grid of voxels.
 * Design: rows are read first, all of a batch: position, signals, block, key. Then each goes into
 * the cells of its voxel (operators/voxel_store.h), after what its own watermark makes due, so that
 * nothing depends on how records are cut into batches. What a point changes besides is the total of
 * its key and the statistics of its layer: those of the last point's are kept in hand as copies and
 * put back when another layer comes, when something is due, and at the end of a call, so that
 * points of one layer pay no lookup for them. Changes: a block keeps a bit per voxel that changed
 * since it was last told, and lies in the timed table `changes` until the end of the interval: then
 * its voxels leave as rows of main, and boxes that cover just them as rows of `changed`. Layers:
 * one closes when a higher one of the same key has begun and the watermark has passed that by
 * `lateness`, or when it has had no point for `layer_timeout`. A point that comes later opens it
 * again, and it is told once more, whole. */
#include "base/assert.h"
#include "base/hash.h"
#include "operators/estimate.h"
#include "operators/registry.h"
#include "operators/voxel_points.h"
#include "operators/window_time.h"

struct voxels {
    const struct mr_plan_node *node;
    struct mr_voxel_reading reading;
    struct mr_voxel_store store;
    struct mr_voxel_hand hand;
    struct mr_voxel_rows rows;
    int64_t every_ms;
    int64_t now_ms;  /* the watermark up to which all that was due is told */
    int64_t next_ms; /* no change is due before, and no layer but those that the hand knows of */
    bool more;       /* something was left at now_ms */
    bool may_stop;
    struct mr_arena scratch; /* of one thing that is due */
};

/* ---- Opening ---- */

static enum mr_status voxels_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct voxels *voxels = self;
    const struct mr_options *options = &open->node->options;
    const struct mr_option_value *position = mr_options_get(options, "position");
    const struct mr_option_value *signals = mr_options_get(options, "signals");
    const char *option;
    mr_arena_init(&voxels->scratch, 64 << 10);
    mr_voxel_hand_init(&voxels->hand, &voxels->store, mr_options_integer(options, "lateness"),
                       mr_options_integer(options, "layer_timeout"));
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
    struct voxels *voxels = self;
    mr_voxel_hand_deinit(&voxels->hand);
    mr_arena_deinit(&voxels->scratch);
}

/* ---- Telling ---- */

static double share(uint64_t filled, int64_t total)
{
    return (double)filled / (double)total;
}

static struct mr_value point_value(struct mr_arena *arena, const struct mr_voxel_grid *grid,
                                   const uint32_t *edges)
{
    struct mr_value *items = mr_arena_take(arena, MR_VOXEL_AXES * sizeof(*items));
    for (uint32_t axis = 0; axis < MR_VOXEL_AXES; axis++)
        items[axis] = mr_value_double(mr_voxel_grid_edge(grid, axis, edges[axis]));
    return (struct mr_value){.kind = MR_KIND_LIST, .size = MR_VOXEL_AXES, .items = items};
}

/* What a block has to tell; everything in scratch, since emission runs who is behind. */
struct telling {
    struct mr_slice key; /* of the group */
    struct mr_voxel_index first;
    int64_t due_ms;
    uint64_t changed;
    struct mr_voxel_cell *cells; /* of the changed voxels, in order; NULL: nobody reads them */
};

static enum mr_status copy_cells(struct voxels *voxels, struct mr_voxel_block *block,
                                 struct telling *telling, struct mr_error *error)
{
    uint32_t count = (uint32_t)__builtin_popcountll(telling->changed);
    size_t bytes = voxels->reading.signals_count * sizeof(*telling->cells);
    telling->cells = mr_arena_take(&voxels->scratch, count * bytes);
    struct mr_voxel_cell *next = telling->cells;
    for (uint64_t rest = telling->changed; rest != 0; rest &= rest - 1) {
        const struct mr_voxel_cell *cells = NULL;
        enum mr_status status = mr_voxel_store_read(&voxels->store, block,
                                                    (uint32_t)__builtin_ctzll(rest), &cells, error);
        if (status != MR_OK)
            return status;
        memcpy(next, cells, bytes);
        next += voxels->reading.signals_count;
    }
    return MR_OK;
}

static void tell_voxels(struct voxels *voxels, struct mr_operator_context *context,
                        const struct telling *telling)
{
    const struct mr_voxel_grid *grid = &voxels->reading.grid;
    const struct mr_voxel_cell *cells = telling->cells;
    for (uint64_t rest = telling->changed; rest != 0; rest &= rest - 1) {
        uint32_t voxel = (uint32_t)__builtin_ctzll(rest);
        uint32_t i = telling->first.axis[0] + voxel % MR_VOXEL_SIDE;
        uint32_t j = telling->first.axis[1] + voxel / MR_VOXEL_SIDE;
        uint32_t k = telling->first.axis[2];
        struct mr_arena *arena = mr_voxel_rows_room(&voxels->rows, context, MR_VOXEL_OUTPUT_MAIN);
        struct mr_value fields[MR_VOXEL_FIELDS_MAX];
        if (arena != NULL) {
            uint32_t count = 0;
            fields[count++] = mr_value_int(i);
            fields[count++] = mr_value_int(j);
            fields[count++] = mr_value_int(k);
            fields[count++] = mr_value_double(mr_voxel_grid_centre(grid, 0, i));
            fields[count++] = mr_value_double(mr_voxel_grid_centre(grid, 1, j));
            fields[count++] = mr_value_double(mr_voxel_grid_centre(grid, 2, k));
            fields[count++] = mr_value_int(telling->due_ms);
            fields[count++] = mr_voxel_signals_value(arena, voxels->reading.names, cells,
                                                     voxels->reading.signals_count);
            cells += voxels->reading.signals_count;
        }
        mr_voxel_rows_add(&voxels->rows, MR_VOXEL_OUTPUT_MAIN, telling->key, telling->due_ms - 1,
                          arena == NULL ? NULL : fields);
    }
}

static void tell_boxes(struct voxels *voxels, struct mr_operator_context *context,
                       const struct telling *telling)
{
    uint64_t rest = telling->changed;
    uint32_t k = telling->first.axis[2];
    while (rest != 0) {
        struct mr_voxel_box box = mr_voxel_box_take(&rest, &telling->first);
        struct mr_arena *arena =
            mr_voxel_rows_room(&voxels->rows, context, MR_VOXEL_OUTPUT_CHANGED);
        struct mr_value fields[MR_VOXEL_FIELDS_MAX];
        if (arena != NULL) {
            const uint32_t from[] = {box.first_i, box.first_j, k};
            const uint32_t to[] = {box.last_i + 1, box.last_j + 1, k + 1};
            int64_t count = (int64_t)(to[0] - from[0]) * (to[1] - from[1]);
            uint32_t field = 0;
            fields[field++] = mr_value_int(box.first_i);
            fields[field++] = mr_value_int(box.last_i);
            fields[field++] = mr_value_int(box.first_j);
            fields[field++] = mr_value_int(box.last_j);
            fields[field++] = mr_value_int(k);
            fields[field++] = mr_value_int(count);
            fields[field++] = point_value(arena, &voxels->reading.grid, from);
            fields[field++] = point_value(arena, &voxels->reading.grid, to);
            fields[field++] = mr_value_int(telling->due_ms);
        }
        mr_voxel_rows_add(&voxels->rows, MR_VOXEL_OUTPUT_CHANGED, telling->key, telling->due_ms - 1,
                          arena == NULL ? NULL : fields);
    }
}

/* Changes of a block are due; the key is borrowed from the table. */
static enum mr_status close_block(struct voxels *voxels, struct mr_operator_context *context,
                                  struct mr_slice borrowed, uint64_t hash,
                                  const struct mr_voxel_change *change, struct mr_error *error)
{
    struct mr_slice key = mr_arena_copy(&voxels->scratch, borrowed);
    struct mr_slice block_key = mr_voxel_change_block(key);
    struct telling telling = {.due_ms = change->due_ms, .changed = change->changed};
    telling.key = mr_voxel_key_read(block_key, &telling.first);
    void *object = NULL;
    enum mr_status status = mr_table_remove(voxels->store.changes, key, hash, error);
    if (status == MR_OK)
        status =
            mr_table_find(voxels->store.blocks, block_key, mr_hash64(block_key), &object, error);
    if (status == MR_NOT_FOUND) /* dropped by the bounds of the state */
        return MR_OK;
    if (status != MR_OK)
        return status;
    struct mr_voxel_block *block = object;
    if (block->changed != 0 && block->due_ms == telling.due_ms) {
        telling.changed |= block->changed;
        block->changed = 0;
        block->due_ms = 0;
        mr_table_dirty(voxels->store.blocks, block);
    }
    telling.changed &= mr_voxel_block_filled(block); /* it may be another one than then */
    if (voxels->rows.outputs[MR_VOXEL_OUTPUT_MAIN].is_read)
        status = copy_cells(voxels, block, &telling, error);
    if (status != MR_OK)
        return status;
    tell_voxels(voxels, context, &telling);
    tell_boxes(voxels, context, &telling);
    return MR_OK;
}

static void tell_layer(struct voxels *voxels, struct mr_operator_context *context,
                       struct mr_slice key, uint32_t number, int64_t due_ms,
                       const struct mr_voxel_layer *layer, const struct mr_voxel_cell *cells,
                       uint64_t filled)
{
    const struct mr_voxel_grid *grid = &voxels->reading.grid;
    struct mr_arena *arena = mr_voxel_rows_room(&voxels->rows, context, MR_VOXEL_OUTPUT_LAYERS);
    struct mr_value fields[MR_VOXEL_FIELDS_MAX];
    if (arena != NULL) {
        int64_t size = mr_voxel_grid_layer(grid);
        int64_t total = mr_voxel_grid_total(grid);
        uint32_t count = 0;
        fields[count++] = mr_value_int(number);
        fields[count++] = mr_value_double(mr_voxel_grid_centre(grid, 2, number));
        fields[count++] = mr_value_int((int64_t)layer->points);
        fields[count++] = mr_value_int((int64_t)layer->filled);
        fields[count++] = mr_value_int(size);
        fields[count++] = mr_value_double(share(layer->filled, size));
        fields[count++] = mr_value_int((int64_t)filled);
        fields[count++] = mr_value_int(total);
        fields[count++] = mr_value_double(share(filled, total));
        fields[count++] = mr_value_int(layer->first_ms);
        fields[count++] = mr_value_int(layer->last_ms);
        fields[count++] = mr_value_int(layer->closings);
        fields[count++] = mr_voxel_signals_value(arena, voxels->reading.names, cells,
                                                 voxels->reading.signals_count);
    }
    mr_voxel_rows_add(&voxels->rows, MR_VOXEL_OUTPUT_LAYERS, key, due_ms - 1,
                      arena == NULL ? NULL : fields);
}

/* A layer is due: it closes. */
static enum mr_status close_layer(struct voxels *voxels, struct mr_operator_context *context,
                                  struct mr_slice borrowed, struct mr_voxel_layer *stored,
                                  struct mr_error *error)
{
    struct mr_slice layer_key = mr_arena_copy(&voxels->scratch, borrowed);
    struct mr_voxel_index index;
    struct mr_slice key = mr_voxel_key_read(layer_key, &index);
    struct mr_voxel_cell cells[MR_VOXEL_SIGNALS_MAX];
    int64_t due_ms = stored->due_ms;
    stored->closings++;
    stored->is_open = 0;
    stored->close_ms = INT64_MAX;
    stored->due_ms = INT64_MAX;
    struct mr_voxel_layer layer = *stored;
    mr_table_schedule(voxels->store.layers, stored, INT64_MAX);
    void *found = NULL;
    enum mr_status status = mr_table_slot(voxels->store.layers, stored, 0, false, &found, error);
    if (status != MR_OK)
        return status;
    memcpy(cells, found, voxels->reading.signals_count * sizeof(*cells));
    uint64_t filled = 0;
    status = mr_table_find(voxels->store.grids, key, mr_hash64(key), &found, error);
    if (status == MR_OK)
        filled = ((const struct mr_voxel_totals *)found)->filled;
    else if (status != MR_NOT_FOUND)
        return status;
    tell_layer(voxels, context, key, index.axis[2], due_ms, &layer, cells, filled);
    return MR_OK;
}

/* ---- What is due ---- */

/* Take the one that is due first, changes before layers. */
static enum mr_status take_next(struct voxels *voxels, struct mr_operator_context *context,
                                bool *any, struct mr_error *error)
{
    struct mr_slice key;
    uint64_t hash;
    void *object = NULL;
    bool found;
    enum mr_status status = mr_table_next_due(voxels->store.changes, voxels->now_ms, &key, &hash,
                                              &object, &found, error);
    if (status != MR_OK)
        return status;
    bool has_change = found;
    int64_t due_ms = found ? ((const struct mr_voxel_change *)object)->due_ms : voxels->now_ms;
    status = mr_table_next_due(voxels->store.layers, found ? due_ms - 1 : due_ms, &key, &hash,
                               &object, &found, error);
    *any = found || has_change;
    if (status != MR_OK || found)
        return status == MR_OK ? close_layer(voxels, context, key, object, error) : status;
    if (!has_change)
        return MR_OK;
    status = mr_table_next_due(voxels->store.changes, voxels->now_ms, &key, &hash, &object, &found,
                               error);
    if (status != MR_OK)
        return status;
    return close_block(voxels, context, key, hash, object, error);
}

/* When something is due next. */
static enum mr_status find_next(struct voxels *voxels, struct mr_error *error)
{
    struct mr_slice key;
    uint64_t hash;
    void *object = NULL;
    bool found;
    voxels->next_ms = INT64_MAX;
    voxels->hand.next_ms = INT64_MAX;
    enum mr_status status = mr_table_next_due(voxels->store.changes, INT64_MAX - 1, &key, &hash,
                                              &object, &found, error);
    if (status == MR_OK && found)
        voxels->next_ms = ((const struct mr_voxel_change *)object)->due_ms;
    if (status == MR_OK)
        status = mr_table_next_due(voxels->store.layers, INT64_MAX - 1, &key, &hash, &object,
                                   &found, error);
    if (status == MR_OK && found && ((struct mr_voxel_layer *)object)->due_ms < voxels->next_ms)
        voxels->next_ms = ((struct mr_voxel_layer *)object)->due_ms;
    return status;
}

static enum mr_status move_on(struct voxels *voxels, struct mr_operator_context *context,
                              int64_t now_ms, struct mr_error *error)
{
    if (now_ms <= voxels->now_ms && !voxels->more)
        return MR_OK;
    if (now_ms > voxels->now_ms)
        voxels->now_ms = now_ms;
    if (voxels->now_ms < voxels->next_ms && voxels->now_ms < voxels->hand.next_ms && !voxels->more)
        return MR_OK;
    enum mr_status status = mr_voxel_hand_put(&voxels->hand, error);
    bool any = true;
    voxels->more = false;
    while (any && status == MR_OK) {
        mr_arena_reset(&voxels->scratch);
        status = take_next(voxels, context, &any, error);
        if (status == MR_OK && any && voxels->may_stop && mr_operator_is_enough(context)) {
            voxels->more = true;
            return MR_AGAIN;
        }
    }
    return status == MR_OK ? find_next(voxels, error) : status;
}

static enum mr_status voxels_watermark(void *self, struct mr_operator_context *context,
                                       struct mr_error *error)
{
    struct voxels *voxels = self;
    voxels->may_stop = true;
    enum mr_status status = move_on(voxels, context, context->watermark_ms, error);
    voxels->may_stop = false;
    mr_voxel_rows_end(&voxels->rows, context);
    if (status != MR_OK)
        return status;
    status = mr_table_expire(voxels->store.blocks, context->watermark_ms, error);
    return status == MR_OK ? mr_table_expire(voxels->store.grids, context->watermark_ms, error)
                           : status;
}

static enum mr_status voxels_horizon(void *self, int64_t wanted_ms, int64_t *watermark_ms,
                                     struct mr_error *error)
{
    const struct voxels *voxels = self;
    struct mr_table *const tables[] = {voxels->store.changes, voxels->store.layers};
    *watermark_ms = INT64_MAX;
    for (size_t table = 0; table < MR_ARRAY_COUNT(tables); table++) {
        int64_t until_ms;
        if (mr_table_keys(tables[table]) == 0)
            continue;
        enum mr_status status = mr_table_due_horizon(tables[table], wanted_ms, &until_ms, error);
        if (status != MR_OK)
            return status;
        if (until_ms < *watermark_ms)
            *watermark_ms = until_ms;
    }
    return MR_OK;
}

static struct mr_operator_reach voxels_reach(const struct mr_plan_node *node)
{
    int64_t open_ms = mr_options_integer(&node->options, "every");
    int64_t lateness_ms = mr_options_integer(&node->options, "lateness") + 1;
    int64_t timeout_ms = mr_options_integer(&node->options, "layer_timeout") + 1;
    open_ms = open_ms > lateness_ms ? open_ms : lateness_ms;
    return (struct mr_operator_reach){.open_ms = open_ms > timeout_ms ? open_ms : timeout_ms};
}

/* ---- Points ---- */

/* Voxels of the point's block are told at due_ms: those that the block's object holds then, and
 * these. */
static enum mr_status note_change(struct voxels *voxels, struct mr_operator_context *context,
                                  const struct mr_voxel_point *point, int64_t due_ms,
                                  uint64_t changed, struct mr_error *error)
{
    void *object;
    bool created;
    uint8_t *bytes =
        mr_arena_take(context->arena, MR_VOXEL_CHANGE_KEY_BYTES + point->block_key.size);
    struct mr_slice key = mr_voxel_change_key(bytes, point->block_key, due_ms);
    enum mr_status status =
        mr_table_get(voxels->store.changes, key, mr_hash64(key), 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct mr_voxel_change *change = object;
    change->due_ms = due_ms;
    change->changed |= changed;
    if (created)
        mr_table_schedule(voxels->store.changes, change, due_ms);
    else if (changed != 0)
        mr_table_dirty(voxels->store.changes, change);
    if (due_ms < voxels->next_ms)
        voxels->next_ms = due_ms;
    return MR_OK;
}

/* The end of the interval that the point falls in, or of the one that is open now. */
static int64_t interval_end(const struct voxels *voxels, const struct mr_voxel_point *point)
{
    int64_t time_ms = point->event_time_ms > point->now_ms ? point->event_time_ms : point->now_ms;
    return (mr_window_divide(mr_window_clamp(time_ms), voxels->every_ms) + 1) * voxels->every_ms;
}

/* *filled: the voxel was empty. */
static enum mr_status add_to_block(struct voxels *voxels, struct mr_operator_context *context,
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
    status = mr_voxel_store_change(&voxels->store, block, point->voxel, &cells, filled, error);
    if (status != MR_OK)
        return status;
    for (uint32_t signal = 0; signal < voxels->reading.signals_count; signal++)
        if (!isnan(point->numbers[signal]))
            mr_voxel_cell_add(&cells[signal], point->numbers[signal], point->event_time_ms);
    int64_t due_ms = interval_end(voxels, point);
    uint64_t bit = UINT64_C(1) << point->voxel;
    if (block->changed != 0 && block->due_ms == due_ms) {
        block->changed |= bit;
        return MR_OK;
    }
    uint64_t others = block->changed;
    int64_t others_ms = block->due_ms;
    block->changed = bit;
    block->due_ms = due_ms;
    if (others != 0)
        status = note_change(voxels, context, point, others_ms, others, error);
    return status == MR_OK ? note_change(voxels, context, point, due_ms, 0, error) : status;
}

static enum mr_status take_points(struct voxels *voxels, struct mr_operator_context *context,
                                  const struct mr_batch *batch,
                                  const struct mr_voxel_points *points, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < points->count && status == MR_OK; index++) {
        struct mr_voxel_point *point = &points->items[index];
        bool filled = false;
        status = move_on(voxels, context, mr_operator_row_watermark(batch, point->row), error);
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

static enum mr_status voxels_process(void *self, struct mr_operator_context *context, uint32_t port,
                                     struct mr_view view, struct mr_error *error)
{
    struct voxels *voxels = self;
    MR_UNUSED(port);
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

/* ---- Queries ---- */

static enum mr_status voxels_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                      struct mr_state_description *description,
                                      struct mr_error *error)
{
    struct mr_voxel_totals totals;
    struct mr_voxel_grid grid;
    const char *option;
    MR_UNUSED(arena);
    if (!mr_voxel_totals_decode(&totals, object->version, object->encoded))
        return mr_operator_not_described(error);
    enum mr_status status = mr_voxel_grid_read(&grid, &description->node->options, &option, error);
    if (status != MR_OK)
        return status;
    int64_t total = mr_voxel_grid_total(&grid);
    mr_describe_member(description, "points", mr_value_int((int64_t)totals.points));
    mr_describe_member(description, "filled", mr_value_int((int64_t)totals.filled));
    mr_describe_member(description, "total", mr_value_int(total));
    mr_describe_member(description, "fill_ratio", mr_value_double(share(totals.filled, total)));
    mr_describe_member(description, "layers", mr_value_int(totals.layers));
    mr_describe_member(description, "highest_layer", mr_value_int(totals.highest));
    mr_describe_time(description, "first_time", totals.first_ms);
    mr_describe_time(description, "last_time", totals.last_ms);
    return MR_OK;
}

/* ---- The type ---- */

static void voxels_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    /* A point may write its block, one slot, two entries of changes, its layer with a slot, the
     * layer before it and the total; telling changes writes the block and removes an entry. */
    enum { WRITES = 8 };
    uint32_t signals_count = mr_options_get(options, "signals")->count;
    mr_estimate_slots(sizeof(struct mr_voxel_block), MR_VOXEL_BLOCK_BYTES,
                      mr_voxel_slot_bytes(signals_count), mr_voxel_slots_max(signals_count),
                      estimate);
    estimate->changelog_bytes_per_record +=
        WRITES * (MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES + MR_VOXEL_KEY_BYTES) +
        MR_VOXEL_BLOCK_BYTES + 2 * (MR_VOXEL_CHANGE_KEY_BYTES + MR_VOXEL_CHANGE_BYTES) +
        2 * MR_VOXEL_LAYER_BYTES + MR_VOXEL_TOTALS_BYTES +
        signals_count * sizeof(struct mr_voxel_cell);
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
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ROW_WATERMARKS,
            .summary = "Sums up points in the voxels of a grid, and tells what changed.",
            .description =
                "Each point of a key goes into the voxel of its grid that it lies in: index = "
                "floor((place - origin) / resolution) on each axis, as numpy computes it. There is "
                "one grid per key, as large as `bounds` say and empty where no point has been: a "
                "grid of 10^9 voxels costs what its points fill. Points outside go to the output "
                "`outside`; they are not moved into the grid.\n\n"
                "Sums are exact, rounded once (as math.fsum is); mean and variance follow from "
                "exact sums of the numbers and their squares. The order of points changes nothing "
                "but `last` where event times are the same. Records count as often as they come: "
                "take `deduplicate` before where a source sends some again. Numbers beyond 1e140 "
                "follow `on_error`; the variance of numbers below 1e-145 is lost.\n\n"
                "At the end of each interval (`every`) voxels that have points of it leave as "
                "records, with all that is known of them then, and as boxes (`changed`). A point "
                "with an event time in an interval that is told "
                "already counts in the one that is open. A layer is all voxels of one index on the "
                "last axis; it leaves when a higher one has begun, or none of its own points has "
                "come for `layer_timeout`, and again when points came afterwards.\n\n"
                "State: blocks of 8 x 8 voxels of a layer. A block has some 200 bytes, and pieces "
                "of 640 bytes: eight filled voxels of one signal, four of two, in the order in "
                "which they were first met. A record logs its block's head and one piece, a "
                "transaction each of them once. All that is bounded by the grid of each key; "
                "`state: {max_keys}` bounds the blocks of a task: with on_full: evict_oldest those "
                "that were changed longest ago are forgotten, and counts of filled voxels go on "
                "counting them.",
            .options = voxel_options,
            .outputs = voxel_outputs,
            .outputs_count = MR_ARRAY_COUNT(voxel_outputs),
            .state_version = MR_VOXEL_VERSION,
            .estimate = voxels_estimate,
            .check = voxels_check,
        },
    .instance_size = sizeof(struct voxels),
    .open = voxels_open,
    .process = voxels_process,
    .on_watermark = voxels_watermark,
    .horizon = voxels_horizon,
    .reach = voxels_reach,
    .close = voxels_close,
    .state_table = mr_voxel_grids_table,
    .describe_state = voxels_describe,
};
