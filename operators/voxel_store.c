/* operators/voxel_store.c — see voxel_store.h. */
#include "operators/voxel_store.h"

#include "base/assert.h"
#include "base/endian.h"

enum {
    BLOCK_HEAD = MR_VOXEL_BLOCK_BYTES - MR_VOXEL_BLOCK,
    SLOT_BYTES_WANTED = 352, /* four voxels of one signal */
    SLOT_CELLS_MAX = 4
};

const char mr_voxel_blocks_table[] = "blocks";
const char mr_voxel_layers_table[] = "layers";
const char mr_voxel_grids_table[] = "grids";

static uint32_t voxel_bytes(uint32_t signals_count)
{
    return signals_count * (uint32_t)sizeof(struct mr_voxel_cell);
}

/* ---- Stored blocks ---- */

static size_t block_encode(const struct mr_voxel_block *block, uint8_t *output,
                           uint32_t signals_count)
{
    mr_put_u64le(output, block->changed);
    mr_put_u64le(output + 8, (uint64_t)block->due_ms);
    mr_put_u32le(output + 16, block->epoch);
    output[20] = block->cells_count;
    for (uint32_t voxel = 0; voxel < MR_VOXEL_BLOCK; voxel++)
        if (block->places[voxel] > 0)
            output[BLOCK_HEAD + block->places[voxel] - 1] = (uint8_t)voxel;
    size_t size = BLOCK_HEAD + (size_t)block->cells_count;
    if (block->cells_count == 0)
        return size;
    memcpy(output + size, block->first, voxel_bytes(signals_count));
    return size + voxel_bytes(signals_count);
}

bool mr_voxel_block_decode(struct mr_voxel_block *block, uint32_t version, struct mr_slice stored,
                           uint32_t signals_count)
{
    if (version != MR_VOXEL_VERSION || stored.size < BLOCK_HEAD)
        return false;
    block->changed = mr_get_u64le(stored.data);
    block->due_ms = (int64_t)mr_get_u64le(stored.data + 8);
    block->epoch = mr_get_u32le(stored.data + 16);
    block->cells_count = stored.data[20];
    size_t size = BLOCK_HEAD + (size_t)block->cells_count;
    size_t cells = block->cells_count > 0 ? voxel_bytes(signals_count) : 0;
    if (block->cells_count > MR_VOXEL_BLOCK || stored.size != size + cells)
        return false;
    memset(block->places, 0, sizeof(block->places));
    for (uint32_t cell = 0; cell < block->cells_count; cell++) {
        uint8_t voxel = stored.data[BLOCK_HEAD + cell];
        if (voxel >= MR_VOXEL_BLOCK || block->places[voxel] > 0)
            return false;
        block->places[voxel] = (uint8_t)(cell + 1);
    }
    if (cells > 0)
        memcpy(block->first, stored.data + size, cells);
    return (block->changed & ~mr_voxel_block_filled(block)) == 0;
}

/* A table's functions know nothing but the object: one pair per number of signals. */
#define BLOCK_LAYOUT(count)                                                                        \
    static size_t encode_##count(const void *object, uint8_t *output)                              \
    {                                                                                              \
        return block_encode(object, output, count);                                                \
    }                                                                                              \
    static bool decode_##count(void *object, uint32_t version, struct mr_slice stored)             \
    {                                                                                              \
        return mr_voxel_block_decode(object, version, stored, count);                              \
    }
BLOCK_LAYOUT(1)
BLOCK_LAYOUT(2)
BLOCK_LAYOUT(3)
BLOCK_LAYOUT(4)
BLOCK_LAYOUT(5)
BLOCK_LAYOUT(6)
BLOCK_LAYOUT(7)
BLOCK_LAYOUT(8)
BLOCK_LAYOUT(9)
BLOCK_LAYOUT(10)
BLOCK_LAYOUT(11)
BLOCK_LAYOUT(12)
BLOCK_LAYOUT(13)
BLOCK_LAYOUT(14)
BLOCK_LAYOUT(15)
BLOCK_LAYOUT(16)
#undef BLOCK_LAYOUT

