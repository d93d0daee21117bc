/* coordinator/core_plan.c — what each worker has to do once everything that is decided has
 * happened. Design: built anew from the tasks whenever something is to be placed: a pass over all
 * tasks, some hundred microseconds for twenty thousand. Loads count where a task will be; memory
 * counts there and where it still is, since both hold it during a move. Weights: the measured load,
 * smoothed, as a power of two that changes only when the load has left its surroundings; tasks of a
 * subtopology weigh the same unless one stands out by far. So noise changes no weight, and what
 * weighs the same is balanced by number. */
#include "coordinator/core_internal.h"

#include "base/memory.h"

/* ---- Weights ---- */

static uint64_t quantise(uint64_t load_us)
{
    uint64_t weight = MR_CORE_WEIGHT_MIN;
    while (weight < MR_CORE_WEIGHT_MAX && load_us * 2 > weight * 3) /* nearer to the next */
        weight *= 2;
    return weight;
}

static uint64_t requantise(uint64_t weight, uint64_t load_us)
{
    if (load_us * 8 > weight * 5 && load_us * 5 < weight * 8)
        return weight;
    return quantise(load_us);
}

uint64_t mr_core_task_weight(const struct mr_core_task_state *task)
{
    return task->weight != 0 ? task->weight : task->part->weight;
}

/* Half as much again or two thirds stand out; within a quarter it is one of many again. */
static void weigh_task(struct mr_core_task_state *task, uint64_t mean)
{
    uint64_t load = task->load_us;
    bool small = load < 4 * (uint64_t)MR_CORE_WEIGHT_MIN && mean < 4 * (uint64_t)MR_CORE_WEIGHT_MIN;
    bool near = load * 4 < mean * 5 && load * 5 > mean * 4;
    bool apart = load * 2 > mean * 3 || load * 3 < mean * 2;
    if (load == 0 || small || near)
        task->weight = 0;
    else if (task->weight != 0)
        task->weight = requantise(task->weight, load);
    else if (apart)
        task->weight = quantise(load);
}

static void weigh_part(struct mr_core_part *part)
{
    uint64_t sum = 0;
    uint64_t count = 0;
    for (uint32_t i = 0; i < part->tasks_count; i++)
        if (part->tasks[i] != NULL && part->tasks[i]->load_us != 0) {
            sum += part->tasks[i]->load_us;
            count++;
        }
    if (count == 0)
        return;
    uint64_t mean = sum / count;
    part->weight = requantise(part->weight, mean);
    for (uint32_t i = 0; i < part->tasks_count; i++) {
        struct mr_core_task_state *task = part->tasks[i];
        if (task == NULL)
            continue;
        weigh_task(task, mean);
    }
}

void mr_core_weigh(struct mr_core *core)
{
    for (uint32_t i = 0; i < core->generations_count; i++)
        for (uint32_t j = 0; j < core->generations[i]->parts_count; j++)
            weigh_part(core->generations[i]->parts[j]);
}

/* ---- Loads ---- */

void mr_core_plan_free(struct mr_core_plan *plan)
{
    mr_memory_free(plan->loads);
    mr_memory_free(plan->memory);
    mr_memory_free(plan->counts);
    mr_memory_free(plan->copies);
    mr_memory_free(plan->heap);
    mr_memory_free(plan->presence);
    *plan = (struct mr_core_plan){0};
}

static void clear(struct mr_core *core)
{
    struct mr_core_plan *plan = &core->plan;
    size_t workers = core->workers_count;
    size_t cells = workers * core->topologies_count;
    if (plan->loads == NULL || plan->workers_count != core->workers_count ||
        plan->topologies_count != core->topologies_count) {
        mr_core_plan_free(plan);
        plan->workers_count = core->workers_count;
        plan->topologies_count = core->topologies_count;
        plan->loads = mr_memory_new(workers + 1, sizeof *plan->loads);
        plan->memory = mr_memory_new(workers + 1, sizeof *plan->memory);
        plan->counts = mr_memory_new(workers + 1, sizeof *plan->counts);
        plan->copies = mr_memory_new(workers + 1, sizeof *plan->copies);
        plan->heap = mr_memory_new(workers + 1, sizeof *plan->heap);
        plan->presence = mr_memory_new(cells + 1, sizeof *plan->presence);
    } else {
        memset(plan->loads, 0, workers * sizeof *plan->loads);
        memset(plan->memory, 0, workers * sizeof *plan->memory);
        memset(plan->counts, 0, workers * sizeof *plan->counts);
        memset(plan->copies, 0, workers * sizeof *plan->copies);
        memset(plan->presence, 0, cells * sizeof *plan->presence);
    }
    plan->moves_count = 0;
    plan->unsettled_count = 0;
    plan->weight_least = UINT64_MAX;
    plan->heap_count = 0;
    for (uint32_t i = 0; i < core->workers_count; i++)
        core->workers[i]->index = i;
    for (uint32_t i = 0; i < core->topologies_count; i++)
        core->topologies[i]->index = i;
}

static uint16_t *cell(const struct mr_core *core, const struct mr_core_worker_state *worker,
                      const struct mr_core_topology_state *topology)
{
    return &core->plan
                .presence[(size_t)worker->index * core->plan.topologies_count + topology->index];
}

static void add_presence(struct mr_core *core, const struct mr_core_worker_state *worker,
                         const struct mr_core_topology_state *topology)
{
    uint16_t *presence = cell(core, worker, topology);
    if (*presence == 0 && topology->active != NULL)
        core->plan.memory[worker->index] += topology->active->record.memory_bytes;
    if (*presence < UINT16_MAX)
        ++*presence;
}

