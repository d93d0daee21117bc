/* topology/cel_kernels.c — operators over whole selections of rows.
 * Design: one loop per operator with the common kinds inside, so that the choice of the operator
 * costs per batch and a row costs a predictable branch on its kinds. Everything else goes to
 * cel_value.c, which defines the operators; the tests compare both. */
#include "topology/cel_run.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE bool compare_doubles(uint8_t operator_code, double left, double right)
{
    switch (operator_code) {
    case MR_CEL_LESS:
        return left < right;
    case MR_CEL_LESS_EQUAL:
        return left <= right;
    case MR_CEL_GREATER:
        return left > right;
    case MR_CEL_GREATER_EQUAL:
        return left >= right;
    case MR_CEL_EQUAL:
        return left == right;
    default:
        return left != right;
    }
}

ALWAYS_INLINE bool compare_ints(uint8_t operator_code, int64_t left, int64_t right)
{
    switch (operator_code) {
    case MR_CEL_LESS:
        return left < right;
    case MR_CEL_LESS_EQUAL:
        return left <= right;
    case MR_CEL_GREATER:
        return left > right;
    case MR_CEL_GREATER_EQUAL:
        return left >= right;
    case MR_CEL_EQUAL:
        return left == right;
    default:
        return left != right;
    }
}

ALWAYS_INLINE double calculate(uint8_t operator_code, double left, double right)
{
    switch (operator_code) {
    case MR_CEL_ADD:
        return left + right;
    case MR_CEL_SUBTRACT:
        return left - right;
    case MR_CEL_MULTIPLY:
        return left * right;
    default:
        return left / right;
    }
}

ALWAYS_INLINE void compare_rows(struct mr_cel_run *run, uint8_t operator_code,
                                struct mr_cel_cells left, struct mr_cel_cells right,
                                struct mr_value *output, const uint16_t *rows, uint32_t rows_count)
{
    for (uint32_t i = 0; i < rows_count; i++) {
        uint32_t row = rows[i];
        struct mr_value a = left.cells[row & left.mask];
        struct mr_value b = right.cells[row & right.mask];
        if (a.kind == MR_KIND_DOUBLE && b.kind == MR_KIND_DOUBLE) {
            output[row] = mr_value_bool(compare_doubles(operator_code, a.number, b.number));
            continue;
        }
        if (a.kind == MR_KIND_INT && b.kind == MR_KIND_INT) {
            output[row] = mr_value_bool(compare_ints(operator_code, a.integer, b.integer));
            continue;
        }
        run->context.row = row;
        output[row] = mr_cel_binary(&run->context, operator_code, a, b);
    }
}

ALWAYS_INLINE void equal_rows(struct mr_cel_run *run, uint8_t operator_code,
                              struct mr_cel_cells left, struct mr_cel_cells right,
                              struct mr_value *output, const uint16_t *rows, uint32_t rows_count)
{
    for (uint32_t i = 0; i < rows_count; i++) {
        uint32_t row = rows[i];
        struct mr_value a = left.cells[row & left.mask];
        struct mr_value b = right.cells[row & right.mask];
        if (a.kind == MR_KIND_DOUBLE && b.kind == MR_KIND_DOUBLE) {
            output[row] = mr_value_bool(compare_doubles(operator_code, a.number, b.number));
            continue;
        }
        if (a.kind == MR_KIND_INT && b.kind == MR_KIND_INT) {
            output[row] = mr_value_bool(compare_ints(operator_code, a.integer, b.integer));
            continue;
        }
        if (a.kind == MR_KIND_STRING && b.kind == MR_KIND_STRING) {
            bool equal = a.size == b.size && (a.size == 0 || memcmp(a.text, b.text, a.size) == 0);
            output[row] = mr_value_bool(equal == (operator_code == MR_CEL_EQUAL));
            continue;
        }
        run->context.row = row;
        output[row] = mr_cel_binary(&run->context, operator_code, a, b);
    }
}

ALWAYS_INLINE void calculate_rows(struct mr_cel_run *run, uint8_t operator_code,
                                  struct mr_cel_cells left, struct mr_cel_cells right,
                                  struct mr_value *output, const uint16_t *rows,
                                  uint32_t rows_count)
{
    for (uint32_t i = 0; i < rows_count; i++) {
        uint32_t row = rows[i];
        struct mr_value a = left.cells[row & left.mask];
        struct mr_value b = right.cells[row & right.mask];
        if (a.kind == MR_KIND_DOUBLE && b.kind == MR_KIND_DOUBLE) {
            output[row] = mr_value_double(calculate(operator_code, a.number, b.number));
            continue;
        }
        run->context.row = row;
        output[row] = mr_cel_binary(&run->context, operator_code, a, b);
    }
}

