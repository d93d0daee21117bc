/* tests/unit/operators/test_window_aligned.c — tumbling and hopping windows: values by hand, and
 * random rows beside a plain computation over all of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "tests/support/operator_harness.h"

static struct harness_row event(const char *key, int64_t time_ms, double value)
{
    struct harness_row row = harness_row(time_ms, key, mr_value_double(value));
    row.event_time_ms = time_ms;
    return row;
}

static void open(struct harness *harness, const char *options)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "    - {name: op, type: window.aggregate, from: in, key: [k], %s}\n", options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: late, type: memory, from: op.late}\n",
                 "op");
    harness->row_watermarks = false;
}

/* ---- What came out ---- */

enum { RESULTS_MAX = 20000 };

struct result {
    char key[16];
    int64_t start_ms;
    int64_t end_ms;
    int64_t count;
    double sum;
    double lowest;
};

struct results {
    struct result items[RESULTS_MAX];
    uint32_t count;
};

static void collect(void *argument, const struct harness *harness, uint32_t output,
                    struct mr_view view)
{
    struct results *results = argument;
    if (output != 0)
        return;
    const uint32_t *slots = harness->plan->domains[harness->node->outputs[0].domain].field_slots;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        assert_true(results->count < RESULTS_MAX);
        struct result *result = &results->items[results->count++];
        struct mr_value key = view.batch->columns[slots[0]][row];
        snprintf(result->key, sizeof(result->key), "%.*s", (int)key.size, (const char *)key.text);
        result->start_ms = view.batch->columns[slots[1]][row].integer;
        result->end_ms = view.batch->columns[slots[2]][row].integer;
        /* In name order: low, rows, total. */
        struct mr_value lowest = view.batch->columns[slots[4]][row];
        struct mr_value count = view.batch->columns[slots[5]][row];
        struct mr_value sum = view.batch->columns[slots[6]][row];
        assert_true(mr_value_as_double(lowest, &result->lowest));
        assert_int_equal(count.kind, MR_KIND_INT);
        result->count = count.integer;
        assert_true(mr_value_as_double(sum, &result->sum));
        assert_int_equal(view.batch->event_times_ms[row], result->end_ms - 1);
    }
}

static const char aggregates[] = "aggregates: {rows: count(), total: sum(value), low: min(value)";

static void expect(const struct results *results, uint32_t index, const char *key, int64_t start_ms,
                   int64_t end_ms, int64_t count, double sum)
{
    const struct result *result = &results->items[index];
    assert_true(index < results->count);
    assert_string_equal(result->key, key);
    assert_int_equal(result->start_ms, start_ms);
    assert_int_equal(result->end_ms, end_ms);
    assert_int_equal(result->count, count);
    assert_true(result->sum == sum);
}

static struct results results;

/* further: aggregates whose names sort behind. */
static void open_further(struct harness *harness, const char *window, const char *further,
                         const char *more)
{
    char options[512];
    snprintf(options, sizeof(options), "window: %s, %s%s}%s", window, aggregates, further, more);
    open(harness, options);
    results.count = 0;
    harness->on_emit = collect;
    harness->on_emit_argument = &results;
    harness->quiet = true;
}

static void open_collecting(struct harness *harness, const char *window, const char *more)
{
    open_further(harness, window, "", more);
}

static void feed(struct harness *harness, const struct harness_row *rows, uint32_t count)
{
    harness_feed(harness, 0, rows, count);
}

/* ---- By hand ---- */

static void tumbling_windows_close_in_order(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_collecting(&harness, "{tumbling: 10s}", "");
    const struct harness_row rows[] = {event("b", 1000, 1), event("a", 9999, 2),
                                       event("a", 10000, 4), event("b", 2000, 8),
                                       event("a", 25000, 16)};
    feed(&harness, rows, 5);
    harness_watermark(&harness, 9999);
    assert_int_equal(results.count, 0);
    harness_watermark(&harness, 10000);
    assert_int_equal(results.count, 2);
    expect(&results, 0, "a", 0, 10000, 1, 2);
    expect(&results, 1, "b", 0, 10000, 2, 9);
    harness_watermark(&harness, 40000);
    assert_int_equal(results.count, 4);
    expect(&results, 2, "a", 10000, 20000, 1, 4);
    expect(&results, 3, "a", 20000, 30000, 1, 16);
    harness_close(&harness);
}

