/* cli/report_plot.c — see report_plot.h.
 * Order of drawing: zones, phase 1, lines, runs, values, rules' names, marks. */
#include "cli/report_plot.h"

#include <math.h>
#include <string.h>

#include "cli/report_scale.h"

enum { LETTER_WIDTH = 7, DENSE_COUNT = 400, FULL_COUNT = 150, ZONES = 2 };

/* ---- Lines that follow the points ---- */

static double standard_error(const struct mr_plot *plot, const struct mr_series_lines *lines,
                             double threshold, bool above)
{
    double up = (lines->upper - lines->center) / threshold;
    double down = (lines->center - lines->lower) / threshold;
    if (plot->is_fixed)
        return above ? up : down;
    return isnan(down) || up > down ? up : down; /* the other side ends at a natural bound */
}

/* step: sigmas above the centre line; beyond +-ZONES the limits. */
static double level_at(const struct mr_plot *plot, const struct mr_series_point *point, int step)
{
    const struct mr_series_lines *lines = mr_scale_lines(plot, point);
    if (step == 0)
        return lines->center;
    if (step > ZONES)
        return lines->upper;
    if (step < -ZONES)
        return lines->lower;
    double error = standard_error(plot, lines, point->threshold, step > 0);
    return fmin(lines->upper, fmax(lines->lower, lines->center + step * error));
}

/* A line of steps, one per point, with gaps where the level is not known. */
static void step_line(struct mr_markup *markup, const struct mr_scale *scale,
                      const struct mr_plot *plot, const char *kind, int step)
{
    double last = (double)NAN;
    mr_markup_add(markup, "<path class=\"%s\" d=\"", kind);
    for (uint32_t index = 0; index < plot->count; index++) {
        const struct mr_series_point *point = &plot->points[index];
        double value = level_at(plot, point, step);
        double left = mr_scale_x(scale, point->number, -0.5);
        double right = mr_scale_x(scale, point->number, 0.5);
        bool same = !isnan(last) && last == value;
        bool ends =
            index + 1 == plot->count || level_at(plot, &plot->points[index + 1], step) != value;
        if (!isnan(value) && isnan(last))
            mr_markup_add(markup, "M%.1f %.1f", left, mr_scale_y(scale, value));
        else if (!isnan(value) && !same)
            mr_markup_add(markup, "H%.1fV%.1f", left, mr_scale_y(scale, value));
        if (!isnan(value) && ends)
            mr_markup_add(markup, "H%.1f", right);
        last = value;
    }
    mr_markup_add(markup, "\"/>\n");
}

/* The lower edge of a band: where there is no lower limit, that of the picture. */
static double bottom_at(const struct mr_plot *plot, const struct mr_series_point *point, int step)
{
    double value = level_at(plot, point, -step);
    return isnan(value) && step > ZONES ? -(double)INFINITY : value;
}

/* The band between -step and step, for each stretch of points that have limits. */
static void band(struct mr_markup *markup, const struct mr_scale *scale, const struct mr_plot *plot,
                 const char *kind, int step)
{
    mr_markup_add(markup, "<path class=\"%s\" d=\"", kind);
    for (uint32_t begin = 0; begin < plot->count;) {
        uint32_t end = begin;
        while (end < plot->count && !isnan(level_at(plot, &plot->points[end], step)) &&
               !isnan(bottom_at(plot, &plot->points[end], step)))
            end++;
        for (uint32_t index = begin; index < end; index++) {
            const struct mr_series_point *point = &plot->points[index];
            mr_markup_add(markup, "%c%.1f %.1fH%.1f", index == begin ? 'M' : 'L',
                          mr_scale_x(scale, point->number, -0.5),
                          mr_scale_y(scale, level_at(plot, point, step)),
                          mr_scale_x(scale, point->number, 0.5));
        }
        for (uint32_t index = end; index > begin; index--) {
            const struct mr_series_point *point = &plot->points[index - 1];
            mr_markup_add(markup, "L%.1f %.1fH%.1f", mr_scale_x(scale, point->number, 0.5),
                          mr_scale_y(scale, bottom_at(plot, point, step)),
                          mr_scale_x(scale, point->number, -0.5));
        }
        if (end > begin)
            mr_markup_add(markup, "Z");
        begin = end > begin ? end : begin + 1;
    }
    mr_markup_add(markup, "\"/>\n");
}

