/* worker/worker.c — task threads, and the lanes that run on them. */
#include "worker/worker.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "worker/internal.h"

enum { LANE_WAIT_MS = 20, IDLE_SLEEP_MS = 1 };

enum mr_status mr_worker_create(const struct mr_worker_open *open, struct mr_worker **worker,
                                struct mr_error *error)
{
    struct mr_worker *created = mr_memory_new(1, sizeof(*created));
    created->open = *open;
    created->store_ops = open->state_directory == NULL ? &mr_store_memory : &mr_store_rocksdb;
    created->store_resources = created->store_ops->resources_create(open->memory_bytes / 2);
    created->threads = mr_memory_new(open->threads_count, sizeof(*created->threads));
    if (created->store_resources == NULL) {
        mr_memory_free(created->threads);
        mr_memory_free(created);
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_EXIT,
                       "The state's caches could not be set up within the memory budget.");
    }
    for (uint32_t index = 0; index < open->threads_count; index++)
        created->threads[index].worker = created;
    *worker = created;
    return MR_OK;
}

static struct mr_lane *lane_for(struct mr_worker *worker, struct mr_running *running,
                                uint32_t thread_index)
{
    struct mr_task_thread *thread = &worker->threads[thread_index];
    for (uint32_t index = 0; index < thread->lanes_count; index++)
        if (thread->lanes[index]->running == running)
            return thread->lanes[index];
    struct mr_lane *lane = mr_lane_create(worker, running, thread_index);
    thread->lanes =
        mr_memory_resize(thread->lanes, (thread->lanes_count + 1) * sizeof(struct mr_lane *));
    thread->lanes[thread->lanes_count++] = lane;
    running->lanes =
        mr_memory_resize(running->lanes, (running->lanes_count + 1) * sizeof(struct mr_lane *));
    running->lanes[running->lanes_count++] = lane;
    return lane;
}

enum mr_status mr_worker_add(struct mr_worker *worker, const struct mr_deployment *deployment,
                             struct mr_running **running, struct mr_error *error)
{
    MR_ASSERT(!worker->started);
    struct mr_running *added = mr_memory_new(1, sizeof(*added));
    added->worker = worker;
    added->deployment = deployment;
    (void)pthread_mutex_init(&added->mutex, NULL);
    mr_arena_init(&added->arena, 1024);
    worker->runnings = mr_memory_resize(worker->runnings,
                                        (worker->runnings_count + 1) * sizeof(struct mr_running *));
    worker->runnings[worker->runnings_count++] = added;
    enum mr_status status = mr_running_settings(added, error);
    if (status != MR_OK)
        return status;
    worker->claimer =
        (struct mr_claimer){.log = worker->open.log,
                            .cluster = deployment->cluster,
                            .worker = worker->open.name,
                            .claims_topic = deployment->claims.name,
                            .claims_partitions_count = deployment->claims.partitions_count,
                            .wait_ms = MR_LOG_WAIT_MS};
    for (uint32_t index = 0; index < deployment->plan->subtopologies_count; index++)
        for (int32_t partition = 0; partition < deployment->subtopologies[index].tasks_count;
             partition++) {
            uint32_t thread_index = worker->tasks_count++ % worker->open.threads_count;
            mr_lane_add_task(lane_for(worker, added, thread_index), index, partition);
            added->tasks_count++;
        }
    *running = added;
    return MR_OK;
}

static bool lanes_stopped(const struct mr_task_thread *thread)
{
    for (uint32_t index = 0; index < thread->lanes_count; index++)
        if (thread->lanes[index]->phase != MR_LANE_STOPPED)
            return false;
    return true;
}

static void *task_thread_main(void *argument)
{
    struct mr_task_thread *thread = argument;
    bool alone = thread->lanes_count == 1;
    bool worked = false;
    while (!lanes_stopped(thread)) {
        /* An idle lane does not make a busy one wait. */
        uint32_t wait_ms = alone ? LANE_WAIT_MS : worked ? 0 : IDLE_SLEEP_MS;
        bool polls = false;
        worked = false;
        for (uint32_t index = 0; index < thread->lanes_count; index++) {
            struct mr_lane *lane = thread->lanes[index];
            worked = mr_lane_step(lane, wait_ms) || worked;
            polls = polls || (lane->phase == MR_LANE_RUNNING && lane->consumer != NULL &&
                              atomic_load(&lane->tasks_running) > 0);
        }
        if (!worked && !polls)
            mr_clock_sleep_ms(IDLE_SLEEP_MS);
    }
    atomic_store(&thread->finished, true);
    return NULL;
}

/* On the embedded broker a topic that has a reader keeps its records until they are read: every
 * reader is known before anything runs. */
static enum mr_status register_readers(const struct mr_running *running, struct mr_error *error)
{
    for (uint32_t lane = 0; lane < running->lanes_count; lane++)
        for (uint32_t index = 0; index < running->lanes[lane]->inputs_count; index++) {
            const struct mr_task_input *input = running->lanes[lane]->inputs[index];
            if (input->repartition)
                continue;
            enum mr_status status = mr_lane_tell_passed(running->lanes[lane], input, 0, error);
            if (status != MR_OK)
                return status;
        }
    return MR_OK;
}

