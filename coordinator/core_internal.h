/* coordinator/core_internal.h — what the files of the coordinator's core share.
 * Model: the records of the control topic give topologies, their versions, generations with their
 * parts (subtopologies) and tasks, and the names of workers. On top of these a leader keeps what it
 * has heard and what it has begun; that part starts afresh with each lead.
 * Files: core.c (events, answers), core_records.c (the control topic as data), core_write.c
 * (decisions on their way to it), core_workers.c (membership), core_reports.c (what workers say of
 * tasks), core_reconcile.c (a task's steps), core_plan.c (loads, capacities, choices),
 * core_assignment.c (free tasks, drains, balance), core_standbys.c, core_leaving.c (workers that
 * end), core_topologies.c (what users want of a topology), core_operations.c (its steps),
 * core_view.c (what the API sees). A task's steps: FREE --chosen--> WRITING --committed--> ASSIGNED
 * --revoke--> REVOKED --released--> FREE and from ASSIGNED or REVOKED to FREE when its worker's
 * process is gone. */
#ifndef MR_COORDINATOR_CORE_INTERNAL_H
#define MR_COORDINATOR_CORE_INTERNAL_H

#include "base/random.h"
#include "coordinator/core.h"

enum {
    MR_CORE_COPIES_MAX = MR_CORE_STANDBYS_MAX + 1, /* and one that warms up for a move */
    MR_CORE_INSTANCES_KEPT = 4,
    MR_CORE_STRANGERS_MAX = 256,
    MR_CORE_KEY_MAX = 640,
    MR_CORE_LOCAL_STATE_MS = 600000, /* how long a worker keeps the state of a task that left */
    MR_CORE_FORGET_MS = 600000,      /* a worker that is gone and has nothing is forgotten */
    MR_CORE_RELEASE_MS = 60000,      /* an upgrade waits this long for its tasks' release */
    MR_CORE_WARM_MS = 600000,        /* a warm-up may take this long */
    MR_CORE_IDLE_MS = 10000,         /* a task with lag and without commits is stalled */
    MR_CORE_WEIGHT_DEFAULT = 16384,  /* CPU microseconds per second, of a task not measured yet */
    MR_CORE_WEIGHT_MIN = 1024,
    MR_CORE_WEIGHT_MAX = 1 << 26
};

#define MR_CORE_NONE UINT32_MAX

enum mr_core_phase {
    MR_PHASE_FREE,     /* nobody has it, as far as is known */
    MR_PHASE_WRITING,  /* its next record is on its way to the control topic */
    MR_PHASE_ASSIGNED, /* in the answers to its worker */
    MR_PHASE_REVOKED   /* left out of the answers until its worker has released it */
};

enum mr_core_block {
    MR_BLOCK_NOT,
    MR_BLOCK_NO_WORKER, /* none is there */
    MR_BLOCK_MEMORY,
    MR_BLOCK_REFUSED, /* every worker that is there says that it cannot run this version */
    MR_BLOCK_TASKS    /* a worker's number of tasks */
};

struct mr_core_task_state;

/* A standby or a warm-up of a task. */
struct mr_core_copy {
    struct mr_core_worker_state *worker;
    uint32_t slot; /* in worker->copies */
    bool warming;  /* for a move: it is the move's, not one of the standbys that are wanted */
    bool reported;
    uint64_t since_ms;
    struct mr_task_report report;
};

