/* tests/unit/base/test_metrics.c — counters, gauges, the histogram's error bound, and the
 * Prometheus text. */
#include "base/metrics.h"

#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct mr_metric_spec records = {.name = "test_records_total",
                                              .help = "Records seen.\nSecond \\ line.",
                                              .kind = MR_METRIC_COUNTER,
                                              .labels =
                                                  (const char *const[]){"topology", "op", NULL}};
static const struct mr_metric_spec level = {
    .name = "test_level", .help = "A level.", .kind = MR_METRIC_GAUGE};
static const struct mr_metric_spec latency = {
    .name = "test_latency_us", .help = "Latency.", .kind = MR_METRIC_HISTOGRAM};

static const struct mr_metric_spec seconds = {.name = "test_seconds",
                                              .help = "Kept in microseconds.",
                                              .kind = MR_METRIC_HISTOGRAM,
                                              .text_divisor = 1000000};
static const struct mr_metric_spec since = {.name = "test_timestamp_seconds",
                                            .help = "Kept in milliseconds.",
                                            .kind = MR_METRIC_GAUGE,
                                            .text_divisor = 1000};

static void assert_text(struct mr_metrics *metrics, const char *expected)
{
    struct mr_buffer text;
    mr_buffer_init(&text, 1 << 20);
    assert_int_equal(mr_metrics_format_prometheus(metrics, &text), MR_OK);
    assert_int_equal(mr_buffer_append(&text, "", 1), MR_OK);
    assert_string_equal((const char *)text.data, expected);
    mr_buffer_deinit(&text);
}

static void test_prometheus_text(void **state)
{
    (void)state;
    struct mr_metrics *metrics = mr_metrics_create();
    struct mr_metric *second =
        mr_metrics_series(metrics, &records, (const char *const[]){"b", "say \"hi\"\\\n"});
    struct mr_metric *first = mr_metrics_series(metrics, &records, (const char *const[]){"a", "z"});
    struct mr_metric *gauge = mr_metrics_series(metrics, &level, NULL);
    mr_metric_add(first, 5);
    mr_metric_add(first, 2);
    mr_metric_add(second, UINT64_MAX);
    mr_metric_set(gauge, -2.5);
    assert_int_equal(mr_metric_count(first), 7);
    assert_true(mr_metric_value(gauge) == -2.5);
    assert_text(metrics, "# HELP test_level A level.\n"
                         "# TYPE test_level gauge\n"
                         "test_level -2.5\n"
                         "# HELP test_records_total Records seen.\\nSecond \\\\ line.\n"
                         "# TYPE test_records_total counter\n"
                         "test_records_total{topology=\"a\",op=\"z\"} 7\n"
                         "test_records_total{topology=\"b\",op=\"say \\\"hi\\\"\\\\\\n\"} "
                         "18446744073709551615\n");
    mr_metric_set(gauge, NAN);
    mr_metrics_remove(metrics, first);
    mr_metrics_remove(metrics, second);
    assert_text(metrics, "# HELP test_level A level.\n# TYPE test_level gauge\ntest_level NaN\n");
    mr_metric_set(gauge, (double)INFINITY);
    assert_text(metrics, "# HELP test_level A level.\n# TYPE test_level gauge\ntest_level +Inf\n");
    mr_metrics_remove(metrics, gauge);
    assert_text(metrics, "");
    mr_metrics_destroy(metrics);
}

static void test_equal_series_are_summed(void **state)
{
    (void)state;
    struct mr_metrics *metrics = mr_metrics_create();
    struct mr_metric *series[3];
    for (int i = 0; i < 3; i++) {
        series[i] = mr_metrics_series(metrics, &records, (const char *const[]){"a", "z"});
        mr_metric_add(series[i], (uint64_t)(i + 1));
    }
    const char *head = "# HELP test_records_total Records seen.\\nSecond \\\\ line.\n"
                       "# TYPE test_records_total counter\n"
                       "test_records_total{topology=\"a\",op=\"z\"} ";
    char expected[512];
    snprintf(expected, sizeof expected, "%s6\n", head);
    assert_text(metrics, expected);
    mr_metrics_remove(metrics, series[1]); /* the right one of three that compare equal */
    snprintf(expected, sizeof expected, "%s4\n", head);
    assert_text(metrics, expected);
    mr_metrics_destroy(metrics);
    mr_metrics_destroy(NULL);
}

