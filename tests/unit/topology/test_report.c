/* tests/unit/topology/test_report.c — findings are kept in order of place, said once, and bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "topology/report.h"

static void findings_are_sorted_by_place(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_report report;
    mr_arena_init(&arena, 4096);
    mr_report_init(&report, &arena, "x.yaml");
    mr_report_add(&report, MR_SEVERITY_WARNING, (struct mr_location){3, 1}, "late");
    mr_report_add(&report, MR_SEVERITY_WARNING, (struct mr_location){2, 9}, "b");
    mr_report_add(&report, MR_SEVERITY_ERROR, (struct mr_location){2, 9}, "c %d", 5);
    mr_report_add(&report, MR_SEVERITY_ERROR, (struct mr_location){2, 4}, "a");
    mr_report_finish(&report);
    assert_int_equal(report.findings_count, 4);
    assert_int_equal(report.errors_count, 2);
    assert_string_equal(report.findings[0].message, "a");
    assert_string_equal(report.findings[1].message, "c 5"); /* errors before warnings */
    assert_string_equal(report.findings[2].message, "b");
    assert_string_equal(report.findings[3].message, "late");
    mr_arena_deinit(&arena);
}

static void the_same_sentence_is_said_once_per_place(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_report report;
    mr_arena_init(&arena, 4096);
    mr_report_init(&report, &arena, "x.yaml");
    for (int i = 0; i < 3; i++)
        mr_report_add(&report, MR_SEVERITY_ERROR, (struct mr_location){1, 1}, "same");
    mr_report_add(&report, MR_SEVERITY_ERROR, (struct mr_location){1, 2}, "same");
    assert_int_equal(report.findings_count, 2);
    assert_int_equal(report.errors_count, 2);
    mr_arena_deinit(&arena);
}

static void more_than_the_limit_is_counted(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_report report;
    mr_arena_init(&arena, 4096);
    mr_report_init(&report, &arena, "x.yaml");
    for (uint32_t i = 0; i < MR_REPORT_FINDINGS_MAX + 7; i++)
        mr_report_add(&report, MR_SEVERITY_ERROR, (struct mr_location){i + 1, 1}, "error");
    assert_int_equal(report.findings_count, MR_REPORT_FINDINGS_MAX);
    assert_int_equal(report.dropped_count, 7);
    assert_int_equal(report.errors_count, MR_REPORT_FINDINGS_MAX + 7);
    mr_arena_deinit(&arena);
}

static void long_sentences_are_cut_at_a_character(void **state)
{
    (void)state;
    char text[3000];
    struct mr_arena arena;
    struct mr_report report;
    mr_arena_init(&arena, 4096);
    mr_report_init(&report, &arena, "x.yaml");
    text[0] = 'x';
    for (size_t i = 1; i + 1 < sizeof(text); i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    text[sizeof(text) - 1] = '\0';
    mr_report_add(&report, MR_SEVERITY_ERROR, (struct mr_location){1, 1}, "%s", text);
    const char *message = report.findings[0].message;
    size_t size = strlen(message);
    assert_true(size > 1000 && size < sizeof(text));
    assert_int_equal((unsigned char)message[size - 1], 0xA9);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(findings_are_sorted_by_place),
        cmocka_unit_test(the_same_sentence_is_said_once_per_place),
        cmocka_unit_test(more_than_the_limit_is_counted),
        cmocka_unit_test(long_sentences_are_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
