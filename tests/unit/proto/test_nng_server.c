/* tests/unit/proto/test_nng_server.c — the server's listening and its bounds on requests. What it
 * does for many and for hostile peers is in tests/integration/test_transport*.c. */
#include "base/clock.h"
#include "base/memory.h"
#include "proto/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_MS = 10000, CLIENTS = MR_TRANSPORT_PENDING_MAX / 8 + 4 };

static struct mr_transport *transport;
static const struct mr_transport_ops *ops;
static struct mr_transport_server *server;
static struct mr_error error;
static char address[64];

static int setup(void **state)
{
    (void)state;
    transport = mr_nng_transport_create();
    ops = transport->ops;
    (void)snprintf(address, sizeof(address), "ipc:///tmp/millrace-server-%d", getpid());
    assert_int_equal(ops->server_create(transport, address, NULL, &server, &error), MR_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ops->server_destroy(server);
    ops->close(transport);
    return 0;
}

static void test_addresses_in_use_and_wrong_ones(void **state)
{
    struct mr_transport_server *second = NULL;
    (void)state;
    assert_int_equal(ops->server_create(transport, address, NULL, &second, &error), MR_IO);
    assert_non_null(strstr(error.message, address));
    assert_int_equal(ops->server_create(transport, "tcp://127.0.0.1", NULL, &second, &error),
                     MR_INVALID);
    assert_int_equal(ops->server_create(transport, "tls+tcp://127.0.0.1:1", NULL, &second, &error),
                     MR_INVALID);
    assert_int_equal(ops->server_create(transport, "ipc:///nowhere/at/all", NULL, &second, &error),
                     MR_IO);
    ops->server_destroy(NULL);
}

static void test_the_path_is_free_again(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        ops->server_destroy(server);
        assert_int_equal(ops->server_create(transport, address, NULL, &server, &error), MR_OK);
    }
}

static void test_waiting(void **state)
{
    struct mr_transport_incoming incoming;
    (void)state;
    uint64_t start_ms = mr_clock_monotonic_ms();
    assert_int_equal(ops->server_receive(server, 60, &incoming, &error), MR_AGAIN);
    assert_true(mr_clock_monotonic_ms() - start_ms >= 59);
    ops->server_wake(server);
    assert_int_equal(ops->server_receive(server, WAIT_MS, &incoming, &error), MR_AGAIN);
    ops->server_reply(server, 0, mr_slice_text("to nobody"));
    ops->server_reply(server, UINT64_MAX, mr_slice_text("to nobody"));
    ops->server_drop(server, 0);
}

/* Each client gives seven requests up and asks an eighth: MR_TRANSPORT_PENDING_MAX are pending
 * before all clients were heard; the others' wait until places are free. */
static void test_no_more_than_the_bound_are_pending(void **state)
{
    struct mr_transport_client **clients =
        mr_memory_new(CLIENTS, sizeof(struct mr_transport_client *));
    struct mr_transport_incoming *pending =
        mr_memory_new(MR_TRANSPORT_PENDING_MAX, sizeof(*pending));
    struct mr_transport_incoming incoming;
    uint32_t count = 0;
    (void)state;
    for (size_t index = 0; index < CLIENTS; index++)
        assert_int_equal(ops->client_create(transport, NULL, &clients[index], &error), MR_OK);
    for (int round = 0; round < 8; round++) {
        for (size_t index = 0; index < CLIENTS; index++)
            assert_int_equal(ops->client_send(clients[index], address, mr_slice_text("q"), &error),
                             MR_OK);
        uint32_t heard = 0;
        while (heard < CLIENTS && count < MR_TRANSPORT_PENDING_MAX) {
            assert_int_equal(ops->server_receive(server, WAIT_MS, &incoming, &error), MR_OK);
            assert_int_not_equal(incoming.handle, 0);
            pending[count++] = incoming;
            heard++;
        }
    }
    assert_int_equal(count, MR_TRANSPORT_PENDING_MAX);
    assert_int_equal(ops->server_receive(server, 100, &incoming, &error), MR_AGAIN);
    for (int index = 0; index < 32; index++)
        ops->server_reply(server, pending[index].handle, mr_slice_text("a"));
    for (int index = 0; index < 32; index++) /* CLIENTS * 8 are 32 more than the bound */
        assert_int_equal(ops->server_receive(server, WAIT_MS, &incoming, &error), MR_OK);
    assert_int_equal(ops->server_receive(server, 20, &incoming, &error), MR_AGAIN);
    for (size_t index = 0; index < CLIENTS; index++)
        ops->client_destroy(clients[index]);
    mr_memory_free(clients);
    mr_memory_free(pending);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_addresses_in_use_and_wrong_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_path_is_free_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_more_than_the_bound_are_pending, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
