/* operators/extreme_deviates.h — the generalised extreme Studentised deviate test: which of a
 * sample's numbers are outliers, up to a number of them.
 * Source: Rosner, Percentage points for a generalized ESD many-outlier procedure (Technometrics 25,
 * 1983), and with median and median absolute deviation in the place of mean and standard deviation
 * the hybrid of Hochenbaum, Vallis and Kejariwal (2017).
 * Model: the number farthest from the centre is taken out, again and again; R_i is its distance in
 * deviations, lambda_i the critical value of step i. The outliers are all numbers up to the last
 * step with R_i > lambda_i: so that some near each other do not hide themselves. The score of a
 * number that goes at step i is the greatest R_j / lambda_j of steps j >= i: above 1 exactly for
 * outliers, and without an upper end. */
#ifndef MR_OPERATORS_EXTREME_DEVIATES_H
#define MR_OPERATORS_EXTREME_DEVIATES_H

#include <stdbool.h>
#include <stdint.h>

struct mr_extreme_test {
    uint32_t outliers_max;  /* >= 1; size - outliers_max >= 2 */
    bool is_robust;         /* median and 1.4826 median absolute deviations */
    double scale_floor;     /* a deviation below counts as this; > 0 */
    const double *critical; /* outliers_max values, for samples of the same size */
};

/* critical[outliers_max] for samples of size, each step at alpha / (2 (numbers left)). size -
 * outliers_max >= 2. Cost: a quantile of t each. */
void mr_extreme_critical(uint32_t size, uint32_t outliers_max, double alpha, double *critical);

struct mr_extreme_verdict {
    double score;      /* of the number that was asked for */
    double centre;     /* of step 1 */
    double deviation;  /* of step 1, the floor at least */
    uint32_t outliers; /* in the sample */
};

/* Test sorted[size], ascending and finite, and judge number, which is one of them. statistics may
 * be NULL, or takes R_i of each step. Cost: outliers_max steps of O(log size), or of O(size) with
 * means. */
struct mr_extreme_verdict mr_extreme_judge(const struct mr_extreme_test *test, const double *sorted,
                                           uint32_t size, double number, double *statistics);

#endif
