/* tests/unit/operators/test_text_pattern.c — every text matches its pattern, all that a pattern
 * allows comes up, and what cannot be drawn is refused with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/assert.h"
#include "operators/text_pattern.h"
#include "topology/cel_regex.h"

static struct mr_text_pattern *compile(const char *text)
{
    struct mr_text_pattern *pattern;
    struct mr_error error;
    assert_int_equal(mr_text_pattern_compile(mr_slice_text(text), &pattern, &error), MR_OK);
    return pattern;
}

/* The engine's own regular expressions are the judge. */
static void texts_match_their_pattern(void **state)
{
    MR_UNUSED(state);
    static const char *const patterns[] = {
        "",
        "plain text",
        "[A-Z]{3}-[0-9]{4}",
        "^(\\+|00)[1-9]\\d{0,2} ?\\d{3,12}$",
        "a?b*c+d{2}e{1,}f{0,3}",
        "(red|green|(light|dark)(ish)? blue|)",
        "[^a-z]{5}.{4}\\w\\s\\d",
        "[\\w.-]+@[a-z0-9-]{1,8}\\.(com|org)",
        "[]a]{2}[a^]{2}[-a]{2}[a-]{2}",
        "\\[\\]\\{\\}\\(\\)\\.\\*\\+\\?\\|\\^\\$\\\\",
        "(?:(?:(?:ab){2}c){2}d){2}",
        "stra\xc3\x9f"
        "e\xc3\xa9{2}",
        "x\\ty|[\\t ]",
    };
    for (size_t at = 0; at < sizeof(patterns) / sizeof(patterns[0]); at++) {
        struct mr_text_pattern *pattern = compile(patterns[at]);
        struct mr_arena arena;
        char whole[256];
        const char *problem = NULL;
        size_t offset = 0;
        mr_arena_init(&arena, 4096);
        snprintf(whole, sizeof(whole), "^(?:%s)$",
                 patterns[at][0] == '^' ? "(\\+|00)[1-9]\\d{0,2} ?\\d{3,12}" : patterns[at]);
        const struct mr_cel_regex *regex =
            mr_cel_regex_compile(&arena, mr_slice_text(whole), &problem, &offset);
        struct mr_cel_regex_scratch *scratch = mr_cel_regex_scratch_create();
        assert_non_null(regex);
        for (uint64_t number = 0; number < 500; number++) {
            uint8_t text[MR_TEXT_PATTERN_BYTES_MAX];
            struct mr_random random;
            mr_random_init(&random, 7, number);
            size_t size = mr_text_pattern_write(pattern, &random, text);
            assert_true(size <= mr_text_pattern_longest(pattern));
            if (!mr_cel_regex_matches(regex, scratch, mr_slice_from(text, size)))
                fail_msg("'%.*s' does not match '%s'", (int)size, (const char *)text, whole);
        }
        mr_cel_regex_scratch_destroy(scratch);
        mr_arena_deinit(&arena);
        mr_text_pattern_destroy(pattern);
    }
}

static void all_that_is_allowed_comes_up(void **state)
{
    MR_UNUSED(state);
    struct mr_text_pattern *pattern = compile("(a|b|[c-e])x{0,2}");
    bool seen[5][3] = {{false}};
    uint32_t counts[3] = {0};
    for (uint64_t number = 0; number < 9000; number++) {
        uint8_t text[MR_TEXT_PATTERN_BYTES_MAX];
        struct mr_random random;
        mr_random_init(&random, 1, number);
        size_t size = mr_text_pattern_write(pattern, &random, text);
        seen[text[0] - 'a'][size - 1] = true;
        counts[text[0] < 'c' ? text[0] - 'a' : 2]++;
    }
    for (size_t letter = 0; letter < 5; letter++)
        for (size_t count = 0; count < 3; count++)
            assert_true(seen[letter][count]);
    for (size_t branch = 0; branch < 3; branch++)
        assert_in_range(counts[branch], 2800, 3200);
    mr_text_pattern_destroy(pattern);
}

static void sizes_are_known_before(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *text;
        size_t longest;
    } cases[] = {{"", 0},          {"abc", 3},
                 {"a*", 8},        {"a+", 9},
                 {"a{3,}", 11},    {"(ab|cde){2,4}", 12},
                 {"\xc3\xa9?", 2}, {"((a{8}){8}){16}", 1024}};
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        struct mr_text_pattern *pattern = compile(cases[at].text);
        assert_int_equal(mr_text_pattern_longest(pattern), cases[at].longest);
        mr_text_pattern_destroy(pattern);
    }
}

