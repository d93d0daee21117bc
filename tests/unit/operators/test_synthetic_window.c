/* tests/unit/operators/test_synthetic_window.c — kinds that the values show, values that are not of
 * their kind, codes of both sides, the stated error. */
#include "operators/synthetic_window.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

enum { ROWS = 3 };

#define NONE MR_SYNTHETIC_VALUE_MISSING
#define BOOL MR_SYNTHETIC_VALUE_BOOL
#define INT MR_SYNTHETIC_VALUE_INT
#define DOUBLE MR_SYNTHETIC_VALUE_DOUBLE
#define TIME MR_SYNTHETIC_VALUE_TIME
#define TEXT MR_SYNTHETIC_VALUE_TEXT

/* One field of ROWS rows a side. */
struct one_field {
    struct mr_arena arena;
    uint64_t values[2][ROWS];
    uint8_t kinds[2][ROWS];
    struct mr_synthetic_sample sample;
    struct mr_synthetic_field field;
    struct mr_synthetic_window window;
};

static void score(struct one_field *one, const double real[ROWS], const uint8_t real_kinds[ROWS],
                  const double synthetic[ROWS], const uint8_t synthetic_kinds[ROWS])
{
    mr_arena_init(&one->arena, 4096);
    for (uint32_t row = 0; row < ROWS; row++) {
        memcpy(&one->values[0][row], &real[row], sizeof(double));
        memcpy(&one->values[1][row], &synthetic[row], sizeof(double));
        one->kinds[0][row] = real_kinds[row];
        one->kinds[1][row] = synthetic_kinds[row];
    }
    one->sample = (struct mr_synthetic_sample){.rows = {ROWS, ROWS},
                                               .kept = {ROWS, ROWS},
                                               .fields_count = 1,
                                               .values = {one->values[0], one->values[1]},
                                               .kinds = {one->kinds[0], one->kinds[1]}};
    one->field.name = "f";
    mr_synthetic_window_score(&one->sample, &one->field, true, &one->arena, &one->window);
}

static void kinds_are_shown(void **state)
{
    MR_UNUSED(state);
    static const struct {
        uint8_t kinds[ROWS];
        enum mr_synthetic_kind kind;
    } cases[] = {
        {{BOOL, BOOL, NONE}, MR_SYNTHETIC_BOOLEAN},
        {{INT, DOUBLE, NONE}, MR_SYNTHETIC_NUMERICAL},
        {{TIME, TIME, TIME}, MR_SYNTHETIC_DATETIME},
        {{TEXT, TEXT, NONE}, MR_SYNTHETIC_CATEGORICAL},
        {{INT, TEXT, NONE}, MR_SYNTHETIC_CATEGORICAL},
        {{BOOL, INT, NONE}, MR_SYNTHETIC_CATEGORICAL},
        {{NONE, NONE, NONE}, MR_SYNTHETIC_OTHER},
    };
    const double values[ROWS] = {0, 1, 2};
    const uint8_t none[ROWS] = {NONE, NONE, NONE};
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        struct one_field one = {0};
        score(&one, values, cases[index].kinds, values, cases[index].kinds);
        assert_int_equal(one.window.tables.columns[0].kind, cases[index].kind);
        if (cases[index].kind != MR_SYNTHETIC_OTHER)
            assert_true(one.window.scores.quality == 1);
        mr_arena_deinit(&one.arena);
        score(&one, values, none, values, cases[index].kinds); /* real ones have none */
        assert_int_equal(one.window.tables.columns[0].kind, cases[index].kind);
        assert_true(isnan(one.window.scores.quality));
        mr_arena_deinit(&one.arena);
    }
}

static void what_is_not_of_the_kind_is_missing(void **state)
{
    MR_UNUSED(state);
    const double real[ROWS] = {1, 2, 3};
    const double synthetic[ROWS] = {1, 2, 77};
    const uint8_t numbers[ROWS] = {INT, INT, DOUBLE};
    const uint8_t mixed[ROWS] = {INT, DOUBLE, TEXT};
    struct one_field one = {0};
    score(&one, real, numbers, synthetic, mixed);
    assert_int_equal(one.window.scores.columns[0].synthetic_missing, 1);
    assert_true(fabs(one.window.scores.columns[0].shape.score - 2 / 3.0) < 1e-12);
    assert_true(fabs(one.window.scores.columns[0].validity.score - 2 / 3.0) < 1e-12);
    mr_arena_deinit(&one.arena);
}

/* 1 and 1.0 are the same value, true and 1 are not. */
static void categories_are_told_apart_by_value(void **state)
{
    MR_UNUSED(state);
    const double values[ROWS] = {1, 1, 5};
    const uint8_t real[ROWS] = {INT, BOOL, TEXT};
    const uint8_t synthetic[ROWS] = {DOUBLE, INT, TEXT};
    struct one_field one = {.field = {.is_declared = true, .kind = MR_SYNTHETIC_CATEGORICAL}};
    score(&one, values, real, values, synthetic);
    assert_int_equal(one.window.tables.columns[0].codes_count, 4);
    assert_true(fabs(one.window.scores.columns[0].shape.score - 2 / 3.0) < 1e-12);
    mr_arena_deinit(&one.arena);
}

static void the_error_is_that_of_the_samples(void **state)
{
    MR_UNUSED(state);
    const double values[ROWS] = {1, 2, 3};
    const uint8_t kinds[ROWS] = {INT, INT, INT};
    struct one_field one = {0};
    score(&one, values, kinds, values, kinds);
    assert_true(one.window.error == 0);
    assert_true(one.window.privacy.copies == ROWS);
    one.sample.rows[1] = 100;
    mr_synthetic_window_score(&one.sample, &one.field, false, &one.arena, &one.window);
    assert_true(fabs(one.window.error - 1.63 / sqrt(ROWS)) < 1e-12);
    assert_null(one.window.privacy.new_rows.metric);
    mr_arena_deinit(&one.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_shown),
        cmocka_unit_test(what_is_not_of_the_kind_is_missing),
        cmocka_unit_test(categories_are_told_apart_by_value),
        cmocka_unit_test(the_error_is_that_of_the_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
