/* connectors/kafka/examine.c — see examine.h. */
#include "connectors/kafka/examine.h"

#include "base/assert.h"
#include "connectors/kafka/internal.h"

#include <stdio.h>

/* ---- Brokers ---- */

static void send_describe_cluster(rd_kafka_t *handle, rd_kafka_AdminOptions_t *options,
                                  rd_kafka_queue_t *queue, void *argument)
{
    MR_UNUSED(argument);
    rd_kafka_DescribeCluster(handle, options, queue);
}

enum mr_status mr_kafka_brokers(struct mr_log *log, struct mr_arena *arena,
                                const struct mr_kafka_broker **brokers, uint32_t *count,
                                struct mr_error *error)
{
    rd_kafka_event_t *event = NULL;
    enum mr_status status = mr_kafka_admin_request(
        (struct kafka_log *)log, RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER, send_describe_cluster, NULL,
        "Asking for the brokers", &event, error);
    if (status != MR_OK)
        return status;
    size_t nodes_count = 0;
    const rd_kafka_Node_t **nodes = rd_kafka_DescribeCluster_result_nodes(
        rd_kafka_event_DescribeCluster_result(event), &nodes_count);
    struct mr_kafka_broker *made = mr_arena_new(arena, nodes_count, sizeof *made);
    for (size_t index = 0; index < nodes_count; index++)
        made[index] = (struct mr_kafka_broker){
            .id = rd_kafka_Node_id(nodes[index]),
            .address = mr_arena_format(arena, "%s:%u", rd_kafka_Node_host(nodes[index]),
                                       (unsigned)rd_kafka_Node_port(nodes[index]))};
    rd_kafka_event_destroy(event);
    *brokers = made;
    *count = (uint32_t)nodes_count;
    return MR_OK;
}

/* ---- Settings ---- */

static void send_describe_configs(rd_kafka_t *handle, rd_kafka_AdminOptions_t *options,
                                  rd_kafka_queue_t *queue, void *argument)
{
    rd_kafka_ConfigResource_t *resource = argument;
    rd_kafka_DescribeConfigs(handle, &resource, 1, options, queue);
}

static void copy_settings(const rd_kafka_ConfigResource_t *resource, struct mr_arena *arena,
                          struct mr_kafka_settings *settings)
{
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    struct mr_kafka_setting *items = mr_arena_new(arena, count, sizeof *items);
    for (size_t index = 0; index < count; index++) {
        const char *value = rd_kafka_ConfigEntry_is_sensitive(entries[index]) == 1
                                ? NULL
                                : rd_kafka_ConfigEntry_value(entries[index]);
        items[index].name = mr_arena_copy_text(arena, rd_kafka_ConfigEntry_name(entries[index]));
        items[index].value = value == NULL ? NULL : mr_arena_copy_text(arena, value);
    }
    *settings = (struct mr_kafka_settings){.items = items, .count = (uint32_t)count};
}

static enum mr_status read_settings(struct mr_log *log, rd_kafka_ResourceType_t type,
                                    const char *name, struct mr_arena *arena,
                                    struct mr_kafka_settings *settings, struct mr_error *error)
{
    rd_kafka_event_t *event = NULL;
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(type, name);
    enum mr_status status =
        mr_kafka_admin_request((struct kafka_log *)log, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS,
                               send_describe_configs, resource, "Reading settings", &event, error);
    rd_kafka_ConfigResource_destroy(resource);
    if (status != MR_OK)
        return status;
    size_t count = 0;
    const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &count);
    if (count != 1)
        status = MR_FAIL(error, MR_INTERNAL, MR_RECOVERY_RETRY,
                         "Kafka described %zu settings instead of those of '%s'.", count, name);
    else if (rd_kafka_ConfigResource_error(resources[0]) != RD_KAFKA_RESP_ERR_NO_ERROR)
        status = mr_kafka_fail(error, rd_kafka_ConfigResource_error(resources[0]),
                               rd_kafka_ConfigResource_error_string(resources[0]),
                               "Settings of '%s'", name);
    else
        copy_settings(resources[0], arena, settings);
    rd_kafka_event_destroy(event);
    return status;
}

