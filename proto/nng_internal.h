/* proto/nng_internal.h — what the nng transport's client and server share: framed connections,
 * addresses, certificates, errors.
 * The only header that sees nng's; only proto/nng_*.c include it.
 * Model: nng carries bytes (its streams over tcp, ipc and tls+tcp); frames are ours. Both sides
 * greet with 8 bytes, then send frames:
 *     greeting  'M' 'R' 'T' 'R' | u8 version (1) | u8 0 | u8 0 | u8 0
 *     frame     u32le size of the bytes | u32le 0 | u64le request | bytes
 * An answer bears its request's number; a client takes the answer of its last request only.
 * Why not nng's REQ and REP sockets: nng 1.5 (Debian 12) waits for ever in nng_close, and then
 * reports no lost connection any more in the whole process, when one of its pipes is closed in the
 * moment in which a message's head has come and its body has not. Their messages also have no
 * deadline: a peer that sends half a message keeps what was reserved for all of it. docs/adr/0005
 * has the details. */
#ifndef MR_PROTO_NNG_INTERNAL_H
#define MR_PROTO_NNG_INTERNAL_H

#include "proto/transport.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <pthread.h>

enum {
    MR_NNG_MESSAGE_BYTES_MAX = 8 << 20, /* MR_MESSAGE_BYTES_MAX of proto/messages.h */
    MR_NNG_HOST_SIZE = 256,
    MR_NNG_HEAD_SIZE = 16,
    MR_NNG_SMALL_BYTES = 64 << 10 /* a body is given so much at first, then twice as much ... */
};

/* ---- Connections: nng_connection.c ---- */

/* A message on its way. Owner: see each function; freed with mr_memory_free. */
struct mr_nng_frame {
    struct mr_nng_frame *next;
    size_t size;                    /* of the bytes behind the head */
    size_t done;                    /* written or read, the head included */
    uint8_t head[MR_NNG_HEAD_SIZE]; /* directly in front of the bytes */
    uint8_t bytes[];
};

enum mr_nng_reading {
    MR_NNG_READING_GREETING,
    MR_NNG_READING_HEAD,
    MR_NNG_READING_PARKED, /* the owner has no place for the body now */
    MR_NNG_READING_BODY
};

struct mr_nng_connection;

/* What a connection's owner is told, all of it locked; it may close the connection meanwhile. */
struct mr_nng_owner {
    void (*greeted)(struct mr_nng_connection *connection);
    /* A frame's head has come: whether its body may be read. If not, the connection is parked. */
    bool (*may_receive)(struct mr_nng_connection *connection, size_t size);
    /* A frame has come, and is the owner's now. */
    void (*received)(struct mr_nng_connection *connection, struct mr_nng_frame *frame);
    /* Closed, once, by either side. */
    void (*closed)(struct mr_nng_connection *connection);
    /* Nothing of nng works on it any more: last call, after closed. */
    void (*ended)(struct mr_nng_connection *connection);
};

/* First member of the owner's connection. The owner's lock guards all of it; nng's callbacks take
 * it. */
struct mr_nng_connection {
    const struct mr_nng_owner *owner;
    pthread_mutex_t *lock;
    nng_stream *stream;
    nng_aio *receive_aio;
    nng_aio *send_aio;
    bool receiving; /* receive_aio is under way */
    bool sending;
    bool is_closed;
    int reason; /* nng's code, once closed */
    enum mr_nng_reading reading;
    uint8_t head[MR_NNG_HEAD_SIZE];
    size_t head_size;          /* bytes of the greeting or head that have come */
    struct mr_nng_frame *body; /* being read */
    size_t body_size;          /* what the head says */
    size_t body_capacity;      /* what body has room for */
    struct mr_nng_frame *out;  /* being written, then those that wait */
    struct mr_nng_frame *out_last;
    uint32_t out_count;
    size_t out_bytes;
    uint64_t read_since_ms;  /* when what is being read began, or the last frame ended */
    uint64_t write_since_ms; /* when the frame that is being written began */
};

/* Take stream and greet. Locked. */
void mr_nng_connection_start(struct mr_nng_connection *connection, const struct mr_nng_owner *owner,
                             pthread_mutex_t *lock, nng_stream *stream);
/* Queue a frame. Locked. Owner: the connection. */
void mr_nng_connection_send(struct mr_nng_connection *connection, struct mr_nng_frame *frame);
/* Forget the frames of which nothing was written yet. Locked. */
void mr_nng_connection_forget(struct mr_nng_connection *connection);
/* Read the body of the head that parked it. Locked. */
void mr_nng_connection_resume(struct mr_nng_connection *connection);
/* Idempotent. The owner is told. Locked. */
void mr_nng_connection_close(struct mr_nng_connection *connection, int reason);
/* Free what it has, without the lock and not from a callback; it is closed, and has ended or ends
 * while this waits. */
void mr_nng_connection_deinit(struct mr_nng_connection *connection);

struct mr_nng_frame *mr_nng_frame_create(uint64_t request, struct mr_slice bytes);
void mr_nng_frame_answer(struct mr_nng_frame *frame, uint64_t request); /* number it anew */
uint64_t mr_nng_frame_request(const struct mr_nng_frame *frame);

/* ---- nng_transport.c ---- */

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
