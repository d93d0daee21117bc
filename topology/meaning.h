/* topology/meaning.h — what an operator's stored state means: by its type, its key, the options
 * that it depends on (MR_OPTION_STATE_BOUND) and the cells of rows that it keeps.
 * Why: state that was written under one meaning must not be read under another. The coordinator
 * compares the meanings of two versions and asks the user (coordinator/difference.h); a task
 * compares the hash with the one that its state remembers, and starts over where they differ
 * (state/state.h). Both look at the same thing, so what was not asked for does not happen.
 * The hash is stored: what goes into it does not change. An option that has its default does not
 * count, so that a later program may add options. */
#ifndef MR_TOPOLOGY_MEANING_H
#define MR_TOPOLOGY_MEANING_H

#include "topology/plan.h"

enum { MR_MEANING_ROWS_MAX = 2 };

struct mr_meaning_option {
    const char *name; /* an option's, "key", "right_key", "key of the table" */
    uint64_t value;   /* a hash; 0: absent, or the default */
};

/* What is kept of a row: the cells, by name, and the members whose places are kept, in the order of
 * the plan, as the fingerprints of record/row.h have them. */
struct mr_kept_rows {
    const char *side; /* of a join: the input's name; else NULL */
    const char *const *cells;
    uint32_t cells_count;
    const char *const *members;
    uint32_t members_count;
    bool whole;
    bool message;
};

struct mr_meaning {
    const struct mr_meaning_option *options; /* of one type always the same ones, in one order */
    uint32_t options_count;
    struct mr_kept_rows rows[MR_MEANING_ROWS_MAX];
    uint32_t rows_count;
    uint64_t hash; /* not 0 */
};

/* Pre: the node is an operator with state. Owner: arena; names are borrowed from the plan. */
void mr_meaning_make(const struct mr_plan *plan, const struct mr_plan_node *node,
                     struct mr_arena *arena, struct mr_meaning *meaning);

/* Does state depend on this option, or on one inside it? */
bool mr_meaning_has_option(const struct mr_option_spec *spec);
/* Two values of one option, also where they are defaults. */
bool mr_meaning_same_value(const struct mr_option_spec *spec, const struct mr_option_value *left,
                           const struct mr_option_value *right);

#endif
