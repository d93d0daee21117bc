/* tests/unit/operators/test_sample_distance.c — distances that can be worked out by hand. */
#include "operators/sample_distance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"

static bool is_near(double one, double other)
{
    return fabs(one - other) < 1e-12;
}

static void numbers_have_a_distance(void **state)
{
    MR_UNUSED(state);
    static const struct mr_marginal none = {0};
    static const struct mr_marginal steps = {2, {{1, 1, 3}, {2, 2, 1}}};
    static const struct mr_marginal flat = {1, {{0, 10, 7}}};
    static const struct mr_marginal moved = {1, {{5, 15, 1}}};
    static const struct mr_marginal far = {1, {{1e100, 1e140, 1e-3}}};
    assert_true(mr_sample_distance_numbers(&none, &none) == 0);
    assert_true(mr_sample_distance_numbers(&none, &flat) == 1);
    assert_true(mr_sample_distance_numbers(&flat, &flat) == 0);
    assert_true(is_near(mr_sample_distance_numbers(&flat, &moved), 0.5));
    assert_true(is_near(mr_sample_distance_numbers(&moved, &flat), 0.5));
    /* Just at 2 all of the steps are passed and a fifth of the other. */
    assert_true(is_near(mr_sample_distance_numbers(&steps, &flat), 0.8));
    assert_true(is_near(mr_sample_distance_numbers(&flat, &far), 1));
}

static void texts_have_a_distance(void **state)
{
    MR_UNUSED(state);
    struct mr_copula_texts one = {0};
    struct mr_copula_texts other = {0};
    assert_true(mr_sample_distance_texts(&one, &other) == 0);
    (void)mr_copula_text_number(&one, mr_slice_text("a"));
    (void)mr_copula_text_number(&one, mr_slice_text("b"));
    one.weights[0] = 3;
    one.weights[1] = 1;
    assert_true(mr_sample_distance_texts(&one, &other) == 1);
    (void)mr_copula_text_number(&other, mr_slice_text("b"));
    (void)mr_copula_text_number(&other, mr_slice_text("c"));
    other.weights[0] = 1;
    other.weights[1] = 1;
    assert_true(is_near(mr_sample_distance_texts(&one, &other), 0.75));
    assert_true(is_near(mr_sample_distance_texts(&other, &one), 0.75));
    assert_true(is_near(mr_sample_text_share(&one, mr_slice_text("b")), 0.25));
    assert_true(mr_sample_text_share(&one, mr_slice_text("c")) == 0);
}

static void quantiles_are_found(void **state)
{
    MR_UNUSED(state);
    static const struct mr_marginal none = {0};
    static const struct mr_marginal mixed = {3, {{1, 1, 2}, {2, 2, 0}, {4, 8, 2}}};
    assert_true(mr_sample_quantile(&none, 0.5) == 0);
    assert_true(mr_sample_quantile(&mixed, 0) == 1);
    assert_true(mr_sample_quantile(&mixed, 0.5) == 1);
    assert_true(mr_sample_quantile(&mixed, 0.75) == 6);
    assert_true(mr_sample_quantile(&mixed, 1) == 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_a_distance),
        cmocka_unit_test(texts_have_a_distance),
        cmocka_unit_test(quantiles_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
