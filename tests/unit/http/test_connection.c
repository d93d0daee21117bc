/* tests/unit/http/test_connection.c — the connection's machine without sockets, time given. */
#include "http/internal.h"
#include "tests/unit/http/fixture.h"

static struct mr_http_core *core;
static struct mr_http_connection *connection;
static struct mr_http_exchange *kept;
static char written[64 << 10];
static size_t written_size;

static void on_hello(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_answer(exchange, 200, "text/plain", mr_slice_text("hello"));
}

static void on_keep(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    kept = exchange;
}

static void on_events(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_subscribe(exchange, "events");
}

static const struct mr_http_route routes[] = {
    {MR_HTTP_GET, "/hello", on_hello}, {MR_HTTP_POST, "/hello", on_hello},
    {MR_HTTP_GET, "/keep", on_keep},   {MR_HTTP_GET, "/events", on_events},
    {MR_HTTP_GET, NULL, NULL},
};
static const struct mr_http_settings settings = {.routes = routes};

static int set_up(void **state)
{
    (void)state;
    core = mr_http_core_create();
    connection = mr_http_connection_open(core, &settings, NULL, 0);
    kept = NULL;
    written_size = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (connection != NULL)
        mr_http_connection_close(connection);
    assert_int_equal(core->references, 1);
    assert_int_equal(core->answers_bytes, 0);
    assert_int_equal(core->bodies_bytes, 0);
    pthread_mutex_lock(&core->mutex);
    mr_http_core_unlock_release(core);
    return 0;
}

static void receive(const char *text, uint64_t now_ms)
{
    assert_true(mr_http_connection_receive(connection, mr_slice_text(text), now_ms));
}

/* Write what there is, in pieces. Returns all that was written since the last call. */
static const char *output(uint64_t now_ms)
{
    written_size = 0;
    struct mr_slice bytes;
    while ((bytes = mr_http_connection_output(connection)).size > 0) {
        size_t size = bytes.size < 7 ? bytes.size : 7;
        memcpy(written + written_size, bytes.data, size);
        written_size += size;
        assert_true(mr_http_connection_sent(connection, size, now_ms));
    }
    written[written_size] = 0;
    return written;
}

static void test_reads_a_request_byte_by_byte(void **state)
{
    (void)state;
    const char *text = "\r\nPOST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    for (const char *cursor = text; *cursor != 0; cursor++) {
        assert_int_equal(mr_http_connection_output(connection).size, 0);
        receive((const char[]){*cursor, 0}, 1);
    }
    assert_non_null(strstr(output(1), "\r\n\r\nhello"));
    assert_false(mr_http_connection_ended(connection));
}

static void test_slow_head_gets_408(void **state)
{
    (void)state;
    receive("GET /hello HT", 5000);
    assert_true(mr_http_connection_tick(connection, 14999));
    receive("TP/1.1\r\nX: ", 14999); /* more bytes buy no time */
    assert_int_equal(mr_http_connection_output(connection).size, 0);
    assert_true(mr_http_connection_tick(connection, 15000));
    assert_non_null(strstr(output(15000), "HTTP/1.1 408 "));
    assert_true(mr_http_connection_tick(connection, 16999));
    assert_false(mr_http_connection_tick(connection, 17000));
}