/* ---- Phase 1 ---- */

/* The stretch of phase 1 points, and the limits that they gave where these hold for all of them. */
static void phase1(struct mr_markup *markup, const struct mr_scale *scale,
                   const struct mr_plot *plot)
{
    const struct mr_series *series = plot->series;
    uint32_t count = 0;
    while (count < plot->count && plot->points[count].is_learning)
        count++;
    if (count == 0)
        return;
    double left = mr_scale_x(scale, plot->points[0].number, -0.5);
    double right = mr_scale_x(scale, plot->points[count - 1].number, 0.5);
    mr_markup_add(markup,
                  "<rect class=\"phase1\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n",
                  left, MR_SCALE_TOP, right - left, MR_SCALE_HEIGHT);
    bool is_plotted = !isnan(mr_scale_value(plot, &plot->points[count - 1]));
    const struct mr_series_point *next =
        series->first_count > series->learning ? &series->first[series->first_count - 1] : NULL;
    for (int step = -ZONES - 1; step <= ZONES + 1; step += ZONES + 1) {
        bool holds = next != NULL && plot->is_even && is_plotted;
        double value = holds ? level_at(plot, next, step) : (double)NAN;
        if (!isnan(value))
            mr_markup_add(markup, "<path class=\"early %s\" d=\"M%.1f %.1fH%.1f\"/>\n",
                          step == 0 ? "center" : "limit", left, mr_scale_y(scale, value), right);
    }
    mr_markup_add(markup, "<text class=\"note\" x=\"%.1f\" y=\"%d\">phase 1%s</text>\n", left + 6,
                  MR_SCALE_TOP + 14, is_plotted ? "" : ": not plotted");
}

/* ---- Values ---- */

static double plain(const struct mr_plot *plot, const struct mr_series_point *point, int which)
{
    return which == 0 ? mr_scale_value(plot, point) : which == 1 ? point->high : point->low;
}

static void value_line(struct mr_markup *markup, const struct mr_scale *scale,
                       const struct mr_plot *plot, int which)
{
    bool is_open = false;
    mr_markup_add(markup, "<path class=\"values\" d=\"");
    for (uint32_t index = 0; index < plot->count; index++) {
        const struct mr_series_point *point = &plot->points[index];
        double value = plain(plot, point, which);
        bool follows = index > 0 && point->number == plot->points[index - 1].number + 1;
        if (!isnan(value))
            mr_markup_add(markup, "%c%.1f %.1f", is_open && follows ? 'L' : 'M',
                          mr_scale_x(scale, point->number, 0), mr_scale_y(scale, value));
        is_open = !isnan(value);
    }
    mr_markup_add(markup, "\"/>\n");
}

