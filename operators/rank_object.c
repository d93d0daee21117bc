/* operators/rank_object.c — see rank_object.h.
 * Design: values are compared as long double, which holds every int64, uint64 and double exactly on
 * the machines we build for. Entries are few: they are searched from the worst, where most rows
 * end. */
#include "operators/rank_object.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"

_Static_assert(__LDBL_MANT_DIG__ >= 64, "a long double must hold any int64 exactly");
_Static_assert(MR_RANK_HEAD_BYTES + MR_RANK_ROWS_MAX * MR_RANK_ENTRY_BYTES <= 4096,
               "an encoded object must fit into a slot");

uint32_t mr_rank_capacity(uint32_t rows)
{
    if (rows <= 1)
        return 1;
    return rows <= MR_RANK_FEW ? MR_RANK_FEW : MR_RANK_ROWS_MAX;
}

size_t mr_rank_object_size(uint32_t capacity)
{
    return sizeof(struct mr_rank_object) + capacity * sizeof(struct mr_rank_entry);
}

size_t mr_rank_encode(const void *object, uint8_t *output)
{
    const struct mr_rank_object *rank = object;
    mr_put_u64le(output, (uint64_t)rank->until_ms);
    mr_put_u16le(output + 8, (uint16_t)rank->count);
    output[10] = (uint8_t)rank->values_count;
    uint8_t *at = output + MR_RANK_HEAD_BYTES;
    for (uint32_t index = 0; index < rank->count; index++) {
        const struct mr_rank_entry *entry = &rank->entries[index];
        mr_put_u16le(at, (uint16_t)entry->place);
        mr_put_u32le(at + 2, entry->size);
        at += 6;
        for (uint32_t value = 0; value < rank->values_count; value++, at += 9) {
            at[0] = entry->values[value].kind;
            mr_put_u64le(at + 1, entry->values[value].bits);
        }
    }
    return (size_t)(at - output);
}

static bool is_number_kind(uint8_t kind)
{
    return kind == MR_KIND_INT || kind == MR_KIND_UINT || kind == MR_KIND_DOUBLE;
}

static bool decode(void *object, uint32_t version, struct mr_slice stored, uint32_t capacity)
{
    struct mr_rank_object *rank = object;
    if (version != MR_RANK_VERSION || stored.size < MR_RANK_HEAD_BYTES)
        return false;
    rank->until_ms = (int64_t)mr_get_u64le(stored.data);
    rank->count = mr_get_u16le(stored.data + 8);
    rank->values_count = stored.data[10];
    if (rank->count > capacity || rank->values_count > MR_RANK_ORDERS_MAX ||
        stored.size != MR_RANK_HEAD_BYTES + rank->count * (6u + 9u * rank->values_count))
        return false;
    const uint8_t *at = stored.data + MR_RANK_HEAD_BYTES;
    for (uint32_t index = 0; index < rank->count; index++) {
        struct mr_rank_entry *entry = &rank->entries[index];
        entry->place = mr_get_u16le(at);
        entry->size = mr_get_u32le(at + 2);
        if (entry->place >= capacity || entry->size > MR_RANK_PIECES_MAX * MR_RANK_PIECE_BYTES)
            return false;
        at += 6;
        for (uint32_t value = 0; value < rank->values_count; value++, at += 9) {
            entry->values[value] = (struct mr_rank_value){at[0], mr_get_u64le(at + 1)};
            if (!is_number_kind(at[0]))
                return false;
        }
    }
    return true;
}

static bool decode_one(void *object, uint32_t version, struct mr_slice stored)
{
    return decode(object, version, stored, 1);
}

static bool decode_few(void *object, uint32_t version, struct mr_slice stored)
{
    return decode(object, version, stored, MR_RANK_FEW);
}

static bool decode_all(void *object, uint32_t version, struct mr_slice stored)
{
    return decode(object, version, stored, MR_RANK_ROWS_MAX);
}

bool (*mr_rank_decoder(uint32_t capacity))(void *object, uint32_t version, struct mr_slice stored)
{
    if (capacity == 1)
        return decode_one;
    return capacity == MR_RANK_FEW ? decode_few : decode_all;
}

bool mr_rank_value_read(struct mr_value value, struct mr_rank_value *result)
{
    switch ((enum mr_kind)value.kind) {
    case MR_KIND_BOOL:
        *result = (struct mr_rank_value){MR_KIND_INT, value.boolean};
        return true;
    case MR_KIND_INT:
    case MR_KIND_TIMESTAMP:
    case MR_KIND_DURATION:
        *result = (struct mr_rank_value){MR_KIND_INT, (uint64_t)value.integer};
        return true;
    case MR_KIND_UINT:
        *result = (struct mr_rank_value){MR_KIND_UINT, value.unsigned_integer};
        return true;
    case MR_KIND_DOUBLE:
        *result = (struct mr_rank_value){.kind = MR_KIND_DOUBLE};
        memcpy(&result->bits, &value.number, sizeof(value.number));
        return isfinite(value.number);
    case MR_KIND_ABSENT:
    case MR_KIND_REMOVED:
    case MR_KIND_ERROR:
    case MR_KIND_NULL:
    case MR_KIND_STRING:
    case MR_KIND_BYTES:
    case MR_KIND_LIST:
    case MR_KIND_MAP:
    case MR_KIND_JSON:
    case MR_KIND_TYPE:
    case MR_KIND_COUNT:
        break;
    }
    return false;
}

static long double exact(struct mr_rank_value value)
{
    double number;
    if (value.kind == MR_KIND_INT)
        return (long double)(int64_t)value.bits;
    if (value.kind == MR_KIND_UINT)
        return (long double)value.bits;
    memcpy(&number, &value.bits, sizeof(number));
    return (long double)number;
}

int mr_rank_compare(const struct mr_rank_order *order, const struct mr_rank_value *left,
                    const struct mr_rank_value *right)
{
    for (uint32_t index = 0; index < order->values_count; index++) {
        long double first = exact(left[index]);
        long double second = exact(right[index]);
        int sign = (first > second) - (first < second);
        if (sign != 0)
            return order->descending[index] ? -sign : sign;
    }
    return 0;
}

uint32_t mr_rank_position(const struct mr_rank_object *object, const struct mr_rank_order *order,
                          const struct mr_rank_value *values, bool or_level)
{
    uint32_t position = object->count;
    while (position > 0) {
        int sign = mr_rank_compare(order, object->entries[position - 1].values, values);
        if (sign < 0 || (or_level && sign == 0))
            break;
        position--;
    }
    return position;
}

uint32_t mr_rank_of(const struct mr_rank_object *object, const struct mr_rank_order *order,
                    uint32_t index, bool ties)
{
    if (!ties)
        return index + 1;
    return mr_rank_position(object, order, object->entries[index].values, false) + 1;
}

struct mr_rank_entry *mr_rank_insert(struct mr_rank_object *object, uint32_t position)
{
    uint64_t used = 0;
    for (uint32_t index = 0; index < object->count; index++)
        used |= (uint64_t)1 << object->entries[index].place;
    MR_ASSERT(object->count < MR_RANK_ROWS_MAX && position <= object->count);
    struct mr_rank_entry *entry = &object->entries[position];
    memmove(entry + 1, entry, (object->count - position) * sizeof(*entry));
    object->count++;
    *entry = (struct mr_rank_entry){.place = (uint32_t)__builtin_ctzll(~used)};
    return entry;
}
