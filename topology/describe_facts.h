/* topology/describe_facts.h — figures that a plan's descriptions give. Internal to topology/. */
#ifndef MR_TOPOLOGY_DESCRIBE_FACTS_H
#define MR_TOPOLOGY_DESCRIBE_FACTS_H

#include "topology/plan.h"

/* Worst case of one task. */
struct mr_describe_memory {
    int64_t batch_bytes;       /* columns and spans of full batches of all domains */
    int64_t transaction_bytes; /* the one that commits and the one that is filled */
    int64_t instance_bytes;    /* of operators, besides state */
    int64_t state_bytes;       /* all keys, where max_keys bounds all stores; else 0 */
};
struct mr_describe_memory mr_describe_memory(const struct mr_plan *plan,
                                             const struct mr_plan_subtopology *part);

/* What a process takes that runs one task of each subtopology on one task thread, its state on
 * disk: all of the above, spec.memory, what clients queue, and the program. */
int64_t mr_describe_resident_bytes(const struct mr_plan *plan);

/* The type's estimate for the node's options; all 0 where it gives none. */
struct mr_state_estimate mr_describe_estimate(const struct mr_plan_node *node);

/* What a table that every task reads whole costs each of them, over the lookups that keep it. */
struct mr_describe_table {
    int64_t keys_max;
    int64_t state_bytes_max; /* on disk and in the changelog, with as many keys */
};
struct mr_describe_table mr_describe_table(const struct mr_plan *plan,
                                           const struct mr_plan_node *source);

/* Keys of all stores of a task together; 0 when a store has no bound. */
int64_t mr_describe_keys_max(const struct mr_plan *plan, const struct mr_plan_subtopology *part);

#endif
