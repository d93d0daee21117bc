/* tests/support/state_fixture.h — a task's state with a temporary folder and a changelog in memory.
 * Model: the changelog keeps every record of every transaction that was "committed to Kafka", with
 * offsets that have gaps, as control records make them. */
#ifndef MR_TESTS_SUPPORT_STATE_FIXTURE_H
#define MR_TESTS_SUPPORT_STATE_FIXTURE_H

#include "base/arena.h"
#include "state/state.h"

struct fixture_record {
    int64_t offset;
    struct mr_slice key;
    struct mr_slice value;
    bool tombstone;
    bool progress;
};

struct state_fixture {
    struct mr_state_open open;
    struct mr_state *state;
    struct mr_state_opened opened;
    struct mr_error error;
    char directory[64];
    struct mr_arena arena; /* of the changelog */
    struct fixture_record *log;
    size_t log_count;
    size_t log_capacity;
    int64_t next_offset;
    int64_t now_ms;
    struct mr_sealed *sealed;
    int64_t sealed_offset;
    int64_t sealed_bytes;
};

/* The fixture's own table type: a counter and a sum, 16 stored bytes. */
struct fixture_object {
    int64_t count;
    double sum;
};

void fixture_init(struct state_fixture *fixture, const struct mr_store_ops *ops,
                  uint64_t cache_bytes);
void fixture_deinit(struct state_fixture *fixture);
/* Open the state; asserts success. Tables and fixture_restore follow. */
void fixture_open(struct state_fixture *fixture);
void fixture_close(struct state_fixture *fixture);
struct mr_table_spec fixture_spec(const char *operator_name);
struct mr_table *fixture_table(struct state_fixture *fixture, const struct mr_table_spec *spec);
/* Replay the changelog from the opened offset and finish. Returns the records replayed. */
size_t fixture_restore(struct state_fixture *fixture);

/* Seal; with `logged` the transaction is also appended to the changelog. */
void fixture_seal(struct state_fixture *fixture, bool logged);
/* Apply and release what is sealed. */
void fixture_apply(struct state_fixture *fixture);
void fixture_commit(struct state_fixture *fixture); /* seal, log, apply, release */

/* Add amount to a key's object; returns whether it was new. */
bool fixture_add(struct state_fixture *fixture, struct mr_table *table, struct mr_slice key,
                 int64_t time_ms, double amount);
/* The object of key, or NULL. */
const struct fixture_object *fixture_find(struct state_fixture *fixture, struct mr_table *table,
                                          struct mr_slice key);

/* The last value of each key of the changelog, sorted: what the store must hold. */
struct fixture_map {
    struct fixture_record *items;
    size_t count;
    size_t capacity;
};
void fixture_fold(const struct state_fixture *fixture, struct fixture_map *map);
void fixture_map_set(struct fixture_map *map, struct mr_slice key, struct mr_slice value);
void fixture_map_remove(struct fixture_map *map, struct mr_slice key);
void fixture_map_deinit(struct fixture_map *map);
/* Asserts that the store holds exactly map. */
void fixture_assert_dump(struct state_fixture *fixture, const struct fixture_map *map);

/* Golden bytes: line `name HEX` of tests/golden/state/<file>.hex. Asserts that they equal bytes. */
void fixture_assert_golden(const char *file, const char *name, struct mr_slice bytes);

/* Remove a folder of files. */
void fixture_remove_folder(const char *directory);

#endif
