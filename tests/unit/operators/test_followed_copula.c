/* tests/unit/operators/test_followed_copula.c — models from outside: what is accepted and why not,
 * and that what is followed draws what its document draws. */
#include "operators/followed_copula.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"
#include "operators/sample_model.h"
#include "tests/support/copula_rows.h"
#include "tests/support/operator_harness.h"

enum { ROWS = 64, DRAWN = 3 * ROWS, DOCUMENT_BYTES_MAX = 1 << 20 };

struct fixture {
    struct harness harness;
    const struct mr_options *options;
    struct mr_buffer document;
};

static void open_fixture(struct fixture *fixture, const char *fields)
{
    char text[512];
    struct copula_fixture copula;
    struct copula_rows rows;
    memset(fixture, 0, sizeof(*fixture));
    snprintf(text, sizeof(text),
             "    - {name: op, type: generate.model, models: in, key: [k], rate: 1/s, "
             "fields: [%s], max_model_bytes: 128KiB}\n",
             fields);
    harness_open(&fixture->harness, text, "    - {name: out, type: memory, from: op}\n", "op");
    fixture->options = &fixture->harness.node->options;
    mr_buffer_init(&fixture->document, DOCUMENT_BYTES_MAX);
    copula_rows_make(&rows, 2000, 3, 0);
    copula_fixture_open(&copula, 256);
    copula_fixture_learn(&copula, &rows, 100, 0);
    copula_fixture_document(&copula, &fixture->document);
    copula_fixture_close(&copula);
    copula_rows_free(&rows);
}

static void close_fixture(struct fixture *fixture)
{
    mr_buffer_deinit(&fixture->document);
    harness_close(&fixture->harness);
}

static void it_draws_what_its_document_draws(void **state)
{
    MR_UNUSED(state);
    static const struct mr_learned_kind *kind = &mr_followed_copula_kind;
    struct fixture fixture;
    struct mr_followed_facts facts;
    struct mr_error error = {0};
    struct mr_arena arena;
    open_fixture(&fixture, "a, b, c, d, e, f");
    mr_arena_init(&arena, 1 << 16);
    struct mr_slice document = mr_buffer_view(&fixture.document);
    assert_int_equal(mr_followed_copula_check(fixture.options, document, &facts, &error), MR_OK);
    assert_int_equal(facts.version, 7);
    assert_int_equal(facts.rows, 2000);
    void *model = kind->model_create(fixture.options);
    void *work = kind->work_create(fixture.options);
    void *sampler = kind->sampler_create(fixture.options, 1);
    struct mr_sample_model *read;
    struct mr_sample *sample;
    const struct mr_copula_condition positive = {
        .column = 0, .name = "a", .lowest = 1, .highest = 2};
    assert_int_equal(mr_sample_model_read(document, &read, &error), MR_OK);
    kind->begin(model, 0);
    assert_true(kind->decode(model, document));
    kind->begin(model, 0); /* and once more: the one before is given back */
    assert_true(kind->decode(model, document));
    for (uint32_t conditions = 0; conditions < 2; conditions++) {
        struct mr_value cells[COPULA_ROWS_COLUMNS * DRAWN];
        struct mr_value storage[COPULA_ROWS_COLUMNS][ROWS];
        struct mr_value *columns[COPULA_ROWS_COLUMNS];
        struct mr_slice asked =
            mr_slice_text(conditions == 0 ? "" : "{\"a\": {\"gte\": 1, \"lte\": 2}}");
        assert_int_equal(mr_sample_open(read, asked, 5, &sample, &error), MR_OK);
        mr_sample_cells(sample, 0, DRAWN, &arena, cells);
        assert_int_equal(kind->sampler_make(sampler, model, work,
                                            (struct mr_learned_conditions){&positive, conditions},
                                            &error),
                         MR_OK);
        assert_true(kind->probability(sampler) == mr_sample_probability(sample));
        for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS; column++)
            columns[column] = storage[column];
        for (uint32_t first = 0; first < DRAWN; first += ROWS) {
            kind->draw(sampler, model, 5, first, ROWS, &arena, columns);
            for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS; column++)
                for (uint32_t row = 0; row < ROWS; row++)
                    assert_true(
                        mr_value_equal(storage[column][row], cells[column * DRAWN + first + row]));
        }
        mr_sample_close(sample);
    }
    mr_sample_model_destroy(read);
    kind->sampler_destroy(sampler);
    kind->work_destroy(work);
    kind->model_destroy(model);
    kind->model_destroy(NULL);
    mr_arena_deinit(&arena);
    close_fixture(&fixture);
}

