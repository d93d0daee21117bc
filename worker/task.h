/* worker/task.h — one task: a subtopology's partition, its inputs, state and operators.
 * Life: waiting -> (keeper: claimed, restored) -> running -> draining -> (keeper: released) ->
 * released, and back to waiting when its lane takes a new incarnation; fenced and failed wait for a
 * new wish. See worker/lane.h. Threads: the keeper's while it is being prepared or released, else
 * the task thread's; mr_task_shared is everybody's. */
#ifndef MR_WORKER_TASK_H
#define MR_WORKER_TASK_H

#include "proto/messages.h"
#include "worker/claim.h"
#include "worker/ingest.h"
#include "worker/pipeline.h"
#include "worker/progress.h"
#include "worker/query.h"

#include <pthread.h>
#include <stdatomic.h>

struct mr_lane;

enum mr_task_phase {
    MR_TASK_WAITING,   /* for its lane's incarnation, or for another try */
    MR_TASK_PREPARING, /* with the keeper */
    MR_TASK_RUNNING,
    MR_TASK_DRAINING,  /* not read any more; a transaction still holds records of it */
    MR_TASK_RELEASING, /* with the keeper */
    MR_TASK_RELEASED,
    MR_TASK_FENCED, /* a foreign claim was found: only a higher epoch starts it again */
    MR_TASK_FAILED  /* for a reason that trying again does not mend */
};

/* What the controlling thread wants of a task. */
enum mr_task_wish { MR_WISH_RUN, MR_WISH_RELEASE, MR_WISH_FORGET };

/* What several threads read: wishes go to the lane, the rest comes from it. */
struct mr_task_shared {
    _Atomic int wish; /* enum mr_task_wish */
    _Atomic uint64_t wanted_epoch;
    _Atomic int state; /* enum mr_task_state */
    _Atomic uint64_t epoch;
    _Atomic uint64_t seen_epoch;
    _Atomic uint64_t restored_records;
    _Atomic uint64_t restored_bytes;
    _Atomic int64_t changelog_remaining;
    _Atomic int64_t lag;
    _Atomic uint64_t input_records;
    _Atomic uint64_t output_records;
    _Atomic uint64_t busy_ns;
    _Atomic uint64_t load_us;   /* per second */
    _Atomic uint64_t commit_ms; /* monotonic: the last commit that held records; 0: none */
    _Atomic int64_t watermark_ms;
    _Atomic uint32_t held_by; /* what holds the watermark: as mr_task_report says it */
    _Atomic uint32_t held_by_index;
    _Atomic uint32_t held_by_partition;
    _Atomic uint64_t held_since_ms; /* monotonic */
    atomic_bool gone;               /* the lane has let go of it */
    pthread_mutex_t mutex;          /* guards error */
    char error[MR_ERROR_MESSAGE_SIZE];
};

#define MR_INPUT_UNWATCHED UINT64_MAX /* since it began: the lane's next look begins to count */

enum mr_input_kind { MR_INPUT_LOG, MR_INPUT_CONNECTOR, MR_INPUT_GENERATOR };

/* One source partition of a task. */
struct mr_task_input {
    enum mr_input_kind kind;
    uint32_t node; /* the source; of a repartition its planned consumer */
    bool repartition;
    uint32_t repartition_index;
    const char *topic; /* or the source's name */
    const char *topic_id;
    int32_t partition;
    const struct mr_connector_type *connector;
    void *source;
    struct mr_ingest *ingest;
    int64_t next_offset;
    int64_t sealed_offset;    /* next offset as of the sealed transaction */
    int64_t committed_offset; /* and as of the last committed one */
    int64_t end_offset;       /* with until_end: where to stop; -1: not known */
    int64_t reached_offset;   /* the partition's end when it was reached last: behind markers */
    int64_t reached_next;     /* the next offset then: no record lies between the two */
    int64_t highest_event_ms; /* INT64_MIN: none yet */
    int64_t carried_ms;       /* the highest watermark that records of a source have carried */
    int64_t open_ms;      /* of sources: how far behind a row's time something of it stays open */
    const char *producer; /* of repartitions: the subtopology that writes it; else "" */
    struct mr_upstreams upstreams; /* and its tasks */
    int64_t due_ms;                /* connector sources and generators: nothing before this time */
    /* Connector sources: messages that were polled and wait for what is due, in poll_arena. */
    struct mr_log_message *held;
    uint32_t held_count;
    int64_t held_next; /* the position behind them */
    uint64_t spoke_ms; /* the lane's watched time of the last record; MR_INPUT_UNWATCHED */
    struct mr_input_series series;
    uint32_t tag;   /* of its messages, while the lane knows it */
    bool broadcast; /* a partition of a topic that every task reads whole */
    bool assigned;  /* the consumer reads it */
    bool paused;    /* its source is paused */
    bool at_end;    /* all that there was has been read, when it was looked at last */
    bool idle;      /* it is silent for idle_timeout; of repartitions: all upstreams are idle */
    bool ended;     /* nothing more will come: a bounded source, or until_end's offset is reached */
    bool told_ended; /* the pipeline knows that nothing more comes */
};

