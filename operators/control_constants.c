/* operators/control_constants.c — see control_constants.h.
 *
 * Normal distribution on a grid x_k = k H: its integral over a step by Boole's rule on four parts.
 *
 *   P(R <= w) = n integral f(x) (F(x + w) - F(x))^(n - 1) dx            trapezoids of STEP
 *   d2        = integral 1 - P(R <= w) dw            from 0             Boole's rule, steps of H
 *   E R^2     = integral 2 w (1 - P(R <= w)) dw      from 0             the same
 *   d3        = sqrt(E R^2 - d2^2)
 *
 * Trapezoids over the whole line converge faster than any power of the step for such integrands;
 * in w the integrand ends at 0 with a slope, so a rule of high order is taken. */
#include "operators/control_constants.h"

#include <math.h>

#include "base/assert.h"

enum {
    PARTS = 64, /* of 1: H = 1/64 */
    REACH = 9,  /* the grid goes from -9 to 9; beyond is less than 1e-18 */
    POINTS = 2 * REACH * PARTS + 1,
    STEP = 8,                   /* of the trapezoids, in H: 1/8 */
    WIDTHS = 2 * REACH * PARTS, /* of w, in H; a multiple of 4 */
    BOOLE = 4,
    C4_EXACT = 4096 /* sizes up to here step by step */
};

static const double inverse_root_two_pi = 0.398942280401432677939946;
static const double root_two_by_pi = 0.797884560802865355879892;

struct normal_grid {
    double density[POINTS];
    double below[POINTS]; /* the integral up to the point */
};

/* exp(-x) for 0 <= x <= 41: its series at x / 64, squared six times. */
static double exp_minus(double x)
{
    double term = 1;
    double sum = 1;
    for (int index = 1; index < 20; index++) {
        term *= -x / 64 / index;
        sum += term;
    }
    for (int square = 0; square < 6; square++)
        sum *= sum;
    return sum;
}

static void fill_grid(struct normal_grid *grid)
{
    enum { HALF = REACH * PARTS, FINE = HALF * BOOLE + 1 };
    static const double weights[BOOLE + 1] = {7, 32, 12, 32, 7};
    double fine[FINE];
    double h = 1.0 / (PARTS * BOOLE);
    for (int index = 0; index < FINE; index++)
        fine[index] = inverse_root_two_pi * exp_minus(index * h * (index * h) / 2);
    double integral = 0;
    for (int index = 0; index <= HALF; index++) {
        grid->density[HALF + index] = fine[index * BOOLE];
        grid->density[HALF - index] = fine[index * BOOLE];
        grid->below[HALF + index] = 0.5 + integral;
        grid->below[HALF - index] = 0.5 - integral;
        for (int part = 0; index < HALF && part <= BOOLE; part++)
            integral += 2 * h / 45 * weights[part] * fine[index * BOOLE + part];
    }
}

static double power(double base, uint32_t exponent)
{
    double result = 1;
    for (; exponent > 0; exponent /= 2) {
        if (exponent % 2 == 1)
            result *= base;
        base *= base;
    }
    return result;
}

/* P(R <= w) of size values, w in steps of H. */
static double range_below(const struct normal_grid *grid, uint32_t size, int width)
{
    double sum = 0;
    for (int index = 0; index < POINTS; index += STEP) {
        int end = index + width;
        double above = end < POINTS ? grid->below[end] : 1;
        sum += grid->density[index] * power(above - grid->below[index], size - 1);
    }
    return size * sum * STEP / PARTS;
}

struct mr_range_constants mr_control_range(uint32_t size)
{
    static const double weights[BOOLE] = {14, 32, 12, 32}; /* ends of inner panels count twice */
    struct normal_grid grid;
    MR_ASSERT(size >= 2 && size <= MR_CONTROL_SIZE_MAX);
    fill_grid(&grid);
    double h = 1.0 / PARTS;
    double mean = 7; /* at w = 0 the range is larger with certainty */
    double square = 0;
    for (int width = 1; width < WIDTHS; width++) {
        double weighted = weights[width % BOOLE] * (1 - range_below(&grid, size, width));
        mean += weighted;
        square += weighted * 2 * width * h;
    }
    mean *= 2 * h / 45;
    square *= 2 * h / 45;
    return (struct mr_range_constants){.d2 = mean, .d3 = sqrt(square - mean * mean)};
}

double mr_control_c4(uint32_t size)
{
    MR_ASSERT(size >= 2);
    if (size > C4_EXACT) { /* Stirling's series of the ratio; the next term is below 1e-18 */
        double m = (double)size - 1;
        return 1 - 1 / (4 * m) + 1 / (32 * m * m) + 5 / (128 * m * m * m);
    }
    /* c4(n) c4(n + 1) = sqrt((n - 1) / n): errors do not grow, they alternate. */
    double c4 = root_two_by_pi;
    for (uint32_t n = 2; n < size; n++)
        c4 = sqrt((n - 1.0) / n) / c4;
    return c4;
}

struct mr_control_factors mr_control_factors(uint32_t size, double sigmas)
{
    struct mr_range_constants range = mr_control_range(size);
    double c4 = mr_control_c4(size);
    double range_reach = sigmas * range.d3 / range.d2;
    double deviation_reach = sigmas * sqrt(1 - c4 * c4) / c4;
    double root = sqrt((double)size);
    return (struct mr_control_factors){
        .a2 = sigmas / (range.d2 * root),
        .a3 = sigmas / (c4 * root),
        .b3 = fmax(0, 1 - deviation_reach),
        .b4 = 1 + deviation_reach,
        .big_d3 = fmax(0, 1 - range_reach),
        .big_d4 = 1 + range_reach,
        .e2 = sigmas / range.d2,
    };
}
