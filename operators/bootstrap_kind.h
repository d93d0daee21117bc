/* operators/bootstrap_kind.h — a weighted reservoir of rows (bootstrap.h, bootstrap_sampler.h) as a
 * kind of model that learned_generator.h drives. Options: `fields`, `reservoir`, `seed`, `noise`,
 * `flip`. */
#ifndef MR_OPERATORS_BOOTSTRAP_KIND_H
#define MR_OPERATORS_BOOTSTRAP_KIND_H

#include "operators/learned_kind.h"

extern const char mr_bootstrap_table[];
extern const struct mr_learned_kind mr_bootstrap_kind;

#endif
