/* operators/quality_hold.c — see quality_hold.h. */
#include "operators/quality_hold.h"

#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/long_value.h"
#include "record/json_write.h"

enum {
    ROW_KEY_BYTES = 12,
    ROW_HEAD_BYTES = 18,
    SEEN_HEAD_BYTES = 9,
    SEEN_TEXT_BYTES = 4096,
    SEEN_TAIL_BYTES = 12,
    WINDOW_BYTES = 8,
    KEYS_BYTES = 24,
    TASK_BYTES = 8
};

const char mr_quality_hold_keys[] = "keys";

struct hold_keys {
    uint64_t waiting;
    uint64_t judged;
    uint64_t failed;
};

struct hold_task {
    uint64_t next;
};

struct hold_seen {
    uint8_t nothing;
};

/* ---- Stored objects ---- */

static size_t keys_encode(const void *object, uint8_t *output)
{
    const struct hold_keys *keys = object;
    mr_put_u64le(output, keys->waiting);
    mr_put_u64le(output + 8, keys->judged);
    mr_put_u64le(output + 16, keys->failed);
    return KEYS_BYTES;
}

static bool keys_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct hold_keys *keys = object;
    if (version != MR_QUALITY_HOLD_VERSION || stored.size != KEYS_BYTES)
        return false;
    keys->waiting = mr_get_u64le(stored.data);
    keys->judged = mr_get_u64le(stored.data + 8);
    keys->failed = mr_get_u64le(stored.data + 16);
    return true;
}

static size_t task_encode(const void *object, uint8_t *output)
{
    const struct hold_task *task = object;
    mr_put_u64le(output, task->next);
    return TASK_BYTES;
}

static bool task_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct hold_task *task = object;
    if (version != MR_QUALITY_HOLD_VERSION || stored.size != TASK_BYTES)
        return false;
    task->next = mr_get_u64le(stored.data);
    return true;
}

static size_t seen_encode(const void *object, uint8_t *output)
{
    MR_UNUSED(object);
    MR_UNUSED(output);
    return 0;
}

static bool seen_decode(void *object, uint32_t version, struct mr_slice stored)
{
    MR_UNUSED(object);
    return version == MR_QUALITY_HOLD_VERSION && stored.size == 0;
}

enum mr_status mr_quality_hold_describe(const struct mr_state_object *object,
                                        struct mr_arena *arena,
                                        struct mr_state_description *description,
                                        struct mr_error *error)
{
    struct hold_keys keys;
    MR_UNUSED(arena);
    if (!keys_decode(&keys, object->version, object->encoded))
        return mr_operator_not_described(error);
    mr_describe_member(description, "waiting", mr_value_uint(keys.waiting));
    mr_describe_member(description, "judged", mr_value_uint(keys.judged));
    mr_describe_member(description, "failed", mr_value_uint(keys.failed));
    return MR_OK;
}

/* ---- Opening ---- */

/* Of what the tallies of a unit are about. */
static uint32_t fingerprint_of(const struct mr_quality_checks *checks)
{
    uint64_t hash = checks->count;
    for (uint32_t index = 0; index < checks->count; index++) {
        const struct mr_quality_check *check = &checks->items[index];
        hash = mr_hash64_seeded(mr_slice_text(check->name), hash + check->expect);
        hash = mr_hash64_seeded(mr_slice_text(check->field == NULL ? "" : check->field), hash);
    }
    return (uint32_t)hash | 1u;
}

static enum mr_status open_units(struct mr_quality_hold *hold, const struct mr_operator_open *open,
                                 const struct mr_quality_checks *checks, struct mr_error *error)
{
    struct mr_table_spec units = {
        .operator_name = hold->node->name, .name = "units", .timed = true};
    struct mr_table_spec rows = {.operator_name = hold->node->name, .name = "rows"};
    hold->fingerprint = fingerprint_of(checks);
    hold->unit_size = (uint32_t)mr_quality_unit_size(checks->count);
    mr_group_object_spec(&units, mr_group_object_bytes(hold->unit_size));
    mr_long_value_spec(&rows);
    enum mr_status status = mr_table_open(open->state, &units, &hold->units, error);
    return status != MR_OK ? status : mr_table_open(open->state, &rows, &hold->rows, error);
}

static enum mr_status open_seen(struct mr_quality_hold *hold, const struct mr_operator_open *open,
                                const struct mr_quality_checks *checks, struct mr_error *error)
{
    const struct mr_table_spec spec = {
        .operator_name = hold->node->name,
        .name = "seen",
        .version = MR_QUALITY_HOLD_VERSION,
        .object_size = sizeof(struct hold_seen),
        .encode = seen_encode,
        .encoded_size_max = 1,
        .decode = seen_decode,
        .scanned = true,
    };
    for (uint32_t index = 0; index < checks->count; index++)
        if (checks->items[index].expect == MR_EXPECT_UNIQUE)
            hold->unique |= 1u << index;
    return hold->unique == 0 ? MR_OK : mr_table_open(open->state, &spec, &hold->seen, error);
}

