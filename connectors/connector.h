/* connectors/connector.h — sources and sinks, and their registry.
 *
 * Model: a connector type describes itself to the language (struct mr_type_spec). `kafka` is a
 * topic in the log and is driven by worker/ through connectors/log.h (flag MR_TYPE_LOG), so its ops
 * here are NULL. Others (file, memory records, metrics, stdout) bring a source or sink that a task
 * drives.
 *
 * Positions: a source's position is one int64; the task stores the next position in its progress
 * record and opens the source there. Sinks may store one 16-byte position in progress as well, so
 * that a file can be cut back to what was committed.
 *
 * Failures: after RETRY the same call is repeated with the same arguments (a sink's write goes on
 * behind what it took already); after REINCARNATE the instance is closed and opened anew.
 *
 * Threads: an instance belongs to one task thread. */
#ifndef MR_CONNECTORS_CONNECTOR_H
#define MR_CONNECTORS_CONNECTOR_H

#include "base/metrics.h"
#include "connectors/log.h"
#include "topology/type.h"

struct mr_connector_open {
    const struct mr_options *options;
    const char *topology;
    const char *name; /* of the source or sink */
    const char *subtopology;
    int32_t partition;
    int32_t partitions_count;
    struct mr_metrics *metrics; /* for the `metrics` source */
    bool exactly_once;
};

struct mr_sink_position {
    int64_t file_number;
    int64_t bytes;
};

struct mr_source_ops {
    size_t instance_size;
    enum mr_status (*open)(void *self, const struct mr_connector_open *open, int64_t position,
                           struct mr_error *error);
    /* Up to messages_max messages (event RECORD; offset = their position) in arena; *next_position
     * is behind the last. MR_AGAIN: none before *due_ms (wall time; 0: unknown); MR_END: no more
     * ever. */
    enum mr_status (*poll)(void *self, struct mr_arena *arena, uint32_t messages_max,
                           int64_t now_wall_ms, struct mr_log_message **messages,
                           uint32_t *messages_count, int64_t *next_position, int64_t *due_ms,
                           struct mr_error *error);
    /* What a bounded read ("--until-end") must still see: the end position, or -1: it never ends.
     */
    int64_t (*end_position)(void *self);
    void (*close)(void *self);
};

struct mr_sink_record {
    struct mr_slice key;
    struct mr_slice value;
    bool value_null;
    int64_t event_time_ms;
};

struct mr_sink_ops {
    size_t instance_size;
    /* position: what the last committed transaction stored ({0, 0} at first). */
    enum mr_status (*open)(void *self, const struct mr_connector_open *open,
                           struct mr_sink_position position, struct mr_error *error);
    enum mr_status (*write)(void *self, const struct mr_sink_record *records, uint32_t count,
                            struct mr_error *error); /* copies */
    /* The transaction is sealed: make its records durable and say where they end. */
    enum mr_status (*prepare)(void *self, struct mr_sink_position *position,
                              struct mr_error *error);
    /* The transaction of the last prepare is committed: make it visible (rename). */
    enum mr_status (*committed)(void *self, struct mr_error *error);
    void (*close)(void *self);
};

struct mr_connector_type {
    const struct mr_type_spec *source_spec; /* NULL: not a source */
    const struct mr_type_spec *sink_spec;
    const struct mr_source_ops *source;
    const struct mr_sink_ops *sink;
};

const struct mr_connector_type *const *mr_connectors(uint32_t *count);
const struct mr_connector_type *mr_connector_find(enum mr_role role, const char *name);
enum mr_status mr_connector_registry_check(struct mr_error *error) MR_NODISCARD;

/* ---- Logs ---- */

struct mr_kafka_log_open {
    const char *brokers; /* host:port,host:port */
    const char *client_id;
    const char *const *settings; /* pairs: SASL, TLS and other librdkafka settings, ended by NULL */
    uint64_t queued_bytes_max;   /* of all clients of this process together */
};
/* Connects lazily; errors of the configuration only. */
enum mr_status mr_kafka_log_create(const struct mr_kafka_log_open *open, struct mr_log **log,
                                   struct mr_error *error) MR_NODISCARD;

struct mr_memory_log_open {
    uint64_t topic_bytes_max; /* unread topics keep their newest, read ones admit (0: 64 MiB) */
    /* How long a compacted topic keeps a tombstone, so that a store that was closed meanwhile still
     * learns of it (0: 10 minutes). */
    int64_t delete_retention_ms;
};
enum mr_status mr_memory_log_create(const struct mr_memory_log_open *open, struct mr_log **log,
                                    struct mr_error *error) MR_NODISCARD;

#endif
