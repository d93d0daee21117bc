/* tests/unit/proto/test_nng_client.c — the client alone: addresses that nobody listens at, waiting,
 * giving up. With a server it is in tests/integration/test_transport*.c. */
#include "base/clock.h"
#include "proto/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct mr_transport *transport;
static struct mr_transport_client *client;
static struct mr_arena arena;
static struct mr_error error;

static int setup(void **state)
{
    (void)state;
    mr_arena_init(&arena, 4096);
    transport = mr_nng_transport_create();
    assert_int_equal(transport->ops->client_create(transport, NULL, &client, &error), MR_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    transport->ops->client_destroy(client);
    transport->ops->close(transport);
    mr_arena_deinit(&arena);
    return 0;
}

static enum mr_status wait_for(uint32_t wait_ms)
{
    struct mr_slice reply;
    return transport->ops->client_wait(client, wait_ms, &arena, &reply, &error);
}

static enum mr_status ask(const char *address)
{
    return transport->ops->client_send(client, address, mr_slice_text("question"), &error);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    uint64_t start_ms = mr_clock_monotonic_ms();
    assert_int_equal(ask("tcp://127.0.0.1:1"), MR_OK);
    assert_int_equal(wait_for(200), MR_AGAIN);
    assert_true(mr_clock_monotonic_ms() - start_ms >= 199);
    assert_int_equal(ask("ipc:///nowhere/at/all"), MR_OK);
    assert_int_equal(wait_for(20), MR_AGAIN);
    assert_int_equal(ask("tcp://no-such-host.invalid:1"), MR_OK);
    assert_int_equal(wait_for(20), MR_AGAIN);
}

static void test_wrong_addresses(void **state)
{
    (void)state;
    assert_int_equal(ask("tcp://127.0.0.1"), MR_INVALID);
    assert_int_equal(ask("tls+tcp://127.0.0.1:1"), MR_INVALID);
    assert_non_null(strstr(error.message, "no certificate"));
    assert_int_equal(wait_for(0), MR_NOT_FOUND);
    /* A wrong one gives up what was under way. */
    assert_int_equal(ask("tcp://127.0.0.1:1"), MR_OK);
    assert_int_equal(ask("nonsense"), MR_INVALID);
    assert_int_equal(wait_for(0), MR_NOT_FOUND);
}

static void test_given_up_quickly_and_often(void **state)
{
    static const char *const addresses[] = {"tcp://127.0.0.1:1", "ipc:///nowhere/at/all",
                                            "tcp://[::1]:1", "tcp://localhost:1"};
    (void)state;
    uint64_t start_ms = mr_clock_monotonic_ms();
    for (size_t round = 0; round < 400; round++)
        assert_int_equal(ask(addresses[round / 2 % 4]), MR_OK);
    assert_true(mr_clock_monotonic_ms() - start_ms < 10000);
}

/* Addresses of TEST-NET-1 answer nothing, not even a refusal: leaving them must not wait. */
static void test_a_black_hole_is_left_at_once(void **state)
{
    (void)state;
    assert_int_equal(ask("tcp://192.0.2.1:4711"), MR_OK);
    assert_int_equal(wait_for(50), MR_AGAIN);
    uint64_t start_ms = mr_clock_monotonic_ms();
    assert_int_equal(ask("tcp://127.0.0.1:1"), MR_OK);
    assert_true(mr_clock_monotonic_ms() - start_ms < 2000);
}

static void test_waiting_costs_nothing(void **state)
{
    (void)state;
    assert_int_equal(ask("tcp://127.0.0.1:1"), MR_OK);
    uint64_t start_ns = mr_clock_process_cpu_ns();
    assert_int_equal(wait_for(500), MR_AGAIN);
    assert_true(mr_clock_process_cpu_ns() - start_ns < 250000000);
}

static void test_destroying_nothing(void **state)
{
    (void)state;
    transport->ops->client_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobody_listens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_given_up_quickly_and_often, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_black_hole_is_left_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waiting_costs_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_destroying_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
