/* Tests of worker/follower.c over the memory log and RocksDB in a folder of the test: a standby has
 * what the task has, is taken over without a restore, keeps order keys, and fails alone.
 * MILLRACE_KEYS=N makes the take-over larger and prints its times. */
#include "tests/unit/worker/lane_fixture.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/key_codec.h"
#include "worker/follower.h"
#include "worker/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MS_MAX = 60000, KEYS = 2000, BATCH = 1000, PARTITIONS = 2 };

/* deduplicate has a time to live: its table keeps order keys. */
static const char topology[] = "apiVersion: millrace.io/v1alpha1\n"
                               "kind: Topology\n"
                               "metadata:\n"
                               "  name: followed\n"
                               "spec:\n"
                               "  commit_interval: 20ms\n"
                               "  sources:\n"
                               "    - name: readings\n"
                               "      type: kafka\n"
                               "      topic: in\n"
                               "      format: json\n"
                               "      key: [sensor]\n"
                               "      on_error: fail\n"
                               "  operators:\n"
                               "    - name: once\n"
                               "      type: deduplicate\n"
                               "      from: readings\n"
                               "      key: [sensor]\n"
                               "      within: 1h\n"
                               "  sinks:\n"
                               "    - name: results\n"
                               "      type: kafka\n"
                               "      from: once\n"
                               "      topic: out\n"
                               "      key: [sensor]\n";

static const struct mr_lane_topic topics[] = {{"in", PARTITIONS}, {"out", PARTITIONS}};

struct node {
    struct mr_worker *worker;
    struct mr_running *running;
    struct mr_follower *follower;
    struct mr_query_registry *queries;
    char directory[256];
};

struct scene {
    struct mr_lane_fixture fixture;
    struct node owner;
    struct node other;
};

static struct scene scene;

static void open_node(struct node *node, const char *name)
{
    struct mr_error error;
    const char *folder = getenv("TMPDIR");
    (void)snprintf(node->directory, sizeof(node->directory), "%s/millrace-follower-XXXXXX",
                   folder != NULL ? folder : "/tmp");
    assert_non_null(mkdtemp(node->directory));
    node->queries = mr_query_registry_create();
    struct mr_worker_open open = {.log = scene.fixture.log,
                                  .metrics = scene.fixture.metrics,
                                  .queries = node->queries,
                                  .name = name,
                                  .state_directory = node->directory,
                                  .threads_count = 1,
                                  .memory_bytes = 64 << 20,
                                  .assigned = true};
    assert_int_equal(mr_worker_create(&open, &node->worker, &error), MR_OK);
    assert_int_equal(mr_worker_start(node->worker, &error), MR_OK);
    assert_int_equal(mr_worker_add(node->worker, scene.fixture.deployment, &node->running, &error),
                     MR_OK);
    assert_int_equal(mr_follower_create(node->worker, &node->follower, &error), MR_OK);
}

static void close_node(struct node *node)
{
    char command[320];
    mr_follower_destroy(node->follower);
    assert_true(mr_worker_stop(node->worker, WAIT_MS_MAX));
    mr_worker_destroy(node->worker);
    mr_query_registry_destroy(node->queries);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", node->directory);
    assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
    (void)state;
    memset(&scene, 0, sizeof(scene));
    mr_lane_fixture_open(&scene.fixture, topology, topics, 2);
    open_node(&scene.owner, "owner");
    open_node(&scene.other, "other");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_node(&scene.owner);
    close_node(&scene.other);
    mr_lane_fixture_close(&scene.fixture);
    return 0;
}

static const char *changelog(void)
{
    return scene.fixture.deployment->subtopologies[0].log_topic.name;
}

/* ---- The owner ---- */

static struct mr_task *assign(struct node *node, int32_t partition, uint64_t epoch)
{
    struct mr_error error;
    struct mr_task *task;
    assert_int_equal(mr_worker_assign(node->running, 0, partition, epoch, &task, &error), MR_OK);
    return task;
}

static struct mr_task_report wait_for(struct mr_task *task, enum mr_task_state state)
{
    static char text[MR_ERROR_MESSAGE_SIZE];
    struct mr_task_report report;
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    for (;;) {
        mr_worker_task_report(task, text, &report);
        if (report.state == state)
            return report;
        if (mr_clock_monotonic_ms() >= until_ms)
            fail_msg("state %d instead of %d: %s", (int)report.state, (int)state, report.error);
        mr_clock_sleep_ms(1);
    }
}

