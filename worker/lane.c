/* worker/lane.c — the lane's loop on its task thread: a step machine over its phases.
 * Design: a step never waits for the log but in a bounded poll; what must wait is the keeper's or
 * the committer's. Every failure ends in one place, lane_fail; everything in memory is then dropped
 * together, tasks are closed and the arenas of transactions are reused only after both producers
 * are destroyed. */
#include "worker/internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "worker/failpoint.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    BACK_OFF_MS_FIRST = 200,
    BACK_OFF_MS_MAX = 5000,
    SMALL_POLL = 512,    /* fewer messages than this: the source is nearly drained */
    PAUSE_SLICE_MS = 1,  /* while records gather for a batch */
    OPEN_WAIT_MS = 1,    /* poll at most this long while a transaction is open */
    POISON_FAILURES = 3, /* records are refused this often: the topology stops */
    CALM_COMMITS = 100   /* after as many commits refused records count as passed */
};

/* ---- Keeper jobs ---- */

static void send_job(struct mr_lane *lane, struct mr_keeper_job *job)
{
    enum mr_status status = mr_ring_push(lane->jobs, job, 0);
    MR_ASSERT(status == MR_OK); /* the ring holds a job per task and more */
    lane->jobs_count++;
}

static struct mr_keeper_job *new_job(const struct mr_lane *lane, enum mr_keeper_job_kind kind)
{
    struct mr_keeper_job *job = mr_memory_new(1, sizeof(*job));
    job->kind = kind;
    job->incarnation = lane->incarnation;
    return job;
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
    atomic_store(&lane->abandoned, false);
    atomic_fetch_add(&lane->incarnations_count, 1);
    send_job(lane, new_job(lane, MR_JOB_START));
}

static void prepare_tasks(struct mr_lane *lane)
{
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *task = lane->tasks[index];
        MR_ASSERT(task->phase == MR_TASK_WAITING);
        struct mr_keeper_job *job = new_job(lane, MR_JOB_PREPARE);
        job->task = task;
        task->phase = MR_TASK_PREPARING;
        send_job(lane, job);
    }
}

/* ---- Failure ---- */

/* Something in the records themselves is refused: it will be refused again. */
static bool is_refusal(const struct mr_error *error)
{
    return error->status == MR_INVALID || error->status == MR_LIMIT;
}

static bool recovers(const struct mr_lane *lane, const struct mr_error *error)
{
    if (error->recovery == MR_RECOVERY_FAIL_TOPOLOGY || error->recovery == MR_RECOVERY_EXIT ||
        error->recovery == MR_RECOVERY_NONE)
        return false;
    return !is_refusal(error) || lane->refusals_count < POISON_FAILURES;
}

/* Everything since the last commit is void: stop, drop it, and start over or end. */
static void lane_fail(struct mr_lane *lane, const struct mr_error *error)
{
    if (lane->phase == MR_LANE_FAILING || lane->phase == MR_LANE_RETIRING)
        return;
    bool draining = lane->phase == MR_LANE_DRAINING || lane->phase == MR_LANE_RELEASING;
    lane->failures_count++;
    if (is_refusal(error)) {
        lane->refusals_count++;
        lane->calm_commits = 0;
    }
    mr_metric_add(lane->lane_series.transaction_failures, 1);
    if (error->status == MR_FENCED)
        mr_metric_add(lane->lane_series.fences, 1);
    lane->final = draining || !recovers(lane, error) || atomic_load(&lane->running->failed) ||
                  atomic_load(&lane->stop_wanted);
    MR_LOG_AT(lane->final && !draining ? MR_LOG_ERROR : MR_LOG_WARNING, "worker",
              MR_LOG_FIELDS("topology", lane->deployment->plan->name, "recovery",
                            mr_recovery_name(error->recovery)),
              "%s: %s", lane->final ? "the lane stops" : "a new incarnation is needed",
              error->message);
    if (!recovers(lane, error))
        mr_running_fail(lane->running, error);
    atomic_store(&lane->abandoned, true);
    lane->phase = MR_LANE_FAILING;
}

