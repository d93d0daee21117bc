/* record/json_write.h — a cell as compact JSON text.
 * Why: keys (record/batch.h) and the JSON format write the same text; the lower layer owns it.
 * Model: the caller makes room for the bound, then writes without further checks.
 * Text: doubles in their shortest form; bytes as base64 (RFC 4648, padded); timestamps as RFC 3339
 * in UTC with 0, 3, 6 or 9 digits of the second; durations as seconds, "1.5s"; names of a map that
 * are not strings as the text of their value. */
#ifndef MR_RECORD_JSON_WRITE_H
#define MR_RECORD_JSON_WRITE_H

#include "record/value.h"

/* Bytes that the writers below may touch behind what they return: include it in the room, once. */
enum { MR_JSON_WRITE_SLACK = 16 };

/* Upper bound of the text's size, without the slack. */
size_t mr_json_write_bound(struct mr_value value);
/* Write value at output. Returns the byte behind it; NULL for what JSON cannot hold, after which
 * the bytes at output are undefined. */
uint8_t *mr_json_write(uint8_t *output, struct mr_value value);
/* Why mr_json_write refuses value: a phrase such as "NaN is not a JSON number", in arena or static.
 */
const char *mr_json_write_refusal(struct mr_arena *arena, struct mr_value value);

size_t mr_json_write_string_bound(struct mr_slice text);
uint8_t *mr_json_write_string(uint8_t *output, struct mr_slice text);

#endif
