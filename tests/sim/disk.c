/* tests/sim/disk.c — the model disk: stores that keep a prefix of their write batches at a crash.
 * Design: a store's files outlive its process. `durable` is what a crash cannot take; batches
 * behind it are pending, and a crash keeps the first few of them. A flush that waits, and closing,
 * make everything durable; a flush that does not wait does so after a while. Stands in for
 * state/rocksdb_store.c: the symbol mr_store_rocksdb is this one in the simulation.
 * Faults: a folder is lost, or an older copy of it comes back, while its process is down. */
#include "tests/sim/disk.h"

#include "base/assert.h"
#include "tests/sim/kernel.h"

#include <string.h>

enum { FOLDERS_MAX = 512, PENDING_MAX = 4096 };

struct pair {
    struct mr_slice key;
    struct mr_slice value;
};

struct pairs { /* sorted by key; the bytes are never freed during a run */
    struct pair *items;
    uint32_t count;
    uint32_t capacity;
};

struct batch {
    struct mr_store_write *writes;
    size_t count;
};

struct folder {
    char name[192];
    struct sim_process *process;
    struct pairs durable;
    struct pairs copy; /* an old one */
    bool has_copy;
    struct pairs live;
    struct batch *pending;
    uint32_t pending_count;
    uint32_t pending_capacity;
    bool open;
    bool exists;
    bool tampered; /* by a fault, and not opened since */
};

struct sim_store {
    struct folder *folder;
    uint32_t life;
};

struct mr_store_resources {
    int unused;
};

static struct folder *folders[FOLDERS_MAX];
static uint32_t folders_count;

void sim_disk_begin(void)
{
    folders_count = 0;
}

/* ---- Sorted pairs ---- */

