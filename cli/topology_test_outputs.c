/* cli/topology_test_outputs.c — see topology_test_outputs.h. */
#include "cli/topology_test_outputs.h"

#include "base/number.h"

#include <inttypes.h>

enum { READ_MS_MAX = 15000 };

enum mr_status mr_test_outputs_open(struct mr_test_outputs *outputs, struct mr_log *log,
                                    const struct mr_tested *tested, struct mr_arena *arena,
                                    struct mr_error *error)
{
    *outputs = (struct mr_test_outputs){.log = log, .arena = arena, .tested = tested};
    outputs->items = mr_arena_new(arena, tested->outputs_count + 1, sizeof(*outputs->items));
    outputs->count = tested->outputs_count + 1;
    for (uint32_t i = 0; i < tested->outputs_count; i++)
        outputs->items[i] = (struct mr_test_output){.name = tested->outputs[i].name,
                                                    .topic = tested->outputs[i].topic};
    outputs->items[tested->outputs_count] = (struct mr_test_output){
        .name = mr_test_dead_letters,
        .topic = mr_arena_format(arena, "%s.dead-letters", tested->plan->name),
        .dead_letters = true};
    for (uint32_t i = 0; i < outputs->count; i++) {
        struct mr_test_output *output = &outputs->items[i];
        struct mr_log_topic topic;
        enum mr_status status = log->ops->topic_describe(log, output->topic, &topic, error);
        if (status != MR_OK)
            return status;
        output->partitions_count = topic.partitions_count;
        output->next_offsets =
            mr_arena_new(arena, (size_t)topic.partitions_count, sizeof(*output->next_offsets));
        for (int32_t partition = 0; partition < topic.partitions_count; partition++)
            output->next_offsets[partition] = MR_LOG_OFFSET_EARLIEST;
    }
    return MR_OK;
}

void mr_test_outputs_close(struct mr_test_outputs *outputs)
{
    for (uint32_t i = 0; i < outputs->count; i++)
        for (uint32_t j = 0; j < outputs->items[i].count; j++)
            json_decref(outputs->items[i].records[j].json);
    *outputs = (struct mr_test_outputs){0};
}

/* ---- Reading ---- */

struct reading {
    struct mr_test_outputs *outputs;
    struct mr_test_output *output;
    int32_t partition;
};

static struct mr_headers copy_headers(struct mr_arena *arena, struct mr_headers headers)
{
    struct mr_header *items = mr_arena_new(arena, headers.count, sizeof(*items));
    for (uint32_t i = 0; i < headers.count; i++)
        items[i] = (struct mr_header){.name = mr_arena_copy_text(arena, headers.items[i].name),
                                      .value = mr_arena_copy(arena, headers.items[i].value)};
    return (struct mr_headers){.items = items, .count = headers.count};
}

static void make_room(struct mr_arena *arena, struct mr_test_output *output)
{
    if (output->count < output->capacity)
        return;
    uint32_t capacity = output->capacity == 0 ? 64 : output->capacity * 2;
    struct mr_test_record *records = mr_arena_new(arena, capacity, sizeof(*records));
    if (output->count > 0)
        memcpy(records, output->records, output->count * sizeof(*records));
    output->records = records;
    output->capacity = capacity;
}

static enum mr_status keep(void *argument, const struct mr_log_message *message,
                           struct mr_error *error)
{
    struct reading *reading = argument;
    struct mr_arena *arena = reading->outputs->arena;
    struct mr_test_output *output = reading->output;
    if (output->count == MR_TEST_OUTPUT_RECORDS_MAX)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "'%s' wrote more than the %d records that a test can judge; give fewer.",
                       output->name, MR_TEST_OUTPUT_RECORDS_MAX);
    make_room(arena, output);
    output->records[output->count++] = (struct mr_test_record){
        .partition = reading->partition,
        .timestamp_ms = message->timestamp_ms,
        .key_null = message->key_null,
        .key = mr_arena_copy(arena, message->key),
        .value_null = message->value_null,
        .value = mr_arena_copy(arena, message->value),
        .headers =
            copy_headers(arena, reading->outputs->log->ops->message_headers(message, arena))};
    return MR_OK;
}