/* What the task has on disk cannot be used: its next preparation wipes it. */
static void note_damage(struct mr_task *task, const struct mr_error *error)
{
    if (error->recovery == MR_RECOVERY_RESTORE)
        task->state_damaged = true;
}

static void remove_input(struct mr_lane *lane, uint32_t index)
{
    struct mr_error error;
    struct mr_task_input *input = lane->inputs[index];
    struct mr_log_assignment assignment = {
        .topic = input->topic, .partition = input->partition, .tag = index};
    if (!input->assigned)
        return;
    input->assigned = false;
    if (lane->log->ops->consumer_remove(lane->consumer, &assignment, 1, &error) != MR_OK)
        MR_LOG_AT(MR_LOG_WARNING, "worker", MR_LOG_FIELDS("topic", input->topic),
                  "a partition was not removed: %s", error.message);
}

static void remove_inputs(struct mr_lane *lane, const struct mr_task *task)
{
    for (uint32_t index = 0; index < lane->inputs_count; index++)
        if (lane->input_tasks[index] == task)
            remove_input(lane, index);
}

static void close_tasks(struct mr_lane *lane)
{
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *task = lane->tasks[index];
        if (task->phase == MR_TASK_RUNNING)
            remove_inputs(lane, task);
        mr_task_close(task);
        if (task->phase != MR_TASK_RELEASED)
            task->phase = MR_TASK_WAITING;
    }
    atomic_store(&lane->tasks_running, 0);
    mr_metric_set(lane->lane_series.tasks_running, 0);
}

static void retire_producers(struct mr_lane *lane)
{
    struct mr_keeper_job *job = new_job(lane, MR_JOB_RETIRE);
    memcpy(job->producers, lane->producers, sizeof(job->producers));
    memset(lane->producers, 0, sizeof(lane->producers));
    lane->phase = MR_LANE_RETIRING;
    send_job(lane, job);
}

/* A topology that has failed reads no more; others must not wait for it. */
static void forget_readers(struct mr_lane *lane)
{
    struct mr_error error;
    for (uint32_t index = 0; atomic_load(&lane->running->failed) && index < lane->inputs_count;
         index++)
        if (!lane->inputs[index]->repartition &&
            mr_lane_tell_passed(lane, lane->inputs[index], -1, &error) != MR_OK)
            MR_LOG_AT(MR_LOG_WARNING, "worker", MR_LOG_FIELDS("topic", lane->inputs[index]->topic),
                      "the broker was not told that a reader has gone: %s", error.message);
}

/* Both producers are gone: nothing refers to the arenas any more, nor to the overlays of states,
 * whose bytes went to the changelogs without a copy. */
static void retired(struct mr_lane *lane)
{
    close_tasks(lane);
    mr_transaction_reset(lane->open);
    mr_transaction_reset(lane->spare);
    if (lane->final) {
        forget_readers(lane);
        lane->phase = MR_LANE_STOPPED;
        return;
    }
    uint64_t back_off_ms = BACK_OFF_MS_FIRST;
    for (uint32_t count = 1; count < lane->failures_count && back_off_ms < BACK_OFF_MS_MAX; count++)
        back_off_ms *= 2;
    lane->back_off_until_ms = mr_clock_monotonic_ms() + back_off_ms;
    lane->phase = MR_LANE_BACKING_OFF;
}

/* ---- Answers ---- */

