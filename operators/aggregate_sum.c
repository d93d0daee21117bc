/* operators/aggregate_sum.c — count, sum, avg and rate.
 * Design: sums of doubles are kept as a rounded sum and the compensation for what rounding lost
 * (Neumaier, Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen, 1974); two
 * such sums are added by the same error-free step, so that a merge loses nothing either. A sum of
 * ints stays an int, one of uints a uint; the first double turns it into a double, exactly. Heads:
 *
 *   count  8 bytes: u64 count
 *   sum   24 bytes: u64 mode; the sum as i64, u64 or double; double compensation
 *   avg, rate(x)  24 bytes: u64 count; double sum; double compensation
 *   rate() 8 bytes: u64 count */
#include "operators/aggregate_function.h"

#include "base/assert.h"

#include <math.h>

/* ---- Sums of doubles ---- */

struct compensated {
    double number;
    double compensation;
};

/* An error-free sum of two doubles: number + compensation is exact. */
static struct compensated two_sum(double left, double right)
{
    double number = left + right;
    double compensation =
        fabs(left) >= fabs(right) ? (left - number) + right : (right - number) + left;
    return (struct compensated){number, compensation};
}

/* False when the sum is beyond the doubles: *sum stays as it was. */
static bool compensated_add(struct compensated *sum, struct compensated other)
{
    struct compensated next = two_sum(sum->number, other.number);
    next.compensation += sum->compensation + other.compensation;
    if (!isfinite(next.number + next.compensation))
        return false;
    *sum = next;
    return true;
}

/* All 64 bits of an integer: the upper and the lower half are doubles without rounding. */
static struct compensated from_int(int64_t integer)
{
    int64_t low = (int64_t)((uint64_t)integer & UINT32_MAX);
    return two_sum((double)(integer - low), (double)low);
}

static struct compensated from_uint(uint64_t integer)
{
    uint64_t low = integer & UINT32_MAX;
    return two_sum((double)(integer - low), (double)low);
}

static enum mr_status overflow(const struct mr_aggregate *aggregate, const char *type,
                               const char *remedy, struct mr_error *error)
{
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "%s: the sum is beyond the type %s%s",
                   aggregate->call->text, type, remedy);
}

static enum mr_status number_of(const struct mr_aggregate *aggregate,
                                const struct mr_value *argument, struct compensated *number,
                                struct mr_error *error)
{
    *number = (struct compensated){0};
    enum mr_status status = mr_aggregate_number(aggregate, argument, &number->number, error);
    if (status == MR_OK && argument->kind == MR_KIND_INT)
        *number = from_int(argument->integer);
    else if (status == MR_OK && argument->kind == MR_KIND_UINT)
        *number = from_uint(argument->unsigned_integer);
    return status;
}

/* ---- count ---- */

static enum mr_status count_add(const struct mr_aggregate *aggregate, uint8_t *head,
                                struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                                struct mr_error *error)
{
    MR_UNUSED(body);
    MR_UNUSED(error);
    if (aggregate->call->arguments_count > 0 && mr_aggregate_skips(&row->arguments[0]))
        return MR_OK;
    uint64_t count;
    memcpy(&count, head, sizeof(count));
    count++;
    memcpy(head, &count, sizeof(count));
    return MR_OK;
}

static enum mr_status count_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                  struct mr_sketch_body *body, const uint8_t *other_head,
                                  struct mr_sketch_body *other_body, struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(other_body);
    MR_UNUSED(error);
    uint64_t count;
    uint64_t other;
    memcpy(&count, head, sizeof(count));
    memcpy(&other, other_head, sizeof(other));
    count += other;
    memcpy(head, &count, sizeof(count));
    return MR_OK;
}

static enum mr_status count_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                   struct mr_sketch_body *body,
                                   const struct mr_aggregate_span *span, struct mr_arena *arena,
                                   struct mr_value *result, struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(span);
    MR_UNUSED(arena);
    MR_UNUSED(error);
    int64_t count;
    memcpy(&count, head, sizeof(count));
    *result = mr_value_int(count);
    return MR_OK;
}

const struct mr_aggregate_function mr_aggregate_count = {
    .spec = {.name = "count",
             .help = "The number of rows; with x, of those where x is neither null nor absent.",
             .arguments = {MR_AGGREGATE_ANY},
             .argument_names = {"x"},
             .arguments_max = 1,
             .result = MR_TYPE_INT},
    .head_bytes = 8,
    .add = count_add,
    .merge = count_merge,
    .result = count_result};

/* ---- sum ---- */

enum sum_mode { SUM_EMPTY, SUM_INT, SUM_UINT, SUM_DOUBLE };

struct sum_head {
    uint64_t mode; /* enum sum_mode */
    union {
        int64_t integer;
        uint64_t unsigned_integer;
        double number;
    };
    double compensation; /* of SUM_DOUBLE */
};

