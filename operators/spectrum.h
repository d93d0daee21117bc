/* operators/spectrum.h — the discrete Fourier transform of a power of two of numbers, with the same
 * bits on every machine.
 * Why own: what a detector decides by a spectrum ends up in its state, and the sines of libm and
 * the order of sums in libraries differ between machines. Model: radix 2, in place, decimation in
 * time (Cooley and Tukey, 1965). The roots of unity are made by halving angles (sqrt and division)
 * and multiplying, which is exact to some units in the last place. + - * / sqrt only. */
#ifndef MR_OPERATORS_SPECTRUM_H
#define MR_OPERATORS_SPECTRUM_H

#include <stdint.h>

struct mr_complex {
    double real;
    double imaginary;
};

/* roots[size / 2]: roots[k] = exp(-2 pi i k / size). size is a power of two, >= 2. */
void mr_spectrum_roots(uint32_t size, struct mr_complex *roots);

/* values[size] become sum over k of values[k] exp(-2 pi i j k / size). Numbers are finite, and
 * small enough that their sum is. */
void mr_spectrum_forward(uint32_t size, const struct mr_complex *roots, struct mr_complex *values);

#endif