struct mr_task_statistics {
    uint64_t restored_records;
    uint64_t restored_bytes;
    uint64_t restore_ms;
    bool state_wiped;
    const char *wiped_reason;
};

struct mr_task {
    struct mr_lane *lane;
    uint32_t subtopology;
    int32_t partition;
    int32_t partitions_count;
    enum mr_task_phase phase;
    uint64_t assigned_epoch; /* 0: nobody assigns */
    uint64_t epoch;          /* of the claim; 0: never claimed */
    uint64_t incarnation;    /* that prepared it */
    uint64_t retry_ms;       /* WAITING: not before this monotonic time */
    uint32_t failures_count; /* of preparations in a row */
    struct mr_claim_own claim_own;
    bool condemned;     /* FAILED once the incarnation has ended */
    bool state_damaged; /* found while it ran: wiped before it is opened again */
    struct mr_state *state;
    struct mr_query_entry *queries; /* where queries find the state; NULL: nowhere */
    struct mr_pipeline *pipeline;
    struct mr_task_input *inputs;
    uint32_t inputs_count;
    struct mr_arena arena;      /* what lives as long as one preparation */
    struct mr_arena poll_arena; /* messages of connector sources until they are fed */
    uint64_t sequence;
    int64_t began_ms; /* wall time at which the task first began; INT64_MIN: not known */
    int64_t watermark_ms;
    int64_t rows_watermark_ms; /* the highest that a row was given; not below watermark_ms */
    uint64_t held_looked_ms;   /* monotonic: when it was last looked at what holds the watermark */
    int64_t held_watermark_ms; /* and what it was then */
    int64_t lag;               /* being summed up */
    int64_t sealed_watermark_ms; /* as of the sealed transaction */
    bool touched;                /* has a share in the open transaction */
    bool due;                    /* more leaves before it takes a row (worker/due.c) */
    bool loading;                /* its tables are not read yet: its other inputs are held */
    uint64_t loading_since_ms;   /* monotonic; 0: it has not begun */
    bool unsaved; /* it starts where nothing but its first progress record says: `start: latest` */
    struct mr_task_statistics statistics;
    struct mr_task_series time_series;
    struct mr_store_series series; /* while it has state */
    enum mr_status status;         /* of the last keeper job */
    struct mr_error error;         /* of the last keeper job, and of FAILED and FENCED */
    uint64_t load_since_ms;        /* monotonic */
    uint64_t load_busy_ns;         /* as of then */
    struct mr_task_shared shared;
};

struct mr_task *mr_task_create(struct mr_lane *lane, uint32_t subtopology, int32_t partition);
void mr_task_destroy(struct mr_task *task);

/* Enter a phase and tell it. */
void mr_task_enter(struct mr_task *task, enum mr_task_phase phase);
/* FAILED or FENCED, with the reason. */
void mr_task_enter_error(struct mr_task *task, enum mr_task_phase phase,
                         const struct mr_error *error);
static inline enum mr_task_wish mr_task_wish(const struct mr_task *task)
{
    return (enum mr_task_wish)atomic_load(&task->shared.wish);
}
/* Nothing of it is with a keeper, in a transaction or in memory. */
static inline bool mr_task_rests(const struct mr_task *task)
{
    return task->phase == MR_TASK_RELEASED || task->phase == MR_TASK_FENCED ||
           task->phase == MR_TASK_FAILED;
}

/* Keeper: claim, read progress, open and restore the state, open operators and sources.
 * On failure everything is closed again and task->status, error say why. */
void mr_task_prepare(struct mr_task *task, uint64_t incarnation);
/* Keeper: write "released" (rule 7). Pre: its last commit was clean, nothing holds a record of it.
 */
void mr_task_release(struct mr_task *task);
/* Drop what is in memory: state, operators, sources. */
void mr_task_close(struct mr_task *task);

/* Task thread: push a run of messages of one input. *taken_count: how many of them were; less than
 * all only when the task has enough, and then to be called with the rest when it has no more. */
