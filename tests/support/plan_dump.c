/* tests/support/plan_dump.c — see plan_dump.h. */
#include "tests/support/plan_dump.h"

#include "base/assert.h"

#define PUT(output, ...) MR_ASSERT(mr_buffer_append_format((output), __VA_ARGS__) == MR_OK)

static const char *slot_text(struct mr_arena *arena, uint32_t slot)
{
    return slot == MR_SLOT_NONE ? "-" : mr_arena_format(arena, "%u", slot);
}

static void put_slots(struct mr_buffer *output, struct mr_arena *arena, const char *name,
                      const uint32_t *slots, uint32_t count)
{
    if (count == 0 || slots == NULL)
        return;
    PUT(output, " %s", name);
    for (uint32_t i = 0; i < count; i++)
        PUT(output, "%s%s", i == 0 ? "=" : ",", slot_text(arena, slots[i]));
}

static void put_key(struct mr_buffer *output, struct mr_arena *arena, const struct mr_plan_key *key)
{
    if (!key->given)
        return;
    PUT(output, "    key id=%u format=%d%s", key->key_id, (int)key->format,
        key->global ? " global" : "");
    for (uint32_t i = 0; i < key->slots_count; i++)
        PUT(output, " %s@%s", key->texts[i], slot_text(arena, key->slots[i]));
    PUT(output, "\n");
}

static void put_layout(struct mr_buffer *output, const struct mr_layout *layout)
{
    PUT(output, "%s", layout->from_payload ? "payload" : "empty");
    for (uint32_t i = 0; i < layout->edits_count; i++) {
        const struct mr_edit *edit = &layout->edits[i];
        PUT(output, "; %s", edit->name);
        if (edit->slot != MR_SLOT_NONE)
            PUT(output, "=slot %u", edit->slot);
        if (edit->raw_span != MR_SLOT_NONE)
            PUT(output, "=raw span %u", edit->raw_span);
        if (edit->remove)
            PUT(output, " removed");
        for (uint32_t j = 0; j < edit->group_count; j++)
            PUT(output, "%s%s=%u%s", j == 0 ? "={" : " ", edit->group[j].name, edit->group[j].slot,
                j + 1 == edit->group_count ? "}" : "");
        if (edit->span != MR_SLOT_NONE)
            PUT(output, " over span %u", edit->span);
    }
    PUT(output, "\n");
}

static void put_domain(struct mr_buffer *output, struct mr_arena *arena,
                       const struct mr_plan_domain *domain)
{
    static const char *const meta[] = {"key",    "topic",     "partition",
                                       "offset", "timestamp", "headers"};
    PUT(output, "domain %u: slots %u, spans %u, keys %u\n", domain->index,
        domain->shape.slots_count, domain->shape.spans_count, domain->shape.keys_count);
    for (uint32_t i = 0; i < domain->reads_count; i++)
        PUT(output, "    read %s -> %u (%s)\n", domain->reads[i].path.text, domain->reads[i].slot,
            mr_type_name(arena, domain->reads[i].type));
    for (uint32_t i = 0; i < domain->shape.spans_count; i++)
        PUT(output, "    span %u = %s\n", i, domain->tracked_names[i]);
    for (uint32_t i = 0; i < MR_META_COUNT; i++)
        if (domain->meta_slots[i] != MR_SLOT_NONE)
            PUT(output, "    meta.%s -> %u\n", meta[i], domain->meta_slots[i]);
    if (domain->field_slots_count > 0) {
        PUT(output, "   ");
        put_slots(output, arena, "fields", domain->field_slots, domain->field_slots_count);
        PUT(output, "\n");
    }
}

static void put_options(struct mr_buffer *output, struct mr_arena *arena,
                        const struct mr_options *options, const char *prefix)
{
    for (uint32_t i = 0; i < options->count; i++) {
        const struct mr_option_value *value = &options->values[i];
        const char *name = options->specs[i].name;
        if (value->paths != NULL && value->slots != NULL)
            for (uint32_t j = 0; j < value->count; j++)
                PUT(output, "    %s%s %s@%s\n", prefix, name, value->paths[j].text,
                    slot_text(arena, value->slots[j]));
        for (uint32_t j = 0; value->programs != NULL && j < value->count; j++)
            PUT(output, "    %s%s %s: %s\n", prefix, name,
                value->names == NULL ? "" : value->names[j],
                mr_type_name(arena, mr_program_type(value->programs[j])));
        for (uint32_t j = 0; value->objects != NULL && j < value->count; j++)
            put_options(output, arena, &value->objects[j],
                        mr_arena_format(arena, "%s%s[%u].", prefix, name, j));
    }
}

