/* tests/sim/http.c — HTTP without bytes: the interfaces of http/server.h and http/client.h, served
 * by a thread of the process that started the server. Stands in for http/server.c and client.c. */
#include "base/assert.h"
#include "base/memory.h"
#include "http/client.h"
#include "http/route.h"
#include "http/server.h"
#include "http/websocket.h"
#include "tests/sim/network.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SERVERS_MAX = 64 };

struct mr_http_exchange {
    struct mr_http_request request;
    struct mr_arena arena; /* of the server's process */
    struct mr_http_exchange *next;
    const char *method;
    sim_http_fn answered;
    void *argument;
    struct mr_slice answer;
    int code;
    bool done;
    bool abandoned; /* its client closed the connection before it was read */
};

struct mr_http_server {
    struct mr_http_server_options options;
    struct sim_process *process;
    struct sim_thread *thread;
    struct mr_http_exchange *first;
    struct sim_queue waiters;
    bool open;
};

struct mr_http_client {
    int unused;
};

static struct mr_http_server *servers[SERVERS_MAX];
static uint32_t servers_count;

static void *take_memory(size_t size)
{
    return mr_memory_resize(NULL, size);
}

void sim_http_begin(void)
{
    servers_count = 0;
    json_set_alloc_funcs(take_memory, mr_memory_free); /* so that it dies with its process */
}

/* ---- The server ---- */

static bool method_of(const char *name, enum mr_http_method *method)
{
    static const char *const names[] = {[MR_HTTP_GET] = "GET",
                                        [MR_HTTP_POST] = "POST",
                                        [MR_HTTP_PUT] = "PUT",
                                        [MR_HTTP_DELETE] = "DELETE",
                                        [MR_HTTP_PATCH] = "PATCH"};
    for (size_t index = 0; index < MR_ARRAY_COUNT(names); index++)
        if (strcmp(names[index], name) == 0) {
            *method = (enum mr_http_method)index;
            return true;
        }
    return false;
}

static void serve(const struct mr_http_server *server, struct mr_http_exchange *exchange)
{
    struct mr_http_match match;
    mr_arena_init(&exchange->arena, 4096);
    bool known = method_of(exchange->method, &exchange->request.method);
    int code = mr_http_route_find(server->options.routes, known, exchange->request.method,
                                  exchange->request.path, &exchange->arena, &match);
    if (code != 200) {
        mr_http_problem(exchange, code, 0, "No route.");
        return;
    }
    memcpy(exchange->request.parts, match.parts, sizeof match.parts);
    match.route->handle(server->options.argument, exchange);
}

static void *server_main(void *argument)
{
    struct mr_http_server *server = argument;
    while (server->open) {
        struct mr_http_exchange *exchange = server->first;
        if (exchange == NULL) {
            (void)sim_wait(&server->waiters, UINT64_MAX);
            continue;
        }
        server->first = exchange->next;
        if (!exchange->abandoned)
            serve(server, exchange);
    }
    return NULL;
}

enum mr_status mr_http_server_start(const struct mr_http_server_options *options,
                                    struct mr_http_server **server, struct mr_error *error)
{
    MR_UNUSED(error);
    MR_ASSERT(servers_count < SERVERS_MAX);
    struct mr_http_server *made = sim_new(sizeof *made);
    made->options = *options;
    made->process = sim_process_current();
    made->open = true;
    made->thread = sim_thread_create(made->process, server_main, made);
    servers[servers_count++] = made;
    *server = made;
    return MR_OK;
}

void mr_http_server_stop(struct mr_http_server *server)
{
    if (server == NULL)
        return;
    server->open = false;
    sim_wake_all(&server->waiters);
    sim_thread_join(server->thread);
}

int mr_http_server_port(const struct mr_http_server *server)
{
    return 8000 + (int)server->process->index;
}

void sim_http_process_ended(struct sim_process *process)
{
    for (uint32_t index = 0; index < servers_count; index++)
        if (servers[index]->process == process)
            servers[index]->open = false;
}

/* ---- Exchanges ---- */

const struct mr_http_request *mr_http_request_of(const struct mr_http_exchange *exchange)
{
    return &exchange->request;
}

struct mr_arena *mr_http_arena(struct mr_http_exchange *exchange)
{
    return &exchange->arena;
}

