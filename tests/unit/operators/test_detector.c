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

/* The task began at 0: what is older is history. */
static void history_is_learned_and_not_told_of(void **state)
{
    MR_UNUSED(state);
    static const char operators[] = "    - {name: op, type: detect.zscore, from: in, key: [k], "
                                    "field: value, warmup: 5, warm_from: {since: 7d%s}}\n";
    static const char sinks[] = "    - {name: out, type: memory, from: op}\n"
                                "    - {name: alerts, type: memory, from: op.alerts}\n";
    for (int emits = 0; emits < 2; emits++) {
        struct harness harness;
        char text[512];
        snprintf(text, sizeof(text), operators, emits ? ", emit: true" : "");
        harness_open_sources(&harness,
                             "    - {name: in, type: topic, key: [k]}\n"
                             "    - {name: in2, type: memory}\n",
                             text, sinks, "op", 0, 1);
        harness.keeps_last = true;
        struct harness_row rows[40];
        for (int64_t row = 0; row < 40; row++) {
            double value = row == 30 ? 500 : (double)(row % 3);
            rows[row] = harness_row(row, "a", mr_value_double(value));
            rows[row].event_time_ms = row - 39; /* the last is of the present */
        }
        rows[39].cells[1].value = mr_value_double(50000);
        harness_feed(&harness, 0, rows, 39);
        assert_int_equal(harness.emitted_count[0], emits ? 39 : 0);
        assert_int_equal(harness.emitted_count[1] > 0, emits);
        harness_commit(&harness);
        harness_restore(&harness);
        harness_feed(&harness, 0, &rows[39], 1);
        assert_int_equal(harness_member(&harness, "count").integer, 39);
        assert_true(harness_member(&harness, "is_anomaly").boolean);
        assert_int_equal(harness.emitted_count[0], emits ? 40 : 1);
        harness_close(&harness);
    }
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
        /* detect.rate makes rows of its own, with the object in them. */
        if (strncmp(spec->name, "detect.", 7) != 0 || (spec->flags & MR_TYPE_ADDS_FIELD) == 0)
            continue;
        detectors++;
        assert_true(spec->added_fields_count >= MR_ARRAY_COUNT(shared));
        for (size_t member_index = 0; member_index < MR_ARRAY_COUNT(shared); member_index++)
            assert_string_equal(spec->added_fields[member_index].name, shared[member_index]);
        assert_string_equal(spec->as_default, "anomaly");
        assert_string_equal(spec->outputs[1].name, "alerts");
    }
    assert_true(detectors >= 4);
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

/* A score of value / 100 against the threshold 2. */
static void assert_severity(const char *bands, double value, const char *severity)
{
    struct harness harness;
    char options[160];
    snprintf(options, sizeof(options), ", threshold: 2, warmup: 2, sd_floor: 100%s", bands);
    open(&harness, options);
    feed(&harness, 0);
    feed(&harness, 0);
    feed(&harness, value);
    assert_text(harness_member(&harness, "severity"), severity);
    assert_int_equal(harness_member(&harness, "is_anomaly").boolean, value > 200);
    harness_close(&harness);
}

static void bands_of_severity(void **state)
{
    MR_UNUSED(state);
    assert_severity("", 200, "info");
    assert_severity("", 201, "warning");
    assert_severity("", 399, "warning");
    assert_severity("", 400, "critical");
    assert_severity(", bands: {critical: 3}", 201, "warning");
    assert_severity(", bands: {critical: 3}", 300, "critical");
    assert_severity(", bands: {warning: 2.5, critical: 6}", 249, "info");
    assert_severity(", bands: {warning: 2.5, critical: 6}", 250, "warning");
    assert_severity(", bands: {warning: 2.5, critical: 6}", 599, "warning");
    assert_severity(", bands: {warning: 2.5, critical: 6}", 600, "critical");
    assert_severity(", bands: {warning: 2.5}", 400, "critical");
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

static void only_normal_records_are_learned(void **state)
{
    MR_UNUSED(state);
    static const char *const learns[] = {"always", "normal_only", "never"};
    static const int64_t counts[] = {43, 42, 30};
    for (size_t index = 0; index < MR_ARRAY_COUNT(learns); index++) {
        struct harness harness;
        char options[64];
        snprintf(options, sizeof(options), ", learn: %s", learns[index]);
        open(&harness, options);
        train(&harness);
        feed(&harness, 0.5);
        feed(&harness, 900);
        feed(&harness, 0.5);
        feed(&harness, 0.5);
        /* Forty, two or three more, and none after the warm-up of thirty. */
        assert_int_equal(harness_member(&harness, "count").integer, counts[index]);
        harness_close(&harness);
    }
}

static struct mr_value missing(int kind)
{
    const struct mr_value values[] = {{.kind = MR_KIND_ABSENT},
                                      mr_value_null(),
                                      mr_value_double((double)NAN),
                                      mr_value_double(-(double)INFINITY)};
    return values[kind];
}

static void missing_numbers_are_flagged_or_imputed(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", on_missing: flag, warmup: 2");
    feed(&harness, 1);
    feed(&harness, 2);
    for (int kind = 0; kind < 4; kind++) {
        struct harness_row row = harness_row(50, "a", missing(kind));
        harness_feed(&harness, 0, &row, 1);
        assert_text(harness_member(&harness, "state"), "starved");
        assert_true(member(&harness, "score") == 0);
        assert_int_equal(harness_member(&harness, "mean").kind, MR_KIND_NULL);
    }
    struct harness_row text = harness_row(50, "a", mr_value_string(mr_slice_text("1")));
    harness_feed(&harness, 0, &text, 1);
    assert_string_equal(harness_errors(&harness), "@50 'field value is string, not a number'\n");
    feed(&harness, 3);
    assert_text(harness_member(&harness, "state"), "armed");
    assert_int_equal(harness_member(&harness, "count").integer, 2);
    assert_int_equal(harness.judged_counts[MR_DETECTOR_LEARNING], 2);
    assert_int_equal(harness.judged_counts[MR_DETECTOR_STARVED], 4);
    assert_int_equal(harness.judged_counts[MR_DETECTOR_ARMED], 1);
    harness_close(&harness);
    open(&harness, ", on_missing: impute, warmup: 2");
    struct harness_row row = harness_row(50, "a", missing(0));
    harness_feed(&harness, 0, &row, 1);
    assert_text(harness_member(&harness, "state"), "starved");
    feed(&harness, 1);
    feed(&harness, 4);
    harness_commit(&harness);
    harness_restore(&harness);
    harness_feed(&harness, 0, &row, 1);
    assert_text(harness_member(&harness, "state"), "armed");
    assert_true(member(&harness, "mean") == 2.5);
    feed(&harness, 1);
    assert_true(member(&harness, "mean") == 3);
    harness_close(&harness);
}

