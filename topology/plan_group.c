/* topology/plan_group.c — rows that stand for groups of rows: windows and running aggregates.
 * Design: the output is a row space of its own with known fields, in this order: those of the key,
 * by the last name of their paths; those of the type (the window's times); those of the option
 * `fields`, by the last names too (before the type's where the output says so); one per aggregate,
 * in name order. Rows stay in the task of their
 * key, so that whoever groups by the same fields behind needs no repartition. */
#include "topology/planner.h"

#include "topology/aggregate_parse.h"

struct group_fields {
    struct mr_planner *planner;
    struct mr_output_field *items;
    uint32_t count;
    bool fine;
};

/* option: where the name comes from; NULL: from the type. */
static void add_field(struct group_fields *fields, const char *option, const char *name,
                      enum mr_type_code type, struct mr_location location)
{
    for (uint32_t i = 0; i < fields->count; i++) {
        if (strcmp(fields->items[i].name, name) != 0)
            continue;
        if (option == NULL)
            mr_report_add(fields->planner->report, MR_SEVERITY_ERROR, location,
                          "%s field '%s' has the name of a field that the results have anyway: "
                          "rename it by a map before",
                          strcmp(fields->items[i].help, "key") == 0 ? "the key's" : "the learned",
                          name);
        else
            mr_report_add(fields->planner->report, MR_SEVERITY_ERROR, location,
                          "'%s' makes a second field '%s' of the results; the first is %s", option,
                          name, fields->items[i].help);
        fields->fine = false;
        return;
    }
    fields->items[fields->count++] =
        (struct mr_output_field){name, type, option == NULL ? "the operator's own" : option};
}

/* The option's fields are no input's. */
static bool is_of_output(const struct mr_node_draft *node, const char *option)
{
    const struct mr_option_spec *specs = node->entry->options.specs;
    int index = mr_option_specs_find(specs, option);
    return index >= 0 && (specs[index].flags & MR_OPTION_OF_OUTPUT) != 0;
}

/* Fields of the input that the results have too, with their types; or fields of any type. */
static void add_paths(struct group_fields *fields, const struct mr_node_draft *node,
                      const char *option, const struct mr_option_value *key)
{
    bool is_read = !is_of_output(node, option);
    for (uint32_t i = 0; key != NULL && key->present && i < key->count; i++) {
        struct mr_resolution resolution = {.type = mr_planner_type(MR_TYPE_ANY)};
        struct mr_error error = {0};
        if (!is_read ||
            mr_view_resolve(fields->planner, node->inputs[0].view, &key->paths[i], false,
                            &resolution, &error) != MR_RESOLVED_FINE ||
            resolution.steps_used != key->paths[i].steps_count)
            resolution.type = mr_planner_type(MR_TYPE_ANY);
        add_field(fields, option, mr_path_last_name(&key->paths[i]), resolution.type->code,
                  key->locations == NULL ? key->location : key->locations[i]);
    }
}

static void add_aggregates(struct group_fields *fields, const struct mr_option_value *aggregates)
{
    for (uint32_t i = 0; aggregates != NULL && aggregates->calls != NULL && i < aggregates->count;
         i++)
        add_field(fields, "aggregates", aggregates->names[i],
                  mr_aggregate_type(&aggregates->calls[i])->code, aggregates->locations[i]);
}

/* The rows are spread as their input's groups are. */
static void keep_key(struct mr_planner *planner, const struct mr_node_draft *node,
                     const struct mr_option_value *key, struct mr_record_view *view)
{
    const struct mr_option_value *scope = mr_definition_value(node->entry, "scope");
    if (scope != NULL && scope->text != NULL && strcmp(scope->text, "partition") == 0) {
        view->key_lost =
            mr_arena_format(planner->arena, "'%s' has scope: partition", node->entry->name);
        return;
    }
    if (key == NULL || !key->present)
        return;
    struct mr_path *paths = mr_arena_new(planner->arena, key->count, sizeof(*paths));
    for (uint32_t i = 0; i < key->count; i++)
        paths[i] = mr_planner_name_path(planner, mr_path_last_name(&key->paths[i]));
    view->keyed = true;
    view->key_paths = paths;
    view->key_count = key->count;
}

void mr_view_groups(struct mr_planner *planner, struct mr_node_draft *node, uint32_t number,
                    struct mr_record_view *view)
{
    const struct mr_option_value *key = mr_definition_value(node->entry, "key");
    const struct mr_option_value *aggregates =
        number == 0 ? mr_definition_value(node->entry, "aggregates") : NULL;
    const struct mr_output_spec *output = &node->entry->type->outputs[number];
    /* A type without fields of its own has those of its option. */
    bool has_made = output->fields == NULL || output->has_made_fields;
    if (number > 0 && has_made && (node->entry->type->flags & MR_TYPE_ANSWERS) != 0)
        has_made = mr_planner_answers(node); /* else nothing leaves here */
    const struct mr_option_value *made =
        has_made ? mr_definition_value(node->entry, "fields") : NULL;
    bool has_own = output->has_fields == NULL || output->has_fields(&node->entry->options);
    uint32_t own_count = has_own ? output->fields_count : 0;
    uint32_t most = own_count + (key == NULL ? 0 : key->count) + (made == NULL ? 0 : made->count) +
                    (aggregates == NULL ? 0 : aggregates->count);
    struct group_fields fields = {.planner = planner, .fine = true};
    fields.items = mr_arena_new(planner->arena, most, sizeof(*fields.items));
    add_paths(&fields, node, "key", key);
    if (output->has_made_fields)
        add_paths(&fields, node, "fields", made);
    for (uint32_t i = 0; i < own_count; i++)
        add_field(&fields, NULL, output->fields[i].name, output->fields[i].type,
                  node->entry->name_location);
    if (!output->has_made_fields)
        add_paths(&fields, node, "fields", made);
    add_aggregates(&fields, aggregates);
    mr_view_fields(planner,
                   number == 0
                       ? node->entry->name
                       : mr_arena_format(planner->arena, "%s.%s", node->entry->name, output->name),
                   fields.items, fields.count, view);
    view->unknown = node->inputs[0].view->unknown || !fields.fine;
    keep_key(planner, node, key, view);
}
