/* worker/task.c — feeding records to a task and sealing its share of a transaction. */
#include "worker/internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/guard.h"
#include "base/memory.h"

struct mr_task *mr_task_create(struct mr_lane *lane, uint32_t subtopology, int32_t partition)
{
    struct mr_task *task = mr_memory_new(1, sizeof(*task));
    task->lane = lane;
    task->subtopology = subtopology;
    task->partition = partition;
    task->partitions_count = lane->deployment->subtopologies[subtopology].tasks_count;
    task->watermark_ms = INT64_MIN;
    task->rows_watermark_ms = INT64_MIN;
    mr_arena_init(&task->arena, 4096);
    mr_arena_init(&task->poll_arena, 4096);
    (void)pthread_mutex_init(&task->shared.mutex, NULL);
    atomic_store(&task->shared.lag, -1);
    atomic_store(&task->shared.changelog_remaining, -1);
    atomic_store(&task->shared.watermark_ms, INT64_MIN);
    return task;
}

static const enum mr_task_state states[] = {
    [MR_TASK_WAITING] = MR_TASK_STATE_WAITING,     [MR_TASK_PREPARING] = MR_TASK_STATE_CLAIMING,
    [MR_TASK_RUNNING] = MR_TASK_STATE_RUNNING,     [MR_TASK_DRAINING] = MR_TASK_STATE_RELEASING,
    [MR_TASK_RELEASING] = MR_TASK_STATE_RELEASING, [MR_TASK_RELEASED] = MR_TASK_STATE_RELEASED,
    [MR_TASK_FENCED] = MR_TASK_STATE_FENCED,       [MR_TASK_FAILED] = MR_TASK_STATE_FAILED};

void mr_task_enter(struct mr_task *task, enum mr_task_phase phase)
{
    task->phase = phase;
    atomic_store(&task->shared.epoch, task->assigned_epoch);
    atomic_store(&task->shared.state, (int)states[phase]);
}

void mr_task_enter_error(struct mr_task *task, enum mr_task_phase phase,
                         const struct mr_error *error)
{
    (void)pthread_mutex_lock(&task->shared.mutex);
    memcpy(task->shared.error, error->message, sizeof(task->shared.error));
    (void)pthread_mutex_unlock(&task->shared.mutex);
    mr_task_enter(task, phase);
}

void mr_task_destroy(struct mr_task *task)
{
    if (task == NULL)
        return;
    mr_task_close(task);
    struct mr_metrics *metrics = task->lane->worker->open.metrics;
    for (uint32_t index = 0; index < task->inputs_count; index++)
        mr_input_series_close(metrics, &task->inputs[index].series);
    mr_task_series_close(metrics, &task->time_series);
    mr_store_series_close(metrics, &task->series);
    mr_memory_free(task->inputs);
    (void)pthread_mutex_destroy(&task->shared.mutex);
    mr_arena_deinit(&task->arena);
    mr_arena_deinit(&task->poll_arena);
    mr_memory_free(task);
}

void mr_task_close(struct mr_task *task)
{
    for (uint32_t index = 0; index < task->inputs_count; index++) {
        struct mr_task_input *input = &task->inputs[index];
        if (input->source != NULL)
            input->connector->source->close(input->source);
        mr_memory_free(input->source);
        input->source = NULL;
        mr_ingest_destroy(input->ingest);
        input->ingest = NULL;
        input->held_count = 0;
    }
    mr_pipeline_destroy(task->pipeline);
    task->pipeline = NULL;
    mr_query_unregister(task->queries);
    task->queries = NULL;
    mr_state_close(task->state);
    task->state = NULL;
    task->touched = false;
    task->due = false;
}

/* A record below the next offset was processed already (rule 8); a refetch must not double it. */
static uint32_t skip_processed(const struct mr_task_input *input,
                               const struct mr_log_message *messages, uint32_t messages_count)
{
    uint32_t first = 0;
    while (MR_GUARD(OFFSET_FILTER) && first < messages_count &&
           messages[first].offset < input->next_offset)
        first++;
    return first;
}

void mr_task_touch(struct mr_task *task)
{
    struct mr_transaction *transaction = task->lane->open;
    if (transaction->opened_ns == 0)
        transaction->opened_ns = mr_clock_monotonic_ns();
    task->touched = true;
}

