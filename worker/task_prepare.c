/* worker/task_prepare.c — how a task comes to life on the keeper: claim, progress, state,
 * operators. Order (docs/EXACTLY_ONCE.md, rule 2): the claim is committed before anything is read;
 * progress and the changelog are then read to their end, and the task starts exactly there. */
#include "worker/internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "worker/failpoint.h"
#include "worker/place.h"
#include "worker/reach.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    PROGRESS_TAIL_FIRST = 64,
    PROGRESS_TAIL_GROWTH = 8,
    PROGRESS_RECORDS = 1024 /* between two tellings; a power of two */
};

struct progress_search {
    struct mr_task *task;
    struct mr_progress progress;
    bool found;
    struct mr_state *state; /* NULL: only progress is looked for */
    int64_t restore_end;    /* of the changelog, as of the restore's beginning */
};

static void tell_restore(struct mr_task *task, int64_t remaining)
{
    atomic_store(&task->shared.restored_records, task->statistics.restored_records);
    atomic_store(&task->shared.restored_bytes, task->statistics.restored_bytes);
    atomic_store(&task->shared.changelog_remaining, remaining > 0 ? remaining : 0);
    if (task->queries != NULL)
        mr_query_remaining(task->queries, remaining > 0 ? remaining : 0);
}

static enum mr_status progress_visit(void *argument, const struct mr_log_message *message,
                                     struct mr_error *error)
{
    struct progress_search *search = argument;
    struct mr_task *task = search->task;
    if (!message->key_null && mr_slice_equal(message->key, MR_STATE_PROGRESS_KEY)) {
        if (search->state == NULL) {
            search->found = true;
            struct mr_slice bytes = mr_arena_copy(&task->arena, message->value);
            return mr_progress_decode(bytes, &task->arena, &search->progress, error);
        }
        mr_failpoint("restore_commit");
        return mr_state_restore_commit(search->state, message->offset + 1, mr_clock_wall_ms(),
                                       error);
    }
    if (search->state == NULL)
        return MR_OK;
    if (mr_task_given_up(task)) /* a long restore holds neither a stop nor a failure up */
        return MR_FAIL(error, MR_CLOSED, MR_RECOVERY_RETRY,
                       "The lane fails or stops before the task was restored.");
    task->statistics.restored_records++;
    task->statistics.restored_bytes += message->key.size + message->value.size;
    if ((task->statistics.restored_records & (PROGRESS_RECORDS - 1)) == 0)
        tell_restore(task, search->restore_end - message->offset);
    return mr_state_restore_record(search->state, message->key, message->value, message->value_null,
                                   error);
}

static const struct mr_deployed_topic *log_topic(const struct mr_task *task)
{
    return &task->lane->deployment->subtopologies[task->subtopology].log_topic;
}

/* The last progress record, searched from the end in growing steps. */
static enum mr_status find_progress(struct mr_task *task, struct progress_search *search,
                                    struct mr_error *error)
{
    struct mr_log *log = task->lane->log;
    const char *topic = log_topic(task)->name;
    int64_t first;
    int64_t end;
    *search = (struct progress_search){.task = task};
    enum mr_status status =
        log->ops->offset_find(log, topic, task->partition, MR_LOG_OFFSET_EARLIEST, &first, error);
    if (status == MR_OK)
        status =
            log->ops->offset_find(log, topic, task->partition, MR_LOG_OFFSET_LATEST, &end, error);
    int64_t tail = PROGRESS_TAIL_FIRST;
    while (status == MR_OK && !search->found && first < end) {
        int64_t from = end - tail > first ? end - tail : first;
        int64_t read_end;
        status = mr_log_read_to_end(log, topic, task->partition, from, progress_visit, search,
                                    MR_LOG_WAIT_MS, &read_end, error);
        if (from == first)
            break;
        tail *= PROGRESS_TAIL_GROWTH;
    }
    return status;
}

