/* cli/plan_json.h — a plan as JSON, for `millrace plan -o json`.
 * Shape: {"name", "hash" (16 hexadecimal digits), "guarantee", "commit_interval_ms",
 * "memory_bytes", "replayable", "not_replayable_reason", "subtopologies": [...], "repartitions":
 * [...], "nodes": [...]}; subtopologies and nodes name each other, so that no index is needed.
 * Members may be added; a reader ignores those it does not know. */
#ifndef MR_CLI_PLAN_JSON_H
#define MR_CLI_PLAN_JSON_H

#include "base/buffer.h"
#include "topology/plan.h"

/* Append the plan and a line break. Returns: MR_OK; MR_LIMIT when the buffer's ceiling is reached.
 */
enum mr_status mr_plan_json(const struct mr_plan *plan, struct mr_buffer *output) MR_NODISCARD;

#endif
