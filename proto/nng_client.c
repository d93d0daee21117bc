/* proto/nng_client.c — the transport's client: one REQ socket with one context.
 * Design: each address gets a socket of its own, so that nothing of the last one, not even a
 * request in its queue, can reach or come from the next; each request gets a context of its own, so
 * that giving one up is closing its context and a late answer has nowhere to go. nng's own resend
 * is off (NNG_OPT_REQ_RESENDTIME infinite): whoever asks decides when to ask again. A request that
 * is sent while nothing is connected waits for the connection; one that was sent when the
 * connection broke ends with MR_CLOSED.
 * TCP may take a quarter of an hour to notice that a host is gone for good, so an address that has
 * not answered for SILENCE_MS is dialled anew when the next request is sent to it.
 * Threads: nng's call request_sent and request_ended; `monitor` guards state, result, woken,
 * receiving (which the client's thread reads when none of these runs). All else belongs to the
 * client's thread. */
#include "proto/nng_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>

enum {
    RECONNECT_MS_MIN = 50,
    RECONNECT_MS_MAX = 1000,
    SILENCE_MS = 3000,
    MILLISECOND_NS = 1000000
};

enum request_state {
    REQUEST_NONE,
    REQUEST_UNDER_WAY,
    REQUEST_ENDED /* result says how */
};

struct nng_client {
    struct mr_transport_client base;
    struct mr_nng_identity identity;
    struct mr_nng_monitor monitor;
    enum request_state state;
    int result;
    bool woken;
    char address[MR_TRANSPORT_ADDRESS_SIZE]; /* empty: no socket */
    nng_socket socket;
    bool asked;     /* context is open */
    bool receiving; /* receive_aio was started for it */
    nng_ctx context;
    nng_aio *send_aio;
    nng_aio *receive_aio;
    uint64_t silent_since_ms; /* the oldest request since the last answer; 0: none */
};

/* Locked. */
static void end_with(struct nng_client *client, int result)
{
    client->result = result;
    client->state = REQUEST_ENDED;
    MR_ASSERT(pthread_cond_signal(&client->monitor.changed) == 0);
}

/* nng has taken the request (then it is received from now on, and not earlier: nng takes it ill
 * when a request is given up that is both being sent and received) or it was given up. */
static void request_sent(void *argument)
{
    struct nng_client *client = argument;
    int result = nng_aio_result(client->send_aio);
    MR_ASSERT(pthread_mutex_lock(&client->monitor.lock) == 0);
    if (client->state == REQUEST_UNDER_WAY && result == 0) {
        client->receiving = true;
        nng_ctx_recv(client->context, client->receive_aio);
    } else if (client->state == REQUEST_UNDER_WAY) {
        end_with(client, result);
    }
    MR_ASSERT(pthread_mutex_unlock(&client->monitor.lock) == 0);
}

static void request_ended(void *argument)
{
    struct nng_client *client = argument;
    int result = nng_aio_result(client->receive_aio);
    MR_ASSERT(pthread_mutex_lock(&client->monitor.lock) == 0);
    if (client->state == REQUEST_UNDER_WAY)
        end_with(client, result);
    MR_ASSERT(pthread_mutex_unlock(&client->monitor.lock) == 0);
}

static void free_message(nng_aio *aio)
{
    nng_msg *message = nng_aio_get_msg(aio);
    nng_aio_set_msg(aio, NULL);
    if (message != NULL)
        nng_msg_free(message);
}

static void set_state(struct nng_client *client, enum request_state state)
{
    MR_ASSERT(pthread_mutex_lock(&client->monitor.lock) == 0);
    client->state = state;
    MR_ASSERT(pthread_mutex_unlock(&client->monitor.lock) == 0);
}

