/* operators/tail.c — see tail.h.
 * Design: with x = gamma / sigma the two likelihood equations become one, u(x) v(x) = 1, where
 * u = mean(1 / (1 + x y)) and v = 1 + mean(log(1 + x y)); gamma = v - 1 and sigma = gamma / x. Its
 * roots lie in (-1 / max, 0) and (0, 2 (mean - min) / min^2]; 0 itself is always one and stands for
 * the exponential. The intervals are looked through at a few points, and each change of sign is
 * narrowed down. Logarithms of products save most logarithms. */
#include "operators/tail.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "base/assert.h"
#include "operators/natural_log.h"

enum { LOOKS = 8, NARROWINGS_MAX = 60 };

struct sample {
    const double *excesses;
    uint32_t count;
    double mean;
    double least;
    double most;
    double variance;
};

static struct sample measure(const double *excesses, uint32_t count)
{
    struct sample sample = {
        .excesses = excesses, .count = count, .least = excesses[0], .most = excesses[0]};
    double sum = 0;
    for (uint32_t index = 0; index < count; index++) {
        sum += excesses[index];
        if (excesses[index] < sample.least)
            sample.least = excesses[index];
        if (excesses[index] > sample.most)
            sample.most = excesses[index];
    }
    sample.mean = sum / count;
    double squares = 0;
    for (uint32_t index = 0; index < count; index++)
        squares += (excesses[index] - sample.mean) * (excesses[index] - sample.mean);
    sample.variance = squares / count;
    return sample;
}

/* Sum of log(1 + x y); the factors are > 0 within the intervals. Products stay far from the ends
 * of a double: each factor is split off when it is extreme. */
static double sum_of_logs(const struct sample *sample, double x)
{
    double sum = 0;
    double product = 1;
    for (uint32_t index = 0; index < sample->count; index++) {
        double factor = 1 + x * sample->excesses[index];
        if (!(factor > 1e-30 && factor < 1e30)) {
            sum += mr_natural_log(factor > DBL_MIN ? factor : DBL_MIN);
            continue;
        }
        product *= factor;
        if (product < 1e-200 || product > 1e200) {
            sum += mr_natural_log(product);
            product = 1;
        }
    }
    return sum + mr_natural_log(product);
}

/* u(x) v(x) - 1, and gamma. */
static double equation(const struct sample *sample, double x, double *gamma)
{
    double inverses = 0;
    for (uint32_t index = 0; index < sample->count; index++)
        inverses += 1 / (1 + x * sample->excesses[index]);
    *gamma = sum_of_logs(sample, x) / sample->count;
    return inverses / sample->count * (1 + *gamma) - 1;
}

static double log_likelihood(const struct sample *sample, double gamma, double sigma)
{
    if (gamma == 0)
        return -(double)sample->count * mr_natural_log(sigma) -
               sample->mean * sample->count / sigma;
    return -(double)sample->count * mr_natural_log(sigma) -
           (1 + 1 / gamma) * sum_of_logs(sample, gamma / sigma);
}

/* Keep the candidate when it is one and more likely than what was found. */
static void consider(const struct sample *sample, double gamma, double sigma, struct mr_tail *best)
{
    if (!(sigma > 0) || !isfinite(sigma) || !isfinite(gamma))
        return;
    if (gamma != 0 && 1 + gamma / sigma * sample->most <= 0)
        return; /* a number lies beyond the end */
    double likelihood = log_likelihood(sample, gamma, sigma);
    if (isfinite(likelihood) && likelihood > best->log_likelihood)
        *best = (struct mr_tail){gamma, sigma, likelihood};
}

/* The root between low and high, where the equation has other signs: the secant within a bracket
 * that at least halves every other time. */
static double narrow(const struct sample *sample, double low, double low_value, double high,
                     double high_value)
{
    double gamma;
    for (uint32_t step = 0; step < NARROWINGS_MAX; step++) {
        double middle = low + (high - low) / 2;
        double guess = high - high_value * (high - low) / (high_value - low_value);
        if (step % 3 == 2 || !(guess > (low < high ? low : high)) ||
            !(guess < (low < high ? high : low)))
            guess = middle;
        double value = equation(sample, guess, &gamma);
        if (value == 0 || fabs(high - low) <= 4 * DBL_EPSILON * fabs(guess))
            return guess;
        if ((value < 0) == (low_value < 0)) {
            low = guess;
            low_value = value;
        } else {
            high = guess;
            high_value = value;
        }
    }
    return low + (high - low) / 2;
}

