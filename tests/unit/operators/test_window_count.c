/* tests/unit/operators/test_window_count.c — windows of the last records of a key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/group_results.h"

static void every_so_many_records_there_is_a_result(void **state)
{
    MR_UNUSED(state);
    for (size_t i = 0; i < MR_ARRAY_COUNT(group_cells); i++) {
        struct harness harness;
        group_open(&harness, "window.aggregate", group_cells[i], ", window: {count: 3}");
        for (int64_t row = 0; row < 7; row++) {
            group_feed(&harness, "a", 1000 * row, (double)row);
            group_feed(&harness, row == 5 ? "b" : "c", 10, 1);
            harness_commit(&harness);
            harness_restore(&harness);
        }
        assert_int_equal(group_results_count, 4);
        group_expect(0, "a", 0, 2001, 3, 0 + 1 + 2);
        group_expect(1, "c", 10, 11, 3, 3);
        group_expect(2, "a", 3000, 5001, 3, 3 + 4 + 5);
        group_expect(3, "c", 10, 11, 3, 3);
        harness_close(&harness);
    }
}

static void windows_overlap(void **state)
{
    MR_UNUSED(state);
    static const int64_t windows[][2] = {{10, 4}, {10, 10}, {6, 1}, {9, 6}, {4, 2}};
    for (size_t i = 0; i < 2 * MR_ARRAY_COUNT(windows); i++) {
        int64_t size = windows[i / 2][0];
        int64_t every = windows[i / 2][1];
        struct harness harness;
        char more[64];
        snprintf(more, sizeof(more), ", window: {count: %d, every: %d}", (int)size, (int)every);
        group_open(&harness, "window.aggregate", group_cells[i % 2], more);
        for (int64_t row = 0; row < 100; row++)
            group_feed(&harness, "a", row, (double)row);
        assert_int_equal(group_results_count, 100 / every);
        for (uint32_t result = 0; result < group_results_count; result++) {
            int64_t end = (result + 1) * every;
            int64_t start = end < size ? 0 : end - size;
            double sum = 0;
            for (int64_t row = start; row < end; row++)
                sum += (double)row;
            group_expect(result, "a", start, end, end - start, sum);
        }
        harness_close(&harness);
    }
}

static void keys_are_forgotten_by_time(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", group_cells[1],
               ", window: {count: 2}, state: {ttl: 10s}");
    group_feed(&harness, "a", 1000, 1);
    harness_watermark(&harness, 10999);
    group_feed(&harness, "b", 10000, 1);
    harness_watermark(&harness, 11000);
    group_feed(&harness, "a", 12000, 1);
    assert_int_equal(group_results_count, 0);
    group_feed(&harness, "b", 12000, 1);
    assert_int_equal(group_results_count, 1);
    harness_watermark(&harness, 100000);
    harness_commit(&harness);
    assert_string_equal(harness_dump(&harness, &harness.plan_arena), "");
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_so_many_records_there_is_a_result),
        cmocka_unit_test(windows_overlap),
        cmocka_unit_test(keys_are_forgotten_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
