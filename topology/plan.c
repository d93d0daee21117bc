/* topology/plan.c — from text to plan: the steps in their order (plan.h).
 * Design: each step goes on after errors of its own kind, so that one run reports them all; the
 * plan is laid out only when there are none. */
#include "topology/definition_tests.h"
#include "topology/planner.h"
#include "topology/substitute.h"

static const struct mr_yaml_node *values_of(const struct mr_yaml_node *root)
{
    if (root->kind != MR_YAML_MAPPING)
        return NULL;
    const struct mr_yaml_pair *spec = mr_yaml_find(root, "spec");
    if (spec == NULL || spec->value->kind != MR_YAML_MAPPING)
        return NULL;
    const struct mr_yaml_pair *values = mr_yaml_find(spec->value, "values");
    return values == NULL ? NULL : values->value;
}

static void init_nodes(struct mr_planner *planner)
{
    const struct mr_graph *graph = planner->graph;
    struct mr_plan *plan = planner->plan;
    plan->nodes_count = graph->nodes_count;
    plan->nodes = mr_arena_new(planner->arena, graph->nodes_count, sizeof(*plan->nodes));
    planner->nodes = mr_arena_new(planner->arena, graph->nodes_count, sizeof(*planner->nodes));
    for (uint32_t i = 0; i < graph->nodes_count; i++) {
        struct mr_definition_entry *entry = graph->nodes[i].entry;
        plan->nodes[i] = (struct mr_plan_node){
            .index = i,
            .name = entry->name,
            .type = entry->type,
            .location = entry->name_location,
            .value_slot = MR_SLOT_NONE,
            .timestamp_slot = MR_SLOT_NONE,
            .watermark_slot = MR_SLOT_NONE,
        };
        planner->nodes[i] = (struct mr_node_draft){
            .graph = &graph->nodes[i], .entry = entry, .plan = &plan->nodes[i]};
    }
}

static void init_plan(const struct mr_definition *definition, struct mr_plan *plan)
{
    plan->name = definition->name;
    plan->exactly_once = mr_options_integer(&definition->spec, "guarantee") == 0;
    plan->commit_interval_ms = mr_options_integer(&definition->spec, "commit_interval");
    plan->memory_bytes = mr_options_integer(&definition->spec, "memory");
    plan->standbys_count = (uint32_t)mr_options_integer(&definition->spec, "standbys");
    plan->tests_count = definition->tests == NULL ? 0 : definition->tests->count;
}

static void check_entries(const struct mr_definition *definition, struct mr_report *report)
{
    if (definition->sources_count == 0 && mr_yaml_find(definition->spec_node, "sources") == NULL)
        mr_report_add(report, MR_SEVERITY_ERROR, definition->spec_node->location,
                      "a topology needs at least one source in 'sources'");
    else if (definition->sources_count == 0)
        mr_report_add(report, MR_SEVERITY_ERROR,
                      mr_yaml_find(definition->spec_node, "sources")->location,
                      "a topology needs at least one source in 'sources'");
}

static void plan_definition(const struct mr_catalogue *catalogue,
                            const struct mr_definition *definition, struct mr_arena *arena,
                            struct mr_report *report, struct mr_plan **result)
{
    struct mr_graph graph;
    bool ordered = mr_graph_build(definition, arena, report, &graph);
    const struct mr_test *tests;
    uint32_t tests_count;
    (void)mr_definition_read_tests(definition, arena, report, &tests, &tests_count);
    check_entries(definition, report);
    if (!ordered)
        return;
    struct mr_plan *plan = mr_arena_new(arena, 1, sizeof(*plan));
    struct mr_planner planner = {.catalogue = catalogue,
                                 .definition = definition,
                                 .graph = &graph,
                                 .arena = arena,
                                 .report = report,
                                 .plan = plan};
    init_plan(definition, plan);
    init_nodes(&planner);
    for (uint32_t i = 0; i < graph.nodes_count; i++)
        mr_planner_node(&planner, graph.order[i]);
    for (uint32_t i = 0; i < graph.nodes_count; i++)
        if (graph.nodes[i].entry->role == MR_ROLE_SINK && graph.nodes[i].entry->type != NULL)
            mr_planner_sink_layout(&planner, &planner.nodes[i]);
    if (report->errors_count > 0)
        return;
    mr_planner_warm(&planner);
    mr_planner_finish(&planner);
    if (report->errors_count > 0)
        return;
    plan->hash = mr_topology_hash(plan->name, definition->spec_node, planner.loaded_hash);
    *result = plan;
}

struct mr_yaml_node *mr_topology_tree(struct mr_slice text,
                                      const struct mr_substitution *substitution,
                                      struct mr_arena *arena, struct mr_report *report)
{
    struct mr_yaml_node *root = mr_yaml_parse(text, arena, report);
    if (root != NULL)
        mr_substitute(root, values_of(root), substitution, arena, report);
    return root;
}

void mr_topology_plan_tree(const struct mr_yaml_node *root, const struct mr_catalogue *catalogue,
                           struct mr_arena *arena, struct mr_report *report,
                           struct mr_definition *definition, struct mr_plan **plan)
{
    *plan = NULL;
    if (mr_definition_read(root, catalogue, arena, report, definition))
        plan_definition(catalogue, definition, arena, report, plan);
}

void mr_topology_parse(struct mr_slice text, const struct mr_catalogue *catalogue,
                       const struct mr_substitution *substitution, struct mr_arena *arena,
                       struct mr_report *report, struct mr_plan **plan)
{
    struct mr_definition definition;
    *plan = NULL;
    struct mr_yaml_node *root = mr_topology_tree(text, substitution, arena, report);
    if (root != NULL)
        mr_topology_plan_tree(root, catalogue, arena, report, &definition, plan);
    mr_report_finish(report);
}

static bool is_above_zero(const struct mr_options *options, const char *name)
{
    int index = mr_option_specs_find(options->specs, name);
    return index >= 0 && options->values[index].present && options->values[index].integer > 0;
}

bool mr_plan_orders(const struct mr_options *options)
{
    return is_above_zero(options, "order"); /* arrival, event_time */
}

bool mr_plan_waits(const struct mr_options *options)
{
    return is_above_zero(options, "join_wait") || mr_plan_orders(options);
}

const struct mr_plan_node *mr_plan_node_find(const struct mr_plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->nodes_count; i++)
        if (strcmp(plan->nodes[i].name, name) == 0)
            return &plan->nodes[i];
    return NULL;
}