/* Nothing of the request is left when this returns. */
static void end_request(struct nng_client *client)
{
    if (!client->asked)
        return;
    set_state(client, REQUEST_NONE);
    nng_aio_cancel(client->send_aio);
    nng_aio_wait(client->send_aio); /* it starts no receive from now on */
    if (nng_aio_result(client->send_aio) != 0)
        free_message(client->send_aio);
    if (client->receiving) {
        nng_aio_cancel(client->receive_aio);
        nng_aio_wait(client->receive_aio);
        if (nng_aio_result(client->receive_aio) == 0)
            free_message(client->receive_aio);
    }
    (void)nng_ctx_close(client->context);
    client->receiving = false;
    client->asked = false;
}

static void close_socket(struct nng_client *client)
{
    if (client->address[0] == 0)
        return;
    (void)nng_close(client->socket);
    client->address[0] = 0;
    client->silent_since_ms = 0;
}

static enum mr_status dial(struct nng_client *client, const char *address,
                           const struct mr_nng_address *parsed, struct mr_error *error)
{
    nng_dialer dialer;
    int code = nng_dialer_create(&dialer, client->socket, address);
    if (code != 0)
        return mr_nng_fail(error, code, "The address '%s' cannot be dialled", address);
    if (!parsed->ipc)
        code = nng_dialer_set_bool(dialer, NNG_OPT_TCP_KEEPALIVE, true);
    if (code == 0 && parsed->tls) {
        nng_tls_config *config;
        enum mr_status status = mr_nng_tls_create(&client->identity, parsed->host, &config, error);
        if (status != MR_OK)
            return status;
        code = nng_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, config);
        nng_tls_config_free(config); /* the dialer holds it */
    }
    if (code == 0)
        code = nng_dialer_start(dialer, NNG_FLAG_NONBLOCK);
    return code == 0 ? MR_OK
                     : mr_nng_fail(error, code, "The address '%s' cannot be dialled", address);
}

static enum mr_status open_socket(struct nng_client *client, const char *address,
                                  const struct mr_nng_address *parsed, struct mr_error *error)
{
    int code = nng_req0_open(&client->socket);
    if (code != 0)
        return mr_nng_fail(error, code, "A socket for '%s' cannot be opened", address);
    if ((code = nng_socket_set_ms(client->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE)) !=
            0 ||
        (code = nng_socket_set_ms(client->socket, NNG_OPT_RECONNMINT, RECONNECT_MS_MIN)) != 0 ||
        (code = nng_socket_set_ms(client->socket, NNG_OPT_RECONNMAXT, RECONNECT_MS_MAX)) != 0 ||
        (code = nng_socket_set_size(client->socket, NNG_OPT_RECVMAXSZ, MR_NNG_RECEIVE_BYTES_MAX)) !=
            0) {
        (void)nng_close(client->socket);
        return mr_nng_fail(error, code, "A socket for '%s' cannot be set up", address);
    }
    enum mr_status status = dial(client, address, parsed, error);
    if (status != MR_OK) {
        (void)nng_close(client->socket);
        return status;
    }
    (void)snprintf(client->address, sizeof(client->address), "%s", address);
    return MR_OK;
}

/* A socket whose dialer looks for address. */
static enum mr_status connect_to(struct nng_client *client, const char *address,
                                 struct mr_error *error)
{
    struct mr_nng_address parsed;
    enum mr_status status = mr_nng_address_parse(address, &client->identity, &parsed, error);
    if (status != MR_OK)
        return status;
    uint64_t silent_since_ms = client->silent_since_ms;
    bool silent = silent_since_ms != 0 && mr_clock_monotonic_ms() - silent_since_ms >= SILENCE_MS;
    if (!silent && strcmp(client->address, address) == 0)
        return MR_OK;
    if (silent && strcmp(client->address, address) == 0)
        MR_LOG_AT(MR_LOG_WARNING, "transport", MR_LOG_FIELDS("address", address),
                  "The address has not answered for %d seconds; it is dialled anew.",
                  SILENCE_MS / 1000);
    close_socket(client);
    return open_socket(client, address, &parsed, error);
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
    mr_nng_monitor_init(&self->monitor);
    MR_ASSERT(nng_aio_alloc(&self->send_aio, request_sent, self) == 0);
    MR_ASSERT(nng_aio_alloc(&self->receive_aio, request_ended, self) == 0);
    *client = &self->base;
    return MR_OK;
}

