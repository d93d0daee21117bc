/* operators/sorted_window.c — see sorted_window.h.
 * Design of the MAD: the distances of the lower half from the median, read downwards, and of the
 * upper half, read upwards, are two ascending sequences. Their k-th smallest element is found by a
 * binary search for how many of the first k come from the lower one: O(log n). */
#include "operators/sorted_window.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static int compare(const void *left, const void *right)
{
    double first;
    double second;
    memcpy(&first, left, sizeof(first));
    memcpy(&second, right, sizeof(second));
    return (first > second) - (first < second);
}

void mr_sorted_window_sort(double *values, uint32_t count)
{
    qsort(values, count, sizeof(*values), compare);
}

/* Index of the first element that is not below number. */
static uint32_t lower_bound(const double *values, uint32_t count, double number)
{
    uint32_t first = 0;
    while (count > 0) {
        uint32_t half = count / 2;
        if (values[first + half] < number) {
            first += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return first;
}

void mr_sorted_window_insert(double *values, uint32_t count, double number)
{
    uint32_t place = lower_bound(values, count, number);
    memmove(values + place + 1, values + place, (count - place) * sizeof(*values));
    values[place] = number;
}

void mr_sorted_window_remove(double *values, uint32_t count, double number)
{
    uint32_t place = lower_bound(values, count, number);
    MR_ASSERT(place < count && !(values[place] > number));
    memmove(values + place, values + place + 1, (count - place - 1) * sizeof(*values));
}

void mr_sorted_window_replace(double *values, uint32_t count, double old, double number)
{
    uint32_t from = lower_bound(values, count, old);
    MR_ASSERT(from < count && !(values[from] > old));
    uint32_t to = lower_bound(values, count, number);
    if (to > from) {
        to--; /* the place moves down with the numbers above the one that leaves */
        memmove(values + from, values + from + 1, (to - from) * sizeof(*values));
    } else {
        memmove(values + to + 1, values + to, (from - to) * sizeof(*values));
    }
    values[to] = number;
}

double mr_sorted_window_median(const double *values, uint32_t count)
{
    MR_ASSERT(count > 0);
    if (count % 2 == 1)
        return values[count / 2];
    return 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

struct distances {
    const double *values;
    double median;
    uint32_t lower_count; /* values[0..lower_count) are at or below the median */
    uint32_t upper_count;
};

static double lower_distance(const struct distances *distances, uint32_t index)
{
    return distances->median - distances->values[distances->lower_count - 1 - index];
}

static double upper_distance(const struct distances *distances, uint32_t index)
{
    return distances->values[distances->lower_count + index] - distances->median;
}

/* How many of the rank smallest distances are in the lower half. */
static uint32_t lower_share(const struct distances *distances, uint32_t rank)
{
    uint32_t low = rank > distances->upper_count ? rank - distances->upper_count : 0;
    uint32_t high = rank < distances->lower_count ? rank : distances->lower_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (lower_distance(distances, middle) < upper_distance(distances, rank - middle - 1))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The smallest distance behind `lower` of the lower and `upper` of the upper half; steps over it.
 */
static double next_distance(const struct distances *distances, uint32_t *lower, uint32_t *upper)
{
    bool take_lower = *upper == distances->upper_count ||
                      (*lower < distances->lower_count &&
                       lower_distance(distances, *lower) < upper_distance(distances, *upper));
    return take_lower ? lower_distance(distances, (*lower)++)
                      : upper_distance(distances, (*upper)++);
}

double mr_sorted_window_mad(const double *values, uint32_t count, double median)
{
    MR_ASSERT(count > 0);
    const struct distances distances = {values, median, count / 2, count - count / 2};
    uint32_t rank = (count - 1) / 2;
    uint32_t lower = lower_share(&distances, rank);
    uint32_t upper = rank - lower;
    double middle = next_distance(&distances, &lower, &upper);
    if (count % 2 == 1)
        return middle;
    return 0.5 * (middle + next_distance(&distances, &lower, &upper));
}

double mr_sorted_window_mean_distance(const double *values, uint32_t count, double median)
{
    double sum = 0;
    MR_ASSERT(count > 0);
    for (uint32_t index = 0; index < count; index++)
        sum += fabs(values[index] - median);
    return sum / count;
}

double mr_sorted_window_quantile(const double *values, uint32_t count, double share)
{
    MR_ASSERT(count > 0 && share >= 0 && share <= 1);
    double place = (count - 1) * share;
    uint32_t below = (uint32_t)place;
    if (below + 1 >= count)
        return values[count - 1];
    return values[below] + (place - below) * (values[below + 1] - values[below]);
}
