/* tests/conformance/log_consumers.c — the suite's tests of consumers, and of what log.c builds. */
#include "tests/conformance/log_tests.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

static const struct mr_log_ops *ops_of(struct fixture *fixture)
{
    return fixture->log->ops;
}

void log_test_end_of_partition(void **state)
{
    struct fixture *fixture = *state;
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    struct mr_log_consumer *consumer = fixture_consumer(fixture, topic, 0, 0);
    struct seen_list list = {.end = -1};
    fixture_read(fixture, consumer, 10, 1, &list);
    assert_int_equal(list.end, 0);
    fixture_write_numbers(fixture, topic, 0, 0, 25);
    fixture_read(fixture, consumer, 10, 1, &list);
    assert_int_equal(list.count, 25);
    int64_t high = -1;
    REQUIRE_OK(fixture, ops_of(fixture)->offset_find(fixture->log, topic, 0, MR_LOG_OFFSET_LATEST,
                                                     &high, &fixture->error));
    assert_int_equal(list.end, high);
    /* Told once. */
    struct mr_log_fetch fetch;
    assert_int_equal(ops_of(fixture)->consumer_poll(consumer, 10, 300, &fetch, &fixture->error),
                     MR_AGAIN);
    fixture_write_numbers(fixture, topic, 0, 25, 1);
    fixture_read(fixture, consumer, 10, 1, &list);
    assert_int_equal(list.count, 26);
    assert_true(list.end > high);
    ops_of(fixture)->consumer_destroy(consumer);
}

void log_test_no_end_events_unless_asked(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = ops_of(fixture);
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    fixture_write_numbers(fixture, topic, 0, 0, 3);
    struct mr_log_consumer_options options = {.queued_bytes_max = 1 << 20};
    struct mr_log_consumer *consumer = NULL;
    REQUIRE_OK(fixture, ops->consumer_create(fixture->log, &options, &consumer, &fixture->error));
    struct mr_log_assignment assignment = {.topic = topic, .offset = MR_LOG_OFFSET_EARLIEST};
    REQUIRE_OK(fixture, ops->consumer_add(consumer, &assignment, 1, &fixture->error));
    uint32_t records_count = 0;
    uint64_t deadline_ms = mr_clock_monotonic_ms() + fixture->conformance->patience_ms;
    while (mr_clock_monotonic_ms() < deadline_ms) {
        struct mr_log_fetch fetch;
        if (ops->consumer_poll(consumer, 10, 400, &fetch, &fixture->error) != MR_OK) {
            if (records_count == 3)
                break;
            continue;
        }
        for (uint32_t i = 0; i < fetch.messages_count; i++)
            assert_int_equal(fetch.messages[i].event, MR_LOG_RECORD);
        records_count += fetch.messages_count;
        ops->fetch_release(consumer, &fetch);
    }
    assert_int_equal(records_count, 3);
    ops->consumer_destroy(consumer);
}

void log_test_add_and_remove(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = ops_of(fixture);
    const char *topic = fixture_topic(fixture, 3, MR_LOG_CLEANUP_DELETE);
    for (int32_t partition = 0; partition < 3; partition++)
        fixture_write_numbers(fixture, topic, partition, (uint32_t)partition * 100, 4);
    struct mr_log_consumer *consumer = fixture_consumer(fixture, topic, 0, 2);
    struct seen_list list = {0};
    fixture_read(fixture, consumer, 100, 1, &list);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].value, "2");
    struct mr_log_assignment more[] = {{.topic = topic, .partition = 1, .offset = 0, .tag = 11},
                                       {.topic = topic, .partition = 2, .offset = 3, .tag = 12}};
    REQUIRE_OK(fixture, ops->consumer_add(consumer, more, 2, &fixture->error));
    fixture_read(fixture, consumer, 100, 2, &list);
    assert_int_equal(list.count, 7);
    uint32_t tags[13] = {0};
    for (uint32_t i = 0; i < list.count; i++)
        tags[list.items[i].tag]++;
    assert_int_equal(tags[7], 2);
    assert_int_equal(tags[11], 4);
    assert_int_equal(tags[12], 1);
    REQUIRE_OK(fixture, ops->consumer_remove(consumer, &more[0], 1, &fixture->error));
    fixture_write_numbers(fixture, topic, 1, 104, 1);
    fixture_write_numbers(fixture, topic, 2, 204, 1);
    struct seen_list rest = {0};
    fixture_read(fixture, consumer, 100, 1, &rest);
    assert_int_equal(rest.count, 1);
    assert_string_equal(rest.items[0].value, "204");
    /* Back again, elsewhere and with another tag. */
    more[0].offset = 1;
    more[0].tag = 9;
    REQUIRE_OK(fixture, ops->consumer_add(consumer, more, 1, &fixture->error));
    struct seen_list back = {0};
    fixture_read(fixture, consumer, 100, 1, &back);
    assert_true(back.count >= 4);
    assert_string_equal(back.items[0].value, "101");
    assert_int_equal(back.items[0].tag, 9);
    assert_string_equal(back.items[back.count - 1].value, "104");
    ops->consumer_destroy(consumer);
}