void mr_nng_client_destroy(struct mr_transport_client *client)
{
    struct nng_client *self = (struct nng_client *)client;
    if (self == NULL)
        return;
    end_request(self);
    close_socket(self);
    nng_aio_free(self->send_aio);
    nng_aio_free(self->receive_aio);
    mr_nng_monitor_deinit(&self->monitor);
    mr_nng_identity_deinit(&self->identity);
    mr_memory_free(self);
}

enum mr_status mr_nng_client_send(struct mr_transport_client *client, const char *address,
                                  struct mr_slice bytes, struct mr_error *error)
{
    struct nng_client *self = (struct nng_client *)client;
    nng_msg *message;
    MR_ASSERT(bytes.size > 0 && bytes.size <= MR_NNG_RECEIVE_BYTES_MAX - 256);
    end_request(self);
    enum mr_status status = connect_to(self, address, error);
    if (status != MR_OK)
        return status;
    int code = nng_ctx_open(&self->context, self->socket);
    if (code != 0)
        return mr_nng_fail(error, code, "A request to '%s' cannot be made", address);
    MR_ASSERT(nng_msg_alloc(&message, 0) == 0);
    MR_ASSERT(nng_msg_append(message, bytes.data, bytes.size) == 0);
    if (self->silent_since_ms == 0)
        self->silent_since_ms = mr_clock_monotonic_ms();
    self->asked = true;
    set_state(self, REQUEST_UNDER_WAY);
    nng_aio_set_msg(self->send_aio, message);
    nng_ctx_send(self->context, self->send_aio);
    return MR_OK;
}

/* Waits until the request has ended, somebody wakes, or the deadline. */
static enum request_state wait_for_end(struct nng_client *client, uint32_t wait_ms, int *result)
{
    uint64_t deadline_ns = mr_clock_monotonic_ns() + (uint64_t)wait_ms * MILLISECOND_NS;
    MR_ASSERT(pthread_mutex_lock(&client->monitor.lock) == 0);
    while (client->state != REQUEST_ENDED && !client->woken &&
           mr_nng_monitor_wait(&client->monitor, deadline_ns)) {
    }
    enum request_state state = client->state;
    *result = client->result;
    if (state != REQUEST_ENDED)
        client->woken = false;
    MR_ASSERT(pthread_mutex_unlock(&client->monitor.lock) == 0);
    return state;
}

enum mr_status mr_nng_client_wait(struct mr_transport_client *client, uint32_t wait_ms,
                                  struct mr_arena *arena, struct mr_slice *reply,
                                  struct mr_error *error)
{
    struct nng_client *self = (struct nng_client *)client;
    enum mr_status status = MR_OK;
    int result;
    enum request_state state = wait_for_end(self, wait_ms, &result);
    if (state == REQUEST_UNDER_WAY)
        return MR_AGAIN;
    if (state == REQUEST_NONE)
        return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_RETRY,
                       "No request is under way; send one first.");
    if (result == 0) {
        nng_aio_wait(self->receive_aio);
        nng_msg *message = nng_aio_get_msg(self->receive_aio);
        *reply = mr_arena_copy(arena, mr_slice_from(nng_msg_body(message), nng_msg_len(message)));
        self->silent_since_ms = 0;
    } else {
        status = MR_FAIL(error, MR_CLOSED, MR_RECOVERY_RETRY,
                         "The connection to '%s' broke before the answer: %s. It is dialled again.",
                         self->address, nng_strerror(result));
        mr_error_origin(error, "nng", result);
    }
    end_request(self);
    return status;
}

void mr_nng_client_wake(struct mr_transport_client *client)
{
    struct nng_client *self = (struct nng_client *)client;
    MR_ASSERT(pthread_mutex_lock(&self->monitor.lock) == 0);
    self->woken = true;
    MR_ASSERT(pthread_cond_signal(&self->monitor.changed) == 0);
    MR_ASSERT(pthread_mutex_unlock(&self->monitor.lock) == 0);
}
