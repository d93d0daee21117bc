/* operators/group_key.c — see group_key.h.
 * Design: the text was written by record/json_write.c, so it is compact and valid; the reader
 * trusts neither and checks bounds, since stored bytes outlive programs. */
#include "operators/group_key.h"

#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/utf8.h"

struct reader {
    const uint8_t *cursor;
    const uint8_t *end;
    struct mr_arena *arena;
};

static bool read_hex(struct reader *reader, uint32_t *code)
{
    *code = 0;
    for (int digit = 0; digit < 4; digit++) {
        if (reader->cursor == reader->end)
            return false;
        uint8_t byte = *reader->cursor++;
        uint32_t value = byte >= '0' && byte <= '9'   ? byte - 48u
                         : byte >= 'a' && byte <= 'f' ? byte - 87u
                         : byte >= 'A' && byte <= 'F' ? byte - 55u
                                                      : 16u;
        if (value == 16)
            return false;
        *code = *code * 16 + value;
    }
    return true;
}

/* The writer escapes control characters by number only below U+0080. */
static bool read_escape(struct reader *reader, uint8_t *byte)
{
    static const char names[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    if (reader->cursor == reader->end)
        return false;
    uint8_t name = *reader->cursor++;
    const char *found = name == 0 ? NULL : strchr(names, name);
    if (found != NULL) {
        *byte = (uint8_t)bytes[found - names];
        return true;
    }
    uint32_t code;
    if (name != 'u' || !read_hex(reader, &code) || code >= 0x80)
        return false;
    *byte = (uint8_t)code;
    return true;
}

static bool read_string(struct reader *reader, struct mr_value *value)
{
    uint8_t *text = mr_arena_take(reader->arena, (size_t)(reader->end - reader->cursor));
    uint32_t size = 0;
    reader->cursor++;
    while (reader->cursor < reader->end && *reader->cursor != '"') {
        uint8_t byte = *reader->cursor++;
        if (byte == '\\' && !read_escape(reader, &byte))
            return false;
        text[size++] = byte;
    }
    if (reader->cursor == reader->end)
        return false;
    reader->cursor++;
    *value = mr_value_string(mr_slice_from(text, size));
    return mr_utf8_valid(mr_value_text(*value));
}

static bool read_number(struct reader *reader, enum mr_type_code type, struct mr_value *value)
{
    struct mr_number number;
    const uint8_t *end = mr_number_parse(reader->cursor, reader->end, &number);
    if (end == NULL)
        return false;
    reader->cursor = end;
    if (type == MR_TYPE_INT && number.kind == MR_NUMBER_INT)
        *value = mr_value_int(number.signed_integer);
    else if (type == MR_TYPE_UINT && number.kind == MR_NUMBER_INT && number.signed_integer >= 0)
        *value = mr_value_uint((uint64_t)number.signed_integer);
    else if (type == MR_TYPE_UINT && number.kind == MR_NUMBER_UINT)
        *value = mr_value_uint(number.unsigned_integer);
    else
        *value = mr_value_double(number.number);
    return true;
}

static bool read_word(struct reader *reader, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(reader->end - reader->cursor) < size || memcmp(reader->cursor, word, size) != 0)
        return false;
    reader->cursor += size;
    return true;
}

/* Lists and maps keep their text. */
static bool read_nested(struct reader *reader, struct mr_value *value)
{
    const uint8_t *start = reader->cursor;
    uint32_t depth = 0;
    bool quoted = false;
    do {
        if (reader->cursor == reader->end)
            return false;
        uint8_t byte = *reader->cursor++;
        if (quoted && byte == '\\' && reader->cursor < reader->end)
            reader->cursor++;
        else if (byte == '"')
            quoted = !quoted;
        else if (!quoted && (byte == '[' || byte == '{'))
            depth++;
        else if (!quoted && (byte == ']' || byte == '}'))
            depth--;
    } while (depth > 0);
    struct mr_slice text =
        mr_arena_copy(reader->arena, mr_slice_from(start, (size_t)(reader->cursor - start)));
    *value =
        (struct mr_value){.kind = MR_KIND_JSON, .size = (uint32_t)text.size, .text = text.data};
    return true;
}

static bool read_value(struct reader *reader, enum mr_type_code type, struct mr_value *value)
{
    if (reader->cursor == reader->end)
        return false;
    switch (*reader->cursor) {
    case '"':
        break;
    case '[':
    case '{':
        return read_nested(reader, value);
    case 't':
    case 'f':
        *value = mr_value_bool(*reader->cursor == 't');
        return read_word(reader, value->boolean ? "true" : "false");
    default:
        return read_number(reader, type, value);
    }
    int64_t seconds;
    int32_t nanoseconds;
    int64_t time_ns;
    if (!read_string(reader, value))
        return false;
    if (type == MR_TYPE_TIMESTAMP &&
        mr_clock_parse_rfc3339(mr_value_text(*value), &seconds, &nanoseconds) &&
        !__builtin_mul_overflow(seconds, INT64_C(1000000000), &time_ns) &&
        !__builtin_add_overflow(time_ns, (int64_t)nanoseconds, &time_ns))
        *value = (struct mr_value){.kind = MR_KIND_TIMESTAMP, .integer = time_ns};
    return true;
}

static bool read_array(struct mr_slice key, const enum mr_type_code *types, uint32_t types_count,
                       struct mr_arena *arena, struct mr_value *fields)
{
    struct reader reader = {.cursor = key.data, .end = key.data + key.size, .arena = arena};
    for (uint32_t i = 0; i < types_count; i++)
        if (!read_word(&reader, i == 0 ? "[" : ",") || !read_value(&reader, types[i], &fields[i]))
            return false;
    return read_word(&reader, "]") && reader.cursor == reader.end;
}

bool mr_group_key_read(struct mr_slice key, const enum mr_type_code *types, uint32_t types_count,
                       struct mr_arena *arena, struct mr_value *fields)
{
    if (types_count == 0)
        return true;
    bool text =
        types_count == 1 && (types[0] == MR_TYPE_STRING || key.size == 0 || key.data[0] != '[');
    if (!text && read_array(key, types, types_count, arena, fields) &&
        (types_count > 1 || fields[0].kind != MR_KIND_STRING || types[0] != MR_TYPE_ANY))
        return true;
    if (types_count > 1)
        return false;
    fields[0] = mr_value_string(mr_arena_copy(arena, key));
    return true;
}
