/* tests/unit/topology/test_cel_parser.c — grammar: precedence, limits, and sentences for what is
 * wrong. */
#include "tests/support/expression_fixture.h"

static void test_precedence(void **state)
{
    EXPRESSION_TRUE(*state, "1 + 2 * 3 - 4 == 3", "true || false && false",
                    "(true || false) && true", "!false == true", "1 < 2 == true",
                    "true ? true : false ? false : true", "2 - 1 - 1 == 0", "8 / 4 / 2 == 1",
                    "-2 * -2 == 4", "--2 == 2", "--2 == 2",
                    "[1, 2,] == [1, 2] && {1: 2,} == {1: 2}", "{}.size() == 0");
}

static void test_refusals(void **state)
{
    static const struct expression_problem problems[] = {
        {"", "The expression is empty", 1},
        {"  ", "empty", 1},
        {"1 +", "The expression ends where a value was expected", 4},
        {"(1", "The expression ends where ')' was expected", 3},
        {"1 2", "Found '2' where an operator or the end of the expression was expected", 3},
        {"[1, 2", "',' or ']'", 6},
        {"f(1,)", "an argument", 5},
        {"{1}", "':' and the value of the map entry", 3},
        {"true ? 1", "':' and the other value", 9},
        {"while > 1",
         "'while' is a reserved word of CEL; a field of that name is record[\"while\"]", 1},
        {"in > 1", "Found 'in' where a value was expected", 1},
        {"pos.", "the name of a field or function", 5},
        {"pos.true", "the name of a field", 5},
        {"pos.?x", "Optional fields", 5},
        {"pos[?'x']", "Optional indexing", 5},
        {"[?value]", "Optional values", 2},
        {"pos{x: 1}", "Protobuf messages (NAME{...}) are not supported", 1},
        {"a.b.C{}", "Protobuf messages", 5},
        {"has(1)", "has() takes a field", 5},
        {"has(size(name))", "has() takes a field", 5},
        {"!-value", "a value", 2},
        {"1 == == 1", "where a value was expected", 6},
        {".1.", "the name of a field or function", 4},
    };
    EXPRESSION_REFUSED(*state, problems);
}

static void test_depth_is_limited(void **state)
{
    struct expression_fixture *fixture = *state;
    char text[2048];
    for (int kind = 0; kind < 4; kind++) {
        const char *part = kind == 0 ? "(" : kind == 1 ? "!" : kind == 2 ? "[" : "1+";
        text[0] = '\0';
        for (int i = 0; i < 300; i++)
            strcat(text, part);
        strcat(text, "1");
        assert_null(expression_compile(fixture, text));
        assert_non_null(strstr(fixture->error.message, "nested deeper than 250"));
    }
}

static void test_long_chains_of_logic_are_shallow(void **state)
{
    struct expression_fixture *fixture = *state;
    char *text = mr_arena_new(&fixture->arena, 1, 32768);
    for (int i = 0; i < 1000; i++)
        memcpy(text + i * 8, "flag && ", 8);
    strcat(text, "flag");
    struct mr_value value = expression_value(fixture, text);
    assert_true(value.kind == MR_KIND_BOOL && value.boolean);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_depth_is_limited),
        cmocka_unit_test(test_long_chains_of_logic_are_shallow),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
