/* tests/unit/operators/test_detect_spot.c — detect.spot: what it says of an anomaly, what it
 * refuses, its stored bytes. The mathematics has its own test (test_spot.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static const char golden_options[] = ", init: 50, level: 0.8, excesses: 20, rate: 0.01";

static int64_t offset;

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.spot, from: in, key: [k], field: value%s}\n", options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
    offset = 0;
}

static double feed(struct harness *harness, double value)
{
    struct harness_row row = harness_row(++offset, "one", mr_value_double(value));
    harness_feed(harness, 0, &row, 1);
    return harness_member(harness, "score").number;
}

static void feed_many(struct harness *harness, int rounds)
{
    struct mr_random random;
    mr_random_init(&random, 1, 0);
    for (int round = 0; round < rounds; round++)
        feed(harness, mr_random_normal(&random));
}

static void an_anomaly_is_told_with_its_numbers(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, golden_options);
    feed_many(&harness, 300);
    feed(&harness, -30);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_text(harness_member(&harness, "severity"), "critical");
    struct mr_value reason = harness_member(&harness, "reason");
    char text[400];
    snprintf(text, sizeof(text), "%.*s", (int)reason.size, (const char *)reason.text);
    assert_non_null(strstr(text, "value is -30, below -"));
    assert_non_null(strstr(text, "where a number lies with probability 0.01 by the tail"));
    harness_close(&harness);
}

static void a_number_without_a_tail_is_told(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, golden_options);
    for (int round = 0; round < 200; round++)
        feed(&harness, 3);
    feed(&harness, 4);
    struct mr_value reason = harness_member(&harness, "reason");
    char text[400];
    snprintf(text, sizeof(text), "%.*s", (int)reason.size, (const char *)reason.text);
    assert_string_equal(text, "value is 4; none of 200 earlier numbers was above 3; the score is "
                              "2.01, the threshold 1");
    harness_close(&harness);
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, golden_options);
    feed_many(&harness, 130);
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_spot_v1");
    double expected = feed(&harness, 3);
    assert_true(expected > 0.5);
    harness_close(&harness);
    open(&harness, golden_options);
    harness_load_golden(&harness, "detect_spot_v1");
    assert_true(feed(&harness, 3) == expected);
    harness_close(&harness);
}

/* The stored layout follows from these options. */
static void other_options_are_refused(void **state)
{
    MR_UNUSED(state);
    static const char *const others[] = {
        ", init: 51, level: 0.8, excesses: 20, rate: 0.01",
        ", init: 50, level: 0.81, excesses: 20, rate: 0.01",
        ", init: 50, level: 0.8, excesses: 21, rate: 0.01",
        ", init: 50, level: 0.8, excesses: 20, rate: 0.01, tails: upper",
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(others); index++) {
        struct harness harness;
        struct mr_error error = {0};
        open(&harness, others[index]);
        harness_load_golden(&harness, "detect_spot_v1");
        struct harness_row row = harness_row(1, "one", mr_value_double(1));
        assert_int_equal(harness_try_feed(&harness, 0, &row, 1, &error), MR_VERSION);
        harness_close(&harness);
    }
}

static void check_finding(const char *options, const char *expected)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.spot, from: in, key: [k], field: value, %s}\n",
             options);
    const char *findings = harness_findings(
        &arena, "    - {name: in, type: memory, records: [{k: a, value: 1.5}], timestamp: value}\n",
        text, "    - {name: out, type: memory, from: op}\n");
    if (strstr(findings, expected) == NULL)
        fail_msg("%s", findings);
    mr_arena_deinit(&arena);
}

static void what_cannot_be_told_is_refused(void **state)
{
    MR_UNUSED(state);
    check_finding("rate: 0.05", "the rate 0.05 must be below 1 - level, 0.02");
    check_finding("init: 100", "of 100 numbers less than five are above the level 0.98");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_anomaly_is_told_with_its_numbers),
        cmocka_unit_test(a_number_without_a_tail_is_told),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(other_options_are_refused),
        cmocka_unit_test(what_cannot_be_told_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
