/* operators/synthetic_pairs.h — scores of pairs of columns of synthetic data.
 * Two columns of numbers or datetimes: CorrelationSimilarity, 1 - |r - r'| / 2 of Pearson's
 * correlations over the rows where both are there. Else ContingencySimilarity: 1 - half the sum of
 * the differences of the shares of each combination, of which missing is a value too; numbers and
 * datetimes are the tenth of their own table's range that they lie in, the highest one and missing
 * ones being an eleventh (as sdmetrics has it).
 * What counts: as in sdmetrics' report, a pair counts towards the mean when the real table has
 * something to keep: |r| above MR_SYNTHETIC_CORRELATION, or Cramer's V above
 * MR_SYNTHETIC_ASSOCIATION. All pairs are scored.
 * Time: rows x pairs. */
#ifndef MR_OPERATORS_SYNTHETIC_PAIRS_H
#define MR_OPERATORS_SYNTHETIC_PAIRS_H

#include "operators/synthetic_tables.h"

#define MR_SYNTHETIC_CORRELATION 0.5
#define MR_SYNTHETIC_ASSOCIATION 0.3

struct mr_synthetic_pair_score {
    uint32_t first; /* columns */
    uint32_t second;
    struct mr_synthetic_score score;
    double real; /* correlation, NaN of combinations; */
    double synthetic;
    double association; /* of the real table, NaN of correlations */
    bool counts;
};

/* All pairs of scored columns, in their order. Returns the scores, in arena; *count of them. */
struct mr_synthetic_pair_score *
mr_synthetic_pairs_score(const struct mr_synthetic_pair_of_tables *tables, struct mr_arena *arena,
                         uint32_t *count);

/* Edges of ten bins over the numbers that are there: 11, ascending. */
enum { MR_SYNTHETIC_BINS = 10 };
void mr_synthetic_edges(const double *numbers, uint32_t rows_count,
                        double edges[MR_SYNTHETIC_BINS + 1]);

#endif
