/* operators/key_cache.c — see key_cache.h. */
#include "operators/key_cache.h"

#include "base/assert.h"
#include "base/memory.h"

void mr_key_cache_init(struct mr_key_cache *cache, size_t entry_bytes, size_t bytes_max)
{
    MR_ASSERT(entry_bytes > 0 && entry_bytes % sizeof(double) == 0);
    size_t count = bytes_max / entry_bytes;
    count = count < MR_KEY_CACHE_ENTRIES_MAX ? count : MR_KEY_CACHE_ENTRIES_MAX;
    *cache = (struct mr_key_cache){.entry_bytes = entry_bytes,
                                   .entries_count = count > 0 ? (uint32_t)count : 1};
    cache->memory = mr_memory_new(cache->entries_count, entry_bytes);
}

void mr_key_cache_deinit(struct mr_key_cache *cache)
{
    mr_memory_free(cache->memory);
    cache->memory = NULL;
}

static void *use(struct mr_key_cache *cache, uint32_t index)
{
    cache->last = index;
    cache->entries[index].used = ++cache->calls;
    return cache->memory + index * cache->entry_bytes;
}

void *mr_key_cache_get(struct mr_key_cache *cache, uint64_t seed, bool *found)
{
    const struct mr_key_cache_entry *entries = cache->entries;
    uint32_t oldest = 0;
    *found = true;
    if (entries[cache->last].used > 0 && entries[cache->last].seed == seed)
        return use(cache, cache->last);
    for (uint32_t index = 0; index < cache->entries_count; index++) {
        if (entries[index].used > 0 && entries[index].seed == seed)
            return use(cache, index);
        if (entries[index].used < entries[oldest].used)
            oldest = index;
    }
    *found = false;
    cache->entries[oldest].seed = seed;
    return use(cache, oldest);
}
