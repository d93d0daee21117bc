/* state/store.h — ordered bytes on disk or in memory: the interface under keyed state.
 * Model: one store per task. Keys and values are bytes; order is memcmp. One write batch per
 * committed transaction; a batch is applied whole or not at all, and after a crash the store is a
 * prefix of the applied batches (RocksDB: write-ahead log off, one column family).
 * Threads: get and scan from the task thread and from any other (queries), while the committer
 * writes a batch. A scan's visit makes no call on the store. */
#ifndef MR_STATE_STORE_H
#define MR_STATE_STORE_H

#include "base/arena.h"
#include "base/error.h"

struct mr_store_write {
    struct mr_slice key;
    struct mr_slice value;
    struct mr_slice range_end; /* DELETE_RANGE: first key that stays */
    enum { MR_STORE_PUT, MR_STORE_DELETE, MR_STORE_DELETE_RANGE } kind;
};

/* Shared by all stores of a process: block cache and write buffer budget. */
struct mr_store_resources;

struct mr_store_open {
    const char *directory;                /* created when missing; unused by the memory store */
    struct mr_store_resources *resources; /* of the same type */
};

struct mr_store_statistics {
    uint64_t disk_bytes;
    uint64_t memory_bytes; /* of this store alone: shared caches are not in it */
    uint64_t keys_estimate;
};

struct mr_store_ops {
    const char *name; /* "rocksdb", "memory" */
    /* budget_bytes: block cache and write buffers of all stores together. */
    struct mr_store_resources *(*resources_create)(uint64_t budget_bytes);
    void (*resources_destroy)(struct mr_store_resources *resources);
    size_t instance_size;
    /* self is zeroed memory of instance_size bytes; close is called even when open fails.
     * MR_CORRUPT with recovery RESTORE: the folder must be wiped. MR_IO: recovery says; RETRY when
     * another process has the folder open. */
    enum mr_status (*open)(void *self, const struct mr_store_open *open, struct mr_error *error);
    /* value is copied into arena. MR_NOT_FOUND. */
    enum mr_status (*get)(void *self, struct mr_slice key, struct mr_arena *arena,
                          struct mr_slice *value, struct mr_error *error);
    enum mr_status (*write)(void *self, const struct mr_store_write *writes, size_t writes_count,
                            struct mr_error *error);
    /* Visit [first, end) in order; visit returns false to stop. Slices live until visit returns. */
    enum mr_status (*scan)(void *self, struct mr_slice first, struct mr_slice end,
                           bool (*visit)(void *argument, struct mr_slice key,
                                         struct mr_slice value),
                           void *argument, struct mr_error *error);
    /* Make everything written so far survive a crash; without `wait` it is begun only, and an error
     * of it is the error of a later write. */
    enum mr_status (*flush)(void *self, bool wait, struct mr_error *error);
    void (*statistics)(void *self, struct mr_store_statistics *statistics);
    void (*close)(void *self);
    /* Delete a closed store's files, and only those. */
    enum mr_status (*wipe)(const char *directory, struct mr_error *error);
};

extern const struct mr_store_ops mr_store_rocksdb;
extern const struct mr_store_ops mr_store_memory;

#endif
