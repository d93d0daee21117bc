/* operators/fit_series.h — trend and seasons of a number over event time, as the parameters that
 * generate.timeseries takes:
 *   value = level + trend (t - first) + sum of amplitude sin(2 pi (t / period + phase)) + noise
 * where t / period is the share of the period that has passed at t (ms since 1970).
 * Method: least squares. Candidates come from the periodogram (spectrum.h) of what is left, on up
 * to 2^14 steps of time; the strongest is refined beside it by least squares on the points
 * themselves, and stays when white noise would show as strong a one at fewer than one of 1,000
 * times and it takes MR_FIT_SEASON_SHARE of what is left. A trend stays when its slope is 4
 * standard errors from 0, else it is 0. A period of the calendar (a day, an hour and the like, a
 * week) within 3 standard errors of what was found is taken for it, so that the seasons of a stream
 * that is made go with the clock. Periods: from 4 mean gaps to a third of the span. Noise
 * that remembers for long can look like a season; a season that is no sine shows as several.
 * Limits: MR_FIT_SEASONS_MAX seasons; more than MR_FIT_POINTS_MAX points are averaged first, so
 * many in a row that fewer are left (periods count by what is left). Memory: 40 bytes a point, at
 * most 1 MiB. Pure, but for the memory of one call. */
#ifndef MR_OPERATORS_FIT_SERIES_H
#define MR_OPERATORS_FIT_SERIES_H

#include <stddef.h>
#include <stdint.h>

enum { MR_FIT_SEASONS_MAX = 3, MR_FIT_POINTS_MAX = 1 << 14, MR_FIT_POINTS_MIN = 32 };
#define MR_FIT_SEASON_SHARE 0.1

struct mr_fit_season {
    double period_ms;
    double amplitude;
    double phase; /* 0..1, in periods */
};

struct mr_fit_series {
    uint64_t points; /* below MR_FIT_POINTS_MIN, or all at one time: nothing else is known */
    double level;
    double trend_per_hour;
    double noise_sd; /* of the values less the model */
    uint32_t seasons_count;
    struct mr_fit_season seasons[MR_FIT_SEASONS_MAX]; /* the strongest first */
};

/* times_ms ascending; values within +-1e140, NaN: left out. */
void mr_fit_series(const int64_t *times_ms, const double *values, size_t count,
                   struct mr_fit_series *series);

#endif
