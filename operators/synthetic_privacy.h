/* operators/synthetic_privacy.h — how far synthetic rows are from being copies of real ones.
 * NewRowSynthesis: the share of synthetic rows that no real row equals, numbers and datetimes
 * within 1 % of the synthetic one, missing equal to missing; keys and what is not scored are left
 * out. A *distance* of two rows is the mean over the columns of |a - b| / range (at most 1; range
 * of the real column) or of 0 and 1 for equal and different categories, missing being a category;
 * ordinal columns are left out. DCRBaselineProtection: the median distance of synthetic rows to
 * their closest real one, divided by that of as many random rows (each column uniform over the real
 * range, or the real categories, missing as often), at most 1. DCROverfittingProtection: twice the
 * share of synthetic rows that are not closer to a real row than to one that was held out, at most
 * 1.
 * Random rows are made by Philox4x32-10 from a fixed seed: the same tables have the same score;
 * sdmetrics' own differ with every call by the noise of a median.
 * Time: at worst rows x rows x columns: of a table with more than rows_max rows a sample is taken,
 * without replacement, by the same numbers. Threads: any. */
#ifndef MR_OPERATORS_SYNTHETIC_PRIVACY_H
#define MR_OPERATORS_SYNTHETIC_PRIVACY_H

#include "operators/synthetic_tables.h"

struct mr_synthetic_privacy {
    uint32_t real_rows; /* that were compared */
    uint32_t synthetic_rows;
    struct mr_synthetic_score new_rows;
    uint32_t copies; /* synthetic rows that equal a real one */
    struct mr_synthetic_score baseline;
    double median; /* distances to the closest real row: of synthetic rows, */
    double random_median;
    struct mr_synthetic_score overfitting; /* metric NULL without a holdout */
    double closer_to_real;                 /* share of synthetic rows */
};

/* holdout: real rows that the synthetic ones were not made from; NULL: none. */
void mr_synthetic_privacy_score(const struct mr_synthetic_pair_of_tables *tables,
                                const struct mr_synthetic_table *holdout, uint32_t rows_max,
                                struct mr_synthetic_privacy *privacy);

#endif
