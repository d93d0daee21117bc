/* tests/unit/topology/test_cel_check.c — types are told at compile time, with the place and what
 * would help. */
#include "tests/support/expression_fixture.h"

static void test_refusals(void **state)
{
    static const struct expression_problem problems[] = {
        {"temperature + 'a'", "'+' does not take double and string", 13},
        {"id + temperature", "convert one side", 4},
        {"id < name", "'<' cannot order int and string", 4},
        {"name == 3", "'==' compares values of one type", 6},
        {"tags < tags", "cannot order list(string)", 6},
        {"!name", "'!' wants a bool, found string", 2},
        {"-name", "'-' wants an int or a double", 1},
        {"name && true", "'&&' wants a bool, found string", 1},
        {"flag ? 1 : 'a'", "Both values of '?:' need one type", 6},
        {"name ? 1 : 2", "The condition before '?'", 1},
        {"name.x", "string has no fields", 6},
        {"id[0]", "cannot be indexed", 3},
        {"tags['a']", "A list is indexed by int, found string", 6},
        {"1 in name", "use text.contains(part)", 6},
        {"1 in tags", "'in' looks for int among string", 3},
        {"{1.5: 2}", "The key of a map", 2},
        {"name.all(x, true)", "all() goes over a list or a map, found string", 6},
        {"tags.filter(t, t)", "The condition of a macro wants a bool", 16},
        {"temperature % 2", "whole numbers", 13},
    };
    EXPRESSION_REFUSED(*state, problems);
}

static void test_calls(void **state)
{
    static const struct expression_problem problems[] = {
        {"name.startWith('a')", "did you mean 'startsWith'", 6},
        {"frobnicate(1)", "There is no function 'frobnicate'", 1},
        {"size(1, 2)", "size() does not take (int, int); it is written size(value) or value.size()",
         1},
        {"name.contains(1)", "contains() does not take (string, int)", 6},
        {"math.foo(1)", "There is no function 'math.foo'", 1},
        {"math.absolute(1)", "There is no function 'math.absolute'", 1},
        {"startsWith(name, 'a')", "startsWith() does not take", 1},
        {"id.size()", "size() does not take (int)", 4},
        {"exist(name)", "did you mean 'exists'", 1},
    };
    EXPRESSION_REFUSED(*state, problems);
}

static void test_constant_times(void **state)
{
    static const struct expression_problem problems[] = {
        {"now() - duration('5 m') > now()", "'5 m' is not a duration like", 18},
        {"at > timestamp('noon')", "'noon' is not a time as RFC 3339", 16},
        {"timestamp(9223372036854775807)", "out of range", 11},
    };
    EXPRESSION_REFUSED(*state, problems);
}

static void test_names_of_other_languages(void **state)
{
    static const struct expression_problem problems[] = {
        {"name.length() > 3", "did you mean 'size'", 6},
        {"abs(value) > 3", "did you mean 'math.abs'", 1},
        {"flag and flag", "Found 'and'; in CEL it is written '&&'", 6},
        {"flag or flag", "written '||'", 6},
    };
    EXPRESSION_REFUSED(*state, problems);
}

static void test_what_is_not_known_is_left_to_the_evaluator(void **state)
{
    EXPRESSION_TRUE(*state, "value + value == 5.0", "dyn(name) == 3 || true",
                    "(value == 'a') == false", "none == null", "name != null",
                    "[1, 'a', 2.5][1] == 'a'", "(flag ? value : null) == 2.5", "id in [1, 42]",
                    "temperature in [1, 21.5]", "temperature in [1, 2] == false",
                    "value > 2 && value < 3 && 2 < value",
                    "temperature == 21.5 && temperature > 21", "numbers == [1, 2.5, 4]");
}

static void test_types_of_results(void **state)
{
    struct expression_fixture *fixture = *state;
    static const char *const cases[][2] = {{"value", "dyn"},
                                           {"id + 1", "int"},
                                           {"temperature * 2", "double"},
                                           {"[1, 2]", "list(int)"},
                                           {"[]", "list(dyn)"},
                                           {"{'a': 1.5}", "map(string, double)"},
                                           {"tags.map(t, size(t))", "list(int)"},
                                           {"name.split(',')", "list(string)"},
                                           {"value > 1", "bool"},
                                           {"flag ? 1 : 2", "int"},
                                           {"value * 2", "dyn"},
                                           {"now()", "google.protobuf.Timestamp"},
                                           {"at - at", "google.protobuf.Duration"},
                                           {"math.abs(id)", "int"},
                                           {"tags.filter(t, true)", "list(string)"},
                                           {"tags.transformMap(i, t, t)", "map(int, string)"}};
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        const struct mr_program *program = expression_compile(fixture, cases[i][0]);
        assert_non_null(program);
        assert_string_equal(mr_cel_type_text(&fixture->arena, program->cel_type), cases[i][1]);
    }
}

static void test_strict_has_no_extension(void **state)
{
    struct expression_fixture *fixture = *state;
    fixture->environment.strict = true;
    assert_null(expression_compile(fixture, "temperature * 2"));
    assert_null(expression_compile(fixture, "temperature > 2"));
    assert_non_null(expression_compile(fixture, "temperature > 2.0"));
    fixture->environment.strict = false;
}

static void test_unchecked_leaves_mistakes_to_the_evaluator(void **state)
{
    struct expression_fixture *fixture = *state;
    fixture->environment.unchecked = true;
    EXPRESSION_TRUE(fixture, "nothing || true", "f(1) || true", "name < 1 || true",
                    "name.x || true", "1 in name || true", "size(1, 2) == 1 || true");
    fixture->environment.unchecked = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_constant_times),
        cmocka_unit_test(test_names_of_other_languages),
        cmocka_unit_test(test_what_is_not_known_is_left_to_the_evaluator),
        cmocka_unit_test(test_types_of_results),
        cmocka_unit_test(test_strict_has_no_extension),
        cmocka_unit_test(test_unchecked_leaves_mistakes_to_the_evaluator),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
