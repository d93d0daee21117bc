/* connectors/log.h — the log that everything durable goes through: Apache Kafka, or the memory log.
 *
 * Why: claims, commits, restore and topics are the same on both; worker/ never sees librdkafka, and
 * the simulation can bring a log of its own.
 *
 * Model: a `mr_log` is one cluster. Consumers read assigned partitions (read_committed unless said
 * otherwise), producers write transactions. There is no consumer group; offsets are mirrored for
 * tools only.
 *
 * Guarantees asked of an implementation (docs/EXACTLY_ONCE.md):
 *
 * 1. producer_create with a transactional id returns after every earlier transaction of that id is
 * finished, and fences every earlier producer of it.
 *
 * 2. commit returns MR_OK only when the transaction is committed and every request of it was
 * answered exactly once ("clean"); any doubt is a failure with recovery REINCARNATE.
 *
 * 3. there is no abort: after a failure the producer is destroyed.
 *
 * Threads: a consumer or producer belongs to one thread at a time; mr_log functions may be called
 * from any thread. */
#ifndef MR_CONNECTORS_LOG_H
#define MR_CONNECTORS_LOG_H

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "record/batch.h"

struct mr_log;
struct mr_log_consumer;
struct mr_log_producer;

enum { MR_LOG_OFFSET_EARLIEST = -2, MR_LOG_OFFSET_LATEST = -1, MR_LOG_ID_SIZE = 64 };

/* ---- Topics ---- */

enum mr_log_cleanup { MR_LOG_CLEANUP_DELETE, MR_LOG_CLEANUP_COMPACT };

struct mr_log_topic {
    char topic_id[MR_LOG_ID_SIZE]; /* changes when a topic is deleted and created anew */
    int32_t partitions_count;
    int64_t message_bytes_max;   /* max.message.bytes */
    int64_t delete_retention_ms; /* of compacted topics */
};

struct mr_log_topic_create {
    const char *name;
    int32_t partitions_count;
    int16_t replication_factor; /* -1: the cluster's default */
    enum mr_log_cleanup cleanup;
    int64_t retention_ms;      /* of DELETE: -1 unlimited, 0: the cluster's default */
    int64_t message_bytes_max; /* max.message.bytes; 0: the cluster's default */
    /* Of COMPACT: a segment that is older is closed, and may be compacted; 0: the default. */
    int64_t segment_ms;
};

/* ---- Records ---- */

struct mr_log_assignment {
    const char *topic;
    int32_t partition;
    int64_t offset; /* next offset to read; EARLIEST or LATEST */
    uint32_t tag;   /* given back with each record */
};

enum mr_log_event { MR_LOG_RECORD, MR_LOG_END_OF_PARTITION, MR_LOG_PARTITION_ERROR };

struct mr_log_message {
    enum mr_log_event event;
    uint32_t tag;
    int64_t offset; /* END_OF_PARTITION: the next offset */
    int64_t timestamp_ms;
    struct mr_slice key;
    struct mr_slice value;
    bool key_null;
    bool value_null;
    const void *lease; /* for mr_log_message_headers */
};

/* What one poll returned; borrowed until mr_log_fetch_release. */
struct mr_log_fetch {
    struct mr_log_message *messages;
    uint32_t messages_count;
    /* Of the PARTITION_ERROR message, at most one a fetch. MR_NOT_FOUND: the topic or partition is
     * not there, or is another one than before; MR_CORRUPT: the offset lies outside the log. */
    struct mr_error error;
    void *implementation;
};

struct mr_log_record {
    const char *topic;
    int32_t partition;
    bool key_null;
    bool value_null;
    struct mr_slice key; /* borrowed until commit returned MR_OK or the producer is destroyed */
    struct mr_slice value;
    int64_t timestamp_ms;             /* -1: the time of producing */
    const struct mr_headers *headers; /* NULL: none */
    int64_t *offset; /* where to write the record's offset before commit or flush returns; NULL */
};

/* ---- Consumers and producers ---- */

struct mr_log_consumer_options {
    bool end_of_partition; /* deliver END_OF_PARTITION events */
    uint64_t queued_bytes_max;
    /* Pairs name, value ended by NULL: a source's pass-through options. */
    const char *const *settings;
};

struct mr_log_producer_options {
    const char *transactional_id; /* NULL: idempotent only */
    int64_t transaction_timeout_ms;
    uint64_t queued_bytes_max;
    uint64_t batch_bytes_max;    /* smallest max.message.bytes of the topics written; 0: 1 MB */
    const char *const *settings; /* pairs, ended by NULL: a sink's `producer:` options */
};

struct mr_log_ops {
    const char *name; /* "kafka", "memory" */
    void (*close)(struct mr_log *log);

