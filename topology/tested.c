/* topology/tested.c — see tested.h.
 * Design: the tree of the file is rewritten and planned again, so that everything behind the
 * definition is what a user runs. Nodes that stay are shared with the file's tree. */
#include "topology/tested.h"

#include "topology/planner.h"

struct rewriter {
    const struct mr_catalogue *catalogue;
    struct mr_arena *arena;
    const struct mr_definition *definition; /* of the file */
    const struct mr_plan *plan;             /* of the file */
    struct mr_tested *tested;
    struct mr_tested_output *outputs;
    struct mr_yaml_node **sinks;
    uint32_t sinks_count;
};

/* ---- Nodes ---- */

static struct mr_yaml_node *text_node(struct rewriter *rewriter, const char *text,
                                      struct mr_location location)
{
    struct mr_yaml_node *node = mr_arena_new(rewriter->arena, 1, sizeof(*node));
    *node = (struct mr_yaml_node){.kind = MR_YAML_SCALAR,
                                  .scalar = MR_YAML_STRING,
                                  .style = MR_YAML_DOUBLE_QUOTED,
                                  .location = location,
                                  .text = text};
    return node;
}

/* A mapping with room for more pairs. */
static struct mr_yaml_node *mapping_node(struct rewriter *rewriter, struct mr_location location,
                                         uint32_t pairs_max)
{
    struct mr_yaml_node *node = mr_arena_new(rewriter->arena, 1, sizeof(*node));
    *node = (struct mr_yaml_node){
        .kind = MR_YAML_MAPPING,
        .location = location,
        .pairs = mr_arena_new(rewriter->arena, pairs_max, sizeof(*node->pairs))};
    return node;
}

static void put(struct mr_yaml_node *mapping, const char *key, struct mr_yaml_node *value)
{
    mapping->pairs[mapping->count++] =
        (struct mr_yaml_pair){.key = key, .location = value->location, .value = value};
}

static struct mr_yaml_node *list_node(struct rewriter *rewriter, struct mr_location location,
                                      struct mr_yaml_node **items, uint32_t count)
{
    struct mr_yaml_node *node = mr_arena_new(rewriter->arena, 1, sizeof(*node));
    *node = (struct mr_yaml_node){
        .kind = MR_YAML_SEQUENCE, .location = location, .items = items, .count = count};
    return node;
}