static struct mr_place place_of(const struct mr_task *task)
{
    const struct mr_worker *worker = task->lane->worker;
    return (struct mr_place){.log = task->lane->log,
                             .store_ops = worker->store_ops,
                             .resources = worker->store_resources,
                             .state_directory = worker->open.state_directory,
                             .deployment = task->lane->deployment,
                             .subtopology = task->subtopology,
                             .partition = task->partition,
                             .cache_bytes_max =
                                 worker->open.memory_bytes / 2 / (worker->tasks_count + 1u)};
}

/* Open the local state, and say where the changelog is to be replayed from. */
static enum mr_status open_state(struct mr_task *task, struct mr_placed *placed,
                                 struct mr_error *error)
{
    struct mr_place place = place_of(task);
    enum mr_status status = mr_place_open(&place, task->state_damaged, &task->state, placed, error);
    if (status != MR_OK)
        return status;
    task->state_damaged = false;
    task->statistics.state_wiped = placed->wiped;
    task->statistics.wiped_reason = placed->wiped_reason;
    tell_restore(task, placed->end - placed->offset);
    return MR_OK;
}

static const struct mr_progress_input *stored_input(const struct mr_progress *progress,
                                                    const struct mr_task_input *input)
{
    for (uint32_t index = 0; index < progress->inputs_count; index++) {
        const struct mr_progress_input *stored = &progress->inputs[index];
        if (stored->partition == input->partition &&
            mr_slice_equal(stored->topic, mr_slice_text(input->topic)))
            return stored;
    }
    return NULL;
}

/* Did the input come while the topology ran: a partition that was added, a topic that matches the
 * pattern since? What was written before it was found belongs to the stream: `start: latest` is
 * about what was there when the topology began. */
static bool came_later(const struct mr_task *task, const struct mr_task_input *input,
                       const struct progress_search *search)
{
    const struct mr_deployment *deployment = task->lane->deployment;
    int32_t tasks_before = deployment->subtopologies[task->subtopology].tasks_before;
    if (tasks_before > 0 && task->partition >= tasks_before)
        return true;
    if (!search->found ||
        mr_options_text(&deployment->plan->nodes[input->node].options, "pattern") == NULL)
        return false;
    for (uint32_t index = 0; index < task->inputs_count; index++)
        if (task->inputs[index].node == input->node &&
            stored_input(&search->progress, &task->inputs[index]) != NULL)
            return true;
    return false;
}

/* Where an input without progress starts. */
static enum mr_status first_offset(struct mr_task *task, struct mr_task_input *input,
                                   const struct progress_search *search, struct mr_error *error)
{
    struct mr_log *log = task->lane->log;
    int64_t at = MR_LOG_OFFSET_EARLIEST;
    if (input->kind != MR_INPUT_LOG) {
        input->next_offset = 0;
        return MR_OK;
    }
    const struct mr_plan_node *node = &task->lane->deployment->plan->nodes[input->node];
    if (!input->repartition && !came_later(task, input, search)) {
        const char *start = mr_options_text(&node->options, "start");
        if (node->history_ms > 0)
            at = task->began_ms > node->history_ms ? task->began_ms - node->history_ms : 0;
        else if (strcmp(start, "latest") == 0)
            at = MR_LOG_OFFSET_LATEST;
        else if (strcmp(start, "timestamp") == 0)
            at = mr_options_integer(&node->options, "start_timestamp");
    }
    task->unsaved = task->unsaved || at != MR_LOG_OFFSET_EARLIEST;
    return log->ops->offset_find(log, input->topic, input->partition, at, &input->next_offset,
                                 error);
}

