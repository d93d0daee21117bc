/* tests/unit/http/test_server.c — the server over real sockets. */
#include "base/clock.h"
#include "base/memory.h"
#include "http/client.h"
#include "tests/unit/http/fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static struct mr_http_exchange *kept[1100];
static _Atomic int kept_count;
static char *large;

enum { LARGE_BYTES = 64 << 20, DESCRIPTORS_COUNT = 2800 };

static void on_hello(void *argument, struct mr_http_exchange *exchange)
{
    assert_string_equal(argument, "argument");
    mr_http_answer(exchange, 200, "text/plain", mr_slice_text("hello\n"));
}

static void on_echo(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_answer(exchange, 200, "application/octet-stream", mr_http_request_of(exchange)->body);
}

static void on_part(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    const struct mr_http_request *request = mr_http_request_of(exchange);
    const char *query = mr_http_query(exchange, "q");
    char *text = mr_arena_format(mr_http_arena(exchange), "[%s][%s][%s]", request->parts[0],
                                 request->parts[1] == NULL ? "" : request->parts[1],
                                 query == NULL ? "none" : query);
    mr_http_answer(exchange, 200, "text/plain", mr_slice_text(text));
}

static void on_keep(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    int index = atomic_load(&kept_count);
    assert_true(index < 1100);
    kept[index] = exchange;
    atomic_store(&kept_count, index + 1);
}

static void on_large(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_answer(exchange, 200, "application/octet-stream", mr_slice_from(large, LARGE_BYTES));
}

static void on_redirect(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_redirect(exchange, mr_http_query(exchange, "to"));
}

static void on_problem(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_problem(exchange, 409, 7, "It says \"%s\".", mr_http_query(exchange, "q"));
}

static void on_events(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_subscribe(exchange, "events");
}

static const struct mr_http_route routes[] = {
    {MR_HTTP_GET, "/healthz", on_hello},
    {MR_HTTP_GET, "/v1/hello", on_hello},
    {MR_HTTP_POST, "/v1/echo", on_echo},
    {MR_HTTP_GET, "/v1/echo", on_hello},
    {MR_HTTP_GET, "/v1/part/{name}/of", on_part},
    {MR_HTTP_GET, "/v1/state/{topology}/{key*}", on_part},
    {MR_HTTP_GET, "/v1/keep", on_keep},
    {MR_HTTP_GET, "/v1/large", on_large},
    {MR_HTTP_POST, "/v1/redirect", on_redirect},
    {MR_HTTP_GET, "/v1/problem", on_problem},
    {MR_HTTP_GET, "/v1/events", on_events},
    {MR_HTTP_GET, NULL, NULL},
};

static char argument_text[] = "argument";
static struct mr_http_server *server;
static int port;

