/* tests/sim/kafka_log.c — the mr_log of a simulated process: topics and offsets; the ops table.
 * Every call is a request to a broker and takes virtual time. */
#include "tests/sim/kafka.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

enum { CALL_MS = 15000 };

struct sim_log {
    struct mr_log log;
    struct kafka_client client;
};

static struct kafka_client *client_of(struct mr_log *log)
{
    return &((struct sim_log *)log)->client;
}

struct kafka_client *kafka_log_client(struct mr_log *log)
{
    return client_of(log);
}

static enum mr_status call(struct mr_log *log, uint32_t broker, struct kafka_request **request,
                           struct mr_error *error)
{
    return kafka_call(client_of(log), broker, request, sim_now_ns() + CALL_MS * SIM_MS, error);
}

static enum mr_status missing(const char *topic, struct mr_error *error)
{
    return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY, "Topic %s does not exist.",
                   topic);
}

static void log_close(struct mr_log *log)
{
    kafka_client_close(client_of(log));
}

static void serve_nothing(struct kafka_request *request)
{
    kafka_respond(request, KAFKA_OK);
}

static enum mr_status log_cluster_id(struct mr_log *log, char id[MR_LOG_ID_SIZE],
                                     struct mr_error *error)
{
    struct kafka_request *request = kafka_request_new("DescribeCluster", serve_nothing);
    (void)snprintf(id, MR_LOG_ID_SIZE, "model");
    return call(log, 0, &request, error);
}

/* ---- Topics ---- */

static void serve_describe(struct kafka_request *request)
{
    const struct kafka_topic *topic = kafka_topic_find(request->text);
    if (topic != NULL) {
        request->described = (struct mr_log_topic){.partitions_count = topic->partitions_count,
                                                   .message_bytes_max = 1048588,
                                                   .delete_retention_ms = 7 * 86400000ll};
        memcpy(request->described.topic_id, topic->id, sizeof topic->id);
    }
    kafka_respond(request, topic == NULL ? KAFKA_NOT_FOUND : KAFKA_OK);
}

static enum mr_status log_topic_describe(struct mr_log *log, const char *name,
                                         struct mr_log_topic *topic, struct mr_error *error)
{
    struct kafka_request *request = kafka_request_new("DescribeTopic", serve_describe);
    request->text = sim_copy_text(name);
    enum mr_status status = call(log, 0, &request, error);
    if (status == MR_OK && request->error == KAFKA_NOT_FOUND)
        return missing(name, error);
    *topic = request->described;
    return status;
}

static void serve_create(struct kafka_request *request)
{
    if (kafka_topic_find(request->text) == NULL)
        kafka_topic_make(request->text, request->create.partitions_count, request->create.cleanup)
            ->unasked = !request->connection->open;
    kafka_respond(request, KAFKA_OK);
}

static enum mr_status log_topic_create(struct mr_log *log, const struct mr_log_topic_create *create,
                                       struct mr_error *error)
{
    struct kafka_request *request = kafka_request_new("CreateTopic", serve_create);
    request->text = sim_copy_text(create->name);
    request->create = *create;
    return call(log, 0, &request, error);
}

static void serve_grow(struct kafka_request *request)
{
    struct kafka_topic *topic = kafka_topic_find(request->text);
    MR_ASSERT(topic == NULL || request->number <= topic->partitions_room);
    if (topic != NULL && request->number > topic->partitions_count)
        topic->partitions_count = (int32_t)request->number;
    kafka_respond(request, topic == NULL ? KAFKA_NOT_FOUND : KAFKA_OK);
}

static enum mr_status log_topic_grow(struct mr_log *log, const char *name, int32_t partitions_count,
                                     struct mr_error *error)
{
    struct kafka_request *request = kafka_request_new("CreatePartitions", serve_grow);
    request->text = sim_copy_text(name);
    request->number = partitions_count;
    enum mr_status status = call(log, 0, &request, error);
    return status == MR_OK && request->error == KAFKA_NOT_FOUND ? missing(name, error) : status;
}

static void serve_delete_topic(struct kafka_request *request)
{
    struct kafka_topic *topic = kafka_topic_find(request->text);
    if (topic != NULL) {
        topic->deleted = true;
        for (int32_t number = 0; number < topic->partitions_count; number++)
            kafka_changed(topic->partitions[number]);
    }
    kafka_respond(request, topic == NULL ? KAFKA_NOT_FOUND : KAFKA_OK);
}

static enum mr_status log_topic_delete(struct mr_log *log, const char *name, struct mr_error *error)
{
    struct kafka_request *request = kafka_request_new("DeleteTopic", serve_delete_topic);
    request->text = sim_copy_text(name);
    enum mr_status status = call(log, 0, &request, error);
    return status == MR_OK && request->error == KAFKA_NOT_FOUND ? missing(name, error) : status;
}

