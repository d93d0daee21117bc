/* operators/natural_log.c — see natural_log.h.
 * Design: number = 2^e m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(s) with s = (m - 1) /
 * (m + 1), |s| <= 0.1716, as the series s + s^3/3 + s^5/5 + ... in pairs of doubles whose sum has
 * about 106 bits (Dekker, A floating-point technique for extending the available precision, 1971);
 * the terms behind s^17 are below 2^-53 of the result, so that plain doubles are enough for them.
 */
#include "operators/natural_log.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"

/* high + low, |low| <= half a unit in the last place of high. */
struct pair {
    double high;
    double low;
};

static struct pair pair_of_sum(double a, double b) /* |a| >= |b| */
{
    double sum = a + b;
    return (struct pair){sum, b - (sum - a)};
}

static struct pair pair_add(struct pair a, struct pair b) /* |a| >= |b| */
{
    struct pair sum = pair_of_sum(a.high, b.high);
    return pair_of_sum(sum.high, sum.low + (a.low + b.low));
}

static struct pair pair_multiply(struct pair a, struct pair b)
{
    double product = a.high * b.high;
    double rest = fma(a.high, b.high, -product) + (a.high * b.low + a.low * b.high);
    return pair_of_sum(product, rest);
}

static struct pair pair_divide(struct pair a, struct pair b)
{
    double first = a.high / b.high;
    double rest = fma(-first, b.high, a.high) + (a.low - first * b.low);
    return pair_of_sum(first, rest / b.high);
}

/* 2 (s + s^3/3 + s^5/5 + ...). */
static struct pair twice_atanh(struct pair s)
{
    struct pair square = pair_multiply(s, s);
    double tail = 0;
    for (int odd = 35; odd >= 19; odd -= 2)
        tail = 1.0 / odd + square.high * tail;
    struct pair sum = {tail, 0};
    for (int odd = 17; odd >= 1; odd -= 2) {
        struct pair one = {1, 0};
        struct pair divisor = {odd, 0};
        sum = pair_add(pair_divide(one, divisor), pair_multiply(square, sum));
    }
    sum = pair_multiply(s, sum);
    return (struct pair){2 * sum.high, 2 * sum.low};
}

/* number = 2^exponent * the result, which is in [1/2, 1). */
static double split(double number, int *exponent)
{
    uint64_t bits;
    *exponent = 0;
    if (number < 0x1p-1022) { /* denormal */
        number *= 0x1p54;
        *exponent = -54;
    }
    memcpy(&bits, &number, sizeof(bits));
    *exponent += (int)(bits >> 52) - 1022;
    bits = (bits & ((UINT64_C(1) << 52) - 1)) | (UINT64_C(1022) << 52);
    memcpy(&number, &bits, sizeof(bits));
    return number;
}

double mr_natural_log(double number)
{
    /* log 2 to 106 bits. */
    static const struct pair log_two = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
    MR_ASSERT(number > 0 && isfinite(number));
    int exponent;
    double mantissa = split(number, &exponent);
    if (mantissa < 0x1.6a09e667f3bcdp-1) { /* sqrt(1/2) */
        mantissa *= 2;
        exponent--;
    }
    /* mantissa - 1 is exact; mantissa + 1 is not. */
    struct pair above = {mantissa - 1, 0};
    struct pair below = mantissa >= 1 ? pair_of_sum(mantissa, 1) : pair_of_sum(1, mantissa);
    struct pair fraction = twice_atanh(pair_divide(above, below));
    if (exponent == 0)
        return fraction.high + fraction.low;
    struct pair whole = pair_multiply((struct pair){exponent, 0}, log_two);
    struct pair result = pair_add(whole, fraction);
    return result.high + result.low;
}
