/* connectors/kafka/examine.h — what `millrace doctor` wants to know of a Kafka cluster: brokers,
 * their settings, a topic's replicas and what this user may do with it.
 * Why apart from connectors/log.h: no other log has it, and the engine never asks.
 * Owner: everything is in the arena given. Pre: the log was made by mr_kafka_log_create. */
#ifndef MR_CONNECTORS_KAFKA_EXAMINE_H
#define MR_CONNECTORS_KAFKA_EXAMINE_H

#include "base/arena.h"
#include "connectors/log.h"

struct mr_kafka_broker {
    int32_t id;
    const char *address; /* host:port */
};

struct mr_kafka_setting {
    const char *name;
    const char *value; /* NULL: kept secret */
};

struct mr_kafka_settings {
    const struct mr_kafka_setting *items;
    uint32_t count;
};

struct mr_kafka_topic_view {
    int32_t partitions_count;
    int32_t replicas_min; /* of a partition */
    int32_t in_sync_min;  /* of a partition */
    uint64_t allowed;     /* bit N: rd_kafka_AclOperation_t N is allowed; 0: not told */
};

/* Operations, as bits of `allowed`. */
enum mr_kafka_right {
    MR_KAFKA_READ = 1 << 3,
    MR_KAFKA_WRITE = 1 << 4,
    MR_KAFKA_CREATE = 1 << 5,
    MR_KAFKA_DELETE = 1 << 6,
    MR_KAFKA_DESCRIBE = 1 << 8,
    MR_KAFKA_DESCRIBE_CONFIGS = 1 << 10
};

enum mr_status mr_kafka_brokers(struct mr_log *log, struct mr_arena *arena,
                                const struct mr_kafka_broker **brokers, uint32_t *count,
                                struct mr_error *error) MR_NODISCARD;
/* MR_IO with recovery FAIL_TOPOLOGY when the user may not see them. */
enum mr_status mr_kafka_broker_settings(struct mr_log *log, int32_t broker_id,
                                        struct mr_arena *arena, struct mr_kafka_settings *settings,
                                        struct mr_error *error) MR_NODISCARD;
enum mr_status mr_kafka_topic_settings(struct mr_log *log, const char *topic,
                                       struct mr_arena *arena, struct mr_kafka_settings *settings,
                                       struct mr_error *error) MR_NODISCARD;
/* MR_NOT_FOUND: no such topic. */
enum mr_status mr_kafka_topic_view(struct mr_log *log, const char *topic,
                                   struct mr_kafka_topic_view *view,
                                   struct mr_error *error) MR_NODISCARD;
/* A setting's value; NULL: not reported. */
const char *mr_kafka_settings_value(const struct mr_kafka_settings *settings, const char *name);

#endif
