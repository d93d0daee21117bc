/* operators/aggregate_quantile.c — quantile and median (base/sketch_quantile.h, whose head and body
 * are the aggregates'). */
#include "operators/aggregate_function.h"

#include "base/assert.h"
#include "base/sketch_quantile.h"

static enum mr_status quantile_prepare(struct mr_aggregate *aggregate, struct mr_error *error)
{
    MR_UNUSED(error);
    aggregate->pieces_max = MR_SKETCH_QUANTILE_PIECES_MAX;
    return MR_OK;
}

static enum mr_status quantile_check(const struct mr_aggregate *aggregate, const uint8_t *head,
                                     struct mr_sketch_body *body,
                                     const struct mr_aggregate_row *row, struct mr_error *error)
{
    MR_UNUSED(head);
    MR_UNUSED(body);
    double number;
    return mr_aggregate_skips(&row->arguments[0])
               ? MR_OK
               : mr_aggregate_number(aggregate, &row->arguments[0], &number, error);
}

static enum mr_status quantile_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                   struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                   struct mr_error *error)
{
    const struct mr_sketch sketch = mr_sketch_quantile(aggregate->piece_bytes);
    double number;
    if (mr_aggregate_skips(&row->arguments[0]))
        return MR_OK;
    enum mr_status status = mr_aggregate_number(aggregate, &row->arguments[0], &number, error);
    return status == MR_OK ? mr_sketch_quantile_add(&sketch, head, body, number, error) : status;
}

static enum mr_status quantile_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                     struct mr_sketch_body *body, const uint8_t *other_head,
                                     struct mr_sketch_body *other_body, struct mr_error *error)
{
    const struct mr_sketch sketch = mr_sketch_quantile(aggregate->piece_bytes);
    return mr_sketch_quantile_merge(&sketch, head, body, other_head, other_body, error);
}

static enum mr_status result_of_share(const uint8_t *head, struct mr_sketch_body *body,
                                      double share, struct mr_value *result, struct mr_error *error)
{
    double number;
    *result = mr_value_null();
    if (mr_sketch_quantile_count(head) == 0)
        return MR_OK;
    enum mr_status status = mr_sketch_quantile_of_share(head, body, share, &number, error);
    if (status == MR_OK)
        *result = mr_value_double(number);
    return status;
}

static enum mr_status quantile_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                      struct mr_sketch_body *body,
                                      const struct mr_aggregate_span *span, struct mr_arena *arena,
                                      struct mr_value *result, struct mr_error *error)
{
    MR_UNUSED(span);
    MR_UNUSED(arena);
    return result_of_share(head, body, aggregate->call->parameters[0], result, error);
}

static enum mr_status median_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                    struct mr_sketch_body *body,
                                    const struct mr_aggregate_span *span, struct mr_arena *arena,
                                    struct mr_value *result, struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(span);
    MR_UNUSED(arena);
    return result_of_share(head, body, 0.5, result, error);
}

static const struct mr_aggregate_parameter quantile_parameters[] = {
    {.name = "q",
     .minimum = 0,
     .maximum = 1,
     .required = true,
     .help = "The share of the rows that the result bounds: 0.5 is the median, 0.99 the 99th "
             "percentile."}};

const struct mr_aggregate_function mr_aggregate_quantile = {
    .spec = {.name = "quantile",
             .help =
                 "The smallest number that at least the share q of the numbers does not exceed. "
                 "Exact for up to 16 numbers, then within 0.8 % of the number, as long as the "
                 "magnitudes of a group span less than 18 powers of ten (8 where there are "
                 "negative numbers too); twice that for twice the powers. Null without "
                 "numbers.",
             .arguments = {MR_AGGREGATE_NUMBER},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .parameters = quantile_parameters,
             .parameters_count = MR_ARRAY_COUNT(quantile_parameters),
             .result = MR_TYPE_DOUBLE},
    .head_bytes = MR_SKETCH_QUANTILE_HEAD_BYTES,
    .prepare = quantile_prepare,
    .check = quantile_check,
    .add = quantile_add,
    .merge = quantile_merge,
    .result = quantile_result};

const struct mr_aggregate_function mr_aggregate_median = {
    .spec = {.name = "median",
             .help = "quantile(x, 0.5): the smallest number that at least half of the numbers do "
                     "not exceed, with the same error. Null without numbers.",
             .arguments = {MR_AGGREGATE_NUMBER},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .result = MR_TYPE_DOUBLE},
    .head_bytes = MR_SKETCH_QUANTILE_HEAD_BYTES,
    .prepare = quantile_prepare,
    .check = quantile_check,
    .add = quantile_add,
    .merge = quantile_merge,
    .result = median_result};
