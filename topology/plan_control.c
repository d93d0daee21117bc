/* topology/plan_control.c — the input `control` of detectors (DESIGN 2.1 rule 13).
 * Design: a control record is about one key, whose text is its field `key`; grouped by that field
 * its bytes are those of the detector's own key, so that both meet in one task. A detector that is
 * one group for the whole stream gets all of them. */
#include "topology/planner.h"

#include "base/assert.h"

enum { CONTROL = 1 };

static const struct mr_path_step key_steps[] = {{.name = "key", .name_size = 3}};
static const struct mr_path key_path = {.text = "key", .steps = key_steps, .steps_count = 1};
static const char *const key_texts[] = {"key"};
static const struct mr_option_value key_field = {
    .given = true, .present = true, .count = 1, .texts = key_texts, .paths = &key_path};

static bool has_control(const struct mr_node_draft *node)
{
    return node->entry->type != NULL && mr_type_is_controlled(node->entry->type) &&
           node->graph->inputs_count > CONTROL;
}

const struct mr_option_value *mr_planner_control_key(const struct mr_node_draft *node,
                                                     uint32_t input)
{
    if (input != CONTROL || !has_control(node))
        return NULL;
    const struct mr_option_value *key = mr_definition_value(node->entry, "key");
    return key != NULL && key->count == 0 ? key : &key_field;
}

/* A field that records may lack; action they may not. */
static uint32_t field_slot(struct mr_planner *planner, const struct mr_node_draft *node,
                           const char *name, bool required)
{
    struct mr_path path = mr_planner_name_path(planner, name);
    struct mr_resolution resolution;
    struct mr_error error = {0};
    if (mr_view_resolve_path(planner, node->inputs[CONTROL].view, &path, true, &resolution,
                             &error) == MR_RESOLVED_FINE)
        return resolution.slot;
    if (required)
        mr_report_add(planner->report, MR_SEVERITY_ERROR, node->graph->inputs[CONTROL].location,
                      "'control': %s", error.message);
    return MR_SLOT_NONE;
}

void mr_planner_control(struct mr_planner *planner, struct mr_node_draft *node)
{
    if (!has_control(node) || node->inputs[CONTROL].view->unknown)
        return;
    const struct mr_option_value *scope = mr_definition_value(node->entry, "scope");
    if (scope != NULL && scope->text != NULL && strcmp(scope->text, "partition") == 0) {
        mr_report_add(planner->report, MR_SEVERITY_ERROR, node->graph->inputs[CONTROL].location,
                      "'control' needs a key that says which task has it: leave out scope: "
                      "partition");
        return;
    }
    const struct mr_option_value *key = mr_planner_control_key(node, CONTROL);
    struct mr_plan_control *control = mr_arena_new(planner->arena, 1, sizeof(*control));
    control->key = (struct mr_plan_key){.given = true, .global = true};
    if (key->count > 0 &&
        !mr_planner_bind_key(planner, node->inputs[CONTROL].view, "control", key, &control->key))
        return;
    bool has_places = (node->entry->type->flags & MR_TYPE_PLACES) != 0;
    for (uint32_t field = 0; field < MR_CONTROL_COUNT; field++)
        control->slots[field] = MR_SLOT_NONE;
    control->slots[MR_CONTROL_OPERATOR] = field_slot(planner, node, "operator", false);
    control->slots[MR_CONTROL_ACTION] = field_slot(planner, node, "action", true);
    if (has_places) {
        control->slots[MR_CONTROL_LAYER] = field_slot(planner, node, "layer", false);
        control->slots[MR_CONTROL_FROM] = field_slot(planner, node, "from", false);
        control->slots[MR_CONTROL_TO] = field_slot(planner, node, "to", false);
    } else {
        control->slots[MR_CONTROL_UNTIL] = field_slot(planner, node, "until", false);
    }
    node->plan->control = control;
}
