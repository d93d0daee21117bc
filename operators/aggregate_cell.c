/* operators/aggregate_cell.c — see aggregate_cell.h. */
#include "operators/aggregate_cell.h"

#include "base/assert.h"
#include "base/hash.h"
#include "record/row.h"
#include "topology/expression.h"

#include <math.h>

struct cell_head {
    uint32_t kind;
    uint32_t size;
};

static bool has_text(uint8_t kind)
{
    return kind == MR_KIND_STRING || kind == MR_KIND_BYTES;
}

uint32_t mr_aggregate_cell_bytes(const struct mr_aggregate_call *call, uint32_t argument,
                                 uint32_t text_bytes)
{
    enum mr_type_code code = mr_program_type(call->arguments[argument])->code;
    if (code == MR_TYPE_ANY || code == MR_TYPE_STRING || code == MR_TYPE_BYTES ||
        code == MR_TYPE_LIST || code == MR_TYPE_OBJECT) {
        uint32_t bytes = MR_AGGREGATE_CELL_HEAD_BYTES + ((text_bytes + 7) & ~7u);
        if (bytes > MR_AGGREGATE_CELL_SCALAR_BYTES)
            return bytes;
    }
    return MR_AGGREGATE_CELL_SCALAR_BYTES;
}

enum mr_status mr_aggregate_cell_check(const struct mr_aggregate *aggregate, uint32_t cell_bytes,
                                       const struct mr_value *value, struct mr_error *error)
{
    const char *text = aggregate->call->text;
    if (value->kind == MR_KIND_INT || value->kind == MR_KIND_UINT || value->kind == MR_KIND_BOOL ||
        value->kind == MR_KIND_TIMESTAMP || value->kind == MR_KIND_DURATION)
        return MR_OK;
    if (value->kind == MR_KIND_DOUBLE) {
        if (isfinite(value->number))
            return MR_OK;
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "%s: the number is not finite", text);
    }
    if (!has_text(value->kind))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "%s takes numbers, text, bytes, booleans and times; this value is of type "
                       "%s",
                       text, mr_kind_name(value->kind));
    uint32_t room = cell_bytes - MR_AGGREGATE_CELL_HEAD_BYTES;
    if (value->size <= room)
        return MR_OK;
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                   "%s keeps at most %u bytes of text and this is of %u: raise the function's "
                   "parameter `bytes`, or shorten the text",
                   text, room, value->size);
}

void mr_aggregate_cell_put(uint8_t *cell, uint32_t cell_bytes, const struct mr_value *value)
{
    struct cell_head head = {.kind = value->kind};
    memset(cell, 0, cell_bytes);
    if (has_text(value->kind)) {
        head.size = value->size;
        MR_ASSERT(head.size <= cell_bytes - MR_AGGREGATE_CELL_HEAD_BYTES);
        if (head.size > 0)
            memcpy(cell + sizeof(head), value->text, head.size);
    } else {
        uint64_t bits =
            value->kind == MR_KIND_BOOL ? (uint64_t)value->boolean : value->unsigned_integer;
        memcpy(cell + sizeof(head), &bits, sizeof(bits));
    }
    memcpy(cell, &head, sizeof(head));
}

struct mr_value mr_aggregate_cell_view(const uint8_t *cell)
{
    struct cell_head head;
    memcpy(&head, cell, sizeof(head));
    struct mr_value value = {.kind = (uint8_t)head.kind, .size = head.size};
    if (mr_aggregate_kind_has_text(value.kind)) {
        value.text = cell + sizeof(head);
        return value;
    }
    uint64_t bits;
    memcpy(&bits, cell + sizeof(head), sizeof(bits));
    if (value.kind == MR_KIND_BOOL)
        value.boolean = bits != 0;
    else
        value.unsigned_integer = bits;
    return value;
}

/* ---- Values that are only kept ---- */

static bool is_nested(uint8_t kind)
{
    return kind == MR_KIND_LIST || kind == MR_KIND_MAP;
}

/* What is in the value that cannot be kept; NULL: nothing. Pre: it is not nested too deep. */
static const char *unfit(const struct mr_value *value)
{
    const char *found = NULL;
    switch ((enum mr_kind)value->kind) {
    case MR_KIND_NULL:
    case MR_KIND_BOOL:
    case MR_KIND_INT:
    case MR_KIND_UINT:
    case MR_KIND_STRING:
    case MR_KIND_BYTES:
    case MR_KIND_TIMESTAMP:
    case MR_KIND_DURATION:
    case MR_KIND_JSON:
        return NULL;
    case MR_KIND_DOUBLE:
        return isfinite(value->number) ? NULL : "a number that is not finite";
    case MR_KIND_LIST:
        for (uint32_t index = 0; index < value->size && found == NULL; index++)
            found = unfit(&value->items[index]);
        return found;
    case MR_KIND_MAP:
        for (uint32_t index = 0; index < value->size && found == NULL; index++) {
            found = unfit(&value->entries[index].key);
            if (found == NULL)
                found = unfit(&value->entries[index].value);
        }
        return found;
    case MR_KIND_ABSENT:
    case MR_KIND_REMOVED:
    case MR_KIND_ERROR:
    case MR_KIND_TYPE:
    case MR_KIND_COUNT:
        break;
    }
    return "a value of a type that JSON does not have";
}

