/* operators/voxel_store.h — what a voxel grid keeps: tables, stored objects and their layouts.
 * Why blocks: a point must cost one lookup and few bytes of changelog, and a grid of 10^9 voxels no
 * more memory than its points need. A block of 8 x 8 voxels of a layer (operators/voxel_grid.h) is
 * one object: its head says which voxels have cells, in the order in which voxels were first met;
 * the first one's cells lie in the object itself, so that a block with one voxel has nothing else,
 * the others' in slots, so that a point changes one of them. Neighbours share the lookup's cache
 * lines and, in a transaction, the logged slot. What is due is noted by region, 64 blocks at once.
 *
 * Epochs: a layer that is reset is forgotten at once, and its blocks by and by: a block counts only
 * while its epoch is its layer's. Until the last old one is gone `resets` keeps the epoch that the
 * layer begins with when it comes back.
 *
 * Tables (keys: operators/voxel_grid.h), version 1, little-endian but for cells, which are as in
 * memory (operators/voxel_cell.h):
 *   blocks   by block; scanned, since layers and boxes are asked for:
 *            0 u64 voxels changed in one interval, a bit each; 8 i64 when they are due, ms;
 *            16 u32 epoch; 20 u8 cells n; 21 u8[n] the voxel of each cell, then the first one's
 *            cell of each signal. Slots: cells of each signal in turn, from the second voxel on
 *   regions  by due time (8 bytes) and region, timed: 0 i64 due, ms; 8 u64 blocks that have voxels
 *            to tell then, a bit each; 16 u64 of these, blocks that have some in `held`
 *   held     by due time and block: 0 u64 voxels to tell then, besides those that the block itself
 *            holds for the same time
 *   layers   by layer, timed and scanned: 0 u64 points; 8 u64 voxels filled; 16 i64 first, 24 i64
 *            last event time; 32 i64 when it closes because of a higher layer, INT64_MAX: none has
 *            come; 40 i64 due; 48 u32 times closed; 52 u32 1: open; 56 u32 epoch. Slot 0: the cells
 *            of all its points
 *   grids    by the group's key: 0 u64 points; 8 u64 voxels filled; 16 i64 first, 24 i64 last event
 *            time; 32 u32 layers; 36 u32 the highest one
 *   resets   by layer, scanned: 0 u32 the next epoch; 4 u32 j / 8, 8 u32 i / 8 of the block from
 *            which on old ones are to be looked for
 * Bounds: the grid's own number of blocks and layers for each key, and `state:`. */
#ifndef MR_OPERATORS_VOXEL_STORE_H
#define MR_OPERATORS_VOXEL_STORE_H

#include "operators/operator.h"
#include "operators/voxel_cell.h"
#include "operators/voxel_grid.h"
#include "operators/voxel_rows.h"

enum {
    MR_VOXEL_VERSION = 1,
    MR_VOXEL_BLOCK_BYTES = 21 + MR_VOXEL_BLOCK, /* without the cells of its first voxel */
    MR_VOXEL_REGION_BYTES = 24,
    MR_VOXEL_HELD_BYTES = 8,
    MR_VOXEL_DUE_KEY_BYTES = 8, /* before a region's key or a block's */
    MR_VOXEL_LAYER_BYTES = 60,
    MR_VOXEL_TOTALS_BYTES = 40,
    MR_VOXEL_RESET_BYTES = 12
};

struct mr_voxel_block {
    uint64_t changed; /* by the voxel's number */
    int64_t due_ms;   /* of the changes */
    uint32_t epoch;   /* of its layer, when it began */
    uint8_t cells_count;
    uint8_t places[MR_VOXEL_BLOCK]; /* 1 + the number of the voxel's cell; 0: it has none */
    struct mr_voxel_cell first[];   /* one per signal, of the voxel with place 1 */
};

struct mr_voxel_region {
    int64_t due_ms;
    uint64_t blocks; /* by the block's number */
    uint64_t held;
};

struct mr_voxel_held {
    uint64_t changed;
};

struct mr_voxel_reset {
    uint32_t next_epoch;
    uint32_t block_j;
    uint32_t block_i;
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
    uint32_t epoch;
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
    struct mr_table *regions;
    struct mr_table *held;
    struct mr_table *layers;
    struct mr_table *grids;
    struct mr_table *resets;
    uint32_t signals_count;
    uint32_t slot_cells; /* voxels of a slot */
};

extern const char mr_voxel_blocks_table[];
extern const char mr_voxel_layers_table[];
extern const char mr_voxel_grids_table[];

enum mr_status mr_voxel_store_open(struct mr_voxel_store *store,
                                   const struct mr_operator_open *open, uint32_t signals_count,
                                   struct mr_error *error) MR_NODISCARD;
/* Bytes of a block in the cache, of a slot, and slots of a full block. */
uint32_t mr_voxel_object_bytes(uint32_t signals_count);
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
/* Forget a voxel's cells: the last voxel's take their place. Pre: the voxel has a place, and not
 * the only one. */
enum mr_status mr_voxel_store_clear(struct mr_voxel_store *store, struct mr_voxel_block *block,
                                    uint32_t voxel, struct mr_error *error) MR_NODISCARD;
/* The block is of an earlier epoch, or new: begin it. It has no voxels then. */
void mr_voxel_block_begin(struct mr_voxel_block *block, uint32_t epoch);

/* Voxels that have cells, a bit each. */
uint64_t mr_voxel_block_filled(const struct mr_voxel_block *block);

/* The epoch that blocks of a layer have, whether it is stored or not. Errors: those of tables. */
enum mr_status mr_voxel_store_epoch(struct mr_voxel_store *store, struct mr_slice layer_key,
                                    uint64_t hash, uint32_t *epoch,
                                    struct mr_error *error) MR_NODISCARD;

/* The key of a region or a block with its due time before it, written to output. */
struct mr_slice mr_voxel_due_key(uint8_t *output, struct mr_slice key, int64_t due_ms);
/* The region's or block's key in it. */
struct mr_slice mr_voxel_due_key_rest(struct mr_slice due_key);

/* A stored block, without its slots: for queries. false: corrupt. block has room for
 * mr_voxel_object_bytes, zeroed. */
bool mr_voxel_block_decode(struct mr_voxel_block *block, uint32_t version, struct mr_slice stored,
                           uint32_t signals_count);
bool mr_voxel_layer_decode(void *object, uint32_t version, struct mr_slice stored);
/* Where a stored block has a voxel's cells: place 2 and above. */
uint32_t mr_voxel_slot_of(uint32_t signals_count, uint32_t place, uint32_t *first_cell);

/* What is stored of a key's grid; false: corrupt. */
bool mr_voxel_totals_decode(void *object, uint32_t version, struct mr_slice stored);

#endif
