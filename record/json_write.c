/* record/json_write.c — compact JSON text of cells.
 * Design: strings are copied sixteen bytes at a time while no byte needs an escape; the copy may
 * write behind the text's end, within the slack that the caller left. */
#include "record/json_write.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/number.h"

#include <math.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    ESCAPED_BYTES_MAX = 6, /* "\u001f" for one byte */
    LONG_TEXT_BYTES = 256, /* from here on the bound is counted, not estimated */
    TIME_TEXT_BYTES = 40,  /* "2026-01-28T10:30:00.000000000Z" and quotes */
    NANOSECONDS = 1000000000,
    SECONDS_PER_DAY = 86400
};

/* ---- Strings. ---- */

static bool needs_escape(uint8_t byte)
{
    return byte < 0x20u || byte == '"' || byte == '\\';
}

size_t mr_json_write_string_bound(struct mr_slice text)
{
    if (text.size < LONG_TEXT_BYTES)
        return text.size * ESCAPED_BYTES_MAX + 2;
    size_t bound = text.size + 2;
    for (size_t i = 0; i < text.size; i++)
        bound += needs_escape(text.data[i]) ? ESCAPED_BYTES_MAX - 1 : 0;
    return bound;
}

static uint8_t *write_escape(uint8_t *output, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t letter = 0;
    switch (byte) {
    case '"':
    case '\\':
        letter = byte;
        break;
    case '\b':
        letter = 'b';
        break;
    case '\f':
        letter = 'f';
        break;
    case '\n':
        letter = 'n';
        break;
    case '\r':
        letter = 'r';
        break;
    case '\t':
        letter = 't';
        break;
    default:
        memcpy(output, "\\u00", 4);
        output[4] = (uint8_t)digits[byte >> 4];
        output[5] = (uint8_t)digits[byte & 15];
        return output + ESCAPED_BYTES_MAX;
    }
    output[0] = '\\';
    output[1] = letter;
    return output + 2;
}

#ifdef __SSE2__
/* Copy 16 bytes. Returns how many of them come before the first that needs an escape. */
static uint32_t copy_plain(uint8_t *output, const uint8_t *text)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);
    _mm_storeu_si128((__m128i *)(void *)output, bytes);
    __m128i special = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                   _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    uint32_t mask = (uint32_t)_mm_movemask_epi8(_mm_or_si128(special, control));
    return (uint32_t)__builtin_ctz(mask | 0x10000u);
}
#else
static uint32_t copy_plain(uint8_t *output, const uint8_t *text)
{
    uint32_t count = 0;
    while (count < 16 && !needs_escape(text[count])) {
        output[count] = text[count];
        count++;
    }
    return count;
}
#endif

uint8_t *mr_json_write_string(uint8_t *output, struct mr_slice text)
{
    const uint8_t *cursor = text.data;
    const uint8_t *end = cursor + text.size;
    *output++ = '"';
    while (end - cursor >= 16) {
        uint32_t plain = copy_plain(output, cursor);
        output += plain;
        cursor += plain;
        if (plain < 16)
            output = write_escape(output, *cursor++);
    }
    for (; cursor < end; cursor++) {
        if (needs_escape(*cursor))
            output = write_escape(output, *cursor);
        else
            *output++ = *cursor;
    }
    *output++ = '"';
    return output;
}

/* ---- Other scalars. ---- */

static uint8_t *write_base64(uint8_t *output, struct mr_slice bytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    *output++ = '"';
    size_t i = 0;
    for (; i + 2 < bytes.size; i += 3) {
        uint32_t group =
            (uint32_t)bytes.data[i] << 16 | (uint32_t)bytes.data[i + 1] << 8 | bytes.data[i + 2];
        *output++ = (uint8_t)alphabet[group >> 18];
        *output++ = (uint8_t)alphabet[(group >> 12) & 63];
        *output++ = (uint8_t)alphabet[(group >> 6) & 63];
        *output++ = (uint8_t)alphabet[group & 63];
    }
    if (i < bytes.size) {
        bool two = i + 1 < bytes.size;
        uint32_t group =
            (uint32_t)bytes.data[i] << 16 | (two ? (uint32_t)bytes.data[i + 1] << 8 : 0);
        *output++ = (uint8_t)alphabet[group >> 18];
        *output++ = (uint8_t)alphabet[(group >> 12) & 63];
        *output++ = two ? (uint8_t)alphabet[(group >> 6) & 63] : '=';
        *output++ = '=';
    }
    *output++ = '"';
    return output;
}

