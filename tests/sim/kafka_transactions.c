/* tests/sim/kafka_transactions.c — the transaction coordinator, and compaction.
 * Design: as TransactionCoordinator.scala does with version 1 semantics: a prepared state is
 * decided, markers are written to each partition by itself, later; only then the next transaction
 * of the id may begin. Initialising during an open transaction bumps the epoch, aborts it and tells
 * the client to ask again. */
#include "tests/sim/kafka.h"

#include "base/assert.h"
#include "base/hash.h"

#include <string.h>

struct kafka_transaction *kafka_transaction_take(const char *id)
{
    struct mr_slice text = mr_slice_text(id);
    struct kafka_transaction **bucket = &kafka.transactions[mr_hash64(text) % 256];
    for (struct kafka_transaction *found = *bucket; found != NULL; found = found->next)
        if (strcmp(found->id, id) == 0)
            return found;
    struct kafka_transaction *made = sim_new(sizeof *made);
    made->id = sim_copy_text(id);
    made->producer_id = kafka.next_producer_id++;
    made->epoch = -1;
    made->broker = (uint32_t)(mr_hash64(text) >> 32) % KAFKA_BROKERS;
    made->next = *bucket;
    *bucket = made;
    return made;
}

static struct kafka_transaction *find_by_producer(int64_t producer_id)
{
    for (uint32_t index = 0; index < 256; index++)
        for (struct kafka_transaction *found = kafka.transactions[index]; found != NULL;
             found = found->next)
            if (found->producer_id == producer_id)
                return found;
    return NULL;
}

const char *kafka_transaction_name(int64_t producer_id)
{
    const struct kafka_transaction *transaction = find_by_producer(producer_id);
    return transaction == NULL ? NULL : transaction->id;
}

uint32_t kafka_open_transactions(void)
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < 256; index++)
        for (struct kafka_transaction *found = kafka.transactions[index]; found != NULL;
             found = found->next)
            count += found->state == KAFKA_ONGOING || found->state == KAFKA_PREPARE_ABORT ||
                     found->state == KAFKA_PREPARE_COMMIT;
    return count;
}

void kafka_transaction_wrote(int64_t producer_id)
{
    struct kafka_transaction *transaction = find_by_producer(producer_id);
    if (transaction == NULL || transaction->lurking == NULL || !sim_chance(300000))
        return;
    kafka_arrive(transaction->lurking, sim_random(3 * SIM_MS));
    transaction->lurking = NULL;
}

/* ---- Markers ---- */

struct marker {
    struct kafka_transaction *transaction;
    struct kafka_partition *partition;
    bool commit;
    int16_t epoch;
};

static void decide_entries(struct kafka_partition *partition, const struct kafka_writer *writer,
                           bool commit)
{
    for (int64_t offset = writer->open_offset; offset < partition->count; offset++) {
        struct kafka_entry *entry = &partition->entries[offset];
        if (entry->marker || entry->producer_id != writer->producer_id)
            continue;
        entry->committed = commit;
        entry->aborted = !commit;
    }
}

static void write_marker(void *argument, uint64_t token)
{
    struct marker *marker = argument;
    struct kafka_transaction *transaction = marker->transaction;
    struct kafka_partition *partition = marker->partition;
    MR_UNUSED(token);
    uint64_t until_ns = kafka.markers_held_until_ns;
    if (kafka.down_until_ns[partition->broker] > until_ns)
        until_ns = kafka.down_until_ns[partition->broker];
    if (until_ns > sim_now_ns()) {
        sim_at(until_ns + sim_random(SIM_MS), NULL, write_marker, marker, 0);
        return;
    }
    struct kafka_writer *writer = kafka_writer_take(partition, transaction->producer_id);
    if (writer->open_offset >= 0)
        decide_entries(partition, writer, marker->commit);
    writer->open_offset = -1;
    if (marker->epoch > writer->epoch) {
        writer->epoch = marker->epoch;
        writer->next_sequence = 0;
        writer->seen_count = 0;
    }
    sim_trace("kafka: %s[%d] %s of %lld/%d at %lld", partition->topic->name, (int)partition->number,
              marker->commit ? "commit" : "abort", (long long)transaction->producer_id,
              (int)marker->epoch, (long long)partition->count);
    struct kafka_entry entry = {.producer_id = transaction->producer_id,
                                .epoch = marker->epoch,
                                .marker = true,
                                .committed = marker->commit};
    kafka_append(partition, &entry);
    MR_ASSERT(transaction->markers_left > 0);
    if (--transaction->markers_left == 0) {
        transaction->state = transaction->state == KAFKA_PREPARE_COMMIT ? KAFKA_COMPLETE_COMMIT
                                                                        : KAFKA_COMPLETE_ABORT;
        transaction->partitions_count = 0;
    }
    kafka_changed(partition);
}