static void task_prepared(struct mr_lane *lane, struct mr_task *task)
{
    struct mr_error error;
    task->phase = MR_TASK_WAITING;
    if (task->status == MR_CLOSED && atomic_load(&lane->stop_wanted))
        return; /* given up by the keeper: what the other tasks did is committed all the same */
    if (task->status != MR_OK) {
        lane_fail(lane, &task->error);
        return;
    }
    if (lane->phase == MR_LANE_DRAINING) { /* it is claimed: drain releases it with the others */
        task->phase = MR_TASK_RUNNING;
        return;
    }
    if (lane->phase != MR_LANE_RUNNING) {
        mr_task_close(task);
        return;
    }
    task->phase = MR_TASK_RUNNING;
    atomic_fetch_add(&lane->tasks_running, 1);
    mr_metric_add(lane->lane_series.claims, 1);
    mr_metric_add(lane->lane_series.restore_records, task->statistics.restored_records);
    mr_metric_observe(lane->lane_series.restore_duration, task->statistics.restore_ms * 1000);
    mr_metric_set(lane->lane_series.tasks_running, (double)atomic_load(&lane->tasks_running));
    for (uint32_t index = 0; index < lane->inputs_count; index++) {
        struct mr_task_input *input = lane->inputs[index];
        if (lane->input_tasks[index] != task || input->kind != MR_INPUT_LOG || input->ended)
            continue;
        int64_t again = mr_failpoint_value("rewind"); /* records that are fetched a second time */
        struct mr_log_assignment assignment = {
            .topic = input->topic,
            .partition = input->partition,
            .offset = input->next_offset > again ? input->next_offset - again : 0,
            .tag = index};
        if (lane->log->ops->consumer_add(lane->consumer, &assignment, 1, &error) != MR_OK) {
            lane_fail(lane, &error);
            return;
        }
        input->assigned = true;
    }
    if (task->unsaved) { /* a crash before the first record must not move the start */
        task->touched = true;
        if (lane->open->opened_ns == 0)
            lane->open->opened_ns = mr_clock_monotonic_ns();
    }
}

static void measure_stores(struct mr_lane *lane)
{
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *task = lane->tasks[index];
        struct mr_state_statistics statistics;
        if (task->phase != MR_TASK_RUNNING || task->state == NULL)
            continue;
        mr_state_statistics(task->state, &statistics);
        mr_metric_set(task->series.bytes, (double)statistics.store.disk_bytes);
        mr_metric_set(task->series.keys, (double)statistics.store.keys_estimate);
        mr_metric_add(task->series.cache_hits,
                      statistics.cache_hits - mr_metric_count(task->series.cache_hits));
        mr_metric_add(task->series.cache_misses,
                      statistics.cache_misses - mr_metric_count(task->series.cache_misses));
    }
}

static void housekeeping_done(struct mr_lane *lane, const struct mr_keeper_job *job)
{
    int64_t lag = 0;
    bool known = true;
    lane->housekeeping = false;
    for (uint32_t index = 0; index < job->offsets_count; index++) {
        const struct mr_log_assignment *offset = &job->offsets[index];
        int64_t behind = job->ends[index] - offset->offset;
        known = known && job->ends[index] >= 0;
        if (job->ends[index] < 0)
            continue;
        mr_metric_set(lane->inputs[offset->tag]->series.lag, behind > 0 ? (double)behind : 0);
        lag += behind > 0 ? behind : 0;
    }
    if (known)
        atomic_store(&lane->lag, lag);
    measure_stores(lane);
}