/* value as exactly `width` decimal digits. */
static uint8_t *write_padded(uint8_t *output, uint32_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        output[i] = (uint8_t)('0' + value % 10);
        value /= 10;
    }
    return output + width;
}

static uint8_t *write_timestamp(uint8_t *output, int64_t nanoseconds)
{
    int64_t seconds = nanoseconds / NANOSECONDS;
    int64_t fraction = nanoseconds % NANOSECONDS;
    if (fraction < 0) {
        fraction += NANOSECONDS;
        seconds--;
    }
    int64_t days = seconds / SECONDS_PER_DAY;
    int64_t second = seconds % SECONDS_PER_DAY;
    if (second < 0) {
        second += SECONDS_PER_DAY;
        days--;
    }
    int64_t year;
    int32_t month;
    int32_t day;
    mr_clock_civil_from_days(days, &year, &month, &day);
    *output++ = '"';
    output = write_padded(output, (uint32_t)year, 4);
    *output++ = '-';
    output = write_padded(output, (uint32_t)month, 2);
    *output++ = '-';
    output = write_padded(output, (uint32_t)day, 2);
    *output++ = 'T';
    output = write_padded(output, (uint32_t)(second / 3600), 2);
    *output++ = ':';
    output = write_padded(output, (uint32_t)(second / 60 % 60), 2);
    *output++ = ':';
    output = write_padded(output, (uint32_t)(second % 60), 2);
    if (fraction != 0) {
        *output++ = '.';
        if (fraction % 1000000 == 0)
            output = write_padded(output, (uint32_t)(fraction / 1000000), 3);
        else if (fraction % 1000 == 0)
            output = write_padded(output, (uint32_t)(fraction / 1000), 6);
        else
            output = write_padded(output, (uint32_t)fraction, 9);
    }
    *output++ = 'Z';
    *output++ = '"';
    return output;
}

static uint8_t *write_duration(uint8_t *output, int64_t nanoseconds)
{
    uint64_t magnitude = nanoseconds < 0 ? -(uint64_t)nanoseconds : (uint64_t)nanoseconds;
    uint32_t fraction = (uint32_t)(magnitude % NANOSECONDS);
    char text[MR_NUMBER_TEXT_SIZE];
    size_t size = mr_number_format_uint(magnitude / NANOSECONDS, text);
    *output++ = '"';
    if (nanoseconds < 0)
        *output++ = '-';
    memcpy(output, text, size);
    output += size;
    if (fraction != 0) {
        *output++ = '.';
        output = write_padded(output, fraction, 9);
        while (output[-1] == '0')
            output--;
    }
    *output++ = 's';
    *output++ = '"';
    return output;
}

static uint8_t *write_double(uint8_t *output, double number)
{
    if (!isfinite(number))
        return NULL;
    return output + mr_number_format_double(number, (char *)output);
}

static uint8_t *write_text(uint8_t *output, const char *text, size_t size)
{
    memcpy(output, text, size);
    return output + size;
}

/* ---- Containers. ---- */

static uint8_t *write_list(uint8_t *output, struct mr_value list)
{
    *output++ = '[';
    for (uint32_t i = 0; i < list.size; i++) {
        if (i > 0)
            *output++ = ',';
        output = mr_json_write(output, list.items[i]);
        if (output == NULL)
            return NULL;
    }
    *output++ = ']';
    return output;
}

static uint8_t *write_name(uint8_t *output, struct mr_value key)
{
    if (key.kind == MR_KIND_STRING)
        return mr_json_write_string(output, mr_value_text(key));
    if (key.kind != MR_KIND_BOOL && key.kind != MR_KIND_INT && key.kind != MR_KIND_UINT &&
        key.kind != MR_KIND_DOUBLE)
        return NULL;
    *output++ = '"';
    output = mr_json_write(output, key);
    if (output != NULL)
        *output++ = '"';
    return output;
}

static uint8_t *write_map(uint8_t *output, struct mr_value map)
{
    *output++ = '{';
    for (uint32_t i = 0; i < map.size; i++) {
        if (i > 0)
            *output++ = ',';
        output = write_name(output, map.entries[i].key);
        if (output == NULL)
            return NULL;
        *output++ = ':';
        output = mr_json_write(output, map.entries[i].value);
        if (output == NULL)
            return NULL;
    }
    *output++ = '}';
    return output;
}

