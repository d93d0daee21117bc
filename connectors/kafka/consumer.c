/* connectors/kafka/consumer.c — reads assigned partitions through one queue.
 * Design: librdkafka's simple consumer (consume_start_queue, consume_stop) and not its group
 * consumer. Partitions come and go one by one; consume_stop returns only after everything fetched
 * before is outdated, so a partition that is added again at a lower offset cannot be mixed with
 * records of its first life; and no group coordinator is asked for, which would need a right on
 * groups. Pausing stops a partition and starts it again at our own next offset: librdkafka's pause
 * resumes at its application position, which an end-of-partition event in a batch moves too far
 * (#4844). Messages stay librdkafka's memory, as leases in the fetch, until the fetch is released.
 * Fetches are kept and used again, so polling takes no memory of ours after the first ones.
 * Invariants: 1. a record below the partition's next offset is dropped. 2. a topic whose id changed
 * yields no record any more, only a PARTITION_ERROR (see client.c). */
#include "connectors/kafka/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"

struct partition {
    bool assigned;
    bool started; /* assigned and not paused */
    uint32_t tag;
    int64_t next; /* next offset to read; EARLIEST or LATEST until the first one is seen */
    rd_kafka_resp_err_t trouble; /* to be told by the next fetch; NO_ERROR: none */
};

struct topic {
    struct topic *next;
    char *name;
    rd_kafka_topic_t *handle; /* its opaque is this struct */
    bool changed;             /* invariant 2 */
    int32_t partitions_capacity;
    struct partition *partitions;
};

struct fetch {
    struct fetch *next;
    uint32_t capacity;
    uint32_t leases_count;
    rd_kafka_message_t **leases;
    struct mr_log_message *messages;
};

struct consumer {
    struct mr_log_consumer base;
    struct kafka_client client;
    rd_kafka_t *handle;
    rd_kafka_queue_t *queue;
    struct topic *topics;
    struct fetch *free_fetches;
    uint32_t fetches_out; /* not released yet */
    uint32_t troubles_count;
    bool end_of_partition;
};

enum {
    FETCH_BYTES_MIN = 1 << 20,
    FETCH_BYTES_MAX = 50 << 20, /* librdkafka's default */
    QUEUED_BYTES_MIN = 1 << 20,
    QUEUED_KIB_MAX = 2097151 /* librdkafka accepts no more: a worker's memory may be larger */
};

/* ---- Life ---- */

static enum mr_status make_handle(struct kafka_log *log, struct consumer *consumer,
                                  const struct mr_log_consumer_options *options,
                                  struct mr_error *error)
{
    uint64_t queued =
        options->queued_bytes_max != 0 ? options->queued_bytes_max : log->queued_bytes_max / 2;
    if (queued < QUEUED_BYTES_MIN)
        queued = QUEUED_BYTES_MIN;
    uint64_t queued_kib = queued / 1024;
    if (queued_kib > QUEUED_KIB_MAX)
        queued_kib = QUEUED_KIB_MAX;
    uint64_t fetch = queued / 2;
    if (fetch < FETCH_BYTES_MIN)
        fetch = FETCH_BYTES_MIN;
    if (fetch > FETCH_BYTES_MAX)
        fetch = FETCH_BYTES_MAX;
    char queued_text[32];
    char fetch_text[32];
    snprintf(queued_text, sizeof(queued_text), "%llu", (unsigned long long)queued_kib);
    snprintf(fetch_text, sizeof(fetch_text), "%llu", (unsigned long long)fetch);
    const char *const engine[] = {"queued.max.messages.kbytes",
                                  queued_text,
                                  "fetch.max.bytes",
                                  fetch_text,
                                  "enable.partition.eof",
                                  options->end_of_partition ? "true" : "false",
                                  NULL};
    rd_kafka_conf_t *conf = NULL;
    enum mr_status status = mr_kafka_conf_create(log, KAFKA_CONSUMER, options->settings, engine,
                                                 &consumer->client, &conf, error);
    if (status != MR_OK)
        return status;
    char text[KAFKA_TEXT_SIZE];
    consumer->handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (consumer->handle == NULL) {
        rd_kafka_conf_destroy(conf);
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The Kafka consumer cannot be made: %s.", text);
    }
    return MR_OK;
}

