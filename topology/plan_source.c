/* topology/plan_source.c — records as they enter: a source's, or rows that an operator makes.
 * Design: what has a payload of JSON is open (any field may be there); rows of declared fields, CSV
 * and single values are closed, so that a wrong name is found here and not at run time. */
#include "topology/planner.h"

void mr_view_fields(struct mr_planner *planner, const char *name,
                    const struct mr_output_field *fields, uint32_t fields_count,
                    struct mr_record_view *view)
{
    struct mr_domain_draft *domain = mr_domain_new(planner, MR_DOMAIN_FIELDS, name);
    struct mr_field_draft *drafts = mr_arena_new(planner->arena, fields_count, sizeof(*drafts));
    const char **names = mr_arena_new(planner->arena, fields_count, sizeof(*names));
    for (uint32_t i = 0; i < fields_count; i++) {
        const struct mr_type *type = mr_planner_type(fields[i].type);
        names[i] = fields[i].name;
        drafts[i] = (struct mr_field_draft){
            .name = fields[i].name,
            .type = type,
            .slot = mr_domain_column(planner, domain, type),
        };
    }
    domain->blank = true;
    domain->fields = drafts;
    domain->fields_count = fields_count;
    *view = (struct mr_record_view){
        .domain = domain, .closed = true, .kept = names, .kept_count = fields_count};
}

static const struct mr_schema *schema_of(const struct mr_definition_entry *entry)
{
    const struct mr_option_value *value = mr_definition_value(entry, "schema");
    return value != NULL && value->present ? value->schema : NULL;
}

static struct mr_output_field named_field(struct mr_planner *planner,
                                          const struct mr_schema *schema, const char *name)
{
    const struct mr_type *type = NULL;
    struct mr_path path = mr_planner_name_path(planner, name);
    if (schema != NULL)
        type = mr_schema_find(schema, &path);
    return (struct mr_output_field){.name = name, .type = type == NULL ? MR_TYPE_ANY : type->code};
}

/* A generator that lists its fields as an option (generate.random). */
static void fields_by_option(struct mr_planner *planner, const struct mr_definition_entry *entry,
                             struct mr_record_view *view)
{
    const struct mr_option_value *value = mr_definition_value(entry, "fields");
    const struct mr_schema *schema = schema_of(entry);
    uint32_t count = value == NULL || !value->present ? 0 : value->count;
    struct mr_output_field *fields = mr_arena_new(planner->arena, count, sizeof(*fields));
    uint32_t named = 0;
    for (uint32_t i = 0; i < count; i++) {
        int index = mr_option_specs_find(value->objects[i].specs, "name");
        const char *name = index < 0 ? NULL : value->objects[i].values[index].text;
        if (name == NULL)
            continue;
        fields[named++] = named_field(planner, schema, name);
    }
    mr_view_fields(planner, entry->name, fields, named, view);
    view->unknown = named != count; /* reported with the option */
}

/* Read the document that the option names, once. False: there is none, which was reported. */
static bool load_document(struct mr_planner *planner, const struct mr_definition_entry *entry,
                          struct mr_option_value *value, struct mr_document_facts *facts)
{
    const struct mr_document_source *documents = planner->catalogue->documents;
    struct mr_error error = {.message = "this program reads no documents"};
    if (!value->present)
        return false; /* reported with the option */
    if (documents == NULL ||
        documents->load(documents->argument, value->text, planner->arena, facts, &error) != MR_OK) {
        mr_report_add(planner->report, MR_SEVERITY_ERROR, value->location, "'%s' of '%s': %s",
                      "model", entry->name, error.message);
        return false;
    }
    struct mr_slice *bytes = mr_arena_new(planner->arena, 1, sizeof(*bytes));
    *bytes = facts->bytes;
    value->document = bytes;
    planner->loaded_hash += facts->hash; /* in any order of nodes the same */
    return true;
}

/* A generator whose records are told by a document: its fields, and those of the type behind them
 * where `include_metadata` says so. */
static void fields_by_document(struct mr_planner *planner, const struct mr_definition_entry *entry,
                               struct mr_option_value *value, struct mr_record_view *view)
{
    const struct mr_output_spec *output = &entry->type->outputs[0];
    const struct mr_option_value *metadata = mr_definition_value(entry, "include_metadata");
    struct mr_document_facts facts = {0};
    bool is_fine = load_document(planner, entry, value, &facts);
    uint32_t more = metadata != NULL && metadata->boolean ? output->fields_count : 0;
    struct mr_output_field *fields =
        mr_arena_new(planner->arena, facts.fields_count + more, sizeof(*fields));
    for (uint32_t i = 0; i < facts.fields_count; i++)
        fields[i] = named_field(planner, schema_of(entry), facts.fields[i]);
    for (uint32_t i = 0; i < more; i++)
        fields[facts.fields_count + i] = output->fields[i];
    for (uint32_t i = 0; i < facts.fields_count; i++)
        for (uint32_t k = 0; k < more; k++)
            if (strcmp(facts.fields[i], output->fields[k].name) == 0) {
                mr_report_add(planner->report, MR_SEVERITY_ERROR, value->location,
                              "the model has a field '%s', as the metadata: say include_metadata: "
                              "false",
                              facts.fields[i]);
                is_fine = false;
            }
    mr_view_fields(planner, entry->name, fields, is_fine ? facts.fields_count + more : 0, view);
    view->unknown = !is_fine;
}

