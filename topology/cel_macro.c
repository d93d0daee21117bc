/* topology/cel_macro.c — all, exists, exists_one, map, filter and their kin.
 * Design: element by element over all rows at once: step k puts the k-th element of every row's
 * list into the variable's column and runs the body over the rows that have one. Rows leave as
 * their lists end or as their result is decided, so dispatch costs per step and not per element.
 * The result's register accumulates: a bool, a count, or the list that grows within room taken at
 * the start. Every step is charged to its row. */
#include "topology/cel_run.h"

struct macro_run {
    struct mr_cel_run *run;
    const struct mr_cel_instruction *instruction;
    struct mr_cel_cells range;
    struct mr_value *output;
    struct mr_value *variables[2];
    uint32_t step_cost;
};

/* What the result is before the first element; an error when the range cannot be gone over. */
static struct mr_value initial(struct macro_run *macro, struct mr_value range)
{
    struct mr_cel_context *context = &macro->run->context;
    if (range.kind == MR_KIND_ERROR)
        return range;
    if (range.kind != MR_KIND_LIST && range.kind != MR_KIND_MAP)
        return mr_cel_error_kinds(context, "a macro", range.kind, MR_KIND_ABSENT);
    void *room = NULL;
    switch (macro->instruction->macro) {
    case MR_CEL_MACRO_ALL:
        return mr_value_bool(true);
    case MR_CEL_MACRO_EXISTS:
        return mr_value_bool(false);
    case MR_CEL_MACRO_EXISTS_ONE:
        return mr_value_int(0);
    case MR_CEL_MACRO_TRANSFORM_MAP:
        room = mr_cel_take(context, range.size * sizeof(struct mr_map_entry));
        return room == NULL ? mr_cel_error_cost()
                            : (struct mr_value){.kind = MR_KIND_MAP, .entries = room};
    default:
        room = mr_cel_take(context, range.size * sizeof(struct mr_value));
        return room == NULL ? mr_cel_error_cost()
                            : (struct mr_value){.kind = MR_KIND_LIST, .items = room};
    }
}

/* Put element `step` of a row's range into the variables. */
static void set_variables(struct macro_run *macro, uint32_t row, uint32_t step)
{
    const struct mr_cel_context *context = &macro->run->context;
    struct mr_value range = macro->range.cells[row & macro->range.mask];
    bool map = range.kind == MR_KIND_MAP;
    bool single = macro->instruction->variables_count == 1;
    struct mr_value key = map ? mr_cel_plain(context, range.entries[step].key) : mr_value_int(step);
    struct mr_value element =
        mr_cel_plain(context, map ? range.entries[step].value : range.items[step]);
    macro->variables[0][row] = single && !map ? element : key;
    if (!single)
        macro->variables[1][row] = element;
}

/* Add one more value to the list or map that a row builds. */
static bool collect(struct macro_run *macro, uint32_t row, struct mr_value value)
{
    struct mr_value *output = &macro->output[row];
    if (value.kind == MR_KIND_ERROR) {
        *output = value;
        return false;
    }
    if (output->kind == MR_KIND_MAP) {
        *output = mr_cel_map_set(&macro->run->context, *output, macro->variables[0][row], value);
        return output->kind != MR_KIND_ERROR;
    }
    value.flags &= (uint8_t)~MR_CEL_VALUE_LITERAL;
    mr_cel_mutable_items(*output)[output->size++] = value;
    return true;
}

/* Take a predicate's value that must be a bool; anything else ends the row with an error. */
static bool predicate(struct macro_run *macro, uint32_t row, struct mr_value value, bool *passed)
{
    *passed = value.kind == MR_KIND_BOOL && value.boolean;
    if (value.kind == MR_KIND_BOOL)
        return true;
    macro->output[row] = value.kind == MR_KIND_ERROR
                             ? value
                             : mr_cel_error_kinds(&macro->run->context, "the condition of a macro",
                                                  value.kind, MR_KIND_ABSENT);
    return false;
}

/* Fold the body's value into the row's result. False: the row is decided. */
static bool fold(struct macro_run *macro, uint32_t row, struct mr_value value)
{
    struct mr_value *output = &macro->output[row];
    bool passed = false;
    macro->run->context.row = row;
    switch (macro->instruction->macro) {
    case MR_CEL_MACRO_ALL:
        *output = mr_cel_logic(&macro->run->context, MR_CEL_AND, *output, value);
        return output->kind != MR_KIND_BOOL || output->boolean;
    case MR_CEL_MACRO_EXISTS:
        *output = mr_cel_logic(&macro->run->context, MR_CEL_OR, *output, value);
        return output->kind != MR_KIND_BOOL || !output->boolean;
    case MR_CEL_MACRO_EXISTS_ONE:
        if (!predicate(macro, row, value, &passed))
            return false;
        output->integer += passed;
        return true;
    case MR_CEL_MACRO_FILTER:
        if (!predicate(macro, row, value, &passed))
            return false;
        return !passed || collect(macro, row, macro->variables[0][row]);
    default:
        return collect(macro, row, value);
    }
}

