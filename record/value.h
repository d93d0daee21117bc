/* record/value.h — one cell: a dynamically typed value of 16 bytes.
 * Why: JSON fields have no declared type until a schema gives one; a small tagged cell keeps a
 * column of a batch dense and lets expressions and detectors run over it without allocation.
 * Owner: text, lists and maps are borrowed from the batch (payload or batch arena). */
#ifndef MR_RECORD_VALUE_H
#define MR_RECORD_VALUE_H

#include "base/arena.h"
#include "base/slice.h"

enum mr_kind {
    MR_KIND_ABSENT = 0, /* the field is not there; in an edit: leave the payload's member alone */
    MR_KIND_REMOVED,    /* only in edits: drop the payload's member */
    MR_KIND_ERROR,      /* `text` says why */
    MR_KIND_NULL,
    MR_KIND_BOOL,
    MR_KIND_INT,  /* int64 */
    MR_KIND_UINT, /* uint64 */
    MR_KIND_DOUBLE,
    MR_KIND_STRING, /* UTF-8, unescaped */
    MR_KIND_BYTES,
    MR_KIND_TIMESTAMP, /* nanoseconds since the epoch in `integer` (years 1678..2261) */
    MR_KIND_DURATION,  /* nanoseconds in `integer` */
    MR_KIND_LIST,      /* items[size] */
    MR_KIND_MAP,       /* entries[size], in the order of the text; keys unique (last one wins) */
    MR_KIND_JSON,      /* validated JSON text, written as it is; opaque to expressions */
    MR_KIND_TYPE,      /* CEL's type values, `text` is the name */
    MR_KIND_COUNT
};

struct mr_map_entry;

struct mr_value {
    uint8_t kind; /* enum mr_kind */
    uint8_t flags;
    uint16_t reserved;
    uint32_t size; /* of STRING, BYTES, JSON, TYPE, ERROR: bytes; of LIST and MAP: elements */
    union {
        bool boolean;
        int64_t integer;
        uint64_t unsigned_integer;
        double number;
        const uint8_t *text;
        const struct mr_value *items;
        const struct mr_map_entry *entries;
    };
};

enum mr_value_flags {
    /* The value was an undeclared JSON number: `text` form is in the payload; reads as a double. */
    MR_VALUE_UNDECLARED = 1u << 0
};

struct mr_map_entry {
    struct mr_value key; /* of JSON always STRING */
    struct mr_value value;
};

_Static_assert(sizeof(struct mr_value) == 16, "a column of 4096 cells must stay within 64 KiB");

static inline struct mr_value mr_value_null(void)
{
    return (struct mr_value){.kind = MR_KIND_NULL};
}
static inline struct mr_value mr_value_bool(bool boolean)
{
    return (struct mr_value){.kind = MR_KIND_BOOL, .boolean = boolean};
}
static inline struct mr_value mr_value_int(int64_t integer)
{
    return (struct mr_value){.kind = MR_KIND_INT, .integer = integer};
}
static inline struct mr_value mr_value_uint(uint64_t integer)
{
    return (struct mr_value){.kind = MR_KIND_UINT, .unsigned_integer = integer};
}
static inline struct mr_value mr_value_double(double number)
{
    return (struct mr_value){.kind = MR_KIND_DOUBLE, .number = number};
}
static inline struct mr_value mr_value_string(struct mr_slice text)
{
    return (struct mr_value){
        .kind = MR_KIND_STRING, .size = (uint32_t)text.size, .text = text.data};
}
static inline struct mr_value mr_value_bytes(struct mr_slice bytes)
{
    return (struct mr_value){
        .kind = MR_KIND_BYTES, .size = (uint32_t)bytes.size, .text = bytes.data};
}
/* message is static text or lives as long as the batch. */
static inline struct mr_value mr_value_error(struct mr_slice message)
{
    return (struct mr_value){
        .kind = MR_KIND_ERROR, .size = (uint32_t)message.size, .text = message.data};
}
static inline struct mr_slice mr_value_text(struct mr_value value)
{
    return mr_slice_from(value.text, value.size);
}

/* The number in a cell as a double: INT, UINT and DOUBLE. False for every other kind. */
static inline bool mr_value_as_double(struct mr_value value, double *number)
{
    if (value.kind == MR_KIND_DOUBLE)
        *number = value.number;
    else if (value.kind == MR_KIND_INT)
        *number = (double)value.integer;
    else if (value.kind == MR_KIND_UINT)
        *number = (double)value.unsigned_integer;
    else
        return false;
    return true;
}

/* The kind's name as messages and CEL print it: "double", "string", "list", "absent". */
const char *mr_kind_name(enum mr_kind kind);

/* Deep copy into arena. */
struct mr_value mr_value_copy(struct mr_arena *arena, struct mr_value value);

/* Deep equality as JSON sees it: numbers by value across INT, UINT and DOUBLE; maps without order.
 */
bool mr_value_equal(struct mr_value left, struct mr_value right);

#endif
