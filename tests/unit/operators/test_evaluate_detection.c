/* tests/unit/operators/test_evaluate_detection.c — windows and running results, alerts that flag
 * records in whatever order both come, late ones, a full wait, restarts and the stored bytes. The
 * rules themselves: test_evaluation.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

enum { OUTPUT_MAIN, OUTPUT_KINDS, OUTPUT_EPISODES, OUTPUT_LATE };

static const char tail[] =
    "    - {name: main, type: filter, from: op, where: 'has(record.records)'}\n"
    "    - {name: kinds, type: filter, from: op.kinds, where: 'has(record.records)'}\n"
    "    - {name: episodes, type: filter, from: op.episodes, where: 'has(record.records)'}\n"
    "    - {name: late, type: filter, from: op.late, where: 'has(record.truth)'}\n";

static struct harness harness;
static int64_t next_offset;

static void start(const char *options)
{
    char text[1200];
    snprintf(text, sizeof(text),
             "    - {name: op, type: evaluate.detection, from: in, is_anomaly: truth, label: kind, "
             "anomaly_id: id, %s}\n%s",
             options, tail);
    harness_open(&harness, text, "", "op");
    harness.keeps_last = true;
    next_offset = 0;
}

static struct harness_row row_of(int64_t time_ms, const char *key, const char *id, bool flagged)
{
    return (struct harness_row){
        .offset = next_offset++,
        .event_time_ms = time_ms,
        .cells = {
            {"k", mr_value_string(mr_slice_text(key))},
            {"truth", mr_value_bool(id != NULL)},
            {"kind", id == NULL ? mr_value_null() : mr_value_string(mr_slice_text("spike"))},
            {"id", id == NULL ? mr_value_null() : mr_value_string(mr_slice_text(id))},
            {"found", mr_value_bool(flagged)},
        }};
}

static void feed(int64_t time_ms, const char *key, const char *id, bool flagged)
{
    struct harness_row row = row_of(time_ms, key, id, flagged);
    harness_feed(&harness, 0, &row, 1);
}

static void feed_alert(int64_t time_ms, const char *key, const char *state)
{
    const struct harness_row row = {.offset = next_offset++,
                                    .event_time_ms = time_ms,
                                    .cells = {{"key", mr_value_string(mr_slice_text(key))},
                                              {"state", mr_value_string(mr_slice_text(state))}}};
    harness_feed(&harness, 1, &row, 1);
}

static void expect_count(const char *field, int64_t count)
{
    struct mr_value value = harness_field(&harness, OUTPUT_MAIN, field);
    assert_int_equal(value.kind, MR_KIND_INT);
    assert_int_equal(value.integer, count);
}

static void expect_number(const char *field, double number)
{
    struct mr_value value = harness_field(&harness, OUTPUT_MAIN, field);
    assert_int_equal(value.kind, MR_KIND_DOUBLE);
    assert_true(value.number == number);
}

static void a_window_is_told_when_it_is_over(void **state)
{
    MR_UNUSED(state);
    start("key: [k], detection: found, window: {tumbling: 1s}, close_after: 100ms");
    feed(500, "a", NULL, false);
    feed(100, "a", "x", true); /* they are judged in the order of their times */
    feed(600, "a", NULL, true);
    feed(950, "a", "y", false);
    harness_watermark(&harness, 999);
    assert_int_equal(harness.emitted_count[OUTPUT_MAIN], 0);
    assert_int_equal(harness.emitted_count[OUTPUT_EPISODES], 1);
    harness_watermark(&harness, 1000);
    assert_int_equal(harness.emitted_count[OUTPUT_MAIN], 1);
    expect_count("window_start", 0);
    expect_count("window_end", 1000);
    expect_count("records", 4);
    expect_count("true_positives", 1);
    expect_count("false_positives", 1);
    expect_count("false_negatives", 1);
    expect_count("true_negatives", 1);
    expect_count("episodes", 1); /* y is not over */
    expect_count("time_to_detect_max", 0);
    expect_number("precision", 0.5);
    expect_number("recall", 0.5);
    expect_number("episode_recall", 1);
    expect_number("false_alarms_per_hour", 3600e3 / 850);
    harness_watermark(&harness, 5000); /* y is over at 1051: in the window behind */
    assert_int_equal(harness.emitted_count[OUTPUT_MAIN], 2);
    expect_count("window_start", 1000);
    expect_count("records", 0);
    expect_count("episodes", 1);
    expect_count("episodes_missed", 1);
    assert_int_equal(harness_field(&harness, OUTPUT_MAIN, "precision").kind, MR_KIND_NULL);
    assert_int_equal(harness_field(&harness, OUTPUT_MAIN, "time_to_detect_mean").kind,
                     MR_KIND_NULL);
    harness_close(&harness);
}

