/* topology/graph.h — references to edges: who reads which output, without cycles, in which order.
 * Owner: everything lives in the arena. */
#ifndef MR_TOPOLOGY_GRAPH_H
#define MR_TOPOLOGY_GRAPH_H

#include "topology/definition.h"

struct mr_graph_input {
    const char *option; /* "from", "inputs", ... */
    const char *text;   /* the reference as written */
    struct mr_location location;
    bool known;        /* false: the reference is wrong (reported) */
    uint32_t producer; /* node index */
    uint32_t output;   /* of the producer; 0 where its outputs are unknown */
};

struct mr_graph_node {
    struct mr_definition_entry *entry;
    const struct mr_graph_input *inputs;
    uint32_t inputs_count;
    const char *const *outputs; /* names, in the plan's order */
    uint32_t outputs_count;     /* 0: unknown, since the entry is faulty */
};

struct mr_graph {
    struct mr_graph_node *nodes; /* entries that have a name, in the definition's order */
    uint32_t nodes_count;
    uint32_t *order; /* topological: producers first */
};

/* Resolve all references. Reported: unknown names and outputs with the nearest known one, cycles
 * with their path, entries that nobody reads (warnings). False: there is a cycle, and no order. */
bool mr_graph_build(const struct mr_definition *definition, struct mr_arena *arena,
                    struct mr_report *report, struct mr_graph *graph);

#endif
