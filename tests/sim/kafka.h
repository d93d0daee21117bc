/* tests/sim/kafka.h — a model of Kafka: what the real protocol promises and what it does not.
 * Why: the memory log has no markers, no prepared transactions and no requests on their way; what
 * exactly-once rests on is exactly how Kafka treats those.
 * Model: brokers lead partitions and coordinate transactions. A client (a producer, a consumer, an
 * administrator) has at most one open connection to each broker; requests on one connection arrive
 * and are answered in order, those of different connections do not wait for each other. When a
 * connection breaks, a prefix of what was sent still arrives, perhaps much later; the client
 * cannot know which. A partition's log holds records and markers; entries are never freed, so that
 * the oracle sees what was compacted and deleted, too.
 * Transactions: coordinator per transactional id with producer epochs; EndTxn writes a prepared
 * state, markers follow one by one; the last stable offset is the first offset of an open
 * transaction. Version 1 semantics: the epoch stays the same from one transaction to the next, so a
 * delayed EndTxn can decide a later one (KAFKA-17754). Produce is verified against the coordinator.
 * Threads: brokers run in events; clients in events and on simulated threads. */
#ifndef MR_TESTS_SIM_KAFKA_H
#define MR_TESTS_SIM_KAFKA_H

#include "connectors/log.h"
#include "tests/sim/kernel.h"

enum {
    KAFKA_BROKERS = 3,
    KAFKA_PARTITIONS_MAX = 16, /* that a topic may grow to; those made larger do not grow */
    KAFKA_BATCHES_KEPT = 5,
    KAFKA_TRANSACTION_PARTITIONS_MAX = 64,
    KAFKA_FETCH_SLOTS_MAX = 64
};

enum kafka_error {
    KAFKA_OK,
    KAFKA_BROKEN, /* local: the connection broke, or the request timed out */
    KAFKA_FENCED,
    KAFKA_INVALID_STATE,
    KAFKA_CONCURRENT,
    KAFKA_OUT_OF_ORDER,
    KAFKA_OUT_OF_RANGE,
    KAFKA_NOT_FOUND
};

/* ---- The log ---- */

struct kafka_entry {
    int64_t producer_id;
    int64_t timestamp_ms;
    struct mr_slice key;
    struct mr_slice value;
    const struct mr_headers *headers;
    int16_t epoch;
    bool key_null;
    bool value_null;
    bool transactional;
    bool marker;
    bool committed; /* of a marker, or of a record whose marker has come */
    bool aborted;
    bool compacted;
};

struct kafka_batch_seen {
    int32_t sequence;
    int32_t count;
    int64_t offset;
};

struct kafka_writer { /* a producer as a partition knows it */
    int64_t producer_id;
    int16_t epoch;
    int32_t next_sequence;
    int64_t open_offset; /* first of its open transaction; -1: none */
    struct kafka_batch_seen seen[KAFKA_BATCHES_KEPT];
    uint32_t seen_count;
};

struct kafka_request;

struct kafka_partition {
    struct kafka_topic *topic;
    int32_t number;
    uint32_t broker;
    struct kafka_entry *entries; /* by offset */
    int64_t count;
    int64_t capacity;
    int64_t start;
    struct kafka_writer *writers;
    uint32_t writers_count;
    uint32_t writers_capacity;
    struct kafka_request **waiting; /* fetches without anything to answer yet */
    uint32_t waiting_count;
    uint32_t waiting_capacity;
};

struct kafka_topic {
    struct kafka_topic *next;
    const char *name;
    char id[MR_LOG_ID_SIZE];
    enum mr_log_cleanup cleanup;
    int32_t partitions_count;
    int32_t partitions_room;
    struct kafka_partition **partitions;
    bool deleted;
    bool unasked; /* made late, by a request whose client had given it up */
};

enum kafka_transaction_state {
    KAFKA_EMPTY,
    KAFKA_ONGOING,
    KAFKA_PREPARE_COMMIT,
    KAFKA_PREPARE_ABORT,
    KAFKA_COMPLETE_COMMIT,
    KAFKA_COMPLETE_ABORT
};

struct kafka_transaction { /* of a transactional id */
    struct kafka_transaction *next;
    const char *id;
    int64_t producer_id;
    int16_t epoch;
    enum kafka_transaction_state state;
    uint32_t broker;
    uint64_t serial; /* of the transaction: rises with each */
    int64_t timeout_ms;
    uint64_t started_ns;
    struct kafka_partition *partitions[KAFKA_TRANSACTION_PARTITIONS_MAX];
    uint32_t partitions_count;
    uint32_t markers_left;
    struct kafka_request *lurking; /* an EndTxn of a broken connection */
};

