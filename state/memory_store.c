/* state/memory_store.c — an ordered store in memory: for tests, and for runs without a disk.
 * Design: a skip list. Its levels come from a hash of a counter, so that runs are alike. A batch is
 * applied under the write lock, gets and scans hold the read lock. Closing forgets everything, as a
 * lost disk would: the changelog restores it.
 * Memory: one block per key; a value that fits is written in place. */
#include <pthread.h>

#include "base/assert.h"
#include "base/memory.h"
#include "state/store.h"

enum { LEVELS_MAX = 24 };

struct node {
    uint8_t *value;
    uint32_t value_size;
    uint32_t value_room;
    uint32_t key_size;
    uint32_t levels;
    struct node *next[]; /* levels pointers, then the key */
};

struct memory_store {
    pthread_rwlock_t lock;
    bool opened;
    struct node *first[LEVELS_MAX];
    uint64_t nodes_created; /* drives the levels */
    uint64_t keys_count;
    uint64_t bytes;
};

/* Nothing is shared between memory stores, so one object serves all. */
struct mr_store_resources {
    uint64_t budget_bytes;
};

static struct mr_store_resources *resources_create(uint64_t budget_bytes)
{
    struct mr_store_resources *resources = mr_memory_new(1, sizeof *resources);
    resources->budget_bytes = budget_bytes;
    return resources;
}

static void resources_destroy(struct mr_store_resources *resources)
{
    mr_memory_free(resources);
}

static struct mr_slice node_key(const struct node *node)
{
    return mr_slice_from((const uint8_t *)(node->next + node->levels), node->key_size);
}

static enum mr_status store_open(void *self, const struct mr_store_open *open,
                                 struct mr_error *error)
{
    struct memory_store *store = self;
    MR_UNUSED(open);
    MR_UNUSED(error);
    int failed = pthread_rwlock_init(&store->lock, NULL);
    MR_ASSERT(failed == 0);
    store->opened = true;
    return MR_OK;
}

/* Per level, the link that leads to the first node not before key. */
static void find_links(struct memory_store *store, struct mr_slice key,
                       struct node **links[LEVELS_MAX])
{
    struct node **row = store->first;
    for (size_t level = LEVELS_MAX; level-- > 0;) {
        while (row[level] != NULL && mr_slice_compare(node_key(row[level]), key) < 0)
            row = row[level]->next;
        links[level] = &row[level];
    }
}

static struct node *find_first(struct memory_store *store, struct mr_slice key)
{
    struct node **links[LEVELS_MAX];
    find_links(store, key, links);
    return *links[0];
}

static enum mr_status store_get(void *self, struct mr_slice key, struct mr_arena *arena,
                                struct mr_slice *value, struct mr_error *error)
{
    struct memory_store *store = self;
    MR_UNUSED(error);
    pthread_rwlock_rdlock(&store->lock);
    const struct node *node = find_first(store, key);
    bool found = node != NULL && mr_slice_equal(node_key(node), key);
    if (found)
        *value = mr_arena_copy(arena, mr_slice_from(node->value, node->value_size));
    pthread_rwlock_unlock(&store->lock);
    return found ? MR_OK : MR_NOT_FOUND;
}

/* 1 + the number of pairs of zero bits: a quarter of the nodes reaches each next level. */
static uint32_t next_levels(struct memory_store *store)
{
    uint64_t bits = ++store->nodes_created * UINT64_C(0x9e3779b97f4a7c15);
    bits ^= bits >> 32;
    bits *= UINT64_C(0xd6e8feb86659fd93);
    bits ^= bits >> 29;
    uint32_t levels = 1;
    while ((bits & 3u) == 0 && levels < LEVELS_MAX) {
        bits >>= 2;
        levels++;
    }
    return levels;
}

static void set_value(struct memory_store *store, struct node *node, struct mr_slice value)
{
    if (node->value_room < value.size) {
        mr_memory_free(node->value);
        node->value = mr_memory_new(1, value.size);
        store->bytes += value.size - node->value_room;
        node->value_room = (uint32_t)value.size;
    }
    if (value.size > 0)
        memcpy(node->value, value.data, value.size);
    node->value_size = (uint32_t)value.size;
}

static size_t node_bytes(uint32_t levels, size_t key_size)
{
    return sizeof(struct node) + levels * sizeof(struct node *) + key_size;
}