static void forget(struct mr_task *task)
{
    while (!mr_worker_forget(task))
        mr_clock_sleep_ms(1);
}

/* Keys first to last of one partition, each once. */
static void write_keys(int32_t partition, int first, int last)
{
    struct mr_error error;
    const struct mr_log_ops *ops = scene.fixture.log->ops;
    struct mr_log_producer_options options = {.transactional_id = NULL};
    struct mr_log_producer *producer;
    static char keys[BATCH][16];
    static char values[BATCH][48];
    static struct mr_log_record records[BATCH];
    assert_int_equal(ops->producer_create(scene.fixture.log, &options, 1000, &producer, &error),
                     MR_OK);
    for (int id = first; id < last;) {
        uint32_t count = 0;
        for (; count < BATCH && id < last; id++, count++) {
            (void)snprintf(keys[count], sizeof(keys[0]), "s%d", id);
            (void)snprintf(values[count], sizeof(values[0]), "{\"sensor\":\"s%d\"}", id);
            records[count] = (struct mr_log_record){.topic = "in",
                                                    .partition = partition,
                                                    .key = mr_slice_text(keys[count]),
                                                    .value = mr_slice_text(values[count]),
                                                    .timestamp_ms = mr_clock_wall_ms()};
        }
        assert_int_equal(ops->producer_send(producer, records, count, &error), MR_OK);
        assert_int_equal(ops->producer_flush(producer, &error), MR_OK);
    }
    ops->producer_destroy(producer);
}

static uint32_t outputs(void)
{
    uint32_t sum = 0;
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        uint32_t count;
        (void)mr_lane_fixture_read(&scene.fixture, "out", partition, &count);
        sum += count;
    }
    return sum;
}

/* What was read is committed a moment later; more than expected never comes. */
static void wait_for_outputs(uint32_t expected)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    while (outputs() < expected && mr_clock_monotonic_ms() < until_ms)
        mr_clock_sleep_ms(5);
    assert_int_equal(outputs(), expected);
}

static void wait_for_input(struct mr_task *task, uint64_t records)
{
    static char text[MR_ERROR_MESSAGE_SIZE];
    struct mr_task_report report;
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    do {
        mr_worker_task_report(task, text, &report);
        if (mr_clock_monotonic_ms() >= until_ms)
            fail_msg("%" PRIu64 " of %" PRIu64 " records", report.input_records, records);
        mr_clock_sleep_ms(1);
    } while (report.input_records < records);
    mr_clock_sleep_ms(60); /* two commit intervals: what it has read is committed */
}

/* ---- The standby ---- */

static struct mr_task_report look(struct mr_standby *standby)
{
    static char text[MR_ERROR_MESSAGE_SIZE];
    struct mr_task_report report;
    mr_follower_report(standby, text, &report);
    return report;
}

static void wait_for_standby(struct mr_standby *standby, enum mr_task_state state, uint64_t records)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    for (;;) {
        struct mr_task_report report = look(standby);
        if (report.state == state && report.restored_records >= records &&
            (state == MR_TASK_STATE_FAILED || report.changelog_remaining == 0))
            return;
        if (mr_clock_monotonic_ms() >= until_ms)
            fail_msg("state %d, %" PRIu64 " records, %" PRId64 " remain: %s", (int)report.state,
                     report.restored_records, report.changelog_remaining, report.error);
        mr_clock_sleep_ms(1);
    }
}

static void leave(struct mr_standby *standby)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    while (!mr_follower_leave(standby)) {
        assert_true(mr_clock_monotonic_ms() < until_ms);
        mr_clock_sleep_ms(1);
    }
}

struct counts {
    uint64_t objects;
    uint64_t orders;
    uint64_t locals;
};

static bool count_pair(void *argument, struct mr_slice key, struct mr_slice value)
{
    struct counts *counts = argument;
    (void)value;
    counts->objects += key.data[4] == MR_KEY_OBJECT;
    counts->orders += key.data[4] == MR_KEY_ORDER;
    counts->locals += key.data[4] == MR_KEY_LOCAL;
    return true;
}

