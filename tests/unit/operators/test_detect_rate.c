/* tests/unit/operators/test_detect_rate.c — detect.rate: windows, empty ones among them, what they
 * are compared with, and what comes late. The tails have their own test (test_count_tail.c). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/count_tail.h"
#include "tests/support/operator_harness.h"

static int64_t offset;

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.rate, from: in, key: [k], window: {tumbling: 1s}%s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n"
                 "    - {name: late, type: memory, from: op.late}\n",
                 "op");
    harness->keeps_last = true;
    offset = 0;
}

/* With control records, from a second source. */
static void open_controlled(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.rate, from: in, control: in2, key: [k], window: "
             "{tumbling: 1s}%s}\n",
             options);
    harness_open_sources(harness,
                         "    - {name: in, type: memory, key: [k]}\n"
                         "    - {name: in2, type: memory, key: [key]}\n",
                         text,
                         "    - {name: out, type: memory, from: op}\n"
                         "    - {name: alerts, type: memory, from: op.alerts}\n"
                         "    - {name: late, type: memory, from: op.late}\n",
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

static void order(struct harness *harness, const char *action, int64_t time_ms)
{
    order_at(harness, "a", action, time_ms, INT64_MIN, mr_value_null());
}

static void save(struct harness *harness)
{
    harness_commit(harness);
    harness_restore(harness);
}

static void feed(struct harness *harness, const char *key, int64_t time_ms)
{
    struct harness_row row = harness_row(++offset, key, mr_value_double(1));
    row.event_time_ms = time_ms;
    harness_feed(harness, 0, &row, 1);
}

/* So many records of the second, then the watermark behind it. */
static void feed_second(struct harness *harness, int64_t second, int count)
{
    for (int index = 0; index < count; index++)
        feed(harness, "a", second * 1000 + index);
    harness_watermark(harness, (second + 1) * 1000);
}

/* A field of the last result: behind those of the key. */
static struct mr_value field(const struct harness *harness, const char *name)
{
    static const char *const names[] = {"k", "window_start", "window_end", "count", "anomaly"};
    uint32_t index = 0;
    while (strcmp(names[index], name) != 0)
        index++;
    uint32_t domain = harness->node->outputs[0].domain;
    return harness_last(harness, 0, harness->plan->domains[domain].field_slots[index]);
}

/* A member of the last row's object. */
static struct mr_value member(const struct harness *harness, const char *name)
{
    struct mr_value object = field(harness, "anomaly");
    for (uint32_t index = 0; index < object.size; index++)
        if (mr_slice_equal(mr_value_text(object.entries[index].key), mr_slice_text(name)))
            return object.entries[index].value;
    fail_msg("no member %s", name);
    return mr_value_null();
}

static void assert_row(const struct harness *harness, uint64_t rows, int64_t second, int64_t count)
{
    assert_int_equal(harness->emitted_count[0], rows);
    assert_int_equal(field(harness, "window_start").integer, second * 1000);
    assert_int_equal(field(harness, "window_end").integer, second * 1000 + 1000);
    assert_int_equal(field(harness, "count").integer, count);
    assert_text(field(harness, "k"), "a");
}

static void a_window_is_judged_by_those_before(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 4");
    static const int counts[] = {3, 8, 12, 9, 11, 10};
    feed_second(&harness, 100, 3); /* the first one is told, and no more */
    assert_row(&harness, 1, 100, 3);
    assert_text(member(&harness, "state"), "learning");
    assert_int_equal(member(&harness, "windows").integer, 0);
    for (int second = 1; second < 5; second++) {
        feed_second(&harness, 100 + second, counts[second]);
        assert_text(member(&harness, "state"), "learning");
        assert_int_equal(member(&harness, "p_value").kind, MR_KIND_NULL);
    }
    feed_second(&harness, 105, 30);
    assert_row(&harness, 6, 105, 30);
    assert_int_equal(member(&harness, "windows").integer, 4);
    assert_true(member(&harness, "expected").number == 10);
    assert_true(fabs(member(&harness, "sd").number - sqrt(10.0 / 3)) < 1e-12);
    struct mr_count_tails tails = mr_count_tails(10.125, 10.125 * 1.25, 30);
    double score = -(tails.log_upper + log(2)) / log(10);
    assert_true(fabs(member(&harness, "score").number - score) < 1e-12 && score > 3);
    assert_true(fabs(member(&harness, "p_value").number - pow(10, -score)) < 1e-12);
    assert_true(member(&harness, "is_anomaly").boolean);
    assert_int_equal(harness.emitted_count[1], 1);
    assert_int_equal(harness_field(&harness, 1, "event_time").integer, 105999);
    assert_text(harness_field(&harness, 1, "severity"), "warning");
    assert_non_null(strstr(harness_output(&harness, 1), "30 records in the window, where 10 are"));
    harness_close(&harness);
}

static void empty_windows_count_as_0(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2, max_empty: 3");
    for (int second = 0; second < 30; second++)
        feed_second(&harness, second, 20);
    harness_watermark(&harness, 31000);
    assert_row(&harness, 31, 30, 0);
    assert_true(member(&harness, "is_anomaly").boolean);
    harness_watermark(&harness, 33000);
    assert_row(&harness, 33, 32, 0);
    harness_watermark(&harness, 500000); /* the fourth makes it forgotten */
    assert_int_equal(harness.emitted_count[0], 33);
    feed_second(&harness, 500, 7);
    assert_row(&harness, 34, 500, 7);
    assert_int_equal(member(&harness, "windows").integer, 0);
    harness_close(&harness);
}

static void directions(void **state)
{
    MR_UNUSED(state);
    static const char *const options[] = {", direction: more", ", direction: fewer", ""};
    for (int way = 0; way < 3; way++) {
        struct harness harness;
        open(&harness, options[way]);
        for (int second = 0; second < 40; second++)
            feed_second(&harness, second, 20);
        feed_second(&harness, 40, 60);
        assert_int_equal(member(&harness, "is_anomaly").boolean, way != 1);
        feed_second(&harness, 41, 1);
        assert_int_equal(member(&harness, "is_anomaly").boolean, way != 0);
        harness_close(&harness);
    }
}

static void what_is_learned(void **state)
{
    MR_UNUSED(state);
    static const char *const options[] = {"", ", learn: normal_only", ", learn: never",
                                          ", decay: 0.5"};
    static const double expected[] = {20 + 180.0 / 30, 20, 20, 110};
    for (int way = 0; way < 4; way++) {
        struct harness harness;
        char text[64];
        snprintf(text, sizeof(text), ", warmup: 10%s", options[way]);
        open(&harness, text);
        for (int second = 0; second < 30; second++)
            feed_second(&harness, second, 20);
        feed_second(&harness, 30, 200);
        assert_true(member(&harness, "is_anomaly").boolean);
        feed_second(&harness, 31, 20);
        assert_true(fabs(member(&harness, "expected").number - expected[way]) < 1e-6);
        harness_close(&harness);
    }
}

static void late_records(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", lateness: 500ms");
    feed(&harness, "a", 1200);
    feed(&harness, "a", 700); /* before the first: still open */
    harness_watermark(&harness, 1499);
    assert_int_equal(harness.emitted_count[0], 0);
    harness_watermark(&harness, 1500);
    assert_row(&harness, 1, 0, 1);
    feed(&harness, "a", 999);
    assert_int_equal(harness.emitted_count[2], 1);
    assert_int_equal(harness.late_count, 1);
    feed(&harness, "a", 1000);
    harness_watermark(&harness, 2500);
    assert_row(&harness, 2, 1, 2);
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
        static const int64_t times[] = {500, 5500, 800, 4700};
        static const int64_t watermarks[] = {0, 500, 5000, 4900};
        open(&harness, "");
        harness.row_watermarks = true;
        for (int row = 0; row < 4; row++) {
            rows[row] = harness_row(row, "a", mr_value_double(1));
            rows[row].event_time_ms = times[row];
            rows[row].watermark_ms = watermarks[row];
        }
        harness_feed(&harness, 0, rows, cut == 0 ? 4 : 2);
        harness_watermark(&harness, cut == 0 ? 6000 : 4900);
        if (cut == 1) {
            harness_feed(&harness, 0, rows + 2, 2);
            harness_watermark(&harness, 6000);
        }
        assert_int_equal(harness.emitted_count[0], 6);
        assert_int_equal(harness.emitted_count[2], 1);
        snprintf(texts[cut], sizeof(texts[cut]), "%s", harness_output(&harness, 0));
        harness_close(&harness);
    }
    assert_string_equal(texts[0], texts[1]);
}

