/* operators/learned_conditions.h — conditions of a request, bound to a learned model.
 * The text is a JSON object as sample_model.h says: {"age": {"gte": 21}, "region": "West"}. */
#ifndef MR_OPERATORS_LEARNED_CONDITIONS_H
#define MR_OPERATORS_LEARNED_CONDITIONS_H

#include "operators/learned_kind.h"

/* text of size 0: none. fields: names of the model's columns. What is bound lives in arena.
 * MR_INVALID with a sentence: an unknown field, or a value that its kind has not. */
enum mr_status mr_learned_conditions_read(struct mr_slice text,
                                          const struct mr_option_value *fields,
                                          const struct mr_learned_kind *kind, const void *model,
                                          struct mr_arena *arena,
                                          struct mr_learned_conditions *conditions,
                                          struct mr_error *error) MR_NODISCARD;

/* One of the option `conditions` says one thing: a set, bounds, or instants. MR_INVALID with a
 * sentence; a condition without a field is reported elsewhere. */
enum mr_status mr_learned_condition_check(const struct mr_options *condition,
                                          struct mr_error *error) MR_NODISCARD;

#endif
