/* cli/topology_test_feed.c — see topology_test_feed.h.
 * Design: a record is made as JSON text first, member by member; key and other formats are made of
 * the values that a reader of that text would see, so that a test and a producer agree. */
#include "cli/topology_test_feed.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/hash.h"
#include "cli/load.h"
#include "formats/json.h"
#include "record/json_value.h"
#include "topology/json_text.h"
#include "worker/key.h"

#include <inttypes.h>

enum { RECORD_BYTES_MAX = 64 << 20, SEND_RUN = 256, PRODUCER_WAIT_MS = 15000, KEY_SLOTS_MAX = 64 };

/* What is written of one source. */
struct feeding {
    struct mr_test_feed *feed;
    const struct mr_definition_entry *source;
    const struct mr_plan_node *node;
    const char *topic;
    const struct mr_type *type; /* of a record, by the schema; NULL: nothing is declared */
    struct mr_log_record run[SEND_RUN];
    uint32_t run_count;
    struct mr_log_producer *producer;
};

void mr_test_feed_init(struct mr_test_feed *feed, struct mr_log *log,
                       const struct mr_tested *tested, int32_t partitions_count,
                       struct mr_evaluator *evaluator)
{
    *feed = (struct mr_test_feed){
        .log = log, .tested = tested, .partitions_count = partitions_count, .evaluator = evaluator};
    mr_arena_init(&feed->scratch, 64 << 10);
}

void mr_test_feed_deinit(struct mr_test_feed *feed)
{
    mr_arena_deinit(&feed->scratch);
}

/* ---- Expressions over i ---- */

static struct mr_value evaluate(const struct mr_program *program, struct mr_evaluator *evaluator,
                                uint32_t repetition, struct mr_arena *arena)
{
    struct mr_batch *batch = mr_arena_new(arena, 1, sizeof(*batch));
    struct mr_value *result = mr_arena_new(arena, 1, sizeof(*result));
    mr_batch_init(batch, arena, (struct mr_batch_shape){.slots_count = 1}, 1);
    batch->rows_count = 1;
    mr_batch_column(batch, 0)[0] = mr_value_int(repetition);
    mr_program_run(program, evaluator, mr_batch_view(batch), mr_clock_wall_ms(), result);
    return *result;
}

static enum mr_status failed_value(const char *name, uint32_t repetition, struct mr_value value,
                                   const char *expected, struct mr_error *error)
{
    struct mr_slice text = value.kind == MR_KIND_ERROR ? mr_value_text(value) : mr_slice_text("");
    if (value.kind == MR_KIND_ERROR)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "'%s' fails at i = %" PRIu32 ": %.*s",
                       name, repetition, (int)text.size, (const char *)text.data);
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                   "'%s' is of type %s at i = %" PRIu32 ", expected %s", name,
                   mr_kind_name((enum mr_kind)value.kind), repetition, expected);
}

enum mr_status mr_test_timestamp(const struct mr_test_message *message, uint32_t repetition,
                                 struct mr_evaluator *evaluator, struct mr_arena *arena,
                                 int64_t *timestamp_ms, struct mr_error *error)
{
    enum { NS_PER_MS = 1000000 };
    struct mr_value value = evaluate(message->timestamp_program, evaluator, repetition, arena);
    double number;
    if (value.kind == MR_KIND_TIMESTAMP)
        *timestamp_ms = value.integer / NS_PER_MS;
    else if (value.kind == MR_KIND_INT)
        *timestamp_ms = value.integer;
    else if (mr_value_as_double(value, &number) && number >= 0 && number < 0x1p62)
        *timestamp_ms = (int64_t)number;
    else
        return failed_value("message_timestamp", repetition, value, "milliseconds, or a timestamp",
                            error);
    if (*timestamp_ms < 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "'message_timestamp' is %" PRId64 " at i = %" PRIu32
                       "; Kafka has no times before 1970",
                       *timestamp_ms, repetition);
    return MR_OK;
}

/* ---- A record as JSON ---- */

static enum mr_status append_value(struct mr_buffer *json, const struct mr_test_message *message,
                                   uint32_t index, uint32_t repetition, struct feeding *feeding,
                                   struct mr_location *location, struct mr_error *error)
{
    struct mr_value value = evaluate(message->set_programs[index], feeding->feed->evaluator,
                                     repetition, &feeding->feed->scratch);
    const char *name =
        mr_arena_format(&feeding->feed->scratch, "set.%s", message->set_names[index]);
    *location = message->set_locations[index];
    if (value.kind == MR_KIND_ERROR || value.kind == MR_KIND_ABSENT || value.kind == MR_KIND_TYPE)
        return failed_value(name, repetition, value, "a value that JSON has", error);
    return mr_json_append_value(json, value, error);
}

