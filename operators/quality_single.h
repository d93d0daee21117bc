/* operators/quality_single.h — quality.checkpoint over single records: each is judged alone and
 * leaves at once, in an alias of its batch (derive.h), by the main output or by `fail`. No state.
 * Threads: the operator's. */
#ifndef MR_OPERATORS_QUALITY_SINGLE_H
#define MR_OPERATORS_QUALITY_SINGLE_H

#include "operators/quality_report.h"
#include "operators/quality_rows.h"

enum { MR_QUALITY_OUTPUT_MAIN, MR_QUALITY_OUTPUT_FAIL };

/* Members of the object that quality.checkpoint adds behind the shared ones. */
enum {
    MR_QUALITY_VIOLATED = MR_QUALITY_MEMBERS_COUNT,
    MR_QUALITY_RECORDS,
    MR_QUALITY_GATE_MEMBERS_COUNT
};

/* Judge the rows of a view of the node's input, and emit them with what is told of them. */
void mr_quality_single_judge(const struct mr_plan_node *node,
                             const struct mr_quality_checks *checks,
                             const struct mr_quality_reporter *reporter,
                             struct mr_operator_context *context, struct mr_view view);

#endif
