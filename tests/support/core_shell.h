/* tests/support/core_shell.h — a shell for the coordinator's core without processes: a control
 * topic in memory, workers that do as they are told after a while, and a clock that a test moves.
 * It holds what must always be true, and fails the test at once when it is not: what a WRITE says
 * of epochs, that an answer names only what is committed, that every request is answered once, that
 * no two owners claim a task with one epoch. */
#ifndef MR_TESTS_CORE_SHELL_H
#define MR_TESTS_CORE_SHELL_H

#include "base/random.h"
#include "coordinator/core.h"

enum {
    CORE_SHELL_WORKERS = 16,
    CORE_SHELL_TASKS = 512,
    CORE_SHELL_HANDLES = 4096,
    CORE_SHELL_JOBS = 16
};

struct shell_task {
    struct mr_task_report report; /* texts are the shell's */
    char subtopology[64];
    uint64_t until_ms; /* when its state changes */
    bool told;         /* in the last answer */
};

struct shell_worker {
    char name[32];
    char zone[16];
    bool alive;
    bool cut; /* it runs, but nothing reaches the coordinator */
    uint64_t instance;
    uint64_t sequence;
    uint64_t answered_sequence;
    uint64_t term;
    uint64_t peer;
    uint32_t threads_count;
    uint64_t memory_bytes;
    enum mr_leaving leaving;
    bool asks;                /* whether it is coming back */
    enum mr_leaving to_leave; /* what it was answered */
    bool more;                /* so said the last answer */
    bool left;                /* `leaves` was answered */
    uint64_t handle;          /* of the Sync that is kept; 0: none */
    uint64_t sent_ms;
    uint32_t answers_count;
    uint32_t paused_count; /* sources of the first topology of the last answer */
    uint64_t claim_ms;     /* how long its tasks' states last */
    uint64_t restore_ms;
    uint64_t release_ms;
    uint64_t warm_ms;
    uint32_t fails_version; /* tasks of this version fail here; 0: none */
    uint32_t refuses_version;
    uint64_t refuses_generation;
    int64_t lag; /* of its running tasks */
    int64_t idle_ms;
    uint64_t load_us;
    uint64_t odd_load_us; /* of tasks with an odd partition; 0: as the others */
    struct shell_task tasks[CORE_SHELL_TASKS];
    uint32_t tasks_count;
};

struct shell_answer {
    int code; /* 0: none yet */
    char text[512];
};

struct shell_record {
    char key[256];
    uint8_t *value;
    size_t size;
};

struct shell_claim {
    char key[256];
    uint64_t epoch;
    uint64_t instance;
};

struct shell_job {
    uint64_t id;
    enum mr_core_job_kind kind;
    uint64_t generation;
    uint64_t next_generation;
    char name[64];
};

struct core_shell {
    struct mr_core *core;
    struct mr_core_options options;
    const char *title; /* printed when a check fails */
    uint64_t now_ms;
    uint64_t term;
    uint64_t next_handle;
    uint64_t next_instance;
    uint64_t ticked_ms;
    uint64_t write_ms;   /* how long a WRITE takes */
    uint64_t written_ms; /* when the one under way is committed */
    uint64_t write_id;   /* 0: none is under way */
    struct shell_record *write_records;
    uint32_t write_count;
    uint32_t writes_count;
    struct shell_record *records; /* the control topic, compacted */
    uint32_t records_count;
    uint32_t records_capacity;
    struct shell_claim *claims;
    uint32_t claims_count;
    uint32_t claims_capacity;
    struct shell_worker workers[CORE_SHELL_WORKERS];
    uint32_t workers_count;
    struct shell_answer answers[CORE_SHELL_HANDLES];
    struct shell_job jobs[CORE_SHELL_JOBS]; /* that are under way */
    uint32_t jobs_count;
    uint64_t scale_id; /* that is to be answered; 0: none */
    uint64_t scale_ms; /* when */
    uint64_t scale_takes_ms;
    uint32_t replicas;
    bool scale_fails;
    uint32_t scales_count;
    bool hold_jobs;       /* the test ends them itself */
    bool jobs_transient;  /* asking again helps where one fails */
    uint32_t moves_count; /* assignments to another worker than before */
    uint32_t assigned_count;
    uint32_t refused_count;
    char news[1 << 16]; /* "event: text" lines, the latest */
    size_t news_size;
    struct mr_arena arena;
};

/* A topology as tests write it: "main:4" is a stateless part with 4 tasks, "agg*:8" a stateful one.
 */
struct shell_topology {
    const char *name;
    const char *parts; /* separated by spaces */
    uint64_t memory_bytes;
    uint32_t standbys_count;
    uint64_t generation; /* 0: of the topology, or new */
    uint32_t version;    /* that it was planned to be; 0: any */
};

struct core_shell *core_shell_create(const struct mr_core_options *options); /* NULL: defaults */
void core_shell_destroy(struct core_shell *shell);

struct mr_core_commands core_shell_step(struct core_shell *shell,
                                        const struct mr_core_event *event);
void core_shell_lead(struct core_shell *shell);
void core_shell_follow(struct core_shell *shell);
/* For so long the process does not know whether it leads. */
void core_shell_suspend(struct core_shell *shell, uint64_t ms);
/* Another process takes the lead: it has the records, and nothing else. What was being written is
 * committed or lost. */
void core_shell_take_over(struct core_shell *shell, bool commits);
void core_shell_run(struct core_shell *shell, uint64_t ms);

struct shell_worker *core_shell_worker(struct core_shell *shell, const char *name);
struct shell_worker *core_shell_find(struct core_shell *shell, const char *name);
void core_shell_kill(struct core_shell *shell, struct shell_worker *worker);
void core_shell_start(struct core_shell *shell, struct shell_worker *worker); /* a new instance */
void core_shell_close(struct core_shell *shell, struct shell_worker *worker); /* its connection */

/* Give a command; returns its handle. */
uint64_t core_shell_submit(struct core_shell *shell, const struct shell_topology *topology);
uint64_t core_shell_user(struct core_shell *shell, enum mr_core_action action, const char *name,
                         const char *argument);
uint64_t core_shell_rollback(struct core_shell *shell, const char *name, uint32_t version);
void core_shell_job_done(struct core_shell *shell, bool failed, const char *text);

/* How many tasks of a role a worker has that run (or follow). name NULL: of every topology. */
uint32_t core_shell_count(const struct core_shell *shell, const struct shell_worker *worker,
                          enum mr_task_role role);
uint32_t core_shell_running(const struct core_shell *shell); /* active ones, of all workers */
/* The active task's worker, running; NULL: nobody runs it. */
struct shell_worker *core_shell_owner(struct core_shell *shell, const char *subtopology,
                                      int32_t partition);
struct shell_task *core_shell_task(struct shell_worker *worker, const char *subtopology,
                                   int32_t partition);
struct mr_core_topology core_shell_topology(const struct core_shell *shell, const char *name);
bool core_shell_told(const struct core_shell *shell, const char *text); /* in the news */
uint32_t core_shell_records(const struct core_shell *shell, const char *prefix);

#endif
