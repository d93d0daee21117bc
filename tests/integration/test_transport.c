/* tests/integration/test_transport.c — what every carrier of the transport must do: one suite over
 * tcp, ipc and tls+tcp. */
#include "tests/integration/transport_support.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdio.h>

enum { MANY = 1000, LARGE_BYTES = 8 << 20 };

static struct support_pair pair;

static int setup(void **state)
{
    support_pair_init(&pair, *state);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    support_pair_deinit(&pair);
    return 0;
}

static enum mr_status wait_for(uint32_t wait_ms)
{
    struct mr_slice reply;
    return pair.ops->client_wait(pair.client, wait_ms, &pair.arena, &reply, &pair.error);
}

static void test_request_and_answer(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        support_send(&pair, pair.client, "question");
        struct mr_transport_incoming incoming = support_receive(&pair);
        assert_true(mr_slice_equal(incoming.bytes, mr_slice_text("question")));
        support_reply(&pair, incoming.handle, "answer");
        support_expect(&pair, pair.client, "answer");
    }
}

static void test_nothing_under_way_waits_all_the_same(void **state)
{
    (void)state;
    uint64_t start_ms = mr_clock_monotonic_ms();
    assert_int_equal(wait_for(60), MR_NOT_FOUND);
    assert_true(mr_clock_monotonic_ms() - start_ms >= 59);
    support_send(&pair, pair.client, "q");
    support_reply(&pair, support_receive(&pair).handle, "a");
    support_expect(&pair, pair.client, "a");
    assert_int_equal(wait_for(0), MR_NOT_FOUND); /* an answer comes once */
}

static void test_long_poll(void **state)
{
    struct mr_transport_incoming none;
    (void)state;
    support_send(&pair, pair.client, "slow");
    struct mr_transport_incoming incoming = support_receive(&pair);
    assert_int_equal(wait_for(80), MR_AGAIN);
    assert_int_equal(wait_for(0), MR_AGAIN);
    assert_int_equal(pair.ops->server_receive(pair.server, 20, &none, &pair.error), MR_AGAIN);
    support_reply(&pair, incoming.handle, "at last");
    support_expect(&pair, pair.client, "at last");
}

static void test_an_answer_to_a_given_up_request_is_not_taken(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        support_send(&pair, pair.client, "first");
        struct mr_transport_incoming first = support_receive(&pair);
        if (round % 2 == 0)
            support_reply(&pair, first.handle, "late");
        support_send(&pair, pair.client, "second");
        struct mr_transport_incoming second = support_receive(&pair);
        assert_true(mr_slice_equal(second.bytes, mr_slice_text("second")));
        assert_true(second.handle != first.handle);
        assert_true(second.peer == first.peer);
        if (round % 2 != 0)
            support_reply(&pair, first.handle, "late");
        assert_int_equal(wait_for(2), MR_AGAIN);
        support_reply(&pair, second.handle, "right");
        support_expect(&pair, pair.client, "right");
    }
}

static void test_the_same_request_may_be_sent_again(void **state)
{
    (void)state;
    support_send(&pair, pair.client, "idempotent");
    struct mr_transport_incoming first = support_receive(&pair);
    support_send(&pair, pair.client, "idempotent");
    struct mr_transport_incoming second = support_receive(&pair);
    support_reply(&pair, second.handle, "once");
    support_reply(&pair, first.handle, "twice");
    support_expect(&pair, pair.client, "once");
    support_reply(&pair, second.handle, "an answered handle is dropped");
    support_reply(&pair, 12345, "so is one that never was");
}

static void *wake_client(void *argument)
{
    mr_clock_sleep_ms(50);
    pair.ops->client_wake(pair.client);
    return argument;
}

static void *wake_server(void *argument)
{
    mr_clock_sleep_ms(50);
    pair.ops->server_wake(pair.server);
    return argument;
}

static void test_wake(void **state)
{
    pthread_t thread;
    struct mr_transport_incoming incoming;
    (void)state;
    support_send(&pair, pair.client, "q");
    uint64_t handle = support_receive(&pair).handle;
    assert_int_equal(pthread_create(&thread, NULL, wake_client, NULL), 0);
    uint64_t start_ms = mr_clock_monotonic_ms();
    assert_int_equal(wait_for(SUPPORT_WAIT_MS), MR_AGAIN);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, wake_server, NULL), 0);
    assert_int_equal(pair.ops->server_receive(pair.server, SUPPORT_WAIT_MS, &incoming, &pair.error),
                     MR_AGAIN);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(mr_clock_monotonic_ms() - start_ms < SUPPORT_WAIT_MS / 2);
    /* A wake before the wait counts once, and loses no answer. */
    pair.ops->client_wake(pair.client);
    assert_int_equal(wait_for(SUPPORT_WAIT_MS), MR_AGAIN);
    support_reply(&pair, handle, "a");
    support_expect(&pair, pair.client, "a");
}

