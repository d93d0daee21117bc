/* coordinator/core_view.c — what the core knows, for the API: workers, tasks, topologies, health.
 * Design: rows of tasks are laid out once per step, when they are first asked for; texts that are
 * made for an answer live as long. Health is worked out from the tasks' last reports each time:
 * "running" is said only of a topology whose tasks all run and have no lag or commit records. */
#include "coordinator/core_internal.h"

#include "base/memory.h"

#include <inttypes.h>

enum { MIB = 1 << 20 };

/* ---- Workers ---- */

uint32_t mr_core_workers_count(const struct mr_core *core)
{
    return core->workers_count;
}

static enum mr_worker_state worker_state(const struct mr_core *core,
                                         const struct mr_core_worker_state *worker)
{
    if (mr_core_worker_awaited(core, worker))
        return MR_WORKER_RESTARTING;
    if (!mr_core_worker_alive(worker))
        return MR_WORKER_GONE;
    return mr_core_worker_drains(worker) ? MR_WORKER_DRAINING : MR_WORKER_PRESENT;
}

/* A topology's memory counts once, however many tasks of it there are. */
static uint64_t planned_bytes(const struct mr_core *core, const struct mr_core_worker_state *worker)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < core->topologies_count; i++) {
        const struct mr_core_topology_state *topology = core->topologies[i];
        bool has = false;
        for (uint32_t j = 0; j < worker->actives_count && !has; j++)
            has = mr_core_task_topology(worker->actives[j]) == topology;
        for (uint32_t j = 0; j < worker->copies_count && !has; j++)
            has = mr_core_task_topology(worker->copies[j]) == topology;
        if (has && topology->active != NULL)
            bytes += topology->active->record.memory_bytes;
    }
    return bytes;
}

struct mr_core_worker mr_core_worker_at(const struct mr_core *core, uint32_t index, uint64_t now_ms)
{
    const struct mr_core_worker_state *worker = core->workers[index];
    struct mr_core_worker view = {
        .name = worker->name,
        .zone = worker->zone,
        .http = worker->http,
        .build = worker->build,
        .instance = worker->instance,
        .state = worker_state(core, worker),
        .silent_ms = now_ms > worker->seen_ms ? now_ms - worker->seen_ms : 0,
        .threads_count = worker->threads_count,
        .memory_bytes = worker->memory_bytes,
        .memory_planned_bytes = planned_bytes(core, worker),
        .active_count = worker->actives_count,
        .standby_count = worker->copies_count,
    };
    for (uint32_t i = 0; i < worker->actives_count; i++)
        if (worker->actives[i]->reported)
            view.load_us += worker->actives[i]->report.load_us;
    return view;
}

/* ---- Tasks ---- */

static void row_add(struct mr_core_view *view, struct mr_core_task_state *task, uint32_t copy)
{
    view->rows =
        mr_core_grow(view->rows, view->rows_count, &view->rows_capacity, sizeof *view->rows);
    view->rows[view->rows_count++] = (struct mr_core_row){.task = task, .copy = copy};
}

static void rows_of(struct mr_core_view *view, const struct mr_core_generation *generation)
{
    for (uint32_t i = 0; i < generation->parts_count; i++) {
        const struct mr_core_part *part = generation->parts[i];
        for (uint32_t j = 0; j < part->tasks_count; j++) {
            struct mr_core_task_state *task = part->tasks[j];
            if (task == NULL || (j >= part->wanted_count && task->phase == MR_PHASE_FREE))
                continue;
            row_add(view, task, MR_CORE_NONE);
            for (uint32_t k = 0; k < task->copies_count; k++)
                row_add(view, task, k);
        }
    }
}

static struct mr_core_view *rows(const struct mr_core *core)
{
    struct mr_core_view *view = core->view;
    if (view->rows_valid)
        return view;
    view->rows_valid = true;
    view->rows_count = 0;
    for (uint32_t i = 0; i < core->topologies_count; i++)
        if (core->topologies[i]->generation != NULL && core->topologies[i]->record != NULL)
            rows_of(view, core->topologies[i]->generation);
    return view;
}

