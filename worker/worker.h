/* worker/worker.h — a process that runs topologies: task threads, the lanes on them, the keepers.
 * Model: a topology is opened once per version; its tasks come and go one by one. Each (task
 * thread, topology) with tasks is a lane. Wishes, not commands: the controlling thread says of each
 * task what it should be (run at this epoch, be released, be forgotten), the lanes work towards it
 * at their own pace, and a task's status says how far they are. A task that fails stops alone, with
 * its reason, where a coordinator assigns; `run` in one process fails its topology as a whole.
 * Threads: these functions belong to one controlling thread; none of them waits for the log. */
#ifndef MR_WORKER_WORKER_H
#define MR_WORKER_WORKER_H

#include "base/metrics.h"
#include "connectors/log.h"
#include "proto/messages.h"
#include "state/store.h"
#include "topology/deployment.h"

struct mr_worker;
struct mr_running; /* a version of a topology on this worker */
struct mr_task;
struct mr_tap_outlet;
struct mr_query_registry;

enum { MR_WORKER_TASKS_MAX = MR_MESSAGE_TASKS_MAX };

struct mr_worker_open {
    struct mr_log *log;
    struct mr_metrics *metrics;
    const char *name;            /* of this process, in claims */
    const char *state_directory; /* NULL: state in memory */
    uint32_t threads_count;
    uint64_t memory_bytes; /* caches and queues of all topologies together */
    bool until_end;        /* stop at the end offsets seen at start */
    bool outlives_process; /* the log is not in this process: until_end takes ends at start */
    bool assigned;         /* a coordinator assigns: who was fenced asks before it claims again */
    struct mr_query_registry *queries; /* where open states are known; NULL: nobody asks */
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
enum mr_status mr_worker_start(struct mr_worker *worker, struct mr_error *error) MR_NODISCARD;
/* Commit, release and stop everything. False when deadline_ms passed first: nothing is lost, the
 * next owner fences. */
bool mr_worker_stop(struct mr_worker *worker, uint32_t deadline_ms);
void mr_worker_destroy(struct mr_worker *worker);

/* ---- Topologies ---- */

/* Owner: deployment is borrowed until the topology is closed or the worker is destroyed. */
enum mr_status mr_worker_add(struct mr_worker *worker, const struct mr_deployment *deployment,
                             struct mr_running **running, struct mr_error *error) MR_NODISCARD;
/* Its tasks are forgotten: take it down. True when it is gone; else ask again in a moment. */
bool mr_worker_remove(struct mr_running *running);
void mr_worker_status(const struct mr_running *running, struct mr_running_status *status);
/* Something has moved that its tasks may not have seen yet: the status says ENDED only when all
 * their threads have looked since then, however long they get no turn. */
void mr_worker_look_again(struct mr_running *running);
/* The topology stops with this reason, which somebody who watches it found. */
void mr_worker_fail(struct mr_running *running, const struct mr_error *error);
/* Partitions of this source are not read while it is paused. node: index in the plan. */
void mr_worker_pause_source(struct mr_running *running, uint32_t node, bool paused);

/* ---- Taps: a live look at what operators emit (worker/tap.h) ---- */

/* Before the first topology is added. Without it nobody can look. */
void mr_worker_set_taps(struct mr_worker *worker, const struct mr_tap_outlet *outlet);
/* Ask who listens, about once a second: rows are rendered for listeners only. */
void mr_worker_look_at_taps(struct mr_worker *worker);

/* ---- Tasks ---- */

/* A task that should run. epoch 0: nobody assigns; it takes the last claim's + 1. */
enum mr_status mr_worker_assign(struct mr_running *running, uint32_t subtopology, int32_t partition,
                                uint64_t epoch, struct mr_task **task,
                                struct mr_error *error) MR_NODISCARD;
/* All tasks of the topology, before mr_worker_start: `run` in one process. */
enum mr_status mr_worker_assign_all(struct mr_running *running,
                                    struct mr_error *error) MR_NODISCARD;
/* Run at this epoch: one that was fenced or released claims again, one that runs at another epoch
 * is released first. */
void mr_worker_reassign(struct mr_task *task, uint64_t epoch);
/* Commit and release it. */
void mr_worker_revoke(struct mr_task *task);
/* It was revoked: forget it. True when it is gone and task is freed; else ask again in a moment. */
bool mr_worker_forget(struct mr_task *task);

/* report->error borrows from text, of MR_ERROR_MESSAGE_SIZE bytes. The name borrows from the plan.
 */
void mr_worker_task_report(struct mr_task *task, char *text, struct mr_task_report *report);

/* ---- Fenced incarnations ask (DESIGN 4, rule 2) ---- */

/* A number that rises when a lane begins to ask. Take it before a request is sent ... */
uint64_t mr_worker_questions(const struct mr_worker *worker);
/* ... and give it here when that request was answered and the answer is heeded. */
void mr_worker_answered(struct mr_worker *worker, uint64_t questions);

/* ---- Health ---- */

/* Milliseconds since the task thread that is furthest behind has last turned; *thread: its number.
 */
uint64_t mr_worker_silence_ms(const struct mr_worker *worker, uint32_t *thread);

#endif
