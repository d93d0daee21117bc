/* worker/binding.h — a topology's version as the coordinator sent it, ready to run.
 * Why: plans hold pointers and are not sent. The worker plans the definition itself and takes from
 * the binding what only the cluster knows: topics, their ids, partition counts. The two must fit by
 * name and the plan must be the one that the coordinator has bound (its hash): another build of
 * this program may plan differently, and must then refuse instead of reading the wrong state.
 * Owner: a version owns its arena; the deployment borrows from it. Threads: one at a time to open
 * and to close; the deployment is read by all. */
#ifndef MR_WORKER_BINDING_H
#define MR_WORKER_BINDING_H

#include "proto/messages.h"
#include "topology/deployment.h"

struct mr_bound_version;

struct mr_bound_open {
    const struct mr_topology_reply *reply; /* copied where it is kept */
    const struct mr_catalogue *catalogue;  /* borrowed until the version is closed */
    const char *cluster;                   /* borrowed */
    const char *log_cluster_id;            /* of the log that this process is connected to */
};

/* MR_INVALID with a sentence for the user: this process cannot run it. */
enum mr_status mr_bound_version_open(const struct mr_bound_open *open,
                                     struct mr_bound_version **version,
                                     struct mr_error *error) MR_NODISCARD;
/* Pre: nothing uses its deployment any more. Accepts NULL. */
void mr_bound_version_close(struct mr_bound_version *version);
const struct mr_deployment *mr_bound_version_deployment(const struct mr_bound_version *version);

/* Index of a subtopology or source by name in the plan; -1: there is none. */
int32_t mr_bound_subtopology_find(const struct mr_plan *plan, const char *name);

#endif
