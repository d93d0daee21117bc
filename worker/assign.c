/* worker/assign.c — the controlling thread's wishes for tasks: which thread gets one, what it
 * should be, and what is told of it. */
#include "worker/internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"

static void wish(struct mr_task *task, enum mr_task_wish wanted)
{
    atomic_store(&task->shared.wish, (int)wanted);
    atomic_fetch_add(&task->lane->wishes, 1);
}

static struct mr_lane *lane_on(const struct mr_running *running, uint32_t thread_index)
{
    for (uint32_t index = 0; index < running->lanes_count; index++)
        if (running->lanes[index]->thread_index == thread_index)
            return running->lanes[index];
    return NULL;
}

/* Tasks of one topology spread over the threads; among equals the thread with the fewest in all. */
static uint32_t choose_thread(const struct mr_running *running)
{
    const struct mr_worker *worker = running->worker;
    uint32_t chosen = 0;
    uint64_t lowest = UINT64_MAX;
    for (uint32_t index = 0; index < worker->open.threads_count; index++) {
        uint64_t own = 0;
        for (uint32_t task = 0; task < running->tasks_count; task++)
            own += running->tasks[task]->lane->thread_index == index ? 1 : 0;
        uint64_t cost = own << 32 | worker->threads[index].tasks_count;
        if (cost < lowest) {
            lowest = cost;
            chosen = index;
        }
    }
    return chosen;
}

static enum mr_status lane_for(struct mr_running *running, uint32_t thread_index,
                               struct mr_lane **lane, struct mr_error *error)
{
    *lane = lane_on(running, thread_index);
    if (*lane != NULL)
        return MR_OK;
    struct mr_lane *created = mr_lane_create(running->worker, running, thread_index);
    running->lanes =
        mr_memory_resize(running->lanes, (running->lanes_count + 1) * sizeof(*running->lanes));
    running->lanes[running->lanes_count++] = created;
    *lane = created;
    enum mr_status status = mr_lane_start(created, error);
    if (status != MR_OK) {
        running->lanes_count--;
        mr_lane_dispose(created);
        mr_memory_free(created);
        return status;
    }
    status = mr_ring_push(running->worker->threads[thread_index].arrivals, created, 0);
    MR_ASSERT(status == MR_OK); /* one per topology and thread; the ring holds as many */
    return MR_OK;
}

/* On the embedded broker a topic that has a reader keeps its records until they are read: every
 * reader is known before anything runs. */
static enum mr_status register_readers(const struct mr_task *task, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < task->inputs_count && status == MR_OK; index++) {
        const struct mr_task_input *input = &task->inputs[index];
        if (input->repartition)
            continue;
        /* A table for every task: the first must not let go of what the others have yet to read. */
        int32_t first = input->broadcast ? 0 : task->partition;
        int32_t last = input->broadcast ? task->partitions_count - 1 : task->partition;
        for (int32_t reader = first; reader <= last && status == MR_OK; reader++)
            status = mr_lane_tell_passed(task->lane, reader, input, 0, error);
    }
    return status;
}

/* Tags have room for so many inputs of one lane; only tables that every task reads come near. */
static enum mr_status check_room(const struct mr_running *running, const struct mr_task *task,
                                 struct mr_error *error)
{
    uint32_t count = task->inputs_count;
    for (uint32_t index = 0; index < running->tasks_count; index++)
        if (running->tasks[index]->lane == task->lane)
            count += running->tasks[index]->inputs_count;
    if (count < MR_LANE_INPUTS_MAX)
        return MR_OK;
    return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                   "The tasks of a thread read fewer than %d partitions together, those of a table "
                   "that every task reads counted for each; start more workers or threads.",
                   MR_LANE_INPUTS_MAX);
}

/* The claims topic is the cluster's: the same for every topology. */
static void set_claimer(struct mr_worker *worker, const struct mr_deployment *deployment)
{
    if (worker->claimer.log != NULL)
        return;
    worker->claims_topic = mr_memory_copy_text(deployment->claims.name);
    worker->cluster = mr_memory_copy_text(deployment->cluster);
    worker->claimer =
        (struct mr_claimer){.log = worker->open.log,
                            .cluster = worker->cluster,
                            .worker = worker->open.name,
                            .claims_topic = worker->claims_topic,
                            .claims_partitions_count = deployment->claims.partitions_count,
                            .wait_ms = MR_LOG_WAIT_MS,
                            .fenced = &worker->fenced};
}

