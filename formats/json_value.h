/* formats/json_value.h — values of JSON text as cells, by their declared type.
 * Private to formats/. */
#ifndef MR_FORMATS_JSON_VALUE_H
#define MR_FORMATS_JSON_VALUE_H

#include "formats/json_scan.h"
#include "record/schema.h"

/* Read the value at `at` (no space before it) into *value; depth counts the containers around it.
 * Returns the place behind it; NULL for invalid JSON. A declared type that the text contradicts
 * makes *value, or the element of the list or map, an ERROR cell. */
const uint8_t *mr_json_read_value(struct mr_json_scan *scan, const uint8_t *at,
                                  const struct mr_type *type, uint32_t depth,
                                  struct mr_value *value);

#endif
