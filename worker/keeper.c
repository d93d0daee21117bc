/* worker/keeper.c — the threads for whatever waits on the log, so that a task thread never does.
 * Model: a worker has a few keepers, which take jobs of all its lanes; the answer goes to the job's
 * lane. A task has at most one job under way; a lane's producers are made before any of its tasks
 * is prepared and destroyed after the last job has ended, which the lane sees to. */
#include "worker/internal.h"

#include "base/assert.h"
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
    MR_ASSERT(task->lane == lane);
    if (mr_task_given_up(task))
        task->status = MR_FAIL(&task->error, MR_CLOSED, MR_RECOVERY_RETRY,
                               "The task was given up before it was prepared.");
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

static bool is_leaving(const struct mr_lane *lane)
{
    return atomic_load(&lane->abandoned) || atomic_load(&lane->stop_wanted);
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
    for (uint32_t index = 0; index < job->offsets_count && answers && !is_leaving(lane); index++)
        answers = look_after(lane, job, index);
    job->status = MR_OK;
    if (!answers || is_leaving(lane))
        return;
    const char *named = lane->running->group == NULL ? group : lane->running->group;
    if (job->mirrored_count > 0 &&
        ops->offsets_mirror(lane->log, named, job->offsets, job->mirrored_count, &error) != MR_OK)
        MR_LOG_AT(MR_LOG_WARNING, "worker", MR_LOG_FIELDS("group", named),
                  "offsets were not mirrored for lag tools: %s", error.message);
}

static void work(struct mr_lane *lane, struct mr_keeper_job *job)
{
    switch (job->kind) {
    case MR_KEEPER_START:
        start(lane, job);
        break;
    case MR_KEEPER_PREPARE:
        prepare(lane, job);
        break;
    case MR_KEEPER_RELEASE:
        mr_task_release(job->task);
        job->status = job->task->status;
        break;
    case MR_KEEPER_RETIRE:
        retire(lane, job);
        break;
    case MR_KEEPER_HOUSEKEEPING:
        housekeeping(lane, job);
        break;
    case MR_KEEPER_DISPOSE:
        mr_lane_dispose(lane);
        break;
    }
}

void *mr_keeper_main(void *argument)
{
    struct mr_worker *worker = argument;
    void *item;
    while (mr_ring_pop(worker->jobs, &item, -1) == MR_OK) {
        struct mr_keeper_job *job = item;
        struct mr_lane *lane = job->lane;
        work(lane, job);
        if (job->kind == MR_KEEPER_DISPOSE) {
            mr_memory_free(job);
            atomic_store(&lane->disposed, true); /* the last that is done with the lane */
        } else if (mr_ring_push(lane->jobs_done, job, -1) != MR_OK) {
            break;
        }
    }
    return NULL;
}
