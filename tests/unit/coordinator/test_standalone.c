/* tests/unit/coordinator/test_standalone.c — `run` in one process: its generation, what may follow
 * what, and when it must not touch a cluster. */
#include "coordinator/standalone.h"

#include "base/endian.h"
#include "cli/catalogue.h"
#include "connectors/connector.h"
#include "coordinator/control_log.h"
#include "proto/codec.h"
#include "tests/unit/worker/lane_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define HEAD(name)                                                                                 \
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: " name "}\nspec:\n"        \
    "  sources:\n    - {name: a, type: kafka, format: json, topic: in, key: [k]}\n  operators:\n"
#define SCORE(name, more)                                                                          \
    "    - {name: " name ", type: detect.zscore, from: a, key: [k], field: value" more "}\n"
#define SINK(from) "  sinks:\n    - {name: results, type: kafka, from: " from ", topic: out}\n"

static const char first[] = HEAD("t") SCORE("score", "") SINK("score");
static const char other[] = HEAD("u") SCORE("score", "") SINK("score");
static const char tuned[] = HEAD("t") SCORE("score", ", threshold: 9.0") SINK("score");
static const char rebound[] = HEAD("t") SCORE("score", ", window: {count: 200}") SINK("score");
static const char renamed[] = HEAD("t") SCORE("renamed", "") SINK("renamed");

struct fixture {
    struct mr_log *log;
    struct mr_arena arena;
    struct mr_deployment *deployment;
    struct mr_error error;
    bool changed;
    bool keeps; /* definitions, as `run` does */
};

static int set_up(void **state)
{
    static struct fixture fixture;
    const struct mr_memory_log_open open = {0};
    const struct mr_log_topic_create topics[] = {
        {.name = "in", .partitions_count = 2, .replication_factor = -1},
        {.name = "out", .partitions_count = 1, .replication_factor = -1}};
    memset(&fixture, 0, sizeof(fixture));
    mr_arena_init(&fixture.arena, 1 << 16);
    assert_int_equal(mr_memory_log_create(&open, &fixture.log, &fixture.error), MR_OK);
    for (int at = 0; at < 2; at++)
        assert_int_equal(fixture.log->ops->topic_create(fixture.log, &topics[at], &fixture.error),
                         MR_OK);
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

static enum mr_status deploy_dropping(struct fixture *fixture, const char *text, const char *drop)
{
    const struct mr_deploy_options options = {.cluster = "c", .wait_ms = 1000};
    struct mr_catalogue catalogue;
    mr_catalogue_make(&fixture->arena, &catalogue);
    const struct mr_standalone_version version = {
        .plan = mr_lane_fixture_plan(&fixture->arena, text),
        .definition = fixture->keeps ? mr_slice_text(text) : (struct mr_slice){0},
        .catalogue = &catalogue,
        .drop_state = &drop,
        .drop_state_count = drop != NULL};
    return mr_standalone_deploy(fixture->log, &version, &options, &fixture->arena,
                                &fixture->deployment, &fixture->changed, &fixture->error);
}

static enum mr_status deploy(struct fixture *fixture, const char *text)
{
    return deploy_dropping(fixture, text, NULL);
}

static void refused(struct fixture *fixture, const char *text, const char *sentence)
{
    assert_int_equal(deploy(fixture, text), MR_INVALID);
    assert_int_equal(fixture->error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    if (strstr(fixture->error.message, sentence) == NULL)
        fail_msg("\"%s\" is not in: %s", sentence, fixture->error.message);
}

static void write_control(struct fixture *fixture, const char *key, struct mr_slice value)
{
    const struct mr_log_record record = {
        .topic = "c.control", .key = mr_slice_text(key), .value = value, .timestamp_ms = -1};
    assert_int_equal(
        mr_log_write_once(fixture->log, "c.control", &record, 1, 1000, &fixture->error), MR_OK);
}

static void test_the_generation_stays_and_the_hash_follows(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(deploy(fixture, first), MR_OK);
    assert_false(fixture->changed);
    uint64_t generation = fixture->deployment->generation;
    assert_int_not_equal(generation, 0);
    assert_int_equal(deploy(fixture, other), MR_OK);
    assert_true(fixture->deployment->generation != generation);
    assert_int_equal(deploy(fixture, tuned), MR_OK);
    assert_true(fixture->changed);
    assert_true(fixture->deployment->generation == generation);
    assert_int_equal(deploy(fixture, tuned), MR_OK);
    assert_false(fixture->changed);
}

static void test_a_version_that_would_start_over_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(deploy(fixture, first), MR_OK);
    for (int again = 0; again < 2; again++)
        refused(fixture, renamed, "\"score\", for which the new version has no part");
    assert_int_equal(deploy(fixture, first), MR_OK); /* the old one goes on */
}

/* With the definition the two are compared as `submit` does. */
static void test_definitions_are_compared(void **state)
{
    struct fixture *fixture = *state;
    fixture->keeps = true;
    assert_int_equal(deploy(fixture, first), MR_OK);
    uint64_t generation = fixture->deployment->generation;
    refused(fixture, renamed, "which keeps state. Keep it, or say that its state may be dropped");
    refused(fixture, rebound, "keeps state that depends on 'window'");
    assert_int_equal(deploy(fixture, first), MR_OK); /* nothing was written */
    assert_false(fixture->changed);
    assert_int_equal(deploy(fixture, tuned), MR_OK);
    assert_int_equal(deploy_dropping(fixture, rebound, "score"), MR_OK);
    assert_int_equal(deploy_dropping(fixture, rebound, "score"), MR_OK); /* it starts again */
    assert_true(fixture->deployment->generation == generation);
    assert_int_equal(deploy_dropping(fixture, renamed, "score"), MR_OK);
    assert_int_equal(deploy_dropping(fixture, first, "renamed"), MR_INVALID);
    assert_non_null(strstr(fixture->error.message, "not used again"));
}

/* What a program left that kept no definition is compared by names, once. */
static void test_a_definition_is_kept_from_now_on(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(deploy(fixture, first), MR_OK);
    fixture->keeps = true;
    assert_int_equal(deploy(fixture, first), MR_OK);
    refused(fixture, rebound, "keeps state that depends on 'window'");
}

/* What could not be bound has no state: a correction may have other names. */
static void test_names_count_once_they_are_bound(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture->log->ops->topic_delete(fixture->log, "out", &fixture->error), MR_OK);
    assert_int_equal(deploy(fixture, first), MR_NOT_FOUND);
    const struct mr_log_topic_create out = {
        .name = "out", .partitions_count = 1, .replication_factor = -1};
    assert_int_equal(fixture->log->ops->topic_create(fixture->log, &out, &fixture->error), MR_OK);
    assert_int_equal(deploy(fixture, renamed), MR_OK);
}

