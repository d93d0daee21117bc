/* tests/sim/kafka_producer.c — the client's half of writing: what librdkafka and
 * connectors/kafka/{producer,ledger}.c do together.
 * Design: records queue per partition; one Produce per partition is on its way. A partition is
 * added to the transaction before its first record is sent. Requests are repeated by the client
 * after a broken connection; whatever was not answered in order makes the transaction dirty, and a
 * commit that ends well all the same is then a failure with recovery REINCARNATE (guarantee 2 of
 * connectors/log.h). Bytes of records are borrowed: they are read when a request is made, and must
 * then be what they were when they were handed over.
 * Guard CLEAN_COMMIT: a dirty commit does not count. */
#include "tests/sim/kafka.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/guard.h"
#include "base/hash.h"
#include "base/memory.h"

#include <string.h>

enum { PARTITIONS_MAX = 64, BATCH_MAX = 50, PLAIN_TIMEOUT_MS = 20000, DESTROY_MS_MAX = 40 };

struct queued {
    struct mr_log_record record;
    const char *topic;
    const struct mr_headers *headers;
    uint64_t checksum;
    int64_t timestamp_ms;
};

struct writing { /* to one partition */
    struct kafka_partition *partition;
    struct queued *queue;
    uint32_t first;
    uint32_t count; /* from first on */
    uint32_t capacity;
    int32_t next_sequence; /* of the first queued record */
    uint32_t batch_count;  /* of the request on its way or to be repeated; 0: none */
    struct kafka_request *produce;
    bool added;  /* to the transaction */
    bool adding; /* on its way */
};

struct producer {
    struct mr_log_producer base;
    struct kafka_client client;
    const char *id; /* NULL: idempotent only */
    int64_t timeout_ms;
    int64_t producer_id;
    int16_t epoch;
    struct writing partitions[PARTITIONS_MAX];
    uint32_t partitions_count;
    struct kafka_request *add; /* on its way */
    uint64_t add_not_before_ns;
    uint64_t began_ns;
    enum kafka_error refused; /* what ends the producer */
    struct queued *borrowed;  /* all of the transaction */
    uint32_t borrowed_count;
    uint32_t borrowed_capacity;
    bool dirty;
    bool retry_set;
    struct sim_queue waiters;
};

static void pump(struct producer *producer);

static uint64_t checksum(const struct mr_log_record *record)
{
    return mr_hash64(record->key) * 31 + mr_hash64(record->value);
}

static void check_borrowed(const struct producer *producer, const struct queued *queued)
{
    if (checksum(&queued->record) != queued->checksum)
        sim_violation("%s: the bytes of a record for %s changed while they were borrowed",
                      producer->client.process->name, queued->topic);
}

static uint32_t coordinator_of(const struct producer *producer)
{
    return kafka_transaction_take(producer->id)->broker;
}

static enum mr_status fail(const struct producer *producer, enum kafka_error cause,
                           const char *what, struct mr_error *error)
{
    MR_UNUSED(producer);
    if (cause == KAFKA_FENCED)
        return MR_FAIL(error, MR_FENCED, MR_RECOVERY_REINCARNATE, "%s: a newer owner exists.",
                       what);
    if (cause == KAFKA_NOT_FOUND)
        return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY, "%s: no such topic.", what);
    return MR_FAIL(error, MR_IO, MR_RECOVERY_REINCARNATE, "%s: refused (%d).", what, (int)cause);
}

/* ---- Life ---- */

static enum mr_status initialise(struct producer *producer, uint32_t wait_ms,
                                 struct mr_error *error)
{
    uint64_t deadline_ns = sim_now_ns() + wait_ms * SIM_MS;
    for (;;) {
        struct kafka_request *request = kafka_request_new("InitProducerId", kafka_serve_init);
        request->text = producer->id;
        request->number = producer->timeout_ms;
        uint32_t broker = producer->id == NULL ? 0 : coordinator_of(producer);
        enum mr_status status = kafka_call(&producer->client, broker, &request, deadline_ns, error);
        if (status != MR_OK)
            return status;
        if (request->error == KAFKA_OK) {
            producer->producer_id = request->producer_id;
            producer->epoch = request->epoch;
            return MR_OK;
        }
        if (sim_now_ns() >= deadline_ns)
            return MR_FAIL(error, MR_TIMEOUT, MR_RECOVERY_RETRY,
                           "Initialising transactions of %s: an earlier one is still ending.",
                           producer->id);
        sim_sleep(sim_between(10 * SIM_MS, 50 * SIM_MS));
    }
}

