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

enum {
    ROWS = MR_COPULA_SAMPLE_ROWS,
    DATE_BYTES = 10,
    SECOND_BYTES = 20,
    DAY_MS = 86400000,
    NUMBER_DIGITS = 12
};

/* Times that the calendar can write: years 1 to 9999. */
static const double time_min_ms = -62135596800000;
static const double time_max_ms = 253402300799999;

void mr_copula_sampler_create(struct mr_copula_sampler *sampler, uint32_t columns_count,
                              const struct mr_copula_condition *conditions,
                              uint32_t conditions_count)
{
    MR_ASSERT(conditions_count <= MR_COPULA_CONDITIONS_MAX);
    size_t latents = 2 * (size_t)columns_count;
    memset(sampler, 0, sizeof(*sampler));
    sampler->columns_count = columns_count;
    sampler->latents = mr_memory_new(latents, sizeof(*sampler->latents));
    sampler->factor = mr_memory_new(latents * latents, sizeof(double));
    sampler->normals = mr_memory_new(latents * ROWS, sizeof(double));
    sampler->values = mr_memory_new(latents * ROWS, sizeof(double));
    sampler->conditions = conditions;
    sampler->conditions_count = conditions_count;
    if (conditions_count > 0)
        sampler->boxes = mr_memory_new(1, sizeof(*sampler->boxes));
}

void mr_copula_sampler_destroy(struct mr_copula_sampler *sampler)
{
    mr_memory_free(sampler->latents);
    mr_memory_free(sampler->factor);
    mr_memory_free(sampler->normals);
    mr_memory_free(sampler->values);
    mr_memory_free(sampler->boxes);
    if (sampler->guard != NULL)
        mr_copula_guard_destroy(sampler->guard);
    mr_memory_free(sampler->guard);
}

void mr_copula_sampler_guard(struct mr_copula_sampler *sampler,
                             const struct mr_copula_privacy *privacy)
{
    sampler->guard = mr_memory_new(1, sizeof(*sampler->guard));
    mr_copula_guard_create(sampler->guard, privacy, sampler->columns_count, ROWS);
}

const struct mr_copula_column *mr_copula_sampler_columns(const struct mr_copula_sampler *sampler,
                                                         const struct mr_copula *model)
{
    return sampler->guard == NULL ? model->columns : sampler->guard->columns;
}

/* Put the constrained latents first, in the order of the boxes: lists and matrix. */
static void order_latents(struct mr_copula_sampler *sampler, double *matrix, double *scratch)
{
    uint32_t count = sampler->count;
    uint32_t order[2 * MR_COPULA_COLUMNS_MAX];
    uint32_t latents[2 * MR_COPULA_COLUMNS_MAX];
    bool taken[2 * MR_COPULA_COLUMNS_MAX] = {false};
    uint32_t placed = 0;
    for (uint32_t box = 0; box < sampler->boxes->count; box++)
        for (uint32_t at = 0; at < count; at++)
            if (sampler->latents[at] == sampler->boxes->boxes[box].latent) {
                order[placed++] = at;
                taken[at] = true;
            }
    MR_ASSERT(placed == sampler->boxes->count);
    for (uint32_t at = 0; at < count; at++)
        if (!taken[at])
            order[placed++] = at;
    for (uint32_t row = 0; row < count; row++) {
        latents[row] = sampler->latents[order[row]];
        for (uint32_t column = 0; column < count; column++)
            scratch[(size_t)row * count + column] =
                matrix[(size_t)order[row] * count + order[column]];
    }
    memcpy(sampler->latents, latents, count * sizeof(*latents));
    memcpy(matrix, scratch, (size_t)count * count * sizeof(*matrix));
}

enum mr_status mr_copula_sampler_make(struct mr_copula_sampler *sampler,
                                      const struct mr_copula *model, struct mr_copula_work *work,
                                      struct mr_error *error)
{
    MR_ASSERT(model->shape.columns_count == sampler->columns_count);
    sampler->count = mr_copula_correlations(model, sampler->latents, work->matrix);
    return mr_copula_sampler_bind(sampler, model, work, error);
}

/* Factor the correlations; true: they were indefinite, and are repaired. */
static bool factor(struct mr_copula_sampler *sampler, struct mr_copula_work *work)
{
    if (mr_symmetric_factor(work->matrix, sampler->count, sampler->factor))
        return false;
    mr_symmetric_repair(work->matrix, sampler->count, work->scratch);
    bool is_fine = mr_symmetric_factor(work->matrix, sampler->count, sampler->factor);
    MR_ASSERT(is_fine);
    return true;
}

