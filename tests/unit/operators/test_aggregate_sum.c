/* tests/unit/operators/test_aggregate_sum.c — count, sum, avg, rate. */
#include "tests/support/aggregate_fixture.h"

#include <float.h>
#include <math.h>

enum { ROWS_MAX = 2000 };

static const enum mr_type_code any[] = {MR_TYPE_ANY};
static const struct mr_value absent = {.kind = MR_KIND_ABSENT};

static void open(struct aggregate_fixture *fixture, const char *name, uint32_t arguments)
{
    aggregate_open(fixture, name, arguments, any, NULL, 256);
}

static void assert_double(struct mr_value value, double expected)
{
    assert_int_equal(value.kind, MR_KIND_DOUBLE);
    if (value.number != expected)
        fail_msg("%.17g is not %.17g", value.number, expected);
}

static void assert_int(struct mr_value value, int64_t expected)
{
    assert_int_equal(value.kind, MR_KIND_INT);
    assert_int_equal(value.integer, expected);
}

static void rows_and_values_are_counted(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    open(&fixture, "count", 0);
    aggregate_take(&fixture, 0, absent);
    aggregate_take(&fixture, 0, absent);
    aggregate_take(&fixture, 1, absent);
    assert_int_equal(aggregate_merge(&fixture, 0, 1), MR_OK);
    assert_int(aggregate_result(&fixture, 0), 3);
    aggregate_close(&fixture);
    open(&fixture, "count", 1);
    aggregate_take(&fixture, 0, absent);
    aggregate_take(&fixture, 0, mr_value_null());
    aggregate_take(&fixture, 0, mr_value_bool(false));
    assert_int(aggregate_result(&fixture, 0), 1);
    aggregate_close(&fixture);
}

static void sums_keep_their_type(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    open(&fixture, "sum", 1);
    assert_int_equal(aggregate_result(&fixture, 0).kind, MR_KIND_NULL);
    aggregate_take(&fixture, 0, mr_value_int(9007199254740993));
    aggregate_take(&fixture, 0, mr_value_int(-1));
    assert_int(aggregate_result(&fixture, 0), 9007199254740992);
    aggregate_take(&fixture, 0, mr_value_uint(5));
    assert_int(aggregate_result(&fixture, 0), 9007199254740997);
    aggregate_take(&fixture, 0, mr_value_double(0.5));
    aggregate_take(&fixture, 0, mr_value_int(-9007199254740990));
    assert_double(aggregate_result(&fixture, 0), 7.5);
    aggregate_take(&fixture, 1, mr_value_uint(UINT64_MAX - 1));
    aggregate_take(&fixture, 1, mr_value_uint(1));
    struct mr_value result = aggregate_result(&fixture, 1);
    assert_int_equal(result.kind, MR_KIND_UINT);
    assert_true(result.unsigned_integer == UINT64_MAX);
    aggregate_close(&fixture);
}

static void a_row_beyond_the_type_fails(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    open(&fixture, "sum", 1);
    aggregate_take(&fixture, 0, mr_value_int(INT64_MAX));
    assert_int_equal(aggregate_add(&fixture, 0, mr_value_int(1), absent, 0), MR_INVALID);
    assert_string_equal(
        fixture.error.message,
        "sum(a): the sum is beyond the type int; write sum(double(x)) for a rounded one");
    assert_int_equal(aggregate_add(&fixture, 0, mr_value_uint(UINT64_MAX), absent, 0), MR_INVALID);
    assert_int(aggregate_result(&fixture, 0), INT64_MAX);
    aggregate_take(&fixture, 1, mr_value_int(1));
    assert_int_equal(aggregate_merge(&fixture, 1, 0), MR_INVALID);
    assert_int(aggregate_result(&fixture, 1), 1);
    aggregate_take(&fixture, 2, mr_value_uint(UINT64_MAX));
    assert_int_equal(aggregate_add(&fixture, 2, mr_value_uint(1), absent, 0), MR_INVALID);
    assert_int_equal(aggregate_add(&fixture, 2, mr_value_int(1), absent, 0), MR_INVALID);
    aggregate_take(&fixture, 3, mr_value_double(DBL_MAX));
    assert_int_equal(aggregate_add(&fixture, 3, mr_value_double(DBL_MAX), absent, 0), MR_INVALID);
    assert_string_equal(fixture.error.message, "sum(a): the sum is beyond the type double");
    assert_double(aggregate_result(&fixture, 3), DBL_MAX);
    assert_int_equal(aggregate_add(&fixture, 3, mr_value_string(mr_slice_text("7")), absent, 0),
                     MR_INVALID);
    assert_string_equal(fixture.error.message,
                        "sum(a) takes numbers; this value is of type string");
    aggregate_close(&fixture);
}