/* The next event, which must be that peer has gone. */
static void expect_gone(uint64_t peer)
{
    struct mr_transport_incoming incoming;
    assert_int_equal(pair.ops->server_receive(pair.server, SUPPORT_WAIT_MS, &incoming, &pair.error),
                     MR_OK);
    assert_int_equal(incoming.handle, 0);
    assert_true(incoming.peer == peer);
}

static void test_a_peer_that_goes_is_reported_once(void **state)
{
    struct mr_transport_incoming incoming;
    (void)state;
    struct mr_transport_client *other = support_client(&pair);
    support_send(&pair, other, "q");
    incoming = support_receive(&pair);
    struct mr_transport_incoming pending = incoming;
    pair.ops->client_destroy(other);
    expect_gone(pending.peer);
    support_reply(&pair, pending.handle, "nobody is there");
    assert_int_equal(pair.ops->server_receive(pair.server, 20, &incoming, &pair.error), MR_AGAIN);
    support_send(&pair, pair.client, "q");
    incoming = support_receive(&pair);
    assert_true(incoming.peer != pending.peer);
    support_reply(&pair, incoming.handle, "a");
    support_expect(&pair, pair.client, "a");
}

static void test_drop_closes_the_connection(void **state)
{
    (void)state;
    support_send(&pair, pair.client, "bad");
    struct mr_transport_incoming incoming = support_receive(&pair);
    pair.ops->server_drop(pair.server, incoming.peer);
    pair.ops->server_drop(pair.server, incoming.peer + 1); /* nobody */
    assert_int_equal(wait_for(SUPPORT_WAIT_MS), MR_CLOSED);
    assert_non_null(strstr(pair.error.message, pair.address));
    expect_gone(incoming.peer);
    pair.ops->server_drop(pair.server, incoming.peer); /* twice */
    support_send(&pair, pair.client, "good");
    struct mr_transport_incoming again = support_receive(&pair);
    assert_true(again.peer != incoming.peer);
    support_reply(&pair, again.handle, "welcome");
    support_expect(&pair, pair.client, "welcome");
}

static void test_a_server_that_comes_back(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        support_send(&pair, pair.client, "q");
        (void)support_receive(&pair);
        pair.ops->server_destroy(pair.server);
        pair.server = NULL;
        assert_int_equal(wait_for(SUPPORT_WAIT_MS), MR_CLOSED);
        assert_int_equal(wait_for(0), MR_NOT_FOUND);
        /* Sent while nobody listens: waits for the connection. */
        support_send(&pair, pair.client, "again");
        assert_int_equal(wait_for(100), MR_AGAIN);
        support_listen(&pair);
        struct mr_transport_incoming incoming = support_receive(&pair);
        assert_true(mr_slice_equal(incoming.bytes, mr_slice_text("again")));
        support_reply(&pair, incoming.handle, "back");
        support_expect(&pair, pair.client, "back");
    }
}

/* An answer of the first server must not be taken for one of the second. */
static void test_another_address(void **state)
{
    struct support_pair second;
    (void)state;
    support_pair_init(&second, pair.scheme);
    for (int round = 0; round < 20; round++) {
        support_send(&pair, pair.client, "to the first");
        struct mr_transport_incoming first = support_receive(&pair);
        assert_int_equal(pair.ops->client_send(pair.client, second.address,
                                               mr_slice_text("to the second"), &pair.error),
                         MR_OK);
        support_reply(&pair, first.handle, "from the first");
        struct mr_transport_incoming other = support_receive(&second);
        assert_true(mr_slice_equal(other.bytes, mr_slice_text("to the second")));
        support_reply(&second, other.handle, "from the second");
        support_expect(&pair, pair.client, "from the second");
    }
    support_pair_deinit(&second);
}

static void test_large_messages(void **state)
{
    (void)state;
    uint8_t *bytes = mr_memory_new(LARGE_BYTES, 1);
    for (size_t index = 0; index < LARGE_BYTES; index++)
        bytes[index] = (uint8_t)(index * 2654435761u >> 24);
    struct mr_slice large = mr_slice_from(bytes, LARGE_BYTES);
    struct mr_slice reply;
    assert_int_equal(pair.ops->client_send(pair.client, pair.address, large, &pair.error), MR_OK);
    struct mr_transport_incoming incoming = support_receive(&pair);
    assert_true(mr_slice_equal(incoming.bytes, large));
    pair.ops->server_reply(pair.server, incoming.handle, incoming.bytes);
    assert_int_equal(
        pair.ops->client_wait(pair.client, SUPPORT_WAIT_MS, &pair.arena, &reply, &pair.error),
        MR_OK);
    assert_true(mr_slice_equal(reply, large));
    mr_memory_free(bytes);
}

