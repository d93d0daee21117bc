/* coordinator/difference.h — what changes when a version of a topology follows another.
 * Why: progress belongs to subtopologies and state to operators, both by name (DESIGN 4, rule 11).
 * A version that drops, renames or moves what they belong to would start over there and double its
 * outputs; so it is refused unless the user names what may be dropped. `submit` shows the same data
 * to people.
 * Pure: two plans in, data out. A name of a subtopology that was ever used under a generation is
 * never used again after it was dropped: its topics still hold what was left there. */
#ifndef MR_COORDINATOR_DIFFERENCE_H
#define MR_COORDINATOR_DIFFERENCE_H

#include "topology/plan.h"

enum mr_change { MR_CHANGE_KEPT, MR_CHANGE_ADDED, MR_CHANGE_DROPPED, MR_CHANGE_MOVED };

/* A subtopology: its tasks and its progress. */
struct mr_difference_part {
    const char *name;
    enum mr_change change;
    bool stateful; /* in the plan that has it, the newer one first */
};

/* An operator with state. */
struct mr_difference_state {
    const char *name;
    const char *type;
    enum mr_change change;
    const char *part;        /* subtopology; of DROPPED: the one that it was in */
    const char *part_before; /* of MOVED */
    /* Of KEPT and MOVED: why what is stored would mean something else, so that the operator starts
     * over where the user permits it. NULL: it would not. */
    const char *type_before; /* another type has its name */
    const char *option;      /* on which it depends and that has changed; "key" is one of them */
    const char *field;       /* of the rows that are kept: stored by one of the versions only */
    /* Of KEPT: further options that have changed, "a, b": they count from the new version on, for
     * what is stored as well. NULL: none. */
    const char *tuned;
};

struct mr_difference_source {
    const char *name;
    enum mr_change change;
    const char *start; /* of ADDED and MOVED: where it starts: "earliest"; NULL: no such option */
    const char *part_before; /* of MOVED: the subtopology whose progress has its position */
    /* Of KEPT: why its position would mean something else: another type has its name, or an option
     * that positions depend on (MR_OPTION_STATE_BOUND) has changed. Both NULL: it goes on. */
    const char *type_before;
    const char *option;
    /* Of KEPT: other options that have changed, "timestamp, watermark": they count for what is read
     * from the new version on. What operators have stored of earlier records stays as it is, as
     * with a changed expression in front of them. NULL: none. */
    const char *tuned;
};

struct mr_difference_topic {
    const char *suffix;    /* behind <cluster>.<topology>.<generation>. */
    enum mr_change change; /* ADDED, KEPT; DROPPED: no longer used, deleted with the generation */
};

struct mr_difference {
    bool first;                       /* nothing ran before */
    bool same;                        /* the same plan */
    struct mr_difference_part *parts; /* all lists by name */
    uint32_t parts_count;
    struct mr_difference_state *states;
    uint32_t states_count;
    struct mr_difference_source *sources;
    uint32_t sources_count;
    struct mr_difference_topic *topics;
    uint32_t topics_count;
};

/* before NULL: the topology is new. Owner: the difference is in arena and borrows from the plans.
 */
void mr_difference_make(const struct mr_plan *before, const struct mr_plan *after,
                        struct mr_arena *arena, struct mr_difference *difference);

/* What is stored would mean something else. */
bool mr_difference_starts_over(const struct mr_difference_state *state);

struct mr_difference_permit {
    const char *const *used; /* names of subtopologies that were ever used under the generation */
    uint32_t used_count;
    const char *const *drop; /* names of subtopologies, operators, sources that may start over */
    uint32_t drop_count;
};

/* May the new version follow? MR_INVALID with recovery FAIL_TOPOLOGY: what would be lost, and how
 * to allow it. A name in `drop` that is dropped by nothing is refused as well: it is a typing
 * error. */
enum mr_status mr_difference_check(const struct mr_difference *difference,
                                   const struct mr_difference_permit *permit,
                                   struct mr_error *error) MR_NODISCARD;

/* The same where only the names of the subtopologies that ran before are known. */
enum mr_status mr_difference_check_names(const char *const *used, uint32_t used_count,
                                         const struct mr_plan *after,
                                         struct mr_error *error) MR_NODISCARD;

const char *mr_change_name(enum mr_change change); /* "kept", "added", "dropped", "moved" */

#endif
