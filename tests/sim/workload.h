/* tests/sim/workload.h — topologies, their records, and what must have become of them. */
#ifndef MR_TESTS_SIM_WORKLOAD_H
#define MR_TESTS_SIM_WORKLOAD_H

#include "tests/sim/node.h"

/* Plan the topologies, once for all runs. False: one is wrong; the reason is on stderr. */
bool sim_workload_plan(void);
/* all: plans of every guarantee, else those that are exactly once. */
void sim_workload_begin(bool all);
const struct mr_catalogue *sim_workload_catalogue(void);
/* The definition of a topology of the run: one of the versions that may follow each other. */
const char *sim_workload_version(uint32_t flow);
/* On a thread of a process that lives as long as the run: bind the run's topologies. */
void sim_workload_deploy(void);
/* Write some more records into the sources. False: all are written. */
bool sim_workload_feed(void);

/* ---- Oracle ---- */

/* Has every record come out? text: what is missing. */
bool sim_oracle_complete(char *text, size_t text_size);
/* Everything at the end: exactly once, in order, progress, changelogs. A fault is a violation. */
void sim_oracle_check(void);
/* The stores of the last owners, where they have left whole, against the changelogs. */
void sim_oracle_check_stores(void);

#endif
