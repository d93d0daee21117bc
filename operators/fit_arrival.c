/* operators/fit_arrival.c — see fit_arrival.h. */
#include "operators/fit_arrival.h"

#include <math.h>

/* Half way between the coefficients of variation of the three. */
#define JITTER_FROM 0.2
#define POISSON_FROM 0.7
#define MS_PER_SECOND 1000.0
/* Below this mean the rounding of times to ms shows in single gaps: sums of them are looked at. */
#define GAP_MS_MIN 4.0
#define SUM_MS 8.0
enum { SUMS_MIN = 8 };

void mr_fit_arrival(const int64_t *times_ms, size_t count, struct mr_fit_arrival *arrival)
{
    double squares = 0;
    *arrival = (struct mr_fit_arrival){.gaps = count < 2 ? 0 : count - 1};
    if (count < 2 || times_ms[count - 1] == times_ms[0])
        return;
    double mean = ((double)times_ms[count - 1] - (double)times_ms[0]) / (double)arrival->gaps;
    double run = mean < GAP_MS_MIN ? ceil(SUM_MS / mean) : 1;
    size_t step = run * SUMS_MIN > (double)arrival->gaps ? 1 : (size_t)run;
    size_t sums = arrival->gaps / step;
    for (size_t at = 0; at < sums; at++) {
        double sum = (double)times_ms[(at + 1) * step] - (double)times_ms[at * step];
        double off = sum / mean - (double)step;
        squares += off * off;
    }
    arrival->rate = MS_PER_SECOND / mean;
    arrival->variation = sqrt(squares / (double)sums / (double)step);
    arrival->kind = arrival->variation < JITTER_FROM    ? MR_ARRIVAL_REGULAR
                    : arrival->variation < POISSON_FROM ? MR_ARRIVAL_JITTER
                                                        : MR_ARRIVAL_POISSON;
}
