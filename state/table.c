/* state/table.c — objects and slots of a table: from the layers into the cache and back.
 * Design: the cache is the only place where objects live; a miss asks the active overlay, the
 * sealed one and the store, in this order, by stored key. What changed goes back as bytes, when it
 * is evicted or at the seal, and with it, in tables with bounds, the order key that the object's
 * time asks for. An object counts from its first change (mr_table_dirty): an object that was only
 * handed out as new stays a ghost in the cache and leaves no trace. */
#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/internal.h"

static const uint64_t SLOT_HASH_STEP = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t slot_hash(uint64_t object_hash, uint32_t slot_index)
{
    return object_hash + ((uint64_t)slot_index + 1) * SLOT_HASH_STEP;
}

/* ---- Opening ---- */

static bool has_bounds(const struct mr_table_spec *spec)
{
    bool evicts =
        (spec->keys_max > 0 || spec->bytes_max > 0) && spec->on_full == MR_ON_FULL_EVICT_OLDEST;
    return spec->ttl_ms > 0 || evicts;
}

static enum mr_status check_spec(const struct mr_state *state, const struct mr_table_spec *spec,
                                 struct mr_error *error)
{
    const char *wrong = NULL;
    size_t operator_size = strlen(spec->operator_name);
    size_t name_size = strlen(spec->name);
    if (operator_size == 0 || operator_size > MR_LIMIT_NAME_BYTES || name_size == 0 ||
        name_size > MR_LIMIT_NAME_BYTES)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the names of a table and of its operator have 1 to %d bytes",
                       MR_LIMIT_NAME_BYTES);
    if (spec->version > MR_STORED_VERSION_MAX)
        wrong = "its version is above 65535";
    else if (spec->object_size == 0 || spec->object_size > MR_CACHE_PAYLOAD_MAX)
        wrong = "its objects are empty or above 16 KiB";
    else if (spec->encoded_size_max > MR_LIMIT_STATE_SLOT_BYTES)
        wrong = "its encoded objects may exceed 4096 bytes";
    else if (spec->slot_bytes > MR_LIMIT_STATE_SLOT_BYTES)
        wrong = "its slots exceed 4096 bytes";
    else if ((uint64_t)spec->slots_max * (spec->slot_bytes + 64u) > INT32_MAX)
        wrong = "the slots of one object may exceed 2 GiB";
    else if (spec->ttl_ms < 0 || spec->keys_max < 0 || spec->bytes_max < 0)
        wrong = "a bound is negative";
    else if (spec->timed && spec->ttl_ms > 0)
        wrong = "a timed table has no ttl";
    else if (state->tables_count == MR_STATE_TABLES_MAX)
        wrong = "the task has 1024 tables already";
    if (wrong != NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "table %s of operator %s cannot be opened: %s", spec->name,
                       spec->operator_name, wrong);
    return MR_OK;
}

static struct mr_table *table_create(struct mr_state *state, const struct mr_table_spec *spec)
{
    struct mr_table *table = mr_memory_new(1, sizeof *table);
    table->state = state;
    table->spec = *spec;
    memcpy(table->operator_name, spec->operator_name, strlen(spec->operator_name));
    memcpy(table->name, spec->name, strlen(spec->name));
    table->spec.operator_name = table->operator_name;
    table->spec.name = table->name;
    table->ordered = has_bounds(spec) || spec->timed;
    table->dated = table->ordered && !spec->timed;
    table->ended_before_ms = MR_TIME_NONE;
    table->counts.watermark_ms = MR_TIME_NONE;
    table->logged = table->counts;
    if (table->ordered)
        mr_order_init(&table->order, 0);
    if (spec->scanned) {
        table->scanning = mr_memory_new(1, sizeof *table->scanning + spec->object_size);
        mr_key_set_init(&table->scanning->active);
        mr_key_set_init(&table->scanning->sealed);
    }
    return table;
}

void mr_table_destroy(struct mr_table *table)
{
    if (table->ordered)
        mr_order_deinit(&table->order);
    if (table->scanning != NULL) {
        mr_key_set_deinit(&table->scanning->active);
        mr_key_set_deinit(&table->scanning->sealed);
        mr_memory_free(table->scanning);
    }
    mr_memory_free(table);
}

