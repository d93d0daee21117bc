/* topology/describe_json.c — a plan as JSON (describe.h).
 * Design: a writer whose first failure sticks and that puts the commas, so that the shape of the
 * code is the shape of the document. */
#include <inttypes.h>
#include <stdio.h>

#include "topology/describe.h"
#include "topology/describe_facts.h"
#include "topology/json_text.h"

struct writer {
    const struct mr_plan *plan;
    struct mr_buffer *output;
    enum mr_status status;
    bool first; /* nothing is written yet in the innermost array or object */
};

static void put(struct writer *writer, const char *text)
{
    if (writer->status == MR_OK)
        writer->status = mr_buffer_append_text(writer->output, text);
}

static void separate(struct writer *writer)
{
    if (!writer->first)
        put(writer, ",");
    writer->first = false;
}

static void name_member(struct writer *writer, const char *name)
{
    if (name == NULL)
        return; /* an element of an array */
    if (writer->status == MR_OK)
        writer->status = mr_json_text_string(writer->output, name);
    put(writer, ":");
}

static void begin(struct writer *writer, const char *name, const char *bracket)
{
    separate(writer);
    name_member(writer, name);
    put(writer, bracket);
    writer->first = true;
}

static void end(struct writer *writer, const char *bracket)
{
    put(writer, bracket);
    writer->first = false;
}

static void put_text(struct writer *writer, const char *name, const char *text)
{
    separate(writer);
    name_member(writer, name);
    if (text == NULL)
        put(writer, "null");
    else if (writer->status == MR_OK)
        writer->status = mr_json_text_string(writer->output, text);
}

static void put_integer(struct writer *writer, const char *name, int64_t value)
{
    separate(writer);
    name_member(writer, name);
    if (writer->status == MR_OK)
        writer->status = mr_buffer_append_format(writer->output, "%" PRId64, value);
}

static void put_boolean(struct writer *writer, const char *name, bool value)
{
    separate(writer);
    name_member(writer, name);
    put(writer, value ? "true" : "false");
}

/* ---- Parts of the plan ---- */

static void put_key(struct writer *writer, const struct mr_plan_key *key)
{
    if (!key->given) {
        put_text(writer, "key", NULL);
        return;
    }
    begin(writer, "key", "[");
    for (uint32_t i = 0; i < key->slots_count; i++)
        put_text(writer, NULL, key->texts[i]);
    end(writer, "]");
}

static void put_fields(struct writer *writer, const struct mr_plan_domain *domain)
{
    begin(writer, "fields", "[");
    for (uint32_t i = 0; i < domain->reads_count; i++)
        put_text(writer, NULL, domain->reads[i].path.text);
    end(writer, "]");
}

static void put_state(struct writer *writer, const struct mr_plan_node *node)
{
    struct mr_state_estimate estimate = mr_describe_estimate(node);
    begin(writer, "state", "{");
    put_integer(writer, "object_bytes_per_key", (int64_t)estimate.object_bytes);
    put_integer(writer, "stored_bytes_per_key", (int64_t)estimate.stored_bytes);
    put_integer(writer, "changelog_bytes_per_record", (int64_t)estimate.changelog_bytes_per_record);
    put_integer(writer, "max_keys", node->state_keys_max);
    put_integer(writer, "max_bytes", node->state_bytes_max);
    put_integer(writer, "ttl_ms", node->state_ttl_ms);
    end(writer, "}");
}

static void put_inputs(struct writer *writer, const struct mr_plan_node *node)
{
    const struct mr_plan *plan = writer->plan;
    begin(writer, "inputs", "[");
    for (uint32_t i = 0; i < node->inputs_count; i++) {
        const struct mr_plan_input *input = &node->inputs[i];
        const struct mr_plan_node *producer = &plan->nodes[input->producer];
        begin(writer, NULL, "{");
        put_text(writer, "option", input->option);
        put_text(writer, "from", producer->name);
        put_text(writer, "output", producer->outputs[input->output].name);
        put_text(writer, "repartition",
                 input->repartition ? plan->repartitions[input->repartition_index].name : NULL);
        end(writer, "}");
    }
    end(writer, "]");
}

/* What each task holds of a table that all of them read whole. */
static void put_table(struct writer *writer, const struct mr_plan_node *node)
{
    struct mr_describe_table table = mr_describe_table(writer->plan, node);
    begin(writer, "whole_in_every_task", "{");
    put_integer(writer, "keys_max", table.keys_max);
    put_integer(writer, "state_bytes_max", table.state_bytes_max);
    end(writer, "}");
}

static void put_node(struct writer *writer, const struct mr_plan_node *node)
{
    static const char *const roles[] = {
        [MR_ROLE_SOURCE] = "source", [MR_ROLE_OPERATOR] = "operator", [MR_ROLE_SINK] = "sink"};
    begin(writer, NULL, "{");
    put_text(writer, "name", node->name);
    put_text(writer, "role", roles[node->type->role]);
    put_text(writer, "type", node->type->name);
    put_text(writer, "subtopology", writer->plan->subtopologies[node->subtopology].name);
    put_key(writer, &node->key);
    put_inputs(writer, node);
    begin(writer, "outputs", "[");
    for (uint32_t i = 0; i < node->outputs_count; i++)
        put_text(writer, NULL, node->outputs[i].name);
    end(writer, "]");
    if (node->type->role == MR_ROLE_SOURCE)
        put_fields(writer, &writer->plan->domains[node->outputs[0].domain]);
    if (node->is_broadcast)
        put_table(writer, node);
    if (node->type->state_version > 0)
        put_state(writer, node);
    end(writer, "}");
}

