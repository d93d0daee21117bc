/* operators/voxel_cell.c — see voxel_cell.h.
 * Variance: (n S2 - S1^2) / (n (n - 1)) in pairs of doubles, where S1 and S2 are sums of
 * differences from the first number and of their squares: the error is some n 2^-104 S2, so that 12
 * digits are right while the first is less than some 1e8 standard deviations away from the mean. */
#include "operators/voxel_cell.h"

/* The exact sum of both is what is meant; |rest| is at most half a unit of number's last place. */
struct pair {
    double number;
    double rest;
};

static struct pair pair_of(double number, double rest)
{
    struct pair pair;
    mr_voxel_two_sum(number, rest, &pair.number, &pair.rest);
    return pair;
}

static struct pair product(struct pair left, struct pair right)
{
    double number = left.number * right.number;
    double rest = fma(left.number, right.number, -number);
    return pair_of(number, rest + (left.number * right.rest + left.rest * right.number));
}

double mr_voxel_cell_sum(const struct mr_voxel_cell *cell)
{
    return cell->sum + cell->sum_rest;
}

double mr_voxel_cell_mean(const struct mr_voxel_cell *cell)
{
    return mr_voxel_cell_sum(cell) / (double)cell->count;
}

double mr_voxel_cell_variance(const struct mr_voxel_cell *cell)
{
    if (cell->minimum == cell->maximum)
        return 0;
    double count = (double)cell->count;
    struct pair all_first = product((struct pair){count, 0}, (struct pair){cell->first, 0});
    struct pair sum = pair_of(cell->sum, -all_first.number);
    sum = pair_of(sum.number, sum.rest + (cell->sum_rest - all_first.rest));
    struct pair squares = pair_of(cell->squares, cell->squares_rest);
    struct pair above = product((struct pair){count, 0}, squares);
    struct pair below = product(sum, sum);
    struct pair difference = pair_of(above.number, -below.number);
    double deviations = difference.number + (difference.rest + (above.rest - below.rest));
    return deviations > 0 ? deviations / count / (count - 1) : 0;
}
