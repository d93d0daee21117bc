/* topology/cel_strings.c — functions over strings, bytes and sizes.
 * Design: positions count code points, as CEL's strings do; the bytes are UTF-8 throughout. Results
 * that are parts of the argument are borrowed from it; new text is charged to the row before it is
 * taken. */
#include <stdlib.h>

#include "base/utf8.h"
#include "topology/cel_functions.h"
#include "topology/cel_regex.h"

static struct mr_slice text_of(const struct mr_value *arguments, uint32_t index)
{
    struct mr_slice text = mr_value_text(arguments[index]);
    return text.size == 0 ? mr_slice_text("") : text; /* never NULL: places in it are computed */
}

static struct mr_value string_part(struct mr_slice text, size_t from, size_t to)
{
    return mr_value_string(mr_slice_from(text.data + from, to - from));
}

/* Steps of a search through text. */
static bool charge_text(struct mr_cel_context *context, struct mr_slice text)
{
    return mr_cel_charge(context, text.size / 64);
}

/* The first place of part at or behind `from`, SIZE_MAX when there is none. */
static size_t find(struct mr_slice text, struct mr_slice part, size_t from)
{
    if (part.size == 0)
        return from;
    if (text.size < part.size || from > text.size - part.size)
        return SIZE_MAX;
    const uint8_t *found = memmem(text.data + from, text.size - from, part.data, part.size);
    return found == NULL ? SIZE_MAX : (size_t)(found - text.data);
}

/* The byte at which code point `position` starts; the text's size for the position behind the last.
 * SIZE_MAX: beyond. */
static size_t byte_of_position(struct mr_slice text, int64_t position)
{
    if (position < 0)
        return SIZE_MAX;
    size_t at = 0;
    for (; position > 0; position--) {
        if (at >= text.size)
            return SIZE_MAX;
        for (at++; at < text.size && (text.data[at] & 0xC0u) == 0x80u;)
            at++;
    }
    return at;
}

static int64_t position_of_byte(struct mr_slice text, size_t byte)
{
    return (int64_t)mr_utf8_length(mr_slice_from(text.data, byte));
}

static struct mr_value out_of_range(struct mr_cel_context *context, int64_t position)
{
    return mr_cel_error_format(context, "position %lld is outside of the string",
                               (long long)position);
}

struct mr_value mr_cel_size(struct mr_cel_context *context, const struct mr_value *arguments,
                            uint32_t count)
{
    (void)count;
    if (arguments[0].kind != MR_KIND_STRING)
        return mr_value_int(arguments[0].size);
    if (!charge_text(context, text_of(arguments, 0)))
        return mr_cel_error_cost();
    return mr_value_int((int64_t)mr_utf8_length(text_of(arguments, 0)));
}

struct mr_value mr_cel_contains(struct mr_cel_context *context, const struct mr_value *arguments,
                                uint32_t count)
{
    (void)count;
    if (!charge_text(context, text_of(arguments, 0)))
        return mr_cel_error_cost();
    return mr_value_bool(find(text_of(arguments, 0), text_of(arguments, 1), 0) != SIZE_MAX);
}

struct mr_value mr_cel_starts_with(struct mr_cel_context *context, const struct mr_value *arguments,
                                   uint32_t count)
{
    (void)context;
    (void)count;
    struct mr_slice text = text_of(arguments, 0);
    struct mr_slice part = text_of(arguments, 1);
    return mr_value_bool(part.size <= text.size &&
                         mr_slice_equal(mr_slice_from(text.data, part.size), part));
}

struct mr_value mr_cel_ends_with(struct mr_cel_context *context, const struct mr_value *arguments,
                                 uint32_t count)
{
    (void)context;
    (void)count;
    struct mr_slice text = text_of(arguments, 0);
    struct mr_slice part = text_of(arguments, 1);
    return mr_value_bool(
        part.size <= text.size &&
        mr_slice_equal(mr_slice_from(text.data + (text.size - part.size), part.size), part));
}

