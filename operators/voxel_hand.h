/* operators/voxel_hand.h — the total of a key and the statistics of a layer that points come to,
 * in hand: copies of what is stored, put back when another layer comes, when something is due, and
 * at the end of a call.
 * Why: points come layer by layer. A lookup for each of them in two more tables would double what a
 * point costs; the stored bytes are the same as if there were no hand.
 * Layers: one closes when a point of a higher layer of its key has come and the watermark is
 * `lateness` behind that point, or when the watermark is `timeout` behind its own last point. A
 * point that comes to a layer below the highest opens it again: it closes as if that point had
 * begun a higher one, at the end of the interval (`every`) of that, so that a layer is told once an
 * interval at most. A closed one stays stored, due never.
 * Memory: an arena of two keys. Internal to voxel_aggregate.c. */
#ifndef MR_OPERATORS_VOXEL_HAND_H
#define MR_OPERATORS_VOXEL_HAND_H

#include "operators/voxel_store.h"

/* A point in the grid. */
struct mr_voxel_point {
    uint32_t row;
    struct mr_voxel_index index;
    uint32_t voxel; /* of the block */
    uint32_t layer;
    struct mr_slice key; /* of the group */
    struct mr_slice block_key;
    uint64_t hash;         /* of block_key */
    int64_t event_time_ms; /* of the row */
    int64_t now_ms;        /* the watermark up to which all that was due is told */
    double *numbers;       /* one per signal; NaN: it has none */
};

struct mr_voxel_hand {
    struct mr_voxel_store *store;
    struct mr_arena keys;
    int64_t lateness_ms;
    int64_t timeout_ms;
    int64_t every_ms;
    int64_t next_ms; /* no layer that was touched since this was set is due before */
    bool has_totals;
    struct mr_slice key; /* of the group */
    uint64_t hash;
    struct mr_voxel_totals totals;
    bool has_layer;
    uint32_t number; /* of the layer */
    struct mr_slice layer_key;
    uint64_t layer_hash;
    struct mr_voxel_layer layer;
    struct mr_voxel_cell cells[MR_VOXEL_SIGNALS_MAX];
};

void mr_voxel_hand_init(struct mr_voxel_hand *hand, struct mr_voxel_store *store,
                        int64_t lateness_ms, int64_t timeout_ms, int64_t every_ms);
void mr_voxel_hand_deinit(struct mr_voxel_hand *hand);
/* Take the point's total and layer. Errors: those of tables. */
enum mr_status mr_voxel_hand_take(struct mr_voxel_hand *hand, const struct mr_voxel_point *point,
                                  struct mr_error *error) MR_NODISCARD;
/* Add the point to what was taken for it. filled: its voxel was empty. */
void mr_voxel_hand_add(struct mr_voxel_hand *hand, const struct mr_voxel_point *point, bool filled);
/* Store what is in hand, if anything is. */
enum mr_status mr_voxel_hand_put(struct mr_voxel_hand *hand, struct mr_error *error) MR_NODISCARD;

#endif
