/* proto/nng_server.c — the transport's server.
 * Design: a connection reads one frame after the other; each becomes a request: first ready, in
 * the order in which they came, then, handed out by server_receive, pending until server_reply. A
 * handle is the request's place and how often that was used. A frame's body is read only when there
 * is room for it; else its connection is parked, and TCP holds its sender back. Beyond
 * MR_TRANSPORT_PENDING_MAX nothing is refused with an answer: the refused would only ask again, and
 * the long polls that fill the places are answered within a moment.
 * What a peer can cost, and when it is closed:
 *   - memory: 64 KiB while it sends; more only for LARGE_MAX connections at a time, as the bytes
 *     come; then MR_TRANSPORT_PEER_PENDING_MAX requests (READY_BYTES_MAX of all connections'
 *     wait for server_receive; those handed out are the coordinator's) and as many answers, of
 *     OUT_BYTES_MAX. One request or answer more, and it is closed.
 *   - time: GREET_MS to greet, FRAME_MS for the rest of a frame once it began, TAKE_MS to take an
 *     answer, IDLE_MS without a request. Checked once a second.
 *   - a place among connections_max; when all are taken, the connection without a request that was
 *     silent longest is closed for a new one.
 * Threads: nng's call accepted, tick and the connections' functions; `monitor` guards everything
 * but current, which only the receiver's thread has. Connections are freed by tick. */
#include "proto/nng_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <sys/resource.h>

enum {
    READY_BYTES_MAX = 32 << 20,
    LARGE_MAX = 16,
    OUT_BYTES_MAX = 2 * MR_NNG_MESSAGE_BYTES_MAX,
    GREET_MS = 10000,
    FRAME_MS = 30000,
    TAKE_MS = 10000,
    IDLE_MS = 60000,
    TICK_MS = 1000,
    ACCEPTORS_COUNT = 32,
    ACCEPT_RETRY_MS = 100,
    MILLISECOND_NS = 1000000
};

enum request_state { REQUEST_FREE, REQUEST_RESERVED, REQUEST_READY, REQUEST_PENDING };

struct request {
    enum request_state state;
    uint32_t uses;              /* rises when it becomes free, so that an old handle is known */
    struct peer *peer;          /* unless free */
    struct mr_nng_frame *frame; /* READY */
    uint64_t number;            /* PENDING: of the peer's frame */
    struct request *next;       /* among the free, or the ready */
};

/* A connection. */
struct peer {
    struct mr_nng_connection base;
    struct nng_server *server;
    uint64_t id;
    struct peer *next; /* among all, the gone, or the ended */
    struct peer *before;
    bool reported;            /* a request of it was handed out: its end is told, too */
    bool ended;               /* nng has nothing to do with it any more */
    bool large;               /* holds one of the places for large bodies */
    struct request *reserved; /* for the frame that is being read */
    struct request *requests[MR_TRANSPORT_PEER_PENDING_MAX];
    uint32_t requests_count; /* READY and PENDING */
};

/* One of several accepts that are under way, so that a thousand workers that come at once are taken
 * before the system's queue of 128 is full. */
struct acceptor {
    struct nng_server *server;
    nng_aio *aio;
    bool delayed; /* asleep, since an accept failed */
};

struct nng_server {
    struct mr_transport_server base;
    struct mr_nng_identity identity;
    struct mr_nng_monitor monitor;
    nng_stream_listener *listener;
    struct acceptor acceptors[ACCEPTORS_COUNT];
    nng_aio *tick_aio;
    bool closing;
    bool woken;
    struct mr_nng_frame *current; /* borrowed by the receiver's thread */
    struct request *requests;
    uint32_t requests_used;
    struct request *free;
    struct request *ready;
    struct request *ready_last;
    size_t ready_bytes;
    uint32_t large_count;
    uint32_t parked_count;
    struct peer *peers; /* open, newest first */
    uint32_t peers_count;
    uint32_t connections_max;
    uint64_t last_id;
    struct peer *gone; /* closed, their end to be told, oldest first */
    struct peer *gone_last;
    struct peer *closed; /* closed and told, to be freed once ended */
};

