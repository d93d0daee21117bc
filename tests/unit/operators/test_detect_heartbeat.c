/* tests/unit/operators/test_detect_heartbeat.c — detect.heartbeat: what is silent in event time and
 * by the clock, learned limits, control records, and that each alert leaves once. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static int64_t offset;

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.heartbeat, from: in, key: [k], %s}\n", options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
    offset = 0;
}

static void feed(struct harness *harness, const char *key, int64_t time_ms)
{
    struct harness_row row = harness_row(++offset, key, mr_value_double(1));
    row.event_time_ms = time_ms;
    harness_feed(harness, 0, &row, 1);
}

/* With control records, from a second source. */
static void open_controlled(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.heartbeat, from: in, control: in2, key: [k], %s}\n",
             options);
    harness_open_sources(harness,
                         "    - {name: in, type: memory, key: [k]}\n"
                         "    - {name: in2, type: memory, key: [key]}\n",
                         text,
                         "    - {name: out, type: memory, from: op}\n"
                         "    - {name: alerts, type: memory, from: op.alerts}\n",
                         "op", 0, 1);
    harness->keeps_last = true;
    offset = 0;
}

static void order_at(struct harness *harness, const char *key, const char *action, int64_t time_ms,
                     int64_t watermark_ms, struct mr_value until)
{
    struct harness_row row = {
        .offset = ++offset,
        .event_time_ms = time_ms,
        .watermark_ms = watermark_ms,
        .cells = {{"key", mr_value_string(mr_slice_text(key))},
                  {"action", mr_value_string(mr_slice_text(action))},
                  {"operator", mr_value_string(mr_slice_text("op"))},
                  {"until", until}},
    };
    harness_feed(harness, 1, &row, 1);
}

static void order(struct harness *harness, const char *key, const char *action, int64_t time_ms)
{
    order_at(harness, key, action, time_ms, INT64_MIN, mr_value_null());
}

static void save(struct harness *harness)
{
    harness_commit(harness);
    harness_restore(harness);
}

static bool is_anomaly(const struct harness *harness)
{
    return harness_member(harness, "is_anomaly").boolean;
}

/* The last of `count` alerts. */
static void assert_alert(const struct harness *harness, uint64_t count, const char *state,
                         const char *key, int64_t time_ms)
{
    assert_int_equal(harness->emitted_count[1], count);
    assert_text(harness_field(harness, 1, "state"), state);
    assert_text(harness_field(harness, 1, "key"), key);
    assert_int_equal(harness_field(harness, 1, "event_time").integer, time_ms);
}

static void the_watermark_tells_of_a_silence(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "timeout: 1s");
    feed(&harness, "a", 10000);
    feed(&harness, "b", 10500);
    harness_watermark(&harness, 11000);
    assert_int_equal(harness.emitted_count[1], 0); /* a record of 11000 could still come */
    harness_watermark(&harness, 11001);
    assert_alert(&harness, 1, "open", "a", 11001);
    assert_text(harness_field(&harness, 1, "severity"), "warning");
    assert_int_equal(harness_field(&harness, 1, "record").kind, MR_KIND_NULL);
    assert_true(harness_field(&harness, 1, "threshold").number == 1);
    char id[32];
    struct mr_value cell = harness_field(&harness, 1, "id");
    snprintf(id, sizeof(id), "%.*s", (int)cell.size, (const char *)cell.text);
    harness_watermark(&harness, 11400);
    assert_int_equal(harness.emitted_count[1], 1);
    feed(&harness, "a", 11450);
    assert_alert(&harness, 2, "resolved", "a", 11450);
    assert_text(harness_field(&harness, 1, "id"), id);
    assert_true(is_anomaly(&harness));
    assert_true(harness_member(&harness, "score").number == 1.45);
    harness_watermark(&harness, 11600);
    assert_alert(&harness, 3, "open", "b", 11501);
    harness_close(&harness);
}

