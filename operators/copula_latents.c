/* operators/copula_latents.c — what the latents of a copula (copula.h) have to do with each other:
 * scores, their decayed moments, the reservoir, and the correlations that follow.
 * Design: a missing value has the score 0, and a pair's products are divided by the weight of the
 * rows in which both are there. The score of a tied value is the mean of its interval, so that
 * covariances of scores are too small; for latents with correlation r the covariance of two scores
 * is the sum over k of a_k b_k r^k, where a_k is the k-th Hermite coefficient of the way from the
 * latent to its score. It rises with r, so that r is found by Newton's method within bounds. With
 * one continuous latent only k = 1 is left: the polyserial correction.
 *   The reservoir is a sample without replacement: a row of weight w gets ln E - ln w, with E
 * exponential, and the least of them stay. */
#include "operators/copula.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "operators/natural_log.h"
#include "operators/normal_score.h"

#define TIED 0.002         /* variance that scores must lack to count as tied */
#define VARIES 1e-9        /* least variance of scores */
#define MOVED_MEAN 0.1     /* mean score from which on distributions have moved */
#define MOVED_VARIANCE 0.2 /* the same of the variance's distance from what it should be */
#define CORRELATION_MAX 0.9995

enum { SOLVE_STEPS = 40 };

/* ---- Latents ---- */

/* Hermite functions h_k(z), orthonormal, times the density; of an infinite z all 0. */
static void hermite_at(double z, double values[MR_COPULA_HERMITE + 2])
{
    double height = mr_normal_density(z);
    if (!(height > 0)) {
        memset(values, 0, (MR_COPULA_HERMITE + 2) * sizeof(*values));
        return;
    }
    double before = 0;
    double now = 1;
    for (int k = 0; k < MR_COPULA_HERMITE + 2; k++) {
        values[k] = now * height;
        double next = (z * now - sqrt(k) * before) / sqrt(k + 1);
        before = now;
        now = next;
    }
}

/* Add what a tied interval changes in the coefficients of the identity. */
static void add_interval(double score, double share, const double *from, const double *to,
                         double hermite[MR_COPULA_HERMITE])
{
    double integrals[MR_COPULA_HERMITE + 2]; /* of h_k times the density */
    integrals[0] = share;
    for (int k = 1; k < MR_COPULA_HERMITE + 2; k++)
        integrals[k] = (from[k - 1] - to[k - 1]) / sqrt(k);
    for (int k = 1; k <= MR_COPULA_HERMITE; k++)
        hermite[k - 1] +=
            score * integrals[k] - sqrt(k + 1) * integrals[k + 1] - sqrt(k) * integrals[k - 1];
}

static void map_value(struct mr_copula_latent *latent, const struct mr_marginal_map *map)
{
    double from[MR_COPULA_HERMITE + 2];
    double to[MR_COPULA_HERMITE + 2];
    latent->is_active = map->bins_count > 0 && map->variance > VARIES;
    latent->is_tied = latent->is_active && map->variance < 1 - TIED;
    memset(latent->hermite, 0, sizeof(latent->hermite));
    latent->hermite[0] = 1;
    if (!latent->is_tied)
        return;
    hermite_at(-INFINITY, from);
    double below = 0;
    for (uint32_t bin = 0; bin < map->bins_count; bin++) {
        bool is_last = bin + 1 == map->bins_count;
        hermite_at(is_last ? INFINITY : map->edges[bin + 1], to);
        double end = is_last ? 1 : mr_normal_below(map->edges[bin + 1]);
        if (map->lowest[bin] >= map->highest[bin])
            add_interval(map->scores[bin], end - below, from, to, latent->hermite);
        below = end;
        memcpy(from, to, sizeof(from));
    }
}

static void map_missing(struct mr_copula_latent *latent, double share)
{
    double from[MR_COPULA_HERMITE + 2];
    double edge[MR_COPULA_HERMITE + 2];
    double to[MR_COPULA_HERMITE + 2];
    latent->is_active = share > 1e-9 && share < 1 - 1e-9;
    latent->is_tied = latent->is_active;
    if (!latent->is_active)
        return;
    latent->threshold = mr_normal_score(1 - share);
    double height = mr_normal_density(latent->threshold);
    latent->missing = height / share;
    latent->present = -height / (1 - share);
    hermite_at(-INFINITY, from);
    hermite_at(latent->threshold, edge);
    hermite_at(INFINITY, to);
    memset(latent->hermite, 0, sizeof(latent->hermite));
    latent->hermite[0] = 1;
    add_interval(latent->present, 1 - share, from, edge, latent->hermite);
    add_interval(latent->missing, share, edge, to, latent->hermite);
}

