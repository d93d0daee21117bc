/* state/cache.c — pages, size classes, clock hands and the index of the object cache.
 * Design: eviction is by class, because a freed block can only be used by its own class. To follow
 * a change in the mix of sizes, a class that has evicted a page's worth of entries takes a whole
 * page from the class that evicted least per page; then all counts are halved. */
#include "state/cache.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/memory.h"

enum { BLOCK_BYTES_MIN = 128, INDEX_FIRST = 1024, PAGES_MIN = 4, PAGES_COMPARED = 8 };

#define NO_PAGE UINT32_MAX

_Static_assert(sizeof(struct mr_cache_entry) + MR_CACHE_PAYLOAD_MAX + 16 + MR_LIMIT_KEY_BYTES <=
                   MR_CACHE_PAGE_BYTES,
               "the largest entry must fit a page");

void mr_cache_init(struct mr_cache *cache, uint64_t bytes_max,
                   void (*evict)(void *argument, struct mr_cache_entry *entry), void *argument)
{
    uint64_t bytes_min = (uint64_t)PAGES_MIN * MR_CACHE_PAGE_BYTES;
    *cache = (struct mr_cache){.index_capacity = INDEX_FIRST,
                               .pin_epoch = 1,
                               .bytes_max = bytes_max < bytes_min ? bytes_min : bytes_max,
                               .evict = evict,
                               .argument = argument};
    cache->index = mr_memory_new(INDEX_FIRST, sizeof *cache->index);
    uint32_t block_bytes = BLOCK_BYTES_MIN;
    for (;;) {
        MR_ASSERT(cache->classes_count < MR_CACHE_CLASSES_MAX);
        cache->classes[cache->classes_count++] = (struct mr_cache_class){
            .block_bytes = block_bytes, .blocks_per_page = MR_CACHE_PAGE_BYTES / block_bytes};
        if (block_bytes == MR_CACHE_PAGE_BYTES)
            break;
        uint32_t step = BLOCK_BYTES_MIN / 4;
        while (step * 8 <= block_bytes)
            step *= 2;
        block_bytes += step;
    }
}

void mr_cache_deinit(struct mr_cache *cache)
{
    for (uint32_t i = 0; i < cache->pages_size; i++)
        mr_memory_free(cache->pages[i].memory);
    for (uint32_t i = 0; i < cache->classes_count; i++)
        mr_memory_free(cache->classes[i].pages);
    mr_memory_free(cache->pages);
    mr_memory_free(cache->index);
    *cache = (struct mr_cache){0};
}

uint64_t mr_cache_bytes(const struct mr_cache *cache)
{
    return (uint64_t)cache->pages_count * MR_CACHE_PAGE_BYTES +
           cache->index_capacity * sizeof *cache->index;
}

/* ---- The index ---- */

static void index_place(struct mr_cache *cache, struct mr_cache_place place)
{
    size_t mask = cache->index_capacity - 1;
    size_t position = (size_t)place.hash & mask;
    while (cache->index[position].entry != NULL)
        position = (position + 1) & mask;
    cache->index[position] = place;
}

static void index_add(struct mr_cache *cache, struct mr_cache_entry *entry)
{
    if ((cache->entries_count + 1) * 8 > cache->index_capacity * 5) {
        struct mr_cache_place *old = cache->index;
        size_t old_capacity = cache->index_capacity;
        cache->index_capacity *= 2;
        cache->index = mr_memory_new(cache->index_capacity, sizeof *cache->index);
        for (size_t i = 0; i < old_capacity; i++) {
            if (old[i].entry != NULL)
                index_place(cache, old[i]);
        }
        mr_memory_free(old);
    }
    index_place(cache, (struct mr_cache_place){.hash = entry->hash, .entry = entry});
    cache->entries_count++;
}

