/* topology/plan_node.c — one node: its inputs' views, its options, its outputs' views.
 * Design: how an operator changes a record follows from its type's flags and from options with
 * fixed meanings (`set`, `remove`, `keep`, `rename`, `as`, `field` with `into`), never from its
 * name. */
#include "topology/planner.h"

static const struct mr_option_value *option_of_type(const struct mr_node_draft *node,
                                                    const char *name, enum mr_option_type type)
{
    int index = mr_option_specs_find(node->entry->options.specs, name);
    if (index < 0 || node->entry->options.specs[index].type != type)
        return NULL;
    const struct mr_option_value *value = &node->entry->options.values[index];
    return value->present ? value : NULL;
}

/* ---- Inputs ---- */

static const struct mr_record_view unknown_view = {.unknown = true};
static const uint32_t stream_input = 0;

static void gather_inputs(struct mr_planner *planner, struct mr_node_draft *node)
{
    uint32_t count = node->graph->inputs_count;
    node->inputs = mr_arena_new(planner->arena, count == 0 ? 1 : count, sizeof(*node->inputs));
    node->inputs[0].view = &unknown_view;
    for (uint32_t i = 0; i < count; i++) {
        const struct mr_graph_input *input = &node->graph->inputs[i];
        node->inputs[i].view = &unknown_view;
        if (!input->known)
            continue;
        struct mr_node_draft *producer = &planner->nodes[input->producer];
        if (producer->graph->outputs_count > 0)
            node->inputs[i].view = &producer->outputs[input->output].view;
    }
}

/* Readers that write whole records need the spans of their input's layout. */
static void mark_encoded(struct mr_planner *planner, const struct mr_node_draft *node)
{
    for (uint32_t i = 0; i < node->graph->inputs_count; i++) {
        const struct mr_graph_input *input = &node->graph->inputs[i];
        if (input->known && !node->inputs[i].repartition &&
            planner->nodes[input->producer].graph->outputs_count > 0)
            planner->nodes[input->producer].outputs[input->output].encoded = true;
    }
}

/* What a detector judges when its records have waited. */
static void derive_waited(struct mr_planner *planner, struct mr_node_draft *node)
{
    if (!mr_plan_orders(&node->entry->options))
        return;
    struct mr_record_view *waited = mr_arena_new(planner->arena, 1, sizeof(*waited));
    mr_view_derive_from(planner, node, &stream_input, 1, waited);
    node->waited = waited;
}

/* ---- Outputs ---- */

void mr_planner_write_set(struct mr_planner *planner, struct mr_node_draft *node,
                          const struct mr_option_value *set, struct mr_record_view *view)
{
    uint32_t *slots = mr_arena_new(planner->arena, set->count, sizeof(*slots));
    node->plan->set_slots = slots;
    node->plan->set_slots_count = set->count;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct mr_program *program = set->programs == NULL ? NULL : set->programs[i];
        const struct mr_type *type =
            program == NULL ? mr_planner_type(MR_TYPE_ANY) : mr_program_type(program);
        if (view->unknown)
            continue;
        slots[i] = mr_domain_column(planner, view->domain, type);
        struct mr_write_draft write = {.kind = MR_WRITE_SLOT,
                                       .name = set->names[i],
                                       .writer = node->entry->name,
                                       .slot = slots[i],
                                       .type = type};
        mr_view_write(planner, view, &write, set->locations[i]);
    }
}