static void logic_rows(struct mr_cel_run *run, uint8_t operator_code, struct mr_cel_cells left,
                       struct mr_cel_cells right, struct mr_value *output, const uint16_t *rows,
                       uint32_t rows_count)
{
    bool deciding = operator_code == MR_CEL_OR;
    for (uint32_t i = 0; i < rows_count; i++) {
        uint32_t row = rows[i];
        struct mr_value a = left.cells[row & left.mask];
        struct mr_value b = right.cells[row & right.mask];
        if (a.kind == MR_KIND_BOOL && b.kind == MR_KIND_BOOL) {
            output[row] = mr_value_bool(deciding ? a.boolean | b.boolean : a.boolean & b.boolean);
            continue;
        }
        run->context.row = row;
        output[row] = mr_cel_logic(&run->context, operator_code, a, b);
    }
}

static void other_rows(struct mr_cel_run *run, uint8_t operator_code, struct mr_cel_cells left,
                       struct mr_cel_cells right, struct mr_value *output, const uint16_t *rows,
                       uint32_t rows_count)
{
    for (uint32_t i = 0; i < rows_count; i++) {
        uint32_t row = rows[i];
        run->context.row = row;
        output[row] = mr_cel_binary(&run->context, operator_code, left.cells[row & left.mask],
                                    right.cells[row & right.mask]);
    }
}

void mr_cel_run_binary(struct mr_cel_run *run, const struct mr_cel_instruction *instruction,
                       const uint16_t *rows, uint32_t rows_count)
{
    struct mr_cel_cells left = mr_cel_run_operand(run, instruction->a);
    struct mr_cel_cells right = mr_cel_run_operand(run, instruction->b);
    struct mr_value *output = mr_cel_run_register(run, instruction->destination);
    switch (instruction->operator_code) {
    case MR_CEL_LESS:
        compare_rows(run, MR_CEL_LESS, left, right, output, rows, rows_count);
        break;
    case MR_CEL_LESS_EQUAL:
        compare_rows(run, MR_CEL_LESS_EQUAL, left, right, output, rows, rows_count);
        break;
    case MR_CEL_GREATER:
        compare_rows(run, MR_CEL_GREATER, left, right, output, rows, rows_count);
        break;
    case MR_CEL_GREATER_EQUAL:
        compare_rows(run, MR_CEL_GREATER_EQUAL, left, right, output, rows, rows_count);
        break;
    case MR_CEL_EQUAL:
        equal_rows(run, MR_CEL_EQUAL, left, right, output, rows, rows_count);
        break;
    case MR_CEL_NOT_EQUAL:
        equal_rows(run, MR_CEL_NOT_EQUAL, left, right, output, rows, rows_count);
        break;
    case MR_CEL_ADD:
        calculate_rows(run, MR_CEL_ADD, left, right, output, rows, rows_count);
        break;
    case MR_CEL_SUBTRACT:
        calculate_rows(run, MR_CEL_SUBTRACT, left, right, output, rows, rows_count);
        break;
    case MR_CEL_MULTIPLY:
        calculate_rows(run, MR_CEL_MULTIPLY, left, right, output, rows, rows_count);
        break;
    case MR_CEL_DIVIDE:
        calculate_rows(run, MR_CEL_DIVIDE, left, right, output, rows, rows_count);
        break;
    case MR_CEL_AND:
    case MR_CEL_OR:
        logic_rows(run, instruction->operator_code, left, right, output, rows, rows_count);
        break;
    default:
        other_rows(run, instruction->operator_code, left, right, output, rows, rows_count);
        break;
    }
}

void mr_cel_run_unary(struct mr_cel_run *run, const struct mr_cel_instruction *instruction,
                      const uint16_t *rows, uint32_t rows_count)
{
    struct mr_cel_cells operand = mr_cel_run_operand(run, instruction->a);
    struct mr_value *output = mr_cel_run_register(run, instruction->destination);
    for (uint32_t i = 0; i < rows_count; i++) {
        uint32_t row = rows[i];
        struct mr_value value = operand.cells[row & operand.mask];
        if (instruction->operator_code == MR_CEL_NOT && value.kind == MR_KIND_BOOL) {
            output[row] = mr_value_bool(!value.boolean);
            continue;
        }
        run->context.row = row;
        output[row] = mr_cel_unary(&run->context, instruction->operator_code, value);
    }
}
