/* operators/followed_copula.h — a Gaussian copula that was learned elsewhere, as a kind of model
 * (learned_kind.h): its bytes are its document (sample_model.h), and it never learns.
 * Options: `fields`, the columns in the model's order, and `max_model_bytes`.
 * Memory: reading a document takes up to 48 bytes for each of its bytes for a moment, once per
 * version of a model: the one kind whose models are made anew by that. */
#ifndef MR_OPERATORS_FOLLOWED_COPULA_H
#define MR_OPERATORS_FOLLOWED_COPULA_H

#include "operators/learned_kind.h"

extern const char mr_followed_table[];
extern const struct mr_learned_kind mr_followed_copula_kind;

/* What a document that can be followed says of its model. */
struct mr_followed_facts {
    uint64_t version; /* at least 1 */
    uint64_t rows;
};

/* Read the document as `decode` will, and say why it would not: it comes from outside. MR_INVALID
 * with a sentence: it is no model, none of this type, too large, or of other fields than `fields`.
 */
enum mr_status mr_followed_copula_check(const struct mr_options *options, struct mr_slice document,
                                        struct mr_followed_facts *facts,
                                        struct mr_error *error) MR_NODISCARD;

#endif
