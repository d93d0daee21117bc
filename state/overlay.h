/* state/overlay.h — the changes of one transaction: stored key -> bytes or a deletion.
 * Why: nothing of an open or committing transaction may reach the store, yet reads must see it. A
 * hash table over an arena is cheaper than an ordered structure, and no reader needs order here:
 * the order of eviction has a structure of its own (state/order.h). Model: records in the order of
 * their first change; the last change of a key wins. `local` records go to the store but not to the
 * changelog. Ranges go to the store too, before the records; the changelog has a tombstone for each
 * key in them. Memory: kept at reset, so that a transaction like the ones before takes no heap
 * memory. Threads: one writer; after the seal several readers. */
#ifndef MR_STATE_OVERLAY_H
#define MR_STATE_OVERLAY_H

#include "base/arena.h"

struct mr_overlay_record {
    struct mr_slice key;
    uint8_t *value; /* memory of the arena; its bytes mean nothing with tombstone */
    uint64_t hash;
    uint32_t value_size;
    uint32_t value_room; /* a later value that fits is written in place */
    uint32_t position;   /* in the index: makes a reset cost what was used */
    bool tombstone;
    bool local;
    bool ranged; /* a tombstone that a range of the overlay stands for in the store */
};

/* Deleted before the records are written. */
struct mr_overlay_range {
    struct mr_slice first;
    struct mr_slice end;
};

struct mr_overlay {
    struct mr_arena arena;
    struct mr_overlay_record *records;
    uint32_t *index; /* record number + 1, 0: free; linear probing */
    size_t records_count;
    size_t records_capacity;
    size_t index_capacity; /* a power of two */
    struct mr_overlay_range *ranges;
    size_t ranges_count;
    size_t ranges_capacity;
};

void mr_overlay_init(struct mr_overlay *overlay);
void mr_overlay_deinit(struct mr_overlay *overlay);
void mr_overlay_reset(struct mr_overlay *overlay);

/* hash is mr_hash64(key) throughout. NULL: the overlay says nothing about key. The pointer is valid
 * until the next put. */
struct mr_overlay_record *mr_overlay_find(const struct mr_overlay *overlay, struct mr_slice key,
                                          uint64_t hash);
/* Set key to a value of value_size bytes, which the caller writes to the returned memory at once.
 * key is copied. */
uint8_t *mr_overlay_put(struct mr_overlay *overlay, struct mr_slice key, uint64_t hash,
                        uint32_t value_size, bool local);
/* The same, with key and value borrowed until the reset (both live in overlay->arena). */
void mr_overlay_adopt(struct mr_overlay *overlay, struct mr_slice key, uint64_t hash,
                      struct mr_slice value, bool tombstone);
void mr_overlay_delete(struct mr_overlay *overlay, struct mr_slice key, uint64_t hash, bool local);

/* The store deletes [first, end) as one; the caller has set `ranged` on the tombstones in it. Both
 * are copied. */
void mr_overlay_delete_range(struct mr_overlay *overlay, struct mr_slice first,
                             struct mr_slice end);

static inline uint64_t mr_overlay_bytes(const struct mr_overlay *overlay)
{
    return overlay->arena.used_bytes + overlay->records_count * sizeof(struct mr_overlay_record) +
           overlay->ranges_count * sizeof(struct mr_overlay_range);
}

#endif