struct mr_core_task_state {
    struct mr_core_part *part;
    int32_t partition;
    uint32_t index; /* in core->tasks */
    /* As committed. */
    bool recorded;
    uint64_t epoch;
    struct mr_core_worker_state *holder; /* NULL: nobody */
    uint64_t instance;
    /* What this leader does with it. */
    enum mr_core_phase phase;
    uint32_t slot; /* ASSIGNED, REVOKED: in holder->actives */
    bool vacating; /* WRITING: to nobody */
    bool raising;  /* WRITING: to who runs it already */
    uint64_t next_epoch;
    struct mr_core_worker_state *next; /* WRITING: to whom */
    uint64_t next_instance;
    struct mr_core_worker_state *target; /* of a move that is under way */
    uint64_t target_ms;                  /* since when */
    struct mr_core_worker_state *before; /* had it last and may still have its state */
    uint64_t before_ms;
    uint64_t retry_ms; /* not to be assigned before */
    uint32_t fenced_count;
    uint64_t since_ms;
    enum mr_core_block block;
    struct mr_core_worker_state *block_worker;
    uint64_t block_have;
    uint64_t block_need;
    /* What was heard. */
    bool reported;
    uint64_t report_sequence; /* of the Sync that named it last */
    uint64_t seen_epoch;      /* highest that any claim or report has had */
    struct mr_task_report report;
    char *error;
    uint64_t load_us; /* smoothed; 0: not measured */
    uint64_t load_ms; /* when it was measured last */
    uint64_t weight;  /* 0: not weighed yet */
    uint32_t copies_count;
    struct mr_core_copy copies[MR_CORE_COPIES_MAX];
};

/* A subtopology of a generation. */
struct mr_core_part {
    struct mr_core_generation *generation;
    char *name;
    bool stateful;
    uint32_t wanted_count; /* of the active version; 0: it has none of this name */
    struct mr_core_task_state **tasks;
    uint32_t tasks_count;
    uint64_t weight; /* of a typical task */
};

struct mr_core_generation {
    uint64_t id;
    struct mr_core_topology_state *topology; /* NULL: none that is known */
    struct mr_core_part **parts;             /* by name */
    uint32_t parts_count;
};

struct mr_core_version_state {
    struct mr_arena arena;
    struct mr_version_record record;
};

struct mr_core_topology_record {
    struct mr_arena arena;
    struct mr_topology_record record;
};

enum mr_core_operation_kind {
    MR_OPERATION_NONE,
    MR_OPERATION_SUBMIT,
    MR_OPERATION_ROLLBACK,
    MR_OPERATION_PAUSE,
    MR_OPERATION_RESUME,
    MR_OPERATION_DELETE,
    MR_OPERATION_RESET,
    MR_OPERATION_SEEK
};

enum mr_core_stage {
    MR_STAGE_INTENT,   /* DELETE, RESET: the record that says so is to be written */
    MR_STAGE_RELEASE,  /* until no task of it runs */
    MR_STAGE_VACATE,   /* nobody has its tasks: that is to be written */
    MR_STAGE_VACATING, /* until it is */
    MR_STAGE_FENCE,    /* a job: FENCE, or SEEK's own */
    MR_STAGE_DROP,     /* a job: DELETE */
    MR_STAGE_BIND,     /* a job: BIND */
    MR_STAGE_COMMIT    /* the last write */
};

struct mr_core_operation {
    enum mr_core_operation_kind kind;
    enum mr_core_stage stage;
    bool writing;    /* its record is on its way */
    bool next_drops; /* the next generation's topics are dropped, or have been */
    uint64_t handle; /* 0: nobody waits */
    uint64_t since_ms;
    uint64_t release_ms; /* since when it waits for a release; 0: it does not */
    int64_t wall_ms;
    uint64_t job_id;   /* under way; 0: none */
    uint64_t retry_ms; /* a failed job is tried again then; 0: none has failed */
    uint32_t tries;
    char *reason;                          /* of the last failure */
    char *argument;                        /* SEEK */
    char *cause;                           /* ROLLBACK by itself: why */
    struct mr_core_version_state *version; /* SUBMIT, RESET, ROLLBACK that binds anew; owned */
    uint32_t number;                       /* ROLLBACK: to which */
};

