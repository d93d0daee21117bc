/* topology/plan_warm.c — `warm_from`: a detector that learns from history before it goes live.
 * Design: history is what the sources behind the detector have kept. Where such a source has no
 * progress it starts so far back as the detector that wants most of it says; so `start`, which says
 * where by other means, cannot be given too. The detector itself tells history from the present by
 * the moment at which its task first began (operators/operator.h, began_ms). */
#include "topology/planner.h"

static const struct mr_options *warm_from(const struct mr_node_draft *node)
{
    const struct mr_option_value *value = mr_definition_value(node->entry, "warm_from");
    return value == NULL || !value->present ? NULL : &value->objects[0];
}

/* A source of the detector: how far back it starts, or why it cannot. */
static void start_back(struct mr_planner *planner, const struct mr_node_draft *detector,
                       struct mr_node_draft *source)
{
    const struct mr_definition_entry *entry = source->entry;
    struct mr_location location = mr_definition_value(detector->entry, "warm_from")->location;
    const struct mr_option_value *start = mr_definition_value(entry, "start");
    if ((entry->type->flags & MR_TYPE_LOG) == 0) {
        mr_report_add(planner->report, MR_SEVERITY_ERROR, location,
                      "'warm_from' reads what its sources have kept, and '%s' (%s) cannot be read "
                      "from a time on: only topics (type: kafka) can",
                      entry->name, entry->type->name);
        return;
    }
    if (start != NULL && start->given) {
        mr_report_add(planner->report, MR_SEVERITY_ERROR, start->location,
                      "the source '%s' starts where 'warm_from' of '%s' says: leave out 'start'",
                      entry->name, detector->entry->name);
        return;
    }
    int64_t since_ms = mr_options_integer(warm_from(detector), "since");
    if (since_ms > source->plan->history_ms)
        source->plan->history_ms = since_ms;
}

static void visit(struct mr_planner *planner, const struct mr_node_draft *detector, uint32_t index,
                  bool *visited)
{
    struct mr_node_draft *node = &planner->nodes[index];
    if (visited[index] || node->entry->type == NULL)
        return;
    visited[index] = true;
    if (node->entry->role == MR_ROLE_SOURCE && !node->plan->is_table)
        start_back(planner, detector, node);
    for (uint32_t i = 0; i < node->graph->inputs_count; i++) {
        const struct mr_graph_input *input = &node->graph->inputs[i];
        /* What was ordered in the past is over. */
        if (input->known && strcmp(input->option, "control") != 0)
            visit(planner, detector, input->producer, visited);
    }
}

void mr_planner_warm(struct mr_planner *planner)
{
    uint32_t count = planner->graph->nodes_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct mr_node_draft *node = &planner->nodes[i];
        if (node->entry->type != NULL && warm_from(node) != NULL)
            visit(planner, node, i, mr_arena_new(planner->arena, count, sizeof(bool)));
    }
}