/* One key alone moves the watermark only by its records: the same two alerts. */
static void a_gap_tells_of_a_silence(void **state)
{
    MR_UNUSED(state);
    char texts[2][4096];
    for (int way = 0; way < 2; way++) {
        struct harness harness;
        open(&harness, "timeout: 1s");
        feed(&harness, "a", 10000);
        if (way == 1)
            harness_watermark(&harness, 12000);
        feed(&harness, "a", 12500);
        assert_alert(&harness, 2, "resolved", "a", 12500);
        assert_true(is_anomaly(&harness));
        harness_watermark(&harness, 13500);
        assert_int_equal(harness.emitted_count[1], 2);
        snprintf(texts[way], sizeof(texts[way]), "%s", harness_output(&harness, 1));
        harness_close(&harness);
    }
    assert_string_equal(texts[0], texts[1]);
}

static void a_gap_as_long_as_the_limit_is_none(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "timeout: 1s");
    for (int64_t time_ms = 0; time_ms <= 20000; time_ms += 1000) {
        feed(&harness, "a", time_ms);
        harness_watermark(&harness, time_ms);
    }
    assert_int_equal(harness.emitted_count[1], 0);
    assert_true(harness_member(&harness, "score").number == 1 && !is_anomaly(&harness));
    harness_close(&harness);
}

static void late_records_do_not_end_a_silence(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "timeout: 1s");
    feed(&harness, "a", 10000);
    harness_watermark(&harness, 20000);
    assert_alert(&harness, 1, "open", "a", 11001);
    feed(&harness, "a", 15000);
    assert_int_equal(harness.emitted_count[1], 1);
    feed(&harness, "a", 9000);
    assert_int_equal(harness_member(&harness, "gap_ms").integer, 0);
    assert_int_equal(harness.emitted_count[1], 1);
    feed(&harness, "a", 19500);
    assert_alert(&harness, 2, "resolved", "a", 19500);
    harness_close(&harness);
}

/* A row knows its own watermark, whether or not the operator was told of it. */
static void rows_go_by_their_own_watermarks(void **state)
{
    MR_UNUSED(state);
    char texts[2][8192];
    for (int cut = 0; cut < 2; cut++) {
        struct harness harness;
        struct harness_row rows[4];
        static const int64_t times[] = {10000, 30000, 10500, 29900};
        static const int64_t watermarks[] = {9000, 10000, 30000, 30000};
        open(&harness, "timeout: 1s");
        harness.row_watermarks = true;
        for (int row = 0; row < 4; row++) {
            rows[row] = harness_row(row, row == 1 ? "b" : "a", mr_value_double(1));
            rows[row].event_time_ms = times[row];
            rows[row].watermark_ms = watermarks[row];
        }
        if (cut == 0) {
            harness_feed(&harness, 0, rows, 4);
        } else {
            harness_feed(&harness, 0, rows, 2);
            harness_watermark(&harness, 30000);
            harness_feed(&harness, 0, rows + 2, 2);
        }
        assert_alert(&harness, 2, "resolved", "a", 29900);
        snprintf(texts[cut], sizeof(texts[cut]), "%s", harness_output(&harness, 1));
        harness_close(&harness);
    }
    assert_string_equal(texts[0], texts[1]);
}

static void a_limit_is_learned(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "learned: {warmup: 10, gaps: 20, factor: 2, minimum: 1ms}");
    for (int64_t index = 0; index <= 10; index++) {
        feed(&harness, "a", 100 * index);
        assert_text(harness_member(&harness, "state"), "learning");
    }
    harness_watermark(&harness, 1200);
    assert_int_equal(harness.emitted_count[1], 0);
    harness_watermark(&harness, 1201);
    assert_alert(&harness, 1, "open", "a", 1201);
    feed(&harness, "a", 5000); /* learned as 200: the limit becomes 400, and not 8,000 */
    assert_alert(&harness, 2, "resolved", "a", 5000);
    feed(&harness, "a", 5100);
    assert_int_equal(harness_member(&harness, "limit_ms").integer, 400);
    assert_false(is_anomaly(&harness));
    for (int64_t index = 1; index <= 20; index++)
        feed(&harness, "a", 5100 + 100 * index);
    feed(&harness, "a", 7101);
    assert_int_equal(harness_member(&harness, "limit_ms").integer, 200);
    harness_close(&harness);
}

