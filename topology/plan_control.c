/* topology/plan_control.c — the inputs `control` of detectors and `alerts` of those who judge them
 * (DESIGN 2.1 rule 13).
 * Design: a control record, and an alert, is about one key, whose text is its field `key`; grouped
 * by that field its bytes are those of the operator's own key, so that both meet in one task. An
 * operator that is one group for the whole stream gets all of them. */
#include "topology/planner.h"

#include "base/assert.h"

enum { CONTROL = 1 };

static const struct mr_path_step key_steps[] = {{.name = "key", .name_size = 3}};
static const struct mr_path key_path = {.text = "key", .steps = key_steps, .steps_count = 1};
static const char *const key_texts[] = {"key"};
static const struct mr_option_value key_field = {
    .given = true, .present = true, .count = 1, .texts = key_texts, .paths = &key_path};

static bool has_alerts(const struct mr_node_draft *node)
{
    return node->entry->type != NULL && (node->entry->type->flags & MR_TYPE_TAKES_ALERTS) != 0 &&
           node->graph->inputs_count > CONTROL;
}

static bool has_control(const struct mr_node_draft *node)
{
    return node->entry->type != NULL && mr_type_is_controlled(node->entry->type) &&
           node->graph->inputs_count > CONTROL;
}

const struct mr_option_value *mr_planner_control_key(const struct mr_node_draft *node,
                                                     uint32_t input)
{
    if (input != CONTROL || (!has_control(node) && !has_alerts(node)))
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
                      "'%s': %s", node->graph->inputs[CONTROL].option, error.message);
    return MR_SLOT_NONE;
}

/* The key of the second input's records. False: it was reported. */
static bool bind_key(struct mr_planner *planner, struct mr_node_draft *node,
                     struct mr_plan_key *plan_key)
{
    const char *option = node->graph->inputs[CONTROL].option;
    const struct mr_option_value *scope = mr_definition_value(node->entry, "scope");
    if (scope != NULL && scope->text != NULL && strcmp(scope->text, "partition") == 0) {
        mr_report_add(planner->report, MR_SEVERITY_ERROR, node->graph->inputs[CONTROL].location,
                      "'%s' needs a key that says which task has it: leave out scope: partition",
                      option);
        return false;
    }
    const struct mr_option_value *key = mr_planner_control_key(node, CONTROL);
    *plan_key = (struct mr_plan_key){.given = true, .global = true};
    return key->count == 0 ||
           mr_planner_bind_key(planner, node->inputs[CONTROL].view, option, key, plan_key);
}

/* What is flagged comes from a field of the records, `detection`, or from alerts, never both; and
 * an alert says one key, which is that of the series where `series` tells them apart. */
static bool check_alerts(struct mr_planner *planner, const struct mr_node_draft *node)
{
    const struct mr_definition_entry *entry = node->entry;
    const struct mr_option_value *detection = mr_definition_value(entry, "detection");
    const struct mr_option_value *series = mr_definition_value(entry, "series");
    const struct mr_option_value *key = mr_definition_value(entry, "key");
    bool is_flagged = detection != NULL && detection->present;
    bool is_told = has_alerts(node);
    if (is_flagged == is_told) {
        mr_report_add(
            planner->report, MR_SEVERITY_ERROR, is_flagged ? detection->location : entry->location,
            is_flagged ? "'%s' has both 'detection' and 'alerts': records are flagged by a "
                         "field of theirs or by alerts; leave one out"
                       : "'%s' does not say what is flagged: say detection: "
                         "anomaly.is_anomaly, the field that a detector sets, or alerts: "
                         "NAME.alerts",
            entry->name);
        return false;
    }
    if (is_told && series != NULL && series->present && key != NULL && key->count > 0) {
        mr_report_add(planner->report, MR_SEVERITY_ERROR, series->location,
                      "'%s' has 'alerts', which say one key: leave out 'series', or say key: [] "
                      "so that the key of an alert is that of a series",
                      entry->name);
        return false;
    }
    return true;
}

static void plan_alerts(struct mr_planner *planner, struct mr_node_draft *node)
{
    struct mr_plan_alerts *alerts = mr_arena_new(planner->arena, 1, sizeof(*alerts));
    if (!bind_key(planner, node, &alerts->key))
        return;
    alerts->key_slot = field_slot(planner, node, "key", false);
    alerts->state_slot = field_slot(planner, node, "state", true);
    node->plan->alerts = alerts;
}

void mr_planner_control(struct mr_planner *planner, struct mr_node_draft *node)
{
    bool is_alerted = has_alerts(node);
    if (node->entry->type != NULL && (node->entry->type->flags & MR_TYPE_TAKES_ALERTS) != 0 &&
        !check_alerts(planner, node))
        return;
    if ((!is_alerted && !has_control(node)) || node->inputs[CONTROL].view->unknown)
        return;
    if (is_alerted) {
        plan_alerts(planner, node);
        return;
    }
    struct mr_plan_control *control = mr_arena_new(planner->arena, 1, sizeof(*control));
    if (!bind_key(planner, node, &control->key))
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
