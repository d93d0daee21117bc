/* tests/sim/network.c — the transport of proto/transport.h between simulated processes.
 * Design: a client has one connection, to the address that it asked last; a server knows it as a
 * peer. Every message is an event of its own, so that they overtake each other. Objects live as
 * long as the run; those of a dead process are closed. */
#include "tests/sim/network.h"

#include "base/assert.h"

#include <string.h>

enum {
    SERVERS_MAX = 64,
    PENDING_MAX = 2048,
    CUTS_MAX = 4096,
    CLASSES = 18 /* of messages: 64 bytes to 8 MiB */
};

/* Bytes under way or being read; kept for others when the last one lets go. */
struct message {
    struct message *next; /* of the free ones */
    struct connection *connection;
    uint64_t sequence;
    uint32_t uses;
    uint32_t class_index;
    struct mr_slice bytes;
    uint8_t room[];
};

struct connection {
    uint64_t peer;
    struct client *client;
    struct server *server;
    bool open;
    bool gone_told; /* to the server */
};

struct client {
    struct mr_transport_client base;
    struct sim_process *process;
    struct connection *connection;
    char address[MR_TRANSPORT_ADDRESS_SIZE];
    uint64_t sequence; /* of the request under way */
    bool waiting;      /* for its answer */
    bool broken;
    bool woken;
    bool closed;
    struct message *reply; /* of the request under way, when it has come */
    bool replied;
    struct sim_queue waiters;
    struct client *next;
};

struct incoming {
    uint64_t handle;
    struct connection *connection;
    struct message *message; /* NULL: the peer is gone */
    struct incoming *next;
};

struct pending { /* a request without an answer */
    uint64_t handle;
    struct connection *connection;
    uint64_t sequence;
};

struct server {
    struct mr_transport_server base;
    struct sim_process *process;
    char address[MR_TRANSPORT_ADDRESS_SIZE];
    bool open;
    bool woken;
    struct incoming *first;
    struct incoming **last;
    struct incoming *read; /* what the last receive gave */
    struct pending pending[PENDING_MAX];
    uint32_t pending_count;
    struct sim_queue waiters;
};

struct sim_network sim_network;
static struct server *servers[SERVERS_MAX];
static uint32_t servers_count;
static struct client *clients;
static uint64_t last_id; /* of peers and requests */
static struct message *spare_messages[CLASSES];
static struct incoming *spare_incoming;
static struct {
    const struct sim_process *from;
    const struct sim_process *to;
    uint64_t until_ns;
} cuts[CUTS_MAX];
static uint32_t cuts_count;

void sim_network_begin(void)
{
    memset(&sim_network, 0, sizeof sim_network);
    servers_count = 0;
    clients = NULL;
    last_id = 0;
    cuts_count = 0;
    spare_incoming = NULL;
    memset(spare_messages, 0, sizeof spare_messages);
}

/* ---- Messages ---- */

static struct message *message_new(struct connection *connection, uint64_t sequence,
                                   struct mr_slice bytes)
{
    uint32_t class_index = 0;
    while (((size_t)64 << class_index) < bytes.size)
        class_index++;
    MR_ASSERT(class_index < CLASSES);
    struct message *message = spare_messages[class_index];
    if (message != NULL)
        spare_messages[class_index] = message->next;
    else
        message = sim_new(sizeof *message + ((size_t)64 << class_index));
    memcpy(message->room, bytes.data, bytes.size);
    message->connection = connection;
    message->sequence = sequence;
    message->uses = 1;
    message->class_index = class_index;
    message->bytes = mr_slice_from(message->room, bytes.size);
    sim_network.bytes_count += bytes.size;
    return message;
}

static void message_drop(struct message *message)
{
    if (message == NULL || --message->uses > 0)
        return;
    message->next = spare_messages[message->class_index];
    spare_messages[message->class_index] = message;
}

static uint64_t delay(void)
{
    return sim_between(SIM_MS / 20, sim_network.delay_max_ns);
}

