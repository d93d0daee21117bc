/* tests/unit/coordinator/kubernetes_fixture.h — an API server of Kubernetes as far as a coordinator
 * sees it: collections of objects with versions, lists, watches, merge patches, finalizers.
 * Objects are at COLLECTION/NAME; a path that ends with /status changes the status alone. */
#ifndef MR_TESTS_KUBERNETES_FIXTURE_H
#define MR_TESTS_KUBERNETES_FIXTURE_H

#include "coordinator/kubernetes_client.h"
#include "tests/support/scripted_server.h"

#include <pthread.h>
#include <stdatomic.h>

enum { KUBERNETES_OBJECTS_MAX = 32, KUBERNETES_EVENTS_MAX = 512 };

struct kubernetes_fixture {
    struct scripted_server *server;
    char url[64];
    struct mr_kubernetes_options options; /* of clients, namespace "here" */
    pthread_mutex_t mutex;
    char *paths[KUBERNETES_OBJECTS_MAX]; /* NULL: free */
    json_t *objects[KUBERNETES_OBJECTS_MAX];
    json_t *events[KUBERNETES_EVENTS_MAX]; /* each with the path of its collection */
    uint32_t events_count;
    uint32_t lists_count;
    uint32_t watches_count;
    uint32_t patches_count;
    int64_t version;
    int refuse_code;        /* of every patch; 0: none */
    atomic_int unseen_code; /* of every request for Topologies; 0: they are there */
};

#define KUBERNETES_TOPOLOGIES "/apis/millrace.io/v1alpha1/namespaces/here/topologies"
#define KUBERNETES_CONFIG_MAPS "/api/v1/namespaces/here/configmaps"

void kubernetes_start(struct kubernetes_fixture *fixture);
void kubernetes_stop(struct kubernetes_fixture *fixture);
/* object is given up; what is there under its name is replaced, its generation counted up. */
void kubernetes_put(struct kubernetes_fixture *fixture, const char *collection, json_t *object);
/* As a user deletes: gone at once, or marked while a finalizer is there. */
void kubernetes_delete(struct kubernetes_fixture *fixture, const char *collection,
                       const char *name);
/* A copy; NULL: there is none. */
json_t *kubernetes_get(struct kubernetes_fixture *fixture, const char *collection,
                       const char *name);
/* A copy of the path's value in an object: steps divided by ':', list items by their number, a
 * condition by its type. NULL: there is none. */
json_t *kubernetes_value(struct kubernetes_fixture *fixture, const char *collection,
                         const char *name, const char *path);
/* Wait until the text at a path is this; NULL: until the object is gone. */
void kubernetes_await(struct kubernetes_fixture *fixture, const char *collection, const char *name,
                      const char *path, const char *text);

#endif
