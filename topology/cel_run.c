/* topology/cel_run.c — the evaluator: instructions one by one over all rows of a view.
 * Design: dispatch costs per batch. Registers and the other working memory belong to the evaluator
 * and grow to the largest program it has run; from then on a batch takes no heap memory. New
 * strings, lists and maps go to the batch's arena. A variable whose cells need no change is read
 * from the batch's column itself. */
#include "topology/cel_run.h"
#include "base/assert.h"
#include "base/memory.h"

struct mr_evaluator *mr_evaluator_create(void)
{
    return mr_memory_new(1, sizeof(struct mr_evaluator));
}

void mr_evaluator_destroy(struct mr_evaluator *evaluator)
{
    if (evaluator == NULL)
        return;
    for (uint32_t i = 0; i < evaluator->registers_count; i++)
        mr_memory_free(evaluator->registers[i]);
    for (uint32_t i = 0; i < evaluator->loads_count; i++)
        mr_memory_free(evaluator->loaded[i]);
    for (uint32_t i = 0; i < evaluator->selections_count; i++)
        mr_memory_free(evaluator->selections[i]);
    mr_cel_regex_scratch_destroy(evaluator->regex_scratch);
    mr_memory_free(evaluator->registers);
    mr_memory_free(evaluator->loaded);
    mr_memory_free(evaluator->loads);
    mr_memory_free(evaluator->selections);
    mr_memory_free(evaluator);
}

/* Room in the evaluator for what the program uses. */
static void prepare(struct mr_evaluator *evaluator, const struct mr_program *program)
{
    if (program->registers_count > evaluator->registers_count) {
        evaluator->registers =
            mr_memory_resize(evaluator->registers, program->registers_count * sizeof(void *));
        for (uint32_t i = evaluator->registers_count; i < program->registers_count; i++)
            evaluator->registers[i] =
                i == 0 ? NULL : mr_memory_new(MR_LIMIT_BATCH_ROWS, sizeof(struct mr_value));
        evaluator->registers_count = program->registers_count;
    }
    if (program->loads_count > evaluator->loads_count) {
        evaluator->loaded =
            mr_memory_resize(evaluator->loaded, program->loads_count * sizeof(void *));
        evaluator->loads =
            mr_memory_resize(evaluator->loads, program->loads_count * sizeof(void *));
        for (uint32_t i = evaluator->loads_count; i < program->loads_count; i++)
            evaluator->loaded[i] = mr_memory_new(MR_LIMIT_BATCH_ROWS, sizeof(struct mr_value));
        evaluator->loads_count = program->loads_count;
    }
    if (program->macros_depth > evaluator->selections_count) {
        evaluator->selections =
            mr_memory_resize(evaluator->selections, program->macros_depth * sizeof(void *));
        for (uint32_t i = evaluator->selections_count; i < program->macros_depth; i++)
            evaluator->selections[i] = mr_memory_new(1, sizeof(struct mr_cel_selection));
        evaluator->selections_count = program->macros_depth;
    }
    if (program->uses_regex && evaluator->regex_scratch == NULL)
        evaluator->regex_scratch = mr_cel_regex_scratch_create();
}

static bool needs_change(const struct mr_value *cell, bool strict)
{
    return cell->kind <= MR_KIND_REMOVED || ((cell->flags & MR_VALUE_UNDECLARED) != 0 && !strict);
}

/* A variable's cells as expressions see them: the column itself when no cell needs a change. */
static const struct mr_value *load(struct mr_cel_run *run, uint32_t index, struct mr_view view)
{
    const struct mr_cel_load *load = &run->program->loads[index];
    const struct mr_value *column = mr_batch_column(run->batch, load->slot);
    bool strict = run->program->strict;
    bool change = false;
    for (uint32_t i = 0; i < view.rows_count && !change; i++)
        change = needs_change(&column[view.rows[i]], strict);
    if (!change)
        return column;
    struct mr_value *copy = run->evaluator->loaded[index];
    for (uint32_t i = 0; i < view.rows_count; i++) {
        uint32_t row = view.rows[i];
        copy[row] = column[row].kind <= MR_KIND_REMOVED ? load->absent
                                                        : mr_cel_plain(&run->context, column[row]);
    }
    return copy;
}

