/* tests/unit/operators/test_detect_matrix_profile.c — detect.matrix_profile: a broken pattern is
 * found, the score is over the usual distance, state across restarts, keys that share the cache.
 * The distances: test_matrix_profile.c; parity with stumpy: tests/detectors. */
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
             "    - {name: op, type: detect.matrix_profile, from: in, key: [k], field: value%s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static void feed(struct harness *harness, const char *key, double value)
{
    static int64_t offset;
    struct harness_row row = harness_row(++offset, key, mr_value_double(value));
    harness_feed(harness, 0, &row, 1);
}

static double pattern(int place)
{
    return fabs(place % 12 - 5.5) + 0.01 * (place * 7 % 5);
}

static bool refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(
        text, sizeof(text),
        "    - {name: op, type: detect.matrix_profile, from: in, key: [k], field: value, %s}\n",
        options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static const char small[] = ", subsequence: 8, window_size: 60, warmup: 20";

static void a_broken_pattern_is_found(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, small);
    for (int place = 0; place < 1200; place++) {
        feed(&harness, "a", pattern(place));
        if (place < 10) /* 8 records and 2 that are excluded */
            assert_int_equal(harness_member(&harness, "distance").kind, MR_KIND_NULL);
        if (place > 60)
            assert_true(harness_member(&harness, "score").number < 5);
    }
    assert_int_equal(harness_member(&harness, "lag").integer % 12, 0);
    assert_true(harness_member(&harness, "distance").number < 0.2);
    feed(&harness, "a", pattern(1200));
    feed(&harness, "a", pattern(1201) + 3);
    assert_true(harness_member(&harness, "score").number > 5);
    assert_text(harness_member(&harness, "severity"), "critical");
    assert_non_null(strstr((const char *)mr_value_text(harness_member(&harness, "reason")).data,
                           "the last 8 records of value have no shape like theirs"));
    harness_close(&harness);
}

static void level_and_amplitude_do_not_count(void **state)
{
    MR_UNUSED(state);
    struct harness harness[2];
    open(&harness[0], small);
    open(&harness[1], small);
    for (int place = 0; place < 200; place++) {
        feed(&harness[0], "a", pattern(place));
        feed(&harness[1], "a", 1000 - 64 * pattern(place));
    }
    assert_true(fabs(harness_member(&harness[0], "distance").number -
                     harness_member(&harness[1], "distance").number) < 1e-6);
    harness_close(&harness[0]);
    harness_close(&harness[1]);
}

static void equal_numbers_are_no_anomaly(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, small);
    for (int place = 0; place < 100; place++)
        feed(&harness, "a", 0.1);
    assert_true(harness_member(&harness, "distance").number == 0);
    assert_true(harness_member(&harness, "score").number == 0);
    feed(&harness, "a", 0.2);
    assert_true(harness_member(&harness, "distance").number == sqrt(8));
    assert_true(harness_member(&harness, "score").number > 5);
    harness_close(&harness);
}

/* More keys than the cache has room for, with restarts, against keys that are always there. */
static void the_cache_changes_nothing(void **state)
{
    MR_UNUSED(state);
    enum { KEYS = 70 };
    struct harness many;
    struct harness one;
    open(&many, small);
    open(&one, small);
    for (int place = 0; place < 150; place++) {
        for (int key = 0; key < KEYS; key++) {
            char name[16];
            snprintf(name, sizeof(name), "k%d", key);
            feed(&many, name, pattern(place) * (key == KEYS - 1 ? 1 : key));
        }
        feed(&one, "a", pattern(place));
        double scores[2] = {harness_member(&many, "distance").number,
                            harness_member(&one, "distance").number};
        assert_memory_equal(&scores[0], &scores[1], sizeof(double));
        if (place % 37 == 5) {
            harness_commit(&many);
            harness_restore(&many);
        }
    }
    harness_close(&many);
    harness_close(&one);
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("subsequence: 100, window_size: 399", "at least four times `subsequence`"));
    assert_true(refused("subsequence: 2", "subsequence"));
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    double scores[2];
    for (int round = 0; round < 2; round++) {
        open(&harness, small);
        for (int place = 0; round == 0 && place < 100; place++)
            feed(&harness, "a", pattern(place));
        harness_commit(&harness);
        if (round == 0)
            harness_check_golden(&harness, "detect_matrix_profile_v1");
        else
            harness_load_golden(&harness, "detect_matrix_profile_v1");
        feed(&harness, "a", 9);
        scores[round] = harness_member(&harness, "score").number;
        harness_close(&harness);
    }
    assert_true(scores[0] > 1);
    assert_memory_equal(&scores[0], &scores[1], sizeof(double));
    open(&harness, ", subsequence: 8, window_size: 61");
    harness_load_golden(&harness, "detect_matrix_profile_v1");
    struct harness_row row = harness_row(1, "a", mr_value_double(1));
    struct mr_error error;
    assert_int_equal(harness_try_feed(&harness, 0, &row, 1, &error), MR_VERSION);
    assert_non_null(strstr(error.message, "made with another `subsequence` or `window_size`"));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_pattern_is_found),
        cmocka_unit_test(level_and_amplitude_do_not_count),
        cmocka_unit_test(equal_numbers_are_no_anomaly),
        cmocka_unit_test(the_cache_changes_nothing),
        cmocka_unit_test(options_are_checked_across),
        cmocka_unit_test(stored_bytes_stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
