/* tests/unit/operators/test_sample_model_bootstrap.c — samples of rows as documents: they draw what
 * the state draws, say that they hold rows, and damaged ones are refused or draw finite values. */
#include "operators/sample_model_bootstrap.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/copula_sampler.h"
#include "tests/support/copula_rows.h"

enum { ROWS = 256, DAMAGES = 2000, RESERVOIR = 60, LEARNED = 1024 };

static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
static struct mr_bootstrap model;
static struct mr_buffer document;
static struct mr_arena arena;
static struct mr_error error;

static int setup(void **state)
{
    MR_UNUSED(state);
    struct copula_rows rows;
    struct mr_bootstrap_work work;
    struct mr_bootstrap_noise noise = {.bandwidth = 0.3, .flip = 0.1};
    copula_rows_make(&rows, LEARNED, 3, 0);
    mr_bootstrap_create(&model, &(struct mr_copula_shape){.columns_count = COPULA_ROWS_COLUMNS,
                                                          .reservoir_rows = RESERVOIR,
                                                          .seed = 3});
    mr_bootstrap_work_create(&work, COPULA_ROWS_COLUMNS);
    for (uint32_t row = 0; row < LEARNED; row += ROWS)
        mr_bootstrap_learn(&model, &work, rows.cells + (size_t)row * COPULA_ROWS_COLUMNS, ROWS,
                           0.4);
    mr_bootstrap_work_destroy(&work);
    copula_rows_free(&rows);
    mr_buffer_init(&document, 1 << 20);
    mr_arena_init(&arena, 1 << 16);
    return mr_sample_bootstrap_write(&model, noise, "shop/people", 4, names, &document, &error);
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_arena_deinit(&arena);
    mr_buffer_deinit(&document);
    mr_bootstrap_destroy(&model);
    return 0;
}

static struct mr_sample_model *read_document(void)
{
    struct mr_sample_model *read;
    if (mr_sample_model_read(mr_buffer_view(&document), &read, &error) != MR_OK)
        fail_msg("%s", error.message);
    return read;
}

/* Rows of the document under conditions beside those of the state. */
static void compare(const char *conditions, const struct mr_copula_condition *own,
                    uint32_t own_count)
{
    static struct mr_value cells[COPULA_ROWS_COLUMNS * ROWS];
    double numbers[COPULA_ROWS_COLUMNS * MR_COPULA_SAMPLE_ROWS];
    struct mr_sample_model *read = read_document();
    struct mr_sample *sample;
    struct mr_bootstrap_sampler sampler;
    assert_int_equal(mr_sample_open(read, mr_slice_text(conditions), 9, &sample, &error), MR_OK);
    mr_bootstrap_sampler_create(&sampler, &model.shape,
                                (struct mr_bootstrap_noise){.bandwidth = 0.3, .flip = 0.1});
    assert_int_equal(mr_bootstrap_sampler_make(&sampler, &model, own, own_count, &error), MR_OK);
    assert_true(sampler.probability == mr_sample_probability(sample));
    mr_sample_cells(sample, 40, ROWS, &arena, cells);
    for (uint32_t row = 0; row < ROWS; row++) {
        if (row % MR_COPULA_SAMPLE_ROWS == 0)
            mr_bootstrap_sample(&sampler, &model, 9, 40 + row, MR_COPULA_SAMPLE_ROWS, numbers);
        for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS; column++) {
            struct mr_value cell = mr_copula_cell(
                &model.columns[column],
                numbers[column * MR_COPULA_SAMPLE_ROWS + row % MR_COPULA_SAMPLE_ROWS], 40 + row,
                &arena);
            assert_int_equal(cell.kind, cells[column * ROWS + row].kind);
            assert_true(mr_value_equal(cell, cells[column * ROWS + row]));
        }
    }
    mr_bootstrap_sampler_destroy(&sampler);
    mr_sample_close(sample);
    mr_sample_model_destroy(read);
}

static void a_document_draws_what_the_state_draws(void **state)
{
    MR_UNUSED(state);
    static const char *const texts[] = {"beta", "delta"};
    const struct mr_copula_condition own[] = {
        {.column = 1, .name = "b", .lowest = 25, .highest = 60, .highest_is_out = true},
        {.column = 2, .name = "c", .texts = texts, .texts_count = 2},
    };
    compare("", NULL, 0);
    compare("{\"b\": {\"gte\": 25, \"lt\": 60}}", own, 1);
    compare("{\"b\": {\"gte\": 25, \"lt\": 60}, \"c\": {\"in\": [\"beta\", \"delta\"]}}", own, 2);
}