static void rows_behind_the_end_are_late(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_collecting(&harness, "{tumbling: 10s, offset: 3s}", ", lateness: 2s");
    const struct harness_row first = event("a", 4000, 1);
    feed(&harness, &first, 1);
    harness_watermark(&harness, 14999);
    assert_int_equal(results.count, 0);
    const struct harness_row rows[] = {event("a", 12999, 2), event("a", 2999, 4)};
    feed(&harness, rows, 2);
    assert_int_equal(harness.late_count, 1);
    assert_int_equal(harness.emitted_count[1], 1);
    harness_watermark(&harness, 15000);
    assert_int_equal(results.count, 1);
    expect(&results, 0, "a", 3000, 13000, 2, 3);
    feed(&harness, rows, 1);
    assert_int_equal(harness.late_count, 2);
    harness_watermark(&harness, 100000);
    assert_int_equal(results.count, 1);
    harness_close(&harness);
}

static void hopping_windows_share_panes(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_collecting(&harness, "{hopping: 10s, every: 4s}", "");
    const struct harness_row rows[] = {event("a", 5000, 1), event("a", 9000, 2)};
    feed(&harness, rows, 2);
    harness_watermark(&harness, 1000000);
    assert_int_equal(results.count, 4);
    expect(&results, 0, "a", -4000, 6000, 1, 1);
    expect(&results, 1, "a", 0, 10000, 2, 3);
    expect(&results, 2, "a", 4000, 14000, 2, 3);
    expect(&results, 3, "a", 8000, 18000, 1, 2);
    harness_close(&harness);
}

static void a_row_late_for_some_windows_counts_in_the_others(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_collecting(&harness, "{hopping: 10s, every: 5s}", "");
    harness_watermark(&harness, 10000);
    const struct harness_row row = event("a", 7000, 1);
    feed(&harness, &row, 1);
    harness_watermark(&harness, 20000);
    assert_int_equal(results.count, 1);
    expect(&results, 0, "a", 5000, 15000, 1, 1);
    assert_int_equal(harness.late_count, 0);
    harness_close(&harness);
}

static void having_drops_results(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_collecting(&harness, "{tumbling: 10s}", ", having: 'rows > 1 && window_end < 30000'");
    const struct harness_row rows[] = {event("a", 1000, 1), event("a", 2000, 2),
                                       event("b", 2000, 8)};
    feed(&harness, rows, 3);
    harness_watermark(&harness, 10000);
    assert_int_equal(results.count, 1);
    expect(&results, 0, "a", 0, 10000, 2, 3);
    harness_close(&harness);
}

static void updates_are_emitted_per_record(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_collecting(&harness, "{hopping: 10s, every: 5s}", ", emit: update");
    const struct harness_row rows[] = {event("a", 6000, 1), event("a", 11000, 2)};
    feed(&harness, rows, 2);
    assert_int_equal(results.count, 4);
    expect(&results, 0, "a", 0, 10000, 1, 1);
    expect(&results, 1, "a", 5000, 15000, 1, 1);
    expect(&results, 2, "a", 5000, 15000, 2, 3);
    expect(&results, 3, "a", 10000, 20000, 1, 2);
    harness_watermark(&harness, 100000);
    assert_int_equal(results.count, 4);
    harness_close(&harness);
}

static void periodic_results_and_the_final_one(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_collecting(&harness, "{tumbling: 10s}", ", emit: periodic, emit_every: 3s");
    struct harness_row row = event("a", 1000, 1);
    feed(&harness, &row, 1);
    harness_watermark(&harness, 3500);
    assert_int_equal(results.count, 1);
    expect(&results, 0, "a", 0, 10000, 1, 1);
    harness_watermark(&harness, 8000); /* nothing has changed */
    assert_int_equal(results.count, 1);
    row = event("a", 5000, 2);
    feed(&harness, &row, 1);
    harness_watermark(&harness, 9000);
    assert_int_equal(results.count, 2);
    expect(&results, 1, "a", 0, 10000, 2, 3);
    harness_watermark(&harness, 10000);
    assert_int_equal(results.count, 3);
    expect(&results, 2, "a", 0, 10000, 2, 3);
    harness_close(&harness);
}

