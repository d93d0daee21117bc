/* topology/definition_tests.c — see definition_tests.h: tests, their steps, and what they share. */
#include "topology/definition_tests.h"

#include <inttypes.h>

#include "topology/parse_options.h"

const char mr_test_dead_letters[] = "dead_letters";

static const struct mr_option_spec test_options[] = {
    {.name = "name", .type = MR_OPTION_STRING, .flags = MR_OPTION_REQUIRED},
    {.name = "partitions",
     .type = MR_OPTION_INTEGER,
     .default_text = "1",
     .minimum = 1,
     .maximum = MR_TEST_PARTITIONS_MAX},
    /* Later than what anybody writes into a test: no record is ahead of the clock by accident. */
    {.name = "clock", .type = MR_OPTION_INSTANT, .default_text = "2100-01-01T00:00:00Z"},
    {.name = "sources_end", .type = MR_OPTION_BOOLEAN, .default_text = "true"},
    {.name = NULL},
};
static const struct mr_option_spec test_parts[] = {
    {.name = "given_state", .type = MR_OPTION_OBJECT},
    {.name = "given", .type = MR_OPTION_OBJECT},
    {.name = "steps", .type = MR_OPTION_OBJECTS},
    {.name = "expect", .type = MR_OPTION_OBJECT},
    {.name = "expect_state", .type = MR_OPTION_OBJECTS},
    {.name = NULL}};

static const struct mr_option_spec step_options[] = {
    {.name = "advance",
     .type = MR_OPTION_DURATION,
     .minimum = 1,
     .maximum = MR_TEST_ADVANCE_MS_MAX},
    {.name = "end", .type = MR_OPTION_STRINGS},
    {.name = NULL},
};
static const struct mr_option_spec step_parts[] = {
    {.name = "given", .type = MR_OPTION_OBJECT},
    {.name = "expect", .type = MR_OPTION_OBJECT},
    {.name = "expect_state", .type = MR_OPTION_OBJECTS},
    {.name = NULL}};

static const char step_shape[] =
    "a mapping with one of given, advance, end, expect and expect_state";

bool mr_test_is_mapping(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                        const char *what, const char *expected)
{
    if (node->kind == MR_YAML_MAPPING)
        return true;
    mr_report_add(reader->report, MR_SEVERITY_ERROR, node->location, "%s of %s is %s, expected %s",
                  what, reader->owner, mr_yaml_describe(reader->arena, node), expected);
    return false;
}

bool mr_test_is_list(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                     const char *what, const char *expected)
{
    if (node->kind == MR_YAML_SEQUENCE)
        return true;
    mr_report_add(reader->report, MR_SEVERITY_ERROR, node->location, "%s of %s is %s, expected %s",
                  what, reader->owner, mr_yaml_describe(reader->arena, node), expected);
    return false;
}

const char **mr_test_names(const struct mr_test_reader *reader, enum mr_role role, uint32_t *count)
{
    const struct mr_definition *definition = reader->definition;
    const char **names = mr_arena_new(reader->arena, definition->entries_count, sizeof(*names));
    *count = 0;
    for (uint32_t i = 0; i < definition->entries_count; i++)
        if (definition->entries[i].role == role && definition->entries[i].name != NULL)
            names[(*count)++] = definition->entries[i].name;
    return names;
}

/* ---- Steps ---- */

static void check_ends(const struct mr_test_reader *reader, const struct mr_option_value *ends)
{
    uint32_t count;
    const char **names = mr_test_names(reader, MR_ROLE_SOURCE, &count);
    for (uint32_t i = 0; i < ends->count; i++) {
        const struct mr_definition_entry *entry =
            mr_definition_find(reader->definition, ends->texts[i]);
        if (entry == NULL || entry->role != MR_ROLE_SOURCE)
            mr_report_add(reader->report, MR_SEVERITY_ERROR,
                          ends->locations == NULL ? ends->location : ends->locations[i],
                          "%s ends '%s', which is no source%s", reader->owner, ends->texts[i],
                          mr_nearest_text(reader->arena, ends->texts[i], names, count));
    }
}

