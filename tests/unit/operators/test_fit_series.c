/* tests/unit/operators/test_fit_series.c — what generate.timeseries is told to make is found again:
 * trend, periods, amplitudes, phases; and noise alone has none. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"
#include "operators/fit_series.h"
#include "tests/support/operator_harness.h"

enum { ROWS_MAX = 1 << 16, HOUR_MS = 3600000 };
static const int64_t now_ms = 1700000000000;

static int64_t *times_ms;
static double *values;
static size_t rows;

static int setup(void **state)
{
    MR_UNUSED(state);
    times_ms = mr_memory_new(ROWS_MAX, sizeof(*times_ms));
    values = mr_memory_new(ROWS_MAX, sizeof(*values));
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_memory_free(times_ms);
    mr_memory_free(values);
    return 0;
}

/* Field 0 is the time, field 1 the value. */
static void keep_rows(void *argument, const struct harness *harness, uint32_t output,
                      struct mr_view view)
{
    const uint32_t *slots = harness->plan->domains[harness->node->outputs[0].domain].field_slots;
    MR_UNUSED(argument);
    MR_UNUSED(output);
    for (uint32_t index = 0; index < view.rows_count; index++) {
        times_ms[rows] = view.batch->columns[slots[0]][view.rows[index]].integer;
        values[rows++] = view.batch->columns[slots[1]][view.rows[index]].number;
    }
}

static void make(const char *options, struct mr_fit_series *series)
{
    char text[1024];
    struct harness harness;
    int64_t position = 0;
    int64_t due_ms = 0;
    snprintf(text, sizeof(text), "    - {name: made, type: generate.timeseries, %s}\n", options);
    harness_open_sources(&harness, text, "", "    - {name: out, type: memory, from: made}\n",
                         "made", 0, 1);
    harness.quiet = true;
    harness.on_emit = keep_rows;
    rows = 0;
    while (harness_generate(&harness, position, now_ms, 4096, &position, &due_ms) == MR_OK) {
    }
    harness_close(&harness);
    mr_fit_series(times_ms, values, rows, series);
}

static void a_season_and_a_trend_are_found(void **state)
{
    MR_UNUSED(state);
    static const char *const arrivals[] = {"regular", "poisson"};
    for (size_t at = 0; at < MR_ARRAY_COUNT(arrivals); at++) {
        struct mr_fit_series found;
        char options[512];
        snprintf(options, sizeof(options),
                 "count: 3000, step: 10s, seed: 4, arrival: %s, fields: [{name: at, holds: time}, "
                 "{name: v, level: 10, trend: 24, trend_per: 1d, noise: 0.5, seasons: "
                 "[{period: 47m, amplitude: 2, phase: 0.25}]}]",
                 arrivals[at]);
        make(options, &found);
        assert_int_equal(found.points, 3000);
        assert_int_equal(found.seasons_count, 1);
        assert_true(fabs(found.seasons[0].period_ms / (47 * 60000.0) - 1) < 0.005);
        assert_true(fabs(found.seasons[0].amplitude - 2) < 0.1);
        assert_true(fabs(found.trend_per_hour - 1) < 0.05);
        assert_true(fabs(found.noise_sd - 0.5) < 0.05);
        /* Beside each other the phases are those of the formula, wherever 1970 is. */
        double turns = fmod((double)times_ms[0], 47 * 60000.0) / (47 * 60000.0) + 0.25;
        double other =
            fmod((double)times_ms[0], found.seasons[0].period_ms) / found.seasons[0].period_ms +
            found.seasons[0].phase;
        double off = turns - other - floor(turns - other + 0.5);
        assert_true(fabs(off) < 0.03);
    }
}

static void two_seasons_are_found_the_stronger_first(void **state)
{
    MR_UNUSED(state);
    struct mr_fit_series found;
    make("count: 20000, step: 30s, seed: 5, fields: [{name: at, holds: time}, {name: v, level: 5, "
         "noise: 0.3, seasons: [{period: 1h, amplitude: 1}, {period: 1d, amplitude: 3}]}]",
         &found);
    assert_int_equal(found.seasons_count, 2);
    assert_true(fabs(found.seasons[0].period_ms / (24.0 * HOUR_MS) - 1) < 0.005);
    assert_true(fabs(found.seasons[1].period_ms / HOUR_MS - 1) < 0.001);
    assert_true(fabs(found.seasons[0].amplitude - 3) < 0.05);
    assert_true(fabs(found.seasons[1].amplitude - 1) < 0.05);
    assert_true(fabs(found.level - 5) < 0.05);
    assert_true(found.trend_per_hour == 0);
}

