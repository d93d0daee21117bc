/* operators/voxel_grid.h — the geometry of a voxel grid: points into voxels, voxels into blocks.
 * Model: voxel (i, j, k) holds the points with i = floor((x - origin) / resolution) on the first
 * axis, and so on. The grid has ceil((bounds - origin) / resolution) voxels on an axis; a point
 * below the origin, or at the bounds or beyond, is outside: it is in no voxel. Layers are the
 * voxels of one k. A block is 8 x 8 voxels of one layer, since points come layer by layer and near
 * each other: it is what state is looked up by. Voxel 0 to 63 of a block: 8 (j mod 8) + i mod 8.
 * A region is 8 x 8 blocks of one layer, numbered alike: what is noted of many blocks at once.
 * Pure; no memory. */
#ifndef MR_OPERATORS_VOXEL_GRID_H
#define MR_OPERATORS_VOXEL_GRID_H

#include "base/options.h"

enum {
    MR_VOXEL_AXES = 3,
    MR_VOXEL_SIDE = 8,
    MR_VOXEL_BLOCK = MR_VOXEL_SIDE * MR_VOXEL_SIDE,
    MR_VOXEL_REGION_SIDE = MR_VOXEL_SIDE * MR_VOXEL_SIDE, /* in voxels; blocks: MR_VOXEL_SIDE */
    MR_VOXEL_SIZE_BYTES = 4,                              /* before the group's key */
    MR_VOXEL_INDEX_BYTES = 4,                             /* of an index or a block's number */
    /* What a block's key has beside the group's. */
    MR_VOXEL_KEY_BYTES = MR_VOXEL_SIZE_BYTES + MR_VOXEL_AXES * MR_VOXEL_INDEX_BYTES,
    MR_VOXEL_LAYER_KEY_BYTES = MR_VOXEL_SIZE_BYTES + MR_VOXEL_INDEX_BYTES, /* and a layer's */
    MR_VOXEL_COUNT_MAX = 1 << 20 /* voxels on an axis, so that those of a grid are an int */
};

struct mr_voxel_grid {
    double origin[MR_VOXEL_AXES];
    double resolution[MR_VOXEL_AXES];
    double bounds[MR_VOXEL_AXES];
    uint32_t count[MR_VOXEL_AXES]; /* voxels on the axis */
};

struct mr_voxel_index {
    uint32_t axis[MR_VOXEL_AXES];
};

/* Voxels of one layer next to each other, both ends included. */
struct mr_voxel_box {
    uint32_t first_i;
    uint32_t last_i;
    uint32_t first_j;
    uint32_t last_j;
};

/* Voxels next to each other on each axis, both ends included. */
struct mr_voxel_range {
    uint32_t first[MR_VOXEL_AXES];
    uint32_t last[MR_VOXEL_AXES];
};

/* Out of the options origin, resolution and bounds. MR_INVALID names the option that is wrong. */
enum mr_status mr_voxel_grid_read(struct mr_voxel_grid *grid, const struct mr_options *options,
                                  const char **option, struct mr_error *error) MR_NODISCARD;
/* The voxel of a point of finite numbers; false: it is outside. */
bool mr_voxel_grid_find(const struct mr_voxel_grid *grid, const double *point,
                        struct mr_voxel_index *index);
/* A voxel's lower edge on an axis; of index + 1: its upper one. */
double mr_voxel_grid_edge(const struct mr_voxel_grid *grid, uint32_t axis, uint32_t index);
double mr_voxel_grid_centre(const struct mr_voxel_grid *grid, uint32_t axis, uint32_t index);
/* The voxels that the box from `from` to `to`, which is not in it, reaches into; edges of voxels
 * count as themselves whatever rounding makes of them. false: it is empty or outside. */
bool mr_voxel_grid_range(const struct mr_voxel_grid *grid, const double *from, const double *to,
                         struct mr_voxel_range *range);
/* All of the grid. */
void mr_voxel_grid_whole(const struct mr_voxel_grid *grid, struct mr_voxel_range *range);
/* It has whole layers. */
bool mr_voxel_range_has_layers(const struct mr_voxel_grid *grid,
                               const struct mr_voxel_range *range);
/* The voxels of a block that are in the range's box of a layer, a bit each; first is the block's
 * first voxel. */
uint64_t mr_voxel_range_bits(const struct mr_voxel_range *range,
                             const struct mr_voxel_index *first);
/* Voxels of a layer, and of all. */
int64_t mr_voxel_grid_layer(const struct mr_voxel_grid *grid);
int64_t mr_voxel_grid_total(const struct mr_voxel_grid *grid);

/* The number of a voxel in its block. */
static inline uint32_t mr_voxel_number(const struct mr_voxel_index *index)
{
    return index->axis[1] % MR_VOXEL_SIDE * MR_VOXEL_SIDE + index->axis[0] % MR_VOXEL_SIDE;
}

/* The number of a voxel's block in its region. */
static inline uint32_t mr_voxel_block_number(const struct mr_voxel_index *index)
{
    return index->axis[1] / MR_VOXEL_SIDE % MR_VOXEL_SIDE * MR_VOXEL_SIDE +
           index->axis[0] / MR_VOXEL_SIDE % MR_VOXEL_SIDE;
}

/* Write the key of the block of a voxel, key.size + MR_VOXEL_KEY_BYTES bytes: the group key's size,
 * the key, then k, j / 8, i / 8, big-endian each, so that blocks of a group and a layer are in a
 * row. Without the last two numbers it is the key of the layer. */
struct mr_slice mr_voxel_block_key(uint8_t *output, struct mr_slice key,
                                   const struct mr_voxel_index *index);
struct mr_slice mr_voxel_layer_key(uint8_t *output, struct mr_slice key, uint32_t layer);
/* The key of a voxel's region: as a block's, with j / 64 and i / 64. */
struct mr_slice mr_voxel_region_key(uint8_t *output, struct mr_slice key,
                                    const struct mr_voxel_index *index);
/* The group's key of a region's, and the first voxel of one of its blocks. */
struct mr_slice mr_voxel_region_read(struct mr_slice stored, uint32_t block,
                                     struct mr_voxel_index *index);
/* The group's key, and the first voxel of the block; of a layer's key the layer alone. */
struct mr_slice mr_voxel_key_read(struct mr_slice stored, struct mr_voxel_index *index);

/* Take a box of set bits out of a block's, one per voxel by its number; first is the block's first
 * voxel. Boxes that are taken until no bit is left cover the bits exactly, and none twice. Pre: a
 * bit is set. */
struct mr_voxel_box mr_voxel_box_take(uint64_t *bits, const struct mr_voxel_index *first);

#endif