enum mr_status mr_table_set_id(struct mr_table *table, uint32_t id, struct mr_error *error)
{
    const struct mr_table *other = mr_state_table(table->state, id);
    if (other == table)
        return MR_OK;
    if (other != NULL || id == 0)
        return MR_FAIL(
            error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
            "table %s of operator %s has the same id as table %s of operator %s; give one "
            "operator another name",
            table->name, table->operator_name, other == NULL ? "0" : other->name,
            other == NULL ? "the engine" : other->operator_name);
    table->id = id;
    table->salt = mr_hash64(mr_slice_from(&table->id, sizeof table->id));
    if (table->ordered)
        mr_order_reset(&table->order, id);
    return MR_OK;
}

enum mr_status mr_table_open(struct mr_state *state, const struct mr_table_spec *spec,
                             struct mr_table **table, struct mr_error *error)
{
    enum mr_status status = check_spec(state, spec, error);
    if (status != MR_OK)
        return status;
    const struct mr_life *life = mr_life_find(state, spec->operator_name);
    struct mr_table *opened = table_create(state, spec);
    status = mr_table_set_id(
        opened, mr_key_table_id(spec->operator_name, spec->name, life == NULL ? 0 : life->number),
        error);
    if (status == MR_OK)
        status = mr_table_load(opened, error);
    if (status != MR_OK) {
        mr_table_destroy(opened);
        return status;
    }
    state->tables =
        mr_memory_resize(state->tables, (state->tables_count + 1u) * sizeof *state->tables);
    state->tables[state->tables_count++] = opened;
    *table = opened;
    return MR_OK;
}

static enum mr_status get_plain(struct mr_table *table, enum mr_key_kind kind,
                                struct mr_slice *value, struct mr_error *error)
{
    struct mr_state *state = table->state;
    uint8_t key[MR_KEY_HEAD_BYTES];
    size_t size = mr_key_write_plain(key, table->id, kind);
    mr_arena_reset(&state->read_arena);
    return state->ops->get(state->store, mr_slice_from(key, size), &state->read_arena, value,
                           error);
}

enum mr_status mr_table_load(struct mr_table *table, struct mr_error *error)
{
    struct mr_slice value;
    enum mr_status status = get_plain(table, MR_KEY_TABLE, &value, error);
    table->counts = (struct mr_stored_table){.watermark_ms = MR_TIME_NONE};
    if (status == MR_OK && !mr_stored_table_parse(value, &table->counts))
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                       "the counts of table %s of operator %s are damaged", table->name,
                       table->operator_name);
    if (status != MR_OK && status != MR_NOT_FOUND)
        return status;
    table->logged = table->counts;
    mr_table_set_watermark(table, table->counts.watermark_ms);
    status = get_plain(table, MR_KEY_LOCAL, &value, error);
    if (status != MR_OK && status != MR_NOT_FOUND)
        return status;
    table->local_stored = status == MR_OK;
    table->order_stored = status == MR_OK && mr_stored_local_parse(value);
    return MR_OK;
}

void mr_table_set_watermark(struct mr_table *table, int64_t watermark_ms)
{
    table->counts.watermark_ms = watermark_ms;
    int64_t ended_before;
    bool overflow = __builtin_sub_overflow(watermark_ms, table->spec.ttl_ms - 1, &ended_before);
    bool ends = table->spec.ttl_ms > 0 && watermark_ms != MR_TIME_NONE && !overflow;
    table->ended_before_ms = ends ? ended_before : MR_TIME_NONE;
}

/* ---- Layers ---- */

/* The record about a stored key in the overlays, newest first, or NULL. */
static const struct mr_overlay_record *find_in_overlays(const struct mr_state *state,
                                                        struct mr_slice stored_key)
{
    uint64_t hash = mr_hash64(stored_key);
    const struct mr_overlay_record *record =
        mr_overlay_find(&state->active->overlay, stored_key, hash);
    if (record == NULL && state->sealed != NULL)
        record = mr_overlay_find(&state->sealed->overlay, stored_key, hash);
    return record;
}

/* MR_NOT_FOUND when no layer has it. The value is valid until the next read. */
static enum mr_status read_layers(struct mr_state *state, struct mr_slice stored_key,
                                  struct mr_slice *value, struct mr_error *error)
{
    const struct mr_overlay_record *record = find_in_overlays(state, stored_key);
    if (record != NULL && record->tombstone)
        return MR_NOT_FOUND;
    if (record != NULL) {
        *value = mr_slice_from(record->value, record->value_size);
        return MR_OK;
    }
    mr_arena_reset(&state->read_arena);
    return state->ops->get(state->store, stored_key, &state->read_arena, value, error);
}