enum mr_status kafka_producer_create(struct mr_log *log,
                                     const struct mr_log_producer_options *options,
                                     uint32_t wait_ms, struct mr_log_producer **producer,
                                     struct mr_error *error)
{
    struct producer *made = sim_new(sizeof *made);
    made->base.log = log;
    made->id = options->transactional_id == NULL ? NULL : sim_copy_text(options->transactional_id);
    made->timeout_ms =
        options->transaction_timeout_ms > 0 ? options->transaction_timeout_ms : PLAIN_TIMEOUT_MS;
    kafka_client_open(&made->client);
    enum mr_status status = initialise(made, wait_ms, error);
    if (status != MR_OK) {
        kafka_client_close(&made->client);
        return status;
    }
    *producer = &made->base;
    return MR_OK;
}

void kafka_producer_destroy(struct mr_log_producer *base)
{
    struct producer *producer = (struct producer *)base;
    if (producer == NULL)
        return;
    sim_sleep(sim_random(DESTROY_MS_MAX * SIM_MS)); /* librdkafka's threads come to an end */
    for (uint32_t index = 0; index < producer->borrowed_count; index++)
        check_borrowed(producer, &producer->borrowed[index]);
    kafka_client_close(&producer->client);
}

enum mr_status kafka_producer_begin(struct mr_log_producer *base, struct mr_error *error)
{
    struct producer *producer = (struct producer *)base;
    producer->began_ns = sim_now_ns();
    producer->borrowed_count = 0;
    if (producer->refused != KAFKA_OK)
        return fail(producer, producer->refused, "Beginning a transaction", error);
    return MR_OK;
}

/* ---- Taking records ---- */

static struct writing *take_partition(struct producer *producer, const char *topic, int32_t number)
{
    for (uint32_t index = 0; index < producer->partitions_count; index++) {
        struct writing *writing = &producer->partitions[index];
        if (writing->partition->number == number &&
            strcmp(writing->partition->topic->name, topic) == 0)
            return writing;
    }
    struct kafka_topic *found = kafka_topic_find(topic);
    if (found == NULL || number < 0 || number >= found->partitions_count)
        return NULL;
    MR_ASSERT(producer->partitions_count < PARTITIONS_MAX);
    struct writing *writing = &producer->partitions[producer->partitions_count++];
    writing->partition = found->partitions[number];
    return writing;
}

static const struct mr_headers *copy_headers(const struct mr_headers *headers)
{
    if (headers == NULL || headers->count == 0)
        return NULL;
    struct mr_header *items = sim_new(headers->count * sizeof *items);
    for (uint32_t index = 0; index < headers->count; index++) {
        struct mr_slice value = headers->items[index].value;
        items[index].name = sim_copy_text(headers->items[index].name);
        items[index].value = mr_slice_from(sim_copy(value.data, value.size), value.size);
    }
    const struct mr_headers made = {.items = items, .count = headers->count};
    return sim_copy(&made, sizeof made);
}

static void borrow(struct producer *producer, const struct queued *queued)
{
    if (producer->borrowed_count == producer->borrowed_capacity) {
        uint32_t capacity = (producer->borrowed_count + 16) * 2;
        struct queued *larger = sim_new(capacity * sizeof *larger);
        if (producer->borrowed_count > 0)
            memcpy(larger, producer->borrowed, producer->borrowed_count * sizeof *larger);
        producer->borrowed = larger;
        producer->borrowed_capacity = capacity;
    }
    producer->borrowed[producer->borrowed_count++] = *queued;
}

static void enqueue(struct producer *producer, struct writing *writing,
                    const struct mr_log_record *record)
{
    if (writing->count == 0)
        writing->first = 0;
    if (writing->first + writing->count == writing->capacity) {
        uint32_t capacity = (writing->count + 8) * 2;
        struct queued *larger = sim_new(capacity * sizeof *larger);
        if (writing->count > 0)
            memcpy(larger, &writing->queue[writing->first], writing->count * sizeof *larger);
        writing->queue = larger;
        writing->capacity = capacity;
        writing->first = 0;
    }
    int64_t timestamp_ms = record->timestamp_ms == -1 ? mr_clock_wall_ms() : record->timestamp_ms;
    struct queued queued = {.record = *record,
                            .topic = writing->partition->topic->name,
                            .headers = copy_headers(record->headers),
                            .checksum = checksum(record),
                            .timestamp_ms = timestamp_ms};
    writing->queue[writing->first + writing->count++] = queued;
    borrow(producer, &queued);
}

enum mr_status kafka_producer_send(struct mr_log_producer *base,
                                   const struct mr_log_record *records, uint32_t count,
                                   struct mr_error *error)
{
    struct producer *producer = (struct producer *)base;
    for (uint32_t index = 0; index < count; index++) {
        if (producer->refused != KAFKA_OK)
            return fail(producer, producer->refused, "Writing records", error);
        struct writing *writing =
            take_partition(producer, records[index].topic, records[index].partition);
        if (writing == NULL)
            return fail(producer, KAFKA_NOT_FOUND, records[index].topic, error);
        enqueue(producer, writing, &records[index]);
    }
    if (sim_chance(500000)) /* linger: else it goes with the flush */
        pump(producer);
    return MR_OK;
}