static uint32_t find_set(const struct mr_test_message *message, const char *name)
{
    uint32_t index = 0;
    while (index < message->set_count && strcmp(message->set_names[index], name) != 0)
        index++;
    return index;
}

static enum mr_status append_member(struct mr_buffer *json, const char *name)
{
    enum mr_status status = json->size > 1 ? mr_buffer_append_text(json, ",") : MR_OK;
    if (status == MR_OK)
        status = mr_json_text_string(json, name);
    return status == MR_OK ? mr_buffer_append_text(json, ":") : status;
}

/* The members as written, those of `set` in their place or behind them. */
static enum mr_status append_record(struct mr_buffer *json, const struct mr_test_message *message,
                                    uint32_t repetition, struct feeding *feeding,
                                    struct mr_location *location, struct mr_error *error)
{
    const struct mr_yaml_node *record = message->record;
    enum mr_status status = mr_buffer_append_text(json, "{");
    for (uint32_t i = 0; i < record->count && status == MR_OK; i++) {
        const struct mr_yaml_node *culprit = record->pairs[i].value;
        uint32_t set = find_set(message, record->pairs[i].key);
        status = append_member(json, record->pairs[i].key);
        *location = culprit->location;
        if (status == MR_OK && set < message->set_count)
            status = append_value(json, message, set, repetition, feeding, location, error);
        else if (status == MR_OK && mr_json_text_node(json, culprit, &culprit) != MR_OK)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                           "the value of '%s' cannot be written as JSON", record->pairs[i].key);
    }
    for (uint32_t i = 0; i < message->set_count && status == MR_OK; i++) {
        if (mr_yaml_find(record, message->set_names[i]) != NULL)
            continue;
        status = append_member(json, message->set_names[i]);
        if (status == MR_OK)
            status = append_value(json, message, i, repetition, feeding, location, error);
    }
    if (status == MR_OK && mr_buffer_append_text(json, "}") == MR_OK)
        return MR_OK;
    return status == MR_INVALID
               ? status
               : MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE, "the record is larger than %d MiB",
                         RECORD_BYTES_MAX >> 20);
}

/* ---- Other formats ---- */

static struct mr_value member_of(struct mr_value record, const char *name)
{
    for (uint32_t i = 0; i < record.size; i++)
        if (mr_slice_equal(mr_value_text(record.entries[i].key), mr_slice_text(name)))
            return record.entries[i].value;
    return (struct mr_value){.kind = MR_KIND_ABSENT};
}

static enum mr_status append_cell(struct mr_buffer *row, struct mr_value value, char delimiter,
                                  struct mr_arena *arena)
{
    struct mr_slice text = mr_slice_text("");
    if (value.kind != MR_KIND_ABSENT && value.kind != MR_KIND_NULL &&
        !mr_key_text(value, arena, &text))
        return MR_INVALID;
    bool quoted = value.kind == MR_KIND_STRING && text.size == 0;
    for (size_t i = 0; i < text.size; i++)
        quoted = quoted || text.data[i] == (uint8_t)delimiter || text.data[i] == '"' ||
                 text.data[i] == '\n' || text.data[i] == '\r';
    enum mr_status status = quoted ? mr_buffer_append_text(row, "\"") : MR_OK;
    for (size_t i = 0; i < text.size && status == MR_OK; i++) {
        if (text.data[i] == '"')
            status = mr_buffer_append_text(row, "\"");
        if (status == MR_OK)
            status = mr_buffer_append(row, text.data + i, 1);
    }
    return status == MR_OK && quoted ? mr_buffer_append_text(row, "\"") : status;
}

