/* tests/unit/topology/test_cel_arithmetic.c — arithmetic stays within one kind, overflow and times
 * out of range are errors. */
#include "tests/support/expression_fixture.h"

static void test_numbers(void **state)
{
    EXPRESSION_TRUE(*state, "1 + 2 * 3 == 7", "7 / 2 == 3", "-7 / 2 == -3", "-7 % 3 == -1",
                    "7u % 4u == 3u", "1.0 / 0.0 > 1e308", "0.1 + 0.2 != 0.3", "5u - 2u == 3u",
                    "id + 1 == 43", "id % 5 == 2", "size_u * 2u == 18u");
}

static void test_overflow_is_an_error(void **state)
{
    static const struct expression_problem problems[] = {
        {"9223372036854775807 + 1", "overflow", 0},
        {"-9223372036854775808 - 1", "overflow", 0},
        {"id * 9223372036854775807", "overflow", 0},
        {"(id - 43 - 9223372036854775807) / -1", "overflow", 0},
        {"(id - 43 - 9223372036854775807) % -1", "overflow", 0},
        {"0u - 1u", "overflow", 0},
        {"1 / 0", "division by zero", 0},
        {"id % 0", "modulus by zero", 0},
        {"size_u / 0u", "division by zero", 0},
        {"size_u % 0u", "modulus by zero", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_texts_and_lists(void **state)
{
    EXPRESSION_TRUE(*state, "'a' + name == 'asensor-a'", "name + '' == name",
                    "b'a' + raw == b'a\\377\\000a'", "tags + ['d'] == ['a', 'b', 'c', 'd']",
                    "[] + tags == tags");
}

static void test_times(void **state)
{
    EXPRESSION_TRUE(*state, "at + wait == timestamp('2026-01-28T10:31:30.25Z')",
                    "wait + at == at + wait", "at - wait < at", "at - at == duration('0s')",
                    "wait - duration('1m') == duration('30s')", "wait + wait == duration('3m')");
}

static void test_times_out_of_range(void **state)
{
    static const struct expression_problem problems[] = {
        {"timestamp('2261-01-01T00:00:00Z') + duration('2000000h')", "out of range", 0},
        {"duration('2500000h') + duration('2500000h')", "duration out of range", 0},
        {"duration('-2500000h') - duration('2500000h')", "duration out of range", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_kinds_do_not_mix(void **state)
{
    static const struct expression_problem problems[] = {
        {"dyn(1) + 1u", "+ does not take int and uint", 0},
        {"value + 'a'", "+ does not take double and string", 0},
        {"value % 2", "%", 0},
        {"none + 1", "null_type", 0},
        {"dyn(at) + at", "+", 0},
        {"dyn(wait) - at", "-", 0},
        {"dyn(tags) - dyn(tags)", "-", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_a_literal_beside_a_double_is_a_double(void **state)
{
    EXPRESSION_TRUE(*state, "value * 2 == 5.0", "1 + value == 3.5", "temperature - 1 == 20.5",
                    "(gone == 1 || true) && value * -2 == -5.0",
                    "type(value * 2) == dyn(type(1.0))", "whole / 2 == 3.5",
                    "numbers[0] / 2 == 0.5", "(has(gone) ? gone : 0) + value == 2.5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_overflow_is_an_error),
        cmocka_unit_test(test_texts_and_lists),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_times_out_of_range),
        cmocka_unit_test(test_kinds_do_not_mix),
        cmocka_unit_test(test_a_literal_beside_a_double_is_a_double),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