enum mr_status mr_kafka_consumer_create(struct mr_log *log,
                                        const struct mr_log_consumer_options *options,
                                        struct mr_log_consumer **consumer, struct mr_error *error)
{
    struct consumer *made = mr_memory_new(1, sizeof(*made));
    made->base.log = log;
    made->end_of_partition = options->end_of_partition;
    mr_kafka_client_init(&made->client);
    enum mr_status status = make_handle((struct kafka_log *)log, made, options, error);
    if (status != MR_OK) {
        mr_kafka_client_deinit(&made->client);
        mr_memory_free(made);
        return status;
    }
    made->queue = rd_kafka_queue_new(made->handle);
    *consumer = &made->base;
    return MR_OK;
}

static void destroy_topic(struct topic *topic)
{
    for (int32_t index = 0; index < topic->partitions_capacity; index++) {
        if (topic->partitions[index].started)
            rd_kafka_consume_stop(topic->handle, index);
    }
    rd_kafka_topic_destroy(topic->handle);
    mr_memory_free(topic->partitions);
    mr_memory_free(topic->name);
    mr_memory_free(topic);
}

void mr_kafka_consumer_destroy(struct mr_log_consumer *base)
{
    struct consumer *consumer = (struct consumer *)base;
    if (consumer == NULL)
        return;
    MR_ASSERT(consumer->fetches_out == 0); /* a lease needs its handle */
    while (consumer->topics != NULL) {
        struct topic *topic = consumer->topics;
        consumer->topics = topic->next;
        destroy_topic(topic);
    }
    rd_kafka_queue_destroy(consumer->queue);
    rd_kafka_destroy_flags(consumer->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    while (consumer->free_fetches != NULL) {
        struct fetch *fetch = consumer->free_fetches;
        consumer->free_fetches = fetch->next;
        mr_memory_free(fetch->leases);
        mr_memory_free(fetch->messages);
        mr_memory_free(fetch);
    }
    mr_kafka_client_deinit(&consumer->client);
    mr_memory_free(consumer);
}

/* ---- Assignment ---- */

static struct topic *find_topic(struct consumer *consumer, const char *name)
{
    struct topic *topic = consumer->topics;
    while (topic != NULL && strcmp(topic->name, name) != 0)
        topic = topic->next;
    return topic;
}

static struct topic *take_topic(struct consumer *consumer, const char *name, struct mr_error *error)
{
    struct topic *topic = find_topic(consumer, name);
    if (topic != NULL)
        return topic;
    topic = mr_memory_new(1, sizeof(*topic));
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(consumer->handle);
    rd_kafka_topic_conf_set_opaque(conf, topic);
    topic->handle = rd_kafka_topic_new(consumer->handle, name, conf);
    if (topic->handle == NULL) {
        mr_kafka_fail(error, rd_kafka_last_error(), NULL, "Reading topic '%s'", name);
        mr_memory_free(topic);
        return NULL;
    }
    topic->name = mr_memory_copy_text(name);
    topic->next = consumer->topics;
    consumer->topics = topic;
    return topic;
}

/* The partition's entry, made when it is new. */
static struct partition *take_partition(struct topic *topic, int32_t number)
{
    if (number >= topic->partitions_capacity) {
        int32_t capacity = number + 8;
        topic->partitions =
            mr_memory_resize(topic->partitions, (size_t)capacity * sizeof(*topic->partitions));
        memset(&topic->partitions[topic->partitions_capacity], 0,
               (size_t)(capacity - topic->partitions_capacity) * sizeof(*topic->partitions));
        topic->partitions_capacity = capacity;
    }
    return &topic->partitions[number];
}

static struct partition *find_partition(struct topic *topic, int32_t number)
{
    if (topic == NULL || number < 0 || number >= topic->partitions_capacity)
        return NULL;
    return topic->partitions[number].assigned ? &topic->partitions[number] : NULL;
}

static enum mr_status start_partition(struct consumer *consumer, struct topic *topic,
                                      int32_t number, struct mr_error *error)
{
    struct partition *partition = &topic->partitions[number];
    if (rd_kafka_consume_start_queue(topic->handle, number, partition->next, consumer->queue) != 0)
        return mr_kafka_fail(error, rd_kafka_last_error(), NULL, "Reading %s[%d]", topic->name,
                             (int)number);
    partition->started = true;
    return MR_OK;
}

static void stop_partition(struct consumer *consumer, struct topic *topic, int32_t number)
{
    struct partition *partition = &topic->partitions[number];
    if (partition->started)
        rd_kafka_consume_stop(topic->handle, number);
    partition->started = false;
    if (partition->trouble != RD_KAFKA_RESP_ERR_NO_ERROR)
        consumer->troubles_count--;
    partition->trouble = RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void set_trouble(struct consumer *consumer, struct partition *partition,
                        rd_kafka_resp_err_t code)
{
    if (partition->trouble == RD_KAFKA_RESP_ERR_NO_ERROR)
        consumer->troubles_count++;
    partition->trouble = code;
}

static enum mr_status add_one(struct consumer *consumer, const struct mr_log_assignment *assignment,
                              struct mr_error *error)
{
    MR_ASSERT(assignment->partition >= 0);
    struct topic *topic = take_topic(consumer, assignment->topic, error);
    if (topic == NULL)
        return error->status;
    struct partition *partition = take_partition(topic, assignment->partition);
    if (partition->assigned)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s[%d] is already read by this consumer.", topic->name,
                       (int)assignment->partition);
    *partition =
        (struct partition){.assigned = true, .tag = assignment->tag, .next = assignment->offset};
    enum mr_status status = start_partition(consumer, topic, assignment->partition, error);
    if (status != MR_OK)
        *partition = (struct partition){0};
    else if (topic->changed)
        set_trouble(consumer, partition, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID);
    return status;
}

static void remove_one(struct consumer *consumer, struct topic *topic, int32_t number)
{
    stop_partition(consumer, topic, number);
    topic->partitions[number] = (struct partition){0};
}

/* All of them or none. */
enum mr_status mr_kafka_consumer_add(struct mr_log_consumer *base,
                                     const struct mr_log_assignment *assignments, uint32_t count,
                                     struct mr_error *error)
{
    struct consumer *consumer = (struct consumer *)base;
    enum mr_status status = MR_OK;
    uint32_t added_count = 0;
    while (added_count < count && status == MR_OK) {
        status = add_one(consumer, &assignments[added_count], error);
        added_count += status == MR_OK;
    }
    while (status != MR_OK && added_count > 0) {
        const struct mr_log_assignment *undone = &assignments[--added_count];
        remove_one(consumer, find_topic(consumer, undone->topic), undone->partition);
    }
    return status;
}

enum mr_status mr_kafka_consumer_remove(struct mr_log_consumer *base,
                                        const struct mr_log_assignment *assignments, uint32_t count,
                                        struct mr_error *error)
{
    struct consumer *consumer = (struct consumer *)base;
    for (uint32_t index = 0; index < count; index++) {
        struct topic *topic = find_topic(consumer, assignments[index].topic);
        struct partition *partition = find_partition(topic, assignments[index].partition);
        if (partition == NULL)
            return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                           "%s[%d] is not read by this consumer.", assignments[index].topic,
                           (int)assignments[index].partition);
        remove_one(consumer, topic, assignments[index].partition);
    }
    return MR_OK;
}

