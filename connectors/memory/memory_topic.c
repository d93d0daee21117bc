/* connectors/memory/memory_topic.c — topics and partitions: append, seek, advance, trim.
 * Design: everything here runs under the log's lock and costs at most a few steps per segment; the
 * one exception is mr_memory_partition_advance, which walks the first segment's record sizes from
 * where it last stopped, so that a reader's backlog is known to the byte. Without that a topic of
 * many partitions whose last segments are all passed would look full for ever. */
#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"
#include "connectors/memory/memory_internal.h"

#include <inttypes.h>
#include <stdio.h>

struct mr_memory_topic *mr_memory_topic_find(struct mr_memory_log *log, const char *name)
{
    for (uint32_t i = 0; i < log->topics_count; i++) {
        if (strcmp(log->topics[i]->name, name) == 0)
            return log->topics[i];
    }
    return NULL;
}

enum mr_status mr_memory_partition_find(struct mr_memory_log *log, const char *name,
                                        int32_t partition, struct mr_memory_topic **topic,
                                        struct mr_error *error)
{
    *topic = mr_memory_topic_find(log, name);
    if (*topic == NULL)
        return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                       "There is no topic '%s' in the memory log.", name);
    if (partition < 0 || partition >= (*topic)->partitions_count)
        return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Topic '%s' has %" PRId32 " partitions; there is no partition %" PRId32 ".",
                       name, (*topic)->partitions_count, partition);
    return MR_OK;
}

void mr_memory_topic_grow(struct mr_memory_topic *topic, int32_t partitions_count)
{
    size_t count = (size_t)partitions_count;
    topic->partitions =
        mr_memory_resize(topic->partitions, count * sizeof(struct mr_memory_partition *));
    for (uint32_t i = 0; i < topic->readers_count; i++) {
        struct mr_memory_reader *reader = &topic->readers[i];
        reader->passed = mr_memory_resize(reader->passed, count * sizeof(int64_t));
        for (int32_t new = topic->partitions_count; new < partitions_count; new ++)
            reader->passed[new] = 0;
    }
    for (int32_t new = topic->partitions_count; new < partitions_count; new ++)
        topic->partitions[new] = mr_memory_new(1, sizeof(struct mr_memory_partition));
    topic->partitions_count = partitions_count;
}

struct mr_memory_topic *mr_memory_topic_new(struct mr_memory_log *log,
                                            const struct mr_log_topic_create *create)
{
    struct mr_memory_topic *topic = mr_memory_new(1, sizeof(*topic));
    topic->name = mr_memory_copy_text(create->name);
    snprintf(topic->id, sizeof(topic->id), "%016" PRIx64, mr_random_fresh_id());
    topic->references = 1;
    atomic_init(&topic->deleted, false);
    topic->cleanup = create->cleanup;
    topic->retention_unlimited = create->retention_ms == -1;
    mr_memory_topic_grow(topic, create->partitions_count);
    log->topics =
        mr_memory_resize(log->topics, (log->topics_count + 1u) * sizeof(struct mr_memory_topic *));
    log->topics[log->topics_count++] = topic;
    return topic;
}

void mr_memory_topic_clear(struct mr_memory_log *log, struct mr_memory_topic *topic)
{
    for (int32_t i = 0; i < topic->partitions_count; i++) {
        struct mr_memory_partition *partition = topic->partitions[i];
        for (uint32_t index = 0; index < partition->count; index++)
            mr_memory_segment_release(log, mr_memory_partition_segment(partition, index));
        mr_memory_free(partition->segments);
        partition->segments = NULL;
        partition->first = partition->count = partition->capacity = 0;
        partition->used_bytes = partition->memory_bytes = 0;
        partition->start_position = 0;
        partition->start_offset = partition->end_offset;
    }
}

void mr_memory_topic_release(struct mr_memory_log *log, struct mr_memory_topic *topic)
{
    MR_ASSERT(topic->references > 0);
    if (--topic->references > 0)
        return;
    mr_memory_topic_clear(log, topic);
    mr_memory_readers_destroy(topic);
    for (int32_t i = 0; i < topic->partitions_count; i++)
        mr_memory_free(topic->partitions[i]);
    mr_memory_free(topic->partitions);
    mr_memory_free(topic->name);
    mr_memory_free(topic);
}

/* ---- Append ---- */

static void push(struct mr_memory_partition *partition, struct mr_memory_segment *segment)
{
    if (partition->first + partition->count == partition->capacity) {
        if (partition->first > partition->count) {
            memmove(partition->segments, partition->segments + partition->first,
                    partition->count * sizeof(struct mr_memory_segment *));
            partition->first = 0;
        } else {
            partition->capacity = partition->capacity == 0 ? 4 : partition->capacity * 2;
            partition->segments = mr_memory_resize(
                partition->segments, partition->capacity * sizeof(struct mr_memory_segment *));
        }
    }
    partition->segments[partition->first + partition->count++] = segment;
    partition->used_bytes += segment->bytes_used;
    partition->memory_bytes += segment->capacity;
    partition->tail_sealed = false;
}

void mr_memory_partition_append(struct mr_memory_log *log, struct mr_memory_topic *topic,
                                int32_t partition_index, struct mr_memory_segment *chain)
{
    struct mr_memory_partition *partition = topic->partitions[partition_index];
    while (chain != NULL) {
        struct mr_memory_segment *next = chain->next;
        chain->next = NULL;
        chain->serial = ++log->serial;
        chain->base_offset = partition->end_offset;
        chain->end_offset = chain->base_offset + chain->records_count;
        partition->end_offset = chain->end_offset;
        push(partition, chain);
        chain = next;
    }
}