uint32_t mr_core_tasks_count(const struct mr_core *core)
{
    return rows(core)->rows_count;
}

static const char *memory_text(const struct mr_core *core, const struct mr_core_task_state *task)
{
    return mr_arena_format(&core->view->arena,
                           "No worker has the memory: worker %s has %" PRIu64
                           " MiB and needs %" PRIu64 " MiB with it.",
                           task->block_worker == NULL ? "?" : task->block_worker->name,
                           task->block_have / MIB, (task->block_need + MIB - 1) / MIB);
}

static const char *no_worker_text(const struct mr_core *core)
{
    for (uint32_t i = 0; i < core->workers_count; i++)
        if (mr_core_worker_alive(core->workers[i]))
            return "Every worker that is there is leaving or drained.";
    return "No worker is there.";
}

static const char *refused_text(const struct mr_core *core, const struct mr_core_task_state *task)
{
    const char *why = NULL;
    if (task->block_worker != NULL)
        why = mr_core_worker_refusal(task->block_worker, mr_core_task_topology(task));
    return mr_arena_format(&core->view->arena, "No worker can run it: %s",
                           why == NULL ? "all refuse this version." : why);
}

/* Why a free task has no worker. */
static const char *blocked_text(const struct mr_core *core, const struct mr_core_task_state *task)
{
    if (!core->leads || task->phase != MR_PHASE_FREE)
        return "";
    if (!mr_core_task_wanted(task))
        return mr_core_task_topology(task)->operation.kind == MR_OPERATION_NONE
                   ? "Its topology has no active version."
                   : mr_arena_format(
                         &core->view->arena, "Its topology %s.",
                         mr_core_operation_text(mr_core_task_topology(task)->operation.kind));
    if (task->holder != NULL && mr_core_worker_awaited(core, task->holder))
        return mr_arena_format(&core->view->arena, "It waits for worker %s, which restarts.",
                               task->holder->name);
    switch (task->block) {
    case MR_BLOCK_MEMORY:
        return memory_text(core, task);
    case MR_BLOCK_REFUSED:
        return refused_text(core, task);
    case MR_BLOCK_TASKS:
        return "Every worker has as many tasks as it can.";
    case MR_BLOCK_NO_WORKER:
        return no_worker_text(core);
    case MR_BLOCK_NOT:
        break;
    }
    return "It is about to be assigned.";
}

static const char *task_worker(const struct mr_core *core, const struct mr_core_task_state *task)
{
    if (task->phase == MR_PHASE_WRITING)
        return task->next == NULL ? "" : task->next->name;
    if (core->leads && task->phase == MR_PHASE_FREE)
        return "";
    return task->holder == NULL ? "" : task->holder->name;
}

struct mr_core_task mr_core_task_at(const struct mr_core *core, uint32_t index, uint64_t now_ms)
{
    const struct mr_core_row *row = &rows(core)->rows[index];
    struct mr_core_task_state *task = row->task;
    struct mr_core_task view = {
        .topology = mr_core_task_topology(task)->name,
        .name = {.generation = task->part->generation->id,
                 .subtopology = task->part->name,
                 .partition = task->partition},
        .moving_to = "",
        .blocked = "",
    };
    if (row->copy != MR_CORE_NONE) {
        const struct mr_core_copy *copy = &task->copies[row->copy];
        view.role = MR_TASK_ROLE_STANDBY;
        view.worker = copy->worker->name;
        view.reported = copy->reported;
        view.report = copy->report;
        view.since_ms = now_ms > copy->since_ms ? now_ms - copy->since_ms : 0;
        return view;
    }
    view.role = MR_TASK_ROLE_ACTIVE;
    view.epoch = task->epoch;
    view.worker = task_worker(core, task);
    view.moving_to = task->target == NULL ? "" : task->target->name;
    view.blocked = blocked_text(core, task);
    view.reported = task->reported;
    view.report = task->report;
    view.since_ms = now_ms > task->since_ms ? now_ms - task->since_ms : 0;
    return view;
}

