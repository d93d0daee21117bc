/* http/internal.h — what the files of the server share.
 * Model: the server's thread moves bytes between sockets and connections (server.c, connection.c);
 * a connection makes an exchange of each request and gives it to the handler. Whoever has the
 * exchange owns it, and gives it up by answering; the connection and the exchange know each other
 * until the exchange is answered or the client is gone. The core outlives the server as long as an
 * exchange is kept somewhere.
 * Locks: core->mutex guards the links between exchanges and connections, the list of connections
 * with news, the subscribers and the sums. Nothing else is called while it is held, save wake. */
#ifndef MR_HTTP_INTERNAL_H
#define MR_HTTP_INTERNAL_H

#include "base/buffer.h"
#include "http/head.h"
#include "http/server.h"

#include <pthread.h>
#include <stdatomic.h>

struct mr_http_connection;
struct mr_http_subscriber;
struct mr_websocket;

struct mr_http_core {
    pthread_mutex_t mutex;
    uint32_t references;          /* the server, and each exchange */
    void (*wake)(void *argument); /* the server's thread; NULL once it has ended */
    void *wake_argument;
    struct mr_http_connection *news; /* connections with an answer, a subscription or events */
    struct mr_http_subscriber *subscribers;
    _Atomic uint32_t subscribers_count;
    size_t answers_bytes;
    size_t bodies_bytes; /* the server's thread only */
};

struct mr_http_core *mr_http_core_create(void);
/* With the mutex held; gives it back. */
void mr_http_core_unlock_release(struct mr_http_core *core);

/* An answer that waits to be written. The head is made by the connection. */
struct mr_http_answer {
    int code;
    char content_type[128];
    char *fields; /* further fields, each ended by CR LF; NULL: none */
    uint8_t *body;
    size_t body_size;
};

struct mr_http_answer *mr_http_answer_create(int code, const char *content_type,
                                             struct mr_slice body);
void mr_http_answer_destroy(struct mr_http_answer *answer); /* accepts NULL */
/* A problem document; fields as in mr_http_answer, copied, or NULL. */
struct mr_http_answer *mr_http_answer_problem(int code, const char *fields, const char *detail);
/* The status line and the fields, ended by the empty line. */
void mr_http_answer_head(const struct mr_http_answer *answer, bool keep_alive,
                         struct mr_buffer *head);

/* Who waits within the process for an exchange's answer. */
struct mr_http_asker {
    pthread_cond_t answered;
    struct mr_http_answer *answer; /* NULL: not yet; guarded by the mutex */
};

enum { MR_HTTP_PARAMETERS_MAX = 16 };

struct mr_http_exchange {
    struct mr_http_core *core;
    struct mr_http_connection *connection; /* NULL: the client is gone; guarded by the mutex */
    struct mr_http_asker *asker; /* NULL: nobody within the process waits; guarded by the mutex */
    struct mr_arena arena;
    struct mr_http_request request;
    uint32_t parameters_count;
    const char *names[MR_HTTP_PARAMETERS_MAX];
    const char *values[MR_HTTP_PARAMETERS_MAX];
};

struct mr_http_exchange *mr_http_exchange_create(struct mr_http_core *core);
/* Split and decode the query. False: an escape is broken, or there are too many parameters. */
bool mr_http_exchange_read_query(struct mr_http_exchange *exchange, const char *query);
/* The exchange ends with this answer, which is replaced when too much waits already. */
void mr_http_exchange_finish(struct mr_http_exchange *exchange, struct mr_http_answer *answer);
/* Of an exchange that was never given to a handler. */
void mr_http_exchange_discard(struct mr_http_exchange *exchange);

/* ---- connection.c; the server's thread ---- */
struct mr_http_settings {
    const struct mr_http_route *routes;
    void *argument;
    const char *token;
};

struct mr_http_connection *mr_http_connection_open(struct mr_http_core *core,
                                                   const struct mr_http_settings *settings,
                                                   void *owner, uint64_t now_ms);
/* Too many: the connection says 503 and ends. */
void mr_http_connection_refuse(struct mr_http_connection *connection, uint64_t now_ms);
void mr_http_connection_close(struct mr_http_connection *connection);
void *mr_http_connection_owner(const struct mr_http_connection *connection);
/* Each returns false when the connection is to be closed now. */
bool mr_http_connection_receive(struct mr_http_connection *connection, struct mr_slice bytes,
                                uint64_t now_ms) MR_NODISCARD;
bool mr_http_connection_sent(struct mr_http_connection *connection, size_t size,
                             uint64_t now_ms) MR_NODISCARD;
bool mr_http_connection_tick(struct mr_http_connection *connection, uint64_t now_ms) MR_NODISCARD;
/* A WebSocket draws what is due; others do nothing. */
void mr_http_connection_prepare(struct mr_http_connection *connection, uint64_t now_ms);
/* When prepare has something to do by time; UINT64_MAX: not by time. */
uint64_t mr_http_connection_due_ms(const struct mr_http_connection *connection);
/* The next bytes to write, empty when there are none; valid until mr_http_connection_sent. */
struct mr_slice mr_http_connection_output(struct mr_http_connection *connection);
/* Everything is written and nothing more will come: close. */
bool mr_http_connection_ended(const struct mr_http_connection *connection);
bool mr_http_connection_wants_input(const struct mr_http_connection *connection);
/* The server stops: a kept exchange gets 503, idle connections end. */
void mr_http_connection_stop(struct mr_http_connection *connection, uint64_t now_ms);
/* The next connection with news, NULL when there is none. Looks at what came. */
struct mr_http_connection *mr_http_connection_next_news(struct mr_http_core *core, uint64_t now_ms);

/* For exchange.c and events.c, with the mutex held: hand over, and wake the thread. */
void mr_http_connection_give_answer(struct mr_http_connection *connection,
                                    struct mr_http_answer *answer);
void mr_http_connection_give_subscriber(struct mr_http_connection *connection,
                                        struct mr_http_subscriber *subscriber);
void mr_http_connection_give_websocket(struct mr_http_connection *connection,
                                       struct mr_websocket *socket);
void mr_http_connection_has_news(struct mr_http_connection *connection);

/* ---- ask.c; any thread but the server's ---- */
enum mr_status mr_http_core_ask(struct mr_http_core *core, const struct mr_http_settings *settings,
                                const struct mr_http_asking *asking, struct mr_arena *arena,
                                struct mr_http_asked *asked, struct mr_error *error) MR_NODISCARD;

/* ---- events.c; with the mutex held ---- */
struct mr_http_event; /* the bytes of an event, shared by subscribers */

/* NULL beyond the limit. */
struct mr_http_subscriber *mr_http_subscriber_create(struct mr_http_core *core, const char *channel,
                                                     struct mr_http_connection *connection);
void mr_http_subscriber_destroy(struct mr_http_core *core, struct mr_http_subscriber *subscriber);
/* The next event's bytes, NULL when none waits; given back by mr_http_event_release. */
struct mr_http_event *mr_http_subscriber_next(struct mr_http_subscriber *subscriber);
struct mr_slice mr_http_event_bytes(const struct mr_http_event *event);
void mr_http_event_release(struct mr_http_event *event);
/* To all subscribers of the channel. */
void mr_http_core_publish(struct mr_http_core *core, const char *channel, const char *event,
                          uint64_t id, struct mr_slice data);
uint32_t mr_http_core_subscribers(struct mr_http_core *core, const char *channel);

#endif
