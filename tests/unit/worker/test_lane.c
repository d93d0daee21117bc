/* tests/unit/worker/test_lane.c — a whole lane, stepped here: outputs, dead letters, drain,
 * restart, commits that fail at every call, and no heap memory per record. */
#include "tests/support/faulty_log.h"
#include "tests/unit/worker/lane_fixture.h"

#include "base/clock.h"
#include "base/memory.h"
#include "topology/describe_facts.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    KEYS = 7,
    RECORDS = 140,
    FAULTS = 20,
    FOR_EVER = 3,
    PARTITIONS = 2,
    WARM_RECORDS = 100000,
    STEPS_MAX = 10000,
    HOUSEKEEPING_ALLOCATIONS = 64 /* jobs of the keeper, by time and not by record */
};

static const char topology[] = "apiVersion: millrace.io/v1alpha1\n"
                               "kind: Topology\n"
                               "metadata:\n"
                               "  name: lane-test\n"
                               "spec:\n"
                               "  commit_interval: 50ms\n"
                               "  sources:\n"
                               "    - name: readings\n"
                               "      type: kafka\n"
                               "      topic: in\n"
                               "      format: json\n"
                               "      key: [sensor]\n"
                               "      on_error: dead_letter\n"
                               "  operators:\n"
                               "    - name: score\n"
                               "      type: detect.zscore\n"
                               "      from: readings\n"
                               "      key: [sensor]\n"
                               "      field: value\n"
                               "      warmup: 3\n"
                               "  sinks:\n"
                               "    - name: results\n"
                               "      type: kafka\n"
                               "      from: score\n"
                               "      topic: out\n"
                               "      key: [sensor]\n";

static const struct mr_lane_topic topics[] = {
    {"in", PARTITIONS}, {"out", PARTITIONS}, {"lane-test.dead-letters", PARTITIONS}};

static void open_fixture(struct mr_lane_fixture *fixture)
{
    mr_lane_fixture_open(fixture, topology, topics, sizeof(topics) / sizeof(topics[0]));
}

/* Records first .. last - 1; a key's records go to one partition. */
static void write_readings(struct mr_lane_fixture *fixture, int first, int last)
{
    for (int id = first; id < last; id++) {
        char key[16];
        char value[96];
        (void)snprintf(key, sizeof(key), "s%d", id % KEYS);
        (void)snprintf(value, sizeof(value), "{\"sensor\":\"%s\",\"id\":%d,\"value\":%d.5}", key,
                       id, (id * 37) % 100);
        mr_lane_fixture_write(fixture, "in", id % KEYS % PARTITIONS, key, value);
    }
}

/* The number behind "name": in a JSON text. */
static double number_of(const char *json, const char *name)
{
    char quoted[32];
    (void)snprintf(quoted, sizeof(quoted), "\"%s\":", name);
    const char *at = strstr(json, quoted);
    if (at == NULL)
        fail_msg("no %s in %s", name, json);
    return strtod(at == NULL ? "" : at + strlen(quoted), NULL);
}

/* The text behind "score": of the outputs by id; each id once, in order per key. */
static void check_outputs(struct mr_lane_fixture *fixture, int expected, const char **scores)
{
    int seen[RECORDS * 2] = {0};
    int total = 0;
    int last_of_key[KEYS];
    for (int key = 0; key < KEYS; key++)
        last_of_key[key] = -1;
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        uint32_t count;
        struct mr_lane_record *records = mr_lane_fixture_read(fixture, "out", partition, &count);
        for (uint32_t index = 0; index < count; index++) {
            int id = (int)number_of(records[index].value, "id");
            assert_in_range(id, 0, expected - 1);
            assert_int_equal(seen[id]++, 0);
            assert_true(last_of_key[id % KEYS] < id);
            last_of_key[id % KEYS] = id;
            if (scores != NULL) {
                const char *score = strstr(records[index].value, "\"score\":");
                assert_non_null(score);
                if (scores[id] == NULL)
                    scores[id] = mr_memory_copy_text(score);
                else
                    assert_string_equal(scores[id], score);
            }
            total++;
        }
    }
    assert_int_equal(total, expected);
}

/* Kafka ends a partition with markers that are no records: they are no lag. */
static void test_markers_are_no_lag(void **state)
{
    struct mr_task_input input = {.next_offset = 7, .committed_offset = 4};
    (void)state;
    mr_task_input_reached(&input, 9);
    assert_int_equal(mr_task_input_position(&input), 4); /* 4 to 6 are not committed */
    input.committed_offset = 7;
    assert_int_equal(mr_task_input_position(&input), 9);
    input.next_offset = 12; /* 9 to 11 have come since */
    assert_int_equal(mr_task_input_position(&input), 9);
    input.committed_offset = 12;
    assert_int_equal(mr_task_input_position(&input), 12);
}

