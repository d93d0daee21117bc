/* tests/unit/http/test_events.c — what waits for a subscriber. */
#include "base/memory.h"
#include "http/internal.h"
#include "tests/unit/http/fixture.h"

#include <stdio.h>

static struct mr_http_core *core;
static struct mr_http_connection *connection;

static int set_up(void **state)
{
    (void)state;
    static const struct mr_http_settings settings = {0};
    core = mr_http_core_create();
    connection = mr_http_connection_open(core, &settings, NULL, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mr_http_connection_close(connection);
    assert_int_equal(atomic_load(&core->subscribers_count), 0);
    pthread_mutex_lock(&core->mutex);
    mr_http_core_unlock_release(core);
    return 0;
}

static void expect_next(struct mr_http_subscriber *subscriber, const char *text)
{
    struct mr_http_event *event = mr_http_subscriber_next(subscriber);
    assert_non_null(event);
    assert_true(mr_slice_equal(mr_http_event_bytes(event), mr_slice_text(text)));
    mr_http_event_release(event);
}

static void test_each_subscriber_gets_its_channel(void **state)
{
    (void)state;
    struct mr_http_subscriber *a = mr_http_subscriber_create(core, "a", connection);
    struct mr_http_subscriber *b = mr_http_subscriber_create(core, "b", connection);
    struct mr_http_subscriber *also_a = mr_http_subscriber_create(core, "a", connection);
    assert_int_equal(mr_http_core_subscribers(core, "a"), 2);
    assert_int_equal(mr_http_core_subscribers(core, "c"), 0);
    mr_http_core_publish(core, "a", "x", 1, mr_slice_text("1"));
    mr_http_core_publish(core, "b", "y", 2, mr_slice_from(NULL, 0));
    expect_next(also_a, "id: 1\nevent: x\ndata: 1\n\n");
    mr_http_subscriber_destroy(core, also_a);
    expect_next(a, "id: 1\nevent: x\ndata: 1\n\n");
    assert_null(mr_http_subscriber_next(a));
    expect_next(b, "id: 2\nevent: y\ndata: \n\n");
    mr_http_core_publish(core, "a", "x", 3, mr_slice_text("left"));
    mr_http_subscriber_destroy(core, a);
    mr_http_subscriber_destroy(core, b);
}

static void test_oldest_events_are_lost_and_counted(void **state)
{
    (void)state;
    struct mr_http_subscriber *subscriber = mr_http_subscriber_create(core, "a", connection);
    for (uint64_t id = 1; id <= MR_HTTP_EVENTS_MAX + 3; id++)
        mr_http_core_publish(core, "a", "x", id, mr_slice_text("{}"));
    expect_next(subscriber, "event: lost\ndata: {\"lost\":3}\n\n");
    expect_next(subscriber, "id: 4\nevent: x\ndata: {}\n\n");
    for (int i = 1; i < MR_HTTP_EVENTS_MAX; i++)
        mr_http_event_release(mr_http_subscriber_next(subscriber));
    assert_null(mr_http_subscriber_next(subscriber));
    mr_http_subscriber_destroy(core, subscriber);
}

static void test_bytes_that_wait_are_bounded(void **state)
{
    (void)state;
    struct mr_http_subscriber *subscriber = mr_http_subscriber_create(core, "a", connection);
    char *data = mr_memory_new(1, MR_HTTP_EVENT_BYTES_MAX + 1);
    memset(data, 'x', MR_HTTP_EVENT_BYTES_MAX + 1);
    mr_http_core_publish(core, "a", "x", 1, mr_slice_from(data, MR_HTTP_EVENT_BYTES_MAX / 2));
    mr_http_core_publish(core, "a", "x", 2, mr_slice_from(data, MR_HTTP_EVENT_BYTES_MAX / 2));
    mr_http_core_publish(core, "a", "x", 3, mr_slice_from(data, MR_HTTP_EVENT_BYTES_MAX + 1));
    expect_next(subscriber, "event: lost\ndata: {\"lost\":2}\n\n");
    struct mr_http_event *event = mr_http_subscriber_next(subscriber);
    assert_memory_equal(mr_http_event_bytes(event).data, "id: 2\n", 6);
    mr_http_event_release(event);
    mr_memory_free(data);
    mr_http_subscriber_destroy(core, subscriber);
}

static void test_subscribers_are_limited(void **state)
{
    (void)state;
    struct mr_http_subscriber *all[MR_HTTP_SUBSCRIBERS_MAX];
    for (int i = 0; i < MR_HTTP_SUBSCRIBERS_MAX; i++) {
        all[i] = mr_http_subscriber_create(core, "a", connection);
        assert_non_null(all[i]);
    }
    assert_null(mr_http_subscriber_create(core, "a", connection));
    for (int i = 0; i < MR_HTTP_SUBSCRIBERS_MAX; i++)
        mr_http_subscriber_destroy(core, all[i]);
}

#define WITH_CORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CORE(test_each_subscriber_gets_its_channel),
        WITH_CORE(test_oldest_events_are_lost_and_counted),
        WITH_CORE(test_bytes_that_wait_are_bounded),
        WITH_CORE(test_subscribers_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