/* Of gaps 1 to 10 s the quantile 0.5 is the sixth: ceil(0.5 * 11). */
static void a_quantile_of_the_gaps(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "timeout: 1h, learned: {warmup: 10, quantile: 0.5, factor: 1.5}");
    int64_t time_ms = 0;
    feed(&harness, "a", 0);
    for (int64_t gap = 1; gap <= 10; gap++) {
        assert_int_equal(harness_member(&harness, "limit_ms").integer, 3600000);
        time_ms += 1000 * (gap * 7 % 11);
        feed(&harness, "a", time_ms);
    }
    feed(&harness, "a", time_ms);
    assert_int_equal(harness_member(&harness, "limit_ms").integer, 9000);
    harness_close(&harness);
}

static void a_key_is_forgotten(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "timeout: 1s, forget_after: 10s");
    feed(&harness, "a", 10000);
    harness_watermark(&harness, 12000);
    assert_alert(&harness, 1, "open", "a", 11001);
    harness_watermark(&harness, 20000);
    assert_int_equal(harness.emitted_count[1], 1);
    harness_watermark(&harness, 20001);
    assert_alert(&harness, 2, "resolved", "a", 20001);
    feed(&harness, "a", 30000);
    assert_int_equal(harness.emitted_count[1], 2);
    assert_int_equal(harness_member(&harness, "count").integer, 0);
    assert_int_equal(harness_member(&harness, "gap_ms").kind, MR_KIND_NULL);
    harness_close(&harness);
}

/* Killed between any two steps, every alert leaves once. */
static void each_alert_leaves_once(void **state)
{
    MR_UNUSED(state);
    char texts[2][16384];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, "timeout: 3s, learned: {warmup: 5, gaps: 30}");
        for (int64_t step = 0; step < 60; step++) {
            char key[2] = {(char)('a' + step % 3), 0};
            if (step % 3 != 1 || step < 20 || step > 45)
                feed(&harness, key, 1000 + step * 400);
            harness_watermark(&harness, 1000 + step * 400);
            if (turn == 1) {
                harness_commit(&harness);
                harness_restore(&harness);
            }
        }
        assert_int_equal(harness.emitted_count[1], 2);
        snprintf(texts[turn], sizeof(texts[turn]), "%s", harness_output(&harness, 1));
        harness_close(&harness);
    }
    assert_string_equal(texts[0], texts[1]);
}

/* All keys fall silent at one watermark: their alerts leave in parts, with crashes between. */
static void many_at_once(void **state)
{
    MR_UNUSED(state);
    static char texts[2][65536];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, "timeout: 1s, forget_after: 1m");
        for (int index = 0; index < 100; index++) {
            char key[16];
            snprintf(key, sizeof(key), "k%d", index * 37 % 100);
            feed(&harness, key, 1000 + index);
        }
        harness_commit(&harness);
        harness.in_parts = turn == 1;
        harness.crash_every = turn == 1 ? 3 : 0;
        harness_watermark(&harness, 9000);
        assert_int_equal(harness.emitted_count[1], 100);
        harness_watermark(&harness, 90000);
        assert_int_equal(harness.emitted_count[1], 200);
        assert_true(turn == 0 || harness.parts_count > 2);
        snprintf(texts[turn], sizeof(texts[turn]), "%s", harness_output(&harness, 1));
        harness_close(&harness);
    }
    assert_string_equal(texts[0], texts[1]);
}

static void by_the_clock(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "timeout: 1s, time: processing");
    assert_true(harness_wall(&harness, 50000) == INT64_MAX);
    feed(&harness, "a", 7);
    assert_true(harness.context.wall_due_ms == 51001);
    assert_false(mr_operator_waits(harness.operator_instance, &harness.context));
    assert_true(harness_wall(&harness, 50900) == 51001);
    assert_int_equal(harness.emitted_count[1], 0);
    harness_watermark(&harness, 60000);
    assert_int_equal(harness.emitted_count[1], 0);
    harness_wall(&harness, 51100);
    assert_alert(&harness, 1, "open", "a", 51001);
    feed(&harness, "a", 8);
    assert_int_equal(harness.emitted_count[1], 2);
    assert_text(harness_field(&harness, 1, "state"), "resolved");
    assert_int_equal(harness_member(&harness, "gap_ms").integer, 1100);
    harness_commit(&harness);
    harness_restore(&harness);
    /* Nobody looked for a while: the time counts from now on. */
    assert_true(harness_wall(&harness, 90000) == 91001);
    assert_int_equal(harness.emitted_count[1], 2);
    harness_wall(&harness, 91001);
    assert_int_equal(harness.emitted_count[1], 3);
    assert_text(harness_field(&harness, 1, "state"), "open");
    harness_close(&harness);
}

