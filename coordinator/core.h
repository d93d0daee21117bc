/* coordinator/core.h — the coordinator's decisions: a pure step machine.
 * Model: event + now -> commands. No I/O, no clock, no threads, no dependence on the heap's order
 * or on pointers: the same events give the same commands. The shell (coordinator/server.c) does
 * what the commands say and reports back with events; the simulation is another shell.
 * Rules:
 *  1. What is decided is committed to the control topic before anybody is told: an assignment
 *     appears in answers only after the WRITE that holds its task record was reported as written.
 *  2. A task's epoch rises with every assignment to another worker or another instance, and above
 *     every epoch that a report says it has seen in a claim (DESIGN 4, rule 2).
 *  3. Only moving tasks stop. A task moves in steps: revoke, released (or its worker is gone),
 *     assign at the next epoch. At most `moves_max` tasks move for balance's sake at a time.
 *  4. A new leader takes what runs as it finds it: for `takeover_ms` it only listens, answering
 *     with what the control topic says; tasks whose worker is silent after that are reassigned.
 *  5. All tasks of a topology run the same version: an upgrade releases all of them, then the
 *     topology record names the new version, then they are assigned.
 * Users: every USER is answered once, when what it wants is committed: SUBMIT and ROLLBACK once the
 * version is active, DELETE and RESET (202) once the record says so, SEEK after its job. One
 * command at a time per topology (409); when the lead is lost, 503. handle 0: nobody waits.
 * SUBMIT's version gets its number here; one that was planned for another number or generation is
 * refused. Jobs: before FENCE and SEEK the tasks' records are raised and name nobody, so a claim
 * for nobody is above every owner's and below the next one's. RESET binds under next_generation.
 * Failed jobs of DELETE and RESET are tried again, up to a minute apart; others fail their command
 * (503 where asking again helps, else 422).
 * Time is monotonic milliseconds of this process, for liveness only. Announced restarts and drains
 * that users want are in the control topic; a new leader counts an announced restart's grace from
 * when it leads. A worker that asks whether it is coming back is answered by core_leaving.c. */
#ifndef MR_COORDINATOR_CORE_H
#define MR_COORDINATOR_CORE_H

#include "base/arena.h"
#include "base/error.h"
#include "proto/messages.h"

enum {
    MR_CORE_WORKERS_MAX = 4096,
    MR_CORE_TASKS_MAX = 65536,
    MR_CORE_TOPOLOGIES_MAX = 1024,
    MR_CORE_VERSIONS_KEPT = 10,
    MR_CORE_STANDBYS_MAX = 3 /* of one task; a version that wants more gets these */
};

struct mr_core;

/* 0 is the default. */
struct mr_core_options {
    const char *cluster;
    const char *workers_set;   /* whose replicas SCALE reads; NULL: nobody says how many */
    uint64_t seed;             /* of ids and of ties */
    uint32_t silence_ms;       /* without a Sync: the worker is gone; default 1000 */
    uint32_t gone_ms;          /* after its connection closed; default 500 */
    uint32_t grace_ms;         /* of an announced restart; default 30000 */
    uint32_t takeover_ms;      /* a new leader listens for it; silence + 1000, 2000 at least */
    uint32_t poll_ms;          /* a Sync is answered after this without news; default 250 */
    uint32_t moves_max;        /* tasks that move for balance at a time; default 8 */
    uint64_t warm_records_max; /* a warm copy is close enough with as many left; default 10000 */
    uint32_t settle_ms; /* after the set of workers changed, before balancing; default 1000 */
};

/* ---- Events ---- */

