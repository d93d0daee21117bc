/* tests/unit/operators/test_copula_window.c — what has left the window has left the model: beside
 * windows that never saw it; moments beside those of all rows; bytes and back. */
#include "operators/copula_window.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/support/copula_rows.h"

enum { BLOCK = 125 };

static struct mr_copula_window window;
static struct copula_fixture fixture; /* its model is the whole */

static void open_window(uint32_t reservoir_rows)
{
    copula_fixture_open(&fixture, reservoir_rows);
    mr_copula_window_create(&window, &fixture.model.shape);
}

static void close_window(void)
{
    mr_copula_window_destroy(&window);
    copula_fixture_close(&fixture);
}

/* Learn rows into panes of pane_rows from the pane of this number on. */
static void learn(const struct copula_rows *rows, uint32_t pane_rows, int64_t first)
{
    for (uint32_t row = 0; row < rows->count; row += BLOCK) {
        if (row % pane_rows == 0)
            mr_copula_window_open(&window, &fixture.model, &fixture.work, first++);
        (void)mr_copula_window_learn(&window, &fixture.model, &fixture.work,
                                     rows->cells + (size_t)row * COPULA_ROWS_COLUMNS, BLOCK);
    }
}

/* Learn from so many rows on, of another look. */
static void learn_made(uint32_t count, uint64_t seed, double shift, uint32_t pane_rows,
                       int64_t first)
{
    struct copula_rows rows;
    copula_rows_make(&rows, count, seed, shift);
    learn(&rows, pane_rows, first);
    copula_rows_free(&rows);
}

static void correlations_are_those_of_all_rows(void **state)
{
    MR_UNUSED(state);
    open_window(1024);
    learn_made(20000, 5, 0, 1250, 0);
    assert_int_equal(fixture.model.rows, 10000);
    assert_int_equal(fixture.model.kept, 1024);
    assert_true(fabs(mr_copula_effective_rows(&fixture.model) - 10000) < 1e-6);
    for (uint32_t one = 0; one < 4; one++)
        for (uint32_t other = 0; other < one; other++) {
            double r = copula_fixture_correlation(&fixture, one, other);
            if (fabs(r - COPULA_ROWS_CORRELATION) > 0.03)
                fail_msg("correlation of %u and %u: %g", one, other, r);
        }
    close_window();
}

/* Rows of another look, then a whole window of B: distributions and rows are bit for bit those of
 * a window that has learned B alone, correlations within what the order of scoring leaves. */
static void nothing_of_the_old_remains(void **state)
{
    MR_UNUSED(state);
    static uint8_t bytes[2][1 << 20];
    size_t sizes[2];
    double found[2];
    for (int with = 0; with < 2; with++) {
        open_window(1024);
        if (with)
            learn_made(8000, 6, 5, 1000, -8);
        learn_made(8000, 7, 0, 1000, 0);
        found[with] = copula_fixture_correlation(&fixture, 0, 2);
        struct mr_copula *whole = &fixture.model;
        for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS; column++)
            assert_int_equal(whole->columns[column].texts.count, column == 2 ? 5 : 0);
        /* Texts have numbers by when they were seen first, and orders by moments. */
        memset(whole->moments, 0, mr_copula_triangle(12, 0) * sizeof(double));
        memset(whole->means, 0, 12 * sizeof(double));
        memset(whole->missing_together, 0, mr_copula_triangle(6, 0) * sizeof(double));
        memset(&whole->columns[2].texts, 0, sizeof(struct mr_copula_texts));
        whole->columns[2].kind = MR_COPULA_UNKNOWN;
        for (uint32_t row = 0; row < whole->kept; row++)
            whole->reservoir[(size_t)row * 7 + 3] = 0;
        sizes[with] = mr_copula_encode(whole, bytes[with]);
        close_window();
    }
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    assert_true(fabs(found[0] - found[1]) < 0.05);
}

/* While all rows are kept the correlations are a function of them alone. */
static void small_windows_are_exact(void **state)
{
    MR_UNUSED(state);
    double found[2][2 * COPULA_ROWS_COLUMNS];
    for (int with = 0; with < 2; with++) {
        open_window(1024);
        if (with)
            learn_made(2000, 6, 3, 125, -16);
        learn_made(1000, 7, 0, 125, 0);
        assert_int_equal(fixture.model.kept, 1000);
        for (uint32_t other = 1; other < COPULA_ROWS_COLUMNS; other++)
            found[with][other] = copula_fixture_correlation(&fixture, 0, other);
        close_window();
    }
    for (uint32_t other = 1; other < COPULA_ROWS_COLUMNS; other++)
        assert_true(fabs(found[0][other] - found[1][other]) < 1e-12);
}

