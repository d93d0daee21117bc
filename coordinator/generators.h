/* coordinator/generators.h — generators over WebSocket: who asks by a path is answered with rows
 * drawn from the model that the operator has learned.
 * Model: a listener of its own (http/server.h with one route); behind each path a generator: an
 * operator of a running topology that keeps a model (`generate.copula`), at /TOPOLOGY/OPERATOR, and
 * at /OPERATOR where that names one only; one that keeps a model per key, at /TOPOLOGY/OPERATOR/KEY
 * (percent-encoded, as message keys have it); or a model document from a file, at /NAME. Everything
 * that runs is served; a topology need not say so. A generator's model is a document
 * (operators/sample_model.h) that the source fetches: at the first question, and about once a
 * second while somebody is connected, so that rows follow what is learned. Connections draw from
 * the model that was there when their request began.
 * An unknown path gets 404 with the known ones, connections beyond connections_max 503. A page may
 * ask when the listener has a token, or when it comes from this machine: without a token any page
 * that a user visits could ask otherwise (403).
 * Threads: start and stop belong to one thread. The listener's thread draws; one thread of this
 * file lists and fetches, which may wait, one opens drawings under conditions.
 * Limits: MR_GENERATORS_MAX paths, those of keys too while somebody is connected; operators beyond
 * are logged and not served. */
#ifndef MR_COORDINATOR_GENERATORS_H
#define MR_COORDINATOR_GENERATORS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "topology/plan.h"

enum {
    MR_GENERATORS_MAX = 1024,
    MR_GENERATORS_PORT = 8765,
    MR_GENERATORS_CONNECTIONS = 100,      /* default */
    MR_GENERATORS_CONNECTIONS_MAX = 1000, /* below MR_HTTP_CONNECTIONS_MAX */
    MR_GENERATORS_PERIOD_MS = 1000
};

struct mr_generators; /* the service */
struct mr_generator;  /* what one path leads to */
struct mr_generator_model;

/* One of what runs. */
struct mr_generator_name {
    const char *topology;
    const char *node;
    const char *key; /* NULL: none */
};

/* Where running generators are found, on the service's own thread; each call may wait some seconds
 * and ends soon after `cancel`. */
struct mr_generator_source {
    void *argument;
    /* All that run now, without keys, into arena. */
    enum mr_status (*list)(void *argument, struct mr_arena *arena,
                           const struct mr_generator_name **names, uint32_t *names_count,
                           struct mr_error *error);
    /* The document of one, into arena. */
    enum mr_status (*fetch)(void *argument, const struct mr_generator_name *name,
                            struct mr_arena *arena, struct mr_slice *document,
                            struct mr_error *error);
    void (*cancel)(void *argument); /* any thread; NULL: calls do not wait */
};

/* A model document from a file. */
struct mr_generator_document {
    const char *file; /* for errors */
    struct mr_slice text;
};

struct mr_generators_options {
    const char *address; /* HOST:PORT, or HOST: port 8765; port 0: any */
    const char *certificate_file;
    const char *key_file;
    const char *client_authority_file;
    const char *token;
    uint32_t connections_max;                      /* 0: the default */
    const struct mr_generator_source *source;      /* NULL: files only; borrowed until stop */
    const struct mr_generator_document *documents; /* read at the start */
    uint32_t documents_count;
};

/* Listens when it returns. Errors: MR_INVALID: the address is not of this machine only, and TLS or
 * the token is missing; a file is no model; MR_IO. */
enum mr_status mr_generators_start(const struct mr_generators_options *options,
                                   struct mr_generators **generators,
                                   struct mr_error *error) MR_NODISCARD;
void mr_generators_stop(struct mr_generators *generators); /* accepts NULL */
int mr_generators_port(const struct mr_generators *generators);

/* The generators of a topology: operators that write models. Texts are copied into arena. */
const struct mr_generator_name *
mr_generators_of_plan(const struct mr_plan *plan, struct mr_arena *arena, uint32_t *names_count);

/* ---- For sessions, on the listener's thread ---- */

/* The model as it is now. MR_AGAIN: it is being fetched, ask again in some milliseconds; otherwise
 * why there is none. Does not wait. */
enum mr_status mr_generator_acquire(struct mr_generator *generator,
                                    struct mr_generator_model **model,
                                    struct mr_error *error) MR_NODISCARD;
const struct mr_sample_model *mr_generator_model_of(const struct mr_generator_model *model);
/* Another reference. */
struct mr_generator_model *mr_generator_share(struct mr_generator_model *model);
void mr_generator_release(struct mr_generator_model *model); /* accepts NULL */
/* Where openings go (generator_opening.h). */
struct mr_ring *mr_generator_openings(struct mr_generator *generator);
/* A connection has ended. */
void mr_generator_leave(struct mr_generator *generator);

#endif
