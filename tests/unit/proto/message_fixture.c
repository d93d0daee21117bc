/* tests/unit/proto/message_fixture.c — the tables of fields, the generator, the comparison. */
#include "tests/unit/proto/message_fixture.h"

#include "base/assert.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PLAIN(type, member, kind_)                                                                 \
    {                                                                                              \
#member, offsetof(struct type, member), kind_, 0, 0, NULL, 0                               \
    }
#define ADDED(type, member, kind_, addition)                                                       \
    {                                                                                              \
#member, offsetof(struct type, member), kind_, 0, 0, NULL, addition                        \
    }
#define LIMITED(type, member, kind_, limit_)                                                       \
    {                                                                                              \
#member, offsetof(struct type, member), kind_, limit_, 0, NULL, 0                          \
    }
#define ADDED_ENUM(type, member, limit_, addition)                                                 \
    {                                                                                              \
#member, offsetof(struct type, member), FIELD_ENUM, limit_, 0, NULL, addition              \
    }
#define NAME(type, member) LIMITED(type, member, FIELD_TEXT, MR_MESSAGE_NAME_MAX)
#define TEXT(type, member) LIMITED(type, member, FIELD_TEXT, MR_MESSAGE_TEXT_MAX)
#define STRUCT(type, member, shape_)                                                               \
    {                                                                                              \
#member, offsetof(struct type, member), FIELD_STRUCT, 0, 0, shape_, 0                      \
    }
