/* Tests of worker/binding.c: the deployment that a worker makes from a definition and its binding
 * is the coordinator's; whatever does not fit is refused with a sentence that names it. */
#include "tests/unit/worker/lane_fixture.h"

#include "cli/catalogue.h"
#include "coordinator/binding.h"
#include "worker/binding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static const char topology[] = "apiVersion: millrace.io/v1alpha1\n"
                               "kind: Topology\n"
                               "metadata:\n"
                               "  name: bound\n"
                               "spec:\n"
                               "  sources:\n"
                               "    - name: readings\n"
                               "      type: kafka\n"
                               "      topics: [in, more]\n"
                               "      format: json\n"
                               "      on_error: fail\n"
                               "  operators:\n"
                               "    - name: score\n"
                               "      type: detect.zscore\n"
                               "      from: readings\n"
                               "      key: [sensor]\n"
                               "      field: value\n"
                               "  sinks:\n"
                               "    - name: results\n"
                               "      type: kafka\n"
                               "      from: score\n"
                               "      topic: out\n";

static const struct mr_lane_topic topics[] = {{"in", 3}, {"more", 2}, {"out", 5}};

struct scene {
    struct mr_lane_fixture fixture;
    struct mr_catalogue catalogue;
    struct mr_topology_reply reply;
    struct mr_bound_open open;
    struct mr_bound_version *version;
    struct mr_error error;
};

static struct scene scene;

static int setup(void **state)
{
    (void)state;
    memset(&scene, 0, sizeof(scene));
    mr_lane_fixture_open(&scene.fixture, topology, topics, 3);
    mr_catalogue_make(&scene.fixture.arena, &scene.catalogue);
    scene.reply = (struct mr_topology_reply){.found = true,
                                             .name = "bound",
                                             .generation = scene.fixture.deployment->generation,
                                             .version = 1,
                                             .definition = mr_slice_text(topology),
                                             .plan_hash = scene.fixture.plan->hash};
    mr_binding_make(scene.fixture.deployment, &scene.fixture.arena, &scene.reply.binding);
    scene.open = (struct mr_bound_open){.reply = &scene.reply,
                                        .catalogue = &scene.catalogue,
                                        .cluster = "c",
                                        .log_cluster_id = scene.fixture.deployment->cluster_id};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mr_bound_version_close(scene.version);
    mr_lane_fixture_close(&scene.fixture);
    return 0;
}

static void assert_topic(const struct mr_deployed_topic *left,
                         const struct mr_deployed_topic *right)
{
    assert_string_equal(left->name, right->name);
    assert_string_equal(left->topic_id, right->topic_id);
    assert_ptr_not_equal(left->name, right->name);
    assert_int_equal(left->partitions_count, right->partitions_count);
    assert_int_equal(left->message_bytes_max, right->message_bytes_max);
    assert_int_equal(left->delete_retention_ms, right->delete_retention_ms);
}

static void the_deployment_is_the_coordinators(void **state)
{
    (void)state;
    assert_int_equal(mr_bound_version_open(&scene.open, &scene.version, &scene.error), MR_OK);
    const struct mr_deployment *made = mr_bound_version_deployment(scene.version);
    const struct mr_deployment *given = scene.fixture.deployment;
    assert_int_equal(made->generation, given->generation);
    assert_string_equal(made->cluster, "c");
    assert_string_equal(made->cluster_id, given->cluster_id);
    assert_int_equal(made->plan->nodes_count, given->plan->nodes_count);
    for (uint32_t index = 0; index < made->plan->nodes_count; index++) {
        assert_int_equal(made->nodes[index].topics_count, given->nodes[index].topics_count);
        assert_int_equal(made->nodes[index].partitions_count, given->nodes[index].partitions_count);
        for (uint32_t topic = 0; topic < made->nodes[index].topics_count; topic++)
            assert_topic(&made->nodes[index].topics[topic], &given->nodes[index].topics[topic]);
    }
    assert_int_equal(made->plan->subtopologies_count, 2);
    for (uint32_t index = 0; index < 2; index++) {
        assert_int_equal(made->subtopologies[index].tasks_count,
                         given->subtopologies[index].tasks_count);
        assert_int_equal(made->subtopologies[index].tasks_before,
                         given->subtopologies[index].tasks_before);
        assert_topic(&made->subtopologies[index].log_topic, &given->subtopologies[index].log_topic);
    }
    assert_int_equal(made->plan->repartitions_count, 1);
    assert_topic(&made->repartitions[0], &given->repartitions[0]);
    assert_topic(&made->claims, &given->claims);
    assert_int_equal(mr_bound_subtopology_find(made->plan, "score"),
                     mr_bound_subtopology_find(given->plan, "score"));
    assert_int_equal(mr_bound_subtopology_find(made->plan, "nobody"), -1);
}

static void assert_refused(const char *part)
{
    assert_int_equal(mr_bound_version_open(&scene.open, &scene.version, &scene.error), MR_INVALID);
    assert_null(scene.version);
    if (strstr(scene.error.message, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, scene.error.message);
}

static void another_plan_is_refused(void **state)
{
    (void)state;
    scene.reply.plan_hash++;
    assert_refused("plans the topology otherwise");
}

static void an_unknown_type_is_refused_with_its_line(void **state)
{
    (void)state;
    scene.reply.definition = mr_slice_text("apiVersion: millrace.io/v1alpha1\n"
                                           "kind: Topology\n"
                                           "metadata: {name: bound}\n"
                                           "spec:\n"
                                           "  sources:\n"
                                           "    - {name: a, type: carrier_pigeon}\n");
    assert_refused("line 6");
}

static void another_kafka_is_refused(void **state)
{
    (void)state;
    scene.open.log_cluster_id = "elsewhere";
    assert_refused("elsewhere");
}

static void a_binding_that_lacks_something_is_refused(void **state)
{
    (void)state;
    struct mr_binding whole = scene.reply.binding;
    scene.reply.binding.nodes_count = 0;
    assert_refused("readings");
    scene.reply.binding = whole;
    scene.reply.binding.subtopologies_count = 1;
    assert_refused("nothing is bound to subtopology");
    scene.reply.binding = whole;
    scene.reply.binding.repartitions_count = 0;
    assert_refused("repartition");
    scene.reply.binding = whole;
    scene.reply.binding.claims.partitions_count = 0;
    assert_refused("claims");
}

static void a_binding_that_fits_another_plan_is_refused(void **state)
{
    (void)state;
    struct mr_bound_subtopology subtopologies[2];
    memcpy(subtopologies, scene.reply.binding.subtopologies, sizeof(subtopologies));
    scene.reply.binding.subtopologies = subtopologies;
    const char *name = subtopologies[1].name;
    subtopologies[1].name = "other";
    assert_refused("it has no subtopology \"other\"");
    subtopologies[1].name = name;
    subtopologies[1].stateful = !subtopologies[1].stateful;
    assert_refused("keeps state");
    subtopologies[1].stateful = !subtopologies[1].stateful;
    subtopologies[1].log_topic.partitions_count = 1;
    subtopologies[1].tasks_count = 2;
    assert_refused("the tasks do not fit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_deployment_is_the_coordinators, setup, teardown),
        cmocka_unit_test_setup_teardown(another_plan_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_type_is_refused_with_its_line, setup, teardown),
        cmocka_unit_test_setup_teardown(another_kafka_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_binding_that_lacks_something_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_binding_that_fits_another_plan_is_refused, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
