/* state/restore.c — from changelog records back to the store.
 * Design: records of a transaction wait until its progress record is read; whole transactions are
 * gathered in an overlay, where the last value of a key wins, and written as one batch, so that the
 * store is a prefix of committed transactions at every moment of a restore.
 * Order keys are not in the changelog. A store that has them keeps them up with each batch (the old
 * time is read from the store); a store that is filled from its beginning gets them at the end, in
 * one pass over the objects, and the table's local record says that they are complete. A crash in
 * between leaves no local record: the next restore ends with the pass. */
#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/internal.h"

enum {
    GATHER_BYTES = 4 << 20, /* written at the end of a transaction: 8 MB with the usual one */
    PENDING_BYTES_MAX = 256 << 20, /* far above what a transaction may hold */
    ORDER_BATCH_BYTES = 4 << 20,
    ARENA_CHUNK_BYTES = 256 << 10
};

void mr_restore_init(struct mr_restore *restore)
{
    *restore = (struct mr_restore){0};
    mr_overlay_init(&restore->gathered);
    mr_arena_init(&restore->arena, ARENA_CHUNK_BYTES);
}

void mr_restore_deinit(struct mr_restore *restore)
{
    mr_overlay_deinit(&restore->gathered);
    mr_arena_deinit(&restore->arena);
    mr_memory_free(restore->pending);
}

enum mr_status mr_state_restore_record(struct mr_state *state, struct mr_slice key,
                                       struct mr_slice value, bool tombstone,
                                       struct mr_error *error)
{
    struct mr_restore *restore = &state->restore;
    struct mr_key parsed;
    if (!mr_key_parse(key, &parsed) || mr_key_is_local(key))
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the changelog holds a record whose key is not one of this program's; "
                       "reset the topology or run the program that wrote it");
    if (restore->pending_bytes > PENDING_BYTES_MAX)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the changelog holds more than %d MB without a progress record",
                       PENDING_BYTES_MAX >> 20);
    if (restore->pending_count == restore->pending_capacity) {
        restore->pending_capacity =
            restore->pending_capacity == 0 ? 1024 : restore->pending_capacity * 2;
        restore->pending = mr_memory_resize(restore->pending,
                                            restore->pending_capacity * sizeof *restore->pending);
    }
    struct mr_arena *arena = &restore->gathered.arena;
    uint8_t *memory = mr_arena_take(arena, key.size + value.size);
    memcpy(memory, key.data, key.size);
    if (value.size > 0)
        memcpy(memory + key.size, value.data, value.size);
    restore->pending[restore->pending_count++] =
        (struct mr_restore_record){.key = mr_slice_from(memory, key.size),
                                   .value = mr_slice_from(memory + key.size, value.size),
                                   .tombstone = tombstone};
    restore->pending_bytes += key.size + value.size;
    state->ready = false;
    return MR_OK;
}

static void add_order_write(struct mr_state *state, const struct mr_table *table,
                            struct mr_slice user, const struct mr_stored_object *object,
                            size_t value_size, bool put)
{
    struct mr_arena *arena = &state->restore.arena;
    uint8_t *key = mr_arena_take(arena, MR_KEY_HEAD_BYTES + MR_KEY_TIME_BYTES + user.size);
    size_t size = mr_key_write_order(key, table->id, object->time_ms, user);
    struct mr_store_write *write = mr_state_add_write(state);
    *write = (struct mr_store_write){.kind = put ? MR_STORE_PUT : MR_STORE_DELETE,
                                     .key = mr_slice_from(key, size)};
    if (put) {
        uint8_t *value = mr_arena_take(arena, MR_STORED_ORDER_BYTES);
        uint64_t bytes =
            mr_stored_key_bytes(user.size, value_size, object->slots_count, table->spec.slot_bytes);
        mr_stored_order_write(value, &(struct mr_stored_order){.slots_count = object->slots_count,
                                                               .bytes = (uint32_t)bytes});
        write->value = mr_slice_from(value, MR_STORED_ORDER_BYTES);
    }
}

static enum mr_status damaged(const struct mr_table *table, struct mr_error *error)
{
    return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                   "a stored object of table %s of operator %s is damaged", table->name,
                   table->operator_name);
}

