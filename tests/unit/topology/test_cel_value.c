/* tests/unit/topology/test_cel_value.c — equality, order and lookup across kinds, exactly. */
#include "tests/support/expression_fixture.h"

static void test_numbers_lie_on_one_line(void **state)
{
    EXPRESSION_TRUE(
        *state, "dyn(1) == 1u && dyn(1u) == 1.0", "dyn(9007199254740993) != 9007199254740992.0",
        "dyn(9007199254740993) > 9007199254740992.0",
        "dyn(9223372036854775807) < 9223372036854775808.0",
        "dyn(18446744073709551615u) < 18446744073709551616.0", "dyn(-1) < 0u && dyn(0u) > -1",
        "dyn(1) < 1.5 && dyn(-1) > -1.5 && dyn(2u) > 1.5",
        "dyn(-9223372036854775808) >= -9223372036854775808.0",
        "dyn(5) > -1e300 && dyn(5) < 1e300 && dyn(5u) > -0.5",
        "!(dyn(1) < 0.0 / 0.0) && !(0.0 / 0.0 >= dyn(1)) && 0.0 / 0.0 != 0.0 / 0.0");
}

static void test_deep_equality(void **state)
{
    EXPRESSION_TRUE(*state, "[1, [2.0, 'a']] == [1.0, [2, dyn('a')]] || true",
                    "dyn([1, 2]) == [1.0, 2.0]", "{'a': 1, 'b': [2]} == {'b': [2], 'a': 1}",
                    "{'a': 1} != {'a': 2} && {'a': 1} != {'b': 1} && {'a': 1} != {'a': 1, 'b': 1}",
                    "dyn({1: 'a'}) == {1u: 'a'}", "[] == [] && dyn([]) != {}",
                    "dyn(null) != 0 && dyn('1') != 1 && dyn(b'a') != 'a'",
                    "at == at && wait != duration('1s') && type(1) == type(2)",
                    "dyn([0.0 / 0.0]) != [0.0 / 0.0]");
}

static void test_order(void **state)
{
    EXPRESSION_TRUE(*state, "'a' < 'b' && 'a' < 'aa' && b'a' < b'b'",
                    "false < true && at < at + wait && wait > duration('1s')", "'\\u00ff' > 'z'");
}

static void test_no_order(void **state)
{
    static const struct expression_problem problems[] = {
        {"dyn(tags) < dyn(tags)", "< does not take list and list", 0},
        {"none < 1", "null_type", 0},
        {"value < 'a'", "< does not take double and string", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_lookup(void **state)
{
    EXPRESSION_TRUE(*state, "[7, 8][dyn(1.0)] == 8 && [7, 8][dyn(1u)] == 8",
                    "{1: 'a'}[dyn(1.0)] == 'a' && {true: 1}[true] == 1", "pos['x'] == 1.5",
                    "'a' in {'a': 1} && !(2 in {1: 1}) && dyn(1.0) in {1: 1}",
                    "2.5 in numbers && 4 in numbers && !('a' in numbers)");
}

static void test_lookup_errors(void **state)
{
    static const struct expression_problem problems[] = {
        {"[7][1]", "no such element in a list of 1", 0},
        {"[7][dyn(0.5)]", "no such element", 0},
        {"[7][-1]", "no such element", 0},
        {"[7][dyn('a')]", "'[]' does not take list and string", 0},
        {"{'a': 1}.b", "no such key", 0},
        {"{1: 1}[2]", "no such key", 0},
        {"1 in value", "'in' does not take", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_logic(void **state)
{
    EXPRESSION_TRUE(*state, "true || 1 / 0 == 1", "1 / 0 == 1 || true", "!(false && 1 / 0 == 1)",
                    "!(1 / 0 == 1 && false)", "value || true", "!(false && none)");
}

static void test_logic_errors(void **state)
{
    static const struct expression_problem problems[] = {
        {"false || 1 / 0 == 1", "division by zero", 0},
        {"1 / 0 == 1 && true", "division by zero", 0},
        {"value || false", "|| does not take double and bool", 0},
        {"none && true", "&& does not take", 0},
        {"!none", "'!' does not take null_type", 0},
        {"-none", "'-' does not take null_type", 0},
        {"none ? 1 : 2", "the condition of '?:' does not take null_type", 0},
        {"gone ? 1 : 2", "no such field 'gone'", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_negation(void **state)
{
    EXPRESSION_TRUE(*state, "-(-5) == 5 && -value == -2.5 && !(!true)");
}

static void test_negation_overflows(void **state)
{
    static const struct expression_problem problems[] = {
        {"-(id - 43 - 9223372036854775807)", "overflow", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_lie_on_one_line),
        cmocka_unit_test(test_deep_equality),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_no_order),
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_lookup_errors),
        cmocka_unit_test(test_logic),
        cmocka_unit_test(test_logic_errors),
        cmocka_unit_test(test_negation),
        cmocka_unit_test(test_negation_overflows),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