void log_test_pause(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = ops_of(fixture);
    const char *topic = fixture_topic(fixture, 2, MR_LOG_CLEANUP_DELETE);
    struct mr_log_consumer *consumer = fixture_consumer(fixture, topic, 0, 0);
    struct mr_log_assignment second = {.topic = topic, .partition = 1, .offset = 0, .tag = 8};
    REQUIRE_OK(fixture, ops->consumer_add(consumer, &second, 1, &fixture->error));
    struct seen_list list = {0};
    fixture_read(fixture, consumer, 100, 2, &list);
    assert_int_equal(list.count, 0);
    REQUIRE_OK(fixture, ops->consumer_pause(consumer, topic, 0, true, &fixture->error));
    fixture_write_numbers(fixture, topic, 0, 0, 3);
    fixture_write_numbers(fixture, topic, 1, 10, 2);
    fixture_read(fixture, consumer, 100, 1, &list);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.items[0].tag, 8);
    REQUIRE_OK(fixture, ops->consumer_pause(consumer, topic, 0, false, &fixture->error));
    fixture_read(fixture, consumer, 100, 1, &list);
    assert_int_equal(list.count, 5);
    assert_string_equal(list.items[2].value, "0");
    assert_string_equal(list.items[4].value, "2");
    ops->consumer_destroy(consumer);
}

void log_test_two_consumers(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = ops_of(fixture);
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    fixture_write_numbers(fixture, topic, 0, 0, 50);
    struct mr_log_consumer *first = fixture_consumer(fixture, topic, 0, 0);
    struct mr_log_consumer *second = fixture_consumer(fixture, topic, 0, 30);
    struct seen_list first_list = {0};
    struct seen_list second_list = {0};
    fixture_read(fixture, second, 7, 1, &second_list);
    fixture_read(fixture, first, 100, 1, &first_list);
    assert_int_equal(first_list.count, 50);
    assert_int_equal(second_list.count, 20);
    assert_string_equal(second_list.items[0].value, "30");
    ops->consumer_destroy(first);
    fixture_write_numbers(fixture, topic, 0, 50, 1);
    fixture_read(fixture, second, 7, 1, &second_list);
    assert_int_equal(second_list.count, 21);
    ops->consumer_destroy(second);
}

void log_test_lagging_consumer(void **state)
{
    struct fixture *fixture = *state;
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    struct mr_log_consumer *consumer = fixture_consumer(fixture, topic, 0, 0);
    struct seen_list list = {0};
    struct mr_log_fetch fetch = {0};
    fixture_write_numbers(fixture, topic, 0, 0, 300);
    /* Read three, then let the log grow far ahead. */
    while (list.count < 3) {
        if (ops_of(fixture)->consumer_poll(consumer, 3 - list.count, 1000, &fetch,
                                           &fixture->error) != MR_OK)
            continue;
        for (uint32_t i = 0; i < fetch.messages_count; i++)
            if (fetch.messages[i].event == MR_LOG_RECORD) /* it may have seen the end before them */
                fixture_keep(fixture, &list, &fetch.messages[i]);
        ops_of(fixture)->fetch_release(consumer, &fetch);
    }
    for (uint32_t i = 0; i < 6; i++)
        fixture_write_numbers(fixture, topic, 0, 300 + i * 2000, 2000);
    while (list.count < 12300)
        fixture_read(fixture, consumer, 61, 1, &list);
    for (uint32_t i = 0; i < list.count; i++)
        assert_int_equal(strtoll(list.items[i].value, NULL, 10), i);
    ops_of(fixture)->consumer_destroy(consumer);
}

