/* operators/aggregate_function.h — what one aggregate function is made of; for aggregate*.c only.
 * Model: a table per function, beside its code: what is written in topologies (spec), and four
 * functions over heads and pieces. aggregate.c lists the tables and checks the calls' contract.
 * Heads are read and written by memcpy of a struct: they need no alignment. */
#ifndef MR_OPERATORS_AGGREGATE_FUNCTION_H
#define MR_OPERATORS_AGGREGATE_FUNCTION_H

#include "operators/aggregate.h"

enum {
    MR_AGGREGATE_PIECES_MAX = 4096 /* of one body */
};

struct mr_aggregate_function {
    struct mr_aggregate_spec spec; /* first: a call's spec leads to its function */
    uint32_t head_bytes;           /* 0: prepare computes it */
    /* Fill head_bytes and pieces_max of an aggregate whose other members are set. NULL: the head is
     * of head_bytes and there is no body. */
    enum mr_status (*prepare)(struct mr_aggregate *aggregate, struct mr_error *error);
    /* Whether add would take the row (mr_aggregate_check). NULL: the function has never a body. */
    enum mr_status (*check)(const struct mr_aggregate *aggregate, const uint8_t *head,
                            struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                            struct mr_error *error);
    enum mr_status (*add)(const struct mr_aggregate *aggregate, uint8_t *head,
                          struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                          struct mr_error *error);
    enum mr_status (*merge)(const struct mr_aggregate *aggregate, uint8_t *head,
                            struct mr_sketch_body *body, const uint8_t *other_head,
                            struct mr_sketch_body *other_body, struct mr_error *error);
    enum mr_status (*result)(const struct mr_aggregate *aggregate, const uint8_t *head,
                             struct mr_sketch_body *body, const struct mr_aggregate_span *span,
                             struct mr_arena *arena, struct mr_value *result,
                             struct mr_error *error);
};

extern const struct mr_aggregate_function mr_aggregate_approx_count_distinct;
extern const struct mr_aggregate_function mr_aggregate_argmax;
extern const struct mr_aggregate_function mr_aggregate_argmin;
extern const struct mr_aggregate_function mr_aggregate_avg;
extern const struct mr_aggregate_function mr_aggregate_collect;
extern const struct mr_aggregate_function mr_aggregate_correlation;
extern const struct mr_aggregate_function mr_aggregate_count;
extern const struct mr_aggregate_function mr_aggregate_count_distinct;
extern const struct mr_aggregate_function mr_aggregate_covariance;
extern const struct mr_aggregate_function mr_aggregate_first;
extern const struct mr_aggregate_function mr_aggregate_heavy_hitters;
extern const struct mr_aggregate_function mr_aggregate_last;
extern const struct mr_aggregate_function mr_aggregate_max;
extern const struct mr_aggregate_function mr_aggregate_median;
extern const struct mr_aggregate_function mr_aggregate_min;
extern const struct mr_aggregate_function mr_aggregate_quantile;
extern const struct mr_aggregate_function mr_aggregate_rate;
extern const struct mr_aggregate_function mr_aggregate_stddev;
extern const struct mr_aggregate_function mr_aggregate_sum;
extern const struct mr_aggregate_function mr_aggregate_top_n;
extern const struct mr_aggregate_function mr_aggregate_var;

/* NULL and absent arguments are skipped, as in SQL. */
static inline bool mr_aggregate_skips(const struct mr_value *argument)
{
    return argument->kind == MR_KIND_NULL || argument->kind == MR_KIND_ABSENT;
}

/* The argument as a finite double. MR_INVALID: a sentence for the row. */
enum mr_status mr_aggregate_number(const struct mr_aggregate *aggregate,
                                   const struct mr_value *argument, double *number,
                                   struct mr_error *error) MR_NODISCARD;

#endif
