/* topology/plan_bind.c — options to columns and programs: paths are resolved, expressions compiled.
 * Design: every option of a path or expression type is bound the same way, nested ones too, so that
 * a new operator needs nothing here. Checks against declared types happen where the type is known.
 */
#include "topology/planner.h"

#include <inttypes.h>

#include "base/zone.h"
#include "topology/aggregate_parse.h"
#include "topology/substitute.h"

struct binding {
    struct mr_planner *planner;
    struct mr_node_draft *node;
    const struct mr_record_view *view;
    const struct mr_yaml_node *yaml; /* the mapping that the options were read from, or NULL */
    bool in_watermark;               /* the options are a source's `watermark` */
};

/* ---- Expressions ---- */

static bool resolve_meta(struct mr_planner *planner, const struct mr_record_view *view,
                         const struct mr_path *path, uint32_t *steps_used, uint32_t *slot,
                         const struct mr_type **type, struct mr_error *error)
{
    static const char *const names[MR_META_COUNT] = {"key",    "topic",     "partition",
                                                     "offset", "timestamp", "headers"};
    const char *name = path->steps_count < 2 ? NULL : path->steps[1].name;
    for (uint32_t i = 0; name != NULL && i < MR_META_COUNT; i++) {
        if (strcmp(names[i], name) != 0)
            continue;
        if (!mr_domain_meta(planner, view->domain, (enum mr_meta_field)i, true, slot)) {
            MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                    "the records of '%s' are made on the way: they have no meta.%s",
                    view->domain->name, name);
            return false;
        }
        *steps_used = 2;
        *type = view->domain->columns[*slot].type;
        return true;
    }
    const char *nearest = name == NULL ? NULL : mr_options_nearest(name, names, MR_META_COUNT);
    MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
            "meta has the members key, topic, partition, offset, timestamp and headers%s%s%s",
            nearest == NULL ? "" : "; did you mean meta.", nearest == NULL ? "" : nearest,
            nearest == NULL ? "" : "?");
    return false;
}

static bool resolve(void *argument, const struct mr_path *path, uint32_t *steps_used,
                    uint32_t *slot, const struct mr_type **type, struct mr_error *error)
{
    const struct binding *binding = argument;
    struct mr_planner *planner = binding->planner;
    const struct mr_record_view *view = binding->view;
    if (view->unknown) {
        *steps_used = path->steps_count;
        *slot = 0;
        *type = mr_planner_type(MR_TYPE_ANY);
        return true;
    }
    if (strcmp(path->steps[0].name, "meta") == 0)
        return resolve_meta(planner, view, path, steps_used, slot, type, error);
    struct mr_resolution resolution;
    struct mr_error ignored = {0};
    if (mr_view_resolve(planner, view, path, false, &resolution, &ignored) == MR_RESOLVED_FINE &&
        resolution.whole)
        return mr_view_resolve_path(planner, view, path, false, &resolution, error) ==
               MR_RESOLVED_FINE;
    if (mr_view_resolve(planner, view, path, true, &resolution, error) != MR_RESOLVED_FINE)
        return false;
    *steps_used = resolution.steps_used;
    *slot = resolution.slot;
    *type = resolution.type;
    return true;
}

/* The place in the file of a byte column of the scalar's text. False: it cannot be told. */
static bool inner_location(const struct mr_yaml_node *node, uint32_t column,
                           struct mr_location *location)
{
    if (node == NULL || node->multiline || node->kind != MR_YAML_SCALAR)
        return false;
    if (node->style == MR_YAML_DOUBLE_QUOTED && strpbrk(node->text, "\"\\\n\t") != NULL)
        return false; /* escapes take more room in the file */
    uint32_t offset = node->style == MR_YAML_PLAIN ? 0 : 1;
    for (uint32_t i = 0; i + 1 < column && node->text[i] != '\0'; i++) {
        offset += ((uint8_t)node->text[i] & 0xc0) != 0x80; /* libyaml counts code points */
        if (node->style == MR_YAML_SINGLE_QUOTED && node->text[i] == '\'')
            offset++; /* written twice */
    }
    location->column += offset;
    return true;
}

