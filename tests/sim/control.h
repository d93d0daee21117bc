/* tests/sim/control.h — what the control topic says, and whether it is one line of decisions.
 * Model: read from the model log as it lies there, so that it does not depend on any coordinator:
 * committed records in their order, compacted ones, too. */
#ifndef MR_TESTS_SIM_CONTROL_H
#define MR_TESTS_SIM_CONTROL_H

#include "tests/sim/kernel.h"

/* The generation of a topology that is there and neither goes nor is reset; 0: none. */
uint64_t sim_control_generation(const char *topology);

struct sim_control_task {
    uint64_t generation;
    const char *subtopology;
    int32_t partition;
};

/* Each task that a running topology has; nothing of one that is paused. False: it is not there. */
bool sim_control_tasks(const char *topology,
                       void (*visit)(void *argument, const struct sim_control_task *task),
                       void *argument);

/* At the end: terms only rise, each has one leader, and only it has written until the next one; a
 * task's epochs and a topology's versions only rise. Else a violation. */
void sim_control_check(void);

/* At the end: no internal topic and no record is left of a generation that is none's any more. */
void sim_control_check_leftovers(void);

#endif
