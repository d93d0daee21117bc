/* coordinator/api_why.c — GET /v1/why: the one thing that holds a topology back.
 * Design: what is looked at first explains what comes later: a topology that is paused, a source
 * with a fault, a task without a worker, one that failed, one that waits for its claim or its
 * restore, one whose worker is silent, and at last, where records wait and none is committed, the
 * task that is furthest behind. Where all of that is well, the partition or task that holds the
 * watermark, followed over repartitions to where it begins. */
#include "base/clock.h"
#include "coordinator/internal.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    SUBJECT_SIZE = 400,
    REASON_SIZE = 1024,
    SILENT_MS = 3000,
    HELD_MS = 5000, /* a watermark that stands for so long is worth a word */
    HELD_RANK = 5,
    LAG_RANK = 10,
    CHAIN_MAX = 64 /* subtopologies behind each other */
};

struct finding {
    const char *kind; /* nothing, topology, source, task, worker, broker */
    char subject[SUBJECT_SIZE];
    char reason[REASON_SIZE];
    const char *release; /* what ends it */
    uint64_t since_ms;
    int rank; /* the higher, the more it explains; 0: nothing */
};

static void consider(struct finding *finding, int rank, const char *kind,
                     const struct mr_core_task *task, const char *reason, const char *release)
{
    if (rank <= finding->rank)
        return;
    finding->rank = rank;
    finding->kind = kind;
    finding->since_ms = task->since_ms;
    finding->release = release;
    (void)snprintf(finding->subject, sizeof(finding->subject), "%s/%d%s%s", task->name.subtopology,
                   (int)task->name.partition, task->worker[0] != '\0' ? " on " : "", task->worker);
    (void)snprintf(finding->reason, sizeof(finding->reason), "%s", reason);
}

static void restoring(struct finding *finding, const struct mr_core_task *task)
{
    char text[REASON_SIZE];
    if (task->report.changelog_remaining >= 0)
        (void)snprintf(text, sizeof(text),
                       "Its state is being restored: %" PRIu64 " records are read, %" PRId64
                       " are left.",
                       task->report.restored_records, task->report.changelog_remaining);
    else
        (void)snprintf(text, sizeof(text),
                       "Its state is being restored: %" PRIu64 " records are read.",
                       task->report.restored_records);
    consider(finding, 40, "task", task, text, "The end of the restore; standbys make it short.");
}

static void look_at_report(struct finding *finding, const struct mr_core_task *task)
{
    switch (task->report.state) {
    case MR_TASK_STATE_FAILED:
        consider(finding, 80, "task", task, task->report.error,
                 "What the reason asks for: a corrected definition, corrected data, a disk; then "
                 "`resume`.");
        break;
    case MR_TASK_STATE_FENCED:
        consider(finding, 60, "task", task, task->report.error,
                 "The next assignment, with a higher epoch; by itself.");
        break;
    case MR_TASK_STATE_RESTORING:
        restoring(finding, task);
        break;
    case MR_TASK_STATE_WAITING:
    case MR_TASK_STATE_CLAIMING:
        consider(finding, 30, task->since_ms > SILENT_MS ? "broker" : "task", task,
                 "It fences its last owner and claims the task, which waits for Kafka.",
                 "Kafka's answer: look at the transaction coordinator and at the transactions that "
                 "are open.");
        break;
    case MR_TASK_STATE_RELEASING:
    case MR_TASK_STATE_RELEASED:
        consider(finding, 30, "task", task, "It is being released, to move.",
                 "Its last commit; by itself.");
        break;
    case MR_TASK_STATE_RUNNING:
    case MR_TASK_STATE_FOLLOWING:
    case MR_TASK_STATE_COUNT:
        break;
    }
}

