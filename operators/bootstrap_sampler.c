/* operators/bootstrap_sampler.c — see bootstrap_sampler.h.
 * Design: all sums run over rows in the order of the reservoir or of a column's numbers, which are
 * sorted by (number, row): one order, so one result. */
#include "operators/bootstrap_sampler.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/natural_log.h"
#include "operators/normal_score.h"
#include "operators/symmetric.h"
#include "operators/tail.h"

enum { ROWS = MR_COPULA_SAMPLE_ROWS, RARE_TRIES = 16 };

/* The noise's correlations lack this share of the sample's: so fields that determine each other
 * have a factor, too. */
#define CORRELATION_LACK 0.001

void mr_bootstrap_sampler_create(struct mr_bootstrap_sampler *sampler,
                                 const struct mr_copula_shape *shape,
                                 struct mr_bootstrap_noise noise)
{
    size_t columns = shape->columns_count;
    size_t rows = shape->reservoir_rows;
    memset(sampler, 0, sizeof(*sampler));
    sampler->columns_count = shape->columns_count;
    sampler->noise = noise;
    sampler->rows = mr_memory_new(rows, sizeof(*sampler->rows));
    sampler->cumulated = mr_memory_new(rows, sizeof(double));
    sampler->kernels = mr_memory_new(columns, sizeof(*sampler->kernels));
    sampler->factor = mr_memory_new(columns * columns, sizeof(double));
    sampler->scratch = mr_memory_new(columns, sizeof(double));
    sampler->values_count = shape->reservoir_rows;
    sampler->values = mr_memory_new(2 * rows, sizeof(*sampler->values));
}

void mr_bootstrap_sampler_destroy(struct mr_bootstrap_sampler *sampler)
{
    mr_memory_free(sampler->rows);
    mr_memory_free(sampler->cumulated);
    mr_memory_free(sampler->kernels);
    mr_memory_free(sampler->factor);
    mr_memory_free(sampler->scratch);
    mr_memory_free(sampler->values);
}

size_t mr_bootstrap_sampler_memory(const struct mr_copula_shape *shape)
{
    size_t columns = shape->columns_count;
    return sizeof(struct mr_bootstrap_sampler) +
           (size_t)shape->reservoir_rows *
               (sizeof(uint32_t) + sizeof(double) + 2 * sizeof(struct mr_bootstrap_value)) +
           columns * (sizeof(struct mr_bootstrap_kernel) + 8 * (columns + 1));
}

/* ---- Conditions ---- */

static enum mr_status impossible(const struct mr_copula_condition *condition, const char *reason,
                                 struct mr_error *error)
{
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "the condition on field %s is impossible: %s", condition->name, reason);
}

static enum mr_status check_condition(const struct mr_copula_column *column,
                                      const struct mr_copula_condition *condition,
                                      struct mr_copula_members *members, struct mr_error *error)
{
    bool by_text = condition->texts_count > 0;
    bool has_texts = column->kind == MR_COPULA_TEXT || column->kind == MR_COPULA_BOOLEAN;
    bool is_time = column->kind == MR_COPULA_DATE || column->kind == MR_COPULA_TIME ||
                   column->kind == MR_COPULA_TIMESTAMP;
    members->count = 0;
    if (column->kind == MR_COPULA_UNKNOWN || column->kind == MR_COPULA_IDENTIFIER)
        return impossible(condition, "no value that can be asked for was learned", error);
    if (!has_texts && !mr_copula_condition_members(condition, column, members))
        return impossible(condition,
                          is_time ? "it has dates or times, as '2026-01-28' or "
                                    "'2026-01-28T10:30:00Z'"
                                  : "it has numbers, as '21'",
                          error);
    if (!by_text && has_texts)
        return impossible(condition, "it has no numbers, give any_of", error);
    if (condition->is_instant && !is_time)
        return impossible(condition, "it is no date or time, give gte, gt, lte or lt", error);
    return MR_OK;
}

