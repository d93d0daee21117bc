/* cli/plan_json.c — see plan_json.h.
 * Design: a writer whose first failure sticks, so that the shape of the code is the shape of the
 * document. Commas are put by the writer: before a member or element unless it is the first. */
#include "cli/plan_json.h"

#include "base/assert.h"
#include "topology/json_text.h"

#include <inttypes.h>

struct writer {
    struct mr_buffer *buffer;
    enum mr_status status;
    bool first; /* of the array or object that is open */
};

static void put(struct writer *writer, const char *text)
{
    if (writer->status == MR_OK)
        writer->status = mr_buffer_append_text(writer->buffer, text);
}

static void put_string(struct writer *writer, const char *text)
{
    if (writer->status == MR_OK)
        writer->status = mr_json_text_string(writer->buffer, text);
}

static void element(struct writer *writer)
{
    if (!writer->first)
        put(writer, ",");
    writer->first = false;
}

static void member(struct writer *writer, const char *name)
{
    element(writer);
    put_string(writer, name);
    put(writer, ":");
}

static void open_group(struct writer *writer, const char *bracket)
{
    put(writer, bracket);
    writer->first = true;
}

static void close_group(struct writer *writer, const char *bracket)
{
    put(writer, bracket);
    writer->first = false;
}

static void member_text(struct writer *writer, const char *name, const char *text)
{
    member(writer, name);
    if (text != NULL)
        put_string(writer, text);
    else
        put(writer, "null");
}

static void member_bool(struct writer *writer, const char *name, bool value)
{
    member(writer, name);
    put(writer, value ? "true" : "false");
}

static void member_integer(struct writer *writer, const char *name, int64_t value)
{
    member(writer, name);
    if (writer->status == MR_OK)
        writer->status = mr_buffer_append_format(writer->buffer, "%" PRId64, value);
}

static const char *output_name(const struct mr_plan *plan, uint32_t node, uint32_t output)
{
    MR_ASSERT(node < plan->nodes_count && output < plan->nodes[node].outputs_count);
    return plan->nodes[node].outputs[output].name;
}

static void put_key(struct writer *writer, const struct mr_plan_key *key)
{
    member(writer, "key");
    if (!key->given) {
        put(writer, "null");
        return;
    }
    open_group(writer, "[");
    for (uint32_t i = 0; i < key->slots_count; i++) {
        element(writer);
        put_string(writer, key->texts[i]);
    }
    close_group(writer, "]");
}

static void put_input(struct writer *writer, const struct mr_plan *plan,
                      const struct mr_plan_input *input)
{
    element(writer);
    open_group(writer, "{");
    member_text(writer, "option", input->option);
    member_text(writer, "from", plan->nodes[input->producer].name);
    member_text(writer, "output", output_name(plan, input->producer, input->output));
    member_text(writer, "repartition",
                input->repartition ? plan->repartitions[input->repartition_index].name : NULL);
    close_group(writer, "}");
}

static void put_node(struct writer *writer, const struct mr_plan *plan,
                     const struct mr_plan_node *node)
{
    static const char *const roles[] = {
        [MR_ROLE_SOURCE] = "source", [MR_ROLE_OPERATOR] = "operator", [MR_ROLE_SINK] = "sink"};
    element(writer);
    open_group(writer, "{");
    member_text(writer, "name", node->name);
    member_text(writer, "role", roles[node->type->role]);
    member_text(writer, "type", node->type->name);
    member_text(writer, "subtopology", plan->subtopologies[node->subtopology].name);
    put_key(writer, &node->key);
    member(writer, "inputs");
    open_group(writer, "[");
    for (uint32_t i = 0; i < node->inputs_count; i++)
        put_input(writer, plan, &node->inputs[i]);
    close_group(writer, "]");
    member(writer, "outputs");
    open_group(writer, "[");
    for (uint32_t i = 0; i < node->outputs_count; i++) {
        element(writer);
        put_string(writer, node->outputs[i].name);
    }
    close_group(writer, "]");
    close_group(writer, "}");
}

