/* operators/spectral_residual.c — see spectral_residual.h. */
#include "operators/spectral_residual.h"

#include <math.h>

#include "base/assert.h"

static const double amplitude_least = 1e-13; /* of the greatest */

size_t mr_spectral_residual_bytes(uint32_t size)
{
    return (size / 2 + size) * sizeof(struct mr_complex) + size * sizeof(double);
}

void mr_spectral_residual_prepare(struct mr_spectral_residual *residual, void *memory)
{
    MR_ASSERT(residual->size > MR_SPECTRAL_AHEAD + residual->local);
    MR_ASSERT(residual->smooth >= 1 && residual->smooth <= MR_SPECTRAL_SMOOTH_MAX);
    residual->roots = memory;
    residual->values = residual->roots + residual->size / 2;
    residual->amplitudes = (double *)(residual->values + residual->size);
    mr_spectrum_roots(residual->size, residual->roots);
}

/* Bring the greatest number near 1. ldexp and frexp are exact. */
static void scale_numbers(double *numbers, uint32_t count)
{
    double greatest = 0;
    int exponent;
    for (uint32_t index = 0; index < count; index++)
        greatest = fabs(numbers[index]) > greatest ? fabs(numbers[index]) : greatest;
    frexp(greatest, &exponent);
    for (uint32_t index = 0; index < count; index++)
        numbers[index] = ldexp(numbers[index], -exponent);
}

/* What was to come: from the number before the newest, which may be odd itself, the mean slope
 * from those before it, over as many steps. */
static double estimate_of(const double *numbers, uint32_t count)
{
    const double *last = &numbers[count - 2];
    double slopes = 0;
    for (int back = 1; back <= MR_SPECTRAL_AHEAD; back++)
        slopes += (last[0] - last[-back]) / back;
    return last[1 - MR_SPECTRAL_AHEAD] + slopes;
}

/* The degree-th root of a number in (0, 1]: Newton from above, which falls until it has it. */
static double root_of(double number, uint32_t degree)
{
    int exponent;
    if (degree == 1)
        return number;
    frexp(number, &exponent);
    double root = ldexp(1, exponent / (int)degree);
    for (;;) {
        double power = root;
        for (uint32_t times = 2; times < degree; times++)
            power *= root;
        double next = root - (root - number / power) / degree;
        if (!(next < root))
            return root;
        root = next;
    }
}

/* Amplitudes over the greatest, amplitude_least at least; returns the greatest. */
static double make_amplitudes(struct mr_spectral_residual *residual)
{
    double greatest = 0;
    for (uint32_t place = 0; place < residual->size; place++) {
        struct mr_complex value = residual->values[place];
        double amplitude = sqrt(value.real * value.real + value.imaginary * value.imaginary);
        residual->amplitudes[place] = amplitude;
        greatest = amplitude > greatest ? amplitude : greatest;
    }
    for (uint32_t place = 0; greatest > 0 && place < residual->size; place++) {
        double share = residual->amplitudes[place] / greatest;
        residual->amplitudes[place] = share > amplitude_least ? share : amplitude_least;
    }
    return greatest;
}

/* exp(R + i P), conjugated: the transform of that is the inverse transform, conjugated. */
static void make_residuals(struct mr_spectral_residual *residual, double greatest)
{
    for (uint32_t place = 0; place < residual->size; place++) {
        uint32_t count = place + 1 < residual->smooth ? place + 1 : residual->smooth;
        double product = 1;
        for (uint32_t back = 0; back < count; back++)
            product *= residual->amplitudes[place - back];
        double factor = 1 / (greatest * root_of(product, count));
        if (residual->amplitudes[place] <= amplitude_least)
            factor = 0;
        residual->values[place].real *= factor;
        residual->values[place].imaginary *= -factor;
    }
}

static double saliency_at(const struct mr_spectral_residual *residual, uint32_t place)
{
    struct mr_complex value = residual->values[place];
    return sqrt(value.real * value.real + value.imaginary * value.imaginary) / residual->size;
}

struct mr_spectral_saliency mr_spectral_residual_judge(struct mr_spectral_residual *residual,
                                                       double *numbers)
{
    uint32_t count = residual->size - MR_SPECTRAL_AHEAD;
    struct mr_spectral_saliency found = {0};
    scale_numbers(numbers, count);
    double estimate = estimate_of(numbers, count);
    for (uint32_t place = 0; place < residual->size; place++)
        residual->values[place] = (struct mr_complex){place < count ? numbers[place] : estimate, 0};
    mr_spectrum_forward(residual->size, residual->roots, residual->values);
    double greatest = make_amplitudes(residual);
    if (!(greatest > 0))
        return found;
    make_residuals(residual, greatest);
    mr_spectrum_forward(residual->size, residual->roots, residual->values);
    for (uint32_t back = 1; back <= residual->local; back++)
        found.local += saliency_at(residual, count - 1 - back);
    found.local /= residual->local;
    found.newest = saliency_at(residual, count - 1);
    if (found.newest > found.local && found.local > 0)
        found.score = (found.newest - found.local) / found.local;
    return found;
}
