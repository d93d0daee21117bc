/* tests/unit/operators/test_covariance.c — mean, covariance and distance beside their definitions.
 * The definitions are computed anew from all rows in long double; script/detectors --check compares
 * with numpy. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/covariance.h"

enum { FIELDS = 4, ROWS = 500 };

static double rows[ROWS][FIELDS];
static double moments[FIELDS + FIELDS * (FIELDS + 1) / 2];
static double scratch[(FIELDS + 2) * (FIELDS + 2)];

static void fill_rows(void)
{
    struct mr_random random;
    mr_random_init(&random, 7, 0);
    for (uint32_t row = 0; row < ROWS; row++) {
        double common = mr_random_normal(&random);
        rows[row][0] = 1e6 + common;
        rows[row][1] = -3 * common + mr_random_normal(&random);
        rows[row][2] = 1e-3 * mr_random_normal(&random);
        rows[row][3] = 50 * common + 1e3 * mr_random_double(&random);
    }
}

static struct mr_covariance_weights learn(uint32_t rows_count, double keep)
{
    struct mr_covariance_weights weights = {0};
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(moments); index++)
        moments[index] = 0;
    for (uint32_t row = 0; row < rows_count; row++)
        mr_covariance_learn(moments, &weights, rows[row], FIELDS, keep, scratch);
    return weights;
}

static void assert_near(double expected, double found, double tolerance)
{
    double size = fabs(expected) > 1e-300 ? fabs(expected) : 1;
    if (!(fabs(expected - found) <= tolerance * size))
        fail_msg("expected %.17g, found %.17g", expected, found);
}

static void check_against_definition(double keep)
{
    struct mr_covariance_weights weights = learn(ROWS, keep);
    long double total = 0, squares = 0, factor = 1, mean[FIELDS] = {0};
    for (uint32_t row = ROWS; row-- > 0; factor *= keep) {
        total += factor;
        squares += factor * factor;
        for (uint32_t field = 0; field < FIELDS; field++)
            mean[field] += factor * (long double)rows[row][field];
    }
    assert_near((double)total, weights.total, 1e-12);
    assert_near((double)squares, weights.squares, 1e-12);
    for (uint32_t field = 0; field < FIELDS; field++) {
        mean[field] /= total;
        assert_near((double)mean[field], moments[field], 1e-12);
    }
    const double *found = moments + FIELDS;
    for (uint32_t first = 0; first < FIELDS; first++)
        for (uint32_t second = 0; second <= first; second++, found++) {
            long double sum = 0;
            factor = 1;
            for (uint32_t row = ROWS; row-- > 0; factor *= keep)
                sum +=
                    factor * (rows[row][first] - mean[first]) * (rows[row][second] - mean[second]);
            assert_near((double)sum, *found, 1e-9);
        }
}

static void test_moments(void **state)
{
    MR_UNUSED(state);
    fill_rows();
    check_against_definition(1);
    check_against_definition(0.99);
}

/* Two fields: the distance has a formula in z1, z2 and the shrunken correlation. */
static void test_distance_of_two_fields(void **state)
{
    MR_UNUSED(state);
    static const double given[][2] = {{0, 0}, {2, 1}, {4, 3}, {6, 2}};
    double pair[5] = {0};
    struct mr_covariance_weights weights = {0};
    for (uint32_t row = 0; row < MR_ARRAY_COUNT(given); row++)
        mr_covariance_learn(pair, &weights, given[row], 2, 1, scratch);
    double sd1 = sqrt(20.0 / 3), sd2 = sqrt(5.0 / 3), r = 8.0 / 3 / (sd1 * sd2) * 4 / 5;
    const double values[2] = {9, -2};
    double z1 = 6 / sd1, z2 = -3.5 / sd2;
    double squared = (z1 * z1 - 2 * r * z1 * z2 + z2 * z2) / (1 - r * r);
    struct mr_covariance_regular regular = {.shrink = 1, .sd_floor = 1e-9};
    double shares[2];
    double distance = mr_covariance_distance(pair, &weights, values, 2, &regular, scratch);
    double drops[2]; /* without one field the other's own distance is left */
    mr_covariance_drops(scratch, 2, drops);
    assert_near(squared - z2 * z2, drops[0], 1e-12);
    assert_near(squared - z1 * z1, drops[1], 1e-12);
    distance = mr_covariance_distance(pair, &weights, values, 2, &regular, scratch);
    const double next[2] = {1, 1};
    mr_covariance_learn(pair, &weights, next, 2, 1, scratch); /* leaves what they are made of */
    mr_covariance_contributions(scratch, 2, distance, shares);
    assert_near(sqrt(squared), distance, 1e-12);
    assert_near(distance, shares[0] + shares[1], 1e-12);
    double part1 = z1 * (z1 - r * z2), part2 = z2 * (z2 - r * z1);
    assert_near(part1 / (part1 + part2) * distance, shares[0], 1e-12);
}

