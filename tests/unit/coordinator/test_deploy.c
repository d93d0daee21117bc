/* tests/unit/coordinator/test_deploy.c — plans bound to topics of the memory log: what is missing,
 * what does not fit together, what was frozen, what has grown since. */
#include "coordinator/deploy.h"

#include "connectors/connector.h"
#include "tests/unit/worker/lane_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define HEAD "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
#define SOURCES(list) "  sources:\n" list
#define SOURCE(name, more) "    - {name: " name ", type: kafka, format: json, " more "}\n"
#define SCORE(from)                                                                                \
    "  operators:\n    - {name: score, type: detect.zscore, from: " from                           \
    ", key: [k], field: value}\n"
#define PASS(from)                                                                                 \
    "  operators:\n    - {name: score, type: filter, from: " from ", where: 'k != \"\"'}\n"
#define SINK "  sinks:\n    - {name: results, type: kafka, from: score, topic: out}\n"

struct fixture {
    struct mr_log *log;
    struct mr_arena arena;
    struct mr_deployment *deployment;
    struct mr_error error;
    bool embedded;
    bool dry_run;
    uint32_t creations_max; /* 0: any; else it is given up when so many topics may be created */
    uint32_t asked;
};

static bool is_given_up(void *argument)
{
    struct fixture *fixture = argument;
    return fixture->creations_max > 0 && ++fixture->asked > fixture->creations_max;
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct mr_memory_log_open open = {0};
    memset(&fixture, 0, sizeof(fixture));
    mr_arena_init(&fixture.arena, 1 << 16);
    assert_int_equal(mr_memory_log_create(&open, &fixture.log, &fixture.error), MR_OK);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    fixture->log->ops->close(fixture->log);
    mr_arena_deinit(&fixture->arena);
    return 0;
}

static void create(struct fixture *fixture, const char *name, int32_t partitions_count)
{
    struct mr_log_topic_create topic = {
        .name = name, .partitions_count = partitions_count, .replication_factor = -1};
    assert_int_equal(fixture->log->ops->topic_create(fixture->log, &topic, &fixture->error), MR_OK);
}

static int32_t partitions_of(struct fixture *fixture, const char *name)
{
    struct mr_log_topic topic;
    if (fixture->log->ops->topic_describe(fixture->log, name, &topic, &fixture->error) != MR_OK)
        return -1;
    return topic.partitions_count;
}

static enum mr_status deploy(struct fixture *fixture, const char *text)
{
    struct mr_deploy_options options = {.cluster = "c",
                                        .generation = 0xabc,
                                        .embedded = fixture->embedded,
                                        .dry_run = fixture->dry_run,
                                        .given_up = is_given_up,
                                        .argument = fixture,
                                        .partitions_count = 3,
                                        .wait_ms = 1000};
    const struct mr_plan *plan = mr_lane_fixture_plan(&fixture->arena, text);
    return mr_deploy(fixture->log, plan, &options, &fixture->arena, &fixture->deployment,
                     &fixture->error);
}

