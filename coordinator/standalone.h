/* coordinator/standalone.h — `millrace run`: what a coordinator does for a cluster, done once by
 * the process that runs the topology itself.
 * Model: as a leader would, it initialises the control id, reads the control topic to its end,
 * decides, and commits; then it lets go of the id. A live leader would be fenced by that, so a
 * cluster name with one is refused.
 * Threads: the caller's, which waits. */
#ifndef MR_COORDINATOR_STANDALONE_H
#define MR_COORDINATOR_STANDALONE_H

#include "coordinator/deploy.h"

enum { MR_LEADER_LIVE_MS = 10000 }; /* a heartbeat younger than this: somebody leads */

struct mr_standalone_version {
    const struct mr_plan *plan;
    /* As it would be submitted: ${NAME} is filled. Size 0: it is not kept, and what follows is
     * compared with it by names only. */
    struct mr_slice definition;
    const struct mr_catalogue *catalogue; /* to plan what ran last; NULL with no definition */
    const char *const *drop_state;        /* names; see mr_difference_permit */
    uint32_t drop_state_count;
};

/* Find or make the topology's generation, check that the plan may follow what ran last, and bind it
 * (mr_deploy; options->generation is not read). *changed: the topology differs from the one that
 * ran last. Owner: deployment is in arena. Errors: as mr_deploy's; MR_INVALID: the cluster has a
 * leader, or runs this topology; recovery RETRY or REINCARNATE: the log does not answer, or another
 * process wrote at the same time: try again. */
enum mr_status mr_standalone_deploy(struct mr_log *log, const struct mr_standalone_version *version,
                                    const struct mr_deploy_options *options, struct mr_arena *arena,
                                    struct mr_deployment **deployment, bool *changed,
                                    struct mr_error *error) MR_NODISCARD;

#endif
