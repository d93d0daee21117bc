/* tests/unit/operators/test_quality_duplicates.c — the members, the outputs, odd values, what
 * validate refuses, and the stored bytes. */
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
    char text[256];
    snprintf(
        text, sizeof(text),
        "    - {name: op, type: quality.duplicates, from: in, key: [k], fields: [value], %s}\n",
        more);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: repeated, type: memory, from: op.duplicates}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static struct harness_row record(int64_t offset, const char *key, struct mr_value value,
                                 int64_t event_time_ms)
{
    struct harness_row row = harness_row(offset, key, value);
    row.event_time_ms = event_time_ms;
    return row;
}

static void feed(struct harness *harness, int64_t offset, struct mr_value value,
                 int64_t event_time_ms)
{
    struct harness_row row = record(offset, "a", value, event_time_ms);
    harness_feed(harness, 0, &row, 1);
}

static void the_first_record_is_told(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "window: {sliding: 1s}, severity: critical");
    feed(&harness, 7, mr_value_int(1), 1000);
    assert_true(harness_member(&harness, "passed").boolean);
    assert_text(harness_member(&harness, "severity"), "info");
    assert_text(harness_member(&harness, "reason"), "");
    assert_int_equal(harness_member(&harness, "count").integer, 1);
    assert_int_equal(harness_member(&harness, "first").kind, MR_KIND_NULL);
    assert_int_equal(harness_member(&harness, "load").kind, MR_KIND_NULL);
    feed(&harness, 8, mr_value_int(1), 1900);
    feed(&harness, 9, mr_value_int(1), 2800); /* of the second one */
    assert_false(harness_member(&harness, "passed").boolean);
    assert_text(harness_member(&harness, "severity"), "critical");
    assert_int_equal(harness_member(&harness, "count").integer, 3);
    struct mr_value first = harness_member(&harness, "first");
    assert_int_equal(first.kind, MR_KIND_MAP);
    assert_int_equal(first.size, 4);
    assert_text(first.entries[0].value, "topic");
    assert_int_equal(first.entries[1].value.integer, 2);
    assert_int_equal(first.entries[2].value.integer, 7);
    assert_int_equal(first.entries[3].value.integer, 1000);
    assert_text(harness_member(&harness, "reason"),
                "an equal record came within 1 s; it is record 3 of them, the first had offset 7 "
                "of partition 2 and event time 1000");
    feed(&harness, 10, mr_value_int(1), 3800); /* a window behind: a new one */
    assert_true(harness_member(&harness, "passed").boolean);
    assert_int_equal(harness_member(&harness, "count").integer, 1);
    feed(&harness, 11, mr_value_int(1), 2700); /* a window and more before */
    assert_true(harness_member(&harness, "passed").boolean);
    feed(&harness, 12, mr_value_int(1), 2801);
    assert_false(harness_member(&harness, "passed").boolean);
    assert_string_equal(harness_offsets(&harness, 0), "7 8 9 10 11 12");
    assert_string_equal(harness_offsets(&harness, 1), "8 9 12");
    assert_int_equal(harness.emitted_count[2], 3);
    assert_true(harness_field(&harness, 2, "metric_value").number == 2);
    assert_text(harness_field(&harness, 2, "severity"), "critical");
    harness_close(&harness);
}

static void filters_tell_how_full_they_are(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "window: {sliding: 1h}, bloom: {rate: 0.01, capacity: 8}");
    feed(&harness, 1, mr_value_int(1), 1000);
    assert_true(harness_member(&harness, "load").number == 0.5);
    assert_int_equal(harness_member(&harness, "count").kind, MR_KIND_NULL);
    feed(&harness, 2, mr_value_int(1), 1000);
    assert_false(harness_member(&harness, "passed").boolean);
    assert_text(harness_member(&harness, "reason"),
                "an equal record came within 3600 s, in all likelihood");
    for (int64_t offset = 3; offset < 40; offset++)
        feed(&harness, offset, mr_value_int(offset), 1000);
    assert_true(harness_member(&harness, "load").number > 1);
    feed(&harness, 41, mr_value_int(1), 1000);
    assert_false(harness_member(&harness, "passed").boolean);
    harness_close(&harness);
}

