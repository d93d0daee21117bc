/* topology/definition_expect.c — what tests expect: of outputs, and of keys' states. */
#include "topology/definition_tests.h"

#include "topology/parse_options.h"

static const struct mr_option_spec expect_options[] = {
    {.name = "count", .type = MR_OPTION_INTEGER, .minimum = 0, .maximum = 1e9},
    {.name = "records", .type = MR_OPTION_RECORDS},
    {.name = "contains", .type = MR_OPTION_RECORDS},
    {.name = "ordered", .type = MR_OPTION_BOOLEAN},
    {.name = "tolerance", .type = MR_OPTION_NUMBER, .minimum = 0, .maximum = 1e300},
    {.name = NULL},
};
static const struct mr_option_spec expect_parts[] = {
    {.name = "messages", .type = MR_OPTION_OBJECTS},
    {.name = "min", .type = MR_OPTION_OBJECT},
    {.name = "max", .type = MR_OPTION_OBJECT},
    {.name = NULL}};

static const struct mr_option_spec state_options[] = {
    {.name = "operator", .type = MR_OPTION_STRING, .flags = MR_OPTION_REQUIRED},
    {.name = "absent", .type = MR_OPTION_BOOLEAN},
    {.name = "partition",
     .type = MR_OPTION_INTEGER,
     .minimum = 0,
     .maximum = MR_TEST_PARTITIONS_MAX - 1},
    {.name = "tolerance", .type = MR_OPTION_NUMBER, .minimum = 0, .maximum = 1e300},
    {.name = NULL},
};
static const struct mr_option_spec state_parts[] = {
    {.name = "key_values", .type = MR_OPTION_RECORDS},
    {.name = "holds", .type = MR_OPTION_OBJECT},
    {.name = NULL}};

/* ---- Outputs ---- */

static bool has_output(const struct mr_definition_entry *entry, const char *output)
{
    const struct mr_option_value *branches = mr_definition_value(entry, "branches");
    if ((entry->type->flags & MR_TYPE_DYNAMIC_OUTPUTS) != 0 && branches != NULL) {
        for (uint32_t i = 0; i < branches->count; i++) {
            const char *branch = mr_options_text(&branches->objects[i], "name");
            if (branch != NULL && strcmp(branch, output) == 0)
                return true;
        }
        return strcmp(output, "rest") == 0;
    }
    for (uint32_t i = 0; i < entry->type->outputs_count; i++)
        if (strcmp(entry->type->outputs[i].name, output) == 0)
            return true;
    return false;
}

static bool is_output(const struct mr_test_reader *reader, const char *name)
{
    if (strcmp(name, mr_test_dead_letters) == 0)
        return true;
    const char *dot = strchr(name, '.');
    const struct mr_definition_entry *entry = mr_definition_find(
        reader->definition,
        dot == NULL ? name : mr_arena_copy_bytes_text(reader->arena, name, (size_t)(dot - name)));
    if (entry == NULL)
        return false;
    if (dot == NULL)
        return entry->role == MR_ROLE_SINK;
    return entry->type == NULL || has_output(entry, dot + 1); /* a faulty one was reported */
}

static const struct mr_yaml_node *list_of(const struct mr_options *options,
                                          const struct mr_yaml_node *node, const char *name)
{
    return mr_options_present(options, name) ? mr_yaml_find(node, name)->value : NULL;
}

static void read_messages(const struct mr_test_reader *reader, const struct mr_yaml_pair *pair,
                          struct mr_test_expectation *expectation)
{
    expectation->messages_location = pair->location;
    if (!mr_test_is_list(reader, pair->value, "'expect.messages'", "a list of messages"))
        return;
    struct mr_test_message *messages =
        mr_arena_new(reader->arena, pair->value->count, sizeof(*messages));
    for (uint32_t i = 0; i < pair->value->count; i++) {
        mr_test_read_message(reader, "expect.messages.", pair->value->items[i], &messages[i]);
        if (messages[i].repeat != 1 || messages[i].set_count > 0)
            mr_report_add(reader->report, MR_SEVERITY_ERROR, messages[i].location,
                          "'repeat' and 'set' of %s are for given records: write expected messages "
                          "out, or expect their 'count'",
                          reader->owner);
    }
    expectation->messages_given = true;
    expectation->messages = messages;
    expectation->messages_count = pair->value->count;
}