static void lock(struct nng_server *server)
{
    MR_ASSERT(pthread_mutex_lock(&server->monitor.lock) == 0);
}

static void unlock(struct nng_server *server)
{
    MR_ASSERT(pthread_mutex_unlock(&server->monitor.lock) == 0);
}

static void notify(struct nng_server *server)
{
    MR_ASSERT(pthread_cond_signal(&server->monitor.changed) == 0);
}

/* ---- Requests. Locked. ---- */

static struct request *reserve_request(struct nng_server *server, struct peer *peer)
{
    struct request *request = server->free;
    if (request != NULL)
        server->free = request->next;
    else if (server->requests_used < MR_TRANSPORT_PENDING_MAX)
        request = &server->requests[server->requests_used++];
    else
        return NULL;
    request->state = REQUEST_RESERVED;
    request->peer = peer;
    return request;
}

static void free_request(struct nng_server *server, struct request *request)
{
    request->state = REQUEST_FREE;
    request->uses++;
    request->peer = NULL;
    request->next = server->free;
    server->free = request;
}

static void remove_from_peer(struct request *request)
{
    struct peer *peer = request->peer;
    for (uint32_t index = 0; index < peer->requests_count; index++) {
        if (peer->requests[index] == request) {
            peer->requests[index] = peer->requests[--peer->requests_count];
            return;
        }
    }
    mr_assert_failed("a request that its peer does not know", __FILE__, __LINE__);
}

static void append_ready(struct nng_server *server, struct request *request)
{
    request->state = REQUEST_READY;
    request->next = NULL;
    if (server->ready == NULL)
        server->ready = request;
    else
        server->ready_last->next = request;
    server->ready_last = request;
    server->ready_bytes += request->frame->size;
    notify(server);
}

static void remove_ready(struct nng_server *server, struct request *request)
{
    struct request *before = NULL;
    for (struct request *other = server->ready; other != request; other = other->next)
        before = other;
    if (before == NULL)
        server->ready = request->next;
    else
        before->next = request->next;
    if (server->ready_last == request)
        server->ready_last = before;
    server->ready_bytes -= request->frame->size;
}

/* ---- Room for bodies. Locked. ---- */

/* Whether there is room for a body, which is taken then. */
static bool take_room(struct nng_server *server, struct peer *peer, size_t size)
{
    bool large = size > MR_NNG_SMALL_BYTES;
    if (server->ready_bytes >= READY_BYTES_MAX || (large && server->large_count == LARGE_MAX))
        return false;
    peer->reserved = reserve_request(server, peer);
    if (peer->reserved == NULL)
        return false;
    peer->large = large;
    server->large_count += large;
    return true;
}

static void give_room_back(struct nng_server *server, struct peer *peer)
{
    server->large_count -= peer->large;
    peer->large = false;
}

/* Somebody has left room: let those that wait for it read, the longest open first. */
static void resume_parked(struct nng_server *server)
{
    if (server->parked_count == 0 || server->closing)
        return;
    struct peer *peer = server->peers;
    while (peer != NULL && peer->next != NULL)
        peer = peer->next;
    for (; peer != NULL && server->parked_count != 0; peer = peer->before) {
        if (peer->base.reading == MR_NNG_READING_PARKED &&
            take_room(server, peer, peer->base.body_size)) {
            server->parked_count--;
            mr_nng_connection_resume(&peer->base);
        }
    }
}

/* ---- The connections' owner. Locked. ---- */

static void greeted(struct mr_nng_connection *connection)
{
    MR_UNUSED(connection);
}

