/* operators/incomplete.h — the incomplete beta and gamma functions in logarithms, so that tails
 * never become 0: what the beta, F, chi-square, gamma, binomial and Poisson distributions are made
 * of. Sources: the continued fraction of Didonato and Morris, Algorithm 708, ACM TOMS 18 (1992), by
 * the method of Lentz; the factors in front of it by Loader, Fast and accurate computation of
 * binomial probabilities (2000); series and fraction of the incomplete gamma function: Gautschi,
 * ACM TOMS 5 (1979). Pure; + - * / and our own logarithm in a fixed order, so that the bits are the
 * same on every machine. Accuracy: about 1e-12 of the logarithm, and of a tail next to 1. Cost:
 * some ten steps, up to the square root of the parameters. */
#ifndef MR_OPERATORS_INCOMPLETE_H
#define MR_OPERATORS_INCOMPLETE_H

/* ln Gamma(x), x > 0. */
double mr_log_gamma(double x);

/* *lower = ln I_x(a, b), the probability that a beta variable is below x, and *upper = ln of the
 * rest. Pre: a, b from 1e-9 to 1e15, x, y >= 1e-290; y = 1 - x, given by the caller, who may know
 * it better. */
void mr_log_beta(double a, double b, double x, double y, double *lower, double *upper);

/* *lower = ln P(a, x), the probability that a gamma variable of shape a and scale 1 is below x, and
 * *upper = ln of the rest. Pre: a from 1e-9 to 1e15, 1e-290 <= x <= 1e290. */
void mr_log_gamma_tails(double a, double x, double *lower, double *upper);

#endif
