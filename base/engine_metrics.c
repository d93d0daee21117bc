/* base/engine_metrics.c — see engine_metrics.h. */
#include "base/engine_metrics.h"

#include "base/assert.h"

static const char *const detector_labels[] = {"topology", "operator", "state", NULL};
static const char *const gauge_labels[] = {"topology", "operator", "partition", NULL};
static const char *const operator_labels[] = {"topology", "operator", NULL};
static const char *const source_labels[] = {"topology", "source", "partition", NULL};
static const char *const store_labels[] = {"topology", "subtopology", "partition", NULL};
static const char *const topology_labels[] = {"topology", NULL};
static const char *const cluster_labels[] = {"cluster", NULL};
static const char *const cluster_state_labels[] = {"cluster", "state", NULL};

#define COUNTER .kind = MR_METRIC_COUNTER
#define GAUGE .kind = MR_METRIC_GAUGE
#define HISTOGRAM .kind = MR_METRIC_HISTOGRAM
#define FROM_MILLISECONDS .text_divisor = 1000
#define FROM_MICROSECONDS .text_divisor = 1000000

static const struct mr_metric_spec specs[MR_ENGINE_METRIC_COUNT] = {
    [MR_ENGINE_OPERATOR_IN] = {.name = "millrace_operator_in_records_total",
                               COUNTER,
                               .labels = operator_labels,
                               .help = "Records that an operator took."},
    [MR_ENGINE_OPERATOR_OUT] = {.name = "millrace_operator_out_records_total",
                                COUNTER,
                                .labels = operator_labels,
                                .help = "Records that an operator emitted, over all its outputs."},
    [MR_ENGINE_OPERATOR_DROPPED] = {.name = "millrace_operator_dropped_records_total",
                                    COUNTER,
                                    .labels = operator_labels,
                                    .help = "Records for outputs that nobody reads, and failed "
                                            "ones that on_error skips."},
    [MR_ENGINE_OPERATOR_LATE] = {.name = "millrace_operator_late_records_total",
                                 COUNTER,
                                 .labels = operator_labels,
                                 .help = "Records that came behind the watermark and lateness."},
    [MR_ENGINE_OPERATOR_DEAD_LETTERS] = {.name = "millrace_operator_dead_letters_total",
                                         COUNTER,
                                         .labels = operator_labels,
                                         .help = "Records written to the dead letter topic."},
    [MR_ENGINE_OPERATOR_ERRORS] = {.name = "millrace_operator_errors_total",
                                   COUNTER,
                                   .labels = operator_labels,
                                   .help = "Records that failed, whatever on_error did."},
    [MR_ENGINE_OPERATOR_LAST_ERROR_TIME] = {.name =
                                                "millrace_operator_last_error_timestamp_seconds",
                                            GAUGE,
                                            FROM_MILLISECONDS,
                                            .labels = operator_labels,
                                            .help =
                                                "Wall time of the last failed record; 0: none."},
    [MR_ENGINE_OPERATOR_BATCH_DURATION] = {.name = "millrace_operator_batch_duration_seconds",
                                           HISTOGRAM,
                                           FROM_MICROSECONDS,
                                           .labels = operator_labels,
                                           .help = "Time that an operator spent on one batch."},
    [MR_ENGINE_DETECTOR_RECORDS] = {.name = "millrace_detector_records_total",
                                    COUNTER,
                                    .labels = detector_labels,
                                    .help = "Records that a detector took, by its state for their "
                                            "key: learning, armed, starved or muted."},
    [MR_ENGINE_OPERATOR_UTILISATION] =
        {.name = "millrace_operator_utilisation_ratio",
         GAUGE,
         .labels = gauge_labels,
         .help = "Of an operator that keeps a key's last records (buffer): the share of its room "
                 "that is in use, 0 to 1; of all keys with records in the last minute or two the "
                 "highest."},
    [MR_ENGINE_OPERATOR_KEPT_AGE] = {.name = "millrace_operator_kept_age_seconds",
                                     GAUGE,
                                     FROM_MILLISECONDS,
                                     .labels = gauge_labels,
                                     .help = "Of such an operator: event time between a key's "
                                             "oldest record that is kept and its latest; the "
                                             "longest, as above."},
    [MR_ENGINE_SOURCE_RECORDS] = {.name = "millrace_source_records_total",
                                  COUNTER,
                                  .labels = source_labels,
                                  .help = "Records read."},
    [MR_ENGINE_SOURCE_BYTES] = {.name = "millrace_source_bytes_total",
                                COUNTER,
                                .labels = source_labels,
                                .help = "Bytes of keys and values read."},
    [MR_ENGINE_SOURCE_LAG] = {.name = "millrace_source_lag_records",
                              GAUGE,
                              .labels = source_labels,
                              .help = "Offsets between the committed position and the end."},
    [MR_ENGINE_SOURCE_WATERMARK] = {.name = "millrace_source_watermark_timestamp_seconds",
                                    GAUGE,
                                    FROM_MILLISECONDS,
                                    .labels = source_labels,
                                    .help = "Event time that the source has reached."},
    [MR_ENGINE_TASK_WATERMARK] = {.name = "millrace_task_watermark_timestamp_seconds",
                                  GAUGE,
                                  FROM_MILLISECONDS,
                                  .labels = store_labels,
                                  .help = "A task's committed watermark."},
    [MR_ENGINE_TASK_EVENT_LAG] = {.name = "millrace_task_event_time_lag_seconds",
                                  GAUGE,
                                  FROM_MILLISECONDS,
                                  .labels = store_labels,
                                  .help = "How far the watermark was behind the clock at the "
                                          "task's last commit."},
    [MR_ENGINE_STORE_BYTES] = {.name = "millrace_store_bytes",
                               GAUGE,
                               .labels = store_labels,
                               .help = "Size of a task's state on disk."},
    [MR_ENGINE_STORE_KEYS] = {.name = "millrace_store_keys",
                              GAUGE,
                              .labels = store_labels,
                              .help = "Keys in a task's state, estimated."},
    [MR_ENGINE_STORE_CACHE_HITS] = {.name = "millrace_store_cache_hits_total",
                                    COUNTER,
                                    .labels = store_labels,
                                    .help = "Reads of state that the object cache answered."},
    [MR_ENGINE_STORE_CACHE_MISSES] = {.name = "millrace_store_cache_misses_total",
                                      COUNTER,
                                      .labels = store_labels,
                                      .help = "Reads of state that went to the overlay or disk."},
    [MR_ENGINE_TRANSACTION_DURATION] = {.name = "millrace_transaction_duration_seconds",
                                        HISTOGRAM,
                                        FROM_MICROSECONDS,
                                        .labels = topology_labels,
                                        .help = "Time from sealing a transaction to its commit."},
    [MR_ENGINE_TRANSACTION_LATENCY] = {.name = "millrace_transaction_latency_seconds",
                                       HISTOGRAM,
                                       FROM_MICROSECONDS,
                                       .labels = topology_labels,
                                       .help = "Time from taking the first record of a "
                                               "transaction to its commit."},
    [MR_ENGINE_TRANSACTION_RECORDS] = {.name = "millrace_transaction_records",
                                       HISTOGRAM,
                                       .labels = topology_labels,
                                       .help = "Records of a transaction."},
    [MR_ENGINE_TRANSACTION_BYTES] = {.name = "millrace_transaction_bytes",
                                     HISTOGRAM,
                                     .labels = topology_labels,
                                     .help = "Bytes of a transaction."},
    [MR_ENGINE_TRANSACTIONS] = {.name = "millrace_transactions_total",
                                COUNTER,
                                .labels = topology_labels,
                                .help = "Committed transactions."},
    [MR_ENGINE_TRANSACTION_FAILURES] = {.name = "millrace_transaction_failures_total",
                                        COUNTER,
                                        .labels = topology_labels,
                                        .help = "Transactions that did not commit cleanly; each "
                                                "begins a new incarnation."},
    [MR_ENGINE_CLAIMS] = {.name = "millrace_claims_total",
                          COUNTER,
                          .labels = topology_labels,
                          .help = "Tasks claimed."},
    [MR_ENGINE_FENCES] = {.name = "millrace_fences_total",
                          COUNTER,
                          .labels = topology_labels,
                          .help = "Times that this process found itself fenced."},
    [MR_ENGINE_RESTORE_RECORDS] = {.name = "millrace_restore_records_total",
                                   COUNTER,
                                   .labels = topology_labels,
                                   .help = "Changelog records read to restore state."},
    [MR_ENGINE_RESTORE_DURATION] = {.name = "millrace_restore_duration_seconds",
                                    HISTOGRAM,
                                    FROM_MICROSECONDS,
                                    .labels = topology_labels,
                                    .help = "Time to restore a task's state."},
    [MR_ENGINE_TASKS_RUNNING] = {.name = "millrace_tasks_running",
                                 GAUGE,
                                 .labels = topology_labels,
                                 .help = "Tasks that this process runs."},
    [MR_ENGINE_WORKER_BUSY] = {.name = "millrace_worker_busy_ratio",
                               GAUGE,
                               .labels = cluster_labels,
                               .help = "Of a worker: the share of its task threads' time that its "
                                       "tasks take, 0 to 1, over the last seconds."},
    [MR_ENGINE_EVENT_TIMES_CLAMPED] = {.name = "millrace_event_times_clamped_total",
                                       COUNTER,
                                       .labels = topology_labels,
                                       .help = "Output records whose event time lay further ahead "
                                               "than brokers accept."},
    [MR_ENGINE_COORDINATOR_LEADER] = {.name = "millrace_coordinator_leader",
                                      GAUGE,
                                      .labels = cluster_labels,
                                      .help = "Whether this coordinator leads: 1 or 0."},
    [MR_ENGINE_COORDINATOR_TERM] = {.name = "millrace_coordinator_term",
                                    GAUGE,
                                    .labels = cluster_labels,
                                    .help = "The term of the leader that it knows."},
    [MR_ENGINE_COORDINATOR_WORKERS] =
        {.name = "millrace_coordinator_workers",
         GAUGE,
         .labels = cluster_state_labels,
         .help = "Workers by state, as the leader sees them; 0 on any other coordinator."},
    [MR_ENGINE_COORDINATOR_TASKS] = {.name = "millrace_coordinator_tasks",
                                     GAUGE,
                                     .labels = cluster_state_labels,
                                     .help = "Tasks and standbys by state, as their workers report "
                                             "them to the leader; 0 on any other coordinator."},
    [MR_ENGINE_COORDINATOR_TOPOLOGIES] =
        {.name = "millrace_coordinator_topologies",
         GAUGE,
         .labels = cluster_state_labels,
         .help = "Topologies by health, as the leader judges it; 0 on any other coordinator."},
    [MR_ENGINE_COORDINATOR_STEP_DURATION] =
        {.name = "millrace_coordinator_step_duration_seconds",
         HISTOGRAM,
         FROM_MICROSECONDS,
         .labels = cluster_labels,
         .help = "Time of one decision: an event, and the assignment that follows."},
    [MR_ENGINE_COORDINATOR_SYNCS] = {.name = "millrace_coordinator_syncs_total",
                                     COUNTER,
                                     .labels = cluster_labels,
                                     .help = "Workers' reports, to the leader."},
    [MR_ENGINE_COORDINATOR_REFUSED] =
        {.name = "millrace_coordinator_refused_requests_total",
         COUNTER,
         .labels = cluster_labels,
         .help =
             "Requests of workers that were refused: not the leader, another cluster, malformed."},
    [MR_ENGINE_COORDINATOR_WRITES] =
        {.name = "millrace_coordinator_control_writes_total",
         COUNTER,
         .labels = cluster_labels,
         .help = "Transactions committed to the control topic, heartbeats among them."},
    [MR_ENGINE_COORDINATOR_REQUESTS] = {.name = "millrace_coordinator_http_requests_total",
                                        COUNTER,
                                        .labels = cluster_labels,
                                        .help = "HTTP requests to the API."},
};