static void refuse(const char *fields, struct mr_slice document, const char *sentence)
{
    struct fixture fixture;
    struct mr_followed_facts facts;
    struct mr_error error = {0};
    open_fixture(&fixture, fields);
    if (document.data == NULL)
        document = mr_buffer_view(&fixture.document);
    assert_int_equal(mr_followed_copula_check(fixture.options, document, &facts, &error),
                     MR_INVALID);
    if (strstr(error.message, sentence) == NULL)
        fail_msg("%s", error.message);
    void *model = mr_followed_copula_kind.model_create(fixture.options);
    mr_followed_copula_kind.begin(model, 0);
    assert_true(document.size > 1000 || !mr_followed_copula_kind.decode(model, document));
    mr_followed_copula_kind.model_destroy(model);
    close_fixture(&fixture);
}

static void what_cannot_be_followed_is_refused(void **state)
{
    MR_UNUSED(state);
    static const char of_none[] =
        "{\"millrace_model\": 1, \"type\": \"copula\", \"name\": \"n\", "
        "\"version\": %d, \"rows\": 1, \"effective_rows\": 1, \"weight\": 1, "
        "\"squared_weights\": 1, \"fields\": [{\"name\": \"a\", \"kind\": "
        "\"%s\", \"missing\": 1}], \"correlations\": {\"values\": [], "
        "\"missingness\": [], \"matrix\": []}}";
    char text[512];
    struct mr_slice own = {0};
    refuse("a, b, c, d, e", own, "the model \"people\" has 6 fields, and `fields` has 5");
    refuse("a, b, c, d, f, e", own,
           "field 5 of the model \"people\" is \"e\", and that of `fields` is \"f\"");
    refuse("a", mr_slice_text("{\"a\": 1}"), "the model");
    refuse("a", mr_slice_text("[1, 2"), "the model");
    snprintf(text, sizeof(text), of_none, 0, "unknown");
    refuse("a", mr_slice_text(text), "has the version 0, and the first one is 1");
    snprintf(text, sizeof(text), of_none, 1, "colour");
    refuse("a", mr_slice_text(text), "it is none of number, boolean");
}

/* Whatever is changed in a document: it is refused, or what is drawn is finite. */
static void damaged_documents_do_no_harm(void **state)
{
    MR_UNUSED(state);
    enum { TRIES = 400 };
    struct fixture fixture;
    struct mr_random random;
    struct mr_arena arena;
    uint32_t accepted = 0;
    open_fixture(&fixture, "a, b, c, d, e, f");
    mr_arena_init(&arena, 1 << 16);
    mr_random_init(&random, 9, 0);
    void *model = mr_followed_copula_kind.model_create(fixture.options);
    void *work = mr_followed_copula_kind.work_create(fixture.options);
    void *sampler = mr_followed_copula_kind.sampler_create(fixture.options, 0);
    size_t size = fixture.document.size;
    uint8_t *copy = mr_memory_new(size, 1);
    for (uint32_t number = 0; number < TRIES; number++) {
        struct mr_followed_facts facts;
        struct mr_error error = {0};
        struct mr_value storage[COPULA_ROWS_COLUMNS][ROWS];
        struct mr_value *columns[COPULA_ROWS_COLUMNS];
        memcpy(copy, fixture.document.data, size);
        for (uint64_t changes = 1 + mr_random_below(&random, 3); changes > 0; changes--)
            copy[mr_random_below(&random, size)] =
                (uint8_t) "0123456789-e.,[]{}\"ax"[mr_random_below(&random, 21)];
        struct mr_slice document = mr_slice_from(copy, size);
        if (mr_followed_copula_check(fixture.options, document, &facts, &error) != MR_OK)
            continue;
        mr_followed_copula_kind.begin(model, 0);
        assert_true(mr_followed_copula_kind.decode(model, document));
        if (mr_followed_copula_kind.sampler_make(
                sampler, model, work, (struct mr_learned_conditions){0}, &error) != MR_OK)
            continue;
        for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS; column++)
            columns[column] = storage[column];
        mr_followed_copula_kind.draw(sampler, model, 5, 0, ROWS, &arena, columns);
        for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS; column++)
            for (uint32_t row = 0; row < ROWS; row++)
                assert_true(storage[column][row].kind != MR_KIND_DOUBLE ||
                            storage[column][row].number - storage[column][row].number == 0);
        accepted++;
        mr_arena_reset(&arena);
    }
    assert_in_range(accepted, 1, TRIES - 1);
    mr_memory_free(copy);
    mr_followed_copula_kind.sampler_destroy(sampler);
    mr_followed_copula_kind.work_destroy(work);
    mr_followed_copula_kind.model_destroy(model);
    mr_arena_deinit(&arena);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_draws_what_its_document_draws),
        cmocka_unit_test(what_cannot_be_followed_is_refused),
        cmocka_unit_test(damaged_documents_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
