/* tests/unit/operators/test_zipf.c — frequencies beside the probabilities of the definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/zipf.h"

enum { DRAWS = 200000, SMALL = 20 };

/* Chi-square with SMALL - 1 degrees of freedom: 43.8 is exceeded once in a thousand times. */
static void frequencies_are_the_definitions(void **state)
{
    MR_UNUSED(state);
    static const double exponents[] = {0, 0.3, 0.999999999, 1, 1.000000001, 1.1, 2, 5};
    for (size_t at = 0; at < sizeof(exponents) / sizeof(exponents[0]); at++) {
        struct mr_zipf zipf;
        uint32_t counts[SMALL + 1] = {0};
        double sum = 0;
        double distance = 0;
        mr_zipf_init(&zipf, SMALL, exponents[at]);
        for (uint64_t number = 0; number < DRAWS; number++) {
            struct mr_random random;
            mr_random_init(&random, 5, number);
            uint64_t k = mr_zipf_draw(&zipf, &random);
            assert_in_range(k, 1, SMALL);
            counts[k]++;
        }
        for (int k = 1; k <= SMALL; k++)
            sum += pow(k, -exponents[at]);
        for (int k = 1; k <= SMALL; k++) {
            double expected = DRAWS * pow(k, -exponents[at]) / sum;
            distance += (counts[k] - expected) * (counts[k] - expected) / expected;
        }
        assert_true(distance < 43.8);
    }
}

static void ends_are_reached_and_never_passed(void **state)
{
    MR_UNUSED(state);
    static const uint64_t sizes[] = {1, 2, 1000000000, (uint64_t)1 << 53};
    for (size_t at = 0; at < sizeof(sizes) / sizeof(sizes[0]); at++)
        for (double exponent = 0; exponent <= MR_ZIPF_EXPONENT_MAX; exponent += 0.5) {
            struct mr_zipf zipf;
            bool first = false;
            mr_zipf_init(&zipf, sizes[at], exponent);
            for (uint64_t number = 0; number < 2000; number++) {
                struct mr_random random;
                mr_random_init(&random, 9, number);
                uint64_t k = mr_zipf_draw(&zipf, &random);
                assert_in_range(k, 1, sizes[at]);
                first = first || k == 1;
            }
            assert_true(first || exponent < 1);
        }
}

/* The mean of k over 1..n for exponent 0 is (n + 1) / 2. */
static void without_an_exponent_all_are_alike(void **state)
{
    MR_UNUSED(state);
    struct mr_zipf zipf;
    double sum = 0;
    mr_zipf_init(&zipf, 1000000, 0);
    for (uint64_t number = 0; number < DRAWS; number++) {
        struct mr_random random;
        mr_random_init(&random, 3, number);
        sum += (double)mr_zipf_draw(&zipf, &random);
    }
    assert_true(fabs(sum / DRAWS / 500000.5 - 1) < 0.006); /* over four standard errors */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frequencies_are_the_definitions),
        cmocka_unit_test(ends_are_reached_and_never_passed),
        cmocka_unit_test(without_an_exponent_all_are_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
