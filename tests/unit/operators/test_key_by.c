/* tests/unit/operators/test_key_by.c — key_by: rows pass as they are. */
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

static void rows_pass_and_the_plan_groups_them(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness, "    - {name: op, type: key_by, from: in2, key: [k]}\n",
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: out2, type: memory, from: in}\n",
                 "op");
    /* in2 has no key: a repartition topic was planned. */
    assert_true(harness.node->inputs[0].repartition);
    struct harness_row rows[] = {number(1, 9), number(2, 3)};
    harness_feed(&harness, 0, rows, 2);
    assert_string_equal(harness_offsets(&harness, 0), "1 2");
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_pass_and_the_plan_groups_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
