/* coordinator/core_assignment.c — which worker gets a task.
 * Design: what is somewhere stays there. A free task goes, in this order: back to its worker; to
 * one with a warm copy; to one that has some of its state, unless that one is loaded above the
 * others; to the least loaded. Workers that are leaving, have too little memory for the topology or
 * refuse its version do not count. A worker that restarts is waited for.
 * Balance: while a worker has more than one task too much, tasks go from the most to the least
 * loaded, the one that evens them out best first. A move is made only when the fuller of the two is
 * less full afterwards, so the number of moves is the least that is needed, and equal loads never
 * move. It starts when workers or tasks came or went, a moment later; for measured load alone only
 * when a worker has been far above the others for half a minute. */
#include "coordinator/core_internal.h"

#include "base/memory.h"

#include <stdlib.h>

enum { WEIGH_MS = 10000, SKEWED_TIMES = 3, RECEIVERS_TRIED_MAX = 8 };

/* ---- Free tasks ---- */

static bool takes(const struct mr_core *core, const struct mr_core_worker_state *worker,
                  const struct mr_core_task_state *task)
{
    const struct mr_core_topology_state *topology = mr_core_task_topology(task);
    return mr_core_worker_usable(worker) && mr_core_worker_refusal(worker, topology) == NULL &&
           mr_core_plan_fits(core, worker, topology);
}

static struct mr_core_worker_state *warm_place(const struct mr_core *core,
                                               const struct mr_core_task_state *task)
{
    struct mr_core_worker_state *best = NULL;
    for (uint32_t i = 0; i < task->copies_count; i++) {
        struct mr_core_worker_state *worker = task->copies[i].worker;
        if (!mr_core_copy_warm(core, &task->copies[i]) || !takes(core, worker, task))
            continue;
        int order = best == NULL ? -1 : mr_core_plan_compare(core, worker->index, best->index);
        if (order < 0 || (order == 0 && worker->index < best->index))
            best = worker;
    }
    return best;
}

/* Would it have more than one task above the mean? */
static bool above_mean(const struct mr_core *core, const struct mr_core_worker_state *worker,
                       uint64_t weight)
{
    uint64_t load = 0;
    uint64_t threads = 0;
    for (uint32_t i = 0; i < core->workers_count; i++)
        if (mr_core_worker_usable(core->workers[i])) {
            load += core->plan.loads[i];
            threads += core->workers[i]->threads_count;
        }
    return core->plan.loads[worker->index] * threads >
           (load + weight * threads) * worker->threads_count;
}

/* A worker with some of its state: a copy that is not warm yet, or what was left there. */
static struct mr_core_worker_state *stale_place(const struct mr_core *core,
                                                const struct mr_core_task_state *task)
{
    uint64_t weight = mr_core_task_weight(task);
    for (uint32_t i = 0; i < task->copies_count; i++)
        if (task->copies[i].reported && takes(core, task->copies[i].worker, task) &&
            !above_mean(core, task->copies[i].worker, weight))
            return task->copies[i].worker;
    if (task->before != NULL && core->now_ms - task->before_ms < MR_CORE_LOCAL_STATE_MS &&
        takes(core, task->before, task) && !above_mean(core, task->before, weight))
        return task->before;
    return NULL;
}

static struct mr_core_worker_state *free_place(struct mr_core *core,
                                               const struct mr_core_task_state *task)
{
    if (core->plan.heap_stale)
        mr_core_heap_fill(core, false);
    struct mr_core_worker_state **refused =
        mr_arena_take(&core->arena, (core->plan.heap_count + 1) * sizeof *refused);
    uint32_t refused_count = 0;
    struct mr_core_worker_state *worker = NULL;
    while ((worker = mr_core_heap_take(core)) != NULL && !takes(core, worker, task))
        refused[refused_count++] = worker;
    for (uint32_t i = 0; i < refused_count; i++)
        mr_core_heap_put(core, refused[i]);
    mr_arena_give_back(&core->arena, refused, (refused_count + 1) * sizeof *refused, 0);
    return worker; /* the caller puts it back */
}