static void answered(struct mr_lane *lane, struct mr_keeper_job *job)
{
    lane->jobs_count--;
    switch (job->kind) {
    case MR_JOB_START:
        memcpy(lane->producers, job->producers, sizeof(lane->producers));
        if (job->status != MR_OK) {
            lane_fail(lane, &job->error);
        } else if (lane->phase == MR_LANE_STARTING) {
            lane->transactions_count = 0;
            lane->phase = MR_LANE_RUNNING;
            prepare_tasks(lane);
        }
        break;
    case MR_JOB_PREPARE:
        task_prepared(lane, job->task);
        break;
    case MR_JOB_RELEASE:
        job->task->phase = MR_TASK_RELEASED;
        if (job->status != MR_OK)
            MR_LOG_AT(MR_LOG_WARNING, "worker",
                      MR_LOG_FIELDS("topology", lane->deployment->plan->name),
                      "not released, the next owner fences: %s", job->task->error.message);
        break;
    case MR_JOB_RETIRE:
        retired(lane);
        break;
    case MR_JOB_HOUSEKEEPING:
        housekeeping_done(lane, job);
        break;
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

/* ---- Transactions ---- */

static void measure_commit(struct mr_lane *lane, const struct mr_transaction *transaction)
{
    uint64_t duration_us = (transaction->committed_ns - transaction->sealed_ns) / 1000;
    atomic_fetch_add_explicit(&lane->commits_count, 1, memory_order_relaxed);
    atomic_store_explicit(&lane->commit_us_last, duration_us, memory_order_relaxed);
    mr_metric_add(lane->lane_series.transactions, 1);
    mr_metric_observe(lane->lane_series.transaction_duration, duration_us);
    mr_metric_observe(lane->lane_series.transaction_latency,
                      (transaction->committed_ns - transaction->opened_ns) / 1000);
    mr_metric_observe(lane->lane_series.transaction_records, transaction->records_count);
    mr_metric_observe(lane->lane_series.transaction_bytes, transaction->arena.used_bytes);
}

/* Readers of the embedded broker say how far they have committed, so that it can let records go. */
static void tell_passed(struct mr_lane *lane, const struct mr_task *task)
{
    struct mr_error error;
    for (uint32_t index = 0; index < task->inputs_count; index++) {
        const struct mr_task_input *input = &task->inputs[index];
        if (mr_lane_tell_passed(lane, input, input->committed_offset, &error) != MR_OK)
            MR_LOG_AT(MR_LOG_WARNING, "worker", MR_LOG_FIELDS("topic", input->topic),
                      "the broker was not told what has been read: %s", error.message);
    }
}

static void commit_succeeded(struct mr_lane *lane, struct mr_transaction *transaction)
{
    lane->failures_count = 0;
    if (lane->refusals_count > 0 && ++lane->calm_commits == CALM_COMMITS)
        lane->refusals_count = 0; /* commits of other tasks come between two refusals, too */
    measure_commit(lane, transaction);
    for (uint32_t index = 0; index < transaction->seals_count; index++) {
        struct mr_seal *seal = &transaction->seals[index];
        struct mr_error error;
        if (seal->sealed != NULL)
            mr_state_release_sealed(seal->state, seal->sealed);
        for (uint32_t input = 0; input < seal->task->inputs_count; input++)
            seal->task->inputs[input].committed_offset = seal->task->inputs[input].sealed_offset;
        tell_passed(lane, seal->task);
        if (mr_pipeline_committed(seal->task->pipeline, &error) != MR_OK) {
            lane_fail(lane, &error);
            return;
        }
    }
}

/* Take the committer's answer, waiting up to wait_ms. */
static bool take_commit(struct mr_lane *lane, int64_t wait_ms)
{
    void *item;
    if (lane->committing == NULL || mr_ring_pop(lane->commits_done, &item, wait_ms) != MR_OK)
        return false;
    struct mr_transaction *transaction = item;
    MR_ASSERT(transaction == lane->committing);
    lane->committing = NULL;
    lane->spare = transaction;
    if (lane->phase == MR_LANE_FAILING)
        return true;
    if (transaction->status != MR_OK) {
        for (uint32_t index = 0; index < transaction->seals_count; index++)
            note_damage(transaction->seals[index].task, &transaction->error);
        lane_fail(lane, &transaction->error);
        return true;
    }
    commit_succeeded(lane, transaction);
    if (lane->phase != MR_LANE_FAILING)
        mr_transaction_reset(transaction);
    return true;
}

static void seal(struct mr_lane *lane)
{
    struct mr_transaction *transaction = lane->open;
    struct mr_error error;
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *task = lane->tasks[index];
        if (task->phase != MR_TASK_RUNNING || !task->touched)
            continue;
        if (mr_task_seal(task, transaction, &error) != MR_OK) {
            note_damage(task, &error);
            lane_fail(lane, &error);
            return;
        }
    }
    transaction->sealed_ns = mr_clock_monotonic_ns();
    transaction->batch_bytes_max = lane->writer.batch_bytes_max < MR_BATCH_BYTES
                                       ? lane->writer.batch_bytes_max
                                       : MR_BATCH_BYTES;
    lane->committing = transaction;
    lane->open = lane->spare;
    lane->spare = NULL;
    lane->writer.transaction = lane->open;
    enum mr_status status = mr_ring_push(lane->commits, transaction, 0);
    MR_ASSERT(status == MR_OK);
}

/* The open transaction takes no more: its records, or the state that they changed, which goes to
 * the changelog and which a restore must hold until it has read the progress behind it. */
static bool is_full(const struct mr_lane *lane)
{
    uint64_t bytes = lane->open->arena.used_bytes;
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        const struct mr_task *task = lane->tasks[index];
        if (task->phase == MR_TASK_RUNNING && task->touched && task->state != NULL)
            bytes += mr_state_dirty_bytes(task->state);
    }
    return bytes >= MR_LIMIT_TRANSACTION_BYTES || mr_transaction_full(lane->open);
}

