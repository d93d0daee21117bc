/* tests/unit/operators/test_learned_conditions.c — conditions of requests, bound to a model. */
#include "operators/learned_conditions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/copula_kind.h"
#include "tests/support/copula_rows.h"

static const char *const names[COPULA_ROWS_COLUMNS] = {"a", "b", "c", "d", "e", "f"};
static const struct mr_option_value fields = {.count = COPULA_ROWS_COLUMNS, .texts = names};

static enum mr_status read(const struct mr_copula *model, const char *text, struct mr_arena *arena,
                           struct mr_learned_conditions *conditions, struct mr_error *error)
{
    return mr_learned_conditions_read(mr_slice_text(text), &fields, &mr_copula_kind, model, arena,
                                      conditions, error);
}

static void conditions_are_bound(void **state)
{
    MR_UNUSED(state);
    static struct copula_rows rows;
    static struct copula_fixture fixture;
    struct mr_learned_conditions conditions;
    struct mr_arena arena;
    struct mr_error error = {0};
    mr_arena_init(&arena, 4096);
    copula_rows_make(&rows, 1000, 5, 0);
    copula_fixture_open(&fixture, 64);
    copula_fixture_learn(&fixture, &rows, 250, 0);
    assert_int_equal(read(&fixture.model, "", &arena, &conditions, &error), MR_OK);
    assert_int_equal(conditions.count, 0);
    assert_int_equal(read(&fixture.model, "{\"b\": {\"gte\": 40, \"lt\": 60}, \"d\": true}", &arena,
                          &conditions, &error),
                     MR_OK);
    assert_int_equal(conditions.count, 2);
    assert_int_equal(conditions.items[0].column, 1);
    assert_true(conditions.items[0].lowest == 40 && !conditions.items[0].lowest_is_out);
    assert_true(conditions.items[0].highest == 60 && conditions.items[0].highest_is_out);
    assert_int_equal(conditions.items[1].texts_count, 1);
    assert_string_equal(conditions.items[1].texts[0], "true");
    assert_int_equal(read(&fixture.model, "{\"g\": 1}", &arena, &conditions, &error), MR_INVALID);
    assert_non_null(strstr(error.message, "the model has no field \"g\""));
    assert_int_equal(read(&fixture.model, "{\"d\": 7}", &arena, &conditions, &error), MR_INVALID);
    copula_fixture_close(&fixture);
    copula_rows_free(&rows);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(conditions_are_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
