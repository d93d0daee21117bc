/* tests/unit/operators/test_windowing.c — what the kinds of windows share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/windowing.h"

static void tables_have_the_bounds_of_the_node(void **state)
{
    MR_UNUSED(state);
    const struct mr_plan_node node = {
        .name = "op", .state_keys_max = 5, .state_bytes_max = 9000, .state_full_fails = true};
    const struct mr_windowing windowing = {.node = &node};
    struct mr_table_spec spec;
    mr_windowing_table_spec(&windowing, "groups", &spec);
    assert_string_equal(spec.operator_name, "op");
    assert_string_equal(spec.name, "groups");
    assert_int_equal(spec.keys_max, 5);
    assert_int_equal(spec.bytes_max, 9000);
    assert_int_equal(spec.on_full, MR_ON_FULL_FAIL);
    assert_int_equal(spec.ttl_ms, 0);
    assert_true(spec.timed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_have_the_bounds_of_the_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
