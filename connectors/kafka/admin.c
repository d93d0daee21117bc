/* connectors/kafka/admin.c — topics: describe, create, grow, delete, list; and the cluster's id.
 * Design: one librdkafka producer handle serves all admin requests of a log; it is thread-safe,
 * each request waits on a queue of its own. A request waits at most KAFKA_ADMIN_WAIT_MS and fails
 * early when the broker refuses the login. A handle that knew its brokers and has lost all of them
 * is replaced: while such a broker is away, librdkafka 2.8 wakes its own threads in a circle for as
 * long as a request to that broker waits, which costs a core; a new handle waits quietly for any
 * broker that it was told of. */
#include "connectors/kafka/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"

/* ---- The handle ---- */

static void destroy_admin(struct kafka_admin *admin)
{
    if (admin == NULL)
        return;
    if (admin->handle != NULL)
        rd_kafka_destroy(admin->handle);
    mr_kafka_client_deinit(&admin->client);
    mr_memory_free(admin);
}

static enum mr_status make_admin(struct kafka_log *log, struct kafka_admin **made,
                                 struct mr_error *error)
{
    struct kafka_admin *admin = mr_memory_new(1, sizeof(*admin));
    rd_kafka_conf_t *conf = NULL;
    char text[KAFKA_TEXT_SIZE];
    mr_kafka_client_init(&admin->client);
    enum mr_status status =
        mr_kafka_conf_create(log, KAFKA_ADMIN, NULL, NULL, &admin->client, &conf, error);
    if (status == MR_OK) {
        admin->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
        if (admin->handle == NULL) {
            rd_kafka_conf_destroy(conf);
            status = MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                             "The Kafka client cannot be made: %s.", text);
        }
    }
    if (status == MR_OK)
        *made = admin;
    else
        destroy_admin(admin);
    return status;
}

/* A handle that knew brokers and has lost all of them. */
static bool is_lost(struct kafka_admin *admin)
{
    return atomic_load(&admin->answered) && atomic_load(&admin->client.unreachable);
}

static enum mr_status take_admin(struct kafka_log *log, struct kafka_admin **taken,
                                 struct mr_error *error)
{
    struct kafka_admin *lost = NULL;
    enum mr_status status = MR_OK;
    pthread_mutex_lock(&log->lock);
    if (log->admin != NULL)
        rd_kafka_poll(log->admin->handle, 0); /* serves the error callback */
    if (log->admin != NULL && is_lost(log->admin)) {
        if (log->admin->users_count == 0)
            lost = log->admin;
        log->admin = NULL; /* otherwise its last user destroys it */
    }
    if (log->admin == NULL)
        status = make_admin(log, &log->admin, error);
    if (status == MR_OK) {
        log->admin->users_count++;
        *taken = log->admin;
    }
    pthread_mutex_unlock(&log->lock);
    destroy_admin(lost);
    return status;
}

/* An event is memory of its own: it may outlive the handle, and is read after this. */
static void give_admin(struct kafka_log *log, struct kafka_admin *admin)
{
    pthread_mutex_lock(&log->lock);
    admin->users_count--;
    bool last = admin->users_count == 0 && log->admin != admin;
    pthread_mutex_unlock(&log->lock);
    if (last)
        destroy_admin(admin);
}

void mr_kafka_admin_close(struct kafka_log *log)
{
    destroy_admin(log->admin);
    log->admin = NULL;
}

/* ---- Requests ---- */

/* Poll queue until an event comes. NULL: none in time, or none will come. */
static rd_kafka_event_t *wait_event(struct kafka_admin *admin, rd_kafka_queue_t *queue)
{
    uint64_t deadline_ms = mr_clock_monotonic_ms() + KAFKA_ADMIN_WAIT_MS;
    for (;;) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KAFKA_WAIT_SLICE_MS);
        if (event != NULL)
            return event;
        rd_kafka_poll(admin->handle, 0); /* serves the error callback */
        if (atomic_load(&admin->client.refused) || is_lost(admin) ||
            mr_clock_monotonic_ms() >= deadline_ms)
            return NULL;
    }
}

