/* operators/series_noise.h — noise of a series that can be asked for by number: autoregressive, and
 * the same whoever asks first.
 * Model: x[n] = ar[0] x[n-1] + ... + ar[p-1] x[n-p] + e[n], where e[n] is drawn from the
 * counter-based sequence (seed, series, n). A recursion has no n-th value without those before it;
 * so it starts anew at the first number of each block, `burn` numbers earlier from 0, which is far
 * enough that what was before would change less than one part in 10^9 of a standard deviation. A
 * value is therefore a function of (seed, series, n) alone, at the cost of burn / block more draws.
 * The draws are scaled so that x has the standard deviation that is asked for.
 * Limits: order 8; coefficients whose echo has not died within 2^13 numbers are refused. */
#ifndef MR_OPERATORS_SERIES_NOISE_H
#define MR_OPERATORS_SERIES_NOISE_H

#include "base/error.h"

enum { MR_SERIES_NOISE_ORDER_MAX = 8, MR_SERIES_NOISE_BURN_MAX = 1 << 13 };

struct mr_series_noise {
    uint64_t seed;
    double draw_sd; /* of e */
    double ar[MR_SERIES_NOISE_ORDER_MAX];
    uint32_t order;
    int64_t burn;
    int64_t block; /* numbers from one fresh start to the next */
};

/* Where one series is. Zeroed: nowhere. */
struct mr_series_noise_state {
    int64_t next;                             /* 0: nowhere */
    double recent[MR_SERIES_NOISE_ORDER_MAX]; /* values before next, the latest first */
    /* A value from further back that was asked for last: records that are late or stuck. */
    int64_t held; /* its number plus 1; 0: none */
    double held_value;
};

/* sd: of the values, >= 0. ar: order coefficients. MR_INVALID with a sentence: values would grow
 * for ever, or die too slowly. */
enum mr_status mr_series_noise_init(struct mr_series_noise *noise, uint64_t seed, double sd,
                                    const double *ar, uint32_t order,
                                    struct mr_error *error) MR_NODISCARD;

/* Value of number >= 0 of a series. Cheap for the number behind the highest asked for so far, for
 * those just before it, and for the same number again. */
double mr_series_noise_at(const struct mr_series_noise *noise, uint64_t series, int64_t number,
                          struct mr_series_noise_state *state);

#endif