static const struct {
    size_t (*encode)(const void *object, uint8_t *output);
    bool (*decode)(void *object, uint32_t version, struct mr_slice stored);
} block_layouts[MR_VOXEL_SIGNALS_MAX] = {
    {encode_1, decode_1},   {encode_2, decode_2},   {encode_3, decode_3},   {encode_4, decode_4},
    {encode_5, decode_5},   {encode_6, decode_6},   {encode_7, decode_7},   {encode_8, decode_8},
    {encode_9, decode_9},   {encode_10, decode_10}, {encode_11, decode_11}, {encode_12, decode_12},
    {encode_13, decode_13}, {encode_14, decode_14}, {encode_15, decode_15}, {encode_16, decode_16},
};

/* ---- Other stored objects ---- */

static size_t region_encode(const void *object, uint8_t *output)
{
    const struct mr_voxel_region *region = object;
    mr_put_u64le(output, (uint64_t)region->due_ms);
    mr_put_u64le(output + 8, region->blocks);
    mr_put_u64le(output + 16, region->held);
    return MR_VOXEL_REGION_BYTES;
}

static bool region_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_voxel_region *region = object;
    if (version != MR_VOXEL_VERSION || stored.size != MR_VOXEL_REGION_BYTES)
        return false;
    region->due_ms = (int64_t)mr_get_u64le(stored.data);
    region->blocks = mr_get_u64le(stored.data + 8);
    region->held = mr_get_u64le(stored.data + 16);
    return true;
}

static size_t held_encode(const void *object, uint8_t *output)
{
    mr_put_u64le(output, ((const struct mr_voxel_held *)object)->changed);
    return MR_VOXEL_HELD_BYTES;
}

static bool held_decode(void *object, uint32_t version, struct mr_slice stored)
{
    if (version != MR_VOXEL_VERSION || stored.size != MR_VOXEL_HELD_BYTES)
        return false;
    ((struct mr_voxel_held *)object)->changed = mr_get_u64le(stored.data);
    return true;
}

static size_t reset_encode(const void *object, uint8_t *output)
{
    const struct mr_voxel_reset *reset = object;
    mr_put_u32le(output, reset->next_epoch);
    mr_put_u32le(output + 4, reset->block_j);
    mr_put_u32le(output + 8, reset->block_i);
    return MR_VOXEL_RESET_BYTES;
}

static bool reset_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_voxel_reset *reset = object;
    if (version != MR_VOXEL_VERSION || stored.size != MR_VOXEL_RESET_BYTES)
        return false;
    reset->next_epoch = mr_get_u32le(stored.data);
    reset->block_j = mr_get_u32le(stored.data + 4);
    reset->block_i = mr_get_u32le(stored.data + 8);
    return true;
}

static size_t layer_encode(const void *object, uint8_t *output)
{
    const struct mr_voxel_layer *layer = object;
    mr_put_u64le(output, layer->points);
    mr_put_u64le(output + 8, layer->filled);
    mr_put_u64le(output + 16, (uint64_t)layer->first_ms);
    mr_put_u64le(output + 24, (uint64_t)layer->last_ms);
    mr_put_u64le(output + 32, (uint64_t)layer->close_ms);
    mr_put_u64le(output + 40, (uint64_t)layer->due_ms);
    mr_put_u32le(output + 48, layer->closings);
    mr_put_u32le(output + 52, layer->is_open);
    mr_put_u32le(output + 56, layer->epoch);
    return MR_VOXEL_LAYER_BYTES;
}