enum mr_status mr_aggregate_kept_check(const struct mr_aggregate *aggregate, uint32_t cell_bytes,
                                       const struct mr_value *value, struct mr_error *error)
{
    const char *text = aggregate->call->text;
    const char *kind = mr_kind_name(value->kind);
    uint32_t room = cell_bytes - MR_AGGREGATE_CELL_HEAD_BYTES;
    if (!is_nested(value->kind) && value->kind != MR_KIND_JSON)
        return mr_aggregate_cell_check(aggregate, cell_bytes, value, error);
    size_t size = is_nested(value->kind) ? mr_row_cell_size(value) : value->size;
    if (size == SIZE_MAX)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "%s: the %s is nested too deep to be kept, at most %d levels are", text,
                       kind, (int)MR_ROW_DEPTH_MAX);
    if (size > room)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "%s keeps at most %u bytes of a value and this %s takes %zu: raise the "
                       "function's parameter `bytes`, or take the part that is needed",
                       text, room, kind, size);
    const char *found = unfit(value);
    return found == NULL ? MR_OK
                         : MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "%s: the %s holds %s", text,
                                   kind, found);
}

void mr_aggregate_kept_put(uint8_t *cell, uint32_t cell_bytes, const struct mr_value *value)
{
    struct cell_head head = {.kind = value->kind, .size = value->size};
    if (!is_nested(value->kind) && value->kind != MR_KIND_JSON) {
        mr_aggregate_cell_put(cell, cell_bytes, value);
        return;
    }
    if (is_nested(value->kind))
        head.size = (uint32_t)mr_row_cell_size(value);
    MR_ASSERT(head.size <= cell_bytes - MR_AGGREGATE_CELL_HEAD_BYTES);
    memset(cell, 0, cell_bytes);
    memcpy(cell, &head, sizeof(head));
    if (is_nested(value->kind))
        mr_row_cell_write(value, cell + sizeof(head));
    else if (head.size > 0)
        memcpy(cell + sizeof(head), value->text, head.size);
}

enum mr_status mr_aggregate_kept_read(const uint8_t *cell, struct mr_arena *arena,
                                      struct mr_value *value, struct mr_error *error)
{
    struct cell_head head;
    memcpy(&head, cell, sizeof(head));
    if (is_nested((uint8_t)head.kind)) {
        struct mr_slice bytes = mr_slice_from(cell + sizeof(head), head.size);
        return mr_row_cell_read(mr_arena_copy(arena, bytes), arena, value, error);
    }
    *value = mr_aggregate_cell_view(cell);
    *value = value->kind == MR_KIND_ABSENT ? mr_value_null() : mr_value_copy(arena, *value);
    return MR_OK;
}

/* ---- Order ---- */

static int compare_doubles(double left, double right)
{
    return left < right ? -1 : left > right;
}

/* Exact: no integer is rounded to a double. number is finite. */
static int compare_with_double(const struct mr_value *integer, double number)
{
    if (integer->kind == MR_KIND_INT) {
        if (number >= 0x1p63)
            return -1;
        if (number < -0x1p63)
            return 1;
        int64_t whole = (int64_t)number; /* towards zero */
        if (integer->integer != whole)
            return integer->integer < whole ? -1 : 1;
        return compare_doubles((double)whole, number);
    }
    if (number >= 0x1p64)
        return -1;
    if (number < 0)
        return 1;
    uint64_t whole = (uint64_t)number;
    if (integer->unsigned_integer != whole)
        return integer->unsigned_integer < whole ? -1 : 1;
    return compare_doubles((double)whole, number);
}

static int compare_numbers(const struct mr_value *left, const struct mr_value *right)
{
    if (left->kind == MR_KIND_DOUBLE)
        return right->kind == MR_KIND_DOUBLE ? compare_doubles(left->number, right->number)
                                             : -compare_with_double(right, left->number);
    if (right->kind == MR_KIND_DOUBLE)
        return compare_with_double(left, right->number);
    bool left_negative = left->kind == MR_KIND_INT && left->integer < 0;
    bool right_negative = right->kind == MR_KIND_INT && right->integer < 0;
    if (left_negative != right_negative)
        return left_negative ? -1 : 1;
    /* Two's complement: negative ones keep their order as unsigned ones. */
    if (left->unsigned_integer == right->unsigned_integer)
        return 0;
    return left->unsigned_integer < right->unsigned_integer ? -1 : 1;
}

