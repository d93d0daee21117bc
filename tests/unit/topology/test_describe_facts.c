/* tests/unit/topology/test_describe_facts.c — figures of a plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/support/topology_fixture.h"
#include "topology/describe.h"
#include "topology/describe_facts.h"

static void restore_times_round_up(void **state)
{
    (void)state;
    assert_int_equal(mr_plan_restore_ms(0), 0);
    assert_int_equal(mr_plan_restore_ms(1), 1);
    assert_int_equal(mr_plan_restore_ms(500000), 1000);
    assert_int_equal(mr_plan_restore_ms(10000000), 20000);
}

static void memory_is_that_of_full_batches(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, "  sources:\n"
                                       "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                                       "  operators:\n"
                                       "    - {name: score, type: detect.zscore, from: in, key: "
                                       "[id], field: v, state: {max_keys: 10}}\n"
                                       "  sinks:\n"
                                       "    - {name: out, type: kafka, topic: out, from: score}\n");
    assert_non_null(fixture.plan);
    const struct mr_plan_subtopology *part = &fixture.plan->subtopologies[0];
    struct mr_describe_memory memory = mr_describe_memory(fixture.plan, part);
    /* The source's rows have id, v and three added columns, a span and a key; alerts four columns.
     */
    int64_t row_bytes = 5 * 16 + 12 + 16 + 4 * 16;
    assert_int_equal(memory.batch_bytes, row_bytes * MR_LIMIT_BATCH_ROWS);
    /* And what a batch of ten keys changes. */
    assert_int_equal(memory.transaction_bytes, 2 * (MR_LIMIT_TRANSACTION_BYTES + 10 * 60));
    assert_int_equal(memory.instance_bytes, 0);
    int64_t others = mr_describe_resident_bytes(fixture.plan) - fixture.plan->memory_bytes -
                     memory.batch_bytes - memory.transaction_bytes;
    assert_in_range(others, 100 << 20, 200 << 20); /* clients and the program */
    assert_int_equal(memory.state_bytes, 10 * 96);
    assert_int_equal(mr_describe_keys_max(fixture.plan, part), 10);
    struct mr_state_estimate estimate =
        mr_describe_estimate(mr_topology_fixture_node(&fixture, "in"));
    assert_int_equal(estimate.object_bytes, 0);
    mr_topology_fixture_close(&fixture);
}

static void a_table_of_every_task_costs_what_its_lookups_keep(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: kafka, topic: in}\n"
                  "    - {name: rates, type: kafka, topic: r, key: [code], table: true}\n"
                  "  operators:\n"
                  "    - {name: a, type: join.lookup, from: in, table: rates, key: [x], "
                  "as: one, max_keys: 20}\n"
                  "    - {name: b, type: join.lookup, from: a, table: rates, key: [z], "
                  "as: two, max_keys: 30}\n"
                  "  sinks:\n"
                  "    - {name: out, type: kafka, topic: out, from: b}\n");
    assert_non_null(fixture.plan);
    struct mr_describe_table table =
        mr_describe_table(fixture.plan, mr_topology_fixture_node(&fixture, "rates"));
    assert_int_equal(table.keys_max, 30);
    assert_int_equal(table.state_bytes_max, 0); /* the fixture's type gives no estimate */
    table = mr_describe_table(fixture.plan, mr_topology_fixture_node(&fixture, "in"));
    assert_int_equal(table.keys_max, 0);
    mr_topology_fixture_close(&fixture);
}

static void one_store_without_a_bound_bounds_nothing(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, "  sources:\n"
                                       "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                                       "  operators:\n"
                                       "    - {name: a, type: detect.zscore, from: in, key: [id], "
                                       "field: v, state: {max_keys: 10}}\n"
                                       "    - {name: b, type: deduplicate, from: a, key: [id]}\n");
    assert_non_null(fixture.plan);
    const struct mr_plan_subtopology *part = &fixture.plan->subtopologies[0];
    assert_int_equal(mr_describe_keys_max(fixture.plan, part), 0);
    assert_int_equal(mr_describe_memory(fixture.plan, part).state_bytes, 0);
    mr_topology_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restore_times_round_up),
        cmocka_unit_test(a_table_of_every_task_costs_what_its_lookups_keep),
        cmocka_unit_test(memory_is_that_of_full_batches),
        cmocka_unit_test(one_store_without_a_bound_bounds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
