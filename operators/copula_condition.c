/* operators/copula_condition.c — see copula_condition.h. */
#include "operators/copula_condition.h"

#include <math.h>
#include <string.h>

#include "operators/normal_score.h"

enum { PROBABILITY_SEED = 0x676f6c64 };

#define POINT_WIDTH 1e-9 /* intervals of one number, but for rounding */

/* ---- What conditions mean ---- */

static enum mr_status impossible(const struct mr_copula_condition *condition, const char *reason,
                                 struct mr_error *error)
{
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "the condition on field %s is impossible: %s", condition->name, reason);
}

static struct mr_copula_box *add_box(struct mr_copula_boxes *boxes, uint32_t latent)
{
    struct mr_copula_box *box = &boxes->boxes[boxes->count++];
    box->latent = latent;
    box->parts_count = 0;
    return box;
}

static void add_part(struct mr_copula_box *box, double from, double to)
{
    if (box->parts_count > 0 && box->parts[box->parts_count - 1].to >= from)
        box->parts[box->parts_count - 1].to = to;
    else
        box->parts[box->parts_count++] = (struct mr_copula_part){from, to};
}

/* The texts' ranks, or 0 and 1 of booleans, as parts. */
static bool add_texts(struct mr_copula_box *box, const struct mr_copula_column *column,
                      const struct mr_copula_condition *condition)
{
    bool wanted[MR_COPULA_TEXTS_MAX] = {false};
    for (uint32_t at = 0; at < condition->texts_count; at++) {
        struct mr_slice text = mr_slice_text(condition->texts[at]);
        if (column->kind == MR_COPULA_BOOLEAN) {
            wanted[1] = wanted[1] || mr_slice_equal(text, mr_slice_text("true"));
            wanted[0] = wanted[0] || mr_slice_equal(text, mr_slice_text("false"));
        } else {
            double number = mr_copula_text_find(&column->texts, text);
            if (number < MR_COPULA_RARE)
                wanted[column->texts.ranks[(uint32_t)number]] = true;
        }
    }
    for (uint32_t rank = 0; rank < MR_COPULA_TEXTS_MAX; rank++) {
        double from;
        double to;
        if (wanted[rank] && mr_marginal_interval(&column->map, rank, rank, &from, &to))
            add_part(box, from, to);
    }
    return box->parts_count > 0;
}

/* Bounds that count themselves, and are numbers that the column can have. */
static void close_bounds(const struct mr_copula_column *column,
                         const struct mr_copula_condition *condition, double *lowest,
                         double *highest)
{
    double scale = mr_copula_scale(column);
    *lowest = condition->lowest;
    *highest = condition->highest;
    if (scale > 0 && fabs(*lowest) < 0x1p52) {
        double whole = ceil(*lowest * scale);
        bool is_out = condition->lowest_is_out && whole / scale <= *lowest;
        *lowest = (is_out ? whole + 1 : whole) / scale;
    } else if (condition->lowest_is_out) {
        *lowest = nextafter(*lowest, INFINITY);
    }
    if (scale > 0 && fabs(*highest) < 0x1p52) {
        double whole = floor(*highest * scale);
        bool is_out = condition->highest_is_out && whole / scale >= *highest;
        *highest = (is_out ? whole - 1 : whole) / scale;
    } else if (condition->highest_is_out) {
        *highest = nextafter(*highest, -INFINITY);
    }
}

static bool add_numbers(struct mr_copula_boxes *boxes, struct mr_copula_box *box,
                        const struct mr_copula_column *column,
                        const struct mr_copula_condition *condition)
{
    double lowest;
    double highest;
    double from;
    double to;
    close_bounds(column, condition, &lowest, &highest);
    if (!(lowest <= highest))
        return false;
    uint32_t bound = boxes->bounds_count++;
    boxes->columns[bound] = condition->column;
    boxes->lowest[bound] = lowest;
    boxes->highest[bound] = highest;
    bool is_wide = mr_marginal_interval(&column->map, lowest, highest, &from, &to);
    if (!is_wide || to - from < POINT_WIDTH) {
        /* A single number within a bin has next to no interval, yet it is possible. */
        box->point = mr_marginal_score(&column->map, lowest);
        return lowest == highest && isfinite(from);
    }
    add_part(box, from, to);
    return true;
}

