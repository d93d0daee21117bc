/* coordinator/control_log.c — one consumer that stays at the topic's end, one producer at times.
 * Design: the consumer lives as long as it works, so that a follower is warm; reading to the end
 * goes on from where following stopped. The end is H = offset_find(LATEST), which asks
 * READ_UNCOMMITTED; it is reached with an end-of-partition event at an offset >= H, as in
 * connectors/log.c. The broker tells the end of an idle partition every fetch.wait.max.ms, so that
 * is how late a read to the end may be. */
#include "coordinator/control_log.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdio.h>

enum {
    SEGMENT_MS = 600000, /* heartbeats: a reader meets ten minutes of them at most */
    TRANSACTION_TIMEOUT_MS = 10000,
    FETCH_MESSAGES_MAX = 1000,
    POLL_MS = 50,
    NAME_SIZE = 256,
    QUEUED_BYTES_MAX = 16 << 20,
    RECORD_BYTES_MAX = MR_MESSAGE_BYTES_MAX + (64 << 10) /* and the batch's own bytes */
};

struct mr_control_log {
    struct mr_log *log;
    uint32_t wait_ms;
    char topic[NAME_SIZE]; /* also the transactional id: <cluster>.control */
    struct mr_log_consumer *consumer;
    struct mr_log_producer *producer;
    int64_t next_offset; /* of the next record to visit */
    int64_t seen_offset; /* the highest that is known to be behind us */
    int64_t message_bytes_max;
};

/* ---- Open, close ---- */

static enum mr_status ensure_topic(struct mr_control_log *control, struct mr_error *error)
{
    const struct mr_log_ops *ops = control->log->ops;
    struct mr_log_topic found;
    struct mr_log_topic_create create = {.name = control->topic,
                                         .partitions_count = 1,
                                         .replication_factor = -1,
                                         .cleanup = MR_LOG_CLEANUP_COMPACT,
                                         .segment_ms = SEGMENT_MS,
                                         .message_bytes_max = RECORD_BYTES_MAX};
    uint64_t until_ms = mr_clock_monotonic_ms() + control->wait_ms;
    enum mr_status status = ops->topic_describe(control->log, control->topic, &found, error);
    if (status == MR_NOT_FOUND)
        status = ops->topic_create(control->log, &create, error);
    else if (status != MR_OK)
        return status;
    while (status == MR_OK) {
        status = ops->topic_describe(control->log, control->topic, &found, error);
        if (status != MR_NOT_FOUND || mr_clock_monotonic_ms() >= until_ms)
            break;
        mr_clock_sleep_ms(POLL_MS); /* made a moment ago: not every broker knows it */
        status = MR_OK;
    }
    control->message_bytes_max = found.message_bytes_max;
    if (status == MR_OK && found.partitions_count != 1)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_EXIT,
                       "Topic %s has %d partitions; the control topic has exactly one, or its "
                       "records would have no order. Delete the topic when it is not a cluster's, "
                       "or choose another --cluster.",
                       control->topic, found.partitions_count);
    return status;
}

enum mr_status mr_control_log_open(const struct mr_control_log_options *options,
                                   struct mr_control_log **control, struct mr_error *error)
{
    struct mr_control_log *opened = mr_memory_new(1, sizeof(*opened));
    opened->log = options->log;
    opened->wait_ms = options->wait_ms;
    opened->next_offset = MR_LOG_OFFSET_EARLIEST;
    int size = snprintf(opened->topic, sizeof(opened->topic), "%s.control", options->cluster);
    if (size < 0 || (size_t)size >= sizeof(opened->topic)) {
        mr_control_log_close(opened);
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_EXIT,
                       "The cluster's name is too long for the name of a topic: %.60s...",
                       options->cluster);
    }
    enum mr_status status = ensure_topic(opened, error);
    if (status != MR_OK) {
        mr_control_log_close(opened);
        return status;
    }
    *control = opened;
    return MR_OK;
}

static void drop_consumer(struct mr_control_log *control)
{
    if (control->consumer != NULL)
        control->log->ops->consumer_destroy(control->consumer);
    control->consumer = NULL;
}

void mr_control_log_rest(struct mr_control_log *control)
{
    drop_consumer(control);
}

void mr_control_log_resign(struct mr_control_log *control)
{
    if (control->producer != NULL)
        control->log->ops->producer_destroy(control->producer);
    control->producer = NULL;
}

void mr_control_log_close(struct mr_control_log *control)
{
    if (control == NULL)
        return;
    mr_control_log_resign(control);
    drop_consumer(control);
    mr_memory_free(control);
}

/* ---- Reading ---- */

static enum mr_status ensure_consumer(struct mr_control_log *control, struct mr_error *error)
{
    static const char *const settings[] = {"fetch.wait.max.ms", "50", NULL};
    const struct mr_log_consumer_options options = {
        .end_of_partition = true, .queued_bytes_max = QUEUED_BYTES_MAX, .settings = settings};
    const struct mr_log_ops *ops = control->log->ops;
    if (control->consumer != NULL)
        return MR_OK;
    enum mr_status status = MR_OK;
    if (control->next_offset < 0)
        status = ops->offset_find(control->log, control->topic, 0, MR_LOG_OFFSET_EARLIEST,
                                  &control->next_offset, error);
    if (status == MR_OK)
        status = ops->consumer_create(control->log, &options, &control->consumer, error);
    const struct mr_log_assignment assignment = {.topic = control->topic,
                                                 .offset = control->next_offset};
    if (status == MR_OK)
        status = ops->consumer_add(control->consumer, &assignment, 1, error);
    if (status != MR_OK)
        drop_consumer(control);
    return status;
}

