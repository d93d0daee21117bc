/* worker/internal.h — what the files of worker/ share. */
#ifndef MR_WORKER_INTERNAL_H
#define MR_WORKER_INTERNAL_H

#include "worker/lane.h"
#include "worker/share.h"

enum { MR_KEEPERS_MAX = 16, MR_KEEPER_JOBS_MAX = 65536 };

struct mr_running {
    struct mr_worker *worker;
    const struct mr_deployment *deployment;
    struct mr_lane **lanes; /* one per task thread that has had tasks of it */
    uint32_t lanes_count;
    struct mr_task **tasks; /* those that the controlling thread has assigned */
    uint32_t tasks_count;
    atomic_bool *paused_nodes;            /* by node: its source is not read */
    struct mr_tap *taps;                  /* by node; NULL: the worker has no outlet for them */
    const char *group;                    /* of the mirrored offsets; NULL: <cluster>.<topology> */
    uint64_t producer_queue_bytes;        /* the largest `buffer_memory` of the sinks */
    const char *const *producer_settings; /* pairs ended by NULL: the sinks' `producer:` options */
    const char *const *consumer_settings; /* the sources' `consumer:` options */
    struct mr_arena arena;                /* what the settings live in */
    pthread_mutex_t mutex;                /* guards error */
    struct mr_error error;
    atomic_bool failed;
    bool closing; /* its lanes were told to stop */
    _Atomic uint64_t restored_records;
};

struct mr_task_thread {
    struct mr_worker *worker;
    pthread_t thread;
    atomic_bool finished; /* its loop has ended */
    bool started;
    bool joined;
    struct mr_ring *arrivals; /* new lanes */
    struct mr_lane **lanes;
    uint32_t lanes_count;
    struct mr_shares shares; /* of the lanes, by the same index */
    uint64_t rested_ms;      /* monotonic: the last turn that found nothing to do */
    bool restless;           /* it has worked without a rest for a while */
    uint32_t tasks_count;    /* controlling thread: those assigned to it */
    _Atomic uint64_t turned_ms;
};

struct mr_worker {
    struct mr_worker_open open;
    const struct mr_store_ops *store_ops;
    struct mr_store_resources *store_resources;
    struct mr_claimer claimer;
    char *claims_topic; /* the claimer's texts: they outlive the first topology */
    char *cluster;
    struct mr_fenced fenced;
    struct mr_tap_outlet outlet; /* publish NULL: nobody can look */
    struct mr_running **runnings;
    uint32_t runnings_count;
    struct mr_task_thread *threads;
    struct mr_ring *jobs; /* to the keepers */
    pthread_t keepers[MR_KEEPERS_MAX];
    uint32_t keepers_count;
    _Atomic uint32_t tasks_count; /* of all topologies: divides the caches */
    _Atomic uint64_t questions;   /* of lanes that were fenced */
    _Atomic uint64_t answered_questions;
    atomic_bool stopping;
    bool started;
};

enum {
    MR_LOG_WAIT_MS = 15000,   /* one request to the log */
    MR_COMMIT_AGE_MS_MIN = 5, /* at low load the next commit starts when the last has ended */
    MR_HOUSEKEEPING_MS = 5000,
    MR_BATCH_BYTES = 1000000, /* of a producer's batch, where no topic takes less */
    MR_CONSUMER_QUEUE_BYTES = 16 << 20,
    MR_PRODUCER_QUEUE_BYTES = 64 << 20
};

/* The keepers alone: tests turn lanes themselves. */
enum mr_status mr_worker_start_keepers(struct mr_worker *worker,
                                       struct mr_error *error) MR_NODISCARD;

/* Gather the clients' settings that sources and sinks of the topology ask for. MR_INVALID when two
 * of them disagree: a topology has one consumer and one pair of producers per task thread. */
enum mr_status mr_running_settings(struct mr_running *running, struct mr_error *error) MR_NODISCARD;

/* The topology stops with this reason; the first one is kept. */
void mr_running_fail(struct mr_running *running, const struct mr_error *error);

#endif