static void it_says_that_it_holds_rows(void **state)
{
    MR_UNUSED(state);
    struct mr_sample_model *read = read_document();
    const struct mr_sample_facts *facts = mr_sample_model_facts(read);
    char *text = mr_arena_copy_bytes_text(&arena, document.data, document.size);
    assert_non_null(strstr(text, "\"holds_rows\": true"));
    assert_true(facts->holds_rows);
    assert_string_equal(facts->type, "bootstrap");
    assert_string_equal(facts->name, "shop/people");
    assert_int_equal(facts->version, 4);
    assert_true(facts->rows == LEARNED);
    assert_true(facts->effective_rows == mr_bootstrap_effective_rows(&model));
    assert_true(mr_sample_model_has_texts(read, "c"));
    assert_true(mr_sample_model_has_texts(read, "f")); /* a date */
    assert_false(mr_sample_model_has_texts(read, "b"));
    assert_false(mr_sample_model_has_texts(read, "d"));
    mr_sample_model_destroy(read);
}

/* In a document of one field of each sort; %s: what differs. */
static enum mr_status read_odd(const char *holds, const char *fields, const char *sample)
{
    struct mr_sample_model *read;
    const char *text = mr_arena_format(
        &arena,
        "{\"millrace_model\": 1, \"type\": \"bootstrap\", \"name\": \"x\", \"version\": 1, "
        "\"rows\": 2, \"effective_rows\": 2, %s \"flip\": 0, \"fields\": [%s], \"sample\": [%s]}",
        holds, fields, sample);
    enum mr_status status = mr_sample_model_read(mr_slice_text(text), &read, &error);
    mr_sample_model_destroy(read);
    return status;
}

static void wrong_documents_are_refused(void **state)
{
    MR_UNUSED(state);
#define HOLDS "\"holds_rows\": true,"
#define NUMBER "{\"name\": \"a\", \"kind\": \"number\"}"
#define TEXT "{\"name\": \"a\", \"kind\": \"category\", \"categories\": [\"x\", \"y\"]}"
    static const struct {
        const char *holds;
        const char *fields;
        const char *sample;
        const char *message;
    } cases[] = {
        {"", NUMBER, "[1, 2]", "holds_rows"},
        {"\"holds_rows\": false,", NUMBER, "[1, 2]", "it must be true"},
        {HOLDS "\"noise\": -1,", NUMBER, "[1, 2]", "noise"},
        {HOLDS "\"more\": 1,", NUMBER, "[1, 2]", "more"},
        {HOLDS, NUMBER, "", "no row has a weight above 0"},
        {HOLDS, NUMBER, "[0, 2]", "no row has a weight above 0"},
        {HOLDS, NUMBER, "[1]", "a list of 2 is wanted"},
        {HOLDS, NUMBER, "[-1, 2]", "sample[0][0]"},
        {HOLDS, NUMBER, "[1, \"x\"]", "sample[0][1]"},
        {HOLDS, NUMBER, "[1, 2], [1, 1e200]", "sample[1][1]"},
        {HOLDS, TEXT, "[1, 2]", "sample[0][1]"},
        {HOLDS, TEXT, "[1, 0.5]", "a whole number is wanted"},
        {HOLDS, TEXT, "[1, -2]", "sample[0][1]"},
        {HOLDS, "{\"name\": \"a\", \"kind\": \"category\", \"categories\": [\"x\", \"x\"]}",
         "[1, 0]", "the category is there already"},
        {HOLDS, "{\"name\": \"a\", \"kind\": \"boolean\", \"decimals\": 1}", "[1, 0]", "decimals"},
        {HOLDS, "{\"name\": \"a\", \"kind\": \"identifier\", \"prefix\": \"c\"}", "[1, 5]",
         "sample[0][1]"},
        {HOLDS, "{\"name\": \"a\", \"kind\": \"unknown\"}", "[1, 5]", "null is wanted"},
    };
    for (size_t at = 0; at < MR_ARRAY_COUNT(cases); at++) {
        assert_int_equal(read_odd(cases[at].holds, cases[at].fields, cases[at].sample), MR_INVALID);
        if (strstr(error.message, cases[at].message) == NULL)
            fail_msg("%zu: %s", at, error.message);
    }
    assert_int_equal(read_odd(HOLDS, TEXT, "[1, -1], [0, 1], [0.5, null]"), MR_OK);
}

