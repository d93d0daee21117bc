/* operators/marginal.c — see marginal.h.
 * Design: neighbours become one in a single pass from below, as in a merging t-digest. With the
 * limit's shape 4 q (1 - q) + 1/4, of which two bins in a row always exceed the limit, at most
 * 2 * 1.29 * BINS / 2.6 bins are left; should rounding leave more, the limit doubles. */
#include "operators/marginal.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "operators/normal_score.h"

enum { BINS_MORE = 2 * MR_MARGINAL_BINS_MAX + MR_MARGINAL_BLOCK_MAX };

#define LIMIT_SCALE 2.6
#define LIMIT_TAIL 0.25
#define WEIGHT_GONE 1e-9
#define WEIGHT_LOST 1e-12 /* share from which on sums may not tell a bin from nothing */

double mr_marginal_weight(const struct mr_marginal *marginal)
{
    double total = 0;
    for (uint32_t bin = 0; bin < marginal->bins_count; bin++)
        total += marginal->bins[bin].weight;
    return total;
}

void mr_marginal_decay(struct mr_marginal *marginal, double factor)
{
    double least = mr_marginal_weight(marginal) * factor * WEIGHT_GONE;
    uint32_t kept = 0;
    for (uint32_t bin = 0; bin < marginal->bins_count; bin++) {
        marginal->bins[kept] = marginal->bins[bin];
        marginal->bins[kept].weight *= factor;
        kept += marginal->bins[kept].weight > least;
    }
    marginal->bins_count = kept;
}

/* ---- Learning ---- */

/* From one possible value to the next. */
static double step_of(double scale)
{
    return scale > 0 ? 1 / scale : 0;
}

static double limit_at(double below, double total)
{
    double share = below / total;
    return total * (4 * share * (1 - share) + LIMIT_TAIL) * LIMIT_SCALE / MR_MARGINAL_BINS_MAX;
}

/* Make neighbours one while their weight is within the limit. */
static uint32_t join_bins(struct mr_marginal_bin *bins, uint32_t count, double total, double factor)
{
    uint32_t kept = 0;
    double below = 0;
    for (uint32_t bin = 1; bin < count; bin++) {
        double both = bins[kept].weight + bins[bin].weight;
        if (both <= factor * limit_at(below + both / 2, total)) {
            bins[kept].highest = bins[bin].highest;
            bins[kept].weight = both;
        } else {
            below += bins[kept].weight;
            bins[++kept] = bins[bin];
        }
    }
    return count == 0 ? 0 : kept + 1;
}

/* Where to cut a bin: the end of its lower half; false: it has no inside. */
static bool cut_of(const struct mr_marginal_bin *bin, double scale, double *below, double *above)
{
    double middle = bin->lowest + (bin->highest - bin->lowest) / 2;
    *below = scale > 0 ? floor(middle * scale) / scale : middle;
    *above = scale > 0 ? (floor(middle * scale) + 1) / scale : middle;
    return *below >= bin->lowest && *above <= bin->highest && bin->lowest < bin->highest &&
           (scale > 0 || (*below > bin->lowest && *above < bin->highest));
}

/* Cut bins above the limit, as far as there is room. */
static void cut_bins(struct mr_marginal *marginal, const struct mr_marginal_bin *bins,
                     uint32_t count, double total, double scale)
{
    uint32_t room = MR_MARGINAL_BINS_MAX - count;
    uint32_t made = 0;
    double seen = 0;
    for (uint32_t bin = 0; bin < count; bin++) {
        const struct mr_marginal_bin *one = &bins[bin];
        double below, above;
        if (room > 0 && one->weight > limit_at(seen + one->weight / 2, total) &&
            cut_of(one, scale, &below, &above)) {
            double width = one->highest - one->lowest + step_of(scale);
            double share = (below - one->lowest + step_of(scale)) / width;
            marginal->bins[made++] =
                (struct mr_marginal_bin){one->lowest, below, one->weight * share};
            marginal->bins[made++] =
                (struct mr_marginal_bin){above, one->highest, one->weight * (1 - share)};
            room--;
        } else {
            marginal->bins[made++] = *one;
        }
        seen += one->weight;
    }
    marginal->bins_count = made;
}

