/* coordinator/api_read.c — routes that read: topologies, versions, workers, tasks, lag. */
#include "base/number.h"
#include "coordinator/internal.h"
#include "topology/describe.h"

enum { DESCRIPTION_BYTES_MAX = 4 << 20 };

void mr_api_topologies(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                       uint64_t now_ms)
{
    json_t *list = json_array();
    for (uint32_t index = 0; index < mr_core_topologies_count(coordinator->core); index++) {
        struct mr_core_topology topology = mr_core_topology_at(coordinator->core, index, now_ms);
        if (topology.record != NULL)
            (void)json_array_append_new(list, mr_view_topology(coordinator, &topology));
    }
    mr_api_answer(exchange, 200, json_pack("{s:o}", "topologies", list));
}

static bool is_of(const struct mr_core_task *task, const char *topology, const char *worker)
{
    return (topology == NULL || strcmp(task->topology, topology) == 0) &&
           (worker == NULL || strcmp(task->worker, worker) == 0);
}

static json_t *view_tasks(const struct mr_coordinator *coordinator, const char *topology,
                          const char *worker, uint64_t now_ms)
{
    json_t *list = json_array();
    for (uint32_t index = 0; index < mr_core_tasks_count(coordinator->core); index++) {
        struct mr_core_task task = mr_core_task_at(coordinator->core, index, now_ms);
        if (is_of(&task, topology, worker))
            (void)json_array_append_new(list, mr_view_task(&task));
    }
    return list;
}

/* ---- One topology, with its plan ---- */

struct describing {
    struct mr_version_record *version;
    json_t *answer;
    json_t *plan;
};

static void drop_describing(struct mr_work *work)
{
    struct describing *describing = work->data;
    json_decref(describing->answer);
    json_decref(describing->plan);
    mr_http_problem(work->exchange, 503, 1, "The coordinator is stopping.");
}

static void run_describe(struct mr_coordinator *coordinator, struct mr_work *work)
{
    struct describing *describing = work->data;
    struct mr_report report;
    struct mr_plan *plan;
    struct mr_buffer buffer;
    mr_jobs_plan(&coordinator->jobs, describing->version->definition, &work->arena, &report, &plan);
    mr_buffer_init(&buffer, DESCRIPTION_BYTES_MAX);
    if (plan != NULL && mr_plan_describe_json(plan, &buffer) == MR_OK)
        describing->plan = json_loadb((const char *)buffer.data, buffer.size, 0, NULL);
    mr_buffer_deinit(&buffer);
}

static void finish_describe(struct mr_coordinator *coordinator, struct mr_work *work,
                            uint64_t now_ms)
{
    struct describing *describing = work->data;
    (void)coordinator;
    (void)now_ms;
    (void)json_object_set_new(describing->answer, "plan",
                              describing->plan != NULL ? describing->plan : json_null());
    mr_api_answer(work->exchange, 200, describing->answer);
}

void mr_api_topology_get(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                         uint64_t now_ms)
{
    struct mr_core_topology topology;
    if (!mr_api_topology(coordinator, exchange, now_ms, &topology))
        return;
    json_t *answer = mr_view_topology(coordinator, &topology);
    (void)json_object_set_new(answer, "task_list",
                              view_tasks(coordinator, topology.record->name, NULL, now_ms));
    if (topology.version == NULL) {
        (void)json_object_set_new(answer, "plan", json_null());
        mr_api_answer(exchange, 200, answer);
        return;
    }
    struct mr_work *work = mr_work_create(run_describe, finish_describe);
    struct describing *describing = mr_arena_new(&work->arena, 1, sizeof(*describing));
    describing->version = mr_shell_copy_version(topology.version, &work->arena);
    describing->answer = answer;
    work->data = describing;
    work->exchange = exchange;
    work->drop = drop_describing;
    if (describing->version != NULL && mr_work_send(coordinator->reads_ring, work))
        return;
    drop_describing(work);
    mr_work_destroy(work);
}

/* ---- Versions ---- */

