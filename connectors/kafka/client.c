/* connectors/kafka/client.c — what every librdkafka handle shares: its log and error callbacks.
 * Why the metadata debug context is on: librdkafka 2.8 replaces a topic's id silently when the
 * topic was deleted and created anew, and goes on at the old offset. The only sign is a debug line,
 * which it writes on its main thread before the first fetch with the new id; the log callback reads
 * it and sets topic_changed, which a consumer looks at after it took messages. All other debug
 * lines are dropped here; an integration test deletes and creates a topic under a running consumer.
 */
#include "connectors/kafka/internal.h"

#include <stdio.h>
#include <syslog.h>

#include "base/log.h"

/* "Topic NAME changed id from OLD to NEW"; the id of a topic not seen before is 16 zero bytes. */
static const char changed_words[] = " changed id from ";
static const char zero_id[] = "AAAAAAAAAAAAAAAAAAAAAA";

static void watch_topic_ids(struct kafka_client *client, const char *text)
{
    const char *name = strstr(text, "Topic ");
    const char *words = name == NULL ? NULL : strstr(name, changed_words);
    if (words == NULL)
        return;
    if (strncmp(words + strlen(changed_words), zero_id, strlen(zero_id)) == 0)
        return;
    name += strlen("Topic ");
    char changed[KAFKA_TEXT_SIZE];
    snprintf(changed, sizeof(changed), "%.*s", (int)(words - name), name);
    pthread_mutex_lock(&client->lock);
    /* A second name before the first was looked at: empty stands for "any of them". */
    if (atomic_load(&client->topic_changed) && strcmp(client->changed_topic, changed) != 0)
        changed[0] = '\0';
    snprintf(client->changed_topic, sizeof(client->changed_topic), "%s", changed);
    atomic_store(&client->topic_changed, true);
    pthread_mutex_unlock(&client->lock);
}

static void log_callback(const rd_kafka_t *handle, int level, const char *facility,
                         const char *text)
{
    if (level >= LOG_DEBUG) {
        if (strcmp(facility, "METADATA") == 0)
            watch_topic_ids(rd_kafka_opaque(handle), text);
        return;
    }
    /* Destroying a producer with records in its queue is how a transaction is given up here. */
    if (strcmp(facility, "TERMINATE") == 0)
        return;
    /* Whether something is an error is said by whoever handles it. */
    enum mr_log_level mapped = level <= LOG_WARNING ? MR_LOG_WARNING : MR_LOG_DEBUG;
    MR_LOG_AT(mapped, "kafka", MR_LOG_FIELDS("client", rd_kafka_name(handle), "event", facility),
              "%s", text);
}

/* Errors of the handle as a whole. librdkafka goes on by itself after most of them; a refused
 * login, which no waiting mends, is kept for the caller. Fatal errors are seen by the call that
 * meets them. A topic that is missing, or that we may not read, comes this way too, once a second.
 */
static void error_callback(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    struct kafka_client *client = opaque;
    if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
        code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED) {
        pthread_mutex_lock(&client->lock);
        snprintf(client->text, sizeof(client->text), "%s", reason);
        pthread_mutex_unlock(&client->lock);
        atomic_store(&client->refused, true);
        return;
    }
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || code == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION ||
        code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        pthread_mutex_lock(&client->lock);
        snprintf(client->topic_text, sizeof(client->topic_text), "%s", reason);
        pthread_mutex_unlock(&client->lock);
        atomic_store(&client->topic_error, code);
        return;
    }
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        atomic_store(&client->unreachable, true);
    MR_LOG_AT(MR_LOG_WARNING, "kafka",
              MR_LOG_FIELDS("client", rd_kafka_name(handle), "event",
                            rd_kafka_err2name((rd_kafka_resp_err_t)code)),
              "%s", reason);
}

void mr_kafka_client_init(struct kafka_client *client)
{
    atomic_init(&client->refused, false);
    atomic_init(&client->unreachable, false);
    atomic_init(&client->topic_changed, false);
    atomic_init(&client->topic_error, RD_KAFKA_RESP_ERR_NO_ERROR);
    pthread_mutex_init(&client->lock, NULL);
    client->text[0] = '\0';
    client->changed_topic[0] = '\0';
    client->topic_text[0] = '\0';
}

void mr_kafka_client_deinit(struct kafka_client *client)
{
    pthread_mutex_destroy(&client->lock);
}

void mr_kafka_client_attach(rd_kafka_conf_t *conf, struct kafka_client *client)
{
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_log_cb(conf, log_callback);
    rd_kafka_conf_set_error_cb(conf, error_callback);
}
