/* tests/unit/topology/test_cel_run.c — the evaluator over many rows: each row for itself, untouched
 * rows, undeclared numbers, costs, and no heap memory once it is warm. */
#include "base/memory.h"
#include "tests/support/expression_fixture.h"

enum { ROWS_COUNT = MR_LIMIT_BATCH_ROWS };

/* Slot 0 of the fixture's fields is `value`. */
static struct mr_batch *make_batch(struct expression_fixture *fixture)
{
    struct mr_batch *batch = mr_arena_new(&fixture->arena, 1, sizeof *batch);
    mr_batch_init(batch, &fixture->arena, (struct mr_batch_shape){.slots_count = 24}, ROWS_COUNT);
    batch->rows_count = ROWS_COUNT;
    struct mr_value *column = mr_batch_column(batch, 0);
    for (uint32_t row = 0; row < ROWS_COUNT; row++) {
        column[row] = mr_value_double(row);
        if (row % 5 == 1)
            column[row] = (struct mr_value){
                .kind = MR_KIND_INT, .flags = MR_VALUE_UNDECLARED, .integer = row};
        if (row % 5 == 2)
            column[row] = (struct mr_value){.kind = MR_KIND_ABSENT};
        if (row % 5 == 3)
            column[row] = (struct mr_value){.kind = MR_KIND_REMOVED};
    }
    return batch;
}

static void test_rows_are_apart(void **state)
{
    struct expression_fixture *fixture = *state;
    struct mr_batch *batch = make_batch(fixture);
    const struct mr_program *program = expression_compile(
        fixture, "has(value) ? [1, 2, 3].filter(x, dyn(x) * value > 6000.0).size() : -1");
    struct mr_value *result = mr_arena_new(&fixture->arena, ROWS_COUNT, sizeof *result);
    mr_program_run(program, fixture->evaluator, mr_batch_view(batch), 0, result);
    for (uint32_t row = 0; row < ROWS_COUNT; row++) {
        int64_t count = (row > 6000) + (2 * row > 6000) + (3 * row > 6000);
        int64_t wanted = row % 5 == 2 || row % 5 == 3 ? -1 : count;
        /* x is an int beside a double: that is an error, but for the row's absence. */
        if (wanted == -1)
            assert_int_equal(result[row].integer, -1);
        else
            assert_int_equal(result[row].kind, MR_KIND_ERROR);
    }
    program = expression_compile(
        fixture, "has(value) ? [1, 2, 3].filter(x, double(x) * value > 6000.0).size() : -1");
    mr_program_run(program, fixture->evaluator, mr_batch_view(batch), 0, result);
    for (uint32_t row = 0; row < ROWS_COUNT; row++) {
        int64_t count = (row > 6000) + (2 * row > 6000) + (3 * row > 6000);
        assert_int_equal(result[row].kind, MR_KIND_INT);
        assert_int_equal(result[row].integer, row % 5 == 2 || row % 5 == 3 ? -1 : count);
    }
}

static void test_a_view_selects(void **state)
{
    struct expression_fixture *fixture = *state;
    struct mr_batch *batch = make_batch(fixture);
    struct mr_value *result = mr_arena_new(&fixture->arena, ROWS_COUNT, sizeof *result);
    const uint16_t rows[] = {0, 6, 2048, ROWS_COUNT - 1};
    struct mr_view view = {.batch = batch, .rows = rows, .rows_count = MR_ARRAY_COUNT(rows)};
    mr_program_run(expression_compile(fixture, "value + 1"), fixture->evaluator, view, 0, result);
    for (uint32_t row = 0; row < ROWS_COUNT; row++) {
        bool selected = row == 0 || row == 6 || row == 2048 || row == ROWS_COUNT - 1;
        assert_int_equal(result[row].kind == MR_KIND_ABSENT, !selected);
    }
    assert_true(result[6].number == 7);
    assert_int_equal(result[2048].kind, MR_KIND_ERROR); /* 2048 % 5 is 3: removed */
    view.rows_count = 0;
    mr_program_run(expression_compile(fixture, "value"), fixture->evaluator, view, 0, NULL);
}