void mr_copula_map_latents(struct mr_copula *model)
{
    uint32_t columns_count = model->shape.columns_count;
    for (uint32_t index = 0; index < columns_count; index++) {
        const struct mr_copula_column *column = &model->columns[index];
        double share = model->weight > 0 ? column->missing / model->weight : 0;
        map_value(&model->latents[index], &column->map);
        map_missing(&model->latents[columns_count + index], share);
    }
}

/* ---- Moments ---- */

/* Scores of a row's numbers, 0 where there is none; where one is missing is told by NaN. */
static void score_row(const struct mr_copula *model, const double *numbers, size_t stride,
                      double *scores)
{
    uint32_t columns_count = model->shape.columns_count;
    for (uint32_t index = 0; index < columns_count; index++) {
        double number = numbers[index * stride];
        double score = mr_copula_score(&model->columns[index], number);
        const struct mr_copula_latent *latent = &model->latents[columns_count + index];
        scores[index] = isnan(score) ? 0 : score;
        scores[columns_count + index] = 0;
        if (latent->is_active)
            scores[columns_count + index] = isnan(number) ? latent->missing : latent->present;
    }
}

static void add_row(struct mr_copula *sums, const struct mr_copula_latent *latents,
                    const double *scores, const double *numbers, size_t stride, double weight)
{
    uint32_t columns_count = sums->shape.columns_count;
    for (uint32_t row = 0; row < 2 * columns_count; row++) {
        double score = scores[row] * weight;
        double *line = sums->moments + mr_copula_triangle(row, 0);
        if (!latents[row].is_active)
            continue;
        sums->means[row] += score;
        for (uint32_t column = 0; column <= row; column++)
            line[column] += score * scores[column];
    }
    for (uint32_t row = 0; row < columns_count; row++) {
        if (!isnan(numbers[row * stride]))
            continue;
        for (uint32_t column = 0; column <= row; column++)
            if (isnan(numbers[column * stride]))
                sums->missing_together[mr_copula_triangle(row, column)] += weight;
    }
}

static void scale_moments(struct mr_copula *model, double factor)
{
    size_t columns = model->shape.columns_count;
    for (size_t at = 0; at < mr_copula_triangle(2 * columns, 0); at++)
        model->moments[at] *= factor;
    for (size_t at = 0; at < 2 * columns; at++)
        model->means[at] *= factor;
    for (size_t at = 0; at < mr_copula_triangle(columns, 0); at++)
        model->missing_together[at] *= factor;
}

void mr_copula_learn_latents(struct mr_copula *model, struct mr_copula_work *work,
                             uint32_t rows_count, double factor)
{
    scale_moments(model, factor);
    mr_copula_add_block(model, model, work, rows_count);
}

void mr_copula_add_block(struct mr_copula *sums, const struct mr_copula *frame,
                         struct mr_copula_work *work, uint32_t rows_count)
{
    for (uint32_t row = 0; row < rows_count; row++) {
        const double *numbers = work->numbers + row;
        score_row(frame, numbers, MR_COPULA_BLOCK_MAX, work->row);
        add_row(sums, frame->latents, work->row, numbers, MR_COPULA_BLOCK_MAX, 1);
    }
}

/* ---- Reservoir ---- */

static double *kept_row(const struct mr_copula *model, uint32_t row)
{
    return model->reservoir + (size_t)row * (model->shape.columns_count + 1);
}

