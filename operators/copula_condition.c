/* operators/copula_condition.c — see copula_condition.h. */
#include "operators/copula_condition.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/number.h"
#include "operators/natural_log.h"
#include "operators/normal_score.h"
#include "operators/tail.h"

enum {
    PROBABILITY_SEED = 0x676f6c64,
    SECOND_MS = 1000,
    DAY_MS = 86400000,
    CHOICES_FEW = 16,
    DRAWS_OF_MANY = 250
};

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
    box->points_count = 0;
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

static bool has_texts(const struct mr_copula_column *column)
{
    return column->kind == MR_COPULA_TEXT || column->kind == MR_COPULA_BOOLEAN;
}

static bool number_of(const struct mr_copula_column *column, struct mr_slice text, double *number)
{
    struct mr_number parsed;
    if (column->kind != MR_COPULA_NUMBER)
        return mr_copula_instant_number(column->kind, text, number);
    bool is_number =
        mr_number_parse(text.data, text.data + text.size, &parsed) == text.data + text.size &&
        text.size > 0 && isfinite(parsed.number);
    *number = is_number ? parsed.number : 0;
    return is_number;
}

bool mr_copula_condition_members(const struct mr_copula_condition *condition,
                                 const struct mr_copula_column *column,
                                 struct mr_copula_members *members)
{
    uint32_t count = condition->texts_count > 0 ? condition->texts_count : condition->numbers_count;
    members->count = 0;
    MR_ASSERT(count <= MR_COPULA_VALUES_MAX);
    for (uint32_t at = 0; at < count; at++) {
        double number = condition->texts_count > 0 ? 0 : condition->numbers[at];
        if (condition->texts_count > 0 &&
            !number_of(column, mr_slice_text(condition->texts[at]), &number))
            return false;
        uint32_t place = members->count;
        while (place > 0 && members->numbers[place - 1] > number)
            place--;
        if (place > 0 && members->numbers[place - 1] == number)
            continue;
        memmove(members->numbers + place + 1, members->numbers + place,
                (members->count - place) * sizeof(double));
        members->numbers[place] = number;
        members->count++;
    }
    return true;
}

double mr_copula_members_nearest(const struct mr_copula_members *members, double number)
{
    uint32_t nearest = 0;
    for (uint32_t at = 1; at < members->count; at++)
        if (fabs(members->numbers[at] - number) < fabs(members->numbers[nearest] - number))
            nearest = at;
    return members->numbers[nearest];
}

