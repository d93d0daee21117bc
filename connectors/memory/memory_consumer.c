/* connectors/memory/memory_consumer.c — consumers: what is new is found under the lock, read
 * outside. Design: a poll collects *runs* under the lock: which segments, from which byte to which
 * byte, one reference each. Then it walks them without the lock and fills the messages, whose
 * slices point into the segments; the fetch keeps the references until it is released. Looking for
 * an offset within a segment is part of that walk: records below the wanted offset are passed over.
 * A cursor names its segment by serial and is only a hint: after a compaction or a deletion the
 * offset finds the place again.
 * An offset that is gone (deleted, or dropped from an unread topic) is a PARTITION_ERROR and never
 * a silent jump. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "connectors/memory/memory_internal.h"

#include <inttypes.h>
#include <time.h>

enum run_kind { RUN_RECORDS, RUN_END, RUN_ERROR };

struct run {
    enum run_kind kind;
    struct mr_memory_assignment *assignment;
    struct mr_memory_segment *segment;
    uint64_t serial;
    size_t position;
    size_t bytes_end;
    uint32_t index;
    int64_t offset; /* behind the run */
};

struct mr_memory_fetch {
    struct mr_memory_fetch *next_free;
    struct mr_log_message *messages;
    uint32_t messages_capacity;
    struct run *runs;
    uint32_t runs_count;
    uint32_t runs_capacity;
};

static struct mr_memory_log *log_of(struct mr_memory_consumer *consumer)
{
    return (struct mr_memory_log *)consumer->consumer.log;
}

static struct mr_memory_partition *partition_of(const struct mr_memory_assignment *assignment)
{
    return assignment->topic->partitions[assignment->partition];
}

/* ---- Lifecycle ---- */

enum mr_status mr_memory_consumer_create(struct mr_log *log,
                                         const struct mr_log_consumer_options *options,
                                         struct mr_log_consumer **result, struct mr_error *error)
{
    MR_UNUSED(error);
    struct mr_memory_log *memory = (struct mr_memory_log *)log;
    struct mr_memory_consumer *consumer = mr_memory_new(1, sizeof(*consumer));
    consumer->consumer.log = log;
    consumer->end_of_partition = options->end_of_partition;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&consumer->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_lock(&memory->lock);
    memory->clients_count++;
    pthread_mutex_unlock(&memory->lock);
    *result = &consumer->consumer;
    return MR_OK;
}

static void assignment_destroy(struct mr_memory_log *log, struct mr_memory_assignment *assignment)
{
    struct mr_memory_assignment **link = &partition_of(assignment)->subscribers;
    while (*link != assignment)
        link = &(*link)->next_subscriber;
    *link = assignment->next_subscriber;
    mr_memory_topic_release(log, assignment->topic);
    mr_memory_free(assignment);
}

void mr_memory_consumer_destroy(struct mr_log_consumer *handle)
{
    if (handle == NULL)
        return;
    struct mr_memory_consumer *consumer = (struct mr_memory_consumer *)handle;
    struct mr_memory_log *log = log_of(consumer);
    MR_ASSERT(consumer->fetches_count == 0);
    pthread_mutex_lock(&log->lock);
    for (uint32_t i = 0; i < consumer->assignments_count; i++)
        assignment_destroy(log, consumer->assignments[i]);
    log->clients_count--;
    pthread_mutex_unlock(&log->lock);
    while (consumer->free_fetches != NULL) {
        struct mr_memory_fetch *fetch = consumer->free_fetches;
        consumer->free_fetches = fetch->next_free;
        mr_memory_free(fetch->messages);
        mr_memory_free(fetch->runs);
        mr_memory_free(fetch);
    }
    pthread_cond_destroy(&consumer->wake);
    mr_memory_free(consumer->assignments);
    mr_memory_free(consumer);
}

/* ---- Assignments ---- */

static uint32_t assignment_find(const struct mr_memory_consumer *consumer, const char *topic,
                                int32_t partition)
{
    for (uint32_t i = 0; i < consumer->assignments_count; i++) {
        const struct mr_memory_assignment *assignment = consumer->assignments[i];
        if (assignment->partition == partition && strcmp(assignment->topic->name, topic) == 0)
            return i;
    }
    return UINT32_MAX;
}

