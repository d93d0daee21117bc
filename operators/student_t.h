/* operators/student_t.h — quantiles of Student's t distribution, with the same bits on every
 * machine.
 * Why own: a test's critical value decides what is learned, and libm's gamma function and powers
 * differ between machines in the last bit. Model: for whole degrees of freedom n the upper tail is
 * half the regularised incomplete beta function I(x; n / 2, 1 / 2) with x = n / (n + t^2), a series
 * of positive terms (Abramowitz and Stegun 26.5.4); x^(n / 2) is whole powers and a square root,
 * the beta function a product. Newton's method finds t. + - * / sqrt only. Accuracy: about 1e-12 of
 * t for tails from 1e-12 up. Cost: some n / t^2 terms for each step, fewer than a millisecond up to
 * 10,000 degrees. */
#ifndef MR_OPERATORS_STUDENT_T_H
#define MR_OPERATORS_STUDENT_T_H

#include <stdint.h>

/* The t that is passed with probability tail, 0 < tail <= 1/4, with freedom >= 1 degrees. */
double mr_student_t_upper(double tail, uint32_t freedom);

#endif
