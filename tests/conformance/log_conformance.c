/* tests/conformance/log_conformance.c — the suite's tests of topics, transactions and records.
 * The tests of consumers are in log_consumers.c, those with several threads in log_threads.c. */
#include "tests/conformance/log_tests.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void test_cluster_id_is_stable(void **state)
{
    struct fixture *fixture = *state;
    char first[MR_LOG_ID_SIZE];
    char second[MR_LOG_ID_SIZE];
    REQUIRE_OK(fixture, fixture->log->ops->cluster_id(fixture->log, first, &fixture->error));
    REQUIRE_OK(fixture, fixture->log->ops->cluster_id(fixture->log, second, &fixture->error));
    assert_true(strlen(first) > 0);
    assert_string_equal(first, second);
}

static void count_name(void *argument, const char *name)
{
    const char **wanted = argument;
    if (wanted[0] != NULL && strcmp(wanted[0], name) == 0)
        wanted[0] = NULL;
}

static void test_topics(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = fixture->log->ops;
    const char *name = fixture_topic(fixture, 3, MR_LOG_CLEANUP_DELETE);
    struct mr_log_topic topic = {0};
    REQUIRE_OK(fixture, ops->topic_describe(fixture->log, name, &topic, &fixture->error));
    assert_int_equal(topic.partitions_count, 3);
    assert_true(topic.message_bytes_max >= 1000000);
    assert_true(strlen(topic.topic_id) > 0);
    /* Again, with another number of partitions: fine, and nothing changes. */
    struct mr_log_topic_create create = {
        .name = name, .partitions_count = 5, .replication_factor = -1};
    REQUIRE_OK(fixture, ops->topic_create(fixture->log, &create, &fixture->error));
    struct mr_log_topic again = {0};
    REQUIRE_OK(fixture, ops->topic_describe(fixture->log, name, &again, &fixture->error));
    assert_int_equal(again.partitions_count, 3);
    assert_string_equal(again.topic_id, topic.topic_id);
    const char *wanted = name;
    REQUIRE_OK(fixture, ops->topics_list(fixture->log, count_name, &wanted, &fixture->error));
    assert_null(wanted);
    assert_int_equal(
        ops->topic_describe(fixture->log, "no-such-topic-here", &again, &fixture->error),
        MR_NOT_FOUND);
}

static void test_topic_id_changes_when_created_anew(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = fixture->log->ops;
    const char *name = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    fixture_write_numbers(fixture, name, 0, 0, 3);
    struct mr_log_topic before = {0};
    struct mr_log_topic after = {0};
    REQUIRE_OK(fixture, ops->topic_describe(fixture->log, name, &before, &fixture->error));
    REQUIRE_OK(fixture, ops->topic_delete(fixture->log, name, &fixture->error));
    uint64_t deadline_ms = mr_clock_monotonic_ms() + fixture->conformance->patience_ms;
    while (ops->topic_describe(fixture->log, name, &after, &fixture->error) != MR_NOT_FOUND) {
        assert_true(mr_clock_monotonic_ms() < deadline_ms);
        mr_clock_sleep_ms(20);
    }
    struct mr_log_topic_create create = {
        .name = name, .partitions_count = 1, .replication_factor = -1, .retention_ms = -1};
    REQUIRE_OK(fixture, ops->topic_create(fixture->log, &create, &fixture->error));
    REQUIRE_OK(fixture, ops->topic_describe(fixture->log, name, &after, &fixture->error));
    assert_string_not_equal(before.topic_id, after.topic_id);
    assert_int_equal(fixture_read_all(fixture, name, 0, MR_LOG_OFFSET_EARLIEST).count, 0);
}