static void write_element(struct mr_planner *planner, struct mr_node_draft *node,
                          const struct mr_option_value *field, const struct mr_option_value *into,
                          struct mr_record_view *view)
{
    const char *name = NULL;
    struct mr_location location = field->location;
    for (uint32_t i = 0; i < field->paths[0].steps_count; i++)
        if (field->paths[0].steps[i].name != NULL)
            name = field->paths[0].steps[i].name;
    if (into != NULL) {
        name = into->text;
        location = into->location;
    }
    const struct mr_type *type = mr_planner_type(MR_TYPE_ANY);
    struct mr_resolution resolution;
    struct mr_error error = {0};
    if (mr_view_resolve(planner, node->inputs[0].view, &field->paths[0], false, &resolution,
                        &error) == MR_RESOLVED_FINE &&
        resolution.type->code == MR_TYPE_LIST && resolution.type->element != NULL)
        type = resolution.type->element;
    uint32_t *slots = mr_arena_new(planner->arena, 1, sizeof(*slots));
    slots[0] = mr_domain_column(planner, view->domain, type);
    node->plan->set_slots = slots;
    node->plan->set_slots_count = 1;
    struct mr_write_draft write = {.kind = MR_WRITE_SLOT,
                                   .name = name,
                                   .writer = node->entry->name,
                                   .slot = slots[0],
                                   .type = type};
    mr_view_write(planner, view, &write, location);
}

/* The number that an operator adds to rows that it copies (rank). */
static void write_number(struct mr_planner *planner, struct mr_node_draft *node,
                         const struct mr_option_value *into, struct mr_record_view *view)
{
    const struct mr_type *type = mr_planner_type(MR_TYPE_INT);
    uint32_t *slots = mr_arena_new(planner->arena, 1, sizeof(*slots));
    slots[0] = mr_domain_column(planner, view->domain, type);
    node->plan->set_slots = slots;
    node->plan->set_slots_count = 1;
    struct mr_write_draft write = {.kind = MR_WRITE_SLOT,
                                   .name = into->text,
                                   .writer = node->entry->name,
                                   .slot = slots[0],
                                   .type = type};
    mr_view_write(planner, view, &write, into->location);
}

static void write_group(struct mr_planner *planner, struct mr_node_draft *node,
                        struct mr_record_view *view)
{
    const struct mr_type_spec *type = node->entry->type;
    const struct mr_option_value *as = mr_definition_value(node->entry, "as");
    if (as == NULL || !as->present || view->unknown)
        return;
    uint32_t count = type->added_fields_count;
    uint32_t *slots = mr_arena_new(planner->arena, count, sizeof(*slots));
    struct mr_member_draft *members = mr_arena_new(planner->arena, count, sizeof(*members));
    for (uint32_t i = 0; i < count; i++) {
        members[i].name = type->added_fields[i].name;
        members[i].type = mr_planner_type(type->added_fields[i].type);
        members[i].slot = mr_domain_column(planner, view->domain, members[i].type);
        slots[i] = members[i].slot;
    }
    node->plan->as = as->text;
    node->plan->added_slots = slots;
    struct mr_write_draft write = {.kind = MR_WRITE_GROUP,
                                   .name = as->text,
                                   .writer = node->entry->name,
                                   .type = mr_planner_type(MR_TYPE_ANY),
                                   .members = members,
                                   .members_count = count};
    mr_view_write(planner, view, &write, as->given ? as->location : node->entry->name_location);
}

