/* coordinator/api.c — HTTP: routes, who answers them, and answers.
 * Design: a route's handler runs on the HTTP server's thread. What needs the cluster's state is
 * handed to the core thread, where it reads the core between two steps; a coordinator that does not
 * lead sends the client to the one that does. What waits for a decision is kept until the core's
 * ANSWER; what needs the log or a plan goes on to a work thread and comes back. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/options.h"
#include "coordinator/internal.h"

#include <inttypes.h>
#include <stdio.h>

enum { RETRY_S = 2, NEWS_BYTES_MAX = 8192, URL_SIZE = 4096, METRICS_BYTES_MAX = 16 << 20 };

/* ---- Answers ---- */

static void answer_json(struct mr_http_exchange *exchange, int code, const char *content_type,
                        json_t *value)
{
    const size_t flags = JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY;
    struct mr_arena arena;
    size_t size = json_dumpb(value, NULL, 0, flags);
    mr_arena_init(&arena, size + 64);
    char *text = mr_arena_take(&arena, size + 1);
    size_t written = json_dumpb(value, text, size, flags);
    MR_ASSERT(written == size);
    json_decref(value);
    mr_http_answer(exchange, code, content_type, mr_slice_from(text, size));
    mr_arena_deinit(&arena);
}

void mr_api_answer(struct mr_http_exchange *exchange, int code, json_t *value)
{
    answer_json(exchange, code, "application/json", value);
}

static const char *title_of(int code)
{
    switch (code) {
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 409:
        return "Conflict";
    case 415:
        return "Unsupported Media Type";
    case 422:
        return "Unprocessable Content";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    default:
        return "Error";
    }
}

void mr_api_problem(struct mr_http_exchange *exchange, int code, const char *detail,
                    json_t *members)
{
    if (members == NULL) {
        mr_http_problem(exchange, code, code == 503 ? RETRY_S : 0, "%s", detail);
        return;
    }
    json_t *problem = json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank", "title",
                                title_of(code), "status", code, "detail", mr_view_text(detail));
    (void)json_object_update(problem, members);
    json_decref(members);
    answer_json(exchange, code, "application/problem+json", problem);
}

void mr_api_failure(struct mr_http_exchange *exchange, const struct mr_error *error)
{
    if (error->status == MR_NOT_FOUND && error->recovery != MR_RECOVERY_FAIL_TOPOLOGY)
        mr_http_problem(exchange, 404, 0, "%s", error->message);
    else if (error->recovery == MR_RECOVERY_FAIL_TOPOLOGY || error->status == MR_INVALID)
        mr_http_problem(exchange, 422, 0, "%s", error->message);
    else
        mr_http_problem(exchange, 503, RETRY_S, "%s", error->message);
}

/* ---- To the core thread ---- */

struct call {
    mr_api_handler *handler;
};

static void drop_call(struct mr_work *work)
{
    mr_http_problem(work->exchange, 503, RETRY_S, "The coordinator is stopping.");
}

static void send_to_leader(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange)
{
    const struct mr_http_request *request = mr_http_request_of(exchange);
    char address[MR_SHELL_TEXT_MAX];
    char http[MR_SHELL_TEXT_MAX];
    char url[URL_SIZE];
    uint64_t term;
    if (!mr_lead_known(coordinator, address, http, &term) || http[0] == '\0' ||
        strcmp(http, coordinator->http_address) == 0) {
        mr_http_problem(exchange, 503, RETRY_S,
                        "No coordinator leads the cluster \"%s\" just now; an election takes some "
                        "seconds. If it lasts, no coordinator reaches Kafka: their logs say why.",
                        coordinator->options.cluster);
        return;
    }
    (void)snprintf(url, sizeof(url), "%s://%s%s%s%s",
                   coordinator->options.http_certificate_file != NULL ? "https" : "http", http,
                   request->path, request->query[0] != '\0' ? "?" : "", request->query);
    mr_http_redirect(exchange, url);
}

static void finish_call(struct mr_coordinator *coordinator, struct mr_work *work, uint64_t now_ms)
{
    const struct call *call = work->data;
    if (atomic_load(&coordinator->leads))
        call->handler(coordinator, work->exchange, now_ms);
    else
        send_to_leader(coordinator, work->exchange);
}

