/* tests/unit/worker/test_lane_inputs.c — a topic that every task reads whole, over the memory log:
 * all partitions in each of three tasks of one lane, changes and deletions, a crash, a task that
 * leaves and comes back behind the others, records that were fetched for an assignment that is
 * over, a partition that is added. */
#include "tests/unit/worker/lane_fixture.h"

#include "base/assert.h"
#include "coordinator/standalone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { TASKS = 3, TABLE_PARTITIONS = 2, RATES = 3000 };

#define TOPOLOGY(more)                                                                             \
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"               \
    "  commit_interval: 20ms\n"                                                                    \
    "  sources:\n"                                                                                 \
    "    - {name: sales, type: kafka, topic: sales}\n"                                             \
    "    - {name: rates, type: kafka, topic: rates, key: [code], table: true, on_error: "          \
    "dead_letter" more "}\n"                                                                       \
    "  operators:\n"                                                                               \
    "    - {name: rated, type: join.lookup, from: sales, table: rates, key: [code], kind: left, "  \
    "max_keys: 5000}\n"                                                                            \
    "    - {name: short, type: map, from: rated, set: {rate: 'has(rates.rate) ? rates.rate : "     \
    "-1.0'}, keep: [rate]}\n"                                                                      \
    "  sinks:\n    - {name: results, type: kafka, from: short, topic: out}\n"

static const struct mr_lane_topic topics[] = {
    {"sales", TASKS}, {"rates", TABLE_PARTITIONS}, {"out", 1}};

/* Codes of two letters lie in the second partition: who writes has chosen it. */
static void rate(struct mr_lane_fixture *fixture, const char *code, int value)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "{\"code\":\"%s\",\"rate\":%d}", code, value);
    mr_lane_fixture_write(fixture, "rates", strlen(code) == 2 ? 1 : 0, code,
                          value < 0 ? NULL : text);
}

static void sell(struct mr_lane_fixture *fixture, int32_t partition, const char *code)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "{\"code\":\"%s\"}", code);
    mr_lane_fixture_write(fixture, "sales", partition, NULL, text);
}

/* One sale in each task; all of them must get this rate; before: results until now. */
static void expect_everywhere(struct mr_lane_fixture *fixture, const char *code, const char *wanted,
                              uint32_t *before)
{
    uint32_t count = 0;
    for (int32_t partition = 0; partition < TASKS; partition++)
        sell(fixture, partition, code);
    mr_lane_fixture_settle(fixture);
    const struct mr_lane_record *records = mr_lane_fixture_read(fixture, "out", 0, &count);
    assert_int_equal(count, *before + TASKS);
    for (; *before < count; (*before)++)
        assert_string_equal(records[*before].value, wanted);
}

