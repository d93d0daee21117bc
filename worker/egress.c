/* worker/egress.c — encoding rows into records of the open transaction. */
#include "worker/egress.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/number.h"
#include "formats/json.h"
#include "worker/key.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    EVENT_TIME_AHEAD_MS_MAX = 50 * 60 * 1000, /* Kafka 4's default bound is an hour */
    RECORD_OVERHEAD_BYTES = 128,              /* batch header, lengths, key and header framing */
    HEADER_OVERHEAD_BYTES = 10,               /* two lengths of at most 5 bytes */
    TOPIC_NAME_MAX = 249,                     /* Kafka's */
    SINK_RUN_MAX = 256,
    MARKS_MS = 1000,  /* between two rounds of marks for partitions without records */
    MISSING_MS = 5000 /* a topic that is created meanwhile is found after this */
};

struct mr_egress {
    struct mr_writer *writer;
    const struct mr_plan_node *node;
    const struct mr_format_type *format;
    void *encoder;
    struct mr_target *target;                  /* log sinks with a literal topic */
    const struct mr_connector_type *connector; /* other sinks */
    void *sink;
    struct mr_value *where; /* result columns, MR_LIMIT_BATCH_ROWS cells each */
    struct mr_value *topics;
    struct mr_value **headers;
};

/* What a partition of a repartition has been told. */
struct exchange_partition {
    int64_t watermark_ms;
    bool has_records; /* in the open transaction */
};

struct mr_exchange {
    struct mr_writer *writer;
    const struct mr_plan_repartition *repartition;
    void *encoder;
    struct mr_target *target;
    uint32_t upstream;
    struct exchange_partition *partitions;
    int64_t told_ms;                 /* the least that every partition has been told */
    enum mr_upstream_rest told_rest; /* and by the last mark */
    bool hurries;                    /* the next round of marks does not wait: the first one */
    uint64_t round_at_ms;            /* monotonic: the last round */
};

/* ---- Writer ---- */

static void note_limit(struct mr_writer *writer, const struct mr_deployed_topic *topic)
{
    uint64_t bytes_max = (uint64_t)topic->message_bytes_max;
    if (writer->batch_bytes_max == 0 || bytes_max < writer->batch_bytes_max)
        writer->batch_bytes_max = bytes_max;
}

static bool add_target(struct mr_writer *writer, const struct mr_deployed_topic *topic)
{
    note_limit(writer, topic);
    return mr_targets_add(&writer->targets, topic->name, topic->partitions_count,
                          topic->message_bytes_max) != NULL;
}

enum mr_status mr_writer_init(struct mr_writer *writer, struct mr_log *log,
                              const struct mr_deployment *deployment,
                              struct mr_evaluator *evaluator, struct mr_error *error)
{
    memset(writer, 0, sizeof(*writer));
    writer->log = log;
    writer->deployment = deployment;
    writer->evaluator = evaluator;
    const struct mr_plan *plan = deployment->plan;
    bool added = add_target(writer, &deployment->dead_letters);
    for (uint32_t index = 0; index < plan->nodes_count; index++)
        if (plan->nodes[index].type->role == MR_ROLE_SINK &&
            deployment->nodes[index].topics_count > 0)
            added = added && add_target(writer, &deployment->nodes[index].topics[0]);
    for (uint32_t index = 0; index < plan->repartitions_count; index++)
        added = added && add_target(writer, &deployment->repartitions[index]);
    for (uint32_t index = 0; index < plan->subtopologies_count; index++)
        note_limit(writer, &deployment->subtopologies[index].log_topic);
    if (!added)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "A topology can write at most %d topics with %d partitions together.",
                       MR_TARGETS_MAX, MR_TARGET_LISTS_MAX);
    writer->dead_letters =
        mr_targets_find(&writer->targets, mr_slice_text(deployment->dead_letters.name));
    writer->dynamic_targets.lists_count = writer->targets.lists_count;
    return MR_OK;
}