/* Backward shift: what follows moves up unless it is at its own place already. */
static void index_remove(struct mr_cache *cache, const struct mr_cache_entry *entry)
{
    size_t mask = cache->index_capacity - 1;
    size_t hole = (size_t)entry->hash & mask;
    while (cache->index[hole].entry != entry)
        hole = (hole + 1) & mask;
    for (size_t next = (hole + 1) & mask;; next = (next + 1) & mask) {
        struct mr_cache_place place = cache->index[next];
        if (place.entry == NULL)
            break;
        size_t home = (size_t)place.hash & mask;
        if (((next - home) & mask) >= ((next - hole) & mask)) {
            cache->index[hole] = place;
            hole = next;
        }
    }
    cache->index[hole] = (struct mr_cache_place){0};
    cache->entries_count--;
}

/* ---- The dirty list ---- */

void mr_cache_mark_dirty(struct mr_cache *cache, struct mr_cache_entry *entry)
{
    MR_ASSERT(!entry->dirty);
    entry->dirty = true;
    entry->next = NULL;
    entry->previous = cache->dirty_last;
    if (cache->dirty_last != NULL)
        cache->dirty_last->next = entry;
    else
        cache->dirty_first = entry;
    cache->dirty_last = entry;
}

void mr_cache_mark_clean(struct mr_cache *cache, struct mr_cache_entry *entry)
{
    MR_ASSERT(entry->dirty);
    entry->dirty = false;
    if (entry->previous != NULL)
        entry->previous->next = entry->next;
    else
        cache->dirty_first = entry->next;
    if (entry->next != NULL)
        entry->next->previous = entry->previous;
    else
        cache->dirty_last = entry->previous;
    entry->next = NULL;
    entry->previous = NULL;
}

/* ---- Pages ---- */

static struct mr_cache_entry *block_at(const struct mr_cache *cache,
                                       const struct mr_cache_page *page, uint32_t block)
{
    size_t offset = (size_t)block * cache->classes[page->class_index].block_bytes;
    return (struct mr_cache_entry *)(void *)(page->memory + offset);
}

static void page_format(struct mr_cache *cache, uint32_t number, uint32_t class_index)
{
    struct mr_cache_page *page = &cache->pages[number];
    page->class_index = class_index;
    page->free = NULL;
    for (uint32_t i = cache->classes[class_index].blocks_per_page; i > 0; i--) {
        struct mr_cache_entry *block = block_at(cache, page, i - 1);
        block->used = false;
        block->page = number;
        block->next = page->free;
        page->free = block;
    }
}

static void class_add_page(struct mr_cache *cache, uint32_t class_index, uint32_t number)
{
    struct mr_cache_class *class = &cache->classes[class_index];
    if (class->pages_count == class->pages_capacity) {
        class->pages_capacity = class->pages_capacity == 0 ? 8 : class->pages_capacity * 2;
        class->pages = mr_memory_resize(class->pages, class->pages_capacity * sizeof *class->pages);
    }
    class->open_page = class->pages_count;
    class->pages[class->pages_count++] = number;
    class->free_count += class->blocks_per_page;
    page_format(cache, number, class_index);
}

static void page_new(struct mr_cache *cache, uint32_t class_index)
{
    uint32_t number = 0;
    while (number < cache->pages_size && cache->pages[number].memory != NULL)
        number++;
    if (number == cache->pages_size) {
        if (cache->pages_size == cache->pages_capacity) {
            cache->pages_capacity = cache->pages_capacity == 0 ? 16 : cache->pages_capacity * 2;
            cache->pages =
                mr_memory_resize(cache->pages, cache->pages_capacity * sizeof *cache->pages);
        }
        cache->pages_size++;
    }
    cache->pages[number] = (struct mr_cache_page){.memory = mr_memory_new(1, MR_CACHE_PAGE_BYTES)};
    cache->pages_count++;
    class_add_page(cache, class_index, number);
}

void mr_cache_remove(struct mr_cache *cache, struct mr_cache_entry *entry)
{
    if (entry->dirty)
        mr_cache_mark_clean(cache, entry);
    index_remove(cache, entry);
    struct mr_cache_page *page = &cache->pages[entry->page];
    entry->used = false;
    entry->next = page->free;
    page->free = entry;
    cache->classes[page->class_index].free_count++;
}