/* A pattern that is not a literal: compiled here, and kept while the same text comes again. */
struct mr_value mr_cel_matches(struct mr_cel_context *context, const struct mr_value *arguments,
                               uint32_t count)
{
    (void)count;
    struct mr_slice pattern = text_of(arguments, 1);
    if (context->regex == NULL || !mr_slice_equal(pattern, mr_value_text(context->regex_pattern))) {
        const char *problem = NULL;
        size_t offset = 0;
        if (!mr_cel_charge(context, 100 + pattern.size * 16))
            return mr_cel_error_cost();
        context->regex = mr_cel_regex_compile(context->arena, pattern, &problem, &offset);
        context->regex_pattern = arguments[1];
        if (context->regex == NULL)
            return mr_cel_error_format(context, "the pattern of matches() is wrong at byte %zu: %s",
                                       offset + 1, problem);
    }
    struct mr_slice text = text_of(arguments, 0);
    if (!mr_cel_charge(context, text.size * mr_cel_regex_states(context->regex) / 16))
        return mr_cel_error_cost();
    return mr_value_bool(mr_cel_regex_matches(context->regex, context->regex_scratch, text));
}

struct mr_value mr_cel_char_at(struct mr_cel_context *context, const struct mr_value *arguments,
                               uint32_t count)
{
    (void)count;
    struct mr_slice text = text_of(arguments, 0);
    if (!charge_text(context, text))
        return mr_cel_error_cost();
    size_t from = byte_of_position(text, arguments[1].integer);
    if (from == SIZE_MAX)
        return out_of_range(context, arguments[1].integer);
    size_t to = from;
    while (to < text.size && (to == from || (text.data[to] & 0xC0u) == 0x80u))
        to++;
    return string_part(text, from, to);
}

struct mr_value mr_cel_index_of(struct mr_cel_context *context, const struct mr_value *arguments,
                                uint32_t count)
{
    struct mr_slice text = text_of(arguments, 0);
    if (!charge_text(context, text))
        return mr_cel_error_cost();
    size_t from = count == 3 ? byte_of_position(text, arguments[2].integer) : 0;
    if (from == SIZE_MAX)
        return out_of_range(context, arguments[2].integer);
    size_t found = find(text, text_of(arguments, 1), from);
    return mr_value_int(found == SIZE_MAX ? -1 : position_of_byte(text, found));
}

struct mr_value mr_cel_last_index_of(struct mr_cel_context *context,
                                     const struct mr_value *arguments, uint32_t count)
{
    struct mr_slice text = text_of(arguments, 0);
    struct mr_slice part = text_of(arguments, 1);
    size_t last = count == 3 ? byte_of_position(text, arguments[2].integer) : text.size;
    if (last == SIZE_MAX)
        return out_of_range(context, arguments[2].integer);
    if (part.size > text.size)
        return mr_value_int(-1);
    if (last > text.size - part.size)
        last = text.size - part.size;
    /* Worst case of the search backwards. */
    if (!mr_cel_charge(context, last / 64 * (part.size / 64 + 1)))
        return mr_cel_error_cost();
    for (size_t at = last + 1; at > 0; at--) {
        if (part.size == 0 || memcmp(text.data + at - 1, part.data, part.size) == 0)
            return mr_value_int(position_of_byte(text, at - 1));
    }
    return mr_value_int(-1);
}