void mr_writer_deinit(struct mr_writer *writer)
{
    mr_targets_deinit(&writer->targets);
    mr_targets_deinit(&writer->dynamic_targets);
}

static int64_t clamp_event_time(struct mr_writer *writer, int64_t event_time_ms)
{
    int64_t latest = writer->now_wall_ms + EVENT_TIME_AHEAD_MS_MAX;
    if (event_time_ms > latest) {
        writer->clamped_count++;
        return latest;
    }
    return event_time_ms < 0 ? 0 : event_time_ms;
}

static struct mr_slice format_int(struct mr_arena *arena, int64_t value)
{
    char *text = mr_arena_take(arena, MR_NUMBER_TEXT_SIZE);
    return mr_slice_from(text, mr_number_format_int(value, text));
}

void mr_writer_dead_letter(struct mr_writer *writer, const struct mr_batch *batch, uint32_t row,
                           const struct mr_dead_letter *letter)
{
    struct mr_transaction *transaction = writer->transaction;
    struct mr_arena *arena = &transaction->arena;
    struct mr_target *target = writer->dead_letters;
    int32_t partition = batch->origin.partition % target->partitions_count;
    struct mr_slice payload = batch->payloads[row];
    size_t fixed = RECORD_OVERHEAD_BYTES * 4 + letter->cause.size;
    size_t key_size = batch->key_nulls[row] ? 0 : batch->message_keys[row].size;
    size_t room = (size_t)target->message_bytes_max;
    bool drop_key = key_size + fixed > room;
    room -= fixed + (drop_key ? 0 : key_size) < room ? fixed + (drop_key ? 0 : key_size) : room;
    bool truncated = payload.size > room;
    if (truncated) {
        payload.size = room;
        writer->truncated_count++;
    }
    enum { HEADERS_COUNT = 7 };
    struct mr_header *items = mr_arena_new(arena, HEADERS_COUNT, sizeof(*items));
    struct mr_headers *headers = mr_arena_new(arena, 1, sizeof(*headers));
    items[0] = (struct mr_header){"millrace.cause", mr_arena_copy(arena, letter->cause)};
    items[1] = (struct mr_header){"millrace.operator", mr_slice_text(letter->node)};
    items[2] =
        (struct mr_header){"millrace.topology", mr_slice_text(writer->deployment->plan->name)};
    items[3] = (struct mr_header){"millrace.topic", mr_slice_text(batch->origin.topic)};
    items[4] = (struct mr_header){"millrace.partition", format_int(arena, batch->origin.partition)};
    items[5] = (struct mr_header){"millrace.offset", format_int(arena, batch->offsets[row])};
    items[6] = (struct mr_header){"millrace.truncated", mr_slice_text("true")};
    *headers = (struct mr_headers){items, truncated ? HEADERS_COUNT : HEADERS_COUNT - 1};
    struct mr_log_record *record = mr_transaction_append(transaction, target, partition);
    record->key_null = batch->key_nulls[row] || drop_key;
    if (!record->key_null)
        record->key = mr_arena_copy(arena, batch->message_keys[row]);
    record->value_null = batch->payload_nulls[row];
    record->value = mr_arena_copy(arena, payload);
    record->headers = headers;
    record->timestamp_ms = clamp_event_time(writer, batch->timestamps_ms[row]);
}

/* ---- Sinks ---- */