static bool may_receive(struct mr_nng_connection *connection, size_t size)
{
    struct peer *peer = (struct peer *)connection;
    struct nng_server *server = peer->server;
    if (peer->requests_count == MR_TRANSPORT_PEER_PENDING_MAX ||
        connection->out_count >= MR_TRANSPORT_PEER_PENDING_MAX) {
        MR_LOG_AT(MR_LOG_WARNING, "transport", NULL,
                  "A peer had more than %d requests without an answer, or did not take its "
                  "answers; its connection is closed.",
                  MR_TRANSPORT_PEER_PENDING_MAX);
        mr_nng_connection_close(connection, NNG_EPROTO);
        return false;
    }
    if (take_room(server, peer, size))
        return true;
    server->parked_count++;
    return false;
}

static void received(struct mr_nng_connection *connection, struct mr_nng_frame *frame)
{
    struct peer *peer = (struct peer *)connection;
    struct request *request = peer->reserved;
    peer->reserved = NULL;
    give_room_back(peer->server, peer);
    request->frame = frame;
    peer->requests[peer->requests_count++] = request;
    append_ready(peer->server, request);
    resume_parked(peer->server);
}

static void unlink_peer(struct nng_server *server, struct peer *peer)
{
    if (peer->before == NULL)
        server->peers = peer->next;
    else
        peer->before->next = peer->next;
    if (peer->next != NULL)
        peer->next->before = peer->before;
    server->peers_count--;
    peer->before = NULL;
    peer->next = NULL;
}

static void release_requests(struct nng_server *server, struct peer *peer)
{
    while (peer->requests_count != 0) {
        struct request *request = peer->requests[--peer->requests_count];
        if (request->state == REQUEST_READY) {
            remove_ready(server, request);
            mr_memory_free(request->frame);
            request->frame = NULL;
        }
        free_request(server, request);
    }
    if (peer->reserved != NULL)
        free_request(server, peer->reserved);
    peer->reserved = NULL;
    give_room_back(server, peer);
}

static void closed(struct mr_nng_connection *connection)
{
    struct peer *peer = (struct peer *)connection;
    struct nng_server *server = peer->server;
    if (connection->reading == MR_NNG_READING_PARKED)
        server->parked_count--;
    release_requests(server, peer);
    unlink_peer(server, peer);
    if (peer->reported && !server->closing) {
        if (server->gone == NULL)
            server->gone = peer;
        else
            server->gone_last->next = peer;
        server->gone_last = peer;
        notify(server);
    } else {
        peer->next = server->closed;
        server->closed = peer;
    }
    resume_parked(server);
}

static void ended(struct mr_nng_connection *connection)
{
    ((struct peer *)connection)->ended = true;
}

static const struct mr_nng_owner owner = {.greeted = greeted,
                                          .may_receive = may_receive,
                                          .received = received,
                                          .closed = closed,
                                          .ended = ended};

/* ---- Accepting. Locked. ---- */

/* Make room for one more connection. */
static void close_most_idle(struct nng_server *server)
{
    struct peer *found = NULL;
    for (struct peer *peer = server->peers; peer != NULL; peer = peer->next) {
        if (peer->requests_count == 0 && peer->reserved == NULL &&
            (found == NULL || peer->base.read_since_ms < found->base.read_since_ms))
            found = peer;
    }
    if (found == NULL)
        return;
    MR_LOG_AT(MR_LOG_WARNING, "transport", NULL,
              "There are %u connections; the one that was silent longest is closed for a new one.",
              server->peers_count);
    mr_nng_connection_close(&found->base, NNG_ECLOSED);
}

static bool add_peer(struct nng_server *server, nng_stream *stream)
{
    if (server->peers_count >= server->connections_max)
        close_most_idle(server);
    if (server->peers_count >= server->connections_max)
        return false;
    struct peer *peer = mr_memory_new(1, sizeof(*peer));
    peer->server = server;
    peer->id = ++server->last_id;
    peer->next = server->peers;
    if (server->peers != NULL)
        server->peers->before = peer;
    server->peers = peer;
    server->peers_count++;
    mr_nng_connection_start(&peer->base, &owner, &server->monitor.lock, stream);
    return true;
}

