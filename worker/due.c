/* worker/due.c — what leaves before a task takes more rows.
 * Why: one step of the watermark may close any number of windows. What is due at it leaves in
 * parts, with commits between them, so that a transaction stays as small as others
 * (operators/operator.h). Design: while operators are being told a watermark the task is `due`: its
 * lane feeds it nothing, seals when the transaction is full, and calls mr_task_advance again. A run
 * of rows may cross such a step in its middle. So it is cut in front of the first row whose
 * watermark is beyond the pipeline's horizon: the rows before it are pushed, the operators are told
 * that row's watermark, and the run goes on; when more is due than fits it stops there, and the
 * input's position and times are set back to that row, since a commit comes between. Progress holds
 * the watermark that is being told and the one from before: a task that starts there tells it to
 * the end before anything else, which emits what had not left, and nothing twice, since what has
 * left is no more in the state. */
#include "worker/internal.h"

#include "base/assert.h"
#include "base/clock.h"

/* A row that failed before it entered. */
struct mr_task_fault {
    uint32_t row;
    uint32_t node;
    struct mr_slice message;
};

enum { FAULTS_FIRST = 16 };

/* ---- Watermarks and wall times ---- */

static enum mr_status settle(struct mr_task *task, enum mr_status status)
{
    task->due = status == MR_AGAIN;
    return status == MR_AGAIN ? MR_OK : status;
}

enum mr_status mr_task_tell(struct mr_task *task, int64_t watermark_ms, struct mr_error *error)
{
    task->watermark_ms = watermark_ms;
    if (task->rows_watermark_ms < watermark_ms)
        task->rows_watermark_ms = watermark_ms;
    mr_task_touch(task);
    return settle(
        task, mr_pipeline_watermark(task->pipeline, watermark_ms, &task->lane->batch_arena, error));
}

/* Nothing more comes of an input. */
static bool has_input_ended(const struct mr_task_input *input)
{
    return input->ended || (input->repartition && mr_upstreams_ended(&input->upstreams));
}

/* Nothing more comes of a source or a repartition: of all inputs that it has in the task. */
static bool has_ended(const struct mr_task *task, const struct mr_task_input *of)
{
    for (uint32_t index = 0; index < task->inputs_count; index++) {
        const struct mr_task_input *input = &task->inputs[index];
        bool is_same = input->repartition == of->repartition &&
                       (of->repartition ? input->repartition_index == of->repartition_index
                                        : input->node == of->node);
        if (is_same && !has_input_ended(input))
            return false;
    }
    return true;
}

/* Tell the pipeline of inputs that have ended, or go on, since it was told last. */
static void tell_ends(struct mr_task *task)
{
    bool is_news = false;
    for (uint32_t index = 0; index < task->inputs_count; index++) {
        struct mr_task_input *input = &task->inputs[index];
        is_news = is_news || input->told_ended != has_input_ended(input);
        input->told_ended = has_input_ended(input);
    }
    for (uint32_t index = 0; index < task->inputs_count && is_news; index++) {
        const struct mr_task_input *input = &task->inputs[index];
        if (input->repartition)
            mr_pipeline_repartition_ended(task->pipeline, input->repartition_index,
                                          has_ended(task, input));
        else
            mr_pipeline_source_ended(task->pipeline, input->node, has_ended(task, input));
    }
}

enum mr_status mr_task_wall(struct mr_task *task, bool *called, struct mr_error *error)
{
    tell_ends(task);
    enum mr_status status =
        settle(task, mr_pipeline_wall(task->pipeline, &task->lane->batch_arena, called, error));
    if (*called)
        mr_task_touch(task);
    return status;
}

enum mr_status mr_task_advance(struct mr_task *task, struct mr_error *error)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    enum mr_status status = MR_OK;
    bool called = false;
    if (mr_pipeline_told(task->pipeline) < task->watermark_ms)
        status = mr_task_tell(task, task->watermark_ms, error);
    if (status != MR_OK || mr_pipeline_told(task->pipeline) < task->watermark_ms)
        return status;
    int64_t watermark_ms = mr_task_find_watermark(task);
    /* What rows have seen counts, also when an input that was idle then holds the others now: by it
     * operators have closed what progress must not open again. */
    if (task->rows_watermark_ms > watermark_ms)
        watermark_ms = task->rows_watermark_ms;
    if (watermark_ms > task->watermark_ms)
        status = mr_task_tell(task, watermark_ms, error);
    if (status == MR_OK && mr_pipeline_told(task->pipeline) == task->watermark_ms)
        status = mr_task_wall(task, &called, error);
    if (status == MR_OK && mr_pipeline_marks_due(task->pipeline, mr_task_idle(task), now_ms))
        mr_task_touch(task);
    mr_task_look_for_holder(task, now_ms);
    return status;
}

/* ---- Runs ---- */

/* Faults of rows that may not be reached are kept until they are. */
static void keep_fault(void *argument, uint32_t node, const struct mr_batch *batch, uint32_t row,
                       struct mr_slice message)
{
    struct mr_task_run *run = argument;
    if (run->faults_count == run->faults_capacity) {
        uint32_t capacity = run->faults_capacity == 0 ? FAULTS_FIRST : run->faults_capacity * 2;
        struct mr_task_fault *faults = mr_arena_take(batch->arena, capacity * sizeof(*faults));
        if (run->faults_count > 0)
            memcpy(faults, run->faults, run->faults_count * sizeof(*faults));
        run->faults = faults;
        run->faults_capacity = capacity;
    }
    run->faults[run->faults_count++] = (struct mr_task_fault){
        .row = row, .node = node, .message = mr_arena_copy(batch->arena, message)};
}

