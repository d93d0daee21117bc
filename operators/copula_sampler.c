/* operators/copula_sampler.c — see copula_sampler.h.
 * Design: latents of MR_COPULA_SAMPLE_ROWS rows at a time, a latent's numbers side by side, so that
 * the product with the factor runs over whole lines. A normal number is the quantile of one uniform
 * number: monotone, and one number each. */
#include "operators/copula_sampler.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "operators/normal_score.h"
#include "operators/symmetric.h"

enum { ROWS = MR_COPULA_SAMPLE_ROWS, DATE_BYTES = 10, DAY_MS = 86400000, NUMBER_DIGITS = 12 };

/* Times that the calendar can write: years 1 to 9999. */
static const double time_min_ms = -62135596800000;
static const double time_max_ms = 253402300799999;

void mr_copula_sampler_create(struct mr_copula_sampler *sampler, uint32_t columns_count)
{
    size_t latents = 2 * (size_t)columns_count;
    memset(sampler, 0, sizeof(*sampler));
    sampler->columns_count = columns_count;
    sampler->latents = mr_memory_new(latents, sizeof(*sampler->latents));
    sampler->factor = mr_memory_new(latents * latents, sizeof(double));
    sampler->normals = mr_memory_new(latents * ROWS, sizeof(double));
    sampler->values = mr_memory_new(latents * ROWS, sizeof(double));
}

void mr_copula_sampler_destroy(struct mr_copula_sampler *sampler)
{
    mr_memory_free(sampler->latents);
    mr_memory_free(sampler->factor);
    mr_memory_free(sampler->normals);
    mr_memory_free(sampler->values);
}

void mr_copula_sampler_make(struct mr_copula_sampler *sampler, const struct mr_copula *model,
                            struct mr_copula_work *work)
{
    MR_ASSERT(model->shape.columns_count == sampler->columns_count);
    sampler->count = mr_copula_correlations(model, sampler->latents, work->matrix);
    sampler->is_repaired = false;
    memset(sampler->values, 0, 2 * (size_t)sampler->columns_count * ROWS * sizeof(double));
    if (mr_symmetric_factor(work->matrix, sampler->count, sampler->factor))
        return;
    sampler->is_repaired = true;
    mr_symmetric_repair(work->matrix, sampler->count, work->scratch);
    bool is_fine = mr_symmetric_factor(work->matrix, sampler->count, sampler->factor);
    MR_ASSERT(is_fine);
}

static void draw_normals(struct mr_copula_sampler *sampler, uint64_t seed, uint64_t first,
                         uint32_t rows_count)
{
    for (uint32_t row = 0; row < rows_count; row++) {
        struct mr_random random;
        mr_random_init(&random, seed, first + row);
        for (uint32_t at = 0; at < sampler->count; at++) {
            double uniform = mr_random_double(&random) + 0x1p-54;
            sampler->normals[(size_t)at * ROWS + row] = mr_normal_score(uniform);
        }
    }
}

static void make_latents(struct mr_copula_sampler *sampler)
{
    for (uint32_t at = 0; at < sampler->count; at++) {
        double *line = sampler->values + (size_t)sampler->latents[at] * ROWS;
        const double *weights = sampler->factor + (size_t)at * sampler->count;
        for (uint32_t row = 0; row < ROWS; row++)
            line[row] = 0;
        for (uint32_t other = 0; other <= at; other++) {
            const double *normals = sampler->normals + (size_t)other * ROWS;
            double weight = weights[other];
            for (uint32_t row = 0; row < ROWS; row++)
                line[row] += weight * normals[row];
        }
    }
}