/* What a record looks like behind the operator's main output (and its branches). */
static void main_view(struct mr_planner *planner, struct mr_node_draft *node,
                      struct mr_record_view *view)
{
    const struct mr_option_value *set = option_of_type(node, "set", MR_OPTION_EXPRESSIONS);
    const struct mr_option_value *removed = option_of_type(node, "remove", MR_OPTION_NAMES);
    const struct mr_option_value *kept = option_of_type(node, "keep", MR_OPTION_NAMES);
    const struct mr_option_value *renames = option_of_type(node, "rename", MR_OPTION_NAME_MAP);
    const struct mr_option_value *field = option_of_type(node, "field", MR_OPTION_PATH);
    const struct mr_option_value *into = option_of_type(node, "into", MR_OPTION_STRING);
    const char *name = node->entry->name;
    if ((node->entry->type->flags & MR_TYPE_DERIVED_ROWS) != 0) {
        mr_view_derive(planner, node, view);
        if (field != NULL && !view->unknown)
            write_element(planner, node, field, into, view);
        else if (into != NULL && !view->unknown)
            write_number(planner, node, into, view);
    } else if (node->waited != NULL) {
        *view = *node->waited;
    } else if (mr_plan_waits(&node->entry->options)) {
        mr_view_derive_from(planner, node, &stream_input, 1, view);
    } else {
        *view = *node->inputs[0].view;
    }
    if (set != NULL)
        mr_planner_write_set(planner, node, set, view);
    for (uint32_t i = 0; removed != NULL && i < removed->count; i++)
        mr_view_remove(planner, view, removed->texts[i], name);
    if (kept != NULL)
        mr_view_keep(planner, view, kept->texts, kept->count, name);
    if (renames != NULL)
        mr_view_rename(planner, view, renames, name);
    if ((node->entry->type->flags & MR_TYPE_ADDS_FIELD) != 0)
        write_group(planner, node, view);
    if (node->sides != NULL)
        mr_planner_write_table(planner, node, view);
}

static void plan_outputs(struct mr_planner *planner, struct mr_node_draft *node)
{
    const struct mr_type_spec *type = node->entry->type;
    struct mr_record_view changed = unknown_view;
    if (node->pairs != NULL) {
        mr_planner_pairs_outputs(planner, node);
        return;
    }
    if (node->entry->role == MR_ROLE_OPERATOR)
        main_view(planner, node, &changed);
    for (uint32_t i = 0; i < node->graph->outputs_count; i++) {
        struct mr_record_view *view = &node->outputs[i].view;
        bool is_branch = (type->flags & MR_TYPE_DYNAMIC_OUTPUTS) != 0;
        const struct mr_output_spec *spec =
            is_branch || i >= type->outputs_count ? NULL : &type->outputs[i];
        if (node->entry->role == MR_ROLE_SOURCE) {
            continue; /* planned before its options were bound */
        } else if ((type->flags & MR_TYPE_GROUPS) != 0 && (i == 0 || spec->has_key)) {
            mr_view_groups(planner, node, i, view);
        } else if (spec != NULL && spec->fields != NULL) {
            mr_view_fields(
                planner,
                i == 0 ? node->entry->name
                       : mr_arena_format(planner->arena, "%s.%s", node->entry->name, spec->name),
                spec->fields, spec->fields_count, view);
            view->key_lost =
                mr_arena_format(planner->arena, "'%s' makes new records", node->entry->name);
        } else if (i == 0 || is_branch || (spec != NULL && spec->is_like_main)) {
            *view = changed;
        } else {
            *view = *node->inputs[0].view; /* the input's rows (late) */
        }
    }
}

/* Someone reads rows that the operator makes about its input's records: they may hold the record.
 */
static bool has_read_alerts(const struct mr_planner *planner, const struct mr_node_draft *node)
{
    for (uint32_t i = 0; i < planner->graph->nodes_count; i++) {
        const struct mr_graph_node *reader = &planner->graph->nodes[i];
        for (uint32_t j = 0; j < reader->inputs_count; j++) {
            const struct mr_graph_input *input = &reader->inputs[j];
            if (input->known && input->producer == node->plan->index &&
                input->output < node->entry->type->outputs_count &&
                (node->entry->type->flags & MR_TYPE_GROUPS) == 0 &&
                node->entry->type->outputs[input->output].fields != NULL)
                return true;
        }
    }
    return false;
}

/* ---- Entries' own members ---- */