static void a_muted_key_is_not_silent(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_controlled(&harness, "timeout: 1s, forget_after: 1h");
    feed(&harness, "a", 10000);
    feed(&harness, "b", 10000);
    order(&harness, "a", "mute", 10100);
    save(&harness);
    harness_watermark(&harness, 15000);
    assert_alert(&harness, 1, "open", "b", 11001);
    feed(&harness, "a", 16000); /* a gap, and no anomaly */
    assert_text(harness_member(&harness, "state"), "muted");
    assert_true(harness_member(&harness, "score").number == 6 && !is_anomaly(&harness));
    harness_watermark(&harness, 30000);
    assert_int_equal(harness.emitted_count[1], 1);
    /* What is still silent is told when it may be. */
    order(&harness, "a", "unmute", 31000);
    harness_watermark(&harness, 30001);
    assert_alert(&harness, 2, "open", "a", 17001);
    /* What is open is resolved of muted keys too. */
    order(&harness, "a", "mute", 31500);
    save(&harness);
    feed(&harness, "a", 32000);
    assert_text(harness_member(&harness, "state"), "muted");
    assert_alert(&harness, 3, "resolved", "a", 32000);
    harness_close(&harness);
}

static void a_mute_ends_at_its_time(void **state)
{
    MR_UNUSED(state);
    char texts[2][4096];
    for (int way = 0; way < 2; way++) {
        struct harness harness;
        open_controlled(&harness, "timeout: 1s");
        feed(&harness, "a", 10000);
        order_at(&harness, "a", "mute", 10100, INT64_MIN, mr_value_double(20000));
        save(&harness);
        harness_watermark(&harness, 19999);
        assert_int_equal(harness.emitted_count[1], 0);
        if (way == 1)
            harness_watermark(&harness, 20000);
        assert_int_equal(harness.emitted_count[1], way);
        feed(&harness, "a", 20000);
        assert_alert(&harness, 2, "resolved", "a", 20000);
        assert_true(is_anomaly(&harness));
        feed(&harness, "a", 20100);
        assert_text(harness_member(&harness, "state"), "armed");
        snprintf(texts[way], sizeof(texts[way]), "%s", harness_output(&harness, 1));
        harness_close(&harness);
    }
    assert_string_equal(texts[0], texts[1]);
}

/* An order holds from where it stands on: what its own watermark makes due is told before. */
static void orders_go_by_their_own_watermarks(void **state)
{
    MR_UNUSED(state);
    for (int way = 0; way < 2; way++) {
        struct harness harness;
        open_controlled(&harness, "timeout: 1s");
        harness.row_watermarks = true;
        feed(&harness, "a", 10000);
        order_at(&harness, "a", "mute", 11500, 11000 + way, mr_value_null());
        assert_int_equal(harness.emitted_count[1], way);
        harness_watermark(&harness, 12000);
        assert_int_equal(harness.emitted_count[1], way);
        harness_close(&harness);
    }
}

static void a_reset_key_is_expected_no_more(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_controlled(&harness, "timeout: 1s");
    feed(&harness, "a", 10000);
    feed(&harness, "b", 10000);
    order(&harness, "a", "reset", 10500);
    order(&harness, "none", "reset", 10500);
    harness_watermark(&harness, 12000);
    assert_alert(&harness, 1, "open", "b", 11001);
    order(&harness, "b", "reset", 12500);
    assert_alert(&harness, 2, "resolved", "b", 12500);
    save(&harness);
    harness_watermark(&harness, 100000);
    feed(&harness, "b", 100000);
    assert_int_equal(harness_member(&harness, "count").integer, 0);
    assert_int_equal(harness.emitted_count[1], 2);
    harness_close(&harness);
}

