/* coordinator/kubernetes_sync.h — from objects of Kubernetes to topologies, and back to their
 * status.
 * Model: a pass compares what objects want with what the cluster has, and does the next step of
 * each that differs. A pass can be made any number of times, by any leader: what was done before is
 * seen in the cluster and in the objects.
 *   new, changed   checked by a dry run; then the finalizer millrace.io/topology goes on, then it
 *                  is submitted (the same requests as `millrace submit`, so the same messages)
 *   refused        status, findings; tried again every 30 s, as a topic may appear
 *   deleted        the topology is deleted, its object's finalizer goes when it is gone; the same
 *                  when a ConfigMap has lost its label
 * A topology that was accepted is submitted again when its object changes, or when it is gone from
 * the cluster: a rollback holds until then.
 * Annotation millrace.io/drop-state: names as of `millrace submit --drop-state`, comma-separated.
 * ConfigMaps carry their status in annotations: millrace.io/topology-name, millrace.io/state,
 * millrace.io/version, millrace.io/error, millrace.io/observed (a hash of what the rest is about).
 * Of several objects that name a topology the oldest deploys it.
 * Limits: an object's status is written at most every 2 s, details at most every 10 s, and
 * MR_SYNC_WRITES_MAX objects a pass. */
#ifndef MR_COORDINATOR_KUBERNETES_SYNC_H
#define MR_COORDINATOR_KUBERNETES_SYNC_H

#include "coordinator/kubernetes_objects.h"
#include "http/server.h"

enum { MR_SYNC_WRITES_MAX = 32 };

struct mr_kubernetes_sync {
    struct mr_kubernetes_client *client; /* borrowed */
    struct mr_kubernetes_objects *objects;
    const char *cluster;
    /* A request to the coordinator's own API. */
    enum mr_status (*ask)(void *argument, const struct mr_http_asking *asking,
                          struct mr_arena *arena, struct mr_http_asked *asked,
                          struct mr_error *error);
    void *argument;
    uint32_t known_count;  /* of objects, at the last pass */
    uint32_t writes_count; /* of this pass */
};

/* now_ms is monotonic. MR_AGAIN: the objects were not listed yet, or another leads. MR_CLOSED: a
 * request was cancelled. Other errors: the cluster or the API server does not answer; what could be
 * done was done. */
enum mr_status mr_kubernetes_sync_pass(struct mr_kubernetes_sync *sync, uint64_t now_ms,
                                       struct mr_error *error) MR_NODISCARD;

#endif
