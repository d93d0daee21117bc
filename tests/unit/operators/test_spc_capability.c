/* tests/unit/operators/test_spc_capability.c — studies by count, field and window, running ones,
 * what sigma within comes from, restarts, stored bytes, options. script/detectors --check compares
 * whole series with numpy and scipy. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static int64_t offset;

static void open(struct harness *harness, const char *options)
{
    char text[512];
    offset = 0;
    snprintf(text, sizeof(text),
             "    - {name: op, type: spc.capability, from: in, key: [k], field: value, %s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static void feed(struct harness *harness, double value)
{
    struct harness_row row = harness_row(++offset, "a", mr_value_double(value));
    row.event_time_ms = 1000 * offset;
    harness_feed(harness, 0, &row, 1);
}

static double number(const struct harness *harness, const char *name)
{
    return harness_field(harness, 0, name).number;
}

static void near(const struct harness *harness, const char *name, double expected)
{
    if (!(fabs(number(harness, name) - expected) <= 1e-9 * (1 + fabs(expected))))
        fail_msg("%s is %.17g, not %.17g", name, number(harness, name), expected);
}

/* 10, 12, 11, 13, 12, 14: mean 12, moving ranges 2 1 2 1 2. Over restarts. */
static void moving_ranges(void **state)
{
    MR_UNUSED(state);
    static const double values[] = {10, 12, 11, 13, 12, 14};
    const double d2 = 2 / sqrt(acos(-1));
    struct harness harness;
    open(&harness, "subgroup: {count: 6}, lsl: 8, usl: 13.5, target: 11");
    for (int round = 0; round < 12; round++) {
        assert_int_equal(harness.emitted_count[0], round / 6);
        feed(&harness, values[round % 6]);
        harness_commit(&harness);
        harness_restore(&harness);
    }
    assert_int_equal(harness_field(&harness, 0, "point").integer, 2);
    assert_int_equal(harness_field(&harness, 0, "size").integer, 6);
    assert_int_equal(harness_field(&harness, 0, "window_start").integer, 7000);
    near(&harness, "mean", 12);
    near(&harness, "sigma_within", 1.6 / d2);
    near(&harness, "sigma_overall", sqrt(2));
    near(&harness, "cp", 5.5 / (6 * 1.6 / d2));
    near(&harness, "cpk", 1.5 / (3 * 1.6 / d2));
    near(&harness, "value", number(&harness, "cpk"));
    near(&harness, "cpm", 5.5 / (6 * sqrt(3)));
    near(&harness, "ppm_observed", 1e6 / 6);
    near(&harness, "score", 1.33 - number(&harness, "cpk"));
    assert_true(number(&harness, "threshold") == 0);
    assert_text(harness_field(&harness, 0, "rating"), "inadequate");
    assert_text(harness_field(&harness, 0, "severity"), "critical");
    assert_text(harness_field(&harness, 0, "rules").items[0].entries[0].value, "minimum");
    assert_int_equal(harness.emitted_count[1], 2);
    assert_non_null(strstr(harness_output(&harness, 1), "the cpk of value is"));
    harness_close(&harness);
}

/* Groups of three in a row: 1 2 3, 5 5 8, and one left over. */
static void ranges_and_deviations(void **state)
{
    MR_UNUSED(state);
    static const double values[] = {1, 2, 3, 5, 5, 8, 100};
    static const char *const withins[] = {"range", "deviation"};
    for (int within = 0; within < 2; within++) {
        struct harness harness;
        char options[256];
        snprintf(options, sizeof(options),
                 "subgroup: {count: 7}, usl: 200, within: %s, within_size: 3, index: ppk, "
                 "minimum: 0.9",
                 withins[within]);
        open(&harness, options);
        for (size_t round = 0; round < MR_ARRAY_COUNT(values); round++)
            feed(&harness, values[round]);
        near(&harness, "sigma_within",
             within == 0 ? 2.5 / 1.6925687506432689 : (1 + sqrt(3)) / 2 / 0.8862269254527579);
        near(&harness, "value", number(&harness, "ppk"));
        assert_int_equal(harness_field(&harness, 0, "cp").kind, MR_KIND_NULL);
        assert_int_equal(harness_field(&harness, 0, "ppl").kind, MR_KIND_NULL);
        assert_int_equal(harness_field(&harness, 0, "cpm").kind, MR_KIND_NULL);
        assert_false(harness_field(&harness, 0, "is_anomaly").boolean);
        harness_close(&harness);
    }
}

