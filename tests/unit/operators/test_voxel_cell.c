/* tests/unit/operators/test_voxel_cell.c — sums that lose nothing, beside wider numbers. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/voxel_cell.h"

static struct mr_voxel_cell cell_of(const double *numbers, uint32_t count)
{
    struct mr_voxel_cell cell = {0};
    for (uint32_t index = 0; index < count; index++)
        mr_voxel_cell_add(&cell, numbers[index], index);
    return cell;
}

static void assert_near(double expected, double found, double relative)
{
    if (!(fabs(found - expected) <= relative * fabs(expected)))
        fail_msg("expected %.17g, found %.17g", expected, found);
}

static void a_few_numbers(void **state)
{
    MR_UNUSED(state);
    struct mr_voxel_cell cell = cell_of((const double[]){4, -0.0, 2}, 3);
    assert_int_equal(cell.count, 3);
    assert_true(mr_voxel_cell_sum(&cell) == 6 && mr_voxel_cell_mean(&cell) == 2);
    assert_true(mr_voxel_cell_variance(&cell) == 4);
    assert_true(cell.minimum == 0 && !signbit(cell.minimum) && cell.maximum == 4);
    assert_true(cell.last == 2);
    assert_int_equal(cell.first_ms, 0);
    assert_int_equal(cell.last_ms, 2);
}

/* The last number is that of the latest event time; of several the one that came last. */
static void times_out_of_order(void **state)
{
    MR_UNUSED(state);
    struct mr_voxel_cell cell = {0};
    mr_voxel_cell_add(&cell, 1, -50);
    mr_voxel_cell_add(&cell, 2, 70);
    mr_voxel_cell_add(&cell, 3, -90);
    assert_true(cell.last == 2);
    mr_voxel_cell_add(&cell, 4, 70);
    assert_true(cell.last == 4);
    assert_int_equal(cell.first_ms, -90);
    assert_int_equal(cell.last_ms, 70);
}

/* What plain sums lose is kept. */
static void sums_are_exact(void **state)
{
    MR_UNUSED(state);
    struct mr_voxel_cell cell = cell_of((const double[]){1e16, 1, 0x1p-10, -1e16, 0x1p-40}, 5);
    assert_true(mr_voxel_cell_sum(&cell) == 1 + 0x1p-10 + 0x1p-40);
    cell = (struct mr_voxel_cell){0};
    for (uint32_t index = 0; index < 1000000; index++)
        mr_voxel_cell_add(&cell, 0.1, 0);
    /* 0.1 is 3602879701896397 / 2^55: nearest to a million times that is 100000. */
    assert_true(mr_voxel_cell_sum(&cell) == 100000);
    assert_true(mr_voxel_cell_variance(&cell) == 0);
}

/* Mean and variance beside two passes in long doubles, near 0 and far from it. */
static void moments_beside_two_passes(void **state)
{
    MR_UNUSED(state);
    enum { NUMBERS = 5000 };
    static double numbers[NUMBERS];
    static const double centres[] = {0, 1, -1e3, 1e6, 1e8, 1e100};
    struct mr_random random;
    mr_random_init(&random, 7, 0);
    for (size_t at = 0; at < MR_ARRAY_COUNT(centres); at++) {
        double scale = centres[at] == 1e100 ? 1e94 : 0.5;
        long double sum = 0;
        for (uint32_t index = 0; index < NUMBERS; index++) {
            numbers[index] = centres[at] + scale * mr_random_normal(&random);
            sum += numbers[index];
        }
        long double mean = sum / NUMBERS;
        long double squares = 0;
        for (uint32_t index = 0; index < NUMBERS; index++)
            squares += (numbers[index] - mean) * (numbers[index] - mean);
        struct mr_voxel_cell cell = cell_of(numbers, NUMBERS);
        assert_near((double)mean, mr_voxel_cell_mean(&cell), 1e-15);
        assert_near((double)(squares / (NUMBERS - 1)), mr_voxel_cell_variance(&cell), 1e-12);
    }
}

/* Numbers that hardly differ, and a first one that has nothing to do with the others. */
static void small_differences_have_twelve_digits(void **state)
{
    MR_UNUSED(state);
    enum { NUMBERS = 1000 };
    static double numbers[NUMBERS];
    struct mr_random random;
    mr_random_init(&random, 7, 1);
    for (int far_first = 0; far_first <= 1; far_first++) {
        const double unit = 0x1p-42; /* the last bit of a thousand; beside it 2.3e-16 */
        long double sum = 0;
        long double squares = 0;
        for (uint32_t index = 0; index < NUMBERS; index++) {
            double steps = (double)mr_random_below(&random, 7);
            numbers[index] = 1000 + (far_first ? steps * 0x1p-30 : steps * unit);
        }
        if (far_first)
            numbers[0] = 1000.001;
        for (uint32_t index = 0; index < NUMBERS; index++)
            sum += (long double)numbers[index] - 1000;
        for (uint32_t index = 0; index < NUMBERS; index++) {
            long double off = (long double)numbers[index] - 1000 - sum / NUMBERS;
            squares += off * off;
        }
        struct mr_voxel_cell cell = cell_of(numbers, NUMBERS);
        assert_near((double)(squares / (NUMBERS - 1)), mr_voxel_cell_variance(&cell), 1e-12);
    }
}

static void extremes_stay_finite(void **state)
{
    MR_UNUSED(state);
    const double numbers[] = {1e140, -1e140, 5e-324, 1e140, DBL_MIN, -5e-324};
    for (uint32_t count = 2; count <= MR_ARRAY_COUNT(numbers); count++) {
        struct mr_voxel_cell cell = cell_of(numbers, count);
        assert_true(isfinite(mr_voxel_cell_sum(&cell)) && isfinite(mr_voxel_cell_mean(&cell)));
        assert_true(isfinite(mr_voxel_cell_variance(&cell)));
    }
    struct mr_voxel_cell pair = cell_of(numbers, 2);
    assert_near(2e280, mr_voxel_cell_variance(&pair), 1e-12);
    struct mr_voxel_cell tiny = cell_of((const double[]){5e-324, 1e-323}, 2);
    assert_true(mr_voxel_cell_variance(&tiny) == 0);
    assert_true(mr_voxel_cell_sum(&tiny) == 1.5e-323);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_numbers),
        cmocka_unit_test(times_out_of_order),
        cmocka_unit_test(sums_are_exact),
        cmocka_unit_test(moments_beside_two_passes),
        cmocka_unit_test(small_differences_have_twelve_digits),
        cmocka_unit_test(extremes_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
