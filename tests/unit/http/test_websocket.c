/* tests/unit/http/test_websocket.c — the machine with time given, and sockets of a real server. */
#include "http/websocket.h"

#include "base/assert.h"
#include "http/websocket_internal.h"
#include "tests/unit/http/fixture.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";

/* What the handler saw and does. */
static char received[256];
static uint32_t draws_count;
static uint32_t ends_count;
static uint32_t draw_bytes;
static uint64_t again_ms; /* when draw is wanted again */

static void on_receive(void *session, struct mr_websocket *socket, struct mr_slice text,
                       uint64_t now_ms)
{
    (void)session;
    (void)now_ms;
    assert_true(text.size < sizeof(received));
    memcpy(received, text.data, text.size);
    received[text.size] = '\0';
    if (strcmp(received, "draw") == 0)
        mr_websocket_want(socket, 0);
    else if (strcmp(received, "close") == 0)
        mr_websocket_close(socket, MR_WEBSOCKET_TRY_LATER, "later", now_ms);
    else
        mr_websocket_send(socket, text, true);
}

static void on_draw(void *session, struct mr_websocket *socket, uint64_t now_ms)
{
    static char portion[16 << 20];
    (void)session;
    (void)now_ms;
    draws_count++;
    memset(portion, 'p', sizeof(portion));
    mr_websocket_send(socket, mr_slice_from(portion, draw_bytes), draws_count % 2 == 0);
    mr_websocket_want(socket, again_ms);
}

static void on_end(void *session)
{
    (void)session;
    ends_count++;
}

static const struct mr_websocket_handler handler = {on_receive, on_draw, on_end};

static struct mr_websocket *socket_of_test;