/* The simulation's queries are short and not encoded. */
const char *mr_http_query(const struct mr_http_exchange *exchange, const char *name)
{
    char value[128];
    size_t size = strlen(name);
    for (const char *at = exchange->request.query; *at != '\0';) {
        size_t length = strcspn(at, "&");
        if (length > size && strncmp(at, name, size) == 0 && at[size] == '=') {
            (void)snprintf(value, sizeof value, "%.*s", (int)(length - size - 1), at + size + 1);
            return sim_copy_text(value);
        }
        at += length + (at[length] == '&');
    }
    return NULL;
}

static void deliver(void *argument, uint64_t token)
{
    struct mr_http_exchange *exchange = argument;
    MR_UNUSED(token);
    exchange->answered(exchange->argument, exchange->code, exchange->answer);
}

void mr_http_answer(struct mr_http_exchange *exchange, int code, const char *content_type,
                    struct mr_slice body)
{
    MR_UNUSED(content_type);
    MR_ASSERT(!exchange->done); /* exactly once */
    exchange->done = true;
    exchange->code = code;
    exchange->answer = mr_slice_from(sim_copy(body.data, body.size), body.size);
    mr_arena_deinit(&exchange->arena);
    sim_after(sim_random(5 * SIM_MS), NULL, deliver, exchange, 0);
}

void mr_http_problem(struct mr_http_exchange *exchange, int code, uint32_t retry_after_s,
                     const char *detail, ...)
{
    char text[512];
    va_list arguments;
    MR_UNUSED(retry_after_s);
    va_start(arguments, detail);
    (void)vsnprintf(text, sizeof text, detail, arguments);
    va_end(arguments);
    mr_http_answer(exchange, code, "application/problem+json", mr_slice_text(text));
}

void mr_http_redirect(struct mr_http_exchange *exchange, const char *url)
{
    mr_http_answer(exchange, 307, NULL, mr_slice_text(url));
}

void mr_http_subscribe(struct mr_http_exchange *exchange, const char *channel)
{
    MR_UNUSED(channel);
    mr_http_problem(exchange, 503, 0, "The simulation has no events.");
}

void mr_http_publish(struct mr_http_server *server, const char *channel, const char *event,
                     uint64_t id, struct mr_slice data)
{
    MR_UNUSED(server);
    MR_UNUSED(channel);
    MR_UNUSED(id);
    sim_trace("news %s: %.*s", event, (int)data.size, (const char *)data.data);
}

uint32_t mr_http_subscribers(struct mr_http_server *server, const char *channel)
{
    MR_UNUSED(server);
    MR_UNUSED(channel);
    return 0;
}

static void arrive(void *argument, uint64_t token)
{
    struct mr_http_exchange *exchange = argument;
    struct mr_http_server *server = NULL;
    for (uint32_t index = 0; index < servers_count; index++)
        if (servers[index]->open && servers[index]->process->index == token)
            server = servers[index];
    if (server == NULL) {
        exchange->answered(exchange->argument, 0, (struct mr_slice){0});
        return;
    }
    struct mr_http_exchange **link = &server->first;
    while (*link != NULL)
        link = &(*link)->next;
    *link = exchange;
    sim_wake_all(&server->waiters);
}

void sim_http_abandon(struct mr_http_exchange *exchange)
{
    exchange->abandoned = true;
}

struct mr_http_exchange *sim_http_send(struct sim_process *process, const char *method,
                                       const char *path, const char *content_type,
                                       struct mr_slice body, sim_http_fn answered, void *argument)
{
    struct mr_http_exchange *exchange = sim_new(sizeof *exchange);
    char *whole = sim_copy_text(path);
    char *query = strchr(whole, '?');
    if (query != NULL)
        *query++ = '\0';
    exchange->method = method;
    exchange->request =
        (struct mr_http_request){.path = whole,
                                 .query = query == NULL ? "" : query,
                                 .content_type = content_type,
                                 .accept = "",
                                 .authorization = "",
                                 .body = mr_slice_from(sim_copy(body.data, body.size), body.size)};
    exchange->answered = answered;
    exchange->argument = argument;
    sim_after(sim_random(5 * SIM_MS), NULL, arrive, exchange, process->index);
    return exchange;
}

