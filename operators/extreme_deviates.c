/* operators/extreme_deviates.c — see extreme_deviates.h.
 * Design: the farthest number is the least or the greatest, so that what is left is always a part
 * of the sorted sample. Scores are made from the last step to the step at which the number went. */
#include "operators/extreme_deviates.h"

#include <math.h>
#include <stddef.h>

#include "base/assert.h"
#include "operators/sorted_window.h"
#include "operators/student_t.h"

static const double mad_scale = 1.4826;

void mr_extreme_critical(uint32_t size, uint32_t outliers_max, double alpha, double *critical)
{
    MR_ASSERT(outliers_max >= 1 && size >= outliers_max + 2);
    for (uint32_t step = 0; step < outliers_max; step++) {
        uint32_t left = size - step;
        double t = mr_student_t_upper(alpha / (2.0 * left), left - 2);
        critical[step] = (left - 1) * t / sqrt((left - 2 + t * t) * left);
    }
}

struct spread {
    double centre;
    double deviation;
};

static struct spread spread_of(const struct mr_extreme_test *test, const double *sorted,
                               uint32_t size)
{
    struct spread spread = {0};
    if (test->is_robust) {
        spread.centre = mr_sorted_window_median(sorted, size);
        spread.deviation = mad_scale * mr_sorted_window_mad(sorted, size, spread.centre);
    } else {
        double sum = 0;
        double squares = 0;
        for (uint32_t index = 0; index < size; index++)
            sum += sorted[index];
        spread.centre = sum / size;
        for (uint32_t index = 0; index < size; index++)
            squares += (sorted[index] - spread.centre) * (sorted[index] - spread.centre);
        spread.deviation = sqrt(squares / (size - 1));
    }
    if (spread.deviation < test->scale_floor)
        spread.deviation = test->scale_floor;
    return spread;
}

struct mr_extreme_verdict mr_extreme_judge(const struct mr_extreme_test *test, const double *sorted,
                                           uint32_t size, double number, double *statistics)
{
    struct mr_extreme_verdict verdict = {0};
    const double *first = sorted;
    const double *last = sorted + size - 1;
    bool is_out = false;
    double score = 0; /* of steps since the number went */
    for (uint32_t step = 0; step < test->outliers_max; step++) {
        struct spread spread = spread_of(test, first, (uint32_t)(last - first) + 1);
        if (step == 0) {
            verdict.centre = spread.centre;
            verdict.deviation = spread.deviation;
        }
        bool is_low = spread.centre - *first > *last - spread.centre;
        double extreme = is_low ? *first++ : *last--;
        double statistic = fabs(extreme - spread.centre) / spread.deviation;
        double ratio = statistic / test->critical[step];
        if (statistics != NULL)
            statistics[step] = statistic;
        if (ratio > 1)
            verdict.outliers = step + 1;
        if (!is_out && !(extreme > number) && !(extreme < number))
            is_out = true;
        if (is_out && ratio > score)
            score = ratio;
        /* One that stays until the end is no outlier, however it stands there. */
        if (!is_out && step + 1 == test->outliers_max) {
            score = fabs(number - spread.centre) / spread.deviation / test->critical[step];
            score = score < 1 ? score : 1;
        }
    }
    verdict.score = score;
    return verdict;
}
