/* connectors/memory/memory_internal.h — the parts of the memory log, private to this folder.
 * Why: `millrace run` and tests need Kafka's contract in one process, fast: a transaction stages
 * its records in the producer and becomes visible by linking what it staged into the partitions, so
 * that nothing is copied twice, a reader never sees half a transaction, and offsets are dense.
 * Model: a segment is one large allocation with records one behind the other:
 *     struct mr_memory_record | key | value (a tombstone: when it was sent, 8 bytes) | headers |
 * pad to 8 A partition is a queue of segments. Small transactions are copied into the last segment,
 * larger ones hand their segments over. Compaction writes new segments in place of old ones.
 * Invariants: 1. bytes below a segment's bytes_used never change once it is in a partition, so
 * readers look at them without the lock. 2. What a partition holds is changed under the log's lock
 * only; one commit is one stay under it. 3. Offsets rise within and across a partition's segments.
 * Threads: `lock` guards topics, partitions, transactional ids and subscriptions; `pool_lock` the
 * free segments; the order is lock, then pool_lock. A producer's stages and a consumer's cursors
 * belong to the one thread that uses them. Segments are counted references. */
#ifndef MR_CONNECTORS_MEMORY_MEMORY_INTERNAL_H
#define MR_CONNECTORS_MEMORY_MEMORY_INTERNAL_H

#include "connectors/connector.h"
#include "connectors/memory/memory_log.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    MR_MEMORY_SEGMENT_BYTES_MIN = 16 << 10,
    MR_MEMORY_SEGMENT_CLASSES = 7, /* 16 KiB, 32 KiB, ... 1 MiB */
    MR_MEMORY_POOL_BYTES_MAX = 32 << 20,
    MR_MEMORY_COPY_BYTES_MAX = 32 << 10,   /* transactions up to this are copied, not handed over */
    MR_MEMORY_MESSAGE_BYTES_MAX = 1048588, /* max.message.bytes of Kafka */
    MR_MEMORY_TOPIC_BYTES_MAX = 64 << 20,
    MR_MEMORY_DELETE_RETENTION_MS = 600000,
    MR_MEMORY_COMPACT_BYTES_MIN = 1 << 20,
    MR_MEMORY_STANDSTILL_MS = 1000, /* readers that did not move for this long stand still */
    MR_MEMORY_LET_THROUGH_MS = 50   /* then one caller in this time is let through */
};
#define MR_MEMORY_NULL_SIZE UINT32_MAX

struct mr_memory_record {
    int64_t timestamp_ms;
    uint32_t offset_delta; /* to the segment's base_offset */
    uint32_t key_size;     /* MR_MEMORY_NULL_SIZE: no key */
    uint32_t value_size;   /* MR_MEMORY_NULL_SIZE: a tombstone */
    uint32_t
        headers_size; /* u32 count, then per header u32 name size, u32 value size, both's bytes */
};

struct mr_memory_segment {
    atomic_uint references;
    uint32_t records_count;
    uint64_t serial; /* when it entered a partition: tells segments apart and by age */
    struct mr_memory_segment *next; /* in a stage or in the pool */
    int64_t base_offset;
    int64_t end_offset; /* behind the last record */
    int64_t timestamp_ms_max;
    size_t bytes_used;
    size_t capacity;
    uint8_t bytes[];
};

struct mr_memory_assignment;

struct mr_memory_partition {
    struct mr_memory_segment **segments; /* [first, first + count) */
    uint32_t first;
    uint32_t count;
    uint32_t capacity;
    bool compacting;
    bool tail_sealed; /* the last segment takes no more records */
    int64_t start_offset;
    int64_t end_offset;
    size_t start_position; /* of start_offset in the first segment */
    uint64_t used_bytes;
    uint64_t memory_bytes;
    uint64_t compacted_bytes; /* used_bytes after the last compaction */
    struct mr_memory_assignment *subscribers;
};

struct mr_memory_reader {
    char *name;
    int64_t *passed; /* per partition */
};

struct mr_memory_topic {
    char *name;
    char id[MR_LOG_ID_SIZE];
    uint32_t references; /* the log's table, assignments and producers; guarded by lock */
    atomic_bool deleted;
    enum mr_log_cleanup cleanup;
    bool retention_unlimited;
    int32_t partitions_count;
    struct mr_memory_partition **partitions; /* each stays where it is when the topic grows */
    struct mr_memory_reader *readers;
    uint32_t readers_count;
    bool over;               /* what over_limit found last */
    uint64_t progress_ms;    /* when a reader moved, or the topic was first found over its limit */
    uint64_t let_through_ms; /* when over_limit last let a caller through */
    struct mr_memory_log_statistics statistics;
};

