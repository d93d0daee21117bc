/* tests/unit/operators/test_learned_document.c — models of a running operator as documents: from
 * committed state, of one key, drawing what the operator draws. */
#include "operators/learned_document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/random.h"
#include "operators/copula_kind.h"
#include "operators/sample_model.h"
#include "tests/support/operator_harness.h"

enum { BATCH = 64 };

static struct mr_buffer document;
static struct mr_error error;

static void feed(struct harness *harness, uint32_t first, uint32_t count, const char *key)
{
    static const char *const plans[] = {"free", "basic", "pro"};
    for (uint32_t number = first; number < first + count; number++) {
        struct mr_random random;
        mr_random_init(&random, 3, number);
        double value = 20 + (double)mr_random_below(&random, 30);
        struct harness_row row = harness_row(number, key, mr_value_double(value));
        row.cells[2] = (struct harness_cell){"account.plan",
                                             mr_value_string(mr_slice_text(plans[(int)value % 3]))};
        harness_feed(harness, 0, &row, 1);
    }
    harness_commit(harness);
}

static void open_harness(struct harness *harness, const char *type)
{
    char text[256];
    snprintf(text, sizeof(text),
             "    - {name: op, type: %s, learn: in, key: [k], fields: [value, "
             "account.plan], learn_batch: 64, min_records: 1, seed: 5}\n",
             type);
    harness_open(harness, text, "    - {name: out, type: memory, from: op}\n", "op");
}

static enum mr_status write(void *argument, const struct mr_state_object *object,
                            struct mr_error *failure)
{
    const struct harness *harness = argument;
    return harness->type->write_model(object, harness->node, "t/op", &document, failure);
}

static enum mr_status ask(struct harness *harness, const char *key)
{
    int64_t offset;
    const struct mr_state_query query = {.operator_name = "op",
                                         .table_name = harness->type->state_table,
                                         .key = mr_slice_text(key),
                                         .visit = write,
                                         .argument = harness};
    mr_buffer_clear(&document);
    return mr_state_query(harness->state, &query, &harness->plan_arena, &offset, &error);
}

static void draws_what_the_operator_draws(const char *type)
{
    struct harness harness;
    struct mr_sample_model *model;
    struct mr_sample *sample;
    struct mr_value cells[2 * 10];
    struct mr_arena arena;
    mr_buffer_init(&document, 1 << 20);
    mr_arena_init(&arena, 4096);
    open_harness(&harness, type);
    feed(&harness, 0, 5 * BATCH, "a");
    assert_int_equal(ask(&harness, "a"), MR_OK);
    assert_int_equal(mr_sample_model_read(mr_buffer_view(&document), &model, &error), MR_OK);
    const struct mr_sample_facts *facts = mr_sample_model_facts(model);
    assert_string_equal(facts->name, "t/op");
    assert_int_equal(facts->version, 5);
    assert_true(facts->rows == 5 * BATCH);
    assert_string_equal(facts->fields[1], "plan");
    uint64_t made = harness.emitted_count[0];
    mr_buffer_clear(&harness.outputs[0]);
    feed(&harness, 5 * BATCH, 10, "a");
    assert_int_equal(harness.emitted_count[0], made + 10);
    uint64_t seed = 5 ^ mr_hash64(mr_slice_text("a"));
    assert_int_equal(mr_sample_open(model, mr_slice_text(""), seed, &sample, &error), MR_OK);
    mr_sample_cells(sample, made, 10, &arena, cells);
    const char *at = harness_output(&harness, 0);
    for (uint32_t row = 0; row < 10; row++) {
        char expected[64] = "1=double:"; /* the bytes of the number */
        uint8_t bytes[8];
        memcpy(bytes, &cells[row].number, 8);
        for (int byte = 0; byte < 8; byte++)
            snprintf(expected + 9 + (size_t)byte * 2, 3, "%02x", bytes[byte]);
        snprintf(expected + 25, sizeof(expected) - 25, "; 2=string:'%.*s'",
                 (int)cells[10 + row].size, (const char *)cells[10 + row].text);
        if (strstr(at, expected) == NULL)
            fail_msg("no %s in %s", expected, at);
        at = strchr(at, '\n') + 1;
    }
    mr_sample_close(sample);
    mr_sample_model_destroy(model);
    harness_close(&harness);
    mr_arena_deinit(&arena);
    mr_buffer_deinit(&document);
}

static void a_document_draws_what_the_operator_draws(void **state)
{
    MR_UNUSED(state);
    draws_what_the_operator_draws("generate.copula");
    draws_what_the_operator_draws("generate.bootstrap");
}

static void what_was_not_learned_is_refused(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    mr_buffer_init(&document, 1 << 20);
    open_harness(&harness, "generate.copula");
    feed(&harness, 0, 10, "a");
    assert_int_equal(ask(&harness, "a"), MR_INVALID);
    assert_string_equal(error.message, "t/op has learned nothing yet: 10 records wait, and 64 are "
                                       "learned together (learn_batch)");
    assert_int_equal(ask(&harness, "b"), MR_NOT_FOUND);
    const struct mr_state_object damaged = {.version = 99};
    assert_int_equal(
        mr_learned_write_model(&mr_copula_kind, &damaged, harness.node, "x", &document, &error),
        MR_CORRUPT);
    harness_close(&harness);
    mr_buffer_deinit(&document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_draws_what_the_operator_draws),
        cmocka_unit_test(what_was_not_learned_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
