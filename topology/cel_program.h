/* topology/cel_program.h — the compiled form of an expression.
 * Model: instructions over columns of cells, all indexed by the row's number in the batch. An
 * operand is a register (a column of the evaluator), a constant, a loaded variable, or a raw column
 * of the batch (has() only). A macro holds its condition and body as the instructions behind it.
 * Register 0 is the result. */
#ifndef MR_TOPOLOGY_CEL_PROGRAM_H
#define MR_TOPOLOGY_CEL_PROGRAM_H

#include "topology/cel_functions.h"
#include "topology/cel_regex.h"

enum mr_cel_operation {
    MR_CEL_OP_COPY,        /* destination = a, without the marks of literals */
    MR_CEL_OP_UNARY,       /* destination = operator a */
    MR_CEL_OP_BINARY,      /* destination = a operator b */
    MR_CEL_OP_CONDITIONAL, /* destination = a ? b : c */
    MR_CEL_OP_INDEX,       /* destination = a[b] */
    MR_CEL_OP_WALK,        /* destination = a[b], ABSENT where there is none */
    MR_CEL_OP_TEST,        /* destination = a is there */
    MR_CEL_OP_CALL,        /* destination = functions(arguments) */
    MR_CEL_OP_MATCH,       /* destination = regex matches a */
    MR_CEL_OP_LIST,        /* destination = a new list of `size` elements */
    MR_CEL_OP_LIST_SET,    /* destination[size] = a */
    MR_CEL_OP_MAP,         /* destination = a new map with room for `size` entries */
    MR_CEL_OP_MAP_SET,     /* destination[a] = b */
    MR_CEL_OP_MACRO        /* destination = macro over a */
};

enum mr_cel_operand_place {
    MR_CEL_OPERAND_REGISTER = 0,
    MR_CEL_OPERAND_CONSTANT = 1 << 29,
    MR_CEL_OPERAND_LOAD = 2 << 29,
    MR_CEL_OPERAND_COLUMN = 3 << 29,
    MR_CEL_OPERAND_INDEX_MASK = (1 << 29) - 1
};

enum { MR_CEL_REGISTERS_MAX = 512 };

struct mr_cel_instruction {
    uint8_t operation;     /* enum mr_cel_operation */
    uint8_t operator_code; /* enum mr_cel_operator; enum mr_cel_style of a CALL */
    uint8_t macro;         /* enum mr_cel_macro */
    uint8_t variables_count;
    bool has_condition;
    bool by_name; /* INDEX: written .name, which lists do not take */
    bool lenient; /* WALK: what is no map has no member, instead of being an error */
    uint32_t destination;
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t size;
    uint32_t variables[2];  /* MACRO: registers */
    uint32_t condition;     /* MACRO: operand of the condition's result ... */
    uint32_t condition_end; /* ... whose instructions end here */
    uint32_t body;          /* MACRO: operand of the body's result ... */
    uint32_t body_end;      /* ... whose instructions end here */
    const struct mr_cel_function *functions;
    uint32_t functions_count;
    const uint32_t *arguments;
    uint32_t arguments_count;
    const struct mr_cel_regex *regex;
};

/* A variable: what stands in for a cell that is absent is an error, or a type of that name. */
struct mr_cel_load {
    uint32_t slot;
    struct mr_value absent;
};

struct mr_program {
    const struct mr_cel_instruction *instructions;
    uint32_t instructions_count;
    const struct mr_value *constants;
    const struct mr_cel_load *loads;
    uint32_t loads_count;
    uint32_t registers_count;
    uint32_t macros_depth;
    bool uses_now;
    bool uses_regex;
    bool strict;
    const struct mr_cel_type *cel_type;
    const struct mr_type *type;
};

/* Replace every node that depends on nothing by its value (cel_fold.c). Pre: checked. */
void mr_cel_fold(struct mr_cel_compilation *compilation, struct mr_cel_node *root);
/* Turn a checked tree into instructions. NULL: the failure is noted. */
struct mr_program *mr_cel_compile(struct mr_cel_compilation *compilation, struct mr_cel_node *root);
/* Call the first overload that takes the arguments. Errors among the arguments come first. */
struct mr_value mr_cel_call(struct mr_cel_context *context, const struct mr_cel_function *functions,
                            uint32_t functions_count, uint8_t style,
                            const struct mr_value *arguments, uint32_t count);
/* Put an entry into a map that has room; an error cell when the key is none or is there already. */
struct mr_value mr_cel_map_set(struct mr_cel_context *context, struct mr_value map,
                               struct mr_value key, struct mr_value value);

#endif