/* ---- Topologies ---- */

static const struct mr_core_topology_state *topology_row(const struct mr_core *core, uint32_t index)
{
    for (uint32_t i = 0; i < core->topologies_count; i++)
        if (core->topologies[i]->record != NULL && index-- == 0)
            return core->topologies[i];
    return NULL;
}

uint32_t mr_core_topologies_count(const struct mr_core *core)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < core->topologies_count; i++)
        count += core->topologies[i]->record != NULL;
    return count;
}

/* The worst of what tasks say; each with the first task that says it. */
struct findings {
    const struct mr_core_task_state *failed;
    const struct mr_core_task_state *blocked;
    const struct mr_core_task_state *stalled;
    const struct mr_core_task_state *starting;
};

static bool stalls(const struct mr_core_task_state *task, uint64_t now_ms)
{
    if (task->report.lag <= 0)
        return false;
    uint64_t since = now_ms > task->since_ms ? now_ms - task->since_ms : 0;
    if (task->report.idle_ms < 0)
        return since >= MR_CORE_IDLE_MS;
    return task->report.idle_ms >= MR_CORE_IDLE_MS && since >= MR_CORE_IDLE_MS;
}

static void find(const struct mr_core_task_state *task, uint64_t now_ms, struct findings *found)
{
    uint64_t since = now_ms > task->since_ms ? now_ms - task->since_ms : 0;
    bool blocked = task->phase == MR_PHASE_FREE && task->block != MR_BLOCK_NOT;
    bool runs = task->phase == MR_PHASE_ASSIGNED && task->reported &&
                task->report.state == MR_TASK_STATE_RUNNING;
    if (task->phase == MR_PHASE_ASSIGNED && task->reported &&
        task->report.state == MR_TASK_STATE_FAILED)
        found->failed = found->failed == NULL ? task : found->failed;
    else if (blocked && task->block == MR_BLOCK_REFUSED)
        found->failed = found->failed == NULL ? task : found->failed;
    else if (blocked)
        found->blocked = found->blocked == NULL ? task : found->blocked;
    else if (runs && stalls(task, now_ms))
        found->stalled = found->stalled == NULL ? task : found->stalled;
    else if (!runs && since >= MR_CORE_IDLE_MS && task->report.state != MR_TASK_STATE_RESTORING)
        found->stalled = found->stalled == NULL ? task : found->stalled;
    else if (!runs)
        found->starting = found->starting == NULL ? task : found->starting;
}

static const char *state_text(enum mr_task_state state)
{
    static const char *const texts[MR_TASK_STATE_COUNT] = {
        [MR_TASK_STATE_WAITING] = "waits for its topology",
        [MR_TASK_STATE_CLAIMING] = "is being claimed",
        [MR_TASK_STATE_RESTORING] = "restores its state",
        [MR_TASK_STATE_RUNNING] = "runs",
        [MR_TASK_STATE_RELEASING] = "is being released",
        [MR_TASK_STATE_RELEASED] = "is released",
        [MR_TASK_STATE_FENCED] = "was fenced",
        [MR_TASK_STATE_FAILED] = "failed",
        [MR_TASK_STATE_FOLLOWING] = "follows",
    };
    return texts[state];
}

/* "Task a/b/3 on worker w1" */
static const char *where(const struct mr_core *core, const struct mr_core_task_state *task)
{
    const char *worker = task_worker(core, task);
    return mr_arena_format(&core->view->arena, "Task %s/%s/%d%s%s",
                           mr_core_task_topology(task)->name, task->part->name, task->partition,
                           worker[0] == '\0' ? "" : " on worker ", worker);
}

