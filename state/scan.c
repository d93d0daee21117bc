/* state/scan.c — the keys of a range over all layers, in order: read, or forgotten.
 * Design: three ordered streams are merged: the keys that the active and the sealed transaction
 * changed (state/key_set.h), and the store's iterator. The newest layer that knows a key decides: a
 * key of a set is looked up in the cache and the overlays, any other is as the store has it,
 * without a look at the cache, which can only hold the same. Nothing is put into the cache: what
 * the store or an overlay has is decoded into one object of the table's own. A removal is the same
 * walk: each key found is dropped with what its stored value says, so that nothing is read twice.
 * Where many neighbours go, the store gets one range deletion instead of one deletion each; the
 * changelog gets a tombstone for each key in any case. */
#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/internal.h"

enum { RANGE_KEYS_MIN = 64 /* fewer deletions cost less than a range that every read looks at */ };

struct merge {
    struct mr_table *table;
    const struct mr_key_node *active;
    const struct mr_key_node *sealed;
    struct mr_slice end; /* size 0: none */
    /* A key that exists: in the cache, or as bytes. Returns false to stop. */
    bool (*found)(struct merge *merge, struct mr_slice key, struct mr_cache_entry *entry,
                  struct mr_slice value);
    void *argument;
    struct mr_error *error;
    enum mr_status status;
    bool stopped;
};

/* The least key of the two sets, or NULL behind the range's end. */
static const struct mr_key_node *next_changed(const struct merge *merge)
{
    const struct mr_key_node *node = merge->active;
    if (node == NULL || (merge->sealed != NULL &&
                         mr_slice_compare(mr_key_set_key(merge->sealed), mr_key_set_key(node)) < 0))
        node = merge->sealed;
    if (node != NULL && merge->end.size > 0 &&
        mr_slice_compare(mr_key_set_key(node), merge->end) >= 0)
        return NULL;
    return node;
}

/* Hand over a key of the sets as its newest layer has it; stored is the store's value of the same
 * key, NULL without one. */
static void take_changed(struct merge *merge, const struct mr_key_node *node,
                         const struct mr_slice *stored)
{
    struct mr_table *table = merge->table;
    struct mr_slice key = mr_key_set_key(node);
    if (merge->active != NULL && mr_slice_equal(mr_key_set_key(merge->active), key))
        merge->active = merge->active->next[0];
    if (merge->sealed != NULL && mr_slice_equal(mr_key_set_key(merge->sealed), key))
        merge->sealed = merge->sealed->next[0];
    struct mr_cache_entry *entry = mr_cache_find(&table->state->cache, table, key, MR_CACHE_OBJECT,
                                                 mr_hash64(key) ^ table->salt);
    struct mr_slice value = {0};
    bool exists = entry != NULL && entry->exists;
    if (entry == NULL) {
        const struct mr_overlay_record *record = mr_table_overlay_record(table, key);
        if (record != NULL) {
            exists = !record->tombstone;
            value = mr_slice_from(record->value, record->value_size);
        } else if (stored != NULL) {
            exists = true;
            value = *stored;
        }
    }
    if (exists)
        merge->stopped = !merge->found(merge, key, entry, value);
}

static bool take_stored(void *argument, struct mr_slice stored_key, struct mr_slice value)
{
    struct merge *merge = argument;
    struct mr_slice key =
        mr_slice_from(stored_key.data + MR_KEY_HEAD_BYTES, stored_key.size - MR_KEY_HEAD_BYTES);
    while (!merge->stopped) {
        const struct mr_key_node *node = next_changed(merge);
        int order = node == NULL ? 1 : mr_slice_compare(mr_key_set_key(node), key);
        if (order > 0) {
            merge->stopped = !merge->found(merge, key, NULL, value);
            break;
        }
        take_changed(merge, node, order == 0 ? &value : NULL);
        if (order == 0)
            break;
    }
    return !merge->stopped;
}

static enum mr_status check_range(const struct mr_table *table, struct mr_slice first,
                                  struct mr_slice end, struct mr_error *error)
{
    MR_ASSERT(table->scanning != NULL && (table->state->ready || table->state->empty));
    if (first.size <= MR_LIMIT_KEY_BYTES && end.size <= MR_LIMIT_KEY_BYTES)
        return MR_OK;
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "a range of keys of operator %s begins or ends with %zu bytes; at most %d are "
                   "stored",
                   table->operator_name, first.size > end.size ? first.size : end.size,
                   MR_LIMIT_KEY_BYTES);
}

/* The stored key behind a range. */
static struct mr_slice write_end(const struct mr_table *table, struct mr_slice end, uint8_t *output)
{
    size_t size = end.size > 0 ? mr_key_write_object(output, table->id, end)
                               : mr_key_write_plain(output, table->id, MR_KEY_OBJECT + 1);
    return mr_slice_from(output, size);
}

