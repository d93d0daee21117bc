/* tests/unit/operators/test_detector.c — what all detectors share. */
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
             "    - {name: op, type: detect.zscore, from: in, key: [k], field: value%s}\n",
             options);
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

static void every_detector_begins_with_the_shared_members(void **state)
{
    MR_UNUSED(state);
    static const char *const shared[] = {"score",  "threshold", "is_anomaly", "severity",
                                         "reason", "detector",  "p_value",    "state"};
    uint32_t count;
    const struct mr_operator_type *const *types = mr_operators(&count);
    uint32_t detectors = 0;
    for (uint32_t index = 0; index < count; index++) {
        const struct mr_type_spec *spec = &types[index]->spec;
        if (strncmp(spec->name, "detect.", 7) != 0)
            continue;
        detectors++;
        assert_true(spec->added_fields_count >= MR_ARRAY_COUNT(shared));
        for (size_t member_index = 0; member_index < MR_ARRAY_COUNT(shared); member_index++)
            assert_string_equal(spec->added_fields[member_index].name, shared[member_index]);
        assert_string_equal(spec->as_default, "anomaly");
        assert_string_equal(spec->outputs[1].name, "alerts");
    }
    assert_int_equal(detectors, 4);
}

static void train(struct harness *harness)
{
    for (int round = 0; round < 40; round++)
        feed(harness, round % 2);
}

static void an_alert_tells_what_was_found(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    train(&harness);
    assert_int_equal(harness.emitted_count[1], 0);
    struct harness_row row = harness_row(777, "a", mr_value_double(50));
    harness_feed(&harness, 0, &row, 1);
    assert_int_equal(harness.emitted_count[1], 1);
    assert_text(harness_field(&harness, 1, "topology"), "harness");
    assert_text(harness_field(&harness, 1, "operator"), "op");
    assert_text(harness_field(&harness, 1, "detector"), "detect.zscore");
    assert_text(harness_field(&harness, 1, "key"), "a");
    assert_text(harness_field(&harness, 1, "state"), "open");
    assert_text(harness_field(&harness, 1, "severity"), "critical");
    assert_int_equal(harness_field(&harness, 1, "id").size, 16);
    assert_true(harness_field(&harness, 1, "metric_value").number == member(&harness, "score"));
    assert_true(harness_field(&harness, 1, "threshold").number == 3);
    assert_int_equal(harness_field(&harness, 1, "event_time").integer, 777);
    struct mr_value record = harness_field(&harness, 1, "record");
    assert_int_equal(record.kind, MR_KIND_JSON);
    assert_true(mr_slice_equal(mr_value_text(record), mr_slice_text("{\"offset\":777}")));
    struct mr_value message = harness_field(&harness, 1, "message");
    assert_true(mr_value_equal(message, harness_member(&harness, "reason")));
    harness_close(&harness);
}

static void ids_differ_and_are_repeated_by_a_replay(void **state)
{
    MR_UNUSED(state);
    char ids[2][17];
    for (int round = 0; round < 2; round++) {
        struct harness harness;
        open(&harness, "");
        train(&harness);
        struct harness_row row = harness_row(900, "a", mr_value_double(50));
        harness_feed(&harness, 0, &row, 1);
        snprintf(ids[round], sizeof(ids[round]), "%.16s",
                 (const char *)harness_field(&harness, 1, "id").text);
        row.offset = 901;
        harness_feed(&harness, 0, &row, 1);
        assert_memory_not_equal(ids[round], harness_field(&harness, 1, "id").text, 16);
        harness_close(&harness);
    }
    assert_string_equal(ids[0], ids[1]);
}

