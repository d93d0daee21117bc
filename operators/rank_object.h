/* operators/rank_object.h — the best rows of a key, in order: what `rank` keeps of them beside the
 * rows' own bytes.
 * Model: entries are in rank order, the best first. Each names the place of its row: row bytes are
 * in pieces of MR_RANK_PIECE_BYTES, piece p of the row at place i is slot p * capacity + i.
 * Stored object, version 1 (little-endian):
 *   0  int64   until in ms; INT64_MIN: none
 *   8  uint16  entries
 *  10  uint8   values per entry
 *  11  per entry: uint16 place, uint32 bytes of the row, per value uint8 kind, uint64 bits
 * Limits: MR_RANK_ROWS_MAX entries of MR_RANK_ORDERS_MAX values. */
#ifndef MR_OPERATORS_RANK_OBJECT_H
#define MR_OPERATORS_RANK_OBJECT_H

#include "base/slice.h"
#include "record/value.h"

enum {
    MR_RANK_VERSION = 1,
    MR_RANK_ROWS_MAX = 64,
    MR_RANK_FEW = 16, /* capacities: 1, this, all */
    MR_RANK_ORDERS_MAX = 4,
    MR_RANK_PIECE_BYTES = 512,
    MR_RANK_PIECES_MAX = 128, /* a row has at most 64 KiB */
    MR_RANK_HEAD_BYTES = 11,
    MR_RANK_ENTRY_BYTES = 6 + 9 * MR_RANK_ORDERS_MAX
};

/* What rows are ordered by: a number, kept exactly. */
struct mr_rank_value {
    uint8_t kind; /* INT, UINT or DOUBLE */
    uint64_t bits;
};

struct mr_rank_entry {
    uint32_t size; /* of the row's bytes */
    uint32_t place;
    struct mr_rank_value values[MR_RANK_ORDERS_MAX];
};

struct mr_rank_object {
    int64_t until_ms;
    uint32_t count;
    uint32_t values_count;
    struct mr_rank_entry entries[]; /* as many as the table's capacity */
};

/* How entries are compared. */
struct mr_rank_order {
    uint32_t values_count;
    bool descending[MR_RANK_ORDERS_MAX];
};

/* The capacity of objects that hold `rows` entries, and their size. */
uint32_t mr_rank_capacity(uint32_t rows);
size_t mr_rank_object_size(uint32_t capacity);
size_t mr_rank_encode(const void *object, uint8_t *output);
/* Of a table of that capacity. */
bool (*mr_rank_decoder(uint32_t capacity))(void *object, uint32_t version, struct mr_slice stored);

/* Numbers, booleans, times and durations. False: the value has no order here. */
bool mr_rank_value_read(struct mr_value value, struct mr_rank_value *result);

/* Below 0: left is better. 0: they are level. */
int mr_rank_compare(const struct mr_rank_order *order, const struct mr_rank_value *left,
                    const struct mr_rank_value *right);

/* How many entries are better than values, or (or_level) not worse. */
uint32_t mr_rank_position(const struct mr_rank_object *object, const struct mr_rank_order *order,
                          const struct mr_rank_value *values, bool or_level);
/* The rank of an entry, from 1: level entries share the rank of the first of them (ties), or follow
 * each other in the order in which they came. */
uint32_t mr_rank_of(const struct mr_rank_object *object, const struct mr_rank_order *order,
                    uint32_t index, bool ties);

/* Put a new entry at a position, with a place that no other has. Pre: there is room. */
struct mr_rank_entry *mr_rank_insert(struct mr_rank_object *object, uint32_t position);

#endif