/* With the seventeenth window that waits the earliest is closed, with the empty ones behind it. */
static void too_many_windows_wait(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", max_empty: 5");
    feed(&harness, "a", 0);
    for (int64_t second = 3; second < 18; second++)
        feed(&harness, "a", 1000 * second);
    assert_int_equal(harness.emitted_count[0], 0);
    feed(&harness, "a", 18000);
    assert_row(&harness, 1, 0, 1);
    feed(&harness, "a", 19000);
    assert_row(&harness, 4, 3, 1);
    feed(&harness, "a", 2500);
    assert_int_equal(harness.emitted_count[2], 1);
    harness_close(&harness);
}

/* What waits behind a gap that is too long begins a new history. */
static void a_gap_among_what_waits(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", max_empty: 5, warmup: 2");
    for (int second = 0; second < 10; second++)
        feed_second(&harness, second, 4);
    feed(&harness, "a", 50500);
    harness_watermark(&harness, 52000);
    assert_int_equal(harness.emitted_count[0], 10 + 5 + 2);
    assert_int_equal(field(&harness, "window_start").integer, 51000);
    assert_int_equal(member(&harness, "windows").integer, 0);
    harness_close(&harness);
}

static void a_restart_changes_nothing(void **state)
{
    MR_UNUSED(state);
    static char texts[2][65536];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, ", decay: 0.05, warmup: 5, lateness: 300ms");
        for (int second = 0; second < 60; second++) {
            feed_second(&harness, second, second * second % 17);
            if (turn == 1) {
                harness_commit(&harness);
                harness_restore(&harness);
            }
        }
        harness.in_parts = turn == 1;
        harness.crash_every = turn == 1 ? 2 : 0;
        harness_watermark(&harness, 90000);
        snprintf(texts[turn], sizeof(texts[turn]), "%s%s", harness_output(&harness, 0),
                 harness_output(&harness, 1));
        harness_close(&harness);
    }
    assert_string_equal(texts[0], texts[1]);
}

