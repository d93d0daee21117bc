/* topology/docs.c — see docs.h.
 * Design: one walk for both forms; text folds help at a terminal's width, Markdown uses tables. */
#include "topology/docs.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "topology/common_options.h"
#include "topology/option_text.h"
#include "topology/parse_options.h"

enum { TEXT_WIDTH = 80, HELP_INDENT = 6 };

struct page {
    struct mr_buffer *output;
    struct mr_arena arena;
    bool markdown;
    enum mr_status status;
};

static void put_bytes(struct page *page, const char *text, size_t size)
{
    if (page->status == MR_OK)
        page->status = mr_buffer_append(page->output, text, size);
}

static void put_text(struct page *page, const char *text)
{
    put_bytes(page, text, strlen(text));
}

static void put(struct page *page, const char *format, ...) MR_PRINTF(2, 3);

static void put(struct page *page, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    put_bytes(page, text, size < (int)sizeof(text) ? (size_t)size : sizeof(text) - 1);
}

/* Text folded at blanks, each line behind indent blanks; paragraphs stay apart. */
static void put_folded(struct page *page, const char *text, uint32_t indent)
{
    while (*text != '\0') {
        const char *end = strchr(text, '\n');
        size_t line = end == NULL ? strlen(text) : (size_t)(end - text);
        size_t size = line;
        if (!page->markdown && indent + size > TEXT_WIDTH) {
            size = TEXT_WIDTH - indent;
            while (size > 0 && text[size] != ' ')
                size--;
            if (size == 0)
                size = strcspn(text, " \n");
        }
        if (size > 0)
            put(page, "%*s", page->markdown ? 0 : (int)indent, "");
        put_bytes(page, text, size);
        put_text(page, "\n");
        text += size;
        if (*text == ' ' || *text == '\n')
            text++;
    }
}

static void heading(struct page *page, const char *text)
{
    put(page, page->markdown ? "\n## %s\n\n" : "\n%s\n", text);
}

/* ---- Options ---- */

static const char *traits(struct page *page, const struct mr_option_spec *spec)
{
    struct mr_arena *arena = &page->arena;
    const char *text = mr_option_type_name(spec->type);
    if (spec->type == MR_OPTION_CHOICE)
        text = mr_option_choices_text(arena, spec);
    if ((spec->flags & MR_OPTION_REQUIRED) != 0)
        text = mr_arena_format(arena, "%s, required", text);
    if (spec->default_text != NULL && strcmp(spec->default_text, "{}") != 0)
        text = mr_arena_format(arena, "%s, default %s", text,
                               spec->default_text[0] == '\0' ? "''" : spec->default_text);
    if (mr_option_is_bounded(spec))
        text = mr_arena_format(arena, "%s, %s to %s", text,
                               mr_option_bound_text(arena, spec, spec->minimum),
                               mr_option_bound_text(arena, spec, spec->maximum));
    if ((spec->flags & MR_OPTION_SECRET) != 0)
        text = mr_arena_format(arena, "%s, secret", text);
    if ((spec->flags & MR_OPTION_STATE_BOUND) != 0)
        text = mr_arena_format(arena, "%s, bound to stored state", text);
    return text;
}

/* A table's cell: a bar would end it. */
static void put_cell(struct page *page, const char *text)
{
    for (; *text != '\0'; text++)
        put(page, *text == '|' ? "\\%c" : "%c", *text == '\n' ? ' ' : *text);
}

static void put_options(struct page *page, const struct mr_option_spec *specs, const char *prefix)
{
    for (; specs != NULL && specs->name != NULL; specs++) {
        const char *name = mr_arena_format(&page->arena, "%s%s", prefix, specs->name);
        const char *help = specs->help == NULL ? "" : specs->help;
        if (page->markdown) {
            put(page, "| `%s` | ", name);
            put_cell(page, traits(page, specs));
            put_text(page, " | ");
            put_cell(page, help);
            put_text(page, " |\n");
        } else {
            put(page, "  %s (%s)\n", name, traits(page, specs));
            put_folded(page, help, HELP_INDENT);
        }
        if (specs->fields != NULL)
            put_options(page, specs->fields,
                        mr_arena_format(&page->arena, "%s%s.", name,
                                        specs->type == MR_OPTION_OBJECTS ? "[]" : ""));
    }
}

