/* state/order.h — the keys of a bounded or timed table, oldest first.
 * Why: ttl, evict_oldest and timed tables need the least (time, key) of all layers. Keeping all
 * keys in memory would make the bound a lie, so committed keys are ordered in the store (order keys
 * of state/key_codec.h); only keys changed by the two transactions that are not in the store yet
 * are ordered in memory.
 * Model:
 *   heaps    of the active and of the sealed transaction: (time, key) when a key became dirty, and
 *            when the time of a dirty key went back. So one node of each changed key is not later
 *            than its time; a node that is found at the top before its key's time goes down to it,
 *            and one that is found behind it is dropped.
 *   window   the next order keys of the store, read in portions that double, checked against the
 *            layers above when they come to the head, and corrected when a transaction was applied.
 *   cursor   the first order key that the window has not consumed. Deleted order keys before it are
 *            never read again.
 * The least valid one of the three is the oldest key, whatever is cached where.
 * Memory: a node and a copy of the key per change of a clean key and per time that went back, until
 * the transaction is released (mr_order_bytes is part of what makes a worker seal early); at most
 * MR_ORDER_WINDOW_NODES window nodes. */
#ifndef MR_STATE_ORDER_H
#define MR_STATE_ORDER_H

#include "base/arena.h"
#include "base/error.h"

struct mr_table;
struct mr_overlay;

enum { MR_ORDER_WINDOW_NODES = 2048 };

struct mr_order_node {
    int64_t time_ms;
    struct mr_slice key;
    uint32_t slots_count; /* of window nodes */
    uint32_t bytes;
    bool dead; /* of window nodes: applied since it was read */
};

struct mr_order_heap {
    struct mr_arena keys;
    struct mr_order_node *nodes;
    size_t count;
    size_t capacity;
};

struct mr_order {
    struct mr_order_heap active;
    struct mr_order_heap sealed;
    struct mr_arena window_keys;
    struct mr_order_node *window;
    size_t window_count;
    size_t window_head;
    size_t window_portion; /* nodes that the next read takes */
    bool exhausted;        /* the window ended at the end of the order keys */
    uint8_t *cursor;       /* a stored order key */
    size_t cursor_size;
};

void mr_order_init(struct mr_order *order, uint32_t table_id);
void mr_order_deinit(struct mr_order *order);
/* Forget everything read: the store was changed by a restore. Pre: no transaction is open. */
void mr_order_reset(struct mr_order *order, uint32_t table_id);

/* A key became dirty with this time, or its time went back to it. key is copied. */
void mr_order_push(struct mr_order *order, int64_t time_ms, struct mr_slice key);
/* The active transaction was sealed; the sealed one was applied and is being released. */
void mr_order_seal(struct mr_order *order);
void mr_order_release(struct mr_order *order);
/* Bytes of the active transaction's nodes. */
uint64_t mr_order_bytes(const struct mr_order *order);
/* One order key that a released transaction has put to, or deleted from, the store. */
void mr_order_applied(struct mr_order *order, struct mr_slice stored_key, bool deleted);

/* The oldest key of the table. node->key is valid until the next call with this order. */
enum mr_status mr_order_oldest(struct mr_table *table, struct mr_order_node *node, bool *found,
                               struct mr_error *error) MR_NODISCARD;
/* See mr_table_due_horizon. */
enum mr_status mr_order_horizon(struct mr_table *table, int64_t wanted_ms, int64_t *until_ms,
                                struct mr_error *error) MR_NODISCARD;

#endif
