/* tests/unit/operators/test_detect_ewma.c — detect.ewma: the control chart. */
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
             "    - {name: op, type: detect.ewma, from: in, key: [k], field: value%s}\n", options);
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
             "    - {name: op, type: detect.ewma, from: in, key: [k], field: value, %s}\n",
             options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static void a_small_shift_is_found(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 40");
    struct mr_random random;
    mr_random_init(&random, 4, 0);
    for (int round = 0; round < 400; round++) {
        feed(&harness, mr_random_normal(&random));
        assert_true(member(&harness, "score") < 6);
    }
    uint64_t before = harness.emitted_count[1];
    /* One standard deviation is nothing for a z-score. */
    for (int round = 0; round < 20; round++)
        feed(&harness, 1.5 + mr_random_normal(&random));
    assert_true(harness.emitted_count[1] > before + 5);
    harness_close(&harness);
}

static void the_definition_by_hand(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2, lambda: 0.5, baseline_decay: 0");
    feed(&harness, 2);
    feed(&harness, 4);
    feed(&harness, 9);
    /* z: 2, 3, 6; mean of 2 and 4 is 3, population variance 1; sqrt(0.5 / 1.5) */
    assert_true(member(&harness, "level") == 6);
    assert_true(member(&harness, "mean") == 3);
    assert_true(member(&harness, "sd") == 1);
    assert_true(fabs(member(&harness, "score") - 3 / sqrt(0.5 / 1.5)) < 1e-12);
    harness_close(&harness);
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("lambda: 0.1, baseline_decay: 0.1", "must be below"));
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2");
    for (int round = 0; round < 10; round++)
        feed(&harness, round);
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_ewma_v2");
    harness_close(&harness);
    static const char *const versions[] = {"detect_ewma_v1", "detect_ewma_v2"};
    for (size_t index = 0; index < MR_ARRAY_COUNT(versions); index++) {
        open(&harness, ", warmup: 2");
        harness_load_golden(&harness, versions[index]);
        feed(&harness, 1);
        assert_true(fabs(member(&harness, "mean") - 4.5) < 1e-12);
        assert_int_equal(harness_member(&harness, "count").integer, 10);
        harness_close(&harness);
    }
}

static void scores_equal_the_reference(void **state)
{
    MR_UNUSED(state);
    detector_parity("detect.ewma", "warmup: 30, sd_floor: 0.001",
                    "ewma --warmup 30 --floor 0.001 --decay 0.01 --lambda 0.2", "level", "mean");
    detector_parity("detect.ewma", "warmup: 2, lambda: 1, baseline_decay: 0, sd_floor: 0.001",
                    "ewma --warmup 2 --floor 0.001 --decay 0 --lambda 1", "level", "mean");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_shift_is_found),     cmocka_unit_test(the_definition_by_hand),
        cmocka_unit_test(options_are_checked_across), cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(scores_equal_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
