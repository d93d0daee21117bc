/* tests/unit/worker/test_stepped.c — a topology that the test steps: rest, time, ends, failure. */
#include "worker/stepped.h"

#include "base/clock.h"
#include "connectors/connector.h"
#include "coordinator/standalone.h"
#include "tests/unit/worker/lane_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char topology[] =
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
    "  sources:\n"
    "    - {name: in, type: kafka, topic: in, timestamp: ts, watermark: {idle_timeout: 1m}}\n"
    "    - {name: side, type: kafka, topic: side, timestamp: ts}\n"
    "  operators:\n"
    "    - {name: both, type: merge, inputs: [in, side]}\n"
    "    - {name: good, type: filter, from: both, where: v > 0, on_error: fail}\n"
    "    - {name: once, type: deduplicate, from: good, key: [k], within: 1h}\n"
    "    - {name: spread, type: key_by, from: once, key: [v]}\n"
    "  sinks:\n"
    "    - {name: out, type: kafka, topic: out, from: spread}\n";

static const struct mr_lane_topic topics[] = {{"in", 2}, {"side", 2}, {"out", 2}};

struct fixture {
    struct mr_lane_fixture lane; /* its log and deployment; no lane is started */
    struct mr_stepped *stepped;
};

static void open_fixture(struct fixture *fixture)
{
    struct mr_error error;
    mr_clock_drive(1000000);
    mr_lane_fixture_open(&fixture->lane, topology, topics, 3);
    const struct mr_stepped_open open = {.log = fixture->lane.log,
                                         .metrics = fixture->lane.metrics,
                                         .deployment = fixture->lane.deployment,
                                         .memory_bytes = 64 << 20};
    assert_int_equal(mr_stepped_open(&open, &fixture->stepped, &error), MR_OK);
    assert_int_equal(mr_stepped_settle(fixture->stepped, &error), MR_OK);
}

static void close_fixture(struct fixture *fixture)
{
    mr_stepped_close(fixture->stepped);
    mr_lane_fixture_close(&fixture->lane);
}

static uint32_t written(struct fixture *fixture)
{
    uint32_t count = 0;
    for (int32_t partition = 0; partition < 2; partition++) {
        uint32_t found;
        (void)mr_lane_fixture_read(&fixture->lane, "out", partition, &found);
        count += found;
    }
    return count;
}

static void settle(struct fixture *fixture)
{
    struct mr_error error;
    if (mr_stepped_settle(fixture->stepped, &error) != MR_OK)
        fail_msg("%s", error.message);
}

static void rest_means_that_all_is_committed(void **state)
{
    (void)state;
    struct fixture fixture;
    struct mr_arena arena;
    open_fixture(&fixture);
    assert_int_equal(written(&fixture), 0);
    /* Through two repartitions, although no time passes at all. */
    mr_lane_fixture_write(&fixture.lane, "in", 0, NULL, "{\"k\":\"a\",\"v\":1,\"ts\":1000}");
    mr_lane_fixture_write(&fixture.lane, "in", 1, NULL, "{\"k\":\"b\",\"v\":2,\"ts\":1000}");
    mr_lane_fixture_write(&fixture.lane, "side", 1, NULL, "{\"k\":\"a\",\"v\":1,\"ts\":1000}");
    settle(&fixture);
    assert_int_equal(written(&fixture), 2);
    assert_int_equal(mr_clock_wall_ms(), 1000000);
    settle(&fixture);
    assert_int_equal(written(&fixture), 2);

    mr_arena_init(&arena, 4096);
    const struct mr_query query = {
        .topology = "t", .store = "once", .key = mr_slice_text("b"), .partition = -1};
    struct mr_query_answer answer;
    mr_stepped_query(fixture.stepped, &query, &arena, &answer);
    assert_int_equal(answer.outcome, MR_QUERY_FOUND);
    mr_arena_deinit(&arena);
    close_fixture(&fixture);
}

/* The watermark of all inputs moves on only when those that are silent have ended, or are idle. */
static void time_and_ends_are_the_callers(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture);
    mr_lane_fixture_write(&fixture.lane, "in", 0, NULL, "{\"k\":\"a\",\"v\":1,\"ts\":1000}");
    settle(&fixture);
    for (uint32_t step = 0; step < 10; step++) { /* five minutes: house is kept, nothing breaks */
        mr_clock_advance(30000);
        settle(&fixture);
    }
    assert_int_equal(mr_clock_wall_ms(), 1300000);
    mr_stepped_end_source(fixture.stepped, mr_plan_node_find(fixture.lane.plan, "side")->index);
    mr_stepped_end_source(fixture.stepped, mr_plan_node_find(fixture.lane.plan, "in")->index);
    settle(&fixture);
    /* What is given later is processed all the same. */
    mr_lane_fixture_write(&fixture.lane, "in", 0, NULL, "{\"k\":\"c\",\"v\":1,\"ts\":2000}");
    settle(&fixture);
    assert_int_equal(written(&fixture), 2);
    close_fixture(&fixture);
}

static void a_failure_has_its_reason(void **state)
{
    (void)state;
    struct fixture fixture;
    struct mr_error error;
    open_fixture(&fixture);
    mr_lane_fixture_write(&fixture.lane, "in", 0, NULL, "{\"k\":\"a\",\"ts\":1000}");
    assert_int_not_equal(mr_stepped_settle(fixture.stepped, &error), MR_OK);
    assert_non_null(strstr(error.message, "no such field 'v'"));
    assert_int_not_equal(mr_stepped_settle(fixture.stepped, &error), MR_OK);
    assert_int_equal(written(&fixture), 0);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rest_means_that_all_is_committed),
        cmocka_unit_test(time_and_ends_are_the_callers),
        cmocka_unit_test(a_failure_has_its_reason),
    };
    mr_stepped_close(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
