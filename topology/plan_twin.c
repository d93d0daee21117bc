/* topology/plan_twin.c — the second input of types that compare two streams (MR_TYPE_TWIN).
 * Design: records of both inputs are about the same things: `key` and `fields` are read of each, by
 * the same paths, wherever that input's layout has them. */
#include "topology/planner.h"

enum { TWIN = 1 };

bool mr_planner_twins(const struct mr_node_draft *node)
{
    return node->entry->type != NULL && (node->entry->type->flags & MR_TYPE_TWIN) != 0 &&
           node->graph->inputs_count > TWIN;
}

void mr_planner_twin(struct mr_planner *planner, struct mr_node_draft *node)
{
    if (!mr_planner_twins(node) || node->inputs[TWIN].view->unknown)
        return;
    const struct mr_record_view *view = node->inputs[TWIN].view;
    const struct mr_option_value *key = mr_definition_value(node->entry, "key");
    const struct mr_option_value *fields = mr_definition_value(node->entry, "fields");
    struct mr_plan_twin *twin = mr_arena_new(planner->arena, 1, sizeof(*twin));
    twin->key = (struct mr_plan_key){.given = true, .global = true};
    if (key != NULL && key->count > 0 &&
        !mr_planner_bind_key(planner, view, "key", key, &twin->key))
        return;
    if (fields == NULL || !fields->present)
        return;
    uint32_t *slots = mr_arena_new(planner->arena, fields->count, sizeof(*slots));
    for (uint32_t field = 0; field < fields->count; field++) {
        struct mr_resolution resolution;
        struct mr_error error = {0};
        if (mr_view_resolve_path(planner, view, &fields->paths[field], true, &resolution, &error) !=
            MR_RESOLVED_FINE) {
            mr_report_add(planner->report, MR_SEVERITY_ERROR,
                          fields->locations == NULL ? fields->location : fields->locations[field],
                          "'fields', of the input '%s': %s", node->graph->inputs[TWIN].option,
                          error.message);
            return;
        }
        slots[field] = resolution.slot;
    }
    twin->slots = slots;
    node->plan->twin = twin;
}
