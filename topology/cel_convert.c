/* topology/cel_convert.c — int(), uint(), double(), string(), bytes(), bool(), timestamp(),
 * duration(), type(): conversions are explicit in CEL, and one that cannot be exact in range is an
 * error. */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/utf8.h"
#include "topology/cel_functions.h"

enum { NANOSECONDS = 1000000000 };

__extension__ typedef __int128 wide_int; /* a fraction times a unit does not fit into 64 bits */

static struct mr_value unreadable(struct mr_cel_context *context, struct mr_value text,
                                  const char *wanted)
{
    size_t size = mr_utf8_cut(mr_value_text(text), 64);
    return mr_cel_error_format(context, "'%.*s' is not %s", (int)size, (const char *)text.text,
                               wanted);
}

struct mr_value mr_cel_identity(struct mr_cel_context *context, const struct mr_value *arguments,
                                uint32_t count)
{
    (void)context;
    (void)count;
    return arguments[0];
}

struct mr_value mr_cel_type_value(struct mr_cel_context *context, const struct mr_value *arguments,
                                  uint32_t count)
{
    (void)count;
    const char *text = mr_cel_kind_text(arguments[0].kind);
    if (text == NULL)
        return mr_cel_error_kinds(context, "type()", arguments[0].kind, MR_KIND_ABSENT);
    return (struct mr_value){
        .kind = MR_KIND_TYPE, .size = (uint32_t)strlen(text), .text = (const uint8_t *)text};
}

struct mr_value mr_cel_to_bool(struct mr_cel_context *context, const struct mr_value *arguments,
                               uint32_t count)
{
    static const char *const words[] = {"1", "t", "true",  "TRUE",  "True",
                                        "0", "f", "false", "FALSE", "False"};
    (void)count;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (mr_slice_equal(mr_value_text(arguments[0]), mr_slice_text(words[i])))
            return mr_value_bool(i < 5);
    }
    return unreadable(context, arguments[0], "a bool");
}

struct mr_value mr_cel_to_bytes(struct mr_cel_context *context, const struct mr_value *arguments,
                                uint32_t count)
{
    (void)context;
    (void)count;
    return mr_value_bytes(mr_value_text(arguments[0]));
}

struct mr_value mr_cel_to_double(struct mr_cel_context *context, const struct mr_value *arguments,
                                 uint32_t count)
{
    (void)count;
    double number = 0;
    if (mr_value_as_double(arguments[0], &number))
        return mr_value_double(number);
    struct mr_slice text = mr_value_text(arguments[0]);
    static const struct {
        const char *text;
        double number;
    } names[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (mr_slice_equal(text, mr_slice_text(names[i].text)))
            return mr_value_double(names[i].number);
    }
    struct mr_number parsed = {0};
    if (text.size == 0 ||
        mr_number_parse(text.data, text.data + text.size, &parsed) != text.data + text.size)
        return unreadable(context, arguments[0], "a double");
    return mr_value_double(parsed.number);
}

static int64_t floor_seconds(int64_t nanoseconds)
{
    int64_t seconds = nanoseconds / NANOSECONDS;
    return nanoseconds % NANOSECONDS < 0 ? seconds - 1 : seconds;
}

struct mr_value mr_cel_to_int(struct mr_cel_context *context, const struct mr_value *arguments,
                              uint32_t count)
{
    (void)count;
    struct mr_value value = arguments[0];
    int64_t integer = 0;
    switch (value.kind) {
    case MR_KIND_INT:
        return mr_value_int(value.integer);
    case MR_KIND_UINT:
        if (value.unsigned_integer > INT64_MAX)
            return mr_cel_error("the number is out of int's range");
        return mr_value_int((int64_t)value.unsigned_integer);
    case MR_KIND_DOUBLE:
        if (!(value.number > -9223372036854775808.0 && value.number < 9223372036854775808.0))
            return mr_cel_error("the number is out of int's range");
        return mr_value_int((int64_t)value.number);
    case MR_KIND_TIMESTAMP:
        return mr_value_int(floor_seconds(value.integer));
    default:
        if (!mr_number_parse_int(mr_value_text(value), &integer))
            return unreadable(context, value, "an int");
        return mr_value_int(integer);
    }
}

static bool parse_uint(struct mr_slice text, uint64_t *integer)
{
    *integer = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint64_t digit = (uint64_t)text.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(*integer, 10u, integer) ||
            __builtin_add_overflow(*integer, digit, integer))
            return false;
    }
    return text.size > 0;
}

