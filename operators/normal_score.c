/* operators/normal_score.c — see normal_score.h.
 * Design: the integral from 0 is density * (z + z^3 / 3 + z^5 / 15 + ...), all terms positive; from
 * 4 on the tail is density over a continued fraction, evaluated from its end. */
#include "operators/normal_score.h"

#include <math.h>

#include "operators/natural_log.h"
#include "operators/tail.h"

#define SERIES_MAX 4.0 /* the series is used up to here */
#define CENTRAL 0.425  /* half the width of the middle, of AS 241 */

enum { FRACTION_TERMS = 60, SERIES_TERMS = 100 };

double mr_normal_density(double z)
{
    static const double peak = 0.3989422804014327;
    return peak * mr_tail_exponential(-z * z / 2);
}

/* Probability above z >= SERIES_MAX. */
static double tail_above(double z)
{
    double fraction = z;
    for (int term = FRACTION_TERMS; term >= 1; term--)
        fraction = z + term / fraction;
    return mr_normal_density(z) / fraction;
}

double mr_normal_below(double z)
{
    if (z >= SERIES_MAX)
        return isinf(z) ? 1 : 1 - tail_above(z);
    if (z <= -SERIES_MAX)
        return isinf(z) ? 0 : tail_above(-z);
    double term = z;
    double sum = z;
    for (int odd = 3; odd < 2 * SERIES_TERMS && fabs(term) > 1e-18 * fabs(sum); odd += 2) {
        term *= z * z / odd;
        sum += term;
    }
    return 0.5 + mr_normal_density(z) * sum;
}

/* numerator / denominator at x, both of degree 7; the denominator's constant is 1. */
static double ratio(const double numerator[8], const double denominator[7], double x)
{
    double top = numerator[7];
    double bottom = denominator[6];
    for (int power = 6; power >= 1; power--) {
        top = top * x + numerator[power];
        bottom = bottom * x + denominator[power - 1];
    }
    return (top * x + numerator[0]) / (bottom * x + 1);
}

/* The quantile's distance from 0 for a small probability. */
static double tail_quantile(double probability)
{
    static const double near_numerator[8] = {1.42343711074968357734,    4.63033784615654529590,
                                             5.76949722146069140550,    3.64784832476320460504,
                                             1.27045825245236838258,    2.41780725177450611770e-1,
                                             2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double near_denominator[7] = {2.05319162663775882187,    1.67638483018380384940,
                                               6.89767334985100004550e-1, 1.48103976427480074590e-1,
                                               1.51986665636164571966e-2, 5.47593808499534494600e-4,
                                               1.05075007164441684324e-9};
    static const double far_numerator[8] = {6.65790464350110377720,    5.46378491116411436990,
                                            1.78482653991729133580,    2.96560571828504891230e-1,
                                            2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                            2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static const double far_denominator[7] = {5.99832206555887937690e-1, 1.36929880922735805310e-1,
                                              1.48753612908506148525e-2, 7.86869131145613259100e-4,
                                              1.84631831751005468180e-5, 1.42151175831644588870e-7,
                                              2.04426310338993978564e-15};
    double distance = sqrt(-mr_natural_log(probability));
    if (distance <= 5)
        return ratio(near_numerator, near_denominator, distance - 1.6);
    return ratio(far_numerator, far_denominator, distance - 5);
}

double mr_normal_score(double probability)
{
    static const double numerator[8] = {3.3871328727963666080,    1.3314166789178437745e+2,
                                        1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                        4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                        3.3430575583588128105e+4, 2.5090809287301226727e+3};
    static const double denominator[7] = {4.2313330701600911252e+1, 6.8718700749205790830e+2,
                                          5.3941960214247511077e+3, 2.1213794301586595867e+4,
                                          3.9307895800092710610e+4, 2.8729085735721942674e+4,
                                          5.2264952788528545610e+3};
    double middle = probability - 0.5;
    if (fabs(middle) <= CENTRAL)
        return middle * ratio(numerator, denominator, CENTRAL * CENTRAL - middle * middle);
    double tail = middle < 0 ? probability : 1 - probability;
    double distance = tail_quantile(tail > MR_NORMAL_TAIL_MIN ? tail : MR_NORMAL_TAIL_MIN);
    return middle < 0 ? -distance : distance;
}