static const char *waiting_text(const struct mr_core *core, const struct mr_core_task_state *task,
                                uint64_t now_ms)
{
    struct mr_arena *arena = &core->view->arena;
    uint64_t since = now_ms > task->since_ms ? now_ms - task->since_ms : 0;
    if (task->phase == MR_PHASE_FREE)
        return mr_arena_format(arena, "%s has no worker since %" PRIu64 " ms: %s",
                               where(core, task), since, blocked_text(core, task));
    if (task->phase == MR_PHASE_WRITING)
        return mr_arena_format(arena, "%s is being recorded since %" PRIu64 " ms.",
                               where(core, task), since);
    if (task->phase == MR_PHASE_REVOKED)
        return mr_arena_format(arena, "%s is to be released since %" PRIu64 " ms.",
                               where(core, task), since);
    if (!task->reported)
        return mr_arena_format(arena, "%s was not heard of since %" PRIu64 " ms.",
                               where(core, task), since);
    if (task->report.state == MR_TASK_STATE_RESTORING)
        return mr_arena_format(arena,
                               "%s restores its state since %" PRIu64 " ms: %" PRId64
                               " records are left (-1: not known).",
                               where(core, task), since, task->report.changelog_remaining);
    return mr_arena_format(arena, "%s %s since %" PRIu64 " ms.", where(core, task),
                           state_text(task->report.state), since);
}

static const char *stalled_text(const struct mr_core *core, const struct mr_core_task_state *task,
                                uint64_t now_ms)
{
    if (task->phase != MR_PHASE_ASSIGNED || !task->reported ||
        task->report.state != MR_TASK_STATE_RUNNING)
        return waiting_text(core, task, now_ms);
    uint64_t since = now_ms > task->since_ms ? now_ms - task->since_ms : 0;
    int64_t idle = task->report.idle_ms < 0 ? (int64_t)since : task->report.idle_ms;
    return mr_arena_format(&core->view->arena,
                           "%s has %" PRId64 " records to read and has committed none for %" PRId64
                           " ms.",
                           where(core, task), task->report.lag, idle);
}

static const char *failed_text(const struct mr_core *core, const struct mr_core_task_state *task)
{
    if (task->phase == MR_PHASE_FREE)
        return refused_text(core, task);
    return mr_arena_format(&core->view->arena, "%s failed: %s", where(core, task), task->error);
}

/* Lag that a paused source explains is nobody's fault. stalled may be NULL. */
static bool source_waits(const struct mr_core_topology_state *topology,
                         const struct mr_core_task_state *stalled)
{
    return topology->record->record.paused_sources_count > 0 && stalled != NULL &&
           stalled->phase == MR_PHASE_ASSIGNED && stalled->reported &&
           stalled->report.state == MR_TASK_STATE_RUNNING;
}

