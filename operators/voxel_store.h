/* operators/voxel_store.h — what a voxel grid keeps: tables, stored objects and their layouts.
 * Why blocks: a point must cost one lookup and few bytes of changelog, and a grid of 10^9 voxels no
 * more memory than its points need. A block of 8 x 8 voxels of a layer (operators/voxel_grid.h) is
 * one object: its head says which voxels have cells, and cells lie in slots in the order in which
 * voxels were first met, so that an almost empty block is small and a point changes one slot.
 * Neighbours share the lookup's cache lines and, in a transaction, the logged slot.
 *
 * Tables (keys: operators/voxel_grid.h), version 1, little-endian but for cells, which are as in
 * memory (operators/voxel_cell.h):
 *   blocks   by block; scanned, since layers and boxes are asked for:
 *            0 u64 voxels changed in one interval, a bit each; 8 i64 when they are due, ms;
 *            16 u8 cells n; 17 u8[n] the voxel of each cell. Slots: cells of each signal in turn
 *   changes  by due time (8 bytes) and block, timed. 0 i64 due, ms; 8 u64 voxels, besides those
 *            that the block holds for the same time
 *   layers   by layer, timed: 0 u64 points; 8 u64 voxels filled; 16 i64 first, 24 i64 last event
 *            time; 32 i64 when it closes because of a higher layer, INT64_MAX: none has come;
 *            40 i64 due; 48 u32 times closed; 52 u32 1: open. Slot 0: the cells of all its points
 *   grids    by the group's key: 0 u64 points; 8 u64 voxels filled; 16 i64 first, 24 i64 last event
 *            time; 32 u32 layers; 36 u32 the highest one
 * Bounds: the grid's own number of blocks and layers for each key, and `state:`. */
#ifndef MR_OPERATORS_VOXEL_STORE_H
#define MR_OPERATORS_VOXEL_STORE_H

#include "operators/operator.h"
#include "operators/voxel_cell.h"
#include "operators/voxel_grid.h"
#include "operators/voxel_rows.h"

enum {
    MR_VOXEL_VERSION = 1,
    MR_VOXEL_BLOCK_BYTES = 17 + MR_VOXEL_BLOCK,
    MR_VOXEL_CHANGE_BYTES = 16,
    MR_VOXEL_CHANGE_KEY_BYTES = 8, /* before a block's key */
    MR_VOXEL_LAYER_BYTES = 56,
    MR_VOXEL_TOTALS_BYTES = 40
};

struct mr_voxel_block {
    uint64_t changed; /* by the voxel's number */
    int64_t due_ms;   /* of the changes */
    uint8_t cells_count;
    uint8_t places[MR_VOXEL_BLOCK]; /* 1 + the number of the voxel's cell; 0: it has none */
};

struct mr_voxel_change {
    int64_t due_ms;
    uint64_t changed;
};

struct mr_voxel_layer {
    uint64_t points;
    uint64_t filled;
    int64_t first_ms;
    int64_t last_ms;
    int64_t close_ms;
    int64_t due_ms;
    uint32_t closings;
    uint32_t is_open;
};

struct mr_voxel_totals {
    uint64_t points;
    uint64_t filled;
    int64_t first_ms;
    int64_t last_ms;
    uint32_t layers;
    uint32_t highest;
};

struct mr_voxel_store {
    struct mr_table *blocks;
    struct mr_table *changes;
    struct mr_table *layers;
    struct mr_table *grids;
    uint32_t signals_count;
    uint32_t slot_cells; /* voxels of a slot */
};

extern const char mr_voxel_grids_table[];

enum mr_status mr_voxel_store_open(struct mr_voxel_store *store,
                                   const struct mr_operator_open *open, uint32_t signals_count,
                                   struct mr_error *error) MR_NODISCARD;
/* Bytes of a slot of a block, and slots of a full one. */
uint32_t mr_voxel_slot_bytes(uint32_t signals_count);
uint32_t mr_voxel_slots_max(uint32_t signals_count);

/* The cells of a voxel, one per signal, to be changed; *created: it had none. block is the last
 * object handed out. Errors: as mr_table_slot. */
enum mr_status mr_voxel_store_change(struct mr_voxel_store *store, struct mr_voxel_block *block,
                                     uint32_t voxel, struct mr_voxel_cell **cells, bool *created,
                                     struct mr_error *error) MR_NODISCARD;
/* The same, to be read. Pre: the voxel has a place. */
enum mr_status mr_voxel_store_read(struct mr_voxel_store *store, struct mr_voxel_block *block,
                                   uint32_t voxel, const struct mr_voxel_cell **cells,
                                   struct mr_error *error) MR_NODISCARD;

/* Voxels that have cells, a bit each. */
uint64_t mr_voxel_block_filled(const struct mr_voxel_block *block);

/* The key of changes, written to output, and the block's key in it. */
struct mr_slice mr_voxel_change_key(uint8_t *output, struct mr_slice block_key, int64_t due_ms);
struct mr_slice mr_voxel_change_block(struct mr_slice change_key);

/* What is stored of a key's grid; false: corrupt. */
bool mr_voxel_totals_decode(void *object, uint32_t version, struct mr_slice stored);

#endif