/* A field that another determines, a constant one, and numbers at the edge stay finite. */
static void test_degenerate(void **state)
{
    MR_UNUSED(state);
    double three[9] = {0};
    double shares[3];
    struct mr_covariance_weights weights = {0};
    struct mr_covariance_regular regular = {.shrink = 1e-6, .sd_floor = 1e-9};
    double values[3] = {1, 2, 5};
    assert_true(mr_covariance_distance(three, &weights, values, 3, &regular, scratch) == 0);
    mr_covariance_contributions(scratch, 3, 0, shares);
    assert_true(shares[0] == 0 && shares[1] == 0 && shares[2] == 0);
    for (uint32_t row = 0; row < 1000; row++) {
        values[0] = row % 10;
        values[1] = 2 * values[0];
        mr_covariance_learn(three, &weights, values, 3, 1, scratch);
    }
    double inside = mr_covariance_distance(three, &weights, values, 3, &regular, scratch);
    assert_true(inside >= 0 && inside < 5);
    values[1] += 1; /* breaks the tie */
    double outside = mr_covariance_distance(three, &weights, values, 3, &regular, scratch);
    assert_true(outside > 100 && isfinite(outside));
    for (uint32_t field = 0; field < 3; field++) {
        values[field] = field == 1 ? -1.7e308 : 1.7e308;
        double far = mr_covariance_distance(three, &weights, values, 3, &regular, scratch);
        mr_covariance_contributions(scratch, 3, far, shares);
        assert_false(isnan(far) || isnan(shares[0]) || isnan(shares[1]) || isnan(shares[2]));
        assert_true(far > outside);
        (void)mr_covariance_distance(three, &weights, values, 3, &regular, scratch);
        mr_covariance_drops(scratch, 3, shares);
        assert_true(shares[0] >= 0 && shares[1] >= 0 && shares[2] >= 0);
    }
    const double large[3] = {1e140, -1e140, 1e140};
    mr_covariance_learn(three, &weights, large, 3, 1, scratch);
    double learned = mr_covariance_distance(three, &weights, large, 3, &regular, scratch);
    assert_true(isfinite(learned));
}

static void test_chi_square(void **state)
{
    MR_UNUSED(state);
    /* Quantiles of tables: upper tail 0.05, 0.001. */
    assert_near(0.05, mr_chi_square_tail(3.841458820694124, 1), 1e-12);
    assert_near(0.05, mr_chi_square_tail(5.991464547107979, 2), 1e-12);
    assert_near(0.05, mr_chi_square_tail(7.814727903251179, 3), 1e-12);
    assert_near(0.05, mr_chi_square_tail(18.307038053275146, 10), 1e-12);
    assert_near(0.001, mr_chi_square_tail(16.26623619623813, 3), 1e-12);
    assert_true(mr_chi_square_tail(0, 5) == 1);
    assert_true(mr_chi_square_tail(1e300, 64) == 0);
    assert_true(mr_chi_square_tail(HUGE_VAL, 63) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_distance_of_two_fields),
        cmocka_unit_test(test_degenerate),
        cmocka_unit_test(test_chi_square),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
