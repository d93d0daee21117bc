/* connectors/memory/memory_producer.c — transactions: staged per partition, linked in at commit.
 * Design: a record is copied once, into a segment that belongs to the producer. Commit takes the
 * log's lock once, checks that no newer producer of the id exists and that no topic went away, and
 * links the segments in: readers see all of a transaction or nothing, and order per partition is
 * the order of sending. What was not committed is dropped with the producer, which is why fencing
 * needs no clean-up and a transaction needs no time-out: it hides nothing from anyone. Sending
 * never waits: limits hold at admission (memory_readers.c). Without a transactional id, records
 * become visible at flush, or earlier when 1 MiB is staged. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "connectors/memory/memory_internal.h"

#include <inttypes.h>

enum { NAMES_CACHED = 16, PUBLISH_BYTES = 1 << 20 };

struct stage {
    struct mr_memory_topic *topic;
    int32_t partition;
    bool touched;         /* in the list of this transaction */
    uint32_t class_index; /* of the next segment */
    struct mr_memory_segment *first;
    struct mr_memory_segment *last;
    uint32_t records_count;
    int64_t base_offset; /* after the commit */
};

struct producer_topic {
    struct mr_memory_topic *topic;
    struct stage **stages;    /* one per partition, NULL until it is used */
    int32_t partitions_count; /* as known here; topics grow */
};

struct offset_wish {
    int64_t *offset;
    struct stage *stage;
    uint32_t index; /* of the record in the stage */
};

/* Topics by the caller's pointer, good for one call of send. */
struct name_cached {
    const char *name;
    struct producer_topic *topic;
};

struct producer {
    struct mr_log_producer producer;
    struct mr_memory_identity *identity; /* NULL: not transactional */
    uint64_t epoch;
    bool open;   /* a transaction is */
    bool broken; /* a call failed: only destroy is left */
    struct producer_topic **topics;
    uint32_t topics_count;
    struct stage **touched;
    uint32_t touched_count;
    uint32_t touched_capacity;
    uint64_t staged_bytes;
    struct offset_wish *wishes;
    uint32_t wishes_count;
    uint32_t wishes_capacity;
    struct name_cached names[NAMES_CACHED];
};

static struct mr_memory_log *log_of(struct producer *producer)
{
    return (struct mr_memory_log *)producer->producer.log;
}

/* ---- Lifecycle ---- */

static struct mr_memory_identity *identity_take(struct mr_memory_log *log, const char *id)
{
    for (uint32_t i = 0; i < log->identities_count; i++) {
        if (strcmp(log->identities[i]->id, id) == 0)
            return log->identities[i];
    }
    struct mr_memory_identity *identity = mr_memory_new(1, sizeof(*identity));
    identity->id = mr_memory_copy_text(id);
    atomic_init(&identity->epoch, 0);
    log->identities = mr_memory_resize(log->identities, (log->identities_count + 1u) *
                                                            sizeof(struct mr_memory_identity *));
    log->identities[log->identities_count++] = identity;
    return identity;
}

static void identity_release(struct mr_memory_log *log, struct mr_memory_identity *identity)
{
    if (--identity->producers_count > 0)
        return;
    for (uint32_t i = 0; i < log->identities_count; i++) {
        if (log->identities[i] == identity) {
            log->identities[i] = log->identities[--log->identities_count];
            break;
        }
    }
    mr_memory_free(identity->id);
    mr_memory_free(identity);
}

enum mr_status mr_memory_producer_create(struct mr_log *log,
                                         const struct mr_log_producer_options *options,
                                         uint32_t wait_ms, struct mr_log_producer **result,
                                         struct mr_error *error)
{
    MR_UNUSED(wait_ms);
    MR_UNUSED(error);
    struct mr_memory_log *memory = (struct mr_memory_log *)log;
    struct producer *producer = mr_memory_new(1, sizeof(*producer));
    producer->producer.log = log;
    pthread_mutex_lock(&memory->lock);
    memory->clients_count++;
    if (options->transactional_id != NULL) {
        producer->identity = identity_take(memory, options->transactional_id);
        producer->identity->producers_count++;
        producer->epoch = atomic_fetch_add(&producer->identity->epoch, 1) + 1;
    }
    pthread_mutex_unlock(&memory->lock);
    *result = &producer->producer;
    return MR_OK;
}

