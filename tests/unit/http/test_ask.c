/* tests/unit/http/test_ask.c — requests from within the process. */
#include "base/clock.h"
#include "tests/unit/http/fixture.h"

#include <pthread.h>
#include <stdatomic.h>

static struct mr_http_exchange *_Atomic kept;

static void on_echo(void *argument, struct mr_http_exchange *exchange)
{
    const struct mr_http_request *request = mr_http_request_of(exchange);
    assert_string_equal(argument, "argument");
    assert_string_equal(request->parts[0], "a b");
    assert_string_equal(mr_http_query(exchange, "x"), "1");
    mr_http_answer(exchange, 201, request->content_type, request->body);
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
    {MR_HTTP_POST, "/echo/{name}", on_echo},
    {MR_HTTP_GET, "/keep", on_keep},
    {MR_HTTP_GET, "/events", on_events},
    {MR_HTTP_GET, NULL, NULL},
};

static char argument[] = "argument";

static void a_handler_answers(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_http_asked asked;
    struct mr_error error;
    struct mr_http_server *server = http_start(
        (struct mr_http_server_options){.routes = routes, .token = "token", .argument = argument});
    mr_arena_init(&arena, 1024);
    struct mr_http_asking asking = {.method = MR_HTTP_POST,
                                    .target = "/echo/a%20b?x=1",
                                    .content_type = "text/plain",
                                    .body = mr_slice_text("body"),
                                    .wait_ms = 5000};
    assert_int_equal(mr_http_server_ask(server, &asking, &arena, &asked, &error), MR_OK);
    assert_int_equal(asked.code, 201);
    assert_string_equal((const char *)asked.body.data, "body");
    asking.target = "/other";
    assert_int_equal(mr_http_server_ask(server, &asking, &arena, &asked, &error), MR_INVALID);
    asking = (struct mr_http_asking){.method = MR_HTTP_GET, .target = "/events", .wait_ms = 5000};
    assert_int_equal(mr_http_server_ask(server, &asking, &arena, &asked, &error), MR_OK);
    assert_int_equal(asked.code, 406);
    mr_http_server_stop(server);
    mr_arena_deinit(&arena);
}

static void *answer_soon(void *unused)
{
    (void)unused;
    while (atomic_load(&kept) == NULL)
        mr_clock_sleep_ms(5);
    mr_http_problem(atomic_exchange(&kept, NULL), 503, 1, "Later.");
    return NULL;
}

static void a_kept_exchange_is_waited_for(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_http_asked asked;
    struct mr_error error;
    pthread_t thread;
    struct mr_http_server *server =
        http_start((struct mr_http_server_options){.routes = routes, .argument = argument});
    mr_arena_init(&arena, 1024);
    struct mr_http_asking asking = {.method = MR_HTTP_GET, .target = "/keep", .wait_ms = 10000};
    assert_int_equal(pthread_create(&thread, NULL, answer_soon, NULL), 0);
    assert_int_equal(mr_http_server_ask(server, &asking, &arena, &asked, &error), MR_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(asked.code, 503);
    assert_non_null(strstr((const char *)asked.body.data, "Later."));
    asking.wait_ms = 20;
    assert_int_equal(mr_http_server_ask(server, &asking, &arena, &asked, &error), MR_TIMEOUT);
    mr_http_problem(atomic_exchange(&kept, NULL), 503, 1, "Too late: dropped.");
    mr_http_server_stop(server);
    mr_arena_deinit(&arena);
}

static void *cancel_soon(void *cancelled)
{
    while (atomic_load(&kept) == NULL)
        mr_clock_sleep_ms(5);
    atomic_store((atomic_bool *)cancelled, true);
    return NULL;
}

static void a_wait_is_cancelled(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_http_asked asked;
    struct mr_error error;
    pthread_t thread;
    atomic_bool cancelled = false;
    struct mr_http_server *server =
        http_start((struct mr_http_server_options){.routes = routes, .argument = argument});
    mr_arena_init(&arena, 1024);
    const struct mr_http_asking asking = {
        .method = MR_HTTP_GET, .target = "/keep", .wait_ms = 60000, .cancelled = &cancelled};
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &cancelled), 0);
    uint64_t begun_ms = mr_clock_monotonic_ms();
    assert_int_equal(mr_http_server_ask(server, &asking, &arena, &asked, &error), MR_CLOSED);
    assert_true(mr_clock_monotonic_ms() - begun_ms < 10000);
    assert_int_equal(pthread_join(thread, NULL), 0);
    mr_http_problem(atomic_exchange(&kept, NULL), 503, 1, "Too late: dropped.");
    assert_int_equal(mr_http_server_ask(server, &asking, &arena, &asked, &error), MR_CLOSED);
    assert_null(atomic_load(&kept)); /* not even asked */
    mr_http_server_stop(server);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_answers),
        cmocka_unit_test(a_kept_exchange_is_waited_for),
        cmocka_unit_test(a_wait_is_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
