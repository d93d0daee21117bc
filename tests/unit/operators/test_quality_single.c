/* tests/unit/operators/test_quality_single.c — single records go on whole, each by one output, in
 * whatever cuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

enum { ROWS_COUNT = 200, MAIN = 0, FAIL = 1, ALERTS = 2, RESULTS = 3 };

static void open_single(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: quality.checkpoint, from: in, %schecks: [{name: low, field: "
             "value, expect: between, max: 5}, {name: even, where: 'int(value) %% 2 == 0'}]}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: bad, type: memory, from: op.fail}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n"
                 "    - {name: results, type: memory, from: op.results}\n",
                 "op");
    harness->keeps_last = true;
}

static void each_record_leaves_once(void **state)
{
    MR_UNUSED(state);
    static struct harness_row rows[ROWS_COUNT];
    struct harness whole;
    struct harness cut;
    for (uint32_t index = 0; index < ROWS_COUNT; index++)
        rows[index] = harness_row(index, "a", mr_value_double(index % 9));
    open_single(&whole, "");
    open_single(&cut, "");
    harness_feed(&whole, 0, rows, ROWS_COUNT);
    for (uint32_t index = 0; index < ROWS_COUNT; index++)
        harness_feed(&cut, 0, rows + index, 1);
    for (uint32_t output = MAIN; output <= ALERTS; output++)
        assert_string_equal(harness_output(&whole, output), harness_output(&cut, output));
    assert_int_equal(whole.emitted_count[MAIN] + whole.emitted_count[FAIL], ROWS_COUNT);
    assert_int_equal(whole.emitted_count[RESULTS], ROWS_COUNT);
    assert_true(whole.emitted_count[MAIN] > 0 && whole.emitted_count[FAIL] > 0);
    harness_close(&whole);
    harness_close(&cut);
}

static void what_a_record_violates_is_named(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_single(&harness, "fail_from: critical, ");
    struct harness_row row = harness_row(0, "a", mr_value_double(7));
    harness_feed(&harness, 0, &row, 1);
    assert_int_equal(harness_member(&harness, "failed").size, 2);
    assert_int_equal(harness_member(&harness, "violated").size, 2);
    assert_int_equal(harness_member(&harness, "records").integer, 1);
    assert_true(harness_member(&harness, "score").number == 0);
    harness_close(&harness);
}

static void a_key_is_told_where_there_is_one(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_single(&harness, "key: [k], ");
    struct harness_row row = harness_row(0, "sensor", mr_value_double(7));
    harness_feed(&harness, 0, &row, 1);
    assert_text(harness_field(&harness, ALERTS, "key"), "sensor");
    assert_text(harness_field(&harness, RESULTS, "key"), "sensor");
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_leaves_once),
        cmocka_unit_test(what_a_record_violates_is_named),
        cmocka_unit_test(a_key_is_told_where_there_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
