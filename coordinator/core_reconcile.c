/* coordinator/core_reconcile.c — a task's steps from one worker to another.
 * Design: every change of a task's phase is here, with what hangs on it: the lists of its worker,
 * the count of its topology's busy tasks, and whom there is news for. Nothing here chooses a
 * worker. */
#include "coordinator/core_internal.h"

#include "base/assert.h"
#include "base/memory.h"

#include <inttypes.h>

struct mr_core_topology_state *mr_core_task_topology(const struct mr_core_task_state *task)
{
    return task->part->generation->topology;
}

bool mr_core_task_wanted(const struct mr_core_task_state *task)
{
    const struct mr_core_topology_state *topology = mr_core_task_topology(task);
    return topology != NULL && topology->open && topology->generation == task->part->generation &&
           (uint32_t)task->partition < task->part->wanted_count;
}

const char *mr_core_task_text(struct mr_core *core, const struct mr_core_task_state *task)
{
    const struct mr_core_topology_state *topology = mr_core_task_topology(task);
    return mr_arena_format(&core->arena, "%s/%s/%d", topology == NULL ? "?" : topology->name,
                           task->part->name, task->partition);
}

/* ---- Phases ---- */

static void set_phase(struct mr_core *core, struct mr_core_task_state *task,
                      enum mr_core_phase phase)
{
    struct mr_core_topology_state *topology = mr_core_task_topology(task);
    if (topology != NULL) {
        topology->busy_count -= task->phase != MR_PHASE_FREE;
        topology->busy_count += phase != MR_PHASE_FREE;
    }
    task->phase = phase;
    task->since_ms = core->now_ms;
}

static void list_add(struct mr_core_task_state *task)
{
    struct mr_core_worker_state *worker = task->holder;
    worker->actives = mr_core_grow(worker->actives, worker->actives_count,
                                   &worker->actives_capacity, sizeof(struct mr_core_task_state *));
    task->slot = worker->actives_count;
    worker->actives[worker->actives_count++] = task;
}

static void list_remove(struct mr_core_task_state *task)
{
    struct mr_core_worker_state *worker = task->holder;
    struct mr_core_task_state *last = worker->actives[--worker->actives_count];
    worker->actives[task->slot] = last;
    last->slot = task->slot;
}

static bool is_held(const struct mr_core_task_state *task)
{
    return task->phase == MR_PHASE_ASSIGNED || task->phase == MR_PHASE_REVOKED;
}

/* What a leader has heard and begun starts afresh; what the records say stays. */
void mr_core_task_begin(struct mr_core *core, struct mr_core_task_state *task)
{
    struct mr_core_part *part = task->part;
    struct mr_core_task_state fresh = {.part = part,
                                       .partition = task->partition,
                                       .index = task->index,
                                       .recorded = task->recorded,
                                       .epoch = task->epoch,
                                       .holder = task->holder,
                                       .instance = task->instance,
                                       .since_ms = core->now_ms,
                                       .load_ms = core->now_ms};
    mr_memory_free(task->error);
    *task = fresh;
    if (task->holder == NULL)
        return;
    set_phase(core, task, MR_PHASE_ASSIGNED);
    list_add(task);
    if (!mr_core_task_wanted(task))
        mr_core_task_revoke(core, task);
}

void mr_core_task_revoke(struct mr_core *core, struct mr_core_task_state *task)
{
    if (task->phase != MR_PHASE_ASSIGNED)
        return;
    set_phase(core, task, MR_PHASE_REVOKED);
    mr_core_worker_touch(core, task->holder);
}

void mr_core_task_free(struct mr_core *core, struct mr_core_task_state *task)
{
    MR_ASSERT(is_held(task));
    list_remove(task);
    set_phase(core, task, MR_PHASE_FREE);
    task->before = task->holder;
    task->before_ms = core->now_ms;
    task->reported = false;
    task->retry_ms = 0;
    core->dirty = true;
    mr_core_worker_touch(core, task->holder);
}

static void begin_writing(struct mr_core *core, struct mr_core_task_state *task)
{
    if (is_held(task)) {
        list_remove(task);
        mr_core_worker_touch(core, task->holder);
    }
    set_phase(core, task, MR_PHASE_WRITING);
    task->block = MR_BLOCK_NOT;
    mr_core_write_task(core, task);
}