static bool passes(const struct sim_process *from, const struct sim_process *to)
{
    for (uint32_t index = 0; index < cuts_count; index++)
        if (cuts[index].from == from && cuts[index].to == to && cuts[index].until_ns > sim_now_ns())
            return false;
    return !sim_chance(sim_network.lost_per_million);
}

/* ---- Server's side ---- */

static void hand_in(struct server *server, uint64_t handle, struct connection *connection,
                    struct message *message)
{
    struct incoming *incoming = spare_incoming;
    if (incoming != NULL)
        spare_incoming = incoming->next;
    else
        incoming = sim_new(sizeof *incoming);
    *incoming = (struct incoming){.handle = handle, .connection = connection, .message = message};
    *server->last = incoming;
    server->last = &incoming->next;
    sim_wake_all(&server->waiters);
}

static void request_arrives(void *argument, uint64_t token)
{
    struct message *message = argument;
    struct connection *connection = message->connection;
    struct server *server = connection->server;
    MR_UNUSED(token);
    if (!server->open || !connection->open) {
        message_drop(message);
        return;
    }
    if (server->pending_count == PENDING_MAX)
        memmove(&server->pending[0], &server->pending[1],
                --server->pending_count * sizeof server->pending[0]);
    uint64_t handle = ++last_id;
    server->pending[server->pending_count++] =
        (struct pending){.handle = handle, .connection = connection, .sequence = message->sequence};
    hand_in(server, handle, connection, message);
}

static void peer_goes(void *argument, uint64_t token)
{
    struct connection *connection = argument;
    MR_UNUSED(token);
    if (!connection->server->open || connection->gone_told)
        return;
    connection->gone_told = true;
    hand_in(connection->server, 0, connection, NULL);
}

static void server_goes(void *argument, uint64_t token)
{
    struct connection *connection = argument;
    struct client *client = connection->client;
    MR_UNUSED(token);
    if (client->connection != connection)
        return;
    client->connection = NULL;
    client->broken = client->waiting;
    client->waiting = false;
    sim_wake_all(&client->waiters);
}

/* Either side closes; the other hears of it unless the link is cut. */
static void close_connection(struct connection *connection, bool by_client)
{
    if (!connection->open)
        return;
    connection->open = false;
    if (by_client)
        sim_after(delay(), connection->server->process, peer_goes, connection, 0);
    else
        sim_after(delay(), connection->client->process, server_goes, connection, 0);
}

static struct server *find_server(const char *address)
{
    for (uint32_t index = 0; index < servers_count; index++)
        if (servers[index]->open && strcmp(servers[index]->address, address) == 0)
            return servers[index];
    return NULL;
}

/* ---- Client ---- */

static enum mr_status client_create(struct mr_transport *transport,
                                    const struct mr_transport_tls *tls,
                                    struct mr_transport_client **client, struct mr_error *error)
{
    struct client *made = sim_new(sizeof *made);
    MR_UNUSED(tls);
    MR_UNUSED(error);
    made->base.transport = transport;
    made->process = sim_process_current();
    made->next = clients;
    clients = made;
    *client = &made->base;
    return MR_OK;
}

static void client_destroy(struct mr_transport_client *base)
{
    struct client *client = (struct client *)base;
    client->closed = true;
    if (client->connection != NULL)
        close_connection(client->connection, true);
    client->connection = NULL;
}

/* An address that nobody listens at is dialled again with the next request. */
static void connect_to(struct client *client, const char *address)
{
    if (client->connection != NULL && client->connection->open &&
        strcmp(client->address, address) == 0)
        return;
    if (client->connection != NULL)
        close_connection(client->connection, true);
    client->connection = NULL;
    (void)strncpy(client->address, address, sizeof client->address - 1);
    struct server *server = find_server(address);
    if (server == NULL || !passes(client->process, server->process) ||
        !passes(server->process, client->process))
        return;
    struct connection *connection = sim_new(sizeof *connection);
    *connection =
        (struct connection){.peer = ++last_id, .client = client, .server = server, .open = true};
    client->connection = connection;
}