/* The answer, or why there is none. */
static enum mr_status check_event(struct kafka_admin *admin, rd_kafka_event_t *got,
                                  const char *what, rd_kafka_event_t **event,
                                  struct mr_error *error)
{
    rd_kafka_resp_err_t code =
        got == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(got);
    enum mr_status status;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        atomic_store(&admin->client.unreachable, false);
        atomic_store(&admin->answered, true);
        *event = got;
        return MR_OK;
    }
    if (got == NULL && atomic_load(&admin->client.refused))
        return mr_kafka_fail_refused(error, &admin->client, what);
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__DESTROY)
        status = mr_kafka_fail(error, RD_KAFKA_RESP_ERR__TIMED_OUT, "no Kafka broker answered",
                               "%s", what);
    else
        status = mr_kafka_fail(error, code, rd_kafka_event_error_string(got), "%s", what);
    if (got != NULL)
        rd_kafka_event_destroy(got);
    return status;
}

enum mr_status mr_kafka_admin_request(struct kafka_log *log, rd_kafka_admin_op_t operation,
                                      kafka_admin_send send, void *argument, const char *what,
                                      rd_kafka_event_t **event, struct mr_error *error)
{
    struct kafka_admin *admin = NULL;
    enum mr_status status = take_admin(log, &admin, error);
    if (status != MR_OK)
        return status;
    char text[KAFKA_TEXT_SIZE];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->handle, operation);
    int wait_ms =
        operation == RD_KAFKA_ADMIN_OP_LISTOFFSETS ? KAFKA_LEADER_WAIT_MS : KAFKA_ADMIN_WAIT_MS;
    rd_kafka_AdminOptions_set_request_timeout(options, wait_ms, text, sizeof(text));
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin->handle);
    atomic_store(&admin->client.refused, false);
    send(admin->handle, options, queue, argument);
    status = check_event(admin, wait_event(admin, queue), what, event, error);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    give_admin(log, admin);
    return status;
}

void mr_kafka_admin_refresh(struct kafka_log *log, const char *topic)
{
    struct kafka_admin *admin = NULL;
    struct mr_error ignored;
    const struct rd_kafka_metadata *metadata = NULL;
    if (take_admin(log, &admin, &ignored) != MR_OK)
        return;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(admin->handle, topic, NULL);
    if (handle != NULL) {
        if (rd_kafka_metadata(admin->handle, 0, handle, &metadata, KAFKA_LEADER_WAIT_MS) ==
            RD_KAFKA_RESP_ERR_NO_ERROR)
            rd_kafka_metadata_destroy(metadata);
        rd_kafka_topic_destroy(handle);
    }
    give_admin(log, admin);
}

/* ---- The cluster ---- */

static void send_describe_cluster(rd_kafka_t *handle, rd_kafka_AdminOptions_t *options,
                                  rd_kafka_queue_t *queue, void *argument)
{
    MR_UNUSED(argument);
    rd_kafka_DescribeCluster(handle, options, queue);
}

enum mr_status mr_kafka_cluster_id(struct mr_log *log, char id[MR_LOG_ID_SIZE],
                                   struct mr_error *error)
{
    rd_kafka_event_t *event = NULL;
    enum mr_status status = mr_kafka_admin_request(
        (struct kafka_log *)log, RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER, send_describe_cluster, NULL,
        "Asking for the cluster id", &event, error);
    if (status != MR_OK)
        return status;
    const char *text =
        rd_kafka_DescribeCluster_result_cluster_id(rd_kafka_event_DescribeCluster_result(event));
    if (text == NULL || strlen(text) >= MR_LOG_ID_SIZE) {
        status = MR_FAIL(error, MR_VERSION, MR_RECOVERY_FAIL_TOPOLOGY,
                         "The Kafka cluster has no usable cluster id.");
    } else {
        snprintf(id, MR_LOG_ID_SIZE, "%s", text);
    }
    rd_kafka_event_destroy(event);
    return status;
}

/* ---- Describe ---- */

static void send_describe_topic(rd_kafka_t *handle, rd_kafka_AdminOptions_t *options,
                                rd_kafka_queue_t *queue, void *argument)
{
    const char *names[] = {argument};
    rd_kafka_TopicCollection_t *topics = rd_kafka_TopicCollection_of_topic_names(names, 1);
    rd_kafka_DescribeTopics(handle, topics, options, queue);
    rd_kafka_TopicCollection_destroy(topics);
}

