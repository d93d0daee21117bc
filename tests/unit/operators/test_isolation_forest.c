/* tests/unit/operators/test_isolation_forest.c — trees by hand, their shape, paths, shares and
 * draws. scikit-learn is asked in tests/detectors. */
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
#include "operators/isolation_forest.h"

static void averages_are_by_hand(void **state)
{
    MR_UNUSED(state);
    double averages[257];
    mr_isolation_averages(256, averages);
    assert_true(averages[0] == 0 && averages[1] == 0 && averages[2] == 1);
    assert_true(fabs(averages[3] - (2 * 1.5 - 4.0 / 3)) < 1e-15);
    assert_true(fabs(averages[256] - 10.24869) < 1e-5);
}

/* One field, points 1 and 3 and 3: a cut between them, then a leaf of two. */
static void a_tree_is_by_hand(void **state)
{
    MR_UNUSED(state);
    static const double numbers[] = {3, 1, 3};
    struct mr_isolation_shape shape = {.trees_count = 1, .sample = 4, .fields_count = 1};
    struct mr_isolation_points points = {numbers, 3};
    struct mr_isolation_node nodes[7];
    uint16_t places[3];
    double averages[5];
    double shares[1];
    assert_int_equal(mr_isolation_nodes_max(4), 7);
    mr_isolation_averages(4, averages);
    mr_isolation_build(&shape, &points, 1, 1, places, nodes);
    assert_int_equal(nodes[0].count, 3);
    assert_int_equal(nodes[0].left, 1);
    assert_true(nodes[0].cut >= 1 && nodes[0].cut < 3);
    assert_int_equal(nodes[1].count, 1);
    assert_int_equal(nodes[2].count, 2);
    assert_true(nodes[1].left == 0 && nodes[2].left == 0);
    assert_true(mr_isolation_path(&shape, nodes, averages, (double[]){0}, shares) == 1);
    assert_true(fabs(shares[0] - (averages[3] - 1)) < 1e-15);
    assert_true(mr_isolation_path(&shape, nodes, averages, (double[]){9}, shares) == 2);
    assert_true(fabs(shares[0] - (averages[3] - 2)) < 1e-15);
}

enum { POINTS = 500, FIELDS = 4, SAMPLE = 64, TREES = 100 };

static double numbers[POINTS * FIELDS];
static struct mr_isolation_node forest[TREES * (2 * SAMPLE - 1)];

static struct mr_isolation_shape make_forest(uint64_t build)
{
    static uint16_t places[POINTS];
    struct mr_isolation_shape shape = {TREES, SAMPLE, FIELDS};
    struct mr_isolation_points points = {numbers, POINTS};
    struct mr_random random;
    mr_random_init(&random, 5, 0);
    for (int index = 0; index < POINTS * FIELDS; index++)
        numbers[index] = index % FIELDS == 3 ? 7 : mr_random_normal(&random);
    mr_isolation_build(&shape, &points, 42, build, places, forest);
    return shape;
}

static void counts_and_depths_add_up(void **state)
{
    MR_UNUSED(state);
    make_forest(1);
    for (int tree = 0; tree < TREES; tree++) {
        const struct mr_isolation_node *nodes = forest + (ptrdiff_t)tree * (2 * SAMPLE - 1);
        int depths[2 * SAMPLE] = {0};
        int leaves = 0;
        assert_int_equal(nodes[0].count, SAMPLE);
        for (int node = 0; node < 2 * SAMPLE - 1 && nodes[node].count > 0; node++) {
            int left = nodes[node].left;
            if (left == 0) {
                leaves += nodes[node].count;
                assert_true(nodes[node].count == 1 || depths[node] == 6);
                continue;
            }
            assert_true(left > node && nodes[node].field != 3); /* constant: never cut */
            assert_int_equal(nodes[left].count + nodes[left + 1].count, nodes[node].count);
            depths[left] = depths[left + 1] = depths[node] + 1;
        }
        assert_int_equal(leaves, SAMPLE);
    }
}

static void what_is_apart_has_a_short_path(void **state)
{
    MR_UNUSED(state);
    struct mr_isolation_shape shape = make_forest(1);
    double averages[SAMPLE + 1];
    double shares[FIELDS];
    mr_isolation_averages(SAMPLE, averages);
    double usual = mr_isolation_path(&shape, forest, averages, (double[]){0, 0, 0, 7}, shares);
    assert_true(usual > averages[SAMPLE]);
    double strange = mr_isolation_path(&shape, forest, averages, (double[]){0, 9, 0, 7}, shares);
    assert_true(strange < averages[SAMPLE] - 0.5);
    assert_true(shares[1] > 1.5 && shares[0] < 0 && shares[2] < 0); /* usual ones lengthen it */
    assert_true(shares[3] == 0);
    assert_true(fabs(shares[0] + shares[1] + shares[2] - (averages[SAMPLE] - strange)) < 1e-9);
}

static void the_same_numbers_make_the_same_forest(void **state)
{
    MR_UNUSED(state);
    static struct mr_isolation_node first[MR_ARRAY_COUNT(forest)];
    make_forest(1);
    memcpy(first, forest, sizeof(forest));
    make_forest(2);
    assert_memory_not_equal(first, forest, sizeof(forest));
    make_forest(1);
    assert_memory_equal(first, forest, sizeof(forest));
}

static void equal_points_are_one_leaf(void **state)
{
    MR_UNUSED(state);
    static const double equal[] = {5, 5, 5, 5, 5};
    struct mr_isolation_shape shape = {1, 4, 1};
    struct mr_isolation_points points = {equal, 5};
    struct mr_isolation_node nodes[7];
    uint16_t places[5];
    double averages[5];
    double shares[1];
    mr_isolation_averages(4, averages);
    mr_isolation_build(&shape, &points, 1, 1, places, nodes);
    assert_int_equal(nodes[0].left, 0);
    assert_true(mr_isolation_path(&shape, nodes, averages, (double[]){9}, shares) == averages[4]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(averages_are_by_hand),
        cmocka_unit_test(a_tree_is_by_hand),
        cmocka_unit_test(counts_and_depths_add_up),
        cmocka_unit_test(what_is_apart_has_a_short_path),
        cmocka_unit_test(the_same_numbers_make_the_same_forest),
        cmocka_unit_test(equal_points_are_one_leaf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
