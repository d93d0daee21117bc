/* tests/unit/operators/test_natural_log.c — natural_log.c beside libm, and known bits. */
#include "operators/natural_log.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"

/* The correctly rounded logarithms of these numbers, from 60 decimal digits. */
static void known_bits(void **state)
{
    MR_UNUSED(state);
    static const struct {
        double number;
        double log;
    } known[] = {
        {0x1.0000000000000p+0, 0x0.0p+0},
        {0x1.0000000000000p+1, 0x1.62e42fefa39efp-1},
        {0x1.0000000000000p-1, -0x1.62e42fefa39efp-1},
        {0x1.4000000000000p+3, 0x1.26bb1bbb55516p+1},
        {0x1.f400000000000p+9, 0x1.ba18a998fffa0p+2},
        {0x1.f400000000000p+8, 0x1.8dbc239b0b862p+2},
        {0x1.0624dd2f1a9fcp-10, -0x1.ba18a998fffa0p+2},
        {0x1.8000000000000p-1, -0x1.269621134db92p-2},
        {0x1.6a09e667f3bccp-1, -0x1.62e42fefa39f1p-2},
        {0x1.6a09e667f3bcdp-1, -0x1.62e42fefa39eep-2},
        {0x1.0000000000001p+0, 0x1.fffffffffffffp-53},
        {0x1.fffffffffffffp-1, -0x1.0000000000000p-53},
        {0x0.0000000000001p-1022, -0x1.74385446d71c3p+9},
        {0x1.0000000000000p-1022, -0x1.6232bdd7abcd2p+9},
        {0x1.fffffffffffffp+1023, 0x1.62e42fefa39efp+9},
        {0x1.9000000000000p+8, 0x1.7f7427b73e391p+2},
        {0x1.5798ee2308c3ap-27, -0x1.26bb1bbb55516p+4},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(known); index++)
        assert_true(mr_natural_log(known[index].number) == known[index].log);
}

/* libm errs by up to a unit in the last place, so that is what the two may differ by. */
static void near_libm(void **state)
{
    MR_UNUSED(state);
    struct mr_random random;
    mr_random_init(&random, 11, 0);
    uint32_t different = 0;
    enum { ROUNDS = 20000 };
    for (uint32_t round = 0; round < ROUNDS; round++) {
        double number = round % 2 == 0 ? 3 * mr_random_double(&random) + DBL_MIN
                                       : exp(1400 * mr_random_double(&random) - 700);
        double found = mr_natural_log(number);
        double expected = log(number);
        assert_true(fabs(found - expected) <= 2.3e-16 * fabs(expected));
        different += found != expected;
    }
    assert_true(different < ROUNDS / 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_bits),
        cmocka_unit_test(near_libm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
