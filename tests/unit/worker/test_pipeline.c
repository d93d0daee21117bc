/* tests/unit/worker/test_pipeline.c — fused operators of a running lane: one output with several
 * consumers, rows that fail in one branch only, a repartition between two subtopologies, and
 * results that meet the records that they are made of. */
#include "worker/pipeline.h"

#include "tests/unit/worker/lane_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RECORDS = 60, KEYS = 5, PARTITIONS = 3 };

#define HEAD                                                                                       \
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"               \
    "  commit_interval: 50ms\n"                                                                    \
    "  sources:\n    - {name: a, type: kafka, topic: in, format: json}\n"

static void write_numbers(struct mr_lane_fixture *fixture)
{
    for (int id = 0; id < RECORDS; id++) {
        char value[64];
        (void)snprintf(value, sizeof(value), "{\"id\":%d,\"k\":\"k%d\",\"v\":%d}", id, id % KEYS,
                       id);
        mr_lane_fixture_write(fixture, "in", id % PARTITIONS, NULL, value);
    }
}

static void process(struct mr_lane_fixture *fixture)
{
    mr_lane_fixture_start(fixture);
    mr_lane_fixture_settle(fixture);
    mr_lane_fixture_stop(fixture);
}

/* Both branches see every row; what one drops or cannot evaluate is there in the other. */
static void test_branches_do_not_touch_each_other(void **state)
{
    static const struct mr_lane_topic topics[] = {
        {"in", PARTITIONS}, {"low", 1}, {"all", 1}, {"t.dead-letters", 1}};
    static const char topology[] =
        HEAD "  operators:\n"
             "    - {name: small, type: filter, from: a, where: 'v < 10.0'}\n"
             "    - {name: known, type: filter, from: a, where: 'id >= 0.0'}\n"
             "  sinks:\n"
             "    - {name: one, type: kafka, from: small, topic: low}\n"
             "    - {name: two, type: kafka, from: known, topic: all}\n";
    struct mr_lane_fixture fixture;
    uint32_t low;
    uint32_t all;
    uint32_t letters;
    (void)state;
    mr_lane_fixture_open(&fixture, topology, topics, 4);
    write_numbers(&fixture);
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"id\":1000,\"v\":\"text\"}");
    process(&fixture);
    (void)mr_lane_fixture_read(&fixture, "low", 0, &low);
    (void)mr_lane_fixture_read(&fixture, "all", 0, &all);
    struct mr_lane_record *refused = mr_lane_fixture_read(&fixture, "t.dead-letters", 0, &letters);
    assert_int_equal(low, 10);
    assert_int_equal(all, RECORDS + 1);
    assert_int_equal(letters, 1);
    assert_non_null(strstr(refused[0].value, "1000"));
    mr_lane_fixture_close(&fixture);
}

/* Records of a key come from every input partition and meet in one task, each once. */
static void test_a_repartition_brings_keys_together(void **state)
{
    static const struct mr_lane_topic topics[] = {{"in", PARTITIONS}, {"out", 1}};
    static const char topology[] = HEAD
        "  operators:\n"
        "    - {name: keyed, type: key_by, from: a, key: [k]}\n"
        "    - {name: score, type: detect.zscore, from: keyed, key: [k], field: v, warmup: 2}\n"
        "  sinks:\n"
        "    - {name: results, type: kafka, from: score, topic: out, key: [k]}\n";
    struct mr_lane_fixture fixture;
    bool seen[RECORDS] = {false};
    int learned[KEYS] = {0};
    uint32_t count;
    (void)state;
    mr_lane_fixture_open(&fixture, topology, topics, 2);
    assert_int_equal(fixture.plan->subtopologies_count, 2);
    write_numbers(&fixture);
    process(&fixture);
    struct mr_lane_record *records = mr_lane_fixture_read(&fixture, "out", 0, &count);
    assert_int_equal(count, RECORDS);
    for (uint32_t index = 0; index < count; index++) {
        const char *at = strstr(records[index].value, "\"id\":");
        assert_non_null(at);
        long id = strtol(at == NULL ? "0" : at + 5, NULL, 10);
        assert_in_range(id, 0, RECORDS - 1);
        assert_false(seen[id]);
        seen[id] = true;
        /* A key's state is in one place when each record finds all earlier ones counted. */
        at = strstr(records[index].value, "\"count\":");
        if (at == NULL)
            fail_msg("no count in %s", records[index].value);
        assert_int_equal(strtol(at == NULL ? "0" : at + 8, NULL, 10), learned[id % KEYS]);
        learned[id % KEYS]++;
    }
    mr_lane_fixture_close(&fixture);
}

