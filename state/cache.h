/* state/cache.h — the hot objects and slots of a task, within a fixed budget.
 * Why: a hot key must cost one hash probe and no allocation, and the memory of a task must not
 * depend on how many keys it has. The alternative, one malloc per object, fragments and makes the
 * budget a guess.
 * Model: an entry is a header, the payload (an object's struct or a slot's bytes) and its key, in
 * one block. Blocks come from pages of 64 KiB, each cut into blocks of one size class (four classes
 * per power of two). When the budget is used up a clock hand over the class's own pages finds the
 * next entry to evict: one that was not found again since the hand last passed. A class that evicts
 * much takes a page from the class with the most pages per eviction. index: open addressing, 16
 * bytes a place, at most 5/8 full, counted in the budget. Pins: entries handed out since the last
 * mr_cache_unpin are never evicted. When every candidate is pinned the cache goes over its budget
 * by the pages needed and gives them back at mr_cache_trim: over by at most one object with all its
 * slots. Dirty entries are in one list, in the order of their first change, and are handed to
 * `evict` before they are dropped. Threads: one. */
#ifndef MR_STATE_CACHE_H
#define MR_STATE_CACHE_H

#include <stdalign.h>

#include "base/slice.h"

enum {
    MR_CACHE_PAGE_BYTES = 64 << 10,
    MR_CACHE_CLASSES_MAX = 48,
    MR_CACHE_PAYLOAD_MAX = 16 << 10 /* with the largest key an entry fits a page */
};

#define MR_CACHE_OBJECT UINT32_MAX /* slot_index of an object itself */

struct mr_cache_entry {
    void *owner; /* the table: entries of different tables never meet */
    uint64_t hash;
    int64_t time_ms;    /* last event time that changed the object */
    int64_t seen_ms;    /* event time of the last get: becomes time_ms with the next change */
    int64_t indexed_ms; /* time under which the layers below order this key */
    struct mr_cache_entry *next; /* dirty list, or the page's free list */
    struct mr_cache_entry *previous;
    uint32_t key_size;
    uint32_t key_offset;
    uint32_t slot_index;
    uint32_t slots_count;
    uint32_t counted_bytes; /* what the table's byte count holds for this key */
    uint32_t pin;
    uint32_t page;
    bool used;
    bool referenced;
    bool dirty;
    bool exists; /* false: handed out as new, not changed since */
    bool below;  /* a layer below the cache has it too */
    alignas(16) uint8_t payload[];
};

struct mr_cache_place {
    uint64_t hash;
    struct mr_cache_entry *entry; /* NULL: free */
};

struct mr_cache_page {
    uint8_t *memory; /* NULL: given back */
    struct mr_cache_entry *free;
    uint32_t class_index;
};

struct mr_cache_class {
    uint32_t block_bytes;
    uint32_t blocks_per_page;
    uint32_t *pages; /* numbers of its pages */
    uint32_t pages_count;
    uint32_t pages_capacity;
    uint32_t open_page; /* its last page with a free block, as an index into pages */
    uint32_t hand_page; /* the clock's hand: index into pages, and block */
    uint32_t hand_block;
    uint32_t evictions;  /* since the classes' pages were last balanced */
    uint32_t free_count; /* blocks */
};

struct mr_cache {
    struct mr_cache_place *index;
    size_t index_capacity; /* a power of two */
    size_t entries_count;
    uint32_t pin_epoch;
    uint32_t classes_count;
    struct mr_cache_class classes[MR_CACHE_CLASSES_MAX];
    struct mr_cache_page *pages;
    uint32_t pages_count; /* with memory */
    uint32_t pages_size;  /* numbers in use */
    uint32_t pages_capacity;
    uint64_t bytes_max;
    struct mr_cache_entry *dirty_first;
    struct mr_cache_entry *dirty_last;
    void (*evict)(void *argument, struct mr_cache_entry *entry); /* of a dirty entry */
    void *argument;
};

/* bytes_max is raised to a few pages where it is less. */
void mr_cache_init(struct mr_cache *cache, uint64_t bytes_max,
                   void (*evict)(void *argument, struct mr_cache_entry *entry), void *argument);
void mr_cache_deinit(struct mr_cache *cache);

static inline struct mr_slice mr_cache_key(const struct mr_cache_entry *entry)
{
    return mr_slice_from(entry->payload + entry->key_offset, entry->key_size);
}

static inline struct mr_cache_entry *mr_cache_entry_of(const void *payload)
{
    return (struct mr_cache_entry *)((uintptr_t)payload - offsetof(struct mr_cache_entry, payload));
}

/* hash must be the same for the same (owner, key, slot_index). */
static inline struct mr_cache_entry *mr_cache_find(const struct mr_cache *cache, const void *owner,
                                                   struct mr_slice key, uint32_t slot_index,
                                                   uint64_t hash)
{
    size_t mask = cache->index_capacity - 1;
    for (size_t position = (size_t)hash & mask;; position = (position + 1) & mask) {
        const struct mr_cache_place *place = &cache->index[position];
        if (place->entry == NULL)
            return NULL;
        if (place->hash != hash)
            continue;
        struct mr_cache_entry *entry = place->entry;
        if (entry->owner == owner && entry->slot_index == slot_index &&
            entry->key_size == key.size &&
            (key.size == 0 || memcmp(entry->payload + entry->key_offset, key.data, key.size) == 0))
            return entry;
    }
}

/* Keep entry until the next mr_cache_unpin, and note its use. For an entry that was found: one that
 * was just inserted is pinned already, and not yet used twice. */
static inline void mr_cache_pin(struct mr_cache *cache, struct mr_cache_entry *entry)
{
    entry->pin = cache->pin_epoch;
    if (!entry->referenced)
        entry->referenced = true;
}

static inline void mr_cache_unpin(struct mr_cache *cache)
{
    cache->pin_epoch++;
}

/* Add an entry that is not there: pinned, clean, payload zeroed. Evicts what it must.
 * Pre: payload_size <= MR_CACHE_PAYLOAD_MAX, key.size <= MR_LIMIT_KEY_BYTES. key is copied. */
struct mr_cache_entry *mr_cache_insert(struct mr_cache *cache, void *owner, struct mr_slice key,
                                       uint32_t slot_index, uint64_t hash, size_t payload_size);
/* Drop an entry, dirty or not, without handing it to evict. */
void mr_cache_remove(struct mr_cache *cache, struct mr_cache_entry *entry);
void mr_cache_mark_dirty(struct mr_cache *cache, struct mr_cache_entry *entry);
void mr_cache_mark_clean(struct mr_cache *cache, struct mr_cache_entry *entry);
/* Give pages beyond the budget back. Evicts what is in them. */
void mr_cache_trim(struct mr_cache *cache);
/* Bytes taken: pages and index. */
uint64_t mr_cache_bytes(const struct mr_cache *cache);

#endif
