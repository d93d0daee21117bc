/* tests/unit/operators/test_sample_observed.c — what was seen of a stream in model documents: it is
 * read again as it was written, and refused where it is wrong. */
#include "operators/sample_observed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/sample_model.h"
#include "tests/support/copula_rows.h"

static struct copula_fixture fixture;
static struct mr_buffer plain;
static struct mr_error error;

static int setup(void **state)
{
    MR_UNUSED(state);
    struct copula_rows rows;
    copula_rows_make(&rows, 1000, 3, 0);
    copula_fixture_open(&fixture, 200);
    copula_fixture_learn(&fixture, &rows, 256, 1e-3);
    copula_rows_free(&rows);
    mr_buffer_init(&plain, 1 << 20);
    copula_fixture_document(&fixture, &plain);
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_buffer_deinit(&plain);
    copula_fixture_close(&fixture);
    return 0;
}

static struct mr_sample_model *read_with(const struct mr_sample_observed *observed)
{
    struct mr_sample_model *model;
    struct mr_buffer document;
    mr_buffer_init(&document, 1 << 20);
    assert_int_equal(mr_buffer_append(&document, plain.data, plain.size), MR_OK);
    assert_int_equal(mr_sample_observed_write(observed, &document, &error), MR_OK);
    enum mr_status status = mr_sample_model_read(mr_buffer_view(&document), &model, &error);
    if (status != MR_OK)
        print_error("%s\n", error.message);
    assert_int_equal(status, MR_OK);
    mr_buffer_deinit(&document);
    return model;
}

static void check_series(const struct mr_sample_series *one, const struct mr_sample_series *other)
{
    assert_string_equal(one->field, other->field);
    assert_true(one->lowest == other->lowest && one->highest == other->highest);
    assert_int_equal(one->has_decimals, other->has_decimals);
    assert_int_equal(one->decimals, other->decimals);
    assert_int_equal(one->series.points, other->series.points);
    assert_true(one->series.level == other->series.level);
    assert_true(one->series.trend_per_hour == other->series.trend_per_hour);
    assert_true(one->series.noise_sd == other->series.noise_sd);
    assert_int_equal(one->series.seasons_count, other->series.seasons_count);
    for (uint32_t at = 0; at < one->series.seasons_count; at++)
        assert_memory_equal(&one->series.seasons[at], &other->series.seasons[at],
                            sizeof(one->series.seasons[at]));
}

static void what_is_written_is_read(void **state)
{
    MR_UNUSED(state);
    static const struct mr_sample_series series[] = {
        {.field = "a",
         .lowest = -7.25,
         .highest = 9,
         .has_decimals = true,
         .decimals = 2,
         .series = {.points = 1000,
                    .level = -1.5,
                    .trend_per_hour = 1e-9,
                    .noise_sd = 0.25,
                    .seasons_count = 2,
                    .seasons = {{.period_ms = 3600000, .amplitude = 2, .phase = 0.999},
                                {.period_ms = 60000.5, .amplitude = 1}}}},
        {.field = "b", .series = {.points = 40, .trend_per_hour = -2}}};
    struct mr_sample_observed observed = {
        .has_arrival = true,
        .arrival = {.kind = MR_ARRIVAL_JITTER, .gaps = 999, .rate = 4, .variation = 0.41},
        .begin_ms = -1234567890123,
        .key = "\"who\"",
        .keys = {.count = 12, .exponent = 1.25},
        .series_count = 2,
        .series = series};
    struct mr_sample_model *model = read_with(&observed);
    const struct mr_sample_observed *seen = mr_sample_model_observed(model);
    assert_int_equal(seen->arrival.kind, MR_ARRIVAL_JITTER);
    assert_int_equal(seen->arrival.gaps, 999);
    assert_true(seen->arrival.rate == 4 && seen->arrival.variation == 0.41);
    assert_int_equal(seen->begin_ms, -1234567890123);
    assert_null(seen->time);
    assert_string_equal(seen->key, "\"who\"");
    assert_int_equal(seen->keys.count, 12);
    assert_true(seen->keys.exponent == 1.25);
    assert_int_equal(seen->keys_origin, MR_SAMPLE_KEYS_DRAWN);
    assert_int_equal(seen->series_count, 2);
    check_series(&seen->series[0], &series[0]);
    check_series(&seen->series[1], &series[1]);
    mr_sample_model_destroy(model);

    observed = (struct mr_sample_observed){.has_arrival = true,
                                           .time = "a",
                                           .time_is_text = true,
                                           .key = "b",
                                           .keys = {.count = 5000},
                                           .keys_origin = MR_SAMPLE_KEYS_NUMBERS,
                                           .keys_first = -3};
    model = read_with(&observed);
    seen = mr_sample_model_observed(model);
    assert_string_equal(seen->time, "a");
    assert_true(seen->time_is_text);
    assert_int_equal(seen->keys_origin, MR_SAMPLE_KEYS_NUMBERS);
    assert_int_equal(seen->keys_first, -3);
    mr_sample_model_destroy(model);

    observed = (struct mr_sample_observed){.key = "b",
                                           .keys = {.count = 5000},
                                           .keys_origin = MR_SAMPLE_KEYS_TEXTS,
                                           .keys_prefix = "k\"-"};
    model = read_with(&observed);
    seen = mr_sample_model_observed(model);
    assert_false(seen->has_arrival);
    assert_string_equal(seen->keys_prefix, "k\"-");
    mr_sample_model_destroy(model);
}