struct mr_value *mr_cel_run_register(const struct mr_cel_run *run, uint32_t index)
{
    return index == 0 ? run->result : run->evaluator->registers[index];
}

struct mr_cel_cells mr_cel_run_operand(const struct mr_cel_run *run, uint32_t operand)
{
    uint32_t index = operand & MR_CEL_OPERAND_INDEX_MASK;
    switch (operand & ~(uint32_t)MR_CEL_OPERAND_INDEX_MASK) {
    case MR_CEL_OPERAND_REGISTER:
        return (struct mr_cel_cells){mr_cel_run_register(run, index), UINT32_MAX};
    case MR_CEL_OPERAND_CONSTANT:
        return (struct mr_cel_cells){&run->program->constants[index], 0};
    case MR_CEL_OPERAND_LOAD:
        return (struct mr_cel_cells){run->evaluator->loads[index], UINT32_MAX};
    default:
        return (struct mr_cel_cells){mr_batch_column(run->batch, index), UINT32_MAX};
    }
}

static void run_copy(struct mr_cel_run *run, const struct mr_cel_instruction *instruction,
                     const uint16_t *rows, uint32_t rows_count)
{
    struct mr_cel_cells a = mr_cel_run_operand(run, instruction->a);
    struct mr_value *output = mr_cel_run_register(run, instruction->destination);
    for (uint32_t i = 0; i < rows_count; i++) {
        output[rows[i]] = a.cells[rows[i] & a.mask];
        output[rows[i]].flags &= (uint8_t)~MR_CEL_VALUE_LITERAL;
    }
}

static void run_conditional(struct mr_cel_run *run, const struct mr_cel_instruction *instruction,
                            const uint16_t *rows, uint32_t rows_count)
{
    struct mr_cel_cells a = mr_cel_run_operand(run, instruction->a);
    struct mr_cel_cells b = mr_cel_run_operand(run, instruction->b);
    struct mr_cel_cells c = mr_cel_run_operand(run, instruction->c);
    struct mr_value *output = mr_cel_run_register(run, instruction->destination);
    for (uint32_t i = 0; i < rows_count; i++) {
        uint32_t row = rows[i];
        struct mr_value condition = a.cells[row & a.mask];
        if (condition.kind == MR_KIND_BOOL) {
            output[row] = condition.boolean ? b.cells[row & b.mask] : c.cells[row & c.mask];
            continue;
        }
        run->context.row = row;
        output[row] = mr_cel_conditional(&run->context, condition, b.cells[row & b.mask],
                                         c.cells[row & c.mask]);
    }
}

static void run_index(struct mr_cel_run *run, const struct mr_cel_instruction *instruction,
                      const uint16_t *rows, uint32_t rows_count)
{
    struct mr_cel_cells a = mr_cel_run_operand(run, instruction->a);
    struct mr_cel_cells b = mr_cel_run_operand(run, instruction->b);
    struct mr_value *output = mr_cel_run_register(run, instruction->destination);
    for (uint32_t i = 0; i < rows_count; i++) {
        uint32_t row = rows[i];
        struct mr_value container = a.cells[row & a.mask];
        struct mr_value index = b.cells[row & b.mask];
        run->context.row = row;
        output[row] = instruction->by_name ? mr_cel_select(&run->context, container, index)
                                           : mr_cel_index(&run->context, container, index);
    }
}

static void run_walk(struct mr_cel_run *run, const struct mr_cel_instruction *instruction,
                     const uint16_t *rows, uint32_t rows_count)
{
    struct mr_cel_cells a = mr_cel_run_operand(run, instruction->a);
    struct mr_cel_cells b = mr_cel_run_operand(run, instruction->b);
    struct mr_value *output = mr_cel_run_register(run, instruction->destination);
    for (uint32_t i = 0; i < rows_count; i++) {
        uint32_t row = rows[i];
        struct mr_value container = a.cells[row & a.mask];
        bool walkable = container.kind == MR_KIND_MAP || container.kind == MR_KIND_LIST ||
                        container.kind == MR_KIND_ERROR;
        run->context.row = row;
        if (instruction->lenient && !walkable)
            output[row] = (struct mr_value){.kind = MR_KIND_ABSENT};
        else
            output[row] = mr_cel_lookup(&run->context, container, b.cells[row & b.mask]);
    }
}