static void evict_entry(struct mr_cache *cache, struct mr_cache_entry *entry)
{
    if (entry->dirty)
        cache->evict(cache->argument, entry);
    mr_cache_remove(cache, entry);
}

/* Entries of a page that were found again lately; NO_PAGE when one is pinned. */
static uint32_t page_use(const struct mr_cache *cache, const struct mr_cache_page *page)
{
    uint32_t use = 0;
    for (uint32_t i = 0; i < cache->classes[page->class_index].blocks_per_page; i++) {
        const struct mr_cache_entry *entry = block_at(cache, page, i);
        if (entry->used && entry->pin == cache->pin_epoch)
            return NO_PAGE;
        use += entry->used && entry->referenced;
    }
    return use;
}

/* Empty the least used of some pages and take it out of its class; NO_PAGE when all are pinned. */
static uint32_t class_release_page(struct mr_cache *cache, uint32_t class_index)
{
    struct mr_cache_class *class = &cache->classes[class_index];
    uint32_t best = 0;
    uint32_t best_use = NO_PAGE;
    for (uint32_t i = 0; i < class->pages_count && (i < PAGES_COMPARED || best_use == NO_PAGE);
         i++) {
        uint32_t place = (class->hand_page + i) % class->pages_count;
        uint32_t use = page_use(cache, &cache->pages[class->pages[place]]);
        if (use < best_use) {
            best = place;
            best_use = use;
        }
    }
    if (best_use == NO_PAGE)
        return NO_PAGE;
    uint32_t number = class->pages[best];
    for (uint32_t block = 0; block < class->blocks_per_page; block++) {
        struct mr_cache_entry *entry = block_at(cache, &cache->pages[number], block);
        if (entry->used)
            evict_entry(cache, entry);
    }
    class->pages[best] = class->pages[--class->pages_count];
    class->free_count -= class->blocks_per_page;
    class->open_page = 0;
    class->hand_page = 0;
    class->hand_block = 0;
    return number;
}

static uint64_t pages_per_eviction(const struct mr_cache_class *class)
{
    return ((uint64_t) class->pages_count << 20) / (1 + (uint64_t) class->evictions);
}

/* The class, other than `except`, with the most pages per eviction; classes_count: none. */
static uint32_t donor_class(const struct mr_cache *cache, uint32_t except)
{
    uint32_t best = cache->classes_count;
    uint64_t best_share = 0;
    for (uint32_t i = 0; i < cache->classes_count; i++) {
        const struct mr_cache_class *class = &cache->classes[i];
        uint64_t share = pages_per_eviction(class);
        if (i != except && class->pages_count > 0 && share > best_share) {
            best = i;
            best_share = share;
        }
    }
    return best;
}

static bool take_page_of_other(struct mr_cache *cache, uint32_t class_index)
{
    uint32_t donor = donor_class(cache, class_index);
    if (donor == cache->classes_count)
        return false;
    uint32_t number = class_release_page(cache, donor);
    if (number == NO_PAGE)
        return false;
    class_add_page(cache, class_index, number);
    return true;
}

/* Give a class that evicts much a page of one that evicts little. */
static bool balance(struct mr_cache *cache, uint32_t class_index)
{
    uint32_t donor = donor_class(cache, class_index);
    bool taken = donor != cache->classes_count && cache->classes[donor].pages_count > 1 &&
                 pages_per_eviction(&cache->classes[donor]) >
                     2 * pages_per_eviction(&cache->classes[class_index]) &&
                 take_page_of_other(cache, class_index);
    for (uint32_t i = 0; i < cache->classes_count; i++)
        cache->classes[i].evictions /= 2;
    return taken;
}

/* ---- Blocks ---- */

static struct mr_cache_entry *take_block(struct mr_cache_class *class, struct mr_cache_page *page)
{
    struct mr_cache_entry *block = page->free;
    page->free = block->next;
    class->free_count--;
    return block;
}

