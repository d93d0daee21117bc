/* operators/sample_model_bootstrap.h — samples of rows (bootstrap.h) as documents (sample_model.h).
 * Document, beside what all types have:
 *   "holds_rows": true     it has rows that were learned, as they were: handle it like them
 *   "noise", "flip"        as the options of generate.bootstrap; without noise: Silverman's rule
 *   each of "fields": "kind" as a copula's; numbers and times: "decimals", absent: any; categories:
 *     "categories", a list of texts; identifiers: "prefix", what made ones begin with
 *   "sample": of each row a list: its weight, and a number by field; null: missing; of a category
 *     the text's place in the list, -1: a rare one, whose text was not kept; of dates days, of
 *     times seconds since 1970; of identifiers, which are made anew, 0
 * Limits: as of bootstrap.h; MR_SAMPLE_BOOTSTRAP_ROWS_MAX rows. Pure. */
#ifndef MR_OPERATORS_SAMPLE_MODEL_BOOTSTRAP_H
#define MR_OPERATORS_SAMPLE_MODEL_BOOTSTRAP_H

#include "operators/bootstrap_sampler.h"
#include "operators/sample_type.h"

enum { MR_SAMPLE_BOOTSTRAP_ROWS_MAX = 8192 };

extern const struct mr_sample_type mr_sample_type_bootstrap;

/* Append the model as a document. fields: one name per column; version: what is to be told.
 * MR_INVALID: nothing was learned yet; MR_LIMIT: the output is full. */
enum mr_status mr_sample_bootstrap_write(const struct mr_bootstrap *model,
                                         struct mr_bootstrap_noise noise, const char *name,
                                         uint64_t version, const char *const *fields,
                                         struct mr_buffer *output,
                                         struct mr_error *error) MR_NODISCARD;

#endif
