/* tests/unit/worker/test_due.c — more windows than a transaction holds close at one step of the
 * watermark: results leave in several transactions of the usual size, also when the step is in the
 * middle of a run of rows; a crash between them neither loses nor doubles one, and a late record is
 * late for windows whose results are still to come. */
#include "tests/unit/worker/lane_fixture.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"

enum { KEYS = 200000, KEYS_OF_A_RECORD = 2000, STEP_MS_MAX = 60000 };

#define TOPOLOGY(source, operators)                                                                \
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"               \
    "  commit_interval: 20ms\n  sources:\n    - {name: a, " source "}\n"                           \
    "  operators:\n" operators                                                                     \
    "  sinks:\n    - {name: results, type: kafka, from: counts, topic: out}\n"                     \
    "    - {name: rest, type: kafka, from: counts.late, topic: late}\n"

#define KAFKA "type: kafka, topic: in, format: json, timestamp: ts"
#define FLAT                                                                                       \
    "    - {name: each, type: flat_map, from: a, field: id, into: id}\n"                           \
    "    - {name: bare, type: map, from: each, set: {m: '1'}}\n"
#define WINDOW(from, options)                                                                      \
    "    - {name: counts, type: window.aggregate, from: " from ", key: [id], " options             \
    " aggregates: {rows: count()}}\n"

static const char partition_topology[] =
    TOPOLOGY(KAFKA, FLAT WINDOW("bare", "scope: partition, window: {tumbling: 2s},"));
static const char repartition_topology[] =
    TOPOLOGY(KAFKA, FLAT "    - {name: keyed, type: key_by, from: bare, key: [id]}\n" WINDOW(
                        "keyed", "window: {tumbling: 2s},"));

static const struct mr_lane_topic topics[] = {{"in", 1}, {"out", 1}, {"late", 1}};

struct scene {
    struct mr_lane_fixture fixture;
    bool shares_thread;
    uint32_t due_steps;   /* after which something was still due */
    uint64_t records_max; /* of an open transaction */
    bool crashed;
};

static void write_keys(struct scene *scene, int32_t partition, int64_t event_ms, int first,
                       int count)
{
    static char text[64 + 8 * KEYS_OF_A_RECORD];
    int size = snprintf(text, sizeof(text), "{\"ts\":%lld,\"id\":[%d", (long long)event_ms, first);
    for (int key = first + 1; key < first + count; key++)
        size += snprintf(text + size, sizeof(text) - (size_t)size, ",%d", key);
    (void)snprintf(text + size, sizeof(text) - (size_t)size, "]}");
    mr_lane_fixture_write(&scene->fixture, "in", partition, NULL, text);
}

static bool is_due(const struct scene *scene)
{
    const struct mr_lane *lane = scene->fixture.lane;
    for (uint32_t index = 0; index < lane->tasks_count; index++)
        if (lane->tasks[index]->due)
            return true;
    return false;
}

static void step(struct scene *scene)
{
    struct mr_lane *lane = scene->fixture.lane;
    (void)mr_lane_step(lane, 1);
    scene->due_steps += is_due(scene);
    if (lane->open->records_count > scene->records_max)
        scene->records_max = lane->open->records_count;
}

/* Step until some results have been committed and others are still due. */
static void step_into_the_middle(struct scene *scene)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + STEP_MS_MAX;
    uint64_t commits = 0;
    for (bool due = false; !due || atomic_load(&scene->fixture.lane->commits_count) < commits + 2;
         step(scene)) {
        assert_true(mr_clock_monotonic_ms() < until_ms);
        if (!due)
            commits = atomic_load(&scene->fixture.lane->commits_count);
        assert_true(!due || is_due(scene));
        due = is_due(scene);
    }
}

static void settle(struct scene *scene)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + STEP_MS_MAX;
    while (is_due(scene) && mr_clock_monotonic_ms() < until_ms)
        step(scene);
    mr_lane_fixture_settle(&scene->fixture);
}

static uint32_t count_of(struct scene *scene, const char *topic)
{
    uint32_t count = 0;
    (void)mr_lane_fixture_read(&scene->fixture, topic, 0, &count);
    return count;
}