static void prepare(struct kafka_transaction *transaction, bool commit)
{
    sim_trace("kafka: %s is %s (epoch %d)", transaction->id, commit ? "committed" : "aborted",
              (int)transaction->epoch);
    transaction->serial++;
    transaction->state = commit ? KAFKA_PREPARE_COMMIT : KAFKA_PREPARE_ABORT;
    transaction->markers_left = transaction->partitions_count;
    if (transaction->partitions_count == 0)
        transaction->state = commit ? KAFKA_COMPLETE_COMMIT : KAFKA_COMPLETE_ABORT;
    for (uint32_t index = 0; index < transaction->partitions_count; index++) {
        struct marker *marker = sim_new(sizeof *marker);
        *marker = (struct marker){.transaction = transaction,
                                  .partition = transaction->partitions[index],
                                  .commit = commit,
                                  .epoch = transaction->epoch};
        uint64_t delay_ns = kafka_delay();
        if (sim_chance(kafka.tuning.marker_slow_per_million))
            delay_ns += sim_random(kafka.tuning.marker_slow_ns);
        sim_after(delay_ns, NULL, write_marker, marker, 0);
    }
}

static void transaction_expires(void *argument, uint64_t token)
{
    struct kafka_transaction *transaction = argument;
    if (transaction->state != KAFKA_ONGOING || transaction->serial != token)
        return;
    sim_trace("kafka: %s has timed out", transaction->id);
    transaction->epoch++;
    prepare(transaction, false);
}

/* ---- Requests ---- */

static enum kafka_error check_epoch(const struct kafka_request *request,
                                    const struct kafka_transaction *transaction)
{
    return request->producer_id == transaction->producer_id && request->epoch == transaction->epoch
               ? KAFKA_OK
               : KAFKA_FENCED;
}

bool kafka_transaction_allows(const struct kafka_request *request, enum kafka_error *error)
{
    const struct kafka_transaction *transaction = find_by_producer(request->producer_id);
    *error = transaction == NULL ? KAFKA_INVALID_STATE : check_epoch(request, transaction);
    if (*error != KAFKA_OK)
        return false;
    for (uint32_t index = 0; index < transaction->partitions_count; index++)
        if (transaction->state == KAFKA_ONGOING &&
            transaction->partitions[index] == request->partition)
            return true;
    *error = KAFKA_INVALID_STATE;
    return false;
}

void kafka_serve_init(struct kafka_request *request)
{
    if (request->text == NULL) { /* idempotent only */
        request->producer_id = kafka.next_producer_id++;
        request->epoch = 0;
        kafka_respond(request, KAFKA_OK);
        return;
    }
    struct kafka_transaction *transaction = kafka_transaction_take(request->text);
    switch (transaction->state) {
    case KAFKA_ONGOING:
        transaction->epoch++;
        prepare(transaction, false);
        kafka_respond(request, KAFKA_CONCURRENT);
        return;
    case KAFKA_PREPARE_ABORT:
    case KAFKA_PREPARE_COMMIT:
        kafka_respond(request, KAFKA_CONCURRENT);
        return;
    case KAFKA_EMPTY:
    case KAFKA_COMPLETE_COMMIT:
    case KAFKA_COMPLETE_ABORT:
        break;
    }
    transaction->epoch++;
    transaction->state = KAFKA_EMPTY;
    transaction->timeout_ms = request->number;
    request->producer_id = transaction->producer_id;
    request->epoch = transaction->epoch;
    sim_trace("kafka: %s is initialised: %lld/%d", transaction->id,
              (long long)transaction->producer_id, (int)transaction->epoch);
    kafka_respond(request, KAFKA_OK);
}

