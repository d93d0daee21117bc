/* tests/unit/operators/test_generate_network.c — generate.network: the rows of the network, also
 * after a restart and under conditions, and what is refused when a topology is checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/support/operator_harness.h"

#define MODEL "model: tests/golden/operators/network_model.json"

static const char out[] = "    - {name: out, type: memory, from: made}\n";

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text), "    - {name: made, type: generate.network, " MODEL ", %s}\n",
             options);
    harness_open_sources(harness, text, "", out, "made", 0, 1);
}

enum { SIZE, KIND, COUNT, OK = 4, CLASS };

static struct mr_value field_of(const struct harness *harness, uint32_t field)
{
    uint32_t domain = harness->node->outputs[0].domain;
    return harness_last(harness, 0, harness->plan->domains[domain].field_slots[field]);
}

static void generate(struct harness *harness, int64_t position, int64_t behind, uint32_t rows_max)
{
    int64_t due_ms = 0;
    while (position < behind) {
        int64_t left = behind - position;
        assert_int_equal(harness_generate(harness, position, 0,
                                          left < rows_max ? (uint32_t)left : rows_max, &position,
                                          &due_ms),
                         MR_OK);
    }
}

/* Any cut, also by a restart, makes the records of the reference (network_rows.jsonl). */
static void records_are_the_networks_rows(void **state)
{
    MR_UNUSED(state);
    struct harness whole;
    struct harness rest;
    open(&whole, "count: 300, seed: 7, include_metadata: false");
    generate(&whole, 0, 300, 300);
    const char *text = harness_output(&whole, 0);
    assert_non_null(strstr(text,
                           "@0 t1704067200000 '{}' 0=double:bc74931804163d40; 1=string:'rare'; "
                           "2=int:9;"));
    assert_non_null(strstr(text, "'often'"));
    open(&rest, "count: 300, seed: 7, include_metadata: false");
    generate(&rest, 100, 300, 41);
    const char *behind = strstr(text, "@100 ");
    assert_non_null(behind);
    assert_string_equal(behind, harness_output(&rest, 0));
    int64_t next = 0;
    int64_t due_ms = 0;
    assert_int_equal(harness_generate(&whole, 300, 0, 10, &next, &due_ms), MR_END);
    harness_close(&rest);
    harness_close(&whole);
}

/* Texts of options mean numbers, true and false where the categories are those. */
static void conditions_hold(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "count: 40, seed: 7, schema: {count: int}, conditions: [{field: ok, any_of: "
                   "['true']}, {field: class, any_of: ['2.5']}, {field: size, gt: 0, lte: 60}, "
                   "{field: kind, any_of: [often, rare]}]");
    harness.keeps_last = true;
    for (int64_t position = 0; position < 40; position++) {
        generate(&harness, position, position + 1, 1);
        double number = 0;
        assert_true(field_of(&harness, OK).boolean);
        assert_true(mr_value_as_double(field_of(&harness, CLASS), &number));
        assert_true(number == 2.5);
        assert_true(mr_value_as_double(field_of(&harness, SIZE), &number));
        assert_true(number > 0 && number <= 60);
        assert_int_equal(field_of(&harness, COUNT).kind, MR_KIND_INT);
        assert_int_equal(field_of(&harness, KIND).kind, MR_KIND_STRING);
    }
    harness_close(&harness);
}

static void what_is_wrong_is_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *options;
        const char *sentence;
    } cases[] = {
        {"conditions: [{field: kind, any_of: [never]}]",
         "it is impossible: none of the 3 categories meets it"},
        {"conditions: [{field: kind, any_of: [rare], gt: 3}]", "needs either `any_of`, or bounds"},
        {"conditions: [{field: size, gt: 1000}]", "the network makes no such number"},
        {"conditions: [{field: class, any_of: [three]}]", "none of the 2 categories meets it"},
        {"conditions: [{field: nothing, gt: 1}]", "the model has no field \"nothing\""},
    };
    for (size_t at = 0; at < MR_ARRAY_COUNT(cases); at++) {
        struct mr_arena arena;
        char text[512];
        mr_arena_init(&arena, 1 << 16);
        snprintf(text, sizeof(text), "    - {name: made, type: generate.network, " MODEL ", %s}\n",
                 cases[at].options);
        const char *findings = harness_findings(&arena, text, "", out);
        if (strstr(findings, cases[at].sentence) == NULL)
            fail_msg("\"%s\" is refused by \"%s\"", cases[at].options, findings);
        mr_arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_the_networks_rows),
        cmocka_unit_test(conditions_hold),
        cmocka_unit_test(what_is_wrong_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
