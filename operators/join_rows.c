/* operators/join_rows.c — see join_rows.h.
 * Design: what a key's object says follows from its rows alone, not from the order in which they
 * came and went: a replay in other batches leaves the same bytes. A list that was too long is made
 * again, by one scan, when the rows are few again. */
#include "operators/join_rows.h"

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"

struct listed {
    int64_t time_ms;
    uint64_t number;
};

struct key_object {
    uint32_t counts[MR_JOIN_SIDES];
    struct listed listed[MR_JOIN_SIDES][MR_JOIN_LISTED_MAX]; /* of sides with at most so many */
};

struct row_object {
    uint32_t size;
    bool matched;
    uint8_t bytes[MR_JOIN_INLINE_BYTES];
};

struct task_object {
    uint64_t next_number;
};

/* ---- Stored bytes ---- */

static size_t key_encode(const void *object, uint8_t *output)
{
    const struct key_object *key = object;
    uint8_t *cursor = output;
    for (uint32_t side = 0; side < MR_JOIN_SIDES; side++, cursor += 4)
        mr_put_u32le(cursor, key->counts[side]);
    for (uint32_t side = 0; side < MR_JOIN_SIDES; side++) {
        if (key->counts[side] > MR_JOIN_LISTED_MAX)
            continue;
        for (uint32_t index = 0; index < key->counts[side]; index++, cursor += 16) {
            mr_put_u64le(cursor, (uint64_t)key->listed[side][index].time_ms);
            mr_put_u64le(cursor + 8, key->listed[side][index].number);
        }
    }
    return (size_t)(cursor - output);
}

static bool key_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct key_object *key = object;
    struct mr_reader reader = mr_reader_from(stored);
    if (version != MR_JOIN_VERSION)
        return false;
    for (uint32_t side = 0; side < MR_JOIN_SIDES; side++)
        key->counts[side] = mr_read_u32(&reader);
    for (uint32_t side = 0; side < MR_JOIN_SIDES; side++) {
        if (key->counts[side] > MR_JOIN_LISTED_MAX)
            continue;
        for (uint32_t index = 0; index < key->counts[side]; index++) {
            key->listed[side][index].time_ms = (int64_t)mr_read_u64(&reader);
            key->listed[side][index].number = mr_read_u64(&reader);
        }
    }
    return !reader.bad && reader.cursor == reader.end;
}

bool mr_join_rows_counts(uint32_t version, struct mr_slice encoded, uint32_t counts[MR_JOIN_SIDES])
{
    struct key_object key = {0};
    if (!key_decode(&key, version, encoded))
        return false;
    memcpy(counts, key.counts, sizeof(key.counts));
    return true;
}

static uint32_t inline_size(uint32_t size)
{
    return size < MR_JOIN_INLINE_BYTES ? size : MR_JOIN_INLINE_BYTES;
}

static size_t row_encode(const void *object, uint8_t *output)
{
    const struct row_object *row = object;
    output[0] = row->matched;
    mr_put_u32le(output + 1, row->size);
    memcpy(output + 5, row->bytes, inline_size(row->size));
    return 5 + inline_size(row->size);
}

static bool row_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct row_object *row = object;
    if (version != MR_JOIN_VERSION || stored.size < 5 || stored.data[0] > 1)
        return false;
    row->matched = stored.data[0] == 1;
    row->size = mr_get_u32le(stored.data + 1);
    if (row->size > MR_LIMIT_ROW_BYTES || stored.size != 5 + inline_size(row->size))
        return false;
    memcpy(row->bytes, stored.data + 5, inline_size(row->size));
    return true;
}

static size_t task_encode(const void *object, uint8_t *output)
{
    const struct task_object *task = object;
    mr_put_u64le(output, task->next_number);
    return 8;
}

static bool task_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct task_object *task = object;
    if (version != MR_JOIN_VERSION || stored.size != 8)
        return false;
    task->next_number = mr_get_u64le(stored.data);
    return true;
}