void mr_memory_partition_copy(struct mr_memory_log *log, struct mr_memory_topic *topic,
                              int32_t partition_index, const struct mr_memory_segment *source)
{
    struct mr_memory_partition *partition = topic->partitions[partition_index];
    struct mr_memory_segment *tail = NULL;
    uint32_t class_index = 0;
    if (partition->count > 0) {
        tail = mr_memory_partition_segment(partition, partition->count - 1);
        while (class_index < log->class_max &&
               (size_t)MR_MEMORY_SEGMENT_BYTES_MIN << class_index <= tail->capacity)
            class_index++;
    }
    if (tail == NULL || partition->tail_sealed ||
        tail->capacity - tail->bytes_used < source->bytes_used ||
        partition->end_offset + source->records_count - tail->base_offset > (int64_t)UINT32_MAX) {
        tail = mr_memory_segment_take(log, class_index, source->bytes_used);
        tail->serial = ++log->serial;
        tail->base_offset = tail->end_offset = partition->end_offset;
        push(partition, tail);
    }
    for (size_t position = 0; position < source->bytes_used;) {
        const struct mr_memory_record *record = mr_memory_segment_record(source, position);
        mr_memory_record_copy(tail, record, partition->end_offset++);
        position += mr_memory_stored_size(record);
    }
    partition->used_bytes += source->bytes_used;
}

void mr_memory_partition_replace(struct mr_memory_log *log, struct mr_memory_partition *partition,
                                 uint32_t replaced, struct mr_memory_segment *const *segments,
                                 uint32_t count)
{
    MR_ASSERT(replaced <= partition->count);
    struct mr_memory_partition before = *partition;
    partition->segments = NULL;
    partition->first = partition->count = partition->capacity = 0;
    partition->used_bytes = partition->memory_bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        segments[i]->serial = ++log->serial;
        push(partition, segments[i]);
    }
    partition->compacted_bytes = partition->used_bytes;
    for (uint32_t i = replaced; i < before.count; i++)
        push(partition, mr_memory_partition_segment(&before, i));
    /* A copy is as large as what it holds, so nothing may be appended behind it. */
    partition->tail_sealed = replaced == before.count || before.tail_sealed;
    for (uint32_t i = 0; i < replaced; i++)
        mr_memory_segment_release(log, mr_memory_partition_segment(&before, i));
    mr_memory_free(before.segments);
}

/* ---- Seek, advance, trim ---- */

uint32_t mr_memory_partition_seek(const struct mr_memory_partition *partition, int64_t offset)
{
    uint32_t low = 0;
    uint32_t high = partition->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (mr_memory_partition_segment(partition, middle)->end_offset > offset)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void pop(struct mr_memory_log *log, struct mr_memory_partition *partition)
{
    struct mr_memory_segment *segment = mr_memory_partition_segment(partition, 0);
    partition->first++;
    partition->count--;
    partition->used_bytes -= segment->bytes_used;
    partition->memory_bytes -= segment->capacity;
    partition->start_position = 0;
    if (partition->count == 0) {
        partition->first = 0;
        partition->tail_sealed = false;
    }
    mr_memory_segment_release(log, segment);
}

void mr_memory_partition_advance(struct mr_memory_log *log, struct mr_memory_partition *partition,
                                 int64_t offset)
{
    if (offset <= partition->start_offset)
        return;
    MR_ASSERT(offset <= partition->end_offset);
    partition->start_offset = offset;
    while (partition->count > 0 && mr_memory_partition_segment(partition, 0)->end_offset <= offset)
        pop(log, partition);
    if (partition->count == 0)
        return;
    const struct mr_memory_segment *segment = mr_memory_partition_segment(partition, 0);
    while (partition->start_position < segment->bytes_used) {
        const struct mr_memory_record *record =
            mr_memory_segment_record(segment, partition->start_position);
        if (segment->base_offset + record->offset_delta >= offset)
            break;
        partition->start_position += mr_memory_stored_size(record);
    }
}

bool mr_memory_topic_is_read(const struct mr_memory_topic *topic)
{
    return topic->readers_count > 0 || topic->retention_unlimited;
}

void mr_memory_topic_enforce(struct mr_memory_log *log, struct mr_memory_topic *topic)
{
    if (mr_memory_topic_is_read(topic) || topic->cleanup == MR_LOG_CLEANUP_COMPACT)
        return;
    uint64_t memory_bytes = 0;
    uint32_t segments_count = 0;
    for (int32_t i = 0; i < topic->partitions_count; i++) {
        memory_bytes += topic->partitions[i]->memory_bytes;
        segments_count += topic->partitions[i]->count;
    }
    while (memory_bytes > log->topic_bytes_max && segments_count > 1) {
        struct mr_memory_partition *oldest = NULL;
        for (int32_t i = 0; i < topic->partitions_count; i++) {
            struct mr_memory_partition *partition = topic->partitions[i];
            if (partition->count > 0 &&
                (oldest == NULL || mr_memory_partition_segment(partition, 0)->serial <
                                       mr_memory_partition_segment(oldest, 0)->serial))
                oldest = partition;
        }
        MR_ASSERT(oldest != NULL);
        const struct mr_memory_segment *segment = mr_memory_partition_segment(oldest, 0);
        topic->statistics.dropped_records += (uint64_t)(segment->end_offset - oldest->start_offset);
        topic->statistics.dropped_bytes += segment->capacity;
        memory_bytes -= segment->capacity;
        segments_count--;
        mr_memory_partition_advance(log, oldest, segment->end_offset);
    }
}

uint64_t mr_memory_topic_pending_bytes(const struct mr_memory_topic *topic)
{
    uint64_t bytes = 0;
    for (int32_t i = 0; i < topic->partitions_count; i++)
        bytes += topic->partitions[i]->used_bytes - topic->partitions[i]->start_position;
    return bytes;
}
