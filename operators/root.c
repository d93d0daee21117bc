/* operators/root.c — see root.h. */
#include "operators/root.h"

#include <stdint.h>

enum { STEPS_MAX = 300, STEPS_HALVING = 6 };

double mr_root(mr_rising *function, const void *argument, double low, double high)
{
    double low_off = function(argument, low);
    double high_off = function(argument, high);
    int moved = 0; /* the bound of the step before: -1 low, 1 high */
    for (uint32_t step = 1; step <= STEPS_MAX && low_off < 0 && high_off > 0; step++) {
        double place = low - low_off * ((high - low) / (high_off - low_off));
        if (!(place > low && place < high) || step % STEPS_HALVING == 0)
            place = low + (high - low) / 2;
        if (!(place > low && place < high))
            break;
        double off = function(argument, place);
        if (off < 0) {
            low = place;
            low_off = off;
            high_off *= moved == -1 ? 0.5 : 1;
            moved = -1;
        } else {
            high = place;
            high_off = off;
            low_off *= moved == 1 ? 0.5 : 1;
            moved = 1;
        }
    }
    if (low_off >= 0)
        return low;
    return high_off <= 0 || high_off <= -low_off ? high : low;
}
