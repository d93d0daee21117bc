/* connectors/memory/memory_log.c — the memory log itself: topics, offsets, statistics, the ops
 * table. Nothing of it outlives the process. Retention by time is not kept: unread topics go by
 * size, read ones by what their readers have passed (connectors/log.h, readers_passed). */
#include "connectors/memory/memory_log.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "connectors/memory/memory_internal.h"

#include <inttypes.h>
#include <stdio.h>

static struct mr_memory_log *memory_of(struct mr_log *log)
{
    return (struct mr_memory_log *)log;
}

static void memory_close(struct mr_log *handle)
{
    if (handle == NULL)
        return;
    struct mr_memory_log *log = memory_of(handle);
    MR_ASSERT(log->clients_count == 0);
    for (uint32_t i = 0; i < log->topics_count; i++)
        mr_memory_topic_release(log, log->topics[i]);
    mr_memory_pool_destroy(log);
    mr_memory_free(log->topics);
    mr_memory_free(log->identities);
    pthread_mutex_destroy(&log->lock);
    pthread_mutex_destroy(&log->pool_lock);
    mr_memory_free(log);
}

static enum mr_status memory_cluster_id(struct mr_log *handle, char id[MR_LOG_ID_SIZE],
                                        struct mr_error *error)
{
    MR_UNUSED(error);
    memcpy(id, memory_of(handle)->cluster_id, MR_LOG_ID_SIZE);
    return MR_OK;
}

/* ---- Topics ---- */

static enum mr_status memory_topic_describe(struct mr_log *handle, const char *name,
                                            struct mr_log_topic *description,
                                            struct mr_error *error)
{
    struct mr_memory_log *log = memory_of(handle);
    pthread_mutex_lock(&log->lock);
    struct mr_memory_topic *topic = NULL;
    enum mr_status status = mr_memory_partition_find(log, name, 0, &topic, error);
    if (status == MR_OK) {
        memset(description, 0, sizeof(*description));
        memcpy(description->topic_id, topic->id, sizeof(topic->id));
        description->partitions_count = topic->partitions_count;
        description->message_bytes_max = MR_MEMORY_MESSAGE_BYTES_MAX;
        description->delete_retention_ms = log->delete_retention_ms;
    }
    pthread_mutex_unlock(&log->lock);
    return status;
}

static enum mr_status memory_topic_create(struct mr_log *handle,
                                          const struct mr_log_topic_create *create,
                                          struct mr_error *error)
{
    if (create->partitions_count < 1 || create->partitions_count > MR_LIMIT_PARTITIONS)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Topic '%s' cannot have %" PRId32 " partitions: 1 to %d are possible.",
                       create->name, create->partitions_count, MR_LIMIT_PARTITIONS);
    struct mr_memory_log *log = memory_of(handle);
    pthread_mutex_lock(&log->lock);
    if (mr_memory_topic_find(log, create->name) == NULL)
        mr_memory_topic_new(log, create);
    pthread_mutex_unlock(&log->lock);
    return MR_OK;
}

static enum mr_status memory_topic_grow(struct mr_log *handle, const char *name,
                                        int32_t partitions_count, struct mr_error *error)
{
    struct mr_memory_log *log = memory_of(handle);
    pthread_mutex_lock(&log->lock);
    struct mr_memory_topic *topic = NULL;
    enum mr_status status = mr_memory_partition_find(log, name, 0, &topic, error);
    if (status == MR_OK && partitions_count > MR_LIMIT_PARTITIONS)
        status = MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                         "Topic '%s' cannot have %" PRId32 " partitions: at most %d are possible.",
                         name, partitions_count, MR_LIMIT_PARTITIONS);
    if (status == MR_OK && partitions_count > topic->partitions_count)
        mr_memory_topic_grow(topic, partitions_count);
    pthread_mutex_unlock(&log->lock);
    return status;
}

static enum mr_status memory_topic_delete(struct mr_log *handle, const char *name,
                                          struct mr_error *error)
{
    struct mr_memory_log *log = memory_of(handle);
    pthread_mutex_lock(&log->lock);
    struct mr_memory_topic *topic = NULL;
    enum mr_status status = mr_memory_partition_find(log, name, 0, &topic, error);
    for (uint32_t i = 0; status == MR_OK && i < log->topics_count; i++) {
        if (log->topics[i] != topic)
            continue;
        log->topics[i] = log->topics[--log->topics_count];
        atomic_store(&topic->deleted, true);
        mr_memory_topic_clear(log, topic);
        for (int32_t partition = 0; partition < topic->partitions_count; partition++)
            mr_memory_subscribers_wake(topic->partitions[partition]);
        mr_memory_topic_release(log, topic);
        break;
    }
    pthread_mutex_unlock(&log->lock);
    return status;
}