/* The option that names a document; NULL: the type has none. */
static struct mr_option_value *document_of(const struct mr_definition_entry *entry)
{
    for (uint32_t i = 0; i < entry->options.count; i++)
        if (entry->options.specs[i].type == MR_OPTION_DOCUMENT)
            return &entry->options.values[i];
    return NULL;
}

/* The types of a source with a layout of its own. */
static const struct mr_schema *own_schema(struct mr_planner *planner,
                                          const struct mr_type_spec *type)
{
    if (type->outputs_count == 0 || type->outputs[0].fields == NULL)
        return NULL;
    const struct mr_output_spec *output = &type->outputs[0];
    struct mr_schema *schema = mr_arena_new(planner->arena, 1, sizeof(*schema));
    struct mr_schema_field *fields =
        mr_arena_new(planner->arena, output->fields_count, sizeof(*fields));
    for (uint32_t i = 0; i < output->fields_count; i++)
        fields[i] = (struct mr_schema_field){output->fields[i].name,
                                             mr_planner_type(output->fields[i].type)};
    schema->root = (struct mr_type){
        .code = MR_TYPE_OBJECT, .fields = fields, .fields_count = output->fields_count};
    return schema;
}

/* Formats without a payload that a layout can splice: their fields are known or must be named. */
static void close_fields(struct mr_planner *planner, const struct mr_definition_entry *entry,
                         struct mr_record_view *view)
{
    static const char *const value_field[] = {"value"};
    const struct mr_schema *schema = view->domain->schema;
    int columns = mr_option_specs_find(entry->format->options, "columns");
    const struct mr_option_value *names =
        columns < 0 ? NULL : &entry->format_options.values[columns];
    if (entry->format->single_value) {
        view->kept = value_field;
        view->kept_count = 1;
    } else if (names != NULL && names->present && names->texts != NULL) {
        view->kept = names->texts;
        view->kept_count = names->count;
    } else if (schema != NULL) {
        const char **kept = mr_arena_new(planner->arena, schema->root.fields_count, sizeof(*kept));
        for (uint32_t i = 0; i < schema->root.fields_count; i++)
            kept[i] = schema->root.fields[i].name;
        view->kept = kept;
        view->kept_count = schema->root.fields_count;
    } else {
        return; /* open: a header names the fields at run time */
    }
    view->closed = true;
}

static void decoded_view(struct mr_planner *planner, const struct mr_definition_entry *entry,
                         struct mr_record_view *view)
{
    struct mr_domain_draft *domain = mr_domain_new(planner, MR_DOMAIN_SOURCE, entry->name);
    domain->schema = schema_of(entry);
    if (domain->schema == NULL)
        domain->schema = own_schema(planner, entry->type);
    *view = (struct mr_record_view){.domain = domain};
    bool typed = (entry->type->flags & MR_TYPE_RECORD_TYPED) != 0;
    domain->payload = typed || entry->format == NULL || entry->format->payload_is_json;
    view->unknown = !typed && entry->format == NULL; /* reported */
    if (!domain->payload)
        close_fields(planner, entry, view);
}

void mr_view_source(struct mr_planner *planner, struct mr_node_draft *node,
                    struct mr_record_view *view)
{
    const struct mr_definition_entry *entry = node->entry;
    const struct mr_type_spec *type = entry->type;
    if ((type->flags & MR_TYPE_GENERATOR) == 0)
        decoded_view(planner, entry, view);
    else if (document_of(entry) != NULL)
        fields_by_document(planner, entry, document_of(entry), view);
    else if (type->outputs_count > 0 && type->outputs[0].fields != NULL)
        mr_view_fields(planner, entry->name, type->outputs[0].fields, type->outputs[0].fields_count,
                       view);
    else
        fields_by_option(planner, entry, view);
    view->domain->has_meta = true;
    const struct mr_option_value *key = mr_definition_value(entry, "key");
    view->keyed = key != NULL && key->present;
    const struct mr_option_value *format = mr_definition_value(entry, "key_format");
    view->key_is_text = format == NULL || !format->present ||
                        (enum mr_key_format)format->integer == MR_KEY_FORMAT_TEXT;
    view->key_paths = view->keyed ? key->paths : NULL;
    view->key_count = view->keyed ? key->count : 0;
    if (!view->keyed)
        view->key_lost = mr_arena_format(planner->arena, "'%s' does not say its key", entry->name);
}
