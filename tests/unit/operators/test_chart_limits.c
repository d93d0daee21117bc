/* tests/unit/operators/test_chart_limits.c — baselines and limits by hand. */
#include "operators/chart_limits.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

static double error_of(const struct mr_chart_rule_book *book,
                       const struct mr_chart_baseline *baseline, double weight)
{
    MR_UNUSED(book);
    return baseline->sigma / sqrt(weight);
}

static struct mr_range_constants spread_of(const struct mr_chart_rule_book *book, double weight)
{
    MR_UNUSED(book);
    MR_UNUSED(weight);
    return (struct mr_range_constants){2, 0.5};
}

static const struct mr_chart_kind kind = {
    .has_spread = true, .error = error_of, .spread = spread_of};

static struct mr_chart_measure measure(double location, double sigma)
{
    return (struct mr_chart_measure){location, 1, sigma, 2 * sigma};
}

static void a_sample_adds_up(void **state)
{
    MR_UNUSED(state);
    struct mr_chart_sample sample = {0};
    static const double values[] = {4, -2, 7, -0.0};
    for (int index = 0; index < 4; index++)
        mr_chart_sample_add(&sample, values[index], 100 - index * 10);
    assert_int_equal(sample.count, 4);
    assert_true(sample.mean == 2.25);
    assert_true(fabs(sample.squares - (16 + 4 + 49 - 4 * 2.25 * 2.25)) < 1e-12);
    assert_true(sample.minimum == -2 && sample.maximum == 7);
    assert_true(sample.first_ms == 70 && sample.last_ms == 100);
}

static void limits_of_location_and_spread(void **state)
{
    MR_UNUSED(state);
    struct mr_chart_rule_book book = {.kind = &kind, .sigmas = 3, .phase1_sigmas = 3};
    struct mr_chart_baseline baseline = {.center = 10, .sigma = 2};
    struct mr_chart_measure given = {.location = 14, .weight = 4, .sigma = 1, .spread = 7.5};
    struct mr_chart_point point;
    mr_chart_judge(&book, &baseline, &given, &point);
    assert_true(point.lines.lower == 7 && point.lines.upper == 13 && point.distance == 4);
    assert_true(point.beyond);
    assert_true(point.spread_lines.center == 4 && point.spread_lines.lower == 1);
    assert_true(point.spread_lines.upper == 7 && point.spread_beyond);
    given.spread = (double)NAN;
    given.location = 13;
    mr_chart_judge(&book, &baseline, &given, &point);
    assert_false(point.beyond || point.spread_beyond);
    /* Limits that are not as far from the centre on both sides. */
    book.is_fixed = true;
    book.fixed = (struct mr_chart_lines){10, 4, 13};
    given.location = 8;
    mr_chart_judge(&book, &baseline, &given, &point);
    assert_true(point.distance == -1 && !point.beyond);
    given.location = 12;
    mr_chart_judge(&book, &baseline, &given, &point);
    assert_true(point.distance == 2);
}

static void points_beyond_are_left_out(void **state)
{
    MR_UNUSED(state);
    struct mr_chart_rule_book book = {
        .kind = &kind, .sigmas = 3, .phase1_sigmas = 3, .excludes = true};
    struct mr_chart_kept kept[11];
    struct mr_chart_baseline baseline;
    for (int index = 0; index < 10; index++)
        kept[index].measure = measure(10 + index % 2, 1);
    kept[10].measure = measure(100, 1);
    assert_int_equal(mr_chart_estimate_baseline(&book, kept, 11, &baseline), 0);
    /* 100 pulls the centre so far that all the others are beyond: nothing is left out. With more
     * sigma only it is. */
    for (int index = 0; index < 11; index++)
        kept[index].measure.sigma = 4, kept[index].measure.spread = 8;
    assert_int_equal(mr_chart_estimate_baseline(&book, kept, 11, &baseline), 1);
    assert_true(kept[10].is_excluded);
    assert_true(fabs(baseline.center - 10.5) < 1e-12 && baseline.weight == 10);
    assert_true(baseline.sigma == 4);
    book.excludes = false;
    assert_int_equal(mr_chart_estimate_baseline(&book, kept, 11, &baseline), 0);
    assert_true(fabs(baseline.center - 205.0 / 11) < 1e-12);
}

static void an_unusual_spread_is_left_out(void **state)
{
    MR_UNUSED(state);
    struct mr_chart_rule_book book = {
        .kind = &kind, .sigmas = 3, .phase1_sigmas = 3, .excludes = true};
    struct mr_chart_kept kept[12];
    struct mr_chart_baseline baseline;
    for (int index = 0; index < 12; index++)
        kept[index].measure = measure(5, index == 3 ? 4 : 1);
    assert_int_equal(mr_chart_estimate_baseline(&book, kept, 12, &baseline), 1);
    assert_true(kept[3].is_excluded && baseline.sigma == 1);
}

static void weights_and_missing_spreads(void **state)
{
    MR_UNUSED(state);
    struct mr_chart_rule_book book = {.kind = &kind, .sigmas = 3, .phase1_sigmas = 3};
    struct mr_chart_kept kept[2] = {{.measure = {1, 3, (double)NAN, (double)NAN}},
                                    {.measure = {5, 1, 2, 4}}};
    struct mr_chart_baseline baseline;
    assert_int_equal(mr_chart_estimate_baseline(&book, kept, 2, &baseline), 0);
    assert_true(baseline.center == 2 && baseline.weight == 4);
    assert_true(baseline.sigma == 2 && baseline.sigmas_count == 1);
}

