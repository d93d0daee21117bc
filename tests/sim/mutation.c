/* tests/sim/mutation.c — guards by name; the hook of base/guard.h. */
#include "tests/sim/mutation.h"

#include <string.h>

static const char *const names[MR_GUARD_COUNT] = {
    [MR_GUARD_NONE] = "none",
    [MR_GUARD_FENCE] = "fence",
    [MR_GUARD_WRITE_AFTER_COMMIT] = "write_after_commit",
    [MR_GUARD_READ_TO_END] = "read_to_end",
    [MR_GUARD_OFFSET_FILTER] = "offset_filter",
    [MR_GUARD_CLEAN_COMMIT] = "clean_commit",
    [MR_GUARD_INIT_BEFORE_READ] = "init_before_read",
    [MR_GUARD_EPOCH_CHECK] = "epoch_check",
    [MR_GUARD_DRAIN_BEFORE_RELEASE] = "drain_before_release",
    [MR_GUARD_STILL_MINE] = "still_mine",
    [MR_GUARD_ARENA_UNTIL_DESTROY] = "arena_until_destroy",
    [MR_GUARD_TOLD_IN_PROGRESS] = "told_in_progress",
    [MR_GUARD_MARK_BEHIND_PARTS] = "mark_behind_parts",
    [MR_GUARD_IDLE_BEHIND_PARTS] = "idle_behind_parts",
};

static enum mr_guard mutated;

bool sim_mutation_set(const char *name)
{
    mutated = MR_GUARD_NONE;
    if (name == NULL)
        return true;
    for (int guard = 0; guard < MR_GUARD_COUNT; guard++)
        if (strcmp(names[guard], name) == 0) {
            mutated = (enum mr_guard)guard;
            return true;
        }
    return false;
}

const char *sim_mutation_name(enum mr_guard guard)
{
    return names[guard];
}

bool mr_guard_holds(enum mr_guard guard)
{
    return guard != mutated;
}
