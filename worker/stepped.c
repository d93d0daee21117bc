/* worker/stepped.c — see stepped.h. */
#include "worker/stepped.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "worker/internal.h"

enum {
    QUIET_STEPS = 4, /* one that finds nothing, one behind a commit, and as many again */
    COMMIT_WAIT_MS = 1000,
    KEEPER_WAIT_MS = 1,
    STOP_MS_MAX = 30000
};

static const uint64_t ns_per_ms = 1000000;

struct mr_stepped {
    struct mr_worker *worker;
    struct mr_query_registry *queries;
    struct mr_running *running;
    struct mr_lane *lane;
};

enum mr_status mr_stepped_open(const struct mr_stepped_open *open, struct mr_stepped **stepped,
                               struct mr_error *error)
{
    struct mr_stepped *made = mr_memory_new(1, sizeof(*made));
    made->queries = mr_query_registry_create();
    struct mr_worker_open worker = {.log = open->log,
                                    .metrics = open->metrics,
                                    .name = "millrace-test",
                                    .threads_count = 1,
                                    .memory_bytes = open->memory_bytes,
                                    .queries = made->queries};
    *stepped = made;
    enum mr_status status = mr_worker_create(&worker, &made->worker, error);
    if (status == MR_OK)
        status = mr_worker_add(made->worker, open->deployment, &made->running, error);
    if (status == MR_OK)
        status = mr_worker_assign_all(made->running, error);
    if (status == MR_OK)
        status = mr_worker_start_keepers(made->worker, error);
    if (status == MR_OK) {
        MR_ASSERT(made->running->lanes_count == 1);
        made->lane = made->running->lanes[0];
    }
    return status;
}

/* ---- Settling ---- */

/* Jobs that what comes next depends on; keeping house is none. */
static bool has_jobs(const struct mr_lane *lane)
{
    return lane->jobs_count > (lane->housekeeping ? 1u : 0u);
}

/* Whatever the lane waits for is with another thread: wait for that. Pauses before another try are
 * over at once, since nobody moves the clock meanwhile. */
static void wait_for_others(struct mr_lane *lane)
{
    for (uint32_t index = 0; index < lane->tasks_count; index++)
        if (lane->tasks[index]->phase == MR_TASK_WAITING)
            lane->tasks[index]->retry_ms = 0;
    if (lane->committing != NULL)
        (void)mr_lane_take_commit(lane, COMMIT_WAIT_MS);
    else if (lane->phase == MR_LANE_BACKING_OFF)
        lane->back_off_until_ms = 0;
    else if (has_jobs(lane) || lane->phase != MR_LANE_RUNNING)
        mr_clock_sleep_ms(KEEPER_WAIT_MS);
}

static bool is_ready(const struct mr_lane *lane)
{
    return lane->phase == MR_LANE_RUNNING && !has_jobs(lane) &&
           atomic_load(&lane->tasks_running) == lane->tasks_count && lane->tasks_count > 0;
}

static bool is_idle(const struct mr_lane *lane)
{
    return is_ready(lane) && lane->committing == NULL && mr_transaction_empty(lane->open);
}

static enum mr_status failure(const struct mr_stepped *stepped, struct mr_error *error)
{
    struct mr_running *running = stepped->running;
    (void)pthread_mutex_lock(&running->mutex);
    *error = running->error;
    (void)pthread_mutex_unlock(&running->mutex);
    return error->status;
}

enum mr_status mr_stepped_settle(struct mr_stepped *stepped, struct mr_error *error)
{
    struct mr_lane *lane = stepped->lane;
    uint64_t until_ns = mr_clock_steady_ns() + MR_STEPPED_SETTLE_MS_MAX * ns_per_ms;
    uint32_t quiet_steps = 0;
    while (quiet_steps < QUIET_STEPS) {
        if (atomic_load(&stepped->running->failed))
            return failure(stepped, error);
        if (mr_clock_steady_ns() >= until_ns)
            return MR_FAIL(error, MR_TIMEOUT, MR_RECOVERY_FAIL_TOPOLOGY,
                           "The topology does not come to rest within %d s: records go round in "
                           "it, or it is given too many.",
                           MR_STEPPED_SETTLE_MS_MAX / 1000);
        /* This thread waits for others as it likes: the topology was looking all the time. */
        lane->looked_steady_ns = mr_clock_steady_ns();
        bool worked = mr_lane_step(lane, 0);
        if (!worked && is_idle(lane))
            worked = mr_lane_hurry_marks(lane); /* nobody moves the clock meanwhile */
        else if (!worked && is_ready(lane) && lane->committing == NULL &&
                 !mr_transaction_empty(lane->open)) {
            mr_lane_seal(lane);
            worked = true;
        }
        quiet_steps = !worked && is_idle(lane) ? quiet_steps + 1 : 0;
        if (quiet_steps == 0)
            wait_for_others(lane);
    }
    return MR_OK;
}

void mr_stepped_end_source(struct mr_stepped *stepped, uint32_t node)
{
    for (uint32_t index = 0; index < stepped->lane->tasks_count; index++) {
        struct mr_task *task = stepped->lane->tasks[index];
        for (uint32_t input = 0; input < task->inputs_count; input++)
            if (task->inputs[input].node == node && !task->inputs[input].repartition)
                task->inputs[input].ended = true;
    }
}

void mr_stepped_query(struct mr_stepped *stepped, const struct mr_query *query,
                      struct mr_arena *arena, struct mr_query_answer *answer)
{
    mr_query_run(stepped->queries, query, arena, answer);
}

/* ---- The end ---- */

/* Step the lane to its end: its producers, its committer and its jobs. */
static void stop_lane(struct mr_stepped *stepped)
{
    struct mr_lane *lane = stepped->lane;
    uint64_t until_ns = mr_clock_steady_ns() + STOP_MS_MAX * ns_per_ms;
    atomic_store(&lane->stop_wanted, true);
    while (lane->phase != MR_LANE_STOPPED) {
        if (!mr_lane_step(lane, 0))
            wait_for_others(lane);
        if (lane->phase == MR_LANE_RUNNING && lane->committing == NULL &&
            !mr_transaction_empty(lane->open))
            mr_lane_seal(lane);
        MR_ASSERT(mr_clock_steady_ns() < until_ns);
    }
}

void mr_stepped_close(struct mr_stepped *stepped)
{
    if (stepped == NULL)
        return;
    if (stepped->lane != NULL)
        stop_lane(stepped);
    mr_worker_destroy(stepped->worker);
    mr_query_registry_destroy(stepped->queries);
    mr_memory_free(stepped);
}
