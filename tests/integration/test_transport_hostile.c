/* tests/integration/test_transport_hostile.c — peers that send what nobody should: each costs
 * itself its connection, and the others notice nothing. Raw sockets against the server, a raw
 * server against the client. */
#include "tests/integration/transport_support.h"

#include "base/clock.h"
#include "base/memory.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct support_pair pair;

static int setup(void **state)
{
    (void)state;
    support_pair_init(&pair, "tcp");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    support_pair_deinit(&pair);
    return 0;
}

/* An honest client is served at once. */
static void expect_service(void)
{
    support_send(&pair, pair.client, "honest");
    struct mr_transport_incoming incoming = support_receive(&pair);
    while (!mr_slice_equal(incoming.bytes, mr_slice_text("honest")))
        incoming = support_receive(&pair); /* the hostile may have been let through, too */
    support_reply(&pair, incoming.handle, "served");
    support_expect(&pair, pair.client, "served");
}

static void test_garbage(void **state)
{
    static const char *const garbage[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                          "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                                          "MRTR\x02\x01\x01\x01\x01\x01\x01\x01"};
    (void)state;
    for (size_t index = 0; index < 3; index++) {
        int file = support_connect(pair.port);
        size_t size = strlen(garbage[index]);
        assert_int_equal(send(file, garbage[index], size, MSG_NOSIGNAL), size);
        assert_true(support_is_closed(file, SUPPORT_WAIT_MS));
        assert_int_equal(close(file), 0);
        expect_service();
    }
}

static void test_wrong_frames(void **state)
{
    static const struct {
        uint32_t size;
        uint32_t reserved;
    } heads[] = {{0, 0}, {(8 << 20) + 1, 0}, {UINT32_MAX, 0}, {5, 1}};
    (void)state;
    for (size_t index = 0; index < 4; index++) {
        int file = support_greet(pair.port);
        assert_true(support_send_head(file, heads[index].size, heads[index].reserved, 1));
        assert_true(support_is_closed(file, SUPPORT_WAIT_MS));
        assert_int_equal(close(file), 0);
        expect_service();
    }
}

/* Who sends half a message holds nothing but its connection; others are served meanwhile. */
static void test_half_messages(void **state)
{
    enum { HALVES = 100 };
    int files[HALVES];
    (void)state;
    for (int index = 0; index < HALVES; index++) {
        files[index] = support_greet(pair.port);
        assert_true(support_send_head(files[index], 1000, 0, 1));
        assert_int_equal(send(files[index], "half", 4, MSG_NOSIGNAL), 4);
    }
    expect_service();
    for (int index = 0; index < HALVES; index++)
        assert_int_equal(close(files[index]), 0);
    expect_service();
}

static size_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
    assert_int_equal(fclose(file), 0);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Claims of 8 MiB by 200 peers take no memory, and small requests pass them by. */
static void test_large_claims(void **state)
{
    enum { CLAIMS = 200 };
    int files[CLAIMS];
    (void)state;
    expect_service();
    size_t before = resident_bytes();
    for (int index = 0; index < CLAIMS; index++) {
        files[index] = support_greet(pair.port);
        assert_true(support_send_head(files[index], 8 << 20, 0, 1));
        assert_int_equal(send(files[index], "begin", 5, MSG_NOSIGNAL), 5);
    }
    expect_service();
    expect_service();
    assert_true(resident_bytes() < before + (64u << 20));
    for (int index = 0; index < CLAIMS; index++)
        assert_int_equal(close(files[index]), 0);
    expect_service();
}

/* More requests without an answer than anybody needs: closed, and its requests are forgotten. */
static void test_a_flood_of_requests(void **state)
{
    (void)state;
    int file = support_greet(pair.port);
    for (uint32_t index = 0; index <= MR_TRANSPORT_PEER_PENDING_MAX; index++)
        (void)support_send_raw(file, index, "flood", 5);
    assert_true(support_is_closed(file, SUPPORT_WAIT_MS));
    assert_int_equal(close(file), 0);
    struct mr_transport_incoming none;
    mr_clock_sleep_ms(20);
    assert_int_equal(pair.ops->server_receive(pair.server, 0, &none, &pair.error), MR_AGAIN);
    expect_service();
}

/* Asks and never reads: its answers fill the system's buffers, then their bound. */
static void test_answers_that_nobody_reads(void **state)
{
    enum { ANSWER_BYTES = 1 << 20, ROUNDS = 200 };
    struct mr_transport_incoming incoming = {0};
    char *answer = mr_memory_new(ANSWER_BYTES, 1);
    uint32_t rounds = 0;
    (void)state;
    int file = support_greet(pair.port);
    memset(answer, 'a', ANSWER_BYTES);
    while (rounds < ROUNDS && support_send_raw(file, rounds, "ask", 3)) {
        enum mr_status status = pair.ops->server_receive(pair.server, 500, &incoming, &pair.error);
        if (status != MR_OK || incoming.handle == 0)
            break;
        pair.ops->server_reply(pair.server, incoming.handle, mr_slice_from(answer, ANSWER_BYTES));
        rounds++;
    }
    assert_true(rounds < ROUNDS);
    assert_int_equal(close(file), 0);
    mr_memory_free(answer);
    expect_service();
}

/* Who does not greet, and who does not take an answer, has ten seconds. */
static void test_the_slow_are_closed(void **state)
{
    enum { ANSWER_BYTES = 8 << 20, SLOW_MS = 13000 };
    struct mr_transport_incoming gone = {.handle = 1};
    (void)state;
    int silent = support_connect(pair.port);
    int reader = support_greet(pair.port);
    assert_true(support_send_raw(reader, 1, "ask", 3));
    struct mr_transport_incoming incoming = support_receive(&pair);
    char *answer = mr_memory_new(ANSWER_BYTES, 1);
    pair.ops->server_reply(pair.server, incoming.handle, mr_slice_from(answer, ANSWER_BYTES));
    mr_memory_free(answer);
    uint64_t start_ms = mr_clock_monotonic_ms();
    expect_service();
    assert_true(support_is_closed(silent, SLOW_MS));
    assert_int_equal(pair.ops->server_receive(pair.server, SLOW_MS, &gone, &pair.error), MR_OK);
    assert_int_equal(gone.handle, 0);
    assert_true(gone.peer == incoming.peer);
    uint64_t took_ms = mr_clock_monotonic_ms() - start_ms;
    assert_true(took_ms >= 9900 && took_ms < SLOW_MS);
    assert_int_equal(close(silent), 0);
    assert_int_equal(close(reader), 0);
    expect_service();
}

/* Connections come and go, a thousand of them, with and without a greeting. */
static void test_a_thousand_connects(void **state)
{
    (void)state;
    for (int round = 0; round < 1000; round++) {
        int file = support_connect(pair.port);
        if (round % 3 == 0)
            assert_int_equal(send(file, "MRTR\1\0\0\0", 8, MSG_NOSIGNAL), 8);
        if (round % 7 == 0)
            (void)support_send_raw(file, 1, "x", 1);
        struct linger reset = {.l_onoff = 1};
        if (round % 2 == 0) /* ends with a reset */
            assert_int_equal(setsockopt(file, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
        assert_int_equal(close(file), 0);
    }
    expect_service();
}

/* More connections than there are places: those without a request go, the honest one stays. */
static void test_places_are_for_those_who_ask(void **state)
{
    enum { FILES_MAX = 400, PLACES = FILES_MAX / 2, SILENT = PLACES + 60 };
    static int files[SILENT];
    struct rlimit before;
    struct support_pair small;
    int closed_count = 0;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit few = {.rlim_cur = FILES_MAX, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0); /* read when a server is created */
    support_pair_init(&small, "tcp");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    support_send(&small, small.client, "long poll");
    struct mr_transport_incoming incoming = support_receive(&small);
    for (int index = 0; index < SILENT; index++)
        files[index] = support_greet(small.port);
    for (int index = 0; index < SILENT; index++)
        closed_count += support_is_closed(files[index], index < 61 ? 1000 : 1);
    assert_true(closed_count >= 60 && closed_count < 80);
    support_reply(&small, incoming.handle, "still there");
    support_expect(&small, small.client, "still there");
    for (int index = 0; index < SILENT; index++)
        assert_int_equal(close(files[index]), 0);
    support_pair_deinit(&small);
}

/* ---- A hostile server ---- */

static int listen_raw(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(file, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(file, 8), 0);
    return file;
}

/* Send, and again when the client says that the connection broke (it may not have seen yet that the
 * last one has ended), until the server has it. */
static struct mr_transport_incoming send_until_received(const char *text)
{
    struct mr_transport_incoming incoming = {0};
    struct mr_slice reply;
    uint64_t until_ms = mr_clock_monotonic_ms() + SUPPORT_WAIT_MS;
    enum mr_status client = MR_CLOSED;
    for (;;) {
        assert_true(mr_clock_monotonic_ms() < until_ms);
        if (client == MR_CLOSED)
            support_send(&pair, pair.client, text);
        if (pair.ops->server_receive(pair.server, 50, &incoming, &pair.error) == MR_OK &&
            incoming.handle != 0)
            return incoming;
        client = pair.ops->client_wait(pair.client, 1, &pair.arena, &reply, &pair.error);
    }
}

/* What it sends after the client has connected; the client survives, and finds an honest server
 * behind the same address afterwards. */
static void test_a_server_of_garbage(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {{"HTTP/1.1 400 Bad Request\r\n\r\n", 28},
                 {"MRTR\1\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0", 24},
                 {"MRTR\1\0\0\0\5\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0late!", 29},
                 {"MRTR\1\0\0\0\5\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0ha", 26}};
    struct mr_slice reply;
    (void)state;
    pair.ops->server_destroy(pair.server);
    pair.server = NULL;
    for (size_t index = 0; index < 4; index++) {
        int listener = listen_raw(pair.port);
        support_send(&pair, pair.client, "question");
        int file = accept(listener, NULL, NULL);
        assert_true(file >= 0);
        assert_int_equal(send(file, cases[index].bytes, cases[index].size, MSG_NOSIGNAL),
                         cases[index].size);
        enum mr_status status =
            pair.ops->client_wait(pair.client, 100, &pair.arena, &reply, &pair.error);
        assert_true(status == MR_AGAIN || status == MR_CLOSED);
        assert_int_equal(close(file), 0);
        assert_int_equal(close(listener), 0);
    }
    support_listen(&pair);
    support_reply(&pair, send_until_received("honest again").handle, "yes");
    support_expect(&pair, pair.client, "yes");
}

/* A server that accepts, greets and is silent is dialled anew after three seconds. */
static void test_a_silent_server_is_left(void **state)
{
    struct mr_slice reply;
    (void)state;
    pair.ops->server_destroy(pair.server);
    pair.server = NULL;
    int listener = listen_raw(pair.port);
    support_send(&pair, pair.client, "anybody?");
    int first = accept(listener, NULL, NULL);
    assert_int_equal(send(first, "MRTR\1\0\0\0", 8, MSG_NOSIGNAL), 8);
    uint64_t start_ms = mr_clock_monotonic_ms();
    while (!support_is_closed(first, 1)) {
        assert_true(mr_clock_monotonic_ms() - start_ms < SUPPORT_WAIT_MS);
        (void)pair.ops->client_wait(pair.client, 300, &pair.arena, &reply, &pair.error);
        support_send(&pair, pair.client, "anybody?");
    }
    assert_true(mr_clock_monotonic_ms() - start_ms >= 2900);
    int second = accept(listener, NULL, NULL);
    assert_true(second >= 0);
    assert_int_equal(close(second), 0);
    assert_int_equal(close(first), 0);
    assert_int_equal(close(listener), 0);
    support_listen(&pair);
    expect_service();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_claims, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_flood_of_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers_that_nobody_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_slow_are_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_thousand_connects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places_are_for_those_who_ask, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_server_of_garbage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_silent_server_is_left, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
