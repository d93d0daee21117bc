/* topology/definition_given.c — messages of tests: records that are given, and the same form where
 * messages are expected. */
#include "topology/definition_tests.h"

#include <inttypes.h>

#include "topology/parse_options.h"
#include "topology/planner.h"

static const struct mr_option_spec message_options[] = {
    {.name = "payload", .type = MR_OPTION_STRING},
    {.name = "tombstone", .type = MR_OPTION_BOOLEAN},
    {.name = "partition",
     .type = MR_OPTION_INTEGER,
     .minimum = 0,
     .maximum = MR_TEST_PARTITIONS_MAX - 1},
    {.name = "message_key", .type = MR_OPTION_STRING},
    {.name = "message_timestamp", .type = MR_OPTION_EXPRESSION},
    {.name = "message_headers", .type = MR_OPTION_STRING_MAP},
    {.name = "repeat",
     .type = MR_OPTION_INTEGER,
     .default_text = "1",
     .minimum = 1,
     .maximum = MR_TEST_REPEAT_MAX},
    {.name = "set", .type = MR_OPTION_EXPRESSIONS},
    {.name = NULL},
};
static const struct mr_option_spec given_options[] = {{.name = "file", .type = MR_OPTION_STRING},
                                                      {.name = NULL}};
static const struct mr_option_spec message_parts[] = {{.name = "record", .type = MR_OPTION_OBJECT},
                                                      {.name = NULL}};

static const char given_record[] = "a given record";

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

/* A program that reads the clock would give other records each time. */
static struct mr_program *compile(const struct mr_test_reader *reader, const char *name,
                                  const char *text, struct mr_location location,
                                  const struct mr_yaml_node *node)
{
    struct mr_expression_environment environment = {.resolve = resolve_index};
    return mr_planner_compile(reader->arena, reader->report, name, text, MR_TYPE_ANY, location,
                              node, &environment);
}

static void read_set(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                     const struct mr_option_value *set, struct mr_test_message *message)
{
    if (!set->present || set->count == 0)
        return;
    struct mr_program **programs =
        mr_arena_new(reader->arena, set->count, sizeof(struct mr_program *));
    for (uint32_t i = 0; i < set->count; i++) {
        const struct mr_yaml_pair *pair =
            mr_yaml_find(mr_yaml_find(node, "set")->value, set->names[i]);
        programs[i] = compile(reader, mr_arena_format(reader->arena, "set.%s", set->names[i]),
                              set->texts[i], set->locations[i], pair->value);
    }
    message->set_names = set->names;
    message->set_programs = programs;
    message->set_locations = set->locations;
    message->set_count = set->count;
    if (mr_yaml_find(node, "record") == NULL)
        mr_report_add(reader->report, MR_SEVERITY_ERROR, set->location,
                      "'set' of %s gives fields to a record, but there is no 'record'",
                      reader->owner);
}

static void read_envelope(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                          const struct mr_options *options, struct mr_test_message *message)
{
    const struct mr_option_value *partition = mr_options_get(options, "partition");
    const struct mr_option_value *timestamp = mr_options_get(options, "message_timestamp");
    const struct mr_option_value *headers = mr_options_get(options, "message_headers");
    message->partition = partition->present ? (int32_t)partition->integer : -1;
    message->key = mr_options_text(options, "message_key");
    if (timestamp->present) {
        message->timestamp_location = timestamp->location;
        message->timestamp_program =
            compile(reader, "message_timestamp", timestamp->text, timestamp->location,
                    mr_yaml_find(node, "message_timestamp")->value);
    }
    if (headers->present) {
        message->header_names = headers->names;
        message->header_values = headers->texts;
        message->headers_count = headers->count;
    }
}

static void read_bodies(const struct mr_test_reader *reader, const char *what,
                        const struct mr_yaml_node *node, struct mr_test_message *message)
{
    bool given = strcmp(what, given_record) == 0;
    const struct mr_yaml_pair *record = mr_yaml_find(node, "record");
    int bodies_count = (record != NULL) + (message->payload != NULL) + message->tombstone +
                       (message->file != NULL);
    if (bodies_count > 1 || (given && bodies_count == 0))
        mr_report_add(reader->report, MR_SEVERITY_ERROR, node->location,
                      "%s of %s %s: 'record', a mapping, or 'payload', its text as it is, or "
                      "'tombstone: true'",
                      what, reader->owner,
                      bodies_count == 0 ? "needs one of" : "has more than one of");
    if (record != NULL && !record->value->faulty &&
        mr_test_is_mapping(reader, record->value, "'record'", "a mapping"))
        message->record = record->value;
}