static enum mr_status visit_fetch(struct mr_control_log *control, const struct mr_log_fetch *fetch,
                                  mr_control_visit_fn visit, void *argument, struct mr_error *error)
{
    for (uint32_t index = 0; index < fetch->messages_count; index++) {
        const struct mr_log_message *message = &fetch->messages[index];
        if (message->event == MR_LOG_PARTITION_ERROR) {
            *error = fetch->error;
            return error->status;
        }
        if (message->event == MR_LOG_END_OF_PARTITION) {
            if (message->offset > control->seen_offset)
                control->seen_offset = message->offset;
            continue;
        }
        control->next_offset = message->offset + 1;
        if (control->next_offset > control->seen_offset)
            control->seen_offset = control->next_offset;
        enum mr_status status = MR_OK;
        if (!message->key_null)
            status = visit(argument, message->key,
                           message->value_null ? mr_slice_from(NULL, 0) : message->value,
                           message->timestamp_ms, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

static enum mr_status poll_once(struct mr_control_log *control, uint32_t wait_ms,
                                mr_control_visit_fn visit, void *argument, struct mr_error *error)
{
    const struct mr_log_ops *ops = control->log->ops;
    struct mr_log_fetch fetch;
    enum mr_status status = ensure_consumer(control, error);
    if (status != MR_OK)
        return status;
    status = ops->consumer_poll(control->consumer, FETCH_MESSAGES_MAX, wait_ms, &fetch, error);
    if (status == MR_AGAIN)
        return MR_OK;
    if (status == MR_OK) {
        status = visit_fetch(control, &fetch, visit, argument, error);
        ops->fetch_release(control->consumer, &fetch);
    }
    if (status != MR_OK)
        drop_consumer(control);
    return status;
}

enum mr_status mr_control_log_follow(struct mr_control_log *control, uint32_t wait_ms,
                                     mr_control_visit_fn visit, void *argument,
                                     struct mr_error *error)
{
    return poll_once(control, wait_ms, visit, argument, error);
}

enum mr_status mr_control_log_read_to_end(struct mr_control_log *control, mr_control_visit_fn visit,
                                          void *argument, struct mr_error *error)
{
    int64_t end;
    enum mr_status status = control->log->ops->offset_find(control->log, control->topic, 0,
                                                           MR_LOG_OFFSET_LATEST, &end, error);
    uint64_t moved_ms = mr_clock_monotonic_ms();
    while (status == MR_OK && control->seen_offset < end) {
        int64_t before = control->seen_offset;
        status = poll_once(control, POLL_MS, visit, argument, error);
        uint64_t now_ms = mr_clock_monotonic_ms();
        if (control->seen_offset > before)
            moved_ms = now_ms;
        else if (status == MR_OK && now_ms - moved_ms > control->wait_ms)
            status = MR_FAIL(error, MR_TIMEOUT, MR_RECOVERY_RETRY,
                             "Reading %s to its end at %lld stopped at %lld for %u ms: a "
                             "transaction is still open there, or the broker does not answer.",
                             control->topic, (long long)end, (long long)control->seen_offset,
                             control->wait_ms);
    }
    return status;
}

/* ---- Writing ---- */

enum mr_status mr_control_log_initialise(struct mr_control_log *control, struct mr_error *error)
{
    struct mr_log_producer_options options = {
        .transactional_id = control->topic,
        .transaction_timeout_ms = TRANSACTION_TIMEOUT_MS,
        .queued_bytes_max = 2 * (uint64_t)MR_MESSAGE_BYTES_MAX,
        .batch_bytes_max = (uint64_t)control->message_bytes_max};
    mr_control_log_resign(control);
    return control->log->ops->producer_create(control->log, &options, control->wait_ms,
                                              &control->producer, error);
}

enum mr_status mr_control_log_write(struct mr_control_log *control,
                                    const struct mr_core_record *records, uint32_t records_count,
                                    struct mr_error *error)
{
    const struct mr_log_ops *ops = control->log->ops;
    if (control->producer == NULL)
        return MR_FAIL(error, MR_CLOSED, MR_RECOVERY_REINCARNATE,
                       "The control topic is not written: this process is not its writer.");
    enum mr_status status = ops->producer_begin(control->producer, error);
    for (uint32_t index = 0; status == MR_OK && index < records_count; index++) {
        struct mr_log_record record = {.topic = control->topic,
                                       .key = records[index].key,
                                       .value = records[index].value,
                                       .value_null = records[index].value.size == 0,
                                       .timestamp_ms = -1};
        status = ops->producer_send(control->producer, &record, 1, error);
    }
    if (status == MR_OK)
        status = ops->producer_commit(control->producer, error);
    if (status != MR_OK)
        mr_control_log_resign(control);
    return status;
}
