/* operators/fit_keys.c — see fit_keys.h. */
#include "operators/fit_keys.h"

#include <math.h>
#include <stdlib.h>

#include "operators/zipf.h"

enum { HALVINGS = 40 };

static int by_number(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Hashes become the counts of the different ones, ascending. Returns how many. */
static size_t count_runs(uint64_t *hashes, size_t count)
{
    size_t keys = 0;
    qsort(hashes, count, sizeof(*hashes), by_number);
    for (size_t first = 0; first < count;) {
        size_t end = first;
        uint64_t hash = hashes[first];
        while (end < count && hashes[end] == hash)
            end++;
        hashes[keys++] = end - first;
        first = end;
    }
    qsort(hashes, keys, sizeof(*hashes), by_number);
    return keys;
}

/* Mean of ln k where k has this exponent. */
static double mean_log(size_t keys, double exponent)
{
    double weights = 0;
    double sum = 0;
    for (size_t k = keys; k > 0; k--) {
        double log_k = log((double)k);
        double weight = exp(-exponent * log_k);
        weights += weight;
        sum += weight * log_k;
    }
    return sum / weights;
}

void mr_fit_keys(uint64_t *hashes, size_t count, struct mr_fit_keys *keys)
{
    size_t found = count_runs(hashes, count);
    double lowest = 0;
    double highest = MR_ZIPF_EXPONENT_MAX;
    double seen = 0;
    *keys = (struct mr_fit_keys){.count = found};
    if (found < 2)
        return;
    for (size_t rank = 1; rank <= found; rank++)
        seen += (double)hashes[found - rank] * log((double)rank);
    seen /= (double)count;
    if (mean_log(found, 0) <= seen)
        return;
    for (int halving = 0; halving < HALVINGS; halving++) {
        double middle = (lowest + highest) / 2;
        if (mean_log(found, middle) > seen)
            lowest = middle;
        else
            highest = middle;
    }
    keys->exponent = (lowest + highest) / 2;
}
