/* topology/cel_parser.h — from the text of an expression to a syntax tree, macros expanded. */
#ifndef MR_TOPOLOGY_CEL_PARSER_H
#define MR_TOPOLOGY_CEL_PARSER_H

#include "topology/cel_ast.h"

/* Parse compilation->text. NULL: the failure is noted in the compilation. */
struct mr_cel_node *mr_cel_parse(struct mr_cel_compilation *compilation);

#endif