#define LIST(type, member, shape_)                                                                 \
    {                                                                                              \
#member, offsetof(struct type, member), FIELD_LIST, 0,                                     \
            offsetof(struct type, member##_count), shape_, 0                                       \
    }
#define NAMES(type, member)                                                                        \
    {                                                                                              \
#member, offsetof(struct type, member), FIELD_NAMES, MR_MESSAGE_NAME_MAX,                  \
            offsetof(struct type, member##_count), NULL, 0                                         \
    }
#define SHAPE(type, fields_)                                                                       \
    static const struct fixture_shape type##_shape = {sizeof(struct type), fields_,                \
                                                      MR_ARRAY_COUNT(fields_)}

static const struct fixture_field task_name_fields[] = {
    PLAIN(mr_task_name, generation, FIELD_U64), NAME(mr_task_name, subtopology),
    PLAIN(mr_task_name, partition, FIELD_NATURAL)};
SHAPE(mr_task_name, task_name_fields);

static const struct fixture_field task_report_fields[] = {
    STRUCT(mr_task_report, name, &mr_task_name_shape),
    LIMITED(mr_task_report, role, FIELD_ENUM, MR_TASK_ROLE_STANDBY + 1),
    LIMITED(mr_task_report, state, FIELD_ENUM, MR_TASK_STATE_COUNT),
    PLAIN(mr_task_report, version, FIELD_U32),
    PLAIN(mr_task_report, epoch, FIELD_U64),
    PLAIN(mr_task_report, seen_epoch, FIELD_U64),
    PLAIN(mr_task_report, restored_records, FIELD_U64),
    PLAIN(mr_task_report, restored_bytes, FIELD_U64),
    PLAIN(mr_task_report, changelog_remaining, FIELD_I64),
    PLAIN(mr_task_report, lag, FIELD_I64),
    PLAIN(mr_task_report, load_us, FIELD_U64),
    PLAIN(mr_task_report, input_records, FIELD_U64),
    PLAIN(mr_task_report, output_records, FIELD_U64),
    PLAIN(mr_task_report, idle_ms, FIELD_I64),
    PLAIN(mr_task_report, watermark_ms, FIELD_I64),
    ADDED(mr_task_report, held_by, FIELD_U32, 1),
    ADDED(mr_task_report, held_by_index, FIELD_U32, 1),
    ADDED(mr_task_report, held_by_partition, FIELD_U32, 1),
    ADDED(mr_task_report, held_ms, FIELD_I64, 1),
    TEXT(mr_task_report, error)};
SHAPE(mr_task_report, task_report_fields);

static const struct fixture_field topology_report_fields[] = {
    PLAIN(mr_topology_report, generation, FIELD_U64), PLAIN(mr_topology_report, version, FIELD_U32),
    PLAIN(mr_topology_report, refused, FIELD_BOOL), TEXT(mr_topology_report, error)};
SHAPE(mr_topology_report, topology_report_fields);

static const struct fixture_field sync_request_fields[] = {
    NAME(mr_sync_request, cluster),
    NAME(mr_sync_request, worker),
    PLAIN(mr_sync_request, instance, FIELD_U64),
    PLAIN(mr_sync_request, sequence, FIELD_U64),
    PLAIN(mr_sync_request, term, FIELD_U64),
    NAME(mr_sync_request, zone),
    NAME(mr_sync_request, http),
    NAME(mr_sync_request, build),
    PLAIN(mr_sync_request, threads_count, FIELD_U32),
    PLAIN(mr_sync_request, memory_bytes, FIELD_U64),
    LIMITED(mr_sync_request, leaving, FIELD_ENUM, MR_LEAVING_DRAIN + 1),
    ADDED(mr_sync_request, leave_asked, FIELD_BOOL, 2),
    LIST(mr_sync_request, tasks, &mr_task_report_shape),
    LIST(mr_sync_request, topologies, &mr_topology_report_shape)};
SHAPE(mr_sync_request, sync_request_fields);

static const struct fixture_field topology_request_fields[] = {
    NAME(mr_topology_request, cluster), NAME(mr_topology_request, worker),
    PLAIN(mr_topology_request, generation, FIELD_U64),
    PLAIN(mr_topology_request, version, FIELD_U32)};
SHAPE(mr_topology_request, topology_request_fields);

static const struct fixture_field assigned_task_fields[] = {
    STRUCT(mr_assigned_task, name, &mr_task_name_shape),
    LIMITED(mr_assigned_task, role, FIELD_ENUM, MR_TASK_ROLE_STANDBY + 1),
    PLAIN(mr_assigned_task, version, FIELD_U32), PLAIN(mr_assigned_task, epoch, FIELD_U64)};
SHAPE(mr_assigned_task, assigned_task_fields);

static const struct fixture_field assigned_topology_fields[] = {
    PLAIN(mr_assigned_topology, generation, FIELD_U64),
    PLAIN(mr_assigned_topology, version, FIELD_U32), NAME(mr_assigned_topology, name),
    NAMES(mr_assigned_topology, paused_sources)};
SHAPE(mr_assigned_topology, assigned_topology_fields);

static const struct fixture_field sync_reply_fields[] = {
    PLAIN(mr_sync_reply, term, FIELD_U64),
    PLAIN(mr_sync_reply, instance, FIELD_U64),
    PLAIN(mr_sync_reply, sequence, FIELD_U64),
    PLAIN(mr_sync_reply, leaves, FIELD_BOOL),
    ADDED(mr_sync_reply, more, FIELD_BOOL, 2),
    ADDED_ENUM(mr_sync_reply, leave, MR_LEAVING_DRAIN + 1, 2),
    LIST(mr_sync_reply, tasks, &mr_assigned_task_shape),
    LIST(mr_sync_reply, topologies, &mr_assigned_topology_shape)};
SHAPE(mr_sync_reply, sync_reply_fields);

static const struct fixture_field bound_topic_fields[] = {
    NAME(mr_bound_topic, name), NAME(mr_bound_topic, topic_id),
    PLAIN(mr_bound_topic, partitions_count, FIELD_NATURAL),
    PLAIN(mr_bound_topic, message_bytes_max, FIELD_I64),
    PLAIN(mr_bound_topic, delete_retention_ms, FIELD_I64)};
SHAPE(mr_bound_topic, bound_topic_fields);

static const struct fixture_field bound_node_fields[] = {
    NAME(mr_bound_node, name), PLAIN(mr_bound_node, partitions_count, FIELD_NATURAL),
    LIST(mr_bound_node, topics, &mr_bound_topic_shape)};
SHAPE(mr_bound_node, bound_node_fields);

static const struct fixture_field bound_subtopology_fields[] = {
    NAME(mr_bound_subtopology, name), PLAIN(mr_bound_subtopology, tasks_count, FIELD_NATURAL),
    PLAIN(mr_bound_subtopology, tasks_before, FIELD_I32),
    STRUCT(mr_bound_subtopology, log_topic, &mr_bound_topic_shape),
    PLAIN(mr_bound_subtopology, stateful, FIELD_BOOL)};
SHAPE(mr_bound_subtopology, bound_subtopology_fields);

static const struct fixture_field binding_fields[] = {
    NAME(mr_binding, cluster_id),
    LIST(mr_binding, nodes, &mr_bound_node_shape),
    LIST(mr_binding, subtopologies, &mr_bound_subtopology_shape),
    LIST(mr_binding, repartitions, &mr_bound_node_shape),
    STRUCT(mr_binding, dead_letters, &mr_bound_topic_shape),
    STRUCT(mr_binding, claims, &mr_bound_topic_shape)};
SHAPE(mr_binding, binding_fields);

static const struct fixture_field topology_reply_fields[] = {
    PLAIN(mr_topology_reply, term, FIELD_U64),
    PLAIN(mr_topology_reply, found, FIELD_BOOL),
    NAME(mr_topology_reply, name),
    PLAIN(mr_topology_reply, generation, FIELD_U64),
    PLAIN(mr_topology_reply, version, FIELD_U32),
    PLAIN(mr_topology_reply, definition, FIELD_BYTES),
    PLAIN(mr_topology_reply, plan_hash, FIELD_U64),
    STRUCT(mr_topology_reply, binding, &mr_binding_shape)};
SHAPE(mr_topology_reply, topology_reply_fields);

static const struct fixture_field refused_reply_fields[] = {
    PLAIN(mr_refused_reply, term, FIELD_U64),
    LIMITED(mr_refused_reply, refusal, FIELD_ENUM, MR_REFUSAL_MALFORMED + 1),
    NAME(mr_refused_reply, leader), TEXT(mr_refused_reply, text)};
SHAPE(mr_refused_reply, refused_reply_fields);

static const struct fixture_field leader_record_fields[] = {
    PLAIN(mr_leader_record, term, FIELD_U64),
    NAME(mr_leader_record, address),
    NAME(mr_leader_record, http),
    PLAIN(mr_leader_record, candidate, FIELD_U64),
    PLAIN(mr_leader_record, beat, FIELD_U64),
    PLAIN(mr_leader_record, resigned, FIELD_BOOL)};
SHAPE(mr_leader_record, leader_record_fields);

static const struct fixture_field topology_record_fields[] = {
    NAME(mr_topology_record, name),
    PLAIN(mr_topology_record, generation, FIELD_U64),
    PLAIN(mr_topology_record, next_generation, FIELD_U64),
    PLAIN(mr_topology_record, version, FIELD_U32),
    PLAIN(mr_topology_record, version_before, FIELD_U32),
    PLAIN(mr_topology_record, version_last, FIELD_U32),
    LIMITED(mr_topology_record, state, FIELD_ENUM, MR_TOPOLOGY_RESETTING + 1),
    NAMES(mr_topology_record, paused_sources),
    NAMES(mr_topology_record, subtopologies),
    NAME(mr_topology_record, dropped_topics_prefix),
    PLAIN(mr_topology_record, changed_ms, FIELD_I64),
    PLAIN(mr_topology_record, plan_hash, FIELD_U64),
    ADDED(mr_topology_record, definition, FIELD_BYTES, 1)};
SHAPE(mr_topology_record, topology_record_fields);

static const struct fixture_field version_record_fields[] = {
    NAME(mr_version_record, name),
    PLAIN(mr_version_record, generation, FIELD_U64),
    PLAIN(mr_version_record, version, FIELD_U32),
    PLAIN(mr_version_record, definition, FIELD_BYTES),
    PLAIN(mr_version_record, plan_hash, FIELD_U64),
    PLAIN(mr_version_record, submitted_ms, FIELD_I64),
    PLAIN(mr_version_record, memory_bytes, FIELD_U64),
    PLAIN(mr_version_record, standbys_count, FIELD_U32),
    STRUCT(mr_version_record, binding, &mr_binding_shape)};
SHAPE(mr_version_record, version_record_fields);

static const struct fixture_field task_record_fields[] = {
    PLAIN(mr_task_record, epoch, FIELD_U64), NAME(mr_task_record, worker),
    PLAIN(mr_task_record, instance, FIELD_U64)};
SHAPE(mr_task_record, task_record_fields);

/* ---- How each is encoded and decoded ---- */

#define REQUEST_CODEC(part, kind_)                                                                 \
    static struct mr_slice encode_##part##_request(const void *value, struct mr_arena *arena)      \
    {                                                                                              \
        const struct mr_##part##_request *from = value;                                            \
        struct mr_request request = {.protocol_version = 1, .kind = kind_, .part = *from};         \
        return mr_request_encode(&request, arena);                                                 \
    }                                                                                              \
    static enum mr_status decode_##part##_request(struct mr_slice bytes, struct mr_arena *arena,   \
                                                  void *value, struct mr_error *error)             \
    {                                                                                              \
        struct mr_request request;                                                                 \
        enum mr_status status = mr_request_decode(bytes, arena, &request, error);                  \
        if (status == MR_OK && request.kind != kind_)                                              \
            return MR_NOT_FOUND;                                                                   \
        memcpy(value, &request.part, sizeof(request.part));                                        \
        return status;                                                                             \
    }
