/* cli/model_observed.h — what a model knows of its stream beside the rows (sample_observed.h), as
 * `millrace fit` and `millrace model show` tell it. */
#ifndef MR_CLI_MODEL_OBSERVED_H
#define MR_CLI_MODEL_OBSERVED_H

#include <jansson.h>

#include "base/arena.h"
#include "operators/sample_observed.h"

/* Set the members arrival, keys and seasons; those of which nothing is known are not there. */
void mr_model_observed_json(json_t *root, const struct mr_sample_observed *observed);
/* Lines on standard output; none when nothing is known. */
void mr_model_observed_print(struct mr_arena *arena, const struct mr_sample_observed *observed);

#endif