static void accept_next(struct acceptor *acceptor, bool delayed)
{
    acceptor->delayed = delayed;
    if (delayed)
        nng_sleep_aio(ACCEPT_RETRY_MS, acceptor->aio);
    else
        nng_stream_listener_accept(acceptor->server->listener, acceptor->aio);
}

/* A connection was accepted, or could not be (no more files, it broke at once), or the delay after
 * that has passed. */
static void accepted(void *argument)
{
    struct acceptor *acceptor = argument;
    struct nng_server *server = acceptor->server;
    lock(server);
    int result = nng_aio_result(acceptor->aio);
    nng_stream *stream =
        !acceptor->delayed && result == 0 ? nng_aio_get_output(acceptor->aio, 0) : NULL;
    if (!server->closing) {
        if (stream != NULL && add_peer(server, stream))
            stream = NULL;
        accept_next(acceptor, result != 0);
    }
    unlock(server);
    if (stream != NULL)
        nng_stream_free(stream);
}

/* ---- Once a second. Locked. ---- */

static bool is_late(const struct peer *peer, uint64_t now_ms)
{
    const struct mr_nng_connection *connection = &peer->base;
    uint64_t read_ms = now_ms - connection->read_since_ms;
    if (connection->out != NULL && now_ms - connection->write_since_ms > TAKE_MS)
        return true;
    if (connection->reading == MR_NNG_READING_GREETING)
        return read_ms > GREET_MS;
    if (connection->reading == MR_NNG_READING_PARKED)
        return false;
    if (connection->reading == MR_NNG_READING_BODY || connection->head_size != 0)
        return read_ms > FRAME_MS;
    return peer->requests_count == 0 && connection->out == NULL && read_ms > IDLE_MS;
}

static void close_late(struct nng_server *server)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    struct peer *next = server->peers;
    while (next != NULL) {
        struct peer *peer = next;
        next = peer->next;
        if (is_late(peer, now_ms))
            mr_nng_connection_close(&peer->base, NNG_ETIMEDOUT);
    }
}

/* Take the closed connections that nng has done with out of the list. */
static struct peer *take_ended(struct nng_server *server)
{
    struct peer *taken = NULL;
    struct peer **place = &server->closed;
    while (*place != NULL) {
        struct peer *peer = *place;
        if (!peer->ended) {
            place = &peer->next;
            continue;
        }
        *place = peer->next;
        peer->next = taken;
        taken = peer;
    }
    return taken;
}

static void free_peers(struct peer *peers)
{
    while (peers != NULL) {
        struct peer *peer = peers;
        peers = peer->next;
        mr_nng_connection_deinit(&peer->base);
        mr_memory_free(peer);
    }
}

static void tick(void *argument)
{
    struct nng_server *server = argument;
    lock(server);
    bool closing = server->closing;
    if (!closing)
        close_late(server);
    struct peer *peers = take_ended(server);
    unlock(server);
    free_peers(peers);
    lock(server);
    if (!server->closing)
        nng_sleep_aio(TICK_MS, server->tick_aio);
    unlock(server);
}

/* ---- The interface ---- */

static uint32_t connections_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur / 2 > MR_TRANSPORT_CONNECTIONS_MAX)
        return MR_TRANSPORT_CONNECTIONS_MAX;
    return (uint32_t)files.rlim_cur / 2; /* the other half is for Kafka, HTTP and files */
}

