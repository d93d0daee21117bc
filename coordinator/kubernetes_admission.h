/* coordinator/kubernetes_admission.h — a validating admission webhook: POST /v1/admission with an
 * AdmissionReview (v1), over TLS, on a listener of its own.
 * Model: a Topology that is created or changed is planned, and compared with the version that runs,
 * as `millrace submit` does; what is wrong is the refusal's message, with line, field and reason.
 * Nothing is looked up in Kafka: a topic that does not exist yet is no reason to refuse an object.
 * Every coordinator answers, from what it has read of the control topic. Deletions, changes of
 * metadata or status alone, and other kinds are allowed.
 * Who may ask: whoever reaches the port; nothing is told but about the object that was sent. */
#ifndef MR_COORDINATOR_KUBERNETES_ADMISSION_H
#define MR_COORDINATOR_KUBERNETES_ADMISSION_H

#include "http/certificate.h"
#include "http/server.h"

struct mr_coordinator;
struct mr_kubernetes_admission;

/* Listens when it returns; identity is borrowed. Errors: as mr_http_server_start. */
enum mr_status mr_kubernetes_admission_start(struct mr_coordinator *coordinator,
                                             const char *address, struct mr_http_identity *identity,
                                             struct mr_kubernetes_admission **admission,
                                             struct mr_error *error) MR_NODISCARD;
int mr_kubernetes_admission_port(const struct mr_kubernetes_admission *admission);
/* While the coordinator's threads still run or after they have ended. Accepts NULL. */
void mr_kubernetes_admission_stop(struct mr_kubernetes_admission *admission);

#endif
