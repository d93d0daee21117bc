/* tests/unit/worker/test_ingest.c — messages of a source to rows: which are good, why the others
 * are not, and their event times. */
#include "worker/ingest.h"

#include "tests/unit/worker/lane_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { ROWS_MAX = 8, NOW_MS = 1000000 };

static const char topology[] =
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
    "  sources:\n"
    "    - {name: a, type: kafka, topic: in, format: json, key: [k], timestamp: ts}\n"
    "  operators:\n    - {name: keep, type: filter, from: a, where: 'v > 0.0'}\n"
    "  sinks:\n    - {name: results, type: kafka, from: keep, topic: out}\n";

struct fixture {
    struct mr_arena arena;
    struct mr_arena rows_arena;
    struct mr_plan *plan;
    struct mr_ingest *ingest;
    struct mr_batch batch;
    uint16_t rows[ROWS_MAX];
    char causes[ROWS_MAX][200]; /* by row; empty: no fault */
    int64_t highest_event_ms;
    struct mr_ingest_run last; /* as it came back */
};

static void note_fault(void *argument, uint32_t node, const struct mr_batch *batch, uint32_t row,
                       struct mr_slice message)
{
    struct fixture *fixture = argument;
    assert_in_range(node, 0, 1);
    assert_ptr_equal(batch, &fixture->batch);
    assert_string_equal(fixture->causes[row], ""); /* a row fails once */
    (void)snprintf(fixture->causes[row], sizeof(fixture->causes[row]), "%.*s", (int)message.size,
                   (const char *)message.data);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct mr_error error;
    memset(&fixture, 0, sizeof(fixture));
    mr_arena_init(&fixture.arena, 1 << 16);
    mr_arena_init(&fixture.rows_arena, 1 << 16);
    fixture.plan = mr_lane_fixture_plan(&fixture.arena, topology);
    fixture.highest_event_ms = INT64_MIN;
    struct mr_ingest_open open = {.plan = fixture.plan, .node = 0};
    assert_int_equal(mr_ingest_create(&open, &fixture.ingest, &error), MR_OK);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    mr_ingest_destroy(fixture->ingest);
    mr_arena_deinit(&fixture->rows_arena);
    mr_arena_deinit(&fixture->arena);
    return 0;
}

static struct mr_log_message message(int64_t offset, const char *key, const char *value)
{
    struct mr_log_message made = {.event = MR_LOG_RECORD,
                                  .offset = offset,
                                  .timestamp_ms = 500,
                                  .key_null = key == NULL,
                                  .value_null = value == NULL};
    if (key != NULL)
        made.key = mr_slice_text(key);
    if (value != NULL)
        made.value = mr_slice_text(value);
    return made;
}

static struct mr_view run(struct fixture *fixture, const struct mr_log_message *messages,
                          uint32_t count)
{
    struct mr_row_fault fault = {.argument = fixture, .report = note_fault};
    struct mr_ingest_run run = {.messages = messages,
                                .messages_count = count,
                                .origin = {"in", 3},
                                .sequence_first = 40,
                                .now_wall_ms = NOW_MS,
                                .highest_event_ms = fixture->highest_event_ms,
                                .carried_ms = INT64_MIN,
                                .evaluator = mr_evaluator_create()};
    struct mr_view view = mr_ingest_run(fixture->ingest, &run, &fixture->rows_arena,
                                        &fixture->batch, fixture->rows, &fault);
    mr_evaluator_destroy(run.evaluator);
    fixture->highest_event_ms = run.highest_event_ms;
    fixture->last = run;
    return view;
}

static void test_good_rows_carry_their_place_and_time(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_message messages[] = {message(7, "x", "{\"k\":\"x\",\"ts\":2000,\"v\":1}"),
                                              message(9, "y", "{\"k\":\"y\",\"ts\":1500,\"v\":2}")};
    struct mr_view view = run(fixture, messages, 2);
    assert_int_equal(view.rows_count, 2);
    assert_int_equal(view.batch->offsets[1], 9);
    assert_int_equal(view.batch->event_times_ms[0], 2000);
    assert_int_equal(view.batch->event_times_ms[1], 1500);
    assert_int_equal(fixture->highest_event_ms, 2000);
    assert_int_equal(view.batch->sequence_first, 40);
    assert_int_equal(view.batch->origin.partition, 3);
}

