/* worker/transaction.c — staged transactions and the targets that they write. */
#include "worker/transaction.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/memory.h"

enum { ARENA_CHUNK_BYTES = 1 << 20, LIST_FIRST_CAPACITY = 64 };

void mr_targets_deinit(struct mr_targets *targets)
{
    for (uint32_t index = 0; index < targets->items_count; index++)
        mr_memory_free(targets->items[index]);
    targets->items_count = 0;
    targets->lists_count = 0;
}

struct mr_target *mr_targets_find(const struct mr_targets *targets, struct mr_slice topic)
{
    for (uint32_t index = 0; index < targets->items_count; index++)
        if (mr_slice_equal(mr_slice_text(targets->items[index]->topic), topic))
            return targets->items[index];
    return NULL;
}

struct mr_target *mr_targets_add(struct mr_targets *targets, const char *topic,
                                 int32_t partitions_count, int64_t message_bytes_max)
{
    struct mr_target *target = mr_targets_find(targets, mr_slice_text(topic));
    if (target != NULL)
        return target;
    uint32_t lists_needed = (uint32_t)partitions_count;
    if (targets->items_count == MR_TARGETS_MAX ||
        targets->lists_count + lists_needed > MR_TARGET_LISTS_MAX)
        return NULL;
    size_t topic_size = strlen(topic);
    target = mr_memory_new(1, sizeof(*target) + topic_size + 1);
    char *copy = (char *)(target + 1);
    memcpy(copy, topic, topic_size);
    *target = (struct mr_target){.topic = copy,
                                 .partitions_count = partitions_count,
                                 .message_bytes_max = message_bytes_max,
                                 .first_list = targets->lists_count};
    targets->lists_count += lists_needed;
    targets->items[targets->items_count++] = target;
    return target;
}

struct mr_transaction *mr_transaction_create(void)
{
    struct mr_transaction *transaction = mr_memory_new(1, sizeof(*transaction));
    mr_arena_init(&transaction->arena, ARENA_CHUNK_BYTES);
    return transaction;
}

void mr_transaction_destroy(struct mr_transaction *transaction)
{
    if (transaction == NULL)
        return;
    for (uint32_t index = 0; index < transaction->lists_count; index++)
        mr_memory_free(transaction->lists[index].records);
    mr_memory_free(transaction->lists);
    mr_memory_free(transaction->seals);
    mr_arena_deinit(&transaction->arena);
    mr_memory_free(transaction);
}

void mr_transaction_reset(struct mr_transaction *transaction)
{
    for (uint32_t index = 0; index < transaction->lists_count; index++)
        transaction->lists[index].count = transaction->lists[index].sent = 0;
    transaction->seals_count = 0;
    transaction->records_count = 0;
    transaction->input_count = 0;
    transaction->opened_ns = 0;
    transaction->sealed_ns = 0;
    transaction->committed_ns = 0;
    transaction->status = MR_OK;
    mr_arena_reset(&transaction->arena);
}

/* Make room for one more list entry or one more record; both happen only while a lane warms up. */
static struct mr_record_list *list_with_room(struct mr_transaction *transaction, uint32_t index)
{
    if (index >= transaction->lists_count) {
        uint32_t count = index + 1;
        transaction->lists =
            mr_memory_resize(transaction->lists, count * sizeof(*transaction->lists));
        memset(transaction->lists + transaction->lists_count, 0,
               (count - transaction->lists_count) * sizeof(*transaction->lists));
        transaction->lists_count = count;
    }
    struct mr_record_list *list = &transaction->lists[index];
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? LIST_FIRST_CAPACITY : list->capacity * 2;
        list->records =
            mr_memory_resize(list->records, (size_t)list->capacity * sizeof(*list->records));
    }
    return list;
}

struct mr_log_record *mr_transaction_append(struct mr_transaction *transaction,
                                            const struct mr_target *target, int32_t partition)
{
    MR_ASSERT(partition >= 0 && partition < target->partitions_count);
    struct mr_record_list *list =
        list_with_room(transaction, target->first_list + (uint32_t)partition);
    struct mr_log_record *record = &list->records[list->count++];
    *record =
        (struct mr_log_record){.topic = target->topic, .partition = partition, .timestamp_ms = -1};
    transaction->records_count++;
    return record;
}

struct mr_seal *mr_transaction_seal(struct mr_transaction *transaction)
{
    if (transaction->seals_count == transaction->seals_capacity) {
        transaction->seals_capacity =
            transaction->seals_capacity == 0 ? 16 : transaction->seals_capacity * 2;
        transaction->seals = mr_memory_resize(
            transaction->seals, (size_t)transaction->seals_capacity * sizeof(*transaction->seals));
    }
    struct mr_seal *seal = &transaction->seals[transaction->seals_count++];
    *seal = (struct mr_seal){0};
    return seal;
}

bool mr_transaction_full(const struct mr_transaction *transaction)
{
    return transaction->records_count >= MR_LIMIT_TRANSACTION_RECORDS ||
           transaction->input_count >= MR_TRANSACTION_INPUTS_MAX ||
           transaction->arena.used_bytes >= MR_LIMIT_TRANSACTION_BYTES;
}
