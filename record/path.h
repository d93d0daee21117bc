/* record/path.h — field paths: a.b[0].c, a["odd name"] (DESIGN 2.1 rule 6). */
#ifndef MR_RECORD_PATH_H
#define MR_RECORD_PATH_H

#include "base/arena.h"
#include "base/error.h"

struct mr_path_step {
    const char *name;   /* a member, NUL-ended; NULL: an index */
    uint32_t name_size; /* bytes of name (names may hold any UTF-8, also NUL is refused) */
    uint32_t index;
};

struct mr_path {
    const struct mr_path_step *steps;
    uint32_t steps_count; /* >= 1; the first step is always a name */
    const char *text;     /* canonical form */
};

/* Parse text. Errors: MR_INVALID with the column (1-based, in bytes) in the message. */
enum mr_status mr_path_parse(struct mr_arena *arena, const char *text, struct mr_path *path,
                             struct mr_error *error) MR_NODISCARD;
bool mr_path_equal(const struct mr_path *left, const struct mr_path *right);
/* True when prefix equals path's first steps. */
bool mr_path_starts_with(const struct mr_path *path, const struct mr_path *prefix);
/* The last name on the path, which records that are made anew have for the field. */
const char *mr_path_last_name(const struct mr_path *path);
/* Walk value (a MAP or LIST tree) along path from step `from`; ABSENT when it leads nowhere. */
struct mr_value;
struct mr_value mr_path_walk(const struct mr_path *path, uint32_t from, struct mr_value value);

#endif