/* The order keys that follow from one object record, where the store's are complete. */
static enum mr_status keep_order(struct mr_state *state, const struct mr_overlay_record *record,
                                 struct mr_error *error)
{
    struct mr_key key;
    if (record->key.data[4] != MR_KEY_OBJECT || !mr_key_parse(record->key, &key))
        return MR_OK;
    const struct mr_table *table = mr_state_table(state, key.table_id);
    if (table == NULL || !table->ordered || !table->order_stored)
        return MR_OK;
    struct mr_slice old;
    struct mr_stored_object object;
    enum mr_status status =
        state->ops->get(state->store, record->key, &state->restore.arena, &old, error);
    if (status != MR_OK && status != MR_NOT_FOUND)
        return status;
    if (status == MR_OK && !mr_stored_object_parse(old, &object))
        return damaged(table, error);
    bool had = status == MR_OK;
    int64_t old_time_ms = had ? object.time_ms : MR_TIME_NONE;
    if (had)
        add_order_write(state, table, key.user, &object, old.size, false);
    struct mr_slice value = mr_slice_from(record->value, record->value_size);
    if (record->tombstone || !mr_stored_object_parse(value, &object))
        return MR_OK;
    if (had && old_time_ms == object.time_ms)
        state->committer.writes_count--; /* the same order key: only its value is new */
    add_order_write(state, table, key.user, &object, value.size, true);
    return MR_OK;
}

static bool keeps_order(const struct mr_state *state)
{
    for (uint32_t i = 0; i < state->tables_count; i++) {
        if (state->tables[i]->ordered && state->tables[i]->order_stored)
            return true;
    }
    return false;
}

/* Write what is gathered. wall_ms: see mr_state_restore_finish in state/state.h. */
static enum mr_status write_gathered(struct mr_state *state, int64_t wall_ms,
                                     struct mr_error *error)
{
    struct mr_restore *restore = &state->restore;
    MR_ASSERT(restore->pending_count == 0);
    bool ordered = keeps_order(state);
    enum mr_status status = MR_OK;
    const struct mr_overlay_record **sorted = mr_state_sort_overlay(state, &restore->gathered);
    for (size_t i = 0; i < restore->gathered.records_count && status == MR_OK; i++) {
        mr_state_add_record(state, sorted[i]);
        if (ordered)
            status = keep_order(state, sorted[i], error);
    }
    if (status == MR_OK)
        status = mr_state_write_batch(state, restore->offset,
                                      (int64_t)mr_overlay_bytes(&restore->gathered), wall_ms,
                                      restore->last_wall_ms, error);
    state->committer.writes_count = 0;
    state->empty = false;
    mr_overlay_reset(&restore->gathered);
    mr_arena_reset(&restore->arena);
    return status;
}

enum mr_status mr_state_restore_commit(struct mr_state *state, int64_t changelog_offset,
                                       int64_t now_wall_ms, struct mr_error *error)
{
    struct mr_restore *restore = &state->restore;
    for (size_t i = 0; i < restore->pending_count; i++) {
        const struct mr_restore_record *record = &restore->pending[i];
        mr_overlay_adopt(&restore->gathered, record->key, mr_hash64(record->key), record->value,
                         record->tombstone);
    }
    restore->pending_count = 0;
    restore->pending_bytes = 0;
    restore->offset = changelog_offset;
    restore->last_wall_ms = now_wall_ms;
    if (mr_overlay_bytes(&restore->gathered) < GATHER_BYTES)
        return MR_OK;
    return write_gathered(state, state->committer.wall_ms, error);
}

/* ---- Order keys of a table that has none, or should have none ---- */

struct order_pass {
    struct mr_state *state;
    struct mr_table *table;
    struct mr_error *error;
    enum mr_status status;
};

static enum mr_status write_part(struct mr_state *state, struct mr_error *error)
{
    enum mr_status status =
        mr_state_write_batch(state, state->restore.offset, (int64_t)state->restore.arena.used_bytes,
                             state->committer.wall_ms, state->restore.last_wall_ms, error);
    state->committer.writes_count = 0;
    mr_arena_reset(&state->restore.arena);
    return status;
}

static bool order_object(void *argument, struct mr_slice stored_key, struct mr_slice value)
{
    struct order_pass *pass = argument;
    struct mr_key key;
    struct mr_stored_object object;
    if (!mr_key_parse(stored_key, &key) || !mr_stored_object_parse(value, &object)) {
        pass->status = damaged(pass->table, pass->error);
        return false;
    }
    add_order_write(pass->state, pass->table, key.user, &object, value.size, true);
    return pass->state->restore.arena.used_bytes < ORDER_BATCH_BYTES;
}

