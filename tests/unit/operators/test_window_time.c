/* tests/unit/operators/test_window_time.c — where windows begin and end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/window_time.h"

static void windows_are_numbered_from_the_offset(void **state)
{
    MR_UNUSED(state);
    const struct mr_window window = {.kind = MR_WINDOW_HOPPING,
                                     .size_ms = 10000,
                                     .every_ms = 4000,
                                     .offset_ms = 1000,
                                     .pane_ms = 2000};
    struct mr_window_grid grid;
    mr_window_grid_init(&grid, &window);
    assert_int_equal(grid.panes, 5);
    assert_int_equal(grid.step, 2);
    assert_int_equal(mr_window_pane(&grid, 1000), 0);
    assert_int_equal(mr_window_pane(&grid, 2999), 0);
    assert_int_equal(mr_window_pane(&grid, 999), -1);
    assert_int_equal(mr_window_start_ms(&grid, 2), 9000);
    assert_int_equal(mr_window_end_ms(&grid, 2), 19000);
    assert_int_equal(mr_window_first_open(&grid, 18999), 2);
    assert_int_equal(mr_window_first_open(&grid, 19000), 3);
}

static void a_pane_is_in_the_windows_that_hold_it(void **state)
{
    MR_UNUSED(state);
    static const int64_t steps[][2] = {{10, 2}, {10, 3}, {10, 10}, {7, 5}, {3, 1}};
    for (size_t i = 0; i < MR_ARRAY_COUNT(steps); i++) {
        const struct mr_window_grid grid = {.size_ms = steps[i][0],
                                            .every_ms = steps[i][1],
                                            .pane_ms = 1,
                                            .panes = steps[i][0],
                                            .step = steps[i][1]};
        for (int64_t pane = -40; pane < 40; pane++)
            for (int64_t window = -40; window < 40; window++) {
                bool holds = mr_window_start_ms(&grid, window) <= pane &&
                             pane < mr_window_end_ms(&grid, window);
                bool said =
                    mr_window_first(&grid, pane) <= window && window <= mr_window_last(&grid, pane);
                assert_int_equal(holds, said);
            }
    }
}

/* A clock that is put forward by an hour at 10:00 and back at 30:00, both of the first day's. */
static void windows_of_a_zone_are_as_long_as_its_clock_takes(void **state)
{
    MR_UNUSED(state);
    static const int64_t hour = 3600000;
    struct mr_zone_step steps[] = {
        {INT64_MIN, 0, 0}, {10 * hour, hour, 0}, {29 * hour, 0, 0}, {60 * hour, -hour / 2, 0}};
    struct mr_zone zone;
    mr_zone_make(&zone, "Test/Zone", steps, 4, INT64_MAX);
    const struct mr_window window = {.kind = MR_WINDOW_TUMBLING,
                                     .size_ms = 24 * hour,
                                     .every_ms = 24 * hour,
                                     .pane_ms = 24 * hour,
                                     .zone = &zone};
    struct mr_window_grid grid;
    mr_window_grid_init(&grid, &window);
    static const int64_t begins[] = {0, 23, 48};
    for (int64_t day = 0; day < 3; day++)
        assert_int_equal(mr_window_start_ms(&grid, day), begins[day] * hour);
    assert_int_equal(mr_window_end_ms(&grid, 2), 72 * hour + hour / 2);
    assert_int_equal(mr_window_pane(&grid, 23 * hour - 1), 0);
    assert_int_equal(mr_window_pane(&grid, 23 * hour), 1);
    assert_int_equal(mr_window_first_open(&grid, 23 * hour - 1), 0);
    assert_int_equal(mr_window_first_open(&grid, 23 * hour), 1);
    for (int64_t time_ms = -50 * hour; time_ms < 100 * hour; time_ms += hour / 4) {
        int64_t day = mr_window_pane(&grid, time_ms);
        assert_true(mr_window_start_ms(&grid, day) <= time_ms);
        assert_true(mr_window_end_ms(&grid, day) > time_ms);
        assert_int_equal(mr_window_first_open(&grid, time_ms), day);
        assert_int_equal(mr_window_end_ms(&grid, day), mr_window_start_ms(&grid, day + 1));
    }
}

static void far_times_are_clamped(void **state)
{
    MR_UNUSED(state);
    const struct mr_window_grid grid = {
        .size_ms = 10, .every_ms = 10, .pane_ms = 10, .panes = 1, .step = 1};
    int64_t last = mr_window_pane(&grid, INT64_MAX);
    int64_t first = mr_window_pane(&grid, INT64_MIN);
    assert_true(mr_window_end_ms(&grid, mr_window_last(&grid, last)) > 0);
    assert_true(mr_window_start_ms(&grid, mr_window_first(&grid, first)) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_numbered_from_the_offset),
        cmocka_unit_test(a_pane_is_in_the_windows_that_hold_it),
        cmocka_unit_test(windows_of_a_zone_are_as_long_as_its_clock_takes),
        cmocka_unit_test(far_times_are_clamped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
