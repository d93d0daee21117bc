/* proto/nng_server.c — the transport's server: one REP socket, a context per pending request.
 * Design: a slot is a context with its aio. One idle slot at a time receives; when a request has
 * come it is ready, and the next idle slot receives. server_receive hands the request out (the slot
 * is pending), server_reply sends through the slot, which is idle again when nng has taken the
 * answer. With no idle slot nothing is received: requests wait in nng, one per connection, and then
 * in TCP; answering them with a refusal instead would only make their senders ask again.
 * What a peer can cost: MR_TRANSPORT_PEER_PENDING_MAX slots, after which its connection is closed
 * (a client of ours has one request under way, and some that it gave up); an answer that it does
 * not take within TAKE_MS closes its connection, too. In nng a connection holds one request that
 * was not received yet and one answer that is being written, each of at most MR_MESSAGE_BYTES_MAX.
 * Requests that wait for server_receive are READY_MAX and about READY_BYTES_MAX. Of more than
 * connections_max connections the one that has been without a request longest is closed; those that
 * do not greet are closed by nng after 10 s.
 * Locks: `monitor` guards all but what only one thread has: current (the receiver's thread), and a
 * slot's context and aio while nng works on them. nng's functions are called without the lock,
 * since pipe_changed is called under nng's own. */
#include "proto/nng_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <nng/protocol/reqrep0/rep.h>
#include <sys/resource.h>

enum {
    READY_MAX = 256,
    READY_BYTES_MAX = 16 << 20,
    TAKE_MS = 10000,
    BUCKETS_COUNT = 4096, /* a power of two; pipe ids are consecutive */
    MILLISECOND_NS = 1000000,
    SECOND_NS = 1000000000
};

enum slot_state { SLOT_IDLE, SLOT_RECEIVING, SLOT_READY, SLOT_PENDING, SLOT_SENDING };

struct slot {
    struct nng_server *server;
    enum slot_state state;
    uint32_t generation; /* rises with each request, so that an old handle is known */
    struct peer *peer;   /* READY, PENDING and SENDING; NULL when it has gone */
    nng_msg *message;    /* READY */
    struct slot *next;   /* among the idle or the ready */
    nng_ctx context;
    nng_aio *aio; /* NULL: never used */
};

/* A connection. */
struct peer {
    uint64_t number;    /* a serial number, then the pipe's id in the low 32 bits */
    struct peer *next;  /* in its bucket, or among the gone */
    bool reported;      /* a request of it was handed out */
    bool closing;       /* it is being closed by us */
    uint64_t active_ms; /* when its last request came, or it did */
    struct slot *slots[MR_TRANSPORT_PEER_PENDING_MAX];
    uint32_t slots_count;
};

