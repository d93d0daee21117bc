/* operators/neighbours.c — see neighbours.h. Design: the distances are summed dimension by
 * dimension over all points, which a compiler vectorises without changing the order of any sum; the
 * least ones are kept sorted in a short array that few numbers enter. */
#include "operators/neighbours.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/assert.h"

/* A pivot that is smaller than this share of its diagonal number is rounding. */
static const double pivot_share_min = 1e-14;

void mr_neighbours_add(double *squares, const double *point, uint32_t dimensions)
{
    for (uint32_t row = 0; row < dimensions; row++) {
        for (uint32_t column = 0; column <= row; column++)
            squares[column] += point[row] * point[column];
        squares += row + 1;
    }
}

bool mr_neighbours_factor(const double *squares, uint32_t dimensions, double *factor)
{
    double *lower = factor; /* of row */
    for (uint32_t row = 0; row < dimensions; row++) {
        double *upper = factor; /* of column */
        double diagonal = squares[row];
        for (uint32_t column = 0; column <= row; column++) {
            double rest = squares[column];
            for (uint32_t at = 0; at < column; at++)
                rest -= lower[at] * upper[at];
            if (column < row) {
                lower[column] = rest / upper[column];
            } else {
                if (!(rest > diagonal * pivot_share_min) || !(rest <= DBL_MAX) || rest < DBL_MIN)
                    return false;
                lower[column] = sqrt(rest);
            }
            upper += column + 1;
        }
        squares += row + 1;
        lower += row + 1;
    }
    return true;
}

void mr_neighbours_identity(uint32_t dimensions, double *factor)
{
    for (uint32_t row = 0; row < dimensions; row++) {
        memset(factor, 0, row * sizeof(*factor));
        factor[row] = 1;
        factor += row + 1;
    }
}

void mr_neighbours_whiten(const double *factor, const double *point, uint32_t dimensions,
                          double *whitened)
{
    for (uint32_t row = 0; row < dimensions; row++) {
        double rest = point[row];
        for (uint32_t column = 0; column < row; column++)
            rest -= factor[column] * whitened[column];
        whitened[row] = rest / factor[row];
        factor += row + 1;
    }
}

/* Distances to all points; NaN and infinity become the largest double. */
static void measure(const struct mr_neighbours_points *points, const double *whitened,
                    double *distances)
{
    memset(distances, 0, points->count * sizeof(*distances));
    uint32_t count = points->count;
    for (uint32_t dimension = 0; dimension < points->dimensions; dimension++) {
        const double *numbers = points->points + (size_t)dimension * points->capacity;
        double own = whitened[dimension];
        for (uint32_t point = 0; point < count; point++) {
            double apart = numbers[point] - own;
            distances[point] += apart * apart;
        }
    }
    for (uint32_t point = 0; point < points->count; point++)
        if (!(distances[point] <= DBL_MAX))
            distances[point] = DBL_MAX;
}

double mr_neighbours_sum(const struct mr_neighbours_points *points, const double *whitened,
                         uint32_t neighbours, uint32_t without, double *scratch)
{
    double least[MR_NEIGHBOURS_MAX];
    uint32_t found = 0;
    MR_ASSERT(neighbours >= 1 && neighbours <= MR_NEIGHBOURS_MAX);
    MR_ASSERT(neighbours <= points->count - (without < points->count));
    measure(points, whitened, scratch);
    for (uint32_t point = 0; point < points->count; point++) {
        double distance = scratch[point];
        if (point == without || (found == neighbours && distance >= least[found - 1]))
            continue;
        uint32_t place = found < neighbours ? found++ : found - 1;
        for (; place > 0 && least[place - 1] > distance; place--)
            least[place] = least[place - 1];
        least[place] = distance;
    }
    double sum = 0;
    for (uint32_t index = 0; index < neighbours; index++)
        sum += least[index];
    return sum <= DBL_MAX ? sum : DBL_MAX;
}