#define REPLY_CODEC(part, kind_)                                                                   \
    static struct mr_slice encode_##part##_reply(const void *value, struct mr_arena *arena)        \
    {                                                                                              \
        const struct mr_##part##_reply *from = value;                                              \
        struct mr_reply reply = {.protocol_version = 1, .kind = kind_, .part = *from};             \
        return mr_reply_encode(&reply, arena);                                                     \
    }                                                                                              \
    static enum mr_status decode_##part##_reply(struct mr_slice bytes, struct mr_arena *arena,     \
                                                void *value, struct mr_error *error)               \
    {                                                                                              \
        struct mr_reply reply;                                                                     \
        enum mr_status status = mr_reply_decode(bytes, arena, &reply, error);                      \
        if (status == MR_OK && reply.kind != kind_)                                                \
            return MR_NOT_FOUND;                                                                   \
        memcpy(value, &reply.part, sizeof(reply.part));                                            \
        return status;                                                                             \
    }
#define RECORD_CODEC(part)                                                                         \
    static struct mr_slice encode_##part##_record(const void *value, struct mr_arena *arena)       \
    {                                                                                              \
        return mr_##part##_record_encode(value, arena);                                            \
    }                                                                                              \
    static enum mr_status decode_##part##_record(struct mr_slice bytes, struct mr_arena *arena,    \
                                                 void *value, struct mr_error *error)              \
    {                                                                                              \
        return mr_##part##_record_decode(bytes, arena, value, error);                              \
    }

