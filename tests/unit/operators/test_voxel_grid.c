/* tests/unit/operators/test_voxel_grid.c — which voxel a point is in, keys of blocks, boxes. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/voxel_grid.h"

static enum mr_status try_read(struct mr_voxel_grid *grid, const double *origin,
                               const double *bounds, const double *resolution, const char **option)
{
    static const struct mr_option_spec specs[] = {
        {.name = "origin", .type = MR_OPTION_NUMBERS},
        {.name = "bounds", .type = MR_OPTION_NUMBERS},
        {.name = "resolution", .type = MR_OPTION_NUMBERS},
        {.name = NULL},
    };
    struct mr_option_value values[] = {
        {.present = origin != NULL, .numbers = origin},
        {.present = true, .numbers = bounds},
        {.present = true, .numbers = resolution},
    };
    const struct mr_options options = {.specs = specs, .count = 3, .values = values};
    struct mr_error error = {0};
    *option = NULL;
    return mr_voxel_grid_read(grid, &options, option, &error);
}

static struct mr_voxel_grid grid_of(const double *origin, const double *bounds,
                                    const double *resolution)
{
    struct mr_voxel_grid grid;
    const char *option;
    assert_int_equal(try_read(&grid, origin, bounds, resolution, &option), MR_OK);
    return grid;
}

static void sizes_are_whole(void **state)
{
    MR_UNUSED(state);
    struct mr_voxel_grid grid =
        grid_of(NULL, (const double[]){1.1, 0.3, 10.5}, (const double[]){0.1, 0.1, 2});
    assert_int_equal(grid.count[0], 11); /* though 1.1 / 0.1 is above 11 */
    assert_int_equal(grid.count[1], 3);  /* and 0.3 / 0.1 below 3 */
    assert_int_equal(grid.count[2], 6);
    assert_int_equal(mr_voxel_grid_layer(&grid), 33);
    assert_int_equal(mr_voxel_grid_total(&grid), 198);
    assert_true(mr_voxel_grid_centre(&grid, 2, 1) == 3 && mr_voxel_grid_edge(&grid, 2, 1) == 2);
}

static void wrong_options_are_named(void **state)
{
    MR_UNUSED(state);
    struct mr_voxel_grid grid;
    const char *option;
    const double ones[] = {1, 1, 1};
    assert_int_equal(try_read(&grid, NULL, ones, (const double[]){1, 0, 1}, &option), MR_INVALID);
    assert_string_equal(option, "resolution");
    assert_int_equal(try_read(&grid, ones, (const double[]){2, 2, 1}, ones, &option), MR_INVALID);
    assert_string_equal(option, "bounds");
    assert_int_equal(try_read(&grid, NULL, ones, (const double[]){1, 1e-7, 1}, &option),
                     MR_INVALID);
    assert_string_equal(option, "bounds");
    assert_int_equal(try_read(&grid, (const double[]){-DBL_MAX, 0, 0},
                              (const double[]){DBL_MAX, 1, 1}, ones, &option),
                     MR_INVALID);
    assert_string_equal(option, "bounds");
}

static void points_at_the_edges(void **state)
{
    MR_UNUSED(state);
    const double origin[] = {-1, 0, 10};
    struct mr_voxel_grid grid =
        grid_of(origin, (const double[]){1, 0.7, 20}, (const double[]){0.5, 0.1, 3});
    struct mr_voxel_index index;
    assert_true(mr_voxel_grid_find(&grid, origin, &index));
    assert_int_equal(index.axis[0] + index.axis[1] + index.axis[2], 0);
    assert_true(mr_voxel_grid_find(&grid, (const double[]){0.999, 0.65, 19.9}, &index));
    assert_int_equal(index.axis[0], 3);
    assert_int_equal(index.axis[1], 6);
    assert_int_equal(index.axis[2], 3);
    /* In the last voxel, but beyond the bounds. */
    assert_false(mr_voxel_grid_find(&grid, (const double[]){0, 0, 20}, &index));
    assert_false(mr_voxel_grid_find(&grid, (const double[]){0, 0, 21}, &index));
    assert_false(mr_voxel_grid_find(&grid, (const double[]){1, 0, 11}, &index));
    assert_false(mr_voxel_grid_find(&grid, (const double[]){0, -1e-300, 11}, &index));
    assert_false(mr_voxel_grid_find(&grid, (const double[]){0, 1e308, 11}, &index));
}

