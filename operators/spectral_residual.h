/* operators/spectral_residual.h — how salient the newest of a row of numbers is: what its spectrum
 * has beside its own smooth course.
 * Source: Ren et al., Time-Series Anomaly Detection Service at Microsoft (KDD 2019), in the details
 * of the authors' published code:
 *   x           the numbers, then 5 equal ones estimated from the slopes before the newest (with
 *               the newest, as the paper has it, a spike would foretell a greater one)
 *   A, P        amplitude and phase of x's transform
 *   R = log A - mean of log A over the `smooth` places up to here
 *   S = |inverse transform of exp(R + i P)|
 *   score = (S of the newest - mean of S over the `local` places before) / that mean
 * Design: exp(R) is A over a geometric mean, so that roots (Newton) stand for log and exp, and the
 * bits are the same on every machine. S does not change with the scale of x, so that x is brought
 * near 1 by a power of two first, which is exact. Amplitudes below 1e-13 of the greatest are
 * rounding errors: they count as that in means, and add nothing to S. */
#ifndef MR_OPERATORS_SPECTRAL_RESIDUAL_H
#define MR_OPERATORS_SPECTRAL_RESIDUAL_H

#include <stddef.h>

#include "operators/spectrum.h"

enum {
    MR_SPECTRAL_AHEAD = 5,      /* estimated numbers */
    MR_SPECTRAL_SMOOTH_MAX = 15 /* the product of so many amplitudes is a double */
};

struct mr_spectral_residual {
    uint32_t size;   /* of the transform, a power of two; size - MR_SPECTRAL_AHEAD numbers */
    uint32_t smooth; /* 1 .. MR_SPECTRAL_SMOOTH_MAX */
    uint32_t local;  /* 1 .. size - MR_SPECTRAL_AHEAD - 1 */
    struct mr_complex *roots;
    struct mr_complex *values;
    double *amplitudes;
};

struct mr_spectral_saliency {
    double newest;
    double local; /* mean of those before */
    double score; /* >= 0 */
};

/* Memory for the arrays; prepare binds it and makes the roots. */
size_t mr_spectral_residual_bytes(uint32_t size);
void mr_spectral_residual_prepare(struct mr_spectral_residual *residual, void *memory);

/* numbers[size - MR_SPECTRAL_AHEAD], finite, the newest last; they are overwritten. */
struct mr_spectral_saliency mr_spectral_residual_judge(struct mr_spectral_residual *residual,
                                                       double *numbers);

#endif
