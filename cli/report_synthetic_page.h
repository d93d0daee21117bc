/* cli/report_synthetic_page.h — the scores of synthetic data as one self-contained HTML page.
 * Contract: that of cli/report_page.h: the same tables give the same bytes; no scripts, nothing is
 * loaded; what comes from data is escaped; light, dark, on paper and on a narrow screen. Limits:
 * the pairs' table shows the worst MR_SYNTHETIC_PAGE_PAIRS; JSON has all. */
#ifndef MR_CLI_REPORT_SYNTHETIC_PAGE_H
#define MR_CLI_REPORT_SYNTHETIC_PAGE_H

#include "cli/report_synthetic_plot.h"

enum { MR_SYNTHETIC_PAGE_PAIRS = 200 };

void mr_synthetic_page(struct mr_markup *markup, const struct mr_synthetic_report *report);

#endif
