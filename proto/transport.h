/* proto/transport.h — requests from workers and their answers, over whatever carries them.
 * Why: coordinator and worker know this interface only; nng is behind it (proto/nng_transport.c),
 * and the simulation brings a network of its own.
 * Model: request and reply, bytes both. A client asks one address at a time and has at most one
 * request under way; sending another gives the first up. A server hands requests out and takes each
 * answer whenever it is ready (a long poll), in any order. A request may arrive more than once
 * (resend) and an answer may never arrive: requests are idempotent.
 * Addresses: tcp://HOST:PORT, ipc://PATH, tls+tcp://HOST:PORT (mutual authentication; HOST is the
 * DNS name in the server's certificate).
 * Limits: MR_MESSAGE_BYTES_MAX a message. At MR_TRANSPORT_PENDING_MAX requests without an answer
 * nothing more is received until one is answered. A connection with more than
 * MR_TRANSPORT_PEER_PENDING_MAX of them, or that does not take its answers for ten seconds, or is
 * without a request for a minute, is closed. Of MR_TRANSPORT_CONNECTIONS_MAX connections (or half
 * of the files that the process may open) the most idle one is closed for a new one. */
#ifndef MR_PROTO_TRANSPORT_H
#define MR_PROTO_TRANSPORT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

enum {
    MR_TRANSPORT_PENDING_MAX = 4096,
    MR_TRANSPORT_PEER_PENDING_MAX = 16, /* of one connection; one more costs it the connection */
    MR_TRANSPORT_CONNECTIONS_MAX = 4096,
    MR_TRANSPORT_ADDRESS_SIZE = 256
};

/* Certificates for tls+tcp, as files in PEM; all three are needed. NULL elsewhere. */
struct mr_transport_tls {
    const char *certificate_file;
    const char *key_file;
    const char *authority_file; /* whom the other side's certificate must come from */
};

struct mr_transport;
struct mr_transport_client;
struct mr_transport_server;

/* What a server's receive returned. */
struct mr_transport_incoming {
    uint64_t handle;       /* for the answer; 0: no request, but a peer that has gone */
    uint64_t peer;         /* the connection: the same for all of its requests, never reused */
    struct mr_slice bytes; /* borrowed until the next receive */
};

struct mr_transport_ops {
    const char *name; /* "nng", "simulation" */

    /* ---- client: one thread, but wake ---- */
    enum mr_status (*client_create)(struct mr_transport *transport,
                                    const struct mr_transport_tls *tls,
                                    struct mr_transport_client **client, struct mr_error *error);
    void (*client_destroy)(struct mr_transport_client *client);
    /* Send to address, giving up what was under way; an address that is not answering is dialled in
     * the background. MR_INVALID: the address cannot be understood. */
    enum mr_status (*client_send)(struct mr_transport_client *client, const char *address,
                                  struct mr_slice bytes, struct mr_error *error);
    /* Wait for the answer of the last request. MR_OK: reply is in arena. MR_AGAIN: wait_ms passed,
     * or somebody called wake; the request stays under way. MR_NOT_FOUND: nothing is under way
     * (waits all the same). MR_CLOSED: the connection broke; it may be sent again. */
    enum mr_status (*client_wait)(struct mr_transport_client *client, uint32_t wait_ms,
                                  struct mr_arena *arena, struct mr_slice *reply,
                                  struct mr_error *error);
    void (*client_wake)(struct mr_transport_client *client); /* any thread */

    /* ---- server ---- */
    /* Listens when it returns. MR_INVALID: the address; MR_IO: it is in use. */
    enum mr_status (*server_create)(struct mr_transport *transport, const char *address,
                                    const struct mr_transport_tls *tls,
                                    struct mr_transport_server **server, struct mr_error *error);
    void (*server_destroy)(struct mr_transport_server *server);
    /* One thread. MR_OK: a request, or (handle 0) a peer whose connection has gone. MR_AGAIN:
     * wait_ms passed, or wake. */
    enum mr_status (*server_receive)(struct mr_transport_server *server, uint32_t wait_ms,
                                     struct mr_transport_incoming *incoming,
                                     struct mr_error *error);
    /* Answer a request; any thread. A handle whose peer has gone is dropped silently. */
    void (*server_reply)(struct mr_transport_server *server, uint64_t handle,
                         struct mr_slice bytes);
    /* Close a peer's connection: it sent what nobody should send. Any thread. */
    void (*server_drop)(struct mr_transport_server *server, uint64_t peer);
    void (*server_wake)(struct mr_transport_server *server); /* any thread */

    void (*close)(struct mr_transport *transport);
};

/* An implementation's instance starts with this; so do its clients and servers. */
struct mr_transport {
    const struct mr_transport_ops *ops;
};
struct mr_transport_client {
    struct mr_transport *transport;
};
struct mr_transport_server {
    struct mr_transport *transport;
};

struct mr_transport *mr_nng_transport_create(void);
/* Can an address be used, with these certificates (NULL: none)? For a program's start; nobody is
 * asked. MR_INVALID or MR_NOT_FOUND with a sentence. Any thread. */
enum mr_status mr_nng_address_check(const char *address, const struct mr_transport_tls *tls,
                                    struct mr_error *error) MR_NODISCARD;

#endif