const struct mr_overlay_record *mr_table_overlay_record(struct mr_table *table, struct mr_slice key)
{
    struct mr_state *state = table->state;
    size_t size = mr_key_write_object(state->key_scratch, table->id, key);
    return find_in_overlays(state, mr_slice_from(state->key_scratch, size));
}

struct mr_presence mr_table_stored_presence(const struct mr_table *table, size_t key_size,
                                            size_t value_size,
                                            const struct mr_stored_object *object)
{
    return (struct mr_presence){.known = true,
                                .exists = true,
                                .time_ms = object->time_ms,
                                .indexed_ms = object->time_ms,
                                .below = true,
                                .slots_count = object->slots_count,
                                .bytes = (uint32_t)mr_stored_key_bytes(key_size, value_size,
                                                                       object->slots_count,
                                                                       table->spec.slot_bytes)};
}

struct mr_presence mr_table_presence(struct mr_table *table, struct mr_slice key, uint64_t hash)
{
    struct mr_state *state = table->state;
    struct mr_cache_entry *entry =
        mr_cache_find(&state->cache, table, key, MR_CACHE_OBJECT, hash ^ table->salt);
    if (entry != NULL)
        return (struct mr_presence){.known = true,
                                    .exists = entry->exists,
                                    .entry = entry,
                                    .time_ms = entry->time_ms,
                                    .indexed_ms = entry->indexed_ms,
                                    .below = entry->below,
                                    .slots_count = entry->slots_count,
                                    .bytes = entry->counted_bytes};
    const struct mr_overlay_record *record = mr_table_overlay_record(table, key);
    if (record == NULL || record->tombstone)
        return (struct mr_presence){.known = record != NULL};
    struct mr_stored_object object;
    struct mr_slice value = mr_slice_from(record->value, record->value_size);
    bool parsed = mr_stored_object_parse(value, &object);
    MR_ASSERT(parsed); /* this process wrote it */
    return mr_table_stored_presence(table, key.size, value.size, &object);
}

/* ---- Into the cache ---- */

static enum mr_status damaged(const struct mr_table *table, const char *what,
                              struct mr_error *error)
{
    return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                   "a stored %s of table %s of operator %s is damaged", what, table->name,
                   table->operator_name);
}

static enum mr_status too_new(const struct mr_table *table, uint32_t version,
                              struct mr_error *error)
{
    return MR_FAIL(
        error, MR_VERSION, MR_RECOVERY_FAIL_TOPOLOGY,
        "table %s of operator %s was written with layout %u and this program knows up to "
        "%u; run a newer program",
        table->name, table->operator_name, version, table->spec.version);
}

enum mr_status mr_table_parse(const struct mr_table *table, struct mr_slice value,
                              struct mr_stored_object *object, struct mr_error *error)
{
    if (!mr_stored_object_parse(value, object))
        return damaged(table, "object", error);
    if (object->version > table->spec.version)
        return too_new(table, object->version, error);
    return MR_OK;
}

enum mr_status mr_table_decode(const struct mr_table *table, void *payload,
                               const struct mr_stored_object *object, struct mr_error *error)
{
    if (!table->spec.decode(payload, object->version, object->encoded))
        return damaged(table, "object", error);
    return MR_OK;
}

enum mr_status mr_table_fetch(struct mr_table *table, struct mr_slice key, uint64_t hash,
                              struct mr_cache_entry **entry, struct mr_error *error)
{
    struct mr_state *state = table->state;
    *entry = mr_cache_find(&state->cache, table, key, MR_CACHE_OBJECT, hash ^ table->salt);
    if (*entry != NULL) {
        mr_cache_pin(&state->cache, *entry);
        if (!(*entry)->exists)
            *entry = NULL;
        return MR_OK;
    }
    state->cache_misses++;
    size_t size = mr_key_write_object(state->key_scratch, table->id, key);
    struct mr_slice value;
    enum mr_status status =
        read_layers(state, mr_slice_from(state->key_scratch, size), &value, error);
    if (status == MR_NOT_FOUND)
        return MR_OK;
    if (status != MR_OK)
        return status;
    struct mr_stored_object object;
    status = mr_table_parse(table, value, &object, error);
    if (status != MR_OK)
        return status;
    struct mr_cache_entry *loaded = mr_cache_insert(&state->cache, table, key, MR_CACHE_OBJECT,
                                                    hash ^ table->salt, table->spec.object_size);
    status = mr_table_decode(table, loaded->payload, &object, error);
    if (status != MR_OK) {
        mr_cache_remove(&state->cache, loaded);
        return status;
    }
    loaded->exists = true;
    loaded->below = true;
    loaded->time_ms = table->ordered ? object.time_ms : MR_TIME_NONE;
    loaded->indexed_ms = loaded->time_ms;
    loaded->slots_count = object.slots_count;
    loaded->counted_bytes = (uint32_t)mr_stored_key_bytes(key.size, value.size, object.slots_count,
                                                          table->spec.slot_bytes);
    *entry = loaded;
    return MR_OK;
}

