/* topology/aggregate_parse.h — calls of aggregate functions: from text to aggregate_call.h.
 * Why: `quantile(value * 2.0, 0.99)` is a call like those of CEL, but its arguments are evaluated
 * per row and its parameters once: the text is parsed by CEL's parser, and each argument becomes a
 * program of its own. Trailing literal numbers are parameters as far as the function has any; the
 * rest are arguments. Pure. */
#ifndef MR_TOPOLOGY_AGGREGATE_PARSE_H
#define MR_TOPOLOGY_AGGREGATE_PARSE_H

#include "topology/expression.h"
#include "topology/type.h"

/* Parse and compile call->text; fills spec, arguments and parameters. MR_INVALID: error has the
 * sentence, *column the 1-based byte column in the text. *uses_now: an argument reads the clock.
 * Owner: programs live in arena. */
enum mr_status mr_aggregate_parse(struct mr_arena *arena, const struct mr_catalogue *catalogue,
                                  const struct mr_expression_environment *environment,
                                  struct mr_aggregate_call *call, bool *uses_now, uint32_t *column,
                                  struct mr_error *error) MR_NODISCARD;

/* The type of the call's result: where the function has the type of its first argument, that. */
const struct mr_type *mr_aggregate_type(const struct mr_aggregate_call *call);

#endif
