/* worker/worker.c — task threads, keepers, and the topologies that run on them. */
#include "worker/worker.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/processor.h"
#include "worker/failpoint.h"
#include "worker/internal.h"

enum {
    LANE_WAIT_MS = 20,
    LOOKS_MIN = 2, /* one may have been under way */
    IDLE_SLEEP_MS = 1,
    KEEPERS_EXTRA = 2, /* beside two per task thread: claims do not queue behind restores */
    LANES_MAX = 4096,
    RESTLESS_MS = 20,
    RESTLESS_SLICE_NS = 10000000 /* Linux has 700,000 to 2,800,000 by default */
};

static void free_worker(struct mr_worker *worker)
{
    for (uint32_t index = 0; index < worker->open.threads_count; index++) {
        mr_ring_destroy(worker->threads[index].arrivals);
        mr_memory_free(worker->threads[index].lanes);
        mr_memory_free(worker->threads[index].shares.items);
    }
    if (worker->store_resources != NULL)
        worker->store_ops->resources_destroy(worker->store_resources);
    mr_fenced_deinit(&worker->fenced);
    mr_memory_free(worker->claims_topic);
    mr_memory_free(worker->cluster);
    mr_ring_destroy(worker->jobs);
    mr_memory_free(worker->runnings);
    mr_memory_free(worker->threads);
    mr_memory_free(worker);
}

enum mr_status mr_worker_create(const struct mr_worker_open *open, struct mr_worker **worker,
                                struct mr_error *error)
{
    struct mr_worker *created = mr_memory_new(1, sizeof(*created));
    created->open = *open;
    created->store_ops = open->state_directory == NULL ? &mr_store_memory : &mr_store_rocksdb;
    created->store_resources = created->store_ops->resources_create(open->memory_bytes / 2);
    created->threads = mr_memory_new(open->threads_count, sizeof(*created->threads));
    created->jobs = mr_ring_create(MR_KEEPER_JOBS_MAX);
    mr_fenced_init(&created->fenced);
    for (uint32_t index = 0; index < open->threads_count; index++) {
        created->threads[index].worker = created;
        created->threads[index].arrivals = mr_ring_create(LANES_MAX);
    }
    if (created->store_resources == NULL) {
        free_worker(created);
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_EXIT,
                       "The state's caches could not be set up within the memory budget.");
    }
    *worker = created;
    return MR_OK;
}

/* ---- Threads ---- */

static void drop_stopped(struct mr_task_thread *thread)
{
    uint32_t kept_count = 0;
    for (uint32_t index = 0; index < thread->lanes_count; index++) {
        struct mr_lane *lane = thread->lanes[index];
        if (lane->phase == MR_LANE_STOPPED) {
            atomic_store(&lane->detached, true);
            continue;
        }
        thread->shares.items[kept_count] = thread->shares.items[index];
        thread->lanes[kept_count++] = lane;
    }
    thread->lanes_count = kept_count;
    thread->shares.count = kept_count;
}

static void take_lanes(struct mr_task_thread *thread, int64_t wait_ms)
{
    void *item;
    while (mr_ring_pop(thread->arrivals, &item, wait_ms) == MR_OK) {
        uint32_t count = thread->lanes_count + 1;
        thread->lanes = mr_memory_resize(thread->lanes, count * sizeof(*thread->lanes));
        thread->lanes[thread->lanes_count] = item;
        struct mr_share *shares = thread->shares.items;
        thread->shares.items = mr_memory_resize(shares, count * sizeof(*shares));
        thread->shares.items[thread->lanes_count] = (struct mr_share){0};
        thread->lanes_count = count;
        thread->shares.count = count;
        wait_ms = 0;
    }
}

/* One turn over the lanes, as their shares have it. *polls: some lane has waited for records.
 * Returns whether one worked. */
