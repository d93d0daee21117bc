/* coordinator/deploy.h — binding a plan to a cluster: topics, partition counts,
 * generation. This is the only place that creates internal topics (DESIGN
 * section 4, rule 12). */
#ifndef MR_COORDINATOR_DEPLOY_H
#define MR_COORDINATOR_DEPLOY_H

#include "connectors/log.h"
#include "topology/deployment.h"

struct mr_deploy_options {
    const char *cluster;
    uint64_t generation; /* of the topology: part of the names of its internal
                            topics */
    bool embedded;       /* the log is in this process: missing source and sink topics
                            are created */
    /* Of topics that are created here without saying how many, and the least of
     * repartitions; 0: as many as the cluster's default, and as the tasks that
     * write them. */
    int32_t partitions_count;
    uint32_t wait_ms; /* bounds each request to the log */
    bool dry_run;     /* nothing is created: what is missing counts as if it had been
                       */
    /* Asked before a topic is created: nobody would delete what a coordinator creates that leads
     * no more. True: the deployment fails, MR_CLOSED. NULL: never. */
    bool (*given_up)(void *argument);
    void *argument;
};

/* Owner: deployment and its texts live in arena. Errors are the user's: a
 * missing topic, sources that are not co-partitioned, a source that has grown
 * under keyed state; recovery RETRY: the log does not answer. Whether the plan
 * may follow what ran before is not asked here (coordinator/difference.h). */
enum mr_status mr_deploy(struct mr_log *log, const struct mr_plan *plan,
                         const struct mr_deploy_options *options, struct mr_arena *arena,
                         struct mr_deployment **deployment, struct mr_error *error) MR_NODISCARD;

/* Look at the source topics again. *grown: a stateless topology's source has
 * more partitions and should be deployed anew. Failures with recovery
 * FAIL_TOPOLOGY: a topic was deleted or created anew, or a source grew under
 * keyed state. */
enum mr_status mr_deployment_watch(struct mr_log *log, const struct mr_deployment *deployment,
                                   bool *grown, struct mr_error *error) MR_NODISCARD;

#endif