enum mr_status mr_test_outputs_read(struct mr_test_outputs *outputs, struct mr_error *error)
{
    for (uint32_t i = 0; i < outputs->count; i++) {
        struct reading reading = {.outputs = outputs, .output = &outputs->items[i]};
        for (int32_t partition = 0; partition < reading.output->partitions_count; partition++) {
            int64_t *next = &reading.output->next_offsets[partition];
            reading.partition = partition;
            enum mr_status status =
                mr_log_read_to_end(outputs->log, reading.output->topic, partition, *next, keep,
                                   &reading, READ_MS_MAX, next, error);
            if (status != MR_OK)
                return status;
        }
    }
    return MR_OK;
}

void mr_test_outputs_pass(struct mr_test_outputs *outputs, bool step)
{
    for (uint32_t i = 0; i < outputs->count; i++) {
        outputs->items[i].step_from = outputs->items[i].count;
        if (!step)
            outputs->items[i].judged_from = outputs->items[i].count;
    }
}

struct mr_test_output *mr_test_outputs_find(const struct mr_test_outputs *outputs, const char *name)
{
    uint32_t index = 0;
    while (strcmp(outputs->items[index].name, name) != 0)
        index++;
    return &outputs->items[index];
}

/* ---- As JSON ---- */

static json_t *bytes_json(struct mr_slice bytes, bool null)
{
    json_error_t ignored;
    const char *text = bytes.size == 0 ? "" : (const char *)bytes.data;
    if (null)
        return json_null();
    json_t *value = json_loadb(text, bytes.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &ignored);
    if (value == NULL) /* an integer beyond 64 bits */
        value = json_loadb(text, bytes.size,
                           JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &ignored);
    if (value == NULL)
        value = json_stringn(text, bytes.size);
    return value != NULL ? value : json_string("bytes that are no text");
}

static struct mr_slice header_of(const struct mr_test_record *record, const char *name)
{
    for (uint32_t i = 0; i < record->headers.count; i++)
        if (strcmp(record->headers.items[i].name, name) == 0)
            return record->headers.items[i].value;
    return mr_slice_text("");
}

/* The source of a topic; of other topics (repartitions) their name. */
static json_t *source_json(const struct mr_test_outputs *outputs, struct mr_slice topic)
{
    const struct mr_definition *definition = outputs->tested->definition;
    for (uint32_t i = 0; i < definition->entries_count; i++) {
        const struct mr_definition_entry *entry = &definition->entries[i];
        if (entry->role == MR_ROLE_SOURCE &&
            mr_slice_equal(topic,
                           mr_slice_text(mr_tested_source_topic(outputs->tested, entry->name))))
            return json_string(entry->name);
    }
    return json_stringn((const char *)topic.data, topic.size);
}

static json_t *number_json(struct mr_slice text)
{
    int64_t number;
    return mr_number_parse_int(text, &number) ? json_integer(number) : json_null();
}

static json_t *letter_json(const struct mr_test_outputs *outputs,
                           const struct mr_test_record *record)
{
    struct mr_slice node = header_of(record, "millrace.operator");
    struct mr_slice cause = header_of(record, "millrace.cause");
    json_t *letter = json_object();
    json_object_set_new(letter, "operator", json_stringn((const char *)node.data, node.size));
    json_object_set_new(letter, "cause", json_stringn((const char *)cause.data, cause.size));
    json_object_set_new(letter, "source",
                        source_json(outputs, header_of(record, "millrace.topic")));
    json_object_set_new(letter, "partition", number_json(header_of(record, "millrace.partition")));
    json_object_set_new(letter, "offset", number_json(header_of(record, "millrace.offset")));
    json_object_set_new(letter, "record", bytes_json(record->value, record->value_null));
    return letter;
}

const json_t *mr_test_record_json(const struct mr_test_outputs *outputs,
                                  const struct mr_test_output *output,
                                  struct mr_test_record *record)
{
    if (record->json == NULL)
        record->json = output->dead_letters ? letter_json(outputs, record)
                                            : bytes_json(record->value, record->value_null);
    return record->json;
}
