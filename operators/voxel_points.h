/* operators/voxel_points.h — rows into points: position, signals, block.
 * A row without a number as its position, or with one beyond 1e140, is reported, and one that is
 * outside of the grid is noted. A signal that is missing or null is left out of the point; a point
 * without any signal, or with one that is no such number, is reported.
 * Memory: the context's arena. Internal to voxel_aggregate.c. */
#ifndef MR_OPERATORS_VOXEL_POINTS_H
#define MR_OPERATORS_VOXEL_POINTS_H

#include "operators/voxel_hand.h"

/* What is read of a row; as of open, borrowed from the plan. */
struct mr_voxel_reading {
    struct mr_voxel_grid grid;
    const char *const *position_texts;
    const uint32_t *position_slots;
    const char *const *names; /* of the signals: their paths */
    const uint32_t *signal_slots;
    uint32_t signals_count;
};

struct mr_voxel_points {
    struct mr_voxel_point *items;
    uint64_t *hashes; /* of their block keys */
    uint32_t count;
    struct mr_view outside;
};

/* keys: of the groups, by row. */
void mr_voxel_points_read(const struct mr_voxel_reading *reading,
                          struct mr_operator_context *context, struct mr_view view,
                          const struct mr_slice *keys, struct mr_voxel_points *points);

#endif
