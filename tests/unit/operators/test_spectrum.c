/* tests/unit/operators/test_spectrum.c — the transform beside its definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/spectrum.h"

enum { SIZE_MAX_TESTED = 4096 };

static const double turn = 6.283185307179586476925;

static void roots_are_exact_to_some_places(void **state)
{
    MR_UNUSED(state);
    static struct mr_complex roots[SIZE_MAX_TESTED / 2];
    for (uint32_t size = 2; size <= SIZE_MAX_TESTED; size *= 2) {
        mr_spectrum_roots(size, roots);
        for (uint32_t place = 0; place < size / 2; place++) {
            assert_true(fabs(roots[place].real - cos(turn * place / size)) < 4e-15);
            assert_true(fabs(roots[place].imaginary + sin(turn * place / size)) < 4e-15);
        }
    }
}

static void the_transform_is_its_definition(void **state)
{
    MR_UNUSED(state);
    static struct mr_complex roots[64];
    struct mr_complex given[128];
    struct mr_complex found[128];
    struct mr_random random;
    mr_random_init(&random, 3, 0);
    for (uint32_t size = 2; size <= 128; size *= 2) {
        for (uint32_t place = 0; place < size; place++)
            given[place] =
                (struct mr_complex){mr_random_normal(&random), mr_random_normal(&random)};
        memcpy(found, given, sizeof(found));
        mr_spectrum_roots(size, roots);
        mr_spectrum_forward(size, roots, found);
        for (uint32_t place = 0; place < size; place++) {
            double real = 0;
            double imaginary = 0;
            for (uint32_t index = 0; index < size; index++) {
                double angle = -turn * (place * index % size) / size;
                real += given[index].real * cos(angle) - given[index].imaginary * sin(angle);
                imaginary += given[index].real * sin(angle) + given[index].imaginary * cos(angle);
            }
            assert_true(fabs(found[place].real - real) < 1e-12);
            assert_true(fabs(found[place].imaginary - imaginary) < 1e-12);
        }
    }
}

static void equal_numbers_have_no_spectrum(void **state)
{
    MR_UNUSED(state);
    static struct mr_complex roots[256];
    static struct mr_complex values[512];
    mr_spectrum_roots(512, roots);
    for (uint32_t place = 0; place < 512; place++)
        values[place] = (struct mr_complex){0.1, 0};
    mr_spectrum_forward(512, roots, values);
    assert_true(fabs(values[0].real - 51.2) < 1e-12);
    for (uint32_t place = 1; place < 512; place++)
        assert_true(values[place].real == 0 && values[place].imaginary == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_exact_to_some_places),
        cmocka_unit_test(the_transform_is_its_definition),
        cmocka_unit_test(equal_numbers_have_no_spectrum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
