/* worker/worker.h — a process that runs topologies: task threads and the lanes on them.
 * Model: a topology's tasks are spread over the task threads round robin; each (thread, topology)
 * with tasks is a lane. A topology that fails stops alone, with its reason; others go on. Threads:
 * these functions belong to one controlling thread. */
#ifndef MR_WORKER_WORKER_H
#define MR_WORKER_WORKER_H

#include "base/metrics.h"
#include "connectors/log.h"
#include "state/store.h"
#include "topology/deployment.h"

struct mr_worker;
struct mr_running; /* a topology on this worker */

struct mr_worker_open {
    struct mr_log *log;
    struct mr_metrics *metrics;
    const char *name;            /* of this process, in claims */
    const char *state_directory; /* NULL: state in memory */
    uint32_t threads_count;
    uint64_t memory_bytes; /* caches and queues of all topologies together */
    bool until_end;        /* stop at the end offsets seen at start */
    bool outlives_process; /* the log is not in this process: until_end takes ends at start */
};

enum mr_running_state { MR_RUNNING_ACTIVE, MR_RUNNING_ENDED, MR_RUNNING_FAILED };

struct mr_running_status {
    enum mr_running_state state;
    struct mr_error error; /* of FAILED */
    uint32_t tasks_count;
    uint32_t tasks_running;
    uint64_t input_records;
    uint64_t output_records;
    uint64_t anomalies; /* rows that a detector called anomalous */
    uint64_t commits_count;
    uint64_t incarnations_count;
    uint64_t commit_us; /* of the last commit */
    int64_t lag;        /* -1: not known yet */
    uint64_t restored_records;
};

enum mr_status mr_worker_create(const struct mr_worker_open *open, struct mr_worker **worker,
                                struct mr_error *error) MR_NODISCARD;
/* Owner: deployment is borrowed until the worker is destroyed. Before mr_worker_start. */
enum mr_status mr_worker_add(struct mr_worker *worker, const struct mr_deployment *deployment,
                             struct mr_running **running, struct mr_error *error) MR_NODISCARD;
enum mr_status mr_worker_start(struct mr_worker *worker, struct mr_error *error) MR_NODISCARD;
void mr_worker_status(const struct mr_running *running, struct mr_running_status *status);
/* The topology stops with this reason, which somebody who watches it found. */
void mr_worker_fail(struct mr_running *running, const struct mr_error *error);
/* Commit, release and stop everything. False when deadline_ms passed first: nothing is lost, the
 * next owner fences. */
bool mr_worker_stop(struct mr_worker *worker, uint32_t deadline_ms);
void mr_worker_destroy(struct mr_worker *worker);

#endif