struct mr_value mr_cel_join(struct mr_cel_context *context, const struct mr_value *arguments,
                            uint32_t count)
{
    struct mr_value list = arguments[0];
    struct mr_slice separator = count == 2 ? text_of(arguments, 1) : mr_slice_from(NULL, 0);
    size_t size = list.size == 0 ? 0 : separator.size * (list.size - 1);
    for (uint32_t i = 0; i < list.size; i++) {
        if (list.items[i].kind != MR_KIND_STRING)
            return mr_cel_error_kinds(context, "join()", list.items[i].kind, MR_KIND_ABSENT);
        size += list.items[i].size;
    }
    uint8_t *text = mr_cel_charge(context, list.size) ? mr_cel_take(context, size) : NULL;
    if (text == NULL)
        return mr_cel_error_cost();
    size_t at = 0;
    for (uint32_t i = 0; i < list.size; i++) {
        if (i > 0 && separator.size > 0) {
            memcpy(text + at, separator.data, separator.size);
            at += separator.size;
        }
        if (list.items[i].size > 0)
            memcpy(text + at, list.items[i].text, list.items[i].size);
        at += list.items[i].size;
    }
    return mr_value_string(mr_slice_from(text, at));
}

/* A copy in which every byte of [first, last] is moved by `shift`. */
static struct mr_value shift_ascii(struct mr_cel_context *context, struct mr_slice text,
                                   uint8_t first, uint8_t last, int shift)
{
    uint8_t *copy = mr_cel_take(context, text.size);
    if (copy == NULL)
        return mr_cel_error_cost();
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        copy[i] = c >= first && c <= last ? (uint8_t)(c + shift) : c;
    }
    return mr_value_string(mr_slice_from(copy, text.size));
}

struct mr_value mr_cel_lower_ascii(struct mr_cel_context *context, const struct mr_value *arguments,
                                   uint32_t count)
{
    (void)count;
    return shift_ascii(context, text_of(arguments, 0), 'A', 'Z', 'a' - 'A');
}

struct mr_value mr_cel_upper_ascii(struct mr_cel_context *context, const struct mr_value *arguments,
                                   uint32_t count)
{
    (void)count;
    return shift_ascii(context, text_of(arguments, 0), 'a', 'z', 'A' - 'a');
}

/* The next place of part at or behind *from, where an empty part stands before every code point and
 * behind the last. Moves *from behind it. False: none. */
static bool next_occurrence(struct mr_slice text, struct mr_slice part, size_t *from, size_t *place)
{
    if (*from > text.size)
        return false;
    if (part.size > 0) {
        *place = find(text, part, *from);
        *from = *place == SIZE_MAX ? text.size + 1 : *place + part.size;
        return *place != SIZE_MAX;
    }
    *place = *from;
    for (++*from; *from < text.size && (text.data[*from] & 0xC0u) == 0x80u;)
        ++*from;
    return true;
}

struct mr_value mr_cel_replace(struct mr_cel_context *context, const struct mr_value *arguments,
                               uint32_t count)
{
    struct mr_slice text = text_of(arguments, 0);
    struct mr_slice part = text_of(arguments, 1);
    struct mr_slice other = text_of(arguments, 2);
    uint64_t limit =
        count == 4 && arguments[3].integer >= 0 ? (uint64_t)arguments[3].integer : UINT64_MAX;
    size_t from = 0;
    size_t place = 0;
    uint64_t found = 0;
    if (!mr_cel_charge(context, text.size / (part.size == 0 ? 1 : 64)))
        return mr_cel_error_cost();
    while (found < limit && next_occurrence(text, part, &from, &place))
        found++;
    if (found == 0)
        return arguments[0];
    size_t size = text.size - found * part.size + found * other.size;
    uint8_t *result = mr_cel_take(context, size);
    if (result == NULL)
        return mr_cel_error_cost();
    size_t at = 0;
    size_t copied = 0;
    from = 0;
    for (uint64_t i = 0; i < found && next_occurrence(text, part, &from, &place); i++) {
        memcpy(result + at, text.data + copied, place - copied);
        at += place - copied;
        if (other.size > 0)
            memcpy(result + at, other.data, other.size);
        at += other.size;
        copied = place + part.size;
    }
    memcpy(result + at, text.data + copied, text.size - copied);
    return mr_value_string(mr_slice_from(result, size));
}

/* The end of the part that starts at `from`; SIZE_MAX: it is the last. *next is where the following
 * part starts. An empty separator divides into code points. */
