/* tests/unit/topology/test_window_option.c — the option `window`; wrong ones are in
 * tests/golden/topology/rule11_windows.yaml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "topology/parse_options.h"
#include "topology/window_option.h"

static enum mr_status parse(struct mr_arena *arena, const char *text, struct mr_window *window,
                            struct mr_error *error)
{
    struct mr_report report;
    struct mr_options options;
    mr_report_init(&report, arena, "x.yaml");
    struct mr_options_parser parser = {
        .arena = arena, .report = &report, .owner = "test", .prefix = ""};
    const struct mr_yaml_node *node = mr_yaml_parse(mr_slice_text(text), arena, &report);
    assert_non_null(node);
    mr_options_parse(&parser, mr_window_options, node, node->location, &options);
    assert_int_equal(report.errors_count, 0);
    enum mr_status status = mr_window_check(&options, error);
    if (status == MR_OK)
        mr_window_read(&options, window);
    return status;
}

static void windows_are_read(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    struct mr_error error;
    struct mr_window window;
    mr_arena_init(&arena, 4096);
    assert_int_equal(parse(&arena, "{tumbling: 1m, offset: 15s, zone: UTC}", &window, &error),
                     MR_OK);
    assert_int_equal(window.kind, MR_WINDOW_TUMBLING);
    assert_int_equal(window.size_ms, 60000);
    assert_int_equal(window.every_ms, 60000);
    assert_int_equal(window.pane_ms, 60000);
    assert_int_equal(window.offset_ms, 15000);
    assert_null(window.zone_name);
    assert_int_equal(
        parse(&arena, "{hopping: 7d, every: 1d, offset: 6h, zone: Asia/Tokyo}", &window, &error),
        MR_OK);
    assert_string_equal(window.zone_name, "Asia/Tokyo");
    assert_null(window.zone); /* of options that are bound */
    assert_int_equal(parse(&arena, "{tumbling: 15m, zone: Asia/Tokyo}", &window, &error), MR_OK);
    assert_int_equal(parse(&arena, "{hopping: 10s, every: 4s}", &window, &error), MR_OK);
    assert_int_equal(window.kind, MR_WINDOW_HOPPING);
    assert_int_equal(window.every_ms, 4000);
    assert_int_equal(window.pane_ms, 2000);
    assert_int_equal(parse(&arena, "{sliding: 10s}", &window, &error), MR_OK);
    assert_int_equal(window.kind, MR_WINDOW_SLIDING);
    assert_int_equal(parse(&arena, "{session: 30s}", &window, &error), MR_OK);
    assert_int_equal(window.kind, MR_WINDOW_SESSION);
    assert_int_equal(window.size_ms, 30000);
    assert_int_equal(parse(&arena, "{count: 100, every: 10}", &window, &error), MR_OK);
    assert_int_equal(window.kind, MR_WINDOW_COUNT);
    assert_int_equal(window.count, 100);
    assert_int_equal(window.every_count, 10);
    assert_int_equal(parse(&arena, "{count: 7}", &window, &error), MR_OK);
    assert_int_equal(window.every_count, 7);
    mr_arena_deinit(&arena);
}

static void what_does_not_fit_is_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *text;
        const char *part;
    } cases[] = {
        {"{}", "needs one of tumbling"},
        {"{tumbling: 1s, session: 1s}", "both tumbling and session"},
        {"{hopping: 10s}", "needs `every`"},
        {"{hopping: 10s, every: 3}", "is a duration"},
        {"{hopping: 10s, every: 11s}", "at most the window's length"},
        {"{tumbling: 10s, every: 1s}", "no meaning for a tumbling"},
        {"{count: 10, every: 1s}", "a number of records"},
        {"{count: 10, every: 11}", "at most the window's length"},
        {"{count: 10, every: 0}", "at least 1"},
        {"{count: 1000, every: 7}", "are made of 1000 parts"},
        {"{session: 10s, offset: 1s}", "'window.offset' has no meaning"},
        {"{sliding: 10s, zone: UTC}", "'window.zone' has no meaning"},
        {"{tumbling: 10s, offset: 10s}", "less than the window's length"},
        {"{hopping: 10s, every: 5s, offset: 6s}", "less than 'window.every'"},
        {"{hopping: 1h, every: 1ms}", "steps of 1 ms in common"},
        {"{tumbling: 5h, zone: Europe/Berlin}", "with 'window.zone' a window lasts whole days, or"},
        {"{tumbling: 36h, zone: Europe/Berlin}", "a window lasts whole days"},
        {"{hopping: 1d, every: 5h, zone: Europe/Berlin}", "a window and its step last whole"},
        {"{session: 1d, zone: Europe/Berlin}", "'window.zone' has no meaning for a session"},
    };
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct mr_error error;
        struct mr_window window;
        assert_int_equal(parse(&arena, cases[i].text, &window, &error), MR_INVALID);
        if (strstr(error.message, cases[i].part) == NULL)
            fail_msg("%s: %s", cases[i].text, error.message);
    }
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_read),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
