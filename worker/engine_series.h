/* worker/engine_series.h — the metric series of a lane, its nodes and its tasks
 * (base/engine_metrics.h). */
#ifndef MR_WORKER_ENGINE_SERIES_H
#define MR_WORKER_ENGINE_SERIES_H

#include "base/engine_metrics.h"

/* Of one operator, source or sink. */
struct mr_series {
    struct mr_metric *in;
    struct mr_metric *out;
    struct mr_metric *dropped;
    struct mr_metric *late;
    struct mr_metric *dead;
    struct mr_metric *errors;
    struct mr_metric *last_error_time;
    struct mr_metric *duration;
};

void mr_series_open(struct mr_metrics *metrics, const char *topology, const char *node,
                    struct mr_series *series);
void mr_series_close(struct mr_metrics *metrics, struct mr_series *series);

/* Of one detector: records by its state for their key. */
enum { MR_SERIES_STATES = 4 };

struct mr_detector_series {
    struct mr_metric *states[MR_SERIES_STATES]; /* NULL: the node is no detector */
};

void mr_detector_series_open(struct mr_metrics *metrics, const char *topology, const char *node,
                             const char *const *states, struct mr_detector_series *series);
void mr_detector_series_close(struct mr_metrics *metrics, struct mr_detector_series *series);

/* A gauge of one operator of one task: the highest value of the last minute or two with values. */
struct mr_gauge_series {
    struct mr_metric *metric; /* NULL: not told */
    int64_t minute;
    double highest; /* of that minute */
    double before;  /* of the last minute with values */
};

void mr_gauge_series_open(struct mr_metrics *metrics, enum mr_engine_metric metric,
                          const char *topology, const char *node, int32_t partition,
                          struct mr_gauge_series *series);
/* now_ms: wall time. Pre: open. */
void mr_gauge_series_set(struct mr_gauge_series *series, double value, int64_t now_ms);
void mr_gauge_series_close(struct mr_metrics *metrics, struct mr_gauge_series *series);

/* Of one lane: transactions, claims, restores. */
struct mr_lane_series {
    struct mr_metric *transaction_duration;
    struct mr_metric *transaction_latency;
    struct mr_metric *transaction_records;
    struct mr_metric *transaction_bytes;
    struct mr_metric *transactions;
    struct mr_metric *transaction_failures;
    struct mr_metric *claims;
    struct mr_metric *fences;
    struct mr_metric *restore_records;
    struct mr_metric *restore_duration;
    struct mr_metric *tasks_running;
    struct mr_metric *event_times_clamped;
};

void mr_lane_series_open(struct mr_metrics *metrics, const char *topology,
                         struct mr_lane_series *series);
void mr_lane_series_close(struct mr_metrics *metrics, struct mr_lane_series *series);

/* Of one input of a task. */
struct mr_input_series {
    struct mr_metric *records;
    struct mr_metric *bytes;
    struct mr_metric *lag;
    struct mr_metric *watermark;
};

void mr_input_series_open(struct mr_metrics *metrics, const char *topology, const char *source,
                          int32_t partition, struct mr_input_series *series);
void mr_input_series_close(struct mr_metrics *metrics, struct mr_input_series *series);

/* Of one task. */
struct mr_task_series {
    struct mr_metric *watermark;
    struct mr_metric *event_lag;
};

void mr_task_series_open(struct mr_metrics *metrics, const char *topology, const char *subtopology,
                         int32_t partition, struct mr_task_series *series);
void mr_task_series_close(struct mr_metrics *metrics, struct mr_task_series *series);

/* Of one task's store. */
struct mr_store_series {
    struct mr_metric *bytes;
    struct mr_metric *keys;
    struct mr_metric *cache_hits;
    struct mr_metric *cache_misses;
};

void mr_store_series_open(struct mr_metrics *metrics, const char *topology, const char *subtopology,
                          int32_t partition, struct mr_store_series *series);
void mr_store_series_close(struct mr_metrics *metrics, struct mr_store_series *series);

#endif
