/* connectors/kafka/producer.c — transactional and idempotent producers.
 * Design: values are never copied (neither F_COPY nor F_FREE): they stay the caller's until commit
 * returned MR_OK or the producer is destroyed, which purges the queues first. Records go in chunks,
 * grouped by partition, through rd_kafka_produce_batch, which takes topic and partition once for a
 * group; a record with headers or with a timestamp goes through rd_kafka_produceva, since a batch
 * can carry neither. Order: produce_batch stops at the first record that finds the queue full, so
 * going on from there keeps the order of each partition. Flush: delivery reports are set to events,
 * of which delivery.report.only.error leaves none in good times; rd_kafka_flush then waits on a
 * condition for the last acknowledgement, where it would poll in steps of 10 ms with callbacks or
 * without reports. The first record of a topic may be a second late in librdkafka while the topic's
 * leader is unknown
 * (#5032); so a topic's metadata is fetched when the producer meets it, which also tells a missing
 * topic or partition at once instead of after a time-out.
 * A failure ends a producer's usefulness: there is no abort (it may send a second initialisation,
 * and has a fatal race, #4849); callers destroy it. */
#include "connectors/kafka/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/guard.h"
#include "base/memory.h"

enum {
    CHUNK_RECORDS = 512,
    QUEUE_WAIT_MS = 2,
    BLOCK_MS_DEFAULT = 60000,
    BATCH_BYTES_MAX = 1000000,
    QUEUED_BYTES_MIN = 1 << 20,
    QUEUED_RECORDS_MIN = 10000,
    QUEUED_RECORDS_MAX = 1000000,
    QUEUED_RECORD_BYTES = 64 /* a record in the queue costs at least this much */
};

struct topic {
    struct topic *next;
    char *name;
    rd_kafka_topic_t *handle;
    int32_t partitions_count;
    uint32_t *counts; /* of a chunk, per partition; zero between chunks */
};

struct producer {
    struct mr_log_producer base;
    struct kafka_client client;
    struct kafka_ledger ledger;
    rd_kafka_t *handle;
    struct topic *topics;
    struct topic *recent;
    bool transactional;
    uint32_t block_ms;
    uint32_t transaction_ms;
    rd_kafka_message_t batch[CHUNK_RECORDS];
};

static const uint8_t empty_value[1];

/* ---- Life ---- */

struct engine_texts {
    char timeout[32];
    char queued_kbytes[32];
    char queued_records[32];
    char batch_bytes[32];
};

static enum mr_status make_handle(struct kafka_log *log, struct producer *producer,
                                  const struct mr_log_producer_options *options,
                                  struct mr_error *error)
{
    struct engine_texts texts;
    uint64_t queued =
        options->queued_bytes_max != 0 ? options->queued_bytes_max : log->queued_bytes_max / 2;
    if (queued < QUEUED_BYTES_MIN)
        queued = QUEUED_BYTES_MIN;
    uint64_t records = queued / QUEUED_RECORD_BYTES;
    if (records < QUEUED_RECORDS_MIN)
        records = QUEUED_RECORDS_MIN;
    if (records > QUEUED_RECORDS_MAX)
        records = QUEUED_RECORDS_MAX;
    /* A batch may not be larger than the smallest of the topics takes. */
    uint64_t batch_bytes =
        options->batch_bytes_max != 0 && options->batch_bytes_max < BATCH_BYTES_MAX
            ? options->batch_bytes_max
            : BATCH_BYTES_MAX;
    snprintf(texts.batch_bytes, sizeof(texts.batch_bytes), "%llu", (unsigned long long)batch_bytes);
    snprintf(texts.timeout, sizeof(texts.timeout), "%u", producer->transaction_ms);
    snprintf(texts.queued_kbytes, sizeof(texts.queued_kbytes), "%llu",
             (unsigned long long)(queued / 1024));
    snprintf(texts.queued_records, sizeof(texts.queued_records), "%llu",
             (unsigned long long)records);
    const char *const engine[] = {"queue.buffering.max.kbytes",
                                  texts.queued_kbytes,
                                  "queue.buffering.max.messages",
                                  texts.queued_records,
                                  "batch.size",
                                  texts.batch_bytes,
                                  producer->transactional ? "transactional.id" : NULL,
                                  options->transactional_id,
                                  "transaction.timeout.ms",
                                  texts.timeout,
                                  NULL};
    rd_kafka_conf_t *conf = NULL;
    enum mr_status status = mr_kafka_conf_create(log, KAFKA_PRODUCER, options->settings, engine,
                                                 &producer->client, &conf, error);
    if (status != MR_OK)
        return status;
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
    mr_kafka_ledger_attach(conf, &producer->ledger);
    char text[KAFKA_TEXT_SIZE];
    producer->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (producer->handle == NULL) {
        rd_kafka_conf_destroy(conf);
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The Kafka producer cannot be made: %s.", text);
    }
    return MR_OK;
}

