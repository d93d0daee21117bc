/* tests/unit/operators/test_random_cut_tree.c — trees that are changed point by
 * point, beside their definitions; script/detectors --check compares with rrcf.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"
#include "operators/random_cut_tree.h"

enum { CAPACITY = 32, DIMENSIONS = 3, STEPS = 2000 };

static const double weights[DIMENSIONS] = {1, 1, 1};
static double scratch[2 * DIMENSIONS];

static void *new_tree(struct mr_cut_tree *tree)
{
    void *memory = mr_memory_new(mr_cut_tree_bytes(CAPACITY, DIMENSIONS), 1);
    mr_cut_tree_init(tree, CAPACITY, DIMENSIONS, memory);
    return memory;
}

static void draw_point(struct mr_random *random, double *point)
{
    for (uint32_t at = 0; at < DIMENSIONS; at++)
        point[at] = mr_random_below(random, 4) == 0 ? (double)mr_random_below(random, 2)
                                                    : mr_random_normal(random);
}

/* Everything derived is as computed anew; all points below a branch keep to its
 * cut. */
static void check_tree(struct mr_cut_tree *tree)
{
    static uint8_t before[1 << 16];
    size_t size = mr_cut_tree_bytes(CAPACITY, DIMENSIONS);
    uint32_t root = tree->root;
    assert_true(size <= sizeof(before));
    memcpy(before, tree->points, size);
    assert_true(mr_cut_tree_derive(tree));
    assert_int_equal(tree->root, root);
    const struct mr_cut_tree *copy = tree;
    size_t counts = (size_t)((const uint8_t *)copy->counts - (const uint8_t *)copy->points);
    assert_memory_equal(before + counts, tree->counts, sizeof(uint32_t) * (2 * CAPACITY - 1));
    for (uint32_t node = 0; node < 2 * CAPACITY - 1; node++) {
        if (tree->counts[node] == 0)
            continue;
        size_t place =
            (size_t)((const uint8_t *)&copy->parents[node] - (const uint8_t *)copy->points);
        assert_memory_equal(before + place, &tree->parents[node], sizeof(uint16_t));
        if (node < CAPACITY)
            continue;
        const double *box = &tree->boxes[2 * (size_t)(node - CAPACITY) * DIMENSIONS];
        place = (size_t)((const uint8_t *)box - (const uint8_t *)copy->points);
        assert_memory_equal(before + place, box, sizeof(double) * 2 * DIMENSIONS);
    }
}

static void test_inserts_and_forgets(void **state)
{
    MR_UNUSED(state);
    struct mr_cut_tree tree;
    void *memory = new_tree(&tree);
    struct mr_random random;
    mr_random_init(&random, 3, 0);
    for (uint64_t step = 0; step < STEPS; step++) {
        struct mr_cut_touched touched = {.count = 0};
        uint32_t count = mr_cut_tree_count(&tree);
        bool full = count == CAPACITY;
        if (full || (count > 0 && mr_random_below(&random, 3) == 0)) {
            uint32_t number = (uint32_t)mr_random_below(&random, count);
            mr_cut_tree_forget(&tree, mr_cut_tree_leaf(&tree, number), &touched);
            assert_int_equal(mr_cut_tree_count(&tree), count - 1);
        } else {
            double point[DIMENSIONS];
            draw_point(&random, point);
            struct mr_cut_draws draws = {.seed = 5, .step = step, .tree = 1};
            double shares[DIMENSIONS] = {0};
            double judged = mr_cut_tree_judge(&tree, point, weights, &draws, scratch, shares);
            uint32_t leaf = mr_cut_tree_insert(&tree, point, weights, &draws, scratch, &touched);
            assert_memory_equal(tree.points + leaf * DIMENSIONS, point, sizeof(point));
            assert_true(judged == mr_cut_tree_displacement(&tree, leaf));
            double sum = shares[0] + shares[1] + shares[2];
            assert_true(sum == 0 || fabs(sum - judged) < 1e-9 * judged);
        }
        assert_in_range(touched.count, 1, 3);
        check_tree(&tree);
    }
    while (mr_cut_tree_count(&tree) > 0) {
        struct mr_cut_touched touched = {.count = 0};
        mr_cut_tree_forget(&tree, mr_cut_tree_leaf(&tree, 0), &touched);
        check_tree(&tree);
    }
    mr_memory_free(memory);
}