static void keys_are_read_back(void **state)
{
    MR_UNUSED(state);
    uint8_t bytes[64];
    uint8_t layer_bytes[64];
    struct mr_voxel_index index = {{1000, 77, 9}};
    struct mr_voxel_index first;
    struct mr_slice key = mr_voxel_block_key(bytes, mr_slice_text("build"), &index);
    assert_int_equal(key.size, 5 + MR_VOXEL_KEY_BYTES);
    assert_true(mr_slice_equal(mr_voxel_key_read(key, &first), mr_slice_text("build")));
    assert_int_equal(first.axis[0], 1000);
    assert_int_equal(first.axis[1], 72);
    assert_int_equal(first.axis[2], 9);
    assert_int_equal(mr_voxel_number(&index), 5 * 8);
    struct mr_slice layer = mr_voxel_layer_key(layer_bytes, mr_slice_text("build"), 9);
    assert_memory_equal(layer.data, key.data, layer.size);
    assert_true(mr_slice_equal(mr_voxel_key_read(layer, &first), mr_slice_text("build")));
    assert_int_equal(first.axis[2], 9);
    assert_int_equal(first.axis[0], 0);
    struct mr_slice region = mr_voxel_region_key(bytes, mr_slice_text("build"), &index);
    uint32_t number = mr_voxel_block_number(&index);
    assert_true(
        mr_slice_equal(mr_voxel_region_read(region, number, &first), mr_slice_text("build")));
    assert_int_equal(first.axis[0], 1000);
    assert_int_equal(first.axis[1], 72);
    assert_int_equal(first.axis[2], 9);
}

/* A box has the voxels that it reaches into; edges are edges, whatever 0.1 is. */
static void boxes_become_ranges(void **state)
{
    MR_UNUSED(state);
    const struct mr_voxel_grid grid = {.origin = {0.3, 0, -1},
                                       .resolution = {0.1, 0.5, 1},
                                       .bounds = {100.3, 10, 2},
                                       .count = {1000, 20, 3}};
    struct mr_voxel_range range;
    for (uint32_t edge = 0; edge < 999; edge++) {
        const double from[] = {mr_voxel_grid_edge(&grid, 0, edge), 0.25, -9};
        const double to[] = {mr_voxel_grid_edge(&grid, 0, edge + 2), 0.75, 9};
        assert_true(mr_voxel_grid_range(&grid, from, to, &range));
        assert_int_equal(range.first[0], edge);
        assert_int_equal(range.last[0], edge + 1);
        assert_int_equal(range.first[1], 0);
        assert_int_equal(range.last[1], 1);
        assert_int_equal(range.first[2], 0);
        assert_int_equal(range.last[2], 2);
    }
    const double low[] = {0.3, 0, -1};
    const double high[] = {100.3, 10, 2};
    assert_false(mr_voxel_grid_range(&grid, low, low, &range));
    assert_false(mr_voxel_grid_range(&grid, high, low, &range));
    assert_false(mr_voxel_grid_range(&grid, high, (const double[]){200, 20, 20}, &range));
    assert_true(mr_voxel_grid_range(&grid, low, high, &range));
    assert_true(mr_voxel_range_has_layers(&grid, &range));
    range.first[2] = range.last[2] = 1;
    assert_true(mr_voxel_range_has_layers(&grid, &range));
    const struct mr_voxel_index block = {{992, 16, 1}};
    assert_true(mr_voxel_range_bits(&range, &block) == 0xffffffff);
    range.last[0] = 993;
    range.first[1] = 17;
    assert_false(mr_voxel_range_has_layers(&grid, &range));
    assert_true(mr_voxel_range_bits(&range, &block) == 0x03030300);
}

/* Boxes of random bits cover each bit once, and nothing else. */
static void boxes_cover_exactly(void **state)
{
    MR_UNUSED(state);
    struct mr_random random;
    const struct mr_voxel_index first = {{16, 8, 3}};
    mr_random_init(&random, 3, 0);
    for (uint32_t round = 0; round < 2000; round++) {
        uint64_t bits = mr_random_u64(&random);
        for (uint32_t thin = 0; thin < round % 4; thin++)
            bits = round % 2 == 0 ? bits & mr_random_u64(&random) : bits | mr_random_u64(&random);
        uint64_t covered = 0;
        for (uint64_t rest = bits; rest != 0;) {
            struct mr_voxel_box box = mr_voxel_box_take(&rest, &first);
            for (uint32_t j = box.first_j; j <= box.last_j; j++)
                for (uint32_t i = box.first_i; i <= box.last_i; i++) {
                    uint64_t bit = UINT64_C(1) << ((j - 8) * 8 + i - 16);
                    assert_true((bits & bit) != 0 && (covered & bit) == 0);
                    covered |= bit;
                }
        }
        assert_true(covered == bits);
    }
    uint64_t all = UINT64_MAX;
    struct mr_voxel_box box = mr_voxel_box_take(&all, &first);
    assert_true(all == 0 && box.first_i == 16 && box.last_i == 23 && box.last_j == 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_whole),     cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(points_at_the_edges), cmocka_unit_test(keys_are_read_back),
        cmocka_unit_test(boxes_cover_exactly), cmocka_unit_test(boxes_become_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