const struct mr_row_fault *mr_task_run_begin(struct mr_task_run *run)
{
    struct mr_task *task = run->task;
    struct mr_upstreams *upstreams = &run->input_before.upstreams;
    int64_t horizon_ms;
    struct mr_error error;
    const struct mr_plan *plan = task->lane->deployment->plan;
    run->taken = 0;
    run->faults_count = run->faults_capacity = 0;
    run->cuts = plan->subtopologies[task->subtopology].row_watermarks &&
                (mr_pipeline_horizon(task->pipeline, INT64_MIN, &horizon_ms, &error) != MR_OK ||
                 horizon_ms != INT64_MAX);
    if (!run->cuts)
        return mr_pipeline_fault(task->pipeline);
    run->input_before = *run->input;
    run->rows_watermark_before_ms = task->rows_watermark_ms;
    if (upstreams->count > 0) {
        upstreams->items =
            mr_arena_take(&task->lane->batch_arena, upstreams->count * sizeof(*upstreams->items));
        memcpy(upstreams->items, run->input->upstreams.items,
               upstreams->count * sizeof(*upstreams->items));
    }
    run->fault = (struct mr_row_fault){.argument = run, .report = keep_fault};
    return &run->fault;
}

static void report_faults(struct mr_task_run *run, uint32_t first_row, uint32_t end_row)
{
    const struct mr_row_fault *fault = mr_pipeline_fault(run->task->pipeline);
    for (uint32_t index = 0; index < run->faults_count; index++) {
        const struct mr_task_fault *kept = &run->faults[index];
        if (kept->row >= first_row && kept->row < end_row)
            fault->report(fault->argument, kept->node, &run->batch, kept->row, kept->message);
    }
}

/* The input's times as of the row at which the run stopped. */
static void set_times_back(struct mr_task_run *run, struct mr_view view)
{
    struct mr_task_input *input = run->input;
    const struct mr_task_input *before = &run->input_before;
    input->highest_event_ms = before->highest_event_ms;
    input->carried_ms = before->carried_ms;
    for (uint32_t index = 0; index < view.rows_count && view.rows[index] < run->taken; index++) {
        uint32_t row = view.rows[index];
        if (run->batch.event_times_ms[row] > input->highest_event_ms)
            input->highest_event_ms = run->batch.event_times_ms[row];
        if (run->ingest.says_ms != NULL && run->ingest.says_ms[row] > input->carried_ms)
            input->carried_ms = run->ingest.says_ms[row];
    }
    if (input->repartition) {
        struct mr_upstream *items = input->upstreams.items;
        memcpy(items, before->upstreams.items, before->upstreams.count * sizeof(*items));
        input->upstreams = before->upstreams;
        input->upstreams.items = items;
        for (uint32_t row = 0; row < run->taken; row++)
            mr_upstreams_take(&input->upstreams, &run->ingest.carried[row]);
    }
    run->task->rows_watermark_ms = run->task->watermark_ms;
}

static enum mr_status push_part(struct mr_task_run *run, struct mr_view view, uint32_t end_row,
                                struct mr_error *error)
{
    struct mr_pipeline *pipeline = run->task->pipeline;
    uint32_t rows_count = end_row - run->taken;
    if (run->cuts)
        report_faults(run, run->taken, end_row);
    run->taken = end_row;
    if (run->input->repartition)
        return mr_pipeline_repartition(pipeline, run->input->repartition_index, view, error);
    return mr_pipeline_source(pipeline, run->input->node, view, rows_count, error);
}

/* How many rows of view may be pushed before the operators are told the watermark of the next. */
static enum mr_status find_cut(struct mr_task_run *run, struct mr_view view, uint32_t *count,
                               struct mr_error *error)
{
    const int64_t *watermarks_ms = view.batch->watermarks_ms;
    int64_t horizon_ms;
    *count = view.rows_count;
    if (!run->cuts || view.rows_count == 0)
        return MR_OK;
    enum mr_status status = mr_pipeline_horizon(
        run->task->pipeline, watermarks_ms[view.rows[view.rows_count - 1]], &horizon_ms, error);
    *count = 0;
    while (*count < view.rows_count && watermarks_ms[view.rows[*count]] <= horizon_ms)
        (*count)++;
    return status;
}

enum mr_status mr_task_run_push(struct mr_task_run *run, struct mr_view view,
                                struct mr_error *error)
{
    struct mr_view rest = view;
    struct mr_task *task = run->task;
    for (;;) {
        uint32_t count;
        enum mr_status status = find_cut(run, rest, &count, error);
        if (status != MR_OK)
            return status;
        bool whole = count == rest.rows_count;
        struct mr_view part = {.batch = rest.batch, .rows = rest.rows, .rows_count = count};
        status = push_part(run, part, whole ? run->batch.rows_count : rest.rows[count], error);
        if (status != MR_OK || whole)
            return status;
        status = mr_task_tell(task, run->batch.watermarks_ms[rest.rows[count]], error);
        if (status == MR_OK && task->due)
            set_times_back(run, view);
        if (status != MR_OK || task->due)
            return status;
        rest.rows += count;
        rest.rows_count -= count;
    }
}
