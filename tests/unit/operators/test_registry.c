/* tests/unit/operators/test_registry.c — the registry: order, look-up, tables. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static void the_tables_are_sound(void **state)
{
    MR_UNUSED(state);
    struct mr_error error;
    if (mr_operator_registry_check(&error) != MR_OK)
        fail_msg("%s", error.message);
}

static void types_are_found_by_name(void **state)
{
    MR_UNUSED(state);
    uint32_t count;
    const struct mr_operator_type *const *types = mr_operators(&count);
    assert_in_range(count, 13, 1000);
    for (uint32_t index = 0; index < count; index++)
        assert_ptr_equal(mr_operator_find(types[index]->spec.role, types[index]->spec.name),
                         types[index]);
    assert_null(mr_operator_find(MR_ROLE_OPERATOR, "detect.zscor"));
    assert_null(mr_operator_find(MR_ROLE_OPERATOR, ""));
    assert_null(mr_operator_find(MR_ROLE_OPERATOR, "zzz"));
    assert_null(mr_operator_find(MR_ROLE_SOURCE, "filter"));
    assert_ptr_not_equal(mr_operator_find(MR_ROLE_SOURCE, "generate.copula"),
                         mr_operator_find(MR_ROLE_OPERATOR, "generate.copula"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_are_sound),
        cmocka_unit_test(types_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
