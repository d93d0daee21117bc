/* operators/chart_limits.c — see chart_limits.h. */
#include "operators/chart_limits.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

#include "base/assert.h"

enum { PASSES_MAX = 32 };

void mr_chart_sample_add(struct mr_chart_sample *sample, double value, int64_t event_time_ms)
{
    bool is_first = sample->count++ == 0;
    double deviation = value - sample->mean;
    sample->mean += deviation / (double)sample->count;
    sample->squares += deviation * (value - sample->mean);
    if (is_first || value < sample->minimum)
        sample->minimum = value;
    if (is_first || value > sample->maximum)
        sample->maximum = value;
    if (is_first || event_time_ms < sample->first_ms)
        sample->first_ms = event_time_ms;
    if (is_first || event_time_ms > sample->last_ms)
        sample->last_ms = event_time_ms;
}

/* ---- Limits ---- */

/* In standard errors; a process without any variation is left by any other value. */
double mr_chart_distance(double value, double center, double error)
{
    if (value == center)
        return 0;
    double distance = error > 0 ? (value - center) / error : value > center ? DBL_MAX : -DBL_MAX;
    return distance > DBL_MAX ? DBL_MAX : distance < -DBL_MAX ? -DBL_MAX : distance;
}

double mr_chart_plotted(const struct mr_chart_kind *kind, const struct mr_chart_measure *measure)
{
    return kind->is_total ? round(measure->location * measure->weight) : measure->location;
}

/* No count is below 0, and no number of items above all of them. */
static void clip(const struct mr_chart_kind *kind, double all, struct mr_chart_lines *lines)
{
    if (kind->counts == MR_COUNTS_NONE)
        return;
    lines->lower = fmax(0, lines->lower);
    if (kind->counts == MR_COUNTS_ITEMS)
        lines->upper = fmin(all, lines->upper);
}

static bool is_outside(double value, const struct mr_chart_lines *lines)
{
    return value > lines->upper || value < lines->lower;
}

static void judge_spread(const struct mr_chart_rule_book *book,
                         const struct mr_chart_baseline *baseline,
                         const struct mr_chart_measure *measure, double sigmas,
                         struct mr_chart_point *point)
{
    const struct mr_chart_kind *kind = book->kind;
    point->spread = measure->spread;
    point->spread_beyond = false;
    if (kind->spread == NULL || isnan(measure->spread))
        return;
    struct mr_range_constants constants = kind->spread(book, measure->weight);
    double center = constants.d2 * baseline->sigma;
    double reach = sigmas * constants.d3 * baseline->sigma;
    point->spread_lines =
        (struct mr_chart_lines){center, center > reach ? center - reach : 0, center + reach};
    point->spread_beyond = is_outside(point->spread, &point->spread_lines);
}

static void judge_at(const struct mr_chart_rule_book *book,
                     const struct mr_chart_baseline *baseline,
                     const struct mr_chart_measure *measure, double sigmas,
                     struct mr_chart_point *point)
{
    double scale = book->kind->is_total ? measure->weight : 1;
    *point = (struct mr_chart_point){0};
    double error = scale * book->kind->error(book, baseline, measure->weight);
    double center = scale * baseline->center;
    point->value = mr_chart_plotted(book->kind, measure);
    point->lines =
        (struct mr_chart_lines){center, center - sigmas * error, center + sigmas * error};
    clip(book->kind, scale, &point->lines);
    if (book->is_fixed) {
        point->lines = book->fixed;
        center = book->fixed.center;
        error = point->value > center ? book->fixed.upper - center : center - book->fixed.lower;
        error /= sigmas;
    }
    point->distance = mr_chart_distance(point->value, center, error);
    point->beyond = is_outside(point->value, &point->lines);
    judge_spread(book, baseline, measure, sigmas, point);
}

void mr_chart_judge(const struct mr_chart_rule_book *book, const struct mr_chart_baseline *baseline,
                    const struct mr_chart_measure *measure, struct mr_chart_point *point)
{
    judge_at(book, baseline, measure, book->sigmas, point);
}

/* ---- The baseline ---- */

static void mean_of(const struct mr_chart_kept *kept, uint32_t count,
                    struct mr_chart_baseline *baseline)
{
    *baseline = (struct mr_chart_baseline){0};
    for (uint32_t index = 0; index < count; index++) {
        const struct mr_chart_measure *measure = &kept[index].measure;
        if (kept[index].is_excluded)
            continue;
        baseline->center += measure->location * measure->weight;
        baseline->weight += measure->weight;
        if (isnan(measure->sigma))
            continue;
        baseline->sigma += measure->sigma;
        baseline->sigmas_count++;
    }
    baseline->center /= baseline->weight;
    if (baseline->sigmas_count > 0)
        baseline->sigma /= baseline->sigmas_count;
}

uint32_t mr_chart_estimate_baseline(const struct mr_chart_rule_book *book,
                                    struct mr_chart_kept *kept, uint32_t count,
                                    struct mr_chart_baseline *baseline)
{
    uint32_t excluded = 0;
    MR_ASSERT(count >= 1);
    for (uint32_t index = 0; index < count; index++)
        kept[index].is_excluded = false;
    mean_of(kept, count, baseline);
    for (int pass = 0; book->excludes && pass < PASSES_MAX; pass++) {
        uint32_t more = 0;
        struct mr_chart_point point;
        for (uint32_t index = 0; index < count; index++) {
            judge_at(book, baseline, &kept[index].measure, book->phase1_sigmas, &point);
            more += !kept[index].is_excluded && (point.beyond || point.spread_beyond);
        }
        uint32_t left = count - excluded - more;
        if (more == 0 || left < 2 || 2 * left < count)
            break;
        for (uint32_t index = 0; index < count; index++) {
            judge_at(book, baseline, &kept[index].measure, book->phase1_sigmas, &point);
            kept[index].is_excluded =
                kept[index].is_excluded || point.beyond || point.spread_beyond;
        }
        excluded += more;
        mean_of(kept, count, baseline);
    }
    return excluded;
}

void mr_chart_follow(const struct mr_chart_rule_book *book, const struct mr_chart_measure *measure,
                     struct mr_chart_baseline *baseline)
{
    bool has_sigma = !isnan(measure->sigma);
    if (book->update == MR_CHART_UPDATE_NONE)
        return;
    double center_weight = book->update_weight;
    double sigma_weight = book->update_weight;
    if (book->update == MR_CHART_UPDATE_CUMULATIVE) {
        baseline->weight += measure->weight;
        baseline->sigmas_count += has_sigma ? 1 : 0;
        center_weight = measure->weight / baseline->weight;
        sigma_weight = has_sigma ? 1 / baseline->sigmas_count : 0;
    }
    baseline->center += center_weight * (measure->location - baseline->center);
    if (has_sigma)
        baseline->sigma += sigma_weight * (measure->sigma - baseline->sigma);
}
