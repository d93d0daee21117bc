/* worker/lane_tasks.c — the life of a lane's tasks: wishes heeded, preparations and releases
 * answered.
 * Design: level-triggered. A step looks at what is wanted of each task and at the phase that it is
 * in, and takes the one step that leads from here to there; nothing is queued, so a wish that
 * changes twice before it is heeded costs nothing.
 * Release (docs/EXACTLY_ONCE.md): a task is read no more, then the pipeline runs until no
 * transaction, open or committing, holds a record of it; only then a keeper writes `released`. */
#include "worker/internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/memory.h"

#include <stdio.h>

enum {
    RETRY_MS_FIRST = 200,
    RETRY_MS_MAX = 5000,
    REFUSALS_MAX = 3 /* preparations that are refused for the data's sake */
};

static enum mr_task_wish wish_of(const struct mr_lane *lane, const struct mr_task *task)
{
    enum mr_task_wish wish = mr_task_wish(task);
    return wish == MR_WISH_RUN && atomic_load(&lane->stop_wanted) ? MR_WISH_RELEASE : wish;
}

static void count_running(struct mr_lane *lane)
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < lane->tasks_count; index++)
        count += lane->tasks[index]->phase == MR_TASK_RUNNING ? 1 : 0;
    atomic_store(&lane->tasks_running, count);
    mr_metric_set(lane->lane_series.tasks_running, (double)count);
}

/* ---- Inputs ---- */

static void remove_inputs(struct mr_lane *lane, struct mr_task *task)
{
    struct mr_error error;
    for (uint32_t index = 0; index < task->inputs_count; index++)
        if (mr_lane_remove_input(lane, &task->inputs[index], &error) != MR_OK)
            mr_lane_fail(lane, NULL, &error); /* others read it, too, and cannot go on */
}

static uint32_t free_slot(struct mr_lane *lane)
{
    for (uint32_t slot = 0; slot < lane->slots_count; slot++)
        if (lane->slots[slot].input == NULL)
            return slot;
    lane->slots = mr_memory_resize(lane->slots, (lane->slots_count + 1) * sizeof(*lane->slots));
    lane->slots[lane->slots_count] = (struct mr_lane_slot){0};
    return lane->slots_count++;
}

static void take_in(struct mr_lane *lane, struct mr_task *task)
{
    lane->tasks = mr_memory_resize(lane->tasks, (lane->tasks_count + 1) * sizeof(*lane->tasks));
    lane->tasks[lane->tasks_count++] = task;
    for (uint32_t index = 0; index < task->inputs_count; index++) {
        uint32_t slot = free_slot(lane);
        task->inputs[index].tag = lane->slots[slot].turn << MR_LANE_SLOT_BITS | slot;
        lane->slots[slot].input = &task->inputs[index];
        lane->slots[slot].task = task;
    }
}

/* The last that the lane has to do with the task: the controlling thread frees it. */
static void let_go(struct mr_lane *lane, uint32_t index)
{
    struct mr_task *task = lane->tasks[index];
    for (uint32_t input = 0; input < task->inputs_count; input++) {
        struct mr_lane_slot *slot =
            &lane->slots[task->inputs[input].tag & (MR_LANE_INPUTS_MAX - 1)];
        slot->input = NULL;
        slot->task = NULL;
        slot->turn++;
    }
    lane->tasks[index] = lane->tasks[--lane->tasks_count];
    atomic_store(&task->shared.gone, true);
}

static void take_arrivals(struct mr_lane *lane)
{
    void *item;
    while (mr_ring_pop(lane->arrivals, &item, 0) == MR_OK)
        take_in(lane, item);
}

/* ---- Wishes ---- */

static void prepare(struct mr_lane *lane, struct mr_task *task)
{
    struct mr_keeper_job *job = mr_lane_new_job(lane, MR_KEEPER_PREPARE);
    uint64_t wanted = atomic_load(&task->shared.wanted_epoch);
    if (wanted != task->assigned_epoch) {
        task->assigned_epoch = wanted;
        task->epoch = wanted;
    }
    job->task = task;
    mr_task_enter(task, MR_TASK_PREPARING);
    mr_lane_send_job(lane, job);
}

