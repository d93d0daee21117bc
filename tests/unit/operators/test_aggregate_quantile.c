/* tests/unit/operators/test_aggregate_quantile.c — quantile and median beside sorted numbers. */
#include "tests/support/aggregate_fixture.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS_MAX = 4000 };

static const enum mr_type_code any[] = {MR_TYPE_ANY};

static void open(struct aggregate_fixture *fixture, double share, uint32_t piece_bytes)
{
    aggregate_open(fixture, "quantile", 1, any, &share, piece_bytes);
}

static int compare(const void *left, const void *right)
{
    const struct aggregate_row *first = left;
    const struct aggregate_row *second = right;
    return first->a.number < second->a.number ? -1 : first->a.number > second->a.number;
}

/* By the definition. */
static double sorted_quantile(const struct aggregate_row *rows, uint32_t count, double share)
{
    static struct aggregate_row sorted[ROWS_MAX];
    memcpy(sorted, rows, count * sizeof(*rows));
    qsort(sorted, count, sizeof(*sorted), compare);
    double rank = ceil(share * count);
    return sorted[rank < 1 ? 0 : (uint32_t)rank - 1].a.number;
}

static const double shares[] = {0, 0.001, 0.05, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1};

static void check_all(const struct aggregate_row *rows, uint32_t count, double error,
                      uint32_t piece_bytes, uint64_t seed)
{
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(shares); index++) {
        struct aggregate_fixture fixture;
        open(&fixture, shares[index], piece_bytes);
        aggregate_spread(&fixture, rows, count, seed);
        double expected = sorted_quantile(rows, count, shares[index]);
        double found = aggregate_result(&fixture, 0).number;
        if (!(fabs(found - expected) <= error * fabs(expected)))
            fail_msg("%g of %u: %.17g is not %.17g", shares[index], count, found, expected);
        for (uint32_t part = 1; part < 3; part++)
            assert_true(aggregate_result(&fixture, part).number == found);
        if (index == 0 || index == MR_ARRAY_COUNT(shares) - 1)
            assert_true(found == expected);
        aggregate_close(&fixture);
    }
}

static void small_groups_are_exact(void **state)
{
    (void)state;
    static struct aggregate_row rows[16];
    struct mr_random random;
    mr_random_init(&random, 1, 6);
    for (uint32_t count = 1; count <= MR_ARRAY_COUNT(rows); count++) {
        for (uint32_t row = 0; row < count; row++)
            rows[row].a = mr_value_double(mr_random_normal(&random) * 1e3);
        check_all(rows, count, 0, 256, count);
    }
    struct aggregate_fixture fixture;
    open(&fixture, 0.5, 1024);
    for (uint32_t row = 0; row < 16; row++)
        aggregate_take(&fixture, 0, mr_value_int(row));
    assert_null(fixture.states[0].scratch.pieces[0]);
    assert_true(aggregate_result(&fixture, 0).number == 7);
    aggregate_close(&fixture);
}

static double draw(struct mr_random *random, uint32_t shape)
{
    double normal = mr_random_normal(random);
    switch (shape) {
    case 0:
        return normal;
    case 1:
        return exp(2 * normal); /* latencies */
    case 2:
        return floor(10 * mr_random_double(random)) - 3; /* few values, zeros */
    case 3:
        return 1e6 + normal;
    default:
        return 100 * mr_random_double(random);
    }
}

static void errors_are_as_stated(void **state)
{
    (void)state;
    static struct aggregate_row rows[ROWS_MAX];
    static const uint32_t counts[] = {17, 60, 500, ROWS_MAX};
    for (uint32_t shape = 0; shape < 5; shape++)
        for (uint32_t index = 0; index < MR_ARRAY_COUNT(counts); index++) {
            struct mr_random random;
            mr_random_init(&random, shape, index);
            for (uint32_t row = 0; row < counts[index]; row++)
                rows[row].a = mr_value_double(draw(&random, shape));
            check_all(rows, counts[index], 0.008, 1024, index);
        }
}

/* 18 powers of ten keep the error; all doubles there are give a larger one, and no failure. */
static void wide_groups_stay_bounded(void **state)
{
    (void)state;
    static struct aggregate_row rows[ROWS_MAX];
    struct mr_random random;
    mr_random_init(&random, 2, 7);
    for (uint32_t row = 0; row < ROWS_MAX; row++)
        rows[row].a = mr_value_double(pow(10, 18 * mr_random_double(&random) - 5));
    check_all(rows, ROWS_MAX, 0.008, 1024, 1);
    for (uint32_t row = 0; row < ROWS_MAX; row++)
        rows[row].a =
            mr_value_double((row % 2 ? 1 : -1) * pow(10, 8 * mr_random_double(&random) + 2));
    check_all(rows, ROWS_MAX, 0.008, 1024, 2);
    for (uint32_t row = 0; row < ROWS_MAX; row++)
        rows[row].a = mr_value_double(pow(10, 36 * mr_random_double(&random)));
    check_all(rows, ROWS_MAX, 0.016, 1024, 3);
    for (uint32_t row = 0; row < ROWS_MAX; row++)
        rows[row].a =
            mr_value_double((row % 2 ? 1 : -1) * pow(10, 600 * mr_random_double(&random) - 300));
    rows[7].a = mr_value_double(DBL_MAX);
    rows[8].a = mr_value_double(-DBL_MAX);
    rows[9].a = mr_value_double(0);
    check_all(rows, ROWS_MAX, 1, 4096, 4);
    check_all(rows, ROWS_MAX, 1, 272, 5);
}

static void almost_nothing_is_nothing(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    open(&fixture, 0.5, 256);
    for (uint32_t row = 0; row < 100; row++) {
        double number = row % 2 ? 1e-310 : -1e-310;
        aggregate_take(&fixture, 0, mr_value_double(row % 3 ? number : -0.0));
    }
    assert_true(aggregate_result(&fixture, 0).number == 0);
    aggregate_close(&fixture);
}

static void medians_are_quantiles(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    aggregate_open(&fixture, "median", 1, any, NULL, 256);
    for (int row = 1; row <= 9; row++)
        aggregate_take(&fixture, 0, mr_value_int(row * row));
    assert_true(aggregate_result(&fixture, 0).number == 25);
    aggregate_close(&fixture);
}

static void stored_bytes_stay(void **state)
{
    (void)state;
    static struct aggregate_golden golden;
    struct aggregate_fixture fixture;
    open(&fixture, 0.5, 256);
    for (int row = 0; row < 20; row++) {
        aggregate_take(&fixture, 0, mr_value_double(pow(-10, row)));
        aggregate_take(&fixture, row < 3 ? 1 : 2, mr_value_int(row - 4));
    }
    for (uint32_t part = 0; part < 3; part++)
        aggregate_golden_add(&golden, &fixture, part);
    aggregate_close(&fixture);
    aggregate_golden_check(&golden, "aggregate_quantile_v1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_groups_are_exact),   cmocka_unit_test(errors_are_as_stated),
        cmocka_unit_test(wide_groups_stay_bounded), cmocka_unit_test(almost_nothing_is_nothing),
        cmocka_unit_test(medians_are_quantiles),    cmocka_unit_test(stored_bytes_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
