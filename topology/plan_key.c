/* topology/plan_key.c — keys, and where a repartition is needed.
 * Rule: rows are grouped by the key of their source, or of the last repartition, as long as nobody
 * on the way changes a field of it. An operator that groups by exactly those fields runs in place;
 * every other one gets a repartition in front, which operators with the same key on the same output
 * share. */
#include "topology/planner.h"

#include "topology/parse_options.h"

const char *mr_planner_key_text(struct mr_planner *planner, const struct mr_path *paths,
                                uint32_t count)
{
    const char *text = "[";
    for (uint32_t i = 0; i < count; i++)
        text = mr_arena_format(planner->arena, "%s%s%s", text, i == 0 ? "" : ", ", paths[i].text);
    return mr_arena_format(planner->arena, "%s]", text);
}

static bool same_paths(const struct mr_path *left, uint32_t left_count, const struct mr_path *right,
                       uint32_t right_count)
{
    if (left_count != right_count)
        return false;
    for (uint32_t i = 0; i < left_count; i++)
        if (!mr_path_equal(&left[i], &right[i]))
            return false;
    return true;
}

static bool is_partition_scope(const struct mr_definition_entry *entry)
{
    const struct mr_option_value *scope = mr_definition_value(entry, "scope");
    return scope != NULL && scope->text != NULL && strcmp(scope->text, "partition") == 0;
}

static bool makes_pairs(const struct mr_node_draft *node)
{
    return (node->entry->type->flags & MR_TYPE_PAIRS) != 0;
}

/* Rows of several inputs meet by their keys. */
static bool joins(const struct mr_node_draft *node)
{
    return (node->entry->type->flags & (MR_TYPE_PAIRS | MR_TYPE_TABLE_JOIN)) != 0;
}

/* Records of the second input, `control` or `alerts`, say a key of the first. */
static bool is_controlled(const struct mr_node_draft *node)
{
    return (mr_type_is_controlled(node->entry->type) ||
            (node->entry->type->flags & MR_TYPE_TAKES_ALERTS) != 0) &&
           node->graph->inputs_count > 1;
}

/* Rows of several inputs are about the same keys. */
static bool answers(const struct mr_node_draft *node)
{
    return mr_planner_answers(node) && node->graph->inputs_count > 1;
}

static const char *reason_of(struct mr_planner *planner, const struct mr_node_draft *node,
                             uint32_t input, const struct mr_option_value *key)
{
    const struct mr_record_view *view = node->inputs[input].view;
    const char *wanted = mr_planner_key_text(planner, key->paths, key->count);
    const char *name = node->entry->name;
    const char *groups =
        key->count == 0
            ? mr_arena_format(planner->arena, "'%s' is one group for the whole stream", name)
            : mr_arena_format(planner->arena, "'%s' groups by %s", name, wanted);
    if (joins(node) && key->count > 0)
        groups = mr_arena_format(planner->arena, "'%s' joins its input '%s' by %s", name,
                                 node->graph->inputs[input].option, wanted);
    if (mr_planner_twins(node) && key->count > 0)
        groups = mr_arena_format(planner->arena, "'%s' compares its input '%s' by %s", name,
                                 node->graph->inputs[input].option, wanted);
    if (answers(node) && input > 0 && key->count > 0)
        groups = mr_arena_format(planner->arena, "'%s' takes requests by %s", name, wanted);
    if (is_controlled(node) && input > 0 && key->count > 0)
        groups = mr_arena_format(
            planner->arena, "'%s' takes %s by %s", name,
            mr_type_is_controlled(node->entry->type) ? "control records" : "alerts", wanted);
    if (view->keyed && same_paths(view->key_paths, view->key_count, key->paths, key->count))
        return mr_arena_format(planner->arena,
                               "%s, but the message keys of its input are no text, so that its "
                               "partitions are not those of the other input",
                               groups);
    if (!view->keyed)
        return mr_arena_format(planner->arena, "%s, but %s", groups,
                               view->key_lost == NULL ? "its input has no key" : view->key_lost);
    return mr_arena_format(planner->arena, "%s, but its input is grouped by %s", groups,
                           mr_planner_key_text(planner, view->key_paths, view->key_count));
}

