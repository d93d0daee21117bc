/* worker/committer.c — writes sealed transactions, one after the other.
 * Order inside a transaction: outputs, then each task's changelog records, then its progress
 * record, so that a reader of the changelog applies state only up to a progress record. RocksDB is
 * written after the commit has succeeded (docs/EXACTLY_ONCE.md, rule 4). At-least-once: outputs are
 * acknowledged before progress is written. */
#include "worker/internal.h"

#include "base/clock.h"
#include "base/guard.h"
#include "worker/failpoint.h"

enum {
    CHANGE_RUN = 512,
    /* What a partition is handed before the next wait for acknowledgements: a little less than one
     * of librdkafka's batches (batch.size 1,000,000). It has one request per partition in flight,
     * and its broker thread spins, burning a core, while a partition has another batch ready behind
     * it. */
    ROUND_PERCENT = 85,
    ROUND_RECORDS = 9500,
    RECORD_OVERHEAD_BYTES = 24
};

/* The records of a list from first on that fit in one round. */
static uint32_t round_of(const struct mr_record_list *list, uint32_t first, size_t round_bytes)
{
    size_t bytes = 0;
    uint32_t last = first;
    while (last < list->count && last - first < ROUND_RECORDS) {
        bytes +=
            list->records[last].key.size + list->records[last].value.size + RECORD_OVERHEAD_BYTES;
        if (bytes > round_bytes && last > first)
            break;
        last++;
    }
    return last - first;
}

/* Send one round of every list. *more: some list has records left. */
static enum mr_status send_round(struct mr_log_producer *producer,
                                 struct mr_transaction *transaction, bool *more,
                                 struct mr_error *error)
{
    size_t round_bytes = transaction->batch_bytes_max / 100 * ROUND_PERCENT;
    *more = false;
    for (uint32_t index = 0; index < transaction->lists_count; index++) {
        struct mr_record_list *list = &transaction->lists[index];
        if (list->sent == list->count)
            continue;
        uint32_t count = round_of(list, list->sent, round_bytes);
        enum mr_status status =
            producer->log->ops->producer_send(producer, list->records + list->sent, count, error);
        if (status != MR_OK)
            return status;
        list->sent += count;
        *more = *more || list->sent < list->count;
    }
    return MR_OK;
}

