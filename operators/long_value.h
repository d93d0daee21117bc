/* operators/long_value.h — stored bytes of any length up to a row's: the first of them in the
 * object, the rest in slots, so that a short one is one stored pair.
 * Why: rows that wait in state (waiting_rows.h, quality_hold.h) are short as a rule and may be
 * long.
 *
 * Stored object, version 1 (little-endian):
 *   0  uint32  size of all bytes
 *   4  up to 1020 bytes; the rest in slots of 4096 bytes, the last filled up with what was there
 *
 * Limits: a row of MR_LIMIT_ROW_BYTES with a key of MR_LIMIT_KEY_BYTES. Threads: the operator's. */
#ifndef MR_OPERATORS_LONG_VALUE_H
#define MR_OPERATORS_LONG_VALUE_H

#include "state/state.h"

enum { MR_LONG_VALUE_VERSION = 1, MR_LONG_VALUE_INLINE_BYTES = 1020, MR_LONG_VALUE_HEAD_BYTES = 4 };

struct mr_long_value {
    uint32_t size; /* of all bytes, those in slots too */
    uint8_t bytes[MR_LONG_VALUE_INLINE_BYTES];
};

/* Fill version, sizes, slots, encode and decode. */
void mr_long_value_spec(struct mr_table_spec *spec);
/* Write bytes to a new object, the last one handed out. */
enum mr_status mr_long_value_put(struct mr_table *table, struct mr_long_value *value,
                                 struct mr_slice bytes, struct mr_error *error) MR_NODISCARD;
/* The bytes of the object at hand, in arena. */
enum mr_status mr_long_value_read(struct mr_table *table, struct mr_long_value *value,
                                  struct mr_arena *arena, struct mr_slice *bytes,
                                  struct mr_error *error) MR_NODISCARD;

#endif