struct mr_core_topology_state {
    char *name;
    uint32_t index;                         /* in core->topologies, as of the last plan */
    struct mr_core_topology_record *record; /* NULL: nothing is committed yet */
    struct mr_core_version_state *versions[MR_CORE_VERSIONS_KEPT + 2]; /* by number */
    uint32_t versions_count;
    struct mr_core_generation *generation;
    struct mr_core_version_state *active; /* one of versions; NULL: none */
    bool open;                            /* its tasks are to run */
    bool writing;                         /* its record is on its way */
    bool started;                         /* a task of the active version has run */
    uint32_t busy_count;                  /* tasks that are not FREE */
    uint64_t stamp;                       /* of the last answer that named it */
    uint64_t since_ms;
    char *failure; /* what a task or a worker said; NULL: nothing */
    struct mr_core_operation operation;
};

struct mr_core_refused {
    uint64_t generation;
    uint32_t version;
    char *error;
};

struct mr_core_worker_state {
    char *name;
    uint32_t index; /* in core->workers, as of the last plan */
    char *zone;
    char *http;
    char *build;
    uint64_t instance; /* 0: not heard of yet by this leader */
    uint64_t sequence;
    uint64_t peer;
    uint64_t seen_ms;
    uint64_t peer_gone_ms; /* 0: the connection is there */
    uint64_t gone_ms;      /* since when */
    bool gone;
    bool drained; /* a user wants it empty */
    bool drain_writing;
    enum mr_leaving leaving;
    uint64_t restart_until_ms; /* 0: it has not announced a restart */
    uint64_t restart_of;       /* the instance that has announced it; 0: none */
    uint64_t restart_recorded; /* the same as committed */
    bool restart_writing;
    bool restart_unread;        /* no SCALE was read since it announced its restart */
    bool restart_read;          /* the SCALE that is under way began behind that */
    bool leave_asked;           /* it asks whether it is coming back */
    bool leave_read;            /* since before the SCALE that is under way */
    enum mr_leaving leave_told; /* the answer; NOT: none yet */
    uint32_t threads_count;
    uint64_t memory_bytes;
    uint64_t replaced[MR_CORE_INSTANCES_KEPT]; /* instances of the past */
    uint32_t replaced_next;
    struct mr_core_refused *refused;
    uint32_t refused_count;
    struct mr_core_task_state **actives;
    uint32_t actives_count;
    uint32_t actives_capacity;
    struct mr_core_task_state **copies;
    uint32_t copies_count;
    uint32_t copies_capacity;
    uint32_t incoming_count; /* tasks that are WRITING to it */
    uint32_t raising_count;  /* of these, that it runs already: no answer may leave them out */
    /* The Sync that waits for its answer. */
    bool kept;
    uint64_t kept_handle;
    uint64_t kept_sequence;
    uint64_t kept_ms;
    uint64_t revision;      /* rises with each change of what it should have */
    uint64_t told_revision; /* that its last answer said */
    bool touched;           /* in core->touched */
};

/* A Sync of an instance that was replaced: it gets nothing, but not at once, or it would spin. */
struct mr_core_stranger {
    uint64_t handle;
    uint64_t instance;
    uint64_t sequence;
    uint64_t since_ms;
};

enum mr_core_change_kind {
    MR_CHANGE_TASK,
    MR_CHANGE_TASK_GONE,
    MR_CHANGE_TOPOLOGY,
    MR_CHANGE_TOPOLOGY_GONE,
    MR_CHANGE_VERSION,
    MR_CHANGE_VERSION_GONE,
    MR_CHANGE_DRAIN,
    MR_CHANGE_DRAIN_GONE,
    MR_CHANGE_RESTART,
    MR_CHANGE_RESTART_GONE
};

struct mr_core_change {
    enum mr_core_change_kind kind;
    struct mr_core_task_state *task;
    struct mr_core_topology_state *topology;
    struct mr_core_topology_record *record; /* TOPOLOGY: owned until committed */
    struct mr_core_version_state *version;  /* VERSION: owned until committed */
    uint32_t number;                        /* VERSION_GONE */
    struct mr_core_worker_state *worker;
    uint64_t instance; /* RESTART */
    uint64_t handle;   /* DRAIN: who asked */
};

