/* worker/lane_setup.c — making a lane: its tasks, inputs, rings, threads; and taking it apart. */
#include "worker/internal.h"

#include "base/assert.h"
#include "base/memory.h"
#include "operators/detector.h"

#include <stdio.h>

enum {
    READER_NAME_SIZE = 160,
    RING_COMMITS = 2,
    RING_JOBS_EXTRA = 16, /* beside one per task: start, retire, housekeeping */
    RING_ARRIVALS = MR_LANE_TASKS_MAX,
    BATCH_ARENA_CHUNK_BYTES = 1 << 20
};

struct mr_lane *mr_lane_create(struct mr_worker *worker, struct mr_running *running,
                               uint32_t thread_index)
{
    struct mr_lane *lane = mr_memory_new(1, sizeof(*lane));
    const struct mr_plan *plan = running->deployment->plan;
    lane->worker = worker;
    lane->running = running;
    lane->deployment = running->deployment;
    lane->log = worker->open.log;
    lane->thread_index = thread_index;
    lane->phase = MR_LANE_STOPPED;
    lane->evaluator = mr_evaluator_create();
    lane->series = mr_memory_new(plan->nodes_count, sizeof(*lane->series));
    for (uint32_t index = 0; index < plan->nodes_count; index++)
        mr_series_open(worker->open.metrics, plan->name, plan->nodes[index].name,
                       &lane->series[index]);
    lane->detector_series = mr_memory_new(plan->nodes_count, sizeof(*lane->detector_series));
    for (uint32_t index = 0; index < plan->nodes_count; index++)
        if (mr_type_is_controlled(plan->nodes[index].type))
            mr_detector_series_open(worker->open.metrics, plan->name, plan->nodes[index].name,
                                    mr_detector_states, &lane->detector_series[index]);
    mr_lane_series_open(worker->open.metrics, plan->name, &lane->lane_series);
    lane->open = mr_transaction_create();
    lane->spare = mr_transaction_create();
    mr_arena_init(&lane->batch_arena, BATCH_ARENA_CHUNK_BYTES);
    lane->commits = mr_ring_create(RING_COMMITS);
    lane->commits_done = mr_ring_create(RING_COMMITS);
    lane->jobs_done = mr_ring_create(MR_LANE_TASKS_MAX + RING_JOBS_EXTRA);
    lane->arrivals = mr_ring_create(RING_ARRIVALS);
    atomic_store(&lane->lag, -1);
    return lane;
}

static uint32_t inputs_of(const struct mr_lane *lane, uint32_t subtopology)
{
    const struct mr_plan_subtopology *planned = &lane->deployment->plan->subtopologies[subtopology];
    uint32_t count = planned->repartitions_count;
    for (uint32_t index = 0; index < planned->sources_count; index++) {
        const struct mr_deployed_node *node = &lane->deployment->nodes[planned->sources[index]];
        bool whole = lane->deployment->plan->nodes[planned->sources[index]].is_broadcast;
        for (uint32_t topic = 0; topic < node->topics_count; topic++)
            count += whole ? (uint32_t)node->topics[topic].partitions_count : 1;
        count += node->topics_count == 0;
    }
    return count;
}

/* The task's own partition of a topic; of a table that every task reads, all of them. */
static void add_topic_inputs(struct mr_task *task, const struct mr_plan_node *node,
                             const struct mr_deployed_topic *topic)
{
    int32_t first = node->is_broadcast ? 0 : task->partition;
    int32_t end = node->is_broadcast ? topic->partitions_count : task->partition + 1;
    for (int32_t partition = first; partition < end && partition < topic->partitions_count;
         partition++)
        task->inputs[task->inputs_count++] = (struct mr_task_input){.kind = MR_INPUT_LOG,
                                                                    .node = node->index,
                                                                    .broadcast = node->is_broadcast,
                                                                    .topic = topic->name,
                                                                    .topic_id = topic->topic_id,
                                                                    .partition = partition};
}

