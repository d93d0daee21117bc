/* operators/marginal.h — how the numbers of one column are distributed, learned block by block in
 * bounded memory, and the way from a number to a standard normal score and back.
 * Why own: a t-digest keeps means, so that values of which there are many (0, whole numbers, a
 * sensor's limit) blur into their neighbours. Here a bin has its least and its greatest value: one
 * value alone is a bin without width and stays exact, and as long as a column has no more different
 * values than bins, all of them do.
 * Model: bins in ascending order, each with lowest <= highest and a weight; within a bin all values
 * are equally likely, between bins there are none. A block's values fall into bins or make new
 * ones; then neighbours whose common weight is below a limit become one, and bins above it are cut
 * in two. The limit is 1.9 % of the weight in the middle and 0.4 % at the ends. Decay is one factor
 * on all weights.
 * Limits: MR_MARGINAL_BINS_MAX bins; values finite. Plain arithmetic in a fixed order. Pure. */
#ifndef MR_OPERATORS_MARGINAL_H
#define MR_OPERATORS_MARGINAL_H

#include <stdbool.h>
#include <stdint.h>

enum { MR_MARGINAL_BINS_MAX = 168, MR_MARGINAL_BLOCK_MAX = 256 };

struct mr_marginal_bin {
    double lowest;
    double highest;
    double weight;
};

struct mr_marginal {
    uint32_t bins_count;
    struct mr_marginal_bin bins[MR_MARGINAL_BINS_MAX];
};

/* The same bins over z: bin i lies between edges i and i + 1. */
struct mr_marginal_map {
    uint32_t bins_count;
    double scale; /* values are whole numbers over this, a power of ten; 0: any */
    double step;  /* 1 / scale, or 0 */
    double edges[MR_MARGINAL_BINS_MAX + 1]; /* z below which bin i begins; the last: its end */
    double lowest[MR_MARGINAL_BINS_MAX];
    double highest[MR_MARGINAL_BINS_MAX];
    double scores[MR_MARGINAL_BINS_MAX]; /* mean of z in the bin */
    /* Mean of the squared scores of what one sees, < 1 where values are tied. */
    double variance;
};

/* Multiply all weights; bins that have lost all but 1e-9 of the weight go. */
void mr_marginal_decay(struct mr_marginal *marginal, double factor);
/* Learn at most MR_MARGINAL_BLOCK_MAX values, ascending, each with the weight 1. scale: as in the
 * map. */
void mr_marginal_learn(struct mr_marginal *marginal, const double *values, uint32_t values_count,
                       double scale);
double mr_marginal_weight(const struct mr_marginal *marginal);
/* Take what another one has learned. */
void mr_marginal_merge(struct mr_marginal *marginal, const struct mr_marginal *other, double scale);

/* The map of bins with a weight, above 1e-12 of all. tail: the share that lies beyond the least and
 * beyond the greatest value each: 1 / (2 n) of n records. */
void mr_marginal_map(struct mr_marginal_map *map, const struct mr_marginal_bin *bins,
                     uint32_t bins_count, double scale, double tail);
/* The score of a value: of a tied one the mean of its interval. */
double mr_marginal_score(const struct mr_marginal_map *map, double value);
/* The value at z. */
double mr_marginal_value(const struct mr_marginal_map *map, double z);
/* How fast the score rises at a value within a bin of some width; 0: it is in none. */
double mr_marginal_slope(const struct mr_marginal_map *map, double value);
/* The interval of z whose values are in [lowest, highest]; false: no value is. */
bool mr_marginal_interval(const struct mr_marginal_map *map, double lowest, double highest,
                          double *from, double *to);

#endif
