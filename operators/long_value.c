/* operators/long_value.c — see long_value.h. */
#include "operators/long_value.h"

#include <string.h>

#include "base/endian.h"
#include "base/limits.h"

enum {
    SLOT_BYTES = MR_LIMIT_STATE_SLOT_BYTES,
    SLOTS_MAX = (MR_LIMIT_ROW_BYTES + MR_LIMIT_KEY_BYTES) / SLOT_BYTES + 1
};

static uint32_t inline_size(uint32_t size)
{
    return size < MR_LONG_VALUE_INLINE_BYTES ? size : MR_LONG_VALUE_INLINE_BYTES;
}

static size_t value_encode(const void *object, uint8_t *output)
{
    const struct mr_long_value *value = object;
    mr_put_u32le(output, value->size);
    memcpy(output + MR_LONG_VALUE_HEAD_BYTES, value->bytes, inline_size(value->size));
    return MR_LONG_VALUE_HEAD_BYTES + inline_size(value->size);
}

static bool value_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct mr_long_value *value = object;
    if (version != MR_LONG_VALUE_VERSION || stored.size < MR_LONG_VALUE_HEAD_BYTES)
        return false;
    value->size = mr_get_u32le(stored.data);
    if (stored.size != MR_LONG_VALUE_HEAD_BYTES + (size_t)inline_size(value->size))
        return false;
    memcpy(value->bytes, stored.data + MR_LONG_VALUE_HEAD_BYTES, inline_size(value->size));
    return true;
}

void mr_long_value_spec(struct mr_table_spec *spec)
{
    spec->version = MR_LONG_VALUE_VERSION;
    spec->object_size = sizeof(struct mr_long_value);
    spec->encode = value_encode;
    spec->encoded_size_max = MR_LONG_VALUE_HEAD_BYTES + MR_LONG_VALUE_INLINE_BYTES;
    spec->decode = value_decode;
    spec->slot_bytes = SLOT_BYTES;
    spec->slots_max = SLOTS_MAX;
}

enum mr_status mr_long_value_put(struct mr_table *table, struct mr_long_value *value,
                                 struct mr_slice bytes, struct mr_error *error)
{
    value->size = (uint32_t)bytes.size;
    memcpy(value->bytes, bytes.data, inline_size(value->size));
    for (uint32_t offset = MR_LONG_VALUE_INLINE_BYTES; offset < bytes.size; offset += SLOT_BYTES) {
        void *slot;
        size_t rest = bytes.size - offset;
        enum mr_status status = mr_table_slot(
            table, value, (offset - MR_LONG_VALUE_INLINE_BYTES) / SLOT_BYTES, true, &slot, error);
        if (status != MR_OK)
            return status;
        memcpy(slot, bytes.data + offset, rest < SLOT_BYTES ? rest : SLOT_BYTES);
    }
    return MR_OK;
}

enum mr_status mr_long_value_read(struct mr_table *table, struct mr_long_value *value,
                                  struct mr_arena *arena, struct mr_slice *bytes,
                                  struct mr_error *error)
{
    uint32_t size = value->size;
    uint8_t *output = mr_arena_take(arena, size);
    memcpy(output, value->bytes, inline_size(size));
    for (uint32_t offset = MR_LONG_VALUE_INLINE_BYTES; offset < size; offset += SLOT_BYTES) {
        void *slot;
        enum mr_status status = mr_table_slot(
            table, value, (offset - MR_LONG_VALUE_INLINE_BYTES) / SLOT_BYTES, false, &slot, error);
        if (status != MR_OK)
            return status;
        memcpy(output + offset, slot, size - offset < SLOT_BYTES ? size - offset : SLOT_BYTES);
    }
    *bytes = mr_slice_from(output, size);
    return MR_OK;
}