/* ---- Connections ---- */

struct kafka_connection {
    struct kafka_client *client;
    uint32_t broker;
    bool open;
    uint64_t last_arrival_ns;
    uint64_t last_answer_ns;
    uint64_t held_until_ns;      /* what is on its way to the broker is not let through */
    struct kafka_request *first; /* not answered, in order */
    struct kafka_request *last;
};

struct kafka_client {
    struct sim_process *process;
    uint32_t life;
    struct kafka_client *next;
    struct kafka_connection *connections[KAFKA_BROKERS];
    uint64_t no_connection_before_ns[KAFKA_BROKERS];
    bool closed;
};

struct kafka_fetch_slot {
    struct kafka_partition *partition;
    uint32_t assignment; /* of the consumer */
    uint32_t version;    /* of the assignment */
    int64_t offset;
    int64_t next; /* answer: behind what was looked at */
    int64_t end;  /* answer: the last stable offset */
    enum kafka_error error;
};

struct kafka_request {
    const char *name;
    struct kafka_connection *connection;
    struct kafka_request *next;
    void (*serve)(struct kafka_request *request);  /* at the broker */
    void (*answer)(struct kafka_request *request); /* at the client */
    void *owner;                                   /* of the client */
    uint64_t sent_ns;
    uint64_t order;
    bool lost;
    bool served;
    bool answered; /* at the client, by whatever */
    bool watched;  /* its time-out is set */
    bool lurks;    /* arrives at the worst moment: within the id's next transaction */
    enum kafka_error error;
    /* What it says; each kind of request uses its own. */
    const char *text;
    struct kafka_topic *topic;
    struct kafka_partition *partition;
    struct kafka_partition *partitions[KAFKA_TRANSACTION_PARTITIONS_MAX];
    uint32_t partitions_count;
    int64_t producer_id;
    int16_t epoch;
    bool commit;
    bool transactional;
    int32_t sequence;
    struct kafka_entry *entries;
    uint32_t entries_count;
    int64_t number;
    int64_t offset;
    struct mr_log_topic_create create;
    struct mr_log_topic described;
    struct kafka_fetch_slot *slots;
    uint32_t slots_count;
    bool expired; /* a fetch that waited long enough */
    struct sim_queue done;
};

/* ---- The cluster ---- */

struct kafka_tuning { /* drawn per run */
    uint64_t delay_min_ns;
    uint64_t delay_max_ns;
    uint32_t spike_per_million; /* of messages: a delay of up to spike_ns */
    uint64_t spike_ns;
    uint64_t request_timeout_ns;
    uint32_t late_per_million; /* of broken connections: what still arrives comes late */
    uint64_t late_ns;
    uint32_t end_stalls_per_million;  /* of EndTxn requests: their connection is stalled */
    uint32_t init_stalls_per_million; /* of InitProducerId requests, likewise */
    uint32_t marker_slow_per_million;
    uint64_t marker_slow_ns;
};

struct kafka {
    struct kafka_tuning tuning;
    struct kafka_topic *topics;
    struct kafka_transaction *transactions[256];
    struct kafka_client *clients;
    int64_t next_producer_id;
    uint64_t serial;
    uint64_t down_until_ns[KAFKA_BROKERS];
    uint64_t markers_held_until_ns;
    uint64_t cut_in_until_ns[SIM_PROCESSES_MAX];     /* nothing from the process arrives */
    uint64_t cut_out_until_ns[SIM_PROCESSES_MAX];    /* no answer arrives */
    uint64_t inits_held_until_ns[SIM_PROCESSES_MAX]; /* nor a new InitProducerId */
};

extern struct kafka kafka;

void kafka_begin(void);
/* Its clients break off; what they sent may still arrive. */
void kafka_process_ended(struct sim_process *process);

/* ---- Faults ---- */

void kafka_cut(struct sim_process *process, bool in, bool out, uint64_t duration_ns);
void kafka_broker_down(uint32_t broker, uint64_t duration_ns);
/* Hold what is on its way on one open connection; the client breaks it after its time-out. */
void kafka_stall(uint64_t duration_ns);
void kafka_break_any(void);
void kafka_hold_markers(uint64_t duration_ns);
void kafka_hold_inits(const struct sim_process *process, uint64_t duration_ns);
void kafka_compact(void);
void kafka_heal(void);

/* ---- kafka_network.c ---- */

