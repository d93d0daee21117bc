/* worker/engine_series.c — creating and removing the series that a lane writes.
 * Design: a series struct is members of one type, filled from a list of metrics in the same order.
 */
#include "worker/engine_series.h"

#include "base/assert.h"

#include <stdio.h>

enum { MINUTE_MS = 60000 };

static const enum mr_engine_metric node_metrics[] = {MR_ENGINE_OPERATOR_IN,
                                                     MR_ENGINE_OPERATOR_OUT,
                                                     MR_ENGINE_OPERATOR_DROPPED,
                                                     MR_ENGINE_OPERATOR_LATE,
                                                     MR_ENGINE_OPERATOR_DEAD_LETTERS,
                                                     MR_ENGINE_OPERATOR_ERRORS,
                                                     MR_ENGINE_OPERATOR_LAST_ERROR_TIME,
                                                     MR_ENGINE_OPERATOR_BATCH_DURATION};
static const enum mr_engine_metric lane_metrics[] = {MR_ENGINE_TRANSACTION_DURATION,
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
                                                     MR_ENGINE_EVENT_TIMES_CLAMPED};
static const enum mr_engine_metric input_metrics[] = {MR_ENGINE_SOURCE_RECORDS,
                                                      MR_ENGINE_SOURCE_BYTES, MR_ENGINE_SOURCE_LAG,
                                                      MR_ENGINE_SOURCE_WATERMARK};
static const enum mr_engine_metric task_metrics[] = {MR_ENGINE_TASK_WATERMARK,
                                                     MR_ENGINE_TASK_EVENT_LAG};
static const enum mr_engine_metric store_metrics[] = {MR_ENGINE_STORE_BYTES, MR_ENGINE_STORE_KEYS,
                                                      MR_ENGINE_STORE_CACHE_HITS,
                                                      MR_ENGINE_STORE_CACHE_MISSES};

#define CHECK_MEMBERS(type, list)                                                                  \
    _Static_assert(sizeof(type) == MR_ARRAY_COUNT(list) * sizeof(struct mr_metric *),              \
                   "one member per metric, in the list's order")
CHECK_MEMBERS(struct mr_series, node_metrics);
CHECK_MEMBERS(struct mr_lane_series, lane_metrics);
CHECK_MEMBERS(struct mr_input_series, input_metrics);
CHECK_MEMBERS(struct mr_task_series, task_metrics);
CHECK_MEMBERS(struct mr_store_series, store_metrics);

static void open_all(struct mr_metrics *metrics, const enum mr_engine_metric *list, size_t count,
                     const char *const *labels, struct mr_metric **members)
{
    for (size_t index = 0; index < count; index++)
        members[index] = mr_metrics_series(metrics, mr_engine_metric(list[index]), labels);
}

static void close_all(struct mr_metrics *metrics, size_t count, struct mr_metric **members)
{
    for (size_t index = 0; index < count; index++) {
        if (members[index] != NULL)
            mr_metrics_remove(metrics, members[index]);
        members[index] = NULL;
    }
}

void mr_series_open(struct mr_metrics *metrics, const char *topology, const char *node,
                    struct mr_series *series)
{
    const char *const labels[] = {topology, node};
    open_all(metrics, node_metrics, MR_ARRAY_COUNT(node_metrics), labels, &series->in);
}

void mr_series_close(struct mr_metrics *metrics, struct mr_series *series)
{
    close_all(metrics, MR_ARRAY_COUNT(node_metrics), &series->in);
}

void mr_detector_series_open(struct mr_metrics *metrics, const char *topology, const char *node,
                             const char *const *states, struct mr_detector_series *series)
{
    for (uint32_t state = 0; state < MR_SERIES_STATES; state++) {
        const char *const labels[] = {topology, node, states[state]};
        series->states[state] =
            mr_metrics_series(metrics, mr_engine_metric(MR_ENGINE_DETECTOR_RECORDS), labels);
    }
}

void mr_detector_series_close(struct mr_metrics *metrics, struct mr_detector_series *series)
{
    close_all(metrics, MR_SERIES_STATES, series->states);
}

void mr_gauge_series_open(struct mr_metrics *metrics, enum mr_engine_metric metric,
                          const char *topology, const char *node, int32_t partition,
                          struct mr_gauge_series *series)
{
    char number[16];
    (void)snprintf(number, sizeof(number), "%d", partition);
    const char *const labels[] = {topology, node, number};
    *series = (struct mr_gauge_series){
        .metric = mr_metrics_series(metrics, mr_engine_metric(metric), labels)};
}

void mr_gauge_series_set(struct mr_gauge_series *series, double value, int64_t now_ms)
{
    int64_t minute = now_ms / MINUTE_MS;
    if (minute != series->minute) {
        series->before = series->highest;
        series->highest = 0;
        series->minute = minute;
    }
    if (value > series->highest)
        series->highest = value;
    mr_metric_set(series->metric,
                  series->highest > series->before ? series->highest : series->before);
}

void mr_gauge_series_close(struct mr_metrics *metrics, struct mr_gauge_series *series)
{
    close_all(metrics, 1, &series->metric);
}

void mr_lane_series_open(struct mr_metrics *metrics, const char *topology,
                         struct mr_lane_series *series)
{
    const char *const labels[] = {topology};
    open_all(metrics, lane_metrics, MR_ARRAY_COUNT(lane_metrics), labels,
             &series->transaction_duration);
}

void mr_lane_series_close(struct mr_metrics *metrics, struct mr_lane_series *series)
{
    close_all(metrics, MR_ARRAY_COUNT(lane_metrics), &series->transaction_duration);
}

void mr_input_series_open(struct mr_metrics *metrics, const char *topology, const char *source,
                          int32_t partition, struct mr_input_series *series)
{
    char number[16];
    (void)snprintf(number, sizeof(number), "%d", partition);
    const char *const labels[] = {topology, source, number};
    open_all(metrics, input_metrics, MR_ARRAY_COUNT(input_metrics), labels, &series->records);
}

void mr_input_series_close(struct mr_metrics *metrics, struct mr_input_series *series)
{
    close_all(metrics, MR_ARRAY_COUNT(input_metrics), &series->records);
}

void mr_task_series_open(struct mr_metrics *metrics, const char *topology, const char *subtopology,
                         int32_t partition, struct mr_task_series *series)
{
    char number[16];
    (void)snprintf(number, sizeof(number), "%d", partition);
    const char *const labels[] = {topology, subtopology, number};
    open_all(metrics, task_metrics, MR_ARRAY_COUNT(task_metrics), labels, &series->watermark);
}

void mr_task_series_close(struct mr_metrics *metrics, struct mr_task_series *series)
{
    close_all(metrics, MR_ARRAY_COUNT(task_metrics), &series->watermark);
}

void mr_store_series_open(struct mr_metrics *metrics, const char *topology, const char *subtopology,
                          int32_t partition, struct mr_store_series *series)
{
    char number[16];
    (void)snprintf(number, sizeof(number), "%d", partition);
    const char *const labels[] = {topology, subtopology, number};
    open_all(metrics, store_metrics, MR_ARRAY_COUNT(store_metrics), labels, &series->bytes);
}

void mr_store_series_close(struct mr_metrics *metrics, struct mr_store_series *series)
{
    close_all(metrics, MR_ARRAY_COUNT(store_metrics), &series->bytes);
}
