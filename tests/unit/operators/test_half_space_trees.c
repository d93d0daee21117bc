/* tests/unit/operators/test_half_space_trees.c — cuts, walks and profiles beside their definitions;
 * script/detectors --check compares with river. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/half_space_trees.h"

enum { TREES = 7, DEPTH = 6, FIELDS = 3, LEAVES = 1 << DEPTH };

static double cuts[TREES * LEAVES];
static uint8_t fields[TREES * LEAVES];
static const struct mr_half_space_trees trees = {TREES, DEPTH, FIELDS, cuts, fields};

/* Every cut lies in the middle 70 % of its node's part; all fields are cut. */
static void test_cuts(void **state)
{
    MR_UNUSED(state);
    mr_half_space_trees_draw(&trees, 5);
    uint32_t used[FIELDS] = {0};
    for (uint32_t tree = 0; tree < TREES; tree++)
        for (uint32_t node = 1; node < LEAVES; node++) {
            double low[FIELDS] = {0, 0, 0};
            double high[FIELDS] = {1, 1, 1};
            uint32_t level = 31 - (uint32_t)__builtin_clz(node);
            for (uint32_t up = level; up > 0; up--) {
                uint32_t parent = node >> up;
                uint8_t field = fields[tree * LEAVES + parent];
                double cut = cuts[tree * LEAVES + parent];
                if ((node >> (up - 1)) % 2 == 0)
                    high[field] = cut;
                else
                    low[field] = cut;
            }
            uint8_t field = fields[tree * LEAVES + node];
            double share = (cuts[tree * LEAVES + node] - low[field]) / (high[field] - low[field]);
            assert_true(share >= 0.15 - 1e-9 && share <= 0.85 + 1e-9);
            used[field]++;
        }
    for (uint32_t field = 0; field < FIELDS; field++)
        assert_true(used[field] > TREES * LEAVES / 6);
}

static void test_same_seed_same_cuts(void **state)
{
    MR_UNUSED(state);
    double before[TREES * LEAVES];
    mr_half_space_trees_draw(&trees, 5);
    for (uint32_t node = 0; node < TREES * LEAVES; node++)
        before[node] = cuts[node];
    mr_half_space_trees_draw(&trees, 6);
    assert_true(before[1] != cuts[1] && before[LEAVES + 1] != cuts[LEAVES + 1]);
    mr_half_space_trees_draw(&trees, 5);
    for (uint32_t node = 0; node < TREES * LEAVES; node++)
        assert_true(before[node] == cuts[node]);
}

/* As the paper says it: count on the way down, walk again to score. */
static uint32_t defined_sum(uint32_t tree, const double *masses, const double *values,
                            double size_limit)
{
    uint32_t sum = 0;
    uint32_t node = 1;
    for (uint32_t level = 0;; level++) {
        sum += (uint32_t)masses[node] << level;
        if (masses[node] < size_limit || level == DEPTH)
            return sum;
        uint32_t at = tree * LEAVES + node;
        node = values[fields[at]] < cuts[at] ? 2 * node : 2 * node + 1;
    }
}

static void test_profile(void **state)
{
    MR_UNUSED(state);
    enum { ROWS = 200, SIZE_LIMIT = 20 };
    static double rows[ROWS][FIELDS];
    struct mr_random random;
    mr_random_init(&random, 3, 0);
    mr_half_space_trees_draw(&trees, 11);
    for (uint32_t row = 0; row < ROWS; row++)
        for (uint32_t field = 0; field < FIELDS; field++)
            rows[row][field] = 0.5 + 0.1 * mr_random_normal(&random);
    for (uint32_t tree = 0; tree < TREES; tree++) {
        double masses[2 * LEAVES] = {0};
        uint32_t profile[LEAVES] = {0};
        uint32_t scratch[4 << DEPTH];
        uint16_t leaves[TREES];
        for (uint32_t row = 0; row < ROWS; row++) {
            mr_half_space_trees_walk(&trees, rows[row], leaves);
            profile[leaves[tree]]++;
            for (uint32_t node = LEAVES + leaves[tree]; node > 0; node /= 2)
                masses[node]++;
        }
        mr_half_space_profile(DEPTH, SIZE_LIMIT, profile, scratch);
        for (uint32_t row = 0; row < ROWS; row++) {
            mr_half_space_trees_walk(&trees, rows[row], leaves);
            assert_int_equal(profile[leaves[tree]],
                             defined_sum(tree, masses, rows[row], SIZE_LIMIT));
        }
        const double far[FIELDS] = {-5, 7, 1e300};
        mr_half_space_trees_walk(&trees, far, leaves);
        assert_int_equal(profile[leaves[tree]], defined_sum(tree, masses, far, SIZE_LIMIT));
    }
    assert_true(mr_half_space_sum_max(TREES, DEPTH, ROWS) == TREES * ROWS * 127.0);
}

/* Mean of the profile over the leaves below a node. */
static double mean_below(const uint32_t *sums, uint32_t node)
{
    if (node >= LEAVES)
        return sums[node - LEAVES];
    return 0.5 * (mean_below(sums, 2 * node) + mean_below(sums, 2 * node + 1));
}

static void test_shares(void **state)
{
    MR_UNUSED(state);
    uint32_t sums[LEAVES];
    struct mr_random random;
    mr_random_init(&random, 9, 0);
    mr_half_space_trees_draw(&trees, 11);
    for (uint32_t leaf = 0; leaf < LEAVES; leaf++)
        sums[leaf] = leaf % 7 == 0 ? UINT32_MAX : (uint32_t)mr_random_below(&random, 1000);
    for (uint32_t tree = 0; tree < TREES; tree++)
        for (uint32_t leaf = 0; leaf < LEAVES; leaf++) {
            double expected[FIELDS] = {0};
            double shares[FIELDS] = {0};
            double together = 0;
            for (uint32_t node = LEAVES + leaf; node > 1; node /= 2)
                expected[fields[tree * LEAVES + node / 2]] +=
                    mean_below(sums, node / 2) - mean_below(sums, node);
            mr_half_space_shares(&trees, tree, sums, leaf, shares);
            for (uint32_t field = 0; field < FIELDS; field++) {
                assert_true(fabs(shares[field] - expected[field]) < 1e-3);
                together += shares[field];
            }
            assert_true(fabs(together - (mean_below(sums, 1) - sums[leaf])) < 1e-3);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_same_seed_same_cuts),
        cmocka_unit_test(test_profile),
        cmocka_unit_test(test_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
