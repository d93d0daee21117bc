/* operators/covariance.h — mean and covariance of records of several numbers that come one by one,
 * and how far a record is from them.
 * Why: the distance needs the inverse of the covariance. Updating an inverse (Sherman and Morrison)
 * gathers rounding errors and cannot be regularised afterwards; so the co-moments themselves are
 * kept, exact as Welford's, and the d^3/6 products of a factorisation are spent per distance.
 * Model: `moments` is one array of mr_covariance_numbers(d) doubles: the d means, then the lower
 * triangle of the co-moments by rows, (0,0) (1,0) (1,1) (2,0) ... With weights w of records, total
 * W and sum of squares W2, the covariance is co-moments / (W - W2 / W): the sample covariance when
 * all weights are 1.
 * Sources: Welford (1962); West (1979) for weights; Mahalanobis, On the generalised distance in
 * statistics (1936).
 * Limits: |number| <= 1e140 (operators/detector.h) for what is learned. Plain + - * / and sqrt in a
 * fixed order: the same bits on each machine. */
#ifndef MR_OPERATORS_COVARIANCE_H
#define MR_OPERATORS_COVARIANCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The least pivot of a correlation matrix: fields that determine each other leave 0 and rounding.
 * A record that breaks such a tie is 1e5 times as far as the tie is wide, not infinitely far. */
#define MR_COVARIANCE_PIVOT_MIN 1e-10
/* The largest distance of one field in standard deviations; larger ones count as this. */
#define MR_COVARIANCE_DEVIATION_MAX 1e120

struct mr_covariance_weights {
    double total;
    double squares;
};

/* How the covariance is bent into one that can be inverted. */
struct mr_covariance_regular {
    /* Correlations count (W / (W + shrink)) of what was seen: as if `shrink` records without any
     * correlation had come first. > 0. */
    double shrink;
    double sd_floor; /* a standard deviation below this counts as this; > 0 */
};

static inline size_t mr_covariance_numbers(uint32_t fields_count)
{
    return fields_count + (size_t)fields_count * (fields_count + 1) / 2;
}

/* Doubles of scratch memory for the functions below. */
static inline size_t mr_covariance_scratch(uint32_t fields_count)
{
    return (size_t)(fields_count + 2) * (fields_count + 2);
}

/* Learn a record; keep = 1 - decay is the factor on all weights before (1: all count alike). */
void mr_covariance_learn(double *moments, struct mr_covariance_weights *weights,
                         const double *values, uint32_t fields_count, double keep, double *scratch);

/* Mahalanobis distance (not squared) of values from the mean; 0 while the weights give no
 * variance. Never NaN. */
double mr_covariance_distance(const double *moments, const struct mr_covariance_weights *weights,
                              const double *values, uint32_t fields_count,
                              const struct mr_covariance_regular *regular, double *scratch);

/* The parts of that distance: fields_count numbers >= 0 that add up to it, the positive parts of
 * deviation times (inverse covariance * deviation). scratch is as the call that gave `distance`
 * left it, whether a record was learned meanwhile or not; afterwards it is used up. */
void mr_covariance_contributions(double *scratch, uint32_t fields_count, double distance,
                                 double *contributions);

/* How much smaller the squared distance would be without each field: fields_count numbers >= 0,
 * ((inverse covariance * deviation)_k)^2 / (inverse covariance)_kk. Source: Runger, Alt and
 * Montgomery, Contributors to a multivariate SPC chart signal (1996). scratch is as the call that
 * gave the distance left it; afterwards it is used up. */
void mr_covariance_drops(double *scratch, uint32_t fields_count, double *drops);

/* Probability that a chi-square variable of `freedom` >= 1 degrees is above x. Uses exp and erfc:
 * for output, not for state. */
double mr_chi_square_tail(double x, uint32_t freedom);

#endif