static bool is_among(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static bool is_format(const struct rewriter *rewriter, const char *name)
{
    for (uint32_t i = 0; i < rewriter->catalogue->formats_count; i++)
        if (strcmp(rewriter->catalogue->formats[i].name, name) == 0)
            return true;
    return strcmp(name, "format") == 0;
}

/* ---- Sources ---- */

/* Where records come from and how they are fetched: all but what a record is. */
static const char *const source_places[] = {"type",     "topic", "topics",          "pattern",
                                            "start",    "group", "start_timestamp", "batch",
                                            "consumer", NULL};

/* What records say of where they come from: the topic, or the source's name where there is none.
 * NULL: several topics. */
static const char *topic_text(const struct mr_definition_entry *entry)
{
    if (entry->type == NULL || (entry->type->flags & MR_TYPE_LOG) == 0)
        return entry->role == MR_ROLE_SOURCE ? entry->name : NULL;
    return mr_options_text(&entry->options, "topic");
}

static const char *source_topic(struct rewriter *rewriter, const struct mr_definition_entry *source)
{
    const struct mr_definition *definition = rewriter->definition;
    const char *topic = topic_text(source);
    for (uint32_t i = 0; topic != NULL && i < definition->entries_count; i++) {
        const struct mr_definition_entry *other = &definition->entries[i];
        const char *taken = other == source ? NULL : topic_text(other);
        if (taken != NULL && strcmp(taken, topic) == 0)
            topic = NULL;
    }
    return topic != NULL ? topic : mr_arena_format(rewriter->arena, "given.%s", source->name);
}

static bool keeps(const struct mr_definition_entry *entry, const char *key,
                  const char *const *places)
{
    if ((entry->type->flags & MR_TYPE_LOG) != 0)
        return !is_among(key, places);
    return strcmp(key, "type") != 0 && mr_option_specs_find(entry->common.specs, key) >= 0;
}

/* The types of the fields that a type of source gives its records by itself. */
static void put_own_schema(struct rewriter *rewriter, const struct mr_definition_entry *source,
                           struct mr_yaml_node *node)
{
    const struct mr_type_spec *type = source->type;
    bool own = (type->flags & (MR_TYPE_GENERATOR | MR_TYPE_RECORD_TYPED)) != 0;
    if (!own || type->outputs_count == 0 || type->outputs[0].fields == NULL ||
        mr_yaml_find(node, "schema") != NULL)
        return;
    const struct mr_output_spec *output = &type->outputs[0];
    struct mr_yaml_node *schema = mapping_node(rewriter, node->location, output->fields_count);
    for (uint32_t i = 0; i < output->fields_count; i++) {
        const struct mr_type field = {.code = output->fields[i].type};
        if (field.code == MR_TYPE_ANY || field.code == MR_TYPE_LIST || field.code == MR_TYPE_OBJECT)
            continue;
        put(schema, output->fields[i].name,
            text_node(rewriter, mr_type_name(rewriter->arena, &field), node->location));
    }
    if (schema->count > 0)
        put(node, "schema", schema);
}

/* Of a topic that every task reads changes come at any time, as to other tables. */
static bool is_lookup(const struct mr_plan *plan, const char *source)
{
    const struct mr_plan_node *node = mr_plan_node_find(plan, source);
    return node != NULL && node->is_broadcast && (node->type->flags & MR_TYPE_LOG) == 0;
}

/* Its records come later (mr_tested_give_lookup); until then one that says nothing stands for them.
 */
static void put_lookup(struct rewriter *rewriter, const struct mr_definition_entry *source,
                       struct mr_yaml_node *node)
{
    struct mr_yaml_node **records = mr_arena_new(rewriter->arena, 1, sizeof(*records));
    records[0] = mapping_node(rewriter, source->location, 0);
    put(node, "type", text_node(rewriter, "memory", source->location));
    put(node, "records", list_node(rewriter, source->location, records, 1));
}

static struct mr_yaml_node *rewrite_source(struct rewriter *rewriter,
                                           const struct mr_definition_entry *source)
{
    const struct mr_yaml_node *old = source->node;
    enum { ADDED_MAX = 3 };
    struct mr_yaml_node *node = mapping_node(rewriter, old->location, old->count + ADDED_MAX);
    for (uint32_t i = 0; i < old->count; i++)
        if (keeps(source, old->pairs[i].key, source_places))
            put(node, old->pairs[i].key, old->pairs[i].value);
    if (is_lookup(rewriter->plan, source->name)) {
        put_lookup(rewriter, source, node);
        return node;
    }
    put(node, "type", text_node(rewriter, "kafka", source->location));
    put(node, "topic", text_node(rewriter, source_topic(rewriter, source), source->location));
    put_own_schema(rewriter, source, node);
    return node;
}

/* ---- Sinks ---- */

static const char *const sink_places[] = {"type",     "topic",        "topic_from", "topic_allow",
                                          "producer", "create_topic", NULL};

static void add_output(struct rewriter *rewriter, const char *name, const char *topic)
{
    rewriter->outputs[rewriter->tested->outputs_count++] =
        (struct mr_tested_output){.name = name, .topic = topic};
}

static void finish_sink(struct rewriter *rewriter, struct mr_yaml_node *node, const char *output,
                        const char *name)
{
    const char *topic = mr_arena_format(rewriter->arena, "captured.%s", name);
    put(node, "type", text_node(rewriter, "kafka", node->location));
    put(node, "topic", text_node(rewriter, topic, node->location));
    put(node, "format", text_node(rewriter, "json", node->location));
    rewriter->sinks[rewriter->sinks_count++] = node;
    add_output(rewriter, output, topic);
}

static void rewrite_sink(struct rewriter *rewriter, const struct mr_definition_entry *sink)
{
    const struct mr_yaml_node *old = sink->node;
    enum { ADDED_MAX = 3 };
    struct mr_yaml_node *node = mapping_node(rewriter, old->location, old->count + ADDED_MAX);
    for (uint32_t i = 0; i < old->count; i++)
        if (keeps(sink, old->pairs[i].key, sink_places) && !is_format(rewriter, old->pairs[i].key))
            put(node, old->pairs[i].key, old->pairs[i].value);
    finish_sink(rewriter, node, sink->name, sink->name);
}

static bool is_known(const struct rewriter *rewriter, const char *output)
{
    for (uint32_t i = 0; i < rewriter->tested->outputs_count; i++)
        if (strcmp(rewriter->outputs[i].name, output) == 0)
            return true;
    return strcmp(output, mr_test_dead_letters) == 0;
}

static void capture(struct rewriter *rewriter, const struct mr_test_expectation *expectation)
{
    if (is_known(rewriter, expectation->output))
        return;
    const char *name;
    uint32_t number = rewriter->tested->outputs_count;
    do
        name = mr_arena_format(rewriter->arena, "captured-%u", number++);
    while (mr_definition_find(rewriter->definition, name) != NULL);
    const char *dot = strchr(expectation->output, '.');
    const char *from = strcmp(dot, ".main") != 0
                           ? expectation->output
                           : mr_arena_copy_bytes_text(rewriter->arena, expectation->output,
                                                      (size_t)(dot - expectation->output));
    enum { PAIRS = 5 };
    struct mr_yaml_node *node = mapping_node(rewriter, expectation->location, PAIRS);
    put(node, "name", text_node(rewriter, name, expectation->location));
    put(node, "from", text_node(rewriter, from, expectation->location));
    finish_sink(rewriter, node, expectation->output, name);
}

static void capture_all(struct rewriter *rewriter)
{
    for (uint32_t i = 0; i < rewriter->tested->tests_count; i++) {
        const struct mr_test *test = &rewriter->tested->tests[i];
        for (uint32_t j = 0; j < test->expect.expectations_count; j++)
            capture(rewriter, &test->expect.expectations[j]);
        for (uint32_t step = 0; step < test->steps_count; step++)
            for (uint32_t j = 0; j < test->steps[step].expectations_count; j++)
                capture(rewriter, &test->steps[step].expectations[j]);
    }
}

static uint32_t count_expectations(const struct mr_tested *tested)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < tested->tests_count; i++) {
        count += tested->tests[i].expect.expectations_count;
        for (uint32_t step = 0; step < tested->tests[i].steps_count; step++)
            count += tested->tests[i].steps[step].expectations_count;
    }
    return count;
}

