/* tests/sim/kafka_broker.c — partitions: appending, idempotence, the last stable offset, fetches.
 * Design: offsets are indices; a marker takes one, as in Kafka. A record of a transaction becomes
 * committed or aborted when its marker is appended. Compaction marks entries, it frees nothing. */
#include "tests/sim/kafka.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

enum { FETCH_ENTRIES_MAX = 200 };

/* ---- Topics ---- */

struct kafka_topic *kafka_topic_find(const char *name)
{
    for (struct kafka_topic *topic = kafka.topics; topic != NULL; topic = topic->next)
        if (!topic->deleted && strcmp(topic->name, name) == 0)
            return topic;
    return NULL;
}

struct kafka_topic *kafka_topic_make(const char *name, int32_t partitions_count,
                                     enum mr_log_cleanup cleanup)
{
    struct kafka_topic *topic = sim_new(sizeof *topic);
    topic->name = sim_copy_text(name);
    (void)snprintf(topic->id, sizeof topic->id, "topic-%llu", (unsigned long long)++kafka.serial);
    topic->cleanup = cleanup;
    topic->partitions_count = partitions_count;
    topic->partitions_room =
        partitions_count > KAFKA_PARTITIONS_MAX ? partitions_count : KAFKA_PARTITIONS_MAX;
    topic->partitions = sim_new((size_t)topic->partitions_room * sizeof(*topic->partitions));
    for (int32_t number = 0; number < topic->partitions_room; number++) {
        struct kafka_partition *partition = sim_new(sizeof *partition);
        partition->topic = topic;
        partition->number = number;
        partition->broker = (uint32_t)sim_random(KAFKA_BROKERS);
        topic->partitions[number] = partition;
    }
    /* Behind the others: the list's order is the order of creation. */
    struct kafka_topic **link = &kafka.topics;
    while (*link != NULL)
        link = &(*link)->next;
    *link = topic;
    return topic;
}

/* ---- Entries ---- */

void kafka_append(struct kafka_partition *partition, const struct kafka_entry *entry)
{
    if (partition->count == partition->capacity) {
        int64_t capacity = partition->capacity == 0 ? 64 : partition->capacity * 2;
        struct kafka_entry *larger = sim_new((size_t)capacity * sizeof *larger);
        if (partition->count > 0)
            memcpy(larger, partition->entries, (size_t)partition->count * sizeof *larger);
        partition->entries = larger;
        partition->capacity = capacity;
    }
    partition->entries[partition->count++] = *entry;
}

int64_t kafka_put(struct kafka_partition *partition, struct mr_slice key, struct mr_slice value,
                  int64_t timestamp_ms)
{
    struct kafka_entry entry = {.producer_id = -1,
                                .timestamp_ms = timestamp_ms,
                                .committed = true,
                                .key = mr_slice_from(sim_copy(key.data, key.size), key.size),
                                .value =
                                    mr_slice_from(sim_copy(value.data, value.size), value.size)};
    kafka_append(partition, &entry);
    kafka_changed(partition);
    return partition->count - 1;
}

int64_t kafka_stable(const struct kafka_partition *partition)
{
    int64_t stable = partition->count;
    for (uint32_t index = 0; index < partition->writers_count; index++) {
        int64_t open = partition->writers[index].open_offset;
        if (open >= 0 && open < stable)
            stable = open;
    }
    return stable;
}

bool kafka_readable(const struct kafka_entry *entry)
{
    return !entry->marker && !entry->compacted && entry->committed;
}

struct kafka_writer *kafka_writer_take(struct kafka_partition *partition, int64_t producer_id)
{
    for (uint32_t index = partition->writers_count; index-- > 0;)
        if (partition->writers[index].producer_id == producer_id)
            return &partition->writers[index];
    if (partition->writers_count == partition->writers_capacity) {
        uint32_t capacity = partition->writers_capacity == 0 ? 16 : partition->writers_capacity * 2;
        struct kafka_writer *larger = sim_new(capacity * sizeof *larger);
        if (partition->writers_count > 0)
            memcpy(larger, partition->writers, partition->writers_count * sizeof *larger);
        partition->writers = larger;
        partition->writers_capacity = capacity;
    }
    struct kafka_writer *writer = &partition->writers[partition->writers_count++];
    *writer = (struct kafka_writer){.producer_id = producer_id, .epoch = -1, .open_offset = -1};
    return writer;
}

/* ---- Produce ---- */

static enum kafka_error check_writer(const struct kafka_request *request,
                                     const struct kafka_writer *writer, int64_t *duplicate)
{
    if (request->epoch < writer->epoch)
        return KAFKA_FENCED;
    if (request->transactional && writer->open_offset < 0) {
        enum kafka_error error;
        if (!kafka_transaction_allows(request, &error))
            return error;
    }
    if (request->epoch > writer->epoch)
        return request->sequence == 0 ? KAFKA_OK : KAFKA_OUT_OF_ORDER;
    for (uint32_t index = 0; index < writer->seen_count; index++)
        if (writer->seen[index].sequence == request->sequence &&
            writer->seen[index].count == (int32_t)request->entries_count) {
            *duplicate = writer->seen[index].offset;
            return KAFKA_OK;
        }
    return request->sequence == writer->next_sequence ? KAFKA_OK : KAFKA_OUT_OF_ORDER;
}

