/* tests/integration/transport_support.c — see the header. */
#include "tests/integration/transport_support.h"

#include "base/clock.h"
#include "base/endian.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char folder[64];

static void run(const char *command)
{
    int status = system(command);
    if (status != 0)
        fail_msg("'%s' ended with %d", command, status);
}

void support_folder_create(void)
{
    char command[SUPPORT_PATH_SIZE];
    (void)snprintf(folder, sizeof(folder), "/tmp/millrace-transport.XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(command, sizeof(command), "%s/tests/support/make_certificates %s", MR_SOURCE_DIR,
                   folder);
    run(command);
}

void support_folder_remove(void)
{
    char command[SUPPORT_PATH_SIZE];
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    run(command);
}

const char *support_path(const char *name)
{
    static char paths[32][SUPPORT_PATH_SIZE];
    static size_t next;
    char *path = paths[next++ % 32];
    (void)snprintf(path, SUPPORT_PATH_SIZE, "%s/%s", folder, name);
    return path;
}

struct mr_transport_tls support_tls(const char *name, const char *authority)
{
    char file[64];
    struct mr_transport_tls tls;
    (void)snprintf(file, sizeof(file), "%s.pem", name);
    tls.certificate_file = support_path(file);
    (void)snprintf(file, sizeof(file), "%s-key.pem", name);
    tls.key_file = support_path(file);
    (void)snprintf(file, sizeof(file), "%s.pem", authority);
    tls.authority_file = support_path(file);
    return tls;
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int support_free_port(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(file >= 0);
    assert_int_equal(bind(file, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(file, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(close(file), 0);
    return ntohs(address.sin_port);
}

int support_connect(int port)
{
    struct sockaddr_in address = loopback(port);
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(file >= 0);
    assert_int_equal(connect(file, (struct sockaddr *)&address, sizeof(address)), 0);
    return file;
}

int support_greet(int port)
{
    uint8_t greeting[8];
    int file = support_connect(port);
    assert_int_equal(send(file, "MRTR\1\0\0\0", 8, MSG_NOSIGNAL), 8);
    assert_int_equal(recv(file, greeting, 8, MSG_WAITALL), 8);
    assert_memory_equal(greeting, "MRTR\1\0\0\0", 8);
    return file;
}

static bool send_all(int file, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t deadline_ms = mr_clock_monotonic_ms() + SUPPORT_WAIT_MS;
    while (size != 0) {
        struct pollfd poll_file = {.fd = file, .events = POLLOUT};
        ssize_t sent = send(file, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN)
            return false;
        if (sent < 0 && mr_clock_monotonic_ms() > deadline_ms)
            return false;
        if (sent < 0)
            (void)poll(&poll_file, 1, 100);
        bytes += sent > 0 ? sent : 0;
        size -= sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

bool support_send_head(int file, uint32_t size, uint32_t reserved, uint64_t request)
{
    uint8_t head[16];
    mr_put_u32le(head, size);
    mr_put_u32le(head + 4, reserved);
    mr_put_u64le(head + 8, request);
    return send_all(file, head, sizeof(head));
}

bool support_send_raw(int file, uint64_t request, const void *data, size_t size)
{
    return support_send_head(file, (uint32_t)size, 0, request) && send_all(file, data, size);
}

bool support_is_closed(int file, int wait_ms)
{
    char bytes[4096];
    uint64_t deadline_ms = mr_clock_monotonic_ms() + (uint64_t)wait_ms;
    for (;;) {
        uint64_t now_ms = mr_clock_monotonic_ms();
        struct pollfd poll_file = {.fd = file, .events = POLLIN};
        if (now_ms >= deadline_ms || poll(&poll_file, 1, (int)(deadline_ms - now_ms)) == 0)
            return false;
        if (recv(file, bytes, sizeof(bytes), 0) <= 0)
            return true;
    }
}

void support_pair_init(struct support_pair *pair, const char *scheme)
{
    *pair = (struct support_pair){.scheme = scheme, .with_tls = strcmp(scheme, "tls+tcp") == 0};
    mr_arena_init(&pair->arena, 1 << 16);
    pair->transport = mr_nng_transport_create();
    pair->ops = pair->transport->ops;
    pair->port = support_free_port();
    if (strcmp(scheme, "ipc") == 0) {
        (void)snprintf(pair->address, sizeof(pair->address), "ipc://%s-%d",
                       support_path("transport"), pair->port);
        (void)snprintf(pair->listen_address, sizeof(pair->listen_address), "%s", pair->address);
    } else {
        (void)snprintf(pair->address, sizeof(pair->address), "%s://localhost:%d", scheme,
                       pair->port);
        (void)snprintf(pair->listen_address, sizeof(pair->listen_address), "%s://localhost:%d",
                       scheme, pair->port);
    }
    if (pair->with_tls) {
        pair->server_tls = support_tls("server", "authority");
        pair->client_tls = support_tls("client", "authority");
    }
    support_listen(pair);
    pair->client = support_client(pair);
}

void support_pair_deinit(struct support_pair *pair)
{
    pair->ops->client_destroy(pair->client);
    pair->ops->server_destroy(pair->server);
    pair->ops->close(pair->transport);
    mr_arena_deinit(&pair->arena);
}

void support_listen(struct support_pair *pair)
{
    enum mr_status status = pair->ops->server_create(pair->transport, pair->listen_address,
                                                     pair->with_tls ? &pair->server_tls : NULL,
                                                     &pair->server, &pair->error);
    if (status != MR_OK)
        fail_msg("%s", pair->error.message);
}

struct mr_transport_client *support_client(struct support_pair *pair)
{
    struct mr_transport_client *client = NULL;
    enum mr_status status = pair->ops->client_create(
        pair->transport, pair->with_tls ? &pair->client_tls : NULL, &client, &pair->error);
    if (status != MR_OK)
        fail_msg("%s", pair->error.message);
    return client;
}

void support_send(struct support_pair *pair, struct mr_transport_client *client, const char *text)
{
    enum mr_status status =
        pair->ops->client_send(client, pair->address, mr_slice_text(text), &pair->error);
    if (status != MR_OK)
        fail_msg("%s", pair->error.message);
}

struct mr_transport_incoming support_receive(struct support_pair *pair)
{
    struct mr_transport_incoming incoming;
    do {
        assert_int_equal(
            pair->ops->server_receive(pair->server, SUPPORT_WAIT_MS, &incoming, &pair->error),
            MR_OK);
    } while (incoming.handle == 0);
    return incoming;
}

void support_reply(struct support_pair *pair, uint64_t handle, const char *text)
{
    pair->ops->server_reply(pair->server, handle, mr_slice_text(text));
}

void support_expect(struct support_pair *pair, struct mr_transport_client *client, const char *text)
{
    struct mr_slice reply;
    enum mr_status status =
        pair->ops->client_wait(client, SUPPORT_WAIT_MS, &pair->arena, &reply, &pair->error);
    if (status != MR_OK)
        fail_msg("no answer '%s': %s", text, mr_status_name(status));
    if (!mr_slice_equal(reply, mr_slice_text(text)))
        fail_msg("'%.*s' instead of '%s'", (int)reply.size, (const char *)reply.data, text);
}

static void *echo_main(void *argument)
{
    struct support_echo *echo = argument;
    struct support_pair *pair = echo->pair;
    struct mr_transport_incoming incoming;
    struct mr_error error;
    while (!__atomic_load_n(&echo->stop, __ATOMIC_ACQUIRE)) {
        if (pair->ops->server_receive(pair->server, 1000, &incoming, &error) == MR_OK &&
            incoming.handle != 0)
            pair->ops->server_reply(pair->server, incoming.handle, incoming.bytes);
    }
    return NULL;
}

void support_echo_start(struct support_echo *echo, struct support_pair *pair)
{
    pthread_t thread;
    *echo = (struct support_echo){.pair = pair};
    assert_int_equal(pthread_create(&thread, NULL, echo_main, echo), 0);
    echo->thread = (uint64_t)thread;
}

void support_echo_stop(struct support_echo *echo)
{
    __atomic_store_n(&echo->stop, true, __ATOMIC_RELEASE);
    echo->pair->ops->server_wake(echo->pair->server);
    assert_int_equal(pthread_join((pthread_t)echo->thread, NULL), 0);
}