/* ---- Operators ---- */

/* As they are, but all that tests give is the present: there is no history to learn from. */
static struct mr_yaml_node *rewrite_operator(struct rewriter *rewriter,
                                             const struct mr_definition_entry *entry)
{
    const struct mr_yaml_node *old = entry->node;
    struct mr_yaml_node *node = mapping_node(rewriter, old->location, old->count);
    for (uint32_t i = 0; i < old->count; i++)
        if (strcmp(old->pairs[i].key, "warm_from") != 0)
            put(node, old->pairs[i].key, old->pairs[i].value);
    return node;
}

/* ---- The tree ---- */

/* The tree with other sources and sinks, and without tests. */
static struct mr_yaml_node *rewrite(struct rewriter *rewriter, const struct mr_yaml_node *root)
{
    const struct mr_definition *definition = rewriter->definition;
    const struct mr_yaml_node *spec = definition->spec_node;
    uint32_t room = definition->entries_count + count_expectations(rewriter->tested);
    struct mr_yaml_node **sources =
        mr_arena_new(rewriter->arena, room, sizeof(struct mr_yaml_node *));
    struct mr_yaml_node **operators =
        mr_arena_new(rewriter->arena, room, sizeof(struct mr_yaml_node *));
    uint32_t sources_count = 0;
    uint32_t operators_count = 0;
    rewriter->sinks = mr_arena_new(rewriter->arena, room, sizeof(struct mr_yaml_node *));
    rewriter->outputs = mr_arena_new(rewriter->arena, room, sizeof(*rewriter->outputs));
    for (uint32_t i = 0; i < definition->entries_count; i++) {
        if (definition->entries[i].role == MR_ROLE_SOURCE)
            sources[sources_count++] = rewrite_source(rewriter, &definition->entries[i]);
        else if (definition->entries[i].role == MR_ROLE_SINK)
            rewrite_sink(rewriter, &definition->entries[i]);
        else
            operators[operators_count++] = rewrite_operator(rewriter, &definition->entries[i]);
    }
    capture_all(rewriter);
    rewriter->tested->outputs = rewriter->outputs;
    static const char *const replaced[] = {"sources", "operators", "sinks", "tests", NULL};
    struct mr_yaml_node *new_spec = mapping_node(rewriter, spec->location, spec->count + 3);
    for (uint32_t i = 0; i < spec->count; i++)
        if (!is_among(spec->pairs[i].key, replaced))
            put(new_spec, spec->pairs[i].key, spec->pairs[i].value);
    put(new_spec, "sources", list_node(rewriter, spec->location, sources, sources_count));
    if (operators_count > 0)
        put(new_spec, "operators", list_node(rewriter, spec->location, operators, operators_count));
    put(new_spec, "sinks",
        list_node(rewriter, spec->location, rewriter->sinks, rewriter->sinks_count));
    struct mr_yaml_node *new_root = mapping_node(rewriter, root->location, root->count);
    for (uint32_t i = 0; i < root->count; i++)
        put(new_root, root->pairs[i].key,
            root->pairs[i].value == spec ? new_spec : root->pairs[i].value);
    return new_root;
}

