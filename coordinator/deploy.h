/* coordinator/deploy.h — binding a plan to a cluster: topics, partition counts, generation.
 * This is the only place that creates internal topics (DESIGN section 4, rule 12). */
#ifndef MR_COORDINATOR_DEPLOY_H
#define MR_COORDINATOR_DEPLOY_H

#include "connectors/log.h"
#include "topology/deployment.h"

struct mr_deploy_options {
    const char *cluster;
    bool embedded; /* the log is in this process: missing source and sink topics are created */
    int32_t partitions_count; /* of topics that are created here without saying how many */
    uint32_t wait_ms;         /* bounds each request to the log */
};

/* Owner: deployment and its texts live in arena. Errors are the user's: a missing topic, sources
 * that are not co-partitioned, a source that has grown under keyed state; recovery RETRY: the log
 * does not answer. *changed: the topology differs from the one that ran last. */
enum mr_status mr_deploy(struct mr_log *log, const struct mr_plan *plan,
                         const struct mr_deploy_options *options, struct mr_arena *arena,
                         struct mr_deployment **deployment, bool *changed,
                         struct mr_error *error) MR_NODISCARD;

/* Look at the source topics again. *grown: a stateless topology's source has more partitions and
 * should be deployed anew. Failures with recovery FAIL_TOPOLOGY: a topic was deleted or created
 * anew, or a source grew under keyed state. */
enum mr_status mr_deployment_watch(struct mr_log *log, const struct mr_deployment *deployment,
                                   bool *grown, struct mr_error *error) MR_NODISCARD;

#endif