static void plan_watermark(struct mr_planner *planner, struct mr_plan_node *plan,
                           const struct mr_option_value *watermark)
{
    if (watermark == NULL || !watermark->present)
        return;
    const struct mr_options *options = &watermark->objects[0];
    const struct mr_option_value *field = mr_options_get(options, "field");
    const struct mr_option_value *delay = mr_options_get(options, "max_delay");
    const struct mr_option_value *when = mr_options_get(options, "when");
    plan->max_delay_ms = mr_options_integer(options, "max_delay");
    plan->idle_timeout_ms = mr_options_integer(options, "idle_timeout");
    if (when->present && when->programs != NULL)
        plan->watermark_when = when->programs[0];
    if (when->present && (delay->given || field->present))
        mr_report_add(planner->report, MR_SEVERITY_ERROR, when->location,
                      "'when' says which records move the watermark, to their own time, and '%s' "
                      "says otherwise: leave one of them out",
                      field->present ? "field" : "max_delay");
    if (!field->present || field->slots == NULL)
        return;
    plan->watermark_slot = field->slots[0];
    if (delay->given)
        mr_report_add(planner->report, MR_SEVERITY_ERROR, delay->location,
                      "'max_delay' has no meaning beside 'field': records say the watermark "
                      "themselves; leave one of them out");
}

static void plan_source(struct mr_planner *planner, struct mr_node_draft *node)
{
    static const int64_t units[] = {1000000000, 1000000, 1000, 1, 0};
    const struct mr_option_value *timestamp = mr_definition_value(node->entry, "timestamp");
    const struct mr_option_value *unit = mr_definition_value(node->entry, "timestamp_unit");
    const struct mr_option_value *watermark = mr_definition_value(node->entry, "watermark");
    const struct mr_option_value *ahead = mr_definition_value(node->entry, "max_ahead");
    struct mr_plan_node *plan = node->plan;
    plan->timestamp_unit_ns = 1000000;
    if (unit != NULL && unit->present)
        plan->timestamp_unit_ns = units[unit->integer];
    plan_watermark(planner, plan, watermark);
    if (unit != NULL && unit->given && (timestamp == NULL || !timestamp->given) &&
        plan->watermark_slot == MR_SLOT_NONE)
        mr_report_add(planner->report, MR_SEVERITY_ERROR, unit->location,
                      "'timestamp_unit' has no meaning without 'timestamp'");
    if (timestamp != NULL && timestamp->present && timestamp->slots != NULL)
        plan->timestamp_slot = timestamp->slots[0];
    if (ahead != NULL)
        plan->max_ahead_ms = ahead->integer;
    mr_planner_table_source(planner, node);
}

static struct mr_program *program_of(const struct mr_node_draft *node, const char *name)
{
    const struct mr_option_value *value = mr_definition_value(node->entry, name);
    return value == NULL || !value->present || value->programs == NULL ? NULL : value->programs[0];
}

static void plan_sink(struct mr_planner *planner, struct mr_node_draft *node)
{
    struct mr_plan_node *plan = node->plan;
    const struct mr_option_value *headers = mr_definition_value(node->entry, "headers");
    const struct mr_option_value *allow = mr_definition_value(node->entry, "topic_allow");
    const struct mr_option_value *from = mr_definition_value(node->entry, "topic_from");
    const struct mr_option_value *topic = mr_definition_value(node->entry, "topic");
    plan->where = program_of(node, "where");
    plan->topic_from = program_of(node, "topic_from");
    if (headers != NULL && headers->present) {
        plan->header_programs = headers->programs;
        plan->header_names = headers->names;
        plan->headers_count = headers->count;
    }
    if (allow != NULL && allow->present) {
        plan->topic_allow = allow->texts;
        plan->topic_allow_count = allow->count;
    }
    if (from == NULL || !from->given)
        return;
    if (topic != NULL && topic->given)
        mr_report_add(planner->report, MR_SEVERITY_ERROR, from->location,
                      "'topic' and 'topic_from' exclude each other: give one");
    if (allow == NULL || !allow->given)
        mr_report_add(planner->report, MR_SEVERITY_ERROR, from->location,
                      "'topic_from' needs 'topic_allow', the patterns of the topics that it may "
                      "name");
}

