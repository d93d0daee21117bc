/* tests/unit/topology/test_type.c — types are found by role and name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/topology_catalogue.h"

static void role_and_name_decide(void **state)
{
    (void)state;
    const struct mr_type_spec *source =
        mr_catalogue_find(&mr_test_catalogue, MR_ROLE_SOURCE, "kafka");
    const struct mr_type_spec *sink = mr_catalogue_find(&mr_test_catalogue, MR_ROLE_SINK, "kafka");
    assert_non_null(source);
    assert_non_null(sink);
    assert_ptr_not_equal(source, sink);
    assert_int_equal(sink->role, MR_ROLE_SINK);
    assert_null(mr_catalogue_find(&mr_test_catalogue, MR_ROLE_OPERATOR, "kafka"));
    assert_null(mr_catalogue_find(&mr_test_catalogue, MR_ROLE_SINK, "kafk"));
    assert_null(mr_catalogue_find(&mr_test_catalogue, MR_ROLE_SINK, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(role_and_name_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