static void put_table(struct page *page, const char *title, const struct mr_option_spec *specs)
{
    heading(page, title);
    if (mr_option_specs_count(specs) == 0) {
        put_folded(page, "None.", 2);
        return;
    }
    if (page->markdown)
        put_text(page, "| option | value | meaning |\n| --- | --- | --- |\n");
    put_options(page, specs, "");
}

/* ---- Inputs, outputs, state ---- */

static const char *field_type(enum mr_type_code code)
{
    static const char *const names[] = {"any",      "bool",   "int",   "uint",
                                        "double",   "string", "bytes", "timestamp",
                                        "duration", "list",   "object"};
    return names[code];
}

static void put_fields(struct page *page, const struct mr_output_field *fields, uint32_t count)
{
    if (page->markdown && count > 0)
        put_text(page, "\n| field | type | meaning |\n| --- | --- | --- |\n");
    for (uint32_t i = 0; i < count; i++) {
        const char *help = fields[i].help == NULL ? "" : fields[i].help;
        if (page->markdown) {
            put(page, "| `%s` | %s | ", fields[i].name, field_type(fields[i].type));
            put_cell(page, help);
            put_text(page, " |\n");
        } else {
            put(page, "    %s (%s)\n", fields[i].name, field_type(fields[i].type));
            put_folded(page, help, HELP_INDENT + 2);
        }
    }
}

static void put_outputs(struct page *page, const struct mr_type_spec *type)
{
    if (type->role == MR_ROLE_SINK)
        return;
    heading(page, "Outputs");
    if ((type->flags & MR_TYPE_DYNAMIC_OUTPUTS) != 0)
        put_folded(page, "One per entry of `branches`, by its name, and `rest`.", 2);
    else if (type->outputs_count == 0)
        put_folded(page, "main: the records.", 2);
    for (uint32_t i = 0; i < type->outputs_count; i++) {
        const struct mr_output_spec *output = &type->outputs[i];
        put(page, page->markdown ? "%s`%s`: %s\n" : "%s  %s: %s\n",
            page->markdown && i > 0 ? "\n" : "", output->name,
            output->help == NULL ? "" : output->help);
        put_fields(page, output->fields, output->fields_count);
    }
    if ((type->flags & MR_TYPE_ADDS_FIELD) == 0)
        return;
    heading(page, mr_arena_format(&page->arena, "Members of the added object (default `%s`)",
                                  type->as_default));
    put_fields(page, type->added_fields, type->added_fields_count);
}

/* A list of so many paths, as YAML. */
static const char *some_paths(struct mr_arena *arena, uint32_t count)
{
    const char *text = "[f1";
    for (uint32_t path = 2; path <= count; path++)
        text = mr_arena_format(arena, "%s, f%" PRIu32, text, path);
    return mr_arena_format(arena, "%s]", text);
}

/* Options of a detector as a user writes who gives no more than must be given; *fields_count: paths
 * in its list, 0: it takes one. False: more must be given than paths. */
static bool least_options(struct page *page, const struct mr_type_spec *type,
                          struct mr_options *options, uint32_t *fields_count)
{
    enum { LEAST_FIELDS = 2 };
    const char *text = "";
    *fields_count = 0;
    for (const struct mr_option_spec *spec = type->options; spec->name != NULL; spec++) {
        if ((spec->flags & MR_OPTION_REQUIRED) == 0)
            continue;
        if (spec->type != MR_OPTION_PATH && spec->type != MR_OPTION_PATHS)
            return false;
        const char *value = "f1";
        if (spec->type == MR_OPTION_PATHS) {
            *fields_count = spec->minimum > LEAST_FIELDS ? (uint32_t)spec->minimum : LEAST_FIELDS;
            value = some_paths(&page->arena, *fields_count);
        }
        text = mr_arena_format(&page->arena, "%s%s: %s\n", text, spec->name, value);
    }
    struct mr_report report;
    mr_report_init(&report, &page->arena, type->name);
    struct mr_options_parser parser = {
        .arena = &page->arena, .report = &report, .owner = type->name, .prefix = ""};
    const struct mr_yaml_node *node = mr_yaml_parse(mr_slice_text(text), &page->arena, &report);
    mr_options_parse(&parser, type->options, node, (struct mr_location){0}, options);
    return report.errors_count == 0;
}

