/* tests/unit/coordinator/test_shell_scale.c — a worker that asks, and the API server that knows. */
#include "coordinator/kubernetes_client.h"
#include "tests/support/scripted_server.h"
#include "tests/unit/coordinator/coordinator_fixture.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static atomic_int replicas; /* below 0: refused */

static void answer(void *argument, const struct scripted_request *request)
{
    char json[128];
    (void)argument;
    assert_string_equal(request->target, "/apis/apps/v1/namespaces/here/statefulsets/w");
    int count = atomic_load(&replicas);
    (void)snprintf(json, sizeof(json), "{\"spec\":{\"replicas\":%d}}", count);
    if (count < 0)
        scripted_json(request, 403, "{\"message\":\"statefulsets.apps is forbidden\"}");
    else
        scripted_json(request, 200, json);
}

/* The answer to the worker of this name when the set should have so many. */
static enum mr_leaving leave(struct mr_coordinator_fixture *fixture, const char *worker, int count)
{
    atomic_store(&replicas, count);
    fixture->leave_asked = true;
    fixture->leave = MR_LEAVING_NOT;
    for (int i = 0; i < 100 && fixture->leave == MR_LEAVING_NOT; i++)
        (void)mr_coordinator_fixture_sync(fixture, 0, worker);
    fixture->leave_asked = false;
    enum mr_leaving told = fixture->leave;
    (void)mr_coordinator_fixture_sync(fixture, 0, worker);
    return told;
}

static void test_the_replicas_decide(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    char url[64];
    struct scripted_server *server = scripted_start(answer, NULL);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", scripted_port(server));
    const struct mr_kubernetes_options kubernetes = {.url = url, .name_space = "here"};
    fixture->workers_set = "w";
    fixture->kubernetes = &kubernetes;
    mr_coordinator_fixture_start(fixture, 0);
    mr_coordinator_fixture_lead(fixture, 0);
    assert_int_equal(leave(fixture, "w-2", 3), MR_LEAVING_RESTART);
    assert_int_equal(leave(fixture, "w-2", 2), MR_LEAVING_DRAIN);
    assert_int_equal(leave(fixture, "w-2", -1), MR_LEAVING_RESTART); /* it may not look */
    assert_int_equal(leave(fixture, "w-2", 0), MR_LEAVING_RESTART);
    scripted_stop(server);
    assert_int_equal(leave(fixture, "w-2", 2), MR_LEAVING_RESTART); /* it is not there */
    mr_coordinator_fixture_stop(fixture, 0);
}

static void test_where_it_cannot_be_asked_is_refused(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    struct mr_coordinator *coordinator = NULL;
    const struct mr_kubernetes_options kubernetes = {.url = "10.0.0.1", .name_space = "here"};
    const struct mr_coordinator_options options = {.cluster = "c",
                                                   .log = fixture->log,
                                                   .catalogue = &fixture->catalogue,
                                                   .listen = "place://0",
                                                   .http = "127.0.0.1:0",
                                                   .workers_set = "w",
                                                   .kubernetes = &kubernetes,
                                                   .wait_ms = 2000};
    assert_int_equal(mr_coordinator_start(&options, &coordinator, &fixture->error), MR_INVALID);
    assert_non_null(strstr(fixture->error.message, "10.0.0.1"));
}

#define WITH_FIXTURE(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, mr_coordinator_fixture_set_up,                           \
                                    mr_coordinator_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_the_replicas_decide),
        WITH_FIXTURE(test_where_it_cannot_be_asked_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
