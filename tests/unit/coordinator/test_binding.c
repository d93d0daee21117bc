/* tests/unit/coordinator/test_binding.c — deployments by name. */
#include "coordinator/binding.h"

#include "coordinator/deploy.h"
#include "tests/unit/worker/lane_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char topology[] =
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
    "  sources:\n    - {name: a, type: kafka, format: json, topic: in, key: [k]}\n"
    "  operators:\n    - {name: score, type: detect.zscore, from: a, key: [site], field: value}\n"
    "  sinks:\n    - {name: results, type: kafka, from: score, topic: out}\n";

static const struct mr_lane_topic topics[] = {{"in", 3}, {"out", 2}};

static void test_everything_goes_by_name(void **state)
{
    struct mr_lane_fixture fixture;
    struct mr_binding binding;
    (void)state;
    mr_lane_fixture_open(&fixture, topology, topics, 2);
    mr_binding_make(fixture.deployment, &fixture.arena, &binding);
    assert_string_equal(binding.cluster_id, fixture.deployment->cluster_id);
    const struct mr_bound_node *source = mr_binding_node(&binding, "a");
    assert_non_null(source);
    assert_int_equal(source->partitions_count, 3);
    assert_string_equal(source->topics[0].name, "in");
    assert_true(strlen(source->topics[0].topic_id) > 0);
    assert_null(mr_binding_node(&binding, "score"));
    const struct mr_bound_subtopology *scoring = mr_binding_subtopology(&binding, "score");
    assert_non_null(scoring);
    assert_true(scoring->stateful);
    assert_int_equal(scoring->tasks_count, 3);
    assert_non_null(strstr(scoring->log_topic.name, ".score.changelog"));
    assert_int_equal(binding.repartitions_count, 1);
    assert_string_equal(binding.repartitions[0].name, "score-repartition");
    assert_int_equal(binding.repartitions[0].topics_count, 1);
    assert_int_equal(mr_binding_tasks_count(&binding), 6);
    assert_non_null(strstr(binding.claims.name, ".claims"));
    assert_string_equal(binding.dead_letters.name, "t.dead-letters");
    mr_lane_fixture_close(&fixture);
}

static void test_growth_shows_and_is_kept(void **state)
{
    struct mr_lane_fixture fixture;
    struct mr_binding before;
    struct mr_binding after;
    (void)state;
    mr_lane_fixture_open(&fixture, topology, topics, 2);
    mr_binding_make(fixture.deployment, &fixture.arena, &before);
    mr_binding_make(fixture.deployment, &fixture.arena, &after);
    assert_true(mr_binding_equal(&before, &after));
    uint32_t grown = fixture.plan->subtopologies_count;
    for (uint32_t index = 0; index < fixture.plan->subtopologies_count; index++)
        if (!fixture.plan->subtopologies[index].stateful)
            grown = index;
    const char *name = fixture.plan->subtopologies[grown].name;
    fixture.deployment->subtopologies[grown].tasks_count = 5;
    fixture.deployment->subtopologies[grown].tasks_before = 3;
    mr_binding_make(fixture.deployment, &fixture.arena, &before);
    assert_false(mr_binding_equal(&before, &after));
    /* Bound again: it has not grown since, and the tasks that came then came later than the rest.
     */
    fixture.deployment->subtopologies[grown].tasks_before = 0;
    mr_binding_make(fixture.deployment, &fixture.arena, &after);
    mr_binding_keep(&after, &before, &fixture.arena);
    assert_int_equal(mr_binding_subtopology(&after, name)->tasks_before, 3);
    assert_true(mr_binding_equal(&before, &after));
    mr_lane_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_goes_by_name),
        cmocka_unit_test(test_growth_shows_and_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