static enum mr_status egress_open(struct mr_egress *egress, const struct mr_connector_open *open,
                                  struct mr_sink_position position, struct mr_error *error)
{
    const struct mr_plan_node *node = egress->node;
    struct mr_encoder_open encoder_open = {
        .options = &node->format_options, .layout = node->layout, .value_slot = node->value_slot};
    egress->encoder = mr_memory_new(1, egress->format->encoder_size);
    enum mr_status status = egress->format->encoder_open(egress->encoder, &encoder_open, error);
    if (status != MR_OK)
        return status;
    if ((node->type->flags & MR_TYPE_LOG) != 0) {
        const struct mr_deployed_node *deployed = &egress->writer->deployment->nodes[node->index];
        if (deployed->topics_count > 0) /* else topic_from: found by row */
            egress->target =
                mr_targets_find(&egress->writer->targets, mr_slice_text(deployed->topics[0].name));
        return MR_OK;
    }
    egress->connector = mr_connector_find(MR_ROLE_SINK, node->type->name);
    MR_ASSERT(egress->connector != NULL && egress->connector->sink != NULL);
    egress->sink = mr_memory_new(1, egress->connector->sink->instance_size);
    return egress->connector->sink->open(egress->sink, open, position, error);
}

enum mr_status mr_egress_create(struct mr_writer *writer, const struct mr_plan_node *node,
                                const struct mr_connector_open *open,
                                struct mr_sink_position position, struct mr_egress **egress,
                                struct mr_error *error)
{
    struct mr_egress *created = mr_memory_new(1, sizeof(*created));
    created->writer = writer;
    created->node = node;
    created->format = mr_format_find(node->format);
    MR_ASSERT(created->format != NULL);
    size_t cell = sizeof(struct mr_value);
    if (node->where != NULL)
        created->where = mr_memory_new(MR_LIMIT_BATCH_ROWS, cell);
    if (node->topic_from != NULL)
        created->topics = mr_memory_new(MR_LIMIT_BATCH_ROWS, cell);
    if (node->headers_count > 0) {
        created->headers = mr_memory_new(node->headers_count, sizeof(*created->headers));
        for (uint32_t index = 0; index < node->headers_count; index++)
            created->headers[index] = mr_memory_new(MR_LIMIT_BATCH_ROWS, cell);
    }
    enum mr_status status = egress_open(created, open, position, error);
    if (status != MR_OK) {
        mr_egress_destroy(created);
        return status;
    }
    *egress = created;
    return MR_OK;
}

void mr_egress_destroy(struct mr_egress *egress)
{
    if (egress == NULL)
        return;
    if (egress->encoder != NULL)
        egress->format->encoder_close(egress->encoder);
    if (egress->sink != NULL)
        egress->connector->sink->close(egress->sink);
    for (uint32_t index = 0; egress->headers != NULL && index < egress->node->headers_count;
         index++)
        mr_memory_free(egress->headers[index]);
    mr_memory_free(egress->headers);
    mr_memory_free(egress->topics);
    mr_memory_free(egress->where);
    mr_memory_free(egress->encoder);
    mr_memory_free(egress->sink);
    mr_memory_free(egress);
}

const struct mr_plan_node *mr_egress_node(const struct mr_egress *egress)
{
    return egress->node;
}

static void report(const struct mr_row_fault *fault, const struct mr_egress *egress,
                   const struct mr_batch *batch, uint32_t row, const char *message)
{
    fault->report(fault->argument, egress->node->index, batch, row, mr_slice_text(message));
}

/* Does the row pass the sink's `where`? A cell that is not a boolean is the row's error. */
static bool row_passes(struct mr_egress *egress, const struct mr_batch *batch, uint32_t row,
                       const struct mr_row_fault *fault)
{
    if (egress->where == NULL)
        return true;
    struct mr_value passes = egress->where[row];
    if (passes.kind == MR_KIND_BOOL)
        return passes.boolean;
    if (passes.kind == MR_KIND_ERROR)
        fault->report(fault->argument, egress->node->index, batch, row, mr_value_text(passes));
    else
        report(fault, egress, batch, row, "The condition of the sink is not true or false.");
    return false;
}

static bool is_missing(const struct mr_writer *writer, const char *topic)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    for (uint32_t index = 0; index < MR_MISSING_TOPICS_MAX; index++)
        if (writer->missing[index].until_ms > now_ms &&
            strcmp(writer->missing[index].name, topic) == 0)
            return true;
    return false;
}

