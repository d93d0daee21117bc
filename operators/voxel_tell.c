/* operators/voxel_tell.c — what a voxel grid tells when it is due: voxels that changed, the boxes
 * that cover them, and layers that close.
 * Design: a block keeps a bit per voxel that changed since it was last told, and its region lies in
 * the timed table `regions` until the end of the interval. Telling may stop behind each block. Of
 * blocks that a reset has left behind nothing is told. */
#include "base/hash.h"
#include "operators/voxel_aggregate.h"

enum { REGIONS_PER_CALL = 16 /* told while rows are taken: 65,536 voxels */ };

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

/* ---- Voxels ---- */

/* What a block has to tell; everything in scratch, since emission runs who is behind. */
struct telling {
    struct mr_slice key; /* of the group */
    struct mr_voxel_index first;
    int64_t due_ms;
    uint64_t changed;
    struct mr_voxel_cell *cells; /* of the changed voxels, in order; NULL: nobody reads them */
};

static enum mr_status copy_cells(struct mr_voxels *voxels, struct mr_voxel_block *block,
                                 struct telling *telling, struct mr_error *error)
{
    size_t bytes = voxels->reading.signals_count * sizeof(*telling->cells);
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

static void tell_voxels(struct mr_voxels *voxels, struct mr_operator_context *context,
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

static void tell_boxes(struct mr_voxels *voxels, struct mr_operator_context *context,
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

/* Voxels of the block that `held` has for its due time; they are taken from it. */
static enum mr_status take_held(struct mr_voxels *voxels, struct mr_slice block_key,
                                struct telling *telling, struct mr_error *error)
{
    uint8_t *bytes = mr_arena_take(&voxels->scratch, MR_VOXEL_DUE_KEY_BYTES + block_key.size);
    struct mr_slice key = mr_voxel_due_key(bytes, block_key, telling->due_ms);
    uint64_t hash = mr_hash64(key);
    void *object = NULL;
    enum mr_status status = mr_table_find(voxels->store.held, key, hash, &object, error);
    if (status == MR_NOT_FOUND) /* dropped by the bounds of the state */
        return MR_OK;
    if (status != MR_OK)
        return status;
    telling->changed = ((const struct mr_voxel_held *)object)->changed;
    return mr_table_remove(voxels->store.held, key, hash, error);
}

/* One block of a region that is due. */
static enum mr_status close_block(struct mr_voxels *voxels, struct mr_operator_context *context,
                                  struct telling *telling, uint32_t epoch, bool is_held,
                                  struct mr_error *error)
{
    uint8_t *bytes = mr_arena_take(&voxels->scratch, telling->key.size + MR_VOXEL_KEY_BYTES);
    struct mr_slice block_key = mr_voxel_block_key(bytes, telling->key, &telling->first);
    void *object = NULL;
    telling->changed = 0;
    enum mr_status status = is_held ? take_held(voxels, block_key, telling, error) : MR_OK;
    if (status == MR_OK)
        status =
            mr_table_find(voxels->store.blocks, block_key, mr_hash64(block_key), &object, error);
    if (status == MR_NOT_FOUND) /* reset, or dropped by the bounds of the state */
        return MR_OK;
    if (status != MR_OK)
        return status;
    struct mr_voxel_block *block = object;
    if (block->epoch != epoch)
        return MR_OK;
    if (block->changed != 0 && block->due_ms == telling->due_ms) {
        telling->changed |= block->changed;
        block->changed = 0;
        block->due_ms = 0;
        mr_table_dirty(voxels->store.blocks, block);
    }
    telling->changed &= mr_voxel_block_filled(block); /* it may be another one than then */
    if (telling->cells != NULL)
        status = copy_cells(voxels, block, telling, error);
    if (status != MR_OK)
        return status;
    tell_voxels(voxels, context, telling);
    tell_boxes(voxels, context, telling);
    return MR_OK;
}

/* The region's blocks but `rest` are told. */
static enum mr_status leave_region(struct mr_voxels *voxels, struct mr_slice key, uint64_t hash,
                                   uint64_t rest, struct mr_error *error)
{
    void *object = NULL;
    if (rest == 0)
        return mr_table_remove(voxels->store.regions, key, hash, error);
    enum mr_status status = mr_table_find(voxels->store.regions, key, hash, &object, error);
    if (status != MR_OK)
        return status;
    ((struct mr_voxel_region *)object)->blocks = rest;
    mr_table_dirty(voxels->store.regions, object);
    return MR_AGAIN;
}

/* Changes of a region are due; the key is borrowed from the table. MR_AGAIN: some are left. */
static enum mr_status close_region(struct mr_voxels *voxels, struct mr_operator_context *context,
                                   struct mr_slice borrowed, uint64_t hash,
                                   const struct mr_voxel_region *stored, struct mr_error *error)
{
    struct mr_slice key = mr_arena_copy(&voxels->scratch, borrowed);
    struct mr_slice region_key = mr_voxel_due_key_rest(key);
    struct mr_voxel_region region = *stored;
    struct telling telling = {.due_ms = region.due_ms};
    uint32_t epoch = 0;
    telling.key = mr_voxel_region_read(region_key, 0, &telling.first);
    uint8_t *bytes = mr_arena_take(&voxels->scratch, telling.key.size + MR_VOXEL_LAYER_KEY_BYTES);
    struct mr_slice layer_key = mr_voxel_layer_key(bytes, telling.key, telling.first.axis[2]);
    if (voxels->rows.outputs[MR_VOXEL_OUTPUT_MAIN].is_read)
        telling.cells =
            mr_arena_take(&voxels->scratch, (size_t)MR_VOXEL_BLOCK * voxels->reading.signals_count *
                                                sizeof(*telling.cells));
    enum mr_status status =
        mr_voxel_store_epoch(&voxels->store, layer_key, mr_hash64(layer_key), &epoch, error);
    uint64_t rest = region.blocks;
    bool stops = false;
    while (rest != 0 && status == MR_OK && !stops) {
        uint32_t block = (uint32_t)__builtin_ctzll(rest);
        rest &= rest - 1;
        telling.key = mr_voxel_region_read(region_key, block, &telling.first);
        status =
            close_block(voxels, context, &telling, epoch, (region.held >> block & 1) != 0, error);
        stops = voxels->may_stop && mr_operator_is_enough(context);
    }
    return status == MR_OK ? leave_region(voxels, key, hash, rest, error) : status;
}

/* ---- Layers ---- */

static void tell_layer(struct mr_voxels *voxels, struct mr_operator_context *context,
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
static enum mr_status close_layer(struct mr_voxels *voxels, struct mr_operator_context *context,
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
static enum mr_status take_next(struct mr_voxels *voxels, struct mr_operator_context *context,
                                bool *any, struct mr_error *error)
{
    struct mr_slice key;
    uint64_t hash;
    void *object = NULL;
    bool found;
    enum mr_status status = mr_table_next_due(voxels->store.regions, voxels->now_ms, &key, &hash,
                                              &object, &found, error);
    if (status != MR_OK)
        return status;
    bool has_change = found;
    int64_t due_ms = found ? ((const struct mr_voxel_region *)object)->due_ms : voxels->now_ms;
    status = mr_table_next_due(voxels->store.layers, found ? due_ms - 1 : due_ms, &key, &hash,
                               &object, &found, error);
    *any = found || has_change;
    if (status != MR_OK || found)
        return status == MR_OK ? close_layer(voxels, context, key, object, error) : status;
    if (!has_change)
        return MR_OK;
    status = mr_table_next_due(voxels->store.regions, voxels->now_ms, &key, &hash, &object, &found,
                               error);
    if (status != MR_OK)
        return status;
    return close_region(voxels, context, key, hash, object, error);
}

/* When a region is due next; INT64_MAX: there is none. */
static enum mr_status next_region(struct mr_voxels *voxels, int64_t *due_ms, struct mr_error *error)
{
    struct mr_slice key;
    uint64_t hash;
    void *object = NULL;
    bool found;
    enum mr_status status = mr_table_next_due(voxels->store.regions, INT64_MAX - 1, &key, &hash,
                                              &object, &found, error);
    *due_ms = INT64_MAX;
    if (status == MR_OK && found)
        *due_ms = ((const struct mr_voxel_region *)object)->due_ms;
    return status;
}

/* When something is due next. */
static enum mr_status find_next(struct mr_voxels *voxels, struct mr_error *error)
{
    struct mr_slice key;
    uint64_t hash;
    void *object = NULL;
    bool found = false;
    voxels->hand.next_ms = INT64_MAX;
    enum mr_status status = next_region(voxels, &voxels->next_ms, error);
    if (status == MR_OK)
        status = mr_table_next_due(voxels->store.layers, INT64_MAX - 1, &key, &hash, &object,
                                   &found, error);
    if (status == MR_OK && found && ((struct mr_voxel_layer *)object)->due_ms < voxels->next_ms)
        voxels->next_ms = ((struct mr_voxel_layer *)object)->due_ms;
    return status;
}

enum mr_status mr_voxels_move_on(struct mr_voxels *voxels, struct mr_operator_context *context,
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
        if (status == MR_OK && any && voxels->may_stop && mr_operator_is_enough(context))
            status = MR_AGAIN;
    }
    voxels->more = status == MR_AGAIN;
    return status == MR_OK ? find_next(voxels, error) : status;
}

enum mr_status mr_voxels_horizon(void *self, int64_t wanted_ms, int64_t *watermark_ms,
                                 struct mr_error *error)
{
    struct mr_voxels *voxels = self;
    enum mr_status status = MR_OK;
    *watermark_ms = INT64_MAX;
    if (mr_table_keys(voxels->store.layers) > 0)
        status = mr_table_due_horizon(voxels->store.layers, wanted_ms, watermark_ms, error);
    if (status != MR_OK || mr_table_keys(voxels->store.regions) <= REGIONS_PER_CALL)
        return status;
    int64_t due_ms;
    status = next_region(voxels, &due_ms, error);
    if (due_ms - 1 < *watermark_ms)
        *watermark_ms = due_ms - 1;
    return status;
}

enum mr_status mr_voxels_note(struct mr_voxels *voxels, struct mr_arena *arena, struct mr_slice key,
                              const struct mr_voxel_index *index, int64_t due_ms, bool is_held,
                              struct mr_error *error)
{
    void *object;
    bool created;
    size_t bytes = key.size + MR_VOXEL_KEY_BYTES;
    struct mr_slice region_key = mr_voxel_region_key(mr_arena_take(arena, bytes), key, index);
    struct mr_slice due_key =
        mr_voxel_due_key(mr_arena_take(arena, bytes + MR_VOXEL_DUE_KEY_BYTES), region_key, due_ms);
    enum mr_status status = mr_table_get(voxels->store.regions, due_key, mr_hash64(due_key), 0,
                                         &object, &created, error);
    if (status != MR_OK)
        return status;
    struct mr_voxel_region *region = object;
    uint64_t bit = UINT64_C(1) << mr_voxel_block_number(index);
    bool changes = (region->blocks & bit) == 0 || (is_held && (region->held & bit) == 0);
    region->due_ms = due_ms;
    region->blocks |= bit;
    region->held |= is_held ? bit : 0;
    if (created)
        mr_table_schedule(voxels->store.regions, region, due_ms);
    else if (changes)
        mr_table_dirty(voxels->store.regions, region);
    if (due_ms < voxels->next_ms)
        voxels->next_ms = due_ms;
    return MR_OK;
}
