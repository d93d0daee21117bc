/* tests/unit/operators/test_quality_rules.c — every record goes on, in whatever cuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

enum { ROWS_COUNT = 300 };

static void open_rules(struct harness *harness)
{
    harness_open(
        harness,
        "    - {name: op, type: quality.rules, from: in, as: checked, checks: [{name: "
        "small, field: value, expect: between, max: 9}, {name: odd, where: 'int(value) % 2 "
        "== 1 || value > 100.0'}]}\n",
        "    - {name: out, type: memory, from: op}\n"
        "    - {name: alerts, type: memory, from: op.alerts}\n",
        "op");
}

static void every_record_goes_on(void **state)
{
    MR_UNUSED(state);
    static struct harness_row rows[ROWS_COUNT];
    struct harness whole;
    struct harness cut;
    for (uint32_t index = 0; index < ROWS_COUNT; index++)
        rows[index] = harness_row(index, "a", mr_value_double(index % 13));
    open_rules(&whole);
    open_rules(&cut);
    harness_feed(&whole, 0, rows, ROWS_COUNT);
    for (uint32_t index = 0; index < ROWS_COUNT; index++)
        harness_feed(&cut, 0, rows + index, 1);
    assert_int_equal(whole.emitted_count[0], ROWS_COUNT);
    assert_int_equal(whole.errors_count, 0);
    for (uint32_t output = 0; output < 2; output++)
        assert_string_equal(harness_output(&whole, output), harness_output(&cut, output));
    harness_close(&whole);
    harness_close(&cut);
}

static void nothing_is_written_that_nobody_reads(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness,
                 "    - {name: op, type: quality.rules, from: in, checks: [{name: never, where: "
                 "'false'}]}\n",
                 "    - {name: out, type: memory, from: op}\n", "op");
    struct harness_row row = harness_row(0, "a", mr_value_double(1));
    harness_feed(&harness, 0, &row, 1);
    assert_int_equal(harness.emitted_count[0], 1);
    assert_int_equal(harness.emitted_count[1], 0);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_goes_on),
        cmocka_unit_test(nothing_is_written_that_nobody_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