static void test_bad_rows_fail_once_and_the_others_go_on(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_message messages[] = {message(0, "x", "{\"k\":\"x\",\"ts\":1,\"v\":1}"),
                                              message(1, "x", "{\"k\":"),
                                              message(2, "x", NULL),
                                              message(3, "other", "{\"k\":\"x\",\"ts\":1,\"v\":1}"),
                                              message(4, NULL, "{\"k\":\"x\",\"ts\":1,\"v\":1}"),
                                              message(5, "x", "{\"ts\":1,\"v\":1}"),
                                              message(6, "x", "{\"k\":\"x\",\"ts\":true,\"v\":1}"),
                                              message(7, "x", "{\"k\":\"x\",\"ts\":3,\"v\":1}")};
    struct mr_view view = run(fixture, messages, 8);
    assert_int_equal(view.rows_count, 2);
    assert_int_equal(view.rows[0], 0);
    assert_int_equal(view.rows[1], 7);
    assert_string_not_equal(fixture->causes[1], "");
    assert_non_null(strstr(fixture->causes[2], "tombstone"));
    assert_non_null(strstr(fixture->causes[3], "is not the source's key fields"));
    assert_non_null(strstr(fixture->causes[4], "is not the source's key fields"));
    assert_non_null(strstr(fixture->causes[5], "has no key"));
    assert_string_not_equal(fixture->causes[6], "");
    assert_int_equal(fixture->highest_event_ms, 3);
}

/* A bad row's event time must not move the watermark. */
static void test_times_far_ahead_do_not_count(void **state)
{
    struct fixture *fixture = *state;
    char value[96];
    int64_t limit = NOW_MS + fixture->plan->nodes[0].max_ahead_ms;
    (void)snprintf(value, sizeof(value), "{\"k\":\"x\",\"ts\":%lld,\"v\":1}",
                   (long long)(limit + 1));
    const struct mr_log_message messages[] = {message(0, "x", "{\"k\":\"x\",\"ts\":5,\"v\":1}"),
                                              message(1, "x", value)};
    struct mr_view view = run(fixture, messages, 2);
    assert_int_equal(view.rows_count, 1);
    assert_string_not_equal(fixture->causes[1], "");
    assert_int_equal(fixture->highest_event_ms, 5);
}

static const char repartitioned[] =
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
    "  sources:\n    - {name: a, type: kafka, topic: in, format: json}\n"
    "  operators:\n    - {name: keyed, type: key_by, from: a, key: [k]}\n"
    "    - {name: once, type: deduplicate, from: keyed, key: [k], within: 1h}\n"
    "  sinks:\n    - {name: results, type: kafka, from: once, topic: out}\n";

static struct mr_log_message bytes_message(int64_t offset, const void *bytes, size_t size)
{
    return (struct mr_log_message){.event = MR_LOG_RECORD,
                                   .offset = offset,
                                   .key_null = true,
                                   .value = mr_slice_from(bytes, size)};
}

