/* tests/sim/kafka_consumer.c — the client's half of reading: fetches ahead, one on its way to each
 * broker; end-of-partition events as librdkafka tells them: when the position has come to the last
 * stable offset, once for each such offset. */
#include "tests/sim/kafka.h"

#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

enum {
    ASSIGNMENTS_MAX = 64,
    ANSWERS_MAX = 64,
    AHEAD_ANSWERS = 4, /* as many answers are kept before the next fetch waits */
    FETCH_WAIT_MS = 100,
    HASTY_WAIT_MS = 2
};

struct assignment {
    struct kafka_partition *partition;
    uint32_t tag;
    uint32_t version;
    int64_t fetched;  /* fetch from here */
    int64_t position; /* delivered up to here */
    int64_t end_told; /* -1: none */
    bool used;
    bool paused;
    bool failed;
};

struct consumer {
    struct mr_log_consumer base;
    struct kafka_client client;
    struct assignment assignments[ASSIGNMENTS_MAX];
    uint32_t assignments_count;
    struct kafka_request *fetches[KAFKA_BROKERS]; /* on their way */
    struct kafka_fetch_slot *answers[ANSWERS_MAX];
    uint32_t answers_count;
    uint32_t versions;
    bool end_of_partition;
    bool hasty;
    bool retry_set;
    struct sim_queue pollers;
};

static void pump(struct consumer *consumer);

enum mr_status kafka_consumer_create(struct mr_log *log,
                                     const struct mr_log_consumer_options *options,
                                     struct mr_log_consumer **consumer, struct mr_error *error)
{
    MR_UNUSED(error);
    struct consumer *made = sim_new(sizeof *made);
    made->base.log = log;
    made->end_of_partition = options->end_of_partition;
    for (const char *const *pair = options->settings; pair != NULL && pair[0] != NULL; pair += 2)
        made->hasty =
            made->hasty || (strcmp(pair[0], "fetch.wait.max.ms") == 0 && strcmp(pair[1], "2") == 0);
    kafka_client_open(&made->client);
    *consumer = &made->base;
    return MR_OK;
}

void kafka_consumer_destroy(struct mr_log_consumer *base)
{
    struct consumer *consumer = (struct consumer *)base;
    if (consumer != NULL)
        kafka_client_close(&consumer->client);
}

/* ---- Assignments ---- */

static struct assignment *find(struct consumer *consumer, const char *topic, int32_t number)
{
    for (uint32_t index = 0; index < consumer->assignments_count; index++) {
        struct assignment *assignment = &consumer->assignments[index];
        if (assignment->used && assignment->partition->number == number &&
            strcmp(assignment->partition->topic->name, topic) == 0)
            return assignment;
    }
    return NULL;
}

static enum mr_status add_one(struct consumer *consumer, const struct mr_log_assignment *wanted,
                              struct mr_error *error)
{
    struct kafka_topic *topic = kafka_topic_find(wanted->topic);
    if (topic == NULL || wanted->partition >= topic->partitions_count)
        return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY, "%s[%d] is not there.",
                       wanted->topic, (int)wanted->partition);
    if (find(consumer, wanted->topic, wanted->partition) != NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s[%d] is already read by this consumer.", wanted->topic,
                       (int)wanted->partition);
    uint32_t index = 0;
    while (index < consumer->assignments_count && consumer->assignments[index].used)
        index++;
    MR_ASSERT(index < ASSIGNMENTS_MAX);
    if (index == consumer->assignments_count)
        consumer->assignments_count++;
    struct kafka_partition *partition = topic->partitions[wanted->partition];
    int64_t offset = wanted->offset == MR_LOG_OFFSET_EARLIEST ? partition->start
                     : wanted->offset == MR_LOG_OFFSET_LATEST ? kafka_stable(partition)
                                                              : wanted->offset;
    consumer->assignments[index] = (struct assignment){.partition = partition,
                                                       .tag = wanted->tag,
                                                       .version = ++consumer->versions,
                                                       .fetched = offset,
                                                       .position = offset,
                                                       .end_told = -1,
                                                       .used = true};
    return MR_OK;
}

enum mr_status kafka_consumer_add(struct mr_log_consumer *base,
                                  const struct mr_log_assignment *assignments, uint32_t count,
                                  struct mr_error *error)
{
    struct consumer *consumer = (struct consumer *)base;
    for (uint32_t index = 0; index < count; index++) {
        enum mr_status status = add_one(consumer, &assignments[index], error);
        if (status != MR_OK)
            return status;
    }
    pump(consumer);
    return MR_OK;
}

static enum mr_status not_read(const char *topic, int32_t number, struct mr_error *error)
{
    return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                   "%s[%d] is not read by this consumer.", topic, (int)number);
}

enum mr_status kafka_consumer_remove(struct mr_log_consumer *base,
                                     const struct mr_log_assignment *assignments, uint32_t count,
                                     struct mr_error *error)
{
    struct consumer *consumer = (struct consumer *)base;
    for (uint32_t index = 0; index < count; index++) {
        struct assignment *found =
            find(consumer, assignments[index].topic, assignments[index].partition);
        if (found == NULL)
            return not_read(assignments[index].topic, assignments[index].partition, error);
        *found = (struct assignment){0};
    }
    return MR_OK;
}

