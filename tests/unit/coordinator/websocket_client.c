/* tests/unit/coordinator/websocket_client.c — see websocket_client.h. */
#include "tests/unit/coordinator/websocket_client.h"

#include "http/websocket_frame.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

enum { TEXT_SIZE = 8192 };

static char text[TEXT_SIZE];

static bool receive(int fd, void *bytes, size_t size)
{
    return size == 0 || recv(fd, bytes, size, MSG_WAITALL) == (ssize_t)size;
}

void websocket_send(int fd, const void *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

int websocket_open(int port, const char *path, const char *fields, int *code)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 10};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    int size = snprintf(text, sizeof(text),
                        "GET %s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
                        path, fields);
    websocket_send(fd, text, (size_t)size);
    size_t got = 0;
    do
        assert_true(got < sizeof(text) - 1 && receive(fd, text + got, 1));
    while (++got < 4 || memcmp(text + got - 4, "\r\n\r\n", 4) != 0);
    text[got] = '\0';
    *code = (int)strtol(text + 9, NULL, 10);
    return fd;
}

const char *websocket_refusal(int fd)
{
    const char *length = strstr(text, "Content-Length: ");
    size_t size = length == NULL ? 0 : strtoul(length + 16, NULL, 10);
    assert_true(size < sizeof(text) && receive(fd, text, size));
    text[size] = '\0';
    return text;
}

static void send_frame(int fd, uint8_t first, const void *payload, size_t size)
{
    uint8_t head[MR_WEBSOCKET_HEAD_BYTES_MAX + 4] = {0};
    uint8_t masked[TEXT_SIZE];
    size_t head_size = mr_websocket_head(MR_WEBSOCKET_TEXT, true, size, head);
    head[0] = first;
    head[1] |= 0x80;
    memcpy(head + head_size, "mask", 4);
    assert_true(size <= sizeof(masked));
    for (size_t index = 0; index < size; index++)
        masked[index] = ((const uint8_t *)payload)[index] ^ (uint8_t) "mask"[index % 4];
    websocket_send(fd, head, head_size + 4);
    websocket_send(fd, masked, size);
}

void websocket_say(int fd, const char *say)
{
    send_frame(fd, 0x81, say, strlen(say));
}

/* One frame, its payload appended. Returns its first byte, -1: none came. */
static int read_frame(int fd, struct mr_buffer *payload)
{
    uint8_t head[10];
    if (!receive(fd, head, 2))
        return -1;
    uint32_t extra = head[1] == 127 ? 8 : head[1] == 126 ? 2 : 0;
    uint64_t size = extra == 0 ? head[1] : 0;
    if (!receive(fd, head + 2, extra))
        return -1;
    for (uint32_t index = 0; index < extra; index++)
        size = size << 8 | head[2 + index];
    assert_int_equal(mr_buffer_reserve(payload, size), MR_OK);
    if (!receive(fd, payload->data + payload->size, size))
        return -1;
    payload->size += size;
    return head[0];
}

json_t *websocket_hear(int fd, uint32_t *fragments)
{
    struct mr_buffer payload;
    int first;
    uint32_t count = 0;
    json_error_t error;
    mr_buffer_init(&payload, 256 << 20);
    do {
        first = read_frame(fd, &payload);
        assert_true(first < 0 || (first & 0x0f) == (count == 0 ? 1 : 0) || first == 0x88);
        count++;
    } while (first >= 0 && (first & 0x80) == 0);
    json_t *value = NULL;
    if (first >= 0 && first != 0x88) {
        value = json_loadb((const char *)payload.data, payload.size, 0, &error);
        if (value == NULL)
            fail_msg("%s in %.*s", error.text, (int)payload.size, (const char *)payload.data);
    }
    mr_buffer_deinit(&payload);
    if (fragments != NULL)
        *fragments = count;
    return value;
}

uint16_t websocket_close_code(int fd)
{
    for (;;) {
        struct mr_buffer payload;
        mr_buffer_init(&payload, 64 << 20);
        int first = read_frame(fd, &payload);
        uint16_t code = 1005;
        if (payload.size >= 2)
            code = (uint16_t)(payload.data[0] << 8 | payload.data[1]);
        mr_buffer_deinit(&payload);
        if (first < 0 || first == 0x88)
            return first < 0 ? 0 : code;
    }
}

void websocket_leave(int fd)
{
    send_frame(fd, 0x88, "\x03\xe8", 2);
    (void)websocket_close_code(fd);
    close(fd);
}