static void put_inputs(struct mr_buffer *output, struct mr_arena *arena, const struct mr_plan *plan,
                       const struct mr_plan_node *node)
{
    for (uint32_t i = 0; i < node->inputs_count; i++) {
        const struct mr_plan_input *input = &node->inputs[i];
        const struct mr_plan_node *producer = &plan->nodes[input->producer];
        PUT(output, "    %s <- %s.%s domain %u", input->option, producer->name,
            producer->outputs[input->output].name, input->domain);
        if (input->repartition)
            PUT(output, " through %s", plan->repartitions[input->repartition_index].name);
        if (input->slot_map != NULL) {
            const struct mr_batch_shape *shape = &plan->domains[node->outputs[0].domain].shape;
            put_slots(output, arena, "slots", input->slot_map, shape->slots_count);
            put_slots(output, arena, "spans", input->span_map, shape->spans_count);
            put_slots(output, arena, "keys", input->key_map, shape->keys_count);
        }
        PUT(output, "\n");
    }
}

static void put_maps(struct mr_buffer *output, struct mr_arena *arena, const char *name,
                     const struct mr_plan_input *input, const struct mr_batch_shape *shape)
{
    PUT(output, "        %s", name);
    put_slots(output, arena, "slots", input->slot_map, shape->slots_count);
    put_slots(output, arena, "spans", input->span_map, shape->spans_count);
    put_slots(output, arena, "keys", input->key_map, shape->keys_count);
    PUT(output, "\n");
}

static void put_join(struct mr_buffer *output, struct mr_arena *arena, const struct mr_plan *plan,
                     const struct mr_plan_node *node)
{
    for (uint32_t i = 0; node->join != NULL && i < 2; i++) {
        const struct mr_plan_join_side *side = &node->join->sides[i];
        if (side->name == NULL)
            continue;
        PUT(output, "    side %s%s text %s:", side->name, side->whole ? " whole" : "",
            slot_text(arena, side->text_slot));
        for (uint32_t j = 0; j < side->slots_count; j++)
            PUT(output, " '%s' %s>%s,%s", side->names[j], slot_text(arena, side->input_slots[j]),
                slot_text(arena, side->main_slots[j]), slot_text(arena, side->only_slots[j]));
        for (uint32_t j = 0; j < side->spans_count; j++)
            PUT(output, " span %s>%s", slot_text(arena, side->input_spans[j]),
                slot_text(arena, side->only_spans[j]));
        PUT(output, "\n    ");
        put_key(output, arena, &side->key);
        if (side->only.slot_map != NULL)
            put_maps(output, arena, "only", &side->only,
                     &plan->domains[node->outputs[1 + i].domain].shape);
        if (side->late.slot_map != NULL)
            put_maps(output, arena, "late", &side->late,
                     &plan->domains[node->outputs[3].domain].shape);
    }
}

