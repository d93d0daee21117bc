/* state/rocksdb_store.c — the store on disk: the only file that sees RocksDB (C API, 7.8 and
 * later). Design: one database per task with the write-ahead log off and one column family. A batch
 * never spans two memtables and memtables are flushed in order, so after a crash the files hold a
 * prefix of the batches; what is missing is replayed from the changelog. (Several column families
 * would need atomic_flush, which loses data without a log in 7.8.) Memory: of the budget 5/16 are
 * one block cache, which also holds index and filter blocks, and 5/16 are write buffers. The rest
 * is for what cannot be set: batches, merges, and what the C library holds between blocks of many
 * sizes that come and go (measured with 10,000,000 keys: a quarter of what is in use). This API has
 * no write buffer manager in 7.8, so the share of a database is a part of the write budget by the
 * number of open databases: a database gets at most write_budget / (2 * open) at its opening, and
 * is told to shrink when its buffers are more than twice what it would get now. So all together
 * stay within it. Threads: one flush and one compaction thread for the process. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/memory.h"
#include "state/store.h"

enum {
    BLOCK_BYTES = 8 << 10,
    BLOOM_BITS = 10,
    OPEN_FILES_MAX = 256,
    BUFFERS_PER_DATABASE = 2, /* one that fills, one that is flushed */
    TARGET_FILE_BYTES = 32 << 20,
    MANIFEST_BYTES = 64 << 10,
    LARGE_PIECE_BYTES = 256 << 10,
    DELETION_WINDOW = 4096, /* entries of a file that follow each other */
    DELETIONS_OF_WINDOW = 3072
};

#define BUFFER_BYTES_MIN ((uint64_t)(1 << 20))
#define BUFFER_BYTES_MAX ((uint64_t)(64 << 20))
#define BLOCK_CACHE_BYTES_MIN ((uint64_t)(4 << 20))

struct rocksdb_store {
    rocksdb_t *database;
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table_options;
    rocksdb_readoptions_t *read_options;
    rocksdb_writeoptions_t *write_options;
    rocksdb_writebatch_t *batch;
    struct mr_store_resources *resources;
    uint64_t buffer_bytes;      /* guarded by resources->lock */
    struct rocksdb_store *next; /* of the open databases; guarded by resources->lock */
};

struct mr_store_resources {
    pthread_mutex_t lock;
    rocksdb_env_t *env;
    rocksdb_cache_t *block_cache;
    uint64_t write_budget_bytes;
    struct rocksdb_store *open;
    uint32_t open_count;
};

/* ---- Resources ---- */

static struct mr_store_resources *resources_create(uint64_t budget_bytes)
{
    struct mr_store_resources *resources = mr_memory_new(1, sizeof *resources);
    /* Pieces of write buffers go back to the system when they are freed: else the C library learns
     * from the first one to keep them, among blocks that stay. (A sanitizer's library refuses.) */
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_PIECE_BYTES);
    int failed = pthread_mutex_init(&resources->lock, NULL);
    MR_ASSERT(failed == 0);
    uint64_t cache_bytes = budget_bytes / 16 * 5;
    if (cache_bytes < BLOCK_CACHE_BYTES_MIN)
        cache_bytes = BLOCK_CACHE_BYTES_MIN;
    resources->write_budget_bytes = budget_bytes / 16 * 5;
    resources->block_cache = rocksdb_cache_create_lru(cache_bytes);
    resources->env = rocksdb_create_default_env();
    rocksdb_env_set_background_threads(resources->env, 1);
    rocksdb_env_set_high_priority_background_threads(resources->env, 1);
    return resources;
}

static void resources_destroy(struct mr_store_resources *resources)
{
    if (resources == NULL)
        return;
    MR_ASSERT(resources->open_count == 0);
    rocksdb_cache_destroy(resources->block_cache);
    rocksdb_env_destroy(resources->env);
    pthread_mutex_destroy(&resources->lock);
    mr_memory_free(resources);
}