enum mr_core_event_kind {
    MR_CORE_RECORD,    /* one record of the control topic, in order, while following */
    MR_CORE_LEAD,      /* this process leads as of `term`; every record was seen */
    MR_CORE_FOLLOW,    /* it leads no more: kept syncs are refused */
    MR_CORE_SUSPEND,   /* it may lead no more: kept syncs are refused, nothing is decided */
    MR_CORE_RESUME,    /* it does: workers are waited for as after a take-over */
    MR_CORE_SYNC,      /* from a worker; kept until news or poll_ms, then answered by `handle` */
    MR_CORE_TOPOLOGY,  /* from a worker that lacks a definition; answered at once */
    MR_CORE_PEER_GONE, /* the connection that a worker's last Sync came over has closed */
    MR_CORE_WRITTEN,   /* the WRITE command `id` is committed (or failed: then FOLLOW comes, too) */
    MR_CORE_USER,      /* what a user wants; answered once with an ANSWER command */
    MR_CORE_JOB_DONE,  /* the JOB command `id` has ended */
    MR_CORE_SCALE,     /* the SCALE command `id` has ended: `replicas` */
    MR_CORE_TICK       /* at least every 100 ms */
};

enum mr_core_action {
    MR_ACTION_SUBMIT,   /* `version_record` is planned and bound by the shell already */
    MR_ACTION_ROLLBACK, /* to version `version`, 0: the one before */
    MR_ACTION_PAUSE,    /* the topology, or with `source` one of its sources */
    MR_ACTION_RESUME,
    MR_ACTION_DELETE,
    MR_ACTION_RESET,
    MR_ACTION_SEEK,  /* the topology is released first; then the shell moves its progress */
    MR_ACTION_DRAIN, /* worker `worker` */
    MR_ACTION_UNDRAIN
};

enum mr_core_job_kind {
    MR_JOB_BIND,   /* topics and partition counts of a version: activation, growth, reset */
    MR_JOB_FENCE,  /* claim every task of the topology so that no owner commits again */
    MR_JOB_DELETE, /* delete the internal topics of a generation */
    MR_JOB_SEEK    /* write progress of released tasks */
};

struct mr_core_event {
    enum mr_core_event_kind kind;
    uint64_t handle; /* SYNC, TOPOLOGY, USER: for the answer */
    uint64_t peer;   /* SYNC, PEER_GONE: the connection */
    uint64_t term;   /* LEAD */
    uint64_t id;     /* WRITTEN, JOB_DONE, SCALE */
    bool failed;     /* WRITTEN, JOB_DONE, SCALE: `text` says why */
    bool transient;  /* JOB_DONE, failed: the log, or the lead; asking again helps */
    const char *text;
    struct mr_slice key;   /* RECORD */
    struct mr_slice value; /* RECORD; size 0: a tombstone */
    const struct mr_sync_request *sync;
    const struct mr_topology_request *topology;
    enum mr_core_action action;
    const char *name;                               /* USER: of the topology */
    const char *source;                             /* PAUSE, RESUME: NULL: all of it */
    const char *worker;                             /* DRAIN, UNDRAIN */
    const char *argument;                           /* SEEK: source and place */
    uint32_t version;                               /* ROLLBACK */
    uint32_t replicas;                              /* SCALE: workers that there should be */
    uint32_t first_ordinal;                         /* SCALE: the number of the first of them */
    const struct mr_version_record *version_record; /* SUBMIT; JOB_DONE of BIND: the new binding */
    int64_t wall_ms; /* USER, JOB_DONE: since 1970, for people to read in the records; 0: unknown */
};

/* ---- Commands ---- */

enum mr_core_command_kind {
    MR_COMMAND_REPLY,  /* `reply` to `handle` */
    MR_COMMAND_WRITE,  /* commit `records` in one transaction; then WRITTEN with `id` */
    MR_COMMAND_JOB,    /* long work of the shell; then JOB_DONE with `id` */
    MR_COMMAND_SCALE,  /* read how many workers there should be now; then SCALE with `id` */
    MR_COMMAND_ANSWER, /* to a user: `code` and `text` */
    MR_COMMAND_NEWS    /* something happened that people want to know: a line of /v1/events */
};

struct mr_core_record {
    struct mr_slice key;
    struct mr_slice value; /* size 0: a tombstone */
};

