/* state/internal.h — what the files of this folder share about a state and its tables.
 * Threads: `committer` members belong to the thread that applies; all others to the task thread. A
 * sealed transaction is read by both and changed by neither until it is released. */
#ifndef MR_STATE_INTERNAL_H
#define MR_STATE_INTERNAL_H

#include <stdalign.h>

#include "state/cache.h"
#include "state/key_codec.h"
#include "state/key_set.h"
#include "state/order.h"
#include "state/overlay.h"
#include "state/state.h"
#include "state/stored_value.h"

enum {
    MR_STATE_TABLES_MAX = 1024,
    MR_STATE_EVICT_PER_CALL = 64,    /* keys dropped by one mr_table_get */
    MR_STATE_EXPIRE_PER_CALL = 8192, /* two batches' worth of new keys */
    MR_STATE_FLUSH_BYTES = 16 << 20, /* DESIGN 4, rule 4 */
    MR_STATE_FLUSH_MS = 30000,
    MR_STATE_OBJECT_BYTES_MAX = MR_STORED_OBJECT_HEAD_MAX + MR_LIMIT_STATE_SLOT_BYTES
};

struct mr_sealed {
    struct mr_overlay overlay;
    struct mr_state_change *changes;
    size_t changes_count;
    size_t changes_capacity;
    bool applied;
};

/* What a table that is scanned has more than others. */
struct mr_scanning {
    struct mr_key_set active; /* keys that the open transaction changed or removed */
    struct mr_key_set sealed; /* the same of the sealed one */
    size_t rest_size;
    uint8_t rest[MR_LIMIT_KEY_BYTES]; /* where a removal goes on */
    uint8_t first[MR_KEY_BYTES_MAX];  /* stored keys of the range in hand */
    uint8_t end[MR_KEY_BYTES_MAX];
    alignas(16) uint8_t object[]; /* decoded for a visit: object_size bytes */
};

struct mr_table {
    struct mr_state *state;
    struct mr_table_spec spec;
    char operator_name[MR_LIMIT_NAME_BYTES + 1];
    char name[MR_LIMIT_NAME_BYTES + 1];
    uint32_t id;
    uint64_t salt;           /* mixed into the hash of a key */
    bool ordered;            /* its keys carry times and order keys */
    bool dated;              /* ordered, and the times are those of events */
    bool order_stored;       /* the store's order keys are complete */
    bool local_stored;       /* the store holds the table's local record */
    int64_t ended_before_ms; /* a key with an earlier time has ended */
    struct mr_stored_table counts;
    struct mr_stored_table logged; /* counts as last sealed */
    struct mr_order order;
    struct mr_scanning *scanning; /* NULL: not scanned */
};

/* An operator that was declared. */
struct mr_life {
    char name[MR_LIMIT_NAME_BYTES + 1];
    uint64_t meaning;             /* as declared */
    struct mr_stored_life stored; /* as the store has it; number 0 where it has nothing */
    bool known;                   /* the store has it */
    enum mr_beginning beginning;
    uint32_t number; /* its tables are those of this life */
};

struct mr_restore_record {
    struct mr_slice key;
    struct mr_slice value;
    bool tombstone;
};

struct mr_restore {
    struct mr_overlay gathered; /* of whole transactions; also memory of the pending records */
    struct mr_restore_record *pending; /* of the transaction whose progress was not read yet */
    size_t pending_count;
    size_t pending_capacity;
    uint64_t pending_bytes;
    int64_t offset;        /* behind what is gathered */
    int64_t last_wall_ms;  /* of the last mr_state_restore_commit */
    struct mr_arena arena; /* order keys and old values of one batch */
};

struct mr_state {
    const struct mr_store_ops *ops;
    void *store;
    struct mr_state_identity identity;
    struct mr_cache cache;
    uint64_t cache_hits;
    uint64_t cache_misses;
    struct mr_sealed generations[2];
    struct mr_sealed *active;
    struct mr_sealed *sealed; /* NULL: none */
    struct mr_table **tables;
    uint32_t tables_count;
    struct mr_life *lives;
    uint32_t lives_count;
    struct { /* what earlier lives have left */
        bool wanted;
        uint8_t next[MR_KEY_BYTES_MAX + 1]; /* where the search goes on */
        size_t next_size;
    } leftovers;
    struct mr_cache_entry *unsettled; /* changed object whose bytes are not counted yet */
    uint64_t dirty_bytes;
    bool empty; /* the store held nothing at open, and nothing was restored */
    bool ready; /* restored: tables may be read */
    struct mr_restore restore;
    struct mr_arena read_arena;
    uint8_t key_scratch[MR_KEY_BYTES_MAX];
    uint8_t value_scratch[MR_STATE_OBJECT_BYTES_MAX];
    struct {
        struct mr_store_write *writes;
        size_t writes_count;
        size_t writes_capacity;
        const struct mr_overlay_record **sorted;
        size_t sorted_capacity;
        uint8_t state_key[MR_KEY_HEAD_BYTES];
        uint8_t state_value[MR_STORED_STATE_MAX];
        int64_t wall_ms;           /* as stored */
        int64_t bytes_since_flush; /* of the changelog */
        int64_t flushed_wall_ms;
    } committer;
};