/* Why nobody can take it: the worker that comes nearest is named. */
static void explain(struct mr_core *core, struct mr_core_task_state *task)
{
    const struct mr_core_topology_state *topology = mr_core_task_topology(task);
    uint64_t short_least = UINT64_MAX;
    task->block = MR_BLOCK_NO_WORKER;
    task->block_worker = NULL;
    for (uint32_t i = 0; i < core->workers_count; i++) {
        struct mr_core_worker_state *worker = core->workers[i];
        if (!mr_core_worker_usable(worker))
            continue;
        uint64_t need = core->plan.memory[i] + topology->active->record.memory_bytes;
        if (mr_core_worker_refusal(worker, topology) != NULL) {
            if (task->block != MR_BLOCK_NO_WORKER)
                continue;
            task->block = MR_BLOCK_REFUSED;
            task->block_worker = worker;
        } else if (worker->memory_bytes != 0 && need > worker->memory_bytes) {
            if (need - worker->memory_bytes >= short_least)
                continue;
            short_least = need - worker->memory_bytes;
            task->block = MR_BLOCK_MEMORY;
            task->block_worker = worker;
            task->block_have = worker->memory_bytes;
            task->block_need = need;
        } else if (task->block != MR_BLOCK_MEMORY) {
            task->block = MR_BLOCK_TASKS;
            task->block_worker = worker;
        }
    }
}

static bool waits(const struct mr_core *core, const struct mr_core_task_state *task)
{
    return task->holder != NULL && !mr_core_worker_usable(task->holder) &&
           mr_core_worker_awaited(core, task->holder);
}

static void block(struct mr_core *core, struct mr_core_task_state *task)
{
    struct mr_core_topology_state *topology = mr_core_task_topology(task);
    explain(core, task);
    if (task->block == MR_BLOCK_REFUSED)
        mr_core_topology_failed(
            core, topology,
            mr_arena_format(&core->arena, "Worker %s cannot run it: %s", task->block_worker->name,
                            mr_core_worker_refusal(task->block_worker, topology)));
}

static void place(struct mr_core *core, struct mr_core_task_state *task)
{
    struct mr_core_worker_state *chosen = NULL;
    bool from_heap = false;
    if (task->target != NULL && takes(core, task->target, task))
        chosen = task->target;
    if (chosen == NULL && task->target == NULL && task->holder != NULL &&
        takes(core, task->holder, task))
        chosen = task->holder;
    if (chosen == NULL && task->part->stateful)
        chosen = warm_place(core, task);
    if (chosen == NULL && (waits(core, task) || mr_core_task_gathers(core, task)))
        return;
    if (chosen == NULL && task->part->stateful)
        chosen = stale_place(core, task);
    if (chosen == NULL) {
        chosen = free_place(core, task);
        from_heap = true;
    }
    if (chosen == NULL) {
        block(core, task);
        return;
    }
    mr_core_plan_add(core, chosen, task);
    if (from_heap)
        mr_core_heap_put(core, chosen);
    else
        core->plan.heap_stale = true;
    mr_core_task_assign(core, task, chosen);
}

static int compare_tasks(const void *left, const void *right)
{
    const struct mr_core_task_state *a = *(struct mr_core_task_state *const *)left;
    const struct mr_core_task_state *b = *(struct mr_core_task_state *const *)right;
    uint64_t heavy_a = mr_core_task_weight(a);
    uint64_t heavy_b = mr_core_task_weight(b);
    if (heavy_a != heavy_b)
        return heavy_a > heavy_b ? -1 : 1;
    uint32_t topology_a = mr_core_task_topology(a)->index;
    uint32_t topology_b = mr_core_task_topology(b)->index;
    if (topology_a != topology_b)
        return topology_a < topology_b ? -1 : 1;
    int order = strcmp(a->part->name, b->part->name);
    if (order != 0)
        return order;
    return a->partition < b->partition ? -1 : a->partition > b->partition;
}

/* Those that go back to their worker first: the others are laid around them. */
static bool goes_back(const struct mr_core *core, const struct mr_core_task_state *task)
{
    return task->target == NULL && task->holder != NULL && takes(core, task->holder, task);
}

