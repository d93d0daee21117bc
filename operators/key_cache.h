/* operators/key_cache.h — what a detector has derived from the stored numbers of the keys seen
 * last.
 * Why: sums and sorted orders over a large window follow from the window; stored, each record would
 * log all of them. They are kept beside the state, in as many entries as the bound on bytes allows,
 * and made anew from the slots when a key has none. Model: an entry belongs to a key's seed
 * (mr_model_row.seed); its bytes are the owner's, and say for which count of learned records they
 * hold, so that stale ones are not taken for the key's. What is in the cache changes no result.
 * Bounds: bytes_max, one entry at least, MR_KEY_CACHE_ENTRIES_MAX at most. Threads: the owner's. */
#ifndef MR_OPERATORS_KEY_CACHE_H
#define MR_OPERATORS_KEY_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MR_KEY_CACHE_ENTRIES_MAX = 64, MR_KEY_CACHE_BYTES = 16 << 20 };

struct mr_key_cache_entry {
    uint64_t seed;
    uint64_t used; /* when, in calls; 0: never */
};

struct mr_key_cache {
    size_t entry_bytes;
    uint32_t entries_count;
    uint32_t last; /* entry that was found last */
    uint64_t calls;
    struct mr_key_cache_entry entries[MR_KEY_CACHE_ENTRIES_MAX];
    uint8_t *memory;
};

/* Takes the memory, zeroed. entry_bytes is a multiple of 8. */
void mr_key_cache_init(struct mr_key_cache *cache, size_t entry_bytes, size_t bytes_max);
void mr_key_cache_deinit(struct mr_key_cache *cache);

/* The key's entry; *found is false when it was another key's, or nobody's: the caller makes all of
 * it. */
void *mr_key_cache_get(struct mr_key_cache *cache, uint64_t seed, bool *found);

#endif
