/* coordinator/internal.h — what the files around the core share.
 * Model: everything that one thread wants of another is a work item: `run` is called on the thread
 * that takes it from its ring, `finish` on the core thread afterwards. A work item without `run` is
 * an event: it goes to the core thread straight away. An item owns what it points to (its arena).
 * Order to read: server.c (start, stop, the threads' loops), work.c, lead.c (election and control
 * topic), shell.c (the core's events and commands), api.c and api_*.c (HTTP).
 * Threads: the members of mr_coordinator say whose they are. */
#ifndef MR_COORDINATOR_INTERNAL_H
#define MR_COORDINATOR_INTERNAL_H

#include "base/ring.h"
#include "coordinator/control_log.h"
#include "coordinator/core.h"
#include "coordinator/election.h"
#include "coordinator/jobs.h"
#include "coordinator/kubernetes_client.h"
#include "coordinator/server.h"
#include "http/client.h"
#include "http/server.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    MR_WORK_RING = 1024,         /* items that wait for the control, jobs or reads thread */
    MR_API_WAITING_MAX = 256,    /* users that wait for the core's answer */
    MR_SHELL_STEP_MS = 50,       /* the core and the election are stepped at least this often */
    MR_SHELL_TEXT_MAX = 256,     /* bytes of an address */
    MR_SHELL_WARNINGS_MAX = 1024 /* topologies whose sources have a fault */
};

struct mr_coordinator;
struct mr_cluster_generators;
struct mr_forward;
struct mr_kubernetes;
struct mr_work;

typedef void (*mr_work_run_fn)(struct mr_coordinator *coordinator, struct mr_work *work);
typedef void (*mr_work_finish_fn)(struct mr_coordinator *coordinator, struct mr_work *work,
                                  uint64_t now_ms);

struct mr_work {
    struct mr_arena arena;
    mr_work_run_fn run;
    mr_work_finish_fn finish; /* NULL: nothing is left to do */
    /* Called instead of finish when the coordinator ends before; NULL: nothing to do. */
    void (*drop)(struct mr_work *work);
    enum mr_status status; /* of run */
    struct mr_error error;
    uint64_t id;     /* of the core: WRITE, JOB */
    uint64_t handle; /* of the transport */
    uint64_t peer;
    struct mr_http_exchange *exchange;
    void *data;           /* the kind's own, in arena */
    struct mr_work *next; /* in coordinator->later */
};

/* A user who waits for the core's ANSWER. */
struct mr_api_waiting {
    uint64_t handle; /* 0: free */
    struct mr_http_exchange *exchange;
    json_t *members; /* that belong into the answer; NULL: none */
};

/* What is wrong with a topology's source topics. */
struct mr_shell_warning {
    uint64_t generation; /* 0: free */
    uint64_t since_ms;
    char *text;
};

struct mr_shell_metrics {
    struct mr_metric *leader;
    struct mr_metric *term;
    struct mr_metric *workers[4];                     /* by enum mr_worker_state */
    struct mr_metric *tasks[MR_TASK_STATE_COUNT + 1]; /* and those without a worker */
    struct mr_metric *topologies[7];                  /* by enum mr_core_health */
    struct mr_metric *steps;                          /* duration */
    struct mr_metric *syncs;
    struct mr_metric *refused;
    struct mr_metric *control_writes;
    struct mr_metric *requests;
};

struct mr_coordinator {
    /* Set at the start, then read by any thread. */
    struct mr_coordinator_options options;
    char http_address[MR_SHELL_TEXT_MAX]; /* that users and other coordinators can reach */
    char advertise[MR_SHELL_TEXT_MAX];
    uint64_t candidate; /* random id of this process */
    struct mr_jobs jobs;
    struct mr_transport_server *server;
    struct mr_http_server *http;
    struct mr_cluster_generators *generators;    /* NULL: not served */
    struct mr_kubernetes *kubernetes_topologies; /* NULL: none are kept there */
    struct mr_metrics *metrics;
    struct mr_shell_metrics series;
    struct mr_ring *events; /* to the core thread */
    struct mr_ring *control_ring;
    struct mr_ring *jobs_ring;
    struct mr_ring *reads_ring;
    struct mr_ring *scale_ring;
    pthread_t threads[6];   /* core, receive, control, jobs, reads, scale */
    uint32_t threads_count; /* started, in this order */
    atomic_bool stopping;   /* the core thread hands over and ends */
    atomic_bool ended;      /* the others end */
    atomic_bool leads;      /* as of the core thread's last step; not while it is suspended */
    atomic_bool in_term;    /* it leads, or is suspended */
    _Atomic uint64_t core_turned_ms;    /* monotonic: when the core thread has last turned ... */
    _Atomic uint64_t receive_turned_ms; /* ... and the receive thread */
    atomic_bool warm;                   /* the control topic was read to its end once */

