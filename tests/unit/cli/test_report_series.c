/* tests/unit/cli/test_report_series.c — what is kept of a chart's points, however many there are.
 */
#include "cli/report_series.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LAST = 10 };

struct fixture {
    struct mr_arena arena;
    struct mr_series series;
};

static int start(void **state)
{
    static struct fixture fixture;
    const struct mr_series_shape shape = {.type = "spc.i_mr", .as = "spc"};
    mr_arena_init(&fixture.arena, 1 << 16);
    mr_series_init(&fixture.series, &shape, LAST, &fixture.arena);
    *state = &fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    mr_arena_deinit(&fixture->arena);
    return 0;
}

static void add(struct mr_series *series, int number, double value, const char *state,
                const char *rules)
{
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "{\"spc\":{\"detector\":\"spc.i_mr\",\"point\":%d,\"value\":%.17g,\"state\":"
                   "\"%s\",\"is_anomaly\":%s,\"severity\":\"critical\",\"center\":1,\"lower\":0,"
                   "\"upper\":2,\"rules\":[%s]}}",
                   number, value, state, rules[0] == '\0' ? "false" : "true", rules);
    mr_series_add(series, mr_slice_text(text), number);
}

static void test_the_last_points_and_phase_1_are_kept(void **state)
{
    struct mr_series *series = &((struct fixture *)*state)->series;
    uint32_t count;
    for (int number = 1; number <= 1000; number++)
        add(series, number, number, number <= 20 ? "learning" : "armed", "");
    const struct mr_series_point *last = mr_series_last(series, &count);
    assert_int_equal(count, LAST);
    for (uint32_t index = 0; index < count; index++)
        assert_int_equal(last[index].number, 991 + (int)index);
    assert_int_equal(series->first_count, 21);
    assert_true(series->first[19].is_learning);
    assert_false(series->first[20].is_learning);
    assert_int_equal(series->points, 1000);
    assert_int_equal(series->learning, 20);
    assert_int_equal(series->last_ms, 1000);
}

/* Each point is in exactly one column, whatever the number of points is. */
static void test_columns_hold_every_point(void **state)
{
    struct mr_series *series = &((struct fixture *)*state)->series;
    for (int number = 1; number <= 3001; number++) {
        add(series, number, number % 7, "armed", "");
        assert_in_range(series->columns_count, 1, MR_SERIES_COLUMNS_MAX);
        int64_t next = 1;
        for (uint32_t index = 0; index < series->columns_count; index++) {
            assert_int_equal(series->columns[index].first, next);
            next = series->columns[index].last + 1;
        }
        assert_int_equal(next, number + 1);
    }
    assert_int_equal(series->column_points, 8);
    assert_true(series->columns[0].lowest == 0 || series->columns[0].lowest == 1);
    assert_true(series->columns[0].highest == 6);
}

static void test_rules_are_counted_and_the_last_kept(void **state)
{
    struct mr_series *series = &((struct fixture *)*state)->series;
    uint32_t count;
    for (int number = 1; number <= 1000; number++)
        add(series, number, 3, "armed",
            "{\"rule\":\"we1\",\"chart\":\"value\",\"points\":[7]},"
            "{\"rule\":\"we1\",\"chart\":\"spread\",\"points\":[1,2,\"x\"]}");
    const struct mr_series_breach *breaches = mr_series_breaches(series, &count);
    assert_int_equal(count, MR_SERIES_BREACHES_MAX);
    assert_int_equal(series->breaches_total, 2000);
    assert_int_equal(breaches[count - 1].number, 1000);
    assert_int_equal(breaches[0].number, 901);
    assert_true(breaches[1].by_spread);
    assert_int_equal(breaches[1].points_count, 2);
    assert_int_equal(series->tallies_count, 2);
    assert_int_equal(series->tallies[0].count, 1000);
    assert_true(isnan(breaches[1].lines.value)); /* the record has no spread */
}

static void test_numbers_that_go_back(void **state)
{
    struct mr_series *series = &((struct fixture *)*state)->series;
    for (int number = 1; number <= 5; number++)
        add(series, number, 1, "armed", "{\"rule\":\"we1\",\"points\":[1]}");
    add(series, 4, 1, "armed", "{\"rule\":\"we1\",\"points\":[1]}");
    assert_int_equal(series->repeated, 1);
    assert_int_equal(series->points, 5);
    assert_int_equal(series->breaches_total, 5);
    add(series, 1, 2, "armed", "");
    assert_int_equal(series->restarts, 1);
    assert_int_equal(series->points, 1);
    assert_int_equal(series->anomalies, 0);
    assert_int_equal(series->breaches_total, 0);
    assert_int_equal(series->columns_count, 1);
    assert_int_equal(series->first_number, 1);
    assert_int_equal(series->taken, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_last_points_and_phase_1_are_kept, start, end),
        cmocka_unit_test_setup_teardown(test_columns_hold_every_point, start, end),
        cmocka_unit_test_setup_teardown(test_rules_are_counted_and_the_last_kept, start, end),
        cmocka_unit_test_setup_teardown(test_numbers_that_go_back, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
