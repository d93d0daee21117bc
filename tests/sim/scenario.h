/* tests/sim/scenario.h — one seed: a small cluster, a workload, faults, and the wait afterwards. */
#ifndef MR_TESTS_SIM_SCENARIO_H
#define MR_TESTS_SIM_SCENARIO_H

#include "tests/sim/kernel.h"

void sim_scenario_run(const struct sim_options *options, struct sim_verdict *verdict);

#endif