/* A log input goes on at its next offset only in the same topic, and only where it still is. */
static enum mr_status check_input(struct mr_task *task, struct mr_task_input *input,
                                  const struct mr_progress_input *stored, struct mr_error *error)
{
    struct mr_log *log = task->lane->log;
    int64_t first;
    int64_t end;
    if (stored->topic_id.size > 0 &&
        !mr_slice_equal(stored->topic_id, mr_slice_text(input->topic_id)))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Topic %s was deleted and created anew; its offsets no longer mean what the "
                       "task has stored. Give the topology a new name, or another --cluster, to "
                       "start over.",
                       input->topic);
    enum mr_status status = log->ops->offset_find(log, input->topic, input->partition,
                                                  MR_LOG_OFFSET_EARLIEST, &first, error);
    if (status == MR_OK)
        status = log->ops->offset_find(log, input->topic, input->partition, MR_LOG_OFFSET_LATEST,
                                       &end, error);
    if (status != MR_OK)
        return status;
    if (input->next_offset < first && input->repartition)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Repartition topic %s[%d] now starts at offset %" PRId64
                       "; the task has processed it to %" PRId64
                       ": records between were deleted by somebody else than Millrace. Reset the "
                       "topology.",
                       input->topic, input->partition, first, input->next_offset);
    if (input->next_offset < first)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Topic %s[%d] now starts at offset %" PRId64
                       "; the task had read to %" PRId64
                       ": records between were deleted by the topic's retention before they were "
                       "read. Lengthen the retention; to go on without them, start the topology "
                       "under a new name.",
                       input->topic, input->partition, first, input->next_offset);
    if (input->next_offset > end)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Topic %s[%d] ends at offset %" PRId64 "; the task had read to %" PRId64
                       ": the topic was cut off (an unclean leader election).",
                       input->topic, input->partition, end, input->next_offset);
    return MR_OK;
}

/* What is known of event time from before. A source partition is not idle any more: what was
 * written while nobody looked is waiting. */
static void place_time(struct mr_task *task, struct mr_task_input *input,
                       const struct mr_progress_input *stored)
{
    const struct mr_deployment *deployment = task->lane->deployment;
    input->highest_event_ms = stored == NULL ? INT64_MIN : stored->highest_event_ms;
    input->carried_ms = stored == NULL ? INT64_MIN : stored->carried_ms;
    input->idle = false;
    input->at_end = false;
    input->spoke_ms = MR_INPUT_UNWATCHED;
    input->producer = "";
    if (!input->repartition) {
        input->open_ms = mr_reach_open_ms(deployment->plan, input->node);
        return;
    }
    uint32_t from = deployment->plan->repartitions[input->repartition_index].from_subtopology;
    uint32_t count = (uint32_t)deployment->subtopologies[from].tasks_count;
    input->producer = deployment->plan->subtopologies[from].name;
    mr_upstreams_init(&input->upstreams,
                      mr_arena_new(&task->arena, count, sizeof(*input->upstreams.items)), count);
    if (stored == NULL || !mr_slice_equal(stored->producer, mr_slice_text(input->producer)))
        return; /* others wrote it then: nothing is known of the present ones */
    for (uint32_t index = 0; index < stored->upstreams_count; index++) {
        struct mr_carried carried = {.watermark_ms = stored->upstreams[index].watermark_ms,
                                     .upstream = index,
                                     .mark = true,
                                     .idle = stored->upstreams[index].idle,
                                     .ended = stored->upstreams[index].ended};
        mr_upstreams_take(&input->upstreams, &carried);
    }
}

/* A partition that was added to a table that every task reads: rows of one key may now lie in two
 * partitions, and only times that count say which is the newer. */
static enum mr_status check_added(const struct mr_task *task, const struct mr_task_input *input,
                                  const struct progress_search *search, struct mr_error *error)
{
    const struct mr_plan_node *node = &task->lane->deployment->plan->nodes[input->node];
    if (!input->broadcast || node->retention_ms > 0 || !search->found)
        return MR_OK;
    for (uint32_t index = 0; index < task->inputs_count; index++)
        if (task->inputs[index].node == input->node &&
            stored_input(&search->progress, &task->inputs[index]) != NULL)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "The table \"%s\" has a new partition, %s[%d]. Rows of a key may now "
                           "lie in two partitions and the source has no `retention`, so that "
                           "nothing says which of them is the newer: give it one, for instance "
                           "1h.",
                           node->name, input->topic, input->partition);
    return MR_OK;
}