static void read_step_options(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                              struct mr_test_step *step)
{
    struct mr_options_parser parser = {.arena = reader->arena,
                                       .report = reader->report,
                                       .owner = reader->owner,
                                       .prefix = "steps."};
    struct mr_options options;
    mr_options_parse(&parser, step_options, node, node->location, &options);
    const struct mr_option_spec *tables[] = {step_options, step_parts};
    mr_options_check_unknown(&parser, node, tables, 2);
    const struct mr_option_value *advance = mr_options_get(&options, "advance");
    const struct mr_option_value *ends = mr_options_get(&options, "end");
    if (advance->present) {
        step->kind = MR_TEST_ADVANCE;
        step->advance_ms = (uint32_t)advance->integer;
    }
    if (ends->present) {
        step->kind = MR_TEST_END;
        step->ends = ends->texts;
        step->ends_count = ends->count;
        check_ends(reader, ends);
    }
}

static void read_step(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                      struct mr_test_step *step)
{
    *step = (struct mr_test_step){.location = node->location};
    if (node->faulty || !mr_test_is_mapping(reader, node, "a step", step_shape))
        return;
    read_step_options(reader, node, step);
    uint32_t parts_count = 0;
    for (uint32_t i = 0; i < node->count; i++)
        parts_count += mr_option_specs_find(step_options, node->pairs[i].key) >= 0 ||
                       mr_option_specs_find(step_parts, node->pairs[i].key) >= 0;
    if (parts_count > 1 || node->count == 0)
        mr_report_add(reader->report, MR_SEVERITY_ERROR, node->location,
                      "a step of %s has %s, expected %s: steps are done one after the other",
                      reader->owner, parts_count == 0 ? "none of its parts" : "more than one part",
                      step_shape);
    const struct mr_yaml_pair *given = mr_yaml_find(node, "given");
    const struct mr_yaml_pair *expect = mr_yaml_find(node, "expect");
    const struct mr_yaml_pair *states = mr_yaml_find(node, "expect_state");
    if (given != NULL)
        mr_test_read_given(reader, "'given'", given->value, step);
    if (expect != NULL)
        mr_test_read_expect(reader, expect->value, step);
    if (states != NULL)
        mr_test_read_states(reader, states->value, step);
}

static void read_steps(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                       struct mr_test *test)
{
    if (!mr_test_is_list(reader, node, "'steps'", "a list"))
        return;
    if (node->count > MR_TEST_STEPS_MAX) {
        mr_report_add(reader->report, MR_SEVERITY_ERROR, node->location,
                      "%s has %" PRIu32 " steps, expected up to %d", reader->owner, node->count,
                      MR_TEST_STEPS_MAX);
        return;
    }
    struct mr_test_step *steps = mr_arena_new(reader->arena, node->count, sizeof(*steps));
    for (uint32_t i = 0; i < node->count; i++)
        read_step(reader, node->items[i], &steps[i]);
    test->steps = steps;
    test->steps_count = node->count;
}

/* ---- Tests ---- */

static void read_parts(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                       struct mr_test *test)
{
    const struct mr_yaml_pair *given_state = mr_yaml_find(node, "given_state");
    const struct mr_yaml_pair *given = mr_yaml_find(node, "given");
    const struct mr_yaml_pair *steps = mr_yaml_find(node, "steps");
    const struct mr_yaml_pair *expect = mr_yaml_find(node, "expect");
    const struct mr_yaml_pair *states = mr_yaml_find(node, "expect_state");
    if (given_state != NULL)
        mr_test_read_given(reader, "'given_state'", given_state->value, &test->given_state);
    if (given != NULL) {
        struct mr_test_step *only = mr_arena_new(reader->arena, 1, sizeof(*only));
        only->location = given->location;
        mr_test_read_given(reader, "'given'", given->value, only);
        test->steps = only;
        test->steps_count = 1;
    }
    if (steps != NULL)
        read_steps(reader, steps->value, test);
    if (expect != NULL)
        mr_test_read_expect(reader, expect->value, &test->expect);
    if (states != NULL)
        mr_test_read_states(reader, states->value, &test->expect_state);
    if (given != NULL && steps != NULL)
        mr_report_add(reader->report, MR_SEVERITY_ERROR, steps->location,
                      "%s has 'given' and 'steps': make 'given' the first of the steps",
                      reader->owner);
    if (steps == NULL && (given == NULL || (expect == NULL && states == NULL)))
        mr_report_add(reader->report, MR_SEVERITY_ERROR, node->location,
                      "%s needs 'given' and 'expect' (or 'expect_state'), or 'steps'",
                      reader->owner);
}

