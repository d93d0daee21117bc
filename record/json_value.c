/* record/json_value.c — values of JSON text as cells.
 * Design: scalars become cells without memory, except escaped strings and base64. Containers grow
 * in a small array on the stack, then by doubling in the arena. Names of an object that occur more
 * than once keep the place of the first and the value of the last; large objects are sorted to find
 * them, so that no input makes that slow. */
#include "record/json_value.h"

#include "base/limits.h"
#include "record/scalar.h"

enum {
    SMALL_COUNT = 8,     /* elements of a container that need no growing */
    QUADRATIC_COUNT = 16 /* up to here names are compared with each other */
};

static const struct mr_type any_type = {.code = MR_TYPE_ANY};

static const uint8_t *read_string(struct mr_json_scan *scan, const uint8_t *at,
                                  struct mr_slice *text)
{
    bool escaped;
    const uint8_t *from = at + 1;
    const uint8_t *to = mr_json_string_end(scan, from, &escaped);
    if (to == NULL)
        return NULL;
    *text = escaped ? mr_json_unescape(scan, from, to) : mr_slice_from(from, (size_t)(to - from));
    return to + 1;
}

/* true, false, null. */
static const uint8_t *read_word(struct mr_json_scan *scan, const uint8_t *at,
                                const struct mr_type *type, struct mr_value *value)
{
    const uint8_t *next = mr_json_skip_value(scan, at, 0);
    if (next == NULL)
        return NULL;
    if (*at == 'n')
        *value = mr_value_null();
    else if (type->code == MR_TYPE_ANY || type->code == MR_TYPE_BOOL)
        *value = mr_value_bool(*at == 't');
    else
        *value = mr_scalar_contradiction(scan->arena, type, "a bool");
    return next;
}

static const uint8_t *read_number(struct mr_json_scan *scan, const uint8_t *at,
                                  const struct mr_type *type, struct mr_value *value)
{
    struct mr_number number;
    const uint8_t *next = mr_number_parse(at, scan->end, &number);
    if (next == NULL)
        return mr_json_skip_number(scan, at); /* notes where it is wrong */
    *value = mr_scalar_from_number(scan->arena, &number, type);
    return next;
}

/* ---- Containers. ---- */

/* Make room for one more of count elements; small is the array on the stack. */
static void *grow(struct mr_arena *arena, void *elements, uint32_t count, uint32_t *capacity,
                  size_t element_size)
{
    if (count < *capacity)
        return elements;
    *capacity *= 2;
    void *larger = mr_arena_take(arena, *capacity * element_size);
    memcpy(larger, elements, count * element_size);
    return larger;
}

static const uint8_t *read_list(struct mr_json_scan *scan, const uint8_t *at,
                                const struct mr_type *element, uint32_t depth,
                                struct mr_value *value)
{
    struct mr_value small[SMALL_COUNT];
    struct mr_value *items = small;
    uint32_t capacity = SMALL_COUNT;
    uint32_t count = 0;
    if (depth == MR_LIMIT_JSON_DEPTH)
        return mr_json_fail(scan, at, "expected at most 128 nested containers");
    at = mr_json_skip_space(at + 1, scan->end);
    bool closed = at < scan->end && *at == ']';
    at += closed;
    while (!closed) {
        items = grow(scan->arena, items, count, &capacity, sizeof(*items));
        at = mr_json_skip_space(at, scan->end);
        at = mr_json_read_value(scan, at, element, depth + 1, &items[count]);
        if (at == NULL)
            return NULL;
        count++;
        at = mr_json_skip_space(at, scan->end);
        if (at == scan->end || (*at != ',' && *at != ']'))
            return mr_json_fail(scan, at, "expected ',' or ']'");
        closed = *at++ == ']';
    }
    if (items == small)
        items = memcpy(mr_arena_take(scan->arena, count * sizeof(*items)), small,
                       count * sizeof(*items));
    *value = (struct mr_value){.kind = MR_KIND_LIST, .size = count, .items = items};
    return at;
}