static void a_row_that_cannot_be_added_changes_nothing(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_collecting(&harness, "{tumbling: 10s}", "");
    struct harness_row row = event("a", 1000, (double)NAN);
    feed(&harness, &row, 1);
    assert_int_equal(harness.errors_count, 1);
    harness_watermark(&harness, 10000);
    assert_int_equal(results.count, 0);
    row = event("a", 11000, 5);
    feed(&harness, &row, 1);
    harness_watermark(&harness, 20000);
    assert_int_equal(results.count, 1);
    expect(&results, 0, "a", 10000, 20000, 1, 5);
    harness_close(&harness);
}

/* ---- Beside a plain computation ---- */

enum { RANDOM_ROWS = 3000, RANDOM_KEYS = 7 };

struct plain {
    int64_t size_ms;
    int64_t every_ms;
    int64_t ahead_ms; /* rows now and then are this far ahead */
    const char *window;
    uint64_t cut_seed;
    bool restores;
    const char *further; /* aggregates, which make cells larger or heavy */
};

static struct harness_row rows[RANDOM_ROWS];
static int64_t watermarks_ms[RANDOM_ROWS];

static void make_rows(const struct plain *plain)
{
    static const char *const keys[RANDOM_KEYS] = {"a", "b", "c", "d", "e", "f", "gg"};
    struct mr_random random;
    mr_random_init(&random, 11, (uint64_t)plain->size_ms);
    int64_t highest = INT64_MIN;
    for (uint32_t i = 0; i < RANDOM_ROWS; i++) {
        int64_t time_ms = 1000000 + (int64_t)i * 37 - (int64_t)mr_random_below(&random, 4000);
        if (mr_random_below(&random, 100) == 0)
            time_ms += plain->ahead_ms;
        rows[i] = event(keys[mr_random_below(&random, RANDOM_KEYS)], time_ms,
                        (double)mr_random_below(&random, 1000));
        rows[i].offset = i;
        int64_t plain_time = 1000000 + (int64_t)i * 37;
        watermarks_ms[i] = i == 0 ? INT64_MIN : highest - 4000;
        if (plain_time > highest)
            highest = plain_time;
        rows[i].watermark_ms = watermarks_ms[i];
    }
}

static int compare_results(const void *left, const void *right)
{
    const struct result *a = left;
    const struct result *b = right;
    if (a->end_ms != b->end_ms)
        return a->end_ms < b->end_ms ? -1 : 1;
    return strcmp(a->key, b->key);
}

static int64_t floor_to(int64_t time_ms, int64_t step_ms)
{
    int64_t rest = time_ms % step_ms;
    return time_ms - (rest < 0 ? rest + step_ms : rest);
}

static struct results expected;

static void add_expected(const struct harness_row *row, int64_t start_ms, int64_t end_ms)
{
    const char *key = (const char *)row->cells[0].value.text;
    double value = row->cells[1].value.number;
    struct result *result = NULL;
    for (uint32_t i = 0; i < expected.count && result == NULL; i++)
        if (expected.items[i].end_ms == end_ms && strcmp(expected.items[i].key, key) == 0)
            result = &expected.items[i];
    if (result == NULL) {
        assert_true(expected.count < RESULTS_MAX);
        result = &expected.items[expected.count++];
        *result = (struct result){.start_ms = start_ms, .end_ms = end_ms, .lowest = value};
        snprintf(result->key, sizeof(result->key), "%s", key);
    }
    result->count++;
    result->sum += value;
    if (value < result->lowest)
        result->lowest = value;
}

