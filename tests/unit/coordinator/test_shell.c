/* tests/unit/coordinator/test_shell.c — requests of workers: served, refused, and what a hostile
 * one costs. */
#include "tests/unit/coordinator/coordinator_fixture.h"

#include "base/clock.h"
#include "proto/codec.h"

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

static struct mr_reply ask(struct mr_coordinator_fixture *fixture, uint32_t index,
                           struct mr_slice bytes, bool *dropped)
{
    struct mr_reply reply;
    struct mr_slice answer = mr_coordinator_fixture_request(fixture, index, bytes, dropped);
    assert_int_equal(mr_reply_decode(answer, &fixture->arena, &reply, &fixture->error), MR_OK);
    return reply;
}

static struct mr_slice definition_request(struct mr_coordinator_fixture *fixture,
                                          const char *cluster)
{
    const struct mr_request request = {
        .protocol_version = MR_PROTOCOL_VERSION,
        .kind = MR_REQUEST_TOPOLOGY,
        .topology = {.cluster = cluster, .worker = "w", .generation = 1, .version = 1}};
    return mr_request_encode(&request, &fixture->arena);
}

static void test_requests_are_served(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    bool dropped;
    assert_int_equal(mr_coordinator_fixture_sync(fixture, 0, "w1"), 0);
    EXPECT("GET", "/v1/workers", NULL, 200, "\"name\":\"w1\"");
    struct mr_reply reply = ask(fixture, 0, definition_request(fixture, "c"), &dropped);
    assert_int_equal(reply.kind, MR_REPLY_TOPOLOGY);
    assert_false(reply.topology.found);
    assert_false(dropped);
}

static void test_tasks_are_given_once_the_decision_is_committed(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    mr_coordinator_fixture_work(fixture, "w1", 2);
    EXPECT("GET", "/v1/topologies", NULL, 200, "\"tasks\":2,\"tasks_running\":2");
    EXPECT("GET", "/v1/assignment", NULL, 200, "\"worker\":\"w1\"");
}

static void test_what_cannot_be_read_costs_the_connection(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    bool dropped;
    struct mr_reply reply = ask(fixture, 0, mr_slice_text("garbage, and more of it"), &dropped);
    assert_int_equal(reply.kind, MR_REPLY_REFUSED);
    assert_true(dropped);
    reply = ask(fixture, 0, definition_request(fixture, "another"), &dropped);
    assert_int_equal(reply.refused.refusal, MR_REFUSAL_WRONG_CLUSTER);
    assert_false(dropped);
    assert_int_equal(mr_coordinator_fixture_sync(fixture, 0, "w1"), 0); /* others go on */
    mr_coordinator_fixture_await(fixture, "/metrics", "refused_requests_total{cluster=\"c\"} 2");
}

static void test_a_follower_names_the_leader(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    struct mr_reply reply = {0};
    bool dropped;
    mr_coordinator_fixture_start(fixture, 1);
    for (int tries = 0; tries < 100; tries++) {
        reply = ask(fixture, 1, definition_request(fixture, "c"), &dropped);
        assert_int_equal(reply.kind, MR_REPLY_REFUSED);
        assert_int_equal(reply.refused.refusal, MR_REFUSAL_NOT_LEADER);
        if (reply.refused.leader[0] != '\0')
            break;
    }
    assert_string_equal(reply.refused.leader, "place://0");
    assert_int_equal(reply.refused.term, 1);
}

static bool metrics_say(struct mr_coordinator_fixture *fixture, uint32_t index, const char *text)
{
    struct mr_http_reply reply =
        mr_coordinator_fixture_ask(fixture, index, "GET", "/metrics", NULL, NULL);
    assert_int_equal(reply.code, 200);
    return strstr((const char *)reply.body.data, text) != NULL;
}

/* A follower reads the workers' names out of the records and hears none of them. */
static void test_only_the_leader_counts_states(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    struct mr_http_reply reply = {0};
    EXPECT("POST", "/v1/topologies", mr_fixture_stateful, 200, "is active");
    mr_coordinator_fixture_work(fixture, "w1", 2);
    mr_coordinator_fixture_start(fixture, 1);
    for (int tries = 0; tries < 100 && reply.code != 200; tries++) {
        reply = mr_coordinator_fixture_ask(fixture, 1, "GET", "/readyz", NULL, NULL);
        mr_clock_sleep_ms(50);
    }
    assert_int_equal(reply.code, 200);
    mr_clock_sleep_ms(1500); /* it counts once a second */
    assert_true(metrics_say(fixture, 1, "_leader{cluster=\"c\"} 0"));
    assert_true(metrics_say(fixture, 1, "_workers{cluster=\"c\",state=\"gone\"} 0"));
    assert_true(metrics_say(fixture, 1, "_tasks{cluster=\"c\",state=\"unassigned\"} 0"));
    assert_true(metrics_say(fixture, 1, "_topologies{cluster=\"c\",state=\"starting\"} 0"));
    assert_true(metrics_say(fixture, 0, "_leader{cluster=\"c\"} 1"));
    assert_false(metrics_say(fixture, 0, "_tasks{cluster=\"c\",state=\"running\"} 0"));
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, mr_coordinator_fixture_set_up,                           \
                                    mr_coordinator_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_requests_are_served),
        CASE(test_tasks_are_given_once_the_decision_is_committed),
        CASE(test_what_cannot_be_read_costs_the_connection),
        CASE(test_a_follower_names_the_leader),
        CASE(test_only_the_leader_counts_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
