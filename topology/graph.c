/* topology/graph.c — see graph.h. */
#include "topology/graph.h"

#include <stdio.h>

#include "base/limits.h"
#include "topology/common_options.h"
#include "topology/parse_options.h"

struct builder {
    const struct mr_definition *definition;
    struct mr_arena *arena;
    struct mr_report *report;
    struct mr_graph *graph;
    uint8_t *marks; /* of the search for cycles, one per node */
    uint32_t *path;
    uint32_t path_count;
    uint32_t order_count;
    bool cyclic;
};

enum mark { MARK_NEW, MARK_OPEN, MARK_DONE };

/* ---- Outputs ---- */

static void branch_outputs(struct builder *builder, struct mr_graph_node *node)
{
    const struct mr_option_value *branches = mr_definition_value(node->entry, "branches");
    if (branches == NULL || !branches->present)
        return;
    const char **names = mr_arena_new(builder->arena, branches->count + 1, sizeof(*names));
    uint32_t count = 0;
    for (uint32_t i = 0; i < branches->count; i++) {
        int index = mr_option_specs_find(branches->objects[i].specs, "name");
        const struct mr_option_value *value =
            index < 0 ? NULL : &branches->objects[i].values[index];
        if (value == NULL || value->text == NULL)
            return; /* reported; the outputs stay unknown */
        if (!mr_definition_is_name(value->text))
            mr_report_add(builder->report, MR_SEVERITY_ERROR, value->location,
                          "'%s' is no name of a branch: a name is a lower-case letter and then up "
                          "to 62 lower-case letters, digits and -",
                          value->text);
        names[count++] = value->text;
    }
    names[count++] = "rest";
    node->outputs = names;
    node->outputs_count = count;
}

static void collect_outputs(struct builder *builder, struct mr_graph_node *node)
{
    static const char *const main_output[] = {"main"};
    const struct mr_type_spec *type = node->entry->type;
    if (type == NULL || type->role == MR_ROLE_SINK)
        return;
    if ((type->flags & MR_TYPE_DYNAMIC_OUTPUTS) != 0) {
        branch_outputs(builder, node);
        return;
    }
    node->outputs = main_output;
    node->outputs_count = 1;
    if (type->outputs_count == 0)
        return;
    const char **names = mr_arena_new(builder->arena, type->outputs_count, sizeof(*names));
    for (uint32_t i = 0; i < type->outputs_count; i++)
        names[i] = type->outputs[i].name;
    node->outputs = names;
    node->outputs_count = type->outputs_count;
}

/* ---- References ---- */

static const char *joined(struct mr_arena *arena, const char *const *names, uint32_t count)
{
    size_t size = 1;
    for (uint32_t i = 0; i < count; i++)
        size += strlen(names[i]) + 2;
    char *text = mr_arena_take(arena, size);
    size = 0;
    for (uint32_t i = 0; i < count; i++)
        size += (size_t)snprintf(text + size, strlen(names[i]) + 3, "%s%s", i == 0 ? "" : ", ",
                                 names[i]);
    return text;
}

static uint32_t node_find(const struct mr_graph *graph, const char *name)
{
    for (uint32_t i = 0; i < graph->nodes_count; i++)
        if (strcmp(graph->nodes[i].entry->name, name) == 0)
            return i;
    return UINT32_MAX;
}

static void report_unknown(struct builder *builder, const struct mr_graph_input *input,
                           const char *name)
{
    const struct mr_graph *graph = builder->graph;
    const char **names = mr_arena_new(builder->arena, graph->nodes_count, sizeof(*names));
    uint32_t count = 0;
    for (uint32_t i = 0; i < graph->nodes_count; i++)
        if (graph->nodes[i].entry->role != MR_ROLE_SINK)
            names[count++] = graph->nodes[i].entry->name;
    mr_report_add(builder->report, MR_SEVERITY_ERROR, input->location,
                  "there is no source or operator '%s' for '%s'%s", name, input->option,
                  mr_nearest_text(builder->arena, name, names, count));
}

static bool find_output(struct builder *builder, struct mr_graph_input *input, const char *name,
                        const char *output)
{
    const struct mr_graph_node *producer = &builder->graph->nodes[input->producer];
    if (producer->outputs_count == 0)
        return true;
    bool dynamic = (producer->entry->type->flags & MR_TYPE_DYNAMIC_OUTPUTS) != 0;
    if (output == NULL && !dynamic)
        return true;
    if (output == NULL) {
        mr_report_add(builder->report, MR_SEVERITY_ERROR, input->location,
                      "'%s' has no main output, name one of its outputs, as in %s.%s (%s)", name,
                      name, producer->outputs[0],
                      joined(builder->arena, producer->outputs, producer->outputs_count));
        return false;
    }
    for (uint32_t i = 0; i < producer->outputs_count; i++)
        if (strcmp(producer->outputs[i], output) == 0) {
            input->output = i;
            return true;
        }
    mr_report_add(
        builder->report, MR_SEVERITY_ERROR, input->location,
        "'%s' has no output '%s', its outputs are %s%s", name, output,
        joined(builder->arena, producer->outputs, producer->outputs_count),
        mr_nearest_text(builder->arena, output, producer->outputs, producer->outputs_count));
    return false;
}

