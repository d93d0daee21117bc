/* http/listen.c — the listening socket.
 * Design: when descriptors run out, a waiting connection would keep the socket readable and the
 * loop busy; a spare descriptor is given up for a moment, so that it can be taken and closed. */
#include "http/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOST_BYTES_MAX = 256, BACKLOG = 512 };

/* HOST:PORT or [HOST]:PORT. */
static bool split(const char *address, char host[HOST_BYTES_MAX], const char **port)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || colon[1] == 0 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5)
        return false;
    size_t size = (size_t)(colon - address);
    if (address[0] == '[' && size > 2 && address[size - 1] == ']') {
        address++;
        size -= 2;
    } else if (memchr(address, ':', size) != NULL) {
        return false;
    }
    if (size >= HOST_BYTES_MAX)
        return false;
    memcpy(host, address, size);
    host[size] = 0;
    *port = colon + 1;
    return true;
}

static int open_socket(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static int port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)&address)->sin_port);
}

enum mr_status mr_http_listen_open(struct mr_http_listen *listen, const char *address,
                                   struct mr_error *error)
{
    *listen = (struct mr_http_listen){.fd = -1, .spare_fd = -1};
    char host[HOST_BYTES_MAX];
    const char *port;
    if (!split(address, host, &port) || strtol(port, NULL, 10) > 65535)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "The HTTP address '%.200s' is not HOST:PORT, as in 127.0.0.1:8080 or "
                       "[::1]:8080.",
                       address);
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "The host of the HTTP address '%.200s' is not known: %s.", address,
                       gai_strerror(code));
    listen->fd = open_socket(found);
    int reason = errno;
    freeaddrinfo(found);
    if (listen->fd < 0)
        return MR_FAIL_ERRNO(error, reason, MR_RECOVERY_EXIT,
                             "The HTTP server cannot listen on %.200s; name an address of this "
                             "machine that nobody else listens on",
                             address);
    listen->port = port_of(listen->fd);
    listen->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return MR_OK;
}

int mr_http_listen_accept(struct mr_http_listen *listen)
{
    for (;;) {
        int fd = accept4(listen->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            int one = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            return fd;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if ((errno != EMFILE && errno != ENFILE) || listen->spare_fd < 0)
            return -1;
        close(listen->spare_fd);
        fd = accept4(listen->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            close(fd);
        listen->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return -1;
    }
}

void mr_http_listen_close(struct mr_http_listen *listen)
{
    if (listen->fd >= 0 && !listen->adopted)
        close(listen->fd);
    if (listen->spare_fd >= 0)
        close(listen->spare_fd);
    listen->fd = -1;
    listen->spare_fd = -1;
}
