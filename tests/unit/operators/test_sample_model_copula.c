/* tests/unit/operators/test_sample_model_copula.c — copulas as documents: they draw what the state
 * draws, hold no row, and damaged ones are refused or draw finite values. */
#include "operators/sample_model_copula.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/copula_condition.h"
#include "tests/support/copula_rows.h"

enum { ROWS = 256, DAMAGES = 3000 };

static struct copula_fixture fixture;
static struct mr_buffer document;
static struct mr_arena arena;
static struct mr_error error;

static int setup(void **state)
{
    MR_UNUSED(state);
    struct copula_rows rows;
    copula_rows_make(&rows, 3000, 3, 0);
    copula_fixture_open(&fixture, 500);
    copula_fixture_learn(&fixture, &rows, 256, 1e-3);
    copula_rows_free(&rows);
    mr_buffer_init(&document, 1 << 20);
    copula_fixture_document(&fixture, &document);
    mr_arena_init(&arena, 1 << 16);
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_arena_deinit(&arena);
    mr_buffer_deinit(&document);
    copula_fixture_close(&fixture);
    return 0;
}

static struct mr_sample_model *read_document(void)
{
    struct mr_sample_model *model;
    if (mr_sample_model_read(mr_buffer_view(&document), &model, &error) != MR_OK)
        fail_msg("%s", error.message);
    return model;
}

/* Rows of the document under conditions beside those of the state. */
static void compare(const char *conditions, const struct mr_copula_condition *own,
                    uint32_t own_count)
{
    static struct mr_value cells[COPULA_ROWS_COLUMNS * ROWS];
    double numbers[COPULA_ROWS_COLUMNS * MR_COPULA_SAMPLE_ROWS];
    struct mr_sample_model *model = read_document();
    struct mr_sample *sample;
    struct mr_copula_sampler sampler;
    assert_int_equal(mr_sample_open(model, mr_slice_text(conditions), 9, &sample, &error), MR_OK);
    mr_copula_sampler_create(&sampler, COPULA_ROWS_COLUMNS, own, own_count);
    assert_int_equal(mr_copula_sampler_make(&sampler, &fixture.model, &fixture.work, &error),
                     MR_OK);
    assert_true(mr_copula_sampler_probability(&sampler) == mr_sample_probability(sample));
    mr_sample_cells(sample, 40, ROWS, &arena, cells);
    for (uint32_t row = 0; row < ROWS; row++) {
        if (row % MR_COPULA_SAMPLE_ROWS == 0)
            mr_copula_sample(&sampler, &fixture.model, 9, 40 + row, MR_COPULA_SAMPLE_ROWS, numbers);
        for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS; column++) {
            struct mr_value cell = mr_copula_cell(
                &fixture.model.columns[column],
                numbers[column * MR_COPULA_SAMPLE_ROWS + row % MR_COPULA_SAMPLE_ROWS], 40 + row,
                &arena);
            assert_int_equal(cell.kind, cells[column * ROWS + row].kind);
            assert_true(mr_value_equal(cell, cells[column * ROWS + row]));
        }
    }
    mr_copula_sampler_destroy(&sampler);
    mr_sample_close(sample);
    mr_sample_model_destroy(model);
}

static void a_document_draws_what_the_state_draws(void **state)
{
    MR_UNUSED(state);
    static const char *const texts[] = {"beta", "delta"};
    static const char *const yes[] = {"true"};
    const struct mr_copula_condition own[] = {
        {.column = 1, .name = "b", .lowest = 30, .highest = 50, .highest_is_out = true},
        {.column = 2, .name = "c", .texts = texts, .texts_count = 2},
        {.column = 3, .name = "d", .texts = yes, .texts_count = 1},
        {.column = 5, .name = "f", .lowest = 20518, .highest = INFINITY},
    };
    compare("", NULL, 0);
    compare("{\"b\": {\"gte\": 30, \"lt\": 50}}", own, 1);
    compare("{\"b\": {\"gte\": 30, \"lt\": 50}, \"c\": {\"in\": [\"beta\", \"delta\"]}, "
            "\"d\": true, \"f\": {\"gte\": \"2026-03-06\"}}",
            own, 4);
}

