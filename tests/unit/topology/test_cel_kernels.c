/* tests/unit/topology/test_cel_kernels.c — the fast loops agree with the definition of the
 * operators, for every operator over every pair of kinds, and write nothing but the selected rows.
 */
#include <math.h>

#include "tests/support/expression_fixture.h"
#include "topology/cel_run.h"

enum { CELLS_COUNT = 14 };

static void make_cells(struct mr_value cells[CELLS_COUNT])
{
    static const struct mr_value items[] = {{.kind = MR_KIND_BOOL, .boolean = true}};
    const struct mr_value all[CELLS_COUNT] = {
        mr_value_double(1.5),
        mr_value_double(-0.0),
        mr_value_double(NAN),
        mr_value_int(2),
        mr_value_int(INT64_MIN),
        mr_value_uint(3),
        mr_value_bool(true),
        mr_value_bool(false),
        mr_value_string(mr_slice_text("a")),
        mr_value_string(mr_slice_text("b")),
        mr_value_null(),
        mr_value_error(mr_slice_text("bad")),
        {.kind = MR_KIND_LIST, .size = 1, .items = items},
        {.kind = MR_KIND_DURATION, .integer = 5},
    };
    memcpy(cells, all, sizeof all);
}

static bool identical(struct mr_value left, struct mr_value right)
{
    if (left.kind != right.kind)
        return false;
    if (left.kind == MR_KIND_ERROR || left.kind == MR_KIND_STRING)
        return mr_slice_equal(mr_value_text(left), mr_value_text(right));
    if (left.kind == MR_KIND_BOOL)
        return left.boolean == right.boolean;
    return left.integer == right.integer || (isnan(left.number) && isnan(right.number)) ||
           left.kind == MR_KIND_LIST;
}

/* A run over a batch of two columns: left in slot 0, right in slot 1. */
struct harness {
    struct mr_batch batch;
    struct mr_program program;
    struct mr_cel_run run;
    struct mr_value result[CELLS_COUNT];
    uint16_t rows[CELLS_COUNT];
};

static void prepare(struct harness *harness, struct expression_fixture *fixture)
{
    *harness = (struct harness){.program = {.strict = false}};
    mr_batch_init(&harness->batch, &fixture->arena, (struct mr_batch_shape){.slots_count = 2},
                  CELLS_COUNT);
    harness->batch.rows_count = CELLS_COUNT;
    harness->run = (struct mr_cel_run){.program = &harness->program,
                                       .evaluator = fixture->evaluator,
                                       .batch = &harness->batch,
                                       .result = harness->result};
    harness->run.context.arena = &fixture->arena;
    harness->run.context.costs = fixture->evaluator->costs;
    make_cells(mr_batch_column(&harness->batch, 0));
    for (uint16_t row = 0; row < CELLS_COUNT; row++)
        harness->rows[row] = row;
}

static struct mr_value expected(struct harness *harness, uint8_t operator_code,
                                struct mr_value left, struct mr_value right)
{
    return operator_code == MR_CEL_AND || operator_code == MR_CEL_OR
               ? mr_cel_logic(&harness->run.context, operator_code, left, right)
               : mr_cel_binary(&harness->run.context, operator_code, left, right);
}

static void test_binary(void **state)
{
    struct harness harness;
    struct mr_value cells[CELLS_COUNT];
    prepare(&harness, *state);
    make_cells(cells);
    for (uint8_t code = MR_CEL_MULTIPLY; code < MR_CEL_OPERATOR_COUNT; code++) {
        struct mr_cel_instruction instruction = {.operation = MR_CEL_OP_BINARY,
                                                 .operator_code = code,
                                                 .a = MR_CEL_OPERAND_COLUMN | 0,
                                                 .b = MR_CEL_OPERAND_COLUMN | 1};
        for (uint32_t right = 0; right < CELLS_COUNT; right++) {
            for (uint32_t row = 0; row < CELLS_COUNT; row++)
                mr_batch_column(&harness.batch, 1)[row] = cells[right];
            mr_cel_run_binary(&harness.run, &instruction, harness.rows, CELLS_COUNT);
            for (uint32_t row = 0; row < CELLS_COUNT; row++) {
                struct mr_value wanted = expected(&harness, code, cells[row], cells[right]);
                if (!identical(harness.result[row], wanted))
                    fail_msg("%s over cells %u and %u", mr_cel_operator_text(code), row, right);
            }
        }
    }
}

static void test_unary(void **state)
{
    struct harness harness;
    struct mr_value cells[CELLS_COUNT];
    prepare(&harness, *state);
    make_cells(cells);
    for (uint8_t code = MR_CEL_NEGATE; code <= MR_CEL_NOT; code++) {
        struct mr_cel_instruction instruction = {
            .operation = MR_CEL_OP_UNARY, .operator_code = code, .a = MR_CEL_OPERAND_COLUMN | 0};
        mr_cel_run_unary(&harness.run, &instruction, harness.rows, CELLS_COUNT);
        for (uint32_t row = 0; row < CELLS_COUNT; row++)
            assert_true(identical(harness.result[row],
                                  mr_cel_unary(&harness.run.context, code, cells[row])));
    }
}

static void test_only_selected_rows_are_written(void **state)
{
    struct harness harness;
    prepare(&harness, *state);
    for (uint32_t row = 0; row < CELLS_COUNT; row++)
        harness.result[row] = mr_value_int(77);
    const uint16_t rows[] = {1, 8};
    struct mr_cel_instruction instruction = {.operation = MR_CEL_OP_BINARY,
                                             .operator_code = MR_CEL_EQUAL,
                                             .a = MR_CEL_OPERAND_COLUMN | 0,
                                             .b = MR_CEL_OPERAND_COLUMN | 0};
    mr_cel_run_binary(&harness.run, &instruction, rows, 2);
    for (uint32_t row = 0; row < CELLS_COUNT; row++)
        assert_int_equal(harness.result[row].kind,
                         row == 1 || row == 8 ? MR_KIND_BOOL : MR_KIND_INT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_unary),
        cmocka_unit_test(test_only_selected_rows_are_written),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
