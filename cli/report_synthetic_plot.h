/* cli/report_synthetic_plot.h — both distributions of a column, and the scores of all pairs, as
 * inline SVG.
 * Model: the real table is filled, the synthetic one a line (numbers) or a second, narrower bar
 * (categories), so that they differ by shape as well as by colour. In the map of pairs a square is
 * the darker the worse its score is; what has no score is crossed out. Every mark has its numbers
 * as a title. Limits: MR_SYNTHETIC_PLOT_BARS categories, the others are summed. */
#ifndef MR_CLI_REPORT_SYNTHETIC_PLOT_H
#define MR_CLI_REPORT_SYNTHETIC_PLOT_H

#include "cli/markup.h"
#include "cli/report_synthetic_json.h"

enum { MR_SYNTHETIC_PLOT_BINS = 24, MR_SYNTHETIC_PLOT_BARS = 8 };

/* Pre: the column is scored. */
void mr_synthetic_plot_column(struct mr_markup *markup, const struct mr_synthetic_report *report,
                              uint32_t column);
/* Pre: there is a pair. */
void mr_synthetic_plot_pairs(struct mr_markup *markup, const struct mr_synthetic_report *report);

#endif
