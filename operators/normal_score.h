/* operators/normal_score.h — the standard normal distribution at the speed of records: scores of
 * probabilities, and back.
 * Why beside operators/quantile.h: that one solves for any distribution in some 20 us; a synthetic
 * record needs a score per field. Sources: the score by Wichura, Algorithm AS 241, Applied
 * Statistics 37 (1988); the integral by Marsaglia's series, Evaluating the normal distribution
 * (2004), and its continued fraction. Plain arithmetic in a fixed order and our own logarithm and
 * exponential: the same bits on every machine. Accuracy: about 1e-15 of a score, 1e-15 of a
 * probability and 1e-10 of one near 0. Cost: a score some 10 ns in the middle 85 %, 100 ns outside;
 * an integral some 100 ns. Pure. */
#ifndef MR_OPERATORS_NORMAL_SCORE_H
#define MR_OPERATORS_NORMAL_SCORE_H

/* Probabilities nearer to 0 or 1 count as this: 8.2 standard deviations. */
#define MR_NORMAL_TAIL_MIN 1e-16

/* Height of the density. Infinities have 0. */
double mr_normal_density(double z);
/* Probability below z. Infinities have 0 and 1. */
double mr_normal_below(double z);
/* The z that has the probability below it; probabilities outside the bounds above count as them. */
double mr_normal_score(double probability);

#endif