static enum mr_status place_input(struct mr_task *task, struct mr_task_input *input,
                                  const struct progress_search *search, struct mr_error *error)
{
    struct mr_log *log = task->lane->log;
    input->end_offset = -1;
    input->ended = false;
    input->due_ms = 0;
    const struct mr_progress_input *stored =
        search->found ? stored_input(&search->progress, input) : NULL;
    enum mr_status status;
    place_time(task, input, stored);
    if (stored != NULL) {
        input->next_offset = stored->next_offset;
        status = input->kind == MR_INPUT_LOG ? check_input(task, input, stored, error) : MR_OK;
    } else {
        status = check_added(task, input, search, error);
        if (status == MR_OK)
            status = first_offset(task, input, search, error);
    }
    input->committed_offset = input->next_offset;
    mr_task_input_reached(input, input->next_offset);
    if (status != MR_OK || input->kind != MR_INPUT_LOG || !task->lane->worker->open.until_end ||
        !task->lane->worker->open.outlives_process || input->repartition)
        return status;
    status = log->ops->offset_find(log, input->topic, input->partition, MR_LOG_OFFSET_LATEST,
                                   &input->end_offset, error);
    if (status == MR_OK && input->next_offset >= input->end_offset)
        input->ended = true;
    return status;
}

static enum mr_status open_input(struct mr_task *task, struct mr_task_input *input,
                                 struct mr_error *error)
{
    struct mr_lane *lane = task->lane;
    const struct mr_plan *plan = lane->deployment->plan;
    struct mr_ingest_open open = {.plan = plan,
                                  .node = input->node,
                                  .repartition = input->repartition,
                                  .repartition_index = input->repartition_index,
                                  .log = input->kind == MR_INPUT_LOG ? lane->log : NULL};
    enum mr_status status = mr_ingest_create(&open, &input->ingest, error);
    if (status != MR_OK || input->kind != MR_INPUT_CONNECTOR)
        return status;
    struct mr_connector_open connector = {
        .options = &plan->nodes[input->node].options,
        .topology = plan->name,
        .name = plan->nodes[input->node].name,
        .subtopology = plan->subtopologies[task->subtopology].name,
        .partition = input->partition,
        /* Of the source: its task may have more inputs. */
        .partitions_count = lane->deployment->nodes[input->node].partitions_count,
        .metrics = lane->worker->open.metrics,
        .exactly_once = plan->exactly_once};
    void *source = mr_memory_new(1, input->connector->source->instance_size);
    status = input->connector->source->open(source, &connector, input->next_offset, error);
    input->source = source;
    if (status != MR_OK || !lane->worker->open.until_end)
        return status;
    input->end_offset = input->connector->source->end_position(source);
    input->ended = input->end_offset >= 0 && input->next_offset >= input->end_offset;
    return MR_OK;
}

/* From here on queries find it; they are told to wait until it is restored. */
static void register_state(struct mr_task *task)
{
    const struct mr_deployment *deployment = task->lane->deployment;
    struct mr_query_task known = {.topology = deployment->plan->name,
                                  .generation = deployment->generation,
                                  .plan = deployment->plan,
                                  .subtopology = task->subtopology,
                                  .partition = task->partition,
                                  .partitions_count = task->partitions_count,
                                  .state = task->state};
    if (task->lane->worker->open.queries != NULL)
        task->queries = mr_query_register(task->lane->worker->open.queries, &known);
}

/* A join that begins has nothing of its table, which its task may have read long ago. */
static enum mr_status read_tables_again(struct mr_task *task, const struct mr_plan_node *join,
                                        struct mr_error *error)
{
    enum { TABLE = 1 };
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < task->inputs_count && status == MR_OK; index++) {
        struct mr_task_input *input = &task->inputs[index];
        if (!mr_task_input_is_table(task, input) || input->node != join->inputs[TABLE].producer)
            continue;
        struct mr_log *log = task->lane->log;
        input->next_offset = 0;
        if (input->kind == MR_INPUT_LOG)
            status = log->ops->offset_find(log, input->topic, input->partition,
                                           MR_LOG_OFFSET_EARLIEST, &input->next_offset, error);
        input->committed_offset = input->next_offset;
        mr_task_input_reached(input, input->next_offset);
    }
    return status;
}

