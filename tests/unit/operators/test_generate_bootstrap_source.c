/* tests/unit/operators/test_generate_bootstrap_source.c — generate.bootstrap as a source: the rows
 * of the model, conditions, and what is refused when a topology is checked. What all sources of
 * models share is tested with generate.copula. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

/* Fields of the model. */
enum { STATUS, LOAD, PARTS, ALARM };

static const char out[] = "    - {name: out, type: memory, from: made}\n";

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: made, type: generate.bootstrap, model: examples/models/machines.json, "
             "%s}\n",
             options);
    harness_open_sources(harness, text, "", out, "made", 0, 1);
}

/* Of the last record. */
static struct mr_value field_of(const struct harness *harness, uint32_t field)
{
    const struct mr_plan_domain *domain = &harness->plan->domains[harness->node->outputs[0].domain];
    return harness_last(harness, 0, domain->field_slots[field]);
}

static void records_are_the_models_rows(void **state)
{
    MR_UNUSED(state);
    struct harness harness[2];
    for (int at = 0; at < 2; at++) {
        int64_t next = 0;
        int64_t due_ms = 0;
        open(&harness[at], "count: 300, seed: 5");
        while (harness_generate(&harness[at], next, 0, at == 0 ? 300 : 37, &next, &due_ms) == MR_OK)
            if (at == 1)
                harness_restore(&harness[at]);
        assert_int_equal(harness[at].emitted_count[0], 300);
    }
    assert_string_equal(harness_output(&harness[0], 0), harness_output(&harness[1], 0));
    harness_close(&harness[0]);
    harness_close(&harness[1]);
}

static void conditions_hold(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "count: 60, conditions: [{field: status, any_of: [busy]}, {field: alarm, "
                   "any_of: ['false']}]");
    harness.keeps_last = true;
    for (int64_t position = 0; position < 60;) {
        int64_t due_ms = 0;
        assert_int_equal(harness_generate(&harness, position, 0, 1, &position, &due_ms), MR_OK);
        assert_true(
            mr_slice_equal(mr_value_text(field_of(&harness, STATUS)), mr_slice_text("busy")));
        assert_false(field_of(&harness, ALARM).boolean);
        assert_int_equal(field_of(&harness, LOAD).kind, MR_KIND_DOUBLE);
        assert_int_equal(field_of(&harness, PARTS).kind, MR_KIND_DOUBLE);
    }
    harness_close(&harness);
}

static void wrong_options_are_told(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *options;
        const char *sentence;
    } cases[] = {
        {"model: examples/models/people.json",
         "is a model of the type copula, and generate.bootstrap draws from those of its own"},
        {"model: examples/models/machines.json, conditions: [{field: load, gt: 1e6}]",
         "the conditions are impossible together: none of the"},
        {"model: examples/models/machines.json, learn: x", "which learns from its input"},
        {"model: examples/models/machines.json, max_records: 5", "say `count`"},
    };
    for (size_t at = 0; at < MR_ARRAY_COUNT(cases); at++) {
        struct mr_arena arena;
        char text[512];
        mr_arena_init(&arena, 1 << 16);
        snprintf(text, sizeof(text), "    - {name: made, type: generate.bootstrap, %s}\n",
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
        cmocka_unit_test(conditions_hold),
        cmocka_unit_test(wrong_options_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
