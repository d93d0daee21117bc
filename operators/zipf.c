/* operators/zipf.c — see zipf.h.
 * Design: with h(x) = x^-s, H its integral and H^-1 the inverse, u uniform in
 * (H(n + 1/2), H(3/2) - 1] becomes x = H^-1(u) and k = x rounded; k is taken when u >= H(k + 1/2) -
 * h(k). (expm1 and log1p keep H exact near s = 1.) */
#include "operators/zipf.h"

#include <math.h>

/* log1p(x) / x and expm1(x) / x, also at 0. */
static double log_ratio(double x)
{
    return fabs(x) > 1e-8 ? log1p(x) / x : 1 - x * (0.5 - x * (1.0 / 3 - 0.25 * x));
}

static double exp_ratio(double x)
{
    return fabs(x) > 1e-8 ? expm1(x) / x : 1 + x * 0.5 * (1 + x / 3 * (1 + 0.25 * x));
}

static double height(double exponent, double x)
{
    return exp(-exponent * log(x));
}

static double integral(double exponent, double x)
{
    double logarithm = log(x);
    return exp_ratio((1 - exponent) * logarithm) * logarithm;
}

static double inverse(double exponent, double y)
{
    double scaled = y * (1 - exponent);
    if (scaled < -1)
        scaled = -1; /* rounding at the far end */
    return exp(log_ratio(scaled) * y);
}

void mr_zipf_init(struct mr_zipf *zipf, uint64_t count, double exponent)
{
    *zipf = (struct mr_zipf){.exponent = exponent, .count = (double)count};
    zipf->first = integral(exponent, 1.5) - 1;
    zipf->last = integral(exponent, zipf->count + 0.5);
    zipf->shortcut = 2 - inverse(exponent, integral(exponent, 2.5) - height(exponent, 2));
}

uint64_t mr_zipf_draw(const struct mr_zipf *zipf, struct mr_random *random)
{
    for (;;) {
        double u = zipf->last + mr_random_double(random) * (zipf->first - zipf->last);
        double x = inverse(zipf->exponent, u);
        double k = floor(x + 0.5);
        if (k < 1)
            k = 1;
        else if (k > zipf->count)
            k = zipf->count;
        if (k - x <= zipf->shortcut ||
            u >= integral(zipf->exponent, k + 0.5) - height(zipf->exponent, k))
            return (uint64_t)k;
    }
}
