/* worker/task.h — one task: a subtopology's partition, its inputs, state and operators.
 * Life: waiting -> (keeper: claimed, restored) -> running -> released, or back to waiting when its
 * lane takes a new incarnation. See worker/lane.h. Threads: the keeper's while it is being prepared
 * or released, else the task thread's. */
#ifndef MR_WORKER_TASK_H
#define MR_WORKER_TASK_H

#include "worker/claim.h"
#include "worker/ingest.h"
#include "worker/pipeline.h"
#include "worker/progress.h"

struct mr_lane;

enum mr_task_phase {
    MR_TASK_WAITING,   /* for its lane's incarnation */
    MR_TASK_PREPARING, /* with the keeper */
    MR_TASK_RUNNING,
    MR_TASK_RELEASING, /* with the keeper */
    MR_TASK_RELEASED
};

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
    int64_t highest_event_ms; /* INT64_MIN: none yet */
    int64_t due_ms;           /* connector sources and generators: nothing before this wall time */
    uint64_t last_record_ms;  /* monotonic */
    struct mr_input_series series;
    bool assigned; /* the consumer reads it */
    bool idle;
    bool ended; /* nothing more will come: a bounded source, or until_end's offset is reached */
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
    uint64_t epoch;       /* of the claim; 0: never claimed */
    uint64_t incarnation; /* that prepared it */
    struct mr_claim_own claim_own;
    bool state_damaged; /* found while it ran: wiped before it is opened again */
    struct mr_state *state;
    struct mr_pipeline *pipeline;
    struct mr_task_input *inputs;
    uint32_t inputs_count;
    struct mr_arena arena; /* what lives as long as one preparation */
    uint64_t sequence;
    int64_t watermark_ms;
    bool touched; /* has a share in the open transaction */
    bool unsaved; /* it starts where nothing but its first progress record says: `start: latest` */
    struct mr_task_statistics statistics;
    struct mr_store_series series; /* while it has state */
    enum mr_status status;         /* of the last keeper job */
    struct mr_error error;
};

struct mr_task *mr_task_create(struct mr_lane *lane, uint32_t subtopology, int32_t partition);
void mr_task_destroy(struct mr_task *task);

/* Keeper: claim, read progress, open and restore the state, open operators and sources.
 * On failure everything is closed again and task->status, error say why. */
void mr_task_prepare(struct mr_task *task, uint64_t incarnation);
/* Keeper: write "released" (rule 7). Pre: its last commit was clean, nothing holds a record of it.
 */
void mr_task_release(struct mr_task *task);
/* Drop what is in memory: state, operators, sources. */
void mr_task_close(struct mr_task *task);

/* Task thread: push a run of messages of one input. */
enum mr_status mr_task_feed(struct mr_task *task, struct mr_task_input *input,
                            const struct mr_log_message *messages, uint32_t messages_count,
                            struct mr_error *error) MR_NODISCARD;
/* Task thread: read connector sources and generators that are due. MR_AGAIN: nothing was due. */
enum mr_status mr_task_poll(struct mr_task *task, int64_t now_wall_ms, struct mr_error *error);
/* Recompute the watermark from the inputs and tell the operators when it advanced. */
enum mr_status mr_task_advance(struct mr_task *task, struct mr_error *error) MR_NODISCARD;
/* Put the task's share into the open transaction: state, sink positions, progress. */
enum mr_status mr_task_seal(struct mr_task *task, struct mr_transaction *transaction,
                            struct mr_error *error) MR_NODISCARD;
/* Every input has ended. */
bool mr_task_ended(const struct mr_task *task);

#endif
