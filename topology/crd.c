/* topology/crd.c — see crd.h.
 * Design: the options of all types of a role are sorted by name; those of one name become one
 * property, which says of which types it is. Objects are merged in the same way, one level down. */
#include "topology/crd.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "topology/common_options.h"
#include "topology/json_text.h"
#include "topology/option_text.h"

enum { OWNERS_MAX = 8, HELPS_MAX = 4, STEP = 2 };

/* What YAML has of an option's type. */
enum shape {
    SHAPE_TEXT,
    SHAPE_BOOLEAN,
    SHAPE_INTEGER, /* or a text */
    SHAPE_NUMBER,  /* or a text */
    SHAPE_TEXTS,
    SHAPE_NUMBERS,
    SHAPE_TEXT_MAP,
    SHAPE_FREE_MAP,
    SHAPE_RECORDS,
    SHAPE_OBJECT,
    SHAPE_OBJECTS,
    SHAPE_ANY /* types do not agree */
};

/* An option of one type. */
struct option {
    const struct mr_option_spec *spec;
    const char *owner; /* the type; NULL: of all */
};

struct options {
    struct option *items;
    uint32_t count;
    uint32_t owners_count;
};

struct writer {
    struct mr_buffer *output;
    struct mr_arena arena;
    const struct mr_catalogue *catalogue;
    enum mr_status status;
};

static void line(struct writer *writer, uint32_t indent, const char *format, ...) MR_PRINTF(3, 4);

static void line(struct writer *writer, uint32_t indent, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    MR_ASSERT(size >= 0 && (size_t)size < sizeof(text));
    if (writer->status == MR_OK)
        writer->status = mr_buffer_append_format(writer->output, "%*s%s\n", (int)indent, "", text);
}

static void description(struct writer *writer, uint32_t indent, const char *text)
{
    if (writer->status == MR_OK)
        writer->status =
            mr_buffer_append_format(writer->output, "%*sdescription: ", (int)indent, "");
    if (writer->status == MR_OK)
        writer->status = mr_json_text_string(writer->output, text);
    line(writer, 0, "%s", "");
}

/* ---- Shapes ---- */

static enum shape shape_of(enum mr_option_type type)
{
    static const enum shape shapes[] = {
        [MR_OPTION_BOOLEAN] = SHAPE_BOOLEAN,     [MR_OPTION_INTEGER] = SHAPE_INTEGER,
        [MR_OPTION_NUMBER] = SHAPE_NUMBER,       [MR_OPTION_STRING] = SHAPE_TEXT,
        [MR_OPTION_CHOICE] = SHAPE_TEXT,         [MR_OPTION_DURATION] = SHAPE_TEXT,
        [MR_OPTION_SIZE] = SHAPE_TEXT,           [MR_OPTION_RATE] = SHAPE_TEXT,
        [MR_OPTION_SHARE] = SHAPE_NUMBER,        [MR_OPTION_INSTANT] = SHAPE_TEXT,
        [MR_OPTION_STRINGS] = SHAPE_TEXTS,       [MR_OPTION_NAMES] = SHAPE_TEXTS,
        [MR_OPTION_STRING_MAP] = SHAPE_TEXT_MAP, [MR_OPTION_NAME_MAP] = SHAPE_TEXT_MAP,
        [MR_OPTION_PATH] = SHAPE_TEXT,           [MR_OPTION_PATHS] = SHAPE_TEXTS,
        [MR_OPTION_EXPRESSION] = SHAPE_TEXT,     [MR_OPTION_EXPRESSIONS] = SHAPE_TEXT_MAP,
        [MR_OPTION_REFERENCE] = SHAPE_TEXT,      [MR_OPTION_REFERENCES] = SHAPE_TEXTS,
        [MR_OPTION_SCHEMA] = SHAPE_FREE_MAP,     [MR_OPTION_OBJECT] = SHAPE_OBJECT,
        [MR_OPTION_OBJECTS] = SHAPE_OBJECTS,     [MR_OPTION_RECORDS] = SHAPE_RECORDS,
        [MR_OPTION_STEP] = SHAPE_INTEGER,        [MR_OPTION_AGGREGATES] = SHAPE_TEXT_MAP,
        [MR_OPTION_ZONE] = SHAPE_TEXT,           [MR_OPTION_NUMBERS] = SHAPE_NUMBERS,
        [MR_OPTION_DOCUMENT] = SHAPE_TEXT,
    };
    MR_ASSERT((size_t)type < MR_ARRAY_COUNT(shapes));
    return shapes[type];
}