static enum mr_status describe_partitions(struct kafka_log *log, const char *name,
                                          struct mr_log_topic *topic, struct mr_error *error)
{
    char copy[KAFKA_TEXT_SIZE];
    snprintf(copy, sizeof(copy), "%s", name);
    rd_kafka_event_t *event = NULL;
    enum mr_status status =
        mr_kafka_admin_request(log, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, send_describe_topic, copy,
                               "Describing a topic", &event, error);
    if (status != MR_OK)
        return status;
    size_t count = 0;
    const rd_kafka_TopicDescription_t **topics =
        rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event), &count);
    const rd_kafka_error_t *refusal =
        count == 1 ? rd_kafka_TopicDescription_error(topics[0]) : NULL;
    if (count != 1) {
        status = MR_FAIL(error, MR_INTERNAL, MR_RECOVERY_RETRY,
                         "Kafka described %zu topics instead of '%s'.", count, name);
    } else if (refusal != NULL) {
        status = mr_kafka_fail(error, rd_kafka_error_code(refusal), rd_kafka_error_string(refusal),
                               "Topic '%s'", name);
    } else {
        size_t partitions_count = 0;
        rd_kafka_TopicDescription_partitions(topics[0], &partitions_count);
        topic->partitions_count = (int32_t)partitions_count;
        snprintf(topic->topic_id, sizeof(topic->topic_id), "%s",
                 rd_kafka_Uuid_base64str(rd_kafka_TopicDescription_topic_id(topics[0])));
    }
    rd_kafka_event_destroy(event);
    return status;
}

static void send_describe_configs(rd_kafka_t *handle, rd_kafka_AdminOptions_t *options,
                                  rd_kafka_queue_t *queue, void *argument)
{
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, argument);
    rd_kafka_DescribeConfigs(handle, &resource, 1, options, queue);
    rd_kafka_ConfigResource_destroy(resource);
}

static enum mr_status describe_configs(struct kafka_log *log, const char *name,
                                       struct mr_log_topic *topic, struct mr_error *error)
{
    char copy[KAFKA_TEXT_SIZE];
    snprintf(copy, sizeof(copy), "%s", name);
    rd_kafka_event_t *event = NULL;
    enum mr_status status =
        mr_kafka_admin_request(log, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, send_describe_configs, copy,
                               "Reading a topic's configuration", &event, error);
    if (status != MR_OK)
        return status;
    size_t count = 0;
    const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &count);
    if (count != 1) {
        status =
            MR_FAIL(error, MR_INTERNAL, MR_RECOVERY_RETRY,
                    "Kafka described %zu configurations instead of that of '%s'.", count, name);
    } else if (rd_kafka_ConfigResource_error(resources[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        status = mr_kafka_fail(error, rd_kafka_ConfigResource_error(resources[0]),
                               rd_kafka_ConfigResource_error_string(resources[0]),
                               "Configuration of topic '%s'", name);
    } else {
        size_t entries_count = 0;
        const rd_kafka_ConfigEntry_t **entries =
            rd_kafka_ConfigResource_configs(resources[0], &entries_count);
        for (size_t index = 0; index < entries_count; index++) {
            const char *key = rd_kafka_ConfigEntry_name(entries[index]);
            const char *value = rd_kafka_ConfigEntry_value(entries[index]);
            if (value == NULL)
                continue;
            if (strcmp(key, "max.message.bytes") == 0)
                topic->message_bytes_max = strtoll(value, NULL, 10);
            else if (strcmp(key, "delete.retention.ms") == 0)
                topic->delete_retention_ms = strtoll(value, NULL, 10);
        }
    }
    rd_kafka_event_destroy(event);
    return status;
}

enum mr_status mr_kafka_topic_describe(struct mr_log *log, const char *name,
                                       struct mr_log_topic *topic, struct mr_error *error)
{
    *topic = (struct mr_log_topic){0};
    enum mr_status status = describe_partitions((struct kafka_log *)log, name, topic, error);
    if (status == MR_OK)
        status = describe_configs((struct kafka_log *)log, name, topic, error);
    return status;
}

/* ---- Create, grow, delete, list ---- */

/* The first error of a request about topics; `accepted` is none. */
static enum mr_status check_topic_results(const rd_kafka_topic_result_t **results, size_t count,
                                          rd_kafka_resp_err_t accepted, const char *what,
                                          struct mr_error *error)
{
    for (size_t index = 0; index < count; index++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[index]);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != accepted)
            return mr_kafka_fail(error, code, rd_kafka_topic_result_error_string(results[index]),
                                 "%s ('%s')", what, rd_kafka_topic_result_name(results[index]));
    }
    return MR_OK;
}

