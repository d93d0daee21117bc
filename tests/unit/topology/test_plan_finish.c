/* tests/unit/topology/test_plan_finish.c — the plan holds together; golden files have it in detail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/plan_check.h"
#include "tests/support/topology_fixture.h"

static void a_plan_with_everything_holds_together(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture,
        "  sources:\n"
        "    - {name: a, type: kafka, topic: a, key: [id]}\n"
        "    - {name: b, type: kafka, topic: b, key: [id]}\n"
        "  operators:\n"
        "    - {name: m, type: map, from: a, set: {x: v * 2.0}, rename: {old: new}}\n"
        "    - {name: ways, type: branch, from: b, branches: [{name: hot, where: v > 3.0}]}\n"
        "    - {name: k, type: map, from: ways.rest, rename: {old: new}}\n"
        "    - {name: all, type: merge, inputs: [m, k]}\n"
        "    - {name: s, type: detect.zscore, from: all, key: [site], field: x}\n"
        "    - {name: each, type: flat_map, from: s, field: items}\n"
        "    - {name: t, type: detect.zscore, from: each, key: [], field: items, as: second}\n"
        "  sinks:\n"
        "    - {name: o1, type: kafka, topic: out, from: t, key: [site]}\n"
        "    - {name: o2, type: kafka, topic: out, from: s.alerts}\n"
        "    - {name: o3, type: kafka, topic: out, from: all}\n");

    assert_non_null(fixture.plan);
    mr_plan_check(fixture.plan);
    mr_topology_fixture_close(&fixture);
}

static void reads_are_those_of_the_whole_way(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                  "  operators:\n"
                  "    - {name: f, type: filter, from: in, where: a > 1.0}\n"
                  "    - {name: s, type: detect.zscore, from: f, key: [id], field: b}\n"
                  "  sinks:\n"
                  "    - {name: o1, type: kafka, topic: out, from: s, where: c > 1.0, key: [d]}\n");

    const struct mr_plan_domain *domain = mr_topology_fixture_domain(&fixture, "in");
    static const char *const paths[] = {"id", "a", "b", "c", "d"};
    assert_int_equal(domain->reads_count, 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_true(mr_topology_fixture_read(domain, paths[i]) != MR_SLOT_NONE);
    assert_int_equal(domain->shape.slots_count, 8); /* and three of the anomaly */
    assert_int_equal(domain->shape.spans_count, 1);
    assert_string_equal(domain->tracked_names[0], "anomaly");
    mr_topology_fixture_close(&fixture);
}

static void inputs_carry_the_layout_of_what_arrives(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                  "  operators:\n"
                  "    - {name: m, type: map, from: in, set: {x: v}}\n"
                  "    - {name: s, type: detect.zscore, from: m, key: [site], field: x}\n"
                  "  sinks:\n"
                  "    - {name: out, type: kafka, topic: out, from: s}\n");

    const struct mr_plan_node *m = mr_topology_fixture_node(&fixture, "m");
    const struct mr_plan_node *s = mr_topology_fixture_node(&fixture, "s");
    assert_ptr_equal(m->inputs[0].layout,
                     mr_topology_fixture_node(&fixture, "in")->outputs[0].layout);
    assert_int_equal(m->outputs[0].layout->edits_count, 1);
    assert_int_equal(m->outputs[0].layout->edits[0].span, 0); /* written to the repartition */
    assert_int_equal(s->inputs[0].layout->edits_count, 0);
    mr_topology_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_with_everything_holds_together),
        cmocka_unit_test(reads_are_those_of_the_whole_way),
        cmocka_unit_test(inputs_carry_the_layout_of_what_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
