/* operators/voxel_reset.c — control records of a voxel grid: forget a box, a layer, or all.
 * Design: a layer is forgotten as a whole by forgetting its object, and `resets` remembers that the
 * blocks that it leaves behind are of an old epoch (operators/voxel_store.h): they are removed by
 * and by, some thousand per watermark, so that a reset of a large grid is a small transaction. In
 * layers that are covered in part the voxels are removed at once, block by block, which is
 * bounded: a box that would read or change more is refused as a whole. What a layer says of its
 * points stays then, since minima and maxima cannot be taken back: only the voxels are counted
 * anew. All is changed where the record stands among the points of its task, and in the same
 * transaction. */
#include "base/hash.h"
#include "operators/control_record.h"
#include "operators/voxel_aggregate.h"

enum {
    BLOCKS_MAX = 65536,        /* changed by one record */
    BLOCKS_READ_MAX = 1 << 20, /* of the layers that it is about */
    SWEEP_MAX = 4096           /* blocks that one watermark looks at */
};

/* ---- What a record says ---- */

static bool is_nothing(struct mr_value cell)
{
    return cell.kind == MR_KIND_ABSENT || cell.kind == MR_KIND_NULL;
}

static struct mr_value cell_of(const struct mr_plan_control *control, struct mr_batch *batch,
                               enum mr_control_field field, uint32_t row)
{
    uint32_t slot = control->slots[field];
    return slot == MR_SLOT_NONE ? mr_value_null() : mr_batch_column(batch, slot)[row];
}

static bool read_corner(struct mr_value cell, double *corner)
{
    if (cell.kind != MR_KIND_LIST || cell.size != MR_VOXEL_AXES)
        return false;
    for (uint32_t axis = 0; axis < MR_VOXEL_AXES; axis++)
        if (!mr_value_as_double(cell.items[axis], &corner[axis]) || !isfinite(corner[axis]))
            return false;
    return true;
}

/* The voxels that a row is about; false: none, or reported. */
static bool read_place(struct mr_voxels *voxels, struct mr_operator_context *context,
                       struct mr_batch *batch, uint32_t row, struct mr_voxel_range *range)
{
    const struct mr_plan_control *control = voxels->node->control;
    const struct mr_voxel_grid *grid = &voxels->reading.grid;
    struct mr_value layer = cell_of(control, batch, MR_CONTROL_LAYER, row);
    struct mr_value from = cell_of(control, batch, MR_CONTROL_FROM, row);
    struct mr_value to = cell_of(control, batch, MR_CONTROL_TO, row);
    double corners[2][MR_VOXEL_AXES];
    double number = 0;
    mr_voxel_grid_whole(grid, range);
    if (!is_nothing(from) || !is_nothing(to)) {
        if (!read_corner(from, corners[0]) || !read_corner(to, corners[1])) {
            mr_operator_row_error(context, batch, row,
                                  "the control record's box needs two corners, from and to, with "
                                  "three numbers each");
            return false;
        }
        if (!mr_voxel_grid_range(grid, corners[0], corners[1], range))
            return false;
    }
    if (is_nothing(layer))
        return true;
    if (!mr_value_as_double(layer, &number) || number != floor(number)) {
        mr_operator_row_error(context, batch, row,
                              "the control record's layer is no whole number: give its index");
        return false;
    }
    if (!(number >= range->first[2] && number <= range->last[2]))
        return false;
    range->first[2] = range->last[2] = (uint32_t)number;
    return true;
}

/* ---- What is there ---- */

/* Layers or blocks of one, that a scan has found. */
struct found {
    struct mr_arena *arena;
    const struct mr_voxel_range *range; /* of blocks */
    uint32_t epoch;                     /* of blocks */
    bool is_old;                        /* blocks of other epochs are wanted */
    struct mr_voxel_index *items;       /* first voxels */
    uint32_t count;
    uint32_t capacity;
    uint32_t count_max;
    uint32_t read;
    uint32_t read_max;
    bool is_full;
    struct mr_voxel_index next; /* is_full: the one that is left */
};

static void add(struct found *found, const struct mr_voxel_index *index)
{
    if (found->count == found->capacity) {
        uint32_t capacity = found->capacity == 0 ? 64 : found->capacity * 2;
        struct mr_voxel_index *items = mr_arena_take(found->arena, capacity * sizeof(*items));
        if (found->count > 0)
            memcpy(items, found->items, found->count * sizeof(*items));
        found->items = items;
        found->capacity = capacity;
    }
    found->items[found->count++] = *index;
}

