/* tests/unit/cli/test_text.c — what people read: escapes, times, numbers, tables. */
#include "cli/text.h"

#include "base/assert.h"
#include "cli/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct mr_arena arena;

static int start(void **state)
{
    (void)state;
    mr_arena_init(&arena, 4096);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    mr_arena_deinit(&arena);
    return 0;
}

static void assert_escaped(const char *text, const char *expected)
{
    char written[256] = "";
    FILE *file = fmemopen(written, sizeof written, "w");
    assert_string_equal(mr_text_escape(&arena, mr_slice_text(text)), expected);
    mr_text_write(file, mr_slice_text(text));
    assert_int_equal(fclose(file), 0);
    assert_string_equal(written, expected);
}

static void test_escapes(void **state)
{
    (void)state;
    assert_escaped("plain", "plain");
    assert_escaped("", "");
    assert_escaped("a\x1b[31mred\n", "a\\x1b[31mred\\x0a");
    assert_escaped("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
    assert_escaped("\xc2\x9b", "\\x9b"); /* C1 */
    assert_escaped("bad\xff\x7f", "bad\\xff\\x7f");
    assert_int_equal(mr_text_width("gr\xc3\xbc\xc3\x9f"), 4);
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "0 s"},
                 {300, "0.3 s"},
                 {9999, "9.9 s"},
                 {42000, "42 s"},
                 {59999, "59 s"},
                 {60000, "1 min"},
                 {200000, "3 min 20 s"},
                 {3600000, "1 h 0 min"},
                 {18720000, "5 h 12 min"},
                 {273600000, "3 d 4 h"},
                 {-1, "unknown"}};
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++)
        assert_string_equal(mr_text_duration(&arena, cases[index].ms), cases[index].text);
    assert_string_equal(mr_text_ago(&arena, 1000, 1500), "now");
    assert_string_equal(mr_text_ago(&arena, 1000, 4500), "3 s ago");
    assert_string_equal(mr_text_ago(&arena, 9000, 4500), "in 4 s");
}

static void test_numbers(void **state)
{
    (void)state;
    assert_string_equal(mr_text_count(&arena, 0), "0");
    assert_string_equal(mr_text_count(&arena, 999), "999");
    assert_string_equal(mr_text_count(&arena, 1000), "1,000");
    assert_string_equal(mr_text_count(&arena, -123456), "-123,456");
    assert_string_equal(mr_text_count(&arena, INT64_MIN), "-9,223,372,036,854,775,808");
    assert_string_equal(mr_text_bytes(&arena, 512), "512 B");
    assert_string_equal(mr_text_bytes(&arena, 1536), "1.5 KiB");
    assert_string_equal(mr_text_bytes(&arena, 64 << 20), "64 MiB");
    assert_string_equal(mr_text_plural(&arena, 1, "task"), "1 task");
    assert_string_equal(mr_text_plural(&arena, 2000, "task"), "2,000 tasks");
}

static void test_percent(void **state)
{
    (void)state;
    assert_string_equal(mr_text_percent(&arena, mr_slice_text("a-b.c_d~1")), "a-b.c_d~1");
    assert_string_equal(mr_text_percent(&arena, mr_slice_text("a/b c%\xc3\xbc?#")),
                        "a%2Fb%20c%25%C3%BC%3F%23");
}

static void test_table(void **state)
{
    (void)state;
    static const struct mr_table_column columns[] = {
        {"NAME", false}, {"LAG", true}, {"WHY", false}, {NULL, false}};
    struct mr_table table;
    char written[512] = "";
    mr_table_init(&table, &arena, columns);
    mr_table_text(&table, "a-very-long-name-that-is-not-cut");
    mr_table_count(&table, 12345);
    mr_table_text(&table, "gr\xc3\xbcn\n");
    mr_table_text(&table, "b");
    mr_table_text(&table, NULL);
    mr_table_text(&table, "");
    FILE *file = fmemopen(written, sizeof written, "w");
    mr_table_print(&table, file);
    assert_int_equal(fclose(file), 0);
    mr_table_deinit(&table);
    assert_string_equal(written, "NAME                                 LAG  WHY\n"
                                 "a-very-long-name-that-is-not-cut  12,345  gr\xc3\xbcn\\x0a\n"
                                 "b                                      -  -\n");
}

static void test_empty_table_prints_nothing(void **state)
{
    (void)state;
    static const struct mr_table_column columns[] = {{"NAME", false}, {NULL, false}};
    struct mr_table table;
    char written[16] = "";
    mr_table_init(&table, &arena, columns);
    FILE *file = fmemopen(written, sizeof written, "w");
    mr_table_print(&table, file);
    assert_int_equal(fclose(file), 0);
    mr_table_deinit(&table);
    assert_string_equal(written, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes), cmocka_unit_test(test_durations),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_percent),
        cmocka_unit_test(test_table),   cmocka_unit_test(test_empty_table_prints_nothing),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
