/* tests/unit/operators/test_aggregate_moments.c — var, stddev, covariance, correlation. */
#include "tests/support/aggregate_fixture.h"

#include <math.h>

enum { ROWS_MAX = 1000 };

static const enum mr_type_code any[] = {MR_TYPE_ANY, MR_TYPE_ANY};

static void open(struct aggregate_fixture *fixture, const char *name, uint32_t arguments)
{
    aggregate_open(fixture, name, arguments, any, NULL, 256);
}

static void assert_near(struct mr_value value, double expected, double error)
{
    assert_int_equal(value.kind, MR_KIND_DOUBLE);
    if (!(fabs(value.number - expected) <= error * fabs(expected)))
        fail_msg("%.17g is not %.17g", value.number, expected);
}

static void fewer_than_two_are_null(void **state)
{
    (void)state;
    static const char *const names[] = {"var", "stddev", "covariance", "correlation"};
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(names); index++) {
        struct aggregate_fixture fixture;
        open(&fixture, names[index], 1 + index / 2);
        assert_int_equal(aggregate_add(&fixture, 0, mr_value_int(3), mr_value_int(4), 0), MR_OK);
        assert_int_equal(aggregate_result(&fixture, 0).kind, MR_KIND_NULL);
        assert_int_equal(aggregate_add(&fixture, 0, mr_value_int(3), mr_value_int(4), 0), MR_OK);
        struct mr_value result = aggregate_result(&fixture, 0);
        if (strcmp(names[index], "correlation") == 0)
            assert_int_equal(result.kind, MR_KIND_NULL); /* nothing varies */
        else
            assert_near(result, 0, 0);
        aggregate_close(&fixture);
    }
}

static void squares_that_overflow_are_refused(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    open(&fixture, "var", 1);
    aggregate_take(&fixture, 0, mr_value_double(1e140));
    aggregate_take(&fixture, 0, mr_value_double(-1e140));
    assert_near(aggregate_result(&fixture, 0), 2e280, 1e-12);
    assert_int_equal(aggregate_add(&fixture, 0, mr_value_double(1.1e140), mr_value_null(), 0),
                     MR_INVALID);
    assert_string_equal(fixture.error.message,
                        "var(a): the number is beyond 1e140, the most whose square can be summed");
    aggregate_close(&fixture);
}

/* In two passes, over numbers far from zero where the textbook formula loses all digits. */
static void reference(const struct aggregate_row *rows, long double expected[4])
{
    long double mean_x = 0;
    long double mean_y = 0;
    for (uint32_t index = 0; index < ROWS_MAX; index++) {
        mean_x += rows[index].a.number;
        mean_y += rows[index].b.number;
    }
    mean_x /= ROWS_MAX;
    mean_y /= ROWS_MAX;
    long double xx = 0;
    long double yy = 0;
    long double xy = 0;
    for (uint32_t index = 0; index < ROWS_MAX; index++) {
        long double x = rows[index].a.number - mean_x;
        long double y = rows[index].b.number - mean_y;
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    expected[0] = xx / (ROWS_MAX - 1);
    expected[1] = sqrtl(expected[0]);
    expected[2] = xy / (ROWS_MAX - 1);
    expected[3] = xy / sqrtl(xx * yy);
}

static void any_grouping_is_near_two_passes(void **state)
{
    (void)state;
    static const char *const names[] = {"var", "stddev", "covariance", "correlation"};
    static struct aggregate_row rows[ROWS_MAX];
    struct mr_random random;
    for (uint64_t seed = 0; seed < 10; seed++) {
        long double expected[4];
        mr_random_init(&random, seed, 2);
        for (uint32_t index = 0; index < ROWS_MAX; index++) {
            double x = mr_random_normal(&random);
            double y = 0.5 * x + mr_random_normal(&random);
            rows[index].a = mr_value_double(1e6 + x);
            rows[index].b = mr_value_double(-2e6 + 3 * y);
        }
        reference(rows, expected);
        for (uint32_t index = 0; index < MR_ARRAY_COUNT(names); index++) {
            struct aggregate_fixture fixture;
            open(&fixture, names[index], 1 + index / 2);
            aggregate_spread(&fixture, rows, ROWS_MAX, seed);
            for (uint32_t part = 0; part < 3; part++)
                assert_near(aggregate_result(&fixture, part), (double)expected[index], 1e-8);
            aggregate_close(&fixture);
        }
    }
}

static void lines_are_correlated_wholly(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    open(&fixture, "correlation", 2);
    for (int row = 0; row < 10; row++) {
        assert_int_equal(
            aggregate_add(&fixture, 0, mr_value_int(row), mr_value_double(1 - 0.1 * row), 0),
            MR_OK);
        assert_int_equal(aggregate_add(&fixture, 0, mr_value_int(row), mr_value_null(), 0), MR_OK);
    }
    struct mr_value result = aggregate_result(&fixture, 0);
    assert_near(result, -1, 1e-12);
    assert_true(result.number >= -1);
    aggregate_close(&fixture);
}

static void stored_bytes_stay(void **state)
{
    (void)state;
    static struct aggregate_golden golden;
    struct aggregate_fixture fixture;
    open(&fixture, "var", 1);
    aggregate_take(&fixture, 0, mr_value_int(2));
    aggregate_take(&fixture, 0, mr_value_double(4));
    aggregate_golden_add(&golden, &fixture, 0);
    aggregate_close(&fixture);
    open(&fixture, "covariance", 2);
    assert_int_equal(aggregate_add(&fixture, 0, mr_value_int(2), mr_value_int(3), 0), MR_OK);
    assert_int_equal(aggregate_add(&fixture, 0, mr_value_int(4), mr_value_int(7), 0), MR_OK);
    aggregate_golden_add(&golden, &fixture, 0);
    aggregate_close(&fixture);
    aggregate_golden_check(&golden, "aggregate_moments_v1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fewer_than_two_are_null),
        cmocka_unit_test(squares_that_overflow_are_refused),
        cmocka_unit_test(any_grouping_is_near_two_passes),
        cmocka_unit_test(lines_are_correlated_wholly),
        cmocka_unit_test(stored_bytes_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
