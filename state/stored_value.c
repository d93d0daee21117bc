/* state/stored_value.c — stored values: see the table in state/stored_value.h. */
#include "state/stored_value.h"

#include "base/assert.h"
#include "base/endian.h"
#include "state/key_codec.h"

enum { LAYOUT = 0x10, LAYOUT_MASK = 0xf0, FLAG_TIME = 1, FLAG_SLOTS = 2, FLAG_DUE = 4 };

size_t mr_stored_object_write_head(uint8_t *output, const struct mr_stored_object *object)
{
    MR_ASSERT(object->version <= MR_STORED_VERSION_MAX);
    size_t size = 3;
    output[0] = LAYOUT;
    mr_put_u16be(output + 1, (uint16_t)object->version);
    if (object->time_ms != MR_TIME_NONE) {
        output[0] |= object->due ? FLAG_TIME | FLAG_DUE : FLAG_TIME;
        mr_put_time_be(output + size, object->time_ms);
        size += 8;
    }
    if (object->slots_count > 0) {
        output[0] |= FLAG_SLOTS;
        mr_put_u32be(output + size, object->slots_count);
        size += 4;
    }
    return size;
}

bool mr_stored_object_parse(struct mr_slice value, struct mr_stored_object *object)
{
    if (value.size < 3 || (value.data[0] & LAYOUT_MASK) != LAYOUT ||
        (value.data[0] & 0x0fu & ~(unsigned)(FLAG_TIME | FLAG_SLOTS | FLAG_DUE)) != 0)
        return false;
    bool timed = (value.data[0] & FLAG_TIME) != 0;
    object->due = (value.data[0] & FLAG_DUE) != 0;
    if (object->due && !timed)
        return false;
    bool slots = (value.data[0] & FLAG_SLOTS) != 0;
    size_t size = 3;
    if (value.size < size + (timed ? 8u : 0u) + (slots ? 4u : 0u))
        return false;
    object->version = mr_get_u16be(value.data + 1);
    object->time_ms = timed ? mr_get_time_be(value.data + size) : MR_TIME_NONE;
    size += timed ? 8 : 0;
    object->slots_count = slots ? mr_get_u32be(value.data + size) : 0;
    size += slots ? 4 : 0;
    object->encoded = mr_slice_from(value.data + size, value.size - size);
    return true;
}

void mr_stored_slot_write_head(uint8_t *output, uint32_t version)
{
    output[0] = LAYOUT;
    mr_put_u16be(output + 1, (uint16_t)version);
}

bool mr_stored_slot_parse(struct mr_slice value, uint32_t *version, struct mr_slice *bytes)
{
    if (value.size < MR_STORED_SLOT_HEAD || value.data[0] != LAYOUT)
        return false;
    *version = mr_get_u16be(value.data + 1);
    *bytes = mr_slice_from(value.data + MR_STORED_SLOT_HEAD, value.size - MR_STORED_SLOT_HEAD);
    return true;
}

void mr_stored_table_write(uint8_t *output, const struct mr_stored_table *table)
{
    output[0] = LAYOUT;
    mr_put_u64be(output + 1, (uint64_t)table->keys);
    mr_put_u64be(output + 9, (uint64_t)table->bytes);
    mr_put_time_be(output + 17, table->watermark_ms);
}

bool mr_stored_table_parse(struct mr_slice value, struct mr_stored_table *table)
{
    if (value.size != MR_STORED_TABLE_BYTES || value.data[0] != LAYOUT)
        return false;
    table->keys = (int64_t)mr_get_u64be(value.data + 1);
    table->bytes = (int64_t)mr_get_u64be(value.data + 9);
    table->watermark_ms = mr_get_time_be(value.data + 17);
    return table->keys >= 0 && table->bytes >= 0;
}

void mr_stored_life_write(uint8_t *output, const struct mr_stored_life *life)
{
    output[0] = LAYOUT;
    mr_put_u32be(output + 1, life->number);
    mr_put_u64be(output + 5, life->meaning);
}

bool mr_stored_life_parse(struct mr_slice value, struct mr_stored_life *life)
{
    if (value.size != MR_STORED_LIFE_BYTES || value.data[0] != LAYOUT)
        return false;
    life->number = mr_get_u32be(value.data + 1);
    life->meaning = mr_get_u64be(value.data + 5);
    return true;
}

void mr_stored_order_write(uint8_t *output, const struct mr_stored_order *order)
{
    output[0] = LAYOUT;
    mr_put_u32be(output + 1, order->slots_count);
    mr_put_u32be(output + 5, order->bytes);
}

bool mr_stored_order_parse(struct mr_slice value, struct mr_stored_order *order)
{
    if (value.size != MR_STORED_ORDER_BYTES || value.data[0] != LAYOUT)
        return false;
    order->slots_count = mr_get_u32be(value.data + 1);
    order->bytes = mr_get_u32be(value.data + 5);
    return true;
}

void mr_stored_local_write(uint8_t *output)
{
    output[0] = LAYOUT;
}

bool mr_stored_local_parse(struct mr_slice value)
{
    return value.size == MR_STORED_LOCAL_BYTES && value.data[0] == LAYOUT;
}

static size_t put_text(uint8_t *output, const char *text, size_t size_max)
{
    size_t size = strnlen(text, size_max);
    output[0] = (uint8_t)size;
    memcpy(output + 1, text, size);
    return 1 + size;
}

static bool take_text(struct mr_slice *rest, char *text, size_t size_max)
{
    if (rest->size < 1 || rest->data[0] >= size_max || rest->size - 1 < rest->data[0])
        return false;
    size_t size = rest->data[0];
    memset(text, 0, size_max);
    memcpy(text, rest->data + 1, size);
    *rest = mr_slice_from(rest->data + 1 + size, rest->size - 1 - size);
    return true;
}

size_t mr_stored_state_write(uint8_t *output, const struct mr_stored_state *state)
{
    const struct mr_state_identity *identity = &state->identity;
    output[0] = LAYOUT;
    mr_put_u64be(output + 1, (uint64_t)state->changelog_offset);
    mr_put_u64be(output + 9, (uint64_t)state->wall_ms);
    mr_put_u64be(output + 17, identity->generation);
    size_t size = 25;
    size += put_text(output + size, identity->cluster_id, sizeof identity->cluster_id - 1);
    size += put_text(output + size, identity->topic_id, sizeof identity->topic_id - 1);
    return size;
}

bool mr_stored_state_parse(struct mr_slice value, struct mr_stored_state *state)
{
    if (value.size < 25 || value.data[0] != LAYOUT)
        return false;
    state->changelog_offset = (int64_t)mr_get_u64be(value.data + 1);
    state->wall_ms = (int64_t)mr_get_u64be(value.data + 9);
    state->identity.generation = mr_get_u64be(value.data + 17);
    struct mr_slice rest = mr_slice_from(value.data + 25, value.size - 25);
    return take_text(&rest, state->identity.cluster_id, sizeof state->identity.cluster_id) &&
           take_text(&rest, state->identity.topic_id, sizeof state->identity.topic_id) &&
           rest.size == 0 && state->changelog_offset >= 0;
}

uint64_t mr_stored_key_bytes(size_t user_key_size, size_t object_value_size, uint32_t slots_count,
                             uint32_t slot_bytes)
{
    uint64_t slot = MR_KEY_HEAD_BYTES + user_key_size + MR_KEY_SLOT_BYTES + MR_STORED_SLOT_HEAD +
                    (uint64_t)slot_bytes;
    return MR_KEY_HEAD_BYTES + user_key_size + object_value_size + slots_count * slot;
}