/* What is wrong with the producer, if anything: a fatal error (fenced) fails every record that
 * waits, so it comes first; then the first record that was not accepted. */
static enum mr_status check_producer(struct producer *producer, const char *what,
                                     struct mr_error *error)
{
    char fatal[KAFKA_TEXT_SIZE];
    int refused = atomic_load(&producer->ledger.record_error);
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(producer->handle, fatal, sizeof(fatal));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return mr_kafka_fail_producer(error, code, fatal, "%s", what);
    if (refused != RD_KAFKA_RESP_ERR_NO_ERROR)
        return mr_kafka_fail_producer(error, (rd_kafka_resp_err_t)refused, NULL, "%s", what);
    return MR_OK;
}

/* The cause of a failed call, which may hide behind the code that the call returned. */
static enum mr_status fail_with(struct producer *producer, rd_kafka_error_t *cause,
                                const char *what, struct mr_error *error)
{
    char text[KAFKA_TEXT_SIZE];
    rd_kafka_resp_err_t code = rd_kafka_error_code(cause);
    snprintf(text, sizeof(text), "%s", rd_kafka_error_string(cause));
    rd_kafka_error_destroy(cause);
    enum mr_status status = check_producer(producer, what, error);
    return status != MR_OK ? status : mr_kafka_fail_producer(error, code, text, "%s", what);
}

/* rd_kafka_init_transactions goes on where it was when it is called again after a retriable error.
 */
static enum mr_status initialise(struct producer *producer, uint32_t wait_ms,
                                 struct mr_error *error)
{
    uint64_t deadline_ms = mr_clock_monotonic_ms() + wait_ms;
    for (;;) {
        uint64_t now_ms = mr_clock_monotonic_ms();
        uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
        int slice_ms = left_ms > 500 ? 500 : (int)left_ms;
        rd_kafka_error_t *cause = rd_kafka_init_transactions(producer->handle, slice_ms);
        if (cause == NULL)
            return MR_OK;
        rd_kafka_poll(producer->handle, 0); /* serves the error callback */
        if (atomic_load(&producer->client.refused)) {
            rd_kafka_error_destroy(cause);
            return mr_kafka_fail_refused(error, &producer->client, "Initialising transactions");
        }
        bool retriable = rd_kafka_error_is_retriable(cause);
        if (!retriable)
            return fail_with(producer, cause, "Initialising transactions", error);
        if (left_ms == 0) {
            char text[KAFKA_TEXT_SIZE];
            snprintf(text, sizeof(text), "%s", rd_kafka_error_string(cause));
            rd_kafka_error_destroy(cause);
            /* Nothing was written yet: the same call may be tried again. */
            return mr_kafka_fail(error, RD_KAFKA_RESP_ERR__TIMED_OUT, text,
                                 "Initialising transactions");
        }
        rd_kafka_error_destroy(cause);
    }
}

enum mr_status mr_kafka_producer_create(struct mr_log *log,
                                        const struct mr_log_producer_options *options,
                                        uint32_t wait_ms, struct mr_log_producer **producer,
                                        struct mr_error *error)
{
    const char *block = mr_kafka_setting_find(options->settings, "max.block.ms");
    struct producer *made = mr_memory_new(1, sizeof(*made));
    made->base.log = log;
    made->transactional = options->transactional_id != NULL;
    made->block_ms = block != NULL ? (uint32_t)strtoul(block, NULL, 10) : BLOCK_MS_DEFAULT;
    made->transaction_ms =
        options->transaction_timeout_ms > 0 ? (uint32_t)options->transaction_timeout_ms : 60000;
    mr_kafka_client_init(&made->client);
    enum mr_status status = make_handle((struct kafka_log *)log, made, options, error);
    if (status == MR_OK && made->transactional)
        status = initialise(made, wait_ms, error);
    if (status != MR_OK) {
        if (made->transactional)
            mr_error_context(error, "Transactional id '%s'", options->transactional_id);
        mr_kafka_producer_destroy(&made->base);
        return status;
    }
    *producer = &made->base;
    return MR_OK;
}