/* A crash, and a new lane that goes on. */
static void crash(struct scene *scene)
{
    mr_lane_fixture_crash(&scene->fixture);
    uint32_t left = count_of(scene, "out");
    assert_in_range(left, 1, KEYS - 1);
    mr_lane_fixture_start(&scene->fixture);
    scene->fixture.lane->shares_thread = scene->shares_thread;
    settle(scene);
}

/* Each key has one result in the first window, with its rows. */
static void check_results(struct scene *scene, uint32_t others_count)
{
    uint32_t count = 0;
    uint32_t others = 0;
    uint8_t *seen = mr_memory_new(KEYS, sizeof(*seen));
    const struct mr_lane_record *records = mr_lane_fixture_read(&scene->fixture, "out", 0, &count);
    for (uint32_t index = 0; index < count; index++) {
        int key;
        int rows;
        long long start_ms;
        long long end_ms;
        assert_int_equal(sscanf(records[index].value,
                                "{\"id\":%d,\"window_start\":%lld,\"window_end\":%lld,\"rows\":%d",
                                &key, &start_ms, &end_ms, &rows),
                         4);
        others += start_ms != 0;
        if (start_ms != 0)
            continue;
        assert_int_equal(seen[key]++, 0);
        assert_int_equal(rows, key == 5 ? 2 : 1);
    }
    assert_int_equal(others, others_count);
    assert_int_equal(count, KEYS + others_count);
    mr_memory_free(seen);
}

static void open_scene(struct scene *scene, const char *topology)
{
    *scene = (struct scene){0};
    mr_lane_fixture_open(&scene->fixture, topology, topics, MR_ARRAY_COUNT(topics));
    mr_lane_fixture_start(&scene->fixture);
}

/* Returns the steps after which something was still due. */
static uint32_t run_scene(const char *topology, bool crashes, bool shares_thread)
{
    struct scene scene;
    open_scene(&scene, topology);
    scene.shares_thread = scene.fixture.lane->shares_thread = shares_thread;
    for (int first = 0; first < KEYS; first += KEYS_OF_A_RECORD)
        write_keys(&scene, 0, 1000 + first / KEYS_OF_A_RECORD, first, KEYS_OF_A_RECORD);
    mr_lane_fixture_settle(&scene.fixture);
    assert_int_equal(count_of(&scene, "out"), 0);
    write_keys(&scene, 0, 1900, 5, 1);
    write_keys(&scene, 0, 9000, 7, 1);
    write_keys(&scene, 0, 1999, 8, 1); /* late, since it comes behind the one before */
    write_keys(&scene, 0, 9500, 9, 1);
    step_into_the_middle(&scene);
    if (crashes)
        crash(&scene);
    else
        settle(&scene);
    check_results(&scene, 0);
    assert_int_equal(count_of(&scene, "late"), 1);
    assert_in_range(scene.records_max, 1, MR_LIMIT_TRANSACTION_RECORDS + 3 * MR_LIMIT_BATCH_ROWS);
    write_keys(&scene, 0, 20000, 1, 1);
    write_keys(&scene, 0, 20000, 1, 1);
    mr_lane_fixture_settle(&scene.fixture);
    check_results(&scene, 2);
    assert_int_equal(count_of(&scene, "late"), 1);
    mr_lane_fixture_stop(&scene.fixture);
    mr_lane_fixture_close(&scene.fixture);
    return scene.due_steps;
}

static void results_leave_in_parts(void **state)
{
    (void)state;
    run_scene(partition_topology, false, false);
}

static void a_crash_between_the_parts(void **state)
{
    (void)state;
    run_scene(partition_topology, true, false);
}

/* Where others share the thread a part ends with the step's time, long before a transaction is
 * full: those of 200,000 results are a handful. */
static void a_part_ends_with_the_step_of_a_shared_thread(void **state)
{
    (void)state;
    assert_true(run_scene(partition_topology, false, true) > 25);
    run_scene(partition_topology, true, true);
}

