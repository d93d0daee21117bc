/* topology/describe_facts.c — see describe_facts.h. */
#include "topology/describe_facts.h"

#include "base/limits.h"
#include "base/memory.h"
#include "topology/describe.h"

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

struct mr_describe_memory mr_describe_memory(const struct mr_plan *plan,
                                             const struct mr_plan_subtopology *part)
{
    struct mr_describe_memory memory = {.transaction_bytes = 2 * MR_LIMIT_TRANSACTION_BYTES};
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
        if (bounded && node->type->state_version > 0)
            memory.state_bytes +=
                node->state_keys_max * (int64_t)mr_describe_estimate(node).object_bytes;
    }
    mr_memory_free(counted);
    return memory;
}