void mr_kafka_producer_destroy(struct mr_log_producer *base)
{
    struct producer *producer = (struct producer *)base;
    if (producer == NULL)
        return;
    if (producer->handle != NULL)
        rd_kafka_purge(producer->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (producer->topics != NULL) {
        struct topic *topic = producer->topics;
        producer->topics = topic->next;
        rd_kafka_topic_destroy(topic->handle);
        mr_memory_free(topic->counts);
        mr_memory_free(topic->name);
        mr_memory_free(topic);
    }
    if (producer->handle != NULL)
        rd_kafka_destroy(producer->handle);
    mr_kafka_client_deinit(&producer->client);
    mr_memory_free(producer);
}

enum mr_status mr_kafka_producer_begin(struct mr_log_producer *base, struct mr_error *error)
{
    struct producer *producer = (struct producer *)base;
    if (!producer->transactional)
        return MR_OK;
    rd_kafka_error_t *cause = rd_kafka_begin_transaction(producer->handle);
    if (cause == NULL)
        return MR_OK;
    return fail_with(producer, cause, "Beginning a transaction", error);
}

/* ---- Topics ---- */

/* Ask once for the topic's partitions; librdkafka knows their leaders afterwards. */
static rd_kafka_resp_err_t ask_topic(struct producer *producer, struct topic *topic)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(producer->handle, 0, topic->handle, &metadata, (int)producer->block_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return code;
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        topic->partitions_count = metadata->topics[0].partition_cnt;
        mr_memory_free(topic->counts);
        topic->counts = mr_memory_new((size_t)topic->partitions_count, sizeof(*topic->counts));
    }
    rd_kafka_metadata_destroy(metadata);
    return code;
}

/* A topic that was just created may be unknown to some brokers for a moment. */
static enum mr_status load_topic(struct producer *producer, struct topic *topic,
                                 struct mr_error *error)
{
    uint64_t deadline_ms = mr_clock_monotonic_ms() + KAFKA_PROPAGATION_MS;
    rd_kafka_resp_err_t code = ask_topic(producer, topic);
    while ((code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
            code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) &&
           mr_clock_monotonic_ms() < deadline_ms) {
        mr_clock_sleep_ms(50);
        code = ask_topic(producer, topic);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return mr_kafka_fail_producer(error, code, NULL, "Writing to topic '%s'", topic->name);
    return MR_OK;
}

static enum mr_status take_topic(struct producer *producer, const char *name, struct topic **found,
                                 struct mr_error *error)
{
    struct topic *topic = producer->recent;
    if (topic == NULL || strcmp(topic->name, name) != 0) {
        topic = producer->topics;
        while (topic != NULL && strcmp(topic->name, name) != 0)
            topic = topic->next;
    }
    if (topic == NULL) {
        rd_kafka_topic_t *handle = rd_kafka_topic_new(producer->handle, name, NULL);
        if (handle == NULL)
            return mr_kafka_fail_producer(error, rd_kafka_last_error(), NULL,
                                          "Writing to topic '%s'", name);
        topic = mr_memory_new(1, sizeof(*topic));
        topic->handle = handle;
        topic->name = mr_memory_copy_text(name);
        topic->next = producer->topics;
        producer->topics = topic;
    }
    producer->recent = topic;
    *found = topic;
    return topic->partitions_count > 0 ? MR_OK : load_topic(producer, topic, error);
}

/* ---- Sending ---- */

/* Librdkafka takes payload and key as void *; it only reads them. */
static void *writable(struct mr_slice slice, bool null)
{
    const void *data = slice.size > 0 ? (const void *)slice.data : (const void *)empty_value;
    void *result = NULL;
    if (!null)
        memcpy(&result, &data, sizeof(result));
    return result;
}

/* Wait a little for room. A record that was refused, or no room for block_ms, ends the producer. */
static enum mr_status wait_for_room(struct producer *producer, uint64_t start_ms,
                                    struct mr_error *error)
{
    enum mr_status status = check_producer(producer, "Writing records", error);
    if (status != MR_OK)
        return status;
    if (mr_clock_monotonic_ms() - start_ms >= producer->block_ms)
        return mr_kafka_fail_producer(error, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, NULL,
                                      "The producer's queue was full for %u ms",
                                      producer->block_ms);
    rd_kafka_poll(producer->handle, QUEUE_WAIT_MS);
    return MR_OK;
}

static enum mr_status send_group(struct producer *producer, struct topic *topic, int32_t partition,
                                 rd_kafka_message_t *messages, uint32_t count,
                                 struct mr_error *error)
{
    uint32_t sent_count = 0;
    uint64_t start_ms = 0;
    enum mr_status status = MR_OK;
    while (sent_count < count && status == MR_OK) {
        int good = rd_kafka_produce_batch(topic->handle, partition, 0, &messages[sent_count],
                                          (int)(count - sent_count));
        sent_count += (uint32_t)good;
        if (sent_count == count)
            break;
        /* A refused record leaves a hole in `good`, so look for the first error. */
        rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__QUEUE_FULL;
        for (uint32_t index = sent_count - (uint32_t)good; index < count; index++) {
            if (messages[index].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
                code = messages[index].err;
                break;
            }
        }
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            status = check_producer(producer, "Writing records", error);
            if (status == MR_OK)
                status = mr_kafka_fail_producer(error, code, NULL, "Writing to %s[%d]", topic->name,
                                                (int)partition);
            return status;
        }
        if (start_ms == 0)
            start_ms = mr_clock_monotonic_ms();
        status = wait_for_room(producer, start_ms, error);
    }
    return status;
}