/* One shape that both fit. */
static enum shape join_shapes(enum shape left, enum shape right)
{
    enum shape low = left < right ? left : right;
    enum shape high = left < right ? right : left;
    if (low == high || (low == SHAPE_TEXT && (high == SHAPE_INTEGER || high == SHAPE_NUMBER)) ||
        (low == SHAPE_INTEGER && high == SHAPE_NUMBER))
        return high;
    return SHAPE_ANY;
}

/* ---- Descriptions ---- */

static bool is_same(const char *left, const char *right)
{
    return left == right || (left != NULL && right != NULL && strcmp(left, right) == 0);
}

static bool has_same_traits(const struct mr_option_spec *left, const struct mr_option_spec *right)
{
    if (left->type != right->type || !is_same(left->default_text, right->default_text) ||
        memcmp(&left->minimum, &right->minimum, sizeof(double)) != 0 ||
        memcmp(&left->maximum, &right->maximum, sizeof(double)) != 0)
        return false;
    if (left->type != MR_OPTION_CHOICE || left->choices == right->choices)
        return true;
    uint32_t index = 0;
    while (left->choices[index] != NULL && is_same(left->choices[index], right->choices[index]))
        index++;
    return left->choices[index] == right->choices[index];
}

/* "integer", and where all types agree its default and bounds. */
static const char *traits(struct writer *writer, const struct options *options)
{
    const struct mr_option_spec *spec = options->items[0].spec;
    const char *text = mr_option_type_name(spec->type);
    bool same = true;
    for (uint32_t i = 1; i < options->count; i++) {
        const struct mr_option_spec *other = options->items[i].spec;
        bool named = false;
        same = same && has_same_traits(spec, other);
        for (uint32_t before = 0; before < i; before++)
            named = named || options->items[before].spec->type == other->type;
        if (!named)
            text =
                mr_arena_format(&writer->arena, "%s | %s", text, mr_option_type_name(other->type));
    }
    if (!same)
        return text;
    if (spec->type == MR_OPTION_CHOICE)
        text = mr_option_choices_text(&writer->arena, spec);
    if (spec->default_text != NULL && strcmp(spec->default_text, "{}") != 0)
        text = mr_arena_format(&writer->arena, "%s, default %s", text,
                               spec->default_text[0] == '\0' ? "''" : spec->default_text);
    if (mr_option_is_bounded(spec))
        text = mr_arena_format(&writer->arena, "%s, %s to %s", text,
                               mr_option_bound_text(&writer->arena, spec, spec->minimum),
                               mr_option_bound_text(&writer->arena, spec, spec->maximum));
    return text;
}

/* "Of a, b and 3 more." where not all types have it. */
static const char *owners(struct writer *writer, const struct options *options)
{
    const char *text = "";
    if (options->items[0].owner == NULL || options->count >= options->owners_count)
        return text;
    for (uint32_t i = 0; i < options->count && i < OWNERS_MAX; i++)
        text = mr_arena_format(&writer->arena, "%s%s%s", text, i == 0 ? " Of " : ", ",
                               options->items[i].owner);
    return options->count > OWNERS_MAX ? mr_arena_format(&writer->arena, "%s and %u more.", text,
                                                         options->count - OWNERS_MAX)
                                       : mr_arena_format(&writer->arena, "%s.", text);
}

static const char *describe(struct writer *writer, const struct options *options)
{
    const char *text = mr_arena_format(&writer->arena, "(%s)", traits(writer, options));
    uint32_t helps_count = 0;
    for (uint32_t i = 0; i < options->count && helps_count < HELPS_MAX; i++) {
        const char *help = options->items[i].spec->help;
        bool seen = help == NULL;
        for (uint32_t before = 0; before < i && !seen; before++)
            seen = is_same(help, options->items[before].spec->help);
        if (seen)
            continue;
        text = mr_arena_format(&writer->arena, "%s%s%s", text,
                               helps_count++ == 0 ? " " : " Or: ", help);
    }
    return mr_arena_format(&writer->arena, "%s%s", text, owners(writer, options));
}

/* ---- Properties ---- */

static void write_properties(struct writer *writer, uint32_t indent, const char *prefix,
                             struct options options);

static int compare_options(const void *left, const void *right)
{
    const struct option *first = left;
    const struct option *second = right;
    int order = strcmp(first->spec->name, second->spec->name);
    return order != 0 || first->owner == NULL ? order : strcmp(first->owner, second->owner);
}