uint8_t *mr_json_write(uint8_t *output, struct mr_value value)
{
    switch ((enum mr_kind)value.kind) {
    case MR_KIND_NULL:
        return write_text(output, "null", 4);
    case MR_KIND_BOOL:
        return value.boolean ? write_text(output, "true", 4) : write_text(output, "false", 5);
    case MR_KIND_INT:
        return output + mr_number_format_int(value.integer, (char *)output);
    case MR_KIND_UINT:
        return output + mr_number_format_uint(value.unsigned_integer, (char *)output);
    case MR_KIND_DOUBLE:
        return write_double(output, value.number);
    case MR_KIND_STRING:
        return mr_json_write_string(output, mr_value_text(value));
    case MR_KIND_BYTES:
        return write_base64(output, mr_value_text(value));
    case MR_KIND_TIMESTAMP:
        return write_timestamp(output, value.integer);
    case MR_KIND_DURATION:
        return write_duration(output, value.integer);
    case MR_KIND_LIST:
        return write_list(output, value);
    case MR_KIND_MAP:
        return write_map(output, value);
    case MR_KIND_JSON:
        memcpy(output, value.text, value.size);
        return output + value.size;
    case MR_KIND_ABSENT:
    case MR_KIND_REMOVED:
    case MR_KIND_ERROR:
    case MR_KIND_TYPE:
    case MR_KIND_COUNT:
        break;
    }
    return NULL;
}

static size_t bound_of_containers(struct mr_value value)
{
    size_t bound = 2;
    for (uint32_t i = 0; i < value.size; i++) {
        if (value.kind == MR_KIND_LIST)
            bound += mr_json_write_bound(value.items[i]) + 1;
        else /* the name's quotes, ':' and ',' */
            bound += mr_json_write_bound(value.entries[i].key) +
                     mr_json_write_bound(value.entries[i].value) + 4;
    }
    return bound;
}

size_t mr_json_write_bound(struct mr_value value)
{
    if (value.kind == MR_KIND_STRING)
        return mr_json_write_string_bound(mr_value_text(value));
    if (value.kind == MR_KIND_BYTES)
        return ((size_t)value.size + 2) / 3 * 4 + 2;
    if (value.kind == MR_KIND_JSON)
        return value.size;
    if (value.kind == MR_KIND_LIST || value.kind == MR_KIND_MAP)
        return bound_of_containers(value);
    /* Numbers take MR_NUMBER_TEXT_SIZE at most, times a little more. */
    return TIME_TEXT_BYTES;
}

const char *mr_json_write_refusal(struct mr_arena *arena, struct mr_value value)
{
    if (value.kind == MR_KIND_DOUBLE && isnan(value.number))
        return "NaN is not a JSON number";
    if (value.kind == MR_KIND_DOUBLE && isinf(value.number))
        return "an infinity is not a JSON number";
    if (value.kind == MR_KIND_ERROR)
        return mr_arena_copy_bytes_text(arena, value.text, value.size);
    const char *refusal = NULL;
    if (value.kind == MR_KIND_LIST) {
        for (uint32_t i = 0; i < value.size && refusal == NULL; i++)
            refusal = mr_json_write_refusal(arena, value.items[i]);
    } else if (value.kind == MR_KIND_MAP) {
        for (uint32_t i = 0; i < value.size && refusal == NULL; i++) {
            uint8_t kind = value.entries[i].key.kind;
            refusal = mr_json_write_refusal(arena, value.entries[i].key);
            if (refusal == NULL && (kind < MR_KIND_BOOL || kind > MR_KIND_STRING))
                refusal = mr_arena_format(arena, "a %s is not a name of a JSON object",
                                          mr_kind_name((enum mr_kind)kind));
            if (refusal == NULL)
                refusal = mr_json_write_refusal(arena, value.entries[i].value);
        }
    } else if (value.kind == MR_KIND_ABSENT || value.kind == MR_KIND_REMOVED ||
               value.kind == MR_KIND_TYPE) {
        refusal = mr_arena_format(arena, "JSON has no value of kind %s",
                                  mr_kind_name((enum mr_kind)value.kind));
    }
    return refusal;
}