static void add_partition(struct kafka_transaction *transaction, struct kafka_partition *partition)
{
    for (uint32_t index = 0; index < transaction->partitions_count; index++)
        if (transaction->partitions[index] == partition)
            return;
    MR_ASSERT(transaction->partitions_count < KAFKA_TRANSACTION_PARTITIONS_MAX);
    transaction->partitions[transaction->partitions_count++] = partition;
}

void kafka_serve_add_partitions(struct kafka_request *request)
{
    struct kafka_transaction *transaction = kafka_transaction_take(request->text);
    enum kafka_error error = check_epoch(request, transaction);
    if (error == KAFKA_OK &&
        (transaction->state == KAFKA_PREPARE_ABORT || transaction->state == KAFKA_PREPARE_COMMIT))
        error = KAFKA_CONCURRENT;
    if (error == KAFKA_OK) {
        if (transaction->state != KAFKA_ONGOING) {
            transaction->state = KAFKA_ONGOING;
            transaction->serial++;
            transaction->partitions_count = 0;
            transaction->started_ns = sim_now_ns();
            uint64_t timeout_ns = (uint64_t)transaction->timeout_ms * SIM_MS;
            sim_after(timeout_ns + sim_random(SIM_SECOND), NULL, transaction_expires, transaction,
                      transaction->serial);
        }
        for (uint32_t index = 0; index < request->partitions_count; index++)
            add_partition(transaction, request->partitions[index]);
    }
    kafka_respond(request, error);
}

void kafka_serve_end(struct kafka_request *request)
{
    struct kafka_transaction *transaction = kafka_transaction_take(request->text);
    enum kafka_error error = check_epoch(request, transaction);
    if (error == KAFKA_OK) {
        switch (transaction->state) {
        case KAFKA_ONGOING:
            prepare(transaction, request->commit);
            break;
        case KAFKA_PREPARE_COMMIT:
            error = request->commit ? KAFKA_CONCURRENT : KAFKA_INVALID_STATE;
            break;
        case KAFKA_PREPARE_ABORT:
            error = request->commit ? KAFKA_INVALID_STATE : KAFKA_CONCURRENT;
            break;
        case KAFKA_COMPLETE_COMMIT:
            error = request->commit ? KAFKA_OK : KAFKA_INVALID_STATE;
            break;
        case KAFKA_COMPLETE_ABORT:
            error = request->commit ? KAFKA_INVALID_STATE : KAFKA_OK;
            break;
        case KAFKA_EMPTY:
            error = KAFKA_INVALID_STATE;
            break;
        }
    }
    kafka_respond(request, error);
}

/* ---- Compaction ---- */

/* Is there a later committed record of the same key below end? */
static bool superseded(const struct kafka_partition *partition, int64_t offset, int64_t end)
{
    const struct kafka_entry *entry = &partition->entries[offset];
    for (int64_t later = offset + 1; later < end; later++) {
        const struct kafka_entry *other = &partition->entries[later];
        if (!other->marker && other->committed && !other->key_null &&
            mr_slice_equal(other->key, entry->key))
            return true;
    }
    return false;
}

static void compact_partition(struct kafka_partition *partition)
{
    int64_t stable = kafka_stable(partition);
    if (stable < 2)
        return;
    /* The active segment is never cleaned: the end stays. */
    int64_t end = (int64_t)sim_random((uint64_t)stable);
    for (int64_t offset = partition->start; offset < end; offset++) {
        struct kafka_entry *entry = &partition->entries[offset];
        if (!entry->marker && !entry->compacted)
            entry->compacted = entry->aborted || superseded(partition, offset, end);
    }
}

void kafka_compact(void)
{
    sim_trace("kafka compacts");
    for (struct kafka_topic *topic = kafka.topics; topic != NULL; topic = topic->next)
        for (int32_t number = 0;
             number < topic->partitions_count && topic->cleanup == MR_LOG_CLEANUP_COMPACT; number++)
            compact_partition(topic->partitions[number]);
}
