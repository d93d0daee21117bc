/* operators/series_noise.c — see series_noise.h. */
#include "operators/series_noise.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/random.h"

enum { BLOCK_MIN = 1024, BLOCK_PER_BURN = 8 };

/* What is left of a unit draw when its echo is dead, beside the values' standard deviation. */
static const double dead = 1e-9;

/* The echo of a unit draw: its sum of squares, and when it is dead for good (order values in a row
 * below `dead`). False: it is not within BURN_MAX. */
static bool find_echo(struct mr_series_noise *noise, double *sum_of_squares)
{
    double recent[MR_SERIES_NOISE_ORDER_MAX] = {1};
    uint32_t quiet = 0;
    *sum_of_squares = 1;
    for (noise->burn = 1; noise->burn <= MR_SERIES_NOISE_BURN_MAX; noise->burn++) {
        double value = 0;
        for (uint32_t lag = 0; lag < noise->order; lag++)
            value += noise->ar[lag] * recent[lag];
        memmove(recent + 1, recent, sizeof(recent) - sizeof(*recent));
        recent[0] = value;
        *sum_of_squares += value * value;
        quiet = fabs(value) < dead ? quiet + 1 : 0;
        if (quiet >= noise->order)
            return true;
        if (!(*sum_of_squares < 1e12))
            return false;
    }
    return false;
}

enum mr_status mr_series_noise_init(struct mr_series_noise *noise, uint64_t seed, double sd,
                                    const double *ar, uint32_t order, struct mr_error *error)
{
    double sum_of_squares = 1;
    MR_ASSERT(order <= MR_SERIES_NOISE_ORDER_MAX && sd >= 0);
    *noise = (struct mr_series_noise){.seed = seed, .order = order};
    for (uint32_t lag = 0; lag < order; lag++)
        noise->ar[lag] = ar[lag];
    if (order > 0 && !find_echo(noise, &sum_of_squares))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "noise with these coefficients `ar` grows for ever, or forgets too slowly: "
                       "what one draw adds must have died after %d records. A sum of the absolute "
                       "coefficients below 0.997 is always fine",
                       MR_SERIES_NOISE_BURN_MAX);
    noise->block = noise->burn * BLOCK_PER_BURN > BLOCK_MIN ? noise->burn * BLOCK_PER_BURN
                                                            : (int64_t)BLOCK_MIN;
    noise->draw_sd = sd / sqrt(sum_of_squares);
    return MR_OK;
}

static double draw(const struct mr_series_noise *noise, uint64_t series, int64_t number)
{
    struct mr_random random;
    /* Numbers before 0 are those of the first block's start. */
    mr_random_init(&random, noise->seed ^ series * UINT64_C(0x9e3779b97f4a7c15), (uint64_t)number);
    return noise->draw_sd * mr_random_normal(&random);
}

static void step(const struct mr_series_noise *noise, uint64_t series, int64_t number,
                 double recent[MR_SERIES_NOISE_ORDER_MAX])
{
    double value = draw(noise, series, number);
    for (uint32_t lag = 0; lag < noise->order; lag++)
        value += noise->ar[lag] * recent[lag];
    memmove(recent + 1, recent, (MR_SERIES_NOISE_ORDER_MAX - 1) * sizeof(*recent));
    recent[0] = value;
}

static int64_t block_of(const struct mr_series_noise *noise, int64_t number)
{
    return number - number % noise->block;
}

/* Go to behind `number`, from where the series is or from the start of the number's block. */
static void go_behind(const struct mr_series_noise *noise, uint64_t series, int64_t number,
                      struct mr_series_noise_state *state)
{
    int64_t first = block_of(noise, number);
    if (state->next <= first || state->next > number) {
        memset(state->recent, 0, sizeof(state->recent));
        for (int64_t before = first - noise->burn; before < first; before++)
            step(noise, series, before, state->recent);
        state->next = first;
    }
    for (; state->next <= number; state->next++)
        step(noise, series, state->next, state->recent);
}

double mr_series_noise_at(const struct mr_series_noise *noise, uint64_t series, int64_t number,
                          struct mr_series_noise_state *state)
{
    MR_ASSERT(number >= 0);
    if (noise->order == 0)
        return draw(noise, series, number);
    if (number >= state->next)
        go_behind(noise, series, number, state);
    int64_t back = state->next - 1 - number;
    /* Of the values before the block only those of the fresh start are known. */
    if (back < MR_SERIES_NOISE_ORDER_MAX && number >= block_of(noise, state->next - 1))
        return state->recent[back];
    if (state->held != number + 1) {
        struct mr_series_noise_state aside = {0};
        go_behind(noise, series, number, &aside);
        state->held = number + 1;
        state->held_value = aside.recent[0];
    }
    return state->held_value;
}
