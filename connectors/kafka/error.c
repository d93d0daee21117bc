/* connectors/kafka/error.c — the one translation of librdkafka's error codes.
 * Why: what a caller may do after an error is decided here, once. Three questions decide it: may
 * the same request succeed later (RETRY), is the producer unusable or the outcome unknown
 * (REINCARNATE), or must a person change something (FAIL_TOPOLOGY, with the remedy in the
 * sentence). A producer is never used after a failure (DESIGN section 4 rule 1), so
 * mr_kafka_fail_producer turns RETRY into REINCARNATE; what a person must change stays
 * FAIL_TOPOLOGY. */
#include "connectors/kafka/internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"

struct translation {
    rd_kafka_resp_err_t code;
    enum mr_status status;
    enum mr_recovery recovery;
    const char *remedy; /* NULL: nothing to add */
};

#define RETRY MR_RECOVERY_RETRY
#define REINCARNATE MR_RECOVERY_REINCARNATE
#define FAIL MR_RECOVERY_FAIL_TOPOLOGY

static const char remedy_topic[] =
    "Check the name, or create the topic. A topic that was deleted while the topology ran is not "
    "gone on with, even when it is created anew: start the topology under a new name.";
static const char remedy_login[] = "Check the credentials and the mechanism of the connection.";
static const char remedy_rights[] =
    "Give the connection's user the rights that `millrace doctor` lists.";
static const char remedy_size[] =
    "Raise the topic's max.message.bytes, or make the record smaller.";
static const char remedy_range[] =
    "The log was truncated, its records expired, or another topic has this name now.";

static const struct translation translations[] = {
    {RD_KAFKA_RESP_ERR__TIMED_OUT, MR_TIMEOUT, RETRY, NULL},
    {RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, MR_TIMEOUT, RETRY, NULL},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, MR_TIMEOUT, REINCARNATE, NULL},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, MR_TIMEOUT, RETRY, NULL},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, MR_NOT_FOUND, FAIL, remedy_topic},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, MR_NOT_FOUND, FAIL, remedy_topic},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, MR_NOT_FOUND, FAIL, remedy_topic},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID, MR_NOT_FOUND, FAIL, remedy_topic},
    {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, MR_CORRUPT, FAIL, remedy_range},
    {RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, MR_CORRUPT, FAIL, remedy_range},
    {RD_KAFKA_RESP_ERR__LOG_TRUNCATION, MR_CORRUPT, FAIL, remedy_range},
    {RD_KAFKA_RESP_ERR__BAD_MSG, MR_CORRUPT, RETRY, NULL},
    {RD_KAFKA_RESP_ERR_INVALID_MSG, MR_CORRUPT, RETRY, NULL},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, MR_INVALID, FAIL, remedy_login},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, MR_INVALID, FAIL, remedy_login},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, MR_INVALID, FAIL, remedy_login},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, MR_INVALID, FAIL, remedy_rights},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, MR_INVALID, FAIL, remedy_rights},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, MR_INVALID, FAIL, remedy_rights},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, MR_INVALID, FAIL, remedy_rights},
    {RD_KAFKA_RESP_ERR__FENCED, MR_FENCED, REINCARNATE, NULL},
    {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, MR_FENCED, REINCARNATE, NULL},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, MR_FENCED, REINCARNATE, NULL},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, MR_LIMIT, REINCARNATE, remedy_size},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, MR_LIMIT, REINCARNATE, remedy_size},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, MR_INVALID, REINCARNATE,
     "The record's timestamp is further from the broker's clock than the topic allows."},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, MR_INVALID, REINCARNATE,
     "The topic does not take this record: a compacted topic needs a key."},
    {RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, MR_IO, REINCARNATE, NULL},
    {RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, MR_IO, REINCARNATE, NULL},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, MR_IO, REINCARNATE, NULL},
    {RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, MR_IO, REINCARNATE, NULL},
    {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, MR_IO, REINCARNATE, NULL},
    {RD_KAFKA_RESP_ERR_TRANSACTION_COORDINATOR_FENCED, MR_IO, REINCARNATE, NULL},
    {RD_KAFKA_RESP_ERR__STATE, MR_IO, REINCARNATE, NULL},
    {RD_KAFKA_RESP_ERR__FATAL, MR_IO, REINCARNATE, NULL},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, MR_IO, REINCARNATE, NULL},
    {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, MR_IO, REINCARNATE, NULL},
    {RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, MR_INVALID, FAIL,
     "The commit interval asks for a transaction that is longer than the broker's "
     "transaction.max.timeout.ms allows."},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, MR_INVALID, FAIL, "Kafka does not allow this topic name."},
    {RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, MR_INVALID, FAIL, "Check the number of partitions."},
    {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, MR_INVALID, FAIL,
     "The replication factor is larger than the number of brokers."},
    {RD_KAFKA_RESP_ERR_INVALID_CONFIG, MR_INVALID, FAIL, NULL},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, MR_INVALID, FAIL,
     "A policy of the cluster forbids this; ask who runs it."},
    {RD_KAFKA_RESP_ERR_INVALID_REQUEST, MR_INVALID, FAIL, NULL},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, MR_VERSION, FAIL, "Kafka 3.9.2 or newer is needed."},
    {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, MR_VERSION, FAIL, "Kafka 3.9.2 or newer is needed."},
    {RD_KAFKA_RESP_ERR__INVALID_ARG, MR_INVALID, FAIL, NULL},
    {RD_KAFKA_RESP_ERR__SSL, MR_IO, RETRY, "Check the TLS settings of the connection."},
    {RD_KAFKA_RESP_ERR__RESOLVE, MR_IO, RETRY, "Check the broker's host name."},
};

