/* tests/conformance/log_fixture.c — see log_fixture.h. */
#include "tests/conformance/log_fixture.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

const char *fixture_topic(struct fixture *fixture, int32_t partitions_count,
                          enum mr_log_cleanup cleanup)
{
    assert_true(fixture->topics_count < FIXTURE_TOPICS_MAX);
    char *name = fixture->topics[fixture->topics_count];
    (void)snprintf(name, 64, "%s-%" PRIu32, fixture->prefix, fixture->topics_count);
    fixture->topics_count++;
    struct mr_log_topic_create create = {.name = name,
                                         .partitions_count = partitions_count,
                                         .replication_factor = -1,
                                         .cleanup = cleanup,
                                         .retention_ms = -1};
    REQUIRE_OK(fixture, fixture->log->ops->topic_create(fixture->log, &create, &fixture->error));
    return name;
}

const char *fixture_id(struct fixture *fixture)
{
    return mr_arena_format(&fixture->arena, "%s-id-%" PRIu32, fixture->prefix, fixture->serial++);
}

struct mr_log_producer *fixture_producer(struct fixture *fixture, const char *id)
{
    struct mr_log_producer_options options = {
        .transactional_id = id, .transaction_timeout_ms = 30000, .queued_bytes_max = 64 << 20};
    struct mr_log_producer *producer = NULL;
    REQUIRE_OK(fixture, fixture->log->ops->producer_create(fixture->log, &options,
                                                           fixture->conformance->patience_ms,
                                                           &producer, &fixture->error));
    return producer;
}

struct mr_log_record fixture_record(const char *topic, int32_t partition, const char *key,
                                    const char *value)
{
    struct mr_log_record record = {.topic = topic, .partition = partition, .timestamp_ms = -1};
    record.key_null = key == NULL;
    record.value_null = value == NULL;
    if (key != NULL)
        record.key = mr_slice_text(key);
    if (value != NULL)
        record.value = mr_slice_text(value);
    return record;
}

void fixture_write(struct fixture *fixture, const struct mr_log_record *records, uint32_t count)
{
    const struct mr_log_ops *ops = fixture->log->ops;
    struct mr_log_producer *producer = fixture_producer(fixture, fixture_id(fixture));
    REQUIRE_OK(fixture, ops->producer_begin(producer, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_send(producer, records, count, &fixture->error));
    REQUIRE_OK(fixture, ops->producer_commit(producer, &fixture->error));
    ops->producer_destroy(producer);
}

void fixture_write_numbers(struct fixture *fixture, const char *topic, int32_t partition,
                           uint32_t first, uint32_t count)
{
    struct mr_log_record *records = mr_arena_new(&fixture->arena, count, sizeof(*records));
    for (uint32_t i = 0; i < count; i++)
        records[i] = fixture_record(topic, partition, NULL,
                                    mr_arena_format(&fixture->arena, "%" PRIu32, first + i));
    fixture_write(fixture, records, count);
}

struct mr_log_consumer *fixture_consumer(struct fixture *fixture, const char *topic,
                                         int32_t partition, int64_t offset)
{
    const struct mr_log_ops *ops = fixture->log->ops;
    struct mr_log_consumer_options options = {.end_of_partition = true,
                                              .queued_bytes_max = 16 << 20};
    struct mr_log_consumer *consumer = NULL;
    REQUIRE_OK(fixture, ops->consumer_create(fixture->log, &options, &consumer, &fixture->error));
    struct mr_log_assignment assignment = {
        .topic = topic, .partition = partition, .offset = offset, .tag = 7};
    if (topic != NULL)
        REQUIRE_OK(fixture, ops->consumer_add(consumer, &assignment, 1, &fixture->error));
    return consumer;
}

void fixture_keep(struct fixture *fixture, struct seen_list *list,
                  const struct mr_log_message *message)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity * 2 + 64;
        struct seen *items = mr_arena_new(&fixture->arena, capacity, sizeof(*items));
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->capacity = capacity;
    }
    struct seen *seen = &list->items[list->count++];
    memset(seen, 0, sizeof(*seen));
    seen->offset = message->offset;
    seen->timestamp_ms = message->timestamp_ms;
    seen->tag = message->tag;
    if (!message->key_null)
        seen->key = mr_arena_copy_bytes_text(&fixture->arena, message->key.data, message->key.size);
    if (!message->value_null)
        seen->value =
            mr_arena_copy_bytes_text(&fixture->arena, message->value.data, message->value.size);
}

void fixture_read(struct fixture *fixture, struct mr_log_consumer *consumer, uint32_t messages_max,
                  uint32_t ends, struct seen_list *list)
{
    const struct mr_log_ops *ops = fixture->log->ops;
    uint64_t deadline_ms = mr_clock_monotonic_ms() + fixture->conformance->patience_ms;
    while (ends > 0) {
        if (mr_clock_monotonic_ms() > deadline_ms)
            fail_msg("no end of partition after %" PRIu32 " records", list->count);
        struct mr_log_fetch fetch;
        enum mr_status status =
            ops->consumer_poll(consumer, messages_max, 100, &fetch, &fixture->error);
        if (status == MR_AGAIN)
            continue;
        REQUIRE_OK(fixture, status);
        assert_true(fetch.messages_count <= messages_max);
        for (uint32_t i = 0; i < fetch.messages_count; i++) {
            const struct mr_log_message *message = &fetch.messages[i];
            if (message->event == MR_LOG_PARTITION_ERROR)
                fail_msg("partition error: %s", fetch.error.message);
            if (message->event == MR_LOG_RECORD) {
                fixture_keep(fixture, list, message);
                continue;
            }
            list->end = message->offset;
            ends -= ends > 0;
        }
        ops->fetch_release(consumer, &fetch);
    }
}

struct seen_list fixture_read_all(struct fixture *fixture, const char *topic, int32_t partition,
                                  int64_t offset)
{
    struct seen_list list = {0};
    struct mr_log_consumer *consumer = fixture_consumer(fixture, topic, partition, offset);
    fixture_read(fixture, consumer, 1000, 1, &list);
    fixture->log->ops->consumer_destroy(consumer);
    return list;
}
