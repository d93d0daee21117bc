/* coordinator/binding.c — deployments written down by name. */
#include "coordinator/binding.h"

static struct mr_bound_topic bind_topic(const struct mr_deployed_topic *topic)
{
    return (struct mr_bound_topic){.name = topic->name != NULL ? topic->name : "",
                                   .topic_id = topic->topic_id != NULL ? topic->topic_id : "",
                                   .partitions_count = topic->partitions_count,
                                   .message_bytes_max = topic->message_bytes_max,
                                   .delete_retention_ms = topic->delete_retention_ms};
}

static struct mr_bound_node bind_node(const char *name, const struct mr_deployed_topic *topics,
                                      uint32_t topics_count, int32_t partitions_count,
                                      struct mr_arena *arena)
{
    struct mr_bound_topic *bound = mr_arena_new(arena, topics_count + 1u, sizeof(*bound));
    for (uint32_t index = 0; index < topics_count; index++)
        bound[index] = bind_topic(&topics[index]);
    return (struct mr_bound_node){.name = name,
                                  .partitions_count = partitions_count,
                                  .topics = bound,
                                  .topics_count = topics_count};
}

static void bind_nodes(const struct mr_deployment *deployment, struct mr_arena *arena,
                       struct mr_binding *binding)
{
    const struct mr_plan *plan = deployment->plan;
    struct mr_bound_node *nodes = mr_arena_new(arena, plan->nodes_count + 1u, sizeof(*nodes));
    for (uint32_t index = 0; index < plan->nodes_count; index++) {
        const struct mr_deployed_node *node = &deployment->nodes[index];
        if (node->topics_count > 0 || node->partitions_count > 0)
            nodes[binding->nodes_count++] =
                bind_node(plan->nodes[index].name, node->topics, node->topics_count,
                          node->partitions_count, arena);
    }
    binding->nodes = nodes;
}

void mr_binding_make(const struct mr_deployment *deployment, struct mr_arena *arena,
                     struct mr_binding *binding)
{
    const struct mr_plan *plan = deployment->plan;
    *binding = (struct mr_binding){.cluster_id = deployment->cluster_id,
                                   .subtopologies_count = plan->subtopologies_count,
                                   .repartitions_count = plan->repartitions_count,
                                   .dead_letters = bind_topic(&deployment->dead_letters),
                                   .claims = bind_topic(&deployment->claims)};
    bind_nodes(deployment, arena, binding);
    struct mr_bound_subtopology *subtopologies =
        mr_arena_new(arena, plan->subtopologies_count + 1u, sizeof(*subtopologies));
    for (uint32_t index = 0; index < plan->subtopologies_count; index++) {
        const struct mr_deployed_subtopology *deployed = &deployment->subtopologies[index];
        subtopologies[index] =
            (struct mr_bound_subtopology){.name = plan->subtopologies[index].name,
                                          .tasks_count = deployed->tasks_count,
                                          .tasks_before = deployed->tasks_before,
                                          .log_topic = bind_topic(&deployed->log_topic),
                                          .stateful = plan->subtopologies[index].stateful};
    }
    struct mr_bound_node *repartitions =
        mr_arena_new(arena, plan->repartitions_count + 1u, sizeof(*repartitions));
    for (uint32_t index = 0; index < plan->repartitions_count; index++)
        repartitions[index] =
            bind_node(plan->repartitions[index].name, &deployment->repartitions[index], 1,
                      deployment->repartitions[index].partitions_count, arena);
    binding->subtopologies = subtopologies;
    binding->repartitions = repartitions;
}

const struct mr_bound_subtopology *mr_binding_subtopology(const struct mr_binding *binding,
                                                          const char *name)
{
    for (uint32_t index = 0; index < binding->subtopologies_count; index++)
        if (strcmp(binding->subtopologies[index].name, name) == 0)
            return &binding->subtopologies[index];
    return NULL;
}

const struct mr_bound_node *mr_binding_node(const struct mr_binding *binding, const char *name)
{
    for (uint32_t index = 0; index < binding->nodes_count; index++)
        if (strcmp(binding->nodes[index].name, name) == 0)
            return &binding->nodes[index];
    return NULL;
}

void mr_binding_keep(struct mr_binding *binding, const struct mr_binding *before,
                     struct mr_arena *arena)
{
    struct mr_bound_subtopology *kept =
        mr_arena_new(arena, binding->subtopologies_count + 1u, sizeof(*kept));
    for (uint32_t index = 0; index < binding->subtopologies_count; index++) {
        kept[index] = binding->subtopologies[index];
        const struct mr_bound_subtopology *old = mr_binding_subtopology(before, kept[index].name);
        if (old != NULL && kept[index].tasks_before == 0 &&
            old->tasks_count == kept[index].tasks_count)
            kept[index].tasks_before = old->tasks_before;
    }
    binding->subtopologies = kept;
}

uint32_t mr_binding_tasks_count(const struct mr_binding *binding)
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < binding->subtopologies_count; index++)
        count += (uint32_t)binding->subtopologies[index].tasks_count;
    return count;
}

static bool topics_equal(const struct mr_bound_topic *left, const struct mr_bound_topic *right)
{
    return strcmp(left->name, right->name) == 0 && strcmp(left->topic_id, right->topic_id) == 0 &&
           left->partitions_count == right->partitions_count;
}

static bool nodes_equal(const struct mr_bound_node *left, const struct mr_bound_node *right)
{
    bool equal = strcmp(left->name, right->name) == 0 &&
                 left->partitions_count == right->partitions_count &&
                 left->topics_count == right->topics_count;
    for (uint32_t index = 0; equal && index < left->topics_count; index++)
        equal = topics_equal(&left->topics[index], &right->topics[index]);
    return equal;
}

bool mr_binding_equal(const struct mr_binding *left, const struct mr_binding *right)
{
    bool equal = left->nodes_count == right->nodes_count &&
                 left->subtopologies_count == right->subtopologies_count &&
                 left->repartitions_count == right->repartitions_count &&
                 strcmp(left->cluster_id, right->cluster_id) == 0;
    for (uint32_t index = 0; equal && index < left->nodes_count; index++)
        equal = nodes_equal(&left->nodes[index], &right->nodes[index]);
    for (uint32_t index = 0; equal && index < left->repartitions_count; index++)
        equal = nodes_equal(&left->repartitions[index], &right->repartitions[index]);
    for (uint32_t index = 0; equal && index < left->subtopologies_count; index++)
        equal = strcmp(left->subtopologies[index].name, right->subtopologies[index].name) == 0 &&
                left->subtopologies[index].tasks_count == right->subtopologies[index].tasks_count &&
                topics_equal(&left->subtopologies[index].log_topic,
                             &right->subtopologies[index].log_topic);
    return equal;
}
