/* connectors/kafka/internal.h — shared between the files of connectors/kafka.
 * Model: a kafka_log is a cluster's address and settings, plus one librdkafka handle for admin
 * requests, made on first use. Every handle (admin, consumer, producer) has a kafka_client as its
 * opaque: there the callbacks, which run on librdkafka's threads, leave what callers must know.
 * Threads: kafka_client.lock guards its texts; flags are atomic. */
#ifndef MR_CONNECTORS_KAFKA_INTERNAL_H
#define MR_CONNECTORS_KAFKA_INTERNAL_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "connectors/connector.h"

enum kafka_role { KAFKA_ADMIN, KAFKA_CONSUMER, KAFKA_PRODUCER };

enum {
    KAFKA_ADMIN_WAIT_MS = 15000,   /* of one admin request, retries by the caller */
    KAFKA_LEADER_WAIT_MS = 3000,   /* of one that goes to a partition's leader, who may be gone */
    KAFKA_PROPAGATION_MS = 5000,   /* until every broker knows a new topic */
    KAFKA_WAIT_SLICE_MS = 100,     /* how often a wait looks at kafka_client.refused */
    KAFKA_QUEUED_BYTES = 64 << 20, /* of all clients, when the caller gives no budget */
    KAFKA_TEXT_SIZE = 256,         /* a topic's name has at most 249 bytes */
    KAFKA_TOPIC_TEXT_SIZE = 512
};

struct kafka_client {
    atomic_bool refused;       /* the broker refused the login; text says what it said */
    atomic_bool unreachable;   /* no broker could be reached when this was last told */
    atomic_bool topic_changed; /* a topic has another id than before; changed_topic names it */
    atomic_int topic_error;    /* code of an error about one topic; topic_text is "NAME [N]: why" */
    pthread_mutex_t lock;
    char text[KAFKA_TEXT_SIZE];
    char changed_topic[KAFKA_TEXT_SIZE];
    char topic_text[KAFKA_TOPIC_TEXT_SIZE];
};

struct kafka_log {
    struct mr_log base;
    char *brokers;
    char *client_id;
    char **settings; /* pairs, ended by NULL */
    uint64_t queued_bytes_max;
    pthread_mutex_t lock; /* guards admin and its users */
    struct kafka_admin *admin;
};

/* The handle of admin requests; admin.c says why it is replaced. */
struct kafka_admin {
    rd_kafka_t *handle;
    struct kafka_client client;
    uint32_t users_count;
    atomic_bool answered; /* it knows brokers by their numbers */
};

/* ---- error.c: the one place that translates librdkafka's codes ---- */

/* Fill error for code: "<what>: <librdkafka's text for code, or detail>. <what to do>". detail may
 * be NULL. Returns the status. */
enum mr_status mr_kafka_fail(struct mr_error *error, rd_kafka_resp_err_t code, const char *detail,
                             const char *format, ...) MR_PRINTF(4, 5);
/* The same for a producer, which is unusable after any failure: RETRY becomes REINCARNATE. */
enum mr_status mr_kafka_fail_producer(struct mr_error *error, rd_kafka_resp_err_t code,
                                      const char *detail, const char *format, ...) MR_PRINTF(4, 5);
/* The login was refused: client->text says how. */
enum mr_status mr_kafka_fail_refused(struct mr_error *error, struct kafka_client *client,
                                     const char *what);

/* ---- config.c: settings, and what is refused ---- */

/* Would this setting weaken what the engine promises, or is it unknown or malformed? MR_INVALID
 * with the reason; the value of a secret is never part of it. */
enum mr_status mr_kafka_setting_check(const char *name, const char *value,
                                      struct mr_error *error) MR_NODISCARD;
/* Check pairs ended by NULL; settings may be NULL. */
enum mr_status mr_kafka_settings_check(const char *const *settings,
                                       struct mr_error *error) MR_NODISCARD;
/* The value of a setting in pairs, the last one wins; NULL: not there. */
const char *mr_kafka_setting_find(const char *const *settings, const char *name);
/* A configuration with the engine's settings, the log's, then the client's. engine: pairs that
 * depend on the call (transactional.id, ...), set last. Owner: the caller, until rd_kafka_new takes
 * it. */
enum mr_status mr_kafka_conf_create(struct kafka_log *log, enum kafka_role role,
                                    const char *const *settings, const char *const *engine,
                                    struct kafka_client *client, rd_kafka_conf_t **conf,
                                    struct mr_error *error) MR_NODISCARD;

/* ---- client.c: what every handle shares ---- */

void mr_kafka_client_init(struct kafka_client *client);
void mr_kafka_client_deinit(struct kafka_client *client);
/* Callbacks for conf: log and error. */
void mr_kafka_client_attach(rd_kafka_conf_t *conf, struct kafka_client *client);

/* ---- ledger.c: were all requests of a transaction answered, and all records accepted? ---- */

enum { KAFKA_LEDGER_KEYS = 3 }; /* Produce, AddPartitionsToTxn, EndTxn */

struct kafka_ledger {
    atomic_uint_fast64_t sent[KAFKA_LEDGER_KEYS];
    atomic_uint_fast64_t answered[KAFKA_LEDGER_KEYS];
    atomic_int doubt;        /* first local error of a response, or _NOENT: one nobody waits for */
    atomic_int record_error; /* first refusal of a record */
    atomic_bool offset_unknown; /* a record was acknowledged without its offset: see ledger.c */
};

