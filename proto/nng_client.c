/* proto/nng_client.c — the transport's client: one connection, dialled in the background.
 * Design: an address gets a dialer and a connection of its own; sending to another address closes
 * them and waits until nothing of them is left, so that no answer of the last address can come.
 * A request's number is new each time: a late answer to one that was given up is dropped. Nothing
 * is sent again by itself; whoever asks decides when to ask again. A request that is sent while
 * nothing is connected waits for the connection; one that was sent when the connection broke ends
 * with MR_CLOSED.
 * Redialling waits between half and all of a time that doubles from DELAY_MS_MIN to DELAY_MS_MAX
 * and starts over when a server has greeted. TCP may take a quarter of an hour to notice that a
 * host is gone for good, so an address that has not answered for SILENCE_MS is dialled anew when
 * the next request is sent to it. Threads: nng's call dialled and the connection's functions;
 * `monitor` guards everything but address, which only the client's thread has. That thread frees
 * connections. */
#include "proto/nng_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"

#include <stdio.h>

enum { DELAY_MS_MIN = 50, DELAY_MS_MAX = 1000, SILENCE_MS = 3000, MILLISECOND_NS = 1000000 };

enum request_state {
    REQUEST_NONE,
    REQUEST_UNDER_WAY,
    REQUEST_ENDED /* reply, or result */
};

enum dial_state {
    DIAL_NONE, /* connected, or nothing to connect to */
    DIAL_UNDER_WAY,
    DIAL_DELAYED /* asleep before the next try */
};

struct client_connection {
    struct mr_nng_connection base;
    struct nng_client *client;
    struct client_connection *next; /* among the dead */
};

struct nng_client {
    struct mr_transport_client base;
    struct mr_nng_identity identity;
    struct mr_nng_monitor monitor;
    char address[MR_TRANSPORT_ADDRESS_SIZE]; /* empty: no dialer */
    nng_stream_dialer *dialer;
    nng_aio *dial_aio;
    enum dial_state dialling;
    bool closing; /* the address is being left */
    uint32_t delay_ms;
    struct client_connection *connection; /* NULL: none */
    bool greeted;                         /* by the connection's server */
    struct client_connection *dead;       /* closed, to be freed */
    enum request_state state;
    uint64_t request;
    struct mr_nng_frame *waiting; /* the request, until a server has greeted */
    struct mr_nng_frame *reply;
    int result; /* nng's code of the last dial or connection that failed; 0: none */
    bool woken;
    uint64_t silent_since_ms; /* the oldest request since the last answer; 0: none */
};

static void lock(struct nng_client *client)
{
    MR_ASSERT(pthread_mutex_lock(&client->monitor.lock) == 0);
}

static void unlock(struct nng_client *client)
{
    MR_ASSERT(pthread_mutex_unlock(&client->monitor.lock) == 0);
}

static void notify(struct nng_client *client)
{
    MR_ASSERT(pthread_cond_signal(&client->monitor.changed) == 0);
}

/* ---- Dialling. Locked. ---- */

static void dial(struct nng_client *client)
{
    client->dialling = DIAL_UNDER_WAY;
    nng_stream_dialer_dial(client->dialer, client->dial_aio);
}

static void dial_later(struct nng_client *client)
{
    uint32_t half = client->delay_ms / 2;
    uint32_t delay_ms = half + (uint32_t)(mr_random_fresh_id() % (half + 1));
    client->delay_ms = client->delay_ms * 2 > DELAY_MS_MAX ? DELAY_MS_MAX : client->delay_ms * 2;
    client->dialling = DIAL_DELAYED;
    nng_sleep_aio((nng_duration)delay_ms, client->dial_aio);
}

/* ---- The connection's owner. Locked. ---- */

static struct nng_client *client_of(struct mr_nng_connection *connection)
{
    return ((struct client_connection *)connection)->client;
}

static void greeted(struct mr_nng_connection *connection)
{
    struct nng_client *client = client_of(connection);
    client->delay_ms = DELAY_MS_MIN;
    client->greeted = true;
    if (client->waiting != NULL)
        mr_nng_connection_send(connection, client->waiting);
    client->waiting = NULL;
}

static bool may_receive(struct mr_nng_connection *connection, size_t size)
{
    MR_UNUSED(connection);
    MR_UNUSED(size);
    return true;
}

static void received(struct mr_nng_connection *connection, struct mr_nng_frame *frame)
{
    struct nng_client *client = client_of(connection);
    client->silent_since_ms = 0;
    if (client->state != REQUEST_UNDER_WAY || mr_nng_frame_request(frame) != client->request) {
        mr_memory_free(frame);
        return;
    }
    client->reply = frame;
    client->state = REQUEST_ENDED;
    notify(client);
}

static void closed(struct mr_nng_connection *connection)
{
    struct nng_client *client = client_of(connection);
    struct client_connection *self = (struct client_connection *)connection;
    MR_ASSERT(client->connection == self);
    client->connection = NULL;
    self->next = client->dead;
    client->dead = self;
    client->result = connection->reason;
    if (client->state == REQUEST_UNDER_WAY && client->greeted) {
        client->state = REQUEST_ENDED;
        notify(client);
    }
    client->greeted = false;
    if (!client->closing)
        dial_later(client);
}

