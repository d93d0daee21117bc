/* tests/unit/operators/test_window_aggregate.c — the type: options, keys, time, late rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static const char sources[] = "    - {name: in, type: memory, key: [k]}\n"
                              "    - {name: in2, type: memory}\n";

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text), "    - {name: op, type: window.aggregate, from: in, %s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: late, type: memory, from: op.late}\n",
                 "op");
}

static void options_that_exclude_each_other_are_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *options;
        const char *part;
    } cases[] = {
        {"window: {}", "needs one of tumbling"},
        {"window: {tumbling: 1s}, emit: periodic", "needs `emit_every`"},
        {"window: {tumbling: 1s}, emit_every: 1s", "no meaning without emit: periodic"},
        {"window: {tumbling: 1s}, time: processing, lateness: 1s", "no record is late"},
        {"window: {tumbling: 1s}, emit: sometimes", "close | update | periodic"},
        {"window: {tumbling: 1d, zone: Europe/Berlim}",
         "'zone': there is no time zone 'Europe/Berlim' in this machine's tz database; did you "
         "mean 'Europe/Berlin'?"},
    };
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 14);
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        const char *findings = harness_findings(
            &arena, sources,
            mr_arena_format(&arena,
                            "    - {name: op, type: window.aggregate, from: in, key: [k], "
                            "aggregates: {size: count()}, %s}\n",
                            cases[i].options),
            "    - {name: out, type: memory, from: op}\n");
        if (strstr(findings, cases[i].part) == NULL)
            fail_msg("%s: %s", cases[i].options, findings);
    }
    mr_arena_deinit(&arena);
}

static void cells_that_are_too_large_are_refused(void **state)
{
    MR_UNUSED(state);
    static const char *const types[] = {"window.aggregate, window: {tumbling: 1s}", "aggregate"};
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 14);
    for (size_t i = 0; i < MR_ARRAY_COUNT(types); i++) {
        const char *findings = harness_findings(
            &arena, sources,
            mr_arena_format(&arena,
                            "    - {name: op, type: %s, from: in, key: [k], aggregates: {"
                            "a: 'max(k, 480)', b: 'max(k, 480)', c: 'max(k, 480)', "
                            "d: 'max(k, 480)', e: 'max(k, 480)'}}\n",
                            types[i]),
            "    - {name: out, type: memory, from: op}\n");
        if (strstr(findings, "2440 bytes per group besides their bodies, at most 2048") == NULL ||
            strstr(findings, "divide them among several operators") == NULL)
            fail_msg("%s: %s", types[i], findings);
    }
    mr_arena_deinit(&arena);
}

static void feed(struct harness *harness, int64_t offset, const char *key, int64_t time_ms)
{
    struct harness_row row = harness_row(offset, key, mr_value_double(1));
    row.event_time_ms = time_ms;
    harness_feed(harness, 0, &row, 1);
}

static void a_window_without_a_key_is_one_for_all(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "key: [], window: {tumbling: 10s}, aggregates: {size: count()}");
    feed(&harness, 1, "a", 1000);
    feed(&harness, 2, "b", 2000);
    harness_watermark(&harness, 10000);
    assert_int_equal(harness.emitted_count[0], 1);
    assert_non_null(
        strstr(harness_output(&harness, 0), "t9999 '{}' 0=int:0; 1=int:10000; 3=int:2;"));
    harness_close(&harness);
}

static void late_rows_leave_unchanged(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "key: [k], window: {tumbling: 10s}, aggregates: {size: count()}");
    harness_watermark(&harness, 20000);
    feed(&harness, 5, "a", 9000);
    feed(&harness, 6, "a", 21000);
    assert_string_equal(harness_offsets(&harness, 1), "5");
    assert_int_equal(harness.late_count, 1);
    harness_close(&harness);
}

static void processing_time_is_the_clock(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "key: [k], window: {tumbling: 10s}, aggregates: {size: count()}, "
                   "time: processing");
    harness.context.now_ms = 1000;
    feed(&harness, 1, "a", 999999);
    harness.context.now_ms = 9999;
    feed(&harness, 2, "a", 5);
    harness_watermark(&harness, 1000000);
    assert_int_equal(harness.emitted_count[0], 0);
    harness.context.now_ms = 10000;
    feed(&harness, 3, "b", 5);
    assert_int_equal(harness.emitted_count[0], 1);
    assert_non_null(strstr(harness_output(&harness, 0), "int:10000; 4=int:2;"));
    assert_false(harness.plan->replayable);
    harness_close(&harness);
}

static void long_keys_are_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    static char key[MR_LIMIT_KEY_BYTES];
    memset(key, 'a', sizeof(key) - 1);
    open(&harness, "key: [k], window: {tumbling: 10s}, aggregates: {size: count()}");
    feed(&harness, 1, key, 1000);
    assert_int_equal(harness.errors_count, 1);
    harness_close(&harness);
}

static void stored_groups_stay_readable(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *golden;
        const char *options;
        const char *results; /* of the first row that comes out */
    } cases[] = {
        {"window_tumbling_v1", "window: {tumbling: 10s}, aggregates: {size: count()}",
         "string:'a'; 1=int:0; 2=int:10000; 4=int:2;"},
        {"window_hopping_v1",
         "window: {hopping: 10s, every: 5s}, aggregates: {kinds: count_distinct(value)}",
         "string:'a'; 1=int:-5000; 2=int:5000; 4=int:1;"},
        {"window_session_v1", "window: {session: 10s}, aggregates: {size: count()}",
         "string:'a'; 1=int:1000; 2=int:19000; 4=int:2;"},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct harness harness;
        char options[256];
        snprintf(options, sizeof(options), "key: [k], %s", cases[i].options);
        open(&harness, options);
        feed(&harness, 1, "a", 1000);
        feed(&harness, 2, "a", 9000);
        feed(&harness, 3, "b", 25000);
        harness_commit(&harness);
        harness_check_golden(&harness, cases[i].golden);
        harness_close(&harness);
        open(&harness, options);
        harness_load_golden(&harness, cases[i].golden);
        harness_watermark(&harness, 100000);
        if (strstr(harness_output(&harness, 0), cases[i].results) == NULL)
            fail_msg("%s: %s", cases[i].golden, harness_output(&harness, 0));
        harness_close(&harness);
    }
}

