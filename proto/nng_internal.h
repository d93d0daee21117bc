/* proto/nng_internal.h — what the nng transport's client and server share.
 * The only header that sees nng's; only proto/nng_*.c include it. */
#ifndef MR_PROTO_NNG_INTERNAL_H
#define MR_PROTO_NNG_INTERNAL_H

#include "proto/transport.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <pthread.h>

enum {
    /* The largest message on the wire: ours, and nng's request ids in front of it. */
    MR_NNG_RECEIVE_BYTES_MAX = (8 << 20) + 256,
    MR_NNG_HOST_SIZE = 256
};

/* An address, taken apart. */
struct mr_nng_address {
    bool tls;
    bool ipc;
    char host[MR_NNG_HOST_SIZE]; /* without brackets; empty for ipc */
};

/* The files of struct mr_transport_tls, read. NULL texts when there is no TLS. */
struct mr_nng_identity {
    char *certificate;
    char *key;
    char *authority;
    struct mr_transport_tls files; /* copies of their names, for sentences */
};

/* A lock with a condition on the monotonic clock. */
struct mr_nng_monitor {
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

void mr_nng_monitor_init(struct mr_nng_monitor *monitor);
void mr_nng_monitor_deinit(struct mr_nng_monitor *monitor);
/* Wait until changed or deadline_ns (monotonic). Returns false when that has passed. */
bool mr_nng_monitor_wait(struct mr_nng_monitor *monitor, uint64_t deadline_ns);

/* MR_INVALID, with what is wrong, when address is none of ours or does not fit identity. */
enum mr_status mr_nng_address_parse(const char *address, const struct mr_nng_identity *identity,
                                    struct mr_nng_address *parsed,
                                    struct mr_error *error) MR_NODISCARD;

/* Read the files; tls may be NULL. MR_INVALID or MR_NOT_FOUND name the file. */
enum mr_status mr_nng_identity_load(const struct mr_transport_tls *tls,
                                    struct mr_nng_identity *identity,
                                    struct mr_error *error) MR_NODISCARD;
void mr_nng_identity_deinit(struct mr_nng_identity *identity); /* wipes the key */
/* A configuration that demands a certificate of the authority from the other side. server_name:
 * what a client expects in it; NULL for a server. */
enum mr_status mr_nng_tls_create(const struct mr_nng_identity *identity, const char *server_name,
                                 nng_tls_config **config, struct mr_error *error) MR_NODISCARD;

/* Translate one of nng's codes. format: the sentence up to the reason, without a full stop. */
enum mr_status mr_nng_fail(struct mr_error *error, int code, const char *format, ...)
    MR_PRINTF(3, 4);

/* The ops' members; transport.h says what each does. */
enum mr_status mr_nng_client_create(struct mr_transport *transport,
                                    const struct mr_transport_tls *tls,
                                    struct mr_transport_client **client, struct mr_error *error);
void mr_nng_client_destroy(struct mr_transport_client *client);
enum mr_status mr_nng_client_send(struct mr_transport_client *client, const char *address,
                                  struct mr_slice bytes, struct mr_error *error);
enum mr_status mr_nng_client_wait(struct mr_transport_client *client, uint32_t wait_ms,
                                  struct mr_arena *arena, struct mr_slice *reply,
                                  struct mr_error *error);
void mr_nng_client_wake(struct mr_transport_client *client);

enum mr_status mr_nng_server_create(struct mr_transport *transport, const char *address,
                                    const struct mr_transport_tls *tls,
                                    struct mr_transport_server **server, struct mr_error *error);
void mr_nng_server_destroy(struct mr_transport_server *server);
enum mr_status mr_nng_server_receive(struct mr_transport_server *server, uint32_t wait_ms,
                                     struct mr_transport_incoming *incoming,
                                     struct mr_error *error);
void mr_nng_server_reply(struct mr_transport_server *server, uint64_t handle,
                         struct mr_slice bytes);
void mr_nng_server_drop(struct mr_transport_server *server, uint64_t peer);
void mr_nng_server_wake(struct mr_transport_server *server);

#endif