    pthread_mutex_t mutex; /* guards what is known of the leader; empty: nobody leads */
    uint64_t known_term;
    char known_address[MR_SHELL_TEXT_MAX];
    char known_http[MR_SHELL_TEXT_MAX];

    /* The control thread's. */
    struct mr_control_log *control;
    bool following;

    /* The core thread's. */
    struct mr_core *core;
    struct mr_election *election;
    struct mr_api_waiting waiting[MR_API_WAITING_MAX];
    uint64_t next_handle;
    uint64_t next_event; /* id of /v1/events */
    uint64_t next_step_ms;
    uint64_t next_watch_ms;
    uint64_t next_gauges_ms;
    uint64_t leads_count; /* of this process; items of an earlier lead are void */
    bool resigning;
    uint64_t resigning_ms;
    bool gone; /* handed over: the core thread may end */
    struct mr_shell_warning *warnings;
    struct mr_forward *forward; /* taps that are passed on */
    struct mr_work *later;      /* to be finished behind what is under way, in order */
    struct mr_work **later_end;

    /* The reads thread's. */
    struct mr_http_client *client;

    /* The scale thread's; NULL without options.workers_set. */
    struct mr_kubernetes_client *kubernetes;
};

/* ---- work.c ---- */
struct mr_work *mr_work_create(mr_work_run_fn run, mr_work_finish_fn finish);
void mr_work_destroy(struct mr_work *work); /* accepts NULL */
/* To a thread that runs it, or (run NULL) to the core thread. False: the ring is full or closed;
 * the item is still the caller's. Does not wait. */
bool mr_work_send(struct mr_ring *ring, struct mr_work *work);
/* To the core thread, waiting as long as it takes; an item that comes too late is dropped. */
void mr_work_report(struct mr_coordinator *coordinator, struct mr_work *work);
/* The core thread, from within a step: finish the item when the step is done. */
void mr_work_later(struct mr_coordinator *coordinator, struct mr_work *work);
/* Run what comes until the ring is closed and empty. */
void mr_work_loop(struct mr_coordinator *coordinator, struct mr_ring *ring);
/* Take what is left of a closed ring. */
void mr_work_drain(struct mr_ring *ring);

/* ---- lead.c: election and control topic ---- */
void mr_lead_open(struct mr_coordinator *coordinator);
void mr_lead_close(struct mr_coordinator *coordinator);
/* The control thread. */
void mr_lead_control_loop(struct mr_coordinator *coordinator);
/* The core thread: let the election go on. */
void mr_lead_step(struct mr_coordinator *coordinator, uint64_t now_ms);
/* Commit records; the core hears of it as WRITTEN id. */
void mr_lead_write(struct mr_coordinator *coordinator, uint64_t id,
                   const struct mr_core_record *records, uint32_t records_count, uint64_t now_ms);
/* Hand over: coordinator->gone says when that is done. */
void mr_lead_resign(struct mr_coordinator *coordinator, uint64_t now_ms);
/* The leader that is known, copied: any thread. False: none is. */
bool mr_lead_known(struct mr_coordinator *coordinator, char address[MR_SHELL_TEXT_MAX],
                   char http[MR_SHELL_TEXT_MAX], uint64_t *term);

/* ---- shell.c: the core ---- */
void mr_shell_receive_loop(struct mr_coordinator *coordinator);
void mr_shell_core_loop(struct mr_coordinator *coordinator);
/* Of struct mr_jobs: the process ends, or it leads no more. */
bool mr_shell_given_up(void *coordinator);
/* Step the core and do what it commands. */
void mr_shell_step(struct mr_coordinator *coordinator, const struct mr_core_event *event,
                   uint64_t now_ms);
/* What is wrong with the sources of a generation; NULL: nothing. *since_ms: when it was seen. */
const char *mr_shell_warning(const struct mr_coordinator *coordinator, uint64_t generation,
                             uint64_t *since_ms);

/* ---- shell_jobs.c: the core's JOBs, and watching sources ---- */
void mr_shell_job(struct mr_coordinator *coordinator, const struct mr_core_command *command,
                  uint64_t now_ms);
void mr_shell_watch(struct mr_coordinator *coordinator, uint64_t now_ms);
void mr_shell_warnings_clear(struct mr_coordinator *coordinator);
/* Deep copies, in arena. */
struct mr_version_record *mr_shell_copy_version(const struct mr_version_record *record,
                                                struct mr_arena *arena);
