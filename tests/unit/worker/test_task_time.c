/* tests/unit/worker/test_task_time.c — event time of tasks: over repartitions, in silence, and
 * across a crash. */
#include "tests/unit/worker/lane_fixture.h"

#include "base/clock.h"
#include "base/endian.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { PARTITIONS = 2, IDLE_MS = 150, WAIT_MS_MAX = 20000 };

#define TOPOLOGY(watermark)                                                                        \
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"               \
    "  commit_interval: 20ms\n"                                                                    \
    "  sources:\n    - {name: a, type: kafka, topic: in, format: json, timestamp: ts, watermark: " \
    "{" watermark "}}\n"                                                                           \
    "  operators:\n"                                                                               \
    "    - {name: keyed, type: key_by, from: a, key: [k]}\n"                                       \
    "    - {name: once, type: deduplicate, from: keyed, key: [k], within: 1h}\n"                   \
    "  sinks:\n    - {name: results, type: kafka, from: once, topic: out, key: [k]}\n"

#define TOPOLOGY_WINDOW(watermark)                                                                 \
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"               \
    "  commit_interval: 20ms\n"                                                                    \
    "  sources:\n    - {name: a, type: kafka, topic: in, format: json, timestamp: ts, watermark: " \
    "{" watermark "}}\n"                                                                           \
    "  operators:\n"                                                                               \
    "    - {name: keyed, type: key_by, from: a, key: [k]}\n"                                       \
    "    - {name: counts, type: window.aggregate, from: keyed, key: [k],\n"                        \
    "       window: {tumbling: 2s}, aggregates: {rows: count()}}\n"                                \
    "  sinks:\n    - {name: results, type: kafka, from: counts, topic: out, key: [k]}\n"

static const struct mr_lane_topic topics[] = {{"in", PARTITIONS}, {"out", 1}};

static void write_time(struct mr_lane_fixture *fixture, int partition, int64_t event_ms)
{
    char value[64];
    (void)snprintf(value, sizeof(value), "{\"k\":\"k%d\",\"ts\":%lld}", (int)(event_ms % 7),
                   (long long)event_ms);
    mr_lane_fixture_write(fixture, "in", partition, NULL, value);
}

/* The task that reads the partition, of the source or of the repartition. */
static struct mr_task *task_of(struct mr_lane_fixture *fixture, bool repartition, int partition)
{
    for (uint32_t index = 0; index < fixture->lane->tasks_count; index++) {
        struct mr_task *task = fixture->lane->tasks[index];
        if (task->partition == partition && task->inputs[0].repartition == repartition)
            return task;
    }
    fail_msg("no such task");
    return NULL;
}

static int32_t readers(const struct mr_lane_fixture *fixture)
{
    return fixture->deployment->repartitions[0].partitions_count;
}

/* Step until all readers have come to this watermark. */
static void wait_for_readers(struct mr_lane_fixture *fixture, int64_t watermark_ms)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    for (int32_t partition = 0; partition < readers(fixture);) {
        (void)mr_lane_step(fixture->lane, 1);
        if (mr_clock_monotonic_ms() > until_ms)
            fail_msg("task %d stays at %lld", (int)partition,
                     (long long)task_of(fixture, true, partition)->watermark_ms);
        if (task_of(fixture, true, partition)->watermark_ms == watermark_ms)
            partition++;
    }
}

static void open_running(struct mr_lane_fixture *fixture, const char *topology)
{
    mr_lane_fixture_open(fixture, topology, topics, 2);
    mr_lane_fixture_start(fixture);
    mr_lane_fixture_settle(fixture);
}

/* Nobody goes on without a task that is not heard of; then the slowest sets the pace, everywhere.
 */