enum mr_status mr_quality_hold_open(struct mr_quality_hold *hold,
                                    const struct mr_operator_open *open,
                                    const struct mr_quality_checks *checks, struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    const struct mr_table_spec keys = {
        .operator_name = node->name,
        .name = mr_quality_hold_keys,
        .version = MR_QUALITY_HOLD_VERSION,
        .object_size = sizeof(struct hold_keys),
        .encode = keys_encode,
        .encoded_size_max = KEYS_BYTES,
        .decode = keys_decode,
        .ttl_ms = node->state_ttl_ms,
        .keys_max = node->state_keys_max,
        .bytes_max = node->state_bytes_max,
        .on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
    };
    const struct mr_table_spec task = {
        .operator_name = node->name,
        .name = "task",
        .version = MR_QUALITY_HOLD_VERSION,
        .object_size = sizeof(struct hold_task),
        .encode = task_encode,
        .encoded_size_max = TASK_BYTES,
        .decode = task_decode,
    };
    hold->node = node;
    mr_kept_row_open(&hold->kept, open, true);
    enum mr_status status = open_units(hold, open, checks, error);
    if (status == MR_OK)
        status = open_seen(hold, open, checks, error);
    if (status == MR_OK)
        status = mr_table_open(open->state, &keys, &hold->keys, error);
    return status != MR_OK ? status : mr_table_open(open->state, &task, &hold->task, error);
}

void mr_quality_hold_close(struct mr_quality_hold *hold)
{
    mr_kept_row_close(&hold->kept); /* the tables belong to the state */
}

/* ---- Units ---- */

struct mr_quality_unit_key mr_quality_hold_key(struct mr_arena *arena, struct mr_slice key,
                                               int64_t window)
{
    uint8_t *bytes = mr_arena_take(arena, key.size + WINDOW_BYTES);
    if (key.size > 0)
        memcpy(bytes, key.data, key.size);
    mr_put_u64be(bytes + key.size, (uint64_t)window ^ (UINT64_C(1) << 63));
    struct mr_slice whole = mr_slice_from(bytes, key.size + WINDOW_BYTES);
    return (struct mr_quality_unit_key){whole, mr_hash64(whole), mr_slice_from(bytes, key.size)};
}

struct mr_quality_unit_key mr_quality_hold_key_of(struct mr_arena *arena, struct mr_slice bytes,
                                                  uint64_t hash)
{
    struct mr_slice whole = mr_arena_copy(arena, bytes);
    MR_ASSERT(whole.size >= WINDOW_BYTES);
    return (struct mr_quality_unit_key){whole, hash,
                                        mr_slice_from(whole.data, whole.size - WINDOW_BYTES)};
}

enum mr_status mr_quality_hold_unit(struct mr_quality_hold *hold,
                                    const struct mr_quality_unit_key *key,
                                    struct mr_quality_unit **unit, bool *created,
                                    struct mr_error *error)
{
    void *object;
    enum mr_status status =
        mr_group_object_get(hold->units, key->bytes, key->hash, hold->fingerprint, hold->unit_size,
                            &object, created, error);
    *unit = status == MR_OK ? object : NULL;
    return status;
}

static enum mr_status forget_seen(struct mr_quality_hold *hold, uint64_t number,
                                  struct mr_error *error)
{
    uint8_t first[8];
    uint8_t behind[8];
    mr_put_u64be(first, number);
    mr_put_u64be(behind, number + 1);
    struct mr_slice rest = mr_slice_from(first, sizeof(first));
    enum mr_status status = MR_OK;
    while (status == MR_OK && rest.data != NULL) {
        uint8_t from[SEEN_HEAD_BYTES + SEEN_TEXT_BYTES + SEEN_TAIL_BYTES];
        MR_ASSERT(rest.size <= sizeof(from));
        memcpy(from, rest.data, rest.size);
        status = mr_table_remove_range(hold->seen, mr_slice_from(from, rest.size),
                                       mr_slice_from(behind, sizeof(behind)), &rest, error);
    }
    return status;
}

enum mr_status mr_quality_hold_forget(struct mr_quality_hold *hold,
                                      const struct mr_quality_unit_key *key, uint64_t number,
                                      struct mr_error *error)
{
    enum mr_status status = mr_table_remove(hold->units, key->bytes, key->hash, error);
    if (status == MR_OK && hold->seen != NULL)
        status = forget_seen(hold, number, error);
    return status;
}

/* ---- Values that were seen ---- */