/* A thousand long polls at once, answered in another order than they came. */
static void test_a_thousand_pending_requests(void **state)
{
    (void)state;
    size_t many = strcmp(pair.scheme, "tcp") == 0 ? MANY : MANY / 10; /* files and time */
    struct mr_transport_client **clients =
        mr_memory_new(many, sizeof(struct mr_transport_client *));
    struct mr_transport_incoming *pending = mr_memory_new(many, sizeof(*pending));
    char(*names)[16] = mr_memory_new(many, sizeof(*names));
    struct mr_transport_incoming none;
    for (size_t index = 0; index < many; index++) {
        clients[index] = support_client(&pair);
        (void)snprintf(names[index], sizeof(names[index]), "%zu", index);
        support_send(&pair, clients[index], names[index]);
    }
    for (size_t index = 0; index < many; index++) {
        pending[index] = support_receive(&pair);
        /* Remembered by its text, since the bytes are borrowed. */
        size_t number = 0;
        for (size_t digit = 0; digit < pending[index].bytes.size; digit++)
            number = number * 10 + (size_t)(pending[index].bytes.data[digit] - '0');
        pending[index].bytes = mr_slice_text(names[number]);
    }
    assert_int_equal(pair.ops->server_receive(pair.server, 10, &none, &pair.error), MR_AGAIN);
    for (size_t index = many; index > 0; index--)
        pair.ops->server_reply(pair.server, pending[index - 1].handle, pending[index - 1].bytes);
    for (size_t index = 0; index < many; index++)
        support_expect(&pair, clients[index], names[index]);
    for (size_t index = 0; index < many; index++)
        pair.ops->client_destroy(clients[index]);
    mr_memory_free(clients);
    mr_memory_free(pending);
    mr_memory_free(names);
}

/* Answers given by several threads while the server receives and peers come and go. */
static void test_answers_from_any_thread(void **state)
{
    enum { CLIENTS = 8, ROUNDS = 200 };
    struct mr_transport_client *clients[CLIENTS];
    struct support_echo echo;
    (void)state;
    support_echo_start(&echo, &pair);
    for (size_t index = 0; index < CLIENTS; index++)
        clients[index] = support_client(&pair);
    uint64_t start_ns = mr_clock_monotonic_ns();
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t index = 0; index < CLIENTS; index++)
            support_send(&pair, clients[index], "echo");
        for (size_t index = 0; index < CLIENTS; index++)
            support_expect(&pair, clients[index], "echo");
        if (round % 20 == 19) {
            pair.ops->client_destroy(clients[0]);
            clients[0] = support_client(&pair);
        }
    }
    print_message("%s: %.0f us a request, %d at a time\n", pair.scheme,
                  (double)(mr_clock_monotonic_ns() - start_ns) / 1e3 / (ROUNDS * CLIENTS), CLIENTS);
    for (size_t index = 0; index < CLIENTS; index++)
        pair.ops->client_destroy(clients[index]);
    support_echo_stop(&echo);
}

static void test_destroyed_while_requests_pend(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct mr_transport_client *other = support_client(&pair);
        support_send(&pair, other, "not received");
        support_send(&pair, pair.client, "received");
        if (round % 2 == 0)
            (void)support_receive(&pair);
        pair.ops->server_destroy(pair.server);
        support_listen(&pair);
        pair.ops->client_destroy(other);
    }
}

static int run_suite(const char *scheme)
{
#define CASE(function)                                                                             \
    {                                                                                              \
#function, function, setup, teardown, (void *)(uintptr_t)scheme                            \
    }
    const struct CMUnitTest tests[] = {
        CASE(test_request_and_answer),
        CASE(test_nothing_under_way_waits_all_the_same),
        CASE(test_long_poll),
        CASE(test_an_answer_to_a_given_up_request_is_not_taken),
        CASE(test_the_same_request_may_be_sent_again),
        CASE(test_wake),
        CASE(test_a_peer_that_goes_is_reported_once),
        CASE(test_drop_closes_the_connection),
        CASE(test_a_server_that_comes_back),
        CASE(test_another_address),
        CASE(test_large_messages),
        CASE(test_a_thousand_pending_requests),
        CASE(test_answers_from_any_thread),
        CASE(test_destroyed_while_requests_pend),
    };
    print_message("== %s\n", scheme);
    return cmocka_run_group_tests_name(scheme, tests, NULL, NULL);
}

/* Without an argument all carriers, else those that are named. */
int main(int arguments_count, char **arguments)
{
    static const char *const schemes[] = {"tcp", "ipc", "tls+tcp"};
    int failures = 0;
    support_folder_create();
    for (size_t index = 0; index < MR_ARRAY_COUNT(schemes); index++) {
        bool wanted = arguments_count == 1;
        for (int argument = 1; argument < arguments_count; argument++)
            wanted = wanted || strcmp(arguments[argument], schemes[index]) == 0;
        failures += wanted ? run_suite(schemes[index]) : 0;
    }
    support_folder_remove();
    return failures == 0 ? 0 : 1;
}