/* NULL: answered with 400 or 404. */
static const struct mr_version_record *find_version(struct mr_coordinator *coordinator,
                                                    struct mr_http_exchange *exchange,
                                                    const char *name, uint32_t number)
{
    const struct mr_version_record *found = mr_core_version(coordinator->core, name, number);
    if (found == NULL)
        mr_http_problem(exchange, 404, 0,
                        "Topology \"%s\" has no version %u; the last %d are kept.", name, number,
                        MR_CORE_VERSIONS_KEPT);
    return found;
}

void mr_api_version_get(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                        uint64_t now_ms)
{
    struct mr_core_topology topology;
    const char *text = mr_http_request_of(exchange)->parts[1];
    int64_t number;
    if (!mr_api_topology(coordinator, exchange, now_ms, &topology))
        return;
    if (!mr_number_parse_int(mr_slice_text(text), &number) || number < 1 || number > UINT32_MAX) {
        mr_http_problem(exchange, 400, 0, "found '%.60s', expected the number of a version", text);
        return;
    }
    const struct mr_version_record *version =
        find_version(coordinator, exchange, topology.record->name, (uint32_t)number);
    if (version != NULL)
        mr_api_answer(exchange, 200, mr_view_version(version, true));
}

struct differing {
    struct mr_version_record *from;
    struct mr_version_record *to;
    struct mr_difference difference;
};

static void drop_differing(struct mr_work *work)
{
    mr_http_problem(work->exchange, 503, 1, "The coordinator is stopping.");
}

static void run_diff(struct mr_coordinator *coordinator, struct mr_work *work)
{
    struct differing *differing = work->data;
    struct mr_report report;
    struct mr_plan *before;
    struct mr_plan *after;
    mr_jobs_plan(&coordinator->jobs, differing->from->definition, &work->arena, &report, &before);
    mr_jobs_plan(&coordinator->jobs, differing->to->definition, &work->arena, &report, &after);
    if (before != NULL && after != NULL)
        mr_difference_make(before, after, &work->arena, &differing->difference);
    else
        work->status = MR_FAIL(&work->error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                               "One of the versions is not read by this version of the program.");
}

static void finish_diff(struct mr_coordinator *coordinator, struct mr_work *work, uint64_t now_ms)
{
    struct differing *differing = work->data;
    (void)coordinator;
    (void)now_ms;
    if (work->status != MR_OK) {
        mr_api_failure(work->exchange, &work->error);
        return;
    }
    mr_api_answer(work->exchange, 200,
                  json_pack("{s:o, s:o, s:o}", "from", mr_view_version(differing->from, true), "to",
                            mr_view_version(differing->to, true), "difference",
                            mr_view_difference(&differing->difference, &differing->from->binding,
                                               &differing->to->binding)));
}

void mr_api_diff(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                 uint64_t now_ms)
{
    struct mr_core_topology topology;
    uint32_t from;
    uint32_t to;
    if (!mr_api_topology(coordinator, exchange, now_ms, &topology) ||
        !mr_api_number(exchange, "to", topology.record->version, &to) ||
        !mr_api_number(exchange, "from", to > 0 ? to - 1 : 0, &from))
        return;
    const struct mr_version_record *older =
        find_version(coordinator, exchange, topology.record->name, from);
    const struct mr_version_record *newer =
        older == NULL ? NULL : find_version(coordinator, exchange, topology.record->name, to);
    if (newer == NULL)
        return;
    struct mr_work *work = mr_work_create(run_diff, finish_diff);
    struct differing *differing = mr_arena_new(&work->arena, 1, sizeof(*differing));
    differing->from = mr_shell_copy_version(older, &work->arena);
    differing->to = mr_shell_copy_version(newer, &work->arena);
    work->data = differing;
    work->exchange = exchange;
    work->drop = drop_differing;
    if (differing->from != NULL && differing->to != NULL &&
        mr_work_send(coordinator->reads_ring, work))
        return;
    drop_differing(work);
    mr_work_destroy(work);
}

/* ---- Workers, tasks ---- */

void mr_api_workers(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                    uint64_t now_ms)
{
    json_t *list = json_array();
    for (uint32_t index = 0; index < mr_core_workers_count(coordinator->core); index++) {
        struct mr_core_worker worker = mr_core_worker_at(coordinator->core, index, now_ms);
        (void)json_array_append_new(list, mr_view_worker(&worker));
    }
    mr_api_answer(exchange, 200, json_pack("{s:o}", "workers", list));
}