/* At low load commit as soon as the last commit has ended; else fill the interval. */
static bool seal_is_due(const struct mr_lane *lane)
{
    const struct mr_transaction *transaction = lane->open;
    if (lane->committing != NULL || mr_transaction_empty(transaction))
        return false;
    uint64_t age_ms = (mr_clock_monotonic_ns() - transaction->opened_ns) / 1000000;
    if (lane->poll_was_small && age_ms >= MR_COMMIT_AGE_MS_MIN)
        return true;
    return is_full(lane) || age_ms >= (uint64_t)lane->deployment->plan->commit_interval_ms;
}

/* ---- Polling ---- */

static enum mr_status take_event(struct mr_lane *lane, const struct mr_log_message *message,
                                 const struct mr_log_fetch *fetch, struct mr_error *error)
{
    struct mr_task_input *input = lane->inputs[message->tag];
    struct mr_task *task = lane->input_tasks[message->tag];
    if (message->event == MR_LOG_PARTITION_ERROR) {
        if (fetch->error.recovery == MR_RECOVERY_RETRY) {
            MR_LOG_AT(MR_LOG_WARNING, "worker", MR_LOG_FIELDS("topic", input->topic), "%s",
                      fetch->error.message);
            return MR_OK;
        }
        *error = fetch->error;
        return fetch->error.status;
    }
    /* Behind trailing markers; but not behind records that until_end leaves for the next run. */
    int64_t offset = message->offset;
    if (input->end_offset >= 0 && offset > input->end_offset)
        offset = input->end_offset;
    if (offset > input->next_offset) {
        input->next_offset = offset;
        task->touched = true;
        if (lane->open->opened_ns == 0)
            lane->open->opened_ns = mr_clock_monotonic_ns();
    }
    if (input->end_offset >= 0 && message->offset >= input->end_offset)
        input->ended = true;
    return MR_OK;
}

static enum mr_status take_fetch(struct mr_lane *lane, const struct mr_log_fetch *fetch,
                                 struct mr_error *error)
{
    uint32_t first = 0;
    while (first < fetch->messages_count) {
        const struct mr_log_message *message = &fetch->messages[first];
        uint32_t count = 1;
        enum mr_status status;
        struct mr_task *task = lane->input_tasks[message->tag];
        if (task->phase != MR_TASK_RUNNING) {
            first++;
            continue;
        }
        if (message->event != MR_LOG_RECORD) {
            status = take_event(lane, message, fetch, error);
        } else {
            while (first + count < fetch->messages_count &&
                   fetch->messages[first + count].event == MR_LOG_RECORD &&
                   fetch->messages[first + count].tag == message->tag)
                count++;
            status = mr_task_feed(task, lane->inputs[message->tag], message, count, error);
        }
        if (status != MR_OK) {
            note_damage(task, error);
            return status;
        }
        first += count;
    }
    return MR_OK;
}

/* until_end: what is read to its end is read no more, or records that keep coming would hold the
 * end up. */
static void remove_ended(struct mr_lane *lane)
{
    for (uint32_t index = 0; index < lane->inputs_count; index++)
        if (lane->inputs[index]->ended)
            remove_input(lane, index);
}

