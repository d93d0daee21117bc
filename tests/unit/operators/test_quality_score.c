/* tests/unit/operators/test_quality_score.c — scores beside a model that looks at the whole window
 * for every record; episodes, odd numbers, what is refused, the stored bytes. */
#include <float.h>
#include <math.h>
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

enum { MAIN, ALERTS };

static void open_score(struct harness *harness, const char *options)
{
    char text[1024];
    snprintf(text, sizeof(text), "    - {name: op, type: quality.score, from: in, key: [k], %s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static void feed(struct harness *harness, const char *key, double value, double id, int64_t time_ms)
{
    struct harness_row row = harness_row(time_ms, key, mr_value_double(value));
    row.event_time_ms = time_ms;
    row.cells[2] = (struct harness_cell){"id", mr_value_double(id)};
    harness_feed(harness, 0, &row, 1);
}

/* ---- The model ---- */

enum { WINDOW = 25, WARMUP = 6, ROWS = 900, KEYS = 3 };

struct model {
    double values[ROWS];
    double ids[ROWS];
    uint32_t marks[ROWS];
    uint32_t count;
};

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median_of(double *values, uint32_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return count % 2 == 1 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

/* Mark the record; returns the score with it. */
static double model_add(struct model *model, double value, double id)
{
    uint32_t first = model->count > WINDOW ? model->count - WINDOW : 0;
    uint32_t count = model->count - first;
    double numbers[WINDOW];
    double distances[WINDOW];
    uint32_t mark = 0;
    memcpy(numbers, model->values + first, count * sizeof(*numbers));
    if (count >= WARMUP) {
        double median = median_of(numbers, count);
        for (uint32_t index = 0; index < count; index++)
            distances[index] = fabs(numbers[index] - median);
        double scale = 1.4826 * median_of(distances, count);
        mark |= fabs(value - median) / (scale < 1e-9 ? 1e-9 : scale) > 3.5;
    }
    for (uint32_t index = first; index < model->count; index++)
        if (model->ids[index] == id)
            mark |= 2;
    model->values[model->count] = value;
    model->ids[model->count] = id;
    model->marks[model->count++] = mark;
    first = model->count > WINDOW ? model->count - WINDOW : 0;
    uint32_t marked = 0;
    for (uint32_t index = first; index < model->count; index++)
        marked += model->marks[index] != 0;
    return (double)(model->count - first - marked) / (model->count - first);
}

static void scores_are_the_models(void **state)
{
    MR_UNUSED(state);
    static struct model models[KEYS];
    static const char *const names[KEYS] = {"a", "b", "c"};
    struct harness harness;
    struct mr_random random;
    uint32_t below = 0;
    memset(models, 0, sizeof(models));
    mr_random_init(&random, 3, 0);
    open_score(&harness, "fields: [value], identity: [id], window: {count: 25}, warmup: 6");
    for (uint32_t row = 0; row < ROWS; row++) {
        uint32_t key = (uint32_t)mr_random_below(&random, KEYS);
        bool is_bad = row % 300 > 200;
        double value = mr_random_normal(&random) + (mr_random_below(&random, 20) == 0 ? 30 : 0);
        double id = (double)mr_random_below(&random, is_bad ? 20 : 5000);
        feed(&harness, names[key], value, id, row);
        double score = model_add(&models[key], value, id);
        assert_true(harness_member(&harness, "score").number == score);
        assert_int_equal(harness_member(&harness, "outlier").boolean,
                         models[key].marks[models[key].count - 1] & 1u);
        below += score < 0.8;
        if (row % 70 == 69) {
            harness_commit(&harness);
            harness_restore(&harness);
        }
    }
    assert_in_range(below, 50, ROWS - 50);
    harness_close(&harness);
}

/* ---- Episodes ---- */

static const char *told(const struct harness *harness, uint64_t *count)
{
    if (harness->emitted_count[ALERTS] == *count)
        return "";
    *count = harness->emitted_count[ALERTS];
    return (const char *)harness_field(harness, ALERTS, "state").text;
}

static void an_episode_opens_falls_and_is_resolved(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    uint64_t count = 0;
    char id[17] = "";
    open_score(&harness, "detectors: [duplicates], identity: [id], window: {count: 10}, warmup: 5, "
                         "every: 100ms");
    for (uint32_t index = 0; index < 10; index++)
        feed(&harness, "a", 1, index, 1000 + index);
    assert_string_equal(told(&harness, &count), "");
    feed(&harness, "a", 1, 9, 2000); /* 0.9, 0.8: not below 0.8 */
    feed(&harness, "a", 1, 9, 2001);
    assert_string_equal(told(&harness, &count), "");
    assert_true(harness_member(&harness, "passed").boolean);
    feed(&harness, "a", 1, 9, 2002);
    assert_memory_equal(told(&harness, &count), "open", 4);
    memcpy(id, harness_field(&harness, ALERTS, "id").text, 16);
    assert_false(harness_member(&harness, "passed").boolean);
    feed(&harness, "a", 1, 9, 2050); /* lower, but too soon */
    assert_string_equal(told(&harness, &count), "");
    feed(&harness, "a", 1, 9, 2102);
    assert_memory_equal(told(&harness, &count), "update", 6);
    assert_memory_equal(harness_field(&harness, ALERTS, "id").text, id, 16);
    assert_true(harness_field(&harness, ALERTS, "metric_value").number == 0.5);
    assert_true(harness_field(&harness, ALERTS, "threshold").number == 0.8);
    assert_text(harness_field(&harness, ALERTS, "severity"), "warning");
    assert_text(harness_field(&harness, ALERTS, "message"),
                "5 of the last 10 records are faulty (outliers 0, duplicates 5): the score is 0.5, "
                "the threshold 0.8");
    for (uint32_t index = 0; index < 10; index++)
        feed(&harness, "a", 1, 100 + index, 3000 + 200 * index);
    assert_memory_equal(told(&harness, &count), "resolved", 8);
    assert_memory_equal(harness_field(&harness, ALERTS, "id").text, id, 16);
    assert_text(harness_field(&harness, ALERTS, "severity"), "info");
    harness_close(&harness);
}

static void a_key_that_warms_up_is_not_told(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_score(&harness, "detectors: [duplicates], identity: [id], window: {count: 50}, warmup: 9");
    for (uint32_t index = 0; index < 8; index++)
        feed(&harness, "a", 1, 7, index);
    assert_true(harness_member(&harness, "score").number == 0.125);
    assert_true(harness_member(&harness, "passed").boolean);
    assert_int_equal(harness.emitted_count[ALERTS], 0);
    feed(&harness, "a", 1, 7, 9);
    assert_false(harness_member(&harness, "passed").boolean);
    assert_text(harness_member(&harness, "severity"), "critical");
    assert_int_equal(harness.emitted_count[ALERTS], 1);
    harness_close(&harness);
}

/* ---- Odd records ---- */

static void odd_numbers_are_judged_and_not_learned(void **state)
{
    MR_UNUSED(state);
    static const double odd[] = {(double)NAN, (double)INFINITY, 1e308, -DBL_MAX};
    struct harness harness;
    open_score(&harness, "detectors: [outliers], fields: [value], window: {count: 50}, warmup: 5");
    for (uint32_t index = 0; index < 10; index++)
        feed(&harness, "a", 5 + index % 3, 0, index);
    for (size_t index = 0; index < MR_ARRAY_COUNT(odd); index++) {
        feed(&harness, "a", odd[index], 0, 10);
        assert_true(harness_member(&harness, "outlier").boolean);
    }
    feed(&harness, "a", 6, 0, 11);
    assert_false(harness_member(&harness, "outlier").boolean);
    feed(&harness, "a", -0.0, 0, 12);
    struct harness_row row = harness_row(13, "a", mr_value_string(mr_slice_text("5")));
    harness_feed(&harness, 0, &row, 1);
    assert_false(harness_member(&harness, "outlier").boolean);
    row.cells[1].value = mr_value_null();
    harness_feed(&harness, 0, &row, 1);
    assert_false(harness_member(&harness, "outlier").boolean);
    assert_int_equal(harness_member(&harness, "records").integer, 18);
    assert_int_equal(harness.errors_count, 0);
    harness_close(&harness);
}

static void constant_numbers_make_any_other_an_outlier(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_score(&harness, "detectors: [outliers], fields: [value], window: {count: 20}, warmup: 5");
    for (uint32_t index = 0; index < 8; index++)
        feed(&harness, "a", 7.25, 0, index);
    assert_false(harness_member(&harness, "outlier").boolean);
    feed(&harness, "a", 7.2501, 0, 9);
    assert_true(harness_member(&harness, "outlier").boolean);
    harness_close(&harness);
}

static void without_an_identity_time_and_fields_are_it(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_score(&harness, "fields: [value], window: {count: 20}, warmup: 5");
    feed(&harness, "a", 1, 0, 100);
    feed(&harness, "a", 1, 0, 101);
    assert_false(harness_member(&harness, "duplicate").boolean);
    feed(&harness, "a", 2, 0, 101);
    assert_false(harness_member(&harness, "duplicate").boolean);
    feed(&harness, "b", 1, 0, 100);
    assert_false(harness_member(&harness, "duplicate").boolean);
    feed(&harness, "a", 1, 0, 100);
    assert_true(harness_member(&harness, "duplicate").boolean);
    harness_close(&harness);
}

/* ---- Options and bytes ---- */

static void refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 14);
    snprintf(text, sizeof(text), "    - {name: op, type: quality.score, from: in, %s}\n", options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    if (strstr(findings, sentence) == NULL)
        fail_msg("%s\nis not in\n%s", sentence, findings);
    mr_arena_deinit(&arena);
}

static void wrong_options_are_refused(void **state)
{
    MR_UNUSED(state);
    refused("fields: [value]", "a stateful operator must say key");
    refused("key: [k]", "outliers are looked for in numbers: name them, as in fields: [value]");
    refused("key: [k], detectors: [duplicates]",
            "duplicates are records with the same identity: name its fields, as in identity: [id]");
    refused("key: [k], fields: [value], detectors: [drift]",
            "there is no detector 'drift' here: outliers and duplicates are");
    refused("key: [k], fields: [value], warmup: 20, window: {count: 10}",
            "a warm-up of 20 records never ends in a window of 10 records");
    refused("key: [k], fields: [value], threshold: 80", "'threshold' is 80, expected 0 to 1");
    refused("key: [k], fields: [value], window: {count: 5000}", "2");
}

/* The defaults that users rely on. */
static void defaults_are_those_of_the_contract(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_score(&harness, "fields: [value]");
    const struct mr_options *options = &harness.node->options;
    assert_true(mr_options_number(options, "threshold") == 0.8);
    assert_int_equal(mr_options_integer(options, "every"), 1000);
    for (uint32_t index = 0; index < 1200; index++)
        feed(&harness, "a", index % 10, index, index);
    assert_int_equal(harness_member(&harness, "records").integer, 1000);
    harness_close(&harness);
}

static void stored_bytes_stay(void **state)
{
    MR_UNUSED(state);
    static const char options[] =
        "fields: [value], identity: [id], window: {count: 20}, warmup: 3, every: 10ms";
    struct harness harness;
    open_score(&harness, options);
    for (uint32_t index = 0; index < 6; index++)
        feed(&harness, "a", index == 4 ? 90 : index, index == 5 ? 3 : index, 100 + index);
    harness_commit(&harness);
    harness_check_golden(&harness, "quality.score_v1");
    harness_close(&harness);
    open_score(&harness, options);
    harness_load_golden(&harness, "quality.score_v1");
    feed(&harness, "a", 2, 3, 110);
    assert_true(harness_member(&harness, "duplicate").boolean);
    assert_false(harness_member(&harness, "outlier").boolean);
    assert_int_equal(harness_member(&harness, "records").integer, 7);
    assert_int_equal(harness_member(&harness, "duplicates").integer, 2);
    assert_int_equal(harness_member(&harness, "outliers").integer, 1);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_the_models),
        cmocka_unit_test(an_episode_opens_falls_and_is_resolved),
        cmocka_unit_test(a_key_that_warms_up_is_not_told),
        cmocka_unit_test(odd_numbers_are_judged_and_not_learned),
        cmocka_unit_test(constant_numbers_make_any_other_an_outlier),
        cmocka_unit_test(without_an_identity_time_and_fields_are_it),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(defaults_are_those_of_the_contract),
        cmocka_unit_test(stored_bytes_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