/* By value and kind, as in a key; missing is null; what is no JSON is reported. */
static void values_are_compared_as_in_keys(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "window: {count: 100}");
    const struct mr_value list[] = {mr_value_int(1), mr_value_int(2)};
    const struct mr_value values[] = {
        mr_value_double(0.0),
        mr_value_double(-0.0), /* 1: equal */
        mr_value_double(1e308),
        mr_value_double(4e-324),
        mr_value_string(mr_slice_text("0")),
        mr_value_null(),
        (struct mr_value){.kind = MR_KIND_ABSENT}, /* 6: equal */
        mr_value_string(mr_slice_text("null")),
        mr_value_bool(false),
        (struct mr_value){.kind = MR_KIND_LIST, .size = 2, .items = list},
        (struct mr_value){.kind = MR_KIND_LIST, .size = 2, .items = list}, /* 10: equal */
        (struct mr_value){.kind = MR_KIND_LIST, .size = 1, .items = list},
        mr_value_string(mr_slice_text("")),
        mr_value_double((double)NAN), /* 13 and 14: reported */
        mr_value_error(mr_slice_text("is no number")),
        mr_value_double((double)INFINITY),
    };
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(values); index++)
        feed(&harness, index, values[index], index);
    assert_string_equal(harness_offsets(&harness, 1), "1 6 10");
    assert_int_equal(harness.emitted_count[0], 13);
    assert_int_equal(harness.errors_count, 3);
    assert_non_null(strstr(harness_errors(&harness), "the field 'value' cannot be compared"));
    assert_non_null(strstr(harness_errors(&harness), "is no number"));
    harness_close(&harness);
}

static void keys_are_apart(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "window: {sliding: 1s}");
    struct harness_row rows[] = {
        record(1, "a", mr_value_int(1), 5), record(2, "b", mr_value_int(1), 5),
        record(3, "a", mr_value_int(2), 5), record(4, "b", mr_value_int(1), 6)};
    harness_feed(&harness, 0, rows, 4);
    assert_string_equal(harness_offsets(&harness, 1), "4");
    struct harness_row none = record(5, "a", mr_value_int(1), 7);
    none.cells[0].value = mr_value_null();
    harness_feed(&harness, 0, &none, 1);
    assert_non_null(strstr(harness_errors(&harness), "has no key"));
    harness_close(&harness);
}

/* The group is forgotten and comes again: its records' numbers begin anew, the alerts' ids do not.
 */
static void alerts_of_lives_have_ids_of_their_own(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    char first[32];
    open(&harness, "window: {sliding: 1s}");
    feed(&harness, 1, mr_value_int(1), 0);
    feed(&harness, 2, mr_value_int(1), 1);
    struct mr_value id = harness_field(&harness, 2, "id");
    snprintf(first, sizeof(first), "%.*s", (int)id.size, (const char *)id.text);
    harness_watermark(&harness, 100000);
    feed(&harness, 3, mr_value_int(1), 200000);
    feed(&harness, 4, mr_value_int(1), 200001);
    assert_int_equal(harness.emitted_count[2], 2);
    assert_false(
        mr_slice_equal(mr_value_text(harness_field(&harness, 2, "id")), mr_slice_text(first)));
    harness_close(&harness);
}

/* Watermarks come between batches, and how those are cut is chance: with one and without one in the
 * pause that the group is forgotten in, and between rows, alerts have the same ids. */
static void ids_do_not_depend_on_when_a_group_is_forgotten(void **state)
{
    MR_UNUSED(state);
    char ids[2][32];
    for (uint32_t forgotten = 0; forgotten < 2; forgotten++) {
        struct harness harness;
        open(&harness, "window: {sliding: 1s}");
        feed(&harness, 1, mr_value_int(1), 0);
        if (forgotten == 1)
            harness_watermark(&harness, 100000);
        struct harness_row rows[2] = {record(2, "a", mr_value_int(1), 200000),
                                      record(3, "a", mr_value_int(1), 200001)};
        harness_feed(&harness, 0, rows, 2);
        assert_int_equal(harness.emitted_count[2], 1);
        struct mr_value id = harness_field(&harness, 2, "id");
        snprintf(ids[forgotten], sizeof(ids[0]), "%.*s", (int)id.size, (const char *)id.text);
        harness_close(&harness);
    }
    assert_string_equal(ids[0], ids[1]);
}

