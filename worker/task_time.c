/* worker/task_time.c — a task's event time: what its inputs allow, and who is silent.
 * Rules (docs/TIME.md): a source partition allows its highest event time less max_delay, or the
 * watermark that its records carry, a repartition the least of the tasks that write it; the task's
 * watermark is the least over its inputs and never falls. A source partition is idle when it was
 * read to its end and nothing came for idle_timeout of time in which the lane was looking: time in
 * which the process stood still, or could not read, does not count, since records may be waiting.
 * When all inputs are idle or have ended, the watermark rises as far as closes what is open: to the
 * highest event time and the topology's reach behind it (operators/operator.h), and only when all
 * that this closes has left is the task itself idle: its readers then wait for nothing of it, and
 * what came later would be late. All of it is a function of what is in committed progress, so that
 * a restart goes on where it was. */
#include "worker/internal.h"

#include "base/clock.h"
#include "base/guard.h"

enum {
    LOOK_MS = 500,   /* between two looks for who holds the watermark */
    SETTLE_MS = 2000 /* after an interruption silence counts as such only after this */
};

void mr_task_input_spoke(struct mr_task *task, struct mr_task_input *input)
{
    input->spoke_ms = task->lane->watched_ms;
    input->at_end = false;
    if (!input->repartition)
        input->idle = false;
}

void mr_task_input_turned(struct mr_task *task, struct mr_task_input *input)
{
    input->spoke_ms = task->lane->watched_ms;
    if (!input->repartition)
        input->idle = false;
}

/* Has a source partition been silent for so long that it holds nobody up? */
static bool is_silent(const struct mr_task *task, struct mr_task_input *input)
{
    const struct mr_lane *lane = task->lane;
    int64_t timeout_ms = lane->deployment->plan->nodes[input->node].idle_timeout_ms;
    if (input->spoke_ms == MR_INPUT_UNWATCHED)
        input->spoke_ms = lane->watched_ms;
    if (timeout_ms == 0 || !input->at_end)
        return false;
    uint64_t settle_ms = timeout_ms < SETTLE_MS ? (uint64_t)timeout_ms : SETTLE_MS;
    return lane->watched_ms - input->spoke_ms >= (uint64_t)timeout_ms &&
           lane->watched_ms - lane->interrupted_ms >= settle_ms;
}

static const struct mr_plan_node *source_of(const struct mr_task *task,
                                            const struct mr_task_input *input)
{
    return &task->lane->deployment->plan->nodes[input->node];
}

/* Its records carry the watermark. */
static bool is_punctuated(const struct mr_task *task, const struct mr_task_input *input)
{
    const struct mr_plan_node *source = source_of(task, input);
    return !input->repartition &&
           (source->watermark_slot != MR_SLOT_NONE || source->watermark_when != NULL);
}

/* The watermark that one input allows; INT64_MAX when it does not hold the task back. */
static int64_t input_watermark(const struct mr_task *task, struct mr_task_input *input)
{
    if (input->ended || mr_task_input_is_table(task, input))
        return INT64_MAX; /* a table's records say what is, however old they are */
    if (input->repartition) {
        input->idle = input->upstreams.lowest_ms == INT64_MAX;
        return input->upstreams.lowest_ms;
    }
    if (!input->idle && !input->paused)
        input->idle = is_silent(task, input);
    if (input->idle)
        return INT64_MAX;
    if (is_punctuated(task, input))
        return input->carried_ms;
    return mr_watermark_held(input->highest_event_ms, source_of(task, input)->max_delay_ms);
}

/* All inputs are silent or have ended: where event time stands when nothing more comes. except: an
 * input that is left out, NULL: none. */
static int64_t last_watermark(const struct mr_task *task, const struct mr_task_input *except)
{
    int64_t last_ms = INT64_MIN;
    for (uint32_t index = 0; index < task->inputs_count; index++) {
        const struct mr_task_input *input = &task->inputs[index];
        if (input == except || mr_task_input_is_table(task, input))
            continue;
        int64_t input_ms = input->repartition ? input->upstreams.highest_ms
                           : input->highest_event_ms == INT64_MIN
                               ? INT64_MIN
                               : input->highest_event_ms + 1 + input->open_ms;
        last_ms = input_ms > last_ms ? input_ms : last_ms;
    }
    return last_ms;
}