enum mr_status kafka_consumer_pause(struct mr_log_consumer *base, const char *topic, int32_t number,
                                    bool paused, struct mr_error *error)
{
    struct assignment *found = find((struct consumer *)base, topic, number);
    if (found == NULL)
        return not_read(topic, number, error);
    found->paused = paused;
    return MR_OK;
}

/* ---- Fetching ---- */

static void pump_later(void *argument, uint64_t token)
{
    struct consumer *consumer = argument;
    MR_UNUSED(token);
    consumer->retry_set = false;
    if (!consumer->client.closed)
        pump(consumer);
}

static bool still_assigned(const struct consumer *consumer, const struct kafka_fetch_slot *slot)
{
    const struct assignment *assignment = &consumer->assignments[slot->assignment];
    return assignment->used && assignment->version == slot->version;
}

/* After trouble a client may fetch records again that it has delivered: tasks drop them. Only of
 * sources: elsewhere processed records are purged, or readers rely on the order. */
static void fetch_again(struct consumer *consumer)
{
    for (uint32_t index = 0; index < consumer->assignments_count; index++) {
        struct assignment *assignment = &consumer->assignments[index];
        if (!assignment->used || assignment->failed ||
            strncmp(assignment->partition->topic->name, "in-", 3) != 0 || !sim_chance(300000))
            continue;
        int64_t offset = assignment->position - (int64_t)sim_random(6);
        if (offset < assignment->partition->start)
            continue;
        assignment->version = ++consumer->versions; /* what was fetched ahead is dropped */
        assignment->fetched = offset;
        assignment->position = offset;
        assignment->end_told = -1;
    }
}

static void fetched(struct kafka_request *request)
{
    struct consumer *consumer = request->owner;
    for (uint32_t broker = 0; broker < KAFKA_BROKERS; broker++)
        if (consumer->fetches[broker] == request)
            consumer->fetches[broker] = NULL;
    if (consumer->client.closed)
        return;
    if (request->error == KAFKA_BROKEN)
        fetch_again(consumer);
    for (uint32_t index = 0; index < request->slots_count && request->error == KAFKA_OK; index++) {
        struct kafka_fetch_slot *slot = &request->slots[index];
        if (!still_assigned(consumer, slot) || consumer->answers_count == ANSWERS_MAX)
            continue;
        struct assignment *assignment = &consumer->assignments[slot->assignment];
        bool end = consumer->end_of_partition && slot->next == slot->end &&
                   assignment->end_told != slot->end;
        if (slot->next == slot->offset && slot->error == KAFKA_OK && !end)
            continue;
        assignment->fetched = slot->next;
        assignment->failed = slot->error != KAFKA_OK;
        consumer->answers[consumer->answers_count++] = slot;
    }
    if (consumer->answers_count > 0)
        sim_wake_all(&consumer->pollers);
    pump(consumer);
}

static struct kafka_request *make_fetch(struct consumer *consumer, uint32_t broker)
{
    struct kafka_fetch_slot slots[KAFKA_FETCH_SLOTS_MAX];
    uint32_t count = 0;
    for (uint32_t index = 0; index < consumer->assignments_count; index++) {
        const struct assignment *assignment = &consumer->assignments[index];
        if (!assignment->used || assignment->paused || assignment->failed ||
            assignment->partition->broker != broker)
            continue;
        slots[count++] = (struct kafka_fetch_slot){.partition = assignment->partition,
                                                   .assignment = index,
                                                   .version = assignment->version,
                                                   .offset = assignment->fetched};
    }
    if (count == 0)
        return NULL;
    struct kafka_request *request = kafka_request_new("Fetch", kafka_serve_fetch);
    request->slots = sim_copy(slots, count * sizeof slots[0]);
    request->slots_count = count;
    request->number = (consumer->hasty ? HASTY_WAIT_MS : FETCH_WAIT_MS) * (int64_t)SIM_MS;
    request->owner = consumer;
    request->answer = fetched;
    return request;
}

static void pump(struct consumer *consumer)
{
    bool again = false;
    if (consumer->answers_count >= AHEAD_ANSWERS)
        return;
    for (uint32_t broker = 0; broker < KAFKA_BROKERS; broker++) {
        if (consumer->fetches[broker] != NULL)
            continue;
        struct kafka_request *request = make_fetch(consumer, broker);
        if (request == NULL)
            continue;
        if (kafka_send(&consumer->client, broker, request))
            consumer->fetches[broker] = request;
        else
            again = true;
    }
    if (again && !consumer->retry_set) {
        consumer->retry_set = true;
        sim_after(kafka_retry_ns(), consumer->client.process, pump_later, consumer, 0);
    }
}

/* ---- Polling ---- */

struct delivery {
    struct mr_log_message *messages;
    uint32_t count;
    uint32_t count_max;
};