/* Two fields that are the same have an indefinite matrix: it is repaired when the document is read,
 * and the rows are those of the state all the same. */
static void an_indefinite_matrix_is_repaired_once(void **state)
{
    MR_UNUSED(state);
    const struct mr_copula_condition own[] = {
        {.column = 1, .name = "b", .lowest = 30, .highest = 50, .highest_is_out = true}};
    struct copula_rows rows;
    copula_rows_make(&rows, 2000, 4, 0);
    for (uint32_t row = 0; row < rows.count; row++)
        rows.cells[(size_t)row * COPULA_ROWS_COLUMNS + 4] =
            rows.cells[(size_t)row * COPULA_ROWS_COLUMNS];
    (void)teardown(NULL);
    copula_fixture_open(&fixture, 500);
    copula_fixture_learn(&fixture, &rows, 256, 1e-3);
    copula_rows_free(&rows);
    mr_buffer_init(&document, 1 << 20);
    copula_fixture_document(&fixture, &document);
    mr_arena_init(&arena, 1 << 16);
    struct mr_sample_model *model = read_document();
    const struct mr_sample_copula *copula = mr_sample_model_copula(model);
    assert_ptr_not_equal(copula->definite, copula->correlations);
    assert_true(fabs(copula->definite[copula->latents_count] -
                     copula->correlations[copula->latents_count]) < 0.01);
    mr_sample_model_destroy(model);
    compare("", NULL, 0);
    compare("{\"b\": {\"gte\": 30, \"lt\": 50}}", own, 1);
    (void)teardown(NULL);
    (void)setup(NULL);
}

static void distributions_are_read_as_they_are(void **state)
{
    MR_UNUSED(state);
    struct mr_sample_model *model = read_document();
    const struct mr_sample_copula *own = mr_sample_model_copula(model);
    assert_non_null(own);
    for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS; column++) {
        const struct mr_copula_column *one = &own->model.columns[column];
        const struct mr_copula_column *other = &fixture.model.columns[column];
        assert_int_equal(one->kind, other->kind);
        assert_int_equal(one->marginal.bins_count, other->marginal.bins_count);
        assert_memory_equal(one->marginal.bins, other->marginal.bins,
                            one->marginal.bins_count * sizeof(one->marginal.bins[0]));
        assert_int_equal(one->map.bins_count, other->map.bins_count);
        assert_memory_equal(one->map.edges, other->map.edges,
                            (one->map.bins_count + 1) * sizeof(one->map.edges[0]));
    }
    mr_sample_model_destroy(model);
}

/* Numbers of the reservoir that no distribution has by itself are not in the text. */
static void no_row_is_in_a_document(void **state)
{
    MR_UNUSED(state);
    uint32_t found = 0;
    uint32_t looked = 0;
    char *text = mr_arena_copy_bytes_text(&arena, document.data, document.size);
    const struct mr_marginal *marginal = &fixture.model.columns[0].marginal;
    for (uint32_t row = 0; row < fixture.model.kept; row++) {
        char number[32];
        double value = fixture.model.reservoir[row * (COPULA_ROWS_COLUMNS + 1) + 1];
        bool is_edge = false;
        for (uint32_t bin = 0; bin < marginal->bins_count; bin++)
            is_edge = is_edge || marginal->bins[bin].lowest == value ||
                      marginal->bins[bin].highest == value;
        if (is_edge)
            continue;
        snprintf(number, sizeof(number), "%.15g", value);
        looked++;
        found += strstr(text, number) != NULL;
    }
    assert_true(looked > 100);
    assert_int_equal(found, 0);
}

