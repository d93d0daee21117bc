/* operators/moments.h — mean and sample standard deviation of numbers that come one by one.
 * Sources: Welford, Note on a method for calculating corrected sums of squares and products (1962);
 * West, Updating mean and variance estimates (1979), for weights. The weighted variance uses
 * reliability weights, S / (W - W2 / W), which is the sample variance when all weights are 1.
 * Limits: |number| <= 1e140 (operators/detector.h), so that no square overflows. */
#ifndef MR_OPERATORS_MOMENTS_H
#define MR_OPERATORS_MOMENTS_H

#include <math.h>
#include <stdint.h>

struct mr_moments {
    uint64_t count;
    double mean;
    double squares; /* sum of squared deviations from the mean */
};

static inline void mr_moments_learn(struct mr_moments *moments, double number)
{
    moments->count++;
    double deviation = number - moments->mean;
    moments->mean += deviation / (double)moments->count;
    moments->squares += deviation * (number - moments->mean);
}

/* Take out a number that was learned. Loses precision when what stays is much smaller than what
 * goes: the caller computes anew then. Pre: count >= 1. */
static inline void mr_moments_forget(struct mr_moments *moments, double number)
{
    if (--moments->count == 0) {
        moments->mean = 0;
        moments->squares = 0;
        return;
    }
    double deviation = number - moments->mean;
    moments->mean -= deviation / (double)moments->count;
    moments->squares -= deviation * (number - moments->mean);
}

/* Sample standard deviation; 0 for fewer than two numbers. */
static inline double mr_moments_sd(const struct mr_moments *moments)
{
    if (moments->count < 2)
        return 0;
    return sqrt(moments->squares / (double)(moments->count - 1));
}

/* Moments of values[count] in two passes. */
static inline void mr_moments_compute(struct mr_moments *moments, const double *values,
                                      uint32_t count)
{
    double sum = 0;
    for (uint32_t index = 0; index < count; index++)
        sum += values[index];
    double mean = count == 0 ? 0 : sum / count;
    double squares = 0;
    double residue = 0;
    for (uint32_t index = 0; index < count; index++) {
        double deviation = values[index] - mean;
        squares += deviation * deviation;
        residue += deviation;
    }
    moments->count = count;
    moments->mean = mean;
    squares = count == 0 ? 0 : squares - residue * residue / count;
    moments->squares = squares > 0 ? squares : 0;
}

/* Weights that shrink by a factor with each number. */
struct mr_decayed_moments {
    double weight;         /* sum of the weights */
    double weight_squares; /* sum of their squares */
    double mean;
    double squares; /* weighted sum of squared deviations */
};

/* keep = 1 - decay: the factor on everything learned before. */
static inline void mr_decayed_moments_learn(struct mr_decayed_moments *moments, double number,
                                            double keep)
{
    moments->weight = keep * moments->weight + 1;
    moments->weight_squares = keep * keep * moments->weight_squares + 1;
    double deviation = number - moments->mean;
    moments->mean += deviation / moments->weight;
    moments->squares = keep * moments->squares + deviation * (number - moments->mean);
}

/* 0 while there is only one number. */
static inline double mr_decayed_moments_sd(const struct mr_decayed_moments *moments)
{
    double freedom = moments->weight - moments->weight_squares / moments->weight;
    return freedom > 0 ? sqrt(moments->squares / freedom) : 0;
}

#endif