/* One write buffer of a database when `count` are open. */
static uint64_t buffer_share(const struct mr_store_resources *resources, uint32_t count)
{
    uint64_t bytes = resources->write_budget_bytes / (2 * BUFFERS_PER_DATABASE * (uint64_t)count);
    if (bytes < BUFFER_BYTES_MIN)
        return BUFFER_BYTES_MIN;
    return bytes > BUFFER_BYTES_MAX ? BUFFER_BYTES_MAX : bytes;
}

/* Under the lock: the databases that are open already make room for one more. */
static void shrink_buffers(struct mr_store_resources *resources, uint64_t share)
{
    for (struct rocksdb_store *store = resources->open; store != NULL; store = store->next) {
        if (store->buffer_bytes <= 2 * share)
            continue;
        char text[32];
        snprintf(text, sizeof text, "%llu", (unsigned long long)share);
        const char *const names[] = {"write_buffer_size"};
        const char *const values[] = {text};
        char *message = NULL;
        rocksdb_set_options(store->database, 1, names, values, &message);
        /* A database that cannot write its options fails at its next write as well. */
        rocksdb_free(message);
        store->buffer_bytes = share;
    }
}

static void resources_join(struct rocksdb_store *store)
{
    struct mr_store_resources *resources = store->resources;
    pthread_mutex_lock(&resources->lock);
    store->next = resources->open;
    resources->open = store;
    pthread_mutex_unlock(&resources->lock);
}

static uint64_t resources_reserve(struct mr_store_resources *resources)
{
    pthread_mutex_lock(&resources->lock);
    resources->open_count++;
    uint64_t share = buffer_share(resources, resources->open_count);
    shrink_buffers(resources, share);
    pthread_mutex_unlock(&resources->lock);
    return share;
}

static void resources_leave(struct rocksdb_store *store)
{
    struct mr_store_resources *resources = store->resources;
    pthread_mutex_lock(&resources->lock);
    for (struct rocksdb_store **link = &resources->open; *link != NULL; link = &(*link)->next) {
        if (*link == store) {
            *link = store->next;
            break;
        }
    }
    resources->open_count--;
    pthread_mutex_unlock(&resources->lock);
}

/* ---- Errors ---- */

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Translate RocksDB's message, and free it. opening: the message is from opening the folder. */
static enum mr_status translate(char *message, const char *what, bool opening,
                                struct mr_error *error)
{
    bool locked = strstr(message, "LOCK") != NULL &&
                  (strstr(message, "lock ") != NULL || strstr(message, "Lock ") != NULL);
    bool missing = strstr(message, "No such file") != NULL;
    enum mr_status status;
    if (opening && locked)
        status = MR_FAIL(error, MR_IO, MR_RECOVERY_RETRY,
                         "%s: another process, or another task of this one, has the state folder "
                         "open: %s",
                         what, message);
    else if (starts_with(message, "Corruption") || missing ||
             (opening && starts_with(message, "Invalid argument")))
        status = MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                         "%s: the state on disk is damaged: %s", what, message);
    else if (strstr(message, "No space left") != NULL || starts_with(message, "IO error: No space"))
        status = MR_FAIL(error, MR_IO, MR_RECOVERY_EXIT, "%s: the disk is full: %s", what, message);
    else
        status = MR_FAIL(error, MR_IO, MR_RECOVERY_EXIT, "%s: %s", what, message);
    mr_error_origin(error, "rocksdb", 0);
    rocksdb_free(message);
    return status;
}

/* ---- Open and close ---- */

static enum mr_status make_directory(const char *directory, struct mr_error *error)
{
    char path[4096];
    size_t size = strlen(directory);
    if (size == 0 || size >= sizeof path)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_EXIT,
                       "the path of the state folder is empty or longer than 4095 bytes");
    memcpy(path, directory, size + 1);
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        char saved = path[i];
        path[i] = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return MR_FAIL_ERRNO(error, errno, MR_RECOVERY_EXIT,
                                 "the state folder %s cannot be created", path);
        path[i] = saved;
    }
    return MR_OK;
}

