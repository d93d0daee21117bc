/* worker/lane.h — a task thread's share of one topology: its tasks, clients, transactions,
 * incarnation. Model: the task thread polls, runs operators, stages the open transaction and seals
 * it; the lane's committer writes a sealed transaction (begin, records, changelogs, progress,
 * commit, then RocksDB); the worker's keepers do whatever waits on the log (producers, claims,
 * restore, release, housekeeping). They share nothing but bounded rings; a transaction or task
 * belongs to one of them at a time. Tasks come by a ring; what is wanted of each is read from its
 * shared part (worker/task.h).
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
    MR_LANE_IDLE,        /* no task wants to run: no producers */
    MR_LANE_STARTING,    /* a keeper creates producers */
    MR_LANE_RUNNING,     /* tasks are prepared, run, and are released one by one */
    MR_LANE_FAILING,     /* waiting for the committer and the keepers to come to an end */
    MR_LANE_RETIRING,    /* a keeper destroys the producers */
    MR_LANE_ASKING,      /* it was fenced: until the coordinator answers a question put since */
    MR_LANE_BACKING_OFF, /* until the next incarnation */
    MR_LANE_STOPPED
};

enum {
    MR_LANE_INPUTS_MAX = 16384, /* a tag is a slot below this and the slot's turn above it */
    MR_LANE_SLOT_BITS = 14,
    MR_LANE_TASKS_MAX = 4096
};

#define MR_LANE_NO_TAG UINT32_MAX /* of a message that nobody takes */

enum mr_keeper_job_kind {
    MR_KEEPER_START,
    MR_KEEPER_PREPARE,
    MR_KEEPER_RELEASE,
    MR_KEEPER_RETIRE,
    MR_KEEPER_HOUSEKEEPING,
    MR_KEEPER_DISPOSE /* of a stopped lane; nobody waits for the answer */
};

/* A job for the keeper; comes back as the answer. */
struct mr_keeper_job {
    enum mr_keeper_job_kind kind;
    struct mr_lane *lane;
    struct mr_task *task;
    struct mr_log_producer *producers[2];
    uint64_t incarnation;
    struct mr_log_assignment *offsets; /* HOUSEKEEPING: committed offsets; owner: the job */
    int64_t *ends;                     /* end of each, for lag; -1 unknown */
    bool *repartitions;
    uint32_t offsets_count;
    uint32_t mirrored_count; /* the first of them are told to tools */
    enum mr_status status;
    struct mr_error error;
};

/* Where an input's messages find it. Slots are used again, tags are not. */
struct mr_lane_slot {
    struct mr_task_input *input; /* NULL: free */
    struct mr_task *task;
    uint32_t turn;
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
    struct mr_lane_slot *slots; /* inputs, by the low bits of their tags */
    uint32_t slots_count;

    struct mr_log_consumer *consumer;
    struct mr_log_fetch fetch; /* with fetch_held: fed up to fetch_next, the rest waits */
    uint32_t fetch_next;
    bool fetch_held;
    struct mr_log_producer *producers[2];
    uint64_t transactions_count;
    struct mr_transaction *open;
    struct mr_transaction *committing; /* NULL: the committer is idle */
    struct mr_transaction *spare;
    struct mr_writer writer;
    struct mr_evaluator *evaluator;
    struct mr_series *series;                   /* by node */
    struct mr_detector_series *detector_series; /* by node */
    struct mr_lane_series lane_series;
    struct mr_error condemnation; /* of the tasks that are condemned */
    struct mr_arena batch_arena;
    uint64_t last_housekeeping_ms;
    uint64_t last_advance_ms; /* of all tasks */
    uint64_t watched_ms; /* for how long it has been looking at its inputs: silence is of this */
    uint64_t interrupted_ms; /* as of the last time in which it did not */
    uint64_t looked_ms;      /* monotonic: the last look; 0: none */
    uint64_t looked_steady_ns;
    uint64_t looked_cpu_ns;
    uint32_t poll_records_max; /* of the sources' `batch:` */
    uint32_t poll_pause_ms;    /* at most this long records gather before they are polled */
    uint64_t next_poll_ms;
    bool poll_was_small;  /* the last poll found less than a batch: load is low */
    uint64_t record_ns;   /* of work, smoothed: bounds a step where lanes share the thread */
    uint64_t part_end_ns; /* monotonic: what is due goes on in the next step then */
    bool shares_thread;   /* with other lanes */
    bool housekeeping;    /* a job is under way */
    bool final;           /* after RETIRING comes STOPPED */
    bool fenced;          /* after RETIRING comes ASKING */
    uint64_t question;    /* ASKING: the number of its question */
    uint32_t wishes_seen;
    uint32_t jobs_count; /* under way with the keepers */

    struct mr_ring *commits; /* to the committer */
    struct mr_ring *commits_done;
    struct mr_ring *jobs_done; /* from the keepers */
    struct mr_ring *arrivals;  /* new tasks, from the controlling thread */
    pthread_t committer;
    bool committer_started;

