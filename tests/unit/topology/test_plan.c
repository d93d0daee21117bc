/* tests/unit/topology/test_plan.c — from text to plan: settings, failures, lookups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/topology_fixture.h"

static void settings_are_taken_over(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, "  guarantee: at_least_once\n"
                                       "  commit_interval: 1s\n"
                                       "  memory: 1GiB\n"
                                       "  sources:\n"
                                       "    - {name: in, type: kafka, topic: in}\n"
                                       "  sinks:\n"
                                       "    - {name: out, type: stdout, from: in}\n");
    const struct mr_plan *plan = fixture.plan;
    assert_non_null(plan);
    assert_string_equal(plan->name, "test");
    assert_false(plan->exactly_once);
    assert_int_equal(plan->commit_interval_ms, 1000);
    assert_int_equal(plan->memory_bytes, 1 << 30);
    assert_true(plan->replayable);
    assert_null(plan->not_replayable_reason);
    assert_int_equal(fixture.report.findings_count, 0); /* stdout is fine at least once */
    assert_string_equal(mr_plan_node_find(plan, "out")->type->name, "stdout");
    assert_null(mr_plan_node_find(plan, "nothing"));
    mr_topology_fixture_close(&fixture);
}

static void defaults_hold(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, "  sources:\n"
                                       "    - {name: in, type: kafka, topic: in}\n"
                                       "  sinks:\n"
                                       "    - {name: out, type: stdout, from: in}\n");
    assert_true(fixture.plan->exactly_once);
    assert_int_equal(fixture.plan->commit_interval_ms, 100);
    assert_int_equal(fixture.plan->memory_bytes, 256 << 20);
    assert_true(mr_topology_fixture_says(&fixture, "gives no guarantee"));
    mr_topology_fixture_close(&fixture);
}

static void all_kinds_of_errors_come_in_one_run(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture,
                             "  commit_interval: 1\n"
                             "  sources:\n"
                             "    - {name: in, type: kafka, topik: in, key: [yes]}\n"
                             "  operators:\n"
                             "    - {name: f, type: filter, from: inn, where: ok &&}\n"
                             "    - {name: score, type: detect.zscore, from: in, field: v}\n");
    assert_null(fixture.plan);
    static const char *const parts[] = {"'commit_interval'", "'topik'", "'topic'",
                                        "plain value yes",   "'inn'",   "'where'",
                                        "must say key"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        assert_true(mr_topology_fixture_says(&fixture, parts[i]));
    for (uint32_t i = 1; i < fixture.report.findings_count; i++)
        assert_true(fixture.report.findings[i].location.line >=
                    fixture.report.findings[i - 1].location.line);
    mr_topology_fixture_close(&fixture);
}

static void a_source_is_needed(void **state)
{
    (void)state;
    static const char *const bodies[] = {"  sources: []\n", "  operators: []\n"};
    for (size_t i = 0; i < 2; i++) {
        struct mr_topology_fixture fixture;
        mr_topology_fixture_open(&fixture, bodies[i]);
        assert_null(fixture.plan);
        assert_true(mr_topology_fixture_says(&fixture, "at least one source"));
        mr_topology_fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_taken_over),
        cmocka_unit_test(defaults_hold),
        cmocka_unit_test(all_kinds_of_errors_come_in_one_run),
        cmocka_unit_test(a_source_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
