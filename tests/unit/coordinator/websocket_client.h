/* tests/unit/coordinator/websocket_client.h — a WebSocket client for tests, which waits for what it
 * reads (at most 10 s). One message is held at a time. */
#ifndef MR_TESTS_COORDINATOR_WEBSOCKET_CLIENT_H
#define MR_TESTS_COORDINATOR_WEBSOCKET_CLIENT_H

#include "base/buffer.h"

#include <jansson.h>

/* Connect to path of port on the loopback and shake hands. fields: further header fields, each
 * ended by CR LF. Returns the socket; what: the answer's code. */
int websocket_open(int port, const char *path, const char *fields, int *code);
/* The body of the handshake's answer, of another code than 101; valid until the next call. */
const char *websocket_refusal(int fd);
void websocket_say(int fd, const char *text);
/* Bytes as they are. */
void websocket_send(int fd, const void *bytes, size_t size);
/* The next message; owner: the caller. NULL: the server closed. *fragments: of how many frames. */
json_t *websocket_hear(int fd, uint32_t *fragments);
/* The code of the close frame that comes next, after any messages; 0: none came. */
uint16_t websocket_close_code(int fd);
void websocket_leave(int fd);

#endif