uint64_t kafka_delay(void);
void kafka_client_open(struct kafka_client *client);
void kafka_client_close(struct kafka_client *client);
/* False: there is no connection now; try again after kafka_retry_ns. */
bool kafka_send(struct kafka_client *client, uint32_t broker, struct kafka_request *request);
uint64_t kafka_retry_ns(void);
void kafka_respond(struct kafka_request *request, enum kafka_error error);
void kafka_break(struct kafka_connection *connection);
void kafka_arrive(struct kafka_request *request, uint64_t delay_ns);
/* On a thread: send and wait, again and again until one is answered: that is *request. MR_TIMEOUT.
 */
enum mr_status kafka_call(struct kafka_client *client, uint32_t broker,
                          struct kafka_request **request, uint64_t deadline_ns,
                          struct mr_error *error);
struct kafka_request *kafka_request_new(const char *name, void (*serve)(struct kafka_request *));

/* ---- kafka_broker.c ---- */

struct kafka_topic *kafka_topic_find(const char *name);
struct kafka_topic *kafka_topic_make(const char *name, int32_t partitions_count,
                                     enum mr_log_cleanup cleanup);
int64_t kafka_stable(const struct kafka_partition *partition); /* last stable offset */
bool kafka_readable(const struct kafka_entry *entry);
/* Outside of any protocol: a record that is there (the workload's source). */
int64_t kafka_put(struct kafka_partition *partition, struct mr_slice key, struct mr_slice value,
                  int64_t timestamp_ms);
void kafka_append(struct kafka_partition *partition, const struct kafka_entry *entry);
void kafka_changed(struct kafka_partition *partition);
struct kafka_writer *kafka_writer_take(struct kafka_partition *partition, int64_t producer_id);
void kafka_serve_produce(struct kafka_request *request);
void kafka_serve_fetch(struct kafka_request *request);

/* ---- kafka_transactions.c ---- */

struct kafka_transaction *kafka_transaction_take(const char *id);
bool kafka_transaction_allows(const struct kafka_request *request, enum kafka_error *error);
void kafka_serve_init(struct kafka_request *request);
void kafka_serve_add_partitions(struct kafka_request *request);
void kafka_serve_end(struct kafka_request *request);
uint32_t kafka_open_transactions(void);
/* The transactional id of a producer; NULL: it has none. */
const char *kafka_transaction_name(int64_t producer_id);
/* A record was appended: what lurks for that may arrive now. */
void kafka_transaction_wrote(int64_t producer_id);

/* ---- Clients ---- */

/* A log of the running process. */
struct mr_log *kafka_log_create(void);
struct kafka_client *kafka_log_client(struct mr_log *log);

enum mr_status kafka_producer_create(struct mr_log *log,
                                     const struct mr_log_producer_options *options,
                                     uint32_t wait_ms, struct mr_log_producer **producer,
                                     struct mr_error *error);
void kafka_producer_destroy(struct mr_log_producer *producer);
enum mr_status kafka_producer_begin(struct mr_log_producer *producer, struct mr_error *error);
enum mr_status kafka_producer_send(struct mr_log_producer *producer,
                                   const struct mr_log_record *records, uint32_t count,
                                   struct mr_error *error);
enum mr_status kafka_producer_flush(struct mr_log_producer *producer, struct mr_error *error);
enum mr_status kafka_producer_commit(struct mr_log_producer *producer, struct mr_error *error);

enum mr_status kafka_consumer_create(struct mr_log *log,
                                     const struct mr_log_consumer_options *options,
                                     struct mr_log_consumer **consumer, struct mr_error *error);
void kafka_consumer_destroy(struct mr_log_consumer *consumer);
enum mr_status kafka_consumer_add(struct mr_log_consumer *consumer,
                                  const struct mr_log_assignment *assignments, uint32_t count,
                                  struct mr_error *error);
enum mr_status kafka_consumer_remove(struct mr_log_consumer *consumer,
                                     const struct mr_log_assignment *assignments, uint32_t count,
                                     struct mr_error *error);
enum mr_status kafka_consumer_pause(struct mr_log_consumer *consumer, const char *topic,
                                    int32_t partition, bool paused, struct mr_error *error);
enum mr_status kafka_consumer_poll(struct mr_log_consumer *consumer, uint32_t messages_max,
                                   uint32_t wait_ms, struct mr_log_fetch *fetch,
                                   struct mr_error *error);
void kafka_fetch_release(struct mr_log_consumer *consumer, struct mr_log_fetch *fetch);

#endif
