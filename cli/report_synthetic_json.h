/* cli/report_synthetic_json.h — the scores of synthetic data as JSON, and as lines of text.
 * A score that cannot be computed is null, with `why`. */
#ifndef MR_CLI_REPORT_SYNTHETIC_JSON_H
#define MR_CLI_REPORT_SYNTHETIC_JSON_H

#include "cli/report_synthetic_load.h"
#include "operators/synthetic_scores.h"

#include <stdio.h>

/* All that is told; borrowed. load->files_count says whether rows were held out. */
struct mr_synthetic_report {
    const struct mr_synthetic_load *load;
    const struct mr_synthetic_pair_of_tables *tables;
    const struct mr_synthetic_scores *scores;
    const struct mr_synthetic_privacy *privacy;
};

/* One line. False: it cannot be written. */
bool mr_synthetic_report_json(const struct mr_synthetic_report *report, FILE *output);
bool mr_synthetic_report_text(const struct mr_synthetic_report *report, FILE *output);

#endif