static void look_at_lag(struct finding *finding, const struct mr_core_task *task,
                        int64_t *worst_lag)
{
    char text[REASON_SIZE];
    if (!task->reported || task->report.state != MR_TASK_STATE_RUNNING ||
        task->report.lag <= *worst_lag)
        return;
    *worst_lag = task->report.lag;
    finding->rank =
        finding->rank == LAG_RANK ? LAG_RANK - 1 : finding->rank; /* a worse one of the same kind */
    if (task->report.idle_ms > SILENT_MS)
        (void)snprintf(text, sizeof(text),
                       "%" PRId64 " records wait, and it has committed none for %" PRId64 " ms.",
                       task->report.lag, task->report.idle_ms);
    else
        (void)snprintf(text, sizeof(text), "%" PRId64 " records wait; it works on them.",
                       task->report.lag);
    consider(finding, LAG_RANK, "task", task, text,
             task->report.idle_ms > SILENT_MS
                 ? "Kafka's answer to its commit, or the record that it works on."
                 : "Time, or more workers and partitions.");
}

static void look_at_tasks(const struct mr_coordinator *coordinator, const char *name,
                          uint64_t now_ms, struct finding *finding)
{
    int64_t worst_lag = 0;
    for (uint32_t index = 0; index < mr_core_tasks_count(coordinator->core); index++) {
        struct mr_core_task task = mr_core_task_at(coordinator->core, index, now_ms);
        if (task.role != MR_TASK_ROLE_ACTIVE || strcmp(task.topology, name) != 0)
            continue;
        if (task.blocked != NULL && task.blocked[0] != '\0')
            consider(finding, 90, "task", &task, task.blocked,
                     "A worker that can take it: more of them, or more memory.");
        else if (task.worker[0] == '\0')
            consider(finding, 50, "task", &task, "It has no worker yet.",
                     "The next assignment; by itself.");
        else if (!task.reported)
            consider(finding, 50, "worker", &task, "Its worker has not reported it.",
                     "The worker's next report, or its time-out.");
        else
            look_at_report(finding, &task);
        look_at_lag(finding, &task, &worst_lag);
    }
}

/* ---- The watermark ---- */

static bool is_held(const struct mr_core_task *task)
{
    return task->role == MR_TASK_ROLE_ACTIVE && task->reported &&
           task->report.state == MR_TASK_STATE_RUNNING && task->report.held_ms >= HELD_MS &&
           (task->report.held_by == MR_HOLDER_SOURCE || task->report.held_by == MR_HOLDER_UPSTREAM);
}

/* The active task of a topology that has this place. */
static bool find_task(const struct mr_coordinator *coordinator, const char *topology,
                      const char *subtopology, uint32_t partition, uint64_t now_ms,
                      struct mr_core_task *found)
{
    for (uint32_t index = 0; index < mr_core_tasks_count(coordinator->core); index++) {
        *found = mr_core_task_at(coordinator->core, index, now_ms);
        if (found->role == MR_TASK_ROLE_ACTIVE && strcmp(found->topology, topology) == 0 &&
            strcmp(found->name.subtopology, subtopology) == 0 &&
            (uint32_t)found->name.partition == partition)
            return true;
    }
    return false;
}

static void tell_holder(struct finding *finding, const struct mr_core_task *held,
                        const struct mr_core_task *last, const char *holder, uint32_t partition)
{
    char text[REASON_SIZE];
    char time[MR_CLOCK_TEXT_SIZE] = "before the first record";
    if (held->report.watermark_ms != INT64_MIN)
        (void)mr_clock_format_rfc3339(held->report.watermark_ms, time);
    (void)snprintf(text, sizeof(text),
                   "It holds the watermark of %s/%d, which stands at %s for %" PRId64
                   " s while others are ahead.",
                   held->name.subtopology, (int)held->name.partition, time,
                   held->report.held_ms / 1000);
    consider(finding, HELD_RANK, last->report.held_by == MR_HOLDER_SOURCE ? "source" : "task", held,
             text,
             "Records of its source partitions; or, where they may be silent, `watermark: "
             "{idle_timeout: ...}` at the source.");
    (void)snprintf(finding->subject, sizeof(finding->subject), "%s/%u", holder, partition);
    finding->since_ms = (uint64_t)held->report.held_ms;
}