bool mr_voxel_layer_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_voxel_layer *layer = object;
    if (version != MR_VOXEL_VERSION || stored.size != MR_VOXEL_LAYER_BYTES)
        return false;
    layer->points = mr_get_u64le(stored.data);
    layer->filled = mr_get_u64le(stored.data + 8);
    layer->first_ms = (int64_t)mr_get_u64le(stored.data + 16);
    layer->last_ms = (int64_t)mr_get_u64le(stored.data + 24);
    layer->close_ms = (int64_t)mr_get_u64le(stored.data + 32);
    layer->due_ms = (int64_t)mr_get_u64le(stored.data + 40);
    layer->closings = mr_get_u32le(stored.data + 48);
    layer->is_open = mr_get_u32le(stored.data + 52);
    layer->epoch = mr_get_u32le(stored.data + 56);
    return layer->is_open <= 1;
}

static size_t totals_encode(const void *object, uint8_t *output)
{
    const struct mr_voxel_totals *totals = object;
    mr_put_u64le(output, totals->points);
    mr_put_u64le(output + 8, totals->filled);
    mr_put_u64le(output + 16, (uint64_t)totals->first_ms);
    mr_put_u64le(output + 24, (uint64_t)totals->last_ms);
    mr_put_u32le(output + 32, totals->layers);
    mr_put_u32le(output + 36, totals->highest);
    return MR_VOXEL_TOTALS_BYTES;
}

bool mr_voxel_totals_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_voxel_totals *totals = object;
    if (version != MR_VOXEL_VERSION || stored.size != MR_VOXEL_TOTALS_BYTES)
        return false;
    totals->points = mr_get_u64le(stored.data);
    totals->filled = mr_get_u64le(stored.data + 8);
    totals->first_ms = (int64_t)mr_get_u64le(stored.data + 16);
    totals->last_ms = (int64_t)mr_get_u64le(stored.data + 24);
    totals->layers = mr_get_u32le(stored.data + 32);
    totals->highest = mr_get_u32le(stored.data + 36);
    return true;
}

/* ---- Opening ---- */

static uint32_t slot_cells(uint32_t signals_count)
{
    uint32_t cells = SLOT_BYTES_WANTED / voxel_bytes(signals_count);
    return cells < 1 ? 1 : cells > SLOT_CELLS_MAX ? SLOT_CELLS_MAX : cells;
}

uint32_t mr_voxel_object_bytes(uint32_t signals_count)
{
    return (uint32_t)sizeof(struct mr_voxel_block) + voxel_bytes(signals_count);
}

uint32_t mr_voxel_slot_bytes(uint32_t signals_count)
{
    return slot_cells(signals_count) * voxel_bytes(signals_count);
}

uint32_t mr_voxel_slots_max(uint32_t signals_count)
{
    uint32_t cells = slot_cells(signals_count);
    return (MR_VOXEL_BLOCK - 1 + cells - 1) / cells;
}

uint32_t mr_voxel_slot_of(uint32_t signals_count, uint32_t place, uint32_t *first_cell)
{
    uint32_t cells = slot_cells(signals_count);
    MR_ASSERT(place >= 2);
    *first_cell = (place - 2) % cells * signals_count;
    return (place - 2) / cells;
}

static struct mr_table_spec table_spec(const struct mr_plan_node *node, const char *name)
{
    return (struct mr_table_spec){
        .operator_name = node->name,
        .name = name,
        .version = MR_VOXEL_VERSION,
        .keys_max = node->state_keys_max,
        .bytes_max = node->state_bytes_max,
        .on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
    };
}

static enum mr_status open_blocks(struct mr_voxel_store *store, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct mr_table_spec spec = table_spec(open->node, mr_voxel_blocks_table);
    spec.ttl_ms = open->node->state_ttl_ms;
    spec.object_size = mr_voxel_object_bytes(store->signals_count);
    spec.encode = block_layouts[store->signals_count - 1].encode;
    spec.encoded_size_max = MR_VOXEL_BLOCK_BYTES + voxel_bytes(store->signals_count);
    spec.decode = block_layouts[store->signals_count - 1].decode;
    spec.slot_bytes = mr_voxel_slot_bytes(store->signals_count);
    spec.slots_max = mr_voxel_slots_max(store->signals_count);
    spec.scanned = true;
    return mr_table_open(open->state, &spec, &store->blocks, error);
}

