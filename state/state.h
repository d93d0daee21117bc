/* state/state.h — the keyed state of one task: typed objects, written back once per transaction.
 * Model:
 *   table     one (operator, name); its id is the first 4 bytes of XXH3("operator/table"), so that
 * it is stable without a directory; a collision is refused at open. object    what an operator
 * keeps per key: a plain struct in the cache plus optional slots (large state: fixed pieces of <= 4
 * kB, loaded and logged one by one). layers    object cache (newest) -> active overlay (objects
 * evicted while dirty) -> sealed overlay (of the transaction that is committing) -> store. seal at
 * the end of a transaction every dirty object and slot is serialised once; those bytes go to the
 * changelog and, after the commit, to the store. Never the live object. bounds    ttl, keys_max and
 * bytes_max count and drop keys by the order of the calls alone, never by what is cached or where a
 * transaction ends, so that a replay drops the same keys. Stored keys: see state/key_codec.h,
 * values: state/stored_value.h. Changelog records are the same keys and values; a value of size 0
 * with `tombstone` deletes. The worker's progress record, with the key MR_STATE_PROGRESS_KEY, is in
 * the changelog only: the store knows the offset behind it. Threads: everything on the task thread,
 * but mr_state_apply_sealed and mr_state_seal_* accessors of a sealed transaction, which the
 * committer calls. Failure: when a transaction fails the whole mr_state is closed and opened anew;
 * nothing in memory survives (docs/EXACTLY_ONCE.md). */
#ifndef MR_STATE_STATE_H
#define MR_STATE_STATE_H

#include "state/store.h"

struct mr_state;
struct mr_table;

/* Where the local state came from; a difference means wipe and full restore. */
struct mr_state_identity {
    char cluster_id[64];
    char topic_id[64]; /* of the changelog */
    uint64_t generation;
};

struct mr_state_open {
    const struct mr_store_ops *store_ops;
    struct mr_store_resources *resources;
    const char *directory;
    struct mr_state_identity identity;
    /* Object cache of this task. Exceeded within a transaction by one object with all its slots,
     * when that is larger than the cache. */
    uint64_t cache_bytes_max;
    int64_t now_wall_ms;
    /* Half of the changelog's delete.retention.ms: older state is wiped. 0: not checked. */
    int64_t tombstone_margin_ms;
};

struct mr_state_opened {
    bool wiped;               /* local state was unusable or missing */
    const char *wiped_reason; /* static sentence, NULL when not wiped or there was none */
    int64_t changelog_offset; /* next changelog offset to replay; 0 when empty */
};

/* Open the local state. The caller then replays the changelog from opened->changelog_offset. */
enum mr_status mr_state_open(const struct mr_state_open *open, struct mr_state **state,
                             struct mr_state_opened *opened, struct mr_error *error) MR_NODISCARD;
void mr_state_close(struct mr_state *state); /* accepts NULL; nothing is written */
/* Wipe local files of a state that is closed. */
enum mr_status mr_state_wipe(const struct mr_state_open *open, struct mr_error *error) MR_NODISCARD;

/* ---- Lives: what is stored means something under the options that it was written with ----
 * Each operator's state has a meaning, a hash; the state remembers it with the tables. Where an
 * operator comes back with another meaning, or after a time in which the task had no such operator,
 * it starts a new life: its tables are empty, in the transaction that remembers the new meaning,
 * and what earlier lives left is removed by and by, some thousand keys per transaction. */

struct mr_state_operator {
    const char *name;
    uint64_t meaning; /* not 0 */
};

/* The task's operators with state. Call once, before tables are opened; names are copied. A state
 * without this call keeps every table as it is. Errors: those of the store. */
enum mr_status mr_state_declare(struct mr_state *state, const struct mr_state_operator *operators,
                                uint32_t operators_count, struct mr_error *error) MR_NODISCARD;
/* The owner of the task goes on from here: after mr_state_restore_finish, before any other call on
 * tables. *changed: the next transaction should not wait for records, since a life began or an
 * operator went. Errors: as mr_table_open's. */
enum mr_status mr_state_begin(struct mr_state *state, bool *changed,
                              struct mr_error *error) MR_NODISCARD;
enum mr_beginning {
    MR_BEGINNING_NONE, /* its tables are as they were stored */
    MR_BEGINNING_NEW,  /* it has never had any here */
    MR_BEGINNING_AGAIN /* they hold nothing any more */
};
/* How the operator began with mr_state_begin. Any thread, afterwards. */
enum mr_beginning mr_state_beginning(const struct mr_state *state, const char *operator_name);

/* ---- Tables ---- */

enum mr_on_full { MR_ON_FULL_EVICT_OLDEST, MR_ON_FULL_FAIL };

