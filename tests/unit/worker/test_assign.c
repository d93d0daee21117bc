/* tests/unit/worker/test_assign.c — tasks that come and go on running workers, as a coordinator
 * wants them: moved, revoked with records in flight, fenced, failed alone, forgotten. */
#include "tests/unit/worker/lane_fixture.h"

#include "base/clock.h"
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PARTITIONS = 3, WAIT_MS_MAX = 20000, RECORDS = 300 };

static const char topology[] = "apiVersion: millrace.io/v1alpha1\n"
                               "kind: Topology\n"
                               "metadata:\n"
                               "  name: moving\n"
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
                               "    - name: score\n"
                               "      type: detect.zscore\n"
                               "      from: readings\n"
                               "      key: [sensor]\n"
                               "      field: value\n"
                               "  sinks:\n"
                               "    - name: results\n"
                               "      type: kafka\n"
                               "      from: score\n"
                               "      topic: out\n"
                               "      key: [sensor]\n";

static const struct mr_lane_topic topics[] = {{"in", PARTITIONS}, {"out", PARTITIONS}};

struct host {
    struct mr_worker *worker;
    struct mr_running *running;
};

static void open_host(struct mr_lane_fixture *fixture, const char *name, struct host *host)
{
    struct mr_error error;
    struct mr_worker_open open = {.log = fixture->log,
                                  .metrics = fixture->metrics,
                                  .name = name,
                                  .threads_count = 2,
                                  .memory_bytes = 64 << 20,
                                  .assigned = true};
    assert_int_equal(mr_worker_create(&open, &host->worker, &error), MR_OK);
    assert_int_equal(mr_worker_start(host->worker, &error), MR_OK);
    assert_int_equal(mr_worker_add(host->worker, fixture->deployment, &host->running, &error),
                     MR_OK);
}

static void close_host(struct host *host)
{
    assert_true(mr_worker_stop(host->worker, WAIT_MS_MAX));
    mr_worker_destroy(host->worker);
}

static struct mr_task *assign(struct host *host, int32_t partition, uint64_t epoch)
{
    struct mr_error error;
    struct mr_task *task;
    assert_int_equal(mr_worker_assign(host->running, 0, partition, epoch, &task, &error), MR_OK);
    return task;
}

static enum mr_task_state state_of(struct mr_task *task, struct mr_task_report *report)
{
    static char text[MR_ERROR_MESSAGE_SIZE];
    mr_worker_task_report(task, text, report);
    return report->state;
}

static void wait_for(struct mr_task *task, enum mr_task_state state)
{
    struct mr_task_report report;
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    while (state_of(task, &report) != state) {
        if (mr_clock_monotonic_ms() >= until_ms)
            fail_msg("state %d instead of %d: %s", (int)report.state, (int)state, report.error);
        mr_clock_sleep_ms(1);
    }
}

static void forget(struct mr_task *task)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    while (!mr_worker_forget(task)) {
        assert_true(mr_clock_monotonic_ms() < until_ms);
        mr_clock_sleep_ms(1);
    }
}

/* A key whose output goes to the partition that its input is in. */
static void key_of(int32_t partition, char key[16])
{
    int number = 0;
    do
        (void)snprintf(key, 16, "s%d", number++);
    while (mr_hash_partition(mr_slice_text(key), PARTITIONS) != partition);
}

static void write_readings(struct mr_lane_fixture *fixture, int32_t partition, int first, int last)
{
    for (int id = first; id < last; id++) {
        char key[16];
        char value[96];
        key_of(partition, key);
        (void)snprintf(value, sizeof(value), "{\"sensor\":\"%s\",\"id\":%d,\"value\":%d.5}", key,
                       id, (id * 37) % 100);
        mr_lane_fixture_write(fixture, "in", partition, key, value);
    }
}

static uint32_t outputs(struct mr_lane_fixture *fixture, int32_t partition)
{
    uint32_t count;
    struct mr_lane_record *records = mr_lane_fixture_read(fixture, "out", partition, &count);
    for (uint32_t index = 0; index < count; index++) {
        const char *at = strstr(records[index].value, "\"id\":");
        assert_non_null(at);
        assert_int_equal(strtol(at + 5, NULL, 10), index); /* each once, in order */
    }
    return count;
}

static void wait_for_outputs(struct mr_lane_fixture *fixture, int32_t partition, uint32_t count)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    while (outputs(fixture, partition) < count) {
        assert_true(mr_clock_monotonic_ms() < until_ms);
        mr_clock_sleep_ms(5);
    }
    assert_int_equal(outputs(fixture, partition), count);
}

