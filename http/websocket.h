/* http/websocket.h — WebSocket (RFC 6455) on the HTTP server's connections: text in, text out.
 * Model: a route's handler turns its exchange into a socket (mr_websocket_upgrade); from then on
 * the socket's handler is called on the server's thread: `receive` for each whole message, `draw`
 * when what was sent before has gone to the client and the socket wants more. A handler never
 * waits: it draws a small portion, returns, and is asked again behind the other connections. So a
 * client that does not read is not asked for, and holds back only itself.
 *
 *   exchange --upgrade--> OPEN --close, an error, the client's close--> CLOSING --> ended
 *
 * Messages may be sent in fragments, so that a message of any size needs the memory of one portion.
 * Patience: a ping after 30 s without a word; the end when for 5 min nothing came and nothing could
 * be sent; 2 s for the client's answer to a close.
 * Limits: MR_WEBSOCKET_MESSAGE_BYTES_MAX of a message that comes (else 1009), binary messages get
 * 1003, broken frames 1002, text that is not UTF-8 1007; MR_WEBSOCKET_OUTPUT_BYTES_MAX that wait to
 * be sent (a client that asks and does not read gets 1008).
 * Threads: the server's only, but mr_websocket_upgrade. */
#ifndef MR_HTTP_WEBSOCKET_H
#define MR_HTTP_WEBSOCKET_H

#include "http/server.h"
#include "http/websocket_frame.h"

enum {
    MR_WEBSOCKET_MESSAGE_BYTES_MAX = 64 << 10,
    MR_WEBSOCKET_OUTPUT_BYTES_MAX = 8 << 20,
    MR_WEBSOCKET_READ_AHEAD_BYTES = 128 << 10, /* beyond what waits, the client is not read */
    MR_WEBSOCKET_PING_MS = 30000,
    MR_WEBSOCKET_SILENT_MS_MAX = 300000,
    MR_WEBSOCKET_CLOSE_MS_MAX = 2000
};

static const uint64_t MR_WEBSOCKET_NEVER = UINT64_MAX;

struct mr_websocket;

struct mr_websocket_handler {
    /* A whole message; text borrows until return. */
    void (*receive)(void *session, struct mr_websocket *socket, struct mr_slice text,
                    uint64_t now_ms);
    /* The time that mr_websocket_want named has come, and nothing waits to be sent. */
    void (*draw)(void *session, struct mr_websocket *socket, uint64_t now_ms);
    /* The connection has ended, or never began: free session. On the server's thread, or on that of
     * mr_websocket_upgrade. */
    void (*end)(void *session);
};

/* Whether the request asks for a WebSocket, rightly. */
bool mr_websocket_asked(const struct mr_http_exchange *exchange);
/* Answer a request that asks for none: 426. */
void mr_websocket_refuse(struct mr_http_exchange *exchange);
/* Turn the exchange into a socket. Pre: it asks for one. Owner: session is taken in any case;
 * handler is static. Any thread. */
void mr_websocket_upgrade(struct mr_http_exchange *exchange,
                          const struct mr_websocket_handler *handler, void *session);

/* ---- From receive and draw ---- */

/* Send text as the next piece of a message; last: the message ends with it. Copied. */
void mr_websocket_send(struct mr_websocket *socket, struct mr_slice text, bool last);
/* Whether a message is begun and not ended. */
bool mr_websocket_in_message(const struct mr_websocket *socket);
/* When draw is wanted next: 0 as soon as the client takes more, a time, or MR_WEBSOCKET_NEVER. */
void mr_websocket_want(struct mr_websocket *socket, uint64_t due_ms);
/* Say why and end. reason: at most 123 bytes. */
void mr_websocket_close(struct mr_websocket *socket, enum mr_websocket_code code,
                        const char *reason, uint64_t now_ms);

#endif
