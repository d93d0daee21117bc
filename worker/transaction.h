/* worker/transaction.h — everything that one transaction holds, staged in memory until it is
 * committed. Why: while transaction N commits on the committer's thread, N+1 is processed here
 * without touching a producer; its records reach Kafka only after N's success, so order and
 * exactly-once are plain to see. Model: one list of records per (target, partition); a target is a
 * topic that this lane writes. Bytes of keys and values live in the transaction's arena, which
 * lives until the commit has succeeded or both producers are destroyed. A seal is one task's share:
 * its sealed state and its progress record. Limits: MR_LIMIT_TRANSACTION_RECORDS out,
 * MR_TRANSACTION_INPUTS_MAX in, MR_LIMIT_TRANSACTION_BYTES: the lane seals when one is passed.
 * Threads: one at a time; moves from the task thread to the committer and back. */
#ifndef MR_WORKER_TRANSACTION_H
#define MR_WORKER_TRANSACTION_H

#include "connectors/log.h"
#include "state/state.h"

struct mr_task;

/* A topic that a lane writes. Owner: the lane's target list. */
struct mr_target {
    const char *topic;
    int32_t partitions_count;
    int64_t message_bytes_max;
    uint32_t first_list; /* of partition 0 in every transaction */
};

enum { MR_TARGETS_MAX = 2048, MR_TARGET_LISTS_MAX = 65536 };

/* Records read. More than leave: what is read and only changes state costs no memory here, and each
 * key that changed is written once per transaction, so that more records make fewer writes: at five
 * million records per second a quarter of this cost a z-score over 10,000 keys a third of its time.
 * What they change is bounded by the bytes of dirty state. */
enum { MR_TRANSACTION_INPUTS_MAX = 1000000 };

struct mr_targets {
    struct mr_target *items[MR_TARGETS_MAX];
    uint32_t items_count;
    uint32_t lists_count;
};

void mr_targets_deinit(struct mr_targets *targets);
/* Find or add a topic. NULL when a bound is reached. */
struct mr_target *mr_targets_add(struct mr_targets *targets, const char *topic,
                                 int32_t partitions_count, int64_t message_bytes_max);
struct mr_target *mr_targets_find(const struct mr_targets *targets, struct mr_slice topic);

struct mr_record_list {
    struct mr_log_record *records;
    uint32_t count;
    uint32_t sent; /* of the commit */
    uint32_t capacity;
};

/* One task's share of the transaction. */
struct mr_seal {
    struct mr_task *task;
    struct mr_state *state;   /* NULL: stateless */
    struct mr_sealed *sealed; /* NULL: stateless */
    const struct mr_state_change *changes;
    size_t changes_count;
    const char *log_topic; /* changelog or progress topic */
    int32_t partition;
    struct mr_slice progress;
    int64_t progress_offset; /* filled by the commit */
    int64_t changelog_bytes;
};

struct mr_transaction {
    struct mr_arena arena;
    struct mr_record_list *lists;
    uint32_t lists_count;
    struct mr_seal *seals;
    uint32_t seals_count;
    uint32_t seals_capacity;
    uint64_t batch_bytes_max; /* of the producers that will send it */
    uint64_t records_count;   /* outputs */
    uint64_t input_count;     /* source records whose effects it holds */
    uint64_t opened_ns;       /* monotonic: the first record; 0: empty */
    uint64_t sealed_ns;
    uint64_t committed_ns;
    enum mr_status status; /* of the commit */
    struct mr_error error;
};

struct mr_transaction *mr_transaction_create(void);
void mr_transaction_destroy(struct mr_transaction *transaction); /* accepts NULL */
/* Empty it for reuse; keeps memory. */
void mr_transaction_reset(struct mr_transaction *transaction);
/* A new record of (target, partition), zeroed but for topic and partition. */
struct mr_log_record *mr_transaction_append(struct mr_transaction *transaction,
                                            const struct mr_target *target, int32_t partition);
struct mr_seal *mr_transaction_seal(struct mr_transaction *transaction);
bool mr_transaction_full(const struct mr_transaction *transaction);
static inline bool mr_transaction_empty(const struct mr_transaction *transaction)
{
    return transaction->opened_ns == 0;
}

#endif