/* Key bytes of a value. */
static struct mr_slice seen_key(struct mr_arena *arena, uint64_t number, uint32_t check,
                                struct mr_value cell)
{
    if (cell.kind == MR_KIND_DOUBLE)
        cell.number += 0.0; /* -0.0 is 0.0 */
    size_t bound = mr_json_write_bound(cell) + MR_JSON_WRITE_SLACK;
    uint8_t *bytes = mr_arena_take(arena, SEEN_HEAD_BYTES + bound + SEEN_TAIL_BYTES);
    uint8_t *text = bytes + SEEN_HEAD_BYTES;
    mr_put_u64be(bytes, number);
    bytes[8] = (uint8_t)check;
    const uint8_t *end = cell.kind == MR_KIND_ERROR ? NULL : mr_json_write(text, cell);
    if (end == NULL) { /* NaN, infinity, what could not be decoded: by the words for it */
        struct mr_slice words = mr_slice_text(mr_quality_show(cell, arena));
        bytes = mr_arena_take(arena, SEEN_HEAD_BYTES + words.size);
        mr_put_u64be(bytes, number);
        bytes[8] = (uint8_t)check;
        memcpy(bytes + SEEN_HEAD_BYTES, words.data, words.size);
        return mr_slice_from(bytes, SEEN_HEAD_BYTES + words.size);
    }
    size_t size = (size_t)(end - text);
    if (size <= SEEN_TEXT_BYTES)
        return mr_slice_from(bytes, SEEN_HEAD_BYTES + size);
    uint64_t hash = mr_hash64(mr_slice_from(text, size));
    mr_put_u32le(text + SEEN_TEXT_BYTES, (uint32_t)size);
    mr_put_u64le(text + SEEN_TEXT_BYTES + 4, hash);
    return mr_slice_from(bytes, SEEN_HEAD_BYTES + SEEN_TEXT_BYTES + SEEN_TAIL_BYTES);
}

enum mr_status mr_quality_hold_repeats(struct mr_quality_hold *hold,
                                       const struct mr_quality_checks *checks,
                                       const struct mr_quality_findings *findings,
                                       const struct mr_batch *batch, uint32_t row, uint64_t number,
                                       struct mr_arena *arena, uint32_t *repeated,
                                       struct mr_error *error)
{
    *repeated = 0;
    for (uint32_t index = 0; index < checks->count; index++) {
        void *object;
        bool created;
        if ((findings->counted[row] & hold->unique & 1u << index) == 0)
            continue;
        struct mr_slice key =
            seen_key(arena, number, index, batch->columns[checks->items[index].slot][row]);
        enum mr_status status =
            mr_table_get(hold->seen, key, mr_hash64(key), 0, &object, &created, error);
        if (status != MR_OK)
            return status;
        if (created)
            mr_table_dirty(hold->seen, object);
        else
            *repeated |= 1u << index;
    }
    return MR_OK;
}

/* ---- Rows ---- */

static struct mr_slice row_key(uint8_t bytes[ROW_KEY_BYTES], uint64_t number, uint32_t index)
{
    mr_put_u64be(bytes, number);
    mr_put_u32be(bytes + 8, index);
    return mr_slice_from(bytes, ROW_KEY_BYTES);
}

enum mr_status mr_quality_hold_put(struct mr_quality_hold *hold, const struct mr_batch *batch,
                                   uint32_t row, size_t size, uint32_t violated, uint64_t number,
                                   uint32_t index, struct mr_arena *arena, struct mr_error *error)
{
    struct mr_slice topic = mr_slice_text(batch->origin.topic == NULL ? "" : batch->origin.topic);
    size_t head = ROW_HEAD_BYTES + topic.size;
    uint8_t *bytes = mr_arena_take(arena, head + size);
    MR_ASSERT(topic.size <= UINT16_MAX);
    mr_put_u32le(bytes, violated);
    mr_put_u32le(bytes + 4, (uint32_t)batch->origin.partition);
    mr_put_u64le(bytes + 8, (uint64_t)batch->offsets[row]);
    mr_put_u16le(bytes + 16, (uint16_t)topic.size);
    memcpy(bytes + ROW_HEAD_BYTES, topic.data, topic.size);
    mr_row_write(&hold->kept.input, batch, row, bytes + head);
    uint8_t place[ROW_KEY_BYTES];
    struct mr_slice key = row_key(place, number, index);
    void *object;
    bool created;
    enum mr_status status =
        mr_table_get(hold->rows, key, mr_hash64(key), 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    MR_ASSERT(created);
    mr_table_dirty(hold->rows, object);
    return mr_long_value_put(hold->rows, object, mr_slice_from(bytes, head + size), error);
}

static enum mr_status corrupt(struct mr_error *error)
{
    return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                   "the bytes of a record that waits for a verdict are not what was written");
}

