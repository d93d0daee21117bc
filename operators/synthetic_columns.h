/* operators/synthetic_columns.h — scores of single columns of synthetic data.
 * Shape: KSComplement of numbers and datetimes, 1 - the greatest distance of the two distribution
 * functions; TVComplement of categories and booleans, 1 - half the sum of the differences of shares
 * (sdmetrics counts a value that only the synthetic table has as 1e-6 real ones, and so do we).
 * Missing values are left out. Coverage: RangeCoverage, how much of the real range the synthetic
 * numbers span; CategoryCoverage, the share of the real categories that are there. Validity:
 * BoundaryAdherence and CategoryAdherence, the share of synthetic rows within the real range, of
 * the real categories, missing only if real ones are; KeyUniqueness of keys, the share of rows that
 * are neither missing nor repeated.
 * Numbers are rounded to 14 decimals for KSComplement, unless they are whole by type: as sdmetrics
 * does, but for those beyond 1e294, which are compared as they are. */
#ifndef MR_OPERATORS_SYNTHETIC_COLUMNS_H
#define MR_OPERATORS_SYNTHETIC_COLUMNS_H

#include "operators/synthetic_tables.h"

struct mr_synthetic_column_scores {
    struct mr_synthetic_score shape;
    struct mr_synthetic_score coverage;
    struct mr_synthetic_score validity;
    uint32_t real_missing;
    uint32_t synthetic_missing;
};

/* The scores of one column; scratch memory from arena. */
void mr_synthetic_column_score(const struct mr_synthetic_pair_of_tables *tables, uint32_t column,
                               struct mr_arena *arena, struct mr_synthetic_column_scores *scores);

/* The numbers of a column that are there, ascending, in arena. */
double *mr_synthetic_sorted(const double *numbers, uint32_t rows_count, struct mr_arena *arena,
                            uint32_t *count);

#endif