static enum mr_status listen_at(struct nng_server *server, const char *address,
                                const struct mr_nng_address *parsed, struct mr_error *error)
{
    int code = 0;
    if (!parsed->ipc)
        code = nng_stream_listener_set_bool(server->listener, NNG_OPT_TCP_NODELAY, true);
    if (code == 0 && !parsed->ipc)
        code = nng_stream_listener_set_bool(server->listener, NNG_OPT_TCP_KEEPALIVE, true);
    if (code == 0 && parsed->tls) {
        nng_tls_config *config;
        enum mr_status status = mr_nng_tls_create(&server->identity, NULL, &config, error);
        if (status != MR_OK)
            return status;
        code = nng_stream_listener_set_ptr(server->listener, NNG_OPT_TLS_CONFIG, config);
        nng_tls_config_free(config); /* the listener holds it */
    }
    if (code == 0)
        code = nng_stream_listener_listen(server->listener);
    if (code == 0)
        return MR_OK;
    enum mr_status status = mr_nng_fail(error, code,
                                        "Cannot listen at '%s'; name an address of this machine "
                                        "that nobody else listens at",
                                        address);
    error->recovery = MR_RECOVERY_EXIT;
    return status;
}

static enum mr_status open_listener(struct nng_server *server, const char *address,
                                    struct mr_error *error)
{
    struct mr_nng_address parsed;
    enum mr_status status = mr_nng_address_parse(address, &server->identity, &parsed, error);
    if (status != MR_OK)
        return status;
    int code = nng_stream_listener_alloc(&server->listener, address);
    if (code != 0)
        return mr_nng_fail(error, code, "The address '%s' cannot be listened at", address);
    status = listen_at(server, address, &parsed, error);
    if (status != MR_OK)
        nng_stream_listener_free(server->listener);
    return status;
}

static void free_server(struct nng_server *server)
{
    mr_nng_monitor_deinit(&server->monitor);
    mr_nng_identity_deinit(&server->identity);
    mr_memory_free(server->requests);
    mr_memory_free(server);
}

/* Let nng's threads accept and tick. */
static void start_threads(struct nng_server *server)
{
    MR_ASSERT(nng_aio_alloc(&server->tick_aio, tick, server) == 0);
    lock(server);
    nng_sleep_aio(TICK_MS, server->tick_aio);
    for (size_t index = 0; index < ACCEPTORS_COUNT; index++) {
        struct acceptor *acceptor = &server->acceptors[index];
        acceptor->server = server;
        MR_ASSERT(nng_aio_alloc(&acceptor->aio, accepted, acceptor) == 0);
        nng_aio_set_timeout(acceptor->aio, NNG_DURATION_INFINITE);
        accept_next(acceptor, false);
    }
    unlock(server);
}

enum mr_status mr_nng_server_create(struct mr_transport *transport, const char *address,
                                    const struct mr_transport_tls *tls,
                                    struct mr_transport_server **server, struct mr_error *error)
{
    struct mr_nng_identity identity;
    enum mr_status status = mr_nng_identity_load(tls, &identity, error);
    if (status != MR_OK)
        return status;
    struct nng_server *self = mr_memory_new(1, sizeof(*self));
    self->base.transport = transport;
    self->identity = identity;
    self->connections_max = connections_limit();
    self->requests = mr_memory_new(MR_TRANSPORT_PENDING_MAX, sizeof(*self->requests));
    mr_nng_monitor_init(&self->monitor);
    status = open_listener(self, address, error);
    if (status != MR_OK) {
        free_server(self);
        return status;
    }
    start_threads(self);
    *server = &self->base;
    return MR_OK;
}

void mr_nng_server_destroy(struct mr_transport_server *server)
{
    struct nng_server *self = (struct nng_server *)server;
    if (self == NULL)
        return;
    lock(self);
    self->closing = true;
    while (self->peers != NULL)
        mr_nng_connection_close(&self->peers->base, NNG_ECLOSED);
    unlock(self);
    nng_stream_listener_close(self->listener);
    for (size_t index = 0; index < ACCEPTORS_COUNT; index++)
        nng_aio_free(self->acceptors[index].aio); /* cancels, and waits for the callback */
    nng_aio_free(self->tick_aio);
    free_peers(self->closed);
    free_peers(self->gone);
    nng_stream_listener_free(self->listener);
    mr_memory_free(self->current);
    free_server(self);
}

