/* operators/root.c — see root.h. */
#include "operators/root.h"

#include <math.h>
#include <stdint.h>

enum { BOUNDS_MAX = 64, STEPS_MAX = 300, STEPS_HALVING = 6 };

/* A place and what the function is there. */
struct place {
    double at;
    double off;
};

static struct place place_at(mr_rising *function, const void *argument, double at)
{
    return (struct place){at, function(argument, at)};
}

/* Bounds around the root: low->off <= 0 <= high->off, or both at the same end. */
static void bracket(mr_rising *function, const void *argument, const struct mr_root_search *search,
                    struct place *low, struct place *high)
{
    double step = search->step;
    *low = *high = place_at(function, argument, search->begin);
    for (uint32_t steps = 0; steps < BOUNDS_MAX && low->off > 0 && low->at > search->least;
         steps++, step *= 2) {
        *high = *low;
        *low = place_at(function, argument, fmax(search->least, low->at - step));
    }
    for (uint32_t steps = 0; steps < BOUNDS_MAX && high->off < 0 && high->at < search->most;
         steps++, step *= 2) {
        *low = *high;
        *high = place_at(function, argument, fmin(search->most, high->at + step));
    }
}

double mr_root(mr_rising *function, const void *argument, const struct mr_root_search *search)
{
    struct place low;
    struct place high;
    int moved = 0; /* the bound of the step before: -1 low, 1 high */
    bracket(function, argument, search, &low, &high);
    struct place last = low;
    for (uint32_t step = 1; step <= STEPS_MAX && low.off < 0 && high.off > 0; step++) {
        double at = low.at - low.off * ((high.at - low.at) / (high.off - low.off));
        if (!(at > low.at && at < high.at) || step % STEPS_HALVING == 0)
            at = low.at + (high.at - low.at) / 2;
        if (!(at > low.at && at < high.at))
            break;
        struct place next = place_at(function, argument, at);
        /* As far off as it is by the slope between the last two. */
        double rest = next.off * ((next.at - last.at) / (next.off - last.off));
        if (fabs(rest) < search->tolerance)
            return next.at;
        last = next;
        if (next.off < 0) {
            high.off *= moved == -1 ? 0.5 : 1;
            low = next;
            moved = -1;
        } else {
            low.off *= moved == 1 ? 0.5 : 1;
            high = next;
            moved = 1;
        }
    }
    if (low.off >= 0)
        return low.at;
    return high.off <= 0 || high.off <= -low.off ? high.at : low.at;
}
