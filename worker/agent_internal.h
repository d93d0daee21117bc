/* worker/agent_internal.h — what the files of the agent share: agent.c (answers, leaving, the
 * step), agent_reconcile.c (from what is wanted and what is there to commands), agent_requests.c
 * (what is asked, of whom, when). */
#ifndef MR_WORKER_AGENT_INTERNAL_H
#define MR_WORKER_AGENT_INTERNAL_H

#include "base/arena.h"
#include "base/random.h"
#include "worker/agent.h"

enum { MR_AGENT_ADDRESS_SIZE = MR_MESSAGE_NAME_MAX + 1 };

/* What an answer wants. Tasks are sorted by name, each name once. */
struct mr_agent_wanted {
    struct mr_arena arena;
    struct mr_assigned_task *tasks;
    uint32_t tasks_count;
    struct mr_assigned_topology *topologies;
    uint32_t topologies_count;
};

/* A version that something wanted runs, or the host has. */
struct mr_agent_version {
    uint64_t generation;
    uint32_t number;
    uint64_t ask_at_ms; /* not before */
    uint32_t asked_count;
    uint64_t pauses_hash; /* of what was said last; 0: nothing */
    bool wanted;
    const struct mr_topology_report *present; /* of this step; NULL: the host lacks it */
};

/* Names of tasks that a request called RELEASED, sorted. */
struct mr_agent_released {
    struct mr_arena arena;
    struct mr_task_name *names;
    uint32_t names_count;
};

enum mr_agent_under_way {
    MR_AGENT_NOTHING_UNDER_WAY,
    MR_AGENT_SYNC_UNDER_WAY,
    MR_AGENT_TOPOLOGY_UNDER_WAY
};

struct mr_agent {
    struct mr_agent_options options;
    struct mr_random random;
    uint64_t term;
    bool started;
    uint64_t started_ms;
    uint64_t now_ms;

    /* What is wanted. */
    struct mr_agent_wanted wanted;
    bool heard; /* an answer counted: `wanted` says something */
    bool drained;
    bool lacks; /* tasks that are wanted are not here yet, as of the last step */
    bool more;  /* tasks are on their way that the last answer did not name */
    struct mr_agent_version *versions;
    uint32_t versions_count;

    /* Requests. */
    uint64_t sequence;
    uint64_t heard_sequence; /* of the last answer that counted */
    enum mr_agent_under_way under_way;
    uint64_t sent_ms;
    uint64_t synced_ms; /* the last Sync was sent */
    uint64_t heard_ms;
    uint64_t said_hash;    /* of the host's state in the last Sync */
    uint64_t questions;    /* as of the last Sync */
    uint64_t refusal_hash; /* of the refusal that was said last ... */
    uint64_t refusal_ms;   /* ... and when */
    bool all_released;     /* what the last Sync said while leaving */
    uint64_t gap_ms;       /* between Syncs that replace one another */
    uint64_t retry_at_ms;
    uint32_t failures_count; /* in a row */
    uint32_t address_index;
    char leader[MR_AGENT_ADDRESS_SIZE]; /* asked instead of those listed; empty: not known */
    struct mr_agent_released said;      /* in the last Sync */
    struct mr_agent_released answered;  /* in the last Sync that was answered */
    bool answer_due;                    /* ANSWERED goes out with this step */

    /* Leaving: asking, then draining or not, then leaving. */
    bool asking;   /* whether its name is coming back */
    bool draining; /* it is not: tasks go on until they are taken away */
    bool leaving;  /* everything is released */
    uint64_t ask_until_ms;
    uint64_t drain_until_ms;
    uint64_t stop_ms; /* how long the release may take */
    uint64_t drain_ms;
    bool farewell_answered;
    bool exited;
    uint64_t deadline_ms;
    uint64_t released_ms; /* when all was released; 0: not yet */

    /* This step's. */
    const struct mr_agent_host *host;
    const struct mr_task_report **sorted; /* the host's tasks by name, then role */
    uint32_t sorted_capacity;
    struct mr_agent_command *commands;
    uint32_t commands_count;
    uint32_t commands_capacity;
    struct mr_arena arena;
};

struct mr_agent_command *mr_agent_command(struct mr_agent *agent, enum mr_agent_command_kind kind);

/* ---- agent_reconcile.c ---- */

int mr_agent_compare_names(const struct mr_task_name *left, const struct mr_task_name *right);
int mr_agent_compare_assigned(const void *left, const void *right);
struct mr_task_name mr_agent_copy_name(const struct mr_task_name *name, struct mr_arena *arena);
struct mr_agent_version *mr_agent_find_version(const struct mr_agent *agent, uint64_t generation,
                                               uint32_t number);
/* Sort the host's tasks: once a step, before anything else. */
void mr_agent_sort_host(struct mr_agent *agent);
/* Match versions with what is wanted and what the host has. */
void mr_agent_see_versions(struct mr_agent *agent);
void mr_agent_reconcile(struct mr_agent *agent);

/* ---- agent_requests.c ---- */

const char *mr_agent_address(const struct mr_agent *agent);
/* The next of the coordinators, when this one does not help. */
void mr_agent_ask_next(struct mr_agent *agent);
/* What is under way has come to nothing: back off. */
void mr_agent_request_failed(struct mr_agent *agent);
bool mr_agent_everything_released(const struct mr_agent *agent);
/* Send what is due. */
void mr_agent_pace(struct mr_agent *agent);

#endif
