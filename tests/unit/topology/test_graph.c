/* tests/unit/topology/test_graph.c — references become edges in an order; the messages are in
 * tests/golden/topology. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "tests/support/topology_fixture.h"

static void producers_come_before_their_readers(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture,
                             "  sources:\n"
                             "    - {name: in, type: kafka, topic: in}\n"
                             "  operators:\n"
                             "    - {name: third, type: filter, from: second, where: ok}\n"
                             "    - {name: second, type: filter, from: first, where: ok}\n"
                             "    - {name: first, type: filter, from: in, where: ok}\n"
                             "  sinks:\n"
                             "    - {name: out, type: kafka, topic: out, from: third}\n");
    assert_non_null(fixture.plan);
    const struct mr_plan_subtopology *part = &fixture.plan->subtopologies[0];
    static const char *const order[] = {"in", "first", "second", "third", "out"};
    assert_int_equal(part->nodes_count, 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_string_equal(fixture.plan->nodes[part->nodes[i]].name, order[i]);
    mr_topology_fixture_close(&fixture);
}

static void one_output_may_have_many_readers_and_one_reader_two_ports(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: kafka, topic: in}\n"
                  "  operators:\n"
                  "    - {name: ways, type: branch, from: in, branches: [{name: hot, where: ok}]}\n"
                  "    - {name: both, type: merge, inputs: [ways.rest, ways.hot]}\n"
                  "  sinks:\n"
                  "    - {name: out, type: kafka, topic: out, from: both}\n"
                  "    - {name: hot, type: kafka, topic: hot, from: ways.hot}\n");
    const struct mr_plan_node *ways = mr_topology_fixture_node(&fixture, "ways");
    const struct mr_plan_node *both = mr_topology_fixture_node(&fixture, "both");
    assert_int_equal(ways->outputs_count, 2);
    assert_string_equal(ways->outputs[0].name, "hot");
    assert_string_equal(ways->outputs[1].name, "rest");
    assert_int_equal(ways->outputs[0].edges_count, 2);
    assert_int_equal(ways->outputs[0].edges[0].consumer, both->index);
    assert_int_equal(ways->outputs[0].edges[0].port, 1);
    assert_int_equal(ways->outputs[1].edges[0].port, 0);
    assert_int_equal(both->inputs[0].output, 1);
    mr_topology_fixture_close(&fixture);
}

static void unread_entries_are_warned_about_only_in_a_right_graph(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, "  sources:\n"
                                       "    - {name: in, type: kafka, topic: in}\n");
    assert_int_equal(mr_topology_fixture_count(&fixture, MR_SEVERITY_WARNING), 1);
    assert_non_null(fixture.plan);
    mr_topology_fixture_close(&fixture);
    mr_topology_fixture_open(&fixture, "  sources:\n"
                                       "    - {name: in, type: kafka, topic: in}\n"
                                       "  sinks:\n"
                                       "    - {name: out, type: kafka, topic: x, from: inn}\n");
    assert_int_equal(mr_topology_fixture_count(&fixture, MR_SEVERITY_WARNING), 0);
    assert_int_equal(fixture.report.errors_count, 1);
    mr_topology_fixture_close(&fixture);
}

static void a_long_chain_is_walked(void **state)
{
    (void)state;
    struct mr_buffer text;
    mr_buffer_init(&text, 1 << 20);
    assert_int_equal(mr_buffer_append_text(&text, "  sources:\n"
                                                  "    - {name: f0, type: kafka, topic: t}\n"
                                                  "  operators:\n"),
                     MR_OK);
    for (int i = 997; i > 0; i--)
        assert_int_equal(
            mr_buffer_append_format(
                &text, "    - {name: f%d, type: filter, from: f%d, where: ok}\n", i, i - 1),
            MR_OK);
    assert_int_equal(mr_buffer_append(&text, "", 1), MR_OK);
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, (const char *)text.data);
    assert_non_null(fixture.plan);
    assert_int_equal(fixture.plan->subtopologies[0].nodes_count, 998);
    mr_topology_fixture_close(&fixture);
    mr_buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(producers_come_before_their_readers),
        cmocka_unit_test(one_output_may_have_many_readers_and_one_reader_two_ports),
        cmocka_unit_test(unread_entries_are_warned_about_only_in_a_right_graph),
        cmocka_unit_test(a_long_chain_is_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
