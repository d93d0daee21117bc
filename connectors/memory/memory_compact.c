/* connectors/memory/memory_compact.c — a compacted topic keeps the newest record of each key.
 * Design: the thread whose commit made a partition twice as large as after its last compaction
 * compacts it, so the cost per record stays constant and no thread of its own is needed. It seals
 * the segments under the lock, copies the survivors into new ones without it (segments do not
 * change), and puts them in place under the lock. Readers that were inside an old segment find
 * their place again by offset. A tombstone stays for delete_retention_ms: a store that was closed
 * at an older offset must still learn of the deletion when it is restored from there. Until then it
 * is the key's newest record. Cost: for a moment the partition's live data exists twice, and the
 * table takes 32 bytes a record. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "connectors/memory/memory_internal.h"

bool mr_memory_compact_due(const struct mr_memory_topic *topic, int32_t partition_index)
{
    const struct mr_memory_partition *partition = topic->partitions[partition_index];
    return topic->cleanup == MR_LOG_CLEANUP_COMPACT && !partition->compacting &&
           partition->used_bytes > 2 * partition->compacted_bytes + MR_MEMORY_COMPACT_BYTES_MIN;
}

struct entry {
    uint64_t hash;
    const struct mr_memory_record *record; /* the newest of its key; NULL: free */
};

struct compaction {
    struct mr_memory_log *log;
    struct mr_memory_segment **old;
    uint32_t old_count;
    struct mr_memory_segment **new;
    uint32_t new_count;
    uint32_t new_capacity;
    struct entry *entries;
    uint64_t mask;
    int64_t keep_sent_ms; /* tombstones sent at or after this stay */
};

static struct entry *entry_find(struct compaction *compaction,
                                const struct mr_memory_record *record)
{
    struct mr_slice key = mr_memory_stored_key(record);
    uint64_t hash = mr_hash64(key);
    uint64_t index = hash & compaction->mask;
    for (;; index = (index + 1) & compaction->mask) {
        struct entry *entry = &compaction->entries[index];
        if (entry->record == NULL) {
            entry->hash = hash;
            return entry;
        }
        if (entry->hash == hash && mr_slice_equal(mr_memory_stored_key(entry->record), key))
            return entry;
    }
}

static void find_newest(struct compaction *compaction)
{
    uint64_t records_count = 0;
    for (uint32_t i = 0; i < compaction->old_count; i++)
        records_count += compaction->old[i]->records_count;
    uint64_t size = 16;
    while (size < records_count * 2)
        size *= 2;
    compaction->mask = size - 1;
    compaction->entries = mr_memory_new(size, sizeof(struct entry));
    for (uint32_t i = 0; i < compaction->old_count; i++) {
        const struct mr_memory_segment *segment = compaction->old[i];
        for (size_t position = 0; position < segment->bytes_used;) {
            const struct mr_memory_record *record = mr_memory_segment_record(segment, position);
            entry_find(compaction, record)->record = record;
            position += mr_memory_stored_size(record);
        }
    }
}

static void keep(struct compaction *compaction, const struct mr_memory_record *record,
                 int64_t offset)
{
    size_t size = mr_memory_stored_size(record);
    struct mr_memory_segment *segment =
        compaction->new_count == 0 ? NULL : compaction->new[compaction->new_count - 1];
    if (segment == NULL || segment->capacity - segment->bytes_used < size ||
        offset - segment->base_offset > (int64_t)UINT32_MAX) {
        uint32_t class_index = segment == NULL ? 0 : MR_MEMORY_SEGMENT_CLASSES - 1;
        segment = mr_memory_segment_take(compaction->log, class_index, size);
        segment->base_offset = segment->end_offset = offset;
        if (compaction->new_count == compaction->new_capacity) {
            compaction->new_capacity += 64;
            compaction->new = mr_memory_resize(
                compaction->new, compaction->new_capacity * sizeof(struct mr_memory_segment *));
        }
        compaction->new[compaction->new_count++] = segment;
    }
    mr_memory_record_copy(segment, record, offset);
}

static void copy_survivors(struct compaction *compaction)
{
    for (uint32_t i = 0; i < compaction->old_count; i++) {
        const struct mr_memory_segment *segment = compaction->old[i];
        for (size_t position = 0; position < segment->bytes_used;) {
            const struct mr_memory_record *record = mr_memory_segment_record(segment, position);
            position += mr_memory_stored_size(record);
            if (entry_find(compaction, record)->record != record)
                continue;
            if (record->value_size == MR_MEMORY_NULL_SIZE &&
                mr_memory_tombstone_sent_ms(record) < compaction->keep_sent_ms)
                continue;
            keep(compaction, record, segment->base_offset + record->offset_delta);
        }
    }
}

/* False when there is nothing to do. */
static bool seal(struct compaction *compaction, struct mr_memory_topic *topic,
                 int32_t partition_index)
{
    bool sealed = false;
    pthread_mutex_lock(&compaction->log->lock);
    struct mr_memory_partition *partition = topic->partitions[partition_index];
    if (!partition->compacting && !atomic_load(&topic->deleted) && partition->count > 0) {
        partition->compacting = true;
        partition->tail_sealed = true;
        topic->references++;
        compaction->old_count = partition->count;
        compaction->old = mr_memory_new(partition->count, sizeof(struct mr_memory_segment *));
        for (uint32_t i = 0; i < partition->count; i++) {
            compaction->old[i] = mr_memory_partition_segment(partition, i);
            mr_memory_segment_retain(compaction->old[i]);
        }
        sealed = true;
    }
    pthread_mutex_unlock(&compaction->log->lock);
    return sealed;
}

static void put_in_place(struct compaction *compaction, struct mr_memory_topic *topic,
                         int32_t partition_index)
{
    pthread_mutex_lock(&compaction->log->lock);
    struct mr_memory_partition *partition = topic->partitions[partition_index];
    if (!atomic_load(&topic->deleted)) {
        MR_ASSERT(partition->count >= compaction->old_count);
        mr_memory_partition_replace(compaction->log, partition, compaction->old_count,
                                    compaction->new, compaction->new_count);
        compaction->new_count = 0;
        topic->statistics.compactions_count++;
    }
    partition->compacting = false;
    mr_memory_topic_release(compaction->log, topic);
    pthread_mutex_unlock(&compaction->log->lock);
}

void mr_memory_compact(struct mr_memory_log *log, struct mr_memory_topic *topic,
                       int32_t partition_index)
{
    struct compaction compaction = {.log = log};
    compaction.keep_sent_ms = mr_clock_wall_ms() - log->delete_retention_ms;
    if (!seal(&compaction, topic, partition_index))
        return;
    find_newest(&compaction);
    copy_survivors(&compaction);
    put_in_place(&compaction, topic, partition_index);
    for (uint32_t i = 0; i < compaction.old_count; i++)
        mr_memory_segment_release(log, compaction.old[i]);
    for (uint32_t i = 0; i < compaction.new_count; i++)
        mr_memory_segment_release(log, compaction.new[i]);
    mr_memory_free(compaction.old);
    mr_memory_free(compaction.new);
    mr_memory_free(compaction.entries);
}