static bool expects_anything(const struct mr_test *test)
{
    if (test->expect.expectations_count > 0 || test->expect_state.states_count > 0)
        return true;
    for (uint32_t i = 0; i < test->steps_count; i++)
        if (test->steps[i].expectations_count > 0 || test->steps[i].states_count > 0)
            return true;
    return false;
}

static void read_test(struct mr_test_reader *reader, const struct mr_yaml_node *node,
                      uint32_t index, struct mr_test *test)
{
    reader->owner = mr_arena_format(reader->arena, "test %" PRIu32, index + 1);
    *test = (struct mr_test){.location = node->location};
    if (node->faulty ||
        !mr_test_is_mapping(reader, node, "the entry", "a mapping of name, given and expect"))
        return;
    struct mr_options_parser parser = {
        .arena = reader->arena, .report = reader->report, .owner = reader->owner, .prefix = ""};
    struct mr_options options;
    uint32_t errors_count = reader->report->errors_count;
    mr_options_parse(&parser, test_options, node, node->location, &options);
    const struct mr_option_spec *tables[] = {test_options, test_parts};
    mr_options_check_unknown(&parser, node, tables, 2);
    test->name = mr_options_text(&options, "name");
    if (test->name != NULL)
        reader->owner = mr_arena_format(reader->arena, "test '%s'", test->name);
    test->partitions_count = (int32_t)mr_options_integer(&options, "partitions");
    test->clock_ms = mr_options_integer(&options, "clock");
    test->sources_end = mr_options_boolean(&options, "sources_end");
    read_parts(reader, node, test);
    if (reader->report->errors_count == errors_count && !expects_anything(test))
        mr_report_add(reader->report, MR_SEVERITY_ERROR, node->location,
                      "%s expects nothing: name an output in 'expect', or a key in "
                      "'expect_state'",
                      reader->owner);
}

/* Reports name a test, and --filter finds it. */
static void check_names(const struct mr_test_reader *reader, const struct mr_test *tests,
                        uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < i && tests[i].name != NULL; j++)
            if (tests[j].name != NULL && strcmp(tests[i].name, tests[j].name) == 0) {
                mr_report_add(reader->report, MR_SEVERITY_ERROR, tests[i].location,
                              "the name '%s' is taken by the test in line %" PRIu32, tests[i].name,
                              tests[j].location.line);
                break;
            }
}

/* A partition that the test does not have. */
static void check_partitions(const struct mr_test_reader *reader, const struct mr_test *test,
                             const struct mr_test_step *step)
{
    for (uint32_t i = 0; i < step->givens_count; i++)
        for (uint32_t j = 0; j < step->givens[i].messages_count; j++) {
            const struct mr_test_message *message = &step->givens[i].messages[j];
            if (message->partition >= test->partitions_count && test->partitions_count > 0)
                mr_report_add(reader->report, MR_SEVERITY_ERROR, message->location,
                              "'given.partition' is %" PRId32 ", but test '%s' has %" PRId32
                              " of them: say 'partitions: %" PRId32 "'",
                              message->partition, test->name, test->partitions_count,
                              message->partition + 1);
        }
}

bool mr_definition_read_tests(const struct mr_definition *definition, struct mr_arena *arena,
                              struct mr_report *report, const struct mr_test **tests,
                              uint32_t *tests_count)
{
    struct mr_test_reader reader = {.definition = definition, .arena = arena, .report = report};
    uint32_t errors_count = report->errors_count;
    uint32_t count = definition->tests == NULL ? 0 : definition->tests->count;
    struct mr_test *all = mr_arena_new(arena, count, sizeof(*all));
    for (uint32_t i = 0; i < count; i++) {
        read_test(&reader, definition->tests->items[i], i, &all[i]);
        check_partitions(&reader, &all[i], &all[i].given_state);
        for (uint32_t j = 0; j < all[i].steps_count; j++)
            check_partitions(&reader, &all[i], &all[i].steps[j]);
    }
    check_names(&reader, all, count);
    *tests = all;
    *tests_count = count;
    return report->errors_count == errors_count;
}
