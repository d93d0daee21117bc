/* coordinator/api_state.c — GET /v1/state/{topology}/{store}/{key} and GET
 * /v1/models/{topology}/{operator}/{key}: a query goes to the worker that has the key.
 * Design: the core thread knows versions and tasks, the plan knows which subtopology has the store;
 * so the query takes a copy of both to the reads thread, which plans, computes the partition as
 * producers do (murmur2 of the key's bytes) and asks the worker. What cannot be answered now is 503
 * with the reason and a time to come back. */
#include "base/hash.h"
#include "coordinator/binding.h"
#include "coordinator/internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { FORWARD_MS = 10000, RESTORING_RETRY_S = 2, MOVING_RETRY_S = 1 };

/* Where an active task or a standby is. */
struct place {
    const char *subtopology;
    int32_t partition;
    enum mr_task_role role;
    bool reported;
    enum mr_task_state state;
    int64_t remaining;
    const char *worker;
    const char *http;
};

struct querying {
    struct mr_version_record *version;
    struct place *places;
    uint32_t places_count;
    const char *store;
    const char *key;
    const char *path;
    const char *query;
    int32_t partition; /* -1: by the key */
    bool standby;
    int code; /* of the problem, or the worker's */
    uint32_t retry_s;
    const char *detail; /* of a problem; NULL: reply */
    struct mr_http_reply reply;
};

static void drop_query(struct mr_work *work)
{
    mr_http_problem(work->exchange, 503, 1, "The coordinator is stopping.");
}

/* ---- On the reads thread ---- */

static void refuse(struct querying *querying, int code, uint32_t retry_s, const char *detail)
{
    querying->code = code;
    querying->retry_s = retry_s;
    querying->detail = detail;
}

static const struct mr_plan_node *find_store(const struct mr_plan *plan, const char *name)
{
    const struct mr_plan_node *node = mr_plan_node_find(plan, name);
    return node != NULL && node->type->role == MR_ROLE_OPERATOR && node->type->state_version > 0
               ? node
               : NULL;
}

static const struct place *choose(const struct querying *querying, const char *subtopology,
                                  int32_t partition)
{
    const struct place *found = NULL;
    for (uint32_t index = 0; index < querying->places_count; index++) {
        const struct place *place = &querying->places[index];
        if (place->partition != partition || strcmp(place->subtopology, subtopology) != 0)
            continue;
        if (place->role == MR_TASK_ROLE_ACTIVE && found == NULL)
            found = place;
        if (querying->standby && place->role == MR_TASK_ROLE_STANDBY && place->reported &&
            place->state == MR_TASK_STATE_FOLLOWING)
            found = place;
    }
    return found;
}

static bool can_answer(const struct place *place)
{
    return place->reported && place->http[0] != '\0' &&
           (place->state == MR_TASK_STATE_RUNNING || place->state == MR_TASK_STATE_FOLLOWING ||
            place->state == MR_TASK_STATE_RELEASING);
}

static void explain(struct querying *querying, const struct place *place, struct mr_arena *arena)
{
    if (place == NULL || place->worker[0] == '\0')
        refuse(querying, 503, MOVING_RETRY_S, "The key's task has no worker just now.");
    else if (place->http[0] == '\0')
        refuse(querying, 503, 0,
               mr_arena_format(arena, "Worker %s serves no HTTP (it was started without --http).",
                               place->worker));
    else if (place->reported && place->state == MR_TASK_STATE_RESTORING)
        refuse(querying, 503, RESTORING_RETRY_S,
               mr_arena_format(arena,
                               "The key's task is being restored on %s, %lld records are left. A "
                               "standby may answer: ?standby=1.",
                               place->worker, (long long)place->remaining));
    else
        refuse(querying, 503, MOVING_RETRY_S,
               mr_arena_format(arena, "The key's task is not running on %s yet.", place->worker));
}

static void forward(struct mr_coordinator *coordinator, struct querying *querying,
                    const struct place *place, struct mr_arena *arena)
{
    const char *scheme = coordinator->options.http_certificate_file != NULL ? "https" : "http";
    const char *url = mr_arena_format(arena, "%s://%s%s%s%s", scheme, place->http, querying->path,
                                      querying->query[0] != '\0' ? "?" : "", querying->query);
    struct mr_error error;
    enum mr_status status =
        mr_http_client_send(coordinator->client, "GET", url, NULL, mr_slice_from(NULL, 0),
                            FORWARD_MS, arena, &querying->reply, &error);
    if (status != MR_OK)
        refuse(
            querying, 503, RESTORING_RETRY_S,
            mr_arena_format(arena, "Worker %s does not answer: %s", place->worker, error.message));
    else
        querying->code = querying->reply.code;
}