static void judge(const struct mr_core *core, const struct mr_core_topology_state *topology,
                  const struct findings *found, uint64_t now_ms, struct mr_core_topology *view)
{
    enum mr_topology_state state = topology->record->record.state;
    const struct mr_core_operation *operation = &topology->operation;
    view->reason = "";
    view->health = MR_HEALTH_RUNNING;
    if (state == MR_TOPOLOGY_DELETING) {
        view->health = MR_HEALTH_DELETING;
    } else if (topology->active == NULL) {
        view->health = MR_HEALTH_BLOCKED;
        view->reason = "It has no active version: submit it.";
    } else if (found->failed != NULL) {
        view->health = MR_HEALTH_FAILED;
        view->reason = failed_text(core, found->failed);
    } else if (found->blocked != NULL) {
        view->health = MR_HEALTH_BLOCKED;
        view->reason =
            mr_arena_format(&core->view->arena, "%s has no worker. %s", where(core, found->blocked),
                            blocked_text(core, found->blocked));
    } else if (state == MR_TOPOLOGY_PAUSED) {
        view->health = MR_HEALTH_PAUSED;
    } else if (source_waits(topology, found->stalled)) {
        view->health = MR_HEALTH_PAUSED;
        view->reason = mr_arena_format(&core->view->arena, "Source %s is paused, and records wait.",
                                       topology->record->record.paused_sources[0]);
    } else if (found->stalled != NULL && topology->open) {
        view->health = MR_HEALTH_STALLED;
        view->reason = stalled_text(core, found->stalled, now_ms);
    } else if (found->stalled != NULL || found->starting != NULL) {
        view->health = MR_HEALTH_STARTING;
        view->reason =
            waiting_text(core, found->starting != NULL ? found->starting : found->stalled, now_ms);
    } else if (topology->failure != NULL) {
        view->reason = topology->failure;
    }
    if (operation->kind == MR_OPERATION_NONE || found->failed != NULL)
        return;
    view->reason = mr_arena_format(
        &core->view->arena, "It %s since %" PRIu64 " ms.%s%s",
        mr_core_operation_text(operation->kind),
        now_ms > operation->since_ms ? now_ms - operation->since_ms : 0,
        operation->reason == NULL ? "" : " The last attempt failed and is made again: ",
        operation->reason == NULL ? "" : operation->reason);
}

static void sum_up(const struct mr_core_topology_state *topology, uint64_t now_ms,
                   struct findings *found, struct mr_core_topology *view)
{
    bool lag_known = true;
    for (uint32_t i = 0; i < topology->generation->parts_count; i++) {
        const struct mr_core_part *part = topology->generation->parts[i];
        for (uint32_t j = 0; j < part->wanted_count; j++) {
            const struct mr_core_task_state *task = part->tasks[j];
            if (task == NULL)
                continue; /* a follower has seen its record go */
            find(task, now_ms, found);
            view->tasks_count++;
            bool runs = task->reported && task->report.state == MR_TASK_STATE_RUNNING;
            view->tasks_running += runs;
            view->tasks_restoring +=
                task->reported && task->report.state == MR_TASK_STATE_RESTORING;
            lag_known = lag_known && runs && task->report.lag >= 0;
            if (!task->reported)
                continue;
            view->lag += task->report.lag > 0 ? task->report.lag : 0;
            view->input_records += task->report.input_records;
            view->output_records += task->report.output_records;
        }
    }
    if (!lag_known)
        view->lag = -1;
}

struct mr_core_topology mr_core_topology_at(const struct mr_core *core, uint32_t index,
                                            uint64_t now_ms)
{
    const struct mr_core_topology_state *topology = topology_row(core, index);
    struct mr_core_topology view = {
        .record = &topology->record->record,
        .version = topology->active == NULL ? NULL : &topology->active->record,
    };
    struct findings found = {0};
    sum_up(topology, now_ms, &found, &view);
    judge(core, topology, &found, now_ms, &view);
    return view;
}

const struct mr_version_record *mr_core_version(const struct mr_core *core, const char *name,
                                                uint32_t version)
{
    const struct mr_core_topology_state *topology = mr_core_topology_find(core, name);
    if (topology == NULL)
        return NULL;
    const struct mr_core_version_state *found =
        version == 0 ? topology->active : mr_core_version_find(topology, version);
    return found == NULL ? NULL : &found->record;
}

uint32_t mr_core_versions(const struct mr_core *core, const char *name,
                          uint32_t numbers[MR_CORE_VERSIONS_KEPT])
{
    const struct mr_core_topology_state *topology = mr_core_topology_find(core, name);
    uint32_t count = 0;
    if (topology == NULL)
        return 0;
    uint32_t first = topology->versions_count > MR_CORE_VERSIONS_KEPT
                         ? topology->versions_count - MR_CORE_VERSIONS_KEPT
                         : 0;
    for (uint32_t i = first; i < topology->versions_count; i++)
        numbers[count++] = topology->versions[i]->record.version;
    return count;
}
