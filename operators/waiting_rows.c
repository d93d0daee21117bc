/* operators/waiting_rows.c — see waiting_rows.h. */
#include "operators/waiting_rows.h"

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/estimate.h"
#include "operators/long_value.h"

enum {
    KEY_HEAD_BYTES = 4,
    SEQUENCE_BYTES = 8,
    ESTIMATED_ROW_BYTES = 512 /* of a record: what `plan` states is for such */
};

enum mr_status mr_waiting_rows_open(struct mr_waiting_rows *rows, const struct mr_kept_row *kept,
                                    const struct mr_operator_open *open, const char *name,
                                    struct mr_error *error)
{
    rows->kept = kept;
    struct mr_table_spec spec = {.operator_name = open->node->name, .name = name, .timed = true};
    mr_long_value_spec(&spec);
    return mr_table_open(open->state, &spec, &rows->table, error);
}

void mr_waiting_rows_estimate(struct mr_state_estimate *estimate)
{
    mr_estimate_object(sizeof(struct mr_long_value), MR_LONG_VALUE_HEAD_BYTES + ESTIMATED_ROW_BYTES,
                       estimate);
}

int64_t mr_waiting_rows_count(const struct mr_waiting_rows *rows)
{
    return mr_table_keys(rows->table);
}

/* Room for a row of `size` bytes behind its key; *row is where it goes. */
static struct mr_slice take_room(struct mr_slice key, size_t size, struct mr_arena *arena,
                                 uint8_t **row)
{
    size_t total = KEY_HEAD_BYTES + key.size + size;
    uint8_t *bytes = mr_arena_take(arena, total);
    mr_put_u32le(bytes, (uint32_t)key.size);
    if (key.size > 0)
        memcpy(bytes + KEY_HEAD_BYTES, key.data, key.size);
    *row = bytes + KEY_HEAD_BYTES + key.size;
    return mr_slice_from(bytes, total);
}

static enum mr_status put(struct mr_waiting_rows *rows, struct mr_slice bytes, uint64_t sequence,
                          int64_t due_ms, struct mr_error *error)
{
    uint8_t place[SEQUENCE_BYTES];
    mr_put_u64be(place, sequence);
    struct mr_slice place_key = mr_slice_from(place, sizeof(place));
    void *object;
    bool created;
    enum mr_status status = mr_table_get(rows->table, place_key, mr_hash64(place_key), due_ms,
                                         &object, &created, error);
    if (status != MR_OK)
        return status;
    MR_ASSERT(created);
    mr_table_schedule(rows->table, object, due_ms == INT64_MIN ? INT64_MIN + 1 : due_ms);
    return mr_long_value_put(rows->table, object, bytes, error);
}

enum mr_status mr_waiting_rows_put(struct mr_waiting_rows *rows, const struct mr_batch *batch,
                                   uint32_t row, size_t size, struct mr_slice key,
                                   uint64_t sequence, int64_t due_ms, struct mr_arena *arena,
                                   struct mr_error *error)
{
    uint8_t *written;
    struct mr_slice bytes = take_room(key, size, arena, &written);
    mr_row_write(&rows->kept->input, batch, row, written);
    return put(rows, bytes, sequence, due_ms, error);
}

enum mr_status mr_waiting_rows_put_bytes(struct mr_waiting_rows *rows, struct mr_slice given,
                                         struct mr_slice key, uint64_t sequence, int64_t due_ms,
                                         struct mr_arena *arena, struct mr_error *error)
{
    uint8_t *written;
    MR_ASSERT(given.size > 0 && given.size <= MR_LIMIT_ROW_BYTES);
    struct mr_slice bytes = take_room(key, given.size, arena, &written);
    memcpy(written, given.data, given.size);
    return put(rows, bytes, sequence, due_ms, error);
}

static enum mr_status corrupt(struct mr_error *error)
{
    return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                   "the bytes of a record that waits are not what was written");
}

enum mr_status mr_waiting_rows_take(struct mr_waiting_rows *rows, int64_t until_ms,
                                    struct mr_arena *arena, struct mr_waiting_row *waiting,
                                    bool *found, struct mr_error *error)
{
    struct mr_slice key;
    struct mr_slice bytes;
    uint8_t sequence[SEQUENCE_BYTES];
    uint64_t hash;
    void *object;
    enum mr_status status =
        mr_table_next_due(rows->table, until_ms, &key, &hash, &object, found, error);
    if (status != MR_OK || !*found)
        return status;
    MR_ASSERT(key.size == SEQUENCE_BYTES);
    memcpy(sequence, key.data, SEQUENCE_BYTES);
    status = mr_long_value_read(rows->table, object, arena, &bytes, error);
    if (status == MR_OK && bytes.size < KEY_HEAD_BYTES)
        status = corrupt(error);
    if (status == MR_OK)
        status = mr_table_remove(rows->table, mr_slice_from(sequence, SEQUENCE_BYTES), hash, error);
    if (status != MR_OK)
        return status;
    uint32_t key_size = mr_get_u32le(bytes.data);
    if (key_size > bytes.size - KEY_HEAD_BYTES)
        return corrupt(error);
    waiting->sequence = mr_get_u64be(sequence);
    waiting->key = mr_slice_from(bytes.data + KEY_HEAD_BYTES, key_size);
    waiting->row =
        mr_slice_from(waiting->key.data + key_size, bytes.size - KEY_HEAD_BYTES - key_size);
    return MR_OK;
}
