/* operators/derive.h — rows of an output's own domain that are copies of input rows: what flat_map
 * and merge share. Why: an output domain numbers its slots, spans and keys by itself; the planner's
 * maps say which column of the input each of them is (topology/plan.h, mr_plan_input). */
#ifndef MR_OPERATORS_DERIVE_H
#define MR_OPERATORS_DERIVE_H

#include "operators/operator.h"

/* Copy what belongs to the batch and not to a row: origin, source, first sequence. */
void mr_derive_batch(struct mr_batch *output, const struct mr_batch *input);

/* Append rows of input, in this order (a row may occur several times), to output: message, times,
 * watermarks, cells, spans and known keys. The payload and what cells point to stay the input's.
 * Pre: output has room for rows_count more rows. */
void mr_derive_rows(struct mr_batch *output, const struct mr_batch *input,
                    const struct mr_plan_input *maps, const uint16_t *rows, uint32_t rows_count);

/* Make output an alias of input: the same arrays under the output's numbering, no cell copied.
 * Columns that only the output has are taken on first use. Pre: output is empty; its batch arena
 * lives as long as input's. */
void mr_derive_alias(struct mr_batch *output, const struct mr_batch *input,
                     const struct mr_plan_input *maps);

#endif
