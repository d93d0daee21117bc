/* operators/aggregate_cardinality.c — approx_count_distinct: HyperLogLog
 * (base/sketch_cardinality.h, whose head and body are the aggregate's). */
#include "operators/aggregate_cell.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/sketch_cardinality.h"

static struct mr_sketch sketch_of(const struct mr_aggregate *aggregate)
{
    return mr_sketch_cardinality((uint32_t)aggregate->call->parameters[0], aggregate->piece_bytes);
}

static enum mr_status cardinality_prepare(struct mr_aggregate *aggregate, struct mr_error *error)
{
    MR_UNUSED(error);
    aggregate->pieces_max = sketch_of(aggregate).pieces_max;
    return MR_OK;
}

static enum mr_status cardinality_check(const struct mr_aggregate *aggregate, const uint8_t *head,
                                        struct mr_sketch_body *body,
                                        const struct mr_aggregate_row *row, struct mr_error *error)
{
    MR_UNUSED(head);
    MR_UNUSED(body);
    return mr_aggregate_skips(&row->arguments[0])
               ? MR_OK
               : mr_aggregate_cell_check(aggregate, UINT32_MAX, &row->arguments[0], error);
}

static enum mr_status cardinality_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                      struct mr_sketch_body *body,
                                      const struct mr_aggregate_row *row, struct mr_error *error)
{
    const struct mr_sketch sketch = sketch_of(aggregate);
    enum mr_status status = cardinality_check(aggregate, head, body, row, error);
    if (status != MR_OK || mr_aggregate_skips(&row->arguments[0]))
        return status;
    return mr_sketch_cardinality_add(&sketch, head, body, mr_aggregate_hash(&row->arguments[0]),
                                     error);
}

static enum mr_status cardinality_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                        struct mr_sketch_body *body, const uint8_t *other_head,
                                        struct mr_sketch_body *other_body, struct mr_error *error)
{
    const struct mr_sketch sketch = sketch_of(aggregate);
    return mr_sketch_cardinality_merge(&sketch, head, body, other_head, other_body, error);
}

static enum mr_status cardinality_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                         struct mr_sketch_body *body,
                                         const struct mr_aggregate_span *span,
                                         struct mr_arena *arena, struct mr_value *result,
                                         struct mr_error *error)
{
    MR_UNUSED(span);
    MR_UNUSED(arena);
    const struct mr_sketch sketch = sketch_of(aggregate);
    int64_t values = 0;
    enum mr_status status = mr_sketch_cardinality_estimate(&sketch, head, body, &values, error);
    *result = mr_value_int(values);
    return status;
}

static const struct mr_aggregate_parameter cardinality_parameters[] = {
    {.name = "precision",
     .minimum = MR_SKETCH_CARDINALITY_PRECISION_MIN,
     .maximum = MR_SKETCH_CARDINALITY_PRECISION_MAX,
     .is_integer = true,
     .default_number = 12,
     .help = "2^precision bytes per group, and a standard error of 1.04 / 2^(precision / 2): 1.6 % "
             "with 12, 0.4 % with 16."}};

const struct mr_aggregate_function mr_aggregate_approx_count_distinct = {
    .spec = {.name = "approx_count_distinct",
             .help = "About the number of distinct values, without null and absent ones, by "
                     "HyperLogLog: exact up to 30, then with a standard error of 1.6 % (2 of 3 "
                     "results are nearer, 997 of 1000 within three times that). Equal numbers of "
                     "different types are one value.",
             .arguments = {MR_AGGREGATE_ANY},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .parameters = cardinality_parameters,
             .parameters_count = MR_ARRAY_COUNT(cardinality_parameters),
             .result = MR_TYPE_INT},
    .head_bytes = MR_SKETCH_CARDINALITY_HEAD_BYTES,
    .prepare = cardinality_prepare,
    .check = cardinality_check,
    .add = cardinality_add,
    .merge = cardinality_merge,
    .result = cardinality_result};