/* Add a topic that topic_from has named for the first time. *target stays NULL when the row was
 * reported; a log that does not answer is no fault of the row. */
static enum mr_status add_dynamic(struct mr_egress *egress, const char *topic,
                                  const struct mr_batch *batch, uint32_t row,
                                  const struct mr_row_fault *fault, struct mr_target **target,
                                  struct mr_error *error)
{
    struct mr_writer *writer = egress->writer;
    struct mr_log_topic described;
    char message[320];
    enum mr_status status = MR_NOT_FOUND;
    if (!is_missing(writer, topic)) {
        status = writer->log->ops->topic_describe(writer->log, topic, &described, error);
        if (status == MR_NOT_FOUND) {
            struct mr_missing_topic *missing =
                &writer->missing[writer->missing_next++ % MR_MISSING_TOPICS_MAX];
            (void)snprintf(missing->name, sizeof(missing->name), "%s", topic);
            missing->until_ms = mr_clock_monotonic_ms() + MISSING_MS;
        } else if (status != MR_OK && error->recovery != MR_RECOVERY_FAIL_TOPOLOGY) {
            return status;
        } else if (status != MR_OK) {
            report(fault, egress, batch, row, error->message);
            return MR_OK;
        }
    }
    if (status == MR_NOT_FOUND) {
        (void)snprintf(message, sizeof(message),
                       "topic_from gave \"%s\", which does not exist. Create the topic.", topic);
        report(fault, egress, batch, row, message);
        return MR_OK;
    }
    *target = mr_targets_add(&writer->dynamic_targets, topic, described.partitions_count,
                             described.message_bytes_max);
    if (*target == NULL)
        report(fault, egress, batch, row,
               "topic_from names more topics than a topology can write.");
    if (*target != NULL && (uint64_t)described.message_bytes_max < writer->batch_bytes_max) {
        writer->batch_bytes_max = (uint64_t)described.message_bytes_max;
        return MR_FAIL(
            error, MR_IO, MR_RECOVERY_REINCARNATE,
            "Topic %s takes smaller batches than the producers make: they are made anew.", topic);
    }
    return MR_OK;
}

static void report_internal(const struct mr_egress *egress, const struct mr_batch *batch,
                            uint32_t row, const struct mr_row_fault *fault, const char *topic)
{
    char message[512];
    (void)snprintf(message, sizeof(message),
                   "topic_from gave \"%s\", an internal topic: those of Kafka (__*), of this "
                   "cluster (%s.*) and of dead letters are not written, whatever topic_allow "
                   "lists. Name another topic.",
                   topic, egress->writer->deployment->cluster);
    report(fault, egress, batch, row, message);
}

/* The topic of this row; NULL when the row was reported. */
static enum mr_status row_topic(struct mr_egress *egress, const struct mr_batch *batch,
                                uint32_t row, const struct mr_row_fault *fault,
                                struct mr_target **target, struct mr_error *error)
{
    *target = egress->target;
    if (egress->topics == NULL)
        return MR_OK;
    struct mr_value name = egress->topics[row];
    *target = NULL;
    if (name.kind != MR_KIND_STRING || name.size == 0 || name.size > TOPIC_NAME_MAX) {
        report(fault, egress, batch, row, "topic_from gave no topic name.");
        return MR_OK;
    }
    char topic[TOPIC_NAME_MAX + 1];
    memcpy(topic, name.text, name.size);
    topic[name.size] = '\0';
    /* Before any lookup: what other sinks and the engine itself write is not this sink's to name.
     */
    if (!mr_topic_allowed(egress->node, topic)) {
        report(fault, egress, batch, row,
               "topic_from gave a topic that topic_allow does not list.");
        return MR_OK;
    }
    struct mr_writer *writer = egress->writer;
    struct mr_target *known = mr_targets_find(&writer->targets, mr_value_text(name));
    bool is_letters = known != NULL && known == writer->dead_letters;
    if (is_letters || mr_topic_is_internal(writer->deployment->cluster, topic)) {
        report_internal(egress, batch, row, fault, topic);
        return MR_OK;
    }
    *target = known;
    if (*target == NULL)
        *target = mr_targets_find(&writer->dynamic_targets, mr_value_text(name));
    if (*target != NULL)
        return MR_OK;
    return add_dynamic(egress, topic, batch, row, fault, target, error);
}

