/* operators/quantile.h — quantiles of the beta, F, chi-square and normal distributions.
 * Method: the incomplete functions (operators/incomplete.h) are solved for their argument
 * (operators/root.h): the logarithm of the smaller tail over the logarithm of the argument or of
 * its odds, which is nearly a straight line.
 * Accuracy: 1e-10 relative beside scipy (tests/unit/operators/test_quantile.c). Pure; the same bits
 * on every machine. Cost: some 15 evaluations, 35 us. */
#ifndef MR_OPERATORS_QUANTILE_H
#define MR_OPERATORS_QUANTILE_H

/* x that a variable is above with probability `upper`, 0 < upper < 1. */
double mr_beta_quantile(double a, double b, double upper);       /* a, b > 0 */
double mr_f_quantile(double first, double second, double upper); /* degrees of freedom > 0 */
double mr_chi_square_quantile(double freedom, double upper);     /* freedom > 0 */
double mr_normal_quantile(double upper);

/* How likely a standard normal variable is above z. */
double mr_normal_tail(double z);

#endif
