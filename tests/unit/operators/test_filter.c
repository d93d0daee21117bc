/* tests/unit/operators/test_filter.c — filter: rows pass, are dropped, or are reported. */
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

static void rows_pass_are_dropped_or_are_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness, "    - {name: op, type: filter, from: in, where: 'value > 2.0'}\n",
                 "    - {name: out, type: memory, from: op}\n", "op");
    struct harness_row rows[] = {number(10, 1), number(11, 3), number(12, 2.5), number(13, 0),
                                 number(14, 9)};
    rows[3].cells[1].value = (struct mr_value){.kind = MR_KIND_ABSENT};
    rows[4].cells[1].value = mr_value_string(mr_slice_text("9"));
    harness_feed(&harness, 0, rows, 5);
    assert_string_equal(harness_offsets(&harness, 0), "11 12");
    assert_int_equal(harness.errors_count, 2);
    assert_non_null(strstr(harness_errors(&harness), "@13 'where: "));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_pass_are_dropped_or_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