static void release(struct mr_lane *lane, struct mr_task *task)
{
    struct mr_keeper_job *job = mr_lane_new_job(lane, MR_KEEPER_RELEASE);
    mr_task_close(task);
    job->task = task;
    mr_task_enter(task, MR_TASK_RELEASING);
    mr_lane_send_job(lane, job);
}

static bool is_committing(const struct mr_lane *lane, const struct mr_task *task)
{
    for (uint32_t index = 0; lane->committing != NULL && index < lane->committing->seals_count;
         index++)
        if (lane->committing->seals[index].task == task)
            return true;
    return false;
}

static void heed_waiting(struct mr_lane *lane, struct mr_task *task, enum mr_task_wish wish)
{
    if (wish != MR_WISH_RUN)
        mr_task_enter(task, MR_TASK_RELEASED);
    else if (lane->phase == MR_LANE_RUNNING && mr_clock_monotonic_ms() >= task->retry_ms)
        prepare(lane, task);
}

static void heed_running(struct mr_lane *lane, struct mr_task *task, enum mr_task_wish wish)
{
    if (wish == MR_WISH_RUN && atomic_load(&task->shared.wanted_epoch) == task->assigned_epoch)
        return;
    remove_inputs(lane, task);
    mr_task_enter(task, MR_TASK_DRAINING);
    count_running(lane);
}

static void heed_draining(struct mr_lane *lane, struct mr_task *task)
{
    if (MR_GUARD(DRAIN_BEFORE_RELEASE) &&
        (lane->phase != MR_LANE_RUNNING || task->touched || is_committing(lane, task)))
        return;
    release(lane, task);
}

/* What rests starts again at another epoch only, or, released, by a wish that came back. */
static void heed_resting(struct mr_task *task, enum mr_task_wish wish)
{
    uint64_t wanted = atomic_load(&task->shared.wanted_epoch);
    if (wish == MR_WISH_RUN &&
        (wanted != task->assigned_epoch || task->phase == MR_TASK_RELEASED)) {
        task->retry_ms = 0;
        task->failures_count = 0;
        mr_task_enter(task, MR_TASK_WAITING);
    } else if (wish != MR_WISH_RUN && task->phase != MR_TASK_RELEASED) {
        mr_task_enter(task, MR_TASK_RELEASED);
    }
}

static void heed(struct mr_lane *lane, struct mr_task *task)
{
    enum mr_task_wish wish = wish_of(lane, task);
    switch (task->phase) {
    case MR_TASK_WAITING:
        heed_waiting(lane, task, wish);
        break;
    case MR_TASK_RUNNING:
        heed_running(lane, task, wish);
        break;
    case MR_TASK_DRAINING:
        heed_draining(lane, task);
        break;
    case MR_TASK_RELEASED:
    case MR_TASK_FENCED:
    case MR_TASK_FAILED:
        heed_resting(task, wish);
        break;
    case MR_TASK_PREPARING: /* the keeper looks at the wish, too */
    case MR_TASK_RELEASING:
        break;
    }
}

/* Is nothing to be done for the task before a new wish comes? By its phase and not by the count of
 * wishes alone: a wish that came while a keeper had the task was only noted. */
static bool is_settled_task(const struct mr_lane *lane, const struct mr_task *task)
{
    enum mr_task_wish wish = wish_of(lane, task);
    bool newest = atomic_load(&task->shared.wanted_epoch) == task->assigned_epoch;
    if (task->phase == MR_TASK_WAITING || task->phase == MR_TASK_DRAINING)
        return false;
    if (task->phase == MR_TASK_RUNNING)
        return wish == MR_WISH_RUN && newest;
    if (!mr_task_rests(task))
        return true;
    if (wish == MR_WISH_RUN)
        return task->phase != MR_TASK_RELEASED && newest;
    return wish == MR_WISH_RELEASE && task->phase == MR_TASK_RELEASED;
}

static bool is_settled(const struct mr_lane *lane)
{
    for (uint32_t index = 0; index < lane->tasks_count; index++)
        if (!is_settled_task(lane, lane->tasks[index]))
            return false;
    return true;
}

void mr_lane_heed_wishes(struct mr_lane *lane)
{
    uint32_t wishes = atomic_load(&lane->wishes);
    bool stopping = atomic_load(&lane->stop_wanted);
    if (wishes == lane->wishes_seen && !stopping && is_settled(lane))
        return;
    lane->wishes_seen = wishes;
    take_arrivals(lane);
    uint32_t index = 0;
    while (index < lane->tasks_count) {
        struct mr_task *task = lane->tasks[index];
        heed(lane, task);
        if (mr_task_wish(task) == MR_WISH_FORGET && task->phase == MR_TASK_RELEASED)
            let_go(lane, index);
        else
            index++;
    }
}

