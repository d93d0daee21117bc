/* cli/catalogue.c — see catalogue.h. */
#include "cli/catalogue.h"

#include "base/assert.h"
#include "base/zone_file.h"
#include "cli/load.h"
#include "connectors/connector.h"
#include "formats/format.h"
#include "operators/aggregate.h"
#include "operators/operator.h"
#include "operators/sample_model.h"

#include <stdlib.h>

static int compare(const void *left, const void *right)
{
    const struct mr_type_spec *const *first = left;
    const struct mr_type_spec *const *second = right;
    if ((*first)->role != (*second)->role)
        return (*first)->role < (*second)->role ? -1 : 1;
    return strcmp((*first)->name, (*second)->name);
}

static void gather_types(struct mr_arena *arena, struct mr_catalogue *catalogue)
{
    uint32_t operators_count;
    uint32_t connectors_count;
    const struct mr_operator_type *const *operators = mr_operators(&operators_count);
    const struct mr_connector_type *const *connectors = mr_connectors(&connectors_count);
    const struct mr_type_spec **types =
        mr_arena_new(arena, operators_count + 2 * (size_t)connectors_count, sizeof *types);
    uint32_t count = 0;
    for (uint32_t i = 0; i < operators_count; i++)
        types[count++] = &operators[i]->spec;
    for (uint32_t i = 0; i < connectors_count; i++) {
        if (connectors[i]->source_spec != NULL)
            types[count++] = connectors[i]->source_spec;
        if (connectors[i]->sink_spec != NULL)
            types[count++] = connectors[i]->sink_spec;
    }
    qsort(types, count, sizeof *types, compare);
    catalogue->types = types;
    catalogue->types_count = count;
}

static void gather_formats(struct mr_arena *arena, struct mr_catalogue *catalogue)
{
    uint32_t count;
    const struct mr_format_type *const *formats = mr_formats(&count);
    struct mr_format_spec *specs = mr_arena_new(arena, count, sizeof *specs);
    for (uint32_t i = 0; i < count; i++)
        specs[i] = (struct mr_format_spec){.name = formats[i]->name,
                                           .help = formats[i]->help,
                                           .options = formats[i]->options,
                                           .payload_is_json = formats[i]->payload_is_json,
                                           .single_value = formats[i]->single_value};
    catalogue->formats = specs;
    catalogue->formats_count = count;
}

static enum mr_status load_zone(void *argument, const char *name, struct mr_arena *arena,
                                const struct mr_zone **zone, struct mr_error *error)
{
    MR_UNUSED(argument);
    return mr_zone_load(name, arena, zone, error);
}

static enum mr_status load_document(void *argument, const char *path, struct mr_arena *arena,
                                    struct mr_document_facts *facts, struct mr_error *error)
{
    struct mr_slice bytes;
    MR_UNUSED(argument);
    if (strcmp(path, "-") == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a model comes from a file, which every process can read");
    enum mr_status status = mr_load_file(arena, path, MR_SAMPLE_DOCUMENT_BYTES_MAX, &bytes, error);
    if (status == MR_OK)
        status = mr_sample_document_facts(bytes, arena, facts, error);
    return status;
}

void mr_catalogue_make(struct mr_arena *arena, struct mr_catalogue *catalogue)
{
    static const struct mr_zone_source zones = {.load = load_zone};
    static const struct mr_document_source documents = {.load = load_document};
    catalogue->zones = &zones;
    catalogue->documents = &documents;
    gather_types(arena, catalogue);
    gather_formats(arena, catalogue);
    catalogue->aggregates = mr_aggregates(&catalogue->aggregates_count);
}
