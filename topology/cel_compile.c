/* topology/cel_compile.c — from a checked tree to instructions.
 * Design: registers are a stack: operands are worked out above the mark, then the result takes the
 * mark's place, which is safe since every instruction reads a row's operands before it writes the
 * row. Both sides of && || ?: are always worked out: CEL lets nobody see the difference but in
 * cost, and whole columns are cheaper than branches. Variables are loaded once per run, whatever
 * their number of uses. The conditions of has() read raw columns, where absence is still visible.
 */
#include "base/assert.h"
#include "topology/cel_check.h"
#include "topology/cel_program.h"

enum { NO_REGISTER = MR_CEL_REGISTERS_MAX + 1 };

struct compiler {
    struct mr_cel_compilation *compilation;
    struct mr_arena *arena;
    struct mr_cel_instruction *instructions;
    uint32_t instructions_count;
    uint32_t instructions_capacity;
    struct mr_value *constants;
    uint32_t constants_count;
    uint32_t constants_capacity;
    struct mr_cel_load *loads;
    uint32_t loads_count;
    uint32_t loads_capacity;
    uint32_t top; /* first free register */
    uint32_t registers_count;
    uint32_t macros_depth;
    uint32_t macros_depth_max;
    bool uses_now;
    bool uses_regex;
};

static uint32_t emit(struct compiler *compiler, const struct mr_cel_node *node, uint32_t into);

/* Room for one more element in an arena array that doubles. */
static void *grown(struct compiler *compiler, void *items, uint32_t count, uint32_t *capacity,
                   size_t size)
{
    if (count < *capacity)
        return items;
    uint32_t larger = *capacity == 0 ? 16 : *capacity * 2;
    void *room = mr_arena_new(compiler->arena, larger, size);
    if (count > 0)
        memcpy(room, items, count * size);
    *capacity = larger;
    return room;
}

static uint32_t append(struct compiler *compiler, struct mr_cel_instruction instruction)
{
    compiler->instructions = grown(compiler, compiler->instructions, compiler->instructions_count,
                                   &compiler->instructions_capacity, sizeof instruction);
    compiler->instructions[compiler->instructions_count] = instruction;
    return compiler->instructions_count++;
}

static uint32_t add_constant(struct compiler *compiler, struct mr_value value)
{
    compiler->constants = grown(compiler, compiler->constants, compiler->constants_count,
                                &compiler->constants_capacity, sizeof value);
    compiler->constants[compiler->constants_count] = value;
    return MR_CEL_OPERAND_CONSTANT | compiler->constants_count++;
}

static uint32_t take_register(struct compiler *compiler, const struct mr_cel_node *node)
{
    uint32_t taken = compiler->top++;
    if (compiler->top > compiler->registers_count)
        compiler->registers_count = compiler->top;
    if (taken >= MR_CEL_REGISTERS_MAX) {
        mr_cel_fail(compiler->compilation, node->column,
                    "The expression holds more than %d values at a time; split it into fields with "
                    "map.",
                    MR_CEL_REGISTERS_MAX);
        return 0;
    }
    return taken;
}

/* The register for a result: the wanted one, or the first free one. */
static uint32_t result_register(struct compiler *compiler, const struct mr_cel_node *node,
                                uint32_t into)
{
    return into != NO_REGISTER ? into : take_register(compiler, node);
}

static uint32_t emit_variable(struct compiler *compiler, const struct mr_cel_node *node)
{
    for (uint32_t i = 0; i < compiler->loads_count; i++) {
        bool type = compiler->loads[i].absent.kind == MR_KIND_TYPE;
        if (compiler->loads[i].slot == node->slot && type == (node->absent_type != NULL))
            return MR_CEL_OPERAND_LOAD | i;
    }
    struct mr_cel_load load = {.slot = node->slot};
    if (node->absent_type != NULL)
        load.absent = (struct mr_value){.kind = MR_KIND_TYPE,
                                        .size = (uint32_t)strlen(node->absent_type),
                                        .text = (const uint8_t *)node->absent_type};
    else
        load.absent = mr_value_error(
            mr_slice_text(mr_arena_format(compiler->arena, "no such field '%s'", node->path)));
    compiler->loads = grown(compiler, compiler->loads, compiler->loads_count,
                            &compiler->loads_capacity, sizeof load);
    compiler->loads[compiler->loads_count] = load;
    return MR_CEL_OPERAND_LOAD | compiler->loads_count++;
}

