/* tests/unit/worker/query_fixture.c — tasks with state in a query registry. */
#include "tests/unit/worker/query_fixture.h"

static void open_task(struct query_task *task, struct mr_query_registry *registry,
                      int32_t partition, int32_t partitions_count, bool standby)
{
    struct mr_query_task registered = {.topology = "sensors",
                                       .generation = 1,
                                       .plan = task->harness.plan,
                                       .subtopology = task->harness.node->subtopology,
                                       .partition = partition,
                                       .partitions_count = partitions_count,
                                       .standby = standby,
                                       .state = task->harness.state};
    task->entry = mr_query_register(registry, &registered);
}

void query_task_open(struct query_task *task, struct mr_query_registry *registry, int32_t partition,
                     int32_t partitions_count, bool standby)
{
    harness_open(&task->harness,
                 "    - {name: spikes, type: detect.zscore, from: in, key: [k], field: value}\n",
                 "", "spikes");
    open_task(task, registry, partition, partitions_count, standby);
}

void query_task_open_node(struct query_task *task, struct mr_query_registry *registry,
                          const char *operators, const char *node)
{
    harness_open(&task->harness, operators, "", node);
    open_task(task, registry, 0, 1, false);
}

void query_task_feed(struct query_task *task, const char *key, double value)
{
    struct harness_row row = harness_row(0, key, mr_value_double(value));
    harness_feed(&task->harness, 0, &row, 1);
    harness_commit(&task->harness);
}

void query_task_close(struct query_task *task)
{
    mr_query_unregister(task->entry);
    harness_close(&task->harness);
}