struct mr_value mr_cel_to_uint(struct mr_cel_context *context, const struct mr_value *arguments,
                               uint32_t count)
{
    (void)count;
    struct mr_value value = arguments[0];
    uint64_t integer = 0;
    switch (value.kind) {
    case MR_KIND_UINT:
        return mr_value_uint(value.unsigned_integer);
    case MR_KIND_INT:
        if (value.integer < 0)
            return mr_cel_error("the number is out of uint's range");
        return mr_value_uint((uint64_t)value.integer);
    case MR_KIND_DOUBLE:
        if (!(value.number >= 0 && value.number < 18446744073709551616.0))
            return mr_cel_error("the number is out of uint's range");
        return mr_value_uint((uint64_t)value.number);
    default:
        if (!parse_uint(mr_value_text(value), &integer))
            return unreadable(context, value, "a uint");
        return mr_value_uint(integer);
    }
}

static size_t format_double(double number, char text[MR_NUMBER_TEXT_SIZE])
{
    const char *name = number != number      ? "NaN"
                       : number == INFINITY  ? "Infinity"
                       : number == -INFINITY ? "-Infinity"
                                             : NULL;
    if (name == NULL)
        return mr_number_format_double(number, text);
    memcpy(text, name, strlen(name));
    return strlen(name);
}

/* Digits of a fraction of nanoseconds without trailing zeros, with the point before them. */
static size_t format_fraction(uint32_t nanoseconds, char text[12])
{
    if (nanoseconds == 0)
        return 0;
    int size = snprintf(text, 12, ".%09u", nanoseconds);
    while (text[size - 1] == '0')
        size--;
    return (size_t)size;
}

static size_t format_timestamp(int64_t nanoseconds, char *text, size_t text_size)
{
    int64_t seconds = floor_seconds(nanoseconds);
    int64_t remainder = nanoseconds % NANOSECONDS;
    uint32_t rest = (uint32_t)(remainder < 0 ? remainder + NANOSECONDS : remainder);
    int64_t days = seconds / 86400;
    int64_t of_day = seconds % 86400;
    if (of_day < 0) {
        of_day += 86400;
        days--;
    }
    int64_t year = 0;
    int32_t month = 0;
    int32_t day = 0;
    mr_clock_civil_from_days(days, &year, &month, &day);
    char fraction[12] = "";
    size_t fraction_size = format_fraction(rest, fraction);
    int size = snprintf(text, text_size, "%04d-%02d-%02dT%02d:%02d:%02d%.*sZ", (int)year,
                        (int)month, (int)day, (int)(of_day / 3600), (int)(of_day / 60 % 60),
                        (int)(of_day % 60), (int)fraction_size, fraction);
    return (size_t)size;
}

static size_t format_duration(int64_t nanoseconds, char *text, size_t text_size)
{
    uint64_t size_of = nanoseconds < 0 ? 0 - (uint64_t)nanoseconds : (uint64_t)nanoseconds;
    char fraction[12] = "";
    size_t fraction_size = format_fraction((uint32_t)(size_of % NANOSECONDS), fraction);
    int size = snprintf(text, text_size, "%s%llu%.*ss", nanoseconds < 0 ? "-" : "",
                        (unsigned long long)(size_of / NANOSECONDS), (int)fraction_size, fraction);
    return (size_t)size;
}

struct mr_value mr_cel_to_string(struct mr_cel_context *context, const struct mr_value *arguments,
                                 uint32_t count)
{
    (void)count;
    struct mr_value value = arguments[0];
    char text[64];
    size_t size = 0;
    switch (value.kind) {
    case MR_KIND_STRING:
        return value;
    case MR_KIND_BYTES:
        if (!mr_utf8_valid(mr_value_text(value)))
            return mr_cel_error("the bytes are not UTF-8");
        return mr_value_string(mr_value_text(value));
    case MR_KIND_BOOL:
        return mr_value_string(mr_slice_text(value.boolean ? "true" : "false"));
    case MR_KIND_INT:
        size = mr_number_format_int(value.integer, text);
        break;
    case MR_KIND_UINT:
        size = mr_number_format_uint(value.unsigned_integer, text);
        break;
    case MR_KIND_DOUBLE:
        size = format_double(value.number, text);
        break;
    case MR_KIND_TIMESTAMP:
        size = format_timestamp(value.integer, text, sizeof text);
        break;
    default:
        size = format_duration(value.integer, text, sizeof text);
        break;
    }
    uint8_t *copy = mr_cel_take(context, size);
    if (copy == NULL)
        return mr_cel_error_cost();
    memcpy(copy, text, size);
    return mr_value_string(mr_slice_from(copy, size));
}