/* Options below an object that several types have. */
static struct options below(struct writer *writer, const struct options *options)
{
    struct options found = {.owners_count = options->count};
    uint32_t most = 0;
    for (uint32_t i = 0; i < options->count; i++)
        most += options->items[i].spec->fields == NULL
                    ? 0
                    : mr_option_specs_count(options->items[i].spec->fields);
    found.items = mr_arena_new(&writer->arena, most + 1u, sizeof(*found.items));
    for (uint32_t i = 0; i < options->count; i++)
        for (const struct mr_option_spec *spec = options->items[i].spec->fields;
             spec != NULL && spec->name != NULL; spec++)
            found.items[found.count++] =
                (struct option){.spec = spec, .owner = options->items[i].owner};
    return found;
}

static void write_object(struct writer *writer, uint32_t indent, const char *name,
                         const struct options *options)
{
    struct options fields = below(writer, options);
    line(writer, indent, "type: object");
    line(writer, indent, "x-kubernetes-preserve-unknown-fields: true");
    if (fields.count > 0)
        write_properties(writer, indent, name, fields);
}

static void write_shape(struct writer *writer, uint32_t indent, enum shape shape, const char *name,
                        const struct options *options)
{
    static const char *const kept = "x-kubernetes-preserve-unknown-fields: true";
    switch (shape) {
    case SHAPE_TEXT:
        line(writer, indent, "type: string");
        return;
    case SHAPE_BOOLEAN:
        line(writer, indent, "type: boolean");
        return;
    case SHAPE_INTEGER:
        line(writer, indent, "x-kubernetes-int-or-string: true");
        return;
    case SHAPE_NUMBER:
    case SHAPE_ANY:
        line(writer, indent, "%s", kept);
        return;
    case SHAPE_TEXTS:
        line(writer, indent, "type: array");
        line(writer, indent, "items: {type: string}");
        return;
    case SHAPE_NUMBERS:
        line(writer, indent, "type: array");
        line(writer, indent, "items: {%s}", kept);
        return;
    case SHAPE_TEXT_MAP:
        line(writer, indent, "type: object");
        line(writer, indent, "additionalProperties: {type: string}");
        return;
    case SHAPE_FREE_MAP:
        line(writer, indent, "type: object");
        line(writer, indent, "%s", kept);
        return;
    case SHAPE_RECORDS:
        line(writer, indent, "type: array");
        line(writer, indent, "items: {type: object, %s}", kept);
        return;
    case SHAPE_OBJECT:
        write_object(writer, indent, name, options);
        return;
    case SHAPE_OBJECTS:
        line(writer, indent, "type: array");
        line(writer, indent, "items:");
        write_object(writer, indent + STEP, name, options);
        return;
    }
}

/* All options of one name. */
static void write_property(struct writer *writer, uint32_t indent, const char *prefix,
                           const struct options *options)
{
    const struct mr_option_spec *spec = options->items[0].spec;
    enum shape shape = shape_of(spec->type);
    const char *name = mr_arena_format(&writer->arena, "%s%s", prefix, spec->name);
    for (uint32_t i = 1; i < options->count; i++)
        shape = join_shapes(shape, shape_of(options->items[i].spec->type));
    line(writer, indent, "%s:", spec->name);
    description(writer, indent + STEP, describe(writer, options));
    write_shape(writer, indent + STEP, shape, mr_arena_format(&writer->arena, "%s.", name),
                options);
}

static void write_properties(struct writer *writer, uint32_t indent, const char *prefix,
                             struct options options)
{
    qsort(options.items, options.count, sizeof(*options.items), compare_options);
    line(writer, indent, "properties:");
    for (uint32_t begin = 0, end; begin < options.count; begin = end) {
        for (end = begin + 1; end < options.count && is_same(options.items[end].spec->name,
                                                             options.items[begin].spec->name);
             end++) {
        }
        const struct options same = {.items = options.items + begin,
                                     .count = end - begin,
                                     .owners_count = options.owners_count};
        write_property(writer, indent + STEP, prefix, &same);
    }
}

/* ---- Entries of a role ---- */