struct mr_core_changes {
    struct mr_core_change *items;
    uint32_t count;
    uint32_t capacity;
};

/* Loads of the workers as they will be when everything that is decided has happened. */
struct mr_core_plan {
    uint64_t *loads;        /* by worker->index */
    uint64_t *memory;       /* planned bytes */
    uint32_t *counts;       /* active tasks */
    uint32_t *copies;       /* standbys and warm-ups */
    uint32_t *heap;         /* indexes of usable workers */
    uint16_t *presence;     /* tasks and copies by worker and topology */
    uint32_t workers_count; /* that the arrays are for */
    uint32_t topologies_count;
    uint32_t heap_count;
    bool heap_by_copies;
    bool heap_stale;          /* keys have changed since it was filled */
    uint32_t moves_count;     /* that are under way */
    uint64_t weight_least;    /* of the tasks that are wanted */
    uint32_t unsettled_count; /* wanted tasks that are on their way to run */
};

/* A task or one of its copies, in the order that people expect. */
struct mr_core_row {
    struct mr_core_task_state *task;
    uint32_t copy; /* MR_CORE_NONE: the task itself */
};

/* What the API has asked for since the last step. */
struct mr_core_view {
    struct mr_arena arena;
    struct mr_core_row *rows;
    uint32_t rows_count;
    uint32_t rows_capacity;
    bool rows_valid;
};

struct mr_core {
    struct mr_core_options options;
    char *cluster;
    char *workers_set; /* NULL: none */
    struct mr_random random;
    bool leads;
    bool suspended; /* while it leads: by and by it is known whether it still does */
    uint64_t term;
    char *leader; /* transport address as the control topic says */
    uint64_t now_ms;
    uint64_t next_id;
    struct mr_core_worker_state **workers; /* by name */
    uint32_t workers_count;
    uint32_t workers_capacity;
    struct mr_core_topology_state **topologies; /* by name */
    uint32_t topologies_count;
    struct mr_core_generation **generations; /* by id */
    uint32_t generations_count;
    struct mr_core_task_state **tasks;
    uint32_t tasks_count;
    uint32_t tasks_capacity;
    bool listening; /* a new leader: nothing is assigned yet */
    uint64_t listen_until_ms;
    uint64_t patient_until_ms; /* nobody is silent before: all were sent away */
    bool dirty;                /* free tasks or standbys may have to be placed */
    uint64_t wake_ms;          /* look again then; UINT64_MAX: no need */
    uint64_t scale_id;         /* of the SCALE that is under way; 0: none */
    bool scale_known;          /* since the gathering began */
    uint32_t replicas;         /* scale_known: that the set of workers should have ... */
    uint32_t first_ordinal;    /* ... numbered from here */
    uint64_t gather_since_ms;  /* when the first worker came back after all were gone; 0: not */
    bool balance;              /* the set of workers or tasks has changed since it was balanced */
    uint64_t settle_until_ms;
    uint64_t weigh_ms;     /* when loads are looked at again */
    uint32_t skewed_count; /* how often in a row they were uneven */
    struct mr_core_plan plan;
    struct mr_core_changes pending;
    struct mr_core_changes writing;
    uint64_t writing_id; /* 0: none */
    struct mr_core_worker_state **touched;
    uint32_t touched_count;
    uint32_t touched_capacity;
    struct mr_core_stranger strangers[MR_CORE_STRANGERS_MAX];
    uint32_t strangers_count;
    uint64_t stamp;
    struct mr_arena arena; /* of the step */
    struct mr_core_command *commands;
    uint32_t commands_count;
    uint32_t commands_capacity;
    struct mr_core_view *view;
};

/* ---- core.c ---- */