REQUEST_CODEC(sync, MR_REQUEST_SYNC)
REQUEST_CODEC(topology, MR_REQUEST_TOPOLOGY)
REPLY_CODEC(sync, MR_REPLY_SYNC)
REPLY_CODEC(topology, MR_REPLY_TOPOLOGY)
REPLY_CODEC(refused, MR_REPLY_REFUSED)
RECORD_CODEC(leader)
RECORD_CODEC(topology)
RECORD_CODEC(version)
RECORD_CODEC(task)

#define MESSAGE(name_)                                                                             \
    {                                                                                              \
#name_, &mr_##name_##_shape, encode_##name_, decode_##name_                                \
    }

const struct fixture_message fixture_messages[FIXTURE_MESSAGES_COUNT] = {
    MESSAGE(sync_request),    MESSAGE(topology_request), MESSAGE(sync_reply),
    MESSAGE(topology_reply),  MESSAGE(refused_reply),    MESSAGE(leader_record),
    MESSAGE(topology_record), MESSAGE(version_record),   MESSAGE(task_record)};

/* ---- Filling ---- */

static uint64_t mix(uint64_t path, const char *name)
{
    uint64_t hash = path;
    for (const char *byte = name; *byte != 0; byte++)
        hash = (hash ^ (uint8_t)*byte) * UINT64_C(0x100000001b3);
    return hash;
}

