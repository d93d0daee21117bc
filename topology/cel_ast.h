/* topology/cel_ast.h — the syntax tree of an expression, and what all phases of its compilation
 * share. Why: lexer, parser, checker and compiler each do one thing; they meet in this tree. Model:
 * a node is one construct. The parser fills kind, place, name and children; the checker sets the
 * type and turns names into VARIABLE (a column), LOCAL (of a macro) or LITERAL (a type's name).
 * Invariants: depth of a node is 1 + the deepest child's and never above MR_LIMIT_EXPRESSION_DEPTH,
 * so that every later phase may recurse. Owner: everything lives in the arena of the compilation.
 */
#ifndef MR_TOPOLOGY_CEL_AST_H
#define MR_TOPOLOGY_CEL_AST_H

#include "topology/expression.h"

enum mr_cel_node_kind {
    MR_CEL_NODE_LITERAL,     /* value; an ERROR value fails at run time */
    MR_CEL_NODE_IDENT,       /* name */
    MR_CEL_NODE_SELECT,      /* target.name */
    MR_CEL_NODE_INDEX,       /* target[items[0]] */
    MR_CEL_NODE_UNARY,       /* operator items[0] */
    MR_CEL_NODE_BINARY,      /* items[0] operator items[1] */
    MR_CEL_NODE_CONDITIONAL, /* items[0] ? items[1] : items[2] */
    MR_CEL_NODE_CALL,        /* name(items...), with a target target.name(items...) */
    MR_CEL_NODE_LIST,        /* items */
    MR_CEL_NODE_MAP,         /* items: key, value, key, value ... */
    MR_CEL_NODE_HAS,         /* has(items[0]) */
    MR_CEL_NODE_MACRO,       /* target.macro(variables, [items[0],] items[last]) */
    MR_CEL_NODE_VARIABLE,    /* column slot */
    MR_CEL_NODE_LOCAL        /* variable local_index of the macro `local` */
};

enum mr_cel_operator {
    MR_CEL_NEGATE,
    MR_CEL_NOT,
    MR_CEL_MULTIPLY,
    MR_CEL_DIVIDE,
    MR_CEL_MODULO,
    MR_CEL_ADD,
    MR_CEL_SUBTRACT,
    MR_CEL_LESS,
    MR_CEL_LESS_EQUAL,
    MR_CEL_GREATER,
    MR_CEL_GREATER_EQUAL,
    MR_CEL_EQUAL,
    MR_CEL_NOT_EQUAL,
    MR_CEL_IN,
    MR_CEL_AND,
    MR_CEL_OR,
    MR_CEL_OPERATOR_COUNT
};

enum mr_cel_macro {
    MR_CEL_MACRO_ALL,
    MR_CEL_MACRO_EXISTS,
    MR_CEL_MACRO_EXISTS_ONE,
    MR_CEL_MACRO_MAP, /* also transformList */
    MR_CEL_MACRO_FILTER,
    MR_CEL_MACRO_TRANSFORM_MAP,
    MR_CEL_MACRO_NONE
};

struct mr_cel_type;

struct mr_cel_node {
    uint8_t kind;          /* enum mr_cel_node_kind */
    uint8_t operator_code; /* enum mr_cel_operator */
    uint8_t macro;         /* enum mr_cel_macro */
    bool rooted;           /* IDENT written with a leading dot: no macro variable is meant */
    bool has_receiver;     /* CALL, checked: items[0] stands before the dot */
    bool has_condition;    /* MACRO: items[0] is a filter before the body */
    bool checked;
    uint32_t column; /* 1-based byte column in the text */
    uint32_t depth;
    struct mr_value value;
    const char *name;
    uint32_t name_size;
    struct mr_cel_node *target;
    struct mr_cel_node **items;
    uint32_t items_count;
    const char *variables[2];
    uint32_t variables_count;
    struct mr_cel_node *next; /* the parser's lists */
    /* Set by the checker. */
    const struct mr_cel_type *type;
    uint32_t slot;    /* VARIABLE */
    const char *path; /* VARIABLE: canonical text */
    const char
        *absent_type; /* VARIABLE: the CEL type that the name means where the field is absent */
    struct mr_cel_node *local;
    uint32_t local_index;
    uint32_t registers[2]; /* MACRO: the compiler's place for its variables */
};

/* One compilation. */
struct mr_cel_compilation {
    struct mr_arena *arena;
    const char *text;
    size_t size;
    const struct mr_expression_environment *environment;
    bool strict;    /* CEL without the extension of integer literals */
    bool unchecked; /* CEL without its check phase: what does not fit fails at run time */
    bool failed;
    uint32_t *column;
    struct mr_error *error;
};

/* Note the first failure; later ones are consequences and are ignored. */
void mr_cel_fail(struct mr_cel_compilation *compilation, uint32_t column, const char *format, ...)
    MR_PRINTF(3, 4);

/* The text is not empty, not too long and UTF-8; else the failure is noted. */
bool mr_cel_check_text(struct mr_cel_compilation *compilation);

/* The operator as it is written: "&&". */
const char *mr_cel_operator_text(uint8_t operator_code);

#endif
