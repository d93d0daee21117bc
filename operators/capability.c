/* operators/capability.c — see capability.h. */
#include "operators/capability.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"
#include "operators/quantile.h"

/* Where an index stands among the results; the bounds follow each other likewise. */
struct place {
    enum mr_capability_result index;  /* cp, cpl, cpu, cpk */
    enum mr_capability_result bounds; /* cp_lower, cp_upper, cpk_lower, cpk_upper */
};

/* A share of sigma; of values that do not vary the largest, on the side of the distance. */
static double index_of(double distance, double scale)
{
    if (isnan(distance) || isnan(scale) || !(fabs(distance) > 0))
        return isnan(scale) ? (double)NAN : distance;
    return fmax(-MR_CAPABILITY_INDEX_MAX, fmin(MR_CAPABILITY_INDEX_MAX, distance / scale));
}

/* Share of normal values beyond the limits. */
static double share_beyond(const struct mr_capability_study *study, double sigma)
{
    double share = 0;
    const double distances[] = {study->mean - study->lower, study->upper - study->mean};
    if (isnan(sigma))
        return (double)NAN;
    for (size_t side = 0; side < MR_ARRAY_COUNT(distances); side++) {
        bool is_on = !(fabs(distances[side]) > 0) && !(sigma > 0); /* on a limit is not beyond */
        if (!isnan(distances[side]) && !is_on)
            share += mr_normal_tail(index_of(distances[side], sigma));
    }
    return share;
}

static void bounds_of(const struct mr_capability_study *study, double freedom, struct place place,
                      double *results)
{
    double tail = (1 - study->confidence) / 2;
    double cp = results[place.index];
    double cpk = results[place.index + 3];
    double *bounds = results + place.bounds;
    for (uint32_t bound = 0; bound < 4; bound++)
        bounds[bound] = (double)NAN;
    if (!isnan(cp)) {
        bounds[0] = cp * sqrt(mr_chi_square_quantile(freedom, 1 - tail) / freedom);
        bounds[1] = cp * sqrt(mr_chi_square_quantile(freedom, tail) / freedom);
    }
    if (isnan(cpk))
        return;
    double reach =
        mr_normal_quantile(tail) * sqrt(1 / (9 * study->count) + cpk * cpk / (2 * freedom));
    bounds[2] = cpk - reach;
    bounds[3] = cpk + reach;
}

static void indices_of(const struct mr_capability_study *study, double sigma, double freedom,
                       struct place place, double *results)
{
    double *index = results + place.index;
    index[0] = index_of(study->upper - study->lower, 6 * sigma);
    index[1] = index_of(study->mean - study->lower, 3 * sigma);
    index[2] = index_of(study->upper - study->mean, 3 * sigma);
    index[3] = fmin(index[1], index[2]); /* of a NAN and a number the number */
    bounds_of(study, freedom, place, results);
}

/* About the target. */
static double cpm_of(const struct mr_capability_study *study)
{
    double off = study->mean - study->target;
    double scale = sqrt(study->sigma_overall * study->sigma_overall + off * off);
    if (!isnan(study->lower) && !isnan(study->upper))
        return index_of(study->upper - study->lower, 6 * scale);
    return index_of(isnan(study->lower) ? study->upper - study->target
                                        : study->target - study->lower,
                    3 * scale);
}

void mr_capability(const struct mr_capability_study *study,
                   double results[MR_CAPABILITY_RESULTS_COUNT])
{
    const struct place within = {MR_CAPABILITY_CP, MR_CAPABILITY_CP_LOWER};
    const struct place overall = {MR_CAPABILITY_PP, MR_CAPABILITY_PP_LOWER};
    MR_ASSERT(study->count >= 2 && !(isnan(study->lower) && isnan(study->upper)));
    results[MR_CAPABILITY_MEAN] = study->mean;
    results[MR_CAPABILITY_SIGMA_WITHIN] = study->sigma_within;
    results[MR_CAPABILITY_SIGMA_OVERALL] = study->sigma_overall;
    indices_of(study, study->sigma_within, study->freedom_within, within, results);
    indices_of(study, study->sigma_overall, study->count - 1, overall, results);
    results[MR_CAPABILITY_CPM] = cpm_of(study);
    results[MR_CAPABILITY_PPM_OBSERVED] = 1e6 * (study->outside / study->count);
    results[MR_CAPABILITY_PPM_WITHIN] = 1e6 * share_beyond(study, study->sigma_within);
    results[MR_CAPABILITY_PPM_OVERALL] = 1e6 * share_beyond(study, study->sigma_overall);
}

const char *mr_capability_rating(double index)
{
    if (isnan(index))
        return "unknown";
    return index >= 1.67   ? "excellent"
           : index >= 1.33 ? "adequate"
           : index >= 1    ? "marginal"
                           : "inadequate";
}

double mr_capability_freedom(struct mr_range_constants constants, double count)
{
    return count * constants.d2 * constants.d2 / (2 * constants.d3 * constants.d3);
}

double mr_capability_moving_freedom(double count)
{
    /* Of |x1 - x2| and |x2 - x3| of normal values with sigma 1. The differences have the variance 2
     * and the correlation r = -1/2, so that the mean of their product is (4 / pi) (sqrt(1 - r^2) +
     * r asin(r)). */
    static const double pi = 3.14159265358979323846;
    double mean_squared = 4 / pi;
    double variance = 2 - mean_squared;
    double covariance = 4 / pi * (sqrt(0.75) + pi / 12) - mean_squared;
    double together = (variance * count + 2 * covariance * (count - 1)) / (count * count);
    return mean_squared / (2 * together);
}
