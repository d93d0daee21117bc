/* coordinator/kubernetes_objects.h — the objects that say which topologies there should be, between
 * the threads that watch them and the one that acts (kubernetes_sync.h).
 * Model: a watch notes what it sees; the acting thread takes the newest of each object when it
 * begins a pass, and keeps its own notes about it for as long as the object is there. A ConfigMap
 * whose label was removed is deleted for its watch but still there: while our finalizer is on it it
 * is kept as released, and the acting thread lets it go.
 * Locks: the mutex guards the table and what is incoming; all else of an object is the acting
 * thread's. Limits: MR_KUBERNETES_OBJECTS_MAX; more are left out, which is logged. */
#ifndef MR_COORDINATOR_KUBERNETES_OBJECTS_H
#define MR_COORDINATOR_KUBERNETES_OBJECTS_H

#include "coordinator/kubernetes_watch.h"

enum mr_kubernetes_kind { MR_KUBERNETES_TOPOLOGY, MR_KUBERNETES_CONFIG_MAP, MR_KUBERNETES_KINDS };

/* What became of the last try to deploy an object. */
enum mr_kubernetes_verdict {
    MR_VERDICT_NONE, /* there was none */
    MR_VERDICT_ACCEPTED,
    MR_VERDICT_INVALID,  /* findings, or a sentence */
    MR_VERDICT_CONFLICT, /* another object deploys that topology */
    MR_VERDICT_LATER     /* the cluster could not say; tried again */
};

struct mr_kubernetes_object {
    enum mr_kubernetes_kind kind;
    char *id; /* namespace and name are unique within a kind: the name */
    json_t *incoming;
    bool seen;    /* by the present listing */
    bool missing; /* deleted from the collection */

    /* The acting thread's. */
    json_t *json;    /* the newest; NULL: not taken yet */
    bool fresh;      /* json has changed since this was last cleared */
    char *topology;  /* the name of its topology; NULL: cannot be told */
    char *attempted; /* what the verdict is about: a generation, or a hash of a text */
    enum mr_kubernetes_verdict verdict;
    char *message;    /* of the verdict; NULL: none */
    json_t *findings; /* of the verdict; NULL: none */
    uint64_t retry_ms;
    uint64_t write_ms; /* not before */
    uint64_t look_ms;  /* not before: at a released one */
    bool owner;        /* of its topology, among the objects that name it */
    bool released;     /* its collection holds it no more, json still has the finalizer */
};

/* On what a topology was deployed from, until that topology is gone. */
#define MR_KUBERNETES_FINALIZER "millrace.io/topology"

/* Of an object as the API server has it; NULL: no. */
bool mr_kubernetes_has_finalizer(const json_t *object);
bool mr_kubernetes_is_deleting(const json_t *object);

struct mr_kubernetes_objects;

struct mr_kubernetes_objects *mr_kubernetes_objects_create(void);
void mr_kubernetes_objects_destroy(struct mr_kubernetes_objects *objects); /* accepts NULL */

/* A watch's thread: as struct mr_kubernetes_watch's visit. */
void mr_kubernetes_objects_note(struct mr_kubernetes_objects *objects, enum mr_kubernetes_kind kind,
                                enum mr_kubernetes_event event, const json_t *object);
/* Nothing is known any more; the watches are not running. */
void mr_kubernetes_objects_clear(struct mr_kubernetes_objects *objects);

/* The acting thread: take what came. Returns whether all kinds were listed; *items and what they
 * point to are valid until the next call. What was deleted is forgotten, unless it is released. */
bool mr_kubernetes_objects_take(struct mr_kubernetes_objects *objects,
                                struct mr_kubernetes_object *const **items, uint32_t *count);

#endif
