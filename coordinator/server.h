/* coordinator/server.h — a coordinator process around the pure core (coordinator/core.h) and the
 * pure election (coordinator/election.h): threads, the log, the transport, HTTP.
 * Model: one thread owns core and election and is told of everything by work items from one bounded
 * ring; others do what waits:
 *   core      events in, commands out; steps at least every 50 ms
 *   receive   decodes workers' requests
 *   control   follows the control topic; reads to its end, initialises, writes, in order
 *   jobs      long work that changes the cluster (coordinator/jobs.h), and watching source topics
 *   reads     long work that does not: differences, plans, queries forwarded to workers
 *   HTTP      the server's own (http/server.h); its handlers hand exchanges to the core thread
 * What is decided is committed to the control topic before it is sent: core and control see to it
 * together, since a reply waits in the core for WRITTEN.
 * Limits: MR_COORDINATOR_EVENTS_MAX events wait; a worker that finds the ring full is told BUSY, a
 * user 503. */
#ifndef MR_COORDINATOR_SERVER_H
#define MR_COORDINATOR_SERVER_H

#include "base/metrics.h"
#include "connectors/log.h"
#include "coordinator/generators.h"
#include "coordinator/kubernetes_client.h"
#include "proto/transport.h"
#include "topology/type.h"

enum { MR_COORDINATOR_EVENTS_MAX = 16384 };

struct mr_coordinator;

/* NULL or 0: the default, or none. Texts are borrowed until the coordinator is destroyed. */
struct mr_coordinator_options {
    const char *cluster;
    struct mr_log *log;             /* borrowed */
    struct mr_transport *transport; /* borrowed */
    const struct mr_catalogue *catalogue;
    const char *listen;    /* transport address */
    const char *advertise; /* transport address for workers; NULL: listen */
    const struct mr_transport_tls *tls;
    const char *http;           /* HOST:PORT; port 0: any */
    const char *http_advertise; /* HOST:PORT for users and other coordinators; NULL: http */
    const char *http_certificate_file;
    const char *http_key_file;
    const char *http_client_authority_file;
    const char *http_authority_file; /* that workers' certificates come from; NULL: the system's */
    const char *http_token;
    const char *websocket;          /* HOST or HOST:PORT of generators (generators.h); NULL: none */
    uint32_t websocket_connections; /* 0: the default */
    const struct mr_generator_document *websocket_documents; /* models from files */
    uint32_t websocket_documents_count;
    const char
        *workers_set; /* a StatefulSet whose replicas say how many workers there should be; */
    const struct mr_kubernetes_options *kubernetes; /* NULL: nobody says. Asked there */
    bool kubernetes_topologies;                     /* deploy the topologies that are kept there */
    const char *admission;         /* HOST:PORT of the admission webhook; NULL: none */
    const char *admission_secret;  /* NULL: millrace-admission */
    const char *admission_service; /* NULL: millrace-coordinator */
    const char *admission_webhook; /* a ValidatingWebhookConfiguration; NULL: none to write to */
    uint32_t silence_ms;           /* of workers: see coordinator/core.h */
    uint32_t gone_ms;
    uint32_t grace_ms;
    uint32_t takeover_ms;
    uint32_t moves_max;
    uint32_t settle_ms;
    uint32_t watch_ms; /* between looks at source topics; default 15000 */
    uint32_t stuck_ms; /* a thread that has not turned for so long is dead; default 30000 */
    uint32_t wait_ms;  /* bounds each request to the log; default 15000 */
};

/* Listens when it returns, and takes part in the election from then on. Errors: MR_INVALID, MR_IO
 * with a sentence; recovery RETRY: the log does not answer. */
enum mr_status mr_coordinator_start(const struct mr_coordinator_options *options,
                                    struct mr_coordinator **coordinator,
                                    struct mr_error *error) MR_NODISCARD;
/* The port that HTTP listens on. */
int mr_coordinator_http_port(const struct mr_coordinator *coordinator);
/* The port of generators over WebSocket; 0: they are not served. */
int mr_coordinator_websocket_port(const struct mr_coordinator *coordinator);
/* The port of the admission webhook; 0: it is not served. */
int mr_coordinator_admission_port(const struct mr_coordinator *coordinator);
/* Hand over (a leader says that it has resigned, so that another takes over at once) and end.
 * Returns when the threads have ended, at most some seconds after the log has answered. Accepts
 * NULL. */
void mr_coordinator_stop(struct mr_coordinator *coordinator);

#endif
