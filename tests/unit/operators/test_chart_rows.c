/* tests/unit/operators/test_chart_rows.c — records of subgroups and their alerts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/detector.h"
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

/* More subgroups of one batch of records than the first batch of results holds. */
static void many_subgroups_of_one_call(void **state)
{
    MR_UNUSED(state);
    enum { ROWS = 3000 };
    static struct harness_row rows[ROWS];
    struct harness harness;
    open(&harness, "subgroup: {count: 2}, limits: {cl: 0, sigma: 1}");
    for (int index = 0; index < ROWS; index++)
        rows[index] = harness_row(index, index % 4 < 2 ? "a" : "b", mr_value_double(index % 200));
    harness_feed(&harness, 0, rows, ROWS);
    assert_int_equal(harness.emitted_count[0], ROWS / 2);
    assert_int_equal(harness_field(&harness, 0, "point").integer, ROWS / 4);
    assert_int_equal(harness.judged_counts[MR_DETECTOR_ARMED], ROWS / 2);
    /* Means of 2.5 and more, at intervals of 2: all but the first two of a hundred. */
    assert_int_equal(harness.emitted_count[1], ROWS / 2 - ROWS / 200);
    harness_close(&harness);
}

static void an_alert(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "subgroup: {count: 2}, limits: {cl: 10, sigma: 1}, rules: [western_electric]");
    feed(&harness, 9, 20);
    assert_int_equal(harness.emitted_count[1], 1);
    assert_text(harness_field(&harness, 1, "key"), "a");
    assert_text(harness_field(&harness, 1, "severity"), "critical");
    assert_text(harness_field(&harness, 1, "detector"), "spc.xbar_s");
    assert_int_equal(harness_field(&harness, 1, "record").kind, MR_KIND_NULL);
    assert_true(harness_field(&harness, 1, "metric_value").number == 14.5);
    assert_text(harness_field(&harness, 1, "message"),
                "point 1: the mean of value is 14.5, above the upper limit; the limits are "
                "7.878679656 to 12.12132034; its standard deviation is 7.778174593, the limits are "
                "0 to 2.606315386");
    assert_int_equal(harness_field(&harness, 0, "window_end").integer,
                     harness_field(&harness, 1, "event_time").integer + 1);
    /* Only the spread: the alert is about that. */
    feed(&harness, 5, 15);
    assert_true(fabs(harness_field(&harness, 1, "metric_value").number - 7.0710678) < 1e-6);
    assert_true(fabs(harness_field(&harness, 1, "threshold").number - 2.606315386) < 1e-6);
    for (int round = 0; round < 8; round++)
        feed(&harness, 10.5, 10.6);
    assert_text(harness_field(&harness, 1, "severity"), "warning");
    assert_non_null(strstr(harness_output(&harness, 1), "8 points in a row on one side (we4)"));
    assert_true(number(&harness, "score") < 1);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_subgroups_of_one_call),
        cmocka_unit_test(an_alert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
