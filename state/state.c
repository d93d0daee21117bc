/* state/state.c — a task's state: opening, sealing, applying.
 * Design: two generations of (overlay, changes) alternate: one takes the changes of the open
 * transaction, the other is sealed, read by the task thread and the committer, or empty. The
 * state's own record (identity, changelog offset, time) is part of every batch, so the store always
 * says how far it is; without it, or when it does not fit, the files are wiped and the changelog is
 * read from its beginning. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/internal.h"

enum { READ_CHUNK_BYTES = 64 << 10 };

static const uint8_t progress_key[] = {0, 0, 0, 0, 'p', 'r', 'o', 'g', 'r', 'e', 's', 's'};
const struct mr_slice MR_STATE_PROGRESS_KEY = {.data = progress_key, .size = sizeof progress_key};

/* ---- Opening ---- */

static void generation_init(struct mr_sealed *generation)
{
    *generation = (struct mr_sealed){0};
    mr_overlay_init(&generation->overlay);
}

static void generation_deinit(struct mr_sealed *generation)
{
    mr_overlay_deinit(&generation->overlay);
    mr_memory_free(generation->changes);
}

static struct mr_state *state_create(const struct mr_state_open *open)
{
    struct mr_state *state = mr_memory_new(1, sizeof *state);
    state->ops = open->store_ops;
    state->identity = open->identity;
    state->store = mr_memory_new(1, open->store_ops->instance_size);
    mr_cache_init(&state->cache, open->cache_bytes_max, mr_table_evict, state);
    generation_init(&state->generations[0]);
    generation_init(&state->generations[1]);
    state->active = &state->generations[0];
    mr_arena_init(&state->read_arena, READ_CHUNK_BYTES);
    mr_restore_init(&state->restore);
    state->restore.last_wall_ms = open->now_wall_ms;
    mr_key_write_plain(state->committer.state_key, 0, MR_KEY_STATE);
    state->committer.wall_ms = open->now_wall_ms;
    state->committer.flushed_wall_ms = open->now_wall_ms;
    return state;
}

void mr_state_close(struct mr_state *state)
{
    if (state == NULL)
        return;
    state->ops->close(state->store);
    mr_memory_free(state->store);
    for (uint32_t i = 0; i < state->tables_count; i++)
        mr_table_destroy(state->tables[i]);
    mr_memory_free(state->tables);
    mr_memory_free(state->lives);
    mr_cache_deinit(&state->cache);
    generation_deinit(&state->generations[0]);
    generation_deinit(&state->generations[1]);
    mr_arena_deinit(&state->read_arena);
    mr_restore_deinit(&state->restore);
    mr_memory_free(state->committer.writes);
    mr_memory_free(state->committer.sorted);
    mr_memory_free(state);
}

static bool identity_equal(const struct mr_state_identity *left,
                           const struct mr_state_identity *right)
{
    return left->generation == right->generation &&
           strncmp(left->cluster_id, right->cluster_id, sizeof left->cluster_id) == 0 &&
           strncmp(left->topic_id, right->topic_id, sizeof left->topic_id) == 0;
}

static bool note_any(void *argument, struct mr_slice key, struct mr_slice value)
{
    MR_UNUSED(key);
    MR_UNUSED(value);
    *(bool *)argument = true;
    return false;
}

/* Why the files cannot be used, or NULL; *stored is filled when they can and are not empty. */
static const char *unusable(const struct mr_state_open *open, struct mr_slice value,
                            struct mr_stored_state *stored)
{
    if (value.size > 0 && (value.data[0] & 0xf0u) != 0x10)
        return "the local state was written by another version of the program";
    if (!mr_stored_state_parse(value, stored))
        return "the local state's own record is damaged";
    if (strncmp(stored->identity.cluster_id, open->identity.cluster_id,
                sizeof open->identity.cluster_id) != 0)
        return "the local state belongs to another Kafka cluster";
    if (stored->identity.generation != open->identity.generation)
        return "the local state belongs to an earlier generation of the topology";
    if (!identity_equal(&stored->identity, &open->identity))
        return "the local state belongs to another changelog topic";
    if (open->tombstone_margin_ms > 0 &&
        open->now_wall_ms - stored->wall_ms > open->tombstone_margin_ms)
        return "the local state is older than the changelog keeps deletions";
    return NULL;
}

