/* coordinator/kubernetes_status.h — what a Topology's `status` says: pure.
 * Conditions: Accepted (the definition is sound and runs, or will), Ready (all its tasks run),
 * Restoring (tasks restore state). A condition keeps its lastTransitionTime while its status stays
 * as it is. */
#ifndef MR_COORDINATOR_KUBERNETES_STATUS_H
#define MR_COORDINATOR_KUBERNETES_STATUS_H

#include "coordinator/kubernetes_objects.h"

struct mr_kubernetes_facts {
    const char *cluster;
    int64_t generation; /* that the verdict is about; 0: not known */
    enum mr_kubernetes_verdict verdict;
    const char *message;    /* of the verdict; NULL: none */
    const json_t *findings; /* NULL: none */
    const json_t *topology; /* as the API shows it; NULL: there is none */
    bool deleting;
    int64_t wall_ms;
};

/* A new object. before: the status that stands; NULL: none. */
json_t *mr_kubernetes_status(const struct mr_kubernetes_facts *facts, const json_t *before);

enum mr_kubernetes_change { MR_STATUS_SAME, MR_STATUS_DETAIL, MR_STATUS_OTHER };
/* How two statuses differ: not, in lag and sentences only, or otherwise. before may be NULL. */
enum mr_kubernetes_change mr_kubernetes_status_change(const json_t *before, const json_t *after);

/* The body of a merge patch that makes `after` of `before`: what is gone is null. New. */
json_t *mr_kubernetes_status_patch(const json_t *before, const json_t *after);

#endif
