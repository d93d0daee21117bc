/* tests/unit/operators/test_evaluation_rows.c — a row of each output, field by field, and what is
 * null where there is nothing to divide by. */
#include "operators/evaluation_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static struct harness harness;

static void start(void)
{
    harness_open(&harness,
                 "    - {name: op, type: evaluate.detection, from: in, key: [k], "
                 "is_anomaly: truth, label: kind, detection: found, window: {tumbling: 1s}, "
                 "close_after: 0s}\n"
                 "    - {name: main, type: filter, from: op, where: 'has(record.records)'}\n"
                 "    - {name: kinds, type: filter, from: op.kinds, where: 'has(record.records)'}\n"
                 "    - {name: episodes, type: filter, from: op.episodes, where: "
                 "'has(record.records)'}\n",
                 "", "op");
    harness.keeps_last = true;
}

static void feed(int64_t time_ms, bool truth, bool found)
{
    const struct harness_row row = {.event_time_ms = time_ms,
                                    .cells = {{"k", mr_value_string(mr_slice_text("a"))},
                                              {"truth", mr_value_bool(truth)},
                                              {"kind", mr_value_string(mr_slice_text("shift"))},
                                              {"found", mr_value_bool(found)}}};
    harness_feed(&harness, 0, &row, 1);
}

static void expect_integer(enum mr_evaluation_output output, const char *field, int64_t number)
{
    struct mr_value value = harness_field(&harness, output, field);
    assert_int_equal(value.kind, MR_KIND_INT);
    assert_int_equal(value.integer, number);
}

static void expect_double(enum mr_evaluation_output output, const char *field, double number)
{
    struct mr_value value = harness_field(&harness, output, field);
    assert_int_equal(value.kind, MR_KIND_DOUBLE);
    assert_true(value.number == number);
}

static void every_field_says_what_it_should(void **state)
{
    MR_UNUSED(state);
    start();
    feed(100, false, false);
    feed(200, true, false);
    feed(200, true, true); /* of the same time, so the same episode */
    feed(300, false, true);
    feed(400, true, false);
    feed(900, false, false);
    harness_watermark(&harness, 1000);
    assert_int_equal(harness.emitted_count[MR_EVALUATION_OUTPUT_MAIN], 1);
    assert_int_equal(harness.emitted_count[MR_EVALUATION_OUTPUT_KINDS], 1);
    assert_int_equal(harness.emitted_count[MR_EVALUATION_OUTPUT_EPISODES], 2);
    for (uint32_t output = 0; output < MR_EVALUATION_OWN_OUTPUTS; output++)
        assert_non_null(strstr(harness_output(&harness, output), "string:'a'"));
    assert_text(harness_field(&harness, MR_EVALUATION_OUTPUT_KINDS, "label"), "shift");
    expect_integer(MR_EVALUATION_OUTPUT_MAIN, "records", 6);
    expect_integer(MR_EVALUATION_OUTPUT_MAIN, "tolerated", 0);
    expect_integer(MR_EVALUATION_OUTPUT_MAIN, "episodes", 2);
    expect_integer(MR_EVALUATION_OUTPUT_MAIN, "episodes_missed", 1);
    expect_integer(MR_EVALUATION_OUTPUT_MAIN, "false_alarms", 1);
    expect_double(MR_EVALUATION_OUTPUT_MAIN, "precision", 0.5);
    expect_double(MR_EVALUATION_OUTPUT_MAIN, "recall", 1.0 / 3);
    expect_double(MR_EVALUATION_OUTPUT_MAIN, "f1", 0.4);
    expect_double(MR_EVALUATION_OUTPUT_MAIN, "episode_precision", 0.5);
    expect_double(MR_EVALUATION_OUTPUT_MAIN, "episode_f1", 0.5);
    expect_double(MR_EVALUATION_OUTPUT_MAIN, "false_alarms_per_hour", 1 / (800 / 3600e3));
    expect_double(MR_EVALUATION_OUTPUT_MAIN, "time_to_detect_mean", 0);
    expect_integer(MR_EVALUATION_OUTPUT_KINDS, "records", 3);
    expect_integer(MR_EVALUATION_OUTPUT_KINDS, "flagged", 1);
    expect_double(MR_EVALUATION_OUTPUT_KINDS, "episode_recall", 0.5);
    expect_integer(MR_EVALUATION_OUTPUT_KINDS, "window_end", 1000);
    expect_integer(MR_EVALUATION_OUTPUT_EPISODES, "first_time", 400);
    expect_integer(MR_EVALUATION_OUTPUT_EPISODES, "last_time", 400);
    assert_false(harness_field(&harness, MR_EVALUATION_OUTPUT_EPISODES, "found").boolean);
    assert_int_equal(harness_field(&harness, MR_EVALUATION_OUTPUT_EPISODES, "time_to_detect").kind,
                     MR_KIND_NULL);
    harness_close(&harness);
}

static void nothing_divided_by_nothing_is_null(void **state)
{
    MR_UNUSED(state);
    static const char *const fields[] = {"precision",
                                         "recall",
                                         "f1",
                                         "episode_recall",
                                         "episode_f1",
                                         "episode_precision",
                                         "time_to_detect_mean",
                                         "time_to_detect_max",
                                         "false_alarms_per_hour"};
    start();
    feed(100, false, false);
    harness_watermark(&harness, 1000);
    for (size_t index = 0; index < MR_ARRAY_COUNT(fields); index++)
        assert_int_equal(harness_field(&harness, MR_EVALUATION_OUTPUT_MAIN, fields[index]).kind,
                         MR_KIND_NULL);
    assert_int_equal(harness.emitted_count[MR_EVALUATION_OUTPUT_KINDS], 0);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_says_what_it_should),
        cmocka_unit_test(nothing_divided_by_nothing_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
