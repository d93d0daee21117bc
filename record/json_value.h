/* record/json_value.h — values of JSON text as cells, by their declared type. Here and not in
 * formats/, since operators read documents, too. */
#ifndef MR_RECORD_JSON_VALUE_H
#define MR_RECORD_JSON_VALUE_H

#include "record/json_scan.h"
#include "record/schema.h"

/* Read the value at `at` (no space before it) into *value; depth counts the containers around it.
 * Returns the place behind it; NULL for invalid JSON. A declared type that the text contradicts
 * makes *value, or the element of the list or map, an ERROR cell. */
const uint8_t *mr_json_read_value(struct mr_json_scan *scan, const uint8_t *at,
                                  const struct mr_type *type, uint32_t depth,
                                  struct mr_value *value);

/* Validate text and build its value tree in arena; strings without escapes are borrowed from text.
 * type NULL: nothing is declared. Undeclared numbers are doubles; what contradicts a declared type,
 * and a number beyond the range of a double, is an ERROR cell at its place. MR_INVALID for invalid
 * JSON. */
enum mr_status mr_json_parse(struct mr_slice text, const struct mr_type *type,
                             struct mr_arena *arena, struct mr_value *value,
                             struct mr_error *error) MR_NODISCARD;

#endif
