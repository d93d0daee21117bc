/* worker/lane.c — the lane's loop on its task thread: a step machine over its phases.
 * Design: a step never waits for the log but in a bounded poll; what must wait is a keeper's or
 * the committer's. Every failure ends in one place, mr_lane_fail; everything in memory is then
 * dropped together, tasks are closed and the arenas of transactions are reused only after both
 * producers are destroyed. */
#include "worker/internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    BACK_OFF_MS_FIRST = 200,
    BACK_OFF_MS_MAX = 5000,
    POISON_FAILURES = 3 /* records are refused this often: what they belong to stops */
};

/* ---- Keeper jobs ---- */

struct mr_keeper_job *mr_lane_new_job(struct mr_lane *lane, enum mr_keeper_job_kind kind)
{
    struct mr_keeper_job *job = mr_memory_new(1, sizeof(*job));
    job->kind = kind;
    job->lane = lane;
    job->incarnation = lane->incarnation;
    return job;
}

void mr_lane_send_job(struct mr_lane *lane, struct mr_keeper_job *job)
{
    enum mr_status status = mr_ring_push(lane->worker->jobs, job, -1);
    MR_ASSERT(status == MR_OK); /* keepers end after the task threads */
    lane->jobs_count++;
}

static void free_job(struct mr_keeper_job *job)
{
    mr_memory_free(job->offsets);
    mr_memory_free(job->ends);
    mr_memory_free(job->repartitions);
    mr_memory_free(job);
}

static void begin_incarnation(struct mr_lane *lane)
{
    lane->incarnation = mr_random_fresh_id();
    lane->phase = MR_LANE_STARTING;
    lane->fenced = false;
    atomic_store(&lane->abandoned, false);
    atomic_fetch_add(&lane->incarnations_count, 1);
    mr_lane_send_job(lane, mr_lane_new_job(lane, MR_KEEPER_START));
}

/* ---- Failure ---- */

/* Something in the records themselves is refused: it will be refused again. */
static bool is_refusal(const struct mr_error *error)
{
    return error->status == MR_INVALID || error->status == MR_LIMIT;
}

static bool recovers(const struct mr_lane *lane, const struct mr_error *error)
{
    if (lane->worker->open.assigned && error->status == MR_FENCED)
        return true; /* it asks */
    if (error->recovery == MR_RECOVERY_FAIL_TOPOLOGY || error->recovery == MR_RECOVERY_EXIT ||
        error->recovery == MR_RECOVERY_NONE)
        return false;
    return !is_refusal(error) || lane->refusals_count < POISON_FAILURES;
}

/* Where a coordinator assigns, what cannot go on stops alone: the culprit, or all that shared the
 * refused transaction. */
static void fail_tasks(struct mr_lane *lane, struct mr_task *culprit, const struct mr_error *error)
{
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *task = lane->tasks[index];
        if (task == culprit || (culprit == NULL && !mr_task_rests(task)))
            task->condemned = true;
    }
    lane->condemnation = *error;
    lane->refusals_count = 0;
}

void mr_lane_note_damage(struct mr_task *task, const struct mr_error *error)
{
    if (error->recovery == MR_RECOVERY_RESTORE)
        task->state_damaged = true;
}

void mr_lane_fail(struct mr_lane *lane, struct mr_task *culprit, const struct mr_error *error)
{
    if (lane->phase == MR_LANE_FAILING || lane->phase == MR_LANE_RETIRING)
        return;
    bool assigned = lane->worker->open.assigned;
    lane->failures_count++;
    if (is_refusal(error)) {
        lane->refusals_count++;
        lane->calm_commits = 0;
    }
    mr_metric_add(lane->lane_series.transaction_failures, 1);
    if (error->status == MR_FENCED)
        mr_metric_add(lane->lane_series.fences, 1);
    bool recovering = recovers(lane, error);
    bool stopping = atomic_load(&lane->stop_wanted);
    lane->fenced = assigned && error->status == MR_FENCED;
    lane->final = stopping || (!recovering && !assigned) || atomic_load(&lane->running->failed);
    MR_LOG_AT(recovering ? MR_LOG_WARNING : MR_LOG_ERROR, "worker",
              MR_LOG_FIELDS("topology", lane->deployment->plan->name, "recovery",
                            mr_recovery_name(error->recovery)),
              "%s: %s",
              lane->final       ? "the lane stops"
              : recovering      ? "a new incarnation is needed"
              : culprit != NULL ? "a task stops"
                                : "the tasks of a thread stop",
              error->message);
    if (!recovering && assigned)
        fail_tasks(lane, culprit, error);
    else if (!recovering)
        mr_running_fail(lane->running, error);
    atomic_store(&lane->abandoned, true);
    lane->phase = MR_LANE_FAILING;
}

static void retire_producers(struct mr_lane *lane)
{
    struct mr_keeper_job *job = mr_lane_new_job(lane, MR_KEEPER_RETIRE);
    memcpy(job->producers, lane->producers, sizeof(job->producers));
    memset(lane->producers, 0, sizeof(lane->producers));
    lane->phase = MR_LANE_RETIRING;
    mr_lane_send_job(lane, job);
}

