/* base/engine_metrics.h — the engine's metrics, in one table.
 * Why: worker/, coordinator/ and the log register them, the `metrics` source reads some back by
 * name, and docs/METRICS.md is generated from the same table, so that none of them disagree. Model:
 * one spec per metric; series are made with mr_metrics_series. Durations are
 * observed in microseconds and times set in milliseconds since the epoch; the text has both in
 * seconds. */
#ifndef MR_BASE_ENGINE_METRICS_H
#define MR_BASE_ENGINE_METRICS_H

#include "base/metrics.h"

enum mr_engine_metric {
    /* Per operator. */
    MR_ENGINE_OPERATOR_IN,
    MR_ENGINE_OPERATOR_OUT,
    MR_ENGINE_OPERATOR_DROPPED,
    MR_ENGINE_OPERATOR_LATE,
    MR_ENGINE_OPERATOR_DEAD_LETTERS,
    MR_ENGINE_OPERATOR_ERRORS,
    MR_ENGINE_OPERATOR_LAST_ERROR_TIME,
    MR_ENGINE_OPERATOR_BATCH_DURATION,
    MR_ENGINE_DETECTOR_RECORDS,
    MR_ENGINE_OPERATOR_UTILISATION,
    MR_ENGINE_OPERATOR_KEPT_AGE,
    /* Per source. */
    MR_ENGINE_SOURCE_RECORDS,
    MR_ENGINE_SOURCE_BYTES,
    MR_ENGINE_SOURCE_LAG,
    MR_ENGINE_SOURCE_WATERMARK,
    /* Per task. */
    MR_ENGINE_TASK_WATERMARK,
    MR_ENGINE_TASK_EVENT_LAG,
    /* Per store. */
    MR_ENGINE_STORE_BYTES,
    MR_ENGINE_STORE_KEYS,
    MR_ENGINE_STORE_CACHE_HITS,
    MR_ENGINE_STORE_CACHE_MISSES,
    /* Per topology and task thread. */
    MR_ENGINE_TRANSACTION_DURATION,
    MR_ENGINE_TRANSACTION_LATENCY,
    MR_ENGINE_TRANSACTION_RECORDS,
    MR_ENGINE_TRANSACTION_BYTES,
    MR_ENGINE_TRANSACTIONS,
    MR_ENGINE_TRANSACTION_FAILURES,
    MR_ENGINE_CLAIMS,
    MR_ENGINE_FENCES,
    MR_ENGINE_RESTORE_RECORDS,
    MR_ENGINE_RESTORE_DURATION,
    MR_ENGINE_TASKS_RUNNING,
    MR_ENGINE_WORKER_BUSY,
    MR_ENGINE_EVENT_TIMES_CLAMPED,
    /* Of a coordinator. */
    MR_ENGINE_COORDINATOR_LEADER,
    MR_ENGINE_COORDINATOR_TERM,
    MR_ENGINE_COORDINATOR_WORKERS,
    MR_ENGINE_COORDINATOR_TASKS,
    MR_ENGINE_COORDINATOR_TOPOLOGIES,
    MR_ENGINE_COORDINATOR_STEP_DURATION,
    MR_ENGINE_COORDINATOR_SYNCS,
    MR_ENGINE_COORDINATOR_REFUSED,
    MR_ENGINE_COORDINATOR_WRITES,
    MR_ENGINE_COORDINATOR_REQUESTS,
    MR_ENGINE_METRIC_COUNT
};

/* The spec of a metric. Never NULL. */
const struct mr_metric_spec *mr_engine_metric(enum mr_engine_metric metric);

/* The table as Markdown rows (name, kind, labels, meaning, what to watch for), sorted as declared,
 * for docs/METRICS.md. MR_LIMIT: output is full. */
enum mr_status mr_engine_metrics_table(struct mr_buffer *output) MR_NODISCARD;

#endif