static bool poll_log(struct mr_lane *lane, uint32_t wait_ms)
{
    struct mr_log_fetch fetch;
    struct mr_error error;
    if (lane->consumer == NULL || atomic_load(&lane->tasks_running) == 0)
        return false;
    if (lane->poll_pause_ms > 0 && mr_clock_monotonic_ms() < lane->next_poll_ms) {
        mr_clock_sleep_ms(PAUSE_SLICE_MS);
        return false;
    }
    enum mr_status status = lane->log->ops->consumer_poll(lane->consumer, lane->poll_records_max,
                                                          wait_ms, &fetch, &error);
    bool full = status == MR_OK && fetch.messages_count >= lane->poll_records_max;
    lane->next_poll_ms = full ? 0 : mr_clock_monotonic_ms() + lane->poll_pause_ms;
    lane->poll_was_small =
        status == MR_AGAIN || (status == MR_OK && fetch.messages_count < SMALL_POLL);
    if (status == MR_AGAIN)
        return false;
    if (status == MR_OK) {
        lane->writer.now_wall_ms = mr_clock_wall_ms();
        status = take_fetch(lane, &fetch, &error);
        lane->log->ops->fetch_release(lane->consumer, &fetch);
        if (lane->worker->open.until_end)
            remove_ended(lane);
    }
    if (status != MR_OK)
        lane_fail(lane, &error);
    return true;
}

/* The embedded broker's limits: sources wait while a topic that has a reader is full. */
static bool log_is_full(const struct mr_lane *lane)
{
    if (lane->log->ops->over_limit == NULL)
        return false;
    for (uint32_t index = 0; index < lane->writer.targets.items_count; index++)
        if (lane->log->ops->over_limit(lane->log, lane->writer.targets.items[index]->topic))
            return true;
    return false;
}

static bool poll_tasks(struct mr_lane *lane)
{
    bool any = false;
    struct mr_error error;
    int64_t now_wall_ms = mr_clock_wall_ms();
    lane->writer.now_wall_ms = now_wall_ms;
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *task = lane->tasks[index];
        if (task->phase != MR_TASK_RUNNING || mr_transaction_full(lane->open))
            continue;
        enum mr_status status = mr_task_poll(task, now_wall_ms, &error);
        if (status != MR_OK && status != MR_AGAIN) {
            note_damage(task, &error);
            lane_fail(lane, &error);
            return true;
        }
        any = any || status == MR_OK;
    }
    if (any)
        lane->poll_was_small = false;
    return any;
}

/* Idle sources: time may have passed enough for the watermark. */
static void advance_tasks(struct mr_lane *lane)
{
    struct mr_error error;
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *task = lane->tasks[index];
        if (task->phase == MR_TASK_RUNNING && mr_task_advance(task, &error) != MR_OK) {
            note_damage(task, &error);
            lane_fail(lane, &error);
            return;
        }
    }
    mr_arena_reset(&lane->batch_arena);
}

/* ---- Phases ---- */

static void keep_house(struct mr_lane *lane)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    if (lane->housekeeping || now_ms - lane->last_housekeeping_ms < MR_HOUSEKEEPING_MS)
        return;
    struct mr_keeper_job *job = new_job(lane, MR_JOB_HOUSEKEEPING);
    job->offsets = mr_memory_new(lane->inputs_count + 1, sizeof(*job->offsets));
    job->ends = mr_memory_new(lane->inputs_count + 1, sizeof(*job->ends));
    job->repartitions = mr_memory_new(lane->inputs_count + 1, sizeof(*job->repartitions));
    for (uint32_t index = 0; index < lane->inputs_count; index++) {
        const struct mr_task_input *input = lane->inputs[index];
        if (input->kind != MR_INPUT_LOG || lane->input_tasks[index]->phase != MR_TASK_RUNNING)
            continue;
        job->repartitions[job->offsets_count] = input->repartition;
        job->offsets[job->offsets_count++] =
            (struct mr_log_assignment){.topic = input->topic,
                                       .partition = input->partition,
                                       .offset = input->committed_offset,
                                       .tag = index};
    }
    lane->housekeeping = true;
    lane->last_housekeeping_ms = now_ms;
    send_job(lane, job);
}