static enum mr_status check_key(const struct mr_table *table, struct mr_slice key,
                                struct mr_error *error)
{
    MR_ASSERT(table->state->ready || table->state->empty); /* restored before it is read */
    if (key.size > MR_LIMIT_KEY_BYTES)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a key of operator %s has %zu bytes; at most %d are stored",
                       table->operator_name, key.size, MR_LIMIT_KEY_BYTES);
    return MR_OK;
}

static enum mr_status create(struct mr_table *table, struct mr_slice key, uint64_t hash,
                             struct mr_cache_entry **entry, struct mr_error *error)
{
    struct mr_state *state = table->state;
    enum mr_status status = mr_table_make_room(table, error);
    if (status != MR_OK)
        return status;
    struct mr_cache_entry *ghost =
        mr_cache_find(&state->cache, table, key, MR_CACHE_OBJECT, hash ^ table->salt);
    if (ghost != NULL)
        mr_cache_remove(&state->cache, ghost);
    *entry = mr_cache_insert(&state->cache, table, key, MR_CACHE_OBJECT, hash ^ table->salt,
                             table->spec.object_size);
    (*entry)->time_ms = MR_TIME_NONE;
    (*entry)->indexed_ms = MR_TIME_NONE;
    return MR_OK;
}

static enum mr_status get_slowly(struct mr_table *table, struct mr_slice key, uint64_t hash,
                                 int64_t event_time_ms, void **object, bool *created,
                                 struct mr_error *error)
{
    struct mr_cache_entry *entry;
    enum mr_status status = check_key(table, key, error);
    if (status == MR_OK)
        status = mr_table_fetch(table, key, hash, &entry, error);
    if (status != MR_OK)
        return status;
    if (entry != NULL && mr_table_has_ended(table, entry->time_ms)) {
        struct mr_presence presence = mr_table_presence(table, key, hash);
        mr_table_drop(table, key, hash, &presence);
        entry = NULL;
    }
    *created = entry == NULL;
    if (entry == NULL) {
        status = create(table, key, hash, &entry, error);
        if (status != MR_OK)
            return status;
    }
    entry->seen_ms = event_time_ms;
    *object = entry->payload;
    return MR_OK;
}

enum mr_status mr_table_get(struct mr_table *table, struct mr_slice key, uint64_t hash,
                            int64_t event_time_ms, void **object, bool *created,
                            struct mr_error *error)
{
    struct mr_state *state = table->state;
    if (state->unsettled != NULL) {
        enum mr_status status = mr_table_settle(state, error);
        if (status != MR_OK)
            return status;
    }
    mr_cache_unpin(&state->cache);
    struct mr_cache_entry *entry =
        mr_cache_find(&state->cache, table, key, MR_CACHE_OBJECT, hash ^ table->salt);
    if (entry == NULL || !entry->exists || entry->time_ms < table->ended_before_ms)
        return get_slowly(table, key, hash, event_time_ms, object, created, error);
    state->cache_hits++;
    mr_cache_pin(&state->cache, entry);
    entry->seen_ms = event_time_ms;
    *created = false;
    *object = entry->payload;
    return MR_OK;
}

/* The lines of an entry that a get touches: header, object and key. Of a large object its first
 * lines, and the key, which lies behind it. */
