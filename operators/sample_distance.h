/* operators/sample_distance.h — how far apart two learned distributions are, for whoever compares
 * models. Pure. */
#ifndef MR_OPERATORS_SAMPLE_DISTANCE_H
#define MR_OPERATORS_SAMPLE_DISTANCE_H

#include "operators/copula.h"

/* Kolmogorov and Smirnov's: the greatest difference of the distribution functions, 0 to 1. Without
 * weight on one side: 1, on both: 0. */
double mr_sample_distance_numbers(const struct mr_marginal *one, const struct mr_marginal *other);
/* Total variation: half of the differences of the shares, 0 to 1; empty ones as above. */
double mr_sample_distance_texts(const struct mr_copula_texts *one,
                                const struct mr_copula_texts *other);
/* The value below which this share of the weight is; 0 without weight. */
double mr_sample_quantile(const struct mr_marginal *marginal, double share);
/* The share of a text; 0 where it is not there. */
double mr_sample_text_share(const struct mr_copula_texts *texts, struct mr_slice text);

#endif
