/* operators/learned_document.h — the models of generators that learn (learned_models.h) as
 * documents (sample_model.h), from committed state and from any thread. */
#ifndef MR_OPERATORS_LEARNED_DOCUMENT_H
#define MR_OPERATORS_LEARNED_DOCUMENT_H

#include "operators/learned_kind.h"
#include "operators/operator.h"

/* The model's bytes of a stored entry, which has `size` of them, in the object's arena. Errors: of
 * the state; MR_CORRUPT. */
enum mr_status mr_learned_read_bytes(const struct mr_state_object *object, size_t size,
                                     struct mr_slice *bytes, struct mr_error *error) MR_NODISCARD;

/* For `write_model` of the type: append the model of a stored entry as a document that is called
 * name; its version is the number of blocks learned. Takes the memory of one expanded model while
 * it runs. MR_INVALID with a sentence: nothing was learned yet; MR_CORRUPT; errors of the state. */
enum mr_status mr_learned_write_model(const struct mr_learned_kind *kind,
                                      const struct mr_state_object *object,
                                      const struct mr_plan_node *node, const char *name,
                                      struct mr_buffer *output,
                                      struct mr_error *error) MR_NODISCARD;

#endif