enum mr_status mr_join_rows_open(struct mr_join_rows *rows, struct mr_state *state,
                                 const char *operator_name, int64_t keys_max,
                                 struct mr_error *error)
{
    struct mr_table_spec keys = {
        .operator_name = operator_name,
        .name = "keys",
        .version = MR_JOIN_VERSION,
        .object_size = sizeof(struct key_object),
        .encode = key_encode,
        .encoded_size_max = MR_JOIN_KEYS_BYTES_MAX,
        .decode = key_decode,
        .keys_max = keys_max,
        .on_full = MR_ON_FULL_FAIL,
    };
    struct mr_table_spec stored = {
        .operator_name = operator_name,
        .name = "rows",
        .version = MR_JOIN_VERSION,
        .object_size = sizeof(struct row_object),
        .encode = row_encode,
        .encoded_size_max = MR_JOIN_ROWS_BYTES_MAX,
        .decode = row_decode,
        .slot_bytes = MR_JOIN_SLOT_BYTES,
        .slots_max = MR_LIMIT_ROW_BYTES / MR_JOIN_SLOT_BYTES,
        .timed = true,
        .scanned = true,
    };
    struct mr_table_spec task = {
        .operator_name = operator_name,
        .name = "task",
        .version = MR_JOIN_VERSION,
        .object_size = sizeof(struct task_object),
        .encode = task_encode,
        .encoded_size_max = 8,
        .decode = task_decode,
    };
    enum mr_status status = mr_table_open(state, &keys, &rows->keys, error);
    if (status == MR_OK)
        status = mr_table_open(state, &stored, &rows->rows, error);
    if (status == MR_OK)
        status = mr_table_open(state, &task, &rows->task, error);
    return status;
}

/* ---- Keys of rows ---- */

static size_t write_prefix(uint8_t *output, uint32_t side, struct mr_slice key)
{
    MR_ASSERT(key.size <= MR_JOIN_KEY_BYTES_MAX && side < MR_JOIN_SIDES);
    output[0] = (uint8_t)side;
    mr_put_u16be(output + 1, (uint16_t)key.size);
    if (key.size > 0)
        memcpy(output + 3, key.data, key.size);
    return 3 + key.size;
}

static struct mr_slice write_row_key(uint8_t *output, uint32_t side, struct mr_slice key,
                                     int64_t time_ms, uint64_t number)
{
    size_t size = write_prefix(output, side, key);
    mr_put_time_be(output + size, time_ms);
    mr_put_u64be(output + size + 8, number);
    return mr_slice_from(output, size + 16);
}

static enum mr_status bad_key(struct mr_error *error)
{
    return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                   "a stored row of a join does not belong to the rows that its key counts");
}

/* What a row's key says. False: it is none. */
static bool parse_row_key(struct mr_slice stored, struct mr_join_row *row)
{
    if (stored.size < MR_JOIN_FRAME_BYTES || stored.data[0] >= MR_JOIN_SIDES ||
        mr_get_u16be(stored.data + 1) != stored.size - MR_JOIN_FRAME_BYTES)
        return false;
    const uint8_t *tail = stored.data + stored.size - 16;
    row->side = stored.data[0];
    row->key = mr_slice_from(stored.data + 3, stored.size - MR_JOIN_FRAME_BYTES);
    row->time_ms = mr_get_time_be(tail);
    row->number = mr_get_u64be(tail + 8);
    return true;
}

/* ---- Rows ---- */

/* The object's bytes, copied. */
static enum mr_status read_bytes(struct mr_join_rows *rows, struct row_object *object,
                                 struct mr_arena *arena, struct mr_slice *bytes,
                                 struct mr_error *error)
{
    uint32_t size = object->size;
    uint8_t *copy = mr_arena_take(arena, size);
    memcpy(copy, object->bytes, inline_size(size));
    *bytes = mr_slice_from(copy, size);
    for (uint32_t at = MR_JOIN_INLINE_BYTES, index = 0; at < size;
         at += MR_JOIN_SLOT_BYTES, index++) {
        void *slot;
        enum mr_status status = mr_table_slot(rows->rows, object, index, false, &slot, error);
        if (status != MR_OK)
            return status;
        uint32_t part = size - at < MR_JOIN_SLOT_BYTES ? size - at : MR_JOIN_SLOT_BYTES;
        memcpy(copy + at, slot, part);
    }
    return MR_OK;
}

