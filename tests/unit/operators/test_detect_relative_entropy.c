/* tests/unit/operators/test_detect_relative_entropy.c — detect.relative_entropy: windows by hand,
 * ranges that are given, learned and empty, stored bytes. */
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
    snprintf(
        text, sizeof(text),
        "    - {name: op, type: detect.relative_entropy, from: in, key: [k], field: value%s}\n",
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
             "    - {name: op, type: detect.relative_entropy, from: in, key: [k], field: value, "
             "%s}\n",
             options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

/* Three bins: up to 0, up to 1, above. chi-square exceeds 9.21034 with probability 0.01. */
static const char by_hand[] =
    ", bins: 3, window: {count: 4}, range: {minimum: 0, maximum: 3}, warmup: 2";

static void a_window_of_a_new_kind_is_told_once(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, by_hand);
    for (int round = 0; round < 4; round++) {
        feed(&harness, 0.5);
        assert_true(member(&harness, "score") == 0);
        assert_int_equal(harness_member(&harness, "statistic").kind, MR_KIND_NULL);
    }
    feed(&harness, 0.7);
    assert_true(member(&harness, "score") == 0);
    assert_true(member(&harness, "p_value") == 1);
    assert_int_equal(harness_member(&harness, "hypotheses").integer, 1);
    feed(&harness, 2); /* 0 3 1 against 0 4 0, that is 0.5 4.5 0.5 of 5.5 */
    double expected = 9.21034037 + 2 * (3 * log(0.75 * 5.5 / 4.5) + log(0.25 * 5.5 / 0.5));
    assert_true(fabs(member(&harness, "statistic") - expected) < 1e-6);
    assert_true(fabs(member(&harness, "score") - expected / 9.21034037) < 1e-6);
    assert_true(member(&harness, "p_value") < 0.01);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_text(harness_member(&harness, "reason"),
                "the last 4 numbers of value, with 2 at their end, are spread unlike the 1 kinds "
                "of windows before: the statistic to the nearest is 10.71, 1.163 times the "
                "critical value 9.21; the threshold is 1");
    for (int round = 0; round < 12; round++) { /* 0 3 1 and 0 4 0 are known */
        feed(&harness, round == 6 ? 2 : 0.5);
        assert_true(member(&harness, "score") == 0);
        assert_int_equal(harness_member(&harness, "hypotheses").integer, 2);
    }
    harness_close(&harness);
}

static void a_statistic_that_is_finite_may_reject_too(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", bins: 3, window: {count: 20}, range: {minimum: 0, maximum: 3}, warmup: 2, "
                   "learn: never");
    for (int round = 0; round < 20; round++)
        feed(&harness, round == 0 ? 2 : 0.5);  /* 0 19 1 */
    for (int round = 0; round < 20; round++) { /* not learned: each takes the place of the 2 */
        feed(&harness, 2);
        assert_true(member(&harness, "score") == 0);
    }
    harness_close(&harness);
    open(&harness, ", bins: 3, window: {count: 20}, range: {minimum: 0, maximum: 3}, warmup: 20");
    for (int round = 0; round < 20; round++)
        feed(&harness, round == 0 ? 2 : 0.5);
    for (int twos = 1; twos <= 5; twos++) {
        feed(&harness, 2); /* one 2 has left: 0 20-twos twos */
        double expected = 2 * (twos * log(twos) + (20 - twos) * log((20 - twos) / 19.0));
        assert_true(fabs(member(&harness, "statistic") - expected) < 1e-12);
        assert_int_equal(harness_member(&harness, "is_anomaly").boolean, expected > 9.21034);
    }
    assert_int_equal(harness_member(&harness, "hypotheses").integer, 1);
    harness_close(&harness);
}

static void the_first_records_give_the_range(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", window: {count: 10}, range: {records: 20}, warmup: 2");
    for (int round = 0; round < 20; round++) { /* a saw tooth: its windows are one kind */
        feed(&harness, round % 5);
        assert_text(harness_member(&harness, "state"), "learning");
        assert_int_equal(harness_member(&harness, "hypotheses").integer, 0);
    }
    for (int round = 0; round < 20; round++) {
        feed(&harness, round % 5);
        assert_text(harness_member(&harness, "state"), "armed");
        assert_true(member(&harness, "score") == 0);
        assert_int_equal(harness_member(&harness, "hypotheses").integer, 1);
    }
    int anomalies = 0;
    for (int round = 0; round < 10; round++) { /* in the last bin, as 3 and 4 are */
        feed(&harness, 1e139);
        anomalies += harness_member(&harness, "is_anomaly").boolean;
    }
    assert_int_equal(anomalies, 1);
    assert_int_equal(harness_member(&harness, "hypotheses").integer, 2);
    harness_close(&harness);
}