static uint64_t input_records(const struct mr_lane *lane)
{
    uint64_t count = 0;
    for (uint32_t index = 0; index < lane->tasks_count; index++)
        count += atomic_load(&lane->tasks[index]->shared.input_records);
    return count;
}

static void test_outputs_and_dead_letters(void **state)
{
    struct mr_lane_fixture fixture;
    (void)state;
    open_fixture(&fixture);
    write_readings(&fixture, 0, RECORDS);
    mr_lane_fixture_write(&fixture, "in", 0, "s0", "{\"sensor\":");
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    check_outputs(&fixture, RECORDS, NULL);
    uint32_t count;
    struct mr_lane_record *letters =
        mr_lane_fixture_read(&fixture, "lane-test.dead-letters", 0, &count);
    assert_int_equal(count, 1);
    assert_string_equal(letters[0].value, "{\"sensor\":");
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

/* ---- The end ---- */

static const struct mr_lane *watched;
static uint32_t turns_watched;
static const struct mr_log_ops *real_ops;

/* The log gets a fetch back at the end of the turn that has fed it. */
static void release_in_the_turn(struct mr_log_consumer *consumer, struct mr_log_fetch *fetch)
{
    if (fetch->messages_count > 0 && watched != NULL) {
        assert_false(atomic_load(&watched->at_end));
        turns_watched++;
    }
    real_ops->fetch_release(consumer, fetch);
}

/* However long a turn takes, the lane does not say meanwhile that there is nothing to do: a bounded
 * run that looks then would end with records unread. */
static void test_a_lane_at_work_is_not_at_its_end(void **state)
{
    struct mr_lane_fixture fixture;
    struct mr_log_ops ops;
    (void)state;
    open_fixture(&fixture);
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    assert_true(atomic_load(&fixture.lane->at_end));
    real_ops = fixture.log->ops;
    ops = *real_ops;
    ops.fetch_release = release_in_the_turn;
    fixture.log->ops = &ops;
    watched = fixture.lane;
    turns_watched = 0;
    write_readings(&fixture, 0, RECORDS);
    mr_lane_fixture_settle(&fixture);
    assert_true(turns_watched > 0);
    assert_true(atomic_load(&fixture.lane->at_end));
    watched = NULL;
    fixture.log->ops = real_ops;
    check_outputs(&fixture, RECORDS, NULL);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

static bool has_ended(const struct mr_lane_fixture *fixture)
{
    struct mr_running_status status;
    mr_worker_status(fixture->running, &status);
    return status.state == MR_RUNNING_ENDED;
}

/* What a lane said before something moved says nothing: it may get no turn for long. */
static void test_the_end_is_looked_for_again(void **state)
{
    struct mr_lane_fixture fixture;
    uint32_t steps = 0;
    (void)state;
    open_fixture(&fixture);
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    assert_true(has_ended(&fixture));
    write_readings(&fixture, 0, RECORDS);
    mr_worker_look_again(fixture.running);
    for (; !has_ended(&fixture); steps++) {
        assert_in_range(steps, 0, STEPS_MAX);
        (void)mr_lane_step(fixture.lane, 1);
    }
    check_outputs(&fixture, RECORDS, NULL);
    mr_worker_look_again(fixture.running);
    assert_false(has_ended(&fixture));
    mr_lane_fixture_settle(&fixture);
    assert_true(has_ended(&fixture));
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

/* ---- The way there ---- */

/* What is open when the lane is told to stop is committed, and the claims are released. */
static void test_drain_commits_and_releases(void **state)
{
    struct mr_lane_fixture fixture;
    uint32_t count;
    (void)state;
    open_fixture(&fixture);
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    write_readings(&fixture, 0, RECORDS);
    while (mr_transaction_empty(fixture.lane->open))
        (void)mr_lane_step(fixture.lane, 1);
    mr_lane_fixture_stop(&fixture);
    int32_t released = 0;
    for (int32_t partition = 0; partition < fixture.deployment->claims.partitions_count;
         partition++) {
        struct mr_lane_record *claims =
            mr_lane_fixture_read(&fixture, fixture.deployment->claims.name, partition, &count);
        for (uint32_t index = 0; index < count; index++)
            released += claims[index].value[1] == 1;
    }
    assert_int_equal(released, PARTITIONS);
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    mr_lane_fixture_stop(&fixture);
    check_outputs(&fixture, RECORDS, NULL);
    mr_lane_fixture_close(&fixture);
}

/* Scores after a crash in the middle are those of an undisturbed run: progress and state agree. */
static void test_restart_goes_on_from_progress(void **state)
{
    struct mr_lane_fixture fixture;
    const char *scores[RECORDS] = {NULL};
    (void)state;
    open_fixture(&fixture);
    write_readings(&fixture, 0, RECORDS);
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    mr_lane_fixture_stop(&fixture);
    check_outputs(&fixture, RECORDS, scores);
    mr_lane_fixture_close(&fixture);

    open_fixture(&fixture);
    for (int first = 0; first < RECORDS; first += RECORDS / 4) {
        mr_lane_fixture_start(&fixture);
        write_readings(&fixture, first, first + RECORDS / 4);
        if (first % 2 == 0)
            mr_lane_fixture_settle(&fixture);
        while (first % 2 != 0 && input_records(fixture.lane) == 0)
            (void)mr_lane_step(fixture.lane, 1);
        mr_lane_fixture_crash(&fixture);
    }
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    mr_lane_fixture_stop(&fixture);
    check_outputs(&fixture, RECORDS, scores);
    mr_lane_fixture_close(&fixture);
    for (int id = 0; id < RECORDS; id++)
        mr_memory_free((void *)(uintptr_t)scores[id]);
}

static void run_with_fault(const struct mr_fault *fault, const char **scores)
{
    struct mr_lane_fixture fixture;
    open_fixture(&fixture);
    write_readings(&fixture, 0, RECORDS / 2);
    mr_faulty_log_install(fixture.log, fault);
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    /* One record at a time: each is a transaction, so that the failing call meets them all. */
    for (int id = RECORDS / 2; id < RECORDS; id++) {
        uint64_t commits = atomic_load(&fixture.lane->commits_count);
        write_readings(&fixture, id, id + 1);
        for (int step = 0; step < 20 && atomic_load(&fixture.lane->commits_count) == commits;
             step++)
            (void)mr_lane_step(fixture.lane, 1);
    }
    mr_lane_fixture_settle(&fixture);
    uint64_t incarnations = atomic_load(&fixture.lane->incarnations_count);
    mr_lane_fixture_stop(&fixture);
    assert_true(mr_faulty_log_failures() > 0);
    /* A claim that fails is tried again; a transaction that fails ends the incarnation. */
    assert_int_equal(incarnations, fault->first <= PARTITIONS ? 1 : 2);
    mr_faulty_log_remove(fixture.log);
    check_outputs(&fixture, RECORDS, scores);
    mr_lane_fixture_close(&fixture);
}

static void test_a_commit_that_fails_once(void **state)
{
    const char *scores[RECORDS] = {NULL};
    (void)state;
    for (uint32_t call = 1; call <= FAULTS; call++)
        for (int kind = MR_FAULT_NOT_COMMITTED; kind <= MR_FAULT_ANSWER_LOST; kind++)
            run_with_fault(&(struct mr_fault){(enum mr_fault_kind)kind, call, 1}, scores);
    for (int id = 0; id < RECORDS; id++)
        mr_memory_free((void *)(uintptr_t)scores[id]);
}

/* Commits fail until the lane is gone; what is on the log is still a part of the right answer, and
 * the next lane completes it. */
static void test_commits_that_fail_for_ever(void **state)
{
    const char *scores[RECORDS] = {NULL};
    (void)state;
    for (uint32_t call = 1; call <= PARTITIONS + 1; call++)
        for (int kind = MR_FAULT_NOT_COMMITTED; kind <= MR_FAULT_ANSWER_LOST; kind++) {
            struct mr_lane_fixture fixture;
            struct mr_fault fault = {(enum mr_fault_kind)kind, call, UINT32_MAX};
            open_fixture(&fixture);
            write_readings(&fixture, 0, RECORDS);
            mr_faulty_log_install(fixture.log, &fault);
            mr_lane_fixture_start(&fixture);
            while (mr_faulty_log_failures() < FOR_EVER)
                if (!mr_lane_step(fixture.lane, 1))
                    mr_clock_sleep_ms(1);
            mr_lane_fixture_stop(&fixture);
            mr_faulty_log_remove(fixture.log);
            mr_lane_fixture_start(&fixture);
            mr_lane_fixture_settle(&fixture);
            mr_lane_fixture_stop(&fixture);
            check_outputs(&fixture, RECORDS, scores);
            mr_lane_fixture_close(&fixture);
        }
    for (int id = 0; id < RECORDS; id++)
        mr_memory_free((void *)(uintptr_t)scores[id]);
}

/* The task thread's share of the work, which is this thread here. */
/* What the transaction that commits has changed in the only task's state. */
static uint64_t sealed_bytes(const struct mr_lane *lane)
{
    uint64_t bytes = 0;
    if (lane->committing == NULL || lane->committing->seals_count == 0)
        return 0;
    const struct mr_seal *seal = &lane->committing->seals[0];
    for (size_t at = 0; at < seal->changes_count; at++)
        bytes += seal->changes[at].key.size + seal->changes[at].value.size;
    return bytes;
}

/* Records that each change much, all at the same time: a transaction ends within them, and what it
 * changed is as the plan states. */
static void test_a_burst_is_several_transactions(void **state)
{
    enum { FIELDS = 60, MODELS = 1600 };
    static char topology_text[8192];
    static const struct mr_lane_topic own[] = {{"out", 1}};
    struct mr_lane_fixture fixture;
    char fields[FIELDS * 8] = "f0";
    size_t size = (size_t)snprintf(topology_text, sizeof(topology_text),
                                   "apiVersion: millrace.io/v1alpha1\nkind: Topology\n"
                                   "metadata: {name: burst}\nspec:\n  sources:\n"
                                   "    - name: in\n      type: generate.random\n"
                                   "      keys: %d\n      count: %d\n      fields:\n"
                                   "        - {name: k, distribution: key}\n",
                                   MODELS, 2 * MODELS);
    for (int field = 0; field < FIELDS; field++) {
        size += (size_t)snprintf(topology_text + size, sizeof(topology_text) - size,
                                 "        - {name: f%d, distribution: normal}\n", field);
        if (field > 0)
            (void)snprintf(fields + strlen(fields), sizeof(fields) - strlen(fields), ", f%d",
                           field);
    }
    (void)snprintf(topology_text + size, sizeof(topology_text) - size,
                   "  operators:\n    - {name: made, learn: in, type: generate.copula, key: [k], "
                   "scope: partition, "
                   "learn_batch: 2, reservoir: 16, ratio: 0, min_records: 2, fields: [%s]}\n"
                   "  sinks:\n    - {name: out, type: kafka, topic: out, from: made}\n",
                   fields);
    (void)state;
    mr_lane_fixture_open(&fixture, topology_text, own, 1);
    mr_lane_fixture_start(&fixture);
    uint64_t most = 0;
    while (input_records(fixture.lane) < 2 * (uint64_t)MODELS ||
           !mr_transaction_empty(fixture.lane->open) || fixture.lane->committing != NULL) {
        (void)mr_lane_step(fixture.lane, 1);
        uint64_t bytes = sealed_bytes(fixture.lane);
        most = bytes > most ? bytes : most;
    }
    const struct mr_plan_subtopology *part = &fixture.plan->subtopologies[0];
    struct mr_describe_memory stated = mr_describe_memory(fixture.plan, part);
    print_message("%u rows at a time: %llu bytes changed in one transaction, %lld stated\n",
                  part->batch_rows, (unsigned long long)most,
                  (long long)stated.transaction_bytes / 2);
    assert_in_range(most, 1, stated.transaction_bytes / 2);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

static void test_no_heap_memory_per_record(void **state)
{
    struct mr_lane_fixture fixture;
    (void)state;
    open_fixture(&fixture);
    mr_lane_fixture_start(&fixture);
    write_readings(&fixture, 0, WARM_RECORDS);
    mr_lane_fixture_settle(&fixture);
    write_readings(&fixture, WARM_RECORDS, 3 * WARM_RECORDS);
    struct mr_memory_counters before = mr_memory_counters();
    struct mallinfo2 heap_before = mallinfo2();
    mr_lane_fixture_settle(&fixture);
    struct mr_memory_counters after = mr_memory_counters();
    struct mallinfo2 heap_after = mallinfo2();
    assert_int_equal(input_records(fixture.lane), 3 * WARM_RECORDS);
    uint64_t count = after.allocation_count - before.allocation_count;
    print_message("%d records: %llu allocations of the task thread; the process's heap went from "
                  "%zu to %zu bytes\n",
                  2 * WARM_RECORDS, (unsigned long long)count, heap_before.uordblks,
                  heap_after.uordblks);
    assert_in_range(count, 0, HOUSEKEEPING_ALLOCATIONS);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markers_are_no_lag),
        cmocka_unit_test(test_outputs_and_dead_letters),
        cmocka_unit_test(test_a_lane_at_work_is_not_at_its_end),
        cmocka_unit_test(test_the_end_is_looked_for_again),
        cmocka_unit_test(test_drain_commits_and_releases),
        cmocka_unit_test(test_restart_goes_on_from_progress),
        cmocka_unit_test(test_a_commit_that_fails_once),
        cmocka_unit_test(test_commits_that_fail_for_ever),
        cmocka_unit_test(test_a_burst_is_several_transactions),
        cmocka_unit_test(test_no_heap_memory_per_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