static void bands_of_severity(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", threshold: 2, critical_ratio: 1.5, warmup: 2, sd_floor: 100");
    feed(&harness, 0);
    feed(&harness, 0);
    feed(&harness, 200);
    assert_text(harness_member(&harness, "severity"), "info");
    harness_close(&harness);
    open(&harness, ", threshold: 2, critical_ratio: 1.5, warmup: 2, sd_floor: 100");
    feed(&harness, 0);
    feed(&harness, 0);
    feed(&harness, 201);
    assert_text(harness_member(&harness, "severity"), "warning");
    harness_close(&harness);
    open(&harness, ", threshold: 2, critical_ratio: 1.5, warmup: 2, sd_floor: 100");
    feed(&harness, 0);
    feed(&harness, 0);
    feed(&harness, 300);
    assert_text(harness_member(&harness, "severity"), "critical");
    harness_close(&harness);
}

static void alerts_without_a_reader_are_counted(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness,
                 "    - {name: op, type: detect.zscore, from: in, key: [k], field: value}\n",
                 "    - {name: out, type: memory, from: op}\n", "op");
    train(&harness);
    feed(&harness, 100);
    feed(&harness, 200);
    assert_int_equal(harness.emitted_count[1], 2);
    assert_int_equal(harness.emitted_count[0], 42);
    harness_close(&harness);
}

static void alerts_read_through_a_repartition_are_made(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness,
                 "    - {name: op, type: detect.zscore, from: in, key: [k], field: value}\n"
                 "    - {name: per, type: detect.zscore, from: op.alerts, key: [severity], field: "
                 "metric_value}\n",
                 "    - {name: out, type: memory, from: per}\n", "op");
    assert_int_equal(harness.node->outputs[1].edges_count, 0);
    harness.keeps_last = true;
    train(&harness);
    feed(&harness, 100);
    assert_text(harness_field(&harness, 1, "operator"), "op");
    harness_close(&harness);
}

static void without_key_fields_all_records_share_one_state(void **state)
{
    MR_UNUSED(state);
    static const char *const keys[] = {"key: []", "scope: partition"};
    for (size_t index = 0; index < MR_ARRAY_COUNT(keys); index++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "    - {name: op, type: detect.zscore, from: in, %s, field: value, warmup: 2}\n",
                 keys[index]);
        struct harness harness;
        harness_open(&harness, text,
                     "    - {name: out, type: memory, from: op}\n"
                     "    - {name: alerts, type: memory, from: op.alerts}\n",
                     "op");
        harness.keeps_last = true;
        struct harness_row rows[] = {harness_row(1, "a", mr_value_double(1)),
                                     harness_row(2, "b", mr_value_double(2)),
                                     harness_row(3, "c", mr_value_double(90))};
        harness_feed(&harness, 0, rows, 3);
        assert_int_equal(harness_member(&harness, "count").integer, 2);
        assert_int_equal(harness.emitted_count[1], 1);
        assert_int_equal(harness_field(&harness, 1, "key").kind, MR_KIND_NULL);
        harness_close(&harness);
    }
}

static void a_long_reason_is_cut_at_a_character(void **state)
{
    MR_UNUSED(state);
    struct mr_detector_finding finding;
    char text[500];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    memcpy(text + MR_DETECTOR_REASON_BYTES - 3, "\xe2\x82\xac", 3);
    mr_detector_reason(&finding, "%s", text);
    size_t size = strlen(finding.reason);
    assert_in_range(size, MR_DETECTOR_REASON_BYTES - 5, MR_DETECTOR_REASON_BYTES - 1);
    assert_int_equal(finding.reason[size - 1], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_detector_begins_with_the_shared_members),
        cmocka_unit_test(an_alert_tells_what_was_found),
        cmocka_unit_test(ids_differ_and_are_repeated_by_a_replay),
        cmocka_unit_test(bands_of_severity),
        cmocka_unit_test(alerts_without_a_reader_are_counted),
        cmocka_unit_test(without_key_fields_all_records_share_one_state),
        cmocka_unit_test(alerts_read_through_a_repartition_are_made),
        cmocka_unit_test(a_long_reason_is_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