static void refused(struct fixture *fixture, enum mr_status status, const char *sentence)
{
    assert_int_not_equal(status, MR_OK);
    assert_int_equal(fixture->error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    if (strstr(fixture->error.message, sentence) == NULL)
        fail_msg("\"%s\" is not in: %s", sentence, fixture->error.message);
}

static const char stateful[] = HEAD SOURCES(SOURCE("a", "topic: in, key: [k]")) SCORE("a") SINK;
static const char stateless[] = HEAD SOURCES(SOURCE("a", "topic: in")) PASS("a") SINK;

static void test_missing_topics_are_named(void **state)
{
    struct fixture *fixture = *state;
    refused(fixture, deploy(fixture, stateful),
            "Source \"a\" reads topic \"in\", which does not exist");
    create(fixture, "in", 2);
    refused(fixture, deploy(fixture, stateful),
            "Sink \"results\" writes topic \"out\", which does not exist");
    assert_int_equal(partitions_of(fixture, "out"), -1); /* nothing was created */
    assert_int_equal(partitions_of(fixture, "c.claims"), -1);
}

static void test_embedded_creates_missing_topics(void **state)
{
    struct fixture *fixture = *state;
    fixture->embedded = true;
    assert_int_equal(deploy(fixture, stateful), MR_OK);
    assert_int_equal(partitions_of(fixture, "in"), 3);
    assert_int_equal(partitions_of(fixture, "out"), 3);
}

static void test_internal_topics_and_generation(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, "in", 5);
    create(fixture, "out", 2);
    assert_int_equal(deploy(fixture, stateful), MR_OK);
    const struct mr_deployment *first = fixture->deployment;
    assert_int_equal(first->subtopologies[0].tasks_count, 5);
    const char *name = first->subtopologies[0].log_topic.name;
    assert_int_equal(partitions_of(fixture, name), 5);
    assert_non_null(strstr(name, ".changelog"));
    assert_int_equal(strncmp(name, "c.t.", 4), 0);
    assert_int_equal(partitions_of(fixture, "t.dead-letters"), 5);
    assert_true(partitions_of(fixture, "c.claims") > 0);
    assert_non_null(strstr(name, ".0000000000000abc."));
    /* The same generation again: the same topics. */
    assert_int_equal(deploy(fixture, stateful), MR_OK);
    assert_string_equal(fixture->deployment->subtopologies[0].log_topic.name, name);
}

/* A coordinator that leads no more creates nothing: nobody would delete it. */
static void test_what_is_given_up_creates_nothing_more(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, "in", 5);
    create(fixture, "out", 2);
    fixture->creations_max = 1;
    assert_int_equal(deploy(fixture, stateful), MR_CLOSED);
    assert_int_equal(fixture->error.recovery, MR_RECOVERY_RETRY);
    assert_int_equal((partitions_of(fixture, "t.dead-letters") >= 0) +
                         (partitions_of(fixture, "c.claims") >= 0) +
                         (partitions_of(fixture, "c.t.0000000000000abc.score.changelog") >= 0),
                     1);
    fixture->creations_max = 0;
    assert_int_equal(deploy(fixture, stateful), MR_OK);
    assert_int_equal(partitions_of(fixture, "c.t.0000000000000abc.score.changelog"), 5);
}

/* A dry run says what would be there, and leaves nothing behind. */
static void test_a_dry_run_creates_nothing(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, "in", 5);
    create(fixture, "out", 2);
    fixture->dry_run = true;
    assert_int_equal(deploy(fixture, stateful), MR_OK);
    const char *name = fixture->deployment->subtopologies[0].log_topic.name;
    assert_int_equal(fixture->deployment->subtopologies[0].tasks_count, 5);
    assert_int_equal(fixture->deployment->subtopologies[0].log_topic.partitions_count, 5);
    assert_int_equal(partitions_of(fixture, name), -1);
    assert_int_equal(partitions_of(fixture, "c.claims"), -1);
    assert_int_equal(partitions_of(fixture, "t.dead-letters"), -1);
}

#define CHAIN                                                                                      \
    HEAD SOURCES(SOURCE(                                                                           \
        "a",                                                                                       \
        "topic: in")) "  operators:\n"                                                             \
                      "    - {name: one, type: detect.zscore, from: a, key: [k], field: value}\n"  \
                      "    - {name: two, type: detect.zscore, from: one, key: [site], field: "     \
                      "value, as: b}\n"                                                            \
                      "  sinks:\n    - {name: results, type: kafka, from: two, topic: out}\n"

/* Widths spread along repartitions: through a part that is narrower in itself. */
static void test_widths_spread_along_repartitions(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, "in", 7);
    create(fixture, "out", 1);
    assert_int_equal(deploy(fixture, CHAIN), MR_OK);
    for (uint32_t index = 0; index < fixture->deployment->plan->subtopologies_count; index++)
        assert_int_equal(fixture->deployment->subtopologies[index].tasks_count, 7);
    assert_true(fixture->deployment->plan->subtopologies_count >= 3);
}