void mr_core_plan_add(struct mr_core *core, const struct mr_core_worker_state *worker,
                      const struct mr_core_task_state *task)
{
    core->plan.loads[worker->index] += mr_core_task_weight(task);
    core->plan.counts[worker->index]++;
    add_presence(core, worker, mr_core_task_topology(task));
}

void mr_core_plan_add_copy(struct mr_core *core, const struct mr_core_worker_state *worker,
                           const struct mr_core_task_state *task)
{
    core->plan.copies[worker->index]++;
    add_presence(core, worker, mr_core_task_topology(task));
}

static bool settled(const struct mr_core_task_state *task)
{
    if (task->phase != MR_PHASE_ASSIGNED)
        return task->block != MR_BLOCK_NOT;
    return task->reported && (task->report.state == MR_TASK_STATE_RUNNING ||
                              task->report.state == MR_TASK_STATE_FAILED);
}

static void add_task(struct mr_core *core, const struct mr_core_task_state *task)
{
    bool held = task->phase == MR_PHASE_ASSIGNED || task->phase == MR_PHASE_REVOKED;
    const struct mr_core_worker_state *place = held ? task->holder : task->next;
    if (task->phase != MR_PHASE_WRITING && task->target != NULL) {
        if (held)
            add_presence(core, task->holder, mr_core_task_topology(task));
        place = task->target;
    }
    core->plan.moves_count += task->target != NULL;
    if (place != NULL)
        mr_core_plan_add(core, place, task);
    if (mr_core_task_wanted(task)) {
        uint64_t weight = mr_core_task_weight(task);
        core->plan.weight_least =
            weight < core->plan.weight_least ? weight : core->plan.weight_least;
        core->plan.unsettled_count += !settled(task);
    }
    for (uint32_t i = 0; i < task->copies_count; i++)
        mr_core_plan_add_copy(core, task->copies[i].worker, task);
}

void mr_core_plan_build(struct mr_core *core)
{
    clear(core);
    for (uint32_t i = 0; i < core->tasks_count; i++)
        if (mr_core_task_topology(core->tasks[i]) != NULL)
            add_task(core, core->tasks[i]);
}

bool mr_core_plan_fits(const struct mr_core *core, const struct mr_core_worker_state *worker,
                       const struct mr_core_topology_state *topology)
{
    if (core->plan.counts[worker->index] + core->plan.copies[worker->index] >= MR_MESSAGE_TASKS_MAX)
        return false;
    return worker->memory_bytes == 0 || *cell(core, worker, topology) > 0 ||
           core->plan.memory[worker->index] + topology->active->record.memory_bytes <=
               worker->memory_bytes;
}

uint32_t mr_core_plan_presence(const struct mr_core *core,
                               const struct mr_core_worker_state *worker,
                               const struct mr_core_topology_state *topology)
{
    return *cell(core, worker, topology);
}

static int compare_u64(uint64_t left, uint64_t right)
{
    return left < right ? -1 : left > right;
}

int mr_core_plan_compare(const struct mr_core *core, uint32_t left, uint32_t right)
{
    const struct mr_core_plan *plan = &core->plan;
    int order = compare_u64(plan->loads[left] * core->workers[right]->threads_count,
                            plan->loads[right] * core->workers[left]->threads_count);
    if (order == 0)
        order = compare_u64(plan->counts[left], plan->counts[right]);
    return order;
}

/* ---- The least loaded worker ---- */

static bool before(const struct mr_core *core, uint32_t left, uint32_t right)
{
    const struct mr_core_plan *plan = &core->plan;
    int order = 0;
    if (plan->heap_by_copies)
        order = compare_u64(plan->copies[left], plan->copies[right]);
    if (order == 0)
        order = mr_core_plan_compare(core, left, right);
    return order < 0 || (order == 0 && left < right);
}

static void sift_down(struct mr_core *core, uint32_t place)
{
    struct mr_core_plan *plan = &core->plan;
    for (;;) {
        uint32_t least = place;
        for (uint32_t child = 2 * place + 1; child <= 2 * place + 2; child++)
            if (child < plan->heap_count && before(core, plan->heap[child], plan->heap[least]))
                least = child;
        if (least == place)
            return;
        uint32_t index = plan->heap[place];
        plan->heap[place] = plan->heap[least];
        plan->heap[least] = index;
        place = least;
    }
}

void mr_core_heap_fill(struct mr_core *core, bool by_copies)
{
    struct mr_core_plan *plan = &core->plan;
    plan->heap_by_copies = by_copies;
    plan->heap_stale = false;
    plan->heap_count = 0;
    for (uint32_t i = 0; i < core->workers_count; i++)
        if (mr_core_worker_usable(core->workers[i]))
            plan->heap[plan->heap_count++] = i;
    for (uint32_t i = plan->heap_count / 2; i-- > 0;)
        sift_down(core, i);
}

struct mr_core_worker_state *mr_core_heap_take(struct mr_core *core)
{
    struct mr_core_plan *plan = &core->plan;
    if (plan->heap_count == 0)
        return NULL;
    uint32_t index = plan->heap[0];
    plan->heap[0] = plan->heap[--plan->heap_count];
    sift_down(core, 0);
    return core->workers[index];
}

void mr_core_heap_put(struct mr_core *core, const struct mr_core_worker_state *worker)
{
    struct mr_core_plan *plan = &core->plan;
    uint32_t place = plan->heap_count++;
    plan->heap[place] = worker->index;
    while (place > 0) {
        uint32_t parent = (place - 1) / 2;
        if (!before(core, plan->heap[place], plan->heap[parent]))
            return;
        uint32_t index = plan->heap[place];
        plan->heap[place] = plan->heap[parent];
        plan->heap[parent] = index;
        place = parent;
    }
}