static void nothing_seen_leaves_the_document_as_it_was(void **state)
{
    MR_UNUSED(state);
    struct mr_sample_observed observed = {0};
    struct mr_buffer document;
    mr_buffer_init(&document, 1 << 20);
    assert_int_equal(mr_buffer_append(&document, plain.data, plain.size), MR_OK);
    assert_int_equal(mr_sample_observed_write(&observed, &document, &error), MR_OK);
    assert_true(mr_slice_equal(mr_buffer_view(&plain), mr_buffer_view(&document)));
    mr_buffer_deinit(&document);
}

static void refuse(const char *member, const char *sentence)
{
    struct mr_sample_model *model;
    struct mr_buffer document;
    mr_buffer_init(&document, 1 << 20);
    assert_int_equal(mr_buffer_append(&document, plain.data, plain.size), MR_OK);
    while (document.data[document.size - 1] != '}')
        document.size--;
    document.size--;
    assert_int_equal(mr_buffer_append_text(&document, ","), MR_OK);
    assert_int_equal(mr_buffer_append_text(&document, member), MR_OK);
    assert_int_equal(mr_buffer_append_text(&document, "}"), MR_OK);
    assert_int_equal(mr_sample_model_read(mr_buffer_view(&document), &model, &error), MR_INVALID);
    if (strstr(error.message, sentence) == NULL)
        print_error("%s\n", error.message);
    assert_non_null(strstr(error.message, sentence));
    mr_buffer_deinit(&document);
}

#define ARRIVAL                                                                                    \
    "\"arrival\": {\"kind\": \"jitter\", \"rate\": 1, \"variation\": 0, \"gaps\": 3, "             \
    "\"begin_ms\": 0}"
#define SERIES(field, highest, seasons)                                                            \
    ARRIVAL ", \"seasons\": [{\"field\": \"" field "\", \"points\": 1, \"level\": 0, "             \
            "\"trend_per_hour\": 0, \"noise_sd\": 0, \"lowest\": 0, \"highest\": " highest         \
            ", \"seasons\": [" seasons "]}]"

static void wrong_members_are_refused(void **state)
{
    MR_UNUSED(state);
    refuse("\"arrival\": {\"kind\": \"daily\", \"rate\": 1, \"variation\": 0, \"gaps\": 3, "
           "\"begin_ms\": 0}",
           "the kind is none of regular, jitter and poisson");
    refuse("\"arrival\": {\"kind\": \"jitter\", \"rate\": -1, \"variation\": 0, \"gaps\": 3, "
           "\"begin_ms\": 0}",
           "rate");
    refuse("\"arrival\": {\"kind\": \"jitter\", \"rate\": 1, \"variation\": 0, \"gaps\": 3, "
           "\"begin_ms\": 1e16}",
           "begin_ms");
    refuse("\"arrival\": 3", "arrival");
    refuse("\"keys\": {\"field\": \"who\", \"count\": 3, \"exponent\": 11}", "exponent");
    refuse("\"keys\": {\"field\": \"who\", \"count\": 3, \"exponent\": 1, \"x\": 1}", "x");
    refuse("\"keys\": {\"field\": \"who\", \"count\": 3, \"exponent\": 1, \"first\": 1}",
           "the field is none of the model's");
    refuse("\"keys\": {\"field\": \"a\", \"count\": 3, \"exponent\": 1, \"first\": 1, "
           "\"prefix\": \"\"}",
           "with a prefix or numbers from a first");
    refuse("\"keys\": {\"field\": \"a\", \"count\": 0, \"exponent\": 1, \"first\": 1}",
           "the count is 0");
    refuse(ARRIVAL ", \"time\": {\"field\": \"nobody\", \"form\": \"ms\"}",
           "the field is none of the model's");
    refuse(ARRIVAL ", \"time\": {\"field\": \"a\", \"form\": \"s\"}", "neither ms nor text");
    refuse("\"time\": {\"field\": \"a\", \"form\": \"ms\"}", "need arrival");
    refuse(SERIES("nobody", "1", ""), "the field is none of the model's");
    refuse(SERIES("a", "-1", ""), "highest");
    refuse(SERIES("a", "1", "{\"period_ms\": 1, \"amplitude\": 1, \"phase\": 2}"), "phase");
    refuse(SERIES("a", "1", "{\"period_ms\": 0, \"amplitude\": 1, \"phase\": 0}"), "period_ms");
    refuse(SERIES("a", "1", "1, 2, 3, 4"), "seasons");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(nothing_seen_leaves_the_document_as_it_was),
        cmocka_unit_test(wrong_members_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
