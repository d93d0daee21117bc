/* tests/unit/operators/test_calibration.c — thresholds and p-values from the key's own scores. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/calibration.h"
#include "tests/support/operator_harness.h"

/* The score of |value| is |value|: the mean stays 0 and the deviation 0, the floor is 1. */
static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.zscore, from: in, key: [k], field: value, warmup: 2, "
             "learn: never, sd_floor: 1, threshold: 1e9, %s}\n",
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

static void conformal_counts_the_last_scores(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "calibrate: {conformal: 20, rate: 0.1}");
    feed(&harness, 0);
    feed(&harness, 0);
    /* Nine scores: then a tenth of ten is one of them. */
    for (int score = 1; score <= 9; score++) {
        feed(&harness, score);
        assert_true(member(&harness, "threshold") == 1e9);
    }
    feed(&harness, 9);
    assert_true(member(&harness, "threshold") == 9);
    assert_true(member(&harness, "p_value") == 0.2);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    feed(&harness, 9.5);
    assert_true(member(&harness, "p_value") == 1.0 / 11);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_int_equal(harness.emitted_count[1], 1);
    assert_true(harness_field(&harness, 1, "threshold").number == 9);
    for (int round = 0; round < 20; round++)
        feed(&harness, 2 + 0.01 * round);
    harness_commit(&harness);
    harness_restore(&harness);
    /* Of the last twenty the second largest. */
    feed(&harness, 2);
    assert_true(member(&harness, "threshold") == 2.18);
    assert_true(member(&harness, "p_value") == 1);
    harness_close(&harness);
}

static void spot_finds_what_the_tail_does_not_explain(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_random random;
    mr_random_init(&random, 4, 0);
    open(&harness, "calibrate: {spot: {init: 500, level: 0.95, excesses: 100}, rate: 0.0001}");
    feed(&harness, 0);
    feed(&harness, 0);
    for (int round = 0; round < 500; round++)
        feed(&harness, -log(1 - mr_random_double(&random)));
    uint32_t anomalies = 0;
    for (int round = 0; round < 5000; round++) {
        feed(&harness, -log(1 - mr_random_double(&random)));
        anomalies += harness_member(&harness, "is_anomaly").boolean;
        if (round % 1000 == 0) {
            harness_commit(&harness);
            harness_restore(&harness);
        }
    }
    /* The true one is log(10000) = 9.21. */
    assert_true(anomalies <= 4);
    double found = member(&harness, "threshold");
    assert_true(found > 6.5 && found < 16);
    feed(&harness, 25);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_true(member(&harness, "p_value") < 1e-4);
    double threshold = member(&harness, "threshold");
    feed(&harness, 25);
    assert_true(member(&harness, "threshold") == threshold); /* anomalies are left out */
    harness_close(&harness);
}

static void equal_scores_are_never_calibrated_by_spot(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "calibrate: {spot: {init: 50, level: 0.9}, rate: 0.001}");
    for (int round = 0; round < 80; round++)
        feed(&harness, 0);
    assert_true(member(&harness, "threshold") == 1e9);
    harness_close(&harness);
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

static void what_cannot_be_told_is_refused(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("calibrate: {rate: 0.1}", "takes one of `conformal` and `spot`"));
    assert_true(refused("calibrate: {conformal: 500, rate: 0.001}", "cannot tell a rate of 0.001"));
    assert_true(refused("calibrate: {spot: {level: 0.9}, rate: 0.2}", "must be below 1 - level"));
    assert_true(refused("calibrate: {spot: {init: 60}, rate: 0.001}", "less than five"));
    assert_true(refused("calibrate: {conformal: 50}", "rate"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conformal_counts_the_last_scores),
        cmocka_unit_test(spot_finds_what_the_tail_does_not_explain),
        cmocka_unit_test(equal_scores_are_never_calibrated_by_spot),
        cmocka_unit_test(what_cannot_be_told_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
