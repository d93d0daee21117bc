/* tests/unit/http/fixture.c — raw sockets for the server's tests. */
#include "tests/unit/http/fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static char answer[1 << 20];

struct mr_http_server *http_start(struct mr_http_server_options options)
{
    struct mr_http_server *server = NULL;
    struct mr_error error = {0};
    options.address = "127.0.0.1:0";
    enum mr_status status = mr_http_server_start(&options, &server, &error);
    if (status != MR_OK)
        print_error("%s\n", error.message);
    assert_int_equal(status, MR_OK);
    assert_true(mr_http_server_port(server) > 0);
    return server;
}

int http_connect(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct timeval patience = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void http_send_bytes(int fd, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the server has closed: what it answered decides */
        bytes += sent;
        size -= (size_t)sent;
    }
}

void http_send(int fd, const char *text)
{
    http_send_bytes(fd, text, strlen(text));
}

const char *http_read_answer(int fd)
{
    size_t size = 0;
    size_t wanted = sizeof answer - 1;
    answer[0] = 0;
    while (size < wanted) {
        /* One byte at a time up to the head's end: the next answer stays in the socket. */
        size_t piece = wanted == sizeof answer - 1 ? 1 : wanted - size;
        ssize_t got = recv(fd, answer + size, piece, 0);
        if (got <= 0)
            break;
        size += (size_t)got;
        answer[size] = 0;
        if (wanted == sizeof answer - 1 && size >= 4 &&
            strcmp(answer + size - 4, "\r\n\r\n") == 0) {
            const char *length = strstr(answer, "Content-Length: ");
            wanted = size + (length == NULL ? 0 : strtoul(length + 16, NULL, 10));
        }
    }
    return answer;
}

const char *http_expect(int fd, const char *text, int code)
{
    char start[32];
    snprintf(start, sizeof start, "HTTP/1.1 %d ", code);
    http_send(fd, text);
    const char *got = http_read_answer(fd);
    if (strncmp(got, start, strlen(start)) != 0)
        print_error("to %.200s came %.400s\n", text, got);
    assert_memory_equal(got, start, strlen(start));
    return got;
}

bool http_read_until(int fd, const char *text)
{
    size_t size = 0;
    answer[0] = 0;
    while (size < sizeof answer - 1 && strstr(answer, text) == NULL) {
        ssize_t got = recv(fd, answer + size, 1, 0);
        if (got <= 0)
            return false;
        size += (size_t)got;
        answer[size] = 0;
    }
    return strstr(answer, text) != NULL;
}

bool http_is_closed(int fd)
{
    char byte[4096];
    ssize_t got;
    do {
        got = recv(fd, byte, sizeof byte, 0);
    } while (got > 0);
    return got == 0 || errno == ECONNRESET;
}