static enum mr_status send_outputs(struct mr_log_producer *producer,
                                   struct mr_transaction *transaction, struct mr_error *error)
{
    bool more = true;
    while (more) {
        enum mr_status status = send_round(producer, transaction, &more, error);
        if (status == MR_OK && more)
            status = producer->log->ops->producer_flush(producer, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

static enum mr_status send_changes(struct mr_log_producer *producer, struct mr_seal *seal,
                                   int64_t round_bytes, struct mr_error *error)
{
    int64_t flushed_bytes = 0;
    struct mr_log_record run[CHANGE_RUN];
    uint32_t run_count = 0;
    for (size_t index = 0; index < seal->changes_count; index++) {
        const struct mr_state_change *change = &seal->changes[index];
        run[run_count++] = (struct mr_log_record){.topic = seal->log_topic,
                                                  .partition = seal->partition,
                                                  .key = change->key,
                                                  .value = change->value,
                                                  .value_null = change->tombstone,
                                                  .timestamp_ms = -1};
        seal->changelog_bytes +=
            (int64_t)(change->key.size + change->value.size + RECORD_OVERHEAD_BYTES);
        if (run_count < CHANGE_RUN && index + 1 < seal->changes_count)
            continue;
        enum mr_status status = producer->log->ops->producer_send(producer, run, run_count, error);
        if (status == MR_OK && seal->changelog_bytes - flushed_bytes > round_bytes) {
            status = producer->log->ops->producer_flush(producer, error);
            flushed_bytes = seal->changelog_bytes;
        }
        if (status != MR_OK)
            return status;
        run_count = 0;
    }
    return MR_OK;
}

static enum mr_status send_progress(struct mr_log_producer *producer, struct mr_seal *seal,
                                    struct mr_error *error)
{
    struct mr_log_record record = {.topic = seal->log_topic,
                                   .partition = seal->partition,
                                   .key = MR_STATE_PROGRESS_KEY,
                                   .value = seal->progress,
                                   .timestamp_ms = -1,
                                   .offset = &seal->progress_offset};
    seal->changelog_bytes += (int64_t)seal->progress.size;
    return producer->log->ops->producer_send(producer, &record, 1, error);
}

static enum mr_status send_seals(struct mr_log_producer *producer,
                                 struct mr_transaction *transaction, struct mr_error *error)
{
    int64_t round_bytes = (int64_t)(transaction->batch_bytes_max / 100 * ROUND_PERCENT);
    for (uint32_t index = 0; index < transaction->seals_count; index++) {
        struct mr_seal *seal = &transaction->seals[index];
        enum mr_status status = send_changes(producer, seal, round_bytes, error);
        if (status == MR_OK)
            status = send_progress(producer, seal, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

static enum mr_status apply_states(struct mr_transaction *transaction, struct mr_error *error)
{
    int64_t now_wall_ms = mr_clock_wall_ms();
    for (uint32_t index = 0; index < transaction->seals_count; index++) {
        struct mr_seal *seal = &transaction->seals[index];
        if (seal->state == NULL)
            continue;
        enum mr_status status =
            mr_state_apply_sealed(seal->state, seal->sealed, seal->progress_offset + 1,
                                  seal->changelog_bytes, now_wall_ms, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

static enum mr_status commit_exactly_once(struct mr_log_producer *producer,
                                          struct mr_transaction *transaction,
                                          struct mr_error *error)
{
    const struct mr_log_ops *ops = producer->log->ops;
    mr_failpoint("before_begin");
    enum mr_status status = ops->producer_begin(producer, error);
    if (status == MR_OK)
        status = send_outputs(producer, transaction, error);
    mr_failpoint("after_outputs");
    if (status == MR_OK)
        status = send_seals(producer, transaction, error);
    mr_failpoint("after_produce");
    if (status == MR_OK)
        status = ops->producer_flush(producer, error);
    if (!MR_GUARD(WRITE_AFTER_COMMIT) && status == MR_OK) {
        status = apply_states(transaction, error);
        mr_failpoint("mutation_applied");
    }
    mr_failpoint("before_end_txn");
    if (status == MR_OK)
        status = ops->producer_commit(producer, error);
    return status;
}

static enum mr_status commit_at_least_once(struct mr_log_producer *producer,
                                           struct mr_transaction *transaction,
                                           struct mr_error *error)
{
    const struct mr_log_ops *ops = producer->log->ops;
    enum mr_status status = send_outputs(producer, transaction, error);
    if (status == MR_OK)
        status = ops->producer_flush(producer, error);
    if (status == MR_OK)
        status = send_seals(producer, transaction, error);
    if (status == MR_OK)
        status = ops->producer_flush(producer, error);
    return status;
}

static enum mr_status commit(struct mr_lane *lane, struct mr_transaction *transaction,
                             struct mr_error *error)
{
    uint32_t turn = (uint32_t)(lane->transactions_count++ % 2);
    struct mr_log_producer *producer = lane->producers[turn];
    enum mr_status status;
    status = lane->deployment->plan->exactly_once
                 ? commit_exactly_once(producer, transaction, error)
                 : commit_at_least_once(producer, transaction, error);
    mr_failpoint("after_end_txn");
    transaction->committed_ns = mr_clock_monotonic_ns();
    if (status == MR_OK && MR_GUARD(WRITE_AFTER_COMMIT))
        status = apply_states(transaction, error);
    mr_failpoint("after_apply");
    return status;
}

void *mr_committer_main(void *argument)
{
    struct mr_lane *lane = argument;
    void *item;
    while (mr_ring_pop(lane->commits, &item, -1) == MR_OK) {
        struct mr_transaction *transaction = item;
        transaction->status = commit(lane, transaction, &transaction->error);
        if (mr_ring_push(lane->commits_done, transaction, -1) != MR_OK)
            break;
    }
    return NULL;
}
