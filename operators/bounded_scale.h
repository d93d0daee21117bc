/* operators/bounded_scale.h — the usual size of a stream's deviations, which no single number can
 * carry away.
 * Why: a detector that divides by a standard deviation is blind for a long time behind one huge
 * number; one that divides by a median needs a window. Model: a mean absolute deviation with weight
 * max(1 / n, decay) for the newest, in which a deviation counts as MR_BOUNDED_SCALE_RATIO times the
 * scale so far at most. One outlier raises the scale by ten times `decay` at most, and a scale that
 * has become too small grows geometrically. + - * / only: the same bits on every machine. */
#ifndef MR_OPERATORS_BOUNDED_SCALE_H
#define MR_OPERATORS_BOUNDED_SCALE_H

#include <math.h>
#include <stdint.h>

#define MR_BOUNDED_SCALE_RATIO 10.0
/* A normal distribution's standard deviation over its mean absolute deviation, sqrt(pi / 2). */
#define MR_BOUNDED_SCALE_SD 1.2533141373155003

struct mr_bounded_scale {
    uint64_t count; /* deviations learned */
    double mean;    /* of their absolute values, bounded */
};

/* Weight of the number behind count others. */
static inline double mr_bounded_scale_weight(uint64_t count, double decay)
{
    double weight = 1 / ((double)count + 1);
    return weight > decay ? weight : decay;
}

/* A deviation as it counts beside a scale, which counts as floor at least. */
static inline double mr_bounded_scale_bound(double deviation, double mean, double floor)
{
    double most = MR_BOUNDED_SCALE_RATIO * (mean > floor ? mean : floor);
    return deviation > most ? most : deviation < -most ? -most : deviation;
}

/* Learn a finite deviation. decay is a share, floor > 0. */
static inline void mr_bounded_scale_learn(struct mr_bounded_scale *scale, double deviation,
                                          double decay, double floor)
{
    double size = fabs(deviation);
    if (scale->count > 0)
        size = mr_bounded_scale_bound(size, scale->mean, floor);
    scale->mean += mr_bounded_scale_weight(scale->count, decay) * (size - scale->mean);
    scale->count++;
}

/* As a standard deviation, floor at least. */
static inline double mr_bounded_scale_sd(const struct mr_bounded_scale *scale, double floor)
{
    double sd = MR_BOUNDED_SCALE_SD * scale->mean;
    return sd > floor ? sd : floor;
}

#endif
