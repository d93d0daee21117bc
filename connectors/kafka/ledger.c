/* connectors/kafka/ledger.c — counts the requests of a transactional producer and their answers.
 * Why: Kafka's EndTxn can be delayed on the way and decide a later transaction of the same producer
 * epoch (KAFKA-17754), and librdkafka repeats requests by itself after a time-out or a broken
 * connection. So a commit counts as clean only when each Produce, AddPartitionsToTxn and EndTxn
 * that was sent has been answered: nothing of it can be on its way any more. An answer with an
 * error is an answer: that request is spent, and repeating it is safe. Doubt is: a response
 * callback with a local error (timed out, broken connection, never sent), or a response that nobody
 * waits for (librdkafka gave the request up before); and sent != answered when commit returns. A
 * response is matched to its request on one connection, so totals over all brokers are equal
 * exactly when they are equal for each broker. librdkafka calls the response interceptor once where
 * the response arrives (a broker's thread) and, for requests whose result goes to its main thread,
 * once more there: only the first is counted. Records: the acknowledgement interceptor runs on
 * librdkafka's threads for every record, writes the offset for records that asked for it and notes
 * the first refusal. No delivery report crosses to our thread (delivery.report.only.error), which
 * would cost about a quarter more (measured, README.md). Threads: interceptors run on librdkafka's
 * threads; all members are atomic. */
#include "connectors/kafka/internal.h"

#include <stdio.h>

#include "base/assert.h"

enum { KAFKA_API_PRODUCE = 0, KAFKA_API_ADD_PARTITIONS = 24, KAFKA_API_END_TRANSACTION = 26 };

static const int16_t ledger_keys[KAFKA_LEDGER_KEYS] = {KAFKA_API_PRODUCE, KAFKA_API_ADD_PARTITIONS,
                                                       KAFKA_API_END_TRANSACTION};
static const char *const ledger_names[KAFKA_LEDGER_KEYS] = {"Produce", "AddPartitionsToTxn",
                                                            "EndTxn"};

/* Set on librdkafka's threads that serve a broker's connection. */
static _Thread_local bool on_broker_thread;

static rd_kafka_resp_err_t thread_started(rd_kafka_t *handle, rd_kafka_thread_type_t type,
                                          const char *name, void *opaque)
{
    MR_UNUSED(handle);
    MR_UNUSED(name);
    MR_UNUSED(opaque);
    on_broker_thread = type == RD_KAFKA_THREAD_BROKER;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static int key_index(int16_t api_key)
{
    for (int index = 0; index < KAFKA_LEDGER_KEYS; index++) {
        if (ledger_keys[index] == api_key)
            return index;
    }
    return -1;
}

static void note_first(atomic_int *first, int code)
{
    int none = RD_KAFKA_RESP_ERR_NO_ERROR;
    atomic_compare_exchange_strong(first, &none, code);
}

static rd_kafka_resp_err_t request_sent(rd_kafka_t *handle, int socket, const char *broker,
                                        int32_t broker_id, int16_t api_key, int16_t api_version,
                                        int32_t correlation_id, size_t size, void *opaque)
{
    MR_UNUSED(handle);
    MR_UNUSED(socket);
    MR_UNUSED(broker);
    MR_UNUSED(broker_id);
    MR_UNUSED(api_version);
    MR_UNUSED(correlation_id);
    MR_UNUSED(size);
    struct kafka_ledger *ledger = opaque;
    int index = key_index(api_key);
    if (index >= 0)
        atomic_fetch_add(&ledger->sent[index], 1);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t response_received(rd_kafka_t *handle, int socket, const char *broker,
                                             int32_t broker_id, int16_t api_key,
                                             int16_t api_version, int32_t correlation_id,
                                             size_t size, int64_t round_trip,
                                             rd_kafka_resp_err_t code, void *opaque)
{
    MR_UNUSED(handle);
    MR_UNUSED(socket);
    MR_UNUSED(broker);
    MR_UNUSED(broker_id);
    MR_UNUSED(api_version);
    MR_UNUSED(correlation_id);
    MR_UNUSED(size);
    MR_UNUSED(round_trip);
    struct kafka_ledger *ledger = opaque;
    int index = key_index(api_key);
    if (api_key == KAFKA_API_PRODUCE && code == RD_KAFKA_RESP_ERR__RETRY)
        return RD_KAFKA_RESP_ERR_NO_ERROR; /* never sent */
    bool nobody_waits = api_key < 0;       /* librdkafka does not know what it was an answer to */
    if (index >= 0 && on_broker_thread)
        atomic_fetch_add(&ledger->answered[index], 1);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && (index >= 0 || nobody_waits))
        note_first(&ledger->doubt, code);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t acknowledged(rd_kafka_t *handle, rd_kafka_message_t *message,
                                        void *opaque)
{
    MR_UNUSED(handle);
    struct kafka_ledger *ledger = opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        note_first(&ledger->record_error, message->err);
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    if (message->offset < 0)
        atomic_store(&ledger->offset_unknown, true);
    int64_t *offset = message->_private;
    if (offset != NULL)
        *offset = message->offset;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t handle_made(rd_kafka_t *handle, const rd_kafka_conf_t *conf,
                                       void *opaque, char *text, size_t text_size)
{
    MR_UNUSED(conf);
    MR_UNUSED(text);
    MR_UNUSED(text_size);
    rd_kafka_resp_err_t code =
        rd_kafka_interceptor_add_on_thread_start(handle, "ledger", thread_started, opaque);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = rd_kafka_interceptor_add_on_request_sent(handle, "ledger", request_sent, opaque);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = rd_kafka_interceptor_add_on_response_received(handle, "ledger", response_received,
                                                             opaque);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = rd_kafka_interceptor_add_on_acknowledgement(handle, "ledger", acknowledged, opaque);
    MR_ASSERT(code == RD_KAFKA_RESP_ERR_NO_ERROR); /* without them no commit could be judged */
    return code;
}

void mr_kafka_ledger_attach(rd_kafka_conf_t *conf, struct kafka_ledger *ledger)
{
    rd_kafka_resp_err_t code =
        rd_kafka_conf_interceptor_add_on_new(conf, "ledger", handle_made, ledger);
    MR_ASSERT(code == RD_KAFKA_RESP_ERR_NO_ERROR);
}

bool mr_kafka_ledger_clean(struct kafka_ledger *ledger)
{
    if (atomic_load(&ledger->doubt) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    for (int index = 0; index < KAFKA_LEDGER_KEYS; index++) {
        if (atomic_load(&ledger->sent[index]) != atomic_load(&ledger->answered[index]))
            return false;
    }
    return true;
}

void mr_kafka_ledger_describe(struct kafka_ledger *ledger, char *text, size_t text_size)
{
    int doubt = atomic_load(&ledger->doubt);
    if (doubt != RD_KAFKA_RESP_ERR_NO_ERROR) {
        snprintf(text, text_size, "a request of the transaction was not answered properly (%s)",
                 doubt == RD_KAFKA_RESP_ERR__NOENT ? "an answer came after its time-out"
                                                   : rd_kafka_err2str((rd_kafka_resp_err_t)doubt));
        return;
    }
    for (int index = 0; index < KAFKA_LEDGER_KEYS; index++) {
        unsigned long long sent = atomic_load(&ledger->sent[index]);
        unsigned long long answered = atomic_load(&ledger->answered[index]);
        if (sent == answered)
            continue;
        snprintf(text, text_size, "%llu %s requests were sent and %llu answered", sent,
                 ledger_names[index], answered);
        return;
    }
    snprintf(text, text_size, "every request was answered");
}