void mr_api_tasks(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                  uint64_t now_ms)
{
    json_t *list = view_tasks(coordinator, mr_http_query(exchange, "topology"),
                              mr_http_query(exchange, "worker"), now_ms);
    mr_api_answer(exchange, 200, json_pack("{s:o}", "tasks", list));
}

static json_t *view_assigned(const struct mr_core_task *task)
{
    return json_pack("{s:s, s:s, s:i, s:s, s:I, s:o}", "topology", task->topology, "subtopology",
                     task->name.subtopology, "partition", (int)task->name.partition, "role",
                     task->role == MR_TASK_ROLE_ACTIVE ? "active" : "standby", "epoch",
                     (json_int_t)task->epoch, "moving_to", mr_view_text(task->moving_to));
}

/* The list of name in lists, made when there is none yet. One pass over the tasks fills them all:
 * with 1,000 workers and 20,000 tasks a pass for each would hold the core thread up. */
static json_t *list_of(json_t *lists, const char *name)
{
    json_t *list = json_object_get(lists, name);
    if (list == NULL) {
        list = json_array();
        (void)json_object_set_new(lists, name, list);
    }
    return list;
}

/* Who has what: by worker, and what nobody has. */
void mr_api_assignment(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                       uint64_t now_ms)
{
    json_t *lists = json_object();
    json_t *workers = json_array();
    for (uint32_t index = 0; index < mr_core_tasks_count(coordinator->core); index++) {
        struct mr_core_task task = mr_core_task_at(coordinator->core, index, now_ms);
        (void)json_array_append_new(list_of(lists, task.worker), view_assigned(&task));
    }
    for (uint32_t index = 0; index < mr_core_workers_count(coordinator->core); index++) {
        struct mr_core_worker worker = mr_core_worker_at(coordinator->core, index, now_ms);
        (void)json_array_append_new(workers, json_pack("{s:s, s:s, s:O}", "worker", worker.name,
                                                       "state", mr_view_worker_state(worker.state),
                                                       "tasks", list_of(lists, worker.name)));
    }
    json_t *answer =
        json_pack("{s:I, s:o, s:O}", "term", (json_int_t)mr_core_term(coordinator->core), "workers",
                  workers, "unassigned", list_of(lists, ""));
    json_decref(lists);
    mr_api_answer(exchange, 200, answer);
}

/* ---- Lag ---- */

static json_t *view_lag(const struct mr_core_task *task)
{
    bool known = task->reported && task->report.lag >= 0;
    return json_pack("{s:s, s:i, s:o, s:o}", "subtopology", task->name.subtopology, "partition",
                     (int)task->name.partition, "lag",
                     known ? json_integer(task->report.lag) : json_null(), "worker",
                     mr_view_text(task->worker));
}

void mr_api_lag(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                uint64_t now_ms)
{
    const char *wanted = mr_http_query(exchange, "topology");
    json_t *lists = json_object();
    json_t *list = json_array();
    for (uint32_t index = 0; index < mr_core_tasks_count(coordinator->core); index++) {
        struct mr_core_task task = mr_core_task_at(coordinator->core, index, now_ms);
        if (task.role == MR_TASK_ROLE_ACTIVE && is_of(&task, wanted, NULL))
            (void)json_array_append_new(list_of(lists, task.topology), view_lag(&task));
    }
    for (uint32_t index = 0; index < mr_core_topologies_count(coordinator->core); index++) {
        struct mr_core_topology topology = mr_core_topology_at(coordinator->core, index, now_ms);
        if (topology.record == NULL ||
            (wanted != NULL && strcmp(wanted, topology.record->name) != 0))
            continue;
        (void)json_array_append_new(
            list, json_pack("{s:s, s:o, s:O}", "topology", topology.record->name, "lag",
                            topology.lag >= 0 ? json_integer(topology.lag) : json_null(), "tasks",
                            list_of(lists, topology.record->name)));
    }
    json_decref(lists);
    mr_api_answer(exchange, 200, json_pack("{s:o}", "topologies", list));
}