static enum mr_status add_locked(struct mr_memory_consumer *consumer,
                                 const struct mr_log_assignment *wanted, struct mr_error *error)
{
    struct mr_memory_topic *topic = NULL;
    enum mr_status status =
        mr_memory_partition_find(log_of(consumer), wanted->topic, wanted->partition, &topic, error);
    if (status != MR_OK)
        return status;
    if (assignment_find(consumer, wanted->topic, wanted->partition) != UINT32_MAX)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Topic '%s' partition %" PRId32 " is assigned to this consumer already.",
                       wanted->topic, wanted->partition);
    struct mr_memory_partition *partition = topic->partitions[wanted->partition];
    struct mr_memory_assignment *assignment = mr_memory_new(1, sizeof(*assignment));
    topic->references++;
    assignment->consumer = consumer;
    assignment->topic = topic;
    assignment->partition = wanted->partition;
    assignment->tag = wanted->tag;
    assignment->next_offset = wanted->offset;
    if (wanted->offset == MR_LOG_OFFSET_EARLIEST)
        assignment->next_offset = partition->start_offset;
    else if (wanted->offset == MR_LOG_OFFSET_LATEST)
        assignment->next_offset = partition->end_offset;
    assignment->end_told_offset = -1;
    assignment->next_subscriber = partition->subscribers;
    partition->subscribers = assignment;
    consumer->assignments =
        mr_memory_resize(consumer->assignments, (consumer->assignments_count + 1u) *
                                                    sizeof(struct mr_memory_assignment *));
    consumer->assignments[consumer->assignments_count++] = assignment;
    return MR_OK;
}

enum mr_status mr_memory_consumer_add(struct mr_log_consumer *handle,
                                      const struct mr_log_assignment *assignments, uint32_t count,
                                      struct mr_error *error)
{
    struct mr_memory_consumer *consumer = (struct mr_memory_consumer *)handle;
    struct mr_memory_log *log = log_of(consumer);
    enum mr_status status = MR_OK;
    pthread_mutex_lock(&log->lock);
    uint32_t before = consumer->assignments_count;
    for (uint32_t i = 0; i < count && status == MR_OK; i++)
        status = add_locked(consumer, &assignments[i], error);
    while (status != MR_OK && consumer->assignments_count > before)
        assignment_destroy(log, consumer->assignments[--consumer->assignments_count]);
    pthread_mutex_unlock(&log->lock);
    return status;
}

static enum mr_status not_assigned(const char *topic, int32_t partition, struct mr_error *error)
{
    return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                   "Topic '%s' partition %" PRId32 " is not assigned to this consumer.", topic,
                   partition);
}

enum mr_status mr_memory_consumer_remove(struct mr_log_consumer *handle,
                                         const struct mr_log_assignment *assignments,
                                         uint32_t count, struct mr_error *error)
{
    struct mr_memory_consumer *consumer = (struct mr_memory_consumer *)handle;
    struct mr_memory_log *log = log_of(consumer);
    enum mr_status status = MR_OK;
    pthread_mutex_lock(&log->lock);
    for (uint32_t i = 0; i < count && status == MR_OK; i++) {
        uint32_t index = assignment_find(consumer, assignments[i].topic, assignments[i].partition);
        if (index == UINT32_MAX) {
            status = not_assigned(assignments[i].topic, assignments[i].partition, error);
            break;
        }
        assignment_destroy(log, consumer->assignments[index]);
        consumer->assignments[index] = consumer->assignments[--consumer->assignments_count];
    }
    pthread_mutex_unlock(&log->lock);
    return status;
}

enum mr_status mr_memory_consumer_pause(struct mr_log_consumer *handle, const char *topic,
                                        int32_t partition, bool paused, struct mr_error *error)
{
    struct mr_memory_consumer *consumer = (struct mr_memory_consumer *)handle;
    struct mr_memory_log *log = log_of(consumer);
    enum mr_status status = MR_OK;
    pthread_mutex_lock(&log->lock);
    uint32_t index = assignment_find(consumer, topic, partition);
    if (index == UINT32_MAX)
        status = not_assigned(topic, partition, error);
    else
        consumer->assignments[index]->paused = paused;
    pthread_mutex_unlock(&log->lock);
    return status;
}

void mr_memory_subscribers_wake(const struct mr_memory_partition *partition)
{
    for (struct mr_memory_assignment *assignment = partition->subscribers; assignment != NULL;
         assignment = assignment->next_subscriber) {
        if (assignment->consumer->waiting && !assignment->paused)
            pthread_cond_signal(&assignment->consumer->wake);
    }
}

/* ---- Poll: collect, under the lock ---- */

static struct run *run_add(struct mr_memory_fetch *fetch, enum run_kind kind,
                           struct mr_memory_assignment *assignment, int64_t offset)
{
    if (fetch->runs_count == fetch->runs_capacity) {
        fetch->runs_capacity = fetch->runs_capacity * 2 + 16;
        fetch->runs = mr_memory_resize(fetch->runs, fetch->runs_capacity * sizeof(struct run));
    }
    struct run *run = &fetch->runs[fetch->runs_count++];
    *run = (struct run){.kind = kind, .assignment = assignment, .offset = offset};
    return run;
}