static uint64_t compute_expected(const struct plain *plain)
{
    uint64_t late = 0;
    expected.count = 0;
    for (uint32_t i = 0; i < RANDOM_ROWS; i++) {
        bool any = false;
        for (int64_t start_ms = floor_to(rows[i].event_time_ms, plain->every_ms);
             start_ms > rows[i].event_time_ms - plain->size_ms; start_ms -= plain->every_ms) {
            if (watermarks_ms[i] >= start_ms + plain->size_ms)
                continue;
            any = true;
            add_expected(&rows[i], start_ms, start_ms + plain->size_ms);
        }
        late += !any;
    }
    qsort(expected.items, expected.count, sizeof(expected.items[0]), compare_results);
    return late;
}

static void run_random(const struct plain *plain)
{
    struct harness harness;
    struct mr_random random;
    mr_random_init(&random, plain->cut_seed, 5);
    make_rows(plain);
    uint64_t late = compute_expected(plain);
    open_further(&harness, plain->window, plain->further, "");
    harness.row_watermarks = true;
    for (uint32_t i = 0; i < RANDOM_ROWS;) {
        uint32_t count = 1 + (uint32_t)mr_random_below(&random, 300);
        count = count < RANDOM_ROWS - i ? count : RANDOM_ROWS - i;
        feed(&harness, rows + i, count);
        i += count;
        if (i < RANDOM_ROWS && mr_random_below(&random, 3) > 0)
            harness_watermark(&harness, watermarks_ms[i]);
        if (plain->restores && mr_random_below(&random, 3) == 0) {
            harness_commit(&harness);
            harness_restore(&harness);
        }
    }
    harness_watermark(&harness, INT64_C(1) << 40);
    assert_int_equal(harness.errors_count, 0);
    assert_int_equal(harness.late_count, late);
    assert_int_equal(results.count, expected.count);
    for (uint32_t i = 0; i < results.count; i++) {
        expect(&results, i, expected.items[i].key, expected.items[i].start_ms,
               expected.items[i].end_ms, expected.items[i].count, expected.items[i].sum);
        assert_true(results.items[i].lowest == expected.items[i].lowest);
    }
    harness_commit(&harness);
    const char *dump = harness_dump(&harness, &harness.plan_arena);
    uint32_t lines = 0;
    for (; *dump != '\0'; dump++)
        lines += *dump == '\n';
    assert_true(lines <= 4); /* the counts of the tables: nothing else is left */
    harness_close(&harness);
}

static void random_rows_give_what_a_plain_computation_gives(void **state)
{
    MR_UNUSED(state);
    static const struct plain cases[] = {
        {1000, 1000, 0, "{tumbling: 1s}", 0, false, ""},
        {700, 700, 9000, "{tumbling: 700ms}", 0, false, ""},
        {10000, 2000, 60000, "{hopping: 10s, every: 2s}", 0, false, ""},
        {5000, 3000, 90000, "{hopping: 5s, every: 3s}", 0, false, ""},
        {6000, 100, 400000, "{hopping: 6s, every: 100ms}", 0, false, ""},
        {20100, 1000, 400000, "{hopping: 20100ms, every: 1s}", 0, false, ""},
        {700, 700, 9000, "{tumbling: 700ms}", 0, false, ", zz: count_distinct(value)"},
        {5000, 3000, 90000, "{hopping: 5s, every: 3s}", 0, false, ", zz: count_distinct(value)"},
        {6000, 500, 400000, "{hopping: 6s, every: 500ms}", 0, false,
         ", za: stddev(value), zb: first(k), zc: last(k), zd: 'argmax(k, value)', "
         "ze: 'argmin(k, value)', zf: var(value)"},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct plain plain = cases[i];
            plain.cut_seed = seed;
            plain.restores = seed > 1;
            print_message("  %s%s, cut %d\n", plain.window, plain.further, (int)seed);
            run_random(&plain);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tumbling_windows_close_in_order),
        cmocka_unit_test(rows_behind_the_end_are_late),
        cmocka_unit_test(hopping_windows_share_panes),
        cmocka_unit_test(a_row_late_for_some_windows_counts_in_the_others),
        cmocka_unit_test(having_drops_results),
        cmocka_unit_test(updates_are_emitted_per_record),
        cmocka_unit_test(periodic_results_and_the_final_one),
        cmocka_unit_test(a_row_that_cannot_be_added_changes_nothing),
        cmocka_unit_test(random_rows_give_what_a_plain_computation_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
