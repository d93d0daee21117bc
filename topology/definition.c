/* topology/definition.c — see definition.h. */
#include "topology/definition.h"

#include <inttypes.h>

#include "base/limits.h"
#include "topology/common_options.h"
#include "topology/parse_options.h"

struct reader {
    const struct mr_catalogue *catalogue;
    struct mr_arena *arena;
    struct mr_report *report;
    struct mr_definition *definition;
};

struct section {
    const char *name; /* of the list */
    const char *one;  /* of an entry */
    enum mr_role role;
};

static const struct section sections[] = {{"sources", "source", MR_ROLE_SOURCE},
                                          {"operators", "operator", MR_ROLE_OPERATOR},
                                          {"sinks", "sink", MR_ROLE_SINK}};
enum { SECTIONS_COUNT = sizeof(sections) / sizeof(sections[0]) };

static const char *const api_version = "millrace.io/v1alpha1";

bool mr_definition_is_name(const char *text)
{
    size_t size = strlen(text);
    if (size == 0 || size > MR_LIMIT_NAME_BYTES || text[0] < 'a' || text[0] > 'z')
        return false;
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == size;
}

const struct mr_option_value *mr_definition_value(const struct mr_definition_entry *entry,
                                                  const char *name)
{
    const struct mr_options *sets[] = {&entry->options, &entry->common};
    for (size_t i = 0; i < 2; i++) {
        int index = mr_option_specs_find(sets[i]->specs, name);
        if (index >= 0)
            return &sets[i]->values[index];
    }
    return NULL;
}

bool mr_definition_has(const struct mr_definition_entry *entry, const char *name)
{
    const struct mr_option_value *value = mr_definition_value(entry, name);
    return value != NULL && value->present;
}

struct mr_definition_entry *mr_definition_find(const struct mr_definition *definition,
                                               const char *name)
{
    for (uint32_t i = 0; i < definition->entries_count; i++)
        if (definition->entries[i].name != NULL && strcmp(definition->entries[i].name, name) == 0)
            return &definition->entries[i];
    return NULL;
}

/* ---- Entries ---- */

/* The text of a key that every entry must have; NULL: reported. */
static const char *required_text(const struct reader *reader, const struct mr_yaml_node *node,
                                 const char *owner, const char *key, struct mr_location *location)
{
    const struct mr_yaml_pair *pair = mr_yaml_find(node, key);
    if (pair == NULL) {
        mr_report_add(reader->report, MR_SEVERITY_ERROR, node->location, "%s needs '%s'", owner,
                      key);
        return NULL;
    }
    *location = pair->value->location;
    if (pair->value->faulty)
        return NULL;
    if (pair->value->kind == MR_YAML_SCALAR &&
        (pair->value->scalar == MR_YAML_STRING || pair->value->substituted))
        return pair->value->text;
    mr_report_add(reader->report, MR_SEVERITY_ERROR, pair->value->location,
                  "the %s of %s is %s, expected a text", key, owner,
                  mr_yaml_describe(reader->arena, pair->value));
    return NULL;
}

static void read_name(const struct reader *reader, const char *owner,
                      struct mr_definition_entry *entry)
{
    const char *name = required_text(reader, entry->node, owner, "name", &entry->name_location);
    if (name == NULL)
        return;
    if (!mr_definition_is_name(name)) {
        mr_report_add(reader->report, MR_SEVERITY_ERROR, entry->name_location,
                      "'%s' is no name: a name is a lower-case letter and then up to 62 lower-case "
                      "letters, digits and -",
                      name);
        return;
    }
    const struct mr_definition_entry *other = mr_definition_find(reader->definition, name);
    if (other != NULL && other != entry)
        mr_report_add(reader->report, MR_SEVERITY_ERROR, entry->name_location,
                      "the name '%s' is taken by the %s in line %" PRIu32
                      ": names are unique over sources, operators and sinks",
                      name, sections[other->role].one, other->name_location.line);
    else
        entry->name = name;
}

