/* operators/value_ring.h — the last n numbers of a key, kept in slots of its state object.
 * Why: a record changes one number of the window; with 16 numbers a slot the changelog gets 128
 * bytes for it and not the whole window. Stored slot, version 1: 16 doubles, little-endian; number
 * i of the ring is in slot i / 16 at byte 8 * (i % 16). Which of them are in use is the object's to
 * say. */
#ifndef MR_OPERATORS_VALUE_RING_H
#define MR_OPERATORS_VALUE_RING_H

#include "state/state.h"

enum { MR_VALUE_RING_SLOT_VALUES = 16, MR_VALUE_RING_SLOT_BYTES = 128 };

/* Slots for a ring of capacity numbers. */
static inline uint32_t mr_value_ring_slots(uint32_t capacity)
{
    return (capacity + MR_VALUE_RING_SLOT_VALUES - 1) / MR_VALUE_RING_SLOT_VALUES;
}

/* Put number at position; *old is what was there (0 when nothing was). */
enum mr_status mr_value_ring_exchange(struct mr_table *table, void *object, uint32_t position,
                                      double number, double *old,
                                      struct mr_error *error) MR_NODISCARD;

/* Read count numbers from position first on, which is a slot's beginning: for several rings, one
 * behind the other. */
enum mr_status mr_value_ring_read_from(struct mr_table *table, void *object, uint32_t first,
                                       uint32_t count, double *values,
                                       struct mr_error *error) MR_NODISCARD;
/* Read the number at position; 0 when nothing was put there. */
enum mr_status mr_value_ring_get(struct mr_table *table, void *object, uint32_t position,
                                 double *number, struct mr_error *error) MR_NODISCARD;

/* Read the numbers at positions 0..count-1. */
enum mr_status mr_value_ring_read(struct mr_table *table, void *object, uint32_t count,
                                  double *values, struct mr_error *error) MR_NODISCARD;

#endif