struct mr_topology_record *mr_shell_copy_topology(const struct mr_topology_record *record,
                                                  struct mr_arena *arena);

/* ---- shell_scale.c: how many workers there should be ---- */
void mr_shell_scale(struct mr_coordinator *coordinator, uint64_t id);

/* ---- forward.c: taps of operators, passed on from the workers ---- */
/* The core thread, with each tick: start and end what listens to workers. */
void mr_forward_look(struct mr_coordinator *coordinator, uint64_t now_ms);
/* When the core thread has ended; takes at most some seconds. */
void mr_forward_stop(struct mr_coordinator *coordinator);

/* ---- api.c: HTTP ---- */
extern const struct mr_http_route mr_api_routes[]; /* argument: the coordinator */
/* The core's ANSWER to a user. */
void mr_api_answered(struct mr_coordinator *coordinator, const struct mr_core_command *command);
/* Everybody who waits is told that this coordinator leads no more. */
void mr_api_give_up(struct mr_coordinator *coordinator);
/* Something that people want to know: a line of /v1/events. */
void mr_api_news(struct mr_coordinator *coordinator, const char *event, const char *name,
                 const char *text);

/* Handlers on the core thread. */
typedef void mr_api_handler(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                            uint64_t now_ms);
/* From a route's handler: call it on the core thread when this coordinator leads, else send the
 * client to the leader. */
void mr_api_lead(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                 mr_api_handler *handler);
/* Answer with a JSON value, which is given up. */
void mr_api_answer(struct mr_http_exchange *exchange, int code, json_t *value);
/* A problem document with further members (given up; NULL: none). */
void mr_api_problem(struct mr_http_exchange *exchange, int code, const char *detail,
                    json_t *members);
/* The problem that an error stands for: 422 for what the user can change, 503 for the log. */
void mr_api_failure(struct mr_http_exchange *exchange, const struct mr_error *error);
/* Ask the core; its ANSWER answers the exchange. members (given up; NULL: none) go along. */
void mr_api_ask(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                json_t *members, struct mr_core_event *event, uint64_t now_ms);
/* 404, with the nearest name that there is. */
void mr_api_no_topology(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                        const char *name, uint64_t now_ms);
/* The topology that the route names; false: answered with 404. */
bool mr_api_topology(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                     uint64_t now_ms, struct mr_core_topology *topology);
/* Commas divide; NULL: none. */
const char *const *mr_api_list(struct mr_arena *arena, const char *text, uint32_t *count);
/* An unsigned number of a query parameter; false: not one (answered). otherwise when not given. */
bool mr_api_number(struct mr_http_exchange *exchange, const char *name, uint32_t otherwise,
                   uint32_t *number);

/* ---- api_views.c: what the core knows, as JSON ---- */
json_t *mr_view_topology(const struct mr_coordinator *coordinator,
                         const struct mr_core_topology *topology);
json_t *mr_view_worker(const struct mr_core_worker *worker);
json_t *mr_view_task(const struct mr_core_task *task);
json_t *mr_view_version(const struct mr_version_record *record, bool whole);
json_t *mr_view_difference(const struct mr_difference *difference, const struct mr_binding *before,
                           const struct mr_binding *after);
json_t *mr_view_findings(const struct mr_report *report);
json_t *mr_view_id(uint64_t id);        /* 16 hexadecimal digits */
json_t *mr_view_text(const char *text); /* null for NULL and "" */
const char *mr_view_task_state(enum mr_task_state state);
const char *mr_view_health(enum mr_core_health health);
const char *mr_view_worker_state(enum mr_worker_state state);

/* ---- api_read.c, api_change.c, api_why.c, api_state.c: one function per route ---- */
mr_api_handler mr_api_topologies;
mr_api_handler mr_api_topology_get;
mr_api_handler mr_api_version_get;
mr_api_handler mr_api_diff;
mr_api_handler mr_api_workers;
mr_api_handler mr_api_tasks;
mr_api_handler mr_api_assignment;
mr_api_handler mr_api_lag;
mr_api_handler mr_api_why;
mr_api_handler mr_api_state;
mr_api_handler mr_api_tap;
mr_api_handler mr_api_submit;
mr_api_handler mr_api_pause;
mr_api_handler mr_api_resume;
mr_api_handler mr_api_seek;
mr_api_handler mr_api_rollback;
mr_api_handler mr_api_reset;
mr_api_handler mr_api_delete;
mr_api_handler mr_api_drain;
mr_api_handler mr_api_undrain;

#endif