/* Bounds that count themselves, and are numbers that the column can have. */
static void close_bounds(const struct mr_copula_column *column,
                         const struct mr_copula_condition *condition, double *lowest,
                         double *highest)
{
    double scale = mr_copula_scale(column);
    double unit = !condition->is_instant ? 1 : column->kind == MR_COPULA_DATE ? DAY_MS : SECOND_MS;
    *lowest = condition->lowest / unit;
    *highest = condition->highest / unit;
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

/* A number in a bin has next to no interval, yet it is possible: its density is that of the bin's
 * scores. */
static void add_point(struct mr_copula_box *box, const struct mr_copula_column *column,
                      double number)
{
    const struct mr_marginal_map *map = &column->map;
    double z = mr_marginal_score(map, number);
    double slope = mr_marginal_slope(map, number);
    box->points[box->points_count++] =
        (struct mr_copula_point){.z = z, .log_density = slope > 0 ? mr_natural_log(slope) : 0};
}

/* One of the members. Those with a probability of their own come before all that have none. */
static bool add_members(struct mr_copula_boxes *boxes, struct mr_copula_box *box,
                        const struct mr_copula_column *column,
                        const struct mr_copula_members *members)
{
    struct mr_copula_members *kept = &boxes->members[boxes->bounds_count];
    bool is_wide[MR_COPULA_VALUES_MAX] = {false};
    bool any_wide = false;
    uint32_t found = 0;
    for (uint32_t at = 0; at < members->count; at++) {
        double lowest;
        double highest;
        double from;
        double to;
        struct mr_copula_condition one = {.lowest = members->numbers[at],
                                          .highest = members->numbers[at]};
        close_bounds(column, &one, &lowest, &highest);
        bool is_part =
            lowest <= highest && mr_marginal_interval(&column->map, lowest, highest, &from, &to);
        if (!is_part && !(lowest <= highest && isfinite(from)))
            continue;
        kept->numbers[found] = lowest;
        is_wide[found] = is_part && to - from >= POINT_WIDTH;
        any_wide = any_wide || is_wide[found];
        if (is_wide[found])
            add_part(box, from, to);
        found++;
    }
    kept->count = 0;
    for (uint32_t at = 0; at < found; at++)
        if (is_wide[at] == any_wide)
            kept->numbers[kept->count++] = kept->numbers[at];
    for (uint32_t at = 0; at < kept->count && !any_wide; at++)
        add_point(box, column, kept->numbers[at]);
    if (kept->count == 0)
        return false;
    boxes->lowest[boxes->bounds_count] = kept->numbers[0];
    boxes->highest[boxes->bounds_count] = kept->numbers[kept->count - 1];
    return true;
}

static bool add_range(struct mr_copula_boxes *boxes, struct mr_copula_box *box,
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
    boxes->lowest[boxes->bounds_count] = lowest;
    boxes->highest[boxes->bounds_count] = highest;
    boxes->members[boxes->bounds_count].count = 0;
    bool is_wide = mr_marginal_interval(&column->map, lowest, highest, &from, &to);
    if (!is_wide || to - from < POINT_WIDTH) {
        add_point(box, column, lowest);
        return lowest == highest && isfinite(from);
    }
    add_part(box, from, to);
    return true;
}

static bool add_numbers(struct mr_copula_boxes *boxes, struct mr_copula_box *box,
                        const struct mr_copula_column *column,
                        const struct mr_copula_condition *condition,
                        const struct mr_copula_members *members)
{
    boxes->columns[boxes->bounds_count] = condition->column;
    bool is_there = members->count > 0 ? add_members(boxes, box, column, members)
                                       : add_range(boxes, box, column, condition);
    boxes->bounds_count += is_there;
    return is_there;
}

/* The kind of the column has what is asked. */
static enum mr_status check_kind(const struct mr_copula_column *column,
                                 const struct mr_copula_condition *condition,
                                 struct mr_copula_members *members, struct mr_error *error)
{
    bool is_time = column->kind == MR_COPULA_DATE || column->kind == MR_COPULA_TIME ||
                   column->kind == MR_COPULA_TIMESTAMP;
    members->count = 0;
    if (column->kind == MR_COPULA_IDENTIFIER)
        return impossible(condition, "it is an identifier, which is made anew for each record",
                          error);
    if (column->map.bins_count == 0)
        return impossible(condition, "no value that can be asked for was learned", error);
    if (condition->is_instant && !is_time)
        return impossible(condition, "it is no date or time, give gte, gt, lte or lt", error);
    if (has_texts(column))
        return condition->texts_count > 0
                   ? MR_OK
                   : impossible(condition, "it has no numbers, give any_of", error);
    if (!mr_copula_condition_members(condition, column, members))
        return impossible(condition,
                          is_time ? "it has dates or times, as '2026-01-28' or "
                                    "'2026-01-28T10:30:00Z'"
                                  : "it has numbers, as '21'",
                          error);
    return MR_OK;
}

static enum mr_status add_condition(struct mr_copula_boxes *boxes, const struct mr_copula *model,
                                    const struct mr_copula_condition *condition,
                                    struct mr_error *error)
{
    const struct mr_copula_column *column = &model->columns[condition->column];
    uint32_t missing = model->shape.columns_count + condition->column;
    struct mr_copula_members members;
    enum mr_status status = check_kind(column, condition, &members, error);
    if (status != MR_OK)
        return status;
    struct mr_copula_box *box = add_box(boxes, condition->column);
    if (has_texts(column) ? !add_texts(box, column, condition)
                          : !add_numbers(boxes, box, column, condition, &members))
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
    boxes->choices_count = 1;
    for (uint32_t index = 0; index < boxes->points_count; index++) {
        boxes->choices_count *= boxes->boxes[index].points_count;
        if (boxes->choices_count > MR_COPULA_CHOICES_MAX)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "the sets of numbers have more than %d combinations: ask for fewer "
                           "numbers at a time",
                           MR_COPULA_CHOICES_MAX);
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

/* Draw the boxes one after the other, given the points; returns the probability of having got
 * there. */
static double draw_sequence(const struct mr_copula_boxes *boxes, uint32_t choice,
                            const double *factor, size_t stride, struct mr_random *random,
                            double *normals)
{
    double probability = 1;
    memcpy(normals, boxes->normals[choice], boxes->points_count * sizeof(*normals));
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
    uint32_t choice = 0;
    if (boxes->choices_count > 1) {
        double share = mr_random_double(random);
        while (choice + 1 < boxes->choices_count && share >= boxes->below[choice])
            choice++;
    }
    const double *means = boxes->means[choice];
    (void)draw_sequence(boxes, choice, factor, stride, random, normals);
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
                off += at == row ? 0 : line[at] * (z[at] - means[at]);
            z[row] = draw_in(&boxes->boxes[first + row], means[row] - off / line[row],
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

/* Normals of the choice's points and means of the latents with parts; returns the logarithm of the
 * points' density, but for what all choices have. */
static double choose_points(struct mr_copula_boxes *boxes, uint32_t choice, const double *factor,
                            size_t stride)
{
    uint32_t first = boxes->points_count;
    double *normals = boxes->normals[choice];
    double density = 0;
    uint32_t left = choice;
    for (uint32_t row = 0; row < boxes->count; row++) {
        const double *line = factor + row * stride;
        const struct mr_copula_box *box = &boxes->boxes[row];
        double mean = 0;
        for (uint32_t at = 0; at < (row < first ? row : first); at++)
            mean += line[at] * normals[at];
        if (row >= first) {
            boxes->means[choice][row - first] = mean;
            continue;
        }
        const struct mr_copula_point *point = &box->points[left % box->points_count];
        left /= box->points_count;
        normals[row] = (point->z - mean) / line[row];
        density += point->log_density - normals[row] * normals[row] / 2;
    }
    return density;
}

/* Probability of the parts given the choice's points. */
static double probability_of(const struct mr_copula_boxes *boxes, uint32_t choice,
                             const double *factor, size_t stride)
{
    double sum = 0;
    uint32_t draws = 1;
    if (boxes->count - boxes->points_count > 1)
        draws = boxes->choices_count > CHOICES_FEW ? DRAWS_OF_MANY : MR_COPULA_PROBABILITY_DRAWS;
    for (uint32_t draw = 0; draw < draws; draw++) {
        double normals[MR_COPULA_BOXES_MAX];
        struct mr_random random;
        mr_random_init(&random, PROBABILITY_SEED, draw);
        sum += draw_sequence(boxes, choice, factor, stride, &random, normals);
    }
    return sum / draws;
}

enum mr_status mr_copula_boxes_bind(struct mr_copula_boxes *boxes, const double *factor,
                                    size_t stride, struct mr_error *error)
{
    double densities[MR_COPULA_CHOICES_MAX];
    double most = -INFINITY;
    double density = 0;
    double sum = 0;
    for (uint32_t choice = 0; choice < boxes->choices_count; choice++) {
        densities[choice] = choose_points(boxes, choice, factor, stride);
        most = densities[choice] > most ? densities[choice] : most;
    }
    invert(boxes, factor, stride);
    for (uint32_t choice = 0; choice < boxes->choices_count; choice++) {
        double own = mr_tail_exponential(densities[choice] - most);
        density += own;
        sum += own * probability_of(boxes, choice, factor, stride);
        boxes->below[choice] = sum;
    }
    boxes->probability = boxes->choices_count > 1 ? sum / density : sum;
    for (uint32_t choice = 0; choice < boxes->choices_count; choice++)
        boxes->below[choice] /= sum > 0 ? sum : 1;
    if (!(boxes->probability >= MR_COPULA_PROBABILITY_MIN))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the conditions are impossible together: their probability is %.2g, below "
                       "%g",
                       boxes->probability, MR_COPULA_PROBABILITY_MIN);
    return MR_OK;
}