static void send_create(rd_kafka_t *handle, rd_kafka_AdminOptions_t *options,
                        rd_kafka_queue_t *queue, void *argument)
{
    rd_kafka_NewTopic_t *topic = argument;
    char text[KAFKA_TEXT_SIZE];
    /* Until the controller and all brokers have it; otherwise a describe may not find it yet. */
    rd_kafka_AdminOptions_set_operation_timeout(options, KAFKA_ADMIN_WAIT_MS, text, sizeof(text));
    rd_kafka_CreateTopics(handle, &topic, 1, options, queue);
}

/* The controller has the topic with its partitions; wait until the broker that we ask knows them.
 */
static enum mr_status await_topic(struct kafka_log *log, const char *name, int32_t partitions_count,
                                  struct mr_error *error)
{
    uint64_t deadline_ms = mr_clock_monotonic_ms() + KAFKA_PROPAGATION_MS;
    for (;;) {
        struct mr_log_topic topic = {0};
        enum mr_status status = describe_partitions(log, name, &topic, error);
        bool missing = status == MR_NOT_FOUND ||
                       (status == MR_OK && topic.partitions_count < partitions_count);
        if (status == MR_OK && !missing)
            return mr_kafka_await_leaders(log, name, partitions_count, error);
        if (!missing || mr_clock_monotonic_ms() >= deadline_ms)
            return status;
        mr_clock_sleep_ms(10);
    }
}

static void set_segment_time(rd_kafka_NewTopic_t *topic, int64_t segment_ms)
{
    char text[32];
    if (segment_ms <= 0)
        return;
    snprintf(text, sizeof(text), "%" PRId64, segment_ms);
    rd_kafka_NewTopic_set_config(topic, "segment.ms", text);
    rd_kafka_NewTopic_set_config(topic, "min.cleanable.dirty.ratio", "0.1");
}

static rd_kafka_NewTopic_t *new_topic(const struct mr_log_topic_create *create, char *text,
                                      size_t text_size)
{
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(create->name, create->partitions_count,
                                                       create->replication_factor, text, text_size);
    if (topic == NULL)
        return NULL;
    if (create->message_bytes_max > 0) {
        char bytes[32];
        snprintf(bytes, sizeof(bytes), "%" PRId64, create->message_bytes_max);
        rd_kafka_NewTopic_set_config(topic, "max.message.bytes", bytes);
    }
    if (create->cleanup == MR_LOG_CLEANUP_COMPACT) {
        rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "compact");
        /* DESIGN section 4 rule 4: the tombstones' life bounds how old a local state may be. */
        rd_kafka_NewTopic_set_config(topic, "delete.retention.ms", "604800000");
        /* The newest segment is never compacted: a small one, so that a restore reads little that
         * a later record has replaced. */
        rd_kafka_NewTopic_set_config(topic, "segment.bytes", "67108864");
        set_segment_time(topic, create->segment_ms);
    } else {
        rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "delete");
        if (create->retention_ms != 0) {
            char retention[32];
            snprintf(retention, sizeof(retention), "%" PRId64, create->retention_ms);
            rd_kafka_NewTopic_set_config(topic, "retention.ms", retention);
            if (create->retention_ms < 0)
                rd_kafka_NewTopic_set_config(topic, "retention.bytes", "-1");
        }
    }
    return topic;
}

enum mr_status mr_kafka_topic_create(struct mr_log *log, const struct mr_log_topic_create *create,
                                     struct mr_error *error)
{
    char text[KAFKA_TEXT_SIZE];
    rd_kafka_NewTopic_t *topic = new_topic(create, text, sizeof(text));
    if (topic == NULL) {
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Topic '%s' cannot be created: %s.", create->name, text);
    }
    rd_kafka_event_t *event = NULL;
    enum mr_status status =
        mr_kafka_admin_request((struct kafka_log *)log, RD_KAFKA_ADMIN_OP_CREATETOPICS, send_create,
                               topic, "Creating a topic", &event, error);
    rd_kafka_NewTopic_destroy(topic);
    if (status != MR_OK)
        return status;
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    bool existed = count == 1 && rd_kafka_topic_result_error(results[0]) ==
                                     RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
    status = check_topic_results(results, count, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS,
                                 "Creating a topic", error);
    rd_kafka_event_destroy(event);
    if (status != MR_OK || existed)
        return status;
    return await_topic((struct kafka_log *)log, create->name, create->partitions_count, error);
}

