/* operators/condition.h — divide a view by a CEL condition: what filter and branch share. */
#ifndef MR_OPERATORS_CONDITION_H
#define MR_OPERATORS_CONDITION_H

#include "operators/operator.h"

/* Rows for which program is true go to *matched, those for which it is false to *others; a row on
 * which it fails, or whose result is not a boolean, is reported and in neither. option names the
 * condition in messages. Owner: both row lists live in the context's arena. */
void mr_condition_split(struct mr_operator_context *context, const struct mr_program *program,
                        const char *option, struct mr_view view, struct mr_view *matched,
                        struct mr_view *others);

/* Run program into result (a column of the view's batch), report the rows on which it fails, and
 * return the others. Owner: the row list lives in the context's arena. */
struct mr_view mr_condition_compute(struct mr_operator_context *context,
                                    const struct mr_program *program, const char *option,
                                    struct mr_view view, struct mr_value *result);

#endif
