/* worker/query.h — reads of committed state by key, from outside of the tasks.
 * Model: tasks and standbys register their state while it is open. A query finds the entry of the
 * key's partition and reads what the store holds, that is what the last applied commit left.
 * Threads: any. One mutex, taken when a state is opened or closed and by queries, and by nothing
 * else: the record path never sees it. Unregistering waits for the query that reads, so that no
 * state is closed under it. Partition: murmur2 of the key's bytes, as producers and repartitions
 * place it; a key that is not there is looked for in the other partitions of this worker, since a
 * foreign producer may have placed it otherwise. */
#ifndef MR_WORKER_QUERY_H
#define MR_WORKER_QUERY_H

#include "operators/state_description.h"
#include "state/state.h"
#include "topology/plan.h"

struct mr_query_registry;
struct mr_query_entry;

struct mr_query_task {
    const char *topology; /* its name; copied */
    uint64_t generation;
    const struct mr_plan *plan; /* borrowed until it is unregistered, as is state */
    uint32_t subtopology;       /* index in the plan */
    int32_t partition;
    int32_t partitions_count;
    bool standby;
    struct mr_state *state; /* open, its operators' tables too */
};

struct mr_query_registry *mr_query_registry_create(void);
void mr_query_registry_destroy(struct mr_query_registry *registry); /* empty; accepts NULL */

/* The state is open and being restored: queries get 503. */
struct mr_query_entry *mr_query_register(struct mr_query_registry *registry,
                                         const struct mr_query_task *task);
/* Changelog records left to replay; -1: not known. Takes no lock. */
void mr_query_remaining(struct mr_query_entry *entry, int64_t records);
/* It is restored, and answers: of a task when it runs, of a standby when the local state is whole
 * transactions (any time after it was opened). */
void mr_query_ready(struct mr_query_entry *entry);
/* Of a standby: at this wall time its state was at the changelog's end. Takes no lock. */
void mr_query_current(struct mr_query_entry *entry, int64_t wall_ms);
/* Before the state is closed. Accepts NULL. */
void mr_query_unregister(struct mr_query_entry *entry);

struct mr_query {
    const char *topology;
    const char *store; /* the operator's name */
    struct mr_slice key;
    int32_t partition; /* -1: by the key */
    bool standby;      /* a standby may answer */
    /* Of operators that keep records or voxels: as in struct mr_state_description. */
    uint32_t last;
    int64_t since_ms;
    struct mr_state_place place;
    /* Not NULL: the operator's model is wanted, not what its state says; its document is appended
     * here and called model_name. */
    struct mr_buffer *document;
    const char *model_name;
};

enum mr_query_outcome {
    MR_QUERY_FOUND,
    MR_QUERY_NO_TOPOLOGY, /* nearest: one that is here, or NULL */
    MR_QUERY_NO_STORE,    /* nearest: one of the topology's, or NULL */
    MR_QUERY_NO_KEY,
    MR_QUERY_NOT_HERE,
    MR_QUERY_RESTORING, /* remaining */
    MR_QUERY_FAILED     /* error */
};

struct mr_query_answer {
    enum mr_query_outcome outcome;
    int32_t partition; /* where it is, or would be */
    struct mr_state_description description;
    int64_t event_time_ms; /* of the key; INT64_MIN: not kept */
    int64_t changelog_offset;
    bool by_standby;
    int64_t remaining;  /* records; -1: not known */
    int64_t current_ms; /* by_standby: wall time; 0: not yet at the end */
    const char *nearest;
    struct mr_error error;
};

/* Texts and values of the answer live in arena. */
void mr_query_run(struct mr_query_registry *registry, const struct mr_query *query,
                  struct mr_arena *arena, struct mr_query_answer *answer);

#endif