/* 1e16 + 1 + -1e16 and the like lose the ones without compensation. */
static void small_numbers_are_not_lost(void **state)
{
    (void)state;
    static const char *const names[] = {"sum", "avg", "rate"};
    static const double scale[] = {1, 1.0 / 3002, 1.0 / 10};
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(names); index++) {
        struct aggregate_fixture fixture;
        open(&fixture, names[index], 1);
        for (uint32_t part = 0; part < 2; part++) {
            aggregate_take(&fixture, part, mr_value_double(part == 0 ? 1e100 : -1e100));
            for (uint32_t row = 0; row < 1500; row++)
                aggregate_take(&fixture, part, mr_value_double(1));
        }
        assert_int_equal(aggregate_merge(&fixture, 0, 1), MR_OK);
        struct mr_value result = aggregate_result(&fixture, 0);
        assert_true(fabs(result.number - 3000 * scale[index]) < 1e-12);
        aggregate_close(&fixture);
    }
}

static void rates_are_per_second(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    open(&fixture, "rate", 0);
    assert_double(aggregate_result(&fixture, 0), 0);
    for (uint32_t row = 0; row < 5; row++)
        aggregate_take(&fixture, 0, absent);
    assert_double(aggregate_result_over(&fixture, 0, 2000), 2.5);
    assert_int_equal(aggregate_result_over(&fixture, 0, 0).kind, MR_KIND_NULL);
    aggregate_close(&fixture);
    open(&fixture, "rate", 1);
    aggregate_take(&fixture, 0, mr_value_int(7));
    aggregate_take(&fixture, 0, mr_value_double(1));
    assert_double(aggregate_result_over(&fixture, 0, 500), 16);
    aggregate_close(&fixture);
}

static void any_grouping_gives_the_same(void **state)
{
    (void)state;
    static struct aggregate_row rows[ROWS_MAX];
    struct mr_random random;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct aggregate_fixture sum;
        struct aggregate_fixture avg;
        mr_random_init(&random, seed, 1);
        int64_t total = 0;
        for (uint32_t index = 0; index < ROWS_MAX; index++) {
            int64_t number = (int64_t)mr_random_below(&random, 1u << 30) - (1 << 29);
            total += number;
            /* Seed 0, 2, ...: halves, so that the exact sum of doubles is known. */
            rows[index].a =
                seed % 2 == 1 ? mr_value_int(number) : mr_value_double((double)number * 0x1p-40);
        }
        open(&sum, "sum", 1);
        open(&avg, "avg", 1);
        aggregate_spread(&sum, rows, ROWS_MAX, seed);
        aggregate_spread(&avg, rows, ROWS_MAX, seed);
        for (uint32_t part = 0; part < 3; part++) {
            if (seed % 2 == 1) {
                assert_int(aggregate_result(&sum, part), total);
                assert_double(aggregate_result(&avg, part), (double)total / ROWS_MAX);
            } else {
                assert_double(aggregate_result(&sum, part), (double)total * 0x1p-40);
                assert_double(aggregate_result(&avg, part), (double)total * 0x1p-40 / ROWS_MAX);
            }
        }
        aggregate_close(&sum);
        aggregate_close(&avg);
    }
}

static void stored_bytes_stay(void **state)
{
    (void)state;
    static const char *const names[] = {"avg", "count", "rate", "sum"};
    static struct aggregate_golden golden;
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(names); index++) {
        struct aggregate_fixture fixture;
        open(&fixture, names[index], 1);
        aggregate_take(&fixture, 0, mr_value_int(-3));
        aggregate_take(&fixture, 1, mr_value_double(1e16));
        aggregate_take(&fixture, 1, mr_value_double(1.5));
        aggregate_take(&fixture, 2, mr_value_uint(7));
        for (uint32_t part = 0; part < 3; part++)
            aggregate_golden_add(&golden, &fixture, part);
        aggregate_close(&fixture);
    }
    aggregate_golden_check(&golden, "aggregate_sum_v1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_values_are_counted),
        cmocka_unit_test(sums_keep_their_type),
        cmocka_unit_test(a_row_beyond_the_type_fails),
        cmocka_unit_test(small_numbers_are_not_lost),
        cmocka_unit_test(rates_are_per_second),
        cmocka_unit_test(any_grouping_gives_the_same),
        cmocka_unit_test(stored_bytes_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