enum mr_status mr_worker_assign(struct mr_running *running, uint32_t subtopology, int32_t partition,
                                uint64_t epoch, struct mr_task **task, struct mr_error *error)
{
    struct mr_worker *worker = running->worker;
    struct mr_lane *lane;
    if (worker->tasks_count >= MR_WORKER_TASKS_MAX || running->tasks_count >= MR_LANE_TASKS_MAX)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "A worker has at most %d tasks, %d of one topology; start more workers.",
                       MR_WORKER_TASKS_MAX, MR_LANE_TASKS_MAX);
    set_claimer(worker, running->deployment);
    uint32_t thread_index = choose_thread(running);
    enum mr_status status = lane_for(running, thread_index, &lane, error);
    if (status != MR_OK)
        return status;
    struct mr_task *made = mr_lane_make_task(lane, subtopology, partition);
    status = check_room(running, made, error);
    if (status == MR_OK)
        status = register_readers(made, error);
    if (status != MR_OK) {
        mr_task_destroy(made);
        return status;
    }
    atomic_store(&made->shared.wanted_epoch, epoch);
    atomic_store(&made->shared.epoch, epoch);
    running->tasks =
        mr_memory_resize(running->tasks, (running->tasks_count + 1) * sizeof(*running->tasks));
    running->tasks[running->tasks_count++] = made;
    worker->threads[thread_index].tasks_count++;
    atomic_fetch_add(&worker->tasks_count, 1);
    status = mr_ring_push(lane->arrivals, made, 0);
    MR_ASSERT(status == MR_OK); /* as many as a topology may have */
    wish(made, MR_WISH_RUN);
    *task = made;
    return MR_OK;
}

enum mr_status mr_worker_assign_all(struct mr_running *running, struct mr_error *error)
{
    const struct mr_deployment *deployment = running->deployment;
    struct mr_task *task;
    for (uint32_t index = 0; index < deployment->plan->subtopologies_count; index++)
        for (int32_t partition = 0; partition < deployment->subtopologies[index].tasks_count;
             partition++) {
            enum mr_status status = mr_worker_assign(running, index, partition, 0, &task, error);
            if (status != MR_OK)
                return status;
        }
    return MR_OK;
}

void mr_worker_reassign(struct mr_task *task, uint64_t epoch)
{
    atomic_store(&task->shared.wanted_epoch, epoch);
    wish(task, MR_WISH_RUN);
}

void mr_worker_revoke(struct mr_task *task)
{
    if (mr_task_wish(task) == MR_WISH_RUN)
        wish(task, MR_WISH_RELEASE);
}

bool mr_worker_forget(struct mr_task *task)
{
    struct mr_running *running = task->lane->running;
    if (mr_task_wish(task) != MR_WISH_FORGET)
        wish(task, MR_WISH_FORGET);
    if (!atomic_load(&task->shared.gone))
        return false;
    uint32_t index = 0;
    while (running->tasks[index] != task)
        index++;
    running->tasks[index] = running->tasks[--running->tasks_count];
    running->worker->threads[task->lane->thread_index].tasks_count--;
    atomic_fetch_sub(&running->worker->tasks_count, 1);
    mr_task_destroy(task);
    return true;
}

void mr_worker_task_report(struct mr_task *task, char *text, struct mr_task_report *report)
{
    struct mr_task_shared *shared = &task->shared;
    const struct mr_deployment *deployment = task->lane->deployment;
    uint64_t commit_ms = atomic_load(&shared->commit_ms);
    uint64_t now_ms = mr_clock_monotonic_ms();
    *report = (struct mr_task_report){
        .name = {.generation = deployment->generation,
                 .subtopology = deployment->plan->subtopologies[task->subtopology].name,
                 .partition = task->partition},
        .role = MR_TASK_ROLE_ACTIVE,
        .state = (enum mr_task_state)atomic_load(&shared->state),
        .epoch = atomic_load(&shared->epoch),
        .seen_epoch = atomic_load(&shared->seen_epoch),
        .restored_records = atomic_load(&shared->restored_records),
        .restored_bytes = atomic_load(&shared->restored_bytes),
        .changelog_remaining = atomic_load(&shared->changelog_remaining),
        .lag = atomic_load(&shared->lag),
        .load_us = atomic_load(&shared->load_us),
        .input_records = atomic_load(&shared->input_records),
        .output_records = atomic_load(&shared->output_records),
        .idle_ms = commit_ms == 0 ? -1 : (int64_t)(now_ms - commit_ms),
        .watermark_ms = atomic_load(&shared->watermark_ms),
        .held_by = atomic_load(&shared->held_by),
        .held_by_index = atomic_load(&shared->held_by_index),
        .held_by_partition = atomic_load(&shared->held_by_partition),
        .error = ""};
    if (report->held_by != MR_HOLDER_NONE)
        report->held_ms = (int64_t)(now_ms - atomic_load(&shared->held_since_ms));
    if (report->state != MR_TASK_STATE_FAILED && report->state != MR_TASK_STATE_FENCED)
        return;
    (void)pthread_mutex_lock(&shared->mutex);
    memcpy(text, shared->error, MR_ERROR_MESSAGE_SIZE);
    (void)pthread_mutex_unlock(&shared->mutex);
    report->error = text;
}
