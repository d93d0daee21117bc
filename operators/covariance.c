/* operators/covariance.c — see covariance.h.
 * Design: the distance is taken in correlations, so that fields of any unit and size are alike:
 * deviations z in standard deviations, matrix R with ones on its diagonal. Gaussian elimination of
 * [R | z] by rows gives U and y with sum(y_k^2 / U_kk) = z' R^-1 z; rows are contiguous, so that a
 * compiler can vectorise the inner loop without changing the order of any sum. */
#include "operators/covariance.h"

#include <float.h>
#include <math.h>
#include <string.h>

void mr_covariance_learn(double *moments, struct mr_covariance_weights *weights,
                         const double *values, uint32_t fields_count, double keep, double *scratch)
{
    weights->total = keep * weights->total + 1;
    weights->squares = keep * keep * weights->squares + 1;
    /* From the mean before; behind what a distance leaves for mr_covariance_contributions. */
    double *deviations = scratch + (size_t)fields_count * (fields_count + 3);
    for (uint32_t field = 0; field < fields_count; field++) {
        deviations[field] = values[field] - moments[field];
        moments[field] += deviations[field] / weights->total;
    }
    double *squares = moments + fields_count;
    for (uint32_t row = 0; row < fields_count; row++) {
        double after = values[row] - moments[row];
        for (uint32_t column = 0; column <= row; column++)
            squares[column] = keep * squares[column] + after * deviations[column];
        squares += row + 1;
    }
}

/* deviations[fields_count] in standard deviations, 1 / sd in inverses. */
static void standardise(const double *moments, double freedom, const double *values,
                        uint32_t fields_count, double sd_floor, double *deviations,
                        double *inverses)
{
    const double *squares = moments + fields_count;
    for (uint32_t field = 0; field < fields_count; field++) {
        double sd = sqrt(*squares / freedom);
        inverses[field] = 1 / (sd > sd_floor ? sd : sd_floor);
        double deviation = (values[field] - moments[field]) * inverses[field];
        if (deviation > MR_COVARIANCE_DEVIATION_MAX)
            deviation = MR_COVARIANCE_DEVIATION_MAX;
        if (deviation < -MR_COVARIANCE_DEVIATION_MAX)
            deviation = -MR_COVARIANCE_DEVIATION_MAX;
        deviations[field] = deviation;
        squares += field + 2; /* the next of the diagonal */
    }
}

/* The upper triangle of the shrunken correlation matrix, and z as one more column. */
static void fill_matrix(const double *moments, double factor, uint32_t fields_count,
                        const double *deviations, const double *inverses, double *matrix)
{
    uint32_t stride = fields_count + 1;
    const double *squares = moments + fields_count;
    for (uint32_t row = 0; row < fields_count; row++) {
        double scale = factor * inverses[row];
        for (uint32_t column = 0; column < row; column++)
            matrix[column * stride + row] = squares[column] * scale * inverses[column];
        matrix[row * stride + row] = 1;
        matrix[row * stride + fields_count] = deviations[row];
        squares += row + 1;
    }
}

/* Eliminate below the diagonal; returns z' R^-1 z. */
static double eliminate(double *matrix, uint32_t fields_count)
{
    uint32_t stride = fields_count + 1;
    double squared = 0;
    for (uint32_t pivot = 0; pivot < fields_count; pivot++) {
        const double *upper = matrix + (size_t)pivot * stride;
        if (upper[pivot] < MR_COVARIANCE_PIVOT_MIN)
            matrix[(size_t)pivot * stride + pivot] = MR_COVARIANCE_PIVOT_MIN;
        double inverse = 1 / upper[pivot];
        for (uint32_t row = pivot + 1; row < fields_count; row++) {
            double factor = upper[row] * inverse;
            double *lower = matrix + (size_t)row * stride;
            for (uint32_t column = row; column <= fields_count; column++)
                lower[column] -= factor * upper[column];
        }
        squared += upper[fields_count] * upper[fields_count] * inverse;
    }
    return squared;
}