enum mr_status mr_kafka_consumer_pause(struct mr_log_consumer *base, const char *name,
                                       int32_t number, bool paused, struct mr_error *error)
{
    struct consumer *consumer = (struct consumer *)base;
    struct topic *topic = find_topic(consumer, name);
    struct partition *partition = find_partition(topic, number);
    if (partition == NULL)
        return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s[%d] is not read by this consumer.", name, (int)number);
    if (paused) {
        stop_partition(consumer, topic, number);
        return MR_OK;
    }
    return partition->started ? MR_OK : start_partition(consumer, topic, number, error);
}

/* ---- Polling ---- */

static struct fetch *take_fetch(struct consumer *consumer, uint32_t capacity)
{
    struct fetch *fetch = consumer->free_fetches;
    if (fetch != NULL)
        consumer->free_fetches = fetch->next;
    else
        fetch = mr_memory_new(1, sizeof(*fetch));
    if (fetch->capacity < capacity) {
        fetch->leases = mr_memory_resize(fetch->leases, capacity * sizeof(rd_kafka_message_t *));
        fetch->messages =
            mr_memory_resize(fetch->messages, capacity * sizeof(struct mr_log_message));
        fetch->capacity = capacity;
    }
    fetch->leases_count = 0;
    consumer->fetches_out++;
    return fetch;
}

void mr_kafka_fetch_release(struct mr_log_consumer *base, struct mr_log_fetch *released)
{
    struct consumer *consumer = (struct consumer *)base;
    struct fetch *fetch = released->implementation;
    if (fetch == NULL)
        return;
    for (uint32_t index = 0; index < fetch->leases_count; index++)
        rd_kafka_message_destroy(fetch->leases[index]);
    fetch->next = consumer->free_fetches;
    consumer->free_fetches = fetch;
    consumer->fetches_out--;
    *released = (struct mr_log_fetch){0};
}

