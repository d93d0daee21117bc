/* record/value.c — names, deep copies and equality of cells.
 * Design: recursion is bounded by MR_LIMIT_JSON_DEPTH and by what expressions can nest. */
#include "record/value.h"

#include "base/assert.h"

const char *mr_kind_name(enum mr_kind kind)
{
    static const char *const names[MR_KIND_COUNT] = {
        [MR_KIND_ABSENT] = "absent",       [MR_KIND_REMOVED] = "removed",
        [MR_KIND_ERROR] = "error",         [MR_KIND_NULL] = "null",
        [MR_KIND_BOOL] = "bool",           [MR_KIND_INT] = "int",
        [MR_KIND_UINT] = "uint",           [MR_KIND_DOUBLE] = "double",
        [MR_KIND_STRING] = "string",       [MR_KIND_BYTES] = "bytes",
        [MR_KIND_TIMESTAMP] = "timestamp", [MR_KIND_DURATION] = "duration",
        [MR_KIND_LIST] = "list",           [MR_KIND_MAP] = "map",
        [MR_KIND_JSON] = "json",           [MR_KIND_TYPE] = "type",
    };
    MR_ASSERT((unsigned)kind < MR_KIND_COUNT);
    return names[kind];
}

static bool holds_text(uint8_t kind)
{
    return kind == MR_KIND_STRING || kind == MR_KIND_BYTES || kind == MR_KIND_JSON ||
           kind == MR_KIND_TYPE || kind == MR_KIND_ERROR;
}

struct mr_value mr_value_copy(struct mr_arena *arena, struct mr_value value)
{
    if (holds_text(value.kind)) {
        value.text = mr_arena_copy(arena, mr_value_text(value)).data;
    } else if (value.kind == MR_KIND_LIST && value.size > 0) {
        struct mr_value *items = mr_arena_take(arena, value.size * sizeof(*items));
        for (uint32_t i = 0; i < value.size; i++)
            items[i] = mr_value_copy(arena, value.items[i]);
        value.items = items;
    } else if (value.kind == MR_KIND_MAP && value.size > 0) {
        struct mr_map_entry *entries = mr_arena_take(arena, value.size * sizeof(*entries));
        for (uint32_t i = 0; i < value.size; i++) {
            entries[i].key = mr_value_copy(arena, value.entries[i].key);
            entries[i].value = mr_value_copy(arena, value.entries[i].value);
        }
        value.entries = entries;
    }
    return value;
}

/* An integer in int64's or uint64's range equals a double only when the double is that integer. */
static bool double_equals_signed(double number, int64_t integer)
{
    return number >= -0x1p63 && number < 0x1p63 && (int64_t)number == integer &&
           (double)(int64_t)number == number;
}

static bool double_equals_unsigned(double number, uint64_t integer)
{
    return number >= 0 && number < 0x1p64 && (uint64_t)number == integer &&
           (double)(uint64_t)number == number;
}

static bool is_number(uint8_t kind)
{
    return kind == MR_KIND_INT || kind == MR_KIND_UINT || kind == MR_KIND_DOUBLE;
}

static bool numbers_equal(struct mr_value left, struct mr_value right)
{
    if (left.kind > right.kind)
        return numbers_equal(right, left); /* INT < UINT < DOUBLE */
    if (right.kind == MR_KIND_DOUBLE) {
        if (left.kind == MR_KIND_DOUBLE)
            return left.number == right.number;
        return left.kind == MR_KIND_INT
                   ? double_equals_signed(right.number, left.integer)
                   : double_equals_unsigned(right.number, left.unsigned_integer);
    }
    if (left.kind == MR_KIND_INT && right.kind == MR_KIND_UINT && left.integer < 0)
        return false;
    return left.unsigned_integer == right.unsigned_integer;
}

static const struct mr_map_entry *find_entry(struct mr_value map, struct mr_value key,
                                             uint32_t hint)
{
    /* Maps of the same source mostly have the same order. */
    if (hint < map.size && mr_value_equal(map.entries[hint].key, key))
        return &map.entries[hint];
    for (uint32_t i = 0; i < map.size; i++) {
        if (mr_value_equal(map.entries[i].key, key))
            return &map.entries[i];
    }
    return NULL;
}

static bool maps_equal(struct mr_value left, struct mr_value right)
{
    if (left.size != right.size)
        return false;
    for (uint32_t i = 0; i < left.size; i++) {
        const struct mr_map_entry *other = find_entry(right, left.entries[i].key, i);
        if (other == NULL || !mr_value_equal(left.entries[i].value, other->value))
            return false;
    }
    return true;
}

static bool lists_equal(struct mr_value left, struct mr_value right)
{
    if (left.size != right.size)
        return false;
    for (uint32_t i = 0; i < left.size; i++) {
        if (!mr_value_equal(left.items[i], right.items[i]))
            return false;
    }
    return true;
}

bool mr_value_equal(struct mr_value left, struct mr_value right)
{
    if (is_number(left.kind) && is_number(right.kind))
        return numbers_equal(left, right);
    if (left.kind != right.kind)
        return false;
    if (holds_text(left.kind))
        return mr_slice_equal(mr_value_text(left), mr_value_text(right));
    if (left.kind == MR_KIND_LIST)
        return lists_equal(left, right);
    if (left.kind == MR_KIND_MAP)
        return maps_equal(left, right);
    if (left.kind == MR_KIND_BOOL)
        return left.boolean == right.boolean;
    if (left.kind == MR_KIND_TIMESTAMP || left.kind == MR_KIND_DURATION)
        return left.integer == right.integer;
    return true; /* ABSENT, REMOVED, NULL */
}
