/* The table of the engine's metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/engine_metrics.h"

static void test_every_metric_is_declared_well(void **state)
{
    MR_UNUSED(state);
    for (int i = 0; i < MR_ENGINE_METRIC_COUNT; i++) {
        const struct mr_metric_spec *spec = mr_engine_metric((enum mr_engine_metric)i);
        assert_non_null(spec->name);
        assert_int_equal(strncmp(spec->name, "millrace_", 9), 0);
        assert_int_equal(spec->help[strlen(spec->help) - 1], '.');
        assert_non_null(spec->watch);
        assert_true(strlen(spec->watch) > strlen("Any rise."));
        assert_int_equal(spec->watch[strlen(spec->watch) - 1], '.');
        assert_null(strchr(spec->help, '|')); /* a cell of a table */
        assert_null(strchr(spec->watch, '|'));
        assert_non_null(spec->labels[0]);
        const char *total = strstr(spec->name, "_total");
        assert_int_equal(spec->kind == MR_METRIC_COUNTER, total != NULL && total[6] == '\0');
        for (int j = 0; j < i; j++)
            assert_string_not_equal(spec->name, mr_engine_metric((enum mr_engine_metric)j)->name);
    }
}

/* A row has five cells, none of them empty. */
static void check_row(const char *row)
{
    const char *end = strchr(row, '\n');
    uint32_t cells = 0;
    assert_memory_equal(row, "| ", 2);
    for (const char *at = row; at + 1 < end; cells++) {
        const char *next = strchr(at + 1, '|');
        assert_true(next > at + 3 && next < end); /* at least a letter between two spaces */
        assert_true(at[2] != ' ');
        at = next;
    }
    assert_int_equal(cells, 5);
}

static void test_table(void **state)
{
    MR_UNUSED(state);
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 1 << 16);
    assert_int_equal(mr_engine_metrics_table(&buffer), MR_OK);
    assert_int_equal(mr_buffer_append(&buffer, "", 1), MR_OK);
    const char *text = (const char *)buffer.data;
    assert_non_null(strstr(text, "| `millrace_operator_late_records_total` | counter | topology, "
                                 "operator | Records that came behind"));
    uint32_t lines = 0;
    for (const char *at = strchr(text, '\n'); at != NULL; at = strchr(at + 1, '\n'))
        if (++lines >= 2 && at[1] != '\0')
            check_row(at + 1);
    assert_int_equal(lines, MR_ENGINE_METRIC_COUNT + 2);
    mr_buffer_deinit(&buffer);
    mr_buffer_init(&buffer, 100);
    assert_int_equal(mr_engine_metrics_table(&buffer), MR_LIMIT);
    mr_buffer_deinit(&buffer);
}

/* Prometheus' own checker has nothing to say. */
static void test_promtool_accepts_the_text(void **state)
{
    MR_UNUSED(state);
    if (system("command -v promtool >/dev/null") != 0)
        skip(); /* Debian's package prometheus: script/bootstrap installs it */
    static const char *const values[] = {"a\"b\\c", "main", "0", NULL};
    struct mr_metrics *metrics = mr_metrics_create();
    for (int i = 0; i < MR_ENGINE_METRIC_COUNT; i++) {
        const struct mr_metric_spec *spec = mr_engine_metric((enum mr_engine_metric)i);
        struct mr_metric *metric = mr_metrics_series(metrics, spec, values);
        if (spec->kind == MR_METRIC_HISTOGRAM)
            mr_metric_observe(metric, 12345);
        else if (spec->kind == MR_METRIC_GAUGE)
            mr_metric_set(metric, 1.5);
        else
            mr_metric_add(metric, 3);
    }
    struct mr_buffer text;
    mr_buffer_init(&text, 1 << 20);
    assert_int_equal(mr_metrics_format_prometheus(metrics, &text), MR_OK);
    FILE *promtool = popen("promtool check metrics", "w");
    assert_non_null(promtool);
    assert_int_equal(fwrite(text.data, 1, text.size, promtool), text.size);
    assert_int_equal(pclose(promtool), 0);
    mr_buffer_deinit(&text);
    mr_metrics_destroy(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_metric_is_declared_well),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_promtool_accepts_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
