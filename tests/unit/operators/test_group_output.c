/* tests/unit/operators/test_group_output.c — rows of groups: many, and with a condition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

enum { KEYS = 5000 };

static void open(struct harness *harness, const char *more)
{
    char text[512];
    snprintf(
        text, sizeof(text),
        "    - {name: op, type: window.aggregate, from: in, key: [k], window: {tumbling: 10s}, "
        "aggregates: {size: count(), final: last(value)}%s}\n",
        more);
    harness_open(harness, text, "    - {name: out, type: memory, from: op}\n", "op");
}

static void feed_keys(struct harness *harness)
{
    static char keys[KEYS][8];
    for (uint32_t i = 0; i < KEYS; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%04u", KEYS - i);
        struct harness_row row = harness_row(i, keys[i], mr_value_double(i));
        row.event_time_ms = 1000;
        harness_feed(harness, 0, &row, 1);
    }
}

static void count_views(void *argument, const struct harness *harness, uint32_t output,
                        struct mr_view view)
{
    uint32_t *views = argument;
    MR_UNUSED(harness);
    assert_int_equal(output, 0);
    assert_true(view.rows_count <= MR_LIMIT_BATCH_ROWS);
    (*views)++;
}

static void many_groups_leave_in_several_batches(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    uint32_t views = 0;
    open(&harness, "");
    harness.on_emit = count_views;
    harness.on_emit_argument = &views;
    feed_keys(&harness);
    harness_watermark(&harness, 10000);
    assert_int_equal(harness.emitted_count[0], KEYS);
    assert_in_range(views, 2, 10);
    const char *first = strstr(harness_output(&harness, 0), "string:'0001'");
    const char *second = strstr(harness_output(&harness, 0), "string:'0002'");
    assert_true(first != NULL && second != NULL && first < second);
    harness_close(&harness);
}

static void a_condition_that_fails_reports_the_row(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", having: 'final / 0.0 > 1.0 || [1][int(final)] == 1'");
    struct harness_row row = harness_row(1, "a", mr_value_double(0));
    row.event_time_ms = 1000;
    harness_feed(&harness, 0, &row, 1);
    row = harness_row(2, "b", mr_value_double(-3));
    row.event_time_ms = 2000;
    harness_feed(&harness, 0, &row, 1);
    harness_watermark(&harness, 10000);
    assert_int_equal(harness.emitted_count[0], 1);
    assert_int_equal(harness.errors_count, 1);
    assert_non_null(strstr(harness_errors(&harness), "having: "));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_groups_leave_in_several_batches),
        cmocka_unit_test(a_condition_that_fails_reports_the_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