static void periods_of_the_calendar_are_exact(void **state)
{
    MR_UNUSED(state);
    struct mr_fit_series found;
    make("count: 5000, step: 7m, seed: 6, fields: [{name: at, holds: time}, {name: v, level: 5, "
         "noise: 2, seasons: [{period: 1d, amplitude: 1}]}]",
         &found);
    assert_int_equal(found.seasons_count, 1);
    assert_true(fabs(found.seasons[0].period_ms - 24.0 * HOUR_MS) < 1e-3);
    assert_true(fabs(found.noise_sd - 2) < 0.06);
    /* One beside the hour, with little noise, is none of the calendar. */
    make("count: 5000, step: 1m, seed: 6, fields: [{name: at, holds: time}, {name: v, level: 5, "
         "noise: 0.2, seasons: [{period: 3630s, amplitude: 1}]}]",
         &found);
    assert_int_equal(found.seasons_count, 1);
    assert_true(fabs(found.seasons[0].period_ms / 3630e3 - 1) < 0.001);
}

static void noise_is_that_of_the_values_also_where_they_are_averaged(void **state)
{
    MR_UNUSED(state);
    struct mr_fit_series found;
    make("count: 60000, step: 1s, seed: 8, fields: [{name: at, holds: time}, {name: v, level: 5, "
         "noise: 2, seasons: [{period: 1h, amplitude: 3}]}]",
         &found);
    assert_int_equal(found.points, 60000);
    assert_int_equal(found.seasons_count, 1);
    assert_true(fabs(found.noise_sd - 2) < 0.03);
}

static void noise_has_no_season(void **state)
{
    MR_UNUSED(state);
    uint32_t trends = 0;
    for (uint32_t seed = 0; seed < 20; seed++) {
        struct mr_random random;
        struct mr_fit_series found;
        mr_random_init(&random, seed, 1);
        for (int row = 0; row < 1000; row++) {
            times_ms[row] = row * 1000;
            values[row] = mr_random_double(&random);
        }
        mr_fit_series(times_ms, values, 1000, &found);
        assert_int_equal(found.seasons_count, 0);
        trends += found.trend_per_hour != 0;
        assert_true(fabs(found.noise_sd - 0.2887) < 0.02);
    }
    assert_int_equal(trends, 0);
}

static void odd_values_are_met(void **state)
{
    MR_UNUSED(state);
    struct mr_fit_series found;
    mr_fit_series(times_ms, values, 0, &found);
    assert_int_equal(found.points, 0);
    for (int row = 0; row < 1000; row++) {
        times_ms[row] = 5;
        values[row] = row % 3 == 0 ? NAN : 1e140;
    }
    mr_fit_series(times_ms, values, 1000, &found); /* one time */
    assert_int_equal(found.points, 666);
    assert_true(found.level == 0);
    for (int row = 0; row < 1000; row++)
        times_ms[row] = row;
    mr_fit_series(times_ms, values, 1000, &found); /* constant */
    assert_int_equal(found.seasons_count, 0);
    assert_true(fabs(found.level / 1e140 - 1) < 1e-9 && found.trend_per_hour == 0);
    for (int row = 0; row < 1000; row++)
        values[row] = row == 0 ? -0.0 : row % 2 == 0 ? 1e140 : -1e140;
    mr_fit_series(times_ms, values, 1000, &found);
    assert_true(isfinite(found.level) && isfinite(found.noise_sd));
    for (int row = 0; row < 1000; row++)
        values[row] = row % 7 == 0 ? 5e-324 : 0;
    mr_fit_series(times_ms, values, 1000, &found);
    assert_true(isfinite(found.level) && isfinite(found.noise_sd));
    for (int row = 0; row < 1000; row++)
        values[row] = 0;
    mr_fit_series(times_ms, values, 1000, &found);
    assert_true(found.level == 0 && found.noise_sd == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_season_and_a_trend_are_found),
        cmocka_unit_test(two_seasons_are_found_the_stronger_first),
        cmocka_unit_test(periods_of_the_calendar_are_exact),
        cmocka_unit_test(noise_is_that_of_the_values_also_where_they_are_averaged),
        cmocka_unit_test(noise_has_no_season),
        cmocka_unit_test(odd_values_are_met),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
