/* tests/unit/coordinator/test_forward.c — a tap is passed on from the worker that runs the
 * operator, and ends with its listener. */
#include "tests/unit/coordinator/coordinator_fixture.h"

#include "base/clock.h"
#include "http/server.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { WAIT_MS = 20000 };

static struct mr_coordinator_fixture *lead(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    mr_coordinator_fixture_start(fixture, 0);
    mr_coordinator_fixture_lead(fixture, 0);
    return fixture;
}

/* ---- A worker's HTTP server ---- */

static void subscribe(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_subscribe(exchange, "rows");
}

static const struct mr_http_route routes[] = {{MR_HTTP_GET, "/v1/taps/t/score", subscribe},
                                              {MR_HTTP_GET, NULL, NULL}};

static void await_listeners(struct mr_http_server *server, uint32_t count)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS;
    while (mr_http_subscribers(server, "rows") != count) {
        if (mr_clock_monotonic_ms() > until_ms)
            fail_msg("%u listen, not %u", mr_http_subscribers(server, "rows"), count);
        mr_clock_sleep_ms(10);
    }
}

/* ---- A user ---- */

struct user {
    pthread_t thread;
    char url[128];
    char last[64];
    atomic_uint count;
};

static bool take_row(void *argument, const char *event, struct mr_slice data)
{
    struct user *user = argument;
    assert_string_equal(event, "record");
    (void)snprintf(user->last, sizeof user->last, "%.*s", (int)data.size, (const char *)data.data);
    return atomic_fetch_add(&user->count, 1) < 1;
}

static void *listen_main(void *argument)
{
    struct user *user = argument;
    struct mr_http_client *client = NULL;
    struct mr_error error;
    const struct mr_http_client_options options = {0};
    assert_int_equal(mr_http_client_create(&options, &client, &error), MR_OK);
    assert_int_equal(mr_http_client_listen(client, user->url, take_row, user, &error), MR_OK);
    mr_http_client_destroy(client);
    return NULL;
}

static void test_rows_pass_from_the_worker_to_the_user(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    struct mr_http_server *server = NULL;
    struct user user = {.count = 0};
    const struct mr_http_server_options options = {.address = "127.0.0.1:0", .routes = routes};
    char address[64];
    assert_int_equal(mr_http_server_start(&options, &server, &fixture->error), MR_OK);
    (void)snprintf(address, sizeof address, "127.0.0.1:%d", mr_http_server_port(server));
    fixture->worker_http = address;
    mr_coordinator_fixture_expect(fixture, "POST", "/v1/topologies", mr_fixture_stateful, 200,
                                  "is active");
    mr_coordinator_fixture_work(fixture, "w1", 2);
    await_listeners(server, 0); /* nobody looks: nothing is asked of the worker */
    (void)snprintf(user.url, sizeof user.url, "http://127.0.0.1:%d/v1/taps/t/score",
                   mr_coordinator_http_port(fixture->coordinators[0]));
    assert_int_equal(pthread_create(&user.thread, NULL, listen_main, &user), 0);
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS;
    while (mr_http_subscribers(server, "rows") == 0 && mr_clock_monotonic_ms() < until_ms)
        (void)mr_coordinator_fixture_sync(fixture, 0, "w1");
    await_listeners(server, 1);
    for (uint64_t id = 1; atomic_load(&user.count) < 2 && mr_clock_monotonic_ms() < until_ms;
         id++) {
        mr_http_publish(server, "rows", "record", id, mr_slice_text("{\"row\":1}"));
        (void)mr_coordinator_fixture_sync(fixture, 0, "w1");
    }
    pthread_join(user.thread, NULL);
    assert_string_equal(user.last, "{\"row\":1}");
    /* The user has gone: the worker is left alone, without a row that would show it. */
    await_listeners(server, 0);
    mr_http_server_stop(server);
}

static void test_what_cannot_be_tapped(void **state)
{
    struct mr_coordinator_fixture *fixture = lead(state);
    mr_coordinator_fixture_expect(fixture, "GET", "/v1/taps/t/score", NULL, 404,
                                  "There is no topology");
    mr_coordinator_fixture_expect(fixture, "POST", "/v1/topologies", mr_fixture_stateful, 200,
                                  "is active");
    mr_coordinator_fixture_expect(fixture, "GET", "/v1/taps/t/nosuch", NULL, 404,
                                  "no source or operator");
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, mr_coordinator_fixture_set_up,                           \
                                    mr_coordinator_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_rows_pass_from_the_worker_to_the_user),
        CASE(test_what_cannot_be_tapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
