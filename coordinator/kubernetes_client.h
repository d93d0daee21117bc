/* coordinator/kubernetes_client.h — requests to the API server of Kubernetes, in JSON.
 * Why our own: of the whole API a coordinator needs a dozen paths; libcurl, which is here already
 * (http/client.h), is enough for them.
 * Model: a client knows the server's address, whom its certificate must come from and a file with a
 * token, as every pod has them. The token is read anew for each request, since Kubernetes rotates
 * it, and once more when the server does not accept it. It is never printed or logged.
 * Errors, by the server's answer: 404 MR_NOT_FOUND; 409 MR_FENCED (the object has changed
 * meanwhile, or exists: look again); 410 MR_VERSION; 401, 403, 400, 422 MR_INVALID with the
 * server's sentence; 429, 5xx and silence MR_IO or MR_TIMEOUT, recovery RETRY. Threads: a client
 * belongs to one thread at a time, except mr_kubernetes_client_cancel. Limits: 30 s a request; a
 * token file of MR_KUBERNETES_TOKEN_BYTES_MAX; MR_HTTP_REPLY_BYTES_MAX of an answer. See:
 * kubernetes_watch.h. */
#ifndef MR_COORDINATOR_KUBERNETES_CLIENT_H
#define MR_COORDINATOR_KUBERNETES_CLIENT_H

#include "http/client.h"

#include <jansson.h>

enum { MR_KUBERNETES_TOKEN_BYTES_MAX = 16 << 10, MR_KUBERNETES_NAME_BYTES_MAX = 253 };

struct mr_kubernetes_client;

/* Texts are borrowed by mr_kubernetes_client_create only. */
struct mr_kubernetes_options {
    const char *url;            /* "https://10.0.0.1:443"; plain http is for tests */
    const char *authority_file; /* PEM; NULL: the system's */
    const char *token_file;     /* NULL: no token */
    const char *name_space;     /* that everything happens in */
};

/* Fill what is NULL as a pod finds it: KUBERNETES_SERVICE_HOST and _PORT of the environment, and
 * the files below /var/run/secrets/kubernetes.io/serviceaccount. Where url is given, only the
 * namespace is filled (without that file: "default"). Owner: texts are in arena. MR_INVALID: this
 * is no pod; the sentence says what to give instead. */
enum mr_status mr_kubernetes_options_fill(struct mr_kubernetes_options *options,
                                          struct mr_arena *arena,
                                          struct mr_error *error) MR_NODISCARD;

/* Asks nothing yet. MR_INVALID: an address or a namespace that cannot be one. */
enum mr_status mr_kubernetes_client_create(const struct mr_kubernetes_options *options,
                                           struct mr_kubernetes_client **client,
                                           struct mr_error *error) MR_NODISCARD;
void mr_kubernetes_client_destroy(struct mr_kubernetes_client *client); /* accepts NULL */
/* Any thread: what is under way ends with MR_CLOSED within about a second, and so does every later
 * request. */
void mr_kubernetes_client_cancel(struct mr_kubernetes_client *client);
const char *mr_kubernetes_client_namespace(const struct mr_kubernetes_client *client);

/* Lower-case letters, digits, '-' and '.', as names of objects are. */
bool mr_kubernetes_is_name(const char *text);

/* One request. path: "/api/v1/namespaces/..." with its query, percent-encoded; content_type is of
 * body ("application/json", "application/merge-patch+json"); body NULL: none. *answer: the object,
 * to be given up by the caller; NULL where an answer is not wanted. */
enum mr_status mr_kubernetes_client_send(struct mr_kubernetes_client *client, const char *method,
                                         const char *path, const char *content_type,
                                         const json_t *body, json_t **answer,
                                         struct mr_error *error) MR_NODISCARD;
enum mr_status mr_kubernetes_client_get(struct mr_kubernetes_client *client, const char *path,
                                        json_t **answer, struct mr_error *error) MR_NODISCARD;

/* Lines of a watch: see struct mr_http_lines; wait_ms and errors as above. */
enum mr_status mr_kubernetes_client_read_lines(struct mr_kubernetes_client *client,
                                               const char *path, const struct mr_http_lines *lines,
                                               struct mr_error *error) MR_NODISCARD;

/* How many pods a StatefulSet of the client's namespace is to have. Pods with an ordinal at or
 * above first_ordinal + replicas are to go. */
struct mr_kubernetes_replicas {
    int32_t replicas;
    int32_t first_ordinal; /* spec.ordinals.start; 0 unless somebody has set it */
};
enum mr_status mr_kubernetes_client_replicas(struct mr_kubernetes_client *client,
                                             const char *stateful_set,
                                             struct mr_kubernetes_replicas *replicas,
                                             struct mr_error *error) MR_NODISCARD;

#endif
