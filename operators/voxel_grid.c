/* operators/voxel_grid.c — see voxel_grid.h. */
#include "operators/voxel_grid.h"

#include <math.h>

#include "base/assert.h"
#include "base/endian.h"

/* A grid whose bounds are a whole number of voxels away has that number, whatever division makes of
 * it: 1.1 / 0.1 is a little more than 11. */
static const double WHOLE_WITHIN = 1e-9;

static enum mr_status read_axis(struct mr_voxel_grid *grid, uint32_t axis, const char **option,
                                struct mr_error *error)
{
    double size = grid->bounds[axis] - grid->origin[axis];
    if (!(grid->resolution[axis] > 0)) {
        *option = "resolution";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`resolution`: the side of a voxel must be above 0 on each axis, it is %g",
                       grid->resolution[axis]);
    }
    *option = "bounds";
    if (!(size > 0) || !isfinite(size))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`bounds` are the upper ends of the axes: each must be above `origin`, and "
                       "%g is not above %g",
                       grid->bounds[axis], grid->origin[axis]);
    double voxels = size / grid->resolution[axis];
    double whole = nearbyint(voxels);
    voxels = fabs(voxels - whole) <= WHOLE_WITHIN * whole ? whole : ceil(voxels);
    if (!(voxels <= MR_VOXEL_COUNT_MAX))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`bounds`: an axis would have %g voxels, at most %d are possible: take a "
                       "larger `resolution`",
                       voxels, (int)MR_VOXEL_COUNT_MAX);
    grid->count[axis] = voxels < 1 ? 1 : (uint32_t)voxels;
    return MR_OK;
}

enum mr_status mr_voxel_grid_read(struct mr_voxel_grid *grid, const struct mr_options *options,
                                  const char **option, struct mr_error *error)
{
    const struct mr_option_value *origin = mr_options_get(options, "origin");
    const struct mr_option_value *resolution = mr_options_get(options, "resolution");
    const struct mr_option_value *bounds = mr_options_get(options, "bounds");
    enum mr_status status = MR_OK;
    for (uint32_t axis = 0; axis < MR_VOXEL_AXES && status == MR_OK; axis++) {
        grid->origin[axis] = origin->present ? origin->numbers[axis] : 0;
        grid->resolution[axis] = resolution->numbers[axis];
        grid->bounds[axis] = bounds->numbers[axis];
        status = read_axis(grid, axis, option, error);
    }
    return status;
}

bool mr_voxel_grid_find(const struct mr_voxel_grid *grid, const double *point,
                        struct mr_voxel_index *index)
{
    for (uint32_t axis = 0; axis < MR_VOXEL_AXES; axis++) {
        double place = (point[axis] - grid->origin[axis]) / grid->resolution[axis];
        /* Not negative: the whole part is the floor. */
        if (!(place >= 0) || !(place < grid->count[axis]) || !(point[axis] < grid->bounds[axis]))
            return false;
        index->axis[axis] = (uint32_t)place;
    }
    return true;
}

double mr_voxel_grid_edge(const struct mr_voxel_grid *grid, uint32_t axis, uint32_t index)
{
    return grid->origin[axis] + (double)index * grid->resolution[axis];
}

double mr_voxel_grid_centre(const struct mr_voxel_grid *grid, uint32_t axis, uint32_t index)
{
    return grid->origin[axis] + ((double)index + 0.5) * grid->resolution[axis];
}

int64_t mr_voxel_grid_layer(const struct mr_voxel_grid *grid)
{
    return (int64_t)grid->count[0] * grid->count[1];
}

int64_t mr_voxel_grid_total(const struct mr_voxel_grid *grid)
{
    return mr_voxel_grid_layer(grid) * grid->count[2];
}

/* ---- Ranges ---- */

/* A place in voxels from the origin; next to an edge it is the edge. */
static double in_voxels(const struct mr_voxel_grid *grid, uint32_t axis, double place)
{
    double voxels = (place - grid->origin[axis]) / grid->resolution[axis];
    double whole = nearbyint(voxels);
    return fabs(voxels - whole) <= WHOLE_WITHIN * fmax(1, fabs(whole)) ? whole : voxels;
}

bool mr_voxel_grid_range(const struct mr_voxel_grid *grid, const double *from, const double *to,
                         struct mr_voxel_range *range)
{
    for (uint32_t axis = 0; axis < MR_VOXEL_AXES; axis++) {
        double first = floor(in_voxels(grid, axis, from[axis]));
        double end = ceil(in_voxels(grid, axis, to[axis]));
        first = first < 0 ? 0 : first;
        end = end > grid->count[axis] ? grid->count[axis] : end;
        if (!(from[axis] < to[axis]) || !(first < end))
            return false;
        range->first[axis] = (uint32_t)first;
        range->last[axis] = (uint32_t)end - 1;
    }
    return true;
}

void mr_voxel_grid_whole(const struct mr_voxel_grid *grid, struct mr_voxel_range *range)
{
    for (uint32_t axis = 0; axis < MR_VOXEL_AXES; axis++) {
        range->first[axis] = 0;
        range->last[axis] = grid->count[axis] - 1;
    }
}

