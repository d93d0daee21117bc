/* formats/json.h — JSON text: validate and extract in one pass, write values, splice layouts.
 * Rules (RFC 8259): the text must be one value, valid UTF-8, depth <= MR_LIMIT_JSON_DEPTH, no lone
 * surrogate escapes left as such (they are refused); a byte order mark is refused. Duplicate names:
 * the last one wins when read; a tracked name that occurs twice is an error of the row, since a
 * splice would change which one wins. */
#ifndef MR_FORMATS_JSON_H
#define MR_FORMATS_JSON_H

#include "formats/format.h"

extern const struct mr_format_type mr_format_json;
extern const struct mr_format_type mr_format_csv;
extern const struct mr_format_type mr_format_string;
extern const struct mr_format_type mr_format_bytes;

/* Append value as compact JSON. MR_INVALID for NaN, infinities and what has no JSON text, MR_LIMIT
 * when output is full; bytes print as base64, timestamps as RFC 3339, durations as "1.5s". */
enum mr_status mr_json_append_value(struct mr_buffer *output, struct mr_value value,
                                    struct mr_error *error) MR_NODISCARD;
enum mr_status mr_json_append_string(struct mr_buffer *output, struct mr_slice text) MR_NODISCARD;

#endif