static void add_source_inputs(struct mr_task *task, uint32_t node_index)
{
    const struct mr_deployment *deployment = task->lane->deployment;
    const struct mr_plan_node *node = &deployment->plan->nodes[node_index];
    const struct mr_deployed_node *deployed = &deployment->nodes[node_index];
    if ((node->type->flags & MR_TYPE_LOG) == 0) {
        if (task->partition >= deployed->partitions_count && !node->is_broadcast)
            return;
        bool generator = (node->type->flags & MR_TYPE_GENERATOR) != 0;
        task->inputs[task->inputs_count++] = (struct mr_task_input){
            .kind = generator ? MR_INPUT_GENERATOR : MR_INPUT_CONNECTOR,
            .node = node_index,
            .topic = node->name,
            .partition = node->is_broadcast ? 0 : task->partition,
            .connector = generator ? NULL : mr_connector_find(MR_ROLE_SOURCE, node->type->name)};
        return;
    }
    for (uint32_t index = 0; index < deployed->topics_count; index++)
        add_topic_inputs(task, node, &deployed->topics[index]);
}

static void add_inputs(struct mr_task *task)
{
    const struct mr_deployment *deployment = task->lane->deployment;
    const struct mr_plan_subtopology *planned = &deployment->plan->subtopologies[task->subtopology];
    task->inputs =
        mr_memory_new(inputs_of(task->lane, task->subtopology) + 1, sizeof(*task->inputs));
    for (uint32_t index = 0; index < planned->sources_count; index++)
        add_source_inputs(task, planned->sources[index]);
    for (uint32_t index = 0; index < planned->repartitions_count; index++) {
        uint32_t repartition = planned->repartitions[index];
        const struct mr_deployed_topic *topic = &deployment->repartitions[repartition];
        if (task->partition < topic->partitions_count)
            task->inputs[task->inputs_count++] =
                (struct mr_task_input){.kind = MR_INPUT_LOG,
                                       .node = deployment->plan->repartitions[repartition].consumer,
                                       .repartition = true,
                                       .repartition_index = repartition,
                                       .topic = topic->name,
                                       .topic_id = topic->topic_id,
                                       .partition = task->partition};
    }
}

/* What metrics call an input: the source, or the repartition. */
static const char *input_name(const struct mr_lane *lane, const struct mr_task_input *input)
{
    const struct mr_plan *plan = lane->deployment->plan;
    return input->repartition ? plan->repartitions[input->repartition_index].name
                              : plan->nodes[input->node].name;
}

struct mr_task *mr_lane_make_task(struct mr_lane *lane, uint32_t subtopology, int32_t partition)
{
    struct mr_task *task = mr_task_create(lane, subtopology, partition);
    add_inputs(task);
    for (uint32_t index = 0; index < task->inputs_count; index++) {
        struct mr_task_input *input = &task->inputs[index];
        mr_input_series_open(lane->worker->open.metrics, lane->deployment->plan->name,
                             input_name(lane, input),
                             input->broadcast ? input->partition : partition, &input->series);
    }
    mr_task_series_open(lane->worker->open.metrics, lane->deployment->plan->name,
                        lane->deployment->plan->subtopologies[subtopology].name, partition,
                        &task->time_series);
    if (lane->deployment->plan->subtopologies[subtopology].stateful)
        mr_store_series_open(lane->worker->open.metrics, lane->deployment->plan->name,
                             lane->deployment->plan->subtopologies[subtopology].name, partition,
                             &task->series);
    return task;
}

enum mr_status mr_lane_tell_passed(struct mr_lane *lane, int32_t task_partition,
                                   const struct mr_task_input *input, int64_t offset,
                                   struct mr_error *error)
{
    const struct mr_log_ops *ops = lane->log->ops;
    const struct mr_plan *plan = lane->deployment->plan;
    char reader[READER_NAME_SIZE];
    if (ops->readers_passed == NULL || input->kind != MR_INPUT_LOG)
        return MR_OK;
    if (input->repartition)
        return ops->records_delete(lane->log, input->topic, input->partition, offset, error);
    if (input->broadcast)
        (void)snprintf(reader, sizeof(reader), "%s/%s/%d", plan->name,
                       plan->nodes[input->node].name, task_partition);
    else
        (void)snprintf(reader, sizeof(reader), "%s/%s", plan->name, plan->nodes[input->node].name);
    return ops->readers_passed(lane->log, input->topic, input->partition, reader, offset, error);
}