static enum mr_status find_row(struct mr_join_rows *rows, const struct mr_join_row *row,
                               struct row_object **object, struct mr_error *error)
{
    void *found = NULL;
    struct mr_slice stored =
        write_row_key(rows->first, row->side, row->key, row->time_ms, row->number);
    enum mr_status status = mr_table_find(rows->rows, stored, mr_hash64(stored), &found, error);
    *object = found;
    return status == MR_NOT_FOUND ? bad_key(error) : status;
}

/* Read what is kept of a row: row says which. */
static enum mr_status read_row(struct mr_join_rows *rows, struct mr_join_row *row,
                               struct mr_arena *arena, struct mr_error *error)
{
    struct row_object *object;
    enum mr_status status = find_row(rows, row, &object, error);
    if (status != MR_OK)
        return status;
    row->matched = object->matched;
    return read_bytes(rows, object, arena, &row->bytes, error);
}

static struct mr_join_row *grow(struct mr_join_found *found, struct mr_arena *arena)
{
    enum { CAPACITY_MIN = 16 };
    if (found->count == found->capacity) {
        uint32_t larger = found->capacity == 0 ? CAPACITY_MIN : found->capacity * 2;
        struct mr_join_row *items = mr_arena_take(arena, larger * sizeof(*items));
        if (found->count > 0)
            memcpy(items, found->items, found->count * sizeof(*items));
        found->items = items;
        found->capacity = larger;
    }
    struct mr_join_row *row = &found->items[found->count++];
    *row = (struct mr_join_row){0};
    return row;
}

/* ---- Scans ---- */

struct scan {
    struct mr_join_found *found;
    struct mr_arena *arena;
    struct mr_slice key; /* the caller's, which stays */
    uint32_t rows_max;
    bool bad;
    bool bytes; /* copy what lies in the object itself */
};

static bool visit_row(void *argument, struct mr_slice stored, void *payload)
{
    struct scan *scan = argument;
    const struct row_object *object = payload;
    struct mr_join_row *row = grow(scan->found, scan->arena);
    scan->bad = !parse_row_key(stored, row);
    if (scan->bad)
        return false;
    row->key = scan->key;
    row->matched = object->matched;
    if (scan->bytes && object->size <= MR_JOIN_INLINE_BYTES)
        row->bytes = mr_arena_copy(scan->arena, mr_slice_from(object->bytes, object->size));
    return scan->found->count < scan->rows_max;
}

/* Rows of the key with first_ms <= time <= last_ms, at most rows_max. */
static enum mr_status scan_rows(struct mr_join_rows *rows, uint32_t side, struct mr_slice key,
                                int64_t first_ms, int64_t last_ms, struct scan *scan,
                                struct mr_error *error)
{
    struct mr_slice first = write_row_key(rows->first, side, key, first_ms, 0);
    struct mr_slice end = write_row_key(rows->end, side, key, last_ms, UINT64_MAX);
    scan->key = key;
    /* The number UINT64_MAX is never given: the end is behind every row of last_ms. */
    enum mr_status status = mr_table_scan(rows->rows, first, end, visit_row, scan, error);
    return status == MR_OK && scan->bad ? bad_key(error) : status;
}

/* ---- Keys ---- */

static enum mr_status find_key(struct mr_join_rows *rows, struct mr_slice key, uint64_t hash,
                               struct key_object **object, struct mr_error *error)
{
    void *found = NULL;
    enum mr_status status = mr_table_find(rows->keys, key, hash, &found, error);
    *object = found;
    if (status != MR_NOT_FOUND)
        return status;
    *object = NULL;
    return MR_OK;
}

