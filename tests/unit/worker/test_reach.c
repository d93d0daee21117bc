/* tests/unit/worker/test_reach.c — how far event time must go on until nothing of a row is open. */
#include "worker/reach.h"

#include "tests/unit/worker/lane_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEAD                                                                                       \
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n  sources:\n"   \
    "    - {name: a, type: kafka, topic: in-a, format: json, timestamp: ts}\n"                     \
    "    - {name: b, type: kafka, topic: in-b, format: json, timestamp: ts}\n"                     \
    "  operators:\n"

static int64_t open_ms(const char *topology, const char *source)
{
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    const struct mr_plan *plan = mr_lane_fixture_plan(&arena, topology);
    int64_t open = mr_reach_open_ms(plan, mr_plan_node_find(plan, source)->index);
    mr_arena_deinit(&arena);
    return open;
}

static void test_what_keeps_nothing_open_adds_nothing(void **state)
{
    static const char topology[] =
        HEAD "    - {name: some, type: filter, from: a, where: 'v > 1.0'}\n"
             "  sinks:\n    - {name: first-out, type: kafka, from: some, topic: out}\n"
             "    - {name: second-out, type: kafka, from: b, topic: out}\n";
    (void)state;
    assert_int_equal(open_ms(topology, "a"), 0);
    assert_int_equal(open_ms(topology, "b"), 0);
}

/* Over a repartition, too; of two ways the longer one. `sort` keeps a row for 1 ms of its time. */
static void test_the_longest_way_counts(void **state)
{
    static const char topology[] =
        HEAD "    - {name: first, type: sort, from: a, key: [k], max_records: 10}\n"
             "    - {name: second, type: sort, from: first, key: [m], max_records: 10}\n"
             "    - {name: other, type: sort, from: b, key: [k], max_records: 10}\n"
             "    - {name: all, type: merge, inputs: [other, a]}\n"
             "  sinks:\n    - {name: first-out, type: kafka, from: second, topic: out}\n"
             "    - {name: second-out, type: kafka, from: all, topic: out}\n";
    (void)state;
    assert_int_equal(open_ms(topology, "a"), 2);
    assert_int_equal(open_ms(topology, "b"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_keeps_nothing_open_adds_nothing),
        cmocka_unit_test(test_the_longest_way_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
