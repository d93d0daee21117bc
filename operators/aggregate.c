/* operators/aggregate.c — the table of aggregate functions, and their contract; see aggregate.h. */
#include "operators/aggregate.h"

#include "base/assert.h"
#include "operators/aggregate_profile.h"
#include "operators/synthetic_sample.h"

#include <math.h>

static const struct mr_aggregate_spec *const specs[] = {
    &mr_aggregate_approx_count_distinct.spec,
    &mr_aggregate_argmax.spec,
    &mr_aggregate_argmin.spec,
    &mr_aggregate_avg.spec,
    &mr_aggregate_collect.spec,
    &mr_aggregate_correlation.spec,
    &mr_aggregate_count.spec,
    &mr_aggregate_count_distinct.spec,
    &mr_aggregate_covariance.spec,
    &mr_aggregate_first.spec,
    &mr_aggregate_heavy_hitters.spec,
    &mr_aggregate_last.spec,
    &mr_aggregate_max.spec,
    &mr_aggregate_median.spec,
    &mr_aggregate_min.spec,
    &mr_aggregate_quantile.spec,
    &mr_aggregate_rate.spec,
    &mr_aggregate_stddev.spec,
    &mr_aggregate_sum.spec,
    &mr_aggregate_top_n.spec,
    &mr_aggregate_var.spec,
};

_Static_assert(offsetof(struct mr_aggregate_function, spec) == 0, "a spec leads to its function");

const struct mr_aggregate_spec *const *mr_aggregates(uint32_t *count)
{
    *count = MR_ARRAY_COUNT(specs);
    return specs;
}

/* Those of operators alone: no topology can write them. */
static const struct mr_aggregate_spec *const hidden_specs[] = {
    &mr_aggregate_profile.spec,
    &mr_aggregate_profile_records.spec,
    &mr_aggregate_synthetic_sample.spec,
};

static const struct mr_aggregate_function *find_function(const struct mr_aggregate_spec *spec)
{
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(hidden_specs); index++)
        if (hidden_specs[index] == spec)
            return (const struct mr_aggregate_function *)spec;
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(specs); index++)
        if (specs[index] == spec)
            return (const struct mr_aggregate_function *)spec;
    MR_ASSERT(false && "a call of a function that is not in the table");
    return NULL;
}

enum mr_status mr_aggregate_prepare(const struct mr_aggregate_call *call, uint32_t piece_bytes,
                                    struct mr_aggregate *aggregate, struct mr_error *error)
{
    const struct mr_aggregate_function *function = find_function(call->spec);
    MR_ASSERT(piece_bytes % 16 == 0 && piece_bytes >= 256 &&
              piece_bytes <= MR_SKETCH_PIECE_BYTES_MAX);
    MR_ASSERT(call->arguments_count >= call->spec->arguments_min &&
              call->arguments_count <= call->spec->arguments_max);
    *aggregate = (struct mr_aggregate){.function = function,
                                       .call = call,
                                       .head_bytes = function->head_bytes,
                                       .piece_bytes = piece_bytes};
    if (function->prepare != NULL) {
        enum mr_status status = function->prepare(aggregate, error);
        if (status != MR_OK)
            return status;
    }
    if (aggregate->pieces_max > MR_AGGREGATE_PIECES_MAX)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%s asks for a state of %u pieces of %u bytes, and %d is the most: make its "
                       "parameters smaller",
                       call->text, aggregate->pieces_max, piece_bytes, MR_AGGREGATE_PIECES_MAX);
    if (aggregate->pieces_max == 0)
        aggregate->piece_bytes = 0;
    MR_ASSERT(aggregate->pieces_max == 0 || function->check != NULL);
    MR_ASSERT(aggregate->head_bytes % 8 == 0 && aggregate->head_bytes > 0 &&
              aggregate->head_bytes <= MR_AGGREGATE_HEAD_BYTES_MAX);
    return MR_OK;
}

/* A body is offered where one is needed, with pieces of the prepared size. */
static bool body_fits(const struct mr_aggregate *aggregate, const struct mr_sketch_body *body)
{
    return aggregate->pieces_max == 0 ||
           (body != NULL && body->piece_bytes == aggregate->piece_bytes);
}

enum mr_status mr_aggregate_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                struct mr_error *error)
{
    MR_ASSERT(body_fits(aggregate, body));
    return aggregate->function->add(aggregate, head, body, row, error);
}

enum mr_status mr_aggregate_check(const struct mr_aggregate *aggregate, const uint8_t *head,
                                  struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                  struct mr_error *error)
{
    MR_ASSERT(body_fits(aggregate, body));
    if (aggregate->pieces_max > 0)
        return aggregate->function->check(aggregate, head, body, row, error);
    uint8_t copy[MR_AGGREGATE_HEAD_BYTES_MAX];
    memcpy(copy, head, aggregate->head_bytes);
    return aggregate->function->add(aggregate, copy, NULL, row, error);
}

enum mr_status mr_aggregate_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                  struct mr_sketch_body *body, const uint8_t *other_head,
                                  struct mr_sketch_body *other_body, struct mr_error *error)
{
    MR_ASSERT(body_fits(aggregate, body) && body_fits(aggregate, other_body));
    return aggregate->function->merge(aggregate, head, body, other_head, other_body, error);
}

enum mr_status mr_aggregate_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                   struct mr_sketch_body *body,
                                   const struct mr_aggregate_span *span, struct mr_arena *arena,
                                   struct mr_value *result, struct mr_error *error)
{
    MR_ASSERT(body_fits(aggregate, body));
    return aggregate->function->result(aggregate, head, body, span, arena, result, error);
}

bool mr_aggregate_is_light(const struct mr_aggregate *aggregate)
{
    return aggregate->pieces_max == 0;
}

enum mr_status mr_aggregate_number(const struct mr_aggregate *aggregate,
                                   const struct mr_value *argument, double *number,
                                   struct mr_error *error)
{
    if (!mr_value_as_double(*argument, number))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "%s takes numbers; this value is of type %s", aggregate->call->text,
                       mr_kind_name(argument->kind));
    if (!isfinite(*number))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "%s: the number is not finite",
                       aggregate->call->text);
    return MR_OK;
}
