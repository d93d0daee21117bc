/* coordinator/core_standbys.c — where the warm copies of tasks are.
 * Design: nothing of it is in the control topic: a copy is never written to by anybody but itself,
 * so a new leader takes the copies that it is told of and fills up. A copy is never where the task
 * is or will be, never two on one worker, and in another zone than the task's and the other copies'
 * where there is one. A copy that has a good place stays. */
#include "coordinator/core_internal.h"

enum { TAKEN_MAX = 64 /* workers that are looked at for one in another zone */ };

static bool holds(const struct mr_core_task_state *task, const struct mr_core_worker_state *worker)
{
    return (task->phase != MR_PHASE_FREE && task->holder == worker) || task->next == worker ||
           (task->phase == MR_PHASE_FREE && task->target == worker);
}

static bool may_stay(const struct mr_core *core, const struct mr_core_task_state *task,
                     const struct mr_core_copy *copy)
{
    const struct mr_core_worker_state *worker = copy->worker;
    if (!mr_core_task_wanted(task) || !task->part->stateful)
        return false;
    if (task->phase == MR_PHASE_ASSIGNED && task->holder == worker)
        return false;
    if (copy->warming)
        return true; /* the move's */
    return mr_core_worker_usable(worker) || mr_core_worker_awaited(core, worker);
}

static uint32_t conflicts(const struct mr_core_task_state *task, const char *zone)
{
    uint32_t count = 0;
    if (zone[0] == '\0')
        return 0;
    const struct mr_core_worker_state *owner = task->next != NULL ? task->next : task->holder;
    if (owner != NULL && strcmp(owner->zone, zone) == 0)
        count++;
    for (uint32_t i = 0; i < task->copies_count; i++)
        if (strcmp(task->copies[i].worker->zone, zone) == 0)
            count++;
    return count;
}

static bool may_take(struct mr_core *core, struct mr_core_task_state *task,
                     struct mr_core_worker_state *worker)
{
    const struct mr_core_topology_state *topology = mr_core_task_topology(task);
    return !holds(task, worker) && mr_core_copy_find(task, worker) == NULL &&
           mr_core_worker_refusal(worker, topology) == NULL &&
           mr_core_plan_fits(core, worker, topology);
}

/* The worker that had the task last has its state on disk: also while it restarts. */
static bool prefers_last(struct mr_core *core, struct mr_core_task_state *task)
{
    struct mr_core_worker_state *before = task->before;
    return before != NULL && core->now_ms - task->before_ms < MR_CORE_LOCAL_STATE_MS &&
           (mr_core_worker_usable(before) || mr_core_worker_awaited(core, before)) &&
           may_take(core, task, before) && conflicts(task, before->zone) == 0;
}

static struct mr_core_worker_state *choose(struct mr_core *core, struct mr_core_task_state *task)
{
    struct mr_core_worker_state *taken[TAKEN_MAX];
    struct mr_core_worker_state *best = NULL;
    uint32_t taken_count = 0;
    uint32_t least = UINT32_MAX;
    if (prefers_last(core, task))
        return task->before;
    while (taken_count < TAKEN_MAX && least > 0) {
        struct mr_core_worker_state *worker = mr_core_heap_take(core);
        if (worker == NULL)
            break;
        taken[taken_count++] = worker;
        if (!may_take(core, task, worker))
            continue;
        uint32_t found = conflicts(task, worker->zone);
        if (found < least) {
            least = found;
            best = worker;
        }
    }
    if (best != NULL)
        mr_core_plan_add_copy(core, best, task);
    for (uint32_t i = 0; i < taken_count; i++)
        mr_core_heap_put(core, taken[i]);
    return best;
}

static uint32_t wanted_count(const struct mr_core_task_state *task)
{
    if (!mr_core_task_wanted(task) || !task->part->stateful)
        return 0;
    uint32_t wanted = mr_core_task_topology(task)->active->record.standbys_count;
    return wanted < MR_CORE_STANDBYS_MAX ? wanted : MR_CORE_STANDBYS_MAX;
}

/* Cold ones first, those in a zone with another before those that are apart. */
static uint32_t worst_copy(const struct mr_core *core, const struct mr_core_task_state *task)
{
    uint32_t worst = MR_CORE_NONE;
    uint32_t worst_score = 0;
    for (uint32_t i = 0; i < task->copies_count; i++) {
        const struct mr_core_copy *copy = &task->copies[i];
        if (copy->warming)
            continue;
        /* It counts itself once among its zone. */
        uint32_t score = conflicts(task, copy->worker->zone) * 2 + 1;
        score += mr_core_copy_warm(core, copy) ? 0 : 16;
        if (score > worst_score) {
            worst_score = score;
            worst = i;
        }
    }
    return worst;
}

static uint32_t trim(struct mr_core *core, struct mr_core_task_state *task, uint32_t wanted)
{
    uint32_t count = 0;
    for (uint32_t i = task->copies_count; i-- > 0;) {
        if (!may_stay(core, task, &task->copies[i]))
            mr_core_copy_remove(core, task, i);
        else if (!task->copies[i].warming)
            count++;
    }
    /* The target of a move has one until the task is there; another takes its place then. */
    for (; count > wanted; count--)
        mr_core_copy_remove(core, task, worst_copy(core, task));
    return count;
}

void mr_core_standbys_plan(struct mr_core *core)
{
    bool filled = false;
    for (uint32_t i = 0; i < core->tasks_count; i++) {
        struct mr_core_task_state *task = core->tasks[i];
        uint32_t wanted = wanted_count(task);
        if (wanted == 0 && task->copies_count == 0)
            continue;
        uint32_t count = trim(core, task, wanted);
        /* Who has the task decides where its copies may be. */
        while (count < wanted && task->phase != MR_PHASE_FREE) {
            if (!filled) {
                mr_core_plan_build(core);
                mr_core_heap_fill(core, true);
                filled = true;
            }
            struct mr_core_worker_state *worker = choose(core, task);
            if (worker == NULL || mr_core_copy_add(core, task, worker) == NULL)
                break;
            count++;
        }
    }
}
