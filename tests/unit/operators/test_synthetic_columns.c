/* tests/unit/operators/test_synthetic_columns.c — synthetic_columns.c: shapes, coverage, validity,
 * and what has no score. The figures are sdmetrics 0.32.0's. */
#include "operators/synthetic_columns.h"

#include <float.h>

#include "tests/unit/operators/synthetic_fixture.h"

static struct mr_synthetic_column_scores score(struct fixture *fixture, uint32_t column)
{
    struct mr_synthetic_column_scores scores;
    mr_synthetic_column_score(&fixture->tables, column, &fixture->arena, &scores);
    return scores;
}

static void numbers_have_three_scores(void **state)
{
    (void)state;
    const double real[] = {1, 2, 3, 4, NAN};
    const double synthetic[] = {2, 3, 3, 9};
    struct fixture fixture;
    fixture_open(&fixture, 5, 4);
    fixture_numbers(&fixture, real, synthetic);
    struct mr_synthetic_column_scores scores = score(&fixture, 0);
    assert_near(scores.shape.score, 0.75);
    assert_near(scores.coverage.score, 1 - 1.0 / 3);
    assert_near(scores.validity.score, 0.75);
    assert_int_equal(scores.real_missing, 1);
    assert_int_equal(scores.synthetic_missing, 0);
    fixture_close(&fixture);
}

static void missing_ones_are_valid_only_where_real_ones_are_missing(void **state)
{
    (void)state;
    const double full[] = {1, 2};
    const double holey[] = {1, NAN};
    struct fixture fixture;
    fixture_open(&fixture, 2, 2);
    struct mr_synthetic_column *column = fixture_numbers(&fixture, full, holey);
    assert_near(score(&fixture, 0).validity.score, 0.5);
    column->nullable = 1;
    assert_near(score(&fixture, 0).validity.score, 1);
    column->maximum = 0.5;
    assert_near(score(&fixture, 0).validity.score, 0);
    fixture_close(&fixture);
}

static void extreme_numbers_give_scores(void **state)
{
    (void)state;
    const double real[] = {-DBL_MAX, DBL_MAX, -0.0, DBL_TRUE_MIN};
    const double synthetic[] = {-DBL_MAX, DBL_MAX / 2, 0.0, 1e300};
    struct fixture fixture;
    fixture_open(&fixture, 4, 4);
    fixture_numbers(&fixture, real, synthetic);
    struct mr_synthetic_column_scores scores = score(&fixture, 0);
    assert_near(scores.shape.score, 0.75);
    assert_near(scores.coverage.score, 0.75);
    assert_near(scores.validity.score, 1);
    fixture_close(&fixture);
}

static void doubles_are_rounded_to_14_decimals_and_whole_numbers_are_not(void **state)
{
    (void)state;
    const double real[] = {0.1, 0.2};
    const double synthetic[] = {0.1 + 1e-16, 0.2 + 1e-16};
    struct fixture fixture;
    fixture_open(&fixture, 2, 2);
    fixture_numbers(&fixture, real, synthetic);
    assert_near(score(&fixture, 0).shape.score, 1);
    fixture.types[0][0] = fixture.types[1][0] = MR_SYNTHETIC_TYPE_INT;
    assert_near(score(&fixture, 0).shape.score, 0.5);
    fixture_close(&fixture);
}

static void nothing_has_a_reason(void **state)
{
    (void)state;
    const double one[] = {3, 3};
    const double none[] = {NAN, NAN};
    struct fixture fixture;
    fixture_open(&fixture, 2, 2);
    fixture_numbers(&fixture, one, none);
    fixture_numbers(&fixture, none, one);
    struct mr_synthetic_column_scores scores = score(&fixture, 0);
    assert_true(isnan(scores.shape.score));
    assert_string_equal(scores.shape.why, "the synthetic column has no values");
    assert_true(isnan(scores.coverage.score));
    assert_near(scores.validity.score, 0);
    scores = score(&fixture, 1);
    assert_string_equal(scores.shape.why, "the real column has no values");
    assert_true(isnan(scores.shape.score) && isnan(scores.coverage.score));
    fixture_close(&fixture);
}

static void categories_have_three_scores(void **state)
{
    (void)state;
    const uint32_t real[] = {1, 1, 2, 3};
    const uint32_t synthetic[] = {1, 2, 4, 0};
    struct fixture fixture;
    fixture_open(&fixture, 4, 4);
    fixture_codes(&fixture, real, synthetic, 5);
    struct mr_synthetic_column_scores scores = score(&fixture, 0);
    double rows = 4 + 1e-6; /* a value that is new counts as 1e-6 real rows */
    double distance = fabs(1 / 3.0 - 2 / rows) + fabs(1 / 3.0 - 1 / rows) + 1 / rows +
                      fabs(1 / 3.0 - 1e-6 / rows);
    assert_near(scores.shape.score, 1 - distance / 2);
    assert_near(scores.coverage.score, 2 / 3.0);
    assert_near(scores.validity.score, 0.5);
    fixture_close(&fixture);
}

static void keys_are_unique(void **state)
{
    (void)state;
    const uint32_t real[] = {1, 2, 3, 4};
    const uint32_t synthetic[] = {5, 5, 6, 0};
    struct fixture fixture;
    fixture_open(&fixture, 4, 4);
    struct mr_synthetic_column *column = fixture_codes(&fixture, real, synthetic, 7);
    column->kind = MR_SYNTHETIC_ID;
    assert_null(score(&fixture, 0).validity.metric);
    column->is_key = true;
    struct mr_synthetic_column_scores scores = score(&fixture, 0);
    assert_string_equal(scores.validity.metric, "KeyUniqueness");
    assert_near(scores.validity.score, 0.5);
    assert_null(scores.shape.metric);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_three_scores),
        cmocka_unit_test(missing_ones_are_valid_only_where_real_ones_are_missing),
        cmocka_unit_test(extreme_numbers_give_scores),
        cmocka_unit_test(doubles_are_rounded_to_14_decimals_and_whole_numbers_are_not),
        cmocka_unit_test(nothing_has_a_reason),
        cmocka_unit_test(categories_have_three_scores),
        cmocka_unit_test(keys_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
