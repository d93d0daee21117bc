/* tests/unit/operators/test_aggregate_cardinality.c — approx_count_distinct. */
#include "tests/support/aggregate_fixture.h"

#include <math.h>
#include <stdio.h>

enum { ROWS_MAX = 4000 };

static const enum mr_type_code any[] = {MR_TYPE_ANY};

static void open(struct aggregate_fixture *fixture, double precision, uint32_t piece_bytes)
{
    aggregate_open(fixture, "approx_count_distinct", 1, any, &precision, piece_bytes);
}

static void small_groups_are_exact_and_small(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    open(&fixture, 12, 1024);
    assert_int_equal(fixture.aggregate.head_bytes, 128);
    assert_int_equal(fixture.aggregate.pieces_max, 4);
    for (uint32_t row = 0; row < 300; row++) {
        aggregate_take(&fixture, 0, row % 2 ? mr_value_int(row % 30) : mr_value_uint(row % 30));
        assert_int_equal(aggregate_result(&fixture, 0).integer, row < 30 ? row + 1 : 30);
    }
    for (uint32_t piece = 0; piece < 4; piece++)
        assert_null(fixture.states[0].scratch.pieces[piece]);
    aggregate_take(&fixture, 0, mr_value_int(30));
    assert_non_null(fixture.states[0].scratch.pieces[0]);
    int64_t count = aggregate_result(&fixture, 0).integer;
    assert_in_range(count, 30, 32);
    aggregate_close(&fixture);
}

/* Over many groups the error is as the page says: its root mean square is the standard error. */
static void errors_are_as_stated(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {40, 200, 1000, 6000, 30000};
    enum { GROUPS = 30, PRECISION = 12 };
    double standard = 1.04 / sqrt(1 << PRECISION);
    for (uint32_t size = 0; size < MR_ARRAY_COUNT(sizes); size++) {
        double squares = 0;
        double sum = 0;
        struct aggregate_fixture fixture;
        open(&fixture, PRECISION, 1024);
        for (uint32_t group = 0; group < GROUPS; group++) {
            aggregate_clear(&fixture);
            for (uint32_t row = 0; row < sizes[size]; row++)
                aggregate_take(&fixture, 0, mr_value_int(group * 1000000 + row));
            double error = (double)aggregate_result(&fixture, 0).integer / sizes[size] - 1;
            assert_true(fabs(error) < 4 * standard);
            squares += error * error;
            sum += error;
        }
        double root = sqrt(squares / GROUPS);
        print_message("%u: %.4f, mean %.4f\n", sizes[size], root, sum / GROUPS);
        assert_true(root < 1.4 * standard);
        assert_true(fabs(sum / GROUPS) < 3.5 * standard / sqrt(GROUPS));
        aggregate_close(&fixture);
    }
}

static void any_grouping_gives_the_same_registers(void **state)
{
    (void)state;
    static struct aggregate_row rows[ROWS_MAX];
    static const double precisions[] = {8, 12, 16};
    static const uint32_t spreads[] = {25, 31, 300, 4000};
    for (uint32_t index = 0; index < 12; index++) {
        struct aggregate_fixture fixture;
        struct mr_random random;
        mr_random_init(&random, index, 5);
        for (uint32_t row = 0; row < ROWS_MAX; row++)
            rows[row].a = mr_value_int((int64_t)mr_random_below(&random, spreads[index % 4]));
        open(&fixture, precisions[index / 4], index % 2 ? 4096 : 272);
        aggregate_spread(&fixture, rows, ROWS_MAX, index);
        const char *expected = aggregate_dump(&fixture, 0);
        assert_string_equal(expected, aggregate_dump(&fixture, 1));
        assert_string_equal(expected, aggregate_dump(&fixture, 2));
        aggregate_close(&fixture);
    }
}

static void stored_bytes_stay(void **state)
{
    (void)state;
    static struct aggregate_golden golden;
    struct aggregate_fixture fixture;
    open(&fixture, 8, 256);
    for (int row = 0; row < 40; row++)
        aggregate_take(&fixture, row < 5 ? 0 : 1, mr_value_int(row));
    aggregate_golden_add(&golden, &fixture, 0);
    aggregate_golden_add(&golden, &fixture, 1);
    aggregate_close(&fixture);
    aggregate_golden_check(&golden, "aggregate_cardinality_v1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_groups_are_exact_and_small),
        cmocka_unit_test(errors_are_as_stated),
        cmocka_unit_test(any_grouping_gives_the_same_registers),
        cmocka_unit_test(stored_bytes_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
