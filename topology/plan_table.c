/* topology/plan_table.c — sources that are tables, and joins with them.
 * Design: a join's row stays where it is; the table's record is one write of kind RECORD into it,
 * as the sides of pairs are (plan_join.c): what is read of it becomes a column of the row. */
#include "topology/planner.h"

#include "base/assert.h"
#include "topology/option_text.h"

enum { STREAM, TABLE, INPUTS_COUNT };

static bool is_table(const struct mr_definition_entry *entry)
{
    if (entry->role != MR_ROLE_SOURCE || entry->type == NULL)
        return false;
    const struct mr_option_value *table = mr_definition_value(entry, "table");
    return table != NULL && table->present && table->boolean;
}

void mr_planner_table_source(struct mr_planner *planner, struct mr_node_draft *node)
{
    static const char *const only_tables[] = {"retention", "load_timeout"};
    const struct mr_definition_entry *entry = node->entry;
    const struct mr_option_value *key = mr_definition_value(entry, "key");
    const struct mr_option_value *format = mr_definition_value(entry, "key_format");
    for (size_t i = 0; i < MR_ARRAY_COUNT(only_tables) && !is_table(entry); i++) {
        const struct mr_option_value *value = mr_definition_value(entry, only_tables[i]);
        if (value != NULL && value->given)
            mr_report_add(planner->report, MR_SEVERITY_ERROR, value->location,
                          "'%s' has no meaning without 'table: true'", only_tables[i]);
    }
    if (!is_table(entry))
        return;
    node->plan->is_table = true;
    node->plan->retention_ms = mr_definition_value(entry, "retention")->integer;
    node->plan->load_timeout_ms = mr_definition_value(entry, "load_timeout")->integer;
    if (key == NULL || !key->present)
        mr_report_add(
            planner->report, MR_SEVERITY_ERROR, mr_definition_value(entry, "table")->location,
            "the table '%s' must say its key: the fields that its message key is made of, "
            "as in key: [id]",
            entry->name);
    if (format != NULL && format->present && format->integer != MR_KEY_FORMAT_TEXT)
        mr_report_add(
            planner->report, MR_SEVERITY_ERROR, format->location,
            "the table '%s' must have text keys, as the streams have that are joined with "
            "it: key_format %s is not available",
            entry->name, format->text);
}

void mr_planner_check_tables(struct mr_planner *planner, const struct mr_node_draft *node)
{
    for (uint32_t i = 0; i < node->graph->inputs_count; i++) {
        const struct mr_graph_input *input = &node->graph->inputs[i];
        if (!input->known)
            continue;
        const struct mr_definition_entry *producer = planner->nodes[input->producer].entry;
        bool wants_table = strcmp(input->option, "table") == 0;
        if (wants_table && !is_table(producer))
            mr_report_add(planner->report, MR_SEVERITY_ERROR, input->location,
                          "'%s' is no table: 'table' takes a source with table: true",
                          producer->name);
        else if (!wants_table && is_table(producer))
            mr_report_add(planner->report, MR_SEVERITY_ERROR, input->location,
                          "'%s' is a table: only the input 'table' of a join reads it",
                          producer->name);
    }
}

/* Tasks begin at different times: only from its beginning on they all have the same table. */
static void check_start(struct mr_planner *planner, const struct mr_definition_entry *source)
{
    const struct mr_option_value *start = mr_definition_value(source, "start");
    if (start == NULL || !start->present || strcmp(start->text, "earliest") == 0)
        return;
    mr_report_add(planner->report, MR_SEVERITY_ERROR, start->location,
                  "the lookup '%s' is read by every task from its beginning: start: %s is not "
                  "available",
                  source->name, start->text);
}

/* A table belongs to tasks by its key, or to every task. */
static bool claim_table(struct mr_planner *planner, const struct mr_node_draft *node)
{
    const struct mr_graph_input *input = &node->graph->inputs[TABLE];
    struct mr_node_draft *source = &planner->nodes[input->producer];
    bool broadcast = (node->entry->type->flags & MR_TYPE_LOOKUP) != 0;
    if (source->is_claimed && source->plan->is_broadcast != broadcast) {
        mr_report_add(planner->report, MR_SEVERITY_ERROR, input->location,
                      "'%s' is read by a lookup and by another join: give each a source of its own",
                      source->entry->name);
        return false;
    }
    if (broadcast && !source->is_claimed)
        check_start(planner, source->entry);
    source->is_claimed = true;
    source->plan->is_broadcast = broadcast;
    return true;
}

/* A record that waited is joined as of its own time: the table must still know that. */
static void check_wait(struct mr_planner *planner, const struct mr_node_draft *node,
                       const struct mr_plan_node *table)
{
    if (!mr_plan_waits(&node->entry->options))
        return;
    const struct mr_option_value *wait = mr_options_get(&node->entry->options, "join_wait");
    if (table->retention_ms < wait->integer)
        mr_report_add(planner->report, MR_SEVERITY_ERROR, wait->location,
                      "records that wait are joined with the table as of their own time, which "
                      "'%s' keeps for %s: give it a retention of at least join_wait, %s",
                      table->name, mr_option_duration_text(planner->arena, table->retention_ms),
                      mr_option_duration_text(planner->arena, wait->integer));
}

void mr_planner_table_join(struct mr_planner *planner, struct mr_node_draft *node)
{
    const struct mr_option_value *key = mr_definition_value(node->entry, "key");
    if (node->graph->inputs_count != INPUTS_COUNT || node->inputs[STREAM].view->unknown ||
        node->inputs[TABLE].view->unknown || key == NULL || !key->present)
        return;
    const struct mr_record_view *table = node->inputs[TABLE].view;
    const struct mr_definition_entry *source =
        planner->nodes[node->graph->inputs[TABLE].producer].entry;
    if (!is_table(source) || !table->keyed || !claim_table(planner, node))
        return; /* reported */
    if (table->key_count != key->count) {
        mr_report_add(
            planner->report, MR_SEVERITY_ERROR, key->location,
            "'key' has %u fields and the key of the table '%s' has %u, %s: name the fields "
            "of the stream that stand for them, in their order",
            key->count, source->name, table->key_count,
            mr_planner_key_text(planner, table->key_paths, table->key_count));
        return;
    }
    check_wait(planner, node, planner->nodes[node->graph->inputs[TABLE].producer].plan);
    node->sides = mr_arena_new(planner->arena, INPUTS_COUNT, sizeof(*node->sides));
    node->sides[STREAM].text_slot = MR_SLOT_NONE;
    struct mr_join_side_draft *side = &node->sides[TABLE];
    const struct mr_option_value *as = mr_definition_value(node->entry, "as");
    side->name = as != NULL && as->present ? as->text : source->name;
    side->view = table;
    side->text_slot = MR_SLOT_NONE;
    (void)mr_planner_bind_key(planner, table, "key", mr_definition_value(source, "key"),
                              &side->key);
}

void mr_planner_write_table(struct mr_planner *planner, struct mr_node_draft *node,
                            struct mr_record_view *view)
{
    const struct mr_option_value *as = mr_definition_value(node->entry, "as");
    if (view->unknown)
        return;
    node->sides[TABLE].domain = view->domain;
    struct mr_write_draft write = {.kind = MR_WRITE_RECORD,
                                   .name = node->sides[TABLE].name,
                                   .writer = node->entry->name,
                                   .type = mr_planner_type(MR_TYPE_ANY),
                                   .side = &node->sides[TABLE]};
    mr_view_write(planner, view, &write,
                  as != NULL && as->given ? as->location : node->entry->name_location);
}