const struct mr_metric_spec *mr_engine_metric(enum mr_engine_metric metric)
{
    MR_ASSERT((unsigned)metric < MR_ENGINE_METRIC_COUNT);
    return &specs[metric];
}

static const char *kind_name(enum mr_metric_kind kind)
{
    switch (kind) {
    case MR_METRIC_COUNTER:
        return "counter";
    case MR_METRIC_GAUGE:
        return "gauge";
    case MR_METRIC_HISTOGRAM:
        return "histogram";
    }
    return "";
}

enum mr_status mr_engine_metrics_table(struct mr_buffer *output)
{
    enum mr_status status =
        mr_buffer_append_text(output, "| metric | kind | labels | meaning |\n|---|---|---|---|\n");
    for (uint32_t i = 0; i < MR_ENGINE_METRIC_COUNT && status == MR_OK; i++) {
        status = mr_buffer_append_format(output, "| `%s` | %s |", specs[i].name,
                                         kind_name(specs[i].kind));
        for (const char *const *label = specs[i].labels; *label != NULL && status == MR_OK; label++)
            status = mr_buffer_append_format(output, "%s%s", label == specs[i].labels ? " " : ", ",
                                             *label);
        if (status == MR_OK)
            status = mr_buffer_append_format(output, " | %s |\n", specs[i].help);
    }
    return status;
}