static void prefetch_entry(const struct mr_cache_entry *entry, size_t payload_size)
{
    enum { LINE_BYTES = 64, KEY_BYTES = 16, LINES_MAX = 6 };
    const uint8_t *start = (const void *)entry;
    size_t bytes = sizeof(*entry) + payload_size + KEY_BYTES;
    if (bytes > LINES_MAX * LINE_BYTES) {
        __builtin_prefetch(start + sizeof(*entry) + payload_size);
        bytes = LINES_MAX * LINE_BYTES;
    }
    for (size_t place = 0; place < bytes; place += LINE_BYTES)
        __builtin_prefetch(start + place, 1);
}

void mr_table_prefetch(const struct mr_table *table, const uint64_t *hashes, uint32_t hashes_count,
                       uint32_t position)
{
    /* First the key's place in the index; some gets later, when that has come, its entry. */
    enum { PLACE_AHEAD = 24, ENTRY_AHEAD = 14 };
    const struct mr_cache *cache = &table->state->cache;
    size_t mask = cache->index_capacity - 1;
    if (hashes_count - position > PLACE_AHEAD)
        __builtin_prefetch(
            &cache->index[(size_t)(hashes[position + PLACE_AHEAD] ^ table->salt) & mask]);
    if (hashes_count - position <= ENTRY_AHEAD)
        return;
    const struct mr_cache_entry *entry =
        cache->index[(size_t)(hashes[position + ENTRY_AHEAD] ^ table->salt) & mask].entry;
    if (entry != NULL)
        prefetch_entry(entry, table->spec.object_size);
}

enum mr_status mr_table_find(struct mr_table *table, struct mr_slice key, uint64_t hash,
                             void **object, struct mr_error *error)
{
    struct mr_state *state = table->state;
    struct mr_cache_entry *entry;
    enum mr_status status = mr_table_settle(state, error);
    if (status == MR_OK)
        status = check_key(table, key, error);
    if (status != MR_OK)
        return status;
    mr_cache_unpin(&state->cache);
    uint64_t misses = state->cache_misses;
    status = mr_table_fetch(table, key, hash, &entry, error);
    if (status != MR_OK)
        return status;
    if (state->cache_misses == misses)
        state->cache_hits++;
    if (entry == NULL || mr_table_has_ended(table, entry->time_ms))
        return MR_NOT_FOUND;
    entry->seen_ms = entry->time_ms;
    *object = entry->payload;
    return MR_OK;
}

/* ---- Changes ---- */

static uint64_t dirty_estimate(const struct mr_table *table, const struct mr_cache_entry *entry)
{
    size_t value = entry->slot_index == MR_CACHE_OBJECT
                       ? MR_STORED_OBJECT_HEAD_MAX + table->spec.encoded_size_max
                       : MR_STORED_SLOT_HEAD + table->spec.slot_bytes;
    return MR_KEY_HEAD_BYTES + entry->key_size + value;
}

void mr_table_dirty(struct mr_table *table, void *object)
{
    struct mr_state *state = table->state;
    struct mr_cache_entry *entry = mr_cache_entry_of(object);
    MR_ASSERT(entry->owner == table && entry->pin == state->cache.pin_epoch);
    if (!entry->exists) {
        entry->exists = true;
        table->counts.keys++;
    }
    if (table->dated && entry->seen_ms > entry->time_ms)
        entry->time_ms = entry->seen_ms;
    if (!entry->dirty) {
        mr_cache_mark_dirty(&state->cache, entry);
        state->dirty_bytes += dirty_estimate(table, entry);
        /* A timed object without a time is new: mr_table_schedule orders it. */
        if (table->ordered && (table->dated || entry->time_ms != MR_TIME_NONE))
            mr_order_push(&table->order, entry->time_ms, mr_cache_key(entry));
        if (table->scanning != NULL)
            mr_key_set_add(&table->scanning->active, mr_cache_key(entry));
    }
    if (table->spec.bytes_max > 0)
        state->unsettled = entry;
}

