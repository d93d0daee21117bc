/* tests/unit/operators/test_quality_profile.c — scores, alerts, windows, what validate refuses, and
 * the stored bytes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness, const char *more)
{
    char text[384];
    snprintf(text, sizeof(text),
             "    - {name: op, type: quality.profile, from: in, key: [k], fields: [value, other], "
             "%s}\n",
             more);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: late, type: memory, from: op.late}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static struct harness_row record(int64_t offset, struct mr_value value, struct mr_value other,
                                 int64_t event_time_ms)
{
    struct harness_row row = harness_row(offset, "a", value);
    row.cells[2] = (struct harness_cell){"other", other};
    row.event_time_ms = event_time_ms;
    return row;
}

static double number(const struct harness *harness, const char *field)
{
    struct mr_value value = harness_field(harness, 0, field);
    assert_int_equal(value.kind, MR_KIND_DOUBLE);
    return value.number;
}

static struct mr_value member(struct mr_value map, const char *name)
{
    assert_int_equal(map.kind, MR_KIND_MAP);
    for (uint32_t index = 0; index < map.size; index++)
        if (mr_slice_equal(mr_value_text(map.entries[index].key), mr_slice_text(name)))
            return map.entries[index].value;
    return (struct mr_value){.kind = MR_KIND_ABSENT};
}

static void feed_four(struct harness *harness)
{
    const struct harness_row rows[] = {
        record(1, mr_value_double(1), mr_value_string(mr_slice_text("x")), 1000),
        record(2, mr_value_double(2), mr_value_null(), 1100),
        record(3, mr_value_double(-3), mr_value_string(mr_slice_text("x")), 1200),
        record(4, mr_value_double(4), (struct mr_value){.kind = MR_KIND_ABSENT}, 1999)};
    harness_feed(harness, 0, rows, 4);
}

static void a_window_is_scored(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "window: {tumbling: 1s}, valid: {value: 'value > 0.0'}, unique: [other, value], "
                   "fresh_within: 1h, threshold: 0.9");
    feed_four(&harness);
    harness_watermark(&harness, 1999);
    assert_int_equal(harness.emitted_count[0], 0);
    harness_watermark(&harness, 2000);
    assert_int_equal(harness.emitted_count[0], 1);
    assert_int_equal(harness_field(&harness, 0, "window_start").integer, 1000);
    assert_int_equal(harness_field(&harness, 0, "window_end").integer, 2000);
    assert_int_equal(harness_field(&harness, 0, "records").integer, 4);
    assert_true(number(&harness, "completeness") == 0.75);
    assert_true(number(&harness, "uniqueness") == 0.75); /* (1/2 + 4/4) / 2 */
    assert_true(number(&harness, "validity") == 0.75);
    assert_true(number(&harness, "freshness") == 1);
    assert_true(number(&harness, "score") == 0.8125);
    assert_false(harness_field(&harness, 0, "passed").boolean);
    assert_text(harness_field(&harness, 0, "severity"), "warning");
    assert_text(harness_field(&harness, 0, "reason"),
                "the score of 4 records is 0.8125, below 0.9: completeness 0.75, uniqueness 0.75, "
                "validity 0.75, freshness 1");
    assert_int_equal(harness_field(&harness, 0, "latest").integer, 1999);
    struct mr_value value = member(harness_field(&harness, 0, "fields"), "value");
    assert_true(member(value, "mean").number == 1);
    assert_true(member(value, "min").number == -3);
    assert_int_equal(member(value, "invalid").integer, 1);
    struct mr_value other = member(harness_field(&harness, 0, "fields"), "other");
    assert_int_equal(member(other, "missing").integer, 1);
    assert_int_equal(member(other, "null").integer, 1);
    assert_int_equal(member(other, "frequent").size, 1);
    assert_int_equal(harness.emitted_count[2], 1);
    assert_true(harness_field(&harness, 2, "metric_value").number == 0.8125);
    assert_true(harness_field(&harness, 2, "threshold").number == 0.9);
    assert_text(harness_field(&harness, 2, "key"), "a");
    struct harness_row late = record(9, mr_value_int(1), mr_value_null(), 1500);
    harness_feed(&harness, 0, &late, 1);
    assert_string_equal(harness_offsets(&harness, 1), "9");
    harness_close(&harness);
}

static void dimensions_without_a_rule_are_null(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "window: {count: 4}");
    feed_four(&harness);
    assert_int_equal(harness.emitted_count[0], 1);
    assert_int_equal(harness_field(&harness, 0, "uniqueness").kind, MR_KIND_NULL);
    assert_int_equal(harness_field(&harness, 0, "validity").kind, MR_KIND_NULL);
    assert_int_equal(harness_field(&harness, 0, "freshness").kind, MR_KIND_NULL);
    assert_true(number(&harness, "score") == 0.75);
    assert_int_equal(harness.emitted_count[2], 1);
    harness_close(&harness);
}