enum mr_status mr_kafka_broker_settings(struct mr_log *log, int32_t broker_id,
                                        struct mr_arena *arena, struct mr_kafka_settings *settings,
                                        struct mr_error *error)
{
    char name[16];
    snprintf(name, sizeof name, "%d", (int)broker_id);
    return read_settings(log, RD_KAFKA_RESOURCE_BROKER, name, arena, settings, error);
}

enum mr_status mr_kafka_topic_settings(struct mr_log *log, const char *topic,
                                       struct mr_arena *arena, struct mr_kafka_settings *settings,
                                       struct mr_error *error)
{
    return read_settings(log, RD_KAFKA_RESOURCE_TOPIC, topic, arena, settings, error);
}

const char *mr_kafka_settings_value(const struct mr_kafka_settings *settings, const char *name)
{
    for (uint32_t index = 0; index < settings->count; index++)
        if (strcmp(settings->items[index].name, name) == 0)
            return settings->items[index].value;
    return NULL;
}

/* ---- A topic ---- */

static void send_describe_topic(rd_kafka_t *handle, rd_kafka_AdminOptions_t *options,
                                rd_kafka_queue_t *queue, void *argument)
{
    const char *names[] = {argument};
    rd_kafka_TopicCollection_t *topics = rd_kafka_TopicCollection_of_topic_names(names, 1);
    rd_kafka_error_t *refused = rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
    if (refused != NULL) /* then nothing is told about rights */
        rd_kafka_error_destroy(refused);
    rd_kafka_DescribeTopics(handle, topics, options, queue);
    rd_kafka_TopicCollection_destroy(topics);
}

static void copy_view(const rd_kafka_TopicDescription_t *topic, struct mr_kafka_topic_view *view)
{
    size_t count = 0;
    const rd_kafka_TopicPartitionInfo_t **partitions =
        rd_kafka_TopicDescription_partitions(topic, &count);
    view->partitions_count = (int32_t)count;
    for (size_t index = 0; index < count; index++) {
        size_t replicas = 0;
        size_t in_sync = 0;
        (void)rd_kafka_TopicPartitionInfo_replicas(partitions[index], &replicas);
        (void)rd_kafka_TopicPartitionInfo_isr(partitions[index], &in_sync);
        if (index == 0 || (int32_t)replicas < view->replicas_min)
            view->replicas_min = (int32_t)replicas;
        if (index == 0 || (int32_t)in_sync < view->in_sync_min)
            view->in_sync_min = (int32_t)in_sync;
    }
    const rd_kafka_AclOperation_t *operations =
        rd_kafka_TopicDescription_authorized_operations(topic, &count);
    for (size_t index = 0; operations != NULL && index < count; index++)
        if ((int)operations[index] > 0 && (int)operations[index] < 64)
            view->allowed |= (uint64_t)1 << (int)operations[index];
}

enum mr_status mr_kafka_topic_view(struct mr_log *log, const char *topic,
                                   struct mr_kafka_topic_view *view, struct mr_error *error)
{
    char copy[KAFKA_TEXT_SIZE];
    snprintf(copy, sizeof copy, "%s", topic);
    *view = (struct mr_kafka_topic_view){0};
    rd_kafka_event_t *event = NULL;
    enum mr_status status =
        mr_kafka_admin_request((struct kafka_log *)log, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
                               send_describe_topic, copy, "Describing a topic", &event, error);
    if (status != MR_OK)
        return status;
    size_t count = 0;
    const rd_kafka_TopicDescription_t **topics =
        rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event), &count);
    const rd_kafka_error_t *refusal =
        count == 1 ? rd_kafka_TopicDescription_error(topics[0]) : NULL;
    if (count != 1)
        status = MR_FAIL(error, MR_INTERNAL, MR_RECOVERY_RETRY,
                         "Kafka described %zu topics instead of '%s'.", count, topic);
    else if (refusal != NULL)
        status = mr_kafka_fail(error, rd_kafka_error_code(refusal), rd_kafka_error_string(refusal),
                               "Topic '%s'", topic);
    else
        copy_view(topics[0], view);
    rd_kafka_event_destroy(event);
    return status;
}