static void plan_tested(struct rewriter *rewriter, const struct mr_yaml_node *root,
                        struct mr_report *report)
{
    struct mr_definition *definition = mr_arena_new(rewriter->arena, 1, sizeof(*definition));
    struct mr_report again;
    mr_report_init(&again, rewriter->arena, report->file);
    struct mr_yaml_node *rewritten = rewrite(rewriter, root);
    mr_topology_plan_tree(rewritten, rewriter->catalogue, rewriter->arena, &again, definition,
                          &rewriter->tested->plan);
    rewriter->tested->definition = definition;
    /* Warnings were told already. What else there is comes from the sinks that tests add. */
    for (uint32_t i = 0; i < again.findings_count; i++)
        if (again.findings[i].severity == MR_SEVERITY_ERROR)
            mr_report_add(report, MR_SEVERITY_ERROR, again.findings[i].location,
                          "the topology cannot be tested: %s", again.findings[i].message);
}

/* ---- Lookups ---- */

static void find_lookups(struct rewriter *rewriter)
{
    const struct mr_definition *definition = rewriter->definition;
    struct mr_tested_lookup *lookups =
        mr_arena_new(rewriter->arena, definition->entries_count, sizeof(*lookups));
    struct mr_tested *tested = rewriter->tested;
    for (uint32_t i = 0; i < definition->entries_count; i++) {
        const struct mr_definition_entry *entry = &definition->entries[i];
        if (entry->role != MR_ROLE_SOURCE || !is_lookup(rewriter->plan, entry->name))
            continue;
        bool file = mr_option_specs_find(entry->type->options, "skip_header") >= 0;
        lookups[tested->lookups_count++] = (struct mr_tested_lookup){
            .source = entry->name,
            .skip_header = file && mr_options_boolean(&entry->options, "skip_header")};
    }
    tested->lookups = lookups;
}