static int set_up(void **state)
{
    (void)state;
    received[0] = '\0';
    draws_count = 0;
    ends_count = 0;
    draw_bytes = 10;
    again_ms = MR_WEBSOCKET_NEVER;
    socket_of_test = mr_websocket_create(&handler, NULL, key);
    mr_websocket_begin(socket_of_test, 1000);
    struct mr_slice hello = mr_websocket_output(socket_of_test);
    assert_non_null(memmem(hello.data, hello.size, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", 32));
    mr_websocket_sent(socket_of_test, hello.size, 1000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mr_websocket_destroy(socket_of_test);
    assert_int_equal(ends_count, 1);
    return 0;
}

/* A client's frame of a short payload, masked with zeros. */
static size_t make_frame(uint8_t first, const char *payload, size_t size, uint8_t *bytes)
{
    bytes[0] = first;
    bytes[1] = (uint8_t)(0x80 | size);
    memset(bytes + 2, 0, 4);
    memcpy(bytes + 6, payload, size);
    return size + 6;
}

static void say(const char *text, uint64_t now_ms)
{
    uint8_t bytes[200];
    size_t size = make_frame(0x81, text, strlen(text), bytes);
    mr_websocket_receive(socket_of_test, mr_slice_from(bytes, size), now_ms);
}

/* What waits is these bytes, and is sent. */
static void expect_sent(const void *bytes, size_t size, uint64_t now_ms)
{
    struct mr_slice output = mr_websocket_output(socket_of_test);
    assert_int_equal(output.size, size);
    assert_memory_equal(output.data, bytes, size);
    mr_websocket_sent(socket_of_test, size, now_ms);
}

static void test_answers_messages_and_pings(void **state)
{
    (void)state;
    uint8_t bytes[20];
    say("hello", 1100);
    expect_sent("\x81\x05hello", 7, 1100);
    size_t size = make_frame(0x89, "abc", 3, bytes);
    mr_websocket_receive(socket_of_test, mr_slice_from(bytes, size), 1200);
    expect_sent("\x8a\x03"
                "abc",
                5, 1200);
    assert_int_equal(mr_websocket_due_ms(socket_of_test), MR_WEBSOCKET_NEVER);
}

static void test_draws_when_the_client_takes(void **state)
{
    (void)state;
    again_ms = 0;
    say("draw", 1100);
    assert_int_equal(draws_count, 0);
    mr_websocket_prepare(socket_of_test, 1100);
    mr_websocket_prepare(socket_of_test, 1100); /* what was drawn has not gone */
    assert_int_equal(draws_count, 1);
    assert_true(mr_websocket_in_message(socket_of_test));
    mr_websocket_sent(socket_of_test, 5, 1100);
    mr_websocket_prepare(socket_of_test, 1100);
    assert_int_equal(draws_count, 1);
    mr_websocket_sent(socket_of_test, 7, 1100);
    again_ms = 5000;
    mr_websocket_prepare(socket_of_test, 1100);
    assert_false(mr_websocket_in_message(socket_of_test));
    expect_sent("\x80\x0apppppppppp", 12, 1100);
    assert_int_equal(mr_websocket_due_ms(socket_of_test), 5000);
    mr_websocket_prepare(socket_of_test, 4999);
    assert_int_equal(draws_count, 2);
    mr_websocket_prepare(socket_of_test, 5000);
    assert_int_equal(draws_count, 3);
}

static void test_closes_by_either_side(void **state)
{
    (void)state;
    uint8_t bytes[20];
    say("close", 1100);
    say("ignored", 1100);
    expect_sent("\x88\x07\x03\xf5later", 9, 1100);
    assert_string_equal(received, "close");
    assert_false(mr_websocket_ended(socket_of_test));
    assert_true(mr_websocket_tick(socket_of_test, 3099));
    assert_false(mr_websocket_tick(socket_of_test, 3100)); /* it does not answer */
    size_t size = make_frame(0x88, "\x03\xf5", 2, bytes);
    mr_websocket_receive(socket_of_test, mr_slice_from(bytes, size), 1200);
    assert_true(mr_websocket_ended(socket_of_test));
}

static void test_answers_a_close(void **state)
{
    (void)state;
    uint8_t bytes[20];
    size_t size = make_frame(0x88, "", 0, bytes);
    mr_websocket_receive(socket_of_test, mr_slice_from(bytes, size), 1200);
    assert_false(mr_websocket_ended(socket_of_test));
    expect_sent("\x88\x00", 2, 1200);
    assert_true(mr_websocket_ended(socket_of_test));
}

static void test_closes_on_garbage(void **state)
{
    (void)state;
    mr_websocket_receive(socket_of_test, mr_slice_text("GET / HTTP/1.1\r\n\r\n"), 1200);
    struct mr_slice output = mr_websocket_output(socket_of_test);
    assert_memory_equal(output.data + 2, "\x03\xea", 2);
    mr_websocket_sent(socket_of_test, output.size, 1200);
    mr_websocket_receive(socket_of_test, mr_slice_text("more of it"), 1200);
    assert_int_equal(mr_websocket_output(socket_of_test).size, 0);
    assert_false(mr_websocket_ended(socket_of_test));
    uint8_t bytes[20];
    size_t size = make_frame(0x88, "\x03\xea", 2, bytes);
    mr_websocket_receive(socket_of_test, mr_slice_from(bytes, size), 1200);
    assert_true(mr_websocket_ended(socket_of_test));
}

static void test_bounds_what_waits(void **state)
{
    (void)state;
    char text[101];
    memset(text, 't', 100);
    text[100] = '\0';
    for (uint32_t index = 0; index < MR_WEBSOCKET_OUTPUT_BYTES_MAX / 102 + 10; index++)
        say(text, 1100);
    assert_false(mr_websocket_tick(socket_of_test, 4000)); /* it was told to go */
    struct mr_slice output = mr_websocket_output(socket_of_test);
    assert_non_null(memmem(output.data, output.size,
                           "\x03\xf0"
                           "answers wait",
                           14));
    assert_true(output.size <= MR_WEBSOCKET_OUTPUT_BYTES_MAX + 200);
    draw_bytes = MR_WEBSOCKET_OUTPUT_BYTES_MAX;
}

static void test_bounds_a_portion(void **state)
{
    (void)state;
    draw_bytes = MR_WEBSOCKET_OUTPUT_BYTES_MAX;
    say("draw", 1100);
    mr_websocket_prepare(socket_of_test, 1100);
    assert_memory_equal(mr_websocket_output(socket_of_test).data + 2, "\x03\xf0", 2);
}

static void test_pings_and_gives_up(void **state)
{
    (void)state;
    assert_true(mr_websocket_tick(socket_of_test, 30999));
    assert_int_equal(mr_websocket_output(socket_of_test).size, 0);
    assert_true(mr_websocket_tick(socket_of_test, 31000));
    assert_true(mr_websocket_tick(socket_of_test, 32000));
    expect_sent("\x89\x00", 2, 32000);
    assert_true(mr_websocket_tick(socket_of_test, 331999));
    assert_false(mr_websocket_tick(socket_of_test, 332000));
    assert_true(mr_websocket_wants_input(socket_of_test));
}

/* ---- Over sockets ---- */

static void on_route(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    if (mr_websocket_asked(exchange))
        mr_websocket_upgrade(exchange, &handler, NULL);
    else
        mr_websocket_refuse(exchange);
}

static const struct mr_http_route routes[] = {
    {MR_HTTP_GET, "/{path*}", on_route},
    {MR_HTTP_GET, NULL, NULL},
};

#define HANDSHAKE                                                                                  \
    " HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"            \
    "Sec-WebSocket-Version: 13\r\n"

static void test_serves_sockets(void **state)
{
    (void)state;
    ends_count = 0;
    struct mr_http_server *server = http_start((struct mr_http_server_options){.routes = routes});
    int port = mr_http_server_port(server);
    int fd = http_connect(port);
    (void)http_expect(fd, "GET /a" HANDSHAKE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                      101);
    http_send_bytes(fd, "\x81\x82\0\0\0\0hi", 8);
    char answer[5] = "";
    assert_int_equal(recv(fd, answer, 4, MSG_WAITALL), 4);
    assert_string_equal(answer, "\x81\x02hi");
    http_send_bytes(fd, "\x81\x02hi", 4); /* not masked */
    assert_int_equal(recv(fd, answer, 4, MSG_WAITALL), 4);
    assert_memory_equal(answer + 2, "\x03\xea", 2);
    http_send_bytes(fd, "\x88\x80\0\0\0\0", 6);
    assert_true(http_is_closed(fd));
    close(fd);
    fd = http_connect(port);
    (void)http_expect(fd, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 426);
    (void)http_expect(fd, "GET /a" HANDSHAKE "Sec-WebSocket-Key: short\r\n\r\n", 426);
    (void)http_expect(fd, "GET /a" HANDSHAKE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                      101);
    mr_http_server_stop(server); /* says 1001 */
    assert_int_equal(recv(fd, answer, 4, MSG_WAITALL), 4);
    assert_memory_equal(answer + 2, "\x03\xe9", 2);
    close(fd);
    assert_int_equal(ends_count, 2);
}

static void test_takes_the_token_from_a_page(void **state)
{
    (void)state;
    struct mr_http_server *server =
        http_start((struct mr_http_server_options){.routes = routes, .token = "se cret"});
    int fd = http_connect(mr_http_server_port(server));
    static const char end[] = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    static const char *const refused[] = {"/a", "/a?access_token=", "/a?access_token=se",
                                          "/a?other=1&access_token=se+cret", "/a?access_token=%ff"};
    char text[512];
    for (size_t index = 0; index < MR_ARRAY_COUNT(refused); index++) {
        (void)snprintf(text, sizeof(text), "GET %s" HANDSHAKE "%s", refused[index], end);
        (void)http_expect(fd, text, 401);
    }
    (void)http_expect(fd, "GET /a?access_token=se%20cret HTTP/1.1\r\nHost: h\r\n\r\n", 401);
    (void)snprintf(text, sizeof(text), "GET /a?b=1&access_token=se%%20cret" HANDSHAKE "%s", end);
    (void)http_expect(fd, text, 101);
    close(fd);
    mr_http_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers_messages_and_pings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_draws_when_the_client_takes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closes_by_either_side, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_answers_a_close, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closes_on_garbage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds_what_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds_a_portion, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pings_and_gives_up, set_up, tear_down),
        cmocka_unit_test(test_serves_sockets),
        cmocka_unit_test(test_takes_the_token_from_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