static void what_cannot_be_drawn_is_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"ab(c", "at byte 3: the group is not closed"},
        {"ab)c", "at byte 3: a ) without its ("},
        {"[a-z", "at byte 5: the class is not closed by ]"},
        {"[z-a]", "at byte 2: the range"},
        {"[a-\\d]", "at byte 2: the range"},
        {"[\xc3\xa9]", "at byte 2: a class holds ASCII"},
        {"[[:alpha:]]", "at byte 2: there are no named classes"},
        {"[^\\w\\s!-~]", "the class has no character"},
        {"*a", "at byte 1: there is nothing to repeat"},
        {"a**", "at byte 3: one count"},
        {"a+?", "at byte 3: one count"},
        {"a{2,1}", "at byte 2: a count is"},
        {"a{x}", "at byte 2: a count is"},
        {"a{1000}", "at byte 2: a count is"},
        {"a{2", "at byte 2: a count is"},
        {"(a)\\1", "no back references"},
        {"\\bword", "of letters behind a backslash"},
        {"[\\\xc3\xa9]", "at byte 2: behind a backslash"},
        {"a\\", "at byte 2: a backslash with nothing"},
        {"(?=a)b", "at byte 1: of groups with a question mark"},
        {"a^b", "at byte 2: ^ and $"},
        {"a$b", "at byte 2: ^ and $"},
        {"((a{8}){8}){17}", "longer than 1,024 bytes"},
        {"(((((((((a{256}){256}){256}){256}){256}){256}){256}){256}){256})", "longer than"},
    };
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        struct mr_text_pattern *pattern;
        struct mr_error error;
        assert_int_equal(mr_text_pattern_compile(mr_slice_text(cases[at].text), &pattern, &error),
                         MR_INVALID);
        assert_null(pattern);
        if (strstr(error.message, cases[at].message) == NULL)
            fail_msg("'%s': %s", cases[at].text, error.message);
    }
}

static void bounds_hold(void **state)
{
    MR_UNUSED(state);
    struct mr_text_pattern *pattern;
    struct mr_error error;
    char deep[200];
    char wide[300];
    for (size_t depth = 32; depth <= 33; depth++) {
        memset(deep, '(', depth);
        memset(deep + depth, ')', depth);
        enum mr_status status =
            mr_text_pattern_compile(mr_slice_from(deep, 2 * depth), &pattern, &error);
        assert_int_equal(status, depth == 32 ? MR_OK : MR_INVALID);
        mr_text_pattern_destroy(pattern);
    }
    memset(wide, 'a', sizeof(wide));
    for (size_t size = 254; size <= 255; size++) { /* and the two above them */
        enum mr_status status =
            mr_text_pattern_compile(mr_slice_from(wide, size), &pattern, &error);
        assert_int_equal(status, size == 254 ? MR_OK : MR_INVALID);
        mr_text_pattern_destroy(pattern);
    }
}

/* Whatever bytes come: an error or a pattern, and no text longer than said. */
static void any_bytes_are_safe(void **state)
{
    MR_UNUSED(state);
    static const char signs[] = "ab09-^$.|?*+()[]{},\\dws:\xc3\xa9\xff";
    for (uint64_t number = 0; number < 50000; number++) {
        struct mr_text_pattern *pattern;
        struct mr_error error;
        struct mr_random random;
        uint8_t bytes[24];
        mr_random_init(&random, 11, number);
        size_t size = mr_random_below(&random, sizeof(bytes) + 1);
        for (size_t at = 0; at < size; at++)
            bytes[at] = (uint8_t)signs[mr_random_below(&random, sizeof(signs) - 1)];
        if (mr_text_pattern_compile(mr_slice_from(bytes, size), &pattern, &error) == MR_OK) {
            uint8_t text[MR_TEXT_PATTERN_BYTES_MAX];
            assert_true(mr_text_pattern_write(pattern, &random, text) <=
                        mr_text_pattern_longest(pattern));
        }
        mr_text_pattern_destroy(pattern);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_match_their_pattern),
        cmocka_unit_test(all_that_is_allowed_comes_up),
        cmocka_unit_test(sizes_are_known_before),
        cmocka_unit_test(what_cannot_be_drawn_is_refused),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(any_bytes_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
