/* operators/zipf.h — whole numbers 1..n with probabilities proportional to k^-exponent.
 * Method: rejection-inversion (Hoermann and Derflinger, Rejection-inversion to generate variates
 * from monotone discrete distributions, ACM TOMACS 6 (1996)): constant time and memory for any n,
 * below 1.2 tries on average. exponent 0: each equally likely. Pure. */
#ifndef MR_OPERATORS_ZIPF_H
#define MR_OPERATORS_ZIPF_H

#include "base/random.h"

#define MR_ZIPF_EXPONENT_MAX 10.0

struct mr_zipf {
    double exponent;
    double count;
    double first; /* the integral's values at the ends of what is inverted */
    double last;
    double shortcut; /* below it a try is taken without a look */
};

/* count: 1..2^53; exponent: 0..MR_ZIPF_EXPONENT_MAX. */
void mr_zipf_init(struct mr_zipf *zipf, uint64_t count, double exponent);
uint64_t mr_zipf_draw(const struct mr_zipf *zipf, struct mr_random *random);

#endif
