/* tests/unit/coordinator/test_api.c — routes, and requests that are wrong in themselves. */
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

static void test_wrong_requests_are_told_so(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("GET", "/v1/nothing", NULL, 404, "\"status\":404");
    EXPECT("GET", "/v1/topologies/t", NULL, 404, "There is no topology");
    EXPECT("GET", "/v1/why", NULL, 400, "Say of which topology");
    EXPECT("GET", "/v1/why?topology=t", NULL, 404, "There is no topology");
    EXPECT("POST", "/v1/topologies", "{\"definitions\": 1}", 400, "what a submission looks like");
    EXPECT("POST", "/v1/workers/w/drain", NULL, 404, "There is no worker");
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    EXPECT("GET", "/v1/topologies/t/diff?from=x", NULL, 400, "expected a whole number");
    EXPECT("GET", "/v1/topologies/t/versions/7", NULL, 404, "has no version 7");
    EXPECT("GET", "/v1/topologies/t/versions/x", NULL, 400, "expected the number of a version");
}

static void test_a_body_of_another_type_is_refused(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    struct mr_http_reply reply = mr_coordinator_fixture_ask(fixture, 0, "POST", "/v1/topologies",
                                                            "text/html", mr_fixture_stateful);
    assert_int_equal(reply.code, 415);
    assert_string_equal(reply.content_type, "application/problem+json");
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, mr_coordinator_fixture_set_up,                           \
                                    mr_coordinator_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_wrong_requests_are_told_so),
        CASE(test_a_body_of_another_type_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