/* Numbers, in mappings as deep as those of records. */
static void check_bounds(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                         const char *name)
{
    for (uint32_t i = 0; i < node->count; i++) {
        const struct mr_yaml_node *value = node->pairs[i].value;
        bool is_number = value->kind == MR_YAML_SCALAR &&
                         (value->scalar == MR_YAML_INTEGER || value->scalar == MR_YAML_FLOAT);
        if (value->kind == MR_YAML_MAPPING && value->count > 0)
            check_bounds(reader, value, name);
        else if (!is_number && !value->faulty)
            mr_report_add(reader->report, MR_SEVERITY_ERROR, value->location,
                          "'expect.%s' of %s takes numbers by the names of fields, as in %s: "
                          "{recall: 0.95}",
                          name, reader->owner, name);
    }
}

/* NULL: there are none. */
static const struct mr_yaml_node *bounds_of(const struct mr_test_reader *reader,
                                            const struct mr_yaml_node *node, const char *name)
{
    const struct mr_yaml_pair *pair = mr_yaml_find(node, name);
    if (pair == NULL || pair->value->faulty)
        return NULL;
    const char *text = mr_arena_format(reader->arena, "'expect.%s'", name);
    if (!mr_test_is_mapping(reader, pair->value, text, "a mapping of fields to numbers"))
        return NULL;
    check_bounds(reader, pair->value, name);
    return pair->value;
}

static void read_expectation(const struct mr_test_reader *reader, const struct mr_yaml_pair *pair,
                             struct mr_test_expectation *expectation)
{
    const struct mr_yaml_node *node = pair->value;
    *expectation = (struct mr_test_expectation){.output = pair->key, .location = pair->location};
    if (node->faulty ||
        !mr_test_is_mapping(reader, node, "an expectation",
                            "a mapping of count, records, contains, messages, min, max, ordered, "
                            "tolerance"))
        return;
    struct mr_options_parser parser = {.arena = reader->arena,
                                       .report = reader->report,
                                       .owner = reader->owner,
                                       .prefix = "expect."};
    struct mr_options options;
    uint32_t errors_count = reader->report->errors_count;
    mr_options_parse(&parser, expect_options, node, node->location, &options);
    const struct mr_option_spec *tables[] = {expect_options, expect_parts};
    mr_options_check_unknown(&parser, node, tables, 2);
    const struct mr_option_value *count = mr_options_get(&options, "count");
    expectation->counted = count->present;
    expectation->count = (uint32_t)count->integer;
    expectation->count_location = count->location;
    expectation->records = list_of(&options, node, "records");
    expectation->contains = list_of(&options, node, "contains");
    expectation->ordered = mr_options_boolean(&options, "ordered");
    expectation->tolerance =
        mr_options_present(&options, "tolerance") ? mr_options_number(&options, "tolerance") : 0;
    expectation->least = bounds_of(reader, node, "min");
    expectation->most = bounds_of(reader, node, "max");
    const struct mr_yaml_pair *messages = mr_yaml_find(node, "messages");
    if (messages != NULL)
        read_messages(reader, messages, expectation);
    if (reader->report->errors_count == errors_count && !count->present &&
        expectation->records == NULL && expectation->contains == NULL && messages == NULL &&
        expectation->least == NULL && expectation->most == NULL)
        mr_report_add(reader->report, MR_SEVERITY_ERROR, pair->location,
                      "%s expects nothing of '%s': say count, records, contains, messages, min or "
                      "max",
                      reader->owner, pair->key);
}

void mr_test_read_expect(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                         struct mr_test_step *step)
{
    step->kind = MR_TEST_EXPECT;
    step->location = node->location;
    if (node->faulty ||
        !mr_test_is_mapping(reader, node, "'expect'",
                            "a mapping of sinks, NAME.OUTPUT or dead_letters to expectations"))
        return;
    uint32_t count;
    const char **names = mr_test_names(reader, MR_ROLE_SINK, &count);
    struct mr_test_expectation *all = mr_arena_new(reader->arena, node->count, sizeof(*all));
    for (uint32_t i = 0; i < node->count; i++) {
        const struct mr_yaml_pair *pair = &node->pairs[i];
        if (!is_output(reader, pair->key))
            mr_report_add(reader->report, MR_SEVERITY_ERROR, pair->location,
                          "%s expects records of '%s', which is neither a sink nor NAME.OUTPUT%s",
                          reader->owner, pair->key,
                          mr_nearest_text(reader->arena, pair->key, names, count));
        read_expectation(reader, pair, &all[i]);
    }
    step->expectations = all;
    step->expectations_count = node->count;
}