static void identifiers_leave_their_prefix(void **state)
{
    MR_UNUSED(state);
    enum { COUNT = 40 };
    static const char *const fields[] = {"id"};
    struct mr_copula_shape shape = {.columns_count = 1, .reservoir_rows = 16};
    struct mr_copula model;
    struct mr_copula_work work;
    struct mr_value cells[COUNT];
    struct mr_buffer output;
    struct mr_sample_model *read;
    struct mr_sample *sample;
    struct mr_value drawn;
    mr_copula_create(&model, &shape);
    mr_copula_work_create(&work, 1);
    mr_buffer_init(&output, 1 << 16);
    assert_int_equal(mr_sample_copula_write(&model, &work, "x", 0, fields, &output, &error),
                     MR_INVALID);
    for (int row = 0; row < COUNT; row++)
        cells[row] =
            mr_value_string(mr_slice_text(mr_arena_format(&arena, "customer-%d", 4711000 + row)));
    mr_copula_learn(&model, &work, cells, COUNT, 0);
    assert_int_equal(model.columns[0].kind, MR_COPULA_IDENTIFIER);
    assert_int_equal(mr_sample_copula_write(&model, &work, "x", 1, fields, &output, &error), MR_OK);
    char *text = mr_arena_copy_bytes_text(&arena, output.data, output.size);
    assert_non_null(strstr(text, "\"prefix\": \"customer-\""));
    assert_null(strstr(text, "4711"));
    assert_int_equal(mr_sample_model_read(mr_buffer_view(&output), &read, &error), MR_OK);
    assert_int_equal(mr_sample_open(read, mr_slice_text(""), 1, &sample, &error), MR_OK);
    mr_sample_cells(sample, 12, 1, &arena, &drawn);
    assert_true(mr_value_equal(drawn, mr_value_string(mr_slice_text("customer-000000000012"))));
    mr_sample_close(sample);
    assert_int_equal(mr_sample_open(read, mr_slice_text("{\"id\": \"a\"}"), 1, &sample, &error),
                     MR_INVALID);
    assert_string_equal(error.message, "the condition on field id: it is an identifier, which is "
                                       "made anew for each row");
    mr_sample_model_destroy(read);
    mr_buffer_deinit(&output);
    mr_copula_work_destroy(&work);
    mr_copula_destroy(&model);
}

static void wrong_conditions_are_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *conditions;
        const char *message;
    } cases[] = {
        {"{\"b\": \"thirty\"}", "the condition on field b: it is a number, give numbers"},
        {"{\"b\": {\"in\": [1, \"2\"]}}", "the condition on field b: it is a number, give numbers"},
        {"{\"b\": {\"in\": [1, 2]}}",
         "the condition on field b is impossible: no such value was learned"},
        {"{\"c\": {\"gte\": \"a\"}}", "the condition on field c: it is a category, which has no "
                                      "bounds: give a value, or a set by in"},
        {"{\"c\": 5}", "the condition on field c: it is a category, give texts"},
        {"{\"c\": \"omega\"}", "the condition on field c is impossible: no such value was learned"},
        {"{\"d\": \"true\"}", "the condition on field d: it is a boolean, give true or false"},
        {"{\"f\": {\"gte\": 5}}",
         "the condition on field f: it is a date, give texts like \"2026-01-28\""},
        {"{\"f\": {\"gte\": \"2027-01-01\"}}",
         "the condition on field f is impossible: no such value was learned"},
    };
    struct mr_sample_model *model = read_document();
    for (size_t at = 0; at < MR_ARRAY_COUNT(cases); at++) {
        struct mr_sample *sample;
        assert_int_equal(
            mr_sample_open(model, mr_slice_text(cases[at].conditions), 1, &sample, &error),
            MR_INVALID);
        assert_null(sample);
        assert_string_equal(error.message, cases[at].message);
    }
    mr_sample_model_destroy(model);
}