/* Let the ledger be kept by interceptors of the handle that conf makes. */
void mr_kafka_ledger_attach(rd_kafka_conf_t *conf, struct kafka_ledger *ledger);
/* Every request was answered, exactly once, by the broker. */
bool mr_kafka_ledger_clean(struct kafka_ledger *ledger);
/* A sentence about what is not clean. */
void mr_kafka_ledger_describe(struct kafka_ledger *ledger, char *text, size_t text_size);

/* ---- Parts of the ops table ---- */

/* Wait until the leaders of all partitions of a new topic answer. */
enum mr_status mr_kafka_await_leaders(struct kafka_log *log, const char *topic,
                                      int32_t partitions_count,
                                      struct mr_error *error) MR_NODISCARD;

/* Give back what the log keeps for admin requests: when it is closed. */
void mr_kafka_admin_close(struct kafka_log *log);
/* Send an admin request and wait for its result event. send gets the handle, options and queue. */
typedef void (*kafka_admin_send)(rd_kafka_t *handle, rd_kafka_AdminOptions_t *options,
                                 rd_kafka_queue_t *queue, void *argument);
enum mr_status mr_kafka_admin_request(struct kafka_log *log, rd_kafka_admin_op_t operation,
                                      kafka_admin_send send, void *argument, const char *what,
                                      rd_kafka_event_t **event,
                                      struct mr_error *error) MR_NODISCARD;

/* Ask who leads the topic's partitions: librdkafka believes what it knew for a minute and more,
 * also of a broker that is gone. Waits up to KAFKA_LEADER_WAIT_MS; a failure is the next request's.
 */
void mr_kafka_admin_refresh(struct kafka_log *log, const char *topic);

enum mr_status mr_kafka_cluster_id(struct mr_log *log, char id[MR_LOG_ID_SIZE],
                                   struct mr_error *error);
enum mr_status mr_kafka_topic_describe(struct mr_log *log, const char *name,
                                       struct mr_log_topic *topic, struct mr_error *error);
enum mr_status mr_kafka_topic_create(struct mr_log *log, const struct mr_log_topic_create *create,
                                     struct mr_error *error);
enum mr_status mr_kafka_topic_grow(struct mr_log *log, const char *name, int32_t partitions_count,
                                   struct mr_error *error);
enum mr_status mr_kafka_topic_delete(struct mr_log *log, const char *name, struct mr_error *error);
enum mr_status mr_kafka_topics_list(struct mr_log *log,
                                    void (*visit)(void *argument, const char *name), void *argument,
                                    struct mr_error *error);
enum mr_status mr_kafka_offset_find(struct mr_log *log, const char *topic, int32_t partition,
                                    int64_t at, int64_t *offset, struct mr_error *error);
enum mr_status mr_kafka_records_delete(struct mr_log *log, const char *topic, int32_t partition,
                                       int64_t offset, struct mr_error *error);
enum mr_status mr_kafka_offsets_mirror(struct mr_log *log, const char *group,
                                       const struct mr_log_assignment *offsets, uint32_t count,
                                       struct mr_error *error);

enum mr_status mr_kafka_consumer_create(struct mr_log *log,
                                        const struct mr_log_consumer_options *options,
                                        struct mr_log_consumer **consumer, struct mr_error *error);
void mr_kafka_consumer_destroy(struct mr_log_consumer *consumer);
enum mr_status mr_kafka_consumer_add(struct mr_log_consumer *consumer,
                                     const struct mr_log_assignment *assignments, uint32_t count,
                                     struct mr_error *error);
enum mr_status mr_kafka_consumer_remove(struct mr_log_consumer *consumer,
                                        const struct mr_log_assignment *assignments, uint32_t count,
                                        struct mr_error *error);
enum mr_status mr_kafka_consumer_pause(struct mr_log_consumer *consumer, const char *topic,
                                       int32_t partition, bool paused, struct mr_error *error);
enum mr_status mr_kafka_consumer_poll(struct mr_log_consumer *consumer, uint32_t messages_max,
                                      uint32_t wait_ms, struct mr_log_fetch *fetch,
                                      struct mr_error *error);
void mr_kafka_fetch_release(struct mr_log_consumer *consumer, struct mr_log_fetch *fetch);
struct mr_headers mr_kafka_message_headers(const struct mr_log_message *message,
                                           struct mr_arena *arena);

enum mr_status mr_kafka_producer_create(struct mr_log *log,
                                        const struct mr_log_producer_options *options,
                                        uint32_t wait_ms, struct mr_log_producer **producer,
                                        struct mr_error *error);
void mr_kafka_producer_destroy(struct mr_log_producer *producer);
enum mr_status mr_kafka_producer_begin(struct mr_log_producer *producer, struct mr_error *error);
enum mr_status mr_kafka_producer_send(struct mr_log_producer *producer,
                                      const struct mr_log_record *records, uint32_t count,
                                      struct mr_error *error);
enum mr_status mr_kafka_producer_flush(struct mr_log_producer *producer, struct mr_error *error);
enum mr_status mr_kafka_producer_commit(struct mr_log_producer *producer, struct mr_error *error);

#endif
