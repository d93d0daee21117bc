/* tests/unit/operators/test_marginal.c — distributions of known numbers, ties, decay, the map and
 * its inverse. */
#include "operators/marginal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/normal_score.h"

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Learn count numbers of exp(normal), times 100 and rounded where scale is 1. */
static void learn_many(struct mr_marginal *marginal, uint32_t count, double scale, uint64_t seed)
{
    struct mr_random random;
    mr_random_init(&random, seed, 0);
    double block[MR_MARGINAL_BLOCK_MAX];
    for (uint32_t done = 0; done < count; done += MR_MARGINAL_BLOCK_MAX) {
        for (uint32_t at = 0; at < MR_MARGINAL_BLOCK_MAX; at++) {
            block[at] = exp(mr_random_normal(&random));
            if (scale > 0)
                block[at] = floor(block[at] * 100);
        }
        qsort(block, MR_MARGINAL_BLOCK_MAX, sizeof(double), compare);
        mr_marginal_learn(marginal, block, MR_MARGINAL_BLOCK_MAX, scale);
    }
}

static void check_bins(const struct mr_marginal *marginal)
{
    assert_in_range(marginal->bins_count, 1, MR_MARGINAL_BINS_MAX);
    for (uint32_t bin = 0; bin < marginal->bins_count; bin++) {
        const struct mr_marginal_bin *one = &marginal->bins[bin];
        assert_true(one->lowest <= one->highest && one->weight > 0);
        assert_true(bin == 0 || marginal->bins[bin - 1].highest <= one->lowest);
    }
}

/* Greatest distance of the map from the numbers' own distribution. */
static double distance(const struct mr_marginal *marginal, double scale)
{
    struct mr_marginal_map map;
    mr_marginal_map(&map, marginal->bins, marginal->bins_count, scale, 1e-6);
    double most = 0;
    for (double z = -3.5; z <= 3.5; z += 0.01) {
        double number = mr_marginal_value(&map, z);
        double true_z = scale > 0 ? log((number + 0.5) / 100) : log(number);
        double off = fabs(mr_normal_below(true_z) - mr_normal_below(z));
        most = off > most ? off : most;
    }
    return most;
}

static void a_known_distribution_is_found(void **state)
{
    MR_UNUSED(state);
    static struct mr_marginal marginal;
    learn_many(&marginal, 51200, 0, 1);
    check_bins(&marginal);
    assert_true(fabs(mr_marginal_weight(&marginal) - 51200) < 1e-6);
    assert_true(distance(&marginal, 0) < 0.012);
}

static void whole_numbers_stay_whole(void **state)
{
    MR_UNUSED(state);
    static struct mr_marginal marginal;
    learn_many(&marginal, 51200, 1, 2);
    check_bins(&marginal);
    assert_true(distance(&marginal, 1) < 0.02);
    struct mr_marginal_map map;
    mr_marginal_map(&map, marginal.bins, marginal.bins_count, 1, 1e-6);
    for (double z = -4; z <= 4; z += 0.003) {
        double number = mr_marginal_value(&map, z);
        assert_true(number == floor(number));
    }
}

static void few_different_values_are_exact(void **state)
{
    MR_UNUSED(state);
    struct mr_marginal marginal = {0};
    static const double values[] = {-1.5, 0, 0, 0, 0, 0, 2.25, 2.25, 7, 7};
    for (int times = 0; times < 100; times++)
        mr_marginal_learn(&marginal, values, MR_ARRAY_COUNT(values), 0);
    assert_int_equal(marginal.bins_count, 4);
    struct mr_marginal_map map;
    mr_marginal_map(&map, marginal.bins, marginal.bins_count, 0, 0.0005);
    assert_true(mr_marginal_value(&map, mr_normal_score(0.05)) == -1.5);
    assert_true(mr_marginal_value(&map, mr_normal_score(0.59)) == 0);
    assert_true(mr_marginal_value(&map, mr_normal_score(0.61)) == 2.25);
    assert_true(mr_marginal_value(&map, 9) == 7 && mr_marginal_value(&map, -9) == -1.5);
    /* Scores of ties are the means of their intervals, and have no mean together. */
    double mean = 0.1 * mr_marginal_score(&map, -1.5) + 0.5 * mr_marginal_score(&map, 0) +
                  0.2 * mr_marginal_score(&map, 2.25) + 0.2 * mr_marginal_score(&map, 7);
    assert_true(fabs(mean) < 1e-12);
    assert_true(map.variance < 0.9 && map.variance > 0.7);
    /* What was never seen has a score between its neighbours'. */
    assert_true(mr_marginal_score(&map, 1) > mr_marginal_score(&map, 0));
    assert_true(mr_marginal_score(&map, 1e300) >= mr_marginal_score(&map, 2.25));
}

