/* topology/definition_tests.c — `tests:` of a topology: checked for shape and names (DESIGN 2.1
 * rule 14). Running them is not here yet; a test that is accepted now stays valid. */
#include <inttypes.h>

#include "topology/parse_options.h"
#include "topology/planner.h"

struct checker {
    const struct mr_definition *definition;
    struct mr_arena *arena;
    struct mr_report *report;
    const char *owner; /* "test 'a spike is found'" */
};

static const struct mr_option_spec test_options[] = {
    {.name = "name", .type = MR_OPTION_STRING, .flags = MR_OPTION_REQUIRED},
    {.name = NULL},
};
static const struct mr_option_spec test_parts[] = {{.name = "given", .type = MR_OPTION_OBJECT},
                                                   {.name = "expect", .type = MR_OPTION_OBJECT},
                                                   {.name = NULL}};

static const struct mr_option_spec given_options[] = {
    {.name = "repeat",
     .type = MR_OPTION_INTEGER,
     .default_text = "1",
     .minimum = 1,
     .maximum = 10000000},
    {.name = "set", .type = MR_OPTION_EXPRESSIONS},
    {.name = NULL},
};
static const struct mr_option_spec given_parts[] = {{.name = "record", .type = MR_OPTION_OBJECT},
                                                    {.name = NULL}};

static const struct mr_option_spec expect_options[] = {
    {.name = "count", .type = MR_OPTION_INTEGER, .minimum = 0, .maximum = 1e9},
    {.name = "records", .type = MR_OPTION_RECORDS},
    {.name = "contains", .type = MR_OPTION_RECORDS},
    {.name = "ordered", .type = MR_OPTION_BOOLEAN},
    {.name = "tolerance", .type = MR_OPTION_NUMBER, .minimum = 0, .maximum = 1e300},
    {.name = NULL},
};

static bool is_mapping(const struct checker *checker, const struct mr_yaml_node *node,
                       const char *what, const char *expected)
{
    if (node->kind == MR_YAML_MAPPING)
        return true;
    mr_report_add(checker->report, MR_SEVERITY_ERROR, node->location, "%s of %s is %s, expected %s",
                  what, checker->owner, mr_yaml_describe(checker->arena, node), expected);
    return false;
}

/* ---- given ---- */

static bool resolve_index(void *argument, const struct mr_path *path, uint32_t *steps_used,
                          uint32_t *slot, const struct mr_type **type, struct mr_error *error)
{
    (void)argument;
    if (strcmp(path->steps[0].name, "i") == 0) {
        *steps_used = 1;
        *slot = 0;
        *type = mr_planner_type(MR_TYPE_INT);
        return true;
    }
    MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
            "'%s' is not known here: the only variable is i, the number of the repetition from 0",
            path->text);
    return false;
}

static void check_given_record(const struct checker *checker, const struct mr_yaml_node *node)
{
    if (!is_mapping(checker, node, "a given record", "a mapping like {record: {...}, repeat: 10}"))
        return;
    struct mr_options_parser parser = {.arena = checker->arena,
                                       .report = checker->report,
                                       .owner = checker->owner,
                                       .prefix = "given."};
    struct mr_options options;
    mr_options_parse(&parser, given_options, node, node->location, &options);
    const struct mr_option_spec *tables[] = {given_options, given_parts};
    mr_options_check_unknown(&parser, node, tables, 2);
    const struct mr_yaml_pair *record = mr_yaml_find(node, "record");
    if (record == NULL)
        mr_report_add(checker->report, MR_SEVERITY_ERROR, node->location,
                      "a given record of %s needs 'record', a mapping", checker->owner);
    else
        is_mapping(checker, record->value, "'record'", "a mapping");
    const struct mr_option_value *set = mr_options_get(&options, "set");
    struct mr_expression_environment environment = {.resolve = resolve_index};
    for (uint32_t i = 0; set->present && i < set->count; i++) {
        const struct mr_yaml_pair *pair =
            mr_yaml_find(mr_yaml_find(node, "set")->value, set->names[i]);
        mr_planner_compile(checker->arena, checker->report,
                           mr_arena_format(checker->arena, "set.%s", set->names[i]), set->texts[i],
                           MR_TYPE_ANY, set->locations[i], pair->value, &environment);
    }
}

static void check_given(const struct checker *checker, const struct mr_yaml_node *node)
{
    if (!is_mapping(checker, node, "'given'", "a mapping of sources to lists of records"))
        return;
    const struct mr_definition *definition = checker->definition;
    const char **names = mr_arena_new(checker->arena, definition->entries_count, sizeof(*names));
    uint32_t count = 0;
    for (uint32_t i = 0; i < definition->entries_count; i++)
        if (definition->entries[i].role == MR_ROLE_SOURCE && definition->entries[i].name != NULL)
            names[count++] = definition->entries[i].name;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct mr_yaml_pair *pair = &node->pairs[i];
        const struct mr_definition_entry *entry = mr_definition_find(definition, pair->key);
        if (entry == NULL || entry->role != MR_ROLE_SOURCE)
            mr_report_add(checker->report, MR_SEVERITY_ERROR, pair->location,
                          "%s gives records to '%s', which is no source%s", checker->owner,
                          pair->key, mr_nearest_text(checker->arena, pair->key, names, count));
        if (pair->value->kind != MR_YAML_SEQUENCE) {
            mr_report_add(checker->report, MR_SEVERITY_ERROR, pair->value->location,
                          "the records for '%s' of %s are %s, expected a list", pair->key,
                          checker->owner, mr_yaml_describe(checker->arena, pair->value));
            continue;
        }
        for (uint32_t j = 0; j < pair->value->count; j++)
            check_given_record(checker, pair->value->items[j]);
    }
}

