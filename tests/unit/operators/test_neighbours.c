/* tests/unit/operators/test_neighbours.c — distances in a set's own metric: beside a plain
 * computation with the inverse matrix, by hand, and where there is no inverse. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/neighbours.h"

enum { DIMENSIONS = 5, POINTS = 40, NEAREST = 7 };

static double points[POINTS][DIMENSIONS];
static double whitened[DIMENSIONS * POINTS];
static double factor[DIMENSIONS * (DIMENSIONS + 1) / 2];

static void make_points(void)
{
    struct mr_random random;
    mr_random_init(&random, 3, 0);
    memset(factor, 0, sizeof(factor));
    for (int point = 0; point < POINTS; point++) {
        for (int at = 0; at < DIMENSIONS; at++)
            points[point][at] =
                2 + (at + 1) * mr_random_normal(&random) + (at > 0 ? points[point][at - 1] : 0);
        mr_neighbours_add(factor, points[point], DIMENSIONS);
    }
    assert_true(mr_neighbours_factor(factor, DIMENSIONS, factor));
    for (int point = 0; point < POINTS; point++) {
        double own[DIMENSIONS];
        mr_neighbours_whiten(factor, points[point], DIMENSIONS, own);
        for (int at = 0; at < DIMENSIONS; at++)
            whitened[at * POINTS + point] = own[at];
    }
}

/* (a - b)' S^-1 (a - b) by elimination. */
static double distance(const double *a, const double *b)
{
    double matrix[DIMENSIONS][DIMENSIONS + 1] = {{0}};
    double apart[DIMENSIONS];
    for (int row = 0; row < DIMENSIONS; row++) {
        apart[row] = a[row] - b[row];
        for (int column = 0; column < DIMENSIONS; column++)
            for (int point = 0; point < POINTS; point++)
                matrix[row][column] += points[point][row] * points[point][column];
        matrix[row][DIMENSIONS] = apart[row];
    }
    for (int pivot = 0; pivot < DIMENSIONS; pivot++)
        for (int row = 0; row < DIMENSIONS; row++) {
            double share = matrix[row][pivot] / matrix[pivot][pivot];
            for (int column = 0; row != pivot && column <= DIMENSIONS; column++)
                matrix[row][column] -= share * matrix[pivot][column];
        }
    double sum = 0;
    for (int row = 0; row < DIMENSIONS; row++)
        sum += apart[row] * matrix[row][DIMENSIONS] / matrix[row][row];
    return sum;
}

static int compare(const void *first, const void *second)
{
    double a = *(const double *)first;
    double b = *(const double *)second;
    return (a > b) - (a < b);
}

static void sums_are_those_of_the_inverse(void **state)
{
    MR_UNUSED(state);
    double scratch[POINTS];
    make_points();
    struct mr_neighbours_points set = {whitened, POINTS, POINTS, DIMENSIONS};
    for (int without = 0; without <= POINTS; without++) {
        static const double other[DIMENSIONS] = {1, -2, 3, 0, 40};
        const double *point = without < POINTS ? points[without] : other;
        double distances[POINTS];
        double own[DIMENSIONS];
        double expected = 0;
        for (int at = 0; at < POINTS; at++)
            distances[at] = distance(points[at], point);
        qsort(distances, POINTS, sizeof(*distances), compare);
        for (int at = 0; at < NEAREST; at++) /* the first is the point itself */
            expected += distances[at + (without < POINTS)];
        mr_neighbours_whiten(factor, point, DIMENSIONS, own);
        double sum = mr_neighbours_sum(&set, own, NEAREST, (uint32_t)without, scratch);
        assert_true(fabs(sum - expected) < 1e-9 * expected);
    }
}

static void the_euclidean_metric_is_by_hand(void **state)
{
    MR_UNUSED(state);
    static const double numbers[] = {0, 3, 10, /* second dimension */ 0, 4, 10};
    double identity[3];
    double own[2];
    double scratch[3];
    mr_neighbours_identity(2, identity);
    mr_neighbours_whiten(identity, (double[]){0, 0}, 2, own);
    struct mr_neighbours_points set = {numbers, 3, 3, 2};
    assert_true(mr_neighbours_sum(&set, own, 1, 3, scratch) == 0);
    assert_true(mr_neighbours_sum(&set, own, 2, 3, scratch) == 25);
    assert_true(mr_neighbours_sum(&set, own, 2, 0, scratch) == 225);
    assert_true(mr_neighbours_sum(&set, own, 3, 3, scratch) == 225);
}

static void points_in_fewer_dimensions_have_no_metric(void **state)
{
    MR_UNUSED(state);
    double squares[3] = {0};
    double result[3];
    assert_false(mr_neighbours_factor(squares, 2, result));
    for (int round = 1; round < 20; round++)
        mr_neighbours_add(squares, (double[]){0.1 * round, 0.3 * round}, 2);
    assert_false(mr_neighbours_factor(squares, 2, result));
    mr_neighbours_add(squares, (double[]){1, 0}, 2);
    assert_true(mr_neighbours_factor(squares, 2, result));
    mr_neighbours_add(squares, (double[]){1e200, 0}, 2);
    assert_false(mr_neighbours_factor(squares, 2, result));
}

static void huge_distances_stay_finite(void **state)
{
    MR_UNUSED(state);
    static const double numbers[] = {0, 1};
    double scratch[2];
    double own = 1e200;
    struct mr_neighbours_points set = {numbers, 2, 2, 1};
    assert_true(mr_neighbours_sum(&set, &own, 2, 2, scratch) == DBL_MAX);
    own = INFINITY;
    assert_true(mr_neighbours_sum(&set, &own, 1, 2, scratch) == DBL_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_the_inverse),
        cmocka_unit_test(the_euclidean_metric_is_by_hand),
        cmocka_unit_test(points_in_fewer_dimensions_have_no_metric),
        cmocka_unit_test(huge_distances_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