static void test_strict_keeps_integers(void **state)
{
    struct expression_fixture *fixture = *state;
    fixture->environment.strict = true;
    assert_int_equal(expression_value(fixture, "whole").kind, MR_KIND_INT);
    assert_int_equal(expression_value(fixture, "numbers[0] + 1").kind, MR_KIND_INT);
    assert_int_equal(expression_value(fixture, "value * 2").kind, MR_KIND_ERROR);
    fixture->environment.strict = false;
    assert_int_equal(expression_value(fixture, "whole").kind, MR_KIND_DOUBLE);
}

static void test_no_heap_memory_once_warm(void **state)
{
    struct expression_fixture *fixture = *state;
    static const char *const texts[] = {
        "value > 3 && has(value)",
        "tags.exists(t, t == name) || name.matches('a[b-z]+') || name.matches(name)",
        "[value, 2].map(x, [x, 1]).size()", "string(now()) + name + string(value)",
        "{'a': {'b': tags.map(t, tags.filter(u, u > t))}}"};
    const struct mr_program *programs[MR_ARRAY_COUNT(texts)];
    for (size_t i = 0; i < MR_ARRAY_COUNT(texts); i++) {
        programs[i] = expression_compile(fixture, texts[i]);
        assert_non_null(programs[i]);
    }
    uint64_t warm = 0;
    for (int pass = 0; pass < 4; pass++) {
        /* The batch's arena grows by what results take; everything else must stay. */
        mr_arena_take(&fixture->arena, 1 << 15);
        struct mr_arena scratch;
        mr_arena_init(&scratch, 1 << 20);
        mr_arena_take(&scratch, 1);
        struct mr_batch batch;
        mr_batch_init(&batch, &scratch, (struct mr_batch_shape){.slots_count = 24}, 4);
        batch.rows_count = 4;
        struct mr_view view = mr_batch_view(&batch);
        struct mr_value result[4];
        for (uint32_t slot = 0; slot < 24; slot++)
            mr_batch_column(&batch, slot)[1] = mr_value_string(mr_slice_text("ab"));
        uint64_t before = mr_memory_counters().allocation_count;
        for (size_t i = 0; i < MR_ARRAY_COUNT(texts); i++)
            mr_program_run(programs[i], fixture->evaluator, view, 0, result);
        warm = mr_memory_counters().allocation_count - before;
        mr_arena_deinit(&scratch);
    }
    /* A pattern that is no literal is compiled per run, with one working table. */
    assert_int_equal(warm, 1);
}

static void test_costs_are_per_row(void **state)
{
    struct expression_fixture *fixture = *state;
    struct mr_batch *batch = make_batch(fixture);
    struct mr_value *items = mr_arena_new(&fixture->arena, 2000, sizeof *items);
    for (uint32_t i = 0; i < 2000; i++)
        items[i] = mr_value_double(i);
    struct mr_value *column = mr_batch_column(batch, 0);
    column[0] = (struct mr_value){.kind = MR_KIND_LIST, .size = 2000, .items = items};
    column[1] = (struct mr_value){.kind = MR_KIND_LIST, .size = 20, .items = items};
    column[2] = column[0];
    const uint16_t rows[] = {0, 1, 2};
    struct mr_view view = {.batch = batch, .rows = rows, .rows_count = 3};
    struct mr_value result[3];
    const struct mr_program *program =
        expression_compile(fixture, "value.all(x, value.exists(y, y + 1 > x))");
    mr_program_run(program, fixture->evaluator, view, 0, result);
    assert_int_equal(result[0].kind, MR_KIND_ERROR);
    assert_true(result[1].kind == MR_KIND_BOOL && result[1].boolean);
    assert_int_equal(result[2].kind, MR_KIND_ERROR);
    mr_program_run(program, fixture->evaluator, view, 0, result);
    assert_int_equal(result[1].kind, MR_KIND_BOOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_apart),
        cmocka_unit_test(test_a_view_selects),
        cmocka_unit_test(test_strict_keeps_integers),
        cmocka_unit_test(test_no_heap_memory_once_warm),
        cmocka_unit_test(test_costs_are_per_row),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