/* A free block of the class, without evicting. */
static struct mr_cache_entry *find_free(struct mr_cache *cache, struct mr_cache_class *class)
{
    for (uint32_t i = 0; i<class->pages_count &&class->free_count> 0; i++) {
        uint32_t place = (class->open_page + i) % class->pages_count;
        struct mr_cache_page *page = &cache->pages[class->pages[place]];
        if (page->free == NULL)
            continue;
        class->open_page = place;
        return take_block(class, page);
    }
    return NULL;
}

/* Move the hand until it has evicted an entry; false when all are pinned. Two rounds reach every
 * entry with its reference taken away. */
static bool evict_by_clock(struct mr_cache *cache, struct mr_cache_class *class)
{
    if (class->pages_count == 0)
        return false;
    uint64_t steps_max = 2 * (uint64_t) class->pages_count * class->blocks_per_page + 1;
    for (uint64_t step = 0; step < steps_max; step++) {
        if (class->hand_block >= class->blocks_per_page) {
            class->hand_block = 0;
            class->hand_page++;
        }
        if (class->hand_page >= class->pages_count)
            class->hand_page = 0;
        uint32_t place = class->hand_page;
        struct mr_cache_page *page = &cache->pages[class->pages[place]];
        struct mr_cache_entry *entry = block_at(cache, page, class->hand_block++);
        if (!entry->used || entry->pin == cache->pin_epoch)
            continue;
        if (entry->referenced) {
            entry->referenced = false;
            continue;
        }
        evict_entry(cache, entry);
        class->open_page = place;
        class->evictions++;
        return true;
    }
    return false;
}

static struct mr_cache_entry *allocate(struct mr_cache *cache, uint32_t class_index)
{
    struct mr_cache_class *class = &cache->classes[class_index];
    struct mr_cache_entry *block = find_free(cache, class);
    if (block != NULL)
        return block;
    bool full = mr_cache_bytes(cache) + MR_CACHE_PAGE_BYTES > cache->bytes_max;
    if (!full)
        page_new(cache, class_index);
    else if (class->evictions >= class->blocks_per_page)
        full = !balance(cache, class_index);
    if (full && !evict_by_clock(cache, class) && !take_page_of_other(cache, class_index))
        page_new(cache, class_index); /* everything is pinned: see the header */
    return find_free(cache, class);
}

static uint32_t class_of(const struct mr_cache *cache, size_t bytes)
{
    uint32_t low = 0;
    uint32_t high = cache->classes_count - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (cache->classes[middle].block_bytes < bytes)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct mr_cache_entry *mr_cache_insert(struct mr_cache *cache, void *owner, struct mr_slice key,
                                       uint32_t slot_index, uint64_t hash, size_t payload_size)
{
    MR_ASSERT(payload_size <= MR_CACHE_PAYLOAD_MAX && key.size <= MR_LIMIT_KEY_BYTES);
    size_t bytes = sizeof(struct mr_cache_entry) + payload_size + key.size;
    struct mr_cache_entry *entry = allocate(cache, class_of(cache, bytes));
    uint32_t page = entry->page;
    *entry = (struct mr_cache_entry){
        .owner = owner,
        .hash = hash,
        .key_size = (uint32_t)key.size,
        .key_offset = (uint32_t)payload_size,
        .slot_index = slot_index,
        .pin = cache->pin_epoch,
        .page = page,
        .used = true,
    };
    memset(entry->payload, 0, payload_size);
    if (key.size > 0)
        memcpy(entry->payload + payload_size, key.data, key.size);
    index_add(cache, entry);
    return entry;
}

void mr_cache_trim(struct mr_cache *cache)
{
    while (mr_cache_bytes(cache) > cache->bytes_max && cache->pages_count > PAGES_MIN) {
        uint32_t donor = donor_class(cache, cache->classes_count);
        uint32_t number =
            donor == cache->classes_count ? NO_PAGE : class_release_page(cache, donor);
        if (number == NO_PAGE)
            return;
        mr_memory_free(cache->pages[number].memory);
        cache->pages[number].memory = NULL;
        cache->pages_count--;
    }
}