static void put_node(struct mr_buffer *output, struct mr_arena *arena, const struct mr_plan *plan,
                     const struct mr_plan_node *node)
{
    PUT(output, "node %s (%s) in %s\n", node->name, node->type->name,
        plan->subtopologies[node->subtopology].name);
    put_inputs(output, arena, plan, node);
    put_key(output, arena, &node->key);
    put_options(output, arena, &node->options, "");
    put_join(output, arena, plan, node);
    if (node->is_table)
        PUT(output, "    table%s, retention %lld ms\n", node->is_broadcast ? " of every task" : "",
            (long long)node->retention_ms);
    if (node->timestamp_slot != MR_SLOT_NONE)
        PUT(output, "    timestamp slot %u\n", node->timestamp_slot);
    if (node->watermark_slot != MR_SLOT_NONE)
        PUT(output, "    watermark slot %u\n", node->watermark_slot);
    if (node->added_slots != NULL) {
        PUT(output, "    as %s", node->as);
        put_slots(output, arena, "slots", node->added_slots, node->type->added_fields_count);
        PUT(output, "\n");
    }
    if (node->set_slots_count > 0) {
        PUT(output, "   ");
        put_slots(output, arena, "set", node->set_slots, node->set_slots_count);
        PUT(output, "\n");
    }
    for (uint32_t i = 0; i < node->headers_count; i++)
        PUT(output, "    header %s\n", node->header_names[i]);
    if (node->value_slot != MR_SLOT_NONE)
        PUT(output, "    value slot %u\n", node->value_slot);
    if (node->layout != NULL) {
        PUT(output, "    writes%s ", node->where == NULL ? "" : " where,");
        put_layout(output, node->layout);
    }
    for (uint32_t i = 0; i < node->outputs_count; i++) {
        const struct mr_plan_output *out = &node->outputs[i];
        PUT(output, "    -> %s domain %u:", out->name, out->domain);
        for (uint32_t j = 0; j < out->edges_count; j++)
            PUT(output, " %s[%u]", plan->nodes[out->edges[j].consumer].name, out->edges[j].port);
        PUT(output, " | ");
        put_layout(output, out->layout);
    }
}

static void put_repartition(struct mr_buffer *output, struct mr_arena *arena,
                            const struct mr_plan *plan,
                            const struct mr_plan_repartition *repartition)
{
    PUT(output, "repartition %s: %s.%s -> domain %u, %s to %s%s\n    because %s\n",
        repartition->name, plan->nodes[repartition->producer].name,
        plan->nodes[repartition->producer].outputs[repartition->output].name,
        repartition->source_domain, plan->subtopologies[repartition->from_subtopology].name,
        plan->subtopologies[repartition->to_subtopology].name,
        repartition->single_partition ? ", one partition" : "", repartition->reason);
    put_key(output, arena, &repartition->key);
    for (uint32_t i = 0; i < repartition->edges_count; i++)
        PUT(output, "    read by %s[%u]\n", plan->nodes[repartition->edges[i].consumer].name,
            repartition->edges[i].port);
}

static void put_subtopology(struct mr_buffer *output, const struct mr_plan *plan,
                            const struct mr_plan_subtopology *part)
{
    PUT(output, "subtopology %s%s:", part->name, part->stateful ? " (stateful)" : "");
    for (uint32_t i = 0; i < part->nodes_count; i++)
        PUT(output, " %s", plan->nodes[part->nodes[i]].name);
    PUT(output, " | reads");
    for (uint32_t i = 0; i < part->sources_count; i++)
        PUT(output, " %s", plan->nodes[part->sources[i]].name);
    for (uint32_t i = 0; i < part->repartitions_count; i++)
        PUT(output, " %s", plan->repartitions[part->repartitions[i]].name);
    PUT(output, "\n");
}

void mr_plan_dump(const struct mr_report *report, const struct mr_plan *plan,
                  struct mr_buffer *output)
{
    for (uint32_t i = 0; i < report->findings_count; i++) {
        const struct mr_finding *finding = &report->findings[i];
        PUT(output, "%u:%u: %s: %s\n", finding->location.line, finding->location.column,
            finding->severity == MR_SEVERITY_ERROR ? "error" : "warning", finding->message);
    }
    if (plan == NULL)
        return;
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    PUT(output, "plan %s, %s, every %lld ms, %s%s\n", plan->name,
        plan->exactly_once ? "exactly once" : "at least once", (long long)plan->commit_interval_ms,
        plan->replayable ? "replayable" : "not replayable: ",
        plan->replayable ? "" : plan->not_replayable_reason);
    for (uint32_t i = 0; i < plan->domains_count; i++)
        put_domain(output, &arena, &plan->domains[i]);
    for (uint32_t i = 0; i < plan->nodes_count; i++)
        put_node(output, &arena, plan, &plan->nodes[i]);
    for (uint32_t i = 0; i < plan->repartitions_count; i++)
        put_repartition(output, &arena, plan, &plan->repartitions[i]);
    for (uint32_t i = 0; i < plan->subtopologies_count; i++)
        put_subtopology(output, plan, &plan->subtopologies[i]);
    mr_arena_deinit(&arena);
}
