/* tests/unit/operators/test_window_running.c — sums without a window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/group_results.h"

static void each_record_makes_a_result(void **state)
{
    MR_UNUSED(state);
    for (size_t i = 0; i < MR_ARRAY_COUNT(group_cells); i++) {
        struct harness harness;
        group_open(&harness, "aggregate", group_cells[i], ", having: size != 2");
        group_feed(&harness, "a", 1000, 1);
        group_feed(&harness, "b", 2000, 10);
        group_feed(&harness, "a", 500, 2);
        harness_commit(&harness);
        harness_restore(&harness);
        group_feed(&harness, "a", 3000, 4);
        assert_int_equal(group_results_count, 3);
        group_expect(0, "a", 0, 1000, 1, 1);
        group_expect(1, "b", 0, 2000, 1, 10);
        group_expect(2, "a", 0, 3000, 3, 7);
        harness_close(&harness);
    }
}

static void periodic_results_are_of_keys_that_changed(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "aggregate", "", ", emit: periodic, emit_every: 10s");
    group_feed(&harness, "b", 1000, 1);
    group_feed(&harness, "a", 2000, 2);
    group_feed(&harness, "a", 3000, 4);
    harness_watermark(&harness, 9999);
    assert_int_equal(group_results_count, 0);
    harness_watermark(&harness, 10000);
    assert_int_equal(group_results_count, 2);
    group_expect(0, "a", 0, 9999, 2, 6);
    group_expect(1, "b", 0, 9999, 1, 1);
    group_feed(&harness, "b", 12000, 1);
    harness_watermark(&harness, 30000);
    assert_int_equal(group_results_count, 3);
    group_expect(2, "b", 0, 19999, 2, 2);
    harness_close(&harness);
}

static void a_key_lives_as_long_as_it_is_said(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "aggregate", "", ", state: {ttl: 10s}");
    group_feed(&harness, "a", 1000, 1);
    group_feed(&harness, "a", 5000, 1);
    harness_watermark(&harness, 14999);
    group_feed(&harness, "a", 4000, 1);
    group_expect(2, "a", 0, 4000, 3, 3);
    harness_watermark(&harness, 15000);
    group_feed(&harness, "a", 16000, 1);
    group_expect(3, "a", 0, 16000, 1, 1);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_makes_a_result),
        cmocka_unit_test(periodic_results_are_of_keys_that_changed),
        cmocka_unit_test(a_key_lives_as_long_as_it_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
