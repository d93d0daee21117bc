/* operators/group_key.h — the fields of a key, out of its bytes.
 * Why: state is found by key bytes (record/batch.h: one string's UTF-8, else a compact JSON array);
 * when a group is emitted its key's fields are wanted as cells again, and storing them beside each
 * group would double what small groups take.
 * Types: as declared; without a declaration a number is a double. What is no scalar, and bytes and
 * durations, keep their JSON text. A single string that reads as an array of one scalar that is no
 * string cannot be told from that scalar, unless the field is declared. */
#ifndef MR_OPERATORS_GROUP_KEY_H
#define MR_OPERATORS_GROUP_KEY_H

#include "base/arena.h"
#include "record/schema.h"

/* Fill fields[types_count]; text is copied into arena. False: the bytes are not such a key. */
bool mr_group_key_read(struct mr_slice key, const enum mr_type_code *types, uint32_t types_count,
                       struct mr_arena *arena, struct mr_value *fields);

#endif
