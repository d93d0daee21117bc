/* worker/load.c — tables before streams: a task that starts reads its tables to their ends first.
 * Design: the other inputs are held like those of a paused source. A table's end is where the
 * partition was read to its end for the first time; one that grows as fast as it is read is left
 * after its load_timeout, with a warning. */
#include "worker/internal.h"

#include "base/clock.h"
#include "base/log.h"

static const struct mr_plan_node *table_of(const struct mr_task *task,
                                           const struct mr_task_input *input)
{
    const struct mr_plan_node *node = &task->lane->deployment->plan->nodes[input->node];
    return !input->repartition && node->is_table ? node : NULL;
}

bool mr_task_input_is_table(const struct mr_task *task, const struct mr_task_input *input)
{
    return table_of(task, input) != NULL;
}

void mr_task_load_begin(struct mr_task *task)
{
    task->loading = false;
    task->loading_since_ms = 0;
    for (uint32_t index = 0; index < task->inputs_count; index++)
        task->loading = task->loading || table_of(task, &task->inputs[index]) != NULL;
}

void mr_task_load(struct mr_task *task)
{
    bool loading = false;
    if (!task->loading)
        return;
    uint64_t now_ms = mr_clock_monotonic_ms();
    if (task->loading_since_ms == 0)
        task->loading_since_ms = now_ms;
    for (uint32_t index = 0; index < task->inputs_count; index++) {
        const struct mr_task_input *input = &task->inputs[index];
        const struct mr_plan_node *table = table_of(task, input);
        if (table == NULL || input->at_end || input->ended)
            continue;
        if (now_ms - task->loading_since_ms < (uint64_t)table->load_timeout_ms)
            loading = true;
        else
            MR_LOG_AT(MR_LOG_WARNING, "worker",
                      MR_LOG_FIELDS("topology", task->lane->deployment->plan->name, "source",
                                    table->name),
                      "the table was not read to its end within load_timeout: streams are joined "
                      "with what has been read");
    }
    task->loading = loading;
}

bool mr_task_holds(const struct mr_task *task, const struct mr_task_input *input)
{
    return task->loading && table_of(task, input) == NULL;
}
