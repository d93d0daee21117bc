/* operators/count_tail.h — how likely so many events, or so few, are in a window: tails of the
 * negative binomial distribution in logarithms, so that they never become 0.
 * Model: counts with mean m and variance v > m are negative binomial with size r = m^2 / (v - m)
 * and q = (v - m) / v; a Poisson process whose rate is known from n windows only is one as well.
 * P(X >= c) is the regularised incomplete beta function I_q(c, r), P(X <= c) is I_(1-q)(r, c + 1):
 * operators/incomplete.h, which also says how accurate they are. Pure. */
#ifndef MR_OPERATORS_COUNT_TAIL_H
#define MR_OPERATORS_COUNT_TAIL_H

#include <stdint.h>

struct mr_count_tails {
    double log_upper; /* ln P(X >= count), <= 0 */
    double log_lower; /* ln P(X <= count), <= 0 */
};

/* Pre: 0 < mean <= 1e15, mean < variance <= 1e30, count <= 1e15. */
struct mr_count_tails mr_count_tails(double mean, double variance, double count);

#endif