static enum mr_status open_changes(struct mr_voxel_store *store,
                                   const struct mr_operator_open *open, struct mr_error *error)
{
    struct mr_table_spec spec = table_spec(open->node, "regions");
    spec.object_size = sizeof(struct mr_voxel_region);
    spec.encode = region_encode;
    spec.encoded_size_max = MR_VOXEL_REGION_BYTES;
    spec.decode = region_decode;
    spec.timed = true;
    enum mr_status status = mr_table_open(open->state, &spec, &store->regions, error);
    if (status != MR_OK)
        return status;
    spec = table_spec(open->node, "held");
    spec.object_size = sizeof(struct mr_voxel_held);
    spec.encode = held_encode;
    spec.encoded_size_max = MR_VOXEL_HELD_BYTES;
    spec.decode = held_decode;
    status = mr_table_open(open->state, &spec, &store->held, error);
    if (status != MR_OK)
        return status;
    spec = table_spec(open->node, "resets");
    spec.keys_max = 0; /* one that was dropped would bring back what is forgotten */
    spec.bytes_max = 0;
    spec.object_size = sizeof(struct mr_voxel_reset);
    spec.encode = reset_encode;
    spec.encoded_size_max = MR_VOXEL_RESET_BYTES;
    spec.decode = reset_decode;
    spec.scanned = true;
    return mr_table_open(open->state, &spec, &store->resets, error);
}

enum mr_status mr_voxel_store_open(struct mr_voxel_store *store,
                                   const struct mr_operator_open *open, uint32_t signals_count,
                                   struct mr_error *error)
{
    *store = (struct mr_voxel_store){.signals_count = signals_count,
                                     .slot_cells = slot_cells(signals_count)};
    MR_ASSERT(signals_count >= 1 && signals_count <= MR_VOXEL_SIGNALS_MAX);
    enum mr_status status = open_blocks(store, open, error);
    if (status == MR_OK)
        status = open_changes(store, open, error);
    if (status != MR_OK)
        return status;
    struct mr_table_spec spec = table_spec(open->node, mr_voxel_layers_table);
    spec.object_size = sizeof(struct mr_voxel_layer);
    spec.encode = layer_encode;
    spec.encoded_size_max = MR_VOXEL_LAYER_BYTES;
    spec.decode = mr_voxel_layer_decode;
    spec.slot_bytes = voxel_bytes(signals_count);
    spec.slots_max = 1;
    spec.timed = true;
    spec.scanned = true;
    status = mr_table_open(open->state, &spec, &store->layers, error);
    if (status != MR_OK)
        return status;
    spec = table_spec(open->node, mr_voxel_grids_table);
    spec.ttl_ms = open->node->state_ttl_ms;
    spec.object_size = sizeof(struct mr_voxel_totals);
    spec.encode = totals_encode;
    spec.encoded_size_max = MR_VOXEL_TOTALS_BYTES;
    spec.decode = mr_voxel_totals_decode;
    return mr_table_open(open->state, &spec, &store->grids, error);
}

/* ---- Keys of changes ---- */

struct mr_slice mr_voxel_due_key(uint8_t *output, struct mr_slice key, int64_t due_ms)
{
    mr_put_time_be(output, due_ms);
    memcpy(output + MR_VOXEL_DUE_KEY_BYTES, key.data, key.size);
    return mr_slice_from(output, MR_VOXEL_DUE_KEY_BYTES + key.size);
}

struct mr_slice mr_voxel_due_key_rest(struct mr_slice due_key)
{
    return mr_slice_from(due_key.data + MR_VOXEL_DUE_KEY_BYTES,
                         due_key.size - MR_VOXEL_DUE_KEY_BYTES);
}

/* ---- Cells ---- */

