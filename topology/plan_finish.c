/* topology/plan_finish.c — drafts to the plan.
 * Order matters: layouts still ask for columns and spans; only then are domains counted and the
 * maps of derived rows filled. */
#include "topology/planner.h"

/* A record behind a repartition: what was written to its topic. */
static const struct mr_layout whole_payload = {.from_payload = true};

/* ---- Domains ---- */

static void finish_reads(struct mr_planner *planner, const struct mr_domain_draft *draft,
                         struct mr_plan_domain *domain)
{
    struct mr_field_read *reads =
        mr_arena_new(planner->arena, draft->columns_count, sizeof(*reads));
    for (uint32_t i = 0; i < draft->columns_count; i++)
        if (draft->columns[i].is_read)
            reads[domain->reads_count++] = (struct mr_field_read){
                .path = draft->columns[i].path, .slot = i, .type = draft->columns[i].type};
    domain->reads = reads;
}

static void finish_slot_names(struct mr_planner *planner, const struct mr_domain_draft *draft,
                              struct mr_plan_domain *domain)
{
    struct mr_arena *arena = planner->arena;
    const char **names = mr_arena_new(arena, draft->columns_count, sizeof(*names));
    for (uint32_t i = 0; i < draft->columns_count; i++) {
        const struct mr_column_draft *column = &draft->columns[i];
        if (column->input_slots != NULL && column->path.text != NULL)
            names[i] = column->is_edit ? mr_arena_format(arena, "edit %s", column->path.text)
                                       : column->path.text;
    }
    for (uint32_t field = 0; field < MR_META_COUNT; field++)
        if (draft->meta_slots[field] != MR_SLOT_NONE)
            names[draft->meta_slots[field]] = mr_arena_format(arena, "meta %u", field);
    domain->slot_names = names;
}

static void finish_domain(struct mr_planner *planner, const struct mr_domain_draft *draft,
                          struct mr_plan_domain *domain)
{
    domain->index = draft->index;
    domain->shape = (struct mr_batch_shape){.slots_count = draft->columns_count,
                                            .spans_count = draft->spans_count,
                                            .keys_count = draft->keys_count};
    if (draft->kind == MR_DOMAIN_SOURCE || draft->kind == MR_DOMAIN_REPARTITION)
        finish_reads(planner, draft, domain);
    if (draft->kind == MR_DOMAIN_DERIVED)
        finish_slot_names(planner, draft, domain);
    const char **names = mr_arena_new(planner->arena, draft->spans_count, sizeof(*names));
    for (uint32_t i = 0; i < draft->spans_count; i++)
        names[i] = draft->spans[i].name;
    domain->tracked_names = names;
    memcpy(domain->meta_slots, draft->meta_slots, sizeof(domain->meta_slots));
    domain->field_slots =
        mr_arena_new(planner->arena, draft->fields_count, sizeof(*domain->field_slots));
    domain->field_types =
        mr_arena_new(planner->arena, draft->fields_count, sizeof(*domain->field_types));
    domain->field_slots_count = draft->fields_count;
    for (uint32_t i = 0; i < draft->fields_count; i++) {
        domain->field_slots[i] = draft->fields[i].slot;
        domain->field_types[i] = draft->fields[i].type->code;
    }
}

/* ---- Maps of derived rows ---- */

/* The input's key over the columns that the derived key's columns come from. */
static uint32_t input_key(const struct mr_domain_draft *derived, const struct mr_key_draft *key,
                          uint32_t input)
{
    const struct mr_domain_draft *domain = derived->inputs[input]->domain;
    for (uint32_t i = 0; i < domain->keys_count; i++) {
        bool same = domain->keys[i].slots_count == key->slots_count;
        for (uint32_t j = 0; same && j < key->slots_count; j++) {
            const uint32_t *slots = derived->columns[key->slots[j]].input_slots;
            same = slots != NULL && slots[input] == domain->keys[i].slots[j];
        }
        if (same)
            return i;
    }
    return MR_SLOT_NONE;
}

void mr_planner_maps(struct mr_planner *planner, const struct mr_domain_draft *derived,
                     uint32_t index, struct mr_plan_input *input)
{
    uint32_t *slots = mr_arena_new(planner->arena, derived->columns_count, sizeof(*slots));
    uint32_t *spans = mr_arena_new(planner->arena, derived->spans_count, sizeof(*spans));
    uint32_t *keys = mr_arena_new(planner->arena, derived->keys_count, sizeof(*keys));
    for (uint32_t i = 0; i < derived->columns_count; i++)
        slots[i] = derived->columns[i].input_slots == NULL ? (uint32_t)MR_SLOT_NONE
                                                           : derived->columns[i].input_slots[index];
    for (uint32_t i = 0; i < derived->spans_count; i++)
        spans[i] = derived->spans[i].input_spans[index];
    for (uint32_t i = 0; i < derived->keys_count; i++)
        keys[i] = input_key(derived, &derived->keys[i], index);
    input->slot_map = slots;
    input->span_map = spans;
    input->key_map = keys;
}

/* ---- Nodes ---- */

