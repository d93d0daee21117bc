/* tests/integration/transport_support.h — what the transport's tests share: addresses that are
 * free, certificates, a server that answers by itself, raw sockets. */
#ifndef MR_TESTS_TRANSPORT_SUPPORT_H
#define MR_TESTS_TRANSPORT_SUPPORT_H

#include "proto/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SUPPORT_PATH_SIZE = 512, SUPPORT_WAIT_MS = 10000 };

/* A temporary folder with the certificates of tests/support/make_certificates. */
void support_folder_create(void);
void support_folder_remove(void);
const char *support_path(const char *name); /* static storage of a few calls */

/* NAME.pem with its key, and an authority, all in the folder. Static storage. */
struct mr_transport_tls support_tls(const char *name, const char *authority);

int support_free_port(void);
/* A connected raw socket at 127.0.0.1. */
int support_connect(int port);
/* A raw socket that has greeted and was greeted. */
int support_greet(int port);
/* Write a frame's head, or a whole frame. Returns whether all of it could be written. */
bool support_send_head(int file, uint32_t size, uint32_t reserved, uint64_t request);
bool support_send_raw(int file, uint64_t request, const void *data, size_t size);
/* Whether the peer closes the connection within wait_ms; what it sends meanwhile is read. */
bool support_is_closed(int file, int wait_ms);

/* One transport, server and client at an address of the scheme. */
struct support_pair {
    const char *scheme;
    char address[MR_TRANSPORT_ADDRESS_SIZE];        /* the client's */
    char listen_address[MR_TRANSPORT_ADDRESS_SIZE]; /* the server's */
    int port;
    struct mr_transport_tls server_tls;
    struct mr_transport_tls client_tls;
    bool with_tls;
    struct mr_transport *transport;
    const struct mr_transport_ops *ops;
    struct mr_transport_server *server;
    struct mr_transport_client *client;
    struct mr_arena arena;
    struct mr_error error;
};

/* server and client are created, too. */
void support_pair_init(struct support_pair *pair, const char *scheme);
void support_pair_deinit(struct support_pair *pair);
void support_listen(struct support_pair *pair);
struct mr_transport_client *support_client(struct support_pair *pair);

void support_send(struct support_pair *pair, struct mr_transport_client *client, const char *text);
/* The next request (not a peer that went), asserted to come. */
struct mr_transport_incoming support_receive(struct support_pair *pair);
void support_reply(struct support_pair *pair, uint64_t handle, const char *text);
/* Wait until the client's answer is text; sends again after MR_CLOSED as a caller would. */
void support_expect(struct support_pair *pair, struct mr_transport_client *client,
                    const char *text);

/* Threads that answer every request with its own bytes until stopped. */
struct support_echo {
    struct support_pair *pair;
    bool stop; /* atomic */
    uint64_t thread;
};
void support_echo_start(struct support_echo *echo, struct support_pair *pair);
void support_echo_stop(struct support_echo *echo);

#endif
