/* tests/unit/operators/test_detect_threshold.c — detect.threshold: fixed limits. */
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
             "    - {name: op, type: detect.threshold, from: in, field: value%s}\n", options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static void feed(struct harness *harness, double value)
{
    static int64_t offset;
    struct harness_row row = harness_row(++offset, "a", mr_value_double(value));
    harness_feed(harness, 0, &row, 1);
}

static double member(const struct harness *harness, const char *name)
{
    return harness_member(harness, name).number;
}

static bool refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.threshold, from: in, field: value, %s}\n", options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory}\n", text,
                                            "    - {name: out, type: memory, from: op}\n");
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static void limits_are_not_anomalies_and_what_is_beyond_is(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", above: 10, below: -2, severity: critical");
    feed(&harness, 10);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    assert_true(member(&harness, "score") == 0);
    assert_true(member(&harness, "limit") == 10);
    assert_text(harness_member(&harness, "side"), "");
    assert_text(harness_member(&harness, "severity"), "info");
    assert_text(harness_member(&harness, "reason"), "");
    feed(&harness, 12.5);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_true(member(&harness, "score") == 2.5);
    assert_text(harness_member(&harness, "side"), "above");
    assert_text(harness_member(&harness, "severity"), "critical");
    assert_text(harness_member(&harness, "reason"), "value is 12.5, above the limit 10");
    feed(&harness, -3);
    assert_true(member(&harness, "limit") == -2);
    assert_text(harness_member(&harness, "side"), "below");
    /* The alert tells the number and the limit. */
    assert_true(harness_field(&harness, 1, "metric_value").number == -3);
    assert_true(harness_field(&harness, 1, "threshold").number == -2);
    assert_int_equal(harness.emitted_count[1], 2);
    harness_close(&harness);
}

static void one_limit_is_enough(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", below: 0");
    feed(&harness, 1e308);
    assert_true(member(&harness, "limit") == 0);
    feed(&harness, -5e-324);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_true(member(&harness, "score") > 0);
    harness_close(&harness);
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("severity: info", "needs `above`, `below` or both"));
    assert_true(refused("above: 1, below: 2", "must not exceed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_not_anomalies_and_what_is_beyond_is),
        cmocka_unit_test(one_limit_is_enough),
        cmocka_unit_test(options_are_checked_across),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