static bool has_text(const struct mr_copula_column *column,
                     const struct mr_copula_condition *condition, double number)
{
    struct mr_slice own = column->kind == MR_COPULA_BOOLEAN
                              ? mr_slice_text(number > 0.5 ? "true" : "false")
                              : mr_slice_from(column->texts.bytes[(uint32_t)number],
                                              column->texts.sizes[(uint32_t)number]);
    for (uint32_t at = 0; at < condition->texts_count; at++)
        if (mr_slice_equal(own, mr_slice_text(condition->texts[at])))
            return true;
    return false;
}

static bool meets(const struct mr_copula_column *column,
                  const struct mr_copula_condition *condition,
                  const struct mr_copula_members *members, double number)
{
    if (isnan(number))
        return false;
    if (members->count > 0)
        return mr_copula_members_nearest(members, number) == number;
    if (condition->texts_count > 0)
        return number != MR_COPULA_RARE && has_text(column, condition, number);
    if (condition->is_instant) /* its bounds are milliseconds */
        number *= column->kind == MR_COPULA_DATE ? 86400e3 : 1e3;
    return (condition->lowest_is_out ? number > condition->lowest : number >= condition->lowest) &&
           (condition->highest_is_out ? number < condition->highest : number <= condition->highest);
}

/* The rows that meet the conditions, and their weights. */
static enum mr_status choose_rows(struct mr_bootstrap_sampler *sampler,
                                  const struct mr_bootstrap *model,
                                  const struct mr_copula_condition *conditions,
                                  uint32_t conditions_count, struct mr_error *error)
{
    struct mr_copula_members members[MR_COPULA_CONDITIONS_MAX];
    double weight = 0;
    double chosen = 0;
    sampler->rows_count = 0;
    for (uint32_t index = 0; index < conditions_count; index++) {
        enum mr_status status = check_condition(&model->columns[conditions[index].column],
                                                &conditions[index], &members[index], error);
        if (status != MR_OK)
            return status;
    }
    for (uint32_t row = 0; row < model->kept; row++) {
        const double *numbers = mr_bootstrap_row_numbers(model, row);
        double own = mr_bootstrap_row_weight(model, row);
        uint32_t met = 0;
        while (met < conditions_count &&
               meets(&model->columns[conditions[met].column], &conditions[met], &members[met],
                     numbers[conditions[met].column]))
            met++;
        weight += own;
        if (met < conditions_count || !(own > 0))
            continue;
        chosen += own;
        sampler->cumulated[sampler->rows_count] = chosen;
        sampler->rows[sampler->rows_count++] = row;
    }
    sampler->probability = sampler->rows_count > 0 ? chosen / weight : 0;
    if (sampler->rows_count == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the conditions are impossible together: none of the %u records of the "
                       "sample meets them; a larger `reservoir` has rarer ones",
                       model->kept);
    return MR_OK;
}

static double chosen_weight(const struct mr_bootstrap_sampler *sampler, uint32_t at)
{
    return sampler->cumulated[at] - (at == 0 ? 0 : sampler->cumulated[at - 1]);
}

/* ---- Kernels ---- */

/* Ascending as unsigned numbers; -0 is 0. */
static uint64_t sort_key(double number)
{
    double unsigned_zero = number + 0.0;
    uint64_t bits;
    memcpy(&bits, &unsigned_zero, sizeof(bits));
    return bits >> 63 != 0 ? ~bits : bits | (uint64_t)1 << 63;
}

/* By number and then by row, in which order they come: byte by byte, from the lowest on. */
static void sort_values(struct mr_bootstrap_sampler *sampler, uint32_t count)
{
    enum { BYTES = 8, DIGITS = 256 };
    static const uint64_t low = DIGITS - 1;
    uint32_t places[BYTES][DIGITS] = {{0}};
    struct mr_bootstrap_value *from = sampler->values;
    struct mr_bootstrap_value *to = sampler->values + sampler->values_count;
    for (uint32_t at = 0; at < count; at++)
        for (uint32_t byte = 0; byte < BYTES; byte++)
            places[byte][sort_key(from[at].number) >> (8 * byte) & low]++;
    for (uint32_t byte = 0; byte < BYTES; byte++) {
        uint32_t *place = places[byte];
        if (count == 0 || place[sort_key(from[0].number) >> (8 * byte) & low] == count)
            continue; /* they all have the same */
        uint32_t before = 0;
        for (uint32_t digit = 0; digit < DIGITS; digit++) {
            uint32_t own = place[digit];
            place[digit] = before;
            before += own;
        }
        for (uint32_t at = 0; at < count; at++)
            to[place[sort_key(from[at].number) >> (8 * byte) & low]++] = from[at];
        struct mr_bootstrap_value *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != sampler->values)
        memcpy(sampler->values, from, count * sizeof(*from));
}