static uint64_t epoch_after(const struct mr_core_task_state *task)
{
    return (task->seen_epoch > task->epoch ? task->seen_epoch : task->epoch) + 1;
}

void mr_core_task_assign(struct mr_core *core, struct mr_core_task_state *task,
                         struct mr_core_worker_state *worker)
{
    MR_ASSERT(task->phase == MR_PHASE_FREE && mr_core_worker_usable(worker));
    task->next_epoch = epoch_after(task);
    task->next = worker;
    task->next_instance = worker->instance;
    worker->incoming_count++;
    begin_writing(core, task);
}

void mr_core_task_vacate(struct mr_core *core, struct mr_core_task_state *task)
{
    MR_ASSERT(task->phase == MR_PHASE_FREE);
    task->next_epoch = epoch_after(task);
    task->next = NULL;
    task->vacating = true;
    begin_writing(core, task);
}

void mr_core_task_adopt(struct mr_core *core, struct mr_core_task_state *task)
{
    MR_ASSERT(task->phase == MR_PHASE_FREE && task->holder != NULL);
    set_phase(core, task, MR_PHASE_ASSIGNED);
    list_add(task);
    task->block = MR_BLOCK_NOT;
    struct mr_core_copy *copy = mr_core_copy_find(task, task->holder);
    if (copy != NULL)
        mr_core_copy_remove(core, task, (uint32_t)(copy - task->copies));
    mr_core_worker_touch(core, task->holder);
}

/* A worker runs it at a higher epoch than any record says: the records follow. */
void mr_core_task_raise(struct mr_core *core, struct mr_core_task_state *task,
                        struct mr_core_worker_state *worker, uint64_t epoch)
{
    task->next_epoch = epoch;
    task->next = worker;
    task->next_instance = worker->instance;
    task->raising = true;
    worker->incoming_count++;
    worker->raising_count++;
    mr_core_news(core, "task-found", mr_core_task_topology(task)->name,
                 "Worker %s runs task %s at epoch %" PRIu64
                 ", which the control topic did not know: it stays there.",
                 worker->name, mr_core_task_text(core, task), epoch);
    begin_writing(core, task);
}

static void settle_owner(struct mr_core *core, struct mr_core_task_state *task)
{
    struct mr_core_worker_state *worker = task->holder;
    struct mr_core_copy *copy = mr_core_copy_find(task, worker);
    if (copy != NULL)
        mr_core_copy_remove(core, task, (uint32_t)(copy - task->copies));
    if (task->before == worker)
        task->before = NULL;
    if (task->target != NULL)
        mr_core_move_end(core, task);
    if (worker->gone || worker->instance != task->instance)
        mr_core_task_free(core, task);
    else if (!mr_core_task_wanted(task) || worker->leaving == MR_LEAVING_RESTART)
        mr_core_task_revoke(core, task);
}

void mr_core_task_written(struct mr_core *core, struct mr_core_task_state *task)
{
    struct mr_core_topology_state *topology = mr_core_task_topology(task);
    task->recorded = true;
    task->epoch = task->next_epoch;
    core->dirty = true;
    if (task->vacating) {
        task->vacating = false;
        task->holder = NULL;
        task->instance = 0;
        set_phase(core, task, MR_PHASE_FREE);
        return;
    }
    task->holder = task->next;
    task->instance = task->next_instance;
    task->next = NULL;
    task->holder->incoming_count--;
    task->holder->raising_count -= task->raising;
    task->raising = false;
    task->report_sequence = 0;
    task->reported = false;
    set_phase(core, task, MR_PHASE_ASSIGNED);
    list_add(task);
    mr_core_worker_touch(core, task->holder);
    mr_core_news(core, "task-assigned", topology == NULL ? "" : topology->name,
                 "Task %s is assigned to worker %s at epoch %" PRIu64 ".",
                 mr_core_task_text(core, task), task->holder->name, task->epoch);
    settle_owner(core, task);
}

void mr_core_worker_lost(struct mr_core *core, struct mr_core_worker_state *worker)
{
    while (worker->actives_count > 0)
        mr_core_task_free(core, worker->actives[worker->actives_count - 1]);
    for (uint32_t i = 0; i < worker->copies_count; i++)
        mr_core_copy_find(worker->copies[i], worker)->reported = false;
}