static void check_message(struct rewriter *rewriter, const struct mr_test_given *given,
                          const struct mr_test_message *message, struct mr_report *report)
{
    bool lookup = is_lookup(rewriter->plan, given->source);
    if (!lookup && message->file != NULL)
        mr_report_add(report, MR_SEVERITY_ERROR, message->location,
                      "'file' gives a lookup its lines, and '%s' is none: give it records by "
                      "'record' or 'payload'",
                      given->source);
    if (lookup && (message->tombstone || message->key != NULL || message->partition >= 0 ||
                   message->timestamp_program != NULL || message->headers_count > 0))
        mr_report_add(report, MR_SEVERITY_ERROR, message->location,
                      "a record of the lookup '%s' is a line of a file: it has no message key, "
                      "time, headers or partition, and is no tombstone",
                      given->source);
}

static void check_step(struct rewriter *rewriter, const struct mr_test_step *step, bool first,
                       struct mr_report *report)
{
    for (uint32_t i = 0; i < step->givens_count; i++) {
        const struct mr_test_given *given = &step->givens[i];
        if (!first && is_lookup(rewriter->plan, given->source))
            mr_report_add(report, MR_SEVERITY_ERROR, given->location,
                          "the lookup '%s' is read once, before anything else: give its records "
                          "in 'given_state', 'given' or the first step",
                          given->source);
        for (uint32_t j = 0; j < given->messages_count; j++)
            check_message(rewriter, given, &given->messages[j], report);
    }
}

/* False: something is wrong (reported). */
static bool check_lookups(struct rewriter *rewriter, struct mr_report *report)
{
    const struct mr_tested *tested = rewriter->tested;
    uint32_t errors_count = report->errors_count;
    for (uint32_t i = 0; i < tested->tests_count; i++) {
        check_step(rewriter, &tested->tests[i].given_state, true, report);
        for (uint32_t j = 0; j < tested->tests[i].steps_count; j++)
            check_step(rewriter, &tested->tests[i].steps[j], j == 0, report);
    }
    return report->errors_count == errors_count;
}

const struct mr_tested_lookup *mr_tested_lookup(const struct mr_tested *tested, const char *source)
{
    for (uint32_t i = 0; i < tested->lookups_count; i++)
        if (strcmp(tested->lookups[i].source, source) == 0)
            return &tested->lookups[i];
    return NULL;
}

void mr_tested_give_lookup(const struct mr_tested *tested, const char *source,
                           const char *const *payloads, uint32_t payloads_count)
{
    const struct mr_options *options = &mr_plan_node_find(tested->plan, source)->options;
    struct mr_option_value *records =
        &options->values[mr_option_specs_find(options->specs, "records")];
    records->texts = payloads;
    records->locations = NULL;
    records->count = payloads_count;
}

/* ---- The whole ---- */

void mr_topology_parse_tested(struct mr_slice text, const struct mr_catalogue *catalogue,
                              const struct mr_substitution *substitution, struct mr_arena *arena,
                              struct mr_report *report, struct mr_tested *tested)
{
    struct mr_definition definition;
    struct mr_plan *plan = NULL;
    struct rewriter rewriter = {
        .catalogue = catalogue, .arena = arena, .definition = &definition, .tested = tested};
    *tested = (struct mr_tested){0};
    struct mr_yaml_node *root = mr_topology_tree(text, substitution, arena, report);
    if (root != NULL)
        mr_topology_plan_tree(root, catalogue, arena, report, &definition, &plan);
    rewriter.plan = plan;
    if (plan != NULL)
        find_lookups(&rewriter);
    if (plan != NULL &&
        mr_definition_read_tests(&definition, arena, report, &tested->tests,
                                 &tested->tests_count) &&
        tested->tests_count > 0 && check_lookups(&rewriter, report))
        plan_tested(&rewriter, root, report);
    mr_report_finish(report);
}

const char *mr_tested_source_topic(const struct mr_tested *tested, const char *source)
{
    return mr_options_text(&mr_definition_find(tested->definition, source)->options, "topic");
}
