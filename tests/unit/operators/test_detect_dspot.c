/* tests/unit/operators/test_detect_dspot.c — detect.dspot: detect.spot on numbers less the mean of
 * the last ones. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static const char golden_options[] = ", depth: 20, init: 50, level: 0.8, excesses: 20, rate: 0.01";

static int64_t offset;

static void open(struct harness *harness, const char *type, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text), "    - {name: op, type: %s, from: in, key: [k], field: value%s}\n",
             type, options);
    harness_open(harness, text, "    - {name: out, type: memory, from: op}\n", "op");
    harness->keeps_last = true;
    offset = 0;
}

static double feed(struct harness *harness, double value)
{
    struct harness_row row = harness_row(++offset, "one", mr_value_double(value));
    harness_feed(harness, 0, &row, 1);
    return harness_member(harness, "score").number;
}

/* Beside detect.spot, which is given the numbers less the mean that is computed here. */
static void it_is_spot_on_differences(void **state)
{
    MR_UNUSED(state);
    enum { ROUNDS = 800, DEPTH = 16 };
    double ring[DEPTH];
    int learned = 0;
    struct harness drifting;
    struct harness plain;
    open(&drifting, "detect.dspot",
         ", depth: 16, init: 100, level: 0.9, excesses: 40, rate: 0.005");
    open(&plain, "detect.spot", ", init: 100, level: 0.9, excesses: 40, rate: 0.005");
    struct mr_random random;
    mr_random_init(&random, 3, 0);
    int found = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double value = 0.1 * round + mr_random_normal(&random);
        double score = feed(&drifting, value);
        if (learned >= DEPTH) {
            double sum = 0;
            for (int place = 0; place < DEPTH; place++)
                sum += ring[place];
            assert_true(score == feed(&plain, value - sum / DEPTH));
            assert_true(harness_member(&drifting, "mean").number == sum / DEPTH);
        }
        if (learned >= DEPTH + 100) {
            double difference = harness_member(&drifting, "upper").number -
                                harness_member(&drifting, "mean").number -
                                harness_member(&plain, "upper").number;
            assert_true(fabs(difference) < 1e-12 * value);
        }
        found += score > 1;
        if (score <= 1)
            ring[learned++ % DEPTH] = value;
    }
    assert_in_range(found, 1, 30);
    harness_close(&drifting);
    harness_close(&plain);
}

/* A jump moves the mean in steps, to the new level at last; one huge number hardly. */
static void a_jump_is_followed_in_steps(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "detect.dspot", ", learn: always");
    struct mr_random random;
    mr_random_init(&random, 5, 0);
    for (int round = 0; round < 2000; round++)
        feed(&harness, mr_random_normal(&random));
    assert_true(feed(&harness, 1e9) > 1e7);
    feed(&harness, 0);
    assert_true(fabs(harness_member(&harness, "mean").number) < 1);
    assert_true(feed(&harness, 8) > 1);
    for (int round = 0; round < 300; round++)
        feed(&harness, 100 + mr_random_normal(&random));
    assert_true(fabs(harness_member(&harness, "mean").number - 100) < 1);
    harness_close(&harness);
}

/* The level drifts far beyond where it was: spot takes each number for an anomaly. */
static void a_slow_drift_is_followed(void **state)
{
    MR_UNUSED(state);
    struct harness drifting;
    struct harness plain;
    open(&drifting, "detect.dspot", ", learn: always");
    open(&plain, "detect.spot", "");
    struct mr_random random;
    mr_random_init(&random, 5, 0);
    int found[2] = {0, 0};
    for (int round = 0; round < 4000; round++) {
        double value = 0.01 * round + mr_random_normal(&random);
        found[0] += feed(&drifting, value) > 1;
        found[1] += feed(&plain, value) > 1;
    }
    assert_true(found[0] < 5 && found[1] > 1000);
    assert_true(feed(&drifting, 50) > 1);
    assert_true(feed(&drifting, 30) > 1);
    assert_true(feed(&drifting, 40) < 1);
    harness_close(&drifting);
    harness_close(&plain);
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "detect.dspot", golden_options);
    struct mr_random random;
    mr_random_init(&random, 1, 0);
    for (int round = 0; round < 150; round++)
        feed(&harness, mr_random_normal(&random));
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_dspot_v1");
    double expected = feed(&harness, 3);
    assert_true(expected > 0.5);
    harness_close(&harness);
    open(&harness, "detect.dspot", golden_options);
    harness_load_golden(&harness, "detect_dspot_v1");
    assert_true(feed(&harness, 3) == expected);
    harness_close(&harness);
    open(&harness, "detect.dspot", ", depth: 21, init: 50, level: 0.8, excesses: 20, rate: 0.01");
    harness_load_golden(&harness, "detect_dspot_v1");
    struct harness_row row = harness_row(1, "one", mr_value_double(1));
    struct mr_error error = {0};
    assert_int_equal(harness_try_feed(&harness, 0, &row, 1, &error), MR_VERSION);
    harness_close(&harness);
}

static void a_restart_changes_nothing(void **state)
{
    MR_UNUSED(state);
    enum { ROUNDS = 600 };
    static double scores[ROUNDS];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, "detect.dspot", golden_options);
        struct mr_random random;
        mr_random_init(&random, 9, 0);
        for (int round = 0; round < ROUNDS; round++) {
            double score = feed(&harness, mr_random_normal(&random));
            if (turn == 1) {
                assert_true(scores[round] == score);
                if (round % 41 == 40) {
                    harness_commit(&harness);
                    harness_restore(&harness);
                }
            }
            scores[round] = score;
        }
        harness_close(&harness);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_spot_on_differences), cmocka_unit_test(a_jump_is_followed_in_steps),
        cmocka_unit_test(a_slow_drift_is_followed),  cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(a_restart_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