static enum mr_status client_send(struct mr_transport_client *base, const char *address,
                                  struct mr_slice bytes, struct mr_error *error)
{
    struct client *client = (struct client *)base;
    MR_UNUSED(error);
    MR_ASSERT(strlen(address) < sizeof client->address);
    connect_to(client, address);
    client->sequence = ++last_id;
    client->waiting = true;
    client->broken = false;
    client->replied = false;
    message_drop(client->reply);
    client->reply = NULL;
    if (client->connection == NULL)
        return MR_OK; /* it is dialled; nothing comes */
    struct message *message = message_new(client->connection, client->sequence, bytes);
    sim_network.requests_count++;
    uint32_t copies = sim_chance(sim_network.doubled_per_million) ? 2 : 1;
    for (uint32_t copy = 0; copy < copies; copy++)
        if (passes(client->process, client->connection->server->process)) {
            message->uses++;
            sim_after(delay(), client->connection->server->process, request_arrives, message, 0);
        }
    message_drop(message);
    return MR_OK;
}

static enum mr_status client_wait(struct mr_transport_client *base, uint32_t wait_ms,
                                  struct mr_arena *arena, struct mr_slice *reply,
                                  struct mr_error *error)
{
    struct client *client = (struct client *)base;
    uint64_t wait_ns = wait_ms * SIM_MS;
    if (wait_ns < sim_machine()->sleep_min_ns)
        wait_ns = sim_machine()->sleep_min_ns;
    uint64_t deadline_ns = sim_now_ns() + wait_ns;
    while (!client->replied && !client->broken && !client->woken &&
           sim_wait(&client->waiters, deadline_ns))
        continue;
    if (client->replied) {
        client->replied = false;
        *reply = mr_arena_copy(arena, client->reply->bytes);
        message_drop(client->reply);
        client->reply = NULL;
        return MR_OK;
    }
    if (client->broken) {
        client->broken = false;
        return MR_FAIL(error, MR_CLOSED, MR_RECOVERY_RETRY, "The connection to %s broke.",
                       client->address);
    }
    bool woken = client->woken;
    client->woken = false;
    return client->waiting || woken
               ? MR_AGAIN
               : MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_NONE, "No request is under way.");
}

static void client_wake(struct mr_transport_client *base)
{
    struct client *client = (struct client *)base;
    client->woken = true;
    sim_wake_all(&client->waiters);
}

/* ---- Server ---- */

static enum mr_status server_create(struct mr_transport *transport, const char *address,
                                    const struct mr_transport_tls *tls,
                                    struct mr_transport_server **server, struct mr_error *error)
{
    MR_UNUSED(tls);
    if (find_server(address) != NULL)
        return MR_FAIL(error, MR_IO, MR_RECOVERY_EXIT, "The address %s is in use.", address);
    MR_ASSERT(servers_count < SERVERS_MAX && strlen(address) < MR_TRANSPORT_ADDRESS_SIZE);
    struct server *made = sim_new(sizeof *made);
    made->base.transport = transport;
    made->process = sim_process_current();
    made->open = true;
    made->last = &made->first;
    memcpy(made->address, address, strlen(address));
    servers[servers_count++] = made;
    *server = &made->base;
    return MR_OK;
}

static void close_server(struct server *server)
{
    if (!server->open)
        return;
    server->open = false;
    for (struct client *client = clients; client != NULL; client = client->next)
        if (client->connection != NULL && client->connection->server == server)
            close_connection(client->connection, false);
}

static void server_destroy(struct mr_transport_server *base)
{
    close_server((struct server *)base);
}

static enum mr_status server_receive(struct mr_transport_server *base, uint32_t wait_ms,
                                     struct mr_transport_incoming *incoming, struct mr_error *error)
{
    struct server *server = (struct server *)base;
    uint64_t deadline_ns = sim_now_ns() + wait_ms * SIM_MS;
    MR_UNUSED(error);
    if (server->read != NULL) { /* its bytes were valid until now */
        message_drop(server->read->message);
        server->read->next = spare_incoming;
        spare_incoming = server->read;
        server->read = NULL;
    }
    while (server->first == NULL && !server->woken && sim_wait(&server->waiters, deadline_ns))
        continue;
    struct incoming *first = server->first;
    if (first == NULL) {
        server->woken = false;
        return MR_AGAIN;
    }
    server->first = first->next;
    if (server->first == NULL)
        server->last = &server->first;
    server->read = first;
    *incoming = (struct mr_transport_incoming){
        .handle = first->handle,
        .peer = first->connection->peer,
        .bytes = first->message == NULL ? (struct mr_slice){0} : first->message->bytes};
    return MR_OK;
}