/* A failure at a byte column of an option's text. */
static void report_expression(struct mr_report *report, const char *name,
                              struct mr_location location, const struct mr_yaml_node *node,
                              uint32_t column, const struct mr_error *error)
{
    if (inner_location(node, column, &location))
        mr_report_add(report, MR_SEVERITY_ERROR, location, "'%s': %s", name, error->message);
    else
        mr_report_add(report, MR_SEVERITY_ERROR, location, "'%s' at byte %" PRIu32 ": %s", name,
                      column, error->message);
}

struct mr_program *mr_planner_compile(struct mr_arena *arena, struct mr_report *report,
                                      const char *name, const char *text,
                                      enum mr_type_code expected, struct mr_location location,
                                      const struct mr_yaml_node *node,
                                      const struct mr_expression_environment *environment)
{
    struct mr_program *program = NULL;
    uint32_t column = 0;
    struct mr_error error = {0};
    if (mr_expression_compile(arena, text, expected, environment, &program, &column, &error) ==
        MR_OK)
        return program;
    report_expression(report, name, location, node, column, &error);
    return NULL;
}

/* The scalar of an option, or of a member of its mapping. */
static const struct mr_yaml_node *scalar_of(const struct binding *binding, const char *option,
                                            const char *member)
{
    if (binding->yaml == NULL || binding->yaml->kind != MR_YAML_MAPPING)
        return NULL;
    const struct mr_yaml_pair *pair = mr_yaml_find(binding->yaml, option);
    if (pair == NULL || member == NULL)
        return pair == NULL ? NULL : pair->value;
    pair = pair->value->kind == MR_YAML_MAPPING ? mr_yaml_find(pair->value, member) : NULL;
    return pair == NULL ? NULL : pair->value;
}

static enum mr_type_code expected_type(const char *option)
{
    if (strcmp(option, "where") == 0 || strcmp(option, "having") == 0 ||
        strcmp(option, "when") == 0)
        return MR_TYPE_BOOL;
    return strcmp(option, "topic_from") == 0 ? MR_TYPE_STRING : MR_TYPE_ANY;
}

static void bind_expressions(const struct binding *binding, const struct mr_option_spec *spec,
                             struct mr_option_value *value)
{
    struct mr_planner *planner = binding->planner;
    bool single = spec->type == MR_OPTION_EXPRESSION;
    struct binding argument = *binding;
    struct mr_expression_environment environment = {.resolve = resolve, .argument = &argument};
    value->programs = mr_arena_new(planner->arena, value->count, sizeof(struct mr_program *));
    for (uint32_t i = 0; i < value->count; i++) {
        const char *text = single ? value->text : value->texts[i];
        const char *name =
            single ? spec->name
                   : mr_arena_format(planner->arena, "%s.%s", spec->name, value->names[i]);
        struct mr_location location = single ? value->location : value->locations[i];
        const struct mr_yaml_node *scalar =
            scalar_of(binding, spec->name, single ? NULL : value->names[i]);
        value->programs[i] =
            mr_planner_compile(planner->arena, planner->report, name, text,
                               expected_type(spec->name), location, scalar, &environment);
        if (value->programs[i] != NULL && mr_program_uses_now(value->programs[i]))
            planner->uses_now = binding->node->entry->name;
    }
}

/* ---- Aggregates ---- */

