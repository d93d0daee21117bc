/* tests/unit/connectors/memory_helpers.h — a small memory log to test limits on, and shorthands. */
#ifndef MR_TESTS_MEMORY_HELPERS_H
#define MR_TESTS_MEMORY_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "connectors/connector.h"
#include "connectors/memory/memory_internal.h"

static inline struct mr_log *helper_log(uint64_t topic_bytes_max, int64_t delete_retention_ms)
{
    struct mr_log *log = NULL;
    struct mr_error error;
    struct mr_memory_log_open open = {.topic_bytes_max = topic_bytes_max,
                                      .delete_retention_ms = delete_retention_ms};
    assert_int_equal(mr_memory_log_create(&open, &log, &error), MR_OK);
    return log;
}

static inline void helper_topic(struct mr_log *log, const char *name, int32_t partitions_count,
                                enum mr_log_cleanup cleanup, int64_t retention_ms)
{
    struct mr_error error;
    struct mr_log_topic_create create = {.name = name,
                                         .partitions_count = partitions_count,
                                         .replication_factor = -1,
                                         .cleanup = cleanup,
                                         .retention_ms = retention_ms};
    assert_int_equal(log->ops->topic_create(log, &create, &error), MR_OK);
}

/* One transaction of count records of value_bytes each; the offset of the last. */
static inline int64_t helper_write(struct mr_log *log, const char *topic, int32_t partition,
                                   uint32_t count, size_t value_bytes)
{
    static const uint8_t zeros[1 << 16];
    assert_true(value_bytes <= sizeof(zeros));
    struct mr_error error;
    struct mr_log_producer *producer = NULL;
    int64_t offset = -1;
    struct mr_log_producer_options options = {.transactional_id = "helper"};
    struct mr_log_record record = {.topic = topic,
                                   .partition = partition,
                                   .key_null = true,
                                   .value = mr_slice_from(zeros, value_bytes),
                                   .timestamp_ms = 1};
    assert_int_equal(log->ops->producer_create(log, &options, 0, &producer, &error), MR_OK);
    assert_int_equal(log->ops->producer_begin(producer, &error), MR_OK);
    for (uint32_t i = 0; i < count; i++) {
        record.offset = i + 1 == count ? &offset : NULL;
        assert_int_equal(log->ops->producer_send(producer, &record, 1, &error), MR_OK);
    }
    assert_int_equal(log->ops->producer_commit(producer, &error), MR_OK);
    log->ops->producer_destroy(producer);
    return offset;
}

/* One record with a key; value NULL: a tombstone. */
static inline void helper_put(struct mr_log *log, const char *topic, const char *key,
                              const char *value)
{
    struct mr_error error;
    struct mr_log_producer *producer = NULL;
    struct mr_log_producer_options options = {.transactional_id = "helper"};
    struct mr_log_record record = {.topic = topic,
                                   .key = mr_slice_text(key),
                                   .value = mr_slice_text(value == NULL ? "" : value),
                                   .value_null = value == NULL,
                                   .timestamp_ms = 1};
    assert_int_equal(log->ops->producer_create(log, &options, 0, &producer, &error), MR_OK);
    assert_int_equal(log->ops->producer_begin(producer, &error), MR_OK);
    assert_int_equal(log->ops->producer_send(producer, &record, 1, &error), MR_OK);
    assert_int_equal(log->ops->producer_commit(producer, &error), MR_OK);
    log->ops->producer_destroy(producer);
}

static inline void helper_passed(struct mr_log *log, const char *topic, int32_t partition,
                                 const char *reader, int64_t offset)
{
    struct mr_error error;
    assert_int_equal(log->ops->readers_passed(log, topic, partition, reader, offset, &error),
                     MR_OK);
}

static inline struct mr_memory_log_statistics helper_statistics(struct mr_log *log,
                                                                const char *topic)
{
    struct mr_memory_log_statistics statistics;
    mr_memory_log_statistics(log, topic, &statistics);
    return statistics;
}

#endif