/* A transactional id while a producer of it lives. Without one nobody is left to be fenced. */
struct mr_memory_identity {
    char *id;
    atomic_uint_fast64_t epoch; /* of the newest producer */
    uint32_t producers_count;
};

struct mr_memory_log {
    struct mr_log log;
    pthread_mutex_t lock;
    char cluster_id[MR_LOG_ID_SIZE];
    uint64_t topic_bytes_max;
    uint32_t class_max; /* segments small beside the limit, so that trimming is fine enough */
    int64_t delete_retention_ms;
    uint64_t serial;
    struct mr_memory_topic **topics;
    uint32_t topics_count;
    struct mr_memory_identity **identities;
    uint32_t identities_count;
    uint32_t clients_count; /* consumers and producers alive */
    pthread_mutex_t pool_lock;
    struct mr_memory_segment *pool[MR_MEMORY_SEGMENT_CLASSES];
    uint64_t pool_bytes;
};

struct mr_memory_consumer;

struct mr_memory_assignment {
    struct mr_memory_assignment *next_subscriber; /* guarded by the log's lock, as is paused */
    struct mr_memory_consumer *consumer;
    struct mr_memory_topic *topic;
    int32_t partition;
    uint32_t tag;
    bool paused;
    bool failed; /* its error was delivered; it yields nothing more */
    int64_t next_offset;
    int64_t end_told_offset; /* of the last END_OF_PARTITION, or -1 */
    uint64_t cursor_serial;  /* segment of the cursor; 0: none */
    size_t cursor_position;
    uint32_t cursor_index; /* records of the segment before the position */
};

struct mr_memory_consumer {
    struct mr_log_consumer consumer;
    bool end_of_partition;
    bool waiting;
    pthread_cond_t wake;
    struct mr_memory_assignment **assignments;
    uint32_t assignments_count;
    uint32_t turn;          /* the assignment that the next poll looks at first */
    uint32_t fetches_count; /* not released yet */
    struct mr_memory_fetch *free_fetches;
};

/* ---- memory_segment.c ---- */

/* A free segment with room for at least size bytes, of the given class or larger; one reference. */
struct mr_memory_segment *mr_memory_segment_take(struct mr_memory_log *log, uint32_t class_index,
                                                 size_t size);
void mr_memory_segment_retain(struct mr_memory_segment *segment);
void mr_memory_segment_release(struct mr_memory_log *log, struct mr_memory_segment *segment);
void mr_memory_pool_destroy(struct mr_memory_log *log);

/* Bytes that a record takes in a segment. */
size_t mr_memory_record_size(const struct mr_log_record *record);
/* Append behind bytes_used; the caller has made sure of the room. now_wall_ms stands in for a
 * timestamp of -1 and dates a tombstone. */
void mr_memory_record_append(struct mr_memory_segment *segment, const struct mr_log_record *record,
                             size_t size, int64_t now_wall_ms);
/* Append a stored record as it is, at an offset of its own. */
void mr_memory_record_copy(struct mr_memory_segment *segment, const struct mr_memory_record *record,
                           int64_t offset);
size_t mr_memory_stored_size(const struct mr_memory_record *record);
struct mr_slice mr_memory_stored_key(const struct mr_memory_record *record);
struct mr_slice mr_memory_stored_value(const struct mr_memory_record *record);
int64_t mr_memory_tombstone_sent_ms(const struct mr_memory_record *record);
struct mr_headers mr_memory_stored_headers(const struct mr_memory_record *record,
                                           struct mr_arena *arena);
static inline const struct mr_memory_record *
mr_memory_segment_record(const struct mr_memory_segment *segment, size_t position)
{
    return (const struct mr_memory_record *)(const void *)(segment->bytes + position);
}

/* ---- memory_topic.c: under the log's lock ---- */

struct mr_memory_topic *mr_memory_topic_find(struct mr_memory_log *log, const char *name);
enum mr_status mr_memory_partition_find(struct mr_memory_log *log, const char *name,
                                        int32_t partition, struct mr_memory_topic **topic,
                                        struct mr_error *error);
struct mr_memory_topic *mr_memory_topic_new(struct mr_memory_log *log,
                                            const struct mr_log_topic_create *create);
void mr_memory_topic_grow(struct mr_memory_topic *topic, int32_t partitions_count);
void mr_memory_topic_release(struct mr_memory_log *log, struct mr_memory_topic *topic);
/* Give back every segment; the topic stays as a husk for those who still point to it. */
void mr_memory_topic_clear(struct mr_memory_log *log, struct mr_memory_topic *topic);
/* The last segment of a chain of bytes goes behind the partition's end. Owner: the chain moves. */
void mr_memory_partition_append(struct mr_memory_log *log, struct mr_memory_topic *topic,
                                int32_t partition, struct mr_memory_segment *chain);
