/* http/websocket_internal.h — a WebSocket as the connection that carries it sees it.
 * Model: the connection gives bytes and time, and writes what `output` shows; see websocket.h for
 * what a handler sees. Threads: the server's. */
#ifndef MR_HTTP_WEBSOCKET_INTERNAL_H
#define MR_HTTP_WEBSOCKET_INTERNAL_H

#include "http/websocket.h"

/* key: of the handshake, valid. What is sent first is the answer to it. */
struct mr_websocket *mr_websocket_create(const struct mr_websocket_handler *handler, void *session,
                                         const char *key);
void mr_websocket_begin(struct mr_websocket *socket, uint64_t now_ms);
void mr_websocket_destroy(struct mr_websocket *socket); /* calls `end`; accepts NULL */

void mr_websocket_receive(struct mr_websocket *socket, struct mr_slice bytes, uint64_t now_ms);
bool mr_websocket_wants_input(const struct mr_websocket *socket);
/* Draw what is due, when nothing waits to be sent. */
void mr_websocket_prepare(struct mr_websocket *socket, uint64_t now_ms);
/* The next bytes to write, valid until sent; empty: none. */
struct mr_slice mr_websocket_output(const struct mr_websocket *socket);
void mr_websocket_sent(struct mr_websocket *socket, size_t size, uint64_t now_ms);
/* When prepare has something to do, MR_WEBSOCKET_NEVER: not by time. */
uint64_t mr_websocket_due_ms(const struct mr_websocket *socket);
/* Both have said good-bye and everything is written. */
bool mr_websocket_ended(const struct mr_websocket *socket);
/* False: the client is silent for too long, end. */
bool mr_websocket_tick(struct mr_websocket *socket, uint64_t now_ms) MR_NODISCARD;

#endif
