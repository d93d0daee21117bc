/* operators/loda.c — see loda.h. */
#include "operators/loda.h"

#include <stdbool.h>

#include "base/random.h"
#include "operators/natural_log.h"

#define POINT_MAX 1e120
#define BEYOND_MAX 1e200
#define WIDTH_MIN 1e-9 /* of numbers that are all equal */
#define EMPTY_BIN 0.5  /* what a bin without records counts as */

enum {
    FINE_BINS = 64,
    SCALE_ROUNDS = 100,
    TAIL_SHARE = 100 /* one in so many on each side */
};

uint32_t mr_loda_used(uint32_t fields_count)
{
    uint32_t used = 1;
    while ((used + 1) * (used + 1) <= fields_count)
        used++;
    return used;
}

/* Nearly normal, from uniform numbers without libm: the sum of twelve (Irwin
 * and Hall). */
static double draw_weight(struct mr_random *random)
{
    double sum = -6;
    for (uint32_t index = 0; index < 12; index++)
        sum += mr_random_double(random);
    return sum;
}

void mr_loda_draw(const struct mr_loda_cuts *cuts, uint64_t seed)
{
    for (uint32_t cut = 0; cut < cuts->cuts_count; cut++) {
        struct mr_random random;
        mr_random_init(&random, seed, cut);
        size_t first = (size_t)cut * cuts->used_count;
        for (uint32_t used = 0; used < cuts->used_count; used++) {
            uint8_t field;
            uint32_t before;
            do {
                field = (uint8_t)mr_random_below(&random, cuts->fields_count);
                before = 0;
                while (before < used && cuts->fields[first + before] != field)
                    before++;
            } while (before < used);
            cuts->fields[first + used] = field;
            cuts->weights[first + used] = draw_weight(&random);
        }
    }
}

/* Count numbers in bins over [low, high]; others in the first and the last. */
static void count_fine(const double *numbers, uint32_t count, double low, double width,
                       uint32_t *bins)
{
    double inverse = FINE_BINS / width;
    for (uint32_t bin = 0; bin < FINE_BINS; bin++)
        bins[bin] = 0;
    for (uint32_t index = 0; index < count; index++) {
        double place = (numbers[index] - low) * inverse;
        if (place < 0)
            place = 0;
        bins[place < FINE_BINS - 1 ? (uint32_t)place : FINE_BINS - 1]++;
    }
}

/* Narrow the range to the bins that hold all but one in TAIL_SHARE on each
 * side, and their neighbours, until that halves it no more: each round is one
 * pass; two are common, 80 come from 1e140 down to 1. */
struct mr_loda_scale mr_loda_scale_of(const double *numbers, uint32_t count)
{
    double low = numbers[0];
    double high = numbers[0];
    for (uint32_t index = 1; index < count; index++) {
        low = numbers[index] < low ? numbers[index] : low;
        high = numbers[index] > high ? numbers[index] : high;
    }
    double width = high - low;
    for (uint32_t round = 0; round < SCALE_ROUNDS && width > WIDTH_MIN; round++) {
        uint32_t bins[FINE_BINS];
        count_fine(numbers, count, low, width, bins);
        uint32_t limit = count / TAIL_SHARE;
        uint32_t first = 0;
        uint32_t last = FINE_BINS - 1;
        for (uint32_t below = bins[first]; below <= limit && first < last; below += bins[first])
            first++;
        for (uint32_t above = bins[last]; above <= limit && last > first; above += bins[last])
            last--;
        double step = width / FINE_BINS;
        double narrow = (last - first + 1) * step;
        low += first * step;
        bool enough = narrow * 2 > width;
        width = narrow;
        if (enough)
            break;
    }
    if (!(width > WIDTH_MIN)) {
        low -= WIDTH_MIN / 2;
        width = WIDTH_MIN;
    }
    return (struct mr_loda_scale){.low = low, .inverse = 1 / width};
}

void mr_loda_map(const struct mr_loda_scale *scales, const double *values, uint32_t fields_count,
                 double *point)
{
    for (uint32_t field = 0; field < fields_count; field++) {
        double place = (values[field] - scales[field].low) * scales[field].inverse;
        place = place < POINT_MAX ? place : POINT_MAX;
        point[field] = place > -POINT_MAX ? place : -POINT_MAX;
    }
}

double mr_loda_project(const struct mr_loda_cuts *cuts, uint32_t cut, const double *point)
{
    size_t first = (size_t)cut * cuts->used_count;
    double sum = 0;
    for (uint32_t used = 0; used < cuts->used_count; used++)
        sum += cuts->weights[first + used] * point[cuts->fields[first + used]];
    return sum;
}

void mr_loda_learn(const double *projections, uint32_t count, uint32_t bins,
                   struct mr_loda_histogram *histogram)
{
    struct mr_loda_scale scale = mr_loda_scale_of(projections, count);
    scale.inverse *= bins;
    uint32_t counts[MR_LODA_BINS_MAX + 2] = {0};
    double beyond;
    for (uint32_t index = 0; index < count; index++)
        counts[mr_loda_bin(scale, bins, projections[index], &beyond)]++;
    uint32_t most = 1;
    for (uint32_t bin = 1; bin <= bins; bin++)
        most = counts[bin] > most ? counts[bin] : most;
    for (uint32_t bin = 0; bin <= bins + 1; bin++) {
        double density = counts[bin] > 0 ? counts[bin] : EMPTY_BIN;
        if (bin == 0 || bin == bins + 1)
            density /= bins;
        histogram->costs[bin] = (float)(density < most ? mr_natural_log(most / density) : 0);
    }
    histogram->scale = scale;
}

double mr_loda_tail_cost(double beyond)
{
    return 2 * mr_natural_log(1 + (beyond < BEYOND_MAX ? beyond : BEYOND_MAX));
}