static void a_muted_key_tells_nothing(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_controlled(&harness, ", warmup: 5, learn: normal_only");
    for (int second = 0; second < 20; second++)
        feed_second(&harness, second, 20);
    order(&harness, "mute", 20000);
    save(&harness);
    feed_second(&harness, 20, 90);
    assert_text(member(&harness, "state"), "muted");
    assert_true(member(&harness, "score").number > 3);
    assert_false(member(&harness, "is_anomaly").boolean);
    assert_int_equal(harness.emitted_count[1], 0);
    order(&harness, "unmute", 21000);
    feed_second(&harness, 21, 300);
    assert_text(member(&harness, "state"), "armed");
    assert_int_equal(harness.emitted_count[1], 1);
    /* Up to the window whose last millisecond is there. */
    order_at(&harness, "a", "mute", 22000, INT64_MIN, mr_value_double(23999));
    feed_second(&harness, 22, 900);
    assert_text(member(&harness, "state"), "muted");
    feed_second(&harness, 23, 3000);
    assert_text(member(&harness, "state"), "armed");
    assert_int_equal(harness.emitted_count[1], 2);
    harness_close(&harness);
}

static void a_frozen_key_does_not_learn(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_controlled(&harness, ", warmup: 5");
    for (int second = 0; second < 11; second++)
        feed_second(&harness, second, 20);
    order(&harness, "freeze", 11000);
    save(&harness);
    feed_second(&harness, 11, 60);
    assert_true(member(&harness, "is_anomaly").boolean);
    feed_second(&harness, 12, 60);
    assert_int_equal(member(&harness, "windows").integer, 10);
    order(&harness, "unfreeze", 13000);
    feed_second(&harness, 13, 20);
    feed_second(&harness, 14, 20);
    assert_int_equal(member(&harness, "windows").integer, 11);
    assert_true(member(&harness, "expected").number == 20);
    harness_close(&harness);
}

/* The history is forgotten; what is counted makes a new first window. */
static void a_reset_key_starts_over(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_controlled(&harness, ", warmup: 5");
    for (int second = 0; second < 11; second++)
        feed_second(&harness, second, 20);
    feed(&harness, "a", 11100);
    order(&harness, "mute", 11100);
    order(&harness, "reset", 11200);
    save(&harness);
    feed(&harness, "a", 11300);
    harness_watermark(&harness, 12000);
    assert_row(&harness, 12, 11, 2);
    assert_text(member(&harness, "state"), "learning");
    assert_int_equal(member(&harness, "windows").integer, 0);
    order(&harness, "reset", 12100);
    harness_watermark(&harness, 20000);
    assert_int_equal(harness.emitted_count[0], 12);
    harness_close(&harness);
}