static void note_batch(struct kafka_writer *writer, const struct kafka_request *request,
                       int64_t offset)
{
    if (request->epoch > writer->epoch)
        writer->seen_count = 0;
    writer->epoch = request->epoch;
    if (writer->seen_count == KAFKA_BATCHES_KEPT) {
        memmove(&writer->seen[0], &writer->seen[1],
                (KAFKA_BATCHES_KEPT - 1) * sizeof writer->seen[0]);
        writer->seen_count--;
    }
    writer->seen[writer->seen_count++] = (struct kafka_batch_seen){
        .sequence = request->sequence, .count = (int32_t)request->entries_count, .offset = offset};
    writer->next_sequence = request->sequence + (int32_t)request->entries_count;
    if (request->transactional && writer->open_offset < 0)
        writer->open_offset = offset;
}

void kafka_serve_produce(struct kafka_request *request)
{
    struct kafka_partition *partition = request->partition;
    if (partition->topic->deleted) {
        kafka_respond(request, KAFKA_NOT_FOUND);
        return;
    }
    struct kafka_writer *writer = kafka_writer_take(partition, request->producer_id);
    int64_t duplicate = -1;
    enum kafka_error error = check_writer(request, writer, &duplicate);
    if (error != KAFKA_OK) {
        sim_trace("kafka: %s[%d] refuses %u records of %lld/%d: %d", partition->topic->name,
                  (int)partition->number, request->entries_count, (long long)request->producer_id,
                  (int)request->epoch, (int)error);
        kafka_respond(request, error);
        return;
    }
    request->offset = duplicate;
    if (duplicate < 0) {
        request->offset = partition->count;
        note_batch(writer, request, partition->count);
        for (uint32_t index = 0; index < request->entries_count; index++)
            kafka_append(partition, &request->entries[index]);
        sim_trace("kafka: %s[%d] takes %u records of %lld/%d at %lld", partition->topic->name,
                  (int)partition->number, request->entries_count, (long long)request->producer_id,
                  (int)request->epoch, (long long)request->offset);
        if (request->transactional)
            kafka_transaction_wrote(request->producer_id);
        else
            kafka_changed(partition);
    }
    kafka_respond(request, KAFKA_OK);
}

/* ---- Fetch ---- */

static bool slot_has_news(const struct kafka_fetch_slot *slot)
{
    const struct kafka_partition *partition = slot->partition;
    if (partition->topic->deleted || slot->offset < partition->start ||
        slot->offset > partition->count)
        return true;
    return slot->offset < kafka_stable(partition);
}

static void fill_slot(struct kafka_fetch_slot *slot)
{
    const struct kafka_partition *partition = slot->partition;
    slot->error = partition->topic->deleted         ? KAFKA_NOT_FOUND
                  : slot->offset < partition->start ? KAFKA_OUT_OF_RANGE
                  : slot->offset > partition->count ? KAFKA_OUT_OF_RANGE
                                                    : KAFKA_OK;
    slot->end = kafka_stable(partition);
    int64_t limit = slot->offset + FETCH_ENTRIES_MAX;
    slot->next = slot->end < limit ? slot->end : limit;
    if (slot->next < slot->offset || slot->error != KAFKA_OK)
        slot->next = slot->offset;
}

static void finish_fetch(struct kafka_request *request)
{
    if (request->expired)
        return;
    request->expired = true;
    for (uint32_t index = 0; index < request->slots_count; index++)
        fill_slot(&request->slots[index]);
    kafka_respond(request, KAFKA_OK);
}

static void fetch_expires(void *argument, uint64_t token)
{
    MR_UNUSED(token);
    finish_fetch(argument);
}

static void wait_for_news(struct kafka_partition *partition, struct kafka_request *request)
{
    uint32_t kept = 0;
    for (uint32_t index = 0; index < partition->waiting_count; index++)
        if (!partition->waiting[index]->expired)
            partition->waiting[kept++] = partition->waiting[index];
    partition->waiting_count = kept;
    if (partition->waiting_count == partition->waiting_capacity) {
        uint32_t capacity = partition->waiting_capacity == 0 ? 16 : partition->waiting_capacity * 2;
        struct kafka_request **larger = sim_new(capacity * sizeof(struct kafka_request *));
        if (kept > 0)
            memcpy(larger, partition->waiting, kept * sizeof(struct kafka_request *));
        partition->waiting = larger;
        partition->waiting_capacity = capacity;
    }
    partition->waiting[partition->waiting_count++] = request;
}

void kafka_serve_fetch(struct kafka_request *request)
{
    for (uint32_t index = 0; index < request->slots_count; index++)
        if (slot_has_news(&request->slots[index])) {
            finish_fetch(request);
            return;
        }
    for (uint32_t index = 0; index < request->slots_count; index++)
        wait_for_news(request->slots[index].partition, request);
    sim_after((uint64_t)request->number, NULL, fetch_expires, request, 0);
}

void kafka_changed(struct kafka_partition *partition)
{
    uint32_t count = partition->waiting_count;
    partition->waiting_count = 0;
    for (uint32_t index = 0; index < count; index++) {
        struct kafka_request *request = partition->waiting[index];
        bool news = false;
        for (uint32_t slot = 0; slot < request->slots_count && !request->expired; slot++)
            news = news || slot_has_news(&request->slots[slot]);
        if (news)
            finish_fetch(request);
        else if (!request->expired)
            partition->waiting[partition->waiting_count++] = request;
    }
}