/* Headers of one row. Returns false when the row has no room for them; NULL headers: none. */
static const struct mr_headers *row_headers(struct mr_egress *egress, uint32_t row)
{
    const struct mr_plan_node *node = egress->node;
    if (node->headers_count == 0)
        return NULL;
    struct mr_arena *arena = &egress->writer->transaction->arena;
    struct mr_header *items = mr_arena_new(arena, node->headers_count, sizeof(*items));
    struct mr_headers *headers = mr_arena_new(arena, 1, sizeof(*headers));
    for (uint32_t index = 0; index < node->headers_count; index++) {
        struct mr_value value = egress->headers[index][row];
        struct mr_slice text = {0};
        if (!mr_key_text(value, arena, &text))
            continue; /* absent, null or an error: the header is left out */
        items[headers->count++] = (struct mr_header){node->header_names[index], text};
    }
    headers->items = items;
    return headers;
}

static enum mr_status encode_row(struct mr_egress *egress, const struct mr_batch *batch,
                                 uint32_t row, struct mr_slice *payload, bool *value_null,
                                 struct mr_error *error)
{
    struct mr_arena *arena = &egress->writer->transaction->arena;
    *value_null = egress->format->single_value && batch->payload_nulls[row];
    *payload = (struct mr_slice){0};
    if (*value_null)
        return MR_OK;
    enum mr_status status =
        egress->format->encode(egress->encoder, batch, row, arena, payload, error);
    /* A payload that is returned as it came lives in the batch only. */
    const uint8_t *original = batch->payloads[row].data;
    if (status == MR_OK && payload->size > 0 && payload->data >= original &&
        payload->data < original + batch->payloads[row].size)
        *payload = mr_arena_copy(arena, *payload);
    if (status == MR_OK && payload->data == NULL)
        *value_null = true;
    return status;
}

static bool row_key(struct mr_egress *egress, struct mr_batch *batch, uint32_t row,
                    struct mr_slice *key, bool *key_null, const struct mr_row_fault *fault)
{
    const struct mr_plan_key *plan_key = &egress->node->key;
    *key_null = false;
    if (!plan_key->given) {
        *key = batch->message_keys[row];
        *key_null = batch->key_nulls[row];
        return true;
    }
    struct mr_error error;
    if (mr_key_encode(batch, plan_key->slots, plan_key->slots_count, plan_key->format, row, key,
                      &error) == MR_OK)
        return true;
    report(fault, egress, batch, row, error.message);
    return false;
}

static size_t headers_bytes(const struct mr_headers *headers)
{
    size_t bytes = 0;
    for (uint32_t index = 0; headers != NULL && index < headers->count; index++)
        bytes += strlen(headers->items[index].name) + headers->items[index].value.size +
                 HEADER_OVERHEAD_BYTES;
    return bytes;
}

