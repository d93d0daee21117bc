/* operators/capability.h — how well a process fits between its specification limits.
 * Model: of the mean m, a sigma s, and limits L and U: cpl = (m - L) / 3s, cpu = (U - m) / 3s, cpk
 * is the smaller one, cp = (U - L) / 6s. With the sigma within subgroups they are called cp...,
 * with that of all values pp.... cpm = (U - L) / 6 sqrt(s^2 + (m - target)^2), of all values. With
 * one limit cpk is that of it, cp is none, and cpm is the distance of the target from it over 3
 * sqrt(...). Bounds of a confidence level 1 - a, for normal values: of cp by chi-square, cp sqrt(q
 * / f) with the quantiles q of f degrees of freedom at a/2 and 1 - a/2; of cpk by Bissell's normal
 * approximation, cpk -+ z(a/2) sqrt(1 / 9n + cpk^2 / 2f). f is n - 1 for all values; within
 * subgroups it is what the estimate of sigma is worth: 1 / (2 V), V its relative variance. Expected
 * parts per million beyond the limits are those of the normal distribution. No value is infinite:
 * indices end at +-MR_CAPABILITY_INDEX_MAX, which values that do not vary have (0 on a limit). A
 * number that is not there is NAN. Sources: Kane, J. Quality Technology 18 (1986); Chan, Cheng and
 * Spiring, J. Quality Technology 20 (1988); Bissell, Applied Statistics 39 (1990); Montgomery,
 * Introduction to Statistical Quality Control, chapter 8. Pure. */
#ifndef MR_OPERATORS_CAPABILITY_H
#define MR_OPERATORS_CAPABILITY_H

#include <stdint.h>

#include "operators/control_constants.h"

#define MR_CAPABILITY_INDEX_MAX 1e9

struct mr_capability_study {
    double lower; /* of the specification; NAN: none, but one of the two is there */
    double upper;
    double target;     /* NAN: none */
    double confidence; /* of the bounds, 0.5 to 0.9999 */
    double count;      /* values, >= 2 */
    double mean;
    double sigma_within; /* NAN: too few values */
    double freedom_within;
    double sigma_overall; /* with divisor count - 1 */
    double outside;       /* values beyond the limits */
};

/* Results, in the order of the members of spc.capability. */
enum mr_capability_result {
    MR_CAPABILITY_MEAN,
    MR_CAPABILITY_SIGMA_WITHIN,
    MR_CAPABILITY_SIGMA_OVERALL,
    MR_CAPABILITY_CP,
    MR_CAPABILITY_CPL,
    MR_CAPABILITY_CPU,
    MR_CAPABILITY_CPK,
    MR_CAPABILITY_PP,
    MR_CAPABILITY_PPL,
    MR_CAPABILITY_PPU,
    MR_CAPABILITY_PPK,
    MR_CAPABILITY_CPM,
    MR_CAPABILITY_CP_LOWER,
    MR_CAPABILITY_CP_UPPER,
    MR_CAPABILITY_CPK_LOWER,
    MR_CAPABILITY_CPK_UPPER,
    MR_CAPABILITY_PP_LOWER,
    MR_CAPABILITY_PP_UPPER,
    MR_CAPABILITY_PPK_LOWER,
    MR_CAPABILITY_PPK_UPPER,
    MR_CAPABILITY_PPM_OBSERVED,
    MR_CAPABILITY_PPM_WITHIN,
    MR_CAPABILITY_PPM_OVERALL,
    MR_CAPABILITY_RESULTS_COUNT
};

void mr_capability(const struct mr_capability_study *study,
                   double results[MR_CAPABILITY_RESULTS_COUNT]);

/* "excellent" from 1.67 on, "adequate" from 1.33, "marginal" from 1, else "inadequate"; "unknown"
 * for NAN. Static. */
const char *mr_capability_rating(double index);

/* What `count` estimates of sigma by ranges or standard deviations are worth together, whose mean
 * and standard deviation are constants d2 and d3 at sigma 1. */
double mr_capability_freedom(struct mr_range_constants constants, double count);
/* The same of `count` moving ranges of neighbours, which are not independent. */
double mr_capability_moving_freedom(double count);

#endif