enum mr_status mr_task_feed(struct mr_task *task, struct mr_task_input *input,
                            const struct mr_log_message *messages, uint32_t messages_count,
                            uint32_t *taken_count, struct mr_error *error) MR_NODISCARD;
/* Task thread: take no more rows now: the task is due, or the transaction is full and its rows may
 * change much at once (batch_rows of the plan's subtopology). */
bool mr_task_has_enough(const struct mr_task *task);
/* Task thread: read connector sources and generators that are due. MR_AGAIN: nothing was due. Pre:
 * the task is not due. */
enum mr_status mr_task_poll(struct mr_task *task, int64_t now_wall_ms, struct mr_error *error);
/* The task takes part in the open transaction. */
void mr_task_touch(struct mr_task *task);
/* Put the task's share into the open transaction: state, sink positions, progress. */
enum mr_status mr_task_seal(struct mr_task *task, struct mr_transaction *transaction,
                            struct mr_error *error) MR_NODISCARD;
/* The end of the input's partition was reached at this offset. */
void mr_task_input_reached(struct mr_task_input *input, int64_t offset);
/* How far the input is committed, for lag: behind transactions' markers, where nothing but them
 * lies behind the last committed record. Progress does not know of it. */
int64_t mr_task_input_position(const struct mr_task_input *input);

/* ---- worker/load.c: tables before streams ---- */

/* The input is a source with `table: true`. */
bool mr_task_input_is_table(const struct mr_task *task, const struct mr_task_input *input);
/* A task that is about to run has tables to read first, if it has some. */
void mr_task_load_begin(struct mr_task *task);
/* Look whether they have been read. */
void mr_task_load(struct mr_task *task);
/* The input waits for them. */
bool mr_task_holds(const struct mr_task *task, const struct mr_task_input *input);

/* ---- worker/task_time.c ---- */

/* A record of the input has come: it is not silent. */
void mr_task_input_spoke(struct mr_task *task, struct mr_task_input *input);
/* It was paused, or is not any more: it is not silent meanwhile, and then has its time to speak. */
void mr_task_input_turned(struct mr_task *task, struct mr_task_input *input);
/* Take what a run says of event time, and give its rows their watermarks where the plan asks for
 * them. */
void mr_task_take_times(struct mr_task *task, struct mr_task_input *input, struct mr_view view,
                        const struct mr_ingest_run *run);
/* The watermark of all inputs together, as of now. */
int64_t mr_task_find_watermark(struct mr_task *task);
/* Tell, now and then, what holds the watermark. */
void mr_task_look_for_holder(struct mr_task *task, uint64_t now_ms);

/* ---- worker/due.c: what is due before rows are taken ---- */

/* Tell the operators the watermark, or go on telling it. task->due: more leaves at it. */
enum mr_status mr_task_tell(struct mr_task *task, int64_t watermark_ms,
                            struct mr_error *error) MR_NODISCARD;
/* Call the operators whose wall time has come; task->due: as above. *called: there were some. */
enum mr_status mr_task_wall(struct mr_task *task, bool *called,
                            struct mr_error *error) MR_NODISCARD;
/* Go on with what is due; then recompute the watermark from the inputs and tell the operators when
 * it advanced, or when a wall time that they wait for has come. */
enum mr_status mr_task_advance(struct mr_task *task, struct mr_error *error) MR_NODISCARD;
/* A run of rows that is being pushed. Filled by the caller but for `taken`. */
struct mr_task_run {
    struct mr_task *task;
    struct mr_task_input *input;
    struct mr_batch batch;
    struct mr_ingest_run ingest;
    uint32_t taken; /* rows of the batch that were pushed, or had failed before */
    /* ---- worker/due.c's own ---- */
    bool cuts; /* it may stop before its end */
    struct mr_row_fault fault;
    struct mr_task_fault *faults; /* collected, in the order of rows */
    uint32_t faults_count;
    uint32_t faults_capacity;
    struct mr_task_input input_before;
    int64_t rows_watermark_before_ms;
};
/* How rows of the run that fail before they enter are to be reported. */
const struct mr_row_fault *mr_task_run_begin(struct mr_task_run *run);
/* Push the rows of view, the run's good ones, as far as little enough is due before them. task->due
 * says that it stopped at row `taken`: the input's times are then as of that row. */
enum mr_status mr_task_run_push(struct mr_task_run *run, struct mr_view view,
                                struct mr_error *error) MR_NODISCARD;

/* All inputs are idle or at their end, and all that was due because of it has left. */
bool mr_task_idle(const struct mr_task *task);

/* Every input has ended. */
bool mr_task_ended(const struct mr_task *task);

#endif