/* What was pushed of a run. */
static void count_run(const struct mr_task_run *run)
{
    struct mr_task *task = run->task;
    uint32_t records_count = run->taken;
    for (uint32_t row = 0; row < run->taken && run->ingest.marks_count > 0; row++)
        records_count -= run->ingest.carried[row].mark;
    task->sequence = run->batch.sequence_first + run->taken;
    task->lane->open->input_count += run->taken;
    mr_metric_add(run->input->series.records, records_count);
    atomic_fetch_add_explicit(&task->shared.input_records, records_count, memory_order_relaxed);
}

static uint32_t batch_rows(const struct mr_task *task)
{
    return task->lane->deployment->plan->subtopologies[task->subtopology].batch_rows;
}

bool mr_task_has_enough(const struct mr_task *task)
{
    return task->due || (batch_rows(task) < MR_LIMIT_BATCH_ROWS && mr_lane_is_full(task->lane));
}

/* Pre: messages_count <= batch_rows. */
static enum mr_status feed_run(struct mr_task *task, struct mr_task_input *input,
                               const struct mr_log_message *messages, uint32_t messages_count,
                               uint32_t *taken_count, struct mr_error *error)
{
    struct mr_lane *lane = task->lane;
    uint16_t *rows = mr_arena_take(&lane->batch_arena, messages_count * sizeof(*rows));
    struct mr_task_run run = {.task = task,
                              .input = input,
                              .ingest = {.messages = messages,
                                         .messages_count = messages_count,
                                         .origin = {input->topic, input->partition},
                                         .sequence_first = task->sequence,
                                         .now_wall_ms = lane->writer.now_wall_ms,
                                         .evaluator = lane->evaluator,
                                         .highest_event_ms = input->highest_event_ms,
                                         .carried_ms = input->carried_ms}};
    mr_task_touch(task);
    mr_task_input_spoke(task, input);
    const struct mr_row_fault *fault = mr_task_run_begin(&run);
    struct mr_view view =
        mr_ingest_run(input->ingest, &run.ingest, &lane->batch_arena, &run.batch, rows, fault);
    mr_task_take_times(task, input, view, &run.ingest);
    enum mr_status status = mr_task_run_push(&run, view, error);
    uint64_t bytes = 0;
    for (uint32_t index = 0; index < run.taken; index++)
        bytes += messages[index].key.size + messages[index].value.size;
    mr_metric_add(input->series.bytes, bytes);
    count_run(&run);
    *taken_count = run.taken;
    mr_arena_reset(&lane->batch_arena);
    return status;
}

static enum mr_status feed_runs(struct mr_task *task, struct mr_task_input *input,
                                const struct mr_log_message *messages, uint32_t messages_count,
                                uint32_t *taken_count, struct mr_error *error)
{
    bool called;
    enum mr_status status = mr_task_wall(task, &called, error);
    while (status == MR_OK && !mr_task_has_enough(task) && *taken_count < messages_count) {
        uint32_t count = messages_count - *taken_count;
        uint32_t taken;
        if (count > batch_rows(task))
            count = batch_rows(task);
        status = feed_run(task, input, messages + *taken_count, count, &taken, error);
        *taken_count += taken;
    }
    return status;
}

enum mr_status mr_task_feed(struct mr_task *task, struct mr_task_input *input,
                            const struct mr_log_message *messages, uint32_t messages_count,
                            uint32_t *taken_count, struct mr_error *error)
{
    uint32_t first = skip_processed(input, messages, messages_count);
    uint32_t last = messages_count;
    uint64_t begun_ns = mr_clock_monotonic_ns();
    /* until_end: what came after the end that was seen at start belongs to the next run. */
    while (last > first && input->end_offset >= 0 && messages[last - 1].offset >= input->end_offset)
        last--;
    *taken_count = first;
    enum mr_status status = feed_runs(task, input, messages, last, taken_count, error);
    if (*taken_count > first)
        input->next_offset = messages[*taken_count - 1].offset + 1;
    if (status == MR_OK && *taken_count == last) {
        if (last < messages_count)
            input->ended = true;
        *taken_count = messages_count;
        if (!task->due)
            status = mr_task_advance(task, error);
    }
    mr_arena_reset(&task->lane->batch_arena);
    atomic_fetch_add_explicit(&task->shared.busy_ns, mr_clock_monotonic_ns() - begun_ns,
                              memory_order_relaxed);
    return status;
}