static const struct mr_series_point *find_point(const struct mr_plot *plot, int64_t number)
{
    uint32_t low = 0;
    uint32_t high = plot->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (plot->points[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < plot->count && plot->points[low].number == number ? &plot->points[low] : NULL;
}

/* Runs: a broad line through the points of each rule that needs more than one. */
static void runs(struct mr_markup *markup, const struct mr_scale *scale, const struct mr_plot *plot)
{
    uint32_t count;
    const struct mr_series_breach *breaches = mr_series_breaches(plot->series, &count);
    mr_markup_add(markup, "<g class=\"runs\">");
    for (uint32_t index = 0; index < count; index++) {
        const struct mr_series_breach *breach = &breaches[index];
        bool begins = true;
        if (breach->points_count < 2 || breach->by_spread != plot->of_spread)
            continue;
        for (uint32_t at = 0; at < breach->points_count; at++) {
            const struct mr_series_point *point = find_point(plot, breach->points[at]);
            if (point == NULL || isnan(mr_scale_value(plot, point)))
                continue;
            mr_markup_add(markup, "%s%.1f %.1f", begins ? "<path d=\"M" : "L",
                          mr_scale_x(scale, point->number, 0),
                          mr_scale_y(scale, mr_scale_value(plot, point)));
            begins = false;
        }
        if (!begins)
            mr_markup_add(markup, "\"/>\n");
    }
    mr_markup_add(markup, "</g>\n");
}

/* ---- Marks ---- */

struct mark {
    const char *kind;
    bool is_telling; /* breaks a rule of this chart */
    uint32_t rules;
    const char *rule; /* the first of them */
};

/* What the point breaks, of this chart: of the value or of the spread. from: where to look first;
 * breaches ascend with the points. */
static struct mark mark_of(const struct mr_plot *plot, const struct mr_series_point *point,
                           uint32_t *from)
{
    uint32_t count;
    const struct mr_series_breach *breaches = mr_series_breaches(plot->series, &count);
    struct mark mark = {.kind = point->is_learning ? "learning" : point->is_muted ? "muted" : "ok"};
    while (*from < count && breaches[*from].number < point->number)
        ++*from;
    bool is_limit = false;
    for (uint32_t at = *from; at < count && breaches[at].number == point->number; at++) {
        if (breaches[at].by_spread != plot->of_spread)
            continue;
        if (mark.rules++ == 0)
            mark.rule = breaches[at].rule;
        is_limit = is_limit || breaches[at].points_count < 2;
    }
    bool is_older = count > 0 && point->number < breaches[0].number; /* its rules are not kept */
    mark.is_telling = mark.rules > 0 || (is_older && point->is_anomaly && !plot->of_spread);
    if (mark.is_telling)
        mark.kind = is_limit || (mark.rules == 0 && point->is_critical) ? "critical" : "warning";
    return mark;
}

/* What a pointer that rests on the mark is told. */
static void mark_title(struct mr_markup *markup, const struct mr_plot *plot,
                       const struct mr_series_point *point, int decimals)
{
    const struct mr_series_lines *lines = mr_scale_lines(plot, point);
    mr_markup_add(markup, "<title>point %lld", (long long)point->number);
    if (point->label[0] != '\0') {
        mr_markup_add(markup, ", subgroup ");
        mr_markup_text(markup, point->label);
    }
    mr_markup_add(markup, ": ");
    mr_markup_number(markup, mr_scale_value(plot, point), decimals);
    if (!isnan(lines->lower)) {
        mr_markup_add(markup, "; limits ");
        mr_markup_number(markup, lines->lower, decimals);
        mr_markup_add(markup, " to ");
        mr_markup_number(markup, lines->upper, decimals);
    } else if (!isnan(lines->upper)) {
        mr_markup_add(markup, "; limit ");
        mr_markup_number(markup, lines->upper, decimals);
    }
    mr_markup_add(markup, "</title>");
}

/* Out of the scale: an arrow. Beyond limits: a diamond. Another rule: a triangle. Else a dot. */
static void mark_shape(struct mr_markup *markup, const struct mark *mark, double x, double y,
                       int outside, double radius)
{
    if (outside != 0)
        mr_markup_add(markup, "<path class=\"mark %s\" d=\"M%.1f %.1fl-6 %dh4v%dh4v%dh4z\"/>",
                      mark->kind, x, y, outside * 7, outside * 7, outside * -7);
    else if (strcmp(mark->kind, "critical") == 0)
        mr_markup_add(markup, "<path class=\"mark critical\" d=\"M%.1f %.1fl6 6l-6 6l-6-6z\"/>", x,
                      y - 6);
    else if (strcmp(mark->kind, "warning") == 0)
        mr_markup_add(markup, "<path class=\"mark warning\" d=\"M%.1f %.1fl5.5 9.5h-11z\"/>", x,
                      y - 6);
    else
        mr_markup_add(markup, "<circle class=\"mark %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>",
                      mark->kind, x, y, radius);
}

struct room {
    const char *last; /* the rule that the point before is marked with; NULL: none */
    int64_t last_number;
    double free_x; /* from here on there is room */
};

/* The rule above (or below) its mark, where there is room, and once for points in a row that all
 * break it. */
static void label(struct mr_markup *markup, const struct mark *mark, int64_t number, double x,
                  double y, bool above, struct room *room)
{
    bool is_same = room->last != NULL && mark->rule != NULL && room->last_number == number - 1 &&
                   strcmp(room->last, mark->rule) == 0;
    room->last = mark->rule;
    room->last_number = number;
    if (mark->rule == NULL || is_same)
        return;
    double half = (double)strlen(mark->rule) * LETTER_WIDTH / 2;
    x = fmax(MR_SCALE_LEFT + half, fmin(MR_SCALE_LEFT + MR_SCALE_WIDTH - half, x));
    if (x - half < room->free_x)
        return;
    double label_y = above ? y - 11 : y + 19;
    label_y = fmax(MR_SCALE_TOP + 10, fmin(MR_SCALE_TOP + MR_SCALE_HEIGHT - 4, label_y));
    mr_markup_add(markup, "<text class=\"rule\" x=\"%.1f\" y=\"%.1f\">", x, label_y);
    mr_markup_text(markup, mark->rule);
    mr_markup_add(markup, "</text>");
    room->free_x = x + half + LETTER_WIDTH;
}

static void labels(struct mr_markup *markup, const struct mr_scale *scale,
                   const struct mr_plot *plot)
{
    struct room room = {0};
    uint32_t from = 0;
    for (uint32_t index = 0; index < plot->count; index++) {
        const struct mr_series_point *point = &plot->points[index];
        double value = mr_scale_value(plot, point);
        double center = mr_scale_lines(plot, point)->center;
        struct mark mark = mark_of(plot, point, &from);
        if (!isnan(value))
            label(markup, &mark, point->number, mr_scale_x(scale, point->number, 0),
                  mr_scale_y(scale, value), isnan(center) || value >= center, &room);
    }
}

static void marks(struct mr_markup *markup, const struct mr_scale *scale,
                  const struct mr_plot *plot)
{
    double radius = plot->count <= FULL_COUNT ? 3.5 : plot->count <= DENSE_COUNT ? 2 : 1.2;
    int decimals = mr_plot_decimals(plot);
    uint32_t from = 0;
    for (uint32_t index = 0; index < plot->count; index++) {
        const struct mr_series_point *point = &plot->points[index];
        double value = mr_scale_value(plot, point);
        struct mark mark = mark_of(plot, point, &from);
        if (isnan(value))
            continue;
        int outside = value > scale->highest ? 1 : value < scale->lowest ? -1 : 0;
        bool is_linked = plot->has_links && mark.rules > 0;
        if (is_linked)
            mr_markup_add(markup, "<a id=\"%s-%lld\" href=\"#at-%lld\">", plot->id,
                          (long long)point->number, (long long)point->number);
        mr_markup_add(markup, "<g>");
        mark_title(markup, plot, point, decimals);
        mark_shape(markup, &mark, mr_scale_x(scale, point->number, 0), mr_scale_y(scale, value),
                   outside, radius);
        mr_markup_add(markup, is_linked ? "</g></a>\n" : "</g>\n");
    }
}

/* ---- The whole ---- */

bool mr_plot_is_cut(const struct mr_plot *plot)
{
    struct mr_scale scale;
    mr_scale_points(&scale, plot);
    for (uint32_t index = 0; index < plot->count; index++) {
        double value = mr_scale_value(plot, &plot->points[index]);
        if (value < scale.lowest || value > scale.highest)
            return true;
    }
    return false;
}

/* UCL, CL and LCL of the newest point beside the plot, apart from each other. */
static void line_labels(struct mr_markup *markup, const struct mr_scale *scale,
                        const struct mr_plot *plot)
{
    enum { APART = 14 };
    const struct mr_series_point *newest = &plot->points[plot->count - 1];
    const struct mr_series_lines *lines = mr_scale_lines(plot, newest);
    int decimals = mr_plot_decimals(plot);
    bool has_center = !isnan(lines->center);
    double center_y = has_center ? mr_scale_y(scale, lines->center) : (double)NAN;
    const struct {
        const char *name;
        double value;
        double y; /* fmin and fmax leave a centre line out that is not there */
    } labels[] = {
        {"UCL", lines->upper, fmin(mr_scale_y(scale, lines->upper), center_y - APART)},
        {"CL", lines->center, center_y},
        {"LCL", lines->lower, fmax(mr_scale_y(scale, lines->lower), center_y + APART)},
    };
    for (int index = 0; index < 3; index++) {
        if (isnan(labels[index].value))
            continue;
        mr_markup_add(markup, "<text class=\"line-label\" x=\"%d\" y=\"%.1f\">%s ",
                      MR_SCALE_LEFT + MR_SCALE_WIDTH + 8, labels[index].y + 4, labels[index].name);
        mr_markup_number(markup, labels[index].value, decimals);
        mr_markup_add(markup, "</text>\n");
    }
}

void mr_plot_points(struct mr_markup *markup, const struct mr_plot *plot)
{
    static const char *const zones[] = {"zone-c", "zone-b", "zone-a"};
    struct mr_scale scale;
    mr_scale_points(&scale, plot);
    mr_scale_open(markup, &scale, plot->title);
    for (int step = ZONES + 1; plot->has_zones && step >= 1; step--)
        band(markup, &scale, plot, zones[step - 1], step);
    if (!plot->has_zones)
        band(markup, &scale, plot, "inside", ZONES + 1);
    phase1(markup, &scale, plot);
    for (int step = -ZONES; plot->has_zones && step <= ZONES; step++)
        if (step != 0)
            step_line(markup, &scale, plot, "sigma", step);
    step_line(markup, &scale, plot, "center", 0);
    step_line(markup, &scale, plot, "limit", ZONES + 1);
    step_line(markup, &scale, plot, "limit", -ZONES - 1);
    runs(markup, &scale, plot);
    for (int which = plot->has_sums ? 1 : 0; which <= (plot->has_sums ? 2 : 0); which++)
        value_line(markup, &scale, plot, which);
    labels(markup, &scale, plot);
    marks(markup, &scale, plot);
    line_labels(markup, &scale, plot);
    mr_markup_add(markup, "</svg>\n");
}

void mr_plot_columns(struct mr_markup *markup, const struct mr_plot *plot, int64_t detail_first)
{
    const struct mr_series *series = plot->series;
    struct mr_scale scale;
    mr_scale_columns(&scale, plot);
    mr_scale_open(markup, &scale, plot->title);
    int64_t learned = 0; /* the last point of phase 1 */
    for (uint32_t index = 0; index < series->first_count; index++)
        if (series->first[index].is_learning)
            learned = series->first[index].number;
    if (learned > 0)
        mr_markup_add(markup,
                      "<rect class=\"phase1\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n",
                      MR_SCALE_LEFT, MR_SCALE_TOP,
                      fmax(1, mr_scale_x(&scale, learned, 0.5) - MR_SCALE_LEFT), MR_SCALE_HEIGHT);
    double detail_x = mr_scale_x(&scale, detail_first, -0.5);
    mr_markup_add(
        markup, "<rect class=\"detail\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n",
        detail_x, MR_SCALE_TOP, MR_SCALE_LEFT + MR_SCALE_WIDTH - detail_x, MR_SCALE_HEIGHT);
    for (uint32_t index = 0; index < series->columns_count; index++) {
        const struct mr_series_column *column = &series->columns[index];
        double x =
            (mr_scale_x(&scale, column->first, -0.5) + mr_scale_x(&scale, column->last, 0.5)) / 2;
        const char *kind = column->critical > 0    ? "critical"
                           : column->anomalies > 0 ? "warning"
                                                   : "plain";
        if (!isnan(column->lowest))
            mr_markup_add(markup, "<path class=\"column %s\" d=\"M%.1f %.1fV%.1f\"/>\n", kind, x,
                          mr_scale_y(&scale, column->highest) - 0.5,
                          mr_scale_y(&scale, column->lowest) + 0.5);
    }
    mr_scale_column_line(markup, &scale, series, "center", 0);
    mr_scale_column_line(markup, &scale, series, "limit", 1);
    mr_scale_column_line(markup, &scale, series, "limit", -1);
    mr_markup_add(markup, "</svg>\n");
}
