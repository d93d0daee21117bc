/* tests/unit/operators/test_network_sample.c — records of a small network: byte for byte those of
 * the reference (tests/support/network_reference.py), in any number, and under conditions. */
#include "operators/network.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "operators/sample_model.h"
#include "record/json_value.h"
#include "tests/support/network_file.h"

enum { SEED = 7 };

static struct mr_sample_model *model;
static struct mr_error error;

static int setup(void **state)
{
    MR_UNUSED(state);
    char *document = network_file_read("network_model.json");
    assert_int_equal(mr_sample_model_read(mr_slice_text(document), &model, &error), MR_OK);
    mr_memory_free(document);
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_sample_model_destroy(model);
    return 0;
}

static struct mr_sample *open_sample(const char *conditions)
{
    struct mr_sample *sample;
    assert_int_equal(mr_sample_open(model, mr_slice_text(conditions), SEED, &sample, &error),
                     MR_OK);
    return sample;
}

/* The two texts are the same records; numbers may be written differently (3 and 3.0). */
static void assert_same_records(const char *found, const char *expected, uint32_t rows_count)
{
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    for (uint32_t row = 0; row < rows_count; row++) {
        struct mr_value values[2];
        const char *texts[2] = {found, expected};
        for (int side = 0; side < 2; side++) {
            size_t size = strcspn(texts[side], "\n");
            assert_int_equal(mr_json_parse(mr_slice_from(texts[side], size), NULL, &arena,
                                           &values[side], &error),
                             MR_OK);
        }
        if (!mr_value_equal(values[0], values[1]))
            fail_msg("record %u is %.120s and not %.120s", row, texts[0], texts[1]);
        found += strcspn(found, "\n") + 1;
        expected += strcspn(expected, "\n") + 1;
    }
    mr_arena_deinit(&arena);
}

static char *rows_text(struct mr_sample *sample, uint64_t first, uint32_t rows_count)
{
    struct mr_buffer output;
    mr_buffer_init(&output, 1 << 20);
    assert_int_equal(mr_sample_write(sample, first, rows_count, NULL, "\n", &output), MR_OK);
    char *text = mr_memory_copy_bytes(output.data, output.size);
    mr_buffer_deinit(&output);
    return text;
}

static void records_are_the_references(void **state)
{
    MR_UNUSED(state);
    struct mr_sample *sample = open_sample("");
    char *expected = network_file_read("network_rows.jsonl");
    char *found = rows_text(sample, 0, 300);
    assert_true(mr_sample_probability(sample) == 1);
    assert_same_records(found, expected, 300);
    /* Any cut makes the same. */
    char *part = rows_text(sample, 101, 7);
    const char *place = found;
    for (int row = 0; row < 101; row++)
        place = strchr(place, '\n') + 1;
    assert_memory_equal(part, place, strlen(part));
    mr_memory_free(part);
    mr_memory_free(found);
    mr_memory_free(expected);
    mr_sample_close(sample);
}

static void conditions_are_the_references(void **state)
{
    MR_UNUSED(state);
    struct mr_sample *sample = open_sample("{\"kind\": \"rare\", \"size\": {\"gte\": 5, \"lt\": "
                                           "60}, \"count\": {\"in\": [3, 4, 5, 6]}}");
    char *expected = network_file_read("network_conditions.jsonl");
    char *found = rows_text(sample, 0, 100);
    assert_same_records(found, strchr(expected, '\n') + 1, 100);
    const char *probability = strstr(expected, "\"probability\": ") + strlen("\"probability\": ");
    assert_true(fabs(mr_sample_probability(sample) - strtod(probability, NULL)) < 1e-12);
    char *single = rows_text(sample, 42, 1);
    const char *place = found;
    for (int row = 0; row < 42; row++)
        place = strchr(place, '\n') + 1;
    assert_memory_equal(single, place, strlen(single));
    mr_memory_free(single);
    mr_memory_free(found);
    mr_memory_free(expected);
    mr_sample_close(sample);
}