/* Points on a line: the chance that a point is cut off first is its gap's share
 * of the range. */
static void test_cuts_are_fair(void **state)
{
    MR_UNUSED(state);
    struct mr_cut_tree tree;
    void *memory = new_tree(&tree);
    struct mr_cut_touched touched;
    const double given[2][DIMENSIONS] = {{0, 0, 0}, {1, 0, 0}};
    const double point[DIMENSIONS] = {4, 0, 0};
    for (uint32_t row = 0; row < 2; row++) {
        struct mr_cut_draws draws = {.seed = 1, .step = row};
        touched.count = 0;
        mr_cut_tree_insert(&tree, given[row], weights, &draws, scratch, &touched);
    }
    uint32_t apart = 0;
    for (uint64_t step = 0; step < 10000; step++) {
        struct mr_cut_draws draws = {.seed = 2, .step = step};
        /* Cut off at the root it displaces two, else one. */
        apart += mr_cut_tree_judge(&tree, point, weights, &draws, scratch, NULL) == 2;
    }
    assert_in_range(apart, 7300, 7700);
    mr_memory_free(memory);
}

static void test_duplicates_are_one_leaf(void **state)
{
    MR_UNUSED(state);
    struct mr_cut_tree tree;
    void *memory = new_tree(&tree);
    struct mr_cut_touched touched;
    const double point[DIMENSIONS] = {1, 2, 3};
    const double other[DIMENSIONS] = {9, 2, 3};
    struct mr_cut_draws draws = {.seed = 2};
    for (uint32_t turn = 0; turn < 100; turn++) {
        touched.count = 0;
        mr_cut_tree_insert(&tree, point, weights, &draws, scratch, &touched);
    }
    assert_int_equal(mr_cut_tree_count(&tree), 100);
    assert_true(mr_cut_tree_judge(&tree, other, weights, &draws, scratch, NULL) == 100);
    touched.count = 0;
    uint32_t leaf = mr_cut_tree_insert(&tree, other, weights, &draws, scratch, &touched);
    assert_true(mr_cut_tree_displacement(&tree, leaf) == 100);
    assert_true(mr_cut_tree_judge(&tree, point, weights, &draws, scratch, NULL) == 1.0 / 101);
    mr_memory_free(memory);
}

static void test_damaged_trees_are_seen(void **state)
{
    MR_UNUSED(state);
    struct mr_cut_tree tree;
    void *memory = new_tree(&tree);
    struct mr_cut_touched touched;
    for (uint32_t row = 0; row < 10; row++) {
        const double point[DIMENSIONS] = {row, 0, 0};
        struct mr_cut_draws draws = {.seed = 1, .step = row};
        touched.count = 0;
        mr_cut_tree_insert(&tree, point, weights, &draws, scratch, &touched);
    }
    assert_true(mr_cut_tree_derive(&tree));
    uint16_t right = tree.rights[2];
    tree.rights[2] = tree.lefts[3];
    assert_false(mr_cut_tree_derive(&tree));
    tree.rights[2] = right;
    tree.counts[4] = 0;
    assert_false(mr_cut_tree_derive(&tree));
    tree.counts[4] = 1;
    tree.cut_dimensions[1] = DIMENSIONS;
    assert_false(mr_cut_tree_derive(&tree));
    tree.cut_dimensions[1] = 0;
    assert_true(mr_cut_tree_derive(&tree));
    mr_memory_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inserts_and_forgets),
        cmocka_unit_test(test_cuts_are_fair),
        cmocka_unit_test(test_duplicates_are_one_leaf),
        cmocka_unit_test(test_damaged_trees_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