enum mr_status mr_join_rows_count(struct mr_join_rows *rows, struct mr_slice key, uint64_t hash,
                                  uint32_t side, uint32_t *count, struct mr_error *error)
{
    struct key_object *object;
    enum mr_status status = find_key(rows, key, hash, &object, error);
    if (status == MR_OK)
        *count = object == NULL ? 0 : object->counts[side];
    return status;
}

static enum mr_status find_scanned(struct mr_join_rows *rows, struct mr_slice key, uint32_t side,
                                   int64_t first_ms, int64_t last_ms, struct mr_arena *arena,
                                   struct mr_join_found *found, struct mr_error *error)
{
    struct scan scan = {.found = found, .arena = arena, .rows_max = UINT32_MAX, .bytes = true};
    enum mr_status status = scan_rows(rows, side, key, first_ms, last_ms, &scan, error);
    for (uint32_t index = 0; status == MR_OK && index < found->count; index++)
        if (found->items[index].bytes.data == NULL)
            status = read_row(rows, &found->items[index], arena, error);
    return status;
}

enum mr_status mr_join_rows_find(struct mr_join_rows *rows, struct mr_slice key, uint64_t hash,
                                 uint32_t side, int64_t first_ms, int64_t last_ms,
                                 struct mr_arena *arena, struct mr_join_found *found,
                                 struct mr_error *error)
{
    struct key_object *object;
    found->count = 0;
    enum mr_status status = find_key(rows, key, hash, &object, error);
    if (status != MR_OK || object == NULL)
        return status;
    if (object->counts[side] > MR_JOIN_LISTED_MAX)
        return find_scanned(rows, key, side, first_ms, last_ms, arena, found, error);
    for (uint32_t index = 0; index < object->counts[side]; index++) {
        const struct listed *listed = &object->listed[side][index];
        if (listed->time_ms < first_ms || listed->time_ms > last_ms)
            continue;
        struct mr_join_row *row = grow(found, arena);
        row->side = side;
        row->key = key;
        row->time_ms = listed->time_ms;
        row->number = listed->number;
    }
    for (uint32_t index = 0; status == MR_OK && index < found->count; index++)
        status = read_row(rows, &found->items[index], arena, error);
    return status;
}

enum mr_status mr_join_rows_latest(struct mr_join_rows *rows, struct mr_slice key, uint64_t hash,
                                   uint32_t side, int64_t until_ms, struct mr_arena *arena,
                                   struct mr_join_row *row, bool *any, struct mr_error *error)
{
    struct key_object *object;
    enum mr_status status = find_key(rows, key, hash, &object, error);
    *any = false;
    *row = (struct mr_join_row){.side = side, .key = key};
    if (status != MR_OK || object == NULL)
        return status;
    if (object->counts[side] > MR_JOIN_LISTED_MAX) {
        struct mr_join_found found = {0};
        struct scan scan = {.found = &found, .arena = arena, .rows_max = UINT32_MAX};
        status = scan_rows(rows, side, key, INT64_MIN, until_ms, &scan, error);
        *any = found.count > 0;
        if (status == MR_OK && *any)
            *row = found.items[found.count - 1];
    } else {
        for (uint32_t index = 0; index < object->counts[side]; index++) {
            if (object->listed[side][index].time_ms > until_ms)
                break;
            row->time_ms = object->listed[side][index].time_ms;
            row->number = object->listed[side][index].number;
            *any = true;
        }
    }
    return status == MR_OK && *any ? read_row(rows, row, arena, error) : status;
}

/* ---- Adding ---- */

static enum mr_status take_number(struct mr_join_rows *rows, uint64_t *number,
                                  struct mr_error *error)
{
    if (!rows->number_known) {
        struct mr_slice key = mr_slice_from("", 0);
        void *object = NULL;
        enum mr_status status = mr_table_find(rows->task, key, mr_hash64(key), &object, error);
        if (status != MR_OK && status != MR_NOT_FOUND)
            return status;
        rows->next_number = status == MR_OK ? ((const struct task_object *)object)->next_number : 0;
        rows->number_known = true;
    }
    rows->number_changed = true;
    *number = rows->next_number++;
    return MR_OK;
}