/* Numbers of every size; the largest and the smallest are frequent. */
static uint64_t number(struct mr_random *random, uint64_t path)
{
    if (random == NULL)
        return path >> (path % 61);
    uint64_t choice = mr_random_below(random, 8);
    if (choice == 0)
        return 0;
    if (choice == 1)
        return UINT64_MAX;
    if (choice == 2)
        return UINT64_C(1) << 63;
    return mr_random_u64(random) >> mr_random_below(random, 64);
}

static const char *text(struct mr_random *random, uint64_t path, size_t limit,
                        struct mr_arena *arena)
{
    static const uint32_t code_points[] = {'a', '/', 0x7f, 0xe9, 0x20ac, 0x1f600, 0x10ffff};
    if (random == NULL)
        return mr_arena_format(arena, "t-%06x-\xc3\xa9", (unsigned)(path >> 40));
    size_t size_max = mr_random_below(random, 4) == 0 ? limit : mr_random_below(random, 20);
    char *content = mr_arena_take(arena, size_max + 1);
    size_t size = 0;
    for (;;) {
        uint8_t bytes[4];
        size_t count = mr_utf8_encode(
            code_points[mr_random_below(random, MR_ARRAY_COUNT(code_points))], bytes);
        if (size + count > size_max)
            break;
        memcpy(content + size, bytes, count);
        size += count;
    }
    while (size < size_max)
        content[size++] = 'z';
    content[size] = 0;
    return content;
}

static uint32_t list_count(struct mr_random *random)
{
    if (random == NULL)
        return 2;
    return (uint32_t)mr_random_below(random, mr_random_below(random, 8) == 0 ? 40 : 4);
}

/* Of the golden value that is being filled: fields that came later stay zero. */
static uint32_t addition_filled;

static void fill(const struct fixture_shape *shape, uint8_t *value, struct mr_random *random,
                 uint64_t path, struct mr_arena *arena);

static void fill_list(const struct fixture_field *field, uint8_t *value, struct mr_random *random,
                      uint64_t path, struct mr_arena *arena)
{
    uint32_t count = list_count(random);
    uint8_t *place = value + field->offset;
    if (field->kind == FIELD_NAMES) {
        const char **names = mr_arena_new(arena, count, sizeof(*names));
        for (uint32_t index = 0; index < count; index++)
            names[index] = text(random, mix(path, index == 0 ? "0" : "1"), field->limit, arena);
        memcpy(place, &names, sizeof(void *));
    } else {
        uint8_t *elements = mr_arena_new(arena, count, field->shape->size);
        for (uint32_t index = 0; index < count; index++)
            fill(field->shape, elements + index * field->shape->size, random,
                 mix(path, index == 0 ? "0" : "1"), arena);
        memcpy(place, &elements, sizeof(void *));
    }
    memcpy(value + field->count_offset, &count, sizeof(count));
}

static void fill_text(const struct fixture_field *field, uint8_t *place, struct mr_random *random,
                      uint64_t path, struct mr_arena *arena)
{
    const char *content = text(random, path, field->limit, arena);
    if (field->kind == FIELD_TEXT) {
        memcpy(place, &content, sizeof(void *));
    } else {
        struct mr_slice bytes = mr_slice_text(text(random, path, 300, arena));
        memcpy(place, &bytes, sizeof(bytes));
    }
}

