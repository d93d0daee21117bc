/* connectors/kafka/cluster.c — the Kafka log: its life, and the ops table.
 * Design: creating a log talks to nobody; only its configuration is checked, so that a program can
 * start while the brokers are away. Every later request waits a bounded time and says RETRY. */
#include "connectors/kafka/internal.h"

#include "base/memory.h"

static void close_log(struct mr_log *base)
{
    struct kafka_log *log = (struct kafka_log *)base;
    mr_kafka_admin_close(log);
    pthread_mutex_destroy(&log->lock);
    for (size_t index = 0; log->settings[index] != NULL; index++)
        mr_memory_free(log->settings[index]);
    mr_memory_free(log->settings);
    mr_memory_free(log->brokers);
    mr_memory_free(log->client_id);
    mr_memory_free(log);
}

static const struct mr_log_ops kafka_log_ops = {
    .name = "kafka",
    .close = close_log,
    .cluster_id = mr_kafka_cluster_id,
    .topic_describe = mr_kafka_topic_describe,
    .topic_create = mr_kafka_topic_create,
    .topic_grow = mr_kafka_topic_grow,
    .topic_delete = mr_kafka_topic_delete,
    .topics_list = mr_kafka_topics_list,
    .offset_find = mr_kafka_offset_find,
    .records_delete = mr_kafka_records_delete,
    .offsets_mirror = mr_kafka_offsets_mirror,
    .consumer_create = mr_kafka_consumer_create,
    .consumer_destroy = mr_kafka_consumer_destroy,
    .consumer_add = mr_kafka_consumer_add,
    .consumer_remove = mr_kafka_consumer_remove,
    .consumer_pause = mr_kafka_consumer_pause,
    .consumer_poll = mr_kafka_consumer_poll,
    .fetch_release = mr_kafka_fetch_release,
    .message_headers = mr_kafka_message_headers,
    .producer_create = mr_kafka_producer_create,
    .producer_destroy = mr_kafka_producer_destroy,
    .producer_begin = mr_kafka_producer_begin,
    .producer_send = mr_kafka_producer_send,
    .producer_flush = mr_kafka_producer_flush,
    .producer_commit = mr_kafka_producer_commit,
};

static char **copy_settings(const char *const *settings)
{
    size_t count = 0;
    while (settings != NULL && settings[count] != NULL)
        count++;
    char **copies = mr_memory_new(count + 1, sizeof(*copies));
    for (size_t index = 0; index < count; index++)
        copies[index] = mr_memory_copy_text(settings[index]);
    return copies;
}

enum mr_status mr_kafka_log_create(const struct mr_kafka_log_open *open, struct mr_log **log,
                                   struct mr_error *error)
{
    if (open->brokers == NULL || open->brokers[0] == '\0') {
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "No Kafka broker is given: write host:port, or several divided by commas.");
    }
    enum mr_status status = mr_kafka_settings_check(open->settings, error);
    if (status != MR_OK)
        return status;
    struct kafka_log *made = mr_memory_new(1, sizeof(*made));
    made->base.ops = &kafka_log_ops;
    made->brokers = mr_memory_copy_text(open->brokers);
    made->client_id = mr_memory_copy_text(open->client_id != NULL ? open->client_id : "millrace");
    made->settings = copy_settings(open->settings);
    made->queued_bytes_max =
        open->queued_bytes_max != 0 ? open->queued_bytes_max : KAFKA_QUEUED_BYTES;
    pthread_mutex_init(&made->lock, NULL);
    *log = &made->base;
    return MR_OK;
}
