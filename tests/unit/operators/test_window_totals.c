/* tests/unit/operators/test_window_totals.c — long windows by totals of neighbouring panes: beside
 * a plain computation, and to the last bit the same after restores. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"
#include "operators/window_totals.h"
#include "tests/support/operator_harness.h"

enum { ROWS = 2000, KEYS = 3, RESULTS_MAX = 60000, SIZE_MS = 20100, EVERY_MS = 1000 };

struct result {
    char key[8]; /* the first bytes */
    int64_t end_ms;
    int64_t count;
    double sum;
    double deviation;
};

struct results {
    uint32_t count;
    struct result items[RESULTS_MAX];
};

static struct results first_results;
static struct results results;
static struct harness_row rows[ROWS];

static void collect(void *argument, const struct harness *harness, uint32_t output,
                    struct mr_view view)
{
    struct results *collected = argument;
    if (output != 0)
        return;
    const uint32_t *slots = harness->plan->domains[harness->node->outputs[0].domain].field_slots;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        assert_true(collected->count < RESULTS_MAX);
        struct result *result = &collected->items[collected->count++];
        memset(result, 0, sizeof(*result));
        memcpy(result->key, view.batch->columns[slots[0]][row].text, 2);
        result->end_ms = view.batch->columns[slots[2]][row].integer;
        /* In name order: rows, spread, total. */
        result->count = view.batch->columns[slots[4]][row].integer;
        (void)mr_value_as_double(view.batch->columns[slots[5]][row], &result->deviation);
        assert_true(mr_value_as_double(view.batch->columns[slots[6]][row], &result->sum));
    }
}

/* Rows of which many are behind the watermark: late for some windows, in time for others. */
static void make_rows(bool exact)
{
    static char long_key[256];
    static const char *const keys[KEYS] = {"aa", "bb", long_key};
    struct mr_random random;
    mr_random_init(&random, 21, exact);
    memset(long_key, 'c', sizeof(long_key) - 1);
    for (int64_t i = 0; i < ROWS; i++) {
        int64_t now_ms = i * 40 - 30000; /* pane numbers of both signs */
        double value = (double)mr_random_below(&random, 1000);
        rows[i] = harness_row(i, keys[mr_random_below(&random, KEYS)],
                              mr_value_double(exact ? value : value / 7));
        rows[i].event_time_ms = now_ms - (int64_t)mr_random_below(&random, 3000);
        if (mr_random_below(&random, 10) == 0)
            rows[i].event_time_ms -= (int64_t)mr_random_below(&random, 15000);
        rows[i].watermark_ms = now_ms - 2000;
    }
}

/* cut: rows per batch at most; restores: now and then everything in memory is lost. */
static void run(struct results *collected, const char *more, uint32_t cut, bool restores)
{
    struct harness harness;
    struct mr_random random;
    char text[512];
    mr_random_init(&random, 3, cut);
    snprintf(text, sizeof(text),
             "    - {name: op, type: window.aggregate, from: in, key: [k], "
             "window: {hopping: 20100ms, every: 1s}, "
             "aggregates: {rows: count(), total: sum(value), spread: stddev(value)}%s}\n",
             more);
    harness_open(&harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: late, type: memory, from: op.late}\n",
                 "op");
    collected->count = 0;
    harness.on_emit = collect;
    harness.on_emit_argument = collected;
    harness.quiet = true;
    harness.row_watermarks = true;
    for (uint32_t i = 0; i < ROWS;) {
        uint32_t count = 1 + (uint32_t)mr_random_below(&random, cut);
        count = count < ROWS - i ? count : ROWS - i;
        harness_feed(&harness, 0, rows + i, count);
        i += count;
        if (restores && mr_random_below(&random, 3) == 0) {
            harness_commit(&harness);
            harness_restore(&harness);
        }
    }
    harness_watermark(&harness, INT64_C(1) << 40);
    assert_int_equal(harness.errors_count, 0);
    harness_close(&harness);
}

static void compare_runs(const char *more)
{
    run(&first_results, more, 4000, false);
    assert_true(first_results.count > 100);
    for (uint32_t cut = 20; cut <= 500; cut += 160) {
        run(&results, more, cut, true);
        assert_int_equal(results.count, first_results.count);
        assert_memory_equal(results.items, first_results.items,
                            results.count * sizeof(results.items[0]));
    }
}

static void results_are_those_of_a_plain_computation(void **state)
{
    MR_UNUSED(state);
    make_rows(true);
    run(&results, "", 300, true);
    assert_true(results.count > 200);
    for (uint32_t i = 0; i < results.count; i++) {
        const struct result *result = &results.items[i];
        int64_t count = 0;
        double sum = 0;
        for (uint32_t row = 0; row < ROWS; row++) {
            if (rows[row].event_time_ms >= result->end_ms ||
                rows[row].event_time_ms < result->end_ms - SIZE_MS ||
                rows[row].watermark_ms >= result->end_ms ||
                memcmp(rows[row].cells[0].value.text, result->key, 2) != 0)
                continue;
            count++;
            sum += rows[row].cells[1].value.number;
        }
        assert_int_equal(result->count, count);
        assert_true(result->sum == sum);
        assert_true(i == 0 || result->end_ms == results.items[i - 1].end_ms ||
                    result->end_ms == results.items[i - 1].end_ms + EVERY_MS);
    }
}

static void restores_change_no_bit(void **state)
{
    MR_UNUSED(state);
    make_rows(false);
    compare_runs("");
    compare_runs(", lateness: 3s");
}

static void updates_see_panes_that_change(void **state)
{
    MR_UNUSED(state);
    make_rows(false);
    compare_runs(", emit: update");
}

static void panes_that_a_full_table_drops_are_in_no_total(void **state)
{
    MR_UNUSED(state);
    make_rows(false);
    compare_runs(", state: {max_keys: 150}");
}

static void totals_are_only_where_they_are_of_use(void **state)
{
    MR_UNUSED(state);
    struct mr_windowing windowing = {.set = {.cell_bytes = 24}};
    windowing.grid.panes = 7;
    mr_window_totals_open(&windowing);
    assert_null(windowing.totals);
    windowing.grid.panes = MR_WINDOW_PANES_MAX;
    windowing.ring_inline = true;
    mr_window_totals_open(&windowing);
    assert_null(windowing.totals);
    windowing.ring_inline = false;
    windowing.set.cell_bytes = MR_AGGREGATE_SET_CELL_BYTES; /* the largest tree has room */
    mr_window_totals_open(&windowing);
    assert_non_null(windowing.totals);
    mr_memory_free(windowing.totals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_of_a_plain_computation),
        cmocka_unit_test(restores_change_no_bit),
        cmocka_unit_test(updates_see_panes_that_change),
        cmocka_unit_test(panes_that_a_full_table_drops_are_in_no_total),
        cmocka_unit_test(totals_are_only_where_they_are_of_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
