/* operators/aggregate_cell.h — one value inside an aggregate's state: min, first, argmax, ...
 * Layout: u32 kind (0: no value), u32 bytes of text, then 8 bytes of a scalar or the text itself;
 * what is not used is zero. A cell whose value is only kept (first, collect) holds lists, maps and
 * JSON text too: the first two as the bytes of record/row.h's cells, which count as text.
 * Order: numbers by value, whatever their type; behind them timestamps, durations, booleans, text
 * by its bytes, bytes. Kinds that differ so have an order too: a merge never fails. */
#ifndef MR_OPERATORS_AGGREGATE_CELL_H
#define MR_OPERATORS_AGGREGATE_CELL_H

#include "base/hash.h"
#include "operators/aggregate_function.h"

enum {
    MR_AGGREGATE_CELL_HEAD_BYTES = 8,
    MR_AGGREGATE_CELL_SCALAR_BYTES = 16 /* of a cell without text */
};

/* Size of a cell for an argument of the call: small when its declared type is a scalar's. */
uint32_t mr_aggregate_cell_bytes(const struct mr_aggregate_call *call, uint32_t argument,
                                 uint32_t text_bytes);

/* MR_INVALID: the value is a list, a map, an error, a number that is not finite, or a text longer
 * than the cell; a sentence for the row. */
enum mr_status mr_aggregate_cell_check(const struct mr_aggregate *aggregate, uint32_t cell_bytes,
                                       const struct mr_value *value,
                                       struct mr_error *error) MR_NODISCARD;
/* Pre: the value passed the check for a cell of cell_bytes. */
void mr_aggregate_cell_put(uint8_t *cell, uint32_t cell_bytes, const struct mr_value *value);
/* The value is text, or stored like it. */
static inline bool mr_aggregate_kind_has_text(uint8_t kind)
{
    return kind == MR_KIND_STRING || kind == MR_KIND_BYTES || kind == MR_KIND_LIST ||
           kind == MR_KIND_MAP || kind == MR_KIND_JSON;
}
static inline bool mr_aggregate_cell_is_empty(const uint8_t *cell)
{
    return cell[0] == MR_KIND_ABSENT;
}
/* The value; text borrows from the cell. An empty cell is ABSENT. */
struct mr_value mr_aggregate_cell_view(const uint8_t *cell);
/* < 0, 0, > 0. Pre: both passed the check. */
int mr_aggregate_compare(const struct mr_value *left, const struct mr_value *right);

/* The same for values that are only kept. MR_INVALID: an error, a number that is not finite (also
 * inside a list or map), or more bytes than the cell has room for. */
enum mr_status mr_aggregate_kept_check(const struct mr_aggregate *aggregate, uint32_t cell_bytes,
                                       const struct mr_value *value,
                                       struct mr_error *error) MR_NODISCARD;
void mr_aggregate_kept_put(uint8_t *cell, uint32_t cell_bytes, const struct mr_value *value);
/* A copy of the value in arena; null of an empty cell. MR_CORRUPT: the bytes of a list or map are
 * not what was written. */
enum mr_status mr_aggregate_kept_read(const uint8_t *cell, struct mr_arena *arena,
                                      struct mr_value *value, struct mr_error *error) MR_NODISCARD;

/* What tells values apart, for counting distinct ones: numbers of equal value have the same key
 * whatever their type. Exact for scalars and texts of up to 15 bytes; of longer texts it is a hash
 * of 120 bits. Byte 15 is never 0. */
struct mr_aggregate_key {
    uint8_t bytes[16];
};
/* Pre: the value passed the check, for a cell of any size. */
struct mr_aggregate_key mr_aggregate_key_of(const struct mr_value *value);
/* A hash of the key, for sketches. */
static inline uint64_t mr_aggregate_hash(const struct mr_value *value)
{
    struct mr_aggregate_key key = mr_aggregate_key_of(value);
    return mr_hash64(mr_slice_from(key.bytes, sizeof(key.bytes)));
}

/* The most frequent values of a Space-Saving sketch whose payloads are cells, as a list of {value,
 * count, error}: the largest count first, then the smaller error, then the smaller value; at most
 * `wanted`. All memory is from arena. Errors: those of the body. (aggregate_frequent.c) */
enum mr_status mr_aggregate_frequent_list(const struct mr_sketch *sketch, const uint8_t *head,
                                          struct mr_sketch_body *body, uint32_t wanted,
                                          struct mr_arena *arena, struct mr_value *list,
                                          struct mr_error *error) MR_NODISCARD;

#endif