static enum mr_status append_row(struct mr_buffer *row, const struct feeding *feeding,
                                 struct mr_value record, struct mr_error *error)
{
    const struct mr_option_value *columns =
        mr_options_get(&feeding->node->format_options, "columns");
    char delimiter = mr_options_text(&feeding->node->format_options, "delimiter")[0];
    for (uint32_t i = 0; i < record.size; i++) {
        struct mr_slice name = mr_value_text(record.entries[i].key);
        uint32_t column = 0;
        while (column < columns->count &&
               !mr_slice_equal(name, mr_slice_text(columns->texts[column])))
            column++;
        if (column == columns->count)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                           "'%.*s' is none of the columns of source '%s'", (int)name.size,
                           (const char *)name.data, feeding->source->name);
    }
    for (uint32_t i = 0; i < columns->count; i++) {
        enum mr_status status = i > 0 ? mr_buffer_append(row, &delimiter, 1) : MR_OK;
        if (status == MR_OK)
            status = append_cell(row, member_of(record, columns->texts[i]), delimiter,
                                 &feeding->feed->scratch);
        if (status != MR_OK)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                           "the value of '%s' does not fit in a cell of CSV", columns->texts[i]);
    }
    return MR_OK;
}

/* The payload in the source's format. */
static enum mr_status encode(const struct feeding *feeding, struct mr_slice json,
                             struct mr_value record, struct mr_slice *payload,
                             struct mr_error *error)
{
    const struct mr_format_type *format = mr_format_find(feeding->node->format);
    struct mr_arena *arena = &feeding->feed->scratch;
    if (format->payload_is_json) {
        *payload = json;
        return MR_OK;
    }
    if (format->single_value) {
        struct mr_value value = member_of(record, "value");
        if (record.size == 1 && mr_key_text(value, arena, payload))
            return MR_OK;
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "records of source '%s' have the format %s: one field 'value', a text",
                       feeding->source->name, format->name);
    }
    if (strcmp(format->name, "csv") != 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "tests cannot write records of the format %s yet: give them as 'payload'",
                       format->name);
    struct mr_buffer row;
    mr_buffer_init(&row, RECORD_BYTES_MAX);
    enum mr_status status = append_row(&row, feeding, record, error);
    if (status == MR_OK)
        *payload = mr_arena_copy(arena, mr_buffer_view(&row));
    mr_buffer_deinit(&row);
    return status;
}

/* ---- Messages ---- */

/* What CSV and single values hold are texts where nothing is declared. */
static struct mr_value as_read(const struct feeding *feeding, struct mr_value value,
                               const struct mr_path *path)
{
    const struct mr_format_type *format = mr_format_find(feeding->node->format);
    const struct mr_schema schema = {.root = feeding->type == NULL ? (struct mr_type){0}
                                                                   : *feeding->type};
    const struct mr_type *declared = feeding->type == NULL ? NULL : mr_schema_find(&schema, path);
    struct mr_slice text;
    if (format->payload_is_json || (declared != NULL && declared->code != MR_TYPE_ANY) ||
        !mr_key_text(value, &feeding->feed->scratch, &text))
        return value;
    return mr_value_string(text);
}

/* The key that a producer gives the record. *null: there is none, since a field is missing. */
static void make_key(const struct feeding *feeding, struct mr_value record,
                     struct mr_log_record *message)
{
    const struct mr_option_value *key = mr_definition_value(feeding->source, "key");
    message->key_null = true;
    if (key == NULL || !key->present || key->count > KEY_SLOTS_MAX)
        return;
    struct mr_arena *arena = &feeding->feed->scratch;
    struct mr_batch batch;
    uint32_t slots[KEY_SLOTS_MAX];
    struct mr_error ignored;
    mr_batch_init(&batch, arena, (struct mr_batch_shape){.slots_count = key->count}, 1);
    batch.rows_count = 1;
    for (uint32_t i = 0; i < key->count; i++) {
        slots[i] = i;
        mr_batch_column(&batch, i)[0] =
            as_read(feeding, mr_path_walk(&key->paths[i], 0, record), &key->paths[i]);
    }
    message->key_null = mr_key_encode(&batch, slots, key->count, feeding->node->key.format, 0,
                                      &message->key, &ignored) != MR_OK;
}

static struct mr_headers *make_headers(struct mr_arena *arena,
                                       const struct mr_test_message *message)
{
    struct mr_headers *headers = mr_arena_new(arena, 1, sizeof(*headers));
    struct mr_header *items = mr_arena_new(arena, message->headers_count, sizeof(*items));
    for (uint32_t i = 0; i < message->headers_count; i++)
        items[i] = (struct mr_header){.name = message->header_names[i],
                                      .value = mr_slice_text(message->header_values[i])};
    *headers = (struct mr_headers){.items = items, .count = message->headers_count};
    return headers;
}