static void put_names(struct writer *writer, const char *name, const struct mr_plan *plan,
                      const uint32_t *nodes, uint32_t count)
{
    member(writer, name);
    open_group(writer, "[");
    for (uint32_t i = 0; i < count; i++) {
        element(writer);
        put_string(writer, plan->nodes[nodes[i]].name);
    }
    close_group(writer, "]");
}

static void put_subtopology(struct writer *writer, const struct mr_plan *plan,
                            const struct mr_plan_subtopology *subtopology)
{
    element(writer);
    open_group(writer, "{");
    member_text(writer, "name", subtopology->name);
    member_bool(writer, "stateful", subtopology->stateful);
    member_integer(writer, "state_object_bytes_per_key",
                   (int64_t)subtopology->state_object_bytes_per_key);
    member_integer(writer, "changelog_bytes_per_record",
                   (int64_t)subtopology->changelog_bytes_per_record);
    put_names(writer, "nodes", plan, subtopology->nodes, subtopology->nodes_count);
    put_names(writer, "sources", plan, subtopology->sources, subtopology->sources_count);
    member(writer, "repartitions");
    open_group(writer, "[");
    for (uint32_t i = 0; i < subtopology->repartitions_count; i++) {
        element(writer);
        put_string(writer, plan->repartitions[subtopology->repartitions[i]].name);
    }
    close_group(writer, "]");
    close_group(writer, "}");
}

static void put_repartition(struct writer *writer, const struct mr_plan *plan,
                            const struct mr_plan_repartition *repartition)
{
    element(writer);
    open_group(writer, "{");
    member_text(writer, "name", repartition->name);
    member_text(writer, "from", plan->nodes[repartition->producer].name);
    member_text(writer, "output", output_name(plan, repartition->producer, repartition->output));
    member_text(writer, "consumer", plan->nodes[repartition->consumer].name);
    member_text(writer, "from_subtopology",
                plan->subtopologies[repartition->from_subtopology].name);
    member_text(writer, "to_subtopology", plan->subtopologies[repartition->to_subtopology].name);
    put_key(writer, &repartition->key);
    member_bool(writer, "single_partition", repartition->single_partition);
    member_text(writer, "reason", repartition->reason);
    close_group(writer, "}");
}

enum mr_status mr_plan_json(const struct mr_plan *plan, struct mr_buffer *output)
{
    struct writer writer = {.buffer = output, .status = MR_OK};
    open_group(&writer, "{");
    member_text(&writer, "name", plan->name);
    member(&writer, "hash");
    if (writer.status == MR_OK)
        writer.status = mr_buffer_append_format(output, "\"%016" PRIx64 "\"", plan->hash);
    member_text(&writer, "guarantee", plan->exactly_once ? "exactly_once" : "at_least_once");
    member_integer(&writer, "commit_interval_ms", plan->commit_interval_ms);
    member_integer(&writer, "memory_bytes", plan->memory_bytes);
    member_bool(&writer, "replayable", plan->replayable);
    member_text(&writer, "not_replayable_reason", plan->not_replayable_reason);
    member(&writer, "subtopologies");
    open_group(&writer, "[");
    for (uint32_t i = 0; i < plan->subtopologies_count; i++)
        put_subtopology(&writer, plan, &plan->subtopologies[i]);
    close_group(&writer, "]");
    member(&writer, "repartitions");
    open_group(&writer, "[");
    for (uint32_t i = 0; i < plan->repartitions_count; i++)
        put_repartition(&writer, plan, &plan->repartitions[i]);
    close_group(&writer, "]");
    member(&writer, "nodes");
    open_group(&writer, "[");
    for (uint32_t i = 0; i < plan->nodes_count; i++)
        put_node(&writer, plan, &plan->nodes[i]);
    close_group(&writer, "]");
    close_group(&writer, "}");
    put(&writer, "\n");
    return writer.status;
}
