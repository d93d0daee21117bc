/* worker/lane_commit.c — sealing the open transaction, and taking the committer's answer. */
#include "worker/internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"

enum { CALM_COMMITS = 100 /* after as many commits refused records count as passed */ };

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
        if (mr_lane_tell_passed(lane, task->partition, input, input->committed_offset, &error) !=
            MR_OK)
            MR_LOG_AT(MR_LOG_WARNING, "worker", MR_LOG_FIELDS("topic", input->topic),
                      "the broker was not told what has been read: %s", error.message);
    }
}

/* Of the transaction that was committed: the task itself may be ahead by now. */
static void tell_watermark(struct mr_task *task)
{
    int64_t watermark_ms = task->sealed_watermark_ms;
    atomic_store(&task->shared.watermark_ms, watermark_ms);
    if (watermark_ms == INT64_MIN)
        return;
    mr_metric_set(task->time_series.watermark, (double)watermark_ms);
    mr_metric_set(task->time_series.event_lag,
                  (double)task->lane->writer.now_wall_ms - (double)watermark_ms);
}

static void commit_succeeded(struct mr_lane *lane, struct mr_transaction *transaction)
{
    lane->failures_count = 0;
    if (lane->refusals_count > 0 && ++lane->calm_commits == CALM_COMMITS)
        lane->refusals_count = 0; /* commits of other tasks come between two refusals, too */
    measure_commit(lane, transaction);
    uint64_t now_ms = mr_clock_monotonic_ms();
    for (uint32_t index = 0; index < transaction->seals_count; index++) {
        struct mr_seal *seal = &transaction->seals[index];
        struct mr_error error;
        if (seal->sealed != NULL)
            mr_state_release_sealed(seal->state, seal->sealed);
        for (uint32_t input = 0; input < seal->task->inputs_count; input++)
            seal->task->inputs[input].committed_offset = seal->task->inputs[input].sealed_offset;
        atomic_store(&seal->task->shared.commit_ms, now_ms);
        tell_watermark(seal->task);
        tell_passed(lane, seal->task);
        if (mr_pipeline_committed(seal->task->pipeline, &error) != MR_OK) {
            mr_lane_fail(lane, seal->task, &error);
            return;
        }
    }
}

/* Take the committer's answer, waiting up to wait_ms. */
bool mr_lane_take_commit(struct mr_lane *lane, int64_t wait_ms)
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
            mr_lane_note_damage(transaction->seals[index].task, &transaction->error);
        mr_lane_fail(lane, NULL, &transaction->error);
        return true;
    }
    commit_succeeded(lane, transaction);
    if (lane->phase != MR_LANE_FAILING)
        mr_transaction_reset(transaction);
    return true;
}

/* The task has a share in the open transaction. */
static bool holds_records(const struct mr_task *task)
{
    return task->touched && (task->phase == MR_TASK_RUNNING || task->phase == MR_TASK_DRAINING);
}

void mr_lane_seal(struct mr_lane *lane)
{
    struct mr_transaction *transaction = lane->open;
    struct mr_error error;
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *task = lane->tasks[index];
        if (!holds_records(task))
            continue;
        if (mr_task_seal(task, transaction, &error) != MR_OK) {
            mr_lane_note_damage(task, &error);
            mr_lane_fail(lane, task, &error);
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

bool mr_lane_hurry_marks(struct mr_lane *lane)
{
    bool any = false;
    uint64_t now_ms = mr_clock_monotonic_ms();
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *task = lane->tasks[index];
        if (task->phase != MR_TASK_RUNNING)
            continue;
        mr_pipeline_hurry_marks(task->pipeline);
        if (!mr_pipeline_marks_due(task->pipeline, mr_task_idle(task), now_ms))
            continue;
        mr_task_touch(task);
        any = true;
    }
    return any;
}

/* The open transaction takes no more: its records, or the state that they changed, which goes to
 * the changelog and which a restore must hold until it has read the progress behind it. */
bool mr_lane_is_full(const struct mr_lane *lane)
{
    uint64_t bytes = lane->open->arena.used_bytes;
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        const struct mr_task *task = lane->tasks[index];
        if (holds_records(task) && task->state != NULL)
            bytes += mr_state_dirty_bytes(task->state);
    }
    return bytes >= MR_LIMIT_TRANSACTION_BYTES || mr_transaction_full(lane->open);
}

/* At low load commit as soon as the last commit has ended; else fill the interval. */
bool mr_lane_seal_is_due(const struct mr_lane *lane)
{
    const struct mr_transaction *transaction = lane->open;
    if (lane->committing != NULL || mr_transaction_empty(transaction))
        return false;
    for (uint32_t index = 0; index < lane->tasks_count; index++)
        if (lane->tasks[index]->phase == MR_TASK_DRAINING && lane->tasks[index]->touched)
            return true; /* whoever gets it next is waiting */
    uint64_t age_ms = (mr_clock_monotonic_ns() - transaction->opened_ns) / 1000000;
    if (lane->poll_was_small && age_ms >= MR_COMMIT_AGE_MS_MIN)
        return true;
    return mr_lane_is_full(lane) || age_ms >= (uint64_t)lane->deployment->plan->commit_interval_ms;
}
