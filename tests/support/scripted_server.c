/* tests/support/scripted_server.c — see scripted_server.h. */
#include "tests/support/scripted_server.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { REQUEST_BYTES_MAX = 1 << 20, POLL_MS = 20, REQUESTS_MAX = 1024 };

struct scripted_server {
    scripted_answer_fn *answer;
    void *argument;
    int fd;
    int port;
    atomic_bool stop;
    pthread_t thread;
    pthread_t requests[REQUESTS_MAX];
    uint32_t requests_count;
};

struct connection {
    struct scripted_server *server;
    int fd;
};

/* The head, and as much of a body as it says. False: the client left. */
static bool read_request(int fd, char *bytes)
{
    size_t size = 0;
    for (;;) {
        ssize_t got = recv(fd, bytes + size, REQUEST_BYTES_MAX - size, 0);
        if (got <= 0)
            return false;
        size += (size_t)got;
        bytes[size] = '\0';
        const char *end = strstr(bytes, "\r\n\r\n");
        const char *length = strcasestr(bytes, "\r\nContent-Length:");
        if (end == NULL)
            continue;
        size_t body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
        if (size >= (size_t)(end - bytes) + 4 + body)
            return true;
    }
}

static void *serve(void *argument)
{
    struct connection *connection = argument;
    char *bytes = mr_memory_new(1, REQUEST_BYTES_MAX + 1);
    if (read_request(connection->fd, bytes)) {
        char method[16] = "";
        char target[4096] = "";
        char *body = strstr(bytes, "\r\n\r\n");
        assert_int_equal(sscanf(bytes, "%15s %4095s", method, target), 2);
        body[2] = '\0';
        const struct scripted_request request = {.server = connection->server,
                                                 .fd = connection->fd,
                                                 .method = method,
                                                 .target = target,
                                                 .text = bytes,
                                                 .body = body + 4};
        connection->server->answer(connection->server->argument, &request);
    }
    (void)shutdown(connection->fd, SHUT_WR);
    (void)close(connection->fd);
    mr_memory_free(bytes);
    mr_memory_free(connection);
    return NULL;
}

static void *listen_on(void *argument)
{
    struct scripted_server *server = argument;
    while (!atomic_load(&server->stop)) {
        struct pollfd poll_fd = {.fd = server->fd, .events = POLLIN};
        if (poll(&poll_fd, 1, POLL_MS) <= 0)
            continue;
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0)
            continue;
        struct connection *connection = mr_memory_new(1, sizeof(*connection));
        *connection = (struct connection){.server = server, .fd = fd};
        assert_true(server->requests_count < REQUESTS_MAX);
        assert_int_equal(
            pthread_create(&server->requests[server->requests_count++], NULL, serve, connection),
            0);
    }
    return NULL;
}

struct scripted_server *scripted_start(scripted_answer_fn *answer, void *argument)
{
    struct scripted_server *server = mr_memory_new(1, sizeof(*server));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    server->answer = answer;
    server->argument = argument;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->fd, 64), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, listen_on, server), 0);
    return server;
}

void scripted_stop(struct scripted_server *server)
{
    atomic_store(&server->stop, true);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    for (uint32_t index = 0; index < server->requests_count; index++)
        assert_int_equal(pthread_join(server->requests[index], NULL), 0);
    (void)close(server->fd);
    mr_memory_free(server);
}

int scripted_port(const struct scripted_server *server)
{
    return server->port;
}

void scripted_send(const struct scripted_request *request, const char *bytes)
{
    size_t left = strlen(bytes);
    while (left > 0) {
        ssize_t sent = send(request->fd, bytes, left, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        left -= (size_t)sent;
    }
}

void scripted_json(const struct scripted_request *request, int code, const char *json)
{
    char head[256];
    (void)snprintf(head, sizeof(head),
                   "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                   "Connection: close\r\n\r\n",
                   code, strlen(json));
    scripted_send(request, head);
    scripted_send(request, json);
}

static bool is_over(const struct scripted_request *request, int wait_ms)
{
    char byte;
    struct pollfd poll_fd = {.fd = request->fd, .events = POLLIN};
    return atomic_load(&request->server->stop) ||
           (poll(&poll_fd, 1, wait_ms) > 0 && recv(request->fd, &byte, 1, 0) <= 0);
}

bool scripted_is_over(const struct scripted_request *request)
{
    return is_over(request, 0);
}

void scripted_wait(const struct scripted_request *request)
{
    while (!is_over(request, POLL_MS)) {
    }
}
