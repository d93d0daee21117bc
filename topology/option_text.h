/* topology/option_text.h — option types, values and bounds in words: messages and reference pages.
 */
#ifndef MR_TOPOLOGY_OPTION_TEXT_H
#define MR_TOPOLOGY_OPTION_TEXT_H

#include "base/arena.h"
#include "base/options.h"

/* What a value of the type looks like: "a duration like 250ms or 1h30m". */
const char *mr_option_type_text(enum mr_option_type type);
/* One word for tables: "duration". */
const char *mr_option_type_name(enum mr_option_type type);
/* "2h", "1.5s", "0s": the largest units that are exact. */
const char *mr_option_duration_text(struct mr_arena *arena, int64_t duration_ms);
/* "64MiB", "10MB", "17B". */
const char *mr_option_size_text(struct mr_arena *arena, int64_t size_bytes);
/* A bound as a user would write it. */
const char *mr_option_bound_text(struct mr_arena *arena, const struct mr_option_spec *spec,
                                 double bound);
static inline bool mr_option_is_bounded(const struct mr_option_spec *spec)
{
    return spec->minimum < spec->maximum;
}
/* "a | b | c". */
const char *mr_option_choices_text(struct mr_arena *arena, const struct mr_option_spec *spec);

#endif