/* Records of version 0.1: generation and hash only. The topics say which names there were. */
static void test_an_old_record_is_read(void **state)
{
    struct fixture *fixture = *state;
    uint8_t old[17] = {1};
    assert_int_equal(deploy(fixture, first), MR_OK);
    uint64_t generation = fixture->deployment->generation;
    mr_put_u64le(old + 1, generation);
    mr_put_u64le(old + 9, 77);
    write_control(fixture, "topology/t", mr_slice_from(old, sizeof(old)));
    refused(fixture, renamed, "\"score\", for which the new version has no part");
    assert_int_equal(deploy(fixture, first), MR_OK);
    assert_true(fixture->changed);
    assert_true(fixture->deployment->generation == generation);
}

static void lead(struct fixture *fixture, bool resigned)
{
    const struct mr_leader_record leader = {
        .term = 3, .address = "tcp://h:1", .http = "h:2", .beat = 9, .resigned = resigned};
    write_control(fixture, "leader", mr_leader_record_encode(&leader, &fixture->arena));
}

static void test_a_live_leader_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(deploy(fixture, first), MR_OK);
    lead(fixture, false);
    refused(fixture, first, "Cluster \"c\" has a coordinator, at h:2");
    assert_non_null(strstr(fixture->error.message, "millrace submit"));
    lead(fixture, true); /* it has handed over, to nobody */
    assert_int_equal(deploy(fixture, first), MR_OK);
}

static void test_what_workers_run_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(deploy(fixture, first), MR_OK);
    const struct mr_topology_record record = {.name = "t",
                                              .generation = fixture->deployment->generation,
                                              .version = 2,
                                              .version_last = 2,
                                              .dropped_topics_prefix = ""};
    write_control(fixture, "topology/t", mr_topology_record_encode(&record, &fixture->arena));
    refused(fixture, first, "belongs to the workers of cluster \"c\" (version 2)");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_the_generation_stays_and_the_hash_follows),
        CASE(test_a_version_that_would_start_over_is_refused),
        CASE(test_definitions_are_compared),
        CASE(test_a_definition_is_kept_from_now_on),
        CASE(test_names_count_once_they_are_bound),
        CASE(test_an_old_record_is_read),
        CASE(test_a_live_leader_is_left_alone),
        CASE(test_what_workers_run_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