/* Append one row to its target, or report it. Fails only for what is not the row's fault. */
static enum mr_status write_log_row(struct mr_egress *egress, struct mr_batch *batch, uint32_t row,
                                    const struct mr_row_fault *fault, uint32_t *written_count,
                                    struct mr_error *error)
{
    struct mr_writer *writer = egress->writer;
    struct mr_target *target;
    struct mr_slice key = {0};
    struct mr_slice payload;
    bool key_null;
    bool value_null;
    enum mr_status status = row_topic(egress, batch, row, fault, &target, error);
    if (status != MR_OK || target == NULL)
        return status;
    if (!row_key(egress, batch, row, &key, &key_null, fault))
        return MR_OK;
    if (encode_row(egress, batch, row, &payload, &value_null, error) != MR_OK) {
        report(fault, egress, batch, row, error->message);
        return MR_OK;
    }
    const struct mr_headers *headers = row_headers(egress, row);
    size_t bytes = payload.size + key.size + headers_bytes(headers) + RECORD_OVERHEAD_BYTES;
    if (bytes > (size_t)target->message_bytes_max) {
        char message[320]; /* a topic's name has 249 bytes at most */
        (void)snprintf(message, sizeof(message),
                       "The record is %zu bytes; topic %s takes at most %" PRId64
                       " (max.message.bytes).",
                       bytes, target->topic, target->message_bytes_max);
        report(fault, egress, batch, row, message);
        return MR_OK;
    }
    int32_t partition = key_null ? batch->origin.partition % target->partitions_count
                                 : mr_hash_partition(key, target->partitions_count);
    struct mr_log_record *record = mr_transaction_append(writer->transaction, target, partition);
    record->key_null = key_null;
    record->key = mr_arena_copy(&writer->transaction->arena, key);
    record->value = payload;
    record->value_null = value_null;
    record->headers = headers;
    record->timestamp_ms = clamp_event_time(writer, batch->event_times_ms[row]);
    (*written_count)++;
    return MR_OK;
}

static enum mr_status write_connector_rows(struct mr_egress *egress, struct mr_view view,
                                           const struct mr_row_fault *fault,
                                           uint32_t *written_count, struct mr_error *error)
{
    struct mr_sink_record records[SINK_RUN_MAX];
    uint32_t records_count = 0;
    struct mr_batch *batch = view.batch;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        struct mr_sink_record *record = &records[records_count];
        bool key_null;
        *record = (struct mr_sink_record){.event_time_ms = batch->event_times_ms[row]};
        if (row_passes(egress, batch, row, fault) &&
            row_key(egress, batch, row, &record->key, &key_null, fault)) {
            if (encode_row(egress, batch, row, &record->value, &record->value_null, error) == MR_OK)
                records_count++;
            else
                report(fault, egress, batch, row, error->message);
        }
        if (records_count == SINK_RUN_MAX || (index + 1 == view.rows_count && records_count > 0)) {
            enum mr_status status =
                egress->connector->sink->write(egress->sink, records, records_count, error);
            if (status != MR_OK)
                return status;
            *written_count += records_count;
            records_count = 0;
        }
    }
    return MR_OK;
}