double mr_covariance_distance(const double *moments, const struct mr_covariance_weights *weights,
                              const double *values, uint32_t fields_count,
                              const struct mr_covariance_regular *regular, double *scratch)
{
    double freedom = weights->total > 0 ? weights->total - weights->squares / weights->total : 0;
    if (!(freedom > 0))
        return 0;
    double *deviations = scratch;
    double *inverses = scratch + fields_count;
    double *matrix = scratch + 2 * (size_t)fields_count;
    standardise(moments, freedom, values, fields_count, regular->sd_floor, deviations, inverses);
    double factor = weights->total / (weights->total + regular->shrink) / freedom;
    fill_matrix(moments, factor, fields_count, deviations, inverses, matrix);
    return sqrt(eliminate(matrix, fields_count));
}

/* R^-1 z by back substitution, in place of the last column. */
static void substitute(double *matrix, uint32_t fields_count)
{
    uint32_t stride = fields_count + 1;
    for (uint32_t row = fields_count; row-- > 0;) {
        double *upper = matrix + (size_t)row * stride;
        double rest = upper[fields_count];
        for (uint32_t column = row + 1; column < fields_count; column++)
            rest -= upper[column] * matrix[(size_t)column * stride + fields_count];
        upper[fields_count] = rest / upper[row];
    }
}

void mr_covariance_contributions(double *scratch, uint32_t fields_count, double distance,
                                 double *contributions)
{
    const double *deviations = scratch;
    double *matrix = scratch + 2 * (size_t)fields_count;
    uint32_t stride = fields_count + 1;
    double total = 0;
    memset(contributions, 0, fields_count * sizeof(*contributions));
    if (distance > 0)
        substitute(matrix, fields_count);
    for (uint32_t row = distance > 0 ? fields_count : 0; row-- > 0;) {
        double part = deviations[row] * matrix[(size_t)row * stride + fields_count];
        contributions[row] = part > 0 ? part : 0;
        total += contributions[row];
    }
    for (uint32_t field = 0; total > 0 && field < fields_count; field++)
        contributions[field] = contributions[field] / total * distance;
}

void mr_covariance_drops(double *scratch, uint32_t fields_count, double *drops)
{
    double *matrix = scratch + 2 * (size_t)fields_count;
    uint32_t stride = fields_count + 1;
    double *column = scratch + (size_t)fields_count * (fields_count + 3);
    substitute(matrix, fields_count);
    memset(drops, 0, fields_count * sizeof(*drops));
    /* R = U' D^-1 U with D the diagonal of U, so the diagonal of R^-1 is that of U^-1 D U^-1': by
     * columns of U^-1. */
    for (uint32_t end = 0; end < fields_count; end++) {
        double pivot = matrix[(size_t)end * stride + end];
        column[end] = 1 / pivot;
        drops[end] += column[end];
        for (uint32_t row = end; row-- > 0;) {
            const double *upper = matrix + (size_t)row * stride;
            double sum = 0;
            for (uint32_t at = row + 1; at <= end; at++)
                sum += upper[at] * column[at];
            column[row] = -sum / upper[row];
            drops[row] += column[row] * column[row] * pivot;
        }
    }
    for (uint32_t field = 0; field < fields_count; field++) {
        double solution = matrix[(size_t)field * stride + fields_count];
        drops[field] = solution * (solution / drops[field]);
    }
}

double mr_chi_square_tail(double x, uint32_t freedom)
{
    if (!(x > 0))
        return 1;
    /* Q(n/2, x/2) by its recurrence from n = 1 (erfc) or n = 2 (exp): all terms are positive. */
    double half = x / 2;
    if (half > 750)
        return 0; /* so does exp */
    bool odd = freedom % 2 == 1;
    double tail = odd ? erfc(sqrt(half)) : exp(-half);
    double term = odd ? 2 * sqrt(half / 3.14159265358979323846) * exp(-half) : half * exp(-half);
    for (double order = odd ? 1.5 : 2; order <= freedom / 2.0; order += 1) {
        tail += term;
        term *= half / order;
    }
    return tail < 1 ? tail : 1;
}
