/* tests/unit/operators/test_detect_forecast.c — detect.forecast: the recursion by hand, the start,
 * gaps, the bounded scale, stored bytes. Parity with statsmodels: tests/detectors. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/bounded_scale.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.forecast, from: in, key: [k], field: value, %s}\n",
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

static void feed_all(struct harness *harness, const double *values, size_t count)
{
    for (size_t index = 0; index < count; index++)
        feed(harness, values[index]);
}

static void assert_member(const struct harness *harness, const char *name, double expected)
{
    double found = harness_member(harness, name).number;
    if (!(fabs(found - expected) <= 1e-12 * (1 + fabs(expected))))
        fail_msg("%s is %.17g, not %.17g", name, found, expected);
}

static bool refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.forecast, from: in, key: [k], field: value, %s}\n",
             options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static const double rising[] = {10, 20, 12, 22};
static const char halves[] = "period: 2, alpha: 0.5, beta: 0.5, gamma: 0.5, warmup: 2";

static void an_additive_season(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, halves);
    feed_all(&harness, rising, 4);
    assert_int_equal(harness_member(&harness, "forecast").kind, MR_KIND_NULL);
    assert_text(harness_member(&harness, "state"), "learning");
    feed(&harness, 14); /* the line ends at 17.5 with slope 1; the season is -4.5, 4.5 */
    assert_member(&harness, "level", 17.5);
    assert_member(&harness, "trend", 1);
    assert_member(&harness, "season", -4.5);
    assert_member(&harness, "forecast", 14);
    assert_member(&harness, "residual", 0);
    feed(&harness, 26);
    assert_member(&harness, "forecast", 24);
    feed(&harness, 17.5); /* level 20.5, trend 1.5 */
    assert_member(&harness, "forecast", 17.5);
    assert_member(&harness, "score", 0);
    feed(&harness, 100);
    assert_member(&harness, "season", 5.5);
    assert_member(&harness, "forecast", 22 + 1.5 + 5.5);
    assert_member(&harness, "sd",
                  MR_BOUNDED_SCALE_SD * 1e-8 / 3); /* of 0, 2, 0; 2 counts as 1e-8 */
    harness_close(&harness);
}

static void a_multiplicative_season(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    const double start[] = {10, 30, 10, 30};
    open(&harness, "season: multiplicative, period: 2, alpha: 0.5, beta: 0.5, gamma: 0.5, "
                   "warmup: 2");
    feed_all(&harness, start, 4);
    feed(&harness, 12);
    assert_member(&harness, "season", 0.5);
    assert_member(&harness, "forecast", 10);
    feed(&harness, 34.5);
    assert_member(&harness, "level", 22);
    assert_member(&harness, "trend", 1);
    assert_member(&harness, "season", 1.5);
    assert_member(&harness, "forecast", 34.5);
    feed(&harness, -5); /* judged, not learned: the level goes on with its trend */
    assert_member(&harness, "season", 0.55);
    assert_member(&harness, "forecast", 24 * 0.55);
    feed(&harness, 1);
    assert_member(&harness, "forecast", 25 * 1.5);
    assert_int_equal(harness_member(&harness, "count").integer, 2);
    harness_close(&harness);
}

static void a_start_that_falls_below_zero_recovers(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "season: multiplicative, period: 4, warmup: 2");
    for (int round = 0; round < 4; round++)
        feed(&harness, 1e6);
    for (int round = 0; round < 5000; round++) {
        feed(&harness, 1e-6 * (1 + round % 4));
        assert_true(harness_member(&harness, "score").number >= 0);
    }
    assert_true(harness_member(&harness, "season").number > 0);
    assert_true(fabs(harness_member(&harness, "forecast").number) < 1e3);
    harness_close(&harness);
}

static void no_season(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "season: none");
    for (int round = 0; round < 51; round++)
        feed(&harness, round);
    assert_member(&harness, "forecast", 50);
    assert_member(&harness, "level", 49);
    assert_member(&harness, "trend", 1);
    assert_int_equal(harness_member(&harness, "season").kind, MR_KIND_NULL);
    assert_text(harness_member(&harness, "state"), "armed");
    feed(&harness, 60);
    assert_text(harness_member(&harness, "severity"), "critical");
    assert_non_null(strstr((const char *)mr_value_text(harness_member(&harness, "reason")).data,
                           "above the forecast 51"));
    harness_close(&harness);
}