/* What a detector keeps and logs with its defaults. */
static void put_estimate(struct page *page, const struct mr_type_spec *type)
{
    struct mr_options options;
    uint32_t fields_count;
    if (!mr_type_is_controlled(type) || type->estimate == NULL || type->options == NULL ||
        !least_options(page, type, &options, &fields_count))
        return;
    struct mr_state_estimate estimate = {0};
    type->estimate(&options, &estimate);
    const char *fields =
        fields_count == 0 ? ""
                          : mr_arena_format(&page->arena, " and %" PRIu32 " fields", fields_count);
    put_text(page, "\n");
    put_folded(page,
               mr_arena_format(&page->arena,
                               "With the defaults%s at most, keys of 64 bytes: %" PRIu64
                               " bytes per key in the cache, %" PRIu64 " on disk, %" PRIu64
                               " changelog bytes per record. A transaction logs a key's object and "
                               "each changed piece of it once, however many of its records it "
                               "has.",
                               fields, estimate.object_bytes, estimate.stored_bytes,
                               estimate.changelog_bytes_per_record),
               2);
}

/* Estimates depend on options; the page shows them for the defaults. */
static void put_state(struct page *page, const struct mr_type_spec *type)
{
    if (type->state_version == 0)
        return;
    heading(page, "State");
    put_folded(page,
               mr_arena_format(&page->arena,
                               "Kept per key, layout version %" PRIu32 ". `millrace plan` prints "
                               "bytes per key and changelog bytes per record for a topology's "
                               "options.",
                               type->state_version),
               2);
    put_estimate(page, type);
}

static void put_refused(struct page *page, const struct mr_type_spec *type)
{
    if (type->refused == NULL)
        return;
    heading(page, "Options that others have");
    for (const struct mr_refused_option *refused = type->refused; refused->name != NULL; refused++)
        put_folded(page,
                   mr_arena_format(&page->arena, page->markdown ? "- No `%s`: %s." : "- No %s: %s.",
                                   refused->name, refused->why),
                   2);
}

static void put_guarantee(struct page *page, const struct mr_type_spec *type)
{
    static const char *const texts[] = {
        [MR_GUARANTEE_NONE] = "None: a crash may lose or double records.",
        [MR_GUARANTEE_AT_LEAST_ONCE] = "At least once: a crash may double records.",
        [MR_GUARANTEE_EXACTLY_ONCE] = "Exactly once."};
    if (type->role == MR_ROLE_OPERATOR)
        return;
    heading(page, "Guarantee");
    put_folded(page, texts[type->guarantee], 2);
}

static const char *role_name(enum mr_role role)
{
    static const char *const names[] = {
        [MR_ROLE_SOURCE] = "source", [MR_ROLE_OPERATOR] = "operator", [MR_ROLE_SINK] = "sink"};
    return names[role];
}

/* ---- Pages ---- */

static void page_init(struct page *page, enum mr_docs_form form, struct mr_buffer *output)
{
    *page = (struct page){.output = output, .markdown = form == MR_DOCS_MARKDOWN};
    mr_arena_init(&page->arena, 16 << 10);
}

enum mr_status mr_docs_type(const struct mr_catalogue *catalogue, const struct mr_type_spec *type,
                            enum mr_docs_form form, struct mr_buffer *output)
{
    struct page page;
    page_init(&page, form, output);
    put(&page, page.markdown ? "# %s (%s)\n\n" : "%s (%s)\n\n", type->name, role_name(type->role));
    put_folded(&page, type->summary, 2);
    if (type->description != NULL && strcmp(type->description, type->summary) != 0) {
        put_text(&page, "\n");
        put_folded(&page, type->description, 2);
    }
    put_table(&page, "Options", type->options);
    put_table(&page, "Common options", mr_common_options(&page.arena, catalogue, type));
    put_refused(&page, type);
    put_outputs(&page, type);
    put_state(&page, type);
    put_guarantee(&page, type);
    mr_arena_deinit(&page.arena);
    return page.status;
}

enum mr_status mr_docs_list(const struct mr_catalogue *catalogue, enum mr_docs_form form,
                            struct mr_buffer *output)
{
    static const char *const titles[] = {
        [MR_ROLE_SOURCE] = "Sources", [MR_ROLE_OPERATOR] = "Operators", [MR_ROLE_SINK] = "Sinks"};
    struct page page;
    page_init(&page, form, output);
    put_text(&page, page.markdown ? "# Types\n" : "Types\n");
    for (enum mr_role role = MR_ROLE_SOURCE; role <= MR_ROLE_SINK; role++) {
        heading(&page, titles[role]);
        for (uint32_t i = 0; i < catalogue->types_count; i++)
            if (catalogue->types[i]->role == role)
                put(&page, page.markdown ? "- `%s`: %s\n" : "  %-20s %s\n",
                    catalogue->types[i]->name, catalogue->types[i]->summary);
    }
    heading(&page, "Formats");
    for (uint32_t i = 0; i < catalogue->formats_count; i++)
        put(&page, page.markdown ? "- `%s`: %s\n" : "  %-20s %s\n", catalogue->formats[i].name,
            catalogue->formats[i].help == NULL ? "" : catalogue->formats[i].help);
    mr_arena_deinit(&page.arena);
    return page.status;
}