static void finish_inputs(struct mr_planner *planner, struct mr_node_draft *node)
{
    uint32_t count = node->graph->inputs_count;
    struct mr_plan_input *inputs = mr_arena_new(planner->arena, count, sizeof(*inputs));
    for (uint32_t i = 0; i < count; i++) {
        const struct mr_graph_input *reference = &node->graph->inputs[i];
        const struct mr_input_draft *draft = &node->inputs[i];
        inputs[i] = (struct mr_plan_input){
            .option = reference->option,
            .producer = reference->producer,
            .output = reference->output,
            .domain = draft->view->domain->index,
            .layout = draft->repartition
                          ? &whole_payload
                          : planner->nodes[reference->producer].outputs[reference->output].layout,
            .repartition = draft->repartition,
            .repartition_index = draft->repartition_index,
        };
        if ((node->plan->type->flags & MR_TYPE_DERIVED_ROWS) != 0 ||
            (i == 0 && mr_plan_waits(&node->plan->options)))
            mr_planner_maps(planner, node->outputs[0].view.domain, i, &inputs[i]);
    }
    node->plan->inputs = inputs;
    node->plan->inputs_count = count;
    if (node->plan->type->role == MR_ROLE_SINK && node->plan->layout == NULL)
        node->plan->layout = inputs[0].layout;
}

/* Who reads an output directly (repartition UINT32_MAX), or a repartition. */
static const struct mr_plan_edge *collect_edges(struct mr_planner *planner, uint32_t producer,
                                                uint32_t output, uint32_t repartition,
                                                uint32_t *count)
{
    struct mr_plan_edge *edges = NULL;
    uint32_t capacity = 0;
    *count = 0;
    for (uint32_t i = 0; i < planner->graph->nodes_count; i++) {
        const struct mr_node_draft *node = &planner->nodes[i];
        for (uint32_t j = 0; j < node->graph->inputs_count; j++) {
            const struct mr_input_draft *input = &node->inputs[j];
            bool reads = repartition == UINT32_MAX
                             ? !input->repartition && node->graph->inputs[j].producer == producer &&
                                   node->graph->inputs[j].output == output
                             : input->repartition && input->repartition_index == repartition;
            if (!reads)
                continue;
            edges = mr_planner_grow(planner->arena, edges, *count, &capacity, sizeof(*edges));
            edges[(*count)++] = (struct mr_plan_edge){.consumer = i, .port = j};
        }
    }
    return edges;
}

static void finish_outputs(struct mr_planner *planner, struct mr_node_draft *node)
{
    uint32_t count = node->graph->outputs_count;
    struct mr_plan_output *outputs = mr_arena_new(planner->arena, count, sizeof(*outputs));
    for (uint32_t i = 0; i < count; i++) {
        outputs[i].name = node->graph->outputs[i];
        outputs[i].domain = node->outputs[i].view.domain->index;
        outputs[i].layout = node->outputs[i].layout;
        outputs[i].edges =
            collect_edges(planner, node->plan->index, i, UINT32_MAX, &outputs[i].edges_count);
    }
    node->plan->outputs = outputs;
    node->plan->outputs_count = count;
}

static void finish_repartitions(struct mr_planner *planner)
{
    struct mr_plan *plan = planner->plan;
    plan->repartitions_count = planner->repartitions_count;
    plan->repartitions =
        mr_arena_new(planner->arena, planner->repartitions_count, sizeof(*plan->repartitions));
    for (uint32_t i = 0; i < planner->repartitions_count; i++) {
        const struct mr_repartition_draft *draft = &planner->repartitions[i];
        struct mr_plan_repartition *repartition = &plan->repartitions[i];
        *repartition = (struct mr_plan_repartition){
            .name = draft->name,
            .consumer = draft->consumer,
            .input = draft->input,
            .producer = draft->producer,
            .output = draft->output,
            .key = draft->key,
            .single_partition = draft->key.global,
            .reason = draft->reason,
            .source_domain = draft->view.domain->index,
        };
        repartition->edges = collect_edges(planner, 0, 0, i, &repartition->edges_count);
    }
}

void mr_planner_finish(struct mr_planner *planner)
{
    struct mr_plan *plan = planner->plan;
    mr_planner_mark_joins(planner);
    for (uint32_t i = 0; i < plan->nodes_count; i++) {
        struct mr_node_draft *node = &planner->nodes[i];
        for (uint32_t j = 0; j < node->graph->outputs_count; j++)
            node->outputs[j].layout =
                mr_planner_layout(planner, &node->outputs[j].view, node->outputs[j].encoded);
        if (node->waited != NULL && node->alerts_are_read)
            node->plan->waited_layout = mr_planner_layout(planner, node->waited, true);
    }
    for (uint32_t i = 0; i < plan->nodes_count; i++) {
        finish_inputs(planner, &planner->nodes[i]);
        finish_outputs(planner, &planner->nodes[i]);
        if (planner->nodes[i].sides != NULL)
            mr_planner_finish_join(planner, &planner->nodes[i]);
    }
    finish_repartitions(planner);
    plan->domains_count = planner->domains_count;
    plan->domains = mr_arena_new(planner->arena, planner->domains_count, sizeof(*plan->domains));
    for (uint32_t i = 0; i < planner->domains_count; i++)
        finish_domain(planner, planner->domains[i], &plan->domains[i]);
    mr_planner_subtopologies(planner);
}