static void a_baseline_follows(void **state)
{
    MR_UNUSED(state);
    struct mr_chart_rule_book book = {.kind = &kind, .sigmas = 3, .phase1_sigmas = 3};
    const struct mr_chart_baseline begin = {
        .center = 2, .sigma = 1, .weight = 4, .sigmas_count = 3};
    struct mr_chart_measure given = measure(7, 3);
    struct mr_chart_baseline baseline = begin;
    mr_chart_follow(&book, &given, &baseline);
    assert_true(baseline.center == 2 && baseline.sigma == 1);
    book.update = MR_CHART_UPDATE_CUMULATIVE;
    mr_chart_follow(&book, &given, &baseline);
    assert_true(baseline.center == 3 && baseline.sigma == 1.5 && baseline.weight == 5);
    baseline = begin;
    book.update = MR_CHART_UPDATE_EXPONENTIAL;
    book.update_weight = 0.5;
    given.sigma = (double)NAN;
    mr_chart_follow(&book, &given, &baseline);
    assert_true(baseline.center == 4.5 && baseline.sigma == 1);
}

static double share_error(const struct mr_chart_rule_book *book,
                          const struct mr_chart_baseline *baseline, double weight)
{
    MR_UNUSED(book);
    return sqrt(baseline->center * (1 - baseline->center) / weight);
}

static void counts_have_a_floor_and_a_ceiling(void **state)
{
    MR_UNUSED(state);
    struct mr_chart_kind counts = {.counts = MR_COUNTS_ITEMS, .error = share_error};
    struct mr_chart_rule_book book = {.kind = &counts, .sigmas = 3, .phase1_sigmas = 3};
    struct mr_chart_baseline baseline = {.center = 0.5};
    struct mr_chart_measure given = {1, 4, (double)NAN, (double)NAN};
    struct mr_chart_point point;
    mr_chart_judge(&book, &baseline, &given, &point);
    assert_true(point.lines.lower == 0 && point.lines.upper == 1);
    assert_true(point.value == 1 && point.distance == 2 && !point.beyond);
    /* As totals; without a ceiling where there may be more defects than units. */
    counts.is_total = true;
    mr_chart_judge(&book, &baseline, &given, &point);
    assert_true(point.lines.center == 2 && point.lines.lower == 0 && point.lines.upper == 4);
    assert_true(point.value == 4 && point.distance == 2 && !point.beyond);
    counts.counts = MR_COUNTS_DEFECTS;
    mr_chart_judge(&book, &baseline, &given, &point);
    assert_true(point.lines.lower == 0 && point.lines.upper == 5);
    given.location = 1.0 / 49;
    given.weight = 49;
    assert_true(mr_chart_plotted(&counts, &given) == 1);
}

/* Each point of phase 1 has the limits of its weight. */
static void counts_are_left_out_by_their_sizes(void **state)
{
    MR_UNUSED(state);
    const struct mr_chart_kind counts = {.counts = MR_COUNTS_ITEMS, .error = share_error};
    struct mr_chart_rule_book book = {
        .kind = &counts, .sigmas = 3, .phase1_sigmas = 3, .excludes = true};
    struct mr_chart_kept kept[10];
    struct mr_chart_baseline baseline;
    for (int index = 0; index < 10; index++)
        kept[index].measure = (struct mr_chart_measure){0.1, 1000, (double)NAN, (double)NAN};
    kept[2].measure.location = kept[6].measure.location = 0.3;
    kept[2].measure.weight = 10;
    assert_int_equal(mr_chart_estimate_baseline(&book, kept, 10, &baseline), 1);
    assert_true(kept[6].is_excluded && !kept[2].is_excluded);
    assert_true(fabs(baseline.center - 803.0 / 8010) < 1e-12 && baseline.weight == 8010);
    assert_true(baseline.sigma == 0 && baseline.sigmas_count == 0);
}

static void numbers_stay_finite(void **state)
{
    MR_UNUSED(state);
    struct mr_chart_rule_book book = {.kind = &kind, .sigmas = 3, .phase1_sigmas = 3};
    struct mr_chart_baseline baseline = {.center = 1};
    struct mr_chart_measure given = {.location = 1, .weight = 1, .spread = (double)NAN};
    struct mr_chart_point point;
    mr_chart_judge(&book, &baseline, &given, &point);
    assert_true(point.distance == 0 && !point.beyond);
    given.location = 0;
    mr_chart_judge(&book, &baseline, &given, &point);
    assert_true(isfinite(point.distance) && point.distance < 0 && point.beyond);
    baseline.sigma = 5e-324;
    given.location = 1e140;
    mr_chart_judge(&book, &baseline, &given, &point);
    assert_true(isfinite(point.distance) && point.distance > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_adds_up),
        cmocka_unit_test(limits_of_location_and_spread),
        cmocka_unit_test(points_beyond_are_left_out),
        cmocka_unit_test(an_unusual_spread_is_left_out),
        cmocka_unit_test(weights_and_missing_spreads),
        cmocka_unit_test(a_baseline_follows),
        cmocka_unit_test(counts_have_a_floor_and_a_ceiling),
        cmocka_unit_test(counts_are_left_out_by_their_sizes),
        cmocka_unit_test(numbers_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