static void a_gap_empties_the_window(void **state)
{
    MR_UNUSED(state);
    open_window(128);
    learn_made(1000, 6, 0, 125, INT64_MAX - 1000);
    assert_int_equal(fixture.model.rows, 1000);
    mr_copula_window_open(&window, &fixture.model, &fixture.work, INT64_MAX - 986);
    assert_int_equal(fixture.model.rows, 125);
    mr_copula_window_open(&window, &fixture.model, &fixture.work, INT64_MAX - 900);
    assert_int_equal(fixture.model.rows, 0);
    assert_int_equal(fixture.model.columns[0].marginal.bins_count, 0);
    assert_int_equal(fixture.model.columns[2].texts.count, 0);
    assert_int_equal(fixture.model.columns[2].kind, MR_COPULA_TEXT);
    close_window();
}

/* Numbers become texts: missing for one pane, then told anew. */
static void a_new_kind_is_told(void **state)
{
    MR_UNUSED(state);
    struct copula_rows rows;
    open_window(1024);
    learn_made(1000, 6, 0, 500, 0);
    copula_rows_make(&rows, 4000, 7, 0);
    for (uint32_t row = 0; row < rows.count; row++)
        rows.cells[(size_t)row * COPULA_ROWS_COLUMNS] =
            mr_value_string(mr_slice_text(row % 4 == 0 ? "one" : "two"));
    learn(&rows, 500, 2);
    const struct mr_copula_column *column = &fixture.model.columns[0];
    assert_int_equal(column->kind, MR_COPULA_TEXT);
    assert_int_equal(column->texts.count, 2);
    assert_int_equal(column->marginal.bins_count, 0);
    assert_true(column->missing == 500); /* the pane before the kind was told */
    copula_rows_free(&rows);
    close_window();
}

/* A text that came and went makes room for others. */
static void texts_without_weight_leave(void **state)
{
    MR_UNUSED(state);
    struct copula_rows rows;
    static char texts[4000][16];
    open_window(1024);
    copula_rows_make(&rows, 4000, 7, 0);
    for (uint32_t row = 0; row < rows.count; row++) {
        snprintf(texts[row], sizeof(texts[row]), "t%u", row / 1000 * 100 + row % 100);
        rows.cells[(size_t)row * COPULA_ROWS_COLUMNS + 2] =
            mr_value_string(mr_slice_text(texts[row]));
    }
    learn(&rows, 125, 0);
    const struct mr_copula_texts *found = &fixture.model.columns[2].texts;
    assert_int_equal(found->count, 128); /* 28 had no weight left when the last pane opened */
    assert_true(mr_copula_text_find(found, mr_slice_text("t399")) < MR_COPULA_RARE);
    copula_rows_free(&rows);
    close_window();
}

static void bytes_come_back(void **state)
{
    MR_UNUSED(state);
    struct mr_copula_shape shape = {COPULA_ROWS_COLUMNS, 128, 5};
    size_t size = mr_copula_window_bytes(&shape);
    uint8_t *bytes = mr_memory_new(2, size);
    open_window(128);
    learn_made(3000, 8, 0, 250, 40);
    double r = copula_fixture_correlation(&fixture, 2, 3);
    mr_copula_window_encode(&window, bytes);
    mr_copula_window_clear(&window, &fixture.model.shape);
    assert_true(mr_copula_window_decode(&window, &fixture.model, &fixture.work,
                                        mr_slice_from(bytes, size)));
    assert_true(copula_fixture_correlation(&fixture, 2, 3) == r);
    assert_int_equal(fixture.model.rows, 2000);
    /* Both go on alike. */
    learn_made(250, 9, 1, 250, 52);
    r = copula_fixture_correlation(&fixture, 2, 3);
    close_window();
    open_window(128);
    learn_made(3000, 8, 0, 250, 40);
    learn_made(250, 9, 1, 250, 52);
    assert_true(copula_fixture_correlation(&fixture, 2, 3) == r);
    bytes[16] ^= 1;
    assert_false(mr_copula_window_decode(&window, &fixture.model, &fixture.work,
                                         mr_slice_from(bytes, size)));
    assert_int_equal(fixture.model.rows, 0);
    assert_false(mr_copula_window_decode(&window, &fixture.model, &fixture.work,
                                         mr_slice_from(bytes, size - 1)));
    mr_memory_free(bytes);
    close_window();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(correlations_are_those_of_all_rows),
        cmocka_unit_test(nothing_of_the_old_remains),
        cmocka_unit_test(small_windows_are_exact),
        cmocka_unit_test(a_gap_empties_the_window),
        cmocka_unit_test(a_new_kind_is_told),
        cmocka_unit_test(texts_without_weight_leave),
        cmocka_unit_test(bytes_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
