/* coordinator/core_reports.c — what workers say of their tasks.
 * Design: a report counts for the task when it comes from the instance that the records name and
 * speaks of the recorded epoch. Others are either ahead of the records (then they are the truth,
 * and the record is raised) or behind them (then they are left out of the answer, and that worker
 * lets go). */
#include "coordinator/core_internal.h"

#include "base/memory.h"

#include <inttypes.h>

enum { LOAD_HALF_MS = 10000, FENCED_WAIT_MS = 100, FENCED_WAIT_MS_MAX = 5000 };

static void copy_report(struct mr_core *core, struct mr_core_worker_state *worker,
                        struct mr_core_task_state *task, const struct mr_task_report *report)
{
    struct mr_core_copy *copy = mr_core_copy_find(task, worker);
    bool known = mr_core_task_wanted(task) && task->part->stateful;
    bool holds = task->holder == worker && task->phase != MR_PHASE_FREE;
    if (copy == NULL && core->listening && known && !holds)
        copy = mr_core_copy_add(core, task, worker); /* the leader before wanted it */
    if (copy == NULL)
        return;
    copy->reported = true;
    copy->report = *report;
    copy->report.name.subtopology = task->part->name;
    copy->report.error = "";
}

static void smooth_load(struct mr_core *core, struct mr_core_task_state *task, uint64_t load_us)
{
    uint64_t passed = core->now_ms - task->load_ms;
    if (task->load_us == 0)
        task->load_us = load_us;
    else if (load_us >= task->load_us)
        task->load_us += (load_us - task->load_us) * passed / (passed + LOAD_HALF_MS);
    else
        task->load_us -= (task->load_us - load_us) * passed / (passed + LOAD_HALF_MS);
    task->load_ms = core->now_ms;
}

/* A foreign claim was found: the task needs a higher epoch. At once the first time; a task that is
 * fenced again and again waits longer each time. */
static void fenced(struct mr_core *core, struct mr_core_task_state *task)
{
    uint64_t wait = 0;
    if (task->fenced_count > 0)
        wait = (uint64_t)FENCED_WAIT_MS << (task->fenced_count < 6 ? task->fenced_count : 6);
    if (wait > FENCED_WAIT_MS_MAX)
        wait = FENCED_WAIT_MS_MAX;
    task->fenced_count++;
    mr_core_news(core, "task-fenced", mr_core_task_topology(task)->name,
                 "Task %s was fenced on worker %s at epoch %" PRIu64 " (a claim has epoch %" PRIu64
                 "): it is assigned anew.",
                 mr_core_task_text(core, task), task->holder->name, task->epoch, task->seen_epoch);
    mr_core_task_free(core, task);
    task->retry_ms = core->now_ms + wait;
}

static void owner_state(struct mr_core *core, struct mr_core_task_state *task)
{
    struct mr_core_topology_state *topology = mr_core_task_topology(task);
    switch (task->report.state) {
    case MR_TASK_STATE_RELEASED:
        mr_core_task_free(core, task);
        break;
    case MR_TASK_STATE_FENCED:
        if (task->phase == MR_PHASE_ASSIGNED && topology != NULL)
            fenced(core, task);
        else
            mr_core_task_free(core, task);
        break;
    case MR_TASK_STATE_FAILED:
        if (topology != NULL && task->phase == MR_PHASE_ASSIGNED)
            mr_core_topology_failed(core, topology,
                                    mr_arena_format(&core->arena, "Task %s failed on worker %s: %s",
                                                    mr_core_task_text(core, task),
                                                    task->holder->name, task->error));
        break;
    case MR_TASK_STATE_RUNNING:
        task->fenced_count = 0;
        smooth_load(core, task, task->report.load_us);
        if (topology != NULL && task->phase == MR_PHASE_ASSIGNED && topology->active != NULL &&
            task->report.version == topology->active->record.version)
            mr_core_topology_ran(core, topology);
        break;
    case MR_TASK_STATE_WAITING:
    case MR_TASK_STATE_CLAIMING:
    case MR_TASK_STATE_RESTORING:
    case MR_TASK_STATE_RELEASING:
    case MR_TASK_STATE_FOLLOWING:
    case MR_TASK_STATE_COUNT:
        break;
    }
}

static void owner_report(struct mr_core *core, struct mr_core_worker_state *worker,
                         struct mr_core_task_state *task, const struct mr_task_report *report)
{
    bool current = report->epoch == task->epoch;
    if (!current && report->state == MR_TASK_STATE_RELEASED)
        return; /* of an assignment before this one */
    task->report_sequence = worker->sequence;
    if (!current)
        return;
    bool before = task->reported;
    if (!before || task->report.state != report->state)
        task->since_ms = core->now_ms;
    bool fails_anew = report->state == MR_TASK_STATE_FAILED &&
                      (!before || task->report.state != MR_TASK_STATE_FAILED);
    task->reported = true;
    task->report = *report;
    task->report.name.subtopology = task->part->name;
    mr_core_replace_text(&task->error, report->error);
    task->report.error = task->error;
    if (fails_anew && mr_core_task_topology(task) != NULL)
        mr_core_news(core, "task-failed", mr_core_task_topology(task)->name,
                     "Task %s failed on worker %s: %s", mr_core_task_text(core, task), worker->name,
                     task->error);
    owner_state(core, task);
}