static void open_fixture(struct mr_lane_fixture *fixture)
{
    struct mr_error error;
    mr_lane_fixture_open(fixture, topology, topics, sizeof(topics) / sizeof(topics[0]));
    /* Holds what was read, as Kafka does: an old owner may be behind what the new one committed. */
    assert_int_equal(fixture->log->ops->readers_passed(fixture->log, "in", 0, "keeper", 0, &error),
                     MR_OK);
}

/* Between two workers, with records in flight, released at the old before it is assigned at the
 * new: each record once, and the task that stays is not touched. */
static void test_a_task_moves_while_records_flow(void **unused)
{
    struct mr_lane_fixture fixture;
    struct host hosts[2];
    uint64_t epoch = 1;
    (void)unused;
    open_fixture(&fixture);
    open_host(&fixture, "w0", &hosts[0]);
    open_host(&fixture, "w1", &hosts[1]);
    struct mr_task *stays = assign(&hosts[0], 1, 1);
    struct mr_task *moves = assign(&hosts[0], 0, epoch);
    wait_for(stays, MR_TASK_STATE_RUNNING);
    int written = 0;
    for (int turn = 1; turn <= 6; turn++) {
        write_readings(&fixture, 0, written, written + RECORDS / 6);
        write_readings(&fixture, 1, written, written + RECORDS / 6);
        written += RECORDS / 6;
        mr_worker_revoke(moves);
        wait_for(moves, MR_TASK_STATE_RELEASED);
        forget(moves);
        moves = assign(&hosts[turn % 2], 0, ++epoch);
    }
    wait_for_outputs(&fixture, 0, RECORDS);
    wait_for_outputs(&fixture, 1, RECORDS);
    struct mr_task_report report;
    assert_int_equal(state_of(stays, &report), MR_TASK_STATE_RUNNING);
    assert_int_equal(report.epoch, 1);
    assert_int_equal(report.input_records, RECORDS);
    close_host(&hosts[0]);
    close_host(&hosts[1]);
    mr_lane_fixture_close(&fixture);
}

/* Assigned elsewhere at a higher epoch while the old owner still runs: it is fenced, asks, and
 * says which task it lost; its other task goes on once somebody has answered. */
static void test_a_fenced_lane_asks(void **unused)
{
    struct mr_lane_fixture fixture;
    struct host hosts[2];
    struct mr_task_report report;
    (void)unused;
    open_fixture(&fixture);
    open_host(&fixture, "w0", &hosts[0]);
    open_host(&fixture, "w1", &hosts[1]);
    struct mr_task *tasks[PARTITIONS];
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        tasks[partition] = assign(&hosts[0], partition, 5);
        wait_for(tasks[partition], MR_TASK_STATE_RUNNING);
        write_readings(&fixture, partition, 0, 10);
        wait_for_outputs(&fixture, partition, 10);
    }
    struct mr_task *taken = assign(&hosts[1], 0, 6);
    wait_for(taken, MR_TASK_STATE_RUNNING);
    write_readings(&fixture, 0, 10, 20);
    write_readings(&fixture, 2, 10, 20); /* on the same thread as partition 0 */
    wait_for_outputs(&fixture, 0, 20);
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    while (mr_worker_questions(hosts[0].worker) == 0) {
        assert_true(mr_clock_monotonic_ms() < until_ms);
        mr_clock_sleep_ms(1);
    }
    mr_clock_sleep_ms(500);
    assert_int_equal(outputs(&fixture, 2), 10); /* it waits for an answer */
    mr_worker_answered(hosts[0].worker, mr_worker_questions(hosts[0].worker));
    wait_for_outputs(&fixture, 2, 20);
    wait_for(tasks[0], MR_TASK_STATE_FENCED);
    assert_int_equal(state_of(tasks[0], &report), MR_TASK_STATE_FENCED);
    assert_int_equal(report.seen_epoch, 6);
    assert_non_null(strstr(report.error, "taken over by w1"));
    /* Told to run it again, at a higher epoch, it does. */
    mr_worker_revoke(taken);
    wait_for(taken, MR_TASK_STATE_RELEASED);
    mr_worker_reassign(tasks[0], 7);
    write_readings(&fixture, 0, 20, 30);
    wait_for_outputs(&fixture, 0, 30);
    close_host(&hosts[0]);
    close_host(&hosts[1]);
    mr_lane_fixture_close(&fixture);
}

