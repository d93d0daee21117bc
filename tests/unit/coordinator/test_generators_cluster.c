/* tests/unit/coordinator/test_generators_cluster.c — what runs in a cluster is found, and rows are
 * drawn from the model that a worker gives. */
#include "tests/unit/coordinator/coordinator_fixture.h"

#include "base/assert.h"
#include "base/clock.h"
#include "http/server.h"
#include "tests/support/copula_rows.h"
#include "tests/unit/coordinator/websocket_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_MS = 20000 };

static const char definition[] =
    "apiVersion: millrace.io/v1alpha1\n"
    "kind: Topology\n"
    "metadata: {name: shop}\n"
    "spec:\n"
    "  sources:\n"
    "    - {name: a, type: kafka, topic: in, format: json}\n"
    "  operators:\n"
    "    - {name: people, type: generate.copula, learn: a, key: [], fields: [v], ratio: 0.5}\n"
    "  sinks:\n"
    "    - {name: out, type: kafka, topic: out, from: people}\n";

/* ---- A worker's HTTP server ---- */

static struct mr_buffer document;

static void give_model(void *argument, struct mr_http_exchange *exchange)
{
    MR_UNUSED(argument);
    mr_http_answer(exchange, 200, "application/json", mr_buffer_view(&document));
}

static const struct mr_http_route routes[] = {{MR_HTTP_GET, "/v1/models/shop/people", give_model},
                                              {MR_HTTP_GET, NULL, NULL}};

static int await_path(struct mr_coordinator_fixture *fixture, const char *path, int wanted)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS;
    for (;;) {
        int code;
        int fd = websocket_open(mr_coordinator_websocket_port(fixture->coordinators[0]), path, "",
                                &code);
        if (code == wanted)
            return fd;
        close(fd);
        assert_true(mr_clock_monotonic_ms() < until_ms);
        mr_clock_sleep_ms(20);
    }
}

static void test_serves_what_runs_in_the_cluster(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    struct mr_http_server *server = NULL;
    const struct mr_http_server_options options = {.address = "127.0.0.1:0", .routes = routes};
    char address[64];
    assert_int_equal(mr_http_server_start(&options, &server, &fixture->error), MR_OK);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", mr_http_server_port(server));
    fixture->worker_http = address;
    fixture->websocket = "127.0.0.1:0";
    mr_coordinator_fixture_start(fixture, 0);
    mr_coordinator_fixture_lead(fixture, 0);
    int fd = await_path(fixture, "/shop/people", 404);
    assert_non_null(strstr(websocket_refusal(fd), "none runs just now"));
    close(fd);
    mr_coordinator_fixture_expect(fixture, "POST", "/v1/topologies", definition, 200, "is active");
    fd = await_path(fixture, "/people", 101);
    websocket_say(fd, "{\"action\":\"generate\",\"n_samples\":4}");
    json_t *reply = websocket_hear(fd, NULL);
    assert_string_equal(json_string_value(json_object_get(reply, "action")), "error");
    assert_non_null(strstr(json_string_value(json_object_get(reply, "message")), "has no worker"));
    json_decref(reply);
    mr_coordinator_fixture_work(fixture, "w1", 1);
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS;
    size_t rows = 0;
    while (rows == 0) {
        websocket_say(fd, "{\"action\":\"generate\",\"n_samples\":4}");
        reply = websocket_hear(fd, NULL);
        rows = json_array_size(json_object_get(reply, "data"));
        json_decref(reply);
        assert_true(mr_clock_monotonic_ms() < until_ms);
        (void)mr_coordinator_fixture_sync(fixture, 0, "w1");
    }
    assert_int_equal(rows, 4);
    websocket_leave(fd);
    mr_coordinator_fixture_stop(fixture, 0);
    mr_http_server_stop(server);
}

static int make_document(void **state)
{
    MR_UNUSED(state);
    struct copula_fixture fixture;
    struct copula_rows rows;
    copula_rows_make(&rows, 2000, 3, 0);
    copula_fixture_open(&fixture, 500);
    copula_fixture_learn(&fixture, &rows, 256, 1e-3);
    copula_rows_free(&rows);
    mr_buffer_init(&document, 1 << 20);
    copula_fixture_document(&fixture, &document);
    copula_fixture_close(&fixture);
    return 0;
}

static int free_document(void **state)
{
    MR_UNUSED(state);
    mr_buffer_deinit(&document);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_serves_what_runs_in_the_cluster,
                                        mr_coordinator_fixture_set_up,
                                        mr_coordinator_fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, make_document, free_document);
}