/* One scan per part: a store may not be written while it is scanned. */
static enum mr_status order_objects(struct mr_table *table, struct mr_error *error)
{
    struct mr_state *state = table->state;
    uint8_t *first = state->key_scratch;
    size_t first_size = mr_key_write_plain(first, table->id, MR_KEY_OBJECT);
    uint8_t end[MR_KEY_HEAD_BYTES];
    mr_key_write_plain(end, table->id, MR_KEY_OBJECT + 1);
    for (;;) {
        struct order_pass pass = {.state = state, .table = table, .error = error, .status = MR_OK};
        enum mr_status status =
            state->ops->scan(state->store, mr_slice_from(first, first_size),
                             mr_slice_from(end, sizeof end), order_object, &pass, error);
        if (status == MR_OK)
            status = pass.status;
        size_t count = state->committer.writes_count;
        if (status != MR_OK || count == 0)
            return status;
        /* Go on behind the last object: its key and one more byte. */
        struct mr_key last;
        bool parsed = mr_key_parse(state->committer.writes[count - 1].key, &last);
        MR_ASSERT(parsed);
        first_size = mr_key_write_object(first, table->id, last.user);
        first[first_size++] = 0;
        status = write_part(state, error);
        if (status != MR_OK)
            return status;
    }
}

static enum mr_status rebuild_order(struct mr_table *table, struct mr_error *error)
{
    struct mr_state *state = table->state;
    uint8_t first[MR_KEY_HEAD_BYTES];
    uint8_t end[MR_KEY_HEAD_BYTES];
    uint8_t local[MR_KEY_HEAD_BYTES];
    uint8_t local_value[MR_STORED_LOCAL_BYTES];
    mr_key_write_plain(first, table->id, MR_KEY_ORDER);
    mr_key_write_plain(end, table->id, MR_KEY_ORDER + 1);
    mr_key_write_plain(local, table->id, MR_KEY_LOCAL);
    mr_stored_local_write(local_value);
    *mr_state_add_write(state) =
        (struct mr_store_write){.kind = MR_STORE_DELETE_RANGE,
                                .key = mr_slice_from(first, sizeof first),
                                .range_end = mr_slice_from(end, sizeof end)};
    *mr_state_add_write(state) =
        (struct mr_store_write){.kind = MR_STORE_DELETE, .key = mr_slice_from(local, sizeof local)};
    enum mr_status status = write_part(state, error);
    if (status == MR_OK && table->ordered)
        status = order_objects(table, error);
    if (status == MR_OK && table->ordered) {
        *mr_state_add_write(state) =
            (struct mr_store_write){.kind = MR_STORE_PUT,
                                    .key = mr_slice_from(local, sizeof local),
                                    .value = mr_slice_from(local_value, sizeof local_value)};
        status = write_part(state, error);
    }
    return status;
}

enum mr_status mr_state_restore_interrupt(struct mr_state *state, struct mr_error *error)
{
    state->restore.pending_count = 0;
    state->restore.pending_bytes = 0;
    return write_gathered(state, state->committer.wall_ms, error);
}

enum mr_status mr_restore_table(struct mr_table *table, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    if (table->ordered ? !table->order_stored : table->local_stored)
        status = rebuild_order(table, error);
    if (status == MR_OK)
        status = mr_table_load(table, error);
    if (status == MR_OK && table->ordered)
        mr_order_reset(&table->order, table->id);
    if (table->scanning != NULL)
        mr_key_set_clear(&table->scanning->active);
    return status;
}

enum mr_status mr_state_restore_finish(struct mr_state *state, struct mr_error *error)
{
    struct mr_restore *restore = &state->restore;
    MR_ASSERT(state->sealed == NULL && state->active->overlay.records_count == 0 &&
              state->cache.entries_count == 0);
    restore->pending_count = 0;
    restore->pending_bytes = 0;
    enum mr_status status = write_gathered(state, restore->last_wall_ms, error);
    if (status == MR_OK)
        status = mr_lives_load(state, error);
    for (uint32_t i = 0; i < state->tables_count && status == MR_OK; i++)
        status = mr_restore_table(state->tables[i], error);
    state->ready = status == MR_OK;
    return status;
}