static enum mr_status memory_topics_list(struct mr_log *handle,
                                         void (*visit)(void *argument, const char *name),
                                         void *argument, struct mr_error *error)
{
    MR_UNUSED(error);
    /* Names are copied first, so that visit may call the log. */
    struct mr_memory_log *log = memory_of(handle);
    pthread_mutex_lock(&log->lock);
    uint32_t count = log->topics_count;
    char **names = mr_memory_new(count + 1u, sizeof(char *));
    for (uint32_t i = 0; i < count; i++)
        names[i] = mr_memory_copy_text(log->topics[i]->name);
    pthread_mutex_unlock(&log->lock);
    for (uint32_t i = 0; i < count; i++) {
        visit(argument, names[i]);
        mr_memory_free(names[i]);
    }
    mr_memory_free(names);
    return MR_OK;
}

/* ---- Offsets ---- */

/* The first offset at or after a time, or the end. */
static int64_t offset_at_time(const struct mr_memory_partition *partition, int64_t time_ms)
{
    for (uint32_t i = 0; i < partition->count; i++) {
        const struct mr_memory_segment *segment = mr_memory_partition_segment(partition, i);
        if (segment->timestamp_ms_max < time_ms)
            continue;
        for (size_t position = 0; position < segment->bytes_used;) {
            const struct mr_memory_record *record = mr_memory_segment_record(segment, position);
            int64_t offset = segment->base_offset + record->offset_delta;
            if (record->timestamp_ms >= time_ms && offset >= partition->start_offset)
                return offset;
            position += mr_memory_stored_size(record);
        }
    }
    return partition->end_offset;
}

static enum mr_status memory_offset_find(struct mr_log *handle, const char *name,
                                         int32_t partition_index, int64_t at, int64_t *offset,
                                         struct mr_error *error)
{
    struct mr_memory_log *log = memory_of(handle);
    pthread_mutex_lock(&log->lock);
    struct mr_memory_topic *topic = NULL;
    enum mr_status status = mr_memory_partition_find(log, name, partition_index, &topic, error);
    if (status == MR_OK) {
        const struct mr_memory_partition *partition = topic->partitions[partition_index];
        if (at == MR_LOG_OFFSET_EARLIEST)
            *offset = partition->start_offset;
        else if (at == MR_LOG_OFFSET_LATEST)
            *offset = partition->end_offset;
        else
            *offset = offset_at_time(partition, at);
    }
    pthread_mutex_unlock(&log->lock);
    return status;
}

static enum mr_status memory_records_delete(struct mr_log *handle, const char *name,
                                            int32_t partition_index, int64_t offset,
                                            struct mr_error *error)
{
    struct mr_memory_log *log = memory_of(handle);
    pthread_mutex_lock(&log->lock);
    struct mr_memory_topic *topic = NULL;
    enum mr_status status = mr_memory_partition_find(log, name, partition_index, &topic, error);
    if (status == MR_OK && topic->cleanup == MR_LOG_CLEANUP_COMPACT)
        status = MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                         "Topic '%s' is compacted; its records cannot be deleted by offset.", name);
    if (status == MR_OK && offset > topic->partitions[partition_index]->end_offset)
        status =
            MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                    "Topic '%s' partition %" PRId32 " ends at offset %" PRId64
                    "; records below %" PRId64 " cannot be deleted.",
                    name, partition_index, topic->partitions[partition_index]->end_offset, offset);
    if (status == MR_OK && offset > topic->partitions[partition_index]->start_offset) {
        mr_memory_partition_advance(log, topic->partitions[partition_index], offset);
        topic->progress_ms = mr_clock_monotonic_ms();
    }
    pthread_mutex_unlock(&log->lock);
    return status;
}

/* There are no tools beside this process that could read a group's offsets. */
static enum mr_status memory_offsets_mirror(struct mr_log *handle, const char *group,
                                            const struct mr_log_assignment *offsets, uint32_t count,
                                            struct mr_error *error)
{
    MR_UNUSED(handle);
    MR_UNUSED(group);
    MR_UNUSED(offsets);
    MR_UNUSED(count);
    MR_UNUSED(error);
    return MR_OK;
}