struct mr_value mr_cel_to_timestamp(struct mr_cel_context *context,
                                    const struct mr_value *arguments, uint32_t count)
{
    (void)count;
    struct mr_value result = {.kind = MR_KIND_TIMESTAMP};
    int64_t seconds = arguments[0].integer;
    int32_t nanoseconds = 0;
    if (arguments[0].kind == MR_KIND_STRING &&
        !mr_clock_parse_rfc3339(mr_value_text(arguments[0]), &seconds, &nanoseconds))
        return unreadable(context, arguments[0],
                          "a time as RFC 3339 writes it, like 2026-01-28T10:30:00Z");
    if (__builtin_mul_overflow(seconds, (int64_t)NANOSECONDS, &result.integer) ||
        __builtin_add_overflow(result.integer, (int64_t)nanoseconds, &result.integer))
        return mr_cel_error("timestamp out of range: years 1678 to 2261 are supported");
    return result;
}

/* The unit at text[0..size): its nanoseconds and length. */
static size_t duration_unit(const uint8_t *text, size_t size, int64_t *nanoseconds)
{
    static const struct {
        const char *text;
        int64_t nanoseconds;
    } units[] = {{"ns", 1},
                 {"us", 1000},
                 {"\xC2\xB5s", 1000},
                 {"ms", 1000000},
                 {"s", NANOSECONDS},
                 {"m", 60ll * NANOSECONDS},
                 {"h", 3600ll * NANOSECONDS}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t length = strlen(units[i].text);
        if (length <= size && memcmp(text, units[i].text, length) == 0) {
            *nanoseconds = units[i].nanoseconds;
            return length;
        }
    }
    return 0;
}

/* One term like 1.5h at text[*at..). Sums are kept negative, so that the smallest int64 fits. */
static bool parse_term(struct mr_slice text, size_t *at, int64_t *negative_sum)
{
    int64_t whole = 0;
    int64_t fraction = 0;
    int64_t scale = 1;
    size_t digits = 0;
    for (; *at < text.size && text.data[*at] >= '0' && text.data[*at] <= '9'; ++*at, digits++) {
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_sub_overflow(whole, text.data[*at] - '0', &whole))
            return false;
    }
    if (*at < text.size && text.data[*at] == '.') {
        for (++*at; *at < text.size && text.data[*at] >= '0' && text.data[*at] <= '9';
             ++*at, digits++) {
            if (scale < 1000000000000) {
                fraction = fraction * 10 + (text.data[*at] - '0');
                scale *= 10;
            }
        }
    }
    int64_t unit = 0;
    size_t unit_size = duration_unit(text.data + *at, text.size - *at, &unit);
    if (digits == 0 || unit_size == 0)
        return false;
    *at += unit_size;
    int64_t part = 0;
    return !__builtin_mul_overflow(whole, unit, &part) &&
           !__builtin_add_overflow(*negative_sum, part, negative_sum) &&
           !__builtin_sub_overflow(*negative_sum, (int64_t)((wide_int)fraction * unit / scale),
                                   negative_sum);
}

bool mr_cel_parse_duration(struct mr_slice text, int64_t *nanoseconds)
{
    size_t at = 0;
    int64_t negative_sum = 0;
    bool negative = text.size > 0 && text.data[0] == '-';
    if (text.size > 0 && (text.data[0] == '-' || text.data[0] == '+'))
        at++;
    *nanoseconds = 0;
    if (text.size == at + 1 && text.data[at] == '0')
        return true;
    if (at == text.size)
        return false;
    while (at < text.size) {
        if (!parse_term(text, &at, &negative_sum))
            return false;
    }
    if (!negative && negative_sum == INT64_MIN)
        return false;
    *nanoseconds = negative ? negative_sum : -negative_sum;
    return true;
}

struct mr_value mr_cel_to_duration(struct mr_cel_context *context, const struct mr_value *arguments,
                                   uint32_t count)
{
    (void)count;
    struct mr_value result = {.kind = MR_KIND_DURATION};
    if (!mr_cel_parse_duration(mr_value_text(arguments[0]), &result.integer))
        return unreadable(context, arguments[0],
                          "a duration like 1h30m or 250ms (units h, m, s, ms, us, ns)");
    return result;
}
