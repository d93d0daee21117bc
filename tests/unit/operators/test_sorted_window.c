/* tests/unit/operators/test_sorted_window.c — against sorting everything anew. */
#include "operators/sorted_window.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"

enum { NUMBERS_MAX = 200 };

/* Few distinct numbers, so that equal ones are common. */
static double draw(struct mr_random *random)
{
    return (double)mr_random_below(random, 50) - 25 + 0.1;
}

static double plain_median(const double *values, uint32_t count)
{
    double sorted[NUMBERS_MAX];
    memcpy(sorted, values, count * sizeof(double));
    mr_sorted_window_sort(sorted, count);
    return count % 2 == 1 ? sorted[count / 2] : 0.5 * (sorted[count / 2 - 1] + sorted[count / 2]);
}

static void median_and_mad_equal_the_definition(void **state)
{
    MR_UNUSED(state);
    struct mr_random random;
    mr_random_init(&random, 7, 0);
    double values[NUMBERS_MAX];
    double distances[NUMBERS_MAX];
    for (uint32_t round = 0; round < 2000; round++) {
        uint32_t count = 1 + (uint32_t)mr_random_below(&random, NUMBERS_MAX);
        for (uint32_t index = 0; index < count; index++)
            values[index] = round % 2 == 0 ? draw(&random) : mr_random_normal(&random);
        mr_sorted_window_sort(values, count);
        double median = mr_sorted_window_median(values, count);
        assert_true(median == plain_median(values, count));
        for (uint32_t index = 0; index < count; index++)
            distances[index] = fabs(values[index] - median);
        assert_true(mr_sorted_window_mad(values, count, median) == plain_median(distances, count));
    }
}

static void changes_keep_the_order(void **state)
{
    MR_UNUSED(state);
    struct mr_random random;
    mr_random_init(&random, 8, 0);
    double ring[NUMBERS_MAX];
    double sorted[NUMBERS_MAX];
    double expected[NUMBERS_MAX];
    uint32_t count = 0;
    for (uint32_t step = 0; step < 5000; step++) {
        double number = draw(&random);
        uint32_t place = step % NUMBERS_MAX;
        if (count < NUMBERS_MAX)
            mr_sorted_window_insert(sorted, count++, number);
        else
            mr_sorted_window_replace(sorted, count, ring[place], number);
        ring[place] = number;
        memcpy(expected, ring, count * sizeof(double));
        mr_sorted_window_sort(expected, count);
        assert_memory_equal(sorted, expected, count * sizeof(double));
    }
    while (count > 0) {
        uint32_t place = (uint32_t)mr_random_below(&random, count);
        mr_sorted_window_remove(sorted, count, ring[place]);
        ring[place] = ring[--count];
        memcpy(expected, ring, count * sizeof(double));
        mr_sorted_window_sort(expected, count);
        assert_memory_equal(sorted, expected, count * sizeof(double));
    }
}

static void small_windows(void **state)
{
    MR_UNUSED(state);
    const double one[] = {3};
    assert_true(mr_sorted_window_median(one, 1) == 3);
    assert_true(mr_sorted_window_mad(one, 1, 3) == 0);
    const double two[] = {1, 5};
    assert_true(mr_sorted_window_median(two, 2) == 3);
    assert_true(mr_sorted_window_mad(two, 2, 3) == 2);
    const double far[] = {-1e140, 0, 1e140};
    assert_true(mr_sorted_window_mad(far, 3, 0) == 1e140);
    assert_true(mr_sorted_window_quantile(one, 1, 0.75) == 3);
    assert_true(mr_sorted_window_quantile(far, 3, 0.25) == -5e139);
    assert_true(mr_sorted_window_mean_distance(one, 1, 3) == 0);
}

/* numpy.quantile([1, 2, 4, 8, 16, 32], ...) and the mean of the distances from the median 6. */
static void quantiles_lie_between_two_numbers(void **state)
{
    MR_UNUSED(state);
    const double values[] = {1, 2, 4, 8, 16, 32};
    assert_true(mr_sorted_window_quantile(values, 6, 0) == 1);
    assert_true(mr_sorted_window_quantile(values, 6, 0.25) == 2.5);
    assert_true(mr_sorted_window_quantile(values, 6, 0.5) == 6);
    assert_true(mr_sorted_window_quantile(values, 6, 0.75) == 14);
    assert_true(mr_sorted_window_quantile(values, 6, 1) == 32);
    assert_true(mr_sorted_window_mean_distance(values, 6, 6) == 49.0 / 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_and_mad_equal_the_definition),
        cmocka_unit_test(changes_keep_the_order),
        cmocka_unit_test(small_windows),
        cmocka_unit_test(quantiles_lie_between_two_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