static struct options options_of_role(struct writer *writer, enum mr_role role)
{
    const struct mr_catalogue *catalogue = writer->catalogue;
    struct options options = {0};
    uint32_t most = 0;
    for (uint32_t pass = 0; pass < 2; pass++) {
        if (pass == 1)
            options.items = mr_arena_new(&writer->arena, most + 1u, sizeof(*options.items));
        for (uint32_t i = 0; i < catalogue->types_count; i++) {
            const struct mr_type_spec *type = catalogue->types[i];
            if (type->role != role)
                continue;
            const struct mr_option_spec *const tables[] = {
                type->options, mr_common_options(&writer->arena, catalogue, type)};
            options.owners_count += pass;
            for (size_t table = 0; table < MR_ARRAY_COUNT(tables); table++)
                for (const struct mr_option_spec *spec = tables[table];
                     spec != NULL && spec->name != NULL; spec++) {
                    if (pass == 1)
                        options.items[options.count++] =
                            (struct option){.spec = spec, .owner = type->name};
                    else
                        most++;
                }
        }
    }
    return options;
}

static void write_entries(struct writer *writer, uint32_t indent, const char *name,
                          enum mr_role role)
{
    int index = mr_option_specs_find(mr_spec_options, name);
    MR_ASSERT(index >= 0);
    line(writer, indent, "%s:", name);
    description(writer, indent + STEP, mr_spec_options[index].help);
    line(writer, indent + STEP, "type: array");
    line(writer, indent + STEP, "maxItems: %d", MR_LIMIT_TOPOLOGY_NODES);
    line(writer, indent + STEP, "x-kubernetes-list-type: atomic");
    line(writer, indent + STEP, "items:");
    line(writer, indent + 2 * STEP, "type: object");
    line(writer, indent + 2 * STEP, "x-kubernetes-preserve-unknown-fields: true");
    write_properties(writer, indent + 2 * STEP, "", options_of_role(writer, role));
}

static void write_spec(struct writer *writer, uint32_t indent)
{
    static const struct {
        const char *name;
        enum mr_role role;
    } entries[] = {
        {"sources", MR_ROLE_SOURCE}, {"operators", MR_ROLE_OPERATOR}, {"sinks", MR_ROLE_SINK}};
    for (const struct mr_option_spec *spec = mr_spec_options; spec->name != NULL; spec++) {
        struct option option = {.spec = spec};
        const struct options alone = {.items = &option, .count = 1};
        uint32_t at = 0;
        while (at < MR_ARRAY_COUNT(entries) && !is_same(entries[at].name, spec->name))
            at++;
        if (at < MR_ARRAY_COUNT(entries))
            write_entries(writer, indent, entries[at].name, entries[at].role);
        else
            write_property(writer, indent, "", &alone);
    }
}

/* ---- The frame ---- */

static const char head[] =
    "# Made by `millrace docs --crd`; do not edit. Topologies as objects of Kubernetes.\n"
    "apiVersion: apiextensions.k8s.io/v1\n"
    "kind: CustomResourceDefinition\n"
    "metadata:\n"
    "  name: topologies.millrace.io\n"
    "spec:\n"
    "  group: millrace.io\n"
    "  scope: Namespaced\n"
    "  names:\n"
    "    plural: topologies\n"
    "    singular: topology\n"
    "    kind: Topology\n"
    "    listKind: TopologyList\n"
    "  versions:\n"
    "  - name: v1alpha1\n"
    "    served: true\n"
    "    storage: true\n"
    "    subresources:\n"
    "      status: {}\n"
    "    additionalPrinterColumns:\n"
    "    - {name: Version, type: integer, jsonPath: .status.version}\n"
    "    - {name: Tasks, type: string, jsonPath: .status.tasks.summary}\n"
    "    - {name: Lag, type: integer, jsonPath: .status.lag}\n"
    "    - {name: State, type: string, jsonPath: .status.state}\n"
    "    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}\n"
    "    - {name: Reason, type: string, jsonPath: .status.reason, priority: 1}\n"
    "    schema:\n"
    "      openAPIV3Schema:\n"
    "        description: \"A graph of sources, operators and sinks that the coordinator of its "
    "namespace runs; the same file works with `millrace submit`. The name of the object is the "
    "topology's name.\"\n"
    "        type: object\n"
    "        required: [spec]\n"
    "        x-kubernetes-validations:\n"
    "        - rule: \"self.metadata.name.matches('^[a-z][a-z0-9-]{0,62}$')\"\n"
    "          message: \"metadata.name: a topology's name is a lower-case letter, then up to 62 "
    "letters, digits and -\"\n"
    "        properties:\n"
    "          apiVersion: {type: string}\n"
    "          kind: {type: string}\n"
    "          metadata:\n"
    "            type: object\n"
    "            properties:\n"
    "              name: {type: string, maxLength: 63}\n"
    "          spec:\n"
    "            description: \"The topology. Options and types: `millrace docs`.\"\n"
    "            type: object\n"
    "            x-kubernetes-preserve-unknown-fields: true\n"
    "            x-kubernetes-validations:\n"
    "            - rule: \"has(self.sources) && size(self.sources) > 0\"\n"
    "              message: \"a topology needs at least one source in 'sources'\"\n"
    "            properties:\n";

