/* tests/unit/operators/test_detect_seasonal_esd.c — detect.seasonal_esd: the residuals by hand,
 * outliers in season, gaps, steps, stored bytes. The test itself: test_extreme_deviates.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.seasonal_esd, from: in, key: [k], field: value, %s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static void feed_key(struct harness *harness, const char *key, double value)
{
    static int64_t offset;
    struct harness_row row = harness_row(++offset, key, mr_value_double(value));
    harness_feed(harness, 0, &row, 1);
}

static void feed(struct harness *harness, double value)
{
    feed_key(harness, "a", value);
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
             "    - {name: op, type: detect.seasonal_esd, from: in, key: [k], field: value, %s}\n",
             options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

/* A season of 4 and some noise of period 7. */
static double season(int place)
{
    return 20 + 5 * (place % 4) + 0.1 * (place % 7);
}

static const char fours[] = "period: 4, periods: 5, step: 1";

static void the_season_is_a_median_of_medians(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "period: 4, periods: 3, step: 12");
    /* Medians 3, 13, 23; distances from them -2, -1, 1, 2, but once 100. */
    static const double values[12] = {1, 2, 4, 5, 11, 100, 14, 15, 21, 22, 24, 25};
    for (int place = 0; place < 12; place++)
        feed(&harness, values[place]);
    assert_text(harness_member(&harness, "state"), "learning");
    assert_int_equal(harness_member(&harness, "seasonal").kind, MR_KIND_NULL);
    feed(&harness, 30); /* of 11 14 15 100 the median is 14.5: -3.5 there; of the places -2 */
    assert_text(harness_member(&harness, "state"), "armed");
    assert_member(&harness, "seasonal", -2);
    assert_member(&harness, "median", 14.5);
    assert_member(&harness, "residual", 30 + 2 - 14.5);
    feed(&harness, 30);
    assert_member(&harness, "seasonal", -1);
    feed(&harness, 30);
    assert_member(&harness, "seasonal", 1);
    harness_close(&harness);
}

static void usual_values_at_unusual_times_are_found(void **state)
{
    MR_UNUSED(state);
    for (int hybrid = 0; hybrid < 2; hybrid++) {
        struct harness harness;
        char options[128];
        snprintf(options, sizeof(options), "%s, hybrid: %s", fours, hybrid == 1 ? "true" : "false");
        open(&harness, options);
        for (int place = 0; place < 60; place++) {
            feed(&harness, season(place));
            assert_true(harness_member(&harness, "score").number < 1.5);
        }
        feed(&harness, season(61));
        assert_true(harness_member(&harness, "score").number > (hybrid == 1 ? 3 : 1.3));
        assert_int_equal(harness_member(&harness, "outliers").integer, 1);
        assert_non_null(strstr((const char *)mr_value_text(harness_member(&harness, "reason")).data,
                               "with 1 outliers of 21 records"));
        harness_close(&harness);
    }
}

static void what_is_not_learned_is_put_in_as_expected(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, fours);
    for (int place = 0; place < 40; place++)
        feed(&harness, season(place));
    for (int place = 40; place < 43; place++)
        feed(&harness, 1e300);
    assert_true(harness_member(&harness, "score").number > 1e100);
    feed(&harness, season(43));
    assert_int_equal(harness_member(&harness, "count").integer, 40);
    feed(&harness, season(44));
    assert_int_equal(harness_member(&harness, "count").integer, 44);
    assert_true(harness_member(&harness, "score").number < 1.5);
    assert_true(fabs(harness_member(&harness, "residual").number) < 1);
    harness_close(&harness);
    open(&harness, fours); /* before there is a season: as the number before */
    feed(&harness, 7);
    feed(&harness, 1e300);
    for (int place = 0; place < 18; place++)
        feed(&harness, 7);
    assert_text(harness_member(&harness, "state"), "learning");
    feed(&harness, 7);
    assert_text(harness_member(&harness, "state"), "armed");
    assert_member(&harness, "residual", 0);
    harness_close(&harness);
}