/* The column's numbers in the sample, ascending; `row` is the place among the chosen ones. */
static uint32_t collect(struct mr_bootstrap_sampler *sampler, const struct mr_bootstrap *model,
                        uint32_t index)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < sampler->rows_count; at++) {
        double number = mr_bootstrap_row_numbers(model, sampler->rows[at])[index];
        if (!isnan(number))
            sampler->values[count++] = (struct mr_bootstrap_value){number, at};
    }
    sort_values(sampler, count);
    return count;
}

/* Take the numbers out that many rows share; returns how many others are left. */
static uint32_t take_ties(struct mr_bootstrap_sampler *sampler, struct mr_bootstrap_kernel *kernel,
                          uint32_t count)
{
    struct mr_bootstrap_value *values = sampler->values;
    uint32_t left = 0;
    double all = 0;
    for (uint32_t at = 0; at < count; at++)
        all += chosen_weight(sampler, values[at].row);
    for (uint32_t at = 0; at < count;) {
        uint32_t behind = at;
        double weight = 0;
        for (; behind < count && values[behind].number == values[at].number; behind++)
            weight += chosen_weight(sampler, values[behind].row);
        if (behind - at > 1 && weight >= MR_BOOTSTRAP_TIED * all &&
            kernel->ties_count < MR_BOOTSTRAP_TIES_MAX) {
            kernel->ties[kernel->ties_count++] = values[at].number;
            at = behind;
        }
        while (at < behind)
            values[left++] = values[at++];
    }
    return left;
}

static double weighted_quantile(const struct mr_bootstrap_sampler *sampler, uint32_t count,
                                double weight)
{
    double below = 0;
    for (uint32_t at = 0; at + 1 < count; at++) {
        below += chosen_weight(sampler, sampler->values[at].row);
        if (below >= weight)
            return sampler->values[at].number;
    }
    return sampler->values[count - 1].number;
}

static double bandwidth_of(const struct mr_bootstrap_sampler *sampler, uint32_t count,
                           double deviation, double weight, double squares)
{
    if (sampler->noise.bandwidth >= 0)
        return sampler->noise.bandwidth * deviation;
    double range = weighted_quantile(sampler, count, 0.75 * weight) -
                   weighted_quantile(sampler, count, 0.25 * weight);
    double spread = range / 1.34 < deviation ? range / 1.34 : deviation;
    double rows = weight / squares * weight;
    return 0.9 * spread * mr_tail_exponential(-0.2 * mr_natural_log(rows < 1 ? 1 : rows));
}