static void a_range_of_one_number_tells_what_lies_beside(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", window: {count: 10}, range: {records: 30}, warmup: 2");
    for (int round = 0; round < 60; round++) {
        feed(&harness, 7.25);
        assert_true(member(&harness, "score") == 0);
    }
    feed(&harness, 7.250001);
    assert_true(member(&harness, "score") > 1);
    for (int round = 0; round < 10; round++)
        feed(&harness, 7.25);
    assert_true(member(&harness, "score") == 0);
    feed(&harness, -1e308);
    assert_true(member(&harness, "score") > 1 && isfinite(member(&harness, "score")));
    harness_close(&harness);
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("range: {minimum: 1}", "takes `minimum` and `maximum` together"));
    assert_true(refused("range: {minimum: 1, maximum: 1}", "the minimum must be below"));
    assert_true(refused("range: {minimum: 1, maximum: 2, records: 9}", "takes either"));
    assert_true(refused("range: {}", "range"));
    assert_true(refused("bins: 2", "bins"));
}

static const char stored[] =
    ", bins: 4, window: {count: 5}, range: {records: 9}, hypotheses: 3, warmup: 2";

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, stored);
    for (int round = 0; round < 30; round++)
        feed(&harness, round * round % 8);
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_relative_entropy_v1");
    for (int round = 30; round < 33; round++)
        feed(&harness, round * round % 9);
    double score = member(&harness, "score");
    assert_true(score > 0);
    harness_close(&harness);
    open(&harness, stored);
    harness_load_golden(&harness, "detect_relative_entropy_v1");
    for (int round = 30; round < 33; round++)
        feed(&harness, round * round % 9);
    assert_true(fabs(member(&harness, "score") - score) == 0);
    assert_int_equal(harness_member(&harness, "count").integer, 32);
    harness_close(&harness);
}

static void state_of_other_windows_is_refused(void **state)
{
    MR_UNUSED(state);
    static const char *const options[] = {
        ", bins: 5, window: {count: 5}, range: {records: 9}, hypotheses: 3, warmup: 2",
        ", bins: 4, window: {count: 6}, range: {records: 9}, hypotheses: 3, warmup: 2",
        ", bins: 4, window: {count: 5}, range: {records: 8}, hypotheses: 3, warmup: 2",
        ", bins: 4, window: {count: 5}, range: {records: 9}, hypotheses: 4, warmup: 2",
        ", bins: 4, window: {count: 9}, range: {minimum: 0, maximum: 7}, hypotheses: 3, warmup: 2",
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(options); index++) {
        struct harness harness;
        open(&harness, options[index]);
        harness_load_golden(&harness, "detect_relative_entropy_v1");
        struct harness_row row = harness_row(1, "a", mr_value_double(1));
        struct mr_error error;
        assert_int_equal(harness_try_feed(&harness, 0, &row, 1, &error), MR_VERSION);
        assert_non_null(strstr(error.message, "made with another `bins` or `window` or `range` or "
                                              "`hypotheses`"));
        harness_close(&harness);
    }
}

/* Critical values rounded to 2^-20, as ours are. */
static void scores_equal_the_reference(void **state)
{
    MR_UNUSED(state);
    detector_parity("detect.relative_entropy", "warmup: 52, range: {records: 100}",
                    "relative_entropy --warmup 52 --window 52 --critical 13.276703834533691 "
                    "--hypotheses 64 --range-records 100",
                    "statistic", "score");
    detector_parity("detect.relative_entropy",
                    "warmup: 10, range: {minimum: -5, maximum: 20}, bins: 8, window: {count: 17}, "
                    "significance: 0.001, hypotheses: 3",
                    "relative_entropy --warmup 10 --window 17 --bins 8 --range -5 20 --critical "
                    "24.32188606262207 --hypotheses 3",
                    "statistic", "score");
    detector_parity("detect.relative_entropy",
                    "warmup: 10, range: {records: 20}, bins: 3, window: {count: 30}, "
                    "significance: 0.05, hypotheses: 2",
                    "relative_entropy --warmup 10 --window 30 --bins 3 --range-records 20 "
                    "--critical 5.991464614868164 --hypotheses 2",
                    "statistic", "score");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_of_a_new_kind_is_told_once),
        cmocka_unit_test(a_statistic_that_is_finite_may_reject_too),
        cmocka_unit_test(the_first_records_give_the_range),
        cmocka_unit_test(a_range_of_one_number_tells_what_lies_beside),
        cmocka_unit_test(options_are_checked_across),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(state_of_other_windows_is_refused),
        cmocka_unit_test(scores_equal_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
