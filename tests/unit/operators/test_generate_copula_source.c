/* tests/unit/operators/test_generate_copula_source.c — generate.copula as a source: the rows of the
 * model, batches and delays, partitions, metadata, and what is refused when a topology is checked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/sample_model.h"
#include "tests/support/operator_harness.h"

/* Fields of the model, and those of the metadata behind them. */
enum { AGE, PLAN, FRAUD, JOINED, ID, GENERATED_AT, BATCH_ID };

static const char out[] = "    - {name: out, type: memory, from: made}\n";

static void open(struct harness *harness, const char *options, int32_t partition,
                 int32_t partitions_count)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: made, type: generate.copula, model: examples/models/people.json, %s}\n",
             options);
    harness_open_sources(harness, text, "", out, "made", partition, partitions_count);
}

/* Of the last record. */
static struct mr_value field_of(const struct harness *harness, uint32_t field)
{
    const struct mr_plan_domain *domain = &harness->plan->domains[harness->node->outputs[0].domain];
    return harness_last(harness, 0, domain->field_slots[field]);
}

/* Generate count records from position on, in batches of at most rows_max. */
static void generate(struct harness *harness, int64_t position, int64_t count, uint32_t rows_max)
{
    int64_t due_ms = 0;
    for (int64_t next = position; next < position + count;) {
        int64_t left = position + count - next;
        uint32_t rows = left < rows_max ? (uint32_t)left : rows_max;
        assert_int_equal(harness_generate(harness, next, 0, rows, &next, &due_ms), MR_OK);
    }
}

static void records_are_the_models_rows(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "count: 300, seed: 5, include_metadata: false", 0, 1);
    generate(&harness, 0, 300, 300);
    struct harness parts;
    open(&parts, "count: 300, seed: 5, include_metadata: false", 0, 1);
    generate(&parts, 0, 100, 37);
    harness_close(&parts);
    char *first = mr_memory_copy_text(harness_output(&harness, 0));
    struct harness rest;
    open(&rest, "count: 300, seed: 5, include_metadata: false", 0, 1);
    generate(&rest, 100, 200, 41); /* after a restart */
    const char *behind = strstr(first, "@100 ");
    assert_non_null(behind);
    assert_string_equal(behind, harness_output(&rest, 0));
    harness_close(&rest);
    int64_t next = 0;
    int64_t due_ms = 0;
    assert_int_equal(harness_generate(&harness, 300, 0, 10, &next, &due_ms), MR_END);
    assert_non_null(strstr(first, "4=string:'c-000000000299'"));
    assert_null(strstr(first, "batch"));
    mr_memory_free(first);
    harness_close(&harness);
}

/* Two partitions draw different rows of the same model, and the identifiers stay unique. */
static void partitions_share_the_rows(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "count: 300, partitions: 2", 1, 2);
    generate(&harness, 0, 130, 130);
    const char *text = harness_output(&harness, 0);
    assert_null(strstr(text, "'c-000000000063'"));
    assert_non_null(strstr(text, "'c-000000000064'"));
    assert_non_null(strstr(text, "'c-000000000127'"));
    assert_null(strstr(text, "'c-000000000128'"));
    assert_non_null(strstr(text, "'c-000000000192'"));
    harness_close(&harness);
}

static void conditions_and_types_hold(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(
        &harness,
        "count: 50, schema: {age: int}, conditions: [{field: age, gte: 21, lt: 30}, {field: fraud, "
        "any_of: ['true']}, {field: plan, any_of: [pro]}]",
        0, 1);
    harness.keeps_last = true;
    for (int64_t position = 0; position < 50; position++) {
        generate(&harness, position, 1, 1);
        struct mr_value age = field_of(&harness, AGE);
        assert_int_equal(age.kind, MR_KIND_INT);
        assert_true(age.integer >= 21 && age.integer < 30);
        assert_true(field_of(&harness, FRAUD).boolean);
        assert_true(mr_slice_equal(mr_value_text(field_of(&harness, PLAN)), mr_slice_text("pro")));
    }
    harness_close(&harness);
    /* Of a date by instants, of a number by a set. */
    open(&harness,
         "count: 50, schema: {age: int}, conditions: [{field: age, any_of: ['30', '41']}, {field: "
         "joined, since: \"2026-01-08T00:00:00Z\", before: \"2026-01-15T12:00:00Z\"}]",
         0, 1);
    harness.keeps_last = true;
    for (int64_t position = 0; position < 50; position++) {
        generate(&harness, position, 1, 1);
        struct mr_value age = field_of(&harness, AGE);
        struct mr_slice joined = mr_value_text(field_of(&harness, JOINED));
        assert_true(age.integer == 30 || age.integer == 41);
        assert_true(memcmp(joined.data, "2026-01-08", 10) >= 0);
        assert_true(memcmp(joined.data, "2026-01-15", 10) <= 0);
    }
    harness_close(&harness);
}