static void running_results_are_told_when_something_has_come(void **state)
{
    MR_UNUSED(state);
    start("key: [], series: [k], detection: found, window: {tumbling: 1s}, running: true, "
          "close_after: 0s");
    feed(100, "a", "x", true);
    feed(100, "b", NULL, true); /* another series: not in reach of x */
    feed(200, "a", NULL, false);
    harness_watermark(&harness, 2500);
    assert_int_equal(harness.emitted_count[OUTPUT_MAIN], 1);
    expect_count("false_positives", 1);
    harness_watermark(&harness, 9000);
    assert_int_equal(harness.emitted_count[OUTPUT_MAIN], 1);
    harness_commit(&harness);
    harness_restore(&harness);
    feed(9500, "a", NULL, false);
    harness_watermark(&harness, 10000);
    assert_int_equal(harness.emitted_count[OUTPUT_MAIN], 2);
    expect_count("window_start", 0);
    expect_count("window_end", 10000);
    expect_count("records", 4);
    expect_count("episodes_found", 1);
    harness_close(&harness);
}

static void start_with_alerts(const char *options)
{
    char text[1200];
    snprintf(text, sizeof(text),
             "    - {name: op, type: evaluate.detection, from: in, alerts: in2, is_anomaly: truth, "
             "label: kind, anomaly_id: id, %s}\n%s",
             options, tail);
    harness_open(&harness, text, "", "op");
    harness.keeps_last = true;
    next_offset = 0;
}

static void alerts_and_records_may_come_in_any_order(void **state)
{
    MR_UNUSED(state);
    for (int turn = 0; turn < 2; turn++) {
        start_with_alerts("key: [k], window: {tumbling: 1s}, tolerance: 10ms, close_after: 0s");
        for (int part = 0; part < 2; part++) {
            if (part != turn) {
                feed(100, "a", "x", false);
                feed(100, "b", NULL, false);
                feed(300, "a", NULL, false);
                continue;
            }
            feed_alert(100, "a", "open");
            feed_alert(108, "a", "update");
            feed_alert(120, "a", "resolved");
            feed_alert(300, "a", "open");
            feed_alert(500, "c", "open"); /* of a key without records */
        }
        harness_watermark(&harness, 1000);
        assert_int_equal(harness.emitted_count[OUTPUT_MAIN], 3);
        assert_non_null(strstr(harness_output(&harness, OUTPUT_MAIN), "c"));
        assert_int_equal(harness.emitted_count[OUTPUT_EPISODES], 1);
        assert_int_equal(harness_field(&harness, OUTPUT_EPISODES, "flagged").integer, 1);
        assert_true(harness_field(&harness, OUTPUT_EPISODES, "found").boolean);
        assert_int_equal(harness.errors_count, 0);
        harness_close(&harness);
    }
}

static void an_alert_is_of_the_series_that_its_key_names(void **state)
{
    MR_UNUSED(state);
    start_with_alerts("key: [], series: [k], window: {tumbling: 1s}");
    feed(100, "a", "x", false);
    feed(100, "b", "x", false);
    feed_alert(100, "b", "open");
    feed_alert(200, "", "open"); /* reported: it names no series */
    feed_alert(200, "a", "closed");
    assert_int_equal(harness.errors_count, 2);
    harness_watermark(&harness, 10000000);
    expect_count("episodes", 2);
    expect_count("episodes_found", 1);
    assert_int_equal(harness.emitted_count[OUTPUT_EPISODES], 2);
    assert_text(harness_field(&harness, OUTPUT_EPISODES, "series"), "b");
    assert_text(harness_field(&harness, OUTPUT_EPISODES, "anomaly_id"), "x");
    harness_close(&harness);
}

static void what_is_late_is_not_judged(void **state)
{
    MR_UNUSED(state);
    start_with_alerts("key: [k], window: {tumbling: 1s}");
    feed(500, "a", NULL, false);
    harness_watermark(&harness, 501);
    feed(500, "a", "x", false);
    feed_alert(400, "a", "open");
    assert_int_equal(harness.late_count, 2);
    assert_string_equal(harness_offsets(&harness, OUTPUT_LATE), "1");
    harness_watermark(&harness, 1000);
    expect_count("records", 1);
    expect_count("false_positives", 0);
    harness_close(&harness);
}

static void with_too_many_that_wait_the_earliest_is_judged(void **state)
{
    MR_UNUSED(state);
    start("key: [k], detection: found, window: {tumbling: 1s}, max_waiting: 2");
    feed(900, "a", NULL, false);
    feed(2500, "a", NULL, false);
    feed(3500, "a", NULL, false);
    assert_int_equal(harness.emitted_count[OUTPUT_MAIN], 0);
    feed(3600, "a", NULL, true); /* 2500 is judged: the window before is over */
    assert_int_equal(harness.emitted_count[OUTPUT_MAIN], 1);
    expect_count("window_end", 1000);
    feed(2499, "a", NULL, true);
    assert_int_equal(harness.late_count, 1);
    harness_watermark(&harness, 4000);
    assert_int_equal(harness.emitted_count[OUTPUT_MAIN], 3);
    expect_count("false_alarms", 1);
    harness_close(&harness);
}