/* ---- Preparations ---- */

static void back_off(struct mr_task *task)
{
    uint64_t pause_ms = RETRY_MS_FIRST;
    for (uint32_t count = 1; count < task->failures_count && pause_ms < RETRY_MS_MAX; count++)
        pause_ms *= 2;
    task->retry_ms = mr_clock_monotonic_ms() + pause_ms;
    mr_task_enter(task, MR_TASK_WAITING);
}

static void preparation_failed(struct mr_lane *lane, struct mr_task *task)
{
    const struct mr_error *error = &task->error;
    bool assigned = lane->worker->open.assigned;
    bool refused = error->status == MR_INVALID || error->status == MR_LIMIT;
    if (task->status == MR_CLOSED) {
        mr_task_enter(task, MR_TASK_WAITING); /* given up: the next look at its wish says */
        return;
    }
    task->failures_count++;
    if (assigned && error->status == MR_FENCED) {
        mr_metric_add(lane->lane_series.fences, 1);
        mr_task_enter_error(task, MR_TASK_FENCED, error);
    } else if (error->recovery == MR_RECOVERY_FAIL_TOPOLOGY ||
               error->recovery == MR_RECOVERY_EXIT || error->recovery == MR_RECOVERY_NONE ||
               (refused && task->failures_count >= REFUSALS_MAX)) {
        if (assigned)
            mr_task_enter_error(task, MR_TASK_FAILED, error);
        else
            mr_lane_fail(lane, task, error);
    } else {
        MR_LOG_AT(MR_LOG_WARNING, "worker",
                  MR_LOG_FIELDS("topology", lane->deployment->plan->name, "recovery",
                                mr_recovery_name(error->recovery)),
                  "a task was not prepared and is tried again: %s", error->message);
        back_off(task);
    }
}

static void begin_task(struct mr_lane *lane, struct mr_task *task)
{
    struct mr_error error;
    task->failures_count = 0;
    mr_task_enter(task, MR_TASK_RUNNING);
    count_running(lane);
    mr_metric_add(lane->lane_series.claims, 1);
    mr_metric_add(lane->lane_series.restore_records, task->statistics.restored_records);
    mr_metric_observe(lane->lane_series.restore_duration, task->statistics.restore_ms * 1000);
    for (uint32_t index = 0; index < task->inputs_count; index++)
        if (mr_lane_add_input(lane, &task->inputs[index], &error) != MR_OK) {
            mr_lane_fail(lane, task, &error);
            return;
        }
    if (task->unsaved) { /* a crash before the first record must not move the start */
        task->touched = true;
        if (lane->open->opened_ns == 0)
            lane->open->opened_ns = mr_clock_monotonic_ns();
    }
}

void mr_lane_task_prepared(struct mr_lane *lane, struct mr_task *task)
{
    if (task->status != MR_OK && lane->phase == MR_LANE_RUNNING) {
        preparation_failed(lane, task);
    } else if (task->status != MR_OK || lane->phase != MR_LANE_RUNNING) {
        mr_task_close(task); /* the incarnation has failed meanwhile */
        mr_task_enter(task, MR_TASK_WAITING);
    } else if (wish_of(lane, task) != MR_WISH_RUN) {
        release(lane, task); /* it is claimed */
    } else {
        begin_task(lane, task);
    }
}

void mr_lane_task_released(struct mr_lane *lane, struct mr_task *task, enum mr_status status)
{
    if (status != MR_OK)
        MR_LOG_AT(MR_LOG_WARNING, "worker", MR_LOG_FIELDS("topology", lane->deployment->plan->name),
                  "not released, the next owner fences: %s", task->error.message);
    mr_task_enter(task, MR_TASK_RELEASED);
}

