/* worker/lane.h — a task thread's share of one topology: its tasks, clients, transactions,
 * incarnation. Model: three threads work for a lane. task thread  polls, runs operators, stages the
 * open transaction, seals it committer    writes a sealed transaction: begin, records, changelogs,
 * progress, commit, then RocksDB keeper       whatever waits on the log: producers, claims,
 * restore, release, housekeeping They share nothing but bounded rings; a transaction or task
 * belongs to one of them at a time.
 *
 *   open transaction --seal--> committer --done--> task thread (release, reuse)
 *
 * Incarnation: a fresh random id per start; its two data producers are created before any claim
 * names it and never again. After any transactional failure both producers are destroyed,
 * everything in memory is dropped and the lane starts over under a new incarnation
 * (docs/EXACTLY_ONCE.md). At most one transaction is in the committer; its two producers alternate,
 * which avoids Kafka's back-off after a commit. */
#ifndef MR_WORKER_LANE_H
#define MR_WORKER_LANE_H

#include "base/ring.h"
#include "worker/task.h"
#include "worker/worker.h"

#include <pthread.h>
#include <stdatomic.h>

enum mr_lane_phase {
    MR_LANE_STARTING,    /* the keeper creates producers */
    MR_LANE_RUNNING,     /* tasks are prepared, then run */
    MR_LANE_FAILING,     /* waiting for the committer and the keeper to come to an end */
    MR_LANE_RETIRING,    /* the keeper destroys the producers */
    MR_LANE_BACKING_OFF, /* until the next incarnation */
    MR_LANE_DRAINING,    /* committing what is open */
    MR_LANE_RELEASING,   /* the keeper releases the tasks */
    MR_LANE_STOPPED
};

enum mr_keeper_job_kind {
    MR_JOB_START,
    MR_JOB_PREPARE,
    MR_JOB_RELEASE,
    MR_JOB_RETIRE,
    MR_JOB_HOUSEKEEPING
};

/* A job for the keeper; comes back as the answer. */
struct mr_keeper_job {
    enum mr_keeper_job_kind kind;
    struct mr_task *task;
    struct mr_log_producer *producers[2];
    uint64_t incarnation;
    struct mr_log_assignment *offsets; /* HOUSEKEEPING: committed offsets; owner: the job */
    int64_t *ends;                     /* end of each, for lag; -1 unknown */
    bool *repartitions;
    uint32_t offsets_count;
    enum mr_status status;
    struct mr_error error;
};

struct mr_lane {
    struct mr_worker *worker;
    struct mr_running *running; /* the topology */
    const struct mr_deployment *deployment;
    struct mr_log *log;
    uint32_t thread_index;
    enum mr_lane_phase phase;
    uint64_t incarnation;
    uint64_t back_off_until_ms; /* monotonic */
    uint32_t failures_count;    /* in a row, without a commit between */
    uint32_t refusals_count;    /* failures for the data's sake, without a calm time between */
    uint32_t calm_commits;      /* since the last of these */

    struct mr_task **tasks;
    uint32_t tasks_count;
    struct mr_task_input **inputs; /* by tag */
    struct mr_task **input_tasks;  /* by tag */
    uint32_t inputs_count;

    struct mr_log_consumer *consumer;
    struct mr_log_producer *producers[2];
    uint64_t transactions_count;
    struct mr_transaction *open;
    struct mr_transaction *committing; /* NULL: the committer is idle */
    struct mr_transaction *spare;
    struct mr_writer writer;
    struct mr_evaluator *evaluator;
    struct mr_series *series; /* by node */
    struct mr_lane_series lane_series;
    struct mr_arena batch_arena;
    uint64_t last_housekeeping_ms;
    uint32_t poll_records_max; /* of the sources' `batch:` */
    uint32_t poll_pause_ms;    /* at most this long records gather before they are polled */
    uint64_t next_poll_ms;
    bool poll_was_small; /* the last poll found less than a batch: load is low */
    bool housekeeping;   /* a job is under way */
    bool final;          /* after RETIRING comes STOPPED */
    uint32_t jobs_count; /* under way with the keeper */

    struct mr_ring *commits; /* to the committer */
    struct mr_ring *commits_done;
    struct mr_ring *jobs; /* to the keeper */
    struct mr_ring *jobs_done;
    pthread_t committer;
    pthread_t keeper;
    bool threads_started;

    atomic_bool stop_wanted;
    atomic_bool abandoned; /* the incarnation has failed: the keeper skips preparations */
    atomic_bool at_end;
    _Atomic uint64_t input_records;
    _Atomic uint64_t output_records;
    _Atomic uint64_t anomalies;
    _Atomic uint64_t commits_count;
    _Atomic uint64_t incarnations_count;
    _Atomic uint64_t commit_us_last;
    _Atomic int64_t lag;
    _Atomic uint32_t tasks_running;
};

struct mr_lane *mr_lane_create(struct mr_worker *worker, struct mr_running *running,
                               uint32_t thread_index);
/* Add a task before mr_lane_start. */
void mr_lane_add_task(struct mr_lane *lane, uint32_t subtopology, int32_t partition);
enum mr_status mr_lane_start(struct mr_lane *lane, struct mr_error *error) MR_NODISCARD;
/* One round: events, poll, process, seal. wait_ms bounds the wait for records. Returns true when it
 * did something. */
bool mr_lane_step(struct mr_lane *lane, uint32_t wait_ms);
/* Tell the embedded broker that an input has passed offset; -1: it reads no more. Nothing on Kafka.
 */
enum mr_status mr_lane_tell_passed(struct mr_lane *lane, const struct mr_task_input *input,
                                   int64_t offset, struct mr_error *error) MR_NODISCARD;
/* Ends its threads and frees it. Pre: phase STOPPED. */
void mr_lane_destroy(struct mr_lane *lane);

/* Keeper: the incarnation has failed, or the lane stops; what was asked of the keeper is void. */
static inline bool mr_lane_given_up(const struct mr_lane *lane)
{
    return atomic_load(&lane->abandoned) || atomic_load(&lane->stop_wanted);
}

/* worker/committer.c */
void *mr_committer_main(void *lane);
/* worker/keeper.c */
void *mr_keeper_main(void *lane);

#endif