/* Rows of `active` that have an element `step` and may go on; their variables are set. */
static uint32_t advance(struct macro_run *macro, uint16_t *active, uint32_t active_count,
                        uint32_t step)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < active_count; i++) {
        uint16_t row = active[i];
        if (step >= macro->range.cells[row & macro->range.mask].size)
            continue;
        macro->run->context.row = row;
        if (!mr_cel_charge(&macro->run->context, macro->step_cost)) {
            macro->output[row] = mr_cel_error_cost();
            continue;
        }
        set_variables(macro, row, step);
        active[kept++] = row;
    }
    return kept;
}

/* Run the condition; rows whose element passes are written to `passed`. Rows that failed leave. */
static uint32_t apply_condition(struct macro_run *macro, uint32_t place,
                                struct mr_cel_selection *selection, uint32_t *active_count)
{
    struct mr_cel_run *run = macro->run;
    mr_cel_run_range(run, place + 1, macro->instruction->condition_end, selection->active,
                     *active_count);
    struct mr_cel_cells condition = mr_cel_run_operand(run, macro->instruction->condition);
    uint32_t kept = 0;
    uint32_t passed_count = 0;
    for (uint32_t i = 0; i < *active_count; i++) {
        uint16_t row = selection->active[i];
        bool passed = false;
        run->context.row = row;
        if (!predicate(macro, row, condition.cells[row & condition.mask], &passed))
            continue;
        selection->active[kept++] = row;
        if (passed)
            selection->passed[passed_count++] = row;
    }
    *active_count = kept;
    return passed_count;
}

static bool is_undecided(const struct mr_value *output, uint8_t macro)
{
    if (output->kind != MR_KIND_ERROR)
        return macro != MR_CEL_MACRO_ALL && macro != MR_CEL_MACRO_EXISTS
                   ? true
                   : output->kind != MR_KIND_BOOL || output->boolean == (macro == MR_CEL_MACRO_ALL);
    return macro == MR_CEL_MACRO_ALL || macro == MR_CEL_MACRO_EXISTS;
}

static void run_steps(struct macro_run *macro, uint32_t place, struct mr_cel_selection *selection,
                      uint32_t active_count)
{
    const struct mr_cel_instruction *instruction = macro->instruction;
    for (uint32_t step = 0; active_count > 0; step++) {
        active_count = advance(macro, selection->active, active_count, step);
        const uint16_t *rows = selection->active;
        uint32_t rows_count = active_count;
        if (instruction->has_condition) {
            rows_count = apply_condition(macro, place, selection, &active_count);
            rows = selection->passed;
        }
        mr_cel_run_range(macro->run, instruction->condition_end, instruction->body_end, rows,
                         rows_count);
        struct mr_cel_cells body = mr_cel_run_operand(macro->run, instruction->body);
        bool decided = false;
        for (uint32_t i = 0; i < rows_count; i++)
            decided |= !fold(macro, rows[i], body.cells[rows[i] & body.mask]);
        uint32_t kept = 0;
        for (uint32_t i = 0; decided && i < active_count; i++) {
            if (is_undecided(&macro->output[selection->active[i]], instruction->macro))
                selection->active[kept++] = selection->active[i];
        }
        active_count = decided ? kept : active_count;
    }
}

void mr_cel_run_macro(struct mr_cel_run *run, uint32_t place, const uint16_t *rows,
                      uint32_t rows_count)
{
    const struct mr_cel_instruction *instruction = &run->program->instructions[place];
    struct mr_cel_selection *selection = run->evaluator->selections[run->macros_depth++];
    struct macro_run macro = {
        .run = run,
        .instruction = instruction,
        .range = mr_cel_run_operand(run, instruction->a),
        .output = mr_cel_run_register(run, instruction->destination),
        .step_cost = instruction->body_end - place,
    };
    for (uint32_t i = 0; i < instruction->variables_count; i++)
        macro.variables[i] = mr_cel_run_register(run, instruction->variables[i]);
    uint32_t active_count = 0;
    for (uint32_t i = 0; i < rows_count; i++) {
        uint16_t row = rows[i];
        run->context.row = row;
        macro.output[row] = initial(&macro, macro.range.cells[row & macro.range.mask]);
        if (macro.output[row].kind != MR_KIND_ERROR)
            selection->active[active_count++] = row;
    }
    run_steps(&macro, place, selection, active_count);
    for (uint32_t i = 0; instruction->macro == MR_CEL_MACRO_EXISTS_ONE && i < rows_count; i++) {
        struct mr_value *output = &macro.output[rows[i]];
        if (output->kind == MR_KIND_INT)
            *output = mr_value_bool(output->integer == 1);
    }
    run->macros_depth--;
}