static void set_error(struct mr_log_fetch *fetch, const struct kafka_fetch_slot *slot)
{
    const char *topic = slot->partition->topic->name;
    if (slot->error == KAFKA_NOT_FOUND)
        (void)MR_FAIL(&fetch->error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                      "Topic %s is not there.", topic);
    else
        (void)MR_FAIL(&fetch->error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                      "Offset %lld of %s[%d] is outside of the log.", (long long)slot->offset,
                      topic, (int)slot->partition->number);
}

static void add_record(struct delivery *delivery, const struct assignment *assignment,
                       int64_t offset)
{
    const struct kafka_entry *entry = &assignment->partition->entries[offset];
    delivery->messages[delivery->count++] =
        (struct mr_log_message){.event = MR_LOG_RECORD,
                                .tag = assignment->tag,
                                .offset = offset,
                                .timestamp_ms = entry->timestamp_ms,
                                .key = entry->key,
                                .value = entry->value,
                                .key_null = entry->key_null,
                                .value_null = entry->value_null,
                                .lease = entry};
}

/* Deliver an answer. False: the fetch is full, or ends with an error. */
static bool deliver(struct consumer *consumer, const struct kafka_fetch_slot *slot,
                    struct delivery *delivery, struct mr_log_fetch *fetch)
{
    struct assignment *assignment = &consumer->assignments[slot->assignment];
    if (!still_assigned(consumer, slot))
        return true;
    if (slot->error != KAFKA_OK) {
        if (delivery->count == delivery->count_max)
            return false;
        set_error(fetch, slot);
        delivery->messages[delivery->count++] = (struct mr_log_message){
            .event = MR_LOG_PARTITION_ERROR, .tag = assignment->tag, .offset = slot->offset};
        return true;
    }
    while (assignment->position < slot->next) {
        const struct kafka_entry *entry = &slot->partition->entries[assignment->position];
        if (kafka_readable(entry)) {
            if (delivery->count == delivery->count_max)
                return false;
            add_record(delivery, assignment, assignment->position);
        }
        assignment->position++;
    }
    if (consumer->end_of_partition && slot->next == slot->end &&
        assignment->position == slot->next && assignment->end_told != slot->end) {
        if (delivery->count == delivery->count_max)
            return false;
        assignment->end_told = slot->end;
        delivery->messages[delivery->count++] = (struct mr_log_message){
            .event = MR_LOG_END_OF_PARTITION, .tag = assignment->tag, .offset = slot->next};
    }
    return true;
}

static uint32_t room_for(const struct consumer *consumer, uint32_t messages_max)
{
    uint64_t room = 0;
    for (uint32_t index = 0; index < consumer->answers_count; index++)
        room += (uint64_t)(consumer->answers[index]->next - consumer->answers[index]->offset) + 2;
    return room < messages_max ? (uint32_t)room : messages_max;
}

static bool take(struct consumer *consumer, uint32_t messages_max, struct mr_log_fetch *fetch)
{
    if (consumer->answers_count == 0)
        return false;
    struct delivery delivery = {.count_max = room_for(consumer, messages_max)};
    /* Sometimes a poll returns less than what is there. */
    if (sim_chance(100000))
        delivery.count_max = (uint32_t)sim_between(1, delivery.count_max);
    delivery.messages = mr_memory_new(delivery.count_max, sizeof *delivery.messages);
    uint32_t used = 0;
    while (used < consumer->answers_count && fetch->error.status == MR_OK &&
           deliver(consumer, consumer->answers[used], &delivery, fetch))
        used++;
    consumer->answers_count -= used;
    memmove(&consumer->answers[0], &consumer->answers[used],
            consumer->answers_count * sizeof consumer->answers[0]);
    fetch->messages = delivery.messages;
    fetch->messages_count = delivery.count;
    fetch->implementation = delivery.messages;
    if (delivery.count > 0)
        return true;
    kafka_fetch_release(&consumer->base, fetch);
    return false;
}

enum mr_status kafka_consumer_poll(struct mr_log_consumer *base, uint32_t messages_max,
                                   uint32_t wait_ms, struct mr_log_fetch *fetch,
                                   struct mr_error *error)
{
    struct consumer *consumer = (struct consumer *)base;
    MR_UNUSED(error);
    uint64_t wait_ns = wait_ms * SIM_MS;
    if (wait_ms > 0 && wait_ns < sim_machine()->sleep_min_ns)
        wait_ns = sim_machine()->sleep_min_ns;
    uint64_t deadline_ns = sim_now_ns() + wait_ns;
    memset(fetch, 0, sizeof *fetch);
    sim_preempt();
    for (;;) {
        if (take(consumer, messages_max, fetch)) {
            pump(consumer);
            return MR_OK;
        }
        pump(consumer);
        if (wait_ms == 0 || sim_now_ns() >= deadline_ns)
            return MR_AGAIN;
        (void)sim_wait(&consumer->pollers, deadline_ns);
    }
}

void kafka_fetch_release(struct mr_log_consumer *base, struct mr_log_fetch *fetch)
{
    MR_UNUSED(base);
    mr_memory_free(fetch->implementation);
    *fetch = (struct mr_log_fetch){0};
}
