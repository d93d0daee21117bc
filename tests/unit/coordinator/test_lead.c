/* tests/unit/coordinator/test_lead.c — two coordinators on one log: one leads, the other sends
 * users there; a hand-over is quick, a fenced leader follows. */
#include "tests/unit/coordinator/coordinator_fixture.h"

#include "base/clock.h"
#include "coordinator/control_log.h"

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

static void test_the_other_sends_users_to_the_leader(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    mr_coordinator_fixture_start(fixture, 1);
    uint64_t until_ms = mr_clock_monotonic_ms() + 5000;
    struct mr_http_reply reply = {0};
    while (reply.code != 200 && mr_clock_monotonic_ms() < until_ms) /* 503 until it has read */
        reply = mr_coordinator_fixture_ask(fixture, 1, "GET", "/v1/workers", NULL, NULL);
    assert_int_equal(reply.code, 200); /* the client has followed the redirect */
    assert_non_null(strstr((const char *)reply.body.data, "\"workers\":[]"));
    reply = mr_coordinator_fixture_ask(fixture, 1, "GET", "/v1/leader", NULL, NULL);
    assert_non_null(strstr((const char *)reply.body.data, "\"leads\":false,\"term\":1"));
    EXPECT("GET", "/v1/workers", NULL, 200, "workers");
}

/* That it waits for no silence is test_election's: a loaded machine makes a clock say nothing. */
static void test_a_hand_over_keeps_what_was_decided(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    mr_coordinator_fixture_start(fixture, 1);
    mr_clock_sleep_ms(300);
    mr_coordinator_fixture_stop(fixture, 0);
    mr_coordinator_fixture_lead(fixture, 1);
    struct mr_http_reply reply =
        mr_coordinator_fixture_ask(fixture, 1, "GET", "/v1/topologies", NULL, NULL);
    assert_non_null(strstr((const char *)reply.body.data, "\"name\":\"t\""));
    reply = mr_coordinator_fixture_ask(fixture, 1, "GET", "/v1/leader", NULL, NULL);
    assert_non_null(strstr((const char *)reply.body.data, "\"term\":2"));
}

/* Somebody else initialises the control id: what the leader decides now is not committed. */
static void fence(struct mr_coordinator_fixture *fixture)
{
    struct mr_control_log *control;
    const struct mr_control_log_options options = {
        .log = fixture->log, .cluster = "c", .wait_ms = 1000};
    assert_int_equal(mr_control_log_open(&options, &control, &fixture->error), MR_OK);
    assert_int_equal(mr_control_log_initialise(control, &fixture->error), MR_OK);
    mr_control_log_close(control);
}

static void test_a_fenced_leader_follows_and_stands_again(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    fence(fixture);
    mr_coordinator_fixture_await(fixture, "/v1/leader", "\"leads\":false");
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 503, "No coordinator leads");
    mr_coordinator_fixture_lead(fixture, 0);
    EXPECT("GET", "/v1/leader", NULL, 200, "\"term\":2");
    EXPECT("GET", "/v1/topologies", NULL, 200, "\"topologies\":[]");
}

/* It knows of a blocked topology, which may have changed since. */
static void test_a_fenced_leader_counts_nothing(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    struct mr_http_reply reply = {0};
    bool leads = true;
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    mr_coordinator_fixture_await(fixture, "/metrics",
                                 "_topologies{cluster=\"c\",state=\"blocked\"} 1");
    fence(fixture);
    uint64_t until_ms = mr_clock_monotonic_ms() + 10000;
    while (leads && mr_clock_monotonic_ms() < until_ms) {
        reply = mr_coordinator_fixture_ask(fixture, 0, "GET", "/metrics", NULL, NULL);
        leads = strstr((const char *)reply.body.data, "_leader{cluster=\"c\"} 0") == NULL;
    }
    assert_false(leads);
    assert_non_null(
        strstr((const char *)reply.body.data, "_topologies{cluster=\"c\",state=\"blocked\"} 0"));
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, mr_coordinator_fixture_set_up,                           \
                                    mr_coordinator_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_the_other_sends_users_to_the_leader),
        CASE(test_a_hand_over_keeps_what_was_decided),
        CASE(test_a_fenced_leader_follows_and_stands_again),
        CASE(test_a_fenced_leader_counts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