static void send_grow(rd_kafka_t *handle, rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *queue,
                      void *argument)
{
    rd_kafka_NewPartitions_t *request = argument;
    char text[KAFKA_TEXT_SIZE];
    rd_kafka_AdminOptions_set_operation_timeout(options, KAFKA_ADMIN_WAIT_MS, text, sizeof(text));
    rd_kafka_CreatePartitions(handle, &request, 1, options, queue);
}

enum mr_status mr_kafka_topic_grow(struct mr_log *log, const char *name, int32_t partitions_count,
                                   struct mr_error *error)
{
    struct mr_log_topic topic = {0};
    enum mr_status status = describe_partitions((struct kafka_log *)log, name, &topic, error);
    if (status != MR_OK || topic.partitions_count >= partitions_count)
        return status;
    char text[KAFKA_TEXT_SIZE];
    rd_kafka_NewPartitions_t *request =
        rd_kafka_NewPartitions_new(name, (size_t)partitions_count, text, sizeof(text));
    if (request == NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Topic '%s' cannot grow to %d partitions: %s.", name, (int)partitions_count,
                       text);
    rd_kafka_event_t *event = NULL;
    status = mr_kafka_admin_request((struct kafka_log *)log, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS,
                                    send_grow, request, "Adding partitions", &event, error);
    rd_kafka_NewPartitions_destroy(request);
    if (status != MR_OK)
        return status;
    size_t count = 0;
    const rd_kafka_topic_result_t **results = rd_kafka_CreatePartitions_result_topics(
        rd_kafka_event_CreatePartitions_result(event), &count);
    status =
        check_topic_results(results, count, RD_KAFKA_RESP_ERR_NO_ERROR, "Adding partitions", error);
    rd_kafka_event_destroy(event);
    if (status != MR_OK)
        return status;
    return await_topic((struct kafka_log *)log, name, partitions_count, error);
}

static void send_delete(rd_kafka_t *handle, rd_kafka_AdminOptions_t *options,
                        rd_kafka_queue_t *queue, void *argument)
{
    rd_kafka_DeleteTopic_t *topic = argument;
    char text[KAFKA_TEXT_SIZE];
    rd_kafka_AdminOptions_set_operation_timeout(options, KAFKA_ADMIN_WAIT_MS, text, sizeof(text));
    rd_kafka_DeleteTopics(handle, &topic, 1, options, queue);
}

enum mr_status mr_kafka_topic_delete(struct mr_log *log, const char *name, struct mr_error *error)
{
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
    rd_kafka_event_t *event = NULL;
    enum mr_status status =
        mr_kafka_admin_request((struct kafka_log *)log, RD_KAFKA_ADMIN_OP_DELETETOPICS, send_delete,
                               topic, "Deleting a topic", &event, error);
    rd_kafka_DeleteTopic_destroy(topic);
    if (status != MR_OK)
        return status;
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    status =
        check_topic_results(results, count, RD_KAFKA_RESP_ERR_NO_ERROR, "Deleting a topic", error);
    rd_kafka_event_destroy(event);
    return status;
}

enum mr_status mr_kafka_topics_list(struct mr_log *log,
                                    void (*visit)(void *argument, const char *name), void *argument,
                                    struct mr_error *error)
{
    struct kafka_log *kafka = (struct kafka_log *)log;
    struct kafka_admin *admin = NULL;
    enum mr_status status = take_admin(kafka, &admin, error);
    if (status != MR_OK)
        return status;
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(admin->handle, 1, NULL, &metadata, KAFKA_ADMIN_WAIT_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_poll(admin->handle, 0);
        if (atomic_load(&admin->client.refused))
            status = mr_kafka_fail_refused(error, &admin->client, "Listing the topics");
        else
            status = mr_kafka_fail(error, code, NULL, "Listing the topics");
        give_admin(kafka, admin);
        return status;
    }
    for (int index = 0; index < metadata->topic_cnt; index++) {
        if (metadata->topics[index].err == RD_KAFKA_RESP_ERR_NO_ERROR)
            visit(argument, metadata->topics[index].topic);
    }
    rd_kafka_metadata_destroy(metadata);
    give_admin(kafka, admin);
    return MR_OK;
}
