/* topology/plan_publish.c — learners that publish what they know on an output `models`, and mergers
 * that read it.
 * Design: a learner and its merger are two operators with an ordinary edge between them, through a
 * repartition where their keys differ: what is said here is only that neither is there without the
 * other, and where a merger finds the fields that it needs. */
#include "topology/planner.h"

#include <string.h>

#include "base/assert.h"

static const char output_name[] = "models";

const char *const mr_plan_snapshot_fields[MR_PLAN_SNAPSHOT_FIELDS_COUNT] = {
    "learner", "blocks", "part", "parts", "snapshot"};

/* The number of the type's output; outputs_count: it has none. */
static uint32_t output_of(const struct mr_type_spec *type)
{
    uint32_t output = 0;
    while (output < type->outputs_count && strcmp(type->outputs[output].name, output_name) != 0)
        output++;
    return output;
}

/* Where the output is read first; NULL: nowhere. */
static const struct mr_graph_input *reader_of(const struct mr_planner *planner,
                                              const struct mr_node_draft *node, uint32_t output)
{
    for (uint32_t i = 0; i < planner->graph->nodes_count; i++) {
        const struct mr_graph_node *reader = &planner->graph->nodes[i];
        for (uint32_t j = 0; j < reader->inputs_count; j++)
            if (reader->inputs[j].known && reader->inputs[j].producer == node->plan->index &&
                reader->inputs[j].output == output)
                return &reader->inputs[j];
    }
    return NULL;
}

void mr_planner_publish(struct mr_planner *planner, const struct mr_node_draft *node)
{
    const struct mr_definition_entry *entry = node->entry;
    const struct mr_option_value *publish = mr_definition_value(entry, "publish");
    uint32_t output = output_of(entry->type);
    if (output == entry->type->outputs_count || publish == NULL)
        return;
    const struct mr_graph_input *reader = reader_of(planner, node, output);
    if (publish->given && reader == NULL)
        mr_report_add(planner->report, MR_SEVERITY_ERROR, publish->location,
                      "'publish' tells what is known on '%s.models', and nobody reads that: name "
                      "it in a model.merge, or leave the option out",
                      entry->name);
    if (!publish->given && reader != NULL)
        mr_report_add(planner->report, MR_SEVERITY_ERROR, reader->location,
                      "'%s.models' has no records: '%s' publishes nothing unless it says publish: "
                      "{}",
                      entry->name, entry->name);
    const struct mr_plan_node *plan = node->plan;
    bool drops =
        plan->state_ttl_ms > 0 ||
        ((plan->state_keys_max > 0 || plan->state_bytes_max > 0) && !plan->state_full_fails);
    if (publish->given && drops)
        mr_report_add(planner->report, MR_SEVERITY_ERROR, publish->location,
                      "'publish': a model that 'state' drops would begin again below what was "
                      "published of it: leave 'ttl' out, and say on_full: fail");
}

static bool is_present(const struct mr_definition_entry *entry, const char *option)
{
    const struct mr_option_value *value = mr_definition_value(entry, option);
    return value != NULL && value->present;
}

/* What a learner tells is not under its `privacy`: who asked for it there means the model, too. */
static void check_privacy(struct mr_planner *planner, const struct mr_node_draft *node)
{
    const struct mr_graph_input *input = &node->graph->inputs[0];
    const struct mr_definition_entry *learner = planner->nodes[input->producer].entry;
    if (input->known && learner->type != NULL && is_present(learner, "privacy") &&
        !is_present(node->entry, "privacy"))
        mr_report_add(planner->report, MR_SEVERITY_ERROR, input->location,
                      "'%s' has 'privacy', which holds for the records that it makes, and '%s' "
                      "would publish its model without: say privacy: {} there, too",
                      learner->name, node->entry->name);
}

void mr_planner_snapshots(struct mr_planner *planner, struct mr_node_draft *node)
{
    if ((node->entry->type->flags & MR_TYPE_TAKES_SNAPSHOTS) == 0 || node->inputs[0].view->unknown)
        return;
    check_privacy(planner, node);
    uint32_t *slots = mr_arena_new(planner->arena, MR_PLAN_SNAPSHOT_FIELDS_COUNT, sizeof(*slots));
    for (uint32_t field = 0; field < MR_PLAN_SNAPSHOT_FIELDS_COUNT; field++) {
        struct mr_path path = mr_planner_name_path(planner, mr_plan_snapshot_fields[field]);
        struct mr_resolution resolution;
        struct mr_error error = {0};
        if (mr_view_resolve_path(planner, node->inputs[0].view, &path, true, &resolution, &error) !=
            MR_RESOLVED_FINE) {
            mr_report_add(planner->report, MR_SEVERITY_ERROR, node->graph->inputs[0].location,
                          "the records of '%s' have no field '%s': '%s' reads what learners "
                          "publish, as in from: LEARNER.models",
                          node->graph->inputs[0].text, mr_plan_snapshot_fields[field],
                          node->entry->name);
            return;
        }
        slots[field] = resolution.slot;
    }
    node->plan->snapshot_slots = slots;
}
