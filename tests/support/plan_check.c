/* tests/support/plan_check.c — see plan_check.h. */
#include "tests/support/plan_check.h"

#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

static const struct mr_plan_domain *domain_at(const struct mr_plan *plan, uint32_t index)
{
    MR_ASSERT(index < plan->domains_count);
    MR_ASSERT(plan->domains[index].index == index);
    return &plan->domains[index];
}

static void check_slot(uint32_t slot, uint32_t count, bool may_be_none)
{
    MR_ASSERT(slot < count || (may_be_none && slot == MR_SLOT_NONE));
}

static void check_layout(const struct mr_plan_domain *domain, const struct mr_layout *layout)
{
    uint32_t slots = domain->shape.slots_count;
    uint32_t spans = domain->shape.spans_count;
    MR_ASSERT(layout != NULL);
    for (uint32_t i = 0; i < layout->edits_count; i++) {
        const struct mr_edit *edit = &layout->edits[i];
        check_slot(edit->slot, slots, true);
        check_slot(edit->span, spans, true);
        check_slot(edit->raw_span, spans, true);
        for (uint32_t j = 0; j < edit->group_count; j++)
            check_slot(edit->group[j].slot, slots, false);
        for (uint32_t j = 0; j < i; j++)
            MR_ASSERT(strcmp(layout->edits[j].name, edit->name) != 0);
        /* An edit of the payload's member finds it by its name. */
        if (edit->span != MR_SLOT_NONE)
            MR_ASSERT(strcmp(domain->tracked_names[edit->span], edit->name) == 0);
    }
}

static void check_key(const struct mr_plan_domain *domain, const struct mr_plan_key *key)
{
    if (!key->given)
        return;
    MR_ASSERT(key->global == (key->slots_count == 0));
    MR_ASSERT(key->key_id < domain->shape.keys_count);
    for (uint32_t i = 0; i < key->slots_count; i++)
        check_slot(key->slots[i], domain->shape.slots_count, false);
}

static void check_options(const struct mr_plan_domain *domain, const struct mr_options *options)
{
    for (uint32_t i = 0; i < options->count; i++) {
        const struct mr_option_value *value = &options->values[i];
        MR_ASSERT(!value->given || value->present);
        for (uint32_t j = 0; value->slots != NULL && j < value->count; j++)
            check_slot(value->slots[j], domain->shape.slots_count, false);
        for (uint32_t j = 0; value->programs != NULL && j < value->count; j++)
            MR_ASSERT(value->programs[j] != NULL);
        for (uint32_t j = 0; value->objects != NULL && j < value->count; j++)
            check_options(domain, &value->objects[j]);
    }
}

static void check_domain(const struct mr_plan *plan, uint32_t index)
{
    const struct mr_plan_domain *domain = domain_at(plan, index);
    for (uint32_t i = 0; i < domain->reads_count; i++) {
        check_slot(domain->reads[i].slot, domain->shape.slots_count, false);
        for (uint32_t j = 0; j < i; j++) {
            MR_ASSERT(domain->reads[i].slot != domain->reads[j].slot);
            MR_ASSERT(!mr_path_equal(&domain->reads[i].path, &domain->reads[j].path));
        }
    }
    for (uint32_t i = 0; i < MR_META_COUNT; i++)
        check_slot(domain->meta_slots[i], domain->shape.slots_count, true);
    for (uint32_t i = 0; i < domain->field_slots_count; i++)
        check_slot(domain->field_slots[i], domain->shape.slots_count, false);
}

static void check_input(const struct mr_plan *plan, const struct mr_plan_node *node, uint32_t index)
{
    const struct mr_plan_input *input = &node->inputs[index];
    const struct mr_plan_node *producer = &plan->nodes[input->producer];
    MR_ASSERT(input->output < producer->outputs_count);
    const struct mr_plan_output *output = &producer->outputs[input->output];
    const struct mr_plan_domain *domain = domain_at(plan, input->domain);
    check_layout(domain, input->layout);
    if (input->repartition) {
        MR_ASSERT(input->repartition_index < plan->repartitions_count);
        MR_ASSERT(plan->repartitions[input->repartition_index].source_domain == input->domain);
    } else {
        MR_ASSERT(output->domain == input->domain);
        MR_ASSERT(producer->subtopology == node->subtopology);
        bool found = false;
        for (uint32_t i = 0; i < output->edges_count; i++)
            found = found ||
                    (output->edges[i].consumer == node->index && output->edges[i].port == index);
        MR_ASSERT(found);
    }
    if (input->slot_map == NULL)
        return;
    const struct mr_batch_shape *derived = &domain_at(plan, node->outputs[0].domain)->shape;
    for (uint32_t i = 0; i < derived->slots_count; i++)
        check_slot(input->slot_map[i], domain->shape.slots_count, true);
    for (uint32_t i = 0; i < derived->spans_count; i++)
        check_slot(input->span_map[i], domain->shape.spans_count, true);
    for (uint32_t i = 0; i < derived->keys_count; i++)
        check_slot(input->key_map[i], domain->shape.keys_count, true);
}