/* Read the state's own record. *reason says why the files must be wiped. */
static enum mr_status read_own_record(struct mr_state *state, const struct mr_state_open *open,
                                      struct mr_state_opened *opened, const char **reason,
                                      struct mr_error *error)
{
    struct mr_slice key =
        mr_slice_from(state->committer.state_key, sizeof state->committer.state_key);
    struct mr_slice value;
    *reason = NULL;
    enum mr_status status = state->ops->get(state->store, key, &state->read_arena, &value, error);
    if (status == MR_OK) {
        struct mr_stored_state stored;
        *reason = unusable(open, value, &stored);
        if (*reason != NULL)
            return MR_OK;
        opened->changelog_offset = stored.changelog_offset;
        state->committer.wall_ms = stored.wall_ms;
        return MR_OK;
    }
    if (status != MR_NOT_FOUND)
        return status;
    static const uint8_t first = 0;
    static const uint8_t last[] = {0xff, 0xff, 0xff, 0xff, 0xff};
    bool any = false;
    status = state->ops->scan(state->store, mr_slice_from(&first, 0),
                              mr_slice_from(last, sizeof last), note_any, &any, error);
    if (status == MR_OK && any)
        *reason = "the local files do not hold a task's state";
    state->empty = status == MR_OK && !any;
    return status;
}

static enum mr_status try_open(const struct mr_state_open *open, struct mr_state **state,
                               struct mr_state_opened *opened, const char **reason,
                               struct mr_error *error)
{
    struct mr_store_open store_open = {.directory = open->directory, .resources = open->resources};
    *reason = NULL;
    *state = state_create(open);
    enum mr_status status = (*state)->ops->open((*state)->store, &store_open, error);
    if (status == MR_OK)
        status = read_own_record(*state, open, opened, reason, error);
    if (status == MR_CORRUPT && error->recovery == MR_RECOVERY_RESTORE) {
        *reason = "the local files are damaged";
        status = MR_OK;
    }
    if (status != MR_OK || *reason != NULL) {
        mr_state_close(*state);
        *state = NULL;
    }
    return status;
}

enum mr_status mr_state_open(const struct mr_state_open *open, struct mr_state **state,
                             struct mr_state_opened *opened, struct mr_error *error)
{
    const char *reason;
    *opened = (struct mr_state_opened){0};
    enum mr_status status = try_open(open, state, opened, &reason, error);
    if (status == MR_OK && reason != NULL) {
        opened->wiped_reason = reason;
        opened->changelog_offset = 0;
        status = open->store_ops->wipe(open->directory, error);
        if (status == MR_OK)
            status = try_open(open, state, opened, &reason, error);
        if (status == MR_OK && reason != NULL)
            return MR_FAIL(error, MR_IO, MR_RECOVERY_EXIT,
                           "the state folder %s cannot be used even after a wipe: %s",
                           open->directory, reason);
    }
    if (status != MR_OK)
        return status;
    opened->wiped = (*state)->empty;
    (*state)->restore.offset = opened->changelog_offset;
    return MR_OK;
}

enum mr_status mr_state_wipe(const struct mr_state_open *open, struct mr_error *error)
{
    return open->store_ops->wipe(open->directory, error);
}

struct mr_table *mr_state_table(const struct mr_state *state, uint32_t table_id)
{
    for (uint32_t i = 0; i < state->tables_count; i++) {
        if (state->tables[i]->id == table_id)
            return state->tables[i];
    }
    return NULL;
}

/* ---- Sealing ---- */

static void log_table(struct mr_state *state, struct mr_table *table)
{
    const struct mr_stored_table *counts = &table->counts;
    const struct mr_stored_table *logged = &table->logged;
    if (counts->keys == logged->keys && counts->bytes == logged->bytes &&
        counts->watermark_ms == logged->watermark_ms)
        return;
    size_t size = mr_key_write_plain(state->key_scratch, table->id, MR_KEY_TABLE);
    struct mr_slice key = mr_slice_from(state->key_scratch, size);
    bool empty = counts->keys == 0 && counts->bytes == 0 && counts->watermark_ms == MR_TIME_NONE;
    if (empty) /* as if it had never held a key */
        mr_overlay_delete(&state->active->overlay, key, mr_hash64(key), false);
    else
        mr_stored_table_write(mr_overlay_put(&state->active->overlay, key, mr_hash64(key),
                                             MR_STORED_TABLE_BYTES, false),
                              counts);
    table->logged = *counts;
}

static void seal_scanning(struct mr_scanning *scanning)
{
    MR_ASSERT(scanning->sealed.count == 0);
    struct mr_key_set empty = scanning->sealed;
    scanning->sealed = scanning->active;
    scanning->active = empty;
}