/* Conditions of all kinds hold in every record. */
static void conditions_hold(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *conditions;
        const char *never; /* in no record */
        double lowest;     /* of the probability */
        double highest;
    } cases[] = {
        {"{\"kind\": {\"in\": [\"often\", \"rare\"]}}", "\"kind\":null", 0.6, 0.93},
        {"{\"ok\": true}", "\"ok\":false", 0.1, 0.25},
        {"{\"class\": {\"gt\": 2.5}}", "\"class\":2.5", 0.02, 0.1},
        {"{\"class\": 3}", "\"class\":2.5", 0.02, 0.1},
        {"{\"size\": {\"gt\": 0}}", "\"size\":-", 0.1, 1},
        {"{\"count\": {\"lte\": -1}}", "\"count\":1", 0.0001, 0.9},
    };
    for (size_t at = 0; at < MR_ARRAY_COUNT(cases); at++) {
        struct mr_sample *sample = open_sample(cases[at].conditions);
        char *found = rows_text(sample, 0, 200);
        assert_null(strstr(found, cases[at].never));
        assert_in_range((uint64_t)(mr_sample_probability(sample) * 1e6),
                        (uint64_t)(cases[at].lowest * 1e6), (uint64_t)(cases[at].highest * 1e6));
        mr_memory_free(found);
        mr_sample_close(sample);
    }
}

static void impossible_conditions_are_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *conditions;
        const char *sentence;
    } cases[] = {
        {"{\"kind\": \"never\"}",
         "the condition on field kind: it is impossible: none of the 3 categories meets it"},
        {"{\"kind\": {\"gt\": 3}}",
         "the condition on field kind: it is impossible: none of the 3 categories meets it; bounds "
         "are met by numbers alone"},
        {"{\"size\": {\"gt\": 1000}}",
         "the condition on field size: it is impossible: the network makes no such number (its "
         "first mode is 10 +- 8)"},
        {"{\"count\": 2.5, \"kind\": \"rare\"}", "the conditions are too rare: 0 of 16384 records"},
        {"{\"size\": \"large\"}", "the condition on field size: a number is wanted"},
        {"{\"size\": {\"gt\": \"large\"}}", "the condition on field size: a text bounds no number"},
    };
    for (size_t at = 0; at < MR_ARRAY_COUNT(cases); at++) {
        struct mr_sample *sample;
        assert_int_equal(
            mr_sample_open(model, mr_slice_text(cases[at].conditions), SEED, &sample, &error),
            MR_INVALID);
        assert_null(sample);
        assert_memory_equal(error.message, cases[at].sentence, strlen(cases[at].sentence));
    }
}

/* All digits of numbers without `decimals`, with any compiler on any machine. */
static void bits_do_not_change(void **state)
{
    MR_UNUSED(state);
    struct mr_sample_model *changed;
    struct mr_sample *sample;
    struct mr_buffer output;
    char *document = network_file_changed("\"decimals\": 3,", "");
    assert_int_equal(mr_sample_model_read(mr_slice_text(document), &changed, &error), MR_OK);
    assert_int_equal(mr_sample_open(changed, mr_slice_text(""), SEED, &sample, &error), MR_OK);
    mr_buffer_init(&output, 1 << 20);
    assert_int_equal(mr_sample_write(sample, 0, 2000, NULL, NULL, &output), MR_OK);
    assert_int_equal(mr_hash64(mr_buffer_view(&output)), UINT64_C(0x533aeadfcc59a61a));
    mr_buffer_deinit(&output);
    mr_sample_close(sample);
    mr_sample_model_destroy(changed);
    mr_memory_free(document);
}

/* Numbers of records that are far away are numbers, too. */
static void numbers_are_finite(void **state)
{
    MR_UNUSED(state);
    struct mr_sample *sample = open_sample("");
    struct mr_arena arena;
    struct mr_value cells[6 * 64];
    mr_arena_init(&arena, 1 << 12);
    mr_sample_cells(sample, (uint64_t)1 << 60, 64, &arena, cells);
    for (size_t at = 0; at < MR_ARRAY_COUNT(cells); at++) {
        double number;
        assert_true(!mr_value_as_double(cells[at], &number) || isfinite(number));
    }
    mr_arena_deinit(&arena);
    mr_sample_close(sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_the_references),
        cmocka_unit_test(conditions_are_the_references),
        cmocka_unit_test(conditions_hold),
        cmocka_unit_test(impossible_conditions_are_refused),
        cmocka_unit_test(bits_do_not_change),
        cmocka_unit_test(numbers_are_finite),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