static uint32_t emit_operator(struct compiler *compiler, const struct mr_cel_node *node,
                              uint32_t into)
{
    static const uint8_t operations[] = {[MR_CEL_NODE_UNARY] = MR_CEL_OP_UNARY,
                                         [MR_CEL_NODE_BINARY] = MR_CEL_OP_BINARY,
                                         [MR_CEL_NODE_CONDITIONAL] = MR_CEL_OP_CONDITIONAL};
    struct mr_cel_instruction instruction = {.operation = operations[node->kind],
                                             .operator_code = node->operator_code};
    uint32_t mark = compiler->top;
    instruction.a = emit(compiler, node->items[0], NO_REGISTER);
    if (node->items_count > 1)
        instruction.b = emit(compiler, node->items[1], NO_REGISTER);
    if (node->items_count > 2)
        instruction.c = emit(compiler, node->items[2], NO_REGISTER);
    compiler->top = mark;
    instruction.destination = result_register(compiler, node, into);
    append(compiler, instruction);
    return instruction.destination;
}

/* The key of a select or an index. */
static uint32_t emit_key(struct compiler *compiler, const struct mr_cel_node *node)
{
    if (node->kind == MR_CEL_NODE_INDEX)
        return emit(compiler, node->items[0], NO_REGISTER);
    return add_constant(compiler, mr_value_string(mr_slice_from(node->name, node->name_size)));
}

static uint32_t emit_index(struct compiler *compiler, const struct mr_cel_node *node, uint32_t into)
{
    struct mr_cel_instruction instruction = {.operation = MR_CEL_OP_INDEX};
    uint32_t mark = compiler->top;
    instruction.by_name = node->kind == MR_CEL_NODE_SELECT;
    instruction.a = emit(compiler, node->target, NO_REGISTER);
    instruction.b = emit_key(compiler, node);
    compiler->top = mark;
    instruction.destination = result_register(compiler, node, into);
    append(compiler, instruction);
    return instruction.destination;
}

/* A place that has() looks at: absence passes through. Anything below a variable that is no object
 * has no members, as in a column of the path itself. */
static uint32_t emit_place(struct compiler *compiler, const struct mr_cel_node *node, bool *lenient)
{
    if (node->kind == MR_CEL_NODE_VARIABLE) {
        *lenient = true;
        return MR_CEL_OPERAND_COLUMN | node->slot;
    }
    *lenient = false;
    if (node->kind != MR_CEL_NODE_SELECT && node->kind != MR_CEL_NODE_INDEX)
        return emit(compiler, node, NO_REGISTER);
    struct mr_cel_instruction instruction = {.operation = MR_CEL_OP_WALK};
    uint32_t mark = compiler->top;
    const struct mr_cel_node *base = node->target;
    while (base->kind == MR_CEL_NODE_SELECT || base->kind == MR_CEL_NODE_INDEX)
        base = base->target;
    if (base->kind == MR_CEL_NODE_VARIABLE)
        instruction.a = emit_place(compiler, node->target, lenient);
    else
        instruction.a = emit(compiler, node->target, NO_REGISTER);
    instruction.b = emit_key(compiler, node);
    instruction.lenient = *lenient;
    compiler->top = mark;
    instruction.destination = take_register(compiler, node);
    append(compiler, instruction);
    return instruction.destination;
}

static uint32_t emit_has(struct compiler *compiler, const struct mr_cel_node *node, uint32_t into)
{
    bool lenient = false;
    uint32_t mark = compiler->top;
    struct mr_cel_instruction instruction = {.operation = MR_CEL_OP_TEST};
    instruction.a = emit_place(compiler, node->items[0], &lenient);
    compiler->top = mark;
    instruction.destination = result_register(compiler, node, into);
    append(compiler, instruction);
    return instruction.destination;
}

static uint32_t emit_match(struct compiler *compiler, const struct mr_cel_node *node, uint32_t into)
{
    const struct mr_cel_node *pattern = node->items[1];
    const char *problem = NULL;
    size_t offset = 0;
    struct mr_cel_instruction instruction = {.operation = MR_CEL_OP_MATCH};
    instruction.regex =
        mr_cel_regex_compile(compiler->arena, mr_value_text(pattern->value), &problem, &offset);
    if (instruction.regex == NULL) {
        mr_cel_fail(compiler->compilation, pattern->column,
                    "The pattern of matches() is wrong at its byte %zu: %s.", offset + 1, problem);
        return 0;
    }
    uint32_t mark = compiler->top;
    instruction.a = emit(compiler, node->items[0], NO_REGISTER);
    compiler->top = mark;
    instruction.destination = result_register(compiler, node, into);
    append(compiler, instruction);
    return instruction.destination;
}

