/* tests/unit/operators/test_synthetic_privacy.c — synthetic_privacy.c: copies, distances, random
 * rows, held-out rows, samples. */
#include "operators/synthetic_privacy.h"

#include "tests/unit/operators/synthetic_fixture.h"

static struct mr_synthetic_privacy
score(struct fixture *fixture, const struct mr_synthetic_table *holdout, uint32_t rows_max)
{
    struct mr_synthetic_privacy privacy;
    mr_synthetic_privacy_score(&fixture->tables, holdout, rows_max, &privacy);
    return privacy;
}

static void copies_are_counted(void **state)
{
    (void)state;
    const double real[] = {100, 200, NAN};
    const uint32_t codes[] = {1, 2, 0};
    const double synthetic[] = {100.9, 200, NAN, 200};
    const uint32_t synthetic_codes[] = {1, 2, 0, 1};
    struct fixture fixture;
    fixture_open(&fixture, 3, 4);
    struct mr_synthetic_column *number = fixture_numbers(&fixture, real, synthetic);
    fixture_codes(&fixture, codes, synthetic_codes, 3);
    struct mr_synthetic_privacy privacy = score(&fixture, NULL, 100);
    assert_int_equal(privacy.copies, 3);
    assert_near(privacy.new_rows.score, 0.25);
    number->is_left_out = true; /* the categories alone */
    assert_int_equal(score(&fixture, NULL, 100).copies, 4);
    fixture.columns[1].is_left_out = true;
    privacy = score(&fixture, NULL, 100);
    assert_true(isnan(privacy.new_rows.score));
    assert_string_equal(privacy.new_rows.why, "there are no columns to compare");
    fixture_close(&fixture);
}

static void distances_are_means_over_the_columns(void **state)
{
    (void)state;
    const double real[] = {0, 10};
    const uint32_t codes[] = {1, 2};
    const double synthetic[] = {1, 8, NAN};
    const uint32_t synthetic_codes[] = {1, 1, 2};
    struct fixture fixture;
    fixture_open(&fixture, 2, 3);
    fixture_numbers(&fixture, real, synthetic);
    fixture_codes(&fixture, codes, synthetic_codes, 3);
    /* (0.1 + 0) / 2, min((0.8 + 0) / 2, (0.2 + 1) / 2), (1 + 0) / 2 */
    assert_near(score(&fixture, NULL, 100).median, 0.4);
    fixture.columns[1].kind = MR_SYNTHETIC_ORDINAL; /* left out */
    assert_near(score(&fixture, NULL, 100).median, 0.2);
    fixture_close(&fixture);
}

static void held_out_rows_show_overfitting(void **state)
{
    (void)state;
    const double real[] = {0, 10, 20, 30};
    const double synthetic[] = {0, 10, 20, 31};
    const double held[] = {5, 15, 25, 31};
    const double *columns[] = {held};
    const uint32_t *codes[] = {NULL};
    struct fixture fixture;
    fixture_open(&fixture, 4, 4);
    fixture_numbers(&fixture, real, synthetic);
    struct mr_synthetic_table holdout = {4, columns, codes, fixture.types[0]};
    struct mr_synthetic_privacy privacy = score(&fixture, &holdout, 100);
    assert_string_equal(privacy.overfitting.metric, "DCROverfittingProtection");
    assert_near(privacy.closer_to_real, 0.75);
    assert_near(privacy.overfitting.score, 0.5);
    assert_null(score(&fixture, NULL, 100).overfitting.metric);
    fixture_close(&fixture);
}

static void random_rows_are_the_same_in_every_run(void **state)
{
    (void)state;
    enum { ROWS = 500 };
    static double real[ROWS];
    static double synthetic[ROWS];
    struct fixture fixture;
    for (int row = 0; row < ROWS; row++) {
        real[row] = row * 0.5;
        synthetic[row] = row * 0.5 + 0.25; /* as far as can be */
    }
    fixture_open(&fixture, ROWS, ROWS);
    fixture_numbers(&fixture, real, synthetic);
    struct mr_synthetic_privacy privacy = score(&fixture, NULL, ROWS);
    assert_near(privacy.baseline.score, 1);
    assert_true(privacy.random_median > 0 && privacy.random_median < privacy.median);
    assert_true(score(&fixture, NULL, ROWS).random_median == privacy.random_median);
    fixture.numbers[1][0] = real;
    assert_near(score(&fixture, NULL, ROWS).baseline.score, 0);
    fixture_close(&fixture);
}

static void many_rows_are_sampled(void **state)
{
    (void)state;
    enum { ROWS = 300 };
    static double numbers[ROWS];
    static uint32_t codes[ROWS];
    struct fixture fixture;
    for (int row = 0; row < ROWS; row++) {
        numbers[row] = row;
        codes[row] = 1 + (uint32_t)row % 2;
    }
    fixture_open(&fixture, ROWS, ROWS);
    fixture_numbers(&fixture, numbers, numbers);
    fixture_codes(&fixture, codes, codes, 3);
    struct mr_synthetic_privacy privacy = score(&fixture, NULL, 100);
    assert_int_equal(privacy.real_rows, 100);
    assert_int_equal(privacy.synthetic_rows, 100);
    assert_true(privacy.copies > 10 && privacy.copies < 100);
    assert_int_equal(score(&fixture, NULL, ROWS).copies, ROWS);
    fixture_close(&fixture);
}

static void empty_tables_have_a_reason(void **state)
{
    (void)state;
    const double number[] = {1};
    struct fixture fixture;
    fixture_open(&fixture, 0, 1);
    fixture_numbers(&fixture, number, number);
    struct mr_synthetic_privacy privacy = score(&fixture, NULL, 100);
    assert_true(isnan(privacy.baseline.score));
    assert_string_equal(privacy.baseline.why, "one of the tables has no rows");
    assert_near(privacy.new_rows.score, 1);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_counted),
        cmocka_unit_test(distances_are_means_over_the_columns),
        cmocka_unit_test(held_out_rows_show_overfitting),
        cmocka_unit_test(random_rows_are_the_same_in_every_run),
        cmocka_unit_test(many_rows_are_sampled),
        cmocka_unit_test(empty_tables_have_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
