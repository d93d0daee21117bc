/* coordinator/generators_cluster.h — a coordinator's generators over WebSocket: what runs in its
 * cluster, and the models, as the leader's own HTTP API gives them.
 * Why the API: any coordinator serves, whether it leads or not, and asks as any user would.
 * Threads: start and stop belong to one thread; the rest is the service's. */
#ifndef MR_COORDINATOR_GENERATORS_CLUSTER_H
#define MR_COORDINATOR_GENERATORS_CLUSTER_H

#include "coordinator/generators.h"
#include "coordinator/internal.h"

struct mr_cluster_generators;

/* As coordinator->options say; *generators is NULL when they ask for none. */
enum mr_status mr_cluster_generators_start(struct mr_coordinator *coordinator,
                                           struct mr_cluster_generators **generators,
                                           struct mr_error *error) MR_NODISCARD;
void mr_cluster_generators_stop(struct mr_cluster_generators *generators); /* accepts NULL */
int mr_cluster_generators_port(const struct mr_cluster_generators *generators);

#endif