static enum mr_status create_consumer(struct mr_lane *lane, struct mr_error *error)
{
    const struct mr_plan *plan = lane->deployment->plan;
    bool reads_log = plan->repartitions_count > 0;
    for (uint32_t index = 0; index < plan->nodes_count; index++)
        reads_log = reads_log || (plan->nodes[index].type->role == MR_ROLE_SOURCE &&
                                  (plan->nodes[index].type->flags & MR_TYPE_LOG) != 0);
    if (!reads_log)
        return MR_OK;
    struct mr_log_consumer_options options = {.end_of_partition = true,
                                              .queued_bytes_max = MR_CONSUMER_QUEUE_BYTES,
                                              .settings = lane->running->consumer_settings};
    return lane->log->ops->consumer_create(lane->log, &options, &lane->consumer, error);
}

/* The lane has one consumer: the smallest batch and the longest wait that its sources ask for. */
static void set_batching(struct mr_lane *lane)
{
    const struct mr_plan *plan = lane->deployment->plan;
    lane->poll_records_max = MR_LIMIT_BATCH_ROWS;
    for (uint32_t index = 0; index < plan->nodes_count; index++) {
        const struct mr_plan_node *node = &plan->nodes[index];
        if (node->type->role != MR_ROLE_SOURCE || (node->type->flags & MR_TYPE_LOG) == 0)
            continue;
        const struct mr_option_value *batch = mr_options_get(&node->options, "batch");
        if (!batch->present || batch->objects == NULL)
            continue;
        uint32_t records = (uint32_t)mr_options_integer(batch->objects, "max_records");
        uint32_t wait_ms = (uint32_t)mr_options_integer(batch->objects, "max_wait");
        if (records < lane->poll_records_max)
            lane->poll_records_max = records;
        /* A bounded run does not wait for more: it would end meanwhile. */
        if (wait_ms > lane->poll_pause_ms && !lane->worker->open.until_end)
            lane->poll_pause_ms = wait_ms;
    }
}

enum mr_status mr_lane_start(struct mr_lane *lane, struct mr_error *error)
{
    enum mr_status status =
        mr_writer_init(&lane->writer, lane->log, lane->deployment, lane->evaluator, error);
    if (status == MR_OK)
        status = create_consumer(lane, error);
    if (status != MR_OK)
        return status;
    lane->writer.transaction = lane->open;
    set_batching(lane);
    int failed = pthread_create(&lane->committer, NULL, mr_committer_main, lane);
    if (failed != 0)
        return MR_FAIL_ERRNO(error, failed, MR_RECOVERY_EXIT, "A committer thread");
    lane->committer_started = true;
    lane->phase = MR_LANE_IDLE; /* its first task begins the first incarnation */
    return MR_OK;
}

void mr_lane_dispose(struct mr_lane *lane)
{
    MR_ASSERT(lane->phase == MR_LANE_STOPPED);
    if (lane->committer_started) {
        mr_ring_close(lane->commits);
        (void)pthread_join(lane->committer, NULL);
    }
    if (lane->consumer != NULL)
        lane->log->ops->consumer_destroy(lane->consumer);
    for (uint32_t index = 0; index < lane->deployment->plan->nodes_count; index++)
        mr_series_close(lane->worker->open.metrics, &lane->series[index]);
    for (uint32_t index = 0; index < lane->deployment->plan->nodes_count; index++)
        mr_detector_series_close(lane->worker->open.metrics, &lane->detector_series[index]);
    mr_lane_series_close(lane->worker->open.metrics, &lane->lane_series);
    mr_writer_deinit(&lane->writer);
    mr_transaction_destroy(lane->open);
    mr_transaction_destroy(lane->spare);
    mr_evaluator_destroy(lane->evaluator);
    mr_arena_deinit(&lane->batch_arena);
    mr_ring_destroy(lane->commits);
    mr_ring_destroy(lane->commits_done);
    mr_ring_destroy(lane->jobs_done);
    mr_ring_destroy(lane->arrivals);
    mr_memory_free(lane->series);
    mr_memory_free(lane->detector_series);
    mr_memory_free(lane->tasks);
    mr_memory_free(lane->slots);
}