/* ---- Requests ---- */

static void refuse(struct producer *producer, enum kafka_error error)
{
    if (producer->refused == KAFKA_OK)
        producer->refused = error;
    sim_wake_all(&producer->waiters);
}

static void pump_later(void *argument, uint64_t token)
{
    struct producer *producer = argument;
    MR_UNUSED(token);
    producer->retry_set = false;
    if (!producer->client.closed)
        pump(producer);
}

static void retry(struct producer *producer, uint64_t delay_ns)
{
    if (producer->retry_set)
        return;
    producer->retry_set = true;
    sim_after(delay_ns, producer->client.process, pump_later, producer, 0);
}

static void partitions_added(struct kafka_request *request)
{
    struct producer *producer = request->owner;
    producer->add = NULL;
    if (producer->client.closed)
        return;
    for (uint32_t index = 0; index < producer->partitions_count; index++) {
        struct writing *writing = &producer->partitions[index];
        writing->added = writing->added || (writing->adding && request->error == KAFKA_OK);
        writing->adding = false;
    }
    if (request->error == KAFKA_BROKEN)
        producer->dirty = true;
    else if (request->error == KAFKA_CONCURRENT)
        producer->add_not_before_ns = sim_now_ns() + 20 * SIM_MS;
    else if (request->error != KAFKA_OK)
        refuse(producer, request->error);
    pump(producer);
}

static void add_partitions(struct producer *producer)
{
    if (producer->add != NULL)
        return;
    struct kafka_request *request =
        kafka_request_new("AddPartitionsToTxn", kafka_serve_add_partitions);
    for (uint32_t index = 0; index < producer->partitions_count; index++) {
        struct writing *writing = &producer->partitions[index];
        writing->adding = !writing->added && writing->count > 0;
        if (writing->adding)
            request->partitions[request->partitions_count++] = writing->partition;
    }
    if (request->partitions_count == 0)
        return;
    request->text = producer->id;
    request->producer_id = producer->producer_id;
    request->epoch = producer->epoch;
    request->owner = producer;
    request->answer = partitions_added;
    uint64_t now_ns = sim_now_ns();
    if (producer->add_not_before_ns > now_ns)
        retry(producer, producer->add_not_before_ns - now_ns);
    else if (kafka_send(&producer->client, coordinator_of(producer), request))
        producer->add = request;
    else
        retry(producer, kafka_retry_ns());
}

static void produced(struct kafka_request *request)
{
    struct producer *producer = request->owner;
    struct writing *writing = NULL;
    for (uint32_t index = 0; index < producer->partitions_count; index++)
        if (producer->partitions[index].produce == request)
            writing = &producer->partitions[index];
    if (producer->client.closed || writing == NULL)
        return;
    writing->produce = NULL;
    if (request->error == KAFKA_BROKEN) {
        producer->dirty = true;
    } else if (request->error != KAFKA_OK) {
        refuse(producer, request->error);
        return;
    } else {
        for (uint32_t index = 0; index < writing->batch_count; index++) {
            const struct queued *queued = &writing->queue[writing->first + index];
            if (queued->record.offset != NULL)
                *queued->record.offset = request->offset + index;
        }
        writing->first += writing->batch_count;
        writing->count -= writing->batch_count;
        writing->next_sequence += (int32_t)writing->batch_count;
        writing->batch_count = 0;
        sim_wake_all(&producer->waiters);
    }
    pump(producer);
}

static void make_entries(const struct producer *producer, const struct writing *writing,
                         struct kafka_request *request)
{
    request->entries = sim_new(writing->batch_count * sizeof *request->entries);
    request->entries_count = writing->batch_count;
    for (uint32_t index = 0; index < writing->batch_count; index++) {
        const struct queued *queued = &writing->queue[writing->first + index];
        const struct mr_log_record *record = &queued->record;
        check_borrowed(producer, queued);
        request->entries[index] = (struct kafka_entry){
            .producer_id = producer->producer_id,
            .epoch = producer->epoch,
            .timestamp_ms = queued->timestamp_ms,
            .transactional = producer->id != NULL,
            .committed = producer->id == NULL,
            .key = mr_slice_from(sim_copy(record->key.data, record->key.size), record->key.size),
            .value =
                mr_slice_from(sim_copy(record->value.data, record->value.size), record->value.size),
            .key_null = record->key_null,
            .value_null = record->value_null,
            .headers = queued->headers};
    }
}