static void set_options(struct rocksdb_store *store)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, store->resources->block_cache);
    rocksdb_block_based_options_set_block_size(table, BLOCK_BYTES);
    rocksdb_block_based_options_set_filter_policy(table,
                                                  rocksdb_filterpolicy_create_bloom(BLOOM_BITS));
    /* Filters and indexes in small pieces: a filter of one piece is larger than a shard of a small
     * block cache, so that it would be read from disk for every get. */
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
    rocksdb_block_based_options_set_index_type(
        table, rocksdb_block_based_table_index_type_two_level_index_search);
    rocksdb_block_based_options_set_partition_filters(table, 1);
    rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1);
    store->table_options = table;

    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_env(options, store->resources->env);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_options_set_compression(options, rocksdb_lz4_compression);
    rocksdb_options_set_write_buffer_size(options, store->buffer_bytes);
    rocksdb_options_set_max_write_buffer_number(options, BUFFERS_PER_DATABASE);
    rocksdb_options_set_target_file_size_base(options, TARGET_FILE_BYTES);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
    rocksdb_options_set_max_background_jobs(options, 2);
    /* A file that is mostly deletions is merged at once, not when four are there: what expired
     * leaves the disk with the flush of its deletions (measured: 1 to 4 % of the CPU time of a
     * table whose keys come and go). */
    rocksdb_options_add_compact_on_deletion_collector_factory(options, DELETION_WINDOW,
                                                              DELETIONS_OF_WINDOW);
    /* Of the list of files: 4 MiB of disk by default, of each database. */
    rocksdb_options_set_manifest_preallocation_size(options, MANIFEST_BYTES);
    rocksdb_options_set_max_open_files(options, OPEN_FILES_MAX);
    rocksdb_options_set_allow_concurrent_memtable_write(options, 0);
    rocksdb_options_set_keep_log_file_num(options, 2);
    rocksdb_options_set_max_log_file_size(options, 1 << 20);
    rocksdb_options_set_info_log_level(options, 2 /* warnings */);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    store->options = options;

    store->read_options = rocksdb_readoptions_create();
    store->write_options = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(store->write_options, 1);
    store->batch = rocksdb_writebatch_create();
}

static enum mr_status store_open(void *self, const struct mr_store_open *open,
                                 struct mr_error *error)
{
    struct rocksdb_store *store = self;
    MR_ASSERT(open->resources != NULL && open->directory != NULL);
    enum mr_status status = make_directory(open->directory, error);
    if (status != MR_OK)
        return status;
    store->resources = open->resources;
    store->buffer_bytes = resources_reserve(store->resources);
    set_options(store);
    char *message = NULL;
    store->database = rocksdb_open(store->options, open->directory, &message);
    if (message != NULL) {
        char what[1100];
        snprintf(what, sizeof what, "opening the state in %.1000s", open->directory);
        return translate(message, what, true, error);
    }
    resources_join(store);
    return MR_OK;
}

static enum mr_status store_flush(void *self, bool wait, struct mr_error *error)
{
    struct rocksdb_store *store = self;
    char *message = NULL;
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(options, wait);
    rocksdb_flush(store->database, options, &message);
    rocksdb_flushoptions_destroy(options);
    return message == NULL ? MR_OK : translate(message, "flushing the state", false, error);
}

static void store_close(void *self)
{
    struct rocksdb_store *store = self;
    if (store->resources == NULL)
        return;
    resources_leave(store);
    if (store->database != NULL) {
        /* RocksDB's own flush at closing does not wait for a flush that is under way. When this one
         * fails the files are an earlier prefix, as after a crash. */
        struct mr_error ignored;
        enum mr_status status = store_flush(store, true, &ignored);
        MR_UNUSED(status);
        rocksdb_close(store->database);
    }
    rocksdb_writebatch_destroy(store->batch);
    rocksdb_writeoptions_destroy(store->write_options);
    rocksdb_readoptions_destroy(store->read_options);
    rocksdb_options_destroy(store->options);
    rocksdb_block_based_options_destroy(store->table_options);
    *store = (struct rocksdb_store){0};
}

/* RocksDB deletes the files whose names are its own, and the folder when nothing else is in it. */
static enum mr_status store_wipe(const char *directory, struct mr_error *error)
{
    char *message = NULL;
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_destroy_db(options, directory, &message);
    rocksdb_options_destroy(options);
    return message == NULL ? MR_OK : translate(message, "wiping the local state", true, error);
}