struct mr_core_command *mr_core_command_add(struct mr_core *core, enum mr_core_command_kind kind);
void mr_core_news(struct mr_core *core, const char *event, const char *name, const char *format,
                  ...) MR_PRINTF(4, 5);
void mr_core_answer(struct mr_core *core, uint64_t handle, int code, const char *format, ...)
    MR_PRINTF(4, 5);
void mr_core_replace_text(char **owned, const char *text); /* NULL: none */
/* Room for one more in a growing array. */
void *mr_core_grow(void *items, uint32_t count, uint32_t *capacity, size_t size);

/* ---- core_records.c ---- */

void mr_core_record_event(struct mr_core *core, struct mr_slice key, struct mr_slice value);
struct mr_core_worker_state *mr_core_worker_find(const struct mr_core *core, const char *name);
/* NULL: there are too many. */
struct mr_core_worker_state *mr_core_worker_ensure(struct mr_core *core, const char *name);
void mr_core_worker_free(struct mr_core_worker_state *worker);
struct mr_core_topology_state *mr_core_topology_find(const struct mr_core *core, const char *name);
struct mr_core_topology_state *mr_core_topology_ensure(struct mr_core *core, const char *name);
void mr_core_topology_remove(struct mr_core *core, struct mr_core_topology_state *topology);
struct mr_core_generation *mr_core_generation_find(const struct mr_core *core, uint64_t id);
struct mr_core_generation *mr_core_generation_ensure(struct mr_core *core, uint64_t id);
struct mr_core_part *mr_core_part_find(const struct mr_core_generation *generation,
                                       const char *name);
struct mr_core_part *mr_core_part_ensure(struct mr_core_generation *generation, const char *name);
struct mr_core_task_state *mr_core_task_find(const struct mr_core *core,
                                             const struct mr_task_name *name);
struct mr_core_task_state *mr_core_task_ensure(struct mr_core *core, struct mr_core_part *part,
                                               int32_t partition);
void mr_core_task_forget(struct mr_core *core, struct mr_core_task_state *task);
struct mr_core_version_state *mr_core_version_copy(const struct mr_version_record *record);
void mr_core_version_free(struct mr_core_version_state *version); /* accepts NULL */
struct mr_core_version_state *mr_core_version_find(const struct mr_core_topology_state *topology,
                                                   uint32_t number);
/* Takes the version; one of the same number is replaced. */
void mr_core_version_put(struct mr_core_topology_state *topology,
                         struct mr_core_version_state *version);
void mr_core_version_drop(struct mr_core_topology_state *topology, uint32_t number);
struct mr_core_topology_record *mr_core_topology_copy(const struct mr_topology_record *record);
void mr_core_topology_record_free(struct mr_core_topology_record *record); /* accepts NULL */
void mr_core_topology_put(struct mr_core *core, struct mr_core_topology_state *topology,
                          struct mr_core_topology_record *record);
/* Which tasks the active version has; makes those that are new. */
void mr_core_topology_shape(struct mr_core *core, struct mr_core_topology_state *topology);
void mr_core_records_free(struct mr_core *core);

/* ---- core_write.c ---- */

void mr_core_write_task(struct mr_core *core, struct mr_core_task_state *task);
struct mr_core_change *mr_core_change_add(struct mr_core *core, enum mr_core_change_kind kind);
/* At the end of a step: what is pending becomes one WRITE when none is under way. */
void mr_core_write_flush(struct mr_core *core);
void mr_core_write_done(struct mr_core *core, uint64_t id, bool failed);
void mr_core_write_forget(struct mr_core *core);
void mr_core_changes_free(struct mr_core_changes *changes);

/* ---- core_workers.c ---- */

