/* topology/parse_options.c — see parse_options.h.
 * Design: parse_value.c turns single values into what an option holds; here are tables: required,
 * default, unknown, nested. */
#include "topology/parse_options.h"

#include "topology/option_text.h"
#include "topology/parse_value.h"

const char *mr_nearest_text(struct mr_arena *arena, const char *text, const char *const *names,
                            uint32_t count)
{
    const char *nearest = mr_options_nearest(text, names, count);
    return nearest == NULL ? "" : mr_arena_format(arena, "; did you mean '%s'?", nearest);
}

/* A default has no place of its own. */
static void forget_places(struct mr_yaml_node *node)
{
    node->location = (struct mr_location){0, 0};
    node->multiline = true;
    for (uint32_t i = 0; i < node->count; i++)
        forget_places(node->kind == MR_YAML_MAPPING ? node->pairs[i].value : node->items[i]);
}

static bool is_scalar_type(enum mr_option_type type)
{
    return type <= MR_OPTION_INSTANT || type == MR_OPTION_PATH || type == MR_OPTION_EXPRESSION ||
           type == MR_OPTION_REFERENCE;
}

/* The default's text as a node: a scalar as it is, a collection by the YAML parser. */
static struct mr_yaml_node *default_node(const struct mr_options_parser *parser,
                                         const struct mr_option_spec *spec)
{
    struct mr_yaml_node *node;
    if (is_scalar_type(spec->type)) {
        node = mr_arena_new(parser->arena, 1, sizeof(*node));
        node->kind = MR_YAML_SCALAR;
        node->text = spec->default_text;
        node->scalar = mr_yaml_classify(node->text);
        node->substituted = true; /* fits where a text or a number is wanted */
    } else {
        node = mr_yaml_parse(mr_slice_text(spec->default_text), parser->arena, parser->report);
    }
    if (node != NULL)
        forget_places(node);
    return node;
}

static void parse_nested(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                         const struct mr_yaml_node *node, struct mr_options *options)
{
    if (node->kind != MR_YAML_MAPPING) {
        mr_report_add(parser->report, MR_SEVERITY_ERROR, node->location,
                      "'%s%s' is %s, expected %s", parser->prefix, spec->name,
                      mr_yaml_describe(parser->arena, node), mr_option_type_text(spec->type));
        node = NULL;
    }
    struct mr_options_parser nested = *parser;
    nested.entry = false;
    nested.prefix = mr_arena_format(parser->arena, "%s%s.", parser->prefix, spec->name);
    if (node == NULL)
        return;
    mr_options_parse(&nested, spec->fields, node, node->location, options);
    mr_options_check_unknown(&nested, node, &spec->fields, 1);
}

static void parse_objects(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                          const struct mr_yaml_node *node, struct mr_option_value *value)
{
    bool list = spec->type == MR_OPTION_OBJECTS;
    if (list && node->kind != MR_YAML_SEQUENCE) {
        mr_value_report_type(parser, spec, node);
        return;
    }
    uint32_t count = list ? node->count : 1;
    struct mr_options *objects = mr_arena_new(parser->arena, count, sizeof(*objects));
    struct mr_location *locations = mr_arena_new(parser->arena, count, sizeof(*locations));
    for (uint32_t i = 0; i < count; i++) {
        const struct mr_yaml_node *item = list ? node->items[i] : node;
        locations[i] = item->location;
        parse_nested(parser, spec, item, &objects[i]);
        if (objects[i].specs == NULL) /* already reported: an empty set keeps readers simple */
            mr_options_empty(parser->arena, spec->fields, &objects[i]);
    }
    value->objects = objects;
    value->locations = locations;
    value->count = count;
    value->present = true;
}

static void parse_one(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                      const struct mr_yaml_node *node, struct mr_option_value *value)
{
    value->location = node->location;
    if (node->faulty)
        return;
    if (spec->type == MR_OPTION_OBJECT || spec->type == MR_OPTION_OBJECTS)
        parse_objects(parser, spec, node, value);
    else
        mr_value_parse(parser, spec, node, value);
    if (value->present)
        mr_value_check_bounds(parser, spec, node, value);
}

void mr_options_empty(struct mr_arena *arena, const struct mr_option_spec *specs,
                      struct mr_options *options)
{
    uint32_t count = mr_option_specs_count(specs);
    *options = (struct mr_options){
        .specs = specs,
        .count = count,
        .values = mr_arena_new(arena, count, sizeof(*options->values)),
    };
}

static bool is_skipped(const struct mr_options_parser *parser, const char *name)
{
    return parser->entry && (strcmp(name, "name") == 0 || strcmp(name, "type") == 0);
}

static bool is_excused(const struct mr_options_parser *parser, const char *name)
{
    return parser->excused != NULL && strcmp(parser->excused, name) == 0;
}

void mr_options_parse(const struct mr_options_parser *parser, const struct mr_option_spec *specs,
                      const struct mr_yaml_node *node, struct mr_location location,
                      struct mr_options *options)
{
    mr_options_empty(parser->arena, specs, options);
    for (uint32_t i = 0; i < options->count; i++) {
        const struct mr_option_spec *spec = &specs[i];
        struct mr_option_value *value = &options->values[i];
        const struct mr_yaml_pair *pair = node == NULL ? NULL : mr_yaml_find(node, spec->name);
        if (is_skipped(parser, spec->name)) {
            continue;
        } else if (pair != NULL) {
            value->given = true;
            parse_one(parser, spec, pair->value, value);
        } else if (spec->default_text != NULL) {
            const struct mr_yaml_node *text = default_node(parser, spec);
            if (text != NULL)
                parse_one(parser, spec, text, value);
        } else if ((spec->flags & MR_OPTION_REQUIRED) != 0 && !is_excused(parser, spec->name)) {
            mr_report_add(parser->report, MR_SEVERITY_ERROR, location,
                          "%s needs the option '%s%s': %s", parser->owner, parser->prefix,
                          spec->name, mr_option_type_text(spec->type));
        }
    }
}

/* What to say behind the name of an unknown option. */
static const char *refusal(const struct mr_options_parser *parser, const char *name,
                           const char *const *names, uint32_t names_count)
{
    for (const struct mr_refused_option *refused = parser->refused;
         refused != NULL && refused->name != NULL; refused++)
        if (strcmp(refused->name, name) == 0)
            return mr_arena_format(parser->arena, ": %s", refused->why);
    return mr_nearest_text(parser->arena, name, names, names_count);
}

void mr_options_check_unknown(const struct mr_options_parser *parser,
                              const struct mr_yaml_node *node,
                              const struct mr_option_spec *const *tables, uint32_t tables_count)
{
    uint32_t names_count = 0;
    for (uint32_t i = 0; i < tables_count; i++)
        names_count += mr_option_specs_count(tables[i]);
    const char **names = mr_arena_new(parser->arena, names_count, sizeof(*names));
    names_count = 0;
    for (uint32_t i = 0; i < tables_count; i++)
        for (const struct mr_option_spec *spec = tables[i]; spec != NULL && spec->name != NULL;
             spec++)
            names[names_count++] = spec->name;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct mr_yaml_pair *pair = &node->pairs[i];
        bool known = false;
        for (uint32_t j = 0; j < names_count && !known; j++)
            known = strcmp(names[j], pair->key) == 0;
        if (!known)
            mr_report_add(parser->report, MR_SEVERITY_ERROR, pair->location,
                          "%s has no option '%s%s'%s", parser->owner, parser->prefix, pair->key,
                          refusal(parser, pair->key, names, names_count));
    }
}