/* ---- Reading and writing ---- */

static enum mr_status store_get(void *self, struct mr_slice key, struct mr_arena *arena,
                                struct mr_slice *value, struct mr_error *error)
{
    struct rocksdb_store *store = self;
    char *message = NULL;
    rocksdb_pinnableslice_t *pinned = rocksdb_get_pinned(
        store->database, store->read_options, (const char *)key.data, key.size, &message);
    if (message != NULL)
        return translate(message, "reading the state", false, error);
    if (pinned == NULL)
        return MR_NOT_FOUND;
    size_t size;
    const char *data = rocksdb_pinnableslice_value(pinned, &size);
    *value = mr_arena_copy(arena, mr_slice_from(data, size));
    rocksdb_pinnableslice_destroy(pinned);
    return MR_OK;
}

static void add_to_batch(rocksdb_writebatch_t *batch, const struct mr_store_write *write)
{
    const char *key = (const char *)write->key.data;
    switch (write->kind) {
    case MR_STORE_PUT:
        rocksdb_writebatch_put(batch, key, write->key.size, (const char *)write->value.data,
                               write->value.size);
        break;
    case MR_STORE_DELETE:
        rocksdb_writebatch_delete(batch, key, write->key.size);
        break;
    case MR_STORE_DELETE_RANGE:
        rocksdb_writebatch_delete_range(batch, key, write->key.size,
                                        (const char *)write->range_end.data, write->range_end.size);
        break;
    }
}

static enum mr_status store_write(void *self, const struct mr_store_write *writes,
                                  size_t writes_count, struct mr_error *error)
{
    struct rocksdb_store *store = self;
    char *message = NULL;
    rocksdb_writebatch_clear(store->batch);
    for (size_t i = 0; i < writes_count; i++)
        add_to_batch(store->batch, &writes[i]);
    rocksdb_write(store->database, store->write_options, store->batch, &message);
    return message == NULL ? MR_OK : translate(message, "writing the state", false, error);
}

static enum mr_status store_scan(void *self, struct mr_slice first, struct mr_slice end,
                                 bool (*visit)(void *argument, struct mr_slice key,
                                               struct mr_slice value),
                                 void *argument, struct mr_error *error)
{
    struct rocksdb_store *store = self;
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_iterate_upper_bound(options, (const char *)end.data, end.size);
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(store->database, options);
    rocksdb_iter_seek(iterator, (const char *)first.data, first.size);
    while (rocksdb_iter_valid(iterator)) {
        size_t key_size;
        size_t value_size;
        const char *key = rocksdb_iter_key(iterator, &key_size);
        const char *value = rocksdb_iter_value(iterator, &value_size);
        if (!visit(argument, mr_slice_from(key, key_size), mr_slice_from(value, value_size)))
            break;
        rocksdb_iter_next(iterator);
    }
    char *message = NULL;
    rocksdb_iter_get_error(iterator, &message);
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(options);
    return message == NULL ? MR_OK : translate(message, "reading the state", false, error);
}

static uint64_t property(struct rocksdb_store *store, const char *name)
{
    uint64_t value = 0;
    return rocksdb_property_int(store->database, name, &value) == 0 ? value : 0;
}

static void store_statistics(void *self, struct mr_store_statistics *statistics)
{
    struct rocksdb_store *store = self;
    *statistics = (struct mr_store_statistics){
        .disk_bytes = property(store, "rocksdb.total-sst-files-size"),
        .memory_bytes = property(store, "rocksdb.cur-size-all-mem-tables") +
                        property(store, "rocksdb.estimate-table-readers-mem"),
        .keys_estimate = property(store, "rocksdb.estimate-num-keys"),
    };
}

const struct mr_store_ops mr_store_rocksdb = {
    .name = "rocksdb",
    .resources_create = resources_create,
    .resources_destroy = resources_destroy,
    .instance_size = sizeof(struct rocksdb_store),
    .open = store_open,
    .get = store_get,
    .write = store_write,
    .scan = store_scan,
    .flush = store_flush,
    .statistics = store_statistics,
    .close = store_close,
    .wipe = store_wipe,
};
