/* coordinator/topology_record.c — reading and writing topologies in the control topic.
 * Design: the control id is stable, so it is always initialised first and the topic read
 * afterwards: a writer that was overtaken is fenced before it can write an old decision. */
#include "coordinator/topology_record.h"

#include "base/endian.h"
#include "base/random.h"

#include <stdio.h>

enum { RECORD_VERSION = 1, RECORD_BYTES = 17, KEY_SIZE = 96, ID_SIZE = 256, TIMEOUT_MS = 10000 };

struct record_search {
    struct mr_slice key;
    bool found;
    struct mr_topology_record record;
};

struct mr_slice mr_topology_record_encode(const struct mr_topology_record *record,
                                          struct mr_arena *arena)
{
    uint8_t *bytes = mr_arena_take(arena, RECORD_BYTES);
    bytes[0] = RECORD_VERSION;
    mr_put_u64le(bytes + 1, record->generation);
    mr_put_u64le(bytes + 9, record->plan_hash);
    return mr_slice_from(bytes, RECORD_BYTES);
}

enum mr_status mr_topology_record_decode(struct mr_slice bytes, struct mr_topology_record *record,
                                         struct mr_error *error)
{
    struct mr_reader reader = mr_reader_from(bytes);
    uint8_t version = mr_read_u8(&reader);
    if (version != RECORD_VERSION)
        return MR_FAIL(error, MR_VERSION, MR_RECOVERY_FAIL_TOPOLOGY,
                       "A topology record has version %u; this build reads version %d.", version,
                       RECORD_VERSION);
    record->generation = mr_read_u64(&reader);
    record->plan_hash = mr_read_u64(&reader);
    if (reader.bad || reader.cursor != reader.end)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "A topology record of %zu bytes is not complete.", bytes.size);
    return MR_OK;
}

static enum mr_status visit(void *argument, const struct mr_log_message *message,
                            struct mr_error *error)
{
    struct record_search *search = argument;
    if (message->key_null || !mr_slice_equal(message->key, search->key))
        return MR_OK;
    search->found = !message->value_null;
    return search->found ? mr_topology_record_decode(message->value, &search->record, error)
                         : MR_OK;
}

static enum mr_status write_record(struct mr_log_producer *producer, const char *control_topic,
                                   const char *key, const struct mr_topology_record *record,
                                   struct mr_error *error)
{
    const struct mr_log_ops *ops = producer->log->ops;
    struct mr_arena arena;
    mr_arena_init(&arena, 256);
    struct mr_log_record message = {.topic = control_topic,
                                    .partition = 0,
                                    .key = mr_slice_text(key),
                                    .value = mr_topology_record_encode(record, &arena),
                                    .timestamp_ms = -1};
    enum mr_status status = ops->producer_begin(producer, error);
    if (status == MR_OK)
        status = ops->producer_send(producer, &message, 1, error);
    if (status == MR_OK)
        status = ops->producer_commit(producer, error);
    ops->producer_destroy(producer);
    mr_arena_deinit(&arena);
    return status;
}

enum mr_status mr_topology_record_ensure(struct mr_log *log, const char *cluster,
                                         const char *control_topic, const char *topology,
                                         uint64_t plan_hash, uint32_t wait_ms,
                                         struct mr_topology_record *record, bool *changed,
                                         struct mr_error *error)
{
    char key[KEY_SIZE];
    char id[ID_SIZE];
    struct mr_log_producer *producer;
    int64_t end;
    (void)snprintf(key, sizeof(key), "topology/%s", topology);
    (void)snprintf(id, sizeof(id), "%s.control", cluster);
    struct mr_log_producer_options options = {
        .transactional_id = id, .transaction_timeout_ms = TIMEOUT_MS, .queued_bytes_max = 1 << 20};
    enum mr_status status = log->ops->producer_create(log, &options, wait_ms, &producer, error);
    if (status != MR_OK)
        return status;
    struct record_search search = {.key = mr_slice_text(key)};
    status = mr_log_read_to_end(log, control_topic, 0, MR_LOG_OFFSET_EARLIEST, visit, &search,
                                wait_ms, &end, error);
    *changed = search.found && search.record.plan_hash != plan_hash;
    if (status != MR_OK || (search.found && !*changed)) {
        log->ops->producer_destroy(producer);
        *record = search.record;
        return status;
    }
    record->generation = search.found ? search.record.generation : mr_random_fresh_id();
    record->plan_hash = plan_hash;
    return write_record(producer, control_topic, key, record, error);
}
