/* operators/kept_row.h — rows that wait in state until an operator emits them: what is kept of a
 * row of its one input, and how it comes back as a row of its main output.
 * Why: the plan says which columns of the output are read behind it (MR_TYPE_DERIVED_ROWS); those
 * and the payload are all that is kept. What is stored does not depend
 * on the order in which the plan numbers columns: they are written by name.
 * Rows that come back have no headers and, unless the operator asks for them, no message key and
 * offset; the message's time is then the event time.
 * Threads: those of the operator. */
#ifndef MR_OPERATORS_KEPT_ROW_H
#define MR_OPERATORS_KEPT_ROW_H

#include "operators/operator.h"
#include "record/row.h"

struct mr_kept_row {
    const struct mr_plan_node *node;
    struct mr_row_shape input;
    struct mr_row_shape output;
    uint32_t *memory; /* of both shapes' lists */
};

/* Of the node's input 0 and its main output. message: the message's key, offset and time are kept
 * too, for operators whose records pass on as they came. */
void mr_kept_row_open(struct mr_kept_row *kept, const struct mr_operator_open *open, bool message);
void mr_kept_row_close(struct mr_kept_row *kept); /* also of a zeroed one */

/* The row's bytes, in arena. MR_LIMIT: it is too large to be kept; error is a sentence for it. */
enum mr_status mr_kept_row_write(const struct mr_kept_row *kept, const struct mr_batch *batch,
                                 uint32_t row, struct mr_arena *arena, struct mr_slice *bytes,
                                 struct mr_error *error) MR_NODISCARD;
/* Append written bytes as a row of output, a batch of the main output with room for it. bytes live
 * as long as the batch. */
enum mr_status mr_kept_row_append(const struct mr_kept_row *kept, struct mr_slice bytes,
                                  struct mr_batch *output, struct mr_error *error) MR_NODISCARD;

#endif
