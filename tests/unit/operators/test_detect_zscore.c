/* tests/unit/operators/test_detect_zscore.c — detect.zscore: scores, odd input, stored bytes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/detector_parity.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.zscore, from: in, key: [k], field: value%s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static void feed(struct harness *harness, double value)
{
    static int64_t offset;
    struct harness_row row = harness_row(++offset, "a", mr_value_double(value));
    harness_feed(harness, 0, &row, 1);
}

static double member(const struct harness *harness, const char *name)
{
    return harness_member(harness, name).number;
}

static bool refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.zscore, from: in, key: [k], field: value, %s}\n",
             options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static void the_score_is_taken_before_the_record_is_learned(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 4");
    const double first[] = {2, 4, 4, 6};
    for (size_t index = 0; index < MR_ARRAY_COUNT(first); index++) {
        feed(&harness, first[index]);
        assert_true(member(&harness, "score") == 0);
        assert_int_equal(harness_member(&harness, "count").integer, index);
    }
    /* mean 4, squares 8, sample sd sqrt(8/3) */
    feed(&harness, 10);
    assert_true(member(&harness, "mean") == 4);
    assert_true(fabs(member(&harness, "sd") - sqrt(8.0 / 3)) < 1e-15);
    assert_true(fabs(member(&harness, "score") - 6 / sqrt(8.0 / 3)) < 1e-14);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_text(harness_member(&harness, "severity"), "warning");
    assert_text(harness_member(&harness, "detector"), "detect.zscore");
    assert_text(harness_member(&harness, "reason"),
                "value is 10, 3.674 standard deviations above the mean 4 (sd 1.63299) of 4 earlier "
                "records; the threshold is 3");
    feed(&harness, 4);
    assert_true(member(&harness, "mean") == 5.2);
    harness_close(&harness);
}

static void keys_do_not_share_state(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2");
    feed(&harness, 1);
    feed(&harness, 2);
    struct harness_row other = harness_row(50, "b", mr_value_double(77));
    harness_feed(&harness, 0, &other, 1);
    assert_int_equal(harness_member(&harness, "count").integer, 0);
    harness_close(&harness);
}

static void a_constant_series_scores_against_the_floor(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 3, sd_floor: 0.5");
    for (int round = 0; round < 10; round++) {
        feed(&harness, 0.1);
        assert_true(member(&harness, "score") == 0);
    }
    feed(&harness, 2.1);
    assert_true(fabs(member(&harness, "score") - 4) < 1e-12);
    harness_close(&harness);
}

static void huge_numbers_are_scored_and_not_learned(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2");
    feed(&harness, 1);
    feed(&harness, 1);
    feed(&harness, 1e308);
    assert_true(member(&harness, "score") > 1e300);
    assert_true(isfinite(member(&harness, "score")));
    assert_text(harness_member(&harness, "severity"), "critical");
    feed(&harness, 1);
    assert_int_equal(harness_member(&harness, "count").integer, 2);
    assert_true(member(&harness, "score") == 0);
    harness_close(&harness);
}

static void bad_input_is_reported_and_not_learned(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    const struct mr_value bad[] = {
        {.kind = MR_KIND_ABSENT},
        mr_value_null(),
        mr_value_bool(true),
        mr_value_string(mr_slice_text("1")),
        mr_value_double((double)NAN),
        mr_value_double(-(double)INFINITY),
        mr_value_error(mr_slice_text("no int")),
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(bad); index++) {
        struct harness_row row = harness_row((int64_t)index, "a", bad[index]);
        harness_feed(&harness, 0, &row, 1);
    }
    assert_int_equal(harness.emitted_count[0], 0);
    assert_string_equal(harness_errors(&harness),
                        "@0 'field value is missing'\n"
                        "@1 'field value is null, not a number'\n"
                        "@2 'field value is bool, not a number'\n"
                        "@3 'field value is string, not a number'\n"
                        "@4 'field value is NaN, not a finite number'\n"
                        "@5 'field value is infinite, not a finite number'\n"
                        "@6 'field value: no int'\n");
    feed(&harness, 5);
    assert_int_equal(harness_member(&harness, "count").integer, 0);
    harness_close(&harness);
}

