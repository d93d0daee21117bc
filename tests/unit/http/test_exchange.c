/* tests/unit/http/test_exchange.c — parameters, and answers that nobody waits for. */
#include "http/internal.h"
#include "tests/unit/http/fixture.h"

static struct mr_http_core *core;
static struct mr_http_exchange *exchange;

static int set_up(void **state)
{
    (void)state;
    core = mr_http_core_create();
    exchange = mr_http_exchange_create(core);
    assert_int_equal(core->references, 2);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(core->references, 1);
    pthread_mutex_lock(&core->mutex);
    mr_http_core_unlock_release(core);
    return 0;
}

static void test_splits_and_decodes_parameters(void **state)
{
    (void)state;
    assert_true(mr_http_exchange_read_query(exchange, "a=1&&b&c=%26=x&a=2&=e"));
    assert_string_equal(mr_http_query(exchange, "a"), "1");
    assert_string_equal(mr_http_query(exchange, "b"), "");
    assert_string_equal(mr_http_query(exchange, "c"), "&=x");
    assert_string_equal(mr_http_query(exchange, ""), "e");
    assert_null(mr_http_query(exchange, "d"));
    mr_http_exchange_discard(exchange);
}

static void test_refuses_broken_and_too_many_parameters(void **state)
{
    (void)state;
    assert_false(mr_http_exchange_read_query(exchange, "a=%4"));
    assert_false(mr_http_exchange_read_query(exchange, "%00=1"));
    mr_http_exchange_discard(exchange);
    exchange = mr_http_exchange_create(core);
    assert_true(mr_http_exchange_read_query(exchange, "a&a&a&a&a&a&a&a&a&a&a&a&a&a&a&a"));
    assert_false(mr_http_exchange_read_query(exchange, "a"));
    mr_http_exchange_discard(exchange);
}

static void test_drops_what_has_no_client(void **state)
{
    (void)state;
    mr_http_answer(exchange, 200, "text/plain", mr_slice_text("x"));
    exchange = mr_http_exchange_create(core);
    mr_http_problem(exchange, 400, 1, "%s", "x");
    exchange = mr_http_exchange_create(core);
    mr_http_redirect(exchange, "http://a/b");
    exchange = mr_http_exchange_create(core);
    mr_http_subscribe(exchange, "events");
    assert_int_equal(atomic_load(&core->subscribers_count), 0);
    assert_int_equal(core->answers_bytes, 0);
}

#define WITH_CORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CORE(test_splits_and_decodes_parameters),
        WITH_CORE(test_refuses_broken_and_too_many_parameters),
        WITH_CORE(test_drops_what_has_no_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