static enum mr_status merge_range(struct merge *merge, struct mr_slice first)
{
    struct mr_table *table = merge->table;
    struct mr_state *state = table->state;
    enum mr_status status = check_range(table, first, merge->end, merge->error);
    if (status == MR_OK)
        status = mr_table_settle(state, merge->error);
    if (status != MR_OK)
        return status;
    struct mr_scanning *scanning = table->scanning;
    struct mr_slice first_key =
        mr_slice_from(scanning->first, mr_key_write_object(scanning->first, table->id, first));
    struct mr_slice end_key = write_end(table, merge->end, scanning->end);
    merge->active = mr_key_set_seek(&scanning->active, first);
    merge->sealed = mr_key_set_seek(&scanning->sealed, first);
    status = state->ops->scan(state->store, first_key, end_key, take_stored, merge, merge->error);
    if (status != MR_OK)
        return status;
    for (const struct mr_key_node *node = next_changed(merge); node != NULL && !merge->stopped;
         node = next_changed(merge))
        take_changed(merge, node, NULL);
    return merge->status;
}

/* ---- Reading ---- */

struct visitor {
    bool (*visit)(void *argument, struct mr_slice key, void *object);
    void *argument;
};

static bool visit_object(struct merge *merge, struct mr_slice key, struct mr_cache_entry *entry,
                         struct mr_slice value)
{
    const struct visitor *visitor = merge->argument;
    struct mr_table *table = merge->table;
    void *payload = table->scanning->object;
    int64_t time_ms;
    if (entry != NULL) {
        payload = entry->payload;
        time_ms = entry->time_ms;
    } else {
        struct mr_stored_object object;
        merge->status = mr_table_parse(table, value, &object, merge->error);
        if (merge->status == MR_OK) {
            memset(payload, 0, table->spec.object_size);
            merge->status = mr_table_decode(table, payload, &object, merge->error);
        }
        if (merge->status != MR_OK)
            return false;
        time_ms = object.time_ms;
    }
    return mr_table_has_ended(table, time_ms) || visitor->visit(visitor->argument, key, payload);
}

enum mr_status mr_table_scan(struct mr_table *table, struct mr_slice first, struct mr_slice end,
                             bool (*visit)(void *argument, struct mr_slice key, void *object),
                             void *argument, struct mr_error *error)
{
    struct visitor visitor = {.visit = visit, .argument = argument};
    struct merge merge = {
        .table = table, .end = end, .found = visit_object, .argument = &visitor, .error = error};
    return merge_range(&merge, first);
}

/* ---- Removing ---- */

static bool remove_object(struct merge *merge, struct mr_slice key, struct mr_cache_entry *entry,
                          struct mr_slice value)
{
    struct mr_table *table = merge->table;
    uint32_t *removed = merge->argument;
    MR_UNUSED(entry);
    if (*removed == MR_STATE_EXPIRE_PER_CALL) {
        struct mr_scanning *scanning = table->scanning;
        memcpy(scanning->rest, key.data, key.size);
        scanning->rest_size = key.size;
        return false;
    }
    uint64_t hash = mr_hash64(key);
    struct mr_presence presence = mr_table_presence(table, key, hash);
    if (!presence.known) {
        struct mr_stored_object object;
        merge->status = mr_table_parse(table, value, &object, merge->error);
        if (merge->status != MR_OK)
            return false;
        presence = mr_table_stored_presence(table, key.size, value.size, &object);
    }
    mr_table_drop(table, key, hash, &presence);
    ++*removed;
    return true;
}

/* Everything from a stored key to end is gone: let the store delete it as one range. */
static void add_range(struct mr_table *table, struct mr_slice first_key, struct mr_slice end)
{
    struct mr_state *state = table->state;
    struct mr_overlay *overlay = &state->active->overlay;
    struct mr_scanning *scanning = table->scanning;
    struct mr_slice first =
        mr_slice_from(first_key.data + MR_KEY_HEAD_BYTES, first_key.size - MR_KEY_HEAD_BYTES);
    const struct mr_key_node *node = mr_key_set_seek(&scanning->active, first);
    for (; node != NULL; node = node->next[0]) {
        struct mr_slice key = mr_key_set_key(node);
        if (end.size > 0 && mr_slice_compare(key, end) >= 0)
            break;
        size_t size = mr_key_write_object(state->key_scratch, table->id, key);
        struct mr_slice stored = mr_slice_from(state->key_scratch, size);
        struct mr_overlay_record *record = mr_overlay_find(overlay, stored, mr_hash64(stored));
        if (record == NULL)
            continue; /* it was new, and left no trace */
        MR_ASSERT(record->tombstone);
        record->ranged = true;
    }
    mr_overlay_delete_range(overlay, first_key, write_end(table, end, scanning->end));
}

enum mr_status mr_table_remove_range(struct mr_table *table, struct mr_slice first,
                                     struct mr_slice end, struct mr_slice *rest,
                                     struct mr_error *error)
{
    struct mr_scanning *scanning = table->scanning;
    size_t first_size = MR_KEY_HEAD_BYTES + first.size;
    uint32_t removed = 0;
    struct merge merge = {
        .table = table, .end = end, .found = remove_object, .argument = &removed, .error = error};
    mr_cache_unpin(&table->state->cache);
    enum mr_status status = merge_range(&merge, first);
    if (status != MR_OK)
        return status;
    *rest = (struct mr_slice){0};
    if (merge.stopped)
        *rest = mr_slice_from(scanning->rest, scanning->rest_size);
    if (removed >= RANGE_KEYS_MIN)
        add_range(table, mr_slice_from(scanning->first, first_size), merge.stopped ? *rest : end);
    return MR_OK;
}