/* Take what is queued; when nothing is, wait for the first message and take what came with it.
 * (rd_kafka_consume_batch_queue waits until the batch is full: never wait for more than one.) */
static uint32_t take_messages(struct consumer *consumer, struct fetch *fetch, uint32_t count_max,
                              uint32_t wait_ms)
{
    ssize_t count = rd_kafka_consume_batch_queue(consumer->queue, 0, fetch->leases, count_max);
    if (count > 0 || wait_ms == 0)
        return count > 0 ? (uint32_t)count : 0;
    count = rd_kafka_consume_batch_queue(consumer->queue, (int)wait_ms, fetch->leases, 1);
    if (count <= 0)
        return 0;
    if (count_max > 1) {
        ssize_t more =
            rd_kafka_consume_batch_queue(consumer->queue, 0, &fetch->leases[1], count_max - 1);
        count += more > 0 ? more : 0;
    }
    return (uint32_t)count;
}

/* A topic was deleted and created anew: see client.c. An empty name: more than one. */
static void mark_changed_topics(struct consumer *consumer)
{
    char name[KAFKA_TEXT_SIZE];
    pthread_mutex_lock(&consumer->client.lock);
    snprintf(name, sizeof(name), "%s", consumer->client.changed_topic);
    atomic_store(&consumer->client.topic_changed, false);
    pthread_mutex_unlock(&consumer->client.lock);
    for (struct topic *topic = consumer->topics; topic != NULL; topic = topic->next) {
        if (name[0] != '\0' && strcmp(topic->name, name) != 0)
            continue;
        topic->changed = true;
        for (int32_t number = 0; number < topic->partitions_capacity; number++) {
            if (topic->partitions[number].assigned)
                set_trouble(consumer, &topic->partitions[number],
                            RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID);
        }
    }
}

/* An error about one topic came by the error callback: "NAME [N]: why". Others follow within a
 * second, since librdkafka repeats them. */
static void mark_topic_error(struct consumer *consumer)
{
    char text[KAFKA_TOPIC_TEXT_SIZE];
    pthread_mutex_lock(&consumer->client.lock);
    snprintf(text, sizeof(text), "%s", consumer->client.topic_text);
    int code = atomic_exchange(&consumer->client.topic_error, RD_KAFKA_RESP_ERR_NO_ERROR);
    pthread_mutex_unlock(&consumer->client.lock);
    char *bracket = strstr(text, " [");
    if (bracket == NULL)
        return;
    *bracket = '\0';
    struct topic *topic = find_topic(consumer, text);
    struct partition *partition =
        find_partition(topic, (int32_t)strtol(bracket + strlen(" ["), NULL, 10));
    if (partition != NULL && partition->started)
        set_trouble(consumer, partition, (rd_kafka_resp_err_t)code);
}

/* Turn one librdkafka message into ours. False: there is nothing to deliver. */
static bool translate(struct consumer *consumer, struct partition *partition,
                      const rd_kafka_message_t *from, struct mr_log_message *to)
{
    if (from->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (from->offset > partition->next)
            partition->next = from->offset;
        *to = (struct mr_log_message){
            .event = MR_LOG_END_OF_PARTITION, .tag = partition->tag, .offset = from->offset};
        return consumer->end_of_partition;
    }
    if (from->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        set_trouble(consumer, partition, from->err);
        return false;
    }
    if (from->offset < partition->next)
        return false;
    partition->next = from->offset + 1;
    *to = (struct mr_log_message){
        .event = MR_LOG_RECORD,
        .tag = partition->tag,
        .offset = from->offset,
        .timestamp_ms = rd_kafka_message_timestamp(from, NULL),
        .key = mr_slice_from(from->key, from->key_len),
        .value = mr_slice_from(from->payload, from->len),
        .key_null = from->key == NULL,
        .value_null = from->payload == NULL,
        .lease = from,
    };
    return true;
}

/* Fill messages from the leases of fetch, from lease first on; leases without a message are given
 * back. */
static uint32_t translate_all(struct consumer *consumer, struct fetch *fetch, uint32_t taken_count)
{
    const rd_kafka_topic_t *run_topic = NULL;
    int32_t run_partition = -1;
    struct partition *partition = NULL;
    uint32_t kept_count = 0;
    for (uint32_t index = 0; index < taken_count; index++) {
        rd_kafka_message_t *lease = fetch->leases[index];
        if (lease->rkt != run_topic || lease->partition != run_partition) {
            run_topic = lease->rkt;
            run_partition = lease->partition;
            struct topic *topic = run_topic != NULL ? rd_kafka_topic_opaque(run_topic) : NULL;
            partition =
                topic == NULL || topic->changed ? NULL : find_partition(topic, run_partition);
        }
        if (partition == NULL ||
            !translate(consumer, partition, lease, &fetch->messages[kept_count])) {
            rd_kafka_message_destroy(lease);
            continue;
        }
        fetch->leases[kept_count++] = lease;
    }
    fetch->leases_count = kept_count;
    return kept_count;
}