static void resolve(struct builder *builder, struct mr_graph_input *input)
{
    const char *dot = strchr(input->text, '.');
    const char *output = dot == NULL ? NULL : dot + 1;
    const char *name = dot == NULL ? input->text
                                   : mr_arena_copy_bytes_text(builder->arena, input->text,
                                                              (size_t)(dot - input->text));
    input->producer = node_find(builder->graph, name);
    if (input->producer == UINT32_MAX) {
        report_unknown(builder, input, name);
        return;
    }
    if (builder->graph->nodes[input->producer].entry->role == MR_ROLE_SINK) {
        mr_report_add(builder->report, MR_SEVERITY_ERROR, input->location,
                      "'%s' is a sink: it has no output to read", name);
        return;
    }
    input->known = find_output(builder, input, name, output);
}

static void collect_inputs(struct builder *builder, struct mr_graph_node *node)
{
    if (node->entry->type == NULL)
        return;
    uint32_t count = 0;
    const struct mr_input_spec *specs = mr_common_inputs(node->entry->type);
    for (const struct mr_input_spec *spec = specs; spec->option != NULL; spec++) {
        const struct mr_option_value *value = mr_definition_value(node->entry, spec->option);
        count += value == NULL ? 0 : value->count;
    }
    struct mr_graph_input *inputs = mr_arena_new(builder->arena, count, sizeof(*inputs));
    count = 0;
    for (const struct mr_input_spec *spec = specs; spec->option != NULL; spec++) {
        const struct mr_option_value *value = mr_definition_value(node->entry, spec->option);
        if (value == NULL || !value->present)
            continue;
        for (uint32_t i = 0; i < value->count; i++) {
            struct mr_graph_input *input = &inputs[count++];
            input->option = spec->option;
            input->text = value->texts == NULL ? value->text : value->texts[i];
            input->location = value->locations == NULL ? value->location : value->locations[i];
            resolve(builder, input);
        }
    }
    node->inputs = inputs;
    node->inputs_count = count;
}

/* ---- Order ---- */

static void report_cycle(struct builder *builder, uint32_t start)
{
    uint32_t first = 0;
    while (builder->path[first] != start)
        first++;
    const char *text = "";
    /* The search goes from readers to what they read: written the other way it is the way of
     * records. */
    for (uint32_t i = builder->path_count; i > first; i--)
        text = mr_arena_format(builder->arena, "%s%s -> ", text,
                               builder->graph->nodes[builder->path[i - 1]].entry->name);
    const struct mr_definition_entry *last =
        builder->graph->nodes[builder->path[builder->path_count - 1]].entry;
    mr_report_add(builder->report, MR_SEVERITY_ERROR, last->name_location,
                  "operators form a cycle: %s%s", text, last->name);
    builder->cyclic = true;
}

static void visit(struct builder *builder, uint32_t index)
{
    const struct mr_graph_node *node = &builder->graph->nodes[index];
    builder->marks[index] = MARK_OPEN;
    builder->path[builder->path_count++] = index;
    for (uint32_t i = 0; i < node->inputs_count; i++) {
        if (!node->inputs[i].known)
            continue;
        uint32_t producer = node->inputs[i].producer;
        if (builder->marks[producer] == MARK_OPEN)
            report_cycle(builder, producer);
        else if (builder->marks[producer] == MARK_NEW)
            visit(builder, producer);
    }
    builder->path_count--;
    builder->marks[index] = MARK_DONE;
    builder->graph->order[builder->order_count++] = index;
}

static void warn_unread(struct builder *builder)
{
    struct mr_graph *graph = builder->graph;
    bool *read = mr_arena_new(builder->arena, graph->nodes_count, sizeof(*read));
    for (uint32_t i = 0; i < graph->nodes_count; i++)
        for (uint32_t j = 0; j < graph->nodes[i].inputs_count; j++)
            if (graph->nodes[i].inputs[j].producer != UINT32_MAX)
                read[graph->nodes[i].inputs[j].producer] = true;
    for (uint32_t i = 0; i < graph->nodes_count; i++) {
        const struct mr_definition_entry *entry = graph->nodes[i].entry;
        if (!read[i] && entry->role != MR_ROLE_SINK)
            mr_report_add(builder->report, MR_SEVERITY_WARNING, entry->name_location,
                          "nobody reads '%s': its records are counted and dropped", entry->name);
    }
}

bool mr_graph_build(const struct mr_definition *definition, struct mr_arena *arena,
                    struct mr_report *report, struct mr_graph *graph)
{
    struct builder builder = {
        .definition = definition, .arena = arena, .report = report, .graph = graph};
    *graph = (struct mr_graph){0};
    graph->nodes = mr_arena_new(arena, definition->entries_count, sizeof(*graph->nodes));
    for (uint32_t i = 0; i < definition->entries_count; i++)
        if (definition->entries[i].name != NULL)
            graph->nodes[graph->nodes_count++].entry = &definition->entries[i];
    for (uint32_t i = 0; i < graph->nodes_count; i++)
        collect_outputs(&builder, &graph->nodes[i]);
    for (uint32_t i = 0; i < graph->nodes_count; i++)
        collect_inputs(&builder, &graph->nodes[i]);
    if (report->errors_count == 0) /* a wrong reference leaves somebody unread */
        warn_unread(&builder);
    graph->order = mr_arena_new(arena, graph->nodes_count, sizeof(*graph->order));
    builder.marks = mr_arena_new(arena, graph->nodes_count, sizeof(*builder.marks));
    builder.path = mr_arena_new(arena, graph->nodes_count, sizeof(*builder.path));
    for (uint32_t i = 0; i < graph->nodes_count; i++)
        if (builder.marks[i] == MARK_NEW)
            visit(&builder, i);
    return !builder.cyclic;
}