struct nng_server {
    struct mr_transport_server base;
    struct mr_nng_identity identity;
    struct mr_nng_monitor monitor;
    nng_socket socket;
    nng_msg *current; /* borrowed by the receiver's thread */
    bool woken;
    bool closing;
    bool receiving;    /* a slot is */
    uint32_t starting; /* slots that were taken to receive and do not yet */
    struct slot *slots;
    uint32_t slots_used;
    struct slot *idle;
    struct slot *ready;
    struct slot *ready_last;
    uint32_t ready_count;
    size_t ready_bytes;
    struct peer *gone; /* to be reported, oldest first */
    struct peer *gone_last;
    struct peer *buckets[BUCKETS_COUNT];
    uint32_t peers_count; /* without those that are closing */
    uint32_t connections_max;
    uint32_t peers_serial;
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

/* ---- Peers. Locked. ---- */

static struct peer **find_peer(struct nng_server *server, uint32_t pipe_id)
{
    struct peer **place = &server->buckets[pipe_id % BUCKETS_COUNT];
    while (*place != NULL && (uint32_t)(*place)->number != pipe_id)
        place = &(*place)->next;
    return place;
}

/* Mark a peer that will be closed by the caller, without the lock. Returns its pipe. */
static nng_pipe mark_closing(struct nng_server *server, struct peer *peer)
{
    if (!peer->closing)
        server->peers_count--;
    peer->closing = true;
    return (nng_pipe){.id = (uint32_t)peer->number};
}

/* The peer without pending requests that has been silent longest; NULL when all have some. */
static struct peer *most_idle_peer(struct nng_server *server)
{
    struct peer *found = NULL;
    for (size_t bucket = 0; bucket < BUCKETS_COUNT; bucket++) {
        for (struct peer *peer = server->buckets[bucket]; peer != NULL; peer = peer->next) {
            if (!peer->closing && peer->slots_count == 0 &&
                (found == NULL || peer->active_ms < found->active_ms))
                found = peer;
        }
    }
    return found;
}

static void detach(struct slot *slot)
{
    struct peer *peer = slot->peer;
    slot->peer = NULL;
    if (peer == NULL)
        return;
    for (uint32_t index = 0; index < peer->slots_count; index++) {
        if (peer->slots[index] == slot) {
            peer->slots[index] = peer->slots[--peer->slots_count];
            return;
        }
    }
    MR_ASSERT(!"a slot that its peer does not know");
}

/* ---- Slots. Locked. ---- */

static void make_idle(struct slot *slot)
{
    detach(slot);
    slot->state = SLOT_IDLE;
    slot->generation++;
    slot->next = slot->server->idle;
    slot->server->idle = slot;
}

static void remove_ready(struct nng_server *server, struct slot *slot)
{
    struct slot *before = NULL;
    for (struct slot *other = server->ready; other != slot; other = other->next)
        before = other;
    if (before == NULL)
        server->ready = slot->next;
    else
        before->next = slot->next;
    if (server->ready_last == slot)
        server->ready_last = before;
    server->ready_count--;
    server->ready_bytes -= nng_msg_len(slot->message);
}

static void append_ready(struct nng_server *server, struct slot *slot)
{
    slot->next = NULL;
    if (server->ready == NULL)
        server->ready = slot;
    else
        server->ready_last->next = slot;
    server->ready_last = slot;
    server->ready_count++;
    server->ready_bytes += nng_msg_len(slot->message);
}

/* The slot that shall receive next, NULL when one does already or none may. */
static struct slot *take_receiver(struct nng_server *server)
{
    if (server->receiving || server->closing || server->ready_count >= READY_MAX ||
        server->ready_bytes >= READY_BYTES_MAX)
        return NULL;
    struct slot *slot = server->idle;
    if (slot != NULL)
        server->idle = slot->next;
    else if (server->slots_used < MR_TRANSPORT_PENDING_MAX)
        slot = &server->slots[server->slots_used++];
    else
        return NULL;
    slot->state = SLOT_RECEIVING;
    server->receiving = true;
    server->starting++;
    return slot;
}

/* ---- What nng calls ---- */

static void slot_changed(void *argument);

/* Let the slot that take_receiver returned receive; it may be NULL. Without the lock. */
static void start_receiving(struct nng_server *server, struct slot *slot)
{
    if (slot == NULL)
        return;
    if (slot->aio == NULL) {
        slot->server = server;
        MR_ASSERT(nng_aio_alloc(&slot->aio, slot_changed, slot) == 0);
        MR_ASSERT(nng_ctx_open(&slot->context, server->socket) == 0);
    }
    nng_aio_set_timeout(slot->aio, NNG_DURATION_INFINITE);
    nng_ctx_recv(slot->context, slot->aio);
    lock(server);
    server->starting--;
    notify(server);
    unlock(server);
}

/* Take a request in. Returns whether its peer must be closed, which is in *pipe then. */
static bool accept_request(struct nng_server *server, struct slot *slot, nng_msg *message,
                           nng_pipe *pipe)
{
    struct peer *peer = *find_peer(server, nng_msg_get_pipe(message).id);
    if (peer == NULL || peer->closing) {
        nng_msg_free(message);
        make_idle(slot);
        return false;
    }
    if (peer->slots_count == MR_TRANSPORT_PEER_PENDING_MAX) {
        nng_msg_free(message);
        make_idle(slot);
        *pipe = mark_closing(server, peer);
        return true;
    }
    peer->active_ms = mr_clock_monotonic_ms();
    peer->slots[peer->slots_count++] = slot;
    slot->peer = peer;
    slot->message = message;
    slot->state = SLOT_READY;
    append_ready(server, slot);
    notify(server);
    return false;
}

static void request_received(struct nng_server *server, struct slot *slot)
{
    int result = nng_aio_result(slot->aio);
    nng_msg *message = result == 0 ? nng_aio_get_msg(slot->aio) : NULL;
    nng_pipe pipe;
    bool close = false;
    nng_aio_set_msg(slot->aio, NULL);
    lock(server);
    server->receiving = false;
    if (message != NULL)
        close = accept_request(server, slot, message, &pipe);
    else
        make_idle(slot);
    /* nng ends a receive without a message only when the socket is being closed. */
    struct slot *next = message != NULL ? take_receiver(server) : NULL;
    unlock(server);
    if (close) {
        MR_LOG_AT(MR_LOG_WARNING, "transport", NULL,
                  "A peer had more than %d requests without an answer; its connection is closed.",
                  MR_TRANSPORT_PEER_PENDING_MAX);
        (void)nng_pipe_close(pipe);
    }
    start_receiving(server, next);
}

static void reply_sent(struct nng_server *server, struct slot *slot)
{
    nng_pipe pipe;
    bool close = false;
    if (nng_aio_result(slot->aio) != 0) {
        nng_msg_free(nng_aio_get_msg(slot->aio));
        nng_aio_set_msg(slot->aio, NULL);
        close = true;
    }
    lock(server);
    close = close && slot->peer != NULL;
    if (close)
        pipe = mark_closing(server, slot->peer);
    make_idle(slot);
    struct slot *next = take_receiver(server);
    unlock(server);
    if (close) {
        MR_LOG_AT(MR_LOG_WARNING, "transport", NULL,
                  "A peer did not take its answers for %d seconds; its connection is closed.",
                  TAKE_MS / 1000);
        (void)nng_pipe_close(pipe);
    }
    start_receiving(server, next);
}

/* A slot's aio has ended. Only one operation at a time is under way with it, and its state says
 * which. */
static void slot_changed(void *argument)
{
    struct slot *slot = argument;
    struct nng_server *server = slot->server;
    lock(server);
    enum slot_state state = slot->state;
    unlock(server);
    if (state == SLOT_RECEIVING)
        request_received(server, slot);
    else
        reply_sent(server, slot);
}

static void peer_came(struct nng_server *server, nng_pipe pipe)
{
    nng_pipe closed;
    bool close = false;
    struct peer *peer = mr_memory_new(1, sizeof(*peer));
    lock(server);
    if (server->peers_count >= server->connections_max) {
        struct peer *idle = most_idle_peer(server);
        closed = idle != NULL ? mark_closing(server, idle) : pipe;
        close = true;
    }
    if (!close || closed.id != pipe.id) {
        peer->number = (uint64_t)++server->peers_serial << 32 | pipe.id;
        peer->active_ms = mr_clock_monotonic_ms();
        peer->next = server->buckets[pipe.id % BUCKETS_COUNT];
        server->buckets[pipe.id % BUCKETS_COUNT] = peer;
        server->peers_count++;
        peer = NULL;
    }
    unlock(server);
    mr_memory_free(peer);
    if (close) {
        MR_LOG_AT(MR_LOG_WARNING, "transport", NULL,
                  "There are %u connections already; the one without a request is closed.",
                  server->connections_max);
        (void)nng_pipe_close(closed);
    }
}

/* Give back the slots of a peer that has gone. An answer that is being sent ends by itself. */
static void release_slots(struct nng_server *server, struct peer *peer)
{
    while (peer->slots_count != 0) {
        struct slot *slot = peer->slots[0];
        if (slot->state == SLOT_SENDING) {
            detach(slot);
            continue;
        }
        if (slot->state == SLOT_READY) {
            remove_ready(server, slot);
            nng_msg_free(slot->message);
            slot->message = NULL;
        }
        make_idle(slot);
    }
}

static void peer_went(struct nng_server *server, nng_pipe pipe)
{
    lock(server);
    struct peer **place = find_peer(server, pipe.id);
    struct peer *peer = *place;
    if (peer == NULL) {
        unlock(server);
        return;
    }
    *place = peer->next;
    (void)mark_closing(server, peer);
    release_slots(server, peer);
    if (peer->reported) {
        peer->next = NULL;
        if (server->gone == NULL)
            server->gone = peer;
        else
            server->gone_last->next = peer;
        server->gone_last = peer;
        notify(server);
    } else {
        mr_memory_free(peer);
    }
    struct slot *next = take_receiver(server);
    unlock(server);
    start_receiving(server, next);
}

static void pipe_changed(nng_pipe pipe, nng_pipe_ev event, void *argument)
{
    if (event == NNG_PIPE_EV_ADD_PRE)
        peer_came(argument, pipe);
    else if (event == NNG_PIPE_EV_REM_POST)
        peer_went(argument, pipe);
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
    nng_listener listener;
    nng_tls_config *config;
    int code = nng_listener_create(&listener, server->socket, address);
    if (code == 0 && !parsed->ipc)
        code = nng_listener_set_bool(listener, NNG_OPT_TCP_KEEPALIVE, true);
    if (code == 0 && parsed->tls) {
        enum mr_status status = mr_nng_tls_create(&server->identity, NULL, &config, error);
        if (status != MR_OK)
            return status;
        code = nng_listener_set_ptr(listener, NNG_OPT_TLS_CONFIG, config);
        nng_tls_config_free(config); /* the listener holds it */
    }
    if (code == 0)
        code = nng_listener_start(listener, 0);
    if (code != 0)
        return mr_nng_fail(error, code,
                           "Cannot listen at '%s'; name an address of this machine that nobody "
                           "else listens at",
                           address);
    return MR_OK;
}

static enum mr_status open_server(struct nng_server *server, const char *address,
                                  const struct mr_nng_address *parsed, struct mr_error *error)
{
    int code = nng_rep0_open(&server->socket);
    if (code != 0)
        return mr_nng_fail(error, code, "A socket for '%s' cannot be opened", address);
    enum mr_status status = MR_OK;
    if ((code = nng_socket_set_size(server->socket, NNG_OPT_RECVMAXSZ, MR_NNG_RECEIVE_BYTES_MAX)) !=
            0 ||
        (code = nng_pipe_notify(server->socket, NNG_PIPE_EV_ADD_PRE, pipe_changed, server)) != 0 ||
        (code = nng_pipe_notify(server->socket, NNG_PIPE_EV_REM_POST, pipe_changed, server)) != 0)
        status = mr_nng_fail(error, code, "A socket for '%s' cannot be set up", address);
    if (status == MR_OK)
        status = listen_at(server, address, parsed, error);
    if (status != MR_OK)
        (void)nng_close(server->socket);
    return status;
}

static void free_server(struct nng_server *server)
{
    mr_nng_monitor_deinit(&server->monitor);
    mr_nng_identity_deinit(&server->identity);
    mr_memory_free(server->slots);
    mr_memory_free(server);
}

enum mr_status mr_nng_server_create(struct mr_transport *transport, const char *address,
                                    const struct mr_transport_tls *tls,
                                    struct mr_transport_server **server, struct mr_error *error)
{
    struct mr_nng_identity identity;
    struct mr_nng_address parsed;
    enum mr_status status = mr_nng_identity_load(tls, &identity, error);
    if (status != MR_OK)
        return status;
    status = mr_nng_address_parse(address, &identity, &parsed, error);
    if (status != MR_OK) {
        mr_nng_identity_deinit(&identity);
        return status;
    }
    struct nng_server *self = mr_memory_new(1, sizeof(*self));
    self->base.transport = transport;
    self->identity = identity;
    self->connections_max = connections_limit();
    self->slots = mr_memory_new(MR_TRANSPORT_PENDING_MAX, sizeof(*self->slots));
    mr_nng_monitor_init(&self->monitor);
    status = open_server(self, address, &parsed, error);
    if (status != MR_OK) {
        free_server(self);
        return status;
    }
    lock(self);
    struct slot *first = take_receiver(self);
    unlock(self);
    start_receiving(self, first);
    *server = &self->base;
    return MR_OK;
}

void mr_nng_server_destroy(struct mr_transport_server *server)
{
    struct nng_server *self = (struct nng_server *)server;
    if (self == NULL)
        return;
    lock(self);
    self->closing = true; /* no slot is taken from now on; those that were have to get there */
    while (self->starting != 0)
        (void)mr_nng_monitor_wait(&self->monitor, mr_clock_monotonic_ns() + SECOND_NS);
    unlock(self);
    (void)nng_close(self->socket); /* ends every operation and reports every pipe */
    for (uint32_t index = 0; index < self->slots_used; index++) {
        if (self->slots[index].aio != NULL)
            nng_aio_free(self->slots[index].aio);
        if (self->slots[index].message != NULL)
            nng_msg_free(self->slots[index].message);
    }
    if (self->current != NULL)
        nng_msg_free(self->current);
    for (size_t bucket = 0; bucket < BUCKETS_COUNT; bucket++)
        MR_ASSERT(self->buckets[bucket] == NULL);
    while (self->gone != NULL) {
        struct peer *peer = self->gone;
        self->gone = peer->next;
        mr_memory_free(peer);
    }
    free_server(self);
}

static void report_gone(struct nng_server *server, struct mr_transport_incoming *incoming)
{
    struct peer *peer = server->gone;
    server->gone = peer->next;
    *incoming = (struct mr_transport_incoming){.peer = peer->number};
    mr_memory_free(peer);
}

static void hand_out(struct nng_server *server, struct mr_transport_incoming *incoming)
{
    struct slot *slot = server->ready;
    remove_ready(server, slot);
    slot->state = SLOT_PENDING;
    slot->peer->reported = true;
    server->current = slot->message;
    slot->message = NULL;
    *incoming = (struct mr_transport_incoming){
        .handle = (uint64_t)slot->generation << 32 | (uint32_t)(slot - server->slots + 1),
        .peer = slot->peer->number,
        .bytes = mr_slice_from(nng_msg_body(server->current), nng_msg_len(server->current))};
}

enum mr_status mr_nng_server_receive(struct mr_transport_server *server, uint32_t wait_ms,
                                     struct mr_transport_incoming *incoming, struct mr_error *error)
{
    struct nng_server *self = (struct nng_server *)server;
    uint64_t deadline_ns = mr_clock_monotonic_ns() + (uint64_t)wait_ms * MILLISECOND_NS;
    enum mr_status status = MR_OK;
    MR_UNUSED(error);
    if (self->current != NULL)
        nng_msg_free(self->current);
    self->current = NULL;
    lock(self);
    while (self->ready == NULL && self->gone == NULL && !self->woken &&
           mr_nng_monitor_wait(&self->monitor, deadline_ns)) {
    }
    if (self->gone != NULL) {
        report_gone(self, incoming);
    } else if (self->ready != NULL) {
        hand_out(self, incoming);
    } else {
        self->woken = false;
        status = MR_AGAIN;
    }
    struct slot *next = take_receiver(self);
    unlock(self);
    start_receiving(self, next);
    return status;
}

/* The slot of a handle whose request is still open, NULL otherwise. Locked. */
static struct slot *find_pending(struct nng_server *server, uint64_t handle)
{
    uint32_t index = (uint32_t)handle;
    if (index == 0 || index > server->slots_used)
        return NULL;
    struct slot *slot = &server->slots[index - 1];
    bool open = slot->state == SLOT_PENDING && slot->generation == (uint32_t)(handle >> 32);
    return open ? slot : NULL;
}

void mr_nng_server_reply(struct mr_transport_server *server, uint64_t handle, struct mr_slice bytes)
{
    struct nng_server *self = (struct nng_server *)server;
    nng_msg *message;
    MR_ASSERT(bytes.size > 0 && bytes.size <= MR_NNG_RECEIVE_BYTES_MAX - 256);
    lock(self);
    struct slot *slot = find_pending(self, handle);
    if (slot != NULL)
        slot->state = SLOT_SENDING;
    unlock(self);
    if (slot == NULL)
        return;
    MR_ASSERT(nng_msg_alloc(&message, 0) == 0);
    MR_ASSERT(nng_msg_append(message, bytes.data, bytes.size) == 0);
    nng_aio_set_msg(slot->aio, message);
    nng_aio_set_timeout(slot->aio, TAKE_MS);
    nng_ctx_send(slot->context, slot->aio);
}

void mr_nng_server_drop(struct mr_transport_server *server, uint64_t peer)
{
    struct nng_server *self = (struct nng_server *)server;
    nng_pipe pipe = {0};
    lock(self);
    struct peer *found = *find_peer(self, (uint32_t)peer);
    bool known = found != NULL && found->number == peer;
    if (known)
        pipe = mark_closing(self, found);
    unlock(self);
    if (known)
        (void)nng_pipe_close(pipe);
}

void mr_nng_server_wake(struct mr_transport_server *server)
{
    struct nng_server *self = (struct nng_server *)server;
    lock(self);
    self->woken = true;
    notify(self);
    unlock(self);
}
