/* tests/unit/topology/test_plan_table.c — plan_table.c: a table's source and what a join keeps of
 * it. Whole plans and findings: tests/golden/topology/plan_table.yaml, rule16_tables.yaml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/plan_check.h"
#include "tests/support/topology_fixture.h"

static const char body[] = "  sources:\n"
                           "    - {name: a, type: kafka, topic: a, key: [id]}\n"
                           "    - {name: t, type: kafka, topic: t, key: [k], table: true, "
                           "retention: 2s, load_timeout: 3s}\n"
                           "  operators:\n"
                           "    - {name: known, type: join.table, from: a, table: t, key: [id]}\n"
                           "    - {name: f, type: filter, from: known, where: t.x.y > 1.0}\n";

static void a_table_says_how_it_is_read(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, body);
    const struct mr_plan_node *table = mr_topology_fixture_node(&fixture, "t");
    assert_true(table->is_table);
    assert_int_equal(table->retention_ms, 2000);
    assert_int_equal(table->load_timeout_ms, 3000);
    assert_false(mr_topology_fixture_node(&fixture, "a")->is_table);
    mr_topology_fixture_close(&fixture);
}

static void only_what_is_read_of_it_is_kept(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, body);
    mr_plan_check(fixture.plan);
    const struct mr_plan_node *node = mr_topology_fixture_node(&fixture, "known");
    assert_null(node->join->sides[0].name);
    const struct mr_plan_join_side *side = &node->join->sides[1];
    assert_string_equal(side->name, "t");
    assert_int_equal(side->slots_count, 1);
    assert_string_equal(side->names[0], "x.y");
    assert_int_equal(side->text_slot, MR_SLOT_NONE);
    /* The stream's rows stay where they are: no repartition, one domain. */
    assert_int_equal(fixture.plan->repartitions_count, 0);
    assert_int_equal(node->inputs[0].domain, node->outputs[0].domain);
    mr_topology_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_says_how_it_is_read),
        cmocka_unit_test(only_what_is_read_of_it_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
