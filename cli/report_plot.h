/* cli/report_plot.h — a control chart as inline SVG: points, centre line, limits, zones, phase 1,
 * the points that break rules and the runs that they end.
 * Model: points stand by their number from left to right. The scale holds the limits and the values
 * up to one and a half times their distance beyond them; what is farther out is drawn at the edge
 * as an arrow, so that one wild value does not flatten the rest. Colours come from the page's style
 * sheet; what they say is also said by shapes. */
#ifndef MR_CLI_REPORT_PLOT_H
#define MR_CLI_REPORT_PLOT_H

#include "cli/markup.h"
#include "cli/report_series.h"

struct mr_plot {
    const struct mr_series *series;
    const struct mr_series_point *points; /* ascending numbers */
    uint32_t count;                       /* >= 1 */
    const char *id;                       /* of the marks: ID-NUMBER */
    const char *title;                    /* for who does not see it */
    bool of_spread;
    bool has_zones;
    bool has_sums;  /* high and low are plotted in place of the value */
    bool is_fixed;  /* the limits are given, and may stand unevenly around the centre line */
    bool is_even;   /* the limits of phase 2 hold for phase 1 too */
    bool has_links; /* marks lead to the table of broken rules */
};

/* Decimals that tell neighbouring values of the points and limits apart. */
int mr_plot_decimals(const struct mr_plot *plot);
/* Some points are out of the scale. */
bool mr_plot_is_cut(const struct mr_plot *plot);
void mr_plot_points(struct mr_markup *markup, const struct mr_plot *plot);
/* All of the series in columns; detail_first: number of the first point that the page shows one by
 * one. */
void mr_plot_columns(struct mr_markup *markup, const struct mr_plot *plot, int64_t detail_first);

#endif