static int class_of(uint8_t kind)
{
    switch ((enum mr_kind)kind) {
    case MR_KIND_INT:
    case MR_KIND_UINT:
    case MR_KIND_DOUBLE:
        return 0;
    case MR_KIND_TIMESTAMP:
        return 1;
    case MR_KIND_DURATION:
        return 2;
    case MR_KIND_BOOL:
        return 3;
    case MR_KIND_STRING:
        return 4;
    case MR_KIND_BYTES:
        return 5;
    case MR_KIND_ABSENT:
    case MR_KIND_REMOVED:
    case MR_KIND_ERROR:
    case MR_KIND_NULL:
    case MR_KIND_LIST:
    case MR_KIND_MAP:
    case MR_KIND_JSON:
    case MR_KIND_TYPE:
    case MR_KIND_COUNT:
        break;
    }
    MR_ASSERT(false && "a value without an order");
    return -1;
}

int mr_aggregate_compare(const struct mr_value *left, const struct mr_value *right)
{
    if (left->kind == MR_KIND_DOUBLE && right->kind == MR_KIND_DOUBLE)
        return compare_doubles(left->number, right->number);
    int class = class_of(left->kind);
    int other = class_of(right->kind);
    if (class != other)
        return class < other ? -1 : 1;
    if (class == 0)
        return compare_numbers(left, right);
    if (class <= 2)
        return left->integer < right->integer ? -1 : left->integer > right->integer;
    if (class == 3)
        return (int)left->boolean - (int)right->boolean;
    return mr_slice_compare(mr_value_text(*left), mr_value_text(*right));
}

/* ---- Keys ---- */

enum key_tag {
    KEY_INT = 1,
    KEY_UINT,   /* beyond the ints */
    KEY_DOUBLE, /* not a whole number of 64 bits */
    KEY_TIMESTAMP,
    KEY_DURATION,
    KEY_BOOL,
    KEY_LONG_STRING,
    KEY_LONG_BYTES,
    KEY_STRING = 0x10, /* + size */
    KEY_BYTES = 0x20,  /* + size */
    KEY_TEXT_MAX = 15
};

static struct mr_aggregate_key scalar_key(uint64_t bits, enum key_tag tag)
{
    struct mr_aggregate_key key = {0};
    memcpy(key.bytes, &bits, sizeof(bits));
    key.bytes[KEY_TEXT_MAX] = (uint8_t)tag;
    return key;
}

static struct mr_aggregate_key double_key(double number)
{
    if (number >= -0x1p63 && number < 0x1p63 && (double)(int64_t)number == number)
        return scalar_key((uint64_t)(int64_t)number, KEY_INT);
    if (number >= 0x1p63 && number < 0x1p64)
        return scalar_key((uint64_t)number, KEY_UINT);
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    return scalar_key(bits, KEY_DOUBLE);
}

static struct mr_aggregate_key text_key(struct mr_slice text, enum key_tag tag,
                                        enum key_tag long_tag)
{
    struct mr_aggregate_key key = {0};
    if (text.size <= KEY_TEXT_MAX) {
        if (text.size > 0)
            memcpy(key.bytes, text.data, text.size);
        key.bytes[KEY_TEXT_MAX] = (uint8_t)(tag + text.size);
        return key;
    }
    uint64_t first = mr_hash64(text);
    uint64_t second = mr_hash64_seeded(text, first);
    memcpy(key.bytes, &first, sizeof(first));
    memcpy(key.bytes + sizeof(first), &second, sizeof(second));
    key.bytes[KEY_TEXT_MAX] = (uint8_t)long_tag;
    return key;
}

struct mr_aggregate_key mr_aggregate_key_of(const struct mr_value *value)
{
    if (value->kind == MR_KIND_INT)
        return scalar_key((uint64_t)value->integer, KEY_INT);
    if (value->kind == MR_KIND_UINT)
        return scalar_key(value->unsigned_integer,
                          value->unsigned_integer <= INT64_MAX ? KEY_INT : KEY_UINT);
    if (value->kind == MR_KIND_DOUBLE)
        return double_key(value->number);
    if (value->kind == MR_KIND_TIMESTAMP || value->kind == MR_KIND_DURATION)
        return scalar_key((uint64_t)value->integer,
                          value->kind == MR_KIND_TIMESTAMP ? KEY_TIMESTAMP : KEY_DURATION);
    if (value->kind == MR_KIND_BOOL)
        return scalar_key(value->boolean, KEY_BOOL);
    MR_ASSERT(has_text(value->kind));
    return value->kind == MR_KIND_STRING
               ? text_key(mr_value_text(*value), KEY_STRING, KEY_LONG_STRING)
               : text_key(mr_value_text(*value), KEY_BYTES, KEY_LONG_BYTES);
}