/* ---- Copies ---- */

struct mr_core_copy *mr_core_copy_find(struct mr_core_task_state *task,
                                       const struct mr_core_worker_state *worker)
{
    for (uint32_t i = 0; i < task->copies_count; i++)
        if (task->copies[i].worker == worker)
            return &task->copies[i];
    return NULL;
}

/* Returns: NULL when the task has as many as it can have. */
struct mr_core_copy *mr_core_copy_add(struct mr_core *core, struct mr_core_task_state *task,
                                      struct mr_core_worker_state *worker)
{
    if (task->copies_count == MR_CORE_COPIES_MAX)
        return NULL;
    worker->copies = mr_core_grow(worker->copies, worker->copies_count, &worker->copies_capacity,
                                  sizeof(struct mr_core_task_state *));
    struct mr_core_copy *copy = &task->copies[task->copies_count++];
    *copy = (struct mr_core_copy){
        .worker = worker, .slot = worker->copies_count, .since_ms = core->now_ms};
    worker->copies[worker->copies_count++] = task;
    mr_core_worker_touch(core, worker);
    return copy;
}

void mr_core_copy_remove(struct mr_core *core, struct mr_core_task_state *task, uint32_t index)
{
    struct mr_core_worker_state *worker = task->copies[index].worker;
    uint32_t slot = task->copies[index].slot;
    struct mr_core_task_state *last = worker->copies[--worker->copies_count];
    worker->copies[slot] = last;
    mr_core_copy_find(last, worker)->slot = slot;
    task->copies[index] = task->copies[--task->copies_count];
    mr_core_worker_touch(core, worker);
}

bool mr_core_copy_warm(const struct mr_core *core, const struct mr_core_copy *copy)
{
    return copy->reported && mr_core_worker_alive(copy->worker) &&
           copy->report.state == MR_TASK_STATE_FOLLOWING && copy->report.changelog_remaining >= 0 &&
           (uint64_t)copy->report.changelog_remaining <= core->options.warm_records_max;
}

/* ---- Moves ---- */

void mr_core_task_move(struct mr_core *core, struct mr_core_task_state *task,
                       struct mr_core_worker_state *target)
{
    MR_ASSERT(task->phase == MR_PHASE_ASSIGNED && target != task->holder);
    task->target = target;
    task->target_ms = core->now_ms;
    mr_core_news(core, "task-moves", mr_core_task_topology(task)->name,
                 "Task %s moves from worker %s to worker %s.", mr_core_task_text(core, task),
                 task->holder->name, target->name);
    struct mr_core_copy *copy = mr_core_copy_find(task, target);
    if (task->part->stateful && copy == NULL) {
        copy = mr_core_copy_add(core, task, target);
        if (copy != NULL)
            copy->warming = true;
    }
    if (copy == NULL || mr_core_copy_warm(core, copy))
        mr_core_task_revoke(core, task);
}

/* It has arrived, or it is given up. */
void mr_core_move_end(struct mr_core *core, struct mr_core_task_state *task)
{
    task->target = NULL;
    core->dirty = true;
    for (uint32_t i = task->copies_count; i-- > 0;)
        if (task->copies[i].warming)
            mr_core_copy_remove(core, task, i);
}

static void move_run(struct mr_core *core, struct mr_core_task_state *task)
{
    bool late = core->now_ms - task->target_ms > MR_CORE_WARM_MS;
    struct mr_core_copy *copy = mr_core_copy_find(task, task->target);
    if (!mr_core_worker_usable(task->target) || !mr_core_task_wanted(task)) {
        mr_core_move_end(core, task);
    } else if (task->phase == MR_PHASE_ASSIGNED) {
        bool drains = mr_core_worker_drains(task->holder);
        if (copy == NULL || mr_core_copy_warm(core, copy) || (late && drains))
            mr_core_task_revoke(core, task);
        else if (late)
            mr_core_move_end(core, task);
    }
}

void mr_core_moves_run(struct mr_core *core)
{
    for (uint32_t i = 0; i < core->tasks_count; i++)
        if (core->tasks[i]->target != NULL)
            move_run(core, core->tasks[i]);
}