static enum mr_status fetch_slot(struct mr_table *table, const struct mr_cache_entry *object,
                                 uint32_t slot_index, struct mr_cache_entry **slot,
                                 struct mr_error *error)
{
    struct mr_state *state = table->state;
    struct mr_slice key = mr_cache_key(object);
    struct mr_slice bytes = {0};
    if (slot_index < object->slots_count) {
        size_t size = mr_key_write_slot(state->key_scratch, table->id, key, slot_index);
        struct mr_slice value;
        enum mr_status status =
            read_layers(state, mr_slice_from(state->key_scratch, size), &value, error);
        if (status != MR_OK && status != MR_NOT_FOUND)
            return status;
        uint32_t version = 0;
        if (status == MR_OK && (!mr_stored_slot_parse(value, &version, &bytes) ||
                                bytes.size != table->spec.slot_bytes))
            return damaged(table, "slot", error);
        if (version > table->spec.version)
            return too_new(table, version, error);
    }
    *slot = mr_cache_insert(&state->cache, table, key, slot_index,
                            slot_hash(object->hash, slot_index), table->spec.slot_bytes);
    (*slot)->exists = true;
    if (bytes.size > 0)
        memcpy((*slot)->payload, bytes.data, bytes.size);
    return MR_OK;
}

enum mr_status mr_table_slot(struct mr_table *table, void *object, uint32_t slot_index, bool write,
                             void **slot, struct mr_error *error)
{
    struct mr_state *state = table->state;
    struct mr_cache_entry *owner = mr_cache_entry_of(object);
    MR_ASSERT(owner->owner == table && owner->pin == state->cache.pin_epoch);
    MR_ASSERT(slot_index < table->spec.slots_max && table->spec.slot_bytes > 0);
    struct mr_cache_entry *entry = mr_cache_find(&state->cache, table, mr_cache_key(owner),
                                                 slot_index, slot_hash(owner->hash, slot_index));
    if (entry == NULL) {
        state->cache_misses++;
        enum mr_status status = fetch_slot(table, owner, slot_index, &entry, error);
        if (status != MR_OK)
            return status;
    } else {
        state->cache_hits++;
        mr_cache_pin(&state->cache, entry);
    }
    if (write) {
        if (!entry->dirty) {
            mr_cache_mark_dirty(&state->cache, entry);
            state->dirty_bytes += dirty_estimate(table, entry);
        }
        if (slot_index >= owner->slots_count)
            owner->slots_count = slot_index + 1;
        mr_table_dirty(table, object);
    }
    *slot = entry->payload;
    return MR_OK;
}

void mr_table_drop(struct mr_table *table, struct mr_slice key, uint64_t hash,
                   const struct mr_presence *presence)
{
    struct mr_state *state = table->state;
    struct mr_overlay *overlay = &state->active->overlay;
    uint64_t object_hash = hash ^ table->salt;
    MR_ASSERT(presence->exists);
    for (uint32_t i = 0; i < presence->slots_count; i++) {
        struct mr_cache_entry *slot =
            mr_cache_find(&state->cache, table, key, i, slot_hash(object_hash, i));
        if (slot != NULL && slot->dirty)
            state->dirty_bytes -= dirty_estimate(table, slot);
        if (slot != NULL)
            mr_cache_remove(&state->cache, slot);
        size_t size = mr_key_write_slot(state->key_scratch, table->id, key, i);
        struct mr_slice stored = mr_slice_from(state->key_scratch, size);
        mr_overlay_delete(overlay, stored, mr_hash64(stored), false);
    }
    if (presence->below) {
        size_t size = mr_key_write_object(state->key_scratch, table->id, key);
        struct mr_slice stored = mr_slice_from(state->key_scratch, size);
        mr_overlay_delete(overlay, stored, mr_hash64(stored), false);
        if (table->scanning != NULL)
            mr_key_set_add(&table->scanning->active, key);
        if (table->ordered) {
            size = mr_key_write_order(state->key_scratch, table->id, presence->indexed_ms, key);
            stored = mr_slice_from(state->key_scratch, size);
            mr_overlay_delete(overlay, stored, mr_hash64(stored), true);
        }
    }
    table->counts.keys--;
    table->counts.bytes -= presence->bytes;
    if (presence->entry != NULL) {
        if (presence->entry->dirty)
            state->dirty_bytes -= dirty_estimate(table, presence->entry);
        if (state->unsettled == presence->entry)
            state->unsettled = NULL;
        mr_cache_remove(&state->cache, presence->entry);
    }
}

enum mr_status mr_table_remove(struct mr_table *table, struct mr_slice key, uint64_t hash,
                               struct mr_error *error)
{
    enum mr_status status = mr_table_settle(table->state, error);
    if (status == MR_OK)
        status = check_key(table, key, error);
    if (status != MR_OK)
        return status;
    mr_cache_unpin(&table->state->cache);
    struct mr_cache_entry *entry;
    status = mr_table_fetch(table, key, hash, &entry, error);
    if (status != MR_OK || entry == NULL)
        return status;
    struct mr_presence presence = mr_table_presence(table, key, hash);
    mr_table_drop(table, key, hash, &presence);
    return MR_OK;
}