uint64_t mr_voxel_block_filled(const struct mr_voxel_block *block)
{
    uint64_t filled = 0;
    for (uint32_t voxel = 0; voxel < MR_VOXEL_BLOCK; voxel++)
        filled |= (uint64_t)(block->places[voxel] > 0) << voxel;
    return filled;
}

void mr_voxel_block_begin(struct mr_voxel_block *block, uint32_t epoch)
{
    *block = (struct mr_voxel_block){.epoch = epoch};
}

static enum mr_status find_cells(struct mr_voxel_store *store, struct mr_voxel_block *block,
                                 uint32_t place, bool write, struct mr_voxel_cell **cells,
                                 struct mr_error *error)
{
    if (place == 1) {
        *cells = block->first;
        if (write)
            mr_table_dirty(store->blocks, block);
        return MR_OK;
    }
    void *slot = NULL;
    enum mr_status status =
        mr_table_slot(store->blocks, block, (place - 2) / store->slot_cells, write, &slot, error);
    *cells = (struct mr_voxel_cell *)slot;
    if (status == MR_OK)
        *cells += (size_t)((place - 2) % store->slot_cells) * store->signals_count;
    return status;
}

enum mr_status mr_voxel_store_change(struct mr_voxel_store *store, struct mr_voxel_block *block,
                                     uint32_t voxel, struct mr_voxel_cell **cells, bool *created,
                                     struct mr_error *error)
{
    *created = block->places[voxel] == 0;
    if (*created)
        block->places[voxel] = ++block->cells_count;
    enum mr_status status = find_cells(store, block, block->places[voxel], true, cells, error);
    if (status == MR_OK && *created) /* what was there is of an earlier epoch, or was cleared */
        memset(*cells, 0, voxel_bytes(store->signals_count));
    return status;
}

enum mr_status mr_voxel_store_read(struct mr_voxel_store *store, struct mr_voxel_block *block,
                                   uint32_t voxel, const struct mr_voxel_cell **cells,
                                   struct mr_error *error)
{
    MR_ASSERT(block->places[voxel] > 0);
    struct mr_voxel_cell *found = NULL;
    enum mr_status status = find_cells(store, block, block->places[voxel], false, &found, error);
    *cells = found;
    return status;
}

enum mr_status mr_voxel_store_clear(struct mr_voxel_store *store, struct mr_voxel_block *block,
                                    uint32_t voxel, struct mr_error *error)
{
    struct mr_voxel_cell *hole = NULL;
    struct mr_voxel_cell *last = NULL;
    uint8_t place = block->places[voxel];
    MR_ASSERT(place > 0 && block->cells_count > 1);
    enum mr_status status = find_cells(store, block, place, true, &hole, error);
    if (status == MR_OK)
        status = find_cells(store, block, block->cells_count, false, &last, error);
    if (status != MR_OK)
        return status;
    memmove(hole, last, voxel_bytes(store->signals_count));
    for (uint32_t other = 0; other < MR_VOXEL_BLOCK; other++)
        if (block->places[other] == block->cells_count)
            block->places[other] = place;
    block->places[voxel] = 0;
    block->changed &= ~(UINT64_C(1) << voxel);
    block->cells_count--;
    return MR_OK;
}

/* ---- Epochs ---- */

enum mr_status mr_voxel_store_epoch(struct mr_voxel_store *store, struct mr_slice layer_key,
                                    uint64_t hash, uint32_t *epoch, struct mr_error *error)
{
    void *object = NULL;
    *epoch = 0;
    enum mr_status status = mr_table_find(store->layers, layer_key, hash, &object, error);
    if (status == MR_OK)
        *epoch = ((const struct mr_voxel_layer *)object)->epoch;
    if (status != MR_NOT_FOUND)
        return status;
    if (mr_table_keys(store->resets) == 0)
        return MR_OK;
    status = mr_table_find(store->resets, layer_key, hash, &object, error);
    if (status == MR_OK)
        *epoch = ((const struct mr_voxel_reset *)object)->next_epoch;
    return status == MR_NOT_FOUND ? MR_OK : status;
}
