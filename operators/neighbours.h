/* operators/neighbours.h — distances to the nearest of a set of points in the metric that the
 * points themselves give: how far a point is from its k nearest ones. Source: Burnaev and
 * Ishimtsev, Conformalized density- and distance-based anomaly detection in time-series data
 * (2016): the metric is d(a, b) = (a - b)' S^-1 (a - b) with S = sum of x x' over the points x (not
 * centred). Model: S = L L' (Cholesky); with every point replaced by L^-1 x the metric is the
 * squared Euclidean distance. Points are kept like that ("whitened"), dimension by dimension:
 * number d of point p is at points[d * capacity + p]. Plain + - * / and sqrt in a fixed order: the
 * same bits on each machine. Limits: |number| <= 1e150, then no sum of squares of 1e6 of them
 * overflows before whitening; what overflows afterwards is told as the largest double. Pure. */
#ifndef MR_OPERATORS_NEIGHBOURS_H
#define MR_OPERATORS_NEIGHBOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MR_NEIGHBOURS_DIMENSIONS_MAX = 64, MR_NEIGHBOURS_MAX = 100 };

/* Numbers of a lower triangle by rows: (0,0) (1,0) (1,1) (2,0) ... */
static inline uint32_t mr_neighbours_triangle(uint32_t dimensions)
{
    return dimensions * (dimensions + 1) / 2;
}

/* Add point x to the triangle of S. */
void mr_neighbours_add(double *squares, const double *point, uint32_t dimensions);

/* L of S, both triangles; they may be the same memory. False: S cannot be inverted (the points lie
 * in fewer dimensions, or their squares overflow), and what is in factor means nothing. */
bool mr_neighbours_factor(const double *squares, uint32_t dimensions, double *factor);
/* L of the Euclidean metric. */
void mr_neighbours_identity(uint32_t dimensions, double *factor);

/* whitened = L^-1 point; not the same memory. */
void mr_neighbours_whiten(const double *factor, const double *point, uint32_t dimensions,
                          double *whitened);

struct mr_neighbours_points {
    const double *points; /* whitened */
    uint32_t capacity;
    uint32_t count; /* <= capacity */
    uint32_t dimensions;
};

/* Sum of the distances from a whitened point to the nearest `neighbours` of the points, without
 * the one at place `without` (count: none is left out). Pre: 1 <= neighbours <= points that are
 * not left out. scratch: count doubles. Finite, >= 0. */
double mr_neighbours_sum(const struct mr_neighbours_points *points, const double *whitened,
                         uint32_t neighbours, uint32_t without, double *scratch);

#endif