static struct compensated sum_as_double(const struct sum_head *sum)
{
    if (sum->mode == SUM_INT)
        return from_int(sum->integer);
    if (sum->mode == SUM_UINT)
        return from_uint(sum->unsigned_integer);
    return (struct compensated){sum->number, sum->compensation};
}

/* A uint among ints counts as an int, if it is not too large for one. */
static bool sum_as_int(const struct sum_head *sum, int64_t *integer)
{
    *integer = sum->integer;
    return sum->mode == SUM_INT || sum->unsigned_integer <= INT64_MAX;
}

/* sum += other; MR_INVALID when the sum is beyond its type: unchanged. */
static enum mr_status sum_combine(const struct mr_aggregate *aggregate, struct sum_head *sum,
                                  const struct sum_head *other, struct mr_error *error)
{
    static const char *const remedy = "; write sum(double(x)) for a rounded one";
    if (other->mode == SUM_EMPTY)
        return MR_OK;
    if (sum->mode == SUM_EMPTY) {
        *sum = *other;
        return MR_OK;
    }
    if (sum->mode == SUM_DOUBLE || other->mode == SUM_DOUBLE) {
        struct compensated total = sum_as_double(sum);
        if (!compensated_add(&total, sum_as_double(other)))
            return overflow(aggregate, "double", "", error);
        *sum = (struct sum_head){
            .mode = SUM_DOUBLE, .number = total.number, .compensation = total.compensation};
        return MR_OK;
    }
    if (sum->mode == SUM_UINT && other->mode == SUM_UINT)
        return __builtin_add_overflow(sum->unsigned_integer, other->unsigned_integer,
                                      &sum->unsigned_integer)
                   ? overflow(aggregate, "uint", remedy, error)
                   : MR_OK;
    int64_t left;
    int64_t right;
    if (!sum_as_int(sum, &left) || !sum_as_int(other, &right) ||
        __builtin_add_overflow(left, right, &left))
        return overflow(aggregate, "int", remedy, error);
    *sum = (struct sum_head){.mode = SUM_INT, .integer = left};
    return MR_OK;
}

static enum mr_status sum_add(const struct mr_aggregate *aggregate, uint8_t *head,
                              struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                              struct mr_error *error)
{
    MR_UNUSED(body);
    const struct mr_value *argument = &row->arguments[0];
    if (mr_aggregate_skips(argument))
        return MR_OK;
    struct sum_head sum;
    struct sum_head other = {.mode = SUM_DOUBLE};
    memcpy(&sum, head, sizeof(sum));
    double number;
    enum mr_status status = mr_aggregate_number(aggregate, argument, &number, error);
    if (status != MR_OK)
        return status;
    if (argument->kind == MR_KIND_INT)
        other = (struct sum_head){.mode = SUM_INT, .integer = argument->integer};
    else if (argument->kind == MR_KIND_UINT)
        other = (struct sum_head){.mode = SUM_UINT, .unsigned_integer = argument->unsigned_integer};
    else
        other.number = number;
    status = sum_combine(aggregate, &sum, &other, error);
    if (status == MR_OK)
        memcpy(head, &sum, sizeof(sum));
    return status;
}

static enum mr_status sum_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                struct mr_sketch_body *body, const uint8_t *other_head,
                                struct mr_sketch_body *other_body, struct mr_error *error)
{
    MR_UNUSED(body);
    MR_UNUSED(other_body);
    struct sum_head sum;
    struct sum_head other;
    memcpy(&sum, head, sizeof(sum));
    memcpy(&other, other_head, sizeof(other));
    enum mr_status status = sum_combine(aggregate, &sum, &other, error);
    if (status == MR_OK)
        memcpy(head, &sum, sizeof(sum));
    return status;
}

static enum mr_status sum_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                 struct mr_sketch_body *body, const struct mr_aggregate_span *span,
                                 struct mr_arena *arena, struct mr_value *result,
                                 struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(span);
    MR_UNUSED(arena);
    MR_UNUSED(error);
    struct sum_head sum;
    memcpy(&sum, head, sizeof(sum));
    switch ((enum sum_mode)sum.mode) {
    case SUM_EMPTY:
        *result = mr_value_null();
        break;
    case SUM_INT:
        *result = mr_value_int(sum.integer);
        break;
    case SUM_UINT:
        *result = mr_value_uint(sum.unsigned_integer);
        break;
    case SUM_DOUBLE:
        *result = mr_value_double(sum.number + sum.compensation);
        break;
    }
    return MR_OK;
}

const struct mr_aggregate_function mr_aggregate_sum = {
    .spec = {.name = "sum",
             .help = "The sum: exact for ints and uints, and a row that would take it beyond their "
                     "64 bits fails; for doubles rounded once, not per row. Null without numbers.",
             .arguments = {MR_AGGREGATE_NUMBER},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .result = MR_TYPE_ANY},
    .head_bytes = sizeof(struct sum_head),
    .add = sum_add,
    .merge = sum_merge,
    .result = sum_result};

/* ---- avg and rate ---- */

struct mean_head {
    uint64_t count;
    struct compensated sum;
};