/* What is wrong with the assignment's place, if anything. */
static bool place_error(const struct mr_memory_assignment *assignment, struct mr_error *error)
{
    const struct mr_memory_partition *partition = partition_of(assignment);
    const char *name = assignment->topic->name;
    if (atomic_load(&assignment->topic->deleted)) {
        (void)MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY, "Topic '%s' was deleted.",
                      name);
        return true;
    }
    if (assignment->next_offset >= partition->start_offset &&
        assignment->next_offset <= partition->end_offset)
        return false;
    (void)MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                  "Offset %" PRId64 " of topic '%s' partition %" PRId32
                  " is not there: it holds offsets %" PRId64 " to %" PRId64 ".",
                  assignment->next_offset, name, assignment->partition, partition->start_offset,
                  partition->end_offset);
    return true;
}

static void collect_records(struct mr_memory_assignment *assignment, struct mr_memory_fetch *fetch,
                            uint32_t *budget)
{
    struct mr_memory_partition *partition = partition_of(assignment);
    uint32_t at = mr_memory_partition_seek(partition, assignment->next_offset);
    for (; at<partition->count && * budget> 0; at++) {
        struct mr_memory_segment *segment = mr_memory_partition_segment(partition, at);
        struct run *run = run_add(fetch, RUN_RECORDS, assignment, segment->end_offset);
        run->segment = segment;
        run->serial = segment->serial;
        run->bytes_end = segment->bytes_used;
        if (segment->serial == assignment->cursor_serial) {
            run->position = assignment->cursor_position;
            run->index = assignment->cursor_index;
        }
        mr_memory_segment_retain(segment);
        uint32_t records_count = segment->records_count - run->index;
        *budget -= records_count < *budget ? records_count : *budget;
    }
    if (at < partition->count)
        return;
    struct mr_memory_consumer *consumer = assignment->consumer;
    if (consumer->end_of_partition && assignment->end_told_offset != partition->end_offset)
        run_add(fetch, RUN_END, assignment, partition->end_offset);
}

static void collect(struct mr_memory_consumer *consumer, struct mr_memory_fetch *fetch,
                    uint32_t messages_max, struct mr_error *partition_error)
{
    uint32_t budget = messages_max;
    bool failed = false;
    for (uint32_t i = 0; i < consumer->assignments_count && budget > 0; i++) {
        struct mr_memory_assignment *assignment =
            consumer->assignments[(consumer->turn + i) % consumer->assignments_count];
        if (assignment->paused || assignment->failed)
            continue;
        if (!failed && place_error(assignment, partition_error)) {
            run_add(fetch, RUN_ERROR, assignment, assignment->next_offset);
            failed = true;
        } else if (!failed || !place_error(assignment, &(struct mr_error){0})) {
            collect_records(assignment, fetch, &budget);
        }
    }
    consumer->turn++;
}

/* ---- Poll: fill, without the lock ---- */

static struct mr_log_message *message_add(struct mr_memory_fetch *memory,
                                          struct mr_log_fetch *fetch)
{
    if (fetch->messages_count == memory->messages_capacity) {
        memory->messages_capacity = memory->messages_capacity * 2 + 256;
        memory->messages = mr_memory_resize(memory->messages, memory->messages_capacity *
                                                                  sizeof(struct mr_log_message));
    }
    return &memory->messages[fetch->messages_count++];
}

static void fill_message(struct mr_log_message *message, const struct mr_memory_record *record,
                         uint32_t tag, int64_t offset)
{
    message->event = MR_LOG_RECORD;
    message->tag = tag;
    message->offset = offset;
    message->timestamp_ms = record->timestamp_ms;
    message->key = mr_memory_stored_key(record);
    message->value = mr_memory_stored_value(record);
    message->key_null = record->key_size == MR_MEMORY_NULL_SIZE;
    message->value_null = record->value_size == MR_MEMORY_NULL_SIZE;
    message->lease = record;
}

/* False: the fetch is full. */
static bool fill_records(struct mr_memory_fetch *memory, struct mr_log_fetch *fetch,
                         struct run *run, uint32_t messages_max)
{
    struct mr_memory_assignment *assignment = run->assignment;
    while (run->position < run->bytes_end && fetch->messages_count < messages_max) {
        const struct mr_memory_record *record =
            mr_memory_segment_record(run->segment, run->position);
        int64_t offset = run->segment->base_offset + record->offset_delta;
        if (offset >= assignment->next_offset) {
            fill_message(message_add(memory, fetch), record, assignment->tag, offset);
            assignment->next_offset = offset + 1;
        }
        run->position += mr_memory_stored_size(record);
        run->index++;
    }
    assignment->cursor_serial = run->serial;
    assignment->cursor_position = run->position;
    assignment->cursor_index = run->index;
    if (run->position < run->bytes_end)
        return false;
    if (run->offset > assignment->next_offset)
        assignment->next_offset = run->offset;
    return true;
}

