/* topology/definition.h — a topology as written: the file's frame and its entries with their
 * options. Model: between the YAML tree and the plan. Every entry that has a name is here, also a
 * faulty one, so that references to it do not cause errors of their own. Owner: everything lives in
 * the arena. */
#ifndef MR_TOPOLOGY_DEFINITION_H
#define MR_TOPOLOGY_DEFINITION_H

#include "topology/plan.h"
#include "topology/yaml.h"

struct mr_definition_entry {
    enum mr_role role;
    const char *name;            /* NULL: none or not a valid one (reported) */
    struct mr_location location; /* of the entry */
    struct mr_location name_location;
    const struct mr_yaml_node *node;
    const struct mr_type_spec *type;     /* NULL: unknown (reported) */
    struct mr_options options;           /* of the type's table */
    struct mr_options common;            /* mr_common_options */
    const struct mr_format_spec *format; /* NULL: takes none */
    struct mr_options format_options;
};

struct mr_definition {
    const char *name;                    /* metadata.name */
    struct mr_options spec;              /* mr_spec_options */
    struct mr_definition_entry *entries; /* sources, operators, sinks, each in the file's order */
    uint32_t entries_count;
    uint32_t sources_count;
    uint32_t operators_count;
    uint32_t sinks_count;
    const struct mr_yaml_node *tests;     /* a list, or NULL */
    const struct mr_yaml_node *spec_node; /* NULL: there is none */
};

/* Read the frame and all entries. root has its ${...} filled in. False: there is no spec to go on
 * with (reported). */
bool mr_definition_read(const struct mr_yaml_node *root, const struct mr_catalogue *catalogue,
                        struct mr_arena *arena, struct mr_report *report,
                        struct mr_definition *definition);

/* The value of an option of the type's table or else of the common one; NULL: neither has it. */
const struct mr_option_value *mr_definition_value(const struct mr_definition_entry *entry,
                                                  const char *name);
/* Whether it has a value. */
bool mr_definition_has(const struct mr_definition_entry *entry, const char *name);

/* [a-z][a-z0-9-]{0,62} */
bool mr_definition_is_name(const char *text);

/* The entry of that name, or NULL. */
struct mr_definition_entry *mr_definition_find(const struct mr_definition *definition,
                                               const char *name);

#endif
