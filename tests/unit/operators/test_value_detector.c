/* tests/unit/operators/test_value_detector.c — what the detectors of values share. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/registry.h"
#include "operators/value_detector.h"
#include "tests/support/operator_harness.h"

static void a_surprise_is_a_logarithm(void **state)
{
    MR_UNUSED(state);
    assert_true(mr_value_detector_surprise(1) == 0);
    assert_true(!signbit(mr_value_detector_surprise(1)));
    assert_true(fabs(mr_value_detector_surprise(1e-3) - 3) < 1e-14);
    assert_true(fabs(mr_value_detector_surprise(1e-300) - 300) < 1e-12);
}

static void a_long_value_is_cut_at_a_character(void **state)
{
    MR_UNUSED(state);
    struct mr_model_row row = {.text = mr_slice_text("short")};
    assert_int_equal(mr_value_detector_text(&row).size, 5);
    char text[80];
    memset(text, 'x', sizeof(text));
    memcpy(text + 62, "\xe2\x82\xac", 3);
    row.text = mr_slice_from(text, sizeof(text));
    assert_int_equal(mr_value_detector_text(&row).size, 62);
}

static void check_finding(const char *options, const char *sentence)
{
    static const char *const types[] = {"detect.new_value", "detect.rare_value"};
    for (size_t type = 0; type < MR_ARRAY_COUNT(types); type++) {
        struct mr_arena arena;
        mr_arena_init(&arena, 1 << 16);
        char text[256];
        snprintf(text, sizeof(text),
                 "    - {name: op, type: %s, from: in, key: [k], field: value, %s}\n", types[type],
                 options);
        const char *findings =
            harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n", text,
                             "    - {name: out, type: memory, from: op}\n");
        if (strstr(findings, sentence) == NULL)
            fail_msg("%s: %s", options, findings);
        mr_arena_deinit(&arena);
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    MR_UNUSED(state);
    check_finding("on_missing: impute", "`on_missing: impute` is for numbers");
    check_finding("max_values: 1001", "max_values");
    check_finding("forget_after: 0s", "forget_after");
    check_finding("suppress: {}", "one of `count` and `time`");
}

/* Decay writes all slots now and then, forget_after clears places: the estimate says so. */
static void the_estimate_knows_the_options(void **state)
{
    MR_UNUSED(state);
    static const char *const options[] = {"", ", forget_after: 1h", ", decay: 0.5",
                                          ", decay: 0.5, max_values: 1000"};
    uint64_t bytes[4];
    for (int way = 0; way < 4; way++) {
        struct harness harness;
        char text[256];
        struct mr_state_estimate estimate = {0};
        snprintf(text, sizeof(text),
                 "    - {name: op, type: detect.rare_value, from: in, key: [k], field: value%s}\n",
                 options[way]);
        harness_open(&harness, text, "    - {name: out, type: memory, from: op}\n", "op");
        harness.type->spec.estimate(&harness.node->options, &estimate);
        bytes[way] = estimate.changelog_bytes_per_record;
        harness_close(&harness);
    }
    assert_in_range(bytes[1] - bytes[0], 128, 300);
    assert_in_range(bytes[2] - bytes[0], 20, 60);
    assert_in_range(bytes[3] - bytes[2], 60, 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_surprise_is_a_logarithm),
        cmocka_unit_test(a_long_value_is_cut_at_a_character),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(the_estimate_knows_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