static void a_window_forgets_what_has_left_it(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2, window: {count: 20}");
    for (int round = 0; round < 33; round++)
        feed(&harness, round == 5 ? 1e12 : round % 2);
    /* The spike has left: its rounding error must not stay. */
    assert_true(member(&harness, "mean") == 0.5);
    assert_true(fabs(member(&harness, "sd") - sqrt(5.0 / 19)) < 1e-12);
    assert_int_equal(harness_member(&harness, "count").integer, 20);
    harness_close(&harness);
}

static void a_window_with_steps_moves_by_so_many(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness,
         ", warmup: 1, window: {count: 5, step: 3}, deviation: population, sd_floor: 0.5");
    feed(&harness, 0);
    assert_true(member(&harness, "score") == 0);
    feed(&harness, 1); /* one number: no deviation but the floor */
    assert_true(member(&harness, "score") == 2);
    assert_true(fabs(member(&harness, "p_value") - 0.04550026389635842) < 1e-16);
    for (int round = 2; round < 5; round++)
        feed(&harness, round);
    for (int round = 5; round < 8; round++) { /* the last of them moves the window */
        feed(&harness, round);
        assert_true(member(&harness, "mean") == 2);
        assert_true(fabs(member(&harness, "sd") - sqrt(2.0)) < 1e-15);
    }
    feed(&harness, 8);
    assert_true(member(&harness, "mean") == 5);
    assert_true(fabs(member(&harness, "score") - 3 / sqrt(2.0)) < 1e-14);
    assert_int_equal(harness_member(&harness, "count").integer, 5);
    harness_close(&harness);
}

static void the_score_grows_where_the_p_value_ends(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2, window: {count: 10, step: 2}");
    for (int round = 0; round < 10; round++)
        feed(&harness, round % 2);
    feed(&harness, 1e3);
    double score = member(&harness, "score");
    assert_true(member(&harness, "p_value") == 0);
    feed(&harness, 1e4);
    assert_true(member(&harness, "score") > 9 * score);
    harness_close(&harness);
}

static void only_windows_give_a_p_value(void **state)
{
    MR_UNUSED(state);
    static const char *const options[] = {"", ", decay: 0.1"};
    for (size_t index = 0; index < MR_ARRAY_COUNT(options); index++) {
        struct harness harness;
        open(&harness, options[index]);
        for (int round = 0; round < 40; round++)
            feed(&harness, round % 2);
        assert_int_equal(harness_member(&harness, "p_value").kind, MR_KIND_ABSENT);
        harness_close(&harness);
    }
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("decay: 0.1, window: {count: 50}", "exclude each other"));
    assert_true(refused("window: {count: 10}", "never ends in a window of 10"));
    assert_true(refused("window: {count: 50, step: 51}", "longer than the window of 50"));
    assert_true(refused("warmup: 0", "warmup"));
}

static void stored_state_of_another_mode_is_refused(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", decay: 0.1");
    harness_load_golden(&harness, "detect_zscore_all_v1");
    struct harness_row row = harness_row(1, "a", mr_value_double(1));
    struct mr_error error;
    assert_int_equal(harness_try_feed(&harness, 0, &row, 1, &error), MR_VERSION);
    assert_non_null(strstr(error.message, "another `decay` or `window`"));
    harness_close(&harness);
}