static void test_sources_of_one_state_are_copartitioned(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, "in", 2);
    create(fixture, "other", 3);
    create(fixture, "out", 1);
    static const char text[] =
        HEAD SOURCES(SOURCE("a", "topics: [in, other], key: [k]")) SCORE("a") SINK;
    refused(fixture, deploy(fixture, text),
            "in (2 partitions) and other (3) feed the same keyed state");
}

/* Keys of a source's partitions meet those of a repartition only where both are equally many. */
static void test_repartitions_into_a_sources_tasks_are_as_many(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, "in", 2);
    create(fixture, "other", 7);
    create(fixture, "out", 1);
    static const char text[] = HEAD SOURCES(SOURCE("a", "topic: in, key: [k]") SOURCE(
        "b",
        "topic: other")) "  operators:\n"
                         "    - {name: pairs, type: join.interval, left: a, right: b, key: [k], "
                         "interval: {after: 1s}}\n"
                         "  sinks:\n    - {name: results, type: kafka, from: pairs, topic: out}\n";
    assert_int_equal(deploy(fixture, text), MR_OK);
    const struct mr_plan *plan = fixture->deployment->plan;
    uint32_t joined = mr_plan_node_find(plan, "pairs")->subtopology;
    assert_int_equal(fixture->deployment->subtopologies[joined].tasks_count, 2);
    assert_int_equal(plan->repartitions_count, 1);
    assert_int_equal(fixture->deployment->repartitions[0].partitions_count, 2);
}

/* A table that every task reads is no reason for another number of tasks. */
static void test_lookups_leave_tasks_as_they_are(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, "in", 7);
    create(fixture, "out", 1);
    static const char text[] = HEAD SOURCES(SOURCE(
        "a",
        "topic: in")) "    - {name: t, type: memory, key: [k], table: true, records: [{k: x}]}\n"
                      "  operators:\n"
                      "    - {name: keyed, type: key_by, from: a, key: [site]}\n"
                      "    - {name: known, type: join.lookup, from: keyed, table: t, key: [k]}\n"
                      "  sinks:\n    - {name: results, type: kafka, from: known, topic: out}\n";
    assert_int_equal(deploy(fixture, text), MR_OK);
    const struct mr_plan *plan = fixture->deployment->plan;
    uint32_t part = mr_plan_node_find(plan, "known")->subtopology;
    assert_int_equal(fixture->deployment->subtopologies[part].tasks_count, 7);
    assert_int_equal(fixture->deployment->repartitions[0].partitions_count, 7);
}

/* Nor is a topic, however many partitions it has and gets. */
static void test_a_topic_for_every_task_has_its_own_width(void **state)
{
    struct fixture *fixture = *state;
    bool grown = false;
    create(fixture, "in", 2);
    create(fixture, "rates", 5);
    create(fixture, "out", 1);
    static const char text[] = HEAD SOURCES(SOURCE("a", "topic: in, key: [k]") SOURCE(
        "t",
        "topic: rates, key: [code], "
        "table: true")) "  operators:\n"
                        "    - {name: known, type: join.lookup, from: a, table: t, key: [k]}\n"
                        "  sinks:\n    - {name: results, type: kafka, from: known, topic: out}\n";
    assert_int_equal(deploy(fixture, text), MR_OK);
    assert_int_equal(fixture->deployment->subtopologies[0].tasks_count, 2);
    assert_int_equal(fixture->deployment->subtopologies[0].log_topic.partitions_count, 2);
    assert_int_equal(fixture->log->ops->topic_grow(fixture->log, "rates", 7, &fixture->error),
                     MR_OK);
    assert_int_equal(
        mr_deployment_watch(fixture->log, fixture->deployment, &grown, &fixture->error), MR_OK);
    assert_true(grown);
    assert_int_equal(deploy(fixture, text), MR_OK);
    assert_int_equal(fixture->deployment->subtopologies[0].tasks_count, 2);
    assert_int_equal(fixture->deployment->nodes[1].partitions_count, 7);
}