static enum mr_status make_body(struct feeding *feeding, const struct mr_test_message *message,
                                uint32_t repetition, struct mr_log_record *record,
                                struct mr_location *location, struct mr_error *error)
{
    struct mr_arena *arena = &feeding->feed->scratch;
    record->key_null = true;
    record->value_null = message->tombstone;
    if (message->payload != NULL)
        record->value = mr_slice_text(message->payload);
    if (message->record == NULL)
        return MR_OK;
    struct mr_buffer json;
    mr_buffer_init(&json, RECORD_BYTES_MAX);
    enum mr_status status = append_record(&json, message, repetition, feeding, location, error);
    struct mr_slice text = {0};
    if (status == MR_OK)
        text = mr_arena_copy(arena, mr_buffer_view(&json));
    mr_buffer_deinit(&json);
    *location = message->location;
    struct mr_value value;
    if (status == MR_OK)
        status = mr_json_parse(text, feeding->type, arena, &value, error);
    if (status == MR_OK)
        status = encode(feeding, text, value, &record->value, error);
    if (status == MR_OK)
        make_key(feeding, value, record);
    return status;
}

static enum mr_status make_message(struct feeding *feeding, const struct mr_test_message *message,
                                   uint32_t repetition, struct mr_log_record *record,
                                   struct mr_location *location, struct mr_error *error)
{
    struct mr_test_feed *feed = feeding->feed;
    *record = (struct mr_log_record){.topic = feeding->topic, .timestamp_ms = mr_clock_wall_ms()};
    enum mr_status status = make_body(feeding, message, repetition, record, location, error);
    if (status == MR_OK && message->timestamp_program != NULL) {
        *location = message->timestamp_location;
        status = mr_test_timestamp(message, repetition, feed->evaluator, &feed->scratch,
                                   &record->timestamp_ms, error);
    }
    if (status != MR_OK)
        return status;
    if (message->key != NULL) {
        record->key = mr_slice_text(message->key);
        record->key_null = false;
    }
    if (message->headers_count > 0)
        record->headers = make_headers(&feed->scratch, message);
    record->partition = message->partition >= 0 ? message->partition
                        : !record->key_null
                            ? mr_hash_partition(record->key, feed->partitions_count)
                            : (int32_t)(feed->turn++ % (uint32_t)feed->partitions_count);
    return MR_OK;
}

/* ---- Writing ---- */

/* The log has copied what it was sent. */
static enum mr_status send_run(struct feeding *feeding, struct mr_error *error)
{
    const struct mr_log_ops *ops = feeding->feed->log->ops;
    enum mr_status status =
        ops->producer_send(feeding->producer, feeding->run, feeding->run_count, error);
    if (status == MR_OK)
        status = ops->producer_flush(feeding->producer, error);
    feeding->run_count = 0;
    mr_arena_reset(&feeding->feed->scratch);
    return status;
}

static enum mr_status write_all(struct feeding *feeding, const struct mr_test_given *given,
                                struct mr_location *location, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t i = 0; i < given->messages_count; i++)
        for (uint32_t j = 0; j < given->messages[i].repeat; j++) {
            *location = given->messages[i].location;
            status = make_message(feeding, &given->messages[i], j,
                                  &feeding->run[feeding->run_count], location, error);
            if (status != MR_OK)
                return status;
            if (++feeding->run_count == SEND_RUN)
                status = send_run(feeding, error);
            if (status != MR_OK)
                return status;
        }
    return send_run(feeding, error);
}

static struct feeding feed_source(struct mr_test_feed *feed, const char *source)
{
    const struct mr_tested *tested = feed->tested;
    struct feeding feeding = {.feed = feed,
                              .source = mr_definition_find(tested->definition, source),
                              .node = mr_plan_node_find(tested->plan, source)};
    const struct mr_option_value *schema = mr_definition_value(feeding.source, "schema");
    if (schema != NULL && schema->present)
        feeding.type = &schema->schema->root;
    return feeding;
}

enum mr_status mr_test_feed_given(struct mr_test_feed *feed, const struct mr_test_given *given,
                                  struct mr_location *location, struct mr_error *error)
{
    struct feeding feeding = feed_source(feed, given->source);
    feeding.topic = mr_tested_source_topic(feed->tested, given->source);
    const struct mr_log_producer_options options = {.transactional_id = NULL};
    *location = given->location;
    enum mr_status status = feed->log->ops->producer_create(feed->log, &options, PRODUCER_WAIT_MS,
                                                            &feeding.producer, error);
    if (status != MR_OK)
        return status;
    status = write_all(&feeding, given, location, error);
    feed->log->ops->producer_destroy(feeding.producer);
    mr_arena_reset(&feed->scratch);
    return status;
}

