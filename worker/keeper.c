/* worker/keeper.c — the lane's thread for whatever waits on the log, so that the task thread never
 * does. */
#include "worker/internal.h"

#include "base/log.h"
#include "base/memory.h"
#include "worker/failpoint.h"

#include <stdio.h>

enum { TRANSACTION_TIMEOUT_MS_MIN = 10000, TRANSACTION_TIMEOUT_INTERVALS = 3 };

static enum mr_status create_producer(struct mr_lane *lane, uint64_t incarnation, uint32_t turn,
                                      struct mr_log_producer **producer, struct mr_error *error)
{
    const struct mr_plan *plan = lane->deployment->plan;
    char id[MR_TRANSACTIONAL_ID_SIZE];
    int64_t timeout_ms = plan->commit_interval_ms * TRANSACTION_TIMEOUT_INTERVALS;
    mr_claim_data_id(lane->deployment->cluster, lane->deployment->generation, incarnation, turn,
                     id);
    struct mr_log_producer_options options = {
        .transactional_id = plan->exactly_once ? id : NULL,
        .transaction_timeout_ms =
            timeout_ms > TRANSACTION_TIMEOUT_MS_MIN ? timeout_ms : TRANSACTION_TIMEOUT_MS_MIN,
        .queued_bytes_max = lane->running->producer_queue_bytes,
        .batch_bytes_max = lane->writer.batch_bytes_max,
        .settings = lane->running->producer_settings};
    return lane->log->ops->producer_create(lane->log, &options, MR_LOG_WAIT_MS, producer, error);
}

static void start(struct mr_lane *lane, struct mr_keeper_job *job)
{
    for (uint32_t turn = 0; turn < 2; turn++) {
        job->status =
            create_producer(lane, job->incarnation, turn, &job->producers[turn], &job->error);
        if (job->status == MR_OK)
            continue;
        if (turn == 1)
            lane->log->ops->producer_destroy(job->producers[0]);
        job->producers[0] = NULL;
        return;
    }
    mr_failpoint("after_init");
}

static void prepare(struct mr_lane *lane, struct mr_keeper_job *job)
{
    struct mr_task *task = job->task;
    if (mr_lane_given_up(lane))
        task->status = MR_FAIL(&task->error, MR_CLOSED, MR_RECOVERY_RETRY,
                               "The lane fails or stops before the task was prepared.");
    else
        mr_task_prepare(task, job->incarnation);
    job->status = task->status;
}

static void retire(struct mr_lane *lane, struct mr_keeper_job *job)
{
    for (uint32_t turn = 0; turn < 2; turn++)
        if (job->producers[turn] != NULL)
            lane->log->ops->producer_destroy(job->producers[turn]);
    job->status = MR_OK;
}

/* The end of one input, and its purge. False: the log does not answer. */
static bool look_after(struct mr_lane *lane, struct mr_keeper_job *job, uint32_t index)
{
    const struct mr_log_ops *ops = lane->log->ops;
    const struct mr_log_assignment *offset = &job->offsets[index];
    struct mr_error error;
    enum mr_status status = ops->offset_find(lane->log, offset->topic, offset->partition,
                                             MR_LOG_OFFSET_LATEST, &job->ends[index], &error);
    if (status != MR_OK)
        job->ends[index] = -1;
    if (status == MR_TIMEOUT || !job->repartitions[index])
        return status != MR_TIMEOUT;
    status =
        ops->records_delete(lane->log, offset->topic, offset->partition, offset->offset, &error);
    if (status != MR_OK)
        MR_LOG_AT(MR_LOG_WARNING, "worker", MR_LOG_FIELDS("topic", offset->topic),
                  "processed repartition records were not purged: %s", error.message);
    return status != MR_TIMEOUT;
}

/* Ends for the lag metric, group offsets for tools, and repartition records that everybody has
 * passed. None of it is worth a wait: a lane that fails or stops wants its keeper back. */
static void housekeeping(struct mr_lane *lane, struct mr_keeper_job *job)
{
    const struct mr_log_ops *ops = lane->log->ops;
    struct mr_error error;
    bool answers = true;
    char group[256];
    (void)snprintf(group, sizeof(group), "%s.%s", lane->deployment->cluster,
                   lane->deployment->plan->name);
    for (uint32_t index = 0; index < job->offsets_count; index++)
        job->ends[index] = -1;
    for (uint32_t index = 0; index < job->offsets_count && answers && !mr_lane_given_up(lane);
         index++)
        answers = look_after(lane, job, index);
    job->status = MR_OK;
    if (!answers || mr_lane_given_up(lane))
        return;
    const char *named = lane->running->group == NULL ? group : lane->running->group;
    if (job->offsets_count > 0 &&
        ops->offsets_mirror(lane->log, named, job->offsets, job->offsets_count, &error) != MR_OK)
        MR_LOG_AT(MR_LOG_WARNING, "worker", MR_LOG_FIELDS("group", named),
                  "offsets were not mirrored for lag tools: %s", error.message);
}

void *mr_keeper_main(void *argument)
{
    struct mr_lane *lane = argument;
    void *item;
    while (mr_ring_pop(lane->jobs, &item, -1) == MR_OK) {
        struct mr_keeper_job *job = item;
        switch (job->kind) {
        case MR_JOB_START:
            start(lane, job);
            break;
        case MR_JOB_PREPARE:
            prepare(lane, job);
            break;
        case MR_JOB_RELEASE:
            mr_task_release(job->task);
            job->status = job->task->status;
            break;
        case MR_JOB_RETIRE:
            retire(lane, job);
            break;
        case MR_JOB_HOUSEKEEPING:
            housekeeping(lane, job);
            break;
        }
        if (mr_ring_push(lane->jobs_done, job, -1) != MR_OK)
            break;
    }
    return NULL;
}