static const char status_schema[] =
    "          status:\n"
    "            description: \"What the coordinator knows of it; written by its leader.\"\n"
    "            type: object\n"
    "            properties:\n"
    "              observedGeneration:\n"
    "                description: \"The metadata.generation that the rest is about.\"\n"
    "                type: integer\n"
    "                format: int64\n"
    "              cluster:\n"
    "                description: \"The cluster of Millrace that runs it.\"\n"
    "                type: string\n"
    "              version:\n"
    "                description: \"The version that runs; each accepted change is a new one.\"\n"
    "                type: integer\n"
    "                format: int64\n"
    "              state:\n"
    "                description: \"Running, Starting, Stalled, Paused, Failed, Blocked or "
    "Deleting; Refused: nothing of it was ever accepted.\"\n"
    "                type: string\n"
    "              reason:\n"
    "                description: \"Why the state is what it is.\"\n"
    "                type: string\n"
    "              tasks:\n"
    "                description: \"Tasks of all subtopologies.\"\n"
    "                type: object\n"
    "                properties:\n"
    "                  summary:\n"
    "                    description: \"Running of all, as in 3/4.\"\n"
    "                    type: string\n"
    "                  total: {type: integer, format: int64}\n"
    "                  running: {type: integer, format: int64}\n"
    "                  restoring: {type: integer, format: int64}\n"
    "              lag:\n"
    "                description: \"Records of the sources that are not processed yet; absent: not "
    "known.\"\n"
    "                type: integer\n"
    "                format: int64\n"
    "              lastError:\n"
    "                description: \"What was wrong with the last change, or with running it.\"\n"
    "                type: string\n"
    "              findings:\n"
    "                description: \"Errors of the definition, as `millrace validate` tells them; "
    "lines count in the object as `kubectl get -o yaml` shows apiVersion, kind, metadata.name and "
    "spec.\"\n"
    "                type: array\n"
    "                maxItems: 200\n"
    "                x-kubernetes-list-type: atomic\n"
    "                items:\n"
    "                  type: object\n"
    "                  required: [severity, message]\n"
    "                  properties:\n"
    "                    severity: {type: string}\n"
    "                    line: {type: integer, format: int64}\n"
    "                    column: {type: integer, format: int64}\n"
    "                    field: {type: string}\n"
    "                    text:\n"
    "                      description: \"The line itself.\"\n"
    "                      type: string\n"
    "                    message: {type: string}\n"
    "              conditions:\n"
    "                description: \"Accepted: the definition is sound and runs or will; Ready: all "
    "its tasks run; Restoring: state is being restored.\"\n"
    "                type: array\n"
    "                maxItems: 16\n"
    "                x-kubernetes-list-type: map\n"
    "                x-kubernetes-list-map-keys: [type]\n"
    "                items:\n"
    "                  type: object\n"
    "                  required: [type, status, lastTransitionTime, reason, message]\n"
    "                  properties:\n"
    "                    type: {type: string}\n"
    "                    status: {type: string, enum: [\"True\", \"False\", Unknown]}\n"
    "                    observedGeneration: {type: integer, format: int64}\n"
    "                    lastTransitionTime: {type: string, format: date-time}\n"
    "                    reason: {type: string}\n"
    "                    message: {type: string}\n";

enum mr_status mr_crd_write(const struct mr_catalogue *catalogue, struct mr_buffer *output)
{
    enum { CHUNK_BYTES = 256 << 10, SPEC_INDENT = 14 };
    struct writer writer = {.output = output, .catalogue = catalogue};
    mr_arena_init(&writer.arena, CHUNK_BYTES);
    writer.status = mr_buffer_append_text(output, head);
    write_spec(&writer, SPEC_INDENT);
    if (writer.status == MR_OK)
        writer.status = mr_buffer_append_text(output, status_schema);
    mr_arena_deinit(&writer.arena);
    return writer.status;
}