struct mr_table_spec {
    const char *operator_name;
    const char *name;
    uint32_t version;   /* of the stored layout */
    size_t object_size; /* of the struct in the cache; zeroed when a key is new */
    /* Write the object's stored bytes (without slots) to output (room for encoded_size_max). */
    size_t (*encode)(const void *object, uint8_t *output);
    size_t encoded_size_max; /* <= MR_LIMIT_STATE_SLOT_BYTES */
    /* Read stored bytes of `version` (<= the current). false: corrupt. */
    bool (*decode)(void *object, uint32_t version, struct mr_slice stored);
    uint32_t slot_bytes; /* 0: no slots */
    uint32_t slots_max;
    /* Bounds (common option `state:`); 0 = none. Time is the record's event time, in ms. */
    int64_t ttl_ms;
    int64_t keys_max;
    int64_t bytes_max;
    enum mr_on_full on_full;
    /* The operator says when each object is due (mr_table_schedule): no ttl then, event times are
     * not kept, and evict_oldest drops the key with the earliest due time. Objects stored before
     * the table was timed count as due at the time they had, at once without one. */
    bool timed;
    /* mr_table_scan and mr_table_remove_range are allowed: the keys that the two transactions in
     * flight changed are kept in order (32 bytes beside each key). */
    bool scanned;
};

/* Owner: state. spec's names are copied. Call before restore starts. Errors: MR_INVALID for an id
 * collision or a spec beyond the limits; MR_VERSION when the stored layout is newer than spec. */
enum mr_status mr_table_open(struct mr_state *state, const struct mr_table_spec *spec,
                             struct mr_table **table, struct mr_error *error) MR_NODISCARD;

/* The object of key: found in the layers, or new (zeroed) with *created set. hash is
 * mr_hash64(key). The pointer is valid until the next mr_table call on the same state. A new object
 * that is not made dirty does not exist. event_time_ms drives ttl and eviction order (not of timed
 * tables): it becomes the object's time with the next mr_table_dirty (times never go back). A key
 * whose ttl ended is new again. When the table is full the oldest keys are dropped (at most 64 in
 * one call: the rest in the next ones) or, with MR_ON_FULL_FAIL, the call fails with MR_LIMIT.
 * Errors: MR_LIMIT; MR_IO, MR_CORRUPT of the store; MR_INVALID for a key above MR_LIMIT_KEY_BYTES;
 * MR_VERSION for an object newer than spec. */
enum mr_status mr_table_get(struct mr_table *table, struct mr_slice key, uint64_t hash,
                            int64_t event_time_ms, void **object, bool *created,
                            struct mr_error *error) MR_NODISCARD;
/* Ask the processor for the memory of keys that are got soon: called in a loop over hashes[count]
 * before the get of hashes[position]. Changes nothing. */
void mr_table_prefetch(const struct mr_table *table, const uint64_t *hashes, uint32_t hashes_count,
                       uint32_t position);
/* As mr_table_get, but a missing key is MR_NOT_FOUND and nothing is created. The object's time
 * stays. */
enum mr_status mr_table_find(struct mr_table *table, struct mr_slice key, uint64_t hash,
                             void **object, struct mr_error *error) MR_NODISCARD;
/* The object changed: it is part of the transaction. object is the last one handed out. */
void mr_table_dirty(struct mr_table *table, void *object);
/* A slot of the last object handed out: slot_bytes bytes, zeroed when new. `write` marks it, and
 * the object, dirty. Valid until the next mr_table_get or find; further slots of the same object
 * stay valid. Slots are counted up to the highest one written: write them from 0. */
enum mr_status mr_table_slot(struct mr_table *table, void *object, uint32_t slot_index, bool write,
                             void **slot, struct mr_error *error) MR_NODISCARD;
/* Forget a key with its slots. A key that is not there is fine. */
enum mr_status mr_table_remove(struct mr_table *table, struct mr_slice key, uint64_t hash,
                               struct mr_error *error) MR_NODISCARD;
/* Drop what the ttl ended: called as the watermark advances. At most 8192 keys per call; a key that
 * has ended and is not yet dropped is already new to mr_table_get. Keys stored before the table had
 * a ttl count from the first watermark after that. */
enum mr_status mr_table_expire(struct mr_table *table, int64_t watermark_ms,
                               struct mr_error *error) MR_NODISCARD;

/* ---- Timed tables ---- */

/* Set when an object of a timed table is due, earlier or later than before, and make it dirty.
 * object is the last one handed out; due_ms > INT64_MIN; INT64_MAX is found by a call with until_ms
 * INT64_MAX only. A new object must be scheduled before the next call on the state. */