static void a_gap_longer_than_the_window(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "period: 4, periods: 5, step: 3");
    for (int place = 0; place < 21; place++)
        feed(&harness, season(place));
    for (int place = 21; place < 61; place++)
        feed(&harness, 1e300);
    feed(&harness, season(61));
    feed(&harness, season(62));
    assert_int_equal(harness_member(&harness, "count").integer, 62);
    assert_true(fabs(harness_member(&harness, "residual").number) < 1);
    harness_close(&harness);
}

static void the_cache_changes_nothing(void **state)
{
    MR_UNUSED(state);
    enum { KEYS = 70 };
    struct harness many;
    struct harness one;
    static const char options[] = "period: 4, periods: 5, step: 7";
    open(&many, options);
    open(&one, options);
    for (int place = 0; place < 100; place++) {
        for (int key = 0; key < KEYS; key++) {
            char name[16];
            snprintf(name, sizeof(name), "k%d", key);
            feed_key(&many, name, season(place) * (key == KEYS - 1 ? 1 : key));
        }
        feed(&one, season(place));
        double scores[2] = {harness_member(&many, "score").number,
                            harness_member(&one, "score").number};
        assert_memory_equal(&scores[0], &scores[1], sizeof(double));
        if (place % 37 == 5) {
            harness_commit(&many);
            harness_restore(&many);
        }
    }
    harness_close(&many);
    harness_close(&one);
}

/* A key that is dropped and comes back with as many records finds nothing of its first life. */
static void a_second_life_is_its_own(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "period: 4, periods: 5, step: 7, state: {max_keys: 1}");
    for (int life = 0; life < 2; life++) {
        for (int place = 0; place < 21; place++)
            feed(&harness, season(place) + 1000 * life);
        assert_true(harness_member(&harness, "score").number < 1.5);
        assert_true(harness_member(&harness, "median").number > 1000 * life);
        feed_key(&harness, "b", 1); /* in the place of a */
    }
    harness_close(&harness);
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("period: 4, periods: 2", "makes a window of 8 records"));
    assert_true(refused("period: 2000", "makes a window of 10000 records"));
    assert_true(refused("period: 1600, max_anomalies: 0.49", "up to 3920 outliers"));
    assert_true(refused("step: 4", "period"));
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    double scores[2];
    for (int round = 0; round < 2; round++) {
        open(&harness, "period: 4, periods: 5, step: 7");
        for (int place = 0; round == 0 && place < 45; place++)
            feed(&harness, season(place));
        harness_commit(&harness);
        if (round == 0)
            harness_check_golden(&harness, "detect_seasonal_esd_v1");
        else
            harness_load_golden(&harness, "detect_seasonal_esd_v1");
        feed(&harness, 90);
        scores[round] = harness_member(&harness, "score").number;
        harness_close(&harness);
    }
    assert_true(scores[0] > 1);
    assert_memory_equal(&scores[0], &scores[1], sizeof(double));
    open(&harness, "period: 4, periods: 5, step: 8");
    harness_load_golden(&harness, "detect_seasonal_esd_v1");
    struct harness_row row = harness_row(1, "a", mr_value_double(1));
    struct mr_error error;
    assert_int_equal(harness_try_feed(&harness, 0, &row, 1, &error), MR_VERSION);
    assert_non_null(strstr(error.message, "made with another `period` or `periods` or `step`"));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_season_is_a_median_of_medians),
        cmocka_unit_test(usual_values_at_unusual_times_are_found),
        cmocka_unit_test(what_is_not_learned_is_put_in_as_expected),
        cmocka_unit_test(a_gap_longer_than_the_window),
        cmocka_unit_test(the_cache_changes_nothing),
        cmocka_unit_test(a_second_life_is_its_own),
        cmocka_unit_test(options_are_checked_across),
        cmocka_unit_test(stored_bytes_stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