/* The task whose watermark stands the longest, and who makes it wait. */
static void look_at_watermarks(const struct mr_coordinator *coordinator,
                               const struct mr_core_topology *topology, uint64_t now_ms,
                               struct finding *finding)
{
    const char *name = topology->record->name;
    const struct mr_binding *binding =
        topology->version == NULL ? NULL : &topology->version->binding;
    struct mr_core_task held = {0};
    for (uint32_t index = 0; index < mr_core_tasks_count(coordinator->core); index++) {
        struct mr_core_task task = mr_core_task_at(coordinator->core, index, now_ms);
        if (strcmp(task.topology, name) == 0 && is_held(&task) &&
            task.report.held_ms > held.report.held_ms)
            held = task;
    }
    if (binding == NULL || held.report.held_ms == 0)
        return;
    struct mr_core_task last = held;
    const char *holder = "";
    for (uint32_t hop = 0; hop < CHAIN_MAX && is_held(&last); hop++) {
        struct mr_core_task next;
        uint32_t index = last.report.held_by_index;
        bool source = last.report.held_by == MR_HOLDER_SOURCE;
        if (index >= (source ? binding->nodes_count : binding->subtopologies_count))
            return; /* of another version */
        holder = source ? binding->nodes[index].name : binding->subtopologies[index].name;
        if (source ||
            !find_task(coordinator, name, holder, last.report.held_by_partition, now_ms, &next) ||
            !is_held(&next))
            break;
        last = next;
    }
    tell_holder(finding, &held, &last, holder, last.report.held_by_partition);
}

/* A source that is paused explains why records wait, and nothing worse. */
static void look_at_pauses(const struct mr_topology_record *record, struct finding *finding)
{
    if (record->paused_sources_count == 0 || finding->rank > LAG_RANK)
        return;
    finding->kind = "source";
    finding->since_ms = 0;
    finding->release = "`resume` with --source.";
    (void)snprintf(finding->subject, sizeof(finding->subject), "%s", record->paused_sources[0]);
    (void)snprintf(finding->reason, sizeof(finding->reason), "It is paused.");
}

void mr_api_why(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                uint64_t now_ms)
{
    const char *name = mr_http_query(exchange, "topology");
    struct finding finding = {.kind = "nothing", .release = ""};
    struct mr_core_topology topology = {0};
    uint32_t index = 0;
    if (name == NULL) {
        mr_http_problem(exchange, 400, 0, "Say of which topology: /v1/why?topology=NAME.");
        return;
    }
    for (; index < mr_core_topologies_count(coordinator->core); index++) {
        topology = mr_core_topology_at(coordinator->core, index, now_ms);
        if (topology.record != NULL && strcmp(topology.record->name, name) == 0)
            break;
    }
    if (index == mr_core_topologies_count(coordinator->core)) {
        mr_api_no_topology(coordinator, exchange, name, now_ms);
        return;
    }
    const char *warning =
        mr_shell_warning(coordinator, topology.record->generation, &finding.since_ms);
    if (topology.record->state != MR_TOPOLOGY_RUNNING) {
        finding.kind = "topology";
        finding.release = topology.record->state == MR_TOPOLOGY_PAUSED
                              ? "`resume`."
                              : "The end of the deletion or reset; by itself.";
        (void)snprintf(finding.reason, sizeof(finding.reason), "%s", topology.reason);
    } else if (warning != NULL) {
        finding.kind = "source";
        finding.since_ms = now_ms - finding.since_ms;
        finding.release = "What the reason asks for.";
        (void)snprintf(finding.reason, sizeof(finding.reason), "%s", warning);
    } else {
        look_at_tasks(coordinator, name, now_ms, &finding);
        look_at_pauses(topology.record, &finding);
        if (finding.rank == 0 && finding.since_ms == 0 &&
            topology.record->paused_sources_count == 0)
            look_at_watermarks(coordinator, &topology, now_ms, &finding);
    }
    mr_api_answer(exchange, 200,
                  json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I}", "topology", name, "health",
                            mr_view_health(topology.health), "kind", finding.kind, "subject",
                            mr_view_text(finding.subject), "reason", mr_view_text(finding.reason),
                            "release", mr_view_text(finding.release), "since_ms",
                            (json_int_t)finding.since_ms));
}