static bool holds_it(enum mr_task_state state)
{
    return state == MR_TASK_STATE_WAITING || state == MR_TASK_STATE_CLAIMING ||
           state == MR_TASK_STATE_RESTORING || state == MR_TASK_STATE_RUNNING;
}

/* A worker that was taken for gone is back, and nobody was given its task meanwhile. */
static bool still_has(const struct mr_core_worker_state *worker,
                      const struct mr_core_task_state *task, const struct mr_task_report *report)
{
    return task->phase == MR_PHASE_FREE && task->holder == worker &&
           task->instance == worker->instance && report->epoch == task->epoch &&
           holds_it(report->state) && mr_core_task_wanted(task) && mr_core_worker_usable(worker) &&
           mr_core_worker_refusal(worker, mr_core_task_topology(task)) == NULL;
}

static void active_report(struct mr_core *core, struct mr_core_worker_state *worker,
                          struct mr_core_task_state *task, const struct mr_task_report *report)
{
    uint64_t seen = report->seen_epoch > report->epoch ? report->seen_epoch : report->epoch;
    if (seen > task->seen_epoch)
        task->seen_epoch = seen;
    if (still_has(worker, task, report))
        mr_core_task_adopt(core, task);
    bool held = task->phase == MR_PHASE_ASSIGNED || task->phase == MR_PHASE_REVOKED;
    if (held && task->holder == worker && task->instance == worker->instance &&
        report->epoch <= task->epoch)
        owner_report(core, worker, task, report);
    else if (report->epoch > task->epoch && task->phase != MR_PHASE_WRITING &&
             holds_it(report->state) && mr_core_task_wanted(task) && mr_core_worker_usable(worker))
        mr_core_task_raise(core, task, worker, report->epoch);
}

/* What it was told to let go and does not name any more is released. (A Sync that crossed the
 * answer which named the task first says as much, wrongly: then the next owner's claim ends this
 * one.) */
static void find_absent(struct mr_core *core, struct mr_core_worker_state *worker)
{
    for (uint32_t i = worker->actives_count; i-- > 0;) {
        struct mr_core_task_state *task = worker->actives[i];
        if (task->phase == MR_PHASE_REVOKED && task->report_sequence != worker->sequence)
            mr_core_task_free(core, task);
    }
}

static bool same_refusals(const struct mr_core_worker_state *worker,
                          const struct mr_sync_request *sync)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < sync->topologies_count; i++) {
        const struct mr_topology_report *report = &sync->topologies[i];
        if (!report->refused)
            continue;
        if (found == worker->refused_count ||
            worker->refused[found].generation != report->generation ||
            worker->refused[found].version != report->version)
            return false;
        found++;
    }
    return found == worker->refused_count;
}

static void take_refusals(struct mr_core *core, struct mr_core_worker_state *worker,
                          const struct mr_sync_request *sync)
{
    if (same_refusals(worker, sync))
        return;
    for (uint32_t i = 0; i < worker->refused_count; i++)
        mr_memory_free(worker->refused[i].error);
    mr_memory_free(worker->refused);
    worker->refused = mr_memory_new(sync->topologies_count + 1, sizeof *worker->refused);
    worker->refused_count = 0;
    for (uint32_t i = 0; i < sync->topologies_count; i++) {
        const struct mr_topology_report *report = &sync->topologies[i];
        if (report->refused)
            worker->refused[worker->refused_count++] =
                (struct mr_core_refused){.generation = report->generation,
                                         .version = report->version,
                                         .error = mr_memory_copy_text(report->error)};
    }
    mr_core_set_changed(core);
    for (uint32_t i = worker->actives_count; i-- > 0;) {
        const struct mr_core_topology_state *topology = mr_core_task_topology(worker->actives[i]);
        if (topology != NULL && mr_core_worker_refusal(worker, topology) != NULL)
            mr_core_task_free(core, worker->actives[i]); /* it never ran there */
    }
    for (uint32_t i = worker->copies_count; i-- > 0;) {
        struct mr_core_task_state *task = worker->copies[i];
        if (mr_core_worker_refusal(worker, mr_core_task_topology(task)) != NULL)
            mr_core_copy_remove(core, task,
                                (uint32_t)(mr_core_copy_find(task, worker) - task->copies));
    }
}

void mr_core_reports_take(struct mr_core *core, struct mr_core_worker_state *worker,
                          const struct mr_sync_request *sync)
{
    for (uint32_t i = 0; i < sync->tasks_count; i++) {
        const struct mr_task_report *report = &sync->tasks[i];
        struct mr_core_task_state *task = mr_core_task_find(core, &report->name);
        if (task == NULL)
            continue;
        if (report->role == MR_TASK_ROLE_STANDBY)
            copy_report(core, worker, task, report);
        else
            active_report(core, worker, task, report);
    }
    find_absent(core, worker);
    take_refusals(core, worker, sync);
}