/* Everything else is a passing trouble of network, leader or coordinator. */
static const struct translation translation_other = {RD_KAFKA_RESP_ERR_UNKNOWN, MR_IO, RETRY, NULL};

static const struct translation *translate(rd_kafka_resp_err_t code)
{
    for (size_t index = 0; index < MR_ARRAY_COUNT(translations); index++) {
        if (translations[index].code == code)
            return &translations[index];
    }
    return &translation_other;
}

static enum mr_status fail(struct mr_error *error, rd_kafka_resp_err_t code,
                           const struct translation *translation, enum mr_recovery recovery,
                           const char *detail, const char *what)
{
    const char *text = detail != NULL && detail[0] != '\0' ? detail : rd_kafka_err2str(code);
    size_t size = strlen(text);
    const char *dot = size > 0 && text[size - 1] == '.' ? "" : ".";
    mr_error_set(error, translation->status, recovery, __FILE__, __LINE__, "%s: %s%s%s%s", what,
                 text, dot, translation->remedy != NULL ? " " : "",
                 translation->remedy != NULL ? translation->remedy : "");
    mr_error_origin(error, "kafka", (int32_t)code);
    return translation->status;
}

enum mr_status mr_kafka_fail(struct mr_error *error, rd_kafka_resp_err_t code, const char *detail,
                             const char *format, ...)
{
    char what[KAFKA_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    const struct translation *translation = translate(code);
    return fail(error, code, translation, translation->recovery, detail, what);
}

enum mr_status mr_kafka_fail_producer(struct mr_error *error, rd_kafka_resp_err_t code,
                                      const char *detail, const char *format, ...)
{
    char what[KAFKA_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    const struct translation *translation = translate(code);
    enum mr_recovery recovery = translation->recovery;
    if (recovery == MR_RECOVERY_RETRY)
        recovery = MR_RECOVERY_REINCARNATE;
    return fail(error, code, translation, recovery, detail, what);
}

enum mr_status mr_kafka_fail_refused(struct mr_error *error, struct kafka_client *client,
                                     const char *what)
{
    char text[KAFKA_TEXT_SIZE];
    pthread_mutex_lock(&client->lock);
    snprintf(text, sizeof(text), "%s", client->text);
    pthread_mutex_unlock(&client->lock);
    return mr_kafka_fail(error, RD_KAFKA_RESP_ERR__AUTHENTICATION, text, "%s", what);
}