/* Deliver one of the troubles that partitions have, as the last message of the fetch. */
static void add_trouble(struct consumer *consumer, struct fetch *fetch, struct mr_log_fetch *given)
{
    for (struct topic *topic = consumer->topics; topic != NULL; topic = topic->next) {
        for (int32_t number = 0; number < topic->partitions_capacity; number++) {
            struct partition *partition = &topic->partitions[number];
            if (!partition->assigned || partition->trouble == RD_KAFKA_RESP_ERR_NO_ERROR)
                continue;
            const char *detail = NULL;
            if (partition->trouble == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID)
                detail = "the topic was deleted and created anew (its id changed)";
            else if (partition->trouble == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
                detail = "the offset is outside the log";
            mr_kafka_fail(&given->error, partition->trouble, detail,
                          "Reading %s[%d] at offset %lld", topic->name, (int)number,
                          (long long)partition->next);
            fetch->messages[given->messages_count++] = (struct mr_log_message){
                .event = MR_LOG_PARTITION_ERROR, .tag = partition->tag, .offset = partition->next};
            partition->trouble = RD_KAFKA_RESP_ERR_NO_ERROR;
            consumer->troubles_count--;
            return;
        }
    }
}

enum mr_status mr_kafka_consumer_poll(struct mr_log_consumer *base, uint32_t messages_max,
                                      uint32_t wait_ms, struct mr_log_fetch *given,
                                      struct mr_error *error)
{
    struct consumer *consumer = (struct consumer *)base;
    uint64_t deadline_ms = mr_clock_monotonic_ms() + wait_ms;
    *given = (struct mr_log_fetch){0};
    MR_ASSERT(messages_max > 0);
    struct fetch *fetch = take_fetch(consumer, messages_max);
    given->implementation = fetch;
    given->messages = fetch->messages;
    for (;;) {
        uint64_t now_ms = mr_clock_monotonic_ms();
        uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
        if (consumer->troubles_count > 0)
            left_ms = 0;
        uint32_t slice_ms = left_ms > KAFKA_WAIT_SLICE_MS ? KAFKA_WAIT_SLICE_MS : (uint32_t)left_ms;
        uint32_t taken_count = take_messages(consumer, fetch, messages_max, slice_ms);
        if (atomic_load(&consumer->client.topic_changed))
            mark_changed_topics(consumer);
        if (atomic_load(&consumer->client.topic_error) != RD_KAFKA_RESP_ERR_NO_ERROR)
            mark_topic_error(consumer);
        given->messages_count = translate_all(consumer, fetch, taken_count);
        if (consumer->troubles_count > 0 && given->messages_count < messages_max)
            add_trouble(consumer, fetch, given);
        if (given->messages_count > 0)
            return MR_OK;
        if (taken_count == 0) {
            rd_kafka_poll(consumer->handle, 0); /* serves the error callback */
            if (atomic_load(&consumer->client.refused)) {
                mr_kafka_fetch_release(base, given);
                return mr_kafka_fail_refused(error, &consumer->client, "Reading from Kafka");
            }
            if (left_ms == 0)
                break;
        }
    }
    mr_kafka_fetch_release(base, given);
    return MR_AGAIN;
}

/* ---- Headers ---- */

struct mr_headers mr_kafka_message_headers(const struct mr_log_message *message,
                                           struct mr_arena *arena)
{
    rd_kafka_headers_t *headers = NULL;
    if (message->lease == NULL ||
        rd_kafka_message_headers(message->lease, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return (struct mr_headers){0};
    size_t count = rd_kafka_header_cnt(headers);
    struct mr_header *items = mr_arena_new(arena, count, sizeof(*items));
    for (size_t index = 0; index < count; index++) {
        const void *value = NULL;
        size_t size = 0;
        const char *name = NULL;
        rd_kafka_header_get_all(headers, index, &name, &value, &size);
        items[index].name = mr_arena_copy_text(arena, name);
        items[index].value =
            value == NULL ? (struct mr_slice){0} : mr_arena_copy(arena, mr_slice_from(value, size));
    }
    return (struct mr_headers){.items = items, .count = (uint32_t)count};
}
