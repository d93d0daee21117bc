/* tests/unit/operators/test_merge.c — merge: rows of several inputs under one numbering. */
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

static void rows_of_both_inputs_come_out(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness,
                 "    - {name: op, type: merge, inputs: [in, in2]}\n"
                 "    - {name: f, type: filter, from: op, where: 'value > 0.0'}\n",
                 "    - {name: out, type: memory, from: f}\n"
                 "    - {name: out2, type: memory, from: in2, where: 'k == \"b\"'}\n",
                 "op");
    /* The two domains number their columns differently: in2 has k as well. */
    struct harness_row rows[] = {number(1, 9.5), number(2, 3.25)};
    harness.keeps_last = true;
    harness_feed(&harness, 0, rows, 1);
    harness_feed(&harness, 1, rows + 1, 1);
    assert_string_equal(harness_offsets(&harness, 0), "1 2");
    const char *text = harness_output(&harness, 0);
    assert_non_null(strstr(text, "double:0000000000002340;")); /* 9.5 */
    assert_non_null(strstr(text, "double:0000000000000a40;")); /* 3.25 */
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_both_inputs_come_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
