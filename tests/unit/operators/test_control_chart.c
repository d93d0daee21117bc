/* tests/unit/operators/test_control_chart.c — what all charts do: subgroups, phases, odd input,
 * control records, state over restarts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: spc.xbar_s, from: in, control: in2, key: [k], field: value, "
             "%s}\n",
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
}

static int64_t clock_ms = 1000;

static void feed_at(struct harness *harness, int64_t time_ms, double value)
{
    struct harness_row row = harness_row(++clock_ms, "a", mr_value_double(value));
    row.event_time_ms = time_ms;
    harness_feed(harness, 0, &row, 1);
}

static void feed(struct harness *harness, double first, double second)
{
    feed_at(harness, clock_ms, first);
    feed_at(harness, clock_ms, second);
}

static double number(const struct harness *harness, const char *name)
{
    return harness_field(harness, 0, name).number;
}

static void order(struct harness *harness, const char *action)
{
    struct harness_row row = {
        .offset = ++clock_ms,
        .event_time_ms = clock_ms,
        .cells = {{"key", mr_value_string(mr_slice_text("a"))},
                  {"action", mr_value_string(mr_slice_text(action))},
                  {"operator", mr_value_null()},
                  {"until", mr_value_null()}},
    };
    harness_feed(harness, 1, &row, 1);
}

static void save(struct harness *harness)
{
    harness_commit(harness);
    harness_restore(harness);
}

static void two_phases_over_restarts(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "subgroup: {count: 2}, phase1: {subgroups: 40}");
    for (int round = 0; round < 40; round++) {
        feed_at(&harness, ++clock_ms, 9 + round % 2);
        save(&harness);
        feed_at(&harness, ++clock_ms, 11 + round % 2);
        assert_int_equal(harness_field(&harness, 0, "point").integer, round + 1);
        assert_text(harness_field(&harness, 0, "state"), "learning");
        assert_int_equal(harness_field(&harness, 0, "upper").kind, MR_KIND_NULL);
        save(&harness);
    }
    feed(&harness, 10, 12);
    assert_text(harness_field(&harness, 0, "state"), "armed");
    /* s is sqrt(2) each time, c4(2) sqrt(2 / pi): sigma is sqrt(pi), its standard error
     * sqrt(pi / 2). */
    assert_true(fabs(number(&harness, "center") - 10.5) < 1e-12);
    assert_true(fabs(number(&harness, "upper") - (10.5 + 3 * 1.2533141373155003)) < 1e-9);
    assert_int_equal(harness_field(&harness, 0, "point").integer, 41);
    feed(&harness, 15, 17);
    assert_true(harness_field(&harness, 0, "is_anomaly").boolean);
    harness_close(&harness);
}

static void windows_close_by_the_watermark(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "subgroup: {window: 100ms}, limits: {cl: 0, sigma: 1}");
    feed_at(&harness, 130, 4);
    feed_at(&harness, 20, 1);
    feed_at(&harness, 99, 3);
    feed_at(&harness, 100, 6);
    feed_at(&harness, 450, 1);
    save(&harness);
    assert_int_equal(harness.emitted_count[0], 0);
    harness_watermark(&harness, 99);
    assert_int_equal(harness.emitted_count[0], 0);
    harness_watermark(&harness, 100);
    assert_int_equal(harness.emitted_count[0], 1);
    assert_int_equal(harness_field(&harness, 0, "window_start").integer, 0);
    assert_int_equal(harness_field(&harness, 0, "window_end").integer, 100);
    assert_int_equal(harness_field(&harness, 0, "size").integer, 2);
    assert_true(number(&harness, "value") == 2);
    feed_at(&harness, 50, 1);
    assert_int_equal(harness.emitted_count[2], 1);
    assert_int_equal(harness.late_count, 1);
    feed_at(&harness, 199, 5);
    harness_watermark(&harness, 1000);
    /* 100 to 200, then one record of 400 to 500, that makes no point; nothing of the empty ones. */
    assert_int_equal(harness.emitted_count[0], 3);
    assert_text(harness_field(&harness, 0, "state"), "starved");
    assert_int_equal(harness_field(&harness, 0, "point").kind, MR_KIND_NULL);
    assert_int_equal(harness_field(&harness, 0, "value").kind, MR_KIND_NULL);
    assert_int_equal(harness.emitted_count[1], 1);
    harness_close(&harness);
}

static void odd_records_are_in_no_subgroup(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "subgroup: {count: 2}, limits: {cl: 0, sigma: 1}");
    feed_at(&harness, ++clock_ms, 1);
    feed_at(&harness, ++clock_ms, (double)NAN);
    feed_at(&harness, ++clock_ms, (double)INFINITY);
    feed_at(&harness, ++clock_ms, 1e200);
    assert_int_equal(harness.errors_count, 3);
    assert_int_equal(harness.emitted_count[0], 0);
    feed_at(&harness, ++clock_ms, -1);
    assert_int_equal(harness.emitted_count[0], 1);
    assert_true(number(&harness, "value") == 0);
    harness_close(&harness);
}

static void control_records(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "subgroup: {count: 2}, phase1: {subgroups: 2}, baseline: cumulative, "
                   "learn: always");
    order(&harness, "freeze");
    for (int round = 0; round < 5; round++)
        feed(&harness, 500, 900);
    assert_text(harness_field(&harness, 0, "state"), "learning");
    order(&harness, "unfreeze");
    feed(&harness, 9, 11);
    feed(&harness, 9, 11);
    feed(&harness, 9, 11);
    assert_true(number(&harness, "center") == 10);
    order(&harness, "freeze");
    order(&harness, "mute");
    save(&harness);
    feed(&harness, 90, 91);
    assert_text(harness_field(&harness, 0, "state"), "muted");
    assert_false(harness_field(&harness, 0, "is_anomaly").boolean);
    assert_int_equal(harness.emitted_count[1], 0);
    order(&harness, "unmute");
    feed(&harness, 90, 91);
    assert_true(harness_field(&harness, 0, "is_anomaly").boolean);
    assert_true(number(&harness, "center") == 10);
    order(&harness, "unfreeze");
    feed(&harness, 90, 91);
    feed(&harness, 90, 91);
    assert_true(number(&harness, "center") > 11);
    order(&harness, "reset");
    feed(&harness, 1, 2);
    assert_int_equal(harness_field(&harness, 0, "point").integer, 1);
    assert_text(harness_field(&harness, 0, "state"), "learning");
    harness_close(&harness);
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    const char *options = "subgroup: {count: 3}, phase1: {subgroups: 4}, rules: [nelson]";
    clock_ms = 1000;
    open(&harness, options);
    for (int round = 0; round < 20; round++)
        feed_at(&harness, 1000 + round, round % 4);
    harness_commit(&harness);
    harness_check_golden(&harness, "control_chart_v1");
    harness_close(&harness);
    open(&harness, options);
    harness_load_golden(&harness, "control_chart_v1");
    feed_at(&harness, 1020, 0);
    assert_int_equal(harness_field(&harness, 0, "point").integer, 7);
    assert_int_equal(harness_field(&harness, 0, "window_start").integer, 1018);
    assert_text(harness_field(&harness, 0, "state"), "armed");
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_phases_over_restarts),
        cmocka_unit_test(windows_close_by_the_watermark),
        cmocka_unit_test(odd_records_are_in_no_subgroup),
        cmocka_unit_test(control_records),
        cmocka_unit_test(stored_bytes_stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