static void make_kernel(struct mr_bootstrap_sampler *sampler, const struct mr_bootstrap *model,
                        uint32_t index)
{
    struct mr_bootstrap_kernel *kernel = &sampler->kernels[index];
    uint8_t kind = model->columns[index].kind;
    memset(kernel, 0, sizeof(*kernel));
    if (sampler->noise.bandwidth == 0 || (kind != MR_COPULA_NUMBER && kind != MR_COPULA_DATE &&
                                          kind != MR_COPULA_TIME && kind != MR_COPULA_TIMESTAMP))
        return;
    uint32_t count = collect(sampler, model, index);
    if (count == 0)
        return;
    kernel->least = sampler->values[0].number;
    kernel->greatest = sampler->values[count - 1].number;
    count = take_ties(sampler, kernel, count);
    double weight = 0;
    double squares = 0;
    for (uint32_t at = 0; at < count; at++) {
        double own = chosen_weight(sampler, sampler->values[at].row);
        weight += own;
        squares += own * own;
        kernel->mean += own / weight * (sampler->values[at].number - kernel->mean);
    }
    for (uint32_t at = 0; at < count; at++) {
        double deviation = sampler->values[at].number - kernel->mean;
        kernel->variance +=
            chosen_weight(sampler, sampler->values[at].row) / weight * deviation * deviation;
    }
    if (count < 2 || !(kernel->variance > 0))
        return;
    double deviation = sqrt(kernel->variance);
    kernel->bandwidth = bandwidth_of(sampler, count, deviation, weight, squares);
    double share = kernel->bandwidth / deviation;
    kernel->shrink = 1 / sqrt(1 + share * share);
    kernel->is_noisy = kernel->bandwidth > 0;
}

static bool is_tied(const struct mr_bootstrap_kernel *kernel, double number)
{
    for (uint32_t tie = 0; tie < kernel->ties_count; tie++)
        if (kernel->ties[tie] == number)
            return true;
    return false;
}

static bool is_smoothed(const struct mr_bootstrap_kernel *kernel, double number)
{
    return kernel->is_noisy && !isnan(number) && !is_tied(kernel, number);
}

/* The factor of the noisy columns' correlations; what is missing or tied deviates by nothing. */
static void make_factor(struct mr_bootstrap_sampler *sampler, const struct mr_bootstrap *model)
{
    uint32_t count = sampler->noisy_count;
    double *matrix = sampler->factor;
    double weight = sampler->cumulated[sampler->rows_count - 1];
    memset(matrix, 0, (size_t)count * count * sizeof(*matrix));
    for (uint32_t at = 0; at < sampler->rows_count; at++) {
        const double *numbers = mr_bootstrap_row_numbers(model, sampler->rows[at]);
        double own = chosen_weight(sampler, at) / weight;
        for (uint32_t index = 0; index < sampler->columns_count; index++) {
            const struct mr_bootstrap_kernel *kernel = &sampler->kernels[index];
            if (kernel->is_noisy)
                sampler->scratch[kernel->place] =
                    is_smoothed(kernel, numbers[index])
                        ? (numbers[index] - kernel->mean) / sqrt(kernel->variance)
                        : 0;
        }
        for (uint32_t row = 0; row < count; row++)
            for (uint32_t column = 0; column <= row; column++)
                matrix[(size_t)row * count + column] +=
                    own * sampler->scratch[row] * sampler->scratch[column];
    }
    for (uint32_t row = 0; row < count; row++)
        sampler->scratch[row] = sqrt(matrix[(size_t)row * count + row]);
    for (uint32_t row = 0; row < count; row++)
        for (uint32_t column = 0; column <= row; column++) {
            double *cell = &matrix[(size_t)row * count + column];
            double scale = sampler->scratch[row] * sampler->scratch[column];
            *cell = row == column ? 1 : (1 - CORRELATION_LACK) * *cell / scale;
        }
    if (!mr_symmetric_factor(matrix, count, matrix))
        MR_ASSERT(false); /* its least eigenvalue is CORRELATION_LACK at least */
}

static bool asks_for_values(const struct mr_copula_condition *conditions, uint32_t conditions_count,
                            uint32_t column)
{
    for (uint32_t index = 0; index < conditions_count; index++)
        if (conditions[index].column == column)
            return conditions[index].texts_count > 0 || conditions[index].numbers_count > 0;
    return false;
}

enum mr_status mr_bootstrap_sampler_make(struct mr_bootstrap_sampler *sampler,
                                         const struct mr_bootstrap *model,
                                         const struct mr_copula_condition *conditions,
                                         uint32_t conditions_count, struct mr_error *error)
{
    MR_ASSERT(model->shape.columns_count == sampler->columns_count);
    enum mr_status status = choose_rows(sampler, model, conditions, conditions_count, error);
    if (status != MR_OK)
        return status;
    sampler->noisy_count = 0;
    for (uint32_t index = 0; index < sampler->columns_count; index++) {
        make_kernel(sampler, model, index);
        if (asks_for_values(conditions, conditions_count, index))
            sampler->kernels[index].is_noisy = false; /* noise would lead out of them */
        if (sampler->kernels[index].is_noisy)
            sampler->kernels[index].place = sampler->noisy_count++;
    }
    if (sampler->noisy_count > 0)
        make_factor(sampler, model);
    return MR_OK;
}