/* The bytes of worker/egress.h: records of both versions, a mark, and what nobody wrote. */
static void test_repartition_records_say_who_wrote_them(void **state)
{
    struct fixture *fixture = *state;
    struct mr_error error;
    static const uint8_t record[] = "\2\xe8\3\0\0\0\0\0\0\5\0\0\0\x2c\1\0\0\0\0\0\0{\"k\":\"a\"}";
    static const uint8_t old[] = "\1\xe9\3\0\0\0\0\0\0{\"k\":\"b\"}";
    static const uint8_t mark[] = "\3\1\6\0\0\0\x2d\1\0\0\0\0\0\0";
    const struct mr_log_message messages[] = {
        bytes_message(0, record, sizeof(record) - 1), bytes_message(1, mark, sizeof(mark) - 1),
        bytes_message(2, old, sizeof(old) - 1), bytes_message(3, mark, sizeof(mark) - 2),
        bytes_message(4, "\4{}", 3)};
    mr_ingest_destroy(fixture->ingest);
    fixture->plan = mr_lane_fixture_plan(&fixture->arena, repartitioned);
    assert_int_equal(fixture->plan->repartitions_count, 1);
    struct mr_ingest_open open = {.plan = fixture->plan,
                                  .node = fixture->plan->repartitions[0].consumer,
                                  .repartition = true};
    assert_int_equal(mr_ingest_create(&open, &fixture->ingest, &error), MR_OK);
    struct mr_view view = run(fixture, messages, 5);
    assert_int_equal(view.rows_count, 2);
    assert_int_equal(view.rows[0], 0);
    assert_int_equal(view.rows[1], 2);
    assert_int_equal(view.batch->event_times_ms[0], 1000);
    assert_int_equal(view.batch->event_times_ms[2], 1001);
    assert_true(mr_slice_equal(view.batch->payloads[0], mr_slice_text("{\"k\":\"a\"}")));
    const struct mr_carried *carried = fixture->last.carried;
    assert_int_equal(fixture->last.marks_count, 1);
    assert_int_equal(carried[0].upstream, 5);
    assert_int_equal(carried[0].watermark_ms, 300);
    assert_false(carried[0].mark);
    assert_true(carried[1].mark && carried[1].idle);
    assert_int_equal(carried[1].upstream, 6);
    assert_int_equal(carried[1].watermark_ms, 301);
    assert_int_equal(carried[2].upstream, MR_UPSTREAM_UNKNOWN);
    assert_string_equal(fixture->causes[1], "");
    assert_non_null(strstr(fixture->causes[3], "unknown version"));
    assert_non_null(strstr(fixture->causes[4], "unknown version"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const char punctuated[] =
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
    "  sources:\n"
    "    - {name: a, type: kafka, topic: in, format: json, key: [k], timestamp: ts, watermark: "
    "{when: done}}\n"
    "  operators:\n    - {name: keep, type: filter, from: a, where: 'v > 0.0'}\n"
    "  sinks:\n    - {name: results, type: kafka, from: keep, topic: out}\n";

static void test_a_condition_moves_the_watermark_to_the_rows_own_time(void **state)
{
    struct fixture *fixture = *state;
    struct mr_error error;
    mr_ingest_destroy(fixture->ingest);
    fixture->plan = mr_lane_fixture_plan(&fixture->arena, punctuated);
    struct mr_ingest_open open = {.plan = fixture->plan, .node = 0};
    assert_int_equal(mr_ingest_create(&open, &fixture->ingest, &error), MR_OK);
    const struct mr_log_message messages[] = {
        message(0, "x", "{\"k\":\"x\",\"ts\":100,\"v\":1,\"done\":false}"),
        message(1, "x", "{\"k\":\"x\",\"ts\":300,\"v\":1,\"done\":true}"),
        message(2, "x", "{\"k\":\"x\",\"ts\":200,\"v\":1,\"done\":true}"),
        message(3, "x", "{\"k\":\"x\",\"ts\":900,\"v\":1,\"done\":7}"),
        message(4, "x", "{\"k\":\"x\",\"ts\":900,\"v\":1}"),
        message(5, "x", "{\"k\":\"x\",\"ts\":400,\"v\":1,\"done\":false}")};
    struct mr_view view = run(fixture, messages, 6);
    assert_int_equal(view.rows_count, 4);
    assert_int_equal(fixture->last.carried_ms, 300);
    assert_int_equal(fixture->highest_event_ms, 400);
    static const int64_t says[] = {INT64_MIN, 300, 200, INT64_MIN, INT64_MIN, INT64_MIN};
    for (uint32_t row = 0; row < 6; row++)
        assert_true(fixture->last.says_ms[row] == says[row]);
    assert_non_null(strstr(fixture->causes[3], "and not true or false"));
    assert_non_null(strstr(fixture->causes[4], "The watermark's condition: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_good_rows_carry_their_place_and_time),
        CASE(test_bad_rows_fail_once_and_the_others_go_on),
        CASE(test_times_far_ahead_do_not_count),
        CASE(test_a_condition_moves_the_watermark_to_the_rows_own_time),
        CASE(test_repartition_records_say_who_wrote_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
