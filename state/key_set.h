/* state/key_set.h — keys in order: those that a transaction changed in a scanned table.
 * Why: an overlay is a hash table, which every table pays for; only tables that are scanned need
 * the order of what changed, and only of the two transactions that are not in the store yet.
 * Model: a skip list over an arena; a key is in it once. Levels come from a counter, so that runs
 * are alike. Memory: 16 to 32 bytes beside each key, kept at clear, so that a transaction like the
 * ones before takes no heap memory. Threads: one. Nodes stay valid, and where they are, until the
 * next clear: keys may be added while the set is walked. */
#ifndef MR_STATE_KEY_SET_H
#define MR_STATE_KEY_SET_H

#include "base/arena.h"

enum { MR_KEY_SET_LEVELS = 16 };

struct mr_key_node {
    uint32_t key_size;
    uint32_t levels;
    struct mr_key_node *next[]; /* levels pointers, then the key */
};

struct mr_key_set {
    struct mr_arena arena;
    struct mr_key_node *first[MR_KEY_SET_LEVELS];
    uint64_t count;
};

void mr_key_set_init(struct mr_key_set *set);
void mr_key_set_deinit(struct mr_key_set *set);
void mr_key_set_clear(struct mr_key_set *set);
/* key is copied; one that is there already changes nothing. */
void mr_key_set_add(struct mr_key_set *set, struct mr_slice key);
/* The first node whose key is not before `key`, or NULL. Its successor is next[0]. */
const struct mr_key_node *mr_key_set_seek(const struct mr_key_set *set, struct mr_slice key);

static inline struct mr_slice mr_key_set_key(const struct mr_key_node *node)
{
    return mr_slice_from((const uint8_t *)(node->next + node->levels), node->key_size);
}

#endif