static void what_is_not_learned_keeps_its_place(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, halves);
    feed_all(&harness, rising, 4);
    feed(&harness, 1e300);
    feed(&harness, 25);
    assert_member(&harness, "forecast", 17.5 + 2 + 4.5);
    feed(&harness, 15); /* level 20, trend 1.25 behind two steps from 17.5 */
    assert_member(&harness, "level", 20);
    assert_member(&harness, "trend", 0.5 * (20 - 18.5) + 0.5);
    harness_close(&harness);
    open(&harness, halves); /* a gap in the start: it begins anew */
    feed(&harness, 7);
    feed(&harness, 1e300);
    feed_all(&harness, rising, 4);
    feed(&harness, 14);
    assert_member(&harness, "forecast", 14);
    harness_close(&harness);
}

static void an_outlier_hardly_changes_the_scale(void **state)
{
    MR_UNUSED(state);
    struct mr_bounded_scale scale = {0};
    for (int round = 0; round < 1000; round++)
        mr_bounded_scale_learn(&scale, round % 2 == 0 ? 1 : -1, 0.01, 1e-9);
    assert_true(fabs(scale.mean - 1) < 1e-12);
    mr_bounded_scale_learn(&scale, -1e100, 0.01, 1e-9);
    assert_true(fabs(scale.mean - 1.09) < 1e-12);
    for (int round = 0; round < 3000; round++)
        mr_bounded_scale_learn(&scale, 0, 0.01, 1e-9);
    int rounds = 0;
    for (; scale.mean < 0.9; rounds++)
        mr_bounded_scale_learn(&scale, 1, 0.01, 1e-9);
    assert_in_range(rounds, 100, 500); /* and it comes back from nothing */
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("alpha: 0.3", "a season needs its length"));
    assert_true(refused("season: none, period: 4", "means nothing with `season: none`"));
    assert_true(refused("period: 4, alpha: 0.8, gamma: 0.3", "together must be at most 1"));
    assert_true(refused("period: 1", "period"));
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    static const char *const options[] = {"period: 18, warmup: 2",
                                          "season: multiplicative, period: 18, warmup: 2",
                                          "season: none, warmup: 2"};
    static const char *const names[] = {"detect_forecast_additive_v1",
                                        "detect_forecast_multiplicative_v1",
                                        "detect_forecast_none_v1"};
    for (size_t index = 0; index < MR_ARRAY_COUNT(names); index++) {
        struct harness harness;
        double forecast[2];
        open(&harness, options[index]);
        for (int round = 0; round < 45; round++)
            feed(&harness, 10 + round % 18);
        harness_commit(&harness);
        harness_check_golden(&harness, names[index]);
        feed(&harness, 1);
        forecast[0] = harness_member(&harness, "forecast").number;
        harness_close(&harness);
        open(&harness, options[index]);
        harness_load_golden(&harness, names[index]);
        feed(&harness, 1);
        forecast[1] = harness_member(&harness, "forecast").number;
        assert_memory_equal(&forecast[0], &forecast[1], sizeof(double));
        harness_close(&harness);
    }
}

static void another_period_is_refused(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "period: 19");
    harness_load_golden(&harness, "detect_forecast_additive_v1");
    struct harness_row row = harness_row(1, "a", mr_value_double(1));
    struct mr_error error;
    assert_int_equal(harness_try_feed(&harness, 0, &row, 1, &error), MR_VERSION);
    assert_non_null(strstr(error.message, "made with another `season` or `period`"));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_additive_season),
        cmocka_unit_test(a_multiplicative_season),
        cmocka_unit_test(a_start_that_falls_below_zero_recovers),
        cmocka_unit_test(no_season),
        cmocka_unit_test(what_is_not_learned_keeps_its_place),
        cmocka_unit_test(an_outlier_hardly_changes_the_scale),
        cmocka_unit_test(options_are_checked_across),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(another_period_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