/* What is on the disk of a node for a partition that it has closed. */
static struct counts count_store(const struct node *node, int32_t partition)
{
    static const uint8_t first[] = {0, 0, 0, 1};
    static const uint8_t last[] = {0xff, 0xff, 0xff, 0xff, 0xff};
    struct mr_error error;
    struct counts counts = {0};
    char path[512];
    struct mr_store_resources *resources = mr_store_rocksdb.resources_create(16 << 20);
    void *store = mr_memory_new(1, mr_store_rocksdb.instance_size);
    (void)snprintf(path, sizeof(path), "%s/%016" PRIx64 "/%s/%d", node->directory,
                   scene.fixture.deployment->generation, scene.fixture.plan->subtopologies[0].name,
                   partition);
    struct mr_store_open open = {.directory = path, .resources = resources};
    assert_int_equal(mr_store_rocksdb.open(store, &open, &error), MR_OK);
    assert_int_equal(mr_store_rocksdb.scan(store, mr_slice_from(first, sizeof(first)),
                                           mr_slice_from(last, sizeof(last)), count_pair, &counts,
                                           &error),
                     MR_OK);
    mr_store_rocksdb.close(store);
    mr_memory_free(store);
    mr_store_rocksdb.resources_destroy(resources);
    return counts;
}

static void a_standby_takes_over_without_a_restore(void **state)
{
    (void)state;
    const char *given = getenv("MILLRACE_KEYS");
    int keys = given == NULL ? KEYS : (int)strtol(given, NULL, 10);
    struct mr_task *task = assign(&scene.owner, 0, 1);
    struct mr_standby *standby =
        mr_follower_follow(scene.other.follower, scene.fixture.deployment, 0, 0);
    wait_for(task, MR_TASK_STATE_RUNNING);
    write_keys(0, 0, keys);
    wait_for_input(task, (uint64_t)keys);
    wait_for_standby(standby, MR_TASK_STATE_FOLLOWING, (uint64_t)keys);
    mr_worker_revoke(task);
    wait_for(task, MR_TASK_STATE_RELEASED);
    wait_for_standby(standby, MR_TASK_STATE_FOLLOWING, (uint64_t)keys);
    uint64_t start_ms = mr_clock_monotonic_ms();
    leave(standby);
    uint64_t left_ms = mr_clock_monotonic_ms();
    task = assign(&scene.other, 0, 2);
    struct mr_task_report report = wait_for(task, MR_TASK_STATE_RUNNING);
    uint64_t running_ms = mr_clock_monotonic_ms();
    assert_in_range(report.restored_records, 0, 4);
    /* Every key is known: only the new one passes. */
    write_keys(0, 0, keys + 1);
    wait_for_input(task, (uint64_t)keys + 1);
    wait_for_outputs((uint32_t)keys + 1);
    mr_worker_revoke(task);
    wait_for(task, MR_TASK_STATE_RELEASED);
    forget(task);
    print_message("%d keys: left in %" PRIu64 " ms, running after another %" PRIu64 " ms\n", keys,
                  left_ms - start_ms, running_ms - left_ms);
}

static void order_keys_are_complete_when_a_standby_leaves(void **state)
{
    (void)state;
    struct mr_task *task = assign(&scene.owner, 0, 1);
    wait_for(task, MR_TASK_STATE_RUNNING);
    write_keys(0, 0, 100);
    wait_for_input(task, 100);
    /* One that starts with a backlog, then follows. */
    struct mr_standby *standby =
        mr_follower_follow(scene.other.follower, scene.fixture.deployment, 0, 0);
    wait_for_standby(standby, MR_TASK_STATE_FOLLOWING, 100);
    write_keys(0, 100, 150);
    wait_for_input(task, 150);
    wait_for_standby(standby, MR_TASK_STATE_FOLLOWING, 150);
    leave(standby);
    struct counts counts = count_store(&scene.other, 0);
    assert_int_equal(counts.objects, 150);
    assert_int_equal(counts.orders, 150);
    assert_int_equal(counts.locals, 1); /* the mark that they are complete */
    /* One that opens what is there already. */
    standby = mr_follower_follow(scene.other.follower, scene.fixture.deployment, 0, 0);
    write_keys(0, 150, 200);
    wait_for_input(task, 200);
    wait_for_standby(standby, MR_TASK_STATE_FOLLOWING, 50);
    assert_in_range(look(standby).restored_records, 50, 90);
    leave(standby);
    counts = count_store(&scene.other, 0);
    assert_int_equal(counts.objects, 200);
    assert_int_equal(counts.orders, 200);
}

