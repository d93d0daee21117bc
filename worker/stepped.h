/* worker/stepped.h — one topology whose task thread is the caller: `millrace test`.
 * Why: a test decides when records come, when time moves and when a source has ended; between two
 * such steps everything that follows must have happened, committed, before the next one. Model: a
 * worker with one lane that the caller steps until nothing is left to do. What commits, claims and
 * keeps house are the worker's own threads; operators, windows, timers and repartitions run as in
 * `run`. With driven clocks (base/clock.h) nothing else moves time, so that the outcome does not
 * depend on how fast the machine is: commits are made when there is nothing more to read, not when
 * an interval is over.
 * Threads: one caller. Limits: MR_STEPPED_SETTLE_MS_MAX of real time for one call to settle. */
#ifndef MR_WORKER_STEPPED_H
#define MR_WORKER_STEPPED_H

#include "worker/query.h"
#include "worker/worker.h"

enum { MR_STEPPED_SETTLE_MS_MAX = 120000 };

struct mr_stepped;

struct mr_stepped_open {
    struct mr_log *log; /* all borrowed until it is closed */
    struct mr_metrics *metrics;
    const struct mr_deployment *deployment;
    uint64_t memory_bytes; /* caches and queues */
};

/* Owner: close it also after a failure. *stepped is NULL when nothing was made. */
enum mr_status mr_stepped_open(const struct mr_stepped_open *open, struct mr_stepped **stepped,
                               struct mr_error *error) MR_NODISCARD;
void mr_stepped_close(struct mr_stepped *stepped); /* accepts NULL */

/* Step until every record on the log is processed, its outputs are committed and read where they
 * are read again. Errors: why the topology stopped (a record that `on_error: fail` refuses, ...);
 * MR_TIMEOUT: something goes on and on. */
enum mr_status mr_stepped_settle(struct mr_stepped *stepped, struct mr_error *error) MR_NODISCARD;

/* Nothing more will come from this source (index of its node in the plan): it holds no watermark
 * any more. What it is given later is processed all the same. */
void mr_stepped_end_source(struct mr_stepped *stepped, uint32_t node);

/* Committed state of a key: worker/query.h. */
void mr_stepped_query(struct mr_stepped *stepped, const struct mr_query *query,
                      struct mr_arena *arena, struct mr_query_answer *answer);

#endif