static void fill_message(rd_kafka_message_t *message, const struct mr_log_record *record)
{
    message->payload = writable(record->value, record->value_null);
    message->len = record->value_null ? 0 : record->value.size;
    message->key = writable(record->key, record->key_null);
    message->key_len = record->key_null ? 0 : record->key.size;
    message->_private = record->offset;
}

/* Records of one topic, at most CHUNK_RECORDS, sorted by partition (stably, by counting). */
static enum mr_status send_chunk(struct producer *producer, struct topic *topic,
                                 const struct mr_log_record *records, uint32_t count,
                                 struct mr_error *error)
{
    int32_t used[CHUNK_RECORDS];
    uint32_t starts[CHUNK_RECORDS];
    uint32_t used_count = 0;
    for (uint32_t index = 0; index < count; index++) {
        uint32_t *partition_count = &topic->counts[records[index].partition];
        if ((*partition_count)++ == 0)
            used[used_count++] = records[index].partition;
    }
    uint32_t start = 0;
    for (uint32_t index = 0; index < used_count; index++) {
        starts[index] = start;
        start += topic->counts[used[index]];
        topic->counts[used[index]] = starts[index]; /* from here on: where the next one goes */
    }
    for (uint32_t index = 0; index < count; index++)
        fill_message(&producer->batch[topic->counts[records[index].partition]++], &records[index]);
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < used_count; index++) {
        uint32_t end = topic->counts[used[index]];
        topic->counts[used[index]] = 0;
        if (status == MR_OK)
            status = send_group(producer, topic, used[index], &producer->batch[starts[index]],
                                end - starts[index], error);
    }
    return status;
}

static rd_kafka_headers_t *make_headers(const struct mr_headers *headers)
{
    rd_kafka_headers_t *made = rd_kafka_headers_new(headers->count);
    for (uint32_t index = 0; index < headers->count; index++) {
        const struct mr_header *header = &headers->items[index];
        rd_kafka_header_add(made, header->name, -1, header->value.data,
                            (ssize_t)header->value.size);
    }
    return made;
}