static void stage_clear(struct mr_memory_log *log, struct stage *stage)
{
    while (stage->first != NULL) {
        struct mr_memory_segment *segment = stage->first;
        stage->first = segment->next;
        mr_memory_segment_release(log, segment);
    }
    stage->last = NULL;
    stage->records_count = 0;
}

static void producer_topic_destroy(struct mr_memory_log *log, struct producer_topic *topic)
{
    for (int32_t i = 0; i < topic->partitions_count; i++) {
        if (topic->stages[i] != NULL)
            stage_clear(log, topic->stages[i]);
        mr_memory_free(topic->stages[i]);
    }
    pthread_mutex_lock(&log->lock);
    mr_memory_topic_release(log, topic->topic);
    pthread_mutex_unlock(&log->lock);
    mr_memory_free(topic->stages);
    mr_memory_free(topic);
}

void mr_memory_producer_destroy(struct mr_log_producer *handle)
{
    if (handle == NULL)
        return;
    struct producer *producer = (struct producer *)handle;
    struct mr_memory_log *log = log_of(producer);
    for (uint32_t i = 0; i < producer->topics_count; i++)
        producer_topic_destroy(log, producer->topics[i]);
    pthread_mutex_lock(&log->lock);
    if (producer->identity != NULL)
        identity_release(log, producer->identity);
    log->clients_count--;
    pthread_mutex_unlock(&log->lock);
    mr_memory_free(producer->topics);
    mr_memory_free(producer->touched);
    mr_memory_free(producer->wishes);
    mr_memory_free(producer);
}

/* ---- Checks ---- */

static enum mr_status check_usable(struct producer *producer, struct mr_error *error)
{
    if (producer->identity != NULL && atomic_load(&producer->identity->epoch) != producer->epoch) {
        producer->broken = true;
        return MR_FAIL(error, MR_FENCED, MR_RECOVERY_REINCARNATE,
                       "A newer producer of the transactional id '%s' exists.",
                       producer->identity->id);
    }
    if (producer->broken)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_REINCARNATE,
                       "The producer failed before and can only be destroyed.");
    return MR_OK;
}

enum mr_status mr_memory_producer_begin(struct mr_log_producer *handle, struct mr_error *error)
{
    struct producer *producer = (struct producer *)handle;
    enum mr_status status = check_usable(producer, error);
    if (status != MR_OK)
        return status;
    if (producer->identity == NULL || producer->open)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_REINCARNATE,
                       producer->open ? "A transaction is open already."
                                      : "The producer has no transactional id.");
    producer->open = true;
    return MR_OK;
}

static enum mr_status check_record(const struct producer_topic *known,
                                   const struct mr_log_record *record, size_t size,
                                   struct mr_error *error)
{
    const struct mr_memory_topic *topic = known->topic;
    if (record->partition < 0 || record->partition >= known->partitions_count)
        return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Topic '%s' has %" PRId32 " partitions; there is no partition %" PRId32 ".",
                       topic->name, known->partitions_count, record->partition);
    if (size - sizeof(struct mr_memory_record) > MR_MEMORY_MESSAGE_BYTES_MAX + 8)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "A record of %zu bytes is too large for topic '%s', which takes %d.", size,
                       topic->name, MR_MEMORY_MESSAGE_BYTES_MAX);
    if (topic->cleanup == MR_LOG_CLEANUP_COMPACT && record->key_null)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "A record without a key cannot be written to the compacted topic '%s'.",
                       topic->name);
    return MR_OK;
}

/* ---- Send ---- */

static struct producer_topic *topic_known(struct producer *producer, const char *name)
{
    for (uint32_t i = 0; i < producer->topics_count; i++) {
        struct producer_topic *topic = producer->topics[i];
        if (strcmp(topic->topic->name, name) != 0)
            continue;
        if (!atomic_load(&topic->topic->deleted) || producer->touched_count > 0)
            return topic;
        /* Deleted, and perhaps created anew, between transactions. */
        producer->topics[i] = producer->topics[--producer->topics_count];
        producer_topic_destroy(log_of(producer), topic);
        return NULL;
    }
    return NULL;
}

static void partitions_learn(struct mr_memory_log *log, struct producer_topic *known)
{
    pthread_mutex_lock(&log->lock);
    int32_t partitions_count = known->topic->partitions_count;
    pthread_mutex_unlock(&log->lock);
    known->stages =
        mr_memory_resize(known->stages, (size_t)partitions_count * sizeof(struct stage *));
    for (; known->partitions_count < partitions_count; known->partitions_count++)
        known->stages[known->partitions_count] = NULL;
}