void mr_core_sync_event(struct mr_core *core, const struct mr_core_event *event);
void mr_core_peer_gone(struct mr_core *core, uint64_t peer);
void mr_core_workers_tick(struct mr_core *core);
/* It is there, and may be given tasks. */
bool mr_core_worker_usable(const struct mr_core_worker_state *worker);
/* Its process runs, as far as is known. */
bool mr_core_worker_alive(const struct mr_core_worker_state *worker);
/* It is expected back under its name: what it had waits for it. */
bool mr_core_worker_awaited(const struct mr_core *core, const struct mr_core_worker_state *worker);
bool mr_core_worker_drains(const struct mr_core_worker_state *worker);
const char *mr_core_worker_refusal(const struct mr_core_worker_state *worker,
                                   const struct mr_core_topology_state *topology);
void mr_core_worker_touch(struct mr_core *core, struct mr_core_worker_state *worker);
void mr_core_refuse(struct mr_core *core, uint64_t handle, enum mr_refusal refusal,
                    const char *text);
void mr_core_reply_sync(struct mr_core *core, struct mr_core_worker_state *worker);
void mr_core_workers_follow(struct mr_core *core); /* refuse every Sync that is kept */
void mr_core_workers_resume(struct mr_core *core); /* all are heard now */
void mr_core_set_changed(struct mr_core *core);    /* workers or tasks came or went: balance */
void mr_core_user_drain(struct mr_core *core, const struct mr_core_event *event);

/* ---- core_reports.c ---- */

void mr_core_reports_take(struct mr_core *core, struct mr_core_worker_state *worker,
                          const struct mr_sync_request *sync);

/* ---- core_reconcile.c ---- */

void mr_core_task_begin(struct mr_core *core, struct mr_core_task_state *task); /* at LEAD */
bool mr_core_task_wanted(const struct mr_core_task_state *task);
struct mr_core_topology_state *mr_core_task_topology(const struct mr_core_task_state *task);
void mr_core_task_revoke(struct mr_core *core, struct mr_core_task_state *task);
void mr_core_task_free(struct mr_core *core, struct mr_core_task_state *task);
void mr_core_task_assign(struct mr_core *core, struct mr_core_task_state *task,
                         struct mr_core_worker_state *worker);
void mr_core_task_vacate(struct mr_core *core, struct mr_core_task_state *task);
void mr_core_task_written(struct mr_core *core, struct mr_core_task_state *task);
/* The worker that the records name has it after all. */
void mr_core_task_adopt(struct mr_core *core, struct mr_core_task_state *task);
void mr_core_task_raise(struct mr_core *core, struct mr_core_task_state *task,
                        struct mr_core_worker_state *worker, uint64_t epoch);
/* A move: revoke at once, or a copy at the target first. */
void mr_core_task_move(struct mr_core *core, struct mr_core_task_state *task,
                       struct mr_core_worker_state *target);
void mr_core_move_end(struct mr_core *core, struct mr_core_task_state *task);
void mr_core_moves_run(struct mr_core *core);
void mr_core_worker_lost(struct mr_core *core, struct mr_core_worker_state *worker);
struct mr_core_copy *mr_core_copy_find(struct mr_core_task_state *task,
                                       const struct mr_core_worker_state *worker);
struct mr_core_copy *mr_core_copy_add(struct mr_core *core, struct mr_core_task_state *task,
                                      struct mr_core_worker_state *worker);
void mr_core_copy_remove(struct mr_core *core, struct mr_core_task_state *task, uint32_t index);
bool mr_core_copy_warm(const struct mr_core *core, const struct mr_core_copy *copy);
/* "orders/main/3". In the step's arena. */
const char *mr_core_task_text(struct mr_core *core, const struct mr_core_task_state *task);

/* ---- core_plan.c ---- */

void mr_core_plan_build(struct mr_core *core);
void mr_core_plan_free(struct mr_core_plan *plan);
bool mr_core_plan_fits(const struct mr_core *core, const struct mr_core_worker_state *worker,
                       const struct mr_core_topology_state *topology);
