/* tests/unit/coordinator/test_api_change.c — submit with its difference, and every other change. */
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

static void test_a_dry_run_changes_nothing(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies?dry_run=1", mr_fixture_stateful, 200, "\"tasks_after\":2");
    EXPECT("GET", "/v1/topologies", NULL, 200, "\"topologies\":[]");
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    EXPECT("DELETE", "/v1/topologies/t?dry_run=1", NULL, 200, "\"dry_run\":true");
    EXPECT("GET", "/v1/topologies", NULL, 200, "\"state\":\"running\"");
}

static void test_findings_have_places(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", "apiVersion: millrace.io/v1alpha1\nkind: Topologie\n", 422,
           "\"errors\":[{\"line\":");
}

static void test_what_would_drop_state_is_refused(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "\"change\":\"added\"");
    EXPECT("POST", "/v1/topologies", mr_fixture_renamed, 422, "--drop-state score");
    EXPECT("GET", "/v1/topologies", NULL, 200, "\"version\":1");
    EXPECT("POST", "/v1/topologies?drop_state=score", mr_fixture_renamed, 200, "Version 2");
    EXPECT("POST", "/v1/topologies/t/rollback", NULL, 422, "state");
    EXPECT("POST", "/v1/topologies/t/rollback?to=9", NULL, 404, "no version 9");
}

static void test_rollback_goes_back(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "Version 1");
    EXPECT("POST", "/v1/topologies", mr_fixture_tuned, 200, "Version 2");
    EXPECT("POST", "/v1/topologies/t/rollback?dry_run=1", NULL, 200, "\"version\":1");
    EXPECT("GET", "/v1/topologies", NULL, 200, "\"version\":2");
    EXPECT("POST", "/v1/topologies/t/rollback", NULL, 200, "\"version\":1");
    EXPECT("GET", "/v1/topologies", NULL, 200, "\"version\":1,");
}

static void test_pause_resume_and_one_source(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    mr_coordinator_fixture_work(fixture, "w1", 2);
    EXPECT("POST", "/v1/topologies/t/pause", NULL, 200, "paused");
    EXPECT("GET", "/v1/topologies", NULL, 200, "\"health\":\"paused\"");
    EXPECT("GET", "/v1/why?topology=t", NULL, 200, "\"kind\":\"topology\"");
    EXPECT("POST", "/v1/topologies/t/resume", NULL, 200, "goes on");
    EXPECT("POST", "/v1/topologies/t/pause?source=a", NULL, 200, "t");
    EXPECT("GET", "/v1/topologies", NULL, 200, "\"paused_sources\":[\"a\"]");
    EXPECT("POST", "/v1/topologies/t/pause?source=b", NULL, 404, "no source b");
}

static void test_a_seek_is_checked_first(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    EXPECT("POST", "/v1/topologies/t/seek", "{\"source\": \"a\"}", 400, "what a seek looks like");
    EXPECT("POST", "/v1/topologies/t/seek", "{\"source\": \"x\", \"to\": \"latest\"}", 422,
           "no source");
    EXPECT("POST", "/v1/topologies/t/seek", "{\"source\": \"a\", \"to\": \"soon\"}", 422,
           "expected earliest, latest");
    EXPECT("POST", "/v1/topologies/t/seek", "{\"source\": \"a\", \"to\": \"0=99\"}", 422,
           "lies outside");
    EXPECT("POST", "/v1/topologies/t/seek?dry_run=1", "{\"source\": \"a\", \"to\": \"0=0\"}", 200,
           "State and watermarks are kept");
}

static void test_workers_drain(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    (void)mr_coordinator_fixture_sync(fixture, 0, "w1");
    EXPECT("POST", "/v1/workers/w1/drain?dry_run=1", NULL, 200, "\"active_tasks\":0");
    EXPECT("POST", "/v1/workers/w1/drain", NULL, 202, "w1");
    EXPECT("GET", "/v1/workers", NULL, 200, "\"state\":\"draining\"");
    EXPECT("POST", "/v1/workers/w1/undrain", NULL, 200, "w1");
    EXPECT("GET", "/v1/workers", NULL, 200, "\"state\":\"present\"");
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, mr_coordinator_fixture_set_up,                           \
                                    mr_coordinator_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_dry_run_changes_nothing),
        CASE(test_findings_have_places),
        CASE(test_what_would_drop_state_is_refused),
        CASE(test_rollback_goes_back),
        CASE(test_pause_resume_and_one_source),
        CASE(test_a_seek_is_checked_first),
        CASE(test_workers_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