static void check_join_side(const struct mr_plan *plan, const struct mr_plan_node *node,
                            uint32_t index)
{
    const struct mr_plan_join_side *side = &node->join->sides[index];
    const struct mr_plan_domain *input = domain_at(plan, node->inputs[index].domain);
    const struct mr_batch_shape *pairs = &domain_at(plan, node->outputs[0].domain)->shape;
    check_key(input, &side->key);
    check_slot(side->text_slot, input->shape.slots_count, true);
    for (uint32_t i = 0; i < side->slots_count; i++) {
        check_slot(side->input_slots[i], input->shape.slots_count, false);
        check_slot(side->main_slots[i], pairs->slots_count, true);
        MR_ASSERT(side->only_slots[i] == MR_SLOT_NONE || side->only.slot_map != NULL);
        MR_ASSERT(i == 0 || strcmp(side->names[i - 1], side->names[i]) <= 0);
    }
    for (uint32_t i = 0; i < side->spans_count; i++)
        check_slot(side->input_spans[i], input->shape.spans_count, true);
    if (side->only.slot_map == NULL)
        return;
    const struct mr_batch_shape *only = &domain_at(plan, node->outputs[1 + index].domain)->shape;
    for (uint32_t i = 0; i < side->slots_count; i++)
        check_slot(side->only_slots[i], only->slots_count, true);
    for (uint32_t i = 0; i < side->spans_count; i++)
        check_slot(side->only_spans[i], only->spans_count, true);
}

static void check_node(const struct mr_plan *plan, const struct mr_plan_node *node)
{
    bool source = node->type->role == MR_ROLE_SOURCE;
    MR_ASSERT(node->subtopology < plan->subtopologies_count);
    MR_ASSERT(source == (node->inputs_count == 0));
    for (uint32_t i = 0; i < node->inputs_count; i++)
        check_input(plan, node, i);
    const struct mr_plan_domain *read =
        domain_at(plan, source ? node->outputs[0].domain : node->inputs[0].domain);
    check_key(read, &node->key);
    check_options(node->join == NULL ? read : domain_at(plan, node->outputs[0].domain),
                  &node->options);
    for (uint32_t i = 0; node->join != NULL && i < 2; i++)
        if (node->join->sides[i].name != NULL)
            check_join_side(plan, node, i);
    check_slot(node->timestamp_slot, read->shape.slots_count, true);
    check_slot(node->watermark_slot, read->shape.slots_count, true);
    check_slot(node->value_slot, read->shape.slots_count, true);
    if (node->type->role == MR_ROLE_SINK) {
        check_layout(read, node->layout);
        MR_ASSERT(node->outputs_count == 0);
        return;
    }
    const struct mr_batch_shape *shape = &domain_at(plan, node->outputs[0].domain)->shape;
    for (uint32_t i = 0; node->added_slots != NULL && i < node->type->added_fields_count; i++)
        check_slot(node->added_slots[i], shape->slots_count, false);
    for (uint32_t i = 0; i < node->set_slots_count; i++)
        check_slot(node->set_slots[i], shape->slots_count, false);
    for (uint32_t i = 0; i < node->outputs_count; i++)
        check_layout(domain_at(plan, node->outputs[i].domain), node->outputs[i].layout);
}

static void check_repartition(const struct mr_plan *plan,
                              const struct mr_plan_repartition *repartition)
{
    const struct mr_plan_node *producer = &plan->nodes[repartition->producer];
    MR_ASSERT(repartition->from_subtopology == producer->subtopology);
    MR_ASSERT(repartition->edges_count > 0);
    MR_ASSERT(repartition->reason != NULL);
    check_key(domain_at(plan, producer->outputs[repartition->output].domain), &repartition->key);
    for (uint32_t i = 0; i < repartition->edges_count; i++) {
        const struct mr_plan_node *reader = &plan->nodes[repartition->edges[i].consumer];
        MR_ASSERT(reader->subtopology == repartition->to_subtopology);
        MR_ASSERT(reader->inputs[repartition->edges[i].port].repartition);
    }
}

/* Every node is in exactly one subtopology, behind what it reads. */
static void check_subtopologies(const struct mr_plan *plan)
{
    bool *seen = mr_memory_new(plan->nodes_count, sizeof(*seen));
    for (uint32_t i = 0; i < plan->subtopologies_count; i++) {
        const struct mr_plan_subtopology *part = &plan->subtopologies[i];
        MR_ASSERT(part->sources_count + part->repartitions_count > 0);
        for (uint32_t j = 0; j < part->nodes_count; j++) {
            const struct mr_plan_node *node = &plan->nodes[part->nodes[j]];
            MR_ASSERT(node->subtopology == i && !seen[node->index]);
            seen[node->index] = true;
            for (uint32_t k = 0; k < node->inputs_count; k++)
                MR_ASSERT(node->inputs[k].repartition || seen[node->inputs[k].producer]);
        }
        for (uint32_t j = 0; j < i; j++)
            MR_ASSERT(strcmp(plan->subtopologies[j].name, part->name) != 0);
    }
    for (uint32_t i = 0; i < plan->nodes_count; i++)
        MR_ASSERT(seen[i]);
    mr_memory_free(seen);
}

void mr_plan_check(const struct mr_plan *plan)
{
    MR_ASSERT(plan->replayable == (plan->not_replayable_reason == NULL));
    for (uint32_t i = 0; i < plan->domains_count; i++)
        check_domain(plan, i);
    for (uint32_t i = 0; i < plan->nodes_count; i++)
        check_node(plan, &plan->nodes[i]);
    for (uint32_t i = 0; i < plan->repartitions_count; i++)
        check_repartition(plan, &plan->repartitions[i]);
    check_subtopologies(plan);
}
