/* tests/unit/operators/test_root.c — roots of rising functions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/root.h"

static uint32_t calls;

static double cubic(const void *argument, double place)
{
    calls++;
    return place * place * place - *(const double *)argument;
}

static double jump(const void *argument, double place)
{
    calls++;
    return place < *(const double *)argument ? -1e300 : 1e-300;
}

static void a_smooth_function(void **state)
{
    MR_UNUSED(state);
    static const double cubes[] = {1e-9, 0.3, 8, 999};
    for (size_t index = 0; index < MR_ARRAY_COUNT(cubes); index++) {
        calls = 0;
        const struct mr_root_search exact = {5, 0.1, 0, 10, 0};
        assert_true(fabs(mr_root(cubic, &cubes[index], &exact) - cbrt(cubes[index])) < 1e-14);
        assert_true(calls < 200);
        calls = 0;
        const struct mr_root_search near = {cbrt(cubes[index]) * 1.01, 0.01, 0, 10, 1e-10};
        assert_true(fabs(mr_root(cubic, &cubes[index], &near) - cbrt(cubes[index])) < 1e-9);
        assert_true(calls < 20);
    }
}

static void a_jump(void **state)
{
    MR_UNUSED(state);
    const double place = 0.7;
    calls = 0;
    const struct mr_root_search search = {-1e6, 1, -1e6, 1e6, 0};
    assert_true(fabs(mr_root(jump, &place, &search) - place) < 1e-3);
    assert_true(calls <= 400);
}

static void one_sign(void **state)
{
    MR_UNUSED(state);
    const double low = -8;
    const double high = 1e6;
    const struct mr_root_search search = {3, 1, 0, 10, 0};
    const struct mr_root_search wider = {3, 1, -2, 10, 0};
    assert_true(mr_root(cubic, &low, &search) == 0);
    assert_true(mr_root(cubic, &high, &search) == 10);
    assert_true(mr_root(cubic, &low, &wider) == -2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_smooth_function),
        cmocka_unit_test(a_jump),
        cmocka_unit_test(one_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
