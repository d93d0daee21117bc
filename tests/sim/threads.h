/* tests/sim/threads.h — what the kernel asks of its threads. */
#ifndef MR_TESTS_SIM_THREADS_H
#define MR_TESTS_SIM_THREADS_H

#include "tests/sim/kernel.h"

void sim_threads_begin(void);
void sim_threads_end(void);
void sim_threads_kill(struct sim_process *process);

#endif