/* A record that stops its task (on_error: fail) stops no other task of the lane. */
static void test_a_task_fails_alone(void **unused)
{
    struct mr_lane_fixture fixture;
    struct host host;
    struct mr_task_report report;
    (void)unused;
    open_fixture(&fixture);
    open_host(&fixture, "w0", &host);
    struct mr_task *tasks[PARTITIONS];
    for (int32_t partition = 0; partition < PARTITIONS; partition++)
        tasks[partition] = assign(&host, partition, 1);
    write_readings(&fixture, 0, 0, 10);
    mr_lane_fixture_write(&fixture, "in", 0, "s", "not json");
    write_readings(&fixture, 2, 0, 50);
    wait_for(tasks[0], MR_TASK_STATE_FAILED);
    assert_int_equal(state_of(tasks[0], &report), MR_TASK_STATE_FAILED);
    assert_true(strlen(report.error) > 10);
    write_readings(&fixture, 2, 50, 100);
    wait_for_outputs(&fixture, 2, 100);
    mr_worker_revoke(tasks[0]);
    wait_for(tasks[0], MR_TASK_STATE_RELEASED);
    close_host(&host);
    mr_lane_fixture_close(&fixture);
}

/* The same task at another epoch: released and claimed anew, nothing doubled. */
static void test_a_higher_epoch_claims_again(void **unused)
{
    struct mr_lane_fixture fixture;
    struct host host;
    (void)unused;
    open_fixture(&fixture);
    open_host(&fixture, "w0", &host);
    struct mr_task *task = assign(&host, 0, 1);
    for (uint64_t epoch = 2; epoch < 6; epoch++) {
        int first = (int)(epoch - 2) * 20;
        write_readings(&fixture, 0, first, first + 20);
        mr_worker_reassign(task, epoch);
    }
    wait_for_outputs(&fixture, 0, 80);
    wait_for(task, MR_TASK_STATE_RUNNING);
    struct mr_task_report report;
    (void)state_of(task, &report);
    assert_int_equal(report.epoch, 5);
    close_host(&host);
    mr_lane_fixture_close(&fixture);
}

/* A log whose producers take long to be initialised. */
static const struct mr_log_ops *quick_ops;

static enum mr_status create_slowly(struct mr_log *log,
                                    const struct mr_log_producer_options *options, uint32_t wait_ms,
                                    struct mr_log_producer **producer, struct mr_error *error)
{
    mr_clock_sleep_ms(80);
    return quick_ops->producer_create(log, options, wait_ms, producer, error);
}

/* An epoch that is told while the task claims at another one: it ends at the newest. */
static void test_an_epoch_that_comes_while_it_claims(void **unused)
{
    struct mr_lane_fixture fixture;
    struct host host;
    struct mr_task_report report;
    uint64_t epoch = 1;
    (void)unused;
    open_fixture(&fixture);
    quick_ops = fixture.log->ops;
    struct mr_log_ops slow_ops = *quick_ops;
    slow_ops.producer_create = create_slowly;
    fixture.log->ops = &slow_ops;
    open_host(&fixture, "w0", &host);
    struct mr_task *task = assign(&host, 0, epoch);
    wait_for(task, MR_TASK_STATE_RUNNING);
    for (uint32_t turn = 0; turn < 5; turn++) {
        uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
        mr_worker_reassign(task, ++epoch);
        mr_clock_sleep_ms(30 + turn * 30);
        mr_worker_reassign(task, ++epoch);
        while (state_of(task, &report) != MR_TASK_STATE_RUNNING || report.epoch != epoch) {
            if (mr_clock_monotonic_ms() >= until_ms)
                fail_msg("it runs at epoch %d instead of %d", (int)report.epoch, (int)epoch);
            mr_clock_sleep_ms(1);
        }
    }
    close_host(&host);
    fixture.log->ops = quick_ops;
    mr_lane_fixture_close(&fixture);
}

/* A topology whose tasks are forgotten goes, and can come again. */
static void test_a_topology_leaves_and_comes_back(void **unused)
{
    struct mr_lane_fixture fixture;
    struct host host;
    struct mr_error error;
    (void)unused;
    open_fixture(&fixture);
    open_host(&fixture, "w0", &host);
    for (int turn = 0; turn < 3; turn++) {
        uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
        struct mr_task *task = assign(&host, 0, (uint64_t)turn + 1);
        write_readings(&fixture, 0, turn * 20, turn * 20 + 20);
        wait_for_outputs(&fixture, 0, (uint32_t)turn * 20 + 20);
        mr_worker_revoke(task);
        forget(task);
        while (!mr_worker_remove(host.running)) {
            assert_true(mr_clock_monotonic_ms() < until_ms);
            mr_clock_sleep_ms(1);
        }
        assert_int_equal(mr_worker_add(host.worker, fixture.deployment, &host.running, &error),
                         MR_OK);
    }
    close_host(&host);
    mr_lane_fixture_close(&fixture);
}

