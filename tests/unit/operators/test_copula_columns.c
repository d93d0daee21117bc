/* tests/unit/operators/test_copula_columns.c — kinds, numbers and scales of columns. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/copula_rows.h"

enum { ROWS = 40 };

static struct mr_value text(const char *bytes)
{
    return mr_value_string(mr_slice_text(bytes));
}

/* A model of one column that has learned these cells. */
static void learn(struct mr_copula *model, const struct mr_value *cells, uint32_t count)
{
    struct mr_copula_shape shape = {.columns_count = 1, .reservoir_rows = 64};
    struct mr_copula_work work;
    mr_copula_create(model, &shape);
    mr_copula_work_create(&work, 1);
    mr_copula_learn(model, &work, cells, count, 0);
    mr_copula_work_destroy(&work);
}

static void check_kind(const struct mr_value *cells, uint32_t count, enum mr_copula_kind kind,
                       double missing)
{
    struct mr_copula model;
    learn(&model, cells, count);
    assert_int_equal(model.columns[0].kind, kind);
    assert_true(model.columns[0].missing == missing);
    mr_copula_destroy(&model);
}

static void kinds_are_told(void **state)
{
    MR_UNUSED(state);
    const struct mr_value numbers[] = {mr_value_null(), mr_value_int(3), mr_value_double(2.5),
                                       text("no"), mr_value_double((double)NAN)};
    const struct mr_value booleans[] = {mr_value_bool(true), mr_value_int(3)};
    const struct mr_value dates[] = {text("2026-01-31"), text("1969-12-31"), text("2026-02-31")};
    const struct mr_value fine_dates[] = {text("2026-01-31"), text("1969-12-31")};
    const struct mr_value times[] = {text("2026-01-31T10:00:00Z"), mr_value_null()};
    const struct mr_value stamps[] = {{.kind = MR_KIND_TIMESTAMP, .integer = 1}};
    check_kind(numbers, 5, MR_COPULA_NUMBER, 3);
    check_kind(booleans, 2, MR_COPULA_BOOLEAN, 1);
    check_kind(dates, 3, MR_COPULA_TEXT, 0);
    check_kind(fine_dates, 2, MR_COPULA_DATE, 0);
    check_kind(times, 2, MR_COPULA_TIME, 1);
    check_kind(stamps, 1, MR_COPULA_TIMESTAMP, 0);
    check_kind(numbers, 1, MR_COPULA_UNKNOWN, 1);
}

static void texts_that_all_differ_are_identifiers(void **state)
{
    MR_UNUSED(state);
    static char names[ROWS][16];
    struct mr_value cells[ROWS];
    for (int row = 0; row < ROWS; row++) {
        snprintf(names[row], sizeof(names[row]), "id-%03d", row);
        cells[row] = text(names[row]);
    }
    check_kind(cells, ROWS, MR_COPULA_IDENTIFIER, 0);
    check_kind(cells, 10, MR_COPULA_TEXT, 0);
}

static void decimals_are_kept(void **state)
{
    MR_UNUSED(state);
    struct mr_copula model;
    const struct mr_value cells[] = {mr_value_double(0.1), mr_value_double(20.25)};
    const struct mr_value any[] = {mr_value_double(0.1), mr_value_double(1.0 / 3)};
    const struct mr_value huge[] = {mr_value_double(1e140), mr_value_double(5e-324)};
    learn(&model, cells, 2);
    assert_true(mr_copula_scale(&model.columns[0]) == 100);
    mr_copula_destroy(&model);
    learn(&model, any, 2);
    assert_true(mr_copula_scale(&model.columns[0]) == 0);
    mr_copula_destroy(&model);
    learn(&model, huge, 2);
    assert_true(mr_copula_scale(&model.columns[0]) == 0);
    mr_copula_destroy(&model);
}

static void texts_are_bounded(void **state)
{
    MR_UNUSED(state);
    static char names[MR_COPULA_TEXTS_MAX + 20][16];
    struct mr_copula_texts texts = {0};
    char longer[MR_COPULA_TEXT_BYTES + 1];
    memset(longer, 'x', sizeof(longer));
    for (int at = 0; at < MR_COPULA_TEXTS_MAX + 20; at++) {
        snprintf(names[at], sizeof(names[at]), "t%d", at);
        double number = mr_copula_text_number(&texts, mr_slice_text(names[at]));
        assert_true(at < MR_COPULA_TEXTS_MAX ? number == at : number == MR_COPULA_RARE);
    }
    assert_true(mr_copula_text_find(&texts, mr_slice_text("t7")) == 7);
    assert_true(mr_copula_text_find(&texts, mr_slice_text("")) == MR_COPULA_RARE);
    texts.count = 0;
    assert_true(mr_copula_text_number(&texts, mr_slice_from(longer, sizeof(longer))) ==
                MR_COPULA_RARE);
    assert_true(mr_copula_text_number(&texts, mr_slice_from(longer, sizeof(longer) - 1)) == 0);
    assert_true(mr_copula_text_number(&texts, mr_slice_text("")) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_told),
        cmocka_unit_test(texts_that_all_differ_are_identifiers),
        cmocka_unit_test(decimals_are_kept),
        cmocka_unit_test(texts_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