static void sift_down(struct mr_copula *model, uint32_t at, uint32_t count)
{
    uint32_t *heap = model->heap;
    uint32_t moving = heap[at];
    double priority = kept_row(model, moving)[0];
    for (uint32_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count &&
            kept_row(model, heap[child + 1])[0] > kept_row(model, heap[child])[0])
            child++;
        if (kept_row(model, heap[child])[0] <= priority)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

void mr_copula_heap_make(struct mr_copula *model)
{
    for (uint32_t row = 0; row < model->kept; row++)
        model->heap[row] = row;
    for (uint32_t at = model->kept / 2; at-- > 0;)
        sift_down(model, at, model->kept);
}

void mr_copula_keep_row(struct mr_copula *model, double priority, const double *numbers,
                        size_t stride)
{
    bool is_full = model->kept == model->shape.reservoir_rows;
    if (is_full && priority >= kept_row(model, model->heap[0])[0])
        return;
    double *kept = kept_row(model, is_full ? model->heap[0] : model->kept++);
    kept[0] = priority;
    for (size_t column = 0; column < model->shape.columns_count; column++)
        kept[1 + column] = numbers[column * stride];
    if (is_full)
        sift_down(model, 0, model->kept);
    else if (model->kept == model->shape.reservoir_rows)
        mr_copula_heap_make(model);
}

void mr_copula_keep_rows(struct mr_copula *model, const struct mr_copula_work *work,
                         uint32_t rows_count)
{
    struct mr_random random;
    mr_random_init(&random, model->shape.seed, model->rows);
    for (uint32_t row = 0; row < rows_count; row++) {
        double exponential = -mr_natural_log(1 - mr_random_double(&random));
        double priority = mr_natural_log(exponential + 1e-300) - model->age;
        mr_copula_keep_row(model, priority, work->numbers + row, MR_COPULA_BLOCK_MAX);
    }
}

/* ---- Rebuilding ---- */

/* The other column whose mean score differs most from text to text; d: there is none. */
static uint32_t leading_column(const struct mr_copula *model, const double *sums,
                               const double *counts, uint32_t texts_count)
{
    uint32_t columns_count = model->shape.columns_count;
    uint32_t best = columns_count;
    double most = 0;
    for (uint32_t other = 0; other < columns_count; other++) {
        double between = 0;
        const double *own = sums + (size_t)other * MR_COPULA_TEXTS_MAX;
        for (uint32_t text = 0; text < texts_count; text++)
            between += counts[text] > 0 ? own[text] * own[text] / counts[text] : 0;
        if (between > most) {
            most = between;
            best = other;
        }
    }
    return best;
}

/* Order a category's texts by the mean of the column that they tell most about; without one, by
 * their weights. */
static void order_texts(struct mr_copula *model, uint32_t index, double *sums)
{
    uint32_t columns_count = model->shape.columns_count;
    struct mr_copula_texts *texts = &model->columns[index].texts;
    double counts[MR_COPULA_TEXTS_MAX] = {0};
    double places[MR_COPULA_TEXTS_MAX];
    memset(sums, 0, (size_t)columns_count * MR_COPULA_TEXTS_MAX * sizeof(*sums));
    for (uint32_t row = 0; row < model->kept; row++) {
        const double *numbers = kept_row(model, row) + 1;
        if (isnan(numbers[index]) || numbers[index] >= MR_COPULA_RARE)
            continue;
        uint32_t text = (uint32_t)numbers[index];
        counts[text] += 1;
        for (uint32_t other = 0; other < columns_count; other++) {
            if (other == index || model->columns[other].kind == MR_COPULA_TEXT)
                continue;
            double score = mr_copula_score(&model->columns[other], numbers[other]);
            sums[(size_t)other * MR_COPULA_TEXTS_MAX + text] += isnan(score) ? 0 : score;
        }
    }
    uint32_t leading = leading_column(model, sums, counts, texts->count);
    for (uint32_t text = 0; text < texts->count; text++) {
        double sum = leading < columns_count ? sums[(size_t)leading * MR_COPULA_TEXTS_MAX + text]
                                             : -texts->weights[text];
        places[text] = leading < columns_count && counts[text] > 0 ? sum / counts[text] : sum;
    }
    for (uint32_t made = 0; made < texts->count; made++) {
        uint32_t at = made;
        for (; at > 0 && places[texts->order[at - 1]] > places[made]; at--)
            texts->order[at] = texts->order[at - 1];
        texts->order[at] = (uint8_t)made;
    }
}

double mr_copula_drift(const struct mr_copula *model, uint32_t column)
{
    double expected = model->columns[column].map.variance;
    double weight = model->weight - model->columns[column].missing;
    if (!model->latents[column].is_active || !(weight > 0))
        return 0;
    double mean = model->means[column] / weight;
    double variance = model->moments[mr_copula_triangle(column, column)] / weight - mean * mean;
    double by_mean = fabs(mean) / MOVED_MEAN;
    double by_variance = fabs(variance - expected) / (MOVED_VARIANCE * expected);
    return by_mean > by_variance ? by_mean : by_variance;
}

bool mr_copula_has_moved(const struct mr_copula *model)
{
    for (uint32_t index = 0; index < model->shape.columns_count; index++)
        if (mr_copula_drift(model, index) > 1)
            return true;
    return false;
}

void mr_copula_order_texts(struct mr_copula *model, struct mr_copula_work *work)
{
    for (uint32_t index = 0; index < model->shape.columns_count; index++)
        if (model->columns[index].kind == MR_COPULA_TEXT)
            order_texts(model, index, work->sums);
}

void mr_copula_make_moments(struct mr_copula *sums, const struct mr_copula *frame,
                            struct mr_copula_work *work, uint32_t first, uint32_t rows_count)
{
    scale_moments(sums, 0);
    double weight = rows_count > 0 ? sums->weight / rows_count : 0;
    for (uint32_t row = first; row < first + rows_count; row++) {
        const double *numbers = kept_row(frame, row) + 1;
        score_row(frame, numbers, 1, work->row);
        add_row(sums, frame->latents, work->row, numbers, 1, weight);
    }
}

void mr_copula_rebuild(struct mr_copula *model, struct mr_copula_work *work)
{
    mr_copula_order_texts(model, work);
    mr_copula_map_columns(model);
    mr_copula_map_latents(model);
    mr_copula_make_moments(model, model, work, 0, model->kept);
}

/* ---- Correlations ---- */

/* The correlation of two tied latents whose scores have the covariance. */
static double solve_correlation(const double *left, const double *right, double covariance)
{
    double low = -CORRELATION_MAX;
    double high = CORRELATION_MAX;
    double r = covariance / (left[0] * right[0]);
    for (int step = 0; step < SOLVE_STEPS; step++) {
        if (!(r > low && r < high))
            r = (low + high) / 2;
        double sum = 0;
        double slope = 0;
        for (int k = MR_COPULA_HERMITE - 1; k >= 0; k--) {
            slope = slope * r + (k + 1) * left[k] * right[k];
            sum = (sum + left[k] * right[k]) * r;
        }
        double off = sum - covariance;
        if (off > 0)
            high = r;
        else
            low = r;
        if (fabs(off) < 1e-9 || high - low < 1e-9)
            break;
        r = slope > 0 ? r - off / slope : 2;
    }
    return r;
}

struct latent_moments {
    double weight;
    double mean;
    double variance;
};

static struct latent_moments moments_of(const struct mr_copula *model, uint32_t latent)
{
    uint32_t columns_count = model->shape.columns_count;
    double weight = model->weight;
    if (latent < columns_count)
        weight -= model->columns[latent].missing;
    double mean = weight > 0 ? model->means[latent] / weight : 0;
    double square = model->moments[mr_copula_triangle(latent, latent)];
    return (struct latent_moments){weight, mean, weight > 0 ? square / weight - mean * mean : 0};
}

static double pair_weight(const struct mr_copula *model, uint32_t row, uint32_t column)
{
    uint32_t columns_count = model->shape.columns_count;
    double weight = model->weight;
    if (column < columns_count)
        weight -= model->columns[column].missing;
    if (row < columns_count)
        weight +=
            model->missing_together[mr_copula_triangle(row, column)] - model->columns[row].missing;
    return weight;
}

static double correlation_of(const struct mr_copula *model, uint32_t row, uint32_t column)
{
    const struct mr_copula_latent *left = &model->latents[row];
    const struct mr_copula_latent *right = &model->latents[column];
    struct latent_moments own = moments_of(model, row);
    struct latent_moments other = moments_of(model, column);
    double weight = pair_weight(model, row, column);
    double product = own.variance * other.variance;
    if (!(weight > 0) || !(product > 0) || row == column + model->shape.columns_count)
        return 0;
    double covariance =
        model->moments[mr_copula_triangle(row, column)] / weight - own.mean * other.mean;
    double r = covariance / sqrt(product);
    if (!left->is_tied && !right->is_tied)
        return r < -1 ? -1 : r > 1 ? 1 : r;
    /* As if the scores had the variance that their latents give them. */
    covariance = r * sqrt(left->hermite[0] * right->hermite[0]);
    if (left->is_tied && right->is_tied)
        return solve_correlation(left->hermite, right->hermite, covariance);
    r = covariance / (left->hermite[0] * right->hermite[0]);
    return r < -CORRELATION_MAX ? -CORRELATION_MAX : r > CORRELATION_MAX ? CORRELATION_MAX : r;
}

uint32_t mr_copula_correlations(const struct mr_copula *model, uint32_t *latents, double *matrix)
{
    uint32_t count = 0;
    for (uint32_t latent = 0; latent < 2 * model->shape.columns_count; latent++)
        if (model->latents[latent].is_active)
            latents[count++] = latent;
    for (uint32_t row = 0; row < count; row++) {
        matrix[(size_t)row * count + row] = 1;
        for (uint32_t column = 0; column < row; column++) {
            double r = correlation_of(model, latents[row], latents[column]);
            matrix[(size_t)row * count + column] = r;
            matrix[(size_t)column * count + row] = r;
        }
    }
    return count;
}
