/* operators/quantile.c — see quantile.h. */
#include "operators/quantile.h"

#include <math.h>
#include <stdbool.h>

#include "base/assert.h"
#include "operators/incomplete.h"
#include "operators/natural_log.h"
#include "operators/root.h"
#include "operators/tail.h"

/* Arguments stay within e^-WIDEST and e^WIDEST. */
static const double widest = 600;

/* A distribution over the logarithm of its argument, or of its odds. */
struct problem {
    void (*tails)(const struct problem *problem, double place, double *lower, double *upper);
    double first;
    double second;
    bool by_upper; /* which tail is to be `target`, in logarithms */
    double target;
};

static void beta_tails(const struct problem *problem, double place, double *lower, double *upper)
{
    /* place = ln(x / y): both are exact also where one of them is next to 1. */
    double small = mr_tail_exponential(place < 0 ? place : -place);
    double part = small / (1 + small);
    double rest = 1 / (1 + small);
    mr_log_beta(problem->first, problem->second, place < 0 ? part : rest, place < 0 ? rest : part,
                lower, upper);
}

static void gamma_tails(const struct problem *problem, double place, double *lower, double *upper)
{
    mr_log_gamma_tails(problem->first, mr_tail_exponential(place), lower, upper);
}

/* Rises with place, 0 at the solution. */
static double off_by(const void *argument, double place)
{
    const struct problem *problem = argument;
    double lower;
    double upper;
    problem->tails(problem, place, &lower, &upper);
    return problem->by_upper ? problem->target - upper : lower - problem->target;
}

/* The place where the tail is the target. */
static double solve(const struct problem *problem, double begin)
{
    const struct mr_root_search search = {begin, 0.5, -widest, widest, 1e-12};
    return mr_root(off_by, problem, &search);
}

/* The smaller tail is the one that says more. */
static void aim(struct problem *problem, double upper)
{
    MR_ASSERT(upper > 0 && upper < 1);
    problem->by_upper = upper < 0.5;
    problem->target = mr_natural_log(problem->by_upper ? upper : 1 - upper);
}

/* ln(x / (1 - x)). */
static double beta_place(double a, double b, double upper)
{
    struct problem problem = {.tails = beta_tails, .first = a, .second = b};
    aim(&problem, upper);
    return solve(&problem, mr_natural_log(a / b));
}

double mr_beta_quantile(double a, double b, double upper)
{
    double place = beta_place(a, b, upper);
    double small = mr_tail_exponential(place < 0 ? place : -place);
    return place < 0 ? small / (1 + small) : 1 / (1 + small);
}

double mr_f_quantile(double first, double second, double upper)
{
    return second / first * mr_tail_exponential(beta_place(first / 2, second / 2, upper));
}

double mr_chi_square_quantile(double freedom, double upper)
{
    struct problem problem = {.tails = gamma_tails, .first = freedom / 2};
    aim(&problem, upper);
    return 2 * mr_tail_exponential(solve(&problem, mr_natural_log(freedom / 2)));
}

/* ---- The normal distribution: z^2 / 2 is a gamma variable of shape 1/2 ---- */

double mr_normal_tail(double z)
{
    double lower;
    double upper;
    double half = z * z / 2;
    if (!(half > 0))
        return 0.5;
    if (half > 745) /* e^-745 is the least double */
        return z > 0 ? 0 : 1;
    mr_log_gamma_tails(0.5, half, &lower, &upper);
    double tail = mr_tail_exponential(upper) / 2;
    return z > 0 ? tail : 1 - tail;
}

double mr_normal_quantile(double upper)
{
    MR_ASSERT(upper > 0 && upper < 1);
    double tail = upper < 0.5 ? upper : 1 - upper;
    if (!(tail < 0.5))
        return 0;
    double root = sqrt(mr_chi_square_quantile(1, 2 * tail));
    return upper < 0.5 ? root : -root;
}
