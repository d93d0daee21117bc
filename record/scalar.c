/* record/scalar.c — scalars by their declared type.
 * Design: the record path takes no memory for scalars except base64 and messages. */
#include "record/scalar.h"

#include "base/clock.h"
#include "record/json_write.h"

#include <math.h>

enum { NANOSECONDS = 1000000000, NANOSECONDS_PER_MS = 1000000 };

struct mr_value mr_scalar_contradiction(struct mr_arena *arena, const struct mr_type *type,
                                        const char *found)
{
    return mr_value_error(mr_slice_text(
        mr_arena_format(arena, "declared %s, but it is %s", mr_type_name(arena, type), found)));
}

/* ---- Scalars. ---- */

static struct mr_value number_to_int(struct mr_arena *arena, const struct mr_number *number,
                                     const struct mr_type *type)
{
    /* 5.0 and 5e3 name integers; beyond 2^53 the double would not tell which. */
    bool exact = number->kind == MR_NUMBER_DOUBLE && fabs(number->number) <= 0x1p53 &&
                 trunc(number->number) == number->number;
    int64_t integer = exact ? (int64_t)number->number : number->signed_integer;
    if (number->kind == MR_NUMBER_DOUBLE && !exact)
        return mr_scalar_contradiction(arena, type,
                                       fabs(number->number) < 0x1p53 ? "a number with a fraction"
                                                                     : "a number out of its range");
    if (type->code == MR_TYPE_INT && number->kind != MR_NUMBER_UINT)
        return mr_value_int(integer);
    if (type->code == MR_TYPE_UINT && number->kind == MR_NUMBER_UINT)
        return mr_value_uint(number->unsigned_integer);
    if (type->code == MR_TYPE_UINT && integer >= 0)
        return mr_value_uint((uint64_t)integer);
    return mr_scalar_contradiction(arena, type, "a number out of its range");
}

static struct mr_value number_to_timestamp(struct mr_arena *arena, const struct mr_number *number,
                                           const struct mr_type *type)
{
    struct mr_value value = {.kind = MR_KIND_TIMESTAMP};
    if (number->kind == MR_NUMBER_INT) {
        if (!__builtin_mul_overflow(number->signed_integer, (int64_t)NANOSECONDS_PER_MS,
                                    &value.integer))
            return value;
    } else if (fabs(number->number) * NANOSECONDS_PER_MS < 0x1p63) {
        value.integer = llround(number->number * NANOSECONDS_PER_MS);
        return value;
    }
    return mr_scalar_contradiction(arena, type,
                                   "a number of milliseconds outside the years 1678 to 2261");
}

struct mr_value mr_scalar_from_number(struct mr_arena *arena, const struct mr_number *number,
                                      const struct mr_type *type)
{
    switch (type->code) {
    case MR_TYPE_ANY:
    case MR_TYPE_DOUBLE:
        if (isinf(number->number))
            return mr_value_error(mr_slice_text("a number beyond the range of a double"));
        return (struct mr_value){.kind = MR_KIND_DOUBLE,
                                 .flags = type->code == MR_TYPE_ANY ? MR_VALUE_UNDECLARED : 0,
                                 .number = number->number};
    case MR_TYPE_INT:
    case MR_TYPE_UINT:
        return number_to_int(arena, number, type);
    case MR_TYPE_TIMESTAMP:
        return number_to_timestamp(arena, number, type);
    case MR_TYPE_BOOL:
    case MR_TYPE_STRING:
    case MR_TYPE_BYTES:
    case MR_TYPE_DURATION:
    case MR_TYPE_LIST:
    case MR_TYPE_OBJECT:
        break;
    }
    return mr_scalar_contradiction(arena, type, "a number");
}

static struct mr_value text_to_timestamp(struct mr_arena *arena, struct mr_slice text,
                                         const struct mr_type *type)
{
    int64_t seconds;
    int32_t nanoseconds;
    struct mr_value value = {.kind = MR_KIND_TIMESTAMP};
    if (!mr_clock_parse_rfc3339(text, &seconds, &nanoseconds))
        return mr_scalar_contradiction(arena, type, "a text that is not an RFC 3339 time");
    if (__builtin_mul_overflow(seconds, (int64_t)NANOSECONDS, &value.integer) ||
        __builtin_add_overflow(value.integer, (int64_t)nanoseconds, &value.integer))
        return mr_scalar_contradiction(arena, type, "a time outside the years 1678 to 2261");
    return value;
}