/* A detector that lets records wait says what one behind a sort does, byte for byte; what fails
 * when its turn has come goes to the dead letters, from either. */
static void test_records_that_waited_are_as_those_of_a_sort(void **state)
{
    enum { DELAY = 8 };
    static const struct mr_lane_topic topics[] = {
        {"in", 1}, {"one", 1}, {"two", 1}, {"t.dead-letters", 1}};
    static const char topology[] =
        "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
        "  sources:\n"
        "    - {name: a, type: kafka, topic: in, format: json, timestamp: ts, key: [k], watermark: "
        "{max_delay: 8ms}}\n"
        "  operators:\n"
        "    - {name: ordered, type: sort, from: a, key: [k]}\n"
        "    - {name: behind, type: detect.zscore, from: ordered, key: [k], field: v, warmup: 2}\n"
        "    - {name: waits, type: detect.zscore, from: a, key: [k], field: v, warmup: 2, order: "
        "event_time}\n"
        "  sinks:\n"
        "    - {name: sorted, type: kafka, from: behind, topic: one}\n"
        "    - {name: waited, type: kafka, from: waits, topic: two}\n";
    struct mr_lane_fixture fixture;
    uint32_t sorted_count;
    uint32_t waited_count;
    uint32_t letters;
    (void)state;
    mr_lane_fixture_open(&fixture, topology, topics, 4);
    for (int id = 0; id <= RECORDS; id++) {
        char value[96];
        int time_ms = id == RECORDS ? 10000 : 1000 + id - id % DELAY + (DELAY - 1 - id % DELAY);
        (void)snprintf(value, sizeof(value), "{\"id\":%d,\"k\":\"k\",\"v\":%s,\"ts\":%d}", id,
                       id == 21      ? "\"none\""
                       : id % 2 == 0 ? "1.5"
                                     : "2",
                       time_ms);
        mr_lane_fixture_write(&fixture, "in", 0, "k", value);
    }
    process(&fixture);
    struct mr_lane_record *sorted = mr_lane_fixture_read(&fixture, "one", 0, &sorted_count);
    struct mr_lane_record *waited = mr_lane_fixture_read(&fixture, "two", 0, &waited_count);
    (void)mr_lane_fixture_read(&fixture, "t.dead-letters", 0, &letters);
    assert_int_equal(sorted_count, RECORDS - 1); /* the last holds no other up and waits itself */
    assert_int_equal(waited_count, RECORDS - 1);
    assert_int_equal(letters, 2);
    assert_non_null(strstr(waited[0].value, "\"id\":7,"));
    for (uint32_t index = 0; index < waited_count; index++)
        assert_string_equal(waited[index].value, sorted[index].value);
    mr_lane_fixture_close(&fixture);
}

/* Records go side by side with results of a window over them, and are pushed first: the results are
 * not late for that. */