static void reply_arrives(void *argument, uint64_t token)
{
    struct message *message = argument;
    struct client *client = message->connection->client;
    MR_UNUSED(token);
    if (client->connection != message->connection || client->sequence != message->sequence ||
        !client->waiting) {
        message_drop(message);
        return;
    }
    client->waiting = false;
    client->replied = true;
    client->reply = message;
    sim_wake_all(&client->waiters);
}

static void server_reply(struct mr_transport_server *base, uint64_t handle, struct mr_slice bytes)
{
    struct server *server = (struct server *)base;
    uint32_t index = 0;
    while (index < server->pending_count && server->pending[index].handle != handle)
        index++;
    if (index == server->pending_count)
        return;
    struct pending pending = server->pending[index];
    memmove(&server->pending[index], &server->pending[index + 1],
            (--server->pending_count - index) * sizeof pending);
    struct sim_process *asker = pending.connection->client->process;
    sim_network.replies_count++;
    if (!pending.connection->open || !passes(server->process, asker))
        return;
    sim_after(delay(), asker, reply_arrives,
              message_new(pending.connection, pending.sequence, bytes), 0);
}

static void server_drop(struct mr_transport_server *base, uint64_t peer)
{
    const struct server *server = (struct server *)base;
    for (struct client *client = clients; client != NULL; client = client->next)
        if (client->connection != NULL && client->connection->server == server &&
            client->connection->peer == peer)
            close_connection(client->connection, false);
}

static void server_wake(struct mr_transport_server *base)
{
    struct server *server = (struct server *)base;
    server->woken = true;
    sim_wake_all(&server->waiters);
}

static void transport_close(struct mr_transport *transport)
{
    MR_UNUSED(transport);
}

static const struct mr_transport_ops ops = {
    .name = "simulation",
    .client_create = client_create,
    .client_destroy = client_destroy,
    .client_send = client_send,
    .client_wait = client_wait,
    .client_wake = client_wake,
    .server_create = server_create,
    .server_destroy = server_destroy,
    .server_receive = server_receive,
    .server_reply = server_reply,
    .server_drop = server_drop,
    .server_wake = server_wake,
    .close = transport_close,
};

struct mr_transport *sim_transport_create(void)
{
    struct mr_transport *transport = sim_new(sizeof *transport);
    transport->ops = &ops;
    return transport;
}

/* ---- Faults ---- */

void sim_network_process_ended(struct sim_process *process)
{
    for (uint32_t index = 0; index < servers_count; index++)
        if (servers[index]->process == process)
            close_server(servers[index]);
    for (struct client *client = clients; client != NULL; client = client->next)
        if (client->process == process && !client->closed)
            client_destroy(&client->base);
}

void sim_network_cut(const struct sim_process *from, const struct sim_process *to,
                     uint64_t duration_ns)
{
    sim_trace("fault: nothing goes from %s to %s for %.3f s", from->name, to->name,
              (double)duration_ns / 1e9);
    uint32_t index = 0;
    while (index < cuts_count && (cuts[index].from != from || cuts[index].to != to) &&
           cuts[index].until_ns > sim_now_ns())
        index++;
    MR_ASSERT(index < CUTS_MAX);
    cuts_count = index < cuts_count ? cuts_count : index + 1;
    cuts[index].from = from;
    cuts[index].to = to;
    cuts[index].until_ns = sim_now_ns() + duration_ns;
}

void sim_network_heal(void)
{
    cuts_count = 0;
    sim_network.lost_per_million = 0;
}
