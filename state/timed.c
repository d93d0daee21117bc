/* state/timed.c — tables whose operator says when each object is due.
 * Design: the due time takes the place of the event time of a bounded table: it is stored with the
 * object and as its order key, so that all of state/order.h serves timers and windows too, and a
 * restore rebuilds the order from the objects. Unlike event times it may go back; then the order
 * gets one more node for the key, which its least time makes valid. */
#include "base/assert.h"
#include "base/hash.h"
#include "state/internal.h"

void mr_table_schedule(struct mr_table *table, void *object, int64_t due_ms)
{
    struct mr_cache_entry *entry = mr_cache_entry_of(object);
    MR_ASSERT(table->spec.timed && due_ms != MR_TIME_NONE);
    MR_ASSERT(entry->owner == table && entry->pin == table->state->cache.pin_epoch);
    /* A dirty object has a node that is not later than its time, when it has a time. */
    bool uncovered = entry->dirty && (entry->time_ms == MR_TIME_NONE || due_ms < entry->time_ms);
    entry->time_ms = due_ms;
    if (uncovered)
        mr_order_push(&table->order, due_ms, mr_cache_key(entry));
    mr_table_dirty(table, object);
}

enum mr_status mr_table_next_due(struct mr_table *table, int64_t until_ms, struct mr_slice *key,
                                 uint64_t *hash, void **object, bool *found, struct mr_error *error)
{
    struct mr_state *state = table->state;
    MR_ASSERT(table->spec.timed && (state->ready || state->empty));
    *found = false;
    enum mr_status status = mr_table_settle(state, error);
    if (status != MR_OK)
        return status;
    mr_cache_unpin(&state->cache);
    struct mr_order_node node;
    bool any;
    status = mr_order_oldest(table, &node, &any, error);
    if (status != MR_OK || !any || node.time_ms > until_ms)
        return status;
    struct mr_cache_entry *entry;
    uint64_t node_hash = mr_hash64(node.key);
    status = mr_table_fetch(table, node.key, node_hash, &entry, error);
    if (status != MR_OK)
        return status;
    if (entry == NULL)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                       "an order key of table %s of operator %s has no object", table->name,
                       table->operator_name);
    entry->seen_ms = entry->time_ms;
    *key = mr_cache_key(entry);
    *hash = node_hash;
    *object = entry->payload;
    *found = true;
    return MR_OK;
}

enum mr_status mr_table_due_horizon(struct mr_table *table, int64_t wanted_ms, int64_t *until_ms,
                                    struct mr_error *error)
{
    struct mr_state *state = table->state;
    MR_ASSERT(table->spec.timed && (state->ready || state->empty));
    enum mr_status status = mr_table_settle(state, error);
    return status != MR_OK ? status : mr_order_horizon(table, wanted_ms, until_ms, error);
}