static size_t part_end(struct mr_slice text, struct mr_slice separator, size_t from, size_t *next)
{
    if (separator.size > 0) {
        size_t found = find(text, separator, from);
        *next = found + separator.size;
        return found;
    }
    size_t at = from + 1;
    while (at < text.size && (text.data[at] & 0xC0u) == 0x80u)
        at++;
    *next = at;
    return at >= text.size ? SIZE_MAX : at;
}

struct mr_value mr_cel_split(struct mr_cel_context *context, const struct mr_value *arguments,
                             uint32_t count)
{
    struct mr_slice text = text_of(arguments, 0);
    struct mr_slice separator = text_of(arguments, 1);
    int64_t limit = count == 3 ? arguments[2].integer : -1;
    struct mr_value list = {.kind = MR_KIND_LIST};
    if (limit == 0 || (text.size == 0 && separator.size == 0))
        return list;
    if (!mr_cel_charge(context, text.size / (separator.size == 0 ? 1 : 64)))
        return mr_cel_error_cost();
    uint32_t parts = 1;
    size_t next = 0;
    for (size_t from = 0;
         (limit < 0 || parts < limit) && part_end(text, separator, from, &next) != SIZE_MAX;
         from = next)
        parts++;
    struct mr_value *items = mr_cel_take(context, parts * sizeof *items);
    if (items == NULL)
        return mr_cel_error_cost();
    size_t from = 0;
    for (uint32_t i = 0; i + 1 < parts; i++) {
        size_t end = part_end(text, separator, from, &next);
        items[i] = string_part(text, from, end);
        from = next;
    }
    items[parts - 1] = string_part(text, from, text.size);
    list.items = items;
    list.size = parts;
    return list;
}

struct mr_value mr_cel_substring(struct mr_cel_context *context, const struct mr_value *arguments,
                                 uint32_t count)
{
    struct mr_slice text = text_of(arguments, 0);
    if (!charge_text(context, text))
        return mr_cel_error_cost();
    size_t from = byte_of_position(text, arguments[1].integer);
    size_t to = count == 3 ? byte_of_position(text, arguments[2].integer) : text.size;
    if (from == SIZE_MAX)
        return out_of_range(context, arguments[1].integer);
    if (to == SIZE_MAX)
        return out_of_range(context, arguments[2].integer);
    if (to < from)
        return mr_cel_error("substring() ends before it starts");
    return string_part(text, from, to);
}

/* Unicode's White_Space. */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

struct mr_value mr_cel_trim(struct mr_cel_context *context, const struct mr_value *arguments,
                            uint32_t count)
{
    (void)count;
    struct mr_slice text = text_of(arguments, 0);
    if (!charge_text(context, text))
        return mr_cel_error_cost();
    size_t first = 0;
    size_t last = 0;
    bool found = false;
    for (size_t at = 0; at < text.size;) {
        uint32_t code_point = 0;
        size_t size = mr_utf8_decode(text.data + at, text.data + text.size, &code_point);
        size = size == 0 ? 1 : size;
        if (!is_space(code_point)) {
            first = found ? first : at;
            last = at + size;
            found = true;
        }
        at += size;
    }
    return string_part(text, first, last);
}

struct mr_value mr_cel_reverse(struct mr_cel_context *context, const struct mr_value *arguments,
                               uint32_t count)
{
    (void)count;
    struct mr_slice text = text_of(arguments, 0);
    uint8_t *result = mr_cel_take(context, text.size);
    if (result == NULL)
        return mr_cel_error_cost();
    size_t end = text.size;
    for (size_t at = 0; at < text.size;) {
        size_t size = 1;
        while (at + size < text.size && (text.data[at + size] & 0xC0u) == 0x80u)
            size++;
        end -= size;
        memcpy(result + end, text.data + at, size);
        at += size;
    }
    return mr_value_string(mr_slice_from(result, text.size));
}