bool mr_voxel_range_has_layers(const struct mr_voxel_grid *grid, const struct mr_voxel_range *range)
{
    for (uint32_t axis = 0; axis < 2; axis++)
        if (range->first[axis] > 0 || range->last[axis] + 1 < grid->count[axis])
            return false;
    return true;
}

/* Places 0 to 7 of a block on an axis that are in the range, a bit each. */
static uint32_t side_bits(const struct mr_voxel_range *range, uint32_t axis, uint32_t start)
{
    uint32_t bits = 0;
    for (uint32_t place = 0; place < MR_VOXEL_SIDE; place++)
        if (start + place >= range->first[axis] && start + place <= range->last[axis])
            bits |= 1u << place;
    return bits;
}

uint64_t mr_voxel_range_bits(const struct mr_voxel_range *range, const struct mr_voxel_index *first)
{
    uint64_t columns = side_bits(range, 0, first->axis[0]);
    uint32_t rows = side_bits(range, 1, first->axis[1]);
    uint64_t bits = 0;
    for (uint32_t row = 0; row < MR_VOXEL_SIDE; row++)
        if ((rows >> row & 1) != 0)
            bits |= columns << row * MR_VOXEL_SIDE;
    return bits;
}

/* ---- Keys ---- */

struct mr_slice mr_voxel_layer_key(uint8_t *output, struct mr_slice key, uint32_t layer)
{
    mr_put_u32be(output, (uint32_t)key.size);
    if (key.size > 0)
        memcpy(output + MR_VOXEL_SIZE_BYTES, key.data, key.size);
    mr_put_u32be(output + MR_VOXEL_SIZE_BYTES + key.size, layer);
    return mr_slice_from(output, key.size + MR_VOXEL_LAYER_KEY_BYTES);
}

static struct mr_slice place_key(uint8_t *output, struct mr_slice key,
                                 const struct mr_voxel_index *index, uint32_t side)
{
    struct mr_slice layer = mr_voxel_layer_key(output, key, index->axis[2]);
    mr_put_u32be(output + layer.size, index->axis[1] / side);
    mr_put_u32be(output + layer.size + MR_VOXEL_INDEX_BYTES, index->axis[0] / side);
    return mr_slice_from(output, key.size + MR_VOXEL_KEY_BYTES);
}

struct mr_slice mr_voxel_block_key(uint8_t *output, struct mr_slice key,
                                   const struct mr_voxel_index *index)
{
    return place_key(output, key, index, MR_VOXEL_SIDE);
}

struct mr_slice mr_voxel_region_key(uint8_t *output, struct mr_slice key,
                                    const struct mr_voxel_index *index)
{
    return place_key(output, key, index, MR_VOXEL_REGION_SIDE);
}

struct mr_slice mr_voxel_region_read(struct mr_slice stored, uint32_t block,
                                     struct mr_voxel_index *index)
{
    struct mr_slice key = mr_voxel_key_read(stored, index);
    index->axis[1] = index->axis[1] * MR_VOXEL_SIDE + block / MR_VOXEL_SIDE * MR_VOXEL_SIDE;
    index->axis[0] = index->axis[0] * MR_VOXEL_SIDE + block % MR_VOXEL_SIDE * MR_VOXEL_SIDE;
    return key;
}

struct mr_slice mr_voxel_key_read(struct mr_slice stored, struct mr_voxel_index *index)
{
    size_t size = mr_get_u32be(stored.data);
    const uint8_t *place = stored.data + MR_VOXEL_SIZE_BYTES + size;
    *index = (struct mr_voxel_index){{0, 0, mr_get_u32be(place)}};
    if (stored.size == size + MR_VOXEL_KEY_BYTES) {
        index->axis[1] = mr_get_u32be(place + 4) * MR_VOXEL_SIDE;
        index->axis[0] = mr_get_u32be(place + 8) * MR_VOXEL_SIDE;
    }
    return mr_slice_from(stored.data + MR_VOXEL_SIZE_BYTES, size);
}

/* ---- Boxes ---- */

struct mr_voxel_box mr_voxel_box_take(uint64_t *bits, const struct mr_voxel_index *first)
{
    MR_ASSERT(*bits != 0);
    uint32_t lowest = (uint32_t)__builtin_ctzll(*bits);
    uint32_t row = lowest / MR_VOXEL_SIDE;
    uint32_t column = lowest % MR_VOXEL_SIDE;
    uint32_t width = 1;
    while (column + width < MR_VOXEL_SIDE && (*bits >> (lowest + width) & 1) != 0)
        width++;
    const uint64_t run = ((UINT64_C(1) << width) - 1) << column;
    uint32_t height = 0;
    while (row + height < MR_VOXEL_SIDE && (*bits >> (row + height) * MR_VOXEL_SIDE & run) == run) {
        *bits &= ~(run << (row + height) * MR_VOXEL_SIDE);
        height++;
    }
    return (struct mr_voxel_box){.first_i = first->axis[0] + column,
                                 .last_i = first->axis[0] + column + width - 1,
                                 .first_j = first->axis[1] + row,
                                 .last_j = first->axis[1] + row + height - 1};
}