static void a_frozen_key_does_not_learn(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_controlled(&harness, "learned: {warmup: 3, gaps: 10, factor: 2, minimum: 1ms}");
    for (int64_t index = 0; index < 5; index++)
        feed(&harness, "a", 100 * index);
    order_at(&harness, "a", "freeze", 400, INT64_MIN, mr_value_double(1000));
    save(&harness);
    feed(&harness, "a", 590);
    feed(&harness, "a", 780);
    assert_int_equal(harness_member(&harness, "limit_ms").integer, 200);
    feed(&harness, "a", 970);
    feed(&harness, "a", 1160); /* no longer */
    assert_int_equal(harness_member(&harness, "limit_ms").integer, 200);
    feed(&harness, "a", 1260);
    assert_int_equal(harness_member(&harness, "limit_ms").integer, 380);
    order(&harness, "a", "freeze", 1260);
    feed(&harness, "a", 1560);
    order(&harness, "a", "unfreeze", 1560);
    feed(&harness, "a", 1660);
    assert_int_equal(harness_member(&harness, "limit_ms").integer, 380);
    harness_close(&harness);
}

/* A key may be muted before it comes; it is not waited for, and not kept for ever. */
static void a_key_is_named_before_it_comes(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_controlled(&harness, "timeout: 1s, forget_after: 1m");
    order(&harness, "a", "freeze", 1000); /* means nothing without `learned` */
    order(&harness, "a", "unmute", 1000);
    order(&harness, "a", "reset", 1000);
    harness_commit(&harness);
    assert_int_equal(harness.changelog_bytes, 0);
    order(&harness, "a", "mute", 1000);
    order(&harness, "b", "mute", 1000);
    order(&harness, "c", "mute", 1000);
    order(&harness, "c", "unmute", 1000);
    save(&harness);
    harness_watermark(&harness, 5000);
    feed(&harness, "a", 6000);
    assert_text(harness_member(&harness, "state"), "muted");
    assert_int_equal(harness_member(&harness, "gap_ms").kind, MR_KIND_NULL);
    harness_watermark(&harness, 61001); /* b is forgotten */
    feed(&harness, "b", 62000);
    assert_text(harness_member(&harness, "state"), "learning");
    harness_watermark(&harness, 66001); /* a as well, and its mute */
    assert_alert(&harness, 1, "open", "b", 63001);
    feed(&harness, "a", 67000);
    assert_text(harness_member(&harness, "state"), "learning");
    harness_close(&harness);
}

static void control_by_the_clock(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_controlled(&harness, "timeout: 1s, time: processing");
    harness_wall(&harness, 50000);
    feed(&harness, "a", 7);
    order_at(&harness, "a", "mute", 8, INT64_MIN, mr_value_double(60000));
    assert_true(harness_wall(&harness, 52000) == 60000);
    assert_int_equal(harness.emitted_count[1], 0);
    harness_wall(&harness, 60000);
    assert_alert(&harness, 1, "open", "a", 51001);
    order(&harness, "a", "reset", 9);
    assert_alert(&harness, 2, "resolved", "a", 60000);
    assert_true(harness_wall(&harness, 60001) == INT64_MAX);
    harness_close(&harness);
}

static void times_at_the_ends(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "timeout: 1s, learned: {warmup: 1, gaps: 5}");
    static const int64_t times[] = {INT64_MIN + 1, INT64_MAX, 0, INT64_MIN + 2, INT64_MAX - 1};
    for (size_t index = 0; index < MR_ARRAY_COUNT(times); index++) {
        feed(&harness, "a", times[index]);
        assert_true(isfinite(harness_member(&harness, "score").number));
    }
    harness_watermark(&harness, INT64_MAX);
    feed(&harness, "b", 5);
    harness_commit(&harness);
    harness_restore(&harness);
    feed(&harness, "a", 5);
    harness_close(&harness);
}