/* What is paused is not read; what was there is read after the pause. */
static void test_a_paused_source_is_not_read(void **unused)
{
    struct mr_lane_fixture fixture;
    struct host host;
    (void)unused;
    open_fixture(&fixture);
    open_host(&fixture, "w0", &host);
    struct mr_task *task = assign(&host, 0, 1);
    wait_for(task, MR_TASK_STATE_RUNNING);
    uint32_t source = mr_plan_node_find(fixture.plan, "readings")->index;
    mr_worker_pause_source(host.running, source, true);
    mr_clock_sleep_ms(100);
    write_readings(&fixture, 0, 0, 20);
    mr_clock_sleep_ms(200);
    assert_int_equal(outputs(&fixture, 0), 0);
    mr_worker_pause_source(host.running, source, false);
    wait_for_outputs(&fixture, 0, 20);
    close_host(&host);
    mr_lane_fixture_close(&fixture);
}

struct looking {
    atomic_int listeners;
    pthread_mutex_t mutex;
    uint32_t count;
    char last[512];
};

static uint32_t listeners(void *argument, const char *topology_name, const char *node)
{
    struct looking *looking = argument;
    assert_string_equal(topology_name, "moving");
    return strcmp(node, "score") == 0 ? (uint32_t)atomic_load(&looking->listeners) : 0;
}

static void publish(void *argument, const char *topology_name, const char *node,
                    struct mr_slice json)
{
    struct looking *looking = argument;
    (void)topology_name;
    assert_string_equal(node, "score");
    (void)pthread_mutex_lock(&looking->mutex);
    looking->count++;
    assert_true(json.size < sizeof(looking->last));
    memcpy(looking->last, json.data, json.size);
    looking->last[json.size] = '\0';
    (void)pthread_mutex_unlock(&looking->mutex);
}

/* Who looks sees rows with what the operator added; when nobody does nothing is rendered. */
static void test_a_tap_shows_what_flows(void **unused)
{
    struct mr_lane_fixture fixture;
    struct host host;
    struct mr_error error;
    static struct looking looking = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    struct mr_tap_outlet outlet = {&looking, listeners, publish};
    struct mr_worker_open open = {.name = "w0", .threads_count = 1, .memory_bytes = 64 << 20};
    (void)unused;
    open_fixture(&fixture);
    open.log = fixture.log;
    open.metrics = fixture.metrics;
    assert_int_equal(mr_worker_create(&open, &host.worker, &error), MR_OK);
    mr_worker_set_taps(host.worker, &outlet);
    assert_int_equal(mr_worker_start(host.worker, &error), MR_OK);
    assert_int_equal(mr_worker_add(host.worker, fixture.deployment, &host.running, &error), MR_OK);
    (void)assign(&host, 0, 1);
    write_readings(&fixture, 0, 0, 20);
    wait_for_outputs(&fixture, 0, 20);
    assert_int_equal(looking.count, 0);
    atomic_store(&looking.listeners, 1);
    mr_worker_look_at_taps(host.worker);
    write_readings(&fixture, 0, 20, 40);
    wait_for_outputs(&fixture, 0, 40);
    atomic_store(&looking.listeners, 0);
    mr_worker_look_at_taps(host.worker);
    write_readings(&fixture, 0, 40, 60);
    wait_for_outputs(&fixture, 0, 60);
    assert_int_equal(looking.count, 20);
    assert_non_null(strstr(looking.last, "{\"topic\":\"in\",\"partition\":0,\"offset\":39,"));
    assert_non_null(strstr(looking.last, "\"id\":39,"));
    assert_non_null(strstr(looking.last, "\"anomaly\":{\"score\":"));
    close_host(&host);
    mr_lane_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_task_moves_while_records_flow),
        cmocka_unit_test(test_a_fenced_lane_asks),
        cmocka_unit_test(test_a_task_fails_alone),
        cmocka_unit_test(test_a_higher_epoch_claims_again),
        cmocka_unit_test(test_an_epoch_that_comes_while_it_claims),
        cmocka_unit_test(test_a_topology_leaves_and_comes_back),
        cmocka_unit_test(test_a_paused_source_is_not_read),
        cmocka_unit_test(test_a_tap_shows_what_flows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
