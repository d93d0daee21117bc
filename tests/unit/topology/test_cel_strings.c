/* tests/unit/topology/test_cel_strings.c — string functions count code points and borrow where they
 * can. */
#include "tests/support/expression_fixture.h"

static void test_search(void **state)
{
    EXPRESSION_TRUE(
        *state, "name.contains('sor') && !name.contains('x') && name.contains('')",
        "name.startsWith('sensor') && !name.startsWith('sensor-ab')",
        "name.endsWith('-a') && !name.endsWith('xsensor-a')",
        "'añb'.indexOf('b') == 2 && 'añb'.indexOf('z') == -1", "'banana'.indexOf('an', 2) == 3",
        "'banana'.lastIndexOf('an') == 3 && 'banana'.lastIndexOf('an', 2) == 1",
        "'abc'.lastIndexOf('') == 3 && 'abc'.indexOf('', 3) == 3",
        "'abc'.lastIndexOf('abcd') == -1", "name.matches('^s.*-[ab]$') && matches(name, 'sor')",
        "name.matches(tags[0] + '$')");
}

static void test_sizes(void **state)
{
    EXPRESSION_TRUE(*state, "'añ🐱'.size() == 3", "size(raw) == 3",
                    "tags.size() == 3 && size(pos) == 3");
}

static void test_parts(void **state)
{
    EXPRESSION_TRUE(
        *state, "'añb'.charAt(1) == 'ñ' && 'ab'.charAt(2) == ''",
        "'añ🐱b'.substring(1, 3) == 'ñ🐱' && 'abc'.substring(1) == 'bc'",
        "'abc'.substring(3) == '' && 'abc'.substring(1, 1) == ''",
        "'a,b,,c'.split(',') == ['a', 'b', '', 'c']", "'a,b,c'.split(',', 2) == ['a', 'b,c']",
        "'a,b'.split(',', 0) == [] && 'a,b'.split(',', -1).size() == 2",
        "'añb'.split('') == ['a', 'ñ', 'b'] && ''.split('') == [] && ''.split(',') == ['']",
        "'abc'.split('', 2) == ['a', 'bc']",
        "' \\t\\u00a0a b\\u2003\\n'.trim() == 'a b' && '  '.trim() == ''");
}

static void test_new_text(void **state)
{
    EXPRESSION_TRUE(
        *state, "tags.join() == 'abc' && tags.join(', ') == 'a, b, c' && [].join('x') == ''",
        "'ABcñ'.lowerAscii() == 'abcñ' && 'abCñ'.upperAscii() == 'ABCñ'",
        "'banana'.replace('an', 'x') == 'bxxa'",
        "'banana'.replace('a', 'o', 2) == 'bonona' && 'a'.replace('a', 'b', 0) == 'a'",
        "'ñb'.replace('', '-') == '-ñ-b-' && 'ab'.replace('', '-', 1) == '-ab'",
        "'aaa'.replace('a', '') == '' && 'a'.replace('x', 'y') == 'a'", "'añ🐱'.reverse() == '🐱ña'");
}

static void test_mistakes(void **state)
{
    static const struct expression_problem problems[] = {
        {"'abc'.charAt(4)", "position 4 is outside", 0},
        {"'abc'.charAt(-1)", "position -1 is outside", 0},
        {"'abc'.substring(2, 1)", "ends before it starts", 0},
        {"'abc'.substring(4)", "position 4", 0},
        {"'abc'.substring(0, 9)", "position 9", 0},
        {"'abc'.indexOf('a', 4)", "position 4", 0},
        {"'abc'.lastIndexOf('a', -1)", "position -1", 0},
        {"[1].join()", "join() does not take int", 0},
        {"name.matches('(' + name)", "the pattern of matches() is wrong at byte", 0},
        {"value.size()", "size does not take double", 0},
        {"value.matches('a')", "matches() does not take double", 0},
        {"gone.trim()", "no such field 'gone'", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_growth_is_limited(void **state)
{
    static const struct expression_problem problems[] = {
        {"[1,2,3,4,5,6,7,8].map(i, name.replace('', "
         "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').replace('a', "
         "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').replace('a', "
         "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').replace('a', "
         "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'))",
         "more steps than allowed", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_search),   cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_parts),    cmocka_unit_test(test_new_text),
        cmocka_unit_test(test_mistakes), cmocka_unit_test(test_growth_is_limited),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
