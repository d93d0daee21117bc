/* tests/unit/worker/test_engine_series.c — a gauge shows the highest value of the last minute or
 * two, and goes with its task. */
#include "worker/engine_series.h"

#include "base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MINUTE_MS = 60000 };

static void a_gauge_forgets_after_two_minutes(void **state)
{
    (void)state;
    struct mr_metrics *metrics = mr_metrics_create();
    struct mr_gauge_series series;
    const int64_t now_ms = 1700000040000; /* the begin of a minute */
    mr_gauge_series_open(metrics, MR_ENGINE_OPERATOR_UTILISATION, "t", "last", 3, &series);
    mr_gauge_series_set(&series, 0.25, now_ms);
    assert_true(mr_metric_value(series.metric) == 0.25);
    mr_gauge_series_set(&series, 0.75, now_ms + 1);
    mr_gauge_series_set(&series, 0.5, now_ms + 2);
    assert_true(mr_metric_value(series.metric) == 0.75);
    mr_gauge_series_set(&series, 0.125, now_ms + MINUTE_MS);
    assert_true(mr_metric_value(series.metric) == 0.75);
    mr_gauge_series_set(&series, 0.0625, now_ms + 2 * MINUTE_MS);
    assert_true(mr_metric_value(series.metric) == 0.125);
    mr_gauge_series_set(&series, 0, now_ms + 9 * MINUTE_MS);
    assert_true(mr_metric_value(series.metric) == 0.0625);
    struct mr_buffer text;
    mr_buffer_init(&text, 1 << 20);
    assert_int_equal(mr_metrics_format_prometheus(metrics, &text), MR_OK);
    assert_int_equal(mr_buffer_append(&text, "", 1), MR_OK);
    assert_non_null(strstr((const char *)text.data,
                           "millrace_operator_utilisation_ratio{topology=\"t\",operator=\"last\","
                           "partition=\"3\"} 0.0625\n"));
    mr_gauge_series_close(metrics, &series);
    mr_buffer_clear(&text);
    assert_int_equal(mr_metrics_format_prometheus(metrics, &text), MR_OK);
    assert_int_equal(text.size, 0);
    mr_gauge_series_close(metrics, &series); /* again: nothing */
    mr_buffer_deinit(&text);
    mr_metrics_destroy(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gauge_forgets_after_two_minutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
