/* tests/unit/coordinator/test_api_state.c — queries for state find their worker, or say why not. */
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

static void test_queries_say_why_they_cannot_be_answered(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("GET", "/v1/state/t/score/k1", NULL, 404, "There is no topology");
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    EXPECT("GET", "/v1/state/t/results/k1", NULL, 404, "no operator");
    EXPECT("GET", "/v1/state/t/score/k1", NULL, 503, "has no worker just now");
    EXPECT("GET", "/v1/models/nobody/score", NULL, 404, "There is no topology");
    EXPECT("GET", "/v1/models/t/score", NULL, 503, "has no worker just now");
    EXPECT("GET", "/v1/models/t/score/k1?partition=1", NULL, 503, "has no worker just now");
    mr_coordinator_fixture_work(fixture, "w1", 2);
    struct mr_http_reply reply =
        mr_coordinator_fixture_ask(fixture, 0, "GET", "/v1/state/t/score/k1", NULL, NULL);
    assert_int_equal(reply.code, 503); /* nobody listens at the address that the test gave */
    assert_true(reply.retry_after_s > 0);
    assert_non_null(strstr((const char *)reply.body.data, "Worker w1 does not answer"));
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, mr_coordinator_fixture_set_up,                           \
                                    mr_coordinator_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_queries_say_why_they_cannot_be_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