void mr_api_lead(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                 mr_api_handler *handler)
{
    mr_metric_add(coordinator->series.requests, 1);
    struct mr_work *work = mr_work_create(NULL, finish_call);
    struct call *call = mr_arena_new(&work->arena, 1, sizeof(*call));
    call->handler = handler;
    work->data = call;
    work->exchange = exchange;
    work->drop = drop_call;
    if (mr_work_send(coordinator->events, work))
        return;
    mr_work_destroy(work);
    mr_http_problem(exchange, 503, RETRY_S, "Too many requests wait, or the coordinator stops.");
}

/* ---- What the core answers ---- */

static struct mr_api_waiting *find_waiting(struct mr_coordinator *coordinator, uint64_t handle)
{
    for (uint32_t index = 0; index < MR_API_WAITING_MAX; index++)
        if (coordinator->waiting[index].handle == handle)
            return &coordinator->waiting[index];
    return NULL;
}

void mr_api_ask(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                json_t *members, struct mr_core_event *event, uint64_t now_ms)
{
    struct mr_api_waiting *waiting = find_waiting(coordinator, 0);
    if (waiting == NULL) {
        json_decref(members);
        mr_http_problem(exchange, 503, RETRY_S, "%d changes wait for a decision already.",
                        MR_API_WAITING_MAX);
        return;
    }
    *waiting = (struct mr_api_waiting){
        .handle = ++coordinator->next_handle, .exchange = exchange, .members = members};
    event->kind = MR_CORE_USER;
    event->handle = waiting->handle;
    event->wall_ms = mr_clock_wall_ms();
    mr_shell_step(coordinator, event, now_ms);
}

void mr_api_answered(struct mr_coordinator *coordinator, const struct mr_core_command *command)
{
    struct mr_api_waiting *waiting = find_waiting(coordinator, command->handle);
    if (command->handle == 0 || waiting == NULL)
        return;
    const struct mr_api_waiting found = *waiting;
    *waiting = (struct mr_api_waiting){0};
    const char *text = command->text != NULL ? command->text : "";
    if (command->code >= 400) {
        mr_api_problem(found.exchange, command->code, text, found.members);
        return;
    }
    json_t *value = found.members != NULL ? found.members : json_object();
    (void)json_object_set_new(value, "message", mr_view_text(text));
    mr_api_answer(found.exchange, command->code, value);
}

void mr_api_give_up(struct mr_coordinator *coordinator)
{
    for (uint32_t index = 0; index < MR_API_WAITING_MAX; index++) {
        struct mr_api_waiting *waiting = &coordinator->waiting[index];
        if (waiting->handle == 0)
            continue;
        json_decref(waiting->members);
        mr_http_problem(waiting->exchange, 503, RETRY_S,
                        "The coordinator lost the lead before this was decided; whether it was "
                        "done, its successor knows. Look, and ask again.");
        *waiting = (struct mr_api_waiting){0};
    }
}

/* ---- News ---- */

void mr_api_news(struct mr_coordinator *coordinator, const char *event, const char *name,
                 const char *text)
{
    char time[MR_CLOCK_TEXT_SIZE];
    char data[NEWS_BYTES_MAX];
    (void)mr_clock_format_rfc3339(mr_clock_wall_ms(), time);
    /* Tasks come and go by the hundred; their lines would hide the others'. */
    MR_LOG_AT(strncmp(event, "task-", 5) == 0 ? MR_LOG_DEBUG : MR_LOG_INFO, "coordinator",
              MR_LOG_FIELDS("event", event, "name", name), "%s", text);
    if (mr_http_subscribers(coordinator->http, "events") == 0) {
        coordinator->next_event++;
        return;
    }
    json_t *value = json_pack("{s:s, s:s, s:o, s:o}", "time", time, "event", event, "name",
                              mr_view_text(name), "text", mr_view_text(text));
    size_t size = json_dumpb(value, data, sizeof(data), JSON_COMPACT);
    json_decref(value);
    if (size <= sizeof(data))
        mr_http_publish(coordinator->http, "events", event, coordinator->next_event,
                        mr_slice_from(data, size));
    coordinator->next_event++;
}

/* ---- Parts of requests ---- */