enum mr_status mr_copula_sampler_bind(struct mr_copula_sampler *sampler,
                                      const struct mr_copula *model, struct mr_copula_work *work,
                                      struct mr_error *error)
{
    memset(sampler->values, 0, 2 * (size_t)sampler->columns_count * ROWS * sizeof(double));
    struct mr_copula view = *model;
    if (sampler->guard != NULL) {
        mr_copula_guard_make(sampler->guard, model);
        view.columns = sampler->guard->columns;
    }
    if (sampler->boxes != NULL) {
        enum mr_status status = mr_copula_boxes_make(sampler->boxes, &view, sampler->conditions,
                                                     sampler->conditions_count, error);
        if (status != MR_OK)
            return status;
    }
    /* Before the constrained latents come first, so that a matrix that was repaired once and kept
     * gives the same bytes. */
    sampler->is_repaired = factor(sampler, work);
    if (sampler->boxes != NULL) {
        order_latents(sampler, work->matrix, work->scratch);
        (void)factor(sampler, work);
    }
    return sampler->boxes == NULL
               ? MR_OK
               : mr_copula_boxes_bind(sampler->boxes, sampler->factor, sampler->count, error);
}

double mr_copula_sampler_probability(const struct mr_copula_sampler *sampler)
{
    return sampler->boxes == NULL ? 1 : sampler->boxes->probability;
}

