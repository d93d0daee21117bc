/* tests/unit/coordinator/test_api_why.c — what holds a topology back, from what its tasks say. */
#include "tests/unit/coordinator/coordinator_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define EXPECT(method, path, body, code, text)                                                     \
    mr_coordinator_fixture_expect(fixture, method, path, body, code, text)

static struct mr_coordinator_fixture *lead(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    mr_coordinator_fixture_start(fixture, 0);
    mr_coordinator_fixture_lead(fixture, 0);
    return fixture;
}

static void test_without_workers_nothing_runs(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    mr_coordinator_fixture_await(fixture, "/v1/why?topology=t", "\"kind\":\"task\"");
    EXPECT("GET", "/v1/why?topology=t", NULL, 200, "worker");
}

static void test_what_runs_is_held_back_by_nothing(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    mr_coordinator_fixture_work(fixture, "w1", 2);
    EXPECT("GET", "/v1/why?topology=t", NULL, 200, "\"kind\":\"nothing\"");
}

/* A watermark that stands: who makes it wait, by the name that its binding has. */
static void test_who_holds_a_watermark_is_named(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    fixture->held_subtopology = "score";
    fixture->held = (struct mr_task_report){.held_by = MR_HOLDER_SOURCE,
                                            .held_by_index = 0,
                                            .held_by_partition = 1,
                                            .held_ms = 34000,
                                            .watermark_ms = 1000};
    mr_coordinator_fixture_work(fixture, "w1", 2);
    EXPECT("GET", "/v1/why?topology=t", NULL, 200, "\"subject\":\"a/1\"");
    EXPECT("GET", "/v1/why?topology=t", NULL, 200,
           "It holds the watermark of score/0, which stands at 1970-01-01T00:00:01Z for 34 s");
    EXPECT("GET", "/v1/tasks", NULL, 200, "\"watermark_held_ms\":34000");
    /* A task that writes, which is held by nobody itself; then what no version has. */
    fixture->held.held_by = MR_HOLDER_UPSTREAM;
    (void)mr_coordinator_fixture_sync(fixture, 0, "w1");
    (void)mr_coordinator_fixture_sync(fixture, 0, "w1");
    EXPECT("GET", "/v1/why?topology=t", NULL, 200, "\"subject\":\"score/1\"");
    fixture->held.held_by_index = 7;
    (void)mr_coordinator_fixture_sync(fixture, 0, "w1");
    (void)mr_coordinator_fixture_sync(fixture, 0, "w1");
    EXPECT("GET", "/v1/why?topology=t", NULL, 200, "\"kind\":\"nothing\"");
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, mr_coordinator_fixture_set_up,                           \
                                    mr_coordinator_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_without_workers_nothing_runs),
        CASE(test_what_runs_is_held_back_by_nothing),
        CASE(test_who_holds_a_watermark_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