    atomic_bool stop_wanted;
    atomic_bool abandoned;   /* the incarnation has failed: keepers skip preparations */
    atomic_bool detached;    /* STOPPED, and its task thread has let go of it */
    bool disposing;          /* controlling thread: a keeper was asked to take it apart */
    atomic_bool disposed;    /* it is taken apart: only the struct is left */
    _Atomic uint32_t wishes; /* rises with each wish for one of its tasks */
    bool told_waiting;       /* that the end waits for windows by the clock */
    atomic_bool at_end;
    _Atomic uint64_t looks; /* turns that found nothing to do */
    uint64_t looks_before;  /* controlling thread: as of mr_worker_look_again */
    _Atomic uint64_t anomalies;
    _Atomic uint64_t commits_count;
    _Atomic uint64_t incarnations_count;
    _Atomic uint64_t commit_us_last;
    _Atomic int64_t lag;
    _Atomic uint32_t tasks_running;
};

struct mr_lane *mr_lane_create(struct mr_worker *worker, struct mr_running *running,
                               uint32_t thread_index);
/* Consumer, rings, committer. Before the task thread gets it. */
enum mr_status mr_lane_start(struct mr_lane *lane, struct mr_error *error) MR_NODISCARD;
/* Controlling thread: a new task with its inputs and series; the lane gets it by `arrivals`. */
struct mr_task *mr_lane_make_task(struct mr_lane *lane, uint32_t subtopology, int32_t partition);
/* One round: events, poll, process, seal. wait_ms bounds the wait for records. Returns true when it
 * did something. */
bool mr_lane_step(struct mr_lane *lane, uint32_t wait_ms);
/* Tell the embedded broker that an input of this task has passed offset; -1: it reads no more.
 * Nothing on Kafka. */
enum mr_status mr_lane_tell_passed(struct mr_lane *lane, int32_t task_partition,
                                   const struct mr_task_input *input, int64_t offset,
                                   struct mr_error *error) MR_NODISCARD;
/* Ends its thread and takes it apart; the struct itself goes with its topology. Pre: STOPPED. */
void mr_lane_dispose(struct mr_lane *lane);

/* Keeper: the incarnation has failed, or the task is not wanted any more: a preparation is void. */
static inline bool mr_task_given_up(const struct mr_task *task)
{
    return atomic_load(&task->lane->abandoned) || atomic_load(&task->lane->stop_wanted) ||
           mr_task_wish(task) != MR_WISH_RUN;
}

/* worker/committer.c */
void *mr_committer_main(void *lane);
/* worker/keeper.c: one of a worker's keepers */
void *mr_keeper_main(void *worker);

/* ---- Between the lane's files ---- */

/* worker/lane.c: everything since the last commit is void: stop, drop it, start over or end.
 * culprit: the task whose data or topology is wrong, NULL: not one of them alone. */
void mr_lane_fail(struct mr_lane *lane, struct mr_task *culprit, const struct mr_error *error);
struct mr_keeper_job *mr_lane_new_job(struct mr_lane *lane, enum mr_keeper_job_kind kind);
void mr_lane_send_job(struct mr_lane *lane, struct mr_keeper_job *job);
/* What the task has on disk cannot be used: its next preparation wipes it. */
void mr_lane_note_damage(struct mr_task *task, const struct mr_error *error);

/* worker/lane_tasks.c */
void mr_lane_heed_wishes(struct mr_lane *lane);
void mr_lane_task_prepared(struct mr_lane *lane, struct mr_task *task);
void mr_lane_task_released(struct mr_lane *lane, struct mr_task *task, enum mr_status status);
void mr_lane_close_tasks(struct mr_lane *lane);
bool mr_lane_wants_incarnation(const struct mr_lane *lane);
bool mr_lane_rests(const struct mr_lane *lane); /* no task needs the producers any more */
void mr_lane_add_series(struct mr_lane *lane, const struct mr_keeper_job *job);

/* worker/lane_inputs.c */
/* Let the consumer read it, from its next offset on. Nothing for what is no log, or has ended. */
enum mr_status mr_lane_add_input(struct mr_lane *lane, struct mr_task_input *input,
                                 struct mr_error *error) MR_NODISCARD;
/* Let it read it no more. Fails only when tasks that share it cannot go on. */
enum mr_status mr_lane_remove_input(struct mr_lane *lane, struct mr_task_input *input,
                                    struct mr_error *error) MR_NODISCARD;
/* The input and task of a tag; false: it belongs to one that has left. */
bool mr_lane_find_input(const struct mr_lane *lane, uint32_t tag, struct mr_task_input **input,
                        struct mr_task **task);
/* The slots of all that a message of the input is for, itself among them: from *slot on the next
 * one. False: there is none. */
bool mr_lane_next_reader(const struct mr_lane *lane, const struct mr_task_input *input,
                         uint32_t *slot);

/* worker/lane_poll.c */
bool mr_lane_poll(struct mr_lane *lane, uint32_t wait_ms);
void mr_lane_drop_fetch(struct mr_lane *lane);

/* worker/lane_commit.c */
bool mr_lane_take_commit(struct mr_lane *lane, int64_t wait_ms);
void mr_lane_seal(struct mr_lane *lane);
/* Marks for readers of repartitions wait up to a second for others to leave with: tell them now.
 * True when there are any: the next transaction holds them. */
bool mr_lane_hurry_marks(struct mr_lane *lane);
bool mr_lane_seal_is_due(const struct mr_lane *lane);
bool mr_lane_is_full(const struct mr_lane *lane);

#endif