enum mr_status mr_egress_write(struct mr_egress *egress, struct mr_view view,
                               const struct mr_row_fault *fault, uint32_t *written_count,
                               struct mr_error *error)
{
    const struct mr_plan_node *node = egress->node;
    struct mr_writer *writer = egress->writer;
    *written_count = 0;
    if (egress->where != NULL)
        mr_program_run(node->where, writer->evaluator, view, writer->now_wall_ms, egress->where);
    if (egress->topics != NULL)
        mr_program_run(node->topic_from, writer->evaluator, view, writer->now_wall_ms,
                       egress->topics);
    for (uint32_t index = 0; index < node->headers_count; index++)
        mr_program_run(node->header_programs[index], writer->evaluator, view, writer->now_wall_ms,
                       egress->headers[index]);
    if (egress->connector != NULL)
        return write_connector_rows(egress, view, fault, written_count, error);
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        if (!row_passes(egress, view.batch, row, fault))
            continue;
        enum mr_status status = write_log_row(egress, view.batch, row, fault, written_count, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

bool mr_egress_has_position(const struct mr_egress *egress)
{
    return egress->connector != NULL;
}

enum mr_status mr_egress_prepare(struct mr_egress *egress, struct mr_sink_position *position,
                                 struct mr_error *error)
{
    return egress->connector->sink->prepare(egress->sink, position, error);
}

enum mr_status mr_egress_committed(struct mr_egress *egress, struct mr_error *error)
{
    return egress->connector->sink->committed(egress->sink, error);
}

/* ---- Repartitions ---- */

enum mr_status mr_exchange_create(struct mr_writer *writer, uint32_t repartition, uint32_t upstream,
                                  struct mr_exchange **exchange, struct mr_error *error)
{
    const struct mr_plan *plan = writer->deployment->plan;
    const struct mr_plan_repartition *planned = &plan->repartitions[repartition];
    const struct mr_deployed_topic *topic = &writer->deployment->repartitions[repartition];
    struct mr_exchange *created = mr_memory_new(1, sizeof(*created));
    created->writer = writer;
    created->repartition = planned;
    created->encoder = mr_memory_new(1, mr_format_json.encoder_size);
    created->target = mr_targets_find(&writer->targets, mr_slice_text(topic->name));
    created->upstream = upstream;
    created->told_ms = INT64_MIN;
    created->hurries = true;
    created->partitions =
        mr_memory_new((size_t)topic->partitions_count, sizeof(*created->partitions));
    for (int32_t partition = 0; partition < topic->partitions_count; partition++)
        created->partitions[partition].watermark_ms = INT64_MIN;
    struct mr_encoder_open open = {
        .layout = plan->nodes[planned->producer].outputs[planned->output].layout,
        .value_slot = MR_SLOT_NONE};
    enum mr_status status = mr_format_json.encoder_open(created->encoder, &open, error);
    if (status != MR_OK) {
        mr_exchange_destroy(created);
        return status;
    }
    *exchange = created;
    return MR_OK;
}

void mr_exchange_destroy(struct mr_exchange *exchange)
{
    if (exchange == NULL)
        return;
    mr_format_json.encoder_close(exchange->encoder);
    mr_memory_free(exchange->encoder);
    mr_memory_free(exchange->partitions);
    mr_memory_free(exchange);
}

/* Who asks without saying of which key is answered by the operator, in a task that there always is.
 */
static bool are_requests(const struct mr_exchange *exchange)
{
    const struct mr_plan_edge *edge = &exchange->repartition->edges[0];
    const struct mr_plan *plan = exchange->writer->deployment->plan;
    const struct mr_plan_requests *requests = plan->nodes[edge->consumer].requests;
    return exchange->repartition->edges_count == 1 && requests != NULL &&
           requests->port == edge->port;
}

static enum mr_status exchange_row(struct mr_exchange *exchange, struct mr_batch *batch,
                                   uint32_t row, int64_t watermark_ms, struct mr_error *error)
{
    struct mr_writer *writer = exchange->writer;
    struct mr_arena *arena = &writer->transaction->arena;
    const struct mr_plan_key *plan_key = &exchange->repartition->key;
    struct mr_slice key = {0};
    struct mr_slice payload;
    enum mr_status status = MR_OK;
    if (!plan_key->global)
        status = mr_key_encode(batch, plan_key->slots, plan_key->slots_count, MR_KEY_FORMAT_TEXT,
                               row, &key, error);
    if (status == MR_INVALID && are_requests(exchange)) {
        key = (struct mr_slice){0};
        status = MR_OK;
    }
    if (status == MR_OK)
        status = mr_format_json.encode(exchange->encoder, batch, row, arena, &payload, error);
    if (status != MR_OK)
        return status;
    if (payload.size + key.size + RECORD_OVERHEAD_BYTES + MR_EXCHANGE_HEADER_BYTES >
        (size_t)exchange->target->message_bytes_max)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE,
                       "The record is %zu bytes; its repartition topic takes at most %" PRId64 ".",
                       payload.size, exchange->target->message_bytes_max);
    int32_t partition =
        plan_key->global ? 0 : mr_hash_partition(key, exchange->target->partitions_count);
    uint8_t *bytes = mr_arena_take(arena, MR_EXCHANGE_HEADER_BYTES + payload.size);
    bytes[0] = MR_EXCHANGE_RECORD;
    mr_put_u64le(bytes + 1, (uint64_t)batch->event_times_ms[row]);
    mr_put_u32le(bytes + 9, exchange->upstream);
    mr_put_u64le(bytes + 13, (uint64_t)watermark_ms);
    struct exchange_partition *told = &exchange->partitions[partition];
    told->has_records = true;
    if (watermark_ms > told->watermark_ms)
        told->watermark_ms = watermark_ms;
    memcpy(bytes + MR_EXCHANGE_HEADER_BYTES, payload.data, payload.size);
    struct mr_log_record *record =
        mr_transaction_append(writer->transaction, exchange->target, partition);
    record->key = mr_arena_copy(arena, key);
    record->value = mr_slice_from(bytes, MR_EXCHANGE_HEADER_BYTES + payload.size);
    return MR_OK;
}

enum mr_status mr_exchange_write(struct mr_exchange *exchange, struct mr_view view,
                                 int64_t watermark_ms, const struct mr_row_fault *fault,
                                 struct mr_error *error)
{
    uint32_t node = exchange->repartition->consumer;
    const int64_t *watermarks_ms = view.batch->watermarks_ms;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        int64_t carried_ms = watermarks_ms == NULL ? watermark_ms : watermarks_ms[row];
        if (exchange_row(exchange, view.batch, row, carried_ms, error) != MR_OK)
            fault->report(fault->argument, node, view.batch, row, mr_slice_text(error->message));
    }
    return MR_OK;
}

