/* tests/unit/operators/test_detect_robust_z.c — detect.robust_z: exact order statistics, stored
 * bytes. */
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
             "    - {name: op, type: detect.robust_z, from: in, key: [k], field: value%s}\n",
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
             "    - {name: op, type: detect.robust_z, from: in, key: [k], field: value, %s}\n",
             options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static void median_and_deviation_are_exact(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 4, window: {count: 5}");
    const double first[] = {1, 9, 3, 5};
    for (size_t index = 0; index < MR_ARRAY_COUNT(first); index++) {
        feed(&harness, first[index]);
        assert_true(member(&harness, "score") == 0);
    }
    feed(&harness, 30); /* median 4, distances 3 5 1 1 */
    assert_true(member(&harness, "median") == 4);
    assert_true(member(&harness, "mad") == 2);
    assert_true(fabs(member(&harness, "score") - 26 / (1.4826 * 2)) < 1e-12);
    assert_text(harness_member(&harness, "severity"), "critical");
    feed(&harness, 5); /* 1 9 3 5 30: median 5, distances 4 4 2 0 25 */
    assert_true(member(&harness, "median") == 5);
    assert_true(member(&harness, "mad") == 4);
    feed(&harness, 5); /* the 1 has left: 9 3 5 30 5 */
    assert_true(member(&harness, "median") == 5);
    assert_true(member(&harness, "mad") == 2);
    assert_int_equal(harness_member(&harness, "count").integer, 5);
    harness_close(&harness);
}

static void both_zeros_are_one(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2, window: {count: 3}");
    const double zeros[] = {0.0, -0.0, 0.0, -0.0, -0.0, 0.0};
    for (size_t index = 0; index < MR_ARRAY_COUNT(zeros); index++) {
        feed(&harness, zeros[index]);
        assert_false(signbit(member(&harness, "median")));
    }
    harness_close(&harness);
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("window: {count: 10}", "never ends in a window of 10"));
    assert_true(refused("window: {count: 2001}", "count"));
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2, window: {count: 18}");
    for (int round = 0; round < 21; round++)
        feed(&harness, round * 0.5);
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_robust_z_v2");
    harness_close(&harness);
    static const char *const versions[] = {"detect_robust_z_v1", "detect_robust_z_v2"};
    for (size_t index = 0; index < MR_ARRAY_COUNT(versions); index++) {
        open(&harness, ", warmup: 2, window: {count: 18}");
        harness_load_golden(&harness, versions[index]);
        feed(&harness, 1);
        assert_true(member(&harness, "median") == 5.75); /* of 1.5 .. 10 */
        assert_true(member(&harness, "mad") == 2.25);
        harness_close(&harness);
    }
}

static void the_window_is_a_thousand_by_default(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    for (int round = 0; round < 1003; round++)
        feed(&harness, round);
    feed(&harness, 0);
    assert_int_equal(harness_member(&harness, "count").integer, 1000);
    assert_true(member(&harness, "median") == 502.5); /* of 3 .. 1002 */
    assert_true(member(&harness, "mad") == 250);
    harness_close(&harness);
}

static void another_window_is_refused(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2, window: {count: 19}");
    harness_load_golden(&harness, "detect_robust_z_v1");
    struct harness_row row = harness_row(1, "a", mr_value_double(1));
    struct mr_error error;
    assert_int_equal(harness_try_feed(&harness, 0, &row, 1, &error), MR_VERSION);
    assert_non_null(strstr(error.message, "made with another `window`"));
    harness_close(&harness);
}

static void scores_equal_the_reference(void **state)
{
    MR_UNUSED(state);
    detector_parity("detect.robust_z", "warmup: 30, window: {count: 200}, scale_floor: 0.001",
                    "robust_z --warmup 30 --floor 0.001 --window 200", "median", "mad");
    detector_parity("detect.robust_z", "warmup: 3, window: {count: 7}, scale_floor: 0.001",
                    "robust_z --warmup 3 --floor 0.001 --window 7", "median", "mad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_and_deviation_are_exact),
        cmocka_unit_test(both_zeros_are_one),
        cmocka_unit_test(options_are_checked_across),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(the_window_is_a_thousand_by_default),
        cmocka_unit_test(another_window_is_refused),
        cmocka_unit_test(scores_equal_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
