/* topology/substitute.h — ${NAME} and ${NAME:default} in the scalars of a tree (DESIGN 2.1 rule
 * 15). Why on nodes and not on the file's text: places stay those of the file, and a value can
 * never change the structure of the topology. Rules: a scalar that is one ${...} as a whole may
 * stand for a text or a number alike; $${ is a literal ${; ${file:PATH} and ${secret:NAME/KEY} stay
 * as written, the worker resolves them. Limits: a filled scalar has at most
 * MR_LIMIT_EXPRESSION_BYTES bytes. */
#ifndef MR_TOPOLOGY_SUBSTITUTE_H
#define MR_TOPOLOGY_SUBSTITUTE_H

#include "topology/plan.h"
#include "topology/yaml.h"

/* Fill all scalars below root, save in the mapping `values` itself. Looked up first with
 * substitution, then in values (spec.values, a mapping of strings; may be NULL), then the default
 * holds. A name without any of them is an error. */
void mr_substitute(struct mr_yaml_node *root, const struct mr_yaml_node *values,
                   const struct mr_substitution *substitution, struct mr_arena *arena,
                   struct mr_report *report);

/* Whether text holds ${file: or ${secret:. */
bool mr_substitute_is_secret(const char *text);

#endif