void mr_task_take_times(struct mr_task *task, struct mr_task_input *input, struct mr_view view,
                        const struct mr_ingest_run *ingested)
{
    const struct mr_plan *plan = task->lane->deployment->plan;
    bool wanted = plan->subtopologies[task->subtopology].row_watermarks;
    struct mr_watermark_run run = {.task_ms = task->rows_watermark_ms,
                                   .others_ms = INT64_MAX,
                                   .last_ms = last_watermark(task, input)};
    for (uint32_t index = 0; index < task->inputs_count && wanted; index++) {
        if (&task->inputs[index] == input)
            continue;
        int64_t allowed_ms = input_watermark(task, &task->inputs[index]);
        run.others_ms = allowed_ms < run.others_ms ? allowed_ms : run.others_ms;
    }
    if (input->repartition) {
        mr_upstreams_take_run(&input->upstreams, ingested->carried, view.batch->rows_count, &run,
                              wanted ? mr_batch_watermarks(view.batch) : NULL);
    } else if (wanted) {
        run.highest_ms = input->highest_event_ms;
        run.max_delay_ms = source_of(task, input)->max_delay_ms;
        run.times_ms = view.batch->event_times_ms;
        if (is_punctuated(task, input)) {
            run.highest_ms = input->carried_ms;
            run.max_delay_ms = 0;
            run.times_ms = ingested->says_ms;
        }
        mr_watermark_rows(&run, view);
    }
    if (wanted && view.batch->rows_count > 0)
        task->rows_watermark_ms = view.batch->watermarks_ms[view.batch->rows_count - 1];
    input->highest_event_ms = ingested->highest_event_ms;
    input->carried_ms = ingested->carried_ms;
}

int64_t mr_task_find_watermark(struct mr_task *task)
{
    int64_t lowest_ms = INT64_MAX;
    for (uint32_t index = 0; index < task->inputs_count; index++) {
        int64_t allowed_ms = input_watermark(task, &task->inputs[index]);
        lowest_ms = allowed_ms < lowest_ms ? allowed_ms : lowest_ms;
        if (allowed_ms != INT64_MAX && allowed_ms != INT64_MIN)
            mr_metric_set(task->inputs[index].series.watermark, (double)allowed_ms);
    }
    return lowest_ms == INT64_MAX ? last_watermark(task, NULL) : lowest_ms;
}

bool mr_task_idle(const struct mr_task *task)
{
    if (task->due && MR_GUARD(IDLE_BEHIND_PARTS))
        return false;
    for (uint32_t index = 0; index < task->inputs_count; index++)
        if (!task->inputs[index].idle && !task->inputs[index].ended &&
            !mr_task_input_is_table(task, &task->inputs[index]))
            return false;
    return last_watermark(task, NULL) <= mr_pipeline_told(task->pipeline) ||
           !MR_GUARD(IDLE_BEHIND_PARTS);
}

/* ---- Who holds the watermark ---- */

/* The place of a node among those of the binding: those with topics or partitions. */
static uint32_t bound_index(const struct mr_deployment *deployment, uint32_t node)
{
    uint32_t index = 0;
    for (uint32_t before = 0; before < node; before++)
        index += deployment->nodes[before].topics_count > 0 ||
                 deployment->nodes[before].partitions_count > 0;
    return index;
}

/* The input that allows the least, and the highest that any input has come to. */
static struct mr_task_input *slowest_input(struct mr_task *task, int64_t *highest_ms)
{
    struct mr_task_input *slowest = NULL;
    int64_t lowest_ms = INT64_MAX;
    *highest_ms = INT64_MIN;
    for (uint32_t index = 0; index < task->inputs_count; index++) {
        struct mr_task_input *input = &task->inputs[index];
        int64_t allowed_ms = input_watermark(task, input);
        int64_t reached_ms = input->repartition        ? input->upstreams.highest_ms
                             : allowed_ms == INT64_MAX ? INT64_MIN
                                                       : allowed_ms;
        *highest_ms = reached_ms > *highest_ms ? reached_ms : *highest_ms;
        if (allowed_ms >= lowest_ms)
            continue;
        lowest_ms = allowed_ms;
        slowest = input;
    }
    return lowest_ms < *highest_ms ? slowest : NULL;
}

/* Tell, now and then, who makes the others wait: a watermark that stands while somebody is ahead.
 */
void mr_task_look_for_holder(struct mr_task *task, uint64_t now_ms)
{
    const struct mr_deployment *deployment = task->lane->deployment;
    struct mr_task_shared *shared = &task->shared;
    int64_t highest_ms;
    if (now_ms - task->held_looked_ms < LOOK_MS)
        return;
    struct mr_task_input *input = slowest_input(task, &highest_ms);
    uint32_t partition = 0;
    bool was_held = atomic_load(&shared->held_by) != MR_HOLDER_NONE;
    bool stands = task->watermark_ms == task->held_watermark_ms;
    task->held_looked_ms = now_ms;
    task->held_watermark_ms = task->watermark_ms;
    if (input == NULL || !stands) {
        atomic_store(&shared->held_by, MR_HOLDER_NONE);
        return;
    }
    if (!was_held)
        atomic_store(&shared->held_since_ms, now_ms);
    if (input->repartition) {
        const struct mr_plan *plan = deployment->plan;
        (void)mr_upstreams_holder(&input->upstreams, &partition);
        atomic_store(&shared->held_by_index,
                     plan->repartitions[input->repartition_index].from_subtopology);
    } else {
        partition = (uint32_t)input->partition;
        atomic_store(&shared->held_by_index, bound_index(deployment, input->node));
    }
    atomic_store(&shared->held_by_partition, partition);
    atomic_store(&shared->held_by, input->repartition ? MR_HOLDER_UPSTREAM : MR_HOLDER_SOURCE);
}