/* A topology that has failed reads no more; others must not wait for it. */
static void forget_readers(struct mr_lane *lane)
{
    struct mr_error error;
    if (!atomic_load(&lane->running->failed))
        return;
    for (uint32_t slot = 0; slot < lane->slots_count; slot++) {
        const struct mr_task_input *input = lane->slots[slot].input;
        if (input != NULL && !input->repartition &&
            mr_lane_tell_passed(lane, lane->slots[slot].task->partition, input, -1, &error) !=
                MR_OK)
            MR_LOG_AT(MR_LOG_WARNING, "worker", MR_LOG_FIELDS("topic", input->topic),
                      "the broker was not told that a reader has gone: %s", error.message);
    }
}

static void back_off(struct mr_lane *lane)
{
    uint64_t back_off_ms = BACK_OFF_MS_FIRST;
    for (uint32_t count = 1; count < lane->failures_count && back_off_ms < BACK_OFF_MS_MAX; count++)
        back_off_ms *= 2;
    lane->back_off_until_ms =
        mr_clock_monotonic_ms() + (lane->failures_count == 0 ? 0 : back_off_ms);
    lane->phase = MR_LANE_BACKING_OFF;
}

static void drop_all(struct mr_lane *lane)
{
    mr_lane_close_tasks(lane);
    mr_transaction_reset(lane->open);
    mr_transaction_reset(lane->spare);
}

/* Both producers are gone: nothing refers to the arenas any more, nor to the overlays of states,
 * whose bytes went to the changelogs without a copy. */
static void retired(struct mr_lane *lane)
{
    drop_all(lane);
    if (lane->final || atomic_load(&lane->stop_wanted)) {
        forget_readers(lane);
        lane->phase = MR_LANE_STOPPED;
    } else if (lane->fenced) {
        lane->question = atomic_fetch_add(&lane->worker->questions, 1) + 1;
        lane->phase = MR_LANE_ASKING;
    } else if (!mr_lane_wants_incarnation(lane)) {
        lane->phase = MR_LANE_IDLE;
    } else {
        back_off(lane);
    }
}

/* ---- Answers ---- */

static void started(struct mr_lane *lane, const struct mr_keeper_job *job)
{
    memcpy(lane->producers, job->producers, sizeof(lane->producers));
    if (job->status != MR_OK) {
        mr_lane_fail(lane, NULL, &job->error);
    } else if (lane->phase == MR_LANE_STARTING) {
        lane->transactions_count = 0;
        lane->phase = MR_LANE_RUNNING;
        mr_lane_heed_wishes(lane);
    }
}

static void answered(struct mr_lane *lane, struct mr_keeper_job *job)
{
    lane->jobs_count--;
    switch (job->kind) {
    case MR_KEEPER_START:
        started(lane, job);
        break;
    case MR_KEEPER_PREPARE:
        mr_lane_task_prepared(lane, job->task);
        break;
    case MR_KEEPER_RELEASE:
        mr_lane_task_released(lane, job->task, job->status);
        break;
    case MR_KEEPER_RETIRE:
        retired(lane);
        break;
    case MR_KEEPER_HOUSEKEEPING:
        mr_lane_add_series(lane, job);
        break;
    case MR_KEEPER_DISPOSE:
        break; /* is never answered */
    }
    free_job(job);
}

static bool take_answers(struct mr_lane *lane)
{
    bool any = false;
    void *item;
    while (lane->jobs_count > 0 && mr_ring_pop(lane->jobs_done, &item, 0) == MR_OK) {
        answered(lane, item);
        any = true;
    }
    return any;
}

/* ---- Phases ---- */

/* Of a table that every task reads, tools see the positions of one of them. */
static bool is_mirrored(const struct mr_lane_slot *slot)
{
    return !slot->input->broadcast || slot->task->partition == 0;
}

static void add_positions(const struct mr_lane *lane, struct mr_keeper_job *job, bool mirrored)
{
    for (uint32_t slot = 0; slot < lane->slots_count; slot++) {
        const struct mr_task_input *input = lane->slots[slot].input;
        if (input == NULL || input->kind != MR_INPUT_LOG ||
            lane->slots[slot].task->phase != MR_TASK_RUNNING ||
            is_mirrored(&lane->slots[slot]) != mirrored)
            continue;
        job->repartitions[job->offsets_count] = input->repartition;
        job->offsets[job->offsets_count++] = (struct mr_log_assignment){
            .topic = input->topic,
            .partition = input->partition,
            .offset = input->repartition ? input->committed_offset /* purged */
                                         : mr_task_input_position(input),
            .tag = input->tag};
    }
}