/* "-12.345s": seconds with at most nine digits of fraction. */
static struct mr_value text_to_duration(struct mr_arena *arena, struct mr_slice text,
                                        const struct mr_type *type)
{
    static const char refusal[] = "a text that is not a number of seconds such as \"1.5s\"";
    struct mr_value value = {.kind = MR_KIND_DURATION};
    if (text.size < 2 || text.data[text.size - 1] != 's')
        return mr_scalar_contradiction(arena, type, refusal);
    bool negative = text.data[0] == '-';
    struct mr_slice whole = mr_slice_from(text.data + negative, text.size - 1 - negative);
    int64_t nanoseconds = 0;
    const uint8_t *point = whole.size > 0 ? memchr(whole.data, '.', whole.size) : NULL;
    if (point != NULL) {
        struct mr_slice fraction =
            mr_slice_from(point + 1, (size_t)(whole.data + whole.size - point - 1));
        whole.size = (size_t)(point - whole.data);
        if (fraction.size > 9 || (fraction.size > 0 && fraction.data[0] == '-') ||
            !mr_number_parse_int(fraction, &nanoseconds))
            return mr_scalar_contradiction(arena, type, refusal);
        for (size_t i = fraction.size; i < 9; i++)
            nanoseconds *= 10;
    }
    if (whole.size == 0 || whole.data[0] == '-' || !mr_number_parse_int(whole, &value.integer))
        return mr_scalar_contradiction(arena, type, refusal);
    if (__builtin_mul_overflow(value.integer, (int64_t)NANOSECONDS, &value.integer) ||
        __builtin_add_overflow(value.integer, nanoseconds, &value.integer))
        return mr_scalar_contradiction(arena, type, "a duration above 292 years");
    if (negative)
        value.integer = -value.integer;
    return value;
}

static int base64_digit(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    if (byte == '+' || byte == '-')
        return 62;
    return byte == '/' || byte == '_' ? 63 : -1;
}

/* Base64 with either alphabet of RFC 4648, padded or not. */
static struct mr_value text_to_bytes(struct mr_arena *arena, struct mr_slice text,
                                     const struct mr_type *type)
{
    size_t digits = text.size;
    while (digits > 0 && text.size - digits < 2 && text.size % 4 == 0 &&
           text.data[digits - 1] == '=')
        digits--;
    uint8_t *bytes = mr_arena_take(arena, digits * 3 / 4 + 1);
    size_t size = 0;
    uint32_t group = 0;
    bool valid = digits % 4 != 1;
    for (size_t i = 0; i < digits && valid; i++) {
        int digit = base64_digit(text.data[i]);
        valid = digit >= 0;
        group = group << 6 | ((uint32_t)digit & 63u);
        /* Every digit but the first of four completes a byte. */
        if (i % 4 != 0)
            bytes[size++] = (uint8_t)(group >> (6 - 2 * (i % 4)));
    }
    if (!valid)
        return mr_scalar_contradiction(arena, type, "a text that is not base64");
    return mr_value_bytes(mr_slice_from(bytes, size));
}

struct mr_value mr_scalar_from_string(struct mr_arena *arena, struct mr_slice text,
                                      const struct mr_type *type)
{
    switch (type->code) {
    case MR_TYPE_ANY:
    case MR_TYPE_STRING:
        return mr_value_string(text);
    case MR_TYPE_BYTES:
        return text_to_bytes(arena, text, type);
    case MR_TYPE_TIMESTAMP:
        return text_to_timestamp(arena, text, type);
    case MR_TYPE_DURATION:
        return text_to_duration(arena, text, type);
    case MR_TYPE_BOOL:
    case MR_TYPE_INT:
    case MR_TYPE_UINT:
    case MR_TYPE_DOUBLE:
    case MR_TYPE_LIST:
    case MR_TYPE_OBJECT:
        break;
    }
    return mr_scalar_contradiction(arena, type, "a string");
}

struct mr_value mr_scalar_from_text(struct mr_arena *arena, struct mr_slice text,
                                    const struct mr_type *type)
{
    if (type->code == MR_TYPE_BOOL) {
        bool is_true = mr_slice_equal(text, mr_slice_text("true"));
        if (is_true || mr_slice_equal(text, mr_slice_text("false")))
            return mr_value_bool(is_true);
        return mr_scalar_contradiction(arena, type, "neither \"true\" nor \"false\"");
    }
    bool number_type = type->code == MR_TYPE_INT || type->code == MR_TYPE_UINT ||
                       type->code == MR_TYPE_DOUBLE || type->code == MR_TYPE_TIMESTAMP;
    struct mr_number number;
    const uint8_t *end = text.data + text.size;
    if (number_type && text.size > 0 && mr_number_parse(text.data, end, &number) == end)
        return mr_scalar_from_number(arena, &number, type);
    if (number_type && type->code != MR_TYPE_TIMESTAMP)
        return mr_scalar_contradiction(arena, type, "a text that is not a number");
    return mr_scalar_from_string(arena, text, type);
}

struct mr_slice mr_scalar_to_text(struct mr_arena *arena, struct mr_value value)
{
    static const uint8_t nothing[1];
    if (value.kind == MR_KIND_STRING)
        return value.size > 0 ? mr_value_text(value) : mr_slice_from(nothing, 0);
    size_t bound = mr_json_write_bound(value) + MR_JSON_WRITE_SLACK;
    uint8_t *text = mr_arena_take(arena, bound);
    uint8_t *end = mr_json_write(text, value);
    size_t size = end != NULL ? (size_t)(end - text) : 0;
    mr_arena_give_back(arena, text, bound, size);
    if (end == NULL)
        return mr_slice_from(NULL, 0);
    bool quoted = value.kind == MR_KIND_BYTES || value.kind == MR_KIND_TIMESTAMP ||
                  value.kind == MR_KIND_DURATION;
    return quoted ? mr_slice_from(text + 1, size - 2) : mr_slice_from(text, size);
}