static void batches_have_numbers_and_delays(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    int64_t next = 0;
    int64_t due_ms = 0;
    open(&harness, "batch_size: 10, delay: 2s, rate: 100/s, start: '2026-01-28T10:30:00Z'", 0, 1);
    harness.keeps_last = true;
    assert_int_equal(harness_generate(&harness, 0, 5000, 100, &next, &due_ms), MR_OK);
    assert_int_equal(next, 1);
    assert_int_equal(harness_generate(&harness, 1, 5090, 100, &next, &due_ms), MR_OK);
    assert_int_equal(next, 10);
    assert_true(
        mr_slice_equal(mr_value_text(field_of(&harness, BATCH_ID)), mr_slice_text("batch-001")));
    assert_true(mr_slice_equal(mr_value_text(field_of(&harness, GENERATED_AT)),
                               mr_slice_text("2026-01-28T10:30:00.090Z")));
    assert_int_equal(harness_generate(&harness, 10, 5200, 100, &next, &due_ms), MR_AGAIN);
    assert_int_equal(due_ms, 5000 + 100 + 2000);
    assert_int_equal(harness_generate(&harness, 10, due_ms, 100, &next, &due_ms), MR_OK);
    assert_int_equal(next, 11);
    assert_true(
        mr_slice_equal(mr_value_text(field_of(&harness, BATCH_ID)), mr_slice_text("batch-002")));
    assert_true(mr_slice_equal(mr_value_text(field_of(&harness, GENERATED_AT)),
                               mr_slice_text("2026-01-28T10:30:02.100Z")));
    harness_close(&harness);
    open(&harness, "batch_size: 1, delay: 1h, step: 5s, start: '2026-01-28T10:30:00Z'", 0, 1);
    harness.keeps_last = true;
    assert_int_equal(harness_generate(&harness, 3, 5000, 100, &next, &due_ms), MR_OK);
    assert_int_equal(next, 4); /* a restart waits for nothing that was due before it */
    assert_true(mr_slice_equal(mr_value_text(field_of(&harness, GENERATED_AT)),
                               mr_slice_text("2026-01-28T10:30:15Z")));
    harness_close(&harness);
}

static void wrong_topologies_are_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *options;
        const char *sentence;
    } cases[] = {
        {"count: 5", "model"},
        {"model: examples/models/nobody.json", "cannot open 'examples/models/nobody.json'"},
        {"model: README.md", "the model: Invalid JSON: expected a value at byte 0"},
        {"model: examples/models/people.json, conditions: [{field: ages, gte: 3}]",
         "the model has no field \"ages\"; its fields are age, plan"},
        {"model: examples/models/people.json, conditions: [{field: age, gte: 300}]",
         "the condition on field age is impossible"},
        {"model: examples/models/people.json, conditions: [{field: age}]",
         "needs either `any_of`, or bounds"},
        {"model: examples/models/people.json, conditions: [{field: age, gt: 3}, {field: age, lt: "
         "9}]",
         "two conditions are on \"age\""},
        {"model: examples/models/people.json, fit: {from: x}", "`learn:`"},
        {"model: examples/models/people.json, max_records: 5", "say `count`"},
    };
    for (size_t at = 0; at < MR_ARRAY_COUNT(cases); at++) {
        struct mr_arena arena;
        char text[512];
        mr_arena_init(&arena, 1 << 16);
        snprintf(text, sizeof(text), "    - {name: made, type: generate.copula, %s}\n",
                 cases[at].options);
        const char *findings = harness_findings(&arena, text, "", out);
        if (strstr(findings, cases[at].sentence) == NULL)
            fail_msg("%s: %s", cases[at].options, findings);
        mr_arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_the_models_rows),
        cmocka_unit_test(partitions_share_the_rows),
        cmocka_unit_test(conditions_and_types_hold),
        cmocka_unit_test(batches_have_numbers_and_delays),
        cmocka_unit_test(wrong_topologies_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
