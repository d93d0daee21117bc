/* topology/parse_value.c — see parse_value.h.
 * Design: a scalar's YAML type must be the option's: 5 is no text and '5' is no number, since the
 * same file is checked by Kubernetes against a structural schema. A scalar that was one ${...} fits
 * both. */
#include "topology/parse_value.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/number.h"
#include "record/path.h"
#include "record/schema.h"
#include "topology/json_text.h"
#include "topology/option_text.h"
#include "topology/substitute.h"

enum { NUMBER_SIZE = 512 };

void mr_value_report_type(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                          const struct mr_yaml_node *node)
{
    const char *expected = mr_option_type_text(spec->type);
    if (spec->type == MR_OPTION_CHOICE)
        expected = mr_option_choices_text(parser->arena, spec);
    const char *remedy = "";
    bool wants_text = spec->type == MR_OPTION_STRING || spec->type == MR_OPTION_EXPRESSION ||
                      spec->type == MR_OPTION_PATH;
    if (node->kind == MR_YAML_SCALAR && wants_text && node->scalar != MR_YAML_NULL &&
        node->scalar != MR_YAML_STRING)
        remedy = mr_arena_format(parser->arena, ": quote it ('%s')", node->text);
    else if (node->kind == MR_YAML_SCALAR && node->style != MR_YAML_PLAIN &&
             (spec->type <= MR_OPTION_NUMBER || spec->type == MR_OPTION_SHARE) &&
             mr_yaml_classify(node->text) > MR_YAML_NULL)
        remedy = ": write it without quotes";
    mr_report_add(parser->report, MR_SEVERITY_ERROR, node->location, "'%s%s' is %s, expected %s%s",
                  parser->prefix, spec->name, mr_yaml_describe(parser->arena, node), expected,
                  remedy);
}

static bool is_text(const struct mr_yaml_node *node)
{
    return node->kind == MR_YAML_SCALAR && (node->scalar == MR_YAML_STRING || node->substituted);
}

/* Text of an element; secrets only where the option takes them. NULL: reported. */
static const char *text_of(const struct mr_options_parser *parser,
                           const struct mr_option_spec *spec, const struct mr_yaml_node *node)
{
    if (node->faulty)
        return NULL;
    if (!is_text(node) && spec->type == MR_OPTION_STRINGS && node->kind == MR_YAML_SCALAR &&
        node->scalar != MR_YAML_NULL) {
        mr_report_add(parser->report, MR_SEVERITY_ERROR, node->location,
                      "'%s%s' has %s in it, expected texts: quote it ('%s')", parser->prefix,
                      spec->name, mr_yaml_describe(parser->arena, node), node->text);
        return NULL;
    }
    if (!is_text(node)) {
        mr_value_report_type(parser, spec, node);
        return NULL;
    }
    bool secret = mr_substitute_is_secret(node->text);
    bool wanted = (spec->flags & MR_OPTION_SECRET) != 0;
    if (secret && !wanted) {
        mr_report_add(parser->report, MR_SEVERITY_ERROR, node->location,
                      "'%s%s' cannot be a ${file:...} or ${secret:...}: only secret options are "
                      "resolved by the worker",
                      parser->prefix, spec->name);
        return NULL;
    }
    if (wanted && !secret && node->location.line != 0) {
        mr_report_add(parser->report, MR_SEVERITY_ERROR, node->location,
                      "'%s%s' is secret and must not be in the file: write ${file:PATH} or "
                      "${secret:NAME/KEY}, or use a connection",
                      parser->prefix, spec->name);
        return NULL;
    }
    return node->text;
}

/* ---- Numbers and the like ---- */

static bool read_number(const struct mr_yaml_node *node, struct mr_number *number)
{
    char text[NUMBER_SIZE];
    enum mr_yaml_scalar scalar = node->substituted ? mr_yaml_classify(node->text) : node->scalar;
    if (node->kind != MR_YAML_SCALAR || (scalar != MR_YAML_INTEGER && scalar != MR_YAML_FLOAT))
        return false;
    const char *json = mr_json_text_number(node->text, text, sizeof(text));
    if (json == NULL)
        return false;
    const uint8_t *start = (const uint8_t *)json;
    const uint8_t *end = start + strlen(json);
    return mr_number_parse(start, end, number) == end;
}