static enum mr_status mean_add(const struct mr_aggregate *aggregate, uint8_t *head,
                               struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                               struct mr_error *error)
{
    MR_UNUSED(body);
    if (mr_aggregate_skips(&row->arguments[0]))
        return MR_OK;
    struct mean_head mean;
    struct compensated number;
    enum mr_status status = number_of(aggregate, &row->arguments[0], &number, error);
    if (status != MR_OK)
        return status;
    memcpy(&mean, head, sizeof(mean));
    if (!compensated_add(&mean.sum, number))
        return overflow(aggregate, "double", "", error);
    mean.count++;
    memcpy(head, &mean, sizeof(mean));
    return MR_OK;
}

static enum mr_status mean_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                 struct mr_sketch_body *body, const uint8_t *other_head,
                                 struct mr_sketch_body *other_body, struct mr_error *error)
{
    MR_UNUSED(body);
    MR_UNUSED(other_body);
    struct mean_head mean;
    struct mean_head other;
    memcpy(&mean, head, sizeof(mean));
    memcpy(&other, other_head, sizeof(other));
    if (!compensated_add(&mean.sum, other.sum))
        return overflow(aggregate, "double", "", error);
    mean.count += other.count;
    memcpy(head, &mean, sizeof(mean));
    return MR_OK;
}

static enum mr_status avg_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                 struct mr_sketch_body *body, const struct mr_aggregate_span *span,
                                 struct mr_arena *arena, struct mr_value *result,
                                 struct mr_error *error)
{
    MR_UNUSED(aggregate);
    MR_UNUSED(body);
    MR_UNUSED(span);
    MR_UNUSED(arena);
    MR_UNUSED(error);
    struct mean_head mean;
    memcpy(&mean, head, sizeof(mean));
    *result = mean.count == 0
                  ? mr_value_null()
                  : mr_value_double((mean.sum.number + mean.sum.compensation) / (double)mean.count);
    return MR_OK;
}

const struct mr_aggregate_function mr_aggregate_avg = {
    .spec = {.name = "avg",
             .help = "The mean of the numbers. Null without numbers.",
             .arguments = {MR_AGGREGATE_NUMBER},
             .argument_names = {"x"},
             .arguments_min = 1,
             .arguments_max = 1,
             .result = MR_TYPE_DOUBLE},
    .head_bytes = sizeof(struct mean_head),
    .add = mean_add,
    .merge = mean_merge,
    .result = avg_result};

static enum mr_status rate_prepare(struct mr_aggregate *aggregate, struct mr_error *error)
{
    MR_UNUSED(error);
    aggregate->head_bytes =
        aggregate->call->arguments_count == 0 ? sizeof(uint64_t) : sizeof(struct mean_head);
    return MR_OK;
}

static enum mr_status rate_add(const struct mr_aggregate *aggregate, uint8_t *head,
                               struct mr_sketch_body *body, const struct mr_aggregate_row *row,
                               struct mr_error *error)
{
    return aggregate->call->arguments_count == 0 ? count_add(aggregate, head, body, row, error)
                                                 : mean_add(aggregate, head, body, row, error);
}

static enum mr_status rate_merge(const struct mr_aggregate *aggregate, uint8_t *head,
                                 struct mr_sketch_body *body, const uint8_t *other_head,
                                 struct mr_sketch_body *other_body, struct mr_error *error)
{
    return (aggregate->call->arguments_count == 0 ? count_merge : mean_merge)(
        aggregate, head, body, other_head, other_body, error);
}

static enum mr_status rate_result(const struct mr_aggregate *aggregate, const uint8_t *head,
                                  struct mr_sketch_body *body, const struct mr_aggregate_span *span,
                                  struct mr_arena *arena, struct mr_value *result,
                                  struct mr_error *error)
{
    MR_UNUSED(body);
    MR_UNUSED(arena);
    MR_UNUSED(error);
    struct mean_head mean = {0};
    memcpy(&mean, head, aggregate->head_bytes);
    bool counts = aggregate->call->arguments_count == 0;
    *result = mr_value_null();
    if (span->end_ms <= span->start_ms || (!counts && mean.count == 0))
        return MR_OK;
    double seconds = ((double)span->end_ms - (double)span->start_ms) / 1e3;
    double total = counts ? (double)mean.count : mean.sum.number + mean.sum.compensation;
    /* Beyond the doubles only where the sum nearly was and the span is of less than a second. */
    if (isfinite(total / seconds))
        *result = mr_value_double(total / seconds);
    return MR_OK;
}

const struct mr_aggregate_function mr_aggregate_rate = {
    .spec = {.name = "rate",
             .help =
                 "Rows per second of the window's length; with x, the sum of x per second. Null "
                 "where the window has no length, or no numbers.",
             .arguments = {MR_AGGREGATE_NUMBER},
             .argument_names = {"x"},
             .arguments_max = 1,
             .result = MR_TYPE_DOUBLE},
    .prepare = rate_prepare,
    .add = rate_add,
    .merge = rate_merge,
    .result = rate_result};