/* A group that the bound dropped begins anew: what is left of it counts for nothing. */
static void a_dropped_group_begins_anew(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "window: {count: 10}, state: {max_keys: 2}");
    struct harness_row rows[] = {
        record(1, "a", mr_value_int(1), 1), record(2, "b", mr_value_int(1), 2),
        record(3, "c", mr_value_int(1), 3), record(4, "a", mr_value_int(1), 4),
        record(5, "a", mr_value_int(1), 5)};
    harness_feed(&harness, 0, rows, 5);
    assert_string_equal(harness_offsets(&harness, 1), "5");
    harness_close(&harness);
}

static void windows_that_cannot_be_are_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *options;
        const char *finding;
    } cases[] = {
        {"window: {}", "a window of time or one of records is wanted"},
        {"window: {sliding: 1s, count: 5}", "a window of time or one of records is wanted"},
        {"window: {tumbling: 1s}", "tumbling"},
        {"window: {count: 5}, bloom: {capacity: 5}", "have no meaning with a window of records"},
        {"window: {count: 5}, bloom: {lateness: 5s}", "have no meaning with a window of records"},
        {"window: {sliding: 5s}, bloom: {rate: 0.1}", "need `capacity`"},
        {"window: {sliding: 5s}, bloom: {rate: 0.9, capacity: 5}", "rate"},
    };
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        struct mr_arena arena;
        char text[256];
        mr_arena_init(&arena, 64 << 10);
        snprintf(text, sizeof(text),
                 "    - {name: op, type: quality.duplicates, from: in, key: [k], fields: [value], "
                 "%s}\n",
                 cases[index].options);
        const char *findings = harness_findings(&arena, "    - {name: in, type: memory}\n", text,
                                                "    - {name: out, type: memory, from: op}\n");
        if (strstr(findings, cases[index].finding) == NULL)
            fail_msg("%s: %s", cases[index].options, findings);
        mr_arena_deinit(&arena);
    }
}

static const struct {
    const char *options;
    const char *golden;
} stored[] = {
    {"window: {sliding: 1s}", "quality_duplicates_time_v1"},
    {"window: {count: 3}", "quality_duplicates_count_v1"},
    {"window: {sliding: 1s}, bloom: {rate: 0.01, capacity: 40}", "quality_duplicates_bloom_v1"},
};

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(stored); index++) {
        struct harness harness;
        open(&harness, stored[index].options);
        struct harness_row rows[] = {
            record(1, "a", mr_value_int(1), 1700000000000), record(2, "a", mr_value_int(2), -5),
            record(3, "b", mr_value_int(1), 77), record(4, "a", mr_value_int(1), 1700000000500)};
        harness_feed(&harness, 0, rows, 4);
        harness_commit(&harness);
        harness_check_golden(&harness, stored[index].golden);
        harness_close(&harness);
        open(&harness, stored[index].options);
        harness_load_golden(&harness, stored[index].golden);
        struct harness_row later[] = {record(5, "a", mr_value_int(1), 1700000001400),
                                      record(6, "b", mr_value_int(2), 78),
                                      record(7, "b", mr_value_int(1), 78)};
        harness_feed(&harness, 0, later, 3);
        assert_string_equal(harness_offsets(&harness, 1), "5 7");
        harness_close(&harness);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_record_is_told),
        cmocka_unit_test(filters_tell_how_full_they_are),
        cmocka_unit_test(values_are_compared_as_in_keys),
        cmocka_unit_test(keys_are_apart),
        cmocka_unit_test(alerts_of_lives_have_ids_of_their_own),
        cmocka_unit_test(ids_do_not_depend_on_when_a_group_is_forgotten),
        cmocka_unit_test(a_dropped_group_begins_anew),
        cmocka_unit_test(windows_that_cannot_be_are_refused),
        cmocka_unit_test(stored_bytes_stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