void mr_core_assign_free(struct mr_core *core)
{
    struct mr_core_task_state **tasks = NULL;
    uint32_t count = 0;
    mr_core_plan_build(core);
    for (uint32_t i = 0; i < core->tasks_count; i++) {
        struct mr_core_task_state *task = core->tasks[i];
        if (task->phase != MR_PHASE_FREE || !mr_core_task_wanted(task))
            continue;
        if (task->retry_ms > core->now_ms) {
            if (task->retry_ms < core->wake_ms)
                core->wake_ms = task->retry_ms;
            continue;
        }
        if (tasks == NULL)
            tasks = mr_arena_take(&core->arena, core->tasks_count * sizeof(*tasks));
        if (goes_back(core, task)) {
            mr_core_plan_add(core, task->holder, task);
            mr_core_task_assign(core, task, task->holder);
        } else {
            tasks[count++] = task;
        }
    }
    if (count == 0)
        return;
    qsort(tasks, count, sizeof(*tasks), compare_tasks);
    mr_core_heap_fill(core, false);
    for (uint32_t i = 0; i < count; i++)
        place(core, tasks[i]);
}

/* ---- Drains ---- */

static struct mr_core_worker_state *move_place(struct mr_core *core,
                                               const struct mr_core_task_state *task)
{
    struct mr_core_worker_state *chosen = task->part->stateful ? warm_place(core, task) : NULL;
    if (chosen == NULL && task->part->stateful)
        chosen = stale_place(core, task);
    if (chosen == NULL) {
        chosen = free_place(core, task);
        if (chosen != NULL)
            mr_core_heap_put(core, chosen);
    }
    return chosen;
}

static void drain_worker(struct mr_core *core, struct mr_core_worker_state *worker)
{
    for (uint32_t i = 0; i < worker->actives_count; i++) {
        struct mr_core_task_state *task = worker->actives[i];
        if (task->phase != MR_PHASE_ASSIGNED || task->target != NULL)
            continue;
        struct mr_core_worker_state *chosen = move_place(core, task);
        if (chosen == NULL) {
            /* A process that ends lets go in any case; one that stays may go on. */
            if (worker->leaving == MR_LEAVING_DRAIN)
                mr_core_task_revoke(core, task);
            continue;
        }
        if (core->plan.moves_count >= core->options.moves_max)
            return;
        core->plan.moves_count++;
        mr_core_plan_add(core, chosen, task);
        mr_core_task_move(core, task, chosen);
        mr_core_heap_fill(core, false);
    }
}

/* ---- Balance ---- */

static bool can_move(const struct mr_core_task_state *task)
{
    return task->phase == MR_PHASE_ASSIGNED && task->target == NULL && task->reported &&
           (task->report.state == MR_TASK_STATE_RUNNING ||
            (!task->part->stateful && task->report.state != MR_TASK_STATE_FAILED));
}

/* Of two tasks that even the loads out alike: one whose topology the giver has more of, stateless
 * ones, those with a copy at the receiver. */
static int preference(const struct mr_core *core, struct mr_core_task_state *task,
                      const struct mr_core_worker_state *giver,
                      const struct mr_core_worker_state *receiver)
{
    const struct mr_core_topology_state *topology = mr_core_task_topology(task);
    uint32_t here = mr_core_plan_presence(core, giver, topology);
    uint32_t there = mr_core_plan_presence(core, receiver, topology);
    int score = here > there ? 4 : here == there ? 2 : 0;
    if (!task->part->stateful || mr_core_copy_find(task, receiver) != NULL)
        score++;
    return score;
}

/* The fuller of the two would be less full with the task on the other side. */
static bool improves(const struct mr_core *core, const struct mr_core_worker_state *giver,
                     const struct mr_core_worker_state *receiver, uint64_t weight)
{
    uint64_t given = core->plan.loads[giver->index];
    uint64_t received = core->plan.loads[receiver->index] + weight;
    return received * giver->threads_count < given * receiver->threads_count;
}

/* How full the fuller of the two is with the task on the other side: in the same unit for all. */
static uint64_t fullness(const struct mr_core *core, const struct mr_core_worker_state *giver,
                         const struct mr_core_worker_state *receiver, uint64_t weight)
{
    uint64_t given = (core->plan.loads[giver->index] - weight) * receiver->threads_count;
    uint64_t received = (core->plan.loads[receiver->index] + weight) * giver->threads_count;
    return given > received ? given : received;
}

