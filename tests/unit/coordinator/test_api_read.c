/* tests/unit/coordinator/test_api_read.c — what the routes that read answer, with a worker that
 * runs tasks. */
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

static void test_topologies_workers_and_tasks(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    mr_coordinator_fixture_work(fixture, "w1", 2);
    EXPECT("GET", "/v1/topologies", NULL, 200, "\"versions\":[1],\"state\":\"running\"");
    EXPECT("GET", "/v1/topologies/t", NULL, 200, "\"plan\":{");
    EXPECT("GET", "/v1/topologies/t", NULL, 200, "\"task_list\":[{\"topology\":\"t\"");
    EXPECT("GET", "/v1/workers", NULL, 200, "\"active_tasks\":2");
    EXPECT("GET", "/v1/tasks?worker=w1", NULL, 200, "\"partition\":1");
    EXPECT("GET", "/v1/tasks?worker=w2", NULL, 200, "\"tasks\":[]");
    EXPECT("GET", "/v1/tasks?topology=x", NULL, 200, "\"tasks\":[]");
    EXPECT("GET", "/v1/assignment", NULL, 200, "\"unassigned\":[]");
    EXPECT("GET", "/v1/lag?topology=t", NULL, 200, "\"topology\":\"t\",\"lag\":0");
}

static void test_versions_and_their_difference(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    EXPECT("POST", "/v1/topologies", mr_fixture_tuned, 200, "Version 2");
    EXPECT("GET", "/v1/topologies/t/versions/1", NULL, 200, "metadata: {name: t}");
    EXPECT("GET", "/v1/topologies/t/versions/2", NULL, 200, "threshold: 9.0");
    EXPECT("GET", "/v1/topologies/t/diff", NULL, 200, "\"new\":false,\"same\":false");
    EXPECT("GET", "/v1/topologies/t/diff?from=2&to=2", NULL, 200, "\"same\":true");
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, mr_coordinator_fixture_set_up,                           \
                                    mr_coordinator_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_topologies_workers_and_tasks),
        CASE(test_versions_and_their_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