static bool visit_layer(void *argument, struct mr_slice key, void *object)
{
    struct found *found = argument;
    struct mr_voxel_index index;
    (void)object;
    mr_voxel_key_read(key, &index);
    add(found, &index);
    return true;
}

static bool visit_block(void *argument, struct mr_slice key, void *object)
{
    struct found *found = argument;
    const struct mr_voxel_block *block = object;
    struct mr_voxel_index index;
    mr_voxel_key_read(key, &index);
    if (found->read == found->read_max || found->count == found->count_max) {
        found->is_full = true;
        found->next = index;
        return false;
    }
    found->read++;
    if ((block->epoch != found->epoch) != found->is_old)
        return true;
    if (found->range == NULL || mr_voxel_range_bits(found->range, &index) != 0)
        add(found, &index);
    return true;
}

/* Layers of the key that are stored and in the range. */
static enum mr_status find_layers(struct mr_voxels *voxels, struct mr_slice key,
                                  const struct mr_voxel_range *range, struct found *found,
                                  struct mr_error *error)
{
    uint8_t first[MR_LIMIT_KEY_BYTES];
    uint8_t end[MR_LIMIT_KEY_BYTES];
    return mr_table_scan(voxels->store.layers, mr_voxel_layer_key(first, key, range->first[2]),
                         mr_voxel_layer_key(end, key, range->last[2] + 1), visit_layer, found,
                         error);
}

/* Blocks of a layer, from one on, up to one of a row of blocks that is not in it. */
static enum mr_status find_blocks(struct mr_voxels *voxels, struct mr_slice key, uint32_t layer,
                                  struct mr_voxel_index from, struct mr_voxel_index to,
                                  struct found *found, struct mr_error *error)
{
    uint8_t first[MR_LIMIT_KEY_BYTES];
    uint8_t end[MR_LIMIT_KEY_BYTES];
    from.axis[2] = layer;
    to.axis[2] = layer;
    return mr_table_scan(voxels->store.blocks, mr_voxel_block_key(first, key, &from),
                         mr_voxel_block_key(end, key, &to), visit_block, found, error);
}

/* ---- Resetting ---- */

/* What a reset does to the totals of its key. */
struct lost {
    uint64_t points;
    uint64_t filled;
    uint32_t layers;
};

static uint64_t less(uint64_t number, uint64_t by)
{
    return number > by ? number - by : 0; /* what the bounds of the state dropped was counted */
}

static enum mr_status reset_layer(struct mr_voxels *voxels, struct mr_slice key, uint32_t number,
                                  struct lost *lost, struct mr_error *error)
{
    uint8_t bytes[MR_LIMIT_KEY_BYTES];
    struct mr_slice layer_key = mr_voxel_layer_key(bytes, key, number);
    uint64_t hash = mr_hash64(layer_key);
    void *object = NULL;
    bool created;
    enum mr_status status = mr_table_find(voxels->store.layers, layer_key, hash, &object, error);
    if (status != MR_OK)
        return status;
    struct mr_voxel_layer layer = *(const struct mr_voxel_layer *)object;
    status = mr_table_remove(voxels->store.layers, layer_key, hash, error);
    if (status == MR_OK)
        status = mr_table_get(voxels->store.resets, layer_key, hash, 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    *(struct mr_voxel_reset *)object = (struct mr_voxel_reset){.next_epoch = layer.epoch + 1};
    mr_table_dirty(voxels->store.resets, object);
    lost->points += layer.points;
    lost->filled += layer.filled;
    lost->layers++;
    return MR_OK;
}

/* Forget voxels of a block; *filled says how many there were. */
static enum mr_status reset_block(struct mr_voxels *voxels, struct mr_slice key,
                                  const struct mr_voxel_index *first,
                                  const struct mr_voxel_range *range, uint32_t *filled,
                                  struct mr_error *error)
{
    uint8_t bytes[MR_LIMIT_KEY_BYTES];
    struct mr_slice block_key = mr_voxel_block_key(bytes, key, first);
    uint64_t hash = mr_hash64(block_key);
    void *object = NULL;
    enum mr_status status = mr_table_find(voxels->store.blocks, block_key, hash, &object, error);
    *filled = 0;
    if (status != MR_OK)
        return status == MR_NOT_FOUND ? MR_OK : status;
    struct mr_voxel_block *block = object;
    uint64_t all = mr_voxel_block_filled(block);
    uint64_t bits = all & mr_voxel_range_bits(range, first);
    *filled = (uint32_t)__builtin_popcountll(bits);
    if (bits == all)
        return mr_table_remove(voxels->store.blocks, block_key, hash, error);
    for (uint64_t rest = bits; rest != 0 && status == MR_OK; rest &= rest - 1)
        status =
            mr_voxel_store_clear(&voxels->store, block, (uint32_t)__builtin_ctzll(rest), error);
    return status;
}

/* Blocks of layers that are covered in part: they follow each other by layer. */
static enum mr_status reset_blocks(struct mr_voxels *voxels, struct mr_slice key,
                                   const struct found *blocks, const struct mr_voxel_range *range,
                                   struct lost *lost, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t item = 0; item < blocks->count && status == MR_OK;) {
        uint8_t bytes[MR_LIMIT_KEY_BYTES];
        uint32_t number = blocks->items[item].axis[2];
        uint64_t filled = 0;
        for (; item < blocks->count && blocks->items[item].axis[2] == number && status == MR_OK;
             item++) {
            uint32_t count;
            status = reset_block(voxels, key, &blocks->items[item], range, &count, error);
            filled += count;
        }
        void *object = NULL;
        struct mr_slice layer_key = mr_voxel_layer_key(bytes, key, number);
        if (status == MR_OK)
            status = mr_table_find(voxels->store.layers, layer_key, mr_hash64(layer_key), &object,
                                   error);
        if (status != MR_OK)
            return status;
        struct mr_voxel_layer *layer = object;
        layer->filled = less(layer->filled, filled);
        mr_table_dirty(voxels->store.layers, layer);
        lost->filled += filled;
    }
    return status;
}