static void what_does_not_fit_is_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *options;
        const char *finding;
    } given[] = {
        {"severity: critical", "say how long a key may be silent"},
        {"timeout: 10s, forget_after: 10s", "before its silence has lasted for `timeout`"},
        {"learned: {minimum: 10s}, forget_after: 9s", "the `minimum` of `learned`"},
        {"learned: {warmup: 50, gaps: 40}", "a warm-up of 50 gaps never ends where 40 are kept"},
        {"timeout: 1s, suppress: {count: 2}", "a silence is one episode by itself"},
    };
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    for (size_t index = 0; index < MR_ARRAY_COUNT(given); index++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "    - {name: op, type: detect.heartbeat, from: in, key: [k], %s}\n",
                 given[index].options);
        const char *findings =
            harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n", text,
                             "    - {name: out, type: memory, from: op}\n");
        if (strstr(findings, given[index].finding) == NULL)
            fail_msg("%s: %s", given[index].options, findings);
    }
    mr_arena_deinit(&arena);
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    static const char options[] = "timeout: 1s, learned: {warmup: 3, gaps: 20, minimum: 100ms}";
    struct harness harness;
    open(&harness, options);
    for (int64_t index = 0; index < 5; index++) {
        feed(&harness, "a", 1000 + 200 * index);
        feed(&harness, "b", 1000 + 200 * index);
    }
    feed(&harness, "b", 2500);
    harness_watermark(&harness, 2450);
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_heartbeat_v1");
    harness_close(&harness);
    open(&harness, options);
    harness_load_golden(&harness, "detect_heartbeat_v1");
    feed(&harness, "a", 2600);
    assert_alert(&harness, 1, "resolved", "a", 2600);
    feed(&harness, "b", 2600);
    assert_int_equal(harness_member(&harness, "limit_ms").integer, 1800);
    harness_close(&harness);
}

/* Of a key that is frozen and muted, one that is only named, and one that is neither. */
static void stored_orders_stay_readable(void **state)
{
    MR_UNUSED(state);
    static const char options[] = "timeout: 1s, learned: {warmup: 3, gaps: 20, minimum: 100ms}";
    struct harness harness;
    open_controlled(&harness, options);
    feed(&harness, "a", 1000);
    feed(&harness, "b", 1000);
    order_at(&harness, "a", "freeze", 1100, INT64_MIN, mr_value_double(9000));
    order(&harness, "a", "mute", 1100);
    order_at(&harness, "c", "mute", 1100, INT64_MIN, mr_value_double(5000));
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_heartbeat_control_v1");
    harness_close(&harness);
    open_controlled(&harness, options);
    harness_load_golden(&harness, "detect_heartbeat_control_v1");
    feed(&harness, "c", 1200);
    assert_text(harness_member(&harness, "state"), "muted");
    harness_watermark(&harness, 4000);
    assert_alert(&harness, 1, "open", "b", 2001);
    feed(&harness, "a", 4000);
    assert_text(harness_member(&harness, "state"), "muted");
    harness_close(&harness);
    /* Without `control` nobody could unmute it. */
    open(&harness, options);
    harness_load_golden(&harness, "detect_heartbeat_control_v1");
    feed(&harness, "a", 4000);
    assert_text(harness_member(&harness, "state"), "armed");
    assert_true(is_anomaly(&harness));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_watermark_tells_of_a_silence),
        cmocka_unit_test(a_gap_tells_of_a_silence),
        cmocka_unit_test(a_gap_as_long_as_the_limit_is_none),
        cmocka_unit_test(late_records_do_not_end_a_silence),
        cmocka_unit_test(rows_go_by_their_own_watermarks),
        cmocka_unit_test(a_limit_is_learned),
        cmocka_unit_test(a_quantile_of_the_gaps),
        cmocka_unit_test(a_key_is_forgotten),
        cmocka_unit_test(each_alert_leaves_once),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(by_the_clock),
        cmocka_unit_test(a_muted_key_is_not_silent),
        cmocka_unit_test(a_mute_ends_at_its_time),
        cmocka_unit_test(orders_go_by_their_own_watermarks),
        cmocka_unit_test(a_reset_key_is_expected_no_more),
        cmocka_unit_test(a_frozen_key_does_not_learn),
        cmocka_unit_test(a_key_is_named_before_it_comes),
        cmocka_unit_test(control_by_the_clock),
        cmocka_unit_test(times_at_the_ends),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(stored_orders_stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