static void groups_of_other_options_are_left_out(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "key: [k], window: {tumbling: 20s}, aggregates: {size: count()}");
    harness_load_golden(&harness, "window_tumbling_v1"); /* of 10 s */
    feed(&harness, 1, "a", 2000);
    harness_watermark(&harness, 100000);
    assert_int_equal(harness.emitted_count[0], 1);
    assert_non_null(strstr(harness_output(&harness, 0), "2=int:20000; 4=int:1;"));
    harness_commit(&harness);
    assert_string_equal(harness_dump(&harness, &harness.plan_arena), "");
    harness_close(&harness);
}

static void nothing_is_allocated_per_record(void **state)
{
    MR_UNUSED(state);
    enum { ROWS = 2000 };
    static struct harness_row rows[ROWS];
    struct harness harness;
    open(&harness, "key: [k], window: {hopping: 10s, every: 2s}, "
                   "aggregates: {size: count(), mean: avg(value)}");
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < ROWS; i++) {
            rows[i] = harness_row(i, i % 3 == 0 ? "a" : "b", mr_value_double(i));
            rows[i].event_time_ms = 1000 + round * ROWS + i;
        }
        uint64_t before = harness.allocation_count;
        harness_feed(&harness, 0, rows, ROWS);
        if (round > 10)
            assert_int_equal(harness.allocation_count, before);
        harness_watermark(&harness, round * ROWS);
        harness_commit(&harness);
    }
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_exclude_each_other_are_refused),
        cmocka_unit_test(cells_that_are_too_large_are_refused),
        cmocka_unit_test(a_window_without_a_key_is_one_for_all),
        cmocka_unit_test(late_rows_leave_unchanged),
        cmocka_unit_test(processing_time_is_the_clock),
        cmocka_unit_test(long_keys_are_reported),
        cmocka_unit_test(stored_groups_stay_readable),
        cmocka_unit_test(groups_of_other_options_are_left_out),
        cmocka_unit_test(nothing_is_allocated_per_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