static void settle(struct mr_marginal *marginal, struct mr_marginal_bin *bins, uint32_t count,
                   double scale)
{
    double total = 0;
    for (uint32_t bin = 0; bin < count; bin++)
        total += bins[bin].weight;
    for (double factor = 1; count > MR_MARGINAL_BINS_MAX; factor *= 2)
        count = join_bins(bins, count, total, factor);
    cut_bins(marginal, bins, count, total, scale);
}

/* Values ascending; weights NULL: 1 each. */
static void absorb(struct mr_marginal *marginal, const double *values, const double *weights,
                   uint32_t values_count, double scale)
{
    struct mr_marginal_bin bins[BINS_MORE];
    uint32_t made = 0;
    uint32_t old = 0;
    uint32_t next = 0;
    while (old < marginal->bins_count || next < values_count) {
        struct mr_marginal_bin *bin = old < marginal->bins_count ? &marginal->bins[old] : NULL;
        if (next == values_count || (bin != NULL && values[next] > bin->highest)) {
            bins[made++] = *bin;
            old++;
            continue;
        }
        double weight = weights == NULL ? 1 : weights[next];
        double value = values[next++];
        if (bin != NULL && value >= bin->lowest)
            bin->weight += weight;
        else if (made > 0 && value <= bins[made - 1].highest)
            bins[made - 1].weight += weight;
        else
            bins[made++] = (struct mr_marginal_bin){value, value, weight};
    }
    settle(marginal, bins, made, scale);
}

void mr_marginal_learn(struct mr_marginal *marginal, const double *values, uint32_t values_count,
                       double scale)
{
    MR_ASSERT(values_count <= MR_MARGINAL_BLOCK_MAX);
    absorb(marginal, values, NULL, values_count, scale);
}

/* A bin with a width comes as two values within it, of half its weight each. */
void mr_marginal_merge(struct mr_marginal *marginal, const struct mr_marginal *other, double scale)
{
    double values[2 * MR_MARGINAL_BINS_MAX];
    double weights[2 * MR_MARGINAL_BINS_MAX];
    uint32_t count = 0;
    for (uint32_t index = 0; index < other->bins_count; index++) {
        const struct mr_marginal_bin *bin = &other->bins[index];
        double quarter = (bin->highest - bin->lowest) / 4;
        double lower = bin->lowest + quarter;
        double upper = bin->highest - quarter;
        if (scale > 0) {
            lower = nearbyint(lower * scale) / scale;
            upper = nearbyint(upper * scale) / scale;
        }
        bool is_wide = bin->lowest < bin->highest;
        values[count] = is_wide ? lower : bin->lowest;
        weights[count++] = is_wide ? bin->weight / 2 : bin->weight;
        if (is_wide) {
            values[count] = upper;
            weights[count++] = bin->weight / 2;
        }
    }
    absorb(marginal, values, weights, count, scale);
}

/* ---- The map ---- */