/* Records whose progress record has not come yet are neither applied nor lost. */
static void a_transaction_is_applied_whole(void **state)
{
    (void)state;
    struct mr_error error;
    struct mr_task *task = assign(&scene.owner, 0, 1);
    wait_for(task, MR_TASK_STATE_RUNNING);
    write_keys(0, 0, 10);
    wait_for_input(task, 10);
    struct mr_standby *standby =
        mr_follower_follow(scene.other.follower, scene.fixture.deployment, 0, 0);
    wait_for_standby(standby, MR_TASK_STATE_FOLLOWING, 10);
    mr_worker_revoke(task);
    wait_for(task, MR_TASK_STATE_RELEASED);
    wait_for_standby(standby, MR_TASK_STATE_FOLLOWING, 10);
    uint64_t before = look(standby).restored_records;
    /* As without transactions: a state record, and its progress later. */
    uint8_t key[64];
    uint8_t value[64] = {0};
    size_t size =
        mr_key_write_object(key, mr_key_table_id("once", "passed", 0), mr_slice_text("late"));
    struct mr_log_record record = {.topic = changelog(),
                                   .key = mr_slice_from(key, size),
                                   .value = mr_slice_from(value, 24),
                                   .timestamp_ms = -1};
    const struct mr_log_ops *ops = scene.fixture.log->ops;
    struct mr_log_producer_options options = {.transactional_id = NULL};
    struct mr_log_producer *producer;
    assert_int_equal(ops->producer_create(scene.fixture.log, &options, 1000, &producer, &error),
                     MR_OK);
    assert_int_equal(ops->producer_send(producer, &record, 1, &error), MR_OK);
    assert_int_equal(ops->producer_flush(producer, &error), MR_OK);
    wait_for_standby(standby, MR_TASK_STATE_FOLLOWING, before + 1);
    leave(standby);
    assert_int_equal(count_store(&scene.other, 0).objects, 10);
    ops->producer_destroy(producer);
}

static void a_standby_fails_alone_and_tries_again(void **state)
{
    (void)state;
    struct mr_error error;
    struct mr_deployment broken = *scene.fixture.deployment;
    struct mr_deployed_subtopology subtopology = broken.subtopologies[0];
    subtopology.log_topic.name = "gone";
    broken.subtopologies = &subtopology;
    struct mr_standby *bad = mr_follower_follow(scene.other.follower, &broken, 0, 0);
    struct mr_standby *good =
        mr_follower_follow(scene.other.follower, scene.fixture.deployment, 0, 1);
    wait_for_standby(bad, MR_TASK_STATE_FAILED, 0);
    assert_non_null(strstr(look(bad).error, "gone"));
    struct mr_task *task = assign(&scene.owner, 1, 1);
    wait_for(task, MR_TASK_STATE_RUNNING);
    write_keys(1, 0, 20);
    wait_for_standby(good, MR_TASK_STATE_FOLLOWING, 20);
    struct mr_log_topic_create create = {
        .name = "gone", .partitions_count = 1, .replication_factor = -1, .retention_ms = -1};
    assert_int_equal(scene.fixture.log->ops->topic_create(scene.fixture.log, &create, &error),
                     MR_OK);
    wait_for_standby(bad, MR_TASK_STATE_FOLLOWING, 0);
    leave(bad);
    leave(good);
}