enum mr_status mr_join_rows_settle(struct mr_join_rows *rows, struct mr_error *error)
{
    struct mr_slice key = mr_slice_from("", 0);
    void *object;
    bool created;
    if (!rows->number_changed)
        return MR_OK;
    enum mr_status status =
        mr_table_get(rows->task, key, mr_hash64(key), 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    ((struct task_object *)object)->next_number = rows->next_number;
    mr_table_dirty(rows->task, object);
    rows->number_changed = false;
    return MR_OK;
}

static void list(struct key_object *key, const struct mr_join_row *row)
{
    struct listed *listed = key->listed[row->side];
    uint32_t at = key->counts[row->side] - 1;
    for (; at > 0 && listed[at - 1].time_ms > row->time_ms; at--)
        listed[at] = listed[at - 1];
    listed[at] = (struct listed){row->time_ms, row->number};
}

enum mr_status mr_join_rows_add(struct mr_join_rows *rows, struct mr_join_row *row, uint64_t hash,
                                int64_t due_ms, struct mr_error *error)
{
    void *object;
    bool created;
    enum mr_status status = take_number(rows, &row->number, error);
    if (status == MR_OK)
        status = mr_table_get(rows->keys, row->key, hash, 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct key_object *key = object;
    if (++key->counts[row->side] <= MR_JOIN_LISTED_MAX)
        list(key, row);
    mr_table_dirty(rows->keys, key);
    struct mr_slice stored =
        write_row_key(rows->first, row->side, row->key, row->time_ms, row->number);
    status = mr_table_get(rows->rows, stored, mr_hash64(stored), due_ms, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct row_object *kept = object;
    uint32_t size = (uint32_t)row->bytes.size;
    kept->size = size;
    kept->matched = row->matched;
    memcpy(kept->bytes, row->bytes.data, inline_size(size));
    for (uint32_t at = MR_JOIN_INLINE_BYTES, index = 0; at < size;
         at += MR_JOIN_SLOT_BYTES, index++) {
        void *slot;
        status = mr_table_slot(rows->rows, object, index, true, &slot, error);
        if (status != MR_OK)
            return status;
        uint32_t part = size - at < MR_JOIN_SLOT_BYTES ? size - at : MR_JOIN_SLOT_BYTES;
        memcpy(slot, row->bytes.data + at, part);
    }
    mr_table_schedule(rows->rows, object, due_ms);
    return MR_OK;
}

enum mr_status mr_join_rows_match(struct mr_join_rows *rows, const struct mr_join_row *row,
                                  struct mr_error *error)
{
    struct row_object *object;
    enum mr_status status = find_row(rows, row, &object, error);
    if (status != MR_OK || object->matched)
        return status;
    object->matched = true;
    mr_table_dirty(rows->rows, object);
    return MR_OK;
}

enum mr_status mr_join_rows_schedule(struct mr_join_rows *rows, const struct mr_join_row *row,
                                     int64_t due_ms, struct mr_error *error)
{
    struct row_object *object;
    enum mr_status status = find_row(rows, row, &object, error);
    if (status == MR_OK)
        mr_table_schedule(rows->rows, object, due_ms);
    return status;
}

/* ---- Leaving ---- */

enum mr_status mr_join_rows_due(struct mr_join_rows *rows, int64_t until_ms, struct mr_arena *arena,
                                struct mr_join_row *row, bool *any, struct mr_error *error)
{
    struct mr_slice stored;
    uint64_t hash;
    void *object;
    enum mr_status status =
        mr_table_next_due(rows->rows, until_ms, &stored, &hash, &object, any, error);
    if (status != MR_OK || !*any)
        return status;
    if (!parse_row_key(mr_arena_copy(arena, stored), row))
        return bad_key(error);
    row->matched = ((const struct row_object *)object)->matched;
    return read_bytes(rows, object, arena, &row->bytes, error);
}

enum mr_status mr_join_rows_earliest(struct mr_join_rows *rows, struct mr_slice key, uint64_t hash,
                                     uint32_t side, struct mr_arena *arena, struct mr_join_row *row,
                                     struct mr_error *error)
{
    struct key_object *object;
    enum mr_status status = find_key(rows, key, hash, &object, error);
    if (status != MR_OK)
        return status;
    MR_ASSERT(object != NULL && object->counts[side] > 0);
    *row = (struct mr_join_row){.side = side, .key = key};
    if (object->counts[side] <= MR_JOIN_LISTED_MAX) {
        row->time_ms = object->listed[side][0].time_ms;
        row->number = object->listed[side][0].number;
    } else {
        struct mr_join_found found = {0};
        struct scan scan = {.found = &found, .arena = arena, .rows_max = 1};
        status = scan_rows(rows, side, key, INT64_MIN, INT64_MAX, &scan, error);
        if (status == MR_OK && found.count == 0)
            return bad_key(error);
        if (status != MR_OK)
            return status;
        *row = found.items[0];
    }
    return read_row(rows, row, arena, error);
}

static void unlist(struct key_object *key, const struct mr_join_row *row)
{
    struct listed *listed = key->listed[row->side];
    uint32_t count = key->counts[row->side];
    uint32_t kept = 0;
    for (uint32_t index = 0; index < count; index++)
        if (listed[index].number != row->number)
            listed[kept++] = listed[index];
    key->counts[row->side] = count - 1;
}

/* The rows are few enough to be listed again. */
static enum mr_status list_again(struct mr_join_rows *rows, struct key_object *changed,
                                 const struct mr_join_row *row, uint64_t hash,
                                 struct mr_error *error)
{
    struct mr_join_row items[MR_JOIN_LISTED_MAX + 1];
    struct mr_join_found found = {.items = items, .capacity = MR_JOIN_LISTED_MAX + 1};
    struct scan scan = {.found = &found, .rows_max = MR_JOIN_LISTED_MAX + 1};
    struct key_object *key;
    mr_table_dirty(rows->keys, changed);
    enum mr_status status =
        scan_rows(rows, row->side, row->key, INT64_MIN, INT64_MAX, &scan, error);
    if (status == MR_OK)
        status = find_key(rows, row->key, hash, &key, error);
    if (status != MR_OK)
        return status;
    if (found.count != MR_JOIN_LISTED_MAX)
        return bad_key(error);
    for (uint32_t index = 0; index < found.count; index++)
        key->listed[row->side][index] = (struct listed){items[index].time_ms, items[index].number};
    mr_table_dirty(rows->keys, key);
    return MR_OK;
}

enum mr_status mr_join_rows_remove(struct mr_join_rows *rows, const struct mr_join_row *row,
                                   struct mr_error *error)
{
    uint64_t hash = mr_hash64(row->key);
    struct key_object *key;
    struct mr_slice stored =
        write_row_key(rows->first, row->side, row->key, row->time_ms, row->number);
    enum mr_status status = mr_table_remove(rows->rows, stored, mr_hash64(stored), error);
    if (status == MR_OK)
        status = find_key(rows, row->key, hash, &key, error);
    if (status != MR_OK)
        return status;
    if (key == NULL || key->counts[row->side] == 0)
        return bad_key(error);
    bool listed = key->counts[row->side] <= MR_JOIN_LISTED_MAX;
    if (listed)
        unlist(key, row);
    else
        key->counts[row->side]--;
    bool few = !listed && key->counts[row->side] == MR_JOIN_LISTED_MAX;
    if (key->counts[0] == 0 && key->counts[1] == 0)
        return mr_table_remove(rows->keys, row->key, hash, error);
    if (few)
        return list_again(rows, key, row, hash, error);
    mr_table_dirty(rows->keys, key);
    return MR_OK;
}