static void bind_aggregates(const struct binding *binding, const struct mr_option_spec *spec,
                            struct mr_option_value *value)
{
    struct mr_planner *planner = binding->planner;
    struct binding argument = *binding;
    struct mr_expression_environment environment = {.resolve = resolve, .argument = &argument};
    struct mr_aggregate_call *calls = mr_arena_new(planner->arena, value->count, sizeof(*calls));
    for (uint32_t i = 0; i < value->count; i++) {
        uint32_t column = 0;
        bool uses_now = false;
        struct mr_error error = {0};
        calls[i] = (struct mr_aggregate_call){
            .name = value->names[i], .text = value->texts[i], .location = value->locations[i]};
        if (mr_aggregate_parse(planner->arena, planner->catalogue, &environment, &calls[i],
                               &uses_now, &column, &error) != MR_OK)
            report_expression(planner->report,
                              mr_arena_format(planner->arena, "%s.%s", spec->name, value->names[i]),
                              value->locations[i], scalar_of(binding, spec->name, value->names[i]),
                              column, &error);
        if (uses_now)
            planner->uses_now = binding->node->entry->name;
    }
    value->calls = calls;
}

/* ---- Paths ---- */

static bool is_number(const struct mr_type *type)
{
    return type->code == MR_TYPE_ANY || type->code == MR_TYPE_INT || type->code == MR_TYPE_UINT ||
           type->code == MR_TYPE_DOUBLE;
}

static void check_type(const struct binding *binding, const struct mr_option_spec *spec,
                       const struct mr_path *path, struct mr_location location,
                       const struct mr_type *type)
{
    const char *expected = NULL;
    if ((spec->flags & MR_OPTION_NUMERIC) != 0 && !is_number(type))
        expected = "a number";
    if ((spec->flags & MR_OPTION_LIST) != 0 && type->code != MR_TYPE_ANY &&
        type->code != MR_TYPE_LIST)
        expected = "a list";
    bool names_time = strcmp(spec->name, "timestamp") == 0 || binding->in_watermark;
    if (names_time && !is_number(type) && type->code != MR_TYPE_STRING &&
        type->code != MR_TYPE_TIMESTAMP)
        expected = "a number, a text or a timestamp";
    if (expected != NULL)
        mr_report_add(binding->planner->report, MR_SEVERITY_ERROR, location,
                      "'%s' needs %s, but '%s' is %s by its declaration", spec->name, expected,
                      path->text, mr_type_name(binding->planner->arena, type));
}

static void bind_paths(const struct binding *binding, const struct mr_option_spec *spec,
                       struct mr_option_value *value)
{
    struct mr_planner *planner = binding->planner;
    if (strcmp(spec->name, "right_key") == 0)
        return; /* of another input: bound with the join's sides */
    value->slots = mr_arena_new(planner->arena, value->count, sizeof(*value->slots));
    value->types = mr_arena_new(planner->arena, value->count, sizeof(*value->types));
    for (uint32_t i = 0; i < value->count; i++) {
        struct mr_resolution resolution;
        struct mr_error error = {0};
        const struct mr_path *path = &value->paths[i];
        struct mr_location location =
            value->locations == NULL ? value->location : value->locations[i];
        if (mr_view_resolve_path(planner, binding->view, path, true, &resolution, &error) !=
            MR_RESOLVED_FINE)
            mr_report_add(planner->report, MR_SEVERITY_ERROR, location, "'%s': %s", spec->name,
                          error.message);
        else
            check_type(binding, spec, path, location, resolution.type);
        value->slots[i] = resolution.slot;
        value->types[i] = resolution.type;
    }
}

/* ---- Time zones ---- */

static void bind_zone(const struct binding *binding, const struct mr_option_spec *spec,
                      struct mr_option_value *value)
{
    struct mr_planner *planner = binding->planner;
    const struct mr_zone_source *zones = planner->catalogue->zones;
    struct mr_error error = {.message = "this program knows no time zones but UTC"};
    if (strcmp(value->text, "UTC") == 0)
        return;
    if (zones == NULL ||
        zones->load(zones->argument, value->text, planner->arena, &value->zone, &error) != MR_OK)
        mr_report_add(planner->report, MR_SEVERITY_ERROR, value->location, "'%s': %s", spec->name,
                      error.message);
    else
        planner->loaded_hash += value->zone->hash; /* in any order of nodes the same */
}

