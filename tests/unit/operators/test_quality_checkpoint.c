/* tests/unit/operators/test_quality_checkpoint.c — which records leave by which output, and when:
 * single records, batches, windows; late records, bounds, what is refused; the stored bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "tests/support/operator_harness.h"

enum { MAIN, FAIL, ALERTS, RESULTS, LATE };

static void open_checkpoint(struct harness *harness, const char *options)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "    - {name: op, type: quality.checkpoint, from: in, %s}\n"
             "    - {name: good, type: filter, from: op, where: 'quality.passed'}\n"
             "    - {name: late, type: filter, from: op.late, where: 'value > -1e9'}\n",
             options);
    harness_open(harness, text,
                 "    - {name: bad, type: memory, from: op.fail}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static struct harness_row row_at(int64_t offset, const char *key, double value, int64_t time_ms)
{
    struct harness_row row = harness_row(offset, key, mr_value_double(value));
    row.event_time_ms = time_ms;
    return row;
}

static void feed(struct harness *harness, int64_t offset, const char *key, double value,
                 int64_t time_ms)
{
    struct harness_row row = row_at(offset, key, value, time_ms);
    harness_feed(harness, 0, &row, 1);
}

static void records_alone_leave_at_once(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_checkpoint(&harness, "checks: [{name: low, field: value, expect: between, max: 5}, "
                              "{name: named, field: k, expect: not_null}]");
    const struct harness_row rows[] = {row_at(0, "a", 1, 0), row_at(1, "a", 9, 0),
                                       row_at(2, "b", 2, 0)};
    harness_feed(&harness, 0, rows, 3);
    assert_string_equal(harness_offsets(&harness, MAIN), "0 2");
    assert_string_equal(harness_offsets(&harness, FAIL), "1");
    assert_int_equal(harness.emitted_count[ALERTS], 1);
    assert_int_equal(harness_member(&harness, "records").integer, 1);
    harness_close(&harness);
}

static void a_batch_leaves_as_a_whole(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_checkpoint(&harness, "key: [k], window: {count: 3}, checks: [{name: low, field: value, "
                              "expect: between, max: 5, mostly: 0.5}]");
    feed(&harness, 0, "a", 1, 0);
    feed(&harness, 1, "b", 9, 0);
    feed(&harness, 2, "a", 9, 0);
    feed(&harness, 3, "b", 9, 0);
    assert_string_equal(harness_offsets(&harness, MAIN), "");
    harness_commit(&harness);
    harness_restore(&harness);
    feed(&harness, 4, "a", 2, 0);
    assert_string_equal(harness_offsets(&harness, MAIN), "0 2 4");
    assert_string_equal(harness_offsets(&harness, FAIL), "");
    struct mr_value violated = harness_member(&harness, "violated");
    assert_int_equal(violated.size, 0);
    feed(&harness, 5, "b", 1, 0);
    assert_string_equal(harness_offsets(&harness, FAIL), "1 3 5");
    assert_int_equal(harness_member(&harness, "records").integer, 3);
    harness_close(&harness);
}

static void a_batch_does_not_wait_for_ever(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_checkpoint(&harness, "key: [k], window: {count: 3}, max_wait: 100ms, checks: [{name: "
                              "full, expect: row_count_between, min: 3}]");
    feed(&harness, 0, "a", 1, 1000);
    feed(&harness, 1, "a", 1, 950); /* its time is up first */
    harness_watermark(&harness, 1049);
    assert_string_equal(harness_offsets(&harness, FAIL), "");
    harness_watermark(&harness, 1050);
    assert_string_equal(harness_offsets(&harness, FAIL), "0 1");
    /* A record whose own watermark has passed a batch's time begins a new one. */
    harness.row_watermarks = true;
    struct harness_row rows[] = {row_at(2, "a", 1, 2000), row_at(3, "a", 1, 2200)};
    rows[0].watermark_ms = 1900;
    rows[1].watermark_ms = 2100;
    harness_feed(&harness, 0, rows, 2);
    assert_string_equal(harness_offsets(&harness, FAIL), "0 1 2");
    harness_close(&harness);
}