static void nothing_learned_is_no_document(void **state)
{
    MR_UNUSED(state);
    struct mr_bootstrap empty;
    struct mr_buffer small;
    mr_bootstrap_create(&empty, &model.shape);
    mr_buffer_init(&small, 1000);
    assert_int_equal(mr_sample_bootstrap_write(&empty, (struct mr_bootstrap_noise){0}, "x", 0,
                                               names, &small, &error),
                     MR_INVALID);
    assert_int_equal(mr_sample_bootstrap_write(&model, (struct mr_bootstrap_noise){0}, "x", 0,
                                               names, &small, &error),
                     MR_LIMIT);
    mr_buffer_deinit(&small);
    mr_bootstrap_destroy(&empty);
}

/* Draw from what was read; nothing is NaN or infinite. */
static void draw_all(const struct mr_sample_model *read)
{
    static struct mr_value cells[MR_SAMPLE_FIELDS_MAX * MR_SAMPLE_ROWS];
    struct mr_sample *sample;
    uint32_t count = mr_sample_model_facts(read)->fields_count * MR_SAMPLE_ROWS;
    assert_int_equal(mr_sample_open(read, mr_slice_text(""), 1, &sample, &error), MR_OK);
    mr_sample_cells(sample, 0, MR_SAMPLE_ROWS, &arena, cells);
    for (uint32_t at = 0; at < count; at++)
        assert_true(cells[at].kind != MR_KIND_DOUBLE || isfinite(cells[at].number));
    mr_sample_close(sample);
    mr_arena_reset(&arena);
}

/* Cut at every place it is refused; with bytes changed it is refused or draws finite values. */
static void damaged_documents_do_no_harm(void **state)
{
    MR_UNUSED(state);
    static const char bytes[] = "0159-+eE.,:[]{}\"nt \\";
    struct mr_random random;
    uint32_t accepted = 0;
    struct mr_sample_model *read;
    uint8_t *copy = mr_memory_new(document.size, 1);
    mr_random_init(&random, 4, 0);
    for (size_t cut = 0; cut + 2 < document.size; cut += 97)
        assert_int_equal(mr_sample_model_read(mr_slice_from(document.data, cut), &read, &error),
                         MR_INVALID);
    for (uint32_t damage = 0; damage < DAMAGES; damage++) {
        memcpy(copy, document.data, document.size);
        for (uint64_t left = 1 + mr_random_below(&random, 3); left > 0; left--)
            copy[mr_random_below(&random, document.size)] =
                (uint8_t)bytes[mr_random_below(&random, sizeof(bytes) - 1)];
        enum mr_status status =
            mr_sample_model_read(mr_slice_from(copy, document.size), &read, &error);
        assert_true(status == MR_OK || status == MR_INVALID);
        if (status != MR_OK)
            continue;
        accepted++;
        draw_all(read);
        mr_sample_model_destroy(read);
    }
    assert_true(accepted > DAMAGES / 20 && accepted < DAMAGES);
    mr_memory_free(copy);
}

/* Weights from the least to the greatest, numbers at their bounds. */
static void extreme_samples_are_drawn(void **state)
{
    MR_UNUSED(state);
    static const char text[] =
        "{\"millrace_model\": 1, \"type\": \"bootstrap\", \"name\": \"\", \"version\": 0, "
        "\"rows\": 9007199254740992, \"effective_rows\": 1, \"holds_rows\": true, \"noise\": 10, "
        "\"flip\": 1, \"fields\": [{\"name\": \"a\", \"kind\": \"number\"}, {\"name\": \"b\", "
        "\"kind\": \"timestamp\", \"decimals\": 9}, {\"name\": \"c\", \"kind\": \"category\", "
        "\"categories\": [\"\"]}, {\"name\": \"d\", \"kind\": \"date\"}, {\"name\": \"e\", "
        "\"kind\": \"time\"}], \"sample\": [[5e-324, -1e140, -9223372036, -1, -4e6, -1e12], "
        "[1e18, 1e140, 9223372036, 0, 4e6, 1e12], [1e-300, 5e-324, -0.0, null, 0, 0.5], "
        "[1, null, null, -1, null, null]]}";
    struct mr_sample_model *read;
    if (mr_sample_model_read(mr_slice_text(text), &read, &error) != MR_OK)
        fail_msg("%s", error.message);
    draw_all(read);
    mr_sample_model_destroy(read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_draws_what_the_state_draws),
        cmocka_unit_test(it_says_that_it_holds_rows),
        cmocka_unit_test(wrong_documents_are_refused),
        cmocka_unit_test(nothing_learned_is_no_document),
        cmocka_unit_test(damaged_documents_do_no_harm),
        cmocka_unit_test(extreme_samples_are_drawn),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
