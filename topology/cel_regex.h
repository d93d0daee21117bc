/* topology/cel_regex.h — regular expressions for matches(): RE2's syntax, matched in linear time.
 * Why: a pattern comes from a user and runs over every record; a backtracking matcher can take time
 * exponential in the text. This one takes at most states x characters steps, whatever the pattern.
 * Model: Thompson's construction into a program, run as Pike's simulation over code points, without
 * captures (matches() only asks whether). ASCII classes; \p{...} and case folding of letters beyond
 * ASCII are refused with a sentence.
 * Limits: MR_CEL_REGEX_STATES_MAX states after counted repeats are written out; repeats up to 1000.
 * Threads: a compiled pattern is immutable; the scratch belongs to one thread. */
#ifndef MR_TOPOLOGY_CEL_REGEX_H
#define MR_TOPOLOGY_CEL_REGEX_H

#include "base/arena.h"
#include "base/slice.h"

enum {
    MR_CEL_REGEX_STATES_MAX = 4096,
    MR_CEL_REGEX_REPEAT_MAX = 1000,
    MR_CEL_REGEX_DEPTH_MAX = 100,
    MR_CEL_REGEX_PATTERN_BYTES_MAX = 4096
};

enum mr_cel_regex_assertion {
    MR_CEL_REGEX_BEGIN_TEXT,
    MR_CEL_REGEX_END_TEXT,
    MR_CEL_REGEX_BEGIN_LINE,
    MR_CEL_REGEX_END_LINE,
    MR_CEL_REGEX_WORD_EDGE,
    MR_CEL_REGEX_NO_WORD_EDGE
};

struct mr_cel_regex_range {
    uint32_t first;
    uint32_t last;
};

enum mr_cel_regex_node_kind {
    MR_CEL_REGEX_EMPTY,
    MR_CEL_REGEX_CLASS, /* one character of ranges */
    MR_CEL_REGEX_ASSERT,
    MR_CEL_REGEX_SEQUENCE,
    MR_CEL_REGEX_CHOICE,
    MR_CEL_REGEX_REPEAT /* maximum UINT32_MAX: without end */
};

struct mr_cel_regex_node {
    uint8_t kind; /* enum mr_cel_regex_node_kind */
    uint8_t assertion;
    uint32_t minimum;
    uint32_t maximum;
    const struct mr_cel_regex_range *ranges;
    uint32_t ranges_count;
    struct mr_cel_regex_node *first; /* children, linked by next */
    struct mr_cel_regex_node *next;
};

struct mr_cel_regex;
struct mr_cel_regex_scratch;

/* Parse a pattern (cel_regex_parse.c). NULL: *problem is a sentence, *offset its place in pattern.
 */
struct mr_cel_regex_node *mr_cel_regex_parse(struct mr_arena *arena, struct mr_slice pattern,
                                             const char **problem, size_t *offset);

/* Compile a pattern into arena. NULL: *problem is a sentence, *offset its place in pattern. */
const struct mr_cel_regex *mr_cel_regex_compile(struct mr_arena *arena, struct mr_slice pattern,
                                                const char **problem, size_t *offset);
uint32_t mr_cel_regex_states(const struct mr_cel_regex *regex);
struct mr_cel_regex_scratch *mr_cel_regex_scratch_create(void);
void mr_cel_regex_scratch_destroy(struct mr_cel_regex_scratch *scratch);
/* Whether the pattern matches somewhere in text (valid UTF-8). */
bool mr_cel_regex_matches(const struct mr_cel_regex *regex, struct mr_cel_regex_scratch *scratch,
                          struct mr_slice text);

#endif
