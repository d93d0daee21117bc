/* worker/key.c — message keys as bytes. */
#include "worker/key.h"

#include "base/endian.h"
#include "base/number.h"

enum { JSON_STRING_GROWTH = 6 };

static enum mr_status key_integer(struct mr_value cell, size_t size, struct mr_arena *arena,
                                  struct mr_slice *key, struct mr_error *error)
{
    double number = 0;
    int64_t integer = cell.integer;
    if (cell.kind == MR_KIND_UINT && cell.unsigned_integer <= INT64_MAX) {
        integer = (int64_t)cell.unsigned_integer; /* not by way of a double: all digits count */
    } else if (cell.kind != MR_KIND_INT) {
        bool fits = cell.kind != MR_KIND_UINT && mr_value_as_double(cell, &number) &&
                    number >= -0x1p63 && number < 0x1p63;
        if (!fits || number != (double)(int64_t)number)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                           "The key is a %s; key_format int%zu takes an integer.",
                           mr_kind_name(cell.kind), size * 8);
        integer = (int64_t)number;
    }
    if (size == 4 && (integer < INT32_MIN || integer > INT32_MAX))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "The key does not fit in int32.");
    uint8_t *bytes = mr_arena_take(arena, size);
    if (size == 4)
        mr_put_u32be(bytes, (uint32_t)integer);
    else
        mr_put_u64be(bytes, (uint64_t)integer);
    *key = mr_slice_from(bytes, size);
    return MR_OK;
}

static enum mr_status key_json(struct mr_batch *batch, const uint32_t *slots, uint32_t slots_count,
                               uint32_t row, struct mr_slice *key)
{
    /* One string is written bare by mr_batch_key; json asks for the array always. */
    enum mr_status status = mr_batch_key(batch, slots, slots_count, row, key);
    if (status != MR_OK || slots_count != 1 ||
        mr_batch_column(batch, slots[0])[row].kind != MR_KIND_STRING)
        return status;
    uint8_t *bytes = mr_arena_take(batch->arena, key->size * JSON_STRING_GROWTH + 4);
    size_t size = 0;
    static const char hex[] = "0123456789abcdef";
    bytes[size++] = '[';
    bytes[size++] = '"';
    for (size_t index = 0; index < key->size; index++) {
        uint8_t byte = key->data[index];
        if (byte == '"' || byte == '\\') {
            bytes[size++] = '\\';
            bytes[size++] = byte;
        } else if (byte < 0x20) {
            memcpy(bytes + size, "\\u00", 4);
            bytes[size + 4] = (uint8_t)hex[byte >> 4];
            bytes[size + 5] = (uint8_t)hex[byte & 15];
            size += 6;
        } else {
            bytes[size++] = byte;
        }
    }
    bytes[size++] = '"';
    bytes[size++] = ']';
    *key = mr_slice_from(bytes, size);
    return MR_OK;
}

enum mr_status mr_key_encode(struct mr_batch *batch, const uint32_t *slots, uint32_t slots_count,
                             enum mr_key_format format, uint32_t row, struct mr_slice *key,
                             struct mr_error *error)
{
    enum mr_status status;
    if (format == MR_KEY_FORMAT_INT32 || format == MR_KEY_FORMAT_INT64)
        return key_integer(mr_batch_column(batch, slots[0])[row],
                           format == MR_KEY_FORMAT_INT32 ? 4 : 8, batch->arena, key, error);
    if (format == MR_KEY_FORMAT_BYTES) {
        struct mr_value cell = mr_batch_column(batch, slots[0])[row];
        if (cell.kind == MR_KIND_BYTES || cell.kind == MR_KIND_STRING) {
            *key = mr_value_text(cell);
            return MR_OK;
        }
        status = MR_INVALID;
    } else if (format == MR_KEY_FORMAT_JSON) {
        status = key_json(batch, slots, slots_count, row, key);
    } else {
        status = mr_batch_key(batch, slots, slots_count, row, key);
    }
    if (status != MR_OK)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "The record has no key: a key field is missing, null or not a plain value.");
    return MR_OK;
}

bool mr_key_text(struct mr_value value, struct mr_arena *arena, struct mr_slice *text)
{
    char *buffer;
    switch ((enum mr_kind)value.kind) {
    case MR_KIND_STRING:
    case MR_KIND_BYTES:
    case MR_KIND_JSON:
        *text = mr_arena_copy(arena, mr_value_text(value));
        return true;
    case MR_KIND_BOOL:
        *text = mr_slice_text(value.boolean ? "true" : "false");
        return true;
    case MR_KIND_INT:
        buffer = mr_arena_take(arena, MR_NUMBER_TEXT_SIZE);
        *text = mr_slice_from(buffer, mr_number_format_int(value.integer, buffer));
        return true;
    case MR_KIND_UINT:
        buffer = mr_arena_take(arena, MR_NUMBER_TEXT_SIZE);
        *text = mr_slice_from(buffer, mr_number_format_uint(value.unsigned_integer, buffer));
        return true;
    case MR_KIND_DOUBLE:
        buffer = mr_arena_take(arena, MR_NUMBER_TEXT_SIZE);
        *text = mr_slice_from(buffer, mr_number_format_double(value.number, buffer));
        return true;
    case MR_KIND_ABSENT:
    case MR_KIND_REMOVED:
    case MR_KIND_ERROR:
    case MR_KIND_NULL:
    case MR_KIND_TIMESTAMP:
    case MR_KIND_DURATION:
    case MR_KIND_LIST:
    case MR_KIND_MAP:
    case MR_KIND_TYPE:
    case MR_KIND_COUNT:
        break;
    }
    return false;
}

/* `*` stands for any characters, `?` for one; linear by remembering the last star. */
static bool pattern_matches(const char *pattern, const char *text)
{
    const char *star = NULL;
    const char *mark = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            mark = text;
        } else if (*pattern == *text || *pattern == '?') {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++mark;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool mr_topic_allowed(const struct mr_plan_node *node, const char *topic)
{
    for (uint32_t index = 0; index < node->topic_allow_count; index++)
        if (pattern_matches(node->topic_allow[index], topic))
            return true;
    return false;
}

bool mr_topic_is_internal(const char *cluster, const char *topic)
{
    size_t size = strlen(cluster);
    return strncmp(topic, "__", 2) == 0 ||
           (strncmp(topic, cluster, size) == 0 && topic[size] == '.');
}
