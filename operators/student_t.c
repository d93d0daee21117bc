/* operators/student_t.c — see student_t.h. */
#include "operators/student_t.h"

#include <math.h>

#include "base/assert.h"

static const double pi = 3.14159265358979323846;

/* B(freedom / 2, 1 / 2), by B(a + 1, 1/2) = B(a, 1/2) a / (a + 1/2). */
static double beta_of(uint32_t freedom)
{
    double beta = freedom % 2 == 0 ? 2 : pi;
    for (uint32_t done = freedom % 2 == 0 ? 2 : 1; done < freedom; done += 2)
        beta *= done / (done + 1.0);
    return beta;
}

/* number^(exponent / 2). */
static double half_power(double number, uint32_t exponent)
{
    double power = exponent % 2 == 0 ? 1 : sqrt(number);
    for (uint32_t left = exponent / 2; left > 0; left /= 2) {
        if (left % 2 == 1)
            power *= number;
        number *= number;
    }
    return power;
}

struct tail {
    double probability;
    double density;
};

static struct tail tail_at(double t, uint32_t freedom, double beta)
{
    double a = 0.5 * freedom;
    double x = freedom / (freedom + t * t);
    double rest = t * t / (freedom + t * t); /* 1 - x */
    double power = half_power(x, freedom);
    double term = 1;
    double sum = 1;
    for (uint32_t index = 0; term > 1e-17 * sum; index++) {
        term *= x * (a + 0.5 + index) / (a + 1 + index);
        sum += term;
    }
    return (struct tail){.probability = 0.5 * power * sqrt(rest) / (a * beta) * sum,
                         .density = power * sqrt(x) / (sqrt(freedom) * beta)};
}

double mr_student_t_upper(double tail, uint32_t freedom)
{
    MR_ASSERT(tail > 0 && tail <= 0.25 && freedom >= 1);
    double beta = beta_of(freedom);
    /* The tail is convex above 0: Newton's steps from below stay below. The first is from 0. */
    double t = (0.5 - tail) * sqrt(freedom) * beta;
    for (int step = 0; step < 200; step++) {
        struct tail here = tail_at(t, freedom, beta);
        double next = t + (here.probability - tail) / here.density;
        if (!(next > t * (1 + 1e-15)))
            break;
        t = next;
    }
    return t;
}