void mr_marginal_map(struct mr_marginal_map *map, const struct mr_marginal_bin *bins,
                     uint32_t bins_count, double scale, double tail)
{
    double total = 0;
    for (uint32_t bin = 0; bin < bins_count; bin++)
        total += bins[bin].weight;
    map->bins_count = 0;
    map->scale = scale;
    map->step = step_of(scale);
    map->variance = 0;
    double below = 0;
    double from_height = 0; /* of the density where the bin begins */
    for (uint32_t bin = 0; bin < bins_count; bin++) {
        if (!(bins[bin].weight > total * WEIGHT_LOST))
            continue;
        uint32_t made = map->bins_count++;
        double share = bins[bin].weight / total;
        double start = below / total;
        below += bins[bin].weight;
        double end = below / total;
        bool is_last = below >= total * (1 - 1e-15);
        double to = mr_normal_score(is_last ? 1 - tail : end);
        if (made == 0)
            map->edges[0] = mr_normal_score(tail);
        map->edges[made + 1] = to;
        map->lowest[made] = bins[bin].lowest;
        map->highest[made] = bins[bin].highest;
        double to_height = is_last ? 0 : mr_normal_density(to);
        map->scores[made] = (from_height - to_height) / (is_last ? 1 - start : end - start);
        /* Within a bin of some width scores go from edge to edge. */
        double from = map->edges[made];
        map->variance += bins[bin].lowest < bins[bin].highest
                             ? share * (from * from + from * to + to * to) / 3
                             : share * map->scores[made] * map->scores[made];
        from_height = to_height;
    }
}

/* The last bin that begins at or below the number, by the array of where bins begin. */
static uint32_t bin_at(const double *begins, uint32_t count, double number)
{
    uint32_t bin = 0;
    while (count > 1) {
        uint32_t half = count / 2;
        bin += begins[bin + half] <= number ? half : 0;
        count -= half;
    }
    return bin;
}

double mr_marginal_score(const struct mr_marginal_map *map, double value)
{
    uint32_t bin = bin_at(map->lowest, map->bins_count, value);
    double lowest = map->lowest[bin];
    double highest = map->highest[bin];
    if (lowest >= highest && value == lowest)
        return map->scores[bin];
    if (value < lowest)
        return map->edges[bin];
    if (value > highest)
        return map->edges[bin + 1];
    double share = (value - lowest + map->step / 2) / (highest - lowest + map->step);
    return map->edges[bin] + share * (map->edges[bin + 1] - map->edges[bin]);
}

double mr_marginal_slope(const struct mr_marginal_map *map, double value)
{
    uint32_t bin = bin_at(map->lowest, map->bins_count, value);
    double width = map->highest[bin] - map->lowest[bin];
    if (!(width > 0) || value < map->lowest[bin] || value > map->highest[bin])
        return 0;
    return (map->edges[bin + 1] - map->edges[bin]) / (width + map->step);
}

double mr_marginal_value(const struct mr_marginal_map *map, double z)
{
    uint32_t bin = bin_at(map->edges, map->bins_count, z);
    double lowest = map->lowest[bin];
    double highest = map->highest[bin];
    double from = map->edges[bin];
    double to = map->edges[bin + 1];
    if (lowest >= highest || z <= from)
        return lowest;
    if (z >= to)
        return highest;
    double step = map->step;
    double value = lowest - step / 2 + (z - from) / (to - from) * (highest - lowest + step);
    if (map->scale > 0)
        value = nearbyint(value * map->scale) / map->scale;
    if (value < lowest)
        return lowest;
    return value > highest ? highest : value;
}

bool mr_marginal_interval(const struct mr_marginal_map *map, double lowest, double highest,
                          double *from, double *to)
{
    double start = INFINITY;
    double end = -INFINITY;
    for (uint32_t bin = 0; bin < map->bins_count; bin++) {
        if (map->highest[bin] < lowest || map->lowest[bin] > highest)
            continue;
        double width = map->highest[bin] - map->lowest[bin] + map->step;
        double edge = bin == 0 ? -INFINITY : map->edges[bin];
        double behind = bin + 1 == map->bins_count ? INFINITY : map->edges[bin + 1];
        double span = map->edges[bin + 1] - map->edges[bin];
        double part = (lowest - map->lowest[bin]) / width;
        double rest = (map->highest[bin] - highest) / width;
        double first = part > 0 ? map->edges[bin] + part * span : edge;
        double last = rest > 0 ? map->edges[bin + 1] - rest * span : behind;
        start = first < start ? first : start;
        end = last > end ? last : end;
    }
    *from = start;
    *to = end;
    return start < end;
}