static void windows_are_judged_as_the_watermark_passes(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_checkpoint(&harness, "key: [k], window: {tumbling: 10ms}, lateness: 5ms, checks: [{name: "
                              "low, field: value, expect: between, max: 5}]");
    harness.row_watermarks = true;
    const struct harness_row rows[] = {row_at(0, "a", 1, 12), row_at(1, "a", 9, 25),
                                       row_at(2, "b", 1, 19), row_at(3, "a", 1, 13)};
    harness_feed(&harness, 0, rows, 4);
    harness_watermark(&harness, 24);
    assert_string_equal(harness_offsets(&harness, MAIN), "");
    harness_watermark(&harness, 25);
    assert_string_equal(harness_offsets(&harness, MAIN), "0 3 2");
    struct harness_row late = row_at(4, "a", 1, 14);
    late.watermark_ms = 25;
    harness_feed(&harness, 0, &late, 1);
    assert_string_equal(harness_offsets(&harness, LATE), "4");
    assert_int_equal(harness.late_count, 1);
    harness_watermark(&harness, 1000);
    assert_string_equal(harness_offsets(&harness, FAIL), "1");
    harness_close(&harness);
}

static void only_severe_checks_fail_when_told_so(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_checkpoint(&harness,
                    "fail_from: critical, checks: [{name: low, field: value, expect: between, "
                    "max: 5}, {name: not_nine, where: 'value != 9.0', severity: critical}]");
    feed(&harness, 0, "a", 8, 0);
    assert_string_equal(harness_offsets(&harness, MAIN), "0");
    assert_int_equal(harness_member(&harness, "failed").size, 1);
    assert_true(harness_member(&harness, "passed").boolean);
    feed(&harness, 1, "a", 9, 0);
    assert_string_equal(harness_offsets(&harness, FAIL), "1");
    assert_int_equal(harness.emitted_count[ALERTS], 3);
    harness_close(&harness);
}

static void a_full_task_judges_what_is_due_first(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_checkpoint(&harness,
                    "key: [k], window: {tumbling: 10ms}, max_records: 3, checks: [{name: two, "
                    "expect: row_count_between, min: 2}]");
    feed(&harness, 0, "a", 1, 15);
    feed(&harness, 1, "a", 1, 5);
    feed(&harness, 2, "b", 1, 16);
    feed(&harness, 3, "b", 1, 17);
    assert_string_equal(harness_offsets(&harness, FAIL), "1");
    feed(&harness, 4, "a", 1, 6); /* of the same window: a new part, and the first that is due */
    assert_string_equal(harness_offsets(&harness, FAIL), "1 4");
    assert_int_equal(harness.late_count, 0);
    harness_close(&harness);
}

/* ---- A model: batches of three by key, judged from the values ---- */

enum { KEYS = 5, ROWS = 600, BATCH = 3 };

struct model {
    double values[KEYS][BATCH];
    int64_t offsets[KEYS][BATCH];
    uint32_t counts[KEYS];
    char good[16 * ROWS];
    char bad[16 * ROWS];
};

static void append(char *text, int64_t offset)
{
    size_t size = strlen(text);
    snprintf(text + size, 16, "%s%lld", size == 0 ? "" : " ", (long long)offset);
}

static void model_add(struct model *model, uint32_t key, int64_t offset, double value)
{
    uint32_t *count = &model->counts[key];
    model->values[key][*count] = value;
    model->offsets[key][(*count)++] = offset;
    if (*count < BATCH)
        return;
    double sum = 0;
    bool repeated = false;
    for (uint32_t index = 0; index < BATCH; index++) {
        sum += model->values[key][index];
        for (uint32_t other = 0; other < index; other++)
            repeated = repeated || model->values[key][other] == model->values[key][index];
    }
    bool fails = repeated || sum / BATCH > 6;
    for (uint32_t index = 0; index < BATCH; index++)
        append(fails ? model->bad : model->good, model->offsets[key][index]);
    *count = 0;
}

static void verdicts_are_the_models(void **state)
{
    MR_UNUSED(state);
    static struct model model;
    static const char *const names[KEYS] = {"a", "b", "c", "d", "e"};
    struct harness harness;
    struct mr_random random;
    memset(&model, 0, sizeof(model));
    mr_random_init(&random, 5, 0);
    open_checkpoint(&harness, "key: [k], window: {count: 3}, checks: [{name: once, field: value, "
                              "expect: unique}, {name: mean, field: value, expect: mean_between, "
                              "max: 6}]");
    for (uint32_t row = 0; row < ROWS; row++) {
        uint32_t key = (uint32_t)mr_random_below(&random, KEYS);
        double value = (double)mr_random_below(&random, 13);
        feed(&harness, row, names[key], value, row);
        model_add(&model, key, row, value);
        if (row % 50 == 49) {
            harness_commit(&harness);
            harness_restore(&harness);
        }
    }
    assert_string_equal(harness_offsets(&harness, MAIN), model.good);
    assert_string_equal(harness_offsets(&harness, FAIL), model.bad);
    assert_true(strlen(model.good) > 200 && strlen(model.bad) > 200);
    harness_close(&harness);
}

