/* tests/unit/operators/test_detect_isolation_forest.c — detect.isolation_forest: what it finds and
 * why, when a forest is built anew, its state. The trees have their own test
 * (test_isolation_forest.c). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static const char golden_options[] = ", trees: 5, sample: 8, window: 16, step: 6, warmup: 8";

static int64_t offset;

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.isolation_forest, from: in, key: [k], fields: "
             "[a, b]%s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
    offset = 0;
}

static double feed_to(struct harness *harness, const char *key, double a, double b)
{
    struct harness_row row = {.offset = ++offset,
                              .event_time_ms = offset,
                              .cells = {{"k", mr_value_string(mr_slice_text(key))},
                                        {"a", mr_value_double(a)},
                                        {"b", mr_value_double(b)}}};
    harness_feed(harness, 0, &row, 1);
    return harness_member(harness, "score").number;
}

static double feed(struct harness *harness, double a, double b)
{
    return feed_to(harness, "one", a, b);
}

static void feed_normal(struct harness *harness, int rounds, double mean, uint64_t seed)
{
    struct mr_random random;
    mr_random_init(&random, seed, 0);
    for (int round = 0; round < rounds; round++) {
        double a = mean + mr_random_normal(&random);
        feed(harness, a, 100 * mr_random_normal(&random));
    }
}

static void what_is_apart_is_found_with_its_field(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", threshold: 0.6");
    feed_normal(&harness, 256, 0, 1);
    assert_true(harness_member(&harness, "score").number == 0);
    assert_text(harness_member(&harness, "state"), "learning");
    feed_normal(&harness, 744, 0, 2);
    assert_true(feed(&harness, 0, 0) < 0.45);
    assert_int_equal(harness_member(&harness, "points").integer, 768);
    assert_true(harness_member(&harness, "outside").number == 0);
    double score = feed(&harness, 6, 0);
    assert_true(score > 0.6 && score < 1);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    struct mr_value shares = harness_member(&harness, "contributions");
    double first = shares.entries[0].value.number;
    double second = shares.entries[1].value.number;
    assert_true(first > 3 * second);
    assert_true(fabs(first + second - score) < 1e-12);
    /* Far outside there is no end. */
    double far = feed(&harness, 0, 1e5);
    assert_true(far > 5 && harness_member(&harness, "outside").number > 5);
    assert_true(feed(&harness, 0, 1e9) > far + 10);
    assert_true(isfinite(feed(&harness, 1e308, -1e308)));
    harness_close(&harness);
}

/* A new level: each record is an anomaly until the forest is built anew, after `sample` of them. */
static void drift_builds_a_forest_at_once(void **state)
{
    MR_UNUSED(state);
    static const char *const options[] = {
        ", sample: 64, window: 512, step: 512, threshold: 0.55",
        ", sample: 64, window: 512, step: 512, threshold: 0.55, drift: 1.0"};
    int found[2] = {0, 0};
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, options[turn]);
        feed_normal(&harness, 800, 0, 3);
        struct mr_random random;
        mr_random_init(&random, 4, 0);
        for (int round = 0; round < 400; round++)
            found[turn] += feed(&harness, 9 + mr_random_normal(&random), 0) > 0.55;
        harness_close(&harness);
    }
    assert_in_range(found[0], 50, 200); /* at first the new level is a small part of the window */
    assert_true(found[1] > 1.5 * found[0]);
}

static void the_seed_decides(void **state)
{
    MR_UNUSED(state);
    double scores[3];
    static const char *const options[] = {"", ", seed: 1", ", seed: 1"};
    for (int turn = 0; turn < 3; turn++) {
        struct harness harness;
        open(&harness, options[turn]);
        feed_normal(&harness, 600, 0, 5);
        scores[turn] = feed(&harness, 2, 30);
        harness_close(&harness);
    }
    assert_true(scores[0] != scores[1] && scores[1] == scores[2]);
    assert_true(fabs(scores[0] - scores[1]) < 0.1);
}

/* More keys than have forests: those are built anew, and are the same. */
static void forests_of_many_keys_take_turns(void **state)
{
    MR_UNUSED(state);
    enum { KEYS = 90, ROUNDS = 60 };
    static double scores[ROUNDS];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, golden_options);
        struct mr_random random;
        mr_random_init(&random, 4, 0);
        for (int round = 0; round < ROUNDS; round++) {
            double a = mr_random_normal(&random);
            double b = mr_random_normal(&random);
            double score = feed(&harness, a, b);
            assert_true(turn == 0 || scores[round] == score);
            scores[round] = score;
            for (int key = 1; key < KEYS && turn == 1; key++) {
                char name[16];
                snprintf(name, sizeof(name), "k%d", key);
                feed_to(&harness, name, key * a, b);
            }
        }
        assert_true(scores[ROUNDS - 1] > 0);
        harness_close(&harness);
    }
}

static void a_restart_changes_nothing(void **state)
{
    MR_UNUSED(state);
    enum { ROUNDS = 300 };
    static double scores[ROUNDS];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, ", trees: 7, sample: 16, window: 50, step: 20, warmup: 30");
        struct mr_random random;
        mr_random_init(&random, 9, 0);
        for (int round = 0; round < ROUNDS; round++) {
            double a = mr_random_normal(&random);
            double score = feed(&harness, a, mr_random_normal(&random));
            if (turn == 1) {
                assert_true(scores[round] == score);
                if (round % 13 == 12) {
                    harness_commit(&harness);
                    harness_restore(&harness);
                }
            }
            scores[round] = score;
        }
        harness_close(&harness);
    }
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_random random;
    mr_random_init(&random, 5, 0);
    open(&harness, golden_options);
    for (int round = 0; round < 45; round++) {
        double a = mr_random_double(&random);
        feed(&harness, a, mr_random_double(&random));
    }
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_isolation_forest_v1");
    double expected = feed(&harness, 0.9, 0.2);
    assert_true(expected > 0);
    harness_close(&harness);
    open(&harness, golden_options);
    harness_load_golden(&harness, "detect_isolation_forest_v1");
    assert_true(feed(&harness, 0.9, 0.2) == expected);
    assert_int_equal(harness_member(&harness, "count").integer, 45);
    harness_close(&harness);
    open(&harness, ", trees: 5, sample: 8, window: 16, step: 6, warmup: 8, seed: 3");
    harness_load_golden(&harness, "detect_isolation_forest_v1");
    struct harness_row row = {.offset = 1,
                              .event_time_ms = 1,
                              .cells = {{"k", mr_value_string(mr_slice_text("one"))},
                                        {"a", mr_value_double(1)},
                                        {"b", mr_value_double(1)}}};
    struct mr_error error = {0};
    assert_int_equal(harness_try_feed(&harness, 0, &row, 1, &error), MR_VERSION);
    harness_close(&harness);
}

static void a_sample_above_the_window_is_refused(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    const char *findings = harness_findings(
        &arena, "    - {name: in, type: memory, records: [{k: a, a: 1.5}], timestamp: a}\n",
        "    - {name: op, type: detect.isolation_forest, from: in, key: [k], fields: [a], window: "
        "100}\n",
        "    - {name: out, type: memory, from: op}\n");
    if (strstr(findings, "a sample of 256 records cannot be drawn from a window of 100") == NULL)
        fail_msg("%s", findings);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_apart_is_found_with_its_field),
        cmocka_unit_test(drift_builds_a_forest_at_once),
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(forests_of_many_keys_take_turns),
        cmocka_unit_test(a_restart_changes_nothing),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(a_sample_above_the_window_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
