/* operators/incomplete.c — see incomplete.h. */
#include "operators/incomplete.h"

#include <stdint.h>

#include "base/assert.h"
#include "operators/natural_log.h"
#include "operators/tail.h"

enum { STEPS_MAX = 20000 };

static const double tiny = 1e-300;
static const double half_ln_2pi = 0.91893853320467274178;

/* ln Gamma(x) - (x - 1/2) ln x + x - ln(2 pi) / 2, of x >= 16. */
static double stirling_series(double x)
{
    double inverse = 1 / x;
    double square = inverse * inverse;
    double series = 1.0 / 1188 - square * 691.0 / 360360;
    series = 1.0 / 1680 - square * series;
    series = 1.0 / 1260 - square * series;
    series = 1.0 / 360 - square * series;
    return inverse * (1.0 / 12 - square * series);
}

double mr_log_gamma(double x)
{
    MR_ASSERT(x > 0);
    /* Gamma(x) = Gamma(x + k) / (x (x + 1) ... (x + k - 1)): the series wants a large x. */
    double shift = 0;
    for (; x < 16; x += 1)
        shift += mr_natural_log(x);
    return (x - 0.5) * mr_natural_log(x) - x + half_ln_2pi + stirling_series(x) - shift;
}

/* ln Gamma(x + 1) - (x + 1/2) ln x + x - ln(2 pi) / 2: what Stirling's formula is wrong by. */
static double stirling_error(double x)
{
    if (x >= 16)
        return stirling_series(x);
    return mr_log_gamma(x + 1) - (x + 0.5) * mr_natural_log(x) + x - half_ln_2pi;
}

/* x ln(x / m) + m - x, also where both are nearly equal: x ln(x / m) is 2 x artanh(v). */
static double deviance(double x, double m)
{
    double v = (x - m) / (x + m);
    if (v > 0.1 || v < -0.1)
        return x * mr_natural_log(x / m) + m - x;
    double sum = (x - m) * v;
    double power = 2 * x * v;
    for (uint32_t odd = 3; odd < 60; odd += 2) {
        power *= v * v;
        double next = sum + power / odd;
        if (!(next < sum) && !(next > sum))
            break;
        sum = next;
    }
    return sum;
}

/* ---- The incomplete beta function ---- */

/* The continued fraction of I_x(a, b); converges fast for x < (a + 1) / (a + b + 2). */
static double fraction(double a, double b, double x)
{
    double c = 1;
    double d = 1 - (a + b) * x / (a + 1);
    d = d < tiny && d > -tiny ? 1 / tiny : 1 / d;
    double result = d;
    for (uint32_t step = 1; step <= STEPS_MAX; step++) {
        double m = step;
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        const double terms[] = {even, odd};
        double change = 1;
        for (uint32_t term = 0; term < 2; term++) {
            d = 1 + terms[term] * d;
            c = 1 + terms[term] / c;
            if (d < tiny && d > -tiny)
                d = tiny;
            if (c < tiny && c > -tiny)
                c = tiny;
            d = 1 / d;
            change = d * c;
            result *= change;
        }
        if (change - 1 < 1e-15 && change - 1 > -1e-15)
            break;
    }
    return result;
}

/* ln I_x(a, b) by the fraction, y = 1 - x. In front of it stands x^a y^b / (a B(a, b)), a binomial
 * probability; by deviances nothing of it cancels out. */
static double log_beta_part(double a, double b, double x, double y)
{
    double n = a + b;
    double front = stirling_error(n) - stirling_error(a) - stirling_error(b) - deviance(a, n * x) -
                   deviance(b, n * y) + 0.5 * mr_natural_log(a * (b / n)) - half_ln_2pi;
    return front + mr_natural_log(fraction(a, b, x) / a);
}

/* ln(1 - e^log_part), log_part <= 0. */
static double log_rest(double log_part)
{
    double rest = 1 - mr_tail_exponential(log_part);
    return rest > 0 ? mr_natural_log(rest) : mr_natural_log(tiny);
}

void mr_log_beta(double a, double b, double x, double y, double *lower, double *upper)
{
    MR_ASSERT(a > 0 && b > 0 && x > 0 && y > 0);
    if (x < (a + 1) / (a + b + 2)) {
        *lower = log_beta_part(a, b, x, y);
        *lower = *lower < 0 ? *lower : 0;
        *upper = log_rest(*lower);
    } else {
        *upper = log_beta_part(b, a, y, x);
        *upper = *upper < 0 ? *upper : 0;
        *lower = log_rest(*upper);
    }
}

/* ---- The incomplete gamma function ---- */

/* P(a, x) Gamma(a) / (x^a e^-x) = sum over n of x^n / (a (a + 1) ... (a + n)); for x < a + 1. */
static double gamma_series(double a, double x)
{
    double term = 1 / a;
    double sum = term;
    for (uint32_t step = 1; step <= STEPS_MAX && term > sum * 1e-17; step++) {
        term *= x / (a + step);
        sum += term;
    }
    return sum;
}

/* Q(a, x) Gamma(a) / (x^a e^-x) by its continued fraction; for x >= a + 1. */
static double gamma_fraction(double a, double x)
{
    double b = x + 1 - a;
    double c = 1 / tiny;
    double d = 1 / b;
    double result = d;
    for (uint32_t step = 1; step <= STEPS_MAX; step++) {
        double term = -(double)step * (step - a);
        b += 2;
        d = term * d + b;
        c = b + term / c;
        if (d < tiny && d > -tiny)
            d = tiny;
        if (c < tiny && c > -tiny)
            c = tiny;
        d = 1 / d;
        result *= d * c;
        if (d * c - 1 < 1e-15 && d * c - 1 > -1e-15)
            break;
    }
    return result;
}

void mr_log_gamma_tails(double a, double x, double *lower, double *upper)
{
    MR_ASSERT(a > 0 && x > 0);
    /* x^a e^-x / Gamma(a): a times a probability of Poisson's. */
    double front = 0.5 * mr_natural_log(a) - half_ln_2pi - stirling_error(a) - deviance(a, x);
    if (x < a + 1) {
        *lower = front + mr_natural_log(gamma_series(a, x));
        *lower = *lower < 0 ? *lower : 0;
        *upper = log_rest(*lower);
    } else {
        *upper = front + mr_natural_log(gamma_fraction(a, x));
        *upper = *upper < 0 ? *upper : 0;
        *lower = log_rest(*upper);
    }
}