static void list_changes(struct mr_sealed *sealed)
{
    const struct mr_overlay *overlay = &sealed->overlay;
    if (sealed->changes_capacity < overlay->records_count) {
        sealed->changes_capacity = overlay->records_capacity;
        sealed->changes =
            mr_memory_resize(sealed->changes, sealed->changes_capacity * sizeof *sealed->changes);
    }
    sealed->changes_count = 0;
    for (size_t i = 0; i < overlay->records_count; i++) {
        const struct mr_overlay_record *record = &overlay->records[i];
        if (record->local)
            continue;
        struct mr_state_change *change = &sealed->changes[sealed->changes_count++];
        change->key = record->key;
        change->tombstone = record->tombstone;
        change->value = record->tombstone ? mr_slice_from(NULL, 0)
                                          : mr_slice_from(record->value, record->value_size);
    }
}

enum mr_status mr_state_seal(struct mr_state *state, struct mr_sealed **sealed,
                             const struct mr_state_change **changes, size_t *changes_count,
                             struct mr_error *error)
{
    MR_ASSERT(state->sealed == NULL);
    enum mr_status status = mr_table_settle(state, error);
    if (status == MR_OK)
        status = mr_lives_clear(state, error);
    if (status != MR_OK)
        return status;
    mr_cache_unpin(&state->cache);
    while (state->cache.dirty_first != NULL)
        mr_table_write_back(state, state->cache.dirty_first);
    MR_ASSERT(state->dirty_bytes == 0);
    for (uint32_t i = 0; i < state->tables_count; i++) {
        log_table(state, state->tables[i]);
        if (state->tables[i]->ordered)
            mr_order_seal(&state->tables[i]->order);
        if (state->tables[i]->scanning != NULL)
            seal_scanning(state->tables[i]->scanning);
    }
    mr_cache_trim(&state->cache);
    struct mr_sealed *other = &state->generations[state->active == &state->generations[0]];
    state->sealed = state->active;
    state->active = other;
    list_changes(state->sealed);
    *sealed = state->sealed;
    *changes = state->sealed->changes;
    *changes_count = state->sealed->changes_count;
    return MR_OK;
}

void mr_state_release_sealed(struct mr_state *state, struct mr_sealed *sealed)
{
    MR_ASSERT(sealed == state->sealed && sealed->applied);
    const struct mr_overlay *overlay = &sealed->overlay;
    for (size_t i = 0; i < overlay->records_count; i++) {
        const struct mr_overlay_record *record = &overlay->records[i];
        if (!record->local || record->key.data[4] != MR_KEY_ORDER)
            continue;
        struct mr_key key;
        bool parsed = mr_key_parse(record->key, &key);
        MR_ASSERT(parsed);
        struct mr_table *table = mr_state_table(state, key.table_id);
        if (table != NULL) /* else: an earlier life's */
            mr_order_applied(&table->order, record->key, record->tombstone);
    }
    for (uint32_t i = 0; i < state->tables_count; i++) {
        if (state->tables[i]->ordered)
            mr_order_release(&state->tables[i]->order);
        if (state->tables[i]->scanning != NULL)
            mr_key_set_clear(&state->tables[i]->scanning->sealed);
    }
    mr_overlay_reset(&sealed->overlay);
    sealed->changes_count = 0;
    sealed->applied = false;
    state->sealed = NULL;
}

uint64_t mr_state_dirty_bytes(const struct mr_state *state)
{
    uint64_t bytes = state->dirty_bytes + mr_overlay_bytes(&state->active->overlay);
    for (uint32_t i = 0; i < state->tables_count; i++) {
        if (state->tables[i]->ordered)
            bytes += mr_order_bytes(&state->tables[i]->order);
        if (state->tables[i]->scanning != NULL)
            bytes += state->tables[i]->scanning->active.arena.used_bytes;
    }
    return bytes;
}

/* ---- Applying: committer thread ---- */

struct mr_store_write *mr_state_add_write(struct mr_state *state)
{
    if (state->committer.writes_count == state->committer.writes_capacity) {
        size_t capacity = state->committer.writes_capacity;
        capacity = capacity == 0 ? 256 : capacity * 2;
        state->committer.writes =
            mr_memory_resize(state->committer.writes, capacity * sizeof *state->committer.writes);
        state->committer.writes_capacity = capacity;
    }
    return &state->committer.writes[state->committer.writes_count++];
}

static int compare_records(const void *left, const void *right)
{
    const struct mr_overlay_record *const *first = left;
    const struct mr_overlay_record *const *second = right;
    return mr_slice_compare((*first)->key, (*second)->key);
}

const struct mr_overlay_record **mr_state_sort_overlay(struct mr_state *state,
                                                       const struct mr_overlay *overlay)
{
    size_t count = overlay->records_count;
    if (state->committer.sorted_capacity < count) {
        state->committer.sorted_capacity = overlay->records_capacity;
        state->committer.sorted =
            mr_memory_resize(state->committer.sorted,
                             overlay->records_capacity * sizeof(struct mr_overlay_record *));
    }
    const struct mr_overlay_record **sorted = state->committer.sorted;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &overlay->records[i];
    if (count > 1)
        qsort(sorted, count, sizeof(struct mr_overlay_record *), compare_records);
    return sorted;
}

