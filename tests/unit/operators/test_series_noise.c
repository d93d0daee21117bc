/* tests/unit/operators/test_series_noise.c — noise by number: its law, and that it does not depend
 * on who asks first. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/series_noise.h"

enum { NUMBERS = 200000 };

static struct mr_series_noise noise_of(double sd, const double *ar, uint32_t order)
{
    struct mr_series_noise noise;
    struct mr_error error;
    assert_int_equal(mr_series_noise_init(&noise, 11, sd, ar, order, &error), MR_OK);
    return noise;
}

/* Five standard errors of an autocorrelation of n numbers, generously for numbers that remember. */
static void it_remembers_as_told(void **state)
{
    MR_UNUSED(state);
    static double values[NUMBERS];
    const double ar[2] = {0.6, 0.25};
    struct mr_series_noise noise = noise_of(3, ar, 2);
    struct mr_series_noise_state at = {0};
    double mean = 0;
    for (int64_t number = 0; number < NUMBERS; number++) {
        values[number] = mr_series_noise_at(&noise, 5, number, &at);
        mean += values[number] / NUMBERS;
    }
    double products[3] = {0};
    for (int64_t number = 2; number < NUMBERS; number++)
        for (int lag = 0; lag < 3; lag++)
            products[lag] += (values[number] - mean) * (values[number - lag] - mean) / NUMBERS;
    assert_true(fabs(sqrt(products[0]) - 3) < 0.1);
    /* Yule and Walker: rho1 = a1 / (1 - a2), rho2 = a1 rho1 + a2. */
    double first = 0.6 / 0.75;
    assert_true(fabs(products[1] / products[0] - first) < 0.01);
    assert_true(fabs(products[2] / products[0] - (0.6 * first + 0.25)) < 0.01);
}

static void who_asks_first_does_not_matter(void **state)
{
    MR_UNUSED(state);
    const double ar[3] = {0.5, -0.2, 0.3};
    struct mr_series_noise noise = noise_of(1, ar, 3);
    struct mr_series_noise_state forward = {0};
    struct mr_series_noise_state anyhow = {0};
    struct mr_random random;
    static double values[8192];
    for (int64_t number = 0; number < 8192; number++)
        values[number] = mr_series_noise_at(&noise, 2, number, &forward);
    mr_random_init(&random, 1, 1);
    for (int index = 0; index < 400; index++) {
        int64_t number = (int64_t)mr_random_below(&random, 8192);
        for (int64_t step = -2; step <= 2; step++)
            if (number + step >= 0 && number + step < 8192)
                assert_true(mr_series_noise_at(&noise, 2, number + step, &anyhow) ==
                            values[number + step]);
    }
    assert_true(mr_series_noise_at(&noise, 3, 0, &(struct mr_series_noise_state){0}) != values[0]);
}

/* A fresh start changes nothing that can be seen. */
static void blocks_leave_no_seam(void **state)
{
    MR_UNUSED(state);
    const double ar[1] = {0.95};
    struct mr_series_noise noise = noise_of(1, ar, 1);
    struct mr_series_noise whole = noise;
    struct mr_series_noise_state at = {0};
    struct mr_series_noise_state whole_at = {0};
    whole.block = INT64_C(1) << 40;
    assert_true(noise.block < 10000);
    for (int64_t number = 0; number < 3 * noise.block; number++)
        assert_true(fabs(mr_series_noise_at(&noise, 0, number, &at) -
                         mr_series_noise_at(&whole, 0, number, &whole_at)) < 1e-8);
}

static bool is_refused(const double *ar, uint32_t order)
{
    struct mr_series_noise noise;
    struct mr_error error;
    enum mr_status status = mr_series_noise_init(&noise, 1, 1, ar, order, &error);
    assert_true(status == MR_OK || strstr(error.message, "forgets too slowly") != NULL);
    return status == MR_INVALID;
}

static void what_never_dies_is_refused(void **state)
{
    MR_UNUSED(state);
    assert_true(is_refused((const double[]){1}, 1));
    assert_true(is_refused((const double[]){-1.5}, 1));
    assert_true(is_refused((const double[]){0.5, 0.5}, 2));
    assert_true(is_refused((const double[]){0.9999}, 1));
    assert_true(is_refused((const double[]){1e300, 1e300}, 2));
    assert_false(is_refused((const double[]){0.997}, 1));
    assert_false(is_refused((const double[]){1.5, -0.7}, 2));
    assert_false(is_refused((const double[]){0, 0, 0, 0, 0, 0, 0, 0.9}, 8));
}

static void without_coefficients_it_needs_no_state(void **state)
{
    MR_UNUSED(state);
    struct mr_series_noise noise = noise_of(2, NULL, 0);
    double sum = 0;
    double squares = 0;
    for (int64_t number = 0; number < 40000; number++) {
        double value = mr_series_noise_at(&noise, 9, number, NULL);
        sum += value;
        squares += value * value;
    }
    assert_true(fabs(sum / 40000) < 5 * 2 / 200.0);
    assert_true(fabs(squares / 40000 - 4) < 5 * 4 * sqrt(2.0 / 40000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_remembers_as_told),
        cmocka_unit_test(who_asks_first_does_not_matter),
        cmocka_unit_test(blocks_leave_no_seam),
        cmocka_unit_test(what_never_dies_is_refused),
        cmocka_unit_test(without_coefficients_it_needs_no_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
