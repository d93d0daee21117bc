/* tests/unit/operators/test_sample_model.c — what all types of models share: facts, rows in any
 * order and number, JSON with metadata, and documents that are refused. */
#include "operators/sample_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "record/json_value.h"
#include "tests/support/copula_rows.h"

static struct copula_fixture fixture;
static struct mr_buffer document;
static struct mr_sample_model *model;
static struct mr_error error;

static int setup(void **state)
{
    MR_UNUSED(state);
    struct copula_rows rows;
    copula_rows_make(&rows, 2000, 3, 0);
    copula_fixture_open(&fixture, 500);
    copula_fixture_learn(&fixture, &rows, 256, 1e-3);
    copula_rows_free(&rows);
    mr_buffer_init(&document, 1 << 20);
    copula_fixture_document(&fixture, &document);
    assert_int_equal(mr_sample_model_read(mr_buffer_view(&document), &model, &error), MR_OK);
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_sample_model_destroy(model);
    mr_buffer_deinit(&document);
    copula_fixture_close(&fixture);
    return 0;
}

static struct mr_sample *open_sample(const char *conditions, uint64_t seed)
{
    struct mr_sample *sample;
    assert_int_equal(mr_sample_open(model, mr_slice_text(conditions), seed, &sample, &error),
                     MR_OK);
    return sample;
}

static void facts_are_told(void **state)
{
    MR_UNUSED(state);
    const struct mr_sample_facts *facts = mr_sample_model_facts(model);
    assert_string_equal(facts->type, "copula");
    assert_string_equal(facts->name, "people");
    assert_int_equal(facts->version, 7);
    assert_true(facts->rows == 2000);
    assert_true(facts->effective_rows > 500 && facts->effective_rows < 2000);
    assert_int_equal(facts->fields_count, COPULA_ROWS_COLUMNS);
    assert_string_equal(facts->fields[5], "f");
}

/* Rows are functions of their number: any cut gives the same, and another seed others. */
static void rows_come_in_any_number(void **state)
{
    MR_UNUSED(state);
    struct mr_buffer whole;
    struct mr_buffer parts;
    struct mr_sample *sample = open_sample("{\"b\": {\"gte\": 30}}", 5);
    struct mr_sample *other = open_sample("{\"b\": {\"gte\": 30}}", 6);
    mr_buffer_init(&whole, 1 << 20);
    mr_buffer_init(&parts, 1 << 20);
    assert_int_equal(mr_sample_write(sample, 10, 300, NULL, NULL, &whole), MR_OK);
    static const uint32_t cuts[] = {1, 63, 64, 65, 107};
    uint64_t row = 10;
    for (size_t at = 0; at < MR_ARRAY_COUNT(cuts); at++) {
        if (at > 0)
            assert_int_equal(mr_buffer_append_text(&parts, ",\n"), MR_OK);
        assert_int_equal(mr_sample_write(sample, row, cuts[at], NULL, NULL, &parts), MR_OK);
        row += cuts[at];
    }
    assert_int_equal(row, 310);
    assert_int_equal(whole.size, parts.size);
    assert_memory_equal(whole.data, parts.data, whole.size);
    mr_buffer_clear(&parts);
    assert_int_equal(mr_sample_write(other, 10, 300, NULL, NULL, &parts), MR_OK);
    assert_false(mr_slice_equal(mr_buffer_view(&whole), mr_buffer_view(&parts)));
    mr_buffer_deinit(&whole);
    mr_buffer_deinit(&parts);
    mr_sample_close(sample);
    mr_sample_close(other);
}