void mr_core_plan_add(struct mr_core *core, const struct mr_core_worker_state *worker,
                      const struct mr_core_task_state *task);
void mr_core_plan_add_copy(struct mr_core *core, const struct mr_core_worker_state *worker,
                           const struct mr_core_task_state *task);
/* < 0: left has less to do than right, for its threads. */
int mr_core_plan_compare(const struct mr_core *core, uint32_t left, uint32_t right);
uint32_t mr_core_plan_presence(const struct mr_core *core,
                               const struct mr_core_worker_state *worker,
                               const struct mr_core_topology_state *topology);
/* Usable workers, those with the least to do first: fill, then take; what was taken and is still
 * wanted is put back. */
void mr_core_heap_fill(struct mr_core *core, bool by_copies);
struct mr_core_worker_state *mr_core_heap_take(struct mr_core *core);
void mr_core_heap_put(struct mr_core *core, const struct mr_core_worker_state *worker);
uint64_t mr_core_task_weight(const struct mr_core_task_state *task);
void mr_core_weigh(struct mr_core *core);

/* ---- core_assignment.c ---- */

void mr_core_assign_free(struct mr_core *core);
void mr_core_balance(struct mr_core *core);

/* ---- core_standbys.c ---- */

void mr_core_standbys_plan(struct mr_core *core);

/* ---- core_leaving.c ---- */

/* Each Sync says whether the worker asks if it is coming back. */
void mr_core_leave_asked(struct mr_core *core, struct mr_core_worker_state *worker, bool asks);
void mr_core_scale_done(struct mr_core *core, const struct mr_core_event *event);
/* The grace begins; instance 0: there is no announced restart any more. */
void mr_core_restart_announced(struct mr_core *core, struct mr_core_worker_state *worker,
                               uint64_t instance);
/* It is waited for no longer. */
void mr_core_restart_over(struct mr_core *core, struct mr_core_worker_state *worker);
/* With each tick: the control topic is made to say what is so. */
void mr_core_restart_record(struct mr_core *core, struct mr_core_worker_state *worker);
/* No answer may go out before what it rests on is committed. */
bool mr_core_worker_answerable(const struct mr_core_worker_state *worker);
/* A worker is there. known: the control topic names this instance of it. */
void mr_core_worker_came(struct mr_core *core, const struct mr_core_worker_state *worker,
                         bool known);
/* The task waits for the name that had it last. */
bool mr_core_task_gathers(struct mr_core *core, const struct mr_core_task_state *task);

/* ---- core_topologies.c ---- */

void mr_core_user_event(struct mr_core *core, const struct mr_core_event *event);
void mr_core_topology_request(struct mr_core *core, const struct mr_core_event *event);
/* A version that has not run says that it cannot. */
void mr_core_topology_failed(struct mr_core *core, struct mr_core_topology_state *topology,
                             const char *reason);
void mr_core_topology_ran(struct mr_core *core, struct mr_core_topology_state *topology);

/* ---- core_operations.c ---- */

/* Pre: none is under way. The caller fills in what else the kind needs. */
struct mr_core_operation *mr_core_operation_begin(struct mr_core *core,
                                                  struct mr_core_topology_state *topology,
                                                  enum mr_core_operation_kind kind,
                                                  const struct mr_core_event *event);
void mr_core_operations_run(struct mr_core *core);
void mr_core_operation_written(struct mr_core *core, struct mr_core_topology_state *topology);
void mr_core_job_done(struct mr_core *core, const struct mr_core_event *event);
void mr_core_operations_resume(struct mr_core *core); /* at LEAD */
void mr_core_operations_follow(struct mr_core *core);
void mr_core_topology_close(struct mr_core *core, struct mr_core_topology_state *topology);
void mr_core_topology_open(struct mr_core *core, struct mr_core_topology_state *topology);
/* "is being deleted" */
const char *mr_core_operation_text(enum mr_core_operation_kind kind);

#endif