static enum mr_status add_condition(struct mr_copula_boxes *boxes, const struct mr_copula *model,
                                    const struct mr_copula_condition *condition,
                                    struct mr_error *error)
{
    const struct mr_copula_column *column = &model->columns[condition->column];
    uint32_t missing = model->shape.columns_count + condition->column;
    bool by_text = condition->texts_count > 0;
    bool has_texts = column->kind == MR_COPULA_TEXT || column->kind == MR_COPULA_BOOLEAN;
    if (column->map.bins_count == 0)
        return impossible(condition, "no value that can be asked for was learned", error);
    if (by_text != has_texts)
        return impossible(condition,
                          by_text ? "it has no texts, give gte, gt, lte or lt"
                                  : "it has no numbers, give any_of",
                          error);
    struct mr_copula_box *box = add_box(boxes, condition->column);
    if (by_text ? !add_texts(box, column, condition) : !add_numbers(boxes, box, column, condition))
        return impossible(condition, "no such value was learned", error);
    if (!model->latents[condition->column].is_active)
        boxes->count--; /* the only value there is */
    if (model->latents[missing].is_active)
        add_part(add_box(boxes, missing), -INFINITY, model->latents[missing].threshold);
    return MR_OK;
}

enum mr_status mr_copula_boxes_make(struct mr_copula_boxes *boxes, const struct mr_copula *model,
                                    const struct mr_copula_condition *conditions,
                                    uint32_t conditions_count, struct mr_error *error)
{
    boxes->count = 0;
    boxes->points_count = 0;
    boxes->bounds_count = 0;
    boxes->probability = 1;
    for (uint32_t index = 0; index < conditions_count; index++) {
        enum mr_status status = add_condition(boxes, model, &conditions[index], error);
        if (status != MR_OK)
            return status;
    }
    for (uint32_t index = 0; index < boxes->count; index++) {
        if (boxes->boxes[index].parts_count > 0)
            continue;
        struct mr_copula_box point = boxes->boxes[index];
        boxes->boxes[index] = boxes->boxes[boxes->points_count];
        boxes->boxes[boxes->points_count++] = point;
    }
    return MR_OK;
}

/* ---- Truncated normal numbers ---- */

/* Probability of a part, from the tail that keeps its digits. */
static double part_mass(double from, double to)
{
    return from > 0 ? mr_normal_below(-from) - mr_normal_below(-to)
                    : mr_normal_below(to) - mr_normal_below(from);
}

static double box_mass(const struct mr_copula_box *box, double mean, double deviation)
{
    double sum = 0;
    for (uint32_t part = 0; part < box->parts_count; part++)
        sum += part_mass((box->parts[part].from - mean) / deviation,
                         (box->parts[part].to - mean) / deviation);
    return sum;
}

/* The number of a part at the share of its probability. */
static double part_at(double from, double to, double mass, double share)
{
    double z = from > 0 ? -mr_normal_score(mr_normal_below(-from) - share * mass)
                        : mr_normal_score(mr_normal_below(from) + share * mass);
    if (!(z >= from))
        return from;
    return z <= to ? z : to;
}

/* A number of the box with this mean and deviation. Where all parts are too far away: the bound
 * that is nearest. */
static double draw_in(const struct mr_copula_box *box, double mean, double deviation,
                      double uniform)
{
    double left = uniform * box_mass(box, mean, deviation);
    double nearest = 0;
    double least = INFINITY;
    for (uint32_t part = 0; part < box->parts_count; part++) {
        double from = (box->parts[part].from - mean) / deviation;
        double to = (box->parts[part].to - mean) / deviation;
        double mass = part_mass(from, to);
        double bound = from > 0 ? from : to < 0 ? to : 0;
        if (mass > 0 && left <= mass)
            return mean + deviation * part_at(from, to, mass, left / mass);
        left -= mass;
        if (fabs(bound) < least) {
            least = fabs(bound);
            nearest = bound;
        }
    }
    return mean + deviation * nearest;
}

/* ---- Drawing ---- */