void mr_api_no_topology(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                        const char *name, uint64_t now_ms)
{
    uint32_t count = mr_core_topologies_count(coordinator->core);
    const char **names = mr_arena_new(mr_http_arena(exchange), count + 1u, sizeof(char *));
    for (uint32_t index = 0; index < count; index++)
        names[index] = mr_core_topology_at(coordinator->core, index, now_ms).record->name;
    const char *near = mr_options_nearest(name, names, count);
    mr_http_problem(exchange, 404, 0, "There is no topology \"%s\"%s%s%s", name,
                    near == NULL ? "." : "; did you mean \"", near == NULL ? "" : near,
                    near == NULL ? "" : "\"?");
}

bool mr_api_topology(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                     uint64_t now_ms, struct mr_core_topology *topology)
{
    const char *name = mr_http_request_of(exchange)->parts[0];
    for (uint32_t index = 0; index < mr_core_topologies_count(coordinator->core); index++) {
        *topology = mr_core_topology_at(coordinator->core, index, now_ms);
        if (topology->record != NULL && strcmp(topology->record->name, name) == 0)
            return true;
    }
    mr_api_no_topology(coordinator, exchange, name, now_ms);
    return false;
}

const char *const *mr_api_list(struct mr_arena *arena, const char *text, uint32_t *count)
{
    *count = 0;
    if (text == NULL || text[0] == '\0')
        return NULL;
    uint32_t most = 1;
    for (const char *at = text; *at != '\0'; at++)
        most += *at == ',';
    const char **items = mr_arena_new(arena, most, sizeof(*items));
    for (char *rest = mr_arena_copy_text(arena, text); rest != NULL;) {
        char *comma = strchr(rest, ',');
        if (comma != NULL)
            *comma = '\0';
        if (rest[0] != '\0')
            items[(*count)++] = rest;
        rest = comma != NULL ? comma + 1 : NULL;
    }
    return items;
}

bool mr_api_number(struct mr_http_exchange *exchange, const char *name, uint32_t otherwise,
                   uint32_t *number)
{
    const char *text = mr_http_query(exchange, name);
    int64_t parsed;
    *number = otherwise;
    if (text == NULL)
        return true;
    if (!mr_number_parse_int(mr_slice_text(text), &parsed) || parsed < 0 || parsed > UINT32_MAX) {
        mr_http_problem(exchange, 400, 0, "%s: found '%.60s', expected a whole number", name, text);
        return false;
    }
    *number = (uint32_t)parsed;
    return true;
}

/* ---- Answered by any coordinator, on the server's thread ---- */

static bool stands_still(const struct mr_coordinator *coordinator,
                         struct mr_http_exchange *exchange, const char *thread, uint64_t turned_ms)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    if (now_ms < turned_ms + coordinator->options.stuck_ms)
        return false;
    mr_http_problem(exchange, 503, 0, "The %s thread has not turned for %" PRIu64 " ms.", thread,
                    now_ms - turned_ms);
    return true;
}

/* The threads that wait for Kafka, Kubernetes and workers may wait: these two never do. */
static void on_healthz(void *argument, struct mr_http_exchange *exchange)
{
    struct mr_coordinator *coordinator = argument;
    if (!stands_still(coordinator, exchange, "core", atomic_load(&coordinator->core_turned_ms)) &&
        !stands_still(coordinator, exchange, "receive",
                      atomic_load(&coordinator->receive_turned_ms)))
        mr_http_answer(exchange, 200, "text/plain", mr_slice_text("ok\n"));
}

static void on_readyz(void *argument, struct mr_http_exchange *exchange)
{
    struct mr_coordinator *coordinator = argument;
    char address[MR_SHELL_TEXT_MAX];
    char http[MR_SHELL_TEXT_MAX];
    uint64_t term;
    const char *lacks = NULL;
    if (atomic_load(&coordinator->stopping))
        lacks = "The coordinator is stopping.";
    else if (!atomic_load(&coordinator->warm))
        lacks = "The control topic was not read to its end yet.";
    else if (!mr_lead_known(coordinator, address, http, &term))
        lacks = "No coordinator leads: an election takes some seconds.";
    if (lacks == NULL)
        mr_http_answer(exchange, 200, "text/plain", mr_slice_text("ready\n"));
    else
        mr_http_problem(exchange, 503, RETRY_S, "%s", lacks);
}

static void on_metrics(void *argument, struct mr_http_exchange *exchange)
{
    struct mr_coordinator *coordinator = argument;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, METRICS_BYTES_MAX);
    if (mr_metrics_format_prometheus(coordinator->metrics, &buffer) == MR_OK)
        mr_http_answer(exchange, 200, "text/plain; version=0.0.4; charset=utf-8",
                       mr_buffer_view(&buffer));
    else
        mr_http_problem(exchange, 500, 0, "The metrics are more than %d bytes.", METRICS_BYTES_MAX);
    mr_buffer_deinit(&buffer);
}