/* Operators whose state has another meaning than the stored one start over. */
static enum mr_status begin_lives(struct mr_task *task, struct mr_error *error)
{
    bool changed;
    const struct mr_plan *plan = task->lane->deployment->plan;
    const struct mr_plan_subtopology *part = &plan->subtopologies[task->subtopology];
    enum mr_status status = mr_state_begin(task->state, &changed, error);
    task->unsaved = task->unsaved || changed;
    for (uint32_t index = 0; index < part->nodes_count && status == MR_OK; index++) {
        const struct mr_plan_node *node = &plan->nodes[part->nodes[index]];
        enum mr_beginning beginning = mr_state_beginning(task->state, node->name);
        if (beginning == MR_BEGINNING_AGAIN)
            MR_LOG_AT(MR_LOG_WARNING, "worker",
                      MR_LOG_FIELDS("topology", plan->name, "operator", node->name),
                      "the operator starts over: what it has stored means something else in this "
                      "version of the topology");
        if (beginning != MR_BEGINNING_NONE && (node->type->flags & MR_TYPE_TABLE_JOIN) != 0)
            status = read_tables_again(task, node, error);
    }
    return status;
}

static enum mr_status restore(struct mr_task *task, struct progress_search *search,
                              struct mr_error *error)
{
    struct mr_placed placed = {0};
    int64_t end;
    uint64_t start_ms = mr_clock_monotonic_ms();
    const struct mr_deployment *deployment = task->lane->deployment;
    if (deployment->plan->subtopologies[task->subtopology].stateful) {
        enum mr_status status = open_state(task, &placed, error);
        if (status != MR_OK)
            return status;
    }
    struct mr_pipeline_open open = {.deployment = deployment,
                                    .subtopology = task->subtopology,
                                    .partition = task->partition,
                                    .partitions_count = task->partitions_count,
                                    .began_ms = task->began_ms,
                                    .state = task->state,
                                    .writer = &task->lane->writer,
                                    .evaluator = task->lane->evaluator,
                                    .metrics = task->lane->worker->open.metrics,
                                    .series = task->lane->series,
                                    .detector_series = task->lane->detector_series,
                                    .progress = search->found ? &search->progress : NULL,
                                    .output_records = &task->shared.output_records,
                                    .part_end_ns = &task->lane->part_end_ns,
                                    .anomalies = &task->lane->anomalies,
                                    .taps = task->lane->running->taps,
                                    .outlet = &task->lane->worker->outlet};
    enum mr_status status = mr_pipeline_create(&open, &task->pipeline, error);
    for (uint32_t index = 0; index < task->inputs_count; index++)
        task->inputs[index].told_ended = false;
    if (status != MR_OK || task->state == NULL)
        return status;
    register_state(task);
    struct progress_search replay = {.task = task, .state = task->state, .restore_end = placed.end};
    status =
        mr_log_read_to_end(task->lane->log, log_topic(task)->name, task->partition, placed.offset,
                           progress_visit, &replay, MR_LOG_WAIT_MS, &end, error);
    if (status == MR_OK)
        status = mr_state_restore_finish(task->state, error);
    if (status == MR_OK)
        status = begin_lives(task, error);
    task->statistics.restore_ms = mr_clock_monotonic_ms() - start_ms;
    tell_restore(task, 0);
    if (status == MR_OK && task->queries != NULL)
        mr_query_ready(task->queries);
    return status;
}

