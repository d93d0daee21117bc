/* operators/tail.h — the tail of a distribution from its excesses over a level: a generalised
 * Pareto distribution by maximum likelihood, and quantiles and probabilities of it.
 * Sources: Grimshaw, Computing maximum likelihood estimates for the generalized Pareto
 * distribution, Technometrics 35 (1993); Siffer et al., Anomaly detection in streams with extreme
 * value theory, KDD 2017. Pure; plain arithmetic in a fixed order and our own logarithm and
 * exponential, so that the bits are the same on every machine.
 * Limits: excesses are > 0 and finite, <= 1e140. Cost of a fit: about 40 passes over them. */
#ifndef MR_OPERATORS_TAIL_H
#define MR_OPERATORS_TAIL_H

#include <stdint.h>

/* P(excess > y) = (1 + gamma y / sigma)^(-1/gamma); gamma 0: exp(-y / sigma). */
struct mr_tail {
    double gamma;
    double sigma; /* > 0 */
    double log_likelihood;
};

/* Fit to excesses[count], count >= 1: the most likely of the exponential distribution (gamma 0),
 * the moments' estimate and the roots of Grimshaw's equation. */
struct mr_tail mr_tail_fit(const double *excesses, uint32_t count);

/* The value above the level that is exceeded with probability `rate`, when share of all numbers are
 * above the level: sigma / gamma ((rate / share)^-gamma - 1). 0 when rate >= share. Finite: at most
 * the largest double. */
double mr_tail_quantile(const struct mr_tail *tail, double share, double rate);

/* How likely a number lies more than excess (>= 0) above the level: 0 beyond the end of a tail with
 * gamma < 0. */
double mr_tail_probability(const struct mr_tail *tail, double share, double excess);

/* e^x with an error below 1e-14 of it; 0 and the largest double beyond what a double holds. */
double mr_tail_exponential(double x);

#endif
