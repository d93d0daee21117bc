/* connectors/registry.c — the table of all sources and sinks, and its own check.
 * To add one: list it here, in name order; docs/ADDING_A_CONNECTOR.md has the rest. */
#include "connectors/registry.h"

#include "base/assert.h"
#include "connectors/file/file.h"
#include "connectors/kafka/kafka.h"

const struct mr_connector_type mr_connector_file = {.source_spec = &mr_file_source_spec,
                                                    .source = &mr_file_source_ops,
                                                    .sink_spec = &mr_file_sink_spec,
                                                    .sink = &mr_file_sink_ops};

/* A topic in the log is driven by worker/ through connectors/log.h: there are no ops. */
static const struct mr_connector_type connector_kafka = {.source_spec = &mr_kafka_source_spec,
                                                         .sink_spec = &mr_kafka_sink_spec};

static const struct mr_connector_type *const registered[] = {
    &mr_connector_file,    &connector_kafka,     &mr_connector_memory,
    &mr_connector_metrics, &mr_connector_stdout,
};

const struct mr_connector_type *const *mr_connectors(uint32_t *count)
{
    *count = (uint32_t)MR_ARRAY_COUNT(registered);
    return registered;
}

const char *mr_connector_name(const struct mr_connector_type *type)
{
    return type->source_spec != NULL ? type->source_spec->name : type->sink_spec->name;
}

static const struct mr_type_spec *spec_of(const struct mr_connector_type *type, enum mr_role role)
{
    return role == MR_ROLE_SOURCE ? type->source_spec
           : role == MR_ROLE_SINK ? type->sink_spec
                                  : NULL;
}

const struct mr_connector_type *mr_connector_find(enum mr_role role, const char *name)
{
    for (uint32_t i = 0; i < MR_ARRAY_COUNT(registered); i++) {
        const struct mr_type_spec *spec = spec_of(registered[i], role);
        if (spec != NULL && strcmp(spec->name, name) == 0)
            return registered[i];
    }
    return NULL;
}

/* ---- Check ---- */

static enum mr_status broken(struct mr_error *error, const char *type, const char *what)
{
    return MR_FAIL(error, MR_INTERNAL, MR_RECOVERY_EXIT, "The connector table of '%s': %s.", type,
                   what);
}

static bool is_sentence(const char *text)
{
    size_t size = text == NULL ? 0 : strlen(text);
    return size > 1 && text[size - 1] == '.';
}

static enum mr_status check_options(const struct mr_option_spec *specs, const char *type,
                                    struct mr_error *error)
{
    for (const struct mr_option_spec *spec = specs; spec->name != NULL; spec++) {
        bool nested = spec->type == MR_OPTION_OBJECT || spec->type == MR_OPTION_OBJECTS;
        if (!is_sentence(spec->help))
            return broken(error, type, "an option has no help that is a sentence");
        if (nested != (spec->fields != NULL))
            return broken(error, type, "an option's nested options do not fit its type");
        if ((spec->type == MR_OPTION_CHOICE) != (spec->choices != NULL))
            return broken(error, type, "an option's choices do not fit its type");
        if (spec->default_text != NULL && (spec->flags & MR_OPTION_REQUIRED) != 0)
            return broken(error, type, "a required option has a default");
        if (mr_option_specs_find(specs, spec->name) != (int)(spec - specs))
            return broken(error, type, "an option is declared twice");
        if (nested) {
            enum mr_status status = check_options(spec->fields, type, error);
            if (status != MR_OK)
                return status;
        }
    }
    return MR_OK;
}

static enum mr_status check_spec(const struct mr_type_spec *spec, enum mr_role role, bool has_ops,
                                 struct mr_error *error)
{
    if (spec->role != role)
        return broken(error, spec->name, "a spec's role does not fit its place");
    if (((spec->flags & MR_TYPE_LOG) != 0) == has_ops)
        return broken(error, spec->name, "what is a topic of the log, and only that, has no ops");
    if (!is_sentence(spec->summary) || !is_sentence(spec->description))
        return broken(error, spec->name, "summary or description is not made of sentences");
    if (spec->options == NULL)
        return broken(error, spec->name, "it has no options table");
    if ((role == MR_ROLE_SOURCE) != (spec->outputs_count > 0))
        return broken(error, spec->name, "a source, and only that, has an output");
    return check_options(spec->options, spec->name, error);
}

static enum mr_status check_type(const struct mr_connector_type *type, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    const struct mr_source_ops *source = type->source;
    const struct mr_sink_ops *sink = type->sink;
    const char *name = mr_connector_name(type);
    if ((type->source_spec == NULL && source != NULL) || (type->sink_spec == NULL && sink != NULL))
        return broken(error, name, "it has ops without a spec");
    if (source != NULL && (source->open == NULL || source->poll == NULL || source->close == NULL ||
                           source->end_position == NULL || source->instance_size == 0))
        return broken(error, name, "a mandatory member of its source is missing");
    if (sink != NULL &&
        (sink->open == NULL || sink->write == NULL || sink->prepare == NULL ||
         sink->committed == NULL || sink->close == NULL || sink->instance_size == 0))
        return broken(error, name, "a mandatory member of its sink is missing");
    if (type->source_spec != NULL && type->sink_spec != NULL &&
        strcmp(type->source_spec->name, type->sink_spec->name) != 0)
        return broken(error, name, "its source and sink have different names");
    if (type->source_spec != NULL)
        status = check_spec(type->source_spec, MR_ROLE_SOURCE, source != NULL, error);
    if (status == MR_OK && type->sink_spec != NULL)
        status = check_spec(type->sink_spec, MR_ROLE_SINK, sink != NULL, error);
    return status;
}

enum mr_status mr_connector_table_check(const struct mr_connector_type *const *types,
                                        uint32_t count, struct mr_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        if (types[i]->source_spec == NULL && types[i]->sink_spec == NULL)
            return broken(error, "?", "it is neither a source nor a sink");
        if (i > 0 && strcmp(mr_connector_name(types[i - 1]), mr_connector_name(types[i])) >= 0)
            return broken(error, mr_connector_name(types[i]), "names must be unique and sorted");
        enum mr_status status = check_type(types[i], error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

enum mr_status mr_connector_registry_check(struct mr_error *error)
{
    return mr_connector_table_check(registered, (uint32_t)MR_ARRAY_COUNT(registered), error);
}
