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
    [MR_ENGINE_OPERATOR_IN] =
        {.name = "millrace_operator_in_records_total",
         COUNTER,
         .labels = operator_labels,
         .help = "Records that an operator took.",
         .watch = "Stands still while its source's records rise: the operator before it lets "
                  "nothing through; look at that one with `millrace tail TOPOLOGY OPERATOR`."},
    [MR_ENGINE_OPERATOR_OUT] =
        {.name = "millrace_operator_out_records_total",
         COUNTER,
         .labels = operator_labels,
         .help = "Records that an operator emitted, over all its outputs.",
         .watch = "Stands still while the records in rise: a filter is too strict, or a window "
                  "never closes (its watermark: `millrace why`). Rises many times faster than in: "
                  "a join meets too many partners, its key is too coarse."},
    [MR_ENGINE_OPERATOR_DROPPED] =
        {.name = "millrace_operator_dropped_records_total",
         COUNTER,
         .labels = operator_labels,
         .help = "Records for outputs that nobody reads, and failed "
                 "ones that on_error skips.",
         .watch = "Rises with the errors: `on_error: skip` throws records away; use `dead_letter` "
                  "to see them. Rises without errors: an output has no reader; connect it, or take "
                  "it that these are lost."},
    [MR_ENGINE_OPERATOR_LATE] =
        {.name = "millrace_operator_late_records_total",
         COUNTER,
         .labels = operator_labels,
         .help = "Records that came behind the watermark and lateness.",
         .watch = "More than 5 % of the records in (MillraceLateRecords): raise the source's "
                  "`max_delay` or the operator's `lateness`, or read the output `late`."},
    [MR_ENGINE_OPERATOR_DEAD_LETTERS] =
        {.name = "millrace_operator_dead_letters_total",
         COUNTER,
         .labels = operator_labels,
         .help = "Records written to the dead letter topic.",
         .watch = "Any rise (MillraceDeadLetters): `millrace dlq list TOPOLOGY` counts causes; "
                  "correct the producer or the topology, then replay."},
    [MR_ENGINE_OPERATOR_ERRORS] = {.name = "millrace_operator_errors_total",
                                   COUNTER,
                                   .labels = operator_labels,
                                   .help = "Records that failed, whatever on_error did.",
                                   .watch =
                                       "More than 1 % of the records in (MillraceRecordsFail): the "
                                       "worker's log, or the dead letters, say why."},
    [MR_ENGINE_OPERATOR_LAST_ERROR_TIME] = {.name =
                                                "millrace_operator_last_error_timestamp_seconds",
                                            GAUGE,
                                            FROM_MILLISECONDS,
                                            .labels = operator_labels,
                                            .help = "Wall time of the last failed record; 0: none.",
                                            .watch =
                                                "Less than some minutes behind `time()`: records "
                                                "fail now; older: what the errors count is over."},
    [MR_ENGINE_OPERATOR_BATCH_DURATION] =
        {.name = "millrace_operator_batch_duration_seconds",
         HISTOGRAM,
         FROM_MICROSECONDS,
         .labels = operator_labels,
         .help = "Time that an operator spent on one batch.",
         .watch =
             "The rate of its sum is the processors that the operator takes. Near 1 for each task "
             "thread: it is what limits the topology; simplify it, or add partitions and workers. "
             "A p99 of seconds: single records take that long and hold up their task."},
    [MR_ENGINE_DETECTOR_RECORDS] =
        {.name = "millrace_detector_records_total",
         COUNTER,
         .labels = detector_labels,
         .help = "Records that a detector took, by its state for their "
                 "key: learning, armed, starved or muted.",
         .watch = "`learning` does not fall behind the first records of each key: keys come too "
                  "seldom to be learned, or are forgotten too early (`state.ttl`, `max_keys`). "
                  "`starved` rises: the field has no number; look at the producer. `muted` rises "
                  "for days: a mute was forgotten."},
    [MR_ENGINE_OPERATOR_UTILISATION] =
        {.name = "millrace_operator_utilisation_ratio",
         GAUGE,
         .labels = gauge_labels,
         .help = "Of an operator that keeps a key's last records (buffer): the share of its room "
                 "that is in use, 0 to 1; of all keys with records in the last minute or two the "
                 "highest.",
         .watch = "Above 0.95 (MillraceBufferFull): the oldest records leave before their time; "
                  "raise the bound, or keep less."},
    [MR_ENGINE_OPERATOR_KEPT_AGE] =
        {.name = "millrace_operator_kept_age_seconds",
         GAUGE,
         FROM_MILLISECONDS,
         .labels = gauge_labels,
         .help = "Of such an operator: event time between a key's "
                 "oldest record that is kept and its latest; the "
                 "longest, as above.",
         .watch = "Below the time that the operator shall keep while its utilisation is near 1: "
                  "its room is what bounds it; raise `max_records` or `max_bytes`. Above "
                  "`max_age`: keys are silent, old records leave with the next one."},
    [MR_ENGINE_SOURCE_RECORDS] =
        {.name = "millrace_source_records_total",
         COUNTER,
         .labels = source_labels,
         .help = "Records read.",
         .watch = "A rate of 0 while there is lag: the topology stands still, `millrace why` says "
                  "for what. A rate of 0 without lag: nobody produces; look at the producers. One "
                  "partition with most of the rate: the producers' keys are uneven, and more "
                  "workers do not help."},
    [MR_ENGINE_SOURCE_BYTES] =
        {.name = "millrace_source_bytes_total",
         COUNTER,
         .labels = source_labels,
         .help = "Bytes of keys and values read.",
         .watch = "Divided by the records: a jump says that producers write other records than "
                  "before. The rate near what the network or a broker carries: read less (a topic "
                  "of its own), or compress."},
    [MR_ENGINE_SOURCE_LAG] = {.name = "millrace_source_lag_records",
                              GAUGE,
                              .labels = source_labels,
                              .help = "Offsets between the committed position and the end.",
                              .watch =
                                  "Rises over minutes (MillraceLagRises): more workers, as long as "
                                  "there are partitions. Rises in one partition only: its key is "
                                  "too frequent, or its task is held (`millrace why`)."},
    [MR_ENGINE_SOURCE_WATERMARK] =
        {.name = "millrace_source_watermark_timestamp_seconds",
         GAUGE,
         FROM_MILLISECONDS,
         .labels = source_labels,
         .help = "Event time that the source has reached.",
         .watch = "One partition stands still while others rise: it is silent and holds the "
                  "windows back; set `idle_timeout`. Far ahead of `time()`: a producer's clock is "
                  "wrong, and all others are late."},
    [MR_ENGINE_TASK_WATERMARK] =
        {.name = "millrace_task_watermark_timestamp_seconds",
         GAUGE,
         FROM_MILLISECONDS,
         .labels = store_labels,
         .help = "A task's committed watermark.",
         .watch = "Stands still while its sources' rise: an operator or another input holds it, or "
                  "the task does not commit; `millrace why` names which."},
    [MR_ENGINE_TASK_EVENT_LAG] =
        {.name = "millrace_task_event_time_lag_seconds",
         GAUGE,
         FROM_MILLISECONDS,
         .labels = store_labels,
         .help = "How far the watermark was behind the clock at the "
                 "task's last commit.",
         .watch = "Above 10 min (MillraceEventTimeBehind). With source lag the topology is too "
                  "slow; without, the records themselves come late, or a partition is silent. It "
                  "stands still when the task no longer commits."},
    [MR_ENGINE_STORE_BYTES] = {.name = "millrace_store_bytes",
                               GAUGE,
                               .labels = store_labels,
                               .help = "Size of a task's state on disk.",
                               .watch =
                                   "Rises without fall: keys that never end; give the operator "
                                   "`state.ttl` or `state.max_keys`. Summed over a worker above "
                                   "half of its volume: enlarge it, compaction needs the rest."},
    [MR_ENGINE_STORE_KEYS] =
        {.name = "millrace_store_keys",
         GAUGE,
         .labels = store_labels,
         .help = "Keys in a task's state, estimated.",
         .watch = "Rises as fast as records come: the key is a serial number or a time; group by "
                  "something that repeats, or set `state.ttl`. Above what `millrace plan` states: "
                  "the estimate of the sizing is out of date."},
    [MR_ENGINE_STORE_CACHE_HITS] = {.name = "millrace_store_cache_hits_total",
                                    COUNTER,
                                    .labels = store_labels,
                                    .help = "Reads of state that the object cache answered.",
                                    .watch =
                                        "Hits by hits and misses below 0.9 while the topology "
                                        "lags: the keys in use do not fit; raise `spec.memory`."},
    [MR_ENGINE_STORE_CACHE_MISSES] =
        {.name = "millrace_store_cache_misses_total",
         COUNTER,
         .labels = store_labels,
         .help = "Reads of state that went to the overlay or disk.",
         .watch =
             "A rate near that of the records: each record reads the disk; raise `spec.memory`, or "
             "put state on a faster disk. High for minutes after a start is usual."},
    [MR_ENGINE_TRANSACTION_DURATION] =
        {.name = "millrace_transaction_duration_seconds",
         HISTOGRAM,
         FROM_MICROSECONDS,
         .labels = topology_labels,
         .help = "Time from sealing a transaction to its commit.",
         .watch = "A p99 above 0.5 s: Kafka commits slowly; look at its disks, its transaction "
                  "coordinators, and replicas that lag."},
    [MR_ENGINE_TRANSACTION_LATENCY] =
        {.name = "millrace_transaction_latency_seconds",
         HISTOGRAM,
         FROM_MICROSECONDS,
         .labels = topology_labels,
         .help = "Time from taking the first record of a "
                 "transaction to its commit.",
         .watch = "A p99 above what you promise (MillraceCommitsSlow: 2 s). Where the duration is "
                  "short, an operator is slow or `commit_interval` is long."},
    [MR_ENGINE_TRANSACTION_RECORDS] =
        {.name = "millrace_transaction_records",
         HISTOGRAM,
         .labels = topology_labels,
         .help = "Records of a transaction.",
         .watch = "A p50 of a few records under load: `commit_interval` is too short, and commits "
                  "cost more than records. Near 50,000, its bound: the topology catches up as fast "
                  "as it can."},
    [MR_ENGINE_TRANSACTION_BYTES] =
        {.name = "millrace_transaction_bytes",
         HISTOGRAM,
         .labels = topology_labels,
         .help = "Bytes of a transaction.",
         .watch = "Rises with the same number of records: outputs have grown. Near 16 MiB, its "
                  "bound: transactions are full before `commit_interval` is over; the topology "
                  "catches up, or its records are large."},
    [MR_ENGINE_TRANSACTIONS] = {.name = "millrace_transactions_total",
                                COUNTER,
                                .labels = topology_labels,
                                .help = "Committed transactions.",
                                .watch =
                                    "A rate of 0 while there is lag (MillraceTopologyStalled): "
                                    "`millrace why` names the task and what it waits for."},
    [MR_ENGINE_TRANSACTION_FAILURES] =
        {.name = "millrace_transaction_failures_total",
         COUNTER,
         .labels = topology_labels,
         .help = "Transactions that did not commit cleanly; each "
                 "begins a new incarnation.",
         .watch = "More than one a minute (MillraceTransactionsFail): brokers restart, elect or "
                  "time out; nothing is lost, each costs a claim and a replay."},
    [MR_ENGINE_CLAIMS] = {.name = "millrace_claims_total",
                          COUNTER,
                          .labels = topology_labels,
                          .help = "Tasks claimed.",
                          .watch = "Rises with no start, end or scaling of a worker: tasks are "
                                   "lost and taken again; `millrace events` says from whom."},
    [MR_ENGINE_FENCES] = {.name = "millrace_fences_total",
                          COUNTER,
                          .labels = topology_labels,
                          .help = "Times that this process found itself fenced.",
                          .watch = "More than 3 in 10 min without failovers (MillraceFenced): two "
                                   "clusters or two workers have one name."},
    [MR_ENGINE_RESTORE_RECORDS] =
        {.name = "millrace_restore_records_total",
         COUNTER,
         .labels = topology_labels,
         .help = "Changelog records read to restore state.",
         .watch = "Rises by whole changelogs at each restart: workers lose their `state-dir`; give "
                  "them volumes. Behind a long restore, divided by the sum of "
                  "`millrace_restore_duration_seconds`, below 100,000: Kafka or the disk is slow."},
    [MR_ENGINE_RESTORE_DURATION] = {.name = "millrace_restore_duration_seconds",
                                    HISTOGRAM,
                                    FROM_MICROSECONDS,
                                    .labels = topology_labels,
                                    .help = "Time to restore a task's state.",
                                    .watch = "Longer than the time that you may stand still: set "
                                             "`spec.standbys: 1`, or keep less state."},
    [MR_ENGINE_TASKS_RUNNING] =
        {.name = "millrace_tasks_running",
         GAUGE,
         .labels = topology_labels,
         .help = "Tasks that this process runs.",
         .watch = "Summed over workers less than `millrace tasks` lists: the others wait, restore "
                  "or failed; `millrace why`. Very uneven between workers: normal where tasks "
                  "differ in load, else see drained ones (`millrace workers`)."},
    [MR_ENGINE_WORKER_BUSY] =
        {.name = "millrace_worker_busy_ratio",
         GAUGE,
         .labels = cluster_labels,
         .help = "Of a worker: the share of its task threads' time that its "
                 "tasks take, 0 to 1, over the last seconds.",
         .watch = "Above 0.7 for minutes: add workers, this is what autoscalers go by. Near 1 on "
                  "one worker alone: one task is too large; more partitions."},
    [MR_ENGINE_EVENT_TIMES_CLAMPED] = {.name = "millrace_event_times_clamped_total",
                                       COUNTER,
                                       .labels = topology_labels,
                                       .help = "Output records whose event time lay further ahead "
                                               "than brokers accept.",
                                       .watch = "Any rise (MillraceEventTimesClamped): a device's "
                                                "clock is wrong, or `timestamp_unit` is."},
    [MR_ENGINE_COORDINATOR_LEADER] =
        {.name = "millrace_coordinator_leader",
         GAUGE,
         .labels = cluster_labels,
         .help = "Whether this coordinator leads: 1 or 0.",
         .watch = "The sum over coordinators is 0 for 15 s (MillraceNoLeader) or above 1 for a "
                  "minute (MillraceTwoLeaders): read the coordinators' logs. It is absent "
                  "(MillraceCoordinatorsMissing): Prometheus reaches none."},
    [MR_ENGINE_COORDINATOR_TERM] =
        {.name = "millrace_coordinator_term",
         GAUGE,
         .labels = cluster_labels,
         .help = "The term of the leader that it knows.",
         .watch = "Rises without a restart of a coordinator: the leader does not commit its "
                  "heartbeats within 2 s; Kafka is slow, or the leader lacks processors. Differs "
                  "between coordinators for minutes: the lower one is cut off from Kafka."},
    [MR_ENGINE_COORDINATOR_WORKERS] =
        {.name = "millrace_coordinator_workers",
         GAUGE,
         .labels = cluster_state_labels,
         .help = "Workers by state, as the leader sees them; 0 on any other coordinator.",
         .watch = "`gone` above 0 for a minute (MillraceWorkerGone). `present` below your "
                  "replicas: a worker does not reach coordinators; read its log. `draining` for "
                  "hours: a drain was forgotten, `millrace drain NAME --undo`."},
    [MR_ENGINE_COORDINATOR_TASKS] =
        {.name = "millrace_coordinator_tasks",
         GAUGE,
         .labels = cluster_state_labels,
         .help = "Tasks and standbys by state, as their workers report "
                 "them to the leader; 0 on any other coordinator.",
         .watch = "`failed` or `fenced` for 5 min (MillraceTasksNotRunning), `restoring` for 15 "
                  "min (MillraceRestoreSlow), `unassigned` or `claiming` for more than `grace`: "
                  "`millrace tasks` names them with their reasons."},
    [MR_ENGINE_COORDINATOR_TOPOLOGIES] =
        {.name = "millrace_coordinator_topologies",
         GAUGE,
         .labels = cluster_state_labels,
         .help = "Topologies by health, as the leader judges it; 0 on any other coordinator.",
         .watch = "`failed`, `blocked` or `stalled` for a minute (MillraceTopologyFailed, "
                  "MillraceTopologyBlocked, MillraceTopologyStalled): `millrace why`. `starting` "
                  "for more than a restore takes: the same."},
    [MR_ENGINE_COORDINATOR_STEP_DURATION] =
        {.name = "millrace_coordinator_step_duration_seconds",
         HISTOGRAM,
         FROM_MICROSECONDS,
         .labels = cluster_labels,
         .help = "Time of one decision: an event, and the assignment that follows.",
         .watch = "A p99 above 0.5 s (MillraceDecisionsSlow): give the coordinator processors; "
                  "with thousands of tasks, fewer and larger topologies."},
    [MR_ENGINE_COORDINATOR_SYNCS] =
        {.name = "millrace_coordinator_syncs_total",
         COUNTER,
         .labels = cluster_labels,
         .help = "Workers' reports, to the leader.",
         .watch = "Its rate falls while the number of workers does not: workers are slow to "
                  "report, or cut off; read their logs. 0 on the leader: no worker reaches it."},
    [MR_ENGINE_COORDINATOR_REFUSED] =
        {.name = "millrace_coordinator_refused_requests_total",
         COUNTER,
         .labels = cluster_labels,
         .help =
             "Requests of workers that were refused: not the leader, another cluster, malformed.",
         .watch = "More than one a second for 10 min (MillraceWorkersRefused): another "
                  "`--cluster`, another version, or no leader."},
    [MR_ENGINE_COORDINATOR_WRITES] =
        {.name = "millrace_coordinator_control_writes_total",
         COUNTER,
         .labels = cluster_labels,
         .help = "Transactions committed to the control topic, heartbeats among them.",
         .watch = "Summed over coordinators below 1 a second: heartbeats (2 a second) are "
                  "committed too slowly, an election is near; look at Kafka. Far above with no "
                  "change: tasks move to and fro, `millrace events`."},
    [MR_ENGINE_COORDINATOR_REQUESTS] =
        {.name = "millrace_coordinator_http_requests_total",
         COUNTER,
         .labels = cluster_labels,
         .help = "HTTP requests to the API.",
         .watch =
             "Rises many times over: a script asks in a loop; let it follow `/v1/events` instead."},
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
    enum mr_status status = mr_buffer_append_text(
        output, "| metric | kind | labels | meaning | watch for |\n|---|---|---|---|---|\n");
    for (uint32_t i = 0; i < MR_ENGINE_METRIC_COUNT && status == MR_OK; i++) {
        status = mr_buffer_append_format(output, "| `%s` | %s |", specs[i].name,
                                         kind_name(specs[i].kind));
        for (const char *const *label = specs[i].labels; *label != NULL && status == MR_OK; label++)
            status = mr_buffer_append_format(output, "%s%s", label == specs[i].labels ? " " : ", ",
                                             *label);
        if (status == MR_OK)
            status =
                mr_buffer_append_format(output, " | %s | %s |\n", specs[i].help, specs[i].watch);
    }
    return status;
}