static void test_topic_grows(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = fixture->log->ops;
    const char *name = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    fixture_write_numbers(fixture, name, 0, 0, 2);
    struct mr_log_producer *producer = fixture_producer(fixture, fixture_id(fixture));
    struct mr_log_record records[] = {fixture_record(name, 0, NULL, "a"),
                                      fixture_record(name, 2, NULL, "b")};
    REQUIRE_OK(fixture, ops->producer_begin(producer, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_send(producer, records, 1, &fixture->error));
    REQUIRE_OK(fixture, ops->topic_grow(fixture->log, name, 3, &fixture->error));
    struct mr_log_topic topic = {0};
    REQUIRE_OK(fixture, ops->topic_describe(fixture->log, name, &topic, &fixture->error));
    assert_int_equal(topic.partitions_count, 3);
    /* As many already, or more: nothing to do. */
    REQUIRE_OK(fixture, ops->topic_grow(fixture->log, name, 3, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_commit(producer, &fixture->error));
    ops->producer_destroy(producer);
    fixture_write(fixture, records, 2);
    assert_int_equal(fixture_read_all(fixture, name, 0, 0).count, 4);
    assert_int_equal(fixture_read_all(fixture, name, 2, 0).count, 1);
    assert_int_equal(ops->topic_grow(fixture->log, "no-such-topic-here", 3, &fixture->error),
                     MR_NOT_FOUND);
}

static void test_invisible_until_commit(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = fixture->log->ops;
    const char *topic = fixture_topic(fixture, 3, MR_LOG_CLEANUP_DELETE);
    fixture_write_numbers(fixture, topic, 0, 0, 1);
    struct mr_log_producer *producer = fixture_producer(fixture, fixture_id(fixture));
    struct mr_log_record records[] = {
        fixture_record(topic, 0, "a", "one"), fixture_record(topic, 1, "b", "two"),
        fixture_record(topic, 2, "c", "three"), fixture_record(topic, 0, "d", "four")};
    REQUIRE_OK(fixture, ops->producer_begin(producer, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_send(producer, records, 4, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_flush(producer, &fixture->error));
    assert_int_equal(fixture_read_all(fixture, topic, 0, 0).count, 1);
    assert_int_equal(fixture_read_all(fixture, topic, 1, 0).count, 0);
    REQUIRE_OK(fixture, ops->producer_commit(producer, &fixture->error));
    struct seen_list first = fixture_read_all(fixture, topic, 0, 0);
    assert_int_equal(first.count, 3);
    assert_string_equal(first.items[1].value, "one");
    assert_string_equal(first.items[2].value, "four");
    assert_string_equal(fixture_read_all(fixture, topic, 1, 0).items[0].value, "two");
    assert_string_equal(fixture_read_all(fixture, topic, 2, 0).items[0].value, "three");
    ops->producer_destroy(producer);
}

static void test_destroyed_transaction_is_never_seen(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = fixture->log->ops;
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    const char *id = fixture_id(fixture);
    struct mr_log_producer *producer = fixture_producer(fixture, id);
    struct mr_log_record record = fixture_record(topic, 0, NULL, "lost");
    REQUIRE_OK(fixture, ops->producer_begin(producer, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_send(producer, &record, 1, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_flush(producer, &fixture->error));
    ops->producer_destroy(producer);
    /* The next owner of the id finishes it; nothing is held up behind it. */
    producer = fixture_producer(fixture, id);
    record = fixture_record(topic, 0, NULL, "kept");
    REQUIRE_OK(fixture, ops->producer_begin(producer, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_send(producer, &record, 1, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_commit(producer, &fixture->error));
    ops->producer_destroy(producer);
    struct seen_list list = fixture_read_all(fixture, topic, 0, 0);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].value, "kept");
}

static void test_newer_producer_fences(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = fixture->log->ops;
    const char *topic = fixture_topic(fixture, 2, MR_LOG_CLEANUP_DELETE);
    const char *id = fixture_id(fixture);
    struct mr_log_producer *old = fixture_producer(fixture, id);
    struct mr_log_record stale[] = {fixture_record(topic, 0, NULL, "stale"),
                                    fixture_record(topic, 1, NULL, "stale")};
    REQUIRE_OK(fixture, ops->producer_begin(old, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_send(old, stale, 2, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_flush(old, &fixture->error));
    struct mr_log_producer *new = fixture_producer(fixture, id);
    assert_int_equal(ops->producer_commit(old, &fixture->error), MR_FENCED);
    assert_int_equal(fixture->error.recovery, MR_RECOVERY_REINCARNATE);
    struct mr_log_record fresh = fixture_record(topic, 0, NULL, "fresh");
    REQUIRE_OK(fixture, ops->producer_begin(new, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_send(new, &fresh, 1, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_commit(new, &fixture->error));
    ops->producer_destroy(old);
    ops->producer_destroy(new);
    struct seen_list list = fixture_read_all(fixture, topic, 0, 0);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].value, "fresh");
    assert_int_equal(fixture_read_all(fixture, topic, 1, 0).count, 0);
}

static void test_fence_after_commit_keeps_the_commit(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = fixture->log->ops;
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    const char *id = fixture_id(fixture);
    struct mr_log_producer *old = fixture_producer(fixture, id);
    struct mr_log_record record = fixture_record(topic, 0, NULL, "done");
    REQUIRE_OK(fixture, ops->producer_begin(old, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_send(old, &record, 1, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_commit(old, &fixture->error));
    ops->producer_destroy(fixture_producer(fixture, id));
    /* The fence holds though the fencing producer is gone. */
    enum mr_status status = ops->producer_begin(old, &fixture->error);
    if (status == MR_OK)
        status = ops->producer_send(old, &record, 1, &fixture->error);
    if (status == MR_OK)
        status = ops->producer_commit(old, &fixture->error);
    assert_int_equal(status, MR_FENCED);
    ops->producer_destroy(old);
    assert_int_equal(fixture_read_all(fixture, topic, 0, 0).count, 1);
}

static void test_order_per_partition(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = fixture->log->ops;
    enum { PARTITIONS = 3, TRANSACTIONS = 4, RECORDS = 999 };
    const char *topic = fixture_topic(fixture, PARTITIONS, MR_LOG_CLEANUP_DELETE);
    struct mr_log_producer *producer = fixture_producer(fixture, fixture_id(fixture));
    static struct mr_log_record records[RECORDS];
    for (uint32_t turn = 0; turn < TRANSACTIONS; turn++) {
        for (uint32_t i = 0; i < RECORDS; i++)
            records[i] =
                fixture_record(topic, (int32_t)(i % PARTITIONS), NULL,
                               mr_arena_format(&fixture->arena, "%" PRIu32, turn * RECORDS + i));
        REQUIRE_OK(fixture, ops->producer_begin(producer, &fixture->error));
        REQUIRE_OK(fixture, ops->producer_send(producer, records, 500, &fixture->error));
        REQUIRE_OK(fixture,
                   ops->producer_send(producer, records + 500, RECORDS - 500, &fixture->error));
        REQUIRE_OK(fixture, ops->producer_commit(producer, &fixture->error));
    }
    ops->producer_destroy(producer);
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        struct seen_list list = fixture_read_all(fixture, topic, partition, 0);
        assert_int_equal(list.count, TRANSACTIONS * RECORDS / PARTITIONS);
        for (uint32_t i = 0; i < list.count; i++) {
            assert_int_equal(strtoll(list.items[i].value, NULL, 10),
                             (int64_t)(int64_t)i * PARTITIONS + partition);
            assert_true(i == 0 || list.items[i].offset > list.items[i - 1].offset);
        }
    }
}

static void test_offsets_are_written_before_commit_returns(void **state)
{
    struct fixture *fixture = *state;
    const char *topic = fixture_topic(fixture, 2, MR_LOG_CLEANUP_DELETE);
    fixture_write_numbers(fixture, topic, 0, 0, 5);
    int64_t offsets[4] = {-1, -1, -1, -1};
    struct mr_log_record records[] = {
        fixture_record(topic, 0, NULL, "a"), fixture_record(topic, 1, NULL, "b"),
        fixture_record(topic, 0, NULL, "c"), fixture_record(topic, 1, NULL, "d")};
    for (uint32_t i = 0; i < 4; i++)
        records[i].offset = &offsets[i];
    fixture_write(fixture, records, 4);
    struct seen_list first = fixture_read_all(fixture, topic, 0, 0);
    struct seen_list second = fixture_read_all(fixture, topic, 1, 0);
    assert_int_equal(first.count, 7);
    assert_int_equal(second.count, 2);
    assert_int_equal(offsets[0], first.items[5].offset);
    assert_int_equal(offsets[2], first.items[6].offset);
    assert_int_equal(offsets[1], second.items[0].offset);
    assert_int_equal(offsets[3], second.items[1].offset);
}

static void test_nulls_and_empty_bytes(void **state)
{
    struct fixture *fixture = *state;
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_COMPACT);
    struct mr_log_record records[] = {
        fixture_record(topic, 0, "key", "value"), fixture_record(topic, 0, "empty", ""),
        fixture_record(topic, 0, "gone", NULL), fixture_record(topic, 0, "", "no key bytes")};
    fixture_write(fixture, records, 4);
    struct seen_list list = fixture_read_all(fixture, topic, 0, 0);
    assert_int_equal(list.count, 4);
    assert_string_equal(list.items[0].key, "key");
    assert_string_equal(list.items[1].value, "");
    assert_string_equal(list.items[2].key, "gone");
    assert_null(list.items[2].value);
    assert_string_equal(list.items[3].key, "");
    const char *plain = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    struct mr_log_record record = fixture_record(plain, 0, NULL, NULL);
    fixture_write(fixture, &record, 1);
    list = fixture_read_all(fixture, plain, 0, 0);
    assert_int_equal(list.count, 1);
    assert_null(list.items[0].key);
    assert_null(list.items[0].value);
}

static void test_headers(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = fixture->log->ops;
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    struct mr_header items[] = {{"trace", mr_slice_text("abc")},
                                {"empty", mr_slice_text("")},
                                {"trace", mr_slice_from("\0\1\2", 3)}};
    struct mr_headers headers = {.items = items, .count = 3};
    struct mr_log_record records[] = {fixture_record(topic, 0, NULL, NULL),
                                      fixture_record(topic, 0, "k", "no headers")};
    records[0].headers = &headers;
    fixture_write(fixture, records, 2);
    struct mr_log_consumer *consumer = fixture_consumer(fixture, topic, 0, 0);
    struct mr_log_fetch fetch = {0};
    REQUIRE_OK(fixture, ops->consumer_poll(consumer, 10, fixture->conformance->patience_ms, &fetch,
                                           &fixture->error));
    struct mr_headers read = ops->message_headers(&fetch.messages[0], &fixture->arena);
    uint32_t count_without = 0;
    if (fetch.messages_count > 1)
        count_without = ops->message_headers(&fetch.messages[1], &fixture->arena).count;
    ops->fetch_release(consumer, &fetch);
    ops->consumer_destroy(consumer);
    assert_int_equal(count_without, 0);
    assert_int_equal(read.count, 3);
    assert_string_equal(read.items[0].name, "trace");
    assert_true(mr_slice_equal(read.items[0].value, mr_slice_text("abc")));
    assert_string_equal(read.items[1].name, "empty");
    assert_int_equal(read.items[1].value.size, 0);
    assert_true(mr_slice_equal(read.items[2].value, mr_slice_from("\0\1\2", 3)));
}

static void test_timestamps_and_offset_find(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = fixture->log->ops;
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    int64_t now_ms = mr_clock_wall_ms();
    struct mr_log_record records[3];
    for (uint32_t i = 0; i < 3; i++) {
        records[i] = fixture_record(topic, 0, NULL, "x");
        records[i].timestamp_ms = i == 2 ? -1 : now_ms - 10000 + (int64_t)i * 5000;
    }
    fixture_write(fixture, records, 3);
    struct seen_list list = fixture_read_all(fixture, topic, 0, 0);
    assert_int_equal(list.items[0].timestamp_ms, now_ms - 10000);
    assert_int_equal(list.items[1].timestamp_ms, now_ms - 5000);
    assert_true(list.items[2].timestamp_ms >= now_ms);
    struct mr_log *log = fixture->log;
    int64_t offset = -9;
    REQUIRE_OK(fixture,
               ops->offset_find(log, topic, 0, MR_LOG_OFFSET_EARLIEST, &offset, &fixture->error));
    assert_int_equal(offset, list.items[0].offset);
    REQUIRE_OK(fixture, ops->offset_find(log, topic, 0, now_ms - 9999, &offset, &fixture->error));
    assert_int_equal(offset, list.items[1].offset);
    REQUIRE_OK(fixture,
               ops->offset_find(log, topic, 0, now_ms + 3600000, &offset, &fixture->error));
    int64_t end = -9;
    REQUIRE_OK(fixture,
               ops->offset_find(log, topic, 0, MR_LOG_OFFSET_LATEST, &end, &fixture->error));
    assert_true(end > list.items[2].offset);
    assert_true(end <= list.end);
    assert_true(offset > list.items[2].offset);
}

static void test_records_delete(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = fixture->log->ops;
    const char *topic = fixture_topic(fixture, 2, MR_LOG_CLEANUP_DELETE);
    fixture_write_numbers(fixture, topic, 0, 0, 10);
    fixture_write_numbers(fixture, topic, 1, 100, 2);
    REQUIRE_OK(fixture, ops->records_delete(fixture->log, topic, 0, 4, &fixture->error));
    struct seen_list list = fixture_read_all(fixture, topic, 0, MR_LOG_OFFSET_EARLIEST);
    assert_int_equal(list.count, 6);
    assert_string_equal(list.items[0].value, "4");
    int64_t offset = -9;
    REQUIRE_OK(fixture, ops->offset_find(fixture->log, topic, 0, MR_LOG_OFFSET_EARLIEST, &offset,
                                         &fixture->error));
    assert_int_equal(offset, 4);
    assert_int_equal(fixture_read_all(fixture, topic, 1, MR_LOG_OFFSET_EARLIEST).count, 2);
    /* Everything, then more: offsets go on where they were. */
    REQUIRE_OK(fixture, ops->records_delete(fixture->log, topic, 0, 10, &fixture->error));
    fixture_write_numbers(fixture, topic, 0, 10, 1);
    list = fixture_read_all(fixture, topic, 0, MR_LOG_OFFSET_EARLIEST);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].value, "10");
    assert_true(list.items[0].offset >= 10);
}

static void test_idempotent_producer_commits_by_flush(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = fixture->log->ops;
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    struct mr_log_producer *producer = fixture_producer(fixture, NULL);
    int64_t offset = -1;
    for (uint32_t i = 0; i < 3; i++) {
        struct mr_log_record record = fixture_record(topic, 0, "k", "v");
        record.offset = &offset;
        REQUIRE_OK(fixture, ops->producer_send(producer, &record, 1, &fixture->error));
        REQUIRE_OK(fixture, ops->producer_flush(producer, &fixture->error));
        assert_int_equal(offset, i);
    }
    ops->producer_destroy(producer);
    assert_int_equal(fixture_read_all(fixture, topic, 0, 0).count, 3);
}

static void test_big_transaction(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = fixture->log->ops;
    enum { PARTITIONS = 4, RECORDS = 20000, VALUE_BYTES = 1000, CHUNK = 1000 };
    const char *topic = fixture_topic(fixture, PARTITIONS, MR_LOG_CLEANUP_DELETE);
    char *values = mr_memory_new(RECORDS, VALUE_BYTES);
    static struct mr_log_record records[CHUNK];
    struct mr_log_producer *producer = fixture_producer(fixture, fixture_id(fixture));
    REQUIRE_OK(fixture, ops->producer_begin(producer, &fixture->error));
    for (uint32_t i = 0; i < RECORDS; i++) {
        char *value = values + (size_t)i * VALUE_BYTES;
        memset(value, 'v', VALUE_BYTES);
        (void)snprintf(value, VALUE_BYTES, "%010" PRIu32, i);
        records[i % CHUNK] = (struct mr_log_record){.topic = topic,
                                                    .partition = (int32_t)(i % PARTITIONS),
                                                    .key_null = true,
                                                    .value = mr_slice_from(value, VALUE_BYTES),
                                                    .timestamp_ms = -1};
        if (i % CHUNK == CHUNK - 1)
            REQUIRE_OK(fixture, ops->producer_send(producer, records, CHUNK, &fixture->error));
    }
    REQUIRE_OK(fixture, ops->producer_commit(producer, &fixture->error));
    ops->producer_destroy(producer);
    mr_memory_free(values);
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        struct seen_list list = fixture_read_all(fixture, topic, partition, 0);
        assert_int_equal(list.count, RECORDS / PARTITIONS);
        for (uint32_t i = 0; i < list.count; i++)
            assert_int_equal(strtoll(list.items[i].value, NULL, 10),
                             (int64_t)i * PARTITIONS + partition);
    }
}

/* ---- The suite ---- */

static const struct mr_log_conformance *running;

static int suite_setup(void **state)
{
    struct fixture *fixture = mr_memory_new(1, sizeof(*fixture));
    fixture->conformance = running;
    (void)snprintf(fixture->prefix, sizeof(fixture->prefix), "conformance-%016" PRIx64,
                   mr_random_fresh_id());
    for (uint32_t i = 0; i < FIXTURE_TOPICS_MAX; i++)
        fixture->topics[i] = mr_memory_new(1, 64);
    mr_arena_init(&fixture->arena, 1 << 20);
    if (running->create(&fixture->log, &fixture->error) != MR_OK) {
        print_error("cannot create the log: %s\n", fixture->error.message);
        return -1;
    }
    *state = fixture;
    return 0;
}

static int suite_teardown(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < fixture->topics_count; i++)
        (void)fixture->log->ops->topic_delete(fixture->log, fixture->topics[i], &fixture->error);
    fixture->log->ops->close(fixture->log);
    for (uint32_t i = 0; i < FIXTURE_TOPICS_MAX; i++)
        mr_memory_free(fixture->topics[i]);
    mr_arena_deinit(&fixture->arena);
    mr_memory_free(fixture);
    return 0;
}

static int test_teardown(void **state)
{
    struct fixture *fixture = *state;
    mr_arena_reset(&fixture->arena);
    return 0;
}

#define CONFORMANCE(test) cmocka_unit_test_teardown(test, test_teardown)

int mr_log_conformance_run(const struct mr_log_conformance *conformance)
{
    running = conformance;
    const struct CMUnitTest tests[] = {
        CONFORMANCE(test_cluster_id_is_stable),
        CONFORMANCE(test_topics),
        CONFORMANCE(test_topic_id_changes_when_created_anew),
        CONFORMANCE(test_topic_grows),
        CONFORMANCE(test_invisible_until_commit),
        CONFORMANCE(test_destroyed_transaction_is_never_seen),
        CONFORMANCE(test_newer_producer_fences),
        CONFORMANCE(test_fence_after_commit_keeps_the_commit),
        CONFORMANCE(test_order_per_partition),
        CONFORMANCE(test_offsets_are_written_before_commit_returns),
        CONFORMANCE(test_nulls_and_empty_bytes),
        CONFORMANCE(test_headers),
        CONFORMANCE(test_timestamps_and_offset_find),
        CONFORMANCE(test_records_delete),
        CONFORMANCE(test_idempotent_producer_commits_by_flush),
        CONFORMANCE(test_big_transaction),
        CONFORMANCE(log_test_end_of_partition),
        CONFORMANCE(log_test_no_end_events_unless_asked),
        CONFORMANCE(log_test_add_and_remove),
        CONFORMANCE(log_test_pause),
        CONFORMANCE(log_test_two_consumers),
        CONFORMANCE(log_test_lagging_consumer),
        CONFORMANCE(log_test_latest),
        CONFORMANCE(log_test_fetches_outlive_their_records),
        CONFORMANCE(log_test_offset_that_is_not_there),
        CONFORMANCE(log_test_poll_waits),
        CONFORMANCE(log_test_read_to_end),
        CONFORMANCE(log_test_write_once_and_fence),
        CONFORMANCE(log_test_poll_wakes),
        CONFORMANCE(log_test_threads),
        CONFORMANCE(log_test_fencing_race),
    };
    return cmocka_run_group_tests_name(conformance->name, tests, suite_setup, suite_teardown);
}
