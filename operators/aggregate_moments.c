/* operators/aggregate_moments.c — var, stddev, covariance and correlation.
 * Design: means and sums of squared deviations, updated number by number (operators/moments.h) and
 * merged by Chan, Golub, LeVeque (Updating formulae and a pairwise algorithm for computing sample
 * variances, 1979): stable where the difference of large sums is not. Estimates are of the sample
 * (divided by n - 1), as var_samp, stddev_samp, covar_samp and corr of SQL. Heads:
 *
 *   var, stddev  24 bytes: u64 count; double mean; double squared deviations
 *   covariance, correlation  48 bytes: u64 count; double mean of x, of y; double squared deviations
 *     of x, of y; double product of the deviations */
#include "operators/aggregate_function.h"

#include "base/assert.h"
#include "operators/moments.h"

/* Squares of larger numbers may overflow, and so may a merge that must not fail. */
static const double NUMBER_MAX = 1e140;

static enum mr_status bounded_number(const struct mr_aggregate *aggregate,
                                     const struct mr_value *argument, double *number,
                                     struct mr_error *error)
{
    enum mr_status status = mr_aggregate_number(aggregate, argument, number, error);
    if (status == MR_OK && fabs(*number) > NUMBER_MAX)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "%s: the number is beyond 1e140, the most whose square can be summed",
                       aggregate->call->text);
    return status;
}

/* ---- var and stddev ---- */

static enum mr_status moments_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                  struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                  struct mr_error *error)
{
    MR_UNUSED(body);
    if (mr_aggregate_skips(&row->arguments[0]))
        return MR_OK;
    double number;
    enum mr_status status = bounded_number(aggregate, &row->arguments[0], &number, error);
    if (status != MR_OK)
        return status;
    struct mr_moments moments;
    memcpy(&moments, head, sizeof(moments));
    mr_moments_learn(&moments, number);
    memcpy(head, &moments, sizeof(moments));
    return MR_OK;
}

static enum mr_status moments_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                    struct mr_sketch_body *body, const uint8_t *other_head,
                                    struct mr_sketch_body *other_body, struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(other_body);
    MR_UNUSED(error);
    struct mr_moments moments;
    struct mr_moments other;
    memcpy(&moments, head, sizeof(moments));
    memcpy(&other, other_head, sizeof(other));
    uint64_t count = moments.count + other.count;
    if (other.count == 0)
        return MR_OK;
    double share = (double)other.count / (double)count;
    double distance = other.mean - moments.mean;
    moments.squares += other.squares + distance * distance * (double)moments.count * share;
    moments.mean += distance * share;
    moments.count = count;
    memcpy(head, &moments, sizeof(moments));
    return MR_OK;
}

static struct mr_value variance_of(const uint8_t *head)
{
    struct mr_moments moments;
    memcpy(&moments, head, sizeof(moments));
    if (moments.count < 2)
        return mr_value_null();
    return mr_value_double(moments.squares / (double)(moments.count - 1));
}

static enum mr_status var_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                 struct mr_sketch_body *body, const struct mr_aggregate_span *span,
                                 struct mr_arena *arena, struct mr_value *result,
                                 struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(span);
    MR_UNUSED(arena);
    MR_UNUSED(error);
    *result = variance_of(head);
    return MR_OK;
}

static enum mr_status stddev_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                    struct mr_sketch_body *body,
                                    const struct mr_aggregate_span *span, struct mr_arena *arena,
                                    struct mr_value *result, struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(span);
    MR_UNUSED(arena);
    MR_UNUSED(error);
    *result = variance_of(head);
    if (result->kind == MR_KIND_DOUBLE)
        result->number = sqrt(result->number);
    return MR_OK;
}

const struct mr_aggregate_function mr_aggregate_var = {
    .spec = {.name = "var",
             .help = "The sample variance (divided by n - 1). Null for fewer than two numbers.",
             .arguments = {MR_AGGREGATE_NUMBER},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .result = MR_TYPE_DOUBLE},
    .head_bytes = sizeof(struct mr_moments),
    .add = moments_add,
    .merge = moments_merge,
    .result = var_result};

const struct mr_aggregate_function mr_aggregate_stddev = {
    .spec = {.name = "stddev",
             .help = "The sample standard deviation (divided by n - 1). Null for fewer than two "
                     "numbers.",
             .arguments = {MR_AGGREGATE_NUMBER},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .result = MR_TYPE_DOUBLE},
    .head_bytes = sizeof(struct mr_moments),
    .add = moments_add,
    .merge = moments_merge,
    .result = stddev_result};

/* ---- covariance and correlation ---- */

struct pair_head {
    uint64_t count;
    double mean_x;
    double mean_y;
    double squares_x;
    double squares_y;
    double products;
};