/* ---- Sets ---- */

static void bind_set(const struct binding *binding, const struct mr_options *options);

static void bind_nested(const struct binding *binding, const struct mr_option_spec *spec,
                        const struct mr_option_value *value)
{
    const struct mr_yaml_node *yaml = scalar_of(binding, spec->name, NULL);
    for (uint32_t i = 0; i < value->count; i++) {
        struct binding nested = *binding;
        nested.yaml = yaml;
        nested.in_watermark = strcmp(spec->name, "watermark") == 0;
        if (spec->type == MR_OPTION_OBJECTS)
            nested.yaml = yaml == NULL || yaml->kind != MR_YAML_SEQUENCE ? NULL : yaml->items[i];
        bind_set(&nested, &value->objects[i]);
    }
}

static void bind_set(const struct binding *binding, const struct mr_options *options)
{
    struct binding paired = *binding; /* a join's expressions see both its inputs */
    if (binding->node->pairs != NULL)
        paired.view = binding->node->pairs;
    for (uint32_t i = 0; i < options->count; i++) {
        const struct mr_option_spec *spec = &options->specs[i];
        struct mr_option_value *value = &options->values[i];
        if (!value->present || (spec->flags & MR_OPTION_OF_OUTPUT) != 0)
            continue;
        if (spec->type == MR_OPTION_AGGREGATES)
            bind_aggregates(binding, spec, value);
        else if (spec->type == MR_OPTION_ZONE)
            bind_zone(binding, spec, value);
        else if (spec->type == MR_OPTION_PATH || spec->type == MR_OPTION_PATHS)
            bind_paths(binding, spec, value);
        else if (spec->type == MR_OPTION_EXPRESSION || spec->type == MR_OPTION_EXPRESSIONS)
            bind_expressions(&paired, spec, value);
        else if (spec->type == MR_OPTION_OBJECT || spec->type == MR_OPTION_OBJECTS)
            bind_nested(binding, spec, value);
    }
}

/* What can be told only of compiled options. */
static void check_bound(const struct mr_planner *planner, const struct mr_definition_entry *entry)
{
    const char *option = NULL;
    struct mr_error error = {0};
    if (entry->type->check_bound == NULL ||
        entry->type->check_bound(&entry->options, &option, &error) == MR_OK)
        return;
    const struct mr_option_value *value =
        option == NULL ? NULL : mr_definition_value(entry, option);
    mr_report_add(planner->report, MR_SEVERITY_ERROR,
                  value != NULL && value->given ? value->location : entry->location,
                  "'%s' (%s): %s", entry->name, entry->type->name, error.message);
}

void mr_planner_bind(struct mr_planner *planner, struct mr_node_draft *node,
                     const struct mr_record_view *view)
{
    struct binding binding = {.planner = planner,
                              .node = node,
                              .view = node->waited != NULL ? node->waited : view,
                              .yaml = node->entry->node};
    bind_set(&binding, &node->entry->options);
    binding.view = view; /* the key is read before the record waits */
    bind_set(&binding, &node->entry->common);
    if (planner->report->errors_count == 0) /* else something may not be compiled */
        check_bound(planner, node->entry);
}

void mr_planner_bind_outputs(struct mr_planner *planner, struct mr_node_draft *node)
{
    const struct mr_options *options = &node->entry->options;
    struct binding binding = {.planner = planner,
                              .node = node,
                              .view = &node->outputs[0].view,
                              .yaml = node->entry->node};
    for (uint32_t i = 0; i < options->count; i++)
        if (options->values[i].present && options->specs[i].type != MR_OPTION_PATHS &&
            (options->specs[i].flags & MR_OPTION_OF_OUTPUT) != 0)
            bind_expressions(&binding, &options->specs[i], &options->values[i]);
}