static void report_restore(const struct mr_task *task)
{
    char records[32];
    char milliseconds[32];
    char partition[16];
    (void)snprintf(records, sizeof(records), "%" PRIu64, task->statistics.restored_records);
    (void)snprintf(milliseconds, sizeof(milliseconds), "%" PRIu64, task->statistics.restore_ms);
    (void)snprintf(partition, sizeof(partition), "%d", task->partition);
    const struct mr_plan *plan = task->lane->deployment->plan;
    if (task->statistics.wiped_reason != NULL)
        MR_LOG_AT(
            MR_LOG_WARNING, "worker",
            MR_LOG_FIELDS("topology", plan->name, "subtopology",
                          plan->subtopologies[task->subtopology].name, "partition", partition),
            "local state was wiped and is restored in full: %s", task->statistics.wiped_reason);
    if (task->state != NULL)
        MR_LOG_AT(MR_LOG_INFO, "worker",
                  MR_LOG_FIELDS("topology", plan->name, "subtopology",
                                plan->subtopologies[task->subtopology].name, "partition", partition,
                                "replayed_records", records, "milliseconds", milliseconds),
                  "task restored");
}

static enum mr_status claim(struct mr_task *task, struct mr_error *error)
{
    const struct mr_deployment *deployment = task->lane->deployment;
    struct mr_claim_request request = {.generation = deployment->generation,
                                       .subtopology =
                                           deployment->plan->subtopologies[task->subtopology].name,
                                       .partition = task->partition,
                                       .incarnation = task->incarnation,
                                       .own = &task->claim_own,
                                       .epoch = task->epoch,
                                       .transactional = deployment->plan->exactly_once};
    return mr_claim_take(&task->lane->worker->claimer, &request, &task->epoch, error);
}

static enum mr_status prepare(struct mr_task *task, struct mr_error *error)
{
    struct progress_search search;
    task->unsaved = false;
    enum mr_status status = claim(task, error);
    atomic_store(&task->shared.seen_epoch, task->claim_own.epoch_seen);
    mr_failpoint("after_claim");
    if (status == MR_OK)
        atomic_store(&task->shared.state, (int)MR_TASK_STATE_RESTORING);
    if (status == MR_OK)
        status = find_progress(task, &search, error);
    if (status != MR_OK)
        return status;
    task->began_ms = search.found ? search.progress.began_ms : mr_clock_wall_ms();
    for (uint32_t index = 0; index < task->inputs_count && status == MR_OK; index++)
        status = place_input(task, &task->inputs[index], &search, error);
    if (status != MR_OK)
        return status;
    task->sequence = search.found ? search.progress.sequence : 0;
    task->watermark_ms = search.found ? search.progress.watermark_ms : INT64_MIN;
    task->rows_watermark_ms = task->watermark_ms;
    task->due = search.found && search.progress.told_ms < search.progress.watermark_ms;
    atomic_store(&task->shared.watermark_ms, search.found ? search.progress.told_ms : INT64_MIN);
    mr_failpoint("before_restore");
    status = restore(task, &search, error);
    for (uint32_t index = 0; index < task->inputs_count && status == MR_OK; index++)
        status = open_input(task, &task->inputs[index], error);
    mr_task_load_begin(task);
    return status;
}

void mr_task_prepare(struct mr_task *task, uint64_t incarnation)
{
    task->incarnation = incarnation;
    task->statistics = (struct mr_task_statistics){0};
    mr_arena_reset(&task->arena);
    task->status = prepare(task, &task->error);
    if (task->status == MR_OK) {
        report_restore(task);
        atomic_fetch_add_explicit(&task->lane->running->restored_records,
                                  task->statistics.restored_records, memory_order_relaxed);
        return;
    }
    mr_task_close(task);
    task->state_damaged = task->state_damaged || task->error.recovery == MR_RECOVERY_RESTORE;
}

void mr_task_release(struct mr_task *task)
{
    const struct mr_deployment *deployment = task->lane->deployment;
    struct mr_claim_request request = {.generation = deployment->generation,
                                       .subtopology =
                                           deployment->plan->subtopologies[task->subtopology].name,
                                       .partition = task->partition,
                                       .incarnation = task->incarnation,
                                       .epoch = task->epoch,
                                       .transactional = deployment->plan->exactly_once};
    task->status =
        mr_claim_release(&task->lane->worker->claimer, &request, task->epoch, &task->error);
}
