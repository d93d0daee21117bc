/* worker/agent.h — the worker's side of coordination: a pure step machine.
 * Why: what a worker does about lost, repeated and late answers must be testable without threads
 * and a network; the simulation runs the same code as the process (worker/agent_loop.h).
 * Model: event + what the host has now + time -> commands. No I/O, no clock, no threads. The host
 * (task threads, follower) is described anew with every step, as its reports say; commands are
 * wishes that are said again until the reports show them done, so one that comes to nothing is not
 * lost. The order of the commands matters.
 *
 *   wanted (newest answer)   host has            command
 *   nothing                  active              REVOKE; FORGET once RELEASED was said and answered
 *   nothing                  standby             LEAVE, until it is gone
 *   active                   nothing             OPEN its version if need be, then ASSIGN
 *   active, higher epoch     active              REASSIGN
 *   active                   standby             LEAVE, then as with nothing
 *   standby                  active              REVOKE, FORGET, then FOLLOW
 *   other version            active or standby   as with nothing wanted, then ASSIGN or FOLLOW
 *
 * Rules (each has a test in tests/unit/worker/test_agent.c):
 *  1. An answer counts when it is the newest request's (instance, sequence) and its term is not
 *     below the highest that was seen. It is the whole of what the worker should have.
 *  2. Silence changes nothing: without an answer everything goes on as it is.
 *  3. A task is never assigned while anything else of its name is on this worker.
 *  4. RELEASED is said in a Sync that was answered before the task is forgotten.
 *  5. `questions` of a request are given back only after its answer was acted upon.
 *  6. Told to leave, it asks first whether its name is coming back, and lets go of nothing before
 *     the answer (MR_AGENT_ASK_MS at most). A restart releases everything; a drain keeps its tasks
 *     until the coordinator has moved them, and releases what is left when its time is over.
 * Limits: MR_AGENT_ADDRESSES_MAX coordinators; those of proto/messages.h.
 * Threads: one at a time. */
#ifndef MR_WORKER_AGENT_H
#define MR_WORKER_AGENT_H

#include "proto/messages.h"

enum {
    MR_AGENT_ADDRESSES_MAX = 16,
    MR_AGENT_GAP_MS = 20,      /* between two Syncs, where local state changes */
    MR_AGENT_GAP_MS_MAX = 320, /* and while none of them is answered */
    MR_AGENT_RESEND_MS = 600,  /* a Sync is answered within 250 ms; silence counts after 1 s */
    MR_AGENT_BACK_OFF_MS = 100,
    MR_AGENT_BACK_OFF_MS_MAX = 1000,
    MR_AGENT_ASK_MS = 2000,     /* an answer to "is this name coming back?" is waited for */
    MR_AGENT_FAREWELL_MS = 5000 /* all is released: how long an answer is waited for */
};

struct mr_agent;

/* Texts and addresses are borrowed until the agent is destroyed. */
struct mr_agent_options {
    const char *cluster;
    const char *worker;
    uint64_t instance; /* random, new with each start */
    const char *zone;  /* empty: none */
    const char *http;  /* empty: none */
    const char *build;
    uint32_t threads_count;
    uint64_t memory_bytes;        /* 0: no limit */
    const char *const *addresses; /* of coordinators */
    uint32_t addresses_count;     /* 1..MR_AGENT_ADDRESSES_MAX */
    bool exit_when_drained;
    uint64_t seed; /* of the back-off's jitter */
};

/* What the host has now; borrowed until mr_agent_step returns. A name has at most one entry of each
 * role. */
struct mr_agent_host {
    const struct mr_task_report *tasks;
    uint32_t tasks_count;
    const struct mr_topology_report *topologies; /* opened or refused */
    uint32_t topologies_count;
    uint64_t questions; /* mr_worker_questions */
};

enum mr_agent_event_kind {
    MR_AGENT_EVENT_TICK,   /* at least every 20 ms, and when the host has changed */
    MR_AGENT_EVENT_REPLY,  /* `reply`: borrowed until the next step */
    MR_AGENT_EVENT_BROKEN, /* the request under way cannot be answered any more */
    MR_AGENT_EVENT_LEAVE   /* drain or restart, as the coordinator says, then EXIT */
};

struct mr_agent_event {
    enum mr_agent_event_kind kind;
    const struct mr_reply *reply;
    uint64_t deadline_ms; /* LEAVE: releasing everything may take as long */
    uint64_t drain_ms;    /* LEAVE: and a drain before that; 0: it restarts, nobody is asked */
};

enum mr_agent_command_kind {
    MR_AGENT_COMMAND_SEND,     /* `request` to `address`; gives up what is under way */
    MR_AGENT_COMMAND_OPEN,     /* `topology`: open it, or report it as refused */
    MR_AGENT_COMMAND_CLOSE,    /* generation and version: close it, or forget that it was refused */
    MR_AGENT_COMMAND_PAUSE,    /* just `sources` of generation and version are not read */
    MR_AGENT_COMMAND_ASSIGN,   /* `task` */
    MR_AGENT_COMMAND_REASSIGN, /* host task `index` to run at `epoch` */
    MR_AGENT_COMMAND_REVOKE,   /* host task `index` */
    MR_AGENT_COMMAND_FORGET,   /* host task `index` */
    MR_AGENT_COMMAND_FOLLOW,   /* `task` */
    MR_AGENT_COMMAND_LEAVE,    /* host task `index`, a standby */
    MR_AGENT_COMMAND_ANSWERED, /* mr_worker_answered(`questions`) */
    MR_AGENT_COMMAND_SAY,      /* `text`: a line for the log */
    MR_AGENT_COMMAND_EXIT      /* end the process; the last command ever */
};

struct mr_agent_command {
    enum mr_agent_command_kind kind;
    const char *address;                      /* SEND */
    struct mr_request request;                /* SEND: borrows from the host's reports */
    const struct mr_topology_reply *topology; /* OPEN: borrows from the event */
    const struct mr_assigned_task *task;      /* ASSIGN, FOLLOW */
    uint32_t index;                           /* of the host's tasks */
    uint64_t epoch;
    uint64_t generation; /* CLOSE, PAUSE */
    uint32_t version;
    const char *const *sources; /* PAUSE: by name */
    uint32_t sources_count;
    uint64_t questions;
    const char *text;
    bool unfinished; /* EXIT: the deadline passed before everything was released */
};

struct mr_agent_commands {
    const struct mr_agent_command *items;
    uint32_t items_count;
};

/* How the coordinator is reached, for health and the log. */
struct mr_agent_contact {
    bool answered;      /* ever */
    uint64_t silent_ms; /* since the last answer that counted, or since the first step */
    uint64_t term;
    const char *address; /* whom it asks; valid until the next step */
    bool leaving;
    bool more; /* tasks are on their way to it, or wanted here and not begun */
};

struct mr_agent *mr_agent_create(const struct mr_agent_options *options);
void mr_agent_destroy(struct mr_agent *agent); /* accepts NULL */
/* One step; now_ms is monotonic. The commands are valid until the next step. */
struct mr_agent_commands mr_agent_step(struct mr_agent *agent, const struct mr_agent_event *event,
                                       const struct mr_agent_host *host, uint64_t now_ms);
struct mr_agent_contact mr_agent_contact(const struct mr_agent *agent, uint64_t now_ms);

#endif