    enum mr_status (*cluster_id)(struct mr_log *log, char id[MR_LOG_ID_SIZE],
                                 struct mr_error *error);
    /* MR_NOT_FOUND: no such topic. */
    enum mr_status (*topic_describe)(struct mr_log *log, const char *name,
                                     struct mr_log_topic *topic, struct mr_error *error);
    /* MR_OK also when the topic exists already. */
    enum mr_status (*topic_create)(struct mr_log *log, const struct mr_log_topic_create *create,
                                   struct mr_error *error);
    /* Give the topic more partitions, and wait until they are seen; MR_OK when it has as many
     * already. */
    enum mr_status (*topic_grow)(struct mr_log *log, const char *name, int32_t partitions_count,
                                 struct mr_error *error);
    enum mr_status (*topic_delete)(struct mr_log *log, const char *name, struct mr_error *error);
    enum mr_status (*topics_list)(struct mr_log *log,
                                  void (*visit)(void *argument, const char *name), void *argument,
                                  struct mr_error *error);
    /* at: EARLIEST; LATEST (with READ_UNCOMMITTED: the high watermark, behind every record and
     * marker); or >= 0: a time in ms, the first offset at or after it (or the end). */
    enum mr_status (*offset_find)(struct mr_log *log, const char *topic, int32_t partition,
                                  int64_t at, int64_t *offset, struct mr_error *error);
    /* Delete records below offset. */
    enum mr_status (*records_delete)(struct mr_log *log, const char *topic, int32_t partition,
                                     int64_t offset, struct mr_error *error);
    /* Admission instead of drops, for a log that lives in memory; NULL where disks hold the backlog
     * (Kafka). A reader is named by its owner and has committed everything below offset in a
     * partition: records leave when every reader has passed. The first call of a name registers it
     * for all partitions of the topic, at their starts: register readers before they first poll.
     * offset -1: the reader is gone for good. Topics created with retention_ms -1 keep everything
     * until records_delete. MR_NOT_FOUND: no such topic or partition. */
    enum mr_status (*readers_passed)(struct mr_log *log, const char *topic, int32_t partition,
                                     const char *reader_name, int64_t offset,
                                     struct mr_error *error);
    /* True: sources upstream of the topic should not be polled now, its readers are behind by more
     * than the limit. Never for a topic without a reader. While readers stand still (a cycle whose
     * own source waits) it lets a call through now and then, so that waiting on it ends. */
    bool (*over_limit)(struct mr_log *log, const char *topic);
    /* Write offsets of a consumer group, for tools; never read back. */
    enum mr_status (*offsets_mirror)(struct mr_log *log, const char *group,
                                     const struct mr_log_assignment *offsets, uint32_t count,
                                     struct mr_error *error);

    enum mr_status (*consumer_create)(struct mr_log *log,
                                      const struct mr_log_consumer_options *options,
                                      struct mr_log_consumer **consumer, struct mr_error *error);
    void (*consumer_destroy)(struct mr_log_consumer *consumer);
    /* Add partitions to, or take partitions from, what the consumer reads. */
    enum mr_status (*consumer_add)(struct mr_log_consumer *consumer,
                                   const struct mr_log_assignment *assignments, uint32_t count,
                                   struct mr_error *error);
    enum mr_status (*consumer_remove)(struct mr_log_consumer *consumer,
                                      const struct mr_log_assignment *assignments, uint32_t count,
                                      struct mr_error *error);
    enum mr_status (*consumer_pause)(struct mr_log_consumer *consumer, const char *topic,
                                     int32_t partition, bool paused, struct mr_error *error);
    /* At most messages_max messages; runs of one partition stay together in offset order.
     * MR_OK; MR_AGAIN: nothing within wait_ms; a failure when the consumer as a whole cannot go on.
     */
    enum mr_status (*consumer_poll)(struct mr_log_consumer *consumer, uint32_t messages_max,
                                    uint32_t wait_ms, struct mr_log_fetch *fetch,
                                    struct mr_error *error);
    void (*fetch_release)(struct mr_log_consumer *consumer, struct mr_log_fetch *fetch);
    /* Headers of a message, in arena. */
    struct mr_headers (*message_headers)(const struct mr_log_message *message,
                                         struct mr_arena *arena);

    /* With a transactional id: initialises it (see guarantee 1), waiting up to wait_ms. */
    enum mr_status (*producer_create)(struct mr_log *log,
                                      const struct mr_log_producer_options *options,
                                      uint32_t wait_ms, struct mr_log_producer **producer,
                                      struct mr_error *error);
    void (*producer_destroy)(struct mr_log_producer *producer); /* buffers are free afterwards */
    enum mr_status (*producer_begin)(struct mr_log_producer *producer, struct mr_error *error);
    /* Take records in order per partition; blocks while the queue is full. */
    enum mr_status (*producer_send)(struct mr_log_producer *producer,
                                    const struct mr_log_record *records, uint32_t count,
                                    struct mr_error *error);
    /* Wait until every record is acknowledged. Without a transactional id this is the commit. */
    enum mr_status (*producer_flush)(struct mr_log_producer *producer, struct mr_error *error);
    /* Flush, then end the transaction (see guarantee 2). MR_FENCED: a newer owner exists. */
    enum mr_status (*producer_commit)(struct mr_log_producer *producer, struct mr_error *error);
};

/* An implementation's instance starts with this. */
struct mr_log {
    const struct mr_log_ops *ops;
};
/* Consumers and producers start with these. */
struct mr_log_consumer {
    struct mr_log *log;
};
struct mr_log_producer {
    struct mr_log *log;
};

/* ---- Built on the interface (connectors/log.c) ---- */

/* Read a partition from first_offset to its end: H = offset_find(LATEST) first, then read_committed
 * until an end-of-partition event at an offset >= H. visit returns a failure to stop. *end is the
 * offset behind the last thing in the partition. Tombstones have value_null. */
enum mr_status
mr_log_read_to_end(struct mr_log *log, const char *topic, int32_t partition, int64_t first_offset,
                   enum mr_status (*visit)(void *argument, const struct mr_log_message *message,
                                           struct mr_error *error),
                   void *argument, uint32_t stall_ms_max, int64_t *end,
                   struct mr_error *error) MR_NODISCARD;

/* Fence a transactional id: initialise it with a throw-away producer. */
enum mr_status mr_log_fence(struct mr_log *log, const char *transactional_id, uint32_t wait_ms,
                            struct mr_error *error) MR_NODISCARD;

/* One short transaction of an id: create, begin, send, commit, destroy. */
enum mr_status mr_log_write_once(struct mr_log *log, const char *transactional_id,
                                 const struct mr_log_record *records, uint32_t count,
                                 uint32_t wait_ms, struct mr_error *error) MR_NODISCARD;

#endif
