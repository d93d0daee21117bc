/* record/json_scan.c — validated tokens.
 * Design: the hot loops (plain runs of strings) are inline in the header; here is what is met
 * rarely: escapes, bytes outside ASCII, nested containers that nobody reads. Recursion is bounded
 * by MR_LIMIT_JSON_DEPTH. */
#include "record/json_scan.h"

#include "base/limits.h"
#include "base/utf8.h"

const uint8_t *mr_json_fail(struct mr_json_scan *scan, const uint8_t *at, const char *phrase)
{
    scan->error_at = at;
    scan->expected = phrase;
    return NULL;
}

struct mr_slice mr_json_error_text(const struct mr_json_scan *scan)
{
    return mr_slice_text(mr_arena_format(
        scan->arena, "%s at byte %zu%s", scan->expected, (size_t)(scan->error_at - scan->start),
        scan->error_at == scan->end ? ", where the text ends" : ""));
}

/* ---- Strings. ---- */

static int hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    uint8_t lower = byte | 0x20u;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The four hexadecimal digits at `at`, or -1. */
static int32_t read_hex(const uint8_t *at, const uint8_t *end)
{
    if (end - at < 4)
        return -1;
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(at[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* A \u escape, or a pair of them, at `at` (its backslash). Returns its size, 0 when it is not one.
 */
static size_t read_unicode_escape(const uint8_t *at, const uint8_t *end, uint32_t *code_point)
{
    int32_t first = read_hex(at + 2, end);
    if (first < 0 || (first >= 0xDC00 && first <= 0xDFFF))
        return 0;
    *code_point = (uint32_t)first;
    if (first < 0xD800 || first > 0xDBFF)
        return 6;
    if (end - at < 12 || at[6] != '\\' || at[7] != 'u')
        return 0;
    int32_t second = read_hex(at + 8, end);
    if (second < 0xDC00 || second > 0xDFFF)
        return 0;
    *code_point = 0x10000u + (((uint32_t)first - 0xD800u) << 10) + ((uint32_t)second - 0xDC00u);
    return 12;
}

static const uint8_t *skip_escape(struct mr_json_scan *scan, const uint8_t *at)
{
    if (scan->end - at < 2)
        return mr_json_fail(scan, scan->end, "expected an escape");
    switch (at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return at + 2;
    case 'u': {
        uint32_t code_point;
        size_t size = read_unicode_escape(at, scan->end, &code_point);
        if (size == 0)
            return mr_json_fail(scan, at,
                                "expected \\u with four hexadecimal digits that name a "
                                "code point or a pair of surrogates");
        return at + size;
    }
    default:
        return mr_json_fail(scan, at, "expected one of the escapes of JSON");
    }
}

const uint8_t *mr_json_string_special(struct mr_json_scan *scan, const uint8_t *at, bool *escaped)
{
    if (at == scan->end)
        return mr_json_fail(scan, at, "expected '\"'");
    if (*at == '\\') {
        *escaped = true;
        return skip_escape(scan, at);
    }
    if (*at < 0x20u)
        return mr_json_fail(scan, at,
                            "expected no control character in a string, but there is one");
    do {
        uint32_t code_point;
        size_t size = mr_utf8_decode(at, scan->end, &code_point);
        if (size == 0)
            return mr_json_fail(scan, at, "expected valid UTF-8");
        at += size;
    } while (at < scan->end && *at >= 0x80u);
    return at;
}

static uint8_t unescaped_byte(uint8_t letter)
{
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return letter; /* '"', '\\' and '/' mean themselves */
    }
}

struct mr_slice mr_json_unescape(struct mr_json_scan *scan, const uint8_t *from, const uint8_t *to)
{
    /* An escape is never shorter than what it stands for. */
    size_t bound = (size_t)(to - from);
    uint8_t *text = mr_arena_take(scan->arena, bound);
    uint8_t *output = text;
    while (from < to) {
        const uint8_t *escape = memchr(from, '\\', (size_t)(to - from));
        size_t plain = (size_t)((escape != NULL ? escape : to) - from);
        memcpy(output, from, plain);
        output += plain;
        from += plain;
        if (escape == NULL)
            break;
        if (from[1] == 'u') {
            uint32_t code_point = 0;
            from += read_unicode_escape(from, to, &code_point);
            output += mr_utf8_encode(code_point, output);
        } else {
            *output++ = unescaped_byte(from[1]);
            from += 2;
        }
    }
    size_t size = (size_t)(output - text);
    mr_arena_give_back(scan->arena, text, bound, size);
    return mr_slice_from(text, size);
}

/* ---- Numbers. ---- */

static bool is_digit(uint8_t byte)
{
    return (uint8_t)(byte - '0') < 10;
}

static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

const uint8_t *mr_json_skip_number(struct mr_json_scan *scan, const uint8_t *at)
{
    const uint8_t *end = scan->end;
    const uint8_t *digits = at + (at < end && *at == '-');
    at = digits < end && *digits == '0' ? digits + 1 : skip_digits(digits, end);
    if (at == digits)
        return mr_json_fail(scan, at, "expected a digit");
    if (at < end && *at == '.') {
        digits = at + 1;
        at = skip_digits(digits, end);
        if (at == digits)
            return mr_json_fail(scan, at, "expected a digit");
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        digits = at + 1;
        if (digits < end && (*digits == '+' || *digits == '-'))
            digits++;
        at = skip_digits(digits, end);
        if (at == digits)
            return mr_json_fail(scan, at, "expected a digit");
    }
    return at;
}

/* ---- Whole values. ---- */

static const uint8_t *skip_string(struct mr_json_scan *scan, const uint8_t *at)
{
    bool escaped;
    at = mr_json_string_end(scan, at + 1, &escaped);
    return at == NULL ? NULL : at + 1;
}

static const uint8_t *skip_word(struct mr_json_scan *scan, const uint8_t *at, const char *word,
                                size_t size)
{
    if ((size_t)(scan->end - at) < size || memcmp(at, word, size) != 0)
        return mr_json_fail(scan, at, "expected a value");
    return at + size;
}

static const uint8_t *skip_array(struct mr_json_scan *scan, const uint8_t *at, uint32_t depth)
{
    if (depth == MR_LIMIT_JSON_DEPTH)
        return mr_json_fail(scan, at, "expected at most 128 nested containers");
    at = mr_json_skip_space(at + 1, scan->end);
    if (at < scan->end && *at == ']')
        return at + 1;
    for (;;) {
        at = mr_json_skip_value(scan, mr_json_skip_space(at, scan->end), depth + 1);
        if (at == NULL)
            return NULL;
        at = mr_json_skip_space(at, scan->end);
        if (at == scan->end || (*at != ',' && *at != ']'))
            return mr_json_fail(scan, at, "expected ',' or ']'");
        if (*at++ == ']')
            return at;
    }
}

static const uint8_t *skip_object(struct mr_json_scan *scan, const uint8_t *at, uint32_t depth)
{
    const uint8_t *end = scan->end;
    if (depth == MR_LIMIT_JSON_DEPTH)
        return mr_json_fail(scan, at, "expected at most 128 nested containers");
    at = mr_json_skip_space(at + 1, end);
    if (at < end && *at == '}')
        return at + 1;
    for (;;) {
        at = mr_json_skip_space(at, end);
        if (at == end || *at != '"')
            return mr_json_fail(scan, at, "expected a name");
        at = skip_string(scan, at);
        if (at == NULL)
            return NULL;
        at = mr_json_skip_space(at, end);
        if (at == end || *at != ':')
            return mr_json_fail(scan, at, "expected ':'");
        at = mr_json_skip_value(scan, mr_json_skip_space(at + 1, end), depth + 1);
        if (at == NULL)
            return NULL;
        at = mr_json_skip_space(at, end);
        if (at == end || (*at != ',' && *at != '}'))
            return mr_json_fail(scan, at, "expected ',' or '}'");
        if (*at++ == '}')
            return at;
    }
}

const uint8_t *mr_json_skip_value(struct mr_json_scan *scan, const uint8_t *at, uint32_t depth)
{
    if (at == scan->end)
        return mr_json_fail(scan, at, "expected a value");
    switch (*at) {
    case '"':
        return skip_string(scan, at);
    case '{':
        return skip_object(scan, at, depth);
    case '[':
        return skip_array(scan, at, depth);
    case 't':
        return skip_word(scan, at, "true", 4);
    case 'f':
        return skip_word(scan, at, "false", 5);
    case 'n':
        return skip_word(scan, at, "null", 4);
    default:
        if (*at == '-' || is_digit(*at))
            return mr_json_skip_number(scan, at);
        return mr_json_fail(scan, at, "expected a value");
    }
}