static void ended(struct mr_nng_connection *connection)
{
    MR_UNUSED(connection); /* the client's thread frees it */
}

static const struct mr_nng_owner owner = {.greeted = greeted,
                                          .may_receive = may_receive,
                                          .received = received,
                                          .closed = closed,
                                          .ended = ended};

/* ---- What nng calls ---- */

static void connected(struct nng_client *client, nng_stream *stream)
{
    struct client_connection *connection = mr_memory_new(1, sizeof(*connection));
    connection->client = client;
    client->connection = connection;
    client->dialling = DIAL_NONE;
    mr_nng_connection_start(&connection->base, &owner, &client->monitor.lock, stream);
}

/* A dial or a delay has ended. */
static void dialled(void *argument)
{
    struct nng_client *client = argument;
    lock(client);
    int result = nng_aio_result(client->dial_aio);
    bool dialling = client->dialling == DIAL_UNDER_WAY;
    nng_stream *stream = dialling && result == 0 ? nng_aio_get_output(client->dial_aio, 0) : NULL;
    if (client->closing) {
        client->dialling = DIAL_NONE;
    } else if (stream != NULL) {
        connected(client, stream);
        stream = NULL;
    } else if (dialling) {
        client->result = result;
        dial_later(client);
    } else {
        dial(client);
    }
    unlock(client);
    if (stream != NULL)
        nng_stream_free(stream);
}

/* ---- The client's thread ---- */

static void free_dead(struct nng_client *client)
{
    lock(client);
    struct client_connection *dead = client->dead;
    client->dead = NULL;
    unlock(client);
    while (dead != NULL) {
        struct client_connection *connection = dead;
        dead = connection->next;
        mr_nng_connection_deinit(&connection->base);
        mr_memory_free(connection);
    }
}

/* Locked. */
static void give_up(struct nng_client *client)
{
    mr_memory_free(client->waiting);
    mr_memory_free(client->reply);
    client->waiting = NULL;
    client->reply = NULL;
    client->state = REQUEST_NONE;
    if (client->connection != NULL)
        mr_nng_connection_forget(&client->connection->base);
}

/* Leave the address: nothing of it is left when this returns. */
static void disconnect(struct nng_client *client)
{
    if (client->address[0] == 0)
        return;
    lock(client);
    client->closing = true;
    give_up(client);
    if (client->connection != NULL)
        mr_nng_connection_close(&client->connection->base, NNG_ECLOSED);
    unlock(client);
    nng_stream_dialer_close(client->dialer);
    nng_aio_cancel(client->dial_aio);
    nng_aio_wait(client->dial_aio);
    nng_stream_dialer_free(client->dialer);
    free_dead(client);
    client->address[0] = 0;
    client->closing = false;
    client->silent_since_ms = 0;
}

static enum mr_status configure_dialer(struct nng_client *client, const char *address,
                                       const struct mr_nng_address *parsed,
                                       nng_stream_dialer *dialer, struct mr_error *error)
{
    int code = 0;
    if (!parsed->ipc)
        code = nng_stream_dialer_set_bool(dialer, NNG_OPT_TCP_NODELAY, true);
    if (code == 0 && !parsed->ipc)
        code = nng_stream_dialer_set_bool(dialer, NNG_OPT_TCP_KEEPALIVE, true);
    if (code == 0 && parsed->tls) {
        nng_tls_config *config;
        enum mr_status status = mr_nng_tls_create(&client->identity, parsed->host, &config, error);
        if (status != MR_OK)
            return status;
        code = nng_stream_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, config);
        nng_tls_config_free(config); /* the dialer holds it */
    }
    return code == 0 ? MR_OK
                     : mr_nng_fail(error, code, "The address '%s' cannot be dialled", address);
}

static enum mr_status start_dialling(struct nng_client *client, const char *address,
                                     const struct mr_nng_address *parsed, struct mr_error *error)
{
    nng_stream_dialer *dialer;
    int code = nng_stream_dialer_alloc(&dialer, address);
    if (code != 0)
        return mr_nng_fail(error, code, "The address '%s' cannot be dialled", address);
    enum mr_status status = configure_dialer(client, address, parsed, dialer, error);
    if (status != MR_OK) {
        nng_stream_dialer_free(dialer);
        return status;
    }
    (void)snprintf(client->address, sizeof(client->address), "%s", address);
    lock(client);
    client->dialer = dialer;
    client->delay_ms = DELAY_MS_MIN;
    client->result = 0;
    dial(client);
    unlock(client);
    return MR_OK;
}

static bool is_silent(struct nng_client *client)
{
    lock(client);
    uint64_t since_ms = client->silent_since_ms;
    bool silent = since_ms != 0 && mr_clock_monotonic_ms() - since_ms >= SILENCE_MS;
    bool is_connected = client->greeted;
    int code = client->result;
    unlock(client);
    if (silent)
        MR_LOG_AT(MR_LOG_WARNING, "transport",
                  MR_LOG_FIELDS("address", client->address, "reason",
                                is_connected ? "it is connected and does not answer"
                                : code != 0  ? nng_strerror(code)
                                             : "it cannot be connected to"),
                  "An address has not answered for %d seconds; it is dialled anew.",
                  SILENCE_MS / 1000);
    return silent;
}

