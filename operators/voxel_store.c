/* operators/voxel_store.c — see voxel_store.h. */
#include "operators/voxel_store.h"

#include "base/assert.h"
#include "base/endian.h"

enum {
    BLOCK_HEAD = MR_VOXEL_BLOCK_BYTES - MR_VOXEL_BLOCK,
    SLOT_BYTES_WANTED = 640, /* eight voxels of one signal */
    SLOT_CELLS_MAX = 8
};

const char mr_voxel_grids_table[] = "grids";

/* ---- Stored objects ---- */

static size_t block_encode(const void *object, uint8_t *output)
{
    const struct mr_voxel_block *block = object;
    mr_put_u64le(output, block->changed);
    mr_put_u64le(output + 8, (uint64_t)block->due_ms);
    output[16] = block->cells_count;
    for (uint32_t voxel = 0; voxel < MR_VOXEL_BLOCK; voxel++)
        if (block->places[voxel] > 0)
            output[BLOCK_HEAD + block->places[voxel] - 1] = (uint8_t)voxel;
    return BLOCK_HEAD + block->cells_count;
}

static bool block_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_voxel_block *block = object;
    if (version != MR_VOXEL_VERSION || stored.size < BLOCK_HEAD ||
        stored.data[16] > MR_VOXEL_BLOCK || stored.size != (size_t)BLOCK_HEAD + stored.data[16])
        return false;
    block->changed = mr_get_u64le(stored.data);
    block->due_ms = (int64_t)mr_get_u64le(stored.data + 8);
    block->cells_count = stored.data[16];
    memset(block->places, 0, sizeof(block->places));
    for (uint32_t cell = 0; cell < block->cells_count; cell++) {
        uint8_t voxel = stored.data[BLOCK_HEAD + cell];
        if (voxel >= MR_VOXEL_BLOCK || block->places[voxel] > 0)
            return false;
        block->places[voxel] = (uint8_t)(cell + 1);
    }
    for (uint32_t voxel = 0; voxel < MR_VOXEL_BLOCK; voxel++)
        if ((block->changed >> voxel & 1) != 0 && block->places[voxel] == 0)
            return false;
    return true;
}

static size_t change_encode(const void *object, uint8_t *output)
{
    const struct mr_voxel_change *change = object;
    mr_put_u64le(output, (uint64_t)change->due_ms);
    mr_put_u64le(output + 8, change->changed);
    return MR_VOXEL_CHANGE_BYTES;
}

static bool change_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_voxel_change *change = object;
    if (version != MR_VOXEL_VERSION || stored.size != MR_VOXEL_CHANGE_BYTES)
        return false;
    change->due_ms = (int64_t)mr_get_u64le(stored.data);
    change->changed = mr_get_u64le(stored.data + 8);
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
    return MR_VOXEL_LAYER_BYTES;
}

static bool layer_decode(void *object, uint32_t version, struct mr_slice stored)
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

static uint32_t voxel_bytes(uint32_t signals_count)
{
    return signals_count * (uint32_t)sizeof(struct mr_voxel_cell);
}

static uint32_t slot_cells(uint32_t signals_count)
{
    uint32_t cells = SLOT_BYTES_WANTED / voxel_bytes(signals_count);
    return cells < 1 ? 1 : cells > SLOT_CELLS_MAX ? SLOT_CELLS_MAX : cells;
}

uint32_t mr_voxel_slot_bytes(uint32_t signals_count)
{
    return slot_cells(signals_count) * voxel_bytes(signals_count);
}