static bool parse_integer(const struct mr_yaml_node *node, struct mr_option_value *value)
{
    struct mr_number number = {0};
    if (!read_number(node, &number) || number.kind != MR_NUMBER_INT)
        return false;
    value->integer = number.signed_integer;
    value->number = (double)value->integer;
    return true;
}

static bool parse_number(const struct mr_yaml_node *node, struct mr_option_value *value)
{
    struct mr_number number = {0};
    if (!read_number(node, &number) || !isfinite(number.number))
        return false;
    value->number = number.number;
    return true;
}

static bool parse_boolean(const struct mr_yaml_node *node, struct mr_option_value *value)
{
    if (node->kind != MR_YAML_SCALAR || (!node->substituted && node->scalar != MR_YAML_BOOLEAN) ||
        mr_yaml_classify(node->text) != MR_YAML_BOOLEAN)
        return false;
    value->boolean = (node->text[0] | 0x20) == 't';
    return true;
}

static bool parse_instant(const struct mr_yaml_node *node, struct mr_option_value *value)
{
    int64_t seconds;
    int32_t nanoseconds;
    if (!is_text(node) ||
        !mr_clock_parse_rfc3339(mr_slice_text(node->text), &seconds, &nanoseconds))
        return false;
    value->integer = seconds * 1000 + nanoseconds / 1000000;
    return true;
}

static bool parse_unit(enum mr_option_type type, const struct mr_yaml_node *node,
                       struct mr_option_value *value)
{
    if (!is_text(node))
        return false;
    struct mr_slice text = mr_slice_text(node->text);
    if (type == MR_OPTION_RATE)
        return mr_option_parse_rate(text, &value->number);
    bool fine = type == MR_OPTION_DURATION ? mr_option_parse_duration(text, &value->integer)
                                           : mr_option_parse_size(text, &value->integer);
    value->number = (double)value->integer;
    return fine;
}

/* A number of records, or a duration. */
static bool parse_step(const struct mr_yaml_node *node, struct mr_option_value *value)
{
    value->boolean = parse_integer(node, value);
    return value->boolean || parse_unit(MR_OPTION_DURATION, node, value);
}

static bool parse_choice(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                         const struct mr_yaml_node *node, struct mr_option_value *value)
{
    if (!is_text(node)) {
        mr_value_report_type(parser, spec, node);
        return false;
    }
    uint32_t count = 0;
    for (; spec->choices[count] != NULL; count++)
        if (strcmp(spec->choices[count], node->text) == 0) {
            value->integer = count;
            value->text = spec->choices[count];
            return true;
        }
    mr_report_add(parser->report, MR_SEVERITY_ERROR, node->location,
                  "'%s%s' is '%s', expected %s%s", parser->prefix, spec->name, node->text,
                  mr_option_choices_text(parser->arena, spec),
                  mr_nearest_text(parser->arena, node->text, spec->choices, count));
    return false;
}

/* ---- Texts, lists and mappings ---- */

static bool parse_path(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                       const struct mr_yaml_node *node, const char *text, struct mr_path *path)
{
    struct mr_error error = {0};
    if (mr_path_parse(parser->arena, text, path, &error) == MR_OK)
        return true;
    mr_report_add(parser->report, MR_SEVERITY_ERROR, node->location, "'%s%s' is no field path: %s",
                  parser->prefix, spec->name, error.message);
    return false;
}

static bool parse_text(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                       const struct mr_yaml_node *node, struct mr_option_value *value)
{
    value->text = text_of(parser, spec, node);
    if (value->text == NULL)
        return false;
    value->count = 1;
    if (spec->type != MR_OPTION_PATH)
        return true;
    struct mr_path *path = mr_arena_new(parser->arena, 1, sizeof(*path));
    value->paths = path;
    return parse_path(parser, spec, node, value->text, path);
}

static bool parse_texts(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                        const struct mr_yaml_node *node, struct mr_option_value *value)
{
    if (node->kind != MR_YAML_SEQUENCE) {
        mr_value_report_type(parser, spec, node);
        return false;
    }
    const char **texts = mr_arena_new(parser->arena, node->count, sizeof(*texts));
    struct mr_location *locations = mr_arena_new(parser->arena, node->count, sizeof(*locations));
    struct mr_path *paths = mr_arena_new(parser->arena, node->count, sizeof(*paths));
    bool fine = true;
    for (uint32_t i = 0; i < node->count; i++) {
        locations[i] = node->items[i]->location;
        texts[i] = text_of(parser, spec, node->items[i]);
        if (texts[i] == NULL || (spec->type == MR_OPTION_PATHS &&
                                 !parse_path(parser, spec, node->items[i], texts[i], &paths[i]))) {
            fine = false;
            continue;
        }
        for (uint32_t j = 0; j < i; j++)
            if (texts[j] != NULL && spec->type != MR_OPTION_STRINGS &&
                strcmp(texts[j], texts[i]) == 0)
                mr_report_add(parser->report, MR_SEVERITY_ERROR, locations[i],
                              "'%s%s' names '%s' twice", parser->prefix, spec->name, texts[i]);
    }
    value->texts = texts;
    value->locations = locations;
    value->paths = spec->type == MR_OPTION_PATHS ? paths : NULL;
    value->count = node->count;
    return fine;
}