/* Messages of a connector source: those that wait, or new ones. */
static enum mr_status poll_messages(struct mr_task *task, struct mr_task_input *input,
                                    int64_t now_wall_ms, struct mr_error *error)
{
    if (input->held_count > 0)
        return MR_OK;
    input->held_next = input->next_offset;
    input->due_ms = 0;
    enum mr_status status = input->connector->source->poll(
        input->source, &task->poll_arena, MR_LIMIT_BATCH_ROWS, now_wall_ms, &input->held,
        &input->held_count, &input->held_next, &input->due_ms, error);
    if (status == MR_END)
        input->ended = true;
    input->at_end = status == MR_AGAIN || input->held_count == 0;
    if (status != MR_OK)
        input->held_count = 0;
    return status;
}

static enum mr_status poll_connector(struct mr_task *task, struct mr_task_input *input,
                                     int64_t now_wall_ms, struct mr_error *error)
{
    uint32_t taken = 0;
    enum mr_status status = poll_messages(task, input, now_wall_ms, error);
    if (status != MR_OK || input->held_count == 0)
        return status;
    uint32_t count = input->held_count < batch_rows(task) ? input->held_count : batch_rows(task);
    status = feed_run(task, input, input->held, count, &taken, error);
    input->held += taken;
    input->held_count -= taken;
    input->next_offset = input->held_count > 0 ? input->held[0].offset : input->held_next;
    if (input->end_offset >= 0 && input->next_offset >= input->end_offset)
        input->ended = true;
    return status;
}

/* Generate rows from the input's position on. */
static enum mr_status generate(struct mr_task *task, struct mr_task_input *input,
                               uint32_t rows_capacity, struct mr_batch *batch,
                               int64_t *next_position, struct mr_error *error)
{
    mr_ingest_batch_init(input->ingest, &task->lane->batch_arena, rows_capacity, batch);
    batch->origin = (struct mr_origin){input->topic, input->partition};
    batch->sequence_first = task->sequence;
    *next_position = input->next_offset;
    input->due_ms = 0;
    return mr_pipeline_generate(task->pipeline, input->node, input->next_offset, batch,
                                next_position, &input->due_ms, error);
}

static enum mr_status feed_generated(struct mr_task_run *run, int64_t next_position,
                                     struct mr_error *error)
{
    struct mr_task *task = run->task;
    struct mr_task_input *input = run->input;
    uint16_t *rows = mr_arena_take(&task->lane->batch_arena, run->batch.rows_count * sizeof(*rows));
    run->ingest = (struct mr_ingest_run){.now_wall_ms = task->lane->writer.now_wall_ms,
                                         .evaluator = task->lane->evaluator,
                                         .highest_event_ms = input->highest_event_ms,
                                         .carried_ms = input->carried_ms};
    mr_task_touch(task);
    mr_task_input_spoke(task, input);
    const struct mr_row_fault *fault = mr_task_run_begin(run);
    struct mr_view view =
        mr_ingest_generated(input->ingest, &run->ingest, &run->batch, rows, fault);
    mr_task_take_times(task, input, view, &run->ingest);
    enum mr_status status = mr_task_run_push(run, view, error);
    if (status == MR_OK && run->taken > 0 && run->taken < run->batch.rows_count) {
        struct mr_batch again; /* only to learn the position of the row at which it stopped */
        status = generate(task, input, run->taken, &again, &next_position, error);
        MR_ASSERT(status != MR_OK || again.rows_count == run->taken);
    }
    count_run(run);
    if (run->taken > 0)
        input->next_offset = next_position;
    return status;
}

static enum mr_status poll_generator(struct mr_task *task, struct mr_task_input *input,
                                     struct mr_error *error)
{
    struct mr_task_run run = {.task = task, .input = input};
    int64_t next_position;
    enum mr_status status =
        generate(task, input, batch_rows(task), &run.batch, &next_position, error);
    if (status == MR_END)
        input->ended = true;
    input->at_end = status == MR_AGAIN;
    if (status == MR_OK)
        status = feed_generated(&run, next_position, error);
    mr_arena_reset(&task->lane->batch_arena);
    return status;
}

static bool holds_messages(const struct mr_task *task)
{
    for (uint32_t index = 0; index < task->inputs_count; index++)
        if (task->inputs[index].held_count > 0)
            return true;
    return false;
}