static enum mr_status reset_totals(struct mr_voxels *voxels, struct mr_slice key,
                                   const struct lost *lost, struct mr_error *error)
{
    uint64_t hash = mr_hash64(key);
    void *object = NULL;
    enum mr_status status = mr_table_find(voxels->store.grids, key, hash, &object, error);
    if (status != MR_OK)
        return status == MR_NOT_FOUND ? MR_OK : status;
    struct mr_voxel_totals *totals = object;
    totals->points = less(totals->points, lost->points);
    totals->filled = less(totals->filled, lost->filled);
    totals->layers = (uint32_t)less(totals->layers, lost->layers);
    if (totals->layers == 0)
        return mr_table_remove(voxels->store.grids, key, hash, error);
    mr_table_dirty(voxels->store.grids, totals);
    return MR_OK;
}

/* Blocks of all layers that the range covers in part; is_full: too many. */
static enum mr_status find_parts(struct mr_voxels *voxels, struct mr_slice key,
                                 const struct mr_voxel_range *range, const struct found *layers,
                                 struct found *blocks, struct mr_error *error)
{
    const struct mr_voxel_index from = {{range->first[0], range->first[1], 0}};
    /* Behind the last block of the last row that is wanted. */
    const struct mr_voxel_index to = {{range->last[0] + MR_VOXEL_SIDE, range->last[1], 0}};
    enum mr_status status = MR_OK;
    for (uint32_t item = 0; item < layers->count && status == MR_OK && !blocks->is_full; item++) {
        uint8_t bytes[MR_LIMIT_KEY_BYTES];
        uint32_t number = layers->items[item].axis[2];
        struct mr_slice layer_key = mr_voxel_layer_key(bytes, key, number);
        status = mr_voxel_store_epoch(&voxels->store, layer_key, mr_hash64(layer_key),
                                      &blocks->epoch, error);
        if (status == MR_OK)
            status = find_blocks(voxels, key, number, from, to, blocks, error);
    }
    return status;
}

static enum mr_status reset(struct mr_voxels *voxels, struct mr_operator_context *context,
                            struct mr_batch *batch, uint32_t row, struct mr_slice key,
                            const struct mr_voxel_range *range, struct mr_error *error)
{
    struct found layers = {.arena = context->arena};
    struct found blocks = {.arena = context->arena,
                           .range = range,
                           .count_max = BLOCKS_MAX,
                           .read_max = BLOCKS_READ_MAX};
    struct lost lost = {0};
    bool is_whole = mr_voxel_range_has_layers(&voxels->reading.grid, range);
    enum mr_status status = find_layers(voxels, key, range, &layers, error);
    if (status == MR_OK && !is_whole)
        status = find_parts(voxels, key, range, &layers, &blocks, error);
    if (status == MR_OK && blocks.is_full) {
        mr_operator_row_error(context, batch, row,
                              "the box has too much in it: at most %d blocks of 8 x 8 voxels can "
                              "be reset at once, of at most %d in the layers that it reaches "
                              "into; reset layers, or smaller boxes",
                              (int)BLOCKS_MAX, (int)BLOCKS_READ_MAX);
        return MR_OK;
    }
    for (uint32_t item = 0; item < layers.count && is_whole && status == MR_OK; item++)
        status = reset_layer(voxels, key, layers.items[item].axis[2], &lost, error);
    if (status == MR_OK)
        status = reset_blocks(voxels, key, &blocks, range, &lost, error);
    return status == MR_OK ? reset_totals(voxels, key, &lost, error) : status;
}

