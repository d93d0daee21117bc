/* cli/fit_topology.h — a topology whose source makes the stream that a model was fitted to: its
 * rows, at its rate, from its beginning on. For `millrace fit --topology`. */
#ifndef MR_CLI_FIT_TOPOLOGY_H
#define MR_CLI_FIT_TOPOLOGY_H

#include "operators/sample_observed.h"

struct mr_fit_topology {
    const char *name;  /* of the model; the topology is called after it */
    const char *from;  /* what the model was fitted to, for a comment */
    const char *model; /* the document's path */
    const char *topic; /* records go to <topic>-like; NULL: to standard output */
    int32_t partitions;
    const struct mr_sample_observed *observed;
};

/* Append the topology. MR_LIMIT: the output is full. */
enum mr_status mr_fit_topology_write(const struct mr_fit_topology *topology,
                                     struct mr_buffer *output) MR_NODISCARD;

#endif