static void records_without_a_key_are_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_checkpoint(&harness, "key: [k], window: {count: 1}, checks: [{name: c, where: 'true'}]");
    struct harness_row row = row_at(0, "a", 1, 0);
    row.cells[0].value = mr_value_null();
    harness_feed(&harness, 0, &row, 1);
    assert_int_equal(harness.errors_count, 1);
    assert_string_equal(harness_offsets(&harness, MAIN), "");
    harness_close(&harness);
}

/* ---- Options ---- */

static void refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[1024];
    mr_arena_init(&arena, 1 << 14);
    snprintf(text, sizeof(text), "    - {name: op, type: quality.checkpoint, from: in, %s}\n",
             options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    if (strstr(findings, sentence) == NULL)
        fail_msg("%s\nis not in\n%s", sentence, findings);
    mr_arena_deinit(&arena);
}

static void wrong_options_are_refused(void **state)
{
    MR_UNUSED(state);
#define CHECKS "checks: [{name: c, where: 'true'}]"
    refused("window: {count: 3}, " CHECKS, "a stateful operator must say key");
    refused("key: [k], window: {sliding: 3s}, " CHECKS,
            "each record leaves once, so it belongs to one batch or window: say {count: 100} or "
            "{tumbling: 1m}");
    refused("key: [k], window: {count: 4, every: 2}, " CHECKS, "do not overlap");
    refused("key: [k], window: {count: 20000}, " CHECKS, "batches have up to 10000 records");
    refused("key: [k], window: {count: 4}, lateness: 1s, " CHECKS,
            "'lateness' has a meaning only with window: {tumbling: ...}");
    refused("key: [k], window: {tumbling: 4s}, max_wait: 1s, " CHECKS,
            "'max_wait' has a meaning only with window: {count: ...}");
    refused("max_records: 4, " CHECKS, "'max_records' has a meaning only with a window");
    refused("checks: [{name: c, field: value, expect: unique}]", "unique is about many records");
    refused("checks: []", "'checks' has 0 elements, expected 1 to 32");
}

/* ---- Stored bytes ---- */

static const char golden_options[] =
    "key: [k], window: {count: 3}, checks: [{name: low, field: value, expect: between, max: 5, "
    "mostly: 0.5}, {name: mean, field: value, expect: mean_between, max: 4}, {name: once, field: "
    "value, expect: unique}]";

static void stored_bytes_stay(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_checkpoint(&harness, golden_options);
    feed(&harness, 3, "a", 1, 10);
    feed(&harness, 4, "b", 7, 11);
    feed(&harness, 5, "a", 2.5, 12);
    harness_commit(&harness);
    harness_check_golden(&harness, "quality.checkpoint_v1");
    harness_close(&harness);
    open_checkpoint(&harness, golden_options);
    harness_load_golden(&harness, "quality.checkpoint_v1");
    feed(&harness, 6, "a", 2.5, 13);
    assert_string_equal(harness_offsets(&harness, FAIL), "3 5 6"); /* 2.5 is there twice */
    feed(&harness, 7, "b", 1, 14);
    feed(&harness, 8, "b", 2, 15);
    assert_string_equal(harness_offsets(&harness, MAIN), "4 7 8");
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_alone_leave_at_once),
        cmocka_unit_test(a_batch_leaves_as_a_whole),
        cmocka_unit_test(a_batch_does_not_wait_for_ever),
        cmocka_unit_test(windows_are_judged_as_the_watermark_passes),
        cmocka_unit_test(only_severe_checks_fail_when_told_so),
        cmocka_unit_test(a_full_task_judges_what_is_due_first),
        cmocka_unit_test(verdicts_are_the_models),
        cmocka_unit_test(records_without_a_key_are_reported),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(stored_bytes_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
