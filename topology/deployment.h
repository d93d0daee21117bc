/* topology/deployment.h — a plan bound to a cluster: generation, topics and partition counts.
 * Why: the plan is pure; a deployment adds what only the cluster knows. The coordinator (or `run`
 * in one process) makes it once; workers follow it. Partition counts are frozen in it. Internal
 * topics: <cluster>.<topology>.<generation>.<subtopology>.changelog (stateful) or .progress,
 * <cluster>.<topology>.<generation>.<operator>-repartition. */
#ifndef MR_TOPOLOGY_DEPLOYMENT_H
#define MR_TOPOLOGY_DEPLOYMENT_H

#include "topology/plan.h"

struct mr_deployed_topic {
    const char *name;
    const char *topic_id;
    int32_t partitions_count;
    int64_t message_bytes_max;
    int64_t delete_retention_ms;
};

/* By node index; sources and sinks of a log only. */
struct mr_deployed_node {
    const struct mr_deployed_topic *topics;
    uint32_t topics_count;
    int32_t partitions_count; /* of a source: the largest of its topics, or its own */
};

struct mr_deployed_subtopology {
    int32_t tasks_count;
    int32_t tasks_before; /* of an earlier deployment, when its sources have grown since; else 0 */
    struct mr_deployed_topic log_topic; /* changelog or progress topic */
};

struct mr_deployment {
    const struct mr_plan *plan;
    const char *cluster;
    char cluster_id[64]; /* of the log */
    uint64_t generation;
    struct mr_deployed_node *nodes;
    struct mr_deployed_subtopology *subtopologies;
    struct mr_deployed_topic *repartitions;
    struct mr_deployed_topic dead_letters;
    struct mr_deployed_topic claims;
};

#endif