static void what_is_forgotten_is_not_waited_for(void **state)
{
    MR_UNUSED(state);
    start("key: [k], detection: found, window: {tumbling: 1s}, close_after: 0s, max_waiting: 1, "
          "state: {max_keys: 1}");
    feed(100, "a", "x", true);
    feed(5100, "b", "y", true);
    feed(5200, "c", "z", true); /* b's counts take the place of a's, whose window is told */
    feed(5300, "d", "w", true);
    harness_watermark(&harness, 5250);
    assert_int_equal(harness.emitted_count[OUTPUT_MAIN], 1);
    harness_watermark(&harness, 7000);
    assert_int_equal(harness.emitted_count[OUTPUT_MAIN], 2); /* of d alone */
    expect_count("window_start", 5000);
    harness_close(&harness);
}

static void stored_state_is_read_back(void **state)
{
    MR_UNUSED(state);
    start("key: [k], detection: found, window: {tumbling: 1s}, running: true, tolerance: 50ms");
    feed(100, "a", "x", false);
    feed(120, "a", NULL, true);
    feed(150, "a", "y", true);
    feed(300, "b", NULL, true);
    feed(700, "a", NULL, false); /* waits */
    harness_watermark(&harness, 400);
    harness_commit(&harness);
    harness_check_golden(&harness, "evaluate_detection_v1");
    harness_close(&harness);
    start("key: [k], detection: found, window: {tumbling: 1s}, running: true, tolerance: 50ms");
    harness_load_golden(&harness, "evaluate_detection_v1");
    harness_watermark(&harness, 1000);
    assert_int_equal(harness.emitted_count[OUTPUT_MAIN], 2);
    assert_int_equal(harness.emitted_count[OUTPUT_EPISODES], 2);
    assert_int_equal(harness.emitted_count[OUTPUT_KINDS], 1);
    assert_int_equal(harness_field(&harness, OUTPUT_KINDS, "episodes_found").integer, 2);
    assert_int_equal(harness_field(&harness, OUTPUT_KINDS, "time_to_detect_max").integer, 20);
    harness_close(&harness);
}

static void what_cannot_be_judged_is_refused(void **state)
{
    MR_UNUSED(state);
    static const char *const cases[][2] = {
        {"from: in, key: [k], is_anomaly: truth, window: {tumbling: 1h}",
         "'op' does not say what is flagged: say detection: anomaly.is_anomaly, the field that a "
         "detector sets, or alerts: NAME.alerts"},
        {"from: in, alerts: in2, key: [k], is_anomaly: truth, detection: found, window: {tumbling: "
         "1h}",
         "'op' has both 'detection' and 'alerts': records are flagged by a field of theirs or by "
         "alerts; leave one out"},
        {"from: in, alerts: in2, key: [k], series: [s], is_anomaly: truth, window: {tumbling: 1h}",
         "'op' has 'alerts', which say one key: leave out 'series', or say key: [] so that the key "
         "of an alert is that of a series"},
        {"from: in, alerts: made, key: [], is_anomaly: truth, window: {tumbling: 1h}",
         "'alerts': the records of 'made' have no field 'state'"},
        {"from: in, alerts: in2, scope: partition, is_anomaly: truth, window: {tumbling: 1h}",
         "'alerts' needs a key that says which task has it: leave out scope: partition"},
        {"from: in, key: [k], is_anomaly: truth, detection: found, window: {hopping: 1h, every: "
         "1m}",
         "results are told of windows one behind the other: say {tumbling: ...}, with `running: "
         "true` for those since the begin"},
        {"from: made, key: [], is_anomaly: truth, detection: found, window: {tumbling: 1h}",
         "'is_anomaly': the records of 'made' have no field 'truth'"},
        {"from: in, is_anomaly: truth, detection: found, window: {tumbling: 1h}",
         "a stateful operator must say key"},
        {"from: in, key: [k], detection: found, window: {tumbling: 1h}",
         "needs the option 'is_anomaly'"},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        struct mr_arena arena;
        mr_arena_init(&arena, 4096);
        const char *found = harness_findings(
            &arena,
            "    - {name: in, type: memory, records: [{k: a}]}\n"
            "    - {name: in2, type: memory, records: [{key: a}]}\n"
            "    - {name: made, type: generate.sequence, count: 1}\n",
            mr_arena_format(&arena, "    - {name: op, type: evaluate.detection, %s}\n",
                            cases[index][0]),
            "    - {name: out, type: stdout, from: op}\n");
        if (strstr(found, cases[index][1]) == NULL)
            fail_msg("%s: %s", cases[index][0], found);
        mr_arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_is_told_when_it_is_over),
        cmocka_unit_test(running_results_are_told_when_something_has_come),
        cmocka_unit_test(alerts_and_records_may_come_in_any_order),
        cmocka_unit_test(an_alert_is_of_the_series_that_its_key_names),
        cmocka_unit_test(what_is_late_is_not_judged),
        cmocka_unit_test(with_too_many_that_wait_the_earliest_is_judged),
        cmocka_unit_test(what_is_forgotten_is_not_waited_for),
        cmocka_unit_test(stored_state_is_read_back),
        cmocka_unit_test(what_cannot_be_judged_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
