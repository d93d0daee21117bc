/* topology/cel_literal.c — numbers, and the escapes of strings and bytes.
 * Design: content is decoded once, at compile time. Every escape is at least as long as what it
 * stands for, so the source's size bounds the result. In bytes \x and octal name an octet, in
 * strings a code point (CEL's language definition, "String and Bytes Values"). */
#include "base/number.h"
#include "base/utf8.h"
#include "topology/cel_lexer.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Read `count` hexadecimal digits at text[at, to). */
static bool read_hex(const char *text, uint32_t at, uint32_t to, uint32_t count, uint32_t *value)
{
    *value = 0;
    if (to - at < count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        int digit = hex_digit(text[at + i]);
        if (digit < 0)
            return false;
        *value = *value << 4 | (uint32_t)digit;
    }
    return true;
}

static bool read_octal(const char *text, uint32_t at, uint32_t to, uint32_t *value)
{
    if (to - at < 3 || text[at] > '3')
        return false;
    *value = 0;
    for (uint32_t i = 0; i < 3; i++) {
        if (text[at + i] < '0' || text[at + i] > '7')
            return false;
        *value = *value << 3 | (uint32_t)(text[at + i] - '0');
    }
    return true;
}

/* The byte that a one-letter escape means, or -1. */
static int simple_escape(char c)
{
    static const char letters[] = "abfnrtv\\?\"'`";
    static const char meanings[] = "\a\b\f\n\r\t\v\\?\"'`";
    const char *found = c == '\0' ? NULL : strchr(letters, c);
    return found == NULL ? -1 : meanings[found - letters];
}

/* Decode one escape behind a backslash at text[at]. *used counts bytes behind the backslash.
 * *octet: the value is a byte of a bytes literal. */
static bool decode_escape(const char *text, uint32_t at, uint32_t to, bool bytes, uint32_t *used,
                          uint32_t *code_point, bool *octet)
{
    *octet = false;
    if (at >= to)
        return false;
    char letter = text[at];
    int simple = simple_escape(letter);
    if (simple >= 0) {
        *used = 1;
        *code_point = (uint32_t)simple;
        return true;
    }
    if (letter == 'x' || letter == 'X') {
        *used = 3;
        *octet = bytes;
        return read_hex(text, at + 1, to, 2, code_point);
    }
    if (letter == 'u' || letter == 'U') {
        uint32_t digits = letter == 'u' ? 4 : 8;
        *used = digits + 1;
        return !bytes && read_hex(text, at + 1, to, digits, code_point) &&
               *code_point <= 0x10FFFF && (*code_point < 0xD800 || *code_point > 0xDFFF);
    }
    *used = 3;
    *octet = bytes;
    return read_octal(text, at, to, code_point);
}

bool mr_cel_decode_text(struct mr_cel_compilation *compilation, uint32_t from, uint32_t to,
                        bool bytes, struct mr_slice *content)
{
    const char *text = compilation->text;
    uint8_t *output = mr_arena_take(compilation->arena, (size_t)(to - from) + 1);
    size_t size = 0;
    for (uint32_t at = from; at < to;) {
        if (text[at] != '\\') {
            output[size++] = (uint8_t)text[at++];
            continue;
        }
        uint32_t used = 0;
        uint32_t code_point = 0;
        bool octet = false;
        if (!decode_escape(text, at + 1, to, bytes, &used, &code_point, &octet)) {
            mr_cel_fail(compilation, at + 1,
                        "'\\%.1s' starts no escape that CEL knows in %s; write '\\\\' for a "
                        "backslash, or put r before the quotes.",
                        text + at + 1, bytes ? "bytes" : "a string");
            return false;
        }
        if (octet)
            output[size++] = (uint8_t)code_point;
        else
            size += mr_utf8_encode(code_point, output + size);
        at += 1 + used;
    }
    output[size] = '\0';
    *content = mr_slice_from(output, size);
    return true;
}

static bool lex_hex(struct mr_cel_compilation *compilation, struct mr_cel_token *token)
{
    const char *text = compilation->text + token->offset;
    uint32_t size = 2;
    bool overflow = false;
    token->integer = 0;
    for (int digit; (digit = hex_digit(text[size])) >= 0; size++) {
        overflow = overflow || token->integer >> 60 != 0;
        token->integer = token->integer << 4 | (uint64_t)digit;
    }
    token->size = size;
    if (overflow)
        mr_cel_fail(compilation, token->offset + 1, "The number %.*s does not fit into 64 bits.",
                    (int)size, text);
    return !overflow;
}

static bool lex_decimal(struct mr_cel_compilation *compilation, struct mr_cel_token *token)
{
    const char *text = compilation->text + token->offset;
    uint32_t size = 0;
    bool overflow = false;
    token->integer = 0;
    for (; is_digit(text[size]); size++) {
        overflow =
            overflow || __builtin_mul_overflow(token->integer, 10u, &token->integer) ||
            __builtin_add_overflow(token->integer, (uint64_t)(text[size] - '0'), &token->integer);
    }
    token->size = size;
    if (overflow)
        mr_cel_fail(compilation, token->offset + 1, "The number %.*s does not fit into 64 bits.",
                    (int)size, text);
    return !overflow;
}

/* The size of a floating-point literal at text, 0 when there is none: digits with a fraction, an
 * exponent or both. */
static uint32_t double_size(const char *text)
{
    uint32_t size = 0;
    bool found = false;
    while (is_digit(text[size]))
        size++;
    if (text[size] == '.' && is_digit(text[size + 1])) {
        found = true;
        for (size++; is_digit(text[size]);)
            size++;
    }
    if (size == 0 || (text[size] != 'e' && text[size] != 'E'))
        return found ? size : 0;
    uint32_t exponent = size + 1;
    if (text[exponent] == '+' || text[exponent] == '-')
        exponent++;
    if (!is_digit(text[exponent]))
        return found ? size : 0;
    while (is_digit(text[exponent]))
        exponent++;
    return exponent;
}

/* JSON's grammar, which base/number.h reads, wants one digit before the point and no leading zeros.
 */
static bool lex_double(struct mr_cel_compilation *compilation, struct mr_cel_token *token,
                       uint32_t size)
{
    const char *text = compilation->text + token->offset;
    uint32_t skip = 0;
    while (text[skip] == '0' && is_digit(text[skip + 1]))
        skip++;
    char *json = mr_arena_format(compilation->arena, "%s%.*s", text[skip] == '.' ? "0" : "",
                                 (int)(size - skip), text + skip);
    const uint8_t *end = (const uint8_t *)json + strlen(json);
    struct mr_number number = {0};
    if (mr_number_parse((const uint8_t *)json, end, &number) != end ||
        number.number > 1.7976931348623157e308) {
        mr_cel_fail(compilation, token->offset + 1, "The number %.*s is beyond the largest double.",
                    (int)size, text);
        return false;
    }
    token->kind = MR_CEL_TOKEN_DOUBLE;
    token->size = size;
    token->number = number.number;
    return true;
}

bool mr_cel_lex_number(struct mr_cel_compilation *compilation, struct mr_cel_token *token)
{
    const char *text = compilation->text + token->offset;
    uint32_t size = double_size(text);
    if (size != 0)
        return lex_double(compilation, token, size);
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') && hex_digit(text[2]) >= 0;
    token->kind = MR_CEL_TOKEN_INT;
    if (!(hex ? lex_hex(compilation, token) : lex_decimal(compilation, token)))
        return false;
    if (text[token->size] == 'u' || text[token->size] == 'U') {
        token->kind = MR_CEL_TOKEN_UINT;
        token->size++;
    }
    return true;
}