static void test_text_ceiling(void **state)
{
    (void)state;
    struct mr_metrics *metrics = mr_metrics_create();
    (void)mr_metrics_series(metrics, &level, NULL);
    struct mr_buffer text;
    mr_buffer_init(&text, 20);
    assert_int_equal(mr_metrics_format_prometheus(metrics, &text), MR_LIMIT);
    mr_buffer_deinit(&text);
    mr_metrics_destroy(metrics);
}

static void test_text_is_in_its_own_unit(void **state)
{
    (void)state;
    struct mr_metrics *metrics = mr_metrics_create();
    mr_metric_observe(mr_metrics_series(metrics, &seconds, NULL), 1500000);
    mr_metric_set(mr_metrics_series(metrics, &since, NULL), 1700000000250.0);
    struct mr_buffer text;
    mr_buffer_init(&text, 1 << 20);
    assert_int_equal(mr_metrics_format_prometheus(metrics, &text), MR_OK);
    assert_int_equal(mr_buffer_append(&text, "", 1), MR_OK);
    static const char *const lines[] = {
        "test_seconds_bucket{le=\"0.000001\"} 0\n", "test_seconds_bucket{le=\"1.048575\"} 0\n",
        "test_seconds_bucket{le=\"2.097151\"} 1\n", "test_seconds_sum 1.5\n",
        "test_timestamp_seconds 1700000000.25\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strstr((const char *)text.data, lines[i]) == NULL)
            fail_msg("missing: %s", lines[i]);
    mr_buffer_deinit(&text);
    mr_metrics_destroy(metrics);
}

static void test_quantile_of_one_value_is_within_the_bound(void **state)
{
    (void)state;
    struct mr_metrics *metrics = mr_metrics_create();
    struct mr_random random;
    mr_random_init(&random, 1, 1);
    for (int i = 0; i < 4000; i++) {
        struct mr_metric *metric = mr_metrics_series(metrics, &latency, NULL);
        uint64_t value = mr_random_u64(&random) >> (i % 64);
        if (i < 70)
            value = i < 64 ? ((uint64_t)1 << i) - (uint64_t)(i % 2) : UINT64_MAX - (uint64_t)i + 64;
        mr_metric_observe(metric, value);
        double read = mr_metric_quantile(metric, 0.5);
        double wanted = (double)value;
        assert_true(fabs(read - wanted) <= wanted / 32.0);
        if (value < 32)
            assert_true(read == wanted);
        mr_metrics_remove(metrics, metric);
    }
    mr_metrics_destroy(metrics);
}

static void test_quantiles_follow_ranks(void **state)
{
    (void)state;
    struct mr_metrics *metrics = mr_metrics_create();
    struct mr_metric *metric = mr_metrics_series(metrics, &latency, NULL);
    assert_true(mr_metric_quantile(metric, 0.99) == 0.0);
    for (uint64_t value = 1000; value >= 1; value--)
        mr_metric_observe(metric, value);
    assert_int_equal(mr_metric_count(metric), 1000);
    static const double quantiles[] = {0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0};
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        double wanted = quantiles[i] * 1000;
        assert_true(fabs(mr_metric_quantile(metric, quantiles[i]) - wanted) <= wanted / 32.0);
    }
    assert_true(mr_metric_quantile(metric, 0.0) == 1.0);
    mr_metrics_destroy(metrics);
}