enum mr_status mr_quality_hold_read(struct mr_quality_hold *hold, uint64_t number, uint32_t index,
                                    struct mr_arena *arena, struct mr_quality_held *held,
                                    struct mr_error *error)
{
    uint8_t place[ROW_KEY_BYTES];
    struct mr_slice key = row_key(place, number, index);
    struct mr_slice bytes;
    void *object;
    enum mr_status status = mr_table_find(hold->rows, key, mr_hash64(key), &object, error);
    if (status == MR_NOT_FOUND)
        return corrupt(error);
    if (status == MR_OK)
        status = mr_long_value_read(hold->rows, object, arena, &bytes, error);
    if (status != MR_OK)
        return status;
    if (bytes.size < ROW_HEAD_BYTES)
        return corrupt(error);
    uint32_t size = mr_get_u16le(bytes.data + 16);
    if (bytes.size < ROW_HEAD_BYTES + size)
        return corrupt(error);
    held->violated = mr_get_u32le(bytes.data);
    held->place.origin = (struct mr_origin){
        .topic =
            size == 0 ? NULL : mr_arena_copy_bytes_text(arena, bytes.data + ROW_HEAD_BYTES, size),
        .partition = (int32_t)mr_get_u32le(bytes.data + 4),
    };
    held->place.offset = (int64_t)mr_get_u64le(bytes.data + 8);
    held->row =
        mr_slice_from(bytes.data + ROW_HEAD_BYTES + size, bytes.size - ROW_HEAD_BYTES - size);
    return MR_OK;
}

enum mr_status mr_quality_hold_drop(struct mr_quality_hold *hold, uint64_t number, uint32_t index,
                                    struct mr_error *error)
{
    uint8_t place[ROW_KEY_BYTES];
    struct mr_slice key = row_key(place, number, index);
    return mr_table_remove(hold->rows, key, mr_hash64(key), error);
}

int64_t mr_quality_hold_waiting(const struct mr_quality_hold *hold)
{
    return mr_table_keys(hold->rows);
}

/* ---- What queries are told ---- */

enum mr_status mr_quality_hold_came(struct mr_quality_hold *hold, struct mr_slice key,
                                    int64_t event_time_ms, struct mr_error *error)
{
    void *object;
    bool created;
    enum mr_status status =
        mr_table_get(hold->keys, key, mr_hash64(key), event_time_ms, &object, &created, error);
    if (status != MR_OK)
        return status;
    ((struct hold_keys *)object)->waiting++;
    mr_table_dirty(hold->keys, object);
    return MR_OK;
}

/* The entry of a key; NULL: a bound of `state:` has made the task forget it. */
static enum mr_status find_keys(struct mr_quality_hold *hold, struct mr_slice key,
                                struct hold_keys **keys, struct mr_error *error)
{
    void *object = NULL;
    enum mr_status status = mr_table_find(hold->keys, key, mr_hash64(key), &object, error);
    *keys = status == MR_OK ? object : NULL;
    return status == MR_NOT_FOUND ? MR_OK : status;
}

enum mr_status mr_quality_hold_left(struct mr_quality_hold *hold, struct mr_slice key,
                                    uint64_t records, struct mr_error *error)
{
    struct hold_keys *keys;
    enum mr_status status = find_keys(hold, key, &keys, error);
    if (status != MR_OK || keys == NULL)
        return status;
    keys->waiting -= records < keys->waiting ? records : keys->waiting;
    mr_table_dirty(hold->keys, keys);
    return MR_OK;
}

enum mr_status mr_quality_hold_judged(struct mr_quality_hold *hold, struct mr_slice key,
                                      bool failed, struct mr_error *error)
{
    struct hold_keys *keys;
    enum mr_status status = find_keys(hold, key, &keys, error);
    if (status != MR_OK || keys == NULL)
        return status;
    keys->judged++;
    keys->failed += failed;
    mr_table_dirty(hold->keys, keys);
    return MR_OK;
}

/* ---- Numbers of units ---- */

enum mr_status mr_quality_hold_next(struct mr_quality_hold *hold, uint64_t *next,
                                    struct mr_error *error)
{
    void *object;
    enum mr_status status = mr_table_find(hold->task, (struct mr_slice){0},
                                          mr_hash64((struct mr_slice){0}), &object, error);
    *next = status == MR_OK ? ((struct hold_task *)object)->next : 0;
    return status == MR_NOT_FOUND ? MR_OK : status;
}

enum mr_status mr_quality_hold_set_next(struct mr_quality_hold *hold, uint64_t next,
                                        struct mr_error *error)
{
    void *object;
    bool created;
    enum mr_status status =
        mr_table_get(hold->task, (struct mr_slice){0}, mr_hash64((struct mr_slice){0}), 0, &object,
                     &created, error);
    if (status != MR_OK)
        return status;
    ((struct hold_task *)object)->next = next;
    mr_table_dirty(hold->task, object);
    return MR_OK;
}
