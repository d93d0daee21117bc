/* cli/report_page.h — a control chart of one key as one self-contained HTML page.
 * Contract: the same points give the same bytes; the page has no scripts and loads nothing, and its
 * own policy (Content-Security-Policy) says so; everything that comes from data is escaped
 * (cli/markup.h). It reads in light and dark, on paper, and by keyboard: marks that broke a rule
 * are links to the table of them and back. Limits: those of report_series.h; a page of a thousand
 * points one by one takes about 1 MiB. */
#ifndef MR_CLI_REPORT_PAGE_H
#define MR_CLI_REPORT_PAGE_H

#include "cli/report_plot.h"

/* What the topology says of the chart. */
struct mr_report_chart {
    const char *topology;
    const char *operator_name;
    const char *type;
    const char *field;
    const char *key; /* NULL: the chart has no key */
    const char *value_help;
    const char *spread_help; /* NULL: there is no spread */
    const char *limits;      /* in words: where they come from */
    const char *rules;       /* NULL: it knows its limits only */
    const char *baseline;    /* NULL: nothing to say */
    bool has_zones;
    bool has_sums;
    bool is_fixed;
    bool is_even;
};

/* Pre: the series has a point. */
void mr_report_page(struct mr_markup *markup, const struct mr_report_chart *chart,
                    const struct mr_series *series);

#endif
