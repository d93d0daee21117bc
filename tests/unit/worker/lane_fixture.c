/* tests/unit/worker/lane_fixture.c — a lane that a test steps by itself. */
#include "tests/unit/worker/lane_fixture.h"

#include "base/clock.h"
#include "base/memory.h"
#include "cli/catalogue.h"
#include "connectors/connector.h"
#include "coordinator/standalone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { SETTLE_MS_MAX = 30000, WAIT_MS = 1000, QUIET_STEPS = 30 };

static const char *lookup_nothing(void *argument, const char *name)
{
    (void)argument;
    (void)name;
    return NULL;
}

struct mr_plan *mr_lane_fixture_plan(struct mr_arena *arena, const char *topology)
{
    struct mr_catalogue *catalogue = mr_arena_new(arena, 1, sizeof(*catalogue));
    struct mr_report *report = mr_arena_new(arena, 1, sizeof(*report));
    struct mr_substitution substitution = {.lookup = lookup_nothing};
    struct mr_plan *plan = NULL;
    mr_catalogue_make(arena, catalogue);
    mr_report_init(report, arena, "test");
    mr_topology_parse(mr_slice_text(topology), catalogue, &substitution, arena, report, &plan);
    if (plan == NULL)
        fail_msg("%s", report->findings[0].message);
    return plan;
}

void mr_lane_fixture_open(struct mr_lane_fixture *fixture, const char *topology,
                          const struct mr_lane_topic *topics, uint32_t topics_count)
{
    struct mr_error error;
    struct mr_memory_log_open open = {0};
    bool changed;
    memset(fixture, 0, sizeof(*fixture));
    mr_arena_init(&fixture->arena, 1 << 16);
    assert_int_equal(mr_memory_log_create(&open, &fixture->log, &error), MR_OK);
    for (uint32_t index = 0; index < topics_count; index++) {
        struct mr_log_topic_create create = {.name = topics[index].name,
                                             .partitions_count = topics[index].partitions_count,
                                             .replication_factor = -1,
                                             .retention_ms = -1};
        assert_int_equal(fixture->log->ops->topic_create(fixture->log, &create, &error), MR_OK);
    }
    fixture->plan = mr_lane_fixture_plan(&fixture->arena, topology);
    fixture->metrics = mr_metrics_create();
    struct mr_deploy_options options = {
        .cluster = "c", .embedded = true, .partitions_count = 1, .wait_ms = WAIT_MS};
    const struct mr_standalone_version version = {.plan = fixture->plan};
    if (mr_standalone_deploy(fixture->log, &version, &options, &fixture->arena,
                             &fixture->deployment, &changed, &error) != MR_OK)
        fail_msg("%s", error.message);
}

void mr_lane_fixture_close(struct mr_lane_fixture *fixture)
{
    fixture->log->ops->close(fixture->log);
    mr_metrics_destroy(fixture->metrics);
    mr_arena_deinit(&fixture->arena);
}

void mr_lane_fixture_start(struct mr_lane_fixture *fixture)
{
    struct mr_error error;
    struct mr_worker_open open = {.log = fixture->log,
                                  .metrics = fixture->metrics,
                                  .name = "test",
                                  .threads_count = 1,
                                  .memory_bytes = 64 << 20};
    assert_int_equal(mr_worker_create(&open, &fixture->worker, &error), MR_OK);
    assert_int_equal(mr_worker_add(fixture->worker, fixture->deployment, &fixture->running, &error),
                     MR_OK);
    assert_int_equal(mr_worker_assign_all(fixture->running, &error), MR_OK);
    assert_int_equal(fixture->running->lanes_count, 1);
    fixture->lane = fixture->running->lanes[0];
    assert_int_equal(mr_worker_start_keepers(fixture->worker, &error), MR_OK);
}

static void step_until_stopped(struct mr_lane_fixture *fixture)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + SETTLE_MS_MAX;
    while (fixture->lane->phase != MR_LANE_STOPPED) {
        assert_true(mr_clock_monotonic_ms() < until_ms);
        if (!mr_lane_step(fixture->lane, 1))
            mr_clock_sleep_ms(1);
    }
    mr_worker_destroy(fixture->worker);
    fixture->worker = NULL;
    fixture->lane = NULL;
}