void log_test_latest(void **state)
{
    struct fixture *fixture = *state;
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    fixture_write_numbers(fixture, topic, 0, 0, 5);
    struct mr_log_consumer *consumer = fixture_consumer(fixture, topic, 0, MR_LOG_OFFSET_LATEST);
    struct seen_list list = {0};
    fixture_read(fixture, consumer, 100, 1, &list);
    assert_int_equal(list.count, 0);
    fixture_write_numbers(fixture, topic, 0, 5, 2);
    fixture_read(fixture, consumer, 100, 1, &list);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].value, "5");
    ops_of(fixture)->consumer_destroy(consumer);
}

void log_test_fetches_outlive_their_records(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = ops_of(fixture);
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    fixture_write_numbers(fixture, topic, 0, 1000, 4);
    struct mr_log_consumer *consumer = fixture_consumer(fixture, topic, 0, 0);
    struct mr_log_fetch fetches[4];
    for (uint32_t i = 0; i < 4; i++)
        REQUIRE_OK(fixture, ops->consumer_poll(consumer, 1, fixture->conformance->patience_ms,
                                               &fetches[i], &fixture->error));
    REQUIRE_OK(fixture, ops->records_delete(fixture->log, topic, 0, 4, &fixture->error));
    for (uint32_t i = 0; i < 5; i++)
        fixture_write_numbers(fixture, topic, 0, 5000, 3000);
    for (uint32_t i = 0; i < 4; i++) {
        const uint32_t at = (i + 2) % 4; /* released out of order */
        assert_int_equal(fetches[at].messages_count, 1);
        char expected[8];
        (void)snprintf(expected, sizeof(expected), "%u", 1000u + at);
        assert_true(mr_slice_equal(fetches[at].messages[0].value, mr_slice_text(expected)));
        ops->fetch_release(consumer, &fetches[at]);
    }
    ops->consumer_destroy(consumer);
}

static void expect_partition_error(struct fixture *fixture, const char *topic, int64_t offset)
{
    const struct mr_log_ops *ops = ops_of(fixture);
    struct mr_log_consumer *consumer = fixture_consumer(fixture, topic, 0, offset);
    uint64_t deadline_ms = mr_clock_monotonic_ms() + fixture->conformance->patience_ms;
    bool told = false;
    while (!told && mr_clock_monotonic_ms() < deadline_ms) {
        struct mr_log_fetch fetch;
        if (ops->consumer_poll(consumer, 10, 200, &fetch, &fixture->error) != MR_OK)
            continue;
        assert_int_equal(fetch.messages[0].event, MR_LOG_PARTITION_ERROR);
        assert_true(strlen(fetch.error.message) > 0);
        assert_int_not_equal(fetch.error.status, MR_OK);
        told = true;
        ops->fetch_release(consumer, &fetch);
    }
    assert_true(told);
    ops->consumer_destroy(consumer);
}

void log_test_offset_that_is_not_there(void **state)
{
    struct fixture *fixture = *state;
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    fixture_write_numbers(fixture, topic, 0, 0, 20);
    expect_partition_error(fixture, topic, 1000);
    REQUIRE_OK(fixture,
               ops_of(fixture)->records_delete(fixture->log, topic, 0, 10, &fixture->error));
    expect_partition_error(fixture, topic, 5);
}

