/* topology/plan_requests.c — the input `requests` of generators that answer (DESIGN 2.1 rule 4).
 * Design: a request is about the model of one key: it has the key's fields, and is grouped by them
 * as the records to learn are, so that both meet in one task. All that it says besides may be
 * missing in a record; what that means the operator knows. */
#include "topology/planner.h"

#include <string.h>

#include "base/assert.h"

static const char input_name[] = "requests";
static const char *const names[MR_REQUEST_FIELDS_COUNT] = {
    "action",     "n_samples",  "count",       "n_batches",       "batch_size",
    "conditions", "request_id", "reply_topic", "include_metadata"};

static uint32_t port_of(const struct mr_node_draft *node)
{
    uint32_t port = 0;
    while (port < node->graph->inputs_count &&
           strcmp(node->graph->inputs[port].option, input_name) != 0)
        port++;
    return port;
}

bool mr_planner_answers(const struct mr_node_draft *node)
{
    return node->entry->type != NULL && (node->entry->type->flags & MR_TYPE_ANSWERS) != 0 &&
           port_of(node) < node->graph->inputs_count;
}

static uint32_t field_slot(struct mr_planner *planner, const struct mr_record_view *view,
                           const char *name)
{
    struct mr_path path = mr_planner_name_path(planner, name);
    struct mr_resolution resolution;
    struct mr_error error = {0};
    return mr_view_resolve_path(planner, view, &path, true, &resolution, &error) == MR_RESOLVED_FINE
               ? resolution.slot
               : MR_SLOT_NONE;
}

/* What is about requests says nothing without them. */
static void refuse_options(struct mr_planner *planner, const struct mr_node_draft *node)
{
    static const char *const options[] = {"max_open_requests", "reply_topics"};
    if (node->entry->type == NULL || (node->entry->type->flags & MR_TYPE_ANSWERS) == 0)
        return;
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(options); index++) {
        const struct mr_option_value *value = mr_definition_value(node->entry, options[index]);
        if (value != NULL && value->given)
            mr_report_add(planner->report, MR_SEVERITY_ERROR, value->location,
                          "'%s' is about requests, and '%s' has no input `requests`: name it, or "
                          "leave the option out",
                          options[index], node->entry->name);
    }
}

void mr_planner_requests(struct mr_planner *planner, struct mr_node_draft *node)
{
    if (!mr_planner_answers(node)) {
        refuse_options(planner, node);
        return;
    }
    uint32_t port = port_of(node);
    const struct mr_record_view *view = node->inputs[port].view;
    const struct mr_option_value *key = mr_definition_value(node->entry, "key");
    if (view->unknown)
        return;
    struct mr_plan_requests *requests = mr_arena_new(planner->arena, 1, sizeof(*requests));
    requests->port = port;
    requests->key = (struct mr_plan_key){.given = true, .global = true};
    if (key != NULL && key->count > 0 &&
        !mr_planner_bind_key(planner, view, "key", key, &requests->key))
        return;
    for (uint32_t field = 0; field < MR_REQUEST_FIELDS_COUNT; field++)
        requests->slots[field] = field_slot(planner, view, names[field]);
    if (requests->slots[MR_REQUEST_ACTION] == MR_SLOT_NONE)
        mr_report_add(planner->report, MR_SEVERITY_ERROR, node->graph->inputs[port].location,
                      "'%s': the records of '%s' have no field 'action': a request is a record "
                      "such as {\"action\": \"generate\", \"n_samples\": 100}",
                      input_name, node->graph->inputs[port].text);
    node->plan->requests = requests;
}
