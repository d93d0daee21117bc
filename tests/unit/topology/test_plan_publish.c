/* tests/unit/topology/test_plan_publish.c — a merger finds the fields of what learners publish.
 * (What learners may say is tested with their options, in
 * tests/unit/operators/test_learned_publish.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static const char learner[] =
    "    - {name: one, type: generate.copula, learn: in, key: [], scope: partition, fields: "
    "[value], "
    "publish: {}}\n"
    "    - {name: op, type: model.merge, from: one.models, key: [], fields: [value]}\n"
    "    - {name: two, type: filter, from: in2, where: 'true'}\n";

static void a_merger_reads_through_a_repartition(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness, learner,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: rest, type: memory, from: two}\n",
                 "op");
    assert_non_null(harness.node->snapshot_slots);
    for (uint32_t field = 0; field < MR_PLAN_SNAPSHOT_FIELDS_COUNT; field++)
        assert_int_equal(harness.node->snapshot_slots[field],
                         harness_input_slot(&harness, mr_plan_snapshot_fields[field]));
    assert_int_equal(harness.plan->repartitions_count, 1);
    assert_true(harness.plan->repartitions[0].single_partition);
    assert_true(mr_plan_is_woken(mr_plan_node_find(harness.plan, "one")));
    assert_null(mr_plan_node_find(harness.plan, "one")->snapshot_slots);
    harness_close(&harness);
}

static void other_records_are_refused(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    const char *findings = harness_findings(
        &arena, "    - {name: in, type: generate.sequence}\n",
        "    - {name: op, type: model.merge, from: in, key: [], fields: [value]}\n",
        "    - {name: out, type: memory, from: op}\n");
    if (strstr(findings, "the records of 'in' have no field 'learner': 'op' reads what learners "
                         "publish, as in from: LEARNER.models") == NULL)
        fail_msg("%s", findings);
    mr_arena_deinit(&arena);
}

static void privacy_is_not_lost_on_the_way(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *learner;
        const char *merger;
        bool is_refused;
    } cases[] = {{"privacy: {}", "fields: [value]", true},
                 {"privacy: {}", "fields: [value], privacy: {clip: 0.01}", false},
                 {"ratio: 0", "fields: [value]", false}};
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        struct mr_arena arena;
        mr_arena_init(&arena, 4096);
        const char *findings = harness_findings(
            &arena, "    - {name: in, type: memory}\n",
            mr_arena_format(&arena,
                            "    - {name: one, type: generate.copula, learn: in, key: [], fields: "
                            "[value], publish: {}, %s}\n    - {name: op, type: model.merge, from: "
                            "one.models, key: [], %s}\n",
                            cases[index].learner, cases[index].merger),
            "    - {name: out, type: memory, from: op}\n    - {name: unknown, type: memory, from: "
            "nobody}\n");
        bool is_refused =
            strstr(findings, "'one' has 'privacy', which holds for the records that it "
                             "makes, and 'op' would publish its model without") != NULL;
        assert_int_equal(is_refused, cases[index].is_refused);
        mr_arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_merger_reads_through_a_repartition),
        cmocka_unit_test(other_records_are_refused),
        cmocka_unit_test(privacy_is_not_lost_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
