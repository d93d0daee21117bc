/* operators/control_constants.h — the constants of control charts for normal values, by size of a
 * subgroup: expectation and deviation of the range and of the standard deviation of n values of a
 * standard normal process, and the factors of limits that follow from them.
 * Method: d2 and d3 are integrals over the normal distribution (Tippett 1925), computed here and
 * not looked up: printed tables differ from each other in the third decimal. c4 is a ratio of gamma
 * functions, which is built up exactly from c4(2) = sqrt(2 / pi). Accuracy: 1e-9 relative, beside
 * an independent program (tests/unit/operators/test_control_constants.c).
 * Only +, -, *, / and sqrt are used: the same bits on each machine. Bounds: sizes from 2 to
 * MR_CONTROL_SIZE_MAX for the range, from 2 to INT32_MAX for the standard deviation. Cost: some
 * million operations per size for the range: called when an operator is opened, never per record.
 */
#ifndef MR_OPERATORS_CONTROL_CONSTANTS_H
#define MR_OPERATORS_CONTROL_CONSTANTS_H

#include <stdint.h>

/* Ranges of larger subgroups say little beside their standard deviations. */
enum { MR_CONTROL_SIZE_MAX = 100 };

/* Of the range: its mean d2 and standard deviation d3, in sigma. Pre: 2 <= size <=
 * MR_CONTROL_SIZE_MAX. */
struct mr_range_constants {
    double d2;
    double d3;
};
struct mr_range_constants mr_control_range(uint32_t size);

/* The mean of the standard deviation (divisor size - 1), in sigma. Its standard deviation is
 * sqrt(1 - c4^2). Pre: size >= 2; cost: size steps up to some thousand, then an asymptotic series.
 */
double mr_control_c4(uint32_t size);

/* The factors that textbooks print, for limits at `sigmas` standard errors (3 by custom). */
struct mr_control_factors {
    double a2;     /* mean chart: xbarbar +- A2 Rbar */
    double a3;     /* mean chart: xbarbar +- A3 sbar */
    double b3, b4; /* s chart: B3 sbar to B4 sbar */
    double big_d3; /* R chart, D3 Rbar */
    double big_d4; /* and D4 Rbar */
    double e2;     /* single values: xbar +- E2 MRbar, with moving ranges of `size` values */
};
struct mr_control_factors mr_control_factors(uint32_t size, double sigmas);

#endif