static uint32_t lower_bound(const struct pairs *pairs, struct mr_slice key)
{
    uint32_t low = 0;
    uint32_t high = pairs->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (mr_slice_compare(pairs->items[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void put(struct pairs *pairs, struct mr_slice key, struct mr_slice value)
{
    uint32_t at = lower_bound(pairs, key);
    if (at < pairs->count && mr_slice_equal(pairs->items[at].key, key)) {
        pairs->items[at].value = value;
        return;
    }
    if (pairs->count == pairs->capacity) {
        uint32_t capacity = pairs->capacity == 0 ? 16 : pairs->capacity * 2;
        struct pair *larger = sim_new(capacity * sizeof *larger);
        if (pairs->count > 0)
            memcpy(larger, pairs->items, pairs->count * sizeof *larger);
        pairs->items = larger;
        pairs->capacity = capacity;
    }
    memmove(&pairs->items[at + 1], &pairs->items[at], (pairs->count - at) * sizeof pairs->items[0]);
    pairs->items[at] = (struct pair){key, value};
    pairs->count++;
}

static void delete_range(struct pairs *pairs, uint32_t first, uint32_t end)
{
    memmove(&pairs->items[first], &pairs->items[end],
            (pairs->count - end) * sizeof pairs->items[0]);
    pairs->count -= end - first;
}

static void apply(struct pairs *pairs, const struct batch *batch)
{
    for (size_t index = 0; index < batch->count; index++) {
        const struct mr_store_write *write = &batch->writes[index];
        uint32_t first = lower_bound(pairs, write->key);
        if (write->kind == MR_STORE_PUT)
            put(pairs, write->key, write->value);
        else if (write->kind == MR_STORE_DELETE_RANGE)
            delete_range(pairs, first, lower_bound(pairs, write->range_end));
        else if (first < pairs->count && mr_slice_equal(pairs->items[first].key, write->key))
            delete_range(pairs, first, first + 1);
    }
}

static struct pairs copy_pairs(const struct pairs *pairs)
{
    struct pairs made = {.count = pairs->count, .capacity = pairs->count};
    if (pairs->count > 0)
        made.items = sim_copy(pairs->items, pairs->count * sizeof *pairs->items);
    return made;
}

/* ---- Folders ---- */

static struct folder *take_folder(const char *name)
{
    struct sim_process *process = sim_process_current();
    for (uint32_t index = 0; index < folders_count; index++)
        if (folders[index]->process == process && strcmp(folders[index]->name, name) == 0)
            return folders[index];
    MR_ASSERT(folders_count < FOLDERS_MAX && strlen(name) < sizeof folders[0]->name);
    struct folder *folder = sim_new(sizeof *folder);
    memcpy(folder->name, name, strlen(name));
    folder->process = process;
    folders[folders_count++] = folder;
    return folder;
}

static void make_durable(struct folder *folder)
{
    folder->durable = copy_pairs(&folder->live);
    folder->pending_count = 0;
}

void sim_disk_process_ended(struct sim_process *process)
{
    for (uint32_t index = 0; index < folders_count; index++) {
        struct folder *folder = folders[index];
        if (folder->process != process || !folder->open)
            continue;
        uint32_t kept = (uint32_t)sim_random(folder->pending_count + 1);
        sim_trace("disk: %s of %s keeps %u of %u batches", folder->name, process->name, kept,
                  folder->pending_count);
        for (uint32_t batch = 0; batch < kept; batch++)
            apply(&folder->durable, &folder->pending[batch]);
        folder->live = copy_pairs(&folder->durable);
        folder->pending_count = 0;
        folder->open = false;
    }
}

void sim_disk_lose(struct sim_process *process)
{
    for (uint32_t index = 0; index < folders_count; index++) {
        struct folder *folder = folders[index];
        if (folder->process != process || folder->open || !sim_chance(500000))
            continue;
        sim_trace("fault: %s of %s is lost", folder->name, process->name);
        folder->live = (struct pairs){0};
        folder->durable = (struct pairs){0};
        folder->exists = false;
        folder->tampered = true;
    }
}

void sim_disk_copy(struct sim_process *process)
{
    for (uint32_t index = 0; index < folders_count; index++) {
        struct folder *folder = folders[index];
        if (folder->process != process || !folder->exists)
            continue;
        folder->copy = copy_pairs(&folder->durable);
        folder->has_copy = true;
    }
}

void sim_disk_bring_back(struct sim_process *process)
{
    for (uint32_t index = 0; index < folders_count; index++) {
        struct folder *folder = folders[index];
        if (folder->process != process || folder->open || !folder->has_copy)
            continue;
        sim_trace("fault: an old copy of %s of %s comes back", folder->name, process->name);
        folder->live = copy_pairs(&folder->copy);
        folder->durable = copy_pairs(&folder->copy);
        folder->tampered = true;
    }
}

/* Not strstr: .../chart/1 is no part of .../chart/10. */
static bool ends_with(const char *name, const char *part)
{
    size_t size = strlen(name);
    size_t part_size = strlen(part);
    return size >= part_size && strcmp(name + size - part_size, part) == 0;
}

bool sim_disk_find(const struct sim_process *process, const char *part,
                   void (*visit)(void *argument, struct mr_slice key, struct mr_slice value),
                   void *argument)
{
    for (uint32_t index = 0; index < folders_count; index++) {
        const struct folder *folder = folders[index];
        if (folder->process != process || !ends_with(folder->name, part) || folder->tampered ||
            !folder->exists)
            continue;
        for (uint32_t pair = 0; pair < folder->live.count; pair++)
            visit(argument, folder->live.items[pair].key, folder->live.items[pair].value);
        return true;
    }
    return false;
}

/* ---- The store ---- */

static struct mr_store_resources resources;

static struct mr_store_resources *resources_create(uint64_t budget_bytes)
{
    MR_UNUSED(budget_bytes);
    return &resources;
}

static void resources_destroy(struct mr_store_resources *given)
{
    MR_UNUSED(given);
}

static enum mr_status store_open(void *self, const struct mr_store_open *open,
                                 struct mr_error *error)
{
    struct sim_store *store = self;
    struct folder *folder = take_folder(open->directory);
    sim_sleep(sim_random(5 * SIM_MS));
    if (folder->open)
        return MR_FAIL(error, MR_IO, MR_RECOVERY_RETRY, "The folder %s is in use.", folder->name);
    folder->open = true;
    folder->exists = true;
    folder->tampered = false;
    store->folder = folder;
    return MR_OK;
}

static enum mr_status store_get(void *self, struct mr_slice key, struct mr_arena *arena,
                                struct mr_slice *value, struct mr_error *error)
{
    const struct sim_store *store = self;
    const struct pairs *live = &store->folder->live;
    MR_UNUSED(error);
    uint32_t at = lower_bound(live, key);
    if (at == live->count || !mr_slice_equal(live->items[at].key, key))
        return MR_NOT_FOUND;
    *value = mr_arena_copy(arena, live->items[at].value);
    return MR_OK;
}

static struct mr_slice keep(struct mr_slice bytes)
{
    return mr_slice_from(sim_copy(bytes.data, bytes.size), bytes.size);
}

static enum mr_status store_write(void *self, const struct mr_store_write *writes,
                                  size_t writes_count, struct mr_error *error)
{
    const struct sim_store *store = self;
    struct folder *folder = store->folder;
    MR_UNUSED(error);
    sim_preempt();
    if (folder->pending_count == folder->pending_capacity) {
        uint32_t capacity = folder->pending_capacity == 0 ? 64 : folder->pending_capacity * 2;
        struct batch *larger = sim_new(capacity * sizeof *larger);
        if (folder->pending_count > 0)
            memcpy(larger, folder->pending, folder->pending_count * sizeof *larger);
        folder->pending = larger;
        folder->pending_capacity = capacity;
    }
    struct batch batch = {.writes = sim_new(writes_count * sizeof *writes), .count = writes_count};
    for (size_t index = 0; index < writes_count; index++)
        batch.writes[index] = (struct mr_store_write){.kind = writes[index].kind,
                                                      .key = keep(writes[index].key),
                                                      .value = keep(writes[index].value),
                                                      .range_end = keep(writes[index].range_end)};
    apply(&folder->live, &batch);
    sim_trace("disk: %s takes %zu writes", folder->name, writes_count);
    folder->pending[folder->pending_count++] = batch;
    if (folder->pending_count >= PENDING_MAX || sim_chance(20000)) /* a flush in the background */
        make_durable(folder);
    return MR_OK;
}

static enum mr_status store_scan(void *self, struct mr_slice first, struct mr_slice end,
                                 bool (*visit)(void *argument, struct mr_slice key,
                                               struct mr_slice value),
                                 void *argument, struct mr_error *error)
{
    const struct sim_store *store = self;
    const struct pairs *live = &store->folder->live;
    MR_UNUSED(error);
    for (uint32_t at = lower_bound(live, first);
         at < live->count && mr_slice_compare(live->items[at].key, end) < 0; at++)
        if (!visit(argument, live->items[at].key, live->items[at].value))
            break;
    return MR_OK;
}

static enum mr_status store_flush(void *self, bool wait, struct mr_error *error)
{
    const struct sim_store *store = self;
    MR_UNUSED(error);
    if (!wait)
        return MR_OK;
    sim_sleep(sim_random(20 * SIM_MS));
    make_durable(store->folder);
    return MR_OK;
}

static void store_statistics(void *self, struct mr_store_statistics *statistics)
{
    const struct sim_store *store = self;
    *statistics = (struct mr_store_statistics){.keys_estimate = store->folder->live.count};
}

static void store_close(void *self)
{
    struct sim_store *store = self;
    if (store->folder == NULL)
        return;
    make_durable(store->folder);
    store->folder->open = false;
    store->folder = NULL;
}

static enum mr_status store_wipe(const char *directory, struct mr_error *error)
{
    struct folder *folder = take_folder(directory);
    MR_UNUSED(error);
    folder->live = (struct pairs){0};
    folder->durable = (struct pairs){0};
    folder->pending_count = 0;
    return MR_OK;
}

const struct mr_store_ops mr_store_rocksdb = {
    .name = "rocksdb",
    .resources_create = resources_create,
    .resources_destroy = resources_destroy,
    .instance_size = sizeof(struct sim_store),
    .open = store_open,
    .get = store_get,
    .write = store_write,
    .scan = store_scan,
    .flush = store_flush,
    .statistics = store_statistics,
    .close = store_close,
    .wipe = store_wipe,
};
