/* tests/unit/topology/test_plan_twin.c — two streams that are compared meet by their key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/topology_fixture.h"

static void plan(struct mr_topology_fixture *fixture, struct mr_arena *arena, const char *real,
                 const char *synthetic, const char *options)
{
    mr_topology_fixture_open(
        fixture,
        mr_arena_format(arena,
                        "  sources:\n"
                        "    - {name: in, type: kafka, topic: in%s}\n"
                        "    - {name: made, type: kafka, topic: made%s}\n"
                        "  operators:\n"
                        "    - {name: op, type: quality.synthetic, real: in, synthetic: made, "
                        "fields: [value, b.c], window: {tumbling: 1m}, %s}\n",
                        real, synthetic, options));
}

static void both_inputs_are_grouped_by_the_key(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *real;
        const char *synthetic;
        const char *options;
        uint32_t repartitions_count;
    } cases[] = {
        {", key: [a]", ", key: [a]", "key: [a]", 0},
        {", key: [a]", "", "key: [a]", 1},
        {"", ", key: [b]", "key: [a]", 2},
        {"", "", "key: []", 2},
        /* Keys that are no text have other partitions. */
        {", key: [a], key_format: int64", ", key: [a]", "key: [a]", 1},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        struct mr_arena arena;
        struct mr_topology_fixture fixture;
        mr_arena_init(&arena, 4096);
        plan(&fixture, &arena, cases[index].real, cases[index].synthetic, cases[index].options);
        assert_non_null(fixture.plan);
        assert_int_equal(fixture.plan->repartitions_count, cases[index].repartitions_count);
        const struct mr_plan_node *node = mr_plan_node_find(fixture.plan, "op");
        assert_non_null(node->twin);
        assert_int_equal(node->inputs_count, 2);
        assert_int_not_equal(node->twin->slots[0], MR_SLOT_NONE);
        assert_int_not_equal(node->twin->slots[0], node->twin->slots[1]);
        assert_int_equal(node->twin->key.global, strcmp(cases[index].options, "key: []") == 0);
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
    mr_topology_fixture_open(
        &fixture,
        "  sources:\n"
        "    - {name: in, type: kafka, topic: in, key: [a]}\n"
        "  operators:\n"
        "    - {name: first, type: detect.zscore, from: in, key: [a], field: value}\n"
        "    - {name: op, type: quality.synthetic, real: in, synthetic: first.alerts, key: "
        "[], fields: [value], window: {tumbling: 1m}}\n");
    assert_null(fixture.plan); /* alerts have no value */
    bool is_said = false;
    for (uint32_t index = 0; index < fixture.report.findings_count; index++)
        is_said = is_said || strstr(fixture.report.findings[index].message,
                                    "'fields', of the input 'synthetic': the records of "
                                    "'first.alerts' have no field 'value'") != NULL;
    assert_true(is_said);
    mr_topology_fixture_close(&fixture);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_inputs_are_grouped_by_the_key),
        cmocka_unit_test(what_a_schema_leaves_out_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
