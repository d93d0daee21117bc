/* record/scalar.h — scalars of any text format as cells of their declared type, and back.
 * Why: JSON strings and numbers, CSV cells and the string format declare the same types.
 * Model: a text that is not of the declared type is an ERROR cell: 'declared int, but it is a
 * string'. */
#ifndef MR_RECORD_SCALAR_H
#define MR_RECORD_SCALAR_H

#include "base/number.h"
#include "record/schema.h"

/* A JSON number. Of no declared type it is the double that it names, flagged MR_VALUE_UNDECLARED;
 * a timestamp is milliseconds since the epoch. */
struct mr_value mr_scalar_from_number(struct mr_arena *arena, const struct mr_number *number,
                                      const struct mr_type *type);
/* A JSON string: STRING, or base64 for bytes, RFC 3339 for a timestamp, "1.5s" for a duration. Text
 * is borrowed. */
struct mr_value mr_scalar_from_string(struct mr_arena *arena, struct mr_slice text,
                                      const struct mr_type *type);
/* A text without quotes (a CSV cell): also numbers and booleans by their declared type; without one
 * it is a STRING. Text is borrowed. */
struct mr_value mr_scalar_from_text(struct mr_arena *arena, struct mr_slice text,
                                    const struct mr_type *type);
/* The ERROR cell of a declared type that the data contradicts. found: "a string". */
struct mr_value mr_scalar_contradiction(struct mr_arena *arena, const struct mr_type *type,
                                        const char *found);

/* The text of value without quotes: strings as they are, containers as JSON; NULL data for what has
 * no text (NaN, absent). A string is borrowed, other texts are in arena. */
struct mr_slice mr_scalar_to_text(struct mr_arena *arena, struct mr_value value);

#endif