static void keep_house(struct mr_lane *lane)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    if (lane->housekeeping || now_ms - lane->last_housekeeping_ms < MR_HOUSEKEEPING_MS)
        return;
    struct mr_keeper_job *job = mr_lane_new_job(lane, MR_KEEPER_HOUSEKEEPING);
    job->offsets = mr_memory_new(lane->slots_count + 1, sizeof(*job->offsets));
    job->ends = mr_memory_new(lane->slots_count + 1, sizeof(*job->ends));
    job->repartitions = mr_memory_new(lane->slots_count + 1, sizeof(*job->repartitions));
    add_positions(lane, job, true);
    job->mirrored_count = job->offsets_count;
    add_positions(lane, job, false);
    lane->housekeeping = true;
    lane->last_housekeeping_ms = now_ms;
    mr_lane_send_job(lane, job);
}

/* Does something leave by the clock? A log that ends with this process would never get it. */
static bool waits_for_clock(struct mr_lane *lane)
{
    bool waits = false;
    for (uint32_t index = 0; index < lane->tasks_count && !waits; index++)
        waits = mr_pipeline_waits(lane->tasks[index]->pipeline);
    if (waits && lane->worker->open.until_end && !lane->told_waiting) {
        MR_LOG_AT(MR_LOG_INFO, "worker", MR_LOG_FIELDS("topology", lane->deployment->plan->name),
                  "all is read; the run ends when the last window by the clock has");
        lane->told_waiting = true;
    }
    return waits;
}

/* Is there nothing to do? A run that ends then would tell nobody the marks that wait: they leave
 * before. */
static void note_end(struct mr_lane *lane, bool worked)
{
    bool ended = !worked && lane->committing == NULL && mr_transaction_empty(lane->open) &&
                 lane->tasks_count > 0;
    for (uint32_t index = 0; index < lane->tasks_count && ended; index++)
        ended = lane->tasks[index]->phase == MR_TASK_RUNNING && !lane->tasks[index]->loading;
    for (uint32_t slot = 0; slot < lane->slots_count && ended; slot++) {
        const struct mr_task_input *input = lane->slots[slot].input;
        bool drained =
            input == NULL || (input->kind == MR_INPUT_LOG &&
                              (input->repartition || !lane->worker->open.outlives_process));
        ended = drained || input->ended;
    }
    ended = ended && !waits_for_clock(lane);
    if (ended && lane->worker->open.until_end && mr_lane_hurry_marks(lane))
        ended = false;
    atomic_store(&lane->at_end, ended);
    if (ended)
        atomic_fetch_add(&lane->looks, 1);
}

static bool run(struct mr_lane *lane, uint32_t wait_ms)
{
    if (lane->committing != NULL && mr_lane_is_full(lane))
        return mr_lane_take_commit(lane, wait_ms); /* back-pressure */
    keep_house(lane);
    bool worked = mr_lane_poll(lane, wait_ms);
    if (lane->phase == MR_LANE_RUNNING && mr_lane_seal_is_due(lane)) {
        mr_lane_seal(lane);
        worked = true;
    }
    note_end(lane, worked);
    if (lane->phase == MR_LANE_RUNNING && lane->jobs_count == 0 && mr_lane_rests(lane)) {
        lane->final = atomic_load(&lane->stop_wanted);
        retire_producers(lane);
        return true;
    }
    return worked;
}

/* Phases in which the lane has no producers and no jobs. */
static bool rest(struct mr_lane *lane)
{
    if (atomic_load(&lane->stop_wanted)) {
        mr_lane_close_tasks(lane);
        lane->phase = MR_LANE_STOPPED;
        return true;
    }
    if (lane->phase == MR_LANE_ASKING) {
        if (atomic_load(&lane->worker->answered_questions) < lane->question)
            return false;
        lane->phase = MR_LANE_IDLE;
    }
    if (lane->phase == MR_LANE_IDLE) {
        if (!mr_lane_wants_incarnation(lane))
            return false;
        back_off(lane);
    }
    if (mr_clock_monotonic_ms() < lane->back_off_until_ms)
        return false;
    if (mr_lane_wants_incarnation(lane))
        begin_incarnation(lane);
    else
        lane->phase = MR_LANE_IDLE;
    return true;
}

bool mr_lane_step(struct mr_lane *lane, uint32_t wait_ms)
{
    bool worked = take_answers(lane);
    worked = mr_lane_take_commit(lane, 0) || worked;
    mr_lane_heed_wishes(lane);
    switch (lane->phase) {
    case MR_LANE_IDLE:
    case MR_LANE_ASKING:
    case MR_LANE_BACKING_OFF:
        return rest(lane) || worked;
    case MR_LANE_RUNNING:
        if (atomic_load(&lane->running->failed)) {
            mr_lane_fail(lane, NULL, &lane->running->error);
            return true;
        }
        return run(lane, wait_ms) || worked;
    case MR_LANE_FAILING:
        if (lane->committing != NULL || lane->jobs_count > 0)
            return worked;
        if (!MR_GUARD(ARENA_UNTIL_DESTROY))
            drop_all(lane);
        retire_producers(lane);
        return true;
    case MR_LANE_STARTING:
    case MR_LANE_RETIRING:
    case MR_LANE_STOPPED:
        break;
    }
    return worked;
}
