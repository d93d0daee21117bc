/* tests/support/scripted_server.h — an HTTP server whose answers a test writes byte by byte.
 * Why beside http/server.h: ours does not stream bodies, break off or lie.
 * Model: one request per connection, each in a thread of its own. */
#ifndef MR_TESTS_SCRIPTED_SERVER_H
#define MR_TESTS_SCRIPTED_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct scripted_server;

struct scripted_request {
    struct scripted_server *server;
    int fd;
    const char *method;
    const char *target; /* path and query */
    const char *text;   /* all of the head */
    const char *body;
};

typedef void scripted_answer_fn(void *argument, const struct scripted_request *request);

/* Listens on a free port of the loopback when it returns. */
struct scripted_server *scripted_start(scripted_answer_fn *answer, void *argument);
/* Waits for the requests that are under way. */
void scripted_stop(struct scripted_server *server);
int scripted_port(const struct scripted_server *server);

/* From the answer function: bytes as they are; a whole answer of JSON; wait until the client has
 * gone or the server is stopped. */
void scripted_send(const struct scripted_request *request, const char *bytes);
void scripted_json(const struct scripted_request *request, int code, const char *json);
void scripted_wait(const struct scripted_request *request);
/* Whether the client has gone, or the server is stopped. */
bool scripted_is_over(const struct scripted_request *request);

#endif