/* Texts are what the meaning of stored state is hashed from: 1 and 1.0 are the same. */
static bool parse_numbers(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                          const struct mr_yaml_node *node, struct mr_option_value *value)
{
    bool fine = node->kind == MR_YAML_SEQUENCE;
    uint32_t count = fine ? node->count : 0;
    double *numbers = mr_arena_new(parser->arena, count + 1u, sizeof(*numbers));
    const char **texts = mr_arena_new(parser->arena, count + 1u, sizeof(*texts));
    struct mr_location *locations = mr_arena_new(parser->arena, count + 1u, sizeof(*locations));
    for (uint32_t i = 0; i < count; i++) {
        struct mr_option_value element = {0};
        locations[i] = node->items[i]->location;
        fine = parse_number(node->items[i], &element) && fine;
        numbers[i] = element.number + 0.0;
        texts[i] = mr_arena_format(parser->arena, "%.17g", numbers[i]);
    }
    if (!fine)
        mr_value_report_type(parser, spec, node);
    value->numbers = numbers;
    value->texts = texts;
    value->locations = locations;
    value->count = count;
    return fine;
}

static int compare_pairs(const void *left, const void *right)
{
    const struct mr_yaml_pair *a = left;
    const struct mr_yaml_pair *b = right;
    return strcmp(a->key, b->key);
}

/* A call with a comma that is not quoted falls apart into members of the braces around it. */
static bool is_torn_call(const struct mr_option_spec *spec, const struct mr_yaml_pair *pair)
{
    return spec->type == MR_OPTION_AGGREGATES && pair->value->kind == MR_YAML_SCALAR &&
           pair->value->scalar == MR_YAML_NULL && strchr(pair->key, ')') != NULL;
}

static bool parse_map(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                      const struct mr_yaml_node *node, struct mr_option_value *value)
{
    if (node->kind != MR_YAML_MAPPING) {
        mr_value_report_type(parser, spec, node);
        return false;
    }
    struct mr_yaml_pair *pairs = mr_arena_new(parser->arena, node->count, sizeof(*pairs));
    const char **names = mr_arena_new(parser->arena, node->count, sizeof(*names));
    const char **texts = mr_arena_new(parser->arena, node->count, sizeof(*texts));
    struct mr_location *locations = mr_arena_new(parser->arena, node->count, sizeof(*locations));
    if (node->count > 0) {
        memcpy(pairs, node->pairs, node->count * sizeof(*pairs));
        qsort(pairs, node->count, sizeof(*pairs), compare_pairs);
    }
    bool fine = true;
    for (uint32_t i = 0; i < node->count; i++) {
        names[i] = pairs[i].key;
        if (is_torn_call(spec, &pairs[i])) {
            mr_report_add(parser->report, MR_SEVERITY_ERROR, pairs[i].location,
                          "'%s%s' has the member '%s' without a value: a call with a comma must be "
                          "quoted, as in {p99: 'quantile(value, 0.99)'}",
                          parser->prefix, spec->name, pairs[i].key);
            return false;
        }
        texts[i] = text_of(parser, spec, pairs[i].value);
        locations[i] = pairs[i].value->location;
        fine = fine && texts[i] != NULL;
    }
    value->names = names;
    value->texts = texts;
    value->locations = locations;
    value->count = node->count;
    return fine;
}

/* ---- Schemas and records ---- */

static const struct mr_type *parse_type(const struct mr_options_parser *parser,
                                        const struct mr_yaml_node *node, const char *field);

