/* operators/mewma_limit.h — where the limit of a multivariate EWMA chart stands for a wanted run
 * length of a process in control.
 * Model: z' = lambda x + (1 - lambda) z of normal records x with covariance 1, from z = 0; told is
 * |z|^2 (2 - lambda) / lambda > limit. The radius |z| alone is a Markov process: given u = |z| /
 * lambda, the next u^2 is noncentral chi-square with as many degrees as fields and noncentrality
 * ((1 - lambda) u)^2. Its run length solves L(u) = 1 + integral of k(v | u) L(v) dv up to the
 * limit, which Gauss-Legendre panels turn into linear equations. Sources: Lowry, Woodall, Champ and
 * Rigdon, Technometrics 34 (1992); Rigdon, J. Statist. Comput. Simul. 52 (1995), the integral
 * equation; Runger and Prabhu, J. Amer. Statist. Assoc. 91 (1996), the same as a Markov chain.
 * Accuracy: 1e-8 of the run length up to 1e5, 1e-7 up to 1e6 (beside scipy:
 * tests/unit/operators/test_mewma_limit.c). Pure; the same bits on every machine. Cost: some 10 ms,
 * of lambda 0.01 some 0.5 s: when an operator is opened. */
#ifndef MR_OPERATORS_MEWMA_LIMIT_H
#define MR_OPERATORS_MEWMA_LIMIT_H

#include <stdint.h>

#define MR_MEWMA_LAMBDA_MIN 0.01
#define MR_MEWMA_RUN_LENGTH_MAX 1e6

/* Mean number of points until one is told, in control. Pre: 1 <= fields_count <= 64,
 * MR_MEWMA_LAMBDA_MIN <= lambda <= 1, 0 < limit <= 400. */
double mr_mewma_run_length(uint32_t fields_count, double lambda, double limit);

/* The limit with that run length. Pre: 2 <= run_length <= MR_MEWMA_RUN_LENGTH_MAX. */
double mr_mewma_limit(uint32_t fields_count, double lambda, double run_length);

#endif
