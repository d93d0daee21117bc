/* worker/reach.c — see reach.h. */
#include "worker/reach.h"

#include "base/memory.h"
#include "operators/operator.h"

struct reach {
    const struct mr_plan *plan;
    int64_t *open_ms; /* by node: with what is behind it; -1: not known yet */
};

static int64_t open_from(struct reach *reach, uint32_t node);

static int64_t longer_over(struct reach *reach, const struct mr_plan_edge *edges,
                           uint32_t edges_count, int64_t longest_ms)
{
    for (uint32_t index = 0; index < edges_count; index++) {
        int64_t open_ms = open_from(reach, edges[index].consumer);
        longest_ms = open_ms > longest_ms ? open_ms : longest_ms;
    }
    return longest_ms;
}

/* The longest way behind the node, without its own share. */
static int64_t behind(struct reach *reach, uint32_t node)
{
    const struct mr_plan_node *planned = &reach->plan->nodes[node];
    int64_t longest_ms = 0;
    for (uint32_t output = 0; output < planned->outputs_count; output++)
        longest_ms = longer_over(reach, planned->outputs[output].edges,
                                 planned->outputs[output].edges_count, longest_ms);
    for (uint32_t index = 0; index < reach->plan->repartitions_count; index++) {
        const struct mr_plan_repartition *repartition = &reach->plan->repartitions[index];
        if (repartition->producer == node)
            longest_ms =
                longer_over(reach, repartition->edges, repartition->edges_count, longest_ms);
    }
    return longest_ms;
}

/* The graph has no circles. Its depth is bounded by MR_LIMIT_TOPOLOGY_NODES. */
static int64_t open_from(struct reach *reach, uint32_t node)
{
    const struct mr_plan_node *planned = &reach->plan->nodes[node];
    if (reach->open_ms[node] >= 0)
        return reach->open_ms[node];
    int64_t open_ms = behind(reach, node);
    const struct mr_operator_type *type =
        mr_operator_find(planned->type->role, planned->type->name);
    if (type != NULL && type->reach != NULL)
        open_ms += type->reach(planned).open_ms;
    reach->open_ms[node] = open_ms;
    return open_ms;
}

int64_t mr_reach_open_ms(const struct mr_plan *plan, uint32_t node)
{
    struct reach reach = {.plan = plan,
                          .open_ms = mr_memory_new(plan->nodes_count, sizeof(int64_t))};
    for (uint32_t index = 0; index < plan->nodes_count; index++)
        reach.open_ms[index] = -1;
    int64_t open_ms = behind(&reach, node);
    mr_memory_free(reach.open_ms);
    return open_ms;
}
