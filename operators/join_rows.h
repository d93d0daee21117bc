/* operators/join_rows.h — rows of two sides that wait for partners, by key and event time.
 * Why: a join looks for rows of the other side with the same key within a time. One stored object
 * per row is logged once, forgotten when it is due, and found by a scan of its key's times; but a
 * scan asks the store. So each key also has an object with the number of its rows, and their times
 * while they are few: most keys have none or one, and are answered from the cache.
 * Model: a row is (side, key, event time, number); numbers count the task's rows, so that they are
 * unique and later rows have higher ones. A row is due when no partner can come any more.
 * Limits: MR_JOIN_KEY_BYTES_MAX per key; rows of at most MR_LIMIT_ROW_BYTES. Threads: the task's.
 *
 * Stored, version 1 (integers little-endian where nothing else is said):
 *   table "keys", by user key
 *     0   2 x uint32  rows of each side
 *     8   for each side with 1 to MR_JOIN_LISTED_MAX rows: per row, in order, int64 event time in
 *         ms and uint64 number
 *   table "rows", by side (1 byte), size of the user key (2, big-endian), user key, event time
 *   (order key, 8) and number (8, big-endian)
 *     0   uint8   1: it has found a partner
 *     1   uint32  size of the row
 *     5   the row's first MR_JOIN_INLINE_BYTES; the rest in slots of MR_JOIN_SLOT_BYTES
 *   table "task", one object with the empty key
 *     0   uint64  number of the next row */
#ifndef MR_OPERATORS_JOIN_ROWS_H
#define MR_OPERATORS_JOIN_ROWS_H

#include "base/limits.h"
#include "state/state.h"

enum {
    MR_JOIN_VERSION = 1,
    MR_JOIN_SIDES = 2,
    MR_JOIN_LISTED_MAX = 8,
    MR_JOIN_INLINE_BYTES = 240,
    MR_JOIN_SLOT_BYTES = 512,
    MR_JOIN_FRAME_BYTES = 19, /* of a row's key beside the user key */
    MR_JOIN_KEY_BYTES_MAX = MR_LIMIT_KEY_BYTES - MR_JOIN_FRAME_BYTES,
    MR_JOIN_KEYS_BYTES_MAX = 8 + MR_JOIN_SIDES * MR_JOIN_LISTED_MAX * 16,
    MR_JOIN_ROWS_BYTES_MAX = 5 + MR_JOIN_INLINE_BYTES
};

struct mr_join_rows {
    struct mr_table *keys;
    struct mr_table *rows;
    struct mr_table *task;
    uint64_t next_number;
    bool number_known;
    bool number_changed;
    uint8_t first[MR_LIMIT_KEY_BYTES]; /* a row's key, or the beginning of a range */
    uint8_t end[MR_LIMIT_KEY_BYTES];
};

/* A row that was found. Owner: the arena of the call. */
struct mr_join_row {
    uint32_t side;
    struct mr_slice key;
    int64_t time_ms;
    uint64_t number;
    bool matched;
    struct mr_slice bytes;
};

struct mr_join_found {
    struct mr_join_row *items;
    uint32_t count;
    uint32_t capacity;
};

/* Open the tables of an operator. keys_max: a key beyond it fails the call that adds it; 0: none.
 */
enum mr_status mr_join_rows_open(struct mr_join_rows *rows, struct mr_state *state,
                                 const char *operator_name, int64_t keys_max,
                                 struct mr_error *error) MR_NODISCARD;
/* Rows of a side of the key. hash is mr_hash64(key), here and below. */
enum mr_status mr_join_rows_count(struct mr_join_rows *rows, struct mr_slice key, uint64_t hash,
                                  uint32_t side, uint32_t *count,
                                  struct mr_error *error) MR_NODISCARD;
/* Rows of a side of the key with first_ms <= time <= last_ms, in the order of time and number,
 * replace what is in found (zeroed before its first use); key is not copied. */
enum mr_status mr_join_rows_find(struct mr_join_rows *rows, struct mr_slice key, uint64_t hash,
                                 uint32_t side, int64_t first_ms, int64_t last_ms,
                                 struct mr_arena *arena, struct mr_join_found *found,
                                 struct mr_error *error) MR_NODISCARD;
/* The last row of a side of the key in the order of time and number, with time <= until_ms; or else
 * *any is false. */
enum mr_status mr_join_rows_latest(struct mr_join_rows *rows, struct mr_slice key, uint64_t hash,
                                   uint32_t side, int64_t until_ms, struct mr_arena *arena,
                                   struct mr_join_row *row, bool *any,
                                   struct mr_error *error) MR_NODISCARD;
/* Keep a row until due_ms. row: side, key, time_ms, matched and bytes; number is set. */
enum mr_status mr_join_rows_add(struct mr_join_rows *rows, struct mr_join_row *row, uint64_t hash,
                                int64_t due_ms, struct mr_error *error) MR_NODISCARD;
/* Note that a row that is kept has found a partner. */
enum mr_status mr_join_rows_match(struct mr_join_rows *rows, const struct mr_join_row *row,
                                  struct mr_error *error) MR_NODISCARD;
/* Keep a row that is kept until another time. */
enum mr_status mr_join_rows_schedule(struct mr_join_rows *rows, const struct mr_join_row *row,
                                     int64_t due_ms, struct mr_error *error) MR_NODISCARD;
/* The row that is due first, by until_ms at the latest; or else *any is false. */
enum mr_status mr_join_rows_due(struct mr_join_rows *rows, int64_t until_ms, struct mr_arena *arena,
                                struct mr_join_row *row, bool *any,
                                struct mr_error *error) MR_NODISCARD;
/* The earliest row of a side of the key. Pre: there is one. */
enum mr_status mr_join_rows_earliest(struct mr_join_rows *rows, struct mr_slice key, uint64_t hash,
                                     uint32_t side, struct mr_arena *arena, struct mr_join_row *row,
                                     struct mr_error *error) MR_NODISCARD;
enum mr_status mr_join_rows_remove(struct mr_join_rows *rows, const struct mr_join_row *row,
                                   struct mr_error *error) MR_NODISCARD;
/* Write down the next number: at the end of a call that added rows. */
enum mr_status mr_join_rows_settle(struct mr_join_rows *rows, struct mr_error *error) MR_NODISCARD;
/* How many rows of each side a stored object of "keys" counts. False: it is none. */
bool mr_join_rows_counts(uint32_t version, struct mr_slice encoded, uint32_t counts[MR_JOIN_SIDES]);

#endif
