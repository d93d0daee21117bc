/* tests/unit/operators/test_aggregate_distinct.c — count_distinct. */
#include "tests/support/aggregate_fixture.h"

#include <stdio.h>

enum { ROWS_MAX = 3000 };

static const enum mr_type_code any[] = {MR_TYPE_ANY};

static void open(struct aggregate_fixture *fixture, double most)
{
    aggregate_open(fixture, "count_distinct", 1, any, &most, AGGREGATE_PIECE_BYTES);
}

static void assert_count(struct aggregate_fixture *fixture, uint32_t state, int64_t expected)
{
    struct mr_value result = aggregate_result(fixture, state);
    assert_int_equal(result.kind, MR_KIND_INT);
    assert_int_equal(result.integer, expected);
}

static void small_groups_stay_in_the_head(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    open(&fixture, 1000);
    for (uint32_t row = 0; row < 70; row++)
        aggregate_take(&fixture, 0, mr_value_int(row % 7));
    assert_count(&fixture, 0, 7);
    assert_null(fixture.states[0].scratch.pieces[0]);
    aggregate_take(&fixture, 0, mr_value_double(7.5));
    assert_count(&fixture, 0, 8);
    assert_non_null(fixture.states[0].scratch.pieces[0]);
    assert_null(fixture.states[0].scratch.pieces[1]);
    for (uint32_t row = 0; row < 70; row++)
        aggregate_take(&fixture, 0, mr_value_uint(row % 7));
    assert_count(&fixture, 0, 8);
    aggregate_close(&fixture);
}

static void a_full_group_says_what_to_do(void **state)
{
    (void)state;
    static const double bounds[] = {3, 50};
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(bounds); index++) {
        struct aggregate_fixture fixture;
        open(&fixture, bounds[index]);
        int64_t most = (int64_t)bounds[index];
        assert_int_equal(mr_aggregate_is_light(&fixture.aggregate), most <= 7);
        for (int64_t row = 0; row < most; row++)
            aggregate_take(&fixture, 0, mr_value_int(row));
        assert_int_equal(aggregate_add(&fixture, 0, mr_value_int(-1), (struct mr_value){0}, 0),
                         MR_LIMIT);
        char expected[256];
        snprintf(expected, sizeof(expected),
                 "count_distinct(a): the group has more than %d distinct values: raise the "
                 "function's parameter `max`, or use approx_count_distinct, which has no bound",
                 (int)most);
        assert_string_equal(fixture.error.message, expected);
        aggregate_take(&fixture, 0, mr_value_int(most - 1));
        assert_count(&fixture, 0, most);
        aggregate_take(&fixture, 1, mr_value_int(2));
        assert_int_equal(aggregate_merge(&fixture, 0, 1), MR_OK);
        aggregate_take(&fixture, 1, mr_value_int(-2));
        assert_int_equal(aggregate_merge(&fixture, 0, 1), MR_LIMIT);
        assert_count(&fixture, 0, most);
        aggregate_close(&fixture);
    }
}

static void any_grouping_counts_the_same(void **state)
{
    (void)state;
    static struct aggregate_row rows[ROWS_MAX];
    static char texts[ROWS_MAX][40];
    static const uint32_t spreads[] = {5, 12, 300, 2500};
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(spreads); index++) {
        struct aggregate_fixture fixture;
        struct mr_random random;
        static bool seen[ROWS_MAX];
        memset(seen, 0, sizeof(seen));
        mr_random_init(&random, index, 4);
        int64_t distinct = 0;
        for (uint32_t row = 0; row < ROWS_MAX; row++) {
            uint32_t number = (uint32_t)mr_random_below(&random, spreads[index]);
            distinct += !seen[number];
            seen[number] = true;
            snprintf(texts[row], sizeof(texts[row]), "a text that is not short %u", number);
            rows[row].a = number % 3 == 0 ? mr_value_string(mr_slice_text(texts[row]))
                          : row % 2 == 0  ? mr_value_int(number)
                                          : mr_value_double(number);
        }
        open(&fixture, 2500);
        aggregate_spread(&fixture, rows, ROWS_MAX, index);
        for (uint32_t part = 0; part < 3; part++)
            assert_count(&fixture, part, distinct);
        aggregate_close(&fixture);
    }
}

static void stored_bytes_stay(void **state)
{
    (void)state;
    static struct aggregate_golden golden;
    struct aggregate_fixture fixture;
    open(&fixture, 1000);
    aggregate_take(&fixture, 0, mr_value_string(mr_slice_text("sensor-a")));
    aggregate_take(&fixture, 0, mr_value_string(mr_slice_text("a text that is not short")));
    aggregate_take(&fixture, 0, mr_value_double(0.5));
    aggregate_golden_add(&golden, &fixture, 0);
    for (int row = 0; row < 20; row++)
        aggregate_take(&fixture, 1, mr_value_int(row));
    aggregate_golden_add(&golden, &fixture, 1);
    aggregate_close(&fixture);
    aggregate_golden_check(&golden, "aggregate_distinct_v1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_groups_stay_in_the_head),
        cmocka_unit_test(a_full_group_says_what_to_do),
        cmocka_unit_test(any_grouping_counts_the_same),
        cmocka_unit_test(stored_bytes_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