struct mr_core_command {
    enum mr_core_command_kind kind;
    uint64_t handle;
    uint64_t id;
    struct mr_reply reply;
    const struct mr_core_record *records;
    uint32_t records_count;
    enum mr_core_job_kind job;
    uint64_t generation; /* JOB */
    uint64_t next_generation;
    const struct mr_version_record *version_record;   /* JOB */
    const struct mr_topology_record *topology_record; /* JOB */
    const char *name;
    const char *argument;
    int code;          /* ANSWER: as of HTTP: 200, 202, 404, 409, 422, 503 */
    const char *event; /* NEWS: "task-assigned", "worker-gone", ... */
    const char *text;
};

struct mr_core_commands {
    const struct mr_core_command *items;
    uint32_t items_count;
};

struct mr_core *mr_core_create(const struct mr_core_options *options);
void mr_core_destroy(struct mr_core *core); /* accepts NULL */
/* One step. The commands and all that they point to are valid until the next step; what an event
 * points to is copied where it is kept. */
struct mr_core_commands mr_core_step(struct mr_core *core, const struct mr_core_event *event,
                                     uint64_t now_ms);

/* ---- What it knows, for the API: valid until the next step ---- */

enum mr_worker_state {
    MR_WORKER_PRESENT,
    MR_WORKER_RESTARTING,
    MR_WORKER_DRAINING,
    MR_WORKER_GONE
};

struct mr_core_worker {
    const char *name;
    const char *zone;
    const char *http;
    const char *build;
    uint64_t instance;
    enum mr_worker_state state;
    uint64_t silent_ms; /* since its last Sync */
    uint32_t threads_count;
    uint64_t memory_bytes;
    uint64_t memory_planned_bytes; /* of what is assigned to it */
    uint32_t active_count;
    uint32_t standby_count;
    uint64_t load_us;
};

struct mr_core_task {
    const char *topology;
    struct mr_task_name name;
    uint64_t epoch;
    const char *worker;    /* that has it or should have it; empty: nobody */
    const char *moving_to; /* empty: nowhere */
    const char *blocked;   /* why it has no worker; empty: it has one */
    enum mr_task_role role;
    bool reported;
    struct mr_task_report report; /* its worker's last word */
    uint64_t since_ms;            /* in this state, milliseconds */
};

enum mr_core_health {
    MR_HEALTH_RUNNING, /* records flow, or lag is 0 */
    MR_HEALTH_STARTING,
    MR_HEALTH_STALLED, /* there is lag and nothing is committed: `reason` */
    MR_HEALTH_PAUSED,
    MR_HEALTH_FAILED,
    MR_HEALTH_BLOCKED, /* no worker can take some of it: `reason` */
    MR_HEALTH_DELETING
};

struct mr_core_topology {
    const struct mr_topology_record *record;
    const struct mr_version_record *version; /* the active one */
    enum mr_core_health health;
    const char *reason;
    uint32_t tasks_count;
    uint32_t tasks_running;
    uint32_t tasks_restoring;
    int64_t lag; /* -1: not known */
    uint64_t input_records;
    uint64_t output_records;
};

bool mr_core_leads(const struct mr_core *core);
uint64_t mr_core_term(const struct mr_core *core);
uint32_t mr_core_workers_count(const struct mr_core *core);
struct mr_core_worker mr_core_worker_at(const struct mr_core *core, uint32_t index,
                                        uint64_t now_ms); /* by name */
uint32_t mr_core_tasks_count(const struct mr_core *core); /* active ones and standbys */
struct mr_core_task mr_core_task_at(const struct mr_core *core, uint32_t index, uint64_t now_ms);
uint32_t mr_core_topologies_count(const struct mr_core *core);
struct mr_core_topology mr_core_topology_at(const struct mr_core *core, uint32_t index,
                                            uint64_t now_ms); /* by name */
/* A kept version; NULL: not there. version 0: the active one. */
const struct mr_version_record *mr_core_version(const struct mr_core *core, const char *name,
                                                uint32_t version);
/* The numbers of the kept versions, rising; returns how many, at most MR_CORE_VERSIONS_KEPT. */
uint32_t mr_core_versions(const struct mr_core *core, const char *name,
                          uint32_t numbers[MR_CORE_VERSIONS_KEPT]);

#endif
