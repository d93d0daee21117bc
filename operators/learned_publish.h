/* operators/learned_publish.h — what a generator has learned, published for a merger on its output
 * `models` (learned_snapshot.h), as the clock allows (publication.h).
 * A snapshot is told in the transaction that takes its key off the list of those that have changed:
 * it is told once, and the last one holds all that was learned. Rows that wait to be learned are in
 * none. */
#ifndef MR_OPERATORS_LEARNED_PUBLISH_H
#define MR_OPERATORS_LEARNED_PUBLISH_H

#include "operators/learned_rows.h"
#include "operators/learned_snapshot.h"
#include "operators/publication.h"

struct mr_learned_publisher {
    const struct mr_plan_node *node;
    struct mr_learned_models *models;
    struct mr_publication publication;
    struct mr_learned_rows rows;
    const char *learner; /* name of the task's learner */
    uint8_t *bytes;
    struct mr_arena arena; /* of the name */
};

/* The option `publish` is given. */
bool mr_learned_publishes(const struct mr_options *options);
extern const struct mr_option_spec mr_learned_publish_options[];

/* models is open and lives as long; their models begin with a struct mr_copula. output: the number
 * of the output `models`. */
enum mr_status mr_learned_publisher_open(struct mr_learned_publisher *publisher,
                                         const struct mr_operator_open *open,
                                         struct mr_learned_models *models, uint32_t output,
                                         struct mr_error *error) MR_NODISCARD;
void mr_learned_publisher_close(
    struct mr_learned_publisher *publisher); /* also when never opened */
/* The key has learned. */
enum mr_status mr_learned_publisher_touch(struct mr_learned_publisher *publisher,
                                          struct mr_operator_context *context, struct mr_slice key,
                                          uint64_t hash, struct mr_error *error) MR_NODISCARD;
/* Tell what is due. *due_ms: when next. MR_AGAIN: the transaction is full. */
enum mr_status mr_learned_publisher_go_on(struct mr_learned_publisher *publisher,
                                          struct mr_operator_context *context, int64_t *due_ms,
                                          struct mr_error *error) MR_NODISCARD;

#endif
