/* tests/unit/operators/test_quality_report.c — results and alerts of units: every check by its
 * name, the numbers that were compared, the places of those that violate. */
#include "operators/quality_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static void open_checkpoint(struct harness *harness, const char *options)
{
    char text[1024];
    snprintf(text, sizeof(text), "    - {name: op, type: quality.checkpoint, from: in, %s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n"
                 "    - {name: results, type: memory, from: op.results}\n",
                 "op");
    harness->keeps_last = true;
}

static struct mr_value member(struct mr_value map, const char *name)
{
    for (uint32_t index = 0; index < map.size; index++)
        if (mr_slice_equal(mr_value_text(map.entries[index].key), mr_slice_text(name)))
            return map.entries[index].value;
    fail_msg("no %s", name);
    return mr_value_null();
}

static void a_result_names_every_check(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_checkpoint(&harness,
                    "key: [k], window: {tumbling: 10ms}, checks: [{name: a, field: value, expect: "
                    "between, max: 4, mostly: 0.8, severity: critical}, {name: b, field: value, "
                    "expect: mean_between, max: 3}, {name: c, expect: row_count_between, max: 9}]");
    for (uint32_t index = 0; index < 4; index++) {
        struct harness_row row = harness_row(10 + index, "k1", mr_value_double(index + 2));
        row.event_time_ms = 100 + index;
        harness_feed(&harness, 0, &row, 1);
    }
    assert_int_equal(harness.emitted_count[3], 0);
    harness_watermark(&harness, 109);
    assert_int_equal(harness.emitted_count[3], 0);
    harness_watermark(&harness, 110);
    assert_int_equal(harness.emitted_count[3], 1);
    assert_int_equal(harness.emitted_count[1], 4);
    assert_text(harness_field(&harness, 3, "key"), "k1");
    assert_int_equal(harness_field(&harness, 3, "window_start").integer, 100);
    assert_int_equal(harness_field(&harness, 3, "window_end").integer, 110);
    assert_int_equal(harness_field(&harness, 3, "records").integer, 4);
    assert_false(harness_field(&harness, 3, "passed").boolean);
    assert_text(harness_field(&harness, 3, "severity"), "critical");
    assert_int_equal(harness_field(&harness, 3, "failed").size, 2);
    struct mr_value checks = harness_field(&harness, 3, "checks");
    assert_int_equal(checks.size, 3);
    assert_text(member(checks.items[0], "name"), "a");
    assert_text(member(checks.items[0], "expect"), "between");
    assert_true(member(checks.items[0], "observed").number == 0.75);
    assert_int_equal(member(checks.items[0], "violated").integer, 1);
    struct mr_value offenders = member(checks.items[0], "offenders");
    assert_int_equal(offenders.size, 1);
    assert_int_equal(member(offenders.items[0], "offset").integer, 13);
    assert_true(member(checks.items[1], "observed").number == 3.5);
    assert_false(member(checks.items[1], "passed").boolean);
    assert_true(member(checks.items[2], "passed").boolean);
    assert_true(member(checks.items[2], "observed").number == 4);
    harness_close(&harness);
}

static void an_alert_has_what_was_compared(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_checkpoint(&harness, "key: [k], window: {count: 2}, checks: [{name: b, field: value, "
                              "expect: mean_between, min: 5, max: 6, severity: info}]");
    struct harness_row rows[2] = {harness_row(0, "x", mr_value_double(1)),
                                  harness_row(1, "x", mr_value_double(3))};
    harness_feed(&harness, 0, rows, 2);
    assert_int_equal(harness.emitted_count[2], 1);
    assert_true(harness_field(&harness, 2, "metric_value").number == 2);
    assert_true(harness_field(&harness, 2, "threshold").number == 5);
    assert_text(harness_field(&harness, 2, "severity"), "info");
    assert_text(harness_field(&harness, 2, "message"),
                "b: the mean of value is 2, where from 5 to 6 is expected");
    assert_int_equal(harness_field(&harness, 2, "source").kind, MR_KIND_NULL);
    assert_text(harness_field(&harness, 2, "key"), "x");
    harness_close(&harness);
}

static void single_records_have_results_too(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_checkpoint(&harness, "checks: [{name: b, field: value, expect: between, min: 5}]");
    struct harness_row row = harness_row(3, "x", mr_value_double(1));
    harness_feed(&harness, 0, &row, 1);
    assert_int_equal(harness.emitted_count[3], 1);
    assert_int_equal(harness.emitted_count[2], 1);
    assert_int_equal(harness_field(&harness, 3, "records").integer, 1);
    assert_int_equal(harness_field(&harness, 3, "key").kind, MR_KIND_NULL);
    struct mr_value checks = harness_field(&harness, 3, "checks");
    struct mr_value offenders = member(checks.items[0], "offenders");
    assert_int_equal(member(offenders.items[0], "offset").integer, 3);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_names_every_check),
        cmocka_unit_test(an_alert_has_what_was_compared),
        cmocka_unit_test(single_records_have_results_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
