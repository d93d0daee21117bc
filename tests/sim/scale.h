/* tests/sim/scale.h — a large cluster: real coordinators and the real agents of many workers.
 * Why: what a thousand workers and twenty thousand tasks ask of a coordinator (CPU time of its
 * decisions, memory, messages) and how long tasks are without an owner must be bounded, with
 * faults, too.
 * Model: coordinators are whole processes (coordinator/server.h) on the model log; workers run the
 * real agent loop, codec and model network, over a host of their own (scale_host.c), whose tasks
 * are step machines that claim, restore, run and release after a while. Phases: start, calm, a
 * tenth of the workers lost, their return, the leader lost, faults, and the wait after the last.
 * Limits: SIM_SCALE_WORKERS_MAX workers, SIM_SCALE_TASKS_MAX tasks. */
#ifndef MR_TESTS_SIM_SCALE_H
#define MR_TESTS_SIM_SCALE_H

#include "tests/sim/kernel.h"

enum {
    SIM_SCALE_WORKERS_MAX = 1200,
    SIM_SCALE_TASKS_MAX = 24000,
    SIM_SCALE_STEP_MS_MAX = 100,     /* CPU time of the core's longest step */
    SIM_SCALE_HEAP_MB_MAX = 200,     /* of a coordinator */
    SIM_SCALE_OWNED_SECONDS_MAX = 20 /* after the last fault until every task runs again */
};

struct sim_scale {
    uint32_t workers_count;
    uint32_t tasks_count;
};

/* Run a seed; with `print` its figures go to stdout. */
void sim_scale_run(const struct sim_options *options, const struct sim_scale *scale, bool print,
                   struct sim_verdict *verdict);

#endif
