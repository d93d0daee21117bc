/* connectors/memory/memory_readers.c — who reads a topic, how far, and when to hold sources back.
 * Design: limits hold at admission. A commit is never refused, since its inputs are already taken;
 * instead the worker asks over_limit before it polls a source upstream. The backlog of a topic is
 * what its slowest reader has not passed.
 * That alone could stop for good: in a cycle the source that would drain the topic may be one of
 * those held back. The log does not know the graph, so it goes by the symptom: when the topic is
 * over its limit and no reader has moved for a second, one caller in 50 ms is let through. Whatever
 * can drain then does, and a reader that is merely stuck costs a bounded trickle. */
#include "base/clock.h"
#include "base/memory.h"
#include "connectors/memory/memory_internal.h"

#include <inttypes.h>

void mr_memory_readers_destroy(struct mr_memory_topic *topic)
{
    for (uint32_t i = 0; i < topic->readers_count; i++) {
        mr_memory_free(topic->readers[i].name);
        mr_memory_free(topic->readers[i].passed);
    }
    mr_memory_free(topic->readers);
    topic->readers = NULL;
    topic->readers_count = 0;
}

static struct mr_memory_reader *reader_find(struct mr_memory_topic *topic, const char *name)
{
    for (uint32_t i = 0; i < topic->readers_count; i++) {
        if (strcmp(topic->readers[i].name, name) == 0)
            return &topic->readers[i];
    }
    return NULL;
}

static struct mr_memory_reader *reader_add(struct mr_memory_topic *topic, const char *name)
{
    topic->readers = mr_memory_resize(topic->readers, (topic->readers_count + 1u) *
                                                          sizeof(struct mr_memory_reader));
    struct mr_memory_reader *reader = &topic->readers[topic->readers_count++];
    reader->name = mr_memory_copy_text(name);
    reader->passed = mr_memory_new((size_t)topic->partitions_count, sizeof(int64_t));
    for (int32_t i = 0; i < topic->partitions_count; i++)
        reader->passed[i] = topic->partitions[i]->start_offset;
    return reader;
}

static void reader_remove(struct mr_memory_topic *topic, struct mr_memory_reader *reader)
{
    mr_memory_free(reader->name);
    mr_memory_free(reader->passed);
    *reader = topic->readers[--topic->readers_count];
}

/* Give back what every reader has passed. Compacted topics hold state: only compaction takes from
 * them. */
static void release_passed(struct mr_memory_log *log, struct mr_memory_topic *topic,
                           int32_t partition)
{
    if (topic->cleanup == MR_LOG_CLEANUP_COMPACT || topic->readers_count == 0)
        return;
    int64_t passed = INT64_MAX;
    for (uint32_t i = 0; i < topic->readers_count; i++) {
        if (topic->readers[i].passed[partition] < passed)
            passed = topic->readers[i].passed[partition];
    }
    mr_memory_partition_advance(log, topic->partitions[partition], passed);
}

static enum mr_status passed_locked(struct mr_memory_log *log, const char *topic_name,
                                    int32_t partition, const char *reader_name, int64_t offset,
                                    struct mr_error *error)
{
    struct mr_memory_topic *topic = NULL;
    enum mr_status status = mr_memory_partition_find(log, topic_name, partition, &topic, error);
    if (status != MR_OK)
        return status;
    if (offset < -1 || offset > topic->partitions[partition]->end_offset)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Reader '%s' cannot have passed offset %" PRId64
                       " of topic '%s' partition %" PRId32 ", which ends at %" PRId64 ".",
                       reader_name, offset, topic_name, partition,
                       topic->partitions[partition]->end_offset);
    struct mr_memory_reader *reader = reader_find(topic, reader_name);
    if (offset == -1) {
        if (reader != NULL)
            reader_remove(topic, reader);
        for (int32_t i = 0; i < topic->partitions_count; i++)
            release_passed(log, topic, i);
        mr_memory_topic_enforce(log, topic);
        return MR_OK;
    }
    if (reader == NULL)
        reader = reader_add(topic, reader_name);
    if (offset > reader->passed[partition]) {
        reader->passed[partition] = offset;
        topic->progress_ms = mr_clock_monotonic_ms();
        release_passed(log, topic, partition);
    }
    return MR_OK;
}

enum mr_status mr_memory_readers_passed(struct mr_log *log, const char *topic, int32_t partition,
                                        const char *reader_name, int64_t offset,
                                        struct mr_error *error)
{
    struct mr_memory_log *memory = (struct mr_memory_log *)log;
    pthread_mutex_lock(&memory->lock);
    enum mr_status status = passed_locked(memory, topic, partition, reader_name, offset, error);
    pthread_mutex_unlock(&memory->lock);
    return status;
}

static bool over_limit_locked(struct mr_memory_log *log, struct mr_memory_topic *topic)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    if (!mr_memory_topic_is_read(topic) || topic->cleanup == MR_LOG_CLEANUP_COMPACT ||
        mr_memory_topic_pending_bytes(topic) <= log->topic_bytes_max) {
        topic->over = false;
        return false;
    }
    if (!topic->over)
        topic->progress_ms = now_ms;
    topic->over = true;
    if (now_ms - topic->progress_ms < MR_MEMORY_STANDSTILL_MS ||
        now_ms - topic->let_through_ms < MR_MEMORY_LET_THROUGH_MS)
        return true;
    topic->let_through_ms = now_ms;
    topic->statistics.let_through_count++;
    return false;
}

bool mr_memory_over_limit(struct mr_log *log, const char *topic_name)
{
    struct mr_memory_log *memory = (struct mr_memory_log *)log;
    pthread_mutex_lock(&memory->lock);
    struct mr_memory_topic *topic = mr_memory_topic_find(memory, topic_name);
    bool over = topic != NULL && over_limit_locked(memory, topic);
    pthread_mutex_unlock(&memory->lock);
    return over;
}
