/* operators/join_rows.h — rows of two sides that wait for partners, by key and event time.
 * Why: a join looks for rows of the other side with the same key within a time. Rows of a key come
 * and go together, so they are kept in pages of some rows: one stored object, one due time and one
 * deletion for several rows. Finding by a scan asks the store, so each key also has an object with
 * the numbers of its rows and, while they are few, its pages: most keys are answered from the
 * cache.
 * Model: a row is (side, key, event time, number). A page holds rows of one side and key whose
 * times lie between two multiples of the side's width; rows are added to the newest page of their
 * times. Numbers are the page's number and the place in it: unique, and of the rows of one key and
 * time the later ones have higher ones. A row is due when no partner can come any more. Rows of a
 * quiet side leave untold, a page at once when its last row is due: nothing is read for them.
 * Limits: MR_JOIN_KEY_BYTES_MAX per key; rows of at most MR_LIMIT_ROW_BYTES; MR_JOIN_PAGE_ROWS rows
 * in a page's life. Threads: the task's.
 *
 * Stored, version 1 (integers little-endian where nothing else is said):
 *   table "keys", by user key
 *     per side  uint32 rows, uint32 pages, uint8 listed pages (the newest, at most
 *               MR_JOIN_LISTED_MAX)
 *     for each side, per listed page, oldest first: int64 begin of its times, uint64 number
 *   table "rows", by side (1 byte), size of the user key (2, big-endian), user key, begin of the
 *   page's times (order key, 8) and page's number (8, big-endian)
 *     0   uint8   rows it ever had
 *     1   per row: int64 event time, int64 due time, uint32 size, uint8 place in the page, uint8 1:
 *         it has found a partner; and as many of its bytes as an empty page has room for. The rest
 *         is in slots of MR_JOIN_SLOT_BYTES: at most one row of a page has any.
 *   table "task", one object with the empty key
 *     0   uint64  number of the next page
 *     8   2 x int64  width of each side's pages: others are refused */
#ifndef MR_OPERATORS_JOIN_ROWS_H
#define MR_OPERATORS_JOIN_ROWS_H

#include "operators/join_page.h"
#include "state/state.h"

enum {
    MR_JOIN_SIDES = 2,
    MR_JOIN_LISTED_MAX = 8,
    MR_JOIN_SLOT_BYTES = 512,
    MR_JOIN_FRAME_BYTES = 19, /* of a page's key beside the user key */
    MR_JOIN_KEY_BYTES_MAX = MR_LIMIT_KEY_BYTES - MR_JOIN_FRAME_BYTES,
    MR_JOIN_KEYS_BYTES_MAX = MR_JOIN_SIDES * (9 + MR_JOIN_LISTED_MAX * 16)
};

struct mr_join_rows_spec {
    int64_t keys_max;                /* a key beyond it fails the call that adds it; 0: none */
    bool small_pages;                /* MR_JOIN_PAGE_SMALL */
    int64_t width_ms[MR_JOIN_SIDES]; /* of a page's times; > 0 */
    bool quiet[MR_JOIN_SIDES];       /* mr_join_rows_due does not tell of the side's rows */
};

struct mr_join_rows {
    struct mr_join_rows_spec spec;
    uint32_t page_bytes;
    struct mr_table *keys;
    struct mr_table *rows;
    struct mr_table *task;
    uint64_t next_number; /* of a page */
    bool number_known;    /* what the task knows is read */
    bool number_changed;
    uint8_t first[MR_LIMIT_KEY_BYTES]; /* a page's key, or the beginning of a range */
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

/* Open the tables of an operator. Rows that were kept with other widths are refused, MR_VERSION, by
 * the first call that looks for some. */
enum mr_status mr_join_rows_open(struct mr_join_rows *rows, struct mr_state *state,
                                 const char *operator_name, const struct mr_join_rows_spec *spec,
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
/* The row that is due first, by until_ms at the latest; or row->side is MR_JOIN_SIDES: a page of a
 * quiet side was due and is gone; or *any is false. */
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