/* What the layers in memory say about a key's object. */
struct mr_presence {
    bool known; /* false: only the store can tell */
    bool exists;
    struct mr_cache_entry *entry; /* NULL: not cached */
    int64_t time_ms;
    int64_t indexed_ms; /* the order key below, MR_TIME_NONE with below */
    bool below;         /* a layer below the cache has the object */
    uint32_t slots_count;
    uint32_t bytes;
};

static inline bool mr_table_has_ended(const struct mr_table *table, int64_t time_ms)
{
    return time_ms != MR_TIME_NONE && time_ms < table->ended_before_ms;
}

/* ---- state.c ---- */

struct mr_table *mr_state_table(const struct mr_state *state, uint32_t table_id);
/* Take the next place in the batch that is being built. */
struct mr_store_write *mr_state_add_write(struct mr_state *state);
void mr_state_add_record(struct mr_state *state, const struct mr_overlay_record *record);
/* An overlay's records in the order of their keys: neighbours in a batch become neighbours in the
 * store, which saves cache misses. Valid until the next call. */
const struct mr_overlay_record **mr_state_sort_overlay(struct mr_state *state,
                                                       const struct mr_overlay *overlay);
/* Write the batch with the state's own record in it, and flush by the rule. */
enum mr_status mr_state_write_batch(struct mr_state *state, int64_t changelog_offset,
                                    int64_t changelog_bytes, int64_t wall_ms, int64_t now_wall_ms,
                                    struct mr_error *error) MR_NODISCARD;

/* ---- table.c ---- */

/* Read the table's own records from the store. */
enum mr_status mr_table_load(struct mr_table *table, struct mr_error *error) MR_NODISCARD;
void mr_table_destroy(struct mr_table *table);
/* MR_INVALID: another table has it. */
enum mr_status mr_table_set_id(struct mr_table *table, uint32_t id,
                               struct mr_error *error) MR_NODISCARD;
void mr_table_set_watermark(struct mr_table *table, int64_t watermark_ms);
/* Serialise a dirty entry into the active overlay and take it off the dirty list. */
void mr_table_write_back(struct mr_state *state, struct mr_cache_entry *entry);
void mr_table_evict(void *state, struct mr_cache_entry *entry);
struct mr_presence mr_table_presence(struct mr_table *table, struct mr_slice key, uint64_t hash);
/* What the overlays say about a key's object, newest first, or NULL. */
const struct mr_overlay_record *mr_table_overlay_record(struct mr_table *table,
                                                        struct mr_slice key);
/* The presence of an object of which a layer below the cache holds these bytes. */
struct mr_presence mr_table_stored_presence(const struct mr_table *table, size_t key_size,
                                            size_t value_size,
                                            const struct mr_stored_object *object);
/* Read an object's stored bytes: head and version, then the operator's encoding into a zeroed
 * payload. MR_CORRUPT, MR_VERSION. */
enum mr_status mr_table_parse(const struct mr_table *table, struct mr_slice value,
                              struct mr_stored_object *object, struct mr_error *error) MR_NODISCARD;
enum mr_status mr_table_decode(const struct mr_table *table, void *payload,
                               const struct mr_stored_object *object,
                               struct mr_error *error) MR_NODISCARD;
/* Forget a key that exists. */
void mr_table_drop(struct mr_table *table, struct mr_slice key, uint64_t hash,
                   const struct mr_presence *presence);
/* Bring the object of a key that exists into the cache; *entry is NULL when it does not. */
enum mr_status mr_table_fetch(struct mr_table *table, struct mr_slice key, uint64_t hash,
                              struct mr_cache_entry **entry, struct mr_error *error) MR_NODISCARD;
/* Count the bytes of an object whose encoding has value_size bytes with its head. */
void mr_table_count_bytes(struct mr_table *table, struct mr_cache_entry *entry, size_t value_size);
/* The object's stored value in state->value_scratch. */
struct mr_slice mr_table_encode(struct mr_state *state, const struct mr_cache_entry *entry);

/* ---- expiry.c ---- */

/* Count the object changed last and drop what exceeds bytes_max. */
enum mr_status mr_table_settle(struct mr_state *state, struct mr_error *error) MR_NODISCARD;
/* Before a key is created: drop the oldest, or fail, when the table is full. */
enum mr_status mr_table_make_room(struct mr_table *table, struct mr_error *error) MR_NODISCARD;

/* ---- life.c ---- */

/* Read the lives from the store and give the tables that are open the ids of theirs. */
enum mr_status mr_lives_load(struct mr_state *state, struct mr_error *error) MR_NODISCARD;
/* The life of an operator that was declared; NULL. */
struct mr_life *mr_life_find(const struct mr_state *state, const char *operator_name);
/* Forget some of what earlier lives have left, in the open transaction. */
enum mr_status mr_lives_clear(struct mr_state *state, struct mr_error *error) MR_NODISCARD;

/* ---- restore.c ---- */

/* After a restore, and where a table has got another id: its records, and its order keys where the
 * store's are not complete. */
enum mr_status mr_restore_table(struct mr_table *table, struct mr_error *error) MR_NODISCARD;

void mr_restore_init(struct mr_restore *restore);
void mr_restore_deinit(struct mr_restore *restore);

#endif
