/* operators/synthetic_scores.h — all scores of a synthetic table, and their means.
 * Column shapes: the mean of the columns' shapes; pair trends: that of the pairs that count
 * (synthetic_pairs.h); quality: the mean of both, as sdmetrics' QualityReport has it. Validity: the
 * mean of all columns' validity and formats; structure: the share of the columns of either table
 * that both have with the same type; diagnostic: the mean of both. Coverage: the mean of the
 * columns'. What cannot be computed is left out of a mean; a mean of nothing is not a number. */
#ifndef MR_OPERATORS_SYNTHETIC_SCORES_H
#define MR_OPERATORS_SYNTHETIC_SCORES_H

#include "operators/synthetic_columns.h"
#include "operators/synthetic_pairs.h"
#include "operators/synthetic_privacy.h"

struct mr_synthetic_scores {
    struct mr_synthetic_column_scores *columns;
    struct mr_synthetic_pair_score *pairs;
    uint32_t pairs_count;
    uint32_t pairs_counted; /* towards trends */
    double shapes;
    double trends;
    double all_trends; /* of all pairs, whether they count or not */
    double quality;
    double coverage;
    double validity;
    double structure;
    double diagnostic;
};

/* formats: one more score of validity per column (metric NULL: none), or NULL. Memory of the result
 * is from arena. */
void mr_synthetic_score(const struct mr_synthetic_pair_of_tables *tables,
                        const struct mr_synthetic_score *formats, struct mr_arena *arena,
                        struct mr_synthetic_scores *scores);

#endif