/* A running study tells all since the begin; the others begin anew. */
static void running(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "subgroup: {count: 3}, running: true, lsl: 0");
    for (int round = 1; round <= 9; round++) {
        feed(&harness, round);
        harness_commit(&harness);
        harness_restore(&harness);
        if (round % 3 != 0)
            continue;
        assert_int_equal(harness_field(&harness, 0, "size").integer, round);
        assert_int_equal(harness_field(&harness, 0, "window_start").integer, 1000);
        near(&harness, "mean", (round + 1) / 2.0);
        near(&harness, "sigma_within", sqrt(acos(-1)) / 2);
    }
    assert_int_equal(harness.emitted_count[0], 3);
    harness_close(&harness);
}

static void few_and_constant_values(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "subgroup: {window: 4s}, lsl: 0, usl: 10, within: range, within_size: 3");
    static const double values[] = {5, 5, 5, 4, 7, 11, 11, 11, 11, -0.0};
    for (size_t round = 0; round < MR_ARRAY_COUNT(values); round++)
        feed(&harness, values[round]); /* at 1 s to 10 s */
    harness_watermark(&harness, 4000);
    assert_text(harness_field(&harness, 0, "rating"), "excellent"); /* 5 5 5 */
    assert_true(number(&harness, "cpk") == 1e9);
    harness_watermark(&harness, 8000);
    assert_int_equal(harness_field(&harness, 0, "size").integer, 4); /* 4 7 11 11 */
    assert_true(number(&harness, "cpk") < 1);
    harness_watermark(&harness, 12000);
    assert_int_equal(harness_field(&harness, 0, "size").integer, 3); /* 11 11 0 */
    near(&harness, "ppm_observed", 2e6 / 3);
    feed(&harness, 3); /* at 11 s: late */
    offset = 12;
    feed(&harness, 3);
    harness_watermark(&harness, 16000);
    assert_text(harness_field(&harness, 0, "state"), "starved");
    assert_int_equal(harness_field(&harness, 0, "rating").kind, MR_KIND_NULL);
    offset = 17;
    feed(&harness, 3);
    feed(&harness, 4);
    harness_watermark(&harness, 20000);
    assert_text(harness_field(&harness, 0, "rating"), "unknown"); /* no three in a row */
    assert_int_equal(harness_field(&harness, 0, "cpk").kind, MR_KIND_NULL);
    assert_false(harness_field(&harness, 0, "is_anomaly").boolean);
    assert_true(number(&harness, "ppk") > 1);
    harness_close(&harness);
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    const char *options = "subgroup: {count: 20}, usl: 3, within: deviation, within_size: 4";
    open(&harness, options);
    for (int round = 0; round < 26; round++)
        feed(&harness, round % 5);
    harness_commit(&harness);
    harness_check_golden(&harness, "spc_capability_v1");
    harness_close(&harness);
    open(&harness, options);
    harness_load_golden(&harness, "spc_capability_v1");
    for (int round = 26; round < 40; round++)
        feed(&harness, round % 5);
    assert_int_equal(harness_field(&harness, 0, "point").integer, 2);
    near(&harness, "mean", 2);
    near(&harness, "ppm_observed", 2e5);
    harness_close(&harness);
}

static void refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text),
             "    - {name: op, type: spc.capability, from: in, key: [k], field: value, %s}\n",
             options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    if (strstr(findings, sentence) == NULL)
        fail_msg("%s: found instead: %s", options, findings);
    mr_arena_deinit(&arena);
}

static void options_that_exclude_each_other(void **state)
{
    MR_UNUSED(state);
    refused("subgroup: {count: 5}", "give `lsl`, `usl` or both");
    refused("subgroup: {count: 5}, lsl: 3, usl: 3", "`lsl` (3) must be below `usl` (3)");
    refused("subgroup: {count: 5}, lsl: 3, target: 2", "`target` (2) must be within the limits");
    refused("subgroup: {window: 5s}, lsl: 3, running: true", "`running` takes `subgroup: {count}`");
    refused("subgroup: {count: 5}, lsl: 3, within_size: 4", "`within_size` is of `within: range`");
    refused("subgroup: {count: 5, field: a}, lsl: 3", "takes one of `count`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moving_ranges),
        cmocka_unit_test(ranges_and_deviations),
        cmocka_unit_test(running),
        cmocka_unit_test(few_and_constant_values),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(options_that_exclude_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
