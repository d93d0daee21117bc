/* cli/report_scale.c — see report_scale.h. */
#include "cli/report_scale.h"

#include <math.h>

enum { TICKS_WANTED = 5, TICKS_MAX = 16, NUMBERS_WANTED = 10, MARGIN = 14 };

static const double CLIP = 3; /* of the limits' distance, beyond them */

/* ---- Ranges ---- */

struct range {
    double lowest; /* NAN: nothing yet */
    double highest;
};

static void widen(struct range *range, double value)
{
    range->lowest = fmin(range->lowest, value);
    range->highest = fmax(range->highest, value);
}

static void widen_by_lines(struct range *range, const struct mr_series_lines *lines)
{
    widen(range, lines->lower);
    widen(range, lines->center);
    widen(range, lines->upper);
}

static void fit(struct mr_scale *scale, struct range limits, struct range values)
{
    double reach = (limits.highest - limits.lowest) * CLIP;
    if (isnan(limits.lowest))
        limits = values;
    scale->lowest = fmin(values.lowest, limits.lowest);
    scale->highest = fmax(values.highest, limits.highest);
    if (reach > 0) {
        scale->lowest = fmax(scale->lowest, limits.lowest - reach);
        scale->highest = fmin(scale->highest, limits.highest + reach);
    }
    if (isnan(scale->lowest))
        scale->lowest = scale->highest = 0;
    if (scale->highest > scale->lowest)
        return;
    double apart = scale->lowest == 0 ? 1 : fabs(scale->lowest) * 1e-3;
    scale->lowest -= apart;
    scale->highest += apart;
}

void mr_scale_points(struct mr_scale *scale, const struct mr_plot *plot)
{
    struct range limits = {NAN, NAN};
    struct range values = {NAN, NAN};
    const struct mr_series *series = plot->series;
    for (uint32_t index = 0; index < plot->count; index++) {
        const struct mr_series_point *point = &plot->points[index];
        widen_by_lines(&limits, mr_scale_lines(plot, point));
        if (plot->has_sums) {
            widen(&values, point->high);
            widen(&values, point->low);
        } else {
            widen(&values, mr_scale_value(plot, point));
        }
    }
    if (plot->is_even && series->first_count > 0 && plot->points[0].is_learning)
        widen_by_lines(&limits, mr_scale_lines(plot, &series->first[series->first_count - 1]));
    scale->first = plot->points[0].number;
    scale->last = plot->points[plot->count - 1].number;
    fit(scale, limits, values);
}

void mr_scale_columns(struct mr_scale *scale, const struct mr_plot *plot)
{
    struct range limits = {NAN, NAN};
    struct range values = {NAN, NAN};
    const struct mr_series *series = plot->series;
    for (uint32_t index = 0; index < series->columns_count; index++) {
        const struct mr_series_column *column = &series->columns[index];
        widen_by_lines(&limits, &column->lines);
        widen(&values, column->lowest);
        widen(&values, column->highest);
    }
    scale->first = series->first_number;
    scale->last = series->number;
    fit(scale, limits, values);
}

/* ---- Places ---- */

double mr_scale_x(const struct mr_scale *scale, int64_t number, double shift)
{
    double span = (double)(scale->last - scale->first) + 1;
    return MR_SCALE_LEFT +
           ((double)(number - scale->first) + 0.5 + shift) / span * (double)MR_SCALE_WIDTH;
}

double mr_scale_y(const struct mr_scale *scale, double value)
{
    double share = (value - scale->lowest) / (scale->highest - scale->lowest);
    share = fmax(0, fmin(1, share));
    return MR_SCALE_TOP + MR_SCALE_HEIGHT - MARGIN - share * (MR_SCALE_HEIGHT - 2 * MARGIN);
}

const struct mr_series_lines *mr_scale_lines(const struct mr_plot *plot,
                                             const struct mr_series_point *point)
{
    return plot->of_spread ? &point->spread : &point->value;
}