static void fill(const struct fixture_shape *shape, uint8_t *value, struct mr_random *random,
                 uint64_t path, struct mr_arena *arena)
{
    for (size_t index = 0; index < shape->fields_count; index++) {
        const struct fixture_field *field = &shape->fields[index];
        uint8_t *place = value + field->offset;
        uint64_t here = mix(path, field->name);
        if (random == NULL && field->added > addition_filled)
            continue;
        uint64_t whole = number(random, here);
        uint32_t small = (uint32_t)(field->kind == FIELD_NATURAL ? whole >> 33 : whole >> 32);
        if (field->kind == FIELD_ENUM)
            small = (uint32_t)(whole % field->limit);
        bool truth = (random == NULL ? here >> 20 : whole) & 1;
        switch (field->kind) {
        case FIELD_U64:
        case FIELD_I64:
            memcpy(place, &whole, sizeof(whole));
            break;
        case FIELD_U32:
        case FIELD_I32:
        case FIELD_NATURAL:
        case FIELD_ENUM:
            memcpy(place, &small, sizeof(small));
            break;
        case FIELD_BOOL:
            memcpy(place, &truth, sizeof(truth));
            break;
        case FIELD_TEXT:
        case FIELD_BYTES:
            fill_text(field, place, random, here, arena);
            break;
        case FIELD_STRUCT:
            fill(field->shape, place, random, here, arena);
            break;
        case FIELD_LIST:
        case FIELD_NAMES:
            fill_list(field, value, random, here, arena);
            break;
        }
    }
}

void *fixture_fill(const struct fixture_message *message, struct mr_random *random,
                   struct mr_arena *arena)
{
    void *value = mr_arena_new(arena, 1, message->shape->size);
    fill(message->shape, value, random, mix(UINT64_C(0xcbf29ce484222325), message->name), arena);
    if (message->shape == &mr_topology_reply_shape)
        ((struct mr_topology_reply *)value)->found = true; /* else the rest is not sent */
    return value;
}

void *fixture_fill_golden(const struct fixture_message *message, uint32_t addition,
                          struct mr_arena *arena)
{
    addition_filled = addition;
    return fixture_fill(message, NULL, arena);
}

/* ---- Comparing ---- */

static uint32_t count_at(const uint8_t *value, const struct fixture_field *field)
{
    uint32_t count;
    memcpy(&count, value + field->count_offset, sizeof(count));
    return count;
}

static void *pointer_at(const uint8_t *place)
{
    void *pointer;
    memcpy(&pointer, place, sizeof(void *));
    return pointer;
}

static bool same(const struct fixture_shape *shape, const uint8_t *wanted, const uint8_t *found);

static bool same_list(const struct fixture_field *field, const uint8_t *wanted,
                      const uint8_t *found)
{
    uint32_t count = count_at(wanted, field);
    if (count != count_at(found, field))
        return false;
    const uint8_t *left = pointer_at(wanted + field->offset);
    const uint8_t *right = pointer_at(found + field->offset);
    size_t size = field->kind == FIELD_NAMES ? sizeof(char *) : field->shape->size;
    for (size_t index = 0; index < count; index++) {
        const uint8_t *one = left + index * size;
        const uint8_t *other = right + index * size;
        if (field->kind == FIELD_NAMES ? strcmp(pointer_at(one), pointer_at(other)) != 0
                                       : !same(field->shape, one, other))
            return false;
    }
    return true;
}

