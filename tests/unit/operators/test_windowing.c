/* tests/unit/operators/test_windowing.c — what the kinds of windows share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/windowing.h"
#include "tests/support/group_results.h"

static void tables_have_the_bounds_of_the_node(void **state)
{
    MR_UNUSED(state);
    const struct mr_plan_node node = {
        .name = "op", .state_keys_max = 5, .state_bytes_max = 9000, .state_full_fails = true};
    const struct mr_windowing windowing = {.node = &node};
    struct mr_table_spec spec;
    mr_windowing_table_spec(&windowing, "groups", &spec);
    assert_string_equal(spec.operator_name, "op");
    assert_string_equal(spec.name, "groups");
    assert_int_equal(spec.keys_max, 5);
    assert_int_equal(spec.bytes_max, 9000);
    assert_int_equal(spec.on_full, MR_ON_FULL_FAIL);
    assert_int_equal(spec.ttl_ms, 0);
    assert_true(spec.timed);
}

/* 29 March 2026 has 23 hours in Berlin, 25 October has 25. */
static void days_of_a_zone(void **state)
{
    MR_UNUSED(state);
    static const int64_t hour = 3600000;
    static const int64_t march = INT64_C(1774738800000); /* 2026-03-29 00:00 there */
    static const int64_t october = INT64_C(1792879200000);
    for (size_t i = 0; i < MR_ARRAY_COUNT(group_cells); i++) {
        struct harness harness;
        group_open(&harness, "window.aggregate", group_cells[i],
                   ", window: {tumbling: 1d, zone: Europe/Berlin}, lateness: 1h");
        group_feed(&harness, "a", march - 1, 1);
        group_feed(&harness, "a", march, 2);
        group_feed(&harness, "b", march + 23 * hour - 1, 4);
        group_feed(&harness, "b", march + 23 * hour, 8);
        harness_watermark(&harness, march + 24 * hour - 1);
        assert_int_equal(group_results_count, 1);
        group_expect(0, "a", march - 24 * hour, march, 1, 1);
        harness_commit(&harness);
        harness_restore(&harness);
        group_feed(&harness, "a", march + 1, 16);
        harness_watermark(&harness, march + 24 * hour);
        assert_int_equal(group_results_count, 3);
        group_expect(1, "a", march, march + 23 * hour, 2, 18);
        group_expect(2, "b", march, march + 23 * hour, 1, 4);
        group_feed(&harness, "a", march + 2, 1);
        assert_int_equal(harness.late_count, 1);
        group_feed(&harness, "a", october + 25 * hour - 1, 1);
        group_feed(&harness, "a", october + 25 * hour, 1);
        harness_watermark(&harness, INT64_C(1) << 45);
        assert_int_equal(group_results_count, 6);
        group_expect(3, "b", march + 23 * hour, march + 47 * hour, 1, 8);
        group_expect(4, "a", october, october + 25 * hour, 1, 1);
        group_expect(5, "a", october + 25 * hour, october + 49 * hour, 1, 1);
        harness_close(&harness);
    }
}

/* Weeks that begin on Monday, one every day. */
static void hopping_weeks_of_a_zone(void **state)
{
    MR_UNUSED(state);
    static const int64_t hour = 3600000;
    static const int64_t monday = INT64_C(1774220400000); /* 2026-03-23 00:00 in Berlin */
    struct harness harness;
    group_open(&harness, "window.aggregate", "",
               ", window: {hopping: 7d, every: 1d, zone: Europe/Berlin}");
    group_feed(&harness, "a", monday, 1);
    group_feed(&harness, "a", monday + 167 * hour - 1, 2); /* the week's last ms */
    group_feed(&harness, "a", monday + 167 * hour, 4);
    harness_watermark(&harness, INT64_C(1) << 45);
    assert_int_equal(group_results_count, 14);
    group_expect(0, "a", monday - 144 * hour, monday + 24 * hour, 1, 1);
    group_expect(6, "a", monday, monday + 167 * hour, 2, 3);
    group_expect(7, "a", monday + 24 * hour, monday + 191 * hour, 2, 6);
    group_expect(13, "a", monday + 167 * hour, monday + 335 * hour, 1, 4);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_of_a_zone),
        cmocka_unit_test(hopping_weeks_of_a_zone),
        cmocka_unit_test(tables_have_the_bounds_of_the_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