void log_test_poll_waits(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = ops_of(fixture);
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    struct mr_log_consumer *consumer = fixture_consumer(fixture, topic, 0, 0);
    struct seen_list list = {0};
    fixture_read(fixture, consumer, 10, 1, &list);
    struct mr_log_fetch fetch;
    uint64_t start_ms = mr_clock_monotonic_ms();
    assert_int_equal(ops->consumer_poll(consumer, 10, 150, &fetch, &fixture->error), MR_AGAIN);
    uint64_t waited_ms = mr_clock_monotonic_ms() - start_ms;
    assert_true(waited_ms >= 140);
    assert_true(waited_ms < fixture->conformance->patience_ms);
    start_ms = mr_clock_monotonic_ms();
    assert_int_equal(ops->consumer_poll(consumer, 10, 0, &fetch, &fixture->error), MR_AGAIN);
    assert_true(mr_clock_monotonic_ms() - start_ms < 100);
    ops->consumer_destroy(consumer);
}

/* ---- What connectors/log.c builds on the interface ---- */

struct visited {
    struct fixture *fixture;
    struct seen_list list;
    uint32_t stop_at; /* 0: never */
};

static enum mr_status visit(void *argument, const struct mr_log_message *message,
                            struct mr_error *error)
{
    struct visited *visited = argument;
    assert_int_equal(message->event, MR_LOG_RECORD);
    fixture_keep(visited->fixture, &visited->list, message);
    if (visited->list.count == visited->stop_at)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE, "The test has seen enough.");
    return MR_OK;
}

void log_test_read_to_end(void **state)
{
    struct fixture *fixture = *state;
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_COMPACT);
    uint32_t patience_ms = fixture->conformance->patience_ms;
    struct visited visited = {.fixture = fixture};
    int64_t end = -1;
    REQUIRE_OK(fixture, mr_log_read_to_end(fixture->log, topic, 0, 0, visit, &visited, patience_ms,
                                           &end, &fixture->error));
    assert_int_equal(visited.list.count, 0);
    struct mr_log_record records[] = {fixture_record(topic, 0, "a", "1"),
                                      fixture_record(topic, 0, "b", "2"),
                                      fixture_record(topic, 0, "a", NULL)};
    fixture_write(fixture, records, 3);
    REQUIRE_OK(fixture, mr_log_read_to_end(fixture->log, topic, 0, end, visit, &visited,
                                           patience_ms, &end, &fixture->error));
    assert_int_equal(visited.list.count, 3);
    assert_null(visited.list.items[2].value);
    assert_true(end > visited.list.items[2].offset);
    /* Nothing new: nothing is visited and the end stays. */
    int64_t again = -1;
    visited.list.count = 0;
    REQUIRE_OK(fixture, mr_log_read_to_end(fixture->log, topic, 0, end, visit, &visited,
                                           patience_ms, &again, &fixture->error));
    assert_int_equal(visited.list.count, 0);
    assert_int_equal(again, end);
    visited.stop_at = 2;
    assert_int_equal(mr_log_read_to_end(fixture->log, topic, 0, 0, visit, &visited, patience_ms,
                                        &again, &fixture->error),
                     MR_LIMIT);
    assert_int_equal(visited.list.count, 2);
}

void log_test_write_once_and_fence(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = ops_of(fixture);
    uint32_t patience_ms = fixture->conformance->patience_ms;
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    const char *id = fixture_id(fixture);
    struct mr_log_record record = fixture_record(topic, 0, "k", "once");
    REQUIRE_OK(fixture,
               mr_log_write_once(fixture->log, id, &record, 1, patience_ms, &fixture->error));
    struct mr_log_producer *producer = fixture_producer(fixture, id);
    REQUIRE_OK(fixture, ops->producer_begin(producer, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_send(producer, &record, 1, &fixture->error));
    REQUIRE_OK(fixture, mr_log_fence(fixture->log, id, patience_ms, &fixture->error));
    assert_int_equal(ops->producer_commit(producer, &fixture->error), MR_FENCED);
    ops->producer_destroy(producer);
    assert_int_equal(fixture_read_all(fixture, topic, 0, 0).count, 1);
}