enum mr_status mr_task_poll(struct mr_task *task, int64_t now_wall_ms, struct mr_error *error)
{
    bool worked;
    if (!holds_messages(task))
        mr_arena_reset(&task->poll_arena);
    enum mr_status status = mr_task_wall(task, &worked, error);
    if (status != MR_OK)
        return status;
    for (uint32_t index = 0; index < task->inputs_count && !task->due; index++) {
        struct mr_task_input *input = &task->inputs[index];
        if (input->kind == MR_INPUT_LOG || input->ended || input->paused ||
            input->due_ms > now_wall_ms)
            continue;
        status = input->kind == MR_INPUT_CONNECTOR ? poll_connector(task, input, now_wall_ms, error)
                                                   : poll_generator(task, input, error);
        if (status == MR_OK)
            worked = true;
        else if (status != MR_AGAIN && status != MR_END)
            return status;
    }
    if (!worked)
        return MR_AGAIN;
    return task->due ? MR_OK : mr_task_advance(task, error);
}

static struct mr_slice encode_progress(struct mr_task *task, struct mr_arena *arena,
                                       struct mr_progress_sink *sinks, uint32_t sinks_count)
{
    int64_t told_ms =
        MR_GUARD(TOLD_IN_PROGRESS) ? mr_pipeline_told(task->pipeline) : task->watermark_ms;
    struct mr_progress progress = {.epoch = task->epoch,
                                   .incarnation = task->incarnation,
                                   .sequence = task->sequence,
                                   .watermark_ms = task->watermark_ms,
                                   .told_ms = told_ms,
                                   .began_ms = task->began_ms,
                                   .inputs_count = task->inputs_count,
                                   .sinks = sinks,
                                   .sinks_count = sinks_count};
    progress.inputs = mr_arena_new(arena, task->inputs_count, sizeof(*progress.inputs));
    for (uint32_t index = 0; index < task->inputs_count; index++) {
        struct mr_task_input *input = &task->inputs[index];
        input->sealed_offset = input->next_offset;
        progress.inputs[index] = (struct mr_progress_input){
            .topic = mr_slice_text(input->topic),
            .partition = input->partition,
            .topic_id = mr_slice_text(input->topic_id == NULL ? "" : input->topic_id),
            .next_offset = input->next_offset,
            .highest_event_ms = input->highest_event_ms,
            .idle = input->idle,
            .carried_ms = input->carried_ms,
            .producer = mr_slice_text(input->producer),
            .upstreams = input->upstreams.items,
            .upstreams_count = input->upstreams.count};
    }
    return mr_progress_encode(&progress, arena);
}

enum mr_status mr_task_seal(struct mr_task *task, struct mr_transaction *transaction,
                            struct mr_error *error)
{
    enum mr_status status = MR_OK;
    mr_pipeline_mark(task->pipeline, mr_task_idle(task), mr_clock_monotonic_ms());
    struct mr_seal *seal = mr_transaction_seal(transaction);
    seal->task = task;
    seal->state = task->state;
    seal->partition = task->partition;
    seal->log_topic = task->lane->deployment->subtopologies[task->subtopology].log_topic.name;
    if (task->state != NULL)
        status =
            mr_state_seal(task->state, &seal->sealed, &seal->changes, &seal->changes_count, error);
    uint32_t sinks_count = mr_pipeline_sinks_count(task->pipeline);
    struct mr_progress_sink *sinks =
        mr_arena_new(&transaction->arena, sinks_count + 1, sizeof(*sinks));
    if (status == MR_OK && sinks_count > 0)
        status = mr_pipeline_prepare(task->pipeline, sinks, error);
    if (status != MR_OK)
        return status;
    task->sealed_watermark_ms = mr_pipeline_told(task->pipeline);
    seal->progress = encode_progress(task, &transaction->arena, sinks, sinks_count);
    task->touched = false;
    return MR_OK;
}

void mr_task_input_reached(struct mr_task_input *input, int64_t offset)
{
    input->reached_offset = offset;
    input->reached_next = input->next_offset;
}

int64_t mr_task_input_position(const struct mr_task_input *input)
{
    bool passed = input->committed_offset >= input->reached_next &&
                  input->reached_offset > input->committed_offset;
    return passed ? input->reached_offset : input->committed_offset;
}

bool mr_task_ended(const struct mr_task *task)
{
    for (uint32_t index = 0; index < task->inputs_count; index++)
        if (!task->inputs[index].ended)
            return false;
    return task->phase == MR_TASK_RUNNING;
}
