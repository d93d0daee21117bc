/* tests/unit/operators/test_sort.c — records in the order of their event times. */
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

static void open_sort(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: sort, from: in%s}\n"
             "    - {name: behind, type: filter, from: op, where: 'value > -1e9 && k != \"\"'}\n"
             "    - {name: late, type: filter, from: op.late, where: 'value > -1e9'}\n",
             options);
    harness_open(harness, text, "", "op");
    harness->row_watermarks = true;
}

static struct harness_row row_at(int64_t offset, const char *key, int64_t time_ms,
                                 int64_t watermark_ms)
{
    struct harness_row row = harness_row(offset, key, mr_value_double((double)offset / 2));
    row.event_time_ms = time_ms;
    row.watermark_ms = watermark_ms;
    return row;
}

static void rows_leave_as_the_watermark_passes(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_sort(&harness, ", key: [k]");
    const struct harness_row rows[] = {
        row_at(0, "a", 30, INT64_MIN), row_at(1, "b", 10, INT64_MIN), row_at(2, "a", 20, INT64_MIN),
        row_at(3, "b", 20, INT64_MIN), row_at(4, "a", 10, INT64_MIN),
    };
    harness_feed(&harness, 0, rows, MR_ARRAY_COUNT(rows));
    assert_string_equal(harness_offsets(&harness, 0), "");
    harness_watermark(&harness, 10);
    assert_string_equal(harness_offsets(&harness, 0), "");
    harness_watermark(&harness, 11);
    assert_string_equal(harness_offsets(&harness, 0), "1 4");
    harness_commit(&harness);
    harness_restore(&harness);
    harness_watermark(&harness, 30);
    assert_string_equal(harness_offsets(&harness, 0), "1 4 2 3");
    harness_watermark(&harness, INT64_MAX);
    assert_string_equal(harness_offsets(&harness, 0), "1 4 2 3 0");
    assert_int_equal(harness.late_count, 0);
    harness_close(&harness);
}

static void late_rows_have_their_output(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_sort(&harness, ", key: [k]");
    const struct harness_row rows[] = {row_at(0, "a", 100, INT64_MIN), row_at(1, "a", 50, 51),
                                       row_at(2, "a", 51, 51), row_at(3, "a", 49, 51)};
    harness_feed(&harness, 0, rows, MR_ARRAY_COUNT(rows));
    assert_string_equal(harness_offsets(&harness, 1), "1 3");
    assert_int_equal(harness.late_count, 2);
    harness_watermark(&harness, 200);
    assert_string_equal(harness_offsets(&harness, 0), "2 0");
    harness_close(&harness);
}

static void a_full_task_lets_the_earliest_go(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_sort(&harness, ", key: [k], max_records: 3");
    const struct harness_row rows[] = {
        row_at(0, "a", 40, INT64_MIN), row_at(1, "b", 20, INT64_MIN),
        row_at(2, "a", 30, INT64_MIN), row_at(3, "a", 50, INT64_MIN), /* pushes out 1 */
        row_at(4, "b", 19, INT64_MIN),                                /* late */
        row_at(5, "b", 20, INT64_MIN),                                /* leaves at once */
        row_at(6, "b", 60, 31), /* pushes out 2, whose time has come */
        row_at(7, "b", 35, 31), /* and so is not late, and leaves */
    };
    harness_feed(&harness, 0, rows, MR_ARRAY_COUNT(rows));
    assert_string_equal(harness_offsets(&harness, 0), "1 5 2 7");
    assert_string_equal(harness_offsets(&harness, 1), "4");
    harness_commit(&harness);
    harness_restore(&harness);
    struct harness_row late = row_at(8, "b", 34, 31);
    harness_feed(&harness, 0, &late, 1);
    assert_string_equal(harness_offsets(&harness, 1), "4 8");
    harness_watermark(&harness, 1000);
    assert_string_equal(harness_offsets(&harness, 0), "1 5 2 7 0 3 6");
    harness_close(&harness);
}

struct cells {
    const struct harness *harness;
    struct mr_slice texts[8];
    char copies[8][20000];
    uint32_t count;
};

static void note_cells(void *argument, const struct harness *harness, uint32_t output,
                       struct mr_view view)
{
    struct cells *cells = argument;
    MR_UNUSED(harness);
    if (output != 0)
        return;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        for (uint32_t slot = 0; slot < view.batch->slots_count; slot++) {
            struct mr_value cell = mr_batch_column(view.batch, slot)[row];
            if (cell.kind != MR_KIND_STRING)
                continue;
            assert_true(cell.size <= sizeof(cells->copies[0]));
            memcpy(cells->copies[cells->count], cell.text, cell.size);
            cells->texts[cells->count] = mr_slice_from(cells->copies[cells->count], cell.size);
            cells->count++;
        }
    }
}

