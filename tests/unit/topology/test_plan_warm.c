/* tests/unit/topology/test_plan_warm.c — where sources start for a detector that learns from
 * history. What is refused: tests/golden/topology/rule12_warm_from.yaml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/topology_fixture.h"

static int64_t history_of(const struct mr_topology_fixture *fixture, const char *source)
{
    return mr_plan_node_find(fixture->plan, source)->history_ms;
}

/* Also behind a repartition; the source of control records starts as it says. */
static void sources_start_as_far_back_as_any_detector_wants(void **state)
{
    MR_UNUSED(state);
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture,
        "  sources:\n"
        "    - {name: in, type: kafka, topic: in, key: [k]}\n"
        "    - {name: more, type: kafka, topic: more, key: [k]}\n"
        "    - {name: other, type: kafka, topic: other, key: [k]}\n"
        "    - {name: orders, type: kafka, topic: orders, key: [key], start: latest}\n"
        "  operators:\n"
        "    - {name: both, type: merge, inputs: [in, more]}\n"
        "    - {name: a, type: detect.zscore, from: both, key: [k], field: value, control: orders, "
        "warm_from: {since: 2h}}\n"
        "    - {name: b, type: detect.zscore, from: in, key: [room], field: value, "
        "warm_from: {since: 7d}}\n"
        "    - {name: c, type: detect.zscore, from: other, key: [k], field: value}\n");
    assert_non_null(fixture.plan);
    assert_int_equal(history_of(&fixture, "in"), INT64_C(7) * 86400000);
    assert_int_equal(history_of(&fixture, "more"), 7200000);
    assert_int_equal(history_of(&fixture, "other"), 0);
    assert_int_equal(history_of(&fixture, "orders"), 0);
    mr_topology_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_start_as_far_back_as_any_detector_wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