static void golden(const char *options, const char *name, double expected_mean)
{
    struct harness harness;
    open(&harness, options);
    for (int round = 0; round < 21; round++)
        feed(&harness, round * round);
    harness_commit(&harness);
    char versioned[64];
    snprintf(versioned, sizeof(versioned), "%s_v2", name);
    harness_check_golden(&harness, versioned);
    harness_close(&harness);
    for (int version = 1; version <= 2; version++) {
        snprintf(versioned, sizeof(versioned), "%s_v%d", name, version);
        open(&harness, options);
        harness_load_golden(&harness, versioned);
        feed(&harness, 1);
        assert_true(fabs(member(&harness, "mean") - expected_mean) < 1e-9);
        harness_close(&harness);
    }
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    double weighted = 0;
    double weights = 0;
    for (int round = 0; round < 21; round++) {
        weighted = 0.75 * weighted + round * round;
        weights = 0.75 * weights + 1;
    }
    golden(", warmup: 2", "detect_zscore_all", 2870.0 / 21);
    golden(", warmup: 2, decay: 0.25", "detect_zscore_decay", weighted / weights);
    golden(", warmup: 2, window: {count: 18}", "detect_zscore_window", (2870.0 - 5) / 18);
}

static void stored_steps_stay_readable(void **state)
{
    MR_UNUSED(state);
    static const char options[] = ", warmup: 2, window: {count: 17, step: 3}";
    struct harness harness;
    open(&harness, options);
    for (int round = 0; round < 21; round++)
        feed(&harness, round * round);
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_zscore_steps_v1");
    harness_close(&harness);
    open(&harness, options);
    harness_load_golden(&harness, "detect_zscore_steps_v1");
    for (int round = 21; round < 23; round++) { /* one is waiting: these two move the window */
        feed(&harness, round * round);
        assert_true(fabs(member(&harness, "mean") - (2470.0 - 5) / 17) < 1e-9); /* of 3 .. 19 */
    }
    feed(&harness, 1);
    assert_true(fabs(member(&harness, "mean") - (3795.0 - 55) / 17) < 1e-9); /* of 6 .. 22 */
    harness_close(&harness);
    open(&harness, ", warmup: 2, window: {count: 17, step: 4}");
    harness_load_golden(&harness, "detect_zscore_steps_v1");
    struct harness_row row = harness_row(1, "a", mr_value_double(1));
    struct mr_error error;
    assert_int_equal(harness_try_feed(&harness, 0, &row, 1, &error), MR_VERSION);
    harness_close(&harness);
}

static void scores_equal_the_reference(void **state)
{
    MR_UNUSED(state);
    detector_parity("detect.zscore", "warmup: 30", "zscore --warmup 30 --floor 1e-9", "mean", "sd");
    detector_parity("detect.zscore", "warmup: 5, decay: 0.03, sd_floor: 0.001",
                    "zscore --warmup 5 --floor 0.001 --decay 0.03", "mean", "sd");
    detector_parity("detect.zscore", "warmup: 10, window: {count: 100}, sd_floor: 0.001",
                    "zscore --warmup 10 --floor 0.001 --window 100", "mean", "sd");
    detector_parity("detect.zscore",
                    "warmup: 1, window: {count: 100, step: 7}, sd_floor: 0.001, deviation: "
                    "population",
                    "zscore --warmup 1 --floor 0.001 --window 100 --step 7 --population", "mean",
                    "sd");
    detector_parity("detect.zscore",
                    "warmup: 5, decay: 0.03, sd_floor: 0.001, deviation: population",
                    "zscore --warmup 5 --floor 0.001 --decay 0.03 --population", "mean", "sd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_score_is_taken_before_the_record_is_learned),
        cmocka_unit_test(keys_do_not_share_state),
        cmocka_unit_test(a_constant_series_scores_against_the_floor),
        cmocka_unit_test(huge_numbers_are_scored_and_not_learned),
        cmocka_unit_test(bad_input_is_reported_and_not_learned),
        cmocka_unit_test(a_window_forgets_what_has_left_it),
        cmocka_unit_test(a_window_with_steps_moves_by_so_many),
        cmocka_unit_test(the_score_grows_where_the_p_value_ends),
        cmocka_unit_test(only_windows_give_a_p_value),
        cmocka_unit_test(options_are_checked_across),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(stored_steps_stay_readable),
        cmocka_unit_test(stored_state_of_another_mode_is_refused),
        cmocka_unit_test(scores_equal_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