static void the_same_behind_a_repartition(void **state)
{
    (void)state;
    run_scene(repartition_topology, false, false);
    run_scene(repartition_topology, true, false);
}

/* Two inputs end. What the one closes is much; the other has nothing, and has come far: whoever
 * reads both hears of the parts of the first before it hears that it is idle. */
static void parts_are_not_late_behind_a_repartition(void **state)
{
    static const struct mr_lane_topic two_inputs[] = {{"in", 2}, {"out", 1}, {"late", 1}};
    static const char topology[] =
        TOPOLOGY(KAFKA, FLAT "    - {name: firsts, type: window.aggregate, from: bare, key: [id],\n"
                             "       scope: partition, window: {tumbling: 2s},\n"
                             "       aggregates: {r: count()}}\n"
                             "    - {name: keyed, type: key_by, from: firsts, key: [r]}\n"
                             "    - {name: counts, type: window.aggregate, from: keyed, key: [r],\n"
                             "       window: {tumbling: 4s}, aggregates: {rows: count()}}\n");
    struct scene scene = {0};
    uint32_t count;
    (void)state;
    mr_lane_fixture_open(&scene.fixture, topology, two_inputs, MR_ARRAY_COUNT(two_inputs));
    mr_lane_fixture_start(&scene.fixture);
    scene.fixture.lane->shares_thread = true;
    for (int first = 0; first < KEYS / 2; first += KEYS_OF_A_RECORD)
        write_keys(&scene, 0, 1000 + first / KEYS_OF_A_RECORD, first, KEYS_OF_A_RECORD);
    write_keys(&scene, 1, 60000, 0, 1);
    mr_lane_fixture_settle(&scene.fixture);
    for (uint32_t index = 0; index < scene.fixture.lane->tasks_count; index++)
        if (!scene.fixture.lane->tasks[index]->inputs[0].repartition)
            scene.fixture.lane->tasks[index]->inputs[0].ended = true;
    step_into_the_middle(&scene);
    settle(&scene);
    assert_int_equal(count_of(&scene, "late"), 0);
    const struct mr_lane_record *records = mr_lane_fixture_read(&scene.fixture, "out", 0, &count);
    assert_int_equal(count, 2);
    assert_non_null(strstr(records[0].value, "\"window_start\":0,"));
    assert_non_null(strstr(records[0].value, "\"rows\":100000}"));
    assert_non_null(strstr(records[1].value, "\"rows\":1}"));
    mr_lane_fixture_stop(&scene.fixture);
    mr_lane_fixture_close(&scene.fixture);
}

/* Each key of the generator has one result with one row. */
static void check_generated(struct scene *scene)
{
    uint32_t count = 0;
    const struct mr_lane_record *records = mr_lane_fixture_read(&scene->fixture, "out", 0, &count);
    uint8_t *seen = mr_memory_new(KEYS + 1000, sizeof(*seen));
    for (uint32_t index = 0; index < count; index++) {
        int key;
        assert_int_equal(sscanf(records[index].value, "{\"id\":%d", &key), 1);
        assert_int_equal(seen[key]++, 0);
        assert_non_null(strstr(records[index].value, "\"rows\":1}"));
    }
    assert_int_equal(count, KEYS + 1000);
    assert_in_range(scene->records_max, 1, MR_LIMIT_TRANSACTION_RECORDS + 3 * MR_LIMIT_BATCH_ROWS);
    mr_memory_free(seen);
}

/* A generator's run stops in its middle and goes on from that position. The day ends behind the
 * first KEYS records. */
static void a_generator_goes_on_where_it_stopped(void **state)
{
    static const char topology[] =
        TOPOLOGY("type: generate.sequence, count: 201000, start: '1970-01-01T23:56:40Z'",
                 "    - {name: named, type: map, from: a, set: {id: 'seq'}}\n" WINDOW(
                     "named", "scope: partition, window: {tumbling: 1d},"));
    struct scene scene;
    (void)state;
    for (uint32_t crashes = 0; crashes < 2; crashes++) {
        open_scene(&scene, topology);
        step_into_the_middle(&scene);
        if (crashes > 0)
            crash(&scene);
        else
            settle(&scene);
        check_generated(&scene);
        mr_lane_fixture_stop(&scene.fixture);
        mr_lane_fixture_close(&scene.fixture);
    }
}

