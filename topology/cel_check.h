/* topology/cel_check.h — names and types of a parsed expression.
 * Model: gradual typing as CEL defines it: DYN fits everything and is looked at when the program
 * runs. */
#ifndef MR_TOPOLOGY_CEL_CHECK_H
#define MR_TOPOLOGY_CEL_CHECK_H

#include "topology/cel_ast.h"
#include "topology/cel_types.h"

/* Resolve names and set the type of every node. False: the failure is noted. */
bool mr_cel_check(struct mr_cel_compilation *compilation, struct mr_cel_node *root);

/* An integer literal that reads as a double where a double stands beside it (DESIGN 2.1 rule 7). */
static inline bool mr_cel_is_integer_literal(const struct mr_cel_compilation *compilation,
                                             const struct mr_cel_node *node)
{
    return !compilation->strict && node->kind == MR_CEL_NODE_LITERAL &&
           node->value.kind == MR_KIND_INT;
}

/* Whether a name that cel_names.c resolves is the chain of selects and constant indexes below node.
 * Resolve it: node, or a node below it, becomes VARIABLE, LOCAL or LITERAL. False: failed. */
struct mr_cel_scope {
    struct mr_cel_node *macro; /* its variables are visible ... */
    uint32_t variables_count;  /* ... from the first of them up to this many */
    const struct mr_cel_type *types[2];
    const struct mr_cel_scope *outer;
};
bool mr_cel_resolve_name(struct mr_cel_compilation *compilation, const struct mr_cel_scope *scope,
                         struct mr_cel_node *node);

#endif
