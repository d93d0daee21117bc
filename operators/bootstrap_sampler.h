/* operators/bootstrap_sampler.h — rows made from a bootstrap's sample: a row of it, by its weight,
 * with noise on its numbers (Efron, Bootstrap methods: another look at the jackknife, 1979;
 * Silverman and Young, The bootstrap: to smooth or not to smooth?, 1987).
 * Model: with x a row's number, and mean and sd of the column over the sample,
 *   new = mean + (x - mean + h e) / sqrt(1 + (h / sd)^2)
 * so that the noise leaves mean and variance as they are. The e of a row are standard normal and
 * have the sample's correlations, so that those stay, too. h is a share of sd or, by Silverman's
 * rule, 0.9 min(sd, IQR / 1.34) n^-1/5. What leaves the sample's range is reflected into it; what
 * has decimals is rounded to them. A number that at least MR_BOOTSTRAP_TIED of the sample has (0, a
 * limit, a score of few points) stays as it is and counts for none of these. A missing value stays
 * missing.
 *   A category or boolean is that of another row of the sample with the probability `flip`. A text
 * that is none of the column's is another row's, too: rare texts are never made.
 *   Conditions: the sample is those of its rows that meet them, for noise and flips, too; their
 * share of the weight is the probability.
 * Row n is a function of (model, conditions, seed, n). Memory: 44 bytes a row of the reservoir, d^2
 * doubles. Cost: a binary search, and d^2 / 2 products of d noisy columns. Pure; the same bits
 * everywhere. */
#ifndef MR_OPERATORS_BOOTSTRAP_SAMPLER_H
#define MR_OPERATORS_BOOTSTRAP_SAMPLER_H

#include "operators/bootstrap.h"
#include "operators/copula_condition.h"
#include "operators/copula_sampler.h"

#define MR_BOOTSTRAP_TIED 0.05
enum { MR_BOOTSTRAP_TIES_MAX = 20 };

struct mr_bootstrap_noise {
    double bandwidth; /* h in standard deviations; below 0: Silverman's rule */
    double flip;      /* 0 to 1 */
};

/* How a column's numbers are smoothed. */
struct mr_bootstrap_kernel {
    bool is_noisy;
    uint32_t place;  /* among the noisy ones */
    double mean;     /* of what is not tied */
    double variance; /* the same */
    double bandwidth;
    double shrink;
    double least; /* of all */
    double greatest;
    uint32_t ties_count;
    double ties[MR_BOOTSTRAP_TIES_MAX];
};

struct mr_bootstrap_value {
    double number;
    uint32_t row;
};

struct mr_bootstrap_sampler {
    uint32_t columns_count;
    struct mr_bootstrap_noise noise;
    uint32_t rows_count; /* of the sample, that meet the conditions */
    uint32_t *rows;
    double *cumulated; /* weights of rows up to and with this one */
    double probability;
    uint32_t noisy_count;
    struct mr_bootstrap_kernel *kernels; /* by column */
    double *factor;                      /* of the noise's correlations: noisy_count squared */
    double *scratch;                     /* d */
    uint32_t values_count;
    struct mr_bootstrap_value *values; /* of one column, sorted; as many behind, to sort with */
};

/* Owner: the caller, until _destroy, which accepts a zeroed one. */
void mr_bootstrap_sampler_create(struct mr_bootstrap_sampler *sampler,
                                 const struct mr_copula_shape *shape,
                                 struct mr_bootstrap_noise noise);
void mr_bootstrap_sampler_destroy(struct mr_bootstrap_sampler *sampler);
size_t mr_bootstrap_sampler_memory(const struct mr_copula_shape *shape);
/* Follow a model that has learned. conditions: of different columns. MR_INVALID with a sentence: no
 * row of the sample meets them. */
enum mr_status mr_bootstrap_sampler_make(struct mr_bootstrap_sampler *sampler,
                                         const struct mr_bootstrap *model,
                                         const struct mr_copula_condition *conditions,
                                         uint32_t conditions_count,
                                         struct mr_error *error) MR_NODISCARD;
/* Rows first to first + rows_count - 1, at most MR_COPULA_SAMPLE_ROWS, of the model that the
 * sampler was made of: numbers[column * MR_COPULA_SAMPLE_ROWS + row], as those of
 * mr_copula_sample. */
void mr_bootstrap_sample(struct mr_bootstrap_sampler *sampler, const struct mr_bootstrap *model,
                         uint64_t seed, uint64_t first, uint32_t rows_count, double *numbers);

#endif