/* ---- Statistics ---- */

static void statistics_add(const struct mr_memory_topic *topic,
                           struct mr_memory_log_statistics *sum)
{
    sum->topics_count++;
    sum->pending_bytes += mr_memory_topic_pending_bytes(topic);
    sum->dropped_records += topic->statistics.dropped_records;
    sum->dropped_bytes += topic->statistics.dropped_bytes;
    sum->compactions_count += topic->statistics.compactions_count;
    sum->let_through_count += topic->statistics.let_through_count;
    for (int32_t i = 0; i < topic->partitions_count; i++) {
        const struct mr_memory_partition *partition = topic->partitions[i];
        sum->memory_bytes += partition->memory_bytes;
        for (uint32_t index = 0; index < partition->count; index++)
            sum->records_count += mr_memory_partition_segment(partition, index)->records_count;
        if (partition->count > 0 && topic->cleanup == MR_LOG_CLEANUP_DELETE)
            sum->records_count -=
                (uint64_t)(partition->start_offset -
                           mr_memory_partition_segment(partition, 0)->base_offset);
    }
}

void mr_memory_log_statistics(struct mr_log *handle, const char *topic,
                              struct mr_memory_log_statistics *statistics)
{
    struct mr_memory_log *log = memory_of(handle);
    memset(statistics, 0, sizeof(*statistics));
    pthread_mutex_lock(&log->lock);
    for (uint32_t i = 0; i < log->topics_count; i++) {
        if (topic == NULL || strcmp(log->topics[i]->name, topic) == 0)
            statistics_add(log->topics[i], statistics);
    }
    pthread_mutex_unlock(&log->lock);
}

/* ---- Creation ---- */

static const struct mr_log_ops memory_ops = {
    .name = "memory",
    .close = memory_close,
    .cluster_id = memory_cluster_id,
    .topic_describe = memory_topic_describe,
    .topic_create = memory_topic_create,
    .topic_grow = memory_topic_grow,
    .topic_delete = memory_topic_delete,
    .topics_list = memory_topics_list,
    .offset_find = memory_offset_find,
    .records_delete = memory_records_delete,
    .readers_passed = mr_memory_readers_passed,
    .over_limit = mr_memory_over_limit,
    .offsets_mirror = memory_offsets_mirror,
    .consumer_create = mr_memory_consumer_create,
    .consumer_destroy = mr_memory_consumer_destroy,
    .consumer_add = mr_memory_consumer_add,
    .consumer_remove = mr_memory_consumer_remove,
    .consumer_pause = mr_memory_consumer_pause,
    .consumer_poll = mr_memory_consumer_poll,
    .fetch_release = mr_memory_fetch_release,
    .message_headers = mr_memory_message_headers,
    .producer_create = mr_memory_producer_create,
    .producer_destroy = mr_memory_producer_destroy,
    .producer_begin = mr_memory_producer_begin,
    .producer_send = mr_memory_producer_send,
    .producer_flush = mr_memory_producer_flush,
    .producer_commit = mr_memory_producer_commit,
};

enum mr_status mr_memory_log_create(const struct mr_memory_log_open *open, struct mr_log **result,
                                    struct mr_error *error)
{
    MR_UNUSED(error);
    struct mr_memory_log *log = mr_memory_new(1, sizeof(*log));
    log->log.ops = &memory_ops;
    log->topic_bytes_max =
        open->topic_bytes_max == 0 ? MR_MEMORY_TOPIC_BYTES_MAX : open->topic_bytes_max;
    while (log->class_max + 1u < MR_MEMORY_SEGMENT_CLASSES && (uint64_t)MR_MEMORY_SEGMENT_BYTES_MIN
                                                                      << (log->class_max + 1u) <=
                                                                  log->topic_bytes_max / 8)
        log->class_max++;
    log->delete_retention_ms =
        open->delete_retention_ms == 0 ? MR_MEMORY_DELETE_RETENTION_MS : open->delete_retention_ms;
    snprintf(log->cluster_id, sizeof(log->cluster_id), "memory-%016" PRIx64, mr_random_fresh_id());
    pthread_mutex_init(&log->lock, NULL);
    pthread_mutex_init(&log->pool_lock, NULL);
    *result = &log->log;
    return MR_OK;
}
