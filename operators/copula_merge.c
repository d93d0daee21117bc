/* operators/copula_merge.c — two copulas (copula.h) as one: learners of several partitions become a
 * model of the whole stream.
 * Design: weights, bins and texts add up. Scores mean the same in both models only where the
 * distributions are alike and texts have the same order; then moments add up too. Otherwise, and
 * while the reservoir holds every row, they are made anew from the merged reservoir, whose
 * priorities count from now: ln E - (age of the row - age of the model). */
#include "operators/copula.h"

#include <math.h>

#include "base/assert.h"
#include "operators/normal_score.h"

#define ALIKE 0.05 /* greatest distance of two distributions */

/* Greatest distance of the two distributions at the ends of the other's bins. */
static bool numbers_are_alike(const struct mr_marginal_map *map,
                              const struct mr_marginal_map *other)
{
    for (uint32_t bin = 0; bin + 1 < other->bins_count; bin++) {
        double from;
        double to;
        double below = mr_normal_below(other->edges[bin + 1]);
        bool is_any = mr_marginal_interval(map, -INFINITY, other->highest[bin], &from, &to);
        if (fabs((is_any ? mr_normal_below(to) : 0) - below) > ALIKE)
            return false;
    }
    return true;
}

static double weight_of(const struct mr_copula_texts *texts)
{
    double sum = 0;
    for (uint32_t text = 0; text < texts->count; text++)
        sum += texts->weights[text];
    return sum;
}

static struct mr_slice text_at(const struct mr_copula_texts *texts, uint32_t text)
{
    return mr_slice_from(texts->bytes[text], texts->sizes[text]);
}

/* The same order, and shares that differ little. */
static bool texts_are_alike(const struct mr_copula_texts *texts,
                            const struct mr_copula_texts *other)
{
    double weight = weight_of(texts);
    double other_weight = weight_of(other);
    double last = -1;
    for (uint32_t rank = 0; rank < other->count; rank++) {
        uint32_t text = other->order[rank];
        double found = mr_copula_text_find(texts, text_at(other, text));
        if (found == MR_COPULA_RARE || texts->ranks[(uint32_t)found] <= last ||
            fabs(texts->weights[(uint32_t)found] / weight - other->weights[text] / other_weight) >
                ALIKE)
            return false;
        last = texts->ranks[(uint32_t)found];
    }
    return true;
}

static bool are_alike(const struct mr_copula *model, const struct mr_copula *other)
{
    for (uint32_t index = 0; index < model->shape.columns_count; index++) {
        const struct mr_copula_column *column = &model->columns[index];
        const struct mr_copula_column *from = &other->columns[index];
        if (column->kind != from->kind ||
            fabs(column->missing / model->weight - from->missing / other->weight) > ALIKE)
            return false;
        if (column->kind == MR_COPULA_TEXT ? !texts_are_alike(&column->texts, &from->texts)
                                           : !numbers_are_alike(&column->map, &from->map))
            return false;
    }
    return true;
}

void mr_copula_merge_column(struct mr_copula_column *column, const struct mr_copula_column *other,
                            double other_weight, double numbers[MR_COPULA_TEXTS_MAX])
{
    if (column->kind == MR_COPULA_UNKNOWN)
        column->kind = other->kind;
    if (column->kind != other->kind) {
        column->missing += other_weight;
        return;
    }
    column->missing += other->missing;
    column->decimals = column->decimals > other->decimals ? column->decimals : other->decimals;
    mr_marginal_merge(&column->marginal, &other->marginal, mr_copula_scale(column));
    for (uint32_t text = 0; text < other->texts.count; text++) {
        double number = mr_copula_text_number(&column->texts, text_at(&other->texts, text));
        numbers[text] = number;
        if (number < MR_COPULA_RARE)
            column->texts.weights[(uint32_t)number] += other->texts.weights[text];
    }
}

void mr_copula_merge_rows(struct mr_copula *model, const struct mr_copula *other,
                          const double *numbers)
{
    size_t columns = model->shape.columns_count;
    double row[MR_COPULA_COLUMNS_MAX];
    for (size_t kept = 0; kept < other->kept; kept++) {
        const double *from = other->reservoir + kept * (columns + 1);
        for (size_t index = 0; index < columns; index++) {
            double number = from[1 + index];
            row[index] = number;
            if (model->columns[index].kind != other->columns[index].kind)
                row[index] = NAN;
            else if (model->columns[index].kind == MR_COPULA_TEXT && number < MR_COPULA_RARE)
                row[index] = numbers[index * MR_COPULA_TEXTS_MAX + (size_t)number];
        }
        mr_copula_keep_row(model, from[0] + other->age - model->age, row, 1);
    }
}

void mr_copula_add_moments(struct mr_copula *model, const struct mr_copula *other)
{
    size_t columns = model->shape.columns_count;
    for (size_t at = 0; at < mr_copula_triangle(2 * columns, 0); at++)
        model->moments[at] += other->moments[at];
    for (size_t at = 0; at < 2 * columns; at++)
        model->means[at] += other->means[at];
    for (size_t at = 0; at < mr_copula_triangle(columns, 0); at++)
        model->missing_together[at] += other->missing_together[at];
}

void mr_copula_merge(struct mr_copula *model, struct mr_copula_work *work,
                     const struct mr_copula *other)
{
    uint32_t columns_count = model->shape.columns_count;
    MR_ASSERT(columns_count == other->shape.columns_count);
    if (other->rows == 0)
        return;
    bool is_alike = model->rows > 0 && are_alike(model, other);
    /* A column of which nothing was known was missing so far. */
    for (uint32_t index = 0; index < columns_count; index++)
        mr_copula_merge_column(&model->columns[index], &other->columns[index], other->weight,
                               work->sums + (size_t)index * MR_COPULA_TEXTS_MAX);
    model->weight += other->weight;
    model->squares += other->squares;
    model->rows += other->rows;
    mr_copula_merge_rows(model, other, work->sums);
    if (is_alike)
        mr_copula_add_moments(model, other);
    mr_copula_map_columns(model);
    mr_copula_map_latents(model);
    if (!is_alike || model->rows <= model->shape.reservoir_rows || mr_copula_has_moved(model))
        mr_copula_rebuild(model, work);
}
