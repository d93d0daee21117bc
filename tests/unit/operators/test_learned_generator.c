/* tests/unit/operators/test_learned_generator.c — generators that learn: when records are made, odd
 * input, options that exclude each other; through generate.copula. */
#include "operators/learned_generator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "tests/support/operator_harness.h"

static const char out[] = "    - {name: out, type: memory, from: op}\n";

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: generate.copula, learn: in, key: [k], fields: [value, kind], "
             "%s}\n",
             options);
    harness_open(harness, text, out, "op");
}

static struct harness_row row_of(uint32_t number, const char *key, struct mr_value value,
                                 const char *kind)
{
    struct harness_row row = harness_row(number, key, value);
    row.cells[2] = (struct harness_cell){"kind", mr_value_string(mr_slice_text(kind))};
    return row;
}

static void feed(struct harness *harness, uint32_t first, uint32_t count, const char *key)
{
    struct mr_random random;
    for (uint32_t number = first; number < first + count; number++) {
        mr_random_init(&random, 3, number);
        double value = 20 + (double)mr_random_below(&random, 30);
        struct harness_row row =
            row_of(number, key, mr_value_double(value), value < 35 ? "low" : "high");
        harness_feed(harness, 0, &row, 1);
    }
}

static bool refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text), "    - {name: op, type: generate.copula, learn: in, %s}\n",
             options);
    const char *findings =
        harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n", text, out);
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static void records_are_made_once_enough_is_known(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "learn_batch: 10, min_records: 25, ratio: 0.5");
    feed(&harness, 0, 30, "a");
    assert_int_equal(harness.emitted_count[0], 0);
    feed(&harness, 30, 100, "a");
    assert_int_equal(harness.emitted_count[0], 50);
    /* Another key knows nothing yet. */
    feed(&harness, 200, 30, "b");
    assert_int_equal(harness.emitted_count[0], 50);
    assert_int_equal(harness.errors_count, 0);
    harness_close(&harness);
}

static void a_ratio_above_one_makes_several(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "learn_batch: 10, min_records: 10, ratio: 150.5");
    feed(&harness, 0, 14, "a");
    assert_int_equal(harness.emitted_count[0], 602);
    harness_close(&harness);
}

static void cells_that_are_no_scalars_are_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_value item = mr_value_int(1);
    open(&harness, "learn_batch: 2, min_records: 2");
    struct harness_row list =
        row_of(1, "a", (struct mr_value){.kind = MR_KIND_LIST, .size = 1, .items = &item}, "low");
    struct harness_row error =
        row_of(2, "a", mr_value_error(mr_slice_text("not a double at byte 7")), "low");
    harness_feed(&harness, 0, &list, 1);
    harness_feed(&harness, 0, &error, 1);
    assert_int_equal(harness.errors_count, 2);
    assert_non_null(
        strstr(harness_errors(&harness), "field value is list; generate.copula learns numbers"));
    assert_non_null(strstr(harness_errors(&harness), "field value: not a double at byte 7"));
    feed(&harness, 3, 2, "a");
    assert_int_equal(harness.emitted_count[0], 0);
    feed(&harness, 5, 1, "a");
    assert_int_equal(harness.emitted_count[0], 1);
    harness_close(&harness);
}

static void impossible_conditions_are_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "learn_batch: 10, min_records: 10, ratio: 3, "
                   "conditions: [{field: kind, any_of: [none]}]");
    feed(&harness, 0, 12, "a");
    assert_int_equal(harness.emitted_count[0], 0);
    assert_int_equal(harness.errors_count, 2);
    assert_non_null(strstr(harness_errors(&harness),
                           "the condition on field kind is impossible: no such value was learned"));
    harness_close(&harness);
}

static void options_are_checked(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("key: [], fields: [value], weight: 0.2, half_life: 100",
                        "`weight` and `half_life` both say how fast old records are forgotten"));
    assert_true(refused("key: [k], fields: [value, k]", "second field 'k'"));
    assert_true(refused("key: [], fields: []", "fields"));
    assert_true(refused("key: [], fields: [value], learn_batch: 257", "learn_batch"));
    assert_true(refused("fields: [value]", "key"));
    assert_true(refused("key: [], fields: [value], conditions: [{field: other, gt: 1}]",
                        "the condition's field \"other\" is not among `fields`"));
    assert_true(refused("key: [], fields: [value], conditions: [{field: value}]",
                        "needs either `any_of`, or bounds"));
    assert_true(refused("key: [], fields: [value], conditions: [{field: value, gt: 1, before: "
                        "'2026-01-28T00:00:00Z'}]",
                        "or of a date or time by `since` and `before`"));
    assert_true(refused("key: [], fields: [value], conditions: [{field: value, gt: 1, gte: 2}]",
                        "has two bounds on one side"));
    assert_true(refused("key: [], fields: [value], conditions: [{field: value, gt: 1}, {field: "
                        "value, lt: 2}]",
                        "two conditions are on \"value\""));
    assert_true(refused("key: [], fields: [value], learn_window: {count: 1000}, weight: 0.2",
                        "give one of the three"));
    assert_true(refused("key: [], fields: [value], learn_window: {count: 1000, sliding: 1m}",
                        "a window of records or one of event time is wanted"));
    assert_true(refused("key: [], fields: [value], learn_window: {}",
                        "a window of records or one of event time is wanted"));
    assert_true(refused("key: [], fields: [value], learn_window: {count: 500}",
                        "a window of so many records stands on 438 of them at least"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_made_once_enough_is_known),
        cmocka_unit_test(a_ratio_above_one_makes_several),
        cmocka_unit_test(cells_that_are_no_scalars_are_reported),
        cmocka_unit_test(impossible_conditions_are_reported),
        cmocka_unit_test(options_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
