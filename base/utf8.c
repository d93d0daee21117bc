/* base/utf8.c — UTF-8 validation and stepping.
 * Design: texts are mostly ASCII, so validation and counting step over eight ASCII bytes at a time
 * and look at single code points only where a byte has its high bit set. */
#include "base/utf8.h"

#define HIGH_BITS 0x8080808080808080u

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0u) == 0x80u;
}

static size_t decode_two(const uint8_t *text, uint32_t *code_point)
{
    if (text[0] < 0xC2u || !is_continuation(text[1]))
        return 0; /* C0 and C1 would be overlong */
    *code_point = ((uint32_t)(text[0] & 0x1Fu) << 6) | (text[1] & 0x3Fu);
    return 2;
}

static size_t decode_three(const uint8_t *text, uint32_t *code_point)
{
    if (!is_continuation(text[1]) || !is_continuation(text[2]))
        return 0;
    uint32_t value = ((uint32_t)(text[0] & 0x0Fu) << 12) | ((uint32_t)(text[1] & 0x3Fu) << 6) |
                     (text[2] & 0x3Fu);
    if (value < 0x800u || (value >= 0xD800u && value <= 0xDFFFu))
        return 0;
    *code_point = value;
    return 3;
}

static size_t decode_four(const uint8_t *text, uint32_t *code_point)
{
    if (!is_continuation(text[1]) || !is_continuation(text[2]) || !is_continuation(text[3]))
        return 0;
    uint32_t value = ((uint32_t)(text[0] & 0x07u) << 18) | ((uint32_t)(text[1] & 0x3Fu) << 12) |
                     ((uint32_t)(text[2] & 0x3Fu) << 6) | (text[3] & 0x3Fu);
    if (value < 0x10000u || value > 0x10FFFFu)
        return 0;
    *code_point = value;
    return 4;
}

size_t mr_utf8_decode(const uint8_t *text, const uint8_t *end, uint32_t *code_point)
{
    if (text >= end)
        return 0;
    uint8_t first = text[0];
    if (first < 0x80u) {
        *code_point = first;
        return 1;
    }
    size_t available = (size_t)(end - text);
    if (first < 0xE0u)
        return available < 2 ? 0 : decode_two(text, code_point);
    if (first < 0xF0u)
        return available < 3 ? 0 : decode_three(text, code_point);
    if (first < 0xF8u)
        return available < 4 ? 0 : decode_four(text, code_point);
    return 0;
}

size_t mr_utf8_encode(uint32_t code_point, uint8_t text[4])
{
    if (code_point < 0x80u) {
        text[0] = (uint8_t)code_point;
        return 1;
    }
    if (code_point < 0x800u) {
        text[0] = (uint8_t)(0xC0u | (code_point >> 6));
        text[1] = (uint8_t)(0x80u | (code_point & 0x3Fu));
        return 2;
    }
    if (code_point < 0x10000u) {
        text[0] = (uint8_t)(0xE0u | (code_point >> 12));
        text[1] = (uint8_t)(0x80u | ((code_point >> 6) & 0x3Fu));
        text[2] = (uint8_t)(0x80u | (code_point & 0x3Fu));
        return 3;
    }
    text[0] = (uint8_t)(0xF0u | (code_point >> 18));
    text[1] = (uint8_t)(0x80u | ((code_point >> 12) & 0x3Fu));
    text[2] = (uint8_t)(0x80u | ((code_point >> 6) & 0x3Fu));
    text[3] = (uint8_t)(0x80u | (code_point & 0x3Fu));
    return 4;
}

/* The first byte at or behind text that is not ASCII, or end. */
static const uint8_t *skip_ascii(const uint8_t *text, const uint8_t *end)
{
    while (end - text >= 8) {
        uint64_t word;
        memcpy(&word, text, sizeof(word));
        if ((word & HIGH_BITS) != 0)
            break;
        text += 8;
    }
    while (text < end && *text < 0x80u)
        text++;
    return text;
}

size_t mr_utf8_valid_size(struct mr_slice bytes)
{
    if (bytes.size == 0)
        return 0;
    const uint8_t *text = bytes.data;
    const uint8_t *end = text + bytes.size;
    while (text < end) {
        if (*text < 0x80u) {
            text = skip_ascii(text, end);
            continue;
        }
        uint32_t code_point;
        size_t size = mr_utf8_decode(text, end, &code_point);
        if (size == 0)
            break;
        text += size;
    }
    return (size_t)(text - bytes.data);
}

bool mr_utf8_valid(struct mr_slice bytes)
{
    return mr_utf8_valid_size(bytes) == bytes.size;
}

size_t mr_utf8_length(struct mr_slice bytes)
{
    size_t length = 0;
    for (size_t i = 0; i < bytes.size; i++)
        length += !is_continuation(bytes.data[i]);
    return length;
}

size_t mr_utf8_cut(struct mr_slice bytes, size_t size_max)
{
    if (bytes.size <= size_max)
        return bytes.size;
    size_t size = size_max;
    /* A code point has at most three continuation bytes: invalid text is cut after them. */
    for (int i = 0; i < 3 && size > 0 && is_continuation(bytes.data[size]); i++)
        size--;
    return is_continuation(bytes.data[size]) ? size_max : size;
}