/* The incarnation has ended, or the lane stops: whatever a task was doing, it is not any more. */
void mr_lane_close_tasks(struct mr_lane *lane)
{
    mr_lane_drop_fetch(lane);
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *task = lane->tasks[index];
        remove_inputs(lane, task);
        mr_task_close(task);
        if (task->condemned) {
            task->condemned = false;
            mr_task_enter_error(task, MR_TASK_FAILED, &lane->condemnation);
        } else if (wish_of(lane, task) != MR_WISH_RUN) {
            mr_task_enter(task, MR_TASK_RELEASED); /* not in the log: the next owner fences */
        } else if (!mr_task_rests(task)) {
            mr_task_enter(task, MR_TASK_WAITING);
        }
    }
    count_running(lane);
}

bool mr_lane_wants_incarnation(const struct mr_lane *lane)
{
    for (uint32_t index = 0; index < lane->tasks_count; index++)
        if (lane->tasks[index]->phase == MR_TASK_WAITING &&
            wish_of(lane, lane->tasks[index]) == MR_WISH_RUN)
            return true;
    return false;
}

bool mr_lane_rests(const struct mr_lane *lane)
{
    for (uint32_t index = 0; index < lane->tasks_count; index++)
        if (!mr_task_rests(lane->tasks[index]))
            return false;
    return lane->committing == NULL && mr_transaction_empty(lane->open);
}

/* ---- Measures ---- */

static void measure_task(struct mr_task *task, uint64_t now_ms)
{
    struct mr_state_statistics statistics;
    uint64_t busy_ns = atomic_load_explicit(&task->shared.busy_ns, memory_order_relaxed);
    uint64_t elapsed_ms = now_ms - task->load_since_ms;
    if (elapsed_ms > 0)
        atomic_store(&task->shared.load_us, (busy_ns - task->load_busy_ns) / elapsed_ms);
    task->load_since_ms = now_ms;
    task->load_busy_ns = busy_ns;
    if (task->state == NULL)
        return;
    mr_state_statistics(task->state, &statistics);
    mr_metric_set(task->series.bytes, (double)statistics.store.disk_bytes);
    mr_metric_set(task->series.keys, (double)statistics.store.keys_estimate);
    mr_metric_add(task->series.cache_hits,
                  statistics.cache_hits - mr_metric_count(task->series.cache_hits));
    mr_metric_add(task->series.cache_misses,
                  statistics.cache_misses - mr_metric_count(task->series.cache_misses));
}

/* Each task's lag: that of its inputs; not known while one of them is not. */
static void add_lags(struct mr_lane *lane, const struct mr_keeper_job *job)
{
    int64_t total = 0;
    struct mr_task_input *input;
    struct mr_task *task;
    for (uint32_t index = 0; index < lane->tasks_count; index++)
        lane->tasks[index]->lag = 0;
    for (uint32_t index = 0; index < job->offsets_count; index++) {
        if (!mr_lane_find_input(lane, job->offsets[index].tag, &input, &task))
            continue;
        int64_t behind = job->ends[index] - mr_task_input_position(input);
        behind = behind > 0 ? behind : 0;
        bool known = job->ends[index] >= 0;
        if (known)
            mr_metric_set(input->series.lag, (double)behind);
        task->lag = known && task->lag >= 0 ? task->lag + behind : -1;
    }
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *counted = lane->tasks[index];
        if (counted->phase != MR_TASK_RUNNING)
            continue;
        atomic_store(&counted->shared.lag, counted->lag);
        total = total >= 0 && counted->lag >= 0 ? total + counted->lag : -1;
    }
    if (total >= 0)
        atomic_store(&lane->lag, total);
}

/* States of tasks that have nothing to commit. Pre: the committer is idle. */
static void rest_states(struct mr_lane *lane)
{
    struct mr_error error;
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *task = lane->tasks[index];
        if (task->phase != MR_TASK_RUNNING || task->state == NULL ||
            mr_state_rest(task->state, mr_clock_wall_ms(), &error) == MR_OK)
            continue;
        mr_lane_note_damage(task, &error);
        mr_lane_fail(lane, task, &error);
        return;
    }
}

void mr_lane_add_series(struct mr_lane *lane, const struct mr_keeper_job *job)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    lane->housekeeping = false;
    add_lags(lane, job);
    for (uint32_t index = 0; index < lane->tasks_count; index++)
        if (lane->tasks[index]->phase == MR_TASK_RUNNING)
            measure_task(lane->tasks[index], now_ms);
    if (lane->phase == MR_LANE_RUNNING && lane->committing == NULL)
        rest_states(lane);
}
