/* tests/unit/record/test_path.c — path.c: the grammar, canonical texts, errors with their column,
 * walking. */
#include "record/path.h"

#include "base/assert.h"
#include "record/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct mr_arena arena;

static int setup(void **state)
{
    MR_UNUSED(state);
    mr_arena_init(&arena, 4096);
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_arena_deinit(&arena);
    return 0;
}

static struct mr_path parse(const char *text)
{
    struct mr_path path;
    struct mr_error error;
    if (mr_path_parse(&arena, text, &path, &error) != MR_OK)
        fail_msg("%s", error.message);
    return path;
}

static void texts_become_canonical(void **state)
{
    MR_UNUSED(state);
    static const char *const cases[][2] = {
        {"a", "a"},
        {"a.b[0].c", "a.b[0].c"},
        {"a[\"b\"]", "a.b"},
        {"[\"a\"].b", "a.b"},
        {"a[\"odd name\"]", "a[\"odd name\"]"},
        {"[\"odd \\\"name\\\\\"][7]", "[\"odd \\\"name\\\\\"][7]"},
        {"user-id._x9", "user-id._x9"},
        {"größe", "größe"},
        {"a[\"\"]", "a[\"\"]"},
        {"a[\"0\"]", "a[\"0\"]"},
        {"a[4294967295]", "a[4294967295]"},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct mr_path path = parse(cases[i][0]);
        assert_string_equal(path.text, cases[i][1]);
        struct mr_path again = parse(path.text);
        assert_true(mr_path_equal(&path, &again));
    }
    struct mr_path path = parse("a.bc[12]");
    assert_int_equal(path.steps_count, 3);
    assert_int_equal(path.steps[1].name_size, 2);
    assert_string_equal(path.steps[1].name, "bc");
    assert_null(path.steps[2].name);
    assert_int_equal(path.steps[2].index, 12);
}

static void errors_name_the_column(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *text;
        const char *part;
    } cases[] = {
        {"", "column 1"},           {".a", "column 1"},     {"a.", "column 3"},
        {"a..b", "column 3"},       {"a b", "column 2"},    {"[0]", "column 2"},
        {"a[", "column 3"},         {"a[1", "column 4"},    {"a[01]", "column 3"},
        {"a[-1]", "column 3"},      {"a[\"x]", "column 6"}, {"a[\"x\"", "column 6"},
        {"a[\"\\n\"]", "column 5"}, {"0a", "column 1"},     {"a[4294967296]", "column 3"},
        {"a]", "column 2"},         {"a\x80", "UTF-8"},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct mr_path path;
        struct mr_error error;
        enum mr_status status = mr_path_parse(&arena, cases[i].text, &path, &error);
        if (status != MR_INVALID || strstr(error.message, cases[i].part) == NULL)
            fail_msg("'%s': status %d, %s", cases[i].text, status, error.message);
    }
}

static void steps_are_bounded(void **state)
{
    MR_UNUSED(state);
    char text[2 * 40 + 1];
    struct mr_path path;
    struct mr_error error;
    for (size_t steps = 31; steps <= 33; steps++) {
        for (size_t i = 0; i < steps; i++)
            memcpy(text + 2 * i, "a.", 2);
        text[2 * steps - 1] = '\0';
        assert_int_equal(mr_path_parse(&arena, text, &path, &error),
                         steps <= 32 ? MR_OK : MR_INVALID);
    }
}

static void prefixes(void **state)
{
    MR_UNUSED(state);
    struct mr_path whole = parse("a.b[0].c");
    struct mr_path prefix = parse("a.b[0]");
    struct mr_path other = parse("a.b[1]");
    assert_true(mr_path_starts_with(&whole, &prefix));
    assert_true(mr_path_starts_with(&whole, &whole));
    assert_false(mr_path_starts_with(&prefix, &whole));
    assert_false(mr_path_starts_with(&whole, &other));
    assert_false(mr_path_equal(&whole, &prefix));
    /* The index 0 is not the name "0". */
    struct mr_path index = parse("a[0]");
    struct mr_path name = parse("a[\"0\"]");
    assert_false(mr_path_equal(&index, &name));
}

static void walks_trees(void **state)
{
    MR_UNUSED(state);
    struct mr_value items[] = {mr_value_int(10), mr_value_int(11)};
    struct mr_map_entry entries[] = {
        {mr_value_string(mr_slice_text("b")), {.kind = MR_KIND_LIST, .size = 2, .items = items}},
        {mr_value_string(mr_slice_text("n")), mr_value_null()},
    };
    struct mr_value map = {.kind = MR_KIND_MAP, .size = 2, .entries = entries};
    struct mr_path path = parse("a.b[1]");
    assert_int_equal(mr_path_walk(&path, 1, map).integer, 11);
    assert_int_equal(mr_path_walk(&path, 0, map).kind, MR_KIND_ABSENT);
    path = parse("a.b[2]");
    assert_int_equal(mr_path_walk(&path, 1, map).kind, MR_KIND_ABSENT);
    path = parse("a.n.x");
    assert_int_equal(mr_path_walk(&path, 1, map).kind, MR_KIND_ABSENT);
    path = parse("a[0]");
    assert_int_equal(mr_path_walk(&path, 1, map).kind, MR_KIND_ABSENT);
    path = parse("a.n");
    assert_int_equal(mr_path_walk(&path, 1, map).kind, MR_KIND_NULL);
    assert_int_equal(mr_path_walk(&path, 2, mr_value_bool(true)).kind, MR_KIND_BOOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_canonical),
        cmocka_unit_test(errors_name_the_column),
        cmocka_unit_test(steps_are_bounded),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(walks_trees),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