static void draw_normals(struct mr_copula_sampler *sampler, uint64_t seed, const uint64_t *rows,
                         uint32_t rows_count)
{
    for (uint32_t row = 0; row < rows_count; row++) {
        struct mr_random random;
        mr_random_init(&random, seed, rows[row]);
        uint32_t given = sampler->boxes == NULL ? 0 : sampler->boxes->count;
        if (given > 0) {
            double normals[MR_COPULA_BOXES_MAX];
            mr_copula_boxes_draw(sampler->boxes, sampler->factor, sampler->count, &random, normals);
            for (uint32_t at = 0; at < given; at++)
                sampler->normals[(size_t)at * ROWS + row] = normals[at];
        }
        for (uint32_t at = given; at < sampler->count; at++) {
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
    const struct mr_copula_column *column = &mr_copula_sampler_columns(sampler, model)[index];
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

/* Rounding must not lead out of what was asked for. */
static void keep_bounds(const struct mr_copula_boxes *boxes, uint32_t rows_count, double *numbers)
{
    for (uint32_t bound = 0; bound < boxes->bounds_count; bound++) {
        double *column = numbers + (size_t)boxes->columns[bound] * ROWS;
        for (uint32_t row = 0; row < rows_count; row++) {
            if (column[row] < boxes->lowest[bound])
                column[row] = boxes->lowest[bound];
            if (column[row] > boxes->highest[bound])
                column[row] = boxes->highest[bound];
            if (boxes->members[bound].count > 0 && !isnan(column[row]))
                column[row] = mr_copula_members_nearest(&boxes->members[bound], column[row]);
        }
    }
}

/* The rows of these numbers. */
static void sample_rows(struct mr_copula_sampler *sampler, const struct mr_copula *model,
                        uint64_t seed, const uint64_t *rows, uint32_t rows_count, double *numbers)
{
    MR_ASSERT(rows_count <= ROWS);
    draw_normals(sampler, seed, rows, rows_count);
    make_latents(sampler);
    for (uint32_t index = 0; index < sampler->columns_count; index++)
        make_column(sampler, model, index, rows_count, numbers + (size_t)index * ROWS);
    if (sampler->boxes != NULL)
        keep_bounds(sampler->boxes, rows_count, numbers);
}

void mr_copula_sample(struct mr_copula_sampler *sampler, const struct mr_copula *model,
                      uint64_t seed, uint64_t first, uint32_t rows_count, double *numbers)
{
    uint64_t rows[ROWS] = {0};
    MR_ASSERT(rows_count <= ROWS);
    for (uint32_t row = 0; row < rows_count; row++)
        rows[row] = first + row;
    sample_rows(sampler, model, seed, rows, rows_count, numbers);
}

/* Draw the rows of the mask once more; returns those that still may not be shown. */
static uint64_t draw_anew(struct mr_copula_sampler *sampler, const struct mr_copula *model,
                          uint64_t seed, uint64_t first, uint64_t mask, double *numbers)
{
    struct mr_copula_guard *guard = sampler->guard;
    uint64_t rows[ROWS] = {0};
    uint32_t count = 0;
    for (uint64_t left = mask; left != 0; left &= left - 1)
        rows[count++] = first + (uint32_t)__builtin_ctzll(left);
    sampler->redrawn += count;
    sample_rows(sampler, model, seed, rows, count, guard->numbers);
    for (uint32_t at = 0; at < count; at++) {
        uint32_t row = (uint32_t)(rows[at] - first);
        if (!mr_copula_guard_allows(guard, model, guard->numbers + at, ROWS))
            continue;
        mask &= ~((uint64_t)1 << row);
        for (size_t column = 0; column < sampler->columns_count; column++)
            numbers[column * ROWS + row] = guard->numbers[column * ROWS + at];
    }
    return mask;
}

uint64_t mr_copula_sample_guarded(struct mr_copula_sampler *sampler, const struct mr_copula *model,
                                  uint64_t seed, uint64_t first, uint32_t rows_count,
                                  double *numbers)
{
    const struct mr_copula_guard *guard = sampler->guard;
    uint64_t mask = 0;
    mr_copula_sample(sampler, model, seed, first, rows_count, numbers);
    for (uint32_t row = 0; guard != NULL && row < rows_count; row++)
        if (!mr_copula_guard_allows(guard, model, numbers + row, ROWS))
            mask |= (uint64_t)1 << row;
    for (uint32_t redraw = 1; mask != 0 && redraw <= guard->privacy.redraws; redraw++)
        mask = draw_anew(sampler, model, seed ^ ((uint64_t)redraw << 56), first, mask, numbers);
    for (uint64_t left = mask; left != 0; left &= left - 1)
        for (size_t column = 0; column < sampler->columns_count; column++)
            numbers[column * ROWS + (uint32_t)__builtin_ctzll(left)] = NAN;
    return mask;
}

/* ---- Cells ---- */

/* size: of the text, without the rest; 0: with milliseconds. */
static struct mr_value time_cell(double time_ms, size_t size, struct mr_arena *arena)
{
    char text[MR_CLOCK_TEXT_SIZE];
    double bounded = time_ms < time_min_ms ? time_min_ms : time_ms;
    bounded = bounded > time_max_ms ? time_max_ms : bounded;
    size_t whole = mr_clock_format_rfc3339((int64_t)bounded, text);
    if (size == SECOND_BYTES)
        text[size - 1] = 'Z';
    if (size == 0)
        size = whole;
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
        return mr_value_double(number + 0.0);
    case MR_COPULA_TEXT: {
        uint32_t text = (uint32_t)number;
        return mr_value_string(mr_slice_from(column->texts.bytes[text], column->texts.sizes[text]));
    }
    case MR_COPULA_DATE:
        return time_cell(number * DAY_MS, DATE_BYTES, arena);
    case MR_COPULA_TIME:
        return time_cell(nearbyint(number * 1000), column->decimals == 0 ? SECOND_BYTES : 0, arena);
    case MR_COPULA_TIMESTAMP:
        return (struct mr_value){.kind = MR_KIND_TIMESTAMP,
                                 .integer = (int64_t)nearbyint(number * 1000) * 1000000};
    case MR_COPULA_IDENTIFIER:
        return identifier_cell(&column->texts, row, arena);
    case MR_COPULA_UNKNOWN:
    case MR_COPULA_KINDS_COUNT:
        break;
    }
    return mr_value_null();
}

void mr_copula_cells(const struct mr_copula_column *column, const double *numbers, uint64_t first,
                     uint32_t rows_count, struct mr_arena *arena, struct mr_value *cells)
{
    for (uint32_t row = 0; row < rows_count; row++)
        cells[row] = mr_copula_cell(column, numbers[row], first + row, arena);
}

void mr_copula_cells_kept(const struct mr_copula_column *column, const double *numbers,
                          uint64_t first, uint32_t rows_count, struct mr_arena *arena,
                          struct mr_value *cells)
{
    mr_copula_cells(column, numbers, first, rows_count, arena, cells);
    for (uint32_t row = 0; column->kind == MR_COPULA_TEXT && row < rows_count; row++)
        if (cells[row].kind == MR_KIND_STRING)
            cells[row] = mr_value_string(mr_arena_copy(arena, mr_value_text(cells[row])));
}
