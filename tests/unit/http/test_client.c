/* tests/unit/http/test_client.c — the client against our own server. */
#include "base/clock.h"
#include "base/memory.h"
#include "http/client.h"
#include "tests/support/scripted_server.h"
#include "tests/unit/http/fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static struct mr_http_server *server;
static struct mr_http_client *client;
static struct mr_arena arena;
static struct mr_http_exchange *_Atomic kept;
static char text[256];

static void on_echo(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    const struct mr_http_request *request = mr_http_request_of(exchange);
    mr_http_answer(exchange, 201, request->content_type, request->body);
}

static void on_problem(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_problem(exchange, 503, 3, "Not now.");
}

static void on_loop(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_redirect(exchange,
                     mr_arena_format(mr_http_arena(exchange), "http://127.0.0.1:%d%s",
                                     mr_http_server_port(server), mr_http_query(exchange, "to")));
}

static void on_again(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_redirect(exchange, mr_arena_format(mr_http_arena(exchange), "http://127.0.0.1:%d/again",
                                               mr_http_server_port(server)));
}

static void on_elsewhere(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_redirect(exchange, "ftp://127.0.0.1/x");
}

static void on_keep(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    atomic_store(&kept, exchange);
}

static void on_events(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_subscribe(exchange, "events");
}

static const struct mr_http_route routes[] = {
    {MR_HTTP_POST, "/echo", on_echo},    {MR_HTTP_DELETE, "/problem", on_problem},
    {MR_HTTP_POST, "/to", on_loop},      {MR_HTTP_GET, "/elsewhere", on_elsewhere},
    {MR_HTTP_POST, "/again", on_again},  {MR_HTTP_GET, "/keep", on_keep},
    {MR_HTTP_GET, "/events", on_events}, {MR_HTTP_GET, NULL, NULL},
};

