/* http/listen.h — the listening socket: HOST:PORT to a descriptor, with errors in sentences. */
#ifndef MR_HTTP_LISTEN_H
#define MR_HTTP_LISTEN_H

#include "base/error.h"

struct mr_http_listen {
    int fd;
    int spare_fd; /* given up to accept and refuse when the process has no descriptor left */
    int port;
    bool adopted; /* fd is somebody else's to close */
};

/* Bind and listen; does not block. Port 0: any free one. Errors: MR_INVALID: the address; MR_IO. */
enum mr_status mr_http_listen_open(struct mr_http_listen *listen, const char *address,
                                   struct mr_error *error) MR_NODISCARD;
/* The next connection, or -1 when none waits. */
int mr_http_listen_accept(struct mr_http_listen *listen);
void mr_http_listen_close(struct mr_http_listen *listen);

#endif