static void run_test(struct mr_cel_run *run, const struct mr_cel_instruction *instruction,
                     const uint16_t *rows, uint32_t rows_count)
{
    struct mr_cel_cells a = mr_cel_run_operand(run, instruction->a);
    struct mr_value *output = mr_cel_run_register(run, instruction->destination);
    for (uint32_t i = 0; i < rows_count; i++) {
        struct mr_value value = a.cells[rows[i] & a.mask];
        output[rows[i]] =
            value.kind == MR_KIND_ERROR ? value : mr_value_bool(value.kind > MR_KIND_REMOVED);
    }
}

static void run_call(struct mr_cel_run *run, const struct mr_cel_instruction *instruction,
                     const uint16_t *rows, uint32_t rows_count)
{
    struct mr_cel_cells cells[MR_CEL_ARGUMENTS_MAX];
    struct mr_value arguments[MR_CEL_ARGUMENTS_MAX];
    uint32_t count = instruction->arguments_count;
    struct mr_value *output = mr_cel_run_register(run, instruction->destination);
    for (uint32_t i = 0; i < count; i++)
        cells[i] = mr_cel_run_operand(run, instruction->arguments[i]);
    for (uint32_t i = 0; i < rows_count; i++) {
        uint32_t row = rows[i];
        for (uint32_t k = 0; k < count; k++)
            arguments[k] = cells[k].cells[row & cells[k].mask];
        run->context.row = row;
        output[row] =
            mr_cel_call(&run->context, instruction->functions, instruction->functions_count,
                        instruction->operator_code, arguments, count);
    }
}

static void run_match(struct mr_cel_run *run, const struct mr_cel_instruction *instruction,
                      const uint16_t *rows, uint32_t rows_count)
{
    struct mr_cel_cells a = mr_cel_run_operand(run, instruction->a);
    struct mr_value *output = mr_cel_run_register(run, instruction->destination);
    uint32_t states = mr_cel_regex_states(instruction->regex);
    for (uint32_t i = 0; i < rows_count; i++) {
        uint32_t row = rows[i];
        struct mr_value text = a.cells[row & a.mask];
        run->context.row = row;
        if (text.kind == MR_KIND_ERROR)
            output[row] = text;
        else if (text.kind != MR_KIND_STRING)
            output[row] = mr_cel_error_kinds(&run->context, "matches()", text.kind, MR_KIND_ABSENT);
        else if (!mr_cel_charge(&run->context, (size_t)text.size * states / 16))
            output[row] = mr_cel_error_cost();
        else
            output[row] = mr_value_bool(mr_cel_regex_matches(
                instruction->regex, run->evaluator->regex_scratch, mr_value_text(text)));
    }
}

static void run_new(struct mr_cel_run *run, const struct mr_cel_instruction *instruction,
                    const uint16_t *rows, uint32_t rows_count)
{
    struct mr_value *output = mr_cel_run_register(run, instruction->destination);
    bool map = instruction->operation == MR_CEL_OP_MAP;
    size_t size = instruction->size * (map ? sizeof(struct mr_map_entry) : sizeof(struct mr_value));
    for (uint32_t i = 0; i < rows_count; i++) {
        run->context.row = rows[i];
        void *room = mr_cel_take(&run->context, size);
        struct mr_value *value = &output[rows[i]];
        *value = (struct mr_value){.kind = map ? MR_KIND_MAP : MR_KIND_LIST, .items = room};
        if (room == NULL)
            *value = mr_cel_error_cost();
    }
}

