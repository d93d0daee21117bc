/* tests/unit/operators/test_synthetic_pairs.c — synthetic_pairs.c: correlations, combinations,
 * which pairs count, edges of bins, and what has no score. */
#include "operators/synthetic_pairs.h"

#include <float.h>

#include "tests/unit/operators/synthetic_fixture.h"

static struct mr_synthetic_pair_score only_pair(struct fixture *fixture)
{
    uint32_t count;
    struct mr_synthetic_pair_score *pairs =
        mr_synthetic_pairs_score(&fixture->tables, &fixture->arena, &count);
    assert_int_equal(count, 1);
    return pairs[0];
}

static void correlations_are_compared(void **state)
{
    (void)state;
    const double up[] = {1, 2, 3, 4, NAN, 7};
    const double line[] = {2, 4, 6, 8, 1, NAN};
    const double down[] = {4, 3, 2, 1, 5, NAN};
    struct fixture fixture;
    fixture_open(&fixture, 6, 6);
    fixture_numbers(&fixture, up, up);
    fixture_numbers(&fixture, line, down);
    struct mr_synthetic_pair_score pair = only_pair(&fixture);
    assert_string_equal(pair.score.metric, "CorrelationSimilarity");
    assert_near(pair.real, 1);
    assert_near(pair.synthetic, -1);
    assert_near(pair.score.score, 0);
    assert_true(pair.counts);
    fixture_close(&fixture);
}

static void extreme_numbers_correlate(void **state)
{
    (void)state;
    const double large[] = {-DBL_MAX, 0, DBL_MAX};
    const double small[] = {-DBL_TRUE_MIN, 0, DBL_TRUE_MIN};
    struct fixture fixture;
    fixture_open(&fixture, 3, 3);
    fixture_numbers(&fixture, large, large);
    fixture_numbers(&fixture, small, small);
    assert_near(only_pair(&fixture).real, 1);
    assert_near(only_pair(&fixture).score.score, 1);
    fixture_close(&fixture);
}

static void constant_columns_have_a_reason(void **state)
{
    (void)state;
    const double numbers[] = {1, 2, 3};
    const double constant[] = {5, NAN, 5};
    const double apart[] = {NAN, 4, NAN};
    struct fixture fixture;
    fixture_open(&fixture, 3, 3);
    fixture_numbers(&fixture, numbers, constant);
    fixture_numbers(&fixture, numbers, numbers);
    struct mr_synthetic_pair_score pair = only_pair(&fixture);
    assert_true(isnan(pair.score.score) && !pair.counts);
    assert_string_equal(pair.score.why, "a synthetic column is constant");
    fixture.numbers[1][0] = numbers;
    fixture.numbers[0][0] = apart;
    assert_string_equal(only_pair(&fixture).score.why, "a real column is constant");
    fixture_close(&fixture);
}

static void combinations_are_compared(void **state)
{
    (void)state;
    const uint32_t real[] = {1, 1, 2, 2};
    const uint32_t other[] = {1, 1, 2, 2};
    const uint32_t crossed[] = {1, 2, 1, 0};
    struct fixture fixture;
    fixture_open(&fixture, 4, 4);
    fixture_codes(&fixture, real, real, 3);
    fixture_codes(&fixture, other, crossed, 3);
    struct mr_synthetic_pair_score pair = only_pair(&fixture);
    assert_string_equal(pair.score.metric, "ContingencySimilarity");
    assert_near(pair.association, 1);
    assert_near(pair.score.score, 0.25);
    assert_true(pair.counts);
    fixture_close(&fixture);
}

static void independent_columns_do_not_count(void **state)
{
    (void)state;
    const uint32_t one[] = {1, 1, 2, 2};
    const uint32_t two[] = {1, 2, 1, 2};
    const uint32_t constant[] = {1, 1, 1, 1};
    struct fixture fixture;
    fixture_open(&fixture, 4, 4);
    fixture_codes(&fixture, one, one, 3);
    fixture_codes(&fixture, two, two, 3);
    assert_near(only_pair(&fixture).association, 0);
    assert_near(only_pair(&fixture).score.score, 1);
    assert_false(only_pair(&fixture).counts);
    fixture.codes[0][1] = constant;
    assert_true(isnan(only_pair(&fixture).association));
    assert_near(only_pair(&fixture).score.score, 0.5);
    fixture_close(&fixture);
}

/* Each table has bins of its own: shifted numbers are as good as the real ones. */
static void numbers_are_binned_beside_categories(void **state)
{
    (void)state;
    const double real[] = {0, 1, 9, 10};
    const double shifted[] = {100, 101, 109, NAN};
    const uint32_t codes[] = {1, 1, 2, 2};
    struct fixture fixture;
    fixture_open(&fixture, 4, 4);
    fixture_numbers(&fixture, real, real);
    fixture_codes(&fixture, codes, codes, 3);
    assert_near(only_pair(&fixture).score.score, 1);
    fixture.numbers[1][0] = shifted;
    /* 109 is the highest of its own table now, in one bin with the missing one. */
    assert_near(only_pair(&fixture).score.score, 0.75);
    fixture_close(&fixture);
}

static void edges_span_the_numbers(void **state)
{
    (void)state;
    const double numbers[] = {2, NAN, 12, 7};
    const double same[] = {3, 3};
    const double none[] = {NAN};
    const double extremes[] = {-DBL_MAX, DBL_MAX};
    double edges[MR_SYNTHETIC_BINS + 1];
    mr_synthetic_edges(numbers, 4, edges);
    for (int edge = 0; edge <= MR_SYNTHETIC_BINS; edge++)
        assert_near(edges[edge], 2 + edge);
    mr_synthetic_edges(same, 2, edges);
    assert_near(edges[0], 2.5);
    assert_near(edges[MR_SYNTHETIC_BINS], 3.5);
    mr_synthetic_edges(none, 1, edges);
    assert_near(edges[MR_SYNTHETIC_BINS], 1);
    mr_synthetic_edges(extremes, 2, edges);
    for (int edge = 0; edge <= MR_SYNTHETIC_BINS; edge++)
        assert_true(isfinite(edges[edge]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(correlations_are_compared),
        cmocka_unit_test(extreme_numbers_correlate),
        cmocka_unit_test(constant_columns_have_a_reason),
        cmocka_unit_test(combinations_are_compared),
        cmocka_unit_test(independent_columns_do_not_count),
        cmocka_unit_test(numbers_are_binned_beside_categories),
        cmocka_unit_test(edges_span_the_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