/* ---- expect ---- */

static bool is_output(const struct mr_definition *definition, struct mr_arena *arena,
                      const char *name)
{
    const char *dot = strchr(name, '.');
    const struct mr_definition_entry *entry = mr_definition_find(
        definition,
        dot == NULL ? name : mr_arena_copy_bytes_text(arena, name, (size_t)(dot - name)));
    if (entry == NULL)
        return false;
    if (dot == NULL || entry->type == NULL)
        return dot != NULL || entry->role == MR_ROLE_SINK;
    const struct mr_option_value *branches = mr_definition_value(entry, "branches");
    if ((entry->type->flags & MR_TYPE_DYNAMIC_OUTPUTS) != 0 && branches != NULL) {
        for (uint32_t i = 0; i < branches->count; i++) {
            const char *branch = mr_options_text(&branches->objects[i], "name");
            if (branch != NULL && strcmp(branch, dot + 1) == 0)
                return true;
        }
        return strcmp(dot + 1, "rest") == 0;
    }
    for (uint32_t i = 0; i < entry->type->outputs_count; i++)
        if (strcmp(entry->type->outputs[i].name, dot + 1) == 0)
            return true;
    return false;
}

static void check_expect(const struct checker *checker, const struct mr_yaml_node *node)
{
    if (!is_mapping(checker, node, "'expect'", "a mapping of sinks or NAME.OUTPUT to expectations"))
        return;
    const struct mr_definition *definition = checker->definition;
    const char **names = mr_arena_new(checker->arena, definition->entries_count, sizeof(*names));
    uint32_t count = 0;
    for (uint32_t i = 0; i < definition->entries_count; i++)
        if (definition->entries[i].role == MR_ROLE_SINK && definition->entries[i].name != NULL)
            names[count++] = definition->entries[i].name;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct mr_yaml_pair *pair = &node->pairs[i];
        if (!is_output(definition, checker->arena, pair->key))
            mr_report_add(checker->report, MR_SEVERITY_ERROR, pair->location,
                          "%s expects records of '%s', which is neither a sink nor NAME.OUTPUT%s",
                          checker->owner, pair->key,
                          mr_nearest_text(checker->arena, pair->key, names, count));
        if (!is_mapping(checker, pair->value, "an expectation",
                        "a mapping of count, records, contains, ordered, tolerance"))
            continue;
        struct mr_options_parser parser = {.arena = checker->arena,
                                           .report = checker->report,
                                           .owner = checker->owner,
                                           .prefix = "expect."};
        struct mr_options options;
        mr_options_parse(&parser, expect_options, pair->value, pair->value->location, &options);
        const struct mr_option_spec *tables[] = {expect_options};
        mr_options_check_unknown(&parser, pair->value, tables, 1);
    }
}

static void check_test(struct checker *checker, const struct mr_yaml_node *node, uint32_t index)
{
    checker->owner = mr_arena_format(checker->arena, "test %" PRIu32, index + 1);
    if (!is_mapping(checker, node, "the entry", "a mapping of name, given and expect"))
        return;
    struct mr_options_parser parser = {
        .arena = checker->arena, .report = checker->report, .owner = checker->owner, .prefix = ""};
    struct mr_options options;
    mr_options_parse(&parser, test_options, node, node->location, &options);
    const struct mr_option_spec *tables[] = {test_options, test_parts};
    mr_options_check_unknown(&parser, node, tables, 2);
    const char *name = mr_options_text(&options, "name");
    if (name != NULL)
        checker->owner = mr_arena_format(checker->arena, "test '%s'", name);
    const struct mr_yaml_pair *given = mr_yaml_find(node, "given");
    const struct mr_yaml_pair *expect = mr_yaml_find(node, "expect");
    if (given != NULL)
        check_given(checker, given->value);
    if (expect != NULL)
        check_expect(checker, expect->value);
    if (given == NULL || expect == NULL)
        mr_report_add(checker->report, MR_SEVERITY_ERROR, node->location,
                      "%s needs both 'given' and 'expect'", checker->owner);
}

void mr_definition_check_tests(const struct mr_definition *definition, struct mr_arena *arena,
                               struct mr_report *report)
{
    struct checker checker = {.definition = definition, .arena = arena, .report = report};
    for (uint32_t i = 0; definition->tests != NULL && i < definition->tests->count; i++)
        check_test(&checker, definition->tests->items[i], i);
}
