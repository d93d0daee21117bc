/* operators/sample_where.h — CEL conditions as conditions on rows that are drawn (sample_model.h).
 * What can be drawn: comparisons of a field with a literal (==, <, <=, >, >=), `field in [...]`, a
 * boolean field by itself or behind `!`, and these joined by `&&`. Anything else is refused with
 * the reason. A date or time is compared with a text. */
#ifndef MR_OPERATORS_SAMPLE_WHERE_H
#define MR_OPERATORS_SAMPLE_WHERE_H

#include "base/buffer.h"
#include "base/error.h"

/* Append the conditions of all expressions, which hold together, as the JSON object that
 * mr_sample_open takes. MR_INVALID with a sentence that names the column; MR_LIMIT: the output is
 * full. */
enum mr_status mr_sample_where(const char *const *expressions, uint32_t expressions_count,
                               struct mr_buffer *output, struct mr_error *error) MR_NODISCARD;

#endif