static void put(struct memory_store *store, struct mr_slice key, struct mr_slice value)
{
    struct node **links[LEVELS_MAX];
    find_links(store, key, links);
    struct node *node = *links[0];
    if (node == NULL || !mr_slice_equal(node_key(node), key)) {
        uint32_t levels = next_levels(store);
        node = mr_memory_new(1, node_bytes(levels, key.size));
        node->levels = levels;
        node->key_size = (uint32_t)key.size;
        if (key.size > 0)
            memcpy(node->next + levels, key.data, key.size);
        for (uint32_t level = 0; level < levels; level++) {
            node->next[level] = *links[level];
            *links[level] = node;
        }
        store->keys_count++;
        store->bytes += node_bytes(levels, key.size);
    }
    set_value(store, node, value);
}

static void node_free(struct memory_store *store, struct node *node)
{
    store->keys_count--;
    store->bytes -= node_bytes(node->levels, node->key_size) + node->value_room;
    mr_memory_free(node->value);
    mr_memory_free(node);
}

/* Remove the nodes from key to end, or key alone when end is not given. */
static void delete_range(struct memory_store *store, struct mr_slice key,
                         const struct mr_slice *end)
{
    struct node **links[LEVELS_MAX];
    find_links(store, key, links);
    for (;;) {
        struct node *node = *links[0];
        bool inside = node != NULL && (end == NULL ? mr_slice_equal(node_key(node), key)
                                                   : mr_slice_compare(node_key(node), *end) < 0);
        if (!inside)
            return;
        for (uint32_t level = 0; level < node->levels; level++)
            *links[level] = node->next[level];
        node_free(store, node);
    }
}

static enum mr_status store_write(void *self, const struct mr_store_write *writes,
                                  size_t writes_count, struct mr_error *error)
{
    struct memory_store *store = self;
    MR_UNUSED(error);
    pthread_rwlock_wrlock(&store->lock);
    for (size_t i = 0; i < writes_count; i++) {
        const struct mr_store_write *write = &writes[i];
        if (write->kind == MR_STORE_PUT)
            put(store, write->key, write->value);
        else
            delete_range(store, write->key,
                         write->kind == MR_STORE_DELETE ? NULL : &write->range_end);
    }
    pthread_rwlock_unlock(&store->lock);
    return MR_OK;
}

static enum mr_status store_scan(void *self, struct mr_slice first, struct mr_slice end,
                                 bool (*visit)(void *argument, struct mr_slice key,
                                               struct mr_slice value),
                                 void *argument, struct mr_error *error)
{
    struct memory_store *store = self;
    MR_UNUSED(error);
    pthread_rwlock_rdlock(&store->lock);
    const struct node *node = find_first(store, first);
    while (node != NULL && mr_slice_compare(node_key(node), end) < 0 &&
           visit(argument, node_key(node), mr_slice_from(node->value, node->value_size)))
        node = node->next[0];
    pthread_rwlock_unlock(&store->lock);
    return MR_OK;
}

static enum mr_status store_flush(void *self, bool wait, struct mr_error *error)
{
    MR_UNUSED(self);
    MR_UNUSED(wait);
    MR_UNUSED(error);
    return MR_OK;
}

static void store_statistics(void *self, struct mr_store_statistics *statistics)
{
    struct memory_store *store = self;
    pthread_rwlock_rdlock(&store->lock);
    *statistics = (struct mr_store_statistics){.memory_bytes = store->bytes,
                                               .keys_estimate = store->keys_count};
    pthread_rwlock_unlock(&store->lock);
}

static void store_close(void *self)
{
    struct memory_store *store = self;
    if (!store->opened)
        return;
    for (struct node *node = store->first[0]; node != NULL;) {
        struct node *next = node->next[0];
        node_free(store, node);
        node = next;
    }
    pthread_rwlock_destroy(&store->lock);
    *store = (struct memory_store){0};
}

static enum mr_status store_wipe(const char *directory, struct mr_error *error)
{
    MR_UNUSED(directory);
    MR_UNUSED(error);
    return MR_OK;
}

const struct mr_store_ops mr_store_memory = {
    .name = "memory",
    .resources_create = resources_create,
    .resources_destroy = resources_destroy,
    .instance_size = sizeof(struct memory_store),
    .open = store_open,
    .get = store_get,
    .write = store_write,
    .scan = store_scan,
    .flush = store_flush,
    .statistics = store_statistics,
    .close = store_close,
    .wipe = store_wipe,
};