static void test_counts_are_frozen_under_state(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, "in", 2);
    create(fixture, "out", 1);
    assert_int_equal(deploy(fixture, stateful), MR_OK);
    assert_int_equal(fixture->log->ops->topic_grow(fixture->log, "in", 4, &fixture->error), MR_OK);
    refused(fixture, deploy(fixture, stateful), "blocked: repartition needed");
    bool grown;
    refused(fixture,
            mr_deployment_watch(fixture->log, fixture->deployment, &grown, &fixture->error),
            "has grown from 2 to 4 partitions under keyed state");
}

static void test_a_stateless_source_may_grow(void **state)
{
    struct fixture *fixture = *state;
    bool grown = true;
    create(fixture, "in", 2);
    create(fixture, "out", 1);
    assert_int_equal(deploy(fixture, stateless), MR_OK);
    assert_int_equal(
        mr_deployment_watch(fixture->log, fixture->deployment, &grown, &fixture->error), MR_OK);
    assert_false(grown);
    assert_int_equal(fixture->log->ops->topic_grow(fixture->log, "in", 4, &fixture->error), MR_OK);
    assert_int_equal(
        mr_deployment_watch(fixture->log, fixture->deployment, &grown, &fixture->error), MR_OK);
    assert_true(grown);
    assert_int_equal(deploy(fixture, stateless), MR_OK);
    assert_int_equal(fixture->deployment->subtopologies[0].tasks_count, 4);
    assert_int_equal(partitions_of(fixture, fixture->deployment->subtopologies[0].log_topic.name),
                     4);
}

static void test_a_topic_created_anew_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    bool grown;
    create(fixture, "in", 2);
    create(fixture, "out", 1);
    assert_int_equal(deploy(fixture, stateless), MR_OK);
    assert_int_equal(fixture->log->ops->topic_delete(fixture->log, "in", &fixture->error), MR_OK);
    refused(fixture,
            mr_deployment_watch(fixture->log, fixture->deployment, &grown, &fixture->error),
            "in was deleted while");
    create(fixture, "in", 2);
    refused(fixture,
            mr_deployment_watch(fixture->log, fixture->deployment, &grown, &fixture->error),
            "in was deleted and created anew while");
}

static void test_patterns_match_whole_names(void **state)
{
    struct fixture *fixture = *state;
    bool grown;
    static const char text[] = HEAD SOURCES(SOURCE("a", "pattern: 'in-[0-9]+'")) PASS("a") SINK;
    create(fixture, "out", 1);
    create(fixture, "in-x", 1);
    create(fixture, "pin-1", 1);
    refused(fixture, deploy(fixture, text), "no topic matches the pattern");
    create(fixture, "in-1", 2);
    create(fixture, "in-22", 3);
    assert_int_equal(deploy(fixture, text), MR_OK);
    const struct mr_deployed_node *node = &fixture->deployment->nodes[0];
    assert_int_equal(node->topics_count, 2);
    assert_int_equal(fixture->deployment->subtopologies[0].tasks_count, 3);
    create(fixture, "in-3", 1);
    assert_int_equal(
        mr_deployment_watch(fixture->log, fixture->deployment, &grown, &fixture->error), MR_OK);
    assert_true(grown);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_missing_topics_are_named),
        CASE(test_embedded_creates_missing_topics),
        CASE(test_internal_topics_and_generation),
        CASE(test_what_is_given_up_creates_nothing_more),
        CASE(test_a_dry_run_creates_nothing),
        CASE(test_widths_spread_along_repartitions),
        CASE(test_sources_of_one_state_are_copartitioned),
        CASE(test_repartitions_into_a_sources_tasks_are_as_many),
        CASE(test_lookups_leave_tasks_as_they_are),
        CASE(test_a_topic_for_every_task_has_its_own_width),
        CASE(test_counts_are_frozen_under_state),
        CASE(test_a_stateless_source_may_grow),
        CASE(test_a_topic_created_anew_is_noticed),
        CASE(test_patterns_match_whole_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
