/* coordinator/kubernetes_certificate.h — the certificate that the admission webhook shows, and the
 * authority that the API server trusts.
 * Model: a Secret holds both (ca.crt, ca.key, tls.crt, tls.key), so that all coordinators show the
 * same. An empty one with the label millrace.io/renew: "true" the leader fills; deploy/k8s brings
 * such a one, so that coordinators need no right to make Secrets. Where there is none the leader
 * makes one with that label, if it may (else it says what the API server refused). It renews the
 * certificate when a third of its life is left (90 days), and the authority a year before its end
 * (10 years), keeping the old one trusted. A Secret without that label is somebody else's: it is
 * shown and never changed; ca.crt, where it has one, is who signed it. The leader writes the
 * authority into caBundle of the ValidatingWebhookConfiguration.
 * What is not there yet is looked for again at the next look. */
#ifndef MR_COORDINATOR_KUBERNETES_CERTIFICATE_H
#define MR_COORDINATOR_KUBERNETES_CERTIFICATE_H

#include "coordinator/kubernetes_client.h"
#include "http/certificate.h"

struct mr_kubernetes_certificate {
    struct mr_kubernetes_client *client; /* borrowed, as all below */
    struct mr_http_identity *identity;
    const char *secret;  /* its name */
    const char *service; /* the certificate is for SERVICE.NAMESPACE.svc */
    const char *webhook; /* a ValidatingWebhookConfiguration; NULL: caBundle is others' business */
    char *shown;         /* the Secret's version that the identity has; NULL: none */
};

/* Look at the Secret and show its certificate; a leader also makes, renews and writes what is
 * missing. wall_ms: since 1970. MR_AGAIN: there is no Secret yet or an empty one, and this is no
 * leader. */
enum mr_status mr_kubernetes_certificate_look(struct mr_kubernetes_certificate *certificate,
                                              bool leads, int64_t wall_ms,
                                              struct mr_error *error) MR_NODISCARD;
/* Free what it keeps. */
void mr_kubernetes_certificate_deinit(struct mr_kubernetes_certificate *certificate);

#endif