static bool fill_event(struct mr_memory_fetch *memory, struct mr_log_fetch *fetch,
                       const struct run *run, uint32_t messages_max)
{
    struct mr_memory_assignment *assignment = run->assignment;
    if (fetch->messages_count == messages_max)
        return false;
    if (run->kind == RUN_END) {
        assignment->next_offset = run->offset;
        assignment->end_told_offset = run->offset;
    } else {
        assignment->failed = true;
    }
    *message_add(memory, fetch) = (struct mr_log_message){
        .event = run->kind == RUN_END ? MR_LOG_END_OF_PARTITION : MR_LOG_PARTITION_ERROR,
        .tag = assignment->tag,
        .offset = run->offset};
    return true;
}

static void fill(struct mr_memory_fetch *memory, struct mr_log_fetch *fetch, uint32_t messages_max)
{
    bool room = true;
    for (uint32_t i = 0; i < memory->runs_count && room; i++) {
        struct run *run = &memory->runs[i];
        if (run->kind == RUN_RECORDS)
            room = fill_records(memory, fetch, run, messages_max);
        else
            room = fill_event(memory, fetch, run, messages_max);
    }
    fetch->messages = memory->messages;
}

/* ---- Poll ---- */

static void runs_release(struct mr_memory_log *log, struct mr_memory_fetch *memory)
{
    for (uint32_t i = 0; i < memory->runs_count; i++) {
        if (memory->runs[i].segment != NULL)
            mr_memory_segment_release(log, memory->runs[i].segment);
    }
    memory->runs_count = 0;
}

/* Wait for new data until the deadline; false when it has passed. */
static bool wait_until(struct mr_memory_consumer *consumer, uint64_t deadline_ns)
{
    if (mr_clock_steady_ns() >= deadline_ns)
        return false;
    struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                                .tv_nsec = (long)(deadline_ns % 1000000000u)};
    consumer->waiting = true;
    (void)pthread_cond_timedwait(&consumer->wake, &log_of(consumer)->lock, &deadline);
    consumer->waiting = false;
    return true;
}

static struct mr_memory_fetch *fetch_take(struct mr_memory_consumer *consumer)
{
    struct mr_memory_fetch *memory = consumer->free_fetches;
    if (memory == NULL)
        return mr_memory_new(1, sizeof(*memory));
    consumer->free_fetches = memory->next_free;
    return memory;
}

enum mr_status mr_memory_consumer_poll(struct mr_log_consumer *handle, uint32_t messages_max,
                                       uint32_t wait_ms, struct mr_log_fetch *fetch,
                                       struct mr_error *error)
{
    MR_UNUSED(error);
    MR_ASSERT(messages_max > 0);
    struct mr_memory_consumer *consumer = (struct mr_memory_consumer *)handle;
    struct mr_memory_log *log = log_of(consumer);
    uint64_t deadline_ns = wait_ms == 0 ? 0 : mr_clock_steady_ns() + wait_ms * 1000000ull;
    struct mr_memory_fetch *memory = fetch_take(consumer);
    memset(fetch, 0, sizeof(*fetch));
    fetch->implementation = memory;
    consumer->fetches_count++;
    for (;;) {
        bool passed = false;
        pthread_mutex_lock(&log->lock);
        collect(consumer, memory, messages_max, &fetch->error);
        while (memory->runs_count == 0 && !passed) {
            passed = !wait_until(consumer, deadline_ns);
            if (!passed)
                collect(consumer, memory, messages_max, &fetch->error);
        }
        pthread_mutex_unlock(&log->lock);
        fill(memory, fetch, messages_max);
        if (fetch->messages_count > 0)
            return MR_OK;
        runs_release(log, memory);
        if (passed)
            break;
    }
    mr_memory_fetch_release(handle, fetch);
    return MR_AGAIN;
}

void mr_memory_fetch_release(struct mr_log_consumer *handle, struct mr_log_fetch *fetch)
{
    struct mr_memory_consumer *consumer = (struct mr_memory_consumer *)handle;
    struct mr_memory_fetch *memory = fetch->implementation;
    if (memory == NULL)
        return;
    runs_release(log_of(consumer), memory);
    memory->next_free = consumer->free_fetches;
    consumer->free_fetches = memory;
    MR_ASSERT(consumer->fetches_count > 0);
    consumer->fetches_count--;
    memset(fetch, 0, sizeof(*fetch));
}

struct mr_headers mr_memory_message_headers(const struct mr_log_message *message,
                                            struct mr_arena *arena)
{
    if (message->lease == NULL)
        return (struct mr_headers){0};
    return mr_memory_stored_headers(message->lease, arena);
}
