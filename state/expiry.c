/* state/expiry.c — the bounds of a table: ttl, keys_max, bytes_max.
 * Design: everything here is decided by the sequence of calls alone: the oldest key is the least
 * (time, key) of all layers, bytes are counted from the encoding right after an object changed
 * (only where bytes_max is set), and the watermark that ends keys is stored with the table. Where a
 * transaction ends, or what the cache holds, changes nothing; so a replay drops the same keys.
 * Tables without bounds skip all of it. */
#include "base/assert.h"
#include "base/hash.h"
#include "state/internal.h"

/* What is known about the oldest key; a key that only the store knows is described by its order
 * key. */
static struct mr_presence presence_of(struct mr_table *table, const struct mr_order_node *node,
                                      uint64_t hash)
{
    struct mr_presence presence = mr_table_presence(table, node->key, hash);
    if (!presence.known)
        presence = (struct mr_presence){.known = true,
                                        .exists = true,
                                        .below = true,
                                        .time_ms = node->time_ms,
                                        .indexed_ms = node->time_ms,
                                        .slots_count = node->slots_count,
                                        .bytes = node->bytes};
    return presence;
}

static void drop_node(struct mr_table *table, const struct mr_order_node *node)
{
    uint64_t hash = mr_hash64(node->key);
    struct mr_presence presence = presence_of(table, node, hash);
    mr_table_drop(table, node->key, hash, &presence);
}

static enum mr_status drop_oldest(struct mr_table *table, bool *dropped, struct mr_error *error)
{
    struct mr_order_node node;
    enum mr_status status = mr_order_oldest(table, &node, dropped, error);
    if (status == MR_OK && *dropped)
        drop_node(table, &node);
    return status;
}

static enum mr_status full(const struct mr_table *table, const char *what, int64_t bound,
                           struct mr_error *error)
{
    return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                   "the state of operator %s is full: %s is %lld and on_full is fail",
                   table->operator_name, what, (long long)bound);
}

enum mr_status mr_table_settle(struct mr_state *state, struct mr_error *error)
{
    struct mr_cache_entry *entry = state->unsettled;
    if (entry == NULL)
        return MR_OK;
    state->unsettled = NULL;
    struct mr_table *table = entry->owner;
    mr_table_count_bytes(table, entry, mr_table_encode(state, entry).size);
    bool dropped = true;
    for (int i = 0;
         i < MR_STATE_EVICT_PER_CALL && dropped && table->counts.bytes > table->spec.bytes_max;
         i++) {
        if (table->spec.on_full == MR_ON_FULL_FAIL)
            return full(table, "max_bytes", table->spec.bytes_max, error);
        enum mr_status status = drop_oldest(table, &dropped, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

enum mr_status mr_table_make_room(struct mr_table *table, struct mr_error *error)
{
    const struct mr_table_spec *spec = &table->spec;
    if (spec->keys_max == 0 && spec->bytes_max == 0)
        return MR_OK;
    bool dropped = true;
    for (int i = 0; i < MR_STATE_EVICT_PER_CALL && dropped; i++) {
        bool keys_full = spec->keys_max > 0 && table->counts.keys >= spec->keys_max;
        bool bytes_full = spec->bytes_max > 0 && table->counts.bytes >= spec->bytes_max;
        if (!keys_full && !bytes_full)
            break;
        if (spec->on_full == MR_ON_FULL_FAIL)
            return full(table, keys_full ? "max_keys" : "max_bytes",
                        keys_full ? spec->keys_max : spec->bytes_max, error);
        enum mr_status status = drop_oldest(table, &dropped, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

/* Give a key that was stored without a time the time of the first watermark. */
static enum mr_status date_node(struct mr_table *table, const struct mr_order_node *node,
                                struct mr_error *error)
{
    struct mr_state *state = table->state;
    struct mr_cache_entry *entry;
    enum mr_status status = mr_table_fetch(table, node->key, mr_hash64(node->key), &entry, error);
    if (status != MR_OK)
        return status;
    if (entry == NULL)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                       "an order key of table %s of operator %s has no object", table->name,
                       table->operator_name);
    entry->seen_ms = table->counts.watermark_ms;
    mr_table_dirty(table, entry->payload);
    return mr_table_settle(state, error);
}

enum mr_status mr_table_expire(struct mr_table *table, int64_t watermark_ms, struct mr_error *error)
{
    struct mr_state *state = table->state;
    if (table->spec.ttl_ms == 0)
        return MR_OK;
    MR_ASSERT(state->ready || state->empty);
    enum mr_status status = mr_table_settle(state, error);
    if (status != MR_OK)
        return status;
    if (watermark_ms > table->counts.watermark_ms)
        mr_table_set_watermark(table, watermark_ms);
    if (table->counts.watermark_ms == MR_TIME_NONE)
        return MR_OK;
    for (int i = 0; i < MR_STATE_EXPIRE_PER_CALL; i++) {
        struct mr_order_node node;
        bool found;
        mr_cache_unpin(&state->cache);
        status = mr_order_oldest(table, &node, &found, error);
        if (status != MR_OK)
            return status;
        if (!found || (node.time_ms != MR_TIME_NONE && node.time_ms >= table->ended_before_ms))
            break;
        if (node.time_ms == MR_TIME_NONE) {
            status = date_node(table, &node, error);
            if (status != MR_OK)
                return status;
        } else {
            drop_node(table, &node);
        }
    }
    return MR_OK;
}