static void scores_and_values_are_inverse(void **state)
{
    MR_UNUSED(state);
    static struct mr_marginal marginal;
    learn_many(&marginal, 5120, 0, 3);
    struct mr_marginal_map map;
    mr_marginal_map(&map, marginal.bins, marginal.bins_count, 0, 1e-4);
    for (double z = -3; z <= 3; z += 0.01) {
        double number = mr_marginal_value(&map, z);
        double again = mr_marginal_value(&map, mr_marginal_score(&map, number));
        assert_true(fabs(again - number) <= 1e-9 * fabs(number));
    }
}

static void decay_forgets(void **state)
{
    MR_UNUSED(state);
    struct mr_marginal marginal = {0};
    static const double old[] = {1, 2, 3, 4};
    static const double fresh[] = {100, 101};
    mr_marginal_learn(&marginal, old, 4, 1);
    mr_marginal_decay(&marginal, 0.25);
    mr_marginal_learn(&marginal, fresh, 2, 1);
    assert_true(mr_marginal_weight(&marginal) == 3);
    for (int times = 0; times < 100; times++) {
        mr_marginal_decay(&marginal, 0.5);
        mr_marginal_learn(&marginal, fresh, 2, 1);
    }
    assert_int_equal(marginal.bins_count, 2);
    assert_true(marginal.bins[0].lowest == 100);
}

static void two_add_up(void **state)
{
    MR_UNUSED(state);
    static struct mr_marginal marginal;
    static struct mr_marginal other;
    learn_many(&marginal, 25600, 0, 4);
    learn_many(&other, 25600, 0, 5);
    mr_marginal_merge(&marginal, &other, 0);
    check_bins(&marginal);
    assert_true(fabs(mr_marginal_weight(&marginal) - 51200) < 1e-6);
    assert_true(distance(&marginal, 0) < 0.015);
}

static void intervals_cover_their_values(void **state)
{
    MR_UNUSED(state);
    struct mr_marginal marginal = {0};
    static const double values[] = {1, 1, 2, 3};
    double from;
    double to;
    mr_marginal_learn(&marginal, values, 4, 1);
    struct mr_marginal_map map;
    mr_marginal_map(&map, marginal.bins, marginal.bins_count, 1, 0.01);
    assert_true(mr_marginal_interval(&map, 2, 2, &from, &to));
    assert_true(fabs(mr_normal_below(from) - 0.5) < 1e-12);
    assert_true(fabs(mr_normal_below(to) - 0.75) < 1e-12);
    assert_true(mr_marginal_interval(&map, 3, 1e300, &from, &to) && isinf(to));
    assert_true(mr_marginal_interval(&map, -1e300, 1, &from, &to) && isinf(from));
    assert_false(mr_marginal_interval(&map, 4, 5, &from, &to));
}

static void odd_numbers_are_learned(void **state)
{
    MR_UNUSED(state);
    struct mr_marginal marginal = {0};
    struct mr_marginal_map map;
    static const double values[] = {-1e140, -5e-324, 0, 5e-324, 1e140};
    mr_marginal_learn(&marginal, values, MR_ARRAY_COUNT(values), 0);
    mr_marginal_map(&map, marginal.bins, marginal.bins_count, 0, 0.1);
    for (double z = -9; z <= 9; z += 0.1)
        assert_true(isfinite(mr_marginal_value(&map, z)));
    /* One value, and none. */
    struct mr_marginal one = {0};
    mr_marginal_learn(&one, values + 4, 1, 0);
    mr_marginal_map(&map, one.bins, one.bins_count, 0, 0.25);
    assert_true(mr_marginal_value(&map, 1) == 1e140 && map.variance < 1e-12);
    mr_marginal_map(&map, one.bins, 0, 0, 0.25);
    assert_int_equal(map.bins_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_distribution_is_found),
        cmocka_unit_test(whole_numbers_stay_whole),
        cmocka_unit_test(few_different_values_are_exact),
        cmocka_unit_test(scores_and_values_are_inverse),
        cmocka_unit_test(decay_forgets),
        cmocka_unit_test(two_add_up),
        cmocka_unit_test(intervals_cover_their_values),
        cmocka_unit_test(odd_numbers_are_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