void mr_test_read_message(const struct mr_test_reader *reader, const char *prefix,
                          const struct mr_yaml_node *node, struct mr_test_message *message)
{
    bool given = strcmp(prefix, "given.") == 0;
    const char *what = given ? given_record : "an expected message";
    *message = (struct mr_test_message){.location = node->location, .repeat = 1, .partition = -1};
    if (node->faulty ||
        !mr_test_is_mapping(reader, node, what,
                            given ? "a mapping like {record: {...}, repeat: 10}"
                                  : "a mapping like {record: {...}, message_key: k}"))
        return;
    struct mr_options_parser parser = {
        .arena = reader->arena, .report = reader->report, .owner = reader->owner, .prefix = prefix};
    struct mr_options options;
    struct mr_options more;
    mr_options_parse(&parser, message_options, node, node->location, &options);
    const struct mr_option_spec *tables[] = {message_options, message_parts, given_options};
    mr_options_check_unknown(&parser, node, tables, given ? 3 : 2);
    message->payload = mr_options_text(&options, "payload");
    message->tombstone = mr_options_boolean(&options, "tombstone");
    message->repeat = (uint32_t)mr_options_integer(&options, "repeat");
    if (given) {
        mr_options_parse(&parser, given_options, node, node->location, &more);
        message->file = mr_options_text(&more, "file");
    }
    read_bodies(reader, what, node, message);
    read_envelope(reader, node, &options, message);
    read_set(reader, node, mr_options_get(&options, "set"), message);
}

static void read_source(const struct mr_test_reader *reader, const struct mr_yaml_pair *pair,
                        struct mr_test_given *given)
{
    if (pair->value->kind != MR_YAML_SEQUENCE) {
        mr_report_add(reader->report, MR_SEVERITY_ERROR, pair->value->location,
                      "the records for '%s' of %s are %s, expected a list", pair->key,
                      reader->owner, mr_yaml_describe(reader->arena, pair->value));
        return;
    }
    struct mr_test_message *messages =
        mr_arena_new(reader->arena, pair->value->count, sizeof(*messages));
    for (uint32_t i = 0; i < pair->value->count; i++)
        mr_test_read_message(reader, "given.", pair->value->items[i], &messages[i]);
    *given = (struct mr_test_given){.source = pair->key,
                                    .location = pair->location,
                                    .messages = messages,
                                    .messages_count = pair->value->count};
}

void mr_test_read_given(const struct mr_test_reader *reader, const char *what,
                        const struct mr_yaml_node *node, struct mr_test_step *step)
{
    step->kind = MR_TEST_GIVEN;
    step->location = node->location;
    if (node->faulty ||
        !mr_test_is_mapping(reader, node, what, "a mapping of sources to lists of records"))
        return;
    const struct mr_definition *definition = reader->definition;
    uint32_t count;
    const char **names = mr_test_names(reader, MR_ROLE_SOURCE, &count);
    for (uint32_t i = 0; i < node->count; i++) {
        const struct mr_yaml_pair *pair = &node->pairs[i];
        const struct mr_definition_entry *entry = mr_definition_find(definition, pair->key);
        if (entry == NULL || entry->role != MR_ROLE_SOURCE)
            mr_report_add(reader->report, MR_SEVERITY_ERROR, pair->location,
                          "%s gives records to '%s', which is no source%s", reader->owner,
                          pair->key, mr_nearest_text(reader->arena, pair->key, names, count));
    }
    struct mr_test_given *givens = mr_arena_new(reader->arena, node->count, sizeof(*givens));
    /* A mapping has no order: the sources' own counts. */
    for (uint32_t i = 0; i < count; i++) {
        const struct mr_yaml_pair *pair = mr_yaml_find(node, names[i]);
        if (pair != NULL)
            read_source(reader, pair, &givens[step->givens_count++]);
    }
    step->givens = givens;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct mr_definition_entry *entry =
            mr_definition_find(definition, node->pairs[i].key);
        struct mr_test_given ignored;
        if (entry == NULL || entry->role != MR_ROLE_SOURCE) /* what is wrong in it, too */
            read_source(reader, &node->pairs[i], &ignored);
    }
}