static void tell_gone(struct nng_server *server, struct mr_transport_incoming *incoming)
{
    struct peer *peer = server->gone;
    server->gone = peer->next;
    *incoming = (struct mr_transport_incoming){.peer = peer->id};
    peer->next = server->closed;
    server->closed = peer;
}

static void hand_out(struct nng_server *server, struct mr_transport_incoming *incoming)
{
    struct request *request = server->ready;
    remove_ready(server, request);
    server->current = request->frame;
    request->frame = NULL;
    request->state = REQUEST_PENDING;
    request->number = mr_nng_frame_request(server->current);
    request->peer->reported = true;
    *incoming = (struct mr_transport_incoming){
        .handle = (uint64_t)request->uses << 32 | (uint32_t)(request - server->requests + 1),
        .peer = request->peer->id,
        .bytes = mr_slice_from(server->current->bytes, server->current->size)};
}

enum mr_status mr_nng_server_receive(struct mr_transport_server *server, uint32_t wait_ms,
                                     struct mr_transport_incoming *incoming, struct mr_error *error)
{
    struct nng_server *self = (struct nng_server *)server;
    uint64_t deadline_ns = mr_clock_monotonic_ns() + (uint64_t)wait_ms * MILLISECOND_NS;
    enum mr_status status = MR_OK;
    MR_UNUSED(error);
    mr_memory_free(self->current);
    self->current = NULL;
    lock(self);
    while (self->ready == NULL && self->gone == NULL && !self->woken &&
           mr_nng_monitor_wait(&self->monitor, deadline_ns)) {
    }
    if (self->gone != NULL) {
        tell_gone(self, incoming);
    } else if (self->ready != NULL) {
        hand_out(self, incoming);
        resume_parked(self);
    } else {
        self->woken = false;
        status = MR_AGAIN;
    }
    unlock(self);
    return status;
}

/* The request of a handle that is still pending, NULL otherwise. Locked. */
static struct request *find_pending(struct nng_server *server, uint64_t handle)
{
    uint32_t place = (uint32_t)handle;
    if (place == 0 || place > server->requests_used)
        return NULL;
    struct request *request = &server->requests[place - 1];
    bool pending = request->state == REQUEST_PENDING && request->uses == (uint32_t)(handle >> 32);
    return pending ? request : NULL;
}

void mr_nng_server_reply(struct mr_transport_server *server, uint64_t handle, struct mr_slice bytes)
{
    struct nng_server *self = (struct nng_server *)server;
    struct mr_nng_frame *frame = mr_nng_frame_create(0, bytes);
    lock(self);
    struct request *request = find_pending(self, handle);
    if (request != NULL) {
        struct mr_nng_connection *connection = &request->peer->base;
        mr_nng_frame_answer(frame, request->number);
        remove_from_peer(request);
        free_request(self, request);
        if (connection->out_bytes + frame->size > OUT_BYTES_MAX)
            mr_nng_connection_close(connection, NNG_ENOMEM);
        mr_nng_connection_send(connection, frame);
        frame = NULL;
        resume_parked(self);
    }
    unlock(self);
    mr_memory_free(frame);
}

void mr_nng_server_drop(struct mr_transport_server *server, uint64_t peer)
{
    struct nng_server *self = (struct nng_server *)server;
    lock(self);
    struct peer *found = self->peers;
    while (found != NULL && found->id != peer)
        found = found->next;
    if (found != NULL)
        mr_nng_connection_close(&found->base, NNG_ECLOSED);
    unlock(self);
}

void mr_nng_server_wake(struct mr_transport_server *server)
{
    struct nng_server *self = (struct nng_server *)server;
    lock(self);
    self->woken = true;
    notify(self);
    unlock(self);
}