static void every_task_has_all_partitions(void **state)
{
    (void)state;
    struct mr_lane_fixture fixture;
    uint32_t results = 0;
    mr_lane_fixture_open(&fixture, TOPOLOGY(""), topics, MR_ARRAY_COUNT(topics));
    assert_int_equal(fixture.plan->repartitions_count, 0);
    for (int value = 0; value < RATES; value++) /* more than a poll takes */
        rate(&fixture, value % 2 == 0 ? "a" : "bb", value);
    mr_lane_fixture_start(&fixture);
    expect_everywhere(&fixture, "a", "{\"rate\":2998}", &results);
    expect_everywhere(&fixture, "bb", "{\"rate\":2999}", &results);
    assert_int_equal(fixture.lane->tasks_count, TASKS);
    for (uint32_t index = 0; index < TASKS; index++)
        assert_int_equal(fixture.lane->tasks[index]->inputs_count, 1 + TABLE_PARTITIONS);
    rate(&fixture, "a", 7);
    rate(&fixture, "bb", -1);
    mr_lane_fixture_settle(&fixture);
    expect_everywhere(&fixture, "a", "{\"rate\":7}", &results);
    expect_everywhere(&fixture, "bb", "{\"rate\":-1}", &results);
    mr_lane_fixture_crash(&fixture);
    rate(&fixture, "a", -1);
    rate(&fixture, "bb", 8);
    mr_lane_fixture_start(&fixture);
    expect_everywhere(&fixture, "a", "{\"rate\":-1}", &results);
    expect_everywhere(&fixture, "bb", "{\"rate\":8}", &results);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

/* Step until the task is in the phase. */
static void step_until(struct mr_lane_fixture *fixture, const struct mr_task *task,
                       enum mr_task_phase phase)
{
    for (uint32_t step = 0; task->phase != phase; step++) {
        assert_true(step < 100000);
        (void)mr_lane_step(fixture->lane, 1);
    }
}

/* One that comes back stands behind the others: it reads what it missed, they do not again. */
static void a_task_catches_up_with_the_others(void **state)
{
    (void)state;
    struct mr_lane_fixture fixture;
    uint32_t results = 0;
    mr_lane_fixture_open(&fixture, TOPOLOGY(""), topics, MR_ARRAY_COUNT(topics));
    rate(&fixture, "a", 1);
    rate(&fixture, "bb", 1);
    mr_lane_fixture_start(&fixture);
    expect_everywhere(&fixture, "a", "{\"rate\":1}", &results);
    for (uint32_t away = 0; away < TASKS; away++) {
        struct mr_task *task = fixture.lane->tasks[away];
        const struct mr_task *other = fixture.lane->tasks[(away + 1) % TASKS];
        mr_worker_revoke(task);
        step_until(&fixture, task, MR_TASK_RELEASED);
        for (int value = 0; value < 100; value++)
            rate(&fixture, "bb", 100 * (int)away + value);
        rate(&fixture, "a", 10 + (int)away);
        uint64_t until = atomic_load(&other->shared.input_records) + 101;
        for (uint32_t step = 0; atomic_load(&other->shared.input_records) < until; step++) {
            assert_true(step < 100000);
            (void)mr_lane_step(fixture.lane, 1);
        }
        mr_worker_reassign(task, 0);
        step_until(&fixture, task, MR_TASK_RUNNING);
        char wanted[32];
        (void)snprintf(wanted, sizeof(wanted), "{\"rate\":%d}", 10 + (int)away);
        expect_everywhere(&fixture, "a", wanted, &results);
        (void)snprintf(wanted, sizeof(wanted), "{\"rate\":%d}", 100 * (int)away + 99);
        expect_everywhere(&fixture, "bb", wanted, &results);
        /* A sale of each kind, and nothing of the table a second time. */
        assert_true(atomic_load(&other->shared.input_records) == until + 2);
    }
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

/* What was fetched for the assignment before must not be anybody's first record. */
static void what_was_fetched_before_is_forgotten(void **state)
{
    (void)state;
    struct mr_lane_fixture fixture;
    struct mr_error error;
    uint32_t results = 0;
    mr_lane_fixture_open(&fixture, TOPOLOGY(""), topics, MR_ARRAY_COUNT(topics));
    rate(&fixture, "a", 1);
    mr_lane_fixture_start(&fixture);
    expect_everywhere(&fixture, "a", "{\"rate\":1}", &results);
    struct mr_task_input *table = &fixture.lane->tasks[1]->inputs[1];
    struct mr_task_input *stream = &fixture.lane->tasks[1]->inputs[0];
    assert_true(table->broadcast && !stream->broadcast);
    struct mr_log_message messages[] = {{.tag = table->tag},
                                        {.tag = fixture.lane->tasks[0]->inputs[1].tag},
                                        {.tag = stream->tag},
                                        {.tag = table->tag}};
    fixture.lane->fetch =
        (struct mr_log_fetch){.messages = messages, .messages_count = MR_ARRAY_COUNT(messages)};
    fixture.lane->fetch_held = true;
    fixture.lane->fetch_next = 1;
    assert_int_equal(mr_lane_remove_input(fixture.lane, table, &error), MR_OK);
    assert_int_equal(messages[0].tag, table->tag); /* it is fed */
    assert_int_equal(messages[1].tag, MR_LANE_NO_TAG);
    assert_int_equal(messages[2].tag, stream->tag);
    assert_int_equal(messages[3].tag, MR_LANE_NO_TAG);
    messages[1].tag = table->tag;
    assert_int_equal(mr_lane_add_input(fixture.lane, table, &error), MR_OK);
    assert_int_equal(messages[1].tag, MR_LANE_NO_TAG);
    fixture.lane->fetch_held = false;
    struct mr_task_input *input;
    struct mr_task *task;
    assert_false(mr_lane_find_input(fixture.lane, MR_LANE_NO_TAG, &input, &task));
    uint32_t readers = 0;
    for (uint32_t slot = 0; mr_lane_next_reader(fixture.lane, table, &slot); slot++)
        readers++;
    assert_int_equal(readers, TASKS);
    readers = 0;
    for (uint32_t slot = 0; mr_lane_next_reader(fixture.lane, stream, &slot); slot++)
        readers++;
    assert_int_equal(readers, 1);
    rate(&fixture, "a", 2);
    mr_lane_fixture_settle(&fixture);
    expect_everywhere(&fixture, "a", "{\"rate\":2}", &results);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

/* All tasks read a record that cannot be read; it is one dead letter. */
static void a_bad_row_is_one_dead_letter(void **state)
{
    (void)state;
    struct mr_lane_fixture fixture;
    uint32_t results = 0;
    uint32_t count = 0;
    uint32_t found;
    mr_lane_fixture_open(&fixture, TOPOLOGY(""), topics, MR_ARRAY_COUNT(topics));
    mr_lane_fixture_write(&fixture, "rates", 1, "cc", "{\"code\":");
    rate(&fixture, "a", 1);
    mr_lane_fixture_start(&fixture);
    expect_everywhere(&fixture, "a", "{\"rate\":1}", &results);
    for (int32_t partition = 0; partition < TASKS; partition++) {
        (void)mr_lane_fixture_read(&fixture, "t.dead-letters", partition, &found);
        count += found;
    }
    assert_int_equal(count, 1);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

static void add_partition(struct mr_lane_fixture *fixture)
{
    struct mr_error error;
    bool changed;
    struct mr_deploy_options options = {
        .cluster = "c", .embedded = true, .partitions_count = 1, .wait_ms = 1000};
    const struct mr_standalone_version version = {.plan = fixture->plan};
    assert_int_equal(
        fixture->log->ops->topic_grow(fixture->log, "rates", TABLE_PARTITIONS + 1, &error), MR_OK);
    if (mr_standalone_deploy(fixture->log, &version, &options, &fixture->arena,
                             &fixture->deployment, &changed, &error) != MR_OK)
        fail_msg("%s", error.message);
}

/* With a retention rows count by their times, wherever they are. */
static void a_partition_that_is_added_is_read(void **state)
{
    (void)state;
    struct mr_lane_fixture fixture;
    uint32_t results = 0;
    mr_lane_fixture_open(&fixture, TOPOLOGY(", retention: 1h"), topics, MR_ARRAY_COUNT(topics));
    rate(&fixture, "a", 1);
    mr_lane_fixture_start(&fixture);
    expect_everywhere(&fixture, "a", "{\"rate\":1}", &results);
    mr_lane_fixture_stop(&fixture);
    add_partition(&fixture);
    mr_lane_fixture_write(&fixture, "rates", TABLE_PARTITIONS, "ddd",
                          "{\"code\":\"ddd\",\"rate\":4}");
    mr_lane_fixture_start(&fixture);
    expect_everywhere(&fixture, "ddd", "{\"rate\":4}", &results);
    expect_everywhere(&fixture, "a", "{\"rate\":1}", &results);
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

static void without_a_retention_it_is_refused(void **state)
{
    (void)state;
    struct mr_lane_fixture fixture;
    uint32_t results = 0;
    mr_lane_fixture_open(&fixture, TOPOLOGY(""), topics, MR_ARRAY_COUNT(topics));
    rate(&fixture, "a", 1);
    mr_lane_fixture_start(&fixture);
    expect_everywhere(&fixture, "a", "{\"rate\":1}", &results);
    mr_lane_fixture_stop(&fixture);
    add_partition(&fixture);
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    assert_int_equal(fixture.lane->phase, MR_LANE_STOPPED);
    assert_non_null(strstr(fixture.running->error.message,
                           "The table \"rates\" has a new partition, rates[2]."));
    mr_lane_fixture_stop(&fixture);
    mr_lane_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_has_all_partitions),
        cmocka_unit_test(a_task_catches_up_with_the_others),
        cmocka_unit_test(what_was_fetched_before_is_forgotten),
        cmocka_unit_test(a_bad_row_is_one_dead_letter),
        cmocka_unit_test(a_partition_that_is_added_is_read),
        cmocka_unit_test(without_a_retention_it_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
