/* coordinator/binding.h — a deployment as a message: what a worker needs to make the same one.
 * Why: plans hold pointers and are made anew from the definition wherever they are needed; what
 * only the cluster knows (topics, their ids, partition counts) is decided once, here, and goes
 * along by name. The worker's side is worker/. */
#ifndef MR_COORDINATOR_BINDING_H
#define MR_COORDINATOR_BINDING_H

#include "proto/messages.h"
#include "topology/deployment.h"

#include "base/arena.h"

/* Owner: arrays are in arena; texts are borrowed from the deployment and its plan. */
void mr_binding_make(const struct mr_deployment *deployment, struct mr_arena *arena,
                     struct mr_binding *binding);

/* The bound subtopology or node of a name; NULL: there is none. */
const struct mr_bound_subtopology *mr_binding_subtopology(const struct mr_binding *binding,
                                                          const char *name);
const struct mr_bound_node *mr_binding_node(const struct mr_binding *binding, const char *name);

/* Where `before` bound the same generation: a subtopology that has not grown since keeps its
 * tasks_before, or tasks that were added then and have not committed yet would take their inputs
 * for old ones. */
void mr_binding_keep(struct mr_binding *binding, const struct mr_binding *before,
                     struct mr_arena *arena);

/* All tasks of a binding. */
uint32_t mr_binding_tasks_count(const struct mr_binding *binding);

/* Do two bindings name the same topics with the same partition counts? */
bool mr_binding_equal(const struct mr_binding *left, const struct mr_binding *right);

#endif
