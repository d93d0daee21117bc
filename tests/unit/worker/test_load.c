/* tests/unit/worker/test_load.c — tables before streams, over the memory log: a task that starts
 * takes no stream record before its table's end; tombstones delete; a table that is not read in
 * time holds nobody up for ever; pairs are written as whole records. */
#include "tests/unit/worker/lane_fixture.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"

#define TOPOLOGY(load_timeout)                                                                     \
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"               \
    "  commit_interval: 20ms\n"                                                                    \
    "  sources:\n"                                                                                 \
    "    - {name: clicks, type: kafka, topic: clicks, key: [user]}\n"                              \
    "    - {name: people, type: kafka, topic: people, key: [id], table: true, load_timeout: "      \
    "" load_timeout "}\n"                                                                          \
    "  operators:\n"                                                                               \
    "    - {name: who, type: join.table, from: clicks, table: people, key: [user], kind: left}\n"  \
    "  sinks:\n    - {name: results, type: kafka, from: who, topic: out}\n"

static const struct mr_lane_topic topics[] = {{"clicks", 1}, {"people", 1}, {"out", 1}};

static void click(struct mr_lane_fixture *fixture, const char *user)
{
    char value[64];
    (void)snprintf(value, sizeof(value), "{\"user\":\"%s\"}", user);
    mr_lane_fixture_write(fixture, "clicks", 0, user, value);
}

static void person(struct mr_lane_fixture *fixture, const char *id, int age)
{
    char value[64];
    (void)snprintf(value, sizeof(value), "{\"id\":\"%s\",\"age\":%d}", id, age);
    mr_lane_fixture_write(fixture, "people", 0, id, age < 0 ? NULL : value);
}

static void expect(struct mr_lane_fixture *fixture, const char *const *values, uint32_t count)
{
    uint32_t found = 0;
    const struct mr_lane_record *records = mr_lane_fixture_read(fixture, "out", 0, &found);
    for (uint32_t i = 0; i < count && i < found; i++)
        assert_string_equal(records[i].value, values[i]);
    assert_int_equal(found, count);
}

static void a_table_is_read_before_the_stream(void **state)
{
    MR_UNUSED(state);
    static const char *const values[] = {
        "{\"user\":\"a\",\"people\":{\"id\":\"a\",\"age\":4999}}",
        "{\"user\":\"b\"}",
        "{\"user\":\"b\",\"people\":{\"id\":\"b\",\"age\":7}}",
        "{\"user\":\"a\"}",
    };
    struct mr_lane_fixture fixture;
    mr_lane_fixture_open(&fixture, TOPOLOGY("60s"), topics, MR_ARRAY_COUNT(topics));
    click(&fixture, "a");
    for (int age = 0; age < 5000; age++) /* more than a poll takes */
        person(&fixture, age % 2 == 0 ? "c" : "a", age);
    person(&fixture, "b", 1);
    person(&fixture, "b", -1);
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    expect(&fixture, values, 1);
    click(&fixture, "b");
    mr_lane_fixture_settle(&fixture);
    expect(&fixture, values, 2);
    mr_lane_fixture_crash(&fixture);
    /* What came meanwhile is read first, too. */
    click(&fixture, "b");
    click(&fixture, "a");
    person(&fixture, "b", 7);
    person(&fixture, "a", -1);
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    expect(&fixture, values, 4);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

static void loading_has_an_end(void **state)
{
    MR_UNUSED(state);
    static const char *const values[] = {"{\"user\":\"a\"}"};
    struct mr_lane_fixture fixture;
    mr_lane_fixture_open(&fixture, TOPOLOGY("0s"), topics, MR_ARRAY_COUNT(topics));
    click(&fixture, "a");
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    expect(&fixture, values, 1);
    const struct mr_task *task = fixture.lane->tasks[0];
    assert_false(task->loading);
    for (uint32_t index = 0; index < task->inputs_count; index++)
        assert_false(mr_task_holds(task, &task->inputs[index]));
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

/* Each task has the whole table, also after a crash; nothing is repartitioned. */
static void a_lookup_is_in_every_task(void **state)
{
    MR_UNUSED(state);
    static const struct mr_lane_topic wide[] = {{"clicks", 3}, {"out", 1}};
    static const char topology[] =
        "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
        "  sources:\n"
        "    - {name: clicks, type: kafka, topic: clicks}\n"
        "    - {name: rates, type: memory, key: [code], table: true, records: [{code: a, rate: 2}, "
        "{code: a, rate: 3}]}\n"
        "  operators:\n"
        "    - {name: rated, type: join.lookup, from: clicks, table: rates, key: [user]}\n"
        "    - {name: short, type: map, from: rated, set: {rate: rates.rate}, keep: [rate]}\n"
        "  sinks:\n    - {name: results, type: kafka, from: short, topic: out}\n";
    static const char *const values[] = {"{\"rate\":3}", "{\"rate\":3}", "{\"rate\":3}",
                                         "{\"rate\":3}", "{\"rate\":3}", "{\"rate\":3}"};
    struct mr_lane_fixture fixture;
    mr_lane_fixture_open(&fixture, topology, wide, MR_ARRAY_COUNT(wide));
    assert_int_equal(fixture.plan->repartitions_count, 0);
    for (uint32_t round = 1; round <= 2; round++) {
        for (int32_t partition = 0; partition < 3; partition++)
            mr_lane_fixture_write(&fixture, "clicks", partition, NULL, "{\"user\":\"a\"}");
        mr_lane_fixture_start(&fixture);
        mr_lane_fixture_settle(&fixture);
        expect(&fixture, values, 3 * round);
        mr_lane_fixture_crash(&fixture);
    }
    mr_lane_fixture_close(&fixture);
}

/* A side whose record was changed on the way is written as it is there. */
static void pairs_are_written_as_they_came(void **state)
{
    MR_UNUSED(state);
    static const char topology[] =
        "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
        "  sources:\n"
        "    - {name: clicks, type: kafka, topic: clicks, key: [user]}\n"
        "    - {name: people, type: kafka, topic: people, key: [id]}\n"
        "  operators:\n"
        "    - {name: older, type: map, from: people, set: {age: age + 1.0, old: age > 60.0}}\n"
        "    - {name: pair, type: join.interval, left: clicks, right: older, key: [user], "
        "right_key: [id], interval: {before: 1h, after: 1h}}\n"
        "  sinks:\n    - {name: results, type: kafka, from: pair, topic: out}\n";
    static const char *const values[] = {
        "{\"left\":{\"user\":\"a\"},\"right\":{\"id\":\"a\",\"age\":31,\"old\":false}}"};
    struct mr_lane_fixture fixture;
    mr_lane_fixture_open(&fixture, topology, topics, MR_ARRAY_COUNT(topics));
    click(&fixture, "a");
    person(&fixture, "a", 30);
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    expect(&fixture, values, 1);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_read_before_the_stream),
        cmocka_unit_test(loading_has_an_end),
        cmocka_unit_test(a_lookup_is_in_every_task),
        cmocka_unit_test(pairs_are_written_as_they_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
