/* operators/learned_rows.h — rows that a learned model makes, in a batch of an output: the key's
 * fields, then the model's columns, then what the output has besides. */
#ifndef MR_OPERATORS_LEARNED_ROWS_H
#define MR_OPERATORS_LEARNED_ROWS_H

#include "operators/learned_models.h"

enum { MR_LEARNED_KEY_FIELDS_MAX = 32 };

/* Where an output's rows have them. */
struct mr_learned_rows {
    const struct mr_learned_kind *kind;
    const uint32_t *slots; /* the key's fields, the columns, others */
    const enum mr_type_code *types;
    uint32_t keys_count;
    uint32_t columns_count;
    uint32_t others_count;
};

void mr_learned_rows_bind(struct mr_learned_rows *rows, const struct mr_plan *plan,
                          const struct mr_plan_node *node, uint32_t output,
                          const struct mr_learned_kind *kind);
/* The same of an output without the model's columns, on which nothing is drawn. */
void mr_learned_rows_bind_others(struct mr_learned_rows *rows, const struct mr_plan *plan,
                                 const struct mr_plan_node *node, uint32_t output);
/* The column of another field of the output. */
struct mr_value *mr_learned_rows_other(const struct mr_learned_rows *rows, struct mr_batch *batch,
                                       uint32_t index);
/* Append one row without columns: its key's fields, if key has bytes, and its time. Returns its
 * number. Pre, here and below: there is room. */
uint32_t mr_learned_rows_add(const struct mr_learned_rows *rows, struct mr_batch *batch,
                             struct mr_slice key, int64_t time_ms);
/* Append rows of the model: those numbered first on, without those that it refuses to make.
 * times_ms: of each. Returns how many there are. */
uint32_t mr_learned_rows_draw(const struct mr_learned_rows *rows, struct mr_batch *batch,
                              struct mr_slice key, const struct mr_learned_expanded *expanded,
                              void *sampler, uint64_t first, uint32_t rows_count,
                              const int64_t *times_ms);

#endif