/* A dialer for address, and a connection once there is one. */
static enum mr_status connect_to(struct nng_client *client, const char *address,
                                 struct mr_error *error)
{
    struct mr_nng_address parsed;
    if (strcmp(client->address, address) == 0 && !is_silent(client))
        return MR_OK;
    enum mr_status status = mr_nng_address_parse(address, &client->identity, &parsed, error);
    if (status != MR_OK)
        return status;
    disconnect(client);
    return start_dialling(client, address, &parsed, error);
}

enum mr_status mr_nng_client_create(struct mr_transport *transport,
                                    const struct mr_transport_tls *tls,
                                    struct mr_transport_client **client, struct mr_error *error)
{
    struct mr_nng_identity identity;
    nng_tls_config *config;
    enum mr_status status = mr_nng_identity_load(tls, &identity, error);
    if (status == MR_OK && tls != NULL) {
        /* Wrong files are told now and not with the first request. */
        status = mr_nng_tls_create(&identity, "localhost", &config, error);
        if (status == MR_OK)
            nng_tls_config_free(config);
        else
            mr_nng_identity_deinit(&identity);
    }
    if (status != MR_OK)
        return status;
    struct nng_client *self = mr_memory_new(1, sizeof(*self));
    self->base.transport = transport;
    self->identity = identity;
    self->request = mr_random_fresh_id();
    mr_nng_monitor_init(&self->monitor);
    MR_ASSERT(nng_aio_alloc(&self->dial_aio, dialled, self) == 0);
    nng_aio_set_timeout(self->dial_aio, NNG_DURATION_INFINITE);
    *client = &self->base;
    return MR_OK;
}

void mr_nng_client_destroy(struct mr_transport_client *client)
{
    struct nng_client *self = (struct nng_client *)client;
    if (self == NULL)
        return;
    disconnect(self);
    nng_aio_free(self->dial_aio);
    mr_nng_monitor_deinit(&self->monitor);
    mr_nng_identity_deinit(&self->identity);
    mr_memory_free(self);
}

enum mr_status mr_nng_client_send(struct mr_transport_client *client, const char *address,
                                  struct mr_slice bytes, struct mr_error *error)
{
    struct nng_client *self = (struct nng_client *)client;
    lock(self);
    give_up(self);
    unlock(self);
    free_dead(self);
    enum mr_status status = connect_to(self, address, error);
    if (status != MR_OK)
        return status;
    struct mr_nng_frame *frame = mr_nng_frame_create(self->request + 1, bytes);
    lock(self);
    self->request++;
    self->state = REQUEST_UNDER_WAY;
    if (self->silent_since_ms == 0)
        self->silent_since_ms = mr_clock_monotonic_ms();
    if (self->greeted)
        mr_nng_connection_send(&self->connection->base, frame);
    else
        self->waiting = frame;
    unlock(self);
    return MR_OK;
}

/* Locked. The ended request's outcome; what is to be freed goes to *frame. */
static enum mr_status take_outcome(struct nng_client *client, struct mr_nng_frame **frame,
                                   struct mr_error *error)
{
    *frame = client->reply;
    client->reply = NULL;
    client->state = REQUEST_NONE;
    if (*frame != NULL)
        return MR_OK;
    (void)MR_FAIL(error, MR_CLOSED, MR_RECOVERY_RETRY,
                  "The connection to '%s' broke before the answer: %s. It is dialled again.",
                  client->address, nng_strerror(client->result));
    mr_error_origin(error, "nng", client->result);
    return MR_CLOSED;
}

enum mr_status mr_nng_client_wait(struct mr_transport_client *client, uint32_t wait_ms,
                                  struct mr_arena *arena, struct mr_slice *reply,
                                  struct mr_error *error)
{
    struct nng_client *self = (struct nng_client *)client;
    struct mr_nng_frame *frame = NULL;
    enum mr_status status = MR_AGAIN;
    uint64_t deadline_ns = mr_clock_monotonic_ns() + (uint64_t)wait_ms * MILLISECOND_NS;
    lock(self);
    while (self->state != REQUEST_ENDED && !self->woken &&
           mr_nng_monitor_wait(&self->monitor, deadline_ns)) {
    }
    if (self->state == REQUEST_ENDED) {
        status = take_outcome(self, &frame, error);
    } else {
        self->woken = false;
        if (self->state == REQUEST_NONE)
            status = MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_RETRY,
                             "No request is under way; send one first.");
    }
    unlock(self);
    if (frame != NULL)
        *reply = mr_arena_copy(arena, mr_slice_from(frame->bytes, frame->size));
    mr_memory_free(frame);
    free_dead(self);
    return status;
}

void mr_nng_client_wake(struct mr_transport_client *client)
{
    struct nng_client *self = (struct nng_client *)client;
    lock(self);
    self->woken = true;
    notify(self);
    unlock(self);
}
