/* tests/unit/operators/test_loda.c — scales, cuts and histograms;
 * script/detectors --check compares the accuracy with river's. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/loda.h"

enum { ROWS = 1000, BINS = 10, CUTS = 50, FIELDS = 10, USED = 3 };

static double numbers[ROWS];
static uint8_t fields[CUTS * USED];
static double weights[CUTS * USED];

static void fill_normal(uint64_t seed)
{
    struct mr_random random;
    mr_random_init(&random, seed, 0);
    for (uint32_t row = 0; row < ROWS; row++)
        numbers[row] = 5 + 2 * mr_random_normal(&random);
}

static void test_used(void **state)
{
    MR_UNUSED(state);
    assert_int_equal(mr_loda_used(1), 1);
    assert_int_equal(mr_loda_used(3), 1);
    assert_int_equal(mr_loda_used(4), 2);
    assert_int_equal(mr_loda_used(63), 7);
    assert_int_equal(mr_loda_used(64), 8);
}

/* Fields of a cut differ; all fields are used; weights have mean 0 and
 * variance 1. */
static void test_cuts(void **state)
{
    MR_UNUSED(state);
    struct mr_loda_cuts cuts = {CUTS, FIELDS, USED, fields, weights};
    mr_loda_draw(&cuts, 1);
    uint32_t times[FIELDS] = {0};
    double sum = 0, squares = 0;
    for (uint32_t cut = 0; cut < CUTS; cut++) {
        const uint8_t *own = fields + cut * USED;
        assert_true(own[0] != own[1] && own[1] != own[2] && own[0] != own[2]);
        for (uint32_t used = 0; used < USED; used++) {
            times[own[used]]++;
            sum += weights[cut * USED + used];
            squares += weights[cut * USED + used] * weights[cut * USED + used];
        }
    }
    for (uint32_t field = 0; field < FIELDS; field++)
        assert_in_range(times[field], 5, 30);
    assert_true(fabs(sum / (CUTS * USED)) < 0.3 && fabs(squares / (CUTS * USED) - 1) < 0.4);
    double point[FIELDS] = {0};
    point[fields[USED]] = 2;
    assert_true(mr_loda_project(&cuts, 1, point) == 2 * weights[USED]);
}

/* The middle stays the middle whatever a few numbers do. */
static void test_scale_ignores_outliers(void **state)
{
    MR_UNUSED(state);
    fill_normal(2);
    struct mr_loda_scale clean = mr_loda_scale_of(numbers, ROWS);
    double width = 1 / clean.inverse;
    assert_true(width > 8 && width < 16 && clean.low > -3 && clean.low < 1);
    for (uint32_t row = 0; row < 5; row++)
        numbers[row] = row % 2 == 0 ? 1e140 : -1e100;
    struct mr_loda_scale spiked = mr_loda_scale_of(numbers, ROWS);
    assert_true(1 / spiked.inverse > 0.5 * width && 1 / spiked.inverse < 2 * width);
    for (uint32_t row = 0; row < ROWS; row++)
        numbers[row] = 7;
    struct mr_loda_scale equal = mr_loda_scale_of(numbers, ROWS);
    assert_true(equal.low < 7 && equal.low + 1 / equal.inverse > 7);
}

static double cost(const struct mr_loda_histogram *histogram, double number)
{
    double beyond;
    uint32_t bin = mr_loda_bin(histogram->scale, BINS, number, &beyond);
    return (double)histogram->costs[bin] + mr_loda_tail_cost(beyond);
}

/* Costs follow the density: about z^2 / 2 for a normal one, and grow without
 * end outside. */
static void test_histogram(void **state)
{
    MR_UNUSED(state);
    fill_normal(3);
    struct mr_loda_histogram histogram;
    mr_loda_learn(numbers, ROWS, BINS, &histogram);
    assert_true(cost(&histogram, 5) < 0.3);
    assert_true(fabs(cost(&histogram, 9) - 2) < 1);
    assert_true(cost(&histogram, 20) > 4);
    assert_true(cost(&histogram, -1e6) > cost(&histogram, -1e3));
    assert_true(cost(&histogram, 1e121) > cost(&histogram, 1e120));
    assert_true(isfinite(cost(&histogram, -1.7e308)));
    for (uint32_t bin = 0; bin < BINS + 2; bin++)
        assert_true(histogram.costs[bin] >= 0);
}

static void test_histogram_of_equal_numbers(void **state)
{
    MR_UNUSED(state);
    for (uint32_t row = 0; row < ROWS; row++)
        numbers[row] = -3;
    struct mr_loda_histogram histogram;
    mr_loda_learn(numbers, ROWS, BINS, &histogram);
    assert_true(cost(&histogram, -3) == 0);
    assert_true(cost(&histogram, -2.9) > 10);
    mr_loda_learn(numbers, 1, BINS, &histogram);
    assert_true(cost(&histogram, -3) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_used),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_scale_ignores_outliers),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_histogram_of_equal_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