static struct stage *stage_of(struct producer_topic *known, int32_t partition)
{
    struct stage *stage = known->stages[partition];
    if (stage == NULL) {
        stage = mr_memory_new(1, sizeof(*stage));
        stage->topic = known->topic;
        stage->partition = partition;
        known->stages[partition] = stage;
    }
    return stage;
}

static enum mr_status topic_take(struct producer *producer, const char *name,
                                 struct producer_topic **result, struct mr_error *error)
{
    *result = topic_known(producer, name);
    if (*result != NULL)
        return MR_OK;
    struct mr_memory_log *log = log_of(producer);
    struct mr_memory_topic *topic = NULL;
    pthread_mutex_lock(&log->lock);
    enum mr_status status = mr_memory_partition_find(log, name, 0, &topic, error);
    if (status == MR_OK)
        topic->references++;
    pthread_mutex_unlock(&log->lock);
    if (status != MR_OK)
        return status;
    struct producer_topic *known = mr_memory_new(1, sizeof(*known));
    known->topic = topic;
    producer->topics = mr_memory_resize(producer->topics, (producer->topics_count + 1u) *
                                                              sizeof(struct producer_topic *));
    producer->topics[producer->topics_count++] = known;
    *result = known;
    return MR_OK;
}

static enum mr_status topic_cached(struct producer *producer, const char *name,
                                   struct producer_topic **result, struct mr_error *error)
{
    struct name_cached *cached = &producer->names[((uintptr_t)name >> 4) % NAMES_CACHED];
    if (cached->name != name) {
        enum mr_status status = topic_take(producer, name, &cached->topic, error);
        if (status != MR_OK)
            return status;
        cached->name = name;
    }
    *result = cached->topic;
    return MR_OK;
}

static void touch(struct producer *producer, struct stage *stage)
{
    if (producer->touched_count == producer->touched_capacity) {
        producer->touched_capacity = producer->touched_capacity * 2 + 16;
        producer->touched = mr_memory_resize(producer->touched,
                                             producer->touched_capacity * sizeof(struct stage *));
    }
    producer->touched[producer->touched_count++] = stage;
    stage->touched = true;
}

static void wish(struct producer *producer, struct stage *stage, int64_t *offset)
{
    if (producer->wishes_count == producer->wishes_capacity) {
        producer->wishes_capacity = producer->wishes_capacity * 2 + 64;
        producer->wishes = mr_memory_resize(producer->wishes,
                                            producer->wishes_capacity * sizeof(struct offset_wish));
    }
    producer->wishes[producer->wishes_count++] =
        (struct offset_wish){.offset = offset, .stage = stage, .index = stage->records_count};
}

static void stage_grow(struct mr_memory_log *log, struct stage *stage, size_t size)
{
    struct mr_memory_segment *segment = mr_memory_segment_take(log, stage->class_index, size);
    if (stage->last != NULL)
        stage->last->next = segment;
    else
        stage->first = segment;
    stage->last = segment;
    if (stage->class_index < log->class_max)
        stage->class_index++;
}

static enum mr_status send_one(struct producer *producer, const struct mr_log_record *record,
                               int64_t now_wall_ms, struct mr_error *error)
{
    struct producer_topic *topic = NULL;
    enum mr_status status = topic_cached(producer, record->topic, &topic, error);
    if (status != MR_OK)
        return status;
    size_t size = mr_memory_record_size(record);
    if (record->partition >= topic->partitions_count)
        partitions_learn(log_of(producer), topic);
    status = check_record(topic, record, size, error);
    if (status != MR_OK)
        return status;
    struct stage *stage = stage_of(topic, record->partition);
    if (!stage->touched)
        touch(producer, stage);
    if (stage->last == NULL || stage->last->capacity - stage->last->bytes_used < size)
        stage_grow(log_of(producer), stage, size);
    if (record->offset != NULL)
        wish(producer, stage, record->offset);
    mr_memory_record_append(stage->last, record, size, now_wall_ms);
    stage->records_count++;
    producer->staged_bytes += size;
    return MR_OK;
}

/* ---- Publish ---- */