/* Timestamps below 1 cannot be said to librdkafka (0 means now): they become 1 ms. */
static enum mr_status send_single(struct producer *producer, struct topic *topic,
                                  const struct mr_log_record *record, struct mr_error *error)
{
    uint64_t start_ms = 0;
    for (;;) {
        rd_kafka_vu_t values[8];
        size_t count = 0;
        values[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic->handle};
        values[count++] =
            (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = record->partition};
        values[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_VALUE,
                                          .u.mem = {writable(record->value, record->value_null),
                                                    record->value_null ? 0 : record->value.size}};
        values[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_KEY,
                                          .u.mem = {writable(record->key, record->key_null),
                                                    record->key_null ? 0 : record->key.size}};
        values[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = record->offset};
        if (record->timestamp_ms != -1)
            values[count++] =
                (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_TIMESTAMP,
                                .u.i64 = record->timestamp_ms > 0 ? record->timestamp_ms : 1};
        rd_kafka_headers_t *headers = NULL;
        if (record->headers != NULL && record->headers->count > 0) {
            headers = make_headers(record->headers);
            values[count++] =
                (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers};
        }
        rd_kafka_error_t *cause = rd_kafka_produceva(producer->handle, values, count);
        if (cause == NULL)
            return MR_OK;
        if (headers != NULL)
            rd_kafka_headers_destroy(headers); /* ours again after a failure */
        if (rd_kafka_error_code(cause) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            return fail_with(producer, cause, "Writing a record", error);
        rd_kafka_error_destroy(cause);
        if (start_ms == 0)
            start_ms = mr_clock_monotonic_ms();
        enum mr_status status = wait_for_room(producer, start_ms, error);
        if (status != MR_OK)
            return status;
    }
}

static bool is_plain(const struct mr_log_record *record)
{
    return record->timestamp_ms == -1 && (record->headers == NULL || record->headers->count == 0);
}

enum mr_status mr_kafka_producer_send(struct mr_log_producer *base,
                                      const struct mr_log_record *records, uint32_t count,
                                      struct mr_error *error)
{
    struct producer *producer = (struct producer *)base;
    uint32_t index = 0;
    while (index < count) {
        struct topic *topic = NULL;
        enum mr_status status = take_topic(producer, records[index].topic, &topic, error);
        if (status == MR_OK && records[index].partition >= topic->partitions_count)
            status = load_topic(producer, topic, error); /* it may have grown */
        if (status != MR_OK)
            return status;
        uint32_t start = index;
        const char *name = records[start].topic;
        while (index < count && index - start < CHUNK_RECORDS && is_plain(&records[index]) &&
               (records[index].topic == name || strcmp(records[index].topic, name) == 0)) {
            int32_t partition = records[index].partition;
            if (partition < 0 || partition >= topic->partitions_count)
                break;
            index++;
        }
        if (index > start) {
            status = send_chunk(producer, topic, &records[start], index - start, error);
        } else if (records[start].partition < 0 ||
                   records[start].partition >= topic->partitions_count) {
            status =
                mr_kafka_fail_producer(error, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, NULL,
                                       "Writing to %s[%d]", name, (int)records[start].partition);
        } else {
            status = send_single(producer, topic, &records[start], error);
            index++;
        }
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

/* ---- Flush and commit ---- */

/* Bounded by the records' own life: message.timeout.ms (librdkafka sets it to the transaction's
 * time-out) ends each of them with an error that the ledger notes. */
enum mr_status mr_kafka_producer_flush(struct mr_log_producer *base, struct mr_error *error)
{
    struct producer *producer = (struct producer *)base;
    for (;;) {
        rd_kafka_resp_err_t code = rd_kafka_flush(producer->handle, KAFKA_WAIT_SLICE_MS);
        enum mr_status status = check_producer(producer, "Writing records", error);
        if (status != MR_OK)
            return status;
        if (MR_GUARD(CLEAN_COMMIT) && code == RD_KAFKA_RESP_ERR_NO_ERROR &&
            atomic_load(&producer->ledger.offset_unknown))
            return mr_kafka_fail_producer(error, RD_KAFKA_RESP_ERR_UNKNOWN,
                                          "a record was acknowledged without its offset",
                                          "Writing records");
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return MR_OK;
        rd_kafka_poll(producer->handle, 0); /* serves the error callback */
        if (atomic_load(&producer->client.refused))
            return mr_kafka_fail_refused(error, &producer->client, "Writing to Kafka");
    }
}

enum mr_status mr_kafka_producer_commit(struct mr_log_producer *base, struct mr_error *error)
{
    struct producer *producer = (struct producer *)base;
    enum mr_status status = mr_kafka_producer_flush(base, error);
    if (status != MR_OK || !producer->transactional)
        return status;
    /* -1: librdkafka waits as long as the transaction lives; other values are not resumable safely.
     */
    rd_kafka_error_t *cause = rd_kafka_commit_transaction(producer->handle, -1);
    if (cause != NULL)
        return fail_with(producer, cause, "Committing a transaction", error);
    if (MR_GUARD(CLEAN_COMMIT) && !mr_kafka_ledger_clean(&producer->ledger)) {
        char text[KAFKA_TEXT_SIZE];
        mr_kafka_ledger_describe(&producer->ledger, text, sizeof(text));
        return MR_FAIL(error, MR_IO, MR_RECOVERY_REINCARNATE,
                       "The outcome of a transaction is in doubt: %s.", text);
    }
    return MR_OK;
}