static void run_list_set(struct mr_cel_run *run, const struct mr_cel_instruction *instruction,
                         const uint16_t *rows, uint32_t rows_count)
{
    struct mr_cel_cells a = mr_cel_run_operand(run, instruction->a);
    struct mr_value *output = mr_cel_run_register(run, instruction->destination);
    for (uint32_t i = 0; i < rows_count; i++) {
        struct mr_value *list = &output[rows[i]];
        struct mr_value item = a.cells[rows[i] & a.mask];
        if (list->kind == MR_KIND_ERROR)
            continue;
        if (item.kind == MR_KIND_ERROR) {
            *list = item;
            continue;
        }
        item.flags &= (uint8_t)~MR_CEL_VALUE_LITERAL;
        mr_cel_mutable_items(*list)[list->size++] = item;
    }
}

static void run_map_set(struct mr_cel_run *run, const struct mr_cel_instruction *instruction,
                        const uint16_t *rows, uint32_t rows_count)
{
    struct mr_cel_cells key = mr_cel_run_operand(run, instruction->a);
    struct mr_cel_cells value = mr_cel_run_operand(run, instruction->b);
    struct mr_value *output = mr_cel_run_register(run, instruction->destination);
    for (uint32_t i = 0; i < rows_count; i++) {
        uint32_t row = rows[i];
        run->context.row = row;
        output[row] = mr_cel_map_set(&run->context, output[row], key.cells[row & key.mask],
                                     value.cells[row & value.mask]);
    }
}

typedef void run_fn(struct mr_cel_run *run, const struct mr_cel_instruction *instruction,
                    const uint16_t *rows, uint32_t rows_count);

static run_fn *const operations[] = {
    [MR_CEL_OP_COPY] = run_copy,
    [MR_CEL_OP_UNARY] = mr_cel_run_unary,
    [MR_CEL_OP_BINARY] = mr_cel_run_binary,
    [MR_CEL_OP_CONDITIONAL] = run_conditional,
    [MR_CEL_OP_INDEX] = run_index,
    [MR_CEL_OP_WALK] = run_walk,
    [MR_CEL_OP_TEST] = run_test,
    [MR_CEL_OP_CALL] = run_call,
    [MR_CEL_OP_MATCH] = run_match,
    [MR_CEL_OP_LIST] = run_new,
    [MR_CEL_OP_LIST_SET] = run_list_set,
    [MR_CEL_OP_MAP] = run_new,
    [MR_CEL_OP_MAP_SET] = run_map_set,
};

void mr_cel_run_range(struct mr_cel_run *run, uint32_t from, uint32_t to, const uint16_t *rows,
                      uint32_t rows_count)
{
    for (uint32_t at = from; at < to;) {
        const struct mr_cel_instruction *instruction = &run->program->instructions[at];
        if (instruction->operation == MR_CEL_OP_MACRO) {
            mr_cel_run_macro(run, at, rows, rows_count);
            at = instruction->body_end;
        } else {
            operations[instruction->operation](run, instruction, rows, rows_count);
            at++;
        }
    }
}

void mr_program_run(const struct mr_program *program, struct mr_evaluator *evaluator,
                    struct mr_view view, int64_t now_ms, struct mr_value *result)
{
    if (view.rows_count == 0)
        return;
    MR_ASSERT(view.rows_count <= MR_LIMIT_BATCH_ROWS &&
              view.rows[view.rows_count - 1] < MR_LIMIT_BATCH_ROWS);
    prepare(evaluator, program);
    struct mr_cel_run run = {
        .program = program, .evaluator = evaluator, .batch = view.batch, .result = result};
    run.context.arena = view.batch->arena;
    run.context.costs = evaluator->costs;
    run.context.now_ms = now_ms;
    run.context.strict = program->strict;
    run.context.regex_scratch = evaluator->regex_scratch;
    memset(evaluator->costs, 0, (view.rows[view.rows_count - 1] + 1u) * sizeof evaluator->costs[0]);
    for (uint32_t i = 0; i < program->loads_count; i++)
        evaluator->loads[i] = load(&run, i, view);
    mr_cel_run_range(&run, 0, program->instructions_count, view.rows, view.rows_count);
}