static void put_nodes(struct writer *writer, const char *name, const uint32_t *nodes,
                      uint32_t count)
{
    begin(writer, name, "[");
    for (uint32_t i = 0; i < count; i++)
        put_text(writer, NULL, writer->plan->nodes[nodes[i]].name);
    end(writer, "]");
}

static void put_subtopology(struct writer *writer, const struct mr_plan_subtopology *part)
{
    struct mr_describe_memory memory = mr_describe_memory(writer->plan, part);
    begin(writer, NULL, "{");
    put_text(writer, "name", part->name);
    put_boolean(writer, "stateful", part->stateful);
    put_text(writer, "log", part->stateful ? "changelog" : "progress");
    put_nodes(writer, "nodes", part->nodes, part->nodes_count);
    put_nodes(writer, "sources", part->sources, part->sources_count);
    begin(writer, "repartitions", "[");
    for (uint32_t i = 0; i < part->repartitions_count; i++)
        put_text(writer, NULL, writer->plan->repartitions[part->repartitions[i]].name);
    end(writer, "]");
    put_integer(writer, "state_object_bytes_per_key", (int64_t)part->state_object_bytes_per_key);
    put_integer(writer, "changelog_bytes_per_record", (int64_t)part->changelog_bytes_per_record);
    put_integer(writer, "restore_ms_per_million_keys",
                part->stateful ? mr_plan_restore_ms(1000000) : 0);
    put_integer(writer, "batch_rows", part->batch_rows);
    put_integer(writer, "keys_max", mr_describe_keys_max(writer->plan, part));
    begin(writer, "task_memory", "{");
    put_integer(writer, "batch_bytes", memory.batch_bytes);
    put_integer(writer, "transaction_bytes", memory.transaction_bytes);
    put_integer(writer, "operator_bytes", memory.instance_bytes);
    put_integer(writer, "state_bytes", memory.state_bytes);
    end(writer, "}");
    end(writer, "}");
}

static void put_repartition(struct writer *writer, const struct mr_plan_repartition *repartition)
{
    const struct mr_plan *plan = writer->plan;
    const struct mr_plan_node *producer = &plan->nodes[repartition->producer];
    begin(writer, NULL, "{");
    put_text(writer, "name", repartition->name);
    put_text(writer, "from", producer->name);
    put_text(writer, "output", producer->outputs[repartition->output].name);
    put_text(writer, "consumer", plan->nodes[repartition->consumer].name);
    begin(writer, "consumers", "[");
    for (uint32_t i = 0; i < repartition->edges_count; i++)
        put_text(writer, NULL, plan->nodes[repartition->edges[i].consumer].name);
    end(writer, "]");
    put_text(writer, "from_subtopology", plan->subtopologies[repartition->from_subtopology].name);
    put_text(writer, "to_subtopology", plan->subtopologies[repartition->to_subtopology].name);
    put_key(writer, &repartition->key);
    put_boolean(writer, "single_partition", repartition->single_partition);
    put_text(writer, "reason", repartition->reason);
    put_fields(writer, &plan->domains[repartition->source_domain]);
    end(writer, "}");
}

enum mr_status mr_plan_describe_json(const struct mr_plan *plan, struct mr_buffer *output)
{
    struct writer writer = {.plan = plan, .output = output, .first = true};
    char hash[17];
    snprintf(hash, sizeof(hash), "%016" PRIx64, plan->hash);
    begin(&writer, NULL, "{");
    put_text(&writer, "name", plan->name);
    put_text(&writer, "hash", hash);
    put_text(&writer, "guarantee", plan->exactly_once ? "exactly_once" : "at_least_once");
    put_integer(&writer, "commit_interval_ms", plan->commit_interval_ms);
    put_integer(&writer, "memory_bytes", plan->memory_bytes);
    put_integer(&writer, "resident_bytes", mr_describe_resident_bytes(plan));
    put_boolean(&writer, "replayable", plan->replayable);
    put_text(&writer, "not_replayable_reason", plan->not_replayable_reason);
    put_integer(&writer, "tests", plan->tests_count);
    begin(&writer, "subtopologies", "[");
    for (uint32_t i = 0; i < plan->subtopologies_count; i++)
        put_subtopology(&writer, &plan->subtopologies[i]);
    end(&writer, "]");
    begin(&writer, "repartitions", "[");
    for (uint32_t i = 0; i < plan->repartitions_count; i++)
        put_repartition(&writer, &plan->repartitions[i]);
    end(&writer, "]");
    begin(&writer, "nodes", "[");
    for (uint32_t i = 0; i < plan->nodes_count; i++)
        put_node(&writer, &plan->nodes[i]);
    end(&writer, "]");
    end(&writer, "}");
    put(&writer, "\n");
    return writer.status;
}