static struct mr_core_task_state *pick(struct mr_core *core, struct mr_core_worker_state *giver,
                                       struct mr_core_worker_state *receiver)
{
    struct mr_core_task_state *best = NULL;
    uint64_t best_fullness = 0;
    int best_score = 0;
    for (uint32_t i = 0; i < giver->actives_count; i++) {
        struct mr_core_task_state *task = giver->actives[i];
        uint64_t weight = mr_core_task_weight(task);
        if (!can_move(task) || !improves(core, giver, receiver, weight) ||
            !takes(core, receiver, task))
            continue;
        uint64_t full = fullness(core, giver, receiver, weight);
        int score = preference(core, task, giver, receiver);
        if (best != NULL && (full > best_fullness || (full == best_fullness && score < best_score)))
            continue;
        if (best != NULL && full == best_fullness && score == best_score &&
            compare_tasks(&best, &task) < 0)
            continue;
        best = task;
        best_fullness = full;
        best_score = score;
    }
    return best;
}

/* Usable workers, those with the least to do first. */
static struct mr_core_worker_state **by_load(struct mr_core *core, uint32_t *count)
{
    struct mr_core_worker_state **workers =
        mr_arena_take(&core->arena, (core->workers_count + 1) * sizeof *workers);
    *count = 0;
    mr_core_heap_fill(core, false);
    struct mr_core_worker_state *worker = NULL;
    while ((worker = mr_core_heap_take(core)) != NULL)
        workers[(*count)++] = worker;
    return workers;
}

/* One move that evens the loads out. Returns: false when there is none. */
static bool balance_once(struct mr_core *core)
{
    uint32_t count = 0;
    struct mr_core_worker_state **workers = by_load(core, &count);
    for (uint32_t i = count; i-- > 1;) {
        if (!improves(core, workers[i], workers[0], core->plan.weight_least))
            return false; /* nor would any that is less loaded */
        for (uint32_t j = 0; j < i && j < RECEIVERS_TRIED_MAX; j++) {
            struct mr_core_task_state *task = pick(core, workers[i], workers[j]);
            if (task == NULL)
                continue;
            core->plan.loads[workers[i]->index] -= mr_core_task_weight(task);
            core->plan.counts[workers[i]->index]--;
            mr_core_plan_add(core, workers[j], task);
            core->plan.moves_count++;
            mr_core_task_move(core, task, workers[j]);
            return true;
        }
    }
    return false;
}

/* Is a worker far above the mean? */
static bool skewed(const struct mr_core *core)
{
    uint64_t load = 0;
    uint64_t threads = 0;
    for (uint32_t i = 0; i < core->workers_count; i++)
        if (mr_core_worker_usable(core->workers[i])) {
            load += core->plan.loads[i];
            threads += core->workers[i]->threads_count;
        }
    for (uint32_t i = 0; i < core->workers_count; i++)
        if (mr_core_worker_usable(core->workers[i]) &&
            core->plan.loads[i] * threads * 10 > load * core->workers[i]->threads_count * 13)
            return true;
    return false;
}

static void look_at_loads(struct mr_core *core)
{
    if (core->now_ms < core->weigh_ms)
        return;
    core->weigh_ms = core->now_ms + WEIGH_MS;
    mr_core_weigh(core);
    mr_core_plan_build(core);
    core->skewed_count = skewed(core) ? core->skewed_count + 1 : 0;
    if (core->skewed_count < SKEWED_TIMES)
        return;
    core->skewed_count = 0;
    core->balance = true;
}

static bool somebody_restarts(const struct mr_core *core)
{
    for (uint32_t i = 0; i < core->workers_count; i++)
        if (mr_core_worker_awaited(core, core->workers[i]))
            return true;
    return false;
}

static void run_drains(struct mr_core *core)
{
    bool drains = false;
    for (uint32_t i = 0; i < core->workers_count; i++)
        drains = drains ||
                 (core->workers[i]->actives_count > 0 && mr_core_worker_drains(core->workers[i]));
    if (!drains)
        return;
    mr_core_plan_build(core);
    mr_core_heap_fill(core, false);
    for (uint32_t i = 0; i < core->workers_count; i++)
        if (mr_core_worker_drains(core->workers[i]))
            drain_worker(core, core->workers[i]);
}

/* With each tick: at most moves_max tasks are on their way at a time. */
void mr_core_balance(struct mr_core *core)
{
    mr_core_moves_run(core);
    run_drains(core);
    look_at_loads(core);
    if (!core->balance || core->now_ms < core->settle_until_ms || somebody_restarts(core))
        return;
    mr_core_plan_build(core);
    while (core->plan.moves_count < core->options.moves_max)
        if (!balance_once(core)) {
            core->balance = core->plan.moves_count > 0 || core->plan.unsettled_count > 0;
            return;
        }
}