/* Rows that fit the object, fill it, need one slot, and several. */
static void rows_of_any_size_are_kept(void **state)
{
    MR_UNUSED(state);
    static const uint32_t sizes[] = {1, 400, 470, 500, 3000, 9000};
    static struct cells cells;
    static char texts[MR_ARRAY_COUNT(sizes)][9001];
    struct harness harness;
    cells = (struct cells){0};
    open_sort(&harness, ", key: [k]");
    harness.on_emit = note_cells;
    harness.on_emit_argument = &cells;
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(sizes); index++) {
        memset(texts[index], 'a' + (int)index, sizes[index]);
        struct harness_row row = row_at(index, texts[index], 100 - index, INT64_MIN);
        harness_feed(&harness, 0, &row, 1);
        if (index == 3) {
            harness_commit(&harness);
            harness_restore(&harness);
        }
    }
    harness_watermark(&harness, 1000);
    assert_int_equal(cells.count, MR_ARRAY_COUNT(sizes));
    for (uint32_t index = 0; index < cells.count; index++)
        assert_true(mr_slice_equal(cells.texts[cells.count - 1 - index],
                                   mr_slice_from(texts[index], sizes[index])));
    harness_commit(&harness);
    /* The task's entry is left; of rows and keys nothing. */
    const char *dump = harness_dump(&harness, &harness.plan_arena);
    uint32_t lines = 0;
    for (; *dump != '\0'; dump++)
        lines += *dump == '\n';
    assert_in_range(lines, 1, 4);
    harness_close(&harness);
}

static void rows_without_a_key_are_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_sort(&harness, ", key: [k]");
    struct harness_row row = row_at(0, "a", 10, INT64_MIN);
    row.cells[0].value = mr_value_null();
    harness_feed(&harness, 0, &row, 1);
    assert_int_equal(harness.errors_count, 1);
    harness_close(&harness);
}

/* By chance out of order, with a watermark that lags: what leaves is what a stable sort says. */
static void the_order_is_that_of_a_stable_sort(void **state)
{
    MR_UNUSED(state);
    enum { ROWS = 3000, DELAY = 40 };
    static int64_t times[ROWS];
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct harness harness;
        struct mr_random random;
        mr_random_init(&random, seed, 1);
        open_sort(&harness, ", key: [k], max_records: 5000");
        int64_t highest = 0;
        for (int64_t row = 0; row < ROWS; row++) {
            times[row] = row / 2 + (int64_t)mr_random_below(&random, DELAY);
            int64_t watermark = highest - DELAY;
            struct harness_row given = row_at(row, row % 2 ? "a" : "b", times[row], watermark);
            harness_feed(&harness, 0, &given, 1);
            highest = times[row] > highest ? times[row] : highest;
            if (mr_random_below(&random, 20) == 0)
                harness_watermark(&harness, highest - DELAY);
            if (mr_random_below(&random, 500) == 0) {
                harness_commit(&harness);
                harness_restore(&harness);
            }
        }
        harness_watermark(&harness, INT64_MAX);
        char *text = mr_arena_copy_text(&harness.plan_arena, harness_offsets(&harness, 0));
        int64_t before = -1;
        uint32_t count = 0;
        for (char *rest = text, *word = strtok_r(text, " ", &rest); word != NULL;
             word = strtok_r(NULL, " ", &rest), count++) {
            int64_t row = strtoll(word, NULL, 10);
            assert_true(before < 0 || times[before] < times[row] ||
                        (times[before] == times[row] && before < row));
            before = row;
        }
        assert_int_equal(count + harness.late_count, ROWS);
        assert_int_equal(harness.late_count, 0);
        harness_close(&harness);
    }
}

static void stored_bytes_stay(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_sort(&harness, ", key: [k], max_records: 2");
    const struct harness_row rows[] = {row_at(0, "a", 30, INT64_MIN), row_at(1, "b", 10, INT64_MIN),
                                       row_at(2, "a", 20, INT64_MIN)};
    harness_feed(&harness, 0, rows, MR_ARRAY_COUNT(rows));
    harness_commit(&harness);
    harness_check_golden(&harness, "sort_v1");
    harness_close(&harness);
    open_sort(&harness, ", key: [k], max_records: 2");
    harness_load_golden(&harness, "sort_v1");
    harness_watermark(&harness, 1000);
    assert_string_equal(harness_offsets(&harness, 0), "2 0");
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_leave_as_the_watermark_passes),
        cmocka_unit_test(late_rows_have_their_output),
        cmocka_unit_test(a_full_task_lets_the_earliest_go),
        cmocka_unit_test(rows_of_any_size_are_kept),
        cmocka_unit_test(rows_without_a_key_are_reported),
        cmocka_unit_test(the_order_is_that_of_a_stable_sort),
        cmocka_unit_test(stored_bytes_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