static enum mr_status log_topics_list(struct mr_log *log,
                                      void (*visit)(void *argument, const char *name),
                                      void *argument, struct mr_error *error)
{
    struct kafka_request *request = kafka_request_new("ListTopics", serve_nothing);
    enum mr_status status = call(log, 0, &request, error);
    for (const struct kafka_topic *topic = kafka.topics; topic != NULL && status == MR_OK;
         topic = topic->next)
        if (!topic->deleted)
            visit(argument, topic->name);
    return status;
}

/* ---- Offsets ---- */

static struct kafka_partition *find_partition(const char *topic_name, int32_t number)
{
    struct kafka_topic *topic = kafka_topic_find(topic_name);
    return topic == NULL || number < 0 || number >= topic->partitions_count
               ? NULL
               : topic->partitions[number];
}

static void serve_list_offsets(struct kafka_request *request)
{
    const struct kafka_partition *partition = request->partition;
    request->offset = partition->count; /* the high watermark */
    if (request->number == MR_LOG_OFFSET_EARLIEST)
        request->offset = partition->start;
    for (int64_t offset = partition->start; request->number >= 0 && offset < partition->count;
         offset++)
        if (partition->entries[offset].timestamp_ms >= request->number) {
            request->offset = offset;
            break;
        }
    kafka_respond(request, partition->topic->deleted ? KAFKA_NOT_FOUND : KAFKA_OK);
}

static enum mr_status log_offset_find(struct mr_log *log, const char *topic, int32_t number,
                                      int64_t at, int64_t *offset, struct mr_error *error)
{
    struct kafka_partition *partition = find_partition(topic, number);
    if (partition == NULL)
        return missing(topic, error);
    struct kafka_request *request = kafka_request_new("ListOffsets", serve_list_offsets);
    request->partition = partition;
    request->number = at;
    enum mr_status status = call(log, partition->broker, &request, error);
    if (status == MR_OK && request->error == KAFKA_NOT_FOUND)
        return missing(topic, error);
    *offset = request->offset;
    return status;
}

static void serve_delete_records(struct kafka_request *request)
{
    struct kafka_partition *partition = request->partition;
    if (request->number > partition->count) {
        kafka_respond(request, KAFKA_OUT_OF_RANGE);
        return;
    }
    if (request->number > partition->start)
        partition->start = request->number;
    kafka_respond(request, KAFKA_OK);
}

static enum mr_status log_records_delete(struct mr_log *log, const char *topic, int32_t number,
                                         int64_t offset, struct mr_error *error)
{
    struct kafka_partition *partition = find_partition(topic, number);
    if (partition == NULL)
        return missing(topic, error);
    struct kafka_request *request = kafka_request_new("DeleteRecords", serve_delete_records);
    request->partition = partition;
    request->number = offset;
    enum mr_status status = call(log, partition->broker, &request, error);
    if (status == MR_OK && request->error == KAFKA_OUT_OF_RANGE)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s[%d] ends before the offset to delete to.", topic, (int)number);
    return status;
}

static enum mr_status log_offsets_mirror(struct mr_log *log, const char *group,
                                         const struct mr_log_assignment *offsets, uint32_t count,
                                         struct mr_error *error)
{
    struct kafka_request *request = kafka_request_new("OffsetCommit", serve_nothing);
    MR_UNUSED(group);
    MR_UNUSED(offsets);
    MR_UNUSED(count);
    return call(log, 1, &request, error);
}

static struct mr_headers log_message_headers(const struct mr_log_message *message,
                                             struct mr_arena *arena)
{
    const struct kafka_entry *entry = message->lease;
    MR_UNUSED(arena);
    return entry == NULL || entry->headers == NULL ? (struct mr_headers){0} : *entry->headers;
}

static const struct mr_log_ops ops = {
    .name = "simulated",
    .close = log_close,
    .cluster_id = log_cluster_id,
    .topic_describe = log_topic_describe,
    .topic_create = log_topic_create,
    .topic_grow = log_topic_grow,
    .topic_delete = log_topic_delete,
    .topics_list = log_topics_list,
    .offset_find = log_offset_find,
    .records_delete = log_records_delete,
    .offsets_mirror = log_offsets_mirror,
    .consumer_create = kafka_consumer_create,
    .consumer_destroy = kafka_consumer_destroy,
    .consumer_add = kafka_consumer_add,
    .consumer_remove = kafka_consumer_remove,
    .consumer_pause = kafka_consumer_pause,
    .consumer_poll = kafka_consumer_poll,
    .fetch_release = kafka_fetch_release,
    .message_headers = log_message_headers,
    .producer_create = kafka_producer_create,
    .producer_destroy = kafka_producer_destroy,
    .producer_begin = kafka_producer_begin,
    .producer_send = kafka_producer_send,
    .producer_flush = kafka_producer_flush,
    .producer_commit = kafka_producer_commit,
};

struct mr_log *kafka_log_create(void)
{
    struct sim_log *log = sim_new(sizeof *log);
    log->log.ops = &ops;
    kafka_client_open(&log->client);
    return &log->log;
}
