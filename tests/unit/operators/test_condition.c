/* tests/unit/operators/test_condition.c — condition: dividing rows, and computing a column. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static struct harness_row number(int64_t offset, double value)
{
    return harness_row(offset, "a", mr_value_double(value));
}

/* condition.c is what filter, branch and map are made of; here its three ways out in one view. */
static void true_false_and_failure_are_three_ways(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness,
                 "    - {name: op, type: branch, from: in, branches: [{name: big, where: '10.0 / "
                 "value > 2.0 || value > 100.0'}]}\n",
                 "    - {name: out, type: memory, from: op.big}\n"
                 "    - {name: out2, type: memory, from: op.rest}\n",
                 "op");
    struct harness_row rows[] = {number(1, 1), number(2, 8), number(3, 200), number(4, -1)};
    rows[3].cells[1].value = mr_value_bool(true);
    harness_feed(&harness, 0, rows, 4);
    assert_string_equal(harness_offsets(&harness, 0), "1 3");
    assert_string_equal(harness_offsets(&harness, 1), "2");
    assert_int_equal(harness.errors_count, 1);
    assert_non_null(strstr(harness_errors(&harness), "@4 'big: "));
    harness_close(&harness);
}

static void a_failed_expression_keeps_its_row_from_the_next_ones(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness,
                 "    - {name: op, type: map, from: in, set: {a: 'value + 1.0', b: 'k + \"x\"'}}\n",
                 "    - {name: out, type: memory, from: op}\n", "op");
    struct harness_row rows[] = {number(1, 1), number(2, 2)};
    /* Both expressions fail on row 1: it is reported once. */
    rows[0].cells[0].value = mr_value_null();
    rows[0].cells[1].value = mr_value_null();
    harness_feed(&harness, 0, rows, 2);
    assert_string_equal(harness_offsets(&harness, 0), "2");
    assert_int_equal(harness.errors_count, 1);
    assert_non_null(strstr(harness_errors(&harness), "@1 'a: "));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(true_false_and_failure_are_three_ways),
        cmocka_unit_test(a_failed_expression_keeps_its_row_from_the_next_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
