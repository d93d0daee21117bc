/* cli/progress.c — the progress of `run`, as a line. */
#include "cli/progress.h"

#include "base/clock.h"
#include "base/engine_metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PLAIN_LINE_MS = 10000, LAG_TEXT_SIZE = 32 };

static struct mr_running_status sum(struct mr_running *const *runnings, uint32_t count)
{
    struct mr_running_status all = {0};
    for (uint32_t index = 0; index < count; index++) {
        struct mr_running_status one;
        mr_worker_status(runnings[index], &one);
        all.tasks_count += one.tasks_count;
        all.tasks_running += one.tasks_running;
        all.input_records += one.input_records;
        all.output_records += one.output_records;
        all.anomalies += one.anomalies;
        all.commits_count += one.commits_count;
        all.incarnations_count += one.incarnations_count;
        all.restored_records += one.restored_records;
        if (one.commit_us > all.commit_us)
            all.commit_us = one.commit_us;
        all.lag = one.lag < 0 || all.lag < 0 ? -1 : all.lag + one.lag;
    }
    return all;
}

struct total {
    const struct mr_metric_spec *spec;
    uint64_t count;
};

static void add_series(void *argument, const struct mr_metric_view *view)
{
    struct total *total = argument;
    if (view->spec == total->spec)
        total->count += mr_metric_count(view->metric);
}

/* A run whose records all fail ends well and writes nothing: that must not pass unnoticed. */
static void report_dead_letters(struct mr_metrics *metrics)
{
    struct total total = {.spec = mr_engine_metric(MR_ENGINE_OPERATOR_DEAD_LETTERS)};
    mr_metrics_visit(metrics, add_series, &total);
    if (total.count > 0)
        (void)fprintf(stderr,
                      "%" PRIu64 " records could not be processed and are in the topic "
                      "<topology>.dead-letters, each with its cause in the header\n"
                      "millrace.cause; `on_error: fail` stops at the first one instead\n",
                      total.count);
}

void mr_progress_view_init(struct mr_progress_view *view, struct mr_metrics *metrics, bool quiet)
{
    memset(view, 0, sizeof(*view));
    view->metrics = metrics;
    view->quiet = quiet;
    view->terminal = isatty(STDERR_FILENO) == 1;
    view->started_ms = mr_clock_monotonic_ms();
    view->last_ms = view->started_ms;
    view->last_line_ms = view->started_ms;
}

void mr_progress_view_print(struct mr_progress_view *view, struct mr_running *const *runnings,
                            uint32_t count)
{
    struct mr_running_status all = sum(runnings, count);
    uint64_t now_ms = mr_clock_monotonic_ms();
    uint64_t elapsed_ms = now_ms > view->last_ms ? now_ms - view->last_ms : 1;
    if (view->quiet || (!view->terminal && now_ms - view->last_line_ms < PLAIN_LINE_MS))
        return;
    char lag[LAG_TEXT_SIZE] = "unknown";
    if (all.lag >= 0)
        (void)snprintf(lag, sizeof(lag), "%" PRId64, all.lag);
    (void)fprintf(stderr,
                  "%s%" PRIu64 " records/s, %" PRIu64 " in, %" PRIu64 " out, %" PRIu64
                  " anomalies, lag %s, commit %.1f ms, tasks %u/%u%s",
                  view->terminal ? "\r\033[K" : "",
                  (all.input_records - view->last_records) * 1000 / elapsed_ms, all.input_records,
                  all.output_records, all.anomalies, lag, (double)all.commit_us / 1000.0,
                  all.tasks_running, all.tasks_count, view->terminal ? "" : "\n");
    view->last_ms = now_ms;
    view->last_line_ms = now_ms;
    view->last_records = all.input_records;
}

void mr_progress_view_finish(struct mr_progress_view *view, struct mr_running *const *runnings,
                             uint32_t count)
{
    struct mr_running_status all = sum(runnings, count);
    if (view->quiet)
        return;
    const struct mr_metric_spec *latency = mr_engine_metric(MR_ENGINE_TRANSACTION_LATENCY);
    double seconds = (double)(mr_clock_monotonic_ms() - view->started_ms) / 1000.0;
    (void)fprintf(stderr,
                  "%sstopped after %.1f s: %" PRIu64 " records in, %" PRIu64 " out, %" PRIu64
                  " anomalies, %" PRIu64 " commits, latency p50 %.1f ms, p99 %.1f ms, %" PRIu64
                  " changelog records replayed\n",
                  view->terminal ? "\r\033[K" : "", seconds, all.input_records, all.output_records,
                  all.anomalies, all.commits_count,
                  mr_metrics_quantile(view->metrics, latency, 0.50) / 1000.0,
                  mr_metrics_quantile(view->metrics, latency, 0.99) / 1000.0, all.restored_records);
    report_dead_letters(view->metrics);
}