enum mr_status mr_voxels_control(struct mr_voxels *voxels, struct mr_operator_context *context,
                                 struct mr_view view, struct mr_error *error)
{
    const struct mr_slice *keys =
        mr_operator_keys_of(context, &voxels->node->control->key, view, &view);
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < view.rows_count && status == MR_OK; index++) {
        uint32_t row = view.rows[index];
        struct mr_control_order order;
        struct mr_voxel_range range;
        if (!mr_control_read(voxels->node, context, view.batch, row, &order))
            continue;
        if (order.action != MR_CONTROL_RESET) {
            mr_operator_row_error(context, view.batch, row,
                                  "voxel.aggregate has no control record but reset");
            continue;
        }
        /* Before it, what the record's own watermark makes due. */
        status =
            mr_voxels_move_on(voxels, context, mr_operator_row_watermark(view.batch, row), error);
        if (status == MR_OK && read_place(voxels, context, view.batch, row, &range))
            status = reset(voxels, context, view.batch, row, keys[row], &range, error);
    }
    mr_voxel_rows_end(&voxels->rows, context);
    return status;
}

/* ---- Removing what is left behind ---- */

/* The first entry of `resets`. */
struct first_reset {
    struct mr_arena *arena;
    struct mr_slice layer_key;
    struct mr_voxel_reset reset;
};

static bool visit_reset(void *argument, struct mr_slice key, void *object)
{
    struct first_reset *first = argument;
    first->layer_key = mr_arena_copy(first->arena, key);
    first->reset = *(const struct mr_voxel_reset *)object;
    return false;
}

static enum mr_status remove_old(struct mr_voxels *voxels, struct mr_slice key,
                                 const struct found *old, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t item = 0; item < old->count && status == MR_OK; item++) {
        uint8_t bytes[MR_LIMIT_KEY_BYTES];
        struct mr_slice block_key = mr_voxel_block_key(bytes, key, &old->items[item]);
        status = mr_table_remove(voxels->store.blocks, block_key, mr_hash64(block_key), error);
    }
    return status;
}

/* The reset is done with, or goes on later. */
static enum mr_status end_sweep(struct mr_voxels *voxels, const struct first_reset *first,
                                const struct found *old, struct mr_error *error)
{
    uint64_t hash = mr_hash64(first->layer_key);
    void *object = NULL;
    if (!old->is_full)
        return mr_table_remove(voxels->store.resets, first->layer_key, hash, error);
    enum mr_status status =
        mr_table_find(voxels->store.resets, first->layer_key, hash, &object, error);
    if (status != MR_OK)
        return status;
    struct mr_voxel_reset *reset = object;
    reset->block_i = old->next.axis[0] / MR_VOXEL_SIDE;
    reset->block_j = old->next.axis[1] / MR_VOXEL_SIDE;
    mr_table_dirty(voxels->store.resets, reset);
    return MR_OK;
}

enum mr_status mr_voxels_sweep(struct mr_voxels *voxels, struct mr_error *error)
{
    struct first_reset first = {.arena = &voxels->scratch};
    struct found old = {
        .arena = &voxels->scratch, .is_old = true, .count_max = SWEEP_MAX, .read_max = SWEEP_MAX};
    struct mr_voxel_index index;
    if (mr_table_keys(voxels->store.resets) == 0)
        return MR_OK;
    mr_arena_reset(&voxels->scratch);
    enum mr_status status = mr_table_scan(voxels->store.resets, (struct mr_slice){0},
                                          (struct mr_slice){0}, visit_reset, &first, error);
    if (status != MR_OK || first.layer_key.data == NULL)
        return status;
    struct mr_slice key = mr_voxel_key_read(first.layer_key, &index);
    const struct mr_voxel_index from = {
        {first.reset.block_i * MR_VOXEL_SIDE, first.reset.block_j * MR_VOXEL_SIDE, index.axis[2]}};
    const struct mr_voxel_index to = {{0, UINT32_MAX, index.axis[2]}};
    status = mr_voxel_store_epoch(&voxels->store, first.layer_key, mr_hash64(first.layer_key),
                                  &old.epoch, error);
    if (status == MR_OK)
        status = find_blocks(voxels, key, index.axis[2], from, to, &old, error);
    if (status == MR_OK)
        status = remove_old(voxels, key, &old, error);
    return status == MR_OK ? end_sweep(voxels, &first, &old, error) : status;
}
