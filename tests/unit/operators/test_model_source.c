/* tests/unit/operators/test_model_source.c — what sources share that draw from a model: partitions
 * have rows of their own, and a model of another type is refused. What batches, delays and metadata
 * are is tested by test_generate_copula_source.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/model_source.h"
#include "tests/support/operator_harness.h"

enum { FIELDS = 6 };

static const char out[] = "    - {name: out, type: memory, from: made}\n";

static struct mr_value field_of(const struct harness *harness, uint32_t field)
{
    uint32_t domain = harness->node->outputs[0].domain;
    return harness_last(harness, 0, harness->plan->domains[domain].field_slots[field]);
}

/* Blocks of 64 rows go to the partitions in turn: each is what one partition makes of the same
 * rows. */
static void partitions_take_blocks_in_turn(void **state)
{
    MR_UNUSED(state);
    static const char whole_text[] =
        "    - {name: made, type: generate.network, include_metadata: false, model: "
        "tests/golden/operators/network_model.json}\n";
    static const char part_text[] =
        "    - {name: made, type: generate.network, include_metadata: false, partitions: 3, model: "
        "tests/golden/operators/network_model.json}\n";
    struct harness whole;
    struct harness part;
    int64_t next = 0;
    int64_t due_ms = 0;
    harness_open_sources(&whole, whole_text, "", out, "made", 0, 1);
    harness_open_sources(&part, part_text, "", out, "made", 2, 3);
    whole.keeps_last = true;
    part.keeps_last = true;
    for (int64_t position = 0; position < 140; position++) {
        int64_t row = (position / MR_SAMPLE_ROWS * 3 + 2) * MR_SAMPLE_ROWS + position % 64;
        assert_int_equal(harness_generate(&part, position, 0, 1, &next, &due_ms), MR_OK);
        assert_int_equal(harness_generate(&whole, row, 0, 1, &next, &due_ms), MR_OK);
        for (uint32_t field = 0; field < FIELDS; field++)
            assert_true(mr_value_equal(field_of(&part, field), field_of(&whole, field)));
    }
    harness_close(&part);
    harness_close(&whole);
}

static void models_of_other_types_are_refused(void **state)
{
    MR_UNUSED(state);
    static const char *const cases[][2] = {
        {"generate.network, model: examples/models/people.json",
         "is a model of the type copula, and generate.network draws from those of its own"},
        {"generate.copula, model: tests/golden/operators/network_model.json",
         "is a model of the type network, and generate.copula draws from those of its own"},
    };
    for (size_t at = 0; at < MR_ARRAY_COUNT(cases); at++) {
        struct mr_arena arena;
        char text[512];
        mr_arena_init(&arena, 1 << 16);
        snprintf(text, sizeof(text), "    - {name: made, type: %s}\n", cases[at][0]);
        const char *findings = harness_findings(&arena, text, "", out);
        if (strstr(findings, cases[at][1]) == NULL)
            fail_msg("%s: %s", cases[at][0], findings);
        mr_arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_take_blocks_in_turn),
        cmocka_unit_test(models_of_other_types_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