static int set_up(void **state)
{
    (void)state;
    struct mr_error error;
    server = http_start((struct mr_http_server_options){.routes = routes, .token = "token"});
    struct mr_http_client_options options = {.token = "token"};
    assert_int_equal(mr_http_client_create(&options, &client, &error), MR_OK);
    mr_arena_init(&arena, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mr_http_client_destroy(client);
    mr_http_server_stop(server);
    mr_arena_deinit(&arena);
    return 0;
}

static const char *url(const char *path)
{
    snprintf(text, sizeof text, "http://127.0.0.1:%d%s", mr_http_server_port(server), path);
    return text;
}

static void test_sends_and_reads_any_code(void **state)
{
    (void)state;
    struct mr_http_reply reply;
    struct mr_error error;
    struct mr_slice body = mr_slice_text("a body");
    assert_int_equal(mr_http_client_send(client, "POST", url("/echo"), "text/x", body, 5000, &arena,
                                         &reply, &error),
                     MR_OK);
    assert_int_equal(reply.code, 201);
    assert_string_equal(reply.content_type, "text/x");
    assert_string_equal((const char *)reply.body.data, "a body");
    assert_int_equal(reply.retry_after_s, 0);
    struct mr_slice none = mr_slice_from(NULL, 0);
    assert_int_equal(mr_http_client_send(client, "DELETE", url("/problem"), NULL, none, 5000,
                                         &arena, &reply, &error),
                     MR_OK);
    assert_int_equal(reply.code, 503);
    assert_int_equal(reply.retry_after_s, 3);
    assert_non_null(strstr((const char *)reply.body.data, "Not now."));
    assert_int_equal(mr_http_client_send(client, "POST", url("/echo"), "text/x", none, 5000, &arena,
                                         &reply, &error),
                     MR_OK);
    assert_int_equal(reply.body.size, 0);
}

static void test_sends_large_bodies(void **state)
{
    (void)state;
    struct mr_http_reply reply;
    struct mr_error error;
    char *data = mr_memory_new(1, 5 << 20);
    struct mr_slice body = mr_slice_from(data, 5 << 20);
    assert_int_equal(mr_http_client_send(client, "POST", url("/echo"), "text/x", body, 10000,
                                         &arena, &reply, &error),
                     MR_OK);
    assert_int_equal(reply.code, 201);
    assert_true(mr_slice_equal(reply.body, body));
    mr_memory_free(data);
}

static void test_follows_redirects_with_method_body_and_token(void **state)
{
    (void)state;
    struct mr_http_reply reply;
    struct mr_error error;
    struct mr_slice body = mr_slice_text("again");
    assert_int_equal(mr_http_client_send(client, "POST", url("/to?to=/echo"), "text/x", body, 5000,
                                         &arena, &reply, &error),
                     MR_OK);
    assert_int_equal(reply.code, 201);
    assert_string_equal((const char *)reply.body.data, "again");
    assert_int_equal(mr_http_client_send(client, "POST", url("/again"), "text/x", body, 5000,
                                         &arena, &reply, &error),
                     MR_IO);
    assert_int_equal(mr_http_client_send(client, "GET", url("/elsewhere"), NULL, body, 5000, &arena,
                                         &reply, &error),
                     MR_INVALID);
}

static void test_says_when_nobody_answers(void **state)
{
    (void)state;
    struct mr_http_reply reply;
    struct mr_error error;
    struct mr_slice none = mr_slice_from(NULL, 0);
    assert_int_equal(mr_http_client_send(client, "GET", "http://127.0.0.1:1/x", NULL, none, 5000,
                                         &arena, &reply, &error),
                     MR_IO);
    assert_int_equal(error.recovery, MR_RECOVERY_RETRY);
    assert_non_null(strstr(error.message, "http://127.0.0.1:1/x"));
    assert_int_equal(
        mr_http_client_send(client, "GET", url("/keep"), NULL, none, 200, &arena, &reply, &error),
        MR_TIMEOUT);
    mr_http_answer(atomic_load(&kept), 200, "text/plain", none);
    assert_int_equal(mr_http_client_send(client, "GET", "file:///etc/hostname", NULL, none, 5000,
                                         &arena, &reply, &error),
                     MR_INVALID);
    assert_int_equal(
        mr_http_client_send(client, "GET", "http://", NULL, none, 5000, &arena, &reply, &error),
        MR_INVALID);
}

static bool visit(void *argument, const char *event, struct mr_slice data)
{
    int *count = argument;
    char wanted[32];
    snprintf(wanted, sizeof wanted, "{\"n\":%d}", *count);
    assert_string_equal(event, "tick");
    assert_true(mr_slice_equal(data, mr_slice_text(wanted)));
    return ++*count < 5;
}

static void *publish(void *argument)
{
    while (mr_http_subscribers(server, "events") == 0)
        mr_clock_sleep_ms(5);
    for (int i = 0; i < 10; i++) {
        char data[32];
        snprintf(data, sizeof data, "{\"n\":%d}", i);
        mr_http_publish(server, "events", "tick", (uint64_t)i, mr_slice_text(data));
    }
    return argument;
}

static void test_listens_to_events_until_told_to_end(void **state)
{
    (void)state;
    struct mr_error error;
    pthread_t thread;
    int count = 0;
    assert_int_equal(pthread_create(&thread, NULL, publish, NULL), 0);
    assert_int_equal(mr_http_client_listen(client, url("/events"), visit, &count, &error), MR_OK);
    pthread_join(thread, NULL);
    assert_int_equal(count, 5);
    assert_int_equal(mr_http_client_listen(client, url("/event"), visit, &count, &error),
                     MR_NOT_FOUND);
    assert_non_null(strstr(error.message, "/events"));
}

static void *cancel_soon(void *argument)
{
    (void)argument;
    mr_clock_sleep_ms(100);
    mr_http_client_cancel(client);
    return NULL;
}

static void test_a_cancelled_client_ends(void **state)
{
    (void)state;
    struct mr_error error;
    pthread_t thread;
    int count = 0;
    uint64_t begun_ms = mr_clock_monotonic_ms();
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
    assert_int_equal(mr_http_client_listen(client, url("/events"), visit, &count, &error),
                     MR_CLOSED);
    pthread_join(thread, NULL);
    assert_true(mr_clock_monotonic_ms() - begun_ms < 5000);
    assert_int_equal(mr_http_client_listen(client, url("/events"), visit, &count, &error),
                     MR_CLOSED);
}

/* ---- Lines ---- */

struct lines_seen {
    uint32_t count;
    uint32_t count_max;
    bool given_up;
    char last[64];
};

static bool see_line(void *argument, struct mr_slice line)
{
    struct lines_seen *seen = argument;
    assert_int_equal(line.data[line.size], 0);
    snprintf(seen->last, sizeof seen->last, "%.*s", (int)line.size, (const char *)line.data);
    return ++seen->count < seen->count_max;
}

static bool is_given_up(void *argument)
{
    const struct lines_seen *seen = argument;
    return seen->given_up && seen->count > 0;
}

static void answer_lines(void *argument, const struct scripted_request *request)
{
    (void)argument;
    assert_non_null(strstr(request->text, "Authorization: Bearer another"));
    if (strcmp(request->target, "/no") == 0) {
        scripted_send(request, "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nno\nno");
        return;
    }
    if (strcmp(request->target, "/there") == 0) {
        scripted_send(request, "HTTP/1.1 307 There\r\nLocation: /lines\r\n\r\n");
        return;
    }
    scripted_send(request, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"a\":1}\n\n{\"b");
    mr_clock_sleep_ms(20);
    scripted_send(request, "\":2}\n{\"c\":3}\n");
    if (strcmp(request->target, "/long") == 0)
        scripted_send(request, "{\"d\":\"0123456789012345678901234567890123456789\"}\n");
    if (strcmp(request->target, "/stays") == 0)
        scripted_wait(request);
}

static enum mr_status read_lines(struct mr_http_client *reader,
                                 const struct scripted_server *scripted, const char *target,
                                 struct lines_seen *seen, struct mr_http_reply *reply,
                                 struct mr_error *error)
{
    const struct mr_http_lines lines = {.wait_ms = 10000,
                                        .line_bytes_max = 40,
                                        .visit = see_line,
                                        .given_up = is_given_up,
                                        .argument = seen};
    *reply = (struct mr_http_reply){0};
    return mr_http_client_read_lines(
        reader, mr_arena_format(&arena, "http://127.0.0.1:%d%s", scripted_port(scripted), target),
        &lines, &arena, reply, error);
}

static void test_reads_lines_while_they_come(void **state)
{
    (void)state;
    struct mr_error error;
    struct mr_http_reply reply;
    struct mr_http_client *reader;
    const struct mr_http_client_options options = {.token = "one", .no_redirects = true};
    struct scripted_server *scripted = scripted_start(answer_lines, NULL);
    assert_int_equal(mr_http_client_create(&options, &reader, &error), MR_OK);
    mr_http_client_token(reader, "another");
    struct lines_seen all = {.count_max = 100};
    assert_int_equal(read_lines(reader, scripted, "/lines", &all, &reply, &error), MR_OK);
    assert_int_equal(reply.code, 200);
    assert_int_equal(all.count, 3);
    assert_string_equal(all.last, "{\"c\":3}");
    struct lines_seen two = {.count_max = 2};
    assert_int_equal(read_lines(reader, scripted, "/stays", &two, &reply, &error), MR_OK);
    assert_string_equal(two.last, "{\"b\":2}");
    struct lines_seen none = {.count_max = 100};
    assert_int_equal(read_lines(reader, scripted, "/no", &none, &reply, &error), MR_OK);
    assert_int_equal(reply.code, 404);
    assert_string_equal((const char *)reply.body.data, "no\nno");
    assert_int_equal(none.count, 0);
    assert_int_equal(read_lines(reader, scripted, "/there", &none, &reply, &error), MR_OK);
    assert_int_equal(reply.code, 307);
    struct lines_seen too_long = {.count_max = 100};
    assert_int_equal(read_lines(reader, scripted, "/long", &too_long, &reply, &error), MR_LIMIT);
    struct lines_seen ended = {.count_max = 100, .given_up = true};
    assert_int_equal(read_lines(reader, scripted, "/stays", &ended, &reply, &error), MR_CLOSED);
    mr_http_client_destroy(reader);
    scripted_stop(scripted);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_sends_and_reads_any_code),
        WITH_SERVER(test_sends_large_bodies),
        WITH_SERVER(test_follows_redirects_with_method_body_and_token),
        WITH_SERVER(test_says_when_nobody_answers),
        WITH_SERVER(test_listens_to_events_until_told_to_end),
        WITH_SERVER(test_a_cancelled_client_ends),
        WITH_SERVER(test_reads_lines_while_they_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
