/* worker/reach.h — how far behind a row's event time something of it stays open in a topology.
 * Why: when all sources are silent or have ended, event time rises just as far as the last windows,
 * sessions and joins need to close, and no further: a record that comes later is late only for what
 * has been closed. */
#ifndef MR_WORKER_REACH_H
#define MR_WORKER_REACH_H

#include "topology/plan.h"

/* The longest way from the node's outputs, over repartitions, too: the sum of open_ms of the
 * operators on it (operators/operator.h). ms */
int64_t mr_reach_open_ms(const struct mr_plan *plan, uint32_t node);

#endif