static bool parse_fields(const struct mr_options_parser *parser, const struct mr_yaml_node *node,
                         const char *prefix, struct mr_type *type)
{
    struct mr_schema_field *fields = mr_arena_new(parser->arena, node->count, sizeof(*fields));
    bool fine = true;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct mr_yaml_pair *pair = &node->pairs[i];
        fields[i].name = pair->key;
        fields[i].type = parse_type(parser, pair->value,
                                    mr_arena_format(parser->arena, "%s%s", prefix, pair->key));
        fine = fine && fields[i].type != NULL;
    }
    *type = (struct mr_type){.code = MR_TYPE_OBJECT, .fields = fields, .fields_count = node->count};
    return fine;
}

static const struct mr_type *parse_type(const struct mr_options_parser *parser,
                                        const struct mr_yaml_node *node, const char *field)
{
    if (node->kind == MR_YAML_MAPPING) {
        struct mr_type *type = mr_arena_new(parser->arena, 1, sizeof(*type));
        const char *prefix = mr_arena_format(parser->arena, "%s.", field);
        return parse_fields(parser, node, prefix, type) ? type : NULL;
    }
    if (node->faulty)
        return NULL;
    const struct mr_type *type = is_text(node) ? mr_type_parse(parser->arena, node->text) : NULL;
    static const char *const names[] = {"bool",  "int",       "uint",     "double", "string",
                                        "bytes", "timestamp", "duration", "list"};
    if (type == NULL)
        mr_report_add(parser->report, MR_SEVERITY_ERROR, node->location,
                      "the type of field '%s' is %s, expected bool, int, uint, double, string, "
                      "bytes, timestamp, duration, list(TYPE) or a mapping of fields%s",
                      field, mr_yaml_describe(parser->arena, node),
                      node->kind != MR_YAML_SCALAR
                          ? ""
                          : mr_nearest_text(parser->arena, node->text, names,
                                            sizeof(names) / sizeof(names[0])));
    return type;
}

static bool parse_schema(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                         const struct mr_yaml_node *node, struct mr_option_value *value)
{
    if (node->kind != MR_YAML_MAPPING) {
        mr_value_report_type(parser, spec, node);
        return false;
    }
    struct mr_schema *schema = mr_arena_new(parser->arena, 1, sizeof(*schema));
    value->schema = schema;
    return parse_fields(parser, node, "", &schema->root);
}

static const char *record_text(const struct mr_options_parser *parser,
                               const struct mr_option_spec *spec, const struct mr_yaml_node *node)
{
    if (node->kind != MR_YAML_MAPPING) {
        mr_report_add(parser->report, MR_SEVERITY_ERROR, node->location,
                      "'%s%s' holds %s, expected a record (a mapping)", parser->prefix, spec->name,
                      mr_yaml_describe(parser->arena, node));
        return NULL;
    }
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, MR_LIMIT_RECORD_BYTES);
    const struct mr_yaml_node *culprit = node;
    const char *text = NULL;
    if (mr_json_text_node(&buffer, node, &culprit) == MR_OK)
        text = mr_arena_copy_bytes_text(parser->arena, buffer.data, buffer.size);
    else
        mr_report_add(parser->report, MR_SEVERITY_ERROR, culprit->location,
                      "the number %s cannot be in a record: JSON has no such number",
                      culprit->text);
    mr_buffer_deinit(&buffer);
    return text;
}

static bool parse_records(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                          const struct mr_yaml_node *node, struct mr_option_value *value)
{
    if (node->kind != MR_YAML_SEQUENCE) {
        mr_value_report_type(parser, spec, node);
        return false;
    }
    const char **texts = mr_arena_new(parser->arena, node->count, sizeof(*texts));
    struct mr_location *locations = mr_arena_new(parser->arena, node->count, sizeof(*locations));
    bool fine = true;
    for (uint32_t i = 0; i < node->count; i++) {
        texts[i] = record_text(parser, spec, node->items[i]);
        locations[i] = node->items[i]->location;
        fine = fine && texts[i] != NULL;
    }
    value->texts = texts;
    value->locations = locations;
    value->count = node->count;
    return fine;
}

/* ---- All types ---- */

static bool parse_plain(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                        const struct mr_yaml_node *node, struct mr_option_value *value)
{
    bool fine;
    if (spec->type == MR_OPTION_BOOLEAN)
        fine = parse_boolean(node, value);
    else if (spec->type == MR_OPTION_INTEGER)
        fine = parse_integer(node, value);
    else if (spec->type == MR_OPTION_STEP)
        fine = parse_step(node, value);
    else if (spec->type == MR_OPTION_INSTANT)
        fine = parse_instant(node, value);
    else if (spec->type == MR_OPTION_NUMBER || spec->type == MR_OPTION_SHARE)
        fine = parse_number(node, value);
    else
        fine = parse_unit(spec->type, node, value);
    if (!fine)
        mr_value_report_type(parser, spec, node);
    return fine;
}