void mr_state_add_record(struct mr_state *state, const struct mr_overlay_record *record)
{
    struct mr_store_write *write = mr_state_add_write(state);
    *write = (struct mr_store_write){.kind = record->tombstone ? MR_STORE_DELETE : MR_STORE_PUT,
                                     .key = record->key};
    if (!record->tombstone)
        write->value = mr_slice_from(record->value, record->value_size);
}

enum mr_status mr_state_write_batch(struct mr_state *state, int64_t changelog_offset,
                                    int64_t changelog_bytes, int64_t wall_ms, int64_t now_wall_ms,
                                    struct mr_error *error)
{
    struct mr_stored_state stored = {
        .changelog_offset = changelog_offset, .wall_ms = wall_ms, .identity = state->identity};
    size_t size = mr_stored_state_write(state->committer.state_value, &stored);
    *mr_state_add_write(state) = (struct mr_store_write){
        .kind = MR_STORE_PUT,
        .key = mr_slice_from(state->committer.state_key, sizeof state->committer.state_key),
        .value = mr_slice_from(state->committer.state_value, size)};
    enum mr_status status = state->ops->write(state->store, state->committer.writes,
                                              state->committer.writes_count, error);
    state->committer.writes_count = 0;
    if (status != MR_OK)
        return status;
    state->committer.wall_ms = wall_ms;
    state->committer.bytes_since_flush += changelog_bytes;
    return mr_state_rest(state, now_wall_ms, error);
}

enum mr_status mr_state_rest(struct mr_state *state, int64_t now_wall_ms, struct mr_error *error)
{
    bool late = now_wall_ms - state->committer.flushed_wall_ms >= MR_STATE_FLUSH_MS;
    if (state->committer.bytes_since_flush <= MR_STATE_FLUSH_BYTES && !late)
        return MR_OK;
    state->committer.flushed_wall_ms = now_wall_ms;
    if (state->committer.bytes_since_flush == 0)
        return MR_OK;
    state->committer.bytes_since_flush = 0;
    return state->ops->flush(state->store, false, error);
}

enum mr_status mr_state_apply_sealed(struct mr_state *state, struct mr_sealed *sealed,
                                     int64_t changelog_offset, int64_t changelog_bytes,
                                     int64_t now_wall_ms, struct mr_error *error)
{
    const struct mr_overlay *overlay = &sealed->overlay;
    MR_ASSERT(!sealed->applied);
    for (size_t i = 0; i < overlay->ranges_count; i++)
        *mr_state_add_write(state) = (struct mr_store_write){.kind = MR_STORE_DELETE_RANGE,
                                                             .key = overlay->ranges[i].first,
                                                             .range_end = overlay->ranges[i].end};
    const struct mr_overlay_record **sorted = mr_state_sort_overlay(state, overlay);
    for (size_t i = 0; i < overlay->records_count; i++) {
        if (!sorted[i]->ranged)
            mr_state_add_record(state, sorted[i]);
    }
    enum mr_status status = mr_state_write_batch(state, changelog_offset, changelog_bytes,
                                                 now_wall_ms, now_wall_ms, error);
    sealed->applied = status == MR_OK;
    return status;
}

/* ---- Reading ---- */

void mr_state_statistics(const struct mr_state *state, struct mr_state_statistics *statistics)
{
    *statistics = (struct mr_state_statistics){.cache_objects = state->cache.entries_count,
                                               .cache_bytes = mr_cache_bytes(&state->cache),
                                               .cache_hits = state->cache_hits,
                                               .cache_misses = state->cache_misses};
    state->ops->statistics(state->store, &statistics->store);
}

struct visiting {
    bool (*visit)(void *argument, struct mr_slice key, struct mr_slice value);
    void *argument;
};

static bool visit_logged(void *argument, struct mr_slice key, struct mr_slice value)
{
    const struct visiting *visiting = argument;
    return mr_key_is_local(key) || visiting->visit(visiting->argument, key, value);
}

enum mr_status mr_state_visit(struct mr_state *state,
                              bool (*visit)(void *argument, struct mr_slice key,
                                            struct mr_slice value),
                              void *argument, struct mr_error *error)
{
    static const uint8_t first[] = {0, 0, 0, 0, 1};
    static const uint8_t last[] = {0xff, 0xff, 0xff, 0xff, 0xff};
    struct visiting visiting = {.visit = visit, .argument = argument};
    return state->ops->scan(state->store, mr_slice_from(first, sizeof first),
                            mr_slice_from(last, sizeof last), visit_logged, &visiting, error);
}