/* Order of names, then of places. */
static int compare_entries(const struct mr_map_entry *entries, uint32_t left, uint32_t right)
{
    int order =
        mr_slice_compare(mr_value_text(entries[left].key), mr_value_text(entries[right].key));
    return order != 0 ? order : left < right ? -1 : 1;
}

/* Merge sort of indexes; the result is in the returned one of the two arrays. */
static uint32_t *sort_entries(const struct mr_map_entry *entries, uint32_t count, uint32_t *from,
                              uint32_t *to)
{
    for (uint32_t i = 0; i < count; i++)
        from[i] = i;
    for (uint32_t width = 1; width < count; width *= 2) {
        for (uint32_t start = 0; start < count; start += 2 * width) {
            uint32_t middle = start + width < count ? start + width : count;
            uint32_t end = middle + width < count ? middle + width : count;
            uint32_t left = start;
            uint32_t right = middle;
            for (uint32_t i = start; i < end; i++) {
                bool take_left =
                    left < middle &&
                    (right == end || compare_entries(entries, from[left], from[right]) < 0);
                to[i] = take_left ? from[left++] : from[right++];
            }
        }
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

/* Drop the entries marked by a key of kind ABSENT. */
static uint32_t compact(struct mr_map_entry *entries, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (entries[i].key.kind != MR_KIND_ABSENT)
            entries[kept++] = entries[i];
    }
    return kept;
}

static bool same_name(const struct mr_map_entry *left, const struct mr_map_entry *right)
{
    return mr_slice_equal(mr_value_text(left->key), mr_value_text(right->key));
}

/* Make names unique: the first place, the last value. Returns the new count. */
static uint32_t unite_names(struct mr_arena *arena, struct mr_map_entry *entries, uint32_t count)
{
    uint32_t dropped = 0;
    if (count <= QUADRATIC_COUNT) {
        for (uint32_t i = 1; i < count; i++) {
            for (uint32_t k = 0; k < i; k++) {
                if (entries[k].key.kind == MR_KIND_ABSENT || !same_name(&entries[k], &entries[i]))
                    continue;
                entries[k].value = entries[i].value;
                entries[i].key.kind = MR_KIND_ABSENT;
                dropped++;
                break;
            }
        }
        return dropped == 0 ? count : compact(entries, count);
    }
    uint32_t *indexes = mr_arena_take(arena, 2 * (size_t)count * sizeof(*indexes));
    uint32_t *order = sort_entries(entries, count, indexes, indexes + count);
    uint32_t first = order[0];
    for (uint32_t i = 1; i < count; i++) {
        if (!same_name(&entries[first], &entries[order[i]])) {
            first = order[i];
            continue;
        }
        entries[first].value = entries[order[i]].value;
        entries[order[i]].key.kind = MR_KIND_ABSENT;
        dropped++;
    }
    mr_arena_give_back(arena, indexes, 2 * (size_t)count * sizeof(*indexes), 0);
    return dropped == 0 ? count : compact(entries, count);
}

static const struct mr_type *field_type(const struct mr_type *type, struct mr_slice name)
{
    for (uint32_t i = 0; type->code == MR_TYPE_OBJECT && i < type->fields_count; i++) {
        if (mr_slice_equal(mr_slice_text(type->fields[i].name), name))
            return type->fields[i].type;
    }
    return &any_type;
}

/* A name, its colon and the space behind it. */
static const uint8_t *read_name(struct mr_json_scan *scan, const uint8_t *at, struct mr_slice *name)
{
    at = mr_json_skip_space(at, scan->end);
    if (at == scan->end || *at != '"')
        return mr_json_fail(scan, at, "expected a name");
    at = read_string(scan, at, name);
    if (at == NULL)
        return NULL;
    at = mr_json_skip_space(at, scan->end);
    if (at == scan->end || *at != ':')
        return mr_json_fail(scan, at, "expected ':'");
    return mr_json_skip_space(at + 1, scan->end);
}

static const uint8_t *read_map(struct mr_json_scan *scan, const uint8_t *at,
                               const struct mr_type *type, uint32_t depth, struct mr_value *value)
{
    struct mr_map_entry small[SMALL_COUNT];
    struct mr_map_entry *entries = small;
    uint32_t capacity = SMALL_COUNT;
    uint32_t count = 0;
    if (depth == MR_LIMIT_JSON_DEPTH)
        return mr_json_fail(scan, at, "expected at most 128 nested containers");
    at = mr_json_skip_space(at + 1, scan->end);
    bool closed = at < scan->end && *at == '}';
    at += closed;
    while (!closed) {
        struct mr_slice name;
        at = read_name(scan, at, &name);
        if (at == NULL)
            return NULL;
        entries = grow(scan->arena, entries, count, &capacity, sizeof(*entries));
        entries[count].key = mr_value_string(name);
        at = mr_json_read_value(scan, at, field_type(type, name), depth + 1, &entries[count].value);
        if (at == NULL)
            return NULL;
        count++;
        at = mr_json_skip_space(at, scan->end);
        if (at == scan->end || (*at != ',' && *at != '}'))
            return mr_json_fail(scan, at, "expected ',' or '}'");
        closed = *at++ == '}';
    }
    count = unite_names(scan->arena, entries, count);
    if (entries == small)
        entries = memcpy(mr_arena_take(scan->arena, count * sizeof(*entries)), small,
                         count * sizeof(*entries));
    *value = (struct mr_value){.kind = MR_KIND_MAP, .size = count, .entries = entries};
    return at;
}

static const uint8_t *read_container(struct mr_json_scan *scan, const uint8_t *at,
                                     const struct mr_type *type, uint32_t depth,
                                     struct mr_value *value)
{
    bool list = *at == '[';
    if (type->code != MR_TYPE_ANY && type->code != (list ? MR_TYPE_LIST : MR_TYPE_OBJECT)) {
        at = mr_json_skip_value(scan, at, depth);
        if (at != NULL)
            *value = mr_scalar_contradiction(scan->arena, type, list ? "an array" : "an object");
        return at;
    }
    if (!list)
        return read_map(scan, at, type, depth, value);
    const struct mr_type *element = type->code == MR_TYPE_LIST ? type->element : &any_type;
    return read_list(scan, at, element, depth, value);
}

const uint8_t *mr_json_read_value(struct mr_json_scan *scan, const uint8_t *at,
                                  const struct mr_type *type, uint32_t depth,
                                  struct mr_value *value)
{
    if (at == scan->end)
        return mr_json_fail(scan, at, "expected a value");
    switch (*at) {
    case '"': {
        struct mr_slice text;
        at = read_string(scan, at, &text);
        if (at != NULL)
            *value = mr_scalar_from_string(scan->arena, text, type);
        return at;
    }
    case '{':
    case '[':
        return read_container(scan, at, type, depth, value);
    case 't':
    case 'f':
    case 'n':
        return read_word(scan, at, type, value);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return read_number(scan, at, type, value);
    default:
        return mr_json_fail(scan, at, "expected a value");
    }
}

enum mr_status mr_json_parse(struct mr_slice text, const struct mr_type *type,
                             struct mr_arena *arena, struct mr_value *value, struct mr_error *error)
{
    static const uint8_t nothing[1];
    const uint8_t *start = text.size > 0 ? text.data : nothing;
    struct mr_json_scan scan = {.start = start, .end = start + text.size, .arena = arena};
    const uint8_t *at = mr_json_skip_space(start, scan.end);
    at = mr_json_read_value(&scan, at, type != NULL ? type : &any_type, 0, value);
    if (at != NULL) {
        at = mr_json_skip_space(at, scan.end);
        if (at == scan.end)
            return MR_OK;
        mr_json_fail(&scan, at, "expected the end of the text");
    }
    struct mr_slice message = mr_json_error_text(&scan);
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "Invalid JSON: %.*s.",
                   (int)message.size, (const char *)message.data);
}
