/* http/server.h — an HTTP server for users: requests to handlers, answers, server-sent events.
 * Why: coordinator and worker serve the same kind of API; libwebsockets stays in http/server*.c.
 * Model: a table of routes; the server's own thread reads requests and calls the route's handler
 * there. A handler either answers at once or keeps the exchange and answers later from any thread
 * (mr_http_answer). Whoever keeps an exchange answers it exactly once; when the client has gone
 * meanwhile the answer is dropped. Errors are RFC 9457 problem documents (mr_http_problem).
 * Paths: "/v1/topologies/{name}/pause"; a {part} matches one segment, percent-decoded; "{rest*}" at
 * the end matches the remainder. The first route of the table that matches is taken. HEAD is GET
 * without the body. Broken escapes, escaped NUL and bytes that are not UTF-8 are refused with 400.
 * Patience: 10 s for a request's head, 30 s for its body and for an answer to be read (plus 1 s for
 * each 64 KiB that moved), 75 s for the next request on a connection.
 * Limits: the options below; a request beyond one gets 413, 414, 431 or 503. */
#ifndef MR_HTTP_SERVER_H
#define MR_HTTP_SERVER_H

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

#include <stdatomic.h>

enum {
    MR_HTTP_BODY_BYTES_MAX = 5 << 20, /* a definition of 4 MiB with its envelope */
    MR_HTTP_PATH_BYTES_MAX = 2048,
    MR_HTTP_CONNECTIONS_MAX = 1024,
    MR_HTTP_SUBSCRIBERS_MAX = 64,
    MR_HTTP_PARTS_MAX = 8,
    MR_HTTP_BODIES_BYTES_MAX = 64 << 20,   /* of all requests together */
    MR_HTTP_ANSWERS_BYTES_MAX = 256 << 20, /* of all answers that wait to be read, together */
    MR_HTTP_EVENTS_MAX = 1000,             /* that wait for a subscriber */
    MR_HTTP_EVENT_BYTES_MAX = 8 << 20,     /* of those, and of one */
    MR_HTTP_CHANNEL_BYTES_MAX = 255,
    MR_HTTP_REQUEST_MS_MAX = 60000 /* a kept exchange is answered with 504 after this */
};

struct mr_http_identity; /* http/certificate.h */
struct mr_http_server;
struct mr_http_exchange; /* one request and its answer to be */

enum mr_http_method { MR_HTTP_GET, MR_HTTP_POST, MR_HTTP_PUT, MR_HTTP_DELETE, MR_HTTP_PATCH };

/* Valid until the exchange is answered. */
struct mr_http_request {
    enum mr_http_method method;
    const char *path;                     /* as sent, still percent-encoded: fit to forward */
    const char *query;                    /* as sent, without '?'; empty: none */
    const char *parts[MR_HTTP_PARTS_MAX]; /* of the route's pattern, in order, decoded */
    const char *content_type;             /* empty: none */
    const char *accept;                   /* empty: none */
    const char *authorization;            /* empty: none; never logged */
    const char *origin;                   /* of a page's request; empty: none */
    const char *websocket_key;            /* NULL: it asks for no WebSocket (http/websocket.h) */
    struct mr_slice body;
};

/* A query parameter's value, percent-decoded; NULL when it is not given. */
const char *mr_http_query(const struct mr_http_exchange *exchange, const char *name);
const struct mr_http_request *mr_http_request_of(const struct mr_http_exchange *exchange);
/* Memory that lives as long as the exchange; for the one thread that has it. */
struct mr_arena *mr_http_arena(struct mr_http_exchange *exchange);

struct mr_http_route {
    enum mr_http_method method;
    const char *pattern;
    void (*handle)(void *argument, struct mr_http_exchange *exchange);
};

struct mr_http_server_options {
    const char *address;          /* HOST:PORT; port 0: any free one */
    const char *certificate_file; /* with key_file: TLS; both NULL: plain */
    const char *key_file;
    struct mr_http_identity *identity;  /* instead of files; borrowed; NULL: files or plain */
    const char *client_authority_file;  /* NULL: clients need no certificate */
    const char *token;                  /* NULL: none; else `Authorization: Bearer TOKEN` is needed
                                           everywhere but on /healthz, /readyz and /metrics;
                                           for a WebSocket, which pages cannot give a header, also
                                           ?access_token=TOKEN (RFC 6750, 2.3) */
    const struct mr_http_route *routes; /* ended by a NULL pattern; static */
    void *argument;                     /* of the handlers */
};

/* Listens when it returns. Errors: MR_INVALID, MR_IO with a sentence. */
enum mr_status mr_http_server_start(const struct mr_http_server_options *options,
                                    struct mr_http_server **server,
                                    struct mr_error *error) MR_NODISCARD;
/* Kept exchanges get 503; returns when the thread has ended. Accepts NULL. */
void mr_http_server_stop(struct mr_http_server *server);
/* The port that it listens on. */
int mr_http_server_port(const struct mr_http_server *server);

/* ---- Requests from within the process ---- */
struct mr_http_asking {
    enum mr_http_method method;
    const char *target;       /* path and query, percent-encoded */
    const char *content_type; /* NULL: no body */
    struct mr_slice body;
    uint32_t wait_ms;
    const atomic_bool *cancelled; /* true: the wait ends within about 0.1 s; NULL: nobody ends it */
};
struct mr_http_asked {
    int code;
    struct mr_slice body; /* ends with NUL behind its size */
};
/* Call the handler of a route, as if a client that may do it had asked, and wait for its answer; of
 * any code. Any thread but the server's; not while it is stopped. Owner: everything is copied.
 * MR_INVALID: there is no such route; MR_TIMEOUT, MR_CLOSED (cancelled): it may have been carried
 * out or will be. */
enum mr_status mr_http_server_ask(struct mr_http_server *server,
                                  const struct mr_http_asking *asking, struct mr_arena *arena,
                                  struct mr_http_asked *asked, struct mr_error *error) MR_NODISCARD;

/* ---- Answers: any thread, once per exchange; everything is copied ---- */
void mr_http_answer(struct mr_http_exchange *exchange, int code, const char *content_type,
                    struct mr_slice body);
/* application/problem+json: {type: "about:blank", title, status, detail}, and Retry-After when
 * retry_after_s > 0. */
void mr_http_problem(struct mr_http_exchange *exchange, int code, uint32_t retry_after_s,
                     const char *detail, ...) MR_PRINTF(4, 5);
/* 307 to an absolute URL. */
void mr_http_redirect(struct mr_http_exchange *exchange, const char *url);

/* ---- Server-sent events ---- */
/* Turn the exchange into a subscription to channel ("events", "tap/NAME/OPERATOR"). It ends with
 * the client. A subscriber that does not read loses the oldest events (at most 1,000 wait) and gets
 * an event `lost` with their number. 503 beyond MR_HTTP_SUBSCRIBERS_MAX. */
void mr_http_subscribe(struct mr_http_exchange *exchange, const char *channel);
/* Send to all subscribers of channel; data has no newline. Any thread. */
void mr_http_publish(struct mr_http_server *server, const char *channel, const char *event,
                     uint64_t id, struct mr_slice data);
/* How many listen to channel: a tap costs nothing when nobody does. Any thread. */
uint32_t mr_http_subscribers(struct mr_http_server *server, const char *channel);

#endif