static enum mr_status start_all(struct mr_worker *worker, struct mr_error *error)
{
    for (uint32_t index = 0; index < worker->runnings_count; index++) {
        enum mr_status status = register_readers(worker->runnings[index], error);
        if (status != MR_OK)
            return status;
    }
    for (uint32_t index = 0; index < worker->runnings_count; index++)
        for (uint32_t lane = 0; lane < worker->runnings[index]->lanes_count; lane++) {
            enum mr_status status = mr_lane_start(worker->runnings[index]->lanes[lane], error);
            if (status != MR_OK)
                return status;
        }
    for (uint32_t index = 0; index < worker->open.threads_count; index++) {
        int failed = pthread_create(&worker->threads[index].thread, NULL, task_thread_main,
                                    &worker->threads[index]);
        if (failed != 0)
            return MR_FAIL_ERRNO(error, failed, MR_RECOVERY_EXIT, "A task thread");
        worker->threads[index].started = true;
    }
    return MR_OK;
}

enum mr_status mr_worker_start(struct mr_worker *worker, struct mr_error *error)
{
    MR_ASSERT(!worker->started);
    enum mr_status status = start_all(worker, error);
    worker->started = true;
    if (status == MR_OK)
        return MR_OK;
    /* A part of it runs: that part is stopped, so that the worker can be destroyed. */
    while (!mr_worker_stop(worker, MR_LOG_WAIT_MS))
        ;
    for (uint32_t index = 0; index < worker->open.threads_count; index++)
        for (uint32_t lane = 0; lane < worker->threads[index].lanes_count; lane++)
            worker->threads[index].lanes[lane]->phase = MR_LANE_STOPPED;
    return status;
}

void mr_worker_fail(struct mr_running *running, const struct mr_error *error)
{
    mr_running_fail(running, error);
}

void mr_running_fail(struct mr_running *running, const struct mr_error *error)
{
    (void)pthread_mutex_lock(&running->mutex);
    if (!atomic_load(&running->failed)) {
        running->error = *error;
        atomic_store(&running->failed, true);
    }
    (void)pthread_mutex_unlock(&running->mutex);
}

void mr_worker_status(const struct mr_running *running, struct mr_running_status *status)
{
    bool ended = running->lanes_count > 0;
    int64_t lag = 0;
    *status = (struct mr_running_status){.tasks_count = running->tasks_count};
    for (uint32_t index = 0; index < running->lanes_count; index++) {
        struct mr_lane *lane = running->lanes[index];
        status->input_records += atomic_load(&lane->input_records);
        status->output_records += atomic_load(&lane->output_records);
        status->anomalies += atomic_load(&lane->anomalies);
        status->commits_count += atomic_load(&lane->commits_count);
        status->incarnations_count += atomic_load(&lane->incarnations_count);
        status->tasks_running += atomic_load(&lane->tasks_running);
        uint64_t commit_us = atomic_load(&lane->commit_us_last);
        status->commit_us = commit_us > status->commit_us ? commit_us : status->commit_us;
        int64_t lane_lag = atomic_load(&lane->lag);
        lag = lane_lag < 0 || lag < 0 ? -1 : lag + lane_lag;
        ended = ended && atomic_load(&lane->at_end);
    }
    status->lag = lag;
    status->restored_records = atomic_load(&running->restored_records);
    status->state = ended ? MR_RUNNING_ENDED : MR_RUNNING_ACTIVE;
    if (atomic_load(&running->failed)) {
        status->state = MR_RUNNING_FAILED;
        status->error = running->error;
    }
}

bool mr_worker_stop(struct mr_worker *worker, uint32_t deadline_ms)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + deadline_ms;
    for (uint32_t index = 0; index < worker->runnings_count; index++)
        for (uint32_t lane = 0; lane < worker->runnings[index]->lanes_count; lane++)
            atomic_store(&worker->runnings[index]->lanes[lane]->stop_wanted, true);
    for (uint32_t index = 0; index < worker->open.threads_count; index++) {
        struct mr_task_thread *thread = &worker->threads[index];
        while (thread->started && !atomic_load(&thread->finished)) {
            if (mr_clock_monotonic_ms() >= until_ms)
                return false;
            mr_clock_sleep_ms(IDLE_SLEEP_MS);
        }
        if (thread->started && !thread->joined)
            thread->joined = pthread_join(thread->thread, NULL) == 0;
    }
    return true;
}

void mr_worker_destroy(struct mr_worker *worker)
{
    if (worker == NULL)
        return;
    for (uint32_t index = 0; index < worker->runnings_count; index++) {
        struct mr_running *running = worker->runnings[index];
        for (uint32_t lane = 0; lane < running->lanes_count; lane++)
            mr_lane_destroy(running->lanes[lane]);
        mr_memory_free(running->lanes);
        mr_arena_deinit(&running->arena);
        (void)pthread_mutex_destroy(&running->mutex);
        mr_memory_free(running);
    }
    for (uint32_t index = 0; index < worker->open.threads_count; index++)
        mr_memory_free(worker->threads[index].lanes);
    worker->store_ops->resources_destroy(worker->store_resources);
    mr_memory_free(worker->runnings);
    mr_memory_free(worker->threads);
    mr_memory_free(worker);
}