/* The text parses as the cells. */
static void json_is_what_the_cells_are(void **state)
{
    MR_UNUSED(state);
    enum { ROWS = 100 };
    static struct mr_value cells[COPULA_ROWS_COLUMNS * ROWS];
    struct mr_arena arena;
    struct mr_buffer output;
    struct mr_value value;
    struct mr_sample *sample = open_sample("", 1);
    struct mr_sample_metadata metadata = {.generated_ms = 1769596200000, .batch = 12};
    mr_arena_init(&arena, 1 << 16);
    mr_buffer_init(&output, 1 << 20);
    assert_true(mr_sample_probability(sample) == 1);
    mr_sample_cells(sample, 0, ROWS, &arena, cells);
    assert_int_equal(mr_buffer_append_text(&output, "["), MR_OK);
    assert_int_equal(mr_sample_write(sample, 0, ROWS, &metadata, ", ", &output), MR_OK);
    assert_int_equal(mr_buffer_append_text(&output, "]"), MR_OK);
    assert_int_equal(mr_json_parse(mr_buffer_view(&output), NULL, &arena, &value, &error), MR_OK);
    assert_int_equal(value.size, ROWS);
    bool missing = false;
    for (uint32_t row = 0; row < ROWS; row++) {
        struct mr_value object = value.items[row];
        assert_int_equal(object.size, COPULA_ROWS_COLUMNS + 2);
        for (uint32_t field = 0; field < COPULA_ROWS_COLUMNS; field++) {
            assert_true(mr_value_equal(object.entries[field].value, cells[field * ROWS + row]));
            missing = missing || object.entries[field].value.kind == MR_KIND_NULL;
        }
        assert_true(mr_value_equal(object.entries[COPULA_ROWS_COLUMNS].value,
                                   mr_value_string(mr_slice_text("2026-01-28T10:30:00Z"))));
        assert_true(mr_value_equal(object.entries[COPULA_ROWS_COLUMNS + 1].value,
                                   mr_value_string(mr_slice_text("batch-012"))));
    }
    assert_true(missing);
    mr_buffer_deinit(&output);
    mr_arena_deinit(&arena);
    mr_sample_close(sample);
}

static void a_full_output_stays_as_it_was(void **state)
{
    MR_UNUSED(state);
    struct mr_buffer output;
    struct mr_sample *sample = open_sample("", 1);
    mr_buffer_init(&output, 4000);
    assert_int_equal(mr_buffer_append_text(&output, "x"), MR_OK);
    assert_int_equal(mr_sample_write(sample, 0, 100, NULL, NULL, &output), MR_LIMIT);
    assert_int_equal(output.size, 1);
    mr_buffer_deinit(&output);
    mr_sample_close(sample);
}

static void strange_documents_are_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "the model: Invalid JSON: expected a value at byte 0, where the text ends."},
        {"{}", "the model: the member \"millrace_model\" is missing"},
        {"{\"millrace_model\": 2}", "the model: millrace_model is not 1: it was written by another "
                                    "version, or is no model"},
        {"{\"millrace_model\": 1, \"name\": \"x\", \"version\": 1, \"rows\": 1, "
         "\"effective_rows\": 1, \"fields\": []}",
         "the model, fields: there is none"},
        {"{\"millrace_model\": 1, \"name\": \"x\", \"version\": 1, \"rows\": 1, "
         "\"effective_rows\": 1, \"fields\": [{\"name\": \"a\"}, {\"name\": \"a\"}]}",
         "the model, fields[1]: the name \"a\" is that of another field"},
        {"{\"millrace_model\": 1, \"name\": \"x\", \"version\": 1, \"rows\": 1, "
         "\"effective_rows\": 1, \"fields\": [{\"name\": \"a\"}], \"type\": \"vine\"}",
         "the model, type: \"vine\" is no type of model that this version knows"},
    };
    for (size_t at = 0; at < MR_ARRAY_COUNT(cases); at++) {
        struct mr_sample_model *none;
        assert_int_equal(mr_sample_model_read(mr_slice_text(cases[at].text), &none, &error),
                         MR_INVALID);
        assert_null(none);
        assert_string_equal(error.message, cases[at].message);
    }
    mr_sample_model_destroy(NULL);
    mr_sample_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_told),
        cmocka_unit_test(rows_come_in_any_number),
        cmocka_unit_test(json_is_what_the_cells_are),
        cmocka_unit_test(a_full_output_stays_as_it_was),
        cmocka_unit_test(strange_documents_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
