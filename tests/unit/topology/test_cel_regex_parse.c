/* tests/unit/topology/test_cel_regex_parse.c — the syntax of patterns, and a sentence for each
 * mistake. */
#include "tests/support/expression_fixture.h"

static void test_mistakes(void **state)
{
    static const struct {
        const char *pattern;
        const char *part;
        size_t offset;
    } cases[] = {{"(a", "'(' is not closed", 2},
                 {"a)", "')' closes nothing", 1},
                 {"[a", "'[' is not closed", 2},
                 {"*a", "nothing to repeat", 0},
                 {"a**", "wants parentheses", 3},
                 {"a{2}{3}", "wants parentheses", 7},
                 {"a{1001}", "up to 1000", 7},
                 {"a{3,2}", "up to 1000", 6},
                 {"[b-a]", "ends before it starts", 4},
                 {"\\", "ends the pattern", 1},
                 {"\\1", "back-references", 1},
                 {"\\pL", "Unicode classes", 1},
                 {"\\y", "escape is not known", 1},
                 {"(?=a)", "look-around", 3},
                 {"(?<=a)", "look-around", 3},
                 {"(?P<n", "name of a group", 5},
                 {"[[:foo:]]", "not known", 8},
                 {"[[:alpha]]", "not closed", 8},
                 {"\\x4", "hexadecimal", 3},
                 {"\\x{110000}", "hexadecimal", 10},
                 {"(?i)\xC3\xBF", "ASCII letters only", 6}};
    struct expression_fixture *fixture = *state;
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        const char *problem = NULL;
        size_t offset = 0;
        if (mr_cel_regex_parse(&fixture->arena, mr_slice_text(cases[i].pattern), &problem,
                               &offset) != NULL)
            fail_msg("%s: not refused", cases[i].pattern);
        if (strstr(problem, cases[i].part) == NULL || offset != cases[i].offset)
            fail_msg("%s: %s at %zu", cases[i].pattern, problem, offset);
    }
}

static void test_limits(void **state)
{
    struct expression_fixture *fixture = *state;
    const char *problem = NULL;
    size_t offset = 0;
    char text[MR_CEL_REGEX_PATTERN_BYTES_MAX + 2];
    memset(text, 'a', sizeof text);
    assert_null(
        mr_cel_regex_parse(&fixture->arena, mr_slice_from(text, sizeof text), &problem, &offset));
    assert_non_null(strstr(problem, "4096"));
    memset(text, '(', sizeof text);
    assert_null(mr_cel_regex_parse(&fixture->arena, mr_slice_from(text, 200), &problem, &offset));
    assert_non_null(strstr(problem, "too deeply"));
}

static void test_a_repeat_keeps_its_bounds(void **state)
{
    struct expression_fixture *fixture = *state;
    const char *problem = NULL;
    size_t offset = 0;
    const struct mr_cel_regex_node *node =
        mr_cel_regex_parse(&fixture->arena, mr_slice_text("a{2,}"), &problem, &offset);
    assert_non_null(node);
    assert_int_equal(node->first->kind, MR_CEL_REGEX_REPEAT);
    assert_int_equal(node->first->minimum, 2);
    assert_int_equal(node->first->maximum, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_a_repeat_keeps_its_bounds),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