/* What an order's own watermark makes due is closed before it. */
static void orders_go_by_their_own_watermarks(void **state)
{
    MR_UNUSED(state);
    for (int way = 0; way < 2; way++) {
        struct harness harness;
        open_controlled(&harness, ", warmup: 5");
        for (int second = 0; second < 20; second++)
            feed_second(&harness, second, 20);
        for (int index = 0; index < 90; index++)
            feed(&harness, "a", 20000 + index);
        harness.row_watermarks = true;
        order_at(&harness, "a", "mute", 21500, 20999 + way, mr_value_null());
        harness_watermark(&harness, 21500);
        assert_row(&harness, 21, 20, 90);
        assert_text(member(&harness, "state"), way == 0 ? "muted" : "armed");
        assert_int_equal(harness.emitted_count[1], way);
        harness_close(&harness);
    }
}

/* A key may be muted before it comes; it has no windows, and is not kept for ever. */
static void a_key_is_named_before_it_comes(void **state)
{
    MR_UNUSED(state);
    for (int way = 0; way < 2; way++) {
        struct harness harness;
        open_controlled(&harness, ", max_empty: 10");
        order(&harness, "mute", 5500);
        order_at(&harness, "b", "freeze", 5500, INT64_MIN, mr_value_null());
        order_at(&harness, "b", "unfreeze", 5500, INT64_MIN, mr_value_null());
        save(&harness);
        harness_watermark(&harness, way == 0 ? 15999 : 16000);
        feed_second(&harness, 17, 3);
        assert_row(&harness, 1, 17, 3);
        assert_text(member(&harness, "state"), way == 0 ? "muted" : "learning");
        harness_close(&harness);
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *options;
        const char *finding;
    } given[] = {
        {"window: {session: 1s}", "say {tumbling: ...}"},
        {"window: {tumbling: 1s}, lateness: 13s", "at most 12 windows may wait"},
        {"warmup: 10", "window"},
        {"window: {tumbling: 1s}, direction: up", "direction"},
        {"window: {tumbling: 1s}, suppress: {count: 2}", "has one alert at most"},
    };
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    for (size_t index = 0; index < MR_ARRAY_COUNT(given); index++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "    - {name: op, type: detect.rate, from: in, key: [k], %s}\n",
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
    struct harness harness;
    open(&harness, ", warmup: 2");
    for (int second = 0; second < 6; second++)
        feed_second(&harness, second, 5 + second % 2);
    feed(&harness, "a", 6100);
    feed(&harness, "a", 8100);
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_rate_v1");
    harness_close(&harness);
    open(&harness, ", warmup: 2");
    harness_load_golden(&harness, "detect_rate_v1");
    feed(&harness, "a", 6200);
    harness_watermark(&harness, 7000);
    assert_row(&harness, 1, 6, 2);
    assert_int_equal(member(&harness, "windows").integer, 5);
    assert_true(fabs(member(&harness, "expected").number - 5.6) < 1e-12);
    harness_close(&harness);
}

/* Of a key that is frozen and muted, and one that is only named. */
static void stored_orders_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_controlled(&harness, ", warmup: 2");
    for (int second = 0; second < 6; second++)
        feed_second(&harness, second, 5 + second % 2);
    feed(&harness, "a", 6100);
    order_at(&harness, "a", "freeze", 6100, INT64_MIN, mr_value_double(6999));
    order(&harness, "mute", 6100);
    order_at(&harness, "b", "mute", 6100, INT64_MIN, mr_value_double(9000));
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_rate_control_v1");
    harness_close(&harness);
    open_controlled(&harness, ", warmup: 2");
    harness_load_golden(&harness, "detect_rate_control_v1");
    feed(&harness, "a", 6200);
    harness_watermark(&harness, 7000);
    assert_row(&harness, 1, 6, 2);
    assert_text(member(&harness, "state"), "muted");
    harness_close(&harness);
    /* Without `control` nobody could unmute it. */
    open(&harness, ", warmup: 2");
    harness_load_golden(&harness, "detect_rate_control_v1");
    harness_watermark(&harness, 7000);
    assert_row(&harness, 1, 6, 1);
    assert_text(member(&harness, "state"), "armed");
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_is_judged_by_those_before),
        cmocka_unit_test(empty_windows_count_as_0),
        cmocka_unit_test(directions),
        cmocka_unit_test(what_is_learned),
        cmocka_unit_test(late_records),
        cmocka_unit_test(rows_go_by_their_own_watermarks),
        cmocka_unit_test(too_many_windows_wait),
        cmocka_unit_test(a_gap_among_what_waits),
        cmocka_unit_test(a_restart_changes_nothing),
        cmocka_unit_test(a_muted_key_tells_nothing),
        cmocka_unit_test(a_frozen_key_does_not_learn),
        cmocka_unit_test(a_reset_key_starts_over),
        cmocka_unit_test(orders_go_by_their_own_watermarks),
        cmocka_unit_test(a_key_is_named_before_it_comes),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(stored_orders_stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