/* Draw the boxes one after the other; returns the probability of having got there. */
static double draw_sequence(const struct mr_copula_boxes *boxes, const double *factor,
                            size_t stride, struct mr_random *random, double *normals)
{
    double probability = 1;
    memcpy(normals, boxes->normals, boxes->points_count * sizeof(*normals));
    for (uint32_t row = boxes->points_count; row < boxes->count; row++) {
        const double *line = factor + row * stride;
        double mean = 0;
        for (uint32_t at = 0; at < row; at++)
            mean += line[at] * normals[at];
        const struct mr_copula_box *box = &boxes->boxes[row];
        probability *= box_mass(box, mean, line[row]);
        double z = draw_in(box, mean, line[row], mr_random_double(random));
        normals[row] = (z - mean) / line[row];
    }
    return probability;
}

void mr_copula_boxes_draw(const struct mr_copula_boxes *boxes, const double *factor, size_t stride,
                          struct mr_random *random, double *normals)
{
    uint32_t first = boxes->points_count;
    uint32_t count = boxes->count - first;
    double z[MR_COPULA_BOXES_MAX];
    (void)draw_sequence(boxes, factor, stride, random, normals);
    if (count < 2)
        return;
    for (uint32_t row = 0; row < count; row++) {
        z[row] = 0;
        for (uint32_t at = 0; at <= first + row; at++)
            z[row] += factor[(first + row) * stride + at] * normals[at];
    }
    for (int sweep = 0; sweep < MR_COPULA_GIBBS_SWEEPS; sweep++)
        for (uint32_t row = 0; row < count; row++) {
            const double *line = boxes->precision + (size_t)row * count;
            double off = 0;
            for (uint32_t at = 0; at < count; at++)
                off += at == row ? 0 : line[at] * (z[at] - boxes->means[at]);
            z[row] = draw_in(&boxes->boxes[first + row], boxes->means[row] - off / line[row],
                             1 / sqrt(line[row]), mr_random_double(random));
        }
    for (uint32_t row = 0; row < count; row++) {
        const double *line = factor + (first + row) * stride;
        double rest = z[row];
        for (uint32_t at = 0; at < first + row; at++)
            rest -= line[at] * normals[at];
        normals[first + row] = rest / line[first + row];
    }
}

/* ---- Binding ---- */

/* Inverse of the boxes' covariance given the points, from their part of the factor. */
static void invert(struct mr_copula_boxes *boxes, const double *factor, size_t stride)
{
    uint32_t first = boxes->points_count;
    uint32_t count = boxes->count - first;
    double inverse[MR_COPULA_BOXES_MAX * MR_COPULA_BOXES_MAX] = {0}; /* of the factor */
    for (uint32_t column = 0; column < count; column++)
        for (uint32_t row = column; row < count; row++) {
            const double *line = factor + (first + row) * stride + first;
            double sum = row == column ? 1 : 0;
            for (uint32_t at = column; at < row; at++)
                sum -= line[at] * inverse[at * count + column];
            inverse[row * count + column] = sum / line[row];
        }
    for (uint32_t row = 0; row < count; row++)
        for (uint32_t column = 0; column < count; column++) {
            double sum = 0;
            for (uint32_t at = 0; at < count; at++)
                sum += inverse[at * count + row] * inverse[at * count + column];
            boxes->precision[row * count + column] = sum;
        }
}

enum mr_status mr_copula_boxes_bind(struct mr_copula_boxes *boxes, const double *factor,
                                    size_t stride, struct mr_error *error)
{
    uint32_t first = boxes->points_count;
    for (uint32_t row = 0; row < boxes->count; row++) {
        const double *line = factor + row * stride;
        double mean = 0;
        for (uint32_t at = 0; at < (row < first ? row : first); at++)
            mean += line[at] * boxes->normals[at];
        if (row < first)
            boxes->normals[row] = (boxes->boxes[row].point - mean) / line[row];
        else
            boxes->means[row - first] = mean;
    }
    invert(boxes, factor, stride);
    double sum = 0;
    uint32_t draws = boxes->count - first > 1 ? MR_COPULA_PROBABILITY_DRAWS : 1;
    for (uint32_t draw = 0; draw < draws; draw++) {
        double normals[MR_COPULA_BOXES_MAX];
        struct mr_random random;
        mr_random_init(&random, PROBABILITY_SEED, draw);
        sum += draw_sequence(boxes, factor, stride, &random, normals);
    }
    boxes->probability = sum / draws;
    if (!(boxes->probability >= MR_COPULA_PROBABILITY_MIN))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the conditions are impossible together: their probability is %.2g, below "
                       "%g",
                       boxes->probability, MR_COPULA_PROBABILITY_MIN);
    return MR_OK;
}