static int set_up(void **state)
{
    (void)state;
    server =
        http_start((struct mr_http_server_options){.routes = routes, .argument = argument_text});
    port = mr_http_server_port(server);
    atomic_store(&kept_count, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mr_http_server_stop(server);
    return 0;
}

static void wait_for_kept(int count)
{
    for (int i = 0; i < 1000 && atomic_load(&kept_count) < count; i++)
        mr_clock_sleep_ms(10);
    assert_int_equal(atomic_load(&kept_count), count);
}

/* Both ends of more than a thousand connections are in this process. */
static void need_descriptors(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < DESCRIPTORS_COUNT) {
        print_message("skipped: the process may have %llu descriptors only\n",
                      (unsigned long long)limit.rlim_max);
        skip();
    }
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

#define HOST "Host: here\r\n\r\n"

static void test_keeps_a_connection_for_requests_in_turn(void **state)
{
    (void)state;
    int fd = http_connect(port);
    for (int i = 0; i < 3; i++) {
        const char *answer = http_expect(fd, "GET /v1/hello HTTP/1.1\r\n" HOST, 200);
        assert_non_null(strstr(answer, "\r\n\r\nhello\n"));
        assert_non_null(strstr(answer, "Connection: keep-alive"));
        assert_null(strcasestr(answer, "server:"));
    }
    /* Two at once: answered in order. */
    http_send(fd, "GET /v1/part/1/of HTTP/1.1\r\n" HOST "GET /v1/part/2/of HTTP/1.1\r\n" HOST);
    assert_non_null(strstr(http_read_answer(fd), "[1]"));
    assert_non_null(strstr(http_read_answer(fd), "[2]"));
    http_expect(fd, "GET /v1/hello HTTP/1.1\r\nConnection: close\r\n" HOST, 200);
    assert_true(http_is_closed(fd));
    close(fd);
    fd = http_connect(port);
    http_expect(fd, "GET /v1/hello HTTP/1.0\r\n\r\n", 200);
    assert_true(http_is_closed(fd));
    close(fd);
}

static void test_head_is_get_without_body(void **state)
{
    (void)state;
    int fd = http_connect(port);
    http_send(fd, "HEAD /v1/hello HTTP/1.1\r\n" HOST "GET /v1/hello HTTP/1.1\r\n" HOST);
    assert_true(http_read_until(fd, "Content-Length: 6\r\n"));
    assert_true(http_read_until(fd, "\r\n\r\nHTTP/1.1 200 OK"));
    close(fd);
}

static void test_names_nearest_path_and_allowed_methods(void **state)
{
    (void)state;
    int fd = http_connect(port);
    const char *answer = http_expect(fd, "GET /v1/helo HTTP/1.1\r\n" HOST, 404);
    assert_non_null(strstr(answer, "application/problem+json"));
    assert_non_null(strstr(answer, "the nearest is /v1/hello"));
    answer = http_expect(fd, "DELETE /v1/echo HTTP/1.1\r\n" HOST, 405);
    assert_non_null(strstr(answer, "Allow: POST, GET, HEAD\r\n"));
    answer = http_expect(fd, "OPTIONS /v1/hello HTTP/1.1\r\n" HOST, 405);
    assert_non_null(strstr(answer, "Allow: GET, HEAD\r\n"));
    http_expect(fd, "GET /v1/hello/ HTTP/1.1\r\n" HOST, 404);
    http_expect(fd, "GET //v1/hello HTTP/1.1\r\n" HOST, 404);
    close(fd);
}

static void test_decodes_parts_and_queries(void **state)
{
    (void)state;
    int fd = http_connect(port);
    const char *answer =
        http_expect(fd, "GET /v1/part/a%2Fb%20c/of?x=1&q=%41%3d HTTP/1.1\r\n" HOST, 200);
    assert_non_null(strstr(answer, "[a/b c][][A=]"));
    answer = http_expect(fd, "GET /v1/state/t/a//b/..%2f%5b1%5d HTTP/1.1\r\n" HOST, 200);
    assert_non_null(strstr(answer, "[t][a//b/../[1]][none]"));
    static const char *const bad[] = {"/v1/part/%/of",     "/v1/part/%4/of",  "/v1/part/%zz/of",
                                      "/v1/part/a%00b/of", "/v1/part/%ff/of", "/v1/hello?q=%0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char request[200];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST, bad[i]);
        http_expect(fd, request, 400);
    }
    close(fd);
}

static void test_reads_bodies_with_length_and_in_chunks(void **state)
{
    (void)state;
    int fd = http_connect(port);
    const char *answer =
        http_expect(fd, "POST /v1/echo HTTP/1.1\r\nContent-Length: 5\r\n" HOST "12345", 200);
    assert_non_null(strstr(answer, "\r\n\r\n12345"));
    http_send(fd, "POST /v1/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST "3\r\nabc\r\n");
    mr_clock_sleep_ms(20);
    answer = http_expect(fd, "A;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", 200);
    assert_non_null(strstr(answer, "\r\n\r\nabc0123456789"));
    http_send(fd, "POST /v1/echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" HOST);
    assert_true(http_read_until(fd, "HTTP/1.1 100 Continue\r\n\r\n"));
    http_expect(fd, "ok", 200);
    close(fd);
}

static void test_refuses_what_is_too_large(void **state)
{
    (void)state;
    int fd = http_connect(port);
    http_expect(fd, "POST /v1/echo HTTP/1.1\r\nContent-Length: 5242881\r\n" HOST, 413);
    close(fd);
    fd = http_connect(port);
    char *path = mr_memory_new(1, 30000);
    memset(path, 'a', 29999);
    memcpy(path, "GET /", 5);
    path[2500] = 0;
    http_expect(fd, path, 414);
    close(fd);
    fd = http_connect(port);
    path[2500] = 'a';
    memcpy(path, "GET / HTTP/1.1\r\nX: ", 19);
    http_expect(fd, path, 431);
    close(fd);
    mr_memory_free(path);
    fd = http_connect(port);
    http_send(fd, "POST /v1/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST);
    char *megabyte = mr_memory_new(1, 1 << 20);
    for (int i = 0; i < 6; i++) {
        http_send(fd, "100000\r\n");
        http_send_bytes(fd, megabyte, 1 << 20);
        http_send(fd, "\r\n");
    }
    http_expect(fd, "", 413);
    mr_memory_free(megabyte);
    close(fd);
}

static void test_refuses_malformed_requests(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"\x16\x03\x01\x02\x00", 400},
        {"GET /v1/hello\r\n\r\n", 400},
        {"GET /v1/hello HTTP/1.1\r\n\r\n", 400},
        {"GET /v1/hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        {"GET /v1/hello HTTP/2.0\r\n" HOST, 505},
        {"GET  /v1/hello HTTP/1.1\r\n" HOST, 400},
        {"GET v1/hello HTTP/1.1\r\n" HOST, 400},
        {"GET /v1/\x80 HTTP/1.1\r\n" HOST, 400},
        {"GET /v1/hello HTTP/1.1\r\nX : y\r\n" HOST, 400},
        {"GET /v1/hello HTTP/1.1\r\nX: y\r\n folded\r\n" HOST, 400},
        {"GET /v1/hello HTTP/1.1\r\nX: a\x01 b\r\n" HOST, 400},
        {"POST /v1/echo HTTP/1.1\r\nContent-Length: -1\r\n" HOST, 400},
        {"POST /v1/echo HTTP/1.1\r\nContent-Length: 1, 1\r\n" HOST, 400},
        {"POST /v1/echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n" HOST, 400},
        {"POST /v1/echo HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n" HOST, 400},
        {"POST /v1/echo HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n" HOST, 400},
        {"POST /v1/echo HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n" HOST, 501},
        {"POST /v1/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST "zz\r\n", 400},
        {"POST /v1/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST "1\r\nab\r\n", 400},
        {"POST /v1/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST "fffffffff\r\n", 400},
        {"POST /v1/echo HTTP/1.1\r\nExpect: gold\r\n" HOST, 417},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = http_connect(port);
        http_expect(fd, cases[i].text, cases[i].code);
        close(fd);
    }
    /* Still there. */
    int fd = http_connect(port);
    http_expect(fd, "GET /v1/hello HTTP/1.1\r\n" HOST, 200);
    close(fd);
}

static void *answer_all(void *argument)
{
    int count = *(const int *)argument;
    for (int i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof text, "answer %d", i);
        mr_http_answer(kept[i], 200, "text/plain", mr_slice_text(text));
    }
    return NULL;
}

static void test_answers_a_thousand_kept_exchanges_from_another_thread(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static int sockets[COUNT];
    need_descriptors();
    for (int i = 0; i < COUNT; i++) {
        sockets[i] = http_connect(port);
        http_send(sockets[i], "GET /v1/keep HTTP/1.1\r\n" HOST);
    }
    wait_for_kept(COUNT);
    /* A third of the clients goes away before the answer. */
    for (int i = 0; i < COUNT; i += 3)
        close(sockets[i]);
    mr_clock_sleep_ms(50);
    pthread_t thread;
    int count = COUNT;
    assert_int_equal(pthread_create(&thread, NULL, answer_all, &count), 0);
    for (int i = 0; i < COUNT; i++) {
        if (i % 3 == 0)
            continue;
        assert_non_null(strstr(http_read_answer(sockets[i]), "answer "));
        close(sockets[i]);
    }
    pthread_join(thread, NULL);
}

enum { FLOOD = 1300 };

/* Far more connections than there are places: those beyond are closed, the rest goes on. */
static void flood(int flooded_port)
{
    static int sockets[FLOOD];
    for (int i = 0; i < FLOOD; i++)
        sockets[i] = http_connect(flooded_port);
    mr_clock_sleep_ms(100);
    for (int i = 0; i < FLOOD; i++)
        close(sockets[i]);
    mr_clock_sleep_ms(100);
    int fd = http_connect(flooded_port);
    http_expect(fd, "GET /v1/hello HTTP/1.1\r\n" HOST, 200);
    close(fd);
}

static void test_survives_a_flood_of_connections(void **state)
{
    (void)state;
    need_descriptors();
    flood(port);
    flood(port);
}

static void test_survives_a_flood_when_the_limit_was_low_at_its_start(void **state)
{
    (void)state;
    need_descriptors();
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 256;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct mr_http_server *other =
        http_start((struct mr_http_server_options){.routes = routes, .argument = argument_text});
    need_descriptors();
    flood(mr_http_server_port(other));
    mr_http_server_stop(other);
}

static void test_refuses_connections_beyond_the_limit(void **state)
{
    (void)state;
    static int sockets[MR_HTTP_CONNECTIONS_MAX];
    need_descriptors();
    for (int i = 0; i < MR_HTTP_CONNECTIONS_MAX; i++)
        sockets[i] = http_connect(port);
    int fd = http_connect(port);
    const char *answer = http_expect(fd, "GET /v1/hello HTTP/1.1\r\n" HOST, 503);
    assert_non_null(strstr(answer, "Retry-After: 1\r\n"));
    close(fd);
    for (int i = 0; i < MR_HTTP_CONNECTIONS_MAX; i++)
        close(sockets[i]);
    mr_clock_sleep_ms(100);
    fd = http_connect(port);
    http_expect(fd, "GET /v1/hello HTTP/1.1\r\n" HOST, 200);
    close(fd);
}

static void test_stop_answers_kept_exchanges_and_late_answers_are_dropped(void **state)
{
    (void)state;
    struct mr_http_server *other =
        http_start((struct mr_http_server_options){.routes = routes, .argument = argument_text});
    int fd = http_connect(mr_http_server_port(other));
    http_send(fd, "GET /v1/keep HTTP/1.1\r\n" HOST);
    wait_for_kept(1);
    mr_http_server_stop(other);
    assert_non_null(strstr(http_read_answer(fd), "HTTP/1.1 503 "));
    assert_true(http_is_closed(fd));
    close(fd);
    mr_http_answer(kept[0], 200, "text/plain", mr_slice_text("late"));
}

static void test_needs_its_token(void **state)
{
    (void)state;
    struct mr_http_server *guarded = http_start((struct mr_http_server_options){
        .routes = routes, .argument = argument_text, .token = "secret"});
    int fd = http_connect(mr_http_server_port(guarded));
    const char *answer = http_expect(fd, "GET /v1/hello HTTP/1.1\r\n" HOST, 401);
    assert_non_null(strstr(answer, "WWW-Authenticate: Bearer\r\n"));
    assert_null(strstr(answer, "secret"));
    http_expect(fd, "GET /nowhere HTTP/1.1\r\n" HOST, 401);
    http_expect(fd, "GET /v1/hello HTTP/1.1\r\nAuthorization: Bearer secre\r\n" HOST, 401);
    http_expect(fd, "GET /v1/hello HTTP/1.1\r\nAuthorization: Bearer secretsecret\r\n" HOST, 401);
    http_expect(fd, "GET /v1/hello HTTP/1.1\r\nAuthorization: Bearer \r\n" HOST, 401);
    http_expect(fd, "GET /v1/hello HTTP/1.1\r\nAuthorization: Bearer secret\r\n" HOST, 200);
    http_expect(fd, "GET /healthz HTTP/1.1\r\n" HOST, 200);
    close(fd);
    mr_http_server_stop(guarded);
}

static void test_answers_with_problems_and_redirects(void **state)
{
    (void)state;
    int fd = http_connect(port);
    const char *answer = http_expect(fd, "GET /v1/problem?q=%22%0a HTTP/1.1\r\n" HOST, 409);
    assert_non_null(strstr(answer, "Retry-After: 7\r\n"));
    assert_non_null(strstr(answer,
                           "{\"type\":\"about:blank\",\"title\":\"Conflict\",\"status\":409,"
                           "\"detail\":\"It says \\\"\\\"\\u000a\\\".\"}"));
    answer = http_expect(fd, "POST /v1/redirect?to=http://b:1/x HTTP/1.1\r\n" HOST, 307);
    assert_non_null(strstr(answer, "Location: http://b:1/x\r\n"));
    answer = http_expect(fd, "POST /v1/redirect?to=http://b/%0d%0aX:y HTTP/1.1\r\n" HOST, 500);
    assert_null(strstr(answer, "X:y"));
    close(fd);
}

static void test_sends_a_large_answer_in_pieces(void **state)
{
    (void)state;
    large = mr_memory_new(1, LARGE_BYTES);
    for (size_t i = 0; i < LARGE_BYTES; i += 4096)
        large[i] = (char)(i >> 12);
    struct mr_http_client *client = NULL;
    struct mr_http_client_options options = {0};
    struct mr_error error;
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    assert_int_equal(mr_http_client_create(&options, &client, &error), MR_OK);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/large", port);
    struct mr_http_reply reply;
    assert_int_equal(mr_http_client_send(client, "GET", url, NULL, mr_slice_from(NULL, 0), 20000,
                                         &arena, &reply, &error),
                     MR_OK);
    assert_int_equal(reply.code, 200);
    assert_true(mr_slice_equal(reply.body, mr_slice_from(large, LARGE_BYTES)));
    /* One that does not read it holds up nobody else. */
    int slow = http_connect(port);
    http_send(slow, "GET /v1/large HTTP/1.1\r\n" HOST);
    int fd = http_connect(port);
    http_expect(fd, "GET /v1/hello HTTP/1.1\r\n" HOST, 200);
    close(slow);
    close(fd);
    mr_http_client_destroy(client);
    mr_arena_deinit(&arena);
    mr_memory_free(large);
}

static void wait_for_subscribers(const char *channel, uint32_t count)
{
    for (int i = 0; i < 500 && mr_http_subscribers(server, channel) != count; i++)
        mr_clock_sleep_ms(10);
    assert_int_equal(mr_http_subscribers(server, channel), count);
}

static void test_sends_events_to_subscribers(void **state)
{
    (void)state;
    int fd = http_connect(port);
    http_send(fd, "GET /v1/events HTTP/1.1\r\n" HOST);
    assert_true(http_read_until(fd, "Content-Type: text/event-stream"));
    assert_true(http_read_until(fd, "retry: 2000\n\n"));
    wait_for_subscribers("events", 1);
    assert_int_equal(mr_http_subscribers(server, "other"), 0);
    mr_http_publish(server, "other", "no", 1, mr_slice_text("{}"));
    mr_http_publish(server, "events", "moved", 7, mr_slice_text("{\"a\":1}"));
    assert_true(http_read_until(fd, "id: 7\nevent: moved\ndata: {\"a\":1}\n\n"));
    close(fd);
    wait_for_subscribers("events", 0);
}

static void test_slow_subscriber_is_told_what_it_lost(void **state)
{
    (void)state;
    int fd = http_connect(port);
    http_send(fd, "GET /v1/events HTTP/1.1\r\n" HOST);
    wait_for_subscribers("events", 1);
    char *data = mr_memory_new(1, 1 << 20);
    memset(data, 'x', (1 << 20) - 1);
    for (uint64_t id = 1; id <= 100; id++)
        mr_http_publish(server, "events", "big", id, mr_slice_text(data));
    mr_memory_free(data);
    mr_http_publish(server, "events", "last", 101, mr_slice_text("{}"));
    static char all[128 << 20];
    size_t size = 0;
    bool ended = false;
    while (!ended) {
        ssize_t got = read(fd, all + size, sizeof all - size - 1);
        assert_true(got > 0);
        size += (size_t)got;
        all[size] = 0;
        ended = strstr(all + (size > 40 ? size - 40 : 0), "event: last") != NULL;
    }
    assert_non_null(strstr(all, "event: lost\ndata: {\"lost\":"));
    assert_null(strstr(all, "id: 50\n"));
    assert_non_null(strstr(all, "id: 100\n"));
    close(fd);
}

static void test_limits_subscribers(void **state)
{
    (void)state;
    int sockets[MR_HTTP_SUBSCRIBERS_MAX];
    for (int i = 0; i < MR_HTTP_SUBSCRIBERS_MAX; i++) {
        sockets[i] = http_connect(port);
        http_send(sockets[i], "GET /v1/events HTTP/1.1\r\n" HOST);
        assert_true(http_read_until(sockets[i], "retry: "));
    }
    int fd = http_connect(port);
    http_expect(fd, "GET /v1/events HTTP/1.1\r\n" HOST, 503);
    close(fd);
    for (int i = 0; i < MR_HTTP_SUBSCRIBERS_MAX; i++)
        close(sockets[i]);
    wait_for_subscribers("events", 0);
}

static void test_two_servers_live_in_one_process(void **state)
{
    (void)state;
    struct mr_http_server *other =
        http_start((struct mr_http_server_options){.routes = routes, .argument = argument_text});
    assert_int_not_equal(mr_http_server_port(other), port);
    int first = http_connect(port);
    int second = http_connect(mr_http_server_port(other));
    http_expect(second, "GET /v1/hello HTTP/1.1\r\n" HOST, 200);
    http_expect(first, "GET /v1/hello HTTP/1.1\r\n" HOST, 200);
    mr_http_server_stop(other);
    http_expect(first, "GET /v1/hello HTTP/1.1\r\n" HOST, 200);
    close(first);
    close(second);
}

static void test_says_why_it_cannot_start(void **state)
{
    (void)state;
    char taken[64];
    snprintf(taken, sizeof taken, "127.0.0.1:%d", port);
    const char *const bad[] = {taken, "127.0.0.1", "127.0.0.1:99999", "::1:80", "no.such.host.:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct mr_http_server *none = NULL;
        struct mr_error error = {0};
        struct mr_http_server_options options = {.address = bad[i], .routes = routes};
        assert_int_not_equal(mr_http_server_start(&options, &none, &error), MR_OK);
        assert_non_null(strstr(error.message, bad[i]));
        assert_null(none);
    }
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) { /* before a server counts its places */
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_keeps_a_connection_for_requests_in_turn),
        WITH_SERVER(test_head_is_get_without_body),
        WITH_SERVER(test_names_nearest_path_and_allowed_methods),
        WITH_SERVER(test_decodes_parts_and_queries),
        WITH_SERVER(test_reads_bodies_with_length_and_in_chunks),
        WITH_SERVER(test_refuses_what_is_too_large),
        WITH_SERVER(test_refuses_malformed_requests),
        WITH_SERVER(test_answers_a_thousand_kept_exchanges_from_another_thread),
        WITH_SERVER(test_refuses_connections_beyond_the_limit),
        WITH_SERVER(test_survives_a_flood_of_connections),
        WITH_SERVER(test_survives_a_flood_when_the_limit_was_low_at_its_start),
        WITH_SERVER(test_stop_answers_kept_exchanges_and_late_answers_are_dropped),
        WITH_SERVER(test_needs_its_token),
        WITH_SERVER(test_answers_with_problems_and_redirects),
        WITH_SERVER(test_sends_a_large_answer_in_pieces),
        WITH_SERVER(test_sends_events_to_subscribers),
        WITH_SERVER(test_slow_subscriber_is_told_what_it_lost),
        WITH_SERVER(test_limits_subscribers),
        WITH_SERVER(test_two_servers_live_in_one_process),
        WITH_SERVER(test_says_why_it_cannot_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
