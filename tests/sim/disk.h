/* tests/sim/disk.h — the model disk of each simulated process. */
#ifndef MR_TESTS_SIM_DISK_H
#define MR_TESTS_SIM_DISK_H

#include "state/store.h"
#include "tests/sim/kernel.h"

void sim_disk_begin(void);
/* A crash: each open store keeps a prefix of what was not flushed. */
void sim_disk_process_ended(struct sim_process *process);
/* Faults, while the process is down. */
void sim_disk_lose(struct sim_process *process);
void sim_disk_copy(struct sim_process *process);
void sim_disk_bring_back(struct sim_process *process);
/* Visit the pairs of the process's folder whose name ends with part. False: there is none, or it is
 * as a fault left it. */
bool sim_disk_find(const struct sim_process *process, const char *part,
                   void (*visit)(void *argument, struct mr_slice key, struct mr_slice value),
                   void *argument);

#endif