/* A rule that cannot be computed is broken; a missing value is none that a rule is asked about. */
static void rules_are_asked_of_what_is_there(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "window: {count: 4}, valid: {value: 'value < 2.0', other: 'other > 1.0'}");
    const struct harness_row rows[] = {
        record(1, mr_value_double(1), mr_value_string(mr_slice_text("text")), 1),
        record(2, mr_value_null(), mr_value_double(2), 2),
        record(3, mr_value_double((double)NAN), mr_value_double(3), 3),
        record(4, (struct mr_value){.kind = MR_KIND_ABSENT}, mr_value_double(0), 4)};
    harness_feed(&harness, 0, rows, 4);
    assert_int_equal(harness.errors_count, 0);
    struct mr_value fields = harness_field(&harness, 0, "fields");
    assert_int_equal(member(member(fields, "value"), "valid").integer, 1);
    assert_int_equal(member(member(fields, "value"), "invalid").integer, 1);
    assert_int_equal(member(member(fields, "other"), "valid").integer, 2);
    assert_int_equal(member(member(fields, "other"), "invalid").integer, 2);
    assert_true(number(&harness, "validity") == 0.5);
    harness_close(&harness);
}

static void hopping_windows_are_merged(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "window: {hopping: 200ms, every: 100ms}, threshold: 0");
    for (int64_t time_ms = 0; time_ms < 1000; time_ms += 10) {
        struct harness_row row = record(time_ms, mr_value_int(time_ms), mr_value_int(1), time_ms);
        harness_feed(&harness, 0, &row, 1);
        if (time_ms == 500) {
            harness_commit(&harness);
            harness_restore(&harness);
        }
    }
    harness_watermark(&harness, 900);
    assert_int_equal(harness_field(&harness, 0, "window_end").integer, 900);
    assert_int_equal(harness_field(&harness, 0, "records").integer, 20);
    struct mr_value value = member(harness_field(&harness, 0, "fields"), "value");
    assert_true(member(value, "mean").number == 795);
    assert_true(member(value, "min").number == 700 && member(value, "max").number == 890);
    assert_int_equal(member(value, "distinct").integer, 20);
    struct mr_value other = member(harness_field(&harness, 0, "fields"), "other");
    assert_int_equal(member(member(other, "frequent").items[0], "count").integer, 20);
    assert_int_equal(harness.emitted_count[2], 0);
    harness_close(&harness);
}

static void options_that_cannot_be_are_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *options;
        const char *finding;
    } cases[] = {
        {"window: {sliding: 1s}", "a profile for each record is not kept"},
        {"window: {count: 5}, lateness: 1s", "has no meaning for a count window"},
        {"window: {count: 5}, valid: {valeu: 'value > 0.0'}", "'valeu' is not among the `fields`"},
        {"window: {count: 5}, unique: [k]", "'k' is not among the `fields`"},
    };
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        struct mr_arena arena;
        char text[256];
        mr_arena_init(&arena, 64 << 10);
        snprintf(text, sizeof(text),
                 "    - {name: op, type: quality.profile, from: in, key: [k], fields: [value], "
                 "%s}\n",
                 cases[index].options);
        const char *findings = harness_findings(
            &arena, "    - {name: in, type: memory, schema: {k: string, value: double}}\n", text,
            "    - {name: out, type: memory, from: op}\n");
        if (strstr(findings, cases[index].finding) == NULL)
            fail_msg("%s: %s", cases[index].options, findings);
        mr_arena_deinit(&arena);
    }
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    static const char options[] =
        "window: {tumbling: 1s}, valid: {value: 'value > 0.0'}, top: 2, precision: 8";
    struct harness harness;
    open(&harness, options);
    feed_four(&harness);
    harness_commit(&harness);
    harness_check_golden(&harness, "quality_profile_v1");
    harness_close(&harness);
    open(&harness, options);
    harness_load_golden(&harness, "quality_profile_v1");
    harness_watermark(&harness, 2000);
    assert_int_equal(harness_field(&harness, 0, "records").integer, 4);
    assert_true(number(&harness, "completeness") == 0.75);
    struct mr_value value = member(harness_field(&harness, 0, "fields"), "value");
    assert_true(member(member(value, "quantiles"), "p50").number == 1);
    assert_int_equal(member(value, "distinct").integer, 4);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_is_scored),
        cmocka_unit_test(dimensions_without_a_rule_are_null),
        cmocka_unit_test(rules_are_asked_of_what_is_there),
        cmocka_unit_test(hopping_windows_are_merged),
        cmocka_unit_test(options_that_cannot_be_are_refused),
        cmocka_unit_test(stored_bytes_stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