uint32_t mr_voxel_slots_max(uint32_t signals_count)
{
    uint32_t cells = slot_cells(signals_count);
    return (MR_VOXEL_BLOCK + cells - 1) / cells;
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
    struct mr_table_spec spec = table_spec(open->node, "blocks");
    spec.ttl_ms = open->node->state_ttl_ms;
    spec.object_size = sizeof(struct mr_voxel_block);
    spec.encode = block_encode;
    spec.encoded_size_max = MR_VOXEL_BLOCK_BYTES;
    spec.decode = block_decode;
    spec.slot_bytes = mr_voxel_slot_bytes(store->signals_count);
    spec.slots_max = mr_voxel_slots_max(store->signals_count);
    spec.scanned = true;
    enum mr_status status = mr_table_open(open->state, &spec, &store->blocks, error);
    if (status != MR_OK)
        return status;
    spec = table_spec(open->node, "changes");
    spec.object_size = sizeof(struct mr_voxel_change);
    spec.encode = change_encode;
    spec.encoded_size_max = MR_VOXEL_CHANGE_BYTES;
    spec.decode = change_decode;
    spec.timed = true;
    return mr_table_open(open->state, &spec, &store->changes, error);
}

enum mr_status mr_voxel_store_open(struct mr_voxel_store *store,
                                   const struct mr_operator_open *open, uint32_t signals_count,
                                   struct mr_error *error)
{
    *store = (struct mr_voxel_store){.signals_count = signals_count,
                                     .slot_cells = slot_cells(signals_count)};
    enum mr_status status = open_blocks(store, open, error);
    if (status != MR_OK)
        return status;
    struct mr_table_spec spec = table_spec(open->node, "layers");
    spec.object_size = sizeof(struct mr_voxel_layer);
    spec.encode = layer_encode;
    spec.encoded_size_max = MR_VOXEL_LAYER_BYTES;
    spec.decode = layer_decode;
    spec.slot_bytes = voxel_bytes(signals_count);
    spec.slots_max = 1;
    spec.timed = true;
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

struct mr_slice mr_voxel_change_key(uint8_t *output, struct mr_slice block_key, int64_t due_ms)
{
    mr_put_time_be(output, due_ms);
    memcpy(output + MR_VOXEL_CHANGE_KEY_BYTES, block_key.data, block_key.size);
    return mr_slice_from(output, MR_VOXEL_CHANGE_KEY_BYTES + block_key.size);
}

struct mr_slice mr_voxel_change_block(struct mr_slice change_key)
{
    return mr_slice_from(change_key.data + MR_VOXEL_CHANGE_KEY_BYTES,
                         change_key.size - MR_VOXEL_CHANGE_KEY_BYTES);
}

/* ---- Cells ---- */

uint64_t mr_voxel_block_filled(const struct mr_voxel_block *block)
{
    uint64_t filled = 0;
    for (uint32_t voxel = 0; voxel < MR_VOXEL_BLOCK; voxel++)
        filled |= (uint64_t)(block->places[voxel] > 0) << voxel;
    return filled;
}

static enum mr_status find_cells(struct mr_voxel_store *store, struct mr_voxel_block *block,
                                 uint32_t cell, bool write, struct mr_voxel_cell **cells,
                                 struct mr_error *error)
{
    void *slot = NULL;
    enum mr_status status =
        mr_table_slot(store->blocks, block, cell / store->slot_cells, write, &slot, error);
    *cells = (struct mr_voxel_cell *)slot;
    if (status == MR_OK)
        *cells += (size_t)(cell % store->slot_cells) * store->signals_count;
    return status;
}

enum mr_status mr_voxel_store_change(struct mr_voxel_store *store, struct mr_voxel_block *block,
                                     uint32_t voxel, struct mr_voxel_cell **cells, bool *created,
                                     struct mr_error *error)
{
    *created = block->places[voxel] == 0;
    if (*created)
        block->places[voxel] = ++block->cells_count;
    return find_cells(store, block, block->places[voxel] - 1u, true, cells, error);
}

enum mr_status mr_voxel_store_read(struct mr_voxel_store *store, struct mr_voxel_block *block,
                                   uint32_t voxel, const struct mr_voxel_cell **cells,
                                   struct mr_error *error)
{
    MR_ASSERT(block->places[voxel] > 0);
    struct mr_voxel_cell *found = NULL;
    enum mr_status status =
        find_cells(store, block, block->places[voxel] - 1u, false, &found, error);
    *cells = found;
    return status;
}
