/* topology/describe.h — what a plan becomes when it runs: `millrace plan`.
 * Says per subtopology its tasks (as a formula: partition counts are the cluster's), its internal
 * topics, its state with bytes per key, changelog bytes per record and the time to restore; the
 * repartitions with the reason of each; clients, threads and the worst case of memory per process;
 * whether a replay gives the same bytes, or why not. */
#ifndef MR_TOPOLOGY_DESCRIBE_H
#define MR_TOPOLOGY_DESCRIBE_H

#include "base/buffer.h"
#include "topology/plan.h"

/* Records per second that a restore reads from a changelog: what estimates of its time assume. */
enum { MR_RESTORE_RECORDS_PER_SECOND = 500000 };

/* Append the plan for people. MR_LIMIT when the buffer's ceiling is reached. */
enum mr_status mr_plan_describe_text(const struct mr_plan *plan,
                                     struct mr_buffer *output) MR_NODISCARD;

/* Append the plan as one JSON object and a line break. Members may be added later; nodes,
 * subtopologies and repartitions refer to each other by name. */
enum mr_status mr_plan_describe_json(const struct mr_plan *plan,
                                     struct mr_buffer *output) MR_NODISCARD;

/* Restore time of one task with its keys in the cache's and changelog's worst case: ms for a
 * million keys, and for state.max_keys where an operator sets it. */
int64_t mr_plan_restore_ms(int64_t keys_count);

#endif