static void stage_publish(struct mr_memory_log *log, struct stage *stage)
{
    struct mr_memory_partition *partition = stage->topic->partitions[stage->partition];
    stage->base_offset = partition->end_offset;
    if (stage->first == stage->last && stage->first->bytes_used <= MR_MEMORY_COPY_BYTES_MAX) {
        mr_memory_partition_copy(log, stage->topic, stage->partition, stage->first);
        stage->first->bytes_used = 0;
        stage->first->records_count = 0;
        stage->first->timestamp_ms_max = INT64_MIN;
    } else {
        mr_memory_partition_append(log, stage->topic, stage->partition, stage->first);
        stage->first = stage->last = NULL;
        stage->class_index = stage->class_index > 1 ? stage->class_index - 2 : 0;
    }
    stage->records_count = 0;
    stage->touched = false;
    mr_memory_subscribers_wake(partition);
    mr_memory_topic_enforce(log, stage->topic);
}

static enum mr_status publish_locked(struct producer *producer, struct mr_error *error)
{
    struct mr_memory_log *log = log_of(producer);
    enum mr_status status = check_usable(producer, error);
    if (status != MR_OK)
        return status;
    for (uint32_t i = 0; i < producer->touched_count; i++) {
        if (atomic_load(&producer->touched[i]->topic->deleted))
            return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                           "Topic '%s' was deleted while records for it were on their way.",
                           producer->touched[i]->topic->name);
    }
    for (uint32_t i = 0; i < producer->touched_count; i++)
        stage_publish(log, producer->touched[i]);
    return MR_OK;
}

static enum mr_status publish(struct producer *producer, struct mr_error *error)
{
    struct mr_memory_log *log = log_of(producer);
    pthread_mutex_lock(&log->lock);
    enum mr_status status = publish_locked(producer, error);
    uint32_t due_count = 0;
    for (uint32_t i = 0; status == MR_OK && i < producer->touched_count; i++) {
        struct stage *stage = producer->touched[i];
        if (mr_memory_compact_due(stage->topic, stage->partition)) {
            producer->touched[i] = producer->touched[due_count];
            producer->touched[due_count++] = stage;
        }
    }
    pthread_mutex_unlock(&log->lock);
    if (status != MR_OK) {
        producer->broken = true;
        return status;
    }
    for (uint32_t i = 0; i < producer->wishes_count; i++) {
        const struct offset_wish *one = &producer->wishes[i];
        *one->offset = one->stage->base_offset + one->index;
    }
    for (uint32_t i = 0; i < due_count; i++)
        mr_memory_compact(log, producer->touched[i]->topic, producer->touched[i]->partition);
    producer->touched_count = 0;
    producer->wishes_count = 0;
    producer->staged_bytes = 0;
    return MR_OK;
}

enum mr_status mr_memory_producer_send(struct mr_log_producer *handle,
                                       const struct mr_log_record *records, uint32_t count,
                                       struct mr_error *error)
{
    struct producer *producer = (struct producer *)handle;
    enum mr_status status = check_usable(producer, error);
    if (status != MR_OK)
        return status;
    if (producer->identity != NULL && !producer->open) {
        producer->broken = true;
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_REINCARNATE, "No transaction is open.");
    }
    memset(producer->names, 0, sizeof(producer->names));
    int64_t now_wall_ms = mr_clock_wall_ms();
    for (uint32_t i = 0; i < count && status == MR_OK; i++)
        status = send_one(producer, &records[i], now_wall_ms, error);
    if (status != MR_OK)
        producer->broken = true;
    else if (producer->identity == NULL && producer->staged_bytes >= PUBLISH_BYTES)
        status = publish(producer, error);
    return status;
}

enum mr_status mr_memory_producer_flush(struct mr_log_producer *handle, struct mr_error *error)
{
    struct producer *producer = (struct producer *)handle;
    if (producer->identity != NULL)
        return check_usable(producer, error);
    return publish(producer, error);
}

enum mr_status mr_memory_producer_commit(struct mr_log_producer *handle, struct mr_error *error)
{
    struct producer *producer = (struct producer *)handle;
    enum mr_status status = check_usable(producer, error);
    if (status != MR_OK)
        return status;
    if (!producer->open) {
        producer->broken = true;
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_REINCARNATE, "No transaction is open.");
    }
    status = publish(producer, error);
    if (status == MR_OK)
        producer->open = false;
    return status;
}