static void plan_state(struct mr_node_draft *node)
{
    const struct mr_option_value *state = mr_definition_value(node->entry, "state");
    if (state == NULL || !state->present)
        return;
    const struct mr_options *options = &state->objects[0];
    node->plan->state_ttl_ms = mr_options_integer(options, "ttl");
    node->plan->state_keys_max = mr_options_integer(options, "max_keys");
    node->plan->state_bytes_max = mr_options_integer(options, "max_bytes");
    const char *on_full = mr_options_text(options, "on_full");
    node->plan->state_full_fails = on_full != NULL && strcmp(on_full, "fail") == 0;
}

static void check_guarantee(struct mr_planner *planner, const struct mr_node_draft *node)
{
    const struct mr_type_spec *type = node->entry->type;
    if (type->role == MR_ROLE_OPERATOR || !planner->plan->exactly_once ||
        type->guarantee == MR_GUARANTEE_EXACTLY_ONCE)
        return;
    mr_report_add(planner->report, MR_SEVERITY_WARNING, node->entry->name_location,
                  type->guarantee == MR_GUARANTEE_NONE
                      ? "'%s' (%s) gives no guarantee: a crash may lose or double its records, "
                        "although the topology is exactly_once"
                      : "'%s' (%s) is at_least_once: a crash may double its records, although the "
                        "topology is exactly_once",
                  node->entry->name, type->name);
}

static void plan_common(struct mr_planner *planner, struct mr_node_draft *node)
{
    const struct mr_option_value *on_error = mr_definition_value(node->entry, "on_error");
    struct mr_plan_node *plan = node->plan;
    plan->on_error = on_error != NULL && on_error->present ? (enum mr_on_error)on_error->integer
                                                           : MR_ON_ERROR_DEAD_LETTER;
    plan->format = node->entry->format == NULL ? NULL : node->entry->format->name;
    plan->format_options = node->entry->format_options;
    plan->options = node->entry->options;
    mr_planner_key(planner, node);
    plan_state(node);
    check_guarantee(planner, node);
}

void mr_planner_node(struct mr_planner *planner, uint32_t index)
{
    struct mr_node_draft *node = &planner->nodes[index];
    const struct mr_graph_node *graph = node->graph;
    node->outputs = mr_arena_new(planner->arena, graph->outputs_count + 1, sizeof(*node->outputs));
    for (uint32_t i = 0; i < graph->outputs_count; i++)
        node->outputs[i].view = unknown_view;
    gather_inputs(planner, node);
    if (node->entry->type == NULL)
        return;
    mr_planner_check_tables(planner, node);
    const struct mr_record_view *view = node->inputs[0].view;
    if (node->entry->role == MR_ROLE_SOURCE) {
        mr_view_source(planner, node, &node->outputs[0].view);
        view = &node->outputs[0].view;
    } else {
        mr_planner_group(planner, node);
        view = node->inputs[0].view;
        if ((node->entry->type->flags & MR_TYPE_PAIRS) != 0)
            mr_planner_pairs(planner, node);
        if ((node->entry->type->flags & MR_TYPE_TABLE_JOIN) != 0)
            mr_planner_table_join(planner, node);
        mr_planner_control(planner, node);
        mr_planner_twin(planner, node);
        mr_planner_requests(planner, node);
        mr_planner_snapshots(planner, node);
        derive_waited(planner, node);
    }
    mr_planner_bind(planner, node, view);
    plan_common(planner, node);
    mr_planner_publish(planner, node);
    plan_outputs(planner, node);
    if (graph->outputs_count > 0)
        mr_planner_bind_outputs(planner, node);
    if (node->entry->role == MR_ROLE_SOURCE)
        plan_source(planner, node);
    if (node->entry->role == MR_ROLE_SINK)
        plan_sink(planner, node);
    node->alerts_are_read = has_read_alerts(planner, node);
    if (node->entry->role == MR_ROLE_SINK || node->alerts_are_read ||
        (node->entry->type->flags & MR_TYPE_KEEPS_RECORDS) != 0)
        mark_encoded(planner, node);
}