static void report_unknown_type(const struct reader *reader, enum mr_role role, const char *name,
                                struct mr_location location)
{
    const struct mr_catalogue *catalogue = reader->catalogue;
    const char **names = mr_arena_new(reader->arena, catalogue->types_count, sizeof(*names));
    uint32_t count = 0;
    for (uint32_t i = 0; i < catalogue->types_count; i++)
        if (catalogue->types[i]->role == role)
            names[count++] = catalogue->types[i]->name;
    for (uint32_t i = 0; i < SECTIONS_COUNT; i++)
        if (sections[i].role != role && mr_catalogue_find(catalogue, sections[i].role, name)) {
            mr_report_add(reader->report, MR_SEVERITY_ERROR, location,
                          "'%s' is a type of %s, not of %s", name, sections[i].name,
                          sections[role].name);
            return;
        }
    mr_report_add(reader->report, MR_SEVERITY_ERROR, location, "there is no %s of type '%s'%s",
                  sections[role].one, name, mr_nearest_text(reader->arena, name, names, count));
}

static void read_format(const struct reader *reader, const struct mr_options_parser *parser,
                        struct mr_definition_entry *entry)
{
    struct mr_options_parser nested = *parser;
    nested.entry = false;
    const struct mr_catalogue *catalogue = reader->catalogue;
    const struct mr_option_value *value = mr_definition_value(entry, "format");
    if (!mr_common_has_format(entry->type) || value == NULL || !value->present)
        return;
    const char **names = mr_arena_new(reader->arena, catalogue->formats_count, sizeof(*names));
    for (uint32_t i = 0; i < catalogue->formats_count; i++) {
        const struct mr_format_spec *format = &catalogue->formats[i];
        names[i] = format->name;
        const struct mr_option_value *options = mr_definition_value(entry, format->name);
        bool chosen = strcmp(format->name, value->text) == 0;
        if (chosen) {
            entry->format = format;
            nested.prefix = mr_arena_format(reader->arena, "%s.", format->name);
            if (options != NULL && options->present)
                entry->format_options = options->objects[0];
            else
                mr_options_parse(&nested, format->options, NULL, entry->location,
                                 &entry->format_options);
        } else if (options != NULL && options->given) {
            mr_report_add(reader->report, MR_SEVERITY_ERROR, options->location,
                          "'%s' holds options of the format %s, but the format of '%s' is %s",
                          format->name, format->name,
                          entry->name == NULL ? "this entry" : entry->name, value->text);
        }
    }
    if (entry->format == NULL)
        mr_report_add(reader->report, MR_SEVERITY_ERROR, value->location,
                      "there is no format '%s'%s", value->text,
                      mr_nearest_text(reader->arena, value->text, names, catalogue->formats_count));
}

static void read_options(const struct reader *reader, struct mr_definition_entry *entry)
{
    struct mr_options_parser parser = {
        .arena = reader->arena,
        .report = reader->report,
        .owner = entry->name == NULL
                     ? mr_arena_format(reader->arena, "this %s", entry->type->name)
                     : mr_arena_format(reader->arena, "'%s' (%s)", entry->name, entry->type->name),
        .prefix = "",
        .entry = true,
        .refused = entry->type->refused,
    };
    uint32_t errors_count = reader->report->errors_count;
    const struct mr_option_spec *common =
        mr_common_options(reader->arena, reader->catalogue, entry->type);
    const struct mr_option_spec *tables[] = {entry->type->options, common};
    if (mr_yaml_find(entry->node, "topic_from") != NULL)
        parser.excused = "topic";
    mr_options_parse(&parser, entry->type->options, entry->node, entry->location, &entry->options);
    mr_options_parse(&parser, common, entry->node, entry->location, &entry->common);
    mr_options_check_unknown(&parser, entry->node, tables, 2);
    read_format(reader, &parser, entry);
    if (entry->type->check == NULL || reader->report->errors_count != errors_count)
        return;
    const char *option = NULL;
    struct mr_error error = {0};
    if (entry->type->check(&entry->options, &option, &error) == MR_OK)
        return;
    const struct mr_option_value *value =
        option == NULL ? NULL : mr_definition_value(entry, option);
    mr_report_add(reader->report, MR_SEVERITY_ERROR,
                  value != NULL && value->given ? value->location : entry->location, "%s: %s",
                  parser.owner, error.message);
}