static struct mr_repartition_draft *find_shared(struct mr_planner *planner, uint32_t producer,
                                                uint32_t output, const struct mr_option_value *key)
{
    for (uint32_t i = 0; i < planner->repartitions_count; i++) {
        struct mr_repartition_draft *repartition = &planner->repartitions[i];
        if (repartition->producer == producer && repartition->output == output &&
            same_paths(repartition->paths, repartition->key.slots_count, key->paths, key->count))
            return repartition;
    }
    return NULL;
}

/* Resolve the key's fields where the records are produced. */
bool mr_planner_bind_key(struct mr_planner *planner, const struct mr_record_view *view,
                         const char *option, const struct mr_option_value *key,
                         struct mr_plan_key *plan_key)
{
    uint32_t *slots = mr_arena_new(planner->arena, key->count, sizeof(*slots));
    bool fine = true;
    for (uint32_t i = 0; i < key->count; i++) {
        struct mr_resolution resolution;
        struct mr_error error = {0};
        if (mr_view_resolve_path(planner, view, &key->paths[i], true, &resolution, &error) !=
            MR_RESOLVED_FINE) {
            mr_report_add(planner->report, MR_SEVERITY_ERROR,
                          key->locations == NULL ? key->location : key->locations[i], "'%s': %s",
                          option, error.message);
            fine = false;
        }
        slots[i] = resolution.slot;
    }
    *plan_key = (struct mr_plan_key){
        .given = true,
        .global = key->count == 0,
        .texts = key->texts,
        .slots = slots,
        .slots_count = key->count,
        .key_id = fine ? mr_domain_key(planner, view->domain, slots, key->count) : 0,
    };
    return fine;
}

static struct mr_repartition_draft *add_repartition(struct mr_planner *planner,
                                                    struct mr_node_draft *node, uint32_t input,
                                                    const struct mr_option_value *key)
{
    const struct mr_record_view *upstream = node->inputs[input].view;
    const char *reason = reason_of(planner, node, input, key);
    const char *name = node->entry->name;
    if (makes_pairs(node) || input > 0)
        name = mr_arena_format(planner->arena, "%s-%s", name, node->graph->inputs[input].option);
    planner->repartitions =
        mr_planner_grow(planner->arena, planner->repartitions, planner->repartitions_count,
                        &planner->repartitions_capacity, sizeof(*planner->repartitions));
    struct mr_repartition_draft *repartition =
        &planner->repartitions[planner->repartitions_count++];
    *repartition = (struct mr_repartition_draft){
        .name = mr_arena_format(planner->arena, "%s-repartition", name),
        .producer = node->graph->inputs[input].producer,
        .output = node->graph->inputs[input].output,
        .consumer = node->plan->index,
        .input = input,
        .paths = key->paths,
        .reason = reason,
    };
    const char *option = is_controlled(node) ? node->graph->inputs[input].option
                         : mr_planner_twins(node) || answers(node) ? "key"
                                                                   : "right_key";
    bool fine =
        mr_planner_bind_key(planner, upstream, input == 0 ? "key" : option, key, &repartition->key);
    struct mr_domain_draft *domain =
        mr_domain_new(planner, MR_DOMAIN_REPARTITION, repartition->name);
    const struct mr_record_view **inputs =
        mr_arena_new(planner->arena, 1, sizeof(const struct mr_record_view *));
    inputs[0] = upstream;
    domain->inputs = inputs;
    domain->inputs_count = 1;
    domain->payload = true;
    domain->has_meta = true;
    repartition->view = (struct mr_record_view){
        .domain = domain,
        .unknown = !fine,
        .written = upstream->written,
        .written_count = upstream->written_count,
        .keyed = true,
        .key_is_text = true,
        .key_paths = key->paths,
        .key_count = key->count,
    };
    planner->nodes[repartition->producer].outputs[repartition->output].encoded = true;
    return repartition;
}

static void warn_scope(struct mr_planner *planner, const struct mr_node_draft *node)
{
    mr_report_add(planner->report, MR_SEVERITY_WARNING, node->entry->name_location,
                  "'%s' has scope: partition: its state is per partition, and its results depend "
                  "on how the records are spread over the partitions",
                  node->entry->name);
}

const struct mr_option_value *mr_planner_input_key(const struct mr_node_draft *node, uint32_t input)
{
    const struct mr_option_value *control = mr_planner_control_key(node, input);
    if (control != NULL)
        return control;
    const struct mr_option_value *right =
        input == 1 ? mr_definition_value(node->entry, "right_key") : NULL;
    return right != NULL && right->present ? right : mr_definition_value(node->entry, "key");
}