bool mr_exchange_marks_due(const struct mr_exchange *exchange, int64_t watermark_ms,
                           enum mr_upstream_rest rest, uint64_t now_ms)
{
    if (rest != exchange->told_rest)
        return true;
    return watermark_ms > exchange->told_ms &&
           (exchange->hurries || now_ms - exchange->round_at_ms >= MARKS_MS);
}

void mr_exchange_hurry(struct mr_exchange *exchange, int64_t watermark_ms)
{
    exchange->hurries = exchange->hurries || watermark_ms > exchange->told_ms;
}

static void append_mark(struct mr_exchange *exchange, int32_t partition, int64_t watermark_ms,
                        enum mr_upstream_rest rest)
{
    struct mr_transaction *transaction = exchange->writer->transaction;
    uint8_t *bytes = mr_arena_take(&transaction->arena, MR_EXCHANGE_MARK_BYTES);
    bytes[0] = MR_EXCHANGE_MARK;
    bytes[1] = (uint8_t)rest;
    mr_put_u32le(bytes + 2, exchange->upstream);
    mr_put_u64le(bytes + 6, (uint64_t)watermark_ms);
    struct mr_log_record *record = mr_transaction_append(transaction, exchange->target, partition);
    record->key_null = true;
    record->value = mr_slice_from(bytes, MR_EXCHANGE_MARK_BYTES);
}

void mr_exchange_mark(struct mr_exchange *exchange, int64_t watermark_ms,
                      enum mr_upstream_rest rest, uint64_t now_ms)
{
    bool round = mr_exchange_marks_due(exchange, watermark_ms, rest, now_ms);
    bool turned = rest != exchange->told_rest;
    bool idle = rest != MR_UPSTREAM_ACTIVE;
    for (int32_t partition = 0; partition < exchange->target->partitions_count; partition++) {
        struct exchange_partition *told = &exchange->partitions[partition];
        bool advanced = watermark_ms > told->watermark_ms;
        /* A record says that the task is not idle. */
        bool wanted = told->has_records ? advanced || idle : (round && advanced) || turned;
        told->has_records = false;
        if (!wanted)
            continue;
        append_mark(exchange, partition, watermark_ms, rest);
        if (advanced)
            told->watermark_ms = watermark_ms;
    }
    exchange->told_rest = rest;
    if (!round)
        return;
    exchange->told_ms = watermark_ms;
    exchange->hurries = false;
    exchange->round_at_ms = now_ms;
}