static bool turn(struct mr_task_thread *thread, uint32_t wait_ms, bool *polls)
{
    bool worked = false;
    uint32_t index;
    *polls = false;
    mr_shares_begin(&thread->shares);
    uint64_t begun_ns = mr_clock_thread_cpu_ns();
    while ((index = mr_shares_next(&thread->shares)) < thread->lanes_count) {
        struct mr_lane *lane = thread->lanes[index];
        lane->shares_thread = thread->lanes_count > 1;
        worked = mr_lane_step(lane, wait_ms) || worked;
        uint64_t ended_ns = mr_clock_thread_cpu_ns();
        mr_shares_stepped(&thread->shares, index, ended_ns - begun_ns);
        begun_ns = ended_ns;
        *polls = *polls || (lane->phase == MR_LANE_RUNNING && lane->consumer != NULL &&
                            atomic_load(&lane->tasks_running) > 0);
    }
    drop_stopped(thread);
    return worked;
}

/* A thread that works without a rest asks for long slices, so that whoever wakes up on its
 * processor comes first: committers, the log's client threads, a broker on the same machine. Each
 * commit is dozens of such wake-ups, one after the other. One that rests is itself in a hurry. */
static void heed_rest(struct mr_task_thread *thread, bool worked)
{
    struct mr_error error;
    uint64_t now_ms = mr_clock_monotonic_ms();
    if (!worked)
        thread->rested_ms = now_ms;
    bool restless = now_ms - thread->rested_ms >= RESTLESS_MS;
    if (restless == thread->restless)
        return;
    thread->restless = restless;
    if (mr_processor_ask_slice(restless ? RESTLESS_SLICE_NS : 0, &error) != MR_OK)
        MR_LOG_AT(MR_LOG_DEBUG, "worker", NULL, "Task threads run in the kernel's slices: %s",
                  error.message);
}

static void *task_thread_main(void *argument)
{
    struct mr_task_thread *thread = argument;
    bool worked = false;
    bool polls = false;
    thread->rested_ms = mr_clock_monotonic_ms();
    for (;;) {
        bool stopping = atomic_load(&thread->worker->stopping);
        take_lanes(thread, worked || polls           ? 0
                           : thread->lanes_count > 0 ? IDLE_SLEEP_MS
                                                     : LANE_WAIT_MS);
        if (stopping && thread->lanes_count == 0)
            break;
        /* An idle lane does not make a busy one wait. */
        uint32_t wait_ms = thread->lanes_count == 1 ? LANE_WAIT_MS : worked ? 0 : IDLE_SLEEP_MS;
        worked = turn(thread, wait_ms, &polls);
        mr_failpoint("task_thread_turned");
        heed_rest(thread, worked);
        atomic_store(&thread->turned_ms, mr_clock_monotonic_ms());
    }
    atomic_store(&thread->finished, true);
    return NULL;
}

enum mr_status mr_worker_start_keepers(struct mr_worker *worker, struct mr_error *error)
{
    uint32_t keepers_count = worker->open.threads_count * 2 + KEEPERS_EXTRA;
    if (keepers_count > MR_KEEPERS_MAX)
        keepers_count = MR_KEEPERS_MAX;
    for (uint32_t index = 0; index < keepers_count; index++) {
        int failed = pthread_create(&worker->keepers[index], NULL, mr_keeper_main, worker);
        if (failed != 0)
            return MR_FAIL_ERRNO(error, failed, MR_RECOVERY_EXIT, "A keeper thread");
        worker->keepers_count++;
    }
    return MR_OK;
}