static void test_readers_wait_for_every_writer(void **state)
{
    struct mr_lane_fixture fixture;
    (void)state;
    open_running(&fixture, TOPOLOGY("max_delay: 1s"));
    for (int64_t event_ms = 10000; event_ms < 20000; event_ms += 100)
        write_time(&fixture, 0, event_ms);
    mr_lane_fixture_settle(&fixture);
    assert_int_equal(task_of(&fixture, false, 0)->watermark_ms, 18900);
    assert_true(task_of(&fixture, true, 0)->watermark_ms == INT64_MIN);
    write_time(&fixture, 1, 12000);
    wait_for_readers(&fixture, 11000);
    write_time(&fixture, 1, 30000);
    wait_for_readers(&fixture, 18900);
    /* It stands while the other writer is ahead: by whom is told. */
    const struct mr_task_shared *shared = &task_of(&fixture, true, 0)->shared;
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    while (atomic_load(&shared->held_by) == MR_HOLDER_NONE && mr_clock_monotonic_ms() < until_ms)
        (void)mr_lane_step(fixture.lane, 1);
    assert_int_equal(atomic_load(&shared->held_by), MR_HOLDER_UPSTREAM);
    assert_int_equal(atomic_load(&shared->held_by_partition), 0);
    assert_int_equal(atomic_load(&shared->held_by_index),
                     fixture.plan->repartitions[0].from_subtopology);
    assert_int_equal(atomic_load(&task_of(&fixture, false, 0)->shared.held_by), MR_HOLDER_NONE);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

/* One silent source partition holds nobody; when all are silent the last that was seen is let
 * through, in the readers, too. */
static void test_silence_lets_time_go_on(void **state)
{
    struct mr_lane_fixture fixture;
    (void)state;
    open_running(&fixture, TOPOLOGY("max_delay: 1s, idle_timeout: 150ms"));
    write_time(&fixture, 0, 50000);
    wait_for_readers(&fixture, 50001);
    assert_true(mr_task_idle(task_of(&fixture, false, 0)));
    assert_true(mr_task_idle(task_of(&fixture, false, 1)));
    /* It speaks again: time goes on from there, never back. */
    write_time(&fixture, 1, 40000);
    mr_lane_fixture_settle(&fixture);
    assert_int_equal(task_of(&fixture, true, 0)->watermark_ms, 50001);
    write_time(&fixture, 1, 70000);
    wait_for_readers(&fixture, 70001);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

/* Step to rest; meanwhile no reader hears that the writer is idle before it knows its last time. */
static void settle_without_haste(struct mr_lane_fixture *fixture, uint32_t writer, int64_t last_ms)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    for (int32_t told = 0; told < readers(fixture);) {
        assert_true(mr_clock_monotonic_ms() < until_ms);
        (void)mr_lane_step(fixture->lane, 1);
        told = 0;
        for (int32_t partition = 0; partition < readers(fixture); partition++) {
            const struct mr_upstream *upstream =
                &task_of(fixture, true, partition)->inputs[0].upstreams.items[writer];
            assert_true(!upstream->idle || upstream->watermark_ms >= last_ms);
            told += upstream->idle;
        }
    }
}

/* A commit may come between the end of a writer's input and what it owes because of that: its
 * readers hear that it is idle behind all of it. Else those that wait for it no more, but for
 * others, go on, and call late what it brings. */
static void test_who_owes_something_is_not_idle(void **state)
{
    struct mr_lane_fixture fixture;
    (void)state;
    open_running(&fixture, TOPOLOGY("max_delay: 1s"));
    write_time(&fixture, 0, 20000);
    write_time(&fixture, 1, 60000);
    wait_for_readers(&fixture, 19000);
    struct mr_task *writer = task_of(&fixture, false, 0);
    struct mr_task_input *input = &writer->inputs[0];
    int64_t last_ms = 20001 + input->open_ms;
    input->ended = true;
    assert_false(mr_task_idle(writer));
    while (fixture.lane->committing != NULL)
        (void)mr_lane_take_commit(fixture.lane, 1);
    mr_task_touch(writer);
    mr_lane_seal(fixture.lane);
    settle_without_haste(&fixture, 0, last_ms);
    assert_true(mr_task_idle(writer));
    wait_for_readers(&fixture, 59000);
    writer->due = true;
    assert_false(mr_task_idle(writer));
    writer->due = false;
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

/* A bounded run is at its end when every reader knows how far its writers have come, also one for
 * which there was no record: it has windows to close. */
static void test_a_run_ends_behind_its_marks(void **state)
{
    struct mr_lane_fixture fixture;
    uint32_t count;
    (void)state;
    mr_lane_fixture_open(&fixture, TOPOLOGY_WINDOW("max_delay: 0s"), topics, 2);
    mr_lane_fixture_start(&fixture);
    fixture.worker->open.until_end = true;
    for (int64_t event_ms = 10000; event_ms < 10007; event_ms++)
        write_time(&fixture, 0, event_ms);
    write_time(&fixture, 1, 10007);
    mr_lane_fixture_settle(&fixture);
    write_time(&fixture, 0, 60001);
    write_time(&fixture, 1, 60001);
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    while (task_of(&fixture, false, 0)->watermark_ms < 60001 ||
           task_of(&fixture, false, 1)->watermark_ms < 60001 ||
           !atomic_load(&fixture.lane->at_end)) {
        (void)mr_lane_step(fixture.lane, 1);
        assert_true(mr_clock_monotonic_ms() < until_ms);
    }
    for (int32_t partition = 0; partition < readers(&fixture); partition++)
        assert_int_equal(task_of(&fixture, true, partition)->watermark_ms, 60001);
    (void)mr_lane_fixture_read(&fixture, "out", 0, &count);
    assert_int_equal(count, 7);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

/* Progress holds what is known of each writer: a reader that comes back goes on from there, and a
 * writer that comes back is not idle before it has been silent again. */
static void test_a_crash_keeps_what_is_known(void **state)
{
    struct mr_lane_fixture fixture;
    (void)state;
    open_running(&fixture, TOPOLOGY("max_delay: 0s, idle_timeout: 1h"));
    write_time(&fixture, 0, 50000);
    write_time(&fixture, 1, 60000);
    wait_for_readers(&fixture, 50000);
    mr_lane_fixture_settle(&fixture);
    mr_lane_fixture_crash(&fixture);
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    for (int32_t partition = 0; partition < readers(&fixture); partition++) {
        const struct mr_task *task = task_of(&fixture, true, partition);
        assert_int_equal(task->watermark_ms, 50000);
        assert_int_equal(task->inputs[0].upstreams.items[0].watermark_ms, 50000);
        assert_int_equal(task->inputs[0].upstreams.items[1].watermark_ms, 60000);
    }
    write_time(&fixture, 0, 55000);
    wait_for_readers(&fixture, 55000);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

/* Records that carry the watermark move it, others do not; both go on as records. */
static void test_records_carry_the_watermark(void **state)
{
    struct mr_lane_fixture fixture;
    uint32_t count;
    (void)state;
    open_running(&fixture, TOPOLOGY("field: until"));
    write_time(&fixture, 0, 90000);
    write_time(&fixture, 1, 90001);
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"k\":\"x\",\"ts\":5,\"until\":70000}");
    mr_lane_fixture_write(&fixture, "in", 1, NULL, "{\"k\":\"y\",\"ts\":5,\"until\":80000}");
    mr_lane_fixture_write(&fixture, "in", 1, NULL, "{\"k\":\"z\",\"ts\":5,\"until\":60000}");
    wait_for_readers(&fixture, 70000);
    mr_lane_fixture_settle(&fixture);
    (void)mr_lane_fixture_read(&fixture, "out", 0, &count);
    assert_int_equal(count, 5);
    mr_lane_fixture_crash(&fixture);
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    assert_int_equal(task_of(&fixture, false, 1)->watermark_ms, 80000);
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"k\":\"x\",\"ts\":5,\"until\":100000}");
    wait_for_readers(&fixture, 80000);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

/* A lane that did not look for longer than idle_timeout has not seen silence: records may wait. */
static void test_time_without_a_look_is_not_silence(void **state)
{
    struct mr_lane_fixture fixture;
    (void)state;
    open_running(&fixture, TOPOLOGY("idle_timeout: 1s"));
    write_time(&fixture, 0, 50000);
    mr_lane_fixture_settle(&fixture);
    assert_false(task_of(&fixture, false, 0)->inputs[0].idle);
    mr_clock_sleep_ms(1200);
    for (int step = 0; step < 5; step++)
        (void)mr_lane_step(fixture.lane, 1);
    assert_false(task_of(&fixture, false, 0)->inputs[0].idle);
    assert_true(fixture.lane->interrupted_ms > 0);
    wait_for_readers(&fixture, 50001);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

/* A source that is paused is not silent, and one that goes on has its time to speak. */
static void test_a_pause_is_not_silence(void **state)
{
    struct mr_lane_fixture fixture;
    (void)state;
    open_running(&fixture, TOPOLOGY("max_delay: 1s, idle_timeout: 300ms"));
    struct mr_task *task = task_of(&fixture, false, 0);
    write_time(&fixture, 0, 50000);
    wait_for_readers(&fixture, 50001);
    write_time(&fixture, 0, 70000);
    while (task->inputs[0].idle || !task->inputs[0].at_end)
        (void)mr_lane_step(fixture.lane, 1);
    mr_worker_pause_source(fixture.running, task->inputs[0].node, true);
    uint64_t until_ms = mr_clock_monotonic_ms() + 600;
    while (mr_clock_monotonic_ms() < until_ms) {
        (void)mr_lane_step(fixture.lane, 1);
        assert_false(task->inputs[0].idle);
    }
    mr_worker_pause_source(fixture.running, task->inputs[0].node, false);
    for (int step = 0; step < 3; step++)
        (void)mr_lane_step(fixture.lane, 1);
    assert_false(task->inputs[0].idle);
    assert_int_equal(task->watermark_ms, 69000);
    wait_for_readers(&fixture, 70001);
    /* One that was silent when it was paused holds the others from then on. */
    mr_worker_pause_source(fixture.running, task->inputs[0].node, true);
    (void)mr_lane_step(fixture.lane, 1);
    assert_false(mr_task_idle(task));
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

/* A turn of work that takes longer than idle_timeout is no silence either. */
static void test_a_long_turn_of_work_is_not_silence(void **state)
{
    struct mr_lane_fixture fixture;
    (void)state;
    open_running(&fixture, TOPOLOGY("idle_timeout: 1s"));
    write_time(&fixture, 0, 50000);
    mr_lane_fixture_settle(&fixture);
    while (!task_of(&fixture, false, 0)->inputs[0].at_end)
        (void)mr_lane_step(fixture.lane, 1);
    fixture.lane->looked_ms -= 1100; /* the last look was before 1.1 s of work */
    fixture.lane->looked_steady_ns -= UINT64_C(1100000000);
    fixture.lane->looked_cpu_ns -= UINT64_C(1100000000);
    (void)mr_lane_step(fixture.lane, 1);
    assert_false(task_of(&fixture, false, 0)->inputs[0].idle);
    wait_for_readers(&fixture, 50001);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

static struct mr_log_message carry(struct mr_arena *arena, int64_t offset, uint32_t upstream,
                                   int64_t watermark_ms)
{
    static const char json[] = "{\"k\":\"k0\"}";
    uint8_t *bytes = mr_arena_take(arena, MR_EXCHANGE_HEADER_BYTES + sizeof(json) - 1);
    bytes[0] = MR_EXCHANGE_RECORD;
    mr_put_u64le(bytes + 1, (uint64_t)watermark_ms);
    mr_put_u32le(bytes + 9, upstream);
    mr_put_u64le(bytes + 13, (uint64_t)watermark_ms);
    memcpy(bytes + MR_EXCHANGE_HEADER_BYTES, json, sizeof(json) - 1);
    return (struct mr_log_message){
        .offset = offset,
        .key = mr_slice_text("k0"),
        .value = mr_slice_from(bytes, MR_EXCHANGE_HEADER_BYTES + sizeof(json) - 1)};
}

/* A row was let through at the watermark of those that are not idle; then one that was idle speaks,
 * far behind, in the same run. Windows that the row has closed must not be opened again. */
static void test_what_a_row_has_seen_is_progress(void **state)
{
    struct mr_lane_fixture fixture;
    struct mr_error error;
    (void)state;
    open_running(&fixture, TOPOLOGY_WINDOW("idle_timeout: 400ms"));
    write_time(&fixture, 0, 7000);
    write_time(&fixture, 1, 7000);
    wait_for_readers(&fixture, 9001);
    struct mr_task *reader = task_of(&fixture, true, 0);
    struct mr_task_input *input = &reader->inputs[0];
    assert_true(input->upstreams.items[1].idle);
    const struct mr_log_message messages[] = {
        carry(&fixture.arena, input->next_offset, 0, 49000),
        carry(&fixture.arena, input->next_offset + 1, 1, 9800),
    };
    uint32_t taken;
    assert_int_equal(mr_task_feed(reader, input, messages, 2, &taken, &error), MR_OK);
    assert_int_equal(taken, 2);
    assert_int_equal(input->upstreams.lowest_ms, 9800);
    assert_int_equal(reader->watermark_ms, 49000);
    mr_lane_fixture_crash(&fixture);
    mr_lane_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_wait_for_every_writer),
        cmocka_unit_test(test_silence_lets_time_go_on),
        cmocka_unit_test(test_who_owes_something_is_not_idle),
        cmocka_unit_test(test_a_run_ends_behind_its_marks),
        cmocka_unit_test(test_a_crash_keeps_what_is_known),
        cmocka_unit_test(test_records_carry_the_watermark),
        cmocka_unit_test(test_a_pause_is_not_silence),
        cmocka_unit_test(test_a_long_turn_of_work_is_not_silence),
        cmocka_unit_test(test_what_a_row_has_seen_is_progress),
        cmocka_unit_test(test_time_without_a_look_is_not_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
