/* coordinator/kubernetes_watch.h — the objects of a collection in Kubernetes, and what becomes of
 * them: list, then watch from there on, for as long as it is wanted.
 * Model: LISTING, OBJECT for each that there is, LISTED: what was not among them is gone. From then
 * on OBJECT (new or changed) and DELETED, as the server tells. A watch ends often (the server ends
 * each, connections break); it goes on from the last version that was seen, which bookmarks keep
 * fresh. When the server has forgotten that version (410) all is listed again. Where the server
 * does not know the collection (404: its definition is not installed) or does not show it (403) it
 * is LISTED as empty, and asked for again.
 * Invariant: whoever keeps what OBJECT gave and drops what DELETED or LISTED took has the
 * collection, late but without gaps. An object may come twice.
 * Back-off after failures: 0.5 s, doubled up to 30 s, each times a random 0.5 to 1.5.
 * Limits: MR_KUBERNETES_OBJECTS_MAX objects, the rest of a list is left out and that is logged; a
 * line of MR_KUBERNETES_EVENT_BYTES_MAX. */
#ifndef MR_COORDINATOR_KUBERNETES_WATCH_H
#define MR_COORDINATOR_KUBERNETES_WATCH_H

#include "coordinator/kubernetes_client.h"

enum { MR_KUBERNETES_OBJECTS_MAX = 4096, MR_KUBERNETES_EVENT_BYTES_MAX = 8 << 20 };

enum mr_kubernetes_event {
    MR_KUBERNETES_LISTING, /* object NULL */
    MR_KUBERNETES_OBJECT,
    MR_KUBERNETES_DELETED,
    MR_KUBERNETES_LISTED /* object NULL */
};

struct mr_kubernetes_watch {
    const char *path;     /* of the collection */
    const char *selector; /* of labels, percent-encoded; NULL: all */
    uint32_t round_s;     /* a watch lasts so long at most; 0: 290 */
    /* object borrows. Called by the thread that watches. */
    void (*visit)(void *argument, enum mr_kubernetes_event event, json_t *object);
    bool (*given_up)(void *argument); /* asked at least once a second; true: end */
    void *argument;
    char version[64]; /* seen last; empty: list first */
};

/* Until it is given up. What fails is logged, once per kind of failure until it works again. */
void mr_kubernetes_watch_run(struct mr_kubernetes_client *client,
                             struct mr_kubernetes_watch *watch);

/* One list (where there is no version) and one watch. MR_OK: the server has ended the watch.
 * Errors: those of the client (MR_NOT_FOUND: the server does not know the collection); MR_CLOSED:
 * given up; MR_VERSION: list again; MR_LIMIT: a token or a line that is too long. */
enum mr_status mr_kubernetes_watch_round(struct mr_kubernetes_client *client,
                                         struct mr_kubernetes_watch *watch,
                                         struct mr_error *error) MR_NODISCARD;

#endif