/* Copy a segment's records behind the partition's end. */
void mr_memory_partition_copy(struct mr_memory_log *log, struct mr_memory_topic *topic,
                              int32_t partition, const struct mr_memory_segment *source);
/* Put segments in the place of the first `replaced` ones. Owner: both arrays' references move: new
 * ones to the partition, old ones are given back. */
void mr_memory_partition_replace(struct mr_memory_log *log, struct mr_memory_partition *partition,
                                 uint32_t replaced, struct mr_memory_segment *const *segments,
                                 uint32_t count);
/* Index (from the partition's first) of the segment with the first record at or behind offset;
 * partition->count when there is none. */
uint32_t mr_memory_partition_seek(const struct mr_memory_partition *partition, int64_t offset);
/* Give back what lies below offset. */
void mr_memory_partition_advance(struct mr_memory_log *log, struct mr_memory_partition *partition,
                                 int64_t offset);
/* Somebody will take records from it: a named reader, or whoever calls records_delete. */
bool mr_memory_topic_is_read(const struct mr_memory_topic *topic);
/* Drop the oldest of an unread topic that is over the limit. */
void mr_memory_topic_enforce(struct mr_memory_log *log, struct mr_memory_topic *topic);
uint64_t mr_memory_topic_pending_bytes(const struct mr_memory_topic *topic);
static inline struct mr_memory_segment *
mr_memory_partition_segment(const struct mr_memory_partition *partition, uint32_t index)
{
    return partition->segments[partition->first + index];
}

/* ---- memory_readers.c ---- */

enum mr_status mr_memory_readers_passed(struct mr_log *log, const char *topic, int32_t partition,
                                        const char *reader_name, int64_t offset,
                                        struct mr_error *error);
bool mr_memory_over_limit(struct mr_log *log, const char *topic);
void mr_memory_readers_destroy(struct mr_memory_topic *topic);

/* ---- memory_compact.c ---- */

/* True when a compaction would give back at least half of the partition. Under the lock. */
bool mr_memory_compact_due(const struct mr_memory_topic *topic, int32_t partition);
/* Keep the newest record per key and young tombstones. Takes the lock twice, briefly. */
void mr_memory_compact(struct mr_memory_log *log, struct mr_memory_topic *topic, int32_t partition);

/* ---- memory_consumer.c, memory_producer.c: entries of the ops table ---- */

enum mr_status mr_memory_consumer_create(struct mr_log *log,
                                         const struct mr_log_consumer_options *options,
                                         struct mr_log_consumer **consumer, struct mr_error *error);
void mr_memory_consumer_destroy(struct mr_log_consumer *consumer);
enum mr_status mr_memory_consumer_add(struct mr_log_consumer *consumer,
                                      const struct mr_log_assignment *assignments, uint32_t count,
                                      struct mr_error *error);
enum mr_status mr_memory_consumer_remove(struct mr_log_consumer *consumer,
                                         const struct mr_log_assignment *assignments,
                                         uint32_t count, struct mr_error *error);
enum mr_status mr_memory_consumer_pause(struct mr_log_consumer *consumer, const char *topic,
                                        int32_t partition, bool paused, struct mr_error *error);
enum mr_status mr_memory_consumer_poll(struct mr_log_consumer *consumer, uint32_t messages_max,
                                       uint32_t wait_ms, struct mr_log_fetch *fetch,
                                       struct mr_error *error);
void mr_memory_fetch_release(struct mr_log_consumer *consumer, struct mr_log_fetch *fetch);
struct mr_headers mr_memory_message_headers(const struct mr_log_message *message,
                                            struct mr_arena *arena);
/* Wake consumers that wait for the partition. Under the lock. */
void mr_memory_subscribers_wake(const struct mr_memory_partition *partition);

enum mr_status mr_memory_producer_create(struct mr_log *log,
                                         const struct mr_log_producer_options *options,
                                         uint32_t wait_ms, struct mr_log_producer **producer,
                                         struct mr_error *error);
void mr_memory_producer_destroy(struct mr_log_producer *producer);
enum mr_status mr_memory_producer_begin(struct mr_log_producer *producer, struct mr_error *error);
enum mr_status mr_memory_producer_send(struct mr_log_producer *producer,
                                       const struct mr_log_record *records, uint32_t count,
                                       struct mr_error *error);
enum mr_status mr_memory_producer_flush(struct mr_log_producer *producer, struct mr_error *error);
enum mr_status mr_memory_producer_commit(struct mr_log_producer *producer, struct mr_error *error);

#endif