/* Constant arguments that no record can make right are told now. */
static bool check_zone(struct compiler *compiler, const struct mr_cel_node *node)
{
    int32_t seconds = 0;
    if (node->items_count != 2 || strncmp(node->name, "get", 3) != 0)
        return true;
    const struct mr_cel_node *zone = node->items[1];
    if (zone->kind != MR_CEL_NODE_LITERAL || zone->value.kind != MR_KIND_STRING ||
        mr_cel_parse_zone(mr_value_text(zone->value), &seconds))
        return true;
    mr_cel_fail(compiler->compilation, zone->column,
                "The time zone '%.*s' is not supported: write \"UTC\" or an offset like "
                "\"+02:00\".",
                (int)(zone->value.size < 40 ? zone->value.size : 40),
                (const char *)zone->value.text);
    return false;
}

static uint32_t emit_call(struct compiler *compiler, const struct mr_cel_node *node, uint32_t into)
{
    struct mr_cel_instruction instruction = {.operation = MR_CEL_OP_CALL};
    instruction.functions = mr_cel_functions_find(node->name, &instruction.functions_count);
    instruction.operator_code = node->has_receiver ? MR_CEL_MEMBER : MR_CEL_GLOBAL;
    if (node->items_count > MR_CEL_ARGUMENTS_MAX) {
        mr_cel_fail(compiler->compilation, node->column, "%s() has more than %d arguments.",
                    node->name, MR_CEL_ARGUMENTS_MAX);
        return 0;
    }
    if (!check_zone(compiler, node))
        return 0;
    compiler->uses_now = compiler->uses_now || instruction.functions->reads_clock;
    if (instruction.functions->call == mr_cel_matches) {
        compiler->uses_regex = true;
        if (node->items_count == 2 && node->items[1]->kind == MR_CEL_NODE_LITERAL &&
            node->items[1]->value.kind == MR_KIND_STRING)
            return emit_match(compiler, node, into);
    }
    uint32_t *arguments = mr_arena_new(compiler->arena, node->items_count + 1, sizeof *arguments);
    uint32_t mark = compiler->top;
    for (uint32_t i = 0; i < node->items_count; i++)
        arguments[i] = emit(compiler, node->items[i], NO_REGISTER);
    compiler->top = mark;
    instruction.arguments = arguments;
    instruction.arguments_count = node->items_count;
    instruction.destination = result_register(compiler, node, into);
    append(compiler, instruction);
    return instruction.destination;
}

static uint32_t emit_list(struct compiler *compiler, const struct mr_cel_node *node, uint32_t into)
{
    uint32_t mark = compiler->top;
    uint32_t destination = result_register(compiler, node, into);
    uint32_t above = compiler->top;
    append(compiler, (struct mr_cel_instruction){.operation = MR_CEL_OP_LIST,
                                                 .destination = destination,
                                                 .size = node->items_count});
    for (uint32_t i = 0; i < node->items_count && !compiler->compilation->failed; i++) {
        compiler->top = above;
        uint32_t item = emit(compiler, node->items[i], NO_REGISTER);
        append(compiler, (struct mr_cel_instruction){.operation = MR_CEL_OP_LIST_SET,
                                                     .destination = destination,
                                                     .a = item,
                                                     .size = i});
    }
    compiler->top = into == NO_REGISTER ? above : mark;
    return destination;
}

static uint32_t emit_map(struct compiler *compiler, const struct mr_cel_node *node, uint32_t into)
{
    uint32_t mark = compiler->top;
    uint32_t destination = result_register(compiler, node, into);
    uint32_t above = compiler->top;
    append(compiler, (struct mr_cel_instruction){.operation = MR_CEL_OP_MAP,
                                                 .destination = destination,
                                                 .size = node->items_count / 2});
    for (uint32_t i = 0; i + 1 < node->items_count && !compiler->compilation->failed; i += 2) {
        compiler->top = above;
        uint32_t key = emit(compiler, node->items[i], NO_REGISTER);
        uint32_t value = emit(compiler, node->items[i + 1], NO_REGISTER);
        append(compiler, (struct mr_cel_instruction){.operation = MR_CEL_OP_MAP_SET,
                                                     .destination = destination,
                                                     .a = key,
                                                     .b = value});
    }
    compiler->top = into == NO_REGISTER ? above : mark;
    return destination;
}

