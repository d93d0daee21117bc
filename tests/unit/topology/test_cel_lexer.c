/* tests/unit/topology/test_cel_lexer.c — words, quotes, comments and signs. */
#include "tests/support/expression_fixture.h"

static void test_quotes(void **state)
{
    EXPRESSION_TRUE(*state, "'''a'b\"c''' == 'a\\'b\"c'", "\"\"\"x\ny\"\"\" == 'x\\ny'",
                    "'' == \"\" && '''''' == ''", "B'a' == b'a'", "r'''\\''' == '\\\\'");
}

static void test_space_and_comments(void **state)
{
    EXPRESSION_TRUE(*state, "1 // one\n + 2 == 3", "\t1\f==\r\n1");
}

static void test_backquotes(void **state)
{
    EXPRESSION_TRUE(*state, "{'content-type': 1}.`content-type` == 1");
}

static void test_refusals(void **state)
{
    static const struct expression_problem problems[] = {
        {"'abc", "The string that starts here has no closing '", 1},
        {"1 + 'a\nb'", "has no closing", 5},
        {"'''abc''", "has no closing '''", 1},
        {"b'abc", "The bytes literal that starts here", 1},
        {"'abc\\", "has no closing", 1},
        {"a = 1", "'=' means nothing here. Equality is written '=='", 3},
        {"flag & flag", "Logical and is written '&&'", 6},
        {"flag | flag", "Logical or is written '||'", 6},
        {"1 § 2", "'§' means nothing here", 3},
        {"1 # 2", "'#' means nothing", 3},
        {"pos.`a$`", "A name in backquotes", 5},
        {"pos.``", "A name in backquotes", 5},
    };
    EXPRESSION_REFUSED(*state, problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_space_and_comments),
        cmocka_unit_test(test_backquotes),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