static void group_input(struct mr_planner *planner, struct mr_node_draft *node, uint32_t index)
{
    const struct mr_definition_entry *entry = node->entry;
    const struct mr_option_value *key = mr_planner_input_key(node, index);
    const struct mr_record_view *view = node->inputs[index].view;
    bool repartitions = (entry->type->flags & MR_TYPE_REPARTITION) != 0;
    if (view->unknown)
        return;
    bool meets = joins(node) || is_controlled(node) || mr_planner_twins(node) || answers(node);
    bool fits = !meets || view->key_is_text || key->count == 0;
    if (fits && view->keyed &&
        same_paths(view->key_paths, view->key_count, key->paths, key->count)) {
        if (repartitions)
            mr_report_add(planner->report, MR_SEVERITY_WARNING, entry->name_location,
                          "'%s' has nothing to do: its input is already grouped by %s", entry->name,
                          mr_planner_key_text(planner, key->paths, key->count));
        return;
    }
    uint32_t producer = node->graph->inputs[index].producer;
    uint32_t output = node->graph->inputs[index].output;
    struct mr_repartition_draft *repartition = find_shared(planner, producer, output, key);
    if (repartition == NULL)
        repartition = add_repartition(planner, node, index, key);
    node->inputs[index].repartition = true;
    node->inputs[index].repartition_index = (uint32_t)(repartition - planner->repartitions);
    struct mr_record_view *copy = mr_arena_new(planner->arena, 1, sizeof(*copy));
    *copy = repartition->view; /* the drafts move when there are more */
    node->inputs[index].view = copy;
}

void mr_planner_group(struct mr_planner *planner, struct mr_node_draft *node)
{
    const struct mr_definition_entry *entry = node->entry;
    const struct mr_option_value *key = mr_definition_value(entry, "key");
    bool keyed = (entry->type->flags & MR_TYPE_KEYED) != 0;
    bool repartitions = (entry->type->flags & MR_TYPE_REPARTITION) != 0;
    if ((!keyed && !repartitions) || key == NULL)
        return;
    if (is_partition_scope(entry)) {
        warn_scope(planner, node);
        return;
    }
    if (!key->given && entry->type->is_stateless != NULL &&
        entry->type->is_stateless(&entry->options))
        return;
    if (!key->given) {
        mr_report_add(planner->report, MR_SEVERITY_ERROR, entry->location,
                      keyed ? "'%s' (%s) keeps state: a stateful operator must say key, the fields "
                              "to group by, as in key: [id]; key: [] is one group for the whole "
                              "stream"
                            : "'%s' (%s) must say key, the fields to group by, as in key: [id]",
                      entry->name, entry->type->name);
        return;
    }
    bool anywhere = (entry->type->flags & MR_TYPE_LOOKUP) != 0; /* each task has the whole table */
    for (uint32_t i = 0; key->present && !anywhere && i < node->graph->inputs_count; i++)
        if (i == 0 || makes_pairs(node) || is_controlled(node) || mr_planner_twins(node) ||
            answers(node))
            group_input(planner, node, i);
}

void mr_planner_key(struct mr_planner *planner, struct mr_node_draft *node)
{
    const struct mr_option_value *key = mr_definition_value(node->entry, "key");
    const struct mr_option_value *format = mr_definition_value(node->entry, "key_format");
    struct mr_plan_key *plan_key = &node->plan->key;
    if (format != NULL && format->present)
        plan_key->format = (enum mr_key_format)format->integer;
    bool scoped = is_partition_scope(node->entry);
    if (key == NULL || (!key->present && !scoped))
        return;
    plan_key->given = true;
    plan_key->global = key->count == 0;
    plan_key->texts = key->texts;
    plan_key->slots = key->slots;
    plan_key->slots_count = key->count;
    const struct mr_record_view *view =
        node->entry->role == MR_ROLE_SOURCE ? &node->outputs[0].view : node->inputs[0].view;
    bool single = plan_key->format == MR_KEY_FORMAT_INT32 ||
                  plan_key->format == MR_KEY_FORMAT_INT64 ||
                  plan_key->format == MR_KEY_FORMAT_BYTES;
    if (single && key->count > 1)
        mr_report_add(planner->report, MR_SEVERITY_ERROR, format->location,
                      "key_format %s takes one field, but the key has %u", format->text,
                      key->count);
    if (!view->unknown)
        plan_key->key_id = mr_domain_key(planner, view->domain, key->slots, key->count);
}
