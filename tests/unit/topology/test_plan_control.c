/* tests/unit/topology/test_plan_control.c — control records meet the data of their key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/topology_fixture.h"

static void plan(struct mr_topology_fixture *fixture, struct mr_arena *arena, const char *sources,
                 const char *options)
{
    mr_topology_fixture_open(
        fixture, mr_arena_format(arena,
                                 "  sources:\n%s"
                                 "  operators:\n"
                                 "    - {name: op, type: detect.zscore, from: in, control: orders, "
                                 "field: value, %s}\n",
                                 sources, options));
}

static void control_records_are_grouped_by_their_key(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *sources;
        const char *options;
        uint32_t repartitions_count;
    } cases[] = {
        {"    - {name: in, type: kafka, topic: in, key: [a]}\n"
         "    - {name: orders, type: kafka, topic: orders, key: [key]}\n",
         "key: [a]", 0},
        {"    - {name: in, type: kafka, topic: in, key: [a]}\n"
         "    - {name: orders, type: kafka, topic: orders}\n",
         "key: [a]", 1},
        {"    - {name: in, type: kafka, topic: in}\n"
         "    - {name: orders, type: kafka, topic: orders}\n",
         "key: [a, b]", 2},
        {"    - {name: in, type: kafka, topic: in}\n"
         "    - {name: orders, type: kafka, topic: orders}\n",
         "key: []", 2},
        /* Keys that are no text have other partitions. */
        {"    - {name: in, type: kafka, topic: in, key: [a], key_format: int64}\n"
         "    - {name: orders, type: kafka, topic: orders, key: [key]}\n",
         "key: [a]", 1},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        struct mr_arena arena;
        struct mr_topology_fixture fixture;
        mr_arena_init(&arena, 4096);
        plan(&fixture, &arena, cases[index].sources, cases[index].options);
        assert_non_null(fixture.plan);
        assert_int_equal(fixture.plan->repartitions_count, cases[index].repartitions_count);
        const struct mr_plan_node *node = mr_plan_node_find(fixture.plan, "op");
        assert_non_null(node->control);
        assert_int_equal(node->inputs_count, 2);
        assert_int_not_equal(node->control->slots[MR_CONTROL_ACTION], MR_SLOT_NONE);
        assert_int_equal(node->control->key.global, strcmp(cases[index].options, "key: []") == 0);
        assert_int_equal(fixture.plan->subtopologies[node->subtopology].sources_count +
                             fixture.plan->subtopologies[node->subtopology].repartitions_count,
                         2);
        mr_topology_fixture_close(&fixture);
        mr_arena_deinit(&arena);
    }
}

static void what_a_schema_leaves_out_is_refused(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    struct mr_topology_fixture fixture;
    mr_arena_init(&arena, 4096);
    plan(&fixture, &arena,
         "    - {name: in, type: kafka, topic: in, key: [a]}\n"
         "    - {name: made, type: kafka, topic: orders}\n",
         "key: [a]");
    assert_null(fixture.plan); /* orders is no node */
    mr_topology_fixture_close(&fixture);
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: kafka, topic: in, key: [a]}\n"
                  "  operators:\n"
                  "    - {name: first, type: detect.zscore, from: in, key: [a], field: value}\n"
                  "    - {name: op, type: detect.zscore, from: in, control: first.alerts, field: "
                  "value, key: [a], as: other}\n");
    assert_null(fixture.plan); /* alerts have a key, and no action */
    assert_non_null(strstr(fixture.report.findings[0].message, "'control': "));
    mr_topology_fixture_close(&fixture);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_records_are_grouped_by_their_key),
        cmocka_unit_test(what_a_schema_leaves_out_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