void mr_table_schedule(struct mr_table *table, void *object, int64_t due_ms);
/* The object with the least (due time, key) where due time <= until_ms, over all layers. *found:
 * there is one; then it is the last object handed out, as by mr_table_get, and *key and *hash are
 * valid as long as it. It stays due: the caller reschedules it beyond until_ms, or removes it, or
 * finds it again. Cost of a call: a heap's and, for an object that is not cached, a read of the
 * store. Errors: as mr_table_find. */
enum mr_status mr_table_next_due(struct mr_table *table, int64_t until_ms, struct mr_slice *key,
                                 uint64_t *hash, void **object, bool *found,
                                 struct mr_error *error) MR_NODISCARD;

/* At most some thousand objects of the store (MR_ORDER_WINDOW_NODES) are due up to *until_ms;
 * INT64_MAX: in all. Objects that the two transactions in flight have changed are not counted. An
 * answer below wanted_ms is the highest that is known without reading more than as many order keys.
 * Errors: as mr_table_find. */
enum mr_status mr_table_due_horizon(struct mr_table *table, int64_t wanted_ms, int64_t *until_ms,
                                    struct mr_error *error) MR_NODISCARD;

/* ---- Scanned tables ---- */

/* Visit the live objects with first <= key < end in memcmp order, over all layers; an end of size 0
 * is behind the last key. visit returns false to stop. key and object are valid, and not to be
 * changed, until it returns; it makes no call on the state: keys are collected and changed
 * afterwards. Objects are not brought into the cache. Cost: a store iterator per call, then a step
 * per key; keys removed lately cost a step too, so begin behind what is known to be gone. Errors:
 * MR_IO, MR_CORRUPT of the store; MR_INVALID for an end above MR_LIMIT_KEY_BYTES; MR_VERSION. */
enum mr_status mr_table_scan(struct mr_table *table, struct mr_slice first, struct mr_slice end,
                             bool (*visit)(void *argument, struct mr_slice key, void *object),
                             void *argument, struct mr_error *error) MR_NODISCARD;
/* Forget the keys from first to end (as above) with their slots: at most 8192 in one call. *rest is
 * the first key that is left, valid until the next removal, or data NULL when none is: go on from
 * there, in this transaction or in a later one. Nothing is read but the range itself, so that it
 * costs less than removing its keys one by one; from 64 keys on the store deletes them as one range
 * (slots and order keys one by one), which also frees the disk sooner. */
enum mr_status mr_table_remove_range(struct mr_table *table, struct mr_slice first,
                                     struct mr_slice end, struct mr_slice *rest,
                                     struct mr_error *error) MR_NODISCARD;

/* ---- Transactions ---- */

struct mr_state_change {
    struct mr_slice key;   /* stored key: also the changelog record's key */
    struct mr_slice value; /* with tombstone: empty */
    bool tombstone;
};

struct mr_sealed; /* one sealed transaction: immutable until applied */

/* End the open transaction: serialise what changed. At most one sealed transaction exists; sealing
 * while one is not yet applied is a broken contract. *changes stay valid until the seal is applied
 * or the state is closed. */
enum mr_status mr_state_seal(struct mr_state *state, struct mr_sealed **sealed,
                             const struct mr_state_change **changes, size_t *changes_count,
                             struct mr_error *error) MR_NODISCARD;
/* After the Kafka commit: write the sealed transaction and the changelog offset behind the
 * transaction's last record, in one batch. Committer thread. Flushes by the 16 MB/30 s rule.
 * changelog_bytes: what the transaction added to the changelog. MR_IO (a full disk): the state must
 * be closed; opened anew it is as of an earlier transaction. */
enum mr_status mr_state_apply_sealed(struct mr_state *state, struct mr_sealed *sealed,
                                     int64_t changelog_offset, int64_t changelog_bytes,
                                     int64_t now_wall_ms, struct mr_error *error) MR_NODISCARD;
/* Nothing is being applied, perhaps for long: flush by the same rule, so that what the last
 * transactions have deleted leaves the disk also when none follows. Does not wait for the disk.
 * Errors: as above. */
enum mr_status mr_state_rest(struct mr_state *state, int64_t now_wall_ms,
                             struct mr_error *error) MR_NODISCARD;
/* The task thread has seen that the sealed transaction is applied: drop its overlay. */
void mr_state_release_sealed(struct mr_state *state, struct mr_sealed *sealed);

/* Bytes of dirty objects, overlay and the order of what changed so far: the worker seals early when
 * it is large. */
uint64_t mr_state_dirty_bytes(const struct mr_state *state);

/* ---- Restore ---- */

/* One changelog record that is not progress; buffered until mr_state_restore_commit. */
enum mr_status mr_state_restore_record(struct mr_state *state, struct mr_slice key,
                                       struct mr_slice value, bool tombstone,
                                       struct mr_error *error) MR_NODISCARD;