static void damaged_state_is_wiped_and_restored(void **state)
{
    (void)state;
    char path[512];
    struct mr_task *task = assign(&scene.owner, 0, 1);
    wait_for(task, MR_TASK_STATE_RUNNING);
    write_keys(0, 0, 30);
    wait_for_input(task, 30);
    struct mr_standby *standby =
        mr_follower_follow(scene.other.follower, scene.fixture.deployment, 0, 0);
    wait_for_standby(standby, MR_TASK_STATE_FOLLOWING, 30);
    leave(standby);
    (void)snprintf(path, sizeof(path), "%s/%016" PRIx64 "/%s/0/CURRENT", scene.other.directory,
                   scene.fixture.deployment->generation, scene.fixture.plan->subtopologies[0].name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    (void)fputs("garbage", file);
    (void)fclose(file);
    standby = mr_follower_follow(scene.other.follower, scene.fixture.deployment, 0, 0);
    wait_for_standby(standby, MR_TASK_STATE_FOLLOWING, 30);
    leave(standby);
    assert_int_equal(count_store(&scene.other, 0).objects, 30);
}

/* ---- A consumer that breaks ---- */

static const struct mr_log_ops *own_ops;
static struct mr_log_ops broken_ops;
static struct mr_log_consumer *_Atomic followers_consumer;
static atomic_bool breaks;

static enum mr_status note_consumer(struct mr_log *log,
                                    const struct mr_log_consumer_options *options,
                                    struct mr_log_consumer **consumer, struct mr_error *error)
{
    enum mr_status status = own_ops->consumer_create(log, options, consumer, error);
    if (status == MR_OK && options->end_of_partition &&
        options->queued_bytes_max == MR_CONSUMER_QUEUE_BYTES)
        atomic_store(&followers_consumer, *consumer);
    return status;
}

static enum mr_status break_poll(struct mr_log_consumer *consumer, uint32_t messages_max,
                                 uint32_t wait_ms, struct mr_log_fetch *fetch,
                                 struct mr_error *error)
{
    if (consumer == atomic_load(&followers_consumer) && atomic_exchange(&breaks, false))
        return MR_FAIL(error, MR_IO, MR_RECOVERY_RETRY, "The test breaks the consumer.");
    return own_ops->consumer_poll(consumer, messages_max, wait_ms, fetch, error);
}

static void a_broken_consumer_is_made_anew(void **state)
{
    (void)state;
    own_ops = scene.fixture.log->ops;
    broken_ops = *own_ops;
    broken_ops.consumer_create = note_consumer;
    broken_ops.consumer_poll = break_poll;
    scene.fixture.log->ops = &broken_ops;
    struct mr_task *task = assign(&scene.owner, 0, 1);
    struct mr_standby *standby =
        mr_follower_follow(scene.other.follower, scene.fixture.deployment, 0, 0);
    wait_for(task, MR_TASK_STATE_RUNNING);
    write_keys(0, 0, 20);
    wait_for_standby(standby, MR_TASK_STATE_FOLLOWING, 20);
    struct mr_log_consumer *first = atomic_load(&followers_consumer);
    atomic_store(&breaks, true);
    write_keys(0, 20, 50);
    wait_for_input(task, 50);
    wait_for_standby(standby, MR_TASK_STATE_FOLLOWING, 50);
    assert_false(atomic_load(&breaks));
    assert_non_null(first);
    leave(standby);
    assert_int_equal(count_store(&scene.other, 0).objects, 50);
}

static void a_standby_answers_queries(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_query_answer answer;
    struct mr_query query = {.topology = "followed",
                             .store = "once",
                             .key = mr_slice_text("s3"),
                             .partition = 0,
                             .standby = true};
    mr_arena_init(&arena, 1024);
    struct mr_task *task = assign(&scene.owner, 0, 1);
    struct mr_standby *standby =
        mr_follower_follow(scene.other.follower, scene.fixture.deployment, 0, 0);
    wait_for(task, MR_TASK_STATE_RUNNING);
    write_keys(0, 0, 20);
    wait_for_input(task, 20);
    wait_for_standby(standby, MR_TASK_STATE_FOLLOWING, 20);
    mr_query_run(scene.other.queries, &query, &arena, &answer);
    assert_int_equal(answer.outcome, MR_QUERY_FOUND);
    assert_true(answer.by_standby);
    assert_true(answer.current_ms > 0);
    query.standby = false;
    mr_query_run(scene.other.queries, &query, &arena, &answer);
    assert_int_not_equal(answer.outcome, MR_QUERY_FOUND);
    leave(standby);
    query.standby = true;
    mr_query_run(scene.other.queries, &query, &arena, &answer);
    assert_int_not_equal(answer.outcome, MR_QUERY_FOUND);
    mr_arena_deinit(&arena);
}

static void it_ends_with_standbys_open(void **state)
{
    (void)state;
    (void)mr_follower_follow(scene.other.follower, scene.fixture.deployment, 0, 0);
    (void)mr_follower_follow(scene.other.follower, scene.fixture.deployment, 0, 1);
    mr_follower_destroy(scene.other.follower);
    scene.other.follower = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_standby_takes_over_without_a_restore, setup, teardown),
        cmocka_unit_test_setup_teardown(order_keys_are_complete_when_a_standby_leaves, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_transaction_is_applied_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_standby_fails_alone_and_tries_again, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_state_is_wiped_and_restored, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_consumer_is_made_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_standby_answers_queries, setup, teardown),
        cmocka_unit_test_setup_teardown(it_ends_with_standbys_open, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
