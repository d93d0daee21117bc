/* tests/unit/topology/test_cel_regex.c — the matcher: RE2's meaning, linear time, limits. */
#include "tests/support/expression_fixture.h"

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool matches;
    } cases[] = {{"ub", "hubba", true},
                 {"", "", true},
                 {"^$", "", true},
                 {"^a+b?$", "aaab", true},
                 {"^a+b?$", "aaabb", false},
                 {"a{2,3}$", "xaaa", true},
                 {"^a{2,3}$", "aaaa", false},
                 {"^(ab|cd)*$", "abcdab", true},
                 {"^(ab|cd)*$", "abc", false},
                 {"^(|a|bb)$", "bb", true},
                 {"^(a|b|cc)+$", "abcca", true},
                 {"^(a|b|cc)+$", "abca", false},
                 {"[^a-c]", "abc", false},
                 {"[^a-c]", "abcd", true},
                 {"^.$", "\xC3\xBF", true},
                 {"^.$", "\n", false},
                 {"(?s)^.$", "\n", true},
                 {"(?m)^b$", "a\nb\nc", true},
                 {"^b$", "a\nb\nc", false},
                 {"(?i)HeLLo", "xhElLo", true},
                 {"(?i)[a-c]+x", "ABCX", true},
                 {"(?i:a)b", "Ab", true},
                 {"(?i:a)b", "AB", false},
                 {"\\bfoo\\b", "a foo b", true},
                 {"\\bfoo\\b", "afoo", false},
                 {"\\Boo", "foo", true},
                 {"\\d+\\.\\d{2}", "x12.34", true},
                 {"^\\w+\\s\\S$", "a_1 ?", true},
                 {"\\D\\W", "1a-", true},
                 {"[[:alpha:]_]+[[:^digit:]]", "a_", true},
                 {"\\x41\\x{1F431}", "A\xF0\x9F\x90\xB1", true},
                 {"\\Qa.b\\E", "a.b", true},
                 {"\\Qa.b\\E", "axb", false},
                 {"(?P<name>a)(?<other>b)", "ab", true},
                 {"a*?b+?c??", "b", true},
                 {"^(a*)*$", "aaaa", true},
                 {"(a|\xC3\xB1){2}",
                  "\xC3\xB1"
                  "a",
                  true},
                 {"a{,2}", "a{,2}", true},
                 {"[]a]", "]", true},
                 {"[a-]", "-", true},
                 {"\\Aab\\z", "ab", true},
                 {"x{0}y", "y", true},
                 {"^[\\d\\-]+$", "1-2", true}};
    struct expression_fixture *fixture = *state;
    struct mr_cel_regex_scratch *scratch = mr_cel_regex_scratch_create();
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        const char *problem = NULL;
        size_t offset = 0;
        const struct mr_cel_regex *regex = mr_cel_regex_compile(
            &fixture->arena, mr_slice_text(cases[i].pattern), &problem, &offset);
        if (regex == NULL)
            fail_msg("%s: %s", cases[i].pattern, problem);
        if (mr_cel_regex_matches(regex, scratch, mr_slice_text(cases[i].text)) != cases[i].matches)
            fail_msg("%s on %s", cases[i].pattern, cases[i].text);
    }
    mr_cel_regex_scratch_destroy(scratch);
}

static void test_hard_patterns_take_linear_time(void **state)
{
    struct expression_fixture *fixture = *state;
    const char *problem = NULL;
    size_t offset = 0;
    struct mr_cel_regex_scratch *scratch = mr_cel_regex_scratch_create();
    char *text = mr_arena_new(&fixture->arena, 1, 100001);
    memset(text, 'a', 100000);
    const struct mr_cel_regex *regex =
        mr_cel_regex_compile(&fixture->arena, mr_slice_text("(a|a)*(a*)*b"), &problem, &offset);
    assert_non_null(regex);
    assert_false(mr_cel_regex_matches(regex, scratch, mr_slice_text(text)));
    mr_cel_regex_scratch_destroy(scratch);
}

static void test_size_is_limited(void **state)
{
    struct expression_fixture *fixture = *state;
    static const char *const patterns[] = {"(a{1000}){5}", "((((){1000}){1000}){1000}){1000}",
                                           "(((a{100}){100}){100}){100}"};
    for (size_t i = 0; i < MR_ARRAY_COUNT(patterns); i++) {
        const char *problem = NULL;
        size_t offset = 0;
        assert_null(
            mr_cel_regex_compile(&fixture->arena, mr_slice_text(patterns[i]), &problem, &offset));
        assert_non_null(strstr(problem, "too large"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_hard_patterns_take_linear_time),
        cmocka_unit_test(test_size_is_limited),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