static uint32_t emit_macro(struct compiler *compiler, struct mr_cel_node *node, uint32_t into)
{
    uint32_t mark = compiler->top;
    struct mr_cel_instruction instruction = {.operation = MR_CEL_OP_MACRO,
                                             .macro = node->macro,
                                             .variables_count = (uint8_t)node->variables_count,
                                             .has_condition = node->has_condition};
    instruction.destination = result_register(compiler, node, into);
    uint32_t above = compiler->top;
    instruction.a = emit(compiler, node->target, NO_REGISTER);
    for (uint32_t i = 0; i < node->variables_count; i++) {
        node->registers[i] = take_register(compiler, node);
        instruction.variables[i] = node->registers[i];
    }
    if (++compiler->macros_depth > compiler->macros_depth_max)
        compiler->macros_depth_max = compiler->macros_depth;
    uint32_t place = append(compiler, instruction);
    if (node->has_condition)
        instruction.condition = emit(compiler, node->items[0], NO_REGISTER);
    instruction.condition_end = compiler->instructions_count;
    instruction.body = emit(compiler, node->items[node->items_count - 1], NO_REGISTER);
    instruction.body_end = compiler->instructions_count;
    compiler->instructions[place] = instruction;
    compiler->macros_depth--;
    compiler->top = into == NO_REGISTER ? above : mark;
    return instruction.destination;
}

static uint32_t emit(struct compiler *compiler, const struct mr_cel_node *node, uint32_t into)
{
    if (compiler->compilation->failed)
        return 0;
    switch (node->kind) {
    case MR_CEL_NODE_LITERAL:
        return add_constant(compiler, node->value);
    case MR_CEL_NODE_VARIABLE:
        return emit_variable(compiler, node);
    case MR_CEL_NODE_LOCAL:
        return node->local->registers[node->local_index];
    case MR_CEL_NODE_UNARY:
    case MR_CEL_NODE_BINARY:
    case MR_CEL_NODE_CONDITIONAL:
        return emit_operator(compiler, node, into);
    case MR_CEL_NODE_SELECT:
    case MR_CEL_NODE_INDEX:
        return emit_index(compiler, node, into);
    case MR_CEL_NODE_HAS:
        return emit_has(compiler, node, into);
    case MR_CEL_NODE_LIST:
        return emit_list(compiler, node, into);
    case MR_CEL_NODE_MAP:
        return emit_map(compiler, node, into);
    case MR_CEL_NODE_CALL:
        return emit_call(compiler, node, into);
    default:
        MR_ASSERT(node->kind == MR_CEL_NODE_MACRO);
        return emit_macro(compiler, (struct mr_cel_node *)(uintptr_t)node, into);
    }
}

struct mr_program *mr_cel_compile(struct mr_cel_compilation *compilation, struct mr_cel_node *root)
{
    struct compiler compiler = {
        .compilation = compilation, .arena = compilation->arena, .top = 1, .registers_count = 1};
    uint32_t result = emit(&compiler, root, 0);
    bool marked = root->kind == MR_CEL_NODE_CONDITIONAL;
    if (result != 0 || marked)
        append(&compiler, (struct mr_cel_instruction){.operation = MR_CEL_OP_COPY, .a = result});
    if (compilation->failed)
        return NULL;
    struct mr_program *program = mr_arena_new(compilation->arena, 1, sizeof *program);
    program->instructions = compiler.instructions;
    program->instructions_count = compiler.instructions_count;
    program->constants = compiler.constants;
    program->loads = compiler.loads;
    program->loads_count = compiler.loads_count;
    program->registers_count = compiler.registers_count;
    program->macros_depth = compiler.macros_depth_max;
    program->uses_now = compiler.uses_now;
    program->uses_regex = compiler.uses_regex;
    program->strict = compilation->strict;
    program->cel_type = root->type;
    program->type = mr_cel_type_to_schema(compilation->arena, root->type);
    return program;
}