static void test_results_are_not_late_beside_their_records(void **state)
{
    static const struct mr_lane_topic topics[] = {{"in", 1}, {"out", 1}, {"late", 1}};
    static const char topology[] =
        "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
        "  sources:\n    - {name: a, type: kafka, topic: in, format: json, timestamp: ts}\n"
        "  operators:\n"
        "    - {name: keyed, type: key_by, from: a, key: [k]}\n"
        "    - {name: passed, type: filter, from: keyed, where: 'v > 0'}\n"
        "    - {name: small, type: window.aggregate, from: keyed, key: [k],\n"
        "       window: {tumbling: 10s}, aggregates: {v: sum(v)}}\n"
        "    - {name: both, type: merge, inputs: [passed, small]}\n"
        "    - {name: big, type: window.aggregate, from: both, key: [k],\n"
        "       window: {tumbling: 20s}, aggregates: {rows: count(), v: sum(v)}}\n"
        "  sinks:\n"
        "    - {name: results, type: kafka, from: big, topic: out}\n"
        "    - {name: rest, type: kafka, from: big.late, topic: late}\n";
    struct mr_lane_fixture fixture;
    uint32_t count;
    (void)state;
    mr_lane_fixture_open(&fixture, topology, topics, 3);
    for (int second = 0; second <= 100; second++) {
        char value[64];
        (void)snprintf(value, sizeof(value), "{\"k\":\"k\",\"v\":1,\"ts\":%d}", second * 1000);
        mr_lane_fixture_write(&fixture, "in", 0, NULL, value);
    }
    process(&fixture);
    (void)mr_lane_fixture_read(&fixture, "late", 0, &count);
    assert_int_equal(count, 0);
    struct mr_lane_record *records = mr_lane_fixture_read(&fixture, "out", 0, &count);
    assert_int_equal(count, 5);
    for (uint32_t index = 0; index < count; index++)
        if (strstr(records[index].value, "\"rows\":22") == NULL)
            fail_msg("%s", records[index].value);
    mr_lane_fixture_close(&fixture);
}

/* How many rows were counted as flagged, of an operator behind readings of one key:
 * minutes of six each, the last but one of which differs in mean and number. */
static uint64_t count_flagged(const char *operator_text)
{
    static const struct mr_lane_topic topics[] = {{"in", 1}, {"out", 1}};
    static const int values[] = {10, 12, 11, 10, 12, 11};
    struct mr_lane_fixture fixture;
    mr_arena_init(&fixture.arena, 4096);
    const char *topology = mr_arena_format(
        &fixture.arena,
        "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
        "  sources:\n    - {name: a, type: kafka, topic: in, format: json, timestamp: ts}\n"
        "  operators:\n    - {name: found, from: a, %s}\n"
        "  sinks:\n    - {name: results, type: kafka, from: found, topic: out}\n",
        operator_text);
    char text[1024];
    (void)snprintf(text, sizeof(text), "%s", topology);
    mr_arena_deinit(&fixture.arena);
    mr_lane_fixture_open(&fixture, text, topics, 2);
    for (int minute = 0; minute < 10; minute++)
        for (int reading = 0; reading < (minute == 8 ? 60 : 6); reading++) {
            char value[96];
            (void)snprintf(value, sizeof(value), "{\"k\":\"k\",\"v\":%d,\"ts\":%d}",
                           values[reading % 6] + (minute == 8 ? 50 : 0),
                           minute * 60000 + reading * 1000);
            mr_lane_fixture_write(&fixture, "in", 0, NULL, value);
        }
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    uint64_t count = atomic_load(&fixture.lane->anomalies);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
    return count;
}

/* Also of records that a detector makes itself, with the key's fields before its own. */
static void test_flagged_rows_are_counted(void **state)
{
    (void)state;
    assert_int_equal(count_flagged("type: detect.threshold, field: v, above: 59.5"), 60);
    assert_int_equal(count_flagged("type: spc.xbar_s, key: [k], field: v, "
                                   "subgroup: {window: 1m}, limits: {cl: 11, sigma: 1}"),
                     1);
    assert_int_equal(
        count_flagged("type: detect.rate, key: [k], window: {tumbling: 1m}, warmup: 3"), 1);
    assert_int_equal(count_flagged("type: window.aggregate, key: [k], "
                                   "window: {tumbling: 1m}, aggregates: {v: avg(v)}"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_branches_do_not_touch_each_other),
        cmocka_unit_test(test_a_repartition_brings_keys_together),
        cmocka_unit_test(test_records_that_waited_are_as_those_of_a_sort),
        cmocka_unit_test(test_results_are_not_late_beside_their_records),
        cmocka_unit_test(test_flagged_rows_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
