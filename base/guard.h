/* base/guard.h — the guards of the exactly-once protocol, each of which can be switched off to show
 * that the tests would notice (docs/TESTING.md).
 * Why: a guard that no test misses is not known to work. MR_GUARD(NAME) stands where a guard is; it
 * is the constant true in every build that anyone runs, so it costs nothing. Two builds differ: a
 * mutation build (-DMR_MUTATION=NAME for CMake) has one of them false, and the simulation
 * (tests/sim) compiles the files that hold guards once more and asks at run time. */
#ifndef MR_BASE_GUARD_H
#define MR_BASE_GUARD_H

#include <stdbool.h>

enum mr_guard {
    MR_GUARD_NONE,
    MR_GUARD_FENCE,                /* the last owner is fenced before a claim is written */
    MR_GUARD_WRITE_AFTER_COMMIT,   /* the local store is written after the commit */
    MR_GUARD_READ_TO_END,          /* reading to the end passes every open transaction */
    MR_GUARD_OFFSET_FILTER,        /* records below the next offset are dropped */
    MR_GUARD_CLEAN_COMMIT,         /* a commit counts only when every request was answered */
    MR_GUARD_INIT_BEFORE_READ,     /* the claim producer is initialised before the claim is read */
    MR_GUARD_EPOCH_CHECK,          /* an older epoch than the last claim's is refused */
    MR_GUARD_DRAIN_BEFORE_RELEASE, /* nothing holds a record of a task that is released */
    MR_GUARD_STILL_MINE,           /* released only while the last claim is one's own */
    MR_GUARD_ARENA_UNTIL_DESTROY,  /* borrowed bytes live until the producers are destroyed */
    MR_GUARD_TOLD_IN_PROGRESS,     /* a restart goes on with what had not left at a watermark */
    MR_GUARD_MARK_BEHIND_PARTS,    /* readers hear of a watermark behind all that is due at it */
    MR_GUARD_IDLE_BEHIND_PARTS,    /* and that a task is idle */
    MR_GUARD_COUNT
};

#ifdef MR_SIMULATION
bool mr_guard_holds(enum mr_guard guard); /* tests/sim */
#define MR_GUARD(name) mr_guard_holds(MR_GUARD_##name)
#elif defined(MR_MUTATED)
#define MR_GUARD(name) (MR_GUARD_##name != MR_MUTATED)
#else
#define MR_GUARD(name) true
#endif

#endif
