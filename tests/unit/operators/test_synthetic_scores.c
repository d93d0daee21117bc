/* tests/unit/operators/test_synthetic_scores.c — synthetic_scores.c: the means. */
#include "operators/synthetic_scores.h"

#include "tests/unit/operators/synthetic_fixture.h"

static void means_leave_out_what_has_no_score(void **state)
{
    (void)state;
    const double numbers[] = {1, 2, 3, 4};
    const double none[] = {NAN, NAN, NAN, NAN};
    const uint32_t codes[] = {1, 1, 2, 2};
    const uint32_t others[] = {1, 2, 2, 2};
    const struct mr_synthetic_score formats[FIXTURE_COLUMNS] = {
        [2] = {"DatetimeFormatAdherence", NULL, 0.5}};
    struct mr_synthetic_scores scores;
    struct fixture fixture;
    fixture_open(&fixture, 4, 4);
    fixture_numbers(&fixture, numbers, numbers);
    fixture_numbers(&fixture, numbers, none);
    fixture_codes(&fixture, codes, others, 3);
    fixture.types[1][1] = MR_SYNTHETIC_TYPE_INT;
    mr_synthetic_score(&fixture.tables, formats, &fixture.arena, &scores);
    assert_near(scores.shapes, (1 + 0.75) / 2);
    assert_near(scores.coverage, 1);
    assert_near(scores.validity, (1 + 0 + 1 + 0.5) / 4);
    assert_near(scores.structure, 0.5); /* two alike of four */
    assert_near(scores.diagnostic, (scores.validity + 0.5) / 2);
    assert_int_equal(scores.pairs_count, 3);
    assert_int_equal(scores.pairs_counted, 2); /* each numeric column with the category */
    assert_near(scores.trends, (0.75 + 0.25) / 2);
    assert_near(scores.all_trends, scores.trends);
    assert_near(scores.quality, (scores.shapes + scores.trends) / 2);
    fixture_close(&fixture);
}

static void a_mean_of_nothing_is_left_out(void **state)
{
    (void)state;
    const double numbers[] = {1, 2};
    struct mr_synthetic_scores scores;
    struct fixture fixture;
    fixture_open(&fixture, 2, 2);
    fixture_numbers(&fixture, numbers, numbers);
    mr_synthetic_score(&fixture.tables, NULL, &fixture.arena, &scores);
    assert_int_equal(scores.pairs_count, 0);
    assert_true(isnan(scores.trends));
    assert_near(scores.quality, 1);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_leave_out_what_has_no_score),
        cmocka_unit_test(a_mean_of_nothing_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
