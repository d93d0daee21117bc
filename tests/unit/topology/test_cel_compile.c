/* tests/unit/topology/test_cel_compile.c — instructions: variables are loaded once, registers are
 * reused, limits hold. */
#include "tests/support/expression_fixture.h"

static void test_a_variable_is_loaded_once(void **state)
{
    struct expression_fixture *fixture = *state;
    const struct mr_program *program =
        expression_compile(fixture, "value > 1 && value < 9 && has(value)");
    assert_non_null(program);
    assert_int_equal(program->loads_count, 1);
}

static void test_registers_are_reused(void **state)
{
    struct expression_fixture *fixture = *state;
    const struct mr_program *program =
        expression_compile(fixture, "value + value + value + value + value + value");
    assert_non_null(program);
    assert_int_equal(program->registers_count, 2);
    program = expression_compile(fixture, "[value + 1, value + 2, value + 3, value + 4]");
    assert_non_null(program);
    assert_int_equal(program->registers_count, 2);
}

static void test_what_a_program_uses(void **state)
{
    struct expression_fixture *fixture = *state;
    assert_true(mr_program_uses_now(expression_compile(fixture, "now() > at")));
    assert_false(mr_program_uses_now(expression_compile(fixture, "at > at")));
    assert_true(expression_compile(fixture, "name.matches('a')")->uses_regex);
    assert_int_equal(
        expression_compile(fixture, "tags.all(t, tags.exists(u, u == t))")->macros_depth, 2);
    assert_int_equal(
        expression_compile(fixture, "tags.all(t, true) && tags.all(t, true)")->macros_depth, 1);
}

static void test_constant_arguments_are_checked(void **state)
{
    static const struct expression_problem problems[] = {
        {"name.matches('(a')", "The pattern of matches() is wrong at its byte 3: '(' is not closed",
         14},
        {"at.getHours('Europe/Paris')", "The time zone 'Europe/Paris' is not supported", 13},
    };
    EXPRESSION_REFUSED(*state, problems);
}

static void test_every_form_of_node(void **state)
{
    EXPRESSION_TRUE(*state, "{'a': value, 'b': tags[0]} == {'b': 'a', 'a': 2.5}",
                    "[value, 1] == [2.5, 1]", "pos.deep.y[1] == 20.0", "pos['x'] == 1.5",
                    "(flag ? tags : [])[2] == 'c'", "has(pos.deep.y) && !has(pos.deep.z)",
                    "!has(gone) && has(none) && has(value)", "math.greatest(1, value, 2) == 2.5",
                    "tags.map(t, t + '!')[0] == 'a!'", "-value == -2.5 && !(!flag)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_variable_is_loaded_once),
        cmocka_unit_test(test_registers_are_reused),
        cmocka_unit_test(test_what_a_program_uses),
        cmocka_unit_test(test_constant_arguments_are_checked),
        cmocka_unit_test(test_every_form_of_node),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
