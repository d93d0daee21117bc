/* tests/unit/operators/test_aggregate_set.c — all aggregates of one operator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/aggregate_set.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness, struct mr_aggregate_set *set, const char *aggregates)
{
    char text[512];
    struct mr_error error;
    snprintf(
        text, sizeof(text),
        "    - {name: op, type: window.aggregate, from: in, key: [k], window: {tumbling: 10s}, "
        "aggregates: {%s}}\n",
        aggregates);
    harness_open(harness, text, "    - {name: out, type: memory, from: op}\n", "op");
    assert_int_equal(
        mr_aggregate_set_init(set, mr_options_get(&harness->node->options, "aggregates"), &error),
        MR_OK);
}

static bool add(const struct mr_aggregate_set *set, uint8_t *cell, struct mr_value first,
                struct mr_value second)
{
    struct mr_aggregate_columns columns = {0};
    struct mr_error error;
    bool failed;
    columns.arguments[0][0] = &first;
    columns.arguments[1][0] = &second;
    assert_int_equal(mr_aggregate_set_add(set, &columns, 0, 1000, cell, NULL, &failed, &error),
                     MR_OK);
    return !failed;
}

static double result(const struct mr_aggregate_set *set, const uint8_t *cell, uint32_t index)
{
    const struct mr_aggregate_span span = {0, 10000};
    struct mr_value results[MR_AGGREGATE_SET_MAX];
    struct mr_arena arena;
    struct mr_error error;
    double number = 0;
    mr_arena_init(&arena, 4096);
    assert_int_equal(mr_aggregate_set_results(set, cell, NULL, &span, &arena, results, &error),
                     MR_OK);
    assert_true(mr_value_as_double(results[index], &number));
    mr_arena_deinit(&arena);
    return number;
}

static void a_row_goes_into_all_or_none(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_aggregate_set set;
    uint8_t cell[MR_AGGREGATE_SET_CELL_BYTES] = {0};
    open(&harness, &set, "a: sum(value), b: avg(value)");
    assert_true(add(&set, cell, mr_value_double(3), mr_value_double(7)));
    assert_false(add(&set, cell, mr_value_double(100), mr_value_bool(true)));
    assert_true(add(&set, cell, mr_value_double(4), mr_value_double(5)));
    assert_true(result(&set, cell, 0) == 7);
    assert_true(result(&set, cell, 1) == 6);
    harness_close(&harness);
}

static void cells_are_merged(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_aggregate_set set;
    static struct mr_aggregate_merged merged;
    uint8_t cells[2][MR_AGGREGATE_SET_CELL_BYTES] = {0};
    struct mr_error error;
    open(&harness, &set, "a: sum(value), b: last(value)");
    assert_true(add(&set, cells[0], mr_value_double(1), mr_value_double(10)));
    assert_true(add(&set, cells[1], mr_value_double(2), mr_value_double(20)));
    mr_aggregate_set_begin(&set, &harness.plan_arena, &merged);
    assert_int_equal(mr_aggregate_set_merge(&set, &merged, cells[0], NULL, &error), MR_OK);
    assert_int_equal(mr_aggregate_set_merge(&set, &merged, cells[1], NULL, &error), MR_OK);
    assert_true(result(&set, merged.cell, 0) == 3);
    assert_true(result(&set, merged.cell, 1) == 20);
    assert_int_equal(mr_aggregate_set_join(&set, cells[0], NULL, cells[1], NULL, &error), MR_OK);
    assert_memory_equal(cells[0], merged.cell, set.cell_bytes);
    harness_close(&harness);
}

static void the_fingerprint_tells_calls_apart(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_aggregate_set first;
    struct mr_aggregate_set second;
    open(&harness, &first, "a: sum(value), b: last(value)");
    harness_close(&harness);
    open(&harness, &second, "a: sum(value), b: first(value)");
    harness_close(&harness);
    assert_true(first.fingerprint != second.fingerprint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_goes_into_all_or_none),
        cmocka_unit_test(cells_are_merged),
        cmocka_unit_test(the_fingerprint_tells_calls_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