static void test_quantile_over_all_series(void **state)
{
    (void)state;
    struct mr_metrics *metrics = mr_metrics_create();
    static const struct mr_metric_spec other = {
        .name = "test_other_us", .help = "Other.", .kind = MR_METRIC_HISTOGRAM};
    assert_true(mr_metrics_quantile(metrics, &latency, 0.5) == 0.0);
    struct mr_metric *low = mr_metrics_series(metrics, &latency, NULL);
    struct mr_metric *high = mr_metrics_series(metrics, &latency, NULL);
    struct mr_metric *foreign = mr_metrics_series(metrics, &other, NULL);
    for (uint32_t i = 0; i < 60; i++)
        mr_metric_observe(low, 10);
    for (uint32_t i = 0; i < 40; i++)
        mr_metric_observe(high, 1000);
    for (uint32_t i = 0; i < 1000; i++)
        mr_metric_observe(foreign, 5);
    assert_true(mr_metrics_quantile(metrics, &latency, 0.60) == 10.0);
    assert_true(fabs(mr_metrics_quantile(metrics, &latency, 0.61) - 1000.0) <= 1000.0 / 32.0);
    mr_metrics_destroy(metrics);
}

static void test_histogram_text(void **state)
{
    (void)state;
    struct mr_metrics *metrics = mr_metrics_create();
    struct mr_metric *metric = mr_metrics_series(metrics, &latency, NULL);
    static const uint64_t values[] = {0, 1, 3, 4, 1023, 1024, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        mr_metric_observe(metric, values[i]);
    struct mr_buffer text;
    mr_buffer_init(&text, 1 << 20);
    assert_int_equal(mr_metrics_format_prometheus(metrics, &text), MR_OK);
    assert_int_equal(mr_buffer_append(&text, "", 1), MR_OK);
    static const char *const lines[] = {"# TYPE test_latency_us histogram\n",
                                        "test_latency_us_bucket{le=\"0\"} 1\n",
                                        "test_latency_us_bucket{le=\"1\"} 2\n",
                                        "test_latency_us_bucket{le=\"3\"} 3\n",
                                        "test_latency_us_bucket{le=\"7\"} 4\n",
                                        "test_latency_us_bucket{le=\"511\"} 4\n",
                                        "test_latency_us_bucket{le=\"1023\"} 5\n",
                                        "test_latency_us_bucket{le=\"2047\"} 6\n",
                                        "test_latency_us_bucket{le=\"1099511627775\"} 6\n",
                                        "test_latency_us_bucket{le=\"+Inf\"} 7\n",
                                        "test_latency_us_count 7\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strstr((const char *)text.data, lines[i]) == NULL)
            fail_msg("missing: %s", lines[i]);
    mr_buffer_deinit(&text);
    mr_metrics_destroy(metrics);
}

static void count_view(void *argument, const struct mr_metric_view *view)
{
    char *names = argument;
    strncat(names, view->spec->name, 40);
    if (view->label_values[0] != NULL)
        strncat(names, view->label_values[0], 40);
    strncat(names, ";", 2);
}

static void test_visit_is_sorted(void **state)
{
    (void)state;
    struct mr_metrics *metrics = mr_metrics_create();
    for (int i = 0; i < 40; i++) {
        char name[2] = {(char)('a' + i * 7 % 4), '\0'};
        struct mr_metric *metric =
            mr_metrics_series(metrics, &records, (const char *const[]){name, "x"});
        if (i >= 4)
            mr_metrics_remove(metrics, metric);
    }
    (void)mr_metrics_series(metrics, &level, NULL);
    char names[256] = "";
    mr_metrics_visit(metrics, count_view, names);
    assert_string_equal(names, "test_level;test_records_totala;test_records_totalb;"
                               "test_records_totalc;test_records_totald;");
    mr_metrics_destroy(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prometheus_text),
        cmocka_unit_test(test_equal_series_are_summed),
        cmocka_unit_test(test_text_ceiling),
        cmocka_unit_test(test_text_is_in_its_own_unit),
        cmocka_unit_test(test_quantile_of_one_value_is_within_the_bound),
        cmocka_unit_test(test_quantiles_follow_ranks),
        cmocka_unit_test(test_quantile_over_all_series),
        cmocka_unit_test(test_histogram_text),
        cmocka_unit_test(test_visit_is_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