static void test_silent_connections_end(void **state)
{
    (void)state;
    assert_true(mr_http_connection_tick(connection, 9999));
    assert_false(mr_http_connection_tick(connection, 10000));
    receive("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    output(1000);
    assert_true(mr_http_connection_tick(connection, 75999));
    assert_false(mr_http_connection_tick(connection, 76000));
}

static void test_slow_body_gets_408(void **state)
{
    (void)state;
    receive("POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", 0);
    static char bytes[131073];
    memset(bytes, 'x', sizeof bytes - 1);
    receive(bytes, 20000); /* 128 KiB: two seconds more */
    assert_true(mr_http_connection_tick(connection, 31999));
    assert_true(mr_http_connection_tick(connection, 32000));
    assert_non_null(strstr(output(32000), "HTTP/1.1 408 "));
}

static void test_client_that_does_not_read_is_closed(void **state)
{
    (void)state;
    receive("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    assert_true(mr_http_connection_output(connection).size > 0);
    assert_true(mr_http_connection_tick(connection, 29999));
    assert_false(mr_http_connection_tick(connection, 30000));
}

static void test_kept_exchange_gets_504_and_a_late_answer_is_dropped(void **state)
{
    (void)state;
    receive("GET /keep HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    assert_non_null(kept);
    assert_true(mr_http_connection_tick(connection, 59999));
    assert_int_equal(mr_http_connection_output(connection).size, 0);
    assert_true(mr_http_connection_tick(connection, 60000));
    assert_non_null(strstr(output(60000), "HTTP/1.1 504 "));
    mr_http_answer(kept, 200, "text/plain", mr_slice_text("late"));
    assert_null(mr_http_connection_next_news(core, 60000));
    receive("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 60001);
    assert_non_null(strstr(output(60001), "hello"));
}

static void test_client_may_go_before_the_answer(void **state)
{
    (void)state;
    receive("GET /keep HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    mr_http_connection_close(connection);
    connection = NULL;
    mr_http_answer(kept, 200, "text/plain", mr_slice_text("late"));
}

static void test_client_may_go_with_the_answer_on_its_way(void **state)
{
    (void)state;
    receive("GET /keep HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    mr_http_answer(kept, 200, "text/plain", mr_slice_text("answer"));
    mr_http_connection_close(connection);
    connection = NULL;
    assert_null(core->news);
}

static void test_answer_of_another_thread_is_news(void **state)
{
    (void)state;
    receive("GET /keep HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    assert_int_equal(mr_http_connection_output(connection).size, 0);
    mr_http_answer(kept, 200, "text/plain", mr_slice_text("kept"));
    assert_ptr_equal(mr_http_connection_next_news(core, 1), connection);
    assert_null(mr_http_connection_next_news(core, 1));
    const char *text = output(1);
    assert_non_null(strstr(text, "kept"));
    assert_non_null(strstr(text, "hello")); /* the second request, read ahead */
}

static void test_stops_reading_ahead(void **state)
{
    (void)state;
    static char bytes[40001];
    memset(bytes, 'x', sizeof bytes - 1);
    receive("GET /keep HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    assert_true(mr_http_connection_wants_input(connection));
    receive(bytes, 0);
    assert_false(mr_http_connection_wants_input(connection));
    mr_http_answer(kept, 200, "text/plain", mr_slice_text("kept"));
    assert_ptr_equal(mr_http_connection_next_news(core, 1), connection);
    assert_non_null(strstr(output(1), "HTTP/1.1 414 "));
}

static void test_all_bodies_share_a_budget(void **state)
{
    (void)state;
    core->bodies_bytes = MR_HTTP_BODIES_BYTES_MAX - 2;
    receive("POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n12", 0);
    assert_int_equal(mr_http_connection_output(connection).size, 0);
    receive("3", 0);
    assert_non_null(strstr(output(1), "HTTP/1.1 503 "));
    assert_int_equal(core->bodies_bytes, MR_HTTP_BODIES_BYTES_MAX - 2);
    core->bodies_bytes = 0;
}

static void test_all_answers_share_a_budget(void **state)
{
    (void)state;
    core->answers_bytes = (size_t)MR_HTTP_ANSWERS_BYTES_MAX - 4;
    receive("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    assert_non_null(strstr(output(1), "HTTP/1.1 503 "));
    assert_int_equal(core->answers_bytes, (size_t)MR_HTTP_ANSWERS_BYTES_MAX - 4);
    core->answers_bytes = 0;
}

static void test_subscriber_gets_heartbeats(void **state)
{
    (void)state;
    receive("GET /events HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    assert_non_null(strstr(output(0), "retry: 2000\n\n"));
    assert_true(mr_http_connection_tick(connection, 14999));
    assert_int_equal(mr_http_connection_output(connection).size, 0);
    assert_true(mr_http_connection_tick(connection, 15000));
    assert_string_equal(output(15000), ":\n\n");
    pthread_mutex_lock(&core->mutex);
    mr_http_core_publish(core, "events", "a", 1, mr_slice_text("{}"));
    pthread_mutex_unlock(&core->mutex);
    assert_ptr_equal(mr_http_connection_next_news(core, 16000), connection);
    assert_string_equal(output(16000), "id: 1\nevent: a\ndata: {}\n\n");
    assert_true(mr_http_connection_tick(connection, 30999));
    assert_int_equal(mr_http_connection_output(connection).size, 0);
    /* One that reads nothing for five minutes is gone. */
    assert_true(mr_http_connection_tick(connection, 315999));
    assert_false(mr_http_connection_tick(connection, 316000));
}

static void test_stop_ends_what_is_idle_and_answers_what_is_kept(void **state)
{
    (void)state;
    receive("GET /keep HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    mr_http_connection_stop(connection, 1);
    const char *text = output(1);
    assert_non_null(strstr(text, "HTTP/1.1 503 "));
    assert_non_null(strstr(text, "Connection: close"));
    assert_true(mr_http_connection_ended(connection));
    mr_http_answer(kept, 200, "text/plain", mr_slice_text("late"));
}

#define WITH_CORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CORE(test_reads_a_request_byte_by_byte),
        WITH_CORE(test_slow_head_gets_408),
        WITH_CORE(test_silent_connections_end),
        WITH_CORE(test_slow_body_gets_408),
        WITH_CORE(test_client_that_does_not_read_is_closed),
        WITH_CORE(test_kept_exchange_gets_504_and_a_late_answer_is_dropped),
        WITH_CORE(test_client_may_go_before_the_answer),
        WITH_CORE(test_client_may_go_with_the_answer_on_its_way),
        WITH_CORE(test_answer_of_another_thread_is_news),
        WITH_CORE(test_stops_reading_ahead),
        WITH_CORE(test_all_bodies_share_a_budget),
        WITH_CORE(test_all_answers_share_a_budget),
        WITH_CORE(test_subscriber_gets_heartbeats),
        WITH_CORE(test_stop_ends_what_is_idle_and_answers_what_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