static enum mr_status pair_add(const struct mr_aggregate *aggregate, uint8_t *head,
                               struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                               struct mr_error *error)
{
    MR_UNUSED(body);
    if (mr_aggregate_skips(&row->arguments[0]) || mr_aggregate_skips(&row->arguments[1]))
        return MR_OK;
    double x;
    double y;
    enum mr_status status = bounded_number(aggregate, &row->arguments[0], &x, error);
    if (status == MR_OK)
        status = bounded_number(aggregate, &row->arguments[1], &y, error);
    if (status != MR_OK)
        return status;
    struct pair_head pair;
    memcpy(&pair, head, sizeof(pair));
    pair.count++;
    double distance_x = x - pair.mean_x;
    double distance_y = y - pair.mean_y;
    pair.mean_x += distance_x / (double)pair.count;
    pair.mean_y += distance_y / (double)pair.count;
    pair.squares_x += distance_x * (x - pair.mean_x);
    pair.squares_y += distance_y * (y - pair.mean_y);
    pair.products += distance_x * (y - pair.mean_y);
    memcpy(head, &pair, sizeof(pair));
    return MR_OK;
}

static enum mr_status pair_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                 struct mr_sketch_body *body, const uint8_t *other_head,
                                 struct mr_sketch_body *other_body, struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(other_body);
    MR_UNUSED(error);
    struct pair_head pair;
    struct pair_head other;
    memcpy(&pair, head, sizeof(pair));
    memcpy(&other, other_head, sizeof(other));
    if (other.count == 0)
        return MR_OK;
    uint64_t count = pair.count + other.count;
    double share = (double)other.count / (double)count;
    double weight = (double)pair.count * share;
    double distance_x = other.mean_x - pair.mean_x;
    double distance_y = other.mean_y - pair.mean_y;
    pair.squares_x += other.squares_x + distance_x * distance_x * weight;
    pair.squares_y += other.squares_y + distance_y * distance_y * weight;
    pair.products += other.products + distance_x * distance_y * weight;
    pair.mean_x += distance_x * share;
    pair.mean_y += distance_y * share;
    pair.count = count;
    memcpy(head, &pair, sizeof(pair));
    return MR_OK;
}

static enum mr_status covariance_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                        struct mr_sketch_body *body,
                                        const struct mr_aggregate_span *span,
                                        struct mr_arena *arena, struct mr_value *result,
                                        struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(span);
    MR_UNUSED(arena);
    MR_UNUSED(error);
    struct pair_head pair;
    memcpy(&pair, head, sizeof(pair));
    *result = pair.count < 2 ? mr_value_null()
                             : mr_value_double(pair.products / (double)(pair.count - 1));
    return MR_OK;
}

static enum mr_status correlation_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                         struct mr_sketch_body *body,
                                         const struct mr_aggregate_span *span,
                                         struct mr_arena *arena, struct mr_value *result,
                                         struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(span);
    MR_UNUSED(arena);
    MR_UNUSED(error);
    struct pair_head pair;
    memcpy(&pair, head, sizeof(pair));
    *result = mr_value_null();
    /* The roots one by one: their product does not overflow. */
    double deviations = sqrt(pair.squares_x) * sqrt(pair.squares_y);
    if (pair.count < 2 || !(deviations > 0))
        return MR_OK;
    double correlation = pair.products / deviations;
    *result = mr_value_double(fmax(-1, fmin(1, correlation)));
    return MR_OK;
}

const struct mr_aggregate_function mr_aggregate_covariance = {
    .spec = {.name = "covariance",
             .help = "The sample covariance of x and y (divided by n - 1), of the rows that have "
                     "both. Null for fewer than two.",
             .arguments = {MR_AGGREGATE_NUMBER, MR_AGGREGATE_NUMBER},
             .argument_names = {"x", "y"},
             .arguments_min = 2,
             .arguments_max = 2,
             .result = MR_TYPE_DOUBLE},
    .head_bytes = sizeof(struct pair_head),
    .add = pair_add,
    .merge = pair_merge,
    .result = covariance_result};

const struct mr_aggregate_function mr_aggregate_correlation = {
    .spec = {.name = "correlation",
             .help = "Pearson's correlation of x and y, -1 to 1, of the rows that have both. Null "
                     "for fewer than two, and where x or y does not vary.",
             .arguments = {MR_AGGREGATE_NUMBER, MR_AGGREGATE_NUMBER},
             .argument_names = {"x", "y"},
             .arguments_min = 2,
             .arguments_max = 2,
             .result = MR_TYPE_DOUBLE},
    .head_bytes = sizeof(struct pair_head),
    .add = pair_add,
    .merge = pair_merge,
    .result = correlation_result};