/* A point of the equation. */
struct look {
    double x;
    double value;
};

/* Go on to x; where the sign changed on the way there is a root. */
static void look(const struct sample *sample, double x, struct look *last, struct mr_tail *best)
{
    double gamma;
    double value = equation(sample, x, &gamma);
    if (isfinite(value) && isfinite(last->value) && (value < 0) != (last->value < 0)) {
        double root = narrow(sample, last->x, last->value, x, value);
        equation(sample, root, &gamma);
        consider(sample, gamma, gamma / root, best);
    }
    *last = (struct look){x, value};
}

/* Between near and the number that the largest excess allows: a tail that ends. */
static void look_left(const struct sample *sample, double near, struct mr_tail *best)
{
    double gamma;
    double end = -1 / sample->most;
    struct look last = {-near, equation(sample, -near, &gamma)};
    look(sample, end * 1e-2, &last, best);
    for (uint32_t step = 1; step < LOOKS; step++)
        look(sample, end * step / LOOKS, &last, best);
    look(sample, end * (1 - 0.03), &last, best);
    look(sample, end * (1 - 1e-3), &last, best);
    look(sample, end * (1 - 1e-6), &last, best);
}

/* From near by equal factors: a heavy tail. */
static void look_right(const struct sample *sample, double near, struct mr_tail *best)
{
    static const double factor = 10;
    double gamma;
    double end = 2 * (sample->mean - sample->least) / (sample->least * sample->least);
    double far = 1e6 / sample->mean; /* beyond it gamma would be above ten */
    if (!(end <= far))
        end = far;
    struct look last = {near, equation(sample, near, &gamma)};
    for (double x = 1e-3 / sample->mean; x < end; x *= factor)
        look(sample, x, &last, best);
    if (end > last.x)
        look(sample, end, &last, best);
}

struct mr_tail mr_tail_fit(const double *excesses, uint32_t count)
{
    MR_ASSERT(count >= 1);
    struct sample sample = measure(excesses, count);
    MR_ASSERT(sample.least > 0 && isfinite(sample.mean));
    struct mr_tail best = {0, sample.mean, log_likelihood(&sample, 0, sample.mean)};
    if (sample.mean < 1e-290 || sample.most - sample.least <= sample.most * 1e-12)
        return best; /* next to nothing, or equal: no shape can be told */
    double ratio = sample.mean * sample.mean / sample.variance;
    consider(&sample, 0.5 * (1 - ratio), 0.5 * sample.mean * (ratio + 1), &best);
    /* So close to 0 the exponential is as good. */
    double near = 1e-8 / sample.mean;
    look_left(&sample, near, &best);
    look_right(&sample, near, &best);
    return best;
}

double mr_tail_exponential(double x)
{
    enum { TERMS = 14 };
    static const double log_2_high = 0x1.62e42feep-1; /* exact with k up to 2^20 */
    static const double log_2_low = 0x1.a39ef35793c76p-33;
    if (!(x > -745))
        return 0;
    if (x > 709)
        return DBL_MAX;
    double k = floor(x / 0.693147180559945309417 + 0.5);
    double rest = x - k * log_2_high - k * log_2_low;
    double sum = 1;
    for (int term = TERMS; term >= 1; term--)
        sum = 1 + rest * sum / term;
    return ldexp(sum, (int)k);
}

double mr_tail_quantile(const struct mr_tail *tail, double share, double rate)
{
    if (!(rate < share))
        return 0;
    double log_ratio = mr_natural_log(rate / share);
    double excess;
    if (fabs(tail->gamma * log_ratio) < 1e-9)
        excess = -tail->sigma * log_ratio;
    else
        excess = tail->sigma / tail->gamma * (mr_tail_exponential(-tail->gamma * log_ratio) - 1);
    return excess <= DBL_MAX ? excess : DBL_MAX;
}

double mr_tail_probability(const struct mr_tail *tail, double share, double excess)
{
    double scaled = excess / tail->sigma;
    if (fabs(tail->gamma) < 1e-9)
        return share * mr_tail_exponential(-scaled);
    double factor = 1 + tail->gamma * scaled;
    if (!(factor > 0))
        return 0;
    if (factor > DBL_MAX)
        factor = DBL_MAX;
    return share * mr_tail_exponential(-mr_natural_log(factor) / tail->gamma);
}
