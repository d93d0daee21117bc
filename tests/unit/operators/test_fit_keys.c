/* tests/unit/operators/test_fit_keys.c — exponents that zipf.h draws with are found again. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "operators/fit_keys.h"
#include "operators/zipf.h"

enum { DRAWS = 50000, KEYS = 100 };

static uint64_t hashes[DRAWS];

static void exponents_are_found(void **state)
{
    MR_UNUSED(state);
    static const double exponents[] = {0, 0.5, 1, 1.5, 3};
    for (size_t at = 0; at < MR_ARRAY_COUNT(exponents); at++) {
        struct mr_zipf zipf;
        struct mr_random random;
        struct mr_fit_keys found;
        mr_zipf_init(&zipf, KEYS, exponents[at]);
        mr_random_init(&random, 11, at);
        for (int draw = 0; draw < DRAWS; draw++) {
            uint64_t key = mr_zipf_draw(&zipf, &random);
            hashes[draw] = mr_hash64(mr_slice_from((const uint8_t *)&key, sizeof(key)));
        }
        mr_fit_keys(hashes, DRAWS, &found);
        assert_true(fabs(found.exponent - exponents[at]) < 0.07);
        assert_in_range(found.count, exponents[at] > 2 ? 30 : KEYS, KEYS);
    }
}

static void few_keys_have_no_skew(void **state)
{
    MR_UNUSED(state);
    struct mr_fit_keys found;
    uint64_t few[] = {7, 7, 7, 7};
    mr_fit_keys(few, 0, &found);
    assert_int_equal(found.count, 0);
    assert_true(found.exponent == 0);
    mr_fit_keys(few, 4, &found);
    assert_int_equal(found.count, 1);
    assert_true(found.exponent == 0);
    uint64_t even[] = {7, 9, 7, 9};
    mr_fit_keys(even, 4, &found);
    assert_int_equal(found.count, 2);
    assert_true(found.exponent < 1e-6);
    uint64_t steep[DRAWS / 10];
    for (size_t at = 0; at < MR_ARRAY_COUNT(steep); at++)
        steep[at] = at == 0;
    mr_fit_keys(steep, MR_ARRAY_COUNT(steep), &found);
    assert_true(found.exponent > 9.9 && found.exponent <= MR_ZIPF_EXPONENT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponents_are_found),
        cmocka_unit_test(few_keys_have_no_skew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