double mr_scale_value(const struct mr_plot *plot, const struct mr_series_point *point)
{
    return mr_scale_lines(plot, point)->value;
}

int mr_plot_decimals(const struct mr_plot *plot)
{
    struct mr_scale scale;
    mr_scale_points(&scale, plot);
    double decimals = 3 - floor(log10(scale.highest - scale.lowest));
    return decimals > 0 ? (int)decimals : 0;
}

/* ---- The frame ---- */

/* 1, 2 or 5 times a power of ten, so that about `wanted` steps make the range. */
static double nice_step(double range, int wanted)
{
    double rough = range / wanted;
    double power = pow(10, floor(log10(rough)));
    double lead = rough / power;
    return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}

static void value_ticks(struct mr_markup *markup, const struct mr_scale *scale)
{
    double step = nice_step(scale->highest - scale->lowest, TICKS_WANTED);
    double decimals = -floor(log10(step) + 1e-9);
    double first = ceil(scale->lowest / step);
    for (int index = 0; index < TICKS_MAX; index++) {
        double value = (first + index) * step;
        if (value > scale->highest || !(step > 0))
            break;
        double y = mr_scale_y(scale, value);
        mr_markup_add(markup,
                      "<path class=\"grid\" d=\"M%d %.1fh%d\"/>"
                      "<text class=\"tick value\" x=\"%d\" y=\"%.1f\">",
                      MR_SCALE_LEFT, y, MR_SCALE_WIDTH, MR_SCALE_LEFT - 8, y + 4);
        mr_markup_number(markup, value, decimals > 0 ? (int)fmin(decimals, 99) : 0);
        mr_markup_add(markup, "</text>\n");
    }
}

static void number_ticks(struct mr_markup *markup, const struct mr_scale *scale)
{
    double span = (double)(scale->last - scale->first) + 1;
    int64_t step = (int64_t)fmax(1, nice_step(span, NUMBERS_WANTED));
    int64_t number = (scale->first + step - 1) / step * step;
    for (int index = 0; index < 2 * TICKS_MAX && number <= scale->last; index++, number += step)
        mr_markup_add(markup, "<text class=\"tick number\" x=\"%.1f\" y=\"%d\">%lld</text>\n",
                      mr_scale_x(scale, number, 0), MR_SCALE_TOP + MR_SCALE_HEIGHT + 18,
                      (long long)number);
}

void mr_scale_open(struct mr_markup *markup, const struct mr_scale *scale, const char *title)
{
    mr_markup_add(markup, "<svg viewBox=\"0 0 %d %d\" role=\"group\" aria-label=\"",
                  MR_SCALE_TOTAL_WIDTH, MR_SCALE_TOTAL_HEIGHT);
    mr_markup_text(markup, title);
    mr_markup_add(markup,
                  "\">\n<rect class=\"plane\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n",
                  MR_SCALE_LEFT, MR_SCALE_TOP, MR_SCALE_WIDTH, MR_SCALE_HEIGHT);
    value_ticks(markup, scale);
    number_ticks(markup, scale);
}

void mr_scale_column_line(struct mr_markup *markup, const struct mr_scale *scale,
                          const struct mr_series *series, const char *kind, int which)
{
    bool is_open = false;
    mr_markup_add(markup, "<path class=\"%s\" d=\"", kind);
    for (uint32_t index = 0; index < series->columns_count; index++) {
        const struct mr_series_column *column = &series->columns[index];
        double value = which == 0  ? column->lines.center
                       : which > 0 ? column->lines.upper
                                   : column->lines.lower;
        double left = mr_scale_x(scale, column->first, -0.5);
        double right = mr_scale_x(scale, column->last, 0.5);
        if (!isnan(value))
            mr_markup_add(markup, "%c%.1f %.1fH%.1f", is_open ? 'L' : 'M', left,
                          mr_scale_y(scale, value), right);
        is_open = !isnan(value);
    }
    mr_markup_add(markup, "\"/>\n");
}
