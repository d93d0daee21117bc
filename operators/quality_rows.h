/* operators/quality_rows.h — what is told of single records that were checked: the members of the
 * object `quality` that quality.rules and quality.checkpoint share, and an alert per violation.
 * Threads: those of the operator. */
#ifndef MR_OPERATORS_QUALITY_ROWS_H
#define MR_OPERATORS_QUALITY_ROWS_H

#include "operators/alert_batch.h"
#include "operators/quality_checks.h"

/* The members of the object that come first, in the order of node->added_slots. */
enum mr_quality_member {
    MR_QUALITY_PASSED,
    MR_QUALITY_SCORE,
    MR_QUALITY_SEVERITY,
    MR_QUALITY_REASON,
    MR_QUALITY_FAILED,
    MR_QUALITY_MEMBERS_COUNT
};

#define MR_QUALITY_MEMBERS(of_what)                                                                \
    {"passed", MR_TYPE_BOOL, "True when no check failed " of_what "."},                            \
        {"score", MR_TYPE_DOUBLE, "The share of the checks that did not fail, 0 to 1."},           \
        {"severity", MR_TYPE_STRING, "The worst severity of the checks that failed, else info."},  \
        {"reason", MR_TYPE_STRING,                                                                 \
         "What was found, a clause for each check that failed; empty when none did."},             \
    {                                                                                              \
        "failed", MR_TYPE_ANY, "A list: the names of the checks that failed."                      \
    }

/* Write the members for the rows of a view, each judged alone, into the columns of `output`, which
 * numbers its rows as the view's batch does. */
void mr_quality_rows_write(const struct mr_quality_checks *checks,
                           const struct mr_quality_findings *findings, struct mr_view view,
                           struct mr_batch *output, const uint32_t *added_slots);
/* One alert per row and violation, about the record. */
void mr_quality_rows_alert(const struct mr_quality_checks *checks,
                           const struct mr_quality_findings *findings, struct mr_view view,
                           const struct mr_slice *keys, struct mr_alert_batch *alerts);
/* The share of the checks that are not among the bits. */
double mr_quality_rows_score(const struct mr_quality_checks *checks, uint32_t bits);

#endif