static void produce(struct producer *producer, struct writing *writing)
{
    if (writing->batch_count == 0) {
        uint32_t most = writing->count < BATCH_MAX ? writing->count : BATCH_MAX;
        writing->batch_count = sim_chance(700000) ? most : (uint32_t)sim_between(1, most);
    }
    struct kafka_request *request = kafka_request_new("Produce", kafka_serve_produce);
    request->producer_id = producer->producer_id;
    request->epoch = producer->epoch;
    request->transactional = producer->id != NULL;
    request->partition = writing->partition;
    request->sequence = writing->next_sequence;
    request->owner = producer;
    request->answer = produced;
    make_entries(producer, writing, request);
    if (kafka_send(&producer->client, writing->partition->broker, request))
        writing->produce = request;
    else
        retry(producer, kafka_retry_ns());
}

static void pump(struct producer *producer)
{
    if (producer->refused != KAFKA_OK || producer->client.closed)
        return;
    if (producer->id != NULL)
        add_partitions(producer);
    for (uint32_t index = 0; index < producer->partitions_count; index++) {
        struct writing *writing = &producer->partitions[index];
        if (writing->count > 0 && writing->produce == NULL &&
            (writing->added || producer->id == NULL))
            produce(producer, writing);
    }
}

/* ---- Flush and commit ---- */

static bool is_flushed(const struct producer *producer)
{
    for (uint32_t index = 0; index < producer->partitions_count; index++)
        if (producer->partitions[index].count > 0)
            return false;
    return true;
}

static uint64_t deadline_of(const struct producer *producer)
{
    uint64_t start_ns = producer->id == NULL ? sim_now_ns() : producer->began_ns;
    return start_ns + (uint64_t)producer->timeout_ms * SIM_MS;
}

enum mr_status kafka_producer_flush(struct mr_log_producer *base, struct mr_error *error)
{
    struct producer *producer = (struct producer *)base;
    uint64_t deadline_ns = deadline_of(producer);
    pump(producer);
    while (!is_flushed(producer) && producer->refused == KAFKA_OK) {
        if (sim_now_ns() >= deadline_ns)
            return MR_FAIL(error, MR_TIMEOUT, MR_RECOVERY_REINCARNATE,
                           "Writing records: not acknowledged in time.");
        (void)sim_wait(&producer->waiters, deadline_ns);
    }
    if (producer->refused != KAFKA_OK)
        return fail(producer, producer->refused, "Writing records", error);
    if (producer->id == NULL) /* acknowledged, and no transaction to be read again for */
        producer->borrowed_count = 0;
    return MR_OK;
}

static enum mr_status end_transaction(struct producer *producer, struct mr_error *error)
{
    uint64_t deadline_ns = deadline_of(producer);
    for (;;) {
        struct kafka_request *request = kafka_request_new("EndTxn", kafka_serve_end);
        request->text = producer->id;
        request->producer_id = producer->producer_id;
        request->epoch = producer->epoch;
        request->commit = true;
        request->error = KAFKA_BROKEN;
        if (kafka_send(&producer->client, coordinator_of(producer), request)) {
            while (!request->answered && sim_wait(&request->done, deadline_ns))
                continue;
            producer->dirty =
                producer->dirty || !request->answered || request->error == KAFKA_BROKEN;
            if (request->answered && request->error == KAFKA_OK)
                return MR_OK;
            if (request->answered && request->error != KAFKA_BROKEN &&
                request->error != KAFKA_CONCURRENT)
                return fail(producer, request->error, "Committing a transaction", error);
        }
        if (sim_now_ns() >= deadline_ns)
            return MR_FAIL(error, MR_TIMEOUT, MR_RECOVERY_REINCARNATE,
                           "Committing a transaction: no answer in time.");
        sim_sleep(kafka_retry_ns());
    }
}

enum mr_status kafka_producer_commit(struct mr_log_producer *base, struct mr_error *error)
{
    struct producer *producer = (struct producer *)base;
    enum mr_status status = kafka_producer_flush(base, error);
    if (status != MR_OK || producer->id == NULL)
        return status;
    bool empty = true;
    for (uint32_t index = 0; index < producer->partitions_count; index++)
        empty = empty && !producer->partitions[index].added;
    if (!empty)
        status = end_transaction(producer, error);
    if (status != MR_OK)
        return status;
    for (uint32_t index = 0; index < producer->partitions_count; index++)
        producer->partitions[index].added = false;
    if (!producer->dirty)
        producer->borrowed_count = 0;
    if (producer->dirty && MR_GUARD(CLEAN_COMMIT))
        return MR_FAIL(error, MR_IO, MR_RECOVERY_REINCARNATE,
                       "The outcome of a transaction is in doubt.");
    return MR_OK;
}
