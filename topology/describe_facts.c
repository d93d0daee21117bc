/* topology/describe_facts.c — see describe_facts.h. */
#include "topology/describe_facts.h"

#include "base/limits.h"
#include "base/memory.h"
#include "topology/describe.h"

/* Of a process with one task thread: what its producers and its consumer queue at most
 * (worker/internal.h), and code, stacks and the libraries' own. */
#define CLIENTS_BYTES ((int64_t)(64 + 16) << 20)
#define PROGRAM_BYTES ((int64_t)64 << 20)

int64_t mr_plan_restore_ms(int64_t keys_count)
{
    /* A compacted changelog has about one record per key; round up. */
    return (keys_count * 1000 + MR_RESTORE_RECORDS_PER_SECOND - 1) / MR_RESTORE_RECORDS_PER_SECOND;
}

struct mr_state_estimate mr_describe_estimate(const struct mr_plan_node *node)
{
    struct mr_state_estimate estimate = {0};
    if (node->type->estimate != NULL)
        node->type->estimate(&node->options, &estimate);
    return estimate;
}

int64_t mr_describe_keys_max(const struct mr_plan *plan, const struct mr_plan_subtopology *part)
{
    int64_t keys_count = 0;
    for (uint32_t i = 0; i < part->nodes_count; i++) {
        const struct mr_plan_node *node = &plan->nodes[part->nodes[i]];
        if (node->type->state_version == 0)
            continue;
        if (node->state_keys_max == 0)
            return 0;
        keys_count += node->state_keys_max;
    }
    return keys_count;
}

struct mr_describe_table mr_describe_table(const struct mr_plan *plan,
                                           const struct mr_plan_node *source)
{
    enum { TABLE = 1 };
    struct mr_describe_table table = {0};
    for (uint32_t i = 0; i < plan->nodes_count; i++) {
        const struct mr_plan_node *node = &plan->nodes[i];
        if ((node->type->flags & MR_TYPE_LOOKUP) == 0 ||
            node->inputs[TABLE].producer != source->index)
            continue;
        int64_t keys_max = mr_options_integer(&node->options, "max_keys");
        table.keys_max = keys_max > table.keys_max ? keys_max : table.keys_max;
        table.state_bytes_max += keys_max * (int64_t)mr_describe_estimate(node).stored_bytes;
    }
    return table;
}

static int64_t domain_bytes(const struct mr_plan_domain *domain)
{
    int64_t row_bytes = (int64_t)(domain->shape.slots_count * sizeof(struct mr_value) +
                                  domain->shape.spans_count * sizeof(struct mr_span) +
                                  domain->shape.keys_count * sizeof(struct mr_slice));
    return row_bytes * MR_LIMIT_BATCH_ROWS;
}

/* What the last batch of a transaction may change at most. */
static int64_t batch_change_bytes(const struct mr_plan_subtopology *part,
                                  const struct mr_plan_node *node,
                                  const struct mr_state_estimate *estimate)
{
    int64_t rows = part->batch_rows;
    int64_t keys = node->key.global ? 1 : node->state_keys_max;
    uint64_t bytes = estimate->burst_bytes_per_record > estimate->changelog_bytes_per_record
                         ? estimate->burst_bytes_per_record
                         : estimate->changelog_bytes_per_record;
    return (keys > 0 && keys < rows ? keys : rows) * (int64_t)bytes;
}

struct mr_describe_memory mr_describe_memory(const struct mr_plan *plan,
                                             const struct mr_plan_subtopology *part)
{
    struct mr_describe_memory memory = {.transaction_bytes = 2 * MR_LIMIT_TRANSACTION_BYTES,
                                        .instance_bytes = (int64_t)part->instance_bytes};
    bool *counted = mr_memory_new(plan->domains_count, sizeof(*counted));
    bool bounded = mr_describe_keys_max(plan, part) > 0;
    for (uint32_t i = 0; i < part->nodes_count; i++) {
        const struct mr_plan_node *node = &plan->nodes[part->nodes[i]];
        for (uint32_t j = 0; j < node->inputs_count + node->outputs_count; j++) {
            uint32_t domain = j < node->inputs_count ? node->inputs[j].domain
                                                     : node->outputs[j - node->inputs_count].domain;
            if (!counted[domain])
                memory.batch_bytes += domain_bytes(&plan->domains[domain]);
            counted[domain] = true;
        }
        if (node->type->state_version == 0)
            continue;
        struct mr_state_estimate estimate = mr_describe_estimate(node);
        memory.transaction_bytes += 2 * batch_change_bytes(part, node, &estimate);
        if (bounded)
            memory.state_bytes += node->state_keys_max * (int64_t)estimate.object_bytes;
    }
    mr_memory_free(counted);
    return memory;
}

int64_t mr_describe_resident_bytes(const struct mr_plan *plan)
{
    int64_t bytes = plan->memory_bytes + CLIENTS_BYTES + PROGRAM_BYTES;
    for (uint32_t i = 0; i < plan->subtopologies_count; i++) {
        struct mr_describe_memory memory = mr_describe_memory(plan, &plan->subtopologies[i]);
        bytes += memory.batch_bytes + memory.transaction_bytes + memory.instance_bytes;
    }
    return bytes;
}
