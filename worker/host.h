/* worker/host.h — what this process runs for the coordinator: opened versions, tasks, standbys.
 * Why: the agent (worker/agent.h) decides and names; this says what there is and carries out what
 * the agent says, over worker/worker.h and worker/follower.h.
 * Model: an opened version is a plan bound to the cluster, with a topology of the worker; a version
 * whose binding has grown since (a stateless topology's source has more partitions) is opened anew
 * beside the old one, whose tasks go on until they are gone. A task that cannot even be assigned is
 * kept as FAILED with its reason, for the reports.
 * Limits: MR_MESSAGE_TASKS_MAX tasks and standbys, MR_MESSAGE_TOPOLOGIES_MAX versions: what is
 * wanted beyond them begins when something has gone. Threads: the controlling thread's;
 * mr_host_visit any. */
#ifndef MR_WORKER_HOST_H
#define MR_WORKER_HOST_H

#include "worker/agent.h"
#include "worker/follower.h"
#include "worker/janitor.h"
#include "worker/worker.h"

enum { MR_HOST_REBIND_MS = 1000 }; /* a binding this young is not asked for again */

struct mr_host;

/* All borrowed until the host is destroyed. */
struct mr_host_open {
    struct mr_worker *worker;
    struct mr_follower *follower;
    struct mr_janitor *janitor; /* NULL: local state is nobody's affair */
    const struct mr_catalogue *catalogue;
    const char *cluster;
    const char *log_cluster_id;
};

struct mr_host *mr_host_create(const struct mr_host_open *open);
/* Pre: the worker has stopped and the follower is destroyed. Accepts NULL. */
void mr_host_destroy(struct mr_host *host);

/* What there is now; valid until the next look. */
const struct mr_agent_host *mr_host_look(struct mr_host *host);
/* Carry out a command about versions, tasks, standbys or questions. Indexes are of the last look.
 */
void mr_host_obey(struct mr_host *host, const struct mr_agent_command *command, uint64_t now_ms);

/* A task or standby as of the last look, for health and metrics; texts are valid during the call.
 */
typedef void (*mr_host_visit_fn)(void *argument, const char *topology,
                                 const struct mr_task_report *report);
void mr_host_visit(struct mr_host *host, mr_host_visit_fn visit, void *argument);

#endif
