/* operators/spectrum.c — see spectrum.h. */
#include "operators/spectrum.h"

#include <math.h>

#include "base/assert.h"

static struct mr_complex multiply(struct mr_complex a, struct mr_complex b)
{
    return (struct mr_complex){a.real * b.real - a.imaginary * b.imaginary,
                               a.real * b.imaginary + a.imaginary * b.real};
}

void mr_spectrum_roots(uint32_t size, struct mr_complex *roots)
{
    MR_ASSERT(size >= 2 && (size & (size - 1)) == 0);
    roots[0] = (struct mr_complex){1, 0};
    /* exp(-i pi), whose half turns are the roots at size / 4, size / 8, ... */
    struct mr_complex turn = {-1, 0};
    for (uint32_t place = size / 4; place > 0; place /= 2) {
        double cosine = place == size / 4 ? 0 : sqrt((1 + turn.real) / 2);
        double sine = place == size / 4 ? -1 : turn.imaginary / (2 * cosine);
        turn = (struct mr_complex){cosine, sine};
        roots[place] = turn;
    }
    for (uint32_t place = 1; place < size / 2; place++) {
        uint32_t highest = place;
        while ((highest & (highest - 1)) != 0)
            highest &= highest - 1;
        if (highest != place)
            roots[place] = multiply(roots[highest], roots[place - highest]);
    }
}

static void reverse_bits(uint32_t size, struct mr_complex *values)
{
    uint32_t reversed = 0;
    for (uint32_t place = 1; place < size; place++) {
        uint32_t bit = size / 2;
        for (; (reversed & bit) != 0; bit /= 2)
            reversed ^= bit;
        reversed |= bit;
        if (place < reversed) {
            struct mr_complex value = values[place];
            values[place] = values[reversed];
            values[reversed] = value;
        }
    }
}

void mr_spectrum_forward(uint32_t size, const struct mr_complex *roots, struct mr_complex *values)
{
    reverse_bits(size, values);
    for (uint32_t half = 1; half < size; half *= 2) {
        uint32_t stride = size / (2 * half);
        for (uint32_t first = 0; first < size; first += 2 * half)
            for (uint32_t place = 0; place < half; place++) {
                struct mr_complex *low = &values[first + place];
                struct mr_complex *high = low + half;
                struct mr_complex turned = multiply(*high, roots[place * stride]);
                *high =
                    (struct mr_complex){low->real - turned.real, low->imaginary - turned.imaginary};
                low->real += turned.real;
                low->imaginary += turned.imaginary;
            }
    }
}
