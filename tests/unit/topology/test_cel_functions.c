/* tests/unit/topology/test_cel_functions.c — the table of functions is sorted, complete and
 * consistent. */
#include "tests/support/expression_fixture.h"

static void test_table_is_sorted_and_filled(void **state)
{
    (void)state;
    uint32_t count = 0;
    const struct mr_cel_function *all = mr_cel_functions_all(&count);
    assert_true(count > 40);
    for (uint32_t i = 0; i < count; i++) {
        assert_non_null(all[i].call);
        assert_non_null(strchr(all[i].form, '('));
        assert_true(all[i].arguments_min <= all[i].arguments_max);
        assert_true(all[i].arguments_max <= MR_CEL_ARGUMENTS_MAX);
        assert_true(i == 0 || strcmp(all[i - 1].name, all[i].name) <= 0);
        for (uint32_t k = 0; k < all[i].arguments_max; k++)
            assert_true(mr_cel_function_accepts(&all[i], k) != 0);
    }
}

static void test_overloads_stand_together(void **state)
{
    (void)state;
    uint32_t count = 0;
    const struct mr_cel_function *found = mr_cel_functions_find("getHours", &count);
    assert_int_equal(count, 2);
    assert_string_equal(found[1].name, "getHours");
    assert_null(mr_cel_functions_find("nothing", &count));
    assert_int_equal(count, 0);
}

static void test_nearest(void **state)
{
    (void)state;
    assert_string_equal(mr_cel_functions_nearest("containss"), "contains");
    assert_string_equal(mr_cel_functions_nearest("exist"), "exists");
    assert_null(mr_cel_functions_nearest("zzzzzzzzzz"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_sorted_and_filled),
        cmocka_unit_test(test_overloads_stand_together),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