/* Draw from what was read; nothing is NaN or infinite. */
static void draw_all(const struct mr_sample_model *model)
{
    static struct mr_value cells[MR_SAMPLE_FIELDS_MAX * MR_SAMPLE_ROWS];
    struct mr_sample *sample;
    uint32_t count = mr_sample_model_facts(model)->fields_count * MR_SAMPLE_ROWS;
    assert_int_equal(mr_sample_open(model, mr_slice_text(""), 1, &sample, &error), MR_OK);
    mr_sample_cells(sample, 0, MR_SAMPLE_ROWS, &arena, cells);
    for (uint32_t at = 0; at < count; at++)
        assert_true(cells[at].kind != MR_KIND_DOUBLE || isfinite(cells[at].number));
    mr_sample_close(sample);
    if (mr_sample_open(model, mr_slice_text("{\"b\": {\"gt\": 41.5}}"), 1, &sample, &error) ==
        MR_OK) {
        mr_sample_cells(sample, 0, MR_SAMPLE_ROWS, &arena, cells);
        mr_sample_close(sample);
    }
    mr_arena_reset(&arena);
}

/* Cut at every place it is refused; with bytes changed it is refused or draws finite values. */
static void damaged_documents_do_no_harm(void **state)
{
    MR_UNUSED(state);
    static const char bytes[] = "0159-+eE.,:[]{}\"nt \\";
    struct mr_random random;
    uint32_t accepted = 0;
    struct mr_sample_model *model;
    uint8_t *copy = mr_memory_new(document.size, 1);
    mr_random_init(&random, 4, 0);
    for (size_t cut = 0; cut + 2 < document.size; cut += 97)
        assert_int_equal(mr_sample_model_read(mr_slice_from(document.data, cut), &model, &error),
                         MR_INVALID);
    for (uint32_t damage = 0; damage < DAMAGES; damage++) {
        memcpy(copy, document.data, document.size);
        for (uint64_t left = 1 + mr_random_below(&random, 3); left > 0; left--)
            copy[mr_random_below(&random, document.size)] =
                (uint8_t)bytes[mr_random_below(&random, sizeof(bytes) - 1)];
        enum mr_status status =
            mr_sample_model_read(mr_slice_from(copy, document.size), &model, &error);
        assert_true(status == MR_OK || status == MR_INVALID);
        if (status != MR_OK)
            continue;
        accepted++;
        draw_all(model);
        mr_sample_model_destroy(model);
    }
    assert_true(accepted > DAMAGES / 20 && accepted < DAMAGES);
    mr_memory_free(copy);
}

static void extreme_numbers_are_drawn(void **state)
{
    MR_UNUSED(state);
    static const char text[] =
        "{\"millrace_model\": 1, \"type\": \"copula\", \"name\": \"\", \"version\": 0, \"rows\": "
        "9007199254740992, \"effective_rows\": 1e14, \"weight\": 1e14, \"squared_weights\": 1e14, "
        "\"fields\": [{\"name\": \"a\", \"kind\": \"number\", \"missing\": 0, \"bins\": [[-1e140, "
        "1e140, 1e18], [1e140, 1e140, 5e-324]]}, {\"name\": \"b\", \"kind\": \"timestamp\", "
        "\"decimals\": 9, \"missing\": 0, \"bins\": [[-9223372036, 9223372036, 1e-300]]}, "
        "{\"name\": \"c\", \"kind\": \"category\", \"missing\": 0, \"categories\": [{\"value\": "
        "\"x\", \"weight\": 1}, {\"value\": \"\", \"weight\": 1}, {\"value\": \"lost\", "
        "\"weight\": 1e-40}]}], \"correlations\": {\"values\": [\"a\", \"b\", \"c\"], "
        "\"missingness\": [], \"matrix\": [[], [1], [-1, 1]]}}";
    struct mr_sample_model *model;
    if (mr_sample_model_read(mr_slice_text(text), &model, &error) != MR_OK)
        fail_msg("%s", error.message);
    draw_all(model);
    mr_sample_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_draws_what_the_state_draws),
        cmocka_unit_test(an_indefinite_matrix_is_repaired_once),
        cmocka_unit_test(distributions_are_read_as_they_are),
        cmocka_unit_test(no_row_is_in_a_document),
        cmocka_unit_test(identifiers_leave_their_prefix),
        cmocka_unit_test(wrong_conditions_are_refused),
        cmocka_unit_test(damaged_documents_do_no_harm),
        cmocka_unit_test(extreme_numbers_are_drawn),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
