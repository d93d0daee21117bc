/* tests/sim/mutation.h — which guard of the protocol is switched off in this run. */
#ifndef MR_TESTS_SIM_MUTATION_H
#define MR_TESTS_SIM_MUTATION_H

#include "base/guard.h"

/* False: there is no guard of this name. NULL: none is switched off. */
bool sim_mutation_set(const char *name);
const char *sim_mutation_name(enum mr_guard guard);

#endif