static void run_query(struct mr_coordinator *coordinator, struct mr_work *work)
{
    struct querying *querying = work->data;
    struct mr_report report;
    struct mr_plan *plan;
    mr_jobs_plan(&coordinator->jobs, querying->version->definition, &work->arena, &report, &plan);
    const struct mr_plan_node *node = plan == NULL ? NULL : find_store(plan, querying->store);
    const struct mr_bound_subtopology *part =
        node == NULL ? NULL
                     : mr_binding_subtopology(&querying->version->binding,
                                              plan->subtopologies[node->subtopology].name);
    if (part == NULL) {
        refuse(querying, 404, 0,
               mr_arena_format(&work->arena, "Topology \"%s\" has no operator \"%s\" with state.",
                               querying->version->name, querying->store));
        return;
    }
    int32_t partition = querying->partition;
    if (partition < 0)
        partition = part->tasks_count <= 1
                        ? 0
                        : mr_hash_partition(mr_slice_text(querying->key), part->tasks_count);
    const struct place *place = choose(querying, part->name, partition);
    if (place != NULL && can_answer(place))
        forward(coordinator, querying, place, &work->arena);
    else
        explain(querying, place, &work->arena);
}

static void finish_query(struct mr_coordinator *coordinator, struct mr_work *work, uint64_t now_ms)
{
    const struct querying *querying = work->data;
    (void)coordinator;
    (void)now_ms;
    if (querying->detail != NULL)
        mr_http_problem(work->exchange, querying->code, querying->retry_s, "%s", querying->detail);
    else if (querying->reply.retry_after_s > 0) /* the worker's problem, with its header */
        mr_http_problem(work->exchange, querying->code, querying->reply.retry_after_s, "%s",
                        querying->reply.body.size > 0 ? (const char *)querying->reply.body.data
                                                      : "The worker cannot answer just now.");
    else
        mr_http_answer(work->exchange, querying->code, querying->reply.content_type,
                       querying->reply.body);
}

/* ---- On the core thread ---- */

static const char *http_of(const struct mr_coordinator *coordinator, const char *worker,
                           uint64_t now_ms)
{
    for (uint32_t index = 0; index < mr_core_workers_count(coordinator->core); index++) {
        struct mr_core_worker found = mr_core_worker_at(coordinator->core, index, now_ms);
        if (strcmp(found.name, worker) == 0)
            return found.http;
    }
    return "";
}

static void copy_places(const struct mr_coordinator *coordinator, const char *topology,
                        uint64_t now_ms, struct mr_arena *arena, struct querying *querying)
{
    uint32_t count = mr_core_tasks_count(coordinator->core);
    querying->places = mr_arena_new(arena, count + 1u, sizeof(*querying->places));
    for (uint32_t index = 0; index < count; index++) {
        struct mr_core_task task = mr_core_task_at(coordinator->core, index, now_ms);
        if (strcmp(task.topology, topology) != 0)
            continue;
        querying->places[querying->places_count++] = (struct place){
            .subtopology = mr_arena_copy_text(arena, task.name.subtopology),
            .partition = task.name.partition,
            .role = task.role,
            .reported = task.reported,
            .state = task.report.state,
            .remaining = task.report.changelog_remaining,
            .worker = mr_arena_copy_text(arena, task.worker),
            .http = mr_arena_copy_text(arena, http_of(coordinator, task.worker, now_ms))};
    }
}

/* partition=N; the worker says what is wrong with another text. */
static int32_t partition_of(const struct mr_http_exchange *exchange)
{
    const char *text = mr_http_query(exchange, "partition");
    size_t digits = text == NULL ? 0 : strspn(text, "0123456789");
    return digits == 0 || digits > 9 ? -1 : (int32_t)strtol(text, NULL, 10);
}

void mr_api_state(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                  uint64_t now_ms)
{
    struct mr_core_topology topology;
    const struct mr_http_request *request = mr_http_request_of(exchange);
    if (!mr_api_topology(coordinator, exchange, now_ms, &topology))
        return;
    if (topology.version == NULL) {
        mr_http_problem(exchange, 503, MOVING_RETRY_S, "Topology \"%s\" has no version yet.",
                        topology.record->name);
        return;
    }
    struct mr_work *work = mr_work_create(run_query, finish_query);
    struct querying *querying = mr_arena_new(&work->arena, 1, sizeof(*querying));
    const char *standby = mr_http_query(exchange, "standby");
    querying->version = mr_shell_copy_version(topology.version, &work->arena);
    querying->store = mr_arena_copy_text(&work->arena, request->parts[1]);
    querying->key =
        mr_arena_copy_text(&work->arena, request->parts[2] == NULL ? "" : request->parts[2]);
    querying->path = mr_arena_copy_text(&work->arena, request->path);
    querying->query = mr_arena_copy_text(&work->arena, request->query);
    querying->partition = partition_of(exchange);
    if (request->parts[2] == NULL && querying->partition < 0)
        querying->partition = 0; /* as the worker */
    querying->standby = standby != NULL && strcmp(standby, "0") != 0;
    copy_places(coordinator, topology.record->name, now_ms, &work->arena, querying);
    work->data = querying;
    work->exchange = exchange;
    work->drop = drop_query;
    if (querying->version != NULL && mr_work_send(coordinator->reads_ring, work))
        return;
    drop_query(work);
    mr_work_destroy(work);
}