/* What the generator makes due waits for nothing of the topic beside it, which always has more. */
static void a_task_that_is_due_is_fed_nothing(void **state)
{
    static const char topology[] =
        TOPOLOGY("type: generate.sequence, count: 201000, start: '1970-01-01T23:56:40Z'}\n"
                 "    - {name: b, " KAFKA,
                 "    - {name: named, type: map, from: a, set: {id: 'seq'}}\n"
                 "    - {name: both, type: merge, inputs: [named, b]}\n" WINDOW(
                     "both", "scope: partition, window: {tumbling: 1d},"));
    struct scene scene;
    uint64_t until_ms = mr_clock_monotonic_ms() + STEP_MS_MAX;
    bool was_due = false;
    (void)state;
    open_scene(&scene, topology);
    while (!was_due || is_due(&scene)) {
        assert_true(mr_clock_monotonic_ms() < until_ms);
        mr_lane_fixture_write(&scene.fixture, "in", 0, NULL, "{\"ts\":172800000,\"id\":0}");
        step(&scene);
        was_due = was_due || is_due(&scene);
    }
    settle(&scene);
    check_generated(&scene);
    mr_lane_fixture_stop(&scene.fixture);
    mr_lane_fixture_close(&scene.fixture);
}

#define TABLE_TOPOLOGY(partition)                                                                  \
    TOPOLOGY("type: generate.sequence, partitions: 2, count: 60000,"                               \
             " start: '1970-01-01T23:59:10Z'}\n"                                                   \
             "    - {name: rates, type: kafka, topic: in, table: true, key: [id]",                 \
             "    - {name: named, type: map, from: a, set: {id: 'seq'}}\n"                         \
             "    - {name: rated, type: join.lookup, from: named, table: rates, key: [id],\n"      \
             "       kind: left, max_keys: 100}\n"                                                 \
             "    - {name: half, type: filter, from: rated, where: 'partition == " partition       \
             "'}\n" WINDOW("half", "scope: partition, window: {tumbling: 1d},"))

/* The same of a table that both tasks read, whichever of them is due: one that is not due gets a
 * record for both. */
static void nor_is_one_that_shares_a_table(void **state)
{
    enum { ROWS = 30000, TABLE_FROM_STEP = 50 };
    static const char *const topologies[] = {TABLE_TOPOLOGY("0"), TABLE_TOPOLOGY("1")};
    (void)state;
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(topologies); index++) {
        struct scene scene;
        uint64_t until_ms = mr_clock_monotonic_ms() + STEP_MS_MAX;
        bool was_due = false;
        open_scene(&scene, topologies[index]);
        scene.fixture.lane->shares_thread = true;
        for (uint32_t steps = 0; !was_due || is_due(&scene); steps++) {
            assert_true(mr_clock_monotonic_ms() < until_ms);
            if (steps > TABLE_FROM_STEP)
                mr_lane_fixture_write(&scene.fixture, "in", 0, "[0]", "{\"id\":0,\"rate\":1}");
            step(&scene);
            was_due = was_due || is_due(&scene);
        }
        settle(&scene);
        assert_int_equal(scene.fixture.lane->tasks_count, 2);
        assert_int_equal(count_of(&scene, "out"), ROWS);
        mr_lane_fixture_stop(&scene.fixture);
        mr_lane_fixture_close(&scene.fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_leave_in_parts),
        cmocka_unit_test(a_crash_between_the_parts),
        cmocka_unit_test(a_part_ends_with_the_step_of_a_shared_thread),
        cmocka_unit_test(the_same_behind_a_repartition),
        cmocka_unit_test(parts_are_not_late_behind_a_repartition),
        cmocka_unit_test(a_generator_goes_on_where_it_stopped),
        cmocka_unit_test(a_task_that_is_due_is_fed_nothing),
        cmocka_unit_test(nor_is_one_that_shares_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