static enum mr_status start_threads(struct mr_worker *worker, struct mr_error *error)
{
    enum mr_status status = mr_worker_start_keepers(worker, error);
    if (status != MR_OK)
        return status;
    for (uint32_t index = 0; index < worker->open.threads_count; index++) {
        atomic_store(&worker->threads[index].turned_ms, mr_clock_monotonic_ms());
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
    worker->started = true;
    enum mr_status status = start_threads(worker, error);
    if (status == MR_OK)
        return MR_OK;
    /* A part of it runs: that part is stopped, so that the worker can be destroyed. */
    while (!mr_worker_stop(worker, MR_LOG_WAIT_MS))
        ;
    return status;
}

bool mr_worker_stop(struct mr_worker *worker, uint32_t deadline_ms)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + deadline_ms;
    for (uint32_t index = 0; index < worker->runnings_count; index++)
        for (uint32_t lane = 0; lane < worker->runnings[index]->lanes_count; lane++)
            atomic_store(&worker->runnings[index]->lanes[lane]->stop_wanted, true);
    atomic_store(&worker->stopping, true);
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

static void free_running(struct mr_running *running)
{
    for (uint32_t index = 0; index < running->tasks_count; index++)
        mr_task_destroy(running->tasks[index]);
    for (uint32_t index = 0; index < running->lanes_count; index++)
        mr_memory_free(running->lanes[index]);
    mr_memory_free(running->tasks);
    mr_memory_free(running->lanes);
    mr_memory_free(running->paused_nodes);
    mr_memory_free(running->taps);
    mr_arena_deinit(&running->arena);
    (void)pthread_mutex_destroy(&running->mutex);
    mr_memory_free(running);
}

/* Lanes that a thread never took, or was not there to take, are stopped where they are. */
static void dispose_lanes(struct mr_running *running)
{
    for (uint32_t index = 0; index < running->lanes_count; index++) {
        struct mr_lane *lane = running->lanes[index];
        void *item;
        if (atomic_load(&lane->disposed))
            continue; /* by a keeper: its rings are gone */
        while (mr_ring_pop(lane->arrivals, &item, 0) == MR_OK)
            ; /* its topology has it, too */
        lane->phase = MR_LANE_STOPPED;
        mr_lane_dispose(lane);
    }
}

void mr_worker_destroy(struct mr_worker *worker)
{
    if (worker == NULL)
        return;
    mr_ring_close(worker->jobs);
    for (uint32_t index = 0; index < worker->keepers_count; index++)
        (void)pthread_join(worker->keepers[index], NULL);
    for (uint32_t index = 0; index < worker->open.threads_count; index++)
        take_lanes(&worker->threads[index], 0);
    for (uint32_t index = 0; index < worker->runnings_count; index++) {
        for (uint32_t task = 0; task < worker->runnings[index]->tasks_count; task++)
            mr_task_close(worker->runnings[index]->tasks[task]);
        dispose_lanes(worker->runnings[index]);
        free_running(worker->runnings[index]);
    }
    free_worker(worker);
}

/* ---- Topologies ---- */

enum mr_status mr_worker_add(struct mr_worker *worker, const struct mr_deployment *deployment,
                             struct mr_running **running, struct mr_error *error)
{
    struct mr_running *added = mr_memory_new(1, sizeof(*added));
    added->worker = worker;
    added->deployment = deployment;
    added->paused_nodes =
        mr_memory_new(deployment->plan->nodes_count + 1, sizeof(*added->paused_nodes));
    if (worker->outlet.publish != NULL)
        added->taps = mr_memory_new(deployment->plan->nodes_count + 1, sizeof(*added->taps));
    (void)pthread_mutex_init(&added->mutex, NULL);
    mr_arena_init(&added->arena, 1024);
    enum mr_status status = mr_running_settings(added, error);
    if (status != MR_OK) {
        free_running(added);
        return status;
    }
    worker->runnings = mr_memory_resize(worker->runnings,
                                        (worker->runnings_count + 1) * sizeof(*worker->runnings));
    worker->runnings[worker->runnings_count++] = added;
    *running = added;
    return MR_OK;
}

bool mr_worker_remove(struct mr_running *running)
{
    struct mr_worker *worker = running->worker;
    MR_ASSERT(running->tasks_count == 0);
    if (!running->closing) {
        running->closing = true;
        for (uint32_t index = 0; index < running->lanes_count; index++)
            atomic_store(&running->lanes[index]->stop_wanted, true);
    }
    bool gone = true;
    for (uint32_t index = 0; index < running->lanes_count; index++) {
        struct mr_lane *lane = running->lanes[index];
        gone = gone && atomic_load(&lane->disposed);
        if (!atomic_load(&lane->detached) || lane->disposing)
            continue;
        struct mr_keeper_job *job = mr_memory_new(1, sizeof(*job));
        job->kind = MR_KEEPER_DISPOSE;
        job->lane = lane;
        lane->disposing = true;
        enum mr_status status = mr_ring_push(worker->jobs, job, -1);
        MR_ASSERT(status == MR_OK);
    }
    if (!gone)
        return false;
    uint32_t index = 0;
    while (worker->runnings[index] != running)
        index++;
    worker->runnings[index] = worker->runnings[--worker->runnings_count];
    free_running(running);
    return true;
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

void mr_worker_pause_source(struct mr_running *running, uint32_t node, bool paused)
{
    MR_ASSERT(node < running->deployment->plan->nodes_count);
    atomic_store(&running->paused_nodes[node], paused);
}

void mr_worker_set_taps(struct mr_worker *worker, const struct mr_tap_outlet *outlet)
{
    MR_ASSERT(worker->runnings_count == 0);
    worker->outlet = *outlet;
}

void mr_worker_look_at_taps(struct mr_worker *worker)
{
    for (uint32_t index = 0; index < worker->runnings_count; index++) {
        struct mr_running *running = worker->runnings[index];
        const struct mr_plan *plan = running->deployment->plan;
        for (uint32_t node = 0; running->taps != NULL && node < plan->nodes_count; node++)
            atomic_store(&running->taps[node].open,
                         worker->outlet.listeners(worker->outlet.argument, plan->name,
                                                  plan->nodes[node].name) > 0);
    }
}

void mr_worker_status(const struct mr_running *running, struct mr_running_status *status)
{
    bool ended = running->lanes_count > 0;
    int64_t lag = 0;
    *status = (struct mr_running_status){.tasks_count = running->tasks_count};
    for (uint32_t index = 0; index < running->tasks_count; index++) {
        status->input_records += atomic_load(&running->tasks[index]->shared.input_records);
        status->output_records += atomic_load(&running->tasks[index]->shared.output_records);
    }
    for (uint32_t index = 0; index < running->lanes_count; index++) {
        struct mr_lane *lane = running->lanes[index];
        status->anomalies += atomic_load(&lane->anomalies);
        status->commits_count += atomic_load(&lane->commits_count);
        status->incarnations_count += atomic_load(&lane->incarnations_count);
        status->tasks_running += atomic_load(&lane->tasks_running);
        uint64_t commit_us = atomic_load(&lane->commit_us_last);
        status->commit_us = commit_us > status->commit_us ? commit_us : status->commit_us;
        int64_t lane_lag = atomic_load(&lane->lag);
        lag = lane_lag < 0 || lag < 0 ? -1 : lag + lane_lag;
        ended = ended && atomic_load(&lane->at_end) &&
                atomic_load(&lane->looks) - lane->looks_before >= LOOKS_MIN;
    }
    status->lag = lag;
    status->restored_records = atomic_load(&running->restored_records);
    status->state = ended ? MR_RUNNING_ENDED : MR_RUNNING_ACTIVE;
    if (atomic_load(&running->failed)) {
        status->state = MR_RUNNING_FAILED;
        status->error = running->error;
    }
}

void mr_worker_look_again(struct mr_running *running)
{
    for (uint32_t index = 0; index < running->lanes_count; index++) {
        struct mr_lane *lane = running->lanes[index];
        lane->looks_before = atomic_load(&lane->looks);
    }
}

uint64_t mr_worker_questions(const struct mr_worker *worker)
{
    return atomic_load(&worker->questions);
}

void mr_worker_answered(struct mr_worker *worker, uint64_t questions)
{
    if (questions > atomic_load(&worker->answered_questions))
        atomic_store(&worker->answered_questions, questions);
}

uint64_t mr_worker_silence_ms(const struct mr_worker *worker, uint32_t *thread)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    uint64_t longest_ms = 0;
    *thread = 0;
    for (uint32_t index = 0; index < worker->open.threads_count && worker->started; index++) {
        uint64_t turned_ms = atomic_load(&worker->threads[index].turned_ms);
        if (now_ms <= turned_ms || now_ms - turned_ms <= longest_ms)
            continue;
        longest_ms = now_ms - turned_ms;
        *thread = index;
    }
    return longest_ms;
}