/* ---- Aggregate functions ---- */

/* "quantile(x, q)": what may be left out is in brackets. */
static const char *signature(struct page *page, const struct mr_aggregate_spec *spec)
{
    const char *text = mr_arena_format(&page->arena, "%s(", spec->name);
    const char *comma = "";
    for (uint32_t i = 0; i < spec->arguments_max; i++, comma = ", ")
        text = mr_arena_format(&page->arena, i < spec->arguments_min ? "%s%s%s" : "%s[%s%s]", text,
                               comma, spec->argument_names[i]);
    for (uint32_t i = 0; i < spec->parameters_count; i++, comma = ", ")
        text = mr_arena_format(&page->arena, spec->parameters[i].required ? "%s%s%s" : "%s[%s%s]",
                               text, comma, spec->parameters[i].name);
    return mr_arena_format(&page->arena, "%s)", text);
}

static const char *parameter_traits(struct page *page, const struct mr_aggregate_parameter *spec)
{
    const char *text = spec->is_integer ? "integer" : "number";
    text = spec->required
               ? mr_arena_format(&page->arena, "%s, required", text)
               : mr_arena_format(&page->arena, "%s, default %g", text, spec->default_number);
    return mr_arena_format(&page->arena, "%s, %.15g to %.15g", text, spec->minimum, spec->maximum);
}

static void put_aggregate(struct page *page, const struct mr_aggregate_spec *spec)
{
    const char *type =
        spec->result == MR_TYPE_ANY ? "that of its argument" : field_type(spec->result);
    heading(page,
            mr_arena_format(&page->arena, page->markdown ? "`%s`" : "%s", signature(page, spec)));
    put_folded(page, spec->help, 2);
    put_text(page, page->markdown ? "\n" : "");
    put_folded(page, mr_arena_format(&page->arena, "Type of the result: %s.", type), 2);
    if (page->markdown && spec->parameters_count > 0)
        put_text(page, "\n| parameter | value | meaning |\n| --- | --- | --- |\n");
    for (uint32_t i = 0; i < spec->parameters_count; i++) {
        const struct mr_aggregate_parameter *parameter = &spec->parameters[i];
        const char *about = parameter_traits(page, parameter);
        if (page->markdown) {
            put(page, "| `%s` | %s | ", parameter->name, about);
            put_cell(page, parameter->help);
            put_text(page, " |\n");
        } else {
            put(page, "    %s (%s)\n", parameter->name, about);
            put_folded(page, parameter->help, HELP_INDENT + 2);
        }
    }
}

enum mr_status mr_docs_aggregates(const struct mr_catalogue *catalogue, enum mr_docs_form form,
                                  struct mr_buffer *output)
{
    struct page page;
    page_init(&page, form, output);
    put_text(&page, page.markdown ? "# Aggregate functions\n\n" : "Aggregate functions\n\n");
    put_folded(&page,
               "An operator with the option `aggregates` sums up the rows of a group by calls of "
               "these functions: `aggregates: {mean: avg(value), p99: 'quantile(value, 0.99)'}`. "
               "Arguments are expressions over the input's record, evaluated once per row; "
               "parameters are literal numbers behind them. What stands in brackets may be left "
               "out. A row whose argument cannot be used, as a text where a number is needed, "
               "fails by itself (`on_error`); a number that is not finite cannot be used.",
               2);
    for (uint32_t i = 0; i < catalogue->aggregates_count; i++)
        put_aggregate(&page, catalogue->aggregates[i]);
    mr_arena_deinit(&page.arena);
    return page.status;
}

enum mr_status mr_docs_file(enum mr_docs_form form, struct mr_buffer *output)
{
    struct page page;
    page_init(&page, form, output);
    put_text(&page, page.markdown ? "# The topology file\n" : "The topology file\n");
    put_table(&page, "Options", mr_file_options);
    mr_arena_deinit(&page.arena);
    return page.status;
}
