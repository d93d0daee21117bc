/* tests/unit/coordinator/test_server.c — a coordinator starts, answers and ends; what stands in its
 * way is named. */
#include "tests/unit/coordinator/coordinator_fixture.h"

#include "base/clock.h"
#include "coordinator/control_log.h"
#include "coordinator/internal.h"
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

static void test_it_starts_leads_and_answers(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    EXPECT("GET", "/healthz", NULL, 200, "ok");
    EXPECT("GET", "/readyz", NULL, 200, "ready");
    EXPECT("GET", "/v1/leader", NULL, 200, "\"cluster\":\"c\",\"leads\":true,\"term\":1");
    mr_coordinator_fixture_await(fixture, "/metrics",
                                 "millrace_coordinator_leader{cluster=\"c\"} 1");
}

/* A core thread that is held stands for one that never comes back. */
static void hold(struct mr_coordinator *coordinator, struct mr_work *work, uint64_t now_ms)
{
    (void)coordinator;
    (void)now_ms;
    while (!atomic_load((atomic_bool *)work->data))
        mr_clock_sleep_ms(5);
}

static void test_a_thread_that_stands_still_is_named(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    atomic_bool let_go = false;
    fixture->stuck_ms = 400;
    mr_coordinator_fixture_start(fixture, 0);
    mr_coordinator_fixture_lead(fixture, 0);
    EXPECT("GET", "/healthz", NULL, 200, "ok");
    struct mr_work *work = mr_work_create(NULL, hold);
    work->data = &let_go;
    assert_true(mr_work_send(fixture->coordinators[0]->events, work));
    mr_clock_sleep_ms(200);
    EXPECT("GET", "/healthz", NULL, 200, "ok");
    mr_clock_sleep_ms(300);
    EXPECT("GET", "/healthz", NULL, 503, "The core thread has not turned for ");
    atomic_store(&let_go, true);
    mr_coordinator_fixture_await(fixture, "/healthz", "ok");
}

static enum mr_status find_leader(void *argument, struct mr_slice key, struct mr_slice value,
                                  int64_t written_ms, struct mr_error *error)
{
    struct mr_arena arena;
    struct mr_leader_record leader;
    (void)written_ms;
    mr_arena_init(&arena, 1024);
    if (mr_slice_equal(key, mr_slice_text("leader")) &&
        mr_leader_record_decode(value, &arena, &leader, error) == MR_OK)
        *(bool *)argument = leader.resigned;
    mr_arena_deinit(&arena);
    return MR_OK;
}

static void test_the_end_is_a_hand_over(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    struct mr_control_log *control;
    bool resigned = false;
    mr_coordinator_fixture_stop(fixture, 0);
    const struct mr_control_log_options options = {
        .log = fixture->log, .cluster = "c", .wait_ms = 1000};
    assert_int_equal(mr_control_log_open(&options, &control, &fixture->error), MR_OK);
    assert_int_equal(mr_control_log_read_to_end(control, find_leader, &resigned, &fixture->error),
                     MR_OK);
    assert_true(resigned);
    mr_control_log_close(control);
}

static void test_what_stands_in_the_way_is_named(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    char taken[64];
    char longer[400];
    struct mr_coordinator *other = NULL;
    struct mr_coordinator_options options = {.cluster = "c",
                                             .log = fixture->log,
                                             .transport = fixture->transports[0],
                                             .catalogue = &fixture->catalogue,
                                             .listen = "place://2",
                                             .http = taken,
                                             .wait_ms = 1000};
    (void)snprintf(taken, sizeof(taken), "127.0.0.1:%d",
                   mr_coordinator_http_port(fixture->coordinators[0]));
    assert_int_equal(mr_coordinator_start(&options, &other, &fixture->error), MR_IO);
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    options.advertise = longer;
    assert_int_equal(mr_coordinator_start(&options, &other, &fixture->error), MR_LIMIT);
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, mr_coordinator_fixture_set_up,                           \
                                    mr_coordinator_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_it_starts_leads_and_answers),
        CASE(test_a_thread_that_stands_still_is_named),
        CASE(test_the_end_is_a_hand_over),
        CASE(test_what_stands_in_the_way_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