static bool same_field(const struct fixture_field *field, const uint8_t *wanted,
                       const uint8_t *found)
{
    const uint8_t *left = wanted + field->offset;
    const uint8_t *right = found + field->offset;
    struct mr_slice bytes;
    struct mr_slice other;
    switch (field->kind) {
    case FIELD_U64:
    case FIELD_I64:
        return memcmp(left, right, 8) == 0;
    case FIELD_U32:
    case FIELD_I32:
    case FIELD_NATURAL:
    case FIELD_ENUM:
        return memcmp(left, right, 4) == 0;
    case FIELD_BOOL:
        return *left == *right;
    case FIELD_TEXT:
        return strcmp(pointer_at(left), pointer_at(right)) == 0;
    case FIELD_BYTES:
        memcpy(&bytes, left, sizeof(bytes));
        memcpy(&other, right, sizeof(other));
        return mr_slice_equal(bytes, other);
    case FIELD_STRUCT:
        return same(field->shape, left, right);
    case FIELD_LIST:
    case FIELD_NAMES:
        return same_list(field, wanted, found);
    }
    return false;
}

static bool same(const struct fixture_shape *shape, const uint8_t *wanted, const uint8_t *found)
{
    for (size_t index = 0; index < shape->fields_count; index++) {
        if (!same_field(&shape->fields[index], wanted, found)) {
            print_error("differs: %s\n", shape->fields[index].name);
            return false;
        }
    }
    return true;
}

void fixture_assert_same(const struct fixture_message *message, const void *wanted,
                         const void *found)
{
    if (!same(message->shape, wanted, found))
        fail_msg("a %s is not what was encoded", message->name);
}

static size_t field_size(const struct fixture_field *field)
{
    switch (field->kind) {
    case FIELD_BOOL:
        return 1;
    case FIELD_U32:
    case FIELD_I32:
    case FIELD_NATURAL:
    case FIELD_ENUM:
        return 4;
    case FIELD_BYTES:
        return sizeof(struct mr_slice);
    case FIELD_STRUCT:
        return field->shape->size;
    case FIELD_U64:
    case FIELD_I64:
    case FIELD_TEXT:
    case FIELD_LIST:
    case FIELD_NAMES:
        break;
    }
    return 8;
}

static void assert_complete(const struct fixture_shape *shape)
{
    uint8_t covered[FIXTURE_VALUE_SIZE] = {0};
    size_t hole = 0;
    assert_true(shape->size <= sizeof(covered));
    for (size_t index = 0; index < shape->fields_count; index++) {
        const struct fixture_field *field = &shape->fields[index];
        memset(covered + field->offset, 1, field_size(field));
        if (field->count_offset != 0)
            memset(covered + field->count_offset, 1, sizeof(uint32_t));
        if (field->shape != NULL)
            assert_complete(field->shape);
    }
    for (size_t offset = 0; offset < shape->size; offset++) {
        hole = covered[offset] ? 0 : hole + 1;
        assert_true(hole < 8);
    }
}

void fixture_assert_complete(const struct fixture_message *message)
{
    assert_complete(message->shape);
}

/* ---- Golden bytes ---- */

static size_t from_hex(const char *hex, uint8_t *bytes)
{
    size_t size = 0;
    for (; hex[0] != 0 && hex[0] != '\n'; hex += 2) {
        char digits[3] = {hex[0], hex[1], 0};
        bytes[size++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return size;
}

struct mr_slice fixture_golden(const char *name, struct mr_arena *arena)
{
    enum { LINE_SIZE = 16384 };
    char *line = mr_arena_take(arena, LINE_SIZE);
    uint8_t *bytes = mr_arena_take(arena, LINE_SIZE);
    size_t name_size = strlen(name);
    FILE *file = fopen(MR_SOURCE_DIR "/tests/golden/proto/messages_v1.hex", "r");
    struct mr_slice found = {0};
    assert_non_null(file);
    while (found.size == 0 && fgets(line, LINE_SIZE, file) != NULL) {
        if (strncmp(line, name, name_size) == 0 && line[name_size] == ' ')
            found = mr_slice_from(bytes, from_hex(line + name_size + 1, bytes));
    }
    assert_int_equal(fclose(file), 0);
    if (found.size == 0)
        fail_msg("messages_v1.hex has no line '%s'", name);
    return found;
}