/* ---- The client: queries are not forwarded here ---- */

enum mr_status mr_http_client_create(const struct mr_http_client_options *options,
                                     struct mr_http_client **client, struct mr_error *error)
{
    MR_UNUSED(options);
    MR_UNUSED(error);
    *client = sim_new(sizeof **client);
    return MR_OK;
}

void mr_http_client_destroy(struct mr_http_client *client)
{
    MR_UNUSED(client);
}

void mr_http_client_cancel(struct mr_http_client *client)
{
    MR_UNUSED(client);
}

enum mr_status mr_http_client_send(struct mr_http_client *client, const char *method,
                                   const char *url, const char *content_type, struct mr_slice body,
                                   uint32_t wait_ms, struct mr_arena *arena,
                                   struct mr_http_reply *reply, struct mr_error *error)
{
    MR_UNUSED(client);
    MR_UNUSED(method);
    MR_UNUSED(content_type);
    MR_UNUSED(body);
    MR_UNUSED(wait_ms);
    MR_UNUSED(arena);
    MR_UNUSED(reply);
    return MR_FAIL(error, MR_IO, MR_RECOVERY_RETRY, "Nobody serves %s.", url);
}

enum mr_status mr_http_client_listen(struct mr_http_client *client, const char *url,
                                     bool (*visit)(void *argument, const char *event,
                                                   struct mr_slice data),
                                     void *argument, struct mr_error *error)
{
    MR_UNUSED(client);
    MR_UNUSED(visit);
    MR_UNUSED(argument);
    return MR_FAIL(error, MR_IO, MR_RECOVERY_RETRY, "Nobody serves %s.", url);
}

void mr_http_client_token(struct mr_http_client *client, const char *token)
{
    MR_UNUSED(client);
    MR_UNUSED(token);
}

enum mr_status mr_http_client_read_lines(struct mr_http_client *client, const char *url,
                                         const struct mr_http_lines *lines, struct mr_arena *arena,
                                         struct mr_http_reply *reply, struct mr_error *error)
{
    MR_UNUSED(client);
    MR_UNUSED(lines);
    MR_UNUSED(arena);
    MR_UNUSED(reply);
    return MR_FAIL(error, MR_IO, MR_RECOVERY_RETRY, "Nobody serves %s.", url);
}

enum mr_status mr_http_server_ask(struct mr_http_server *server,
                                  const struct mr_http_asking *asking, struct mr_arena *arena,
                                  struct mr_http_asked *asked, struct mr_error *error)
{
    MR_UNUSED(server);
    MR_UNUSED(arena);
    MR_UNUSED(asked);
    return MR_FAIL(error, MR_IO, MR_RECOVERY_RETRY, "Nobody serves %s.", asking->target);
}

/* ---- WebSocket: nobody asks for one here ---- */

bool mr_websocket_asked(const struct mr_http_exchange *exchange)
{
    MR_UNUSED(exchange);
    return false;
}

void mr_websocket_refuse(struct mr_http_exchange *exchange)
{
    mr_http_problem(exchange, 426, 0, "The simulation has no WebSocket.");
}

void mr_websocket_upgrade(struct mr_http_exchange *exchange,
                          const struct mr_websocket_handler *handler, void *session)
{
    MR_UNUSED(exchange);
    MR_UNUSED(handler);
    MR_UNUSED(session);
    MR_ASSERT(!"an upgrade that was not asked for");
}

void mr_websocket_send(struct mr_websocket *socket, struct mr_slice text, bool last)
{
    MR_UNUSED(socket);
    MR_UNUSED(text);
    MR_UNUSED(last);
}

bool mr_websocket_in_message(const struct mr_websocket *socket)
{
    MR_UNUSED(socket);
    return false;
}

void mr_websocket_want(struct mr_websocket *socket, uint64_t due_ms)
{
    MR_UNUSED(socket);
    MR_UNUSED(due_ms);
}

void mr_websocket_close(struct mr_websocket *socket, enum mr_websocket_code code,
                        const char *reason, uint64_t now_ms)
{
    MR_UNUSED(socket);
    MR_UNUSED(code);
    MR_UNUSED(reason);
    MR_UNUSED(now_ms);
}