/* A progress record was read: everything before it is applied in one batch with the offset behind
 * it. The restore may gather several transactions into one batch of at most 8 MB. */
enum mr_status mr_state_restore_commit(struct mr_state *state, int64_t changelog_offset,
                                       int64_t now_wall_ms, struct mr_error *error) MR_NODISCARD;
/* The changelog's end is reached: records behind the last progress record are dropped, the rest is
 * written. Must be called before the first mr_table_get of a state that was not empty; a standby
 * calls it each time it reaches the end. Only then does the state count as current at now_wall_ms:
 * a restore that is interrupted keeps the earlier time, or tombstones could be missed
 * (tombstone_margin_ms). */
enum mr_status mr_state_restore_finish(struct mr_state *state, struct mr_error *error) MR_NODISCARD;
/* A restore that stops before the changelog's end, to go on when the state is opened again: what is
 * gathered is written, records behind the last progress record are dropped, and the state keeps the
 * earlier time. It may be closed, or restored further. */
enum mr_status mr_state_restore_interrupt(struct mr_state *state,
                                          struct mr_error *error) MR_NODISCARD;

/* ---- Reading and metrics ---- */

struct mr_state_statistics {
    struct mr_store_statistics store;
    uint64_t cache_objects;
    uint64_t cache_bytes;
    uint64_t cache_hits;
    uint64_t cache_misses;
};
void mr_state_statistics(const struct mr_state *state, struct mr_state_statistics *statistics);

/* Keys counted exactly in this table (maintained in the state, logged with it; a table without keys
 * and watermark leaves no record). */
int64_t mr_table_keys(const struct mr_table *table);

/* Visit all stored pairs (committed state) that are also in the changelog, in key order: dumps,
 * tests and queries. */
enum mr_status mr_state_visit(struct mr_state *state,
                              bool (*visit)(void *argument, struct mr_slice key,
                                            struct mr_slice value),
                              void *argument, struct mr_error *error) MR_NODISCARD;

/* ---- Queries: any thread, while the state is open ---- */

/* What is stored of one key; for visit, which may be called again when a commit came between. */
struct mr_state_object {
    uint32_t version;        /* of the operator's encoding */
    int64_t event_time_ms;   /* INT64_MIN: the table has no bounds, or is timed */
    int64_t due_ms;          /* INT64_MIN: the table is not timed */
    uint32_t slots_count;    /* written, counted to the highest one */
    struct mr_slice encoded; /* as the table's `encode` wrote it */
    /* For mr_state_query_slot. */
    const struct mr_state *state;
    struct mr_arena *arena;
    uint32_t table_id;
    struct mr_slice key;
};

struct mr_state_query {
    const char *operator_name;
    const char *table_name;
    struct mr_slice key;
    enum mr_status (*visit)(void *argument, const struct mr_state_object *object,
                            struct mr_error *error);
    void *argument;
};

/* Read a key as the last commit that was applied left it, object and slots of one transaction;
 * changelog_offset is the one behind that transaction. What is read lives in arena. Returns what
 * visit returned; MR_NOT_FOUND; MR_INVALID for a key that is too long; MR_TIMEOUT when commits
 * never paused; MR_IO, MR_CORRUPT. The caller sees to it that the state is not closed meanwhile. */
enum mr_status mr_state_query(const struct mr_state *state, const struct mr_state_query *query,
                              struct mr_arena *arena, int64_t *changelog_offset,
                              struct mr_error *error) MR_NODISCARD;
/* A slot's bytes. MR_NOT_FOUND: it was never written. */
enum mr_status mr_state_query_slot(const struct mr_state_object *object, uint32_t slot_index,
                                   struct mr_slice *bytes, struct mr_error *error) MR_NODISCARD;

/* For visit: the stored objects of another table of the operator that is queried, first <= key <
 * end in memcmp order; an end of size 0 is behind the last key. each returns false to stop; it
 * makes no call on the state, and gets slices that live until it returns. Errors: MR_INVALID for a
 * key that is too long; MR_IO, MR_CORRUPT. */
struct mr_state_query_range {
    const char *operator_name;
    const char *table_name;
    struct mr_slice first;
    struct mr_slice end;
    bool (*each)(void *argument, const struct mr_state_object *object);
    void *argument;
};
enum mr_status mr_state_query_range(const struct mr_state_object *object,
                                    const struct mr_state_query_range *range,
                                    struct mr_error *error) MR_NODISCARD;

/* Changelog key of the progress record: four zero bytes and "progress". */
extern const struct mr_slice MR_STATE_PROGRESS_KEY;

#endif
