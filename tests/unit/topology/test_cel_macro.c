/* tests/unit/topology/test_cel_macro.c — macros over lists and maps: absorption, errors, limits. */
#include "tests/support/expression_fixture.h"

static void test_predicates(void **state)
{
    EXPRESSION_TRUE(*state, "tags.all(t, t != 'z')", "tags.exists(t, t == 'c')",
                    "!tags.exists(t, t == 'z')", "tags.exists_one(t, t == 'b')",
                    "!tags.existsOne(t, t < 'c')",
                    "[].all(x, false) && ![].exists(x, true) && ![].exists_one(x, true)",
                    "pos.exists(k, k == 'x') && pos.all(k, pos[k] != null)",
                    "numbers.all(n, n > 0) && numbers.exists(n, n * 2 == 8)");
}

static void test_absorption(void **state)
{
    EXPRESSION_TRUE(*state, "[1, 0].exists(x, 1 / x == 1)", "[0, 1].exists(x, 1 / x == 1)",
                    "![1, 0].all(x, 1 / x == 5)", "![0, 1].all(x, 1 / x == 5)");
}

static void test_errors_of_elements(void **state)
{
    static const struct expression_problem problems[] = {
        {"[1, 0].all(x, 1 / x == 1)", "division by zero", 0},
        {"[2, 0].exists(x, 1 / x == 1)", "division by zero", 0},
        {"[1, 0].exists_one(x, 1 / x == 1)", "division by zero", 0},
        {"[0].map(x, 1 / x)", "division by zero", 0},
        {"[0].filter(x, 1 / x == 1)", "division by zero", 0},
        {"numbers.filter(x, x)", "the condition of a macro", 0},
        {"numbers.exists_one(x, x)", "the condition of a macro", 0},
        {"numbers.all(x, x)", "&&", 0},
        {"value.map(x, x)", "a macro does not take double", 0},
        {"gone.all(x, true)", "no such field 'gone'", 0},
        {"numbers.map(x, value, x)", "the condition of a macro", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_lists(void **state)
{
    EXPRESSION_TRUE(*state, "tags.map(t, t + t) == ['aa', 'bb', 'cc']",
                    "numbers.map(n, n > 1, n * 2) == [5.0, 8.0]",
                    "tags.filter(t, t != 'b') == ['a', 'c']", "pos.map(k, k).size() == 3",
                    "pos.filter(k, k.startsWith('d')) == ['deep']", "[].map(x, x) == []");
}

static void test_two_variables(void **state)
{
    EXPRESSION_TRUE(*state, "tags.all(i, t, tags[i] == t)",
                    "pos.exists(k, v, k == 'x' && v == 1.5)",
                    "tags.existsOne(i, t, i == 1 && t == 'b')",
                    "tags.transformList(i, t, i > 0, t) == ['b', 'c']",
                    "{'a': 1, 'b': 2}.transformMap(k, v, v + 1) == {'a': 2, 'b': 3}",
                    "{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v) == {'b': 2}",
                    "tags.transformMap(i, t, t)[2] == 'c'");
}

static void test_nesting_and_shadowing(void **state)
{
    EXPRESSION_TRUE(*state, "[[1, 2], [3]].map(x, x.map(y, y * 2)) == [[2, 4], [6]]",
                    "[1, 2].all(x, [3, 4].all(y, x < y))", "[1].exists(x, [2].exists(x, x == 2))",
                    "[1].exists(value, value == 1)", "[1].exists(v, .value == 2.5 && v == 1)",
                    "tags.all(t, numbers.filter(n, n > value).size() == 1)");
}

static void test_cost_is_limited(void **state)
{
    static const struct expression_problem problems[] = {
        {"[1,2,3,4,5,6,7,8,9,10].map(a, [1,2,3,4,5,6,7,8,9,10].map(b, "
         "[1,2,3,4,5,6,7,8,9,10].map(c, [1,2,3,4,5,6,7,8,9,10].map(d, "
         "[1,2,3,4,5,6,7,8,9,10].map(e, [1,2,3,4,5,6,7,8,9,10].map(f, value + 1))))))",
         "more steps than allowed", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_refusals(void **state)
{
    static const struct expression_problem problems[] = {
        {"tags.all(1, true)", "names a variable", 10},
        {"tags.all(t.x, true)", "names a variable", 12},
        {"tags.transformList(t, t, t)", "have the same name", 23},
        {"tags.all(t)", "There is no function 'all'", 6},
    };
    EXPRESSION_REFUSED(*state, problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_predicates),         cmocka_unit_test(test_absorption),
        cmocka_unit_test(test_errors_of_elements), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_two_variables),      cmocka_unit_test(test_nesting_and_shadowing),
        cmocka_unit_test(test_cost_is_limited),    cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