static void read_entry(const struct reader *reader, const struct section *section,
                       const struct mr_yaml_node *node, uint32_t index)
{
    struct mr_definition *definition = reader->definition;
    struct mr_definition_entry *entry = &definition->entries[definition->entries_count];
    const char *owner = mr_arena_format(reader->arena, "%s %" PRIu32, section->one, index + 1);
    if (node->faulty)
        return;
    if (node->kind != MR_YAML_MAPPING) {
        mr_report_add(reader->report, MR_SEVERITY_ERROR, node->location,
                      "%s is %s, expected a mapping with name and type", owner,
                      mr_yaml_describe(reader->arena, node));
        return;
    }
    *entry = (struct mr_definition_entry){
        .role = section->role, .location = node->location, .node = node};
    definition->entries_count++;
    read_name(reader, owner, entry);
    if (entry->name != NULL)
        owner = mr_arena_format(reader->arena, "'%s'", entry->name);
    struct mr_location location = {0};
    const char *type = required_text(reader, node, owner, "type", &location);
    if (type == NULL)
        return;
    entry->type = mr_catalogue_find(reader->catalogue, section->role, type);
    if (entry->type == NULL)
        report_unknown_type(reader, section->role, type, location);
    else
        read_options(reader, entry);
}

static uint32_t read_section(const struct reader *reader, const struct section *section)
{
    struct mr_definition *definition = reader->definition;
    const struct mr_yaml_pair *pair = mr_yaml_find(definition->spec_node, section->name);
    if (pair == NULL)
        return 0;
    if (pair->value->kind != MR_YAML_SEQUENCE) {
        mr_report_add(reader->report, MR_SEVERITY_ERROR, pair->value->location,
                      "'%s' is %s, expected a list of mappings with name and type", section->name,
                      mr_yaml_describe(reader->arena, pair->value));
        return 0;
    }
    uint32_t before = definition->entries_count;
    for (uint32_t i = 0; i < pair->value->count; i++) {
        if (definition->entries_count == MR_LIMIT_TOPOLOGY_NODES) {
            mr_report_add(reader->report, MR_SEVERITY_ERROR, pair->value->items[i]->location,
                          "a topology may have %d sources, operators and sinks",
                          MR_LIMIT_TOPOLOGY_NODES);
            break;
        }
        read_entry(reader, section, pair->value->items[i], i);
    }
    return definition->entries_count - before;
}

/* ---- The frame ---- */

static void check_text(const struct reader *reader, const struct mr_yaml_node *root,
                       const char *key, const char *expected)
{
    struct mr_location location = {0};
    const char *text = required_text(reader, root, "the file", key, &location);
    if (text != NULL && strcmp(text, expected) != 0)
        mr_report_add(reader->report, MR_SEVERITY_ERROR, location, "%s is '%s', expected %s", key,
                      text, expected);
}

