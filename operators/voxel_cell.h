/* operators/voxel_cell.h — the statistics of one signal in one voxel, or in a layer.
 * Design: the sum of the numbers, and that of the squares of their distances from the first, each
 * as two doubles that together lose nothing but the last of some 106 bits: the sum is the exact
 * one, rounded once, and the variance is right where it is a difference of large sums, also of
 * numbers that hardly differ; what an order of adding changes is far below a double's last bit.
 * Times are event times: the last number is that of the latest one, of several the one that came
 * last. Sources: Knuth, The Art of Computer Programming 2, 4.2.2 (two-sum); Dekker, A
 * floating-point technique for extending the available precision (1971). Limits: |number| <=
 * MR_VOXEL_NUMBER_MAX, so that no square overflows. Squares of differences below 1e-145 are lost:
 * the variance is too small, or 0. A cell is stored as it is in memory, in this machine's order;
 * all zero: no number yet. */
#ifndef MR_OPERATORS_VOXEL_CELL_H
#define MR_OPERATORS_VOXEL_CELL_H

#include <math.h>

#include "base/slice.h"

#define MR_VOXEL_NUMBER_MAX 1e140

struct mr_voxel_cell {
    uint64_t count;
    double sum;
    double sum_rest; /* what `sum` lacks */
    double first;    /* the number that came first: what squares are about */
    double squares;  /* of the differences from it */
    double squares_rest;
    double minimum;
    double maximum;
    double last;
    int64_t first_ms;
    int64_t last_ms;
};

_Static_assert(sizeof(struct mr_voxel_cell) == 88, "cells are stored as they are");

/* left + right is *sum + *rest, exactly; *sum is the rounded one. */
static inline void mr_voxel_two_sum(double left, double right, double *sum, double *rest)
{
    double next = left + right;
    double part = next - left;
    *rest = (left - (next - part)) + (right - part);
    *sum = next;
}

/* *sum + *rest grows by number + residue, of which the residue is the smaller. */
static inline void mr_voxel_sum_add(double *sum, double *rest, double number, double residue)
{
    double next;
    double lost;
    mr_voxel_two_sum(*sum, number, &next, &lost);
    mr_voxel_two_sum(next, lost + (*rest + residue), sum, rest);
}

static inline void mr_voxel_cell_add(struct mr_voxel_cell *cell, double number, int64_t time_ms)
{
    number += 0.0; /* -0.0 is 0 */
    bool is_first = cell->count++ == 0;
    if (is_first)
        cell->first = number;
    double difference;
    double lost;
    mr_voxel_two_sum(number, -cell->first, &difference, &lost);
    double square = difference * difference;
    mr_voxel_sum_add(&cell->sum, &cell->sum_rest, number, 0);
    mr_voxel_sum_add(&cell->squares, &cell->squares_rest, square,
                     fma(difference, difference, -square) + 2 * difference * lost);
    if (is_first || number < cell->minimum)
        cell->minimum = number;
    if (is_first || number > cell->maximum)
        cell->maximum = number;
    if (is_first || time_ms < cell->first_ms)
        cell->first_ms = time_ms;
    if (is_first || time_ms >= cell->last_ms) {
        cell->last_ms = time_ms;
        cell->last = number;
    }
}

/* Of at least one number. */
double mr_voxel_cell_sum(const struct mr_voxel_cell *cell);
double mr_voxel_cell_mean(const struct mr_voxel_cell *cell);
/* Of the sample (divided by n - 1), as var() of aggregates; of at least two numbers. */
double mr_voxel_cell_variance(const struct mr_voxel_cell *cell);

#endif