/* ---- Rows ---- */

/* A row of the sample: one of the chosen ones. */
static const double *any_row(const struct mr_bootstrap_sampler *sampler,
                             const struct mr_bootstrap *model, struct mr_random *random)
{
    uint32_t last = sampler->rows_count - 1;
    double wanted = mr_random_double(random) * sampler->cumulated[last];
    uint32_t from = 0;
    uint32_t to = last;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (sampler->cumulated[middle] > wanted)
            to = middle;
        else
            from = middle + 1;
    }
    return mr_bootstrap_row_numbers(model, sampler->rows[from]);
}

static double smooth(const struct mr_bootstrap_sampler *sampler,
                     const struct mr_bootstrap_kernel *kernel,
                     const struct mr_copula_column *column, double number)
{
    const double *line = sampler->factor + (size_t)kernel->place * sampler->noisy_count;
    double noise = 0;
    for (uint32_t other = 0; other <= kernel->place; other++)
        noise += line[other] * sampler->scratch[other];
    double moved =
        kernel->mean + (number - kernel->mean + kernel->bandwidth * noise) * kernel->shrink;
    if (moved < kernel->least)
        moved = 2 * kernel->least - moved;
    else if (moved > kernel->greatest)
        moved = 2 * kernel->greatest - moved;
    double scale = mr_copula_scale(column);
    if (scale > 0 && fabs(moved) * scale < 0x1p52)
        moved = nearbyint(moved * scale) / scale;
    moved = moved < kernel->least ? kernel->least : moved;
    return moved > kernel->greatest ? kernel->greatest : moved;
}

/* A category or boolean, which may flip. */
static double keep_or_flip(const struct mr_bootstrap_sampler *sampler,
                           const struct mr_bootstrap *model, uint32_t index, double number,
                           struct mr_random *random)
{
    if (sampler->noise.flip > 0 && mr_random_double(random) < sampler->noise.flip) {
        double other = any_row(sampler, model, random)[index];
        number = isnan(other) ? number : other;
    }
    for (int tries = 0; tries < RARE_TRIES && number == MR_COPULA_RARE; tries++) {
        double other = any_row(sampler, model, random)[index];
        number = isnan(other) ? number : other;
    }
    return number == MR_COPULA_RARE ? (double)NAN : number;
}

void mr_bootstrap_sample(struct mr_bootstrap_sampler *sampler, const struct mr_bootstrap *model,
                         uint64_t seed, uint64_t first, uint32_t rows_count, double *numbers)
{
    MR_ASSERT(rows_count <= ROWS && sampler->rows_count > 0);
    for (uint32_t row = 0; row < rows_count; row++) {
        struct mr_random random;
        mr_random_init(&random, seed, first + row);
        const double *from = any_row(sampler, model, &random);
        for (uint32_t at = 0; at < sampler->noisy_count; at++)
            sampler->scratch[at] = mr_normal_score(mr_random_double(&random) + 0x1p-54);
        for (uint32_t index = 0; index < sampler->columns_count; index++) {
            const struct mr_copula_column *column = &model->columns[index];
            const struct mr_bootstrap_kernel *kernel = &sampler->kernels[index];
            double number = from[index];
            if (is_smoothed(kernel, number))
                number = smooth(sampler, kernel, column, number);
            else if (!isnan(number) &&
                     (column->kind == MR_COPULA_TEXT || column->kind == MR_COPULA_BOOLEAN))
                number = keep_or_flip(sampler, model, index, number, &random);
            numbers[(size_t)index * ROWS + row] = number;
        }
    }
}