void mr_lane_fixture_settle(struct mr_lane_fixture *fixture)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + SETTLE_MS_MAX;
    uint32_t quiet = 0;
    while (quiet < QUIET_STEPS && fixture->lane->phase != MR_LANE_STOPPED) {
        assert_true(mr_clock_monotonic_ms() < until_ms);
        bool worked = mr_lane_step(fixture->lane, 1);
        bool idle = fixture->lane->phase == MR_LANE_RUNNING && !worked &&
                    fixture->lane->tasks_count > 0 &&
                    atomic_load(&fixture->lane->tasks_running) == fixture->lane->tasks_count &&
                    fixture->lane->committing == NULL && mr_transaction_empty(fixture->lane->open);
        quiet = idle ? quiet + 1 : 0;
    }
}

void mr_lane_fixture_stop(struct mr_lane_fixture *fixture)
{
    atomic_store(&fixture->lane->stop_wanted, true);
    step_until_stopped(fixture);
}

void mr_lane_fixture_crash(struct mr_lane_fixture *fixture)
{
    struct mr_error error;
    enum mr_status status =
        MR_FAIL(&error, MR_CLOSED, MR_RECOVERY_FAIL_TOPOLOGY, "The test ends the lane.");
    assert_int_equal(status, MR_CLOSED);
    mr_worker_fail(fixture->running, &error);
    step_until_stopped(fixture);
}

void mr_lane_fixture_write(struct mr_lane_fixture *fixture, const char *topic, int32_t partition,
                           const char *key, const char *value)
{
    struct mr_error error;
    struct mr_log_record record = {.topic = topic,
                                   .partition = partition,
                                   .key_null = key == NULL,
                                   .value_null = value == NULL,
                                   .timestamp_ms = mr_clock_wall_ms()};
    if (key != NULL)
        record.key = mr_slice_text(key);
    if (value != NULL)
        record.value = mr_slice_text(value);
    /* Not a transaction: a test that counts commits counts the lane's only. */
    const struct mr_log_ops *ops = fixture->log->ops;
    struct mr_log_producer_options options = {.transactional_id = NULL};
    struct mr_log_producer *producer;
    assert_int_equal(ops->producer_create(fixture->log, &options, WAIT_MS, &producer, &error),
                     MR_OK);
    assert_int_equal(ops->producer_send(producer, &record, 1, &error), MR_OK);
    assert_int_equal(ops->producer_flush(producer, &error), MR_OK);
    ops->producer_destroy(producer);
}

struct reading {
    struct mr_lane_fixture *fixture;
    struct mr_lane_record *records;
    uint32_t count;
    uint32_t room;
};

static const char *copy_text(struct mr_arena *arena, struct mr_slice bytes)
{
    char *text = mr_arena_take(arena, bytes.size + 1);
    if (bytes.size > 0)
        memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    return text;
}

static enum mr_status keep_record(void *argument, const struct mr_log_message *message,
                                  struct mr_error *error)
{
    struct reading *reading = argument;
    struct mr_arena *arena = &reading->fixture->arena;
    (void)error;
    if (reading->count == reading->room) { /* workers may commit more while this reads */
        uint32_t room = reading->room == 0 ? 64 : 2 * reading->room;
        struct mr_lane_record *records = mr_arena_new(arena, room, sizeof(*records));
        if (reading->count > 0)
            memcpy(records, reading->records, reading->count * sizeof(*records));
        reading->records = records;
        reading->room = room;
    }
    struct mr_lane_record *record = &reading->records[reading->count++];
    record->key = message->key_null ? NULL : copy_text(arena, message->key);
    record->value = copy_text(arena, message->value);
    record->headers = reading->fixture->log->ops->message_headers(message, arena);
    return MR_OK;
}

struct mr_lane_record *mr_lane_fixture_read(struct mr_lane_fixture *fixture, const char *topic,
                                            int32_t partition, uint32_t *count)
{
    struct mr_error error;
    int64_t end;
    struct reading reading = {.fixture = fixture};
    if (mr_log_read_to_end(fixture->log, topic, partition, MR_LOG_OFFSET_EARLIEST, keep_record,
                           &reading, WAIT_MS, &end, &error) != MR_OK)
        fail_msg("%s", error.message);
    *count = reading.count;
    return reading.records;
}