/* ---- Lookups ---- */

static enum mr_status append_line(struct mr_test_lines *lines, struct mr_slice line,
                                  struct mr_arena *arena, struct mr_error *error)
{
    if (memchr(line.data, 0, line.size) != NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "a line of a lookup holds a byte 0, which a test cannot give");
    if (lines->count == lines->capacity) {
        uint32_t capacity = lines->capacity == 0 ? SEND_RUN : lines->capacity * 2;
        const char **texts = mr_arena_new(arena, capacity, sizeof(*texts));
        if (lines->count > 0)
            memcpy(texts, lines->texts, lines->count * sizeof(*texts));
        lines->texts = texts;
        lines->capacity = capacity;
    }
    lines->texts[lines->count++] =
        mr_arena_copy_bytes_text(arena, (const char *)line.data, line.size);
    return MR_OK;
}

/* As the source `file` reads it: blank lines are no records. */
static enum mr_status append_file(const struct mr_tested_lookup *lookup, const char *path,
                                  struct mr_arena *arena, struct mr_test_lines *lines,
                                  struct mr_error *error)
{
    struct mr_slice bytes;
    bool heading = lookup->skip_header;
    enum mr_status status = mr_load_file(arena, path, RECORD_BYTES_MAX, &bytes, error);
    for (size_t at = 0; status == MR_OK && at < bytes.size; heading = false) {
        const uint8_t *end = memchr(bytes.data + at, '\n', bytes.size - at);
        size_t size = end == NULL ? bytes.size - at : (size_t)(end - bytes.data) - at;
        struct mr_slice line = mr_slice_from(bytes.data + at, size);
        at += size + 1;
        if (line.size > 0 && line.data[line.size - 1] == '\r')
            line.size--;
        if (line.size > 0 && !heading)
            status = append_line(lines, line, arena, error);
    }
    return status;
}

static enum mr_status append_records(struct feeding *feeding, const struct mr_test_message *message,
                                     struct mr_arena *arena, struct mr_test_lines *lines,
                                     struct mr_location *location, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t i = 0; i < message->repeat && status == MR_OK; i++) {
        struct mr_log_record record = {.topic = NULL};
        status = make_body(feeding, message, i, &record, location, error);
        if (status == MR_OK)
            status = append_line(lines, record.value, arena, error);
        mr_arena_reset(&feeding->feed->scratch);
    }
    return status;
}

enum mr_status mr_test_feed_lookup(struct mr_test_feed *feed, const struct mr_test_given *given,
                                   const char *folder, struct mr_arena *arena,
                                   struct mr_test_lines *lines, struct mr_location *location,
                                   struct mr_error *error)
{
    struct feeding feeding = feed_source(feed, given->source);
    const struct mr_tested_lookup *lookup = mr_tested_lookup(feed->tested, given->source);
    enum mr_status status = MR_OK;
    for (uint32_t i = 0; i < given->messages_count && status == MR_OK; i++) {
        const struct mr_test_message *message = &given->messages[i];
        *location = message->location;
        if (message->file == NULL)
            status = append_records(&feeding, message, arena, lines, location, error);
        else if (message->file[0] == '/')
            status = append_file(lookup, message->file, arena, lines, error);
        else
            status = append_file(lookup, mr_arena_format(arena, "%s%s", folder, message->file),
                                 arena, lines, error);
    }
    return status;
}

/* ---- Keys ---- */

enum mr_status mr_test_key_values(const struct mr_yaml_node *values, struct mr_arena *arena,
                                  struct mr_slice *key, struct mr_error *error)
{
    *key = mr_slice_text("");
    if (values->count == 0) /* one group for the whole stream, or the partition */
        return MR_OK;
    if (values->count == 1 && values->items[0]->scalar == MR_YAML_STRING) {
        *key = mr_slice_text(values->items[0]->text);
        return MR_OK;
    }
    struct mr_buffer json;
    const struct mr_yaml_node *culprit = NULL;
    mr_buffer_init(&json, RECORD_BYTES_MAX);
    enum mr_status status = mr_json_text_node(&json, values, &culprit);
    if (status == MR_OK)
        *key = mr_arena_copy(arena, mr_buffer_view(&json));
    else
        status = MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                         "the key's values cannot be written as JSON");
    mr_buffer_deinit(&json);
    return status;
}
