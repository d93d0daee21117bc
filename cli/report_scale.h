/* cli/report_scale.h — where the points of a chart (cli/report_plot.h) stand: scales, their ticks,
 * and the frame that an SVG picture begins with. Units: those of the picture, 1 to a CSS pixel
 * where the page is wide enough; y grows downwards. */
#ifndef MR_CLI_REPORT_SCALE_H
#define MR_CLI_REPORT_SCALE_H

#include "cli/report_plot.h"

enum {
    MR_SCALE_LEFT = 74,
    MR_SCALE_TOP = 12,
    MR_SCALE_WIDTH = 770,
    MR_SCALE_HEIGHT = 260,
    MR_SCALE_TOTAL_WIDTH = 960,
    MR_SCALE_TOTAL_HEIGHT = 304
};

struct mr_scale {
    int64_t first; /* numbers of points */
    int64_t last;
    double lowest; /* of what is plotted; lowest < highest */
    double highest;
};

void mr_scale_points(struct mr_scale *scale, const struct mr_plot *plot);
void mr_scale_columns(struct mr_scale *scale, const struct mr_plot *plot);

/* shift: in points, -0.5 is half-way to the one before. */
double mr_scale_x(const struct mr_scale *scale, int64_t number, double shift);
/* What is out of the scale stands at its edge. Pre: value is a number. */
double mr_scale_y(const struct mr_scale *scale, double value);

/* What the plot is of: the value's members or the spread's; of sums the value is the farther one.
 */
const struct mr_series_lines *mr_scale_lines(const struct mr_plot *plot,
                                             const struct mr_series_point *point);
double mr_scale_value(const struct mr_plot *plot, const struct mr_series_point *point);

/* <svg>, grid and ticks. */
void mr_scale_open(struct mr_markup *markup, const struct mr_scale *scale, const char *title);
/* The columns' centre line (0), upper (1) or lower (-1) limit. */
void mr_scale_column_line(struct mr_markup *markup, const struct mr_scale *scale,
                          const struct mr_series *series, const char *kind, int which);

#endif