struct step {
    double value;
    bool is_anomaly;
    const char *alert; /* NULL: none */
};

static void follow(struct harness *harness, const struct step *steps, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        uint64_t before = harness->emitted_count[1];
        feed(harness, steps[index].value);
        if (harness_member(harness, "is_anomaly").boolean != steps[index].is_anomaly)
            fail_msg("step %zu: is_anomaly", index);
        assert_int_equal(harness_member(harness, "reason").size > 0, steps[index].is_anomaly);
        assert_int_equal(harness->emitted_count[1] - before, steps[index].alert != NULL);
        if (steps[index].alert != NULL)
            assert_text(harness_field(harness, 1, "state"), steps[index].alert);
    }
}

static void an_episode_is_one_alert(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", learn: never, suppress: {count: 3}, threshold: 3, warmup: 40");
    train(&harness);
    const struct step first[] = {{50, true, "open"}, {40, false, NULL}, {60, true, "update"}};
    follow(&harness, first, MR_ARRAY_COUNT(first));
    char id[17];
    snprintf(id, sizeof(id), "%.16s", (const char *)harness_field(&harness, 1, "id").text);
    harness_commit(&harness);
    harness_restore(&harness);
    /* The third normal record ends it, unless it is none. */
    const struct step then[] = {{1, false, NULL}, {1, false, NULL},  {55, false, NULL},
                                {1, false, NULL}, {0, false, NULL},  {1, false, "resolved"},
                                {1, false, NULL}, {20, true, "open"}};
    follow(&harness, then, 6);
    assert_memory_equal(id, harness_field(&harness, 1, "id").text, 16);
    assert_text(harness_field(&harness, 1, "severity"), "info");
    assert_text(harness_field(&harness, 1, "message"),
                "value is as usual again: no anomaly in 3 records; the highest score was 117.5");
    follow(&harness, then + 6, 2);
    assert_memory_not_equal(id, harness_field(&harness, 1, "id").text, 16);
    harness_close(&harness);
}

static void feed_at(struct harness *harness, int64_t time_ms, double value)
{
    struct harness_row row = harness_row(time_ms, "a", mr_value_double(value));
    harness_feed(harness, 0, &row, 1);
}

static void an_episode_may_end_by_time(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", learn: never, suppress: {time: 10s}, threshold: 3, warmup: 40");
    train(&harness);
    feed_at(&harness, 100000, 50);
    feed_at(&harness, 109999, 50);
    assert_int_equal(harness.emitted_count[1], 1);
    feed_at(&harness, 119998, 1);
    assert_int_equal(harness.emitted_count[1], 1);
    /* Ten seconds after the last one: it is over, and another one begins. */
    feed_at(&harness, 119999, 50);
    assert_int_equal(harness.emitted_count[1], 3);
    assert_text(harness_field(&harness, 1, "state"), "open");
    feed_at(&harness, 129999, 1);
    assert_text(harness_field(&harness, 1, "state"), "resolved");
    assert_text(harness_field(&harness, 1, "message"),
                "value is as usual again: no anomaly for 10 s; the highest score was 97.75");
    harness_close(&harness);
}

static bool refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.zscore, from: in, key: [k], field: value, %s}\n",
             options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static void shared_options_are_checked(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("suppress: {}", "takes one of `count` and `time`"));
    assert_true(refused("suppress: {count: 3, time: 1s}", "takes one of `count` and `time`"));
    assert_true(refused("learn: sometimes", "learn"));
    assert_true(refused("bands: {warning: 4, critical: 3}", "critical is the higher"));
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
        cmocka_unit_test(history_is_learned_and_not_told_of),
        cmocka_unit_test(every_detector_begins_with_the_shared_members),
        cmocka_unit_test(an_alert_tells_what_was_found),
        cmocka_unit_test(ids_differ_and_are_repeated_by_a_replay),
        cmocka_unit_test(bands_of_severity),
        cmocka_unit_test(alerts_without_a_reader_are_counted),
        cmocka_unit_test(without_key_fields_all_records_share_one_state),
        cmocka_unit_test(alerts_read_through_a_repartition_are_made),
        cmocka_unit_test(a_long_reason_is_cut_at_a_character),
        cmocka_unit_test(only_normal_records_are_learned),
        cmocka_unit_test(missing_numbers_are_flagged_or_imputed),
        cmocka_unit_test(an_episode_is_one_alert),
        cmocka_unit_test(an_episode_may_end_by_time),
        cmocka_unit_test(shared_options_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
