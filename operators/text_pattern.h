/* operators/text_pattern.h — random texts that match a regular expression.
 * Model: a pattern is compiled once into a tree; a text is one walk over it. A class draws one of
 * its characters, an alternation one of its branches, a repetition one of its counts, each equally
 * likely. Every text that is written matches the pattern as a whole.
 * Grammar: characters (UTF-8), `.` (a printable ASCII character), classes [a-z0-9_] and [^...]
 * (printable ASCII without these), \d \w \s and their like in classes, \t, a backslash before a
 * sign, groups ( ) and (?: ), |, and the counts ? * + {n} {n,} {n,m}; ^ in front and $ at the end
 * say nothing. An open count draws at most MR_TEXT_PATTERN_OPEN_MAX more than its least. What
 * cannot be drawn (back references, look-around, word boundaries, named classes, laziness) is
 * refused.
 * Limits: 256 nodes, groups 32 deep, counts up to 256, texts up to 1,024 bytes. Pure; the compiled
 * pattern may be read by any thread. */
#ifndef MR_OPERATORS_TEXT_PATTERN_H
#define MR_OPERATORS_TEXT_PATTERN_H

#include "base/error.h"
#include "base/random.h"
#include "base/slice.h"

enum {
    MR_TEXT_PATTERN_NODES_MAX = 256,
    MR_TEXT_PATTERN_DEPTH_MAX = 32,
    MR_TEXT_PATTERN_COUNT_MAX = 256,
    MR_TEXT_PATTERN_OPEN_MAX = 8,
    MR_TEXT_PATTERN_BYTES_MAX = 1024
};

struct mr_text_pattern;

/* Owner of *pattern: the caller, until _destroy. MR_INVALID with a clause that names the byte and
 * what is wrong there: "at byte 3: ..."; *pattern is NULL then. */
enum mr_status mr_text_pattern_compile(struct mr_slice text, struct mr_text_pattern **pattern,
                                       struct mr_error *error) MR_NODISCARD;
void mr_text_pattern_destroy(struct mr_text_pattern *pattern); /* accepts NULL */

/* Bytes of the longest text. */
size_t mr_text_pattern_longest(const struct mr_text_pattern *pattern);
/* Write a text of at most mr_text_pattern_longest bytes; returns its size. */
size_t mr_text_pattern_write(const struct mr_text_pattern *pattern, struct mr_random *random,
                             uint8_t *output);

#endif