static void read_metadata(const struct reader *reader, const struct mr_yaml_node *root)
{
    const struct mr_yaml_pair *pair = mr_yaml_find(root, "metadata");
    if (pair == NULL || pair->value->kind != MR_YAML_MAPPING) {
        mr_report_add(reader->report, MR_SEVERITY_ERROR,
                      pair == NULL ? root->location : pair->value->location,
                      "the file needs 'metadata' with the topology's name");
        return;
    }
    struct mr_options_parser parser = {
        .arena = reader->arena, .report = reader->report, .owner = "metadata", .prefix = ""};
    struct mr_options options;
    mr_options_parse(&parser, mr_metadata_options, pair->value, pair->value->location, &options);
    const struct mr_option_spec *tables[] = {mr_metadata_options};
    mr_options_check_unknown(&parser, pair->value, tables, 1);
    const struct mr_option_value *name = mr_options_get(&options, "name");
    if (name->present && !mr_definition_is_name(name->text))
        mr_report_add(reader->report, MR_SEVERITY_ERROR, name->location,
                      "'%s' is no name: a name is a lower-case letter and then up to 62 lower-case "
                      "letters, digits and -",
                      name->text);
    reader->definition->name = name->text;
}

/* The options of spec but for the lists, which read_section reads. */
static void read_spec_options(const struct reader *reader, const struct mr_yaml_node *node)
{
    struct mr_options_parser parser = {
        .arena = reader->arena, .report = reader->report, .owner = "spec", .prefix = ""};
    const struct mr_option_spec *tables[] = {mr_spec_options};
    mr_options_check_unknown(&parser, node, tables, 1);
    uint32_t count = mr_option_specs_count(mr_spec_options);
    struct mr_option_spec *scalars = mr_arena_new(reader->arena, count + 1, sizeof(*scalars));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (mr_spec_options[i].type != MR_OPTION_OBJECTS)
            scalars[kept++] = mr_spec_options[i];
    mr_options_parse(&parser, scalars, node, node->location, &reader->definition->spec);
}

static void read_tests(const struct reader *reader, const struct mr_yaml_node *node)
{
    const struct mr_yaml_pair *tests = mr_yaml_find(node, "tests");
    if (tests == NULL)
        return;
    if (tests->value->kind == MR_YAML_SEQUENCE)
        reader->definition->tests = tests->value;
    else
        mr_report_add(reader->report, MR_SEVERITY_ERROR, tests->value->location,
                      "'tests' is %s, expected a list of tests",
                      mr_yaml_describe(reader->arena, tests->value));
}

bool mr_definition_read(const struct mr_yaml_node *root, const struct mr_catalogue *catalogue,
                        struct mr_arena *arena, struct mr_report *report,
                        struct mr_definition *definition)
{
    struct reader reader = {catalogue, arena, report, definition};
    *definition = (struct mr_definition){0};
    if (root->kind != MR_YAML_MAPPING) {
        mr_report_add(report, MR_SEVERITY_ERROR, root->location,
                      "the file is %s, expected a mapping with apiVersion, kind, metadata and spec",
                      mr_yaml_describe(arena, root));
        return false;
    }
    struct mr_options_parser parser = {
        .arena = arena, .report = report, .owner = "the file", .prefix = ""};
    const struct mr_option_spec *tables[] = {mr_file_options};
    mr_options_check_unknown(&parser, root, tables, 1);
    check_text(&reader, root, "apiVersion", api_version);
    check_text(&reader, root, "kind", "Topology");
    read_metadata(&reader, root);
    const struct mr_yaml_pair *spec = mr_yaml_find(root, "spec");
    if (spec == NULL || spec->value->kind != MR_YAML_MAPPING) {
        mr_report_add(report, MR_SEVERITY_ERROR,
                      spec == NULL ? root->location : spec->value->location,
                      "the file needs 'spec', a mapping with sources, operators and sinks");
        return false;
    }
    definition->spec_node = spec->value;
    definition->entries =
        mr_arena_new(arena, MR_LIMIT_TOPOLOGY_NODES, sizeof(*definition->entries));
    read_spec_options(&reader, spec->value);
    definition->sources_count = read_section(&reader, &sections[0]);
    definition->operators_count = read_section(&reader, &sections[1]);
    definition->sinks_count = read_section(&reader, &sections[2]);
    read_tests(&reader, spec->value);
    return true;
}