/* ---- States ---- */

static void check_operator(const struct mr_test_reader *reader, const struct mr_option_value *name)
{
    const struct mr_definition_entry *entry = mr_definition_find(reader->definition, name->text);
    if (entry != NULL && entry->role == MR_ROLE_OPERATOR &&
        (entry->type == NULL || entry->type->state_version > 0))
        return;
    uint32_t count;
    const char **names = mr_test_names(reader, MR_ROLE_OPERATOR, &count);
    if (entry != NULL && entry->role == MR_ROLE_OPERATOR)
        mr_report_add(reader->report, MR_SEVERITY_ERROR, name->location,
                      "%s expects state of '%s', but %s keeps none", reader->owner, name->text,
                      entry->type->name);
    else
        mr_report_add(reader->report, MR_SEVERITY_ERROR, name->location,
                      "%s expects state of '%s', which is no operator%s", reader->owner, name->text,
                      mr_nearest_text(reader->arena, name->text, names, count));
}

static void check_key_values(const struct mr_test_reader *reader, const struct mr_yaml_node *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i]->kind != MR_YAML_SCALAR || list->items[i]->scalar == MR_YAML_NULL)
            mr_report_add(reader->report, MR_SEVERITY_ERROR, list->items[i]->location,
                          "a value of a key of %s is %s, expected a text, a number or a boolean",
                          reader->owner, mr_yaml_describe(reader->arena, list->items[i]));
}

static void read_state_parts(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                             bool absent, struct mr_test_state *state)
{
    const struct mr_yaml_pair *values = mr_yaml_find(node, "key_values");
    const struct mr_yaml_pair *held = mr_yaml_find(node, "holds");
    if (values == NULL)
        mr_report_add(reader->report, MR_SEVERITY_ERROR, node->location,
                      "an expected state of %s needs 'key_values', a list with a value per field "
                      "of the operator's key",
                      reader->owner);
    else if (mr_test_is_list(reader, values->value, "'key_values'",
                             "a list with a value per field of the operator's key")) {
        check_key_values(reader, values->value);
        state->key_values = values->value;
    }
    if ((held != NULL) == absent)
        mr_report_add(reader->report, MR_SEVERITY_ERROR, node->location,
                      "an expected state of %s needs %s 'holds', a mapping, and 'absent: true'",
                      reader->owner, absent ? "only one of" : "one of");
    else if (held != NULL && mr_test_is_mapping(reader, held->value, "'holds'", "a mapping"))
        state->holds = held->value;
}

static void read_state(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                       struct mr_test_state *state)
{
    *state = (struct mr_test_state){.location = node->location, .partition = -1};
    if (node->faulty ||
        !mr_test_is_mapping(reader, node, "an expected state",
                            "a mapping like {operator: score, key_values: [s1], holds: {...}}"))
        return;
    struct mr_options_parser parser = {.arena = reader->arena,
                                       .report = reader->report,
                                       .owner = reader->owner,
                                       .prefix = "expect_state."};
    struct mr_options options;
    mr_options_parse(&parser, state_options, node, node->location, &options);
    const struct mr_option_spec *tables[] = {state_options, state_parts};
    mr_options_check_unknown(&parser, node, tables, 2);
    const struct mr_option_value *name = mr_options_get(&options, "operator");
    state->operator_name = name->text;
    if (name->present)
        check_operator(reader, name);
    state->tolerance =
        mr_options_present(&options, "tolerance") ? mr_options_number(&options, "tolerance") : 0;
    if (mr_options_present(&options, "partition"))
        state->partition = (int32_t)mr_options_integer(&options, "partition");
    read_state_parts(reader, node, mr_options_boolean(&options, "absent"), state);
}

void mr_test_read_states(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                         struct mr_test_step *step)
{
    step->kind = MR_TEST_EXPECT_STATE;
    step->location = node->location;
    if (node->faulty ||
        !mr_test_is_list(reader, node, "'expect_state'", "a list of expected states"))
        return;
    struct mr_test_state *all = mr_arena_new(reader->arena, node->count, sizeof(*all));
    for (uint32_t i = 0; i < node->count; i++)
        read_state(reader, node->items[i], &all[i]);
    step->states = all;
    step->states_count = node->count;
}
