/* operators/symmetric.h — symmetric matrices of a few dozen rows: factors, eigenvalues, and the
 * nearest correlation matrix.
 * Why own: LAPACK's results differ in the last bits with the processor and the number of threads,
 * and what a copula generates must not (docs/adr/0014). Model: n x n doubles by rows. Cost: a
 * factor n^3 / 6 products; eigenvalues some 30 n^3. Plain arithmetic in a fixed order. Pure. */
#ifndef MR_OPERATORS_SYMMETRIC_H
#define MR_OPERATORS_SYMMETRIC_H

#include <stdbool.h>
#include <stdint.h>

/* The least eigenvalue that a repaired correlation matrix is given. */
#define MR_SYMMETRIC_EIGENVALUE_MIN 1e-6

/* factor = L with L L' = matrix, zeros above the diagonal. Only the lower triangle of matrix is
 * read; factor may be matrix. False: a pivot is below MR_SYMMETRIC_EIGENVALUE_MIN / 2; factor is
 * then undefined. */
bool mr_symmetric_factor(const double *matrix, uint32_t rows, double *factor);

/* Eigenvalues, and eigenvectors as the columns of vectors, by Jacobi's rotations; matrix is used
 * up. */
void mr_symmetric_eigen(double *matrix, uint32_t rows, double *values, double *vectors);

/* Make a matrix with ones on the diagonal positive definite: eigenvalues are raised to the least
 * one and the diagonal is made 1 again (Higham, Computing the nearest correlation matrix, 2002, its
 * first step). scratch: (2 n + 1) n doubles. */
void mr_symmetric_repair(double *matrix, uint32_t rows, double *scratch);

#endif
