/* coordinator/kubernetes.h — a coordinator in Kubernetes: topologies as objects of its API server.
 * Model: while this coordinator leads, two threads watch (Topologies, and ConfigMaps with the label
 * millrace.io/topology=true) and one acts (kubernetes_sync.h); a coordinator that does not lead
 * watches nothing and writes nothing, and a new leader lists all anew. Only the namespace of the
 * client is looked at: the same name in two namespaces is two topologies of two clusters.
 * With an address for it, every coordinator serves the admission webhook (kubernetes_admission.h),
 * and a thread of its own sees to its certificate (kubernetes_certificate.h).
 * Where the CustomResourceDefinition is not installed, ConfigMaps work all the same. */
#ifndef MR_COORDINATOR_KUBERNETES_H
#define MR_COORDINATOR_KUBERNETES_H

#include "coordinator/kubernetes_client.h"

struct mr_coordinator;
struct mr_kubernetes;

/* *kubernetes NULL: the options do not ask for it. Errors: MR_INVALID, MR_IO with a sentence. */
enum mr_status mr_kubernetes_start(struct mr_coordinator *coordinator,
                                   struct mr_kubernetes **kubernetes,
                                   struct mr_error *error) MR_NODISCARD;
/* The port of the admission webhook; 0: it is not served. Accepts NULL. */
int mr_kubernetes_port(const struct mr_kubernetes *kubernetes);
/* Before the coordinator stops, since it asks it. What is under way is cancelled, so that it takes
 * about a second and leaves the time that a pod has for the hand-over. Accepts NULL. */
void mr_kubernetes_stop(struct mr_kubernetes *kubernetes);

#endif
