/* connectors/log.c — what is built on the log interface, the same for every log.
 * Why reading to the end is written once, here: everything that a new owner knows comes from it
 * (claims, progress, changelog). The end is a point behind every record *and every marker* that
 * existed when reading began: H, asked with READ_UNCOMMITTED. A read_committed reader reaches H
 * only after every transaction below it has ended, and sees that by an end-of-partition event at an
 * offset
 * >= H; the last record's offset does not tell, since markers and aborted records are not
 * delivered. While a transaction below H stays open there are end-of-partition events below H: they
 * do not count, and stall_ms_max bounds the wait. */
#include "connectors/log.h"

#include "base/clock.h"
#include "base/guard.h"

enum {
    READ_MESSAGES_MAX = 2048,
    READ_WAIT_MS = 100,
    SHORT_TRANSACTION_MS = 5000, /* DESIGN section 4 rule 2 */
    FENCE_TRANSACTION_MS = 5000, /* the fencing producer never begins one */
    /* Kafka ends the id's open transaction in some milliseconds and says "ask again" meanwhile;
     * librdkafka then asks after half a second, a new client asks at once. */
    FENCE_TRY_MS = 60
};

struct reading {
    int64_t until; /* H */
    int64_t seen;  /* highest offset known to be behind us */
    bool done;
};

/* Hand the messages of one fetch to visit. */
static enum mr_status read_fetch(struct reading *reading, const struct mr_log_fetch *fetch,
                                 enum mr_status (*visit)(void *argument,
                                                         const struct mr_log_message *message,
                                                         struct mr_error *error),
                                 void *argument, struct mr_error *error)
{
    for (uint32_t index = 0; index < fetch->messages_count && !reading->done; index++) {
        const struct mr_log_message *message = &fetch->messages[index];
        if (message->event == MR_LOG_PARTITION_ERROR) {
            *error = fetch->error;
            return error->status;
        }
        if (message->event == MR_LOG_END_OF_PARTITION) {
            if (message->offset > reading->seen)
                reading->seen = message->offset;
            reading->done = !MR_GUARD(READ_TO_END) || message->offset >= reading->until;
            continue;
        }
        enum mr_status status = visit(argument, message, error);
        if (status != MR_OK)
            return status;
        reading->seen = message->offset + 1;
    }
    return MR_OK;
}

static enum mr_status read_all(struct mr_log *log, struct mr_log_consumer *consumer,
                               struct reading *reading, const char *topic, int32_t partition,
                               enum mr_status (*visit)(void *argument,
                                                       const struct mr_log_message *message,
                                                       struct mr_error *error),
                               void *argument, uint32_t stall_ms_max, struct mr_error *error)
{
    uint64_t moved_ms = mr_clock_monotonic_ms();
    while (!reading->done) {
        int64_t before = reading->seen;
        struct mr_log_fetch fetch;
        enum mr_status status =
            log->ops->consumer_poll(consumer, READ_MESSAGES_MAX, READ_WAIT_MS, &fetch, error);
        if (status == MR_OK) {
            status = read_fetch(reading, &fetch, visit, argument, error);
            log->ops->fetch_release(consumer, &fetch);
        }
        if (status != MR_OK && status != MR_AGAIN)
            return status;
        uint64_t now_ms = mr_clock_monotonic_ms();
        if (reading->seen > before)
            moved_ms = now_ms;
        else if (!reading->done && now_ms - moved_ms > stall_ms_max)
            return MR_FAIL(error, MR_TIMEOUT, MR_RECOVERY_RETRY,
                           "Reading %s[%d] to its end at %lld stopped at %lld for %u ms: a "
                           "transaction is still open there, or the broker does not answer.",
                           topic, (int)partition, (long long)reading->until,
                           (long long)reading->seen, stall_ms_max);
    }
    return MR_OK;
}

enum mr_status
mr_log_read_to_end(struct mr_log *log, const char *topic, int32_t partition, int64_t first_offset,
                   enum mr_status (*visit)(void *argument, const struct mr_log_message *message,
                                           struct mr_error *error),
                   void *argument, uint32_t stall_ms_max, int64_t *end, struct mr_error *error)
{
    const struct mr_log_ops *ops = log->ops;
    struct reading reading = {0};
    enum mr_status status =
        ops->offset_find(log, topic, partition, MR_LOG_OFFSET_LATEST, &reading.until, error);
    /* librdkafka looks a logical offset up half a second late while the leader is being found. */
    if (status == MR_OK && first_offset == MR_LOG_OFFSET_EARLIEST)
        status =
            ops->offset_find(log, topic, partition, MR_LOG_OFFSET_EARLIEST, &first_offset, error);
    if (status != MR_OK)
        return status;
    reading.seen = first_offset;
    if (first_offset > reading.until)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s[%d] ends at %lld, before the offset %lld to read from: the log was "
                       "truncated, or another topic has this name now.",
                       topic, (int)partition, (long long)reading.until, (long long)first_offset);
    struct mr_log_consumer *consumer = NULL;
    /* Kafka's broker answers an empty fetch, and so tells the end, after this time only. */
    static const char *const settings[] = {"fetch.wait.max.ms", "2", NULL};
    const struct mr_log_consumer_options options = {.end_of_partition = true, .settings = settings};
    status = ops->consumer_create(log, &options, &consumer, error);
    if (status != MR_OK)
        return status;
    const struct mr_log_assignment assignment = {
        .topic = topic, .partition = partition, .offset = first_offset};
    status = ops->consumer_add(consumer, &assignment, 1, error);
    if (status == MR_OK)
        status = read_all(log, consumer, &reading, topic, partition, visit, argument, stall_ms_max,
                          error);
    ops->consumer_destroy(consumer);
    if (status == MR_OK)
        *end = reading.seen;
    return status;
}

enum mr_status mr_log_fence(struct mr_log *log, const char *transactional_id, uint32_t wait_ms,
                            struct mr_error *error)
{
    const struct mr_log_producer_options options = {.transactional_id = transactional_id,
                                                    .transaction_timeout_ms = FENCE_TRANSACTION_MS};
    uint64_t until_ms = mr_clock_monotonic_ms() + wait_ms;
    uint32_t try_ms = FENCE_TRY_MS;
    for (;;) {
        struct mr_log_producer *producer = NULL;
        uint64_t now_ms = mr_clock_monotonic_ms();
        uint32_t left_ms = now_ms < until_ms ? (uint32_t)(until_ms - now_ms) : 1;
        enum mr_status status = log->ops->producer_create(
            log, &options, try_ms < left_ms ? try_ms : left_ms, &producer, error);
        if (status == MR_OK)
            log->ops->producer_destroy(producer);
        if (status != MR_TIMEOUT || left_ms <= try_ms)
            return status;
        try_ms *= 2;
    }
}

enum mr_status mr_log_write_once(struct mr_log *log, const char *transactional_id,
                                 const struct mr_log_record *records, uint32_t count,
                                 uint32_t wait_ms, struct mr_error *error)
{
    const struct mr_log_producer_options options = {.transactional_id = transactional_id,
                                                    .transaction_timeout_ms = SHORT_TRANSACTION_MS};
    struct mr_log_producer *producer = NULL;
    enum mr_status status = log->ops->producer_create(log, &options, wait_ms, &producer, error);
    if (status != MR_OK)
        return status;
    status = log->ops->producer_begin(producer, error);
    if (status == MR_OK)
        status = log->ops->producer_send(producer, records, count, error);
    if (status == MR_OK)
        status = log->ops->producer_commit(producer, error);
    log->ops->producer_destroy(producer);
    return status;
}