/* ---- Back into bytes ---- */

struct mr_slice mr_table_encode(struct mr_state *state, const struct mr_cache_entry *entry)
{
    const struct mr_table *table = entry->owner;
    struct mr_stored_object object = {.version = table->spec.version,
                                      .time_ms = entry->time_ms,
                                      .due = table->spec.timed,
                                      .slots_count = entry->slots_count};
    size_t head = mr_stored_object_write_head(state->value_scratch, &object);
    size_t size = table->spec.encode(entry->payload, state->value_scratch + head);
    MR_ASSERT(size <= table->spec.encoded_size_max);
    return mr_slice_from(state->value_scratch, head + size);
}

void mr_table_count_bytes(struct mr_table *table, struct mr_cache_entry *entry, size_t value_size)
{
    uint64_t bytes = mr_stored_key_bytes(entry->key_size, value_size, entry->slots_count,
                                         table->spec.slot_bytes);
    table->counts.bytes += (int64_t)bytes - (int64_t)entry->counted_bytes;
    entry->counted_bytes = (uint32_t)bytes;
}

static void write_order(struct mr_table *table, struct mr_cache_entry *entry)
{
    struct mr_state *state = table->state;
    struct mr_overlay *overlay = &state->active->overlay;
    struct mr_slice key = mr_cache_key(entry);
    if (entry->below && entry->indexed_ms != entry->time_ms) {
        size_t size = mr_key_write_order(state->key_scratch, table->id, entry->indexed_ms, key);
        struct mr_slice stored = mr_slice_from(state->key_scratch, size);
        mr_overlay_delete(overlay, stored, mr_hash64(stored), true);
    }
    size_t size = mr_key_write_order(state->key_scratch, table->id, entry->time_ms, key);
    struct mr_slice stored = mr_slice_from(state->key_scratch, size);
    uint8_t *value =
        mr_overlay_put(overlay, stored, mr_hash64(stored), MR_STORED_ORDER_BYTES, true);
    mr_stored_order_write(value, &(struct mr_stored_order){.slots_count = entry->slots_count,
                                                           .bytes = entry->counted_bytes});
    entry->indexed_ms = entry->time_ms;
}

void mr_table_write_back(struct mr_state *state, struct mr_cache_entry *entry)
{
    struct mr_table *table = entry->owner;
    struct mr_overlay *overlay = &state->active->overlay;
    state->dirty_bytes -= dirty_estimate(table, entry);
    mr_cache_mark_clean(&state->cache, entry);
    struct mr_slice key = mr_cache_key(entry);
    if (entry->slot_index != MR_CACHE_OBJECT) {
        size_t size = mr_key_write_slot(state->key_scratch, table->id, key, entry->slot_index);
        struct mr_slice stored = mr_slice_from(state->key_scratch, size);
        uint8_t *value = mr_overlay_put(overlay, stored, mr_hash64(stored),
                                        MR_STORED_SLOT_HEAD + table->spec.slot_bytes, false);
        mr_stored_slot_write_head(value, table->spec.version);
        memcpy(value + MR_STORED_SLOT_HEAD, entry->payload, table->spec.slot_bytes);
        return;
    }
    MR_ASSERT(!table->spec.timed || entry->below || entry->time_ms != MR_TIME_NONE);
    struct mr_slice encoded = mr_table_encode(state, entry);
    mr_table_count_bytes(table, entry, encoded.size);
    size_t size = mr_key_write_object(state->key_scratch, table->id, key);
    struct mr_slice stored = mr_slice_from(state->key_scratch, size);
    memcpy(mr_overlay_put(overlay, stored, mr_hash64(stored), (uint32_t)encoded.size, false),
           encoded.data, encoded.size);
    if (table->ordered)
        write_order(table, entry);
    entry->below = true;
}

void mr_table_evict(void *state, struct mr_cache_entry *entry)
{
    struct mr_state *self = state;
    MR_ASSERT(self->unsettled != entry);
    mr_table_write_back(self, entry);
}

int64_t mr_table_keys(const struct mr_table *table)
{
    return table->counts.keys;
}
