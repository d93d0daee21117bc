/* operators/symmetric.c — see symmetric.h. */
#include "operators/symmetric.h"

#include <math.h>
#include <string.h>

enum { SWEEPS_MAX = 30 };

bool mr_symmetric_factor(const double *matrix, uint32_t rows, double *factor)
{
    for (uint32_t row = 0; row < rows; row++) {
        double *line = factor + (size_t)row * rows;
        const double *source = matrix + (size_t)row * rows;
        for (uint32_t column = 0; column <= row; column++) {
            const double *above = factor + (size_t)column * rows;
            double sum = source[column];
            for (uint32_t at = 0; at < column; at++)
                sum -= line[at] * above[at];
            if (column < row) {
                line[column] = sum / above[column];
            } else {
                if (!(sum >= MR_SYMMETRIC_EIGENVALUE_MIN / 2))
                    return false;
                line[column] = sqrt(sum);
            }
        }
        for (uint32_t column = row + 1; column < rows; column++)
            line[column] = 0;
    }
    return true;
}

/* Rotate rows and columns p and q so that (p, q) becomes 0. */
static void rotate(double *matrix, uint32_t rows, uint32_t p, uint32_t q, double *vectors)
{
    double off = matrix[(size_t)p * rows + q];
    double theta = (matrix[(size_t)q * rows + q] - matrix[(size_t)p * rows + p]) / (2 * off);
    double tangent = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
    double cosine = 1 / sqrt(tangent * tangent + 1);
    double sine = tangent * cosine;
    for (uint32_t at = 0; at < rows; at++) {
        double *line = matrix + (size_t)at * rows;
        double left = line[p];
        double right = line[q];
        line[p] = cosine * left - sine * right;
        line[q] = sine * left + cosine * right;
        double *vector = vectors + (size_t)at * rows;
        left = vector[p];
        right = vector[q];
        vector[p] = cosine * left - sine * right;
        vector[q] = sine * left + cosine * right;
    }
    double *first = matrix + (size_t)p * rows;
    double *second = matrix + (size_t)q * rows;
    for (uint32_t at = 0; at < rows; at++) {
        double left = first[at];
        double right = second[at];
        first[at] = cosine * left - sine * right;
        second[at] = sine * left + cosine * right;
    }
}

void mr_symmetric_eigen(double *matrix, uint32_t rows, double *values, double *vectors)
{
    memset(vectors, 0, (size_t)rows * rows * sizeof(*vectors));
    for (uint32_t row = 0; row < rows; row++)
        vectors[(size_t)row * rows + row] = 1;
    for (int sweep = 0; sweep < SWEEPS_MAX; sweep++) {
        double off = 0;
        double all = 0;
        for (uint32_t row = 0; row < rows; row++)
            for (uint32_t column = 0; column <= row; column++) {
                double entry = matrix[(size_t)row * rows + column];
                all += entry * entry;
                off += column < row ? entry * entry : 0;
            }
        if (off <= 1e-26 * all)
            break;
        double least = sqrt(off) * 1e-4 / rows;
        for (uint32_t p = 0; p + 1 < rows; p++)
            for (uint32_t q = p + 1; q < rows; q++)
                if (fabs(matrix[(size_t)p * rows + q]) > least)
                    rotate(matrix, rows, p, q, vectors);
    }
    for (uint32_t row = 0; row < rows; row++)
        values[row] = matrix[(size_t)row * rows + row];
}

void mr_symmetric_repair(double *matrix, uint32_t rows, double *scratch)
{
    double *copy = scratch;
    double *vectors = scratch + (size_t)rows * rows;
    double *values = vectors + (size_t)rows * rows;
    memcpy(copy, matrix, (size_t)rows * rows * sizeof(*matrix));
    mr_symmetric_eigen(copy, rows, values, vectors);
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t column = 0; column <= row; column++) {
            const double *left = vectors + (size_t)row * rows;
            const double *right = vectors + (size_t)column * rows;
            double sum = 0;
            for (uint32_t at = 0; at < rows; at++) {
                double value = values[at];
                if (!(value > MR_SYMMETRIC_EIGENVALUE_MIN))
                    value = MR_SYMMETRIC_EIGENVALUE_MIN;
                sum += left[at] * right[at] * value;
            }
            copy[(size_t)row * rows + column] = sum;
        }
    for (uint32_t row = 0; row < rows; row++)
        values[row] = sqrt(copy[(size_t)row * rows + row]);
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t column = 0; column <= row; column++) {
            double entry = row == column
                               ? 1
                               : copy[(size_t)row * rows + column] / (values[row] * values[column]);
            matrix[(size_t)row * rows + column] = entry;
            matrix[(size_t)column * rows + row] = entry;
        }
}
