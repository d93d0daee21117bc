/* state/key_codec.c — stored keys: see the table in state/key_codec.h. */
#include "state/key_codec.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"

uint32_t mr_key_table_id(const char *operator_name, const char *table_name, uint32_t life)
{
    enum { NUMBER_BYTES = 12 };
    char text[2 * MR_LIMIT_NAME_BYTES + 2 + NUMBER_BYTES];
    size_t operator_size = strlen(operator_name);
    size_t table_size = strlen(table_name);
    MR_ASSERT(operator_size <= MR_LIMIT_NAME_BYTES && table_size <= MR_LIMIT_NAME_BYTES);
    memcpy(text, operator_name, operator_size);
    text[operator_size] = '/';
    memcpy(text + operator_size + 1, table_name, table_size);
    size_t size = operator_size + 1 + table_size;
    if (life > 0)
        size += (size_t)snprintf(text + size, NUMBER_BYTES, "#%" PRIu32, life);
    return (uint32_t)(mr_hash64(mr_slice_from(text, size)) >> 32);
}

size_t mr_key_write_plain(uint8_t *output, uint32_t table_id, enum mr_key_kind kind)
{
    mr_put_u32be(output, table_id);
    output[4] = (uint8_t)kind;
    return MR_KEY_HEAD_BYTES;
}

static size_t put_user(uint8_t *output, size_t offset, struct mr_slice user)
{
    MR_ASSERT(user.size <= MR_LIMIT_KEY_BYTES);
    if (user.size > 0)
        memcpy(output + offset, user.data, user.size);
    return offset + user.size;
}

size_t mr_key_write_object(uint8_t *output, uint32_t table_id, struct mr_slice user)
{
    return put_user(output, mr_key_write_plain(output, table_id, MR_KEY_OBJECT), user);
}

size_t mr_key_write_slot(uint8_t *output, uint32_t table_id, struct mr_slice user,
                         uint32_t slot_index)
{
    size_t size = put_user(output, mr_key_write_plain(output, table_id, MR_KEY_SLOT), user);
    mr_put_u32be(output + size, slot_index);
    return size + MR_KEY_SLOT_BYTES;
}

size_t mr_key_write_life(uint8_t *output, struct mr_slice operator_name)
{
    return put_user(output, mr_key_write_plain(output, 0, MR_KEY_LIFE), operator_name);
}

size_t mr_key_write_order(uint8_t *output, uint32_t table_id, int64_t time_ms, struct mr_slice user)
{
    size_t size = mr_key_write_plain(output, table_id, MR_KEY_ORDER);
    mr_put_time_be(output + size, time_ms);
    return put_user(output, size + MR_KEY_TIME_BYTES, user);
}

bool mr_key_parse(struct mr_slice stored, struct mr_key *key)
{
    if (stored.size < MR_KEY_HEAD_BYTES || stored.size > MR_KEY_BYTES_MAX)
        return false;
    *key = (struct mr_key){.table_id = mr_get_u32be(stored.data)};
    struct mr_slice rest =
        mr_slice_from(stored.data + MR_KEY_HEAD_BYTES, stored.size - MR_KEY_HEAD_BYTES);
    switch (stored.data[4]) {
    case MR_KEY_STATE:
        key->kind = MR_KEY_STATE;
        return key->table_id == 0 && rest.size == 0;
    case MR_KEY_TABLE:
    case MR_KEY_LOCAL:
        key->kind = stored.data[4] == MR_KEY_TABLE ? MR_KEY_TABLE : MR_KEY_LOCAL;
        return key->table_id != 0 && rest.size == 0;
    case MR_KEY_LIFE:
        key->kind = MR_KEY_LIFE;
        key->user = rest;
        return key->table_id == 0 && rest.size > 0 && rest.size <= MR_LIMIT_NAME_BYTES;
    case MR_KEY_OBJECT:
        key->kind = MR_KEY_OBJECT;
        key->user = rest;
        break;
    case MR_KEY_SLOT:
        if (rest.size < MR_KEY_SLOT_BYTES)
            return false;
        key->kind = MR_KEY_SLOT;
        key->user = mr_slice_from(rest.data, rest.size - MR_KEY_SLOT_BYTES);
        key->slot_index = mr_get_u32be(rest.data + key->user.size);
        break;
    case MR_KEY_ORDER:
        if (rest.size < MR_KEY_TIME_BYTES)
            return false;
        key->kind = MR_KEY_ORDER;
        key->time_ms = mr_get_time_be(rest.data);
        key->user = mr_slice_from(rest.data + MR_KEY_TIME_BYTES, rest.size - MR_KEY_TIME_BYTES);
        break;
    default:
        return false;
    }
    return key->table_id != 0 && key->user.size <= MR_LIMIT_KEY_BYTES;
}