static void note_end(struct mr_lane *lane, bool worked)
{
    bool ended = !worked && lane->committing == NULL && mr_transaction_empty(lane->open);
    for (uint32_t index = 0; index < lane->tasks_count && ended; index++)
        ended = lane->tasks[index]->phase == MR_TASK_RUNNING;
    for (uint32_t index = 0; index < lane->inputs_count && ended; index++) {
        const struct mr_task_input *input = lane->inputs[index];
        bool drained = input->kind == MR_INPUT_LOG &&
                       (input->repartition || !lane->worker->open.outlives_process);
        ended = input->ended || drained;
    }
    atomic_store(&lane->at_end, ended);
}

static bool run(struct mr_lane *lane, uint32_t wait_ms)
{
    bool worked = false;
    if (atomic_load(&lane->stop_wanted)) {
        lane->phase = MR_LANE_DRAINING;
        return true;
    }
    if (lane->committing != NULL && is_full(lane))
        return take_commit(lane, wait_ms); /* back-pressure */
    keep_house(lane);
    if (!log_is_full(lane))
        worked = poll_tasks(lane);
    bool waiting = !mr_transaction_empty(lane->open) || lane->committing != NULL;
    if (lane->phase == MR_LANE_RUNNING) {
        uint32_t poll_wait_ms = worked                              ? 0
                                : waiting && wait_ms > OPEN_WAIT_MS ? OPEN_WAIT_MS
                                                                    : wait_ms;
        worked = poll_log(lane, poll_wait_ms) || worked;
    }
    if (!worked && lane->phase == MR_LANE_RUNNING)
        advance_tasks(lane);
    if (lane->consumer == NULL && !worked)
        lane->poll_was_small = true;
    if (lane->phase == MR_LANE_RUNNING && seal_is_due(lane)) {
        seal(lane);
        worked = true;
    }
    note_end(lane, worked);
    return worked;
}

/* Rule 7: nothing holds a record of the tasks when they are released. */
static bool drain(struct mr_lane *lane, uint32_t wait_ms)
{
    if (lane->committing != NULL)
        return take_commit(lane, wait_ms);
    if (lane->jobs_count > 0)
        return false;
    if (!mr_transaction_empty(lane->open)) {
        seal(lane);
        return true;
    }
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *task = lane->tasks[index];
        if (task->phase != MR_TASK_RUNNING)
            continue;
        remove_inputs(lane, task);
        mr_task_close(task);
        struct mr_keeper_job *job = new_job(lane, MR_JOB_RELEASE);
        job->task = task;
        task->phase = MR_TASK_RELEASING;
        send_job(lane, job);
    }
    atomic_store(&lane->tasks_running, 0);
    lane->phase = MR_LANE_RELEASING;
    return true;
}

bool mr_lane_step(struct mr_lane *lane, uint32_t wait_ms)
{
    bool worked = take_answers(lane);
    worked = take_commit(lane, 0) || worked;
    switch (lane->phase) {
    case MR_LANE_BACKING_OFF:
        if (atomic_load(&lane->stop_wanted)) {
            lane->phase = MR_LANE_STOPPED;
            return true;
        }
        if (mr_clock_monotonic_ms() < lane->back_off_until_ms)
            return worked;
        begin_incarnation(lane);
        return true;
    case MR_LANE_RUNNING:
        if (atomic_load(&lane->running->failed)) {
            lane_fail(lane, &lane->running->error);
            return true;
        }
        return run(lane, wait_ms) || worked;
    case MR_LANE_DRAINING:
        return drain(lane, wait_ms) || worked;
    case MR_LANE_RELEASING:
        if (lane->jobs_count > 0)
            return worked;
        lane->final = true;
        retire_producers(lane);
        return true;
    case MR_LANE_FAILING:
        if (lane->committing != NULL || lane->jobs_count > 0)
            return worked;
        retire_producers(lane);
        return true;
    case MR_LANE_STARTING:
    case MR_LANE_RETIRING:
    case MR_LANE_STOPPED:
        break;
    }
    return worked;
}