static void make_column(const struct mr_copula_sampler *sampler, const struct mr_copula *model,
                        uint32_t index, uint32_t rows_count, double *numbers)
{
    const struct mr_copula_column *column = &model->columns[index];
    const struct mr_copula_latent *missing = &model->latents[sampler->columns_count + index];
    const double *values = sampler->values + (size_t)index * ROWS;
    bool is_number = column->map.bins_count > 0;
    bool is_there = is_number || column->kind == MR_COPULA_IDENTIFIER;
    bool is_gone = !missing->is_active && column->missing > model->weight / 2;
    for (uint32_t row = 0; row < rows_count; row++) {
        double number = is_number ? mr_marginal_value(&column->map, values[row]) : 0;
        if (column->kind == MR_COPULA_TEXT && is_number)
            number = column->texts.order[(uint32_t)number];
        numbers[row] = is_there && !is_gone ? number : NAN;
    }
    if (!missing->is_active)
        return;
    values = sampler->values + (size_t)(sampler->columns_count + index) * ROWS;
    for (uint32_t row = 0; row < rows_count; row++)
        if (values[row] > missing->threshold)
            numbers[row] = NAN;
}

void mr_copula_sample(struct mr_copula_sampler *sampler, const struct mr_copula *model,
                      uint64_t seed, uint64_t first, uint32_t rows_count, double *numbers)
{
    MR_ASSERT(rows_count <= ROWS);
    draw_normals(sampler, seed, first, rows_count);
    make_latents(sampler);
    for (uint32_t index = 0; index < sampler->columns_count; index++)
        make_column(sampler, model, index, rows_count, numbers + (size_t)index * ROWS);
}

/* ---- Cells ---- */

static struct mr_value time_cell(double time_ms, bool is_date, struct mr_arena *arena)
{
    char text[MR_CLOCK_TEXT_SIZE];
    double bounded = time_ms < time_min_ms ? time_min_ms : time_ms;
    bounded = bounded > time_max_ms ? time_max_ms : bounded;
    size_t size = mr_clock_format_rfc3339((int64_t)bounded, text);
    if (is_date)
        size = DATE_BYTES;
    uint8_t *copy = mr_arena_take(arena, size);
    memcpy(copy, text, size);
    return mr_value_string(mr_slice_from(copy, size));
}

/* The example's text up to its first digit, and the row's number. */
static struct mr_value identifier_cell(const struct mr_copula_texts *texts, uint64_t row,
                                       struct mr_arena *arena)
{
    size_t prefix = 0;
    while (prefix < texts->sizes[0] &&
           !(texts->bytes[0][prefix] >= '0' && texts->bytes[0][prefix] <= '9'))
        prefix++;
    if (prefix == texts->sizes[0])
        prefix = 0; /* no number in it: nothing of it is shown */
    uint8_t *text = mr_arena_take(arena, prefix + 24);
    if (prefix > 0)
        memcpy(text, texts->bytes[0], prefix);
    int digits =
        snprintf((char *)text + prefix, 24, "%0*llu", NUMBER_DIGITS, (unsigned long long)row);
    return mr_value_string(mr_slice_from(text, prefix + (size_t)digits));
}

struct mr_value mr_copula_cell(const struct mr_copula_column *column, double number, uint64_t row,
                               struct mr_arena *arena)
{
    if (isnan(number))
        return mr_value_null();
    switch ((enum mr_copula_kind)column->kind) {
    case MR_COPULA_BOOLEAN:
        return mr_value_bool(number > 0.5);
    case MR_COPULA_NUMBER:
        if (column->decimals == 0 && fabs(number) < 0x1p53)
            return mr_value_int((int64_t)number);
        return mr_value_double(number + 0.0);
    case MR_COPULA_TEXT: {
        uint32_t text = (uint32_t)number;
        return mr_value_string(mr_slice_from(column->texts.bytes[text], column->texts.sizes[text]));
    }
    case MR_COPULA_DATE:
        return time_cell(number * DAY_MS, true, arena);
    case MR_COPULA_TIME:
        return time_cell(number, false, arena);
    case MR_COPULA_TIMESTAMP:
        return (struct mr_value){.kind = MR_KIND_TIMESTAMP, .integer = (int64_t)number * 1000000};
    case MR_COPULA_IDENTIFIER:
        return identifier_cell(&column->texts, row, arena);
    case MR_COPULA_UNKNOWN:
    case MR_COPULA_KINDS_COUNT:
        break;
    }
    return mr_value_null();
}
