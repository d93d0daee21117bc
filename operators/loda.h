/* operators/loda.h — many weak histograms: sparse random projections of records, and how unlikely
 * each of them is among a window of records.
 * Model: a cut is a projection onto sqrt(d) fields chosen at random, with normal weights, drawn
 * once from (seed, cut). A window of records gives each field a scale (its middle 98 %) and each
 * cut a histogram of `bins` equal bins over the middle 98 % of its projections, with a tail on each
 * side. The cost of a bin is ln(highest density / its density) >= 0; of a tail, whose density falls
 * with the square of the distance, it grows without end. A record's score is the mean cost over the
 * cuts.
 * Why so: over the whole range one outlier would press all others into one bin; and the mean of
 * -ln(density) of the paper, from which ours differs by a constant per window, may be negative and
 * has an end.
 * Source: Pevny, Loda: Lightweight on-line detector of anomalies (2016).
 * Plain + - * / and operators/natural_log.h: the same bits on each machine. |values| <= 1e140 in
 * windows; any numbers are scored. */
#ifndef MR_OPERATORS_LODA_H
#define MR_OPERATORS_LODA_H

#include <stddef.h>
#include <stdint.h>

enum { MR_LODA_CUTS_MAX = 256, MR_LODA_BINS_MAX = 64 };

struct mr_loda_cuts {
    uint32_t cuts_count;
    uint32_t fields_count; /* <= 256 */
    uint32_t used_count;   /* of each cut: mr_loda_used(fields_count) */
    /* By cut * used_count; the caller's memory. */
    uint8_t *fields;
    double *weights;
};

/* Where the middle of some numbers lies. */
struct mr_loda_scale {
    double low;
    double inverse; /* 1 / width */
};

/* One cut of one window: scale.low and 1 / (a bin's width), costs[bins + 2]: the lower tail, the
 * bins, the upper tail. */
struct mr_loda_histogram {
    struct mr_loda_scale scale;
    float costs[MR_LODA_BINS_MAX + 2];
};

/* The square root of d, rounded down. */
uint32_t mr_loda_used(uint32_t fields_count);

void mr_loda_draw(const struct mr_loda_cuts *cuts, uint64_t seed);

/* The middle 98 % of numbers[count >= 1], widened a little: at least one bin's 64th part. */
struct mr_loda_scale mr_loda_scale_of(const double *numbers, uint32_t count);

/* point[d]: values by their fields' scales, cut off at +-1e120. */
void mr_loda_map(const struct mr_loda_scale *scales, const double *values, uint32_t fields_count,
                 double *point);

double mr_loda_project(const struct mr_loda_cuts *cuts, uint32_t cut, const double *point);

/* The histogram of projections[count >= 1]. */
void mr_loda_learn(const double *projections, uint32_t count, uint32_t bins,
                   struct mr_loda_histogram *histogram);

/* The bin of a projection: 0 is the lower tail, bins + 1 the upper one; *beyond: how far out in the
 * tail, in widths of all bins together; 0 elsewhere. */
static inline uint32_t mr_loda_bin(struct mr_loda_scale scale, uint32_t bins, double projection,
                                   double *beyond)
{
    double place = (projection - scale.low) * scale.inverse;
    *beyond = 0;
    if (place >= 0 && place < bins)
        return (uint32_t)place + 1;
    *beyond = (place < 0 ? -place : place - bins) / bins;
    return place < 0 ? 0 : bins + 1;
}

/* What being so far out adds to the cost of the tail: 2 ln(1 + beyond). */
double mr_loda_tail_cost(double beyond);

#endif