void mr_value_parse(const struct mr_options_parser *parser, const struct mr_option_spec *spec,
                    const struct mr_yaml_node *node, struct mr_option_value *value)
{
    switch (spec->type) {
    case MR_OPTION_BOOLEAN:
    case MR_OPTION_INTEGER:
    case MR_OPTION_NUMBER:
    case MR_OPTION_SHARE:
    case MR_OPTION_DURATION:
    case MR_OPTION_SIZE:
    case MR_OPTION_RATE:
    case MR_OPTION_INSTANT:
    case MR_OPTION_STEP:
        value->present = parse_plain(parser, spec, node, value);
        return;
    case MR_OPTION_CHOICE:
        value->present = parse_choice(parser, spec, node, value);
        return;
    case MR_OPTION_STRING:
    case MR_OPTION_PATH:
    case MR_OPTION_EXPRESSION:
    case MR_OPTION_REFERENCE:
    case MR_OPTION_ZONE:
    case MR_OPTION_DOCUMENT:
        value->present = parse_text(parser, spec, node, value);
        return;
    case MR_OPTION_STRINGS:
    case MR_OPTION_NAMES:
    case MR_OPTION_PATHS:
    case MR_OPTION_REFERENCES:
        value->present = parse_texts(parser, spec, node, value);
        return;
    case MR_OPTION_NUMBERS:
        value->present = parse_numbers(parser, spec, node, value);
        return;
    case MR_OPTION_STRING_MAP:
    case MR_OPTION_NAME_MAP:
    case MR_OPTION_EXPRESSIONS:
    case MR_OPTION_AGGREGATES:
        value->present = parse_map(parser, spec, node, value);
        return;
    case MR_OPTION_SCHEMA:
        value->present = parse_schema(parser, spec, node, value);
        return;
    case MR_OPTION_RECORDS:
        value->present = parse_records(parser, spec, node, value);
        return;
    case MR_OPTION_OBJECT:
    case MR_OPTION_OBJECTS:
        return; /* parse_options.c */
    }
}

static bool is_number_type(enum mr_option_type type)
{
    return type == MR_OPTION_INTEGER || type == MR_OPTION_NUMBER || type == MR_OPTION_DURATION ||
           type == MR_OPTION_SIZE || type == MR_OPTION_RATE || type == MR_OPTION_SHARE;
}

static bool is_list_type(enum mr_option_type type)
{
    return type == MR_OPTION_STRINGS || type == MR_OPTION_NAMES || type == MR_OPTION_PATHS ||
           type == MR_OPTION_REFERENCES || type == MR_OPTION_OBJECTS || type == MR_OPTION_RECORDS ||
           type == MR_OPTION_STRING_MAP || type == MR_OPTION_NAME_MAP ||
           type == MR_OPTION_EXPRESSIONS || type == MR_OPTION_AGGREGATES ||
           type == MR_OPTION_NUMBERS;
}

void mr_value_check_bounds(const struct mr_options_parser *parser,
                           const struct mr_option_spec *spec, const struct mr_yaml_node *node,
                           const struct mr_option_value *value)
{
    struct mr_option_spec bounded = *spec;
    if (spec->type == MR_OPTION_SHARE && !mr_option_is_bounded(spec))
        bounded.maximum = 1;
    if (!mr_option_is_bounded(&bounded))
        return;
    bool number = is_number_type(spec->type);
    if (!number && !is_list_type(spec->type))
        return;
    double measured = number ? value->number : (double)value->count;
    if (measured >= bounded.minimum && measured <= bounded.maximum)
        return;
    const char *least = mr_option_bound_text(parser->arena, &bounded, bounded.minimum);
    const char *most = mr_option_bound_text(parser->arena, &bounded, bounded.maximum);
    if (number)
        mr_report_add(parser->report, MR_SEVERITY_ERROR, node->location,
                      "'%s%s' is %s, expected %s to %s", parser->prefix, spec->name, node->text,
                      least, most);
    else
        mr_report_add(parser->report, MR_SEVERITY_ERROR, node->location,
                      "'%s%s' has %u elements, expected %s to %s", parser->prefix, spec->name,
                      value->count, least, most);
}