static void on_leader(void *argument, struct mr_http_exchange *exchange)
{
    struct mr_coordinator *coordinator = argument;
    char address[MR_SHELL_TEXT_MAX];
    char http[MR_SHELL_TEXT_MAX];
    uint64_t term;
    mr_metric_add(coordinator->series.requests, 1);
    (void)mr_lead_known(coordinator, address, http, &term);
    mr_api_answer(exchange, 200,
                  json_pack("{s:s, s:b, s:I, s:o, s:o}", "cluster", coordinator->options.cluster,
                            "leads", atomic_load(&coordinator->leads), "term", (json_int_t)term,
                            "address", mr_view_text(address), "http", mr_view_text(http)));
}

/* ---- Answered by the leader ---- */

static void events(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                   uint64_t now_ms)
{
    (void)coordinator;
    (void)now_ms;
    mr_http_subscribe(exchange, "events");
}

static void on_events(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, events);
}

static void on_topologies(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_topologies);
}

static void on_submit(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_submit);
}

static void on_topology_get(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_topology_get);
}

static void on_delete(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_delete);
}

static void on_version_get(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_version_get);
}

static void on_diff(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_diff);
}

static void on_pause(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_pause);
}

static void on_resume(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_resume);
}

static void on_seek(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_seek);
}

static void on_rollback(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_rollback);
}

static void on_reset(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_reset);
}

static void on_workers(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_workers);
}

static void on_drain(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_drain);
}

static void on_undrain(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_undrain);
}

static void on_tasks(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_tasks);
}

static void on_assignment(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_assignment);
}

static void on_lag(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_lag);
}

static void on_why(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_why);
}

static void on_state(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_state);
}

static void on_tap(void *argument, struct mr_http_exchange *exchange)
{
    mr_api_lead(argument, exchange, mr_api_tap);
}

const struct mr_http_route mr_api_routes[] = {
    {MR_HTTP_GET, "/healthz", on_healthz},
    {MR_HTTP_GET, "/readyz", on_readyz},
    {MR_HTTP_GET, "/metrics", on_metrics},
    {MR_HTTP_GET, "/v1/leader", on_leader},
    {MR_HTTP_GET, "/v1/events", on_events},
    {MR_HTTP_GET, "/v1/topologies", on_topologies},
    {MR_HTTP_POST, "/v1/topologies", on_submit},
    {MR_HTTP_GET, "/v1/topologies/{name}", on_topology_get},
    {MR_HTTP_DELETE, "/v1/topologies/{name}", on_delete},
    {MR_HTTP_GET, "/v1/topologies/{name}/versions/{version}", on_version_get},
    {MR_HTTP_GET, "/v1/topologies/{name}/diff", on_diff},
    {MR_HTTP_POST, "/v1/topologies/{name}/pause", on_pause},
    {MR_HTTP_POST, "/v1/topologies/{name}/resume", on_resume},
    {MR_HTTP_POST, "/v1/topologies/{name}/seek", on_seek},
    {MR_HTTP_POST, "/v1/topologies/{name}/rollback", on_rollback},
    {MR_HTTP_POST, "/v1/topologies/{name}/reset", on_reset},
    {MR_HTTP_GET, "/v1/workers", on_workers},
    {MR_HTTP_POST, "/v1/workers/{name}/drain", on_drain},
    {MR_HTTP_POST, "/v1/workers/{name}/undrain", on_undrain},
    {MR_HTTP_GET, "/v1/tasks", on_tasks},
    {MR_HTTP_GET, "/v1/assignment", on_assignment},
    {MR_HTTP_GET, "/v1/lag", on_lag},
    {MR_HTTP_GET, "/v1/why", on_why},
    {MR_HTTP_GET, "/v1/state/{topology}/{store}/{key*}", on_state},
    {MR_HTTP_GET, "/v1/models/{topology}/{operator}/{key*}", on_state},
    {MR_HTTP_GET, "/v1/models/{topology}/{operator}", on_state},
    {MR_HTTP_GET, "/v1/taps/{topology}/{operator}", on_tap},
    {MR_HTTP_GET, NULL, NULL}};
